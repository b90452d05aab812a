/*
 * wire_read: JSON into typed messages. Each message is a table of members; what is not in the table is refused by name.
 */
#include "mairie-connector/wire/wire.h"

#include <jansson.h>
#include <limits.h>

#include "base/core/enc.h"

enum kind { K_TEXT, K_BOOL, K_TIME, K_AUTHZ, K_CHANGES, K_LABELS, K_LINES, K_DER, K_OBJECT };
struct member {
    const char *name;
    enum kind kind;
    size_t offset;
    bool optional;
    bool (*good)(struct str s);        /* K_TEXT; NULL: any clean text up to TEXT_MAX */
    const struct member *inside;       /* K_OBJECT: its members; a struct of size bytes is made for it in the arena */
    size_t ninside, size;
};
#define TEXT_MAX 8192
#define DER_TEXT_MAX 12288             /* base64 */
#define M(type, member_, kind_, optional_, good_)                                                             \
    { #member_, kind_, offsetof(struct type, member_), optional_, good_, NULL, 0, 0 }
#define M_OBJECT(type, member_, optional_, members_, struct_)                                                 \
    { #member_, K_OBJECT, offsetof(struct type, member_), optional_, NULL, members_, ARRAY_LEN(members_), sizeof(struct struct_) }

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
is_profile(struct str s)
{
    return str_eqs(s, "pseudonym") || str_eqs(s, "named");
}

/* Folded or as it is printed: eight digits. Whether they are a PIN the door says, in words for a clerk. */
static bool
is_code(struct str s)
{
    return s.n >= 1 && s.n <= 64;
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

static const struct member names_members[] = {
    M(wire_names, given_name, K_TEXT, false, wire_is_cert_name), M(wire_names, surname, K_TEXT, false, wire_is_cert_name),
};
static const struct member card_members[] = {
    M(wire_card, given_name, K_TEXT, true, wire_is_name), M(wire_card, surname, K_TEXT, false, wire_is_name),
    M(wire_card, address, K_LINES, false, NULL),
};
static const struct member override_members[] = {
    M(wire_override, reason, K_TEXT, false, wire_is_word), M(wire_override, second, K_TEXT, false, wire_is_clerk),
};
static const struct member second_members[] = { M(wire_second, second, K_TEXT, false, wire_is_clerk) };

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

/* The lines of an address; the number of one that does not fit is told (P-006). */
static enum err
read_lines(const json_t *list, const struct member *m, struct wire_lines *ret, struct arena *a, struct why *why)
{
    size_t n = json_array_size(list);
    const char **items;

    if (!json_is_array(list) || n == 0 || n > WIRE_ADDRESS_LINES)
        return bad_value(m->name, why);
    items = arena_alloc(a, n * sizeof(*items));
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);
        struct str s = { json_string_value(value), json_string_length(value) };

        if (!wire_is_address_line(s))
            return why_code(why, ERR_INPUT, "wire.value", "member \"%s\": line %zu does not hold what it should", m->name,
                            i + 1);
        items[i] = arena_str(a, s);
    }
    *ret = (struct wire_lines){ items, n };
    return OK;
}

static enum err
read_der(const json_t *value, const struct member *m, struct str *ret, struct arena *a, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(DER_TEXT_MAX);
    struct str s = { json_string_value(value), json_string_length(value) };

    if (s.p == NULL || s.n == 0 || s.n > DER_TEXT_MAX || base64_decode(s, false, &der) != OK || der.len == 0)
        return bad_value(m->name, why);
    *ret = (struct str){ arena_dup(a, der.data, der.len), der.len };
    return OK;
}

static enum err
read_inside(const json_t *value, const struct member *m, void **ret, struct arena *a, struct why *why)
{
    void *inside = arena_alloc(a, m->size);
    enum err e;

    if (!json_is_object(value))
        return bad_value(m->name, why);
    if ((e = read_object(value, m->inside, m->ninside, inside, a, why)) == OK)
        *ret = inside;
    return e;
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
    case K_LINES:
        return read_lines(value, m, at, a, why);
    case K_DER:
        return read_der(value, m, at, a, why);
    case K_OBJECT:
        return read_inside(value, m, at, a, why);
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
parse(struct str json, json_t **ret, struct why *why)
{
    json_error_t at;

    *ret = json_loadb(json.p == NULL ? "" : json.p, json.n, JSON_REJECT_DUPLICATES, &at);
    return *ret != NULL ? OK : why_code(why, ERR_INPUT, "wire.json", "not JSON (line %d, column %d)", at.line, at.column);
}

static enum err
read_message(struct str json, const struct member *members, size_t n, void *target, struct arena *a, struct why *why)
{
    AUTO(json_decrefp) json_t *root = NULL;
    enum err e;

    if ((e = parse(json, &root, why)) != OK)
        return e;
    return read_object(root, members, n, target, a, why);
}

#define CREATE_MEMBERS                                                                                        \
    M(wire_create, type, K_TEXT, false, is_type), M(wire_create, handle, K_TEXT, false, wire_is_handle),        \
    M(wire_create, lang, K_TEXT, true, is_lang),                                                                \
    { "authorisations", K_AUTHZ, offsetof(struct wire_create, authz), true, NULL, NULL, 0, 0 },                 \
    M(wire_create, sensitive, K_BOOL, true, NULL)

/* A name is a member that a login/password account, or a pseudonym, does not have (P-035, P-047): refused as any other. */
static enum err
create_read(const json_t *root, struct arena *a, struct wire_create *m, struct why *why)
{
    static const struct member password[] = { CREATE_MEMBERS };
    static const struct member soft[] = {
        CREATE_MEMBERS, M(wire_create, profile, K_TEXT, true, is_profile),
        M_OBJECT(wire_create, names, true, names_members, wire_names),
    };
    static const struct member card[] = { CREATE_MEMBERS, M_OBJECT(wire_create, card, false, card_members, wire_card) };
    const char *type = json_string_value(json_object_get(root, "type"));
    bool named;
    enum err e;

    if (type != NULL && strcmp(type, "x509_card") == 0)
        return read_object(root, card, ARRAY_LEN(card), m, a, why);
    if (type == NULL || strcmp(type, "x509_soft") != 0)
        return read_object(root, password, ARRAY_LEN(password), m, a, why);
    m->profile = "pseudonym";
    if ((e = read_object(root, soft, ARRAY_LEN(soft), m, a, why)) != OK)
        return e;
    named = strcmp(m->profile, "named") == 0;
    if (named && m->names == NULL)
        return why_code(why, ERR_INPUT, "wire.missing", "member \"names\" is missing");
    return named || m->names == NULL ? OK : unknown_member("names", why);
}

enum err
wire_read_create(struct str json, struct arena *a, struct wire_create *ret, struct why *why)
{
    AUTO(json_decrefp) json_t *root = NULL;
    struct wire_create m = { .lang = "fr" };
    enum err e;

    if ((e = parse(json, &root, why)) != OK || (e = create_read(root, a, &m, why)) != OK)
        return e;
    *ret = m;
    return OK;
}

enum err
wire_read_authz(struct str json, struct arena *a, struct wire_authz_list *ret, struct why *why)
{
    static const struct member members[] = { { "authorisations", K_AUTHZ, 0, false, NULL, NULL, 0, 0 } };
    struct wire_authz_list m = { NULL, 0 };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_labels(struct str json, struct arena *a, struct wire_labels *ret, struct why *why)
{
    static const struct member members[] = { { "authorisations", K_LABELS, 0, false, NULL, NULL, 0, 0 } };
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
        M_OBJECT(wire_reissue, names, true, names_members, wire_names), M_OBJECT(wire_reissue, card, true, card_members, wire_card),
    };
    struct wire_reissue m = { .what = NULL };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

/* The card was read, or two agents answer for it: one of both. */
static enum err
read_or_overridden(struct str certificate, const struct wire_override *override, struct why *why)
{
    if (certificate.p == NULL && override == NULL)
        return why_code(why, ERR_INPUT, "wire.missing", "member \"certificate\" is missing");
    return certificate.p == NULL || override == NULL
               ? OK : why_code(why, ERR_INPUT, "wire.value", "\"certificate\" and \"override\" exclude each other");
}

enum err
wire_read_activate(struct str json, struct arena *a, struct wire_activate *ret, struct why *why)
{
    static const struct member members[] = {
        M(wire_activate, certificate, K_DER, true, NULL), M_OBJECT(wire_activate, override, true, override_members, wire_override),
        M(wire_activate, record, K_TEXT, true, wire_is_record),
    };
    struct wire_activate m = { .override = NULL };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) == OK &&
        (e = read_or_overridden(m.certificate, m.override, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_reactivate(struct str json, struct arena *a, struct wire_reactivate *ret, struct why *why)
{
    static const struct member members[] = {
        M(wire_reactivate, otp, K_TEXT, false, is_code),       M(wire_reactivate, pin, K_TEXT, true, is_code),
        M_OBJECT(wire_reactivate, pin_lost, true, second_members, wire_second),
        M(wire_reactivate, certificate, K_DER, true, NULL),
        M_OBJECT(wire_reactivate, override, true, override_members, wire_override),
        M(wire_reactivate, record, K_TEXT, true, wire_is_record),
    };
    struct wire_reactivate m = { .otp = NULL };
    enum err e;

    if ((e = read_message(json, members, ARRAY_LEN(members), &m, a, why)) != OK ||
        (e = read_or_overridden(m.certificate, m.override, why)) != OK)
        return e;
    if (m.pin == NULL && m.pin_lost == NULL)
        return why_code(why, ERR_INPUT, "wire.missing", "member \"pin\" is missing");
    if (m.pin != NULL && m.pin_lost != NULL)
        return why_code(why, ERR_INPUT, "wire.value", "\"pin\" and \"pin_lost\" exclude each other");
    *ret = m;
    return OK;
}

enum err
wire_read_names(struct str json, struct arena *a, struct wire_names *ret, struct why *why)
{
    struct wire_names m = { NULL, NULL };
    enum err e;

    if ((e = read_message(json, names_members, ARRAY_LEN(names_members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
wire_read_card_record(struct str json, struct arena *a, struct wire_card_record *ret, struct why *why)
{
    static const struct member members[] = {
        M(wire_card_record, surname, K_TEXT, false, wire_is_name),     M(wire_card_record, given_name, K_TEXT, true, wire_is_name),
        M(wire_card_record, address, K_LINES, false, NULL),            M(wire_card_record, number, K_TEXT, false, NULL),
        M(wire_card_record, reactivation_pin, K_TEXT, false, NULL),    M(wire_card_record, revocation, K_TEXT, false, NULL),
    };
    struct wire_card_record m = { .surname = NULL };
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
        M(wire_account, acked, K_BOOL, false, NULL),            { "authorisations", K_AUTHZ, offsetof(struct wire_account, authz), false, NULL, NULL, 0, 0 },
        M(wire_account, sealed, K_TEXT, true, NULL),            M(wire_account, number, K_TEXT, true, NULL),
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
        M(wire_codes, reactivation_otp, K_TEXT, true, NULL), M(wire_codes, reactivation_pin, K_TEXT, true, NULL),
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
        { "changes", K_CHANGES, 0, false, NULL, NULL, 0, 0 }, M(wire_changes, next, K_TEXT, false, NULL),
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

int
wire_read_tries_left(struct str json)
{
    AUTO(json_decrefp) json_t *root = json_loadb(json.p == NULL ? "" : json.p, json.n, 0, NULL);
    const json_t *left = json_object_get(root, "tries_left");
    json_int_t n = json_is_integer(left) ? json_integer_value(left) : -1;

    return n >= 0 && n <= INT_MAX ? (int)n : -1;
}
