/*
 * factor_notice: tells the citizen that a second factor, or a certificate that signs them in, was added or removed (D-08), from the
 * job that every change inserts (idp/credential/factor.h). To the address kept, if one is; a job run twice is one mail.
 */
#include "idp/activation/activation-internal.h"

#include "base/core/log.h"
#include "idp/account/account.h"
#include "idp/credential/factor.h"

static const char *
message_of(enum factor_change c)
{
    switch (c) {
    case FACTOR_TOTP_ADDED:
        return "mail.factor.totp_added";
    case FACTOR_TOTP_REMOVED:
        return "mail.factor.totp_removed";
    case FACTOR_PASSKEY_ADDED:
        return "mail.factor.passkey_added";
    case FACTOR_PASSKEY_REMOVED:
        return "mail.factor.passkey_removed";
    case FACTOR_CODES_RENEWED:
        return "mail.factor.codes_renewed";
    case FACTOR_PASSKEY_COPIED:
        return "mail.factor.passkey_copied";
    case FACTOR_CERTIFICATE_ADDED:
        return "mail.factor.certificate_added";
    case FACTOR_CERTIFICATE_REMOVED:
        return "mail.factor.certificate_removed";
    case FACTOR_CHANGES:
        break;
    }
    return NULL;
}

enum err
activation_factor_notice_job(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    AUTO(arena_freep) struct arena *arena = arena_new(256 * 1024);
    struct idp *idp = arg;
    struct mail_out m = { .template_name = "mail/factor.txt", .subject_key = "mail.factor.subject" };
    const char *payload = arena_str(arena, job->payload);
    enum factor_change change;
    struct account account;
    char id[37];
    enum err e;

    if ((e = factor_change_read(payload, id, &m.at, &change, why)) != OK)
        return e;
    if ((e = account_by_id(pg, id, &account, why)) == OK)
        e = mail_to_holder(idp, pg, &account, arena, &m, why);
    if (e == ERR_NOT_FOUND)
        return OK;
    if (e != OK)
        return e;
    m.message_key = message_of(change);
    return mail_job_add(idp, pg, arena_printf(arena, "factor:%s", job->key), &m, clock_now(), why);
}
