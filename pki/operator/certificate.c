/* certificate: what the authority knows of certificates, shown. */
#include "pki/authority/certificate.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "pki/operator/operator.h"
#include "pki/operator/print-internal.h"

#define LIST_MAX 1000

static void
row_print(const struct certificate_row *r)
{
    AUTO(buf_free) struct buf serial = BUF_BOUNDED(64);
    json_t *o;

    hex_encode(&serial, r->serial.p, r->serial.n);
    o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "id", r->id, "ca", r->ca_label, "serial", buf_cstr(&serial), "profile",
                  r->profile, "holder", r->holder, "state", r->state, "request", r->request);
    if (r->town[0] != '\0')
        json_object_set_new(o, "town", json_string(r->town));
    if (r->reason >= 0)
        json_object_set_new(o, "reason", json_integer(r->reason));
    print_time(o, "not_before", r->not_before);
    print_time(o, "not_after", r->not_after);
    print_time(o, "state_since", r->state_since);
    print_time(o, "accepted_at", r->accepted_at);
    print_object(o);
}

static int
show(const char *config, const char *name, const char *out)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(128 * 1024);
    struct certificate_row row;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = operator_begin(config, 0, &pki, &pg, &why)) != OK ||
        (e = certificate_find(pg, str_of(name), a, &row, &why)) != OK)
        return command_fail("certificate show", e, &why);
    row_print(&row);
    if (out == NULL)
        return 0;
    if (row.der.p == NULL) {
        e = why_set(&why, ERR_NOT_FOUND, "it was not signed");
        return command_fail("certificate show", e, &why);
    }
    operator_pem("CERTIFICATE", row.der, &pem);
    return (e = operator_write(out, 0644, buf_view(&pem), &why)) == OK ? 0 : command_fail("certificate show", e, &why);
}

static int
list(const char *config, const struct certificate_filter *filter)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(16 << 20);
    struct certificate_row *rows;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if ((e = operator_begin(config, 0, &pki, &pg, &why)) != OK ||
        (e = certificate_list(pg, filter, LIST_MAX, a, &rows, &n, &why)) != OK)
        return command_fail("certificate list", e, &why);
    for (size_t i = 0; i < n; i++)
        row_print(&rows[i]);
    return 0;
}

struct certificate_options {
    const char *config, *out, *key, *answers, *proof, *ends_before;
    struct certificate_filter filter;
};

/* The holder has accepted it, before one who hands over or registers (P-121). */
static enum err
accept_do(struct pg *pg, const struct certificate_options *o, const char *name, struct arena *a, struct signatory *who, bool *ret_new,
          struct why *why)
{
    const role_set roles = ROLE_BIT(ROLE_REGISTRATION) | ROLE_BIT(ROLE_VALIDATION) | ROLE_BIT(ROLE_SERVICE_DESK);
    const utime now = operator_second();
    struct certificate_row row;
    enum err e;

    if ((e = certificate_find(pg, str_of(name), a, &row, why)) != OK)
        return e;
    if ((e = signatory_come(pg, o->key, o->answers, now, who, why)) == OK)
        e = signatory_may(who, roles, why);
    if ((e = operator_denied(pg, who, "certificate.accept", arena_printf(a, "certificate:%s", row.id), now, e, why)) != OK)
        return e;
    return certificate_accept(pg, row.id, o->proof != NULL ? o->proof : "", command_actor(), now, ret_new, why);
}

static int
accept_say(const struct certificate_options *o, const char *name)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    AUTO(signatory_done) struct signatory who = { .key = NULL };
    struct why why = WHY_INIT;
    bool fresh = false;
    enum err e;

    if ((e = operator_begin(o->config, 0, &pki, &pg, &why)) != OK || (e = accept_do(pg, o, name, a, &who, &fresh, &why)) != OK)
        return command_fail("certificate accept", e, &why);
    printf("%s\n", fresh ? "accepted" : "accepted before");
    return 0;
}

int
operator_certificate(int argc, char **argv)
{
    static const char line[] =
        "certificate show ID|CA:SERIAL --config FILE [--out FILE]\n"
        "       beffroi-pki certificate list --config FILE [--holder NAME] [--town NAME] [--state STATE] [--profile NAME]\n"
        "           [--ca LABEL] [--ends-before TIME]\n"
        "       beffroi-pki certificate accept ID|CA:SERIAL --config FILE --key FILE [--answers FILE] [--proof TEXT]\n"
        "       beffroi-pki certificate lint FILE --config FILE --profile NAME\n"
        "       beffroi-pki certificate export ID|CA:SERIAL --config FILE --key FILE [--answers FILE] --out FILE\n"
        "       beffroi-pki certificate verify-export FILE [--config FILE]";
    struct certificate_options o = { .config = NULL, .filter = CERTIFICATE_FILTER_ALL };
    const char *words[2] = { NULL, NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL },         { "--out", &o.out, NULL },
        { "--holder", &o.filter.holder, NULL },  { "--town", &o.filter.town, NULL },
        { "--state", &o.filter.state, NULL },    { "--profile", &o.filter.profile, NULL },
        { "--ca", &o.filter.ca, NULL },          { "--ends-before", &o.ends_before, NULL },
        { "--key", &o.key, NULL },               { "--answers", &o.answers, NULL },
        { "--proof", &o.proof, NULL },
    };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 2, &n) ||
        (o.ends_before != NULL && utime_parse(o.ends_before, &o.filter.ends_before) != OK))
        return command_usage(line);
    if (command_word_is(words, n, 0, "verify-export") && n == 2)
        return operator_certificate_verify_export(o.config, words[1]);
    if (o.config == NULL)
        return command_usage(line);
    if (command_word_is(words, n, 0, "export") && n == 2 && o.key != NULL && o.out != NULL)
        return operator_certificate_export(&(struct export_options){ o.config, words[1], o.key, o.answers, o.out });
    if (command_word_is(words, n, 0, "show") && n == 2)
        return show(o.config, words[1], o.out);
    if (command_word_is(words, n, 0, "list") && n == 1)
        return list(o.config, &o.filter);
    if (command_word_is(words, n, 0, "accept") && n == 2 && o.key != NULL)
        return accept_say(&o, words[1]);
    if (command_word_is(words, n, 0, "lint") && n == 2 && o.filter.profile != NULL)
        return operator_certificate_lint(o.config, words[1], o.filter.profile);
    return command_usage(line);
}
