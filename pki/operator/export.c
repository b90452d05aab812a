/*
 * export: the whole life of one certificate as one signed archive (P-111): registration and request, what two persons approved with
 * their signatures, the certificate and the authorities above it, each change, requests to revoke it, the lists in which it stood,
 * the ceremonies of its authority, and the audit rows about all of it with their checkpoints. Two persons ask for it
 * (archive.export). What is in it stands in export-internal.h; names that were erased are not.
 */
#include "pki/operator/export-internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/pg/audit.h"
#include "base/pg/audit_proof.h"
#include "pki/authority/certificate.h"
#include "pki/authority/request.h"
#include "pki/authority/revocation.h"
#include "pki/encode/parts.h"
#include "pki/operator/operator.h"
#include "pki/operator/print-internal.h"

#define ARENA_MAX ((size_t)512 << 20)
#define CHAIN_MAX 4                  /* authorities above a certificate */
#define OBJECTS_MAX 8

struct export {
    struct pg *pg;
    const struct pki *pki;
    struct arena *a;
    json_t *root;
    struct certificate_row row;
    struct ca chain[CHAIN_MAX];
    size_t nchain;
    const char *objects[OBJECTS_MAX];        /* of the audit trail */
    size_t nobjects;
};

void
archive_signed_text(struct str file, struct buf *out)
{
    unsigned char sha[SHA256_LEN];

    sha256(file, sha);
    buf_adds(out, ARCHIVE_FORMAT);
    buf_addc(out, '\0');
    buf_add(out, sha, sizeof(sha));
}

/* --- members ---------------------------------------------------------------------------------------------------------------- */

static void
text_set(json_t *o, const char *name, const char *value)
{
    if (value[0] != '\0')
        json_object_set_new(o, name, json_string(value));
}

static void
octets_set(json_t *o, const char *name, struct str octets)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(2 * octets.n + 8);

    if (octets.p == NULL)
        return;
    base64_encode(&text, octets.p, octets.n);
    json_object_set_new(o, name, json_string(buf_cstr(&text)));
}

static void
hex_set(json_t *o, const char *name, const void *octets, size_t n)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(2 * n + 1);

    hex_encode(&text, octets, n);
    json_object_set_new(o, name, json_string(buf_cstr(&text)));
}

static void
uuid_set(json_t *o, const char *name, const struct pg_result *r, int row, int col)
{
    char id[37];

    pg_uuid(r, row, col, id);
    text_set(o, name, id);
}

static void
object_add(struct export *x, const char *kind, const char *id)
{
    if (id[0] != '\0' && x->nobjects < OBJECTS_MAX)
        x->objects[x->nobjects++] = arena_printf(x->a, "%s:%s", kind, id);
}

/* --- the certificate and its authorities ---------------------------------------------------------------------------------------- */

static enum err
certificate_part(struct export *x, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    const struct certificate_row *c = &x->row;
    json_t *o = json_object();
    enum err e;

    json_object_set_new(x->root, "certificate", o);
    if ((e = export_certificate(x->pg, c->id, &r, why)) != OK)
        return e;
    text_set(o, "id", c->id);
    text_set(o, "ca", c->ca_label);
    hex_set(o, "serial", c->serial.p, c->serial.n);
    text_set(o, "profile", c->profile);
    hex_set(o, "profile_sha256", c->profile_sha256, SHA256_LEN);
    text_set(o, "state", c->state);
    print_time(o, "state_since", c->state_since);
    if (c->reason >= 0)
        json_object_set_new(o, "reason", json_integer(c->reason));
    print_time(o, "not_before", c->not_before);
    print_time(o, "not_after", c->not_after);
    print_time(o, "accepted_at", c->accepted_at);
    print_time(o, "revoked_at", pg_time(r, 0, 0));
    print_time(o, "invalid_at", pg_time(r, 0, 1));
    json_object_set_new(o, "holds", json_integer(pg_i64(r, 0, 2)));
    json_object_set_new(o, "compromised", json_boolean(pg_bool(r, 0, 3)));
    uuid_set(o, "station", r, 0, 4);
    octets_set(o, "der", c->der);
    object_add(x, "certificate", c->id);
    object_add(x, "request", c->request);
    object_add(x, "registration", c->registration);
    return OK;
}

/* From the one that signed it up to its root. */
static enum err
authorities_part(struct export *x, struct why *why)
{
    json_t *list = json_array();
    int id = x->row.ca_id;
    enum err e;

    json_object_set_new(x->root, "authorities", list);
    while (id != 0 && x->nchain < CHAIN_MAX) {
        struct ca *ca = &x->chain[x->nchain];
        char label[CA_LABEL_SIZE];
        json_t *o = json_object();

        json_array_append_new(list, o);
        if ((e = ca_by_id(x->pg, id, x->a, ca, why)) != OK)
            return e;
        ca_label(ca->name, ca->generation, label);
        text_set(o, "label", label);
        text_set(o, "state", ca_state_name(ca->state));
        octets_set(o, "der", ca->certificate);
        object_add(x, "ca", arena_printf(x->a, "%d", ca->id));
        x->nchain++;
        id = ca->issuer_id;
    }
    return OK;
}

static enum err
ceremonies_part(struct export *x, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    const char *names[2 * CHAIN_MAX];
    json_t *list = json_array();
    size_t n = 0;
    enum err e;

    json_object_set_new(x->root, "ceremonies", list);
    for (size_t i = 0; i < x->nchain; i++) {
        char label[CA_LABEL_SIZE];

        ca_label(x->chain[i].name, x->chain[i].generation, label);
        names[n++] = x->chain[i].name;
        names[n++] = arena_strdup(x->a, label);
    }
    if ((e = export_ceremonies(x->pg, names, n, &r, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++) {
        struct ceremony_sign *signs;
        struct ceremony_row row;
        json_t *o = json_object(), *signatures = json_array();
        char id[37];
        size_t nsigns;

        json_array_append_new(list, o);
        json_object_set_new(o, "signatures", signatures);
        pg_uuid(r, i, 0, id);
        if ((e = ceremony_find(x->pg, id, x->a, &row, &signs, &nsigns, why)) != OK)
            return e;
        text_set(o, "id", id);
        text_set(o, "kind", row.kind);
        text_set(o, "ca", row.ca_name);
        print_time(o, "at", row.at);
        json_object_set_new(o, "record", json_stringn(row.record.p, row.record.n));
        for (size_t k = 0; k < nsigns; k++) {
            json_t *s = json_object();

            json_array_append_new(signatures, s);
            text_set(s, "name", signs[k].name);
            octets_set(s, "public_key", signs[k].public_key);
            octets_set(s, "signature", signs[k].signature);
        }
    }
    return OK;
}

/* --- how it came to be ---------------------------------------------------------------------------------------------------------- */

/* What persons said to this text. */
static enum err
approvals_add(struct export *x, enum approval_act act, struct str text, json_t *list, struct why *why)
{
    unsigned char subject[SHA256_LEN];
    struct approval *said = NULL;
    size_t n = 0;
    enum err e;

    sha256(text, subject);
    if ((e = approval_load(x->pg, act, subject, clock_now(), x->a, &said, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();

        json_array_append_new(list, o);
        text_set(o, "act", approval_act_name(act));
        text_set(o, "person", said[i].person);
        octets_set(o, "public_key", said[i].public_key);
        octets_set(o, "signature", said[i].signature);
        print_time(o, "at", said[i].at);
        json_object_set_new(o, "text", json_stringn(text.p, text.n));
    }
    return OK;
}

static enum err
request_part(struct export *x, json_t *approvals, struct why *why)
{
    AUTO(buf_free) struct buf names = BUF_SECRET(REGISTRATION_SUBJECT_MAX), text = BUF_SECRET(APPROVAL_TEXT_MAX);
    json_t *registration = json_object(), *request = json_object();
    struct registration r;
    struct request q;
    struct subject s;
    enum err e;

    json_object_set_new(x->root, "registration", registration);
    json_object_set_new(x->root, "request", request);
    if ((e = registration_find(x->pg, x->row.registration, x->a, &r, why)) != OK)
        return e;
    text_set(registration, "id", r.id);
    text_set(registration, "station", r.station);
    text_set(registration, "profile", r.profile);
    text_set(registration, "town", r.town);
    text_set(registration, "holder", r.holder);
    text_set(registration, "support", registration_support_name(r.support));
    text_set(registration, "proof", registration_proof_name(r.proof));
    text_set(registration, "proof_ref", r.proof_ref);
    print_time(registration, "proof_at", r.proof_at);
    json_object_set_new(registration, "renewals", json_integer(r.renewals));
    json_object_set_new(registration, "names_erased", json_boolean(r.subject.p == NULL));
    if (r.subject.p != NULL) {
        if ((e = registration_open(x->pki->field, &r, x->a, &s, why)) != OK)
            return e;
        registration_subject_text(&s, &names);
        text_set(registration, "names", buf_cstr(&names));
    }
    if (x->row.request[0] == '\0')
        return OK;
    if ((e = request_find(x->pg, x->row.request, x->a, &q, why)) != OK)
        return e;
    text_set(request, "id", q.id);
    text_set(request, "kind", request_kind_name(q.kind));
    text_set(request, "origin", request_origin_name(q.origin));
    text_set(request, "station", q.station);
    text_set(request, "asked_by", q.asked_by);
    text_set(request, "replaces", q.replaces);
    print_time(request, "received_at", q.received_at);
    octets_set(request, "csr", q.csr);
    request_approval_text(&q, &r, buf_view(&names), &text);
    return approvals_add(x, APPROVE_REQUEST, buf_view(&text), approvals, why);
}

/* --- what became of it ------------------------------------------------------------------------------------------------------------ */

static enum err
changes_part(struct export *x, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    json_t *list = json_array();
    enum err e;

    json_object_set_new(x->root, "changes", list);
    if ((e = export_changes(x->pg, x->row.id, &r, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++) {
        json_t *o = json_object();

        json_array_append_new(list, o);
        text_set(o, "was", pg_text(r, i, 0));
        text_set(o, "state", pg_text(r, i, 1));
        if (!pg_is_null(r, i, 2))
            json_object_set_new(o, "reason", json_integer(pg_i64(r, i, 2)));
        print_time(o, "at", pg_time(r, i, 3));
    }
    return OK;
}

static enum err
revocations_part(struct export *x, json_t *approvals, struct why *why)
{
    static const char *const texts[] = { "requester", "requester_ref", "proof" };
    static const char *const times[] = { "received_at", "due_at", "executed_at", "published_at" };
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    json_t *list = json_array();
    enum err e;

    json_object_set_new(x->root, "revocations", list);
    if ((e = export_revocations(x->pg, x->row.id, &r, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++) {
        json_t *o = json_object();

        json_array_append_new(list, o);
        uuid_set(o, "id", r, i, 0);
        text_set(o, "act", pg_text(r, i, 1));
        if (!pg_is_null(r, i, 2))
            json_object_set_new(o, "reason", json_integer(pg_i64(r, i, 2)));
        print_time(o, "invalid_at", pg_time(r, i, 3));
        for (int k = 0; k < (int)ARRAY_LEN(texts); k++)
            text_set(o, texts[k], pg_text(r, i, 4 + k));
        uuid_set(o, "station", r, i, 7);
        text_set(o, "state", pg_text(r, i, 8));
        text_set(o, "outcome", pg_text(r, i, 9));
        for (int k = 0; k < (int)ARRAY_LEN(times); k++)
            print_time(o, times[k], pg_time(r, i, 10 + k));
        if (!pg_is_null(r, i, 14))
            json_object_set_new(o, "crl_number", json_integer(pg_i64(r, i, 14)));
        if (strcmp(pg_text(r, i, 9), "held") == 0) {
            AUTO(buf_free) struct buf text = BUF_BOUNDED(1024);

            revocation_resume_text(x->row.id, x->row.ca_label, x->row.serial, pg_time(r, i, 12), &text);
            if ((e = approvals_add(x, APPROVE_RESUME, buf_view(&text), approvals, why)) != OK)
                return e;
        }
    }
    return OK;
}

static enum err
published_add(struct export *x, json_t *o, int ca_id, int shard, int64_t number, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    json_t *list = json_array();
    enum err e;

    json_object_set_new(o, "published", list);
    if ((e = export_published(x->pg, ca_id, shard, number, &r, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++) {
        json_t *one = json_object();

        json_array_append_new(list, one);
        text_set(one, "node", pg_text(r, i, 0));
        print_time(one, "at", pg_time(r, i, 1));
    }
    return OK;
}

static enum err
lists_part(struct export *x, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    json_t *list = json_array();
    enum err e;

    json_object_set_new(x->root, "lists", list);
    if ((e = export_lists(x->pg, x->row.id, &r, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++) {
        const struct str der = pg_str(r, i, 8);
        json_t *o = json_object();

        json_array_append_new(list, o);
        json_object_set_new(o, "shard", json_integer(pg_i64(r, i, 1)));
        json_object_set_new(o, "number", json_integer(pg_i64(r, i, 2)));
        print_time(o, "this_update", pg_time(r, i, 3));
        print_time(o, "next_update", pg_time(r, i, 4));
        print_time(o, "made_at", pg_time(r, i, 5));
        json_object_set_new(o, "entries", json_integer(pg_i64(r, i, 6)));
        hex_set(o, "sha256", pg_str(r, i, 7).p, SHA256_LEN);
        if (der.p != NULL)
            json_object_set_new(o, "listed", json_boolean(crl_walk_finds(der, x->row.serial)));
        if (der.p != NULL && der.n <= ARCHIVE_LIST_MAX)
            octets_set(o, "der", der);
        if ((e = published_add(x, o, (int)pg_i64(r, i, 0), (int)pg_i64(r, i, 1), pg_i64(r, i, 2), why)) != OK)
            return e;
    }
    return OK;
}

/* --- the audit trail ---------------------------------------------------------------------------------------------------------------- */

static json_t *
checkpoint_json(const struct audit_proof_checkpoint *c)
{
    json_t *o = json_object(), *seqs = json_array();

    json_object_set_new(o, "number", json_integer(c->number));
    json_object_set_new(o, "at", json_integer(c->at));
    json_object_set_new(o, "cluster", json_integer(c->cluster));
    json_object_set_new(o, "horizon", json_integer(c->horizon));
    for (size_t i = 0; i < c->n; i++)
        json_array_append_new(seqs, json_integer(c->seqs[i]));
    json_object_set_new(o, "seqs", seqs);
    octets_set(o, "digests", c->digests);
    octets_set(o, "before", c->before);
    octets_set(o, "chain", c->chain);
    text_set(o, "key", c->key);
    octets_set(o, "signature", c->signature);
    return o;
}

static enum err
audit_part(struct export *x, struct why *why)
{
    static const char *const names[AUDIT_TEXTS] = { "actor", "role", "verb", "object", "result", "detail" };
    json_t *o = json_object(), *rows = json_array(), *checkpoints = json_array();
    struct audit_proof p;
    enum err e;

    json_object_set_new(x->root, "audit", o);
    json_object_set_new(o, "rows", rows);
    json_object_set_new(o, "checkpoints", checkpoints);
    if ((e = audit_proof_load(x->pg, x->objects, x->nobjects, x->a, &p, why)) != OK)
        return e;
    for (size_t i = 0; i < p.nrows; i++) {
        json_t *row = json_object();

        json_array_append_new(rows, row);
        json_object_set_new(row, "seq", json_integer(p.rows[i].seq));
        json_object_set_new(row, "at", json_integer(p.rows[i].at));
        json_object_set_new(row, "checkpoint", json_integer(p.rows[i].checkpoint));
        for (size_t k = 0; k < AUDIT_TEXTS; k++)
            json_object_set_new(row, names[k], json_stringn(p.rows[i].text[k].p, p.rows[i].text[k].n));
    }
    for (size_t i = 0; i < p.ncheckpoints; i++)
        json_array_append_new(checkpoints, checkpoint_json(&p.checkpoints[i]));
    return OK;
}

/* --- the whole --------------------------------------------------------------------------------------------------------------------- */

static enum err
archive_make(struct export *x, struct why *why)
{
    json_t *approvals = json_array();
    enum err e;

    json_object_set_new(x->root, "format", json_string(ARCHIVE_FORMAT));
    json_object_set_new(x->root, "approvals", approvals);
    print_time(x->root, "made_at", clock_now());
    if ((e = certificate_part(x, why)) != OK || (e = authorities_part(x, why)) != OK || (e = ceremonies_part(x, why)) != OK ||
        (e = request_part(x, approvals, why)) != OK || (e = changes_part(x, why)) != OK ||
        (e = revocations_part(x, approvals, why)) != OK || (e = lists_part(x, why)) != OK)
        return e;
    return audit_part(x, why);
}

static enum err
signature_make(const struct pki *pki, struct str file, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(128), sig = BUF_BOUNDED(1024), spki = BUF_BOUNDED(1024);
    AUTO(json_decrefp) json_t *o = json_object();
    char id[44], *json;
    enum err e;

    archive_signed_text(file, &text);
    if ((e = key_sign(pki->audit_key, KEY_AUDIT_SIGN, key_default_alg(pki->audit_key), buf_view(&text), false, &sig, why)) != OK)
        return e;
    key_spki(pki->audit_key, &spki);
    key_thumbprint(pki->audit_key, id);
    text_set(o, "format", ARCHIVE_FORMAT " signature");
    text_set(o, "key", id);
    octets_set(o, "public_key", buf_view(&spki));
    octets_set(o, "signature", buf_view(&sig));
    json = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    buf_addf(out, "%s\n", json != NULL ? json : "");
    free(json);
    return OK;
}

/* Two persons ask for it: what they sign. *ret_enough: it may be written. */
static enum err
export_ask(struct pg *pg, const struct certificate_row *row, const struct signatory *who, utime now, bool *ret_enough, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(1024), hex = BUF_BOUNDED(64);
    unsigned char subject[SHA256_LEN];
    enum err e;

    hex_encode(&hex, row->serial.p, row->serial.n);
    approval_line(&text, "certificate", row->id);
    approval_line(&text, "ca", row->ca_label);
    approval_line(&text, "serial", buf_cstr(&hex));
    if ((e = signatory_say(pg, who, APPROVE_ARCHIVE_EXPORT, buf_view(&text), now, why)) != OK)
        return e;
    sha256(buf_view(&text), subject);
    e = approval_check(pg, APPROVE_ARCHIVE_EXPORT, subject, NULL, now, why);
    *ret_enough = e == OK;
    return e == ERR_DENIED ? OK : e;
}

static enum err
export_write(struct export *x, const char *out, struct why *why)
{
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(8192);
    const char *sig_path = arena_printf(x->a, "%s.sig", out);
    char *json = json_dumps(x->root, JSON_COMPACT | JSON_SORT_KEYS), *file;
    struct str text;
    enum err e;

    if (json == NULL)
        return why_set(why, ERR_INTERNAL, "the archive holds what is no text");
    file = arena_printf(x->a, "%s\n", json);
    free(json);
    text = str_of(file);
    if ((e = signature_make(x->pki, text, &sig, why)) != OK || (e = operator_write(out, 0600, text, why)) != OK)
        return e;
    return operator_write(sig_path, 0600, buf_view(&sig), why);
}

static enum err
export_do(struct export *x, const struct export_options *o, bool *ret_enough, struct why *why)
{
    const role_set roles = ROLE_BIT(ROLE_SECURITY) | ROLE_BIT(ROLE_SYSTEMS) | ROLE_BIT(ROLE_SERVICE_DESK) | ROLE_BIT(ROLE_AUDITOR);
    AUTO(signatory_done) struct signatory who = { .key = NULL };
    const utime now = operator_second();
    const char *object;
    enum err e;

    if ((e = certificate_find(x->pg, str_of(o->name), x->a, &x->row, why)) != OK)
        return e;
    object = arena_printf(x->a, "certificate:%s", x->row.id);
    if ((e = signatory_come(x->pg, o->key, o->answers, now, &who, why)) == OK)
        e = signatory_may(&who, roles, why);
    if ((e = operator_denied(x->pg, &who, "archive.export", object, now, e, why)) != OK ||
        (e = export_ask(x->pg, &x->row, &who, now, ret_enough, why)) != OK || !*ret_enough)
        return e;
    if ((e = archive_make(x, why)) != OK || (e = export_write(x, o->out, why)) != OK)
        return e;
    return audit_add(x->pg, &(struct audit_entry){ .at = now, .actor = command_actor(), .role = "", .verb = "archive.export",
                     .object = object, .result = "ok", .detail = arena_printf(x->a, "{\"person\":\"%s\"}", who.person.id) }, why);
}

static void
export_done(struct export *x)
{
    json_decref(x->root);
    arena_free(x->a);
}

int
operator_certificate_export(const struct export_options *o)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(export_done) struct export x = { .a = arena_new(ARENA_MAX), .root = json_object() };
    struct why why = WHY_INIT;
    bool enough = false;
    enum err e;

    if ((e = operator_begin(o->config, PKI_NEED_AUDIT | PKI_NEED_FIELD, &pki, &pg, &why)) == OK) {
        x.pg = pg;
        x.pki = pki;
        e = export_do(&x, o, &enough, &why);
    }
    if (e != OK)
        return command_fail("certificate export", e, &why);
    printf("%s\n", enough ? "exported" : "one more person");
    return 0;
}
