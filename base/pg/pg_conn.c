/*
 * pg_conn: opening a connection, preparing the program's statements, noticing that a connection died.
 *
 * Settings, schema check and all statements travel as one pipeline: opening costs two round trips however many
 * statements there are. The order matters: the schema check comes first, so that a database that was never migrated is
 * said to be that, rather than to lack the first table somebody names.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/core/log.h"
#include "base/pg/pg-internal.h"

#define LEAST_SERVER 150000

static const char settings_text[] =
    "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $1, false),"
    " set_config('idle_in_transaction_session_timeout', $2, false), set_config('TimeZone', 'UTC', false),"
    /* Our statements are prepared once and their plans do not depend on the values. */
    " set_config('plan_cache_mode', 'force_generic_plan', false),"
    /* Compiling a plan takes 200 ms, again at each execution; estimates of generic plans ask for it where ten rows are read. */
    " set_config('jit', 'off', false)";
static const char version_text[] =
    "SELECT coalesce(max(number), 0)::text FROM schema_version WHERE schema = $1";

int64_t
pg_patience(const struct pg *pg)
{
    int64_t limit = pg->conf->statement_timeout;

    return (limit > 0 ? limit : PG_STATEMENT_TIMEOUT) + PG_GRACE;
}

void
pg_drop(struct pg *pg)
{
    if (pg->conn != NULL)
        PQfinish(pg->conn);
    pg->conn = NULL;
    pg->listening = false;
    pg->pipelined = false;
    pg->nposted = 0;
    pg->doomed = false;
    if (pg->tx == TX_OPEN)
        pg->tx = TX_LOST;
}

/* A FATAL that arrives between two statements is shown by libpq as a notice. */
static void
on_notice(void *arg, const PGresult *res)
{
    struct pg *pg = arg;
    const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    if (severity == NULL || text == NULL)
        return;
    if (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0)
        pg->doomed = true;
    else if (strcmp(severity, "WARNING") == 0)
        LOG_WARN_EV("pg.warning", LF_STR("text", text));
}

static enum err
connect_server(struct pg *pg, struct why *why)
{
    /* Later keywords win: what the operator writes in the conninfo stands above these. */
    const char *const keywords[] = { "fallback_application_name", "connect_timeout", "tcp_user_timeout",
                                     "keepalives_idle", "dbname", "client_encoding", NULL };
    const char *const values[] = { "beffroi", "3", "10000", "30", pg->conf->conninfo, "UTF8", NULL };

    pg_trip();
    pg->conn = PQconnectdbParams(keywords, values, 1);
    if (pg->conn == NULL)
        panic("out of memory");
    if (PQstatus(pg->conn) != CONNECTION_OK) {
        const char *message = PQerrorMessage(pg->conn);

        return why_code(why, ERR_UNAVAILABLE, "pg.connect", "database: %.*s", (int)strcspn(message, "\n"), message);
    }
    if (PQserverVersion(pg->conn) < LEAST_SERVER)
        return why_code(why, ERR_INTERNAL, "pg.version", "database: PostgreSQL %d is too old, 15 is the least",
                        PQserverVersion(pg->conn) / 10000);
    if (PQsetnonblocking(pg->conn, 1) != 0)
        return why_set(why, ERR_INTERNAL, "database: no non-blocking connection");
    PQsetNoticeReceiver(pg->conn, on_notice, pg);
    return OK;
}

/* --- the pipeline, sending side --- */
static bool
send_settings(struct pg *pg)
{
    char limit[24], idle[24];
    const char *const values[] = { limit, idle };
    int64_t patience = pg_patience(pg);

    (void)snprintf(limit, sizeof(limit), "%" PRId64, (patience - PG_GRACE) / 1000);
    (void)snprintf(idle, sizeof(idle), "%" PRId64, patience / 1000);
    return PQsendQueryParams(pg->conn, settings_text, 2, NULL, values, NULL, NULL, 0) == 1;
}

static bool
send_version(struct pg *pg)
{
    const char *const values[] = { pg->conf->schema };

    return PQsendQueryParams(pg->conn, version_text, 1, NULL, values, NULL, NULL, 0) == 1;
}

static bool
send_statement(struct pg *pg, const struct pg_stmt *stmt)
{
    return PQsendPrepare(pg->conn, stmt->name, stmt->text, 0, NULL) == 1 &&
           PQsendDescribePrepared(pg->conn, stmt->name) == 1;
}

static bool
send_all(struct pg *pg)
{
    const struct pg_stmts *const *tables = pg->conf->stmts;

    if (PQenterPipelineMode(pg->conn) != 1)
        return false;
    pg->pipelined = true;
    if (!send_settings(pg) || (pg->conf->schema != NULL && !send_version(pg)))
        return false;
    for (size_t t = 0; tables != NULL && tables[t] != NULL; t++)
        for (size_t i = 0; i < tables[t]->n; i++)
            if (!send_statement(pg, &tables[t]->list[i]))
                return false;
    return PQpipelineSync(pg->conn) == 1;
}

/* --- the pipeline, receiving side: one result and one NULL for each command --- */
static enum err
take_answer(struct pg *pg, utime deadline, const char *what, PGresult **ret_res, struct why *why)
{
    AUTO(pg_res_freep) PGresult *res = NULL;
    bool alive = true;
    enum err e;

    res = pg_next(pg, deadline, &alive);
    if ((e = pg_judge(pg, res, what, why)) != OK)
        return e;
    PQclear(pg_next(pg, deadline, &alive));
    *ret_res = TAKE(res);
    return OK;
}

/* The words an operator needs when tables, columns or functions are not what a statement expects. */
static bool
is_misfit(const PGresult *res)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    return state != NULL && strncmp(state, "42", 2) == 0;
}

static enum err
take_version(struct pg *pg, utime deadline, struct why *why)
{
    const struct pg_config *conf = pg->conf;
    AUTO(pg_res_freep) PGresult *res = NULL;
    bool alive = true;
    int64_t version;
    enum err e;

    res = pg_next(pg, deadline, &alive);
    if (res != NULL && is_misfit(res)) {
        const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

        return why_code(why, ERR_INTERNAL, "pg.schema.none",
                        "schema \"%s\" is not there (%s): run migrate as its owner, and see that search_path in the"
                        " conninfo names it first", conf->schema, message);
    }
    if ((e = pg_judge(pg, res, "schema_version", why)) != OK)
        return e;
    if ((e = str_to_i64(str_of(PQgetvalue(res, 0, 0)), 0, INT32_MAX, &version)) != OK)
        return why_set(why, ERR_INTERNAL, "schema_version: not a number");
    PQclear(pg_next(pg, deadline, &alive));
    if (version == 0)
        return why_code(why, ERR_INTERNAL, "pg.schema.none",
                        "schema \"%s\" has no version here: run migrate as its owner, and see that search_path in the"
                        " conninfo names it first", conf->schema);
    if (version < conf->schema_min)
        return why_code(why, ERR_INTERNAL, "pg.schema.older",
                        "the database is older than this program: schema \"%s\" is at %" PRId64 ", the least is %d;"
                        " run this program's migrate", conf->schema, version, conf->schema_min);
    if (version > conf->schema_max)
        return why_code(why, ERR_INTERNAL, "pg.schema.newer",
                        "this program is older than the database: schema \"%s\" is at %" PRId64 ", known up to %d;"
                        " install the program that belongs to it", conf->schema, version, conf->schema_max);
    return OK;
}

static enum err
take_statement(struct pg *pg, const struct pg_stmt *stmt, utime deadline, struct why *why)
{
    AUTO(pg_res_freep) PGresult *prepared = NULL;
    AUTO(pg_res_freep) PGresult *described = NULL;
    struct why judged = WHY_INIT;
    enum err e;

    if ((e = take_answer(pg, deadline, "prepare", &prepared, &judged)) != OK) {
        if (e == ERR_UNAVAILABLE)
            return why_code(why, e, judged.code, "%s", judged.text);
        return why_code(why, ERR_INTERNAL, "pg.statement",
                        "statement %s does not fit the schema (is it migrated, is search_path right?): %s", stmt->name,
                        judged.text);
    }
    if ((e = take_answer(pg, deadline, stmt->name, &described, why)) != OK)
        return e;
    if (PQnparams(described) != stmt->nparams)
        return why_code(why, ERR_INTERNAL, "pg.statement", "statement %s: %d parameters declared, the text has %d",
                        stmt->name, stmt->nparams, PQnparams(described));
    return OK;
}

static enum err
take_all(struct pg *pg, utime deadline, struct why *why)
{
    const struct pg_stmts *const *tables = pg->conf->stmts;
    AUTO(pg_res_freep) PGresult *settings = NULL;
    AUTO(pg_res_freep) PGresult *sync = NULL;
    bool alive;
    enum err e;

    if ((e = take_answer(pg, deadline, "connection settings", &settings, why)) != OK ||
        (pg->conf->schema != NULL && (e = take_version(pg, deadline, why)) != OK))
        return e;
    for (size_t t = 0; tables != NULL && tables[t] != NULL; t++)
        for (size_t i = 0; i < tables[t]->n; i++)
            if ((e = take_statement(pg, &tables[t]->list[i], deadline, why)) != OK)
                return e;
    sync = pg_next(pg, deadline, &alive);
    if ((e = pg_judge(pg, sync, "prepare", why)) != OK)
        return e;
    if (PQexitPipelineMode(pg->conn) != 1)
        return why_set(why, ERR_INTERNAL, "prepare: %s", PQerrorMessage(pg->conn));
    pg->pipelined = false;
    return OK;
}

static enum err
open_link(struct pg *pg, struct why *why)
{
    utime deadline;
    enum err e;

    if ((e = connect_server(pg, why)) != OK) {
        pg_drop(pg);
        return e;
    }
    deadline = clock_monotonic() + pg_patience(pg);
    pg_trip();
    if (!send_all(pg) || !pg_flush(pg, deadline))
        e = why_code(why, ERR_UNAVAILABLE, "pg.connect", "database: lost while statements were prepared");
    else
        e = take_all(pg, deadline, why);
    if (e != OK)
        pg_drop(pg);
    return e;
}

/* --- life of a connection --- */
enum err
pg_open(const struct pg_config *conf, struct pg **ret, struct why *why)
{
    AUTO(pg_closep) struct pg *pg = mem_alloc(sizeof(*pg));
    enum err e;

    pg->conf = conf;
    if ((e = open_link(pg, why)) != OK)
        return e;
    *ret = TAKE(pg);
    return OK;
}

void
pg_close(struct pg *pg)
{
    if (pg == NULL)
        return;
    pg_drop(pg);
    free(pg);
}

int
pg_fd(struct pg *pg)
{
    return pg->conn == NULL || PQstatus(pg->conn) != CONNECTION_OK ? -1 : PQsocket(pg->conn);
}

const char *
pg_constraint(struct pg *pg)
{
    return pg->constraint;
}

/*
 * A connection that PostgreSQL closed while it was idle looks whole to libpq, and libpq reports a failed send only
 * as a failed receive, when it is no longer known whether the statement ran. So the socket is looked at first: it has
 * nothing to say unless it carries notifications or its end.
 */
static bool
is_alive(struct pg *pg)
{
    while (pg->conn != NULL && !pg->doomed && PQstatus(pg->conn) == CONNECTION_OK) {
        char c;
        ssize_t n = recv(PQsocket(pg->conn), &c, 1, MSG_PEEK | MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || PQconsumeInput(pg->conn) == 0)
            return false;
        (void)PQisBusy(pg->conn);       /* parses what came; on_notice sees a FATAL */
    }
    return false;
}

enum err
pg_ready(struct pg *pg, struct why *why)
{
    enum err e;

    if (pg->tx == TX_LOST)
        return why_set(why, ERR_UNAVAILABLE, "the connection was lost earlier in this transaction");
    if (pg->tx == TX_OPEN)
        return OK;
    if (is_alive(pg))
        return OK;
    if (pg->conn == NULL && clock_monotonic() < pg->down_until)
        return why_code(why, ERR_UNAVAILABLE, "pg.connect", "database: away a moment ago");
    if (pg->conn != NULL)
        LOG_WARN_EV("pg.lost", LF_STR("schema", pg->conf->schema == NULL ? "" : pg->conf->schema));
    pg_drop(pg);
    e = open_link(pg, why);
    if (e != OK)
        pg->down_until = clock_monotonic() + PG_RETRY_PAUSE;
    return e;
}
