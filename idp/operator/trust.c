/* trust: authorities whose certificates sign citizens in, and their lists of revoked certificates (docs/certificates.md). */
#include "idp/operator/operator.h"

#include <stdio.h>
#include <stdlib.h>

#include "idp/credential/trust.h"

#define PEM_MAX (256 * 1024)
#define LIST_MAX (16 << 20)

static int
usage(void)
{
    return command_usage("trust add CA.pem --config FILE --name NAME --use software|card (--crl FILE|URL [--link-from-session] | --own)\n"
                         "       beffroi-idp trust crl NAME FILE|URL --config FILE\n"
                         "       beffroi-idp trust list|remove NAME --config FILE\n"
                         "CA.pem: the authority at which paths end; further certificates in it help to find the way.\n"
                         "--use: how the keys of its certificates are kept, and so what services are told.\n"
                         "--crl: where its list of revoked certificates comes from; the worker fetches it again.\n"
                         "--own: our own authority, whose certificates' state is in our own table.\n"
                         "--link-from-session: citizens may add its certificates to their accounts themselves, on their page.");
}

/* "revoked.crl" to "file:///where/it/is/revoked.crl"; addresses stay. */
static enum err
source_read(const char *given, struct buf *out, struct why *why)
{
    AUTO(mem_freep) char *whole = NULL;

    if (strstr(given, "://") != NULL) {
        buf_adds(out, given);
        return OK;
    }
    if ((whole = realpath(given, NULL)) == NULL)
        return why_set(why, ERR_NOT_FOUND, "%s: %m", given);
    buf_addf(out, "file://%s", whole);
    return buf_ok(out) ? OK : why_set(why, ERR_INPUT, "%s: too long a path", given);
}

struct trust_options {
    const char *config, *name, *use, *crl;
    bool own, link;
};

static int
trust_add_command(const struct trust_options *o, const char *file)
{
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(PEM_MAX);
    AUTO(buf_free) struct buf source = BUF_BOUNDED(2048);
    AUTO(idp_freep) struct idp *idp = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct trust_new in = { .name = o->name, .own = o->own, .link_from_session = o->link };
    struct trust_fetch fetch;
    struct why why = WHY_INIT;
    enum err e;

    if (trust_use_read(o->use, &in.use) != OK)
        return usage();
    if ((e = idp_load(o->config, 0, &idp, &why)) != OK || (e = command_read_file(file, &pem, &why)) != OK ||
        (o->crl != NULL && (e = source_read(o->crl, &source, &why)) != OK) || (e = operator_database(idp, &pg, &why)) != OK)
        return command_fail("trust add", e, &why);
    in.pem = buf_view(&pem);
    in.crl = o->crl != NULL ? buf_cstr(&source) : NULL;
    fetch = operator_trust_fetch(idp);
    if ((e = trust_add(pg, &in, &fetch, command_actor(), clock_now(), &why)) != OK)
        return command_fail("trust add", e, &why);
    printf("trust %s: in force\n", o->name);
    return 0;
}

static int
trust_crl_command(const char *config, const char *name, const char *crl)
{
    AUTO(buf_free) struct buf source = BUF_BOUNDED(2048);
    AUTO(idp_freep) struct idp *idp = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct trust_fetch fetch;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = idp_load(config, 0, &idp, &why)) != OK || (e = source_read(crl, &source, &why)) != OK ||
        (e = operator_database(idp, &pg, &why)) != OK)
        return command_fail("trust crl", e, &why);
    fetch = operator_trust_fetch(idp);
    if ((e = trust_add_crl(pg, name, buf_cstr(&source), &fetch, command_actor(), clock_now(), &why)) != OK)
        return command_fail("trust crl", e, &why);
    printf("trust %s: list in force\n", name);
    return 0;
}

static const char *
time_text(utime t, char out[UTIME_RFC3339_LEN + 1])
{
    if (t == UTIME_NULL)
        return "-";
    utime_rfc3339(t, out);
    return out;
}

/* One line per list: name, use, "own" or "link" (from a session), end, source, number, next update, what is wrong. */
static void
row_print(const struct trust_row *r, utime now)
{
    char end[UTIME_RFC3339_LEN + 1], next[UTIME_RFC3339_LEN + 1];
    bool list = r->source[0] != '\0';
    bool bad;
    const char *wrong = trust_row_wrong(r, now, &bad);

    printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r->name, trust_use_name(r->use), r->own ? "own" : r->link_from_session ? "link" : "-", r->subject,
           time_text(r->not_after, end), list ? r->source : "-", list ? r->number : "-", time_text(r->next_update, next),
           wrong != NULL ? wrong : "ok");
}

static int
trust_list_command(const char *config)
{
    AUTO(arena_freep) struct arena *a = arena_new(LIST_MAX);
    AUTO(idp_freep) struct idp *idp = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct trust_row *rows;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if ((e = idp_load(config, 0, &idp, &why)) != OK || (e = operator_database(idp, &pg, &why)) != OK ||
        (e = trust_list(pg, a, &rows, &n, &why)) != OK)
        return command_fail("trust list", e, &why);
    for (size_t i = 0; i < n; i++)
        row_print(&rows[i], clock_now());
    return 0;
}

static int
trust_remove_command(const char *config, const char *name)
{
    AUTO(idp_freep) struct idp *idp = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = idp_load(config, 0, &idp, &why)) != OK || (e = operator_database(idp, &pg, &why)) != OK ||
        (e = trust_remove(pg, name, command_actor(), clock_now(), &why)) != OK)
        return command_fail("trust remove", e, &why);
    printf("trust %s: removed\n", name);
    return 0;
}

int
operator_trust(int argc, char **argv)
{
    struct trust_options o = { .config = NULL };
    const char *words[3] = { NULL, NULL, NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL }, { "--name", &o.name, NULL }, { "--use", &o.use, NULL },
        { "--crl", &o.crl, NULL },       { "--own", NULL, &o.own },
        { "--link-from-session", NULL, &o.link },
    };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 3, &n) || o.config == NULL)
        return usage();
    if (command_word_is(words, n, 0, "add") && n == 2 && o.name != NULL && o.use != NULL && (o.crl != NULL || o.own))
        return trust_add_command(&o, words[1]);
    if (command_word_is(words, n, 0, "crl") && n == 3)
        return trust_crl_command(o.config, words[1], words[2]);
    if (command_word_is(words, n, 0, "list") && n == 1)
        return trust_list_command(o.config);
    if (command_word_is(words, n, 0, "remove") && n == 2)
        return trust_remove_command(o.config, words[1]);
    return usage();
}
