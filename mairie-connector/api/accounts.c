/* POST /v1/accounts: creates an account (P-009…P-016, P-035, P-036, P-046…P-048, K9). Two calls with one key are one account. */
#include "mairie-connector/api/door-internal.h"

#include "idp/account/x509.h"

#define ROUTE "POST /v1/accounts"

struct create_arg {
    struct door *d;
    const struct wire_create *in;
    enum account_type type;
    const char *key;
    struct kept_call call;
    struct kept_reply reply;
};

static bool
sheet_wanted(const struct town *town, bool sensitive)
{
    return town->sheet_number == TOWN_SHEET_ALWAYS || (town->sheet_number == TOWN_SHEET_SENSITIVE && sensitive);
}

/* P-047: what the certificate is to say, sealed until it is issued. */
static enum err
soft_keep(struct pg *pg, struct create_arg *c, struct why *why)
{
    AUTO(buf_free) struct buf names = BUF_SECRET(ACCOUNT_NAMES_MAX);

    if (c->in->names != NULL)
        wire_write_names(&names, c->in->names);
    CHECK(buf_ok(&names));
    return account_x509_put(pg, c->d->idp->field, c->reply.account_id, c->in->profile,
                            c->in->names != NULL ? buf_view(&names) : (struct str){ NULL, 0 }, why);
}

static enum err
card_keep(struct pg *pg, struct create_arg *c, const struct account_codes *codes, struct why *why)
{
    struct account account;
    enum err e;

    if ((e = account_by_id(pg, c->reply.account_id, &account, why)) != OK)
        return e;
    return card_record_keep(pg, c->d, &account, c->in->card, codes, why);
}

static enum err
type_keep(struct pg *pg, struct create_arg *c, const struct account_codes *codes, struct why *why)
{
    switch (c->type) {
    case ACCOUNT_PASSWORD:
        break;
    case ACCOUNT_X509_CARD:
        return card_keep(pg, c, codes, why);
    case ACCOUNT_X509_SOFT:
        return soft_keep(pg, c, why);
    }
    return OK;
}

static enum err
create_new(struct pg *pg, struct create_arg *c, struct why *why)
{
    AUTO(account_codes_done) struct account_codes codes = { .creation_expires = 0 };
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(16384);
    struct door *d = c->d;
    struct arena *a = http_arena(d->req);
    struct account_authz *authz = arena_alloc(a, (c->in->authz.n + 1) * sizeof(*authz));
    struct account_new in = {
        .town_id = d->town.id, .town = d->town.name, .type = c->type, .handle = c->in->handle,
        .lang = c->in->lang, .authz = authz, .nauthz = c->in->authz.n,
        .sheet = sheet_wanted(&d->town, c->in->sensitive), .creation_life = d->town.creation_life,
    };
    enum err e;

    for (size_t i = 0; i < in.nauthz; i++)
        authz[i] = (struct account_authz){ c->in->authz.items[i].code,
                                           c->in->authz.items[i].until == WIRE_UTIME_NONE ? UTIME_NULL
                                                                                          : c->in->authz.items[i].until };
    e = account_create(pg, d->idp->pepper, &in, &d->who, http_now(d->req), c->reply.account_id, &codes, why);
    if (e != OK || (e = type_keep(pg, c, &codes, why)) != OK || (e = door_seal(d, c->key, &codes, NULL, &sealed, why)) != OK)
        return e;
    c->reply.status = 201;
    c->reply.sealed = arena_strdup(a, buf_cstr(&sealed));
    return kept_reply_add(pg, &c->call, &c->reply, http_now(d->req), why);
}

static enum err
create_body(struct pg *pg, void *arg, struct why *why)
{
    struct create_arg *c = arg;
    enum err e = kept_reply_find(pg, &c->call, http_arena(c->d->req), &c->reply, why);

    return e == ERR_NOT_FOUND ? create_new(pg, c, why) : e;
}

void
post_accounts(struct http_request *req)
{
    struct wire_create in;
    struct account account;
    struct create_arg c = { .in = &in };
    struct why why = WHY_INIT;
    struct door d;
    enum err e;

    if (!door_open(req, &d) || (c.key = door_key(&d)) == NULL)
        return;
    c.d = &d;
    c.call = kept_call_of(&d, c.key, ROUTE);
    if ((e = wire_read_create(http_body(req), http_arena(req), &in, &why)) != OK) {
        door_refuse(&d, e, &why, "account.create", "");
        return;
    }
    if (account_type_read(in.type, &c.type) != OK || !door_offers(&d, c.type)) {
        http_reply_problem_status(req, 422, "account.type", "Accounts of this type are not offered to this town.");
        return;
    }
    if (!door_rate(&d, DOOR_RATE_CODES))
        return;
    e = pg_tx(http_pg(req), create_body, &c, &why);
    if (e == ERR_CONFLICT && strncmp(why.code, "idempotency", 11) != 0) {
        /* The same call at the same instant, perhaps on another node: now its answer is there. */
        why = (struct why)WHY_INIT;
        e = pg_tx(http_pg(req), create_body, &c, &why);
        if (e == ERR_CONFLICT && strstr(pg_constraint(http_pg(req)), "handle") != NULL)
            e = why_code(&why, e, "account.handle", "the handle is taken");
    }
    if (e != OK || (e = account_by_id(http_pg(req), c.reply.account_id, &account, &why)) != OK)
        door_refuse(&d, e, &why, "account.create", in.handle);
    else
        door_reply_account(&d, c.reply.status, &account, c.reply.sealed);
}
