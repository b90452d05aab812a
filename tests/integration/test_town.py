#!/usr/bin/python3
"""The clerk's walk at the counter, and what must hold around it: P-003…P-008, P-035…P-039, P-059…P-061, D-04, D-11."""
import contextlib, http.client, os, re, signal, sys, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from beffroi import System
from town import Town

CANARIES = ('CANARI-7731', 'Zébulon', 'Nguyễn', 'NGUYEN')


def eventually(what, check, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.1)
    raise AssertionError(what)


def test_sign_in(t):
    wrong = t.clerk('lea', password='pas celui-là du tout')
    assert wrong.page.status == 422 and 'ne va pas' in wrong.page.text
    nobody = t.clerk('personne', code='123456')
    assert nobody.page.status == 422 and 'ne va pas' in nobody.page.text
    code = t.code('lea')
    good = t.clerk('lea', code=code)
    assert good.page.status == 200 and "Aujourd" in good.page.text
    replayed = t.clerk('lea', code=code)
    assert replayed.page.status == 422 and 'déjà servi' in replayed.page.text, 'a one-time code worked twice'
    # P-002: nothing without a session
    from town import Clerk
    stranger = Clerk(t, t.port)
    for path in ('/', '/new/password', '/search?q=a', '/audit', '/dossier/00000000-0000-4000-8000-000000000000'):
        reply = stranger.get(path)
        assert reply.status == 303 and '/login' in reply.headers['Location'], path
    page = good.send(good.open('/'), 'logout', path='/logout')
    assert 'Vous avez quitté' in page.text
    assert good.get('/').status == 303


def test_form(t, clerk):
    for change, words in (({'doc_type': ''}, 'pièce'), ({'doc_expiry': '2001-01-01'}, 'plus valable'),
                          ({'doc_expiry': '2099-02-31'}, 'existe pas'), ({'birth_name': ' '}, 'nom de naissance'),
                          ({'birth_name': 'x' * 121}, '120'), ({'given_names': ''}, 'Sans prénom'),
                          ({'authz[]': ['peut_tout']}, 'droit'), ({'authz[]': ['peut_voter']}, 'date de fin')):
        page = clerk.open('/new/password')
        assert not re.search(r'name="authz\[\]"[^>]*checked', page.text), 'something is ticked by default'
        assert 'adresse' not in re.sub(r'<[^>]+>', '', page.text.lower()).replace('adresse de courriel', '')
        page = clerk.send(page, 'preview', {**t.FORM, **change})
        assert page.status == 422 and words in page.text, (change, page.status, page.text[:800])
    draft = clerk.send(clerk.open('/new/password'), 'draft', {**t.FORM, 'birth_name': 'Brouillon', 'doc_type': ''})
    assert 'value="Brouillon"' in draft.text and 'Brouillon' in clerk.open('/').text


def test_walk(s, t, clerk):
    dossier, codes, page = t.create(clerk, **{'authz[]': ['peut_emprunter']})
    assert page.headers['Cache-Control'] == 'no-store' and '<svg' in page.text and 'comme' in page.text
    # one view only, and nothing of the creation code is left
    again = clerk.open(f'/dossier/{dossier}/print')
    assert 'déjà affichée' in again.text and 'value="reissue"' in again.text
    again = clerk.send(again, 'print', path=f'/dossier/{dossier}/print')
    assert 'class="letter' not in again.text and codes['creation'] not in again.text.replace('-', '')
    assert t.sql(f"SELECT sealed IS NULL FROM sheet WHERE dossier_id = '{dossier}'") == 't'
    assert t.sql(f"SELECT count(*) FROM secret_escrow WHERE dossier_id = '{dossier}'") == '1'
    assert t.sql("SELECT count(*) FROM outbox WHERE state <> 'done'") == '0'
    handle = t.sql(f"SELECT handle FROM dossier WHERE id = '{dossier}'")
    assert s.sql(f"SELECT state, acked FROM account WHERE handle = '{handle}'") == 'pending|t'
    assert s.sql(f"SELECT count(*) FROM idempotency WHERE sealed IS NOT NULL") == '0'
    # the citizen opens the account with what is on paper; the counter hears of it
    s.activate(codes, 'zebulon@courriel.example', 'zebulon', 'corail tambour 47 lune')
    eventually('the counter does not hear of the activation',
               lambda: t.sql(f"SELECT state FROM dossier WHERE id = '{dossier}'") == 'active')
    # found by name, without accents and case, and by handle
    for q in ('canari', 'zebulon nguyen', "d'o", handle):
        assert f'/dossier/{dossier}' in clerk.open('/search?q=' + q.replace(' ', '+')).text, q
    assert f'/dossier/{dossier}' not in clerk.open('/search?q=canariz').text
    # blocked with the kept code, which is on no page
    page = clerk.open(f'/dossier/{dossier}/block')
    assert codes['revocation'] not in page.text.replace('-', '')
    assert clerk.send(page, 'block', {'reason': 'lost'}).status == 422
    page = clerk.send(clerk.open(f'/dossier/{dossier}/block'), 'block', {**t.IDENTITY, 'reason': 'lost'})
    assert page.status == 200 and 'est bloqué' in page.text, page.text[:1500]
    assert codes['revocation'] not in page.text.replace('-', '')
    assert s.sql(f"SELECT state FROM account WHERE handle = '{handle}'") == 'suspended'
    assert t.sql(f"SELECT count(*) FROM secret_escrow WHERE dossier_id = '{dossier}'") == '0'
    assert t.sql("SELECT count(*) FROM identity_check WHERE act = 'block'") == '1'
    # new codes after it; the old creation code stays dead
    page = clerk.send(clerk.open(f'/dossier/{dossier}/reissue'), 'reissue', t.IDENTITY)
    assert 'value="print"' in page.text, page.text[:1500]
    page = clerk.send(page, 'print', path=f'/dossier/{dossier}/print')
    fresh = t.codes(page)
    assert fresh['creation'] != codes['creation'] and fresh['revocation'] != codes['revocation']
    assert s.sql(f"SELECT state FROM account WHERE handle = '{handle}'") == 'pending'
    return dossier


def test_second_click(t, clerk):
    """The same button twice, the Back button: the dossier that was made, not an error; the next person is another one."""
    page = clerk.send(clerk.open('/new/password'), 'preview', {**t.FORM, 'birth_name': 'Doubleclic'})
    draft = re.search(r'name="draft" value="([^"]+)"', page.text).group(1)
    first = clerk.send(page, 'confirm', path='/new/password/preview')
    again = clerk.send(page, 'confirm', path='/new/password/preview')
    assert 'value="print"' in first.text and 'value="print"' in again.text, again.text[:800]
    assert t.dossier_of(first) == t.dossier_of(again) == draft
    back = clerk.open(f'/new/password/preview?draft={draft}')
    assert t.dossier_of(back) == draft
    other = clerk.send(page, 'preview', {**t.FORM, 'birth_name': 'Suivante', 'draft': draft}, path='/new/password')
    assert 'value="confirm"' in other.text, other.text[:800]
    assert t.dossier_of(clerk.send(other, 'confirm', path='/new/password/preview')) != draft
    assert t.sql(f"SELECT count(*) FROM dossier WHERE id = '{draft}'") == '1'


def test_homonym_and_large_print(t, clerk):
    page = t.ask(clerk, other=False, usual_name='Durand')
    assert 'existe déjà' in page.text, page.text[:1000]
    before = int(t.sql('SELECT count(*) FROM dossier'))
    dossier, codes, page = t.create(clerk, large='1', lang='en', usual_name='Durand')
    assert int(t.sql('SELECT count(*) FROM dossier')) == before + 1
    assert 'class="letter large" lang="en"' in page.text and 'like' in page.text or 'for' in page.text
    other = t.ask(clerk, other=False, birth_name='Toute-Autre', given_names='Zoé')
    assert 'value="print"' in other.text, 'a warning without a homonym'


def test_sensitive(s, t, clerk):
    page = t.ask(clerk, birth_name='Sensible', **{'authz[]': ['peut_voter'], 'until_peut_voter': '2099-01-01'})
    dossier = re.search(r'/dossier/([0-9a-f-]{36})', clerk.at).group(1)
    assert 'attend un second agent' in page.text
    assert t.sql(f"SELECT state FROM dossier WHERE id = '{dossier}'") == 'to_validate'
    assert t.sql(f"SELECT count(*) FROM outbox WHERE dossier_id = '{dossier}'") == '0'
    assert clerk.get(f'/dossier/{dossier}/approve').status == 403, 'one agent alone agreed with themselves'
    # the same wall in the schema
    refused = t.sql("DO $$ BEGIN UPDATE authorisation SET approved_by = granted_by, approved_at = granted_at "
                    f"WHERE dossier_id = '{dossier}'; EXCEPTION WHEN check_violation THEN RAISE NOTICE 'no'; END $$; "
                    f"SELECT count(*) FROM authorisation WHERE dossier_id = '{dossier}' AND approved_by IS NOT NULL")
    assert refused == '0'
    second = t.clerk('noe')
    page = second.send(second.open(f'/dossier/{dossier}/approve'), 'approve')
    assert page.status == 200, page.text[:800]
    eventually('the request did not go', lambda: t.sql(f"SELECT state FROM dossier WHERE id = '{dossier}'") == 'pending')
    page = clerk.open(f'/dossier/{dossier}/print')
    page = clerk.send(page, 'print', path=f'/dossier/{dossier}/print')
    assert t.codes(page)['sheet'], 'the policy asks for a sheet number with sensitive rights'


def test_roles(t):
    assert t.add_agent('cumul', 'guichet,controleur', check=False).returncode == 1
    assert t.sql("SELECT count(*) FROM agent WHERE login = 'cumul'") == '0'
    t.add_agent('audit', 'controleur')
    out = t.sql("DO $$ BEGIN INSERT INTO role_grant (agent_id, role, period, proposed_by) SELECT id, 'guichet', "
                "tstzrange('2026-01-01', NULL), 'psql' FROM agent WHERE login = 'audit'; EXCEPTION WHEN "
                "exclusion_violation THEN NULL; END $$; SELECT count(*) FROM role_grant g JOIN agent a ON a.id = "
                "g.agent_id WHERE a.login = 'audit'")
    assert out == '1', 'the schema let a controller work at the counter'
    b = t.clerk('audit')
    assert 'Journal' in b.page.text
    for path in ('/new/password', '/search?q=canari'):
        assert b.get(path).status == 403, path


def test_outage(s, t, clerk):
    """D-04: the IdP away, requests asked for meanwhile, all arrive once."""
    for node in ('idp1', 'idp2'):
        s.stop(node)
    before = int(s.sql('SELECT count(*) FROM account'))
    pages = [t.ask(clerk, birth_name=f'Panne{i}', given_names='Lou') for i in range(5)]
    for page in pages:
        assert 'en attente' in page.text and page.headers.get('Refresh'), page.text[:800]
    t.stop('outbox', signal.SIGKILL)
    t.stop('web', signal.SIGKILL)
    t.spawn('web', 'serve')
    t.wait()
    for node in (1, 2):
        s.spawn(f'idp{node}', 'serve')
    s.wait_port(s.door_port, 'idp1')
    t.spawn('outbox', 'outbox')
    eventually('requests are stuck', lambda: t.sql("SELECT count(*) FROM outbox WHERE state IN ('due', 'answered')") == '0', 90)
    assert int(s.sql('SELECT count(*) FROM account')) == before + 5
    assert t.sql("SELECT count(*) FROM dossier d JOIN sheet s ON s.dossier_id = d.id WHERE d.state = 'pending' "
                 "AND s.sealed IS NOT NULL") >= '5'


def test_stale_code(s, t, clerk):
    """P-061: the kept code is not the right one any more: a clear error, then two agents."""
    dossier, codes, _ = t.create(clerk, birth_name='Perime', given_names='Ana')
    handle = t.sql(f"SELECT handle FROM dossier WHERE id = '{dossier}'")
    s.activate(codes, 'ana@courriel.example', 'ana.perime', 'corail tambour 47 lune')
    eventually('no activation', lambda: t.sql(f"SELECT state FROM dossier WHERE id = '{dossier}'") == 'active')
    reply = s.door('POST', f'/v1/accounts/{handle}/reissue', {'what': 'revocation'}, key='k' * 32)
    assert reply.status == 200, reply.text
    assert s.door('POST', f'/v1/accounts/{handle}/ack').status == 200
    page = clerk.send(clerk.open(f'/dossier/{dossier}/block'), 'block', {**t.IDENTITY, 'reason': 'lost'})
    assert page.status == 409 and 'deux agents' in page.text
    assert clerk.get(f'/dossier/{dossier}/block').status == 409
    assert s.sql(f"SELECT state FROM account WHERE handle = '{handle}'") == 'active'
    second = t.clerk('noe')
    page = second.send(second.open(f'/dossier/{dossier}/block'), 'block', {**t.IDENTITY, 'reason': 'lost'})
    assert page.status == 200 and 'est bloqué' in page.text, page.text[:1200]
    assert s.sql(f"SELECT state FROM account WHERE handle = '{handle}'") == 'suspended'


def test_door(s):
    """D-11 and P-035 at the town door: what is another town's does not exist; an unknown key is refused unseen."""
    own, other_town = 'montclar', 'valbourg'
    s.add_town(own)
    s.add_town(other_town)
    handle, codes = s.create(own)
    routes = [l.split() for l in s.command_out('routes').splitlines() if l.startswith('town ')]
    seen = 0
    for _, method, path, name, _ in routes:
        if '{handle}' not in path:
            continue
        body = {'town.account.authorisations': {'authorisations': []}, 'town.account.reissue': {'what': 'all'},
                'town.account.block': {'reason': 'lost'}, 'town.account.close': {'reason': 'error'},
                'town.account.activate': {'certificate': 'MAA='},
                'town.account.reactivate': {'otp': 'x', 'pin': '00000000', 'certificate': 'MAA='}}.get(name)
        seen += 1
        other = s.door(method, path.replace('{handle}', handle), body, other_town, key='x' * 32)
        assert other.status == 404, (name, other.status)
        assert s.door('GET', f'/v1/accounts/{handle}', town=own).json()['state'] == 'pending', name
        if body is not None:
            unknown = s.door(method, path.replace('{handle}', handle), {**body, 'prenom': 'CANARI-PORTE'}, own, key='z' * 32)
            assert unknown.status == 400 and 'prenom' in unknown.text and 'CANARI' not in unknown.text, (name, unknown.text)
    assert seen >= 6
    assert s.door('POST', '/v1/blocks', {'code': codes['revocation']}, other_town).status == 404
    assert handle not in s.door('GET', '/v1/changes', town=other_town).text
    assert handle in s.door('GET', '/v1/changes', town=own).text
    body = {'type': 'password', 'handle': 'h' * 24, 'lang': 'fr'}
    reply = s.door('POST', '/v1/accounts', {**body, 'nom': 'CANARI-PORTE'}, town=own, key='y' * 32)
    assert reply.status == 400 and 'nom' in reply.text and 'CANARI' not in reply.text
    assert s.door('POST', '/v1/accounts', body, town=own, key='y' * 32).status == 201
    for log in ('idp1', 'idp2', 'worker'):
        assert 'CANARI' not in s.log(log), log
    assert s.door('POST', '/v1/blocks', {'code': codes['revocation']}, own).status == 200


def test_privacy(s, t):
    """K3: no name at the IdP, in no log, in no audit row; T-09: none in clear at the town hall."""
    dump = s.dump(s.db) + t.system.dump(t.db)
    logs = ''.join(s.log(n) for n in ('idp1', 'idp2', 'worker')) + t.log('web') + t.log('outbox')
    for canary in CANARIES:
        assert canary not in dump, f'{canary} in a database'
        assert canary not in logs, f'{canary} in a log'


def test_kill(s, t, clerk):
    """K9: the counter killed at any instant of the act: the draft is still there, or the account is made, once."""
    count = lambda what: int(t.sql(f'SELECT count(*) FROM {what}'))
    dossiers, drafts, accounts = count('dossier'), count('draft'), int(s.sql('SELECT count(*) FROM account'))
    delays = (0, 0.01, 0.02, 0.04, 0.07, 0.11, 0.16, 0.25)
    for i, delay in enumerate(delays):
        page = clerk.send(clerk.open('/new/password'), 'preview', {**t.FORM, 'birth_name': f'Coupure{i}'})
        assert 'value="confirm"' in page.text, page.text[:800]

        def confirm():
            with contextlib.suppress(OSError, http.client.HTTPException):
                clerk.send(page, 'confirm')
        click = threading.Thread(target=confirm)
        click.start()
        time.sleep(delay)
        t.stop('web', signal.SIGKILL)
        click.join()
        t.spawn('web', 'serve')
        t.wait()
    s.command('clock', '--advance', '2min')      # past the leases of the killed
    eventually('requests are stuck', lambda: count("outbox WHERE state IN ('due', 'answered')") == 0, 60)
    made = count('dossier') - dossiers
    assert made + count('draft') - drafts == len(delays), 'a request was lost or doubled'
    assert int(s.sql('SELECT count(*) FROM account')) - accounts == made, 'an account was lost or doubled'
    assert count("dossier WHERE state = 'requested'") == 0
    assert count('dossier d LEFT JOIN sheet h ON h.dossier_id = d.id WHERE h.dossier_id IS NULL') == 0, 'codes were lost'
    assert int(s.sql('SELECT count(*) FROM idempotency WHERE sealed IS NOT NULL AND town_id = '
                     "(SELECT id FROM town WHERE name = 'rivemont')")) == 0, 'an acknowledgement is missing'


def main():
    import subprocess
    System.command_out = lambda self, *argv: subprocess.run([self.bin, *argv], capture_output=True, text=True, check=True).stdout
    System.dump = lambda self, db: subprocess.run(
        ['pg_dump', '-h', os.environ['PGHOST'], '-p', os.environ.get('PGPORT', '5432'), '-U', os.environ['PGUSER'], db],
        capture_output=True, text=True, check=True).stdout
    with System() as s, Town(s) as t:
        t.add_agent('lea')
        t.add_agent('noe')
        t.command('authorisation', 'add', 'peut_emprunter', '--label-fr', 'Peut emprunter', '--label-en', 'May borrow')
        t.command('authorisation', 'add', 'peut_voter', '--label-fr', 'Peut voter', '--label-en', 'May vote',
                  '--sensitive')
        assert 'BAD' not in t.command('doctor').stdout
        test_sign_in(t)
        clerk = t.clerk('lea')
        for test in (lambda: test_form(t, clerk), lambda: test_walk(s, t, clerk),
                     lambda: test_second_click(t, clerk), lambda: test_homonym_and_large_print(t, clerk), lambda: test_sensitive(s, t, clerk),
                     lambda: test_roles(t), lambda: test_stale_code(s, t, clerk), lambda: test_outage(s, t, clerk),
                     lambda: test_kill(s, t, clerk), lambda: test_privacy(s, t), lambda: test_door(s)):
            test()
        eventually('audit rows are not sealed',
                   lambda: '"unsealed":0' in t.command('audit', 'verify', check=False).stdout, 10)
    print('town: all well')


if __name__ == '__main__':
    main()
