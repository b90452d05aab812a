"""The certificate door in other hands: time, settings, and proxies that make the handshakes (RFC 9440, nginx, HAProxy)."""
from certificates import *


class Clock(Base):
    """What time does to tickets, lists and certificates."""

    def advance(self, span):
        self.s.command('clock', '--advance', span)

    def overdue(self):
        return 'list overdue' in next(l for l in self.s.command('trust', 'list').stdout.splitlines() if l.startswith('soft\t'))

    def test_late_overdue_expired(self):
        handle, _, base = self.person('horloge')
        b = Browser(self.s)
        ticket = self.knock(b, base)
        self.advance('59s')
        self.assertEqual(b.get(ticket).status, 303)
        b = Browser(self.s)
        ticket = self.knock(b, base)
        self.advance('61s')
        page = b.get(ticket)
        self.assertEqual(page.status, 410)
        self.assertIn('trop attendu', page.text)
        # The list ends in 24 h; the authority serves no newer one: refused, with words, and told to the operator.
        self.advance('23h')
        self.assertEqual(self.sign_in(base)[1].status, 200)
        self.advance('1h')
        page = self.refused(base, 'vérifier ce certificat', 503)
        self.assertIn('la liste qui le dit nous manque', page.text)
        self.assertTrue(self.overdue())
        self.assertRegex(self.s.command('doctor', check=False).stdout, r'fail  trust +soft http\S+: list overdue')
        end = time.monotonic() + 30
        while 'trust.crl_overdue' not in self.s.log('worker') and time.monotonic() < end:
            time.sleep(0.1)
        self.assertIn('trust.crl_overdue', self.s.log('worker'))
        # A newer one is fetched by itself.
        self.lists.files['/soft'] = self.soft.crl(hours=24 * 90)
        self.advance('6min')
        end = time.monotonic() + 30
        while self.overdue() and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(self.sign_in(base)[1].status, 200)
        # The certificate itself ends; its holder sees who came with it.
        self.advance('31d')
        self.refused(base, 'date est passée')
        self.assertEqual(self.s.sql("SELECT string_agg(DISTINCT result, ' ' ORDER BY result) FROM authn_event v JOIN account a "
                                    f"ON a.id = v.account_id WHERE a.handle = '{handle}' AND method = 2"), 'expired ok status')
        # Tickets that were used are forgotten.
        self.assertIn('purge-tickets', self.s.command('purge', '--dry-run').stdout)
        end = time.monotonic() + 90
        while self.s.sql('SELECT count(*) FROM certificate_ticket WHERE expires_at < now()') != '0' and time.monotonic() < end:
            time.sleep(0.2)
        self.assertEqual(self.s.sql("SELECT count(*) FROM certificate_ticket WHERE expires_at < now()"), '0')


class GraceSystem(CertificateSystem):
    door_lines = ('trust.crl.grace = 2d', 'cert.fresh_names = yes')

    def __init__(self):
        super().__init__(nodes=1)


class Grace(Clock):
    """An operator who goes on for two days, and has a wildcard name."""
    system = GraceSystem
    test_late_overdue_expired = None

    def to_door(self, b, path='/login'):
        page = b.follow(b.get(path))
        b.flow = b.at
        r = b.get(b.flow + '/certificate')
        self.host = urllib.parse.urlsplit(r.headers['Location']).hostname
        return r.headers['Location']

    def test_grace_and_fresh_names(self):
        _, _, base = self.person('sursis')
        hosts = set()
        for _ in range(3):
            self.assertEqual(self.sign_in(base)[1].status, 200)
            hosts.add(self.host)
            self.assertRegex(self.host, r'^[a-z2-7]{13}\.certificat\.beffroi\.localhost$')
        self.assertEqual(len(hosts), 3)
        page = self.refused(None, 'aucun certificat')
        self.assertNotIn('fermez toutes', page.text)                   # the next name asks again
        self.advance('25h')
        self.assertEqual(self.sign_in(base)[1].status, 200)
        self.assertTrue(self.overdue())
        self.advance('48h')
        self.refused(base, 'vérifier ce certificat', 503)


class OneNode(CertificateSystem):
    def __init__(self):
        super().__init__(nodes=1)


class Dates(Clock):
    """An authority that ends before its certificates, and one whose clock is ahead of ours."""
    system = OneNode
    test_late_overdue_expired = None

    def test_ends_and_beginnings(self):
        short = Authority(self.s.dir, 'Finissante', days='2')
        self.lists.files['/finissante'] = short.crl(hours=24 * 90)
        self.s.command('trust', 'add', short.pem, '--name', 'finissante', '--use', 'card', '--crl', f'{self.lists.url}/finissante')
        _, _, card = self.person('fin', short)
        _, _, soft = self.person('debut')
        handle, _ = self.s.citizen('avance', PASSWORD)
        ahead = self.soft.issue_at('avance', date(3 / 24), date(30))
        # not linked before it begins, and no sign-in, however little is missing
        p = self.s.command('account', 'link-certificate', handle, ahead + '.pem', check=False)
        self.assertEqual((p.returncode, 'refused (future)' in p.stderr), (1, True), p.stderr)
        self.refused(ahead, 'pas encore valable')
        self.assertEqual(self.sign_in(card)[1].status, 200)
        self.advance('4h')
        self.s.command('account', 'link-certificate', handle, ahead + '.pem')
        self.assertEqual(self.sign_in(ahead)[1].status, 200)
        # the card goes on for a month, its authority does not
        self.lists.files['/soft'] = self.soft.crl(hours=24 * 90)
        self.advance('45h')
        self.refused(card, 'plus reconnu')
        self.assertIn('authority expired', next(l for l in self.s.command('trust', 'list').stdout.splitlines() if l.startswith('finissante\t')))
        self.assertIn('authority expired', self.s.command('doctor', check=False).stdout)
        end = time.monotonic() + 30
        while self.overdue() and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(self.sign_in(soft)[1].status, 200)


class TwoNamesSystem(CertificateSystem):
    """Cards have a name of their own, and each attempt one below it."""
    card_host = 'carte.beffroi.localhost'
    door_lines = ('cert.fresh_names = yes',)

    def __init__(self):
        super().__init__(nodes=1)

    def certificates(self):
        super().certificates()
        self.server_certificate()
        self.door_lines = (*self.door_lines, f'cert.card.url = https://{self.card_host}:{self.cert_ports[0]}')


    def server_certificate(self):
        self.issue('cert-server', 'subjectAltName=' + ','.join(f'DNS:{h},DNS:*.{h}' for h in (self.cert_host, self.card_host)))


class TwoNames(Base):
    """carte. and certificat.: each handshake asks for its own kind."""
    system = TwoNamesSystem

    def asked(self, name):
        """The authorities whose names a handshake for this host carries."""
        out = run('openssl', 's_client', '-connect', f'127.0.0.1:{self.s.cert_ports[0]}', *(['-servername', name] if name else ['-noservername']),
                  '-CAfile', self.s.path('ca.pem'), stdin='').stdout
        return [n for n in ('Certificats logiciels', 'Cartes', 'Autres cartes') if f'CN = {n}\n' in out]

    def served(self, name):
        """The server's certificate for this name."""
        out = run('openssl', 's_client', '-connect', f'127.0.0.1:{self.s.cert_ports[0]}', '-servername', name, stdin='', check=False).stdout
        return out.split('-----BEGIN CERTIFICATE-----')[1].split('-----END')[0]

    def to_door(self, b, path='/login', door='certificate'):
        page = b.follow(b.get(path))
        b.flow = b.at
        href = re.search(rf'id="door-{door}" href="([^"]+)"', page.text).group(1).replace('&amp;', '&')
        return b.get(href).headers['Location']

    def visit(self, base, door, path='/login'):
        """Through this door: its host name, and the page that the person ends on."""
        b = Browser(self.s)
        at = self.to_door(b, path, door)
        return urllib.parse.urlsplit(at).hostname, b.follow(b.get(self.s.knock(at, base).headers['Location'])), b

    def test_each_name_asks_for_its_own_kind(self):
        soft, card = ['Certificats logiciels'], ['Cartes']
        for host, kind in ((self.s.cert_host, soft), (self.s.card_host, card)):
            for name in (host, 'abc.' + host, host.upper()):
                self.assertEqual(self.asked(name), kind, name)
        # every other name, and none, as with one name: both kinds
        for name in (None, 'localhost', 'x' + self.s.card_host, 'beffroi.localhost', 'x' * 63 + '.example'):
            self.assertEqual(self.asked(name), soft + card, name)
        # an authority that is added, and one that is taken away, are in the names of its kind within seconds
        other = Authority(self.s.dir, 'Autres cartes')
        self.trust('autres', other, 'card')
        for present, want in ((True, card + ['Autres cartes']), (False, card)):
            if not present:
                self.s.command('trust', 'remove', 'autres')
            end = time.monotonic() + 30
            while self.asked(self.s.card_host) != want and time.monotonic() < end:
                time.sleep(0.2)
            self.assertEqual(self.asked(self.s.card_host), want)
            self.assertEqual(self.asked(self.s.cert_host), soft)
        # a server certificate that is read again is every name's
        before = self.served(self.s.card_host)
        self.s.server_certificate()
        self.s.processes['idp1'].send_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        while self.served(self.s.card_host) == before and time.monotonic() < end:
            time.sleep(0.1)
        self.assertNotEqual(self.served(self.s.card_host), before)
        self.assertEqual({self.served(h) for h in (self.s.card_host, self.s.cert_host, 'localhost')}, {self.served(self.s.card_host)})
        self.assertEqual((self.asked(self.s.card_host), self.asked(self.s.cert_host)), (card, soft))

    def test_each_door_leads_to_its_name_and_back(self):
        _, _, soft = self.person('deux-noms')
        _, _, card = self.person('deux-noms-carte', self.card)
        for base, door, host, acr in ((soft, 'certificate', self.s.cert_host, SOFT), (card, 'card', self.s.card_host, CARD)):
            at, reply, _ = self.visit(base, door, self.url())
            self.assertRegex(at, r'^[a-z2-7]{13}\.' + re.escape(host) + '$')
            self.assertEqual(self.id_token(reply)['acr'], acr)
        # the authority says what it is, not the door it came by
        self.assertEqual(self.id_token(self.visit(soft, 'card', self.url())[1])['acr'], SOFT)
        # another try goes by the same door
        for door, host in (('certificate', self.s.cert_host), ('card', self.s.card_host)):
            _, page, b = self.visit(None, door)
            self.assertEqual(page.status, 403)
            again = re.search(r'id="again" href="([^"]+)"', page.text)
            at = b.get(again.group(1).replace('&amp;', '&')).headers['Location']
            self.assertTrue(urllib.parse.urlsplit(at).hostname.endswith('.' + host), at)
        # a service that wants a card is told so, and the next try is at the card's door
        _, page, b = self.visit(soft, 'card', self.url(acr_values=CARD))
        self.assertIn('demande une carte', page.text)
        self.assertIn('/certificate?door=card', page.text)


class ProxySystem(CertificateSystem):
    cert_tls = False
    style = 'rfc9440'

    def __init__(self):
        super().__init__(nodes=1)
        self.door_lines = (f'cert.proxy = {self.style}', 'proxy.trusted = 127.0.0.1')


def der(pem):
    return subprocess.run(['openssl', 'x509', '-in', pem, '-outform', 'DER'], capture_output=True, check=True).stdout


class Proxy(Base):
    """Behind a proxy that makes the handshakes: RFC 9440."""
    system = ProxySystem

    def headers(self, leaf, others=()):
        sf = lambda b: ':' + base64.b64encode(b).decode() + ':'
        return {'Client-Cert': sf(der(leaf)), **({'Client-Cert-Chain': ', '.join(sf(der(o)) for o in others)} if others else {})}

    BAD = [{'Client-Cert': 'x'}, {'Client-Cert': '::'}, {'Client-Cert': ':!!!!:'}, {'Client-Cert': ':MAA=:'},
           {'Client-Cert-Chain': ':MAA=:'}, {'Client-Cert': ':' + 'A' * 30000 + ':'}]

    def visit(self, headers, path='/login', **kw):
        b = Browser(self.s)
        door = self.to_door(b, path)
        return b, b.follow(b.get(self.s.knock(door, headers=headers, **kw).headers['Location']))

    def test_certificates_of_a_trusted_proxy(self):
        _, _, base = self.person('mandataire')
        below = Authority(self.s.dir, 'Dessous', above=self.soft)
        self.lists.files['/dessous'] = below.crl()
        good = self.headers(base + '.pem', [self.soft.pem])
        b, page = self.visit(good)
        self.assertEqual(page.status, 200)
        self.assertIn('__Host-beffroi', b.cookies)
        b, reply = self.visit(self.headers(base + '.pem'), self.url())
        self.assertEqual(self.id_token(reply)['acr'], SOFT)
        self.assertIn('aucun certificat', self.visit({})[1].text)
        self.assertIn('organisme reconnu', self.visit(self.headers(Authority(self.s.dir, 'Loin').issue('loin') + '.pem'))[1].text)
        for bad in self.BAD:
            b, page = self.visit(bad)
            self.assertEqual(page.status, 403, bad)
            self.assertIn('ne peut pas être lu', page.text)
            self.assertNotIn('__Host-beffroi', b.cookies)

    def test_spoofing(self):
        _, _, base = self.person('faussaire')
        good = self.headers(base + '.pem')
        name, value = next(iter(good.items()))
        # from an address that nobody named: not looked at
        b, page = self.visit(good, source=('127.0.0.2', 0))
        self.assertEqual(page.status, 403)
        self.assertNotIn('__Host-beffroi', b.cookies)
        # twice: one of them is the visitor's
        b = Browser(self.s)
        u = urllib.parse.urlsplit(self.to_door(b))
        c = http.client.HTTPConnection('127.0.0.1', self.s.cert_ports[0], timeout=30)
        c.putrequest('GET', u.path + '?' + u.query, skip_host=True)
        for k, v in (('Host', u.netloc), (name, value), (name.lower(), value)):
            c.putheader(k, v)
        c.endheaders()
        page = b.get(c.getresponse().headers['Location'])
        c.close()
        self.assertEqual(page.status, 403)
        self.assertIn('ne peut pas être lu', page.text)
        self.assertIn('certificate.spoofed', self.s.log('idp1'))
        # the headers of other products are not this one's
        for others in ('Client-Cert', 'X-SSL-Client-Cert', 'X-Client-Cert', 'SSL-Client-Cert', 'X-SSL-Cert'):
            if others != name:
                self.assertIn('aucun certificat', self.visit({others: value})[1].text)
        # and on the main host they mean nothing
        self.assertNotIn('logout', Browser(self.s).get('/', headers=good).text)
        self.assertEqual(self.visit(good)[1].status, 200)


class NginxSystem(ProxySystem):
    style = 'nginx'


class Nginx(Proxy):
    """nginx: X-SSL-Client-Cert = $ssl_client_escaped_cert."""
    system = NginxSystem

    def headers(self, leaf, others=()):
        pem = run('openssl', 'x509', '-in', leaf).stdout
        return {'X-SSL-Client-Cert': urllib.parse.quote(pem, safe='')}

    BAD = [{'X-SSL-Client-Cert': 'x'}, {'X-SSL-Client-Cert': '%zz'}, {'X-SSL-Client-Cert': '-----BEGIN%20CERTIFICATE-----%0AMAA'},
           {'X-SSL-Client-Cert': '-----BEGIN%20CERTIFICATE-----%0AMAA=%0A-----END%20CERTIFICATE-----%0A'}]


class HaproxySystem(ProxySystem):
    style = 'haproxy'


class Haproxy(Proxy):
    """HAProxy: ssl_c_der and ssl_c_chain_der in base64."""
    system = HaproxySystem

    def headers(self, leaf, others=()):
        b64 = lambda b: base64.b64encode(b).decode()
        return {'X-SSL-Client-Cert': b64(der(leaf)),
                **({'X-SSL-Client-Chain': b64(b''.join(der(o) for o in others))} if others else {})}

    BAD = [{'X-SSL-Client-Cert': 'x'}, {'X-SSL-Client-Cert': 'MAA=', 'X-SSL-Client-Chain': 'MAE='}, {'X-SSL-Client-Cert': 'MAA='}]


class Settings(unittest.TestCase):
    def test_contradictions_stop_the_start(self):
        with tempfile.TemporaryDirectory() as d:
            def check(*lines):
                with open(os.path.join(d, 'a.conf'), 'w') as f:
                    f.write('\n'.join(['environment = test', 'base_url = https://idp.example', f'templates = {TOP}/templates',
                                       f'migrations = {TOP}/migrations/idp', 'database = x', f'keys = {d}', *lines]) + '\n')
                build = os.environ.get('BEFFROI_BUILD') or os.path.join(TOP, 'build')
                p = run(os.path.join(build, 'idp', 'beffroi-idp'), '--check-config', os.path.join(d, 'a.conf'), check=False)
                return p.returncode, p.stdout + p.stderr
            cert, proxy = 'cert.url = https://certificat.idp.example', ['cert.proxy = nginx', 'proxy.trusted = 127.0.0.1']
            listen = 'cert.listen = 127.0.0.1:1'
            self.assertEqual(check(cert)[0], 0)
            self.assertEqual(check(cert, 'cert.card.url = https://carte.idp.example')[0], 0)
            self.assertEqual(check(cert, listen, *proxy)[0], 0)
            for lines, text in (([listen], 'cert.listen needs cert.url'), ([cert, listen], 'or cert.proxy'),
                                ([cert, listen, proxy[0]], 'cert.proxy needs proxy.trusted'),
                                ([cert.replace('https', 'http')], 'no https'), (['cert.url = https://idp.example/'], 'host name of its own'),
                                ([cert, listen, 'cert.tls.cert = x'], ''), (['cert.card.url = https://carte.idp.example'], 'cert.card.url needs cert.url'),
                                ([cert, 'cert.card.url = https://certificat.idp.example:8446'], 'host name of its own'),
                                ([cert, 'cert.card.url = https://carte.certificat.idp.example'], 'host name of its own'),
                                ([cert, 'cert.card.url = http://carte.idp.example'], 'no https')):
                code, said = check(*lines)
                self.assertNotEqual(code, 0, lines)
                self.assertIn(text, said)


class Nothing(unittest.TestCase):
    """Without authorities nothing is offered."""

    def test_no_door_without_trust(self):
        with CertificateSystem(nodes=1) as s:
            b = Browser(s)
            page = b.follow(b.get('/login'))
            self.assertIn('no authority is trusted', s.command('doctor', check=False).stdout)
            self.assertNotIn('id="door-card"', page.text)
            self.assertNotIn('id="door-certificate"', page.text)
            r = b.get(b.at + '/certificate')
            self.assertEqual(r.headers['Location'], b.at)
            self.assertEqual(b.get('/.well-known/openid-configuration').json()['acr_values_supported'], [PWD, 'https://refeds.org/profile/mfa'])


if __name__ == '__main__':
    unittest.main(verbosity=2)
