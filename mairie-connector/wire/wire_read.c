/*
 * wire_read: JSON into typed messages. Each message is a table of members; what is not in the table is refused by name.
 */
#include "mairie-connector/wire/wire.h"

#include <jansson.h>

enum kind { K_TEXT, K_BOOL, K_TIME, K_AUTHZ, K_CHANGES, K_LABELS };
struct member {
    const char *name;
    enum kind kind;
    size_t offset;
    bool optional;
    bool (*good)(struct str s);        /* K_TEXT; NULL: any clean text up to TEXT_MAX */
};
#define TEXT_MAX 8192
#define M(type, member_, kind_, optional_, good_)                                                             \
    { #member_, kind_, offsetof(struct type, member_), optional_, good_ }

static bool
is_type(struct str s)
{
    return str_eqs(s, "password") || str_eqs(s, "x509_card") || str_eqs(s, "x509_soft");
}

static bool
is_lang(struct str s)
{
    return str_eqs(s, "fr") || str_eqs(s, "en");
}

static bool
is_what(struct str s)
{
    return str_eqs(s, "all") || str_eqs(s, "revocation");
}

static bool
is_reason(struct str s)
{
    return str_eqs(s, "lost") || str_eqs(s, "stolen") || str_eqs(s, "death") || str_eqs(s, "departure") ||
           str_eqs(s, "request") || str_eqs(s, "error");
}

static enum err read_object(const json_t *root, const struct member *members, size_t n, void *target, struct arena *a,
                            struct why *why);

static const struct member authz_members[] = {
    M(wire_authz, code, K_TEXT, false, wire_is_authz_code),
    M(wire_authz, until, K_TIME, true, NULL),
};
static const struct member change_members[] = {
    M(wire_change, cursor, K_TEXT, false, NULL), M(wire_change, handle, K_TEXT, false, wire_is_handle),
    M(wire_change, what, K_TEXT, false, NULL),   M(wire_change, state, K_TEXT, false, NULL),
    M(wire_change, at, K_TIME, false, NULL),
};

static const struct member label_members[] = {
    M(wire_label, code, K_TEXT, false, wire_is_authz_code), M(wire_label, label_fr, K_TEXT, false, wire_is_label),
    M(wire_label, label_en, K_TEXT, false, wire_is_label),
};

static enum err
bad_value(const char *name, struct why *why)
{
    return why_code(why, ERR_INPUT, "wire.value", "member \"%s\" does not hold what it should", name);
}

static enum err
read_list(const json_t *list, const char *name, size_t max, size_t size, const struct member *members, size_t nmembers,
          struct arena *a, void **ret_items, size_t *ret_n, struct why *why)
{
    size_t n = json_array_size(list);
    char *items;
    enum err e;

    if (!json_is_array(list) || n > max)
        return bad_value(name, why);
    items = arena_alloc(a, (n + 1) * size);
    for (size_t i = 0; i < n; i++) {
        if ((e = read_object(json_array_get(list, i), members, nmembers, items + i * size, a, why)) != OK)
            return e;
    }
    *ret_items = items;
    *ret_n = n;
    return OK;
}

static enum err
authz_distinct(const struct wire_authz_list *l, struct why *why)
{
    for (size_t i = 0; i < l->n; i++) {
        for (size_t k = 0; k < i; k++) {
            const char *a = l->items[i].code, *b = l->items[k].code;

            if (strcmp(a, b) == 0)
                return why_code(why, ERR_INPUT, "wire.value", "an authorisation stands twice in the list");
        }
    }
    return OK;
}

static enum err
labels_distinct(const struct wire_labels *l, struct why *why)
{
    for (size_t i = 0; i < l->n; i++) {
        for (size_t k = 0; k < i; k++) {
            const char *a = l->items[i].code, *b = l->items[k].code;

            if (strcmp(a, b) == 0)
                return why_code(why, ERR_INPUT, "wire.value", "an authorisation stands twice in the list");
        }
    }
    return OK;
}

static enum err
read_text(const json_t *value, const struct member *m, const char **ret, struct arena *a, struct why *why)
{
    struct str s = { json_string_value(value), json_string_length(value) };

    if (s.p == NULL || s.n > TEXT_MAX || memchr(s.p, '\0', s.n) != NULL || (m->good != NULL && !m->good(s)))
        return bad_value(m->name, why);
    *ret = arena_str(a, s);
    return OK;
}

static enum err
read_member(const json_t *value, const struct member *m, void *target, struct arena *a, struct why *why)
{
    void *at = (char *)target + m->offset;
    void *items;
    size_t n;
    enum err e;

    switch (m->kind) {
    case K_TEXT:
        return read_text(value, m, at, a, why);
    case K_BOOL:
        if (!json_is_boolean(value))
            return bad_value(m->name, why);
        *(bool *)at = json_is_true(value);
        return OK;
    case K_TIME:
        if (!json_is_string(value) || utime_parse(json_string_value(value), at) != OK)
            return bad_value(m->name, why);
        return OK;
    case K_AUTHZ:
        e = read_list(value, m->name, WIRE_AUTHZ_MAX, sizeof(struct wire_authz), authz_members,
                      ARRAY_LEN(authz_members), a, &items, &n, why);
        if (e != OK)
            return e;
        *(struct wire_authz_list *)at = (struct wire_authz_list){ items, n };
        return authz_distinct(at, why);
    case K_CHANGES:
        e = read_list(value, m->name, WIRE_CHANGES_MAX, sizeof(struct wire_change), change_members,
                      ARRAY_LEN(change_members), a, &items, &n, why);
        if (e != OK)
            return e;
        ((struct wire_changes *)at)->items = items;
        ((struct wire_changes *)at)->n = n;
        return OK;
    case K_LABELS:
        e = read_list(value, m->name, WIRE_LABELS_MAX, sizeof(struct wire_label), label_members,
                      ARRAY_LEN(label_members), a, &items, &n, why);
        if (e != OK)
            return e;
        *(struct wire_labels *)at = (struct wire_labels){ items, n };
        return labels_distinct(at, why);
    }
    return ERR_INTERNAL;
}

static enum err
unknown_member(const char *name, struct why *why)
{
    char shown[40];
    size_t n = 0;

    /* The name comes from outside: enough of it to recognise, nothing that could be a value in disguise. */
    for (; n < 32 && name[n] != '\0'; n++)
        shown[n] = (name[n] >= 'a' && name[n] <= 'z') || (name[n] >= 'A' && name[n] <= 'Z') || name[n] == '_' ? name[n] : '?';
    shown[n] = '\0';
    return why_code(why, ERR_INPUT, "wire.unknown_member", "member \"%s\" is not known here", shown);
}

static enum err
read_object(const json_t *root, const struct member *members, size_t n, void *target, struct arena *a, struct why *why)
{
    size_t known = 0;
    enum err e;

    if (!json_is_object(root))
        return why_code(why, ERR_INPUT, "wire.json", "not a JSON object");
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(root, members[i].name);

        if (members[i].kind == K_TIME)
            *(utime *)(void *)((char *)target + members[i].offset) = WIRE_UTIME_NONE;
        if (value == NULL && !members[i].optional)
            return why_code(why, ERR_INPUT, "wire.missing", "member \"%s\" is missing", members[i].name);
        if (value == NULL)
            continue;
        known++;
        if ((e = read_member(value, &members[i], target, a, why)) != OK)
            return e;
    }
    if (known == json_object_size(root))
        return OK;
    /* NOLINTBEGIN(performance-no-int-to-ptr): jansson's iterators take no const */
    for (void *it = json_object_iter((json_t *)(uintptr_t)root); it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)root, it)) {
    /* NOLINTEND(performance-no-int-to-ptr) */
        size_t i = 0;

        while (i < n && strcmp(members[i].name, json_object_iter_key(it)) != 0)
            i++;
        if (i == n)
            return unknown_member(json_object_iter_key(it), why);
    }
    return why_code(why, ERR_INPUT, "wire.json", "members do not add up");
}

static enum err
read_message(struct str json, const struct member *members, size_t n, void *target, struct arena *a, struct why *why)
{
    AUTO(json_decrefp) json_t *root = NULL;
    json_error_t at;

    root = json_loadb(json.p == NULL ? "" : json.p, json.n, JSON_REJECT_DUPLICATES, &at);
    if (root == NULL)
        return why_code(why, ERR_INPUT, "wire.json", "not JSON (line %d, column %d)", at.line, at.column);
    return read_object(root, members, n, target, a, why);
}

enum err
wire_read_create(struct str json, struct arena *a, struct wire_create *ret, struct why *why)
{
    static const struct member members[] = {
        M(wire_create, type, K_TEXT, false, is_type),   M(wire_create, handle, K_TEXT, false, wire_is_handle),
        M(wire_create, lang, K_TEXT, true, is_lang),    { "authorisations", K_AUTHZ, offsetof(struct wire_create, authz), true, NULL },
        M(wire_create, sensitive, K_BOOL, true, NULL),
    };
    struct wire_create m = { .lang = "fr" };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_authz(struct str json, struct arena *a, struct wire_authz_list *ret, struct why *why)
{
    static const struct member members[] = { { "authorisations", K_AUTHZ, 0, false, NULL } };
    struct wire_authz_list m = { NULL, 0 };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_labels(struct str json, struct arena *a, struct wire_labels *ret, struct why *why)
{
    static const struct member members[] = { { "authorisations", K_LABELS, 0, false, NULL } };
    struct wire_labels m = { NULL, 0 };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_reissue(struct str json, struct arena *a, struct wire_reissue *ret, struct why *why)
{
    static const struct member members[] = {
        M(wire_reissue, what, K_TEXT, false, is_what), M(wire_reissue, sensitive, K_BOOL, true, NULL),
    };
    struct wire_reissue m = { .what = NULL };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_reason(struct str json, struct arena *a, struct wire_reason *ret, struct why *why)
{
    static const struct member members[] = { M(wire_reason, reason, K_TEXT, false, is_reason) };
    struct wire_reason m = { NULL };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_block(struct str json, struct arena *a, struct wire_block *ret, struct why *why)
{
    static const struct member members[] = { M(wire_block, code, K_TEXT, false, NULL) };
    struct wire_block m = { NULL };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_account(struct str json, struct arena *a, struct wire_account *ret, struct why *why)
{
    static const struct member members[] = {
        M(wire_account, handle, K_TEXT, false, wire_is_handle), M(wire_account, type, K_TEXT, false, is_type),
        M(wire_account, state, K_TEXT, false, NULL),            M(wire_account, state_since, K_TIME, false, NULL),
        M(wire_account, final, K_BOOL, false, NULL),            M(wire_account, contested, K_BOOL, false, NULL),
        M(wire_account, acked, K_BOOL, false, NULL),            { "authorisations", K_AUTHZ, offsetof(struct wire_account, authz), false, NULL },
        M(wire_account, sealed, K_TEXT, true, NULL),
    };
    struct wire_account m = { .sealed = NULL };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_codes(struct str json, struct arena *a, struct wire_codes *ret, struct why *why)
{
    static const struct member members[] = {
        M(wire_codes, creation, K_TEXT, true, NULL), M(wire_codes, revocation, K_TEXT, false, NULL),
        M(wire_codes, sheet, K_TEXT, true, NULL),    M(wire_codes, creation_until, K_TIME, true, NULL),
    };
    struct wire_codes m = { .creation = NULL };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_blocked(struct str json, struct arena *a, struct wire_blocked *ret, struct why *why)
{
    static const struct member members[] = {
        M(wire_blocked, handle, K_TEXT, false, wire_is_handle), M(wire_blocked, state, K_TEXT, false, NULL),
        M(wire_blocked, receipt, K_TEXT, false, NULL),          M(wire_blocked, at, K_TIME, false, NULL),
        M(wire_blocked, already, K_BOOL, false, NULL),
    };
    struct wire_blocked m = { NULL, NULL, NULL, 0, false };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_changes(struct str json, struct arena *a, struct wire_changes *ret, struct why *why)
{
    static const struct member members[] = {
        { "changes", K_CHANGES, 0, false, NULL }, M(wire_changes, next, K_TEXT, false, NULL),
    };
    struct wire_changes m = { NULL, 0, NULL };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

void
wire_read_problem(struct str json, struct arena *a, const char **ret_code, const char **ret_detail)
{
    static const char urn[] = "urn:beffroi:problem:";
    AUTO(json_decrefp) json_t *root = json_loadb(json.p == NULL ? "" : json.p, json.n, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *detail = json_string_value(json_object_get(root, "detail"));

    *ret_code = type != NULL && strncmp(type, urn, sizeof(urn) - 1) == 0 ? arena_strdup(a, type + sizeof(urn) - 1) : "";
    *ret_detail = detail != NULL ? arena_strdup(a, detail) : "";
}
