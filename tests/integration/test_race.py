"""Two things at the same instant: what a citizen changes, and what somebody who knows the password or holds a session does
meanwhile; and each thing that is good once, asked for many times at once. A row that the test holds locked settles the order."""
import threading, unittest
from beffroi import *
from passkey import Passkey
import test_factor
from test_factor import MINE, PASSWORD, data, field, recovery_codes

OTHER = 'granit violon 93 brume'
MANY = 24


def at_once(calls):
    """What each of them gives, begun together."""
    ready, out = threading.Barrier(len(calls)), [None] * len(calls)

    def one(i):
        ready.wait()
        out[i] = calls[i]()
    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(calls))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return out


class Race(test_factor.Base):
    def account(self, login):
        return "account WHERE id = (SELECT account_id FROM login WHERE login_folded = '%s')" % login

    def sign_in_page(self, login):
        b = Browser(self.s, self.s.port2)
        page = b.follow(b.get('/login'))
        return b, lambda: b.post(b.at, {'csrf': b.csrf(page), 'login': login, 'password': PASSWORD, 'do': 'signin'})

    def test_a_new_password_ends_the_sign_in_that_is_under_way(self):
        b = self.person('nadia')
        thief, sign_in = self.sign_in_page('nadia')
        form = b.get('/ma-page/mot-de-passe')
        with self.s.held(self.account('nadia')):
            late = Later(sign_in)               # the old password was right
            self.s.waiting(1, late)
            change = Later(lambda: b.post('/ma-page/mot-de-passe', {'csrf': b.csrf(form), 'current': PASSWORD, 'password': OTHER}))
            self.s.waiting(2, change)
        self.assertEqual(change.get().status, 303)
        late.get()
        self.assertTrue(self.signed_in(b))
        self.assertFalse(self.signed_in(thief), 'who typed the old password is out')
        n = Browser(self.s)
        n.follow(n.sign_in('nadia', OTHER))
        self.assertTrue(self.signed_in(n))

    def test_a_first_factor_ends_the_sign_in_that_is_under_way(self):
        b = self.person('odile')
        thief, sign_in = self.sign_in_page('odile')
        with self.s.held(self.account('odile')):
            add = Later(lambda: self.add_totp(b))
            self.s.waiting(1, add)
            late = Later(sign_in)               # no second factor was to be seen
            self.s.waiting(2, late)
        key, done = add.get()
        self.assertEqual(done.status, 200, done.text[:300])
        r = thief.follow(late.get())
        self.assertFalse(self.signed_in(thief), 'the password alone is not enough any more')
        self.assertIn('id="login"', r.text)
        self.assertTrue(self.signed_in(b))
        n = Browser(self.s)
        at, page = self.second_page(n, 'odile')
        self.assertEqual(self.try_code(n, at, page, self.fresh_code(key)).status, 303)

    def test_an_ended_session_adds_nothing(self):
        """The holder ends the other sessions; one of them was about to add a factor, and gets neither it nor a new session."""
        b, other = self.person('perrine'), Browser(self.s, self.s.port2)
        other.follow(other.sign_in('perrine', PASSWORD))
        home, page = b.get('/'), other.get(f'{MINE}/application')
        key = re.search(r'id="key">([A-Z2-7 ]+)<', page.text).group(1)
        body = {'csrf': other.csrf(page), 'offer': field(page, 'offer'), 'code': '000000'}
        self.assertEqual(other.post(f'{MINE}/application', body).status, 422)       # its count is there to wait for
        with self.s.held('throttle'):
            add = Later(lambda: other.post(f'{MINE}/application', {**body, 'code': self.code(key)}))
            self.s.waiting(1, add)
            self.assertEqual(b.post('/ma-page/sessions', {'csrf': b.csrf(home), 'do': 'others'}).status, 303)
        self.assertEqual(add.get().status, 303)
        self.assertFalse(self.signed_in(other))
        self.assertTrue(self.signed_in(b))
        self.assertEqual(self.s.sql("SELECT count(*) FROM factor_totp f JOIN login l USING (account_id) WHERE login_folded = 'perrine'"), '0')
        self.assertEqual(self.add_totp(b)[1].status, 200)

    # --- what is good once, at once ------------------------------------------------------------------------------------------
    def second_pages(self, login, n):
        pages = []
        for i in range(n):
            b = Browser(self.s, self.s.port if i % 2 else self.s.port2)
            self.s.sql('DELETE FROM throttle')
            pages.append((b, *self.second_page(b, login)))
        return pages

    def how_many(self, statuses):
        self.assertEqual(set(statuses) - {303, 422, 429}, set(), statuses)
        return statuses.count(303)

    def test_codes_are_good_once_at_once(self):
        b = self.person('quentin')
        key, done = self.add_totp(b)
        codes = recovery_codes(done)
        pages = self.second_pages('quentin', MANY)
        for code in (codes[0], self.fresh_code(key)):
            self.s.sql('DELETE FROM throttle')
            for browser, _, _ in pages:
                browser.cookies.pop('__Host-beffroi', None)
            replies = at_once([lambda p=p: self.try_code(*p, code).status for p in pages])
            self.assertEqual(self.how_many(replies), 1, replies)

    def test_a_passkey_answers_once_at_once(self):
        b = self.person('rachel')
        key, _, _ = self.add_passkey(b)
        n = Browser(self.s)
        at, page = self.second_page(n, 'rachel')
        fields = {'csrf': n.csrf(page), 'challenge': field(page, 'challenge'), **key.get(data(page, 'challenge'))}

        def again(i):
            c = Browser(self.s, self.s.port if i % 2 else self.s.port2)
            c.cookies = dict(n.cookies)
            return c.post(at, fields).status
        replies = at_once([lambda i=i: again(i) for i in range(MANY)])
        self.assertEqual(self.how_many(replies), 1, replies)

    def test_ten_passkeys_at_once(self):
        """One challenge adds one; and an account has ten at most, however many are added together."""
        b = self.person('sidonie')
        page = b.get(f'{MINE}/cle')
        fields = lambda page, key: {'csrf': b.csrf(page), 'name': 'x', 'challenge': field(page, 'challenge'), **key.create(data(page, 'challenge'))}

        def post(i, body):
            c = Browser(self.s, self.s.port if i % 2 else self.s.port2)
            c.cookies = dict(b.cookies)
            return c, c.post(f'{MINE}/cle', body)
        same = [fields(page, Passkey(self.s.url)) for _ in range(6)]
        replies = at_once([lambda i=i: post(i, same[i]) for i in range(6)])
        good = [(c, r) for c, r in replies if r.status == 200]
        self.assertEqual(len(good), 1, [r.status for _, r in replies])
        self.assertEqual(len(recovery_codes(good[0][1])), 10)
        b.cookies = good[0][0].cookies
        bodies = [fields(b.get(f'{MINE}/cle'), Passkey(self.s.url)) for _ in range(14)]
        self.s.sql("INSERT INTO factor_passkey (id, account_id, credential_id, alg, public_key, sign_count, name_sealed, added_at) SELECT "
                   "gen_random_uuid(), account_id, sha256(i::text::bytea), alg, public_key, 0, '', added_at FROM factor_passkey f "
                   "JOIN login l USING (account_id) CROSS JOIN generate_series(1, 8) i WHERE login_folded = 'sidonie'")
        replies = at_once([lambda i=i: post(i, bodies[i]) for i in range(14)])
        count = lambda: self.s.sql("SELECT count(*) FROM factor_passkey f JOIN login l USING (account_id) WHERE login_folded = 'sidonie'")
        self.assertEqual(count(), '10', [r.status for _, r in replies])

    def test_blocked_while_signing_in(self):
        handle, codes = self.s.citizen('theo', PASSWORD)
        people = [self.sign_in_page('theo') for _ in range(8)]
        replies = at_once([sign_in for _, sign_in in people] +
                          [lambda: Browser(self.s).request('POST', '/blocage', {'code': codes['revocation']})] * 4)
        self.assertEqual({r.status for r in replies[8:]}, {200})
        self.assertFalse([b for b, _ in people if self.signed_in(b)])


if __name__ == '__main__':
    unittest.main(verbosity=2)
