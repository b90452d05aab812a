/* responder: see responder.h. The judge asks the same of the rows: pki/authority/issue_store.c. */
#include "pki/authority/responder.h"

#include <stdio.h>

static bool
node_ok(struct str node)
{
    for (size_t i = 0; i < node.n; i++) {
        const char c = node.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'))
            return false;
    }
    return node.n > 0;
}

enum err
responder_holder(const char *ca, const char *node, char out[RESPONDER_HOLDER_MAX + 1], struct why *why)
{
    char text[RESPONDER_HOLDER_MAX + 1];
    const int n = snprintf(text, sizeof(text), "%s/%s", ca, node);

    if (!node_ok(str_of(node)) || n < 0 || (size_t)n >= sizeof(text))
        return why_set(why, ERR_INPUT, "a node is named with letters, digits, '.', '-' and '_', short enough to stand beside %s", ca);
    memcpy(out, text, sizeof(text));
    return OK;
}

const struct profile *
responder_profile(const struct profile_set *profiles)
{
    for (size_t i = 0; i < profiles->n; i++)
        if (profiles->items[i]->use == USE_OCSP_SIGNING)
            return profiles->items[i];
    return NULL;
}
