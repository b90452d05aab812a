/*
 * jose: compact JWS (RFC 7515) by EVP, with the algorithm we chose; strict reading.
 *
 * The header never chooses anything: jws_verify() is told key and algorithm and refuses a message that names another.
 * "none", HS* and "crit" are refused, so are repeated members and bytes outside the three canonical parts. Header
 * members that carry keys or addresses (jwk, jku, x5u, x5c) are never read.
 */
#ifndef BASE_CRYPTO_JOSE_H
#define BASE_CRYPTO_JOSE_H

#include "base/crypto/key.h"

#define JWS_MAX 65536              /* bytes of a compact JWS, read or written */

const char *sig_alg_name(enum sig_alg alg);                            /* "RS256", … */
/* Allow-list; "none", HS* and other registered algorithms are ERR_DENIED, anything else ERR_INPUT. */
MUST_USE enum err sig_alg_parse(const char *name, enum sig_alg *ret);

/* header: {"alg":…,"kid":…,"typ":…}; kid or typ NULL: left out. claims_json is signed as it stands. Appends to out.
 * ERR_INPUT: kid or typ is not plain visible ASCII, or the result is too long; else as key_sign(). */
MUST_USE enum err jws_sign(struct key *k, enum key_purpose purpose, enum sig_alg alg, const char *kid,
                           const char *typ, const char *claims_json, struct buf *out, struct why *why);

struct jws {
    enum sig_alg alg;
    char kid[64];        /* "" when absent */
    char typ[32];
    struct buf payload;  /* not yet trusted before jws_verify; may hold any bytes, also after */
    struct str signing_input, signature_b64;   /* views into the input */
};
/* ERR_INPUT: malformed; ERR_DENIED: an algorithm or extension outside the allow-list. On failure *ret is untouched. */
MUST_USE enum err jws_parse(struct str compact, struct jws *ret, struct why *why);
/* ERR_DENIED: another algorithm than expected, a key it does not fit, or a wrong signature. */
MUST_USE enum err jws_verify(const struct jws *jws, const struct key *k, enum sig_alg expected, struct why *why);
void jws_done(struct jws *jws);

#endif
