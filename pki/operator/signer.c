/* signer: the process that signs, and what custodians and operators say to it. */
#include "pki/signer/signer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/program/process.h"
#include "pki/authority/ca.h"
#include "pki/operator/operator.h"
#include "pki/client/client.h"

#define PATIENCE (30 * USEC_PER_SEC)

int
operator_signer(int argc, char **argv)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    struct pg_config pg, worker;
    struct process process;
    struct why why = WHY_INIT;
    enum err e;
    int status;

    if ((status = process_begin(argc, argv, "signer", "signer", false, &process)) != 0)
        return status;
    if ((e = pki_load(process.config, PKI_NEED_SIGNER, &pki, &why)) != OK)
        return command_fail(process.config, e, &why);
    if (pki->conf.database_worker[0] == '\0') {
        e = why_set(&why, ERR_INPUT, "database.worker is not set: the timers work as pki_worker");
        return command_fail(process.config, e, &why);
    }
    pg = command_pg_config(process.database != NULL ? process.database : pki->conf.database, signer_stmts);
    worker = command_pg_config(pki->conf.database_worker, signer_worker_stmts);
    e = signer_run(pki, &process, &pg, &worker, &why);
    return e == OK ? 0 : command_fail("signer", e, &why);
}

/* --- custodians ------------------------------------------------------------------------------------------------------------ */

static int
share_give(const char *config, const char *share_file, const char *answers)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(signer_client_freep) struct signer_client *c = NULL;
    AUTO(share_done) struct share share = SHARE_INIT;
    AUTO(secret_done) struct secret phrase = SECRET_INIT;
    AUTO(buf_free) struct buf text = BUF_BOUNDED(16384);
    struct share_info info;
    struct why why = WHY_INIT;
    char prompt[160];
    int missing;
    enum err e;

    if ((e = pki_load(config, 0, &pki, &why)) != OK || (e = command_read_file(share_file, &text, &why)) != OK ||
        (e = share_read(buf_view(&text), &info, NULL, &why)) != OK)
        return command_fail("unlock", e, &why);
    snprintf(prompt, sizeof(prompt), "Pass phrase of %s for share %d", info.person, info.number);
    if ((e = operator_phrase(answers, prompt, false, &phrase, &why)) != OK ||
        (e = share_open(buf_view(&text), (struct str){ (const char *)phrase.data, phrase.len }, &share, &why)) != OK)
        return command_fail("unlock", e, &why);
    c = signer_client_new(pki->conf.signer_socket, PATIENCE);
    if ((e = signer_share(c, &share, &missing, &why)) != OK)
        return command_fail("unlock", e, &why);
    if (missing == 0)
        printf("open\n");
    else
        printf("%d of %d more\n", missing, info.threshold);
    return 0;
}

int
operator_unlock(int argc, char **argv)
{
    const char *config = NULL, *share = NULL, *answers = NULL;
    const struct command_option options[] = { { "--config", &config, NULL }, { "--share", &share, NULL },
                                              { "--answers", &answers, NULL } };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &n) || config == NULL || share == NULL)
        return command_usage("unlock --config FILE --share FILE [--answers FILE]");
    return share_give(config, share, answers);
}

int
operator_lock(int argc, char **argv)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(signer_client_freep) struct signer_client *c = NULL;
    const char *config = NULL;
    const struct command_option options[] = { { "--config", &config, NULL } };
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &n) || config == NULL)
        return command_usage("lock --config FILE");
    if ((e = pki_load(config, 0, &pki, &why)) != OK)
        return command_fail(config, e, &why);
    c = signer_client_new(pki->conf.signer_socket, PATIENCE);
    if ((e = signer_lock(c, &why)) != OK)
        return command_fail("lock", e, &why);
    printf("locked\n");
    return 0;
}

/* "set SET STATE MISSING THRESHOLD TOTAL" and "ca LABEL STATE SET open|locked|away", as JSON; nothing in them needs escaping. */
static void
status_line(struct str line)
{
    struct str w[6] = { STR_NULL }, rest = line;
    size_t n = 0;

    while (n < ARRAY_LEN(w) && rest.p != NULL)
        w[n++] = str_split(rest, ' ', &rest);
    if (n == 6 && str_eqs(w[0], "set"))
        printf("{\"set\":\"%.*s\",\"state\":\"%.*s\",\"missing\":%.*s,\"threshold\":%.*s,\"total\":%.*s}\n", (int)w[1].n, w[1].p,
               (int)w[2].n, w[2].p, (int)w[3].n, w[3].p, (int)w[4].n, w[4].p, (int)w[5].n, w[5].p);
    else if (n == 5 && str_eqs(w[0], "ca"))
        printf("{\"ca\":\"%.*s\",\"state\":\"%.*s\",\"set\":\"%.*s\",\"key\":\"%.*s\"}\n", (int)w[1].n, w[1].p, (int)w[2].n,
               w[2].p, (int)w[3].n, w[3].p, (int)w[4].n, w[4].p);
}

int
operator_signer_status(int argc, char **argv)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(signer_client_freep) struct signer_client *c = NULL;
    AUTO(buf_free) struct buf lines = BUF_BOUNDED(64 * 1024);
    const char *config = NULL;
    const struct command_option options[] = { { "--config", &config, NULL } };
    struct str rest, line;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &n) || config == NULL)
        return command_usage("signer-status --config FILE");
    if ((e = pki_load(config, 0, &pki, &why)) != OK)
        return command_fail(config, e, &why);
    c = signer_client_new(pki->conf.signer_socket, PATIENCE);
    if ((e = signer_status(c, &lines, &why)) != OK)
        return command_fail("signer-status", e, &why);
    for (rest = buf_view(&lines); rest.n > 0;) {
        line = str_split(rest, '\n', &rest);
        status_line(line);
    }
    return 0;
}
