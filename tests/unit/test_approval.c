/* approval: the role matrix against DOMAIN 3.3, every act with every pair of roles, and each way an approval does not count. */
#include "tests/unit/crypto_support.h"

#include "base/core/rand.h"
#include "pki/custody/approval.h"

#define NOW (INT64_C(1795000000) * USEC_PER_SEC)

struct human {
    struct approval a;
    struct key *k;
    struct buf spki, sig;
};

struct fixture {
    struct human h[3];
    unsigned char subject[SHA256_LEN];
};

static void
sign(struct human *h, enum approval_act act, utime at, const unsigned char *subject)
{
    buf_reset(&h->sig);
    assert_int_equal(approval_sign(h->k, act, at, subject, &h->sig, NULL), OK);
    h->a.signature = buf_view(&h->sig);
    h->a.at = at;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    sha256(STR_LIT("what is approved\n"), f->subject);
    for (size_t i = 0; i < 3; i++) {
        struct human *h = &f->h[i];

        h->spki = (struct buf)BUF_BOUNDED(128);
        h->sig = (struct buf)BUF_BOUNDED(64);
        if (key_generate(KEY_ED25519, 0, KEY_PERSON_SIGN, &h->k) != OK)
            return -1;
        key_spki(h->k, &h->spki);
        rand_uuid(h->a.person);
        h->a.public_key = buf_view(&h->spki);
        h->a.active = true;
        sign(h, APPROVE_REQUEST, NOW - USEC_PER_HOUR, f->subject);
    }
    f->h[0].a.roles = ROLE_BIT(ROLE_REGISTRATION);
    f->h[1].a.roles = ROLE_BIT(ROLE_VALIDATION);
    f->h[2].a.roles = ROLE_BIT(ROLE_CUSTODIAN);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        key_free(f->h[i].k);
        buf_free(&f->h[i].spki);
        buf_free(&f->h[i].sig);
    }
    free(f);
    return 0;
}

static enum err
two_code(struct fixture *f, const char *beneficiary, const char *code)
{
    const struct approval list[] = { f->h[0].a, f->h[1].a };
    struct why why = WHY_INIT;
    const enum err e = approval_verify_two(list, 2, APPROVE_REQUEST, f->subject, beneficiary, NOW, &why);

    assert_string_equal(why.code, e == OK ? "" : code);
    return e;
}

/* --- the matrix ---------------------------------------------------------------------------------------------- */

static void
test_matrix(void **state)
{
    /* DOMAIN 3.3, as it is printed; the row of the auditor from PKI §1.3. '-' same, 'o' ok, 'x' never. */
    static const struct {
        enum role role;
        const char *row;
    } table[] = {
        { ROLE_REGISTRATION, "-oxxoxxxx" }, { ROLE_VALIDATION, "o-xxoxxxx" }, { ROLE_PERSO, "xx-xooxxx" },
        { ROLE_PINMAILER, "xxx-ooxxx" },    { ROLE_REVOCATION, "oooo-oxxx" }, { ROLE_SERVICE_DESK, "xxooo-xxx" },
        { ROLE_SECURITY, "xxxxxx-xx" },     { ROLE_SYSTEMS, "xxxxxxx-x" },    { ROLE_AUDITOR, "xxxxxxxx-" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        for (size_t j = 0; j < ARRAY_LEN(table); j++) {
            const role_set both = ROLE_BIT(table[i].role) | ROLE_BIT(table[j].role);

            assert_row(role_name(table[i].role), role_conflict(table[i].role, table[j].role) == (table[i].row[j] == 'x'));
            assert_row(role_name(table[i].role), role_set_conflict(both, NULL, NULL) == (table[i].row[j] == 'x'));
        }
    for (unsigned r = 0; r < ROLE_COUNT; r++) {
        enum role back;

        assert_int_equal(role_parse(str_of(role_name((enum role)r)), &back), OK);
        assert_int_equal(back, r);
        assert_int_equal(role_conflict(ROLE_CUSTODIAN, (enum role)r), r == ROLE_AUDITOR);
    }
    assert_int_equal(role_parse(STR_LIT("mayor"), &(enum role){ 0 }), ERR_INPUT);
}

/* Every act, every two roles: it passes exactly where both sides of the act are met. */
static void
test_every_act_and_pair(void **state)
{
    struct fixture *f = *state;
    size_t passed = 0;

    for (unsigned act = 0; act < APPROVE_COUNT; act++) {
        enum approval_act back;
        size_t of_act = 0;

        assert_int_equal(approval_act_parse(str_of(approval_act_name((enum approval_act)act)), &back), OK);
        assert_int_equal(back, act);
        for (size_t i = 0; i < 2; i++)
            sign(&f->h[i], (enum approval_act)act, NOW, f->subject);
        for (unsigned a = 0; a < ROLE_COUNT; a++) {
            for (unsigned b = 0; b < ROLE_COUNT; b++) {
                struct approval list[] = { f->h[0].a, f->h[1].a };
                enum err one, other;

                list[0].roles = ROLE_BIT(a);
                list[1].roles = ROLE_BIT(b);
                one = approval_verify_two(list, 2, (enum approval_act)act, f->subject, NULL, NOW, NULL);
                list[0].roles = ROLE_BIT(b);
                list[1].roles = ROLE_BIT(a);
                other = approval_verify_two(list, 2, (enum approval_act)act, f->subject, NULL, NOW, NULL);
                assert_int_equal(one, other);
                assert_true(one == OK || one == ERR_DENIED);
                of_act += one == OK;
                /* an operator's two hands: entry is never approved by entry */
                if (act == APPROVE_REQUEST)
                    assert_int_equal(one == OK, (a == ROLE_REGISTRATION && b == ROLE_VALIDATION) ||
                                                    (a == ROLE_VALIDATION && b == ROLE_REGISTRATION));
            }
        }
        assert_row(approval_act_name((enum approval_act)act), of_act > 0);
        passed += of_act;
    }
    assert_true(passed < APPROVE_COUNT * ROLE_COUNT);
    assert_int_equal(approval_act_parse(STR_LIT("role.revoke"), &(enum approval_act){ 0 }), ERR_INPUT);
}

/* --- what does not count --------------------------------------------------------------------------------------- */

static void
test_good_pair(void **state)
{
    assert_int_equal(two_code(*state, NULL, ""), OK);
    assert_int_equal(two_code(*state, "someone else", ""), OK);
}

static void
test_refusals(void **state)
{
    struct fixture *f = *state;
    const struct approval good[2] = { f->h[0].a, f->h[1].a };
    unsigned char other[SHA256_LEN];
    struct buf kept = BUF_BOUNDED(64);

    sha256(STR_LIT("what is approved!\n"), other);
    buf_add_str(&kept, buf_view(&f->h[1].sig));

    memcpy(f->h[1].a.person, good[0].person, 37);                      /* one human, two keys */
    assert_int_equal(two_code(f, NULL, "approval.few"), ERR_DENIED);
    f->h[1].a = good[1];
    f->h[1].a.public_key = good[0].public_key;                         /* two rows, one key */
    f->h[1].a.signature = good[0].signature;
    assert_int_equal(two_code(f, NULL, "approval.few"), ERR_DENIED);
    f->h[1].a = good[1];
    f->h[1].a.active = false;
    assert_int_equal(two_code(f, NULL, "approval.few"), ERR_DENIED);
    f->h[1].a = good[1];
    f->h[1].a.roles = 0;
    assert_int_equal(two_code(f, NULL, "approval.few"), ERR_DENIED);
    f->h[1].a.roles = ROLE_BIT(ROLE_REGISTRATION);                     /* two, but not the two roles */
    assert_int_equal(two_code(f, NULL, "approval.roles"), ERR_DENIED);
    f->h[1].a.roles = ROLE_BIT(ROLE_VALIDATION) | ROLE_BIT(ROLE_SECURITY);      /* a forbidden pair in one hand */
    assert_int_equal(two_code(f, NULL, "approval.few"), ERR_DENIED);
    f->h[1].a = good[1];
    assert_int_equal(two_code(f, good[1].person, "approval.few"), ERR_DENIED);  /* for themself */
    f->h[1].a.at += USEC_PER_SEC;                                      /* the time is signed too */
    assert_int_equal(two_code(f, NULL, "approval.few"), ERR_DENIED);
    f->h[1].a = good[1];
    sign(&f->h[1], APPROVE_REQUEST, NOW - APPROVAL_LIFE, f->subject);  /* too old */
    assert_int_equal(two_code(f, NULL, "approval.few"), ERR_DENIED);
    sign(&f->h[1], APPROVE_REQUEST, NOW - APPROVAL_LIFE + USEC_PER_SEC, f->subject);
    assert_int_equal(two_code(f, NULL, ""), OK);
    sign(&f->h[1], APPROVE_REQUEST, NOW + USEC_PER_HOUR, f->subject);  /* of the future */
    assert_int_equal(two_code(f, NULL, "approval.few"), ERR_DENIED);
    sign(&f->h[1], APPROVE_REQUEST, NOW, other);                       /* of another text */
    assert_int_equal(two_code(f, NULL, "approval.few"), ERR_DENIED);
    sign(&f->h[1], APPROVE_PROFILE, NOW, f->subject);                  /* of another act */
    assert_int_equal(two_code(f, NULL, "approval.few"), ERR_DENIED);
    sign(&f->h[1], APPROVE_REQUEST, good[1].at, f->subject);
    for (size_t i = 0; i < 64 * 8; i++) {                              /* each bit of the signature */
        f->h[1].sig.data[i / 8] ^= (char)(1 << i % 8);
        assert_int_equal(two_code(f, NULL, "approval.few"), ERR_DENIED);
        f->h[1].sig.data[i / 8] ^= (char)(1 << i % 8);
    }
    assert_true(str_eq(buf_view(&f->h[1].sig), buf_view(&kept)));      /* Ed25519 is deterministic */
    assert_int_equal(two_code(f, NULL, ""), OK);
    buf_free(&kept);
}

/* Two good ones among others that do not count. */
static void
test_among_others(void **state)
{
    struct fixture *f = *state;
    struct approval list[4] = { f->h[2].a, f->h[0].a, f->h[0].a, f->h[1].a };

    assert_int_equal(approval_verify_two(list, 4, APPROVE_REQUEST, f->subject, NULL, NOW, NULL), OK);
    assert_int_equal(approval_verify_two(list, 3, APPROVE_REQUEST, f->subject, NULL, NOW, NULL), ERR_DENIED);
    assert_int_equal(approval_verify_two(list, 0, APPROVE_REQUEST, f->subject, NULL, NOW, NULL), ERR_DENIED);
}

static void
test_only_persons_sign(void **state)
{
    struct fixture *f = *state;
    struct buf sig = BUF_BOUNDED(64);
    struct key *k = NULL;

    assert_int_equal(key_generate(KEY_ED25519, 0, KEY_AUDIT_SIGN, &k), OK);
    assert_int_equal(approval_sign(k, APPROVE_REQUEST, NOW, f->subject, &sig, NULL), ERR_DENIED);
    key_free(k);
    buf_free(&sig);
}

/* What stands in a value makes no other line, and no two values look alike. */
static void
test_lines(void **state)
{
    static const struct {
        const char *value, *line;
    } rows[] = {
        { "", "name \n" },                          { "anna é", "name anna é\n" },
        { "a\nprofile root", "name a\\x0aprofile root\n" }, { "a\r", "name a\\x0d\n" },
        { "a\\x0a", "name a\\\\x0a\n" },            { "\x7f\t", "name \\x7f\\x09\n" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf text = BUF_BOUNDED(128);

        approval_line(&text, "name", rows[i].value);
        assert_string_equal(buf_cstr(&text), rows[i].line);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_lines),
        cmocka_unit_test_setup_teardown(test_every_act_and_pair, setup, teardown),
        cmocka_unit_test_setup_teardown(test_good_pair, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_among_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_persons_sign, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
