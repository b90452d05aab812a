/*
 * lint_crl: rules over a TBSCertList (RFC 5280 §5; PKI 1.2, 4.2); see lint.h. The list is walked once. It is not put through
 * der_check(), which would walk it twice more: every element of it is read here by the strict reader.
 */
#include "base/crypto/der-oid.h"
#include "pki/lint/lint-internal.h"

#define CRITICALITY "crl.ext.criticality"

struct list {
    struct str algorithm, issuer, entries;
    bool version_2, has_entries, has_next;
    utime this_update, next_update;
    bool form_this, form_next;
    struct lint_extensions extensions;
};

static enum err
tbs_read(struct str tbs, struct list *l)
{
    struct str content, version, tagged, list;
    unsigned tag;

    if (der_expect(&tbs, DER_SEQUENCE, &content) != OK || tbs.n != 0)
        return ERR_INPUT;
    l->version_2 = der_optional(&content, DER_INTEGER, &version) && str_eqs(version, "\x01");
    if (der_element(&content, &tag, &l->algorithm) != OK || der_element(&content, &tag, &l->issuer) != OK ||
        lint_time(&content, &l->this_update, &l->form_this) != OK)
        return ERR_INPUT;
    l->form_next = true;
    l->has_next = content.n > 0 && ((unsigned char)content.p[0] == DER_UTC_TIME || (unsigned char)content.p[0] == DER_GENERALIZED_TIME);
    if (l->has_next && lint_time(&content, &l->next_update, &l->form_next) != OK)
        return ERR_INPUT;
    l->has_entries = der_optional(&content, DER_SEQUENCE, &l->entries);
    if (!der_optional(&content, DER_CONTEXT(0), &tagged) || content.n != 0 || der_expect(&tagged, DER_SEQUENCE, &list) != OK ||
        tagged.n != 0 || der_check(l->issuer, NAME_MAX_LEN, NULL) != OK)
        return ERR_INPUT;
    return lint_extensions_read(list, &l->extensions);
}

static void
head_rules(struct lint_report *r, const struct list *l, const struct lint_crl_context *ctx)
{
    if (!l->version_2)
        lint_add(r, "crl.version", "not v2");
    if (!lint_sig_alg_is(l->algorithm, ctx->issuer.sig_alg))
        lint_add(r, "crl.signature_algorithm", "not that of the authority, or wrong parameters");
    if (!str_eq(l->issuer, ctx->issuer.name))
        lint_add(r, "crl.issuer_name", "not the authority's subject, octet for octet");
    if (!l->form_this || !l->form_next)
        lint_add(r, "crl.update.form", "UTCTime through 2049, GeneralizedTime from 2050");
    if (l->this_update > ctx->now)
        lint_add(r, "crl.this_update.future", "thisUpdate is in the future");
    if (!l->has_next)
        lint_add(r, "crl.next_update.missing", "no nextUpdate");
    else if (l->next_update <= l->this_update)
        lint_add(r, "crl.update.order", "nextUpdate is not after thisUpdate");
    else if (l->next_update - l->this_update > ctx->life_max)
        lint_add(r, "crl.update.life", "it would be valid for too long (P-134)");
}

/* --- entries -------------------------------------------------------------------------------------------------------- */

/* Each rule is told once: with a million entries the first is enough. */
struct entries {
    struct lint_report *r;
    const struct lint_crl_context *ctx;
    const struct list *l;
    size_t n;
    struct str last;
    bool told_serial, told_order, told_date, told_reason, told_extension;
};

static void
tell(struct entries *s, bool *told, const char *rule, const char *text)
{
    if (!*told)
        lint_add(s->r, rule, "entry %zu: %s", s->n + 1, text);
    *told = true;
}

static bool
is_above(struct str a, struct str b)
{
    return a.n != b.n ? a.n > b.n : memcmp(a.p, b.p, a.n) > 0;
}

static void
serial_rules(struct entries *s, struct str serial)
{
    struct str value = serial;

    if (serial.n == 0 || (serial.p[0] & 0x80) != 0 || serial.n > SERIAL_MAX ||
        (serial.p[0] == 0 && (serial.n == 1 || (serial.p[1] & 0x80) == 0))) {
        tell(s, &s->told_serial, "crl.entry.serial", "not a positive number of at most 20 octets");
        return;
    }
    if (value.p[0] == 0)
        value = (struct str){ value.p + 1, value.n - 1 };
    if (s->last.n > 0 && !is_above(value, s->last))
        tell(s, &s->told_order, "crl.entry.order", "not above the one before");
    s->last = value;
}

static bool
reason_is_allowed(const struct lint_crl_context *ctx, uint32_t reason)
{
    switch (reason) {
    case CRL_HOLD:
        return true;
    case CRL_REMOVE_FROM_CRL:
        return ctx->delta;
    case CRL_KEY_COMPROMISE:
    case CRL_CA_COMPROMISE:
    case CRL_AFFILIATION_CHANGED:
    case CRL_SUPERSEDED:
    case CRL_CESSATION:
    case CRL_PRIVILEGE_WITHDRAWN:
        return ctx->reasons;
    default:      /* unspecified is left out; 7 is not used; aACompromise is of attribute certificates */
        return false;
    }
}

static bool
has_date_only(struct str value)
{
    utime t;

    return value.n > 0 && (unsigned char)value.p[0] == DER_GENERALIZED_TIME && der_time(&value, &t) == OK && value.n == 0;
}

static enum err
entry_extension_rules(struct entries *s, struct str list)
{
    bool has_reason = false, has_date = false;

    if (list.n == 0)
        return ERR_INPUT;
    while (list.n > 0) {
        struct str extension, oid, value, code;
        uint32_t reason = 0;

        if (der_expect(&list, DER_SEQUENCE, &extension) != OK || der_expect(&extension, DER_OID, &oid) != OK)
            return ERR_INPUT;
        /* critical ones begin with a BOOLEAN here: certificateIssuer, or worse */
        if (der_expect(&extension, DER_OCTET_STRING, &value) != OK || extension.n != 0) {
            tell(s, &s->told_extension, "crl.entry.extension", "critical");
            return OK;
        }
        if (str_eq(oid, OID_CE_REASON_CODE) && !has_reason) {
            has_reason = true;
            if (der_expect(&value, DER_ENUMERATED, &code) != OK || value.n != 0 || der_number(code, 255, &reason) != OK ||
                !reason_is_allowed(s->ctx, reason))
                tell(s, &s->told_reason, "crl.entry.reason", "a reason that this list does not show");
        } else if (str_eq(oid, OID_CE_INVALIDITY_DATE) && !has_date) {
            has_date = true;
            if (!has_date_only(value))
                tell(s, &s->told_extension, "crl.entry.extension", "invalidity date is not a GeneralizedTime");
        } else {
            tell(s, &s->told_extension, "crl.entry.extension", "not one of ours, or twice");
        }
    }
    return OK;
}

static enum err
entry_rules(struct entries *s, struct str entry)
{
    struct str serial, list;
    utime revoked_at;
    bool form;

    if (der_expect(&entry, DER_INTEGER, &serial) != OK || lint_time(&entry, &revoked_at, &form) != OK)
        return ERR_INPUT;
    serial_rules(s, serial);
    if (!form || revoked_at > s->l->this_update)
        tell(s, &s->told_date, "crl.entry.date", "after thisUpdate, or of the wrong form");
    if (entry.n == 0)
        return OK;
    if (der_expect(&entry, DER_SEQUENCE, &list) != OK || entry.n != 0)
        return ERR_INPUT;
    return entry_extension_rules(s, list);
}

static void
entries_rules(struct lint_report *r, const struct list *l, const struct lint_crl_context *ctx)
{
    struct entries s = { .r = r, .ctx = ctx, .l = l };
    struct str rest = l->has_entries ? l->entries : STR_NULL, entry;

    if (l->has_entries && rest.n == 0)
        lint_add(r, "crl.entries.empty", "an empty list of entries is left out (RFC 5280 §5.1.2.6)");
    for (; rest.n > 0; s.n++)
        if (der_expect(&rest, DER_SEQUENCE, &entry) != OK || entry_rules(&s, entry) != OK) {
            lint_add(r, "crl.entry.read", "entry %zu cannot be read", s.n + 1);
            return;
        }
    if (s.n != ctx->entries)
        lint_add(r, "crl.entries.count", "%zu entries, %zu were written", s.n, ctx->entries);
}

/* --- extensions ----------------------------------------------------------------------------------------------------- */

static bool
is_number(struct str value, uint64_t want)
{
    unsigned char bytes[8];
    uint64_t got = 0;

    if (der_unsigned(&value, sizeof(bytes), bytes) != OK || value.n != 0)
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        got = got << 8 | bytes[i];
    return got == want;
}

static bool
is_point(struct str value, const struct lint_crl_context *ctx)
{
    struct str content, name, flag;
    unsigned tag;
    bool truth = false;

    if (der_expect(&value, DER_SEQUENCE, &content) != OK || value.n != 0)
        return false;
    if (ctx->point.n > 0) {
        if (der_element(&content, &tag, &name) != OK || !lint_is_point_name(name, ctx->point))
            return false;
    }
    if (ctx->scope != CRL_SCOPE_ALL) {
        if (der_expect(&content, DER_CONTEXT_PRIMITIVE(ctx->scope == CRL_SCOPE_USERS ? 1 : 2), &flag) != OK ||
            der_truth(flag, &truth) != OK || !truth)
            return false;
    }
    return content.n == 0;
}

static void
extension_rules(struct lint_report *r, struct list *l, const struct lint_crl_context *ctx)
{
    struct lint_extensions *list = &l->extensions;
    const bool has_point = ctx->point.n > 0 || ctx->scope != CRL_SCOPE_ALL;
    struct lint_extension *x;

    if (lint_extensions_have_duplicates(list))
        lint_add(r, "crl.ext.duplicate", "one extension twice");
    x = lint_extension_want(r, list, OID_CE_AUTHORITY_KEY_IDENTIFIER, true, false, "crl.aki", CRITICALITY);
    if (x != NULL && !lint_is_authority_key_id(x->value, ctx->issuer.key_id))
        lint_add(r, "crl.aki", "not the authority's subjectKeyIdentifier");
    x = lint_extension_want(r, list, OID_CE_CRL_NUMBER, true, false, "crl.number", CRITICALITY);
    if (x != NULL && !is_number(x->value, ctx->number))
        lint_add(r, "crl.number", "not the one that was given out");
    x = lint_extension_want(r, list, OID_CE_DELTA_CRL_INDICATOR, ctx->delta, true, "crl.delta", CRITICALITY);
    if (x != NULL && (!is_number(x->value, ctx->base) || ctx->base >= ctx->number))
        lint_add(r, "crl.delta", "not the number of its base");
    x = lint_extension_want(r, list, OID_CE_ISSUING_DISTRIBUTION_POINT, has_point, true, "crl.point", CRITICALITY);
    if (x != NULL && !is_point(x->value, ctx))
        lint_add(r, "crl.point", "not the address and scope of this list");
    x = lint_extension_want(r, list, OID_CE_FRESHEST_CRL, !ctx->delta && ctx->delta_url.n > 0, false, "crl.freshest_crl", CRITICALITY);
    if (x != NULL && !lint_is_distribution_points(x->value, ctx->delta_url))
        lint_add(r, "crl.freshest_crl", "not the address of the delta CRL");
    for (size_t i = 0; i < list->n; i++) {
        bool twin = false;

        for (size_t k = 0; k < i; k++)
            twin = twin || str_eq(list->items[i].oid, list->items[k].oid);
        if (!list->items[i].seen && !twin)
            lint_add(r, "crl.ext.unknown", "extension %zu is not one of ours", i + 1);
    }
}

size_t
lint_crl(struct str tbs, const struct lint_crl_context *ctx, struct lint_report *ret)
{
    struct list l = { .version_2 = false };

    ret->n = 0;
    if (tbs_read(tbs, &l) != OK) {
        lint_add(ret, "crl.der", "not a TBSCertList in strict DER");
        return ret->n;
    }
    head_rules(ret, &l, ctx);
    entries_rules(ret, &l, ctx);
    extension_rules(ret, &l, ctx);
    return ret->n;
}
