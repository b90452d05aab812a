/* authority_json: the bodies of docs/pki-api.yaml, written and read. */
#include "idp/credential/authority-internal.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/secret.h"

#define LIST_MAX 200

/* --- writing ---------------------------------------------------------------------------------------------------------- */

static json_t *
time_json(utime t)
{
    char text[UTIME_RFC3339_LEN + 1];

    utime_rfc3339(t, text);
    return json_string(text);
}

static void
put_text(json_t *object, const char *name, const char *value)
{
    if (value != NULL)
        json_object_set_new(object, name, json_string(value));
}

/* Takes the object. */
static void
write_out(json_t *object, struct buf *out)
{
    char *text = json_dumps(object, JSON_COMPACT);

    CHECK(text != NULL);
    buf_adds(out, text);
    mem_wipe(text, strlen(text));
    free(text);
    json_decref(object);
}

static json_t *
names_json(const struct authority_holder *h)
{
    json_t *names = json_object();

    put_text(names, "number", h->number);
    put_text(names, "given_name", h->given_name);
    put_text(names, "surname", h->surname);
    put_text(names, "serial_number", h->serial_number);
    return names;
}

void
authority_write_registration(const struct authority_holder *h, struct buf *out)
{
    write_out(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "profile", h->profile, "holder", h->holder, "town", h->town,
                        "support", "software", "proof", "face_to_face", "proof_ref", h->proof_ref, "proof_at",
                        time_json(h->proof_at), "names", names_json(h)), out);
}

void
authority_write_identification(const struct authority_holder *h, struct buf *out)
{
    write_out(json_pack("{s:s, s:s, s:o, s:o}", "proof", "face_to_face", "proof_ref", h->proof_ref, "proof_at",
                        time_json(h->proof_at), "names", names_json(h)), out);
}

void
authority_write_acceptance(const char *proof_ref, struct buf *out)
{
    write_out(json_pack("{s:s}", "proof_ref", proof_ref), out);
}

void
authority_write_act(const struct authority_act *act, struct buf *out)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s}", "act", act->act, "ca", act->ca, "serial", act->serial, "requester",
                               act->requester, "requester_ref", act->requester_ref);

    put_text(object, "reason", act->reason);
    write_out(object, out);
}

/* --- reading ---------------------------------------------------------------------------------------------------------- */

static enum err
foreign(struct why *why)
{
    return why_code(why, ERR_UNAVAILABLE, "authority.answer", "the authority's answer is not of its API");
}

/* ERR_UNAVAILABLE with *ret untouched. */
static enum err
parse(struct str json, json_t **ret, struct why *why)
{
    json_t *root = json_loadb(json.p == NULL ? "" : json.p, json.n, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(root)) {
        json_decref(root);
        return foreign(why);
    }
    *ret = root;
    return OK;
}

static const char *
text_of(const json_t *object, const char *name, struct arena *a)
{
    const char *s = json_string_value(json_object_get(object, name));

    return s == NULL ? NULL : arena_strdup(a, s);
}

static bool
time_of(const json_t *object, const char *name, utime *ret)
{
    const char *s = json_string_value(json_object_get(object, name));

    return s != NULL && utime_parse(s, ret) == OK;
}

static bool
der_of(const json_t *object, struct arena *a, struct str *ret)
{
    const json_t *value = json_object_get(object, "certificate");
    AUTO(buf_free) struct buf der = BUF_BOUNDED(64 * 1024);

    if (value == NULL)
        return true;
    if (!json_is_string(value) || base64_decode(str_of(json_string_value(value)), false, &der) != OK || der.len == 0)
        return false;
    *ret = (struct str){ arena_dup(a, der.data, der.len), der.len };
    return true;
}

static enum err
certificate_of(const json_t *object, struct arena *a, struct authority_certificate *ret, struct why *why)
{
    struct authority_certificate c = { .ca = text_of(object, "ca", a), .serial = text_of(object, "serial", a),
                                       .state = text_of(object, "state", a), .registration = text_of(object, "registration", a) };

    if (c.ca == NULL || c.serial == NULL || c.state == NULL || c.registration == NULL ||
        !time_of(object, "not_before", &c.not_before) || !time_of(object, "not_after", &c.not_after) ||
        !der_of(object, a, &c.der))
        return foreign(why);
    *ret = c;
    return OK;
}

static enum err
certificates_of(const json_t *root, struct arena *a, struct authority_certificate **ret, size_t *ret_n, struct why *why)
{
    const json_t *array = json_object_get(root, "certificates");
    const size_t n = json_array_size(array);
    struct authority_certificate *list;
    enum err e;

    if (!json_is_array(array) || n > LIST_MAX)
        return foreign(why);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++)
        if ((e = certificate_of(json_array_get(array, i), a, &list[i], why)) != OK)
            return e;
    *ret = list;
    *ret_n = n;
    return OK;
}

static enum err
page_of(const json_t *root, struct arena *a, struct authority_page *ret, struct why *why)
{
    const json_t *more = json_object_get(root, "more");
    const char *next = text_of(root, "next", a);

    if (next == NULL || !json_is_boolean(more))
        return foreign(why);
    *ret = (struct authority_page){ next, json_is_true(more) };
    return OK;
}

enum err
authority_read_registration(struct str json, struct arena *a, struct authority_registration_answer *ret, struct why *why)
{
    AUTO(json_decrefp) json_t *root = NULL;
    struct authority_registration_answer r = { .names = false };
    enum err e;

    if ((e = parse(json, &root, why)) != OK || (e = certificates_of(root, a, &r.list, &r.n, why)) != OK)
        return e;
    if (!json_is_boolean(json_object_get(root, "names")))
        return foreign(why);
    r.names = json_is_true(json_object_get(root, "names"));
    *ret = r;
    return OK;
}

enum err
authority_read_certificate(struct str json, struct arena *a, struct authority_certificate *ret, struct why *why)
{
    AUTO(json_decrefp) json_t *root = NULL;
    enum err e = parse(json, &root, why);

    return e != OK ? e : certificate_of(root, a, ret, why);
}

enum err
authority_read_certificates(struct str json, struct arena *a, struct authority_certificate **ret, size_t *ret_n,
                            struct authority_page *ret_page, struct why *why)
{
    AUTO(json_decrefp) json_t *root = NULL;
    enum err e;

    if ((e = parse(json, &root, why)) != OK || (e = page_of(root, a, ret_page, why)) != OK)
        return e;
    return certificates_of(root, a, ret, ret_n, why);
}

enum err
authority_read_changes(struct str json, struct arena *a, struct authority_change **ret, size_t *ret_n,
                       struct authority_page *ret_page, struct why *why)
{
    AUTO(json_decrefp) json_t *root = NULL;
    struct authority_change *list;
    const json_t *array;
    size_t n;
    enum err e;

    if ((e = parse(json, &root, why)) != OK || (e = page_of(root, a, ret_page, why)) != OK)
        return e;
    array = json_object_get(root, "changes");
    n = json_array_size(array);
    if (!json_is_array(array) || n > LIST_MAX)
        return foreign(why);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(array, i);

        list[i] = (struct authority_change){ .ca = text_of(one, "ca", a), .serial = text_of(one, "serial", a),
                                             .state = text_of(one, "state", a), .registration = text_of(one, "registration", a) };
        if (list[i].ca == NULL || list[i].serial == NULL || list[i].state == NULL || list[i].registration == NULL ||
            !time_of(one, "at", &list[i].at))
            return foreign(why);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum err
authority_read_result(struct str json, struct arena *a, const char **ret_outcome, bool *ret_refused, struct why *why)
{
    AUTO(json_decrefp) json_t *root = NULL;
    const json_t *results, *one;
    const char *outcome;
    enum err e;

    if ((e = parse(json, &root, why)) != OK)
        return e;
    results = json_object_get(root, "results");
    one = json_array_get(results, 0);
    if (json_array_size(results) != 1 || (outcome = text_of(one, "outcome", a)) == NULL ||
        !json_is_boolean(json_object_get(one, "refused")))
        return foreign(why);
    *ret_outcome = outcome;
    *ret_refused = json_is_true(json_object_get(one, "refused"));
    return OK;
}

bool
authority_read_problem(struct str json, struct why *ret)
{
    AUTO(json_decrefp) json_t *root = NULL;
    struct why ignored = WHY_INIT;
    const char *code, *detail;

    if (parse(json, &root, &ignored) != OK || (code = json_string_value(json_object_get(root, "code"))) == NULL)
        return false;
    detail = json_string_value(json_object_get(root, "detail"));
    err_ignore(why_code(ret, ERR_INPUT, code, "the authority: %s", detail != NULL ? detail : code));
    return true;
}
