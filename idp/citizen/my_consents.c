/* /ma-page/accords: withdraws what was agreed to for one service (idp/services/consent.h). */
#include "idp/citizen/citizen-internal.h"

#include "base/core/log.h"

void
post_my_consents(struct http_request *req)
{
    const struct session *s = http_session(req);
    const char *service = http_form(req, "service");
    struct why why = WHY_INIT;
    int64_t id;
    enum err e = OK;

    /* What is no service of ours was not agreed to either. */
    if (service != NULL && str_to_i64(str_of(service), 1, INT32_MAX, &id) == OK)
        e = consent_withdraw(http_pg(req), s->account_id, (int32_t)id, http_now(req), &why);
    if (e != OK) {
        LOG_ERROR_EV("citizen.consents", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return;
    }
    http_reply_redirect(req, arena_printf(http_arena(req), "%s/?fait=accords", http_base_url(req)));
}
