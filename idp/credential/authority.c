/* authority: the calls. See authority.h; bodies are in authority_json.c. */
#include "idp/credential/authority-internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/crypto/pkcs.h"
#include "base/crypto/x509.h"
#include "base/http/client.h"

#define ANSWER_MAX (2 << 20)
#define URL_MAX 1024
#define BODY_MAX 16384

struct authority {
    struct http_client *client;
    char *url;
    int most;
    atomic_int inside;
};

enum err
authority_open(const struct authority_config *conf, struct authority **ret, struct why *why)
{
    const struct http_client_config client = {
        .ca_file = conf->ca_file, .cert_file = conf->cert_file, .key_file = conf->key_file,
        .allow_private = true,                   /* the operator's own address, from the configuration */
        .connect_timeout = conf->timeout / 4, .timeout = conf->timeout, .answer_max = ANSWER_MAX,
    };
    AUTO(authority_closep) struct authority *a = mem_alloc(sizeof(*a));
    enum err e;

    a->url = mem_strdup(conf->url);
    a->most = conf->most;
    atomic_init(&a->inside, 0);
    if ((e = http_client_new(&client, &a->client, why)) != OK)
        return e;
    *ret = TAKE(a);
    return OK;
}

void
authority_close(struct authority *a)
{
    if (a == NULL)
        return;
    http_client_free(a->client);
    free(a->url);
    free(a);
}

bool
authority_enter(struct authority *a)
{
    if (atomic_fetch_add(&a->inside, 1) < a->most || a->most == 0)
        return true;
    atomic_fetch_sub(&a->inside, 1);
    return false;
}

void
authority_leave(struct authority *a)
{
    atomic_fetch_sub(&a->inside, 1);
}

/* --- one call ---------------------------------------------------------------------------------------------------------- */

static enum err
status_err(int status)
{
    switch (status) {
    case 400:
    case 413:
    case 415:
        return ERR_INPUT;
    case 403:
        return ERR_DENIED;
    case 404:
    case 410:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    default:
        return ERR_UNAVAILABLE;
    }
}

/* OK: status 200, or 201 for what was made by the call. */
static enum err
ask(struct authority *a, const char *method, const char *path, const char *const *headers, struct str body,
    struct http_answer *ret, struct why *why)
{
    char url[URL_MAX];
    enum err e;

    if (snprintf(url, sizeof(url), "%s%s", a->url, path) >= (int)sizeof(url))
        return why_set(why, ERR_INTERNAL, "the address is too long");
    if ((e = http_call(a->client, method, url, headers, body, ret, why)) != OK)
        return e == ERR_INPUT ? ERR_UNAVAILABLE : e;             /* an answer that is too large is none of the authority's */
    if (ret->status == 200 || ret->status == 201)
        return OK;
    if (ret->status == 202)
        return why_code(why, ERR_UNAVAILABLE, "authority.later", "the authority keeps the request and cannot sign now");
    e = status_err(ret->status);
    if (!authority_read_problem(buf_view(&ret->body), why))
        return why_code(why, e == ERR_UNAVAILABLE ? e : ERR_UNAVAILABLE, "authority.answer", "the authority: status %d", ret->status);
    return e;
}

static enum err
ask_json(struct authority *a, const char *method, const char *path, const char *key, struct str body, struct http_answer *ret,
         struct why *why)
{
    char line[192] = "";
    const char *const headers[] = { "Content-Type: application/json", key == NULL ? NULL : line, NULL };

    if (key != NULL)
        snprintf(line, sizeof(line), "Idempotency-Key: %s", key);
    return ask(a, method, path, headers, body, ret, why);
}

static enum err
get(struct authority *a, const char *path, struct http_answer *ret, struct why *why)
{
    return ask(a, "GET", path, NULL, STR_LIT(""), ret, why);
}

/* --- one holder -------------------------------------------------------------------------------------------------------- */

static enum err
put(struct authority *a, const char *path, const struct buf *body, bool *ret_names, struct why *why)
{
    AUTO(http_answer_done) struct http_answer answer = { .status = 0 };
    AUTO(arena_freep) struct arena *arena = arena_new(ANSWER_MAX);
    struct authority_registration_answer r;
    enum err e;

    CHECK(buf_ok(body));
    if ((e = ask_json(a, "PUT", path, NULL, buf_view(body), &answer, why)) != OK ||
        (e = authority_read_registration(buf_view(&answer.body), arena, &r, why)) != OK)
        return e;
    *ret_names = r.names;
    return OK;
}

enum err
authority_register(struct authority *a, const struct authority_holder *h, struct why *why)
{
    AUTO(buf_free) struct buf first = BUF_SECRET(BODY_MAX), again = BUF_SECRET(BODY_MAX);
    char path[128];
    bool names = false;
    enum err e;

    authority_write_registration(h, &first);
    snprintf(path, sizeof(path), "/registrations/%s", h->registration);
    e = put(a, path, &first, &names, why);
    if (e == OK ? names : e != ERR_CONFLICT || strcmp(why->code, "registration.exists") != 0)
        return e;
    authority_write_identification(h, &again);
    snprintf(path, sizeof(path), "/registrations/%s/identification", h->registration);
    return put(a, path, &again, &names, why);
}

static enum err
est_der(struct authority *a, const char *method, const char *path, struct str body, struct buf *out, struct why *why)
{
    static const char *const headers[] = { "Content-Type: application/pkcs10", NULL };
    AUTO(http_answer_done) struct http_answer answer = { .status = 0 };
    enum err e;

    if ((e = ask(a, method, path, body.n > 0 ? headers : NULL, body, &answer, why)) != OK)
        return e;
    if (base64_decode(str_trim(buf_view(&answer.body)), true, out) != OK || !buf_ok(out))
        return why_code(why, ERR_UNAVAILABLE, "authority.answer", "not the base64 of EST");
    return OK;
}

enum err
authority_enrol(struct authority *a, const char *registration, enum authority_enrolment how, struct str csr, struct arena *arena,
                struct str *ret_der, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(128 * 1024), der = BUF_BOUNDED(ANSWER_MAX);
    struct str list[PKCS7_CERTIFICATES_MAX];
    char path[160];
    size_t n;
    enum err e;

    base64_encode(&body, csr.p, csr.n);
    if (!buf_ok(&body))
        return why_code(why, ERR_INPUT, "pki.csr.size", "the request is too large");
    snprintf(path, sizeof(path), "/.well-known/est/%s/%s", registration,
             how == AUTHORITY_ENROL ? "simpleenroll" : "simplereenroll");
    if ((e = est_der(a, "POST", path, buf_view(&body), &der, why)) != OK)
        return e;
    if (pkcs7_certificates(buf_view(&der), list, &n, why) != OK || n != 1)
        return why_code(why, ERR_UNAVAILABLE, "authority.answer", "not one certificate in the answer of EST");
    *ret_der = (struct str){ arena_dup(arena, list[0].p, list[0].n), list[0].n };
    return OK;
}

/* Of the authorities in use, the one whose subject is this issuer and which is not in the chain yet. */
static const struct str *
issuer_find(const struct str *list, size_t n, struct str issuer, struct x509_cert *ret)
{
    struct why ignored = WHY_INIT;

    for (size_t i = 0; i < n; i++) {
        struct x509_cert cert = { .not_after = 0 };

        if (x509_read(list[i], &cert, &ignored) == OK && str_eq(cert.subject_der, issuer)) {
            x509_done(ret);
            *ret = cert;
            return &list[i];
        }
        x509_done(&cert);
    }
    return NULL;
}

enum err
authority_chain(struct authority *a, struct str certificate, struct arena *arena, struct str **ret, size_t *ret_n,
                struct why *why)
{
    AUTO(x509_done) struct x509_cert at = { .not_after = 0 };
    AUTO(buf_free) struct buf der = BUF_BOUNDED(ANSWER_MAX);
    struct str list[PKCS7_CERTIFICATES_MAX], *chain = arena_alloc(arena, PKCS7_CERTIFICATES_MAX * sizeof(*chain));
    size_t n, found = 0;
    enum err e;

    if ((e = x509_read(certificate, &at, why)) != OK ||
        (e = est_der(a, "GET", "/.well-known/est/cacerts", STR_NULL, &der, why)) != OK)
        return e;
    if (pkcs7_certificates(buf_view(&der), list, &n, why) != OK)
        return why_code(why, ERR_UNAVAILABLE, "authority.answer", "no certificates in the answer of EST");
    while (found < n && !at.self_issued) {
        const struct str *one = issuer_find(list, n, at.issuer_der, &at);

        if (one == NULL)
            break;
        chain[found++] = (struct str){ arena_dup(arena, one->p, one->n), one->n };
    }
    *ret = chain;
    *ret_n = found;
    return OK;
}

enum err
authority_registration(struct authority *a, const char *registration, struct arena *arena, struct authority_certificate **ret,
                       size_t *ret_n, struct why *why)
{
    AUTO(http_answer_done) struct http_answer answer = { .status = 0 };
    struct authority_registration_answer r;
    char path[128];
    enum err e;

    snprintf(path, sizeof(path), "/registrations/%s", registration);
    if ((e = get(a, path, &answer, why)) != OK ||
        (e = authority_read_registration(buf_view(&answer.body), arena, &r, why)) != OK)
        return e;
    *ret = r.list;
    *ret_n = r.n;
    return OK;
}

enum err
authority_certificate(struct authority *a, const char *ca, const char *serial, struct arena *arena,
                      struct authority_certificate *ret, struct why *why)
{
    AUTO(http_answer_done) struct http_answer answer = { .status = 0 };
    char path[256];
    enum err e;

    snprintf(path, sizeof(path), "/certificates/%s%s%s", serial, ca != NULL ? "?ca=" : "", ca != NULL ? ca : "");
    if ((e = get(a, path, &answer, why)) != OK)
        return e;
    return authority_read_certificate(buf_view(&answer.body), arena, ret, why);
}

enum err
authority_ending(struct authority *a, utime before, const char *cursor, struct arena *arena, struct authority_certificate **ret,
                 size_t *ret_n, const char **ret_next, bool *ret_more, struct why *why)
{
    AUTO(http_answer_done) struct http_answer answer = { .status = 0 };
    AUTO(buf_free) struct buf path = BUF_BOUNDED(512);
    struct authority_page page;
    char text[UTIME_RFC3339_LEN + 1];
    enum err e;

    utime_rfc3339(before, text);
    buf_addf(&path, "/certificates?before=%s", text);
    if (cursor[0] != '\0') {
        buf_adds(&path, "&after=");
        url_encode(&path, str_of(cursor));
    }
    if ((e = get(a, buf_cstr(&path), &answer, why)) != OK ||
        (e = authority_read_certificates(buf_view(&answer.body), arena, ret, ret_n, &page, why)) != OK)
        return e;
    *ret_next = page.next;
    *ret_more = page.more;
    return OK;
}

enum err
authority_accept(struct authority *a, const char *ca, const char *serial, const char *proof_ref, struct why *why)
{
    AUTO(http_answer_done) struct http_answer answer = { .status = 0 };
    AUTO(buf_free) struct buf body = BUF_BOUNDED(BODY_MAX);
    char path[256];

    authority_write_acceptance(proof_ref, &body);
    snprintf(path, sizeof(path), "/certificates/%s/acceptance?ca=%s", serial, ca);
    return ask_json(a, "PUT", path, NULL, buf_view(&body), &answer, why);
}

/* --- blocking ---------------------------------------------------------------------------------------------------------- */

enum err
authority_act(struct authority *a, const struct authority_act *act, struct arena *arena, const char **ret_outcome,
              bool *ret_refused, struct why *why)
{
    AUTO(http_answer_done) struct http_answer answer = { .status = 0 };
    AUTO(buf_free) struct buf body = BUF_BOUNDED(BODY_MAX);
    enum err e;

    authority_write_act(act, &body);
    if ((e = ask_json(a, "POST", "/revocations", act->key, buf_view(&body), &answer, why)) != OK)
        return e;
    return authority_read_result(buf_view(&answer.body), arena, ret_outcome, ret_refused, why);
}

enum err
authority_changes(struct authority *a, const char *cursor, struct arena *arena, struct authority_change **ret, size_t *ret_n,
                  const char **ret_next, bool *ret_more, struct why *why)
{
    AUTO(http_answer_done) struct http_answer answer = { .status = 0 };
    AUTO(buf_free) struct buf path = BUF_BOUNDED(512);
    struct authority_page page;
    enum err e;

    buf_adds(&path, "/changes");
    if (cursor[0] != '\0') {
        buf_adds(&path, "?after=");
        url_encode(&path, str_of(cursor));
    }
    if ((e = get(a, buf_cstr(&path), &answer, why)) != OK ||
        (e = authority_read_changes(buf_view(&answer.body), arena, ret, ret_n, &page, why)) != OK)
        return e;
    *ret_next = page.next;
    *ret_more = page.more;
    return OK;
}

enum err
authority_ping(struct authority *a, struct why *why)
{
    AUTO(http_answer_done) struct http_answer answer = { .status = 0 };

    return get(a, "/health", &answer, why);
}
