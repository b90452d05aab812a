/*
 * bench_crypto: what base/crypto costs beside the bare OpenSSL call of the same run, in CPU time of this thread.
 *
 * Built by `make bench_crypto` (never by default, never a test); compare with `openssl speed` on a quiet machine.
 */
#include <stdio.h>

#include <openssl/rsa.h>

#include "base/crypto/jose.h"
#include "base/crypto/key-internal.h"
#include "base/crypto/password.h"
#include "base/crypto/seal.h"
#include "tests/bench/measure.h"

static const struct str message = STR_LIT("0123456789012345678901234567890123456789012345678901234567890123");

struct work {
    struct key *k;
    enum sig_alg alg;
    EVP_PKEY_CTX *ctx;
    struct buf sig, sealed;
};

/* The ceiling: what `openssl speed` does, a digest already there and a context of its own. */
static void
bare_sign(void *arg)
{
    struct work *w = arg;
    static const unsigned char digest[32] = { 1 };
    unsigned char sig[KEY_SIG_MAX];
    size_t n = sizeof(sig);

    CHECK(EVP_PKEY_sign(w->ctx, sig, &n, digest, sizeof(digest)) == 1);
}

static void
our_sign(void *arg)
{
    struct work *w = arg;

    buf_reset(&w->sig);
    CHECK(key_sign(w->k, KEY_OIDC_SIGN, w->alg, message, true, &w->sig, NULL) == OK);
}

static void
our_verify(void *arg)
{
    struct work *w = arg;

    CHECK(key_verify(w->k, w->alg, message, buf_view(&w->sig), true, NULL) == OK);
}

static void
our_jws(void *arg)
{
    struct work *w = arg;
    struct buf out = BUF_BOUNDED(4096);

    CHECK(jws_sign(w->k, KEY_OIDC_SIGN, w->alg, "k", "JWT", "{\"sub\":\"248289761001\",\"nonce\":\"n-0S6_WzA2Mj\"}", &out,
                   NULL) == OK);
    buf_free(&out);
}

static void
our_seal(void *arg)
{
    struct work *w = arg;

    buf_reset(&w->sealed);
    CHECK(seal_to(w->k, STR_NULL, STR_NULL, message, &w->sealed, NULL) == OK);
}

static void
our_open(void *arg)
{
    struct work *w = arg;
    struct buf out = BUF_SECRET(1024);

    CHECK(seal_open(w->k, STR_NULL, STR_NULL, buf_view(&w->sealed), &out, NULL) == OK);
    buf_free(&out);
}

static void
our_password(void *arg)
{
    const struct password_cost cost = PASSWORD_COST_DEFAULT;

    (void)arg;
    CHECK(password_verify_nobody(message, &cost, NULL) == ERR_DENIED);
}

static void
signatures(const char *name, enum key_alg key, enum sig_alg alg)
{
    struct work w = { .alg = alg, .sig = BUF_BOUNDED(KEY_SIG_MAX) };
    double bare = 0, ours, verify, jws;

    CHECK(key_generate(key, 2048, KEY_OIDC_SIGN, &w.k) == OK);
    if (alg != SIG_EDDSA) {
        w.ctx = EVP_PKEY_CTX_new_from_pkey(NULL, w.k->pkey, NULL);
        CHECK(w.ctx != NULL && EVP_PKEY_sign_init(w.ctx) == 1 &&
              EVP_PKEY_CTX_set_signature_md(w.ctx, EVP_sha256()) == 1);
        if (key == KEY_RSA)
            CHECK(EVP_PKEY_CTX_set_rsa_padding(w.ctx, RSA_PKCS1_PADDING) == 1);
        bare = measure(bare_sign, &w);
    }
    ours = measure(our_sign, &w);
    verify = measure(our_verify, &w);
    jws = measure(our_jws, &w);
    if (bare > 0)
        printf("%-8s key_sign %7.1f us   EVP_PKEY_sign %7.1f us (%.1f %%)   jws_sign %7.1f us   key_verify %6.1f us\n", name,
               ours, bare, 100 * bare / ours, jws, verify);
    else
        printf("%-8s key_sign %7.1f us   jws_sign %7.1f us   key_verify %6.1f us\n", name, ours, jws, verify);
    EVP_PKEY_CTX_free(w.ctx);
    key_free(w.k);
    buf_free(&w.sig);
}

int
main(void)
{
    struct work w = { .sealed = BUF_BOUNDED(1024) };
    double seal, open;

    signatures("RS256", KEY_RSA, SIG_RS256);
    signatures("ES256", KEY_P256, SIG_ES256);
    signatures("EdDSA", KEY_ED25519, SIG_EDDSA);
    CHECK(key_generate(KEY_P256, 0, KEY_SEAL, &w.k) == OK);
    seal = measure(our_seal, &w);
    open = measure(our_open, &w);
    printf("seal_to  %7.1f us   seal_open %7.1f us\n", seal, open);
    printf("argon2id 19 MiB, 2 passes: %.1f ms\n", measure(our_password, NULL) / 1000);
    key_free(w.k);
    buf_free(&w.sealed);
    return 0;
}
