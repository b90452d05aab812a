"""Accounts whose means of sign-in is a certificate, at the town door (DOMAIN P-009…P-016, P-046…P-048, 2.1, A-11)."""
import unittest
from cards import *

CARD = {'given_name': 'Zoé Léa', 'surname': "d'Ô-Nguyễn", 'address': ["Mme d'Ô-Nguyễn", '3 bis rue du Puits', '31999 RIVEMONT']}
NAMES = {'given_name': 'Zoé', 'surname': "d'Ô Nguyễn"}


def problem(reply):
    return reply.status, reply.json()['code']


class Door(unittest.TestCase):
    """One provider for all tests of a class."""
    system, settings = CardSystem, SETTINGS

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.s = cls.stack.enter_context(cls.system(extra=cls.settings))

    def ask(self, body, key=None, **kw):
        return self.s.door('POST', '/v1/accounts', {'handle': secrets_token(24), **body}, key=key or secrets_token(24), **kw)

    def make(self, **body):
        """(handle, account, codes) of an account that the town has acknowledged."""
        key, handle = secrets_token(24), secrets_token(24)
        r = self.ask({'handle': handle, **body}, key)
        self.assertEqual(r.status, 201, r.text)
        codes = self.s.unseal(r.json()['sealed'], key)
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/ack').status, 200)
        return handle, r.json(), codes

    def card(self, **more):
        return self.make(type='x509_card', card=CARD, **more)


class Soft(Door):
    def test_three_codes_and_a_number(self):
        """P-048: no reactivation secret in this flow (A-10); the number is printed for these accounts only (A-11)."""
        handle, account, codes = self.make(type='x509_soft')
        self.assertEqual(set(codes), {'creation', 'revocation', 'creation_until'})
        self.assertRegex(account['number'], '^[2-9A-HJKMNP-Z]{15}$')
        self.assertEqual((account['type'], account['state']), ('x509_soft', 'pending'))
        self.assertEqual(self.s.door('GET', f'/v1/accounts/{handle}').json()['number'], account['number'])
        self.assertIn('sheet', self.make(type='x509_soft', sensitive=True)[2])
        self.assertNotIn('number', self.make(type='password')[1])

    def test_names_go_with_the_profile_that_needs_them(self):
        """P-047, P-035: what does not belong into the type is refused by its name, and not looked at."""
        soft = {'type': 'x509_soft'}
        for body, code, member in (
                ({**soft, 'names': NAMES}, 'wire.unknown_member', 'names'),
                ({**soft, 'profile': 'pseudonym', 'names': NAMES}, 'wire.unknown_member', 'names'),
                ({**soft, 'profile': 'named'}, 'wire.missing', 'names'),
                ({**soft, 'profile': 'named', 'names': {'given_name': 'Zoé'}}, 'wire.missing', 'surname'),
                ({**soft, 'profile': 'named', 'names': {'surname': 'Ô'}}, 'wire.missing', 'given_name'),
                ({**soft, 'profile': 'named', 'names': {**NAMES, 'adresse': 'CANARI'}}, 'wire.unknown_member', 'adresse'),
                ({**soft, 'profile': 'named', 'names': {**NAMES, 'surname': 'x' * 65}}, 'wire.value', 'surname'),
                ({**soft, 'profile': 'named', 'names': {**NAMES, 'surname': ' x'}}, 'wire.value', 'surname'),
                ({**soft, 'profile': 'named', 'names': {**NAMES, 'surname': 'a\nb'}}, 'wire.value', 'surname'),
                ({**soft, 'profile': 'named', 'names': 'CANARI'}, 'wire.value', 'names'),
                ({**soft, 'profile': 'nomme'}, 'wire.value', 'profile'),
                ({**soft, 'card': {'surname': 'x', 'address': ['y']}}, 'wire.unknown_member', 'card'),
                ({'type': 'password', 'profile': 'pseudonym'}, 'wire.unknown_member', 'profile'),
                ({'type': 'password', 'names': NAMES}, 'wire.unknown_member', 'names')):
            r = self.ask(body)
            self.assertEqual(problem(r), (400, code), body)
            self.assertIn(f'"{member}"', r.json()['detail'])
            self.assertNotIn('CANARI', r.text)
        for body in ({}, {'profile': 'pseudonym'}, {'profile': 'named', 'names': NAMES},
                     {'profile': 'named', 'names': {**NAMES, 'surname': 'Ô' * 64}}):
            self.assertEqual(self.ask({**soft, **body}).status, 201, body)

    def test_names_are_sealed_and_end_with_the_account(self):
        names = lambda handle: self.s.sql('SELECT x.profile, x.names_sealed IS NULL FROM account_x509 x JOIN account a '
                                          f"ON a.id = x.account_id WHERE a.handle = '{handle}'")
        plain, _, _ = self.make(type='x509_soft')
        self.assertEqual(names(plain), 'pseudonym|t')
        handle, _, codes = self.make(type='x509_soft', profile='named', names=NAMES)
        self.assertEqual(names(handle), 'named|f')
        blocked = self.s.door('POST', f'/v1/accounts/{handle}/block', {'reason': 'lost'})
        self.assertEqual((blocked.status, blocked.json()['state']), (200, 'closed'))
        self.assertEqual(names(handle), 'named|t')

    def test_new_codes_want_the_names_again(self):
        handle, _, codes = self.make(type='x509_soft', profile='named', names=NAMES)
        ask = lambda **more: self.s.door('POST', f'/v1/accounts/{handle}/reissue', {'what': 'all', **more}, key=secrets_token(24))
        self.assertEqual(ask().status, 200)                     # still kept
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/block', {'reason': 'lost'}).json()['state'], 'closed')
        self.assertEqual(problem(ask()), (400, 'account.names'))
        r = ask(names={**NAMES, 'surname': 'Revenue'})
        self.assertEqual((r.status, r.json()['state']), (200, 'pending'), r.text)
        handle, _, _ = self.make(type='x509_soft')
        self.assertEqual(problem(ask(names=NAMES)), (400, 'account.names'))
        self.assertEqual(ask().status, 200)
        handle, _, _ = self.make(type='password')
        self.assertEqual(problem(ask(names=NAMES)), (400, 'account.names'))
        self.assertEqual(ask().status, 200)

    def test_lost_reply(self):
        """K9: the same call again is the same account, on the other node too; another body under its key is not."""
        key, body = secrets_token(24), {'type': 'x509_soft', 'handle': secrets_token(24), 'profile': 'named', 'names': NAMES}
        first, again = self.ask(body, key), self.ask(body, key, port=self.s.door_port2)
        self.assertEqual((first.status, again.status), (201, 201))
        self.assertEqual(first.json(), again.json())
        self.assertEqual(problem(self.ask({**body, 'names': {**NAMES, 'surname': 'Autre'}}, key)), (409, 'idempotency.body'))
        self.assertEqual(self.s.sql(f"SELECT count(*) FROM account WHERE handle = '{body['handle']}'"), '1')

    def test_what_a_town_may_create(self):
        self.s.command('town', 'policy', 'rivemont', '--types', 'password,x509_card')
        try:
            self.assertEqual(problem(self.ask({'type': 'x509_soft'})), (422, 'account.type'))
            self.assertEqual(self.ask({'type': 'password'}).status, 201)
        finally:
            self.s.command('town', 'policy', 'rivemont', '--types', 'password,x509_card,x509_soft')
        self.assertEqual(self.ask({'type': 'x509_soft'}).status, 201)
        for wrong in (('--types', 'carte'), ('--types', ','), ('--hold-max', '0s'), ('--hold-max', '2y'), ('--hold-max', '367d')):
            self.assertEqual(self.s.command('town', 'policy', 'rivemont', *wrong, check=False).returncode, 1, wrong)
        self.assertEqual(self.s.command('town', 'policy', 'nulle', '--hold-max', '9d', check=False).returncode, 1)


class Card(Door):
    def test_three_codes_and_no_creation_code(self):
        """P-012, P-013, P-015, K1: what the town keeps for later; a card is handed over, not opened by mail."""
        handle, account, codes = self.card()
        self.assertEqual(set(codes), {'revocation', 'reactivation_otp', 'reactivation_pin'})
        self.assertRegex(codes['revocation'], '^[2-9A-HJKMNP-Z]{16}$')
        self.assertRegex(codes['reactivation_otp'], '^[A-Za-z0-9_-]{22}$')       # 128 bits
        self.assertRegex(codes['reactivation_pin'], '^[0-9]{8}$')
        self.assertEqual((account['type'], account['state']), ('x509_card', 'pending'))
        other = self.card()[2]
        self.assertFalse(set(codes.values()) & set(other.values()))

    def test_the_card_record(self):
        """P-014: the six, in their order, and nothing else; sealed to card operations, which alone can read it."""
        handle, account, codes = self.card(authorisations=[{'code': 'bibliotheque'}])
        record, long = self.s.record(handle), handle
        self.assertEqual(list(record), ['surname', 'given_name', 'address', 'number', 'reactivation_pin', 'revocation'])
        self.assertEqual(record, {**CARD, 'number': account['number'], 'reactivation_pin': codes['reactivation_pin'],
                                  'revocation': codes['revocation']})
        plain = {'surname': 'x', 'address': ['y']}
        handle, _, _ = self.make(type='x509_card', card=plain)
        self.assertEqual({k: self.s.record(handle)[k] for k in plain}, plain)
        self.assertNotIn('given_name', self.s.record(handle))
        lengths = self.s.sql('SELECT count(DISTINCT octet_length(sealed)) FROM card_record r JOIN account a ON a.id = r.account_id '
                             f"WHERE a.handle IN ('{handle}', '{long}')")
        self.assertEqual(lengths, '1', 'its length tells how long the name is')

    def test_nobody_but_card_operations_reads_or_changes_it(self):
        self.card()
        as_role = lambda role, text: run('psql', '-qXAt', self.s.conninfo(role), '-c', text, check=False)
        for role in ('idp_web', 'idp_worker', 'idp_notifier'):
            for text in ('SELECT sealed FROM card_record', "UPDATE card_record SET key_id = ''", 'DELETE FROM card_record'):
                r = as_role(role, text)
                self.assertTrue(r.returncode != 0 and 'permission denied' in r.stderr, (role, text, r.stderr))
        self.assertEqual(as_role('idp_web', 'SELECT count(*) FROM account').returncode, 0)

    def test_names_and_addresses_as_they_are(self):
        """P-005, P-006: kept as they were typed; what does not fit is named, and never repeated."""
        good = {'type': 'x509_card', 'card': CARD}
        for change, code, said in (
                ({'surname': 'x' * 121}, 'wire.value', '"surname"'), ({'surname': ''}, 'wire.value', '"surname"'),
                ({'given_name': 'a\u202eb'}, 'wire.value', '"given_name"'), ({'address': []}, 'wire.value', '"address"'),
                ({'address': ['x'] * 7}, 'wire.value', '"address"'), ({'address': 'x'}, 'wire.value', '"address"'),
                ({'address': ['x', 'y' * 39]}, 'wire.value', 'line 2'), ({'address': ['x', 'y', 7]}, 'wire.value', 'line 3'),
                ({'birth_date': 'CANARI'}, 'wire.unknown_member', '"birth_date"')):
            r = self.ask({**good, 'card': {**CARD, **change}})
            self.assertEqual(problem(r), (400, code), change)
            self.assertIn(said, r.json()['detail'])
            self.assertNotIn('CANARI', r.text)
        for missing in ('surname', 'address'):
            r = self.ask({**good, 'card': {k: v for k, v in CARD.items() if k != missing}})
            self.assertEqual(problem(r), (400, 'wire.missing'), missing)
        self.assertEqual(problem(self.ask({'type': 'x509_card'})), (400, 'wire.missing'))
        for more in ({'profile': 'named'}, {'names': NAMES}):
            self.assertEqual(problem(self.ask({**good, **more})), (400, 'wire.unknown_member'))
        self.assertEqual(problem(self.ask({'type': 'password', 'card': CARD})), (400, 'wire.unknown_member'))
        for card in ({'surname': 'Ô' * 120, 'given_name': 'é' * 120, 'address': ['Â' * 38] * 6}, {'surname': 'Y', 'address': ['z']}):
            handle, _, _ = self.make(type='x509_card', card=card)
            record = self.s.record(handle)
            self.assertEqual({k: record[k] for k in card}, card)

    def test_lost_reply(self):
        key, body = secrets_token(24), {'type': 'x509_card', 'handle': secrets_token(24), 'card': CARD}
        first, again = self.ask(body, key), self.ask(body, key, port=self.s.door_port2)
        self.assertEqual((first.status, again.status), (201, 201))
        self.assertEqual(first.json(), again.json())
        self.assertEqual(problem(self.ask({**body, 'card': {**CARD, 'surname': 'Autre'}}, key)), (409, 'idempotency.body'))
        self.assertEqual(self.s.sql('SELECT count(*) FROM card_record r JOIN account a ON a.id = r.account_id '
                                    f"WHERE a.handle = '{body['handle']}'"), '1')

    def test_new_codes_of_a_card_that_waits(self):
        """DOMAIN 2.1, pending/reissue: all three are new, the old ones dead; the card itself stays as it was ordered."""
        handle, _, old = self.card()
        key = secrets_token(24)
        r = self.s.door('POST', f'/v1/accounts/{handle}/reissue', {'what': 'all'}, key=key)
        self.assertEqual((r.status, r.json()['state']), (200, 'pending'), r.text)
        new = self.s.unseal(r.json()['sealed'], key)
        self.assertEqual(set(new), set(old))
        self.assertFalse(set(new.values()) & set(old.values()))
        self.assertEqual(problem(self.s.door('POST', '/v1/blocks', {'code': old['revocation']})), (403, 'secret.superseded'))
        self.assertEqual(self.s.door('POST', '/v1/blocks', {'code': new['revocation']}).json()['state'], 'suspended')
        account = self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}'")
        self.assertEqual(self.s.jobs(account), ['suspend'], 'the card does not end with its codes')

    def test_the_record_ends_with_the_account(self):
        handle, _, codes = self.card()
        kept = lambda: self.s.sql(f"SELECT count(*) FROM card_record r JOIN account a ON a.id = r.account_id WHERE a.handle = '{handle}'")
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/block', {'reason': 'lost'}).json()['state'], 'suspended')
        self.assertEqual(kept(), '1', 'the card may still be handed over')
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/close', {'reason': 'error'}).status, 200)
        self.assertEqual(kept(), '0')


class Machine(Door):
    """D-13 at the door: each act in each state of each type; what DOMAIN 2.1 does not list is refused and changes nothing."""
    settings = SETTINGS + 'town.rate.codes = 0\ntown.rate.blocks = 0\n'
    STATES = ('pending', 'active', 'suspended', 'closed', 'erased')
    # act: {type: {state: state afterwards}}, for all types where there is one drawing only; what is not there is 409.
    LOST = {'password': {'pending': 'closed'}, 'x509_soft': {'pending': 'closed'}, 'x509_card': {'pending': 'suspended'}}
    BLOCK = {'active': 'suspended', 'suspended': 'suspended', 'closed': 'closed'}       # twice is calm
    ACTS = {
        'ack': {s: s for s in STATES},
        'authorisations': {'active': 'active'},
        'reissue all': {'pending': 'pending'},
        'reissue revocation': {'active': 'active'},
        'block lost': BLOCK, 'block stolen': BLOCK,
        'close': {'active': 'closed', 'suspended': 'closed'},
        'reopen': {'closed': 'suspended'},
        'activate': {}, 'reactivate': {},
    }

    def wanted(self, act, kind, state):
        also = {}
        if act.startswith('block'):
            also = self.LOST[kind]
        elif act == 'reissue all' and kind != 'x509_card':
            also = {'suspended': 'pending'}
        elif act == 'activate' and kind == 'x509_card':
            also = {'pending': 'active', 'active': 'active'}
        elif act == 'reactivate' and kind == 'x509_card':
            also = {'suspended': 'active'}
        return {**self.ACTS[act], **also}.get(state)

    def call(self, act, handle, codes):
        what, _, arg = act.partition(' ')
        two = {'override': {'reason': 'reader', 'second': 'noe'}}
        body = {'ack': None, 'reopen': None, 'authorisations': {'authorisations': [{'code': 'vote'}]}, 'reissue': {'what': arg},
                'block': {'reason': arg}, 'close': {'reason': 'error'}, 'activate': two,
                'reactivate': {'otp': codes.get('reactivation_otp', 'x'), 'pin': codes.get('reactivation_pin', '00000012'), **two}}
        return self.s.door('PUT' if what == 'authorisations' else 'POST', f'/v1/accounts/{handle}/{what}', body[what],
                           key=secrets_token(24), headers={'Beffroi-Clerk': 'lea'})

    def insert(self, rows):
        """Accounts as they might be, without the acts that lead there: (handle, type, state)."""
        values = ','.join(f"('{h}', '{kind}', '{state}')" for h, kind, state in rows)
        self.s.sql(f"""WITH rows (handle, type, state) AS (VALUES {values}), made AS (
            INSERT INTO account (id, town_id, type, handle, number, state, state_since, created_at)
            SELECT gen_random_uuid(), t.id, r.type, r.handle, CASE WHEN r.type <> 'password' THEN upper(left(md5(r.handle), 15)) END,
                   r.state, now() - interval '1 hour', now() - interval '1 hour' FROM rows r, town t WHERE t.name = 'rivemont'
            RETURNING id, type, state, created_at),
            soft AS (INSERT INTO account_x509 (account_id, profile) SELECT id, 'pseudonym' FROM made WHERE type = 'x509_soft')
            INSERT INTO credential_certificate (id, account_id, issuer, serial, spki_sha256, state, state_since, not_after, linked_at)
            SELECT gen_random_uuid(), id, decode('3000', 'hex'), decode(md5(id::text), 'hex'), sha256(id::text::bytea),
                   CASE state WHEN 'pending' THEN 'issued' ELSE 'active' END, created_at, created_at + interval '3 years', created_at
            FROM made WHERE type = 'x509_card'""")

    def test_every_act_in_every_state(self):
        made, codes = {}, {}
        for kind in ('password', 'x509_soft', 'x509_card'):
            for state in self.STATES:
                for act in self.ACTS:
                    made[kind, state, act] = secrets_token(24)
        # Coming back needs real codes: those accounts are made at the door, and moved.
        real = {key: key for key in made if key[0] == 'x509_card' and key[2] == 'reactivate'}
        for key in real:
            made[key], _, codes[key] = self.card()
            self.s.link_some_card(made[key], 'issued' if key[1] == 'pending' else 'active')
            self.s.sql(f"UPDATE account SET state = '{key[1]}' WHERE handle = '{made[key]}'")
        self.insert([(handle, *key[:2]) for key, handle in made.items() if key not in real])
        refused = []
        for (kind, state, act), handle in made.items():
            want = self.wanted(act, kind, state)
            r = self.call(act, handle, codes.get((kind, state, act), {}))
            got = self.s.door('GET', f'/v1/accounts/{handle}').json()['state']
            self.assertEqual((r.status, got), (200, want) if want else (409, state), (kind, state, act, r.text))
            if r.status == 409:
                self.assertRegex(r.json()['code'], '^account[.](state|type)', (kind, state, act))
                refused.append(handle)
        self.assertGreater(len(refused), 40)
        self.assertGreater(len(made) - len(refused), 40)
        rows = self.s.sql("SELECT count(DISTINCT object) FROM audit_event WHERE result LIKE 'account.%' AND object IN ('handle:"
                          + "', 'handle:".join(refused) + "')")
        self.assertEqual(int(rows), len(refused), 'a refusal leaves an audit row')


class NotOffered(Door):
    system, settings = System, ''

    def test_types_that_this_provider_has_not(self):
        for body in ({'type': 'x509_soft'}, {'type': 'x509_card', 'card': {'surname': 'x', 'address': ['y']}}):
            self.assertEqual(problem(self.ask(body)), (422, 'account.type'))
        self.assertEqual(self.ask({'type': 'password'}).status, 201)


if __name__ == '__main__':
    unittest.main(verbosity=2)
