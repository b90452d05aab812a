-- Flows leave the database: they are sealed into their own address (idp/signon/flow.c), so that a stranger's request writes
-- nothing.

DROP TABLE flow;
