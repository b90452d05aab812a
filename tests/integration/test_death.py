"""Death at every step: a web node or the worker is killed before its n-th write to the world, started again, and met
by a peer that tries again as real ones do (same Idempotency-Key, the MTA's same message, a second click). Nothing may
be lost or doubled. By default a spread of n for each flow; BEFFROI_LONG=1 takes them all."""
import mmap, struct, unittest
from cards import *

PASSWORD = 'corail tambour 47 lune'
LONG = os.environ.get('BEFFROI_LONG') == '1'
DEATHS = 8                      # for each flow, unless LONG
GONE = (OSError, ssl.SSLError, http.client.HTTPException)


class Mortal(CardSystem):
    """A system one of whose processes dies on order."""
    victim = None

    def prepare(self):
        self.shim = os.path.join(self.build, 'tests', 'die_at.so')
        assert os.path.exists(self.shim), f'{self.shim} is not built'
        with open(self.path('die'), 'w+b') as f:
            f.write(bytes(16))
            f.flush()
            self.control = mmap.mmap(f.fileno(), 16)
        super().prepare()

    def spawn(self, name, command, **kw):
        if name == self.victim:
            options = ':'.join(filter(None, (os.environ.get('ASAN_OPTIONS'), 'verify_asan_link_order=0')))
            kw['env'] = {'LD_PRELOAD': self.shim, 'DIE_AT': self.path('die'), 'ASAN_OPTIONS': options}
        return super().spawn(name, command, **kw)

    def restart(self, name):
        self.stop(name)
        self.spawn(name, 'worker' if name == 'worker' else 'serve')
        # The doors open one after the other: a peer of the second must not knock between.
        for port in (self.lmtp_port,) if name == 'worker' else (self.port, self.door_port):
            self.wait_port(port, name)

    def make_mortal(self, name):
        if self.victim != name:
            old, self.victim = self.victim, name
            for n in filter(None, (old, name)):
                self.restart(n)

    def arm(self, n):
        self.control[:] = struct.pack('QQ', n, 0)

    def calls(self):
        return struct.unpack('QQ', self.control[:])[1]

    def revive(self, seconds=0.05):
        """Was it killed, or is it about to be gone? Then it runs again, safe from now on.

        What it answered before is the caller's to judge."""
        p = self.processes[self.victim]
        self.control[0:8] = bytes(8)
        with contextlib.suppress(subprocess.TimeoutExpired):
            p.wait(seconds)
        if p.poll() is None:
            return False
        assert p.returncode == -signal.SIGKILL, f'{self.victim} ended with {p.returncode}'
        self.restart(self.victim)
        return True

    def deliver(self, sender, raw):
        """One LMTP conversation; the reply to the message, or None when the server went away."""
        try:
            with socket.create_connection(('127.0.0.1', self.lmtp_port), 20) as s:
                f = s.makefile('rwb')

                def say(line):
                    f.write(line + b'\r\n')
                    f.flush()
                    reply = f.readline()
                    while reply[3:4] == b'-':
                        reply = f.readline()
                    return reply
                f.readline()
                for line in (b'LHLO test', b'MAIL FROM:<' + sender.encode() + b'>',
                             b'RCPT TO:<activation@rivemont.example>', b'DATA'):
                    if not say(line)[:1] in (b'2', b'3'):
                        return None
                return say(raw + b'.').decode().strip() or None
        except OSError:
            return None


class Death(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.s = cls.stack.enter_context(Mortal(extra=SETTINGS))
        cls.addClassCleanup(cls.stack.close)
        cls.count = 0

    def name(self):
        type(self).count += 1
        return f'mortel{self.count}'

    def fresh_handle(self):
        self.s.sql('DELETE FROM throttle')
        return secrets_token(24)

    def fresh_account(self):
        self.s.sql('DELETE FROM throttle')
        return self.s.create()

    def fresh_link(self):
        _, codes = self.fresh_account()
        address, seen = f'{self.name()}@courriel.example', len(self.s.sink.messages)
        self.assertTrue(self.s.mail(address, codes['creation']).startswith('250'))
        text = self.s.sink.wait(address, seen).get_content()
        return (re.search(r'https://\S+/activate/\S+', text).group(0), re.search(r'\b\d{4} \d{4}\b', text).group(0), address)

    def one(self, sql, expected, what):
        self.assertEqual(self.s.sql(sql), str(expected), what)

    def again(self, act, good):
        """act() until it is good, the way a peer does whose line went dead; a killed process is started once."""
        for _ in range(3):
            try:
                r = act()
            except GONE:
                r = None
            if r is not None and good(r):
                return r
            # The line goes dead before the process is gone: a large one takes a while to be taken down.
            if not self.s.revive(30 if r is None else 0.05):
                self.fail(f'refused: {r.status} {r.text[:300]}' if isinstance(r, Reply) else f'refused: {r}')
        self.fail('still no answer after the restart')

    def every_step(self, victim, prepare, flow):
        """Measures the flow, then lets it meet death at its steps; flow(what prepare() made) checks everything itself."""
        self.s.make_mortal(victim)
        flow(prepare())         # connections are open from here on
        subject = prepare()
        self.s.arm(1 << 62)
        flow(subject)
        total = self.s.calls()
        self.s.arm(0)
        self.assertGreater(total, 5, 'the calls are not counted')
        steps = range(1, total + 1)
        if not LONG and total > DEATHS:
            # Spread, and the last ones all: there the work is done and the answer is not yet out.
            steps = sorted({1 + i * (total - 1) // (DEATHS - 4) for i in range(DEATHS - 4)} | set(range(total - 3, total + 1)))
        died = 0
        for n in steps:
            subject = prepare()
            self.s.arm(n)
            with self.subTest(die_at=n, of=total):
                before = self.s.processes[victim].pid
                flow(subject)
                self.s.revive()
                died += self.s.processes[victim].pid != before
        print(f'  {victim}: {total} steps, {died} deaths', file=sys.stderr)
        # Connections that were open last time make a flow shorter: not each n is met.
        self.assertGreaterEqual(died, len(steps) // 3)

    # --- the web node ---------------------------------------------------------------------------------------------------
    def test_create_and_ack(self):
        def flow(handle):
            key = secrets_token(24)
            body = {'type': 'password', 'handle': handle, 'lang': 'fr'}
            r = self.again(lambda: self.s.door('POST', '/v1/accounts', body, key=key), lambda r: r.status == 201)
            codes = self.s.unseal(r.json()['sealed'], key)
            self.again(lambda: self.s.door('POST', f'/v1/accounts/{handle}/ack'), lambda r: r.status == 200)
            self.s.revive()
            account = self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}' AND acked AND state = 'pending'")
            self.assertEqual(len(account), 36, 'one account, acknowledged')
            self.one(f"SELECT count(*) FROM secret WHERE account_id = '{account}'", 2, 'codes')
            self.one(f"SELECT count(*) FROM audit_event WHERE object = 'account:{account}' AND verb = 'account.create'", 1, 'audit')
            self.one(f"SELECT count(*) FROM account_change WHERE account_id = '{account}' AND what = 'create'", 1, 'changes')
            self.one(f"SELECT count(*) FROM idempotency WHERE key = '{key}' AND sealed IS NOT NULL", 0, 'kept codes')
            seen = len(self.s.sink.messages)
            self.assertTrue(self.s.mail(f'{handle[:9].lower()}z@courriel.example', codes['creation']).startswith('250'))
            self.assertIn('/activate/', self.s.sink.wait(f'{handle[:9].lower()}z@courriel.example', seen).get_content())
            self.assertEqual(Browser(self.s, self.s.port2).post('/blocage', {'code': codes['revocation']}).status, 200)
        self.every_step('idp1', self.fresh_handle, flow)

    def test_block(self):
        def flow(account):
            handle, codes = account
            b = Browser(self.s)
            r = self.again(lambda: b.post('/blocage', {'code': codes['revocation']}), lambda r: r.status == 200)
            ref = re.search(r'name="ref" value="([^"]+)"', r.text)
            if ref:
                r = self.again(lambda: b.post('/blocage', {'ref': ref.group(1), 'reason': 'lost'}), lambda r: r.status == 200)
            self.assertRegex(r.text, r'B-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}')
            self.s.revive()
            account = self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}' AND state = 'closed'")
            self.one(f"SELECT count(*) FROM audit_event WHERE object = 'account:{account}' AND verb = 'account.revoke'", 1, 'blocked once')
            self.one(f"SELECT count(*) FROM account_change WHERE account_id = '{account}' AND what = 'revoke'", 1, 'changes')
            self.one(f"SELECT count(*) FROM secret WHERE account_id = '{account}' AND kind = 'revocation' AND state = 'used'", 1, 'code')
            self.one(f"SELECT count(*) FROM job WHERE kind = 'account.left' AND key LIKE '{account}:%'", 1, 'one job')
        self.every_step('idp1', self.fresh_account, flow)

    def test_activation(self):
        def flow(link):
            url, code, address = link
            login, b, seen = self.name(), Browser(self.s), len(self.s.sink.messages)
            csrf = b.csrf(self.again(lambda: b.get(url), lambda r: r.status == 200))
            step = self.again(lambda: b.post(url, {'csrf': csrf, 'code': code}), lambda r: r.status == 303).headers['Location']
            self.again(lambda: b.post(step, {'csrf': csrf, 'login': login, 'password': PASSWORD}),
                       lambda r: r.status == 200 or (r.status == 410 and 'href="/"' in r.text))
            self.s.revive()
            self.assertEqual(Browser(self.s, self.s.port2).sign_in(login, PASSWORD).status, 303)
            account = self.s.sql(f"SELECT account_id FROM login WHERE login_folded = '{login}'")
            self.one(f"SELECT count(*) FROM audit_event WHERE object = 'account:{account}' AND verb = 'account.activate'", 1, 'audit')
            self.s.sink.wait(address, seen)
            self.assertEqual(len({m['Message-ID'] for to, m in self.s.sink.messages[seen:] if address in to}), 1)
        self.every_step('idp1', self.fresh_link, flow)

    def fresh_card(self):
        """A card that was handed over and blocked."""
        handle, key = self.fresh_handle(), secrets_token(24)
        body = {'type': 'x509_card', 'handle': handle, 'card': {'surname': 'Durand', 'address': ['1 rue du Puits']}}
        r = self.s.door('POST', '/v1/accounts', body, key=key)
        self.assertEqual(r.status, 201, r.text)
        self.assertEqual(self.s.door('POST', f'/v1/accounts/{handle}/ack').status, 200)
        self.s.link_some_card(handle, 'issued')
        return handle, self.s.unseal(r.json()['sealed'], key)

    def test_card(self):
        """Handed over, blocked, a wrong PIN, and back: a try is counted once, the new codes are there once."""
        def flow(card):
            handle, codes = card
            h, two = f'/v1/accounts/{handle}', {'override': {'reason': 'reader', 'second': 'noe'}}
            post = lambda what, body=None, key=None: self.s.door('POST', f'{h}/{what}', body, key=key, headers={'Beffroi-Clerk': 'lea'})
            self.again(lambda: post('activate', two), lambda r: r.status == 200)
            self.again(lambda: post('block', {'reason': 'lost'}), lambda r: r.status == 200)
            good, keys = {'otp': codes['reactivation_otp'], 'pin': codes['reactivation_pin'], **two}, (secrets_token(24), secrets_token(24))
            r = self.again(lambda: post('reactivate', {**good, 'pin': other_pin(good['pin'])}, keys[0]), lambda r: r.status == 403)
            self.assertEqual((r.json()['code'], r.json()['tries_left']), ('secret.wrong', 2))
            r = self.again(lambda: post('reactivate', good, keys[1]), lambda r: r.status == 200)
            new = self.s.unseal(r.json()['sealed'], keys[1])
            self.again(lambda: post('ack'), lambda r: r.status == 200)
            self.s.revive()
            account = self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}' AND state = 'active' AND reactivations = 1")
            self.assertEqual(len(account), 36, 'back, once')
            self.assertEqual(self.s.jobs(account), ['suspend', 'resume'])
            for verb in ('activate', 'revoke', 'reactivate'):
                self.one(f"SELECT count(*) FROM audit_event WHERE object = 'account:{account}' AND verb = 'account.{verb}' AND result = 'ok'", 1, verb)
                self.one(f"SELECT count(*) FROM account_change WHERE account_id = '{account}' AND what = '{verb}'", 1, verb)
            self.one(f"SELECT count(*) FROM secret WHERE account_id = '{account}' AND state = 'live'", 3, 'codes')
            self.one(f"SELECT sum(tries) FROM secret WHERE account_id = '{account}'", 1, 'tries')
            self.one(f"SELECT string_agg(state, ',') FROM credential_certificate WHERE account_id = '{account}'", 'active', 'certificate')
            self.one(f"SELECT count(*) FROM idempotency WHERE account_id = '{account}' AND sealed IS NOT NULL", 0, 'kept codes')
            self.assertEqual(Browser(self.s, self.s.port2).post('/blocage', {'code': new['revocation']}).status, 200)
        self.every_step('idp1', self.fresh_card, flow)

    # --- the worker -----------------------------------------------------------------------------------------------------
    def test_mail_in_and_out(self):
        def done(address, seen):
            """The answer is out and its job is done; a job whose worker died is taken again when its lease ends."""
            end = time.monotonic() + 30
            while time.monotonic() < end:
                if self.s.revive():
                    self.s.command('clock', '--advance', '70s')
                mine = [m for to, m in self.s.sink.messages[seen:] if address in to]
                if mine and self.s.sql("SELECT count(*) FROM job WHERE kind = 'mail.out' AND state <> 'done'") == '0':
                    return mine
                time.sleep(0.05)
            self.fail(f'no answer, jobs: ' + self.s.sql("SELECT state, tries, run_at, error FROM job WHERE state <> 'done'"))

        def flow(account):
            handle, codes = account
            address, seen = f'{self.name()}@courriel.example', len(self.s.sink.messages)
            raw = (f'From: {address}\r\nTo: activation@rivemont.example\r\nSubject: {codes["creation"]}\r\n'
                   f'Message-ID: <{secrets_token(12)}@test>\r\n\r\n\r\n').encode()
            armed = struct.unpack('QQ', self.s.control[:])[0]
            reply = self.s.deliver(address, raw)
            if reply is None:
                self.assertTrue(self.s.revive(), 'no answer from a living worker')
                self.s.command('clock', '--advance', '70s')
                reply = self.s.deliver(address, raw)
            self.assertTrue(reply is not None and reply.startswith('250'), reply)
            mine = self.wait_untouched(done, address, seen, armed)
            self.assertEqual(len({m['Message-ID'] for m in mine}), 1, 'one logical mail')
            self.assertEqual(len({m.get_content() for m in mine}), 1, 'the same words')
            account = self.s.sql(f"SELECT id FROM account WHERE handle = '{handle}'")
            self.one(f"SELECT string_agg(state, ',') FROM activation_link WHERE account_id = '{account}'", 'live', 'one link')
            self.one(f"SELECT count(*) FROM creation_binding WHERE account_id = '{account}'", 1, 'one address')
            text, b = mine[-1].get_content(), Browser(self.s)
            url = re.search(r'https://\S+/activate/\S+', text).group(0)
            code = re.search(r'\b\d{4} \d{4}\b', text).group(0)
            self.assertEqual(b.post(url, {'csrf': b.csrf(b.get(url)), 'code': code}).status, 303)
        self.every_step('worker', self.fresh_account, flow)

    def wait_untouched(self, done, address, seen, armed):
        """done(), but the process stays mortal until the answer is out or death has come."""
        end = time.monotonic() + 20
        victim = self.s.processes['worker']
        while armed and victim.poll() is None and time.monotonic() < end:
            if any(address in to for to, _ in self.s.sink.messages[seen:]) and \
               self.s.sql("SELECT count(*) FROM job WHERE kind = 'mail.out' AND state <> 'done'") == '0':
                break
            time.sleep(0.02)
        return done(address, seen)

    def test_z_the_trail_holds(self):
        self.s.command('clock', '--advance', '5s')
        time.sleep(2)
        self.assertEqual(json.loads(self.s.command('audit', 'verify').stdout)['bad_seq'], 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)
