/* propose: what the pages that change an account have in common (proposal.h). */
#include "mairie-connector/town/counter.h"

#include "base/core/rand.h"

bool
counter_proposal(struct http_request *req, const struct dossier *x, struct proposal *ret, bool *ret_open)
{
    struct why why = WHY_INIT;
    enum err e = proposal_find(http_pg(req), x->id, http_arena(req), ret, &why);

    if (e == ERR_NOT_FOUND)
        *ret = (struct proposal){ .state = "" };
    else if (e != OK) {
        mairie_fail(req, "proposal", e, &why);
        return false;
    }
    *ret_open = proposal_waits(ret) || strcmp(ret->state, "sent") == 0;
    return true;
}

bool
propose_may(struct http_request *req, const struct dossier *x, const char *state, const char *or_state)
{
    struct why why = WHY_INIT;
    struct proposal p;
    bool open, busy;
    enum err e;

    if (strcmp(x->state, state) != 0 && strcmp(x->state, or_state) != 0) {
        mairie_reply_error(req, 409, "error.conflict", dossier_path(req, x->id, ""));
        return false;
    }
    if (!counter_proposal(req, x, &p, &open))
        return false;
    if ((e = outbox_busy(http_pg(req), x->id, &busy, &why)) != OK) {
        mairie_fail(req, "proposal", e, &why);
        return false;
    }
    if (open || busy)
        mairie_reply_error(req, 409, open && proposal_waits(&p) ? "reason.proposed" : "reason.not_yet",
                           dossier_path(req, x->id, ""));
    return !open && !busy;
}

struct propose_arg {
    const struct mairie *m;
    const struct dossier *x;
    const struct agent *agent;
    struct proposal *p;
    const struct identity *identity;
    char key[OUTBOX_KEY_SIZE];
    bool four_eyes;
    utime now;
    struct arena *arena;
};

/* As identity_check has it. */
static const char *
identity_act(enum proposal_kind kind)
{
    return kind == PROPOSAL_HAND_OVER || kind == PROPOSAL_REACTIVATE ? proposal_kind_name(kind) : "close";
}

static enum err
propose_body(struct pg *pg, void *arg, struct why *why)
{
    struct propose_arg *r = arg;
    const char *verb = arena_printf(r->arena, "dossier.%s_proposed", proposal_kind_name(r->p->kind));
    bool busy;
    enum err e;

    /* The row orders two clicks: the second finds the first one's proposal. */
    if ((e = dossier_move(pg, r->x->id, r->x->state, r->x->state, NULL, r->x->state_since, why)) != OK ||
        (e = outbox_busy(pg, r->x->id, &busy, why)) != OK)
        return e;
    if (busy)
        return why_code(why, ERR_CONFLICT, "outbox.busy", "a request of this dossier is on its way");
    if (r->identity != NULL && (e = identity_add(pg, r->x->id, identity_act(r->p->kind), r->identity->doc_type,
                                                 r->identity->doc_expiry, r->agent->id, r->now, &r->p->identity_id, why)) != OK)
        return e;
    if ((e = proposal_add(pg, r->m, r->p, r->x->id, r->now, &r->four_eyes, why)) != OK ||
        (e = counter_audit(pg, r->agent->id, "guichet", verb, r->x->handle, "ok", r->now, why)) != OK)
        return e;
    return r->four_eyes ? OK : proposal_send(pg, r->m, r->p, r->x->id, r->key, NULL, r->now, r->arena, why);
}

/* A hand-over or reactivation that the IdP has done ends in its paper. */
static const char *
paper_when_done(struct http_request *req, const struct dossier *x, enum proposal_kind kind)
{
    const char *paper = kind == PROPOSAL_HAND_OVER ? "/acceptance" : kind == PROPOSAL_REACTIVATE ? "/reactivated" : "";
    struct why why = WHY_INIT;
    struct proposal now;

    if (paper[0] == '\0' || proposal_find(http_pg(req), x->id, http_arena(req), &now, &why) != OK)
        return "";
    return strcmp(now.state, "done") == 0 ? paper : "";
}

void
propose_run(struct http_request *req, const struct agent *agent, const struct dossier *x, struct proposal *p,
            const struct identity *identity)
{
    struct propose_arg r = { .m = http_app(req), .x = x, .agent = agent, .p = p, .identity = identity,
                             .now = http_now(req), .arena = http_arena(req) };
    struct why why = WHY_INIT;
    enum err e;

    rand_uuid(p->id);
    memcpy(p->by, agent->id, sizeof(p->by));
    outbox_key(r.key);
    e = pg_tx(http_pg(req), propose_body, &r, &why);
    if (e == ERR_NOT_FOUND && strcmp(why.code, "card.no_code") == 0) {
        mairie_reply_error(req, 409, "town.reactivate.no_code", dossier_path(req, x->id, ""));
        return;
    }
    if (e != OK) {
        mairie_fail(req, "propose", e, &why);
        return;
    }
    if (!r.four_eyes)
        counter_send_now(req, r.key);
    mairie_go(req, dossier_path(req, x->id, arena_printf(r.arena, "%s?changed=1", paper_when_done(req, x, p->kind))));
}
