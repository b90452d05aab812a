-- Sign-in by certificate (DOMAIN 2.3, 4.2): authorities the operator trusts, their lists of revoked certificates, which
-- certificate belongs to which account, and the tickets of sign-ins that were used.

CREATE TABLE trust (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    use         text NOT NULL CHECK (use IN ('software', 'card')),
    own         boolean NOT NULL,
    der         bytea NOT NULL UNIQUE,
    helpers     bytea NOT NULL DEFAULT '',
    not_after   timestamptz NOT NULL,
    added_at    timestamptz NOT NULL
);
COMMENT ON TABLE trust IS 'Authorities whose certificates sign citizens in: one anchor each.';
COMMENT ON COLUMN trust.name IS 'The operator''s short name for it, in commands, logs and audit rows.';
COMMENT ON COLUMN trust.use IS 'How the keys of its certificates are kept, and so what services are told: SoftwarePKI or SmartcardPKI.';
COMMENT ON COLUMN trust.own IS 'Our own authority: the state of its certificates is in credential_certificate, a list is not needed.';
COMMENT ON COLUMN trust.der IS 'The certificate at which paths end.';
COMMENT ON COLUMN trust.helpers IS 'Other certificates of its file, DER one after the other: help to find the way, and may sign lists.';

CREATE TABLE trust_crl (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trust_id    integer NOT NULL REFERENCES trust ON DELETE CASCADE,
    source      text NOT NULL CHECK (source ~ '^(https?|file)://'),
    der         bytea,
    digest      bytea CHECK (octet_length(digest) = 32),
    number      bytea CHECK (octet_length(number) = 20),
    this_update timestamptz,
    next_update timestamptz,
    fetched_at  timestamptz,
    due_at      timestamptz NOT NULL,
    problem     text NOT NULL DEFAULT '',
    UNIQUE (trust_id, source),
    CHECK ((der IS NULL) = (number IS NULL) AND (der IS NULL) = (next_update IS NULL) AND (der IS NULL) = (digest IS NULL)
           AND (der IS NULL) = (this_update IS NULL) AND (der IS NULL) = (fetched_at IS NULL))
);
COMMENT ON TABLE trust_crl IS 'Lists of revoked certificates by where they come from; verified before they are kept, and never replaced by an older one.';
COMMENT ON COLUMN trust_crl.der IS 'The list as it was signed; NULL until the first one was got: nobody signs in by then.';
COMMENT ON COLUMN trust_crl.number IS 'CRLNumber, 20 octets, big-endian: never goes back.';
COMMENT ON COLUMN trust_crl.due_at IS 'When a worker fetches it again; moved on before it does, so that others leave it alone.';
COMMENT ON COLUMN trust_crl.problem IS 'Why the last fetch gave nothing; empty when it did.';

CREATE TABLE trust_version (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL
);
INSERT INTO trust_version (version) VALUES (1);
COMMENT ON TABLE trust_version IS 'Goes up with each change of trust or of a list, in the same transaction: a process sees at each sign-in whether what it holds is the newest.';

CREATE FUNCTION trust_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE trust_version SET version = version + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER trust_changed AFTER INSERT OR UPDATE OR DELETE ON trust
    FOR EACH STATEMENT EXECUTE FUNCTION trust_changed();
CREATE TRIGGER trust_crl_changed AFTER INSERT OR UPDATE OF der, next_update OR DELETE ON trust_crl
    FOR EACH STATEMENT EXECUTE FUNCTION trust_changed();

CREATE TABLE credential_certificate (
    id          uuid PRIMARY KEY,
    account_id  uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    issuer      bytea NOT NULL CHECK (octet_length(issuer) <= 2048),
    serial      bytea NOT NULL CHECK (octet_length(serial) BETWEEN 1 AND 20),
    spki_sha256 bytea NOT NULL CHECK (octet_length(spki_sha256) = 32),
    state       text NOT NULL CHECK (state IN ('issued', 'active', 'held', 'revoked', 'ended')),
    state_since timestamptz NOT NULL,
    not_after   timestamptz NOT NULL,
    linked_at   timestamptz NOT NULL,
    UNIQUE (issuer, serial)
);
COMMENT ON TABLE credential_certificate IS 'Which certificate belongs to which account (DOMAIN 2.3). No name: the certificate itself is not kept (K3).';
COMMENT ON COLUMN credential_certificate.issuer IS 'Name of the authority, DER; with the serial number it names the certificate (RFC 5280 4.1.2.2).';
COMMENT ON COLUMN credential_certificate.serial IS 'Content of the INTEGER, as it stands in lists.';
COMMENT ON COLUMN credential_certificate.spki_sha256 IS 'SHA-256 of its SubjectPublicKeyInfo: another key under the same number is somebody else.';
COMMENT ON COLUMN credential_certificate.state IS 'Only active signs in. ended: the link was taken away, the certificate itself may live on.';
CREATE INDEX credential_certificate_account ON credential_certificate (account_id);

-- What must hold whoever changes it: a certificate that is no longer active leaves no session behind that it, or another
-- of the same account, began.
CREATE FUNCTION certificate_left_active() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE session SET live = false, ended_at = NEW.state_since, ended_why = 'certificate'
        WHERE account_id = NEW.account_id AND live AND method IN (2, 4);
    RETURN NULL;
END
$$;
CREATE TRIGGER certificate_left_active AFTER UPDATE OF state ON credential_certificate
    FOR EACH ROW WHEN (OLD.state = 'active' AND NEW.state <> 'active') EXECUTE FUNCTION certificate_left_active();

CREATE TABLE certificate_ticket (
    id         text PRIMARY KEY CHECK (length(id) BETWEEN 22 AND 64),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE certificate_ticket IS 'Tickets between the certificate door and the main host that were used: each is good once. Nothing else of them is kept.';

GRANT SELECT ON trust, trust_crl, trust_version TO idp_web;
GRANT SELECT, INSERT, UPDATE ON credential_certificate TO idp_web;
GRANT SELECT, INSERT ON certificate_ticket TO idp_web;
GRANT SELECT ON trust, trust_crl, trust_version, credential_certificate TO idp_worker;
GRANT UPDATE ON trust_version TO idp_worker;
GRANT UPDATE (der, digest, number, this_update, next_update, fetched_at, due_at, problem) ON trust_crl TO idp_worker;
GRANT SELECT, DELETE ON certificate_ticket TO idp_worker;
