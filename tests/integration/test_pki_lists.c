/*
 * pki/authority/crl against PostgreSQL: a random walk of hold, release, revocation, change of reason, expiry, open transactions
 * and lists beside a model that knows nothing of SQL; and what must be refused.
 */
#include "tests/integration/pg_support.h"
#include "tests/unit/pki_support.h"

#include <inttypes.h>
#include <pthread.h>

#include "base/core/rand.h"
#include "base/pg/audit.h"
#include "base/pg/migrate.h"
#include "pki/authority/crl.h"

#define CERTS 60
#define SHARDS 2
#define URL "http://crl.ville.example"

static const struct pg_stmts *const all_stmts[] = { &audit_stmts, &ca_stmts, &crl_stmts, NULL };

struct entry {
    unsigned char serial[SERIAL_LEN];
    utime at;
    int reason;
};
struct list {
    int shard;
    bool delta;
    int64_t number, base;
    utime this_update;
    size_t n;
    struct entry e[CERTS];
};

enum state { ACTIVE, HELD, REVOKED, EXPIRED };
struct cert {                      /* of the model */
    unsigned char serial[SERIAL_LEN];
    char hex[2 * SERIAL_LEN + 1];
    int shard;
    bool reasons;                  /* its profile shows them */
    enum state state;
    bool bad;                      /* held or revoked, and not released; stays when it expires */
    int reason;
    utime revoked_at, not_after;
    bool busy;                     /* an open transaction has it */
};

struct fixture {
    struct pki pki;
    struct tool_folder folder;
    char conninfo[600];
    struct pg_config conf;
    struct pg *pg;
    PGconn *op, *slow;             /* the operator; another whose transactions last */
    struct ca ca;
    struct arena *a;
    utime now;
    uint64_t random;
    struct cert certs[CERTS];
    struct cert after;             /* what the open transaction does to slow_cert */
    int slow_cert;                 /* -1: none */
    struct list *lists;
    size_t lists_n;
    struct crl_made made;
    struct why why;
};

/* --- the fixture ------------------------------------------------------------------------------------------------------- */

static void
sql(PGconn *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void
sql(PGconn *c, const char *fmt, ...)
{
    char text[2000];
    PGresult *r;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    r = PQexec(c, text);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", text, PQerrorMessage(c));
    PQclear(r);
}

static uint32_t
draw(struct fixture *f, uint32_t below)
{
    f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(f->random >> 33) % below;
}

static const char *
at_text(utime t)
{
    static char out[4][96];
    static int i;

    i = (i + 1) % 4;
    snprintf(out[i], sizeof(out[i]), "'epoch'::timestamptz + %" PRId64 " * interval '1 microsecond'", t);
    return out[i];
}

static void
ca_store(struct fixture *f, const struct pki_ca *from, bool root, int issuer, int shards, int *ret)
{
    struct ca ca = { .name = root ? "root" : "cards", .generation = 1, .root = root, .issuer_id = issuer, .state = CA_ACTIVE,
                     .subject = buf_view(&from->name), .serial = { (const char *)pki_serial, SERIAL_LEN },
                     .spki = buf_view(&from->spki), .key_id = { (const char *)from->key_id, KEY_ID_LEN },
                     .certificate = buf_view(&from->der), .key_uri = "offline", .not_before = from->not_before,
                     .not_after = from->not_after, .shards = shards, .crl_period = USEC_PER_DAY, .crl_life = 3 * USEC_PER_DAY,
                     .delta = true };

    rand_uuid(ca.set_id);
    assert_ok(ca_add(f->pg, &ca, f->now, ret, &f->why), &f->why);
}

static int
setup_with(void **state, int shards)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct migrate_report report;
    int root = 0, id = 0;

    pki_make(&f->pki, KEY_P256, 0);
    tool_folder_make(&f->folder);
    operator_run("DROP SCHEMA IF EXISTS pki CASCADE", NULL, 0);
    test_conninfo("options='-c search_path=pki'", f->conninfo, sizeof(f->conninfo));
    assert_ok(migrate_run(f->conninfo, "pki", SOURCE_DIR "/migrations/pki", false, &report, &f->why), &f->why);
    f->conf = (struct pg_config){ .conninfo = f->conninfo, .stmts = all_stmts, .schema = "pki", .schema_min = 1, .schema_max = 99 };
    assert_ok(pg_open(&f->conf, &f->pg, &f->why), &f->why);
    f->op = operator_open("options='-c search_path=pki'");
    f->slow = operator_open("options='-c search_path=pki'");
    f->a = arena_new(1 << 20);
    f->now = f->pki.now;
    for (size_t i = 0; i < f->pki.profiles.n; i++)
        f->pki.profiles.items[i]->crl_reasons = f->pki.profiles.items[i]->use == USE_SERVER_TLS;
    f->slow_cert = -1;
    f->lists = calloc(2000, sizeof(*f->lists));
    ca_store(f, &f->pki.root, true, 0, 1, &root);
    ca_store(f, &f->pki.issuing, false, root, shards, &id);
    assert_ok(ca_by_id(f->pg, id, f->a, &f->ca, &f->why), &f->why);
    sql(f->op, "INSERT INTO registration SELECT * FROM jsonb_populate_record(NULL::registration, "
               "'{\"id\":\"00000000-0000-4000-8000-000000000001\",\"profile\":\"p\",\"town\":\"\",\"holder\":\"h\",\"proof\":\"none\","
               "\"proof_ref\":\"\",\"renewals\":0,\"state\":\"open\",\"made_at\":\"2026-01-01\",\"support\":\"card\"}')");
    *state = f;
    return 0;
}

static int
setup(void **state)
{
    return setup_with(state, 1);
}

static int
setup_sharded(void **state)
{
    return setup_with(state, SHARDS);
}

static int
teardown(void **state)
{
    static const char *const names[] = { "ca.pem", "list.pem" };
    struct fixture *f = *state;

    crl_made_done(&f->made);
    PQfinish(f->op);
    PQfinish(f->slow);
    pg_close(f->pg);
    arena_free(f->a);
    pki_done(&f->pki);
    tool_folder_remove(&f->folder, names, ARRAY_LEN(names));
    free(f->lists);
    free(f);
    return 0;
}

static void
cert_insert(struct fixture *f, int i, int shard, bool reasons, utime not_after)
{
    struct cert *c = &f->certs[i];

    *c = (struct cert){ .shard = shard, .reasons = reasons, .not_after = not_after };
    for (size_t k = 0; k < SERIAL_LEN; k++)
        c->serial[k] = (unsigned char)draw(f, 256);
    c->serial[0] = (unsigned char)(1 + draw(f, 127));
    for (size_t k = 0; k < SERIAL_LEN; k++)
        snprintf(c->hex + 2 * k, 3, "%02x", c->serial[k]);
    sql(f->op, "INSERT INTO certificate (id, ca_id, serial, shard, state, state_since, registration_id, profile, profile_sha256, "
               "spki_sha256, not_before, not_after) VALUES (gen_random_uuid(), %d, '\\x%s', %d, 'active', %s, "
               "'00000000-0000-4000-8000-000000000001', '%s', sha256('p'), sha256('\\x%s'), %s, %s)", f->ca.id, c->hex, shard,
        at_text(f->now), reasons ? "server" : "citizen-card", c->hex, at_text(f->now - USEC_PER_DAY), at_text(not_after));
}

/* Writes what the model says of it. */
static void
cert_write(PGconn *conn, const struct fixture *f, const struct cert *c)
{
    static const char *const names[] = { "active", "held", "revoked", "expired" };
    char reason[16] = "NULL";

    if (c->bad)
        snprintf(reason, sizeof(reason), "%d", c->reason);
    sql(conn, "UPDATE certificate SET state = '%s', state_since = %s, reason = %s, revoked_at = %s, holds = holds + %d "
              "WHERE serial = '\\x%s'", names[c->state], at_text(f->now), reason, c->bad ? at_text(c->revoked_at) : "NULL",
        c->state == HELD, c->hex);
}

/* --- lists ------------------------------------------------------------------------------------------------------------- */

static struct crl_order
order_of(struct fixture *f, int shard, bool full, bool delta)
{
    return (struct crl_order){ .ca_id = f->ca.id, .shard = shard, .full = full, .delta = delta, .now = f->now, .base_url = URL,
                               .profiles = &f->pki.profiles, .actor = "test" };
}

static void
list_parse(struct str der, struct list *ret)
{
    struct str outer, tbs, part, entries;
    unsigned tag;
    utime t;

    ret->n = 0;
    if (der_expect(&der, DER_SEQUENCE, &outer) != OK || der_expect(&outer, DER_SEQUENCE, &tbs) != OK ||
        der_expect(&tbs, DER_INTEGER, &part) != OK || der_expect(&tbs, DER_SEQUENCE, &part) != OK ||
        der_element(&tbs, &tag, &part) != OK || der_time(&tbs, &ret->this_update) != OK || der_time(&tbs, &t) != OK)
        fail_msg("list");
    if (!der_optional(&tbs, DER_SEQUENCE, &entries))
        return;
    while (entries.n > 0) {
        struct entry *e = &ret->e[ret->n++];
        struct str entry;

        assert_true(ret->n <= CERTS);
        assert_int_equal(der_expect(&entries, DER_SEQUENCE, &entry), OK);
        assert_int_equal(der_unsigned(&entry, SERIAL_LEN, e->serial), OK);
        assert_int_equal(der_time(&entry, &e->at), OK);
        /* SEQUENCE { SEQUENCE { OID, OCTET STRING { ENUMERATED } } }: the reason is the last octet */
        e->reason = entry.n == 0 ? 0 : entry.p[entry.n - 1];
    }
}

static int
entry_order(const void *a, const void *b)
{
    return memcmp(((const struct entry *)a)->serial, ((const struct entry *)b)->serial, SERIAL_LEN);
}

/* What a full list says now, by the model. */
static void
model_full(const struct fixture *f, int shard, utime this_update, utime last_full, struct list *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < CERTS; i++) {
        const struct cert *c = &f->certs[i];
        const utime at = c->revoked_at > this_update ? this_update : c->revoked_at;

        if (c->shard != shard || !c->bad || c->not_after < last_full)
            continue;
        ret->e[ret->n] = (struct entry){ .at = at / USEC_PER_SEC * USEC_PER_SEC,
                                         .reason = c->reason == CRL_HOLD || c->reasons ? c->reason : 0 };
        memcpy(ret->e[ret->n++].serial, c->serial, SERIAL_LEN);
    }
    qsort(ret->e, ret->n, sizeof(ret->e[0]), entry_order);
}

/* RFC 5280 §5.2.4: a full list and a later delta of it, combined. */
static void
combine(const struct list *base, const struct list *delta, struct list *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < base->n; i++)
        if (bsearch(&base->e[i], delta->e, delta->n, sizeof(delta->e[0]), entry_order) == NULL)
            ret->e[ret->n++] = base->e[i];
    for (size_t i = 0; i < delta->n; i++)
        if (delta->e[i].reason != CRL_REMOVE_FROM_CRL)
            ret->e[ret->n++] = delta->e[i];
    qsort(ret->e, ret->n, sizeof(ret->e[0]), entry_order);
}

static void
lists_equal(const char *what, const struct list *a, const struct list *b)
{
    if (a->n != b->n)
        fail_msg("%s: %zu entries, the model has %zu", what, a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        if (memcmp(a->e[i].serial, b->e[i].serial, SERIAL_LEN) != 0 || a->e[i].reason != b->e[i].reason || a->e[i].at != b->e[i].at)
            fail_msg("%s: entry %zu: reason %d at %" PRId64 ", the model has %d at %" PRId64, what, i, a->e[i].reason,
                     a->e[i].at, b->e[i].reason, b->e[i].at);
}

static void
others_read(struct fixture *f, struct str der, size_t n)
{
    AUTO(buf_free) struct buf openssl = BUF_BOUNDED(1 << 24), gnutls = BUF_BOUNDED(1 << 24);
    char list[128], authority[128], want[64];

    pki_write_pem(&f->folder, "ca.pem", "CERTIFICATE", buf_view(&f->pki.issuing.der));
    pki_write_pem(&f->folder, "list.pem", "X509 CRL", der);
    snprintf(list, sizeof(list), "%s", tool_file(&f->folder, "list.pem"));
    snprintf(authority, sizeof(authority), "%s", tool_file(&f->folder, "ca.pem"));
    if (TOOL(true, &openssl, "openssl", "crl", "-noout", "-CAfile", authority, "-in", list) != 0 ||
        strstr(buf_cstr(&openssl), "verify OK") == NULL)
        fail_msg("openssl: %s", buf_cstr(&openssl));
    snprintf(want, sizeof(want), n == 0 ? "No revoked certificates" : "Revoked certificates (%zu)", n);
    if (TOOL(true, &gnutls, "certtool", "--verify-crl", "--load-ca-certificate", authority, "--infile", list) != 0 ||
        strstr(buf_cstr(&gnutls), "Verified") == NULL || strstr(gnutls.data, want) == NULL)
        fail_msg("certtool: %s", buf_cstr(&gnutls));
}

/* What `openssl crl -text` reads in it is what the database has, number for number and in their order. */
static void
openssl_reads_the_rows(struct fixture *f, struct str der)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(1 << 24), got = BUF_BOUNDED(1 << 24);
    AUTO(mem_freep) char *rows = mem_alloc(1 << 22);
    static const char mark[] = "Serial Number: ";
    char list[128];
    struct str rest, line;

    pki_write_pem(&f->folder, "list.pem", "X509 CRL", der);
    snprintf(list, sizeof(list), "%s", tool_file(&f->folder, "list.pem"));
    assert_int_equal(TOOL(true, &text, "openssl", "crl", "-noout", "-text", "-in", list), 0);
    for (rest = buf_view(&text); rest.p != NULL;) {
        line = str_trim(str_split(rest, '\n', &rest));
        if (!str_starts(line, mark))
            continue;
        buf_add(&got, line.p + strlen(mark), line.n - strlen(mark));
        buf_addc(&got, '\n');
    }
    operator_run("SELECT string_agg(upper(encode(serial, 'hex')) || E'\\n', '' ORDER BY serial) FROM pki.certificate "
                 "WHERE revoked_at IS NOT NULL", rows, 1 << 22);
    if (strcmp(rows, buf_cstr(&got)) != 0)
        fail_msg("openssl reads %zu octets of serial numbers, the database has %zu, or others", got.len, strlen(rows));
}

static const struct list *
newest(const struct fixture *f, int shard, bool full_only)
{
    for (size_t i = f->lists_n; i-- > 0;)
        if (f->lists[i].shard == shard && !(full_only && f->lists[i].delta))
            return &f->lists[i];
    return NULL;
}

static void
list_keep(struct fixture *f, const struct crl_list *from, int shard, bool delta)
{
    struct list *l = &f->lists[f->lists_n++];

    *l = (struct list){ .shard = shard, .delta = delta, .number = f->made.number, .base = delta ? f->made.base : 0 };
    list_parse(from->der, l);
    assert_int_equal(l->n, from->entries);
    assert_int_equal(l->this_update, f->made.this_update);
}

/* One run beside the model: numbers, the full list, and every earlier full list that the delta may be applied to. */
static void
walk_lists(struct fixture *f, int shard, bool full, bool delta)
{
    const struct list *before = newest(f, shard, false), *last_full = newest(f, shard, true);
    const size_t lists_before = f->lists_n;
    struct crl_order o;
    struct list want, sum;

    if (last_full == NULL || last_full->this_update + 3 * USEC_PER_DAY <= f->now) {
        full = true;
        delta = false;
    }
    o = order_of(f, shard, full, delta);
    o.backdate = (int64_t)draw(f, 2) * CRL_BACKDATE_MAX;
    crl_made_done(&f->made);
    assert_ok(crl_make(f->pg, &o, f->pki.issuing.key, &f->made, &f->why), &f->why);
    assert_int_equal(f->made.number, before == NULL ? 1 : before->number + 1);
    model_full(f, shard, f->made.this_update, last_full == NULL ? INT64_MIN : last_full->this_update, &want);
    if (full) {
        list_keep(f, &f->made.full, shard, false);
        lists_equal("full", &f->lists[f->lists_n - 1], &want);
    }
    if (!delta)
        return;
    list_keep(f, &f->made.delta, shard, true);
    for (size_t i = 0; i < lists_before; i++) {
        const struct list *base = &f->lists[i];

        if (base->shard != shard || base->delta || base->number < f->made.base)
            continue;
        combine(base, &f->lists[f->lists_n - 1], &sum);
        lists_equal("base and delta", &sum, &want);
    }
}

/* --- the walk ---------------------------------------------------------------------------------------------------------- */

/* One change of one certificate, if it may have it. */
static bool
change(struct fixture *f, struct cert *c)
{
    static const int reasons[] = { CRL_KEY_COMPROMISE, CRL_SUPERSEDED, CRL_CESSATION, 0 };

    if (c->not_after < f->now) {                                     /* only the timer touches it now */
        if (c->state == EXPIRED || c->state == REVOKED)
            return false;
        c->state = EXPIRED;
        return true;
    }
    switch (draw(f, 4)) {
    case 0:
        if (c->state != ACTIVE)
            return false;
        *c = (struct cert){ .shard = c->shard, .reasons = c->reasons, .not_after = c->not_after, .state = HELD, .bad = true,
                            .reason = CRL_HOLD, .revoked_at = f->now };
        return true;
    case 1:
        if (c->state != HELD)
            return false;
        c->state = ACTIVE;
        c->bad = false;
        return true;
    case 2:                                                          /* from hold too: the first date stays */
        if (c->state != ACTIVE && (c->state != HELD || draw(f, 3) > 0))
            return false;
        if (c->state == ACTIVE)
            c->revoked_at = f->now;
        c->state = REVOKED;
        c->bad = true;
        c->reason = reasons[draw(f, ARRAY_LEN(reasons))];
        return true;
    default:
        if (c->state != REVOKED || draw(f, 4) > 0)
            return false;
        c->reason = reasons[draw(f, ARRAY_LEN(reasons))];
        return true;
    }
}

static void
changed(struct cert *c, const struct cert *to)
{
    const struct cert names = *c;

    *c = *to;
    memcpy(c->serial, names.serial, sizeof(c->serial));
    memcpy(c->hex, names.hex, sizeof(c->hex));
}

static void
walk_change(struct fixture *f)
{
    struct cert *c = &f->certs[draw(f, CERTS)], to = *c;

    if (c->busy || !change(f, &to))
        return;
    changed(c, &to);
    cert_write(f->op, f, c);
}

/* A transaction that began before a list and ends after it: the list does not know, the next delta must. */
static void
walk_slow(struct fixture *f)
{
    if (f->slow_cert >= 0) {
        sql(f->slow, "COMMIT");
        changed(&f->certs[f->slow_cert], &f->after);
        f->certs[f->slow_cert].busy = false;
        f->slow_cert = -1;
        return;
    }
    for (int tries = 0; tries < 20 && f->slow_cert < 0; tries++) {
        const int i = (int)draw(f, CERTS);

        f->after = f->certs[i];
        if (!change(f, &f->after))
            continue;
        f->slow_cert = i;
        f->certs[i].busy = true;
        memcpy(f->after.hex, f->certs[i].hex, sizeof(f->after.hex));
        sql(f->slow, "BEGIN");
        cert_write(f->slow, f, &f->after);
    }
}

static void
a_random_walk(void **state)
{
    struct fixture *f = *state;
    const char *seed = getenv("BEFFROI_TEST_SEED");
    size_t fulls = 0, deltas = 0, removed = 0;

    f->random = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)clock_now();
    print_message("BEFFROI_TEST_SEED=%" PRIu64 "\n", f->random);
    f->now -= 60 * USEC_PER_DAY;                                     /* so that the last lists are of today */
    for (int i = 0; i < CERTS; i++)
        cert_insert(f, i, (int)draw(f, SHARDS), draw(f, 2) == 0, (f->now / USEC_PER_SEC + draw(f, 80 * 86400)) * USEC_PER_SEC);
    for (int step = 0; step < 1200; step++) {
        const uint32_t what = draw(f, 20);

        f->now += (int64_t)draw(f, 2 * 3600) * USEC_PER_SEC * (draw(f, 3) != 0) + draw(f, 1000000);
        if (what < 11)
            walk_change(f);
        else if (what < 13)
            walk_slow(f);
        else
            walk_lists(f, (int)draw(f, SHARDS), what == 13 || what == 14, what != 13);
    }
    if (f->slow_cert >= 0)
        walk_slow(f);
    f->now = f->now < f->pki.now ? f->pki.now : f->now;
    for (int shard = 0; shard < SHARDS; shard++) {
        walk_lists(f, shard, true, false);
        f->now += USEC_PER_SEC;
        walk_lists(f, shard, true, true);
        others_read(f, f->made.full.der, f->made.full.entries);
        others_read(f, f->made.delta.der, f->made.delta.entries);
    }
    for (size_t i = 0; i < f->lists_n; i++) {
        fulls += !f->lists[i].delta;
        deltas += f->lists[i].delta;
        for (size_t k = 0; k < f->lists[i].n; k++)
            removed += f->lists[i].e[k].reason == CRL_REMOVE_FROM_CRL;
    }
    print_message("%zu full lists, %zu deltas, %zu removeFromCRL\n", fulls, deltas, removed);
    assert_true(fulls > 20 && deltas > 100 && removed > 10);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.crl WHERE sha256(der) <> sha256 OR der IS NULL"), 0);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.crl"), f->lists_n);
}

/* --- refusals ---------------------------------------------------------------------------------------------------------- */

static void
revoke_now(struct fixture *f, int i)
{
    f->certs[i].state = REVOKED;
    f->certs[i].bad = true;
    f->certs[i].reason = CRL_KEY_COMPROMISE;
    f->certs[i].revoked_at = f->now;
    cert_write(f->op, f, &f->certs[i]);
}

static enum err
make(struct fixture *f, const struct crl_order *o)
{
    crl_made_done(&f->made);
    return crl_make(f->pg, o, f->pki.issuing.key, &f->made, &f->why);
}

#define refused(expr, want, want_code)                                                                       \
    do {                                                                                                     \
        assert_err(expr, want, &f->why);                                                                     \
        assert_string_equal(f->why.code, want_code);                                                         \
    } while (0)

static void
what_is_refused(void **state)
{
    struct fixture *f = *state;
    struct crl_order full = order_of(f, 0, true, false), delta = order_of(f, 0, false, true), o;
    struct key *other = NULL;

    cert_insert(f, 0, 0, true, f->now + 30 * USEC_PER_DAY);
    refused(make(f, &delta), ERR_CONFLICT, "pki.crl.base");
    o = full;
    o.shard = 1;
    refused(make(f, &o), ERR_INPUT, "pki.crl.shard");
    o = full;
    o.ca_id = f->ca.issuer_id;
    refused(make(f, &o), ERR_CONFLICT, "pki.crl.ca");
    o.ca_id = 999;
    refused(make(f, &o), ERR_NOT_FOUND, "ca.unknown");
    assert_int_equal(key_generate(KEY_P256, 0, KEY_CA_SIGN, &other), OK);
    refused(crl_make(f->pg, &full, other, &f->made, &f->why), ERR_DENIED, "pki.crl.key");
    key_free(other);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.crl_counter"), 0);

    assert_ok(make(f, &full), &f->why);                              /* empty, and the first number */
    assert_int_equal(f->made.number, 1);
    others_read(f, f->made.full.der, 0);
    o = full;                                                        /* the clock moved back */
    o.now -= USEC_PER_SEC;
    refused(make(f, &o), ERR_CONFLICT, "pki.crl.clock");
    o = delta;
    o.now -= USEC_PER_SEC;
    refused(make(f, &o), ERR_CONFLICT, "pki.crl.clock");
    o = delta;                                                       /* nobody has that base any more */
    o.now += 3 * USEC_PER_DAY;
    refused(make(f, &o), ERR_CONFLICT, "pki.crl.base");
    assert_int_equal(operator_count("SELECT number FROM pki.crl_counter"), 1);
    revoke_now(f, 0);
    assert_ok(make(f, &delta), &f->why);
    assert_int_equal(f->made.number, 2);
    assert_int_equal(f->made.delta.entries, 1);
    assert_false(f->made.full.made);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'crl.sign'"), 2);

    assert_ok(ca_state_change(f->pg, f->ca.id, CA_RETIRING, f->now, &f->why), &f->why);
    assert_ok(make(f, &full), &f->why);                              /* issues no more, but signs lists */
    assert_ok(ca_state_change(f->pg, f->ca.id, CA_ENDED, f->now, &f->why), &f->why);
    refused(make(f, &full), ERR_CONFLICT, "pki.crl.ca");
}

/* A row edited by hand, whatever the schema says. */
static void
nothing_disappears(void **state)
{
    struct fixture *f = *state;
    struct crl_order full = order_of(f, 0, true, false);

    for (int i = 0; i < 3; i++)
        cert_insert(f, i, 0, true, f->now + 30 * USEC_PER_DAY);
    revoke_now(f, 0);
    revoke_now(f, 1);
    assert_ok(make(f, &full), &f->why);
    sql(f->op, "SET session_replication_role = replica");
    sql(f->op, "UPDATE certificate SET state = 'active', revoked_at = NULL, reason = NULL WHERE serial = '\\x%s'", f->certs[0].hex);
    refused(make(f, &full), ERR_CONFLICT, "pki.crl.lost");
    sql(f->op, "DELETE FROM certificate WHERE serial = '\\x%s'", f->certs[1].hex);
    refused(make(f, &full), ERR_CONFLICT, "pki.crl.lost");
    assert_non_null(strstr(f->why.text, "2 entries"));
    assert_int_equal(operator_count("SELECT count(*) FROM pki.crl"), 1);
    assert_int_equal(operator_count("SELECT number FROM pki.crl_counter"), 1);
}

/* Yesterday's backup: what is published knows more than the database. */
static void
after_a_restore(void **state)
{
    struct fixture *f = *state;
    struct crl_order full = order_of(f, 0, true, false), delta = order_of(f, 0, false, true);
    AUTO(buf_free) struct buf published = BUF_BOUNDED(1 << 16);

    cert_insert(f, 0, 0, true, f->now + 30 * USEC_PER_DAY);
    cert_insert(f, 1, 0, true, f->now + 30 * USEC_PER_DAY);
    revoke_now(f, 0);
    for (int i = 0; i < 7; i++)
        assert_ok(make(f, &full), &f->why);
    assert_int_equal(f->made.number, 7);
    buf_add_str(&published, f->made.full.der);
    sql(f->op, "DELETE FROM crl WHERE number > 3; UPDATE crl_counter SET number = 2");
    delta.published = buf_view(&published);
    refused(make(f, &delta), ERR_CONFLICT, "pki.crl.base");
    full.published = buf_view(&published);
    sql(f->op, "SET session_replication_role = replica");
    sql(f->op, "UPDATE certificate SET state = 'active', revoked_at = NULL, reason = NULL WHERE serial = '\\x%s'", f->certs[0].hex);
    sql(f->op, "UPDATE crl SET der = NULL");
    refused(make(f, &full), ERR_CONFLICT, "pki.crl.lost");
    sql(f->op, "SET session_replication_role = origin");
    revoke_now(f, 0);
    assert_ok(make(f, &full), &f->why);
    assert_int_equal(f->made.number, 8);
    full.published = STR_NULL;
    sql(f->op, "UPDATE crl_counter SET number = 2");                 /* and what is stored counts by itself */
    assert_ok(make(f, &full), &f->why);
    assert_int_equal(f->made.number, 9);
    /* another cluster: its transaction numbers begin anew */
    sql(f->op, "UPDATE crl SET horizon = '9000000000000000000' WHERE number = 9");
    delta.published = STR_NULL;
    refused(make(f, &delta), ERR_CONFLICT, "pki.crl.base");
    assert_ok(make(f, &full), &f->why);
    assert_ok(make(f, &delta), &f->why);
    assert_int_equal(f->made.number, 11);
    published.data[published.len - 1] ^= 1;                          /* a published list that is not ours */
    full.published = buf_view(&published);
    assert_err(make(f, &full), ERR_DENIED, &f->why);
}

struct signer {
    struct fixture *f;
    int64_t numbers[10];
    enum err result;
    struct why why;
};

static void *
signer_main(void *arg)
{
    struct signer *s = arg;
    struct crl_order o = order_of(s->f, 0, true, false);
    struct crl_made made;
    struct pg *pg = NULL;

    s->result = pg_open(&s->f->conf, &pg, &s->why);
    for (size_t i = 0; i < ARRAY_LEN(s->numbers) && s->result == OK; i++) {
        /* who lost the race five times comes again, as every caller would */
        do {
            s->why = (struct why)WHY_INIT;
            s->result = crl_make(pg, &o, s->f->pki.issuing.key, &made, &s->why);
        } while (s->result == ERR_UNAVAILABLE && strcmp(s->why.code, "pg.contention") == 0);
        s->numbers[i] = made.number;
        crl_made_done(&made);
    }
    pg_close(pg);
    return NULL;
}

static void
two_signers(void **state)
{
    struct fixture *f = *state;
    struct signer s[2] = { { .f = f }, { .f = f } };
    bool seen[21] = { false };
    pthread_t t[2];

    cert_insert(f, 0, 0, true, f->now + 30 * USEC_PER_DAY);
    revoke_now(f, 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, signer_main, &s[i]), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(s[i].result, &s[i].why);
        for (size_t k = 0; k < ARRAY_LEN(s[i].numbers); k++) {
            assert_in_range(s[i].numbers[k], 1, 20);
            assert_false(seen[s[i].numbers[k]]);
            seen[s[i].numbers[k]] = true;
        }
    }
    assert_int_equal(operator_count("SELECT count(*) FROM pki.crl"), 20);
}

/* More than two pages, both ways; the role of the signer is enough. */
static void
many_entries(void **state)
{
    struct fixture *f = *state;
    struct crl_order full = order_of(f, 0, true, false), both = order_of(f, 0, true, true);
    utime begun;

    assert_ok(make(f, &full), &f->why);
    sql(f->op, "INSERT INTO certificate (id, ca_id, serial, shard, state, state_since, registration_id, profile, profile_sha256, "
               "spki_sha256, not_before, not_after, revoked_at, reason) SELECT gen_random_uuid(), %d, "
               "'\\x11'::bytea || substr(sha256(i::text::bytea), 1, 15), 0, 'revoked', %s, '00000000-0000-4000-8000-000000000001', "
               "'server', sha256('p'), sha256(i::text::bytea), %s, %s, %s, 1 FROM generate_series(1, 25000) i", f->ca.id,
        at_text(f->now), at_text(f->now), at_text(f->now + USEC_PER_DAY), at_text(f->now));
    pg_close(f->pg);
    f->pg = NULL;
    test_conninfo("options='-c search_path=pki -c role=pki_signer'", f->conninfo, sizeof(f->conninfo));
    sql(f->op, "GRANT USAGE ON SCHEMA pki TO pki_signer");
    assert_ok(pg_open(&f->conf, &f->pg, &f->why), &f->why);
    begun = clock_monotonic();
    assert_ok(make(f, &both), &f->why);
    print_message("full and delta of 25000 entries: %" PRId64 " ms\n", (clock_monotonic() - begun) / 1000);
    assert_int_equal(f->made.full.entries, 25000);
    assert_int_equal(f->made.delta.entries, 25000);
    assert_int_equal(f->made.base, 1);
    others_read(f, f->made.full.der, 25000);
    openssl_reads_the_rows(f, f->made.full.der);
    assert_ok(make(f, &both), &f->why);
    assert_int_equal(f->made.full.entries, 25000);
    assert_int_equal(f->made.delta.entries, 0);
    /* all at once past their end: carried once more, then gone */
    both.now += 2 * USEC_PER_DAY;
    assert_ok(make(f, &both), &f->why);
    assert_int_equal(f->made.full.entries, 25000);
    both.now += USEC_PER_SEC;
    assert_ok(make(f, &both), &f->why);
    assert_int_equal(f->made.full.entries, 0);
    assert_int_equal(f->made.delta.entries, 25000);
    both.now += USEC_PER_SEC;
    assert_ok(make(f, &both), &f->why);
    assert_int_equal(f->made.delta.entries, 0);
}

/* notAfter is inside: a list of that very second is not beyond it, one of the next is (RFC 5280 §3.3). A held one that expires
 * stays as long, and is not released by it. */
static void
the_last_second(void **state)
{
    struct fixture *f = *state;
    const utime end = f->now + 10 * USEC_PER_SEC;
    struct crl_order o = order_of(f, 0, true, false);

    cert_insert(f, 0, 0, true, end);
    cert_insert(f, 1, 0, true, end);
    revoke_now(f, 0);
    sql(f->op, "UPDATE certificate SET state = 'held', reason = 6, revoked_at = %s WHERE state = 'active'", at_text(f->now));
    o.now = end;
    assert_ok(make(f, &o), &f->why);
    assert_int_equal(f->made.full.entries, 2);
    sql(f->op, "UPDATE certificate SET state = 'expired' WHERE state = 'held'");
    assert_ok(make(f, &o), &f->why);                                 /* again within that second */
    assert_int_equal(f->made.full.entries, 2);
    o.now += USEC_PER_SEC;                                           /* the one beyond */
    o.delta = true;
    assert_ok(make(f, &o), &f->why);
    assert_int_equal(f->made.full.entries, 2);
    o.now += USEC_PER_SEC;
    assert_ok(make(f, &o), &f->why);
    assert_int_equal(f->made.full.entries, 0);
    assert_int_equal(f->made.delta.entries, 2);                      /* removeFromCRL */
    o.now += USEC_PER_SEC;
    assert_ok(make(f, &o), &f->why);
    assert_int_equal(f->made.delta.entries, 0);
}

static void
the_newest_is_kept(void **state)
{
    struct fixture *f = *state;
    struct crl_order full = order_of(f, 0, true, false), both = order_of(f, 0, true, true);
    AUTO(buf_free) struct buf der = BUF_BOUNDED(1 << 16);
    struct crl_stored got;
    int n = 0;

    assert_err(crl_newest(f->pg, f->ca.id, 0, false, 0, &der, &got, &f->why), ERR_NOT_FOUND, &f->why);
    assert_ok(make(f, &full), &f->why);
    assert_ok(make(f, &both), &f->why);
    assert_ok(make(f, &both), &f->why);
    assert_ok(crl_octets_drop(f->pg, f->now, &n, &f->why), &f->why);         /* not before that time */
    assert_int_equal(n, 0);
    assert_ok(crl_octets_drop(f->pg, f->now + 1, &n, &f->why), &f->why);
    assert_int_equal(n, 3);                                                  /* full 1 and 2, delta 2 */
    assert_int_equal(operator_count("SELECT count(*) FROM pki.crl"), 5);
    assert_ok(crl_newest(f->pg, f->ca.id, 0, false, 2, &der, &got, &f->why), &f->why);
    assert_int_equal(got.number, 3);
    assert_true(str_eq(buf_view(&der), f->made.full.der));
    buf_reset(&der);
    assert_ok(crl_newest(f->pg, f->ca.id, 0, true, 2, &der, &got, &f->why), &f->why);
    assert_int_equal(got.base, 2);
    assert_true(str_eq(buf_view(&der), f->made.delta.der));
    assert_err(crl_newest(f->pg, f->ca.id, 0, false, 3, &der, &got, &f->why), ERR_NOT_FOUND, &f->why);
    sql(f->op, "UPDATE crl SET der = set_byte(der, 40, 0) WHERE number = 3");
    refused(crl_newest(f->pg, f->ca.id, 0, false, 2, &der, &got, &f->why), ERR_INTERNAL, "pki.crl.stored");
}

static void
addresses(void **state)
{
    struct fixture *f = *state;
    char path[CRL_PATH_SIZE];

    crl_path(&f->ca, 0, false, path);
    assert_string_equal(path, "/crl/cards-g1.crl");
    crl_path(&f->ca, 0, true, path);
    assert_string_equal(path, "/crl/cards-g1-delta.crl");
    f->ca.shards = 4;
    crl_path(&f->ca, 3, true, path);
    assert_string_equal(path, "/crl/cards-g1-3-delta.crl");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_disappears, setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_restore, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_second, setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(two_signers, setup, teardown),
        cmocka_unit_test_setup_teardown(many_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(a_random_walk, setup_sharded, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
