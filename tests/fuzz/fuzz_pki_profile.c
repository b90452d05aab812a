/* fuzz_pki_profile: a profile with anything in it. What loads contradicts nothing and promises no more than its holder may have. */
#include "tests/fuzz/fuzz.h"

#include "pki/profile/profile.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const utime t = INT64_C(1795262645) * USEC_PER_SEC;
    struct profile *p = NULL;
    struct why why = WHY_INIT;

    if (profile_parse((struct str){ (const char *)data, size }, "fuzz.profile", &p, &why) != OK) {
        CHECK(p == NULL && why.text[0] != '\0');
        return 0;
    }
    CHECK(profile_check(p, NULL, 0) == 0);
    CHECK(profile_not_after(p, t) > t && profile_not_after(p, t) <= profile_cap_not_after((enum profile_holder)p->holder, t));
    CHECK(p->suspend != SUSPEND_HOLD || (p->suspendable && p->level == LEVEL_LOCAL));
    CHECK(p->level < LEVEL_2 || p->support == SUPPORT_CARD || p->holder == HOLDER_CA || p->holder == HOLDER_RESPONDER);
    CHECK(p->proofs != 0 && p->key_usage != 0 && (p->rsa_min > 0 || p->curves != 0));
    profile_free(p);
    return 0;
}
