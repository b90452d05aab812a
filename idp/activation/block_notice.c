/*
 * block_notice: tells the citizen that the account was blocked (P-056, P-202, D-08), from the job that every block
 * inserts. To the address kept, if one is; in the citizen's language; keyed by account and instant, so that a job run
 * twice is one mail. Who closed an account for a death writes to nobody.
 */
#include "idp/activation/activation-internal.h"

#include "base/core/log.h"
#include "idp/account/account.h"

enum err
activation_block_notice_job(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    AUTO(arena_freep) struct arena *arena = arena_new(256 * 1024);
    struct idp *idp = arg;
    struct mail_out m = { .template_name = "mail/blocked.txt", .subject_key = "mail.blocked.subject" };
    struct account account;
    struct account_blocked block;
    enum err e;

    e = account_block_notice(pg, idp->pepper, job->payload, &account, &block, why);
    if (e == OK)
        e = mail_to_holder(idp, pg, &account, arena, &m, why);
    if (e == ERR_NOT_FOUND)
        return OK;
    if (e != OK)
        return e;
    m.receipt = block.receipt;
    m.at = block.at;
    m.final = account.final;
    return mail_job_add(idp, pg, arena_printf(arena, "blocked:%s:%lld", block.account_id, (long long)block.at), &m,
                        clock_now(), why);
}
