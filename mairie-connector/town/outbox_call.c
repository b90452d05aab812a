/* outbox_call: the call, and the refusal. */
#include "mairie-connector/town/outbox_call.h"

#include "base/core/log.h"
#include "mairie-connector/wire/wire.h"

enum err
outbox_call(struct sending *s, const char *method, const char *path, bool keyed, struct str body, struct reply *ret,
            struct why *why)
{
    struct http_answer answer = { .body = BUF_SECRET(512 * 1024) };
    const char *headers[5];
    const char *detail;
    size_t n = 0;
    enum err e;

    headers[n++] = "Accept: application/json";
    if (s->row.agent_id[0] != '\0')
        headers[n++] = arena_printf(s->arena, "Beffroi-Clerk: %s", s->row.agent_id);
    if (keyed)
        headers[n++] = arena_printf(s->arena, "Idempotency-Key: %s", s->row.key);
    if (body.n > 0)
        headers[n++] = "Content-Type: application/json";
    headers[n] = NULL;
    e = http_call(s->m->door, method, arena_printf(s->arena, "%s%s", s->m->conf.idp_url, path), headers, body, &answer,
                  why);
    if (e == OK) {
        ret->status = answer.status;
        ret->body = (struct str){ arena_dup(s->arena, answer.body.data, answer.body.len), answer.body.len };
        ret->code = "";
        if (answer.status >= 400)
            wire_read_problem(ret->body, s->arena, &ret->code, &detail);
    }
    http_answer_done(&answer);
    if (e != OK)
        return why_code(why, ERR_UNAVAILABLE, "door.away", "the town door does not answer");
    if (strcmp(ret->code, "secret.rate") == 0)        /* too many wrong codes today: the clerk's to know, not ours to repeat */
        return OK;
    if (ret->status >= 500 || ret->status == 429 || ret->status == 408)
        return why_code(why, ERR_UNAVAILABLE, "door.later", "the town door answers %d", ret->status);
    /* What the door says about the town is no answer about the account: the operator will open it again. */
    if (ret->status == 403 && strncmp(ret->code, "town.", 5) == 0)
        return why_code(why, ERR_UNAVAILABLE, "door.closed", "the town door answers %d %s", ret->status, ret->code);
    return OK;
}

const char *
outbox_account_path(struct sending *s, const char *what)
{
    return arena_printf(s->arena, "/v1/accounts/%s%s", s->row.handle, what);
}

enum err
outbox_refused(struct sending *s, const struct reply *r, struct why *why)
{
    const char *reason = arena_printf(s->arena, "%d %.60s", r->status, r->code);
    enum err e;

    LOG_ERROR_EV("outbox.refused", LF_INT("status", r->status), LF_STR("code", r->code), LF_STR("handle", s->row.handle));
    if ((e = outbox_set_dead(s->pg, &s->row, reason, s->now, why)) != OK)
        return e;
    return counter_audit(s->pg, s->row.agent_id, "guichet", "dossier.refused", s->row.handle,
                         r->code[0] != '\0' ? r->code : "refused", s->now, why);
}
