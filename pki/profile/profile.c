/*
 * profile: the rules: which profiles contradict themselves, which requests a profile takes.
 *
 * Each rule is one small function with a stable name, and says the DOMAIN row, RGS article or RFC section it stands for.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/core/civil.h"
#include "base/crypto/der.h"
#include "pki/profile/profile-internal.h"
#include "pki/profile/subject.h"

#define RSA_2030 3072                                        /* fewest bits past 2030-12-31 (RGS B1) */
#define Y2031 (INT64_C(1924992000) * USEC_PER_SEC)           /* 2031-01-01T00:00:00Z */
#define RESPONDER_CAP (30 * USEC_PER_DAY)                    /* nocheck: short life (RFC 6960 §4.2.2.2.1) */
#define DEFER_RGS_MAX (24 * USEC_PER_HOUR)                   /* P-152 */
#define POLICIES_MAX 8

/* --- collecting ----------------------------------------------------------------------------------------------------- */

struct check {
    const struct profile *p;
    struct profile_fault *faults;
    size_t n, max;
};

static void PRINTF_LIKE(4, 5)
fault(struct check *c, const char *rule, const char *setting, const char *fmt, ...)
{
    if (c->n < c->max) {
        struct profile_fault *f = &c->faults[c->n];
        va_list ap;

        *f = (struct profile_fault){ .rule = rule, .setting = setting, .line = c->p->lines[profile_setting_index(setting)] };
        va_start(ap, fmt);
        vsnprintf(f->text, sizeof(f->text), fmt, ap);
        va_end(ap);
    }
    c->n++;
}

/* --- kind of holder, use, subject ----------------------------------------------------------------------------------- */

#define BIT(n) (1u << (n))

/* One row per kind of holder: uses and subjects that go with it, longest life. */
static const struct holder_row {
    const char *name;
    unsigned uses, subjects;
    int years;                       /* P-138, P-145, P-146; 0: RESPONDER_CAP */
} holders[] = {
    [HOLDER_PERSON] = { "person", BIT(USE_AUTHENTICATION) | BIT(USE_SIGNATURE) | BIT(USE_BOTH) | BIT(USE_CONFIDENTIALITY),
                        BIT(SUBJECT_PSEUDONYM) | BIT(SUBJECT_NAMED), 5 },
    [HOLDER_AGENT] = { "agent", BIT(USE_AUTHENTICATION) | BIT(USE_SIGNATURE) | BIT(USE_BOTH) | BIT(USE_CONFIDENTIALITY),
                       BIT(SUBJECT_AGENT), 3 },
    [HOLDER_COMPANY] = { "company", BIT(USE_AUTHENTICATION) | BIT(USE_SIGNATURE) | BIT(USE_BOTH) | BIT(USE_CONFIDENTIALITY),
                         BIT(SUBJECT_COMPANY), 3 },
    [HOLDER_SERVER] = { "server", BIT(USE_SERVER_TLS) | BIT(USE_CLIENT_TLS), BIT(SUBJECT_SERVER) | BIT(SUBJECT_PROGRAM), 3 },
    [HOLDER_PROGRAM] = { "program", BIT(USE_CLIENT_TLS), BIT(SUBJECT_PROGRAM), 3 },
    [HOLDER_CA] = { "ca", BIT(USE_CA), BIT(SUBJECT_CA), 10 },
    [HOLDER_RESPONDER] = { "responder", BIT(USE_OCSP_SIGNING), BIT(SUBJECT_RESPONDER), 0 },
};

/* One row per use: key usages of which at least one must be there, those that may be there, extended ones (A4c; PKI 1.2). */
static const struct use_row {
    const char *name;
    unsigned ku_all, ku_one, ku_may; /* all of these; one of these, if any; nothing but these and the former */
    unsigned eku_all, eku_may;
} uses[] = {
    [USE_AUTHENTICATION] = { "authentication", KU_DIGITAL_SIGNATURE, 0, 0, EKU_CLIENT_AUTH,
                             EKU_EMAIL_PROTECTION | EKU_SMARTCARD_LOGON },
    [USE_SIGNATURE] = { "signature", KU_NON_REPUDIATION, 0, 0, EKU_EMAIL_PROTECTION, 0 },
    [USE_BOTH] = { "both", KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION, 0, 0, EKU_CLIENT_AUTH,
                   EKU_EMAIL_PROTECTION | EKU_SMARTCARD_LOGON },
    [USE_CONFIDENTIALITY] = { "confidentiality", 0, KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT, KU_DATA_ENCIPHERMENT,
                              EKU_EMAIL_PROTECTION, 0 },
    [USE_SERVER_TLS] = { "server-tls", KU_DIGITAL_SIGNATURE, 0, KU_KEY_ENCIPHERMENT, EKU_SERVER_AUTH, EKU_CLIENT_AUTH },
    [USE_CLIENT_TLS] = { "client-tls", KU_DIGITAL_SIGNATURE, 0, 0, EKU_CLIENT_AUTH, 0 },
    [USE_OCSP_SIGNING] = { "ocsp-signing", KU_DIGITAL_SIGNATURE, 0, 0, EKU_OCSP_SIGNING, 0 },
    [USE_CA] = { "ca", KU_KEY_CERT_SIGN | KU_CRL_SIGN, 0, KU_DIGITAL_SIGNATURE, 0, 0 },
};

static const char *const levels[] = { [LEVEL_LOCAL] = "local", [LEVEL_1] = "1", [LEVEL_2] = "2", [LEVEL_3] = "3" };

const char *
profile_holder_name(enum profile_holder holder)
{
    return holders[holder].name;
}

const char *
profile_use_name(enum profile_use use)
{
    return uses[use].name;
}

const char *
profile_level_name(enum profile_level level)
{
    return levels[level];
}

static bool
is_end_entity(const struct profile *p)
{
    return p->holder != HOLDER_CA;
}

/* Whose keys P-120 is about; those of authorities and responders are P-129's, which is reported, not refused. */
static bool
is_holder(const struct profile *p)
{
    return p->holder != HOLDER_CA && p->holder != HOLDER_RESPONDER;
}

bool
profile_is_of_machine(const struct profile *p)
{
    return p->holder == HOLDER_SERVER || p->holder == HOLDER_PROGRAM;
}

static bool
is_human(const struct profile *p)
{
    return p->holder == HOLDER_PERSON || p->holder == HOLDER_AGENT || p->holder == HOLDER_COMPANY;
}

static void
check_kind(struct check *c)
{
    const struct profile *p = c->p;
    const struct holder_row *h = &holders[p->holder];

    if ((h->uses & BIT(p->use)) == 0)
        fault(c, "holder.use", "use", "%s is no use of a %s", uses[p->use].name, h->name);
    if ((h->subjects & BIT(p->subject)) == 0)
        fault(c, "holder.subject", "subject", "not what the certificate of a %s shows", h->name);
    if (p->use == USE_SERVER_TLS && p->subject != SUBJECT_SERVER)
        fault(c, "use.subject", "subject", "a TLS server has DNS names");
    if (p->use == USE_BOTH && p->level == LEVEL_3)      /* A2c I.1.1 */
        fault(c, "use.level", "use", "signature and authentication under one key are not for level 3");
    if (strlen(p->country) != 2 || strspn(p->country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2)
        fault(c, "subject.country", "subject.country", "must be two capitals");
    if (strlen(p->title) > 120)
        fault(c, "title", "title", "must have 120 bytes at most");
}

static void
check_ca_name(struct check *c)
{
    const struct profile *p = c->p;
    const size_t n = strlen(p->ca);

    if (n == 0 || n > 31 || p->ca[0] < 'a' || p->ca[0] > 'z' ||
        strspn(p->ca, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
        fault(c, "ca.name", "ca", "an authority's name has lower-case letters, digits and hyphens, 31 at most");
    else if (strcmp(p->ca, "self") == 0 && is_end_entity(p))       /* A2c I.5.1.2, case 2 */
        fault(c, "ca.self", "ca", "only an authority signs itself");
}

/* --- keys ----------------------------------------------------------------------------------------------------------- */

static void
check_keys(struct check *c)
{
    const struct profile *p = c->p;

    if (p->rsa_min == 0 && p->curves == 0)
        fault(c, "key.none", "key.curves", "no kind of key is left");
    if (p->rsa_min != 0 && p->rsa_min < 2048)                       /* RGS B1, RègleFact-1 */
        fault(c, "key.rsa_min", "key.rsa_min", "RSA keys have 2048 bits or more");
    if (p->rsa_min % 8 != 0)
        fault(c, "key.rsa_min", "key.rsa_min", "must be a multiple of 8");
}

static void
check_key_usage(struct check *c)
{
    const struct profile *p = c->p;
    const struct use_row *u = &uses[p->use];

    if ((p->key_usage & u->ku_all) != u->ku_all || (u->ku_one != 0 && (p->key_usage & u->ku_one) == 0))
        fault(c, "key_usage.missing", "key_usage", "something that %s needs is missing", u->name);
    if ((p->key_usage & ~(u->ku_all | u->ku_one | u->ku_may)) != 0)
        fault(c, "key_usage.unwanted", "key_usage", "more than %s has", u->name);
    if ((p->key_usage & KU_KEY_ENCIPHERMENT) != 0 && p->rsa_min == 0)
        fault(c, "key_usage.key", "key_usage", "keyEncipherment is for RSA keys");
    if ((p->key_usage & KU_KEY_AGREEMENT) != 0 && p->curves == 0)
        fault(c, "key_usage.key", "key_usage", "keyAgreement is for EC keys");
    if ((p->ext_key_usage & u->eku_all) != u->eku_all)
        fault(c, "extended_key_usage.missing", "extended_key_usage", "something that %s needs is missing", u->name);
    if ((p->ext_key_usage & ~(u->eku_all | u->eku_may)) != 0)      /* P-155: a signature certificate never signs in */
        fault(c, "extended_key_usage.unwanted", "extended_key_usage", "more than %s has", u->name);
}

/* --- policies, addresses, authorities --------------------------------------------------------------------------------- */

static bool
is_http_url(const char *url)
{
    const char *host = strncmp(url, "http://", 7) == 0 ? url + 7 : strncmp(url, "https://", 8) == 0 ? url + 8 : NULL;

    if (host == NULL || *host == '\0' || *host == '/' || strlen(url) > 200)
        return false;
    for (const char *c = host; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f || strchr("\"<>\\^`{|}", *c) != NULL)
            return false;
    return true;
}

static void
check_policies(struct check *c)
{
    const struct profile *p = c->p;

    for (size_t i = 0; i < p->policies.n; i++) {
        AUTO(buf_free) struct buf oid = BUF_BOUNDED(DER_OID_MAX);
        const bool any = strcmp(p->policies.items[i], "2.5.29.32.0") == 0;

        if (der_oid_parse(str_of(p->policies.items[i]), &oid) != OK || !buf_ok(&oid))
            fault(c, "policy.oid", "policy", "not a dotted object identifier");
        else if (any && is_end_entity(p))
            fault(c, "policy.any", "policy", "anyPolicy is for authorities");
        for (size_t k = 0; k < i; k++)
            if (strcmp(p->policies.items[i], p->policies.items[k]) == 0)
                fault(c, "policy.twice", "policy", "stands twice");
    }
    if (is_end_entity(p) && p->holder != HOLDER_RESPONDER && p->policies.n != 1)       /* P-105, A4c */
        fault(c, "policy.one", "policy", "a certificate has one policy, that of its profile and level");
    if (p->policies.n > POLICIES_MAX)
        fault(c, "policy.many", "policy", "more than %d", POLICIES_MAX);
    if (p->cps[0] != '\0' && (!is_http_url(p->cps) || p->policies.n == 0))
        fault(c, "policy.cps", "policy.cps", "must be an http or https address, and belongs to a policy");
}

static void
check_publication(struct check *c)
{
    const struct profile *p = c->p;

    if (p->freshest_crl && !p->crl_distribution)
        fault(c, "crl.freshest", "crl.freshest", "a delta CRL without a full one");
    if (p->holder == HOLDER_RESPONDER) {                             /* nocheck: nobody asks (RFC 6960 §4.2.2.2.1) */
        if (p->aia_ocsp || p->crl_distribution)
            fault(c, "responder.status", p->aia_ocsp ? "aia.ocsp" : "crl",
                  "the certificate of a responder is not asked for its own status");
        return;
    }
    if (strcmp(p->ca, "self") == 0) {
        if (!is_end_entity(p) && (p->crl_distribution || p->aia_ocsp || p->aia_ca_issuers))
            fault(c, "root.publication", p->crl_distribution ? "crl" : p->aia_ocsp ? "aia.ocsp" : "aia.ca_issuers",
                  "a self-signed certificate has no status");
        return;
    }
    if (!p->crl_distribution)                                         /* A4c: mandatory */
        fault(c, "crl.missing", "crl", "a certificate says where its CRL is");
}

static void
check_authority(struct check *c)
{
    const struct profile *p = c->p;

    if (is_end_entity(p)) {
        if (p->path_length != -1)
            fault(c, "path_length.end_entity", "path_length", "only of an authority");
        if (p->permitted_dns.n > 0)
            fault(c, "permitted.end_entity", "permitted.dns", "only of an authority");
        return;
    }
    if (strcmp(p->ca, "self") != 0 && p->path_length == -1)          /* A4c: 0 for what signs persons or services */
        fault(c, "path_length.missing", "path_length", "an authority below another has one");
    for (size_t i = 0; i < p->permitted_dns.n; i++)
        if (!subject_dns_is_valid(str_of(p->permitted_dns.items[i])) || p->permitted_dns.items[i][0] == '*')
            fault(c, "permitted.dns", "permitted.dns", "not a domain");
    if (p->test)
        fault(c, "test.ca", "test", "certificates of holders are tests, not authorities");
}

/* --- life, level ---------------------------------------------------------------------------------------------------- */

static void
check_life(struct check *c)
{
    const struct profile *p = c->p;
    const int cap = holders[p->holder].years;
    const int64_t spare = (int64_t)(cap - p->life.years) * 365 * USEC_PER_DAY;

    if (cap == 0) {
        if (p->life.years > 0 || p->life.rest > RESPONDER_CAP)
            fault(c, "life.cap", "life", "a responder's certificate lives 30 days at most");
    } else if (p->life.years > cap || p->life.rest > spare) {
        fault(c, "life.cap", "life", "the certificate of a %s lives %d years at most", holders[p->holder].name, cap);
    }
}

/* P-116 to P-121: what a level asks of how a human gets a certificate. */
static void
check_level(struct check *c)
{
    const struct profile *p = c->p;

    if (is_holder(p) && p->level >= LEVEL_2 && p->support == SUPPORT_SOFTWARE)     /* P-120 */
        fault(c, "level.support", "support", "level %s is not for keys in software", levels[p->level]);
    if (!is_human(p))
        return;
    if (p->level >= LEVEL_2 && (p->proofs & PROOF_NONE) != 0)                       /* P-116 */
        fault(c, "level.proof", "proof", "level %s asks for a proof of identity", levels[p->level]);
    if (p->level == LEVEL_3 && (p->proofs & PROOF_SIGNED_FILE) != 0)
        fault(c, "level.proof", "proof", "level 3 asks for face to face");
    if (p->level >= LEVEL_2 && p->renewals > 1)                                     /* P-117 */
        fault(c, "level.renewals", "renewals", "level %s allows one renewal without a new proof", levels[p->level]);
    if (p->level == LEVEL_2 && p->acceptance == ACCEPTANCE_TACIT)                   /* P-121 */
        fault(c, "level.acceptance", "acceptance", "level 2 asks the holder to confirm");
    if (p->level == LEVEL_3 && p->acceptance != ACCEPTANCE_SIGNED)
        fault(c, "level.acceptance", "acceptance", "level 3 asks for a signed agreement");
}

/* K2: holds are for local profiles marked suspendable; the RGS knows no suspension. */
static void
check_suspend(struct check *c)
{
    const struct profile *p = c->p;

    if (p->suspendable && p->level != LEVEL_LOCAL)
        fault(c, "suspend.level", "suspendable", "the RGS does not allow suspension (level %s)", levels[p->level]);
    if (p->suspend == SUSPEND_HOLD && !p->suspendable)
        fault(c, "suspend.hold", "suspend", "hold is for profiles that are suspendable");
    if (!is_end_entity(p) && p->suspend != SUSPEND_IMMEDIATE)
        fault(c, "suspend.ca", "suspend", "an authority is revoked at once");
    if (p->suspend == SUSPEND_DEFER && p->level >= LEVEL_2 && p->defer_max > DEFER_RGS_MAX)
        fault(c, "suspend.defer", "suspend.defer", "24 hours at most at level %s", levels[p->level]);
    if (p->acceptance != ACCEPTANCE_TACIT && p->accept_alert >= p->accept_revoke)
        fault(c, "acceptance.order", "acceptance.alert", "the alert comes before the revocation");
}

size_t
profile_check(const struct profile *p, struct profile_fault *ret, size_t max)
{
    struct check c = { p, ret, 0, max };

    check_kind(&c);
    check_ca_name(&c);
    check_keys(&c);
    check_key_usage(&c);
    check_policies(&c);
    check_publication(&c);
    check_authority(&c);
    check_life(&c);
    check_level(&c);
    check_suspend(&c);
    return c.n;
}

/* --- time ----------------------------------------------------------------------------------------------------------- */

utime
profile_add_years(utime t, int years)
{
    const int64_t seconds = utime_seconds(t);
    struct civil date;
    int day;

    civil_from_seconds(seconds, &date);
    day = date.day;
    if (date.month == 2 && day == 29 && civil_month_days(date.year + years, 2) == 28)
        day = 28;
    return t + (civil_to_days(date.year + years, date.month, day) - civil_to_days(date.year, date.month, date.day)) * USEC_PER_DAY;
}

utime
profile_not_after(const struct profile *p, utime not_before)
{
    return profile_add_years(not_before, p->life.years) + p->life.rest - USEC_PER_SEC;
}

utime
profile_cap_not_after(enum profile_holder holder, utime not_before)
{
    if (holders[holder].years == 0)
        return not_before + RESPONDER_CAP - USEC_PER_SEC;
    return profile_add_years(not_before, holders[holder].years) - USEC_PER_SEC;
}

/* --- requests ------------------------------------------------------------------------------------------------------- */

enum err
profile_key_check(const struct profile *p, enum key_alg alg, int bits, utime not_after, struct why *why)
{
    switch (alg) {
    case KEY_RSA:
        if (p->rsa_min == 0)
            return why_code(why, ERR_DENIED, "pki.key.type", "profile %s takes no RSA keys", p->name);
        if (bits < p->rsa_min)
            return why_code(why, ERR_DENIED, "pki.key.size", "RSA key of %d bits; profile %s asks for %lld", bits, p->name,
                            (long long)p->rsa_min);
        if (bits < RSA_2030 && not_after >= Y2031)
            return why_code(why, ERR_DENIED, "pki.key.size_2030", "RSA key of %d bits past 2030-12-31 (%d or more)", bits,
                            RSA_2030);
        return OK;
    case KEY_P256:
    case KEY_P384:
        if ((p->curves & (alg == KEY_P256 ? CURVE_P256 : CURVE_P384)) == 0)
            return why_code(why, ERR_DENIED, p->curves == 0 ? "pki.key.type" : "pki.key.curve", "profile %s takes no key on %s",
                            p->name, alg == KEY_P256 ? "P-256" : "P-384");
        return OK;
    case KEY_ED25519:      /* no card and few services verify it; the RGS does not list it */
        return why_code(why, ERR_DENIED, "pki.key.type", "profile %s takes no Ed25519 keys", p->name);
    }
    return why_set(why, ERR_INTERNAL, "key algorithm %d", (int)alg);
}

enum err
profile_issue_check(const struct profile *p, const struct profile_issue *facts, struct why *why)
{
    if (is_holder(p) && p->level >= LEVEL_2 && (p->support == SUPPORT_SOFTWARE || facts->support == SUPPORT_SOFTWARE))
        return why_code(why, ERR_DENIED, "pki.profile.level", "level %s is not for keys in software", levels[p->level]);
    if (p->support == SUPPORT_CARD && facts->support != SUPPORT_CARD)
        return why_code(why, ERR_DENIED, "pki.profile.support", "profile %s is for keys on a card", p->name);
    if ((p->proofs & (unsigned)facts->proof) == 0)
        return why_code(why, ERR_DENIED, "pki.profile.proof", "profile %s asks for another proof of identity", p->name);
    if (facts->renewal && facts->renewals >= p->renewals)
        return why_code(why, ERR_DENIED, "pki.profile.renewals",
                        "profile %s allows %lld renewals without a new proof of identity", p->name, (long long)p->renewals);
    if (facts->not_after < facts->not_before || facts->not_after > profile_not_after(p, facts->not_before) ||
        facts->not_after > profile_cap_not_after((enum profile_holder)p->holder, facts->not_before))
        return why_code(why, ERR_DENIED, "pki.profile.life", "longer than profile %s and its kind of holder allow", p->name);
    if (facts->not_after > facts->ca_not_after)                       /* PKI L2 */
        return why_code(why, ERR_DENIED, "pki.profile.ca_end", "it would outlive the authority that signs it");
    return profile_key_check(p, facts->alg, facts->bits, facts->not_after, why);
}

enum sig_alg
profile_sig_alg(enum key_alg alg)
{
    switch (alg) {
    case KEY_RSA:
        return SIG_RS256;
    case KEY_P256:
        return SIG_ES256;
    case KEY_P384:
        return SIG_ES384;
    case KEY_ED25519:
        return SIG_EDDSA;
    }
    panic("key algorithm %d", (int)alg);
}
