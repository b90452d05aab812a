/* release: what a service is given besides its pairwise identifier (T-10), and whether the person is asked. Read from the
 * policy's "attributes" and "consent". */
#include "idp/services/services-internal.h"

#include <jansson.h>
#include <stdlib.h>

void
service_release_done(struct service_release *r)
{
    for (size_t i = 0; i < r->nauthz; i++)
        free(r->authz[i]);
    free(r->authz);
    memset(r, 0, sizeof(*r));
}

static bool
is_authz_code(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return n > 0 && n <= 64 && s[n] == '\0' && s[0] >= 'a' && s[0] <= 'z';
}

static enum err
release_one(const char *name, struct service_release *r, struct why *why)
{
    static const char prefix[] = "authorisations:";

    if (strcmp(name, "authorisations") == 0) {
        r->authz_all = true;
    } else if (strcmp(name, "town") == 0) {
        r->town = true;
    } else if (strcmp(name, "pairwise-id") == 0) {
        r->pairwise_attribute = true;
    } else if (strncmp(name, prefix, sizeof(prefix) - 1) == 0 && is_authz_code(name + sizeof(prefix) - 1)) {
        r->authz = mem_realloc_array(r->authz, r->nauthz + 1, sizeof(*r->authz));
        r->authz[r->nauthz++] = mem_strdup(name + sizeof(prefix) - 1);
    } else {
        return why_code(why, ERR_INPUT, "service.attribute",
                        "unknown attribute %s: authorisations, authorisations:CODE, town, pairwise-id", name);
    }
    return OK;
}

static enum err
consent_parse(const json_t *word, enum service_consent *ret, struct why *why)
{
    static const char *const words[] = { "none", "first", "always" };

    if (word == NULL)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (json_is_string(word) && strcmp(json_string_value(word), words[i]) == 0) {
            *ret = (enum service_consent)i;
            return OK;
        }
    }
    return why_code(why, ERR_INPUT, "service.consent", "\"consent\" is none of none, first, always");
}

enum err
service_release_parse(const char *policy, struct service_release *ret, struct why *why)
{
    AUTO(service_release_done) struct service_release r = { .authz_all = false };
    AUTO(json_decrefp) json_t *root = NULL;
    const json_t *list;
    json_error_t at;
    enum err e;

    root = json_loads(policy, JSON_REJECT_DUPLICATES, &at);
    if (!json_is_object(root))
        return why_code(why, ERR_INPUT, "service.policy", "the policy is not a JSON object: %s", at.text);
    list = json_object_get(root, "attributes");
    if (list != NULL && !json_is_array(list))
        return why_code(why, ERR_INPUT, "service.policy", "\"attributes\" is not a list");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (name == NULL)
            return why_code(why, ERR_INPUT, "service.policy", "\"attributes\" holds something that is no text");
        if ((e = release_one(name, &r, why)) != OK)
            return e;
    }
    if ((e = consent_parse(json_object_get(root, "consent"), &r.consent, why)) != OK)
        return e;
    *ret = r;
    memset(&r, 0, sizeof(r));
    return OK;
}

size_t
service_release_authz(const struct service *sv, const struct str *in, size_t n, struct str *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        bool given = sv->release.authz_all;

        for (size_t k = 0; !given && k < sv->release.nauthz; k++)
            given = str_eqs(in[i], sv->release.authz[k]);
        if (given)
            out[kept++] = in[i];
    }
    return kept;
}
