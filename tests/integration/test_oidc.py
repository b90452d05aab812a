"""OpenID Connect as a client sees it: code flow, refusals, replay, logout, two nodes (OpenID Connect Core §3.1)."""
import hashlib, unittest
from beffroi import *

PASSWORD = 'corail tambour 47 lune'
VERIFIER = 'abcdefghijklmnopqrstuvwxyz-0123456789._~ABCD'
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip('=')
BACK = 'https://sondage.example/retour'


def claims(jwt):
    part = jwt.split('.')[1]
    return json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))


class Oidc(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.s = cls.stack.enter_context(System(extra='eidas.password = low\neidas.card = high\neidas.reference = https://ssi.example/\n'))
        cls.addClassCleanup(cls.stack.close)
        cls.add('sondage', 'un-secret-assez-long', attributes=['authorisations', 'town'])
        cls.add('agenda', 'un-autre-secret-long', attributes=['authorisations:peut_voter'], id_token_signed_response_alg='ES256')
        cls.add('mobile', None, token_endpoint_auth_method='none')
        cls.s.citizen('camille', PASSWORD, authorisations=[{'code': 'peut_emprunter'}, {'code': 'peut_voter'}])
        cls.b = Browser(cls.s)
        cls.b.follow(cls.b.sign_in('camille', PASSWORD))

    @classmethod
    def add(cls, name, secret, **more):
        meta = {'client_id': name, 'client_name': name, 'redirect_uris': [BACK, 'https://sondage.example/autre?a=1'],
                'post_logout_redirect_uris': ['https://sondage.example/fin'], 'family': name, **more}
        if secret:
            meta['client_secret'] = secret
        with open(cls.s.path('client.json'), 'w') as f:
            json.dump(meta, f)
        return cls.s.command('client', 'add', cls.s.path('client.json'), '--replace')

    def url(self, **change):
        q = {'client_id': 'sondage', 'redirect_uri': BACK, 'response_type': 'code', 'scope': 'openid authorisations town',
             'state': 'é &=', 'nonce': 'n-1', 'code_challenge': CHALLENGE, 'code_challenge_method': 'S256'}
        q.update(change)
        return '/oidc/authorize?' + urllib.parse.urlencode({k: v for k, v in q.items() if v is not None})

    def answer(self, reply):
        self.assertEqual(reply.status, 302, reply.text[:300])
        self.assertTrue(reply.headers['Location'].startswith(BACK + '?'), reply.headers['Location'])
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(reply.headers['Location']).query))

    def code(self, browser=None, **change):
        got = self.answer((browser or self.b).get(self.url(**change)))
        self.assertEqual((got['state'], got['iss']), ('é &=', self.s.url))
        return got['code']

    def token(self, code, client='sondage', secret='un-secret-assez-long', port=None, auth='basic', **change):
        fields = {'grant_type': 'authorization_code', 'code': code, 'redirect_uri': BACK, 'code_verifier': VERIFIER}
        headers = {}
        if auth == 'basic':
            pair = f'{urllib.parse.quote_plus(client)}:{urllib.parse.quote_plus(secret)}'
            headers['Authorization'] = 'Basic ' + base64.b64encode(pair.encode()).decode()
        else:
            fields['client_id'] = client
            if secret:
                fields['client_secret'] = secret
        fields.update(change)
        return Browser(self.s, port).post('/oidc/token', {k: v for k, v in fields.items() if v is not None}, headers=headers)

    def userinfo(self, token, port=None):
        return Browser(self.s, port).get('/oidc/userinfo', headers={'Authorization': 'Bearer ' + token})

    def test_the_good_flow_over_two_nodes(self):
        r = self.token(self.code(port=None), port=self.s.port2)
        self.assertEqual(r.status, 200, r.text)
        self.assertEqual(r.headers['Cache-Control'], 'no-store')
        t, me = r.json(), claims(r.json()['id_token'])
        self.assertEqual((me['iss'], me['aud'], me['nonce'], me['amr']), (self.s.url, 'sondage', 'n-1', ['pwd']))
        self.assertEqual(me['at_hash'], base64.urlsafe_b64encode(
            hashlib.sha256(t['access_token'].encode()).digest()[:16]).decode().rstrip('='))
        info = self.userinfo(t['access_token']).json()
        self.assertEqual(info, {'sub': me['sub'], 'authorisations': ['peut_emprunter', 'peut_voter'], 'town': 'rivemont'})

    def test_two_families_share_nothing(self):
        a = claims(self.token(self.code()).json()['id_token'])
        r = self.token(self.code(client_id='agenda'), 'agenda', 'un-autre-secret-long', auth='post')
        b = claims(r.json()['id_token'])
        self.assertNotEqual(a['sub'], b['sub'])
        self.assertEqual(b['authorisations'], ['peut_voter'])
        self.assertNotIn('peut_emprunter', r.text)
        self.assertEqual(claims(self.token(self.code()).json()['id_token'])['sub'], a['sub'])

    def test_signatures_verify_with_the_published_keys(self):
        keys = {k['alg']: k for k in Browser(self.s).get('/oidc/jwks').json()['keys']}
        for client, secret, alg in (('sondage', 'un-secret-assez-long', 'RS256'), ('agenda', 'un-autre-secret-long', 'ES256')):
            jwt = self.token(self.code(client_id=client), client, secret).json()['id_token']
            head = json.loads(base64.urlsafe_b64decode(jwt.split('.')[0] + '=='))
            self.assertEqual((head['alg'], head['kid']), (alg, keys[alg]['kid']))

    def test_public_client_needs_pkce(self):
        self.assertEqual(self.answer(self.b.get(self.url(client_id='mobile', code_challenge=None, code_challenge_method=None)))['error'],
                         'invalid_request')
        code = self.code(client_id='mobile')
        self.assertEqual(self.token(code, 'mobile', None, auth='post').status, 200)

    def test_told_to_the_person_never_redirected(self):
        for change in ({'client_id': 'inconnu'}, {'client_id': None}, {'redirect_uri': BACK + '/'}, {'redirect_uri': None},
                       {'redirect_uri': BACK.upper()}, {'redirect_uri': BACK + '?x=1'}, {'redirect_uri': 'https://mechant.example/'}):
            r = self.b.get(self.url(**change))
            self.assertEqual(r.status, 400, change)
            self.assertNotIn('Location', r.headers)
        self.code()

    def test_told_to_the_client(self):
        for change, error in (({'response_type': 'token'}, 'unsupported_response_type'), ({'response_type': None}, 'invalid_request'),
                              ({'scope': 'profile'}, 'invalid_scope'), ({'scope': None}, 'invalid_scope'),
                              ({'code_challenge_method': 'plain'}, 'invalid_request'),
                              ({'code_challenge_method': None}, 'invalid_request'), ({'code_challenge': 'court'}, 'invalid_request'),
                              ({'prompt': 'none login'}, 'invalid_request'), ({'prompt': 'zut'}, 'invalid_request'),
                              ({'max_age': '-1'}, 'invalid_request'), ({'max_age': 'x'}, 'invalid_request'),
                              ({'request': 'x.y.z'}, 'request_not_supported'),
                              ({'request_uri': 'https://x.example/'}, 'request_uri_not_supported'),
                              ({'response_mode': 'fragment'}, 'invalid_request')):
            got = self.answer(self.b.get(self.url(**change)))
            self.assertEqual(got.get('error'), error, change)
            self.assertEqual(got['state'], 'é &=')
            self.assertNotIn('code', got)
        self.code()
        self.assertEqual(self.b.get(self.url() + '&nonce=2').status, 400, 'a parameter twice')

    def test_prompt_and_max_age(self):
        self.assertEqual(self.answer(Browser(self.s).get(self.url(prompt='none')))['error'], 'login_required')
        self.code(prompt='none')
        for change in ({'prompt': 'login'}, {'max_age': '0'}):
            b = Browser(self.s)
            b.cookies = dict(self.b.cookies)
            page = b.follow(b.get(self.url(**change)))
            self.assertIn('name="password"', page.text, change)
            r = b.follow(b.post(b.at, {'csrf': b.csrf(page), 'login': 'camille', 'password': PASSWORD}))
            first = claims(self.token(self.answer(r)['code']).json()['id_token'])
            self.assertLess(abs(first['iat'] - first['auth_time']), 20)
            type(self).b = b

    # --- introspection and revocation (RFC 7662, RFC 7009) ----------------------------------------------------------------
    def ask(self, what, token, client='sondage', secret='un-secret-assez-long', port=None, auth='basic', **more):
        fields, headers = {'token': token, **more}, {}
        if auth == 'basic':
            headers['Authorization'] = 'Basic ' + base64.b64encode(f'{client}:{secret}'.encode()).decode()
        else:
            fields.update({'client_id': client, 'client_secret': secret})
        return Browser(self.s, port).post(f'/oidc/{what}', {k: v for k, v in fields.items() if v is not None}, headers=headers)

    def inactive(self, reply):
        self.assertEqual((reply.status, reply.text), (200, '{"active":false}'))

    def test_introspection_tells_a_client_about_its_own_tokens(self):
        t = self.token(self.code()).json()
        me = claims(t['id_token'])
        for port, auth in ((self.s.port, 'basic'), (self.s.port2, 'post')):
            r = self.ask('introspect', t['access_token'], port=port, auth=auth, token_type_hint='refresh_token')
            self.assertEqual((r.status, r.headers['Cache-Control']), (200, 'no-store'))
            got = r.json()
            self.assertEqual(got.pop('exp') - got.pop('iat'), 600)
            self.assertEqual(got, {'active': True, 'scope': 'openid authorisations town', 'client_id': 'sondage', 'aud': 'sondage',
                                   'token_type': 'Bearer', 'sub': me['sub'], 'iss': self.s.url})
        # Another client's, invented, no access token at all: the same answer.
        self.inactive(self.ask('introspect', t['access_token'], 'agenda', 'un-autre-secret-long'))
        for other in ('x', '', t['access_token'][:-1], t['access_token'] + 'A', t['id_token'], self.code()):
            self.inactive(self.ask('introspect', other))
        for r in (self.ask('introspect', t['access_token'], secret='faux'), self.ask('introspect', t['access_token'], 'personne'),
                  self.ask('introspect', t['access_token'], 'mobile', None, auth='post')):
            self.assertEqual((r.status, r.json()['error']), (401, 'invalid_client'))
        self.assertEqual(self.ask('introspect', None).json()['error'], 'invalid_request')
        self.assertEqual(Browser(self.s).get('/oidc/introspect?token=x').status, 405)

    def test_a_blocked_account_has_no_active_token(self):
        _, codes = self.s.citizen('bloque2', PASSWORD)
        b = self.fresh('bloque2')
        token = self.token(self.code(b)).json()['access_token']
        self.assertTrue(self.ask('introspect', token).json()['active'])
        self.assertEqual(Browser(self.s).post('/blocage', {'code': codes['revocation']}).status, 200)
        for port in (self.s.port2, self.s.port):
            self.inactive(self.ask('introspect', token, port=port))

    def test_an_ended_session_and_an_old_token_are_inactive(self):
        b = self.fresh()
        token = self.token(self.code(b)).json()['access_token']
        self.assertTrue(self.ask('introspect', token).json()['active'])
        b.post('/logout', {'csrf': b.csrf(b.get('/logout'))})
        self.inactive(self.ask('introspect', token))
        token = self.token(self.code()).json()['access_token']
        self.s.sql("UPDATE signon SET token_until = token_until - interval '10 min' "
                   "WHERE token_digest = sha256(convert_to('" + token + "', 'UTF8'))")
        self.inactive(self.ask('introspect', token))

    def test_revocation_ends_one_token_of_the_client(self):
        one, two = (self.token(self.code()).json()['access_token'] for _ in range(2))
        gone = lambda r: self.assertEqual((r.status, r.body), (200, b''))
        gone(self.ask('revoke', one, 'agenda', 'un-autre-secret-long'))
        self.assertEqual(self.userinfo(one).status, 200, 'not its own')
        self.assertEqual(self.ask('revoke', one, secret='faux').status, 401)
        self.assertEqual(self.ask('revoke', None).json()['error'], 'invalid_request')
        gone(self.ask('revoke', one, port=self.s.port2))
        self.inactive(self.ask('introspect', one))
        self.assertEqual((self.userinfo(one).status, self.userinfo(two).status), (401, 200))
        for again in (one, 'invente', ''):
            gone(self.ask('revoke', again))
        # A public client names itself, and holds the token.
        token = self.token(self.code(client_id='mobile'), 'mobile', None, auth='post').json()['access_token']
        gone(self.ask('revoke', token, 'mobile', None, auth='post'))
        self.assertEqual(self.userinfo(token).status, 401)

    def test_discovery_names_both(self):
        d = Browser(self.s).get('/.well-known/openid-configuration').json()
        self.assertEqual((d['introspection_endpoint'], d['revocation_endpoint']),
                         (self.s.url + '/oidc/introspect', self.s.url + '/oidc/revoke'))
        self.assertNotIn('none', d['introspection_endpoint_auth_methods_supported'])

    def test_a_level_is_told_to_who_asks_in_its_words(self):
        password = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'
        for asked, told in ((None, password), ('eidas1', 'eidas1'), ('http://eidas.europa.eu/LoA/low', 'http://eidas.europa.eu/LoA/low'),
                            (f'{password} eidas1', 'eidas1'), ('urn:unknown', password),
                            ('eidas2', 'eidas1')):    # nobody offers more here: a wish (OpenID Connect Core 3.1.2.1)
            r = self.token(self.code(acr_values=asked))
            self.assertEqual((asked, claims(r.json()['id_token'])['acr']), (asked, told))
        words = Browser(self.s).get('/.well-known/openid-configuration').json()['acr_values_supported']
        self.assertIn('eidas1', words)
        self.assertNotIn('eidas3', words)                 # no card is trusted here
        path = self.s.path('claims.conf')
        with open(self.s.conf) as f, open(path, 'w') as g:
            g.write(f.read().replace('eidas.reference = https://ssi.example/', ''))
        refused = run(self.s.bin, '--check-config', path, check=False)
        self.assertIn('eidas.reference', refused.stderr)
        self.assertNotEqual(refused.returncode, 0)

    # --- what the person agrees to (DOMAIN 6.1, screen 8) ---------------------------------------------------------------
    def consent(self, browser, do='accept', **change):
        """Through the page that says what is released; returns the reply of the click and what the page listed."""
        page = browser.follow(browser.get(self.url(**change)))
        return self.click(browser, page, do)

    def click(self, browser, page, do='accept'):
        self.assertEqual(page.status, 200, page.text[:300])
        self.assertTrue(browser.at.endswith('/consent'), browser.at)
        shown = re.search(r'name="shown" value="([^"]*)"', page.text).group(1)
        return browser.post(browser.at, {'csrf': browser.csrf(page), 'shown': shown, 'do': do}), shown

    def fresh(self, login='camille'):
        b = Browser(self.s)
        b.follow(b.sign_in(login, PASSWORD))
        return b

    def test_first_time_is_asked_and_when_more_is_released(self):
        self.add('premiere', 'un-secret-assez-long', attributes=['authorisations', 'town'], consent='first')
        handle, _ = self.s.citizen('accord', PASSWORD, authorisations=[{'code': 'peut_emprunter'}])
        q = {'client_id': 'premiere'}
        self.assertEqual(self.answer(Browser(self.s).get(self.url(prompt='none', **q)))['error'], 'login_required')
        # Signing in for the service: the page comes after the password, and leads on to the service.
        b = Browser(self.s)
        page = b.follow(b.get(self.url(**q)))
        page = b.follow(b.post(b.at, {'csrf': b.csrf(page), 'login': 'accord', 'password': PASSWORD}))
        self.assertIn('premiere', page.text)
        self.assertIn('peut_emprunter', page.text)
        self.assertEqual(self.answer(b.get(self.url(prompt='none', **q)))['error'], 'consent_required')
        r, shown = self.click(b, page)
        self.assertEqual(shown, 'town authz:peut_emprunter')
        flow = r.headers['Location']
        code = self.answer(b.follow(r))['code']
        t = self.token(code, 'premiere').json()
        self.assertEqual(claims(t['id_token'])['authorisations'], ['peut_emprunter'])
        self.assertEqual(self.userinfo(t['access_token']).json()['town'], 'rivemont')
        self.assertIn('code', self.answer(b.get(flow)), 'Back')
        # Remembered, on the other node and in another browser.
        for other in (b, self.fresh('accord')):
            self.assertIn('code', self.answer(other.get(self.url(prompt='none', **q), port=self.s.port2)))
        # Less is no reason to ask; more is, and reaches no token before.
        self.assertIn('code', self.answer(b.get(self.url(scope='openid', **q))))
        put = lambda *codes: self.s.door('PUT', f'/v1/accounts/{handle}/authorisations',
                                         {'authorisations': [{'code': c} for c in codes]}).status
        self.assertEqual(put('peut_emprunter', 'peut_voter'), 200)
        self.assertEqual(self.userinfo(t['access_token']).json()['authorisations'], ['peut_emprunter'])
        self.assertEqual(self.answer(b.get(self.url(prompt='none', **q)))['error'], 'consent_required')
        self.assertIn('code', self.answer(b.get(self.url(scope='openid town', prompt='none', **q))))
        r, shown = self.consent(b, **q)
        self.assertEqual(shown, 'town authz:peut_emprunter authz:peut_voter')
        self.assertIn('code', self.answer(b.follow(r)))
        self.assertIn('code', self.answer(b.get(self.url(prompt='none', **q))))

    def test_a_right_given_between_page_and_click_is_asked_for(self):
        self.add('entre', 'un-secret-assez-long', attributes=['authorisations'], consent='first')
        handle, _ = self.s.citizen('entredeux', PASSWORD)
        b = self.fresh('entredeux')
        page = b.follow(b.get(self.url(client_id='entre')))
        self.assertEqual(self.s.door('PUT', f'/v1/accounts/{handle}/authorisations',
                                     {'authorisations': [{'code': 'peut_voter'}]}).status, 200)
        r, shown = self.click(b, page)
        self.assertEqual(shown, '')
        r, shown = self.click(b, b.follow(r))
        self.assertEqual(shown, 'authz:peut_voter')
        self.assertIn('code', self.answer(b.follow(r)))
        # What the page did not show cannot be slipped in, nor more than the policy gives.
        page = b.follow(b.get(self.url(client_id='entre', prompt='consent')))
        b.post(b.at, {'csrf': b.csrf(page), 'shown': 'town authz:autre authz:peut_voter', 'do': 'accept'})
        self.assertEqual(self.s.sql("SELECT items FROM consent c JOIN service v ON v.id = c.service_id WHERE v.name = 'entre'"),
                         'authz:peut_voter')

    def test_always_asks_each_time(self):
        self.add('toujours', 'un-secret-assez-long', attributes=['town'], consent='always')
        b = self.fresh()
        for _ in range(2):
            self.assertEqual(self.answer(b.get(self.url(client_id='toujours', prompt='none')))['error'], 'consent_required')
            r, shown = self.consent(b, client_id='toujours')
            self.assertEqual(shown, 'town')
            self.assertIn('code', self.answer(b.follow(r)))
        # An agreed flow is nobody else's.
        self.s.citizen('voisin', PASSWORD)
        other = self.fresh('voisin')
        page = other.follow(other.get(r.headers['Location']))
        self.assertTrue(other.at.endswith('/consent'), other.at)

    def test_refusal_goes_back_and_nothing_is_kept(self):
        self.add('refus', 'un-secret-assez-long', attributes=['town'], consent='first')
        b = self.fresh()
        r, _ = self.consent(b, 'refuse', client_id='refus')
        got = self.answer(r)
        self.assertEqual((got['error'], got['state'], got['iss']), ('access_denied', 'é &=', self.s.url))
        rows = "SELECT count(*) FROM {} WHERE service_id = (SELECT id FROM service WHERE name = 'refus')"
        self.assertEqual([self.s.sql(rows.format(t)) for t in ('consent', 'signon')], ['0', '0'])
        # Neither button, and a form of somebody else: asked again, not agreed to.
        page = b.follow(b.get(self.url(client_id='refus')))
        self.assertEqual(b.post(b.at, {'csrf': b.csrf(page), 'shown': 'town'}).status, 200)
        self.assertEqual(b.post(b.at, {'csrf': 'x', 'shown': 'town', 'do': 'accept'}).status, 403)
        self.assertEqual(self.s.sql(rows.format('consent')), '0')
        self.assertEqual(b.post(b.at, {'csrf': b.csrf(page), 'shown': 'town', 'do': 'accept'}).status, 303)

    def test_prompt_consent_forces_the_page(self):
        b = self.fresh()
        self.assertIn('code', self.answer(b.get(self.url())))
        for _ in range(2):
            r, shown = self.consent(b, prompt='consent')
            self.assertEqual(shown, 'town authz:peut_emprunter authz:peut_voter')
            self.assertIn('code', self.answer(b.follow(r)))
        # With login: the password first, then the page.
        page = b.follow(b.get(self.url(prompt='login consent')))
        self.assertIn('name="password"', page.text)
        page = b.follow(b.post(b.at, {'csrf': b.csrf(page), 'login': 'camille', 'password': PASSWORD}))
        r, _ = self.click(b, page)
        self.assertIn('code', self.answer(b.follow(r)))
        # The session ends before the click: signed in again in the same flow, asked again, and at the service.
        page = b.follow(b.get(self.url(prompt='consent')))
        at, csrf = b.at, b.csrf(page)
        kept = b.cookies.pop('__Host-beffroi')
        again = b.follow(b.post(at, {'csrf': csrf, 'shown': '', 'do': 'accept'}))
        self.assertIn('name="password"', again.text)
        b.cookies['__Host-beffroi'] = kept

    def test_a_withdrawn_consent_ends_tokens_and_asks_again(self):
        self.add('retrait', 'un-secret-assez-long', attributes=['town'], consent='first')
        self.s.citizen('retire', PASSWORD)
        b = self.fresh('retire')
        r, _ = self.consent(b, client_id='retrait')
        t = self.token(self.answer(b.follow(r))['code'], 'retrait').json()
        self.assertEqual(self.userinfo(t['access_token']).status, 200)
        page = b.get('/')
        self.assertIn('retrait', page.text)
        service = self.s.sql("SELECT id FROM service WHERE name = 'retrait'")
        self.assertEqual(b.post('/ma-page/accords', {'csrf': b.csrf(page), 'service': 'x'}).status, 303)
        self.assertEqual(self.userinfo(t['access_token']).status, 200)
        self.assertEqual(b.post('/ma-page/accords', {'csrf': b.csrf(page), 'service': service}).status, 303)
        self.assertEqual(self.userinfo(t['access_token']).status, 401)
        self.assertEqual(self.answer(b.get(self.url(client_id='retrait', prompt='none')))['error'], 'consent_required')
        verbs = self.s.sql("SELECT string_agg(verb, ' ' ORDER BY seq) FROM audit_event WHERE verb LIKE 'consent.%' "
                           f"AND detail ->> 'service' = '{service}'")
        self.assertEqual(verbs, 'consent.give consent.withdraw')

    def test_a_policy_that_is_none_costs_nothing(self):
        self.add('rien', 'un-secret-assez-long', attributes=['town'], consent='none')
        with self.assertRaises(AssertionError):
            self.add('faux', 'un-secret-assez-long', consent='parfois')
        self.assertIn('code', self.answer(self.b.get(self.url(client_id='rien', prompt='none'))))
        self.assertEqual(self.s.sql("SELECT count(*) FROM consent c JOIN service v ON v.id = c.service_id WHERE v.name = 'rien'"), '0')

    def test_a_stranger_leaves_nothing_in_the_database(self):
        tables = ("SELECT string_agg(relname || ' ' || (xpath('/row/c/text()', query_to_xml("
                  "format('SELECT count(*) AS c FROM idp.%I', relname), false, true, '')))[1]::text, ',' ORDER BY relname) "
                  "FROM pg_class WHERE relnamespace = 'idp'::regnamespace AND relkind = 'r' AND relname NOT IN ('node')")
        time.sleep(1.5)                     # what others left to the worker
        before = self.s.sql(tables)
        for path in ('/login', self.url(), self.url(prompt='login'), self.url(state='x' * 2000)):
            page = Browser(self.s).follow(Browser(self.s).get(path))
            self.assertIn(page.status, (200, 303))
            b = Browser(self.s)
            self.assertIn('name="password"', b.follow(b.get(path)).text)
        self.assertEqual(self.s.sql(tables), before)

    def test_a_flow_is_ours_or_none(self):
        b = Browser(self.s)
        page = b.follow(b.get(self.url()))
        self.assertIn('name="password"', page.text)
        flow = b.at.rsplit('/', 1)[1]
        for wrong in (flow[:-1] + ('A' if flow[-1] != 'A' else 'B'), 'A' * 22 + flow[22:], flow[:22], flow[:22] + '.', flow + 'A', 'x'):
            self.assertEqual(b.get(f'/signon/{wrong}').status, 410, wrong)
        self.assertEqual(b.get(f'/signon/{flow}', port=self.s.port2).status, 200)
        for secret in ('é &=', 'sondage', 'n-1', CHALLENGE):
            self.assertNotIn(secret, b.at)
        # What is too long for an address is said to the person; a request as long as a real client's goes through.
        self.assertEqual(Browser(self.s).post('/oidc/authorize', dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.url(
            state='\x01' * 2000, nonce='n' * 2000, scope='openid ' + 'x' * 2000)).query))).status, 400)

    def test_a_hint_fills_the_form_and_an_address_is_not_kept(self):
        b = Browser(self.s)
        self.assertIn('value="camille"', b.follow(b.get(self.url(login_hint='camille'))).text)
        self.assertNotIn('adresse@', b.follow(b.get(self.url(login_hint='adresse@courriel.example'))).text)
        self.assertNotIn('adresse@', run('pg_dump', '--inserts', self.s.admin).stdout)

    def test_back_button_gives_an_answer_again(self):
        b = Browser(self.s)
        r = b.sign_in('camille', PASSWORD, self.url())
        go = r.headers['Location']
        self.assertNotEqual(self.answer(b.get(go))['code'], self.answer(b.get(go))['code'])
        self.assertEqual(b.get(go.removesuffix('/go')).status, 303)
        self.assertEqual(Browser(self.s).get(go).headers['Location'], go.removesuffix('/go'))
        got = self.answer(Browser(self.s).get(go.removesuffix('go') + 'cancel'))
        self.assertEqual(got['error'], 'access_denied')

    def test_a_code_is_good_once_for_one_client_with_its_proof(self):
        for change, client, secret in (({'code_verifier': 'x' * 43}, 'sondage', 'un-secret-assez-long'),
                                       ({'code_verifier': None}, 'sondage', 'un-secret-assez-long'),
                                       ({'redirect_uri': 'https://sondage.example/autre?a=1'}, 'sondage', 'un-secret-assez-long'),
                                       ({}, 'agenda', 'un-autre-secret-long')):
            r = self.token(self.code(), client, secret, **change)
            self.assertEqual((r.status, r.json()['error']), (400, 'invalid_grant'), change)
        code = self.code()
        good = self.token(code)
        self.assertEqual(self.userinfo(good.json()['access_token']).status, 200)
        self.assertEqual(self.token(code, port=self.s.port2).json()['error'], 'invalid_grant')
        self.assertEqual(self.userinfo(good.json()['access_token']).status, 401, 'a replayed code takes its token along')

    def test_clients_prove_themselves(self):
        for secret, auth in (('faux-secret-faux-secret', 'basic'), ('faux-secret-faux-secret', 'post'), (None, 'post')):
            r = self.token(self.code(), secret=secret, auth=auth)
            self.assertEqual((r.status, r.json()['error']), (401, 'invalid_client'))
        r = self.token(self.code(), client_secret='un-secret-assez-long')
        self.assertEqual(r.status, 401, 'two methods at once')
        self.assertEqual(self.token(self.code(), grant_type='password').json()['error'], 'unsupported_grant_type')
        self.assertEqual(self.token(self.code()).status, 200)

    def test_basic_pairs_as_clients_write_them(self):
        """RFC 6749 §2.3.1 wants both parts form-encoded; authlib, mod_auth_openidc and curl send them as they are."""
        secret = 'un+secret%41 long:é&='
        self.add('brut', secret)
        code = lambda: self.code(client_id='brut')
        pair = lambda p: {'Authorization': 'Basic ' + base64.b64encode(p.encode()).decode()}
        post = lambda p: Browser(self.s).post('/oidc/token', {'grant_type': 'authorization_code', 'code': code(), 'redirect_uri': BACK,
                                                              'code_verifier': VERIFIER}, headers=pair(p))
        for good in (f'brut:{secret}', 'brut:' + urllib.parse.quote_plus(secret), 'brut:' + urllib.parse.quote(secret, safe='')):
            self.assertEqual(post(good).status, 200, good)
        for bad in (f'brut:{secret}x', 'brut:' + secret.replace('%41', 'A'), 'brut:', 'brut', ':' + secret, f'brut\0:{secret}',
                    f'brut:{secret}\0', 'brut:' + urllib.parse.quote_plus(urllib.parse.quote_plus(secret))):
            self.assertEqual(post(bad).status, 401, bad)
        self.assertEqual(self.token(self.code(client_id='mobile'), 'mobile', '').status, 200, 'a public client, empty secret')

    def test_a_parameter_without_value_is_left_out(self):
        empty = dict.fromkeys(('prompt', 'max_age', 'acr_values', 'ui_locales', 'response_mode', 'request', 'request_uri',
                               'id_token_hint', 'login_hint', 'display', 'claims'), '')
        code = self.code(**empty)
        self.assertEqual(self.token(code, client_secret='', auth='basic').status, 200)
        self.assertEqual(self.answer(self.b.get(self.url(scope='')))['error'], 'invalid_scope')
        self.assertNotIn('state', self.answer(self.b.get(self.url(state=''))))

    def test_a_form_from_another_site(self):
        """Browsers keep our cookie back from a cross-site POST: the answer must not be "nobody is signed in"."""
        fields = dict(urllib.parse.parse_qsl(self.url(prompt='none').split('?')[1]))
        cookies, self.b.cookies = self.b.cookies, {}
        r = self.b.post('/oidc/authorize', fields, headers={'Origin': 'https://sondage.example', 'Sec-Fetch-Site': 'cross-site'})
        self.b.cookies = cookies
        self.assertEqual(r.status, 303)
        self.assertIn('code', self.answer(self.b.follow(r)))
        r = Browser(self.s).post('/oidc/authorize', fields)
        self.assertEqual(self.answer(Browser(self.s).follow(r))['error'], 'login_required')

    def test_a_hint_of_another_person(self):
        mine = self.token(self.code()).json()['id_token']
        self.s.citizen('autre', PASSWORD)
        b = Browser(self.s)
        b.follow(b.sign_in('autre', PASSWORD))
        for prompt in ('none', None):
            self.assertIn('code', self.answer(self.b.get(self.url(id_token_hint=mine, prompt=prompt))))
            self.assertEqual(self.answer(b.get(self.url(id_token_hint=mine, prompt=prompt)))['error'], 'login_required')
        bad = mine[:-6] + 'AAAAAA'
        self.assertEqual(self.answer(self.b.get(self.url(id_token_hint=bad, prompt='none')))['error'], 'login_required')
        self.assertIn('code', self.answer(self.b.get(self.url(id_token_hint=bad))))
        # It is remembered while the person signs in.
        b = Browser(self.s)
        r = b.sign_in('autre', PASSWORD, self.url(id_token_hint=mine))
        self.assertEqual(self.answer(b.follow(r))['error'], 'login_required')

    def test_the_scope_is_what_was_granted(self):
        for client, secret, asked, got in (
                ('sondage', 'un-secret-assez-long', 'town openid profile offline_access', 'openid town'),
                ('agenda', 'un-autre-secret-long', 'openid  authorisations town openid', 'openid authorisations')):
            r = self.token(self.code(client_id=client, scope=asked), client, secret)
            self.assertEqual(r.json()['scope'], got)

    def test_a_page_of_another_origin_may_call(self):
        ask = {'Origin': 'https://page.example', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization'}
        for path in ('/oidc/token', '/oidc/userinfo'):
            r = Browser(self.s).request('OPTIONS', path, headers=ask)
            self.assertEqual((r.status, r.headers['Access-Control-Allow-Origin']), (204, '*'))
            self.assertIn('Authorization', r.headers['Access-Control-Allow-Headers'])
        good = self.token(self.code(client_id='mobile'), 'mobile', None, auth='post')
        info = self.userinfo(good.json()['access_token'])
        for r in (good, info, self.token('x'), self.userinfo('x'), Browser(self.s).get('/oidc/jwks')):
            self.assertEqual(r.headers['Access-Control-Allow-Origin'], '*')
            self.assertNotIn('Access-Control-Allow-Credentials', r.headers)
        for path in ('/oidc/authorize', '/oidc/logout', '/', '/login', '/saml/sso'):
            r = Browser(self.s).request('OPTIONS', path, headers=ask)
            self.assertEqual(r.status, 405)
            self.assertNotIn('Access-Control-Allow-Origin', r.headers)
            self.assertNotIn('Access-Control-Allow-Origin', Browser(self.s).get(path, headers=ask).headers)

    def test_codes_and_tokens_age(self):
        code, token = self.code(), self.token(self.code()).json()['access_token']
        self.s.command('clock', '--advance', '61s')
        self.assertEqual(self.token(code).json()['error'], 'invalid_grant')
        self.assertEqual(self.userinfo(token).status, 200)
        self.s.command('clock', '--advance', '9min')
        self.assertEqual(self.userinfo(token).status, 401)
        self.assertEqual(self.userinfo('x').status, 401)

    def test_a_token_is_compared_whole(self):
        a, b = (self.token(self.code()).json()['access_token'] for _ in range(2))
        (row, secret), (other, _) = a.split('.'), b.split('.')
        for bad in (row, row + '.', row + '.' + 'A' * len(secret), other + '.' + secret, secret + '.' + row, a + 'A', a[:-1],
                    '.' + secret, row + 'A.' + secret):
            self.assertEqual(self.userinfo(bad).status, 401, bad)
        self.assertEqual(self.userinfo(a).status, 200)

    def test_a_token_needs_its_session(self):
        b = Browser(self.s)
        b.follow(b.sign_in('camille', PASSWORD))
        token, session = self.token(self.code(b)).json()['access_token'], b.cookies['__Host-beffroi']
        digest = hashlib.sha256(session.encode()).hexdigest()
        self.assertEqual(self.userinfo(token).status, 200)
        for how, back in (("live = false", "live = true"), (None, None)):
            self.s.sql(f"UPDATE session SET {how} WHERE token_digest = '\\x{digest}'" if how else
                       f"DELETE FROM session WHERE token_digest = '\\x{digest}'")
            self.assertEqual(self.userinfo(token, self.s.port2).status, 401, how)
            if back:
                self.s.sql(f"UPDATE session SET {back} WHERE token_digest = '\\x{digest}'")
                self.assertEqual(self.userinfo(token).status, 200)

    def test_logout_by_the_client(self):
        b = Browser(self.s)
        b.follow(b.sign_in('camille', PASSWORD))
        t = self.token(self.code(b)).json()
        out = {'id_token_hint': t['id_token'], 'post_logout_redirect_uri': 'https://sondage.example/fin', 'state': 'z'}
        bad = b.get('/oidc/logout?' + urllib.parse.urlencode({**out, 'id_token_hint': t['id_token'][:-4] + 'AAAA'}))
        self.assertTrue(bad.headers['Location'].endswith('/logout'))
        self.code(b)
        other = b.get('/oidc/logout?' + urllib.parse.urlencode({**out, 'post_logout_redirect_uri': 'https://mechant.example/'}))
        self.assertNotIn('Location', other.headers)
        self.assertEqual(self.userinfo(t['access_token']).status, 401)
        b.follow(b.sign_in('camille', PASSWORD))
        t = self.token(self.code(b)).json()
        r = b.get('/oidc/logout?' + urllib.parse.urlencode({**out, 'id_token_hint': t['id_token']}))
        self.assertEqual(r.headers['Location'], 'https://sondage.example/fin?state=z')
        self.assertEqual(self.answer(b.get(self.url(prompt='none')))['error'], 'login_required')

    def test_block_kills_tokens_and_the_next_answer(self):
        handle, codes = self.s.citizen('bloque', PASSWORD)
        b = Browser(self.s)
        b.follow(b.sign_in('bloque', PASSWORD))
        token, code = self.token(self.code(b)).json()['access_token'], self.code(b)
        self.assertEqual(self.userinfo(token).status, 200)
        self.assertEqual(Browser(self.s).post('/blocage', {'code': codes['revocation']}).status, 200)
        self.assertEqual(self.userinfo(token, self.s.port2).status, 401)
        self.assertEqual(self.token(code).json()['error'], 'invalid_grant')
        self.assertEqual(self.answer(b.get(self.url(prompt='none'), port=self.s.port2))['error'], 'login_required')

    def test_authorisations_follow_the_town(self):
        handle, codes = self.s.citizen('droits', PASSWORD, authorisations=[{'code': 'peut_emprunter'}])
        b = Browser(self.s)
        b.follow(b.sign_in('droits', PASSWORD))
        t = self.token(self.code(b)).json()
        self.assertEqual(claims(t['id_token'])['authorisations'], ['peut_emprunter'])
        self.s.door('PUT', f'/v1/accounts/{handle}/authorisations', {'authorisations': [{'code': 'peut_nager'}]})
        self.assertEqual(self.userinfo(t['access_token']).json()['authorisations'], ['peut_nager'])
        self.assertEqual(claims(self.token(self.code(b)).json()['id_token'])['authorisations'], ['peut_nager'])

    def test_registration_refuses_what_is_unsafe(self):
        good = {'redirect_uris': [BACK]}
        for change in ({'redirect_uris': []}, {'redirect_uris': ['http://sondage.example/']}, {'redirect_uris': [BACK + '#x']},
                       {'redirect_uris': ['javascript:alert(1)']}, {'subject_type': 'public'}, {'response_types': ['token']},
                       {'token_endpoint_auth_method': 'private_key_jwt'}, {'client_secret': 'court'}, {'client_id': 'é'},
                       {'attributes': ['nom']}, {'id_token_signed_response_alg': 'none'}):
            p = subprocess.run([self.s.bin, 'client', 'add', '-', '--config', self.s.conf], text=True, capture_output=True,
                               input=json.dumps({**good, **change}))
            self.assertEqual(p.returncode, 1, change)
        p = run(self.s.bin, 'client', 'add', '-', '--config', self.s.conf, stdin=json.dumps(good))
        made = json.loads(p.stdout)
        self.assertGreater(len(made['client_secret']), 40)
        self.assertNotIn(made['client_secret'], run('pg_dump', self.s.admin).stdout)
        again = run(self.s.bin, 'client', 'add', '-', '--config', self.s.conf, stdin=json.dumps({**good, 'client_id': 'sondage'}), check=False)
        self.assertEqual(again.returncode, 1)

    def test_suspending_a_client_is_in_force_when_the_command_returns(self):
        self.add('passager', 'secret-du-passager-long')
        code = self.code(client_id='passager')
        self.s.command('service', 'suspend', 'oidc', 'passager')
        for port in (self.s.port, self.s.port2):
            self.assertEqual(self.b.get(self.url(client_id='passager'), port=port).status, 400)
        self.assertEqual(self.token(code, 'passager', 'secret-du-passager-long').status, 401)
        self.s.command('service', 'resume', 'oidc', 'passager')
        for port in (self.s.port, self.s.port2):
            self.assertEqual(self.b.get(self.url(client_id='passager'), port=port).status, 302)


if __name__ == '__main__':
    unittest.main(verbosity=2)
