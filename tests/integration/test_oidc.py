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
        cls.s = cls.stack.enter_context(System())
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

    def test_a_hint_fills_the_form_and_an_address_is_not_kept(self):
        b = Browser(self.s)
        self.assertIn('value="camille"', b.follow(b.get(self.url(login_hint='camille'))).text)
        self.assertNotIn('adresse@', b.follow(b.get(self.url(login_hint='adresse@courriel.example'))).text)
        self.assertNotIn('adresse@', run('pg_dump', '--inserts', '-t', 'idp.flow', self.s.admin).stdout)

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
