-- Database roles, one per process (docs/architecture.md). Run once by the cluster's superuser; idempotent.
-- Passwords, peer maps or certificates are the operator's business: pg_hba.conf.
DO $$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['idp_owner', 'idp_web', 'idp_worker', 'idp_notifier', 'mairie_owner', 'mairie_web',
                            'mairie_outbox', 'pki_owner', 'pki_signer', 'pki_worker', 'pki_front', 'pki_status'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', r);
        END IF;
    END LOOP;
END
$$;
