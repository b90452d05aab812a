/* Blocking by the town: by handle with a reason, or with the code of the vault (P-059…P-061). Idempotent. */
#include "mairie-connector/api/door-internal.h"

#include "base/core/secret.h"

static void
reply_blocked(struct door *d, const struct account *a, const struct account_blocked *b)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(4096);
    struct wire_blocked m = { .handle = a->handle, .state = account_state_name(b->to), .receipt = b->receipt,
                              .at = b->at, .already = b->already };

    wire_write_blocked(&out, &m);
    CHECK(buf_ok(&out));
    http_reply_json(d->req, 200, buf_cstr(&out));
}

void
post_account_block(struct http_request *req)
{
    struct account_blocked b;
    struct wire_reason in;
    struct account account;
    struct why why = WHY_INIT;
    struct door d;
    enum err e;

    if (!door_open(req, &d) || !door_account(&d, &account))
        return;
    if ((e = wire_read_reason(http_body(req), http_arena(req), &in, &why)) != OK) {
        door_refuse(&d, e, &why, "account.block", account.handle);
        return;
    }
    if (!door_rate(&d, DOOR_RATE_BLOCKS))
        return;
    e = account_block(http_pg(req), d.idp->pepper, account.id, in.reason, &d.who, http_now(req), &b, &why);
    if (e != OK)
        door_refuse(&d, e, &why, "account.block", account.handle);
    else
        reply_blocked(&d, &account, &b);
}

/* The code must be of an account of this town before it does anything. */
static enum err
block_code(struct door *d, const char *typed, struct account *ret_account, struct account_blocked *ret,
           struct why *why)
{
    struct pg *pg = http_pg(d->req);
    char folded[CODE_FOLDED_MAX];
    struct secret_row secret;
    enum err e;

    if (code_read(CODE_REVOCATION, str_of(typed), folded, NULL) != CODE_GOOD)
        return why_code(why, ERR_INPUT, "code.malformed", "code: no blocking code");
    e = secret_find(pg, d->idp->pepper, "revocation", folded, http_now(d->req), &secret, why);
    if (e == OK && secret.state == SECRET_UNKNOWN)
        e = why_code(why, ERR_NOT_FOUND, "secret.unknown", "no such blocking code");
    if (e == OK && (e = account_by_id(pg, secret.account_id, ret_account, why)) == OK &&
        strcmp(ret_account->town_id, d->town.id) != 0)
        e = why_code(why, ERR_NOT_FOUND, "secret.unknown", "no such blocking code");
    if (e == OK)
        e = account_block_by_code(pg, d->idp->pepper, folded, &d->who, http_now(d->req), ret, why);
    mem_wipe(folded, sizeof(folded));
    return e;
}

void
post_blocks(struct http_request *req)
{
    struct account_blocked b;
    struct wire_block in;
    struct account account;
    struct why why = WHY_INIT;
    struct door d;
    enum err e;

    if (!door_open(req, &d))
        return;
    if ((e = wire_read_block(http_body(req), http_arena(req), &in, &why)) != OK) {
        door_refuse(&d, e, &why, "account.block_by_code", "");
        return;
    }
    if (!door_rate(&d, DOOR_RATE_BLOCKS))
        return;
    if ((e = block_code(&d, in.code, &account, &b, &why)) != OK)
        door_refuse(&d, e, &why, "account.block_by_code", "");
    else
        reply_blocked(&d, &account, &b);
}
