"""authority: a private certification authority for integration tests, made and run by beffroi-pki. Standard library only.

    with Authority() as a: …     root, CAs, signer, front, PostgreSQL, a mail sink

Ceremonies from prepared answers, requests that two persons approve, a signer that two custodians open: nothing here is a
shortcut that the program does not have. Runs below tests/lib/with-pg; every process started here is stopped by its pid.
"""
import base64, contextlib, grp, json, os, pwd, signal, subprocess, sys, tempfile, time

from beffroi import MailSink, TOP, free_port, run, say

CUSTODIANS = ('alice', 'bruno')
APPROVERS = ('emma', 'farid')
ADMINS = ('gael', 'hana')          # a station is proposed by one and approved by the other
ROLES = {'alice': 'custodian', 'bruno': 'custodian', 'emma': 'registration', 'farid': 'validation', 'gael': 'systems',
         'hana': 'security'}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """Of a problem."""
        return self.json()['code']


class Authority:
    issuing = ('servers', 'soft')
    strict = True                        # a process that is told to end says 0: no leak, no error

    def __init__(self, build=None, front='', signer=''):
        self.build = build or os.environ.get('BEFFROI_BUILD') or os.path.join(TOP, 'build')
        self.bin = os.path.join(self.build, 'pki', 'beffroi-pki')
        self.processes, self.extra = {}, {'front': front, 'signer': signer}

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.dir = self.stack.enter_context(tempfile.TemporaryDirectory(prefix='beffroi-pki-'))
        try:
            self.prepare()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *exc):
        say(exc)
        if exc[0] is not None or os.environ.get('BEFFROI_TEST_LOGS'):
            for name in self.processes:
                with open(self.path(name + '.log'), errors='replace') as f:
                    sys.stderr.write(f'--- {name}\n' + ''.join(f.readlines()[-40:]))
        bad, self.strict = {}, False
        for name in list(self.processes):
            if code := self.stop(name):
                bad[name] = code, self.log(name)[-3000:]
        self.stack.close()
        assert not bad or exc[0] is not None, f'did not end well: {bad}'
        return False

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text, mode=0o600):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), 'w') as f:
            f.write(text)
        return self.path(name)

    # --- making it -------------------------------------------------------------------------------------------------
    def prepare(self):
        os.chmod(self.dir, 0o700)
        self.sink, self.port = MailSink(), free_port()
        self.url = f'https://127.0.0.1:{self.port}'
        self.database()
        for process, role in (('operator', 'pki_signer'), ('signer', 'pki_signer'), ('front', 'pki_front')):
            self.configure(process, role)
        self.command('migrate')
        self.command('keys', 'init')
        self.ceremonies()
        self.start('signer')
        self.unlock()
        self.certificate('front', 'server', 'front', '--dns', 'localhost')
        with open(self.path('front.conf'), 'a') as f:
            f.write(f"front.listen = 127.0.0.1:{self.port}\nfront.url = {self.url}\nfront.tls.cert = {self.path('front.pem')}\n"
                    f"front.tls.key = {self.path('front.key')}\nfront.client_ca = {self.path('servers-ca.pem')}\n")
        self.start('front')

    def database(self):
        self.db = 'pki_' + os.urandom(4).hex()
        run('psql', '-qX', os.environ['BEFFROI_TEST_PG'], '-c', f'CREATE DATABASE {self.db} OWNER pki_owner')
        host, port = os.environ['PGHOST'], os.environ.get('PGPORT', '5432')
        self.conninfo = lambda role: f"host={host} port={port} dbname={self.db} user={role} options='-c search_path=pki'"
        self.admin = f"host={host} port={port} dbname={self.db} options='-c search_path=pki'"

    def sql(self, text):
        return run('psql', '-qXAt', self.admin, '-c', text).stdout.strip()

    def configure(self, process, role):
        me, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
        self.write(process + '.conf', '\n'.join([
            'environment = test', 'base_url = http://pki.example', 'name = test', f'migrations = {TOP}/migrations/pki',
            f'profiles = {self.profiles()}', f'database = {self.conninfo(role)}', f"database.worker = {self.conninfo('pki_worker')}",
            f"database.owner = {self.conninfo('pki_owner')}", f"keys = {self.path('keys')}", f"clock.file = {self.path('clock')}",
            f"signer.socket = {self.path('signer.socket')}", f'signer.issuers = {me}', f'signer.custodians = {group}',
            f'mail.smtp.url = smtp://127.0.0.1:{self.sink.port}', 'mail.from = pki@rivemont.example', 'threads = 4',
            self.extra.get(process, ''), '']))

    def profiles(self):
        return f'{TOP}/pki/profiles'

    def command(self, *words, check=True, stdin=None):
        return run(self.bin, *words, '--config', self.path('operator.conf'), check=check, stdin=stdin)

    def answered(self, answers, *words):
        """A command that asks people, with prepared answers."""
        out = run(self.bin, *words, '--answers', self.write('answers', answers))
        os.unlink(self.path('answers'))
        return out

    def attend(self, names, fresh):
        lines = []
        for n in names:
            lines.append(f'person = {n}')
            if fresh:
                lines += [f'{n}.label = Madame {n} Exemple', f'{n}.roles = {ROLES[n]}']
        lines += ['person = -', 'witness = -']
        for n in names:
            lines += [f'{n}.key.file =', f'{n}.key.phrase = key phrase of {n}']
        return lines + ['clock = oui', 'offline = oui']

    @staticmethod
    def new_secret():
        return (['threshold = 2'] +
                [f'{n}.share.{what}' for n in CUSTODIANS for what in ('file =', f'phrase = share phrase of {n}')] +
                [f'{n}.share.again = share phrase of {n}' for n in CUSTODIANS])

    def set_of(self, ca):
        with open(self.path('root', 'register')) as f:
            return next(w[2] for w in map(str.split, f) if w[:2] == ['ca', ca + '-g1'])

    def share(self, ca, number):
        return self.path('root', 'shares', f'{self.set_of(ca)}-{number}.share')

    def open_set(self, which, ca):
        return [line for i, n in enumerate(CUSTODIANS) for line in (
            f'{which}.custodian = {n}', f'{n}.share.file = {self.share(ca, i + 1)}', f'{n}.share.phrase = share phrase of {n}')]

    def ceremony(self, kind, ca, lines, *words):
        self.answered('\n'.join(lines) + '\n', 'ceremony', 'run', kind, '--ca', ca, '--dir', self.path('root'), '--profiles',
                      self.profiles(), '--level', '1', '--alg', 'p256', '--database', self.conninfo('pki_owner'), *words)

    def ceremonies(self):
        os.mkdir(self.path('root'), 0o700)
        named = ['organization = Syndicat de Rivemont', 'identifier = 552100554']
        self.ceremony('root', 'root', self.attend(ROLES, True) + self.new_secret() + named +
                      ['common_name = Beffroi Racine', 'record.read = oui'])
        for i, ca in enumerate(self.issuing):
            secret = self.new_secret() if i == 0 else ['set = same'] + self.open_set('ca', self.issuing[0])
            self.ceremony('issuing', ca, self.attend(CUSTODIANS, False) + secret + self.open_set('root', 'root') + named +
                          [f'common_name = Beffroi {ca}', 'status.url = http://pki.example', 'record.read = oui'],
                          '--key', f"sealed:{self.path(ca + '.sealed')}")
        for ca in ('root',) + self.issuing:
            self.write(f'{ca}-ca.pem', run('openssl', 'x509', '-inform', 'DER', '-in', self.path('root', f'{ca}-g1.cer')).stdout, 0o644)

    # --- processes ---------------------------------------------------------------------------------------------------
    def start(self, name):
        log = open(self.path(name + '.log'), 'a')
        p = subprocess.Popen([self.bin, name, '--config', self.path(name + '.conf')], stderr=log, stdout=log)
        log.close()
        self.processes[name] = p
        deadline = time.monotonic() + 120
        ready = {'signer': 'signer.ready', 'front': 'serve.ready'}[name]
        started = self.starts(name, ready)
        while self.starts(name, ready) == started:
            if p.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f'{name} did not start: {p.poll()}')
            time.sleep(0.05)

    def starts(self, name, ready):
        with open(self.path(name + '.log'), errors='replace') as f:
            return f.read().count(ready)

    def log(self, name):
        with open(self.path(name + '.log'), errors='replace') as f:
            return f.read()

    def stop(self, name, how=signal.SIGTERM):
        p = self.processes.pop(name)
        if p.poll() is None:
            p.send_signal(how)
        try:
            p.wait(60)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
        if how == signal.SIGTERM:
            assert p.returncode == 0 or not self.strict, (name, p.returncode, self.log(name)[-3000:])
        return p.returncode

    def unlock(self):
        for i, n in enumerate(CUSTODIANS):
            self.answered(f'phrase = share phrase of {n}\n', 'unlock', '--config', self.path('operator.conf'), '--share',
                          self.share(self.issuing[0], i + 1))

    def lock(self):
        self.command('lock')

    def clock(self, by):
        self.command('clock', '--advance', by)

    # --- keys, requests, stations ---------------------------------------------------------------------------------------
    def key(self, name, *kind):
        kind = kind or ('-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256')
        run('openssl', 'genpkey', *kind, '-out', self.path(name + '.key'))
        os.chmod(self.path(name + '.key'), 0o600)

    def csr(self, name, subject='/CN=somebody', *more, key=None):
        """DER of a request for NAME.key, which is made when it is not there."""
        if not os.path.exists(self.path((key or name) + '.key')):
            self.key(key or name)
        run('openssl', 'req', '-new', '-key', self.path((key or name) + '.key'), '-subj', subject, '-outform', 'DER', *more, '-out',
            self.path(name + '.csr'))
        with open(self.path(name + '.csr'), 'rb') as f:
            return f.read()

    def certificate(self, name, profile, holder, *words):
        """NAME.key and NAME.pem with its chain, as an operator asks for them and two approve."""
        self.csr(name)
        request = self.command('request', 'add', '--profile', profile, '--holder', holder, '--csr', self.path(name + '.csr'),
                               *words).stdout.strip()
        for n in APPROVERS:
            self.answered(f'phrase = key phrase of {n}\n', 'request', 'approve', request, '--config', self.path('operator.conf'),
                          '--key', self.path('root', 'persons', n + '.key'))
        certificate = self.command('request', 'issue', request).stdout.strip()
        self.command('certificate', 'show', certificate, '--out', self.path(name + '.leaf'))
        with open(self.path(name + '.leaf')) as leaf, open(self.path('servers-ca.pem')) as ca:
            self.write(name + '.pem', leaf.read() + ca.read(), 0o644)
        return certificate

    def station(self, name, profiles, towns=None, may_revoke=False):
        """Two persons let it in, two approve its first certificate; its id."""
        rights = ['--profile', ','.join(profiles), *(['--all-towns'] if towns is None else ['--town', ','.join(towns)]),
                  *(['--may-revoke'] if may_revoke else [])]
        self.about_station(ADMINS[0], 'add', name, *rights)
        self.about_station(ADMINS[1], 'approve', name)
        self.certificate(name, 'station', name, '--common-name', name)
        return self.sql(f"SELECT id FROM station WHERE name = '{name}' AND state = 'active'")

    def about_station(self, person, *words):
        return self.answered(f'phrase = key phrase of {person}\n', 'station', *words, '--config', self.path('operator.conf'), '--key',
                             self.path('root', 'persons', person + '.key'))

    def suspend_station(self, name):
        self.about_station(ADMINS[0], 'suspend', name)

    def resume_station(self, name):
        for person in ADMINS:
            self.about_station(person, 'resume', name)

    # --- calls: curl, as stations have it -------------------------------------------------------------------------------
    def curl(self, *words, who, path, method='GET', body=None, headers=(), cert=None):
        args = ['curl', '-sS', '--max-time', '60', '-X', method, '--cacert', self.path('root-ca.pem'), '--resolve',
                f'localhost:{self.port}:127.0.0.1', '-D', '-', '-H', 'Expect:']
        if who:
            args += ['--cert', self.path((cert or who) + '.pem'), '--key', self.path((cert or who) + '.key')]
        for h in headers:
            args += ['-H', h]
        if body is not None:
            args += ['--data-binary', '@-']
        p = subprocess.run([*args, *words, f'https://localhost:{self.port}{path}'], input=body, capture_output=True)
        if p.returncode != 0:
            raise ConnectionError(f'curl ended with {p.returncode}: {p.stderr.decode()}')
        head, _, rest = p.stdout.partition(b'\r\n\r\n')
        while head.startswith(b'HTTP/1.1 1'):
            head, _, rest = rest.partition(b'\r\n\r\n')
        lines = head.decode().split('\r\n')
        return Answer(int(lines[0].split()[1]), {k.lower(): v.strip() for k, v in (x.split(':', 1) for x in lines[1:])}, rest)

    def call(self, who, method, path, body=None, headers=(), **kw):
        if body is not None:
            body, headers = json.dumps(body).encode(), ['Content-Type: application/json', *headers]
        return self.curl(who=who, path=path, method=method, body=body, headers=headers, **kw)

    def est(self, who, act, csr, label='', body=None, **kw):
        return self.curl(who=who, path='/.well-known/est/' + (label + '/' if label else '') + act, method='POST',
                         body=base64.encodebytes(csr) if body is None else body, headers=['Content-Type: application/pkcs10'], **kw)

    def certificates(self, answer):
        """PEM of the certificates of an EST answer, read by OpenSSL."""
        self.write('answer.p7', '-----BEGIN PKCS7-----\n' + answer.body.decode().replace('\r', '') + '-----END PKCS7-----\n')
        text = run('openssl', 'pkcs7', '-print_certs', '-in', self.path('answer.p7')).stdout
        return [p + '-----END CERTIFICATE-----\n' for p in text.split('-----END CERTIFICATE-----\n')[:-1]]

    def keep(self, name, pem):
        with open(self.path('servers-ca.pem')) as ca:
            self.write(name + '.pem', pem + ca.read(), 0o644)
        return self.path(name + '.pem')

    def serial(self, pem):
        return run('openssl', 'x509', '-noout', '-serial', stdin=pem).stdout.strip().split('=')[1].lower()
