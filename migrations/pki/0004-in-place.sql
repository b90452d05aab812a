-- What makes issuing cheap (docs/performance.md): the second commit changes the certificate's row in place (a heap-only update),
-- which PostgreSQL does only when no index, nor the condition of one, looks at a column that changes.

-- The same value while a certificate is reserved, issued, active or held: indexes look at it and not at the state.
ALTER TABLE certificate ADD COLUMN live boolean NOT NULL
    GENERATED ALWAYS AS (state IN ('reserved', 'issued', 'active', 'held')) STORED;
COMMENT ON COLUMN certificate.live IS 'Its life is not over. What indexes look at: it stays as it is when a reservation becomes a certificate.';
DROP INDEX certificate_end;
CREATE INDEX certificate_end ON certificate (not_after) WHERE live;
DROP INDEX certificate_unaccepted;
CREATE INDEX certificate_unaccepted ON certificate (profile, not_before) WHERE accepted_at IS NULL AND live;
-- Reservations are found by their requests, which are open until the second commit (request_open).
DROP INDEX certificate_reserved;

-- Room on the page for the second version of each row.
ALTER TABLE certificate SET (fillfactor = 50);
