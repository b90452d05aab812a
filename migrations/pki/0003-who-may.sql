-- What each role may write, held where a stolen process cannot argue: the programs keep these rules already. A process that
-- faces the network (front, status) has its role and what the role may do, whatever its program would have asked.

-- --- no row that its readers cannot hold ------------------------------------------------------------------------------------
-- The signer reads rows that front and status wrote; one too large for it would stop it, and again at each start.

ALTER TABLE registration
    ADD CONSTRAINT registration_size CHECK (length(profile) <= 64 AND length(town) <= 63 AND length(proof_ref) <= 200
        AND octet_length(subject) <= 16640) NOT VALID,
    ADD CONSTRAINT registration_clean CHECK ((profile || town || holder || proof_ref) !~ '[[:cntrl:]]') NOT VALID;
ALTER TABLE request
    ADD CONSTRAINT request_size CHECK (octet_length(csr) <= 16384 AND length(reason) <= 100) NOT VALID;
ALTER TABLE ocsp_signer
    ADD CONSTRAINT ocsp_signer_size CHECK (length(node) <= 100) NOT VALID;
ALTER TABLE node
    ADD CONSTRAINT node_size CHECK (length(name) <= 100 AND length(process) <= 30 AND length(state) <= 300) NOT VALID;
ALTER TABLE crl_published
    ADD CONSTRAINT crl_published_size CHECK (length(kind) <= 10 AND length(node) <= 100) NOT VALID;
ALTER TABLE alarm
    ADD CONSTRAINT alarm_size CHECK (length(kind) <= 100 AND length(object) <= 300 AND length(text) <= 1000) NOT VALID;
ALTER TABLE revocation_request
    ADD CONSTRAINT revocation_request_size CHECK (length(requester_ref) <= 200 AND length(proof) <= 200 AND length(key) <= 200
        AND length(outcome) <= 100) NOT VALID;

-- --- persons -------------------------------------------------------------------------------------------------------------------
-- A grant that is to be withdrawn in a time to come counts until then (role_live), and so does its conflict.

CREATE OR REPLACE FUNCTION role_grant_check() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    other text;
    counts tstzrange := tstzrange(lower(NEW.period), greatest(lower(NEW.period), least(upper(NEW.period), NEW.withdrawn_at)));
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
        WHERE g.person_id = NEW.person_id AND g.id <> NEW.id AND g.period && counts
            AND (g.withdrawn_at IS NULL OR g.withdrawn_at > lower(counts)) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'one person cannot be % and %', NEW.role, other USING ERRCODE = 'exclusion_violation',
            CONSTRAINT = 'role_conflict';
    END IF;
    RETURN NEW;
END
$$;

-- --- registrations ---------------------------------------------------------------------------------------------------------
-- The front registers holders of stations; what the operator registered (station_id NULL: stations themselves, servers,
-- responders) it reads. The status process finds its own responders, and no citizen.

ALTER TABLE registration ENABLE ROW LEVEL SECURITY;
CREATE POLICY registration_read ON registration FOR SELECT TO pki_signer, pki_worker, pki_front USING (true);
CREATE POLICY registration_responder ON registration FOR SELECT TO pki_status USING (station_id IS NULL AND holder LIKE '%/%');
CREATE POLICY registration_change ON registration FOR UPDATE TO pki_signer USING (true);
CREATE POLICY registration_add ON registration FOR INSERT TO pki_front WITH CHECK (station_id IS NOT NULL AND state = 'open');
CREATE POLICY registration_front ON registration FOR UPDATE TO pki_front USING (station_id IS NOT NULL AND state <> 'closed')
    WITH CHECK (station_id IS NOT NULL);

-- A closed one makes room: a holder whose registration was closed may be registered anew, as a row of its own.
ALTER TABLE registration DROP CONSTRAINT registration_station_id_profile_holder_key;
CREATE UNIQUE INDEX registration_live ON registration (station_id, profile, holder) NULLS NOT DISTINCT WHERE state <> 'closed';
CREATE INDEX registration_holder ON registration (holder, town);

-- --- certificates ------------------------------------------------------------------------------------------------------------

-- Two that were judged at the same moment do not both become the next one: renewals are counted (P-117).
ALTER TABLE certificate ADD COLUMN ordinal integer;
COMMENT ON COLUMN certificate.ordinal IS 'How many its registration had before it: a place that one takes. NULL: issued before this column was there.';
CREATE UNIQUE INDEX certificate_place ON certificate (registration_id, ordinal);
DROP INDEX certificate_registration;

-- Names are kept apart by town as holders are: what one town's station registers is never somebody of another town.
ALTER TABLE subject_name ADD COLUMN town text;
COMMENT ON COLUMN subject_name.town IS 'Of the holder. NULL: noted before this column was there, and set by the next certificate.';

-- No process takes back what was said of a certificate. A release from hold is of two persons, whose words (approval.subject is
-- the SHA-256 of the text of pki/authority/revocation.c) no process can write; that they are signed is judged by the program.
CREATE FUNCTION certificate_steps() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    wrong text;
    said text;
BEGIN
    IF OLD.state IN ('revoked', 'expired', 'archived', 'void') AND NEW.state NOT IN (OLD.state, 'archived')
            OR OLD.state NOT IN ('revoked', 'expired') AND OLD.state <> NEW.state AND NEW.state = 'archived'
            OR OLD.state <> 'reserved' AND OLD.state <> NEW.state AND NEW.state IN ('reserved', 'void') THEN
        wrong := 'state';
    ELSIF OLD.revoked_at IS NOT NULL AND OLD.revoked_at IS DISTINCT FROM NEW.revoked_at
            AND NOT (OLD.state = 'held' AND NEW.state = 'active' AND NEW.revoked_at IS NULL) THEN
        wrong := 'revoked_at';
    ELSIF OLD.compromised AND NOT NEW.compromised OR NEW.holds < OLD.holds THEN
        wrong := 'compromised';
    ELSIF current_user = 'pki_front' AND (OLD.state = 'reserved' OR OLD.state <> NEW.state AND NEW.state NOT IN
            ('active', 'held', 'revoked')) THEN
        wrong := 'front';
    ELSIF OLD.state = 'held' AND NEW.state NOT IN ('held', 'revoked', 'expired') THEN
        said := (SELECT 'certificate ' || OLD.id || E'\nca ' || c.name || '-g' || c.generation || E'\nserial '
            || encode(OLD.serial, 'hex') || E'\nheld_at '
            || to_char(OLD.revoked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') || E'\n' FROM ca c WHERE c.id = OLD.ca_id);
        IF (SELECT count(*) FROM approval a WHERE a.act = 'certificate.resume' AND a.subject = sha256(convert_to(said, 'UTF8'))) < 2 THEN
            wrong := 'release';
        END IF;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'a step that no certificate takes (%)', wrong USING ERRCODE = 'check_violation',
            CONSTRAINT = 'certificate_steps';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION certificate_steps() IS 'Refuses steps of a certificate that are not in DOMAIN 2.3, whoever of the processes asks.';
-- Of the steps from 'reserved' there is nothing to look at but who takes them.
CREATE TRIGGER certificate_steps BEFORE UPDATE ON certificate FOR EACH ROW
    WHEN (current_user = 'pki_front' OR OLD.state <> 'reserved' AND current_user IN ('pki_signer', 'pki_worker'))
    EXECUTE FUNCTION certificate_steps();

-- The status process reads the certificates of its responders, whose requests it made; names of persons are not its own.
ALTER TABLE certificate_der ENABLE ROW LEVEL SECURITY;
CREATE POLICY certificate_der_all ON certificate_der TO pki_signer, pki_worker, pki_front USING (true);
CREATE POLICY certificate_der_status ON certificate_der FOR SELECT TO pki_status USING (EXISTS (SELECT FROM certificate c
    JOIN request q ON q.id = c.request_id WHERE c.id = certificate_id AND q.origin = 'status'));

-- --- what processes say of themselves -------------------------------------------------------------------------------------------

ALTER TABLE node ENABLE ROW LEVEL SECURITY;
CREATE POLICY node_read ON node FOR SELECT USING (true);
CREATE POLICY node_front ON node TO pki_front USING (process = 'front') WITH CHECK (process = 'front');
CREATE POLICY node_status ON node TO pki_status USING (process = 'status') WITH CHECK (process = 'status');
CREATE POLICY node_signer ON node TO pki_signer, pki_worker USING (process = 'signer') WITH CHECK (process = 'signer');

-- Rows of the trail are of who writes them: a stolen front says nothing in an operator's name.
ALTER TABLE audit_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_read ON audit_event FOR SELECT USING (true);
CREATE POLICY audit_front ON audit_event FOR INSERT TO pki_front WITH CHECK (actor = 'station' OR starts_with(actor, 'station:'));
CREATE POLICY audit_status ON audit_event FOR INSERT TO pki_status WITH CHECK (starts_with(actor, 'status:'));
CREATE POLICY audit_signer ON audit_event FOR INSERT TO pki_signer, pki_worker WITH CHECK (true);

-- The front tells alarms by mail; it raises and ends none. Its mail is its own: as pki_front, never as the signer's pki_worker.
REVOKE INSERT, UPDATE ON alarm FROM pki_front;
GRANT UPDATE (told_at) ON alarm TO pki_front;
-- Which persons approved, not what they are called.
REVOKE SELECT ON person FROM pki_front;
GRANT SELECT (id, name, public_key, state) ON person TO pki_front;

-- The timers move states; texts, keys, numbers and octets are not theirs.
REVOKE UPDATE ON certificate, request, registration, revocation_request, crl FROM pki_worker;
GRANT UPDATE (state, state_since, reason, revoked_at, invalid_at) ON certificate TO pki_worker;
GRANT UPDATE (state, reason, ended_at) ON request TO pki_worker;
GRANT UPDATE (state, executed_at, published_at, crl_number) ON revocation_request TO pki_worker;
GRANT UPDATE (der) ON crl TO pki_worker;
