/* wire: what one end writes the other reads, and what does not belong into a message is refused by its name. */
#include "tests/unit/support.h"

#include "mairie-connector/wire/wire.h"

struct fixture {
    struct arena *arena;
    struct buf out;
};

static int
setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){ arena_new(1 << 20), BUF_BOUNDED(WIRE_BODY_MAX) };
    *state = &f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    buf_free(&f->out);
    return 0;
}

/* good is a message without its last brace; each row adds one member, or is a whole message of its own. */
struct refusal {
    const char *label, *json, *code, *member;
};

#define HANDLE "\"handle\":\"aaaaaaaaaaaaaaaaaaaaaaaa\""
#define SOFT "{\"type\":\"x509_soft\"," HANDLE
#define CARD_ "{\"type\":\"x509_card\"," HANDLE ",\"card\":{\"surname\":\"x\",\"address\":[\"y\"]}"

static void
test_create_lists_are_closed(void **state)
{
    static const struct refusal rows[] = {
        { "password", "{\"type\":\"password\"," HANDLE "}", "", "" },
        { "password with a profile", "{\"type\":\"password\"," HANDLE ",\"profile\":\"pseudonym\"}", "wire.unknown_member", "profile" },
        { "password with a card", "{\"type\":\"password\"," HANDLE ",\"card\":{}}", "wire.unknown_member", "card" },
        { "soft", SOFT "}", "", "" },
        { "soft, said", SOFT ",\"profile\":\"pseudonym\"}", "", "" },
        { "named", SOFT ",\"profile\":\"named\",\"names\":{\"given_name\":\"z\",\"surname\":\"x\"}}", "", "" },
        { "half a name", SOFT ",\"profile\":\"named\",\"names\":{\"surname\":\"x\"}}", "wire.missing", "given_name" },
        { "named without names", SOFT ",\"profile\":\"named\"}", "wire.missing", "names" },
        { "names without named", SOFT ",\"names\":{\"given_name\":\"z\",\"surname\":\"x\"}}", "wire.unknown_member", "names" },
        { "a name twice", SOFT ",\"profile\":\"named\",\"names\":{\"surname\":\"x\",\"surname\":\"y\"}}", "wire.json", "" },
        { "another profile", SOFT ",\"profile\":\"Named\"}", "wire.value", "profile" },
        { "soft with a card", SOFT ",\"card\":{\"surname\":\"x\",\"address\":[\"y\"]}}", "wire.unknown_member", "card" },
        { "card", CARD_ "}", "", "" },
        { "card with a profile", CARD_ ",\"profile\":\"pseudonym\"}", "wire.unknown_member", "profile" },
        { "card with names", CARD_ ",\"names\":{\"surname\":\"x\"}}", "wire.unknown_member", "names" },
        { "a card that is a text", "{\"type\":\"x509_card\"," HANDLE ",\"card\":\"x\"}", "wire.value", "card" },
        { "no card", "{\"type\":\"x509_card\"," HANDLE "}", "wire.missing", "card" },
        { "an address that is a text", "{\"type\":\"x509_card\"," HANDLE ",\"card\":{\"surname\":\"x\",\"address\":\"y\"}}", "wire.value", "address" },
        { "a type of nobody", "{\"type\":\"x509\"," HANDLE "}", "wire.value", "type" },
        { "a list", "[]", "wire.json", "" },
        { "nothing", "", "wire.json", "" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct why why = WHY_INIT;
        struct wire_create m;
        enum err e = wire_read_create(str_of(rows[i].json), f->arena, &m, &why);

        if (e != (rows[i].code[0] == '\0' ? OK : ERR_INPUT) || strcmp(why.code, rows[i].code) != 0 ||
            strstr(why.text, rows[i].member) == NULL)
            fail_msg("%s: %s %s %s", rows[i].label, err_name(e), why.code, why.text);
    }
}

static void
test_create_comes_through(void **state)
{
    const char *lines[] = { "Mme d'Ô-Nguyễn", "3 bis rue du Puits" };
    const struct wire_card card = { .given_name = "Zoé", .surname = "d'Ô-Nguyễn", .address = { lines, 2 } };
    const struct wire_names names = { .given_name = "Zoé", .surname = "Ô" };
    const struct wire_create in[] = {
        { .type = "password", .handle = "aaaaaaaaaaaaaaaaaaaaaaaa", .lang = "fr" },
        { .type = "x509_soft", .handle = "aaaaaaaaaaaaaaaaaaaaaaaa", .lang = "en", .profile = "named", .names = &names },
        { .type = "x509_card", .handle = "aaaaaaaaaaaaaaaaaaaaaaaa", .lang = "fr", .card = &card },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(in); i++) {
        struct why why = WHY_INIT;
        struct wire_create m;

        buf_reset(&f->out);
        wire_write_create(&f->out, &in[i]);
        if (wire_read_create(buf_view(&f->out), f->arena, &m, &why) != OK)
            fail_msg("%s: %s", in[i].type, why.text);
        assert_string_equal(m.type, in[i].type);
        assert_string_equal(m.lang, in[i].lang);
        assert_int_equal(m.names != NULL, in[i].names != NULL);
        assert_int_equal(m.card != NULL, in[i].card != NULL);
        if (m.names != NULL) {
            assert_string_equal(m.names->given_name, names.given_name);
            assert_string_equal(m.names->surname, names.surname);
        }
        if (m.card != NULL) {
            assert_string_equal(m.card->given_name, card.given_name);
            assert_string_equal(m.card->surname, card.surname);
            assert_int_equal(m.card->address.n, 2);
            assert_string_equal(m.card->address.items[1], lines[1]);
        }
    }
}

#define DER "\"certificate\":\"MAA=\""
#define TWO "\"override\":{\"reason\":\"reader\",\"second\":\"noe\"}"
#define LOST "\"pin_lost\":{\"second\":\"noe\"}"

static void
test_the_card_or_two_agents(void **state)
{
    static const struct refusal activate[] = {
        { "read", "{" DER "}", "", "" },
        { "overridden", "{" TWO ",\"record\":\"PV-12_b\"}", "", "" },
        { "neither", "{}", "wire.missing", "certificate" },
        { "both", "{" DER "," TWO "}", "wire.value", "override" },
        { "no base64", "{\"certificate\":\"MAA\"}", "wire.value", "certificate" },
        { "nothing read", "{\"certificate\":\"\"}", "wire.value", "certificate" },
        { "alone", "{\"override\":{\"reason\":\"reader\"}}", "wire.missing", "second" },
        { "a sentence", "{\"override\":{\"reason\":\"Mme Canari est venue\",\"second\":\"noe\"}}", "wire.value", "reason" },
        { "a record of spaces", "{" DER ",\"record\":\"PV 12\"}", "wire.value", "record" },
        { "more", "{" DER ",\"prenom\":\"x\"}", "wire.unknown_member", "prenom" },
    };
    static const struct refusal reactivate[] = {
        { "PIN", "{\"otp\":\"o\",\"pin\":\"12345678\"," DER "}", "", "" },
        { "letter lost", "{\"otp\":\"o\"," LOST "," TWO "}", "", "" },
        { "no OTP", "{\"pin\":\"12345678\"," DER "}", "wire.missing", "otp" },
        { "neither PIN nor letter", "{\"otp\":\"o\"," DER "}", "wire.missing", "pin" },
        { "both", "{\"otp\":\"o\",\"pin\":\"12345678\"," LOST "," DER "}", "wire.value", "pin_lost" },
        { "no card", "{\"otp\":\"o\",\"pin\":\"12345678\"}", "wire.missing", "certificate" },
        { "a number", "{\"otp\":\"o\",\"pin\":12345678," DER "}", "wire.value", "pin" },
        { "no second", "{\"otp\":\"o\",\"pin_lost\":{}," DER "}", "wire.missing", "second" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(activate); i++) {
        struct why why = WHY_INIT;
        struct wire_activate m;
        enum err e = wire_read_activate(str_of(activate[i].json), f->arena, &m, &why);

        if (e != (activate[i].code[0] == '\0' ? OK : ERR_INPUT) || strcmp(why.code, activate[i].code) != 0 ||
            strstr(why.text, activate[i].member) == NULL)
            fail_msg("%s: %s %s %s", activate[i].label, err_name(e), why.code, why.text);
    }
    for (size_t i = 0; i < ARRAY_LEN(reactivate); i++) {
        struct why why = WHY_INIT;
        struct wire_reactivate m;
        enum err e = wire_read_reactivate(str_of(reactivate[i].json), f->arena, &m, &why);

        if (e != (reactivate[i].code[0] == '\0' ? OK : ERR_INPUT) || strcmp(why.code, reactivate[i].code) != 0 ||
            strstr(why.text, reactivate[i].member) == NULL)
            fail_msg("%s: %s %s %s", reactivate[i].label, err_name(e), why.code, why.text);
    }
}

static void
test_reactivate_comes_through(void **state)
{
    const struct wire_override two = { "reader", "noe" };
    const struct wire_second lost = { "eve" };
    const struct wire_reactivate read = { .otp = "abcdefghijklmnopqrstuv", .pin = "12345678", .certificate = STR_LIT("\x30\x00\xff") };
    const struct wire_reactivate overridden = { .otp = "o", .pin_lost = &lost, .override = &two, .record = "PV-1" };
    struct fixture *f = *state;
    struct why why = WHY_INIT;
    struct wire_reactivate m;

    wire_write_reactivate(&f->out, &read);
    assert_int_equal(wire_read_reactivate(buf_view(&f->out), f->arena, &m, &why), OK);
    assert_string_equal(m.otp, read.otp);
    assert_string_equal(m.pin, read.pin);
    assert_int_equal(m.certificate.n, 3);
    assert_memory_equal(m.certificate.p, read.certificate.p, 3);
    assert_null(m.override);
    assert_null(m.record);
    buf_reset(&f->out);
    wire_write_reactivate(&f->out, &overridden);
    assert_int_equal(wire_read_reactivate(buf_view(&f->out), f->arena, &m, &why), OK);
    assert_null(m.pin);
    assert_null(m.certificate.p);
    assert_string_equal(m.pin_lost->second, "eve");
    assert_string_equal(m.override->second, "noe");
    assert_string_equal(m.override->reason, "reader");
    assert_string_equal(m.record, "PV-1");
}

/* P-014: six members in their order; its length tells nothing of a name's below a block. */
static void
test_card_record(void **state)
{
    static const char *const order[] = { "surname", "given_name", "address", "number", "reactivation_pin", "revocation" };
    const char *lines[] = { "1 rue" };
    struct wire_card_record in = { "Ô", "Zoé", { lines, 1 }, "HC7GWQ7B67DVJNC", "12345678", "6Q4NRHR4NQKYGX8R" }, m;
    struct fixture *f = *state;
    const char *at;
    struct why why = WHY_INIT;

    wire_write_card_record(&f->out, &in);
    assert_int_equal(f->out.len, WIRE_CARD_BLOCK);
    at = buf_cstr(&f->out);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        at = strstr(at, order[i]);
        if (at == NULL)
            fail_msg("%s is not where it should be", order[i]);
    }
    assert_int_equal(wire_read_card_record(buf_view(&f->out), f->arena, &m, &why), OK);
    assert_string_equal(m.given_name, "Zoé");
    assert_string_equal(m.number, in.number);
    assert_string_equal(m.address.items[0], "1 rue");
    in.given_name = NULL;
    buf_reset(&f->out);
    wire_write_card_record(&f->out, &in);
    assert_int_equal(f->out.len, WIRE_CARD_BLOCK);
    assert_int_equal(wire_read_card_record(buf_view(&f->out), f->arena, &m, &why), OK);
    assert_null(m.given_name);
}

static void
test_lengths(void **state)
{
    char text[4 * WIRE_NAME_MAX + 8];

    (void)state;
    /* Characters, not bytes: "ễ" has three bytes, and four when it comes in pieces. */
    for (size_t i = 0; i < WIRE_NAME_MAX; i++)
        memcpy(text + 3 * i, "\xe1\xbb\x85", 3);
    assert_true(wire_is_name((struct str){ text, 3 * WIRE_NAME_MAX }));
    assert_true(wire_is_cert_name((struct str){ text, 3 * WIRE_CERT_NAME_MAX }));
    assert_false(wire_is_cert_name((struct str){ text, 3 * WIRE_CERT_NAME_MAX + 3 }));
    assert_true(wire_is_address_line((struct str){ text, 3 * WIRE_ADDRESS_MAX }));
    assert_false(wire_is_address_line((struct str){ text, 3 * WIRE_ADDRESS_MAX + 3 }));
    memcpy(text + 3 * WIRE_NAME_MAX, "x", 1);
    assert_false(wire_is_name((struct str){ text, 3 * WIRE_NAME_MAX + 1 }));
    assert_false(wire_is_name(STR_LIT("")));
    assert_false(wire_is_name(STR_LIT(" x")));
    assert_false(wire_is_name(STR_LIT("a\nb")));
    assert_true(wire_is_name(STR_LIT("d'Ô")));
}

static void
test_tries_left(void **state)
{
    (void)state;
    assert_int_equal(wire_read_tries_left(STR_LIT("{\"code\":\"secret.wrong\",\"tries_left\":2}")), 2);
    assert_int_equal(wire_read_tries_left(STR_LIT("{\"code\":\"secret.locked\"}")), -1);
    assert_int_equal(wire_read_tries_left(STR_LIT("{\"tries_left\":\"2\"}")), -1);
    assert_int_equal(wire_read_tries_left(STR_LIT("{\"tries_left\":-7}")), -1);
    assert_int_equal(wire_read_tries_left(STR_LIT("")), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create_lists_are_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_create_comes_through, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_card_or_two_agents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reactivate_comes_through, setup, teardown),
        cmocka_unit_test_setup_teardown(test_card_record, setup, teardown),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_tries_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
