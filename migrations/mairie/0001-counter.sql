-- The counter of one town hall: agents, dossiers with their sealed names, requests to the IdP, sheets.
-- Roles mairie_web and mairie_outbox exist before (packaging/sql/roles.sql). Names of citizens are sealed by the
-- program (base/crypto/seal.h, column_seal) and found again by keyed hashes of their trigrams (T-09); the outbox
-- process cannot read them at all. Times come from the programs, never from now().

-- include ../common/job.sql
-- include ../common/audit.sql

-- For the exclusion constraint of role_grant; a trusted extension, part of PostgreSQL.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE agent (
    id         uuid PRIMARY KEY,
    login      text NOT NULL UNIQUE CHECK (login ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    password   text NOT NULL,
    totp       bytea NOT NULL,
    totp_step  bigint NOT NULL DEFAULT -1,
    active     boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE agent IS 'A person who works at the counter.';
COMMENT ON COLUMN agent.password IS 'argon2id, PHC string.';
COMMENT ON COLUMN agent.totp IS 'Key of the one-time codes, sealed (agent.totp, id).';
COMMENT ON COLUMN agent.totp_step IS 'Last time step that was accepted: a code works once.';

CREATE TABLE role_grant (
    agent_id    uuid NOT NULL REFERENCES agent,
    role        text NOT NULL CHECK (role IN ('guichet', 'validation', 'controleur')),
    class       text NOT NULL GENERATED ALWAYS AS (CASE role WHEN 'controleur' THEN 'control' ELSE 'office' END) STORED,
    period      tstzrange NOT NULL,
    proposed_by text NOT NULL,
    EXCLUDE USING gist (agent_id WITH =, role WITH =, period WITH &&),
    CONSTRAINT role_grant_incompatible EXCLUDE USING gist (agent_id WITH =, class WITH <>, period WITH &&)
);
COMMENT ON TABLE role_grant IS 'Who may do what, when (DOMAIN 3.2).';
COMMENT ON CONSTRAINT role_grant_incompatible ON role_grant IS 'Who controls does not act, whatever program writes here (DOMAIN 3.3).';
COMMENT ON COLUMN role_grant.proposed_by IS 'operator:<login> who wrote the grant.';

CREATE TABLE session (
    token_digest bytea PRIMARY KEY CHECK (octet_length(token_digest) = 32),
    agent_id     uuid NOT NULL REFERENCES agent,
    created_at   timestamptz NOT NULL,
    idle_until   timestamptz NOT NULL,
    abs_until    timestamptz NOT NULL,
    live         boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE session IS 'Signed-in agents by SHA-256 of their cookie; ten idle minutes end one (T-03).';

CREATE TABLE throttle (
    bucket bytea PRIMARY KEY,
    level  double precision NOT NULL,
    at     timestamptz NOT NULL
);
COMMENT ON TABLE throttle IS 'Failed sign-ins by keyed hash of login and address: they slow, they never lock out.';

CREATE TABLE draft (
    id       uuid PRIMARY KEY,
    agent_id uuid NOT NULL REFERENCES agent,
    body     bytea NOT NULL,
    other    boolean NOT NULL DEFAULT false,
    at       timestamptz NOT NULL
);
COMMENT ON TABLE draft IS 'A form that was begun; its owner finds it again after a pause.';
COMMENT ON COLUMN draft.body IS 'What was typed, sealed (draft.body, id).';
COMMENT ON COLUMN draft.other IS 'The clerk has said that a person of the same name is somebody else.';

CREATE TABLE person (
    id          uuid PRIMARY KEY,
    birth_name  bytea NOT NULL,
    usual_name  bytea,
    given_names bytea,
    tokens      bigint[] NOT NULL
);
COMMENT ON TABLE person IS 'The vault of names: every text sealed (person.<column>, id).';
COMMENT ON COLUMN person.given_names IS 'NULL: the person has none (P-005).';
COMMENT ON COLUMN person.tokens IS 'Keyed hashes of the trigrams of the folded names, to find them again.';
CREATE INDEX person_tokens ON person USING gin (tokens);

CREATE TABLE dossier (
    id           uuid PRIMARY KEY,
    person_id    uuid NOT NULL REFERENCES person,
    type         text NOT NULL CHECK (type IN ('password')),
    handle       text NOT NULL UNIQUE CHECK (handle ~ '^[A-Za-z0-9_-]{22,64}$'),
    state        text NOT NULL CHECK (state IN ('to_validate', 'requested', 'pending', 'active', 'suspended', 'closed', 'cancelled', 'erased')),
    state_since  timestamptz NOT NULL,
    final        boolean NOT NULL DEFAULT false,
    bound        boolean NOT NULL DEFAULT false,
    contested    boolean NOT NULL DEFAULT false,
    stale_by     uuid REFERENCES agent,
    lang         text NOT NULL CHECK (lang IN ('fr', 'en')),
    large        boolean NOT NULL DEFAULT false,
    created_by   uuid NOT NULL REFERENCES agent,
    created_at   timestamptz NOT NULL,
    validated_by uuid REFERENCES agent,
    CHECK (validated_by <> created_by)
);
COMMENT ON TABLE dossier IS 'One account of one person as the town hall knows it.';
COMMENT ON COLUMN dossier.handle IS 'Random name, all that the IdP ever sees of the person.';
COMMENT ON COLUMN dossier.state IS 'DOMAIN 2.1, before that: to_validate (a second agent must agree), requested (on its way).';
COMMENT ON COLUMN dossier.bound IS 'The citizen has sent the creation code.';
COMMENT ON COLUMN dossier.stale_by IS 'The kept blocking code was refused when this agent blocked: a second agent blocks by handle (P-061).';
COMMENT ON COLUMN dossier.large IS 'The sheet is printed in large letters.';
CREATE INDEX dossier_person ON dossier (person_id);
CREATE INDEX dossier_waiting ON dossier (state_since) WHERE state IN ('to_validate', 'requested', 'pending');

CREATE TABLE identity_check (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dossier_id uuid NOT NULL REFERENCES dossier,
    act        text NOT NULL CHECK (act IN ('creation', 'reissue', 'block')),
    doc_type   text NOT NULL CHECK (doc_type IN ('cni', 'passport', 'residence', 'driving', 'other')),
    doc_expiry date,
    agent_id   uuid NOT NULL REFERENCES agent,
    at         timestamptz NOT NULL
);
COMMENT ON TABLE identity_check IS 'Which document was seen for which act, never a copy (P-003).';

CREATE TABLE authorisation_def (
    code      text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9_]{0,63}$'),
    label_fr  text NOT NULL CHECK (length(label_fr) BETWEEN 1 AND 120),
    label_en  text NOT NULL CHECK (length(label_en) BETWEEN 1 AND 120),
    sensitive boolean NOT NULL DEFAULT false,
    offered   boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE authorisation_def IS 'The authorisations this town gives (P-007).';
COMMENT ON COLUMN authorisation_def.sensitive IS 'A second agent agrees, and an end date is compulsory (P-008).';

CREATE TABLE authorisation (
    dossier_id  uuid NOT NULL REFERENCES dossier,
    code        text NOT NULL REFERENCES authorisation_def,
    sensitive   boolean NOT NULL,
    valid_until timestamptz,
    granted_by  uuid NOT NULL REFERENCES agent,
    granted_at  timestamptz NOT NULL,
    approved_by uuid REFERENCES agent,
    approved_at timestamptz,
    PRIMARY KEY (dossier_id, code),
    CHECK (approved_by <> granted_by),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CHECK (NOT sensitive OR valid_until IS NOT NULL)
);
COMMENT ON TABLE authorisation IS 'What a dossier was given, by whom, with whose agreement.';

-- Object-level rules of DOMAIN 3.3, for every program that writes here.
CREATE FUNCTION authorisation_rules() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    SELECT d.sensitive INTO NEW.sensitive FROM authorisation_def d WHERE d.code = NEW.code;
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM role_grant g WHERE g.agent_id = NEW.granted_by
            AND g.role = 'guichet' AND g.period @> NEW.granted_at) THEN
        RAISE EXCEPTION 'who grants has not the role' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.approved_by IS NOT NULL AND NOT EXISTS (SELECT FROM role_grant g WHERE g.agent_id = NEW.approved_by
            AND g.role = 'validation' AND g.period @> NEW.approved_at) THEN
        RAISE EXCEPTION 'who agrees has not the role' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION authorisation_rules() IS 'Only guichet grants, only validation agrees; sensitive is as the town defines it.';
CREATE TRIGGER authorisation_rules BEFORE INSERT OR UPDATE ON authorisation FOR EACH ROW
    EXECUTE FUNCTION authorisation_rules();

CREATE TABLE outbox (
    key        text PRIMARY KEY CHECK (key ~ '^[A-Za-z0-9_-]{16,128}$'),
    dossier_id uuid NOT NULL REFERENCES dossier,
    kind       text NOT NULL CHECK (kind IN ('create', 'reissue', 'block', 'block_second')),
    payload    bytea NOT NULL,
    agent_id   uuid NOT NULL REFERENCES agent,
    state      text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'answered', 'done', 'dead')),
    tries      integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    next_at    timestamptz NOT NULL,
    lease      uuid,
    ended_at   timestamptz,
    reason     text NOT NULL DEFAULT ''
);
COMMENT ON TABLE outbox IS 'Requests to the IdP, written before any call and sent until they are answered (K9, D-04).';
COMMENT ON COLUMN outbox.key IS 'Idempotency-Key of the call; also what its answer is sealed under.';
COMMENT ON COLUMN outbox.payload IS 'Body of the call, sealed (outbox.payload, key). Never a name.';
COMMENT ON COLUMN outbox.state IS 'due: to be sent; answered: the answer is kept, to be acknowledged; done; dead: refused, with the reason.';
COMMENT ON COLUMN outbox.next_at IS 'Not taken before; while somebody has it, the end of their lease.';
COMMENT ON COLUMN outbox.lease IS 'Who has taken it: an older sender cannot end it any more.';
CREATE INDEX outbox_due ON outbox (next_at) WHERE state IN ('due', 'answered');
CREATE INDEX outbox_dossier ON outbox (dossier_id);

CREATE FUNCTION outbox_rules() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM authorisation a WHERE a.dossier_id = NEW.dossier_id AND a.sensitive
               AND a.approved_by IS NULL) THEN
        RAISE EXCEPTION 'a sensitive authorisation has not been agreed to' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION outbox_rules() IS 'Nothing is asked for with a sensitive authorisation that one agent gave alone (P-008).';
CREATE TRIGGER outbox_rules BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.kind = 'create')
    EXECUTE FUNCTION outbox_rules();

CREATE TABLE sheet (
    dossier_id  uuid PRIMARY KEY REFERENCES dossier,
    key         text NOT NULL,
    sealed      bytea,
    received_at timestamptz NOT NULL,
    shown_at    timestamptz,
    shown_by    uuid REFERENCES agent,
    CHECK ((sealed IS NULL) = (shown_at IS NOT NULL))
);
COMMENT ON TABLE sheet IS 'Codes of the last sheet, sealed to the town''s key, until they are shown once (P-037, P-038).';
COMMENT ON COLUMN sheet.key IS 'Idempotency-Key they were sealed under.';

CREATE TABLE secret_escrow (
    dossier_id uuid PRIMARY KEY REFERENCES dossier,
    sealed     bytea NOT NULL,
    issued_at  timestamptz NOT NULL
);
COMMENT ON TABLE secret_escrow IS 'The blocking code of a sheet that was shown, sealed (secret_escrow.sealed, dossier); gone when used.';

CREATE TABLE change_cursor (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    cursor text NOT NULL,
    at     timestamptz NOT NULL
);
COMMENT ON TABLE change_cursor IS 'How far the IdP''s changes were read.';

GRANT SELECT, INSERT, UPDATE, DELETE ON session, throttle, draft, outbox, sheet, secret_escrow TO mairie_web;
GRANT SELECT, INSERT, UPDATE ON person, dossier, authorisation TO mairie_web;
GRANT SELECT, INSERT ON identity_check TO mairie_web;
GRANT SELECT ON authorisation_def, role_grant, agent, audit_event, change_cursor TO mairie_web;
GRANT UPDATE (password, totp_step) ON agent TO mairie_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, sheet, secret_escrow, session, throttle, draft, change_cursor TO mairie_outbox;
GRANT SELECT, UPDATE ON dossier TO mairie_outbox;
