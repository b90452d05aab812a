/* /v1/accounts/{handle}: read, acknowledge, authorisations, close, reopen. */
#include "mairie-connector/api/door-internal.h"

struct act {
    struct door *d;
    struct account account;
    const char *reason;
    struct account_authz *authz;
    size_t nauthz;
};

/* Runs body in a transaction, then replies with the account as it is. */
static void
act_run(struct act *x, const char *verb, pg_tx_body body)
{
    struct http_request *req = x->d->req;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = pg_tx(http_pg(req), body, x, &why)) != OK ||
        (e = account_by_id(http_pg(req), x->account.id, &x->account, &why)) != OK)
        door_refuse(x->d, e, &why, verb, x->account.handle);
    else
        door_reply_account(x->d, 200, &x->account, NULL);
}

void
get_account(struct http_request *req)
{
    struct account account;
    struct door d;

    if (door_open(req, &d) && door_account(&d, &account))
        door_reply_account(&d, 200, &account, NULL);
}

static enum err
ack_body(struct pg *pg, void *arg, struct why *why)
{
    struct act *x = arg;
    enum err e;

    /* A re-issue is acknowledged in any state; the first ack moves the account. */
    if (x->account.state == ACCOUNT_PENDING &&
        (e = account_ack(pg, x->account.id, &x->d->who, http_now(x->d->req), why)) != OK)
        return e;
    return kept_reply_erase(pg, x->account.id, why);
}

void
post_account_ack(struct http_request *req)
{
    struct door d;
    struct act x = { .d = &d };

    if (door_open(req, &d) && door_account(&d, &x.account))
        act_run(&x, "account.ack", ack_body);
}

static enum err
authz_body(struct pg *pg, void *arg, struct why *why)
{
    struct act *x = arg;

    return account_set_authz(pg, x->account.id, x->authz, x->nauthz, &x->d->who, http_now(x->d->req), why);
}

void
put_account_authorisations(struct http_request *req)
{
    struct wire_authz_list in;
    struct why why = WHY_INIT;
    struct door d;
    struct act x = { .d = &d };
    enum err e;

    if (!door_open(req, &d) || !door_account(&d, &x.account))
        return;
    if ((e = wire_read_authz(http_body(req), http_arena(req), &in, &why)) != OK) {
        door_refuse(&d, e, &why, "account.set_authz", x.account.handle);
        return;
    }
    x.authz = arena_alloc(http_arena(req), (in.n + 1) * sizeof(*x.authz));
    x.nauthz = in.n;
    for (size_t i = 0; i < in.n; i++)
        x.authz[i] = (struct account_authz){ in.items[i].code,
                                             in.items[i].until == WIRE_UTIME_NONE ? UTIME_NULL : in.items[i].until };
    act_run(&x, "account.set_authz", authz_body);
}

static enum err
close_body(struct pg *pg, void *arg, struct why *why)
{
    struct act *x = arg;

    return account_close(pg, x->account.id, x->reason, &x->d->who, http_now(x->d->req), why);
}

void
post_account_close(struct http_request *req)
{
    struct wire_reason in;
    struct why why = WHY_INIT;
    struct door d;
    struct act x = { .d = &d };
    enum err e;

    if (!door_open(req, &d) || !door_account(&d, &x.account))
        return;
    e = wire_read_reason(http_body(req), http_arena(req), &in, &why);
    if (e == OK && (strcmp(in.reason, "lost") == 0 || strcmp(in.reason, "stolen") == 0))
        e = why_code(&why, ERR_INPUT, "wire.value", "reason: death, departure, request or error");
    if (e != OK) {
        door_refuse(&d, e, &why, "account.close", x.account.handle);
        return;
    }
    if (!door_rate(&d, DOOR_RATE_BLOCKS))
        return;
    x.reason = in.reason;
    act_run(&x, "account.close", close_body);
}

static enum err
reopen_body(struct pg *pg, void *arg, struct why *why)
{
    struct act *x = arg;

    return account_reopen(pg, x->account.id, &x->d->who, http_now(x->d->req), why);
}

void
post_account_reopen(struct http_request *req)
{
    struct door d;
    struct act x = { .d = &d };

    if (door_open(req, &d) && door_account(&d, &x.account))
        act_run(&x, "account.reopen", reopen_body);
}
