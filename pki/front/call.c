/* call: what every endpoint of the front does first and last: who calls, how fast, and how a refusal is answered. */
#include "pki/front/front-internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/pg/audit.h"

/* --- refusals ------------------------------------------------------------------------------------------------------------ */

static void
audit_refusal(struct call *c, const struct why *why, const char *verb, const char *object)
{
    struct why w = WHY_INIT;
    enum err e;

    if (!lanes_may_audit(c->front->lanes, c->station.id))
        return;
    e = audit_add(http_pg(c->req), &(struct audit_entry){
            .at = http_now(c->req), .actor = c->actor, .role = "station", .verb = verb, .object = object,
            .result = why->code[0] != '\0' ? why->code : "refused", .detail = "{}" }, &w);
    if (e != OK)
        LOG_ERROR_EV("front.audit", LF_ERR(e), LF_WHY(&w));
}

/* The words for the peer. What is ours to know stays in the log. */
static const char *
detail_of(enum err e, const struct why *why)
{
    switch (e) {
    case OK:
        break;
    case ERR_INPUT:
    case ERR_DENIED:
    case ERR_CONFLICT:
        return why->text;
    case ERR_NOT_FOUND:
        return "Nothing of that name is here for this station.";
    case ERR_UNAVAILABLE:
        return "Try again later.";
    case ERR_INTERNAL:
        return "Our fault; the reference helps us find it.";
    }
    return "";
}

static void
refuse(struct call *c, int status, enum err e, const struct why *why, const char *verb, const char *object)
{
    const char *code = why->code[0] != '\0' ? why->code : err_name(e);

    if (e == ERR_INTERNAL || e == ERR_UNAVAILABLE)
        LOG_ERROR_EV("front", LF_STR("verb", verb), LF_STR("station", c->station.name), LF_ERR(e), LF_WHY(why));
    else
        LOG_INFO_EV("front.refused", LF_STR("verb", verb), LF_STR("station", c->station.name), LF_ERR(e), LF_STR("code", code));
    if (e == ERR_DENIED || e == ERR_CONFLICT)
        audit_refusal(c, why, verb, object);
    if (e == ERR_UNAVAILABLE)
        http_header_add(c->req, "Retry-After", "5");
    http_reply_problem_status(c->req, status, code, detail_of(e, why));
}

void
call_refuse(struct call *c, enum err e, const struct why *why, const char *verb, const char *object)
{
    refuse(c, http_status_of(e), e, why, verb, object);
}

void
call_refuse_status(struct call *c, int status, const struct why *why, const char *verb, const char *object)
{
    refuse(c, status, ERR_DENIED, why, verb, object);
}

void
call_refuse_known(struct call *c, int status, const char *code, const char *text, const char *verb)
{
    LOG_INFO_EV("front.refused", LF_STR("verb", verb), LF_STR("station", c->station.name), LF_STR("code", code));
    http_reply_problem_status(c->req, status, code, text);
}

void
call_refuse_hidden(struct call *c, const struct why *why, const char *code, const char *verb)
{
    LOG_INFO_EV("front.refused", LF_STR("verb", verb), LF_STR("station", c->station.name), LF_WHY(why));
    audit_refusal(c, why, verb, "");
    http_reply_problem(c->req, ERR_NOT_FOUND, code, detail_of(ERR_NOT_FOUND, why));
}

/* --- who calls -------------------------------------------------------------------------------------------------------------- */

static bool
slow_down(struct call *c, enum lane lane)
{
    const int wait = lanes_take(c->front->lanes, c->station.id, lane);

    if (wait == 0)
        return true;
    LOG_WARN_EV("front.rate", LF_STR("station", c->station.name), LF_INT("lane", lane), LF_INT("wait_s", wait));
    http_header_add(c->req, "Retry-After", arena_printf(http_arena(c->req), "%d", wait));
    http_reply_problem_status(c->req, 429, "station.rate", "Too many calls of this kind: ask again after Retry-After.");
    return false;
}

bool
call_open(struct http_request *req, enum lane lane, struct call *ret)
{
    const struct str certificate = http_client_cert(req);
    struct why why = WHY_INIT;
    enum err e;

    *ret = (struct call){ .req = req, .front = http_app(req), .station = { .name = "" }, .actor = "station" };
    if (certificate.p == NULL) {
        http_reply_problem(req, ERR_DENIED, "station.certificate", "A client certificate is needed.");
        return false;
    }
    e = station_of_certificate(http_pg(req), certificate, http_now(req), http_arena(req), &ret->station, ret->certificate, &why);
    if (ret->station.id[0] != '\0')
        ret->actor = arena_printf(http_arena(req), "station:%s", ret->station.name);
    if (e == ERR_DENIED) {
        LOG_WARN_EV("front.refused", LF_STR("station", ret->station.name), LF_ERR(e), LF_WHY(&why));
        if (ret->station.id[0] != '\0')
            audit_refusal(ret, &why, "station.call", arena_printf(http_arena(req), "station:%s", ret->station.id));
        http_reply_problem(req, ERR_DENIED, why.code, "This certificate opens nothing here.");
        return false;
    }
    if (e != OK) {
        LOG_ERROR_EV("front", LF_ERR(e), LF_WHY(&why));
        http_reply_problem(req, e, "unavailable", "Try again later.");
        return false;
    }
    return slow_down(ret, lane);
}

/* --- registrations ------------------------------------------------------------------------------------------------------------ */

/* The operator registers stations themselves, under their names. A person may be called like a station, and is not it. */
static bool
is_own(const struct call *c, const struct registration *r)
{
    const struct profile *p = profile_set_find(&c->front->pki->profiles, str_of(r->profile));
    const struct station *s = &c->station;

    if (r->station[0] == '\0')
        return strcmp(r->holder, s->name) == 0 && (p == NULL || profile_is_of_machine(p));
    return strcmp(r->station, s->id) == 0 && station_has_profile(s, r->profile) && station_has_town(s, r->town);
}

bool
is_uuid(const char *s)
{
    for (size_t i = 0; i < UUID_TEXT_LEN; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : s[i] == '\0' || strchr("0123456789abcdef", s[i]) == NULL)
            return false;
    return s[UUID_TEXT_LEN] == '\0';
}

bool
call_registration(struct call *c, const char *id, struct registration *ret)
{
    struct why why = WHY_INIT;
    enum err e = is_uuid(id) ? registration_find(http_pg(c->req), id, http_arena(c->req), ret, &why) : ERR_NOT_FOUND;

    if (e == ERR_NOT_FOUND || (e == OK && !is_own(c, ret)))
        e = why_code(&why, ERR_NOT_FOUND, "registration.unknown", "not a registration of this station");
    if (e == OK)
        return true;
    call_refuse(c, e, &why, "registration.find", "");
    return false;
}

void
call_reply_json(struct call *c, int status, json_t *object)
{
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);

    CHECK(text != NULL);
    http_reply_json(c->req, status, text);
    free(text);
    json_decref(object);
}
