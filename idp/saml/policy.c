/*
 * policy: the operator's JSON policy of a SAML service (see struct saml_policy). Attributes are checked here and
 * applied by idp/services, which owns the release policy.
 */
#include "idp/saml/sp.h"

#include <jansson.h>

typedef enum err (*policy_reader)(const json_t *value, struct saml_sp *sp, struct why *why);

static void
json_freep(json_t **j)
{
    json_decref(*j);
}

static enum err
wrong(const char *key, const char *expected, struct why *why)
{
    return why_code(why, ERR_INPUT, "saml.policy", "policy: %s must be %s", key, expected);
}

static enum err
read_bool(const json_t *value, const char *key, bool *ret, struct why *why)
{
    if (!json_is_boolean(value))
        return wrong(key, "true or false", why);
    *ret = json_is_true(value);
    return OK;
}

static enum err
read_text(const json_t *value, const char *key, struct saml_sp *sp, const char **ret, struct why *why)
{
    const char *text = json_string_value(value);

    if (text == NULL || text[0] == 0 || strlen(text) > 200 || strlen(text) != json_string_length(value))
        return wrong(key, "a text of 1 to 200 characters", why);
    *ret = arena_strdup(sp->arena, text);
    return OK;
}

static enum err
read_require_signed(const json_t *value, struct saml_sp *sp, struct why *why)
{
    return read_bool(value, "require_signed_authnrequest", &sp->policy.require_signed_authnrequest, why);
}

static enum err
read_encrypt(const json_t *value, struct saml_sp *sp, struct why *why)
{
    return read_bool(value, "encrypt", &sp->policy.encrypt, why);
}

static enum err
read_nameid(const json_t *value, struct saml_sp *sp, struct why *why)
{
    const char *text = json_string_value(value);

    if (text != NULL && strcmp(text, "persistent") == 0)
        sp->policy.nameid = SAML_NAMEID_PERSISTENT;
    else if (text != NULL && strcmp(text, "transient") == 0)
        sp->policy.nameid = SAML_NAMEID_TRANSIENT;
    else
        return wrong("nameid", "\"persistent\" or \"transient\"", why);
    return OK;
}

static enum err
read_sign(const json_t *value, struct saml_sp *sp, struct why *why)
{
    const char *text = json_string_value(value);

    if (text != NULL && strcmp(text, "assertion") == 0)
        sp->policy.sign = SAML_SIGN_ASSERTION;
    else if (text != NULL && strcmp(text, "response") == 0)
        sp->policy.sign = SAML_SIGN_RESPONSE;
    else if (text != NULL && strcmp(text, "both") == 0)
        sp->policy.sign = SAML_SIGN_BOTH;
    else
        return wrong("sign", "\"assertion\", \"response\" or \"both\"", why);
    return OK;
}

static bool
is_code(const char *s)
{
    size_t i;

    for (i = 0; s[i] != 0; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (i > 0 && ((s[i] >= '0' && s[i] <= '9') || s[i] == '_'))))
            return false;
    return i >= 1 && i <= 64;
}

static enum err
read_attributes(const json_t *value, struct saml_sp *sp, struct why *why)
{
    size_t i;

    (void)sp;
    if (!json_is_array(value))
        return wrong("attributes", "a list", why);
    for (i = 0; i < json_array_size(value); i++) {
        const char *item = json_string_value(json_array_get(value, i));

        if (item == NULL || !(strcmp(item, "authorisations") == 0 || strcmp(item, "town") == 0 ||
                              strcmp(item, "pairwise-id") == 0 ||
                              (strncmp(item, "authorisations:", 15) == 0 && is_code(item + 15))))
            return wrong("attributes",
                         "a list of \"authorisations\", \"authorisations:CODE\", \"town\" or \"pairwise-id\"", why);
    }
    return OK;
}

bool
saml_family_is_good(const char *family)
{
    size_t i;

    for (i = 0; family[i] != 0; i++)
        if (!((family[i] >= 'a' && family[i] <= 'z') || (family[i] >= '0' && family[i] <= '9') ||
              (i > 0 && strchr("._-", family[i]) != NULL)))
            return false;
    return i >= 1 && i <= 63;
}

static enum err
read_family(const json_t *value, struct saml_sp *sp, struct why *why)
{
    const char *family = json_string_value(value);

    if (family == NULL || !saml_family_is_good(family))
        return wrong("family", "1 to 63 lower-case letters, digits, '.', '_', '-'", why);
    sp->policy.family = arena_strdup(sp->arena, family);
    return OK;
}

static enum err
read_label_fr(const json_t *value, struct saml_sp *sp, struct why *why)
{
    return read_text(value, "label_fr", sp, &sp->policy.label_fr, why);
}

static enum err
read_label_en(const json_t *value, struct saml_sp *sp, struct why *why)
{
    return read_text(value, "label_en", sp, &sp->policy.label_en, why);
}

static enum err
read_allow_unsolicited(const json_t *value, struct saml_sp *sp, struct why *why)
{
    return read_bool(value, "allow_unsolicited", &sp->policy.allow_unsolicited, why);
}

static enum err
read_allow_http(const json_t *value, struct saml_sp *sp, struct why *why)
{
    return read_bool(value, "allow_http", &sp->policy.allow_http, why);
}

static enum err
read_allow_private(const json_t *value, struct saml_sp *sp, struct why *why)
{
    return read_bool(value, "allow_private", &sp->policy.allow_private, why);
}

static enum err
read_consent(const json_t *value, struct saml_sp *sp, struct why *why)
{
    const char *word = json_string_value(value);

    (void)sp; /* applied by idp/services */
    if (word == NULL || (strcmp(word, "none") != 0 && strcmp(word, "first") != 0 && strcmp(word, "always") != 0))
        return wrong("consent", "\"none\", \"first\" or \"always\"", why);
    return OK;
}

static const struct {
    const char *key;
    policy_reader read;
} readers[] = {
    {"require_signed_authnrequest", read_require_signed},
    {"encrypt", read_encrypt},
    {"nameid", read_nameid},
    {"sign", read_sign},
    {"attributes", read_attributes},
    {"consent", read_consent},
    {"family", read_family},
    {"label_fr", read_label_fr},
    {"label_en", read_label_en},
    {"allow_unsolicited", read_allow_unsolicited},
    {"allow_http", read_allow_http},
    {"allow_private", read_allow_private},
};

static enum err
read_key_value(const char *key, const json_t *value, struct saml_sp *sp, struct why *why)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(readers); i++)
        if (strcmp(key, readers[i].key) == 0)
            return readers[i].read(value, sp, why);
    return why_code(why, ERR_INPUT, "saml.policy", "policy: unknown key %s", key);
}

static enum err
check_possible(const struct saml_sp *sp, struct why *why)
{
    if (sp->policy.encrypt && sp->encryption == NULL)
        return why_code(why, ERR_INPUT, "saml.policy.encrypt",
                        "policy: encrypt, but the metadata hold no usable RSA key of 2048 bits or more for encryption");
    if (sp->policy.encrypt && sp->no_common_cipher)
        return why_code(why, ERR_INPUT, "saml.policy.encrypt",
                        "policy: encrypt, but the metadata list only methods that we refuse");
    if (sp->policy.require_signed_authnrequest && sp->signing.n == 0)
        return why_code(why, ERR_INPUT, "saml.policy.signed",
                        "signed requests are required, but the metadata hold no usable signing key");
    return OK;
}

enum err
saml_policy_read(const char *json, struct saml_sp *sp, struct why *why)
{
    json_error_t error;
    AUTO(json_freep) json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &error);
    const char *key;
    json_t *value;
    enum err e;

    if (root == NULL || !json_is_object(root))
        return why_code(why, ERR_INPUT, "saml.policy", "policy: not a JSON object (line %d: %s)", error.line,
                        root == NULL ? error.text : "another type");
    json_object_foreach(root, key, value)
        if ((e = read_key_value(key, value, sp, why)) != OK)
            return e;
    if (sp->want_assertions_signed) /* metadata ask for it: a signature around it alone would not do */
        sp->policy.sign |= SAML_SIGN_ASSERTION;
    return check_possible(sp, why);
}
