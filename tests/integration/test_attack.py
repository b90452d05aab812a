"""What people of DOMAIN 5.2 did to a running provider and must not be able to do again; one test per hole found."""
import random, unittest
from beffroi import *

PASSWORD = 'corail tambour 47 lune'
A31 = '23456789ABCDEFGHJKMNPQRSTUVWXYZ'
VOUCHED = ['Authentication-Results: mx.rivemont.example; dmarc=pass header.from={}']


def unknown_code():
    """A creation code that nobody was given, with a good check symbol (DOMAIN 5.3)."""
    values = [random.randrange(31) for _ in range(11)]
    have = sum((i + 1) * v for i, v in enumerate(values))
    last = next(v for v in range(31) if (have + 12 * v) % 31 == 1)
    return ''.join(A31[v] for v in values + [last])


class FarBrowser(Browser):
    """A browser of another network than everybody else's in the tests."""
    address = '127.77.0.1'

    def request(self, method, path, body=None, headers=None, port=None):
        plain, address = socket.create_connection, self.address
        socket.create_connection = lambda to, *a, **kw: plain(to, kw.get('timeout') or 30, (address, 0))
        try:
            return super().request(method, path, body, headers, port)
        finally:
            socket.create_connection = plain


class Attack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.s = cls.stack.enter_context(System())
        cls.addClassCleanup(cls.stack.close)
        cls.s.citizen('camille', PASSWORD)

    def setUp(self):
        self.s.sql('DELETE FROM throttle')

    def mail(self, sender, subject):
        domain = sender.rsplit('@', 1)[1]
        return self.s.mail(sender, subject, headers=[h.format(domain) for h in VOUCHED])

    def login_form(self, browser):
        page = browser.follow(browser.get('/login'))
        return browser.at, browser.csrf(page)

    # --- T-16: one network keeps the holder of a name out ------------------------------------------------------------
    def test_one_network_cannot_keep_a_citizen_out(self):
        b = Browser(self.s)
        at, csrf = self.login_form(b)
        statuses = [b.post(at, {'csrf': csrf, 'login': 'camille', 'password': f'mauvais {i}'}).status for i in range(60)]
        self.assertGreater(statuses.count(429), 50, statuses)
        self.assertEqual(FarBrowser(self.s).sign_in('camille', PASSWORD).status, 303)
        self.assertEqual(b.post(at, {'csrf': csrf, 'login': 'autre', 'password': 'x'}).status, 422, 'the network still may')

    def test_many_networks_cannot_keep_a_citizen_out_of_his_own_browser(self):
        self.s.citizen('sacha', PASSWORD)
        own = FarBrowser(self.s)
        self.assertEqual(own.sign_in('camille', PASSWORD).status, 303)
        own.cookies.pop('__Host-beffroi')
        device = own.cookies['__Host-device']
        self.assertNotIn('camille', device)
        guesses = []
        for n in range(8):
            b = FarBrowser(self.s)
            b.address = f'127.78.{n}.1'
            at, csrf = self.login_form(b)
            guesses += [b.post(at, {'csrf': csrf, 'login': 'camille', 'password': f'mauvais {i}'}).status for i in range(6)]
        self.assertIn(429, guesses[32:], 'the attempts of the name are used up')
        self.s.sql('UPDATE throttle SET level = level + 10 WHERE level >= 30')     # after some waits: ten seconds each
        stranger = FarBrowser(self.s)
        stranger.address = '127.79.0.1'
        self.assertEqual(stranger.sign_in('camille', PASSWORD).status, 429)
        # Another network, its own browser: at once. Other names, and what only looks like the cookie, wait with the rest.
        own.address = '127.80.0.1'
        self.assertEqual(own.sign_in('camille', PASSWORD).status, 303)
        thief = FarBrowser(self.s)
        thief.sign_in('sacha', PASSWORD)
        thief.address = '127.81.0.1'
        for cookie in (thief.cookies['__Host-device'], device[:-1] + 'x', device.replace('.', ''), '1..', '0' + device[1:], '9' + device[1:]):
            thief.cookies = {'__Host-device': cookie}
            self.assertEqual(thief.sign_in('camille', PASSWORD).status, 429, cookie)
        # A stolen one is good for a few guesses.
        thief.cookies = {'__Host-device': device}
        at, csrf = self.login_form(thief)
        tries = [thief.post(at, {'csrf': csrf, 'login': 'camille', 'password': 'x'}).status for _ in range(9)]
        self.assertEqual(set(tries[:5] + tries[7:]), {422, 429}, tries)

    def test_a_clock_set_back_makes_nobody_wait_for_the_time_it_skipped(self):
        self.s.command('clock', '--advance', '2h')
        b = FarBrowser(self.s)
        at, csrf = self.login_form(b)
        tries = [b.post(at, {'csrf': csrf, 'login': 'camille', 'password': 'x'}).status for _ in range(8)]
        self.assertEqual(tries[-1], 429)
        for _ in range(40):
            self.mail('personne@nulle.example', unknown_code())
        self.s.command('clock', '--advance', '-2h')
        self.assertEqual(FarBrowser(self.s).sign_in('camille', PASSWORD).status, 303)
        _, codes = self.s.create()
        self.assertTrue(self.s.mail('apres@nulle.example', codes['creation']).startswith('250'), 'not vouched for')
        self.s.sink.wait('apres@nulle.example')

    # --- T-16: a town behind one address -----------------------------------------------------------------------------
    def test_good_sign_ins_of_one_network_do_not_wait(self):
        b = Browser(self.s)
        at, csrf = self.login_form(b)
        for i in range(110):
            r = b.post(at, {'csrf': csrf, 'login': 'camille', 'password': PASSWORD})
            self.assertEqual(r.status, 303, f'sign-in {i}')
            b.cookies.pop('__Host-device')      # each time another browser

    def test_a_good_pair_buys_no_guess_at_another(self):
        b = Browser(self.s)
        at, csrf = self.login_form(b)
        for i in range(100):
            self.assertEqual(b.post(at, {'csrf': csrf, 'login': f'personne-{i}', 'password': 'x'}).status, 422)
        tries = (b.post(at, {'csrf': csrf, 'login': f'personne-{i}', 'password': 'x'}).status for i in range(100, 120))
        self.assertIn(429, tries)
        self.s.command('clock', '--advance', '2s')
        self.assertEqual(b.post(at, {'csrf': csrf, 'login': 'camille', 'password': PASSWORD}).status, 303)
        statuses = [b.post(at, {'csrf': csrf, 'login': f'autre-{i}', 'password': 'x'}).status for i in range(4)]
        self.assertIn(429, statuses)

    # --- T-14, T-15, T-16: counts of wrong codes by mail --------------------------------------------------------------
    def test_wrong_codes_from_a_large_provider_do_not_silence_it(self):
        _, codes = self.s.create()
        for i in range(102):
            self.assertTrue(self.mail(f'essai{i % 51}@fournisseur.example', unknown_code()).startswith('250'))
        seen = len(self.s.sink.messages)
        self.assertTrue(self.mail('honnete@fournisseur.example', codes['creation']).startswith('250'))
        self.assertIn('/activate/', self.s.sink.wait('honnete@fournisseur.example', seen).get_content())

    def test_above_the_limit_wrong_codes_wait_and_are_not_thrown_away(self):
        for i in range(5):
            self.assertTrue(self.mail('essais@domaine.example', unknown_code()).startswith('250'))
        answers = [self.mail('essais@domaine.example', unknown_code()) for _ in range(40)]
        self.assertTrue(all(a.startswith('250') for a in answers[:30]), answers)
        self.assertTrue(any(a.startswith('4') for a in answers[30:]), answers)

    def test_a_domain_is_counted_once_however_it_is_written(self):
        for sender in ('x@un.Exemple.example', 'x@UN.eXEMPLE.example', 'x@deux.exemple.example'):
            self.assertTrue(self.mail(sender, unknown_code()).startswith('250'))
        self.assertEqual(self.s.sql('SELECT count(*) FROM throttle'), '3', 'two addresses and one domain')

    # --- T-12: who reads the mailbox and has no paper -------------------------------------------------------------------
    def link(self, sender, codes):
        seen = len(self.s.sink.messages)
        self.assertTrue(self.mail(sender, codes['creation']).startswith('250'))
        text = self.s.sink.wait(sender, seen).get_content()
        return re.search(r'https://\S+/activate/\S+', text).group(0), re.search(r'\b\d{4} \d{4}\b', text).group(0)

    def test_new_links_bring_no_new_tries_of_the_sheet_number(self):
        _, codes = self.s.create(sensitive=True)
        b = Browser(self.s)
        wrong = [n for n in ('%04d' % i for i in range(20)) if n != codes['sheet']]
        statuses = []
        for tries in (3, 2):
            url, code = self.link('boite@lue.example', codes)
            csrf = b.csrf(b.get(url))
            statuses += [b.post(url, {'csrf': csrf, 'code': code, 'sheet': wrong.pop()}).status for _ in range(tries)]
        self.assertEqual(statuses, [422] * 5)
        for _ in range(2):
            r = b.post(url, {'csrf': csrf, 'code': code, 'sheet': codes['sheet']})
            self.assertEqual(r.status, 410)
            self.assertIn('numéros de feuille', r.text)
            self.assertIn('numéros de feuille', b.get(url).text)
            self.s.command('clock', '--advance', '24h')
            url, code = self.link('boite@lue.example', codes)

    def test_mistakes_that_do_not_reach_the_sheet_number_cost_it_nothing(self):
        _, codes = self.s.create(sensitive=True)
        b = Browser(self.s)
        url, code = self.link('honnete@feuille.example', codes)
        csrf = b.csrf(b.get(url))
        for other in ('%04d %04d' % (i, i) for i in range(1, 60)):
            if other != code and b.post(url, {'csrf': csrf, 'code': other, 'sheet': codes['sheet']}).status == 410:
                break
        url, code = self.link('honnete@feuille.example', codes)
        wrong = '0000' if codes['sheet'] != '0000' else '1111'
        for sheet in [wrong] * 4:
            self.assertEqual(b.post(url, {'csrf': csrf, 'code': code, 'sheet': sheet}).status, 422)
        self.assertEqual(b.post(url, {'csrf': csrf, 'code': code, 'sheet': codes['sheet']}).status, 303)
        # New codes, new tries.
        handle, codes = self.s.create(sensitive=True)
        url, code = self.link('encore@feuille.example', codes)
        for _ in range(5):
            b.post(url, {'csrf': csrf, 'code': code, 'sheet': '0000' if codes['sheet'] != '0000' else '1111'})
        key = secrets_token(24)
        r = self.s.door('POST', f'/v1/accounts/{handle}/reissue', {'what': 'all', 'sensitive': True}, key=key)
        codes = self.s.unseal(r.json()['sealed'], key)
        url, code = self.link('encore@feuille.example', codes)
        self.assertEqual(b.post(url, {'csrf': csrf, 'code': code, 'sheet': codes['sheet']}).status, 303)

    # --- a good visit hidden behind bad ones ------------------------------------------------------------------------------
    def test_failed_visits_push_no_good_one_off_the_page(self):
        self.s.citizen('lou', PASSWORD)
        self.assertEqual(FarBrowser(self.s).sign_in('lou', PASSWORD).status, 303)      # who knows the password
        for i in range(12):
            b = FarBrowser(self.s)
            b.address = f'127.82.{i}.1'
            self.assertEqual(b.sign_in('lou', 'x').status, 422)
        b = Browser(self.s)
        page = b.follow(b.sign_in('lou', PASSWORD)).text
        visits = re.findall(r'<li>(<span class="main"><time.*?)</li>', page[page.index('id="t-logins"'):])
        self.assertEqual((sum('refusé' in v for v in visits), sum('refusé' not in v for v in visits)), (10, 2))

    # --- T-11: cookies of a host beside ours ------------------------------------------------------------------------------
    def test_a_host_beside_ours_cannot_crowd_our_cookies_out(self):
        b = Browser(self.s)
        b.follow(b.sign_in('camille', PASSWORD))
        own = b.cookies
        for n in (10, 64, 200):
            b.cookies = {**{f'c{i}': 'x' for i in range(n)}, **own}
            self.assertIn('<h1>Ma page', b.get('/').text, n)
        b.cookies = {**{f'__Host-c{i}': 'x' for i in range(64)}, **{f'c{i}': 'x' for i in range(64)}}
        self.assertNotIn('<h1>Ma page', b.get('/').text)

    # --- every act has its row ------------------------------------------------------------------------------------------
    def test_a_block_made_final_later_is_in_the_trail(self):
        handle, codes = self.s.citizen('sasha', PASSWORD)
        for reason, already in (('lost', False), ('stolen', True), ('stolen', True)):
            r = self.s.door('POST', f'/v1/accounts/{handle}/block', {'reason': reason}, headers={'Beffroi-Clerk': 'dominique'})
            self.assertEqual((r.status, r.json()['already']), (200, already))
        self.assertTrue(self.s.door('GET', f'/v1/accounts/{handle}').json()['final'])
        account = self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}'")
        self.assertEqual(self.s.sql("SELECT verb, actor FROM audit_event WHERE verb LIKE 'account.%' AND "
                                    f"object = 'account:{account}' ORDER BY seq DESC LIMIT 2").splitlines(),
                         ['account.block_reason|town:rivemont/clerk:dominique', 'account.revoke|town:rivemont/clerk:dominique'])
        whats, cursor = [], ''
        while True:
            page = self.s.door('GET', f'/v1/changes?after={cursor}').json()
            if not page['changes']:
                break
            whats += [c['what'] for c in page['changes'] if c['handle'] == handle]
            cursor = page['next']
        self.assertEqual(whats[-1], 'final', whats)

    def test_the_page_of_the_reason_fills_no_trail(self):
        handle, codes = self.s.citizen('maxime', PASSWORD)
        b = Browser(self.s)
        page = b.post('/blocage', {'code': codes['revocation']})
        ref = re.search(r'name="ref" value="([^"]+)"', page.text).group(1)
        account = self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}'")
        rows = lambda: int(self.s.sql(f"SELECT count(*) FROM audit_event WHERE object = 'account:{account}'"))
        before = rows()
        statuses = [b.post('/blocage', {'ref': ref, 'reason': 'lost'}).status for _ in range(40)]
        self.assertEqual((statuses[:5], set(statuses[6:])), ([200] * 5, {429}))
        self.assertLessEqual(rows() - before, 6)
        self.assertEqual(b.post('/blocage', {'ref': ref, 'reason': 'stolen'}).status, 200)
        self.assertTrue(self.s.door('GET', f'/v1/accounts/{handle}').json()['final'])

    # --- T-10: addresses of clients --------------------------------------------------------------------------------------
    def test_addresses_that_only_look_like_loopback_are_refused(self):
        def add(kind, uri):
            with open(self.s.path('client.json'), 'w') as f:
                json.dump({'client_id': 'essai', 'application_type': kind, 'redirect_uris': [uri],
                           'token_endpoint_auth_method': 'none'}, f)
            return self.s.command('client', 'add', self.s.path('client.json'), '--replace', check=False).returncode
        for uri in ('http://127.0.0.1.mechant.example/', 'http://127.0.0.1@mechant.example/', 'http://localhost.mechant.example/',
                    'http://127.0.0.1:80@mechant.example/', 'http://[::1].mechant.example/', 'http://mechant.example/'):
            self.assertNotEqual(add('web', uri), 0, uri)
            self.assertNotEqual(add('native', uri), 0, uri)
        for uri in ('JavaScript:alert(1.0)', 'vbscript:a.b', 'data:a.b', 'file:///a.b', 'intent:a.b'):
            self.assertNotEqual(add('native', uri), 0, uri)
        for kind, uri in (('web', 'http://127.0.0.1/'), ('web', 'http://localhost:8080/retour?a=1'), ('web', 'http://[::1]:7/'),
                          ('native', 'com.example.app:/retour'), ('native', 'http://127.0.0.1')):
            self.assertEqual(add(kind, uri), 0, uri)


if __name__ == '__main__':
    unittest.main(verbosity=2)
