-- What happens to an account after it was made: rights that change, with their history; acts that need two agents
-- (rights that are sensitive, closing, opening again); requests that are cancelled; agents and roles that end.

-- --- rights: a row is what was given and never changes; it ends, and another takes its place ---------------------------
ALTER TABLE authorisation DROP CONSTRAINT authorisation_pkey;
ALTER TABLE authorisation
    ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ADD COLUMN ended_at timestamptz,
    ADD COLUMN ended_by uuid REFERENCES agent,
    ADD CHECK ((ended_at IS NULL) = (ended_by IS NULL));
CREATE UNIQUE INDEX authorisation_now ON authorisation (dossier_id, code) WHERE ended_at IS NULL;
COMMENT ON TABLE authorisation IS 'What a dossier was given, by whom, with whose agreement, and until when it held: the history is kept (P-007).';
COMMENT ON COLUMN authorisation.ended_at IS 'When it was taken back or replaced; NULL: it holds, until valid_until at most.';
COMMENT ON COLUMN authorisation.ended_by IS 'Who took it back or replaced it.';

CREATE OR REPLACE FUNCTION authorisation_rules() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT d.sensitive INTO NEW.sensitive FROM authorisation_def d WHERE d.code = NEW.code;
        IF NOT EXISTS (SELECT FROM role_grant g WHERE g.agent_id = NEW.granted_by
                AND g.role = 'guichet' AND g.period @> NEW.granted_at) THEN
            RAISE EXCEPTION 'who grants has not the role' USING ERRCODE = 'check_violation';
        END IF;
    ELSIF OLD.ended_at IS NOT NULL OR (NEW.dossier_id, NEW.code, NEW.sensitive, NEW.granted_by, NEW.granted_at)
            IS DISTINCT FROM (OLD.dossier_id, OLD.code, OLD.sensitive, OLD.granted_by, OLD.granted_at)
            OR NEW.valid_until IS DISTINCT FROM OLD.valid_until
            OR (OLD.approved_by IS NOT NULL AND (NEW.approved_by, NEW.approved_at)
                IS DISTINCT FROM (OLD.approved_by, OLD.approved_at)) THEN
        RAISE EXCEPTION 'what was given is not rewritten' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.approved_by IS NOT NULL AND NOT EXISTS (SELECT FROM role_grant g WHERE g.agent_id = NEW.approved_by
            AND g.role = 'validation' AND g.period @> NEW.approved_at) THEN
        RAISE EXCEPTION 'who agrees has not the role' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION authorisation_rules() IS 'Only guichet grants, only validation agrees; sensitive is as the town defines it; a row of the past stays as it was.';

-- --- proposals --------------------------------------------------------------------------------------------------------
CREATE TABLE proposal (
    id          uuid PRIMARY KEY,
    dossier_id  uuid NOT NULL REFERENCES dossier,
    kind        text NOT NULL CHECK (kind IN ('authz', 'close', 'reopen')),
    reason      text CHECK (reason IN ('death', 'departure', 'request', 'error')),
    four_eyes   boolean NOT NULL DEFAULT true,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'done', 'refused', 'dropped')),
    proposed_by uuid NOT NULL REFERENCES agent,
    proposed_at timestamptz NOT NULL,
    decided_by  uuid REFERENCES agent,
    decided_at  timestamptz,
    key         text UNIQUE,
    CHECK ((kind = 'close') = (reason IS NOT NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    CHECK ((state IN ('waiting', 'dropped')) = (key IS NULL)),
    CONSTRAINT proposal_four_eyes CHECK (NOT four_eyes OR key IS NULL OR (decided_by IS NOT NULL AND decided_by <> proposed_by))
);
COMMENT ON TABLE proposal IS 'A change of an account that one agent proposes; where four eyes are needed it is sent when another has agreed (P-008, DOMAIN 2.1).';
COMMENT ON COLUMN proposal.reason IS 'Why an account is closed.';
COMMENT ON COLUMN proposal.four_eyes IS 'Set by the schema: closing, opening again, and rights of which one is sensitive.';
COMMENT ON COLUMN proposal.state IS 'waiting for the second agent; sent to the IdP; done; refused by the IdP; dropped: taken back, or not agreed to.';
COMMENT ON COLUMN proposal.decided_by IS 'Who agreed, or who dropped it.';
COMMENT ON COLUMN proposal.key IS 'Key of its row in outbox, from when it is sent.';
CREATE INDEX proposal_dossier ON proposal (dossier_id, proposed_at);
CREATE UNIQUE INDEX proposal_open ON proposal (dossier_id) WHERE state IN ('waiting', 'sent');

CREATE TABLE proposal_authz (
    proposal_id uuid NOT NULL REFERENCES proposal,
    code        text NOT NULL REFERENCES authorisation_def,
    gives       boolean NOT NULL,
    valid_until timestamptz,
    PRIMARY KEY (proposal_id, code),
    CHECK (gives OR valid_until IS NULL)
);
COMMENT ON TABLE proposal_authz IS 'The rights that a proposal gives (or gives another end date) and takes.';

CREATE FUNCTION proposal_rules() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.four_eyes := NEW.kind <> 'authz';
        IF NEW.state <> 'waiting' OR NOT EXISTS (SELECT FROM role_grant g WHERE g.agent_id = NEW.proposed_by
                AND g.role = 'guichet' AND g.period @> NEW.proposed_at) THEN
            RAISE EXCEPTION 'who proposes has not the role' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.dossier_id, NEW.kind, NEW.proposed_by, NEW.proposed_at) IS DISTINCT FROM
            (OLD.dossier_id, OLD.kind, OLD.proposed_by, OLD.proposed_at) OR NEW.reason IS DISTINCT FROM OLD.reason
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
COMMENT ON FUNCTION proposal_rules() IS 'Only guichet proposes, only validation agrees, nobody rewrites.';
CREATE TRIGGER proposal_rules BEFORE INSERT OR UPDATE ON proposal FOR EACH ROW EXECUTE FUNCTION proposal_rules();

CREATE FUNCTION proposal_authz_rules() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM proposal p WHERE p.id = NEW.proposal_id AND p.kind = 'authz' AND p.state = 'waiting') THEN
        RAISE EXCEPTION 'the proposal is not open' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM authorisation_def d WHERE d.code = NEW.code AND d.sensitive) THEN
        IF NEW.gives AND NEW.valid_until IS NULL THEN
            RAISE EXCEPTION 'a sensitive authorisation needs an end date' USING ERRCODE = 'check_violation';
        END IF;
        UPDATE proposal SET four_eyes = true WHERE id = NEW.proposal_id;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION proposal_authz_rules() IS 'One sensitive right makes the whole change one of four eyes (P-008).';
CREATE TRIGGER proposal_authz_rules BEFORE INSERT ON proposal_authz FOR EACH ROW EXECUTE FUNCTION proposal_authz_rules();

-- --- requests ---------------------------------------------------------------------------------------------------------
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check, DROP CONSTRAINT outbox_state_check;
ALTER TABLE outbox
    ADD CONSTRAINT outbox_kind_check CHECK (kind IN ('create', 'reissue', 'block', 'block_second', 'authz', 'close', 'reopen')),
    ADD CONSTRAINT outbox_state_check CHECK (state IN ('due', 'answered', 'done', 'dead', 'cancelled'));
COMMENT ON COLUMN outbox.state IS 'due: to be sent; answered: the answer is kept, to be acknowledged; done; dead: refused, with the reason; cancelled at the counter.';

CREATE FUNCTION outbox_proposal_rules() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM proposal p WHERE p.key = NEW.key AND p.dossier_id = NEW.dossier_id AND p.kind = NEW.kind
               AND p.state = 'sent') THEN
        RAISE EXCEPTION 'nobody proposed it, or not enough agents have agreed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION outbox_proposal_rules() IS 'Rights, closings and openings are asked for only as they were proposed and agreed to.';
CREATE TRIGGER outbox_proposal_rules BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.kind IN ('authz', 'close', 'reopen'))
    EXECUTE FUNCTION outbox_proposal_rules();

ALTER TABLE dossier ADD COLUMN unopened boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN dossier.unopened IS 'Closed because it was blocked before it was ever open: new codes open it, without a second agent (DOMAIN 2.1).';

ALTER TABLE identity_check DROP CONSTRAINT identity_check_act_check;
ALTER TABLE identity_check
    ADD CONSTRAINT identity_check_act_check CHECK (act IN ('creation', 'reissue', 'block', 'close'));

-- --- what the IdP was told --------------------------------------------------------------------------------------------
CREATE TABLE labels_told (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    at     timestamptz NOT NULL
);
COMMENT ON TABLE labels_told IS 'SHA-256 of the list of authorisations that the IdP has: another list is told to it.';

-- --- agents -----------------------------------------------------------------------------------------------------------
ALTER TABLE agent ADD COLUMN ended_at timestamptz, ADD CHECK (active = (ended_at IS NULL));
COMMENT ON COLUMN agent.ended_at IS 'When this agent left: no sign-in and no session from then on (T-24).';

GRANT SELECT, INSERT, UPDATE ON proposal TO mairie_web;
GRANT SELECT, INSERT ON proposal_authz TO mairie_web;
GRANT SELECT, UPDATE ON proposal TO mairie_outbox;
GRANT SELECT ON proposal_authz, authorisation_def, role_grant TO mairie_outbox;
GRANT SELECT, INSERT, UPDATE ON authorisation TO mairie_outbox;
GRANT SELECT, INSERT, UPDATE ON labels_told TO mairie_outbox;
