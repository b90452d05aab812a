/* seal_tool KEY.pem INFO AAD: opens what stands on standard input (base64url) as a town does; for tests only. */
#include <stdio.h>

#include "base/core/enc.h"
#include "base/crypto/key.h"
#include "base/crypto/seal.h"

int
main(int argc, char **argv)
{
    AUTO(key_freep) struct key *key = NULL;
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(65536);
    AUTO(buf_free) struct buf plain = BUF_BOUNDED(65536);
    struct why why = WHY_INIT;
    char text[65536], uri[4096];
    size_t n = fread(text, 1, sizeof(text), stdin);

    if (argc != 4)
        return 2;
    snprintf(uri, sizeof(uri), "file:%s", argv[1]);
    if (key_load(uri, KEY_SEAL, &key, &why) != OK ||
        base64url_decode(str_trim((struct str){ text, n }), &sealed) != OK ||
        seal_open(key, str_of(argv[2]), str_of(argv[3]), buf_view(&sealed), &plain, &why) != OK) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    fwrite(plain.data, 1, plain.len, stdout);
    return 0;
}
