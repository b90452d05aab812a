/*
 * migrate: see migrate.h. Works on a plain libpq connection of its own: migrations are many statements in one text,
 * may take long, and run before any statement of the program can be prepared.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/pg/migrate-internal.h"
#include "base/pg/migrate.h"
#include "base/pg/pg-internal.h"

/* How long a second migrator waits for the first; how long a migration waits for a lock that a program holds. */
static const char wait_text[] = "SET lock_timeout = '60s'; SET statement_timeout = 0; SET TimeZone = 'UTC';"
                                " SET client_min_messages = warning";
static const char lock_text[] = "SELECT pg_advisory_lock(hashtextextended('beffroi.migrate.' || $1, 0))";
static const char work_text[] = "SET lock_timeout = '10s'";
static const char name_text[] = "SELECT set_config('beffroi.schema', $1, false)";
static const char path_text[] = "SELECT set_config('search_path', quote_ident($1), true)";
static const char exists_text[] = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                                  " WHERE n.nspname = $1 AND c.relname = 'schema_version'";
static const char applied_text[] = "SELECT number, encode(digest, 'hex') FROM schema_version WHERE schema = $1"
                                   " ORDER BY number";
static const char record_text[] = "INSERT INTO schema_version (schema, number, name, digest, applied_at)"
                                  " VALUES ($1, $2::int4, $3, $4, $5)";
static const char create_text[] =
    "DO $$"
    " DECLARE s text := current_setting('beffroi.schema');"
    " BEGIN"
    "  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = s) THEN"
    "   EXECUTE format('CREATE SCHEMA %I', s);"
    "  END IF;"
    "  EXECUTE format('CREATE TABLE %I.schema_version ("
    "   schema text NOT NULL,"
    "   number integer NOT NULL CHECK (number > 0),"
    "   name text NOT NULL,"
    "   digest bytea NOT NULL CHECK (octet_length(digest) = 32),"
    "   applied_at timestamptz NOT NULL,"
    "   PRIMARY KEY (schema, number))', s);"
    "  EXECUTE format('COMMENT ON TABLE %I.schema_version IS %L', s, 'Migrations applied to this schema, by migrate.');"
    "  EXECUTE format('COMMENT ON COLUMN %I.schema_version.schema IS %L', s, 'Name of the schema they belong to.');"
    "  EXECUTE format('COMMENT ON COLUMN %I.schema_version.number IS %L', s, 'From 1, without a gap.');"
    "  EXECUTE format('COMMENT ON COLUMN %I.schema_version.name IS %L', s, 'File as it was named.');"
    "  EXECUTE format('COMMENT ON COLUMN %I.schema_version.digest IS %L', s, 'SHA-256 of its text, includes resolved.');"
    "  EXECUTE format('COMMENT ON COLUMN %I.schema_version.applied_at IS %L', s, 'Clock of the migrating program.');"
    " END $$";
static const char grant_text[] =
    "DO $$"
    " DECLARE s text := current_setting('beffroi.schema'); r name;"
    " BEGIN"
    "  FOR r IN SELECT rolname FROM pg_roles WHERE starts_with(rolname, s || '_') AND rolname <> current_user LOOP"
    "   EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', s, r);"
    "   EXECUTE format('GRANT SELECT ON %I.schema_version TO %I', s, r);"
    "  END LOOP;"
    " END $$";

static void
conn_freep(PGconn **conn)
{
    if (*conn != NULL)
        PQfinish(*conn);
}

/* --- small steps --- */

/* Where in the text an error stands: "FILE:LINE", or what alone. */
static void
say_place(const PGresult *res, const char *what, const char *text, char *out, size_t out_size)
{
    const char *at = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);
    int64_t position;
    int line = 1;

    if (at == NULL || text == NULL || str_to_i64(str_of(at), 1, INT32_MAX, &position) != OK) {
        (void)snprintf(out, out_size, "%s", what);
        return;
    }
    /* The position counts characters: bytes that continue one do not count. */
    for (const char *p = text; *p != '\0' && position > 1; p++) {
        if (*p == '\n')
            line++;
        if (((unsigned char)p[1] & 0xC0) != 0x80)
            position--;
    }
    (void)snprintf(out, out_size, "%s:%d (includes resolved)", what, line);
}

static enum err
judge(PGconn *conn, const PGresult *res, const char *what, const char *text, struct why *why)
{
    const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    char place[300];
    enum err e;

    switch (PQresultStatus(res)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        return OK;
    default:                            /* libpq's enum, not ours: everything else is a failure */
        break;
    }
    e = pg_sqlstate_verdict(state).err;
    if (PQstatus(conn) == CONNECTION_BAD)
        e = ERR_UNAVAILABLE;
    else if (e != ERR_UNAVAILABLE)
        e = ERR_INTERNAL;               /* our files are wrong, or what they meet in the database */
    say_place(res, what, text, place, sizeof(place));
    if (message == NULL)
        message = PQerrorMessage(conn);
    return why_set(why, e, "%s: SQLSTATE %s: %.*s", place, state == NULL ? "none" : state,
                   (int)strcspn(message, "\n"), message);
}

static enum err
run(PGconn *conn, const char *what, const char *text, struct why *why)
{
    AUTO(pg_res_freep) PGresult *res = PQexec(conn, text);

    return judge(conn, res, what, text, why);
}

static enum err
run_with(PGconn *conn, const char *what, const char *text, const char *param, PGresult **ret_res, struct why *why)
{
    const char *const values[] = { param };
    AUTO(pg_res_freep) PGresult *res = PQexecParams(conn, text, 1, NULL, values, NULL, NULL, 0);
    enum err e;

    if ((e = judge(conn, res, what, NULL, why)) == OK && ret_res != NULL)
        *ret_res = TAKE(res);
    return e;
}

static void
on_notice(void *arg, const PGresult *res)
{
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    (void)arg;
    if (text != NULL)
        LOG_WARN_EV("migrate.warning", LF_STR("text", text));
}

/* --- what is there --- */
static enum err
check_applied(PGconn *conn, const char *schema, const struct migrations *files, int *ret_version, struct why *why)
{
    AUTO(pg_res_freep) PGresult *res = NULL;
    int n;
    enum err e;

    if ((e = run_with(conn, "schema_version", applied_text, schema, &res, why)) != OK)
        return e;
    n = PQntuples(res);
    for (int i = 0; i < n && (size_t)i < files->n; i++) {
        AUTO(buf_free) struct buf hex = BUF_BOUNDED(2 * SHA256_LEN);
        char number[16];

        (void)snprintf(number, sizeof(number), "%d", i + 1);
        if (strcmp(PQgetvalue(res, i, 0), number) != 0)
            return why_code(why, ERR_CONFLICT, "migrate.changed", "schema_version of %s lacks number %s", schema,
                            number);
        hex_encode(&hex, files->list[i].digest, SHA256_LEN);
        if (strcmp(PQgetvalue(res, i, 1), buf_cstr(&hex)) != 0)
            return why_code(why, ERR_CONFLICT, "migrate.changed",
                            "%s (or a file it includes) is not what was applied: shared migrations never change, add a"
                            " new one", files->list[i].file);
    }
    if ((size_t)n > files->n)
        return why_code(why, ERR_CONFLICT, "migrate.newer",
                        "the database is newer: schema %s is at %d, the files here end at %zu", schema, n, files->n);
    *ret_version = n;
    return OK;
}

static enum err
table_exists(PGconn *conn, const char *schema, bool *ret, struct why *why)
{
    AUTO(pg_res_freep) PGresult *res = NULL;
    enum err e;

    if ((e = run_with(conn, "look for schema_version", exists_text, schema, &res, why)) != OK)
        return e;
    *ret = strcmp(PQgetvalue(res, 0, 0), "0") != 0;
    return OK;
}

/* --- applying --- */
static enum err
record(PGconn *conn, const char *schema, const struct migration *m, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_text(&args, schema);
    pg_arg_i32(&args, m->number);
    pg_arg_text(&args, m->file);
    pg_arg_bytes(&args, m->digest, SHA256_LEN);
    pg_arg_time(&args, clock_now());
    AUTO(pg_res_freep) PGresult *res =
        PQexecParams(conn, record_text, args.n, NULL, args.values, args.lengths, args.formats, 0);
    return judge(conn, res, "record version", NULL, why);
}

static enum err
apply_body(PGconn *conn, const char *schema, const struct migration *m, struct why *why)
{
    enum err e;

    if ((e = run_with(conn, "search_path", path_text, schema, NULL, why)) != OK ||
        (e = run(conn, m->file, buf_cstr(&m->text), why)) != OK)
        return e;
    if (PQtransactionStatus(conn) != PQTRANS_INTRANS)
        return why_set(why, ERR_INTERNAL, "%s: ended its own transaction: what it did stands, and is not recorded",
                       m->file);
    return record(conn, schema, m, why);
}

static enum err
apply(PGconn *conn, const char *schema, const struct migration *m, struct why *why)
{
    struct why ignored = WHY_INIT;
    enum err e;

    if ((e = run(conn, "BEGIN", "BEGIN", why)) != OK)
        return e;
    if ((e = apply_body(conn, schema, m, why)) != OK) {
        err_ignore(run(conn, "ROLLBACK", "ROLLBACK", &ignored));    /* closing the connection does it too */
        return e;
    }
    if ((e = run(conn, "COMMIT", "COMMIT", why)) != OK) {
        why_prepend(why, "%s: outcome unknown, run migrate again", m->file);
        return e;
    }
    LOG_INFO_EV("migrate.applied", LF_STR("schema", schema), LF_STR("file", m->file));
    return OK;
}

static enum err
open_migrator(const char *conninfo, const char *schema, PGconn **ret_conn, struct why *why)
{
    AUTO(conn_freep) PGconn *conn = PQconnectdb(conninfo);
    enum err e;

    if (conn == NULL)
        panic("out of memory");
    if (PQstatus(conn) != CONNECTION_OK) {
        const char *message = PQerrorMessage(conn);

        return why_code(why, ERR_UNAVAILABLE, "pg.connect", "database: %.*s", (int)strcspn(message, "\n"), message);
    }
    (void)PQsetNoticeReceiver(conn, on_notice, NULL);
    if ((e = run(conn, "settings", wait_text, why)) != OK ||
        (e = run_with(conn, "settings", name_text, schema, NULL, why)) != OK)
        return e;
    if ((e = run_with(conn, "wait for another migration", lock_text, schema, NULL, why)) != OK ||
        (e = run(conn, "settings", work_text, why)) != OK)
        return e;
    *ret_conn = TAKE(conn);
    return OK;
}

/* Before the first file the search_path is set for a transaction; reading schema_version happens in one, too. */
static enum err
read_version(PGconn *conn, const char *schema, const struct migrations *files, int *ret_version, struct why *why)
{
    struct why ignored = WHY_INIT;
    enum err e;

    if ((e = run(conn, "BEGIN", "BEGIN", why)) != OK)
        return e;
    if ((e = run_with(conn, "search_path", path_text, schema, NULL, why)) == OK)
        e = check_applied(conn, schema, files, ret_version, why);
    err_ignore(run(conn, "ROLLBACK", "ROLLBACK", &ignored));        /* nothing was written */
    return e;
}

static bool
is_schema_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz_");

    return n > 0 && n <= 40 && s[n] == '\0' && strncmp(s, "pg_", 3) != 0;
}

enum err
migrate_run(const char *conninfo, const char *schema, const char *folder, bool dry_run, struct migrate_report *ret,
            struct why *why)
{
    AUTO(migrations_done) struct migrations files = { NULL, 0 };
    AUTO(conn_freep) PGconn *conn = NULL;
    bool exists = false;
    int version = 0;
    enum err e;

    if (!is_schema_name(schema))
        return why_set(why, ERR_INPUT, "\"%s\" is not a name for a schema of ours", schema);
    if ((e = migrations_read(folder, &files, why)) != OK ||
        (e = open_migrator(conninfo, schema, &conn, why)) != OK ||
        (e = table_exists(conn, schema, &exists, why)) != OK ||
        (exists && (e = read_version(conn, schema, &files, &version, why)) != OK))
        return e;
    ret->from = version;
    ret->to = dry_run ? (int)files.n : version;
    if (dry_run)
        return OK;
    if (!exists && (e = run(conn, "create schema_version", create_text, why)) != OK)
        return e;
    for (size_t i = (size_t)version; i < files.n; i++) {
        if ((e = apply(conn, schema, &files.list[i], why)) != OK)
            return e;
        ret->to = files.list[i].number;
    }
    return run(conn, "grants", grant_text, why);
}
