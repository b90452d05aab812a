"""A card at the counter, as the town door sees it: handed over, blocked, and back (DOMAIN P-031, P-032, P-055…P-066, 2.1, 2.4,
K1, K2, A-01, A-09, A-17, T-03, T-04, T-07)."""
import concurrent.futures, unittest
from cards import *
from certificates import CertificateSystem, read
from openssl_authority import Authority

CARD = {'given_name': 'Zoé', 'surname': 'Durand', 'address': ['Mme Durand', '3 rue du Puits', '31999 RIVEMONT']}
LEA, NOE = {'Beffroi-Clerk': 'lea'}, 'noe'
PIN_DIGITS = '0123456789'


class CounterSystem(CardSystem, CertificateSystem):
    def __init__(self, *args, **more):
        super().__init__(*args, **{'extra': SETTINGS, **more})

    def issue(self, name, extension='extendedKeyUsage=clientAuth', days='900'):
        super().issue(name, extension, days)       # the clock is moved


def der(base):
    return base64.b64encode(ssl.PEM_cert_to_DER_cert(read(base + '.pem'))).decode()


def code(reply):
    return reply.status, reply.json()['code']


class Counter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.s = cls.stack.enter_context(CounterSystem())
        cls.cards = Authority(cls.s.dir, 'Cartes')
        cls.s.command('trust', 'add', cls.cards.pem, '--name', 'cartes', '--use', 'card', '--own')
        cls.n = 0

    def setUp(self):
        self.s.sql('DELETE FROM throttle')

    # --- what a test is made of ----------------------------------------------------------------------------------------
    def post(self, handle, what, body=None, key=None, who=LEA, **kw):
        return self.s.door('POST', f'/v1/accounts/{handle}/{what}', body, key=key, headers=who, **kw)

    def account(self, handle):
        return self.s.door('GET', f'/v1/accounts/{handle}').json()

    def id(self, handle):
        return self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}'")

    def made(self, town='rivemont'):
        """A card that was made: (handle, codes, its certificate's files)."""
        key, handle = secrets_token(24), secrets_token(24)
        r = self.s.door('POST', '/v1/accounts', {'type': 'x509_card', 'handle': handle, 'card': CARD}, town, key)
        self.assertEqual(r.status, 201, r.text)
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/ack', town=town).status, 200)
        return handle, self.s.unseal(r.json()['sealed'], key, town), self.certificate(handle, town=town)

    def certificate(self, handle, days='900', town='rivemont'):
        """Another card for the account, made and linked."""
        type(self).n += 1
        base = self.cards.issue(f'carte{self.n}', days=days)
        self.s.command('account', 'link-certificate', handle, base + '.pem', '--town', town)
        return base

    def active(self):
        handle, codes, base = self.made()
        r = self.post(handle, 'activate', {'certificate': der(base)})
        self.assertEqual((r.status, r.json()['state']), (200, 'active'), r.text)
        return handle, codes, base

    def blocked(self, reason='lost'):
        handle, codes, base = self.active()
        r = self.post(handle, 'block', {'reason': reason})
        self.assertEqual((r.status, r.json()['state']), (200, 'suspended'), r.text)
        return handle, codes, base

    @staticmethod
    def good(codes, base):
        return {'otp': codes['reactivation_otp'], 'pin': codes['reactivation_pin'], 'certificate': der(base)}

    def back(self, handle, body, key=None, **kw):
        return self.post(handle, 'reactivate', body, key or secrets_token(24), **kw)

    def comes_back(self, handle, body, **kw):
        """It does: the new codes."""
        key = secrets_token(24)
        r = self.back(handle, body, key, **kw)
        self.assertEqual((r.status, r.json().get('state')), (200, 'active'), r.text)
        codes = self.s.unseal(r.json()['sealed'], key)
        self.assertEqual(self.post(handle, 'ack').status, 200)
        return codes

    def other_pin(self, pin, n=1):
        """Another PIN whose check digit is right."""
        found = 0
        for i in range(10000000):
            digits = f'{(int(pin[:7]) + i + 1) % 10000000:07}'
            for last in PIN_DIGITS:
                if digits + last != pin and self.is_pin(digits + last):
                    found += 1
                    if found == n:
                        return digits + last

    DAMM = ('0317598642', '7092154863', '4206871359', '1750983426', '6123045978', '3674209581', '5869720134', '8945362017',
            '9438617205', '2581436790')

    @classmethod
    def is_pin(cls, digits):
        """Ends at the value that tells the kind (base/core/code.h); learnt from a PIN that was drawn."""
        at = 0
        for d in digits:
            at = int(cls.DAMM[at][int(d)])
        return at == cls.kind

    def learn(self, pin):
        at = 0
        for d in pin:
            at = int(self.DAMM[at][int(d)])
        type(self).kind = at

    def signs_in(self, base):
        """What the certificate door and the main host make of it: the status of the page at the end."""
        b = Browser(self.s)
        page = b.follow(b.get('/login'))
        door = b.get(b.at + '/certificate').headers['Location']
        ticket = self.s.knock(door, base).headers['Location']
        return b.follow(b.get(ticket))

    def live(self, handle):
        return self.s.sql("SELECT string_agg(s.kind || ' ' || s.state, ',' ORDER BY s.kind, s.state DESC) FROM secret s JOIN account a ON a.id = s.account_id "
                          f"WHERE a.handle = '{handle}' AND s.state IN ('live', 'locked')")

    ALL_LIVE = 'reactivation_otp live,reactivation_pin live,revocation live'

    # --- hand-over -----------------------------------------------------------------------------------------------------
    def test_a_card_signs_in_once_it_is_handed_over(self):
        """P-010, P-032, T-03: refused before, accepted from that second on."""
        handle, codes, base = self.made()
        page = self.signs_in(base)
        self.assertEqual(page.status, 403)
        self.assertIn('pas encore ouvert', page.text)
        r = self.post(handle, 'activate', {'certificate': der(base), 'record': 'PV-2026_17'})
        self.assertEqual((r.status, r.json()['state']), (200, 'active'), r.text)
        self.assertNotIn('sealed', r.json())
        self.assertEqual(self.signs_in(base).status, 200)
        self.assertEqual(self.live(handle), self.ALL_LIVE)
        self.assertIn('"record": "PV-2026_17"', self.s.sql(
            f"SELECT detail FROM audit_event WHERE verb = 'account.activate' AND object = 'account:{self.id(handle)}'"))
        # twice is once
        again = self.post(handle, 'activate', {'certificate': der(base)})
        self.assertEqual((again.status, again.json()), (200, r.json()))
        self.assertEqual(self.s.sql("SELECT count(*) FROM audit_event WHERE verb = 'account.activate' AND result = 'ok' AND "
                                    f"object = 'account:{self.id(handle)}'"), '1')

    def test_only_this_card(self):
        """P-031: card B in the reader during the hand-over of A."""
        handle, _, base = self.made()
        _, _, other = self.made()
        stranger = Authority(self.s.dir, 'Ailleurs').issue('ailleurs')
        twin = self.cards.issue('jumelle', serial=int(run('openssl', 'x509', '-in', base + '.pem', '-noout', '-serial')
                                                      .stdout.split('=')[1], 16))      # same number, another key
        for wrong in (other, stranger, twin):
            r = self.post(handle, 'activate', {'certificate': der(wrong)})
            self.assertEqual(code(r), (403, 'certificate.other'))
        for text in ('MAA=', base64.b64encode(b'pas de certificat').decode()):
            self.assertEqual(code(self.post(handle, 'activate', {'certificate': text})), (400, 'certificate.malformed'))
        self.assertEqual(self.account(handle)['state'], 'pending')
        self.assertEqual(self.post(handle, 'activate', {'certificate': der(base)}).status, 200)

    def test_hand_over_is_for_cards_that_wait(self):
        handle, _ = self.s.create()
        self.assertEqual(code(self.post(handle, 'activate', {'certificate': 'MAA='})), (409, 'account.type'))
        handle, _, base = self.blocked()
        self.assertEqual(code(self.post(handle, 'activate', {'certificate': der(base)})), (409, 'account.state.suspended'))
        for state, want in (('revoked', 'certificate.rekey'), ('held', 'certificate.held')):
            handle, _, base = self.made()
            set_state = lambda to: self.s.sql(f"UPDATE credential_certificate SET state = '{to}' WHERE account_id = '{self.id(handle)}'")
            set_state(state)
            self.assertEqual(code(self.post(handle, 'activate', {'certificate': der(base)})), (409, want))
            set_state('issued')
            self.assertEqual(self.post(handle, 'activate', {'certificate': der(base)}).status, 200)
        self.s.add_town('voisine')
        handle, _, base = self.made()
        self.assertEqual(self.post(handle, 'activate', {'certificate': der(base)}, town='voisine').status, 404)

    def test_two_agents_for_a_card_that_cannot_be_read(self):
        handle, _, base = self.made()
        two = {'override': {'reason': 'reader', 'second': NOE}}
        for body, who in ((two, {}), ({'override': {'reason': 'reader', 'second': 'lea'}}, LEA)):
            self.assertEqual(code(self.post(handle, 'activate', body, who=who)), (403, 'clerk.second'))
        r = self.post(handle, 'activate', two)
        self.assertEqual((r.status, r.json()['state']), (200, 'active'), r.text)
        self.assertEqual(self.post(handle, 'activate', two).status, 200)
        self.assertEqual(self.s.sql("SELECT detail->>'override', detail->>'second' FROM audit_event WHERE verb = 'account.activate' "
                                    f"AND object = 'account:{self.id(handle)}'"), f'reader|{NOE}')
        self.assertEqual(self.signs_in(base).status, 200)
        key, handle = secrets_token(24), secrets_token(24)
        r = self.s.door('POST', '/v1/accounts', {'type': 'x509_card', 'handle': handle, 'card': CARD}, key=key)
        self.assertEqual(code(self.post(handle, 'activate', two)), (409, 'certificate.none'))

    # --- blocked, and back -----------------------------------------------------------------------------------------------
    def test_blocked_and_back_twice(self):
        """P-056, P-065, A-17: what came back has a new set; the old one is dead; it goes on from there."""
        handle, codes, base = self.active()
        number = self.account(handle)['number']
        for turn in range(2):
            r = Browser(self.s).post('/blocage', {'code': codes['revocation']})
            self.assertEqual(r.status, 200, r.text[:300])
            page = self.signs_in(base)
            self.assertEqual(page.status, 403)
            self.assertIn('compte est bloqué', page.text)
            new = self.comes_back(handle, self.good(codes, base))
            self.assertEqual(set(new), {'revocation', 'reactivation_otp', 'reactivation_pin'})
            self.assertFalse(set(new.values()) & set(codes.values()))
            self.assertEqual(self.signs_in(base).status, 200)
            self.assertEqual(self.live(handle), self.ALL_LIVE)
            self.assertEqual(Browser(self.s).post('/blocage', {'code': codes['revocation']}).status, 410)
            self.assertEqual(code(self.s.door('POST', '/v1/blocks', {'code': codes['revocation']})), (403, 'secret.superseded'))
            codes = new
        self.assertEqual(self.account(handle)['number'], number)
        self.assertEqual(self.s.sql(f"SELECT reactivations FROM account WHERE handle = '{handle}'"), '2')
        self.assertEqual(self.s.jobs(self.id(handle)), ['suspend', 'resume'] * 2)
        what = [c['what'] for c in self.changes(handle)]
        self.assertEqual(what, ['create', 'ack', 'activate', 'revoke', 'reactivate', 'revoke', 'reactivate'])

    def changes(self, handle):
        cursor, seen = '', []
        while True:
            page = self.s.door('GET', f'/v1/changes?limit=200&after={cursor}').json()
            if not page['changes']:
                return [c for c in seen if c['handle'] == handle]
            seen += page['changes']
            cursor = page['next']

    def test_old_codes_bring_nothing_back(self):
        handle, first, base = self.blocked()
        second = self.comes_back(handle, self.good(first, base))
        self.assertEqual(self.post(handle, 'block', {'reason': 'lost'}).status, 200)
        old = self.back(handle, {**self.good(second, base), 'otp': first['reactivation_otp']})
        self.assertEqual(code(old), (403, 'secret.superseded'))
        self.assertEqual(self.live(handle), self.ALL_LIVE)
        self.assertEqual(self.s.sql("SELECT sum(tries) FROM secret s JOIN account a ON a.id = s.account_id "
                                    f"WHERE a.handle = '{handle}'"), '0', 'no guess, no try')
        self.comes_back(handle, self.good(second, base))

    def test_a_card_blocked_before_its_hand_over(self):
        """DOMAIN 2.1, pending/revoke: opened envelope; the card stays, the counter reactivates and hands it over."""
        for block in (lambda h, c: self.post(h, 'block', {'reason': 'lost'}), lambda h, c: self.s.door('POST', '/v1/blocks', {'code': c['revocation']})):
            handle, codes, base = self.made()
            self.assertEqual(block(handle, codes).json()['state'], 'suspended')
            self.assertEqual(code(self.post(handle, 'activate', {'certificate': der(base)})), (409, 'account.state.suspended'))
            self.assertEqual(code(self.post(handle, 'reissue', {'what': 'all'}, secrets_token(24))), (409, 'account.state.suspended'))
            self.comes_back(handle, self.good(codes, base))
            self.assertEqual(self.signs_in(base).status, 200)

    def test_the_receipt(self):
        """P-056, P-058: a block is told once and for all, by phone and at the counter alike."""
        handle, codes, _ = self.active()
        first = self.post(handle, 'block', {'reason': 'lost'}, who={'Beffroi-Clerk': 'telephone'}).json()
        self.assertRegex(first['receipt'], '^B-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}$')
        self.assertFalse(first['already'])
        for again in (self.post(handle, 'block', {'reason': 'lost'}), self.s.door('POST', '/v1/blocks', {'code': codes['revocation']})):
            self.assertEqual((again.json()['receipt'], again.json()['at'], again.json()['already']), (first['receipt'], first['at'], True))
        self.assertIn('clerk:telephone', self.s.sql("SELECT actor FROM audit_event WHERE verb = 'account.revoke' AND "
                                                    f"object = 'account:{self.id(handle)}'"))

    # --- refusals, each beside the message that passes ---------------------------------------------------------------------
    def test_accounts_that_do_not_come_back(self):
        """P-062, A-10: only a card, and only from a block."""
        _, codes, base = self.active()
        body = self.good(codes, base)
        handle, _ = self.s.create()
        self.assertEqual(code(self.back(handle, body)), (409, 'account.type'))
        self.assertEqual(self.post(handle, 'block', {'reason': 'lost'}).status, 200)
        self.assertEqual(code(self.back(handle, body)), (409, 'account.type'))
        handle, codes, base = self.made()
        self.assertEqual(code(self.back(handle, self.good(codes, base))), (409, 'account.state.pending'))
        self.assertEqual(self.post(handle, 'activate', {'certificate': der(base)}).status, 200)
        self.assertEqual(code(self.back(handle, self.good(codes, base))), (409, 'account.state.active'))
        self.assertEqual(self.post(handle, 'block', {'reason': 'lost'}).status, 200)
        codes = self.comes_back(handle, self.good(codes, base))
        self.assertEqual(self.post(handle, 'close', {'reason': 'request'}).status, 200)
        self.assertEqual(code(self.back(handle, self.good(codes, base))), (409, 'account.state.closed'))
        self.assertEqual(self.s.jobs(self.id(handle)), ['suspend', 'resume', 'end'])

    def test_for_good_is_for_good(self):
        """A-09, P-066: stolen, said at once or later; another card, linked since, is another matter (P-062)."""
        for later in (False, True):
            handle, codes, base = self.blocked('lost' if later else 'stolen')
            if later:
                self.assertTrue(self.post(handle, 'block', {'reason': 'stolen'}).json()['already'])
            self.assertTrue(self.account(handle)['final'])
            self.assertEqual(code(self.back(handle, self.good(codes, base))), (409, 'account.final'))
            self.assertEqual(self.live(handle), self.ALL_LIVE)
            self.assertIn('compromise', self.s.jobs(self.id(handle)))
            fresh = self.certificate(handle)
            self.assertEqual(code(self.back(handle, self.good(codes, base))), (409, 'account.final'))
            self.assertEqual(self.signs_in(fresh).status, 403)
            self.comes_back(handle, self.good(codes, fresh))
            self.assertFalse(self.account(handle)['final'])
            self.assertEqual(self.signs_in(fresh).status, 200)
            page = self.signs_in(base)
            self.assertEqual(page.status, 403)
            self.assertIn('lié à aucun compte', page.text)

    def test_the_wrong_card(self):
        """P-063: the card is in the reader, or two agents answer."""
        handle, codes, base = self.blocked()
        _, _, other = self.active()
        self.assertEqual(code(self.back(handle, self.good(codes, other))), (403, 'certificate.other'))
        self.assertEqual(code(self.back(handle, {**self.good(codes, base), 'certificate': 'MAA='})), (400, 'certificate.malformed'))
        body = self.good(codes, base)
        del body['certificate']
        self.assertEqual(code(self.back(handle, body)), (400, 'wire.missing'))
        body['override'] = {'reason': 'card_damaged', 'second': 'lea'}
        self.assertEqual(code(self.back(handle, body)), (403, 'clerk.second'))
        body['override']['second'] = NOE
        self.comes_back(handle, body)
        self.assertEqual(self.signs_in(base).status, 200)

    def test_a_certificate_that_was_revoked_wants_another(self):
        """K2, `defer` after a day: the account comes back with a card that was made since, and then only that one signs in."""
        handle, codes, base = self.blocked()
        self.s.sql(f"UPDATE credential_certificate SET state = 'revoked' WHERE account_id = '{self.id(handle)}'")
        for body in (self.good(codes, base), {**self.good(codes, base), 'certificate': None, 'override': {'reason': 'reader', 'second': NOE}}):
            body = {k: v for k, v in body.items() if v}
            self.assertEqual(code(self.back(handle, body)), (409, 'certificate.rekey'))
        fresh = self.certificate(handle)
        self.comes_back(handle, self.good(codes, fresh))
        self.assertEqual(self.signs_in(fresh).status, 200)
        self.assertEqual(self.signs_in(base).status, 403)

    def test_a_certificate_on_hold_stays_until_the_authority_lets_go(self):
        """K2, `hold`: the account is back at once, the job tells the authority, and only its answer opens the certificate."""
        handle, codes, base = self.blocked()
        self.s.sql(f"UPDATE credential_certificate SET state = 'held' WHERE account_id = '{self.id(handle)}'")
        self.comes_back(handle, self.good(codes, base))
        self.assertEqual(self.s.jobs(self.id(handle)), ['suspend', 'resume'])
        self.assertEqual(self.signs_in(base).status, 403)
        self.s.sql(f"UPDATE credential_certificate SET state = 'active' WHERE account_id = '{self.id(handle)}'")
        self.assertEqual(self.signs_in(base).status, 200)

    def test_an_expired_card(self):
        handle, codes, base = self.blocked()
        self.s.sql(f"UPDATE credential_certificate SET not_after = state_since - interval '1 s' WHERE account_id = '{self.id(handle)}'")
        self.assertEqual(code(self.back(handle, self.good(codes, base))), (409, 'certificate.expired'))
        self.assertEqual(code(self.back(handle, {'otp': codes['reactivation_otp'], 'pin': codes['reactivation_pin'],
                                                 'override': {'reason': 'reader', 'second': NOE}})), (409, 'certificate.expired'))
        self.comes_back(handle, self.good(codes, self.certificate(handle)))

    def test_three_wrong_pins(self):
        """P-064, DOMAIN 2.4: told how many are left; a mistyped one is no try; the third locks, and somebody hears of it."""
        handle, codes, base = self.blocked()
        self.learn(codes['reactivation_pin'])
        body, pin = self.good(codes, base), codes['reactivation_pin']
        typo = pin[:7] + str((int(pin[7]) + 1) % 10)
        for wrong in (typo, '1234', codes['revocation'], ''):
            self.assertEqual(self.back(handle, {**body, 'pin': wrong}).status, 400, wrong)
        self.assertEqual(self.live(handle), self.ALL_LIVE)
        for left in (2, 1):
            r = self.back(handle, {**body, 'pin': self.other_pin(pin, left)})
            self.assertEqual((*code(r), r.json()['tries_left']), (403, 'secret.wrong', left))
        self.assertEqual(code(self.back(handle, {**body, 'pin': self.other_pin(pin, 3)})), (403, 'secret.locked'))
        self.assertEqual(code(self.back(handle, body)), (403, 'secret.locked'))           # the right one, too late
        self.assertEqual([c['what'] for c in self.changes(handle)][-1], 'locked')
        self.assertIn('account.reactivate.locked', self.s.log('idp1'))
        # two agents, and the letter counts as lost: a new one is printed
        lost = {'otp': body['otp'], 'pin_lost': {'second': 'lea'}, 'certificate': body['certificate']}
        self.assertEqual(code(self.back(handle, lost)), (403, 'clerk.second'))
        lost['pin_lost']['second'] = NOE
        new = self.comes_back(handle, lost)
        self.assertEqual(self.live(handle).replace('reactivation_pin locked,', ''), self.ALL_LIVE)
        self.assertEqual(self.post(handle, 'block', {'reason': 'lost'}).status, 200)
        self.comes_back(handle, self.good(new, base))                                       # and all tries are there again

    def test_two_wrong_pins_and_the_right_one(self):
        handle, codes, base = self.blocked()
        self.learn(codes['reactivation_pin'])
        for n in (1, 2):
            self.assertEqual(code(self.back(handle, {**self.good(codes, base), 'pin': self.other_pin(codes['reactivation_pin'], n)})),
                             (403, 'secret.wrong'))
        self.comes_back(handle, self.good(codes, base))

    def test_three_wrong_otps(self):
        """A wrong OTP takes no try of the PIN, and the PIN beside it is not looked at."""
        handle, codes, base = self.blocked()
        self.learn(codes['reactivation_pin'])
        other, _, _ = self.active()
        body = {**self.good(codes, base), 'pin': self.other_pin(codes['reactivation_pin'])}
        for left in (2, 1):
            r = self.back(handle, {**body, 'otp': 'A' * 22})
            self.assertEqual((*code(r), r.json()['tries_left']), (403, 'secret.wrong', left))
        self.assertEqual(code(self.back(handle, {**body, 'otp': 'A' * 22})), (403, 'secret.locked'))
        self.assertEqual(code(self.back(handle, self.good(codes, base))), (403, 'secret.locked'))
        self.assertEqual(self.live(handle), 'reactivation_otp locked,reactivation_pin live,revocation live')
        # of another account: a guess like any other
        handle, codes, base = self.blocked()
        _, theirs, _ = self.active()
        self.assertEqual(code(self.back(handle, {**self.good(codes, base), 'otp': theirs['reactivation_otp']})), (403, 'secret.wrong'))
        self.comes_back(handle, self.good(codes, base))

    def test_nothing_else_takes_a_try(self):
        """DOMAIN 2.4: only a wrong code does, and only once however often its call is repeated."""
        handle, codes, base = self.blocked()
        self.learn(codes['reactivation_pin'])
        wrong = {**self.good(codes, base), 'pin': self.other_pin(codes['reactivation_pin'])}
        _, _, other = self.active()
        self.assertEqual(code(self.back(handle, {**wrong, 'certificate': der(other)})), (403, 'certificate.other'))
        self.assertEqual(code(self.back(handle, {**wrong, 'nom': 'x'})), (400, 'wire.unknown_member'))
        self.s.sql(f"UPDATE account SET final = true WHERE handle = '{handle}'")
        self.assertEqual(code(self.back(handle, wrong)), (409, 'account.final'))
        self.s.sql(f"UPDATE account SET final = false WHERE handle = '{handle}'")
        self.assertEqual(self.live(handle), self.ALL_LIVE)
        key = secrets_token(24)
        for port in (self.s.door_port, self.s.door_port2, self.s.door_port):
            r = self.back(handle, wrong, key, port=port)
            self.assertEqual((*code(r), r.json()['tries_left']), (403, 'secret.wrong', 2))
        self.assertEqual(code(self.back(handle, self.good(codes, base), key)), (409, 'idempotency.body'))
        self.comes_back(handle, self.good(codes, base))

    def test_one_clerk_who_tries_many_cards(self):
        """DOMAIN 2.4, T-07: ten wrong PINs of a clerk in a day, fifty of a town; the wait tells nothing, and takes no try."""
        made = [self.blocked() for _ in range(6)]
        self.learn(made[0][1]['reactivation_pin'])
        tried = 0
        for handle, codes, base in made[:5]:
            for n in (1, 2):
                r = self.back(handle, {**self.good(codes, base), 'pin': self.other_pin(codes['reactivation_pin'], n)})
                self.assertEqual(code(r), (403, 'secret.wrong'))
                tried += 1
        handle, codes, base = made[5]
        for pin in (self.other_pin(codes['reactivation_pin']), codes['reactivation_pin']):
            r = self.back(handle, {**self.good(codes, base), 'pin': pin})
            self.assertEqual(code(r), (429, 'secret.rate'))
            self.assertGreater(int(r.headers['Retry-After']), 3600)
        self.assertEqual(self.live(handle), self.ALL_LIVE)
        self.assertEqual(code(self.back(handle, {**self.good(codes, base), 'pin': self.other_pin(codes['reactivation_pin'])},
                                        who={'Beffroi-Clerk': 'eve'})), (403, 'secret.wrong'))
        self.comes_back(handle, self.good(codes, base), who={'Beffroi-Clerk': 'eve'})
        # names of clerks that a town makes up help it as far as fifty
        self.s.sql("UPDATE throttle SET level = 60 WHERE level BETWEEN 10.2 AND 12")
        handle, codes, base = made[4]
        r = self.back(handle, self.good(codes, base), who={'Beffroi-Clerk': 'personne'})
        self.assertEqual(code(r), (429, 'secret.rate'))

    # --- many at once, and lost answers ------------------------------------------------------------------------------------
    def test_sixty_four_at_once_are_one(self):
        handle, codes, base = self.blocked()
        body = self.good(codes, base)
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            got = list(pool.map(lambda i: self.back(handle, body, port=(self.s.door_port, self.s.door_port2)[i % 2]), range(64)))
        self.assertEqual(sorted({r.status for r in got}), [200, 409])
        self.assertEqual([r.status for r in got].count(200), 1)
        self.assertEqual({r.json()['code'] for r in got if r.status == 409}, {'account.state.active'})
        self.assertEqual(self.live(handle), self.ALL_LIVE)
        self.assertEqual(self.s.sql(f"SELECT reactivations FROM account WHERE handle = '{handle}'"), '1')

    def test_lost_answer(self):
        """K9: the same call again gives the same codes, on either node, until they are acknowledged."""
        handle, codes, base = self.blocked()
        body, key = self.good(codes, base), secrets_token(24)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda i: self.back(handle, body, key, port=(self.s.door_port, self.s.door_port2)[i % 2]), range(8)))
        self.assertEqual({r.status for r in got}, {200})
        self.assertEqual(len({r.json()['sealed'] for r in got}), 1)
        new = self.s.unseal(got[0].json()['sealed'], key)
        self.assertEqual(self.post(handle, 'ack').status, 200)
        self.assertNotIn('sealed', self.back(handle, body, key).json())
        other, _, _ = self.blocked()
        self.assertEqual(code(self.back(other, body, key)), (409, 'idempotency.body'))
        self.assertEqual(self.post(handle, 'block', {'reason': 'lost'}).status, 200)
        self.comes_back(handle, self.good(new, base))

    def test_another_town(self):
        if not os.path.exists(self.s.path('town-autre.pem')):
            self.s.add_town('autre')
        handle, codes, base = self.blocked()
        self.assertEqual(self.back(handle, self.good(codes, base), town='autre').status, 404)
        self.s.command('town', 'suspend', 'autre')
        self.assertEqual(code(self.back(handle, self.good(codes, base), town='autre')), (403, 'town.suspended'))
        self.comes_back(handle, self.good(codes, base))

    # --- timers: last, they move the clock ---------------------------------------------------------------------------------
    def eventually(self, what, want, seconds=60):
        end = time.monotonic() + seconds
        while (got := what()) != want:
            self.assertLess(time.monotonic(), end, f'{got}, not {want}')
            time.sleep(0.2)

    def test_zz_time(self):
        """P-066: blocked for longer than hold_max it does not come back, and is closed; 2.1: a card that nobody fetches is
        erased after 180 days."""
        self.s.command('town', 'policy', 'rivemont', '--hold-max', '40d')
        waits, _, _ = self.made()
        handle, codes, base = self.blocked()
        early, early_codes, early_base = self.blocked()
        password, _ = self.s.citizen('attend', 'corail tambour 47 lune')
        self.assertEqual(self.post(password, 'block', {'reason': 'lost'}).status, 200)
        self.s.command('clock', '--advance', '39d')
        self.comes_back(early, self.good(early_codes, early_base))
        # the worker is away: the door itself keeps the time
        self.s.stop('worker')
        self.s.command('clock', '--advance', '2d')
        self.assertEqual(code(self.back(handle, self.good(codes, base))), (409, 'account.reactivate.late'))
        self.s.spawn('worker', 'worker')
        for gone in (handle, password):
            self.eventually(lambda: self.account(gone)['state'], 'closed')
            self.assertEqual([c['what'] for c in self.changes(gone)][-1], 'timeout')
        self.assertEqual(code(self.back(handle, self.good(codes, base))), (409, 'account.state.closed'))
        self.assertEqual(self.s.jobs(self.id(handle)), ['suspend', 'end'])
        self.assertIsNone(self.live(handle) or None)
        self.assertEqual((self.account(early)['state'], self.account(waits)['state']), ('active', 'pending'))
        self.s.command('clock', '--advance', '138d')      # 179 in all
        self.s.command('clock', '--advance', '90s')
        last, _, last_base = self.made()
        time.sleep(2)
        self.assertEqual(self.account(waits)['state'], 'pending')
        self.s.command('clock', '--advance', '1d')
        self.eventually(lambda: self.account(waits)['state'], 'erased')
        self.assertEqual(self.s.sql(f"SELECT count(*) FROM card_record WHERE account_id = '{self.id(waits)}'"), '0')
        self.assertEqual(self.account(last)['state'], 'pending')


if __name__ == '__main__':
    unittest.main(verbosity=2)
