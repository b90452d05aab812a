"""A citizen adds a card or certificate of another authority to their account from a session, and takes it away (docs/certificates.md)."""
import html
from certificates import *

CARDS = '/ma-page/cartes'


class System1(CertificateSystem):
    def __init__(self):
        super().__init__(nodes=1)


class Link(Base):
    system = System1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.agents, cls.files, cls.ours = (Authority(cls.s.dir, n) for n in ('Agents', 'Fichiers', 'La notre'))
        cls.trust('agents', cls.agents, 'card', '--link-from-session')
        cls.trust('fichiers', cls.files, 'software', '--link-from-session')
        cls.s.command('trust', 'add', cls.ours.pem, '--name', 'ours', '--use', 'software', '--own')

    @classmethod
    def trust(cls, name, authority, use, *more):
        cls.lists.files['/' + name] = authority.crl()
        return cls.s.command('trust', 'add', authority.pem, '--name', name, '--use', use, '--crl', f'{cls.lists.url}/{name}', *more)

    def setUp(self):
        self.s.sql('DELETE FROM throttle')

    def citizen(self, login, **kw):
        """Just signed in by password."""
        handle, codes = self.s.citizen(login, PASSWORD, **kw)
        b = Browser(self.s)
        self.assertEqual(b.follow(b.sign_in(login, PASSWORD)).status, 200)
        b.handle, b.codes, b.login = handle, codes, login
        return b

    def advance(self, span):
        self.s.command('clock', '--advance', span)

    def door(self, b, card=True):
        """The address at the door to which the page leads this browser."""
        r = b.get(f'{CARDS}/ajouter' + ('?door=card' if card else ''))
        self.assertEqual(r.status, 303, r.text[:400])
        self.assertIn('/signon/', r.headers['Location'])
        r = b.get(r.headers['Location'])
        self.assertTrue(r.headers['Location'].startswith(self.s.cert_url + '/certificate/'), r.headers['Location'])
        return r.headers['Location']

    def show(self, b, base, card=True):
        """What the person reads after the door."""
        b.ticket = self.s.knock(self.door(b, card), base).headers['Location']
        return b.get(b.ticket)

    def fields(self, b, page):
        return {'csrf': b.csrf(page), 'shown': html.unescape(re.search(r'name="shown" value="([^"]+)"', page.text).group(1)), 'do': 'link'}

    def confirm(self, b, page):
        self.assertEqual(page.status, 200, page.text[:600])
        return b.post(f'{CARDS}/lier', self.fields(b, page))

    def link(self, b, base, card=True):
        r = self.confirm(b, self.show(b, base, card))
        self.assertEqual((r.status, r.headers['Location']), (303, f'{self.s.url}{CARDS}?fait=ajout'), r.text[:400])

    def linked(self, b):
        return [tuple(l.split('|')) for l in self.s.sql(
            "SELECT c.id || '|' || c.state || '|' || c.by_holder FROM credential_certificate c JOIN account a ON a.id = c.account_id "
            f"WHERE a.handle = '{b.handle}' ORDER BY c.linked_at, c.id").splitlines()]

    def active(self, b):
        return [i for i, state, _ in self.linked(b) if state == 'active']

    def refused_page(self, page, status, message):
        self.assertEqual(page.status, status, page.text[:600])
        self.assertIn(message, page.text)
        self.assertNotIn('name="shown"', page.text)

    def remove(self, b, certificate, **kw):
        page = b.get('/')
        return b.post(f'{CARDS}/retirer', {'csrf': b.csrf(page), 'id': certificate, 'do': 'remove'}, **kw)

    def audit(self, verb, account):
        return self.s.sql(f"SELECT count(*) FROM audit_event WHERE verb = '{verb}' AND actor = 'citizen' AND role = 'session' AND object = "
                          f"(SELECT 'account:' || id FROM account WHERE handle = '{account}')")

    # --- the way itself -------------------------------------------------------------------------------------------------

    def test_link_sign_in_unlink(self):
        b = self.citizen('imprimeur', address='imprimeur@courriel.example', keep_mail=True)
        base = self.agents.issue('Agent Imprimeur')
        self.assertIn(f'href="{CARDS}"', b.get('/').text)
        page = b.get(CARDS)
        self.assertIn('ni carte ni certificat', page.text)
        self.assertIn('id="add-card"', page.text)
        self.assertIn('id="add-certificate"', page.text)
        seen = len(self.s.sink.messages)
        page = self.show(b, base)
        self.assertIn('id="subject">CN=Agent Imprimeur<', page.text)
        self.assertIn('id="issuer">CN=Agents,O=Essai,C=FR<', page.text)
        # seen twice, in English too, nothing is kept: GET links nothing
        self.assertIn('Is it yours?', b.get(b.ticket + '?lang=en').text)
        b.get(b.ticket + '?lang=fr')
        self.assertEqual(self.linked(b), [])
        self.assertEqual(self.refused(base, 'lié à aucun compte').status, 403)
        fields = self.fields(b, page)
        self.assertEqual(b.post(f'{CARDS}/lier', fields).headers['Location'], f'{self.s.url}{CARDS}?fait=ajout')
        # the second click
        self.assertEqual(b.post(f'{CARDS}/lier', fields).headers['Location'], f'{self.s.url}{CARDS}?fait=ajout')
        self.assertEqual([(s, h) for _, s, h in self.linked(b)], [('active', 'true')])
        self.assertEqual(self.audit('certificate.link', b.handle), '1')
        self.assertIn('C&#39;est ajouté', b.get(f'{CARDS}?fait=ajout').text.replace("'", '&#39;'))
        self.assertIn('carte ou un certificat a été ajouté', self.s.sink.wait('imprimeur@courriel.example', seen).get_content())
        mine = b.get('/ma-page/donnees').json()['certificates']
        self.assertEqual([(c['issuer'], c['added_by_holder']) for c in mine], [('CN=Agents,O=Essai,C=FR', True)])
        # the name in it is kept nowhere
        self.assertEqual(self.s.sql("SELECT count(*) FROM audit_event WHERE detail::text LIKE '%Imprimeur%'"), '0')
        # it signs in, at the level of its authority
        other = Browser(self.s)
        r = self.sign_in(base, self.url(), other)[1]
        by_card = lambda: self.s.sql("SELECT count(*) FROM session s JOIN account a ON a.id = s.account_id WHERE s.live AND s.method = 4 "
                                     f"AND a.handle = '{b.handle}'")
        self.assertEqual((self.id_token(r)['acr'], by_card()), (CARD, '1'))
        # and goes: with it the session that it began, not the password's
        (one, _, _), = self.linked(b)
        self.assertEqual(self.remove(b, one).headers['Location'], f'{self.s.url}{CARDS}?fait=retire')
        self.assertEqual(self.remove(b, one).headers['Location'], f'{self.s.url}{CARDS}?fait=absent')
        self.assertEqual(by_card(), '0')
        self.assertIn('id="t-cards"', b.get(CARDS).text)
        self.assertEqual(self.audit('certificate.unlink', b.handle), '1')
        end = time.monotonic() + 20
        while not any('a été retiré' in m for m in self.mails('imprimeur@courriel.example')) and time.monotonic() < end:
            time.sleep(0.1)
        self.assertTrue(any('a été retiré' in m for m in self.mails('imprimeur@courriel.example')))
        self.refused(base, 'lié à aucun compte')
        # and may come again, also to another account
        self.link(self.citizen('imprimeur2'), base)
        self.assertEqual(self.sign_in(base)[1].status, 200)

    def mails(self, to):
        return [m.get_content() for rcpt, m in self.s.sink.messages if to in rcpt]

    def test_software_level_and_second_factor_kept(self):
        b = self.citizen('fichier')
        base = self.files.issue('Fichier')
        self.link(b, base, card=False)
        token = self.id_token(self.sign_in(base, self.url())[1])
        self.assertEqual((token['acr'], token['amr']), (SOFT, ['swk']))

    # --- refusals: each with the way on, and the good one after it ------------------------------------------------------------

    def test_refusals(self):
        b, someone = self.citizen('refus'), self.citizen('quelquun')
        taken = self.agents.issue('Prise')
        self.link(someone, taken)
        _, _, theirs = self.person('guichetier', self.soft)
        revoked, expired = self.agents.issue('Annulee'), self.agents.issue_at('Passee', date(-9), date(-1))
        future = self.agents.issue_at('Future', date(2), date(9))
        wrong = self.agents.issue('Serveur', ext=Authority.CLIENT.replace('clientAuth', 'serverAuth'))
        foreign = Authority(self.s.dir, 'Etrangere').issue('Etrangere')
        self.agents.revoke(revoked)
        self.s.command('trust', 'remove', 'agents')
        self.trust('agents', self.agents, 'card', '--link-from-session')
        rows = [(None, 403, 'aucun certificat'), (foreign, 403, 'organisme reconnu'), (revoked, 403, 'a été annulé'),
                (expired, 403, 'date est passée'), (future, 403, 'pas encore valable'), (wrong, 403, 'pas fait pour se connecter'),
                (taken, 409, 'déjà lié à un compte'), (theirs, 409, 'déjà lié à un compte'),
                (self.soft.issue('Guichet'), 403, 'pas l&#39;ajouter soi-même'), (self.ours.issue('Notre'), 403, 'a été fait ici')]
        for base, status, message in rows:
            with self.subTest(message):
                page = self.show(b, base)
                page.body = page.body.replace(b"'", b'&#39;')
                self.refused_page(page, status, message)
                self.assertIn('id="again" href="' + CARDS + '/ajouter"', page.text)
        self.assertEqual(self.linked(b), [])
        # what is known of the other account is not told: it may be blocked or closed
        self.s.door('POST', f'/v1/accounts/{someone.handle}/block', {'reason': 'lost'})
        self.refused_page(self.show(b, taken), 409, 'déjà lié à un compte')
        good = self.agents.issue('Bonne')
        self.link(b, good)
        self.refused_page(self.show(b, good), 409, 'déjà lié à votre compte')

    def test_tickets_of_others(self):
        b, thief = self.citizen('titulaire'), self.citizen('voleur')
        base, his = self.agents.issue('Titulaire'), self.agents.issue('Voleur')
        page = self.show(b, base)
        fields = self.fields(b, page)
        twin = Browser(self.s)                                                     # the same account, in another browser
        twin.follow(twin.sign_in('titulaire', PASSWORD))
        # a ticket, or its form, in the session of somebody else, or another of the same account
        for other in (thief, twin):
            self.refused_page(other.get(b.ticket), 409, 'autre session')
            mine = self.fields(other, self.show(other, his))
            self.refused_page(other.post(f'{CARDS}/lier', {**mine, 'shown': fields['shown']}), 410, 'trop attendu')
            # even with the cookie that binds it to the browser
            bound = other.cookies['__Host-certificate']
            other.cookies['__Host-certificate'] = b.cookies['__Host-certificate']
            self.refused_page(other.get(b.ticket), 409, 'autre session')
            self.refused_page(other.post(f'{CARDS}/lier', {**mine, 'shown': fields['shown']}), 409, 'autre session')
            other.cookies['__Host-certificate'] = bound
        # the attacker's card shown in the attacker's own flow, and the victim led to that page
        self.show(thief, his)
        self.refused_page(b.get(thief.ticket), 409, 'autre session')
        self.refused_page(b.post(f'{CARDS}/lier', {**fields, 'shown': self.fields(thief, thief.get(thief.ticket))['shown']}), 410, 'trop attendu')
        # without CSRF value, or from another site; damaged; a ticket of a sign-in
        self.assertEqual(b.post(f'{CARDS}/lier', {**fields, 'csrf': 'x'}).status, 403)
        self.assertEqual(b.post(f'{CARDS}/lier', fields, headers={'Origin': 'https://mechant.example'}).status, 403)
        sign_in = self.knock(Browser(self.s), base).split('/signon/')[1].replace('/certificate/', '/')
        flow, ticket = fields['shown'].split('/')
        for bad in ('', 'x', '/', flow, flow + '/', '/' + ticket, fields['shown'][:-2], flow + '/' + sign_in.split('/')[1], sign_in, 'a' * 9000):
            self.refused_page(b.post(f'{CARDS}/lier', {**fields, 'shown': bad}), 410, 'trop attendu')
        # a link ticket signs nobody in
        stranger = Browser(self.s)
        stranger.cookies['__Host-certificate'] = b.cookies['__Host-certificate']
        r = stranger.get(b.ticket)
        self.assertEqual(r.headers['Location'], f'{self.s.url}/login')
        self.assertNotIn('__Host-beffroi', stranger.cookies)
        self.assertEqual((self.linked(b), self.linked(thief)), ([], []))
        self.assertEqual(b.post(f'{CARDS}/lier', fields).status, 303)
        self.assertEqual(len(self.active(b)), 1)
        # taken away, the ticket does not bring it back
        self.remove(b, self.active(b)[0])
        self.refused_page(b.post(f'{CARDS}/lier', fields), 410, 'trop attendu')
        self.assertEqual(self.active(b), [])

    def test_old_proof_and_late_pages(self):
        b = self.citizen('lente')
        base = self.agents.issue('Lente')
        # from the door to our page: cert.ticket_life
        at = self.s.knock(self.door(b), base).headers['Location']
        self.advance('61s')
        self.refused_page(b.get(at), 410, 'trop attendu')
        # the page may be sent for a quarter of an hour, while the proof still counts
        page = self.show(b, base)
        self.advance('14min')
        fields = self.fields(b, page)
        late = dict(fields)
        self.assertEqual(b.post(f'{CARDS}/lier', fields).status, 303)
        self.remove(b, self.active(b)[0])
        # now the session is older than that: adding, confirming and taking away ask for the password first
        self.advance('6min')
        again = self.files.issue('Lente logicielle')
        self.s.sql("INSERT INTO credential_certificate (id, account_id, issuer, serial, spki_sha256, state, state_since, not_after, linked_at, by_holder) "
                   f"SELECT gen_random_uuid(), id, 'x', '\\x01', sha256('x'), 'active', now(), now() + interval '9 years', now(), true FROM account WHERE handle = '{b.handle}'")
        one, = self.active(b)
        for r in (b.get(f'{CARDS}/ajouter'), b.post(f'{CARDS}/lier', late), self.remove(b, one)):
            self.assertEqual(r.status, 303)
            page = b.follow(r)
            self.assertIn('name="password"', page.text)
            self.assertIn('value="lente"', page.text)
        self.assertEqual(self.active(b), [one])
        # after the password the person is where they were
        r = b.follow(b.get(f'{CARDS}/ajouter'))
        r = b.post(b.at, {'csrf': b.csrf(r), 'login': 'lente', 'password': PASSWORD, 'do': 'signin'})
        self.assertEqual(r.status, 303, r.text[:300])
        r = b.get(r.headers['Location'])
        self.assertEqual(r.headers['Location'], f'{self.s.url}{CARDS}/ajouter')
        self.link(b, again, card=False)
        self.assertEqual(self.remove(b, one).headers['Location'], f'{self.s.url}{CARDS}?fait=retire')
        # a page that waited longer than a quarter of an hour
        fields = self.fields(b, self.show(b, base))
        self.advance('16min')
        self.refused_page(b.post(f'{CARDS}/lier', fields), 410, 'trop attendu')

    def test_an_ended_session_links_nothing(self):
        """Ended between its request and the transaction: what the owner ended does not add what outlives it."""
        b = self.citizen('minuit')
        page = self.show(b, self.agents.issue('Agent Minuit'))
        with self.s.held(f"account WHERE handle = '{b.handle}'"):
            late = Later(lambda: self.confirm(b, page))
            self.s.waiting(1, late)
            self.s.sql("UPDATE session SET live = false, ended_at = now(), ended_why = 'test' WHERE live AND account_id = "
                       f"(SELECT id FROM account WHERE handle = '{b.handle}')")
        self.assertEqual((late.get().headers['Location'], self.linked(b)), (self.s.url + '/', []))

    def test_changes_in_between(self):
        b, other = self.citizen('entre'), self.citizen('entretemps')
        base = self.agents.issue('Entre')
        # another account was faster: its holder showed it in both
        fields = self.fields(b, self.show(b, base))
        self.link(other, base)
        self.refused_page(b.post(f'{CARDS}/lier', fields), 409, 'déjà lié à un compte')
        # what is trusted changed, as with every new list, and its authority is there still: no reason to ask again
        calm, base = self.citizen('calme'), self.agents.issue('Calme')
        page = self.show(calm, base)
        self.trust('voisins', Authority(self.s.dir, 'Voisins'), 'card')
        self.assertEqual(self.confirm(calm, page).status, 303)
        self.s.command('trust', 'remove', 'voisins')
        self.assertEqual(len(self.active(calm)), 1)
        # its authority was removed: none may be linked now
        base = self.files.issue('Retiree')
        fields = self.fields(b, self.show(b, base, card=False))
        self.s.command('trust', 'remove', 'fichiers')
        self.refused_page(b.post(f'{CARDS}/lier', fields), 409, 'vient de changer')
        self.refused_page(self.show(b, base), 403, 'organisme reconnu')
        # it came back, but nobody may link by themselves
        self.trust('fichiers', self.files, 'software')
        page = self.show(b, base)
        self.assertIn('venez', page.text.lower())
        self.refused_page(page, 403, 'soi-même')
        self.s.command('trust', 'remove', 'fichiers')
        self.trust('fichiers', self.files, 'software', '--link-from-session')
        # the account was blocked: no session, nothing linked
        fields = self.fields(b, self.show(b, base))
        self.s.door('POST', f'/v1/accounts/{b.handle}/block', {'reason': 'lost'})
        self.assertIn('/login', b.post(f'{CARDS}/lier', fields).headers['Location'])
        self.assertEqual(b.get(b.ticket).headers['Location'], f'{self.s.url}/login')
        self.assertEqual(self.linked(b), [])
        # at the counter's new codes what was added from a session ends, and what the operator linked stays
        base, kept = self.agents.issue('Volee'), self.soft.issue('Gardee')
        c = self.citizen('repris')
        self.link(c, base)
        self.s.command('account', 'link-certificate', c.handle, kept + '.pem')
        self.assertEqual(len(self.active(c)), 2)
        self.s.door('POST', f'/v1/accounts/{c.handle}/block', {'reason': 'stolen'})
        self.assertEqual(len(self.active(c)), 2)
        self.refused(base, 'compte est bloqué')
        r = self.s.door('POST', f'/v1/accounts/{c.handle}/reissue', {'what': 'all'}, key=secrets_token(24))
        self.assertIn(r.status, (200, 201), r.text)
        self.assertEqual([(s, h) for _, s, h in self.linked(c)], [('ended', 'true'), ('active', 'false')])
        self.refused(base, 'lié à aucun compte')

    def test_last_means_and_own_session(self):
        b = self.citizen('dernier')
        one, two = self.agents.issue('Une'), self.agents.issue('Deux')
        self.link(b, one)
        self.link(b, two)
        # an account whose password is gone, signed in by one of them
        self.s.sql(f"DELETE FROM login WHERE account_id = (SELECT id FROM account WHERE handle = '{b.handle}')")
        handle = b.handle
        b, page = self.sign_in(one)
        b.handle = handle
        self.assertEqual(page.status, 200)
        first, second = self.active(b)
        page = self.remove(b, second)
        self.refused_page(page, 200, 'cette session est fermée')
        self.assertEqual(self.active(b), [first])
        self.assertEqual(b.get(CARDS).headers['Location'], f'{self.s.url}/login')
        b, _ = self.sign_in(one)
        b.handle = handle
        self.refused_page(self.remove(b, first), 409, 'seul moyen de connexion')
        self.assertEqual(self.active(b), [first])
        self.assertEqual(self.sign_in(one)[1].status, 200)
        # and an old proof asks for the certificate, as there is no name
        self.advance('21min')
        self.assertIn('id="door-card"', b.follow(self.remove(b, first)).text)

    def test_what_others_linked_and_how_many(self):
        b, other = self.citizen('combien'), self.citizen('dautrui')
        by_operator, _ = self.soft.issue('Operateur'), self.link(other, self.agents.issue('Autrui'))
        self.s.command('account', 'link-certificate', b.handle, by_operator + '.pem')
        for certificate in (*self.active(b), *self.active(other), 'x', '', "'"):
            self.assertEqual(self.remove(b, certificate).headers['Location'], f'{self.s.url}{CARDS}?fait=absent')
        self.assertEqual((len(self.active(b)), len(self.active(other))), (1, 1))
        self.s.sql("INSERT INTO credential_certificate (id, account_id, issuer, serial, spki_sha256, state, state_since, not_after, linked_at, by_holder) "
                   "SELECT gen_random_uuid(), a.id, 'y', decode(lpad(to_hex(n), 4, '0'), 'hex'), sha256('x'), 'active', now(), now() + interval '9 years', now(), true "
                   f"FROM account a, generate_series(1, 9) n WHERE handle = '{b.handle}'")
        self.link(b, self.agents.issue('Dixieme'))
        self.refused_page(self.confirm(b, self.show(b, self.agents.issue('Onzieme'))), 409, 'déjà dix')
        self.assertEqual(len(self.active(b)), 11)

    # --- the operator ----------------------------------------------------------------------------------------------------------

    def test_operator(self):
        p = self.s.command('trust', 'add', self.agents.pem, '--name', 'deux', '--use', 'card', '--own', '--link-from-session', check=False)
        self.assertEqual((p.returncode, 'link-from-session' in p.stderr), (1, True), p.stderr)
        rows = {l.split('\t')[0]: l.split('\t')[2] for l in self.s.command('trust', 'list').stdout.splitlines()}
        self.assertEqual(rows, {'soft': '-', 'card': '-', 'agents': 'link', 'fichiers': 'link', 'ours': 'own'})
        with self.assertRaises(Exception):
            self.s.sql("UPDATE trust SET link_from_session = true WHERE own")

    def test_a_busy_door_and_other_addresses(self):
        b = self.citizen('occupee')
        door = self.door(b)
        flow = f'{self.s.url}/signon/' + urllib.parse.urlsplit(door).path.split('/')[-1]
        # the door had no time: back to the page, with words; nobody is asked to sign in
        self.assertIn('Rien n&#39;a été ajouté', b.follow(b.get(flow + '?busy=1')).text.replace("'", '&#39;'))
        # at the same door an ordinary sign-in is as before
        self.assertEqual(b.get(flow + '/certificate').status, 303)
        self.refused_page(b.get(flow + '/certificate/x.y'), 410, 'trop attendu')
        # without a session there is nothing to see
        for path in (CARDS, CARDS + '/ajouter'):
            self.assertEqual(Browser(self.s).get(path).headers['Location'], f'{self.s.url}/login')


class Closed(Base):
    """No authority allows it: nothing is offered."""
    system = System1

    def test_nothing_offered(self):
        handle, _ = self.s.citizen('rien', PASSWORD)
        b = Browser(self.s)
        self.assertNotIn(f'href="{CARDS}"', b.follow(b.sign_in('rien', PASSWORD)).text)
        page = b.get(CARDS)
        self.assertNotIn('id="add-', page.text)
        self.assertEqual(b.get(CARDS + '/ajouter').headers['Location'], f'{self.s.url}{CARDS}?fait=rien')


if __name__ == '__main__':
    unittest.main(verbosity=2)
