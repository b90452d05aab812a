/*
 * fuzz_seal: sealed bytes for the recipient of the CFRG vector (hpke 0/16/1/2, see tests/unit/test_hpke.c). Nothing but
 * the vector itself opens. The same bytes are tried as an AES-GCM message under a fixed key: nothing opens.
 */
#include "tests/fuzz/fuzz.h"

#include "base/core/enc.h"
#include "base/crypto/seal-internal.h"

static const char ikm_r[] = "a0ce15d49e28bd47a18a97e147582d814b08cbe00109fed5ec27d1b4e9f6f5e3";
static const char vector[] =
    "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f0"
    "3e0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0"
    "58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d291742465e902cd216f8908da49f8f96f";
static struct key *recipient;

static void
start(void)
{
    AUTO(buf_free) struct buf ikm = BUF_BOUNDED(32);
    EVP_PKEY *pkey = NULL;

    CHECK(hex_decode(str_of(ikm_r), &ikm) == OK);
    CHECK(hpke_derive_key_pair(buf_view(&ikm), &pkey, NULL) == OK);
    CHECK(key_from_evp(pkey, true, KEY_SEAL, &recipient, NULL) == OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char nonce[12] = { 0 };
    const struct str sealed = { (const char *)data, size };
    AUTO(buf_free) struct buf out = BUF_SECRET(1 << 20), hex = BUF_BOUNDED(1 << 21);

    if (recipient == NULL)
        start();
    if (seal_open(recipient, STR_LIT("Ode on a Grecian Urn"), STR_LIT("Count-0"), sealed, &out, NULL) == OK) {
        hex_encode(&hex, data, size);
        CHECK(str_eqs(buf_view(&hex), vector));
        CHECK(str_eqs(buf_view(&out), "Beauty is truth, truth beauty"));
    } else {
        CHECK(out.len == 0);
    }
    buf_reset(&out);
    CHECK(gcm_open(STR_LIT("0123456789abcdef0123456789abcdef"), nonce, STR_NULL, sealed, &out, NULL) == ERR_DENIED);
    CHECK(out.len == 0);
    return 0;
}
