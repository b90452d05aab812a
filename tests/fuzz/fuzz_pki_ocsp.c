/* fuzz_pki_ocsp: an OCSP request with anything in it. What is taken keeps to the bounds of its header. */
#include "tests/fuzz/fuzz.h"

#include "pki/request/ocsp_request.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ocsp_request got = { .n = 0 };
    struct why why = WHY_INIT;

    if (ocsp_request_read((struct str){ (const char *)data, size }, &got, &why) != OK) {
        CHECK(got.n == 0 && strncmp(why.code, "pki.ocsp.", 9) == 0);
        return 0;
    }
    CHECK(got.n >= 1 && got.n <= OCSP_REQUESTS_MAX && got.nonce.n <= OCSP_NONCE_MAX);
    for (size_t i = 0; i < got.n; i++) {
        CHECK(got.ids[i].serial.n >= 1 && got.ids[i].serial.n <= 20);
        CHECK(got.ids[i].name_hash.n == (got.ids[i].sha256 ? 32 : 20) && got.ids[i].key_hash.n == got.ids[i].name_hash.n);
        CHECK(got.ids[i].raw.p >= (const char *)data && got.ids[i].raw.p + got.ids[i].raw.n <= (const char *)data + size);
    }
    return 0;
}
