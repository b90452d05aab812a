/* ec_point: see ec_point.h. The two groups are made once per process; reading them needs no lock. */
#include <pthread.h>

#include "base/crypto/ec_point.h"
#include "base/crypto/ossl-internal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EC_GROUP *p256, *p384;

static void
groups_make(void)
{
    p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    p384 = EC_GROUP_new_by_curve_name(NID_secp384r1);
    CHECK(p256 != NULL && p384 != NULL);
}

bool
ec_point_is_on_curve(enum key_alg curve, struct str point)
{
    AUTO(EC_POINT_clear_freep) EC_POINT *p = NULL;
    const EC_GROUP *group;

    CHECK(curve == KEY_P256 || curve == KEY_P384);
    CHECK(pthread_once(&once, groups_make) == 0);
    group = curve == KEY_P256 ? p256 : p384;
    if (point.n != (curve == KEY_P256 ? 65u : 97u) || point.p[0] != 4 || (p = EC_POINT_new(group)) == NULL)
        return false;
    /* it looks at the equation too */
    if (EC_POINT_oct2point(group, p, str_bytes(point), point.n, NULL) == 1)
        return true;
    return ossl_why(NULL, ERR_INPUT, "point") == OK;      /* empties the error queue */
}
