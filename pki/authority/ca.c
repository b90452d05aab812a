/* ca: names and states of authorities; the rows are in ca_store.c. */
#include <stdio.h>

#include "pki/authority/ca.h"

static const char *const states[] = { [CA_CEREMONY] = "ceremony", [CA_ACTIVE] = "active", [CA_RETIRING] = "retiring",
                                      [CA_ENDED] = "ended", [CA_COMPROMISED] = "compromised" };

const char *
ca_state_name(enum ca_state state)
{
    return states[state];
}

bool
ca_name_ok(struct str name)
{
    if (name.n == 0 || name.n > CA_NAME_MAX || name.p[0] < 'a' || name.p[0] > 'z')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

void
ca_label(const char *name, int generation, char out[CA_LABEL_SIZE])
{
    const int n = snprintf(out, CA_LABEL_SIZE, "%s-g%d", name, generation);

    CHECK(n > 0 && n < CA_LABEL_SIZE);
}
