/*
 * the signer's lists: made by themselves at the start, after a change, by the clock and on order; what becomes of the requests that
 * they show; killed at work, and after a restore: nothing is lost, numbers never go back.
 */
#include "tests/integration/signer_support.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/crypto/x509_path.h"

#define LISTS "SELECT count(*) FROM pki.crl WHERE "
#define ALARMS "SELECT count(*) FROM pki.alarm WHERE ended_at IS NULL AND kind = "
#define NEWEST "SELECT coalesce(max(number), 0) FROM pki.crl"
#define MANY (CRL_SMALL + 1)

/* --- support ------------------------------------------------------------------------------------------------------------- */

/* The first full list, and the first delta after it. */
static void
lists_begin(struct fixture *f)
{
    signer_start(f);
    unlock(f);
    await(LISTS "kind = 'full' AND number = 1", 1);
    await(LISTS "kind = 'delta' AND number = 2", 1);
}

/* A card of that holder, signed; its id. */
static const char *
card_issue(struct fixture *f, const char *profile, const char *holder)
{
    char certificate[37];

    assert_ok(issue(f, asked(f, profile, holder, SUPPORT_CARD), certificate), &f->w.why);
    return arena_strdup(f->w.a, certificate);
}

/* As front and operators do it. */
static void
act_do(struct fixture *f, const char *id, enum revocation_act which, int reason)
{
    struct revocation act = { .act = which, .ca = "cards-g1", .reason = reason, .invalid_at = UTIME_NULL, .requester = BY_OPERATOR,
                              .requester_ref = "", .proof = "" };
    struct profile_set profiles;
    struct revocation_result *results;
    struct certificate_row row;
    char key[37];
    size_t n;

    rand_uuid(key);
    act.key = key;
    assert_ok(certificate_find(f->w.pg, str_of(id), f->w.a, &row, &f->w.why), &f->w.why);
    act.serial = row.serial;
    assert_ok(profile_set_load(SOURCE_DIR "/pki/profiles", &profiles, &f->w.why), &f->w.why);
    assert_ok(revocation_do(f->w.pg, &profiles, &act, "operator:test", clock_now(), f->w.a, &results, &n, &f->w.why), &f->w.why);
    profile_set_free(&profiles);
    assert_int_equal(n, 1);
    assert_false(revocation_is_refusal(results[0].outcome));
}

/* The newest full list, verified by another reader than wrote it; the number of its entries. */
static size_t
newest_read(struct fixture *f, bool delta, struct crl_stored *ret)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED((size_t)1 << 24);
    AUTO(x509_trust_freep) struct x509_trust *trust = x509_trust_new();
    AUTO(x509_crl_freep) struct x509_crl *crl = NULL;

    assert_ok(crl_newest(f->w.pg, f->cards.id, 0, delta, 0, &der, ret, &f->w.why), &f->w.why);
    assert_ok(x509_trust_add_anchor(trust, f->cards.certificate, &f->w.why), &f->w.why);
    assert_ok(x509_crl_read(buf_view(&der), &crl, &f->w.why), &f->w.why);
    assert_ok(x509_trust_add_crl(trust, crl, &f->w.why), &f->w.why);
    assert_int_equal(x509_crl_is_delta(crl), delta);
    return x509_crl_entries(crl);
}

/* What a status process says when it offers the newest lists. */
static void
offer_all(const char *node)
{
    char sql[400];

    snprintf(sql, sizeof(sql), "INSERT INTO pki.crl_published SELECT ca_id, shard, number, kind, '%s', made_at + interval '1 s' "
             "FROM pki.crl ON CONFLICT DO NOTHING", node);
    operator_run(sql, NULL, 0);
}

/* So many more certificates like that one, in that state ("revoked" with what belongs to it). */
static void
many_insert(struct fixture *f, const char *like, int n, const char *state)
{
    const bool revoked = strcmp(state, "revoked") == 0;

    operator_run(arena_printf(f->w.a, "INSERT INTO pki.certificate (id, ca_id, serial, state, state_since, registration_id, profile, "
                 "profile_sha256, spki_sha256, not_before, not_after, revoked_at, reason) SELECT gen_random_uuid(), ca_id, "
                 "'\\x11'::bytea || substr(sha256(i::text::bytea), 1, 15), '%s', state_since, registration_id, profile, "
                 "profile_sha256, sha256(i::text::bytea), not_before, not_after, %s FROM pki.certificate c, generate_series(1, %d) i "
                 "WHERE c.id = '%s'", state, revoked ? "not_before - interval '1 day', 1" : "NULL, NULL", n, like), NULL, 0);
}

/* --- tests --------------------------------------------------------------------------------------------------------------- */

static void
after_a_change(void **state)
{
    struct fixture *f = *state;
    struct crl_stored full, delta;
    const char *id;
    int64_t before;
    utime begun;

    lists_begin(f);
    assert_int_equal(newest_read(f, false, &full), 0);
    id = card_issue(f, "citizen-card-local", "1001");
    before = operator_count(NEWEST);
    begun = clock_monotonic();
    act_do(f, id, REVOCATION_SUSPEND, REASON_NONE);
    await(LISTS "entries = 1 AND kind = 'delta'", 1);
    print_message("from the hold to the delta that shows it: %" PRId64 " ms\n", (clock_monotonic() - begun) / 1000);
    assert_int_equal(newest_read(f, true, &delta), 1);
    assert_int_equal(newest_read(f, false, &full), 1);
    assert_int_equal(full.number, delta.number);                     /* made together: one number */
    assert_int_equal(delta.number, before + 1);
    assert_int_equal(delta.base, 1);
    /* back-dated for slow clocks, and valid for as long as the authority says */
    assert_in_range(full.this_update, full.made_at - CRL_BACKDATE_MAX - USEC_PER_SEC, full.made_at - CRL_BACKDATE_MAX);
    assert_int_equal(full.next_update - full.this_update, f->cards.crl_life);
    /* the reason changes */
    act_do(f, id, REVOCATION_REVOKE, REASON_KEY_COMPROMISE);
    await(NEWEST, before + 2);
    /* what no list names makes none */
    card_issue(f, "citizen-card", "1002");
    sleep(2);
    assert_int_equal(operator_count(NEWEST), before + 2);
}

/* P-199: 100 revocations in a second are one list or two, and each is in it. */
static void
a_hundred_at_once(void **state)
{
    struct fixture *f = *state;
    int64_t before;

    lists_begin(f);
    many_insert(f, card_issue(f, "citizen-card", "1001"), 99, "issued");
    before = operator_count(NEWEST);
    operator_run("DO $$ DECLARE c record; BEGIN FOR c IN SELECT id FROM pki.certificate LOOP UPDATE pki.certificate SET "
                 "state = 'revoked', reason = 1, revoked_at = state_since WHERE id = c.id; COMMIT; END LOOP; END $$", NULL, 0);
    await(LISTS "kind = 'full' AND entries = 100", 1);
    assert_in_range(operator_count(NEWEST) - before, 1, 3);
}

/* 2.6: executed becomes published when a list that shows it is offered; what no list shows waits for none. */
static void
requests_are_published(void **state)
{
    struct fixture *f = *state;
    const char *id, *other;
    int64_t number;

    lists_begin(f);
    offer_all("a/status");
    id = card_issue(f, "citizen-card", "1001");
    other = card_issue(f, "citizen-card", "1002");
    act_do(f, id, REVOCATION_REVOKE, REASON_SUPERSEDED);
    await(LISTS "kind = 'full' AND entries = 1", 1);
    number = operator_count(NEWEST);
    sleep(2);                                                        /* two looks of the timer */
    assert_int_equal(operator_count("SELECT count(*) FROM pki.revocation_request WHERE state = 'executed'"), 1);
    offer_all("a/status");
    await("SELECT count(*) FROM pki.revocation_request WHERE state = 'published'", 1);
    assert_int_equal(operator_count("SELECT crl_number FROM pki.revocation_request"), number);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.revocation_request q JOIN pki.crl_published p ON p.number = q.crl_number "
                                    "AND p.at = q.published_at"), 2);
    /* deferred, then withdrawn: nothing is listed, and the withdrawal is done with */
    act_do(f, other, REVOCATION_SUSPEND, REASON_NONE);
    act_do(f, other, REVOCATION_RESUME, REASON_NONE);
    await("SELECT count(*) FROM pki.revocation_request WHERE act = 'resume' AND state = 'published' AND crl_number IS NULL", 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.revocation_request WHERE act = 'suspend' AND state = 'withdrawn'"), 1);
    assert_int_equal(operator_count(NEWEST), number);
}

static void
on_order(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf lines = BUF_BOUNDED(4096);
    int64_t before;

    signer_start(f);
    assert_err(signer_crl(f->client, "cards-g1", -1, &lines, &f->w.why), ERR_UNAVAILABLE, &f->w.why);
    assert_string_equal(f->w.why.code, "signer.locked");
    unlock(f);
    await(LISTS "kind = 'delta'", 1);
    before = operator_count(NEWEST);
    assert_ok(signer_crl(f->client, "cards-g1", -1, &lines, &f->w.why), &f->w.why);
    assert_string_equal(buf_cstr(&lines), arena_printf(f->w.a, "crl cards-g1 0 %" PRId64 " 0 0\n", before + 1));
    assert_ok(signer_crl(f->client, "cards-g1", 0, &lines, &f->w.why), &f->w.why);
    assert_int_equal(operator_count(NEWEST), before + 2);
    assert_err(signer_crl(f->client, "cards-g1", 1, &lines, &f->w.why), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "pki.crl.shard");
    assert_err(signer_crl(f->client, "cards-g2", -1, &lines, &f->w.why), ERR_NOT_FOUND, &f->w.why);
    assert_err(signer_crl(f->client, "root-g1", -1, &lines, &f->w.why), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "pki.crl.ca");
    assert_int_equal(operator_count(NEWEST), before + 2);
}

static void
by_the_clock(void **state)
{
    struct fixture *f = *state;
    int64_t before;

    lists_begin(f);
    before = operator_count(NEWEST);
    clock_move(f, f->cards.crl_period - 2 * USEC_PER_MIN);
    sleep(2);
    assert_int_equal(operator_count(NEWEST), before);
    clock_move(f, 2 * USEC_PER_MIN);
    await(NEWEST, before + 1);
    assert_int_equal(operator_count(LISTS "number = (SELECT max(number) FROM pki.crl)"), 2);     /* full and delta */
    /* an authority whose generation retires signs lists on */
    operator_run("UPDATE pki.ca SET state = 'retiring' WHERE name = 'cards'", NULL, 0);
    clock_move(f, f->cards.crl_period);
    await(NEWEST, before + 2);
}

/* A list of half a megabyte is not made each second: the delta shows a change at once, the full list follows. */
static void
a_large_list(void **state)
{
    struct fixture *f = *state;
    struct crl_stored stored;
    const char *id;

    signer_start(f);
    unlock(f);
    id = card_issue(f, "citizen-card", "1001");
    many_insert(f, id, MANY, "revoked");
    await(arena_printf(f->w.a, LISTS "kind = 'full' AND entries = %d", MANY), 1);
    await(LISTS "kind = 'delta' AND number > (SELECT max(number) FROM pki.crl WHERE kind = 'full')", 0);
    (void)newest_read(f, false, &stored);
    act_do(f, id, REVOCATION_REVOKE, REASON_KEY_COMPROMISE);
    await(LISTS "kind = 'delta' AND entries = 1", 1);
    sleep(2);
    assert_int_equal(newest_read(f, false, &stored), MANY);
    clock_move(f, CRL_FULL_AFTER);
    await(arena_printf(f->w.a, LISTS "kind = 'full' AND entries = %d", MANY + 1), 1);
}

/* Killed while a list is being made: nobody saw it, its number is given again, and what it was to show is shown. */
static void
killed_while_it_makes_one(void **state)
{
    static const char waits[] = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'pki_signer' AND wait_event_type = 'Lock'";
    struct fixture *f = *state;
    /* at its number, at storing what was signed, at the audit row in whose transaction it all is */
    static const char *const locks[] = { "UPDATE pki.crl_counter SET number = number", "LOCK TABLE pki.crl IN SHARE MODE",
                                         "LOCK TABLE pki.audit_event IN SHARE MODE" };

    lists_begin(f);
    for (size_t i = 0; i < ARRAY_LEN(locks); i++) {
        const char *id = card_issue(f, "citizen-card", arena_printf(f->w.a, "%zu", 3000 + i));
        const int64_t before = operator_count(NEWEST);
        PGconn *holder = operator_open("");

        act_do(f, id, REVOCATION_REVOKE, REASON_KEY_COMPROMISE);
        await(NEWEST, before + 1);
        operator_run("UPDATE pki.certificate SET invalid_at = state_since", NULL, 0);
        PQclear(PQexec(holder, "BEGIN"));
        PQclear(PQexec(holder, locks[i]));
        operator_run("UPDATE pki.certificate SET reason = 4, state_since = state_since WHERE state = 'revoked'", NULL, 0);
        await(waits, 1);
        signer_kill(f);
        PQclear(PQexec(holder, "ROLLBACK"));
        PQfinish(holder);
        assert_int_equal(operator_count(NEWEST), before + 1);
        signer_start(f);
        unlock(f);
        await(NEWEST, before + 2);
        assert_int_equal(operator_count(arena_printf(f->w.a, LISTS "number = %" PRId64 " AND kind = 'full' AND entries = %zu",
                                                     before + 2, i + 1)), 1);
        assert_int_equal(operator_count("SELECT number FROM pki.crl_counter"), before + 2);
    }
    assert_int_equal(operator_count("SELECT count(*) FROM (SELECT number, kind FROM pki.crl GROUP BY 1, 2 HAVING count(*) > 1) d"), 0);
}

static void *
lock_run(void *arg)
{
    struct fixture *f = arg;
    AUTO(signer_client_freep) struct signer_client *client = signer_client_new(f->socket, PATIENCE);

    return signer_lock(client, NULL) == OK ? f : NULL;
}

/* Who locks waits for the list that is being signed, and no longer. */
static void
locked_while_it_makes_one(void **state)
{
    static const char waits[] = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'pki_signer' AND wait_event_type = 'Lock'";
    struct fixture *f = *state;
    void *locked = NULL;
    pthread_t thread;
    PGconn *holder;
    const char *id;

    lists_begin(f);
    id = card_issue(f, "citizen-card", "1001");
    holder = operator_open("");
    PQclear(PQexec(holder, "BEGIN"));
    PQclear(PQexec(holder, "UPDATE pki.crl_counter SET number = number"));
    act_do(f, id, REVOCATION_REVOKE, REASON_KEY_COMPROMISE);
    await(waits, 1);
    assert_int_equal(pthread_create(&thread, NULL, lock_run, f), 0);
    sleep(1);
    PQclear(PQexec(holder, "ROLLBACK"));
    PQfinish(holder);
    pthread_join(thread, &locked);
    assert_ptr_equal(locked, f);
    unlock(f);
    await(LISTS "kind = 'full' AND entries = 1", 1);
}

/* Its sessions are cut, as by a server that is started again; another cluster's numbers of transactions are smaller. */
static void
the_database_goes(void **state)
{
    struct fixture *f = *state;
    const char *id;
    int64_t before;

    lists_begin(f);
    id = card_issue(f, "citizen-card", "1001");
    operator_run("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename IN ('pki_signer', 'pki_worker')", NULL, 0);
    before = operator_count(NEWEST);
    act_do(f, id, REVOCATION_REVOKE, REASON_KEY_COMPROMISE);
    await(LISTS "kind = 'full' AND entries = 1", 1);
    assert_int_equal(operator_count(NEWEST), before + 1);
    /* a copy in another cluster: full lists first, and no list after list */
    operator_run("UPDATE pki.crl SET horizon = '4000000000', seen = '4000000000:4000000000:'; "
                 "UPDATE pki.status_change SET tx = '3999999999' WHERE state = 'revoked'", NULL, 0);
    await(NEWEST, before + 3);                                       /* a full list, and its delta */
    sleep(3);
    assert_int_equal(operator_count(NEWEST), before + 3);
}

/* No room on the disk: the lists that are there stay, a person is told, and the next one shows all. */
static void
a_full_disk(void **state)
{
    struct fixture *f = *state;
    struct crl_stored before, after;
    const char *id, *other;

    lists_begin(f);
    id = card_issue(f, "citizen-card", "1001");
    other = card_issue(f, "citizen-card", "1002");
    act_do(f, id, REVOCATION_REVOKE, REASON_KEY_COMPROMISE);
    await(LISTS "kind = 'full' AND entries = 1", 1);
    (void)newest_read(f, false, &before);
    operator_run("CREATE FUNCTION pki.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no space left on device' "
                 "USING ERRCODE = '53100'; END $$; CREATE TRIGGER full_disk BEFORE INSERT ON pki.crl FOR EACH ROW "
                 "EXECUTE FUNCTION pki.full()", NULL, 0);
    act_do(f, other, REVOCATION_REVOKE, REASON_KEY_COMPROMISE);
    await(ALARMS "'crl.failed'", 1);
    assert_int_equal(newest_read(f, false, &after), 1);
    assert_int_equal(after.number, before.number);
    assert_int_equal(operator_count("SELECT number FROM pki.crl_counter"), before.number);
    operator_run("DROP FUNCTION pki.full() CASCADE", NULL, 0);
    await(LISTS "kind = 'full' AND entries = 2", 1);
    (void)newest_read(f, false, &after);
    assert_int_equal(after.number, before.number + 1);
    await(ALARMS "'crl.failed'", 0);
}

struct load {
    struct fixture *f;
    const char **ids;
    size_t n;
    atomic_size_t next;
};

/* Somebody who asks for one certificate after the other. */
static void *
load_run(void *arg)
{
    struct load *l = arg;
    AUTO(signer_client_freep) struct signer_client *client = signer_client_new(l->f->socket, PATIENCE);
    char certificate[37];
    size_t i;

    while ((i = atomic_fetch_add(&l->next, 1)) < l->n)
        err_ignore(signer_issue(client, l->ids[i], certificate, NULL));
    return NULL;
}

/* Revocations one after the other while certificates are issued: how long until a delta shows each (aim: 2 s). */
static void
under_load(void **state)
{
    enum { CERTIFICATES = 150, REVOKED = 12 };
    const char *ids[CERTIFICATES], *bad[REVOKED];
    struct fixture *f = *state;
    struct load load = { .f = f, .ids = ids, .n = CERTIFICATES };
    int64_t worst = 0;
    pthread_t threads[4];

    lists_begin(f);
    for (int i = 0; i < REVOKED; i++)
        bad[i] = card_issue(f, "citizen-card", arena_printf(f->w.a, "%d", 1000 + i));
    for (int i = 0; i < CERTIFICATES; i++)
        ids[i] = asked(f, "citizen-card", arena_printf(f->w.a, "%d", 5000 + i), SUPPORT_CARD);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load_run, &load), 0);
    for (int i = 0; i < REVOKED; i++) {
        const utime begun = clock_monotonic();

        act_do(f, bad[i], REVOCATION_REVOKE, REASON_KEY_COMPROMISE);
        await(arena_printf(f->w.a, "SELECT count(*) FROM (SELECT entries FROM pki.crl WHERE kind = 'full' ORDER BY number DESC LIMIT 1) n "
                           "WHERE entries = %d", i + 1), 1);
        worst = clock_monotonic() - begun > worst ? clock_monotonic() - begun : worst;
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    print_message("from a revocation to the lists that show it, beside %d certificates: %" PRId64 " ms at worst\n", CERTIFICATES,
                  worst / 1000);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'issued'"), CERTIFICATES);
}

static void
offered_write(struct fixture *f, bool delta)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED((size_t)1 << 20);
    struct crl_stored stored;

    err_ignore(mkdir(arena_printf(f->w.a, "%s/published", f->folder), 0700) == 0 ? OK : ERR_CONFLICT);
    assert_ok(crl_newest(f->w.pg, f->cards.id, 0, delta, 0, &der, &stored, &f->w.why), &f->w.why);
    file_put(arena_printf(f->w.a, "%s/published/cards-g1%s.crl", f->folder, delta ? "-delta" : ""), buf_view(&der), 0600);
}

/* Yesterday's backup: the lists that are offered know more than the database. */
static void
after_a_restore(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf lines = BUF_BOUNDED(4096);
    const char *id;
    int64_t newest;

    lists_begin(f);
    id = card_issue(f, "citizen-card", "1001");
    act_do(f, id, REVOCATION_REVOKE, REASON_KEY_COMPROMISE);
    await(LISTS "kind = 'full' AND entries = 1", 1);
    for (int i = 0; i < 3; i++)
        assert_ok(signer_crl(f->client, "cards-g1", -1, &lines, &f->w.why), &f->w.why);
    newest = operator_count(NEWEST);
    offered_write(f, false);
    offered_write(f, true);
    signer_kill(f);
    operator_run("SET session_replication_role = replica; DELETE FROM pki.crl WHERE number > 2; "
                 "UPDATE pki.crl_counter SET number = 2; DELETE FROM pki.status_change WHERE state = 'revoked'; "
                 "UPDATE pki.certificate SET state = 'issued', reason = NULL, revoked_at = NULL", NULL, 0);
    signer_start(f);
    unlock(f);
    /* what is out there would lose an entry: no list is made, and a person is told */
    assert_err(signer_crl(f->client, "cards-g1", -1, &lines, &f->w.why), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "pki.crl.lost");
    await(ALARMS "'crl.failed' AND level = 'red'", 1);
    assert_int_equal(operator_count(NEWEST), 2);
    /* the revocation is entered again: numbers go on above what is out there */
    act_do(f, id, REVOCATION_REVOKE, REASON_KEY_COMPROMISE);
    assert_ok(signer_crl(f->client, "cards-g1", -1, &lines, &f->w.why), &f->w.why);
    assert_int_equal(operator_count("SELECT min(number) FROM pki.crl WHERE number > 2"), newest + 1);
    assert_int_equal(operator_count(arena_printf(f->w.a, LISTS "number = %" PRId64 " AND kind = 'full' AND entries = 1", newest + 1)), 1);
    await(LISTS "kind = 'delta' AND number >= (SELECT max(number) FROM pki.crl WHERE kind = 'full')", 1);
    await(ALARMS "'crl.failed'", 0);
    /* a file that is no list of this authority stops it too */
    signer_end(f, SIGTERM);
    newest = operator_count(NEWEST);
    file_put(arena_printf(f->w.a, "%s/published/cards-g1.crl", f->folder), STR_LIT("no list"), 0600);
    signer_start(f);
    unlock(f);
    assert_int_not_equal(signer_crl(f->client, "cards-g1", -1, &lines, &f->w.why), OK);
    assert_int_equal(operator_count(NEWEST), newest);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(after_a_change, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hundred_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_are_published, setup, teardown),
        cmocka_unit_test_setup_teardown(on_order, setup, teardown),
        cmocka_unit_test_setup_teardown(by_the_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_list, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_while_it_makes_one, setup, teardown),
        cmocka_unit_test_setup_teardown(locked_while_it_makes_one, setup, teardown),
        cmocka_unit_test_setup_teardown(the_database_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_restore, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(under_load, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
