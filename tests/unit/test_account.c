/* account: every state × event × type against a drawing of DOMAIN 2.1 that was made by hand (D-13). */
#include "idp/account/account.h"
#include "tests/unit/support.h"

#define STATES (ACCOUNT_ERASED + 1)
#define EVENTS (ACCOUNT_EV_PURGE + 1)

/* One line for each state, one column for each event, in the order of the enums:
 * ack activate reissue revoke revoke_final set_authz reactivate timeout close reopen expire purge.
 * p a s c e: the state afterwards; '-': refused. */
static const char *const no_card[STATES] = {
    "papcc-----e-",      /* pending */
    "---ssa--c---",      /* active */
    "--p----cc---",      /* suspended */
    "---------s-e",      /* closed */
    "------------",      /* erased */
};
static const char *const card[STATES] = {
    "papss-----e-",      /* pending: blocked, the card can still be handed over later */
    "---ssa--c---",      /* active */
    "------acc---",      /* suspended: comes back as it is; never by a new creation code */
    "---------s-e",      /* closed */
    "------------",      /* erased */
};

static void
test_every_state_and_event(void **unused)
{
    static const char letters[] = "pasce";
    int refused = 0, allowed = 0;

    (void)unused;
    for (int type = ACCOUNT_PASSWORD; type <= ACCOUNT_X509_SOFT; type++) {
        const char *const *drawing = type == ACCOUNT_X509_CARD ? card : no_card;

        for (int from = 0; from < STATES; from++) {
            assert_int_equal(strlen(drawing[from]), EVENTS);
            for (int event = 0; event < EVENTS; event++) {
                const char want = drawing[from][event];
                enum account_state to = (enum account_state)77;
                enum err e = account_next((enum account_type)type, (enum account_state)from, (enum account_event)event, &to);

                if (e != (want == '-' ? ERR_CONFLICT : OK) || (e == OK && letters[to] != want))
                    fail_msg("%s, %s, %s: %s", account_type_name((enum account_type)type),
                             account_state_name((enum account_state)from), account_event_name((enum account_event)event),
                             e == OK ? account_state_name(to) : err_name(e));
                if (e != OK)
                    assert_int_equal(to, 77);        /* untouched */
                *(e == OK ? &allowed : &refused) += 1;
            }
        }
    }
    assert_int_equal(allowed + refused, 3 * STATES * EVENTS);
    assert_int_equal(allowed, 3 * 15);
}

static void
test_names_of_types(void **unused)
{
    enum account_type t;

    (void)unused;
    for (int i = ACCOUNT_PASSWORD; i <= ACCOUNT_X509_SOFT; i++) {
        assert_int_equal(account_type_read(account_type_name((enum account_type)i), &t), OK);
        assert_int_equal(t, i);
    }
    assert_int_equal(account_type_read("x509", &t), ERR_NOT_FOUND);
    assert_int_equal(account_type_read("", &t), ERR_NOT_FOUND);
}

/* P-062, P-066: what stands in the way of coming back, each beside what does not. */
static void
test_who_may_come_back(void **unused)
{
    const int64_t hold = 90 * USEC_PER_DAY;
    const utime blocked = 1000 * USEC_PER_DAY, now = blocked + 10 * USEC_PER_DAY, before = blocked - USEC_PER_DAY;
    const struct account good = { .type = ACCOUNT_X509_CARD, .state = ACCOUNT_SUSPENDED, .state_since = blocked };
    const struct {
        const char *label, *code;        /* code "": it may */
        enum account_type type;
        enum account_state state;
        bool final;
        utime card_since, now;
    } rows[] = {
        { "as it should be", "", ACCOUNT_X509_CARD, ACCOUNT_SUSPENDED, false, before, now },
        { "login/password", "account.type", ACCOUNT_PASSWORD, ACCOUNT_SUSPENDED, false, before, now },
        { "software certificate", "account.type", ACCOUNT_X509_SOFT, ACCOUNT_SUSPENDED, false, before, now },
        { "pending", "account.state.pending", ACCOUNT_X509_CARD, ACCOUNT_PENDING, false, before, now },
        { "active", "account.state.active", ACCOUNT_X509_CARD, ACCOUNT_ACTIVE, false, before, now },
        { "closed", "account.state.closed", ACCOUNT_X509_CARD, ACCOUNT_CLOSED, false, before, now },
        { "erased", "account.state.erased", ACCOUNT_X509_CARD, ACCOUNT_ERASED, false, before, now },
        { "for good", "account.final", ACCOUNT_X509_CARD, ACCOUNT_SUSPENDED, true, before, now },
        { "for good, the card of that instant", "account.final", ACCOUNT_X509_CARD, ACCOUNT_SUSPENDED, true, blocked, now },
        { "for good, another card", "", ACCOUNT_X509_CARD, ACCOUNT_SUSPENDED, true, blocked + 1, now },
        { "the last microsecond", "", ACCOUNT_X509_CARD, ACCOUNT_SUSPENDED, false, before, blocked + hold - 1 },
        { "late", "account.reactivate.late", ACCOUNT_X509_CARD, ACCOUNT_SUSPENDED, false, before, blocked + hold },
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct account a = good;
        struct why why = WHY_INIT;
        enum err e;

        a.type = rows[i].type;
        a.state = rows[i].state;
        a.final = rows[i].final;
        e = account_reactivate_check(&a, hold, rows[i].card_since, rows[i].now, &why);
        if (e != (rows[i].code[0] == '\0' ? OK : ERR_CONFLICT) || strcmp(why.code, rows[i].code) != 0)
            fail_msg("%s: %s %s", rows[i].label, err_name(e), why.code);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_and_event),
        cmocka_unit_test(test_names_of_types),
        cmocka_unit_test(test_who_may_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
