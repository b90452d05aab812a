-- Second factors of password accounts (D-08): a program that shows codes (RFC 6238), passkeys (W3C Web Authentication), and
-- recovery codes for the day when neither is at hand.

CREATE TABLE factor_totp (
    account_id uuid PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    key_sealed bytea NOT NULL CHECK (octet_length(key_sealed) <= 128),
    last_step  bigint NOT NULL,
    added_at   timestamptz NOT NULL,
    used_at    timestamptz
);
COMMENT ON TABLE factor_totp IS 'The program that shows codes: one an account.';
COMMENT ON COLUMN factor_totp.key_sealed IS 'Its key, sealed under K_field: it must be used, so it cannot be a hash.';
COMMENT ON COLUMN factor_totp.last_step IS 'Time step of the last code that was taken; none of it or before it is taken again.';

CREATE TABLE factor_passkey (
    id            uuid PRIMARY KEY,
    account_id    uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    credential_id bytea NOT NULL UNIQUE CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    alg           integer NOT NULL CHECK (alg IN (-7, -8, -257)),
    public_key    bytea NOT NULL CHECK (octet_length(public_key) BETWEEN 1 AND 512),
    sign_count    bigint NOT NULL CHECK (sign_count BETWEEN 0 AND 4294967295),
    name_sealed   bytea NOT NULL CHECK (octet_length(name_sealed) <= 512),
    added_at      timestamptz NOT NULL,
    used_at       timestamptz
);
COMMENT ON TABLE factor_passkey IS 'Passkeys: several an account.';
COMMENT ON COLUMN factor_passkey.credential_id IS 'As its authenticator named it; no two accounts have the same (Web Authentication 7.1 step 22).';
COMMENT ON COLUMN factor_passkey.alg IS 'COSE algorithm (RFC 9053): -7 ES256, -8 EdDSA, -257 RS256.';
COMMENT ON COLUMN factor_passkey.public_key IS 'X and Y, or 32 octets, or modulus and exponent, by alg.';
COMMENT ON COLUMN factor_passkey.sign_count IS 'The last counter that was seen; 0 when the authenticator does not count.';
COMMENT ON COLUMN factor_passkey.name_sealed IS 'What its holder calls it, sealed under K_field: it may name a person.';
CREATE INDEX factor_passkey_account ON factor_passkey (account_id);

CREATE TABLE factor_recovery (
    account_id  uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    mac         bytea NOT NULL CHECK (octet_length(mac) = 32),
    mac_version integer NOT NULL,
    added_at    timestamptz NOT NULL,
    used_at     timestamptz,
    PRIMARY KEY (account_id, mac)
);
COMMENT ON TABLE factor_recovery IS 'Recovery codes by keyed hash; each is good once. A new set replaces the old one.';

CREATE TABLE factor_challenge (
    id         text PRIMARY KEY CHECK (length(id) BETWEEN 22 AND 64),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE factor_challenge IS 'Challenges of passkeys that were answered: each is good once. Nothing else of them is kept.';

-- What must hold whoever changes an account: new codes from the counter, or the end of the account, leave no factor behind.
-- So the clerk's new sheet helps whoever lost the telephone, and an old telephone does not open the account again.
CREATE FUNCTION account_factors_dropped() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM factor_totp WHERE account_id = NEW.id;
    DELETE FROM factor_passkey WHERE account_id = NEW.id;
    DELETE FROM factor_recovery WHERE account_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER account_factors_dropped AFTER UPDATE OF state ON account
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('pending', 'closed', 'erased'))
    EXECUTE FUNCTION account_factors_dropped();

COMMENT ON COLUMN session.method IS 'How the person proved who they are: bit 1 password, 2 software certificate, 4 card, 8 one-time code, 16 passkey.';

GRANT SELECT, INSERT, UPDATE, DELETE ON factor_totp, factor_passkey, factor_recovery TO idp_web;
GRANT SELECT, INSERT ON factor_challenge TO idp_web;
-- The worker ends accounts, and so the rows of their factors go with them; it reads none of their contents.
GRANT SELECT (account_id), DELETE ON factor_totp, factor_passkey, factor_recovery TO idp_worker;
GRANT SELECT, DELETE ON factor_challenge TO idp_worker;
