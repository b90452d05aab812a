"""Second factors of password accounts as their holders, services and attackers meet them (D-08, docs/second-factor.md)."""
import html, time, unittest
from beffroi import *
from passkey import Passkey, totp
import test_oidc
from test_oidc import BACK, claims
from test_saml import Form, Service

PASSWORD = 'corail tambour 47 lune'
MINE = '/ma-page/double-verification'
MFA = 'https://refeds.org/profile/mfa'
PWD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'


def field(page, name):
    m = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert m, f'no {name} in a page of status {page.status}: {page.text[:400]}'
    return html.unescape(m.group(1))


def data(page, name):
    return html.unescape(re.search(rf'data-{name}="([^"]*)"', page.text).group(1))


def recovery_codes(page):
    return re.findall(r'<code>(\d{4} \d{4} \d{4})</code>', page.text)


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.s = cls.stack.enter_context(System())
        cls.addClassCleanup(cls.stack.close)
        with open(cls.s.path('client.json'), 'w') as f:
            json.dump({'client_id': 'sondage', 'client_name': 'sondage', 'redirect_uris': [BACK], 'family': 'sondage',
                       'client_secret': 'un-secret-assez-long'}, f)
        cls.s.command('client', 'add', cls.s.path('client.json'))
        cls.shift = 0

    url, answer = test_oidc.Oidc.url, test_oidc.Oidc.answer
    token = test_oidc.Oidc.token

    def setUp(self):
        self.s.sql('DELETE FROM throttle')

    def now(self):
        return time.time() + self.shift

    def advance(self, seconds):
        """The clock of the whole system goes on: the next code is a new one, proofs grow old."""
        self.s.command('clock', '--advance', f'{seconds}s')
        type(self).shift += seconds

    def code(self, key):
        return totp(key, self.now())

    def fresh_code(self, key):
        self.advance(60)
        return self.code(key)

    def person(self, login, **kw):
        """A citizen who has just signed in."""
        handle, _ = self.s.citizen(login, PASSWORD, **kw)
        b = Browser(self.s)
        b.follow(b.sign_in(login, PASSWORD))
        b.handle = handle
        return b

    def add_totp(self, b, tail=''):
        page = b.get(f'{MINE}/application{tail}')
        self.assertEqual(page.status, 200, page.text[:300])
        key = re.search(r'id="key">([A-Z2-7 ]+)<', page.text).group(1)
        done = b.post(f'{MINE}/application', {'csrf': b.csrf(page), 'offer': field(page, 'offer'), 'code': self.code(key),
                                              **({'suite': field(page, 'suite')} if 'suite=' in tail else {})})
        return key, done

    def add_passkey(self, b, key=None, name='téléphone', **change):
        page = b.get(f'{MINE}/cle')
        self.assertEqual(page.status, 200, page.text[:300])
        key = key or Passkey(self.s.url)
        fields = {'csrf': b.csrf(page), 'name': name, 'challenge': field(page, 'challenge'), **key.create(data(page, 'challenge'), **change)}
        return key, b.post(f'{MINE}/cle', fields), fields

    def second_page(self, b, login, path='/login'):
        """User name and password are typed: the page that asks for more, and its address."""
        r = b.sign_in(login, PASSWORD, path)
        self.assertEqual(r.status, 303, r.text[:300])
        self.assertIn('/factor/', r.headers['Location'])
        at = r.headers['Location']
        page = b.get(at)
        self.assertEqual(page.status, 200, page.text[:300])
        return at, page

    def try_code(self, b, at, page, code):
        return b.post(at, {'csrf': b.csrf(page), 'code': code, 'do': 'code'})

    def try_passkey(self, b, at, page, key, **change):
        return b.post(at, {'csrf': b.csrf(page), 'challenge': field(page, 'challenge'), **key.get(data(page, 'challenge'), **change)})

    def trips(self, route):
        """Round trips to the database of each request of a route so far, as the second node logged them: no other test asks it."""
        return [int(m) for m in re.findall(rf'{route}\b.*?trips["=: ]+(\d+)', self.s.log('idp2'))]

    def signed_in(self, b):
        return 'id="t-logins"' in b.get('/').text

    def id_token(self, reply):
        r = self.token(self.answer(reply)['code'])
        self.assertEqual(r.status, 200, r.text)
        return claims(r.json()['id_token'])


class Totp(Base):
    def test_the_whole_way(self):
        b = self.person('camille', address='camille@courriel.example', keep_mail=True)
        other = Browser(self.s)
        other.follow(other.sign_in('camille', PASSWORD))
        seen = len(self.s.sink.messages)
        key, done = self.add_totp(b)
        self.assertEqual(done.status, 200, done.text[:500])
        codes = recovery_codes(done)
        self.assertEqual((len(codes), len(set(codes))), (10, 10))
        self.assertTrue(self.signed_in(b))
        self.assertFalse(self.signed_in(other), 'sessions without the second factor have ended')
        mail = self.s.sink.wait('camille@courriel.example', seen).get_content()
        self.assertIn('application de codes a été ajoutée', mail)
        self.assertIn('/blocage', mail)
        # A new browser: no session by the password alone
        n = Browser(self.s)
        at, page = self.second_page(n, 'camille', self.url())
        self.assertNotIn('__Host-beffroi', n.cookies)
        self.assertFalse(self.signed_in(n))
        wrong = self.try_code(n, at, page, '000000')
        self.assertEqual(wrong.status, 422)
        self.assertIn('pas bon', wrong.text)
        self.assertEqual(self.try_code(n, at, page, 'abc').status, 422)
        good = self.fresh_code(key)
        r = self.try_code(n, at, page, good)
        self.assertEqual(r.status, 303, r.text[:500])
        me = self.id_token(n.follow(r))
        self.assertEqual((me['acr'], me['amr']), (PWD, ['pwd', 'otp', 'mfa']))
        # The same code is not good again, on the other node neither
        for port in (self.s.port, self.s.port2):
            again = Browser(self.s, port)
            at, page = self.second_page(again, 'camille')
            self.assertEqual(self.try_code(again, at, page, good).status, 422)
        # My page says it, and the file
        home = n.get('/').text
        self.assertIn('Application de codes', home)
        self.assertIn('mot de passe et code', home)
        mine = n.get('/ma-page/donnees').json()
        self.assertIsNotNone(mine['second_factors']['code_program']['used_at'])
        self.assertEqual(mine['second_factors']['recovery_codes_left'], 10)
        # Nothing of it is readable in the database
        dump = self.s.sql("SELECT encode(key_sealed, 'hex') FROM factor_totp")
        self.assertNotIn(base64.b32decode(key.replace(' ', '')).hex(), dump)

    def test_recovery_codes_are_good_once(self):
        b = self.person('alix')
        key, done = self.add_totp(b)
        codes = recovery_codes(done)
        n = Browser(self.s)
        at, page = self.second_page(n, 'alix')
        self.assertEqual(self.try_code(n, at, page, codes[0].replace(' ', '-')).status, 303)
        self.assertTrue(self.signed_in(n))
        self.assertIn('Il en reste 9', n.get(MINE).text)
        again = Browser(self.s)
        at, page = self.second_page(again, 'alix')
        self.assertEqual(self.try_code(again, at, page, codes[0]).status, 422)
        self.assertEqual(self.try_code(again, at, page, '111122223333').status, 422)
        # a new list: the old one is dead
        overview = n.get(MINE)
        fresh = n.post(f'{MINE}/codes', {'csrf': n.csrf(overview), 'do': 'codes'})
        new = recovery_codes(fresh)
        self.assertEqual(len(new), 10)
        self.assertEqual(self.try_code(again, at, page, codes[1]).status, 422)
        self.s.sql('DELETE FROM throttle')
        self.assertEqual(self.try_code(again, at, page, new[1]).status, 303)

    def test_second_click_and_stale_page(self):
        b = self.person('mireille')
        page = b.get(f'{MINE}/application')
        key = re.search(r'id="key">([A-Z2-7 ]+)<', page.text).group(1)
        fields = {'csrf': b.csrf(page), 'offer': field(page, 'offer'), 'code': self.code(key)}
        old = {**fields, 'offer': fields['offer'][:-2] + 'AA'}
        stale = b.post(f'{MINE}/application', old)
        self.assertEqual(stale.status, 422)
        self.assertNotIn(key, stale.text)
        first, second = b.post(f'{MINE}/application', fields), b.post(f'{MINE}/application', fields)
        self.assertEqual((first.status, second.status), (200, 200))
        codes = recovery_codes(second)
        self.assertEqual(len(codes), 10)
        n = Browser(self.s)
        at, page = self.second_page(n, 'mireille')
        self.assertEqual(self.try_code(n, at, page, recovery_codes(first)[0]).status, 422, 'the page on the screen is the true one')
        self.assertEqual(self.try_code(n, at, page, codes[0]).status, 303)
        # a page of another account is no good here
        c = self.person('colin')
        mine = c.get(f'{MINE}/application')
        r = c.post(f'{MINE}/application', {**fields, 'csrf': c.csrf(mine)})
        self.assertEqual(r.status, 422)

    def test_guesses_are_slowed_and_nobody_is_locked_out(self):
        b = self.person('paul')
        key, _ = self.add_totp(b)
        known = Browser(self.s)
        at, page = self.second_page(known, 'paul')
        self.assertEqual(self.try_code(known, at, page, self.fresh_code(key)).status, 303)
        thief = Browser(self.s)
        at, page = self.second_page(thief, 'paul')
        statuses, wait = [], 0
        while wait < 120 and len(statuses) < 2000:       # each wait is twice the one before
            r = self.try_code(thief, at, page, f'{len(statuses):06d}')
            statuses.append(r.status)
            wait = int(r.headers.get('Retry-After', 0))
            if 0 < wait < 120:
                self.advance(wait + 1)
        self.assertEqual(statuses[:5], [422] * 5)
        self.assertEqual(set(statuses), {422, 429})
        # another browser of the thief is counted in the same bucket; the holder's own browser is not
        again = Browser(self.s)
        at2, page2 = self.second_page(again, 'paul')
        self.assertEqual(self.try_code(again, at2, page2, '123456').status, 429)
        known.cookies.pop('__Host-beffroi')
        at3, page3 = self.second_page(known, 'paul')
        self.assertEqual(self.try_code(known, at3, page3, self.fresh_code(key)).status, 303)
        # and the wait ends
        self.advance(400)
        at2, page2 = self.second_page(again, 'paul')
        self.assertEqual(self.try_code(again, at2, page2, self.code(key)).status, 303)
        self.assertIn('refusé', again.get('/').text)


class Passkeys(Base):
    def test_three_kinds_of_keys_sign_in(self):
        b = self.person('lucie', address='lucie@courriel.example', keep_mail=True)
        seen = len(self.s.sink.messages)
        keys = []
        for alg, name in ((-7, 'téléphone'), (-8, 'clé <bleue> & "cie"'), (-257, 'ordinateur')):
            key, done, _ = self.add_passkey(b, Passkey(self.s.url, alg), name)
            if alg == -7:
                self.assertEqual((done.status, len(recovery_codes(done))), (200, 10), done.text[:500])
            else:
                self.assertEqual(done.status, 303, done.text[:1500])
            keys.append(key)
        self.assertIn('une clé d\'accès a été ajoutée', self.s.sink.wait('lucie@courriel.example', seen).get_content())
        overview = b.get(MINE).text
        self.assertIn('clé &lt;bleue&gt; &amp; &quot;cie&quot;', overview)
        self.assertEqual(overview.count('jamais utilisée'), 3)
        for key in keys:
            n = Browser(self.s)
            at, page = self.second_page(n, 'lucie', self.url())
            r = self.try_passkey(n, at, page, key)
            self.assertEqual(r.status, 303, r.text[:800])
            me = self.id_token(n.follow(r))
            self.assertEqual((me['acr'], me['amr']), (PWD, ['pwd', 'hwk', 'mfa']))
        self.assertEqual(b.get(MINE).text.count('jamais utilisée'), 0)
        self.assertIn('mot de passe et clé d\'accès', html.unescape(n.get('/').text))
        # neither the names nor anything else of them is readable in the database
        host, port = os.environ['PGHOST'], os.environ.get('PGPORT', '5432')
        self.assertNotIn('ordinateur', run('pg_dump', '-h', host, '-p', port, '--data-only', '--inserts', self.s.db).stdout)

    def test_what_is_no_answer_to_our_question(self):
        """Each row changes one thing of an answer that is otherwise good; the good one passes at the end."""
        b = self.person('romain')
        key, _, _ = self.add_passkey(b)
        stranger = Passkey(self.s.url)
        copy = Passkey(self.s.url)
        copy.id = key.id
        n = Browser(self.s)
        at, page = self.second_page(n, 'romain')
        rows = {
            'another origin': dict(origin='https://idp.rivemont.example'),
            'http': dict(origin=self.s.url.replace('https', 'http')),
            'another site': dict(rp='rivemont.example'),
            'another ceremony': dict(type='webauthn.create'),
            'another challenge': dict(challenge='A' * 43),
            'a frame': dict(crossOrigin=True),
            'nobody there': dict(flags=0x04),
            'altered': dict(tamper=True),
        }
        for label, change in rows.items():
            r = self.try_passkey(n, at, page, key, **change)
            self.assertEqual(r.status, 422, label)
            self.assertNotIn('__Host-beffroi', n.cookies, label)
        for label, other in (('a key of nobody', stranger), ('the right name, another key', copy)):
            r = self.try_passkey(n, at, page, other)
            self.assertEqual(r.status, 422, label)
            self.assertIn('celle de ce compte', r.text)
        key.count = 50
        self.assertEqual(self.try_passkey(n, at, page, key).status, 303)

    def test_a_challenge_is_good_once_and_for_its_flow(self):
        b = self.person('salma')
        key, _, _ = self.add_passkey(b)
        n = Browser(self.s)
        at, page = self.second_page(n, 'salma')
        fields = {'csrf': n.csrf(page), 'challenge': field(page, 'challenge'), **key.get(data(page, 'challenge'))}
        csrf, cookies = fields['csrf'], dict(n.cookies)
        self.assertEqual(n.post(at, fields).status, 303)
        # replayed in the same flow: the session is there, so without it
        thief = Browser(self.s, self.s.port2)
        thief.cookies = {k: v for k, v in cookies.items() if k != '__Host-beffroi'}
        r = thief.post(at, fields)
        self.assertEqual(r.status, 422)
        self.assertIn('déjà servi', r.text)
        self.assertNotIn('__Host-beffroi', thief.cookies)
        # in another flow
        other = Browser(self.s)
        at2, page2 = self.second_page(other, 'salma')
        old = field(page2, 'challenge')
        third = Browser(self.s)
        at3, page3 = self.second_page(third, 'salma')
        r = third.post(at3, {'csrf': third.csrf(page3), 'challenge': old, **key.get(data(page2, 'challenge'))})
        self.assertEqual(r.status, 422)
        # too late
        at3, page3 = self.second_page(third, 'salma')
        self.advance(660)
        r = self.try_passkey(third, at3, page3, key)
        self.assertEqual((r.status, 'trop attendu' in r.text), (422, True))
        # and made for a registration
        b2 = self.person('salma2')
        mine = b2.get(f'{MINE}/cle')
        at3, page3 = self.second_page(third, 'salma')
        r = third.post(at3, {'csrf': third.csrf(page3), 'challenge': field(mine, 'challenge'), **key.get(data(mine, 'challenge'))})
        self.assertEqual(r.status, 422)

    def test_another_accounts_key(self):
        a, b = self.person('anouk'), self.person('bruno')
        key, _, fields = self.add_passkey(a)
        theirs, _, _ = self.add_passkey(b)
        n = Browser(self.s)
        at, page = self.second_page(n, 'bruno')
        self.assertEqual(self.try_passkey(n, at, page, key).status, 422)
        self.assertEqual(self.try_passkey(n, at, page, theirs).status, 303)
        # the same credential for a second account; the same form twice
        _, again, _ = self.add_passkey(b, key)
        self.assertEqual(again.status, 422)
        self.assertIn('déjà liée', again.text)
        self.assertIn('déjà servi', a.post(f'{MINE}/cle', {**fields, 'csrf': a.csrf(a.get(f'{MINE}/cle'))}).text)
        self.assertEqual(self.s.sql('SELECT count(*) FROM factor_passkey WHERE sign_count >= 0 AND account_id IN '
                                    "(SELECT account_id FROM login WHERE login_folded IN ('anouk', 'bruno'))"), '2')

    def test_the_counter_went_back(self):
        b = self.person('elias', address='elias@courriel.example', keep_mail=True)
        key, _, _ = self.add_passkey(b)
        n = Browser(self.s)
        at, page = self.second_page(n, 'elias')
        key.count = 9
        self.assertEqual(self.try_passkey(n, at, page, key).status, 303)
        seen = len(self.s.sink.messages)
        thief = Browser(self.s)
        at, page = self.second_page(thief, 'elias')
        for count in (10, 9, 1, 0):
            r = self.try_passkey(thief, at, page, key, count=count)
            self.assertEqual((r.status, 'copiée' in r.text), (422, True), count)
        self.assertIn('peut-être été copiée', self.s.sink.wait('elias@courriel.example', seen).get_content())
        self.assertEqual(self.s.sql("SELECT count(*) > 0 FROM audit_event WHERE verb = 'factor.copied'"), 't')
        key.count = 20
        self.assertEqual(self.try_passkey(thief, at, page, key).status, 303)

    def test_what_is_no_credential(self):
        b = self.person('nora')
        rows = {
            'another origin': dict(origin='https://autre.example'),
            'another site': dict(rp='autre.example'),
            'another ceremony': dict(type='webauthn.get'),
            'another challenge': dict(challenge='B' * 43),
            'nobody there': dict(flags=0x40),
            'no credential in it': dict(flags=0x01),
            'an attestation nobody asked for': dict(fmt='fido-u2f', statement={'sig': b'x'}),
            'a statement with none': dict(statement={'x': 1}),
            'a key of another algorithm': dict(cose={1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)}),
            'a point not on its curve': dict(cose={1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)}),
        }
        for label, change in rows.items():
            _, r, _ = self.add_passkey(b, **change)
            self.assertIn(r.status, (422,), f'{label}: {r.status}')
        key, r, fields = self.add_passkey(b, name='')
        self.assertEqual((r.status, 'Donnez un nom' in r.text), (422, True))
        self.assertEqual(self.s.sql("SELECT count(*) FROM factor_passkey p JOIN login l USING (account_id) "
                                    "WHERE l.login_folded = 'nora'"), '0')
        for broken in ({'attestation': 'A' * 20000}, {'attestation': '!'}, {'client_data': ''}, {'challenge': 'x.y'}):
            fresh = b.get(f'{MINE}/cle')
            good = {'csrf': b.csrf(fresh), 'name': 'x', 'challenge': field(fresh, 'challenge'), **key.create(data(fresh, 'challenge'))}
            self.assertEqual(b.post(f'{MINE}/cle', {**good, **broken}).status, 422, broken)
        self.assertEqual(b.post(f'{MINE}/cle', good).status, 200)


class Around(Base):
    def test_a_stale_session_changes_nothing(self):
        b = self.person('yanis')
        key, _ = self.add_totp(b)
        passkey, _, _ = self.add_passkey(b)
        overview = b.get(MINE)
        ids = re.findall(r'name="id" value="([^"]+)"', overview.text)
        self.assertEqual(len(ids), 2)
        self.advance(1260)
        posts = [('retirer', {'id': i}) for i in ids] + [('codes', {}), ('application', {'offer': 'x', 'code': '123456'}),
                                                        ('cle', {'name': 'x'})]
        for tail, fields in posts:
            r = b.post(f'{MINE}/{tail}', {'csrf': b.csrf(overview), **fields})
            self.assertEqual(r.status, 303, tail)
            self.assertIn('/signon/', r.headers['Location'], tail)
        for tail in ('application', 'cle'):
            self.assertIn('/signon/', b.get(f'{MINE}/{tail}').headers['Location'])
        self.assertEqual(self.s.sql("SELECT count(*) FROM factor_totp JOIN login USING (account_id) WHERE login_folded = 'yanis'"), '1')
        # Signed in again, with the second factor too, and back on the page: then it goes
        page = b.follow(b.get(f'{MINE}/application'))
        self.assertIn('connectez-vous encore', page.text)
        r = b.post(b.at, {'csrf': b.csrf(page), 'login': 'yanis', 'password': PASSWORD, 'do': 'signin'})
        self.assertIn('/factor/', r.headers['Location'])
        at, page = r.headers['Location'], b.get(r.headers['Location'])
        page = b.follow(self.try_code(b, at, page, self.code(key)))
        self.assertTrue(b.at.endswith('/application'), b.at)
        for i in ids:
            overview = b.get(MINE)
            r = b.post(f'{MINE}/retirer', {'csrf': b.csrf(overview), 'id': i})
            self.assertIn('fait=retire', r.headers['Location'])
            again = b.post(f'{MINE}/retirer', {'csrf': b.csrf(overview), 'id': i})
            self.assertIn('fait=absent', again.headers['Location'])
        self.assertEqual(self.s.sql("SELECT count(*) FROM factor_recovery JOIN login USING (account_id) WHERE login_folded = 'yanis'"), '0')
        self.assertEqual(Browser(self.s).follow(Browser(self.s).sign_in('yanis', PASSWORD)).status, 200)

    def test_forms_of_other_sites(self):
        b = self.person('ines')
        key, _ = self.add_totp(b)
        overview = b.get(MINE)
        for tail, fields in (('retirer', {'id': 'totp'}), ('codes', {}), ('application', {}), ('cle', {})):
            self.assertEqual(b.post(f'{MINE}/{tail}', fields).status, 403, tail)
            self.assertEqual(b.post(f'{MINE}/{tail}', {'csrf': b.csrf(overview), **fields},
                                    headers={'Origin': 'https://autre.example'}).status, 403, tail)
        n = Browser(self.s)
        at, page = self.second_page(n, 'ines')
        self.assertEqual(n.post(at, {'code': self.fresh_code(key)}).status, 403)
        self.assertIn('id="remove-totp"', b.get(MINE).text)

    def test_another_account_cannot_touch_them(self):
        a, b = self.person('marc'), self.person('hugo')
        self.add_passkey(a)
        self.add_totp(b)
        theirs = re.search(r'name="id" value="([^"]+)"', a.get(MINE).text).group(1)
        r = b.post(f'{MINE}/retirer', {'csrf': b.csrf(b.get(MINE)), 'id': theirs})
        self.assertIn('fait=absent', r.headers['Location'])
        self.assertIn(theirs, a.get(MINE).text)

    def test_the_address_of_the_second_page(self):
        """Without its cookie, in another flow, after a new password, too late: the password is asked again."""
        b = self.person('zoe')
        key, _ = self.add_totp(b)
        n = Browser(self.s)
        at, page = self.second_page(n, 'zoe')
        thief = Browser(self.s)
        r = thief.get(at)
        self.assertIn('late=1', r.headers['Location'])
        self.assertIn('trop attendu', thief.follow(r).text)
        other = Browser(self.s)
        other.follow(other.get('/login'))
        flow = other.at
        r = n.get(flow + '/factor/' + at.rsplit('/', 1)[1])
        self.assertIn('late=1', r.headers['Location'])
        self.assertEqual(n.get(at).status, 200)
        change = b.get('/ma-page/mot-de-passe')
        self.advance(2)
        self.assertEqual(b.post('/ma-page/mot-de-passe', {'csrf': b.csrf(change), 'current': PASSWORD,
                                                         'password': 'lanterne 58 brume orange'}).status, 303)
        self.assertIn('late=1', n.get(at).headers['Location'])
        r = n.sign_in('zoe', 'lanterne 58 brume orange')
        at, page = r.headers['Location'], n.get(r.headers['Location'])
        self.advance(1860)
        self.assertIn('late=1', self.try_code(n, at, page, self.code(key)).headers['Location'])
        r = n.sign_in('zoe', 'lanterne 58 brume orange')
        at, page = r.headers['Location'], n.get(r.headers['Location'])
        done = self.try_code(n, at, page, self.code(key))
        self.assertEqual(done.status, 303)
        # Back, and another tab: on to where it led
        self.assertTrue(n.get(at).headers['Location'].endswith('/go'))
        self.assertTrue(self.try_code(n, at, page, '000000').headers['Location'].endswith('/go'), 'the second click')
        self.assertTrue(self.signed_in(n))

    def test_force_authn_asks_both_again(self):
        b = self.person('lou')
        key, _ = self.add_totp(b)
        r = b.get(self.url(prompt='login'))
        page = b.follow(r)
        self.assertIn('name="password"', page.text)
        flow = b.at
        r = b.post(flow, {'csrf': b.csrf(page), 'login': 'lou', 'password': PASSWORD, 'do': 'signin'})
        self.assertIn('/factor/', r.headers['Location'])
        # the live session does not stand in for the second factor
        go = b.follow(b.get(flow + '/go'))
        self.assertIn('name="password"', go.text)
        at, page = r.headers['Location'], b.get(r.headers['Location'])
        self.assertEqual(page.status, 200)
        me = self.id_token(b.follow(self.try_code(b, at, page, self.fresh_code(key))))
        self.assertEqual(me['amr'], ['pwd', 'otp', 'mfa'])

    def test_a_service_asks_for_two_factors(self):
        b = self.person('rose')
        # none yet: told what to do, and back to the service with one
        page = b.follow(b.get(self.url(acr_values=MFA)))
        self.assertIn('Il faut une double vérification', page.text)
        self.assertIn('id="cancel"', page.text)
        add = html.unescape(re.search(r'id="add" href="([^"]+)"', page.text).group(1))
        overview = b.get(add)
        tail = add[add.index('?'):]
        self.assertIn(f'/application{tail}', html.unescape(overview.text))
        key, done = self.add_totp(b, tail)
        self.assertEqual((done.status, len(recovery_codes(done))), (200, 10))
        on = html.unescape(re.search(r'id="codes-kept" href="([^"]+)"', done.text).group(1))
        me = self.id_token(b.follow(b.get(on)))
        self.assertEqual((me['acr'], me['amr']), (MFA, ['pwd', 'otp', 'mfa']))
        # the live session answers, without a page
        me = self.id_token(b.get(self.url(acr_values=f'{MFA} {PWD}')))
        self.assertEqual(me['acr'], MFA)
        # who did not name it is told what it knows
        self.assertEqual(self.id_token(b.get(self.url(acr_values=PWD)))['acr'], PWD)
        self.assertIn(MFA, b.get('/.well-known/openid-configuration').json()['acr_values_supported'])
        # and prompt=none of somebody with a password alone is no
        plain = self.person('rosa')
        self.assertEqual(self.answer(plain.get(self.url(acr_values=MFA, prompt='none')))['error'], 'login_required')

    def test_saml_says_it_in_its_own_words(self):
        sp = Service(self.s, 'guichet')
        context = lambda c, how='exact': (f'<samlp:RequestedAuthnContext Comparison="{how}"><saml:AuthnContextClassRef>{c}'
                                          '</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>')
        b = self.person('theo')
        key, _, _ = self.add_passkey(b)
        for wish, told in ((context(MFA), MFA), ('', PWD), (context(PWD), PWD), (context(PWD, 'better'), MFA), (context(PWD, 'minimum'), PWD)):
            form = Form(b.get(sp.redirect(sp.request(age=-self.shift, inside=wish))))
            self.assertEqual(form.status(), ('Success',))
            self.assertEqual(form.text('.//saml:AuthnContextClassRef'), [told])
        plain = self.person('thea')
        page = plain.follow(plain.get(sp.redirect(sp.request(age=-self.shift, inside=context(MFA)))))
        self.assertIn('Il faut une double vérification', page.text)

    def test_new_codes_from_the_counter_and_the_end_of_an_account(self):
        b = self.person('gil')
        key, done = self.add_totp(b)
        self.add_passkey(b)
        count = lambda: self.s.sql("SELECT (SELECT count(*) FROM factor_totp) + (SELECT count(*) FROM factor_passkey) + "
                                   "(SELECT count(*) FROM factor_recovery)")
        before = int(count())
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{b.handle}/block', {'reason': 'lost'}).status, 200)
        self.assertEqual(int(count()), before, 'a block alone drops nothing')
        rekey = secrets_token(24)
        r = self.s.door('POST', f'/v1/accounts/{b.handle}/reissue', {'what': 'all'}, key=rekey)
        self.assertEqual(r.status, 200, r.text)
        self.assertEqual(int(count()), before - 12)
        codes = self.s.unseal(r.json()['sealed'], rekey)
        self.s.activate(codes, 'gil@courriel.example', 'gil-neuf', PASSWORD)
        n = Browser(self.s)
        self.assertEqual(n.follow(n.sign_in('gil-neuf', PASSWORD)).status, 200)
        self.assertTrue(self.signed_in(n), 'the password is enough again')

    def test_a_session_costs_no_more_than_before(self):
        """Passkeys add no round trip to SSO: what a sign-on of a live session asks of the database, counted."""
        b = self.person('vera')
        got, asked = {}, 0
        for label in ('password', 'two factors'):
            if label == 'two factors':
                self.add_passkey(b)
            for _ in range(6):                           # the first makes what is made on first use
                self.answer(b.get(self.url(), port=self.s.port2))
            asked += 6
            end = time.monotonic() + 30
            while len(self.trips('oidc.authorize')) < asked and time.monotonic() < end:
                time.sleep(0.05)
            got[label] = self.trips('oidc.authorize')[-5:]
        self.assertEqual(got, {'password': [1] * 5, 'two factors': [1] * 5})


if __name__ == '__main__':
    unittest.main(verbosity=2)
