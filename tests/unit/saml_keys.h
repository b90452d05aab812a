/* saml_keys: keys and certificates made for one run of a SAML test. */
#ifndef TESTS_UNIT_SAML_KEYS_H
#define TESTS_UNIT_SAML_KEYS_H

#include "saml_common.h"

#include "base/core/enc.h"
#include "base/crypto/key.h"
#include "idp/saml/sign.h"
#include "idp/saml/verify.h"

struct pair {
    struct key *key;
    struct buf cert;      /* DER */
    struct buf cert_b64;
    struct saml_signer signer;
    struct saml_keys keys; /* the public half, as read from the certificate */
};

static inline void
pair_make(struct pair *p, enum key_alg alg, int bits)
{
    struct why why = WHY_INIT;

    memset(p, 0, sizeof *p);
    p->cert = (struct buf)BUF_BOUNDED(8192);
    p->cert_b64 = (struct buf)BUF_BOUNDED(16384);
    assert_int_equal(key_generate(alg, bits, KEY_SAML_SIGN, &p->key), OK);
    assert_int_equal(key_self_certificate(p->key, "test", 0, INT64_C(4000000000) * USEC_PER_SEC, &p->cert, &why), OK);
    base64_encode(&p->cert_b64, p->cert.data, p->cert.len);
    p->signer = (struct saml_signer){p->key, buf_view(&p->cert)};
    assert_int_equal(key_public(buf_view(&p->cert), &p->keys.key[0], &why), OK);
    p->keys.n = 1;
}

static inline void
pair_done(struct pair *p)
{
    key_free(p->key);
    buf_free(&p->cert);
    buf_free(&p->cert_b64);
    saml_keys_done(&p->keys);
}

/* xml with an enveloped signature behind its Issuer. The caller frees. */
static inline char *
signed_message(const char *xml, const char *id, const struct pair *p)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    const char *at = strstr(xml, "</saml:Issuer>");
    struct why why = WHY_INIT;

    assert_non_null(at);
    assert_int_equal(saml_sign(&p->signer, id, str_of(xml), (size_t)(at - xml) + strlen("</saml:Issuer>"), &out, &why),
                     OK);
    return mem_strdup(buf_cstr(&out));
}

#endif
