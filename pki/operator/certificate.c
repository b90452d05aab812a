/* certificate: what the authority knows of certificates, shown. */
#include "pki/authority/certificate.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "pki/operator/operator.h"

#define LIST_MAX 1000

static void
time_add(json_t *object, const char *name, utime t)
{
    char text[UTIME_RFC3339_LEN + 1];

    if (t == UTIME_NULL)
        return;
    utime_rfc3339(t, text);
    json_object_set_new(object, name, json_string(text));
}

static void
row_print(const struct certificate_row *r)
{
    AUTO(buf_free) struct buf serial = BUF_BOUNDED(64);
    json_t *o;
    char *text;

    hex_encode(&serial, r->serial.p, r->serial.n);
    o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "id", r->id, "ca", r->ca_label, "serial", buf_cstr(&serial), "profile",
                  r->profile, "holder", r->holder, "state", r->state, "request", r->request);
    if (r->reason >= 0)
        json_object_set_new(o, "reason", json_integer(r->reason));
    time_add(o, "not_before", r->not_before);
    time_add(o, "not_after", r->not_after);
    time_add(o, "state_since", r->state_since);
    time_add(o, "accepted_at", r->accepted_at);
    text = json_dumps(o, JSON_COMPACT);
    printf("%s\n", text != NULL ? text : "{}");
    free(text);
    json_decref(o);
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
list(const char *config, const char *holder, const char *state)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(16 << 20);
    struct certificate_row *rows;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if ((e = operator_begin(config, 0, &pki, &pg, &why)) != OK ||
        (e = certificate_list(pg, holder, state, LIST_MAX, a, &rows, &n, &why)) != OK)
        return command_fail("certificate list", e, &why);
    for (size_t i = 0; i < n; i++)
        row_print(&rows[i]);
    return 0;
}

int
operator_certificate(int argc, char **argv)
{
    static const char line[] = "certificate show ID|CA:SERIAL --config FILE [--out FILE]\n"
                               "       beffroi-pki certificate list --config FILE [--holder NAME] [--state STATE]";
    const char *config = NULL, *out = NULL, *holder = NULL, *state = NULL, *words[2] = { NULL, NULL };
    const struct command_option options[] = {
        { "--config", &config, NULL }, { "--out", &out, NULL }, { "--holder", &holder, NULL }, { "--state", &state, NULL },
    };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 2, &n) || config == NULL)
        return command_usage(line);
    if (command_word_is(words, n, 0, "show") && n == 2)
        return show(config, words[1], out);
    if (command_word_is(words, n, 0, "list") && n == 1)
        return list(config, holder, state);
    return command_usage(line);
}
