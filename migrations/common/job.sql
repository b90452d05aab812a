-- The job queue of a program (base/pg/job.h), included by the program's first migration. Included text never changes:
-- what must change goes into a later migration of each program.

CREATE TABLE job (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL CHECK (kind ~ '^[a-z][a-z0-9_.]{0,63}$'),
    key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    payload    bytea NOT NULL,
    state      text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'done', 'dead')),
    tries      integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    created_at timestamptz NOT NULL,
    run_at     timestamptz NOT NULL,
    give_up_at timestamptz NOT NULL,
    ended_at   timestamptz,
    reason     text NOT NULL DEFAULT '',
    UNIQUE (kind, key),
    CHECK ((state = 'due') = (ended_at IS NULL))
);
COMMENT ON TABLE job IS 'Work that calls other machines or waits, inserted in the transaction of the act that wants it.';
COMMENT ON COLUMN job.id IS 'Order of insertion, for people; nothing depends on it.';
COMMENT ON COLUMN job.kind IS 'Which handler runs it.';
COMMENT ON COLUMN job.key IS 'Unique per kind as long as the row is kept: the same key twice is one job.';
COMMENT ON COLUMN job.payload IS 'What the handler needs; personal data in it is sealed by its owner. Emptied when done.';
COMMENT ON COLUMN job.state IS 'due: to be run, or running; done; dead: given up, kept with the reason until somebody looks.';
COMMENT ON COLUMN job.tries IS 'How often it was taken; also tells a worker whose lease has ended that it is no longer its job.';
COMMENT ON COLUMN job.created_at IS 'Clock of the program that inserted it.';
COMMENT ON COLUMN job.run_at IS 'Not taken before; while a worker has it, the end of its lease.';
COMMENT ON COLUMN job.give_up_at IS 'Not tried again after; a job that was never tried is tried once, however late.';
COMMENT ON COLUMN job.ended_at IS 'When it became done or dead.';
COMMENT ON COLUMN job.reason IS 'Why the last try failed, without personal data.';
CREATE INDEX job_due ON job (run_at) WHERE state = 'due';
CREATE INDEX job_ended ON job (ended_at) WHERE state <> 'due';

-- Workers LISTEN on "job"; the payload is the schema, because several share a database.
CREATE FUNCTION job_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('job', TG_TABLE_SCHEMA);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION job_wake() IS 'Wakes the workers when a job is due at once.';
CREATE TRIGGER job_wake AFTER INSERT ON job FOR EACH ROW WHEN (NEW.run_at <= NEW.created_at)
    EXECUTE FUNCTION job_wake();

-- For acts that are one statement: SELECT job_add(…) FROM what they changed. NULL when the key is already there.
CREATE FUNCTION job_add(a_kind text, a_key text, a_payload bytea, a_now timestamptz, a_run_at timestamptz,
                        a_give_up_at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    new_id bigint;
BEGIN
    INSERT INTO job (kind, key, payload, created_at, run_at, give_up_at)
        VALUES (a_kind, a_key, a_payload, a_now, a_run_at, a_give_up_at)
        ON CONFLICT (kind, key) DO NOTHING
        RETURNING id INTO new_id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION job_add(text, text, bytea, timestamptz, timestamptz, timestamptz) IS
    'Inserts a job once: kind, key, payload, now, first try, end of its life. The id, or NULL when it was there.';

-- Every role of the schema may add jobs; those that work in the background take and end them.
DO $$
DECLARE
    r name;
BEGIN
    FOR r IN SELECT rolname FROM pg_roles WHERE starts_with(rolname, current_schema() || '_') AND rolname <> current_user
    LOOP
        EXECUTE format('GRANT INSERT, SELECT (id, kind, key) ON job TO %I', r);
        IF r ~ '_(worker|outbox)$' THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON job TO %I', r);
        END IF;
    END LOOP;
END
$$;
