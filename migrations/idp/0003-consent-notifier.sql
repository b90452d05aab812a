-- What citizens agreed to that services receive, where a service's policy asks for it (DOMAIN 6.1, screen 8). And flows
-- leave the database: they are sealed into their own address (idp/signon/flow.c), so that a stranger's request
-- writes nothing. And services are told of ended sessions by a process of its own, as role idp_notifier
-- (packaging/sql/roles.sql, to be run again before this).

CREATE TABLE consent (
    account_id uuid NOT NULL REFERENCES account ON DELETE CASCADE,
    service_id integer NOT NULL REFERENCES service,
    items      text NOT NULL CHECK (items ~ '^(town|authz:[a-z][a-z0-9_]{0,63})?( authz:[a-z][a-z0-9_]{0,63})*$'),
    at         timestamptz NOT NULL,
    PRIMARY KEY (account_id, service_id)
);
COMMENT ON TABLE consent IS 'What a citizen last agreed to that a service receives besides its identifier; removed when withdrawn and when the account is closed.';
COMMENT ON COLUMN consent.items IS 'Words "town" and "authz:CODE", separated by a space; empty: the identifier alone.';
GRANT SELECT, INSERT, UPDATE, DELETE ON consent TO idp_web;
GRANT DELETE ON consent TO idp_worker;
GRANT SELECT (account_id, service_id) ON consent TO idp_worker;

-- Withdrawn: what the service still holds opens nothing any more.
CREATE FUNCTION consent_withdrawn() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE oidc_token SET live = false WHERE account_id = OLD.account_id AND service_id = OLD.service_id AND live;
    RETURN NULL;
END
$$;
CREATE TRIGGER consent_withdrawn AFTER DELETE ON consent FOR EACH ROW EXECUTE FUNCTION consent_withdrawn();

CREATE FUNCTION account_closed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM consent WHERE account_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER account_closed AFTER UPDATE OF state ON account
    FOR EACH ROW WHEN (OLD.state <> NEW.state AND NEW.state IN ('closed', 'erased')) EXECUTE FUNCTION account_closed();

DROP TABLE flow;

-- It takes jobs and reads the registry; what jobs of others hold is sealed under keys that it does not have.
GRANT SELECT, UPDATE ON job TO idp_notifier;
GRANT SELECT ON service, service_version TO idp_notifier;
GRANT SELECT, INSERT, UPDATE, DELETE ON node TO idp_notifier;
REVOKE INSERT ON job, audit_event FROM idp_notifier;
