/* Raw queries of the HTTP-Redirect binding. */
#include "tests/fuzz/fuzz.h"

#include "idp/saml/redirect.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct saml_keys none = {.n = 0};
    struct saml_redirect r;

    if (saml_redirect_parse((struct str){(const char *)data, size}, &r, NULL) != OK)
        return 0;
    if (saml_redirect_is_signed(&r) && saml_redirect_verify(&r, &none, NULL) == OK)
        __builtin_trap(); /* without a key nothing is good */
    saml_redirect_done(&r);
    return 0;
}
