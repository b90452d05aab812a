/* jose: compact JWS (RFC 7515) by EVP, with the algorithm we chose; strict reading. */
#ifndef BASE_CRYPTO_JOSE_H
#define BASE_CRYPTO_JOSE_H

#include "base/crypto/key.h"

const char *sig_alg_name(enum sig_alg alg);                            /* "RS256", … */
MUST_USE enum err sig_alg_parse(const char *name, enum sig_alg *ret);  /* allow-list; "none" and HS* are ERR_DENIED */

/* header: {"alg":…,"kid":…,"typ":…}; typ NULL: left out. claims_json is signed as it stands. */
MUST_USE enum err jws_sign(struct key *k, enum key_purpose purpose, enum sig_alg alg, const char *kid,
                           const char *typ, const char *claims_json, struct buf *out, struct why *why);

struct jws {
    enum sig_alg alg;
    char kid[64];        /* "" when absent */
    char typ[32];
    struct buf payload;  /* JSON text, not yet trusted before jws_verify */
    struct str signing_input, signature_b64;   /* views into the input */
};
MUST_USE enum err jws_parse(struct str compact, struct jws *ret, struct why *why);
MUST_USE enum err jws_verify(const struct jws *jws, const struct key *k, enum sig_alg expected, struct why *why);
void jws_done(struct jws *jws);

#endif
