/*
 * export_verify: is this archive one that was exported, and does what it holds prove itself? Offline: the file, its signature, and
 * the audit key. Each finding is a JSON object on a line; the last line is the summary, with the thumbprint of the key that signed.
 *
 * Looked at: the archive's signature; the certificate up to its root; that the request asked for this key and two persons signed
 * this very request; what persons said to releases; lists that are here whole; records of ceremonies; audit rows with their checkpoints.
 */
#include "pki/operator/export-internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/core/enc.h"
#include "base/crypto/x509_path.h"
#include "base/pg/audit_proof.h"
#include "pki/ceremony/ceremony.h"
#include "pki/custody/approval.h"
#include "pki/encode/parts.h"
#include "pki/operator/operator.h"
#include "pki/operator/print-internal.h"
#include "pki/request/csr.h"

#define ARENA_MAX ((size_t)1 << 30)

struct check {
    struct arena *a;
    json_t *root;
    struct key *audit_key;
    struct certificate_parts certificate;
    int64_t findings;
    size_t unsealed;
};

static void PRINTF_LIKE(3, 4)
say(struct check *c, const char *rule, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    c->findings++;
    print_object(json_pack("{s:s,s:s}", "rule", rule, "text", text));
}

/* --- members ---------------------------------------------------------------------------------------------------------------- */

static const char *
text_get(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));

    return text != NULL ? text : "";
}

/* p NULL: not there, or not base64. */
static struct str
octets_get(struct check *c, const json_t *o, const char *name)
{
    const char *text = text_get(o, name);
    AUTO(buf_free) struct buf out = BUF_BOUNDED(strlen(text) + 1);

    if (text[0] == '\0' || base64_decode(str_of(text), true, &out) != OK)
        return STR_NULL;
    return (struct str){ arena_dup(c->a, out.data, out.len), out.len };
}

static utime
time_get(const json_t *o, const char *name)
{
    utime t;

    return utime_parse(text_get(o, name), &t) == OK ? t : UTIME_NULL;
}

static int64_t
number_get(const json_t *o, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(o, name));
}

/* --- certificates ------------------------------------------------------------------------------------------------------------ */

static bool
signed_by(struct str issuer_spki, const struct certificate_parts *p)
{
    AUTO(key_freep) struct key *k = NULL;

    return key_public(issuer_spki, &k, NULL) == OK &&
           key_verify(k, profile_sig_alg(key_algorithm(k)), p->tbs, p->signature, false, NULL) == OK;
}

static void
chain_check(struct check *c)
{
    const json_t *list = json_object_get(c->root, "authorities"), *o;
    struct certificate_parts below, above;
    size_t i;

    if (certificate_split(octets_get(c, json_object_get(c->root, "certificate"), "der"), &c->certificate, NULL) != OK) {
        say(c, "certificate.octets", "the certificate cannot be read");
        return;
    }
    below = c->certificate;
    json_array_foreach (list, i, o) {
        if (certificate_split(octets_get(c, o, "der"), &above, NULL) != OK || !str_eq(below.issuer, above.subject) ||
            !signed_by(above.spki, &below))
            say(c, "certificate.signature", "%s did not sign what stands below it", text_get(o, "label"));
        below = above;
    }
    if (json_array_size(list) == 0 || !str_eq(below.issuer, below.subject) || !signed_by(below.spki, &below))
        say(c, "certificate.root", "no root that signed itself is at the top");
}

static void
request_check(struct check *c)
{
    const json_t *o = json_object_get(c->root, "request");
    AUTO(csr_done) struct csr csr = { .key = NULL };

    if (text_get(o, "id")[0] == '\0')
        return;
    if (csr_read(octets_get(c, o, "csr"), &csr, NULL) != OK || !str_eq(csr.spki, c->certificate.spki))
        say(c, "request.key", "the request did not ask for a certificate of this key");
}

/* --- persons ------------------------------------------------------------------------------------------------------------------- */

/* The text of the request that this archive is about: with its id, and with the key that the certificate has. */
static bool
is_about(struct check *c, const char *id, const char *text)
{
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(2 * SHA256_LEN);
    unsigned char key[SHA256_LEN];

    sha256(c->certificate.spki, key);
    hex_encode(&hex, key, sizeof(key));
    return str_starts(str_of(text), arena_printf(c->a, "request %s\n", id)) &&
           strstr(text, arena_printf(c->a, "\nkey %s\n", buf_cstr(&hex))) != NULL;
}

/* Has a row before the i-th the key of that row? One human counts once. */
static bool
said_before(struct check *c, const json_t *list, size_t i, struct str public_key)
{
    for (size_t k = 0; k < i; k++)
        if (str_eq(octets_get(c, json_array_get(list, k), "public_key"), public_key))
            return true;
    return false;
}

static void
approvals_check(struct check *c)
{
    const json_t *request = json_object_get(c->root, "request"), *registration = json_object_get(c->root, "registration");
    const utime proof_at = time_get(registration, "proof_at");
    const bool by_operator = strcmp(text_get(request, "origin"), "operator") == 0,
               erased = json_is_true(json_object_get(registration, "names_erased")),
               anew = proof_at != UTIME_NULL && proof_at > time_get(request, "received_at");
    const json_t *list = json_object_get(c->root, "approvals"), *o;
    const char *id = text_get(request, "id");
    size_t i, good = 0;

    json_array_foreach (list, i, o) {
        const struct approval a = { .public_key = octets_get(c, o, "public_key"), .signature = octets_get(c, o, "signature"),
                                    .at = time_get(o, "at") };
        const char *text = text_get(o, "text");
        unsigned char subject[SHA256_LEN];
        enum approval_act act;

        sha256(str_of(text), subject);
        if (approval_act_parse(str_of(text_get(o, "act")), &act) != OK || a.at == UTIME_NULL || approval_verify(&a, act, subject, NULL) != OK)
            say(c, "approval.signature", "what %s said is not signed by them", text_get(o, "person"));
        else if (act == APPROVE_REQUEST && is_about(c, id, text) && !said_before(c, list, i, a.public_key))
            good++;
    }
    /* the text that was signed held the names and the proof of identity: once they are others it cannot be shown */
    if (by_operator && !erased && !anew && good < 2)
        say(c, "approval.few", "%zu persons approved this request, not two", good);
}

static void
ceremonies_check(struct check *c)
{
    const json_t *o, *s;
    size_t i, k;

    json_array_foreach (json_object_get(c->root, "ceremonies"), i, o) {
        const json_t *signatures = json_object_get(o, "signatures");

        if (json_array_size(signatures) == 0)
            say(c, "ceremony.unsigned", "nobody signed the record %s", text_get(o, "id"));
        json_array_foreach (signatures, k, s)
            if (ceremony_signature_verify(str_of(text_get(o, "record")), str_of(text_get(s, "name")), octets_get(c, s, "public_key"),
                                          octets_get(c, s, "signature"), NULL) != OK)
                say(c, "ceremony.signature", "the record %s is not signed by %s", text_get(o, "id"), text_get(s, "name"));
    }
}

/* --- lists ---------------------------------------------------------------------------------------------------------------------- */

static void
list_check(struct check *c, const json_t *o, const struct key *ca)
{
    const struct str der = octets_get(c, o, "der");
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(2 * SHA256_LEN + 1);
    struct str tbs, signature, serial = c->certificate.serial;
    unsigned char sha[SHA256_LEN];

    if (der.p == NULL)
        return;
    if (serial.n > 1 && serial.p[0] == 0)
        serial = (struct str){ serial.p + 1, serial.n - 1 };
    sha256(der, sha);
    hex_encode(&hex, sha, sizeof(sha));
    if (strcmp(buf_cstr(&hex), text_get(o, "sha256")) != 0 || signed_split(der, X509_CRL_DER_MAX, &tbs, &signature, NULL) != OK ||
        key_verify(ca, profile_sig_alg(key_algorithm(ca)), tbs, signature, false, NULL) != OK)
        say(c, "list.signature", "list %lld is not one that the authority signed", (long long)number_get(o, "number"));
    else if (crl_walk_finds(der, serial) != json_is_true(json_object_get(o, "listed")))
        say(c, "list.entry", "list %lld says something else of the certificate", (long long)number_get(o, "number"));
}

static void
lists_check(struct check *c)
{
    const json_t *authority = json_array_get(json_object_get(c->root, "authorities"), 0), *o;
    AUTO(key_freep) struct key *ca = NULL;
    struct certificate_parts p;
    size_t i;

    if (certificate_split(octets_get(c, authority, "der"), &p, NULL) != OK || key_public(p.spki, &ca, NULL) != OK)
        return;                         /* said of the chain */
    json_array_foreach (json_object_get(c->root, "lists"), i, o) {
        list_check(c, o, ca);
    }
}

/* --- the audit trail --------------------------------------------------------------------------------------------------------------- */

static void
rows_read(const json_t *list, struct arena *a, struct audit_proof *p)
{
    static const char *const names[AUDIT_TEXTS] = { "actor", "role", "verb", "object", "result", "detail" };
    const json_t *o;
    size_t i;

    p->nrows = json_array_size(list);
    p->rows = arena_alloc(a, (p->nrows + 1) * sizeof(*p->rows));
    json_array_foreach (list, i, o) {
        p->rows[i] = (struct audit_proof_row){ .seq = number_get(o, "seq"), .at = number_get(o, "at"),
                                               .checkpoint = number_get(o, "checkpoint") };
        for (size_t k = 0; k < AUDIT_TEXTS; k++)
            p->rows[i].text[k] = str_of(text_get(o, names[k]));
    }
}

static void
checkpoints_read(struct check *c, const json_t *list, struct audit_proof *p)
{
    const json_t *o;
    size_t i;

    p->ncheckpoints = json_array_size(list);
    p->checkpoints = arena_alloc(c->a, (p->ncheckpoints + 1) * sizeof(*p->checkpoints));
    json_array_foreach (list, i, o) {
        const json_t *seqs = json_object_get(o, "seqs");
        struct audit_proof_checkpoint *one = &p->checkpoints[i];

        *one = (struct audit_proof_checkpoint){
            .number = number_get(o, "number"), .at = number_get(o, "at"), .cluster = number_get(o, "cluster"),
            .horizon = number_get(o, "horizon"), .n = json_array_size(seqs), .digests = octets_get(c, o, "digests"),
            .before = octets_get(c, o, "before"), .chain = octets_get(c, o, "chain"), .key = text_get(o, "key"),
            .signature = octets_get(c, o, "signature") };
        one->seqs = arena_alloc(c->a, (one->n + 1) * sizeof(*one->seqs));
        for (size_t k = 0; k < one->n; k++)
            one->seqs[k] = (int64_t)json_integer_value(json_array_get(seqs, k));
    }
}

static void
audit_check(struct check *c)
{
    const json_t *o = json_object_get(c->root, "audit");
    struct audit_proof p;
    struct why why = WHY_INIT;

    rows_read(json_object_get(o, "rows"), c->a, &p);
    checkpoints_read(c, json_object_get(o, "checkpoints"), &p);
    if (p.nrows == 0)
        say(c, "audit.none", "no audit row speaks of the certificate");
    if (audit_proof_verify(&p, c->audit_key, &c->unsealed, &why) != OK)
        say(c, "audit.proof", "%s", why.text);
}

/* --- the whole ---------------------------------------------------------------------------------------------------------------------- */

/* The key is the configured one, or the one that the signature brings: its thumbprint is printed, to be compared. */
static enum err
signature_check(struct check *c, const struct pki *pki, const char *file, struct str text, struct why *why)
{
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(8192), spki = BUF_BOUNDED(1024), signed_text = BUF_BOUNDED(128);
    AUTO(json_decrefp) json_t *o = NULL;
    enum err e;

    if ((e = command_read_file(arena_printf(c->a, "%s.sig", file), &sig, why)) != OK)
        return e;
    if ((o = json_loadb(sig.data, sig.len, JSON_REJECT_DUPLICATES, NULL)) == NULL)
        return why_set(why, ERR_INPUT, "%s.sig is no signature", file);
    if (pki != NULL)
        key_spki(pki->audit_key, &spki);
    else
        buf_add_str(&spki, octets_get(c, o, "public_key"));
    if ((e = key_public(buf_view(&spki), &c->audit_key, why)) != OK)
        return e;
    archive_signed_text(text, &signed_text);
    if (key_verify(c->audit_key, key_default_alg(c->audit_key), buf_view(&signed_text), octets_get(c, o, "signature"), false, NULL) != OK)
        say(c, "archive.signature", "the archive is not signed by that key");
    return OK;
}

static enum err
archive_check(struct check *c, const struct pki *pki, const char *file, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(ARCHIVE_MAX);
    enum err e;

    if ((e = command_read_file(file, &text, why)) != OK)
        return e;
    if ((c->root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL)) == NULL ||
        strcmp(text_get(c->root, "format"), ARCHIVE_FORMAT) != 0)
        return why_set(why, ERR_INPUT, "%s is no archive of ours", file);
    if ((e = signature_check(c, pki, file, buf_view(&text), why)) != OK)
        return e;
    chain_check(c);
    request_check(c);
    approvals_check(c);
    ceremonies_check(c);
    lists_check(c);
    audit_check(c);
    return OK;
}

static void
check_done(struct check *c)
{
    key_free(c->audit_key);
    json_decref(c->root);
    arena_free(c->a);
}

int
operator_certificate_verify_export(const char *config, const char *file)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(check_done) struct check c = { .a = arena_new(ARENA_MAX) };
    struct why why = WHY_INIT;
    char id[44];
    enum err e = OK;

    if ((config != NULL && (e = pki_load(config, PKI_NEED_AUDIT, &pki, &why)) != OK) ||
        (e = archive_check(&c, pki, file, &why)) != OK)
        return command_fail("certificate verify-export", e, &why);
    key_thumbprint(c.audit_key, id);
    print_object(json_pack("{s:s,s:s,s:I,s:I}", "certificate", text_get(json_object_get(c.root, "certificate"), "id"), "key", id, "unsealed",
                           (json_int_t)c.unsealed, "findings", (json_int_t)c.findings));
    return c.findings == 0 ? 0 : 1;
}
