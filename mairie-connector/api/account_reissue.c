/* POST /v1/accounts/{handle}/reissue: new codes, the old ones dead the same second (D-02, DOMAIN 6.6). */
#include "mairie-connector/api/door-internal.h"

#include "base/core/secret.h"
#include "idp/account/x509.h"
#include "idp/credential/certificate.h"

#define ROUTE "POST /v1/accounts/{handle}/reissue"

struct reissue_arg {
    struct door *d;
    const struct wire_reissue *in;
    struct account *account;
    const char *key;
    struct kept_call call;
    struct kept_reply reply;
};

static enum err
seal_and_keep(struct pg *pg, struct reissue_arg *r, const struct account_codes *codes, const char *revocation,
              struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(16384);
    struct door *d = r->d;
    enum err e;

    if ((e = door_seal(d, r->key, codes, revocation, &sealed, why)) != OK)
        return e;
    memcpy(r->reply.account_id, r->account->id, sizeof(r->reply.account_id));
    r->reply.status = 200;
    r->reply.sealed = arena_strdup(http_arena(d->req), buf_cstr(&sealed));
    return kept_reply_add(pg, &r->call, &r->reply, http_now(d->req), why);
}

/* P-047: names are kept until the certificate is issued; a new certificate that is to say them needs them again. */
static enum err
names_again(struct pg *pg, const struct reissue_arg *r, struct why *why)
{
    AUTO(buf_free) struct buf names = BUF_SECRET(ACCOUNT_NAMES_MAX);
    const struct keyring *field = r->d->idp->field;
    struct account_x509 kept = { .named = false };
    enum err e;

    if (r->account->type == ACCOUNT_X509_SOFT &&
        (e = account_x509_find(pg, field, r->account->id, http_arena(r->d->req), &kept, why)) != OK)
        return e;
    if (r->in->names == NULL)
        return !kept.named || kept.names.p != NULL
                   ? OK : why_code(why, ERR_INPUT, "account.names", "names: they were erased, and are needed again");
    if (!kept.named)
        return why_code(why, ERR_INPUT, "account.names", "names: the certificate of this account says none");
    wire_write_names(&names, r->in->names);
    CHECK(buf_ok(&names));
    return account_x509_put(pg, field, r->account->id, "named", buf_view(&names), why);
}

/* A card account that was closed and reopened begins anew with another card: what stands on it is sent again, because it was
 * erased. All others keep theirs. */
static enum err
card_again(struct pg *pg, const struct reissue_arg *r, bool *ret_again, struct why *why)
{
    enum err e;

    if ((e = account_card_reopened(pg, r->account, ret_again, why)) != OK || *ret_again == (r->in->card != NULL))
        return e;
    if (*ret_again)
        return why_code(why, ERR_INPUT, "account.card", "card: what stands on it was erased with the closing, and is needed again");
    return why_code(why, ERR_INPUT, "account.card", "card: another one is made of a reopened account only");
}

static enum err
card_begin(struct pg *pg, const struct reissue_arg *r, const struct account_codes *codes, struct why *why)
{
    enum err e = credential_end_all(pg, r->account->id, http_now(r->d->req), why);

    return e != OK ? e : card_record_keep(pg, r->d, r->account, r->in->card, codes, why);
}

static enum err
reissue_all(struct pg *pg, struct reissue_arg *r, bool sheet, struct why *why)
{
    AUTO(account_codes_done) struct account_codes codes = { .creation_expires = 0 };
    struct door *d = r->d;
    bool again;
    enum err e;

    if ((e = names_again(pg, r, why)) != OK || (e = card_again(pg, r, &again, why)) != OK ||
        (e = account_reissue(pg, d->idp->pepper, r->account->id, sheet, d->town.creation_life, &d->who, http_now(d->req), &codes,
                             why)) != OK ||
        (again && (e = card_begin(pg, r, &codes, why)) != OK))
        return e;
    return seal_and_keep(pg, r, &codes, NULL, why);
}

static enum err
reissue_new(struct pg *pg, struct reissue_arg *r, struct why *why)
{
    char revocation[CODE_FOLDED_MAX];
    struct door *d = r->d;
    bool sheet = d->town.sheet_number == TOWN_SHEET_ALWAYS ||
                 (d->town.sheet_number == TOWN_SHEET_SENSITIVE && r->in->sensitive);
    enum err e;

    if (strcmp(r->in->what, "all") == 0)
        return reissue_all(pg, r, sheet, why);
    if (r->in->card != NULL)
        return why_code(why, ERR_INPUT, "account.card", "card: not with a blocking code alone");
    e = account_reissue_revocation(pg, d->idp->pepper, r->account->id, &d->who, http_now(d->req), revocation, why);
    if (e == OK)
        e = seal_and_keep(pg, r, NULL, revocation, why);
    mem_wipe(revocation, sizeof(revocation));
    return e;
}

static enum err
reissue_body(struct pg *pg, void *arg, struct why *why)
{
    struct reissue_arg *r = arg;
    enum err e;

    /* The account's row orders two calls with the same key: the second finds the first one's answer. */
    if ((e = account_lock(pg, r->account->id, why)) != OK || (e = account_by_id(pg, r->account->id, r->account, why)) != OK)
        return e;
    e = kept_reply_find(pg, &r->call, http_arena(r->d->req), &r->reply, why);
    if (e == OK && strcmp(r->reply.account_id, r->account->id) != 0)
        return why_code(why, ERR_CONFLICT, "idempotency.body", "this Idempotency-Key was used for another account");
    return e == ERR_NOT_FOUND ? reissue_new(pg, r, why) : e;
}

void
post_account_reissue(struct http_request *req)
{
    struct wire_reissue in;
    struct account account;
    struct reissue_arg r = { .in = &in, .account = &account };
    struct why why = WHY_INIT;
    struct door d;
    enum err e;

    if (!door_open(req, &d) || !door_account(&d, &account) || (r.key = door_key(&d)) == NULL)
        return;
    r.d = &d;
    r.call = kept_call_of(&d, r.key, ROUTE);
    if ((e = wire_read_reissue(http_body(req), http_arena(req), &in, &why)) != OK) {
        door_refuse(&d, e, &why, "account.reissue", account.handle);
        return;
    }
    if (!door_rate(&d, DOOR_RATE_CODES))
        return;
    if ((e = pg_tx(http_pg(req), reissue_body, &r, &why)) != OK ||
        (e = account_by_id(http_pg(req), account.id, &account, &why)) != OK)
        door_refuse(&d, e, &why, "account.reissue", account.handle);
    else
        door_reply_account(&d, r.reply.status, &account, r.reply.sealed);
}
