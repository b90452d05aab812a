-- Certificates of another authority that their holder binds to an account from a session (DOMAIN 2.3): which authorities allow it, and
-- which links were made so.

ALTER TABLE trust ADD COLUMN link_from_session boolean NOT NULL DEFAULT false;
ALTER TABLE trust ADD CONSTRAINT trust_link_not_own CHECK (NOT (own AND link_from_session));
COMMENT ON COLUMN trust.link_from_session IS 'Its certificates may be bound to an account by who shows them in a fresh session. Never our own authority: whose those are, the counter says.';

ALTER TABLE credential_certificate ADD COLUMN by_holder boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN credential_certificate.by_holder IS 'Bound by its holder from a session: they may take it away, and new codes from the counter end it.';

-- What must hold whoever changes an account: new codes from the counter, or the end of the account, leave no certificate behind
-- that was added from a session. So a card that a thief added with a stolen password does not open the account again.
CREATE FUNCTION account_links_ended() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE credential_certificate SET state = 'ended', state_since = NEW.state_since
        WHERE account_id = NEW.id AND by_holder AND state <> 'ended';
    RETURN NULL;
END
$$;
CREATE TRIGGER account_links_ended AFTER UPDATE OF state ON account
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('pending', 'closed', 'erased'))
    EXECUTE FUNCTION account_links_ended();
