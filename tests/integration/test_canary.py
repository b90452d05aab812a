"""Who sees what (DOMAIN 1.1, columns « IdP DB » and logs), all three types: marked values go in by every door, then the
database dump, its files and write-ahead log, every log, every file beside the processes, their command lines and what
went over loopback are searched in several spellings. What may be there is searched too: a search that finds nothing at
all proves nothing."""
import hashlib, unittest
from cards import *
from capture import Capture, Unavailable, tcp_ends

NAME = 'Zébulon CANARI-7731'            # must be nowhere; the part below is what is searched
NAME_MARK = 'CANARI-7731'
PASSWORD = 'corail CANARI-9021 lune'
PASSWORD_MARK = 'CANARI-9021'
MISTYPED = 'tambour CANARI-4404'         # a password typed into the field of the name
MISTYPED_MARK = 'CANARI-4404'
LOGIN = 'canari-5150'                    # chosen to be stored: the control
ADDRESS = 'canari6262@courriel.example'
SECRET = 'secret-du-service-CANARI-3838'
# What goes onto a card and into a certificate: let in, and sealed (P-009, P-014, P-047). One mark each.
CARD = {'surname': 'CANARI-1616', 'given_name': 'Zoé CANARI-1717', 'address': ['CANARI-1818 rue du Puits', '31999 CANARI-1919']}
CERT = {'surname': 'CANARI-2424', 'given_name': 'CANARI-2525'}
CARD_MARKS = ['CANARI-1616', 'CANARI-1717', 'CANARI-1818', 'CANARI-1919']
CERT_MARKS = ['CANARI-2424', 'CANARI-2525']


def spellings(value):
    """Byte strings that betray value: itself in any case, base64 at each offset, hex, percent, UTF-16."""
    out = set()
    for text in {value, value.lower(), value.upper()}:
        raw = text.encode()
        out |= {raw, raw.hex().encode(), raw.hex().upper().encode(), text.encode('utf-16-le'),
                urllib.parse.quote(text).encode(), json.dumps(text)[1:-1].encode()}
        for pad in range(3):
            whole = base64.b64encode(b'\0' * pad + raw).decode()
            # Only the characters that depend on value alone.
            part = whole[{0: 0, 1: 2, 2: 3}[pad]:len(whole) - 4 if (pad + len(raw)) % 3 else len(whole)]
            out |= {part.encode(), part.replace('+', '-').replace('/', '_').encode()}
    return {s for s in out if len(s) >= 8}


def found(value, hay):
    return sorted(place for place, data in hay.items() if any(s in data for s in spellings(value)))


def files_below(folder, skip=()):
    hay = {}
    for base, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(base, name)
            short = os.path.relpath(path, folder)
            if short not in skip and os.path.isfile(path):
                with contextlib.suppress(FileNotFoundError), open(path, 'rb') as f:
                    hay[short] = f.read()
    return hay


def wal_stream(folder):
    """The records of the write-ahead log without the headers of its pages. A record that goes on on the next page has such a
    header in its middle, so that a value in it is found in no file; here it stands in one piece (xlog_internal.h,
    XLogPageHeaderData: 24 bytes, 40 on the first page of a segment)."""
    out = bytearray()
    for name in sorted(n for n in os.listdir(folder) if re.fullmatch('[0-9A-F]{24}', n)):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, name), 'rb') as f:
            segment = f.read()
        for at in range(0, len(segment), 8192):
            long_header = int.from_bytes(segment[at + 2:at + 4], 'little') & 0x0002
            out += segment[at + (40 if long_header else 24):at + 8192]
    return bytes(out)


class Canary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.s = s = CardSystem(extra=SETTINGS)
        temporary = cls.stack.enter_context(tempfile.TemporaryDirectory(prefix='beffroi-canary-'))
        cls.stack.callback(lambda old=os.environ.get('TMPDIR'): os.environ.pop('TMPDIR') if old is None
                           else os.environ.__setitem__('TMPDIR', old))
        cls.stack.enter_context(s)
        for name in list(s.processes):           # again, with a folder for temporary files of their own
            s.stop(name)
        os.environ['TMPDIR'] = cls.temporary = temporary
        s.start()
        # The doors of others, and the mail server's on both sides. PostgreSQL is spoken to over a Unix socket.
        cls.doors, cls.mail = [s.port, s.port2, s.door_port, s.door_port2], [s.lmtp_port, s.sink.port]
        cls.wire, cls.no_wire = None, ''
        try:
            cls.wire = Capture(cls.doors + cls.mail)
        except Unavailable as e:
            cls.no_wire = str(e)
        cls.live()
        time.sleep(1.5)                          # jobs, seals
        cls.listen()
        cls.gather()

    @classmethod
    def live(cls):
        """A life of an account, with marks wherever somebody could put something."""
        s = cls.s
        marked = {'User-Agent': f'Mozilla {NAME_MARK}', 'Referer': f'https://mairie.example/{NAME_MARK}', 'X-Nom': NAME_MARK}
        good = {'type': 'password', 'handle': secrets_token(24), 'lang': 'fr'}
        for extra in ({'nom': NAME}, {NAME: 1}, {'authorisations': [{'code': 'a', 'motif': NAME}]}, {'lang': NAME}, {'type': NAME}):
            r = s.door('POST', '/v1/accounts', {**good, **extra}, key=secrets_token(24), headers=marked)
            assert r.status == 400, r.text
            assert NAME_MARK not in r.text
        s.door('POST', '/v1/accounts', f'{{"nom": "{NAME}", '.encode(), key=secrets_token(24))
        s.door('GET', f'/v1/accounts/{NAME_MARK}')
        s.door('GET', f'/v1/changes?after={NAME_MARK}')
        s.door('GET', '/v1/health', headers={'Beffroi-Clerk': 'Z ' + NAME_MARK})

        key, handle = secrets_token(24), secrets_token(24)
        r = s.door('POST', '/v1/accounts', {**good, 'handle': handle, 'sensitive': True}, key=key, headers=marked)
        cls.codes = codes = s.unseal(r.json()['sealed'], key)
        cls.sealed = r.json()['sealed']
        assert s.door('POST', f'/v1/accounts/{handle}/ack').status == 200
        cls.account = s.sql(f"SELECT id FROM account WHERE handle = '{handle}'")

        # A card and a software certificate that says a name; each once more, refused for something else.
        cls.sealed_codes = {}
        for what in ({'type': 'x509_card', 'card': CARD}, {'type': 'x509_soft', 'profile': 'named', 'names': CERT}):
            key, body = secrets_token(24), {'handle': secrets_token(24), **what}
            assert s.door('POST', '/v1/accounts', {**body, 'lang': 'de'}, key=secrets_token(24)).status == 400
            r = s.door('POST', '/v1/accounts', body, key=key)
            assert r.status == 201, r.text
            assert s.door('POST', '/v1/accounts', body, key=key, port=s.door_port2).json() == r.json()
            assert s.door('POST', '/v1/accounts', body, key=secrets_token(24)).status == 409
            cls.sealed_codes[body['type']] = (body['handle'], s.unseal(r.json()['sealed'], key))
            assert s.door('POST', f"/v1/accounts/{body['handle']}/ack").status == 200
        assert s.record(cls.sealed_codes['x509_card'][0])['surname'] == CARD['surname'], 'and card operations can read it'

        # The citizen's mail: the name everywhere a mail program puts it; before it, one that helps nobody.
        more = [f'Reply-To: {NAME_MARK} <{ADDRESS}>', f'X-Sender: {NAME_MARK}', f'Organization: {NAME_MARK}']
        s.mail(f'{NAME_MARK} <{ADDRESS}>', f'bonjour de {NAME_MARK}', f'Je suis {NAME}.', more)
        s.mail(f'{NAME_MARK} <{ADDRESS}>', f'code ABCD-EFGH-JKMN {NAME_MARK}', NAME, more)
        seen = len(s.sink.messages)
        assert s.mail(f'{NAME_MARK} <{ADDRESS}>', f'{codes["creation"]} de {NAME_MARK}', f'Cordialement\n{NAME}', more).startswith('250')
        mail = s.sink.wait(ADDRESS, seen)
        assert NAME_MARK not in mail.as_string()
        text = mail.get_content()
        url = re.search(r'https://\S+/activate/\S+', text).group(0)
        cls.link, cls.code = url.rsplit('/', 1)[1], re.search(r'\b\d{4} \d{4}\b', text).group(0).replace(' ', '')

        cls.b = b = Browser(s)
        csrf = b.csrf(b.get(url, headers=marked))
        fields = {'csrf': csrf, 'nom': NAME, NAME_MARK: '1'}
        b.post(url, {**fields, 'code': NAME}, headers=marked)
        r = b.post(url, {**fields, 'code': cls.code, 'sheet': codes['sheet']}, headers=marked)
        cls.stage = r.headers['Location'].rsplit('/', 1)[1]
        b.post(r.headers['Location'], {**fields, 'login': LOGIN, 'password': 'CANARI-7731'})
        r = b.post(r.headers['Location'], {**fields, 'login': LOGIN, 'password': PASSWORD, 'keep_mail': '1'}, headers=marked)
        assert r.status == 200, r.text[:500]

        other = Browser(s)
        page = other.follow(other.get(f'/login?nom={NAME_MARK}', headers=marked))
        form = {'csrf': other.csrf(page), 'nom': NAME}
        for login, password in ((MISTYPED, 'x'), (NAME, 'x'), (LOGIN, MISTYPED), (ADDRESS, 'x')):
            assert other.post(other.at, {**form, 'login': login, 'password': password}).status == 422
        assert other.post(other.at, {**form, 'login': LOGIN, 'password': PASSWORD}, headers=marked).status == 303
        cls.session = other.cookies['__Host-beffroi']

        with open(s.path('client.json'), 'w') as f:
            json.dump({'client_id': 'sondage', 'client_secret': SECRET, 'redirect_uris': ['https://sondage.example/r']}, f)
        s.command('client', 'add', s.path('client.json'))
        os.unlink(s.path('client.json'))
        r = other.get('/oidc/authorize?' + urllib.parse.urlencode(
            {'client_id': 'sondage', 'redirect_uri': 'https://sondage.example/r', 'response_type': 'code', 'scope': 'openid'}))
        cls.oidc_code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(r.headers['Location']).query))['code']
        r = Browser(s).post('/oidc/token', {'grant_type': 'authorization_code', 'code': cls.oidc_code, 'client_id': 'sondage',
                                            'client_secret': SECRET, 'redirect_uri': 'https://sondage.example/r', 'nom': NAME})
        cls.access_token = r.json()['access_token']
        Browser(s).get('/oidc/userinfo', headers={'Authorization': 'Bearer ' + cls.access_token})
        r = Browser(s).post('/blocage', {'code': codes['revocation'], 'nom': NAME}, headers=marked)
        assert r.status == 200, r.text[:300]
        for path in (f'/{NAME_MARK}', f'/blocage?nom={NAME_MARK}', '/signon/' + NAME_MARK):
            Browser(s).request('GET', path, headers={**marked, 'Host': NAME_MARK})

    @classmethod
    def listen(cls):
        """The wire, split: what our doors heard and said, what the mail server brought (in) and took away (out)."""
        s = cls.s
        cls.tcp = {name: tcp_ends(p.pid) for name, p in s.processes.items()}
        if cls.wire is None:
            return
        flows = cls.wire.stop()
        pick = lambda ports: {f'{a}->{b}': data for (a, b), data in flows.items() if a in ports or b in ports}
        cls.wire_doors, cls.wire_in, cls.wire_out = pick(cls.doors), pick([s.lmtp_port]), pick([s.sink.port])

    @classmethod
    def gather(cls):
        s = cls.s
        s.sql("DO $$ BEGIN RAISE LOG 'CONTROLE-1212'; END $$")
        s.sql('CHECKPOINT')
        cls.dump = {'dump': run('pg_dump', '--inserts', s.admin).stdout.encode()}
        data = os.environ['BEFFROI_TEST_PG_DATA']
        oid = s.sql('SELECT oid FROM pg_database WHERE datname = current_database()')
        cls.tables = files_below(os.path.join(data, 'base', oid))
        cls.wal = files_below(os.path.join(data, 'pg_wal'))
        cls.wal['stream'] = wal_stream(os.path.join(data, 'pg_wal'))
        cls.logs = {name: s.log(name).encode() for name in s.processes}
        with open(os.environ['BEFFROI_TEST_PG_LOG'], 'rb') as f:
            cls.logs['postgres'] = f.read()
        # Beside the processes: not the logs again, nor what the test itself wrote as the town.
        cls.beside = files_below(s.dir, {n + '.log' for n in s.processes})
        cls.beside |= {'tmp/' + k: v for k, v in files_below(cls.temporary).items()}
        for p in s.processes.values():
            for what in ('cmdline', 'environ'):
                with open(f'/proc/{p.pid}/{what}', 'rb') as f:
                    cls.beside[f'{what} {p.pid}'] = f.read()
        cls.all = {f'{kind}:{k}': v for kind in ('dump', 'tables', 'wal', 'logs', 'beside')
                   for k, v in getattr(cls, kind).items()}

    def nowhere(self, value, what):
        self.assertEqual(found(value, self.all), [], what)

    # --- the search itself ------------------------------------------------------------------------------------------------
    def test_control_what_may_be_there_is_found(self):
        self.assertEqual(found(LOGIN, self.dump), ['dump'])
        self.assertTrue(found(LOGIN, self.tables), 'table files are read')
        self.assertTrue(found(LOGIN, self.wal), 'the write-ahead log is read')
        self.assertEqual(found('CONTROLE-1212', self.logs), ['postgres'])
        for name in ('idp1', 'worker'):
            self.assertIn(name, found('beffroi-idp', self.logs))
        self.assertTrue(found('mail.authserv_id', self.beside))
        self.assertTrue(any(k.startswith('cmdline') for k in found('--config', self.beside)))

    def test_control_each_spelling_is_found(self):
        for i, raw in enumerate((NAME.encode(), NAME.lower().encode(), b'xx' + NAME.encode().hex().encode(),
                                 base64.b64encode(NAME.encode()), base64.b64encode(b'n=' + NAME.encode() + b'!'),
                                 base64.urlsafe_b64encode(b'{' + NAME.encode() + b'}}'), NAME.encode('utf-16-le'),
                                 urllib.parse.quote(NAME).encode(), json.dumps(NAME).encode())):
            self.assertEqual(found(NAME_MARK, {'x': b'..' + raw + b'..'}), ['x'], i)
        self.assertEqual(found(NAME_MARK, {'x': b'CANARI-7732 canari'}), [])

    # --- the table --------------------------------------------------------------------------------------------------------
    def test_name(self):
        self.nowhere(NAME_MARK, 'the name of a citizen')
        self.nowhere('Zébulon', 'the name of a citizen')

    def test_password(self):
        self.nowhere(PASSWORD_MARK, 'the password')
        self.nowhere(MISTYPED_MARK, 'a password typed as the name')
        self.assertIn(b'$argon2id$', self.dump['dump'])

    def test_codes(self):
        for kind in ('creation', 'revocation'):
            folded = self.codes[kind].replace('-', '')
            self.nowhere(folded, kind)
            self.nowhere('-'.join(folded[i:i + 4] for i in range(0, len(folded), 4)), kind)
        self.nowhere(self.code, 'activation code')
        self.nowhere(self.code[:4] + ' ' + self.code[4:], 'activation code')
        self.nowhere(self.link, 'activation link')
        self.nowhere(self.stage, 'second form of the activation')

    def test_cards(self):
        """P-014: neither name nor address, nor PIN, OTP or blocking code of a card is to be read at the provider's."""
        for mark in CARD_MARKS:
            self.nowhere(mark, 'what stands on a card')
        handle, codes = self.sealed_codes['x509_card']
        for kind in ('revocation', 'reactivation_otp', 'reactivation_pin'):
            self.nowhere(codes[kind], kind)
        self.nowhere(codes['reactivation_pin'][:4] + ' ' + codes['reactivation_pin'][4:], 'PIN as it is printed')
        self.assertEqual(found(handle, self.dump), ['dump'], 'its handle may be there')

    def test_named_certificates(self):
        for mark in CERT_MARKS:
            self.nowhere(mark, 'what a certificate will say')
        codes = self.sealed_codes['x509_soft'][1]
        for kind in ('creation', 'revocation'):
            self.nowhere(codes[kind], kind)

    def test_no_digest_to_try_names_on(self):
        """The body of a call is compared by a keyed digest: its SHA-256 is nowhere (T-08)."""
        key, call = secrets_token(24), json.dumps({'type': 'x509_card', 'handle': secrets_token(24), 'card': CARD}).encode()
        self.assertEqual(self.s.door('POST', '/v1/accounts', call, key=key, headers={'Content-Type': 'application/json'}).status, 201)
        dump = run('pg_dump', '--inserts', self.s.admin).stdout
        self.assertIn(key, dump)
        self.assertNotIn(hashlib.sha256(call).hexdigest(), dump)

    def test_the_kept_answer_is_gone_and_was_sealed(self):
        self.assertNotIn(self.sealed.encode(), self.dump['dump'])
        self.assertTrue(found(self.sealed, self.wal), 'it was there, for the town alone')

    def test_bearers(self):
        self.nowhere(self.session, 'session cookie')
        self.nowhere(self.oidc_code, 'authorization code')
        self.nowhere(self.access_token, 'access token')
        self.nowhere(SECRET, "a service's secret")

    def test_address(self):
        self.nowhere(ADDRESS, 'the e-mail address is only ever sealed')
        self.nowhere('canari6262', 'the e-mail address is only ever sealed')
        self.assertEqual(self.s.sql(f"SELECT count(*) FROM contact WHERE account_id = '{self.account}'"), '1', 'kept: asked for')

    # --- the wire -----------------------------------------------------------------------------------------------------------
    def captured(self):
        if self.wire is None:
            self.skipTest(self.no_wire)

    def test_control_the_wire_was_heard(self):
        self.captured()
        for what, ports in (('doors', self.doors), ('in', self.mail[:1]), ('out', self.mail[1:])):
            heard = getattr(self, 'wire_' + what)
            for port in ports if what != 'doors' else self.doors[:1] + self.doors[2:3]:
                self.assertTrue(any(str(port) in k.split('->') for k in heard), f'{what} {port}')
        self.assertGreater(sum(map(len, self.wire_doors.values())), 100_000)
        self.assertTrue(found(self.codes['creation'], self.wire_in), 'mail comes in as it was sent')
        self.assertTrue(found(NAME_MARK, self.wire_in), 'with all that the citizen wrote')
        self.assertTrue(found(self.link, self.wire_out), 'and goes out as text')

    def test_the_wire_at_our_doors(self):
        """Nothing that was typed, shown or kept is to be read there: TLS, on both listeners of both nodes."""
        self.captured()
        values = [NAME_MARK, 'Zébulon', PASSWORD_MARK, MISTYPED_MARK, LOGIN, ADDRESS, SECRET, self.codes['creation'],
                  self.codes['revocation'], self.code, self.link, self.stage, self.session, self.oidc_code, self.access_token,
                  self.sealed, self.account, *CARD_MARKS, *CERT_MARKS,
                  *(code for _, codes in self.sealed_codes.values() for code in codes.values())]
        for value in values:
            self.assertEqual(found(value, self.wire_doors), [], value)
        for where, data in self.wire_doors.items():
            self.assertIn(data[0], (20, 21, 22, 23), f'{where}: a TLS record')

    def test_the_wire_of_the_mail_server(self):
        """DOMAIN 1.1, column « Mail relays »: the code, the link and the address are theirs to see, nothing else is."""
        self.captured()
        for value in (NAME_MARK, 'Zébulon', PASSWORD_MARK, MISTYPED_MARK, LOGIN, SECRET, self.codes['creation'],
                      self.codes['revocation'], self.stage, self.session, self.oidc_code, self.access_token, self.account):
            self.assertEqual(found(value, self.wire_out), [], value)
        # What comes in is the citizen's; what we say to it repeats nothing of it.
        replies = {k: v for k, v in self.wire_in.items() if k.startswith(f'{self.mail[0]}->')}
        self.assertTrue(replies)
        for value in (NAME_MARK, ADDRESS, self.codes['creation'], self.link):
            self.assertEqual(found(value, replies), [], value)

    def test_nothing_else_is_on_the_wire(self):
        """Every TCP socket of our processes was one of those: the database is not among them."""
        for name, ends in self.tcp.items():
            if name != 'notifier':          # calls services only: here none has an address for it
                self.assertTrue(ends, name)
            for end in ends:
                self.assertTrue(set(end) & set(self.doors + self.mail), f'{name}: {end}')

    def test_mail_relays(self):
        self.assertGreater(len(self.s.sink.messages), 1)
        for to, mail in self.s.sink.messages:
            text = mail.as_string()
            for value in (NAME_MARK, PASSWORD_MARK, MISTYPED_MARK, LOGIN, self.codes['revocation'], self.account):
                self.assertNotIn(value, text, mail['Subject'])


if __name__ == '__main__':
    unittest.main(verbosity=2)
