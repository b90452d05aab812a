/*
 * bench_csr: holders for the bench of the authority: N lines, each a UUID, a tab, and a PKCS#10 request of a new P-256 key in
 * base64. bench_csr N > FILE
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/crypto/der.h"
#include "base/crypto/key.h"
#include "pki/encode/name.h"

static void
request(struct buf *out)
{
    AUTO(key_freep) struct key *k = NULL;
    AUTO(buf_free) struct buf info = BUF_BOUNDED(1024), sig = BUF_BOUNDED(256);
    size_t begun = der_begin(&info, DER_SEQUENCE), part;

    CHECK(key_generate(KEY_P256, 0, KEY_PERSON_SIGN, &k) == OK);
    der_add_number(&info, DER_INTEGER, 0);
    part = der_begin(&info, DER_SEQUENCE);         /* no name */
    der_end(&info, part);
    key_spki(k, &info);
    part = der_begin(&info, DER_CONTEXT(0));       /* no attribute */
    der_end(&info, part);
    der_end(&info, begun);
    CHECK(key_sign(k, KEY_PERSON_SIGN, SIG_ES256, buf_view(&info), false, &sig, NULL) == OK);
    begun = der_begin(out, DER_SEQUENCE);
    buf_add_str(out, buf_view(&info));
    CHECK(sig_alg_encode(SIG_ES256, out, NULL) == OK);
    der_add_bit_string(out, buf_view(&sig));
    der_end(out, begun);
    CHECK(buf_ok(out));
}

int
main(int argc, char **argv)
{
    const long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    char id[UUID_TEXT_LEN + 1];

    for (long i = 0; i < n; i++) {
        AUTO(buf_free) struct buf der = BUF_BOUNDED(2048), text = BUF_BOUNDED(4096);

        request(&der);
        base64_encode(&text, der.data, der.len);
        rand_uuid(id);
        printf("%s\t%s\n", id, buf_cstr(&text));
    }
    return 0;
}
