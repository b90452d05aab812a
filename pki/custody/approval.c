/* approval: see approval.h. */
#include "pki/custody/approval.h"

#define SOON USEC_PER_MIN            /* clocks of two machines may differ by this */

struct act_row {
    const char *name;
    role_set first, second;          /* one person has a role of first, another one of second */
};

/* DOMAIN 3.2 and PKI §1.3. */
static const struct act_row acts[APPROVE_COUNT] = {
    [APPROVE_ROLE_GRANT] = { "role.grant", ROLE_BIT(ROLE_SECURITY),
                             ROLE_BIT(ROLE_SERVICE_DESK) | ROLE_BIT(ROLE_SECURITY) | ROLE_BIT(ROLE_SYSTEMS) },
    [APPROVE_REQUEST] = { "request.approve", ROLE_BIT(ROLE_REGISTRATION), ROLE_BIT(ROLE_VALIDATION) },
    [APPROVE_STATION] = { "station.change", ROLE_BIT(ROLE_SYSTEMS) | ROLE_BIT(ROLE_SERVICE_DESK), ROLE_BIT(ROLE_SECURITY) },
    [APPROVE_PROFILE] = { "profile.change", ROLE_BIT(ROLE_SYSTEMS), ROLE_BIT(ROLE_SECURITY) },
    [APPROVE_RESUME] = { "certificate.resume", ROLE_BIT(ROLE_REVOCATION) | ROLE_BIT(ROLE_REGISTRATION),
                         ROLE_BIT(ROLE_VALIDATION) | ROLE_BIT(ROLE_SECURITY) },
    [APPROVE_REVOKE_MANY] = { "certificate.revoke_many", ROLE_BIT(ROLE_REVOCATION), ROLE_BIT(ROLE_SECURITY) },
    [APPROVE_CEREMONY] = { "ca.ceremony", ROLE_BIT(ROLE_SECURITY), ROLE_BIT(ROLE_CUSTODIAN) },
    [APPROVE_ARCHIVE_EXPORT] = { "archive.export", ROLE_BIT(ROLE_SECURITY),
                                 ROLE_BIT(ROLE_SYSTEMS) | ROLE_BIT(ROLE_SERVICE_DESK) | ROLE_BIT(ROLE_AUDITOR) },
    [APPROVE_ARCHIVE_PURGE] = { "archive.purge", ROLE_BIT(ROLE_SECURITY), ROLE_BIT(ROLE_AUDITOR) },
};

const char *
approval_act_name(enum approval_act act)
{
    CHECK((unsigned)act < APPROVE_COUNT);
    return acts[act].name;
}

enum err
approval_act_parse(struct str name, enum approval_act *ret)
{
    for (unsigned i = 0; i < APPROVE_COUNT; i++) {
        if (str_eqs(name, acts[i].name)) {
            *ret = (enum approval_act)i;
            return OK;
        }
    }
    return ERR_INPUT;
}

void
approval_line(struct buf *text, const char *name, const char *value)
{
    buf_addf(text, "%s ", name);
    for (; *value != '\0'; value++) {
        const unsigned char c = (unsigned char)*value;

        if (c == '\\')
            buf_adds(text, "\\\\");
        else if (c < ' ' || c == 0x7f)
            buf_addf(text, "\\x%02x", c);
        else
            buf_addc(text, (char)c);
    }
    buf_addc(text, '\n');
}

static void
signed_octets(enum approval_act act, utime at, const unsigned char subject[SHA256_LEN], struct buf *out)
{
    char time[UTIME_RFC3339_LEN + 1];

    utime_rfc3339(at, time);
    buf_adds(out, "beffroi-pki approval");
    buf_addc(out, '\0');
    buf_adds(out, acts[act].name);
    buf_addc(out, '\0');
    buf_adds(out, time);
    buf_addc(out, '\0');
    buf_add(out, subject, SHA256_LEN);
}

enum err
approval_sign(struct key *person_key, enum approval_act act, utime at, const unsigned char subject[SHA256_LEN],
              struct buf *ret_signature, struct why *why)
{
    AUTO(buf_free) struct buf octets = BUF_BOUNDED(256);

    signed_octets(act, at, subject, &octets);
    return key_sign(person_key, KEY_PERSON_SIGN, SIG_EDDSA, buf_view(&octets), false, ret_signature, why);
}

enum err
approval_verify(const struct approval *a, enum approval_act act, const unsigned char subject[SHA256_LEN], struct why *why)
{
    AUTO(buf_free) struct buf octets = BUF_BOUNDED(256);
    AUTO(key_freep) struct key *k = NULL;
    enum err e;

    if ((e = key_public(a->public_key, &k, why)) != OK)
        return why_set(why, ERR_DENIED, "the person's public key cannot be read");
    signed_octets(act, a->at, subject, &octets);
    return key_verify(k, SIG_EDDSA, buf_view(&octets), a->signature, false, why);
}

/* Why this one does not count, or NULL when it does. */
static const char *
refusal(const struct approval *a, enum approval_act act, const unsigned char subject[SHA256_LEN], const char *beneficiary,
        utime now)
{
    if (!a->active)
        return "of a person who has ended";
    if (beneficiary != NULL && strcmp(a->person, beneficiary) == 0)
        return "of the person whom the act serves";
    if (a->at > now + SOON || a->at <= now - APPROVAL_LIFE)
        return "expired, or of the future";
    if (role_set_conflict(a->roles, NULL, NULL))
        return "of a person with two roles that do not go together";
    if ((a->roles & (acts[act].first | acts[act].second)) == 0)
        return "of a person without a role for this act";
    if (approval_verify(a, act, subject, NULL) != OK)
        return "with a wrong signature";
    return NULL;
}

enum err
approval_verify_one(const struct approval *a, enum approval_act act, const unsigned char subject[SHA256_LEN],
                    const char *beneficiary, utime now, struct why *why)
{
    const char *refused = refusal(a, act, subject, beneficiary, now);

    CHECK((unsigned)act < APPROVE_COUNT);
    if (refused == NULL)
        return OK;
    if ((a->roles & (acts[act].first | acts[act].second)) == 0)
        return why_code(why, ERR_DENIED, "approval.roles", "%s: the person has no role for it now", acts[act].name);
    return why_set(why, ERR_DENIED, "%s: an approval %s", acts[act].name, refused);
}

/* Have two different persons the two roles? */
static bool
roles_met(const struct approval *a, const struct approval *b, const struct act_row *row)
{
    return ((a->roles & row->first) != 0 && (b->roles & row->second) != 0) ||
           ((b->roles & row->first) != 0 && (a->roles & row->second) != 0);
}

enum err
approval_verify_two(const struct approval *list, size_t n, enum approval_act act, const unsigned char subject[SHA256_LEN],
                    const char *beneficiary, utime now, struct why *why)
{
    const char *last = "none is there";
    bool two = false;

    CHECK((unsigned)act < APPROVE_COUNT);
    for (size_t i = 0; i < n; i++) {
        const char *refused = refusal(&list[i], act, subject, beneficiary, now);

        if (refused != NULL) {
            last = refused;
            continue;
        }
        for (size_t j = 0; j < i; j++) {
            /* one human counts once, whatever rows or keys they have */
            if (strcmp(list[i].person, list[j].person) == 0 || str_eq(list[i].public_key, list[j].public_key) ||
                refusal(&list[j], act, subject, beneficiary, now) != NULL)
                continue;
            two = true;
            if (roles_met(&list[i], &list[j], &acts[act]))
                return OK;
        }
    }
    if (two)
        return why_code(why, ERR_DENIED, "approval.roles", "%s: the two who approved do not have the two roles it asks",
                        acts[act].name);
    return why_code(why, ERR_DENIED, "approval.few", "%s: two persons must approve; an approval does not count: %s",
                    acts[act].name, last);
}
