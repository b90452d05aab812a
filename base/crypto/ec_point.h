/* ec_point: is a point on its curve? Without making a key of it, which costs thirty times as much. Pure. */
#ifndef BASE_CRYPTO_EC_POINT_H
#define BASE_CRYPTO_EC_POINT_H

#include "base/crypto/key.h"

/* curve: KEY_P256 or KEY_P384. point: 04 || X || Y, coordinates below the prime; the point at infinity has another form. On a
 * curve of prime order, as both are, this is all there is to check of a public key (SP 800-56A §5.6.2.3.4). */
bool ec_point_is_on_curve(enum key_alg curve, struct str point);

#endif
