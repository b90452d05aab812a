-- The audit trail of a program (base/pg/audit.h), included by the program's first migration. Included text never
-- changes: what must change goes into a later migration of each program.

CREATE TABLE audit_event (
    seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL,
    actor  text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    role   text NOT NULL CHECK (length(role) <= 100),
    verb   text NOT NULL CHECK (verb ~ '^[a-z][a-z0-9_]*([.][a-z0-9_]+)*$' AND length(verb) <= 100),
    object text NOT NULL CHECK (length(object) <= 200),
    result text NOT NULL CHECK (length(result) BETWEEN 1 AND 100),
    detail jsonb NOT NULL CHECK (jsonb_typeof(detail) = 'object' AND length(detail::text) <= 8000),
    xid    xid8 NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32)
);
COMMENT ON TABLE audit_event IS 'Who did what to whom, when, allowed by which rule, with which result. Rows are never changed nor removed. No name, no address, no IP: handles and ids only.';
COMMENT ON COLUMN audit_event.seq IS 'Name of the row; gaps are transactions that rolled back.';
COMMENT ON COLUMN audit_event.at IS 'Clock of the program that acted.';
COMMENT ON COLUMN audit_event.actor IS 'Who: town:rivemont, citizen, clerk:<uuid>, system, operator:<login>.';
COMMENT ON COLUMN audit_event.role IS 'The role that allowed it, or empty.';
COMMENT ON COLUMN audit_event.verb IS 'What, from the closed list of the program: account.create, …';
COMMENT ON COLUMN audit_event.object IS 'To what: account:<uuid>, …';
COMMENT ON COLUMN audit_event.result IS 'ok, or the stable code of the refusal.';
COMMENT ON COLUMN audit_event.detail IS 'Further facts, without personal data.';
COMMENT ON COLUMN audit_event.xid IS 'Transaction that wrote the row, set by a trigger: the sealer takes rows below the oldest that still runs.';
COMMENT ON COLUMN audit_event.digest IS 'SHA-256 of the columns seq to detail in the form of base/pg/audit.c, set by a trigger.';
CREATE INDEX audit_event_xid ON audit_event (xid);
CREATE INDEX audit_event_object ON audit_event (object, seq);

CREATE TABLE audit_seal (
    number    bigint PRIMARY KEY CHECK (number > 0),
    at        timestamptz NOT NULL,
    cluster   bigint NOT NULL,
    horizon   xid8 NOT NULL,
    span      int8range NOT NULL,
    seqs      bigint[] NOT NULL,
    digests   bytea NOT NULL CHECK (octet_length(digests) = 32 * cardinality(seqs) AND cardinality(seqs) > 0),
    chain     bytea NOT NULL CHECK (octet_length(chain) = 32),
    key       text NOT NULL,
    signature bytea NOT NULL
);
COMMENT ON TABLE audit_seal IS 'Signed checkpoints: each binds some rows of audit_event and the checkpoint before it. Never changed nor removed.';
COMMENT ON COLUMN audit_seal.number IS '1, 2, 3, … without a gap.';
COMMENT ON COLUMN audit_seal.at IS 'Clock of the sealing program.';
COMMENT ON COLUMN audit_seal.cluster IS 'System identifier of the PostgreSQL cluster that horizon belongs to: after a restore into another one transaction numbers begin anew.';
COMMENT ON COLUMN audit_seal.horizon IS 'Rows of transactions below it are in this checkpoint or an earlier one.';
COMMENT ON COLUMN audit_seal.span IS 'From the least to the greatest of seqs, to find the checkpoint of a row.';
COMMENT ON COLUMN audit_seal.seqs IS 'The rows it binds.';
COMMENT ON COLUMN audit_seal.digests IS 'Their digests, 32 bytes each, in the same order.';
COMMENT ON COLUMN audit_seal.chain IS 'SHA-256 over the chain of the checkpoint before and the columns number to digests (base/pg/audit.c).';
COMMENT ON COLUMN audit_seal.key IS 'RFC 7638 thumbprint of the key that signed.';
COMMENT ON COLUMN audit_seal.signature IS 'Signature over the chain.';
CREATE INDEX audit_seal_span ON audit_seal USING gist (span);

CREATE FUNCTION audit_digest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.xid := pg_current_xact_id();
    NEW.digest := sha256(convert_to(concat(
        octet_length(NEW.seq::text), ':', NEW.seq, ',',
        octet_length(((extract(epoch FROM NEW.at) * 1000000)::bigint)::text), ':',
            (extract(epoch FROM NEW.at) * 1000000)::bigint, ',',
        octet_length(NEW.actor), ':', NEW.actor, ',',
        octet_length(NEW.role), ':', NEW.role, ',',
        octet_length(NEW.verb), ':', NEW.verb, ',',
        octet_length(NEW.object), ':', NEW.object, ',',
        octet_length(NEW.result), ':', NEW.result, ',',
        octet_length(NEW.detail::text), ':', NEW.detail::text, ','), 'UTF8'));
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION audit_digest() IS 'Sets what the writer of a row does not choose: its transaction and its digest.';
CREATE TRIGGER audit_digest BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_digest();

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
COMMENT ON FUNCTION audit_refuse() IS 'Refuses every change to what was written.';
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event FOR EACH STATEMENT
    EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seal FOR EACH STATEMENT
    EXECUTE FUNCTION audit_refuse();

-- For acts that are one statement: SELECT audit_add(…) FROM what they changed. In a WITH, the SELECT must be the one
-- that answers, because PostgreSQL does not run a SELECT there that nobody reads. An INSERT INTO audit_event of the
-- seven columns does the same, runs in a WITH, and costs half.
CREATE FUNCTION audit_add(a_at timestamptz, a_actor text, a_role text, a_verb text, a_object text, a_result text,
                          a_detail jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    new_seq bigint;
BEGIN
    INSERT INTO audit_event (at, actor, role, verb, object, result, detail)
        VALUES (a_at, a_actor, a_role, a_verb, a_object, a_result, a_detail)
        RETURNING seq INTO new_seq;
    RETURN new_seq;
END
$$;
COMMENT ON FUNCTION audit_add(timestamptz, text, text, text, text, text, jsonb) IS
    'Writes one row and answers its seq: at, actor, role, verb, object, result, detail.';

-- Every role of the schema may add rows, of the columns it may choose; those that work in the background read and seal.
DO $$
DECLARE
    r name;
BEGIN
    FOR r IN SELECT rolname FROM pg_roles WHERE starts_with(rolname, current_schema() || '_') AND rolname <> current_user
    LOOP
        EXECUTE format('GRANT INSERT (at, actor, role, verb, object, result, detail), SELECT (seq) ON audit_event TO %I', r);
        IF r ~ '_(worker|outbox)$' THEN
            EXECUTE format('GRANT SELECT ON audit_event TO %I', r);
            EXECUTE format('GRANT SELECT, INSERT ON audit_seal TO %I', r);
        END IF;
    END LOOP;
END
$$;
