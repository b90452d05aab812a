/*
 * subject: see subject.h. One table says which member a kind of subject has, may have, and must not have.
 */
#include "pki/profile/subject.h"

#include "base/core/text.h"
#include "base/core/utf8.h"

enum need { NO, MAY, MUST };

/* Members, in the order of the columns below. */
static const struct {
    const char *name;
    size_t offset;
} members[] = {
    { "number", offsetof(struct subject, number) },
    { "given_name", offsetof(struct subject, given_name) },
    { "surname", offsetof(struct subject, surname) },
    { "serial_number", offsetof(struct subject, serial_number) },
    { "organization", offsetof(struct subject, organization) },
    { "identifier", offsetof(struct subject, identifier) },
    { "common_name", offsetof(struct subject, common_name) },
};

static const enum need needs[][ARRAY_LEN(members)] = {
    /*                      number given surname serial organization identifier common_name */
    [SUBJECT_PSEUDONYM] = { MUST,  NO,   NO,     NO,    NO,          NO,        NO },
    [SUBJECT_NAMED]     = { NO,    MUST, MUST,   MUST,  NO,          NO,        NO },
    [SUBJECT_AGENT]     = { NO,    MUST, MUST,   MAY,   MUST,        MUST,      NO },
    [SUBJECT_COMPANY]   = { NO,    MUST, MUST,   MAY,   MUST,        MUST,      NO },
    [SUBJECT_SERVER]    = { NO,    NO,   NO,     NO,    MAY,         MAY,       NO },
    [SUBJECT_PROGRAM]   = { NO,    NO,   NO,     NO,    MAY,         MAY,       MUST },
    [SUBJECT_RESPONDER] = { NO,    NO,   NO,     NO,    MAY,         MAY,       MUST },
    [SUBJECT_CA]        = { NO,    NO,   NO,     NO,    MAY,         MAY,       MUST },
};

static struct str
member(const struct subject *s, size_t i)
{
    struct str value;

    memcpy(&value, (const char *)s + members[i].offset, sizeof(value));
    return value;
}

const char *
subject_text_fault(struct str text, size_t max)
{
    AUTO(buf_free) struct buf nfc = BUF_BOUNDED(4096);
    struct str rest = text;
    size_t n = 0, octets;
    uint32_t c;

    if (text.n == 0)
        return "empty";
    if (text.n > 4 * max)
        return "too long";
    if (!text_is_utf8(text))
        return "not UTF-8";
    if (!text_is_clean(text, false))
        return "a control character";
    for (; rest.n > 0; rest.p += octets, rest.n -= octets, n++)
        octets = utf8_next(rest, &c);
    if (n > max)
        return "too long";
    if (text.p[0] == ' ' || text.p[text.n - 1] == ' ' || memmem(text.p, text.n, "  ", 2) != NULL)
        return "a space too many";
    if (text_nfc(text, &nfc) != OK || !str_eq(buf_view(&nfc), text))
        return "not in normal form C";
    return NULL;
}

bool
subject_identifier_is_valid(struct str digits)
{
    unsigned luhn = 0, sum = 0;

    if (digits.n != 9 && digits.n != 14)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        const char c = digits.p[digits.n - 1 - i];
        unsigned d;

        if (c < '0' || c > '9')
            return false;
        d = (unsigned)(c - '0');
        sum += d;
        d = i % 2 == 1 ? 2 * d : d;
        luhn += d > 9 ? d - 9 : d;
    }
    if (sum == 0)
        return false;
    /* INSEE: the establishments of La Poste add up to a multiple of five instead. */
    if (digits.n == 14 && str_starts(digits, "356000000") && sum % 5 == 0)
        return true;
    if (digits.n == 14 && !subject_identifier_is_valid((struct str){ digits.p, 9 }))
        return false;
    return luhn % 10 == 0;
}

static bool
label_is_valid(struct str label)
{
    if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++) {
        const char c = label.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

bool
subject_dns_is_valid(struct str name)
{
    struct str rest = name, label;
    size_t labels = 0;
    bool wildcard = false, digits_only = true;

    if (name.n == 0 || name.n > 253)
        return false;
    while (rest.p != NULL) {
        label = str_split(rest, '.', &rest);
        labels++;
        if (labels == 1 && str_eqs(label, "*")) {
            wildcard = true;
            continue;
        }
        if (!label_is_valid(label))
            return false;
        digits_only = true;
        for (size_t i = 0; i < label.n; i++)
            digits_only = digits_only && label.p[i] >= '0' && label.p[i] <= '9';
    }
    if (digits_only)                     /* 127.0.0.1 is no name */
        return false;
    return labels >= (wildcard ? 3 : 2) || str_eqs(name, "localhost");
}

static enum err
dns_check(const struct subject *s, struct why *why)
{
    if (s->dns_n == 0)
        return why_code(why, ERR_INPUT, "pki.subject.missing", "a server without a DNS name");
    if (s->dns_n > SUBJECT_DNS_MAX)
        return why_code(why, ERR_INPUT, "pki.subject.dns", "more than %d DNS names", SUBJECT_DNS_MAX);
    for (size_t i = 0; i < s->dns_n; i++) {
        if (!subject_dns_is_valid(s->dns[i]))
            return why_code(why, ERR_INPUT, "pki.subject.dns", "DNS name %zu is not one", i + 1);
        for (size_t k = 0; k < i; k++)
            if (str_eq(s->dns[i], s->dns[k]))
                return why_code(why, ERR_INPUT, "pki.subject.dns", "DNS name %zu stands twice", i + 1);
    }
    if (s->dns[0].n > SUBJECT_TEXT_MAX)      /* it is the common name too */
        return why_code(why, ERR_INPUT, "pki.subject.dns", "the first DNS name has more than %d characters", SUBJECT_TEXT_MAX);
    return OK;
}

/* What is put before or behind a text counts too. */
static size_t
room_for(const struct profile *p, size_t i, const struct subject *s)
{
    size_t taken = 0;

    if (members[i].offset == offsetof(struct subject, number))
        taken += sizeof(SUBJECT_PSEUDONYM_PREFIX) - 1;
    if (p->test && members[i].offset != offsetof(struct subject, organization) &&
        members[i].offset != offsetof(struct subject, serial_number))
        taken += sizeof(SUBJECT_TEST_PREFIX) - 1;
    if (s->generation > 0)
        taken += sizeof(" G9999") - 1;
    return SUBJECT_TEXT_MAX - taken;
}

enum err
subject_check(const struct profile *p, const struct subject *s, struct why *why)
{
    const enum need *row = needs[p->subject];
    const char *fault;

    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const struct str value = member(s, i);

        if (value.n == 0 && row[i] == MUST)
            return why_code(why, ERR_INPUT, "pki.subject.missing", "profile %s asks for %s", p->name, members[i].name);
        if (value.n > 0 && row[i] == NO)
            return why_code(why, ERR_INPUT, "pki.subject.unwanted", "profile %s has no %s", p->name, members[i].name);
        if (value.n > 0 && (fault = subject_text_fault(value, room_for(p, i, s))) != NULL)
            return why_code(why, ERR_INPUT, "pki.subject.text", "%s: %s", members[i].name, fault);
    }
    if (s->identifier.n > 0 && (!subject_identifier_is_valid(s->identifier) || s->organization.n == 0))
        return why_code(why, ERR_INPUT, "pki.subject.identifier", "not a SIREN or SIRET, or of no organization");
    for (size_t i = 0; i < s->number.n; i++)
        if (s->number.p[i] <= ' ' || s->number.p[i] >= 0x7f)
            return why_code(why, ERR_INPUT, "pki.subject.text", "number: not plain letters and digits");
    if (s->dns_n > 0 && p->subject != SUBJECT_SERVER)
        return why_code(why, ERR_INPUT, "pki.subject.unwanted", "profile %s has no DNS names", p->name);
    if ((s->generation != 0) != (p->subject == SUBJECT_CA) || s->generation < 0 || s->generation > 9999)
        return why_code(why, ERR_INPUT, "pki.subject.generation", "an authority has a generation, and nobody else");
    return p->subject == SUBJECT_SERVER ? dns_check(s, why) : OK;
}
