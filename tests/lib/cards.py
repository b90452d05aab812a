"""cards: a provider that offers all three types of account, and what is behind it of card operations."""
from beffroi import *

# Somebody must be there to issue software certificates before they are offered; nobody is called here.
SETTINGS = ('pki.url = https://127.0.0.1:1\npki.ca = {dir}/ca.pem\npki.cert = {dir}/server.pem\n'
            'pki.key = {dir}/server.key\n')

# Damm's quasigroup of base/core/code.c: a reactivation PIN ends at 5.
DAMM = ('0317598642', '7092154863', '4206871359', '1750983426', '6123045978', '3674209581', '5869720134', '8945362017',
        '9438617205', '2581436790')


def is_pin(digits):
    at = 0
    for d in digits:
        at = int(DAMM[at][int(d)])
    return at == 5


def other_pin(pin, n=1):
    """The n-th PIN after this one whose check digit is right: a wrong one that is no slip of the finger."""
    assert is_pin(pin), pin
    first = f'{(int(pin[:7]) + n) % 10000000:07}'
    return next(first + last for last in '0123456789' if is_pin(first + last))


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

    def link_some_card(self, handle, state):
        """A certificate that no authority of the test made, for acts that do not look at it."""
        self.sql("INSERT INTO credential_certificate (id, account_id, issuer, serial, spki_sha256, state, state_since, not_after, "
                 "linked_at) SELECT gen_random_uuid(), id, decode('3000', 'hex'), decode(md5(id::text), 'hex'), "
                 f"sha256(id::text::bytea), '{state}', created_at, created_at + interval '3 years', created_at FROM account WHERE handle = '{handle}'")
