"""From the town door to a signed-in citizen and the block, over two web nodes and a worker (P-035…P-058)."""
import threading, unittest
from beffroi import *

PASSWORD = 'corail tambour 47 lune'
PAGE_LEAVES_NO_TRACE = 'CANARI-7731'


class Spine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s = cls.enterClassContext(System()) if hasattr(cls, 'enterClassContext') else System().__enter__()
        cls.count = 0

    @classmethod
    def tearDownClass(cls):
        if not hasattr(cls, 'enterClassContext'):
            cls.s.__exit__(None, None, None)

    def name(self):
        type(self).count += 1
        return f'personne{self.count}'

    def citizen(self, **body):
        login = self.name()
        handle, codes = self.s.citizen(login, PASSWORD, **body)
        return login, handle, codes

    # --- the town door ---------------------------------------------------------------------------------------------
    def test_door_asks_for_a_certificate(self):
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            self.s.door('GET', '/v1/health', town=None)
        self.assertEqual(self.s.door('GET', '/v1/health').status, 200)

    def test_unknown_member_is_refused_and_its_value_not_logged(self):
        good = {'type': 'password', 'handle': secrets_token(24), 'lang': 'fr'}
        for extra in ({'nom': PAGE_LEAVES_NO_TRACE}, {'prenom': PAGE_LEAVES_NO_TRACE}, {PAGE_LEAVES_NO_TRACE: 1}):
            r = self.s.door('POST', '/v1/accounts', {**good, **extra}, key=secrets_token(24))
            self.assertEqual(r.status, 400, r.text)
            self.assertEqual(r.json()['type'], 'urn:beffroi:problem:wire.unknown_member')
            self.assertNotIn('7731', r.text)
        for value in ('court', 'x' * 65, 'é' * 30, ''):
            r = self.s.door('POST', '/v1/accounts', {**good, 'handle': value}, key=secrets_token(24))
            self.assertEqual(r.status, 400)
        self.assertEqual(self.s.door('POST', '/v1/accounts', good).status, 400, 'no Idempotency-Key')
        self.assertEqual(self.s.door('POST', '/v1/accounts', '{"type":"password","type":"password"}', key=secrets_token(24)).status, 400)
        self.assertEqual(self.s.door('POST', '/v1/accounts', good, key=secrets_token(24)).status, 201)
        for log in ('idp1', 'idp2', 'worker'):
            self.assertNotIn(PAGE_LEAVES_NO_TRACE, self.s.log(log))

    def test_same_key_is_one_account_on_either_node(self):
        key, body = secrets_token(24), {'type': 'password', 'handle': secrets_token(24), 'lang': 'en'}
        first = self.s.door('POST', '/v1/accounts', body, key=key)
        again = self.s.door('POST', '/v1/accounts', body, key=key, port=self.s.door_port2)
        self.assertEqual((first.status, again.status), (201, 201))
        self.assertEqual(first.json()['sealed'], again.json()['sealed'])
        other = self.s.door('POST', '/v1/accounts', {**body, 'lang': 'fr'}, key=key)
        self.assertEqual((other.status, other.json()['type']), (409, 'urn:beffroi:problem:idempotency.body'))
        taken = self.s.door('POST', '/v1/accounts', body, key=secrets_token(24))
        self.assertEqual((taken.status, taken.json()['type']), (409, 'urn:beffroi:problem:account.handle'))
        self.assertEqual(self.s.door('POST', f"/v1/accounts/{body['handle']}/ack").status, 200)
        self.assertEqual(self.s.door('POST', f"/v1/accounts/{body['handle']}/ack").status, 200)
        self.assertNotIn('sealed', self.s.door('POST', '/v1/accounts', body, key=key).json())

    def test_parallel_calls_with_one_key(self):
        key, body, got = secrets_token(24), {'type': 'password', 'handle': secrets_token(24)}, []
        threads = [threading.Thread(target=lambda p=p: got.append(self.s.door('POST', '/v1/accounts', body, key=key, port=p)))
                   for p in (self.s.door_port, self.s.door_port2) * 6]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual({r.status for r in got}, {201})
        self.assertEqual(len({r.json()['sealed'] for r in got}), 1)

    def test_one_town_never_reaches_another(self):
        if not os.path.exists(self.s.path('town-autre.pem')):
            self.s.add_town('autre')
        handle, codes = self.s.create()
        h = f'/v1/accounts/{handle}'
        for method, path, body, key in (
                ('GET', h, None, None), ('POST', h + '/ack', None, None),
                ('PUT', h + '/authorisations', {'authorisations': []}, None),
                ('POST', h + '/reissue', {'what': 'all'}, secrets_token(24)),
                ('POST', h + '/block', {'reason': 'lost'}, None), ('POST', h + '/close', {'reason': 'error'}, None),
                ('POST', '/v1/blocks', {'code': codes['revocation']}, None)):
            self.assertEqual(self.s.door(method, path, body, 'autre', key).status, 404, path)
        self.assertNotIn(handle, self.s.door('GET', '/v1/changes?limit=200', town='autre').text)
        self.assertEqual(self.s.door('GET', h).json()['state'], 'pending')
        self.s.issue('town-inconnue')
        self.assertEqual(self.s.door('GET', '/v1/health', town='inconnue').status, 403)
        self.s.command('town', 'suspend', 'autre')
        self.assertEqual(self.s.door('GET', '/v1/health', town='autre').status, 403)
        self.s.command('town', 'resume', 'autre')
        self.assertEqual(self.s.door('GET', '/v1/health', town='autre').status, 200)

    def test_reissue_kills_the_old_codes(self):
        handle, old = self.s.create()
        key = secrets_token(24)
        r = self.s.door('POST', f'/v1/accounts/{handle}/reissue', {'what': 'all'}, key=key)
        self.assertEqual(r.status, 200, r.text)
        new = self.s.unseal(r.json()['sealed'], key)
        again = self.s.door('POST', f'/v1/accounts/{handle}/reissue', {'what': 'all'}, key=key)
        self.assertEqual(again.json()['sealed'], r.json()['sealed'])
        seen = len(self.s.sink.messages)
        self.assertTrue(self.s.mail('vieux@courriel.example', old['creation']).startswith('250'))
        login = self.name()
        self.s.activate(new, f'{login}@courriel.example', login, PASSWORD)
        self.assertFalse([m for to, m in self.s.sink.messages[seen:] if 'vieux@courriel.example' in to])
        self.assertEqual(Browser(self.s).post('/blocage', {'code': old['revocation']}).status, 410)

    def test_changes_follow_a_cursor(self):
        handle, _ = self.s.create()
        seen, cursor = [], ''
        while True:
            page = self.s.door('GET', f'/v1/changes?limit=7&after={cursor}').json()
            if not page['changes']:
                break
            seen += page['changes']
            cursor = page['next']
        self.assertEqual(len({c['cursor'] for c in seen}), len(seen))
        self.assertEqual([c['what'] for c in seen if c['handle'] == handle], ['create', 'ack'])
        self.assertEqual(self.s.door('GET', '/v1/changes?after=zut').status, 400)

    # --- mail ---------------------------------------------------------------------------------------------------------
    def test_machines_and_strangers_get_no_answer(self):
        _, codes = self.s.create()
        seen = len(self.s.sink.messages)
        for sender, subject, headers in (
                ('robot@courriel.example', codes['creation'], ['Auto-Submitted: auto-replied']),
                ('liste@courriel.example', codes['creation'], ['List-Id: <l.example>']),
                ('masse@courriel.example', codes['creation'], ['Precedence: bulk']),
                ('inconnu@courriel.example', 'ABCD-EFGH-JKMN', []),
                ('bonjour@courriel.example', 'Bonjour', [])):
            self.assertTrue(self.s.mail(sender, subject, headers=headers).startswith('250'), subject)
        login = self.name()
        self.s.activate(codes, f'{login}@courriel.example', login, PASSWORD)
        self.assertEqual({to[0] for to, _ in self.s.sink.messages[seen:]}, {f'{login}@courriel.example'})

    def test_second_address_gets_no_link(self):
        handle, codes = self.s.create()
        seen = len(self.s.sink.messages)
        self.s.mail('premier@courriel.example', 'Re: ' + codes['creation'])
        self.s.sink.wait('premier@courriel.example', seen)
        seen = len(self.s.sink.messages)
        self.s.mail('second@courriel.example', codes['creation'])
        text = self.s.sink.wait('second@courriel.example', seen).get_content()
        self.assertNotIn('/activate/', text)
        self.s.sink.wait('premier@courriel.example', seen)
        self.assertTrue(self.s.door('GET', f'/v1/accounts/{handle}').json()['contested'])

    def test_mail_answer_lost_is_repeated_with_the_same_id(self):
        _, codes = self.s.create()
        seen = len(self.s.sink.messages)
        self.s.sink.cut = 1
        self.s.mail('perdu@courriel.example', codes['creation'])
        first = self.s.sink.wait('perdu@courriel.example', seen, 40)
        self.s.command('clock', '--advance', '20s')
        second = self.s.sink.wait('perdu@courriel.example', seen + 1, 40)
        self.assertEqual(first['Message-ID'], second['Message-ID'])
        self.assertEqual(first.get_content(), second.get_content())

    # --- activation -----------------------------------------------------------------------------------------------------
    def link(self, codes, address):
        seen = len(self.s.sink.messages)
        self.s.mail(address, codes['creation'])
        text = self.s.sink.wait(address, seen).get_content()
        return (re.search(r'https://\S+/activate/\S+', text).group(0), re.search(r'\b\d{4} \d{4}\b', text).group(0))

    def wrong_code(self, right):
        """Another code with a good check digit: tried until the page says « wrong », not « typing mistake »."""
        digits = right.replace(' ', '')
        for d in range(10):
            for e in range(10):
                other = digits[:6] + str(d) + str(e)
                if other != digits:
                    yield other

    def test_get_changes_nothing_and_five_wrong_codes_end_the_link(self):
        _, codes = self.s.create()
        url, code = self.link(codes, 'essais@courriel.example')
        b = Browser(self.s)
        for _ in range(100):
            self.assertEqual(b.get(url).status, 200)
        self.assertEqual(b.request('HEAD', url).status, 200)
        csrf, wrong = b.csrf(b.get(url)), 0
        for other in self.wrong_code(code):
            r = b.post(url, {'csrf': csrf, 'code': other})
            if 'faute de frappe' in r.text:
                self.assertEqual(r.status, 422)
                continue
            wrong += 1
            self.assertEqual(r.status, 410 if wrong == 5 else 422, wrong)
            if wrong == 5:
                break
        self.assertEqual(wrong, 5)
        self.assertEqual(b.post(url, {'csrf': csrf, 'code': code}).status, 410)
        url, code = self.link(codes, 'essais@courriel.example')
        self.assertEqual(b.post(url, {'csrf': csrf, 'code': code}).status, 303)

    def test_csrf_and_stage(self):
        _, codes = self.s.create()
        url, code = self.link(codes, 'jeton@courriel.example')
        b = Browser(self.s)
        b.get(url)
        self.assertEqual(b.post(url, {'code': code}).status, 403)
        self.assertEqual(b.post(url, {'csrf': 'x' * 43, 'code': code}).status, 403)
        self.assertEqual(b.get(url + '/' + secrets_token(16)).headers['Location'], url)
        csrf = b.csrf(b.get(url))
        step = b.post(url, {'csrf': csrf, 'code': code.replace(' ', '-')}).headers['Location']
        for login, password in (('ab', PASSWORD), ('admin', PASSWORD), ('moi@ici.fr', PASSWORD), (self.name(), 'court'),
                                (self.name(), 'aaaaaaaaaaaa'), ('lecamille', 'lecamille2024xx'), (self.name(), '')):
            self.assertEqual(b.post(step, {'csrf': csrf, 'login': login, 'password': password}).status, 422, (login, password))
        login = self.name()
        got = []
        threads = [threading.Thread(target=lambda: got.append(b.post(step, {'csrf': csrf, 'login': login, 'password': PASSWORD}).status))
                   for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(got.count(200), 1, got)
        self.assertEqual(set(got) - {200}, {410})
        self.assertEqual(b.get(url).status, 410)

    def test_a_taken_name_offers_others(self):
        login, _, _ = self.citizen()
        _, codes = self.s.create()
        url, code = self.link(codes, 'pris@courriel.example')
        b = Browser(self.s)
        csrf = b.csrf(b.get(url))
        step = b.post(url, {'csrf': csrf, 'code': code}).headers['Location']
        r = b.post(step, {'csrf': csrf, 'login': login.upper(), 'password': PASSWORD})
        self.assertEqual(r.status, 422)
        self.assertIn('id="suggestions"', r.text)

    def test_sheet_number_is_asked_with_the_code(self):
        handle, codes = self.s.create(sensitive=True, authorisations=[{'code': 'peut_voter'}])
        self.assertRegex(codes['sheet'], r'^\d{4}$')
        url, code = self.link(codes, 'feuille@courriel.example')
        b = Browser(self.s)
        page = b.get(url)
        self.assertIn('name="sheet"', page.text)
        bad = '0000' if codes['sheet'] != '0000' else '1111'
        self.assertEqual(b.post(url, {'csrf': b.csrf(page), 'code': code, 'sheet': bad}).status, 422)
        self.assertEqual(b.post(url, {'csrf': b.csrf(page), 'code': code, 'sheet': codes['sheet']}).status, 303)

    # --- sign-in ----------------------------------------------------------------------------------------------------------
    def test_sign_in_on_one_node_holds_on_the_other(self):
        login, _, _ = self.citizen()
        b = Browser(self.s)
        page = b.follow(b.get('/login'))
        r = b.post(b.at, {'csrf': b.csrf(page), 'login': login.upper(), 'password': PASSWORD}, port=self.s.port2)
        self.assertEqual(r.status, 303, r.text[:300])
        self.assertIn('<h1>Ma page', b.follow(r).text)
        self.assertIn('<h1>Ma page', b.get('/', port=self.s.port2).text)

    def test_wrong_name_and_wrong_password_look_the_same(self):
        login, _, _ = self.citizen()
        texts = []
        for name in (login, 'jamais-vu-' + secrets_token(6)):
            r = Browser(self.s).sign_in(name, 'pas le bon mot de passe')
            self.assertEqual(r.status, 422)
            text = r.text.replace(name, 'NAME')
            texts.append(re.sub(r'name="csrf" value="[^"]*"|/signon/[\w-]+|value="[^"]*"', '', text))
        self.assertEqual(texts[0], texts[1])

    def test_a_failed_visit_stands_on_my_page(self):
        login, _, _ = self.citizen()
        self.assertEqual(Browser(self.s).sign_in(login, 'pas le bon mot de passe').status, 422)
        b = Browser(self.s)
        self.assertIn('refusé', b.follow(b.sign_in(login, PASSWORD)).text)

    def test_guessing_is_slowed_and_never_locks_out(self):
        login, _, _ = self.citizen()
        statuses = [Browser(self.s).sign_in(login, 'mauvais %d' % i).status for i in range(9)]
        self.assertIn(429, statuses)
        self.s.command('clock', '--advance', '2min')
        self.assertEqual(Browser(self.s).sign_in(login, PASSWORD).status, 303)

    def test_logout_ends_the_session_for_good(self):
        login, _, _ = self.citizen()
        b = Browser(self.s)
        b.follow(b.sign_in(login, PASSWORD))
        kept = dict(b.cookies)
        page = b.get('/logout')
        self.assertEqual(b.get('/logout').status, 200)
        self.assertIn('<h1>Ma page', b.get('/').text)
        self.assertEqual(b.post('/logout', {'csrf': b.csrf(page)}).status, 200)
        b.cookies = kept
        self.assertNotIn('<h1>Ma page', b.get('/').text)

    def test_my_page_changes_password_and_forgets_the_address(self):
        login, _, _ = self.citizen()
        a, b = Browser(self.s), Browser(self.s)
        for x in (a, b):
            x.follow(x.sign_in(login, PASSWORD))
        page = a.get('/ma-page/mot-de-passe')
        csrf = a.csrf(page)
        post = lambda **f: a.post('/ma-page/mot-de-passe', {'csrf': csrf, **f})
        for current, new in (('faux faux faux', 'grue ardoise 81 plume'), (PASSWORD, 'court'), (PASSWORD, PASSWORD)):
            self.assertEqual(post(current=current, password=new).status, 422)
        self.assertEqual(post(current=PASSWORD, password='grue ardoise 81 plume').status, 303)
        self.assertIn('<h1>Ma page', a.get('/').text)
        self.assertNotIn('<h1>Ma page', b.get('/').text)
        self.assertEqual(Browser(self.s).sign_in(login, PASSWORD).status, 422)
        self.assertEqual(Browser(self.s).sign_in(login, 'grue ardoise 81 plume').status, 303)
        account = self.s.sql(f"SELECT account_id FROM login WHERE login_folded = '{login}'")
        login, _, _ = self.citizen(keep_mail=True)
        address = f'{login}@courriel.example'
        a = Browser(self.s)
        a.follow(a.sign_in(login, PASSWORD))
        account = self.s.sql(f"SELECT account_id FROM login WHERE login_folded = '{login}'")
        csrf, seen = a.csrf(a.get('/')), len(self.s.sink.messages)
        forget = lambda: a.post('/ma-page/adresse', {'csrf': csrf}).status
        self.assertEqual((forget(), forget()), (303, 303))
        self.assertEqual(self.s.sql(f"SELECT count(*) FROM contact WHERE account_id = '{account}'"), '0')
        # whoever did it, its holder hears it once more, with the way to block
        text = self.s.sink.wait(address, seen).get_content()
        self.assertIn('adresse de courriel a été retirée', text)
        self.assertIn('/blocage', text)

    def test_my_page_ends_the_other_sessions(self):
        login, _, _ = self.citizen()
        a, b = Browser(self.s), Browser(self.s)
        a.follow(a.sign_in(login, PASSWORD))
        self.assertNotIn('sessions-end', a.get('/').text)
        b.follow(b.sign_in(login, PASSWORD))
        page = a.get('/', port=self.s.port2)
        self.assertEqual(page.text.count('127.0.0.0/24'), 2)
        account = self.s.sql(f"SELECT account_id FROM login WHERE login_folded = '{login}'")
        # A service that answered to the other session is told.
        self.s.sql("INSERT INTO signon (service_id, request_key, session_digest, account_id, at, name_id, session_index, method, "
                   "auth_time, authz, session_idle, town) SELECT 999999, token_digest, token_digest, account_id, created_at, 'n', "
                   f"'elsewhere-{login}', 1, auth_time, authz, idle_until, town FROM session WHERE account_id = '{account}' "
                   "ORDER BY created_at DESC LIMIT 1")
        self.assertEqual(a.post('/ma-page/sessions', {'csrf': 'x'}).status, 403)
        self.assertIn('<h1>Ma page', b.get('/').text)
        r = a.post('/ma-page/sessions', {'csrf': a.csrf(page)})
        self.assertEqual(r.status, 303)
        self.assertIn('<h1>Ma page', a.follow(r).text)
        self.assertNotIn('<h1>Ma page', b.get('/').text)
        self.assertEqual(self.s.sql(f"SELECT count(*) FROM job WHERE kind = 'signon.ended' AND key = 'elsewhere-{login}'"), '1')
        self.assertEqual(self.s.sql(f"SELECT detail ->> 'ended' FROM audit_event WHERE object = 'account:{account}' "
                                    "AND verb = 'session.end_others'"), '1')

    def test_my_data_are_all_there_and_mine_only(self):
        login, handle, codes = self.citizen(keep_mail=True, authorisations=[{'code': 'peut_voter'}])
        b = Browser(self.s)
        self.assertEqual(b.get('/ma-page/donnees').status, 401)
        Browser(self.s).sign_in(login, 'pas le bon mot')
        b.follow(b.sign_in(login, PASSWORD))
        r = b.get('/ma-page/donnees')
        self.assertEqual((r.status, r.headers['Content-Type'].split(';')[0]), (200, 'application/json'))
        self.assertIn('attachment', r.headers['Content-Disposition'])
        self.assertEqual(r.headers['Cache-Control'], 'no-store')
        d = r.json()
        self.assertEqual((d['account']['user_name'], d['account']['kept_address'], d['account']['state']),
                         (login, f'{login}@courriel.example', 'active'))
        self.assertEqual([x['code'] for x in d['rights']], ['peut_voter'])
        self.assertEqual([x['result'] for x in d['visits']], ['ok', 'wrong'])
        self.assertEqual([x['this_one'] for x in d['sessions']], [True])
        self.assertEqual({x['kind']: x['state'] for x in d['codes']}, {'creation': 'used', 'revocation': 'live'})
        for secret in ('argon2', codes['revocation'], b.cookies['__Host-beffroi']):
            self.assertNotIn(secret, r.text)

    # --- blocking -----------------------------------------------------------------------------------------------------------
    def test_block_by_code_shuts_everything_at_once(self):
        login, handle, codes = self.citizen()
        b = Browser(self.s)
        b.follow(b.sign_in(login, PASSWORD))
        typed = '-'.join(codes['revocation'][i:i + 4].lower() for i in range(0, 16, 4))
        public = Browser(self.s, self.s.port2)
        r = public.post('/blocage', {'code': typed})
        self.assertEqual(r.status, 200)
        for port in (self.s.port, self.s.port2):
            self.assertNotIn('<h1>Ma page', b.get('/', port=port).text)
        self.assertEqual(Browser(self.s).sign_in(login, PASSWORD).status, 403)
        ref = re.search(r'name="ref" value="([^"]+)"', r.text).group(1)
        done = public.post('/blocage', {'ref': ref, 'reason': 'lost'})
        self.assertEqual(done.status, 200)
        receipt = re.search(r'B-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}', done.text).group(0)
        again = public.post('/blocage', {'code': typed})
        self.assertEqual(again.status, 200)
        self.assertIn(receipt, again.text)
        account = self.s.door('GET', f'/v1/accounts/{handle}').json()
        self.assertEqual((account['state'], account['final']), ('suspended', False))
        self.assertEqual(public.post('/blocage', {'ref': ref[:-2] + 'xx', 'reason': 'stolen'}).status, 422)

    def blocked_mail(self, login, after=0):
        return self.s.sink.wait(f'{login}@courriel.example', after)

    def test_a_block_is_told_by_mail_to_who_kept_an_address(self):
        """Each way of blocking; in the citizen's language, with the receipt; once, however often it is blocked."""
        session = lambda b: b.post('/ma-page/blocage', {'csrf': b.csrf(b.get('/ma-page/blocage')), 'reason': 'stolen'})
        ways = (('fr', 'Votre compte est bloqué', lambda b, h, c: Browser(self.s).post('/blocage', {'code': c['revocation']})),
                ('en', 'Your account is blocked', lambda b, h, c: self.s.door('POST', f'/v1/accounts/{h}/block', {'reason': 'lost'})),
                ('fr', 'Votre compte est bloqué', lambda b, h, c: session(b)))
        for lang, subject, block in ways:
            login, handle, codes = self.citizen(keep_mail=True, lang=lang)
            b = Browser(self.s)
            b.follow(b.sign_in(login, PASSWORD))
            seen = len(self.s.sink.messages)
            self.assertEqual(block(b, handle, codes).status, 200)
            m = self.blocked_mail(login, seen)
            self.assertEqual(m['Subject'], subject)
            again = Browser(self.s).post('/blocage', {'code': codes['revocation']})
            receipt = re.search(r'B-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}', again.text).group(0)
            text = m.get_content()
            self.assertIn(receipt, text)
            self.assertIn('Town of Rivemont' if lang == 'en' else 'Ville de Rivemont', text)
            self.assertIn('It was not you?' if lang == 'en' else "Ce n'était pas vous", text)
            self.assertNotIn(handle, text)
            # A second block and a second run of the job: still one mail.
            self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/block', {'reason': 'stolen'}).status, 200)
            account = self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}'")
            self.s.sql("UPDATE job SET state = 'due', ended_at = NULL, run_at = created_at, payload = convert_to(key, 'UTF8') "
                       f"WHERE kind = 'account.blocked' AND key LIKE '{account}%'")
            self.wait_jobs(f"kind = 'account.blocked' AND key LIKE '{account}%'")
            self.wait_jobs("kind = 'mail.out'")
            self.assertEqual(len([to for to, _ in self.s.sink.messages[seen:] if f'{login}@courriel.example' in to]), 1)

    def wait_jobs(self, which):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.s.sql(f"SELECT count(*) FROM job WHERE state = 'due' AND {which}") != '0':
            time.sleep(0.05)
        self.assertEqual(self.s.sql(f"SELECT count(*) FROM job WHERE state <> 'done' AND {which}"), '0')

    def test_a_block_without_a_kept_address_and_a_death_are_told_to_nobody(self):
        mails = lambda handle: self.s.sql("SELECT count(*) FROM job WHERE kind = 'mail.out' AND key LIKE 'blocked:' || "
                                          f"(SELECT id::text FROM account WHERE handle = '{handle}') || '%'")
        login, handle, codes = self.citizen()
        self.assertEqual(Browser(self.s).post('/blocage', {'code': codes['revocation']}).status, 200)
        self.wait_jobs("kind = 'account.blocked'")
        self.assertEqual(mails(handle), '0')

        # Closed for a death: no notice, and the address is forgotten.
        login, handle, codes = self.citizen(keep_mail=True)
        contact = ("SELECT count(*) FROM contact c JOIN account a ON a.id = c.account_id "
                   f"WHERE a.handle = '{handle}'")
        self.assertEqual(self.s.sql(contact), '1')
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/close', {'reason': 'death'}).status, 200)
        self.wait_jobs("kind = 'account.left'")
        self.assertEqual((mails(handle), self.s.sql(contact)), ('0', '0'))

        # Blocked, and closed for a death before the worker came to it.
        login, handle, codes = self.citizen(keep_mail=True)
        self.s.stop('worker')
        self.assertEqual(Browser(self.s).post('/blocage', {'code': codes['revocation']}).status, 200)
        self.s.sql(f"UPDATE account SET state = 'closed', reason = 'death' WHERE handle = '{handle}'")
        self.s.spawn('worker', 'worker')
        self.wait_jobs("kind = 'account.blocked'")
        self.assertEqual(mails(handle), '0')
        self.s.wait_port(self.s.lmtp_port, 'worker')

    def test_typing_mistakes_are_told_without_looking(self):
        b = Browser(self.s)
        before = self.s.sql('SELECT count(*) FROM throttle')
        for typed in ('', 'ABC', '0' * 16, '6Q4N-RHR4-NQKY-GX8S', 'G6J7-2QGR-RB3K'):
            self.assertEqual(b.post('/blocage', {'code': typed}).status, 422, typed)
        self.assertEqual(self.s.sql('SELECT count(*) FROM throttle'), before)
        self.assertEqual(b.post('/blocage', {'code': '6Q4N-RHR4-NQKY-GX8R'}).status, 404)

    def test_sixty_four_blocks_at_once_are_one(self):
        login, handle, codes = self.citizen()
        got = []
        threads = [threading.Thread(target=lambda p=p: got.append(Browser(self.s, p).post('/blocage', {'code': codes['revocation']})))
                   for p in (self.s.port, self.s.port2) * 32]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual({r.status for r in got}, {200})
        self.assertEqual(sum('name="ref"' in r.text for r in got), 1)
        account = self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}'")
        self.assertEqual(self.s.sql(f"SELECT count(*) FROM audit_event WHERE object = 'account:{account}' "
                                    "AND verb = 'account.revoke'"), '1')

    def test_block_before_activation_then_new_codes(self):
        handle, codes = self.s.create()
        self.assertEqual(Browser(self.s).post('/blocage', {'code': codes['revocation']}).status, 200)
        self.assertEqual(self.s.door('GET', f'/v1/accounts/{handle}').json()['state'], 'closed')
        key = secrets_token(24)
        r = self.s.door('POST', f'/v1/accounts/{handle}/reissue', {'what': 'all'}, key=key)
        self.assertEqual((r.status, r.json()['state']), (200, 'pending'))
        login = self.name()
        self.s.activate(self.s.unseal(r.json()['sealed'], key), f'{login}@courriel.example', login, PASSWORD)

    def test_blocking_page_is_light_and_needs_nothing(self):
        page = Browser(self.s).get('/blocage')
        self.assertLess(len(page.body), 50_000)
        self.assertNotIn('<script>', page.text)

    def test_each_process_has_its_own_keys_and_no_other(self):
        has = {p: set(os.listdir(self.s.path('keys-' + p))) for p in ('web', 'worker', 'notifier')}
        sign = {'saml.pem', 'saml-cert.der', 'oidc-rs256.pem', 'oidc-es256.pem'}
        self.assertEqual(has['notifier'], sign)
        self.assertEqual(has['worker'], {'audit.pem', 'pepper', 'field'})
        self.assertEqual(has['web'], sign | {'csrf.key', 'pepper', 'field', 'pair'})
        # All of them run with these (this system does), and none without a file of its own.
        os.rename(self.s.path('keys-worker', 'audit.pem'), self.s.path('away'))
        p = run(self.s.bin, 'worker', '--config', self.s.path('worker.conf'), check=False)
        os.rename(self.s.path('away'), self.s.path('keys-worker', 'audit.pem'))
        self.assertEqual(p.returncode, 1)
        self.assertIn('audit.pem', p.stderr)

    def doctor(self, name, *more):
        p = run(self.s.bin, 'doctor', '--json', '--config', self.s.path(name + '.conf'), *more, check=False)
        d = json.loads(p.stdout)
        self.assertEqual(p.returncode, 1 if d['status'] == 'fail' else 0)
        return {(c['check'], c['status']) for c in d['checks']}, p.stdout

    def test_the_doctor_finds_what_is_wrong_and_nothing_else(self):
        failed = lambda got: {check for check, status in got[0] if status == 'fail'}
        self.wait_jobs("kind <> 'signon.ended'")
        self.s.command('clock', '--advance', '2s')
        for name, process in (('operator', ()), ('idp1', ('--for', 'web')), ('worker', ('--for', 'worker')),
                              ('notifier', ('--for', 'notifier'))):
            got = self.doctor(name, *process)
            self.assertEqual(failed(got), set(), got[1])
        text = run(self.s.bin, 'doctor', '--config', self.s.path('worker.conf'), '--for', 'worker').stdout
        self.assertRegex(text, r'(?m)^ok +mail in ')
        # A key of another process, a folder that lets others in, one below a data directory, a key that is missing.
        got = self.doctor('idp1', '--for', 'worker')
        self.assertEqual(failed(got), {'keys'})
        self.assertIn('saml.pem belongs to another process', got[1])
        os.chmod(self.s.path('keys-web'), 0o750)
        self.assertEqual(failed(self.doctor('idp1', '--for', 'web')), {'keys'})
        os.chmod(self.s.path('keys-web'), 0o700)
        open(self.s.path('PG_VERSION'), 'w').close()
        self.assertIn('PostgreSQL data directory', self.doctor('idp1', '--for', 'web')[1])
        os.remove(self.s.path('PG_VERSION'))
        os.rename(self.s.path('keys-web', 'csrf.key'), self.s.path('away'))
        self.assertEqual(failed(self.doctor('idp1', '--for', 'web')), {'keys'})
        os.rename(self.s.path('away'), self.s.path('keys-web', 'csrf.key'))
        # Jobs given up, late and unsealed rows, processes that are away, mail that nobody takes.
        self.s.sql("INSERT INTO job (kind, key, payload, state, created_at, run_at, give_up_at, ended_at) "
                   "VALUES ('mail.out', 'dead-one', '', 'dead', now(), now(), now(), now())")
        self.assertIn(('jobs', 'warn'), self.doctor('operator')[0])
        self.s.sql("INSERT INTO job (kind, key, payload, created_at, run_at, give_up_at) VALUES ('no.such', 'late-one', '', "
                   "now() - interval '1 h', now() - interval '1 h', now() + interval '1 h')")
        self.assertEqual(failed(self.doctor('operator')), {'jobs'})
        self.s.sql("DELETE FROM job WHERE key IN ('dead-one', 'late-one')")
        self.s.stop('notifier')
        self.s.stop('worker')
        got = self.doctor('worker', '--for', 'worker')
        self.assertEqual(failed(got), {'processes', 'mail in'}, got[1])
        self.s.spawn('worker', 'worker')
        self.s.spawn('notifier', 'notifier')
        self.s.wait_port(self.s.lmtp_port, 'worker')
        self.assertEqual(run(self.s.bin, 'doctor', '--config', self.s.path('no.conf'), check=False).returncode, 1)
        self.assertEqual(run(self.s.bin, 'doctor', '--config', self.s.conf, '--for', 'mairie', check=False).returncode, 2)

    # --- the house ------------------------------------------------------------------------------------------------------------
    def test_codes_are_nowhere_in_the_database(self):
        login, handle, codes = self.citizen()
        dump = run('pg_dump', '--inserts', self.s.admin).stdout.lower()
        for secret in (codes['creation'], codes['revocation'], f'{login}@courriel.example'):
            for form in (secret, base64.b64encode(secret.encode()).decode(), secret.encode().hex()):
                self.assertNotIn(form.lower(), dump)

    def test_audit_trail_holds_and_names_an_edit(self):
        self.citizen()
        self.s.command('clock', '--advance', '5s')
        time.sleep(2)
        self.assertEqual(json.loads(self.s.command('audit', 'verify').stdout)['bad_seq'], 0)
        seq = self.s.sql('SELECT min(seq) + 2 FROM audit_event')
        self.s.sql('ALTER TABLE audit_event DISABLE TRIGGER ALL; '
                   f"UPDATE audit_event SET actor = 'somebody' WHERE seq = {seq}; "
                   'ALTER TABLE audit_event ENABLE TRIGGER ALL')
        bad = self.s.command('audit', 'verify', check=False)
        self.assertEqual((bad.returncode, json.loads(bad.stdout)['bad_seq']), (1, int(seq)))

    def test_z_pending_accounts_expire(self):
        handle, codes = self.s.create()
        self.s.command('clock', '--advance', '15d')
        self.s.command('clock', '--advance', '2min')
        end = time.monotonic() + 30
        while time.monotonic() < end and self.s.sql(f"SELECT state FROM account WHERE handle = '{handle}'") != 'erased':
            time.sleep(0.2)
        self.assertEqual(self.s.door('GET', f'/v1/accounts/{handle}').json()['state'], 'erased')


if __name__ == '__main__':
    unittest.main(verbosity=2)
