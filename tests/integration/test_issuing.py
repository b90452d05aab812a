"""Software certificates from the mail's code to the first sign-in, and what becomes of them (DOMAIN P-046…P-058, K2, A-26): the real
provider and the real authority."""
import base64, datetime, http.client, plistlib, shutil, ssl, subprocess, threading, time, unittest, urllib.parse, uuid

from authority import APPROVERS, Authority
from beffroi import *
from cards import CardSystem
from issuing import Cut, IssuingSystem, issuing

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
CARD = {'given_name': 'Zoé', 'surname': 'Durand', 'address': ['Mme Durand', '3 rue du Puits', '31999 RIVEMONT']}
LEA = {'Beffroi-Clerk': 'lea'}


class Base(unittest.TestCase):
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
        m = re.search(rf'<form method="post" action="([^"]+)" id="{id}"[^>]*>(.*?)</form>', page.text, re.S)
        self.assertIsNotNone(m, page.text[:2000])
        return m.group(1), dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', m.group(2)))

    def phrase(self, page):
        return re.search(r'id="passphrase"[^>]*>([^<]+)<', page.text).group(1)

    def download(self, b, page, cut=None):
        """The file, on a connection that stays open for a while, as a browser's does. cut: the network goes after so many octets of the
        answer."""
        action, fields = self.form(page, 'file')
        net = Cut(self.s.port) if cut else None
        c = self.s.connection(net.port if cut else self.s.port)
        c.connect()
        if cut:
            net.cut(cut)
        try:
            c.request('POST', action, urllib.parse.urlencode(fields), {
                'Host': f'{self.s.host}:{self.s.port}', 'Origin': self.s.url, 'Accept-Language': 'fr',
                'Content-Type': 'application/x-www-form-urlencoded', 'Cookie': '; '.join(f'{k}={v}' for k, v in b.cookies.items())})
            r = c.getresponse()
            reply = Reply(r.status, r.headers, r.read())
        except (OSError, http.client.HTTPException):
            self.assertIsNotNone(cut)
            return None
        self.assertIsNone(cut, 'the network was not cut')
        self.addCleanup(c.close)
        return reply

    def not_sent(self, handle):
        """The provider has seen that the file did not arrive."""
        self.s.wait_sql("SELECT count(*) FROM enrolment WHERE sending_until IS NULL AND way = 'file' AND state = 'issued' AND account_id = "
                        f"(SELECT id FROM account WHERE handle = '{handle}')", '1')
        self.assertEqual(self.s.state(handle), 'pending')

    def request_of(self, name, subject='/CN=moi'):
        run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', subject, '-keyout',
            self.s.path(name + '.key'), '-out', self.s.path(name + '.csr'))
        with open(self.s.path(name + '.csr')) as f:
            return f.read()

    def post_request(self, b, page, text, **fields):
        action, hidden = self.form(page, 'request-form')
        return b.post(action, {**hidden, 'request': text, 'do': 'request', **fields})

    def upload_request(self, b, page, octets, **fields):
        """The form as a browser sends it: with a file, whatever it is called."""
        action, hidden = self.form(page, 'request-form')
        part = lambda name, value, more='': f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b'\r\n'
        body = b''.join(part(n, v.encode()) for n, v in {**hidden, 'request': '', 'do': 'request', **fields}.items()) + \
            part('request_file', octets, '; filename="demande.csr"\r\nContent-Type: application/octet-stream') + b'--x--\r\n'
        return b.request('POST', action, body, {'Content-Type': 'multipart/form-data; boundary=x'})

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

    def opened(self, name, **body):
        handle, codes, number, b, url = self.begin(name, **body)
        page = self.choose(b, url, 'firefox')
        r = self.download(b, page)
        self.assertEqual(r.status, 200, r.text[:400])
        self.s.wait(lambda: self.s.state(handle) == 'active')
        self.s.wait(lambda: self.s.pki_states(number)[-1] == 'active')
        return handle, codes, number, self.s.unpack(name, r.body, self.phrase(page))

    def block(self, codes):
        b = Browser(self.s)
        b.get('/blocage')
        r = b.post('/blocage', {'code': codes['revocation'], 'do': 'block'})
        self.assertEqual(r.status, 200, r.text[:400])
        return b, r


class Issuing(Base):
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
        self.s.wait(lambda: any('fichier@courriel.example' in to and 'Votre compte est ouvert' in m.get_content()
                                for to, m in self.s.sink.messages))

    def test_each_device_has_its_file(self):
        """P-053: guessed from the User-Agent, changeable without script; the right type, suffix and form of file, and steps."""
        handle, codes, number, b, url = self.begin('appareils')
        for device, agent in AGENTS.items():
            page = b.get(url, headers={'User-Agent': agent})
            chosen = re.findall(r'value="([a-z]+)" checked', page.text)
            self.assertEqual(chosen, [device], agent)
        page = b.post(url, {'csrf': b.csrf(page), 'device': 'minitel', 'do': 'choose'})
        self.assertEqual(page.status, 422)
        self.assertIn('Choisissez un appareil', page.text)
        self.assertEqual(b.get(url + '/minitel').status, 303)
        for device, (kind, name, older) in FILES.items():
            page = self.choose(b, url, device)                          # done again, as nothing has been downloaded
            self.assertGreaterEqual(page.text.count('<li>'), 3)
        for device in ('ios', 'windows'):
            other, codes, number, b, url = self.begin(f'format-{device}')
            page = self.choose(b, url, device)
            kind, name, older = FILES[device]
            r = self.download(b, page)
            self.assertEqual((r.headers['Content-Type'], r.headers['Content-Disposition']), (kind, f'attachment; filename="{name}"'))
            p12 = r.body
            if device == 'ios':
                plist = plistlib.loads(r.body)
                self.assertEqual(plist['PayloadType'], 'Configuration')
                self.assertEqual(plist['PayloadContent'][0]['PayloadType'], 'com.apple.security.pkcs12')
                self.assertNotIn('Password', plist['PayloadContent'][0])
                p12 = plist['PayloadContent'][0]['PayloadContent']
            base = self.s.unpack('format-' + device, p12, self.phrase(page))
            info = run('openssl', 'pkcs12', '-in', base + '.p12', '-passin', 'pass:' + self.phrase(page), '-info', '-noout').stderr
            self.assertIn('pbeWithSHA1And3-KeyTripleDES-CBC' if older else 'AES-256-CBC', info)
            self.assertIn('MAC: sha1' if older else 'MAC: sha256', info)
            self.s.wait(lambda: self.s.state(other) == 'active')

    def test_a_cut_download(self):
        """P-054: half of the file is none: the account stays closed, the next file has another key, the first one is superseded."""
        handle, codes, number, b, url = self.begin('coupure')
        page = self.choose(b, url, 'firefox')
        self.download(b, page, cut=1700)
        self.not_sent(handle)
        self.assertEqual(self.s.pki_states(number), ['issued'])
        page = self.choose(b, url, 'firefox')
        r = self.download(b, page)
        self.assertEqual(r.status, 200)
        self.s.wait(lambda: self.s.state(handle) == 'active')
        base = self.s.unpack('coupure', r.body, self.phrase(page))
        self.s.wait(lambda: sorted(self.s.pki_states(number)) == ['active', 'revoked'])
        self.assertEqual(self.s.authority.sql("SELECT c.reason FROM certificate c JOIN registration r ON r.id = c.registration_id WHERE "
                                              f"r.holder = '{number}' AND c.state = 'revoked'"), '4')
        self.assertIn('id="logout"', self.sign_in(base)[1].text)

    def test_two_clicks(self):
        """A file on its way keeps the next from being made; a page of before asks to choose again; a foreign phrase is none."""
        handle, codes, number, b, url = self.begin('clics')
        page = self.choose(b, url, 'firefox')
        action, fields = self.form(page, 'file')
        account = self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}'")
        self.download(b, page, cut=1500)
        self.not_sent(handle)
        self.s.sql(f"UPDATE enrolment SET sending_until = 'infinity' WHERE account_id = '{account}'")
        again = b.post(action, fields)
        self.assertEqual(again.status, 409)
        self.assertIn('déjà en route', again.text)
        self.s.sql(f"UPDATE enrolment SET sending_until = NULL WHERE account_id = '{account}'")
        for phrase in ('', 'secret', fields['passphrase'].upper(), fields['passphrase'] + 'a'):
            self.assertEqual(b.post(action, {**fields, 'passphrase': phrase}).status, 422)
        self.assertEqual(b.post(action, {k: v for k, v in fields.items() if k != 'csrf'}).status, 403)
        self.assertEqual(b.get(action).status, 405)
        self.assertEqual(self.download(b, page).status, 200)
        self.s.wait(lambda: self.s.state(handle) == 'active')
        # every page of before says so
        for path in (url, url + '/firefox', url + '/issued'):
            self.assertEqual(b.get(path).status, 410)

    def test_many_tries(self):
        handle, codes, number, b, url = self.begin('essais')
        account = self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}'")
        page = self.choose(b, url, 'firefox')
        self.s.sql("INSERT INTO enrolment (id, account_id, renewal, way, spki_sha256, keep_mail, lang, state, state_since, asked_at) "
                   f"SELECT gen_random_uuid(), '{account}', false, 'file', sha256(i::text::bytea), false, 'fr', 'dropped', "
                   "now(), now() FROM generate_series(1, 10) i")
        action, fields = self.form(page, 'file')
        self.assertEqual(b.post(action, fields).status, 429)
        self.s.sql(f"UPDATE enrolment SET asked_at = asked_at - interval '25 hours' WHERE account_id = '{account}'")
        self.assertEqual(self.download(b, page).status, 200)

    def test_a_request(self):
        """The citizen's own key: PEM with the chain, DER; the account opens when they say so, or test."""
        handle, codes, number, b, url = self.begin('demande')
        page = self.choose(b, url, 'unknown')
        for text in ('', 'rien', '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n', base64.b64encode(b'\x30\x00').decode()):
            r = self.post_request(b, page, text)
            self.assertEqual(r.status, 422, r.text[:300])
        run('openssl', 'req', '-new', '-newkey', 'rsa:1024', '-nodes', '-subj', '/CN=x', '-keyout', self.s.path('faible.key'), '-out',
            self.s.path('faible.csr'))
        with open(self.s.path('faible.csr')) as f:
            r = self.post_request(b, page, f.read())
        self.assertEqual(r.status, 422)
        text = self.request_of('demande')
        r = self.post_request(b, page, text)
        self.assertEqual(r.status, 303, r.text[:600])
        self.assertEqual(r.headers['Location'], url + '/issued')
        self.assertEqual(self.s.state(handle), 'pending')
        # the same request again is the same certificate; another one takes its place
        self.assertEqual(self.post_request(b, page, text).status, 303)
        pem = b.get(url + '/issued/certificat.pem')
        self.assertEqual(pem.headers['Content-Type'], 'application/x-pem-file')
        self.assertEqual(pem.text.count('BEGIN CERTIFICATE'), 2)
        der = b.get(url + '/issued/certificat.cer').body
        self.assertEqual(ssl.DER_cert_to_PEM_cert(der).split(), pem.text.split()[:len(ssl.DER_cert_to_PEM_cert(der).split())])
        chain = b.get(url + '/issued/chaine.pem').text
        self.assertEqual(chain.count('BEGIN CERTIFICATE'), 2)
        self.assertEqual(b.get(url + '/issued/autre.pem').status, 409)
        with open(self.s.path('demande.key')) as f:
            base = self.s.base('demande', f.read(), pem.text)
        # P-054, T-03: issued is not delivered
        _, page = self.sign_in(base)
        self.assertEqual(page.status, 403)
        self.assertIn('pas encore ouvert', page.text)
        self.assertEqual(self.s.state(handle), 'pending')
        page = b.get(url + '/issued')
        r = b.post(url + '/done', {'csrf': b.csrf(page), 'do': 'done'})
        self.assertEqual(r.status, 200, r.text[:600])
        self.assertEqual(self.s.state(handle), 'active')
        self.assertEqual(b.post(url + '/done', {'csrf': b.csrf(page), 'do': 'done'}).status, 410)
        self.assertIn('id="logout"', self.sign_in(base)[1].text)

    def test_the_same_request_twice_at_once(self):
        """A double click: both ask for the same key, and both find its certificate, whoever was first."""
        for n in range(3):
            handle, codes, number, b, url = self.begin(f'double-{n}')
            page, text = self.choose(b, url, 'unknown'), self.request_of(f'double-{n}')
            replies = [None] * 6
            threads = [threading.Thread(target=lambda i=i: replies.__setitem__(i, self.post_request(b, page, text))) for i in range(6)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            # more than the authority has places for are told to come again
            self.assertEqual({r.status for r in replies} - {503}, {303}, [r.status for r in replies])
            self.assertEqual(self.post_request(b, page, text).status, 303)
            self.assertEqual(b.get(url + '/issued').status, 200)
            self.assertEqual(self.s.sql("SELECT string_agg(e.state, ' ') FROM enrolment e JOIN account a ON a.id = e.account_id "
                                        f"WHERE a.handle = '{handle}'"), 'issued')
            r = b.post(url + '/done', {'csrf': b.csrf(b.get(url + '/issued')), 'do': 'done'})
            self.assertEqual((r.status, self.s.state(handle)), (200, 'active'))

    def test_two_keys_at_once(self):
        """Another tab asks for another key while the authority signs the first: the later one is kept, the first is revoked."""
        handle, codes, number, b, url = self.begin('onglets')
        page = self.choose(b, url, 'unknown')
        states = lambda: self.s.sql("SELECT string_agg(e.state, ' ' ORDER BY asked_at) FROM enrolment e JOIN account a ON a.id = e.account_id "
                                    f"WHERE a.handle = '{handle}'")
        signer, replies = self.s.authority.processes['signer'], {}
        signer.send_signal(signal.SIGSTOP)
        try:
            threads = []
            for name, want in (('onglet-1', 'asked'), ('onglet-2', 'dropped asked')):
                text = self.request_of(name)
                threads.append(threading.Thread(target=lambda n=name, t=text: replies.__setitem__(n, self.post_request(b, page, t))))
                threads[-1].start()
                self.s.wait(lambda: states() == want)
        finally:
            signer.send_signal(signal.SIGCONT)
        for t in threads:
            t.join()
        self.assertEqual([replies[n].status for n in ('onglet-1', 'onglet-2')], [409, 303])
        self.assertEqual(states(), 'dropped issued')
        self.s.wait(lambda: sorted(self.s.pki_states(number)) == ['issued', 'revoked'])
        r = b.post(url + '/done', {'csrf': b.csrf(b.get(url + '/issued')), 'do': 'done'})
        self.assertEqual((r.status, self.s.state(handle)), (200, 'active'))

    def test_a_renewal_wants_the_certificate_again(self):
        """A session that was left open, or stolen, gets no key of its own (T-21b): the certificate is shown once more."""
        handle, codes, number, base = self.opened('bail')
        who, page = self.sign_in(base)
        url, home = '/ma-page/certificat', who.get('/ma-page/certificat')
        form = who.get(url + '/firefox')
        self.assertEqual(form.status, 200)
        action, fields = self.form(form, 'file')
        asked = lambda: self.s.sql("SELECT count(*) FROM enrolment e JOIN account a ON a.id = e.account_id "
                                   f"WHERE a.handle = '{handle}' AND e.renewal")
        self.assertEqual(who.post(action, fields).status, 409, 'more than 60 days before its end; but it was asked')
        self.assertEqual(asked(), '1')
        self.s.command('clock', '--advance', '1500s')
        try:
            tries = [who.get(url + '/firefox'), who.post(action, fields), self.post_request(who, form, self.request_of('bail-2'))]
            for r in tries:
                self.assertEqual(r.status, 303, r.text[:300])
                self.assertIn('/signon/', r.headers['Location'])
            self.assertEqual(asked(), '1', 'nothing was asked for it')
            self.assertEqual(who.get(url).status, 200)
            page = who.follow(tries[0])
            self.assertIn('id="door-certificate"', page.text)
            self.assertNotIn('id="password"', page.text)
            page = self.to_ticket(who, who.at + '/certificate', base)
            self.assertEqual(page.status, 200, page.text[:400])
            self.assertEqual(who.at, self.s.url + url + '/firefox')
            self.assertEqual(who.post(*self.form(page, 'file')).status, 409)
            self.assertEqual(asked(), '2')
        finally:
            self.s.command('clock', '--advance', '-1500s')

    def test_a_request_as_a_file(self):
        """A file beside the text of the form: PEM or DER; what it is not is said."""
        handle, codes, number, b, url = self.begin('televersement')
        page = self.choose(b, url, 'unknown')
        text = self.request_of('televersement')
        run('openssl', 'req', '-in', self.s.path('televersement.csr'), '-outform', 'DER', '-out', self.s.path('televersement.der'))
        with open(self.s.path('televersement.der'), 'rb') as f:
            der = f.read()
        with open(self.s.path('televersement.key'), 'rb') as f:
            key = f.read()
        with open(self.s.path('ca.pem'), 'rb') as f:
            certificate = f.read()
        for octets, fields, message in [
                (b'', {}, 'Choisissez le fichier'), (b'', {'request': ' \n '}, 'Choisissez le fichier'), (text.encode(), {'request': text}, 'un fichier et un texte'),
                (key, {}, 'une clé privée'), (certificate, {}, 'est un certificat'), (b'\x89PNG\r\n\x1a\n\x00', {}, 'savons lire'),
                (b'0\x80' + der, {}, 'savons lire'), (der + b'\x00', {}, 'savons lire'), (der[:-1], {}, 'savons lire'), (text.encode('utf-16'), {}, 'savons lire'),
                (b'0' * 20000, {}, 'trop gros')]:
            with self.subTest(octets[:20]):
                r = self.upload_request(b, page, octets, **fields)
                self.assertEqual(r.status, 422, r.text[:400])
                self.assertIn(message, r.text)
        # nothing of the key was kept or told
        self.assertNotIn(key.decode().split('\n')[1], self.s.log('idp1'))
        r = self.upload_request(b, page, b'0' * 200000)
        self.assertEqual((r.status, 'trop' in r.text, '<html' in r.text), (413, True, True), r.text[:300])
        for octets in (der, text.encode(), b'\xef\xbb\xbf' + text.replace('\n', '\r\n').encode()):
            r = self.upload_request(b, page, octets)
            self.assertEqual((r.status, r.headers['Location']), (303, url + '/issued'), r.text[:600])
        self.assertEqual(b.get(url + '/issued/certificat.pem').text.count('BEGIN CERTIFICATE'), 2)

    def test_the_test(self):
        """The page's button goes to the door and back: the account opens, and its holder is signed in. Another one's certificate opens
        nothing."""
        handle, codes, number, b, url = self.begin('essai')
        self.post_request(b, self.choose(b, url, 'unknown'), self.request_of('essai'))
        pem = b.get(url + '/issued/certificat.pem').text
        with open(self.s.path('essai.key')) as f:
            base = self.s.base('essai', f.read(), pem)
        other, _, _, b2, url2 = self.begin('autre')
        self.post_request(b2, self.choose(b2, url2, 'unknown'), self.request_of('autre'))
        with open(self.s.path('autre.key')) as f:
            theirs = self.s.base('autre', f.read(), b2.get(url2 + '/issued/certificat.pem').text)
        start = lambda: b.get(url + '/test').headers['Location']
        page = self.to_ticket(b, start(), theirs)
        self.assertEqual(page.status, 403)
        self.assertEqual((self.s.state(handle), self.s.state(other)), ('pending', 'pending'))
        page = self.to_ticket(b, start(), None)                         # prompt cancelled
        self.assertIn('aucun certificat', page.text)
        page = self.to_ticket(b, start(), base)
        self.assertEqual(page.status, 200, page.text[:600])
        self.assertIn('Votre certificat marche', page.text)
        self.assertIn('__Host-beffroi', b.cookies)
        self.assertEqual((self.s.state(handle), self.s.state(other)), ('active', 'pending'))
        self.s.wait(lambda: self.s.pki_states(number) == ['active'])

    def test_names_are_in_the_certificate_and_nowhere_else(self):
        """P-047: sent, sealed, in the certificate, erased; a cut file needs them once more."""
        name = 'Canari-Ngô'
        handle, codes, number, b, url = self.begin('nomme', profile='named', names={'given_name': 'Zoé', 'surname': name})
        self.download(b, self.choose(b, url, 'firefox'), cut=1500)
        self.not_sent(handle)
        page = self.choose(b, url, 'firefox')
        r = self.download(b, page)
        self.assertEqual(r.status, 200, r.text[:400])
        self.s.wait(lambda: self.s.state(handle) == 'active')
        base = self.s.unpack('nomme', r.body, self.phrase(page))
        subject = run('openssl', 'x509', '-noout', '-subject', '-nameopt', 'utf8', '-in', base + '.pem').stdout
        self.assertIn(name, subject)
        self.assertEqual(self.s.sql("SELECT names_sealed IS NULL FROM account_x509 x JOIN account a ON a.id = x.account_id "
                                    f"WHERE a.handle = '{handle}'"), 't')
        self.assertNotIn(name, self.dump())

    # --- what is kept of a key (A-26, L29) ---------------------------------------------------------------------------------

    def dump(self):
        host, port = os.environ['PGHOST'], os.environ.get('PGPORT', '5432')
        return ''.join(run('pg_dump', '-h', host, '-p', port, '--data-only', db).stdout for db in (self.s.db, self.s.authority.db))

    def test_nothing_of_the_key_is_kept(self):
        handle, codes, number, b, url = self.begin('cle')
        page = self.choose(b, url, 'firefox')
        r = self.download(b, page)
        self.s.wait(lambda: self.s.state(handle) == 'active')
        phrase, base = self.phrase(page), self.s.unpack('cle', r.body, self.phrase(page))
        text = run('openssl', 'pkey', '-in', base + '.key', '-noout', '-text').stdout
        private = bytes.fromhex(re.sub(r'[^0-9a-f]', '', re.search(r'priv:([^p]+)pub', text, re.S).group(1)))[-32:]
        forms = [private, private[::-1], private.hex().encode(), base64.b64encode(private)[:-2], phrase.encode()]
        dump = self.dump().encode()
        for form in forms:
            self.assertNotIn(form, dump)
        for name in os.listdir(self.s.dir):
            if name.startswith('cle'):
                continue
            if os.path.isfile(self.s.path(name)):
                with open(self.s.path(name), 'rb') as f:
                    self.assertNotIn(private, kept := f.read(), name)
                    self.assertNotIn(phrase.encode(), kept, name)
        # what a core would hold: all that the process may write to, read while it lives
        found = self.in_memory(self.s.processes['idp1'].pid, [private, private[::-1]])
        self.assertNotEqual(found, None, 'this test reads the memory of a process: it needs to be root')
        self.assertEqual(found, [False, False])
        # and the search finds what is there: the certificate's number went through its hands
        self.assertEqual(self.in_memory(self.s.processes['idp1'].pid, [self.s.url.encode()]), [True])

    @staticmethod
    def in_memory(pid, needles):
        """Which of them stand in the process's memory; None: not ours to read."""
        found = [False] * len(needles)
        try:
            mem = open(f'/proc/{pid}/mem', 'rb', 0)
        except PermissionError:
            return None
        with mem, open(f'/proc/{pid}/maps') as maps:
            for line in maps:
                span, rights, *rest = line.split()
                if not rights.startswith('rw') or '[vvar' in line:
                    continue
                start, end = (int(x, 16) for x in span.split('-'))
                if end - start > 1 << 31:      # a sanitizer's own accounts of memory, which hold none of its octets
                    continue
                last = b''
                while start < end:
                    try:
                        mem.seek(start)
                        data = mem.read(min(1 << 24, end - start))
                    except (OSError, ValueError, OverflowError):
                        break
                    if not data:
                        break
                    for i, n in enumerate(needles):
                        found[i] = found[i] or n in last + data
                    start, last = start + len(data), data[-256:]
        return found

    # --- K2: what becomes of the certificate ----------------------------------------------------------------------------------

    def test_blocked_by_the_paper(self):
        """P-055, P-056: the account at once, the certificate as its profile says (defer): revoked when nobody takes it back."""
        handle, codes, number, base = self.opened('perdu')
        b, page = self.sign_in(base)
        self.assertIn('id="logout"', page.text)
        self.block(codes)
        self.assertNotIn('id="logout"', b.get('/').text)                # the very next request
        _, page = self.sign_in(base)
        self.assertIn('compte est bloqué', page.text)
        self.s.wait(lambda: self.s.authority.sql("SELECT v.outcome FROM revocation_request v JOIN certificate c ON c.id = v.certificate_id "
                                                 "JOIN registration r ON r.id = c.registration_id "
                                                 f"WHERE r.holder = '{number}'") == 'deferred')
        self.assertEqual(self.s.pki_states(number), ['active'])
        # said to be stolen afterwards: revoked at once, and here it is known
        r = self.s.door('POST', f'/v1/accounts/{handle}/block', {'reason': 'stolen'})
        self.assertEqual(r.status, 200)
        self.s.wait(lambda: self.s.pki_states(number) == ['revoked'])
        self.s.wait_sql(f"SELECT c.state FROM credential_certificate c JOIN account a ON a.id = c.account_id WHERE a.handle = '{handle}'",
                        'revoked')

    def test_new_codes_make_a_new_certificate(self):
        """P-062: a software account that was blocked comes back with new codes, another key, and the old one is no good."""
        handle, codes, number, base = self.opened('retour')
        self.block(codes)
        key = secrets_token(24)
        r = self.s.door('POST', f'/v1/accounts/{handle}/reissue', {'what': 'all'}, key=key)
        self.assertEqual(r.status, 200, r.text)
        b, url = self.s.stage(self.s.unseal(r.json()['sealed'], key), 'retour@courriel.example')
        page = self.choose(b, url, 'firefox')
        file = self.download(b, page)
        self.assertEqual(file.status, 200, file.text[:400])
        self.s.wait(lambda: self.s.state(handle) == 'active')
        again = self.s.unpack('retour2', file.body, self.phrase(page))
        self.assertIn('id="logout"', self.sign_in(again)[1].text)
        _, page = self.sign_in(base)
        self.assertEqual(page.status, 403)
        self.s.wait(lambda: sorted(self.s.pki_states(number)) == ['active', 'revoked'])

    def test_closed(self):
        handle, codes, number, base = self.opened('fini')
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/close', {'reason': 'request'}).status, 200)
        self.s.wait(lambda: self.s.pki_states(number) == ['revoked'])

    def test_closed_by_error(self):
        """DOMAIN 2.1, 2.3: reopened, it gets new codes and another certificate under the same number; its names are sent again."""
        names = {'given_name': 'Zoé', 'surname': 'Rouvert'}
        handle, codes, number, base = self.opened('rouvert', profile='named', names=names)
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/close', {'reason': 'error'}).status, 200)
        self.s.wait(lambda: self.s.pki_states(number) == ['revoked'])
        reissue = lambda body, key: self.s.door('POST', f'/v1/accounts/{handle}/reissue', body, key=key)
        self.assertEqual(reissue({'what': 'all', 'names': names}, secrets_token(24)).json()['code'], 'account.state.closed')
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/reopen').json()['state'], 'suspended')
        self.assertIn('annulé', self.sign_in(base)[1].text)
        self.assertEqual(reissue({'what': 'all'}, secrets_token(24)).json()['code'], 'account.names')
        key = secrets_token(24)
        r = reissue({'what': 'all', 'names': names}, key)
        self.assertEqual((r.status, r.json()['state'], r.json()['number']), (200, 'pending', number), r.text)
        new = self.s.unseal(r.json()['sealed'], key)
        b = Browser(self.s)
        b.get('/blocage')
        self.assertIn('est plus valable', b.post('/blocage', {'code': codes['revocation'], 'do': 'block'}).text)
        b, url = self.s.stage(new, 'rouvert@courriel.example')
        page = self.choose(b, url, 'firefox')
        file = self.download(b, page)
        self.assertEqual(file.status, 200, file.text[:400])
        self.s.wait(lambda: self.s.state(handle) == 'active')
        again = self.s.unpack('rouvert2', file.body, self.phrase(page))
        self.assertIn('id="logout"', self.sign_in(again)[1].text)
        self.assertEqual(self.sign_in(base)[1].status, 403)
        self.s.wait(lambda: sorted(self.s.pki_states(number)) == ['active', 'revoked'])
        self.block(new)

    def test_revoked_at_the_authority(self):
        """Whoever revokes there: the sign-in hears of it within seconds, and what was signed in ends."""
        handle, codes, number, base = self.opened('ailleurs')
        b, page = self.sign_in(base)
        serial = run('openssl', 'x509', '-noout', '-serial', '-in', base + '.pem').stdout.strip().split('=')[1].lower()
        a = self.s.authority
        r = a.call('idp', 'POST', '/revocations', {'act': 'revoke', 'reason': 'key_compromise', 'ca': 'soft-g1', 'serial': serial,
                                                   'requester': 'station'}, headers=['Idempotency-Key: ' + secrets_token(16)])
        self.assertEqual(r.status, 200, r.body)
        self.s.wait(lambda: 'id="logout"' not in b.get('/').text)
        _, page = self.sign_in(base)
        self.assertEqual(page.status, 403)
        self.assertIn('annulé', page.text)

    def test_a_linked_one_is_followed_too(self):
        """A certificate of our authority that was not asked for here (a card, or one that the operator linked): active or revoked there,
        it is so here within seconds; a namesake's number changes nothing."""
        a, s = self.s.authority, self.s
        id, handle = str(uuid.uuid4()), s.citizen('lie', 'corail tambour 47 lune')[0]
        body = {'profile': 'citizen-soft-named', 'holder': 'h-' + id[:8], 'town': 'rivemont', 'support': 'software', 'proof': 'face_to_face',
                'proof_ref': 'pv-1', 'proof_at': '2026-01-02T10:00:00Z',
                'names': {'given_name': 'Zoé', 'surname': 'Lié', 'serial_number': id[:8]}}
        self.assertEqual(a.call('idp', 'PUT', f'/registrations/{id}', body).status, 201)
        pem = a.certificates(a.est('idp', 'simpleenroll', a.csr('lie', '/CN=x'), id))[0]
        with open(a.path('lie.key')) as f:
            base = s.base('lie', f.read(), pem)
        s.command('account', 'link-certificate', handle, base + '.pem')
        self.assertIn('id="logout"', self.sign_in(base)[1].text)
        serial = run('openssl', 'x509', '-noout', '-serial', '-in', base + '.pem').stdout.strip().split('=')[1].lower()
        other = s.citizen('namesake', 'corail tambour 47 lune')[0]
        s.sql("INSERT INTO credential_certificate (id, account_id, issuer, serial, spki_sha256, state, state_since, not_after, "
              f"linked_at) SELECT gen_random_uuid(), id, 'x', decode('{serial}', 'hex'), sha256('x'), 'active', now(), "
              f"now() + interval '1 year', now() FROM account WHERE handle = '{other}'")
        state = lambda h: s.sql("SELECT c.state FROM credential_certificate c JOIN account a ON a.id = c.account_id WHERE "
                                f"a.handle = '{h}'")
        s.sql(f"UPDATE credential_certificate c SET state = 'held' FROM account a WHERE a.id = c.account_id AND a.handle = '{handle}'")
        self.assertEqual(self.sign_in(base)[1].status, 403)
        self.assertEqual(a.call('idp', 'PUT', f'/certificates/{serial}/acceptance', {'proof_ref': 'pv-1'}).status, 200)
        s.wait(lambda: state(handle) == 'active')           # as the authority has it
        b, page = self.sign_in(base)
        self.assertIn('id="logout"', page.text)
        r = a.call('idp', 'POST', '/revocations', {'act': 'revoke', 'reason': 'key_compromise', 'ca': 'soft-g1', 'serial': serial,
                                                   'requester': 'station'}, headers=['Idempotency-Key: ' + secrets_token(16)])
        self.assertEqual(r.status, 200, r.body)
        s.wait(lambda: state(handle) == 'revoked')
        self.assertNotIn('id="logout"', b.get('/').text)
        page = self.sign_in(base)[1]
        self.assertEqual(page.status, 403)
        self.assertIn('annulé', page.text)
        self.assertEqual(state(other), 'active')

    def test_no_number_of_another_authority_reaches_ours(self):
        """A certificate of another authority with a serial number of ours: its holder's block does not revoke ours (T-22)."""
        handle, codes, number, base = self.opened('victime')
        serial = run('openssl', 'x509', '-noout', '-serial', '-in', base + '.pem').stdout.strip().split('=')[1].lower()
        other, theirs, other_number, _ = self.opened('attaquant')
        self.s.sql("INSERT INTO credential_certificate (id, account_id, issuer, serial, spki_sha256, state, state_since, not_after, "
                   f"linked_at) SELECT gen_random_uuid(), id, 'x', decode('{serial}', 'hex'), sha256('x'), 'active', now(), "
                   f"now() + interval '1 year', now() FROM account WHERE handle = '{other}'")
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{other}/block', {'reason': 'stolen'}).status, 200)
        self.s.wait(lambda: self.s.pki_states(other_number) == ['revoked'])
        self.s.wait_sql("SELECT count(*) FROM job WHERE kind = 'account.certificates' AND state <> 'done'", '0')
        self.assertEqual(self.s.pki_states(number), ['active'])

    def test_the_library_is_the_pinned_one(self):
        folder = os.path.join(TOP, 'templates', 'assets', 'vendor')
        p = subprocess.run(['sha256sum', '-c', '--strict', 'SHA256SUMS'], cwd=folder, capture_output=True)
        self.assertEqual(p.returncode, 0, p.stdout)


class CardIssuing(CardSystem, IssuingSystem):
    """Cards are asked for by a station of card operations; the provider may revoke them."""
    profiles = ['citizen-soft', 'citizen-card', 'citizen-card-local']

    def prepare(self):
        self.authority.station('perso', ['citizen-card', 'citizen-card-local'])
        super().prepare()
        self.command('trust', 'add', self.authority.path('cards-ca.pem'), '--name', 'cards', '--use', 'card', '--own')

    def advance(self, by):
        self.command('clock', '--advance', by)
        self.authority.clock(by)


class CardAuthority(Authority):
    issuing = ('servers', 'soft', 'cards')


class Cards(Base):
    """K2 with cards and the real authority: what becomes of a certificate when its account is blocked and comes back."""

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.s = cls.stack.enter_context(CardIssuing(cls.stack.enter_context(CardAuthority())))
        cls.n = 0

    # --- what a test is made of ----------------------------------------------------------------------------------------
    def now(self):
        offset = self.s.command('clock').stdout.strip()
        return datetime.datetime.fromisoformat(offset.replace('Z', '+00:00')) - datetime.timedelta(minutes=1)

    def card(self, handle, number, profile, registration=None):
        """Made and linked; (registration, its files)."""
        type(self).n += 1
        a, name = self.s.authority, f'card{self.n}'
        proof = {'proof': 'face_to_face', 'proof_ref': f'pv-{self.n}', 'proof_at': self.now().strftime('%Y-%m-%dT%H:%M:%SZ'),
                 'names': {'number': number}}
        if registration:
            r = a.call('perso', 'PUT', f'/registrations/{registration}/identification', proof)
        else:
            registration = str(uuid.uuid4())
            r = a.call('perso', 'PUT', f'/registrations/{registration}',
                       {'profile': profile, 'holder': number, 'town': 'rivemont', 'support': 'card', **proof})
        self.assertIn(r.status, (200, 201), r.body)
        r = a.est('perso', 'simpleenroll', a.csr(name), registration)
        self.assertEqual(r.status, 200, r.body)
        with open(a.path(name + '.key')) as f:
            pem = a.certificates(r)[0]
            base = self.s.base(name, f.read(), pem[pem.index('-----BEGIN'):])
        self.s.command('account', 'link-certificate', handle, base + '.pem')
        return registration, base

    def der(self, base):
        with open(base + '.pem') as f:
            return base64.b64encode(ssl.PEM_cert_to_DER_cert(f.read())).decode()

    def handed_over(self, profile):
        key, handle = secrets_token(24), secrets_token(24)
        r = self.s.door('POST', '/v1/accounts', {'type': 'x509_card', 'handle': handle, 'card': CARD}, key=key)
        self.assertEqual(r.status, 201, r.text)
        self.s.door('POST', f'/v1/accounts/{handle}/ack')
        number, codes = r.json()['number'], self.s.unseal(r.json()['sealed'], key)
        registration, base = self.card(handle, number, profile)
        r = self.s.door('POST', f'/v1/accounts/{handle}/activate', {'certificate': self.der(base)}, headers=LEA)
        self.assertEqual(r.status, 200, r.text)
        self.assertIn('id="logout"', self.sign_in(base)[1].text)
        return handle, number, codes, registration, base

    def back(self, handle, codes, base):
        key = secrets_token(24)
        r = self.s.door('POST', f'/v1/accounts/{handle}/reactivate', {'otp': codes['reactivation_otp'], 'pin': codes['reactivation_pin'],
                        'certificate': self.der(base)}, key=key, headers=LEA)
        return r, self.s.unseal(r.json()['sealed'], key) if r.status == 200 else None

    def outcomes(self, number):
        return self.s.authority.sql("SELECT coalesce(string_agg(v.act || ' ' || v.outcome, ',' ORDER BY v.received_at, v.act DESC), '') FROM "
                                    "revocation_request v JOIN certificate c ON c.id = v.certificate_id JOIN registration r ON r.id = "
                                    f"c.registration_id WHERE r.holder = '{number}' AND v.requester = 'holder'")

    def here(self, handle):
        """The states of an account's certificates at the provider, oldest first."""
        return self.s.sql("SELECT string_agg(c.state, ' ' ORDER BY c.linked_at) FROM credential_certificate c JOIN account a ON a.id = "
                          f"c.account_id WHERE a.handle = '{handle}'").split()

    # --- the policies --------------------------------------------------------------------------------------------------
    def test_hold(self):
        """Held at once; back at the counter; two of the authority let it go, and the provider hears of it."""
        handle, number, codes, _, base = self.handed_over('citizen-card-local')
        self.block(codes)
        self.s.wait(lambda: self.s.pki_states(number) == ['held'] and self.here(handle) == ['held'])
        r, new = self.back(handle, codes, base)
        self.assertEqual((r.status, r.json()['state']), (200, 'active'), r.text)
        self.s.wait_sql("SELECT max(tries) > 0 FROM job WHERE kind = 'account.certificates' AND key LIKE '% resume %' AND state <> 'done'", 't')
        self.assertEqual((self.s.pki_states(number), self.here(handle)), (['held'], ['held']))
        self.assertEqual(self.sign_in(base)[1].status, 403)
        a = self.s.authority
        serial = run('openssl', 'x509', '-noout', '-serial', '-in', base + '.pem').stdout.strip().split('=')[1].lower()
        for who in APPROVERS:
            run(a.bin, 'resume', '--config', a.path('operator.conf'), '--ca', 'cards-g1', '--serial', serial, '--key',
                a.path('root', 'persons', who + '.key'), '--answers', a.write('answers', f'phrase = key phrase of {who}\n'), check=False)
        self.s.wait(lambda: self.s.pki_states(number) == ['active'])
        self.s.wait(lambda: self.here(handle) == ['active'])
        self.s.wait(lambda: 'id="logout"' in self.sign_in(base)[1].text)
        # a second cycle, with the new codes
        self.block(new)
        self.s.wait(lambda: self.here(handle) == ['held'])
        self.assertEqual(self.back(handle, codes, base)[0].json()['code'], 'secret.superseded')
        self.assertEqual(self.back(handle, new, base)[0].status, 200)

    def test_zz_defer(self):
        """Found within 24 hours it was never revoked; later it is, and another card takes its place. Last: the clock is moved."""
        soon, soon_number, soon_codes, _, soon_base = self.handed_over('citizen-card')
        late, late_number, late_codes, registration, late_base = self.handed_over('citizen-card')
        shut, shut_number, shut_codes, shut_registration, shut_base = self.handed_over('citizen-card')
        for codes, number in ((soon_codes, soon_number), (late_codes, late_number)):
            self.block(codes)
            self.s.wait(lambda: self.outcomes(number) == 'suspend deferred')
        self.s.advance('23h')
        r, new = self.back(soon, soon_codes, soon_base)
        self.assertEqual(r.status, 200, r.text)
        self.s.wait(lambda: self.outcomes(soon_number) == 'suspend deferred,resume withdrawn')
        self.s.advance('2h')
        self.s.wait(lambda: self.s.pki_states(late_number) == ['revoked'])
        self.s.wait(lambda: self.here(late) == ['revoked'])
        self.assertEqual((self.s.pki_states(soon_number)[0] in ('issued', 'active'), self.here(soon)), (True, ['active']))
        self.assertIn('id="logout"', self.sign_in(soon_base)[1].text)
        r, _ = self.back(late, late_codes, late_base)
        self.assertEqual((r.status, r.json()['code']), (409, 'certificate.rekey'))
        _, fresh = self.card(late, late_number, 'citizen-card', registration)
        r, _ = self.back(late, late_codes, fresh)
        self.assertEqual((r.status, r.json()['state']), (200, 'active'), r.text)
        self.assertIn('id="logout"', self.sign_in(fresh)[1].text)
        self.assertEqual(self.sign_in(late_base)[1].status, 403)
        self.s.wait_sql(f"SELECT count(*) FROM job j JOIN account a ON a.handle = '{late}' WHERE j.kind = 'account.certificates' AND "
                        "split_part(j.key, ' ', 1) = a.id::text AND j.state <> 'done'", '0')
        self.assertEqual(sorted(self.s.pki_states(late_number))[-1], 'revoked')
        self.assertIn('id="logout"', self.sign_in(fresh)[1].text, 'the new one went with the old one')
        self.reopened(shut, shut_number, shut_codes, shut_registration, shut_base)

    def reopened(self, handle, number, codes, registration, base):
        """DOMAIN 2.1, 2.3: closed by error: revoked for good; another card under the same account and number."""
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/close', {'reason': 'error'}).status, 200)
        self.s.wait(lambda: self.s.pki_states(number) == ['revoked'] and self.here(handle) == ['revoked'])
        again = lambda body, key=None: self.s.door('POST', f'/v1/accounts/{handle}/reissue', body, key=key or secrets_token(24))
        self.assertEqual(again({'what': 'all'}).json()['code'], 'account.state.closed')
        self.assertEqual(again({'what': 'all', 'card': CARD}).json()['code'], 'account.card')       # of a reopened one only
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/reopen').json()['state'], 'suspended')
        self.assertEqual(self.back(handle, codes, base)[0].json()['code'], 'certificate.rekey')
        self.assertEqual((r := again({'what': 'all'})).json()['code'], 'account.card', r.text)
        key = secrets_token(24)
        r = again({'what': 'all', 'card': CARD}, key)
        self.assertEqual((r.status, r.json()['state'], r.json()['number']), (200, 'suspended', number), r.text)
        self.assertEqual(again({'what': 'all', 'card': CARD}, key).json()['sealed'], r.json()['sealed'])       # the lost answer
        self.assertEqual(again({'what': 'all', 'card': CARD}).json()['code'], 'account.card')                    # one at a time
        new = self.s.unseal(r.json()['sealed'], key)
        self.assertEqual(set(new), {'revocation', 'reactivation_otp', 'reactivation_pin'})
        record = self.s.record(handle)
        self.assertEqual((record['reactivation_pin'], record['revocation'], record['number']),
                         (new['reactivation_pin'], new['revocation'], number))
        _, fresh = self.card(handle, number, 'citizen-card', registration)
        self.assertEqual(self.back(handle, codes, fresh)[0].status, 403)
        r, newer = self.back(handle, new, fresh)
        self.assertEqual((r.status, r.json()['state']), (200, 'active'), r.text)
        self.assertIn('id="logout"', self.sign_in(fresh)[1].text)
        self.assertEqual(self.sign_in(base)[1].status, 403)
        # a blocked card that was not reopened gets no other one this way
        self.block(newer)
        self.assertEqual(again({'what': 'all', 'card': CARD}).json()['code'], 'account.card')
        self.assertEqual(again({'what': 'all'}).json()['code'], 'account.state.suspended')


class QuarterAuthority(Authority):
    """Software certificates of 90 days: near their end the certificates of stations and servers are still good."""

    def profiles(self):
        folder = self.path('profiles')
        if not os.path.isdir(folder):
            shutil.copytree(super().profiles(), folder)
            with open(os.path.join(folder, 'citizen-soft.profile')) as f:
                text = f.read()
            assert 'life = 3y\n' in text
            with open(os.path.join(folder, 'citizen-soft.profile'), 'w') as f:
                f.write(text.replace('life = 3y\n', 'life = 90d\n'))
        return folder


class QuarterSystem(IssuingSystem):
    def issue(self, name, extension='extendedKeyUsage=clientAuth', days='900'):
        super().issue(name, extension, days)       # the clock is moved


class Renewal(Base):
    """DOMAIN 2.3, P-117: from the citizen's own page in the last 60 days, and the mails that say so."""

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.s = cls.stack.enter_context(QuarterSystem(cls.stack.enter_context(QuarterAuthority())))

    def advance(self, by):
        self.s.command('clock', '--advance', by)
        self.s.authority.clock(by)

    def opened(self, name, **fields):
        handle, codes, number, b, url = self.begin(name)
        page = self.choose(b, url, 'firefox', **fields)
        r = self.download(b, page)
        self.assertEqual(r.status, 200, r.text[:400])
        self.s.wait(lambda: self.s.state(handle) == 'active')
        return handle, number, self.s.unpack(name, r.body, self.phrase(page))

    def page_of(self, base):
        """Signed in, on the page of one's own; what the authority told last counts again after a jump of the clock."""
        got = []
        self.s.wait(lambda: got.append(self.sign_in(base)) or 'id="logout"' in got[-1][1].text)
        b, page = got[-1]
        self.assertIn('id="renew-certificate" href="/ma-page/certificat"', page.text)
        return b

    def told(self, name):
        """How many mails said to them that their certificate ends."""
        return sum(f'{name}@courriel.example' in to and '/ma-page/certificat' in m.get_content() and 'finit le' in m.get_content()
                   for to, m in list(self.s.sink.messages))

    def key_of(self, base):
        return run('openssl', 'x509', '-noout', '-pubkey', '-in', base + '.pem').stdout

    def test_renewal(self):
        keeps = {'keep_mail': '1'}
        handle, number, base = self.opened('renouveau', **keeps)
        _, other_number, other = self.opened('demandeur', **keeps)
        self.opened('distrait', **keeps)
        self.opened('muet')
        b = self.page_of(base)
        early = self.download(b, self.choose(b, '/ma-page/certificat', 'firefox'))
        self.assertEqual(early.status, 409)
        self.assertIn('trop tôt', early.text)
        self.assertEqual(len(self.s.pki_states(number)), 1)
        self.advance('35d')                                             # 55 days are left
        b = self.page_of(base)
        page = self.choose(b, '/ma-page/certificat', 'firefox')
        r = self.download(b, page)
        self.assertEqual((r.status, r.headers['Content-Type']), (200, 'application/x-pkcs12'), r.text[:400])
        fresh = self.s.unpack('renouveau2', r.body, self.phrase(page))
        self.s.wait(lambda: self.s.pki_states(number) == ['active', 'active'])
        self.assertNotEqual(self.key_of(base), self.key_of(fresh))
        self.assertEqual(*(run('openssl', 'x509', '-noout', '-subject', '-in', x + '.pem').stdout for x in (base, fresh)))
        self.assertEqual(self.s.state(handle), 'active')
        for which in (base, fresh):                                     # the old one lives until its own end
            self.assertIn('id="logout"', self.sign_in(which)[1].text)
        again = self.download(b, page)
        self.assertIn(again.status, (409, 410), again.text[:300])      # the second click makes no third one
        self.assertEqual(len(self.s.pki_states(number)), 2)
        self.assertEqual([self.told(n) for n in ('renouveau', 'demandeur', 'distrait', 'muet')], [0, 0, 0, 0])

        self.advance('26d')                                             # 29 are left
        self.s.wait(lambda: self.told('demandeur') == 1 and self.told('distrait') == 1)
        self.assertEqual([self.told(n) for n in ('renouveau', 'muet')], [0, 0])
        # by a request of one's own: it says the name of the certificate that it follows (RFC 7030 4.2.2)
        b = self.page_of(other)
        page = self.choose(b, '/ma-page/certificat', 'unknown')
        r = self.post_request(b, page, self.request_of('autre-nom', '/CN=moi'))
        self.assertEqual(r.status, 422, r.text[:300])
        self.assertIn('Le nom dans la demande', r.text)
        run('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', self.s.path('suite.key'))
        run('openssl', 'x509', '-x509toreq', '-in', other + '.pem', '-signkey', self.s.path('suite.key'), '-out', self.s.path('suite.csr'))
        with open(self.s.path('suite.csr')) as f:
            text = f.read()
        r = self.post_request(b, page, text[text.index('-----BEGIN'):])
        self.assertEqual(r.status, 303, r.text[:600])
        pem = b.get('/ma-page/certificat/issued/certificat.pem').text
        with open(self.s.path('suite.key')) as f:
            next_ = self.s.base('suite', f.read(), pem)
        self.assertEqual(self.sign_in(next_)[1].status, 403)            # issued is not delivered
        issued = b.get('/ma-page/certificat/issued')
        self.assertEqual(b.post('/ma-page/certificat/done', {'csrf': b.csrf(issued), 'do': 'done'}).status, 200)
        self.assertIn('id="logout"', self.sign_in(next_)[1].text)

        self.advance('23d')                                             # 6 are left: whoever has a later one hears nothing
        self.s.wait(lambda: self.told('distrait') == 2)
        self.assertEqual([self.told(n) for n in ('renouveau', 'demandeur', 'muet')], [0, 1, 0])
        self.advance('7d')                                              # over
        for old, new in ((base, fresh), (other, next_)):
            self.page_of(new)
            page = self.sign_in(old)[1]
            self.assertEqual(page.status, 403)
            self.assertIn('sa date est passée', page.text)
        self.assertEqual(self.told('distrait'), 2)


# What Issuing tests is tested there.
for cls in (Cards, Renewal):
    for name in [n for n in vars(Issuing) if n.startswith('test_')]:
        setattr(cls, name, None)


class Away(unittest.TestCase):
    """The authority is not there, or cannot sign."""

    def test_away(self):
        with issuing() as s:
            t = Issuing()
            t.s = s
            handle, codes, number, base = t.opened('absence')
            waiting, _, wnumber, b, url = t.begin('attente')
            page = t.choose(b, url, 'firefox')
            s.authority.stop('front')
            action, fields = t.form(page, 'file')
            r = b.post(action, fields)
            self.assertEqual((r.status, r.headers['Retry-After']), (503, '60'))
            self.assertIn('Rien n', r.text)
            # blocked here at once, there when it is back
            lost, lcodes = handle, codes
            self.assertIn('id="logout"', t.sign_in(base)[1].text)       # what it told last counts …
            s.wait(lambda: s.sql('SELECT problem <> \'\' FROM authority_state') == 't')
            doctor = s.command('doctor', check=False).stdout
            self.assertRegex(doctor, '(?i)authority.*does not answer us')
            s.command('clock', '--advance', '73h')
            _, page = t.sign_in(base)                                   # … and not for ever
            self.assertEqual(page.status, 503)
            self.assertIn('vérifier ce certificat', page.text)
            t.block(lcodes)
            s.authority.start('front')
            s.wait(lambda: s.authority.sql("SELECT count(*) FROM revocation_request WHERE outcome = 'deferred'") == '1')
            s.wait_sql("SELECT problem = '' FROM authority_state", 't')
            t.doCleanups()

    def test_locked(self):
        """The signer is locked: said so; once it is open, the same request gives its certificate."""
        with issuing() as s:
            t = Issuing()
            t.s = s
            handle, codes, number, b, url = t.begin('verrou')
            page, text = t.choose(b, url, 'unknown'), t.request_of('verrou')
            s.authority.lock()
            self.assertEqual(t.post_request(b, page, text).status, 503)
            s.authority.unlock()
            s.wait(lambda: t.post_request(b, page, text).status == 303)
            self.assertEqual(b.get(url + '/issued').status, 200)
            t.doCleanups()


if __name__ == '__main__':
    unittest.main(defaultTest=['Issuing', 'Away'])         # Cards and Renewal are run beside them: tests/CMakeLists.txt
