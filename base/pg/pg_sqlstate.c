/*
 * pg_sqlstate: the one place where SQLSTATE is read.
 *
 * Rows are five characters or the two of a class; the first row that fits counts, so that exceptions stand above
 * their class. What is not listed is our mistake: ERR_INTERNAL.
 */
#include "base/pg/pg-internal.h"

static const struct {
    const char *state;
    struct pg_verdict verdict;
} verdicts[] = {
    /* state     err              retry  drop   quiet */
    { "40001", { ERR_CONFLICT,    true,  false, false } },    /* serialization_failure */
    { "40P01", { ERR_CONFLICT,    true,  false, false } },    /* deadlock_detected */
    { "40",    { ERR_UNAVAILABLE, false, false, false } },    /* rolled back; 40003: outcome unknown */
    { "23502", { ERR_INTERNAL,    false, false, false } },    /* not_null_violation: a check of ours is missing */
    { "23",    { ERR_CONFLICT,    false, false, false } },    /* unique, foreign key, check, exclusion */
    { "22P03", { ERR_INTERNAL,    false, false, false } },    /* invalid_binary_representation: wrong pg_arg_ call */
    { "22012", { ERR_INTERNAL,    false, false, false } },    /* division_by_zero */
    { "22",    { ERR_INPUT,       false, false, true } },     /* a value does not fit; the message quotes it */
    { "25006", { ERR_UNAVAILABLE, false, true,  false } },    /* read_only_sql_transaction: this is a standby now */
    { "25P03", { ERR_UNAVAILABLE, false, true,  false } },    /* idle_in_transaction_session_timeout */
    { "0A000", { ERR_UNAVAILABLE, false, true,  false } },    /* cached plan must not change result type: prepare anew */
    { "55P03", { ERR_UNAVAILABLE, false, false, false } },    /* lock_not_available: lock_timeout */
    { "57014", { ERR_UNAVAILABLE, false, false, false } },    /* query_canceled: statement_timeout */
    { "57",    { ERR_UNAVAILABLE, false, true,  false } },    /* shutdown, crash, cannot_connect_now */
    { "08",    { ERR_UNAVAILABLE, false, true,  false } },    /* connection */
    { "53",    { ERR_UNAVAILABLE, false, false, false } },    /* disk full, out of memory, too many connections */
    { "58",    { ERR_UNAVAILABLE, false, false, false } },    /* input/output error below PostgreSQL */
    { "XX",    { ERR_UNAVAILABLE, false, false, false } },    /* PostgreSQL's own fault, corrupted data included */
};

struct pg_verdict
pg_sqlstate_verdict(const char *sqlstate)
{
    /* Errors that libpq makes itself carry no state: the connection is gone or unusable. */
    if (sqlstate == NULL || sqlstate[0] == '\0')
        return (struct pg_verdict){ ERR_UNAVAILABLE, false, true, false };
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
        if (strncmp(sqlstate, verdicts[i].state, strlen(verdicts[i].state)) == 0)
            return verdicts[i].verdict;
    return (struct pg_verdict){ ERR_INTERNAL, false, false, false };
}
