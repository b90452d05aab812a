/* pg-internal: what the files of this room share. Nothing outside base/pg includes it: libpq stays behind the fence. */
#ifndef BASE_PG_PG_INTERNAL_H
#define BASE_PG_PG_INTERNAL_H

#include <libpq-fe.h>

#include "base/pg/pg.h"

/* PostgreSQL counts microseconds from 2000-01-01. */
#define PG_EPOCH (INT64_C(946684800) * USEC_PER_SEC)

/* How long beyond statement_timeout a silent server is waited for. */
#define PG_GRACE (2 * USEC_PER_SEC)
/* After a failed reconnection, how long callers are answered at once instead of each trying again. */
#define PG_RETRY_PAUSE (USEC_PER_SEC / 4)
#define PG_CHANNEL_MAX 63
/* Statements that may wait together; more go in several trips. */
#define PG_POSTED_MAX 32

enum pg_tx_state {
    TX_NONE,
    TX_PENDING,    /* pg_tx runs, nothing was sent yet: BEGIN goes with the first statement */
    TX_OPEN,       /* the server is in a transaction */
    TX_LOST        /* the connection broke inside the transaction: nothing works until pg_tx has ended it */
};

struct pg {
    PGconn *conn;                  /* NULL when down */
    const struct pg_config *conf;  /* borrowed */
    enum pg_tx_state tx;
    const char *tx_begin;          /* the statement that begins this transaction */
    bool tx_retry;                 /* a statement of this transaction met a serialisation failure or deadlock */
    bool doomed;                   /* the server said FATAL, or is the wrong one: do not use this connection again */
    bool pipelined;                /* libpq is in pipeline mode */
    const char *posted[PG_POSTED_MAX];   /* names of what was sent in it and waits for an answer, in order */
    int nposted;
    bool listening;                /* LISTEN was said on this very connection */
    utime down_until;              /* clock_monotonic: no reconnection before */
    char constraint[64];           /* of the last ERR_CONFLICT */
};

struct pg_result {
    PGresult *res;
    const char *stmt;              /* name, for our own bugs */
};

/* What a SQLSTATE means for the caller. */
struct pg_verdict {
    enum err err;
    bool retry;        /* the transaction may succeed when run again */
    bool drop;         /* the connection is of no use any more */
    bool quiet;        /* the server's message may hold a value: do not repeat it */
};
struct pg_verdict pg_sqlstate_verdict(const char *sqlstate);

void pg_trip(void);    /* counts one round trip of this thread */

static inline void
pg_res_freep(PGresult **res)
{
    PQclear(*res);
    *res = NULL;
}

/* --- connection (pg_conn.c) --- */
/* Makes the connection usable: detects one that died while idle and opens it again, except inside a transaction. */
MUST_USE enum err pg_ready(struct pg *pg, struct why *why);
void pg_drop(struct pg *pg);
int64_t pg_patience(const struct pg *pg);   /* statement_timeout plus PG_GRACE */

/* --- wire (pg_wire.c): no call here waits longer than the deadline (clock_monotonic) --- */
/* Sends what libpq has buffered. false: connection lost or deadline passed. */
MUST_USE bool pg_flush(struct pg *pg, utime deadline);
/* Next result, NULL at the end of a command. *ret_alive false: connection lost or deadline passed. */
PGresult *pg_next(struct pg *pg, utime deadline, bool *ret_alive);
/* Judges a result: OK, or the kind with the reason; sets constraint, tx_retry, doomed. res NULL: connection lost. */
MUST_USE enum err pg_judge(struct pg *pg, const PGresult *res, const char *what, struct why *why);
/* A command without rows that is a literal of ours (BEGIN, COMMIT, LISTEN "x"). */
MUST_USE enum err pg_command(struct pg *pg, const char *text, struct why *why);

/* --- notifications (pg_notify.c) --- */
/* Sleeps up to timeout, less when wake_fd becomes readable. */
void pg_pause(int64_t timeout, int wake_fd);

/* --- parameters (pg_args.c) --- */
MUST_USE enum err pg_args_settle(struct pg_args *a, const struct pg_stmt *stmt, struct why *why);
void pg_args_done(struct pg_args *a);

#endif
