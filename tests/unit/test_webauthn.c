/*
 * webauthn: the examples printed in the specification; and an authenticator in software, of which each refusal changes one thing
 * in an answer that is otherwise good.
 */
#include "tests/unit/crypto_support.h"

#include "base/crypto/digest.h"
#include "idp/credential/webauthn.h"
#include "tests/unit/webauthn_vectors.h"

#define BYTES 8192

static const struct webauthn_rp spec_rp = { "example.org", "https://example.org" };
static const struct webauthn_rp our_rp = { "idp.example", "https://idp.example:8443" };

/* --- the specification's examples ------------------------------------------------------------------------------------------- */

static void
hex_get(const char *text, struct buf *out)
{
    assert_int_equal(hex_decode(str_of(text), out), OK);
    assert_true(buf_ok(out));
}

static void
test_examples_of_the_specification(void **state)
{
    /* code: of the refusal of the registration, NULL: it is good and so is the assertion. */
    static const struct {
        const char *name, *code;
        int alg;
    } rows[] = {
        { "none-es256", NULL, WEBAUTHN_ES256 },
        { "packed-self-es256", NULL, WEBAUTHN_ES256 },
        { "none-es256-long-credential-id", NULL, WEBAUTHN_ES256 },
        { "packed-es256", NULL, WEBAUTHN_ES256 },
        { "packed-eddsa", NULL, WEBAUTHN_EDDSA },
        { "none-es256-crossOrigin", "webauthn.origin", 0 },
        { "none-es256-topOrigin", "webauthn.origin", 0 },
        { "packed-rs256", "webauthn.algorithm", 0 },            /* of 3488 bits; Windows Hello and TPMs make 2048 */
        { "packed-es384", "webauthn.algorithm", 0 },
        { "packed-ed448", "webauthn.algorithm", 0 },
        { "tpm-es256", "webauthn.attestation", 0 },
        { "apple-es256", "webauthn.attestation", 0 },
        { "fido-u2f-es256", "webauthn.attestation", 0 },
    };
    static struct webauthn_credential c;

    (void)state;
    assert_int_equal(ARRAY_LEN(rows), ARRAY_LEN(webauthn_vectors));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct webauthn_vector *v = webauthn_vectors;
        struct buf challenge = BUF_BOUNDED(64), client = BUF_BOUNDED(BYTES), object = BUF_BOUNDED(BYTES);
        struct buf auth = BUF_BOUNDED(BYTES), signature = BUF_BOUNDED(BYTES);
        struct why why = WHY_INIT;
        uint32_t count = 7;
        bool verified;
        enum err e;

        while (strcmp(v->name, rows[i].name) != 0)
            v++;
        hex_get(v->challenge, &challenge);
        hex_get(v->client_data, &client);
        hex_get(v->attestation, &object);
        e = webauthn_register(&spec_rp, buf_view(&challenge), buf_view(&client), buf_view(&object), &c, &why);
        if (rows[i].code != NULL) {
            assert_row(rows[i].name, e == ERR_DENIED);
            assert_row_string(rows[i].name, why.code, rows[i].code);
        } else {
            if (e != OK)
                fail_msg("%s: %s", rows[i].name, why.text);
            assert_row(rows[i].name, c.alg == rows[i].alg);
            buf_reset(&challenge);
            buf_reset(&client);
            hex_get(v->get_challenge, &challenge);
            hex_get(v->get_client_data, &client);
            hex_get(v->auth_data, &auth);
            hex_get(v->signature, &signature);
            e = webauthn_assert(&spec_rp, buf_view(&challenge), &c, buf_view(&client), buf_view(&auth), buf_view(&signature),
                                &count, &verified, &why);
            if (e != OK)
                fail_msg("%s: %s", rows[i].name, why.text);
            assert_row(rows[i].name, count == 0);
            signature.data[signature.len - 1] ^= 1;
            assert_row(rows[i].name, webauthn_assert(&spec_rp, buf_view(&challenge), &c, buf_view(&client), buf_view(&auth),
                                                     buf_view(&signature), &count, &verified, &why) != OK);
        }
        buf_free(&challenge);
        buf_free(&client);
        buf_free(&object);
        buf_free(&auth);
        buf_free(&signature);
    }
}

/* --- an authenticator ---------------------------------------------------------------------------------------------------------- */

struct authenticator {
    struct key *key;
    int alg;
    unsigned char challenge[WEBAUTHN_CHALLENGE_LEN];
    struct buf cose, client, auth, object, signature;
};

static void
head(struct buf *out, unsigned major, size_t n)
{
    if (n < 24)
        buf_addc(out, (char)(major << 5 | n));
    else if (n < 256) {
        buf_addc(out, (char)(major << 5 | 24));
        buf_addc(out, (char)n);
    } else {
        buf_addc(out, (char)(major << 5 | 25));
        buf_addc(out, (char)(n >> 8));
        buf_addc(out, (char)n);
    }
}

static void
number(struct buf *out, int v)
{
    head(out, v < 0 ? 1 : 0, (size_t)(v < 0 ? -1 - v : v));
}

static void
octets(struct buf *out, unsigned major, const char *p, size_t n)
{
    head(out, major, n);
    buf_add(out, p, n);
}

/* COSE_Key from the end of SubjectPublicKeyInfo (RFC 9052 §7). */
static void
cose_write(struct authenticator *a)
{
    struct buf spki = BUF_BOUNDED(1024);

    key_spki(a->key, &spki);
    head(&a->cose, 5, a->alg == WEBAUTHN_ES256 ? 5 : 4);
    number(&a->cose, 1);
    number(&a->cose, a->alg == WEBAUTHN_ES256 ? 2 : a->alg == WEBAUTHN_EDDSA ? 1 : 3);
    number(&a->cose, 3);
    number(&a->cose, a->alg);
    number(&a->cose, -1);
    if (a->alg == WEBAUTHN_RS256) {
        octets(&a->cose, 2, spki.data + spki.len - 261, 256);
        number(&a->cose, -2);
        octets(&a->cose, 2, spki.data + spki.len - 3, 3);
    } else {
        number(&a->cose, a->alg == WEBAUTHN_ES256 ? 1 : 6);
        number(&a->cose, -2);
        octets(&a->cose, 2, spki.data + spki.len - (a->alg == WEBAUTHN_ES256 ? 64 : 32), 32);
        if (a->alg == WEBAUTHN_ES256) {
            number(&a->cose, -3);
            octets(&a->cose, 2, spki.data + spki.len - 32, 32);
        }
    }
    buf_free(&spki);
}

static void
authenticator_init(struct authenticator *a, int alg)
{
    static const struct {
        int alg;
        enum key_alg key;
    } kinds[] = { { WEBAUTHN_ES256, KEY_P256 }, { WEBAUTHN_EDDSA, KEY_ED25519 }, { WEBAUTHN_RS256, KEY_RSA } };

    *a = (struct authenticator){ .alg = alg, .cose = BUF_BOUNDED(BYTES), .client = BUF_BOUNDED(BYTES),
                                 .auth = BUF_BOUNDED(BYTES), .object = BUF_BOUNDED(BYTES), .signature = BUF_BOUNDED(BYTES) };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].alg == alg)
            assert_int_equal(key_generate(kinds[i].key, 2048, KEY_PERSON_SIGN, &a->key), OK);
    memset(a->challenge, 0x5a, sizeof(a->challenge));
    cose_write(a);
}

static void
authenticator_done(struct authenticator *a)
{
    key_free(a->key);
    buf_free(&a->cose);
    buf_free(&a->client);
    buf_free(&a->auth);
    buf_free(&a->object);
    buf_free(&a->signature);
}

/* What a row changes; zero members: as it should be. */
struct change {
    const char *type, *origin, *rp, *more, *format, *statement, *tail;
    unsigned flags;
    uint32_t count;
    bool other_challenge, cut;
};

static void
client_write(struct authenticator *a, const char *type, const struct change *c)
{
    struct buf challenge = BUF_BOUNDED(64);

    base64url_encode(&challenge, a->challenge, sizeof(a->challenge));
    buf_reset(&a->client);
    buf_addf(&a->client, "{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"%s\"%s}", c->type != NULL ? c->type : type,
             c->other_challenge ? "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlp" : buf_cstr(&challenge),
             c->origin != NULL ? c->origin : our_rp.origin, c->more != NULL ? c->more : ",\"crossOrigin\":false");
    buf_free(&challenge);
}

static void
auth_write(struct authenticator *a, unsigned flags, const struct change *c)
{
    unsigned char hash[SHA256_LEN];

    sha256(str_of(c->rp != NULL ? c->rp : our_rp.id), hash);
    buf_reset(&a->auth);
    buf_add(&a->auth, hash, sizeof(hash));
    buf_addc(&a->auth, (char)(c->flags != 0 ? c->flags : flags));
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_addc(&a->auth, (char)(c->count >> shift));
}

static enum err
create(struct authenticator *a, const struct change *c, struct webauthn_credential *ret, struct why *why)
{
    client_write(a, "webauthn.create", c);
    auth_write(a, 0x45, c);
    for (int i = 0; i < 16; i++)
        buf_addc(&a->auth, 0);
    buf_add(&a->auth, "\0\4name", 6);
    buf_add(&a->auth, a->cose.data, a->cose.len);
    if (c->cut)
        buf_truncate(&a->auth, a->auth.len - 1);
    buf_reset(&a->object);
    head(&a->object, 5, 3);
    octets(&a->object, 3, "fmt", 3);
    octets(&a->object, 3, c->format != NULL ? c->format : "none", strlen(c->format != NULL ? c->format : "none"));
    octets(&a->object, 3, "attStmt", 7);
    if (c->statement != NULL)
        assert_int_equal(hex_decode(str_of(c->statement), &a->object), OK);
    else
        head(&a->object, 5, 0);
    octets(&a->object, 3, "authData", 8);
    octets(&a->object, 2, a->auth.data, a->auth.len);
    buf_adds(&a->object, c->tail != NULL ? c->tail : "");
    return webauthn_register(&our_rp, (struct str){ (const char *)a->challenge, sizeof(a->challenge) }, buf_view(&a->client),
                             buf_view(&a->object), ret, why);
}

static enum err
get(struct authenticator *a, const struct change *c, const struct webauthn_credential *credential, uint32_t *ret_count,
    struct why *why)
{
    static const struct {
        int alg;
        enum sig_alg sig;
    } kinds[] = { { WEBAUTHN_ES256, SIG_ES256 }, { WEBAUTHN_EDDSA, SIG_EDDSA }, { WEBAUTHN_RS256, SIG_RS256 } };
    struct buf message = BUF_BOUNDED(BYTES);
    unsigned char hash[SHA256_LEN];
    bool verified = false;
    enum err e;

    client_write(a, "webauthn.get", c);
    auth_write(a, 0x05, c);
    sha256(buf_view(&a->client), hash);
    buf_add(&message, a->auth.data, a->auth.len);
    buf_add(&message, hash, sizeof(hash));
    buf_reset(&a->signature);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].alg == a->alg)
            assert_int_equal(key_sign(a->key, KEY_PERSON_SIGN, kinds[i].sig, buf_view(&message), false, &a->signature, why), OK);
    buf_free(&message);
    if (c->cut)
        a->auth.data[a->auth.len - 1] ^= 1;
    e = webauthn_assert(&our_rp, (struct str){ (const char *)a->challenge, sizeof(a->challenge) }, credential,
                        buf_view(&a->client), buf_view(&a->auth), buf_view(&a->signature), ret_count, &verified, why);
    if (e == OK)
        assert_true(verified == ((c->flags == 0 ? 0x05 : c->flags & 0x04) != 0));
    return e;
}

static void
test_registration(void **state)
{
    static const struct {
        const char *label;
        struct change change;
        const char *code;             /* NULL: good */
    } rows[] = {
        { "good", { 0 }, NULL },
        { "a member that nobody knows", { .more = ",\"crossOrigin\":false,\"x\":{\"y\":[1]}" }, NULL },
        { "without crossOrigin", { .more = "" }, NULL },
        { "user not verified", { .flags = 0x41 }, NULL },
        { "other type", { .type = "webauthn.get" }, "webauthn.type" },
        { "other challenge", { .other_challenge = true }, "webauthn.challenge" },
        { "other origin", { .origin = "https://idp.example" }, "webauthn.origin" },
        { "http", { .origin = "http://idp.example:8443" }, "webauthn.origin" },
        { "longer origin", { .origin = "https://idp.example:8443/" }, "webauthn.origin" },
        { "in a frame", { .more = ",\"crossOrigin\":true" }, "webauthn.origin" },
        { "crossOrigin is a text", { .more = ",\"crossOrigin\":\"false\"" }, "webauthn.origin" },
        { "in somebody's frame", { .more = ",\"crossOrigin\":false,\"topOrigin\":\"https://x.example\"" }, "webauthn.origin" },
        { "a member twice", { .more = ",\"origin\":\"https://idp.example:8443\"" }, "webauthn.malformed" },
        { "more after it", { .more = "} {\"a\":1" }, "webauthn.malformed" },
        { "other RP", { .rp = "example" }, "webauthn.rp" },
        { "nobody there", { .flags = 0x44 }, "webauthn.presence" },
        { "no credential", { .flags = 0x05 }, "webauthn.malformed" },
        { "key cut", { .cut = true }, "webauthn.algorithm" },
        { "none with a statement", { .statement = "a1617801" }, "webauthn.attestation" },
        { "packed with nothing", { .format = "packed" }, "webauthn.attestation" },
        { "packed, signed by nobody", { .format = "packed", .statement = "a263616c6726637369674100" }, "webauthn.attestation" },
        { "a format of tomorrow", { .format = "compound" }, "webauthn.attestation" },
        { "more after the object", { .tail = "x" }, "webauthn.malformed" },
        { "statement is no map", { .statement = "80" }, "webauthn.malformed" },
        { "statement without an end", { .statement = "bf" }, "webauthn.malformed" },
        { "statement of depth", { .statement = "a1617881818181818181818181818180" }, "webauthn.malformed" },
        { "statement of a billion", { .statement = "ba3b9aca00" }, "webauthn.malformed" },
    };
    static const int algs[] = { WEBAUTHN_ES256, WEBAUTHN_EDDSA, WEBAUTHN_RS256 };
    static struct webauthn_credential c;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(algs); k++) {
        struct authenticator a;

        authenticator_init(&a, algs[k]);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct why why = WHY_INIT;
            enum err e = create(&a, &rows[i].change, &c, &why);

            if (rows[i].code == NULL) {
                if (e != OK)
                    fail_msg("%s: %s", rows[i].label, why.text);
                assert_row(rows[i].label, c.alg == algs[k] && c.id_len == 4 && memcmp(c.id, "name", 4) == 0);
                assert_row(rows[i].label, c.user_verified == ((rows[i].change.flags & 0x40) == 0));
            } else {
                assert_row(rows[i].label, e == (strcmp(rows[i].code, "webauthn.malformed") == 0 ? ERR_INPUT : ERR_DENIED));
                assert_row_string(rows[i].label, why.code, rows[i].code);
            }
        }
        authenticator_done(&a);
    }
}

static void
test_assertion(void **state)
{
    static const struct {
        const char *label;
        uint32_t kept;
        struct change change;
        const char *code;
    } rows[] = {
        { "good, without counter", 0, { 0 }, NULL },
        { "good, first count", 0, { .count = 1 }, NULL },
        { "good, next count", 4294967294u, { .count = 4294967295u }, NULL },
        { "good, user not verified", 0, { .flags = 0x01 }, NULL },
        { "the same count", 5, { .count = 5 }, "webauthn.counter" },
        { "a count back", 5, { .count = 4 }, "webauthn.counter" },
        { "no count any more", 5, { .count = 0 }, "webauthn.counter" },
        { "other type", 0, { .type = "webauthn.create" }, "webauthn.type" },
        { "other challenge", 0, { .other_challenge = true }, "webauthn.challenge" },
        { "other origin", 0, { .origin = "https://idp.example.evil" }, "webauthn.origin" },
        { "other RP", 0, { .rp = "evil" }, "webauthn.rp" },
        { "nobody there", 0, { .flags = 0x04 }, "webauthn.presence" },
        { "altered", 0, { .cut = true, .count = 8 }, "webauthn.signature" },
    };
    static const int algs[] = { WEBAUTHN_ES256, WEBAUTHN_EDDSA, WEBAUTHN_RS256 };
    static struct webauthn_credential c, other;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(algs); k++) {
        struct authenticator a, b;
        struct why why = WHY_INIT;
        uint32_t count = 0;

        authenticator_init(&a, algs[k]);
        authenticator_init(&b, algs[k]);
        assert_int_equal(create(&a, &(struct change){ 0 }, &c, &why), OK);
        assert_int_equal(create(&b, &(struct change){ 0 }, &other, &why), OK);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct why w = WHY_INIT;
            enum err e;

            c.sign_count = rows[i].kept;
            e = get(&a, &rows[i].change, &c, &count, &w);
            if (rows[i].code == NULL) {
                if (e != OK)
                    fail_msg("%s: %s", rows[i].label, w.text);
                assert_row(rows[i].label, count == rows[i].change.count);
            } else {
                assert_row(rows[i].label, e == ERR_DENIED);
                assert_row_string(rows[i].label, w.code, rows[i].code);
            }
        }
        /* somebody else's key, and a key of another kind */
        assert_int_equal(get(&a, &(struct change){ 0 }, &other, &count, &why), ERR_DENIED);
        assert_string_equal(why.code, "webauthn.signature");
        other.alg = algs[(k + 1) % ARRAY_LEN(algs)];
        assert_int_not_equal(get(&b, &(struct change){ 0 }, &other, &count, &why), OK);
        authenticator_done(&a);
        authenticator_done(&b);
    }
}

static void
test_sizes(void **state)
{
    static char large[WEBAUTHN_ATTESTATION_MAX + 2];
    static struct webauthn_credential c;
    struct authenticator a;
    struct why why = WHY_INIT;
    const struct str challenge = { "0123456789abcdef0123456789abcdef", 32 };
    uint32_t count;
    bool verified;

    (void)state;
    memset(large, ' ', sizeof(large));
    assert_int_equal(webauthn_register(&our_rp, challenge, (struct str){ large, WEBAUTHN_CLIENT_DATA_MAX + 1 }, STR_LIT("x"), &c,
                                       &why), ERR_INPUT);
    assert_int_equal(webauthn_register(&our_rp, challenge, STR_LIT(""), STR_LIT("x"), &c, &why), ERR_INPUT);
    authenticator_init(&a, WEBAUTHN_ES256);
    assert_int_equal(create(&a, &(struct change){ 0 }, &c, &why), OK);
    memcpy(a.challenge, challenge.p, challenge.n);
    client_write(&a, "webauthn.create", &(struct change){ 0 });
    assert_int_equal(webauthn_register(&our_rp, challenge, buf_view(&a.client), (struct str){ large, sizeof(large) - 1 }, &c, &why),
                     ERR_INPUT);
    for (size_t n = 0; n < a.object.len; n++)
        assert_int_equal(webauthn_register(&our_rp, challenge, buf_view(&a.client), (struct str){ a.object.data, n }, &c, &why),
                         ERR_INPUT);
    /* a point that is not on its curve */
    memset(a.cose.data + a.cose.len - 32, 0, 32);
    memset(a.challenge, 0x5a, sizeof(a.challenge));
    assert_int_equal(create(&a, &(struct change){ 0 }, &c, &why), ERR_DENIED);
    assert_string_equal(why.code, "webauthn.algorithm");
    memcpy(a.challenge, challenge.p, challenge.n);
    client_write(&a, "webauthn.create", &(struct change){ 0 });
    /* a challenge of another length is nobody's */
    assert_int_equal(webauthn_register(&our_rp, (struct str){ challenge.p, 31 }, buf_view(&a.client), buf_view(&a.object), &c, &why),
                     ERR_DENIED);
    client_write(&a, "webauthn.get", &(struct change){ 0 });
    auth_write(&a, 5, &(struct change){ 0 });
    assert_int_equal(webauthn_assert(&our_rp, challenge, &c, buf_view(&a.client), buf_view(&a.auth),
                                     (struct str){ large, WEBAUTHN_SIGNATURE_MAX + 1 }, &count, &verified, &why), ERR_INPUT);
    assert_int_equal(webauthn_assert(&our_rp, challenge, &c, buf_view(&a.client), buf_view(&a.auth), STR_LIT(""), &count,
                                     &verified, &why), ERR_INPUT);
    assert_int_equal(webauthn_assert(&our_rp, challenge, &c, buf_view(&a.client), (struct str){ a.auth.data, 36 }, STR_LIT("x"),
                                     &count, &verified, &why), ERR_INPUT);
    authenticator_done(&a);
}

static void
test_who_asks(void **state)
{
    static const struct {
        const char *url, *id, *origin;
    } rows[] = {
        { "https://idp.example", "idp.example", "https://idp.example" },
        { "https://IDP.Example:443", "idp.example", "https://idp.example" },
        { "https://idp.example:8443", "idp.example", "https://idp.example:8443" },
        { "http://idp.localhost:80", "idp.localhost", "http://idp.localhost" },
        { "http://idp.localhost:443", "idp.localhost", "http://idp.localhost:443" },
        { "https://idp.example/compte", "idp.example", "https://idp.example" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena_freep) struct arena *a = arena_new(4096);
        struct webauthn_rp rp;

        webauthn_rp_of(rows[i].url, a, &rp);
        assert_row_string(rows[i].url, rp.id, rows[i].id);
        assert_row_string(rows[i].url, rp.origin, rows[i].origin);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_specification), cmocka_unit_test(test_registration),
        cmocka_unit_test(test_assertion), cmocka_unit_test(test_sizes), cmocka_unit_test(test_who_asks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
