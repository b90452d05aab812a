/*
 * responder: keys that sign OCSP answers, one of each authority, and their certificates (RFC 6960 §4.2.2.2).
 *
 * A key is made here, P-256, and written to the folder before anybody hears of it; a request row asks for its certificate,
 * whose names come from the registration of this machine as a responder of that authority. When two thirds of a certificate's life are
 * over a new key is made and asked for; once its certificate is here it signs, and the old key is wiped.
 *
 * Files: ocsp/LABEL.ID.key (PKCS#8, readable by us alone) and ocsp/LABEL.ID.cer, where ID is of the public key: a pair is one
 * by its name, and a key without a certificate is one that waits.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "base/crypto/der-oid.h"
#include "base/crypto/der.h"
#include "pki/authority/responder.h"
#include "pki/encode/name.h"
#include "pki/status/status-internal.h"

#define CERTIFICATE_FILE_MAX ((size_t)65536)
#define ASK_AGAIN (60 * USEC_PER_SEC)

static void
file_name(const struct authority *a, const struct responder *r, const char *end, char out[FOLDER_NAME_MAX])
{
    CHECK((size_t)snprintf(out, FOLDER_NAME_MAX, "%s.%s.%s", a->label, r->id, end) < FOLDER_NAME_MAX);
}

static void
key_path(const struct status_process *s, const char *name, char out[512])
{
    CHECK((size_t)snprintf(out, 512, "%s/ocsp/%s", s->pki->conf.status_folder, name) < 512);
}

/* Takes over key. */
static enum err
responder_new(struct key *key, struct responder **ret, struct why *why)
{
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(4096);
    struct responder *r = mem_alloc(sizeof(*r));
    unsigned char digest[SHA256_LEN];
    enum err e;

    atomic_init(&r->refs, 1);
    r->key = key;
    r->certificate = (struct buf)BUF_BOUNDED(CERTIFICATE_FILE_MAX);
    key_spki(key, &spki);
    sha256(buf_view(&spki), digest);
    for (size_t i = 0; i < 8; i++)
        snprintf(r->id + 2 * i, 3, "%02x", digest[i]);
    if ((e = key_hash_sha1(buf_view(&spki), r->key_hash, why)) != OK) {
        responder_drop(r);
        return e;
    }
    *ret = r;
    return OK;
}

static void
spki_digest(const struct responder *r, unsigned char ret[SHA256_LEN])
{
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(4096);

    key_spki(r->key, &spki);
    sha256(buf_view(&spki), ret);
}

/* Is this a responder's certificate for that key, by this authority, now? Fills the rest of r. ERR_UNAVAILABLE: its time has not
 * come; another machine's clock made it. */
static enum err
certificate_take(const struct authority *a, struct responder *r, struct str der, utime now, struct why *why)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(4096);
    const struct x509_profile path = { .purpose = X509_FOR_ANYTHING, .status_known_elsewhere = true };
    enum x509_verdict verdict;
    enum err e;

    if ((e = x509_read(der, &cert, why)) != OK)
        return e;
    r->from = cert.not_before;
    r->until = cert.not_after;
    if (now < cert.not_before)
        return why_code(why, ERR_UNAVAILABLE, "status.responder.early", "not valid yet");
    if ((e = x509_path_verify(a->trust, &path, &cert, NULL, 0, now, &verdict, why)) != OK)
        return e;
    key_spki(r->key, &spki);
    if (!str_eq(buf_view(&cert.spki), buf_view(&spki)) || !x509_has_ext_key_usage(&cert, OID_KP_OCSP_SIGNING))
        return why_code(why, ERR_DENIED, "status.responder", "not a responder's certificate for this key");
    buf_reset(&r->certificate);
    buf_add_str(&r->certificate, der);
    return OK;
}

static void
pair_wipe(struct status_process *s, const struct authority *a, const struct responder *r)
{
    static const char *const ends[] = { "key", "cer" };
    char name[FOLDER_NAME_MAX];
    struct why why = WHY_INIT;
    enum err e;

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        file_name(a, r, ends[i], name);
        if ((e = folder_wipe(s->folder.ocsp, name, &why)) != OK)
            LOG_ERROR_EV("status.responder.wipe", LF_STR("file", name), LF_ERR(e), LF_WHY(&why));
    }
}

/* --- from the folder --------------------------------------------------------------------------------------------------------- */

struct found {
    struct status_process *s;
    struct authority *a;
};

static enum err
pair_load(struct status_process *s, const struct authority *a, const char *name, struct responder **ret, struct why *why)
{
    char path[512], uri[520], certificate[FOLDER_NAME_MAX];
    struct str file = STR_NULL;
    struct key *key = NULL;
    struct responder *r;
    enum err e;

    key_path(s, name, path);
    snprintf(uri, sizeof(uri), "file:%s", path);
    if ((e = key_load(uri, KEY_OCSP_SIGN, &key, why)) != OK || (e = responder_new(key, &r, why)) != OK)
        return e;
    file_name(a, r, "cer", certificate);
    if ((e = folder_map(s->folder.ocsp, certificate, CERTIFICATE_FILE_MAX, &file, why)) == OK)
        e = certificate_take(a, r, file, clock_now(), why);
    folder_unmap(file);
    if (e != OK && e != ERR_NOT_FOUND) {
        if (r->until != 0 && r->until < clock_now())                 /* over: the key with it */
            pair_wipe(s, a, r);
        responder_drop(r);
        return e;
    }
    *ret = r;
    return OK;
}

static void
pair_found(const char *name, void *arg)
{
    const struct found *f = arg;
    const size_t label = strlen(f->a->label), n = strlen(name);
    struct responder *r = NULL, **place, *worse;
    struct why why = WHY_INIT;

    if (n != label + 1 + 16 + 4 || memcmp(name, f->a->label, label) != 0 || name[label] != '.' ||
        strcmp(name + n - 4, ".key") != 0)
        return;
    if (pair_load(f->s, f->a, name, &r, &why) != OK) {
        LOG_WARN_EV("status.responder.file", LF_STR("file", name), LF_WHY(&why));
        return;
    }
    place = r->certificate.len > 0 ? &f->a->responder : &f->a->next;
    worse = *place;
    if (worse != NULL && worse->until > r->until) {
        worse = r;
        r = *place;
    }
    *place = r;
    if (worse != NULL) {
        pair_wipe(f->s, f->a, worse);
        responder_drop(worse);
    }
}

void
responders_load(struct status_process *s, struct authority *a)
{
    struct found f = { s, a };
    struct why why = WHY_INIT;
    enum err e;

    if ((e = folder_each(s->folder.ocsp, pair_found, &f, &why)) != OK)
        LOG_ERROR_EV("status.folder", LF_ERR(e), LF_WHY(&why));
}

/* --- asking ------------------------------------------------------------------------------------------------------------------- */

/* PKCS#10 without names: those come from the registration (RFC 2986). */
static enum err
csr_make(struct key *key, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf info = BUF_BOUNDED(4096), sig = BUF_BOUNDED(1024);
    size_t begun = der_begin(&info, DER_SEQUENCE), part;
    enum err e;

    der_add_number(&info, DER_INTEGER, 0);
    part = der_begin(&info, DER_SEQUENCE);
    der_end(&info, part);
    key_spki(key, &info);
    part = der_begin(&info, DER_CONTEXT(0));
    der_end(&info, part);
    der_end(&info, begun);
    if ((e = key_sign(key, KEY_OCSP_SIGN, key_default_alg(key), buf_view(&info), false, &sig, why)) != OK)
        return e;
    begun = der_begin(out, DER_SEQUENCE);
    buf_add_str(out, buf_view(&info));
    if ((e = sig_alg_encode(key_default_alg(key), out, why)) != OK)
        return e;
    der_add_bit_string(out, buf_view(&sig));
    der_end(out, begun);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for a request");
}

static enum err
next_make(struct status_process *s, struct authority *a, struct why *why)
{
    char name[FOLDER_NAME_MAX], path[512];
    struct key *key = NULL;
    struct responder *r;
    enum err e;

    if ((e = key_generate(KEY_P256, 0, KEY_OCSP_SIGN, &key)) != OK)
        return why_set(why, e, "key generation");
    if ((e = responder_new(key, &r, why)) != OK)
        return e;
    file_name(a, r, "key", name);
    key_path(s, name, path);
    if ((e = key_save(r->key, path, why)) != OK) {
        responder_drop(r);
        return e;
    }
    a->next = r;
    a->request[0] = '\0';
    return OK;
}

static void
next_forget(struct status_process *s, struct authority *a)
{
    pair_wipe(s, a, a->next);
    responder_drop(TAKE(a->next));
    a->request[0] = '\0';
}

/* The registration of this machine as a responder of that authority (`beffroi-pki responder add`). */
static enum err
own_registration(struct status_process *s, struct pg *pg, const struct authority *a, char ret[37], struct why *why)
{
    const struct profile *p = responder_profile(&s->pki->profiles);
    char holder[RESPONDER_HOLDER_MAX + 1];
    enum err e;

    if (p == NULL)
        return why_code(why, ERR_NOT_FOUND, "status.registration", "no profile of responders");
    e = responder_holder(a->ca.name, s->pki->conf.name, holder, why);
    return e != OK ? e : responder_store_registration(pg, p->name, holder, ret, why);
}

static enum err
next_ask(struct status_process *s, struct pg *pg, struct authority *a, utime now, struct why *why)
{
    AUTO(buf_free) struct buf csr = BUF_BOUNDED(8192);
    unsigned char digest[SHA256_LEN];
    char registration[37];
    enum err e;

    if ((e = own_registration(s, pg, a, registration, why)) != OK)
        return e;
    if (a->next == NULL && (e = next_make(s, a, why)) != OK)
        return e;
    spki_digest(a->next, digest);
    if ((e = csr_make(a->next->key, &csr, why)) != OK)
        return e;
    e = responder_store_ask(pg, registration, a->ca.id, s->pki->conf.name, buf_view(&csr), digest, now, a->request, why);
    if (e == OK)
        LOG_INFO_EV("status.responder.asked", LF_STR("ca", a->label), LF_STR("request", a->request));
    return e;
}

/* The certificate is here: this key signs from now on. */
static enum err
next_begin(struct status_process *s, struct authority *a, struct str der, utime now, struct why *why)
{
    char name[FOLDER_NAME_MAX];
    struct responder *old;
    enum err e;

    if ((e = certificate_take(a, a->next, der, now, why)) != OK)
        return e;
    file_name(a, a->next, "cer", name);
    if ((e = folder_put(s->folder.ocsp, name, der, 0644, why)) != OK) {
        buf_reset(&a->next->certificate);
        return e;
    }
    old = a->responder;
    a->responder = TAKE(a->next);
    a->request[0] = '\0';
    status_view_renew(s);                                            /* nobody signs with the old one any more */
    if (old != NULL)
        pair_wipe(s, a, old);
    responder_drop(old);
    LOG_INFO_EV("status.responder.signs", LF_STR("ca", a->label), LF_STR("key", a->responder->id));
    return OK;
}

/* What became of what was asked, or asking. */
static enum err
next_follow(struct status_process *s, struct pg *pg, struct authority *a, utime now, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(CERTIFICATE_FILE_MAX);
    unsigned char digest[SHA256_LEN];
    enum err e = ERR_NOT_FOUND;

    if (a->next != NULL) {
        spki_digest(a->next, digest);
        e = responder_store_find(pg, digest, a->request, &der, why);
    }
    if (e == ERR_NOT_FOUND)
        return next_ask(s, pg, a, now, why);
    if (e == OK && der.len > 0)
        e = next_begin(s, a, buf_view(&der), clock_now(), why);      /* it may be younger than this look */
    if (e == ERR_DENIED || e == ERR_INPUT)                           /* this key will have none; another may */
        next_forget(s, a);
    return e;
}

static bool
wants_new(const struct authority *a, utime now)
{
    const struct responder *r = a->responder;

    if (a->ca.root || (a->ca.state != CA_ACTIVE && a->ca.state != CA_RETIRING) || a->ca.not_after <= now)
        return false;
    return r == NULL || now >= r->until - (r->until - r->from) / 3;
}

/* Only what the database fails in is given back; the rest concerns one authority, is said, and tried again in a minute. */
enum err
responders_follow(struct status_process *s, struct pg *pg, utime now, struct why *why)
{
    for (size_t i = 0; i < s->n; i++) {
        struct authority *a = s->authorities[i];
        struct why failed = WHY_INIT;
        enum err e;

        if (!wants_new(a, now) || clock_monotonic() < a->asked_at)
            continue;
        if ((e = next_follow(s, pg, a, now, &failed)) == OK)
            continue;
        if (strcmp(failed.code, "status.responder.early") == 0)
            continue;
        a->asked_at = clock_monotonic() + ASK_AGAIN;
        if (e == ERR_NOT_FOUND)                                      /* an operator registers it: in a moment, perhaps */
            a->asked_at = clock_monotonic() + USEC_PER_SEC * 5;
        if (!a->asked_said || e != ERR_NOT_FOUND)
            LOG_ERROR_EV("status.responder", LF_STR("ca", a->label), LF_ERR(e), LF_WHY(&failed));
        a->asked_said = e == ERR_NOT_FOUND;
        if (e == ERR_UNAVAILABLE && pg_fd(pg) < 0) {
            *why = failed;
            return e;
        }
    }
    return OK;
}
