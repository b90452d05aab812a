/* POST /v1/accounts/{handle}/activate: the card is handed over, and signs in from now on (P-031, P-032). Twice is once. */
#include "mairie-connector/api/door-internal.h"

#include "idp/credential/certificate.h"

struct activate_arg {
    struct door *d;
    const struct wire_activate *in;
    struct account account;
};

static enum err
activate_body(struct pg *pg, void *arg, struct why *why)
{
    struct activate_arg *x = arg;
    struct door *d = x->d;
    utime now = http_now(d->req);
    struct credential_card card;
    enum err e;

    if ((e = account_lock(pg, x->account.id, why)) != OK || (e = account_by_id(pg, x->account.id, &x->account, why)) != OK)
        return e;
    if (x->account.type != ACCOUNT_X509_CARD)
        return why_code(why, ERR_CONFLICT, "account.type", "only a card is handed over");
    if (x->account.state != ACCOUNT_PENDING && x->account.state != ACCOUNT_ACTIVE)
        return why_code(why, ERR_CONFLICT, arena_printf(http_arena(d->req), "account.state.%s", account_state_name(x->account.state)),
                        "not a card that waits to be handed over");
    if ((e = credential_card_find(pg, x->account.id, x->in->certificate, now, &card, why)) != OK)
        return e;
    if (strcmp(card.state, "held") == 0)
        return why_code(why, ERR_CONFLICT, "certificate.held", "the authority has put the card's certificate on hold");
    if (x->account.state == ACCOUNT_ACTIVE)
        return strcmp(card.state, "active") == 0
                   ? OK : why_code(why, ERR_CONFLICT, "account.state.active", "another card of this account signs in");
    if ((e = account_hand_over(pg, &x->account, door_circumstances(d, x->in->override, NULL, x->in->record), &d->who, now,
                               why)) != OK)
        return e;
    return credential_card_take(pg, x->account.id, card.id, now, why);
}

void
post_account_activate(struct http_request *req)
{
    struct wire_activate in;
    struct activate_arg x = { .in = &in };
    struct why why = WHY_INIT;
    struct door d;
    enum err e;

    if (!door_open(req, &d) || !door_account(&d, &x.account))
        return;
    x.d = &d;
    if ((e = wire_read_activate(http_body(req), http_arena(req), &in, &why)) != OK) {
        door_refuse(&d, e, &why, "account.activate", x.account.handle);
        return;
    }
    if (!door_two(&d, in.override != NULL ? in.override->second : NULL) || !door_rate(&d, DOOR_RATE_CODES))
        return;
    if ((e = pg_tx(http_pg(req), activate_body, &x, &why)) != OK ||
        (e = account_by_id(http_pg(req), x.account.id, &x.account, &why)) != OK)
        door_refuse(&d, e, &why, "account.activate", x.account.handle);
    else
        door_reply_account(&d, 200, &x.account, NULL);
}
