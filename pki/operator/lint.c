/*
 * lint: our lint (pki/lint) over certificates that are there: one in a file against a profile, or the newest of each profile. What a
 * request and a registration would have said is taken from the certificate itself; profile, authority and addresses are not.
 */
#include <stdio.h>

#include "base/crypto/der.h"
#include "base/crypto/x509.h"
#include "pki/authority/certificate.h"
#include "pki/encode/parts.h"
#include "pki/lint/lint.h"
#include "pki/operator/operator.h"
#include "pki/operator/print-internal.h"

#define FILE_MAX ((size_t)256 * 1024)
#define ARENA_MAX ((size_t)16 << 20)

/* The DNS names of subjectAltName; others are left to the lint. */
static size_t
dns_read(const struct x509_cert *cert, struct str out[SUBJECT_DNS_MAX])
{
    struct str rest = cert->subject_alt_name, name;
    size_t n = 0;

    while (rest.n > 0 && n < SUBJECT_DNS_MAX && der_expect(&rest, DER_CONTEXT_PRIMITIVE(2), &name) == OK)
        out[n++] = name;
    return n;
}

/* Who signed it, by its name; failing that, who should have: then the lint says so. */
static enum err
issuer_find(struct pg *pg, const struct profile *p, struct str issuer, struct arena *a, struct ca *ret, struct why *why)
{
    struct ca *list;
    size_t n;
    enum err e;

    if ((e = ca_list(pg, a, &list, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        if (str_eq(list[i].subject, issuer)) {
            *ret = list[i];
            return OK;
        }
    }
    return ca_find(pg, p->ca, 0, a, ret, why);
}

static json_t *
findings_json(const struct lint_report *report, bool is_signed)
{
    json_t *list = json_array();

    for (size_t i = 0; i < report->n && i < LINT_FINDINGS_MAX; i++)
        json_array_append_new(list, json_pack("{s:s,s:s}", "rule", report->findings[i].rule, "text", report->findings[i].text));
    if (!is_signed)
        json_array_append_new(list, json_pack("{s:s,s:s}", "rule", "cert.signature", "text", "not signed by that authority"));
    return list;
}

/* Prints what was found; *ret_bad: something was. name: what to call it. */
static enum err
certificate_lint(struct pg *pg, const struct pki *pki, const char *name, const struct profile *p, struct str der, int shard,
                 bool *ret_bad, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    AUTO(key_freep) struct key *key = NULL;
    char label[CA_LABEL_SIZE];
    struct str dns[SUBJECT_DNS_MAX];
    struct lint_certificate_context ctx = { .profile = p, .dns = dns };
    struct certificate_parts parts;
    struct lint_report report;
    struct ca_urls urls;
    struct ca ca;
    json_t *found;
    enum err e;

    if ((e = x509_read(der, &cert, why)) != OK || (e = certificate_split(der, &parts, why)) != OK ||
        (e = issuer_find(pg, p, parts.issuer, a, &ca, why)) != OK || (e = key_public(ca.spki, &key, why)) != OK)
        return e;
    ca_label(ca.name, ca.generation, label);
    ca_urls(pki->conf.base_url, &ca, shard, &urls);
    ctx.issuer = (struct lint_issuer){ ca.subject, ca.key_id, profile_sig_alg(key_algorithm(key)), ca.not_before, ca.not_after };
    ctx.urls = (struct certificate_urls){ str_of(urls.crl), str_of(urls.delta_crl), str_of(urls.ocsp), str_of(urls.ca_issuers) };
    ctx.serial = parts.serial;
    ctx.subject = parts.subject;
    ctx.spki = parts.spki;
    ctx.dns_n = dns_read(&cert, dns);
    lint_certificate(parts.tbs, &ctx, &report);
    found = findings_json(&report, key_verify(key, ctx.issuer.sig_alg, parts.tbs, parts.signature, false, NULL) == OK);
    *ret_bad = json_array_size(found) > 0;
    print_object(json_pack("{s:s,s:s,s:s,s:o}", "certificate", name, "profile", p->name, "ca", label, "findings", found));
    return OK;
}

/* DER, or the first certificate of a PEM file. */
static enum err
file_read(const char *path, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(FILE_MAX);
    const enum err e = command_read_file(path, &text, why);

    if (e != OK)
        return e;
    if (text.len > 0 && (unsigned char)text.data[0] != 0x30)
        return x509_pem_decode(buf_view(&text), out, why);
    buf_add_str(out, buf_view(&text));
    return OK;
}

/* The part of the list in which a certificate of ours stands; 0 when we do not know it. */
static enum err
shard_find(struct pg *pg, struct str der, int *ret, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    struct certificate_parts parts;
    struct certificate_row row;
    unsigned char sha[SHA256_LEN];
    enum err e;

    *ret = 0;
    if ((e = certificate_split(der, &parts, why)) != OK)
        return e;
    sha256(parts.spki, sha);
    if ((e = certificate_of_key(pg, sha, a, &row, why)) == OK && str_eq(row.der, der))
        *ret = row.shard;
    return e == ERR_NOT_FOUND ? OK : e;
}

int
operator_certificate_lint(const char *config, const char *file, const char *profile)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(buf_free) struct buf der = BUF_BOUNDED(FILE_MAX);
    const struct profile *p = NULL;
    struct why why = WHY_INIT;
    bool bad = true;
    int shard;
    enum err e;

    if ((e = operator_begin(config, PKI_NEED_PROFILES, &pki, &pg, &why)) != OK)
        return command_fail("certificate lint", e, &why);
    if ((p = profile_set_find(&pki->profiles, str_of(profile))) == NULL)
        e = why_set(&why, ERR_INPUT, "no profile %s", profile);
    if (e != OK || (e = file_read(file, &der, &why)) != OK || (e = shard_find(pg, buf_view(&der), &shard, &why)) != OK ||
        (e = certificate_lint(pg, pki, file, p, buf_view(&der), shard, &bad, &why)) != OK)
        return command_fail("certificate lint", e, &why);
    return bad ? 1 : 0;
}

/* --- the newest of each profile ------------------------------------------------------------------------------------------------- */

static enum err
newest_lint(struct pg *pg, const struct pki *pki, const struct profile *p, bool *ret_bad, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    const struct certificate_filter filter = { .profile = p->name, .ends_before = UTIME_NULL, .live = true };
    struct certificate_row *rows, row;
    size_t n;
    enum err e;

    *ret_bad = false;
    if ((e = certificate_list(pg, &filter, 1, a, &rows, &n, why)) != OK)
        return e;
    if (n == 0) {
        print_object(json_pack("{s:n,s:s}", "certificate", "profile", p->name));
        return OK;
    }
    if ((e = certificate_find(pg, str_of(rows[0].id), a, &row, why)) != OK)
        return e;
    if (memcmp(row.profile_sha256, p->sha256, SHA256_LEN) == 0)      /* lint: secret-compare: of a public file */
        return certificate_lint(pg, pki, row.id, p, row.der, row.shard, ret_bad, why);
    print_object(json_pack("{s:s,s:s,s:b}", "certificate", row.id, "profile", p->name, "profile_changed", true));
    return OK;
}

int
operator_lint(int argc, char **argv)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    const char *config = NULL, *words[1] = { NULL };
    const struct command_option options[] = { { "--config", &config, NULL } };
    struct why why = WHY_INIT;
    bool bad = false, any = false;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 1, &n) || config == NULL || n != 0)
        return command_usage("lint --config FILE");
    /* a profile that contradicts itself does not load: why names it */
    if ((e = operator_begin(config, PKI_NEED_PROFILES, &pki, &pg, &why)) != OK)
        return command_fail("lint", e, &why);
    for (size_t i = 0; i < pki->profiles.n; i++) {
        if (pki->profiles.items[i]->use == USE_CA)
            continue;                       /* of ceremonies: `verify` looks at them */
        if ((e = newest_lint(pg, pki, pki->profiles.items[i], &bad, &why)) != OK)
            return command_fail("lint", e, &why);
        any = any || bad;
    }
    return any ? 1 : 0;
}
