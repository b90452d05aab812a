/* issue: see issue.h. One small function for each rule, in the order in which they are asked. */
#include "pki/authority/issue-internal.h"

#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/crypto/der.h"
#include "base/crypto/x509.h"
#include "pki/authority/certificate.h"
#include "pki/encode/certificate.h"
#include "pki/lint/lint.h"
#include "pki/request/csr.h"


/* --- the clock (L25) --------------------------------------------------------------------------------------------------- */

enum err
clock_guard_check(const struct clock_guard *g, utime now, struct why *why)
{
    char is[UTIME_RFC3339_LEN + 1], was[UTIME_RFC3339_LEN + 1];
    const utime newest = atomic_load(&g->newest);

    if (now >= newest - CLOCK_SLACK)
        return OK;
    utime_rfc3339(now, is);
    utime_rfc3339(newest, was);
    return why_code(why, ERR_UNAVAILABLE, "signer.clock", "the clock says %s, but something was signed at %s: it was moved back, "
                    "nothing is signed", is, was);
}

void
clock_guard_note(struct clock_guard *g, utime signed_at)
{
    int64_t newest = atomic_load(&g->newest);

    while (newest < signed_at && !atomic_compare_exchange_weak(&g->newest, &newest, signed_at))
        ;
}

/* --- checks -------------------------------------------------------------------------------------------------------------- */

static enum err
profile_find(struct issue_work *w, struct why *why)
{
    w->profile = profile_set_find(w->x->profiles, str_of(w->c.registration.profile));
    if (w->profile == NULL)
        return why_code(why, ERR_DENIED, "pki.profile.unknown", "no profile %s", w->c.registration.profile);
    /* what only ceremonies make is not asked for */
    if (w->profile->use == USE_CA)
        return why_code(why, ERR_DENIED, "pki.profile.unknown", "profile %s belongs to ceremonies", w->profile->name);
    return OK;
}

static enum err
registration_check(struct issue_work *w, struct why *why)
{
    const struct issue_case *c = &w->c;

    if (c->registration.state != REGISTRATION_OPEN)
        return why_code(why, ERR_DENIED, "pki.registration.state", "the registration is not open");
    if (!c->station_good)
        return why_code(why, ERR_DENIED, "pki.station", "the station may not ask for this registration");
    /* What the operator registered under a station's name is the station's when it is a machine's: a holder may be called alike. */
    if (c->request.origin == REQUEST_EST && c->registration.station[0] == '\0' && !profile_is_of_machine(w->profile))
        return why_code(why, ERR_DENIED, "pki.station", "a person whom the operator registered is no station");
    /* A responder is asked for by status alone, and status asks for nothing else. */
    if ((c->request.origin == REQUEST_STATUS) != (w->profile->use == USE_OCSP_SIGNING) ||
        (c->request.origin == REQUEST_STATUS && c->responder_ca == 0))
        return why_code(why, ERR_DENIED, "pki.station", "a responder's certificate is asked for by the status process");
    return OK;
}

/* The names in clear; for approvals, and for the certificate. Erased ones are no failure here. */
static enum err
names_open(struct issue_work *w, struct why *why)
{
    return w->c.registration.subject.p == NULL ? OK
                                               : registration_open(w->x->field, &w->c.registration, w->a, &w->subject, why);
}

static enum err
approvals_check(struct issue_work *w, struct why *why)
{
    AUTO(buf_free) struct buf names = BUF_SECRET(REGISTRATION_SUBJECT_MAX);
    unsigned char subject[SHA256_LEN];

    if (w->c.request.origin != REQUEST_OPERATOR || w->profile->approvals == 0)
        return OK;
    registration_subject_text(&w->subject, &names);
    request_subject(&w->c.request, &w->c.registration, buf_view(&names), subject);
    return approval_check(w->pg, APPROVE_REQUEST, subject, NULL, w->now, why);
}

static enum err
key_check(struct issue_work *w, struct why *why)
{
    unsigned char sha[SHA256_LEN];
    enum err e;

    if ((e = csr_read(w->c.request.csr, &w->csr, why)) != OK ||
        (e = key_quality_check(w->csr.spki, w->x->weak_keys, &w->key, why)) != OK)
        return e;
    sha256(w->csr.spki, sha);
    if (memcmp(sha, w->c.request.spki_sha256, SHA256_LEN) != 0)      /* lint: secret-compare: both are public */
        return why_code(why, ERR_DENIED, "pki.key.changed", "the request's key is not the one that was noted");
    for (size_t i = 0; i < w->x->ncas; i++)
        if (str_eq(w->x->cas[i].ca.spki, w->csr.spki))
            return why_code(why, ERR_DENIED, "pki.key.ca", "the key of an authority");
    if (w->c.key_used)
        return why_code(why, ERR_DENIED, "pki.key.used", "this key has a certificate already: each certificate has a new key");
    return OK;
}

/* The certificate that a renewal follows: good, of the same registration, near its end (DOMAIN 2.3, A2c III.3). */
static enum err
renewal_check(struct issue_work *w, struct why *why)
{
    const struct issue_case *c = &w->c;

    if (c->request.kind != REQUEST_RENEW)
        return OK;
    if (!c->follows)
        return why_code(why, ERR_DENIED, "pki.renew.unknown", "the certificate to be renewed is not one of this registration");
    if ((!str_eqs(c->follows_state, "issued") && !str_eqs(c->follows_state, "active")) || c->follows_not_after < w->now)
        return why_code(why, ERR_DENIED, "pki.renew.state", "the certificate to be renewed is not good any more");
    if (c->follows_not_after > w->now + RENEW_BEFORE)
        return why_code(why, ERR_DENIED, "pki.renew.early", "the certificate to be renewed ends in more than 60 days");
    return OK;
}

/* Who was identified when (P-116, P-117). A further certificate without a new proof is a renewal, whatever it calls itself. */
static enum err
proof_check(struct issue_work *w, struct why *why)
{
    const struct registration *r = &w->c.registration;

    if (r->proof != PROOF_NONE && (r->proof_at == UTIME_NULL || r->proof_at > w->now + CLOCK_SLACK))
        return why_code(why, ERR_DENIED, "pki.proof.date", "a proof of identity without a date, or of the future");
    if (r->proof != PROOF_NONE && w->c.revoked)
        return why_code(why, ERR_DENIED, "pki.proof.revoked", "a certificate was revoked since the holder was identified");
    w->renewal = w->c.request.kind == REQUEST_RENEW || w->c.earlier > 0;
    return OK;
}

/* None among those that the signer knows: is there none, or does it not know it yet? */
static enum err
ca_missing(struct issue_work *w, bool responder, struct why *why)
{
    struct ca ca = { .state = CA_ENDED };
    const enum err e = responder ? ca_by_id(w->pg, w->c.responder_ca, w->a, &ca, why)
                                 : ca_find(w->pg, w->profile->ca, 0, w->a, &ca, why);

    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    if (e == OK && (ca.state == CA_ACTIVE || (responder && ca.state == CA_RETIRING)))
        return why_code(why, ERR_UNAVAILABLE, "signer.locked", "the key of %s is not open", ca.name);
    return why_code(why, ERR_DENIED, "pki.ca.none", "no active authority %s", w->profile->ca);
}

static enum err
ca_find_active(struct issue_work *w, struct why *why)
{
    const bool responder = w->profile->use == USE_OCSP_SIGNING;

    w->ca = NULL;
    for (size_t i = 0; i < w->x->ncas; i++) {
        const struct issue_ca *one = &w->x->cas[i];

        if (responder ? one->ca.id != w->c.responder_ca : strcmp(one->ca.name, w->profile->ca) != 0)
            continue;
        if (one->ca.state != CA_ACTIVE && !(responder && one->ca.state == CA_RETIRING))
            continue;
        if (w->ca == NULL || one->ca.generation > w->ca->ca.generation)
            w->ca = one;
    }
    return w->ca == NULL ? ca_missing(w, responder, why) : OK;
}

/* Those that are reserved and not issued yet count too: of requests that came together, each is judged after the ones before it. */
static int64_t
renewals_of(const struct issue_case *c)
{
    return c->earlier - 1 > c->registration.renewals ? c->earlier - 1 : c->registration.renewals;
}

static enum err
profile_asks(struct issue_work *w, utime not_before, utime not_after, struct why *why)
{
    const struct profile_issue facts = {
        .support = w->c.registration.support, .proof = w->c.registration.proof, .renewal = w->renewal,
        .renewals = renewals_of(&w->c), .alg = key_algorithm(w->csr.key), .bits = key_bits(w->csr.key),
        .not_before = not_before, .not_after = not_after, .ca_not_after = w->ca->ca.not_after,
    };

    return profile_issue_check(w->profile, &facts, why);
}

/* --- the text ------------------------------------------------------------------------------------------------------------ */

/* The subject of a text that we wrote: after version, serial, algorithm, issuer and validity (RFC 5280 §4.1). */
static enum err
tbs_subject(struct str tbs, struct buf *out, struct why *why)
{
    struct str in = tbs, inner, part;
    unsigned tag = 0;
    enum err e = der_expect(&in, DER_SEQUENCE, &inner);

    for (int i = 0; i < 5 && e == OK; i++)
        e = der_element(&inner, &tag, &part);
    if (e == OK)
        e = der_element(&inner, &tag, &part);
    if (e != OK || tag != DER_SEQUENCE)
        return why_set(why, ERR_INTERNAL, "the text of the certificate before cannot be read");
    buf_add_str(out, part);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "a name of %zu octets", part.n);
}

static enum err
name_make(struct issue_work *w, struct why *why)
{
    if (w->c.registration.subject.p != NULL)
        return name_encode(w->profile, &w->subject, &w->name, why);
    if (w->c.follows_tbs.p != NULL)
        return tbs_subject(w->c.follows_tbs, &w->name, why);
    return why_code(why, ERR_DENIED, "pki.registration.erased",
                    "the names were erased, and no certificate that has them is followed: register them again");
}

/* The text, read back by another hand than wrote it: a finding stops it before a key is touched. */
static enum err
text_lint(const struct issue_work *w, const struct issue_reservation *r, const struct certificate_input *in, struct why *why)
{
    const struct lint_certificate_context ctx = {
        .profile = w->profile,
        .issuer = { w->ca->ca.subject, w->ca->ca.key_id, in->sig_alg, w->ca->ca.not_before, w->ca->ca.not_after },
        .urls = in->urls, .serial = in->serial, .subject = in->subject, .spki = in->spki,
        .key = &w->key, .dns = in->dns, .dns_n = in->dns_n,
    };
    struct lint_report report;

    return lint_certificate(r->tbs, &ctx, &report) == 0 ? OK : lint_judge(&report, why);
}

static enum err
text_make(struct issue_work *w, struct issue_reservation *r, struct why *why)
{
    struct ca_urls urls;
    struct certificate_input in = {
        .profile = w->profile, .serial = { (const char *)r->serial, sizeof(r->serial) }, .issuer = w->ca->ca.subject,
        .issuer_key_id = w->ca->ca.key_id, .spki = w->csr.spki, .not_before = r->not_before, .not_after = r->not_after,
        .sig_alg = profile_sig_alg(key_algorithm(w->ca->public_key)), .dns = w->subject.dns, .dns_n = w->subject.dns_n,
    };
    enum err e;

    if ((e = name_make(w, why)) != OK)
        return e;
    ca_urls(w->x->base_url, &w->ca->ca, r->shard, &urls);
    in.subject = buf_view(&w->name);
    in.urls = (struct certificate_urls){ str_of(urls.crl), str_of(urls.delta_crl), str_of(urls.ocsp), str_of(urls.ca_issuers) };
    if ((e = certificate_tbs_encode(&in, &w->tbs, why)) != OK)
        return e;
    sha256(in.subject, r->subject_sha256);
    r->tbs = buf_view(&w->tbs);
    return text_lint(w, r, &in, why);
}

/* --- signing ----------------------------------------------------------------------------------------------------------------- */

/* Signs, and believes nothing of it before it was read back: by OpenSSL's reader, and against the CA's public key. */
enum err
issue_sign(struct issue_work *w, struct why *why)
{
    struct issue_reservation *r = &w->r;
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(1024);
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    const enum sig_alg alg = profile_sig_alg(key_algorithm(w->ca->public_key));
    enum err e;

    if ((e = key_sign(w->ca->key, KEY_CA_SIGN, alg, r->tbs, false, &sig, why)) != OK)
        return e;
    if ((e = key_verify(w->ca->public_key, alg, r->tbs, buf_view(&sig), false, why)) != OK ||
        (e = certificate_assemble(r->tbs, alg, buf_view(&sig), &w->der, why)) != OK ||
        (e = x509_read(buf_view(&w->der), &cert, why)) != OK)
        return why_set(why, ERR_INTERNAL, "a certificate that we signed cannot be read back or verified (%s)", err_name(e));
    if (cert.not_before != r->not_before || cert.not_after != r->not_after || !str_eq(buf_view(&cert.spki), w->csr.spki))
        return why_set(why, ERR_INTERNAL, "a certificate that we signed says something else than it should");
    r->der = buf_view(&w->der);
    return OK;
}

/* --- the judgement --------------------------------------------------------------------------------------------------------------- */

/* What became of it before: *ret_ended, and the answer. */
enum err
issue_earlier_answer(const struct issue_case *c, struct issue_result *ret, bool *ret_ended, struct why *why)
{
    *ret_ended = true;
    if (c->certificate[0] != '\0' && !str_eqs(c->certificate_state, "reserved") && !str_eqs(c->certificate_state, "void")) {
        memcpy(ret->certificate, c->certificate, sizeof(ret->certificate));
        return OK;
    }
    if (c->request.state == REQUEST_REFUSED || str_eqs(c->certificate_state, "void"))
        return why_code(why, ERR_DENIED, c->request.reason[0] != '\0' ? c->request.reason : "pki.request.lost",
                        strcmp(c->request.reason, "pki.request.lost") == 0 || c->request.reason[0] == '\0'
                            ? "a crash left a reservation: the key is spent, bring a new one" : "refused before");
    if (c->certificate[0] != '\0')
        return why_code(why, ERR_UNAVAILABLE, "signer.busy", "somebody is at this request");
    *ret_ended = false;
    return OK;
}

/* All rules that a refusal can come from; in the order of issue.h. */
enum err
issue_judge(struct issue_work *w, struct why *why)
{
    struct issue_reservation *r = &w->r;
    enum err e;

    if ((e = profile_find(w, why)) != OK || (e = registration_check(w, why)) != OK || (e = names_open(w, why)) != OK ||
        (e = approvals_check(w, why)) != OK || (e = key_check(w, why)) != OK || (e = renewal_check(w, why)) != OK ||
        (e = proof_check(w, why)) != OK || (e = ca_find_active(w, why)) != OK)
        return e;
    r->not_before = utime_seconds(w->now) * USEC_PER_SEC;
    r->not_after = profile_not_after(w->profile, r->not_before);
    if ((e = profile_asks(w, r->not_before, r->not_after, why)) != OK)
        return e;
    /* nothing wrong: but is the key here, and the time? */
    if (w->ca->away != NULL && atomic_load(w->ca->away))
        return why_code(why, ERR_UNAVAILABLE, "signer.token", "the token with the key of %s does not answer", w->ca->ca.name);
    if (w->ca->key == NULL)
        return why_code(why, ERR_UNAVAILABLE, "signer.locked", "the key of %s is locked", w->ca->ca.name);
    if ((e = clock_guard_check(w->x->clock, w->now, why)) != OK)
        return e;
    rand_uuid(r->id);
    certificate_serial_draw(r->serial);
    r->shard = w->ca->ca.shards > 1 ? (int)rand_below((uint32_t)w->ca->ca.shards) : 0;
    r->c = &w->c;
    r->ca = &w->ca->ca;
    r->profile = w->profile;
    r->is_station = w->profile->holder == HOLDER_PROGRAM && w->profile->use == USE_CLIENT_TLS;
    r->may_retire = w->profile->use == USE_OCSP_SIGNING;
    r->renewal = w->renewal;
    r->erase = w->c.registration.subject.p != NULL && registration_names_person(w->profile);
    return text_make(w, r, why);
}

/* A refusal is written down before it is answered; one that cannot be written is no answer. */
enum err
issue_refusal_note(struct issue_work *w, enum err e, struct why *why)
{
    struct why failed = WHY_INIT;
    const bool waits = str_starts(str_of(why->code), "approval.");

    if (e != ERR_DENIED && e != ERR_INPUT)
        return e;
    if (why->code[0] == '\0')
        return why_set(why, ERR_INTERNAL, "a refusal without a code");
    if (waits && w->c.request.reason[0] != '\0' && strcmp(w->c.request.reason, why->code) == 0)
        return ERR_DENIED;             /* noted before: asking again and again leaves one row */
    e = waits ? issue_hold_back(w->pg, w->c.request.id, why->code, w->x->actor, w->now, &failed)
              : issue_refuse(w->pg, w->c.request.id, why->code, w->x->actor, w->now, &failed);
    if (e != OK) {
        *why = failed;
        return e;
    }
    return ERR_DENIED;
}

