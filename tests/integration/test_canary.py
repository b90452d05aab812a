"""Who sees what (DOMAIN 1.1, columns « IdP DB » and logs), login/password: marked values go in by every door, then the
database dump, its files and write-ahead log, every log, every file beside the processes and their command lines are
searched in several spellings. What may be there is searched too: a search that finds nothing at all proves nothing."""
import unittest
from beffroi import *

NAME = 'Zébulon CANARI-7731'            # must be nowhere; the part below is what is searched
NAME_MARK = 'CANARI-7731'
PASSWORD = 'corail CANARI-9021 lune'
PASSWORD_MARK = 'CANARI-9021'
MISTYPED = 'tambour CANARI-4404'         # a password typed into the field of the name
MISTYPED_MARK = 'CANARI-4404'
LOGIN = 'canari-5150'                    # chosen to be stored: the control
ADDRESS = 'canari6262@courriel.example'
SECRET = 'secret-du-service-CANARI-3838'


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
        cls.s = s = System()
        temporary = cls.stack.enter_context(tempfile.TemporaryDirectory(prefix='beffroi-canary-'))
        cls.stack.callback(lambda old=os.environ.get('TMPDIR'): os.environ.pop('TMPDIR') if old is None
                           else os.environ.__setitem__('TMPDIR', old))
        cls.stack.enter_context(s)
        for name in list(s.processes):           # again, with a folder for temporary files of their own
            s.stop(name)
        os.environ['TMPDIR'] = cls.temporary = temporary
        s.start()
        cls.live()
        time.sleep(1.5)                          # jobs, seals
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

    def test_mail_relays(self):
        self.assertGreater(len(self.s.sink.messages), 1)
        for to, mail in self.s.sink.messages:
            text = mail.as_string()
            for value in (NAME_MARK, PASSWORD_MARK, MISTYPED_MARK, LOGIN, self.codes['revocation'], self.account):
                self.assertNotIn(value, text, mail['Subject'])


if __name__ == '__main__':
    unittest.main(verbosity=2)
