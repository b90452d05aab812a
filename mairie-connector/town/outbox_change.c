/*
 * outbox_change: proposals that were sent (rights, closing, opening again, a card's hand-over and reactivation), and the
 * names of the town's authorisations.
 *
 * A sent proposal ends in one of three ways: the IdP did it; it does not permit it (the account's state, 409; of a card
 * also what was shown and typed, 403 and 422): the proposal is refused and the dossier says why; or the call was wrong
 * (an IT service must look). An answer that was lost is found again by what the account is now, or by its key: a
 * reactivation brings new codes, which are kept and then acknowledged like those of a new card.
 */
#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/secret.h"
#include "mairie-connector/town/codes.h"
#include "mairie-connector/town/outbox_call.h"
#include "mairie-connector/town/proposal.h"
#include "mairie-connector/wire/wire.h"

static const struct {
    const char *method, *path, *verb;
    const char *state;             /* what the account is afterwards; NULL: as before */
    bool by_state;                 /* a lost answer is found by that state */
    bool judged;                   /* is_judgement() */
    bool keyed;                    /* with an Idempotency-Key; new codes come back */
} acts[] = {
    [OUTBOX_AUTHZ] = { "PUT", "/authorisations", "dossier.authz_changed", NULL, false, false, false },
    [OUTBOX_CLOSE] = { "POST", "/close", "dossier.closed", "closed", true, false, false },
    [OUTBOX_REOPEN] = { "POST", "/reopen", "dossier.reopened", "suspended", true, false, false },
    [OUTBOX_HAND_OVER] = { "POST", "/activate", "dossier.handed_over", "active", false, true, false },
    [OUTBOX_REACTIVATE] = { "POST", "/reactivate", "dossier.reactivated", "active", false, true, true },
};

struct come_arg {
    struct sending *s;
    const struct wire_account *account;
    const char *refusal;           /* code of a refusal */
    struct str sealed;             /* new codes, n 0: none */
};

/* All three were used or are dead: the new ones take their place, and stand on a sheet for the citizen (P-065). */
static enum err
codes_renew(struct pg *pg, const struct come_arg *x, struct why *why)
{
    const struct sending *s = x->s;
    enum err e;

    if ((e = escrow_drop_all(pg, s->row.dossier_id, why)) != OK || (e = dossier_stale(pg, s->row.dossier_id, NULL, why)) != OK)
        return e;
    if (x->sealed.n == 0) {        /* the answer came more than a day late */
        LOG_ERROR_EV("outbox.codes_lost", LF_STR("handle", s->row.handle));
        return OK;
    }
    if ((e = sheet_put(pg, s->row.dossier_id, s->row.key, x->sealed, s->now, why)) != OK)
        return e;
    return codes_keep_card(s->m, pg, s->row.dossier_id, s->row.key, x->sealed, s->now, why);
}

static enum err
done_body(struct pg *pg, void *arg, struct why *why)
{
    const struct come_arg *x = arg;
    struct sending *s = x->s;
    struct dossier_news news = { .handle = s->row.handle, .state = x->account->state, .at = x->account->state_since,
                                 .final = x->account->final };
    bool changed = true;
    enum err e;

    if ((e = proposal_answered(pg, s->row.key, NULL, s->now, why)) != OK)
        return e;
    if (acts[s->row.kind].state != NULL && (e = dossier_hear(pg, &news, &changed, why)) != OK)
        return e;
    if (s->row.kind == OUTBOX_CLOSE && (e = escrow_drop_all(pg, s->row.dossier_id, why)) != OK)
        return e;
    if (s->row.kind == OUTBOX_REACTIVATE && (e = codes_renew(pg, x, why)) != OK)
        return e;
    /* Not changed: the IdP's own news of it were read before, and stand in the trail. */
    if (changed && (e = counter_audit(pg, s->row.agent_id, "guichet", acts[s->row.kind].verb, s->row.handle, "ok", s->now,
                                      why)) != OK)
        return e;
    return acts[s->row.kind].keyed ? outbox_set_answered(pg, &s->row, why) : outbox_set_done(pg, &s->row, s->now, why);
}

static enum err
done(struct sending *s, const struct reply *r, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(16 * 1024);
    struct wire_account account = { .handle = NULL };
    struct come_arg x = { .s = s, .account = &account };

    if (wire_read_account(r->body, s->arena, &account, why) != OK || strcmp(account.handle, s->row.handle) != 0 ||
        (account.sealed != NULL && base64url_decode(str_of(account.sealed), &sealed) != OK))
        return why_code(why, ERR_UNAVAILABLE, "door.answer", "the town door's answer cannot be read");
    x.sealed = buf_view(&sealed);
    return pg_tx(s->pg, done_body, &x, why);
}

static enum err
not_permitted_body(struct pg *pg, void *arg, struct why *why)
{
    const struct come_arg *x = arg;
    struct sending *s = x->s;
    enum err e;

    if ((e = proposal_answered(pg, s->row.key, x->refusal, s->now, why)) != OK ||
        (e = counter_audit(pg, s->row.agent_id, "guichet", "dossier.refused", s->row.handle, x->refusal, s->now, why)) != OK)
        return e;
    return outbox_set_done(pg, &s->row, s->now, why);
}

/* 409: did our own call do it, and its answer get lost? */
/* "secret.wrong.2": two tries are left. */
static const char *
refusal_code(struct sending *s, const struct reply *r)
{
    int left = wire_read_tries_left(r->body);

    if (r->code[0] == '\0')
        return "refused";
    return left < 0 ? r->code : arena_printf(s->arena, "%s.%d", r->code, left);
}

/* Of a card the door also judges what was read and typed at the counter. */
static bool
is_judgement(enum outbox_kind kind, const struct reply *r)
{
    if (r->status == 409)
        return true;
    return acts[kind].judged && (r->status == 403 || r->status == 422 || r->status == 429 ||
                                 (r->status == 400 && strncmp(r->code, "certificate.", 12) == 0));
}

static enum err
not_permitted(struct sending *s, const struct reply *refusal, struct why *why)
{
    struct come_arg x = { .s = s, .refusal = refusal_code(s, refusal) };
    const char *wanted = acts[s->row.kind].state;
    struct wire_account account;
    struct reply r;
    enum err e;

    if (acts[s->row.kind].by_state) {
        if ((e = outbox_call(s, "GET", outbox_account_path(s, ""), false, STR_NULL, &r, why)) != OK)
            return e;
        if (r.status == 200 && wire_read_account(r.body, s->arena, &account, why) == OK &&
            strcmp(account.state, wanted) == 0)
            return done(s, &r, why);
    }
    return pg_tx(s->pg, not_permitted_body, &x, why);
}

enum err
outbox_send_proposal(struct sending *s, struct str body, struct why *why)
{
    bool keyed = acts[s->row.kind].keyed;
    struct reply r;
    enum err e;

    if (strcmp(s->row.state, "answered") == 0)
        return outbox_acknowledge(s, why);
    e = outbox_call(s, acts[s->row.kind].method, outbox_account_path(s, acts[s->row.kind].path), keyed, body, &r, why);
    if (e != OK)
        return e;
    if (r.status == 200) {
        if ((e = done(s, &r, why)) != OK)
            return e;
        return keyed ? outbox_acknowledge(s, why) : OK;
    }
    if (is_judgement(s->row.kind, &r))
        return not_permitted(s, &r, why);
    if ((e = proposal_answered(s->pg, s->row.key, "refused", s->now, why)) != OK)
        return e;
    return outbox_refused(s, &r, why);
}

/* --- names of authorisations -------------------------------------------------------------------------------------------- */

static enum err
labels_write(struct pg *pg, struct arena *a, struct buf *out, struct why *why)
{
    struct authz_def *defs;
    struct wire_labels m;
    size_t n;
    enum err e;

    if ((e = authz_defs_all(pg, a, &defs, &n, why)) != OK)
        return e;
    m = (struct wire_labels){ arena_alloc(a, (n + 1) * sizeof(*m.items)), n };
    for (size_t i = 0; i < n; i++)
        m.items[i] = (struct wire_label){ defs[i].id, defs[i].label_fr, defs[i].label_en };
    wire_write_labels(out, &m);
    return buf_ok(out) ? OK : why_set(why, ERR_INPUT, "too many authorisations to tell the IdP");
}

enum err
outbox_labels(const struct mairie *m, struct pg *pg, utime now, struct why *why)
{
    AUTO(arena_freep) struct arena *arena = arena_new(2 * WIRE_LABELS_BODY_MAX + 256 * 1024);
    AUTO(buf_free) struct buf body = BUF_BOUNDED(WIRE_LABELS_BODY_MAX);
    struct sending s = { .m = m, .pg = pg, .arena = arena, .now = now };
    unsigned char digest[SHA256_LEN], told[SHA256_LEN];
    struct reply r;
    enum err e;

    if ((e = labels_write(pg, arena, &body, why)) != OK || (e = labels_told_get(pg, told, why)) != OK)
        return e;
    sha256(buf_view(&body), digest);
    if (mem_equal_ct(digest, sizeof(digest), told, sizeof(told)))
        return OK;
    if ((e = outbox_call(&s, "PUT", "/v1/authorisations", false, buf_view(&body), &r, why)) != OK)
        return e;
    if (r.status != 200)
        return why_code(why, ERR_DENIED, "door.labels", "the town door answers %d %s to the names of authorisations",
                        r.status, r.code);
    LOG_INFO_EV("outbox.labels", LF_STR("state", "told"));
    return labels_told_put(pg, digest, now, why);
}
