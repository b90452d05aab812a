/*
 * fuzz_webauthn: what a browser sends of a passkey. The first octet says what the rest is: an attestation object (even), or the
 * authenticator data of an assertion (odd); the client data around it are good, so that the rest is reached.
 */
#include "tests/fuzz/fuzz.h"

#include "idp/credential/webauthn.h"

static const struct webauthn_rp rp = { "example.org", "https://example.org" };
static const char challenge[] = "0123456789abcdef0123456789abcdef";

#define CLIENT(type)                                                                                                  \
    STR_LIT("{\"type\":\"" type "\",\"challenge\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\","                         \
            "\"origin\":\"https://example.org\"}")

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct webauthn_credential c;
    const struct str asked = { challenge, sizeof(challenge) - 1 };
    struct str rest;
    struct why why = WHY_INIT;
    uint32_t count;
    bool verified;

    if (size == 0)
        return 0;
    rest = (struct str){ (const char *)data + 1, size - 1 };
    if (data[0] % 2 == 0) {
        memset(&c, 0, sizeof(c));
        if (webauthn_register(&rp, asked, CLIENT("webauthn.create"), rest, &c, &why) == OK)
            CHECK(c.id_len > 0 && c.id_len <= sizeof(c.id) && c.key_len > 0 && c.key_len <= sizeof(c.key));
        return 0;
    }
    /* a key of nobody: nothing fits it */
    c = (struct webauthn_credential){ .alg = WEBAUTHN_EDDSA, .key_len = 32 };
    memset(c.key, 1, 32);
    CHECK(webauthn_assert(&rp, asked, &c, CLIENT("webauthn.get"), rest, STR_LIT("0123456789012345678901234567890123456789012345678901234567890123"),
                          &count, &verified, &why) != OK);
    return 0;
}
