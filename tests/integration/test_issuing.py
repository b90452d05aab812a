"""Software certificates from the mail's code to the first sign-in, and what becomes of them (DOMAIN P-046…P-058, K2, A-26): the real
provider and the real authority."""
import base64, http.client, plistlib, ssl, time, unittest, urllib.parse

from beffroi import *
from issuing import issuing

AGENTS = {
    'firefox': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
    'windows': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0',
    'macos': 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15',
    'ios': 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/128.0 Mobile/15E148',
    'android': 'Mozilla/5.0 (Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0',
    'unknown': 'w3m/0.5.3',
}
FILES = {
    'firefox': ('application/x-pkcs12', 'certificat.p12', False), 'windows': ('application/x-pkcs12', 'certificat.pfx', False),
    'macos': ('application/x-pkcs12', 'certificat.p12', True), 'ios': ('application/x-apple-aspen-config', 'certificat.mobileconfig', True),
    'android': ('application/x-pkcs12', 'certificat.p12', True), 'unknown': ('application/x-pkcs12', 'certificat.p12', True),
}


class Issuing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.s = cls.stack.enter_context(issuing())
        end = time.monotonic() + 30
        while time.monotonic() < end and b'id="door-certificate"' not in (b := Browser(cls.s)).follow(b.get('/login')).body:
            time.sleep(0.1)

    def begin(self, name, **body):
        handle, codes, number = self.s.soft(**body)
        b, url = self.s.stage(codes, f'{name}@courriel.example')
        return handle, codes, number, b, url

    def choose(self, b, url, device, **fields):
        r = b.post(url, {'csrf': b.csrf(b.get(url)), 'device': device, 'do': 'choose', **fields})
        self.assertEqual(r.status, 303, r.text[:600])
        page = b.get(r.headers['Location'])
        self.assertEqual(page.status, 200, page.text[:600])
        return page

    def form(self, page, id):
        """(action, fields) of a form of a page."""
        m = re.search(rf'<form method="post" action="([^"]+)" id="{id}">(.*?)</form>', page.text, re.S)
        self.assertIsNotNone(m, page.text[:2000])
        return m.group(1), dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', m.group(2)))

    def phrase(self, page):
        return re.search(r'id="passphrase"[^>]*>([^<]+)<', page.text).group(1)

    def download(self, b, page, read=None, hold=True):
        """The file, on a connection of its own that stays open for a while; read: only so many octets of the body, then it is cut."""
        action, fields = self.form(page, 'file')
        body = urllib.parse.urlencode(fields)
        c = self.s.connection(self.s.port)
        c.request('POST', action, body, {'Host': f'{self.s.host}:{self.s.port}', 'Origin': self.s.url, 'Accept-Language': 'fr',
                                         'Content-Type': 'application/x-www-form-urlencoded',
                                         'Cookie': '; '.join(f'{k}={v}' for k, v in b.cookies.items())})
        r = c.getresponse()
        if read is not None:
            self.assertEqual(r.status, 200)
            r.fp.read(read)
            c.sock.close()
            r.close()
            return None
        reply = Reply(r.status, r.headers, r.read())
        if hold:
            self.addCleanup(c.close)         # as browsers do
        else:
            c.close()
        return reply

    def request_of(self, name, subject='/CN=moi'):
        run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', subject, '-keyout',
            self.s.path(name + '.key'), '-out', self.s.path(name + '.csr'))
        with open(self.s.path(name + '.csr')) as f:
            return f.read()

    def post_request(self, b, page, text, **fields):
        action, hidden = self.form(page, 'request-form')
        return b.post(action, {**hidden, 'request': text, 'do': 'request', **fields})

    def to_ticket(self, b, location, base):
        """From the main host's first step over the door to the ticket; the page that comes after it."""
        r = b.get(location)
        self.assertEqual(r.status, 303, r.text[:400])
        r = self.s.knock(r.headers['Location'], base)
        return b.follow(b.get(r.headers['Location']))

    def sign_in(self, base):
        b = Browser(self.s)
        b.follow(b.get('/login'))
        return b, self.to_ticket(b, b.at + '/certificate', base)

    # --- the three ways --------------------------------------------------------------------------------------------------
    def test_a_file(self):
        """P-052: made once, opened by the phrase of the page; the account opens when it arrived (P-054)."""
        handle, codes, number, b, url = self.begin('fichier')
        page = self.choose(b, url, 'firefox')
        r = self.download(b, page)
        self.assertEqual((r.status, r.headers['Content-Type']), (200, 'application/x-pkcs12'), r.text[:400])
        self.assertEqual(r.headers['Cache-Control'], 'no-store')
        self.s.wait(lambda: self.s.state(handle) == 'active')
        base = self.s.unpack('fichier', r.body, self.phrase(page))
        subject = run('openssl', 'x509', '-noout', '-subject', '-in', base + '.pem').stdout
        self.assertIn(f'PSEUDO:{number}', subject)
        # the second one
        again = self.download(b, page)
        self.assertEqual(again.status, 410, again.text[:300])
        who, page = self.sign_in(base)
        self.assertEqual(page.status, 200, page.text[:500])
        self.assertIn('id="logout"', page.text)
        self.s.wait(lambda: self.s.pki_states(number) == ['active'])        # told to the authority (P-121)
        self.assertIn('Votre compte est ouvert', self.s.sink.wait('fichier@courriel.example', 1).get_content())


if __name__ == '__main__':
    unittest.main()
