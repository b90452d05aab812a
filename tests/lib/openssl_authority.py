"""authority: a small certification authority for tests, by openssl: client certificates, lists, and a server of lists."""
import http.server, os, threading
from beffroi import run


class Authority:
    """An authority of its own folder. name is its CN; below an authority (above=) it is a subordinate one."""

    def __init__(self, folder, name, above=None, curve='P-256', subject=None, days='365'):
        self.dir, self.name = os.path.join(folder, 'authority-' + os.urandom(4).hex()), name
        os.mkdir(self.dir)
        self.number, self.entries = 1, []
        self.pem, self.key = self.path('ca.pem'), self.path('ca.key')
        ext = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n' \
              'authorityKeyIdentifier=keyid\n'
        run('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', f'ec_paramgen_curve:{curve}', '-nodes', '-subj',
            subject or f'/C=FR/O=Essai/CN={name}', '-keyout', self.key, '-out', self.path('ca.csr'))
        self.sign(above or self, self.path('ca.csr'), ext, self.pem, days=days)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    @staticmethod
    def sign(by, csr, ext, out, days='30', serial=None, dates=()):
        with open(out + '.ext', 'w') as f:
            f.write(ext)
        own = by.key if not os.path.exists(by.pem) else None
        signer = ['-signkey', own] if own else ['-CA', by.pem, '-CAkey', by.key]
        run('openssl', 'x509', '-req', '-in', csr, *signer, '-set_serial', str(serial or int.from_bytes(os.urandom(9), 'big')),
            '-sha256', '-days', days, '-extfile', out + '.ext', '-out', out)

    CLIENT = ('basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n'
              'subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n')

    def issue(self, name, ext=CLIENT, days='30', serial=None, key=None, alg=('ec', 'ec_paramgen_curve:P-256')):
        """A client certificate and its key: the name of the PEM files without their ends."""
        base = self.path(name)
        if key is None:
            run('openssl', 'req', '-newkey', alg[0], '-pkeyopt', alg[1], '-nodes', '-subj', f'/CN={name}', '-keyout',
                base + '.key', '-out', base + '.csr')
        else:
            run('openssl', 'req', '-new', '-key', key + '.key', '-subj', f'/CN={name}', '-out', base + '.csr')
            with open(key + '.key') as a, open(base + '.key', 'w') as b:
                b.write(a.read())
        self.sign(self, base + '.csr', ext, base + '.pem', days, serial)
        return base

    def issue_at(self, name, start, end, ext=CLIENT):
        """The same with dates of its own: YYYYMMDDHHMMSSZ."""
        base = self.path(name)
        run('openssl', 'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', f'/CN={name}',
            '-keyout', base + '.key', '-out', base + '.csr')
        for file, text in (('dates.txt', ''), ('dates.serial', f'{int.from_bytes(os.urandom(8), "big") | 1:018X}'), ('dates.cnf',
                f'[ca]\ndefault_ca=d\n[d]\ndatabase={self.path("dates.txt")}\nserial={self.path("dates.serial")}\n'
                f'new_certs_dir={self.dir}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n'), ('dates.ext', ext)):
            with open(self.path(file), 'w') as f:
                f.write(text)
        run('openssl', 'ca', '-batch', '-notext', '-config', self.path('dates.cnf'), '-cert', self.pem, '-keyfile', self.key,
            '-in', base + '.csr', '-extfile', self.path('dates.ext'), '-startdate', start, '-enddate', end, '-out', base + '.pem')
        return base

    @staticmethod
    def serial(base):
        return run('openssl', 'x509', '-in', base + '.pem', '-noout', '-serial').stdout.strip().split('=')[1]

    def revoke(self, base, reason='keyCompromise'):
        self.entries.append((self.serial(base), reason))

    def release(self, base):
        self.entries = [e for e in self.entries if e[0] != self.serial(base)]

    def crl(self, hours=24, number=None, pem=False, signer=None):
        """A new list as bytes; number None: the next one."""
        if number is None:
            self.number += 1
            number = self.number
        with open(self.path('index.txt'), 'w') as f:
            for serial, reason in self.entries:
                f.write(f'R\t491231235959Z\t251001000000Z,{reason}\t{serial}\tunknown\t/CN=x\n')
        with open(self.path('crlnumber'), 'w') as f:
            f.write(f'{number:02X}' if number > 15 else f'0{number:X}')
        with open(self.path('ca.cnf'), 'w') as f:
            f.write(f'[ca]\ndefault_ca=d\n[d]\ndatabase={self.path("index.txt")}\ncrlnumber={self.path("crlnumber")}\n'
                    'default_md=sha256\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid:always\n')
        s = signer or self
        run('openssl', 'ca', '-gencrl', '-config', self.path('ca.cnf'), '-cert', s.pem, '-keyfile', s.key, '-crlhours',
            str(hours), '-out', self.path('crl.pem'))
        if not pem:
            run('openssl', 'crl', '-in', self.path('crl.pem'), '-outform', 'DER', '-out', self.path('crl.der'))
        with open(self.path('crl.pem' if pem else 'crl.der'), 'rb') as f:
            return f.read()

    def p12(self, base, password='essai'):
        run('openssl', 'pkcs12', '-export', '-inkey', base + '.key', '-in', base + '.pem', '-passout', 'pass:' + password,
            '-out', base + '.p12')
        return base + '.p12'


class Lists(threading.Thread):
    """Serves bytes by path, and counts who asked."""

    def __init__(self):
        super().__init__(daemon=True)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                body = outer.files.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header('Content-Length', str(len(body or b'')))
                self.end_headers()
                self.wfile.write(body or b'')

            def log_message(self, *args):
                pass
        self.files, self.asked = {}, []
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}'
        self.start()

    def run(self):
        self.server.serve_forever()
