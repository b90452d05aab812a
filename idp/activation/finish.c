/* finish: what every activation ends with, whatever the means of sign-in. */
#include "idp/activation/activation-internal.h"

#include <stdio.h>

#include "idp/account/account.h"
#include "idp/account/contact.h"

enum err
activation_finish(const struct idp *idp, struct pg *pg, const unsigned char link_digest[32], const char *account_id,
                  bool keep_mail, const char *lang, utime now, struct why *why)
{
    static const struct account_actor citizen = { "citizen", "" };
    char email[MAIL_ADDRESS_MAX + 1], key[96];
    struct activation_link locked;
    enum err e;

    if ((e = link_store_find(pg, link_digest, true, &locked, why)) != OK)
        return e;
    if (strcmp(locked.state, "opened") != 0 || strcmp(locked.account_id, account_id) != 0)
        return why_code(why, ERR_CONFLICT, "link.changed", "the link is %s", locked.state);
    /* The link first: the end of the creation code would take it along as superseded. */
    if ((e = link_store_used(pg, locked.token_digest, why)) != OK ||
        (e = account_activate(pg, account_id, &citizen, now, why)) != OK ||
        (e = binding_store_email_of_account(idp, pg, account_id, email, why)) != OK)
        return e;
    if (keep_mail && (e = contact_set(pg, idp->field, account_id, email, now, why)) != OK)
        return e;
    snprintf(key, sizeof(key), "activated.%s.%lld", account_id, (long long)now);
    return mail_job_add(idp, pg, key,
                        &(struct mail_out){ .template_name = "mail/activated.txt", .subject_key = "mail.activated.subject",
                                            .to = email, .lang = lang },
                        now, why);
}
