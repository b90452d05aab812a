/* registration: words of the columns, names as text, sealed; the rows are in registration_store.c. */
#include "pki/authority/registration.h"

#include "base/core/text.h"

#define PLACE "registration.subject"
#define HOLDER_MAX 64
#define TOWN_MAX 63
#define REFERENCE_MAX 200

const char *
registration_support_name(enum profile_support support)
{
    return support == SUPPORT_CARD ? "card" : "software";
}

enum err
registration_support_parse(struct str name, enum profile_support *ret)
{
    if (!str_eqs(name, "card") && !str_eqs(name, "software"))
        return ERR_INPUT;
    *ret = str_eqs(name, "card") ? SUPPORT_CARD : SUPPORT_SOFTWARE;
    return OK;
}

const char *
registration_proof_name(enum profile_proof proof)
{
    switch (proof) {
    case PROOF_NONE:
        return "none";
    case PROOF_SIGNED_FILE:
        return "signed_file";
    case PROOF_FACE_TO_FACE:
        return "face_to_face";
    }
    panic("proof %d", (int)proof);
}

enum err
registration_proof_parse(struct str name, enum profile_proof *ret)
{
    static const enum profile_proof all[] = { PROOF_NONE, PROOF_SIGNED_FILE, PROOF_FACE_TO_FACE };

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (str_eqs(name, registration_proof_name(all[i]))) {
            *ret = all[i];
            return OK;
        }
    }
    return ERR_INPUT;
}

/* --- names ------------------------------------------------------------------------------------------------------------- */

struct member {
    const char *name;
    size_t offset;
};
#define MEMBER(member_) { #member_, offsetof(struct subject, member_) }
static const struct member members[] = {
    MEMBER(number), MEMBER(given_name), MEMBER(surname), MEMBER(serial_number), MEMBER(organization), MEMBER(identifier),
    MEMBER(common_name),
};

static void
line(struct buf *out, const char *name, struct str value)
{
    if (value.n == 0)
        return;
    buf_adds(out, name);
    buf_addc(out, ' ');
    buf_add_str(out, value);
    buf_addc(out, '\n');
}

void
registration_subject_text(const struct subject *s, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        line(out, members[i].name, *(const struct str *)((const char *)s + members[i].offset));
    if (s->generation != 0)
        buf_addf(out, "generation %d\n", s->generation);
    for (size_t i = 0; i < s->dns_n; i++)
        line(out, "dns", s->dns[i]);
}

static bool
member_set(struct subject *s, struct str name, struct str value)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        struct str *at = (struct str *)((char *)s + members[i].offset);

        if (str_eqs(name, members[i].name) && at->p == NULL) {
            *at = value;
            return true;
        }
    }
    return false;
}

enum err
registration_subject_parse(struct str text, struct arena *a, struct subject *ret, struct why *why)
{
    struct str *dns = arena_alloc(a, SUBJECT_DNS_MAX * sizeof(*dns));
    struct subject s = { .dns = dns };
    struct str rest = { arena_dup(a, text.p, text.n), text.n };
    int64_t generation;

    while (rest.n > 0) {
        struct str after, value, one = str_split(rest, '\n', &after), name;

        if (after.p == NULL)
            return why_set(why, ERR_INPUT, "names cut short");
        name = str_split(one, ' ', &value);
        rest = after;
        if (value.n == 0)
            return why_set(why, ERR_INPUT, "a name without value");
        if (member_set(&s, name, value))
            continue;
        if (str_eqs(name, "generation") && s.generation == 0 && str_to_i64(value, 1, INT32_MAX, &generation) == OK)
            s.generation = (int)generation;
        else if (str_eqs(name, "dns") && s.dns_n < SUBJECT_DNS_MAX)
            dns[s.dns_n++] = value;
        else
            return why_set(why, ERR_INPUT, "names that this program does not know");
    }
    *ret = s;
    return OK;
}

static bool
has_line_end(const struct subject *s)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const struct str *v = (const struct str *)((const char *)s + members[i].offset);

        if (v->n > 0 && memchr(v->p, '\n', v->n) != NULL)
            return true;
    }
    for (size_t i = 0; i < s->dns_n; i++)
        if (s->dns[i].n > 0 && memchr(s->dns[i].p, '\n', s->dns[i].n) != NULL)
            return true;
    return false;
}

enum err
registration_seal(const struct keyring *field, const char *id, const struct subject *s, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_SECRET(REGISTRATION_SUBJECT_MAX);

    registration_subject_text(s, &text);
    if (!buf_ok(&text) || has_line_end(s))
        return why_code(why, ERR_INPUT, "pki.subject.text", "names too long, or with a line end");
    if (column_seal(field, PLACE, id, buf_view(&text), out) != OK)
        return why_set(why, ERR_INTERNAL, "names cannot be sealed");
    return OK;
}

enum err
registration_open(const struct keyring *field, const struct registration *r, struct arena *a, struct subject *ret,
                  struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_SECRET(REGISTRATION_SUBJECT_MAX);
    enum err e;

    if (r->subject.p == NULL)
        return why_code(why, ERR_NOT_FOUND, "pki.registration.erased", "the names were erased when the certificate was issued");
    if ((e = column_open(field, PLACE, r->id, r->subject, &text, why)) != OK)
        return e;
    return registration_subject_parse(buf_view(&text), a, ret, why);
}

enum err
registration_texts_check(const struct registration *r, struct why *why)
{
    const struct {
        const char *name, *text;
        size_t min, max;
    } rows[] = {
        { "profile", r->profile, 1, PROFILE_NAME_MAX },
        { "town", r->town, 0, TOWN_MAX },
        { "holder", r->holder, 1, HOLDER_MAX },
        { "the reference of the proof", r->proof_ref, 0, REFERENCE_MAX },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct str s = str_of(rows[i].text);

        if (s.n < rows[i].min || s.n > rows[i].max || !text_is_clean(s, false))
            return why_code(why, ERR_INPUT, "registration.text", "%s: %zu to %zu octets of one line", rows[i].name, rows[i].min,
                            rows[i].max);
    }
    return OK;
}

bool
registration_names_person(const struct profile *p)
{
    return p->subject == SUBJECT_NAMED || p->subject == SUBJECT_AGENT || p->subject == SUBJECT_COMPANY;
}
