/*
 * what the signer tells persons: each alarm comes with its cause, rises with it, and ends with it (P-134, P-147).
 */
#include "tests/integration/signer_support.h"

#define LISTS "SELECT count(*) FROM pki.crl WHERE "
#define OPEN "SELECT count(*) FROM pki.alarm WHERE ended_at IS NULL AND kind = "
#define CARDS " AND object = 'crl:cards-g1/0'"

static void
begin(struct fixture *f)
{
    signer_start(f);
    await(OPEN "'signer.locked' AND object = 'ca:cards-g1' AND level = 'warning'", 1);
    await(OPEN "'crl.none'" CARDS, 1);
    unlock(f);
    await(LISTS "kind = 'delta'", 1);
    await(OPEN "'signer.locked'", 0);
    await(OPEN "'crl.none'" CARDS, 0);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.alarm WHERE kind = 'signer.locked' AND ended_at >= raised_at"), 1);
}

/* The key is locked while the list goes old: 12 hours before its end, then 6; a list ends both. */
static void
a_list_goes_old(void **state)
{
    struct fixture *f = *state;

    begin(f);
    assert_ok(signer_lock(f->client, &f->w.why), &f->w.why);
    clock_move(f, f->cards.crl_life - 13 * USEC_PER_HOUR);
    await(OPEN "'signer.locked'", 1);
    assert_int_equal(operator_count(OPEN "'crl.due'"), 0);
    clock_move(f, USEC_PER_HOUR);
    await(OPEN "'crl.due' AND level = 'warning'" CARDS, 1);
    assert_int_equal(operator_count(OPEN "'crl.due' AND level = 'red'"), 0);
    clock_move(f, 6 * USEC_PER_HOUR);
    await(OPEN "'crl.due' AND level = 'red'" CARDS, 1);
    unlock(f);
    await(OPEN "'crl.due'", 0);
    await(OPEN "'signer.locked'", 0);
}

/* At ** a list is good for 26 hours: while the key is open and lists are made, nobody is called. */
static void
no_alarm_without_cause(void **state)
{
    struct fixture *f = *state;

    operator_run("UPDATE pki.ca SET crl_life = '26 hours' WHERE name = 'cards'", NULL, 0);
    begin(f);
    for (int i = 0; i < 3; i++) {
        clock_move(f, 23 * USEC_PER_HOUR);
        sleep(4);                                                    /* one look at least */
        assert_int_equal(operator_count("SELECT count(*) FROM pki.alarm WHERE kind = 'crl.due'"), 0);
    }
}

static void
a_root_s_list(void **state)
{
    struct fixture *f = *state;
    const utime now = f->w.now;
    const struct ca_root_list list = { .ca_id = f->root.id, .number = 1, .this_update = now, .next_update = now + 100 * DAY,
                                       .der = STR_LIT("list") };

    assert_ok(ca_root_list_put(f->w.pg, &list, now, &f->w.why), &f->w.why);
    signer_start(f);
    clock_move(f, 69 * DAY);
    sleep(4);
    assert_int_equal(operator_count(OPEN "'crl.due' AND object = 'crl:root-g1/0'"), 0);
    clock_move(f, DAY);
    await(OPEN "'crl.due' AND object = 'crl:root-g1/0' AND level = 'warning'", 1);
    clock_move(f, 24 * DAY);
    await(OPEN "'crl.due' AND object = 'crl:root-g1/0' AND level = 'red'", 1);
    assert_int_equal(operator_count(LISTS "ca_id = (SELECT id FROM pki.ca WHERE kind = 'root')"), 1);    /* never made here */
    operator_run("UPDATE pki.crl SET next_update = next_update + interval '400 days'", NULL, 0);
    await(OPEN "'crl.due' AND object = 'crl:root-g1/0'", 0);
}

/* Nobody offers what is made: no alarm where nobody ever did; 5 minutes; 30. */
static void
nobody_offers_it(void **state)
{
    struct fixture *f = *state;
    static const char offer[] = "INSERT INTO pki.crl_published SELECT ca_id, shard, number, kind, 'a/status', made_at FROM pki.crl "
                                "ON CONFLICT DO NOTHING";
    AUTO(buf_free) struct buf lines = BUF_BOUNDED(4096);

    begin(f);
    clock_move(f, USEC_PER_HOUR);
    sleep(4);
    assert_int_equal(operator_count(OPEN "'crl.unpublished'"), 0);
    operator_run(offer, NULL, 0);
    assert_ok(signer_crl(f->client, "cards-g1", -1, &lines, &f->w.why), &f->w.why);
    sleep(4);
    assert_int_equal(operator_count(OPEN "'crl.unpublished'"), 0);
    clock_move(f, 6 * USEC_PER_MIN);
    await(OPEN "'crl.unpublished' AND level = 'warning'" CARDS, 1);
    assert_int_equal(operator_count(OPEN "'crl.unpublished' AND level = 'red'"), 0);
    clock_move(f, 25 * USEC_PER_MIN);
    await(OPEN "'crl.unpublished' AND level = 'red'" CARDS, 1);
    operator_run(offer, NULL, 0);
    await(OPEN "'crl.unpublished'", 0);
    /* a status process that is there and never offered anything counts too */
    operator_run("DELETE FROM pki.crl_published", NULL, 0);
    sleep(4);
    assert_int_equal(operator_count(OPEN "'crl.unpublished'"), 0);
    operator_run("INSERT INTO pki.node VALUES ('a/status', 'status', 'fresh', '2026-01-01')", NULL, 0);
    await(OPEN "'crl.unpublished' AND level = 'red'" CARDS, 1);
}

/* What a crash left concerns somebody until the holder has a certificate again. */
static void
a_lost_reservation(void **state)
{
    const struct subject names = { .number = STR_LIT("1001") };
    struct fixture *f = *state;
    struct registration r;
    char certificate[37];

    begin(f);
    r = pki_registration_make(&f->w, f->field, "citizen-card", "1001", &names, SUPPORT_CARD, PROOF_FACE_TO_FACE);
    assert_ok(issue(f, asked_by(f, &r), certificate), &f->w.why);
    operator_run("SET session_replication_role = replica; UPDATE pki.certificate SET state = 'reserved', state_since = state_since - "
                 "interval '2 minutes'; UPDATE pki.request SET state = 'received', ended_at = NULL", NULL, 0);
    await(OPEN "'certificate.lost' AND object = 'certificate:' || (SELECT id FROM pki.certificate)", 1);
    assert_ok(issue(f, asked_by(f, &r), certificate), &f->w.why);
    await(OPEN "'certificate.lost'", 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_goes_old, setup, teardown),
        cmocka_unit_test_setup_teardown(no_alarm_without_cause, setup, teardown),
        cmocka_unit_test_setup_teardown(a_root_s_list, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_offers_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_reservation, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
