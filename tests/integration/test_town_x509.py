"""Accounts whose means of sign-in is a certificate, at the town door (DOMAIN P-009…P-016, P-046…P-048, 2.1, A-11)."""
import unittest
from beffroi import *

# Somebody must be there to issue software certificates before they are offered; nobody is called here.
SETTINGS = 'pki.url = https://127.0.0.1:1\n'
NAMES = {'given_name': 'Zoé', 'surname': "d'Ô Nguyễn"}


def problem(reply):
    return reply.status, reply.json()['code']


class Door(unittest.TestCase):
    """One provider for all tests of a class."""
    settings = SETTINGS

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.s = cls.stack.enter_context(System(extra=cls.settings))

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
                ({**soft, 'profile': 'named', 'names': {**NAMES, 'adresse': 'CANARI'}}, 'wire.unknown_member', 'adresse'),
                ({**soft, 'profile': 'named', 'names': {'surname': 'x' * 65}}, 'wire.value', 'surname'),
                ({**soft, 'profile': 'named', 'names': {'surname': ' x'}}, 'wire.value', 'surname'),
                ({**soft, 'profile': 'named', 'names': {'surname': 'a\nb'}}, 'wire.value', 'surname'),
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
                     {'profile': 'named', 'names': {'surname': 'Ô' * 64}}):
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
        r = ask(names={'surname': 'Revenue'})
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
        self.assertEqual(problem(self.ask({**body, 'names': {'surname': 'Autre'}}, key)), (409, 'idempotency.body'))
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


class NotOffered(Door):
    settings = ''

    def test_types_that_this_provider_has_not(self):
        for body in ({'type': 'x509_soft'}, {'type': 'x509_card', 'card': {'surname': 'x', 'address': ['y']}}):
            self.assertEqual(problem(self.ask(body)), (422, 'account.type'))
        self.assertEqual(self.ask({'type': 'password'}).status, 201)


if __name__ == '__main__':
    unittest.main(verbosity=2)
