/* outbox: sends one request, keeps its answer, acknowledges it; reads what changed. */
#include "mairie-connector/town/outbox.h"

#include <stdio.h>

#include "base/core/code.h"
#include "base/core/enc.h"
#include "base/core/log.h"
#include "mairie-connector/town/codes.h"
#include "mairie-connector/town/outbox_call.h"
#include "mairie-connector/wire/wire.h"

#define LEASE (60 * USEC_PER_SEC)
#define ARENA_MAX (2 * 1024 * 1024)

/* --- create and reissue ------------------------------------------------------------------------------------------------ */

struct keep_arg {
    struct sending *s;
    const struct wire_account *account;
    struct str sealed;
};

/* The codes of a card that is being made go into the vault and nowhere else: its letter bears them. All others stand on a
 * sheet, which is shown once: of a card in its holder's hands a new blocking code. */
static enum err
codes_store(struct pg *pg, const struct sending *s, const char *state, struct str sealed, struct why *why)
{
    bool card = s->row.type == TYPE_CARD;
    enum err e = OK;

    if (!card || strcmp(state, "active") == 0)
        e = sheet_put(pg, s->row.dossier_id, s->row.key, sealed, s->now, why);
    if (e == OK && card)
        e = codes_keep_card(s->m, pg, s->row.dossier_id, s->row.key, sealed, s->now, why);
    return e != OK ? e : dossier_stale(pg, s->row.dossier_id, NULL, why);
}

static enum err
keep_body(struct pg *pg, void *arg, struct why *why)
{
    const struct keep_arg *k = arg;
    struct sending *s = k->s;
    struct dossier_news news = { .handle = s->row.handle, .state = k->account->state, .at = k->account->state_since,
                                 .final = k->account->final, .contested = k->account->contested, .fresh = true };
    const char *verb = s->row.kind == OUTBOX_CREATE ? "dossier.created"
                       : strcmp(k->account->state, "active") == 0 ? "dossier.block_code" : "dossier.reissued";
    bool changed;
    enum err e;

    if ((e = outbox_set_answered(pg, &s->row, why)) != OK || (e = dossier_hear(pg, &news, &changed, why)) != OK)
        return e;
    if (k->account->number != NULL && (e = dossier_number(pg, s->row.dossier_id, k->account->number, why)) != OK)
        return e;
    if (k->sealed.n > 0 && (e = codes_store(pg, s, k->account->state, k->sealed, why)) != OK)
        return e;
    return counter_audit(pg, s->row.agent_id, "guichet", verb, s->row.handle, "ok", s->now, why);
}

static enum err
keep(struct sending *s, const struct reply *r, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(16 * 1024);
    struct wire_account account = { .handle = NULL };
    struct keep_arg k = { .s = s, .account = &account };
    enum err e;

    if ((e = wire_read_account(r->body, s->arena, &account, why)) != OK ||
        strcmp(account.handle, s->row.handle) != 0 || strcmp(account.type, dossier_type_name(s->row.type)) != 0 ||
        (account.sealed != NULL && base64url_decode(str_of(account.sealed), &sealed) != OK))
        return why_code(why, ERR_UNAVAILABLE, "door.answer", "the town door's answer cannot be read");
    k.sealed = buf_view(&sealed);
    return pg_tx(s->pg, keep_body, &k, why);
}

enum err
outbox_acknowledge(struct sending *s, struct why *why)
{
    struct reply r;
    enum err e;

    if ((e = outbox_call(s, "POST", outbox_account_path(s, "/ack"), false, STR_NULL, &r, why)) != OK)
        return e;
    /* 409: the account has moved on since; what matters is that we have the codes. */
    if (r.status != 200 && r.status != 409)
        return outbox_refused(s, &r, why);
    return outbox_set_done(s->pg, &s->row, s->now, why);
}

static enum err
ask_codes(struct sending *s, struct str body, struct why *why)
{
    struct reply r;
    enum err e;

    if (strcmp(s->row.state, "due") == 0) {
        e = outbox_call(s, "POST", s->row.kind == OUTBOX_CREATE ? "/v1/accounts" : outbox_account_path(s, "/reissue"), true, body, &r,
                 why);
        if (e != OK)
            return e;
        if (r.status != 200 && r.status != 201)
            return outbox_refused(s, &r, why);
        if ((e = keep(s, &r, why)) != OK)
            return e;
    }
    return outbox_acknowledge(s, why);
}

/* --- block --------------------------------------------------------------------------------------------------------------- */

struct blocked_arg {
    struct sending *s;
    const struct wire_blocked *b;
    bool final;
};

static enum err
blocked_body(struct pg *pg, void *arg, struct why *why)
{
    const struct blocked_arg *x = arg;
    struct sending *s = x->s;
    struct dossier_news news = { .handle = s->row.handle, .state = x->b->state, .at = x->b->at, .final = x->final,
                                 .block = true };
    bool changed;
    enum err e;

    if ((e = dossier_hear(pg, &news, &changed, why)) != OK || (e = escrow_drop(pg, s->row.dossier_id, why)) != OK ||
        (e = dossier_stale(pg, s->row.dossier_id, NULL, why)) != OK ||
        (e = counter_audit(pg, s->row.agent_id, "guichet", "dossier.blocked", s->row.handle, "ok", s->now, why)) != OK)
        return e;
    return outbox_set_done(pg, &s->row, s->now, why);
}

static enum err
blocked(struct sending *s, const struct reply *r, bool final, struct why *why)
{
    struct wire_blocked b;
    struct blocked_arg x = { .s = s, .b = &b, .final = final };

    if (wire_read_blocked(r->body, s->arena, &b, why) != OK || strcmp(b.handle, s->row.handle) != 0)
        return why_code(why, ERR_UNAVAILABLE, "door.answer", "the town door's answer cannot be read");
    return pg_tx(s->pg, blocked_body, &x, why);
}

struct stale_arg {
    struct sending *s;
};

static enum err
stale_body(struct pg *pg, void *arg, struct why *why)
{
    struct sending *s = ((struct stale_arg *)arg)->s;
    enum err e;

    if ((e = escrow_drop(pg, s->row.dossier_id, why)) != OK ||
        (e = dossier_stale(pg, s->row.dossier_id, s->row.agent_id, why)) != OK ||
        (e = counter_audit(pg, s->row.agent_id, "guichet", "dossier.blocked", s->row.handle, "stale", s->now, why)) != OK)
        return e;
    return outbox_set_dead(pg, &s->row, "the kept blocking code is not the right one", s->now, why);
}

static enum err
block_by_handle(struct sending *s, const char *reason, struct reply *ret, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(256);
    struct wire_reason m = { .reason = reason };

    wire_write_reason(&body, &m);
    return outbox_call(s, "POST", outbox_account_path(s, "/block"), false, buf_view(&body), ret, why);
}

/* P-061: with the kept code, which no screen shows. */
static enum err
block_by_code(struct sending *s, const char *reason, struct why *why)
{
    AUTO(secret_done) struct secret code = SECRET_INIT;
    AUTO(buf_free) struct buf body = BUF_SECRET(256);
    struct stale_arg stale = { s };
    bool final = strcmp(reason, "stolen") == 0;
    struct wire_block m;
    struct reply r;
    enum err e;

    e = codes_revocation(s->m, s->pg, s->row.dossier_id, s->arena, &code, why);
    if (e == ERR_NOT_FOUND)
        return pg_tx(s->pg, stale_body, &stale, why);
    if (e != OK)
        return e;
    m.code = (const char *)code.data;
    wire_write_block(&body, &m);
    if ((e = outbox_call(s, "POST", "/v1/blocks", false, buf_view(&body), &r, why)) != OK)
        return e;
    if (r.status == 403 || r.status == 404 || r.status == 400)
        return pg_tx(s->pg, stale_body, &stale, why);
    /* The code blocks; that the block is without return is said beside it. */
    if (r.status == 200 && final && (e = block_by_handle(s, reason, &r, why)) != OK)
        return e;
    return r.status == 200 ? blocked(s, &r, final, why) : outbox_refused(s, &r, why);
}

static enum err
block_second(struct sending *s, const char *reason, struct why *why)
{
    struct reply r;
    enum err e = block_by_handle(s, reason, &r, why);

    if (e != OK)
        return e;
    return r.status == 200 ? blocked(s, &r, strcmp(reason, "stolen") == 0, why) : outbox_refused(s, &r, why);
}

static enum err
block(struct sending *s, struct str body, struct why *why)
{
    struct wire_reason in;
    enum err e;

    if ((e = wire_read_reason(body, s->arena, &in, why)) != OK)
        return why_set(why, ERR_INTERNAL, "the kept request cannot be read");
    return s->row.kind == OUTBOX_BLOCK ? block_by_code(s, in.reason, why) : block_second(s, in.reason, why);
}

/* --- one request ------------------------------------------------------------------------------------------------------------ */

static int64_t
pause_after(int tries)
{
    static const int64_t seconds[] = { 2, 5, 10, 30, 60, 120, 300 };
    size_t i = tries < 1 ? 0 : (size_t)tries - 1;

    return seconds[i < ARRAY_LEN(seconds) ? i : ARRAY_LEN(seconds) - 1] * USEC_PER_SEC;
}

static enum err
perform(struct sending *s, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_SECRET(32 * 1024);
    enum err e;

    if ((e = column_open(s->m->field, "outbox.payload", s->row.key, s->row.payload, &body, why)) != OK)
        return why_set(why, ERR_INTERNAL, "the kept request cannot be opened");
    switch (s->row.kind) {
    case OUTBOX_CREATE:
    case OUTBOX_REISSUE:
        return ask_codes(s, buf_view(&body), why);
    case OUTBOX_BLOCK:
    case OUTBOX_BLOCK_SECOND:
        return block(s, buf_view(&body), why);
    case OUTBOX_AUTHZ:
    case OUTBOX_CLOSE:
    case OUTBOX_REOPEN:
    case OUTBOX_HAND_OVER:
    case OUTBOX_REACTIVATE:
        return outbox_send_proposal(s, buf_view(&body), why);
    }
    return ERR_INTERNAL;
}

enum err
outbox_send(const struct mairie *m, struct pg *pg, const char *key, utime now, bool *ret_taken, struct why *why)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct sending s = { .m = m, .pg = pg, .arena = arena, .now = now };
    struct why reason = WHY_INIT;
    enum err e;

    *ret_taken = false;
    e = outbox_take(pg, key, now, now + LEASE, arena, &s.row, why);
    if (e == ERR_NOT_FOUND)
        return OK;
    if (e != OK)
        return e;
    *ret_taken = true;
    if ((e = perform(&s, &reason)) == OK)
        return OK;
    LOG_WARN_EV("outbox.later", LF_ERR(e), LF_WHY(&reason), LF_INT("tries", s.row.tries));
    if (e == ERR_CONFLICT)        /* the lease is somebody else's: theirs to end */
        return OK;
    return outbox_set_later(pg, &s.row, now + pause_after(s.row.tries), reason.code, why);
}

/* --- changes ------------------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *what, *verb;
    bool bound, contested, final, block;
    bool beside;                   /* changes nothing here: only told */
} words[] = {
    { "mail_received", "dossier.mail_received", true, false, false, false, false },
    { "bound", "dossier.mail_received", true, false, false, false, false },
    { "contested", "dossier.contested", true, true, false, false, false },
    { "activate", "dossier.activated", false, false, false, false, false },
    { "revoke", "dossier.blocked", false, false, false, true, false },
    { "revoke_final", "dossier.blocked", false, false, true, true, false },
    { "final", "dossier.blocked", false, false, true, true, false },
    { "reactivate", "dossier.reactivated", false, false, false, false, false },
    { "close", "dossier.closed", false, false, false, false, false },
    { "reopen", "dossier.reopened", false, false, false, false, false },
    { "timeout", "dossier.closed", false, false, false, false, false },
    { "expire", "dossier.expired", false, false, false, false, false },
    { "purge", "dossier.erased", false, false, false, false, false },
    { "certificate", "dossier.certificate", false, false, false, false, true },
};

struct changes_arg {
    const struct wire_changes *in;
    utime now;
};

static enum err
change_hear(struct pg *pg, const struct wire_change *c, struct why *why)
{
    struct dossier_news news = { .handle = c->handle, .state = c->state, .at = c->at };
    const char *verb = NULL;
    bool changed, beside = false;
    enum err e;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i].what, c->what) != 0)
            continue;
        verb = words[i].verb;
        news.bound = words[i].bound;
        news.contested = words[i].contested;
        news.final = words[i].final;
        news.block = words[i].block;
        beside = words[i].beside;
    }
    if (verb == NULL)        /* our own acts come back to us too */
        return OK;
    if ((e = dossier_hear(pg, &news, &changed, why)) != OK || (!changed && !beside))
        return e;
    if ((e = escrow_drop_ended(pg, c->handle, why)) != OK)
        return e;
    return counter_audit(pg, NULL, "", verb, c->handle, "ok", c->at, why);
}

static enum err
changes_body(struct pg *pg, void *arg, struct why *why)
{
    const struct changes_arg *x = arg;
    enum err e;

    for (size_t i = 0; i < x->in->n; i++) {
        if ((e = change_hear(pg, &x->in->items[i], why)) != OK)
            return e;
    }
    return cursor_put(pg, x->in->next, x->now, why);
}

enum err
outbox_changes(const struct mairie *m, struct pg *pg, utime now, bool *ret_more, struct why *why)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct sending s = { .m = m, .pg = pg, .arena = arena, .now = now };
    struct wire_changes in;
    struct changes_arg x = { .in = &in, .now = now };
    const char *cursor, *path = "/v1/changes?limit=200";
    struct reply r;
    enum err e;

    *ret_more = false;
    if ((e = cursor_get(pg, arena, &cursor, why)) != OK)
        return e;
    if (cursor[0] != '\0')
        path = arena_printf(arena, "/v1/changes?limit=200&after=%s", cursor);
    if ((e = outbox_call(&s, "GET", path, false, STR_NULL, &r, why)) != OK)
        return e;
    if (r.status != 200)
        return why_code(why, ERR_DENIED, "door.changes", "the town door answers %d to changes", r.status);
    if ((e = wire_read_changes(r.body, arena, &in, why)) != OK)
        return e;
    if (in.n == 0)
        return OK;
    *ret_more = in.n == WIRE_CHANGES_MAX;
    return pg_tx(pg, changes_body, &x, why);
}
