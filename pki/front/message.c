/*
 * message: JSON into typed bodies. Each body is a table of members; what is not in the table is refused by name, and its value
 * is never looked at nor logged: names of persons come this way.
 */
#include "pki/front/front-internal.h"

#include "base/core/enc.h"

enum kind { K_TEXT, K_TIME, K_NAMES, K_DNS, K_SUPPORT, K_PROOF, K_ACT, K_REASON, K_REQUESTER, K_SERIAL };
struct member {
    const char *name;
    enum kind kind;
    size_t offset;
    bool optional;
    bool (*good)(struct str s);      /* K_TEXT; NULL: anything of at most TEXT_MAX octets */
};
#define TEXT_MAX 256
#define M(type, member_, kind_, optional_, good_) { #member_, kind_, offsetof(struct type, member_), optional_, good_ }

/* --- what texts may be -------------------------------------------------------------------------------------------------------- */

static bool
made_of(struct str s, size_t most, const char *others)
{
    if (s.n == 0 || s.n > most)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(others, c) != NULL))
            return false;
    }
    return true;
}

/* An account's number or handle, a machine's name: no name of a person has room here. */
static bool
is_holder(struct str s)
{
    return made_of(s, 64, "._:-");
}

static bool
is_profile(struct str s)
{
    return made_of(s, PROFILE_NAME_MAX, "-_.");
}

static bool
is_town(struct str s)
{
    return s.n == 0 || made_of(s, 63, "-_.");
}

/* The number of a record in somebody else's files. */
static bool
is_reference(struct str s)
{
    return s.n == 0 || made_of(s, 128, "._:/-");
}

static bool
is_label(struct str s)
{
    return made_of(s, CA_LABEL_SIZE - 1, "-");
}

/* --- members -------------------------------------------------------------------------------------------------------------------- */

static enum err read_object(json_t *root, const struct member *members, size_t n, void *target, struct arena *a,
                            struct why *why);

static enum err
bad_value(const char *name, struct why *why)
{
    return why_code(why, ERR_INPUT, "body.value", "Member \"%s\" does not hold what it should.", name);
}

static const struct member name_members[] = {
    { "number", K_TEXT, offsetof(struct subject, number), true, NULL },
    { "given_name", K_TEXT, offsetof(struct subject, given_name), true, NULL },
    { "surname", K_TEXT, offsetof(struct subject, surname), true, NULL },
    { "serial_number", K_TEXT, offsetof(struct subject, serial_number), true, NULL },
    { "organization", K_TEXT, offsetof(struct subject, organization), true, NULL },
    { "identifier", K_TEXT, offsetof(struct subject, identifier), true, NULL },
    { "common_name", K_TEXT, offsetof(struct subject, common_name), true, NULL },
    { "dns", K_DNS, offsetof(struct subject, dns), true, NULL },
};

static enum err
read_text(const json_t *value, const struct member *m, struct arena *a, struct str *ret, struct why *why)
{
    const struct str s = { json_string_value(value), json_string_length(value) };

    if (s.p == NULL || s.n > TEXT_MAX || memchr(s.p, '\0', s.n) != NULL || (m->good != NULL && !m->good(s)))
        return bad_value(m->name, why);
    *ret = (struct str){ arena_str(a, s), s.n };
    return OK;
}

static enum err
read_dns(const json_t *value, struct arena *a, struct subject *names, struct why *why)
{
    static const struct member item = { "dns", K_TEXT, 0, false, NULL };
    struct str *list = arena_alloc(a, SUBJECT_DNS_MAX * sizeof(*list));
    const size_t n = json_array_size(value);
    enum err e;

    if (!json_is_array(value) || n == 0 || n > SUBJECT_DNS_MAX)
        return bad_value("dns", why);
    for (size_t i = 0; i < n; i++)
        if ((e = read_text(json_array_get(value, i), &item, a, &list[i], why)) != OK)
            return e;
    names->dns = list;
    names->dns_n = n;
    return OK;
}

static enum err
requester_parse(struct str name, enum revocation_requester *ret)
{
    static const enum revocation_requester may[] = { BY_HOLDER, BY_STATION, BY_TOWN };

    for (size_t i = 0; i < ARRAY_LEN(may); i++)
        if (str_eqs(name, revocation_requester_name(may[i]))) {
            *ret = may[i];
            return OK;
        }
    return ERR_INPUT;
}

static enum err
read_word(struct str word, enum kind kind, void *at)
{
    switch (kind) {
    case K_SUPPORT:
        return registration_support_parse(word, at);
    case K_PROOF:
        return registration_proof_parse(word, at);
    case K_ACT:
        return revocation_act_parse(word, at);
    case K_REASON:
        return revocation_reason_parse(word, at);
    case K_REQUESTER:
        return requester_parse(word, at);
    case K_TIME:
        return utime_parse(word.p, at);
    case K_TEXT:
    case K_NAMES:
    case K_DNS:
    case K_SERIAL:
        break;
    }
    panic("a member that is no word");
}

static enum err
read_serial(struct str hex, struct arena *a, struct str *ret)
{
    AUTO(buf_free) struct buf octets = BUF_BOUNDED(32);

    if (hex_decode(hex, &octets) != OK || octets.len == 0)
        return ERR_INPUT;
    *ret = (struct str){ arena_dup(a, octets.data, octets.len), octets.len };
    return OK;
}

static enum err
read_member(json_t *value, const struct member *m, void *target, struct arena *a, struct why *why)
{
    void *at = (char *)target + m->offset;
    struct str text;
    enum err e;

    if (m->kind == K_NAMES)
        return read_object(value, name_members, ARRAY_LEN(name_members), at, a, why);
    if (m->kind == K_DNS)
        return read_dns(value, a, target, why);
    if ((e = read_text(value, m, a, &text, why)) != OK)
        return e;
    if (m->kind == K_TEXT) {
        if (m->good == NULL)             /* a name: a view */
            *(struct str *)at = text;
        else
            *(const char **)at = text.p;
        return OK;
    }
    e = m->kind == K_SERIAL ? read_serial(text, a, at) : read_word(text, m->kind, at);
    return e == OK ? OK : bad_value(m->name, why);
}

/* The name of an unknown member is the peer's: it is told, cut, and its value is not. */
static enum err
unknown_member(json_t *root, const struct member *members, size_t n, struct why *why)
{
    const char *key;
    json_t *value;

    json_object_foreach(root, key, value) {
        size_t i = 0;

        while (i < n && strcmp(members[i].name, key) != 0)
            i++;
        if (i == n)
            return why_code(why, ERR_INPUT, "body.unknown", "Member \"%.40s\" is not known here.",
                            made_of(str_of(key), 40, "_-") ? key : "?");
    }
    return why_code(why, ERR_INPUT, "body.json", "Members do not add up.");
}

static enum err
read_object(json_t *root, const struct member *members, size_t n, void *target, struct arena *a, struct why *why)
{
    size_t known = 0;
    enum err e;

    if (!json_is_object(root))
        return why_code(why, ERR_INPUT, "body.json", "An object is wanted.");
    for (size_t i = 0; i < n; i++) {
        json_t *value = json_object_get(root, members[i].name);

        if (value == NULL && !members[i].optional)
            return why_code(why, ERR_INPUT, "body.missing", "Member \"%s\" is missing.", members[i].name);
        if (value == NULL)
            continue;
        known++;
        if ((e = read_member(value, &members[i], target, a, why)) != OK)
            return e;
    }
    return known == json_object_size(root) ? OK : unknown_member(root, members, n, why);
}

static enum err
read_body(struct str json, const struct member *members, size_t n, void *target, struct arena *a, struct why *why)
{
    AUTO(json_decrefp) json_t *root = NULL;
    json_error_t at;

    root = json_loadb(json.p == NULL ? "" : json.p, json.n, JSON_REJECT_DUPLICATES, &at);
    if (root == NULL)
        return why_code(why, ERR_INPUT, "body.json", "Not JSON (line %d, column %d).", at.line, at.column);
    return read_object(root, members, n, target, a, why);
}

/* --- bodies ----------------------------------------------------------------------------------------------------------------------- */

static enum err
proof_check(enum profile_proof proof, utime at, struct why *why)
{
    return (proof == PROOF_NONE) == (at == UTIME_NULL)
               ? OK : why_code(why, ERR_INPUT, "body.value", "A proof has a time (proof_at), none has none.");
}

enum err
registration_body_read(struct str json, struct arena *a, struct registration_body *ret, struct why *why)
{
    static const struct member members[] = {
        M(registration_body, profile, K_TEXT, false, is_profile), M(registration_body, holder, K_TEXT, false, is_holder),
        M(registration_body, town, K_TEXT, true, is_town),        M(registration_body, support, K_SUPPORT, false, NULL),
        M(registration_body, proof, K_PROOF, false, NULL),        M(registration_body, proof_ref, K_TEXT, true, is_reference),
        M(registration_body, proof_at, K_TIME, true, NULL),       M(registration_body, names, K_NAMES, true, NULL),
    };
    struct registration_body m = { .town = "", .proof_ref = "", .proof_at = UTIME_NULL };
    enum err e;

    if ((e = read_body(json, members, ARRAY_LEN(members), &m, a, why)) != OK ||
        (e = proof_check(m.proof, m.proof_at, why)) != OK)
        return e;
    *ret = m;
    return OK;
}

enum err
identification_body_read(struct str json, struct arena *a, struct identification_body *ret, struct why *why)
{
    static const struct member members[] = {
        M(identification_body, proof, K_PROOF, false, NULL), M(identification_body, proof_ref, K_TEXT, true, is_reference),
        M(identification_body, proof_at, K_TIME, false, NULL), M(identification_body, names, K_NAMES, true, NULL),
    };
    struct identification_body m = { .proof_ref = "", .proof_at = UTIME_NULL };
    enum err e;

    if ((e = read_body(json, members, ARRAY_LEN(members), &m, a, why)) != OK ||
        (e = proof_check(m.proof, m.proof_at, why)) != OK)
        return e;
    m.has_names = m.names.number.p != NULL || m.names.given_name.p != NULL || m.names.surname.p != NULL ||
                  m.names.organization.p != NULL || m.names.common_name.p != NULL || m.names.dns_n > 0;
    *ret = m;
    return OK;
}

enum err
acceptance_body_read(struct str json, struct arena *a, struct acceptance_body *ret, struct why *why)
{
    static const struct member members[] = {
        M(acceptance_body, proof_ref, K_TEXT, true, is_reference),
    };
    struct acceptance_body m = { .proof_ref = "" };
    enum err e;

    if ((e = read_body(json, members, ARRAY_LEN(members), &m, a, why)) == OK)
        *ret = m;
    return e;
}

enum err
revocation_body_read(struct str json, struct arena *a, struct revocation *ret, struct why *why)
{
    static const struct member members[] = {
        M(revocation, act, K_ACT, false, NULL),              M(revocation, ca, K_TEXT, true, is_label),
        M(revocation, serial, K_SERIAL, true, NULL),         M(revocation, holder, K_TEXT, true, is_holder),
        M(revocation, town, K_TEXT, true, is_town),          M(revocation, reason, K_REASON, true, NULL),
        M(revocation, invalid_at, K_TIME, true, NULL),       M(revocation, requester, K_REQUESTER, false, NULL),
        M(revocation, requester_ref, K_TEXT, true, is_reference), M(revocation, proof, K_TEXT, true, is_reference),
    };
    struct revocation m = { .reason = REASON_NONE, .invalid_at = UTIME_NULL, .requester_ref = "", .proof = "" };
    enum err e;

    if ((e = read_body(json, members, ARRAY_LEN(members), &m, a, why)) != OK)
        return e;
    if ((m.ca != NULL) != (m.serial.p != NULL) || (m.ca != NULL) == (m.holder != NULL) || (m.ca != NULL && m.town != NULL))
        return why_code(why, ERR_INPUT, "body.value", "Either ca and serial, or holder and town, name what is meant.");
    if (m.town == NULL)
        m.town = "";
    *ret = m;
    return OK;
}
