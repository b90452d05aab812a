-- Accounts whose means of sign-in is a certificate (DOMAIN 2.1, P-009…P-016, P-046…P-048, P-062…P-066): what the town
-- sends for them and the identity provider may not read, how often a code was tried, and what a town offers.

ALTER TABLE town
    ADD COLUMN types text[] NOT NULL DEFAULT '{password,x509_card,x509_soft}'
        CHECK (types <@ ARRAY['password', 'x509_card', 'x509_soft'] AND cardinality(types) BETWEEN 1 AND 3),
    ADD COLUMN hold_max interval NOT NULL DEFAULT '90 days' CHECK (hold_max BETWEEN '1 day' AND '366 days');
COMMENT ON COLUMN town.types IS 'Account types that the town may create; those that this provider does not offer are refused whatever stands here.';
COMMENT ON COLUMN town.hold_max IS 'How long a blocked account may come back; then it is closed (P-066).';

CREATE TABLE account_x509 (
    account_id   uuid PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    profile      text NOT NULL CHECK (profile IN ('pseudonym', 'named')),
    names_sealed bytea,
    CHECK (profile = 'named' OR names_sealed IS NULL)
);
COMMENT ON TABLE account_x509 IS 'Accounts of type x509_soft: what their certificate is to say (P-047, A-03).';
COMMENT ON COLUMN account_x509.names_sealed IS 'JSON {"given_name", "surname"} under K_field, place "account_x509.names": until the certificate is issued, at most until the account is closed.';

CREATE TABLE card_record (
    account_id uuid PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    key_id     text NOT NULL CHECK (key_id ~ '^[A-Za-z0-9_-]{43}$'),
    sealed     bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 81 AND 16384),
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE card_record IS 'What goes onto a card and its letters (P-014), sealed to cardops: the identity provider writes it and cannot read it.';
COMMENT ON COLUMN card_record.key_id IS 'RFC 7638 thumbprint of the key it is sealed to.';
COMMENT ON COLUMN card_record.sealed IS 'HPKE, info "beffroi card record v1", associated data the account''s id; padded, so that its length tells little.';

-- One of each is live for an account: wrong ones are counted there.
CREATE UNIQUE INDEX secret_reactivation_live ON secret (account_id, kind)
    WHERE kind IN ('reactivation_otp', 'reactivation_pin') AND state = 'live';

-- A call whose answer was lost is repeated: a wrong code in it is not counted again. And a body may hold names now: its
-- digest is keyed, so that nobody who has the table can try names on it.
ALTER TABLE idempotency ADD COLUMN problem text NOT NULL DEFAULT '', ADD CHECK (problem = '' OR sealed IS NULL);
ALTER TABLE idempotency RENAME COLUMN body_sha256 TO body_mac;
COMMENT ON COLUMN idempotency.problem IS 'Code of a refusal that counted a try, followed by the tries that were left.';
COMMENT ON COLUMN idempotency.body_mac IS 'HMAC-SHA-256 under K_pepper; of calls before migration 6 the SHA-256.';

-- What must hold whoever closes or erases an account: no name and no card record stays behind. The web process may not
-- delete a card record by itself.
CREATE FUNCTION account_x509_ended() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE account_x509 SET names_sealed = NULL WHERE account_id = NEW.id AND names_sealed IS NOT NULL;
    DELETE FROM card_record WHERE account_id = NEW.id;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION account_x509_ended() FROM PUBLIC;
CREATE TRIGGER account_x509_ended AFTER UPDATE OF state ON account
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('closed', 'erased')) EXECUTE FUNCTION account_x509_ended();

GRANT SELECT, INSERT, UPDATE ON account_x509 TO idp_web;
GRANT SELECT, UPDATE ON account_x509 TO idp_worker;
GRANT INSERT ON card_record TO idp_web;
-- The worker closes accounts whose time is over: their user names go over to login_reserved. It still reads no password.
GRANT DELETE ON login TO idp_worker;
