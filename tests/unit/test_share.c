/* share: armor, pass phrase, shares and persons' keys as texts: each mistake told apart from the others. */
#include "tests/unit/crypto_support.h"

#include "base/core/rand.h"
#include "pki/custody/armor.h"
#include "pki/custody/person_key.h"
#include "pki/custody/share.h"

static const struct password_cost cheap = { 64, 1 };
#define PHRASE "correct horse battery"

struct fixture {
    struct secret s;
    char set[SHARE_SET_LEN + 1];
    struct share shares[5];
    struct buf text;                 /* share 2, of bruno */
    unsigned char sha[SHA256_LEN];
};

static const char *const names[] = { "alice", "bruno", "chloe.d", "denis-2", "emma" };

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct why why = WHY_INIT;

    f->text = (struct buf)BUF_BOUNDED(ARMOR_TEXT_MAX);
    secret_random(&f->s, ACTIVATION_LEN);
    rand_uuid(f->set);
    for (size_t i = 0; i < 5; i++)
        strcpy(f->shares[i].info.person, names[i]);      /* lint: banned-call: short literals into a larger array */
    if (share_split(&f->s, f->set, 3, 5, f->shares, &why) != OK ||
        share_seal(&f->shares[1], STR_LIT(PHRASE), &cheap, &f->text, f->sha, &why) != OK)
        return -1;
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 5; i++)
        share_done(&f->shares[i]);
    secret_done(&f->s);
    buf_free(&f->text);
    free(f);
    return 0;
}

static void
test_round(void **state)
{
    struct fixture *f = *state;
    struct share back = SHARE_INIT;
    struct share_info info;
    unsigned char sha[SHA256_LEN];
    struct why why = WHY_INIT;

    assert_int_equal(share_read(buf_view(&f->text), &info, sha, &why), OK);
    assert_string_equal(info.set, f->set);
    assert_string_equal(info.person, "bruno");
    assert_int_equal(info.number, 2);
    assert_int_equal(info.threshold, 3);
    assert_int_equal(info.total, 5);
    assert_memory_equal(sha, f->sha, sizeof(sha));
    assert_int_equal(share_open(buf_view(&f->text), STR_LIT(PHRASE), &back, &why), OK);
    assert_memory_equal(back.value.data, f->shares[1].value.data, ACTIVATION_LEN);
    assert_string_equal(back.info.set, f->set);
    share_done(&back);
    /* the text does not show the value */
    assert_null(memmem(f->text.data, f->text.len, f->shares[1].value.data, 8));
}

/* As somebody types it: lower case, dashes, other spaces, no comment, blank lines, CRLF. */
static void
test_typed_in(void **state)
{
    struct fixture *f = *state;
    struct buf typed = BUF_BOUNDED(ARMOR_TEXT_MAX);
    struct str rest = buf_view(&f->text);
    struct share back = SHARE_INIT;
    struct why why = WHY_INIT;

    while (rest.p != NULL) {
        struct str line = str_split(rest, '\n', &rest);

        if (line.n == 0 || line.p[0] == '#')
            continue;
        for (size_t i = 0; i < line.n; i++) {
            const char c = line.p[i];

            buf_addc(&typed, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : i > 3 && c == ' ' ? '-' : c);
        }
        buf_adds(&typed, "\r\n\r\n");
    }
    if (share_open(buf_view(&typed), STR_LIT(PHRASE), &back, &why) != OK)
        fail_msg("%s", why.text);
    assert_memory_equal(back.value.data, f->shares[1].value.data, ACTIVATION_LEN);
    share_done(&back);
    buf_free(&typed);
}

static void
test_wrong_phrase_is_not_damage(void **state)
{
    struct fixture *f = *state;
    struct share back = SHARE_INIT;
    struct why why = WHY_INIT;

    assert_int_equal(share_open(buf_view(&f->text), STR_LIT("correct horse batterz"), &back, &why), ERR_DENIED);
    assert_string_equal(why.code, "phrase.wrong");
    assert_int_equal(share_open(buf_view(&f->text), STR_LIT(""), &back, &why), ERR_INPUT);
    assert_null(back.value.data);
    assert_int_equal(share_seal(&f->shares[1], STR_LIT("too short"), &cheap, &f->text, NULL, &why), ERR_INPUT);
}

/* Each single wrong symbol is noticed, in the numbered lines, and told with its line. */
static void
test_one_wrong_symbol(void **state)
{
    struct fixture *f = *state;
    struct share_info info;
    struct why why = WHY_INIT;
    size_t tried = 0, located = 0;
    int line = 0;

    for (size_t i = 0; i < f->text.len; i++) {
        const char was = f->text.data[i];
        char want[32];

        if (i == 0 || f->text.data[i - 1] == '\n')
            line += was != '#';
        if (f->text.data[i] == '#') {
            while (f->text.data[i] != '\n')
                i++;
            continue;
        }
        if (was == ' ' || was == '\n')
            continue;
        f->text.data[i] = was == 'A' ? 'B' : was == 'Z' ? '7' : was >= '0' && was <= '9' ? 'Q' : (char)(was + 1);
        assert_int_equal(share_read(buf_view(&f->text), &info, NULL, &why), ERR_INPUT);
        (void)snprintf(want, sizeof(want), "line %d ", line);
        located += strstr(why.text, want) != NULL;
        tried++;
        f->text.data[i] = was;
    }
    assert_true(tried > 150);
    assert_true(located + 3 >= tried);      /* ten bits a line: one in 1024 is only noticed at the end */
    assert_int_equal(share_read(buf_view(&f->text), &info, NULL, &why), OK);
}

static void
test_lines_lost(void **state)
{
    struct fixture *f = *state;
    const char *second = strstr(f->text.data, "\n02 ") + 1, *third = strstr(f->text.data, "\n03 ") + 1;
    const char *last = f->text.data + f->text.len - 1;
    struct buf text = BUF_BOUNDED(ARMOR_TEXT_MAX);
    struct share_info info;
    struct why why = WHY_INIT;

    buf_add(&text, f->text.data, (size_t)(second - f->text.data));
    buf_adds(&text, third);
    assert_int_equal(share_read(buf_view(&text), &info, NULL, &why), ERR_INPUT);
    assert_non_null(strstr(why.text, "line 2 is missing"));
    while (last[-1] != '\n')
        last--;
    assert_int_equal(share_read(str_from(f->text.data, (size_t)(last - f->text.data)), &info, NULL, &why), ERR_INPUT);
    assert_int_equal(share_read(STR_NULL, &info, NULL, &why), ERR_INPUT);
    assert_int_equal(share_read(STR_LIT("# nothing\n"), &info, NULL, &why), ERR_INPUT);
    assert_int_equal(share_read(STR_LIT("01 ABC10 AA\n"), &info, NULL, &why), ERR_INPUT);
    assert_non_null(strstr(why.text, "A to Z"));
    buf_free(&text);
}

/* Who repairs the checksums after an alteration gets no further than with a wrong pass phrase. */
static void
test_altered_with_good_checksums(void **state)
{
    struct fixture *f = *state;
    struct buf octets = BUF_BOUNDED(ARMOR_OCTETS_MAX), text = BUF_BOUNDED(ARMOR_TEXT_MAX);
    struct share back = SHARE_INIT;
    struct why why = WHY_INIT;

    assert_int_equal(armor_decode(buf_view(&f->text), &octets, &why), OK);
    for (size_t i = 0; i < octets.len; i++) {
        if (i >= 2 && i < 7)
            continue;              /* argon2id's cost: other memory, other key; not tried, it may be a gigabyte */
        octets.data[i] ^= 1;
        buf_reset(&text);
        armor_encode(buf_view(&octets), &text);
        assert_int_not_equal(share_open(buf_view(&text), STR_LIT(PHRASE), &back, &why), OK);
        octets.data[i] ^= 1;
    }
    assert_null(back.value.data);
    buf_free(&octets);
    buf_free(&text);
}

static void
test_combine(void **state)
{
    struct fixture *f = *state;
    struct fixture *other = NULL;
    struct share set[5];
    struct secret got = SECRET_INIT;
    struct why why = WHY_INIT;

    assert_int_equal(setup((void **)&other), 0);
    memcpy(set, f->shares, sizeof(set));                 /* views: owned by the fixture */
    assert_int_equal(share_combine(set, 3, &got, &why), OK);
    assert_memory_equal(got.data, f->s.data, ACTIVATION_LEN);
    assert_int_equal(share_combine(set + 2, 3, &got, &why), OK);
    assert_memory_equal(got.data, f->s.data, ACTIVATION_LEN);
    assert_int_equal(share_combine(set, 2, &got, &why), ERR_INPUT);
    assert_string_equal(why.code, "share.few");
    assert_int_equal(share_combine(set, 4, &got, &why), ERR_INPUT);
    set[1] = set[0];
    assert_int_equal(share_combine(set, 3, &got, &why), ERR_INPUT);
    assert_string_equal(why.code, "share.person");
    set[1] = other->shares[1];
    assert_int_equal(share_combine(set, 3, &got, &why), ERR_INPUT);
    assert_string_equal(why.code, "share.set");
    set[1] = other->shares[1];                           /* and when the label lies, the digest does not */
    set[1].info = f->shares[1].info;
    assert_int_equal(share_combine(set, 3, &got, &why), ERR_DENIED);
    secret_done(&got);
    assert_int_equal(teardown((void **)&other), 0);
}

static void
test_split_refusals(void **state)
{
    struct fixture *f = *state;
    struct share set[3] = { { .value = SECRET_INIT } };
    struct why why = WHY_INIT;

    strcpy(set[0].info.person, "alice");      /* lint: banned-call: short literals into a larger array */
    strcpy(set[1].info.person, "bruno");      /* lint: banned-call: short literals into a larger array */
    strcpy(set[2].info.person, "alice");      /* lint: banned-call: short literals into a larger array */
    assert_int_equal(share_split(&f->s, f->set, 2, 3, set, &why), ERR_INPUT);
    assert_string_equal(why.code, "share.person");
    strcpy(set[2].info.person, "Al");         /* lint: banned-call: short literals into a larger array */
    assert_int_equal(share_split(&f->s, f->set, 2, 3, set, &why), ERR_INPUT);
    strcpy(set[2].info.person, "chloe");      /* lint: banned-call: short literals into a larger array */
    assert_int_equal(share_split(&f->s, f->set, 1, 3, set, &why), ERR_INPUT);
    assert_int_equal(share_split(&f->s, f->set, 2, 3, set, &why), OK);
    for (size_t i = 0; i < 3; i++)
        share_done(&set[i]);
}

static void
test_person_key(void **state)
{
    struct buf text = BUF_BOUNDED(ARMOR_TEXT_MAX), sig = BUF_BOUNDED(64);
    struct key *k = NULL, *back = NULL;
    struct share share = SHARE_INIT;
    struct fixture *f = *state;
    char name[PERSON_NAME_MAX + 1];
    struct why why = WHY_INIT;

    assert_int_equal(person_key_new("Alice", STR_LIT(PHRASE), &cheap, &text, &k, &why), ERR_INPUT);
    assert_int_equal(person_key_new("alice", STR_LIT("short"), &cheap, &text, &k, &why), ERR_INPUT);
    assert_int_equal(text.len, 0);
    assert_int_equal(person_key_new("alice", STR_LIT(PHRASE), &cheap, &text, &k, &why), OK);
    assert_int_equal(person_key_open(buf_view(&text), STR_LIT("another pass phrase"), &back, name, &why), ERR_DENIED);
    assert_string_equal(why.code, "phrase.wrong");
    assert_int_equal(person_key_open(buf_view(&text), STR_LIT(PHRASE), &back, name, &why), OK);
    assert_string_equal(name, "alice");
    assert_int_equal(key_sign(back, KEY_PERSON_SIGN, SIG_EDDSA, STR_LIT("m"), false, &sig, &why), OK);
    assert_int_equal(key_verify(k, SIG_EDDSA, STR_LIT("m"), buf_view(&sig), false, &why), OK);
    key_free(back);
    back = NULL;
    /* neither is taken for the other */
    assert_int_equal(share_open(buf_view(&text), STR_LIT(PHRASE), &share, &why), ERR_INPUT);
    assert_int_equal(person_key_open(buf_view(&f->text), STR_LIT(PHRASE), &back, name, &why), ERR_INPUT);
    assert_null(back);
    key_free(k);
    buf_free(&text);
    buf_free(&sig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),           cmocka_unit_test(test_typed_in),
        cmocka_unit_test(test_wrong_phrase_is_not_damage), cmocka_unit_test(test_one_wrong_symbol),
        cmocka_unit_test(test_lines_lost),      cmocka_unit_test(test_altered_with_good_checksums),
        cmocka_unit_test(test_combine),         cmocka_unit_test(test_split_refusals),
        cmocka_unit_test(test_person_key),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
