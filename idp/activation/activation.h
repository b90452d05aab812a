/*
 * activation: mail in → link and code → means of sign-in (P-040…P-045, DOMAIN 2.4, 6.4).
 *
 * The citizen sends the creation code in a subject; the first address that does is bound to it. We answer that address
 * with a link (128 bits) and a new code; the link shows a form and GET changes nothing; the posted code opens the
 * second form, where user name and password are chosen and the account becomes active.
 */
#ifndef IDP_ACTIVATION_ACTIVATION_H
#define IDP_ACTIVATION_ACTIVATION_H

#include "base/mail/lmtp.h"
#include "base/pg/job.h"
#include "idp/idp.h"

extern const struct pg_stmts activation_stmts;
extern const struct http_routes activation_routes;

/* One message as the MTA delivered it. OK: dealt with (answered or not); ERR_UNAVAILABLE: the MTA keeps it. */
MUST_USE enum err activation_mail_receive(struct idp *idp, struct pg *pg, const struct lmtp_delivery *d, utime now,
                                          struct why *why);

/* The end of an activation, in the caller's transaction and with the account locked: the link is used, the account active, the
 * address kept if its holder said so, and told. ERR_CONFLICT: the link or the account is not where it was. */
MUST_USE enum err activation_finish(const struct idp *idp, struct pg *pg, const unsigned char link_digest[32],
                                    const char *account_id, bool keep_mail, const char *lang, utime now, struct why *why);
/* The link and stage of the path, which prove that the code of the mail was typed; replies and returns false when they do not,
 * or not any more. */
bool activation_stage_load(struct http_request *req, char ret_account[37], unsigned char ret_link_digest[32]);

/* Job kind "mail.out": payload sealed by mail_job_add(); sends one mail. arg: struct idp *. */
#define MAIL_OUT_JOB "mail.out"
MUST_USE enum err mail_out_job(struct pg *pg, const struct job *job, void *arg, struct why *why);

/* What a mail says; NULL members are left out. */
struct mail_out {
    const char *template_name;      /* "mail/activation.txt"; its subject is the message "mail.activation.subject" */
    const char *subject_key;
    const char *to, *lang;
    const char *link, *code;
    const char *town;               /* label in the mail's language */
    const char *phone;
    const char *message_key;        /* a sentence of the catalogue, as {{message}} */
    const char *receipt;            /* proof number of a block */
    utime at;                       /* when what it tells of happened; 0: when the mail was asked for */
    bool sheet_needed, final;
};
/* In the caller's transaction; the same key twice is one mail. */
MUST_USE enum err mail_job_add(const struct idp *idp, struct pg *pg, const char *key, const struct mail_out *m,
                               utime now, struct why *why);
/* Who a notice to the account's holder goes to, in which language, and which town it names; all in a. ERR_NOT_FOUND: no address is
 * kept. */
MUST_USE enum err mail_to_holder(const struct idp *idp, struct pg *pg, const struct account *account, struct arena *a,
                                 struct mail_out *m, struct why *why);

/* Job kind ACCOUNT_BLOCKED_JOB (idp/account): a mail to the address kept, if one is. arg: struct idp *. */
MUST_USE enum err activation_block_notice_job(struct pg *pg, const struct job *job, void *arg, struct why *why);
/* Job kind FACTOR_CHANGED_JOB (idp/credential): the same, of a second factor that was added or removed. */
MUST_USE enum err activation_factor_notice_job(struct pg *pg, const struct job *job, void *arg, struct why *why);

#endif
