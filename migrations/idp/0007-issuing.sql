-- Software certificates are asked for, delivered and followed (DOMAIN 2.3, K2, P-052…P-054, P-056).

CREATE TABLE enrolment (
    id             uuid PRIMARY KEY,
    account_id     uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    link_digest    bytea REFERENCES activation_link ON DELETE SET NULL,
    renewal        boolean NOT NULL,
    way            text NOT NULL CHECK (way IN ('file', 'browser', 'request')),
    spki_sha256    bytea NOT NULL CHECK (octet_length(spki_sha256) = 32),
    keep_mail      boolean NOT NULL,
    lang           text NOT NULL CHECK (lang IN ('fr', 'en')),
    state          text NOT NULL CHECK (state IN ('asked', 'issued', 'delivered', 'dropped')),
    state_since    timestamptz NOT NULL,
    asked_at       timestamptz NOT NULL,
    sending_until  timestamptz,
    certificate_id uuid REFERENCES credential_certificate ON DELETE SET NULL,
    ca             text CHECK (ca ~ '^[a-z0-9-]{1,47}$'),
    serial         text CHECK (serial ~ '^[0-9a-f]{2,40}$'),
    UNIQUE (account_id, spki_sha256),
    CHECK ((ca IS NULL) = (serial IS NULL)),
    CHECK (state NOT IN ('issued', 'delivered') OR ca IS NOT NULL)
);
COMMENT ON TABLE enrolment IS 'Certificates that we asked of our authority for accounts, one row for each key. No name, no key, no certificate.';
COMMENT ON COLUMN enrolment.link_digest IS 'The activation link whose account opens when it is delivered; NULL: a renewal.';
COMMENT ON COLUMN enrolment.way IS 'file: key and PKCS#12 made here, given once; browser: made by our page in the browser; request: the citizen''s own PKCS#10.';
COMMENT ON COLUMN enrolment.spki_sha256 IS 'SHA-256 of SubjectPublicKeyInfo: the same request again is the same row.';
COMMENT ON COLUMN enrolment.state IS 'asked: the authority may have signed it; issued: it did, and the holder may have it; delivered: the holder has it (P-054); dropped: another one is asked for, or it was never fetched.';
COMMENT ON COLUMN enrolment.sending_until IS 'Of a file: it may be on its way until then, and no other one is made.';
COMMENT ON COLUMN enrolment.ca IS 'The authority''s name for itself, "soft-g1"; with serial it names the certificate in its API.';
CREATE INDEX enrolment_open ON enrolment (state_since) WHERE state IN ('asked', 'issued');
CREATE UNIQUE INDEX enrolment_certificate ON enrolment (certificate_id) WHERE certificate_id IS NOT NULL;
CREATE UNIQUE INDEX enrolment_serial ON enrolment (ca, serial);

CREATE TABLE authority_state (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    cursor  text NOT NULL,
    due_at  timestamptz NOT NULL,
    seen_at timestamptz,
    known_until timestamptz,
    problem text NOT NULL
);
INSERT INTO authority_state (cursor, due_at, problem) VALUES ('', '-infinity', '');
COMMENT ON TABLE authority_state IS 'How far the changes of our authority were followed.';
COMMENT ON COLUMN authority_state.cursor IS 'Its own, opaque; empty: from the beginning.';
COMMENT ON COLUMN authority_state.due_at IS 'When a worker asks again; moved on before it does, so that others leave it alone.';
COMMENT ON COLUMN authority_state.seen_at IS 'When it last answered: until then the states of its certificates are known. NULL: it never did.';
COMMENT ON COLUMN authority_state.known_until IS 'What it told counts until then (pki.state_life); afterwards its certificates sign nobody in.';
COMMENT ON COLUMN authority_state.problem IS 'Why the last look gave nothing; empty when it did.';

GRANT SELECT, INSERT, UPDATE ON enrolment TO idp_web;
GRANT SELECT ON authority_state TO idp_web;
GRANT SELECT, UPDATE ON enrolment TO idp_worker;
GRANT SELECT, UPDATE ON authority_state TO idp_worker;
GRANT UPDATE (state, state_since) ON credential_certificate TO idp_worker;
