/*
 * pg_exec: running one prepared statement, and transactions.
 *
 * A transaction's BEGIN waits for its first statement and travels with it; what is posted waits in libpq's buffer for the
 * next statement or for COMMIT. What a statement outside a transaction did when its answer was lost is unknown; nothing
 * here runs it again. Inside a transaction a lost connection means that the server rolls back, unless COMMIT itself was
 * on its way.
 */
#include <stdlib.h>
#include <time.h>

#include "base/core/rand.h"
#include "base/pg/pg-internal.h"

#define TX_RUNS 5

static bool
send_stmt(struct pg *pg, const struct pg_stmt *stmt, const struct pg_args *args)
{
    static const struct pg_args none = PG_ARGS_INIT;
    const struct pg_args *a = args == NULL ? &none : args;

    return PQsendQueryPrepared(pg->conn, stmt->name, a->n, a->values, a->lengths, a->formats, 1) == 1;
}

/* --- what waits to be sent, and its answers --- */
static enum err
pipe_open(struct pg *pg, struct why *why)
{
    if (pg->pipelined)
        return OK;
    if (PQenterPipelineMode(pg->conn) != 1)
        return why_set(why, ERR_INTERNAL, "pipeline: %s", PQerrorMessage(pg->conn));
    pg->pipelined = true;
    return OK;
}

static void
posted_add(struct pg *pg, const char *name)
{
    CHECK(pg->nposted < PG_POSTED_MAX);
    pg->posted[pg->nposted++] = name;
}

static enum err
post_literal(struct pg *pg, const char *text, struct why *why)
{
    enum err e;

    if ((e = pipe_open(pg, why)) != OK)
        return e;
    if (PQsendQueryParams(pg->conn, text, 0, NULL, NULL, NULL, NULL, 0) != 1)
        return pg_judge(pg, NULL, text, why);
    posted_add(pg, text);
    return OK;
}

/* BEGIN waits for what comes first. */
static enum err
post_begin(struct pg *pg, struct why *why)
{
    pg->tx = TX_OPEN;
    return post_literal(pg, pg->tx_begin, why);
}

static enum err
post_stmt(struct pg *pg, const struct pg_stmt *stmt, const struct pg_args *args, struct why *why)
{
    enum err e;

    if ((e = pipe_open(pg, why)) != OK)
        return e;
    if (!send_stmt(pg, stmt, args))
        return pg_judge(pg, NULL, stmt->name, why);
    posted_add(pg, stmt->name);
    return OK;
}

/*
 * Sends all that waits and takes the answers, in one round trip; *ret_last (may be NULL) gets that of the last. After the
 * first failure the server runs nothing more of it: that one is the answer. Whatever was refused, the connection is out
 * of the pipeline afterwards, or doomed.
 */
static enum err
pipe_run(struct pg *pg, PGresult **ret_last, struct why *why)
{
    utime deadline = clock_monotonic() + pg_patience(pg);
    AUTO(pg_res_freep) PGresult *last = NULL;
    AUTO(pg_res_freep) PGresult *sync = NULL;
    struct why unheard = WHY_INIT;
    int n = pg->nposted;
    enum err first = OK;
    bool alive;

    pg_trip();
    pg->nposted = 0;
    if (PQpipelineSync(pg->conn) != 1 || !pg_flush(pg, deadline))
        return pg_judge(pg, NULL, pg->posted[n - 1], why);
    for (int i = 0; i < n; i++) {
        enum err e;

        pg_res_freep(&last);
        last = pg_next(pg, deadline, &alive);
        e = pg_judge(pg, last, pg->posted[i], first == OK ? why : &unheard);
        if (first == OK)
            first = e;
        if (last == NULL || pg->doomed) {
            pg->doomed = true;
            return first;       /* nobody knows what became of what was not answered */
        }
        PQclear(pg_next(pg, deadline, &alive));
    }
    sync = pg_next(pg, deadline, &alive);
    if (sync == NULL || PQresultStatus(sync) != PGRES_PIPELINE_SYNC || PQexitPipelineMode(pg->conn) != 1) {
        pg->doomed = true;
        return first != OK ? first : why_set(why, ERR_UNAVAILABLE, "%s: connection lost", pg->posted[n - 1]);
    }
    pg->pipelined = false;
    if (first == OK && ret_last != NULL)
        *ret_last = TAKE(last);
    return first;
}

static enum err
exec_plain(struct pg *pg, const struct pg_stmt *stmt, const struct pg_args *args, PGresult **ret_res, struct why *why)
{
    utime deadline = clock_monotonic() + pg_patience(pg);
    AUTO(pg_res_freep) PGresult *res = NULL;
    bool alive;
    enum err e;

    pg_trip();
    if (!send_stmt(pg, stmt, args) || !pg_flush(pg, deadline))
        return pg_judge(pg, NULL, stmt->name, why);
    res = pg_next(pg, deadline, &alive);
    e = pg_judge(pg, res, stmt->name, why);
    for (;;) {
        AUTO(pg_res_freep) PGresult *more = res == NULL ? NULL : pg_next(pg, deadline, &alive);

        if (more == NULL)
            break;
        /* The answer comes before the commit: what fails between the two may have undone it. */
        if (e == OK)
            e = pg_judge(pg, more, stmt->name, why);
        else if (PQresultStatus(more) == PGRES_FATAL_ERROR)
            pg->doomed = true;
    }
    if (e == OK && !alive)
        e = pg_judge(pg, NULL, stmt->name, why);
    if (e == OK)
        *ret_res = TAKE(res);
    return e;
}

enum err
pg_exec(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct pg_result **ret, struct why *why)
{
    AUTO(pg_res_freep) PGresult *res = NULL;
    enum err e;

    if (args == NULL && stmt->nparams != 0)
        panic("statement %s has %d parameters, none were given", stmt->name, stmt->nparams);
    e = args == NULL ? OK : pg_args_settle(args, stmt, why);
    if (e == OK && (e = pg_ready(pg, why)) == OK) {
        pg->constraint[0] = '\0';
        if (pg->tx == TX_PENDING)
            e = post_begin(pg, why);
        if (e == OK && pg->nposted == 0)
            e = exec_plain(pg, stmt, args, &res, why);
        else if (e == OK && (e = post_stmt(pg, stmt, args, why)) == OK)
            e = pipe_run(pg, &res, why);
        if (pg->doomed)
            pg_drop(pg);
    }
    if (args != NULL)
        pg_args_done(args);
    if (e == OK && ret != NULL) {
        struct pg_result *r = mem_alloc(sizeof(*r));

        r->res = TAKE(res);
        r->stmt = stmt->name;
        *ret = r;
    }
    return e;
}

enum err
pg_post(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct why *why)
{
    enum err e;

    if (pg->tx == TX_NONE || pg->tx == TX_LOST)
        return pg_exec(pg, stmt, args, NULL, why);
    /* One place is COMMIT's, one BEGIN's. */
    if (pg->nposted >= PG_POSTED_MAX - 2)
        return pg_exec(pg, stmt, args, NULL, why);
    e = args == NULL ? OK : pg_args_settle(args, stmt, why);
    if (e == OK && (e = pg_ready(pg, why)) == OK) {
        if (pg->tx == TX_PENDING)
            e = post_begin(pg, why);
        if (e == OK)
            e = post_stmt(pg, stmt, args, why);
        if (pg->doomed)
            pg_drop(pg);
    }
    if (args != NULL)
        pg_args_done(args);
    return e;
}

/* --- transactions --- */
static void
rollback(struct pg *pg)
{
    struct why ignored = WHY_INIT;

    /* What was posted and never sent has to leave the pipeline first. */
    if (pg->tx == TX_OPEN && pg->nposted > 0) {
        err_ignore(pipe_run(pg, NULL, &ignored));
        if (pg->doomed)
            pg_drop(pg);
    }
    /* A server that cannot be told rolls back by itself when the connection closes. */
    if (pg->tx == TX_OPEN && pg_command(pg, "ROLLBACK", &ignored) != OK)
        pg_drop(pg);
    pg->tx = TX_NONE;
}

/* COMMIT runs only when all before it did. */
static enum err
commit_posted(struct pg *pg, struct why *why)
{
    enum err e;

    pg->constraint[0] = '\0';
    if ((e = post_literal(pg, "COMMIT", why)) == OK)
        e = pipe_run(pg, NULL, why);
    if (e != OK && !pg->doomed)
        rollback(pg);
    return e;
}

static enum err
commit(struct pg *pg, struct why *why)
{
    enum err e = OK;

    switch (pg->tx) {
    case TX_PENDING:
        break;                      /* nothing was sent */
    case TX_LOST:
        e = why_set(why, ERR_UNAVAILABLE, "the connection was lost in the transaction: rolled back");
        break;
    case TX_OPEN:
        if (PQtransactionStatus(pg->conn) == PQTRANS_INERROR) {
            rollback(pg);
            return why_set(why, ERR_INTERNAL, "transaction body answered OK after a statement failed: rolled back");
        }
        e = pg->nposted == 0 ? pg_command(pg, "COMMIT", why) : commit_posted(pg, why);
        if (pg->doomed)
            pg_drop(pg);
        break;
    case TX_NONE:
        panic("commit without a transaction");
    }
    pg->tx = TX_NONE;
    return e;
}

/* 1–4 ms, then up to 2–8, … so that two who collided do not meet again. */
static void
pause_before_run(int run)
{
    uint32_t usec = (1000u << run) / 2 + rand_below(3000u << run) / 2;
    struct timespec t = { .tv_sec = 0, .tv_nsec = (long)usec * 1000 };

    (void)nanosleep(&t, NULL);      /* a shorter pause does no harm */
}

static enum err
tx_run(struct pg *pg, const char *begin, pg_tx_body body, void *arg, struct why *why)
{
    CHECK(pg->tx == TX_NONE);
    pg->tx_begin = begin;
    for (int run = 1;; run++) {
        enum err e;

        pg->tx = TX_PENDING;
        pg->tx_retry = false;
        e = body(pg, arg, why);
        if (e != OK || pg->tx_retry)
            rollback(pg);
        else
            e = commit(pg, why);
        if (!pg->tx_retry)
            return e;
        if (run == TX_RUNS)
            return why_code(why, ERR_UNAVAILABLE, "pg.contention", "transaction collided %d times", run);
        pause_before_run(run);
    }
}

enum err
pg_tx(struct pg *pg, pg_tx_body body, void *arg, struct why *why)
{
    return tx_run(pg, "BEGIN", body, arg, why);
}

enum err
pg_tx_snapshot(struct pg *pg, pg_tx_body body, void *arg, struct why *why)
{
    return tx_run(pg, "BEGIN ISOLATION LEVEL REPEATABLE READ", body, arg, why);
}
