/* der-internal: what the three files of der share: the alphabets of string types. */
#ifndef BASE_CRYPTO_DER_INTERNAL_H
#define BASE_CRYPTO_DER_INTERNAL_H

#include "base/core/utf8.h"
#include "base/crypto/der.h"

static inline bool
der_is_utf8(struct str s)
{
    uint32_t c;
    size_t n;

    for (; s.n > 0; s.p += n, s.n -= n)
        if ((n = utf8_next(s, &c)) == 0)
            return false;
    return true;
}

/* X.680 §41.4: letters, digits, space and ' ( ) + , - . / : = ? */
static inline bool
der_is_printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr(" '()+,-./:=?", c) != NULL)))
            return false;
    }
    return true;
}

#endif
