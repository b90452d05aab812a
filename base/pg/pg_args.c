/*
 * pg_args: parameters in PostgreSQL's binary forms.
 *
 * Small values live in the struct itself, arrays in its spill buffer. The buffer may move while it grows, so an array
 * is noted by its offset and gets its pointer in pg_args_settle(), just before it is sent.
 */
#include <endian.h>

#include "base/pg/pg-internal.h"

#define OID_BYTEA 17
#define OID_INT8 20
#define OID_TEXT 25
#define OID_TIMESTAMPTZ 1184
#define OID_UUID 2950

enum { FORMAT_TEXT = 0, FORMAT_BINARY = 1, FORMAT_SPILLED = 2 };

static int
next_slot(struct pg_args *a)
{
    CHECK(a->n < PG_ARGS_MAX);
    return a->n++;
}

static void
set(struct pg_args *a, int i, const char *p, size_t n, int format)
{
    CHECK(n <= INT32_MAX);
    a->values[i] = p;
    a->lengths[i] = (int)n;
    a->formats[i] = format;
}

static void
set_fixed(struct pg_args *a, const void *p, size_t n)
{
    int i = next_slot(a);

    CHECK(n <= sizeof(a->fixed[i]));
    memcpy(a->fixed[i], p, n);
    set(a, i, a->fixed[i], n, FORMAT_BINARY);
}

void
pg_arg_null(struct pg_args *a)
{
    set(a, next_slot(a), NULL, 0, FORMAT_TEXT);
}

void
pg_arg_text(struct pg_args *a, const char *s)
{
    set(a, next_slot(a), s, s == NULL ? 0 : strlen(s), FORMAT_TEXT);
}

void
pg_arg_json(struct pg_args *a, const char *json_text)
{
    pg_arg_text(a, json_text);
}

void
pg_arg_bytes(struct pg_args *a, const void *p, size_t n)
{
    set(a, next_slot(a), p, n, FORMAT_BINARY);
}

void
pg_arg_str(struct pg_args *a, struct str s)
{
    /* Text in binary form is its bytes, so that a view needs no copy. */
    pg_arg_bytes(a, s.p, s.n);
}

void
pg_arg_buf(struct pg_args *a, const struct buf *b)
{
    if (b == NULL)
        pg_arg_null(a);
    else
        pg_arg_bytes(a, b->data == NULL ? "" : b->data, b->len);
}

void
pg_arg_i64(struct pg_args *a, int64_t v)
{
    uint64_t wire = htobe64((uint64_t)v);

    set_fixed(a, &wire, sizeof(wire));
}

void
pg_arg_i32(struct pg_args *a, int32_t v)
{
    uint32_t wire = htobe32((uint32_t)v);

    set_fixed(a, &wire, sizeof(wire));
}

void
pg_arg_bool(struct pg_args *a, bool v)
{
    char wire = v ? 1 : 0;

    set_fixed(a, &wire, 1);
}

void
pg_arg_time(struct pg_args *a, utime t)
{
    if (t == UTIME_NULL)
        pg_arg_null(a);
    else if (t == INT64_MAX)
        pg_arg_i64(a, INT64_MAX);                  /* infinity */
    else {
        CHECK(t > INT64_MIN + PG_EPOCH);
        pg_arg_i64(a, t - PG_EPOCH);
    }
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool
uuid_wire(const char *text36, unsigned char wire[16])
{
    size_t digits = 0;

    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        int v = hex_value(text36[i]);

        if (dash ? text36[i] != '-' : v < 0)
            return false;
        if (dash)
            continue;
        wire[digits / 2] = (unsigned char)(digits % 2 == 0 ? v << 4 : wire[digits / 2] | v);
        digits++;
    }
    return text36[36] == '\0';
}

void
pg_arg_uuid(struct pg_args *a, const char *text36)
{
    unsigned char wire[16];

    if (text36 == NULL)
        pg_arg_null(a);
    else if (uuid_wire(text36, wire))
        set_fixed(a, wire, sizeof(wire));
    else
        pg_arg_text(a, text36);     /* sent as text, so that the server refuses it and pg_exec says ERR_INPUT */
}

/* --- arrays: dimensions, has-null flag, element type, length, lower bound, then each element with its length --- */
static void
spill_i32(struct pg_args *a, int32_t v)
{
    uint32_t wire = htobe32((uint32_t)v);

    buf_add(&a->spill, &wire, sizeof(wire));
}

static size_t
array_start(struct pg_args *a, uint32_t oid, size_t n, bool has_null)
{
    size_t start = a->spill.len;

    CHECK(n <= INT32_MAX);
    spill_i32(a, n == 0 ? 0 : 1);
    spill_i32(a, has_null ? 1 : 0);
    spill_i32(a, (int32_t)oid);
    if (n > 0) {
        spill_i32(a, (int32_t)n);
        spill_i32(a, 1);
    }
    return start;
}

static void
array_end(struct pg_args *a, size_t start)
{
    int i = next_slot(a);

    /* The offset waits in the slot's own storage until the buffer has stopped moving. */
    memcpy(a->fixed[i], &start, sizeof(start));
    set(a, i, "", a->spill.len - start, FORMAT_SPILLED);
}

void
pg_arg_texts(struct pg_args *a, const char *const *items, size_t n)
{
    bool has_null = false;
    size_t start;

    for (size_t i = 0; i < n; i++)
        has_null = has_null || items[i] == NULL;
    start = array_start(a, OID_TEXT, n, has_null);
    for (size_t i = 0; i < n; i++) {
        if (items[i] == NULL) {
            spill_i32(a, -1);
            continue;
        }
        size_t len = strlen(items[i]);

        CHECK(len <= INT32_MAX);
        spill_i32(a, (int32_t)len);
        buf_add(&a->spill, items[i], len);
    }
    array_end(a, start);
}

void
pg_arg_i64s(struct pg_args *a, const int64_t *items, size_t n)
{
    size_t start = array_start(a, OID_INT8, n, false);

    for (size_t i = 0; i < n; i++) {
        uint64_t wire = htobe64((uint64_t)items[i]);

        spill_i32(a, sizeof(wire));
        buf_add(&a->spill, &wire, sizeof(wire));
    }
    array_end(a, start);
}

static void
spill_item(struct pg_args *a, const void *p, size_t n)
{
    CHECK(n <= INT32_MAX);
    spill_i32(a, (int32_t)n);
    buf_add(&a->spill, p, n);
}

void
pg_arg_blobs(struct pg_args *a, const struct str *items, size_t n)
{
    size_t start = array_start(a, OID_BYTEA, n, false);

    for (size_t i = 0; i < n; i++)
        spill_item(a, items[i].n == 0 ? "" : items[i].p, items[i].n);
    array_end(a, start);
}

void
pg_arg_times(struct pg_args *a, const utime *items, size_t n)
{
    size_t start = array_start(a, OID_TIMESTAMPTZ, n, false);

    for (size_t i = 0; i < n; i++) {
        uint64_t wire = htobe64((uint64_t)(items[i] - PG_EPOCH));

        CHECK(items[i] > INT64_MIN + PG_EPOCH && items[i] != INT64_MAX);
        spill_item(a, &wire, sizeof(wire));
    }
    array_end(a, start);
}

void
pg_arg_uuids(struct pg_args *a, const char *const *items, size_t n)
{
    size_t start = array_start(a, OID_UUID, n, false);

    for (size_t i = 0; i < n; i++) {
        unsigned char wire[16] = { 0 };

        a->bad = !uuid_wire(items[i], wire) || a->bad;
        spill_item(a, wire, sizeof(wire));
    }
    array_end(a, start);
}

enum err
pg_args_settle(struct pg_args *a, const struct pg_stmt *stmt, struct why *why)
{
    if (a->n != stmt->nparams)
        panic("statement %s has %d parameters, %d were given", stmt->name, stmt->nparams, a->n);
    if (!buf_ok(&a->spill))
        return why_set(why, ERR_INPUT, "%s: list too long", stmt->name);
    if (a->bad)
        return why_set(why, ERR_INPUT, "%s: not a uuid", stmt->name);
    for (int i = 0; i < a->n; i++) {
        size_t start;

        if (a->formats[i] != FORMAT_SPILLED)
            continue;
        memcpy(&start, a->fixed[i], sizeof(start));
        a->values[i] = a->spill.data + start;
        a->formats[i] = FORMAT_BINARY;
    }
    return OK;
}

void
pg_args_done(struct pg_args *a)
{
    buf_free(&a->spill);
    a->n = 0;
    a->bad = false;
}
