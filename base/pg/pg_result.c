/*
 * pg_result: reading rows in binary form. A column that is not there or has another type than asked is our bug: panic
 * with the statement's name, so that the first test that reads it says so.
 */
#include <endian.h>
#include <stdlib.h>

#include "base/pg/pg-internal.h"

enum oid {
    OID_BOOL = 16, OID_BYTEA = 17, OID_CHAR = 18, OID_NAME = 19, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23,
    OID_TEXT = 25, OID_OID = 26, OID_JSON = 114, OID_UNKNOWN = 705, OID_TEXTS = 1009, OID_VARCHARS = 1015,
    OID_INT8S = 1016, OID_BPCHAR = 1042, OID_VARCHAR = 1043, OID_TIMESTAMPTZ = 1184, OID_UUID = 2950,
    OID_JSONB = 3802, OID_XID8 = 5069,
    OID_FIRST_OURS = 16384      /* enums of ours: their binary form is text */
};

static void NORETURN
wrong(const struct pg_result *r, int col, const char *wanted)
{
    panic("statement %s: column %d has type %u, read as %s", r->stmt, col, PQftype(r->res, col), wanted);
}

static void
check_place(const struct pg_result *r, int row, int col)
{
    if (row < 0 || row >= PQntuples(r->res) || col < 0 || col >= PQnfields(r->res))
        panic("statement %s: no row %d, column %d (%d rows, %d columns)", r->stmt, row, col, PQntuples(r->res),
              PQnfields(r->res));
}

static uint32_t
type_of(const struct pg_result *r, int row, int col)
{
    check_place(r, row, col);
    return PQftype(r->res, col);
}

static uint32_t
get32(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return be32toh(v);
}

static uint64_t
get64(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return be64toh(v);
}

int
pg_rows(const struct pg_result *r)
{
    return PQntuples(r->res);
}

int64_t
pg_affected(const struct pg_result *r)
{
    /* PQcmdTuples only reads; its parameter is not const for historical reasons. */
    return strtoll(PQcmdTuples(r->res), NULL, 10);
}

void
pg_result_free(struct pg_result *r)
{
    if (r == NULL)
        return;
    PQclear(r->res);
    free(r);
}

bool
pg_is_null(const struct pg_result *r, int row, int col)
{
    check_place(r, row, col);
    return PQgetisnull(r->res, row, col) == 1;
}

struct str
pg_str(const struct pg_result *r, int row, int col)
{
    uint32_t type = type_of(r, row, col);
    const char *p = PQgetvalue(r->res, row, col);
    size_t n = (size_t)PQgetlength(r->res, row, col);

    if (pg_is_null(r, row, col))
        return STR_NULL;
    switch (type) {
    case OID_TEXT:
    case OID_VARCHAR:
    case OID_BPCHAR:
    case OID_NAME:
    case OID_CHAR:
    case OID_JSON:
    case OID_UNKNOWN:
    case OID_BYTEA:
        return (struct str){ p, n };
    case OID_JSONB:
        CHECK(n > 0 && p[0] == 1);      /* version of the binary form */
        return (struct str){ p + 1, n - 1 };
    default:
        if (type < OID_FIRST_OURS)
            wrong(r, col, "text or bytes");
        return (struct str){ p, n };
    }
}

struct str
pg_str_dup(const struct pg_result *r, int row, int col, struct arena *a)
{
    const struct str s = pg_str(r, row, col);

    return s.p == NULL ? STR_NULL : (struct str){ arena_dup(a, s.p, s.n), s.n };
}

const char *
pg_text(const struct pg_result *r, int row, int col)
{
    struct str s = pg_str(r, row, col);

    if (PQftype(r->res, col) == OID_BYTEA)
        wrong(r, col, "text");          /* may hold NUL */
    return s.p == NULL ? "" : s.p;      /* libpq puts a NUL behind each value */
}

int64_t
pg_i64(const struct pg_result *r, int row, int col)
{
    uint32_t type = type_of(r, row, col);
    const char *p = PQgetvalue(r->res, row, col);
    bool null = pg_is_null(r, row, col);
    uint16_t small;

    switch (type) {
    case OID_INT8:
    case OID_XID8:
        return null ? 0 : (int64_t)get64(p);
    case OID_INT4:
        return null ? 0 : (int32_t)get32(p);
    case OID_OID:
        return null ? 0 : (int64_t)get32(p);
    case OID_INT2:
        if (null)
            return 0;
        memcpy(&small, p, sizeof(small));
        return (int16_t)be16toh(small);
    default:
        wrong(r, col, "integer");
    }
}

bool
pg_bool(const struct pg_result *r, int row, int col)
{
    if (type_of(r, row, col) != OID_BOOL)
        wrong(r, col, "boolean");
    return !pg_is_null(r, row, col) && PQgetvalue(r->res, row, col)[0] != 0;
}

utime
pg_time(const struct pg_result *r, int row, int col)
{
    int64_t t;

    if (type_of(r, row, col) != OID_TIMESTAMPTZ)
        wrong(r, col, "timestamptz");
    if (pg_is_null(r, row, col))
        return UTIME_NULL;
    t = (int64_t)get64(PQgetvalue(r->res, row, col));
    if (t == INT64_MAX)
        return INT64_MAX;
    if (t == INT64_MIN)
        return INT64_MIN + 1;           /* -infinity */
    return t + PG_EPOCH;                /* PostgreSQL's range ends in the year 294276: no overflow */
}

void
pg_uuid(const struct pg_result *r, int row, int col, char out[37])
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p;
    size_t o = 0;

    if (type_of(r, row, col) != OID_UUID)
        wrong(r, col, "uuid");
    out[0] = '\0';
    if (pg_is_null(r, row, col))
        return;
    p = (const unsigned char *)PQgetvalue(r->res, row, col);
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[o++] = '-';
        out[o++] = digits[p[i] >> 4];
        out[o++] = digits[p[i] & 15];
    }
    out[o] = '\0';
}

/* --- arrays of one dimension --- */
#define ARRAY_HEAD 12        /* dimensions, has-null, element type */
#define ARRAY_DIM 8          /* length, lower bound */

static size_t
array_count(const struct pg_result *r, int row, int col)
{
    const char *p = PQgetvalue(r->res, row, col);

    if (pg_is_null(r, row, col))
        return 0;
    CHECK(PQgetlength(r->res, row, col) >= ARRAY_HEAD);
    if (get32(p) == 0)
        return 0;
    CHECK(get32(p) == 1 && PQgetlength(r->res, row, col) >= ARRAY_HEAD + ARRAY_DIM);
    return get32(p + ARRAY_HEAD);
}

/* Walks to the element; items are few or of fixed size, and read in order by the helpers below. */
static struct str
array_item(const struct pg_result *r, int row, int col, size_t i)
{
    const char *p = PQgetvalue(r->res, row, col);
    const char *end = p + PQgetlength(r->res, row, col);

    CHECK(i < array_count(r, row, col));
    for (p += ARRAY_HEAD + ARRAY_DIM;; i--) {
        int32_t n;

        CHECK(end - p >= 4);
        n = (int32_t)get32(p);
        p += 4;
        if (i == 0)
            return n < 0 ? STR_NULL : (struct str){ p, (size_t)n };
        p += n < 0 ? 0 : n;
    }
}

size_t
pg_texts_count(const struct pg_result *r, int row, int col)
{
    uint32_t type = type_of(r, row, col);

    if (type != OID_TEXTS && type != OID_VARCHARS)
        wrong(r, col, "text[]");
    return array_count(r, row, col);
}

struct str
pg_texts_item(const struct pg_result *r, int row, int col, size_t i)
{
    CHECK(i < pg_texts_count(r, row, col));
    return array_item(r, row, col, i);
}

size_t
pg_i64s_count(const struct pg_result *r, int row, int col)
{
    if (type_of(r, row, col) != OID_INT8S)
        wrong(r, col, "int8[]");
    return array_count(r, row, col);
}

int64_t
pg_i64s_item(const struct pg_result *r, int row, int col, size_t i)
{
    const char *p = PQgetvalue(r->res, row, col) + ARRAY_HEAD + ARRAY_DIM + i * 12;

    CHECK(i < pg_i64s_count(r, row, col));
    CHECK(get32(p) == 8);               /* no NULL before or here: elements have one size */
    return (int64_t)get64(p + 4);
}
