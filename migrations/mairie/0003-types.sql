-- Three kinds of account (DOMAIN P-001): login and password, software certificate, card. What the two others add: the
-- number, the postal address of a card, the kept codes by kind, the hand-over of a card and its way back after a block.

ALTER TABLE dossier DROP CONSTRAINT dossier_type_check;
ALTER TABLE dossier
    ADD CONSTRAINT dossier_type_check CHECK (type IN ('password', 'x509_soft', 'x509_card')),
    ADD COLUMN named boolean NOT NULL DEFAULT false,
    ADD COLUMN number text UNIQUE CHECK (number ~ '^[2-9A-HJKMNP-Z]{15}$'),
    ADD CHECK (type <> 'password' OR number IS NULL),
    ADD CHECK (type = 'x509_soft' OR NOT named);
COMMENT ON COLUMN dossier.type IS 'password, x509_soft: certificate of a citizen''s own device, x509_card.';
COMMENT ON COLUMN dossier.named IS 'The certificate bears the name, which therefore went to the IdP (P-047); else a pseudonym.';
COMMENT ON COLUMN dossier.number IS 'Number of the account, folded, as the IdP drew it (P-011, A-11); NULL for login and password, and before the answer.';
COMMENT ON COLUMN dossier.handle IS 'Random name of the dossier at the IdP.';

-- --- the postal address of a card (P-006) ------------------------------------------------------------------------------
CREATE TABLE address (
    person_id uuid PRIMARY KEY REFERENCES person,
    lines     bytea NOT NULL,
    until     timestamptz
);
COMMENT ON TABLE address IS 'Where the card''s letter goes; only dossiers of cards have one.';
COMMENT ON COLUMN address.lines IS 'One to six lines, sealed (address.lines, person).';
COMMENT ON COLUMN address.until IS 'Erased from then on: 30 days after the card''s account has ended (DOMAIN 4.1); NULL: it has not.';

CREATE FUNCTION address_until() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE address SET until = CASE WHEN NEW.state IN ('closed', 'cancelled', 'erased')
        THEN NEW.state_since + interval '30 days' END WHERE person_id = NEW.person_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION address_until() IS 'The address of a card is kept as long as its account, and 30 days more.';
CREATE TRIGGER address_until AFTER UPDATE OF state ON dossier FOR EACH ROW
    WHEN (NEW.type = 'x509_card' AND OLD.state <> NEW.state) EXECUTE FUNCTION address_until();

-- --- kept codes --------------------------------------------------------------------------------------------------------
ALTER TABLE secret_escrow ADD COLUMN kind text NOT NULL DEFAULT 'revocation'
    CHECK (kind IN ('revocation', 'reactivation_otp', 'reactivation_pin'));
ALTER TABLE secret_escrow ALTER COLUMN kind DROP DEFAULT, DROP CONSTRAINT secret_escrow_pkey,
    ADD PRIMARY KEY (dossier_id, kind);
COMMENT ON TABLE secret_escrow IS 'Codes kept to act with, which no screen shows: of a sheet that was shown the blocking code, of a card all three (P-015). Gone when used, replaced, or when the account ends.';
COMMENT ON COLUMN secret_escrow.sealed IS 'Sealed under (secret_escrow.sealed, dossier) for the blocking code, (secret_escrow.<kind>, dossier) for the others.';

-- --- hand-over and reactivation: proposals that one agent sends alone, or two when something is missing ------------------
ALTER TABLE identity_check DROP CONSTRAINT identity_check_act_check;
ALTER TABLE identity_check ADD CONSTRAINT identity_check_act_check
    CHECK (act IN ('creation', 'reissue', 'block', 'close', 'hand_over', 'reactivate'));

ALTER TABLE proposal DROP CONSTRAINT proposal_kind_check;
ALTER TABLE proposal
    ADD CONSTRAINT proposal_kind_check CHECK (kind IN ('authz', 'close', 'reopen', 'hand_over', 'reactivate')),
    ADD COLUMN identity_id bigint REFERENCES identity_check,
    ADD COLUMN override text CHECK (override IN ('no_reader', 'broken_reader', 'mute_card')),
    ADD COLUMN pin_lost boolean NOT NULL DEFAULT false,
    ADD COLUMN certificate bytea,
    ADD COLUMN pin bytea,
    ADD COLUMN refusal text NOT NULL DEFAULT '',
    ADD CHECK (kind IN ('hand_over', 'reactivate') OR override IS NULL),
    ADD CHECK (kind IN ('close', 'hand_over', 'reactivate') OR identity_id IS NULL),
    ADD CHECK (kind = 'reactivate' OR NOT pin_lost),
    ADD CHECK (state = 'waiting' OR (certificate IS NULL AND pin IS NULL)),
    ADD CHECK (kind NOT IN ('hand_over', 'reactivate') OR identity_id IS NOT NULL),
    ADD CONSTRAINT proposal_card_or_reason CHECK (kind NOT IN ('hand_over', 'reactivate') OR state <> 'waiting'
        OR (certificate IS NULL) = (override IS NOT NULL)),
    ADD CONSTRAINT proposal_pin_or_lost CHECK (kind <> 'reactivate' OR state <> 'waiting' OR (pin IS NULL) = pin_lost);
COMMENT ON COLUMN proposal.identity_id IS 'The identity check of this act; of a hand-over or reactivation the reference on paper and at the IdP.';
COMMENT ON COLUMN proposal.override IS 'Why the card''s certificate could not be read: a second agent answers for it (P-063).';
COMMENT ON COLUMN proposal.pin_lost IS 'The citizen has not the return code of the letter: a second agent answers for it (P-064).';
COMMENT ON COLUMN proposal.certificate IS 'What was read from the card, sealed (proposal.certificate, id); goes with the request.';
COMMENT ON COLUMN proposal.pin IS 'The return code that the citizen typed, sealed (proposal.pin, id); goes with the request.';
COMMENT ON COLUMN proposal.refusal IS 'Code of the IdP''s refusal.';
COMMENT ON COLUMN proposal.four_eyes IS 'Set by the schema: closing, opening again, rights of which one is sensitive, a card or a return code that is missing.';

CREATE OR REPLACE FUNCTION proposal_rules() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.four_eyes := NEW.kind IN ('close', 'reopen') OR NEW.override IS NOT NULL OR NEW.pin_lost;
        IF NEW.state <> 'waiting' OR NOT EXISTS (SELECT FROM role_grant g WHERE g.agent_id = NEW.proposed_by
                AND g.role = 'guichet' AND g.period @> NEW.proposed_at) THEN
            RAISE EXCEPTION 'who proposes has not the role' USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.kind IN ('hand_over', 'reactivate') AND NOT EXISTS (SELECT FROM dossier d WHERE d.id = NEW.dossier_id
                AND d.type = 'x509_card') THEN
            RAISE EXCEPTION 'only a card is handed over or comes back' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.dossier_id, NEW.kind, NEW.proposed_by, NEW.proposed_at, NEW.pin_lost) IS DISTINCT FROM
            (OLD.dossier_id, OLD.kind, OLD.proposed_by, OLD.proposed_at, OLD.pin_lost)
            OR NEW.reason IS DISTINCT FROM OLD.reason OR NEW.override IS DISTINCT FROM OLD.override
            OR NEW.identity_id IS DISTINCT FROM OLD.identity_id
            OR (OLD.four_eyes AND NOT NEW.four_eyes)
            OR (OLD.key IS NOT NULL AND (NEW.key, NEW.decided_by) IS DISTINCT FROM (OLD.key, OLD.decided_by)) THEN
        RAISE EXCEPTION 'what was proposed is not rewritten' USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state = 'waiting' AND NEW.state = 'sent' AND NEW.four_eyes AND NOT EXISTS (SELECT FROM role_grant g
            WHERE g.agent_id = NEW.decided_by AND g.role = 'validation' AND g.period @> NEW.decided_at) THEN
        RAISE EXCEPTION 'who agrees has not the role' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION proposal_rules() IS 'Only guichet proposes, only validation agrees, nobody rewrites; only cards are handed over.';

-- --- requests ----------------------------------------------------------------------------------------------------------
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN ('create', 'reissue', 'block', 'block_second', 'authz',
    'close', 'reopen', 'hand_over', 'reactivate'));
COMMENT ON COLUMN outbox.payload IS 'Body of the call, sealed (outbox.payload, key), until it is answered. Names and addresses only where the account is a card, or a certificate that bears the name.';
DROP TRIGGER outbox_proposal_rules ON outbox;
CREATE TRIGGER outbox_proposal_rules BEFORE INSERT ON outbox FOR EACH ROW
    WHEN (NEW.kind IN ('authz', 'close', 'reopen', 'hand_over', 'reactivate')) EXECUTE FUNCTION outbox_proposal_rules();

GRANT SELECT, INSERT, UPDATE ON address TO mairie_web;
GRANT SELECT (person_id, until), UPDATE (until), DELETE ON address TO mairie_outbox;
