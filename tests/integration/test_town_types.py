#!/usr/bin/python3
"""The two other accounts at the counter: software certificate (P-046…P-049) and card (P-001…P-017, P-030…P-032,
P-062…P-066): their forms, what leaves and what is kept, hand-over, block and the way back."""
import os, re, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from cards import SETTINGS, CardSystem
from town import Town

# All three procedures.
COUNTER = ('account.certificate = yes', 'account.card = yes', 'certificate.named = yes', 'hours.fr = du lundi au vendredi',
           'hours.en = Monday to Friday')
CANARIES = ('CANARI-7731', 'Zébulon', 'ZÉBULON', 'ZEBULON', 'Impasse-Canari', '4 impasse')
ADDRESS = {'line2': '', 'line4': '4 Impasse-Canari', 'line6': '54999 RIVEMONT'}


def eventually(what, check, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.1)
    raise AssertionError(what)


def words(page):
    return ' '.join(re.sub(r'<[^>]+>', ' ', page.text).replace('&#39;', "'").split())


def escrow(t, dossier):
    return t.sql(f"SELECT coalesce(string_agg(kind, ',' ORDER BY kind), '') FROM secret_escrow WHERE dossier_id = '{dossier}'")


def handle_of(t, dossier):
    return t.sql(f"SELECT handle FROM dossier WHERE id = '{dossier}'")


def state(t, dossier):
    return t.sql(f"SELECT state FROM dossier WHERE id = '{dossier}'")


def test_procedures(t, clerk):
    """P-001: three buttons; a procedure that is off has no button, no page and no help."""
    for path in ('/', '/new'):
        page = clerk.open(path)
        for name in ('card', 'password', 'certificate'):
            assert f'id="new-{name}"' in page.text, (path, name)
    web = t.path('web.conf')
    with open(web) as f:
        before = f.read()
    with open(web, 'w') as f:
        f.write(before.replace('account.card = yes', 'account.card = no'))
    t.stop('web')
    t.spawn('web', 'serve')
    t.wait()
    for path in ('/', '/new'):
        page = clerk.open(path)
        assert 'new-card' not in page.text and 'new-certificate' in page.text
        assert 'Carte à puce' not in page.text and 'commandée puis remise' not in page.text, 'the help text stayed'
    for path in ('/new/card', '/new/card/preview', '/new/nothing'):
        reply = clerk.get(path)
        assert reply.status == 404 and "n'existe pas" in words(reply), path
    assert clerk.send(clerk.open('/new/certificate'), 'preview', t.FORM, path='/new/card').status == 404
    assert clerk.get('/new/certificate').status == 200
    with open(web, 'w') as f:
        f.write(before)
    t.stop('web')
    t.spawn('web', 'serve')
    t.wait()


def test_certificate_form(t, clerk):
    """P-046, P-047: no address; a pseudonym, or the name, and the clerk is told."""
    page = clerk.open('/new/certificate')
    assert 'name="line1"' not in page.text and 'adresse' not in words(page).lower().replace('adresse de courriel', '')
    assert not re.search(r'name="(authz\[\]|named)"[^>]*checked', page.text), 'something is ticked by default'
    half = clerk.send(page, 'preview', {**t.FORM, 'given_names': '', 'no_given_names': '1', 'named': '1'})
    assert half.status == 422 and 'Sans prénom, un certificat ne porte pas de nom' in half.text, half.text[:400]
    long = clerk.send(page, 'preview', {**t.FORM, 'birth_name': 'x' * 65, 'named': '1'})
    assert long.status == 422 and '64 signes' in words(long), words(long)[:800]
    page = clerk.send(clerk.open('/new/certificate'), 'preview', {**t.FORM, 'birth_name': 'Etiquette'})
    assert 'Un numéro, pas de nom' in words(page), words(page)[:800]
    page = clerk.send(clerk.open('/new/certificate'), 'preview', {**t.FORM, 'birth_name': 'Etiquette', 'named': '1'})
    assert 'il part au serveur des comptes' in words(page), words(page)[:800]
    # the kind of account stays with the draft: from another kind's address to its own form
    draft = re.search(r'name="draft" value="([^"]+)"', page.text).group(1)
    page = clerk.open(f'/new/password?draft={draft}')
    assert 'Compte avec certificat' in page.text, words(page)[:400]
    assert re.search(r'name="named"[^>]*checked', page.text), 'the draft forgot what was ticked'


def test_certificate(s, t, clerk, named):
    """P-048, P-049: paper, codes, number; with a pseudonym nothing of the name leaves."""
    fields = {'named': '1'} if named else {}
    dossier, codes, page = t.create(clerk, procedure='certificate', **fields)
    letter = page.text[page.text.index('<article'):]
    assert 'Prenez le certificat' in letter and 'mot de passe' not in letter, letter
    handle = handle_of(t, dossier)
    assert t.sql(f"SELECT type, state, named FROM dossier WHERE id = '{dossier}'") == f"x509_soft|pending|{'t' if named else 'f'}"
    assert s.sql(f"SELECT type, state, acked FROM account WHERE handle = '{handle}'") == 'x509_soft|pending|t'
    number = t.sql(f"SELECT number FROM dossier WHERE id = '{dossier}'")
    assert re.fullmatch('[2-9A-HJKMNP-Z]{15}', number), number
    assert escrow(t, dossier) == 'revocation'
    profile = s.sql('SELECT x.profile, x.names_sealed IS NULL FROM account_x509 x JOIN account a ON a.id = x.account_id '
                    f"WHERE a.handle = '{handle}'")
    assert profile == ('named|f' if named else 'pseudonym|t'), profile
    page = clerk.open(f'/dossier/{dossier}')
    assert 'certificat' in words(page) and number[:5] in page.text, words(page)
    # found by the number, as it is printed
    shown = f'{number[:5]}-{number[5:10]}-{number[10:]}'
    assert f'/dossier/{dossier}' in clerk.open(f'/search?q={shown.lower()}').text
    # blocked and given new codes: as with a password, and the name goes again where it must
    page = clerk.send(clerk.open(f'/dossier/{dossier}/block'), 'block', {**t.IDENTITY, 'reason': 'lost'})
    assert 'est bloqué' in words(page), words(page)[:800]
    page = clerk.send(clerk.open(f'/dossier/{dossier}/reissue'), 'reissue', t.IDENTITY)
    fresh = t.show(clerk, page)[1]
    assert fresh['creation'] != codes['creation'] and fresh['revocation'] != codes['revocation']
    # what belongs to cards says what to do instead
    for what, said in (('reactivate', 'Donnez une feuille neuve'), ('handover', 'avec sa feuille')):
        reply = clerk.get(f'/dossier/{dossier}/{what}')
        assert reply.status == 409 and said in words(reply), (what, words(reply))


def test_card_form(t, clerk):
    """P-005, P-006: the address of six lines of 38, the face of the card, the window of the envelope."""
    page = clerk.open('/new/card')
    for change, said in (({'line4': 'x' * 39}, 'Ligne 4 : plus de 38 signes'), ({'line6': ''}, 'Ligne 6 : tapez'),
                         ({'line2': 'a\u202eb'}, 'un signe que nous ne pouvons pas garder'),
                         ({'birth_name': 'x' * 39}, 'Ligne 1 : plus de 38 signes'), ({'birth_name': 'x' * 121}, '120')):
        page = clerk.send(clerk.open('/new/card'), 'preview', {**t.FORM, **ADDRESS, **change})
        assert page.status == 422 and said in words(page).replace('\u00a0', ' '), (change, words(page)[:900])
    good = {**t.FORM, **ADDRESS, 'birth_name': "d'Ô-Nguyễn", 'line4': 'x' * 38}
    page = clerk.send(clerk.open('/new/card'), 'preview', good)
    shown = words(page)
    assert "D'Ô-NGUYEN ZÉBULON" in shown and "D'O-NGUYEN ZEBULON" in shown, shown
    window = re.search(r'class="envelope">(.*?)</div>', page.text, re.S).group(1)
    assert re.findall(r'<span>(.*?)</span>', window)[1:] == ['x' * 38, '54999 RIVEMONT'], window
    page = clerk.send(clerk.open('/new/card'), 'preview', {**good, 'birth_name': '北京'})
    assert "ne s'écrivent pas sur une carte" in words(page)
    # a name of 120 letters, an envelope line of its own; no given name
    page = clerk.send(clerk.open('/new/card'), 'preview', {**good, 'birth_name': 'é' * 120, 'given_names': '', 'no_given_names': '1',
                                                           'line1': 'M. E'})
    assert 'É' * 120 in words(page), words(page)[:900]


def make_card(t, clerk, **fields):
    page = t.ask(clerk, procedure='card', **{**ADDRESS, **fields})
    dossier = t.dossier_of(page)
    end = time.monotonic() + 60
    while 'en attente' in page.text and time.monotonic() < end:
        time.sleep(0.3)
        page = clerk.open(f'/dossier/{dossier}/receipt')
    return dossier, page


def test_card(s, t, clerk):
    """P-009…P-017, K9: three codes kept sealed and shown to nobody, success after the acknowledgement, a receipt."""
    dossier, page = make_card(t, clerk)
    assert page.status == 200 and 'Tout va bien' in words(page) and 'class="letter' in page.text, words(page)[:900]
    handle = handle_of(t, dossier)
    number = t.sql(f"SELECT number FROM dossier WHERE id = '{dossier}'")
    assert s.sql(f"SELECT type, state, acked FROM account WHERE handle = '{handle}'") == 'x509_card|pending|t'
    assert escrow(t, dossier) == 'reactivation_otp,reactivation_pin,revocation'
    assert t.sql(f"SELECT count(*) FROM sheet WHERE dossier_id = '{dossier}'") == '0'
    assert t.sql(f"SELECT payload = '' FROM outbox WHERE dossier_id = '{dossier}'") == 't', 'name and address stay in the request'
    letter = words(page)
    for said in (number[:5], 'vers le', '03 83 00 00 00', 'du lundi au vendredi', 'Zébulon'):
        assert said in letter, said
    record = s.record(handle)
    assert record['surname'] == t.FORM['birth_name'] and record['given_name'] == 'Zébulon'
    assert record['address'][1:] == ['4 Impasse-Canari', '54999 RIVEMONT'], record
    assert record['number'] == number
    # nobody is ever shown a code
    for path in ('', '/receipt', '/handover', '/block', '/print'):
        text = clerk.open(f'/dossier/{dossier}{path}').text.replace('-', '')
        for code in (record['revocation'], record['reactivation_pin']):
            assert code not in text, path
    reply = clerk.open(f'/dossier/{dossier}/reissue')
    assert reply.status == 409 and 'Pas de feuille neuve' in words(reply), words(reply)
    # without the key file, the database tells nothing; and the outbox process cannot read an address
    assert not t.sql(f"SELECT octet_length(lines) FROM address WHERE position('Canari'::bytea in lines) > 0")
    assert t.sql("SELECT has_column_privilege('mairie_outbox', 'mairie.address', 'lines', 'SELECT')") == 'f'
    english, page = make_card(t, clerk, birth_name='English', lang='en', large='1')
    assert 'Monday to Friday' in words(page) and 'class="letter large" lang="en"' in page.text
    return dossier


def test_card_outage(s, t, clerk):
    """P-016: the IdP away between commit and reply: "waiting", then success, one account."""
    for node in ('idp1', 'idp2'):
        s.stop(node)
    before = int(s.sql('SELECT count(*) FROM account'))
    page = t.ask(clerk, procedure='card', birth_name='Coupure', **ADDRESS)
    dossier = t.dossier_of(page)
    assert 'en attente' in page.text and 'Tout va bien' not in page.text and page.headers.get('Refresh'), words(page)[:600]
    for node in (1, 2):
        s.spawn(f'idp{node}', 'serve')
    s.wait_port(s.door_port, 'idp1')
    eventually('the request is stuck', lambda: t.sql(f"SELECT state FROM outbox WHERE dossier_id = '{dossier}'") == 'done', 90)
    assert 'Tout va bien' in words(clerk.open(f'/dossier/{dossier}/receipt'))
    assert int(s.sql('SELECT count(*) FROM account')) == before + 1


def test_sensitive_card(s, t, clerk, second):
    """P-008: a card with a sensitive right waits for the second agent; name and address go when they have agreed."""
    page = t.ask(clerk, procedure='card', birth_name='Quatre-Yeux', **ADDRESS,
                 **{'authz[]': ['peut_voter'], 'until_peut_voter': '2099-01-01'})
    dossier = t.dossier_of(page)
    assert 'attend un second agent' in page.text and state(t, dossier) == 'to_validate'
    assert t.sql(f"SELECT count(*) FROM outbox WHERE dossier_id = '{dossier}'") == '0'
    assert clerk.get(f'/dossier/{dossier}/approve').status == 403
    second.send(second.open(f'/dossier/{dossier}/approve'), 'approve')
    eventually('the request did not go', lambda: state(t, dossier) == 'pending' and escrow(t, dossier).count(',') == 2)
    assert s.record(handle_of(t, dossier))['surname'] == 'Quatre-Yeux'


def test_address_ends(s, t, clerk):
    """DOMAIN 4.1: the address goes 30 days after the account has ended, not before."""
    dossier, _ = make_card(t, clerk, birth_name='Fin')
    person = f"(SELECT person_id FROM dossier WHERE id = '{dossier}')"
    assert t.sql(f'SELECT until IS NULL FROM address WHERE person_id = {person}') == 't'
    t.sql(f"UPDATE dossier SET state = 'closed', state_since = '2026-01-01Z' WHERE id = '{dossier}'")
    assert t.sql(f"SELECT until = '2026-01-31Z' FROM address WHERE person_id = {person}") == 't'
    t.sql(f"UPDATE dossier SET state = 'suspended', state_since = '2026-01-02Z' WHERE id = '{dossier}'")
    assert t.sql(f'SELECT until IS NULL FROM address WHERE person_id = {person}') == 't'
    t.sql(f"UPDATE dossier SET state = 'closed', state_since = '2026-01-01Z' WHERE id = '{dossier}'")
    t.stop('outbox')
    t.spawn('outbox', 'outbox')
    eventually('the address stays', lambda: t.sql(f'SELECT count(*) FROM address WHERE person_id = {person}') == '0')


def test_privacy(s, t):
    """1.1: names and addresses sealed at rest, in no log; kept codes unreadable without the key file."""
    dump = s.dump(s.db) + s.dump(t.db)
    logs = ''.join(s.log(n) for n in ('idp1', 'idp2', 'worker')) + t.log('web') + t.log('outbox')
    for canary in CANARIES:
        assert canary not in dump, f'{canary} in a database'
        assert canary not in logs, f'{canary} in a log'
    assert int(t.sql('SELECT count(*) FROM address')) > 0 and int(t.sql('SELECT count(*) FROM secret_escrow')) > 3
    for code in s.seen_codes:
        assert code not in dump and code not in logs, 'a code in clear'


def main():
    import subprocess

    class System(CardSystem):
        seen_codes = []

        def dump(self, db):
            return subprocess.run(['pg_dump', '-h', os.environ['PGHOST'], '-p', os.environ.get('PGPORT', '5432'), '-U',
                                   os.environ['PGUSER'], db], capture_output=True, text=True, check=True).stdout

        def record(self, handle):
            r = super().record(handle)
            self.seen_codes += [r['revocation'], r['reactivation_pin']]
            return r
    with System(extra=SETTINGS) as s, Town(s, settings=COUNTER) as t:
        t.add_agent('lea', 'guichet')
        t.add_agent('noe', 'validation')
        t.command('authorisation', 'add', 'peut_voter', '--label-fr', 'Peut voter', '--label-en', 'May vote', '--sensitive')
        lea, noe = t.clerk('lea'), t.clerk('noe')
        test_procedures(t, lea)
        test_certificate_form(t, lea)
        test_certificate(s, t, lea, named=False)
        test_certificate(s, t, lea, named=True)
        test_card_form(t, lea)
        test_card(s, t, lea)
        test_card_outage(s, t, lea)
        test_sensitive_card(s, t, lea, noe)
        test_address_ends(s, t, lea)
        test_privacy(s, t)
    print('town types: all well')


if __name__ == '__main__':
    main()
