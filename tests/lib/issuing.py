"""issuing: a provider beside the real certification authority: accounts with software certificates, from the counter to the browser."""
import contextlib, os, re, socket, threading, time

from authority import Authority
from beffroi import Browser, Reply, run, secrets_token
from certificates import CertificateSystem


class Cut(threading.Thread):
    """A network between browser and provider that can be cut: after cut(n), n more octets come through, then it is gone."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.to, self.left = port, None
        self.server = socket.create_server(('127.0.0.1', 0))
        self.port = self.server.getsockname()[1]
        self.start()

    def cut(self, n):
        self.left = n

    def run(self):
        near, _ = self.server.accept()
        far = socket.socket()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)       # what was not asked for stays with its sender
        far.connect(('127.0.0.1', self.to))
        threading.Thread(target=self.up, args=(near, far), daemon=True).start()
        with contextlib.suppress(OSError):
            while self.left is None or self.left > 0:
                data = far.recv(512 if self.left is None else min(512, self.left))
                if not data:
                    break
                near.sendall(data)
                if self.left is not None:
                    self.left -= len(data)
        for s in (far, near, self.server):
            s.close()

    @staticmethod
    def up(near, far):
        with contextlib.suppress(OSError):
            while data := near.recv(4096):
                far.sendall(data)


class IssuingSystem(CertificateSystem):
    """Its station `idp` is let in by two persons, as an operator has it."""
    nodes_ = 1
    profiles = ['citizen-soft', 'citizen-soft-named']       # that its station may ask for

    def __init__(self, authority, **kw):
        self.authority = authority
        super().__init__(nodes=self.nodes_, **kw)

    def configure(self, name, port, door_port, role):
        super().configure(name, port, door_port, role)
        a = self.authority
        with open(self.path(name + '.conf'), 'a') as f:
            f.write(f"pki.url = https://localhost:{a.port}\npki.ca = {a.path('root-ca.pem')}\npki.cert = {a.path('idp.pem')}\n"
                    f"pki.key = {a.path('idp.key')}\nthreads.slow = 12\n")

    def prepare(self):
        self.authority.station('idp', self.profiles, may_revoke=True)
        super().prepare()
        self.command('trust', 'add', self.authority.path('soft-ca.pem'), '--name', 'soft', '--use', 'software', '--own')

    # --- a citizen -----------------------------------------------------------------------------------------------------
    def soft(self, **body):
        """(handle, codes, number)"""
        key, handle = secrets_token(24), secrets_token(24)
        r = self.door('POST', '/v1/accounts', {'type': 'x509_soft', 'handle': handle, 'lang': 'fr', **body}, key=key)
        assert r.status == 201, r.text
        assert self.door('POST', f'/v1/accounts/{handle}/ack').status == 200
        return handle, self.unseal(r.json()['sealed'], key), r.json()['number']

    def stage(self, codes, address):
        """A browser after the mail's code, and the address of the page on which the device is chosen."""
        seen = len(self.sink.messages)
        assert self.mail(address, codes['creation']).startswith('250')
        text = self.sink.wait(address, seen).get_content()
        link = re.search(r'https://\S+/activate/\S+', text).group(0)
        b = Browser(self)
        r = b.post(link, {'csrf': b.csrf(b.get(link)), 'code': re.search(r'\b\d{4} \d{4}\b', text).group(0), 'do': 'check'})
        assert r.status == 303, r.text[:600]
        r = b.get(r.headers['Location'])
        assert r.status == 303 and r.headers['Location'].endswith('/certificate'), (r.status, r.text[:400])
        return b, r.headers['Location']

    def state(self, handle):
        return self.door('GET', f'/v1/accounts/{handle}').json()['state']

    def wait(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not (value := what()):
            assert time.monotonic() < end, 'waited in vain'
            time.sleep(0.1)
        return value

    def wait_sql(self, text, want, seconds=60):
        return self.wait(lambda: self.sql(text) == want, seconds)

    def pki_states(self, number):
        """The states of a holder's certificates at the authority, oldest first."""
        return self.authority.sql("SELECT coalesce(string_agg(c.state, ' ' ORDER BY c.not_before, c.state_since), '') FROM certificate c "
                                  f"JOIN registration r ON r.id = c.registration_id WHERE r.holder = '{number}'").split()

    def base(self, name, key, cert):
        """PEM files as knock() takes them; returns NAME without suffix."""
        for suffix, text in (('.key', key), ('.pem', cert)):
            with open(self.path(name + suffix), 'w') as f:
                f.write(text)
            os.chmod(self.path(name + suffix), 0o600)
        return self.path(name)

    def unpack(self, name, p12, phrase):
        """A PKCS#12 by OpenSSL: base name of its key and chain."""
        with open(self.path(name + '.p12'), 'wb') as f:
            f.write(p12)
        out = lambda *words: run('openssl', 'pkcs12', '-in', self.path(name + '.p12'), '-passin', 'pass:' + phrase, '-nodes', *words).stdout
        return self.base(name, out('-nocerts'), out('-nokeys'))


@contextlib.contextmanager
def issuing(**kw):
    with Authority() as a, IssuingSystem(a, **kw) as s:
        yield s
