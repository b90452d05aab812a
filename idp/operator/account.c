/* account: what an operator does for one account that its town hall cannot: certificates of other authorities. */
#include "idp/operator/operator.h"

#include <stdio.h>

#include "idp/credential/certificate.h"

#define PEM_MAX (256 * 1024)

static int
usage(void)
{
    return command_usage("account link-certificate HANDLE CERT.pem --config FILE [--town NAME]\n"
                         "       beffroi-idp account unlink-certificate HANDLE ID --config FILE [--town NAME]\n"
                         "       beffroi-idp account certificates HANDLE --config FILE [--town NAME]\n"
                         "The certificate must be good now for one of the authorities of `beffroi-idp trust list`.");
}

struct site {
    struct idp *idp;
    struct pg *pg;
    struct account account;
};

static void
site_done(struct site *s)
{
    pg_close(s->pg);
    idp_free(s->idp);
}

static enum err
site_open(const char *config, const char *town, const char *handle, struct site *ret, struct why *why)
{
    enum err e;

    if ((e = idp_load(config, 0, &ret->idp, why)) != OK || (e = operator_database(ret->idp, &ret->pg, why)) != OK)
        return e;
    return account_by_town_name(ret->pg, town, handle, &ret->account, why);
}

static struct account_actor
operator_actor(void)
{
    return (struct account_actor){ .actor = command_actor(), .role = "systeme" };
}

static int
certificate_link_command(const char *config, const char *town, const char *handle, const char *file)
{
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(PEM_MAX);
    AUTO(site_done) struct site s = { .idp = NULL };
    const struct account_actor who = operator_actor();
    struct trust *trust = NULL;
    struct pg_config conf;
    struct why why = WHY_INIT;
    char id[37];
    enum err e;

    if ((e = command_read_file(file, &pem, &why)) != OK || (e = site_open(config, town, handle, &s, &why)) != OK)
        return command_fail("account link-certificate", e, &why);
    conf = command_pg_config(command_conninfo(s.idp->conf.database, s.idp->conf.database_owner), idp_all_stmts);
    if ((e = trust_open(&conf, s.idp->conf.crl_grace, &trust, &why)) == OK)
        e = credential_link(trust, s.pg, s.account.id, buf_view(&pem), &who, clock_now(), id, &why);
    trust_close(trust);
    if (e != OK)
        return command_fail("account link-certificate", e, &why);
    printf("certificate %s: linked\n", id);
    return 0;
}

static int
certificate_unlink_command(const char *config, const char *town, const char *handle, const char *id)
{
    AUTO(site_done) struct site s = { .idp = NULL };
    const struct account_actor who = operator_actor();
    struct why why = WHY_INIT;
    enum err e;

    if ((e = site_open(config, town, handle, &s, &why)) != OK ||
        (e = credential_unlink(s.pg, s.account.id, id, &who, clock_now(), &why)) != OK)
        return command_fail("account unlink-certificate", e, &why);
    printf("certificate %s: ended\n", id);
    return 0;
}

static int
certificates_command(const char *config, const char *town, const char *handle)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    AUTO(site_done) struct site s = { .idp = NULL };
    struct credential_row *rows;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if ((e = site_open(config, town, handle, &s, &why)) != OK ||
        (e = credential_list(s.pg, s.account.id, a, &rows, &n, &why)) != OK)
        return command_fail("account certificates", e, &why);
    for (size_t i = 0; i < n; i++) {
        char linked[UTIME_RFC3339_LEN + 1], end[UTIME_RFC3339_LEN + 1];

        utime_rfc3339(rows[i].linked_at, linked);
        utime_rfc3339(rows[i].not_after, end);
        printf("%s\t%s\t%s\t%s\t%s\t%s\n", rows[i].id, rows[i].state, rows[i].serial, rows[i].issuer, linked, end);
    }
    return 0;
}

int
operator_account(int argc, char **argv)
{
    const char *config = NULL, *town = NULL, *words[3] = { NULL, NULL, NULL };
    const struct command_option options[] = { { "--config", &config, NULL }, { "--town", &town, NULL } };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 3, &n) || config == NULL || n < 2)
        return usage();
    if (command_word_is(words, n, 0, "link-certificate") && n == 3)
        return certificate_link_command(config, town, words[1], words[2]);
    if (command_word_is(words, n, 0, "unlink-certificate") && n == 3)
        return certificate_unlink_command(config, town, words[1], words[2]);
    if (command_word_is(words, n, 0, "certificates") && n == 2)
        return certificates_command(config, town, words[1]);
    return usage();
}
