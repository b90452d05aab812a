-- A sign-on is one row from the decision to the end of its access token. The token's own table, its four indexes and
-- the triggers that kept it true are gone: a token is good while its row says so and its session lives.
-- Access tokens given before this migration are refused (they lived an hour at most); the client signs on again.

-- The town of the person beside the copies that a sign-on reads anyway.
ALTER TABLE session ADD COLUMN town text;
UPDATE session s SET town = w.name FROM account a JOIN town w ON w.id = a.town_id WHERE a.id = s.account_id;
ALTER TABLE session ALTER COLUMN town SET NOT NULL;
COMMENT ON COLUMN session.town IS 'Name of the account''s town; neither ever changes.';

-- Found by the request alone: an access token names its request, not its service. Room in the page, so that the
-- exchange of a code changes no index.
ALTER TABLE signon DROP CONSTRAINT signon_pkey;
ALTER TABLE signon ADD PRIMARY KEY (request_key, service_id);
ALTER TABLE signon SET (fillfactor = 80);
ALTER TABLE signon ADD COLUMN town text, ADD COLUMN token_digest bytea, ADD COLUMN token_until timestamptz;
UPDATE signon d SET town = w.name FROM account a JOIN town w ON w.id = a.town_id WHERE a.id = d.account_id;
UPDATE signon SET town = '' WHERE town IS NULL;
ALTER TABLE signon ALTER COLUMN town SET NOT NULL, ADD CHECK (octet_length(token_digest) = 32);
COMMENT ON COLUMN signon.town IS 'Name of the person''s town, as in session.';
COMMENT ON COLUMN signon.token_digest IS 'OIDC: SHA-256 of the access token; NULL before the code is exchanged and after it was replayed.';
COMMENT ON COLUMN signon.token_until IS 'OIDC: end of the access token. It ends earlier with its session.';

DROP TRIGGER session_ended ON session;
DROP FUNCTION session_ended();
CREATE OR REPLACE FUNCTION account_left_active() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE session SET live = false, ended_at = NEW.state_since, ended_why = NEW.state
        WHERE account_id = NEW.id AND live;
    RETURN NULL;
END
$$;
-- A consent that is withdrawn takes what the service still holds along, as before.
CREATE OR REPLACE FUNCTION consent_withdrawn() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE signon SET token_digest = NULL
        WHERE account_id = OLD.account_id AND service_id = OLD.service_id AND token_digest IS NOT NULL;
    RETURN NULL;
END
$$;
DROP TABLE oidc_token;
