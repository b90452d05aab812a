#!/usr/bin/python3
"""A card at the counter (DOMAIN P-030…P-032, P-059…P-066, A-01, A-27): handed over, blocked, back; by one agent, by two, and
every refusal in words."""
import os, re, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from cards import SETTINGS, CardSystem
from openssl_authority import Authority
from test_town_types import ADDRESS, COUNTER, escrow, eventually, handle_of, make_card, state, words
from town import Town

DAMM = ('0317598642', '7092154863', '4206871359', '1750983426', '6123045978', '3674209581', '5869720134', '8945362017',
        '9438617205', '2581436790')


def damm(digits):
    at = 0
    for d in digits:
        at = int(DAMM[at][int(d)])
    return at


def other_pins(pin):
    """PINs that are well typed and wrong."""
    kind, n = damm(pin), int(pin[:7])
    while True:
        n = (n + 1) % 10000000
        for last in '0123456789':
            if damm(f'{n:07}{last}') == kind:
                yield f'{n:07}{last}'


class Counter:
    """The people, the maker of cards, and what a clerk does."""

    def __init__(self, s, t):
        self.s, self.t, self.n = s, t, 0
        t.add_agent('lea', 'guichet')
        t.add_agent('noe', 'validation')
        self.lea, self.noe = t.clerk('lea'), t.clerk('noe')
        self.cards = Authority(s.dir, 'Cartes')
        s.command('trust', 'add', self.cards.pem, '--name', 'cartes', '--use', 'card', '--own')

    def link(self, dossier):
        """The card is made: its certificate as a reader gives it."""
        self.n += 1
        base = self.cards.issue(f'carte{self.n}', days='900')
        self.s.command('account', 'link-certificate', handle_of(self.t, dossier), base + '.pem', '--town', self.t.name)
        with open(base + '.pem') as f:
            return f.read()

    def made(self, **fields):
        self.n += 1
        name = ''.join('abcdefghij'[int(d)] for d in str(self.n))
        dossier, page = make_card(self.t, self.lea, birth_name='Carte' + name, **fields)
        assert 'Tout va bien' in words(page), words(page)[:600]
        return dossier, self.link(dossier)

    def act(self, who, dossier, what, do, **fields):
        page = who.open(f'/dossier/{dossier}/{what}')
        assert page.status == 200, (what, words(page)[:600])
        return self.answered(who, dossier, who.send(page, do, {'override': '', **self.t.IDENTITY, **fields},
                                                    path=f'/dossier/{dossier}/{what}'))

    def hand_over(self, dossier, **fields):
        return self.act(self.lea, dossier, 'handover', 'hand_over', **fields)

    def reactivate(self, dossier, **fields):
        return self.act(self.lea, dossier, 'reactivate', 'reactivate', **fields)

    def sheet(self, dossier):
        """What the sheet of new codes says: [blocking code, return code]."""
        page = self.lea.open(f'/dossier/{dossier}/print')
        assert 'id="show"' in page.text, words(page)[:800]
        page = self.lea.send(page, 'print', path=f'/dossier/{dossier}/print')
        assert page.status == 200, words(page)[:600]
        letter = page.text[page.text.index('<article'):]
        return [re.sub(r'<[^>]+>|[^A-Z0-9]', '', m) for m in re.findall(r'<span class="code">(.*?)</span>\s*</p>', letter, re.S)]

    def closed_and_reopened(self, dossier):
        self.lea.send(self.lea.open(f'/dossier/{dossier}/close'), 'close', {'reason': 'error'}, path=f'/dossier/{dossier}/close')
        self.agree(dossier)
        assert state(self.t, dossier) == 'closed'
        page = self.lea.open(f'/dossier/{dossier}/reopen')
        assert 'commandez une carte neuve' in words(page), words(page)[:600]
        self.lea.send(page, 'reopen', path=f'/dossier/{dossier}/reopen')
        self.agree(dossier)
        assert state(self.t, dossier) == 'suspended' == self.idp_state(dossier), self.proposal(dossier)

    def block(self, dossier, reason='lost'):
        page = self.act(self.lea, dossier, 'block', 'block', reason=reason)
        assert 'est bloqué' in words(page) and state(self.t, dossier) == 'suspended', words(page)[:800]

    def agree(self, dossier):
        page = self.noe.open(f'/dossier/{dossier}/approve')
        return page, self.answered(self.noe, dossier, self.noe.send(page, 'approve', path=f'/dossier/{dossier}/approve'))

    def answered(self, who, dossier, page):
        """On a busy machine the IdP may answer after the page was made."""
        if 'part dès que le serveur' in page.text:
            eventually('no answer', lambda: self.proposal(dossier).split()[1] != 'sent')
            page = who.open(f'/dossier/{dossier}?changed=1')
        return page

    def proposal(self, dossier):
        return self.t.sql(f"SELECT kind || ' ' || state || ' ' || refusal FROM proposal WHERE dossier_id = '{dossier}' "
                          'ORDER BY proposed_at DESC LIMIT 1')

    def active(self):
        dossier, pem = self.made()
        self.hand_over(dossier, certificate=pem)
        assert state(self.t, dossier) == 'active', self.proposal(dossier)
        return dossier, pem

    def pin(self, dossier):
        return self.s.record(handle_of(self.t, dossier))['reactivation_pin']

    def idp_state(self, dossier):
        return self.s.sql(f"SELECT state FROM account WHERE handle = '{handle_of(self.t, dossier)}'")

    def checks(self, dossier, act):
        return int(self.t.sql(f"SELECT count(*) FROM identity_check WHERE dossier_id = '{dossier}' AND act = '{act}'"))


def refused_by_schema(t, text):
    """The rules hold for whoever writes: the statement fails as the web process's role."""
    import subprocess
    r = subprocess.run(['psql', '-qXAt', t.conninfo('mairie_web'), '-c', text], capture_output=True, text=True)
    return r.returncode != 0 and ('violates check' in r.stderr or 'has not the role' in r.stderr or 'is not rewritten' in r.stderr
                                  or 'only a card' in r.stderr)


def test_hand_over(c):
    """P-031, P-032: a second identity check, this card, one click; the record; twice is once."""
    t = c.t
    dossier, page = make_card(t, c.lea)
    stranger = c.link(make_card(t, c.lea, birth_name='Voisine')[0])
    for fields, said in (({}, 'Collez le certificat'), ({'certificate': 'pas un certificat'}, "n'est pas un certificat"),
                         ({'certificate': stranger, 'override': 'no_reader'}, 'un certificat et une raison'),
                         ({'certificate': stranger, 'doc_type': ''}, 'Choisissez la pièce')):
        page = c.hand_over(dossier, **fields)
        assert page.status == 422 and said in words(page), (fields, words(page)[:800])
    pem = c.link(dossier)
    page = c.hand_over(dossier, certificate=stranger)
    assert "Ce n'est pas la carte de cette personne" in words(page), words(page)[:800]
    assert c.idp_state(dossier) == 'pending' == state(t, dossier)
    assert 'Prévenez votre service informatique' not in words(c.lea.open('/')), 'a wrong card is no alarm'
    form = c.lea.open(f'/dossier/{dossier}/handover')
    page = c.hand_over(dossier, certificate=pem)
    assert 'Le compte est ouvert' in words(page) and 'Signature de la personne' in words(page), words(page)[:800]
    assert c.idp_state(dossier) == 'active' == state(t, dossier)
    # the identity was checked each time it was handed over, and the record names the last check
    assert c.checks(dossier, 'creation') == 1 and c.checks(dossier, 'hand_over') == 2
    reference = t.sql(f"SELECT max(id) FROM identity_check WHERE dossier_id = '{dossier}'")
    shown = words(page)
    assert f'Procès-verbal numéro {reference}' in shown and 'Passeport' in shown and 'Lea' in shown, shown
    # the second click, the Back button, a reload: the same record
    again = c.lea.send(form, 'hand_over', {**t.IDENTITY, 'override': '', 'certificate': pem}, path=f'/dossier/{dossier}/handover')
    assert f'numéro {reference}' in words(again), words(again)[:600]
    assert f'numéro {reference}' in words(c.lea.open(f'/dossier/{dossier}/handover'))
    assert c.checks(dossier, 'hand_over') == 2
    page = c.lea.open(f'/dossier/{dossier}')
    for action in ('authz', 'acceptance', 'block', 'close', 'reissue'):
        assert f'id="action-{action}" href' in page.text, action
    assert 'Nouveau code de blocage' in words(page)
    for action in ('handover', 'receipt', 'reactivate', 'print'):
        assert f'id="action-{action}"' not in page.text, action
    assert 'Carte remise, compte ouvert' in words(page)
    assert escrow(t, dossier).count(',') == 2


def test_hand_over_by_two(c):
    """P-031, T-05: a card that cannot be read takes a second agent and a reason, here, in the schema, and at the IdP."""
    t = c.t
    dossier, _ = c.made()
    page = c.hand_over(dossier, override='broken_reader')
    assert 'un second agent doit dire oui' in words(page) and c.proposal(dossier).startswith('hand_over waiting'), words(page)[:600]
    assert c.idp_state(dossier) == 'pending'
    assert c.lea.get(f'/dossier/{dossier}/approve').status == 403, 'one agent agreed with themselves'
    lea = "(SELECT id FROM agent WHERE login = 'lea')"
    assert refused_by_schema(t, f"UPDATE proposal SET state = 'sent', key = 'k', decided_by = {lea}, decided_at = now() WHERE dossier_id = '{dossier}'")
    assert refused_by_schema(t, f"UPDATE proposal SET override = NULL WHERE dossier_id = '{dossier}'")
    assert 'Remettre la carte' in words(c.noe.open('/'))
    ask, page = c.agree(dossier)
    assert 'Le lecteur ne marche pas' in words(ask), words(ask)[:600]
    assert c.idp_state(dossier) == 'active', words(page)[:600]
    shown = words(c.lea.open(f'/dossier/{dossier}/acceptance'))
    assert 'Lea, Noe' in shown and 'Le lecteur ne marche pas' in shown, shown
    assert c.s.sql("SELECT detail->>'override' FROM audit_event WHERE verb = 'account.activate' ORDER BY seq DESC LIMIT 1") == 'broken_reader'
    # P-030: before any card is ready, whoever agrees
    dossier, _ = make_card(t, c.lea, birth_name='Tropvite')
    c.hand_over(dossier, override='no_reader')
    page = c.agree(dossier)[1]
    assert "Aucune carte n'est encore prête" in words(page), words(page)[:800]
    assert c.idp_state(dossier) == 'pending'
    # taken back: nothing has changed
    dossier, pem = c.made()
    c.hand_over(dossier, override='mute_card')
    c.lea.send(c.lea.open(f'/dossier/{dossier}/cancel'), 'cancel', path=f'/dossier/{dossier}/cancel')
    assert c.proposal(dossier).startswith('hand_over dropped') and c.idp_state(dossier) == 'pending'
    assert 'Signature' in words(c.hand_over(dossier, certificate=pem))


def test_back(c):
    """P-063…P-065: document, card, return code; new codes that nobody sees, the old ones dead."""
    t = c.t
    dossier, pem = c.active()
    pin, old = c.pin(dossier), c.s.record(handle_of(t, dossier))['revocation']
    otp = t.sql(f"SELECT encode(sealed, 'hex') FROM secret_escrow WHERE dossier_id = '{dossier}' AND kind = 'reactivation_otp'")
    c.block(dossier)
    assert escrow(t, dossier) == 'reactivation_otp,reactivation_pin', 'the blocking code was used'
    page = c.lea.open(f'/dossier/{dossier}')
    assert 'id="action-reactivate" href' in page.text and 'id="action-reissue"' not in page.text
    typo = pin[:-1] + str((int(pin[-1]) + 1) % 10)
    for fields, said in (({}, 'La personne tape son code de retour'), ({'pin': typo}, 'faute de frappe'), ({'pin': pin[:7]}, 'Il manque un signe'),
                         ({'pin': pin, 'pin_lost': '1'}, 'un code et la case'), ({'pin': old}, 'code de blocage')):
        page = c.reactivate(dossier, certificate=pem, **fields)
        assert page.status == 422 and said in words(page), (fields, words(page)[:800])
        assert pin not in page.text, 'what was typed came back'
    assert not c.proposal(dossier).startswith('reactivate'), 'a typing mistake was sent'
    form = c.lea.open(f'/dossier/{dossier}/reactivate')
    page = c.reactivate(dossier, certificate=pem, pin=f'{pin[:4]} {pin[4:]}')
    shown = words(page)
    assert 'Votre carte marche de nouveau' in shown and 'ne marchent plus' in shown, shown[:900]
    assert c.idp_state(dossier) == 'active' == state(t, dossier)
    assert c.checks(dossier, 'reactivate') == 1 and c.checks(dossier, 'block') == 1
    assert escrow(t, dossier) == 'reactivation_otp,reactivation_pin,revocation'
    assert otp != t.sql(f"SELECT encode(sealed, 'hex') FROM secret_escrow WHERE dossier_id = '{dossier}' AND kind = 'reactivation_otp'")
    assert not re.search(r'\d{4} ?\d{4}', re.sub(r'<[^>]+>', '', page.text[page.text.index('<article'):])), 'a code on the paper'
    assert c.s.door('POST', '/v1/blocks', {'code': old}).json()['code'] == 'secret.superseded'
    # P-065: the new codes are on a sheet, shown once; the reactivation code is on none
    assert f'/dossier/{dossier}/print' in page.text and 'sur une autre feuille' in shown
    new_revocation, new_pin = c.sheet(dossier)
    assert len(new_revocation) == 16 and len(new_pin) == 8 and damm(new_pin) == damm(pin) and new_revocation != old and new_pin != pin
    again = c.lea.open(f'/dossier/{dossier}/print')
    assert new_revocation not in words(again).replace(' ', '') and 'id="show"' not in again.text
    assert t.sql(f"SELECT sealed IS NULL AND shown_by IS NOT NULL FROM sheet WHERE dossier_id = '{dossier}'") == 't'
    assert f'id="go-codes"' not in c.lea.open(f'/dossier/{dossier}/reactivated').text
    assert t.sql(f"SELECT count(*) FROM outbox WHERE dossier_id = '{dossier}' AND (state <> 'done' OR payload <> '')") == '0'
    assert t.sql(f"SELECT count(*) FROM proposal WHERE dossier_id = '{dossier}' AND (pin IS NOT NULL OR certificate IS NOT NULL)") == '0'
    # second click, Back
    again = c.lea.send(form, 'reactivate', {**t.IDENTITY, 'override': '', 'certificate': pem, 'pin': pin}, path=f'/dossier/{dossier}/reactivate')
    assert 'marche de nouveau' in words(again) and c.checks(dossier, 'reactivate') == 1
    assert 'marche de nouveau' in words(c.lea.open(f'/dossier/{dossier}/reactivate'))
    # a second cycle with the new codes, as they stand on the sheet; the letter of the first is old
    assert c.s.door('POST', '/v1/blocks', {'code': new_revocation}).status == 200
    eventually('the counter does not hear of it', lambda: state(t, dossier) == 'suspended')
    page = c.reactivate(dossier, certificate=pem, pin=pin)
    assert "n'est pas le bon" in words(page), (words(page)[:800], c.proposal(dossier))
    assert 'marche de nouveau' in words(c.reactivate(dossier, certificate=pem, pin=new_pin)), c.proposal(dossier)
    # a third: the sheet was never shown, and is not while the account is blocked, when its blocking code is used up
    c.block(dossier)
    assert 'id="show"' not in c.lea.open(f'/dossier/{dossier}/print').text
    assert 'id="action-print"' not in c.lea.open(f'/dossier/{dossier}').text
    page = c.reactivate(dossier, certificate=pem, pin_lost='1')
    assert 'un second agent doit dire oui' in words(page)
    ask, page = c.agree(dossier)
    assert "n'a plus le code de retour" in words(ask) and c.idp_state(dossier) == 'active', words(page)[:600]
    assert escrow(t, dossier) == 'reactivation_otp,reactivation_pin,revocation'
    assert 'Lea, Noe' in words(c.lea.open(f'/dossier/{dossier}/reactivated'))


def test_wrong_pins(c):
    """P-064: three wrong codes lock it, the counter is told, and a second agent is the way on."""
    dossier, pem = c.active()
    wrong = other_pins(c.pin(dossier))
    c.block(dossier)
    for said in ('Il reste deux essais', 'Il reste un seul essai', 'Trois codes faux'):
        page = c.reactivate(dossier, certificate=pem, pin=next(wrong))
        assert said in words(page), (said, words(page)[:800], c.proposal(dossier))
    page = c.reactivate(dossier, certificate=pem, pin=c.pin(dossier))
    assert 'Trois codes faux' in words(page), 'the right code after the lock'
    today = words(c.lea.open('/'))
    assert 'Trois codes de retour faux' in today and 'Prévenez votre service informatique' not in today, today[:900]
    c.reactivate(dossier, certificate=pem, pin_lost='1')
    c.agree(dossier)
    assert c.idp_state(dossier) == 'active'
    assert 'Trois codes de retour faux' not in words(c.lea.open('/'))
    c.s.sql('DELETE FROM throttle')


def test_refusals(c):
    """P-062, P-066: each case its own words; what would pass passes."""
    t, s = c.t, c.s
    dossier, pem = c.active()
    other = c.active()[1]
    handle = handle_of(t, dossier)
    account = f"(SELECT id FROM account WHERE handle = '{handle}')"
    c.block(dossier)
    pin = c.pin(dossier)
    s.sql(f"UPDATE account SET state_since = state_since - interval '91 days' WHERE handle = '{handle}'")
    assert 'depuis trop longtemps' in words(c.reactivate(dossier, certificate=pem, pin=pin)), c.proposal(dossier)
    s.sql(f"UPDATE account SET state_since = state_since + interval '91 days' WHERE handle = '{handle}'")
    assert "Ce n'est pas la carte" in words(c.reactivate(dossier, certificate=other, pin=pin)), c.proposal(dossier)
    s.sql(f"UPDATE credential_certificate SET state = 'revoked' WHERE account_id = {account}")
    assert 'retiré pour toujours' in words(c.reactivate(dossier, certificate=pem, pin=pin)), c.proposal(dossier)
    s.sql(f"UPDATE credential_certificate SET state = 'active' WHERE account_id = {account}")
    # one page is old: another tab has done it
    old = c.lea.open(f'/dossier/{dossier}/reactivate')
    assert 'marche de nouveau' in words(c.reactivate(dossier, certificate=pem, pin=pin)), c.proposal(dossier)
    # stolen: for good
    dossier, pem = c.active()
    c.block(dossier, 'stolen')
    assert 'sans retour' in words(c.reactivate(dossier, certificate=pem, pin=c.pin(dossier))), c.proposal(dossier)
    # no code is kept here any more
    t.sql(f"DELETE FROM secret_escrow WHERE dossier_id = '{dossier}'")
    page = c.reactivate(dossier, certificate=pem, pin=c.pin(dossier))
    assert page.status == 409 and "n'est gardé ici" in words(page), words(page)[:600]
    # not open yet, never handed over: not this way
    dossier, _ = c.made()
    assert c.lea.get(f'/dossier/{dossier}/reactivate').status == 409


def test_outage(c):
    """The IdP away at the hand-over and at the way back: kept, sent once, the new codes stored."""
    s, t = c.s, c.t
    waiting, pem = c.made()
    blocked, blocked_pem = c.active()
    c.block(blocked)
    pin = c.pin(blocked)
    forms = [c.lea.open(f'/dossier/{d}/{what}') for d, what in ((waiting, 'handover'), (blocked, 'reactivate'))]
    for node in ('idp1', 'idp2'):
        s.stop(node)
    for form, dossier, what, do, more in ((forms[0], waiting, 'handover', 'hand_over', {'certificate': pem}),
                                          (forms[1], blocked, 'reactivate', 'reactivate', {'certificate': blocked_pem, 'pin': pin})):
        page = c.lea.send(form, do, {**t.IDENTITY, 'override': '', **more}, path=f'/dossier/{dossier}/{what}')
        assert 'part dès que le serveur' in words(page) and state(t, dossier) != 'active', words(page)[:600]
        # a second click while it waits
        again = c.lea.send(form, do, {**t.IDENTITY, 'override': '', **more}, path=f'/dossier/{dossier}/{what}')
        assert again.status == 409, words(again)[:400]
    dump = s.dump(t.db)
    assert pin not in dump and pem.split('\n')[2] not in dump, 'what was typed is in clear'
    for node in (1, 2):
        s.spawn(f'idp{node}', 'serve')
    s.wait_port(s.door_port, 'idp1')
    for dossier in (waiting, blocked):
        eventually('the request is stuck', lambda d=dossier: state(t, d) == 'active', 90)
    eventually('not acknowledged', lambda: t.sql("SELECT count(*) FROM outbox WHERE state IN ('due', 'answered')") == '0')
    assert escrow(t, blocked) == 'reactivation_otp,reactivation_pin,revocation'
    assert s.sql('SELECT count(*) FROM idempotency WHERE sealed IS NOT NULL') == '0', 'an acknowledgement is missing'
    c.block(blocked)      # with the new blocking code, which came after the outage


def test_end(c):
    """DOMAIN 2.1, 2.4: a card blocked before its hand-over comes back; a closed one loses its codes."""
    t = c.t
    dossier, pem = c.made()
    c.block(dossier)
    assert 'marche de nouveau' in words(c.reactivate(dossier, certificate=pem, pin=c.pin(dossier))), c.proposal(dossier)
    page = c.lea.send(c.lea.open(f'/dossier/{dossier}/close'), 'close', {'reason': 'departure'}, path=f'/dossier/{dossier}/close')
    c.agree(dossier)
    assert state(t, dossier) == 'closed' and escrow(t, dossier) == '', escrow(t, dossier)
    page = c.lea.open(f'/dossier/{dossier}/reopen')
    assert 'commandez une carte neuve' in words(page), words(page)[:600]
    # what is true of another kind of account, whoever writes
    password, _, _ = t.create(c.lea, birth_name='Sanscarte')
    lea = "(SELECT id FROM agent WHERE login = 'lea')"
    assert refused_by_schema(t, f"WITH i AS (INSERT INTO identity_check (dossier_id, act, doc_type, agent_id, at) VALUES ('{password}', "
                             f"'reactivate', 'cni', {lea}, now()) RETURNING id) INSERT INTO proposal (id, dossier_id, kind, proposed_by, "
                             f"proposed_at, identity_id, override, pin_lost) SELECT gen_random_uuid(), '{password}', 'reactivate', {lea}, "
                             "now(), i.id, 'no_reader', true FROM i")


def test_a_lost_paper(c):
    """A-18, D-02: the letter of an open account is lost: a new blocking code alone, on a sheet, after an identity check."""
    t = c.t
    dossier, pem = c.active()
    old, pin = c.s.record(handle_of(t, dossier))['revocation'], c.pin(dossier)
    page = c.lea.open(f'/dossier/{dossier}/reissue')
    assert 'Nouveau code de blocage' in words(page) and 'reste ouvert' in words(page), words(page)[:600]
    form = page
    assert c.lea.send(page, 'reissue', {}, path=f'/dossier/{dossier}/reissue').status == 422
    page = c.lea.send(form, 'reissue', t.IDENTITY, path=f'/dossier/{dossier}/reissue')
    eventually('no new code', lambda: t.sql("SELECT count(*) FROM outbox WHERE state IN ('due', 'answered')") == '0')
    codes = c.sheet(dossier)
    assert len(codes) == 1 and len(codes[0]) == 16 and codes[0] != old, codes
    assert c.idp_state(dossier) == 'active' == state(t, dossier) and c.checks(dossier, 'reissue') == 1
    assert escrow(t, dossier) == 'reactivation_otp,reactivation_pin,revocation'
    assert c.s.door('POST', '/v1/blocks', {'code': old}).json()['code'] == 'secret.superseded'
    c.block(dossier)      # with the new one, which is kept
    assert c.s.door('POST', '/v1/blocks', {'code': codes[0]}).json()['already']
    assert 'marche de nouveau' in words(c.reactivate(dossier, certificate=pem, pin=pin)), 'the return code was not replaced'


def test_reopened(c):
    """DOMAIN 2.1, 2.3: closed by error, its codes and certificate are gone for good: another card is ordered, and comes back with the
    letter that was made with it."""
    t = c.t
    dossier, pem = c.active()
    old, handle = c.s.record(handle_of(t, dossier)), handle_of(t, dossier)
    number = t.sql(f"SELECT number FROM dossier WHERE id = '{dossier}'")
    c.closed_and_reopened(dossier)
    assert escrow(t, dossier) == '' and c.s.sql(f"SELECT count(*) FROM card_record r JOIN account a ON a.id = r.account_id WHERE a.handle = '{handle}'") == '0'
    page = c.lea.open(f'/dossier/{dossier}')
    assert 'Commander une carte neuve' in words(page) and 'id="action-reissue" href' in page.text, words(page)[:800]
    assert 'id="action-reactivate"' not in page.text and 'id="action-receipt"' not in page.text
    page = c.lea.open(f'/dossier/{dossier}/reissue')
    assert all(line in words(page) for line in ADDRESS.values() if line), words(page)[:800]
    assert c.lea.send(page, 'reissue', {}, path=f'/dossier/{dossier}/reissue').status == 422
    form = page
    page = c.lea.send(form, 'reissue', t.IDENTITY, path=f'/dossier/{dossier}/reissue')
    eventually('no card', lambda: escrow(t, dossier) == 'reactivation_otp,reactivation_pin,revocation' and
               t.sql("SELECT count(*) FROM outbox WHERE state IN ('due', 'answered')") == '0')
    assert 'Votre carte est demandée' in words(c.lea.open(f'/dossier/{dossier}/receipt'))
    assert c.lea.send(form, 'reissue', t.IDENTITY, path=f'/dossier/{dossier}/reissue').status == 409, 'a second click orders another'
    record = c.s.record(handle)
    assert record['number'] == number == old['number'] and record['revocation'] != old['revocation']
    assert {k: record[k] for k in ('surname', 'given_name', 'address')} == {k: old[k] for k in ('surname', 'given_name', 'address')}
    assert state(t, dossier) == 'suspended' == c.idp_state(dossier)
    # the card of before is nobody's; without the new one nothing comes back
    page = c.reactivate(dossier, certificate=pem, pin=record['reactivation_pin'])
    assert "Ce n'est pas la carte" in words(page), (words(page)[:600], c.proposal(dossier))
    fresh = c.link(dossier)
    assert "n'est pas le bon" in words(c.reactivate(dossier, certificate=fresh, pin=old['reactivation_pin'])), c.proposal(dossier)
    assert 'marche de nouveau' in words(c.reactivate(dossier, certificate=fresh, pin=record['reactivation_pin'])), c.proposal(dossier)
    assert c.idp_state(dossier) == 'active' == state(t, dossier)
    assert len(c.sheet(dossier)) == 2
    # blocked later it is a blocked card like any other, and no new one is offered
    c.block(dossier)
    page = c.lea.open(f'/dossier/{dossier}')
    assert 'id="action-reactivate" href' in page.text and 'id="action-reissue"' not in page.text
    assert c.lea.get(f'/dossier/{dossier}/reissue').status == 409


def test_trail(c):
    """Who did what, without a name and without a code; the controller reads it."""
    c.t.add_agent('audit', 'controleur')
    shown = words(c.t.clerk('audit').open('/audit'))
    for event in ('Retour de la carte demandé', 'Compte rouvert', 'Compte bloqué'):
        assert event in shown, (event, shown[:1500])
    assert 'CANARI' not in shown and 'Zébulon' not in shown


def main():
    import subprocess

    class System(CardSystem):
        def dump(self, db):
            return subprocess.run(['pg_dump', '-h', os.environ['PGHOST'], '-p', os.environ.get('PGPORT', '5432'), '-U',
                                   os.environ['PGUSER'], db], capture_output=True, text=True, check=True).stdout
    with System(extra=SETTINGS) as s, Town(s, settings=COUNTER) as t:
        c = Counter(s, t)
        for test in (test_hand_over, test_hand_over_by_two, test_back, test_wrong_pins, test_refusals, test_outage, test_end,
                     test_a_lost_paper, test_reopened, test_trail):
            test(c)
            print(test.__name__, flush=True)
        dump, logs = s.dump(t.db) + s.dump(s.db), ''.join(s.log(n) for n in ('idp1', 'idp2', 'worker')) + t.log('web') + t.log('outbox')
        for canary in ('CANARI-7731', 'Zébulon', 'Impasse-Canari'):
            assert canary not in dump and canary not in logs, canary
    print('counter card: all well')


if __name__ == '__main__':
    main()
