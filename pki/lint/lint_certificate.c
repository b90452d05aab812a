/*
 * lint_certificate: rules over a TBSCertificate; see lint.h. One function for each field or extension; a structure that cannot
 * be read is one finding, cert.der, and ends it.
 */
#include "base/crypto/der-oid.h"
#include "pki/lint/lint-internal.h"
#include "pki/request/key_quality.h"

#define ATTRIBUTES_MAX 12
#define CRITICALITY "cert.ext.criticality"

struct cert {
    struct str version, serial, algorithm, issuer, validity, subject, spki;
    bool unique_id, has_version;
    struct lint_extensions extensions;
};

static enum err
tbs_read(struct str tbs, struct cert *c)
{
    struct str content, tagged, list;
    unsigned tag;

    if (der_check(tbs, CERTIFICATE_MAX, NULL) != OK || der_expect(&tbs, DER_SEQUENCE, &content) != OK)
        return ERR_INPUT;
    if (der_optional(&content, DER_CONTEXT(0), &tagged)) {
        c->has_version = true;
        if (der_expect(&tagged, DER_INTEGER, &c->version) != OK || tagged.n != 0)
            return ERR_INPUT;
    }
    if (der_expect(&content, DER_INTEGER, &c->serial) != OK || der_element(&content, &tag, &c->algorithm) != OK ||
        der_element(&content, &tag, &c->issuer) != OK || der_expect(&content, DER_SEQUENCE, &c->validity) != OK ||
        der_element(&content, &tag, &c->subject) != OK || der_element(&content, &tag, &c->spki) != OK)
        return ERR_INPUT;
    while (der_optional(&content, DER_CONTEXT_PRIMITIVE(1), &tagged) || der_optional(&content, DER_CONTEXT_PRIMITIVE(2), &tagged))
        c->unique_id = true;
    if (!der_optional(&content, DER_CONTEXT(3), &tagged) || content.n != 0 || der_expect(&tagged, DER_SEQUENCE, &list) != OK ||
        tagged.n != 0)
        return ERR_INPUT;
    return lint_extensions_read(list, &c->extensions);
}

static void
head_rules(struct lint_report *r, const struct cert *c, const struct lint_certificate_context *ctx)
{
    if (!c->has_version || !str_eqs(c->version, "\x02"))
        lint_add(r, "cert.version", "not v3");
    if ((c->serial.p[0] & 0x80) != 0)
        lint_add(r, "cert.serial.sign", "not positive");
    else if (c->serial.n < 9 || c->serial.n > SERIAL_MAX)
        lint_add(r, "cert.serial.length", "%zu octets, must be 9 to 20", c->serial.n);
    else if (!str_eq(c->serial, ctx->serial))
        lint_add(r, "cert.serial.reserved", "not the one that was reserved");
    if (!lint_sig_alg_is(c->algorithm, ctx->issuer.sig_alg))
        lint_add(r, "cert.signature_algorithm", "not that of the authority, or wrong parameters");
    if (!str_eq(c->issuer, ctx->issuer.name))
        lint_add(r, "cert.issuer_name", "not the authority's subject, octet for octet");
    if (c->unique_id)
        lint_add(r, "cert.unique_id", "unique identifiers are not used");
}

/* --- validity ------------------------------------------------------------------------------------------------------- */

static void
validity_rules(struct lint_report *r, const struct cert *c, const struct lint_certificate_context *ctx, utime *ret_not_after)
{
    const struct profile *p = ctx->profile;
    struct str in = c->validity;
    utime from, to;
    bool form_from, form_to;

    if (lint_time(&in, &from, &form_from) != OK || lint_time(&in, &to, &form_to) != OK || in.n != 0) {
        lint_add(r, "cert.validity.read", "dates cannot be read");
        return;
    }
    *ret_not_after = to;
    if (!form_from || !form_to)
        lint_add(r, "cert.validity.form", "UTCTime through 2049, GeneralizedTime from 2050");
    if (to < from) {
        lint_add(r, "cert.validity.order", "it ends before it begins");
        return;
    }
    if (to > profile_not_after(p, from))
        lint_add(r, "cert.validity.life", "longer than profile %s says", p->name);
    if (to > profile_cap_not_after((enum profile_holder)p->holder, from))
        lint_add(r, "cert.validity.cap", "longer than a %s may have (P-138, P-145, P-146)",
                 profile_holder_name((enum profile_holder)p->holder));
    if (from < ctx->issuer.not_before || to > ctx->issuer.not_after)
        lint_add(r, "cert.validity.issuer", "outside the authority's own validity");
}

/* --- subject -------------------------------------------------------------------------------------------------------- */

struct attribute {
    struct str type, value;
    unsigned tag;
};

static enum err
name_read(struct str name, struct attribute ret[ATTRIBUTES_MAX], size_t *ret_n)
{
    struct str sets, set, pair;
    size_t n = 0;

    if (der_expect(&name, DER_SEQUENCE, &sets) != OK || name.n != 0)
        return ERR_INPUT;
    while (sets.n > 0) {
        if (n == ATTRIBUTES_MAX || der_expect(&sets, DER_SET, &set) != OK || der_expect(&set, DER_SEQUENCE, &pair) != OK ||
            set.n != 0 || der_expect(&pair, DER_OID, &ret[n].type) != OK || der_next(&pair, &ret[n].tag, &ret[n].value) != OK ||
            pair.n != 0)
            return ERR_INPUT;
        n++;
    }
    *ret_n = n;
    return OK;
}

/* Which attributes, in which order: C O I(dentifier) U(nit) N(CN) S(N) G(N) #(serialNumber); small letters: may be absent. */
static const char *const shapes[] = {
    [SUBJECT_PSEUDONYM] = "CN",     [SUBJECT_NAMED] = "CSG#",    [SUBJECT_AGENT] = "COIUSG#?", [SUBJECT_COMPANY] = "COIUSG#?",
    [SUBJECT_SERVER] = "CO?I?U?N",  [SUBJECT_PROGRAM] = "CO?I?U?N", [SUBJECT_RESPONDER] = "CO?I?U?N", [SUBJECT_CA] = "CO?I?U?N",
};

static struct str
type_of(char letter)
{
    switch (letter) {
    case 'C':
        return OID_AT_COUNTRY;
    case 'O':
        return OID_AT_ORGANIZATION;
    case 'I':
        return OID_AT_ORGANIZATION_IDENTIFIER;
    case 'U':
        return OID_AT_ORGANIZATIONAL_UNIT;
    case 'N':
        return OID_AT_COMMON_NAME;
    case 'S':
        return OID_AT_SURNAME;
    case 'G':
        return OID_AT_GIVEN_NAME;
    default:
        return OID_AT_SERIAL_NUMBER;
    }
}

static bool
has_shape(const struct attribute *a, size_t n, const char *shape)
{
    size_t i = 0;

    for (; *shape != '\0'; shape++) {
        const bool optional = shape[1] == '?';
        const bool there = i < n && str_eq(a[i].type, type_of(*shape));

        if (!there && !optional)
            return false;
        i += there;
        shape += optional;
    }
    return i == n;
}

static struct str
attribute_find(const struct attribute *a, size_t n, char letter)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(a[i].type, type_of(letter)))
            return a[i].value;
    return STR_NULL;
}

static void
identifier_rule(struct lint_report *r, const struct attribute *a, size_t n)
{
    const struct str identifier = attribute_find(a, n, 'I'), unit = attribute_find(a, n, 'U');

    if (identifier.p == NULL && unit.p == NULL)
        return;
    if (!str_starts(identifier, "NTRFR-") || !str_starts(unit, "0002 ") ||
        !str_eq((struct str){ identifier.p + 6, identifier.n - 6 }, (struct str){ unit.p + 5, unit.n - 5 }) ||
        !subject_identifier_is_valid((struct str){ unit.p + 5, unit.n - 5 }))
        lint_add(r, "cert.subject.identifier", "organizationIdentifier and OU are not one SIREN or SIRET");
}

static bool
ends_in_generation(struct str cn)
{
    size_t digits = 0;

    while (digits < cn.n && cn.p[cn.n - 1 - digits] >= '0' && cn.p[cn.n - 1 - digits] <= '9')
        digits++;
    return digits > 0 && cn.n > digits + 2 && cn.p[cn.n - digits - 1] == 'G' && cn.p[cn.n - digits - 2] == ' ' &&
           cn.p[cn.n - digits] != '0';
}

/* What comes before or behind the text of a name. */
static void
affix_rules(struct lint_report *r, const struct profile *p, const struct attribute *a, size_t n)
{
    struct str cn = attribute_find(a, n, 'N');

    for (size_t i = 0; i < n; i++)
        if ((str_eq(a[i].type, OID_AT_COMMON_NAME) || str_eq(a[i].type, OID_AT_SURNAME) || str_eq(a[i].type, OID_AT_GIVEN_NAME)) &&
            str_starts(a[i].value, SUBJECT_TEST_PREFIX) != p->test) {
            lint_add(r, "cert.subject.test", "TEST in front of names is for test profiles, and for all of theirs");
            return;
        }
    if (p->test && cn.n >= 5)
        cn = (struct str){ cn.p + 5, cn.n - 5 };
    if (p->subject == SUBJECT_PSEUDONYM && !str_starts(cn, SUBJECT_PSEUDONYM_PREFIX))
        lint_add(r, "cert.subject.pseudonym", "a pseudonym is not marked as one (A-03)");
    if (p->subject == SUBJECT_CA && !ends_in_generation(cn))
        lint_add(r, "cert.subject.generation", "an authority's name does not end in its generation");
}

static void
subject_rules(struct lint_report *r, const struct cert *c, const struct lint_certificate_context *ctx)
{
    const struct profile *p = ctx->profile;
    struct attribute a[ATTRIBUTES_MAX];
    size_t n;

    if (name_read(c->subject, a, &n) != OK || !has_shape(a, n, shapes[p->subject])) {
        lint_add(r, "cert.subject.attributes", "not the attributes of a %s, one to a set and in their order",
                 profile_holder_name((enum profile_holder)p->holder));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const bool printable = str_eq(a[i].type, OID_AT_COUNTRY) || str_eq(a[i].type, OID_AT_SERIAL_NUMBER);
        const char *fault;

        if (a[i].tag != (printable ? DER_PRINTABLE_STRING : DER_UTF8_STRING))
            lint_add(r, "cert.subject.string_type", "attribute %zu", i + 1);
        else if ((fault = subject_text_fault(a[i].value, SUBJECT_TEXT_MAX)) != NULL)
            lint_add(r, "cert.subject.text", "attribute %zu: %s", i + 1, fault);
    }
    CHECK(n > 0);                        /* every shape begins with the country */
    if (!str_eqs(a[0].value, p->country))
        lint_add(r, "cert.subject.country", "not %s", p->country);
    identifier_rule(r, a, n);
    affix_rules(r, p, a, n);
    if (p->subject == SUBJECT_SERVER && (ctx->dns_n == 0 || !str_eq(attribute_find(a, n, 'N'), ctx->dns[0])))
        lint_add(r, "cert.subject.server", "the common name is not the first DNS name");
    if (!str_eq(c->subject, ctx->subject))
        lint_add(r, "cert.subject.registration", "not the name of the registration");
}

/* --- key ------------------------------------------------------------------------------------------------------------ */

static void
key_rules(struct lint_report *r, const struct cert *c, const struct lint_certificate_context *ctx, utime not_after)
{
    struct key_facts key = { KEY_RSA, 0 };
    struct why why = WHY_INIT;

    if (!str_eq(c->spki, ctx->spki))
        lint_add(r, "cert.key.request", "not the key of the request");
    else if (ctx->key != NULL)
        key = *ctx->key;
    if (key.bits == 0 && key_quality_check(c->spki, NULL, &key, &why) != OK) {
        lint_add(r, "cert.key.quality", "%.80s", why.text);
        return;
    }
    if (profile_key_check(ctx->profile, key.alg, key.bits, not_after, &why) != OK)
        lint_add(r, "cert.key.profile", "%.80s", why.text);
}

/* --- extensions ----------------------------------------------------------------------------------------------------- */

static void
identifier_rules(struct lint_report *r, struct cert *c, const struct lint_certificate_context *ctx)
{
    struct lint_extensions *list = &c->extensions;
    struct lint_extension *x;
    struct str in, id;
    unsigned char want[KEY_ID_LEN];

    x = lint_extension_want(r, list, OID_CE_AUTHORITY_KEY_IDENTIFIER, true, false, "cert.aki", CRITICALITY);
    if (x != NULL && !lint_is_authority_key_id(x->value, ctx->issuer.key_id))
        lint_add(r, "cert.aki", "not the authority's subjectKeyIdentifier");
    x = lint_extension_want(r, list, OID_CE_SUBJECT_KEY_IDENTIFIER, true, false, "cert.ski", CRITICALITY);
    if (x == NULL)
        return;
    in = x->value;
    if (der_expect(&in, DER_OCTET_STRING, &id) != OK || in.n != 0 || key_id(c->spki, want, NULL) != OK ||
        !str_eq(id, (struct str){ (const char *)want, KEY_ID_LEN }))
        lint_add(r, "cert.ski", "not the identifier of the key");
}

static void
usage_rules(struct lint_report *r, struct cert *c, const struct profile *p)
{
    static const struct {
        unsigned bit;
        struct str oid;
    } purposes[] = { { EKU_CLIENT_AUTH, OID_KP_CLIENT_AUTH },           { EKU_SERVER_AUTH, OID_KP_SERVER_AUTH },
                     { EKU_EMAIL_PROTECTION, OID_KP_EMAIL_PROTECTION }, { EKU_SMARTCARD_LOGON, OID_KP_SMARTCARD_LOGON },
                     { EKU_OCSP_SIGNING, OID_KP_OCSP_SIGNING } };
    struct lint_extension *x;
    struct str in, bits, oids, oid;
    uint32_t got = 0;
    unsigned found = 0;

    x = lint_extension_want(r, &c->extensions, OID_CE_KEY_USAGE, true, true, "cert.key_usage", CRITICALITY);
    if (x != NULL) {
        in = x->value;
        if (der_expect(&in, DER_BIT_STRING, &bits) != OK || in.n != 0 || der_named_bits(bits, &got) != OK || got != p->key_usage)
            lint_add(r, "cert.key_usage", "not that of the profile");
    }
    x = lint_extension_want(r, &c->extensions, OID_CE_EXT_KEY_USAGE, p->ext_key_usage != 0, false, "cert.extended_key_usage",
                            CRITICALITY);
    if (x == NULL)
        return;
    in = x->value;
    if (der_expect(&in, DER_SEQUENCE, &oids) != OK || in.n != 0)
        oids = STR_NULL;
    while (oids.n > 0 && der_expect(&oids, DER_OID, &oid) == OK) {
        unsigned bit = 0;

        for (size_t i = 0; i < ARRAY_LEN(purposes); i++)
            bit = str_eq(oid, purposes[i].oid) ? purposes[i].bit : bit;
        if (bit == 0 || (found & bit) != 0)
            break;
        found |= bit;
    }
    if (oids.n != 0 || found != p->ext_key_usage)
        lint_add(r, "cert.extended_key_usage", "not that of the profile");
}

static void
policy_rule(struct lint_report *r, struct cert *c, const struct profile *p)
{
    struct lint_extension *x = lint_extension_want(r, &c->extensions, OID_CE_CERTIFICATE_POLICIES, p->policies.n > 0, false,
                                                   "cert.policy", CRITICALITY);
    struct str in, list, policy, oid, qualifiers, qualifier, id, cps;
    size_t n = 0;

    if (x == NULL)
        return;
    in = x->value;
    if (der_expect(&in, DER_SEQUENCE, &list) != OK || in.n != 0)
        list = STR_NULL;
    for (; list.n > 0 && n < p->policies.n; n++) {
        AUTO(buf_free) struct buf text = BUF_BOUNDED(DER_OID_TEXT_MAX);

        if (der_expect(&list, DER_SEQUENCE, &policy) != OK || der_expect(&policy, DER_OID, &oid) != OK ||
            der_oid_text(oid, &text) != OK || !str_eqs(buf_view(&text), p->policies.items[n]))
            break;
        if (p->cps[0] != '\0' &&
            (der_expect(&policy, DER_SEQUENCE, &qualifiers) != OK || der_expect(&qualifiers, DER_SEQUENCE, &qualifier) != OK ||
             qualifiers.n != 0 || der_expect(&qualifier, DER_OID, &id) != OK || !str_eq(id, OID_QT_CPS) ||
             der_expect(&qualifier, DER_IA5_STRING, &cps) != OK || qualifier.n != 0 || !str_eqs(cps, p->cps)))
            break;
        if (policy.n != 0)
            break;
    }
    if (n != p->policies.n || list.n != 0)
        lint_add(r, "cert.policy", "not that of the profile");
}

static void
alt_name_rule(struct lint_report *r, struct cert *c, const struct lint_certificate_context *ctx)
{
    const bool wanted = ctx->profile->subject == SUBJECT_SERVER;
    struct lint_extension *x =
        lint_extension_want(r, &c->extensions, OID_CE_SUBJECT_ALT_NAME, wanted, false, "cert.alt_name", CRITICALITY);
    struct str in, list, name;
    size_t n = 0;

    if (x == NULL)
        return;
    in = x->value;
    if (der_expect(&in, DER_SEQUENCE, &list) != OK || in.n != 0)
        list = STR_NULL;
    while (list.n > 0 && n < ctx->dns_n && der_expect(&list, DER_CONTEXT_PRIMITIVE(2), &name) == OK && str_eq(name, ctx->dns[n]) &&
           subject_dns_is_valid(name))
        n++;
    if (n != ctx->dns_n || list.n != 0)
        lint_add(r, "cert.alt_name", "not the DNS names of the registration");
}

static void
constraints_rules(struct lint_report *r, struct cert *c, const struct lint_certificate_context *ctx)
{
    const struct profile *p = ctx->profile;
    const bool ca = p->use == USE_CA;
    const size_t domains = ctx->permitted_dns_n > 0 ? ctx->permitted_dns_n : p->permitted_dns.n;
    struct lint_extension *x;
    struct str in, value, content, tree, base;
    uint32_t length = 0;
    bool truth = false, bounded;
    size_t n = 0;

    x = lint_extension_want(r, &c->extensions, OID_CE_BASIC_CONSTRAINTS, ca, true, "cert.basic_constraints", CRITICALITY);
    if (x != NULL) {
        in = x->value;
        if (der_expect(&in, DER_SEQUENCE, &value) != OK || in.n != 0 || der_expect(&value, DER_BOOLEAN, &content) != OK ||
            der_truth(content, &truth) != OK)
            truth = false;
        bounded = truth && der_optional(&value, DER_INTEGER, &content);
        if (!truth || value.n != 0 || bounded != (p->path_length >= 0) ||
            (bounded && (der_number(content, 255, &length) != OK || (int64_t)length != p->path_length)))
            lint_add(r, "cert.basic_constraints", "not cA with the profile's path length");
    }
    x = lint_extension_want(r, &c->extensions, OID_CE_NAME_CONSTRAINTS, ca && domains > 0, true, "cert.name_constraints", CRITICALITY);
    if (x == NULL)
        return;
    in = x->value;
    if (der_expect(&in, DER_SEQUENCE, &value) != OK || in.n != 0 || der_expect(&value, DER_CONTEXT(0), &content) != OK)
        content = STR_NULL;
    while (content.n > 0 && n < domains && der_expect(&content, DER_SEQUENCE, &tree) == OK &&
           der_expect(&tree, DER_CONTEXT_PRIMITIVE(2), &base) == OK && tree.n == 0 &&
           (ctx->permitted_dns_n > 0 ? str_eq(base, ctx->permitted_dns[n]) : str_eqs(base, p->permitted_dns.items[n])))
        n++;
    /* excluded: all of IPv4, all of IPv6 */
    if (n != domains || content.n != 0 ||
        !str_eq(value, STR_LIT("\xa1\x30\x30\x0a\x87\x08\0\0\0\0\0\0\0\0\x30\x22\x87\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")))
        lint_add(r, "cert.name_constraints", "not the domains of the authority, and no IP address");
}

static void
publication_rules(struct lint_report *r, struct cert *c, const struct lint_certificate_context *ctx)
{
    const struct profile *p = ctx->profile;
    struct lint_extension *x;
    struct str in, list, access, method, url;
    bool good = true;

    x = lint_extension_want(r, &c->extensions, OID_CE_CRL_DISTRIBUTION_POINTS, p->crl_distribution, false, "cert.crl", CRITICALITY);
    if (x != NULL && !lint_is_distribution_points(x->value, ctx->urls.crl))
        lint_add(r, "cert.crl", "not the address of the authority's CRL");
    x = lint_extension_want(r, &c->extensions, OID_CE_FRESHEST_CRL, p->freshest_crl, false, "cert.freshest_crl", CRITICALITY);
    if (x != NULL && !lint_is_distribution_points(x->value, ctx->urls.delta_crl))
        lint_add(r, "cert.freshest_crl", "not the address of the authority's delta CRL");
    x = lint_extension_want(r, &c->extensions, OID_PE_AUTHORITY_INFO_ACCESS, p->aia_ocsp || p->aia_ca_issuers, false, "cert.aia",
                            CRITICALITY);
    if (x == NULL)
        return;
    in = x->value;
    good = der_expect(&in, DER_SEQUENCE, &list) == OK && in.n == 0;
    for (int i = 0; i < 2 && good; i++) {
        if (!(i == 0 ? p->aia_ocsp : p->aia_ca_issuers))
            continue;
        good = der_expect(&list, DER_SEQUENCE, &access) == OK && der_expect(&access, DER_OID, &method) == OK &&
               der_expect(&access, DER_CONTEXT_PRIMITIVE(6), &url) == OK && access.n == 0 && str_starts(url, "http://") &&
               str_eq(method, i == 0 ? OID_AD_OCSP : OID_AD_CA_ISSUERS) &&
               str_eq(url, i == 0 ? ctx->urls.ocsp : ctx->urls.ca_issuers);
    }
    if (!good || list.n != 0)
        lint_add(r, "cert.aia", "not the addresses of the authority");
}

static void
extension_rules(struct lint_report *r, struct cert *c, const struct lint_certificate_context *ctx)
{
    const struct profile *p = ctx->profile;
    struct lint_extension *x;

    if (lint_extensions_have_duplicates(&c->extensions))
        lint_add(r, "cert.ext.duplicate", "one extension twice");
    identifier_rules(r, c, ctx);
    usage_rules(r, c, p);
    policy_rule(r, c, p);
    alt_name_rule(r, c, ctx);
    constraints_rules(r, c, ctx);
    publication_rules(r, c, ctx);
    x = lint_extension_want(r, &c->extensions, OID_OCSP_NO_CHECK, p->use == USE_OCSP_SIGNING, false, "cert.no_check", CRITICALITY);
    if (x != NULL && !str_eq(x->value, (struct str){ "\x05\x00", 2 }))
        lint_add(r, "cert.no_check", "its value is not NULL");
    /* we are not qualified (P-154): a statement would be a lie */
    if (lint_extension_find(&c->extensions, OID_PE_QC_STATEMENTS) != NULL)
        lint_add(r, "cert.qc_statements", "no statement of qualification in any profile");
    for (size_t i = 0; i < c->extensions.n; i++) {
        const struct lint_extension *one = &c->extensions.items[i];
        bool twin = false;

        for (size_t k = 0; k < i; k++)
            twin = twin || str_eq(one->oid, c->extensions.items[k].oid);
        if (!one->seen && !twin)
            lint_add(r, "cert.ext.unknown", "extension %zu is not one of ours", i + 1);
    }
}

size_t
lint_certificate(struct str tbs, const struct lint_certificate_context *ctx, struct lint_report *ret)
{
    struct cert c = { .has_version = false };
    utime not_after = 0;

    ret->n = 0;
    if (tbs_read(tbs, &c) != OK) {
        lint_add(ret, "cert.der", "not a TBSCertificate in strict DER");
        return ret->n;
    }
    head_rules(ret, &c, ctx);
    validity_rules(ret, &c, ctx, &not_after);
    subject_rules(ret, &c, ctx);
    key_rules(ret, &c, ctx, not_after);
    extension_rules(ret, &c, ctx);
    return ret->n;
}
