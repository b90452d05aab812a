/* client: metadata of OIDC clients (RFC 7591 §2), as registered and as used. */
#include "idp/oidc/oidc-internal.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/core/text.h"

#define URIS_MAX 32
#define URI_MAX 2048

/* --- use --------------------------------------------------------------------------------------------------------------- */

static bool
known(char *const *list, size_t n, const char *uri)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], uri) == 0)       /* whole strings, OpenID Connect Core §3.1.2.1 */
            return true;
    }
    return false;
}

bool
oidc_client_redirect_known(const struct oidc_client *c, const char *uri)
{
    return known(c->redirect_uris, c->nredirect, uri);
}

bool
oidc_client_post_logout_known(const struct oidc_client *c, const char *uri)
{
    return known(c->post_logout_uris, c->npost_logout, uri);
}

enum err
oidc_secret_mac(const struct idp *idp, int version, const char *client_id, const char *secret,
                unsigned char ret[MAC_LEN])
{
    AUTO(buf_free) struct buf bound = BUF_SECRET(4096);

    buf_addf(&bound, "%s\n%s", client_id, secret);
    if (!buf_ok(&bound))
        return ERR_INPUT;
    return mac_compute(idp->pepper, version, "client_secret", buf_view(&bound), ret);
}

/* --- reading the stored document ------------------------------------------------------------------------------------------- */

static void
client_free(void *dialect)
{
    struct oidc_client *c = dialect;

    if (c == NULL)
        return;
    for (size_t i = 0; i < c->nredirect; i++)
        free(c->redirect_uris[i]);
    for (size_t i = 0; i < c->npost_logout; i++)
        free(c->post_logout_uris[i]);
    free(c->redirect_uris);
    free(c->post_logout_uris);
    free(c->backchannel_logout_uri);
    free(c);
}
static void
client_freep(struct oidc_client **c)
{
    client_free(*c);
}

static enum err
bad(const char *member, const char *what, struct why *why)
{
    return why_code(why, ERR_INPUT, "client.metadata", "\"%s\": %s", member, what);
}

/* "http://" and a loopback host that ends there: "http://127.0.0.1.example" is somebody else's. */
static bool
is_loopback_uri(const char *uri)
{
    static const char *const starts[] = { "http://127.0.0.1", "http://[::1]", "http://localhost" };

    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        size_t n = strlen(starts[i]);

        if (!str_starts(str_of(uri), starts[i]))
            continue;
        if (uri[n] == ':')
            n += 1 + strspn(uri + n + 1, "0123456789");
        return uri[n] == '\0' || uri[n] == '/' || uri[n] == '?';
    }
    return false;
}

/* A program's own scheme is a domain name backwards (RFC 8252 §7.1), so the dot comes before the colon: this leaves out
 * javascript:, data: and all that a browser runs or opens by itself. */
static bool
is_custom_uri(const char *uri)
{
    size_t n = strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789.+-");

    return uri[n] == ':' && memchr(uri, '.', n) != NULL;
}

/* https, or http on loopback for programs on a person's own machine (RFC 8252 §7.3); no fragment, no user part. */
static bool
is_web_uri(const char *uri, bool allow_custom)
{
    size_t n = strlen(uri);
    const char *host;

    if (n == 0 || n > URI_MAX || strpbrk(uri, " #\\\"<>\r\n\t") != NULL || !text_is_clean(str_of(uri), false))
        return false;
    if (strncmp(uri, "https://", 8) != 0)
        return is_loopback_uri(uri) || (allow_custom && is_custom_uri(uri));
    host = uri + 8;
    return host[0] != '\0' && host[0] != '/' && memchr(host, '@', strcspn(host, "/?")) == NULL;
}

static enum err
uris_read(const json_t *root, const char *member, bool native, char ***ret, size_t *ret_n, struct why *why)
{
    const json_t *list = json_object_get(root, member);
    size_t n = json_array_size(list);

    if (list == NULL)
        return OK;
    if (!json_is_array(list) || n > URIS_MAX)
        return bad(member, "not a list of addresses", why);
    *ret = mem_alloc_array(n + 1, sizeof(**ret));
    for (size_t i = 0; i < n; i++) {
        const char *uri = json_string_value(json_array_get(list, i));

        if (uri == NULL || !is_web_uri(uri, native))
            return bad(member, "an address is not https (or http on loopback) or has a fragment", why);
        (*ret)[(*ret_n)++] = mem_strdup(uri);
    }
    return OK;
}

static enum err
choice_read(const json_t *root, const char *member, const char *const *choices, size_t n, int *ret, struct why *why)
{
    const json_t *value = json_object_get(root, member);

    if (value == NULL)
        return OK;
    for (size_t i = 0; i < n; i++) {
        if (json_is_string(value) && strcmp(json_string_value(value), choices[i]) == 0) {
            *ret = (int)i;
            return OK;
        }
    }
    return bad(member, "not offered here", why);
}

/* A list, when given, must hold this word (grant_types, response_types). */
static enum err
list_has(const json_t *root, const char *member, const char *word, struct why *why)
{
    const json_t *list = json_object_get(root, member);

    if (list == NULL)
        return OK;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *s = json_string_value(json_array_get(list, i));

        if (s != NULL && strcmp(s, word) == 0)
            return OK;
    }
    return bad(member, "the authorization code flow is the one offered", why);
}

static enum err
client_read(const json_t *root, struct oidc_client **ret, struct why *why)
{
    static const char *const auth_names[] = { "client_secret_basic", "client_secret_post", "none" };
    static const char *const alg_names[] = { "RS256", "ES256" };
    static const char *const subject_names[] = { "pairwise" };
    static const char *const type_names[] = { "web", "native" };
    AUTO(client_freep) struct oidc_client *c = mem_alloc(sizeof(*c));
    int auth = 0, alg = 0, subject = 0, type = 0;
    const json_t *value;
    enum err e;

    if ((e = choice_read(root, "token_endpoint_auth_method", auth_names, 3, &auth, why)) != OK ||
        (e = choice_read(root, "id_token_signed_response_alg", alg_names, 2, &alg, why)) != OK ||
        (e = choice_read(root, "subject_type", subject_names, 1, &subject, why)) != OK ||
        (e = choice_read(root, "application_type", type_names, 2, &type, why)) != OK ||
        (e = list_has(root, "grant_types", "authorization_code", why)) != OK ||
        (e = list_has(root, "response_types", "code", why)) != OK ||
        (e = uris_read(root, "redirect_uris", type == 1, &c->redirect_uris, &c->nredirect, why)) != OK ||
        (e = uris_read(root, "post_logout_redirect_uris", type == 1, &c->post_logout_uris, &c->npost_logout, why)) != OK)
        return e;
    if (c->nredirect == 0)
        return bad("redirect_uris", "at least one is needed", why);
    c->auth = (enum client_auth)auth;
    c->id_token_alg = alg == 0 ? SIG_RS256 : SIG_ES256;
    c->require_pkce = c->auth == CLIENT_PUBLIC || json_is_true(json_object_get(root, "require_pkce"));
    value = json_object_get(root, "authorization_response_iss_parameter");
    c->iss_parameter = value == NULL || json_is_true(value);
    value = json_object_get(root, "backchannel_logout_uri");
    if (value != NULL && (!json_is_string(value) || !is_web_uri(json_string_value(value), false)))
        return bad("backchannel_logout_uri", "not an https address", why);
    if (value != NULL)
        c->backchannel_logout_uri = mem_strdup(json_string_value(value));
    *ret = TAKE(c);
    return OK;
}

static enum err
client_parse(struct str document, const char *policy, void **ret, struct why *why)
{
    AUTO(json_decrefp) json_t *root = json_loadb(document.p, document.n, JSON_REJECT_DUPLICATES, NULL);
    AUTO(client_freep) struct oidc_client *c = NULL;
    AUTO(buf_free) struct buf mac = BUF_BOUNDED(MAC_LEN);
    const char *hex = json_string_value(json_object_get(root, "beffroi_secret_mac"));
    enum err e;

    (void)policy;
    if ((e = client_read(root, &c, why)) != OK)
        return e;
    c->secret_version = (int)json_integer_value(json_object_get(root, "beffroi_secret_version"));
    if (c->auth != CLIENT_PUBLIC) {
        if (hex == NULL || hex_decode(str_of(hex), &mac) != OK || mac.len != MAC_LEN)
            return bad("beffroi_secret_mac", "missing or damaged", why);
        memcpy(c->secret_mac, mac.data, MAC_LEN);
    }
    *ret = TAKE(c);
    return OK;
}

const struct service_parser oidc_service_parser = { SERVICE_OIDC, client_parse, client_free };

/* --- registering ----------------------------------------------------------------------------------------------------------- */

static bool
is_client_id(const char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++) {
        if (s[i] < 0x21 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\')
            return false;
    }
    return n >= 1 && n <= 255;
}

/* Moves member out of root into the arena; NULL when absent. */
static const char *
take(json_t *root, const char *member, struct arena *a)
{
    const char *value = json_string_value(json_object_get(root, member));
    const char *copy = value == NULL ? NULL : arena_strdup(a, value);

    json_object_del(root, member);
    return copy;
}

static const char *
family_of(const char *given, const struct oidc_client *c, struct arena *a)
{
    const char *host;

    if (given != NULL)
        return given;
    /* Without a family the host of the first address is one of its own: nobody shares by accident. */
    host = strstr(c->redirect_uris[0], "://");
    if (host == NULL || host[3] == '[')      /* a scheme of its own, or [::1]: on the person's machine */
        return "native";
    return arena_printf(a, "host.%.*s", (int)strcspn(host + 3, ":/?"), host + 3);
}

static enum err
policy_write(json_t *root, struct arena *a, const char **ret, struct why *why)
{
    AUTO(json_decrefp) json_t *policy = json_object();
    json_t *attributes = json_object_get(root, "attributes");
    char *text;

    if (attributes != NULL && !json_is_array(attributes))
        return bad("attributes", "not a list", why);
    if (attributes != NULL)
        json_object_set(policy, "attributes", attributes);
    json_object_del(root, "attributes");
    if (json_object_get(root, "consent") != NULL)
        json_object_set(policy, "consent", json_object_get(root, "consent"));
    json_object_del(root, "consent");
    CHECK((text = json_dumps(policy, JSON_COMPACT)) != NULL);
    *ret = arena_strdup(a, text);
    free(text);
    return OK;
}

static const char *
dump(const json_t *root, struct arena *a)
{
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    const char *copy;

    CHECK(text != NULL);
    copy = arena_strdup(a, text);
    free(text);
    return copy;
}

enum err
oidc_client_register(const struct idp *idp, struct str json, struct arena *a, struct service_draft *ret_draft,
                     const char **ret_answer, struct why *why)
{
    AUTO(json_decrefp) json_t *root = NULL;
    AUTO(json_decrefp) json_t *answer = NULL;
    AUTO(client_freep) struct oidc_client *c = NULL;
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(128);
    const char *id, *secret, *family, *label_fr, *label_en, *name;
    char drawn_id[32], drawn_secret[48];
    unsigned char mac[MAC_LEN];
    json_error_t at;
    enum err e;

    root = json_loadb(json.p == NULL ? "" : json.p, json.n, JSON_REJECT_DUPLICATES, &at);
    if (!json_is_object(root))
        return why_code(why, ERR_INPUT, "client.metadata", "not a JSON object: %s (line %d)", at.text, at.line);
    if ((e = client_read(root, &c, why)) != OK)
        return e;
    answer = json_deep_copy(root);
    id = take(root, "client_id", a);
    secret = take(root, "client_secret", a);
    family = take(root, "family", a);
    label_fr = take(root, "client_name#fr", a);
    label_en = take(root, "client_name#en", a);
    name = json_string_value(json_object_get(root, "client_name"));
    rand_token(16, drawn_id, sizeof(drawn_id));
    if (id == NULL)
        id = arena_strdup(a, drawn_id);
    if (!is_client_id(id))
        return bad("client_id", "1 to 255 visible ASCII characters", why);
    if (secret != NULL && (c->auth == CLIENT_PUBLIC || strlen(secret) < 16 || strlen(secret) > 512))
        return bad("client_secret", "16 to 512 characters, and none for a public client", why);
    rand_token(32, drawn_secret, sizeof(drawn_secret));
    if (secret == NULL && c->auth != CLIENT_PUBLIC)
        secret = arena_strdup(a, drawn_secret);
    if (secret != NULL) {
        int version = keyring_current(idp->pepper);

        if ((e = oidc_secret_mac(idp, version, id, secret, mac)) != OK)
            return why_set(why, e, "no pepper");
        hex_encode(&hex, mac, sizeof(mac));
        json_object_set_new(root, "beffroi_secret_mac", json_string(buf_cstr(&hex)));
        json_object_set_new(root, "beffroi_secret_version", json_integer(version));
        json_object_set_new(answer, "client_secret", json_string(secret));
        json_object_set_new(answer, "client_secret_expires_at", json_integer(0));
    }
    json_object_set_new(answer, "client_id", json_string(id));
    *ret_draft = (struct service_draft){ .kind = SERVICE_OIDC, .name = id, .family = family_of(family, c, a) };
    if ((e = policy_write(root, a, &ret_draft->policy, why)) != OK)
        return e;
    ret_draft->label_fr = label_fr != NULL ? label_fr : name != NULL ? arena_strdup(a, name) : id;
    ret_draft->label_en = label_en != NULL ? label_en : name != NULL ? arena_strdup(a, name) : ret_draft->label_fr;
    ret_draft->document = str_of(dump(root, a));
    *ret_answer = dump(answer, a);
    return OK;
}
