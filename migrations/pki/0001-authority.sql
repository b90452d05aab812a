-- The certification authority: persons and their roles, authorities, registrations, requests, certificates, revocations,
-- CRLs, OCSP signers. Roles pki_signer, pki_front, pki_status and pki_worker exist before (packaging/sql/roles.sql). Times
-- come from the programs, never from now().

-- include ../common/job.sql
-- include ../common/audit.sql

-- --- persons and roles --------------------------------------------------------------------------------------------------

CREATE TABLE person (
    id         uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9.-]{1,62}$'),
    label      text NOT NULL CHECK (length(label) BETWEEN 1 AND 120),
    public_key bytea NOT NULL UNIQUE,
    state      text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'ended')),
    added_at   timestamptz NOT NULL,
    ended_at   timestamptz
);
COMMENT ON TABLE person IS 'Who acts in the authority: custodians, operators, auditors. One human, one row: rules are about persons, not accounts.';
COMMENT ON COLUMN person.name IS 'Short name in commands and audit rows.';
COMMENT ON COLUMN person.label IS 'Full name, for the ceremony record.';
COMMENT ON COLUMN person.public_key IS 'Ed25519 SubjectPublicKeyInfo: their approvals are signatures that the signer verifies.';

CREATE TABLE ceremony (
    id      uuid PRIMARY KEY,
    kind    text NOT NULL CHECK (kind IN ('root', 'issuing', 'renew', 'list', 'compromise', 'destroy')),
    ca_name text NOT NULL,
    record  text NOT NULL,
    sha256  bytea NOT NULL CHECK (octet_length(sha256) = 32),
    at      timestamptz NOT NULL
);
COMMENT ON TABLE ceremony IS 'Records of key ceremonies (P-125): who was there in which role, each step, the hash of each thing made.';
COMMENT ON COLUMN ceremony.sha256 IS 'Of the record''s text: what participants signed, on paper too.';

CREATE TABLE ceremony_signature (
    ceremony_id uuid NOT NULL REFERENCES ceremony,
    name        text NOT NULL,
    public_key  bytea NOT NULL,
    signature   bytea NOT NULL,
    PRIMARY KEY (ceremony_id, name)
);
COMMENT ON TABLE ceremony_signature IS 'The record signed by each participant''s key. Witnesses from outside sign the printed record.';
COMMENT ON COLUMN ceremony_signature.signature IS 'Ed25519 over "beffroi-pki ceremony record" 0x00 and the record''s SHA-256.';

CREATE TABLE role_grant (
    id          uuid PRIMARY KEY,
    person_id   uuid NOT NULL REFERENCES person,
    role        text NOT NULL CHECK (role IN ('custodian', 'systems', 'security', 'auditor', 'service_desk', 'revocation',
                                              'registration', 'validation', 'perso', 'pinmailer')),
    period      tstzrange NOT NULL CHECK (NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)),
    ceremony_id uuid REFERENCES ceremony,
    proposed_by uuid REFERENCES person,
    approved_by uuid REFERENCES person,
    approved_at timestamptz,
    withdrawn_at timestamptz,
    CHECK ((ceremony_id IS NULL) = (proposed_by IS NOT NULL)),
    CHECK (proposed_by <> person_id),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
    CHECK (approved_by IS NULL OR (ceremony_id IS NULL AND approved_by <> proposed_by AND approved_by <> person_id)),
    CHECK (upper(period) <= lower(period) + interval '2 years')
);
COMMENT ON TABLE role_grant IS 'Dated roles, granted by two who are not the holder (P-110): a grant counts once it is approved, inside its period, until it is withdrawn.';
COMMENT ON COLUMN role_grant.ceremony_id IS 'The first persons have no two who could grant: their roles were declared before witnesses in a ceremony, and its record says so.';
COMMENT ON COLUMN role_grant.period IS 'Ends always, after two years at most: roles are looked at again.';
CREATE INDEX role_grant_person ON role_grant (person_id);
CREATE VIEW role_live AS
    SELECT id, person_id, role, greatest(lower(period), coalesce(approved_at, lower(period))) AS since,
           least(upper(period), coalesce(withdrawn_at, upper(period))) AS until
    FROM role_grant WHERE ceremony_id IS NOT NULL OR approved_by IS NOT NULL;
COMMENT ON VIEW role_live IS 'Grants that count, with the times between which they do.';

CREATE TABLE role_conflict (
    a text NOT NULL,
    b text NOT NULL,
    PRIMARY KEY (a, b),
    CHECK (a < b)
);
COMMENT ON TABLE role_conflict IS 'Pairs that one person never holds at the same time (DOMAIN 3.3, P-124).';
INSERT INTO role_conflict (a, b) VALUES
    ('perso', 'registration'), ('pinmailer', 'registration'), ('registration', 'service_desk'),
    ('registration', 'security'), ('registration', 'systems'), ('auditor', 'registration'),
    ('perso', 'validation'), ('pinmailer', 'validation'), ('service_desk', 'validation'),
    ('security', 'validation'), ('systems', 'validation'), ('auditor', 'validation'),
    ('perso', 'pinmailer'), ('perso', 'security'), ('perso', 'systems'), ('auditor', 'perso'),
    ('pinmailer', 'security'), ('pinmailer', 'systems'), ('auditor', 'pinmailer'),
    ('revocation', 'security'), ('revocation', 'systems'), ('auditor', 'revocation'),
    ('security', 'service_desk'), ('service_desk', 'systems'), ('auditor', 'service_desk'),
    ('security', 'systems'), ('auditor', 'security'), ('auditor', 'systems'),
    ('auditor', 'custodian');

-- The matrix holds in the schema too, whoever writes (DOMAIN 3.3: "bypass the API with psql: still refused").
CREATE FUNCTION role_grant_check() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    other text;
BEGIN
    PERFORM FROM person WHERE id = NEW.person_id AND state = 'active' FOR UPDATE;
    IF NOT FOUND AND TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'a person who has ended has no new role' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'role_person_ended';
    END IF;
    IF TG_OP = 'UPDATE' AND (OLD.id, OLD.person_id, OLD.role, OLD.period, OLD.ceremony_id, OLD.proposed_by)
            IS DISTINCT FROM (NEW.id, NEW.person_id, NEW.role, NEW.period, NEW.ceremony_id, NEW.proposed_by)
            OR TG_OP = 'UPDATE' AND OLD.approved_by IS DISTINCT FROM NEW.approved_by AND OLD.approved_by IS NOT NULL
            OR TG_OP = 'UPDATE' AND OLD.withdrawn_at IS NOT NULL AND OLD.withdrawn_at IS DISTINCT FROM NEW.withdrawn_at THEN
        RAISE EXCEPTION 'a grant is approved once and withdrawn once, never edited' USING ERRCODE = 'check_violation',
            CONSTRAINT = 'role_grant_edited';
    END IF;
    SELECT g.role INTO other FROM role_grant g
        JOIN role_conflict c ON c.a = least(g.role, NEW.role) AND c.b = greatest(g.role, NEW.role)
        WHERE g.person_id = NEW.person_id AND g.id <> NEW.id AND g.period && NEW.period
            AND (g.withdrawn_at IS NULL OR g.withdrawn_at > lower(NEW.period)) AND NEW.withdrawn_at IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'one person cannot be % and %', NEW.role, other USING ERRCODE = 'exclusion_violation',
            CONSTRAINT = 'role_conflict';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER role_grant_check BEFORE INSERT OR UPDATE ON role_grant FOR EACH ROW EXECUTE FUNCTION role_grant_check();

CREATE TABLE approval (
    subject   bytea NOT NULL CHECK (octet_length(subject) = 32),
    person_id uuid NOT NULL REFERENCES person,
    act       text NOT NULL,
    signature bytea NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (subject, person_id)
);
COMMENT ON TABLE approval IS 'One person''s signed yes to one act. One person counts once for one act, whatever roles they hold.';
COMMENT ON COLUMN approval.subject IS 'SHA-256 of the canonical text of what is approved: any edit makes another subject.';
COMMENT ON COLUMN approval.signature IS 'Ed25519 of the person over "beffroi-pki approval", act, time and subject (pki/custody/approval.h); verified again by whoever acts on it.';
COMMENT ON COLUMN approval.at IS 'Whole seconds, signed too: an old yes does not become a new one.';

-- --- authorities -----------------------------------------------------------------------------------------------------------

CREATE TABLE ca (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,30}$'),
    generation  integer NOT NULL CHECK (generation > 0),
    kind        text NOT NULL CHECK (kind IN ('root', 'issuing')),
    issuer_id   integer REFERENCES ca,
    state       text NOT NULL CHECK (state IN ('ceremony', 'active', 'retiring', 'ended', 'compromised')),
    subject     bytea NOT NULL,
    serial      bytea NOT NULL,
    spki        bytea NOT NULL UNIQUE,
    key_id      bytea NOT NULL UNIQUE CHECK (octet_length(key_id) = 20),
    certificate bytea NOT NULL,
    key_uri     text NOT NULL,
    set_id      uuid NOT NULL,
    not_before  timestamptz NOT NULL,
    not_after   timestamptz NOT NULL,
    shards      integer NOT NULL DEFAULT 1 CHECK (shards BETWEEN 1 AND 256),
    crl_period  interval NOT NULL DEFAULT '24 hours',
    crl_life    interval NOT NULL DEFAULT '72 hours' CHECK (crl_life > crl_period),
    delta       boolean NOT NULL DEFAULT true,
    made_at     timestamptz NOT NULL,
    ended_at    timestamptz,
    UNIQUE (name, generation),
    CHECK ((kind = 'root') = (issuer_id IS NULL)),
    CHECK (not_after <= not_before + interval '10 years')
);
COMMENT ON TABLE ca IS 'Certification authorities. A renewed one is a new generation with a key and a name of its own (PKI: CN carries the generation).';
COMMENT ON COLUMN ca.state IS 'retiring: issues no more, still signs CRLs; compromised: its certificate is revoked.';
COMMENT ON COLUMN ca.key_id IS 'Subject key identifier: SHA-1-sized, the first 160 bits of SHA-256 of the public key (RFC 7093 §2 method 1).';
COMMENT ON COLUMN ca.key_uri IS 'sealed:FILE or pkcs11:… ; of an offline root: offline.';
COMMENT ON COLUMN ca.set_id IS 'The activation secret that opens its key: custodian.set_id.';
COMMENT ON COLUMN ca.shards IS 'Parts into which its CRL is split; the part of a certificate is drawn when it is issued and stays.';
COMMENT ON COLUMN ca.not_after IS 'At most ten years (P-138). It issues nothing that would outlive it.';

CREATE TABLE ca_cross (
    ca_id       integer NOT NULL REFERENCES ca,
    issuer_id   integer NOT NULL REFERENCES ca,
    certificate bytea NOT NULL,
    not_after   timestamptz NOT NULL,
    PRIMARY KEY (ca_id, issuer_id)
);
COMMENT ON TABLE ca_cross IS 'Further certificates of a root''s key, by the generation before it and after it (RFC 4210 §4.4: NewWithOld, OldWithNew).';

CREATE TABLE custodian (
    set_id    uuid NOT NULL,
    number    integer NOT NULL CHECK (number BETWEEN 1 AND 16),
    person_id uuid NOT NULL REFERENCES person,
    threshold integer NOT NULL CHECK (threshold BETWEEN 2 AND 16),
    total     integer NOT NULL CHECK (total BETWEEN threshold AND 16),
    sha256    bytea NOT NULL CHECK (octet_length(sha256) = 32),
    made_at   timestamptz NOT NULL,
    ended_at  timestamptz,
    PRIMARY KEY (set_id, number),
    UNIQUE (set_id, person_id)
);
COMMENT ON TABLE custodian IS 'Who keeps which share of an activation secret (k of n, P-126). The share itself is not here.';
COMMENT ON COLUMN custodian.sha256 IS 'Of the sealed octets of the share, to tell custodians which of their papers is meant.';

-- --- registrations, requests, certificates ------------------------------------------------------------------------------------

CREATE TABLE station (
    id         uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    profiles   text[] NOT NULL,
    towns      text[],
    may_revoke boolean NOT NULL DEFAULT false,
    state      text NOT NULL CHECK (state IN ('proposed', 'active', 'suspended', 'ended')),
    added_at   timestamptz NOT NULL,
    suspended_at timestamptz,
    ended_at   timestamptz,
    CHECK (cardinality(profiles) > 0 AND cardinality(towns) > 0),
    CHECK ((state = 'suspended') <= (suspended_at IS NOT NULL)),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL))
);
COMMENT ON TABLE station IS 'Programs and machines that may ask: the IdP, card operations, a personalisation station. Known by client certificates that we issued to them (certificate.station_id).';
COMMENT ON COLUMN station.profiles IS 'Profiles for which it may register holders.';
COMMENT ON COLUMN station.towns IS 'Towns whose holders it may touch; NULL: all.';
COMMENT ON COLUMN station.state IS 'proposed: waits for the second person; ended: for good, its name is never given again.';
COMMENT ON COLUMN station.suspended_at IS 'When it was suspended, the last time: what two approve when it resumes names this moment.';

CREATE TABLE registration (
    id             uuid PRIMARY KEY,
    station_id     uuid REFERENCES station,
    profile        text NOT NULL,
    town           text NOT NULL DEFAULT '',
    holder         text NOT NULL CHECK (length(holder) BETWEEN 1 AND 64),
    subject        bytea,
    support        text NOT NULL CHECK (support IN ('software', 'card')),
    proof          text NOT NULL CHECK (proof IN ('face_to_face', 'signed_file', 'none')),
    proof_ref      text NOT NULL DEFAULT '',
    proof_at       timestamptz,
    renewals       integer NOT NULL DEFAULT 0,
    state          text NOT NULL CHECK (state IN ('draft', 'open', 'closed')),
    made_at        timestamptz NOT NULL,
    closed_at      timestamptz,
    UNIQUE NULLS NOT DISTINCT (station_id, profile, holder)
);
COMMENT ON TABLE registration IS 'Who may have certificates of which profile, under which name: what a certificate says of its holder comes from here, never from a request.';
COMMENT ON COLUMN registration.holder IS 'Account number or handle at the IdP; a station''s own name for its own certificates.';
COMMENT ON COLUMN registration.subject IS 'Names for the certificate, sealed under the field key with this row as place; NULL once the certificate has been issued (DOMAIN 1.1).';
COMMENT ON COLUMN registration.support IS 'Where the holder''s key is, as whoever registers vouches: level 2 and 3 are not in software (P-120).';
COMMENT ON COLUMN registration.proof IS 'How the holder was identified (P-116); what a profile''s level asks is checked before signing.';
COMMENT ON COLUMN registration.renewals IS 'Renewals since the proof (P-117).';

CREATE TABLE request (
    id              uuid PRIMARY KEY,
    registration_id uuid NOT NULL REFERENCES registration,
    kind            text NOT NULL CHECK (kind IN ('enroll', 'renew', 'rekey')),
    origin          text NOT NULL CHECK (origin IN ('est', 'operator', 'status')),
    station_id      uuid REFERENCES station,
    asked_by        uuid REFERENCES person,
    csr             bytea NOT NULL,
    spki_sha256     bytea NOT NULL CHECK (octet_length(spki_sha256) = 32),
    replaces        uuid,
    state           text NOT NULL CHECK (state IN ('received', 'approved', 'issued', 'refused')),
    reason          text NOT NULL DEFAULT '',
    received_at     timestamptz NOT NULL,
    ended_at        timestamptz,
    UNIQUE (registration_id, spki_sha256)
);
-- Stations wait for the signer's answer at its socket; status has no door there.
CREATE FUNCTION request_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('pki_request', NEW.id::text);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION request_wake() IS 'Wakes the signer''s scanner; the scanner looks each second in any case.';
CREATE TRIGGER request_wake AFTER INSERT ON request FOR EACH ROW WHEN (NEW.origin = 'status')
    EXECUTE FUNCTION request_wake();
COMMENT ON TABLE request IS 'One key for one registration. The same request again finds this row and its certificate: it is answered alike.';
COMMENT ON COLUMN request.csr IS 'PKCS#10 as received, strict DER; its names and extensions are never read.';
COMMENT ON COLUMN request.replaces IS 'The certificate that a renewal follows.';
CREATE INDEX request_open ON request (received_at) WHERE state IN ('received', 'approved');

CREATE TABLE subject_name (
    ca_id  integer NOT NULL REFERENCES ca,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    holder text NOT NULL,
    PRIMARY KEY (ca_id, sha256)
);
COMMENT ON TABLE subject_name IS 'Whose name it is: the name of one holder is never given to another in the life of a CA (A2c III.1.5). Only its digest is here.';

CREATE TABLE certificate (
    id              uuid PRIMARY KEY,
    ca_id           integer NOT NULL REFERENCES ca,
    serial          bytea NOT NULL CHECK (octet_length(serial) = 16),
    shard           smallint NOT NULL DEFAULT 0,
    state           text NOT NULL CHECK (state IN ('reserved', 'issued', 'active', 'held', 'revoked', 'expired', 'archived', 'void')),
    state_since     timestamptz NOT NULL,
    reason          smallint,
    revoked_at      timestamptz,
    invalid_at      timestamptz,
    holds           smallint NOT NULL DEFAULT 0,
    compromised     boolean NOT NULL DEFAULT false,
    request_id      uuid UNIQUE REFERENCES request,
    registration_id uuid NOT NULL REFERENCES registration,
    station_id      uuid REFERENCES station,
    profile         text NOT NULL,
    profile_sha256  bytea NOT NULL CHECK (octet_length(profile_sha256) = 32),
    spki_sha256     bytea NOT NULL UNIQUE CHECK (octet_length(spki_sha256) = 32),
    not_before      timestamptz NOT NULL,
    not_after       timestamptz NOT NULL,
    accepted_at     timestamptz,
    UNIQUE (ca_id, serial),
    CHECK ((state IN ('held', 'revoked')) <= (revoked_at IS NOT NULL)),
    CHECK ((revoked_at IS NOT NULL) <= (state IN ('held', 'revoked', 'expired', 'archived'))),
    CHECK (state <> 'held' OR reason = 6)
);
COMMENT ON TABLE certificate IS 'The truth about every certificate (DOMAIN 2.3). A row is there, reserved with the text to be signed, before the key is touched. Never the same key twice, whoever asks (A2c III.3).';
COMMENT ON COLUMN certificate.serial IS '128 random bits, the first bit 0 and the first byte not 0.';
COMMENT ON COLUMN certificate.state IS 'reserved: text linted and written, not signed yet; void: a reservation that a crash left, never signed.';
COMMENT ON COLUMN certificate.reason IS 'RFC 5280 §5.3.1 code, always kept; whether a CRL shows it is the profile''s choice (L18).';
COMMENT ON COLUMN certificate.revoked_at IS 'When it was revoked or held; stays when a hold becomes a revocation and when it expires; NULL again once released. Who has it stands in the CRLs.';
COMMENT ON COLUMN certificate.invalid_at IS 'Since when the key must be thought bad (invalidityDate).';
COMMENT ON COLUMN certificate.compromised IS 'Somebody said so once: never released again.';
COMMENT ON COLUMN certificate.station_id IS 'Whose client certificate this is, for certificates of stations.';
COMMENT ON COLUMN certificate.accepted_at IS 'When the holder accepted it (P-121).';
CREATE INDEX certificate_registration ON certificate (registration_id);
CREATE INDEX certificate_bad ON certificate (ca_id, shard, serial) WHERE revoked_at IS NOT NULL;
CREATE INDEX certificate_bad_at ON certificate (ca_id, shard, revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX certificate_bad_end ON certificate (ca_id, shard, not_after) WHERE revoked_at IS NOT NULL;
CREATE INDEX certificate_end ON certificate (not_after) WHERE state IN ('issued', 'active', 'held');
CREATE INDEX certificate_reserved ON certificate (state_since) WHERE state = 'reserved';
CREATE INDEX certificate_unaccepted ON certificate (profile, not_before) WHERE accepted_at IS NULL AND state IN ('issued', 'active');

CREATE TABLE certificate_der (
    certificate_id uuid PRIMARY KEY REFERENCES certificate,
    tbs            bytea NOT NULL,
    der            bytea
);
COMMENT ON TABLE certificate_der IS 'Octets of a certificate: the text linted and written before signing, the whole once signed.';

CREATE TABLE status_change (
    seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tx     xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ca_id  integer NOT NULL,
    serial bytea NOT NULL,
    shard  smallint NOT NULL,
    was    text NOT NULL,
    state  text NOT NULL,
    reason smallint,
    at     timestamptz NOT NULL
);
COMMENT ON TABLE status_change IS 'Every change of a certificate''s state: what a delta CRL lists and a responder learns. Read below the oldest running transaction only, or again from there.';
CREATE INDEX status_change_tx ON status_change (tx, seq);
-- What lists say; most changes are of new certificates, which no list names.
CREATE INDEX status_change_delta ON status_change (ca_id, shard, tx) WHERE was = 'held' OR state IN ('held', 'revoked');

-- Whoever changes a state, the responders hear of it, in the same transaction; and what is final stays final.
CREATE FUNCTION certificate_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.state = NEW.state AND OLD.reason IS NOT DISTINCT FROM NEW.reason THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO status_change (ca_id, serial, shard, was, state, reason, at)
        VALUES (NEW.ca_id, NEW.serial, NEW.shard, CASE TG_OP WHEN 'UPDATE' THEN OLD.state ELSE '' END, NEW.state, NEW.reason,
                NEW.state_since);
    -- A notification makes commits wait for one another: a new certificate is found by who looks each second.
    IF TG_OP = 'INSERT' OR OLD.state <> 'reserved' THEN
        PERFORM pg_notify('pki_status', '');
    END IF;
    RETURN NULL;
END
$$;
-- A trigger of its own: the one below does not look at what becomes 'reserved'.
CREATE FUNCTION certificate_final() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE EXCEPTION 'a revoked certificate stays revoked' USING ERRCODE = 'check_violation', CONSTRAINT = 'certificate_final';
END
$$;
CREATE TRIGGER certificate_final BEFORE UPDATE OF state ON certificate FOR EACH ROW
    WHEN (OLD.state = 'revoked' AND NEW.state NOT IN ('revoked', 'archived') OR OLD.state = 'archived' AND NEW.state <> 'archived')
    EXECUTE FUNCTION certificate_final();
-- A reservation is nobody's to know: what is signed has its first row when it is issued.
CREATE TRIGGER certificate_changed AFTER INSERT OR UPDATE OF state, reason ON certificate
    FOR EACH ROW WHEN (NEW.state <> 'reserved') EXECUTE FUNCTION certificate_changed();

-- --- revocation --------------------------------------------------------------------------------------------------------------------

CREATE TABLE revocation_key (
    station_id uuid REFERENCES station,
    key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 128),
    sha256     bytea NOT NULL CHECK (octet_length(sha256) = 32),
    at         timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (station_id, key)
);
COMMENT ON TABLE revocation_key IS 'Keys of calls that were carried out: the same call again is answered alike, another one under the key is refused.';
COMMENT ON COLUMN revocation_key.sha256 IS 'Of what was asked for.';

CREATE TABLE revocation_request (
    id             uuid PRIMARY KEY,
    certificate_id uuid NOT NULL REFERENCES certificate,
    act            text NOT NULL CHECK (act IN ('suspend', 'revoke', 'resume')),
    reason         smallint,
    invalid_at     timestamptz,
    requester      text NOT NULL CHECK (requester IN ('holder', 'station', 'town', 'operator', 'authority', 'timer')),
    requester_ref  text NOT NULL DEFAULT '',
    proof          text NOT NULL DEFAULT '',
    station_id     uuid REFERENCES station,
    key            text NOT NULL,
    state          text NOT NULL CHECK (state IN ('received', 'deferred', 'executed', 'published', 'archived', 'refused', 'withdrawn')),
    outcome        text NOT NULL DEFAULT '',
    received_at    timestamptz NOT NULL,
    due_at         timestamptz,
    executed_at    timestamptz,
    executed_tx    xid8,
    published_at   timestamptz,
    crl_number     bigint,
    UNIQUE NULLS NOT DISTINCT (station_id, key, certificate_id)
);
COMMENT ON TABLE revocation_request IS 'Requests to suspend, revoke or resume, as objects of their own (P-200), one for each certificate that is meant.';
COMMENT ON COLUMN revocation_request.outcome IS 'What the act did when it was asked for, or the code of its refusal: the answer to the same call, never changed.';
COMMENT ON COLUMN revocation_request.act IS 'suspend: the account is blocked, and the profile''s policy of K2 decides about the certificate; revoke: for good; resume: the account lives again.';
COMMENT ON COLUMN revocation_request.due_at IS 'Policy defer: revoked then unless resumed before.';
COMMENT ON COLUMN revocation_request.executed_tx IS 'The transaction that executed it: a list whose view sees it shows what it did.';
COMMENT ON COLUMN revocation_request.published_at IS 'When a list that shows it was offered (P-147); at once where no list had anything to say.';
COMMENT ON COLUMN revocation_request.crl_number IS 'The list that was; NULL where none had anything to say.';
CREATE INDEX revocation_request_certificate ON revocation_request (certificate_id);
CREATE UNIQUE INDEX revocation_request_waiting ON revocation_request (certificate_id) WHERE state = 'deferred';
CREATE INDEX revocation_request_due ON revocation_request (due_at) WHERE state = 'deferred';
CREATE INDEX revocation_request_open ON revocation_request (executed_at) WHERE state = 'executed';
-- Whoever executes it, and from which path, cannot forget to say in which transaction.
CREATE FUNCTION revocation_executed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.executed_tx := pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER revocation_executed BEFORE INSERT OR UPDATE OF state ON revocation_request FOR EACH ROW
    WHEN (NEW.state = 'executed') EXECUTE FUNCTION revocation_executed();

-- --- publication -------------------------------------------------------------------------------------------------------------------

CREATE TABLE crl_counter (
    ca_id  integer NOT NULL REFERENCES ca,
    shard  smallint NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (ca_id, shard)
);
COMMENT ON TABLE crl_counter IS 'Last CRL number given out, full and delta together (RFC 5280 §5.2.3). After a restore it is raised above what was published, never lowered.';

CREATE TABLE crl (
    ca_id       integer NOT NULL REFERENCES ca,
    shard       smallint NOT NULL,
    number      bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('full', 'delta')),
    base        bigint,
    horizon     xid8 NOT NULL,
    seen        pg_snapshot NOT NULL DEFAULT pg_current_snapshot(),
    this_update timestamptz NOT NULL,
    next_update timestamptz NOT NULL,
    entries     integer NOT NULL,
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
    der         bytea,
    made_at     timestamptz NOT NULL,
    PRIMARY KEY (ca_id, shard, number, kind),
    CHECK ((kind = 'delta') = (base IS NOT NULL))
);
ALTER TABLE crl ALTER COLUMN der SET STORAGE EXTERNAL;
COMMENT ON TABLE crl IS 'Signed lists. Octets are kept for the newest of each scope and while an archive needs them.';
COMMENT ON COLUMN crl.horizon IS 'Changes of this transaction and later may be missing in it: where a delta begins to read.';
COMMENT ON COLUMN crl.seen IS 'The view it was read from: what it knows, exactly. A change that this view does not see is not in it.';

-- Who offers lists hears of a new one: at most one a second and shard, so that commits do not wait for one another.
CREATE FUNCTION crl_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('pki_status', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER crl_made AFTER INSERT ON crl FOR EACH ROW EXECUTE FUNCTION crl_made();

CREATE TABLE crl_published (
    ca_id  integer NOT NULL,
    shard  smallint NOT NULL,
    number bigint NOT NULL,
    kind   text NOT NULL,
    node   text NOT NULL,
    at     timestamptz NOT NULL,
    PRIMARY KEY (ca_id, shard, number, kind, node)
);
COMMENT ON TABLE crl_published IS 'When which status node offered which list (P-147).';

CREATE TABLE ocsp_signer (
    id             uuid PRIMARY KEY,
    ca_id          integer NOT NULL REFERENCES ca,
    node           text NOT NULL,
    request_id     uuid NOT NULL UNIQUE REFERENCES request,
    asked_at       timestamptz NOT NULL
);
COMMENT ON TABLE ocsp_signer IS 'Keys of status processes that wait for, or have, a responder''s certificate (RFC 6960 §4.2.2.2).';

CREATE TABLE node (
    name    text PRIMARY KEY,
    process text NOT NULL,
    state   text NOT NULL,
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE node IS 'Running processes and what they say of themselves: signer locked or unlocked, status fresh or stale.';

CREATE TABLE alarm (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind      text NOT NULL,
    object    text NOT NULL,
    level     text NOT NULL CHECK (level IN ('warning', 'red')),
    text      text NOT NULL,
    raised_at timestamptz NOT NULL,
    ended_at  timestamptz,
    told_at   timestamptz
);
COMMENT ON COLUMN alarm.told_at IS 'When the mails about it were queued, once for each raise.';
COMMENT ON TABLE alarm IS 'What a person must look at: a CRL that is due while the key is locked, a reservation left by a crash, a certificate nobody accepted.';
CREATE INDEX alarm_untold ON alarm (raised_at) WHERE told_at IS NULL;
CREATE UNIQUE INDEX alarm_open ON alarm (kind, object, level) WHERE ended_at IS NULL;

-- --- who may ------------------------------------------------------------------------------------------------------------------------
-- pki_signer: judges and signs. pki_worker: the timers and the audit seal, in the signer's process. pki_front: what stations
-- ask, and mail. pki_status: reads what is public, writes what it published and the requests for its own responders.

GRANT SELECT ON person, role_grant, role_live, role_conflict, approval, ceremony, ceremony_signature, ca, ca_cross, custodian, station, registration, request, certificate,
    certificate_der, status_change, revocation_request, crl, crl_counter, crl_published, ocsp_signer, node, alarm TO pki_signer;
GRANT INSERT ON certificate, certificate_der, subject_name, crl, crl_counter TO pki_signer;
GRANT SELECT, UPDATE ON subject_name TO pki_signer;
GRANT UPDATE ON certificate, certificate_der, crl, crl_counter, request, registration, revocation_request TO pki_signer;
GRANT INSERT, UPDATE ON node TO pki_signer;

GRANT SELECT ON ca, custodian, station, registration, request, certificate, certificate_der, status_change, revocation_request, crl,
    crl_counter, crl_published, ocsp_signer, node, alarm, job TO pki_worker;
GRANT UPDATE ON certificate, request, registration, revocation_request, crl TO pki_worker;
GRANT INSERT ON revocation_request TO pki_worker;
GRANT INSERT, UPDATE ON alarm, node, job TO pki_worker;
GRANT DELETE ON job, status_change TO pki_worker;

GRANT SELECT ON ca, ca_cross, station, registration, request, certificate, certificate_der, status_change, revocation_request,
    crl, crl_published, node, alarm TO pki_front;
GRANT INSERT ON registration, request, revocation_request TO pki_front;
GRANT SELECT, INSERT ON revocation_key TO pki_front;
GRANT SELECT ON approval, person, role_grant, role_live TO pki_front;      -- a release from hold asks for two
GRANT UPDATE (state, closed_at, renewals, proof, proof_ref, proof_at, subject) ON registration TO pki_front;
GRANT UPDATE (state, state_since, reason, revoked_at, invalid_at, holds, compromised, accepted_at) ON certificate TO pki_front;
GRANT UPDATE (state, outcome, due_at, executed_at) ON revocation_request TO pki_front;
GRANT INSERT, UPDATE ON node, alarm TO pki_front;
GRANT SELECT, INSERT, UPDATE, DELETE ON job TO pki_front;

GRANT SELECT ON ca, ca_cross, status_change, crl, crl_published, ocsp_signer, node TO pki_status;
GRANT SELECT (id, ca_id, serial, shard, state, state_since, reason, revoked_at, invalid_at, not_after, profile, request_id)
    ON certificate TO pki_status;
GRANT SELECT (id, state, reason, origin, spki_sha256, received_at) ON request TO pki_status;
GRANT SELECT (id, profile, holder, state) ON registration TO pki_status;
GRANT INSERT ON request, ocsp_signer, crl_published TO pki_status;
GRANT SELECT ON certificate_der TO pki_status;
GRANT INSERT, UPDATE ON node TO pki_status;

-- What a role may ask for is held by the schema: a stolen front cannot write a request that looks like an operator's.
ALTER TABLE request ENABLE ROW LEVEL SECURITY;
CREATE POLICY request_read ON request FOR SELECT USING (true);
CREATE POLICY request_change ON request FOR UPDATE TO pki_signer, pki_worker USING (true);
CREATE POLICY request_front ON request FOR INSERT TO pki_front
    WITH CHECK (origin = 'est' AND station_id IS NOT NULL AND state = 'received');
CREATE POLICY request_status ON request FOR INSERT TO pki_status WITH CHECK (origin = 'status' AND state = 'received');
