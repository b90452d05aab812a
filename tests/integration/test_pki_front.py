"""The front of the authority, as stations have it: curl with client certificates, requests and PKCS#7 of OpenSSL, over the real
signer. EST, registrations, certificates, changes, revocations; who may what; what is away; what is killed."""
import base64, datetime, os, re, signal, subprocess, threading, time, uuid

from authority import Authority
from beffroi import TOP, run

CANARY = 'CANARI-7731'


def expect(answer, status, code=None):
    assert answer.status == status and (code is None or answer.code == code), (status, code, answer.status, answer.body[:400])
    return answer


def wait(what, seconds=60):
    """Until it is true; a generous limit."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.1)


def key_id():
    return uuid.uuid4().hex


def holder(a, who, profile='citizen-soft-named', town='rivemont', name='Zébulon', id=None, **more):
    """A registration that a station makes; its id."""
    id = id or str(uuid.uuid4())
    body = {'profile': profile, 'holder': 'h-' + id[:8], 'town': town, 'support': 'software', 'proof': 'face_to_face', 'proof_ref': 'pv-1',
            'proof_at': '2026-01-02T10:00:00Z', 'names': {'given_name': name, 'surname': CANARY, 'serial_number': id[:8]}} | more
    expect(a.call(who, 'PUT', f'/registrations/{id}', body), 201)
    return id


def issued(a, who, label, name, *more):
    """PEM of a certificate for a new key NAME.key."""
    return a.certificates(expect(a.est(who, 'simpleenroll', a.csr(name, '/CN=x', *more), label), 200))[0]


# --- EST ------------------------------------------------------------------------------------------------------------------------

def enrols(a):
    """The thinnest path: a station asks for a new certificate of its own, and uses it."""
    answer = a.est('idp', 'simpleenroll', a.csr('idp2'))
    assert answer.status == 200, answer.body
    assert answer.headers['content-type'] == 'application/pkcs7-mime; smime-type=certs-only', answer.headers
    assert 'content-transfer-encoding' not in answer.headers          # RFC 8951
    pems = a.certificates(answer)
    assert len(pems) == 1
    a.keep('idp2', pems[0])
    run('openssl', 'verify', '-x509_strict', '-CAfile', a.path('root-ca.pem'), '-untrusted', a.path('servers-ca.pem'), a.path('idp2.pem'))
    subject = run('openssl', 'x509', '-noout', '-subject', '-nameopt', 'RFC2253', stdin=pems[0]).stdout
    assert 'CN=idp' in subject and 'somebody' not in subject, subject
    # the lost reply: the same request, the same certificate, also over the new certificate
    assert a.certificates(a.est('idp', 'simpleenroll', a.csr('idp2'))) == pems
    assert a.certificates(a.est('idp2', 'simpleenroll', a.csr('idp2'))) == pems
    assert a.sql("SELECT count(*) FROM request WHERE origin = 'est'") == '1'
    # below the label of its own registration it is the same
    own = a.sql("SELECT id FROM registration WHERE holder = 'idp'")
    assert a.certificates(a.est('idp', 'simpleenroll', a.csr('idp2'), own)) == pems


def tells(a):
    """cacerts and csrattrs, with and without a label."""
    own = a.sql("SELECT id FROM registration WHERE holder = 'idp'")
    for label in ('', own + '/'):
        answer = expect(a.curl(who='idp', path=f'/.well-known/est/{label}cacerts'), 200)
        assert answer.headers['content-type'] == 'application/pkcs7-mime'
        pems = a.certificates(answer)
        there = {run('openssl', 'x509', '-noout', '-fingerprint', '-sha256', stdin=p).stdout for p in pems}
        assert there == {run('openssl', 'x509', '-noout', '-fingerprint', '-sha256', '-in', a.path(f'{ca}-ca.pem')).stdout
                         for ca in ('root',) + a.issuing}
        answer = expect(a.curl(who='idp', path=f'/.well-known/est/{label}csrattrs'), 200)
        assert answer.headers['content-type'] == 'application/csrattrs'
        asn1 = subprocess.run(['openssl', 'asn1parse', '-inform', 'DER'], input=base64.b64decode(answer.body), capture_output=True, check=True)
        for word in (b'id-ecPublicKey', b'prime256v1', b'rsaEncryption', b'ecdsa-with-SHA256', b'sha256WithRSAEncryption'):
            assert word in asn1.stdout, asn1.stdout


def forms(a):
    """What a body may look like (RFC 8951), and what is none. Each refusal beside the good one that it differs from."""
    der = a.csr('forms')
    text = base64.b64encode(der)
    good = a.certificates(expect(a.est('idp', 'simpleenroll', der, body=text), 200))
    spread = b' \r\n\t'.join(text[i:i + 7] for i in range(0, len(text), 7)) + b'\n\n'
    for body in (spread, text + b'\r\n', base64.encodebytes(der)):
        assert a.certificates(expect(a.est('idp', 'simpleenroll', der, body=body), 200)) == good
    path, kind = '/.well-known/est/simpleenroll', 'Content-Type: application/pkcs10'
    for header in ('Content-Transfer-Encoding: base64', 'Content-Transfer-Encoding: binary'):
        assert a.certificates(expect(a.curl(who='idp', path=path, method='POST', body=text, headers=[kind, header]), 200)) == good
    expect(a.curl(who='idp', path=path, method='POST', body=text, headers=[kind + '; charset=us-ascii']), 200)
    expect(a.curl(who='idp', path=path, method='POST', body=text, headers=['Content-Type: application/octet-stream']), 415, 'content_type')
    for body, code in ((b'', 'est.base64'), (b'-----BEGIN CERTIFICATE REQUEST-----\n' + text, 'est.base64'), (der, 'est.base64'),
                       (text[:-4], 'pki.csr.der'), (base64.b64encode(der + b'\0'), 'pki.csr.der'),
                       (base64.b64encode(b'\x30\x80' + der[2:]), 'pki.csr.der'), (base64.b64encode(b'\x30\x00'), 'pki.csr.structure'),
                       (base64.b64encode(der[:-1] + bytes([der[-1] ^ 1])), 'pki.csr.signature')):
        expect(a.est('idp', 'simpleenroll', der, body=body), 400, code)
    expect(a.est('idp', 'simpleenroll', der, body=b'A' * (80 * 1024)), 413)
    assert a.sql("SELECT count(*) FROM request WHERE origin = 'est'") == '2'         # nothing of all that was kept


def keys(a):
    """Kinds of keys, and those that are none."""
    rsa = lambda bits, *more: ('-algorithm', 'RSA', '-pkeyopt', f'rsa_keygen_bits:{bits}', *more)
    a.key('rsa', *rsa(3072))
    issued(a, 'idp', '', 'rsa')
    for name, kind, status, code in (
            ('ed', ('-algorithm', 'Ed25519'), 400, 'pki.key.type'),
            ('p384', ('-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'), 400, 'pki.key.curve'), ('small', rsa(1024), 400, 'pki.csr.key_size'),
            ('three', rsa(2048, '-pkeyopt', 'rsa_keygen_pubexp:3'), 400, 'pki.key.exponent'),
            ('p521', ('-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'), 400, 'pki.csr.key_curve')):
        a.key(name, *kind)
        for _ in range(2):                                              # the same answer again
            expect(a.est('idp', 'simpleenroll', a.csr(name, '/CN=x', *(['-sha384'] if name == 'p384' else []))), status, code)
    # a key that was certified for another registration
    label = holder(a, 'idp')
    expect(a.est('idp', 'simpleenroll', a.csr('rsa'), label), 409, 'pki.key.used')
    # wished extensions go nowhere
    pem = issued(a, 'idp', '', 'wishes', '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=keyCertSign,cRLSign',
                 '-addext', 'subjectAltName=DNS:evil.example', '-addext', 'extendedKeyUsage=anyExtendedKeyUsage')
    text = run('openssl', 'x509', '-noout', '-text', stdin=pem).stdout
    assert 'evil' not in text and 'CA:TRUE' not in text and 'Any Extended' not in text and 'Certificate Sign' not in text, text


def subject_of(pem):
    """As `openssl req -subj` takes it."""
    lines = run('openssl', 'x509', '-noout', '-subject', '-nameopt', 'utf8,sep_multiline,sname', stdin=pem).stdout.splitlines()[1:]
    return '/' + '/'.join(x.strip() for x in lines)


def renews(a):
    """simplereenroll: names of the certificate that it follows, a new key, near its end; renewals are counted (P-117)."""
    label = holder(a, 'idp', name='Renée')
    held = subject_of(issued(a, 'idp', label, 'r1'))
    own = subject_of(open(a.path('idp.pem')).read())
    expect(a.est('idp', 'simplereenroll', a.csr('own-early', own)), 409, 'pki.renew.early')
    expect(a.est('idp', 'simplereenroll', a.csr('own-name', '/CN=other')), 400, 'est.subject')
    expect(a.est('idp', 'simplereenroll', a.csr('own-alt', own, '-addext', 'subjectAltName=DNS:other.example')), 400, 'est.subject')
    # names were erased once the first certificate had them: only a renewal has them still
    assert a.sql(f"SELECT subject IS NULL FROM registration WHERE id = '{label}'") == 't'
    expect(a.est('idp', 'simpleenroll', a.csr('r-erased'), label), 409, 'pki.registration.erased')
    # a registration without any certificate has nothing to renew
    expect(a.est('idp', 'simplereenroll', a.csr('r-none'), holder(a, 'idp')), 409, 'pki.renew.unknown')
    assert expect(a.call('idp', 'GET', '/certificates'), 200).json()['certificates'] == []
    # a server: its alternative names too are those of the certificate
    web, dns = str(uuid.uuid4()), 'subjectAltName=DNS:web.example,DNS:www.web.example'
    expect(a.call('idp', 'PUT', f'/registrations/{web}', {'profile': 'server', 'holder': 'web', 'support': 'software', 'proof': 'none',
                                                         'names': {'dns': ['web.example', 'www.web.example']}}), 201)
    served = subject_of(issued(a, 'idp', web, 'web'))
    # the year of the station's certificate goes by
    a.clock('310d')
    ending = expect(a.call('idp', 'GET', '/certificates'), 200).json()
    assert a.sql("SELECT count(*) FROM audit_event WHERE verb LIKE 'est.%' AND result LIKE 'pki.key.%'") == '0'    # the judge has said so
    assert sorted(c['profile'] for c in ending['certificates']) == ['server', 'station'], len(ending['certificates'])      # the newest of each
    assert expect(a.call('idp', 'GET', f"/certificates?after={ending['next']}"), 200).json()['certificates'] == []
    assert expect(a.call('clairval', 'GET', '/certificates'), 200).json()['certificates'] != ending['certificates']
    expect(a.call('idp', 'GET', '/certificates?before=soon'), 400, 'certificates.before')
    expect(a.call('idp', 'GET', '/certificates?after=1'), 400, 'certificates.cursor')
    for alt in ('subjectAltName=DNS:web.example', dns + ',DNS:evil.example', dns.replace('www.', 'w3.')):
        expect(a.est('idp', 'simplereenroll', a.csr('web2', served, '-addext', alt), web), 400, 'est.subject')
    pem = a.certificates(expect(a.est('idp', 'simplereenroll', a.csr('web2', served, '-addext', dns), web), 200))[0]
    assert 'DNS:web.example, DNS:www.web.example' in run('openssl', 'x509', '-noout', '-ext', 'subjectAltName', stdin=pem).stdout
    csr = a.csr('own-new', own)
    renewed = a.certificates(expect(a.est('idp', 'simplereenroll', csr), 200))[0]
    assert a.certificates(expect(a.est('idp', 'simplereenroll', csr), 200))[0] == renewed       # the lost reply
    assert a.sql("SELECT count(*) FROM request WHERE kind = 'renew' AND state = 'issued' AND replaces IS NOT NULL") == '2'
    # a holder's, below the label: soft certificates have three years; the third renewal is the last (P-117)
    expect(a.est('idp', 'simplereenroll', a.csr('h-early', held, '-utf8'), label), 409, 'pki.renew.early')
    # the key that it has already is not renewed: the answer would be the certificate that ends
    expect(a.est('idp', 'simplereenroll', a.csr('same-key', own, key='idp2')), 409, 'pki.key.used')
    text = run('openssl', 'x509', '-noout', '-subject', stdin=renewed).stdout
    assert text == run('openssl', 'x509', '-noout', '-subject', '-in', a.path('idp.pem')).stdout, text


# --- registrations -----------------------------------------------------------------------------------------------------------------

def registers(a):
    id = str(uuid.uuid4())
    body = {'profile': 'citizen-soft-named', 'holder': 'n-1', 'town': 'rivemont', 'support': 'software', 'proof': 'face_to_face',
            'proof_ref': 'pv-7', 'proof_at': '2026-01-02T10:00:00Z',
            'names': {'given_name': 'Zoé', 'surname': CANARY, 'serial_number': 'a1'}}
    put = lambda change, who='idp', at=None: a.call(who, 'PUT', f'/registrations/{at or id}', {**body, **change})
    first = expect(put({}), 201).json()
    assert first['state'] == 'open' and first['names'] is True and first['certificates'] == [] and first['renewals'] == 0, first
    assert expect(put({}), 200).json() == first == expect(a.call('idp', 'GET', f'/registrations/{id}'), 200).json()
    # another content under the same id, each member
    for change in ({'holder': 'n-2'}, {'town': 'clairval'}, {'proof': 'signed_file'}, {'proof_ref': 'pv-8'},
                   {'proof_at': '2026-01-02T10:00:01Z'}, {'names': {**body['names'], 'given_name': 'Zoe'}}):
        expect(put(change), 409, 'registration.exists')
    expect(put({}, at=str(uuid.uuid4())), 409, 'registration.exists')             # another id for the same holder
    # what is no body; a value is never told
    for change, code in (({'profil': 'x'}, 'body.unknown'), ({'holder': 'Zoé ' + CANARY}, 'body.value'), ({'support': 'chip'}, 'body.value'),
                         ({'proof_at': None}, 'body.value'), ({'names': [CANARY]}, 'body.json'), ({'names': {'surname': 7}}, 'body.value'),
                         ({'names': {'surname': CANARY, 'nickname': CANARY}}, 'body.unknown'), ({'proof': 'none'}, 'body.value'),
                         ({'names': {'surname': CANARY}}, 'pki.subject.missing'),
                         ({'names': {**body['names'], 'common_name': CANARY}}, 'pki.subject.unwanted'),
                         ({'names': {**body['names'], 'surname': CANARY + '\u0007'}}, 'pki.subject.text')):
        answer = expect(put({'holder': 'n-3', **change}, at=str(uuid.uuid4())), 400, code)
        assert CANARY.encode() not in answer.body, answer.body
    for at in ('1', id.upper(), id + '0', id.replace('-', '')):
        expect(put({}, at=at), 400, 'registration.id')
    # rights: profile and town of the station
    expect(put({'holder': 'n-4', 'profile': 'citizen-soft'}, at=str(uuid.uuid4())), 403, 'pki.station')
    expect(put({'holder': 'n-4', 'profile': 'root-ca'}, at=str(uuid.uuid4())), 403, 'pki.station')
    expect(put({'holder': 'n-4', 'town': 'clairval'}, 'perso', at=str(uuid.uuid4())), 403, 'pki.station')
    expect(put({'holder': 'n-4', 'town': 'rivemont'}, 'perso', at=str(uuid.uuid4())), 201)
    assert int(a.sql("SELECT count(*) FROM audit_event WHERE verb = 'registration.add' AND result = 'pki.station'")) == 3
    expect(put({'holder': 'n-5', 'proof_at': '2099-01-01T10:00:00Z'}, at=str(uuid.uuid4())), 400, 'pki.proof.date')
    # identified anew
    to = lambda change: a.call('idp', 'PUT', f'/registrations/{id}/identification', {'proof': 'face_to_face', 'proof_ref': 'pv-9',
                                                                                  'proof_at': '2026-02-02T10:00:00Z', **change})
    assert expect(to({}), 200).json()['proof_ref'] == 'pv-9'
    expect(to({}), 200)
    expect(to({'proof_at': '2026-01-01T10:00:00Z'}), 409, 'pki.proof.date')
    expect(to({'proof_at': '2099-01-01T10:00:00Z'}), 400, 'pki.proof.date')
    # closed
    assert expect(a.call('idp', 'POST', f'/registrations/{id}/close'), 200).json()['state'] == 'closed'
    assert expect(a.call('idp', 'POST', f'/registrations/{id}/close'), 200).json()['state'] == 'closed'
    expect(a.est('idp', 'simpleenroll', a.csr('closed'), id), 409, 'pki.registration.state')
    expect(to({'proof_at': '2026-03-02T10:00:00Z'}), 404, 'registration.unknown')
    # it makes room for another one, which begins with a proof that no certificate stands on (P-117); the closed one is still that
    again = str(uuid.uuid4())
    expect(put({}, at=again), 201)
    issued(a, 'idp', again, 'room')
    expect(a.call('idp', 'POST', f'/registrations/{again}/close'), 200)
    for at, status, code in (('2026-01-02T10:00:00Z', 409, 'pki.proof.used'), ('2026-03-02T10:00:00Z', 409, 'pki.proof.used')):
        expect(put({'proof_at': at}, at=str(uuid.uuid4())), status, code)
    begun = expect(a.call('idp', 'GET', f'/registrations/{again}'), 200).json()['certificates'][0]['not_before']
    newer = (datetime.datetime.fromisoformat(begun.replace('Z', '+00:00')) + datetime.timedelta(seconds=1)).strftime('%Y-%m-%dT%H:%M:%SZ')
    third, answers = str(uuid.uuid4()), []
    wait(lambda: answers.append(put({'proof_at': newer}, at=third).status) or answers[-1] != 400)        # its moment has come
    assert answers[-1] == 201, answers
    expect(put({'proof_at': newer}, at=third), 200)
    expect(put({'proof_ref': 'pv-8'}, at=again), 409, 'registration.exists')


def accepts(a):
    """GET /certificates, acceptance (P-121)."""
    label = holder(a, 'idp')
    pem = issued(a, 'idp', label, 'acc')
    serial = a.serial(pem)
    row = expect(a.call('idp', 'GET', f'/certificates/{serial}'), 200).json()
    assert row['state'] == 'issued' and row['registration'] == label and 'accepted_at' not in row, row
    assert base64.b64decode(row['certificate']) == base64.b64decode(''.join(pem.split('-----')[2].split()))
    expect(a.call('idp', 'GET', f"/certificates/{serial}?ca={row['ca']}"), 200)
    for path in (f'{serial}?ca=servers-g1', serial[:-1] + ('0' if serial[-1] != '0' else '1'), 'xyz', 'ab' * 40):
        expect(a.call('idp', 'GET', f'/certificates/{path}'), 404, 'certificate.unknown')
    accept = lambda body, n=serial: a.call('idp', 'PUT', f'/certificates/{n}/acceptance', body)
    expect(accept({'who': 'x'}), 400, 'body.unknown')
    one = expect(accept({'proof_ref': 'pv-12'}), 200).json()
    assert one['state'] == 'active' and one['accepted_at'], one
    assert expect(accept({'proof_ref': 'pv-13'}), 200).json() == one          # the first time stays
    assert a.sql("SELECT detail->>'proof_ref' FROM audit_event WHERE verb = 'certificate.accept'") == 'pv-12'
    assert expect(a.call('idp', 'GET', f'/registrations/{label}'), 200).json()['certificates'][0]['state'] == 'active'


# --- revocations, changes ------------------------------------------------------------------------------------------------------------

def revokes(a):
    label = holder(a, 'idp')
    pem = issued(a, 'idp', label, 'rev')
    serial = a.serial(pem)
    ca = expect(a.call('idp', 'GET', f'/certificates/{serial}'), 200).json()['ca']
    ask = lambda who, key, **body: a.call(who, 'POST', '/revocations', {'requester': 'holder', **body}, headers=[f'Idempotency-Key: {key}'])
    one = {'ca': ca, 'serial': serial}
    expect(a.call('idp', 'POST', '/revocations', {'act': 'revoke', 'requester': 'holder', 'reason': 'superseded', **one}), 400, 'idempotency.key')
    for body, code in (({'act': 'revoke', 'reason': 'lost', **one}, 'revocation.reason'), ({'act': 'kill', **one}, 'body.value'),
                       ({'act': 'suspend', 'requester': 'operator', **one}, 'body.value'), ({'act': 'suspend'}, 'body.value'),
                       ({'act': 'suspend', **one, 'holder': 'x'}, 'body.value'), ({'act': 'suspend', 'ca': ca}, 'body.value')):
        expect(ask('idp', key_id(), **body), 400, code)
    # rights: who may not revoke; who may, but not there
    expect(ask('perso', key_id(), act='suspend', **one), 403, 'pki.station')
    expect(ask('clairval', key_id(), act='suspend', **one), 404, 'certificate.unknown')
    expect(ask('clairval', key_id(), act='suspend', holder='h-' + label[:8], town='rivemont'), 403, 'pki.station')
    expect(ask('clairval', key_id(), act='suspend', holder='h-' + label[:8], town='clairval'), 404, 'revocation.none')
    assert a.sql("SELECT count(*) FROM audit_event WHERE verb = 'revocation.ask' AND result = 'revocation.station'") == '1'
    # defer: nothing is published, resumed in time; the same call again is answered alike
    key = key_id()
    got = expect(ask('idp', key, act='suspend', **one), 200).json()
    assert got['results'][0]['outcome'] == 'deferred' and got['results'][0]['due_at'], got
    assert expect(ask('idp', key, act='suspend', **one), 200).json() == got
    expect(ask('idp', key, act='revoke', reason='superseded', **one), 409, 'revocation.key')
    assert expect(ask('idp', key_id(), act='resume', holder='h-' + label[:8], town='rivemont'), 200).json()['results'][0]['outcome'] == 'withdrawn'
    assert expect(a.call('idp', 'GET', f'/certificates/{serial}'), 200).json()['state'] == 'issued'
    key = key_id()
    got = expect(ask('idp', key, act='revoke', reason='key_compromise', **one), 200).json()
    assert got['results'][0]['outcome'] == 'revoked' and got['results'][0]['refused'] is False, got
    got = expect(ask('idp', key_id(), act='resume', **one), 200).json()
    assert got['results'][0]['refused'] is True and got['results'][0]['outcome'] == 'revocation.final', got
    row = expect(a.call('idp', 'GET', f'/certificates/{serial}'), 200).json()
    assert row['state'] == 'revoked' and row['reason'] == 'key_compromise', row
    expect(a.call('idp', 'PUT', f'/certificates/{serial}/acceptance', {}), 409, 'certificate.state')


def changes_of(a, who, after=''):
    out = []
    while True:
        got = expect(a.call(who, 'GET', f'/changes?limit=3&after={after}'), 200).json()
        out += got['changes']
        after = got['next']
        if not got['more']:
            return out, after


def changes(a):
    """All of one's own and those that one may revoke, none of another's, none skipped by a transaction that ends late."""
    serials = lambda list: [c['serial'] for c in list]
    before, after = changes_of(a, 'idp')
    own = a.sql("SELECT string_agg(DISTINCT encode(c.serial, 'hex'), ' ') FROM certificate c JOIN registration r ON r.id = c.registration_id "
                "LEFT JOIN station s ON s.id = r.station_id WHERE s.name = 'idp' OR r.station_id IS NULL AND r.holder = 'idp' OR "
                "c.profile = ANY (SELECT unnest(profiles) FROM station WHERE name = 'idp' AND may_revoke AND towns IS NULL)").split()
    assert set(serials(before)) == set(own), (before, own)
    assert [c['at'] for c in before] == sorted(c['at'] for c in before)
    assert changes_of(a, 'idp', after)[0] == []
    late, early = (a.serial(issued(a, 'idp', holder(a, 'idp'), n)) for n in ('ch1', 'ch2'))
    got, after = changes_of(a, 'idp', after)
    assert serials(got) == [late, early], got
    # one that began before and ends after: the younger one waits for it
    p = subprocess.Popen(['psql', '-qXAt', a.admin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    p.stdin.write(f"BEGIN; UPDATE certificate SET state = 'active', state_since = state_since + interval '1 ms' WHERE serial = '\\x{late}'; SELECT 'written';\n")
    p.stdin.flush()
    assert p.stdout.readline().strip() == 'written'
    expect(a.call('idp', 'PUT', f'/certificates/{early}/acceptance', {}), 200)
    got, after = changes_of(a, 'idp', after)
    assert got == [], got
    p.communicate('COMMIT;\n')
    wait(lambda: len(changes_of(a, 'idp', after)[0]) == 2)
    assert set(serials(changes_of(a, 'idp', after)[0])) == {late, early}
    for bad in ('x', '1.2', '1.2.x', '-1.2.3', "1'.2.3"):
        expect(a.call('idp', 'GET', f'/changes?after={bad}'), 400, 'changes.cursor')
    expect(a.call('idp', 'GET', '/changes?after=1.1.1'), 410, 'changes.gone')
    expect(a.call('idp', 'GET', '/changes?limit=201'), 400, 'changes.limit')


# --- walls -----------------------------------------------------------------------------------------------------------------------------

def walls(a):
    """Over the route table: an object of one station, asked for by another of another town, and by one of the same town and profile
    that did not register it, is not there. The good call passes beside it."""
    label = holder(a, 'idp')
    serial = a.serial(issued(a, 'idp', label, 'wall'))
    ca = 'soft-g1'
    id = {'registration': label, 'id': label, 'serial': serial}
    bodies = {
        'registration.identify': {'proof': 'face_to_face', 'proof_at': '2026-05-01T00:00:00Z'},
        'certificate.accept': {},
        'registration.put': {'profile': 'citizen-soft-named', 'holder': 'thief', 'town': 'clairval', 'support': 'software', 'proof': 'none',
                             'names': {'given_name': 'A', 'surname': 'B', 'serial_number': 'c'}},
        'revocation.post': {'act': 'revoke', 'reason': 'superseded', 'requester': 'holder', 'ca': ca, 'serial': serial},
    }
    bare = {'est.cacerts', 'est.csrattrs', 'est.simpleenroll', 'est.simplereenroll', 'health', 'changes.get', 'certificate.ending'}      # name no object
    # may answer so to a stranger: an id that is taken is a conflict, whoever took it; all of the same profile and town may revoke
    other = {'registration.put': (409, 'registration.exists')}
    seen = set()
    for line in run(a.bin, 'routes').stdout.splitlines():
        _, method, path, name = line.split()[:4]
        if name in bare:
            assert '{' not in path, path
            continue
        at = re.sub(r'\{(\w+)\}', lambda m: id[m.group(1)], path)
        for thief in ('clairval', 'perso'):
            if name == 'registration.put' and thief == 'perso':
                bodies[name]['town'] = 'rivemont'
            if name.startswith('est.simple'):
                answer = a.est(thief, at.rsplit('/', 1)[1], a.csr('thief'), label)
            else:
                answer = a.call(thief, method, at, bodies.get(name), headers=[f'Idempotency-Key: {key_id()}'])
            if name == 'revocation.post' and thief == 'perso':
                expect(answer, 403, 'pki.station')
            else:
                status, code = other.get(name, (404, None))
                expect(answer, status, code)
            assert serial.encode() not in answer.body and label.encode() not in answer.body, answer.body
        seen.add(name)
    assert len(seen) >= 9, seen
    row = expect(a.call('idp', 'GET', f'/certificates/{serial}'), 200).json()
    assert row['state'] == 'issued'
    registration = expect(a.call('idp', 'GET', f'/registrations/{label}'), 200).json()
    assert registration['proof_ref'] == 'pv-1' and len(registration['certificates']) == 1
    for who in ('clairval', 'perso'):
        assert serial not in [c['serial'] for c in changes_of(a, who)[0]]


def refused_at_once(a):
    """A suspended station, a revoked certificate, a certificate of nobody, none at all."""
    expect(a.call('perso', 'GET', '/health'), 200)
    a.suspend_station('perso')
    expect(a.call('perso', 'GET', '/health'), 403, 'station.state')
    expect(a.est('perso', 'simpleenroll', a.csr('suspended')), 403, 'station.state')
    assert int(a.sql("SELECT count(*) FROM audit_event WHERE verb = 'station.call' AND result = 'station.state'")) == 2
    a.resume_station('perso')
    expect(a.call('perso', 'GET', '/health'), 200)
    a.keep('perso2', issued(a, 'perso', '', 'perso2'))
    expect(a.call('perso', 'GET', '/health', cert='perso2'), 200)
    a.sql("UPDATE certificate SET state = 'revoked', reason = 4, revoked_at = state_since WHERE spki_sha256 = "
          "(SELECT spki_sha256 FROM certificate ORDER BY not_before DESC, state_since DESC LIMIT 1)")
    expect(a.call('perso', 'GET', '/health', cert='perso2'), 403, 'station.certificate')
    expect(a.call('perso', 'GET', '/health'), 200)
    # a good client certificate of our own authority that is no station's
    a.certificate('townserver', 'town', 'townserver', '--common-name', 'townserver')
    expect(a.call('townserver', 'GET', '/health'), 403, 'station.unknown')
    try:
        a.call(None, 'GET', '/health')
        raise AssertionError('answered without a certificate')
    except ConnectionError:
        pass


# --- bad days ----------------------------------------------------------------------------------------------------------------------------

def together(calls):
    """At once; their results in order."""
    out = [None] * len(calls)

    def one(i):
        out[i] = calls[i]()
    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(calls))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return out


def two_at_once(a):
    label, der = holder(a, 'idp'), a.csr('twice')
    answers = together([lambda: a.est('idp', 'simpleenroll', der, label)] * 8)
    assert all(x.status == 200 for x in answers), [(x.status, x.body) for x in answers]
    assert len({x.body for x in answers}) == 1
    assert a.sql(f"SELECT count(*) FROM certificate WHERE registration_id = '{label}'") == '1'
    id = str(uuid.uuid4())
    together([lambda: holder(a, 'idp', id=id)] * 4)


def locked_and_away(a):
    known = a.csr('known')
    before = a.certificates(expect(a.est('idp', 'simpleenroll', known), 200))
    a.lock()
    der, label = a.csr('later'), holder(a, 'idp')
    answer = expect(a.est('idp', 'simpleenroll', der, label), 202)
    assert int(answer.headers['retry-after']) > 0
    assert a.certificates(expect(a.est('idp', 'simpleenroll', known), 200)) == before      # what is there needs no signer
    wait(lambda: a.call('idp', 'GET', '/health').json()['signer'] == 'locked')
    # meanwhile the station loses its right: the judge says so, whoever asks then
    lost = a.csr('lost')
    expect(a.est('perso', 'simpleenroll', lost), 202)
    a.suspend_station('perso')
    a.unlock()
    wait(lambda: a.sql("SELECT count(*) FROM request WHERE reason = 'pki.station' AND state = 'refused'") == '1')
    a.resume_station('perso')
    expect(a.est('perso', 'simpleenroll', lost), 403, 'pki.station')
    # the signer took it up by itself; the same request gives the certificate
    wait(lambda: a.sql(f"SELECT count(*) FROM certificate WHERE registration_id = '{label}' AND state = 'issued'") == '1')
    expect(a.est('idp', 'simpleenroll', der, label), 200)
    # away altogether
    a.stop('signer')
    der = a.csr('away')
    assert int(expect(a.est('idp', 'simpleenroll', der), 202).headers['retry-after']) > 0
    assert a.certificates(expect(a.est('idp', 'simpleenroll', known), 200)) == before
    wait(lambda: a.call('idp', 'GET', '/health').json()['signer'] == 'away')
    a.start('signer')
    expect(a.est('idp', 'simpleenroll', der), 202)                                          # locked after its start
    a.unlock()
    expect(a.est('idp', 'simpleenroll', der), 200)
    assert a.sql("SELECT state FROM node WHERE process = 'front'").startswith('signer ')


def jammed(a):
    """The signer does not answer and every thread that issues waits for it: revocations and reading pass all the same."""
    label = holder(a, 'idp')
    serial = a.serial(issued(a, 'idp', label, 'jam'))
    ders, answers = [a.csr(f'jam{i}') for i in range(24)], []
    signer = a.processes['signer']
    signer.send_signal(signal.SIGSTOP)
    try:
        t = threading.Thread(target=lambda: answers.extend(together([lambda d=d: a.est('idp', 'simpleenroll', d) for d in ders])))
        t.start()
        wait(lambda: a.sql("SELECT count(*) >= 4 FROM request WHERE state = 'received'") == 't')      # front.issue_threads
        got = expect(a.call('idp', 'POST', '/revocations', {'act': 'revoke', 'reason': 'key_compromise', 'requester': 'holder', 'ca': 'soft-g1',
                                                            'serial': serial}, headers=[f'Idempotency-Key: {key_id()}']), 200).json()
        assert got['results'][0]['outcome'] == 'revoked', got
        assert expect(a.call('idp', 'GET', f'/certificates/{serial}'), 200).json()['state'] == 'revoked'
        assert answers == []
    finally:
        signer.send_signal(signal.SIGCONT)
    t.join()
    assert {x.status for x in answers} <= {200, 202}, [x.status for x in answers]
    for der in ders:
        wait(lambda: a.est('idp', 'simpleenroll', der).status == 200)
    assert a.sql("SELECT count(*) FROM request WHERE state = 'received'") == '0'


def killed(a):
    """kill -9 of the front while the signer is at the request: the certificate is there once, and the same call gives it."""
    der, label = a.csr('killed'), holder(a, 'idp')
    p = subprocess.Popen(['psql', '-qXAt', a.admin], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    p.stdin.write("BEGIN; LOCK TABLE subject_name IN SHARE ROW EXCLUSIVE MODE; SELECT 'held';\n")
    p.stdin.flush()
    assert p.stdout.readline().strip() == 'held'
    result = []

    def ask():
        try:
            result.append(a.est('idp', 'simpleenroll', der, label))
        except ConnectionError as e:
            result.append(e)
    t = threading.Thread(target=ask)
    t.start()
    wait(lambda: a.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'pki_signer' AND wait_event_type = 'Lock' "
                       f"AND datname = '{a.db}'") != '0')
    a.stop('front', signal.SIGKILL)
    t.join()
    assert isinstance(result[0], ConnectionError), result
    p.communicate('COMMIT;\n')
    a.start('front')
    answer = a.est('idp', 'simpleenroll', der, label)
    wait(lambda: a.est('idp', 'simpleenroll', der, label).status == 200)
    assert answer.status in (200, 202)
    assert a.sql(f"SELECT count(*) FROM certificate WHERE registration_id = '{label}'") == '1'


def floods(a):
    """One station that floods waits; another does not, and its revocations do not either. Refusals in the trail are bound."""
    a.stop('front')
    with open(a.path('front.conf'), 'a') as f:
        f.write('front.rate.issue = 20\nfront.rate.revoke = 30\n')
    a.start('front')
    answers = [a.call('perso', 'PUT', '/registrations/x', {}) for _ in range(25)]
    assert [x.status for x in answers[:20]] == [400] * 20 and all(x.status == 429 and x.code == 'station.rate' for x in answers[20:])
    assert int(answers[-1].headers['retry-after']) > 0
    expect(a.call('idp', 'PUT', '/registrations/x', {}), 400)
    ask = lambda: a.call('perso', 'POST', '/revocations', {'act': 'suspend', 'requester': 'holder', 'holder': 'x', 'town': 'rivemont'},
                         headers=[f'Idempotency-Key: {key_id()}'])
    answers = [ask() for _ in range(32)]
    assert all(x.status == 403 for x in answers[:30]) and answers[31].status == 429, [x.status for x in answers]
    assert 1 <= int(answers[31].headers['retry-after']) <= 10           # a block never waits long
    a.stop('front')
    with open(a.path('front.conf')) as f:
        text = f.read()
    a.write('front.conf', text.replace('front.rate.issue = 20\nfront.rate.revoke = 30\n', 'front.rate.revoke = 0\n'))
    a.start('front')
    count = lambda: int(a.sql("SELECT count(*) FROM audit_event WHERE actor = 'station:perso' AND verb = 'revocation.ask'"))
    before = count()
    together([lambda: [ask() for _ in range(20)]] * 4)
    assert 40 <= count() - before <= 55, (before, count())


def notices(a):
    """Alarms to two persons, once for each raise, whatever the MTA says first; certificates of machines that end."""
    a.stop('front')
    with open(a.path('front.conf')) as f:
        good = f.read()
    for line, what in (('alarm.mail = one@rivemont.example', 'alarm.mail'), ('expiry.last = 30d', 'expiry.last'),
                       ('mail.smtp.url =\nalarm.mail = a@x.example, b@x.example', 'mail.smtp.url')):
        text = re.sub(r'mail\.smtp\.url = .*', '', good) if line.startswith('mail.') else good
        a.write('bad.conf', text + line + '\n')
        p = subprocess.run([a.bin, '--check-config', a.path('bad.conf')], capture_output=True, text=True)
        assert p.returncode == 1 and what in p.stderr, p.stderr
    a.write('front.conf', good + 'alarm.mail = alice@rivemont.example, bruno@rivemont.example\nexpiry.mail = exploitation@rivemont.example\n')
    a.start('front')
    a.sink.refuse = '451 later'
    jobs = lambda kind, more='': int(a.sql(f"SELECT count(*) FROM job WHERE kind = '{kind}' {more}"))
    # beside the signer's own, which the moved clock makes
    put = lambda level, ended: a.sql("INSERT INTO alarm (kind, object, level, text, raised_at, ended_at) VALUES ('drill', 'soft-g1', "
                                     f"'{level}', 'The key is locked.', (SELECT max(at) FROM audit_event), {ended}) RETURNING id")
    told = lambda id, more: jobs('mail.alarm', f"AND key LIKE '{id}:%' AND {more}")
    first = put('warning', 'NULL')
    wait(lambda: told(first, 'tries > 0') == 2)
    a.sink.refuse = None
    a.clock('60s')                                                      # the queue tries again
    wait(lambda: told(first, "state = 'done'") == 2)
    drills = lambda: [(to, m) for to, m in a.sink.messages if ' drill soft-g1 ' in m['Subject']]
    assert sorted(to[0] for to, _ in drills()) == ['alice@rivemont.example', 'bruno@rivemont.example']
    for _, m in drills():
        assert m['Subject'] == 'Avertissement : drill soft-g1 / Warning', m['Subject']
        assert 'The key is locked.' in m.get_content() and 'Auto-Submitted' in m
    # the other level is another raise; one that ended is told too, and nothing twice
    second = put('red', '(SELECT max(at) FROM audit_event)')
    wait(lambda: told(second, "state = 'done'") == 2)
    assert [m['Subject'] for _, m in drills()].count('ALERTE ROUGE : drill soft-g1 / RED ALARM') == 2 and len(drills()) == 4
    a.stop('front')
    a.start('front')
    assert jobs('mail.expiry') == 0
    ends = int(a.sql("SELECT count(*) FROM (SELECT DISTINCT ON (registration_id) profile, not_after FROM certificate WHERE state IN "
                     "('issued', 'active') ORDER BY registration_id, not_after DESC) c WHERE profile IN ('station', 'server', 'town') AND "
                     "not_after < (SELECT max(at) FROM audit_event) + interval '60 days'"))
    assert ends >= 4, ends
    for n, by in ((1, '30d'), (2, '20d')):                                # 25 days before, 5 days before
        a.clock(by)
        a.stop('front')
        a.start('front')                                               # it looks at its start, then each ten minutes
        wait(lambda: jobs('mail.expiry', "AND state = 'done'") == n * ends)
    m = a.sink.wait('exploitation@rivemont.example')
    assert 'se termine le' in m['Subject'] and 'simplereenroll' in m.get_content(), m['Subject']
    mails = [m.get_content() for to, m in a.sink.messages if 'exploitation@rivemont.example' in to]
    assert len(mails) == 2 * ends and sum('titulaire   perso' in x for x in mails) == 2, len(mails)


def nowhere(a):
    """Names never reach a log, an error or the database's files; where they shall be, in certificates, they are."""
    assert a.sql("SELECT count(*) FROM certificate") != '0'
    run('psql', '-qX', a.admin, '-c', 'CHECKPOINT')
    for name in ('signer', 'front'):
        assert CANARY not in a.log(name), name
    with open(os.environ['BEFFROI_TEST_PG_LOG'], errors='replace') as f:
        assert CANARY not in f.read()
    # certificates with the names are there, in DER; the registration's columns and everything else are not
    dump = run('pg_dump', a.admin, '--exclude-table-data=pki.certificate_der').stdout
    assert CANARY not in dump and CANARY.encode().hex() not in dump
    assert CANARY.encode().hex() in run('pg_dump', a.admin, '--table=pki.certificate_der').stdout


def closed_names(a):
    """A registration of which no certificate was made: its names are nowhere in clear, not in WAL or files either."""
    name = 'CANARI-OISEAU-99'
    id = str(uuid.uuid4())
    body = {'profile': 'citizen-soft-named', 'holder': 'bird', 'town': 'rivemont', 'support': 'software', 'proof': 'face_to_face',
            'proof_at': '2026-01-02T10:00:00Z', 'names': {'given_name': 'Z', 'surname': name, 'serial_number': 'b1'}}
    expect(a.call('idp', 'PUT', f'/registrations/{id}', body), 201)
    expect(a.call('idp', 'PUT', f'/registrations/{id}', {**body, 'names': {**body['names'], 'given_name': 'Y'}}), 409)
    run('psql', '-qX', a.admin, '-c', 'CHECKPOINT')
    found = subprocess.run(['grep', '-rlaF', name, os.environ['BEFFROI_TEST_PG_DATA'], a.dir], capture_output=True, text=True).stdout
    assert found == '', found


def reached(a):
    """Who may revoke reads what it reaches with that, whoever asked for it, and does nothing else with it (K2)."""
    label = holder(a, 'perso')
    pem = issued(a, 'perso', label, 'reached')
    path = f'/certificates/{a.serial(pem)}'
    own = expect(a.call('perso', 'GET', path), 200).json()
    assert expect(a.call('idp', 'GET', path), 200).json() == own
    expect(a.call('clairval', 'GET', path), 404, 'certificate.unknown')                     # another town's
    expect(a.call('idp', 'PUT', path + '/acceptance', {'proof_ref': 'pv-1'}), 404, 'certificate.unknown')
    expect(a.call('idp', 'GET', f'/registrations/{label}'), 404)
    expect(a.est('idp', 'simplereenroll', a.csr('reached-3'), label), 404)
    theirs = issued(a, 'idp', holder(a, 'idp'), 'reached-2')
    expect(a.call('idp', 'GET', f'/certificates/{a.serial(theirs)}'), 200)
    expect(a.call('perso', 'GET', f'/certificates/{a.serial(theirs)}'), 404, 'certificate.unknown')    # may not revoke
    seen = {who: set() for who in ('idp', 'perso', 'clairval')}
    for who in seen:
        after, more = '', True
        while more:
            page = expect(a.call(who, 'GET', '/changes' + (f'?after={after}' if after else '')), 200).json()
            seen[who] |= {c['serial'] for c in page['changes']}
            after, more = page['next'], page['more']
    assert a.serial(pem) in seen['idp'] and a.serial(pem) in seen['perso'] and a.serial(pem) not in seen['clairval']
    assert a.serial(theirs) in seen['idp'] and a.serial(theirs) not in seen['perso']


def main():
    with Authority(front='front.issue_threads = 4') as a:
        a.station('idp', profiles=('citizen-soft-named', 'station', 'server'), may_revoke=True)
        a.station('perso', profiles=('citizen-soft-named',), towns=('rivemont',))
        a.station('clairval', profiles=('citizen-soft-named',), towns=('clairval',), may_revoke=True)
        for act in (enrols, tells, forms, keys, registers, accepts, revokes, changes, walls, refused_at_once, two_at_once,
                    locked_and_away, jammed, killed, closed_names, nowhere, reached, renews, floods, notices):
            began = time.monotonic()
            act(a)
            print(f'{act.__name__}: {time.monotonic() - began:.1f} s', flush=True)
    print('front: all well')


if __name__ == '__main__':
    main()
