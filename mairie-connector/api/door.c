/* door: what every endpoint of the town door does first and last. */
#include "mairie-connector/api/door-internal.h"

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/secret.h"
#include "base/crypto/digest.h"
#include "base/crypto/key.h"
#include "base/crypto/seal.h"
#include "base/pg/audit.h"
#include "idp/signon/throttle.h"

bool
door_open(struct http_request *req, struct door *ret)
{
    struct str cert = http_client_cert(req);
    const char *clerk = http_header(req, "Beffroi-Clerk");
    unsigned char digest[SHA256_LEN];
    struct why why = WHY_INIT;
    enum err e;

    ret->req = req;
    ret->idp = http_app(req);
    if (cert.p == NULL) {
        http_reply_problem(req, ERR_DENIED, "town.certificate", "A client certificate is needed.");
        return false;
    }
    sha256(cert, digest);
    e = town_by_certificate(http_pg(req), digest, http_now(req), http_arena(req), &ret->town, &why);
    if (e == ERR_NOT_FOUND || e == ERR_DENIED) {
        LOG_WARN_EV("door.refused", LF_ERR(e), LF_WHY(&why));
        http_reply_problem(req, ERR_DENIED, why.code, "This certificate opens nothing here.");
        return false;
    }
    if (e != OK) {
        LOG_ERROR_EV("door", LF_ERR(e), LF_WHY(&why));
        http_reply_problem(req, e, "unavailable", "Try again later.");
        return false;
    }
    if (clerk != NULL && !wire_is_clerk(str_of(clerk))) {
        http_reply_problem(req, ERR_INPUT, "clerk", "Beffroi-Clerk is malformed.");
        return false;
    }
    ret->clerk = clerk;
    ret->who.actor = clerk == NULL ? arena_printf(http_arena(req), "town:%s", ret->town.name)
                                   : arena_printf(http_arena(req), "town:%s/clerk:%s", ret->town.name, clerk);
    ret->who.role = "guichet";
    return true;
}

bool
door_account(struct door *d, struct account *ret)
{
    const char *handle = http_path_param(d->req, "handle");
    struct why why = WHY_INIT;
    enum err e;

    e = wire_is_handle(str_of(handle)) ? account_by_handle(http_pg(d->req), d->town.id, handle, ret, &why)
                                       : why_code(&why, ERR_NOT_FOUND, "account.unknown", "no such handle");
    if (e == OK)
        return true;
    door_refuse(d, e, &why, "account.find", "");
    return false;
}

/* The words for the peer: what it did, never what we hold. */
static const char *
detail_of(enum err e, const struct why *why)
{
    switch (e) {
    case OK:
        break;
    case ERR_INPUT:
        return why->text;
    case ERR_NOT_FOUND:
        return "No such account of this town.";
    case ERR_CONFLICT:
        return strncmp(why->code, "idempotency", 11) == 0 ? "This Idempotency-Key was used for another call."
                                                          : "The account's state does not permit this.";
    case ERR_DENIED:
        return "Not allowed.";
    case ERR_UNAVAILABLE:
        return "Try again later.";
    case ERR_INTERNAL:
        return "Our fault; the reference helps us find it.";
    }
    return "";
}

static void
audit_refusal(struct door *d, const struct why *why, const char *verb, const char *handle)
{
    struct why w = WHY_INIT;
    enum err e = audit_add(http_pg(d->req),
                           &(struct audit_entry){ .at = http_now(d->req), .actor = d->who.actor, .role = d->who.role,
                                                  .verb = verb, .object = arena_printf(http_arena(d->req), "handle:%s", handle),
                                                  .result = why->code[0] != '\0' ? why->code : "refused", .detail = "{}" },
                           &w);

    if (e != OK)
        LOG_ERROR_EV("door.audit", LF_ERR(e), LF_WHY(&w));
}

void
door_refuse(struct door *d, enum err e, const struct why *why, const char *verb, const char *handle)
{
    if (e == ERR_INTERNAL || e == ERR_UNAVAILABLE)
        LOG_ERROR_EV("door", LF_STR("verb", verb), LF_ERR(e), LF_WHY(why));
    else
        LOG_INFO_EV("door.refused", LF_STR("verb", verb), LF_ERR(e), LF_STR("code", why->code));
    if (e == ERR_CONFLICT || e == ERR_DENIED)
        audit_refusal(d, why, verb, handle);
    http_reply_problem(d->req, e, why->code[0] != '\0' ? why->code : err_name(e), detail_of(e, why));
}

bool
door_rate(struct door *d, enum door_rate rate)
{
    const struct idp_conf *c = &d->idp->conf;
    int64_t an_hour = rate == DOOR_RATE_CODES ? c->town_codes_rate : c->town_blocks_rate;
    /* A block stops a thief: it never waits long, even behind many others. */
    const struct throttle_rule rule = {
        .name = rate == DOOR_RATE_CODES ? "town.codes" : "town.blocks", .burst = (double)an_hour,
        .leak = (double)an_hour / 3600, .delay_first = 1, .delay_max = rate == DOOR_RATE_CODES ? 60 : 10,
    };
    struct why why = WHY_INIT;
    int64_t wait;
    enum err e;

    if (an_hour == 0)
        return true;
    if ((e = throttle_take(http_pg(d->req), d->idp->pepper, &rule, d->town.id, http_now(d->req), &wait, &why)) != OK) {
        door_refuse(d, e, &why, "town.rate", "");
        return false;
    }
    if (wait == 0)
        return true;
    LOG_WARN_EV("door.rate", LF_STR("town", d->town.name), LF_STR("rule", rule.name), LF_INT("wait_ms", wait / 1000));
    http_header_add(d->req, "Retry-After", arena_printf(http_arena(d->req), "%lld", (long long)wait / USEC_PER_SEC + 1));
    http_reply_problem_status(d->req, 429, "town.rate", "Too many calls of this kind within an hour: ask again after Retry-After.");
    return false;
}

const char *
door_key(struct door *d)
{
    const char *key = http_header(d->req, "Idempotency-Key");

    if (key != NULL && wire_is_key(str_of(key)))
        return key;
    http_reply_problem(d->req, ERR_INPUT, "idempotency.key", "Idempotency-Key: 16 to 128 of A-Z a-z 0-9 _ - is needed.");
    return NULL;
}

bool
door_two(struct door *d, const char *second)
{
    if (second == NULL || (d->clerk != NULL && strcmp(d->clerk, second) != 0))
        return true;
    LOG_WARN_EV("door.refused", LF_STR("town", d->town.name), LF_STR("code", "clerk.second"));
    http_reply_problem(d->req, ERR_DENIED, "clerk.second", "Two agents must answer for this: Beffroi-Clerk, and another one as second.");
    return false;
}

const char *
door_circumstances(struct door *d, const struct wire_override *override, const struct wire_second *pin_lost,
                   const char *record)
{
    struct arena *a = http_arena(d->req);
    const char *more = "";

    if (override != NULL)
        more = arena_printf(a, "%s,\"override\":\"%s\",\"second\":\"%s\"", more, override->reason, override->second);
    if (pin_lost != NULL)
        more = arena_printf(a, "%s,\"pin_lost\":\"%s\"", more, pin_lost->second);
    if (record != NULL)
        more = arena_printf(a, "%s,\"record\":\"%s\"", more, record);
    return more;
}

bool
door_offers(const struct door *d, enum account_type type)
{
    if ((d->town.types & (1u << type)) == 0)
        return false;
    switch (type) {
    case ACCOUNT_PASSWORD:
        return true;
    case ACCOUNT_X509_CARD:
        return d->idp->card_key != NULL;
    case ACCOUNT_X509_SOFT:
        return d->idp->conf.pki_url[0] != '\0';
    }
    return false;
}

static enum err
authz_of(struct door *d, const char *account_id, struct wire_authz_list *ret, struct why *why)
{
    struct account_authz *list;
    size_t n;
    enum err e;

    if ((e = account_authz_list(http_pg(d->req), account_id, http_now(d->req), http_arena(d->req), &list, &n, why)) != OK)
        return e;
    ret->items = arena_alloc(http_arena(d->req), (n + 1) * sizeof(*ret->items));
    ret->n = n;
    for (size_t i = 0; i < n; i++)
        ret->items[i] = (struct wire_authz){ list[i].code, list[i].until == UTIME_NULL ? WIRE_UTIME_NONE : list[i].until };
    return OK;
}

void
door_reply_account(struct door *d, int status, const struct account *a, const char *sealed)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(64 * 1024);
    struct wire_account m = { .handle = a->handle, .type = account_type_name(a->type),
                              .number = a->number[0] != '\0' ? a->number : NULL,
                              .state = account_state_name(a->state), .state_since = a->state_since, .final = a->final,
                              .contested = a->contested, .acked = a->acked, .sealed = sealed };
    struct why why = WHY_INIT;
    enum err e;

    if ((e = authz_of(d, a->id, &m.authz, &why)) != OK) {
        door_refuse(d, e, &why, "account.read", a->handle);
        return;
    }
    wire_write_account(&out, &m);
    CHECK(buf_ok(&out));
    http_reply_json(d->req, status, buf_cstr(&out));
}

/* "" is a code that the account does not have. */
static const char *
given(const char *code)
{
    return code[0] != '\0' ? code : NULL;
}

enum err
door_seal(struct door *d, const char *key, const struct account_codes *codes, const char *revocation, struct buf *ret,
          struct why *why)
{
    AUTO(key_freep) struct key *town_key = NULL;
    AUTO(buf_free) struct buf plain = BUF_SECRET(4096);
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(8192);
    struct wire_codes m = { .revocation = revocation, .creation_until = WIRE_UTIME_NONE };
    enum err e;

    if (codes != NULL) {
        m.creation = given(codes->creation);
        m.revocation = codes->revocation;
        m.sheet = given(codes->sheet);
        m.reactivation_otp = given(codes->reactivation_otp);
        m.reactivation_pin = given(codes->reactivation_pin);
        m.creation_until = m.creation != NULL ? codes->creation_expires : WIRE_UTIME_NONE;
    }
    wire_write_codes(&plain, &m);
    if ((e = key_public(d->town.seal_key, &town_key, why)) != OK ||
        (e = seal_to(town_key, STR_LIT(WIRE_SEAL_INFO), str_of(key), buf_view(&plain), &sealed, why)) != OK)
        return e;
    base64url_encode(ret, sealed.data, sealed.len);
    return OK;
}
