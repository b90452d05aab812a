-- The spine of the identity provider: towns, accounts, one-time secrets, sign-in, services, sign-on.
-- Roles idp_web and idp_worker exist before (packaging/sql/roles.sql). No column here can hold the name
-- of a login/password citizen (DOMAIN K3). Times come from the programs, never from now().

-- include ../common/job.sql
-- include ../common/audit.sql

CREATE TABLE town (
    id            uuid PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    label_fr      text NOT NULL,
    label_en      text NOT NULL,
    seal_key      bytea NOT NULL,
    state         text NOT NULL CHECK (state IN ('active', 'suspended')),
    creation_life interval NOT NULL DEFAULT '15 days' CHECK (creation_life BETWEEN '7 days' AND '30 days'),
    sheet_number  text NOT NULL DEFAULT 'sensitive' CHECK (sheet_number IN ('never', 'sensitive', 'always')),
    theme         text NOT NULL DEFAULT 'default',
    phone         text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL
);
COMMENT ON TABLE town IS 'A town hall that may create accounts; DOMAIN 2.6.';
COMMENT ON COLUMN town.name IS 'Short name in audit rows, themes and logs.';
COMMENT ON COLUMN town.seal_key IS 'P-256 SubjectPublicKeyInfo: replies with codes are sealed to it until acknowledged (K9).';
COMMENT ON COLUMN town.state IS 'suspended: every call of the town is refused at once (T-07).';
COMMENT ON COLUMN town.creation_life IS 'How long a creation code lives (P-036).';
COMMENT ON COLUMN town.sheet_number IS 'When a sheet number is asked beside the activation code (T-12).';
COMMENT ON COLUMN town.phone IS 'Shown to citizens on error pages.';

CREATE TABLE town_certificate (
    sha256      bytea PRIMARY KEY CHECK (octet_length(sha256) = 32),
    town_id     uuid NOT NULL REFERENCES town,
    not_after   timestamptz NOT NULL,
    added_at    timestamptz NOT NULL,
    removed_at  timestamptz
);
COMMENT ON TABLE town_certificate IS 'Client certificates of town servers by SHA-256 of their DER; two during a renewal.';

CREATE TABLE account (
    id            uuid PRIMARY KEY,
    town_id       uuid NOT NULL REFERENCES town,
    type          text NOT NULL CHECK (type IN ('password', 'x509_card', 'x509_soft')),
    handle        text NOT NULL CHECK (handle ~ '^[A-Za-z0-9_-]{22,64}$'),
    number        text UNIQUE,
    state         text NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'closed', 'erased')),
    state_since   timestamptz NOT NULL,
    final         boolean NOT NULL DEFAULT false,
    reason        text NOT NULL DEFAULT '',
    contested     boolean NOT NULL DEFAULT false,
    acked         boolean NOT NULL DEFAULT false,
    reactivations integer NOT NULL DEFAULT 0,
    lang          text NOT NULL DEFAULT 'fr' CHECK (lang IN ('fr', 'en')),
    created_at    timestamptz NOT NULL,
    UNIQUE (town_id, handle),
    CHECK ((type = 'password') = (number IS NULL))
);
COMMENT ON TABLE account IS 'A means of sign-in of one person of one town; state machine of DOMAIN 2.1.';
COMMENT ON COLUMN account.handle IS 'Opaque random name under which the town hall knows the account.';
COMMENT ON COLUMN account.number IS 'Unique number of the X.509 accounts (P-011); none for login/password (A-11).';
COMMENT ON COLUMN account.final IS 'Stolen or compromised: never reactivated as it is.';
COMMENT ON COLUMN account.contested IS 'A second address used the creation code: the clerk sees a flag.';
COMMENT ON COLUMN account.acked IS 'The town has confirmed that it kept the codes (K9).';

CREATE TABLE account_authz (
    account_id  uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    code        text NOT NULL CHECK (code ~ '^[a-z][a-z0-9_]{0,63}$'),
    valid_until timestamptz,
    granted_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    PRIMARY KEY (account_id, code, granted_at)
);
COMMENT ON TABLE account_authz IS 'Authorisations given by the town, with their history (P-007, P-057).';
CREATE UNIQUE INDEX account_authz_live ON account_authz (account_id, code) WHERE ended_at IS NULL;

CREATE TABLE account_change (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tx         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    town_id    uuid NOT NULL REFERENCES town,
    account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    what       text NOT NULL,
    at         timestamptz NOT NULL
);
COMMENT ON TABLE account_change IS 'What a town reads with "changes since": only rows below the oldest running transaction are shown.';
CREATE INDEX account_change_town ON account_change (town_id, tx, seq);

CREATE TABLE secret (
    id          uuid PRIMARY KEY,
    account_id  uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('creation', 'activation', 'revocation', 'reactivation_otp',
                                              'reactivation_pin', 'sheet')),
    mac         bytea NOT NULL CHECK (octet_length(mac) = 32),
    mac_version integer NOT NULL,
    state       text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'used', 'expired', 'superseded', 'locked')),
    tries       integer NOT NULL DEFAULT 0,
    exposed     boolean NOT NULL DEFAULT false,
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz,
    ended_at    timestamptz
);
COMMENT ON TABLE secret IS 'One-time codes as keyed hashes only (K6); every code is a machine live → used|expired|superseded|locked.';
COMMENT ON COLUMN secret.exposed IS 'The code crossed the mail system by mistake and is to be re-issued (DOMAIN 6.4).';
CREATE UNIQUE INDEX secret_mac ON secret (kind, mac_version, mac) WHERE kind IN ('creation', 'revocation', 'reactivation_otp');
CREATE INDEX secret_account ON secret (account_id, kind);

CREATE TABLE idempotency (
    town_id     uuid NOT NULL REFERENCES town,
    key         text NOT NULL CHECK (length(key) BETWEEN 16 AND 128),
    route       text NOT NULL,
    body_sha256 bytea NOT NULL,
    account_id  uuid REFERENCES account ON DELETE CASCADE,
    status      integer NOT NULL,
    sealed      bytea,
    at          timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (town_id, key)
);
COMMENT ON TABLE idempotency IS 'Answers of the town door by Idempotency-Key; sealed holds the codes for the town alone until its ack, 24 h at most (K9).';
CREATE INDEX idempotency_expiry ON idempotency (expires_at);

CREATE TABLE creation_binding (
    secret_id     uuid PRIMARY KEY REFERENCES secret ON DELETE CASCADE,
    account_id    uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    email_sealed  bytea NOT NULL,
    email_mac     bytea NOT NULL,
    mac_version   integer NOT NULL,
    first_at      timestamptz NOT NULL
);
COMMENT ON TABLE creation_binding IS 'The first address that sent a creation code: it stands (T-01).';

CREATE TABLE activation_link (
    token_digest bytea PRIMARY KEY CHECK (octet_length(token_digest) = 32),
    account_id   uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    secret_id    uuid NOT NULL REFERENCES secret ON DELETE CASCADE,
    code_mac     bytea NOT NULL,
    mac_version  integer NOT NULL,
    state        text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'opened', 'used', 'expired', 'superseded', 'locked')),
    stage_digest bytea,
    tries        integer NOT NULL DEFAULT 0,
    issued_at    timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
COMMENT ON TABLE activation_link IS 'Link and code of the activation mail (P-042, P-043); 5 tries, 24 h, a newer one supersedes.';
COMMENT ON COLUMN activation_link.stage_digest IS 'SHA-256 of the value that proves in the second form that the code was typed.';
CREATE INDEX activation_link_account ON activation_link (account_id, issued_at);

CREATE TABLE contact (
    account_id   uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    purpose      text NOT NULL CHECK (purpose IN ('notice')),
    email_sealed bytea NOT NULL,
    consent_at   timestamptz NOT NULL,
    PRIMARY KEY (account_id, purpose)
);
COMMENT ON TABLE contact IS 'Address kept because the citizen said so.';

CREATE TABLE login (
    account_id    uuid PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    login_folded  text NOT NULL UNIQUE,
    login_display text NOT NULL,
    password      text NOT NULL,
    changed_at    timestamptz NOT NULL
);
COMMENT ON TABLE login IS 'Chosen user name and argon2id hash (PHC string, parameters per row; K6).';

CREATE TABLE login_reserved (
    login_folded text PRIMARY KEY,
    until        timestamptz NOT NULL
);
COMMENT ON TABLE login_reserved IS 'Names of closed accounts, blocked for one year.';

CREATE TABLE session (
    token_digest bytea PRIMARY KEY CHECK (octet_length(token_digest) = 32),
    id           uuid NOT NULL UNIQUE,
    account_id   uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    live         boolean NOT NULL DEFAULT true,
    method       smallint NOT NULL,
    auth_time    timestamptz NOT NULL,
    authz        text[] NOT NULL,
    authz_until  timestamptz NOT NULL,
    idle_until   timestamptz NOT NULL,
    abs_until    timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    ended_why    text
);
COMMENT ON TABLE session IS 'Signed-in browsers by SHA-256 of the cookie. live, authz and authz_until are copies, kept true by triggers on account and account_authz, so that a sign-on reads one row.';
COMMENT ON COLUMN session.method IS 'How the person proved who they are: bit 1 password, 2 software certificate, 4 card.';
COMMENT ON COLUMN session.authz_until IS 'When the copied authorisations must be read again: the earliest end date, or at once after a change (P-057).';
CREATE INDEX session_account ON session (account_id) WHERE live;
CREATE INDEX session_expiry ON session (abs_until);

CREATE SEQUENCE service_version;
CREATE TABLE service (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('saml', 'oidc')),
    name        text NOT NULL,
    family      text NOT NULL CHECK (family ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    label_fr    text NOT NULL,
    label_en    text NOT NULL,
    state       text NOT NULL CHECK (state IN ('active', 'suspended', 'removed')),
    document    bytea NOT NULL,
    policy      jsonb NOT NULL,
    version     bigint NOT NULL DEFAULT nextval('service_version'),
    updated_at  timestamptz NOT NULL,
    UNIQUE (kind, name)
);
COMMENT ON TABLE service IS 'SAML services and OIDC clients.';
COMMENT ON COLUMN service.name IS 'entityID or client_id.';
COMMENT ON COLUMN service.family IS 'Services of one family see the same pairwise identifier, of two families never (K8).';
COMMENT ON COLUMN service.document IS 'SAML metadata as imported, or client metadata (RFC 7591) with the secret as a keyed hash only.';
COMMENT ON COLUMN service.policy IS 'What is required of it and released to it.';

CREATE TABLE node (
    id              uuid PRIMARY KEY,
    process         text NOT NULL,
    service_version bigint NOT NULL,
    seen_at         timestamptz NOT NULL
);
COMMENT ON TABLE node IS 'Running processes that hold the registry in memory: a command that changes it waits until all of them have it.';

CREATE TABLE pairwise (
    account_id  uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    family      text NOT NULL,
    value       text NOT NULL UNIQUE,
    key_version integer NOT NULL,
    made_at     timestamptz NOT NULL,
    PRIMARY KEY (account_id, family)
);
COMMENT ON TABLE pairwise IS 'Identifier of an account for a family of services, 160 bits; stored, so that a key rotation changes nothing for them.';

CREATE TABLE flow (
    id          text PRIMARY KEY CHECK (length(id) BETWEEN 22 AND 64),
    dialect     text NOT NULL CHECK (dialect IN ('saml', 'oidc', 'own')),
    service_id  integer REFERENCES service ON DELETE CASCADE,
    request     bytea NOT NULL,
    accept      smallint NOT NULL,
    fresh_after timestamptz NOT NULL,
    lang        text NOT NULL,
    login_hint  text,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
COMMENT ON TABLE flow IS 'A sign-on that waits for a person; the id stands in the URL, so that tabs, nodes and restarts do not matter.';
COMMENT ON COLUMN flow.request IS 'What the dialect needs to answer, in its own words.';
COMMENT ON COLUMN flow.accept IS 'Methods that the service accepts, as the bits of session.method; 0 = any.';
COMMENT ON COLUMN flow.fresh_after IS 'A proof older than this is not good enough: ForceAuthn, max_age.';
CREATE INDEX flow_expiry ON flow (expires_at);

CREATE TABLE signon (
    service_id     integer NOT NULL,
    request_key    bytea NOT NULL,
    session_digest bytea NOT NULL,
    account_id     uuid NOT NULL,
    at             timestamptz NOT NULL,
    name_id        text NOT NULL,
    session_index  text NOT NULL,
    method         smallint NOT NULL,
    auth_time      timestamptz NOT NULL,
    authz          text[] NOT NULL,
    session_idle   timestamptz NOT NULL,
    flow_id        text,
    extra          bytea,
    redeemed_at    timestamptz,
    closed_at      timestamptz,
    PRIMARY KEY (service_id, request_key)
);
COMMENT ON TABLE signon IS 'Every answer given to a service: decision, proof against replay and participant of the session in one row. No foreign keys: services and accounts are marked, never deleted, and a key check would lock the one row of a busy service at every sign-on.';
COMMENT ON COLUMN signon.request_key IS 'SAML: SHA-256 of the AuthnRequest ID. OIDC: SHA-256 of the authorization code.';
COMMENT ON COLUMN signon.extra IS 'OIDC: what the token endpoint must compare and repeat. NULL for SAML.';
COMMENT ON COLUMN signon.session_idle IS 'Copy of session.idle_until: tells without another look whether the session is due to be prolonged.';
COMMENT ON COLUMN signon.redeemed_at IS 'OIDC: when the code was exchanged; a second time revokes what it gave.';
CREATE INDEX signon_session ON signon (session_digest);
CREATE INDEX signon_account ON signon (account_id, at);

CREATE TABLE oidc_token (
    digest      bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    service_id  integer NOT NULL,
    request_key bytea NOT NULL,
    account_id  uuid NOT NULL,
    sub         text NOT NULL,
    scope       text NOT NULL,
    live        boolean NOT NULL DEFAULT true,
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
COMMENT ON TABLE oidc_token IS 'Access tokens by SHA-256, made from rows of signon (no foreign keys, as there); live goes false when the code is replayed, the account blocked or the session ended.';
CREATE INDEX oidc_token_account ON oidc_token (account_id) WHERE live;
CREATE INDEX oidc_token_grant ON oidc_token (service_id, request_key);
CREATE INDEX oidc_token_expiry ON oidc_token (expires_at);

CREATE TABLE authn_event (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id uuid REFERENCES account ON DELETE CASCADE,
    at         timestamptz NOT NULL,
    result     text NOT NULL,
    method     smallint NOT NULL,
    service_id integer,
    ip_prefix  text NOT NULL DEFAULT ''
);
COMMENT ON TABLE authn_event IS 'Sign-ins, good and bad, for the citizen''s own page; 6 months; address cut to /24 or /56.';
CREATE INDEX authn_event_account ON authn_event (account_id, at DESC);

CREATE TABLE throttle (
    bucket bytea PRIMARY KEY,
    level  double precision NOT NULL,
    at     timestamptz NOT NULL
);
COMMENT ON TABLE throttle IS 'Leaky buckets by keyed hash of what they limit; a row without level may go after 24 h.';

CREATE TABLE mail_in (
    digest   bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    at       timestamptz NOT NULL,
    verdict  text NOT NULL,
    from_mac bytea,
    dmarc    text NOT NULL
);
COMMENT ON TABLE mail_in IS 'Messages received, by digest: a second delivery of the same message is not answered twice. No content.';
CREATE INDEX mail_in_at ON mail_in (at);

GRANT SELECT, INSERT, UPDATE, DELETE ON account, account_authz, secret, idempotency, creation_binding,
    activation_link, contact, login, login_reserved, session, pairwise, flow, signon, oidc_token, authn_event,
    throttle, node TO idp_web;
GRANT SELECT, INSERT ON account_change, mail_in TO idp_web;
GRANT SELECT ON town, town_certificate, service, service_version TO idp_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON account, account_authz, secret, idempotency, creation_binding,
    activation_link, contact, login_reserved, session, flow, signon, oidc_token, authn_event, throttle, mail_in,
    node TO idp_worker;
GRANT SELECT, INSERT ON account_change TO idp_worker;
GRANT SELECT ON town, town_certificate, service, service_version, pairwise TO idp_worker;
GRANT SELECT (account_id, login_folded, changed_at) ON login TO idp_worker;

-- What must hold whoever changes an account: an account that is no longer active has no session and no token, and
-- a change of authorisations reaches the copies in its sessions (P-056, P-057). Kept here so that no path forgets it.
CREATE FUNCTION account_left_active() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE session SET live = false, ended_at = NEW.state_since, ended_why = NEW.state
        WHERE account_id = NEW.id AND live;
    UPDATE oidc_token SET live = false WHERE account_id = NEW.id AND live;
    RETURN NULL;
END
$$;
CREATE TRIGGER account_left_active AFTER UPDATE OF state ON account
    FOR EACH ROW WHEN (OLD.state = 'active' AND NEW.state <> 'active') EXECUTE FUNCTION account_left_active();

CREATE FUNCTION account_authz_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE session SET authz_until = '-infinity' WHERE account_id = NEW.account_id AND live;
    RETURN NULL;
END
$$;
CREATE TRIGGER account_authz_changed AFTER INSERT OR UPDATE ON account_authz
    FOR EACH ROW EXECUTE FUNCTION account_authz_changed();

-- A session that ends takes its tokens with it.
CREATE FUNCTION session_ended() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE oidc_token t SET live = false FROM signon s
        WHERE s.session_digest = NEW.token_digest AND t.service_id = s.service_id AND t.request_key = s.request_key
          AND t.live;
    RETURN NULL;
END
$$;
CREATE TRIGGER session_ended AFTER UPDATE OF live ON session
    FOR EACH ROW WHEN (OLD.live AND NOT NEW.live) EXECUTE FUNCTION session_ended();

-- New codes, a block or an end of the creation code take the activation links with them.
CREATE FUNCTION secret_creation_ended() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE activation_link SET state = 'superseded' WHERE secret_id = NEW.id AND state IN ('live', 'opened');
    RETURN NULL;
END
$$;
CREATE TRIGGER secret_creation_ended AFTER UPDATE OF state ON secret
    FOR EACH ROW WHEN (OLD.kind = 'creation' AND OLD.state = 'live' AND NEW.state <> 'live')
    EXECUTE FUNCTION secret_creation_ended();
