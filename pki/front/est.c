/*
 * est: Enrollment over Secure Transport (RFC 7030 with the clarifications of RFC 8951).
 *
 * Bodies are base64 in lines; any white space is taken, Content-Transfer-Encoding is neither sent nor looked at (RFC 8951 §3).
 * What a certificate says comes from the registration. Whoever says the same request again gets the same certificate, also while
 * the signer is locked or away; 202 with Retry-After means: the request is kept, say it again (RFC 7030 §4.2.3).
 *
 * simplereenroll follows a certificate: the client's own, or the newest good one of the registration in the path. Its subject
 * and alternative names must be those of the request (RFC 7030 §4.2.2); its key must be a new one (A2c III.3).
 */
#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "base/crypto/x509.h"
#include "pki/authority/request.h"
#include "pki/encode/certs_only.h"
#include "pki/front/front-internal.h"
#include "pki/request/csr.h"

#define CAS_MAX 256
#define ANSWER_MAX ((size_t)1 << 20)
#define LINE 64

/* --- answers ---------------------------------------------------------------------------------------------------------------- */

static void
reply_base64(struct http_request *req, const char *type, const struct buf *der)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(2 * ANSWER_MAX), lines = BUF_BOUNDED(3 * ANSWER_MAX);

    base64_encode(&text, der->data, der->len);
    for (size_t i = 0; i < text.len; i += LINE)
        buf_addf(&lines, "%.*s\r\n", (int)(text.len - i < LINE ? text.len - i : LINE), text.data + i);
    CHECK(buf_ok(&text) && buf_ok(&lines));
    http_reply(req, 200, type, buf_view(&lines));
}

static void
reply_certificates(struct call *c, const struct str *certificates, size_t n, const char *type, const char *verb)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(ANSWER_MAX);
    struct why why = WHY_INIT;
    enum err e;

    if ((e = certs_only_encode(certificates, n, &der, &why)) != OK)
        call_refuse(c, ERR_INTERNAL, &why, verb, "");
    else
        reply_base64(c->req, type, &der);
}

/* What the judge says by code alone, in words for who asked (pki/authority/issue.h). The first row that fits. */
struct refusal {
    const char *prefix;
    int status;
    const char *text;
};
static const struct refusal refusals[] = {
    { "pki.station", 403, "This station may not ask for this registration: not its own, or not its profile or town." },
    { "pki.profile.unknown", 409, "The registration's profile is not known here." },
    { "pki.registration.state", 409, "The registration is closed." },
    { "pki.registration.erased", 409, "The names were erased when the last certificate was issued: identify the holder anew, or renew." },
    { "pki.key.used", 409, "This key has, or had, a certificate already: each certificate has a new key." },
    { "pki.key.ca", 403, "This is the key of a certification authority." },
    { "pki.key.changed", 409, "The key is not the one that was noted." },
    { "pki.key.", 400, "The key is not fit to be certified." },
    { "pki.csr.", 400, "The request is not acceptable." },
    { "pki.renew.early", 409, "The certificate to be renewed ends in more than 60 days." },
    { "pki.renew.", 409, "There is no good certificate of this registration to be renewed." },
    { "pki.proof.revoked", 409, "A certificate was revoked since the holder was identified: identify the holder anew." },
    { "pki.proof.", 409, "The record of the holder's identification does not suffice." },
    { "pki.profile.renewals", 409, "No further renewal without a new identification of the holder." },
    { "pki.profile.proof", 409, "The holder was not identified as the profile asks." },
    { "pki.profile.life", 409, "The certificate's life would be longer than the law lets it." },
    { "pki.profile.ca_end", 409, "The authority ends before the certificate would: it has to be renewed first." },
    { "pki.profile.", 409, "The profile does not permit this certificate." },
    { "pki.subject.taken", 409, "The name belongs to another holder." },
    { "pki.subject.", 409, "The registration's names do not fit the profile." },
    { "pki.ca.none", 409, "No active authority signs this profile." },
    { "pki.request.lost", 409, "The key was spent by an accident on our side: bring a new one." },
    { "pki.lint.", 409, "The certificate would not follow its profile; the reference helps the operator." },
    { "", 409, "Refused." },
};

static const struct refusal *
refusal_of(const char *reason)
{
    const struct refusal *r = refusals;

    while (!str_starts(str_of(reason), r->prefix))
        r++;
    return r;
}

/* The judge's, which stands in the audit trail: saying it again leaves no further row. */
static void
reply_judged(struct call *c, const char *reason, const char *verb)
{
    const struct refusal *r = refusal_of(reason);

    call_refuse_known(c, r->status, reason, r->text, verb);
}

/* Our own, before the judge is asked. */
static void
reply_refused(struct call *c, const char *reason, const char *verb, const char *object)
{
    const struct refusal *r = refusal_of(reason);
    struct why why = WHY_INIT;

    err_ignore(why_code(&why, ERR_DENIED, reason, "%s", r->text));
    call_refuse_status(c, r->status, &why, verb, object);
}

static void
reply_later(struct call *c, const struct why *why, const char *request)
{
    const char *code = why->code;
    const char *seconds = str_eqs(str_of(code), "signer.locked") || str_eqs(str_of(code), "signer.clock") ? "60"
                          : str_eqs(str_of(code), "signer.busy") ? "2" : "10";

    LOG_INFO_EV("front.later", LF_STR("station", c->station.name), LF_STR("request", request), LF_STR("code", code));
    http_header_add(c->req, "Retry-After", seconds);
    http_reply(c->req, 202, "text/plain; charset=utf-8",
               str_of(arena_printf(http_arena(c->req), "Kept (%s). Say the same request again after Retry-After.\n", code)));
}

/* --- cacerts (§4.1) ----------------------------------------------------------------------------------------------------------- */

/* The certificates of all authorities that are in use, and of roots by the generation before and after (§4.1.3). */
static enum err
ca_certificates(struct pg *pg, struct arena *a, struct str *list, size_t *ret_n, struct why *why)
{
    struct ca *cas;
    struct ca_cross *cross;
    size_t ncas, ncross, n = 0;
    enum err e;

    if ((e = ca_list(pg, a, &cas, &ncas, why)) != OK || (e = ca_cross_list(pg, a, &cross, &ncross, why)) != OK)
        return e;
    for (size_t i = 0; i < ncas && n < CAS_MAX; i++)
        if (cas[i].state == CA_ACTIVE || cas[i].state == CA_RETIRING)
            list[n++] = cas[i].certificate;
    for (size_t i = 0; i < ncross && n < CAS_MAX; i++)
        list[n++] = cross[i].certificate;
    *ret_n = n;
    return n > 0 ? OK : why_code(why, ERR_UNAVAILABLE, "pki.ca.none", "no authority is in use");
}

/* "" or the registration of the path. */
static const char *
label_of(struct http_request *req)
{
    const char *label = http_path_param(req, "registration");

    return label != NULL ? label : "";
}

/* Of the path, or that of the certificate which the station presents. */
static bool
registration_of(struct call *c, struct registration *ret)
{
    const char *label = label_of(c->req);
    struct certificate_row row;
    struct why why = WHY_INIT;
    enum err e;

    if (label[0] != '\0')
        return call_registration(c, label, ret);
    if ((e = certificate_find(http_pg(c->req), str_of(c->certificate), http_arena(c->req), &row, &why)) == OK)
        return call_registration(c, row.registration, ret);
    call_refuse(c, e, &why, "registration.find", "");
    return false;
}

void
get_est_cacerts(struct http_request *req)
{
    struct str list[CAS_MAX];
    struct registration r;
    struct why why = WHY_INIT;
    struct call c;
    size_t n = 0;
    enum err e;

    if (!call_open(req, LANE_READ, &c) || !registration_of(&c, &r))
        return;
    if ((e = ca_certificates(http_pg(req), http_arena(req), list, &n, &why)) != OK)
        call_refuse(&c, e, &why, "est.cacerts", "");
    else
        reply_certificates(&c, list, n, "application/pkcs7-mime", "est.cacerts");
}

/* --- csrattrs (§4.5) ------------------------------------------------------------------------------------------------------------ */

/* CsrAttrs: for each kind of key that the profile takes an attribute with its curves, or its size; and how to sign. */
static void
csrattrs_encode(const struct profile *p, struct buf *out)
{
    const size_t all = der_begin(out, DER_SEQUENCE);

    if (p->curves != 0) {
        const size_t attribute = der_begin(out, DER_SEQUENCE);
        size_t values;

        der_add_oid(out, OID_EC_PUBLIC_KEY);
        values = der_begin(out, DER_SET);
        if ((p->curves & CURVE_P256) != 0)
            der_add_oid(out, OID_P256);
        if ((p->curves & CURVE_P384) != 0)
            der_add_oid(out, OID_P384);
        der_end_set_of(out, values);
        der_end(out, attribute);
        if ((p->curves & CURVE_P256) != 0)
            der_add_oid(out, OID_ECDSA_WITH_SHA256);
        if ((p->curves & CURVE_P384) != 0)
            der_add_oid(out, OID_ECDSA_WITH_SHA384);
    }
    if (p->rsa_min > 0) {
        const size_t attribute = der_begin(out, DER_SEQUENCE);
        size_t values;

        der_add_oid(out, OID_RSA_ENCRYPTION);
        values = der_begin(out, DER_SET);
        der_add_number(out, DER_INTEGER, (uint64_t)p->rsa_min);
        der_end(out, values);
        der_end(out, attribute);
        der_add_oid(out, OID_SHA256_WITH_RSA);
    }
    der_end(out, all);
}

void
get_est_csrattrs(struct http_request *req)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(1024);
    const struct profile *p;
    struct registration r;
    struct call c;

    if (!call_open(req, LANE_READ, &c) || !registration_of(&c, &r))
        return;
    if ((p = profile_set_find(&c.front->pki->profiles, str_of(r.profile))) == NULL) {
        reply_refused(&c, "pki.profile.unknown", "est.csrattrs", "");
        return;
    }
    csrattrs_encode(p, &der);
    CHECK(buf_ok(&der));
    reply_base64(req, "application/csrattrs", &der);
}

/* --- simpleenroll, simplereenroll (§4.2) -------------------------------------------------------------------------------------------- */

struct enrolment {
    struct call call;
    struct registration registration;
    const char *verb, *object;
    enum request_kind kind;
    struct buf der;                  /* of the request */
    struct csr csr;
    char request[37];
    bool fresh;                      /* it was not there before */
};

static void
enrolment_done(struct enrolment *x)
{
    csr_done(&x->csr);
    buf_free(&x->der);
}

static bool
body_read(struct enrolment *x)
{
    struct call *c = &x->call;
    const char *type = http_header(c->req, "Content-Type");
    struct str rest, kind = type == NULL ? STR_NULL : str_trim(str_split(str_of(type), ';', &rest));
    struct why why = WHY_INIT;
    enum err e;

    if (!str_ieqs(kind, "application/pkcs10")) {
        http_reply_problem_status(c->req, 415, "content_type", "EST takes application/pkcs10.");
        return false;
    }
    if (base64_decode(http_body(c->req), true, &x->der) != OK || x->der.len == 0)
        e = why_code(&why, ERR_INPUT, "est.base64", "The body is not base64 of a PKCS#10 request.");
    else
        e = csr_read(buf_view(&x->der), &x->csr, &why);
    if (e == OK)
        return true;
    /* the peer's fault, whatever it is: a signature that is not the key's is no question of rights */
    call_refuse(c, e == ERR_DENIED ? ERR_INPUT : e, &why, x->verb, x->object);
    return false;
}

/* RFC 7030 §4.2.2: subject and alternative names are those of the certificate, whole. A request without alternative names says
 * nothing about them. */
static enum err
same_names(const struct csr *csr, struct str certificate, struct why *why)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    enum err e;

    if ((e = x509_read(certificate, &cert, why)) != OK)
        return why_set(why, ERR_INTERNAL, "a certificate of ours cannot be read");
    if (!str_eq(csr->subject, cert.subject_der) ||
        (csr->subject_alt_name.p != NULL && !str_eq(csr->subject_alt_name, cert.subject_alt_name)))
        return why_code(why, ERR_INPUT, "est.subject", "Subject and alternative names of a renewal are those of the certificate that "
                        "it follows (RFC 7030 section 4.2.2).");
    return OK;
}

/* What a renewal follows: the certificate that the client presents, or the newest good one of a holder. */
static enum err
followed(struct enrolment *x, struct certificate_row *ret, struct why *why)
{
    struct call *c = &x->call;
    struct pg *pg = http_pg(c->req);
    enum err e;

    e = certificate_find(pg, str_of(c->certificate), http_arena(c->req), ret, why);
    if (e == OK && strcmp(ret->registration, x->registration.id) != 0)
        e = own_certificate_newest(pg, x->registration.id, http_now(c->req), http_arena(c->req), ret, why);
    if (e == ERR_NOT_FOUND)
        return why_code(why, ERR_DENIED, "pki.renew.unknown", "no good certificate");
    return e != OK ? e : same_names(&x->csr, ret->der, why);
}

/* Stores the request, or finds it. */
static enum err
request_keep(struct enrolment *x, struct why *why)
{
    struct call *c = &x->call;
    struct request q = { .kind = x->kind, .origin = REQUEST_EST, .csr = buf_view(&x->der) };
    struct certificate_row replaced;
    enum err e;

    if (x->kind == REQUEST_RENEW) {
        if ((e = followed(x, &replaced, why)) != OK)
            return e;
        memcpy(q.replaces, replaced.id, sizeof(q.replaces));
    }
    rand_uuid(q.id);
    memcpy(q.registration, x->registration.id, sizeof(q.registration));
    memcpy(q.station, c->station.id, sizeof(q.station));
    sha256(x->csr.spki, q.spki_sha256);
    return request_add(http_pg(c->req), &q, c->actor, http_now(c->req), x->request, &x->fresh, why);
}

static void
reply_issued(struct enrolment *x)
{
    struct call *c = &x->call;
    struct certificate_row row;
    struct why why = WHY_INIT;
    const enum err e = certificate_of_request(http_pg(c->req), x->request, http_arena(c->req), &row, &why);

    if (e != OK || row.der.p == NULL)
        call_refuse(c, e == OK || e == ERR_NOT_FOUND ? ERR_INTERNAL : e, &why, x->verb, x->object);
    else
        reply_certificates(c, &row.der, 1, "application/pkcs7-mime; smime-type=certs-only", x->verb);
}

/* Answers from the rows: there is a certificate, or a refusal for good. false: it is open. */
static bool
reply_known(struct enrolment *x)
{
    struct call *c = &x->call;
    struct why why = WHY_INIT;
    struct request q;
    enum err e;

    if ((e = request_find(http_pg(c->req), x->request, http_arena(c->req), &q, &why)) != OK) {
        call_refuse(c, e, &why, x->verb, x->object);
        return true;
    }
    /* a key that was enrolled is not renewed: that would answer the certificate that is about to end */
    if (x->kind == REQUEST_RENEW && q.kind != REQUEST_RENEW) {
        reply_refused(c, "pki.key.used", x->verb, x->object);
        return true;
    }
    if (q.state == REQUEST_REFUSED) {
        reply_judged(c, q.reason, x->verb);
        return true;
    }
    if (q.state == REQUEST_ISSUED)
        reply_issued(x);
    return q.state == REQUEST_ISSUED;
}

static void
judge(struct enrolment *x)
{
    struct call *c = &x->call;
    struct why why = WHY_INIT;
    char certificate[37];
    const enum err e = signer_line_issue(c->front->signers, x->request, certificate, &why);

    if (e == ERR_UNAVAILABLE || e == ERR_INTERNAL)
        reply_later(c, &why, x->request);
    else if (e == ERR_DENIED)
        reply_judged(c, why.code, x->verb);
    else if (e != OK)
        call_refuse(c, ERR_INTERNAL, &why, x->verb, x->object);
    else
        reply_issued(x);
}

static void
enrol(struct http_request *req, enum request_kind kind, const char *verb)
{
    AUTO(enrolment_done) struct enrolment x = { .kind = kind, .verb = verb, .object = "", .der = BUF_BOUNDED(FRONT_EST_BODY_MAX) };
    struct why why = WHY_INIT;
    enum err e;

    if (!call_open(req, LANE_ISSUE, &x.call) || !registration_of(&x.call, &x.registration))
        return;
    x.object = arena_printf(http_arena(req), "registration:%s", x.registration.id);
    if (!body_read(&x))
        return;
    if ((e = request_keep(&x, &why)) == ERR_DENIED) {
        reply_refused(&x.call, why.code, verb, x.object);
        return;
    }
    if (e != OK) {
        call_refuse(&x.call, e, &why, verb, x.object);
        return;
    }
    if (x.fresh || !reply_known(&x))
        judge(&x);
}

void
post_est_simpleenroll(struct http_request *req)
{
    enrol(req, REQUEST_ENROLL, "est.simpleenroll");
}

void
post_est_simplereenroll(struct http_request *req)
{
    enrol(req, REQUEST_RENEW, "est.simplereenroll");
}
