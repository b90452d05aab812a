/* /ma-page/sessions: ends every session of the account but this one; the services they had answered are told. */
#include "idp/citizen/citizen-internal.h"

#include <stdio.h>

#include "base/core/log.h"
#include "base/pg/audit.h"

struct others {
    const struct session *keep;
    struct arena *arena;
    utime now;
};

static enum err
others_body(struct pg *pg, void *arg, struct why *why)
{
    const struct others *o = arg;
    char object[64], detail[64];
    int64_t ended;
    enum err e;

    if ((e = session_end_others(pg, o->keep, "citizen", o->now, o->arena, &ended, why)) != OK || ended == 0)
        return e;
    snprintf(object, sizeof(object), "account:%s", o->keep->account_id);
    snprintf(detail, sizeof(detail), "{\"ended\":%lld}", (long long)ended);
    return audit_add(pg, &(struct audit_entry){ .at = o->now, .actor = "citizen", .role = "session",
                                                .verb = "session.end_others", .object = object, .result = "ok",
                                                .detail = detail }, why);
}

bool
session_was_ended(struct http_request *req, const struct why *why)
{
    if (strcmp(why->code, "session.ended") != 0)
        return false;
    LOG_INFO_EV("citizen.session", LF_WHY(why));
    http_reply_redirect(req, arena_printf(http_arena(req), "%s/", http_base_url(req)));
    return true;
}

void
post_my_sessions(struct http_request *req)
{
    struct others o = { http_session(req), http_arena(req), http_now(req) };
    struct why why = WHY_INIT;
    enum err e;

    if ((e = pg_tx(http_pg(req), others_body, &o, &why)) != OK) {
        if (session_was_ended(req, &why))
            return;
        LOG_ERROR_EV("citizen.sessions", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return;
    }
    http_reply_redirect(req, arena_printf(http_arena(req), "%s/?fait=sessions", http_base_url(req)));
}
