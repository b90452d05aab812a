/* register: what is written is read again; each line damaged is refused with its number; nothing is half replaced. */
#include "tests/unit/crypto_support.h"

#include "base/core/rand.h"
#include "pki/ceremony/register.h"

static char folder[TEST_FOLDER_MAX], path[TEST_FOLDER_MAX + 16];

static int
setup(void **state)
{
    (void)state;
    folder_make(folder);
    (void)snprintf(path, sizeof(path), "%s/register", folder);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static struct root_register *
filled(void)
{
    struct root_register *r = root_register_new();
    struct register_person *p = &r->persons[r->npersons++];
    struct register_share *s = &r->shares[r->nshares++];
    struct register_ca *c = &r->cas[r->ncas++];
    struct register_certificate *x = &r->certificates[r->ncertificates++], *y = &r->certificates[r->ncertificates++];

    rand_uuid(p->id);
    rand_uuid(p->ceremony);
    (void)snprintf(p->name, sizeof(p->name), "alice");
    p->label = "Madame Alice Exemple";
    p->public_key = STR_LIT("\x30\x03\x01\x01\xff");
    p->roles = ROLE_BIT(ROLE_SECURITY) | ROLE_BIT(ROLE_CUSTODIAN);
    rand_uuid(s->info.set);
    s->info.number = 2;
    s->info.threshold = 2;
    s->info.total = 3;
    (void)snprintf(s->info.person, sizeof(s->info.person), "alice");
    memset(s->sha256, 0xab, SHA256_LEN);
    (void)snprintf(c->label, sizeof(c->label), "cards-g12");
    memcpy(c->set, s->info.set, sizeof(c->set));
    memcpy(c->ceremony, p->ceremony, sizeof(c->ceremony));
    c->state = CA_RETIRING;
    c->key_uri = "pkcs11:token=a b;object=c?module-path=/x";
    (void)snprintf(x->issuer, sizeof(x->issuer), "root-g1");
    (void)snprintf(x->label, sizeof(x->label), "cards-g12");
    (void)snprintf(x->serial, sizeof(x->serial), "0123456789abcdef0123456789abcdef");
    x->not_after = INT64_C(2000000000) * USEC_PER_SEC;
    *y = *x;
    y->revoked = true;
    y->at = INT64_C(1900000000) * USEC_PER_SEC;
    y->reason = 2;
    assert_int_equal(register_list_next(r, "root-g1"), 1);
    assert_int_equal(register_list_next(r, "root-g1"), 2);
    assert_int_equal(register_list_next(r, "root-g2"), 1);
    return r;
}

static struct buf
text_of(void)
{
    struct buf text = BUF_BOUNDED(65536);
    FILE *in = fopen(path, "r");
    char part[4096];
    size_t n;

    assert_non_null(in);
    while ((n = fread(part, 1, sizeof(part), in)) > 0)
        buf_add(&text, part, n);
    (void)fclose(in);
    return text;
}

static void
test_round(void **state)
{
    struct root_register *r = filled(), *back = NULL;
    struct buf first, second;
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(root_register_load(path, &back, &why), ERR_NOT_FOUND);
    assert_int_equal(root_register_save(r, path, &why), OK);
    first = text_of();
    if (root_register_load(path, &back, &why) != OK)
        fail_msg("%s", why.text);
    assert_int_equal(root_register_save(back, path, &why), OK);
    second = text_of();
    assert_true(str_eq(buf_view(&first), buf_view(&second)));
    assert_string_equal(register_person_find(back, "alice")->label, "Madame Alice Exemple");
    assert_int_equal(register_person_find(back, "alice")->roles_now, r->persons[0].roles);
    assert_null(register_person_find(back, "bruno"));
    assert_string_equal(register_ca_find(back, "cards-g12")->key_uri, r->cas[0].key_uri);
    assert_int_equal(register_ca_find(back, "cards-g12")->state, CA_RETIRING);
    assert_int_equal(register_generation(back, "cards"), 12);
    assert_int_equal(register_generation(back, "card"), 0);
    assert_true(back->certificates[1].revoked);
    assert_int_equal(back->certificates[1].reason, 2);
    assert_int_equal(register_list_next(back, "root-g1"), 3);
    buf_free(&first);
    buf_free(&second);
    root_register_free(r);
    root_register_free(back);
}

/* A word taken out of any line, a line cut, another first line: refused, with the line's number. */
static void
test_damage(void **state)
{
    struct root_register *r = filled(), *back = NULL;
    struct why why = WHY_INIT;
    struct buf good;
    int line = 1;

    (void)state;
    assert_int_equal(root_register_save(r, path, &why), OK);
    good = text_of();
    for (size_t i = 0; i + 1 < good.len; i++) {
        const char was = good.data[i];
        char want[32];

        line += i > 0 && good.data[i - 1] == '\n';
        if (was != ' ' || strncmp(good.data + i, " Alice", 6) == 0 || strncmp(good.data + i, " Exemple", 8) == 0 ||
            strncmp(good.data + i, " b;", 3) == 0)
            continue;              /* a blank inside free text */
        good.data[i] = '_';
        file_write(path, good.data, good.len, 0600);
        if (root_register_load(path, &back, &why) != ERR_INPUT)
            fail_msg("line %d, octet %zu", line, i);
        (void)snprintf(want, sizeof(want), "line %d:", line);
        if (line > 1)
            assert_row(want, strstr(why.text, want) != NULL);
        good.data[i] = was;
    }
    file_write(path, good.data, good.len - 1, 0600);
    assert_int_equal(root_register_load(path, &back, &why), ERR_INPUT);
    file_write(path, "", 0, 0600);
    assert_int_equal(root_register_load(path, &back, &why), ERR_INPUT);
    file_write(path, good.data, good.len, 0600);
    assert_int_equal(root_register_load(path, &back, &why), OK);
    buf_free(&good);
    root_register_free(r);
    root_register_free(back);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_round), cmocka_unit_test(test_damage) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
