"""The certificate door behind Debian's nginx and HAProxy, set up as docs/certificates.md says: its examples are read from there."""
import re, unittest
from certificates import *

DOCUMENT = os.path.join(TOP, 'docs', 'certificates.md')
PLACES = {'0.0.0.0:443': 'front', '127.0.0.1:8445': 'door', '/etc/ssl/': 'folder', 'certificat.ville.example': 'host'}


def example(style):
    """The indented block below the line of the document that names this cert.proxy."""
    m = re.search(r'^`cert\.proxy = ' + style + r'`(?:.+\n)+\n((?:    .+\n)+)', read(DOCUMENT), re.M)
    assert m, f'{DOCUMENT} has no example of {style}'
    return re.sub(r'^    ', '', m.group(1), flags=re.M)


class ProxySystem(CertificateSystem):
    cert_tls = False

    def __init__(self, style):
        self.style = style
        super().__init__(nodes=1)
        self.door_lines = (f'cert.proxy = {style}', 'proxy.trusted = 127.0.0.1')

    def prepare(self):
        self.front_port = free_port()
        super().prepare()

    def configure(self, name, port, door_port, role):
        self.cert_url = f'https://{self.cert_host}:{self.front_port}'
        super().configure(name, port, door_port, role)

    def place(self, text):
        """The example with this test's addresses and files for those of the document; each must be there."""
        there = {'front': f'127.0.0.1:{self.front_port}', 'door': f'127.0.0.1:{self.cert_ports[0]}',
                 'folder': self.path('') , 'host': self.cert_host}
        for old, new in PLACES.items():
            assert old in text or (old == 'certificat.ville.example' and self.style != 'nginx'), (self.style, old)
            text = text.replace(old, there[new])
        return text

    def front(self, authorities):
        """Starts the proxy."""
        chain, key = read(self.path('cert-server.pem')), read(self.path('cert-server.key'))
        for name, text in (('certificat.pem', chain), ('certificat.key', key), ('certificat.both.pem', chain + key),
                           ('authorities.pem', ''.join(read(a.pem) for a in authorities))):
            with open(self.path(name), 'w') as f:
                f.write(text)
        text = self.place(example(self.style))
        if self.style == 'nginx':
            for d in ('body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'):
                os.makedirs(self.path('nginx', d), exist_ok=True)
            text = 'daemon off;\nmaster_process off;\nerror_log stderr notice;\n' + f"pid {self.path('nginx', 'pid')};\n" + \
                'events { worker_connections 64; }\nhttp {\naccess_log off;\n' + \
                f"client_body_temp_path {self.path('nginx', 'body')};\n" + \
                ''.join(f"{d}_temp_path {self.path('nginx', d)};\n" for d in ('proxy', 'fastcgi', 'uwsgi', 'scgi')) + text + '}\n'
            argv = ['nginx', '-e', 'stderr', '-p', self.path('nginx'), '-c', self.path('front.conf')]
        else:
            argv = ['haproxy', '-db', '-f', self.path('front.conf')]
        with open(self.path('front.conf'), 'w') as f:
            f.write(text)
        with open(self.path('front.log'), 'ab') as log:
            self.processes['front'] = subprocess.Popen(argv, stdout=log, stderr=log, env={
                **os.environ, 'PATH': os.environ['PATH'] + ':/usr/sbin'})
        self.wait_port(self.front_port, 'front')

    def knock(self, url, base=None, headers=(), chain=None, version=None, direct=False, source=None):
        """The door by the proxy, or directly (plain) from an address. headers: pairs, sent as they are."""
        u = urllib.parse.urlsplit(url)
        tls = ssl.create_default_context(cafile=self.path('ca.pem'))
        tls.check_hostname = False
        if version:
            tls.minimum_version = tls.maximum_version = version
        if base:
            tls.load_cert_chain(chain or base + '.pem', base + '.key')
        raw = socket.create_connection(('127.0.0.1', self.cert_ports[0] if direct else self.front_port), 30,
                                       (source, 0) if source else None)
        with raw if direct else tls.wrap_socket(raw, server_hostname=u.hostname) as c:
            lines = [f'GET {u.path}?{u.query} HTTP/1.1', f'Host: {u.netloc}', *(f'{k}: {v}' for k, v in headers)]
            c.sendall(('\r\n'.join(lines) + '\r\n\r\n').encode())
            r = http.client.HTTPResponse(c)
            r.begin()
            reply = Reply(r.status, r.headers, r.read())
            if not direct:
                self.reused = c.session_reused
                self.ended = c.recv(1) == b''
            return reply


def der(pem):
    return subprocess.run(['openssl', 'x509', '-in', pem, '-outform', 'DER'], capture_output=True, check=True).stdout


class Nginx(Base):
    style = 'nginx'
    chains = False                          # does it hand intermediate certificates over?

    @classmethod
    def setUpClass(cls):
        cls.system = staticmethod(lambda: ProxySystem(cls.style))
        super().setUpClass()
        cls.s.front([cls.soft, cls.card])

    def headers(self, leaf):
        """What the proxy writes, as somebody else would write it."""
        b64 = base64.b64encode(der(leaf)).decode()
        pem = urllib.parse.quote(run('openssl', 'x509', '-in', leaf).stdout, safe='')
        return {'nginx': ('X-SSL-Client-Cert', pem), 'haproxy': ('X-SSL-Client-Cert', b64),
                'rfc9440': ('Client-Cert', f':{b64}:')}[self.style]

    def test_each_outcome_has_our_page(self):
        _, _, base = self.person('mandataire')
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            _, reply = self.sign_in(base, self.url(), version=version)
            self.assertEqual(self.id_token(reply)['acr'], SOFT)
            self.assertTrue(self.s.ended)                              # the next visit is a handshake of its own
            self.assertFalse(self.s.reused)
        _, reply = self.sign_in(self.person('carte', self.card)[2], self.url(acr_values=CARD))
        self.assertEqual(self.id_token(reply)['acr'], CARD)
        rsa = self.soft.issue('rsa', alg=('rsa', 'rsa_keygen_bits:4096'))
        stranger = Authority(self.s.dir, 'Inconnue')
        self.refused(None, 'aucun certificat')
        self.refused(rsa, 'lié à aucun compte')
        self.refused(stranger.issue('etranger'), 'organisme reconnu')
        self.refused(self.soft.issue_at('perime', date(-30), date(-1)), 'date est passée')
        self.refused(self.soft.issue_at('futur', date(1), date(30)), 'pas encore valable')
        self.refused(self.soft.issue('serveur', Authority.CLIENT.replace('clientAuth', 'serverAuth')), 'pas fait pour se connecter')
        self.assertEqual(self.sign_in(base)[1].status, 200)

    def test_a_chain(self):
        below = Authority(self.s.dir, 'Dessous', above=self.soft)
        self.lists.files['/dessous'] = below.crl()
        leaf = below.issue('dessous')
        chain = self.s.path('chaine.pem')
        with open(chain, 'w') as f:
            f.write(read(leaf + '.pem') + read(below.pem))
        # no list of the authority below: said when the proxy brings its certificate, else nobody knows who signed
        self.refused(leaf, 'vérifier ce certificat' if self.chains else 'organisme reconnu', 503 if self.chains else 403, chain=chain)

    def test_headers_from_outside_do_not_pass(self):
        _, _, base = self.person('faussaire')
        name, value = self.headers(base + '.pem')
        mine = [(name, value)]
        # somebody without a certificate, or with another's, brings a good one in the header
        other = self.soft.issue('autre')
        for sent in (mine, mine * 2, [(name.lower(), value)], [(name.replace('-', '_'), value)], [(name + ' ', value)],
                     mine + [('Connection', f'close, {name}')], [(name, ''), (name, value)],
                     [('Client-Cert', value), ('X-SSL-Client-Cert', value), ('SSL-Client-Cert', value)]):
            for brought, words in ((None, 'aucun certificat'), (other, 'lié à aucun compte')):
                b = Browser(self.s)
                r = self.s.knock(self.to_door(b), brought, sent)
                if r.status == 400:                                    # the proxy's own answer to what is no header
                    continue
                page = b.get(r.headers['Location'])
                self.assertEqual(page.status, 403, sent)
                self.assertIn(words, page.text, sent)
                self.assertNotIn('__Host-beffroi', b.cookies)
        # nor does who they say they are: the door's log has the address the proxy saw
        b = Browser(self.s)
        r = self.s.knock(self.to_door(b), base, [('X-Forwarded-For', '192.0.2.77')])
        self.assertEqual(b.get(r.headers['Location']).status, 303)
        self.assertNotIn('192.0.2.77', self.s.log('idp1'))

    def test_straight_to_the_door(self):
        _, _, base = self.person('detour')
        good = [self.headers(base + '.pem')]
        b = Browser(self.s)
        page = b.get(self.s.knock(self.to_door(b), headers=good, direct=True, source='127.0.0.2').headers['Location'])
        self.assertEqual(page.status, 403)
        self.assertIn('ne peut pas être lu', page.text)
        self.assertNotIn('__Host-beffroi', b.cookies)
        self.assertIn('not from an address of proxy.trusted', self.s.log('idp1'))
        # and what the trusted address brings is believed: the header itself was good
        b = Browser(self.s)
        page = b.get(self.s.knock(self.to_door(b), headers=good, direct=True, source='127.0.0.1').headers['Location'])
        self.assertEqual(page.status, 303)

    def test_the_names_of_authorities_are_sent(self):
        out = run('openssl', 's_client', '-connect', f'127.0.0.1:{self.s.front_port}', '-servername', self.s.cert_host,
                  '-CAfile', self.s.path('ca.pem'), stdin='').stdout
        for ca in ('Certificats logiciels', 'Cartes'):
            self.assertIn(f'CN = {ca}', out)
        self.assertNotIn('Reused', out)


class Haproxy(Nginx):
    style, chains = 'haproxy', True


class Rfc9440(Nginx):
    style = 'rfc9440'


if __name__ == '__main__':
    unittest.main(verbosity=2)
