/*
 * deliver: a certificate on its way to its holder (P-052).
 *
 * The file. Its key is made here, in the request that downloads it, and wiped before the answer is queued; it goes through no
 * function that writes. Which pass phrase opens the file the form says, as the page showed it: nothing of it is kept either.
 * When all of the answer has arrived the certificate is delivered and the account opens; when it has not, the next one is another
 * key (P-054).
 *
 * These handlers call another machine, the operator's own certification authority, within the request: the key that is made
 * for the file must not wait in a table for a job (docs/decisions.md). They run on the slow pool, of which they take half at
 * most, with a time-out.
 */
#include "idp/issuing/issuing-internal.h"

#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/secret.h"
#include "base/crypto/der.h"

#define FILE_MAX (64 * 1024)
#define REQUEST_MAX (16 * 1024)

/* --- the file ----------------------------------------------------------------------------------------------------------- */

struct sent {
    char enrolment_id[37];
};

/* On the thread that watches replies. */
static void
file_sent(void *app, struct pg *pg, void *arg, bool whole)
{
    struct sent *s = arg;
    struct why why = WHY_INIT;
    enum err e = ERR_UNAVAILABLE;

    LOG_INFO_EV("issuing.sent", LF_STR("enrolment", s->enrolment_id), LF_BOOL("whole", whole));
    if (pg != NULL)
        e = whole ? enrol_deliver(app, pg, s->enrolment_id, clock_now(), &why)
                  : enrolment_store_not_sent(pg, s->enrolment_id, &why);
    if (e != OK && e != ERR_CONFLICT)        /* conflict: its holder tried it already, or the account was blocked */
        LOG_ERROR_EV("issuing.sent", LF_ERR(e), LF_WHY(&why));
    free(s);
}

/* What a renewal's request must say (RFC 7030 §4.2.2); empty for the first. */
static enum err
subject_get(struct http_request *req, const struct place *p, struct str *ret, struct why *why)
{
    struct authority_certificate current;
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    enum err e;

    *ret = STR_NULL;
    if (!p->renewal)
        return OK;
    if ((e = enrol_current(http_app(req), http_pg(req), p->account.id, http_arena(req), &current, why)) != OK ||
        (e = x509_read(current.der, &cert, why)) != OK)
        return e;
    *ret = (struct str){ arena_dup(http_arena(req), cert.subject_der.p, cert.subject_der.n), cert.subject_der.n };
    return OK;
}

/* The same for the page's script, which makes a renewal's request: base64 of the Name. */
void
get_certificate_subject(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(2 * X509_NAME_MAX);
    struct str subject = STR_NULL;
    struct why why = WHY_INIT;
    struct place p;
    enum err e;

    if (!place_load(req, &p) || !issuing_enter(req, &p))
        return;
    e = subject_get(req, &p, &subject, &why);
    authority_leave(idp->authority);
    if (e != OK) {
        issuing_refuse(req, &p, e, &why);
        return;
    }
    base64_encode(&text, subject.p, subject.n);
    http_reply(req, 200, "text/plain", buf_view(&text));
}

static enum err
file_build(struct http_request *req, const struct device *device, const struct key *key, struct str certificate,
           const char *passphrase, struct buf *out, struct why *why)
{
    struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf p12 = BUF_BOUNDED(FILE_MAX);
    const char *title = strcmp(http_lang(req), "fr") == 0 ? idp->conf.name_fr : idp->conf.name_en;
    const char *host = strstr(idp->conf.base_url, "://");
    struct pkcs12_content in = { .key = key, .certificate = certificate, .name = title };
    struct str *chain;
    enum err e;

    if ((e = authority_chain(idp->authority, certificate, http_arena(req), &chain, &in.nchain, why)) != OK)
        return e;
    in.chain = chain;
    if (in.nchain > 0)
        in.nchain--;                         /* the root is for whoever verifies, not for the holder */
    if ((e = pkcs12_make(&in, device->form, passphrase, device->profile ? &p12 : out, why)) != OK)
        return e;
    if (device->profile)
        mobileconfig_write(buf_view(&p12), title, host != NULL ? host + 3 : "beffroi", out);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the file");
}

static enum err
file_make(struct http_request *req, const struct place *p, const struct device *device, const char *passphrase,
          struct enrolled *enrolled, struct buf *out, struct why *why)
{
    AUTO(key_freep) struct key *key = NULL;
    AUTO(buf_free) struct buf csr = BUF_BOUNDED(REQUEST_MAX), spki = BUF_BOUNDED(1024);
    struct enrol_wish wish = { .place = p, .way = ENROL_FILE, .keep_mail = http_form(req, "keep_mail") != NULL,
                               .lang = http_lang(req) };
    struct str subject;
    enum err e;

    if ((e = subject_get(req, p, &subject, why)) != OK)
        return e;
    if ((e = key_generate(KEY_P256, 0, KEY_HOLDER_SIGN, &key)) != OK)
        return why_set(why, e, "no key");
    if ((e = pkcs10_make(key, subject, &csr, why)) != OK)
        return e;
    key_spki(key, &spki);
    wish.csr = buf_view(&csr);
    wish.spki = buf_view(&spki);
    if ((e = enrol(http_app(req), http_pg(req), &wish, http_arena(req), http_now(req), enrolled, why)) != OK)
        return e;
    return file_build(req, device, key, enrolled->certificate, passphrase, out, why);
}

static void
file_reply(struct http_request *req, const struct device *device, const struct enrolled *enrolled, const struct buf *file)
{
    struct sent *s = mem_alloc(sizeof(*s));

    memcpy(s->enrolment_id, enrolled->id, sizeof(s->enrolment_id));
    http_header_add(req, "Content-Disposition",
                    arena_printf(http_arena(req), "attachment; filename=\"certificat.%s\"", device->suffix));
    http_reply_watched(req, 200, device->type, buf_view(file), file_sent, s);
}

void
post_certificate_file(struct http_request *req)
{
    const struct device *device = device_find(http_path_param(req, "device"));
    const char *passphrase = http_form(req, "passphrase");
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf file = BUF_SECRET(2 * FILE_MAX);
    struct enrolled enrolled;
    struct why why = WHY_INIT, ignored = WHY_INIT;
    struct place p;
    enum err e;

    if (!place_load(req, &p) || !renewal_proved(req, &p, device))
        return;
    if (device == NULL || !pkcs12_passphrase_ok(passphrase)) {
        issuing_refuse(req, &p, why_code(&why, ERR_INPUT, "issuing.passphrase", "not a form of ours"), &why);
        return;
    }
    if (!issuing_enter(req, &p))
        return;
    enrolled.id[0] = '\0';
    e = file_make(req, &p, device, passphrase, &enrolled, &file, &why);
    authority_leave(idp->authority);
    if (e == OK) {
        file_reply(req, device, &enrolled, &file);
        return;
    }
    if (enrolled.id[0] != '\0')              /* issued, but no file: the key is gone */
        err_ignore(enrolment_store_not_sent(http_pg(req), enrolled.id, &ignored));
    issuing_refuse(req, &p, e, &why);
}

/* --- a request of the holder's own ----------------------------------------------------------------------------------------- */

/* PEM of something else, which a person may take for the request: told as what it is. */
static bool
has_label(struct str text, const char *label)
{
    return memmem(text.p, text.n, label, strlen(label)) != NULL;
}

/* PEM under either of its labels (RFC 7468 §7), or bare base64. */
static enum err
text_read(struct str text, struct buf *der, struct why *why)
{
    static const char *const labels[] = { "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST" };

    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        struct str rest = text;

        if (pem_next(&rest, labels[i], der) == OK && buf_ok(der))
            return OK;
        buf_reset(der);
    }
    if (has_label(text, "PRIVATE KEY-----"))
        return why_code(why, ERR_INPUT, "issuing.request.key", "a private key");
    if (has_label(text, "-----BEGIN CERTIFICATE-----"))
        return why_code(why, ERR_INPUT, "issuing.request.certificate", "a certificate");
    if (base64_decode(str_trim(text), true, der) != OK || !buf_ok(der) || der->len == 0)
        return why_code(why, ERR_INPUT, "issuing.request", "neither PEM nor base64");
    return OK;
}

/* As text in the form, or as a file of it: PEM, or DER. */
static enum err
request_read(struct http_request *req, struct buf *der, struct why *why)
{
    const char *pasted = http_form(req, "request");
    struct str text = pasted != NULL ? str_trim(str_of(pasted)) : STR_LIT(""), file = STR_LIT("");
    bool is_file = http_form_file(req, "request_file", &file);

    if (is_file && text.n > 0)
        return why_code(why, ERR_INPUT, "issuing.request.both", "a file, and text beside it");
    if (is_file)
        text = file;
    if (text.n == 0)
        return why_code(why, ERR_INPUT, "issuing.request.none", "neither text nor file");
    if (text.n > REQUEST_MAX)
        return why_code(why, ERR_INPUT, "issuing.request.large", "%zu octets", text.n);
    if (!is_file || text.p[0] != 0x30)
        return text_read(text, der, why);
    buf_add_str(der, text);                  /* begins as a SEQUENCE: DER, judged by who takes it apart */
    return buf_ok(der) ? OK : why_set(why, ERR_INTERNAL, "no room for the request");
}

/* CertificationRequest ::= SEQUENCE { CertificationRequestInfo { version, subject, subjectPKInfo, … }, … } (RFC 2986 §4). What is in it
 * the authority judges; here it is only known by its key. */
static enum err
request_spki(struct str der, struct str *ret, struct why *why)
{
    struct str in = der, request, info, part;
    unsigned tag;

    if (der_check(der, REQUEST_MAX, why) != OK || der_expect(&in, DER_SEQUENCE, &request) != OK ||
        der_expect(&request, DER_SEQUENCE, &info) != OK || der_expect(&info, DER_INTEGER, &part) != OK ||
        der_element(&info, &tag, &part) != OK || der_element(&info, &tag, ret) != OK || tag != DER_SEQUENCE)
        return why_code(why, ERR_INPUT, "issuing.request", "not a PKCS#10 request");
    return OK;
}

static enum err
request_do(struct http_request *req, const struct place *p, bool browser, struct enrolled *ret, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(REQUEST_MAX);
    struct enrol_wish wish = { .place = p, .way = browser ? ENROL_BROWSER : ENROL_REQUEST,
                               .keep_mail = http_form(req, "keep_mail") != NULL, .lang = http_lang(req) };
    enum err e;

    if ((e = request_read(req, &der, why)) != OK)
        return e;
    wish.csr = buf_view(&der);
    if ((e = request_spki(wish.csr, &wish.spki, why)) != OK)
        return e;
    return enrol(http_app(req), http_pg(req), &wish, http_arena(req), http_now(req), ret, why);
}

static void
pem_add(struct buf *out, struct str der)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(FILE_MAX);

    base64_encode(&text, der.p, der.n);
    buf_add_lit(out, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < text.len; i += 64)
        buf_addf(out, "%.*s\n", (int)(text.len - i < 64 ? text.len - i : 64), text.data + i);
    buf_add_lit(out, "-----END CERTIFICATE-----\n");
}

/* The certificate and those above it, but for the root. */
static enum err
chain_add(struct http_request *req, struct str certificate, bool root, struct buf *out, struct why *why)
{
    const struct idp *idp = http_app(req);
    struct str *chain;
    size_t n;
    enum err e;

    if ((e = authority_chain(idp->authority, certificate, http_arena(req), &chain, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n && (root || i + 1 < n); i++)
        pem_add(out, chain[i]);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the chain");
}

void
post_certificate_request(struct http_request *req)
{
    const char *way = http_form(req, "way");
    const bool browser = way != NULL && strcmp(way, "browser") == 0;
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(FILE_MAX);
    struct enrolled enrolled = { .certificate = STR_NULL };
    struct why why = WHY_INIT;
    struct place p;
    enum err e;

    if (!place_load(req, &p) || !renewal_proved(req, &p, device_find(http_path_param(req, "device"))) ||
        !issuing_enter(req, &p))
        return;
    e = request_do(req, &p, browser, &enrolled, &why);
    if (e == OK && browser) {
        pem_add(&pem, enrolled.certificate);
        e = chain_add(req, enrolled.certificate, false, &pem, &why);
    }
    authority_leave(idp->authority);
    if (e != OK)
        issuing_refuse(req, &p, e, &why);
    else if (browser)
        http_reply(req, 200, "application/x-pem-file", buf_view(&pem));
    else
        http_reply_redirect(req, arena_printf(http_arena(req), "%s%s/issued", http_base_url(req), p.base));
}

/* --- what was issued for it ------------------------------------------------------------------------------------------------- */

/* Replies and returns false when nothing waits. */
static bool
waiting_load(struct http_request *req, struct place *p, struct enrolment *x)
{
    struct why why = WHY_INIT;
    enum err e;

    if (!place_load(req, p))
        return false;
    e = enrolment_store_waiting(http_pg(req), p->account.id, x, &why);
    if (e == OK && x->way == ENROL_FILE)
        e = why_code(&why, ERR_NOT_FOUND, "issuing.none", "a file is given once");
    if (e != OK)
        issuing_refuse(req, p, e, &why);
    return e == OK;
}

void
get_certificate_issued(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    struct page_data *d;
    struct enrolment x;
    struct place p;

    if (!waiting_load(req, &p, &x))
        return;
    d = idp_page(req);
    page_str(d, "csrf", http_csrf_token(req));
    page_str(d, "pem_url", arena_printf(http_arena(req), "%s/issued/certificat.pem", p.base));
    page_str(d, "der_url", arena_printf(http_arena(req), "%s/issued/certificat.cer", p.base));
    page_str(d, "chain_url", arena_printf(http_arena(req), "%s/issued/chaine.pem", p.base));
    page_str(d, "done_url", arena_printf(http_arena(req), "%s/done", p.base));
    if ((signon_methods_offered(idp) & METHOD_SOFT_CERT) != 0)
        page_str(d, "test_url", arena_printf(http_arena(req), "%s/test", p.base));
    page_str(d, "back_url", p.base);
    page_bool(d, "renewal", p.renewal);
    idp_reply_page(req, 200, "issuing/issued.html", d);
}

/* Certificates are not kept here: the authority gives it again. */
static enum err
issued_file(struct http_request *req, const struct enrolment *x, const char *name, const char **ret_type, struct buf *out,
            struct why *why)
{
    const struct idp *idp = http_app(req);
    struct authority_certificate c;
    enum err e = authority_certificate(idp->authority, x->ca, x->serial, http_arena(req), &c, why);

    if (e != OK)
        return e;
    *ret_type = "application/x-pem-file";
    if (strcmp(name, "chaine.pem") == 0)
        return chain_add(req, c.der, true, out, why);
    if (strcmp(name, "certificat.pem") == 0) {
        pem_add(out, c.der);
        return chain_add(req, c.der, false, out, why);
    }
    if (strcmp(name, "certificat.cer") != 0)
        return why_code(why, ERR_NOT_FOUND, "issuing.none", "no such file");
    *ret_type = "application/pkix-cert";
    buf_add_str(out, c.der);
    return OK;
}

void
get_certificate_issued_file(struct http_request *req)
{
    const char *name = http_path_param(req, "file"), *type;
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf out = BUF_BOUNDED(FILE_MAX);
    struct enrolment x;
    struct why why = WHY_INIT;
    struct place p;
    enum err e;

    if (!waiting_load(req, &p, &x) || !issuing_enter(req, &p))
        return;
    e = issued_file(req, &x, name, &type, &out, &why);
    authority_leave(idp->authority);
    if (e != OK) {
        issuing_refuse(req, &p, e, &why);
        return;
    }
    http_header_add(req, "Content-Disposition", arena_printf(http_arena(req), "attachment; filename=\"%s\"", name));
    http_reply(req, 200, type, buf_view(&out));
}
