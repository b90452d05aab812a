-- What makes lists quick to read (docs/performance.md).

-- A full list is read from this index alone, in its order.
CREATE INDEX certificate_listed ON certificate (ca_id, shard, serial) INCLUDE (not_after, revoked_at, reason, invalid_at, profile)
    WHERE revoked_at IS NOT NULL;
DROP INDEX certificate_bad;
