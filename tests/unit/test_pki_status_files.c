/*
 * what the status process keeps: the folder, the journal of states cut at every octet, the cache that finds an answer only under
 * what it says.
 */
#include "tests/unit/support.h"
#include "tests/unit/tool.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/core/rand.h"
#include "pki/status/status-internal.h"

static struct tool_folder top;
static struct folder folder;

static int
setup(void **state)
{
    char path[160];
    struct why why = WHY_INIT;

    (void)state;
    tool_folder_make(&top);
    snprintf(path, sizeof(path), "%s/status", top.path);
    assert_ok(folder_open(path, &folder, &why), &why);
    return 0;
}

static int
teardown(void **state)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(4096);

    (void)state;
    folder_close(&folder);
    TOOL(true, &out, "rm", "-rf", "--", top.path);
    return 0;
}

/* --- the folder ------------------------------------------------------------------------------------------------------------- */

static void
name_seen(const char *name, void *arg)
{
    buf_addf(arg, "%s ", name);
}

static void
the_folder(void **state)
{
    AUTO(buf_free) struct buf names = BUF_BOUNDED(1024);
    struct folder second = FOLDER_INIT;
    struct str file = STR_NULL;
    struct why why = WHY_INIT;
    char path[160];

    (void)state;
    snprintf(path, sizeof(path), "%s/status", top.path);
    assert_err(folder_open(path, &second, &why), ERR_CONFLICT, &why);          /* another process has it */
    assert_err(folder_map(folder.crl, "a.crl", 100, &file, &why), ERR_NOT_FOUND, &why);
    assert_ok(folder_put(folder.crl, "a.crl", STR_LIT("one"), 0644, &why), &why);
    assert_ok(folder_map(folder.crl, "a.crl", 100, &file, &why), &why);
    assert_ok(folder_put(folder.crl, "a.crl", STR_LIT("three"), 0644, &why), &why);
    assert_true(str_eqs(file, "one"));                                         /* who has it keeps it */
    folder_unmap(file);
    assert_err(folder_map(folder.crl, "a.crl", 4, &file, &why), ERR_INPUT, &why);
    assert_ok(folder_map(folder.crl, "a.crl", 5, &file, &why), &why);
    assert_true(str_eqs(file, "three"));
    folder_unmap(file);
    assert_ok(folder_put(folder.crl, "b.crl", STR_LIT("x"), 0400, &why), &why);
    assert_ok(folder_each(folder.crl, name_seen, &names, &why), &why);
    assert_string_equal(buf_cstr(&names), "a.crl b.crl ");
    assert_ok(folder_wipe(folder.crl, "b.crl", &why), &why);
    assert_ok(folder_wipe(folder.crl, "b.crl", &why), &why);
    assert_err(folder_map(folder.crl, "b.crl", 100, &file, &why), ERR_NOT_FOUND, &why);
    /* a folder in which others may write is not ours */
    snprintf(path, sizeof(path), "%s/open", top.path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, 0770), 0);
    assert_err(folder_open(path, &second, &why), ERR_DENIED, &why);
    assert_int_equal(chmod(path, 0750), 0);
    assert_ok(folder_open(path, &second, &why), &why);
    folder_close(&second);
    assert_err(folder_open("", &second, &why), ERR_INPUT, &why);
}

/* No room: an error, and what was there is there, and nothing else. */
static void
no_room(void **state)
{
    AUTO(buf_free) struct buf names = BUF_BOUNDED(1024);
    struct rlimit was, small;
    struct str file = STR_NULL;
    struct why why = WHY_INIT;
    enum err e;

    (void)state;
    assert_ok(folder_put(folder.crl, "a.crl", STR_LIT("before"), 0644, &why), &why);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = (struct rlimit){ 4, was.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    e = folder_put(folder.crl, "a.crl", STR_LIT("after it"), 0644, &why);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(e, ERR_UNAVAILABLE);
    assert_ok(folder_map(folder.crl, "a.crl", 100, &file, &why), &why);
    assert_true(str_eqs(file, "before"));
    folder_unmap(file);
    assert_ok(folder_each(folder.crl, name_seen, &names, &why), &why);
    assert_string_equal(buf_cstr(&names), "a.crl ");
    assert_ok(folder_wipe(folder.crl, "a.crl", &why), &why);
}

/* --- the journal -------------------------------------------------------------------------------------------------------------- */

#define CERTIFICATES 50
static unsigned char serials[CERTIFICATES][SERIAL_LEN];

static struct status
status_nth(size_t i)
{
    return (struct status){ (enum status_kind)(i % 3), i % 3 == STATUS_REVOKED ? (int)(i % 6) : 0,
                            i % 3 == STATUS_GOOD ? 0 : (utime)(1700000000 + i) * USEC_PER_SEC };
}

/* Of the first n changes; a certificate that was not there yet is not found. */
static void
table_is(struct status_table *t, size_t n)
{
    assert_int_equal(status_table_count(t), n);
    for (size_t i = 0; i < n; i++) {
        const struct status want = status_nth(i);
        struct status got;

        assert_true(status_table_find(t, 1 + (int)(i % 255), (struct str){ (const char *)serials[i], SERIAL_LEN }, &got));
        assert_true(got.kind == want.kind && got.reason == want.reason && got.revoked_at == want.revoked_at);
    }
}

static void
changes_add(struct journal *j, struct status_table *t, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const struct status s = status_nth(i);

        status_table_put(t, 1 + (int)(i % 255), serials[i], &s);
        if (j != NULL)
            journal_add(j, 1 + (int)(i % 255), serials[i], &s);
    }
}

/* What is read of a file; 0: nothing. *ret_n: certificates. */
static utime
read_back(struct str content, size_t *ret_n, struct status_table **ret)
{
    struct journal *j = journal_new(folder.fd);
    struct status_table *t = status_table_new(0);
    struct why why = WHY_INIT;
    utime known_at = 0;
    enum err e;

    if (content.n > 0)
        assert_ok(folder_put(folder.fd, "states", content, 0600, &why), &why);
    e = journal_load(j, t, &known_at, &why);
    assert_true(e == OK || e == ERR_NOT_FOUND);
    *ret_n = status_table_count(t);
    if (ret != NULL)
        *ret = t;
    else
        status_table_free(t);
    journal_free(j);
    return e == OK ? known_at : 0;
}

static void
the_journal(void **state)
{
    AUTO(buf_free) struct buf whole = BUF_BOUNDED(1 << 20);
    struct journal *j = journal_new(folder.fd);
    struct status_table *t = status_table_new(0), *back;
    struct why why = WHY_INIT;
    struct str file;
    utime known_at = 0;
    size_t blocks[3], n;

    (void)state;
    for (size_t i = 0; i < CERTIFICATES; i++)
        certificate_serial_draw(serials[i]);
    assert_err(journal_load(j, t, &known_at, &why), ERR_NOT_FOUND, &why);
    assert_true(journal_is_due(j, t));
    assert_err(journal_append(j, 1, &why), ERR_NOT_FOUND, &why);
    changes_add(NULL, t, 0, 10);
    assert_ok(journal_write(j, t, 1000, &why), &why);
    assert_false(journal_is_due(j, t));
    assert_ok(folder_map(folder.fd, "states", 1 << 20, &file, &why), &why);
    blocks[0] = file.n;
    folder_unmap(file);
    changes_add(j, t, 10, 30);
    assert_int_equal(journal_pending(j), 20);
    assert_ok(journal_append(j, 2000, &why), &why);
    assert_int_equal(journal_pending(j), 0);
    blocks[1] = blocks[0] + 16 + 20 * 24 + 16;
    assert_ok(journal_append(j, 3000, &why), &why);                            /* nothing changed: still the truth */
    blocks[2] = blocks[1] + 32;
    assert_ok(folder_map(folder.fd, "states", 1 << 20, &file, &why), &why);
    assert_int_equal(file.n, blocks[2]);
    buf_add_str(&whole, file);
    folder_unmap(file);
    journal_free(j);
    status_table_free(t);

    assert_int_equal(read_back(buf_view(&whole), &n, &back), 3000);
    table_is(back, 30);
    status_table_free(back);
    /* cut at every octet: what the blocks before say, no more and no less */
    for (size_t cut = 1; cut < whole.len; cut++) {
        known_at = read_back((struct str){ whole.data, cut }, &n, NULL);
        if (cut < blocks[0])
            assert_int_equal(known_at, 0);
        else
            assert_int_equal(known_at, cut < blocks[1] ? 1000 : 2000);
        assert_int_equal(n, cut < blocks[0] ? 0 : cut < blocks[1] ? 10 : 30);
    }
    /* an octet that is another */
    for (size_t at = 0; at < whole.len; at++) {
        whole.data[at] ^= 0x40;
        known_at = read_back(buf_view(&whole), &n, NULL);
        assert_int_equal(known_at, at < blocks[0] ? 0 : at < blocks[1] ? 1000 : 2000);
        whole.data[at] ^= 0x40;
    }
    /* after a cut, appending goes on behind the last good block */
    assert_int_equal(read_back((struct str){ whole.data, blocks[1] + 7 }, &n, NULL), 2000);
    j = journal_new(folder.fd);
    t = status_table_new(0);
    assert_ok(journal_load(j, t, &known_at, &why), &why);
    assert_ok(journal_append(j, 3500, &why), &why);                            /* before anything was ever collected */
    changes_add(j, t, 30, 50);
    assert_ok(journal_append(j, 4000, &why), &why);
    journal_free(j);
    status_table_free(t);
    assert_int_equal(read_back(STR_NULL, &n, &back), 4000);
    table_is(back, CERTIFICATES);
    status_table_free(back);
}

/* A journal that could not take a change is removed: it would say what is not true. */
static void
journal_without_room(void **state)
{
    struct journal *j = journal_new(folder.fd);
    struct status_table *t = status_table_new(0);
    struct why why = WHY_INIT;
    struct rlimit was, small;
    utime known_at;
    size_t n;
    enum err e;

    (void)state;
    changes_add(NULL, t, 0, 10);
    assert_ok(journal_write(j, t, 1000, &why), &why);
    changes_add(j, t, 10, 20);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = (struct rlimit){ 300, was.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    e = journal_append(j, 2000, &why);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(e, ERR_UNAVAILABLE);
    assert_true(journal_is_due(j, t));
    assert_int_equal(read_back(STR_NULL, &n, NULL), 0);
    assert_ok(journal_write(j, t, 2000, &why), &why);
    known_at = read_back(STR_NULL, &n, NULL);
    assert_int_equal(known_at, 2000);
    assert_int_equal(n, 20);
    journal_free(j);
    status_table_free(t);
}

/* --- the cache ------------------------------------------------------------------------------------------------------------------ */

static struct answer *
answer_of(struct str id, const struct ocsp_authority *authority, const struct status *status, const char *der)
{
    struct answer *a = answer_new(id, str_of(der));

    a->ca = authority->ca;
    a->status = *status;
    memcpy(a->key_hash, authority->key_hash, SHA1_LEN);
    a->reply = (struct ocsp_reply){ .this_update = 1000, .next_update = 5000 };
    a->renew_at = 2000;
    return a;
}

static void
the_cache(void **state)
{
    struct answer_cache *c = answer_cache_new(1 << 20);
    struct ocsp_authority authority = { .ca = 3, .key_hash = { 1, 2, 3 } }, other = { .ca = 4, .key_hash = { 1, 2, 3 } };
    const struct status good = { STATUS_GOOD, 0, 0 }, held = { STATUS_HELD, 0, 7 * USEC_PER_SEC }, later = { STATUS_HELD, 0, 8 * USEC_PER_SEC };
    unsigned char serial[SERIAL_LEN];
    struct ocsp_cert_id id = { .raw = STR_LIT("id by SHA-1"), .serial = { (const char *)serial, SERIAL_LEN } };
    struct answer *a, *found;

    (void)state;
    certificate_serial_draw(serial);
    a = answer_of(id.raw, &authority, &held, "the answer");
    assert_null(answer_cache_find(c, &authority, &id, &held, 1500));
    answer_cache_put(c, a, id.serial);
    answer_drop(a);
    found = answer_cache_find(c, &authority, &id, &held, 1500);
    assert_non_null(found);
    assert_true(str_eqs(found->der, "the answer"));
    answer_drop(found);
    assert_null(answer_cache_find(c, &authority, &id, &good, 1500));           /* released meanwhile */
    assert_null(answer_cache_find(c, &authority, &id, &later, 1500));          /* and held again */
    assert_null(answer_cache_find(c, &authority, &id, &held, 2000));           /* too old */
    assert_null(answer_cache_find(c, &authority, &id, &held, 999));            /* the clock went back */
    assert_null(answer_cache_find(c, &other, &id, &held, 1500));
    authority.key_hash[0]++;                                                   /* the responder rolled */
    assert_null(answer_cache_find(c, &authority, &id, &held, 1500));
    authority.key_hash[0]--;
    id.raw = STR_LIT("id by SHA-256");                                         /* asked otherwise: a place of its own */
    assert_null(answer_cache_find(c, &authority, &id, &held, 1500));
    a = answer_of(id.raw, &authority, &held, "another");
    answer_cache_put(c, a, id.serial);
    answer_drop(a);
    id.raw = STR_LIT("id by SHA-1");
    found = answer_cache_find(c, &authority, &id, &held, 1500);
    assert_non_null(found);
    answer_drop(found);
    answer_cache_free(c);
}

/* However many are put, memory is bounded: of ten thousand in a cache of one set four are left, the newest. */
static void
the_cache_is_bounded(void **state)
{
    struct answer_cache *c = answer_cache_new(1);
    const struct ocsp_authority authority = { .ca = 1 };
    const struct status good = { STATUS_GOOD, 0, 0 };
    unsigned char serial[SERIAL_LEN] = { 1 };
    size_t left = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        char id[16];
        struct answer *a;

        snprintf(id, sizeof(id), "%d", i);
        a = answer_of(str_of(id), &authority, &good, "answer");
        answer_cache_put(c, a, (struct str){ (const char *)serial, SERIAL_LEN });
        answer_drop(a);
    }
    for (int i = 0; i < 10000; i++) {
        char id[16];
        struct ocsp_cert_id asked = { .raw = { id, 0 }, .serial = { (const char *)serial, SERIAL_LEN } };
        struct answer *a;

        asked.raw.n = (size_t)snprintf(id, sizeof(id), "%d", i);
        if ((a = answer_cache_find(c, &authority, &asked, &good, 1500)) == NULL)
            continue;
        assert_true(i >= 9996);
        left++;
        answer_drop(a);
    }
    assert_int_equal(left, 4);
    answer_cache_free(c);
}

static void
dates(void **state)
{
    char out[HTTP_DATE_SIZE];

    (void)state;
    http_date(INT64_C(784111777) * USEC_PER_SEC, out);
    assert_string_equal(out, "Sun, 06 Nov 1994 08:49:37 GMT");                 /* RFC 9110 §5.6.7 */
    http_date(INT64_C(4102444799) * USEC_PER_SEC, out);
    assert_string_equal(out, "Thu, 31 Dec 2099 23:59:59 GMT");
}

static void
tags(void **state)
{
    char out[ETAG_SIZE];

    (void)state;
    etag_make(STR_LIT("abc"), out);              /* FIPS 180-4's example, its first half */
    assert_string_equal(out, "\"ba7816bf8f01cfea414140de5dae2223\"");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_folder), cmocka_unit_test(no_room), cmocka_unit_test(the_journal), cmocka_unit_test(journal_without_room),
        cmocka_unit_test(the_cache), cmocka_unit_test(the_cache_is_bounded), cmocka_unit_test(dates), cmocka_unit_test(tags),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
