/* judge: what is allowed and meant, and the exchange that is kept across the sign-in pages. */
#include "saml_common.h"

#include "idp/saml/gate.h"
#include "idp/saml/judge.h"
#include "idp/saml/proto.h"
#include "idp/signon/signon.h"

#define P METHOD_PASSWORD
#define S METHOD_SOFT_CERT
#define C METHOD_CARD
#define F (unsigned)(METHOD_OTP | METHOD_PASSKEY)

static const struct levels claims_none = { .at = { 0 } };

static struct saml_endpoint acs[] = {
    {SAML_ARTIFACT, "https://sp.example/artifact", "", 0, SAML_DEFAULT_YES},
    {SAML_POST, "https://sp.example/no", "", 1, SAML_DEFAULT_NO},
    {SAML_POST, ACS_URL, "", 2, SAML_DEFAULT_UNSAID},
    {SAML_POST, "https://sp.example/third", "", 3, SAML_DEFAULT_UNSAID},
    {SAML_ARTIFACT, ACS_URL, "", 4, SAML_DEFAULT_UNSAID},
};

static struct saml_sp
some_sp(void)
{
    return (struct saml_sp){.entity_id = SP_ID, .acs = acs, .nacs = ARRAY_LEN(acs), .nameid = SAML_NAMEID_UNSAID};
}

static struct saml_authn_request
some_request(void)
{
    return (struct saml_authn_request){.head = {.id = "_a1", .issuer = SP_ID}, .acs_index = -1};
}

static void
heads(void **state)
{
    static const struct {
        const char *label, *destination;
        bool is_signed;
        int64_t age;
        const char *code;
    } rows[] = {
        {"good", SSO_URL, true, 0, NULL},
        {"unsigned without destination", NULL, false, 0, NULL},
        {"signed without destination", NULL, true, 0, "saml.message.destination"},
        {"empty destination", "", false, 0, "saml.message.destination"},
        {"another endpoint", SLO_URL, true, 0, "saml.message.destination"},
        {"another host", "https://idp.example.evil.example/saml/sso", true, 0, "saml.message.destination"},
        {"with a query", SSO_URL "?", true, 0, "saml.message.destination"},
        {"in another case", "https://IDP.example/saml/sso", true, 0, "saml.message.destination"},
        {"7 minutes old", SSO_URL, true, 7 * USEC_PER_MIN, NULL},
        {"9 minutes old", SSO_URL, true, 9 * USEC_PER_MIN, "saml.message.old"},
        {"2 minutes early", SSO_URL, true, -2 * USEC_PER_MIN, NULL},
        {"4 minutes early", SSO_URL, true, -4 * USEC_PER_MIN, "saml.message.future"},
    };
    const utime now = INT64_C(1795298400) * USEC_PER_SEC;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct saml_head head = {.destination = rows[i].destination, .issue_instant = now - rows[i].age};
        struct why why = WHY_INIT;
        enum err e = saml_check_head(&head, SSO_URL, rows[i].is_signed, now, 5 * USEC_PER_MIN, &why);

        if ((rows[i].code == NULL) != (e == OK) || (e != OK && strcmp(why.code, rows[i].code) != 0)) {
            fprintf(stderr, "%s: %s\n", rows[i].label, why.code);
            fail();
        }
    }
}

static void
where_the_answer_goes(void **state)
{
    static const struct {
        const char *label, *url;
        int index;
        const char *binding;
        const char *goes, *substatus, *code;
    } rows[] = {
        {"default", NULL, -1, NULL, ACS_URL, NULL, NULL},
        {"default, POST asked", NULL, -1, BINDING_POST, ACS_URL, NULL, NULL},
        {"by URL", "https://sp.example/third", -1, NULL, "https://sp.example/third", NULL, NULL},
        {"by URL that has both bindings", ACS_URL, -1, BINDING_POST, ACS_URL, NULL, NULL},
        {"by index", NULL, 1, NULL, "https://sp.example/no", NULL, NULL},
        {"unknown URL", "https://evil.example/acs", -1, NULL, NULL, NULL, "saml.acs.url"},
        {"URL with something behind", ACS_URL "/", -1, NULL, NULL, NULL, "saml.acs.url"},
        {"URL in another case", "https://SP.example/acs", -1, NULL, NULL, NULL, "saml.acs.url"},
        {"prefix of a URL", "https://sp.example/", -1, NULL, NULL, NULL, "saml.acs.url"},
        {"unknown index", NULL, 9, NULL, NULL, NULL, "saml.acs.index"},
        {"artifact by index", NULL, 0, NULL, ACS_URL, STATUS_UNSUPPORTED_BINDING, NULL},
        {"artifact by URL", "https://sp.example/artifact", -1, NULL, ACS_URL, STATUS_UNSUPPORTED_BINDING, NULL},
        {"artifact asked for a POST address", ACS_URL, -1, BINDING_ARTIFACT, ACS_URL, STATUS_UNSUPPORTED_BINDING, NULL},
        {"unknown binding", NULL, -1, "urn:x", ACS_URL, STATUS_UNSUPPORTED_BINDING, NULL},
    };
    struct saml_sp sp = some_sp();
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct saml_authn_request r = some_request();
        struct saml_status status;
        struct saml_exchange x;
        struct why why = WHY_INIT;
        enum err e;

        r.acs_url = rows[i].url;
        r.acs_index = rows[i].index;
        r.protocol_binding = rows[i].binding;
        e = saml_judge(&r, &sp, IDP_ID, &claims_none, &x, &status, &why);
        if (rows[i].code != NULL ? e != ERR_INPUT || strcmp(why.code, rows[i].code) != 0
                                 : e != OK || strcmp(x.acs_url, rows[i].goes) != 0 ||
                                       (rows[i].substatus == NULL) != (status.status == NULL) ||
                                       (rows[i].substatus != NULL && strcmp(status.substatus, rows[i].substatus) != 0)) {
            fprintf(stderr, "%s: %s %s\n", rows[i].label, err_name(e), why.text);
            fail();
        }
    }
    sp.acs = &acs[0];
    sp.nacs = 1;
    assert_null(saml_default_acs(&sp));
}

static void
name_ids(void **state)
{
    enum { U = SAML_NAMEID_UNSAID, PERS = SAML_NAMEID_PERSISTENT, TRANS = SAML_NAMEID_TRANSIENT, NO = -1 };
    static const struct {
        const char *label;
        int policy, metadata;
        bool has_policy;
        const char *format, *qualifier;
        int gives;
    } rows[] = {
        {"nothing said anywhere", U, U, false, NULL, NULL, TRANS},
        {"metadata say persistent", U, PERS, false, NULL, NULL, PERS},
        {"policy says transient, metadata persistent", TRANS, PERS, false, NULL, NULL, TRANS},
        {"policy says persistent", PERS, U, false, NULL, NULL, PERS},
        {"empty policy element", PERS, U, true, NULL, NULL, PERS},
        {"unspecified", PERS, TRANS, true, NAMEID_UNSPECIFIED, NULL, PERS},
        {"empty format", U, PERS, true, "", NULL, PERS},
        {"asks transient where persistent is usual", PERS, PERS, true, NAMEID_TRANSIENT, NULL, TRANS},
        {"asks persistent where nothing is said", U, U, true, NAMEID_PERSISTENT, NULL, PERS},
        {"asks persistent where the policy says transient", TRANS, PERS, true, NAMEID_PERSISTENT, NULL, NO},
        {"asks e-mail", U, U, true, "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress", NULL, NO},
        {"asks encrypted", U, U, true, "urn:oasis:names:tc:SAML:2.0:nameid-format:encrypted", NULL, NO},
        {"for itself by name", U, U, true, NAMEID_PERSISTENT, SP_ID, PERS},
        {"for another service", U, U, true, NAMEID_PERSISTENT, "https://other.example/", NO},
        {"transient for another service", U, U, true, NAMEID_TRANSIENT, "https://other.example/", NO},
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct saml_sp sp = some_sp();
        struct saml_authn_request r = some_request();
        struct saml_status status;
        struct saml_exchange x;
        struct why why = WHY_INIT;
        int gives;

        sp.policy.nameid = (enum saml_nameid)rows[i].policy;
        sp.nameid = (enum saml_nameid)rows[i].metadata;
        r.has_policy = rows[i].has_policy;
        r.policy_format = rows[i].format;
        r.policy_sp_name_qualifier = rows[i].qualifier;
        assert_int_equal(saml_judge(&r, &sp, IDP_ID, &claims_none, &x, &status, &why), OK);
        gives = status.status == NULL ? (int)x.nameid : NO;
        if (gives != rows[i].gives ||
            (gives == NO && strcmp(status.substatus, STATUS_INVALID_NAMEID_POLICY) != 0)) {
            fprintf(stderr, "%s\n", rows[i].label);
            fail();
        }
    }
}

/* Levels of assurance: asked for by their names, met by what the operator claims, and never heard of otherwise. */
static void
levels(void **state)
{
    static const struct {
        const char *label;
        enum saml_comparison comparison;
        const char *class;
        int accept; /* -1: NoAuthnContext */
        unsigned method;
        const char *says;
    } rows[] = {
        {"minimum low", COMPARE_MINIMUM, "http://eidas.europa.eu/LoA/low", P | F | C, P, "http://eidas.europa.eu/LoA/low"},
        {"minimum low, by card", COMPARE_MINIMUM, "http://eidas.europa.eu/LoA/low", P | F | C, C, "http://eidas.europa.eu/LoA/high"},
        {"minimum substantial", COMPARE_MINIMUM, "http://eidas.europa.eu/LoA/substantial", F | C, P | METHOD_OTP,
         "http://eidas.europa.eu/LoA/substantial"},
        {"exact low, by two factors", COMPARE_EXACT, "http://eidas.europa.eu/LoA/low", P, P | METHOD_OTP,
         "http://eidas.europa.eu/LoA/low"},
        {"better than low", COMPARE_BETTER, "http://eidas.europa.eu/LoA/low", F | C, C, "http://eidas.europa.eu/LoA/high"},
        {"better than high", COMPARE_BETTER, "http://eidas.europa.eu/LoA/high", -1, 0, NULL},
        {"maximum substantial", COMPARE_MAXIMUM, "http://eidas.europa.eu/LoA/substantial", P | F, P, "http://eidas.europa.eu/LoA/low"},
        {"in the words of others", COMPARE_MINIMUM, "eidas1", -1, 0, NULL},
        {"nobody asked for one", COMPARE_EXACT, CONTEXT_PASSWORD_PROTECTED, P, P, CONTEXT_PASSWORD_PROTECTED},
    };
    const struct idp_conf conf = { .eidas_password = LEVEL_LOW, .eidas_second = LEVEL_SUBSTANTIAL, .eidas_card = LEVEL_HIGH };
    struct levels claims;

    (void)state;
    levels_read(&conf, &claims);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct saml_authn_request r = some_request();
        struct saml_exchange x = {0};
        bool ok;

        r.has_context = true;
        r.comparison = rows[i].comparison;
        r.classes[r.nclasses++] = rows[i].class;
        ok = saml_context_accept(&r, &claims, &x);
        if (ok != (rows[i].accept >= 0) || (ok && (int)x.accept != rows[i].accept) ||
            (rows[i].says != NULL && strcmp(saml_context_class(rows[i].method, &claims, &x), rows[i].says) != 0))
            fail_msg("%s: %d %u %s", rows[i].label, ok, x.accept, saml_context_class(rows[i].method, &claims, &x));
        /* where the operator claims nothing a level is a class that is not ours */
        if (x.class_level)
            assert_false(saml_context_accept(&r, &claims_none, &x));
    }
}

static void
contexts(void **state)
{
    static const struct {
        const char *label;
        enum saml_comparison comparison;
        const char *classes[3];
        int accept; /* -1: NoAuthnContext */
        const char *says;
    } rows[] = {
        {"exact protected password", COMPARE_EXACT, {CONTEXT_PASSWORD_PROTECTED}, P, CONTEXT_PASSWORD_PROTECTED},
        {"exact password", COMPARE_EXACT, {CONTEXT_PASSWORD}, P, CONTEXT_PASSWORD},
        {"exact either", COMPARE_EXACT, {CONTEXT_PASSWORD, CONTEXT_PASSWORD_PROTECTED}, P, CONTEXT_PASSWORD_PROTECTED},
        {"exact card", COMPARE_EXACT, {CONTEXT_SMARTCARD_PKI}, C, NULL},
        {"exact password or card", COMPARE_EXACT, {CONTEXT_PASSWORD_PROTECTED, CONTEXT_SMARTCARD_PKI}, P | C, NULL},
        {"exact unknown", COMPARE_EXACT, {"urn:x"}, -1, NULL},
        {"exact unknown or card", COMPARE_EXACT, {"urn:x", CONTEXT_SMARTCARD_PKI}, C, NULL},
        {"unspecified", COMPARE_EXACT, {CONTEXT_UNSPECIFIED}, METHOD_ANY, CONTEXT_PASSWORD_PROTECTED},
        {"minimum password", COMPARE_MINIMUM, {CONTEXT_PASSWORD}, P | S | C | F, CONTEXT_PASSWORD_PROTECTED},
        {"minimum software", COMPARE_MINIMUM, {CONTEXT_SOFTWARE_PKI}, S | C, NULL},
        {"minimum of two", COMPARE_MINIMUM, {CONTEXT_SMARTCARD_PKI, CONTEXT_SOFTWARE_PKI}, S | C, NULL},
        {"minimum card", COMPARE_MINIMUM, {CONTEXT_SMARTCARD_PKI}, C, NULL},
        {"better than password", COMPARE_BETTER, {CONTEXT_PASSWORD_PROTECTED}, S | C | F, NULL},
        {"better than software", COMPARE_BETTER, {CONTEXT_SOFTWARE_PKI}, C, NULL},
        {"better than card", COMPARE_BETTER, {CONTEXT_SMARTCARD_PKI}, -1, NULL},
        {"better than both", COMPARE_BETTER, {CONTEXT_PASSWORD, CONTEXT_SOFTWARE_PKI}, C, NULL},
        {"maximum password", COMPARE_MAXIMUM, {CONTEXT_PASSWORD_PROTECTED}, P, CONTEXT_PASSWORD_PROTECTED},
        {"maximum software", COMPARE_MAXIMUM, {CONTEXT_SOFTWARE_PKI}, P | S, NULL},
        {"maximum card", COMPARE_MAXIMUM, {CONTEXT_SMARTCARD_PKI}, P | S | C | F, NULL},
        {"exact two factors", COMPARE_EXACT, {CONTEXT_REFEDS_MFA}, F | C, NULL},
        {"exact two factors or password", COMPARE_EXACT, {CONTEXT_REFEDS_MFA, CONTEXT_PASSWORD_PROTECTED}, P | F | C,
         CONTEXT_PASSWORD_PROTECTED},
        {"minimum two factors", COMPARE_MINIMUM, {CONTEXT_REFEDS_MFA}, F | C, NULL},
        {"better than two factors", COMPARE_BETTER, {CONTEXT_REFEDS_MFA}, C, NULL},
        {"maximum two factors", COMPARE_MAXIMUM, {CONTEXT_REFEDS_MFA}, P | F, CONTEXT_PASSWORD_PROTECTED},
    };
    static const struct {
        const char *label;
        enum saml_comparison comparison;
        const char *class;
        unsigned method;
        const char *says;
    } answers[] = {
        {"two factors, not asked", COMPARE_EXACT, CONTEXT_PASSWORD_PROTECTED, P | METHOD_OTP, CONTEXT_PASSWORD_PROTECTED},
        {"code", COMPARE_EXACT, CONTEXT_REFEDS_MFA, P | METHOD_OTP, CONTEXT_REFEDS_MFA},
        {"passkey", COMPARE_EXACT, CONTEXT_REFEDS_MFA, P | METHOD_PASSKEY, CONTEXT_REFEDS_MFA},
        {"card for two factors", COMPARE_EXACT, CONTEXT_REFEDS_MFA, C, CONTEXT_REFEDS_MFA},
        {"better than a password", COMPARE_BETTER, CONTEXT_PASSWORD_PROTECTED, P | METHOD_OTP, CONTEXT_REFEDS_MFA},
        {"card, better than a password", COMPARE_BETTER, CONTEXT_PASSWORD_PROTECTED, C, CONTEXT_SMARTCARD_PKI},
        {"at least a password", COMPARE_MINIMUM, CONTEXT_PASSWORD_PROTECTED, P | METHOD_OTP, CONTEXT_PASSWORD_PROTECTED},
        {"software", COMPARE_EXACT, CONTEXT_SOFTWARE_PKI, S, CONTEXT_SOFTWARE_PKI},
        {"card", COMPARE_EXACT, CONTEXT_SMARTCARD_PKI, C, CONTEXT_SMARTCARD_PKI},
    };
    struct saml_authn_request none = some_request();
    struct saml_exchange x = {0};
    size_t i, k;

    (void)state;
    assert_true(saml_context_accept(&none, &claims_none, &x));
    assert_int_equal(x.accept, METHOD_ANY);
    for (i = 0; i < ARRAY_LEN(rows); i++) {
        struct saml_authn_request r = some_request();
        bool ok;

        r.has_context = true;
        r.comparison = rows[i].comparison;
        for (k = 0; k < 3 && rows[i].classes[k] != NULL; k++)
            r.classes[r.nclasses++] = rows[i].classes[k];
        ok = saml_context_accept(&r, &claims_none, &x);
        if (ok != (rows[i].accept >= 0) || (ok && (int)x.accept != rows[i].accept) ||
            (rows[i].says != NULL && strcmp(saml_context_class(P, &claims_none, &x), rows[i].says) != 0)) {
            fprintf(stderr, "%s: %d %u\n", rows[i].label, ok, x.accept);
            fail();
        }
    }
    for (i = 0; i < ARRAY_LEN(answers); i++) {
        struct saml_authn_request r = some_request();

        r.has_context = true;
        r.comparison = answers[i].comparison;
        r.classes[r.nclasses++] = answers[i].class;
        assert_true(saml_context_accept(&r, &claims_none, &x));
        assert_true(x.accept == METHOD_ANY || (x.accept & answers[i].method) != 0);
        if (strcmp(saml_context_class(answers[i].method, &claims_none, &x), answers[i].says) != 0)
            fail_msg("%s: %s", answers[i].label, saml_context_class(answers[i].method, &claims_none, &x));
    }
    none.has_context = none.context_declarations = true;
    assert_false(saml_context_accept(&none, &claims_none, &x));
}

static void
other_statuses(void **state)
{
    struct saml_sp sp = some_sp();
    struct saml_authn_request r;
    struct saml_status status;
    struct saml_exchange x;
    struct why why = WHY_INIT;

    (void)state;
    r = some_request();
    r.head.version = -1;
    assert_int_equal(saml_judge(&r, &sp, IDP_ID, &claims_none, &x, &status, &why), OK);
    assert_string_equal(status.status, STATUS_VERSION_MISMATCH);
    assert_string_equal(status.substatus, STATUS_VERSION_TOO_LOW);
    r.head.version = 1;
    assert_int_equal(saml_judge(&r, &sp, IDP_ID, &claims_none, &x, &status, &why), OK);
    assert_string_equal(status.substatus, STATUS_VERSION_TOO_HIGH);

    r = some_request();
    r.idp_list = true;
    r.idps[r.nidps++] = "https://other.example/";
    assert_int_equal(saml_judge(&r, &sp, IDP_ID, &claims_none, &x, &status, &why), OK);
    assert_string_equal(status.substatus, STATUS_NO_SUPPORTED_IDP);
    r.idps[r.nidps++] = IDP_ID;
    assert_int_equal(saml_judge(&r, &sp, IDP_ID, &claims_none, &x, &status, &why), OK);
    assert_null(status.status);

    r = some_request();
    r.has_subject = true;
    assert_int_equal(saml_judge(&r, &sp, IDP_ID, &claims_none, &x, &status, &why), OK);
    assert_string_equal(status.substatus, STATUS_REQUEST_UNSUPPORTED);
    r.subject.value = "abc";
    r.has_policy = true;
    r.policy_format = NAMEID_PERSISTENT;
    assert_int_equal(saml_judge(&r, &sp, IDP_ID, &claims_none, &x, &status, &why), OK);
    assert_null(status.status);
    assert_string_equal(x.subject, "abc");
    r.subject.sp_name_qualifier = "https://other.example/";
    assert_int_equal(saml_judge(&r, &sp, IDP_ID, &claims_none, &x, &status, &why), OK);
    assert_string_equal(status.substatus, STATUS_UNKNOWN_PRINCIPAL);
    r.subject.sp_name_qualifier = NULL;
    r.policy_format = NAMEID_TRANSIENT;
    assert_int_equal(saml_judge(&r, &sp, IDP_ID, &claims_none, &x, &status, &why), OK);
    assert_string_equal(status.substatus, STATUS_UNKNOWN_PRINCIPAL);
}

static void
exchanges_come_back(void **state)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    const struct saml_exchange full = {.sp = SP_ID,
                                       .request_id = "_a1",
                                       .acs_url = ACS_URL "?a=1&b=%20",
                                       .relay_state = "a b+c&d=\xC3\xA9\n",
                                       .nameid = SAML_NAMEID_PERSISTENT,
                                       .accept = S | C,
                                       .force_authn = true,
                                       .is_passive = true,
                                       .class_password = true,
                                       .subject = "abc"};
    const struct saml_exchange least = {.sp = SP_ID, .acs_url = ACS_URL, .nameid = SAML_NAMEID_TRANSIENT};
    static const char *const bad[] = {"", "sp=x", "sp=x&acs_url=y&nameid=transient&evil=1", "sp", "sp=%zz&acs_url=y"};
    struct buf text = BUF_BOUNDED(65536);
    struct saml_exchange x;
    struct why why = WHY_INIT;
    size_t i;

    (void)state;
    saml_exchange_write(&full, &text);
    assert_int_equal(saml_exchange_read(buf_view(&text), a, &x, &why), OK);
    assert_string_equal(x.sp, full.sp);
    assert_string_equal(x.request_id, full.request_id);
    assert_string_equal(x.acs_url, full.acs_url);
    assert_string_equal(x.relay_state, full.relay_state);
    assert_string_equal(x.subject, full.subject);
    assert_int_equal(x.nameid, full.nameid);
    assert_int_equal(x.accept, full.accept);
    assert_true(x.force_authn && x.is_passive && x.class_password);
    buf_reset(&text);
    saml_exchange_write(&least, &text);
    assert_int_equal(saml_exchange_read(buf_view(&text), a, &x, &why), OK);
    assert_null(x.request_id);
    assert_null(x.relay_state);
    assert_false(x.force_authn || x.is_passive || x.class_password);
    for (i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(saml_exchange_read(str_of(bad[i]), a, &x, &why), ERR_INTERNAL);
    buf_free(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),          cmocka_unit_test(where_the_answer_goes), cmocka_unit_test(name_ids),
        cmocka_unit_test(levels),
        cmocka_unit_test(contexts),       cmocka_unit_test(other_statuses),        cmocka_unit_test(exchanges_come_back),
    };

    return cmocka_run_group_tests_name("saml_judge", tests, NULL, NULL);
}
