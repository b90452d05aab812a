/*
 * verify: is the database of one piece? Every certificate's octets verify under their authority and are what the row says; no
 * state that no act leads to; lists verify, their numbers run forward, and the newest says of each certificate what its row says;
 * approvals, grants and ceremony records have their signatures. It reads, and changes nothing; rows pass through in pages.
 *
 * Each finding is a JSON object on a line, and the last line is the summary. Exit status 0: no finding; 1: some, or it could not
 * look. What it cannot see: rows that are away together with all that speaks of them; `beffroi-pki audit verify` does.
 */
#include "pki/operator/verify-internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/crypto/x509.h"
#include "pki/ceremony/ceremony.h"
#include "pki/encode/parts.h"
#include "pki/operator/operator.h"
#include "pki/operator/print-internal.h"

#define NIL "00000000-0000-0000-0000-000000000000"

void
verify_say(struct verify *v, const char *rule, const char *object, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    v->findings++;
    print_object(json_pack("{s:s,s:s,s:s}", "rule", rule, "object", object, "text", text));
}

const struct verify_ca *
verify_ca_by_id(const struct verify *v, int id)
{
    for (size_t i = 0; i < v->ncas; i++)
        if (v->cas[i].ca.id == id)
            return &v->cas[i];
    return NULL;
}

bool
verify_signed_by(const struct key *key, struct str tbs, struct str signature)
{
    return key != NULL && key_verify(key, profile_sig_alg(key_algorithm(key)), tbs, signature, false, NULL) == OK;
}

/* --- authorities ------------------------------------------------------------------------------------------------------------ */

static bool
serial_is(struct str content, struct str serial)
{
    if (content.n > 1 && content.p[0] == 0)
        content = (struct str){ content.p + 1, content.n - 1 };
    return str_eq(content, serial);
}

static void
authority_verify(struct verify *v, const struct verify_ca *one)
{
    const struct ca *ca = &one->ca;
    const struct verify_ca *issuer = ca->root ? one : verify_ca_by_id(v, ca->issuer_id);
    const char *object = arena_printf(v->a, "ca:%s", one->label);
    struct certificate_parts p;

    v->authorities++;
    if (one->key == NULL)
        verify_say(v, "ca.key", object, "its public key cannot be read");
    if (certificate_split(ca->certificate, &p, NULL) != OK) {
        verify_say(v, "ca.certificate", object, "its certificate cannot be read");
        return;
    }
    if (!str_eq(p.subject, ca->subject) || !str_eq(p.spki, ca->spki) || !serial_is(p.serial, ca->serial) ||
        p.not_before != ca->not_before || p.not_after != ca->not_after)
        verify_say(v, "ca.row", object, "its certificate says something else than its row");
    if (issuer == NULL || !str_eq(p.issuer, issuer->ca.subject) || !verify_signed_by(issuer->key, p.tbs, p.signature))
        verify_say(v, "ca.signature", object, "its certificate is not signed by the authority that its row names");
}

enum err
verify_authorities(struct verify *v, struct why *why)
{
    struct ca *list;
    size_t n;
    enum err e;

    if ((e = ca_list(v->pg, v->a, &list, &n, why)) != OK)
        return e;
    v->cas = arena_alloc(v->a, (n + 1) * sizeof(*v->cas));
    for (size_t i = 0; i < n; i++) {
        v->cas[i] = (struct verify_ca){ .ca = list[i] };
        ca_label(list[i].name, list[i].generation, v->cas[i].label);
        if (key_public(list[i].spki, &v->cas[i].key, NULL) != OK)
            v->cas[i].key = NULL;
        v->ncas = i + 1;
    }
    for (size_t i = 0; i < n; i++)
        authority_verify(v, &v->cas[i]);
    return OK;
}

/* --- ceremonies -------------------------------------------------------------------------------------------------------------- */

static enum err
ceremony_look(struct verify *v, const char *id, struct str digest, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new((size_t)16 << 20);
    const char *object = arena_printf(a, "ceremony:%s", id);
    struct ceremony_sign *signs;
    struct ceremony_row row;
    unsigned char sha[SHA256_LEN];
    size_t n;
    enum err e;

    if ((e = ceremony_find(v->pg, id, a, &row, &signs, &n, why)) != OK)
        return e;
    v->ceremonies++;
    sha256(row.record, sha);
    if (!str_eq(digest, (struct str){ (const char *)sha, sizeof(sha) }))      /* lint: secret-compare: of a record */
        verify_say(v, "ceremony.record", object, "its record is not the one that was signed");
    if (n == 0)
        verify_say(v, "ceremony.unsigned", object, "nobody signed its record");
    for (size_t i = 0; i < n; i++) {
        struct why wrong = WHY_INIT;

        if (ceremony_signature_verify(row.record, str_of(signs[i].name), signs[i].public_key, signs[i].signature, &wrong) != OK)
            verify_say(v, "ceremony.signature", object, "%s", wrong.text);
    }
    return OK;
}

enum err
verify_ceremonies(struct verify *v, struct why *why)
{
    char last[37] = NIL;
    int rows;

    do {
        AUTO(pg_result_freep) struct pg_result *r = NULL;
        enum err e;

        if ((e = verify_page_ceremonies(v->pg, last, &r, why)) != OK)
            return e;
        rows = pg_rows(r);
        for (int i = 0; i < rows; i++) {
            pg_uuid(r, i, 0, last);
            if ((e = ceremony_look(v, last, pg_str(r, i, 1), why)) != OK)
                return e;
        }
    } while (rows == VERIFY_PAGE);
    return OK;
}

/* --- the whole ---------------------------------------------------------------------------------------------------------------- */

static enum err
verify_all(struct verify *v, struct why *why)
{
    enum err e;

    if ((e = verify_authorities(v, why)) != OK || (e = verify_certificates(v, why)) != OK || (e = verify_states(v, why)) != OK ||
        (e = verify_lists(v, why)) != OK || (e = verify_signatures(v, why)) != OK)
        return e;
    return verify_ceremonies(v, why);
}

static void
verify_done(struct verify *v)
{
    for (size_t i = 0; i < v->ncas; i++)
        key_free(v->cas[i].key);
    arena_free(v->a);
}

int
operator_verify(int argc, char **argv)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(verify_done) struct verify v = { .now = clock_now() };
    const char *config = NULL, *words[1] = { NULL };
    const struct command_option options[] = { { "--config", &config, NULL } };
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 1, &n) || config == NULL || n != 0)
        return command_usage("verify --config FILE");
    if ((e = operator_begin(config, PKI_NEED_PROFILES | PKI_NEED_FIELD, &pki, &pg, &why)) != OK)
        return command_fail("verify", e, &why);
    v.pki = pki;
    v.pg = pg;
    v.a = arena_new((size_t)64 << 20);
    if ((e = verify_all(&v, &why)) != OK)
        return command_fail("verify", e, &why);
    print_object(json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "authorities", (json_int_t)v.authorities, "certificates",
                           (json_int_t)v.certificates, "requests", (json_int_t)v.requests, "approvals", (json_int_t)v.approvals,
                           "grants", (json_int_t)v.grants, "stations", (json_int_t)v.stations, "ceremonies",
                           (json_int_t)v.ceremonies, "lists", (json_int_t)v.lists, "unproven", (json_int_t)v.unproven, "findings",
                           (json_int_t)v.findings));
    return v.findings == 0 ? 0 : 1;
}
