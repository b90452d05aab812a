/*
 * x509_status: the third judge of x509_path.h: is a certificate of the path revoked? RFC 5280 §6.3.3, over CRLs that
 * were verified when they were put into the trust. Letters in comments are those of §6.3.3.
 *
 * A certificate is good when CRLs that are current have spoken for all reasons of revocation and none has it. A CRL counts
 * when its scope covers the certificate and the key that signed it belongs to the path, or to a certificate of the trust that
 * leads to the same anchor and is itself not revoked.
 *
 * What bites: a CRL issuer may be covered only by a CRL that it signs itself (NIST PKITS 4.14.30). We refuse: the
 * answer would rest on itself.
 */
#include <openssl/x509v3.h>

#include "base/crypto/x509-internal.h"

#define LEVEL_MAX 3                /* a CRL's signer, whose CRL's signer, … */

/* A distribution point of the certificate, as far as it is needed. */
struct point {
    struct x509_places places;     /* n 0: the point has no name of its own */
    struct x509_places crl_issuer; /* n 0: the CRL's issuer is the certificate's */
    uint32_t reasons;
    struct buf store;
};

struct search {
    const struct x509_run *run;
    const struct x509_path *path;
    size_t at;                     /* the certificate: path->nodes[at] */
    int level;
    uint32_t covered;              /* reasons_mask */
    bool stale, refused;           /* a CRL would have counted but for its age, or its signer */
    struct why *why;
};

static void
point_done(struct point *p)
{
    x509_places_done(&p->places);
    x509_places_done(&p->crl_issuer);
    buf_free(&p->store);
}

static const struct x509_node *
subject_of(const struct search *s)
{
    return s->path->nodes[s->at];
}

static X509_NAME *
issuer_name(const struct search *s)
{
    return X509_get_issuer_name(subject_of(s)->x);
}

/* The DirectoryName of the certificate's issuer: what a certificate without points of its own stands under. */
static enum err
point_of_issuer(const struct search *s, struct point *ret)
{
    const size_t general = der_begin(&ret->store, DER_CONTEXT(4));

    buf_add_str(&ret->store, subject_of(s)->cert.issuer_der);
    der_end(&ret->store, general);
    ret->reasons = X509_REASONS_ALL;
    return buf_ok(&ret->store) ? x509_places_read(buf_view(&ret->store), &ret->places) : ERR_INPUT;
}

/* DistributionPoint ::= SEQUENCE { distributionPoint [0], reasons [1], cRLIssuer [2] }, all OPTIONAL (§4.2.1.13) */
static enum err
point_read(const struct search *s, struct str content, struct point *ret)
{
    struct str name = STR_NULL, part, relative = subject_of(s)->cert.issuer_der;

    ret->reasons = X509_REASONS_ALL;
    if (der_optional(&content, DER_CONTEXT(0), &name) && name.n == 0)
        return ERR_INPUT;
    if (der_optional(&content, DER_CONTEXT_PRIMITIVE(1), &part) && x509_reasons_read(part, &ret->reasons) != OK)
        return ERR_INPUT;
    if (der_optional(&content, DER_CONTEXT(2), &part)) {
        if (x509_places_read(part, &ret->crl_issuer) != OK)
            return ERR_INPUT;
        if (ret->crl_issuer.n == 1 && ret->crl_issuer.list[0].directory != NULL) {
            struct str one = ret->crl_issuer.list[0].name;

            if (der_expect(&one, DER_CONTEXT(4), &relative) != OK)
                return ERR_INPUT;
        }
    }
    if (content.n != 0 || (name.p == NULL && ret->crl_issuer.n == 0))
        return ERR_INPUT;
    return name.p == NULL ? OK : x509_places_read_point(name, relative, &ret->store, &ret->places);
}

/* (b)(1) and (b)(2): does the scope of this CRL cover the certificate at this point? */
static bool
covers(const struct search *s, const struct point *point, const struct x509_crl *crl)
{
    const bool is_ca = subject_of(s)->cert.is_ca;

    if (point->crl_issuer.n > 0) {
        if (!x509_places_have(&point->crl_issuer, crl->issuer) || !crl->indirect)
            return false;
    } else if (X509_NAME_cmp(crl->issuer, issuer_name(s)) != 0) {
        return false;
    }
    if (crl->places.n > 0 &&
        !x509_places_meet(&crl->places, point->places.n > 0 ? &point->places : &point->crl_issuer))
        return false;
    return !crl->only_attribute && !(crl->only_user && is_ca) && !(crl->only_ca && !is_ca);
}

/* --- (f): who signed the CRL ------------------------------------------------------------------------------------- */

static bool
is_signer(const struct x509_node *n, const struct x509_crl *crl)
{
    return str_eq(buf_view(&n->cert.spki), buf_view(&crl->signer_spki)) &&
           X509_NAME_cmp(X509_get_subject_name(n->x), crl->issuer) == 0 &&
           (!n->cert.has_key_usage || (n->cert.key_usage & X509_CRL_SIGN) != 0);
}

/* A certificate outside the path: it must lead to the same anchor, and be good itself. */
static bool
signer_leads_here(const struct search *s, const struct x509_node *signer)
{
    struct x509_profile profile = *s->run->profile;
    struct x509_run run = *s->run;
    struct x509_path path;

    if (s->level >= LEVEL_MAX)
        return false;
    profile.policies = NULL;        /* policies are the leaf's */
    profile.n_policies = 0;
    profile.inhibit_any_policy = profile.inhibit_policy_mapping = false;
    run.profile = &profile;
    return x509_path_build(&run, signer, X509_PURPOSE_CRL_SIGN, &path, NULL) == CERT_GOOD &&
           path.nodes[path.n - 1] == s->path->nodes[s->path->n - 1] &&
           x509_path_status(&run, &path, s->level + 1, NULL) == CERT_GOOD;
}

static bool
signer_is_good(const struct search *s, const struct x509_crl *crl)
{
    const struct x509_trust *t = s->run->trust;

    for (size_t i = s->at + 1; i < s->path->n; i++)
        if (is_signer(s->path->nodes[i], crl))
            return true;
    for (size_t i = 0; i < t->n_intermediates; i++)
        if (is_signer(&t->intermediates[i], crl) && signer_leads_here(s, &t->intermediates[i]))
            return true;
    return false;
}

/* --- (c), (i), (j): what CRL and delta say ----------------------------------------------------------------------- */

static bool
is_current(const struct x509_run *run, const struct x509_crl *crl)
{
    return crl->this_update <= run->now && run->now <= crl->next_update + run->profile->crl_grace;
}

/* (c), §5.2.4: same issuer, scope and key; made for a base no later than this CRL, and newer than it. */
static bool
delta_fits(const struct x509_crl *crl, const struct x509_crl *delta)
{
    return delta->is_delta && X509_NAME_cmp(crl->issuer, delta->issuer) == 0 && str_eq(buf_view(&crl->idp), buf_view(&delta->idp)) &&
           str_eq(buf_view(&crl->authority_key_id), buf_view(&delta->authority_key_id)) &&
           str_eq(buf_view(&crl->signer_spki), buf_view(&delta->signer_spki)) &&
           memcmp(delta->base, crl->number, sizeof(crl->number)) <= 0 &&
           memcmp(delta->number, crl->number, sizeof(crl->number)) > 0;
}

/* The newest one that fits; NULL: none. */
static const struct x509_crl *
delta_find(const struct search *s, const struct x509_crl *crl)
{
    const struct x509_trust *t = s->run->trust;
    const struct x509_crl *best = NULL;

    for (size_t i = 0; i < t->n_crls; i++)
        if (delta_fits(crl, t->crls[i]) &&
            (best == NULL || memcmp(t->crls[i]->number, best->number, sizeof(best->number)) > 0))
            best = t->crls[i];
    return best;
}

static const struct x509_crl_entry *
entry_find(const struct search *s, const struct x509_crl *crl)
{
    return x509_crl_find(crl, issuer_name(s), subject_of(s)->cert.serial_octets);
}

static enum x509_verdict
verdict_of(const struct search *s, const struct x509_crl_entry *entry)
{
    char when[UTIME_RFC3339_LEN + 1];

    utime_rfc3339(entry->revoked, when);
    err_ignore(why_set(s->why, ERR_DENIED, "serial %s of \"%s\" revoked on %s, reason %d", buf_cstr(&subject_of(s)->cert.serial),
                       buf_cstr(&subject_of(s)->cert.issuer), when, (int)entry->reason));
    if (s->at > 0 || s->level > 0)
        return CERT_ISSUER_REVOKED;
    return entry->reason == X509_REASON_HOLD ? CERT_ON_HOLD : CERT_REVOKED;
}

/* One CRL that covers the certificate at this point. */
static enum x509_verdict
crl_ask(struct search *s, const struct x509_crl *crl, uint32_t reasons)
{
    const struct x509_crl *delta = delta_find(s, crl);
    const struct x509_crl_entry *entry = NULL;

    if (!is_current(s->run, crl) || (delta != NULL && !is_current(s->run, delta))) {
        s->stale = true;            /* (a). A delta past its time: the newest revocations are not known */
        return CERT_GOOD;
    }
    if (!signer_is_good(s, crl)) {
        s->refused = true;
        return CERT_GOOD;
    }
    if (delta != NULL)
        entry = entry_find(s, delta);                       /* (i) */
    if (entry == NULL)
        entry = entry_find(s, crl);                         /* (j) */
    if (entry != NULL && entry->reason != X509_REASON_REMOVE)       /* (k) */
        return verdict_of(s, entry);
    s->covered |= reasons;                                  /* (l) */
    return CERT_GOOD;
}

/* Is there a newer one of the same scope and key? What it leaves out is no longer so (a release from hold). */
static bool
is_superseded(const struct search *s, const struct x509_crl *crl)
{
    const struct x509_trust *t = s->run->trust;

    for (size_t i = 0; i < t->n_crls; i++)
        if (!t->crls[i]->is_delta && t->crls[i]->this_update <= s->run->now &&
            memcmp(t->crls[i]->number, crl->number, sizeof(crl->number)) > 0 &&
            X509_NAME_cmp(crl->issuer, t->crls[i]->issuer) == 0 && str_eq(buf_view(&crl->idp), buf_view(&t->crls[i]->idp)) &&
            str_eq(buf_view(&crl->signer_spki), buf_view(&t->crls[i]->signer_spki)))
            return true;
    return false;
}

/* All CRLs at one point; §6.3.3 (e) would pass over those whose reasons are covered: one of another scope may still know
 * of a revocation, and is heard. */
static enum x509_verdict
point_ask(struct search *s, const struct point *point)
{
    const struct x509_trust *t = s->run->trust;
    enum x509_verdict v;

    for (size_t i = 0; i < t->n_crls; i++) {
        const uint32_t reasons = t->crls[i]->reasons & point->reasons;      /* (d) */

        if (t->crls[i]->is_delta || reasons == 0 || !covers(s, point, t->crls[i]) || is_superseded(s, t->crls[i]))
            continue;
        if ((v = crl_ask(s, t->crls[i], reasons)) != CERT_GOOD)
            return v;
    }
    return CERT_GOOD;
}

/* --- one certificate, and the path ------------------------------------------------------------------------------- */

static enum x509_verdict
point_try(struct search *s, const struct str *content)
{
    AUTO(point_done) struct point point = { .store = BUF_BOUNDED(3 * X509_NAME_MAX) };

    if ((content == NULL ? point_of_issuer(s, &point) : point_read(s, *content, &point)) != OK) {
        err_ignore(why_set(s->why, ERR_INPUT, "CRL distribution point"));
        return CERT_MALFORMED;
    }
    return point_ask(s, &point);
}

static enum x509_verdict
certificate_ask(struct search *s)
{
    struct str rest = subject_of(s)->cert.crl_distribution_points, content;
    enum x509_verdict v;

    while (rest.n > 0) {
        if (der_expect(&rest, DER_SEQUENCE, &content) != OK) {
            err_ignore(why_set(s->why, ERR_INPUT, "CRL distribution points"));
            return CERT_MALFORMED;
        }
        if ((v = point_try(s, &content)) != CERT_GOOD)
            return v;
    }
    /* what no point names, but the issuer signed: end of §6.3.3 */
    if (s->covered != X509_REASONS_ALL && (v = point_try(s, NULL)) != CERT_GOOD)
        return v;
    if (s->covered == X509_REASONS_ALL)
        return CERT_GOOD;
    err_ignore(why_set(s->why, ERR_UNAVAILABLE, "%s for serial %s of \"%s\"",
                       s->stale ? "only a CRL past its time" : s->refused ? "only a CRL whose signer is not good" : "no CRL",
                       buf_cstr(&subject_of(s)->cert.serial), buf_cstr(&subject_of(s)->cert.issuer)));
    return s->stale ? CERT_STATUS_STALE : CERT_STATUS_UNKNOWN;
}

enum x509_verdict
x509_path_status(const struct x509_run *run, const struct x509_path *path, int level, struct why *why)
{
    for (size_t i = path->n - 1; i > 0; i--) {
        struct search s = { .run = run, .path = path, .at = i - 1, .level = level, .why = why };
        const enum x509_verdict v = certificate_ask(&s);

        if (v != CERT_GOOD)
            return v;
    }
    return CERT_GOOD;
}
