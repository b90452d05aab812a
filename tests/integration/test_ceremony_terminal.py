"""A root's ceremony typed on a terminal by people who make mistakes: each is told and asked again, nothing is lost; and who breaks
off leaves no file behind."""
import os, pty, select, tempfile, time

from beffroi import TOP, run

PKI = os.environ['BEFFROI_BUILD'] + '/pki/beffroi-pki'
PHRASE = 'une phrase assez longue pour %s'


class Terminal:
    """The program on a terminal of its own; what it shows is kept in seen."""

    def __init__(self, *command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        self.seen = ''

    def show(self, words, seconds=60):
        """Waits until these words are shown, after everything that was waited for before."""
        end = time.monotonic() + seconds
        while words not in self.seen:
            assert time.monotonic() < end, f'not shown: {words}\n{self.seen[-2000:]}'
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode()
                except OSError:
                    assert words in self.seen, f'it ended before: {words}\n{self.seen[-2000:]}'
        self.seen = self.seen.split(words, 1)[1]

    def type(self, question, answer, complaint=None):
        """Answers the question of that name; complaint: words of the mistake that is then told."""
        self.show(f'[{question}]')
        self.show(': ')
        os.write(self.fd, (answer + '\n').encode())
        if complaint:
            self.show('  ! ')
            self.show(complaint)

    def end(self):
        """What the program's end says, its status."""
        while True:
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def begin(medium, *more):
    return Terminal(PKI, 'ceremony', 'run', 'root', '--dir', medium, '--lang', 'en', '--profiles', f'{TOP}/pki/profiles', *more)


def attend(t):
    t.type('person', 'Anne', 'a short name')
    t.type('person', 'anne')
    t.type('anne.label', 'Anne Sécurité')
    t.type('anne.roles', 'secureté', 'no such role')
    t.type('person', 'anne')
    t.type('anne.label', 'Anne Sécurité')
    t.type('anne.roles', 'security, systems', 'one person cannot be')
    t.type('person', 'anne')
    t.type('anne.label', 'Anne Sécurité')
    t.type('anne.roles', 'security')
    t.type('person', 'anne', 'on the list already')
    t.type('person', '-')
    t.type('witness', '-', 'two persons')
    for name in ('bruno', 'chloe'):
        t.type('person', name)
        t.type(f'{name}.label', name.title())
        t.type(f'{name}.roles', 'custodian')
    t.type('person', '-')
    t.type('witness', 'Maître Martin, commissaire de justice')
    t.type('witness.external', 'perhaps', 'yes')
    t.type('witness', 'Maître Martin, commissaire de justice')
    t.type('witness.external', 'no')
    t.type('witness', '-', 'a witness from outside')
    t.type('person', '-')
    t.type('witness', 'Maître Morel, commissaire de justice')
    t.type('witness.external', 'yes')
    t.type('witness', '-')


def keys(t):
    t.type('anne.key.file', '')
    t.type('anne.key.phrase', 'short')
    t.type('anne.key.phrase', 'short', '12')
    for name in ('anne', 'bruno', 'chloe'):
        t.type(f'{name}.key.file', '')
        t.type(f'{name}.key.phrase', PHRASE % name)
        if name == 'bruno':
            t.type(f'{name}.key.phrase', 'something else altogether', 'not the same')
            t.type(f'{name}.key.file', '/nowhere/at/all')
            t.type(f'{name}.key.phrase', PHRASE % name)
            t.type(f'{name}.key.phrase', PHRASE % name, '/nowhere/at/all')
            t.type(f'{name}.key.file', '')
            t.type(f'{name}.key.phrase', PHRASE % name)
        t.type(f'{name}.key.phrase', PHRASE % name)
    t.type('clock', 'yes')
    t.type('offline', 'yes')


def shares(t):
    t.type('threshold', '3', '2 to 2')
    t.type('threshold', 'two', '2 to 2')
    t.type('threshold', '2')
    for name in ('bruno', 'chloe'):
        t.type(f'{name}.share.file', '')
        t.type(f'{name}.share.phrase', PHRASE % 'la part')
        t.type(f'{name}.share.phrase', PHRASE % 'la part')
    t.type('bruno.share.again', 'mistyped once more', 'share of bruno')
    t.type('bruno.share.again', PHRASE % 'la part')
    t.type('chloe.share.again', PHRASE % 'la part')


def certificate(t):
    t.type('organization', 'Syndicat de démonstration')
    t.type('identifier', '552100555')
    t.type('common_name', 'Racine', 'not a SIREN')
    t.type('organization', 'Syndicat de démonstration')
    t.type('identifier', '552100554')
    t.type('common_name', 'Racine')


with tempfile.TemporaryDirectory(prefix='beffroi-ceremony-') as top:
    medium = top + '/medium'
    os.mkdir(medium, 0o700)
    t = begin(medium)
    attend(t)
    keys(t)
    shares(t)
    certificate(t)
    t.type('record.read', 'maybe')
    t.type('record.read', 'yes')
    assert t.end() == 0
    records = [f for f in os.listdir(medium + '/records') if f.endswith('.txt')]
    assert len(records) == 1
    run(PKI, 'ceremony', 'verify', f'{medium}/records/{records[0]}')
    record = open(f'{medium}/records/{records[0]}').read()
    assert record.count('\nperson ') == 3 and record.count('\nwitness ') == 2 and 'typed' in record, record
    for secret in (PHRASE % 'la part', PHRASE % 'anne', 'mistyped'):
        assert secret not in record
    print('every mistake was told and asked again; the record verifies')

    # Who breaks off with ^C, in the middle of the rehearsal, leaves nothing: not a share, not a key.
    other = top + '/other'
    os.mkdir(other, 0o700)
    t = begin(other)
    attend(t)
    keys(t)
    t.type('threshold', '2')
    for name in ('bruno', 'chloe'):
        t.type(f'{name}.share.file', '')
        t.type(f'{name}.share.phrase', PHRASE % 'la part')
        t.type(f'{name}.share.phrase', PHRASE % 'la part')
    t.show('[bruno.share.again]')
    os.write(t.fd, b'\x03')
    assert t.end() != 0
    left = [f for _, _, files in os.walk(other) for f in files]
    assert left == [], left
    print('who breaks off leaves no file')
