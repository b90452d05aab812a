/*
 * pg_wire: sending and receiving with a deadline.
 *
 * libpq's own waiting calls wait for ever: a frozen server or a cut network would hold the thread. The connection is
 * non-blocking, and every wait here is a poll() with what is left of the deadline. Who passes it drops the connection.
 */
#include <errno.h>
#include <poll.h>

#include "base/pg/pg-internal.h"

static _Thread_local uint64_t round_trips;

void
pg_trip(void)
{
    round_trips++;
}

uint64_t
pg_round_trips(void)
{
    return round_trips;
}

/* 1: ready, 0: deadline passed, -1: failed. */
static int
wait_socket(const struct pg *pg, short events, utime deadline)
{
    struct pollfd fd = { .fd = PQsocket(pg->conn), .events = events };

    if (fd.fd < 0)
        return -1;
    for (;;) {
        int64_t left = deadline - clock_monotonic();
        int n = poll(&fd, 1, left <= 0 ? 0 : (int)(left / 1000) + 1);

        if (n > 0)
            return 1;
        if (n == 0 && left <= 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -1;
    }
}

bool
pg_flush(struct pg *pg, utime deadline)
{
    for (;;) {
        int pending = PQflush(pg->conn);

        if (pending == 0)
            return true;
        if (pending < 0 || wait_socket(pg, POLLOUT | POLLIN, deadline) <= 0)
            return false;
        /* The server may be unable to read on before it is read from. */
        if (PQconsumeInput(pg->conn) == 0)
            return false;
    }
}

PGresult *
pg_next(struct pg *pg, utime deadline, bool *ret_alive)
{
    *ret_alive = true;
    while (PQisBusy(pg->conn)) {
        if (wait_socket(pg, POLLIN, deadline) <= 0) {
            *ret_alive = false;
            return NULL;
        }
        /* On failure libpq has an error result ready, which says what the server said last. */
        if (PQconsumeInput(pg->conn) == 0)
            break;
    }
    return PQgetResult(pg->conn);
}

/* The first line of libpq's or the server's message, which never holds DETAIL (where values stand). */
static void
first_line(const char *message, char *out, size_t out_size)
{
    size_t n = strcspn(message, "\n");

    if (n >= out_size)
        n = out_size - 1;
    memcpy(out, message, n);
    out[n] = '\0';
}

static void
keep_constraint(struct pg *pg, const PGresult *res)
{
    const char *name = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);

    first_line(name == NULL ? "" : name, pg->constraint, sizeof(pg->constraint));
}

enum err
pg_judge(struct pg *pg, const PGresult *res, const char *what, struct why *why)
{
    struct pg_verdict verdict;
    const char *state, *severity, *message;
    char text[300];

    if (res == NULL) {
        pg->doomed = true;
        return why_code(why, ERR_UNAVAILABLE, "pg.unknown", "%s: no answer from the database, outcome unknown", what);
    }
    switch (PQresultStatus(res)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
    case PGRES_PIPELINE_SYNC:
        return OK;
    case PGRES_PIPELINE_ABORTED:
        return why_set(why, ERR_INTERNAL, "%s: not run, a command before it failed", what);
    case PGRES_FATAL_ERROR:
    case PGRES_NONFATAL_ERROR:
    case PGRES_BAD_RESPONSE:
        break;
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH:
    case PGRES_SINGLE_TUPLE:
        pg->doomed = true;
        return why_set(why, ERR_INTERNAL, "%s: unexpected kind of answer", what);
    }

    state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    verdict = pg_sqlstate_verdict(state);
    first_line(message != NULL ? message : PQresultErrorMessage(res), text, sizeof(text));
    if (verdict.drop || PQstatus(pg->conn) == CONNECTION_BAD || (severity != NULL && strcmp(severity, "FATAL") == 0))
        pg->doomed = true;
    if (verdict.retry)
        pg->tx_retry = true;
    if (verdict.err == ERR_CONFLICT)
        keep_constraint(pg, res);
    /* A FATAL can follow a commit (a standby that was waited for): what became of the statement is not known. */
    if (state == NULL || (severity != NULL && strcmp(severity, "FATAL") == 0))
        return why_code(why, ERR_UNAVAILABLE, "pg.unknown", "%s: connection lost, outcome unknown: %s", what, text);
    return why_set(why, verdict.err, "%s: SQLSTATE %s: %s", what, state, verdict.quiet ? "value refused" : text);
}

enum err
pg_command(struct pg *pg, const char *text, struct why *why)
{
    utime deadline = clock_monotonic() + pg_patience(pg);
    enum err e = OK;
    bool alive;
    int answers = 0;

    pg_trip();
    if (PQsendQuery(pg->conn, text) == 0 || !pg_flush(pg, deadline))
        return pg_judge(pg, NULL, text, why);
    for (;;) {
        AUTO(pg_res_freep) PGresult *res = pg_next(pg, deadline, &alive);

        if (res == NULL)
            break;
        answers++;
        if (e == OK)
            e = pg_judge(pg, res, text, why);
    }
    if (!alive || answers == 0)
        return pg_judge(pg, NULL, text, why);
    return e;
}
