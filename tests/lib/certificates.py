"""certificates: what the tests of sign-in by certificate share: a system with a certificate door, people with certificates."""
import datetime, hashlib, unittest
from openssl_authority import Authority, Lists
from beffroi import *

PASSWORD = 'corail tambour 47 lune'
SOFT = 'urn:oasis:names:tc:SAML:2.0:ac:classes:SoftwarePKI'
CARD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI'
PWD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'
BACK = 'https://sondage.example/retour'
VERIFIER = 'abcdefghijklmnopqrstuvwxyz-0123456789._~ABCD'
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip('=')


def claims(jwt):
    part = jwt.split('.')[1]
    return json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))


class CertificateSystem(System):
    """Two nodes with a certificate door each."""
    door_lines = ()
    cert_tls = True

    def prepare(self):
        self.cert_host = 'certificat.beffroi.localhost'
        self.cert_ports = [free_port(), free_port()]
        self.cert_url = f'https://{self.cert_host}:{self.cert_ports[0]}'
        super().prepare()

    def certificates(self):
        super().certificates()
        self.issue('cert-server', f'subjectAltName=DNS:{self.cert_host},DNS:*.{self.cert_host}')

    def configure(self, name, port, door_port, role):
        super().configure(name, port, door_port, role)
        lines = [f'cert.url = {self.cert_url}', 'outgoing.private = yes', 'trust.crl.refresh = 1min', *self.door_lines]
        if name.startswith('idp'):
            lines.append(f'cert.listen = 127.0.0.1:{self.cert_ports[int(name[3:]) - 1]}')
            if self.cert_tls:
                lines += [f"cert.tls.cert = {self.path('cert-server.pem')}", f"cert.tls.key = {self.path('cert-server.key')}"]
        with open(self.path(name + '.conf'), 'a') as f:
            f.write('\n'.join(lines) + '\n')

    def start(self):
        super().start()
        for node in range(1, self.nodes + 1):
            self.wait_port(self.cert_ports[node - 1], f'idp{node}')

    def knock(self, url, base=None, node=1, version=None, headers=None, chain=None, source=None):
        """The certificate door with this certificate: its answer."""
        tls = ssl.create_default_context(cafile=self.path('ca.pem'))
        if version:
            tls.minimum_version = tls.maximum_version = version
        if base:
            tls.load_cert_chain(chain or base + '.pem', base + '.key')
        u = urllib.parse.urlsplit(url)
        c = http.client.HTTPSConnection('127.0.0.1', self.cert_ports[node - 1], context=tls, timeout=30, source_address=source) \
            if self.cert_tls \
            else http.client.HTTPConnection('127.0.0.1', self.cert_ports[node - 1], timeout=30, source_address=source)
        if self.cert_tls:
            c._context.check_hostname = False
        try:
            c.request('GET', u.path + ('?' + u.query if u.query else ''), headers={'Host': u.netloc, **(headers or {})})
            r = c.getresponse()
            return Reply(r.status, r.headers, r.read())
        finally:
            c.close()


class Base(unittest.TestCase):
    system = CertificateSystem

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.s = cls.stack.enter_context(cls.system())
        cls.addClassCleanup(cls.stack.close)
        cls.lists = Lists()
        cls.soft = Authority(cls.s.dir, 'Certificats logiciels')
        cls.card = Authority(cls.s.dir, 'Cartes')
        cls.trust('soft', cls.soft, 'software')
        cls.trust('card', cls.card, 'card')
        with open(cls.s.path('client.json'), 'w') as f:
            json.dump({'client_id': 'sondage', 'client_name': 'sondage', 'client_secret': 'un-secret-assez-long',
                       'redirect_uris': [BACK], 'family': 'sondage'}, f)
        cls.s.command('client', 'add', cls.s.path('client.json'))
        # the doors appear on the pages of each node within a second or two
        for port in (cls.s.port, cls.s.port2)[:cls.s.nodes]:
            end = time.monotonic() + 30
            while time.monotonic() < end:
                b = Browser(cls.s, port)
                if b'id="door-card"' in b.follow(b.get('/login')).body:
                    break
                time.sleep(0.1)

    @classmethod
    def trust(cls, name, authority, use):
        cls.lists.files['/' + name] = authority.crl()
        return cls.s.command('trust', 'add', authority.pem, '--name', name, '--use', use, '--crl', f'{cls.lists.url}/{name}')

    def person(self, login, authority=None, name=None, **more):
        """An account with a password and a linked certificate."""
        handle, codes = self.s.citizen(login, PASSWORD)
        base = (authority or self.soft).issue(name or login, **more)
        self.s.command('account', 'link-certificate', handle, base + '.pem')
        return handle, codes, base

    def url(self, **change):
        q = {'client_id': 'sondage', 'redirect_uri': BACK, 'response_type': 'code', 'scope': 'openid', 'state': 's',
             'nonce': 'n-1', 'code_challenge': CHALLENGE, 'code_challenge_method': 'S256', **change}
        return '/oidc/authorize?' + urllib.parse.urlencode({k: v for k, v in q.items() if v is not None})

    def to_door(self, b, path='/login'):
        """As far as the door: the address there. b.flow is the flow's address."""
        page = b.follow(b.get(path))
        self.assertEqual(page.status, 200, page.text[:400])
        b.flow = b.at
        self.assertIn('/certificate"', page.text)
        r = b.get(b.flow + '/certificate')
        self.assertEqual(r.status, 303, r.text[:400])
        self.assertTrue(r.headers['Location'].startswith(self.s.cert_url + '/certificate/'), r.headers['Location'])
        return r.headers['Location']

    def knock(self, b, base, path='/login', **kw):
        """The door's ticket address for this browser and certificate."""
        r = self.s.knock(self.to_door(b, path), base, **kw)
        self.assertEqual(r.status, 303)
        self.assertTrue(r.headers['Location'].startswith(b.flow + '/certificate/'), r.headers['Location'])
        return r.headers['Location']

    def sign_in(self, base, path='/login', b=None, **kw):
        b = b or Browser(self.s)
        return b, b.follow(b.get(self.knock(b, base, path, **kw)))

    def refused(self, base, message, status=403, path='/login', b=None, **kw):
        b, page = self.sign_in(base, path, b, **kw)
        self.assertEqual(page.status, status, page.text[:600])
        self.assertIn(message, page.text)
        self.assertNotIn('__Host-beffroi', b.cookies)
        self.assertIn('id="other"', page.text)
        return page

    def token(self, code):
        return Browser(self.s).post('/oidc/token', {
            'grant_type': 'authorization_code', 'code': code, 'redirect_uri': BACK, 'code_verifier': VERIFIER,
            'client_id': 'sondage', 'client_secret': 'un-secret-assez-long'})

    def id_token(self, reply):
        self.assertEqual(reply.status, 302, reply.text[:600])
        got = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(reply.headers['Location']).query))
        return claims(self.token(got['code']).json()['id_token'])


def date(days):
    return (datetime.datetime.utcnow() + datetime.timedelta(days=days)).strftime('%Y%m%d%H%M%SZ')


def read(path):
    with open(path) as f:
        return f.read()
