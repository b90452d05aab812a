/*
 * fuzz_jose: a JWK when the input begins with '{', else a compact JWS.
 *
 * Nothing but the three signed texts of the RFCs may verify under the RFCs' keys; and a key that is read writes a JWK
 * that reads as the same key.
 */
#include "tests/fuzz/fuzz.h"

#include "base/crypto/jose.h"
#include "tests/unit/jose_vectors.h"

static const struct {
    const char *jwk, *compact;
    enum sig_alg alg;
} known[] = { { RFC7515_A2_JWK, RFC7515_A2_COMPACT, SIG_RS256 },
              { RFC7515_A3_JWK, RFC7515_A3_COMPACT, SIG_ES256 },
              { RFC8037_JWK, RFC8037_COMPACT, SIG_EDDSA } };
static struct key *keys[ARRAY_LEN(known)];

static void
check_jws(struct str text)
{
    struct jws jws;
    struct why why = WHY_INIT;

    if (jws_parse(text, &jws, &why) != OK) {
        CHECK(why.text[0] != '\0');
        return;
    }
    CHECK(jws.signing_input.p == text.p && jws.signing_input.n + 1 + jws.signature_b64.n == text.n);
    CHECK(strlen(jws.kid) < sizeof(jws.kid) && strlen(jws.typ) < sizeof(jws.typ));
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const size_t n = (size_t)(strrchr(known[i].compact, '.') - known[i].compact);

        if (jws_verify(&jws, keys[i], known[i].alg, &why) == OK)
            CHECK(str_eq(jws.signing_input, (struct str){ known[i].compact, n }));
    }
    jws_done(&jws);
}

static void
check_jwk(struct str text)
{
    AUTO(key_freep) struct key *k = NULL, *again = NULL;
    AUTO(buf_free) struct buf jwk = BUF_BOUNDED(8192);
    char a[44], b[44];

    if (key_from_jwk(text, &k, NULL) != OK)
        return;
    key_jwk(k, &jwk);
    CHECK(buf_ok(&jwk) && key_from_jwk(buf_view(&jwk), &again, NULL) == OK);
    key_thumbprint(k, a);
    key_thumbprint(again, b);
    CHECK(strcmp(a, b) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str text = { (const char *)data, size };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (keys[i] == NULL)
            CHECK(key_from_jwk(str_of(known[i].jwk), &keys[i], NULL) == OK);
    if (size > 0 && data[0] == '{')
        check_jwk(text);
    else
        check_jws(text);
    return 0;
}
