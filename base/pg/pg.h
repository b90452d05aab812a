/*
 * pg: PostgreSQL connections, prepared statements, transactions.
 *
 * libpq and SQLSTATE stay behind this fence. A store declares its statements as a
 * table; all tables of a program are prepared when a connection opens, so that a
 * wrong statement stops the start. Parameters are bound in binary, results come
 * back in binary; SQL text is a literal and is never composed. Times are passed in
 * (utime), never taken with now() in the text of a statement.
 */
#ifndef BASE_PG_PG_H
#define BASE_PG_PG_H

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/clock.h"

struct pg;          /* one connection; used by one thread at a time */
struct pg_pool;     /* for workers that borrow a connection for a while */
struct pg_result;

struct pg_stmt {
    const char *name;      /* unique in the program: "account.by_handle" */
    const char *text;
    int nparams;
};
/* A store's table: const struct pg_stmts account_stmts = PG_STMTS(list_of_stmts); */
struct pg_stmts {
    const struct pg_stmt *list;
    size_t n;
};
#define PG_STMTS(array) { (array), sizeof(array) / sizeof((array)[0]) }

struct pg_config {
    const char *conninfo;                  /* libpq keywords; no password in it in production: peer or certificate */
    const struct pg_stmts *const *stmts;   /* NULL-terminated list of tables, prepared at connect */
    const char *schema;                    /* name in schema_version that is checked, e.g. "idp"; NULL: no check */
    int schema_min, schema_max;            /* versions this program knows: refuses older and newer, different words */
    int64_t statement_timeout;             /* microseconds a statement may take; 0: PG_STATEMENT_TIMEOUT */
};
#define PG_STATEMENT_TIMEOUT (10 * USEC_PER_SEC)

/*
 * Opens and prepares. conf and what it points to outlive the connection. The program's schema comes first in the
 * search_path, which stands in the conninfo: options='-c search_path=idp'. Several hosts may be named (libpq:
 * host=a,b target_session_attrs=read-write): a connection that meets a standby is dropped and looks for the primary.
 * ERR_UNAVAILABLE: server away. ERR_INTERNAL: a statement or the schema does not fit, with why->code
 * "pg.schema.none" (never migrated, or wrong search_path), "pg.schema.older", "pg.schema.newer", "pg.statement".
 */
MUST_USE enum err pg_open(const struct pg_config *conf, struct pg **ret, struct why *why);
void pg_close(struct pg *pg);
DEFINE_FREEP(struct pg, pg_close)
/* The descriptor to poll for notifications; -1 when the connection is down. */
int pg_fd(struct pg *pg);

MUST_USE enum err pg_pool_new(const struct pg_config *conf, int size, struct pg_pool **ret, struct why *why);
void pg_pool_free(struct pg_pool *pool);
DEFINE_FREEP(struct pg_pool, pg_pool_free)
/* Waits up to timeout for a free connection, reconnecting when needed. ERR_UNAVAILABLE. */
MUST_USE enum err pg_pool_take(struct pg_pool *pool, int64_t timeout, struct pg **ret, struct why *why);
void pg_pool_give(struct pg_pool *pool, struct pg *pg);      /* NULL is allowed */

/* --- parameters ------------------------------------------------------------------------------- */
/*
 * Filled in the order of $1, $2, …, in the same function that executes: struct pg_args is not copied. After pg_exec it
 * is empty and may be filled again. Numbers, times, uuids and arrays are binary: the parameter must have that very type
 * in the statement ($1::int8). Text is taken by text, varchar and bytea alike; a NUL byte or bytes that are not UTF-8
 * in a text make pg_exec answer ERR_INPUT.
 */
#define PG_ARGS_MAX 32
struct pg_args {
    int n;
    const char *values[PG_ARGS_MAX];
    int lengths[PG_ARGS_MAX];
    int formats[PG_ARGS_MAX];
    char fixed[PG_ARGS_MAX][16];       /* storage of numbers, times and uuids */
    struct buf spill;                  /* storage of arrays; released by pg_exec */
    bool bad;                          /* an item of an array is not of its type: pg_exec says ERR_INPUT */
};
#define PG_ARGS_INIT { .n = 0, .spill = { NULL, 0, 0, 1 << 20, false, false } }

void pg_arg_text(struct pg_args *a, const char *s);          /* NULL pointer = SQL NULL; s must outlive the call */
void pg_arg_str(struct pg_args *a, struct str s);            /* text; p NULL = SQL NULL */
void pg_arg_bytes(struct pg_args *a, const void *p, size_t n);
void pg_arg_buf(struct pg_args *a, const struct buf *b);     /* bytea */
void pg_arg_i64(struct pg_args *a, int64_t v);               /* cast in the text: $1::int8 */
void pg_arg_i32(struct pg_args *a, int32_t v);
void pg_arg_bool(struct pg_args *a, bool v);
void pg_arg_time(struct pg_args *a, utime t);                /* timestamptz; UTIME_NULL = SQL NULL */
void pg_arg_uuid(struct pg_args *a, const char *text36);     /* NULL = SQL NULL */
void pg_arg_json(struct pg_args *a, const char *json_text);  /* for jsonb: sent as text; must outlive the call */
void pg_arg_texts(struct pg_args *a, const char *const *items, size_t n);   /* text[]; NULL item = SQL NULL */
void pg_arg_i64s(struct pg_args *a, const int64_t *items, size_t n);        /* int8[] */
void pg_arg_blobs(struct pg_args *a, const struct str *items, size_t n);    /* bytea[] */
void pg_arg_times(struct pg_args *a, const utime *items, size_t n);         /* timestamptz[], none infinite */
void pg_arg_uuids(struct pg_args *a, const char *const *items, size_t n);   /* uuid[] */
void pg_arg_null(struct pg_args *a);
#define UTIME_NULL INT64_MIN

/* --- execution -------------------------------------------------------------------------------- */
/*
 * Runs a prepared statement in one round trip. OK with rows in *ret (ret may be NULL when none matter);
 * ERR_INPUT: a value the column type cannot hold (bad UTF-8, NUL, uuid, number out of range);
 * ERR_CONFLICT: unique, exclusion, foreign key or check violation, or a serialisation failure outside pg_tx;
 * ERR_UNAVAILABLE: server away, out of space, time-out — when a commit's answer was lost the outcome is unknown
 * (why->code "pg.unknown"), so writers must be idempotent; ERR_INTERNAL: our statement or a grant is wrong.
 * A broken connection is reopened once and a statement outside a transaction retried only when it was never sent.
 * A server that does not answer is given up after statement_timeout and two seconds. args may be NULL when the
 * statement has none; what they hold is released. why never holds a value of the statement.
 */
MUST_USE enum err pg_exec(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args,
                          struct pg_result **ret, struct why *why);
/*
 * The same for a statement of a transaction whose rows and conflicts nobody looks at: it travels with the next pg_exec, or
 * with COMMIT, and costs no round trip. If it fails, that one answers for it: a body that posts last hears of it from
 * pg_tx. ERR_INPUT for args that cannot be sent. Outside a transaction it is pg_exec. What args hold may go afterwards.
 */
MUST_USE enum err pg_post(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct why *why);
/* Name of the violated constraint of the last ERR_CONFLICT on this connection, "" when none. */
const char *pg_constraint(struct pg *pg);

int pg_rows(const struct pg_result *r);
int64_t pg_affected(const struct pg_result *r);
void pg_result_free(struct pg_result *r);
DEFINE_FREEP(struct pg_result, pg_result_free)

/*
 * Column getters: a wrong column or type is our bug and panics. Text and bytes point into the result. For SQL NULL:
 * STR_NULL, "", 0, false, UTIME_NULL, an empty uuid.
 */
bool pg_is_null(const struct pg_result *r, int row, int col);
struct str pg_str(const struct pg_result *r, int row, int col);       /* text, varchar, enum, json, jsonb, bytea */
/* The same, copied into a: it stays when r is freed. */
struct str pg_str_dup(const struct pg_result *r, int row, int col, struct arena *a);
const char *pg_text(const struct pg_result *r, int row, int col);     /* NUL-terminated; "" for NULL */
int64_t pg_i64(const struct pg_result *r, int row, int col);          /* int2, int4, int8, oid, xid8 */
bool pg_bool(const struct pg_result *r, int row, int col);
utime pg_time(const struct pg_result *r, int row, int col);           /* infinity: INT64_MAX */
void pg_uuid(const struct pg_result *r, int row, int col, char out[37]);
/* text[]: number of elements; item i is written to *ret. */
size_t pg_texts_count(const struct pg_result *r, int row, int col);
struct str pg_texts_item(const struct pg_result *r, int row, int col, size_t i);
/* int8[] without NULLs. */
size_t pg_i64s_count(const struct pg_result *r, int row, int col);
int64_t pg_i64s_item(const struct pg_result *r, int row, int col, size_t i);

/* --- transactions ----------------------------------------------------------------------------- */
/*
 * Begin, body, commit, at READ COMMITTED; the body is run again (5 runs in all) after a serialisation failure or
 * deadlock, then ERR_UNAVAILABLE. The body has no outside effect: it neither replies nor sends. A result other than OK
 * rolls back and is returned. A body that answers OK although a statement of its failed is our bug: ERR_INTERNAL.
 * BEGIN travels with the first statement: a transaction of n statements by pg_exec costs n + 1 round trips however many
 * are posted beside them, one of none costs 0.
 * When the answer to COMMIT is lost: ERR_UNAVAILABLE, why->code "pg.unknown". Transactions do not nest (panic).
 */
typedef enum err (*pg_tx_body)(struct pg *pg, void *arg, struct why *why);
MUST_USE enum err pg_tx(struct pg *pg, pg_tx_body body, void *arg, struct why *why);
/*
 * The same at REPEATABLE READ: all statements of a run see the database as it was at the first one. A row that somebody
 * else changed since is a serialisation failure: a body that begins with the row it wants alone waits for the other,
 * and is run again with a view that has the other's work.
 */
MUST_USE enum err pg_tx_snapshot(struct pg *pg, pg_tx_body body, void *arg, struct why *why);

/* --- notifications ---------------------------------------------------------------------------- */
/* LISTEN on a channel (an identifier of ours, [a-z_]+). Opens the connection again when it was lost. */
MUST_USE enum err pg_listen(struct pg *pg, const char *channel, struct why *why);
/*
 * Waits up to timeout (microseconds) for a notification; its payload is cut to payload_size. ERR_NOT_FOUND on time-out.
 * ERR_UNAVAILABLE when the connection on which LISTEN was said is gone, also when pg_exec has replaced it silently:
 * notifications may have been missed, forget what was cached, call pg_listen again. A frozen server or a cut network is
 * not seen here: who relies on silence asks with a statement of its own, on this connection.
 */
MUST_USE enum err pg_wait_notify(struct pg *pg, int64_t timeout, char *ret_payload, size_t payload_size,
                                 struct why *why);

/* The same; ERR_NOT_FOUND also when wake_fd can be read: somebody wants the thread, which takes what is in it. -1: nobody. */
MUST_USE enum err pg_wait_notify_or(struct pg *pg, int64_t timeout, int wake_fd, char *ret_payload, size_t payload_size,
                                    struct why *why);

/* Number of round trips made by this thread since it started, for the bench and the metrics. Opening counts 2. */
uint64_t pg_round_trips(void);

#endif
