/* Metadata of services. */
#include "tests/fuzz/fuzz.h"

#include "idp/saml/judge.h"
#include "idp/saml/sp.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct saml_keys none = {.n = 0};
    const struct str text = {(const char *)data, size};
    AUTO(saml_sp_freep) struct saml_sp *sp = NULL;

    if (saml_metadata_verify(text, &none, NULL) == OK)
        __builtin_trap(); /* without a key nothing is good */
    if (saml_metadata_read(text, &sp, NULL) != OK)
        return 0;
    if (saml_default_acs(sp) == NULL)
        __builtin_trap(); /* the reader promises one */
    err_ignore(saml_policy_read("{\"encrypt\": true}", sp, NULL));
    return 0;
}
