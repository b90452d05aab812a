"""Sign-in by client certificate, as browsers and attackers do it (DOMAIN 2.3, P-046…P-066, T-03, T-04, T-20, T-22)."""
import concurrent.futures
from certificates import *
from test_saml import CLASS, Form, Service


class Certificate(Base):
    def test_a_certificate_signs_in_and_the_service_is_told_how(self):
        handle, _, base = self.person('camille')
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            _, reply = self.sign_in(base, self.url(), version=version)
            me = self.id_token(reply)
            self.assertEqual((me['acr'], me['amr']), (SOFT, ['swk']))
        # the other node's door, and our own pages
        b, page = self.sign_in(base, node=2)
        self.assertEqual(page.status, 200)
        self.assertIn('__Host-beffroi', b.cookies)
        # RSA too; and neither the person's name nor the certificate is kept
        rsa = self.soft.issue('camille-rsa-jamais-gardee', alg=('rsa', 'rsa_keygen_bits:2048'))
        self.s.command('account', 'link-certificate', handle, rsa + '.pem')
        _, reply = self.sign_in(rsa, self.url())
        self.assertEqual(self.id_token(reply)['sub'], me['sub'])
        host, port = os.environ['PGHOST'], os.environ.get('PGPORT', '5432')
        dump = run('pg_dump', '-h', host, '-p', port, '--data-only', self.s.db).stdout
        self.assertNotIn('camille-rsa-jamais-gardee', dump)
        self.assertNotIn('camille-rsa-jamais-gardee'.encode().hex(), dump)

    def test_a_card_is_a_card(self):
        _, _, base = self.person('carte', self.card)
        _, reply = self.sign_in(base, self.url(acr_values=CARD))
        me = self.id_token(reply)
        self.assertEqual((me['acr'], me['amr']), (CARD, ['sc']))
        found = Browser(self.s).get('/.well-known/openid-configuration').json()
        self.assertEqual(found['acr_values_supported'], [PWD, SOFT, CARD, 'https://refeds.org/profile/mfa'])

    def test_saml_says_it_in_its_own_words(self):
        sp = Service(self.s, 'guichet')
        context = lambda c, how='exact': (f'<samlp:RequestedAuthnContext Comparison="{how}"><saml:AuthnContextClassRef>{CLASS}{c}'
                                          '</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>')
        _, _, soft = self.person('saml-logiciel')
        _, _, card = self.person('saml-carte', self.card)
        for base, wish, told in ((soft, '', 'SoftwarePKI'), (card, '', 'SmartcardPKI'), (card, context('SmartcardPKI'), 'SmartcardPKI'),
                                 (soft, context('SoftwarePKI'), 'SoftwarePKI'), (card, context('SoftwarePKI', 'better'), 'SmartcardPKI'),
                                 (soft, context('PasswordProtectedTransport', 'better'), 'SoftwarePKI')):
            _, page = self.sign_in(base, sp.redirect(sp.request(inside=wish)))
            form = Form(page)
            self.assertEqual(form.status(), ('Success',))
            self.assertEqual(form.text('.//saml:AuthnContextClassRef'), [CLASS + told])
        page = self.refused(soft, 'demande une carte', path=sp.redirect(sp.request(inside=context('SmartcardPKI'))))
        self.assertIn('id="cancel"', page.text)

    def test_step_up(self):
        """Signed in with a password: a service that wants a card gets one, not the session."""
        _, _, card = self.person('marche', self.card)
        _, _, soft = self.person('marche-logiciel')
        b = Browser(self.s)
        b.follow(b.sign_in('marche', PASSWORD))
        page = b.follow(b.get(self.url(acr_values=CARD)))
        self.assertEqual(page.status, 200)
        self.assertNotIn('name="password"', page.text)
        self.assertNotIn('id="door-certificate"', page.text)
        self.assertIn('id="door-card"', page.text)
        self.assertIn('demande une carte ou un certificat', page.text)
        flow = b.at
        door = b.get(flow + '/certificate').headers['Location']
        page = b.get(self.s.knock(door, soft).headers['Location'])      # the wrong one first: the flow goes on
        self.assertEqual(page.status, 403)
        self.assertIn('demande une carte', page.text)
        door = b.get(flow + '/certificate').headers['Location']
        reply = b.follow(b.get(self.s.knock(door, card).headers['Location']))
        self.assertEqual(self.id_token(reply)['acr'], CARD)
        # a weaker wish is met by the stronger session
        self.assertEqual(self.id_token(b.get(self.url(acr_values=f'{SOFT} {CARD}')))['acr'], CARD)
        self.assertEqual(self.id_token(b.get(self.url()))['acr'], CARD)

    def test_prompt_login_asks_the_card_again(self):
        _, _, card = self.person('encore', self.card)
        b, reply = self.sign_in(card, self.url())
        first = self.id_token(reply)
        self.s.command('clock', '--advance', '3s')
        for change in ({'prompt': 'login'}, {'max_age': '1'}):
            page = b.follow(b.get(self.url(**change)))
            self.assertEqual(page.status, 200)                          # the session is not enough
            _, reply = self.sign_in(card, self.url(**change), b)
            self.assertGreater(self.id_token(reply)['auth_time'], first['auth_time'])
            self.s.command('clock', '--advance', '3s')

    # --- what the browser brings ---------------------------------------------------------------------------------------
    def test_each_failure_has_its_words(self):
        _, _, base = self.person('mots')
        stranger = Authority(self.s.dir, 'Inconnue').issue('etranger')
        expired = self.soft.issue_at('perime', date(-30), date(-1))
        future = self.soft.issue_at('futur', date(1), date(30))
        server = self.soft.issue('serveur', Authority.CLIENT.replace('clientAuth', 'serverAuth'))
        signer = self.soft.issue('signature', Authority.CLIENT.replace('digitalSignature', 'nonRepudiation'))
        below = Authority(self.s.dir, 'Dessous', above=self.soft)
        weak = self.soft.issue('courbe', alg=('ec', 'ec_paramgen_curve:P-521'))     # not of our list
        unlinked = self.soft.issue('sans-compte')
        for base_, message, status in (
                (None, 'aucun certificat', 403), (stranger, 'organisme reconnu', 403), (expired, 'date est passée', 403),
                (future, 'pas encore valable', 403), (server, 'pas fait pour se connecter', 403),
                (signer, 'pas fait pour se connecter', 403), (weak, 'pas fait pour se connecter', 403),
                (unlinked, 'lié à aucun compte', 403)):
            page = self.refused(base_, message, status)
            self.assertIn('id="again"', page.text)
            self.assertIn('fermez toutes', page.text) if base_ is not future else None
        # an authority below that nobody added: no list covers it, and it is not among those that may
        chain = self.s.path('chaine.pem')
        leaf = below.issue('dessous')
        with open(chain, 'w') as f:
            f.write(read(leaf + '.pem') + read(below.pem))
        self.refused(leaf, 'vérifier ce certificat', 503, chain=chain)
        # in English too
        b = Browser(self.s)
        b.lang = 'en'
        _, page = self.sign_in(None, b=b)
        self.assertIn('We have received no certificate', page.text)
        # and the good one passes
        _, page = self.sign_in(base)
        self.assertEqual(page.status, 200)

    def test_states_of_the_account(self):
        handle, codes = self.s.create()
        pending = self.card.issue('en-attente')
        self.s.command('account', 'link-certificate', handle, pending + '.pem')
        self.refused(pending, 'pas encore ouvert')                     # T-03: issued, not handed over
        handle, codes, base = self.person('perdue', self.card)
        b, page = self.sign_in(base)
        self.assertEqual(page.status, 200)
        ticket = self.knock(Browser(self.s), base)
        late = Browser(self.s)
        ticket = self.knock(late, base)
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/block', {'reason': 'lost'}).status, 200)
        page = late.follow(late.get(ticket))                           # blocked between the door and the main host
        self.assertEqual(page.status, 403)
        self.assertIn('compte est bloqué', page.text)
        self.refused(base, 'compte est bloqué')                        # T-04
        self.assertIn('/login', b.get('/').headers.get('Location', '') + b.get('/').text)
        handle, codes, base = self.person('partie')
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/close', {'reason': 'request'}).status, 200)
        self.refused(base, 'compte est fermé')
        self.assertEqual(self.s.sql("SELECT DISTINCT result FROM authn_event v JOIN account a ON a.id = v.account_id "
                                    f"WHERE a.handle = '{handle}' AND method = 2"), 'closed')

    def test_authorisations_that_change_under_a_sign_in(self):
        """The session's copy is of what was committed before it, however long it waited."""
        handle, _, base = self.person('change')
        self.s.door('PUT', f'/v1/accounts/{handle}/authorisations', {'authorisations': [{'code': 'peut_voter'}]}, key=secrets_token(24))
        account = f"(SELECT id FROM account WHERE handle = '{handle}')"
        copy = lambda: self.s.sql(f"SELECT authz FROM session WHERE account_id = {account} AND live AND authz_until > now() ORDER BY created_at DESC LIMIT 1")
        self.assertEqual(self.sign_in(base)[1].status, 200)
        self.assertEqual(copy(), '{peut_voter}')                       # there from the start
        with subprocess.Popen(['psql', '-qXAt', self.s.admin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as other:
            other.stdin.write(f'BEGIN; SELECT 1 FROM account WHERE id = {account} FOR UPDATE;\n')
            self.assertEqual(other.stdout.readline(), '1\n')
            other.stdin.write(f'UPDATE account_authz SET ended_at = now() WHERE account_id = {account} RETURNING code;\n')
            self.assertEqual(other.stdout.readline(), 'peut_voter\n')
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                late = pool.submit(self.sign_in, base)
                self.wait(lambda: self.s.sql("SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"), 't')
                other.stdin.write('COMMIT;\n')
                other.stdin.close()
                self.assertEqual(late.result()[1].status, 200)
        self.assertEqual(copy(), '{}')

    def test_a_page_of_ten_thousand_sessions(self):
        """Whoever has the password may fill the list: the page, from where the account is blocked, stays."""
        handle, _, base = self.person('foule')
        b, page = self.sign_in(base)
        self.s.sql("INSERT INTO session (token_digest, id, account_id, method, auth_time, authz, authz_until, idle_until, abs_until, "
                   "created_at, town) SELECT sha256(i::text::bytea), gen_random_uuid(), s.account_id, 1, s.auth_time, '{}', 'infinity', "
                   "s.idle_until, s.abs_until, s.created_at + interval '1 second', s.town FROM session s JOIN account a ON a.id = s.account_id, "
                   f"generate_series(1, 10000) i WHERE a.handle = '{handle}' AND s.live")
        page = b.get('/')
        self.assertEqual(page.status, 200)
        self.assertIn('logout', page.text)
        self.assertLess(len(page.body), 100000)
        # and when it ends, each service of each session is told, in pieces that the worker can hold
        self.s.sql("INSERT INTO signon (service_id, request_key, session_digest, account_id, at, name_id, session_index, method, auth_time, "
                   "authz, session_idle, town) SELECT 1, token_digest, token_digest, account_id, auth_time, 'x', encode(token_digest, 'hex'), 1, "
                   "auth_time, '{}', idle_until, town FROM session WHERE account_id = (SELECT id FROM account WHERE "
                   f"handle = '{handle}') AND live")
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/block', {'reason': 'lost'}).status, 200)
        self.assertNotIn('logout', b.get('/').text)
        self.wait(lambda: self.s.sql(f"SELECT count(*) FROM signon d JOIN account a ON a.id = d.account_id WHERE handle = '{handle}' "
                                     'AND closed_at IS NULL'), '0', 120)
        self.assertIsNone(self.s.processes['worker'].poll())

    def test_a_session_that_answered_ten_thousand_times(self):
        """Signing out closes what a request can hold; the worker does the rest."""
        handle, _, base = self.person('bavard')
        b, page = self.sign_in(base)
        self.s.sql("INSERT INTO signon (service_id, request_key, session_digest, account_id, at, name_id, session_index, method, auth_time, "
                   "authz, session_idle, town) SELECT 1, sha256(('b' || i)::bytea), s.token_digest, s.account_id, s.auth_time, repeat('x', 200), "
                   "md5(i::text), 1, s.auth_time, '{}', s.idle_until, s.town FROM session s JOIN account a ON a.id = s.account_id, "
                   f"generate_series(1, 40000) i WHERE a.handle = '{handle}' AND s.live")
        left = b.post('/logout', {'csrf': b.csrf(b.get('/logout'))})
        self.assertEqual(left.status, 200)
        self.assertNotIn('id="logout"', b.get('/').text)
        self.wait(lambda: self.s.sql(f"SELECT count(*) FROM signon d JOIN account a ON a.id = d.account_id WHERE handle = '{handle}' "
                                     'AND closed_at IS NULL'), '0', 120)
        for name in ('idp1', 'worker'):
            self.assertIsNone(self.s.processes[name].poll())

    def test_somebody_elses_numbers(self):
        """Same serial number or subject from another authority, another key under the same number: nobody."""
        _, _, base = self.person('double')
        serial = '0x' + Authority.serial(base)
        self.refused(self.card.issue('double', serial=serial), 'lié à aucun compte')
        self.refused(self.soft.issue('double2', serial=serial), 'lié à aucun compte')
        false = Authority(self.s.dir, 'x', subject='/C=FR/O=Essai/CN=Certificats logiciels')      # the name alone
        self.refused(false.issue('double', serial=serial), 'organisme reconnu')
        self.assertEqual(self.sign_in(base)[1].status, 200)

    def test_nothing_inside_a_certificate_is_followed(self):
        """T-22."""
        canary = Lists()
        ext = Authority.CLIENT + f'crlDistributionPoints=URI:{canary.url}/liste\nauthorityInfoAccess=caIssuers;URI:{canary.url}/ca,' \
                                 f'OCSP;URI:{canary.url}/ocsp\n'
        _, _, base = self.person('canari', ext=ext)
        self.assertEqual(self.sign_in(base)[1].status, 200)
        stranger = Authority(self.s.dir, 'Autre')
        self.refused(stranger.issue('canari', ext), 'organisme reconnu')
        names = 'subjectAltName=' + ','.join(f'DNS:n{i}.example' for i in range(100)) + '\n'
        self.refused(self.soft.issue('cent-noms', Authority.CLIENT + names), 'lié à aucun compte')
        chain = self.s.path('longue.pem')
        with open(chain, 'w') as f:
            f.write(read(base + '.pem') + read(stranger.pem) * 7)
        self.refused(base, 'ne peut pas être lu', chain=chain)
        self.assertEqual(canary.asked, [])

    # --- tickets ---------------------------------------------------------------------------------------------------------
    def stale(self, page):
        self.assertEqual(page.status, 410, page.text[:300])
        self.assertIn('déjà servi', page.text)

    def test_a_ticket_is_good_for_one_browser_one_flow_and_once(self):
        _, _, base = self.person('billet')
        owner, thief = Browser(self.s), Browser(self.s)
        ticket = self.knock(owner, base)
        self.to_door(thief)
        self.stale(thief.get(ticket))                                  # a browser with a cookie of its own
        self.stale(Browser(self.s).get(ticket))                        # and one without
        other = owner.follow(owner.get('/login')) and owner.at
        self.stale(owner.get(other + ticket[len(owner.flow):] if other != owner.flow else ticket))
        self.stale(owner.get(owner.flow + '/certificate/' + ticket.rsplit('/', 1)[1][:-2] + 'AA'))
        for _ in range(100):                                           # T-20: who only looks uses nothing up
            Browser(self.s).request('HEAD', ticket)
        for cut in ('', '?lang=en'):
            self.assertEqual(Browser(self.s).get(ticket + cut).status, 410)
        # eight at once over two nodes: one session
        before = int(self.s.sql('SELECT count(*) FROM session'))
        jar = dict(owner.cookies)

        def once(i):
            b = Browser(self.s, self.s.port if i % 2 else self.s.port2)
            b.cookies = dict(jar)
            return b.get(ticket).status
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            got = sorted(pool.map(once, range(8)))
        self.assertEqual(got, [303] + [410] * 7)
        self.assertEqual(int(self.s.sql('SELECT count(*) FROM session')), before + 1)

    def test_back_and_reload_go_on(self):
        _, _, base = self.person('retour')
        b = Browser(self.s)
        ticket = self.knock(b, base, self.url())
        first = self.id_token(b.follow(b.get(ticket)))
        again = self.id_token(b.follow(b.get(ticket)))
        self.assertEqual((first['sub'], first['sid'] != ''), (again['sub'], True))
        r = b.get(b.flow + '/certificate')                             # the door again: nothing to prove any more
        self.assertEqual(r.headers['Location'], b.flow)

    def test_a_lure_signs_nobody_in(self):
        """Somebody else's link to the door: the holder's browser has not that cookie, and the maker has not the ticket."""
        _, _, base = self.person('leurre')
        attacker, holder = Browser(self.s), Browser(self.s)
        lure = self.to_door(attacker)
        ticket = self.s.knock(lure, base).headers['Location']
        self.stale(holder.get(ticket))
        self.assertNotIn('__Host-beffroi', holder.cookies)
        # and a door without, or with a bad, k leads back to the sign-in page
        for k in ('', '?k=', '?k=' + 'A' * 42, '?k=' + '!' * 43, '?k=a&k=b'):
            r = self.s.knock(lure.split('?')[0] + k, base)
            self.assertEqual((r.status, '/certificate/' in r.headers['Location']), (303, False))
        r = self.s.knock(f'{self.s.cert_url}/certificate/nonsense?k=' + 'A' * 43, base)
        self.assertEqual(r.headers['Location'], self.s.url + '/signon/nonsense')

    def test_the_door_serves_nothing_else(self):
        for path in ('/', '/login', '/oidc/authorize', '/saml/metadata', '/v1/accounts', '/assets/beffroi.css', '/blocage'):
            r = self.s.knock(self.s.cert_url + path)
            self.assertEqual((r.status, r.headers['Location']), (303, self.s.url + '/'), path)
            self.assertEqual(r.headers['Connection'], 'close')
            self.assertIsNone(r.headers['Set-Cookie'])
        # sent back by a door that had no time, the person is told so
        b = Browser(self.s)
        b.follow(b.get('/login'))
        self.assertIn('beaucoup de monde', b.get(b.at + '?busy=1').text)
        # and the main host asks for no certificate: s_client says so
        out = run('openssl', 's_client', '-connect', f'127.0.0.1:{self.s.port}', '-CAfile', self.s.path('ca.pem'), stdin='').stdout
        self.assertIn('No client certificate CA names sent', out)

    def test_headers_of_a_proxy_mean_nothing_here(self):
        _, _, base = self.person('entete')
        der = subprocess.run(['openssl', 'x509', '-in', base + '.pem', '-outform', 'DER'], capture_output=True, check=True).stdout
        b64 = base64.b64encode(der).decode()
        b = Browser(self.s)
        ticket = self.knock(b, None, headers={'Client-Cert': f':{b64}:', 'X-SSL-Client-Cert': b64})
        self.assertIn('aucun certificat', b.get(ticket).text)
        self.assertEqual(Browser(self.s).get('/', headers={'Client-Cert': f':{b64}:'}).status, 200)

    def test_no_session_is_resumed(self):
        """A ticket of TLS would bring the certificate back without its key (HTTP-SQL.md §2)."""
        _, _, base = self.person('reprise')
        for version in ('-tls1_2', '-tls1_3'):
            sess = self.s.path('sess.pem')
            if os.path.exists(sess):
                os.remove(sess)
            words = ['openssl', 's_client', '-connect', f'127.0.0.1:{self.s.cert_ports[0]}', '-servername', self.s.cert_host,
                     '-CAfile', self.s.path('ca.pem'), '-cert', base + '.pem', '-key', base + '.key', version]
            ask = f'GET / HTTP/1.1\r\nHost: {self.s.cert_host}\r\n\r\n'
            out = run(*words, '-sess_out', sess, '-ign_eof', stdin=ask).stdout
            self.assertIn('303 See Other', out)
            self.assertNotIn('TLS session ticket', out)
            if os.path.exists(sess):
                out = run(*words, '-sess_in', sess, '-ign_eof', stdin=ask).stdout
                self.assertNotIn('Reused, ', out)
                self.assertIn('New, ', out)

    # --- trust -----------------------------------------------------------------------------------------------------------
    def names(self):
        out = run('openssl', 's_client', '-connect', f'127.0.0.1:{self.s.cert_ports[0]}', '-CAfile', self.s.path('ca.pem'),
                  stdin='').stdout
        return out.split('Acceptable client certificate CA names')[1].split('Client Certificate Types')[0] \
            if 'Acceptable client' in out else ''

    def wait(self, what, want, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if what() == want:
                return
            time.sleep(0.1)
        self.assertEqual(what(), want)

    def fetch_now(self, name):
        """The worker's next turn is now; returns when it was."""
        self.s.sql(f"UPDATE trust_crl SET due_at = '2020-01-01', problem = '' FROM trust t WHERE t.id = trust_id AND t.name = '{name}'")
        self.wait(lambda: self.s.sql("SELECT count(*) FROM trust_crl c JOIN trust t ON t.id = c.trust_id "
                                     f"WHERE t.name = '{name}' AND due_at < '2021-01-01'"), '0')
        self.wait(lambda: 'busy' if self.s.sql("SELECT max(due_at - fetched_at) > '2min' AND max(problem) = '' FROM trust_crl c "
                                               f"JOIN trust t ON t.id = c.trust_id WHERE t.name = '{name}'") == 't' else 'done', 'done')

    def test_authorities_come_and_go(self):
        brief = Authority(self.s.dir, 'Passagere')
        base = brief.issue('passager')
        self.refused(base, 'organisme reconnu')
        self.assertNotIn('Passagere', self.names())
        self.trust('brief', brief, 'software')
        handle, _ = self.s.citizen('passager', PASSWORD)
        self.s.command('account', 'link-certificate', handle, base + '.pem')
        for node in (1, 2):                                            # at once, on both nodes
            self.assertEqual(self.sign_in(base, node=node)[1].status, 200)
        self.wait(lambda: 'Passagere' in self.names(), True)           # browsers are told within a second or two
        self.assertIn('\tok\n', self.s.command('trust', 'list').stdout)
        self.s.command('trust', 'remove', 'brief')
        for node in (1, 2):
            self.refused(base, 'organisme reconnu', node=node)
        self.wait(lambda: 'Passagere' in self.names(), False)
        self.assertNotEqual(self.s.command('trust', 'remove', 'brief', check=False).returncode, 0)
        verbs = self.s.sql("SELECT string_agg(verb, ' ' ORDER BY seq) FROM audit_event WHERE object = 'trust:brief'")
        self.assertEqual(verbs, 'trust.add trust.remove')

    def test_what_cannot_be_trusted(self):
        good, other = Authority(self.s.dir, 'Bonne'), Authority(self.s.dir, 'Autre')
        leaf = good.issue('feuille')
        self.lists.files['/autre'] = other.crl()
        self.lists.files['/passe'] = good.crl(hours=1)
        self.lists.files['/faux'] = b'not a list'
        file = self.s.path('liste.pem')
        with open(file, 'wb') as f:
            f.write(good.crl(pem=True))

        def add(pem=good.pem, name='bonne', crl=None, *more):
            p = self.s.command('trust', 'add', pem, '--name', name, '--use', 'card', *(['--crl', crl] if crl else []), *more, check=False)
            return p.returncode, p.stderr
        for words, status, text in (
                ((leaf + '.pem', 'bonne', file), 1, 'not the certificate of a certification authority'),
                ((good.pem, 'Bonne!', file), 1, 'a name is'), ((good.pem, 'bonne', None), 2, 'usage'),
                ((good.pem, 'bonne', self.lists.url + '/autre'), 1, "no certificate of the CRL's issuer"),
                ((good.pem, 'bonne', self.lists.url + '/faux'), 1, 'neither a DER nor a PEM'),
                ((good.pem, 'bonne', self.lists.url + '/nichts'), 1, 'status 404'),
                ((good.pem, 'bonne', 'ftp://x/y'), 1, 'a list comes from'),
                ((good.pem, 'bonne', '/nonexistent/x'), 1, 'No such file'), ((good.key, 'bonne', file), 1, 'no PEM certificate')):
            got = add(*words)
            self.assertEqual((got[0], text in got[1]), (status, True), (words, got))
            self.assertNotIn('bonne', self.s.command('trust', 'list').stdout)
        self.assertEqual(add(good.pem, 'bonne', file), (0, ''))        # PEM, by its path
        self.assertIn('file://' + os.path.realpath(file), self.s.command('trust', 'list').stdout)
        self.assertIn('is there already', add(good.pem, 'bonne2', file)[1])
        self.assertIn('is there already', add(other.pem, 'bonne', self.lists.url + '/autre')[1])
        self.assertEqual(add(other.pem, 'propre', None, '--own'), (0, ''))
        self.s.command('trust', 'remove', 'bonne')
        self.s.command('trust', 'remove', 'propre')

    def test_revoked_on_hold_and_back(self):
        ca = Authority(self.s.dir, 'Revoquante')
        self.trust('revoquante', ca, 'software')
        _, _, base = self.person('revoquee', ca)
        _, _, kept = self.person('gardee', ca)
        self.assertEqual(self.sign_in(base)[1].status, 200)
        ca.revoke(base, 'certificateHold')
        self.lists.files['/revoquante'] = ca.crl()
        self.fetch_now('revoquante')
        for node in (1, 2):
            self.refused(base, 'est suspendu', node=node)
        self.assertEqual(self.sign_in(kept)[1].status, 200)
        ca.release(base)
        self.lists.files['/revoquante'] = ca.crl()
        self.fetch_now('revoquante')
        self.assertEqual(self.sign_in(base)[1].status, 200)
        old = ca.crl()
        ca.revoke(base)
        self.lists.files['/revoquante'] = ca.crl()
        self.fetch_now('revoquante')
        self.refused(base, 'a été annulé')
        # an older list, another's, rubbish, or none revives nothing
        for body, text in ((old, 'older than the list'), (self.soft.crl(), "no certificate of the CRL's issuer"), (b'\x30\x00', ''),
                           (None, 'status 404')):
            self.lists.files['/revoquante'] = body
            self.fetch_now('revoquante')
            line = next(l for l in self.s.command('trust', 'list').stdout.splitlines() if l.startswith('revoquante'))
            self.assertIn(text, line)
            self.assertFalse(line.endswith('\tok'), line)
            self.refused(base, 'a été annulé')
            self.assertEqual(self.sign_in(kept)[1].status, 200)
        self.assertIn('trust.crl_refused', self.s.log('worker'))
        # its holder sees the tries on their page
        self.assertIn(('revoked'), self.s.sql("SELECT string_agg(DISTINCT result, ' ') FROM authn_event WHERE method = 2"))

    def test_own_authority_needs_no_list(self):
        own = Authority(self.s.dir, 'La notre')
        self.s.command('trust', 'add', own.pem, '--name', 'notre', '--use', 'software', '--own')
        handle, _, base = self.person('maison', own)
        self.assertEqual(self.sign_in(base)[1].status, 200)
        # our own state decides, in the look-up of the account
        for state, message in (('held', 'est suspendu'), ('revoked', 'a été annulé'), ('issued', 'pas encore ouvert')):
            self.s.sql(f"UPDATE credential_certificate SET state = '{state}' FROM account a WHERE a.id = account_id AND a.handle = '{handle}'")
            self.refused(base, message)
        self.s.command('trust', 'remove', 'notre')

    # --- links -----------------------------------------------------------------------------------------------------------
    def test_links(self):
        handle, _, base = self.person('liee')
        other, _ = self.s.citizen('autre-liee', PASSWORD)
        line = self.s.command('account', 'certificates', handle).stdout.strip().split('\t')
        self.assertEqual(line[1:4], ['active', Authority.serial(base).lower(), 'CN=Certificats logiciels,O=Essai,C=FR'])
        for words, text in (((other, base + '.pem'), 'belongs to an account already'), (('A' * 32, base + '.pem'), 'no such account'),
                            ((other, base + '.key'), 'no PEM certificate'),
                            ((other, self.soft.issue_at('vieux', date(-9), date(-2)) + '.pem'), 'refused (expired)'),
                            ((other, Authority(self.s.dir, 'Loin').issue('loin') + '.pem'), 'refused (foreign)')):
            p = self.s.command('account', 'link-certificate', *words, check=False)
            self.assertEqual((p.returncode, text in p.stderr), (1, True), p.stderr)
        b, reply = self.sign_in(base, self.url())
        self.id_token(reply)
        word = Browser(self.s)
        word.follow(word.sign_in('liee', PASSWORD))
        mine = word.get('/ma-page/donnees').json()['certificates']
        self.assertEqual([(c['serial'], c['state'], c['issuer']) for c in mine], [(line[2], 'active', line[3])])
        # taken away: sessions that began by it end, and services are told; those by password go on
        self.s.command('account', 'unlink-certificate', handle, line[0])
        self.assertEqual(b.get('/').status == 200 and 'logout' in b.get('/').text, False)
        self.assertIn('logout', word.get('/').text)
        self.refused(base, 'lié à aucun compte')
        self.assertNotEqual(self.s.command('account', 'unlink-certificate', handle, line[0], check=False).returncode, 0)
        self.assertNotEqual(self.s.command('account', 'unlink-certificate', handle, 'nonsense', check=False).returncode, 0)
        self.wait(lambda: self.s.sql("SELECT count(*) FROM signon d JOIN account a ON a.id = d.account_id "
                                     f"WHERE a.handle = '{handle}' AND closed_at IS NULL"), '0')
        # and may be given to another account
        self.s.command('account', 'link-certificate', other, base + '.pem', '--town', 'rivemont')
        self.assertEqual(self.sign_in(base)[1].status, 200)
        verbs = self.s.sql("SELECT string_agg(verb, ' ' ORDER BY seq) FROM audit_event WHERE verb LIKE 'certificate.%' AND object = "
                           f"(SELECT 'account:' || id FROM account WHERE handle = '{handle}')")
        self.assertEqual(verbs, 'certificate.link certificate.unlink')
        self.assertEqual(run(self.s.bin, 'audit', 'verify', '--config', self.s.conf, check=False).returncode, 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)
