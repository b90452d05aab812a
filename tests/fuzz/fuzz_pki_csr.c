/* fuzz_pki_csr: a certificate request with anything in it. What is taken holds a key that its own signature proves. */
#include "tests/fuzz/fuzz.h"

#include "pki/encode/name.h"
#include "pki/request/csr.h"
#include "pki/request/key_quality.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str der = { (const char *)data, size };
    unsigned char id[KEY_ID_LEN];
    struct csr csr = { .key = NULL };
    struct why why = WHY_INIT;

    if (csr_read(der, &csr, &why) == OK) {
        CHECK(csr.spki.p > der.p && csr.spki.p + csr.spki.n < der.p + der.n);
        CHECK(csr.subject.p > der.p && csr.subject.p + csr.subject.n < der.p + der.n);
        CHECK(csr.subject_alt_name.p == NULL || (csr.extension_request && csr.subject_alt_name.p > der.p &&
                                                 csr.subject_alt_name.p + csr.subject_alt_name.n <= der.p + der.n));
        CHECK(key_id(csr.spki, id, NULL) == OK && !key_can_sign(csr.key, KEY_TLS));
        (void)(key_quality_check(csr.spki, NULL, NULL, NULL) == OK);
        csr_done(&csr);
    } else {
        CHECK(csr.key == NULL && strncmp(why.code, "pki.csr.", 8) == 0);
    }
    /* signatures are hard to hit upon: keys alone, too */
    (void)(key_quality_check(der, NULL, NULL, NULL) == OK);
    return 0;
}
