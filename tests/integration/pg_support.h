/*
 * pg_support: what tests beside a real PostgreSQL share. The second session that a test needs (the operator with psql,
 * the one who kills a backend) speaks libpq directly, so that it does not depend on what is tested.
 */
#ifndef TESTS_INTEGRATION_PG_SUPPORT_H
#define TESTS_INTEGRATION_PG_SUPPORT_H

#include "tests/unit/support.h"

#include <libpq-fe.h>
#include <stdlib.h>

#include "base/pg/pg.h"

/* Conninfo of the throwaway cluster, with more libpq keywords behind it. */
static inline const char *
test_conninfo(const char *more, char *out, size_t size)
{
    const char *base = getenv("BEFFROI_TEST_PG");

    if (base == NULL) {
        (void)fputs("run this beside a PostgreSQL: tests/lib/with-pg -- THIS\n", stderr);
        exit(1);
    }
    (void)snprintf(out, size, "%s %s", base, more);
    return out;
}

static inline PGconn *
operator_open(const char *more)
{
    char conninfo[600];
    PGconn *c = PQconnectdb(test_conninfo(more, conninfo, sizeof(conninfo)));

    if (PQstatus(c) != CONNECTION_OK)
        fail_msg("operator: %s", PQerrorMessage(c));
    return c;
}

/* Runs SQL as the operator; the first value of the last result goes to out (may be NULL). */
static inline void
operator_run(const char *sql, char *out, size_t size)
{
    PGconn *c = operator_open("options='-c client_min_messages=warning -c lock_timeout=10s'");
    PGresult *r = PQexec(c, sql);
    ExecStatusType s = PQresultStatus(r);
    char error[400] = "";

    if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK)
        (void)snprintf(error, sizeof(error), "%s", PQerrorMessage(c));
    if (out != NULL)
        (void)snprintf(out, size, "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    PQfinish(c);
    if (error[0] != '\0')
        fail_msg("operator: %s: %s", sql, error);
}

/* A fresh schema made of SQL files of the tree (the common pieces of migrations/), as a migration would make it. */
static inline void
operator_make_schema(const char *schema, const char *const *files, size_t n)
{
    size_t size = 1 << 20, used;
    char *sql = malloc(size);

    used = (size_t)snprintf(sql, size, "DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s; SET search_path = %s;\n",
                            schema, schema, schema);
    for (size_t i = 0; i < n; i++) {
        char path[600];
        FILE *in;

        (void)snprintf(path, sizeof(path), "%s/%s", SOURCE_DIR, files[i]);
        in = fopen(path, "r");
        assert_non_null(in);
        used += fread(sql + used, 1, size - used - 1, in);
        assert_true(feof(in));
        (void)fclose(in);
    }
    sql[used] = '\0';
    operator_run(sql, NULL, 0);
    free(sql);
}

static inline int64_t
operator_count(const char *sql)
{
    char out[32];

    operator_run(sql, out, sizeof(out));
    return strtoll(out, NULL, 10);
}

#endif
