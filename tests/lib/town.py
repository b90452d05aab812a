"""town: a private town server beside beffroi.System, for integration tests. Standard library only.

    with System() as s, Town(s) as t:      web and outbox processes, database, keys, agents of their own
        clerk = t.clerk('lea')
"""
import base64, contextlib, hashlib, hmac, http.client, os, re, signal, socket, struct, subprocess, time, urllib.parse

from beffroi import TOP, Browser, free_port, run, say


def totp(secret, at):
    key = base64.b32decode(secret + '=' * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack('>Q', int(at) // 30), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f'{(struct.unpack(">I", mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}'


class Clerk(Browser):
    """An agent's browser: follows redirects of the counter, finds forms by their button."""

    def go(self, path):
        page = self.follow(self.get(path))
        page.path = getattr(self, 'at', path) if page.status == 200 else path
        return page

    def open(self, path):
        self.at = self.system.url + path
        return self.follow(self.get(path))

    def send(self, page, do, fields=None, path=None):
        data = {'csrf': self.csrf(page), 'do': do, **(fields or {})}
        draft = re.search(r'name="draft" value="([^"]+)"', page.text)
        if draft:
            data.setdefault('draft', draft.group(1))
        pairs = [(k, v) for k, values in data.items() for v in (values if isinstance(values, list) else [values])]
        where = path or urllib.parse.urlsplit(self.at).path
        reply = self.request('POST', where, urllib.parse.urlencode(pairs),
                             headers={'Content-Type': 'application/x-www-form-urlencoded'})
        return self.follow(reply)


class Town:
    def __init__(self, system, name='rivemont', outbox=True, settings=()):
        self.system, self.name, self.outbox, self.settings = system, name, outbox, settings
        self.processes = {}
        self.secrets, self.used = {}, {}

    def __enter__(self):
        s = self.system
        self.bin = os.path.join(s.build, 'mairie-connector', 'beffroi-mairie')
        self.host, self.port = 'mairie.beffroi.localhost', free_port()
        self.url = f'https://{self.host}:{self.port}'
        self.tls = s.tls
        self.base = s.path('mairie-' + self.name)
        os.mkdir(self.base)
        self.db = 'mairie_' + os.urandom(4).hex()
        run('psql', '-qX', os.environ['BEFFROI_TEST_PG'], '-c', f'CREATE DATABASE {self.db} OWNER mairie_owner')
        host, port = os.environ['PGHOST'], os.environ.get('PGPORT', '5432')
        self.conninfo = lambda role: (f"host={host} port={port} dbname={self.db} user={role} "
                                      f"options='-c search_path=mairie'")
        self.admin = f"host={host} port={port} dbname={self.db} options='-c search_path=mairie'"
        self.configure('web', 'mairie_web')
        self.configure('outbox', 'mairie_outbox')
        self.command('migrate')
        self.command('keys', 'init')
        s.command('town', 'add', self.name, '--cert', s.path(f'town-{self.name}.pem'), '--seal-key',
                  self.path('keys', 'seal-public.pem'), '--label-fr', 'Ville', '--label-en', 'Town')
        try:
            self.spawn('web', 'serve')
            if self.outbox:
                self.spawn('outbox', 'outbox')
            self.wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *exc):
        say(exc)
        if exc[0] is not None:
            for name in self.processes:
                print(f'--- mairie {name}\n' + self.log(name)[-4000:], flush=True)
        for name in list(self.processes):
            self.stop(name)
        return False

    def connection(self, port):
        return http.client.HTTPSConnection('127.0.0.1', port, context=self.tls, timeout=60)

    def path(self, *names):
        return os.path.join(self.base, *names)

    def configure(self, name, role):
        s = self.system
        with open(self.path(name + '.conf'), 'w') as f:
            f.write('\n'.join([
                'environment = test', f'base_url = {self.url}', 'name.fr = Mairie de Rivemont', 'town = Rivemont',
                'phone = 03 83 00 00 00', f'templates = {TOP}/templates', f'migrations = {TOP}/migrations/mairie',
                f'database = {self.conninfo(role)}', f"database.owner = {self.conninfo('mairie_owner')}",
                f'listen = 127.0.0.1:{self.port}', f"tls.cert = {s.path('server.pem')}", f"tls.key = {s.path('server.key')}",
                f"keys = {self.path('keys')}", f"clock.file = {s.path('clock')}", f'idp.url = {s.door_url}',
                f"idp.ca = {s.path('ca.pem')}", f"idp.cert = {s.path(f'town-{self.name}.pem')}",
                f"idp.key = {s.path(f'town-{self.name}.key')}", 'idp.private = yes', 'idp.changes = 500ms',
                'sheet.mail_address = activation@rivemont.example', 'sheet.block_url = idp.rivemont.fr/blocage',
                'password.memory = 8192', 'password.passes = 1', *self.settings]) + '\n')

    def command(self, *argv, check=True):
        return run(self.bin, *argv, '--config', self.path('web.conf'), check=check)

    def spawn(self, name, command):
        with open(self.path(name + '.log'), 'ab') as log:
            self.processes[name] = subprocess.Popen([self.bin, command, '--config', self.path(name + '.conf')],
                                                    stdout=log, stderr=log)

    def stop(self, name, how=signal.SIGTERM):
        p = self.processes.pop(name)
        if p.poll() is None:
            p.send_signal(how)
            try:
                p.wait(30)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        return p.returncode

    def wait(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.processes['web'].poll() is None, 'web ended'
            with contextlib.suppress(OSError):
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return
            time.sleep(0.03)
        raise AssertionError('the counter does not listen')

    def log(self, name):
        with open(self.path(name + '.log'), errors='replace') as f:
            return f.read()

    def sql(self, text):
        return run('psql', '-qXAt', self.admin, '-c', text).stdout.strip()

    # --- people -----------------------------------------------------------------------------------------------------
    def add_agent(self, login, roles='guichet,validation', name=None, check=True):
        with open(self.path(login + '.password'), 'w') as f:
            os.fchmod(f.fileno(), 0o600)
            f.write('neige corail tambour 47\n')
        r = self.command('agent', 'add', login, '--name', name or login.title(), '--roles', roles, '--password-file',
                         self.path(login + '.password'), '--totp-file', self.path(login + '.totp'), check=check)
        if r.returncode == 0:
            with open(self.path(login + '.totp')) as f:
                self.secrets[login] = f.read().strip()
        return r

    def code(self, login):
        """A one-time code whose step was not used: one step either side is accepted, on a slow machine too, where the step
        may end before the code is read."""
        step = max(int(time.time() + 10) // 30 - 1, self.used.get(login, 0) + 1)
        while step > int(time.time()) // 30 + 1:
            time.sleep(1)
        self.used[login] = step
        return totp(self.secrets[login], step * 30)

    def clerk(self, login, password='neige corail tambour 47', code=None):
        b = Clerk(self, self.port)
        page = b.open('/login')
        page = b.send(page, 'signin', {'login': login, 'password': password, 'totp': code or self.code(login)}, '/login')
        b.page = page
        return b

    # --- the walk ---------------------------------------------------------------------------------------------------
    FORM = {'birth_name': "d'Ô Nguyễn CANARI-7731", 'usual_name': '', 'given_names': 'Zébulon', 'doc_type': 'cni',
            'doc_expiry': '2099-12-31', 'lang': 'fr'}
    IDENTITY = {'doc_type': 'passport', 'doc_expiry': '2099-12-31'}

    def ask(self, clerk, other=True, procedure='password', **fields):
        """Form, homonym warning, preview, confirm; returns the page after it (sheet ready, receipt, pending or dossier)."""
        page = clerk.open('/new/' + procedure)
        page = clerk.send(page, 'preview', {**self.FORM, **fields})
        if 'value="other_person"' in page.text and other:
            page = clerk.send(page, 'other_person')
        if 'value="confirm"' not in page.text:
            return page
        return clerk.send(page, 'confirm')

    @staticmethod
    def dossier_of(page):
        return re.search(r'/dossier/([0-9a-f-]{36})', page.text).group(1)

    @staticmethod
    def codes(page):
        """The codes on a sheet: creation, sheet number or None, blocking code."""
        letter = page.text[page.text.index('<article class="letter'):]
        found = [''.join(re.sub(r'<[^>]+>', '', c).split()).replace('-', '')
                 for c in re.findall(r'<span class="code">(.*?)</span>\s*</p>', letter, re.S)]
        assert len(found) in (2, 3), letter
        return {'creation': found[0], 'sheet': found[1] if len(found) == 3 else None, 'revocation': found[-1]}

    def create(self, clerk, **fields):
        return self.show(clerk, self.ask(clerk, **fields))

    def show(self, clerk, page, seconds=60):
        """From the page after an act that asks for codes to the sheet; on a busy machine the IdP may answer late."""
        end = time.monotonic() + seconds
        dossier = self.dossier_of(page)
        while 'en attente' in page.text and time.monotonic() < end:
            time.sleep(0.3)
            page = clerk.open(f'/dossier/{dossier}/print')
        assert 'value="print"' in page.text, page.text[:1500]
        page = clerk.send(page, 'print', path=f'/dossier/{dossier}/print')
        assert page.status == 200 and 'class="letter' in page.text, page.text[:1500]
        return dossier, self.codes(page), page
