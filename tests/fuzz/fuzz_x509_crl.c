/*
 * fuzz_x509_crl: a CRL from outside. What is read is sorted, found again by its own serial numbers, and never verified by a key
 * that did not sign it.
 */
#include "tests/fuzz/fuzz.h"

#include "base/crypto/x509-internal.h"

static const char spki[] = "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"
                           "\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a"
                           "\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";       /* RFC 8032 §7.1 */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(x509_crl_freep) struct x509_crl *crl = NULL;
    AUTO(x509_done) struct x509_cert stranger = { .spki = BUF_BOUNDED(128) };
    struct why why = WHY_INIT;

    if (x509_crl_read((struct str){ (const char *)data, size }, &crl, &why) != OK) {
        CHECK(why.text[0] != '\0' && crl == NULL);
        return 0;
    }
    for (size_t i = 0; i < crl->n_entries; i++) {
        const struct x509_crl_entry *e = &crl->entries[i], *found;
        const struct str serial = { crl->serials.data + e->serial_at, e->serial_len };

        CHECK(e->issuer <= crl->n_issuers);
        found = x509_crl_find(crl, e->issuer == 0 ? crl->issuer : crl->issuers[e->issuer - 1], serial);
        CHECK(found != NULL && found->issuer == e->issuer && (found <= e));
    }
    CHECK(x509_crl_find(crl, crl->issuer, STR_NULL) == NULL);
    buf_add(&stranger.spki, spki, sizeof(spki) - 1);
    CHECK(x509_crl_verify(crl, &stranger, NULL) != OK);
    return 0;
}
