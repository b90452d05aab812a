"""cards: a provider that offers all three types of account, and what is behind it of card operations."""
from beffroi import *

# Somebody must be there to issue software certificates before they are offered; nobody is called here.
SETTINGS = ('pki.url = https://127.0.0.1:1\npki.ca = {dir}/ca.pem\npki.cert = {dir}/server.pem\n'
            'pki.key = {dir}/server.key\n')


class CardSystem(System):
    """Card operations have a key pair; its private half is not where the provider is."""

    def certificates(self):
        super().certificates()
        run('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', self.path('cardops.key'))
        run('openssl', 'pkey', '-in', self.path('cardops.key'), '-pubout', '-out', self.path('cardops.pem'))
        os.chmod(self.path('cardops.key'), 0o600)
        self.extra = f"{self.extra}cardops.seal_key = {self.path('cardops.pem')}\n"

    def record(self, handle):
        """The card record as card operations read it."""
        account, sealed = self.sql("SELECT a.id, encode(r.sealed, 'base64') FROM card_record r JOIN account a ON a.id = r.account_id "
                                   f"WHERE a.handle = '{handle}'").split('|')
        text = base64.urlsafe_b64encode(base64.b64decode(sealed)).decode().rstrip('=')
        tool = os.path.join(self.build, 'tests', 'seal_tool')
        return json.loads(run(tool, self.path('cardops.key'), 'beffroi card record v1', account, stdin=text).stdout)

    def jobs(self, account):
        """What the authority is to do about the certificates of an account, in order (K2)."""
        return self.sql("SELECT split_part(key, ' ', 2) FROM job WHERE kind = 'account.certificates' AND "
                        f"split_part(key, ' ', 1) = '{account}' ORDER BY id").split()
