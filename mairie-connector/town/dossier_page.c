/* /dossier/{id}: one citizen: state, what may be done now, what happened. No code is ever on this page (P-060). */
#include "mairie-connector/town/counter.h"

#include <stdlib.h>

#include "base/core/log.h"
#include "mairie-connector/town/outbox.h"

#define REFUSED_SHOWN (7 * USEC_PER_DAY)    /* that the IdP refused a change stays on the page */

const char *
dossier_path(struct http_request *req, const char *id, const char *rest)
{
    return arena_printf(http_arena(req), "/dossier/%s%s", id, rest);
}

bool
counter_dossier(struct http_request *req, struct dossier *ret)
{
    const char *id = http_path_param(req, "id");
    struct why why = WHY_INIT;
    enum err e = dossier_find(http_pg(req), http_app(req), id, http_arena(req), ret, &why);

    if (e != OK)
        mairie_fail(req, "dossier", e, &why);
    return e == OK;
}

void
counter_send_now(struct http_request *req, const char *key)
{
    struct why why = WHY_INIT;
    bool taken;
    enum err e = outbox_send(http_app(req), http_pg(req), key, http_now(req), &taken, &why);

    if (e != OK)
        LOG_WARN_EV("outbox.send", LF_ERR(e), LF_WHY(&why));
}

const char *
paper_of(const struct dossier *x)
{
    return x->type == TYPE_CARD ? "/receipt" : "/print";
}

static const char *
state_shown(const struct dossier *x)
{
    if (strcmp(x->state, "pending") == 0 && x->type == TYPE_CARD)
        return "ordered";
    if (strcmp(x->state, "pending") == 0)
        return x->contested ? "contested" : x->bound ? "bound" : "pending";
    return x->state;
}

void
dossier_state_fill(struct page_data *d, const struct dossier *x, struct arena *a)
{
    const char *state = state_shown(x);

    page_msg(d, "state", arena_printf(a, "dossier.%s", state));
    page_str(d, "state_name", state);
}

/* --- what may be done -------------------------------------------------------------------------------------------------- */

struct now {
    const struct dossier *x;
    const struct agent *agent;
    struct proposal p;             /* the latest */
    bool open;                     /* it waits, or is on its way */
    bool busy, has_sheet, shown;
    enum reopened reopened;        /* of a card */
    utime at;
};

static bool
is_state(const struct now *n, const char *state)
{
    return strcmp(n->x->state, state) == 0;
}

/* Each answers why not, or NULL. */
static const char *
why_not_print(const struct now *n)
{
    if ((n->agent->roles & ROLE_GUICHET) == 0)
        return "reason.role";
    if (n->shown)
        return "reason.printed";
    return n->has_sheet ? NULL : "reason.not_yet";
}

static const char *
why_not_reissue(const struct now *n)
{
    if ((n->agent->roles & ROLE_GUICHET) == 0)
        return "reason.role";
    if (is_state(n, "active") || n->reopened == REOPENED_BARE)
        return n->open || n->busy ? "reason.not_yet" : NULL;
    if (n->x->final)
        return "reason.final";
    if (is_state(n, "closed") && n->x->unopened && n->at - n->x->state_since < REOPEN_TIME)
        return n->busy ? "reason.not_yet" : NULL;
    if (is_state(n, "closed"))
        return "reason.closed";
    return n->busy || !(is_state(n, "pending") || is_state(n, "suspended")) ? "reason.not_yet" : NULL;
}

static const char *
why_not_block(const struct now *n)
{
    if (is_state(n, "suspended"))
        return "reason.suspended";
    if (is_state(n, "closed"))
        return "reason.closed";
    if (n->busy || !(is_state(n, "pending") || is_state(n, "active")))
        return "reason.not_yet";
    if (n->x->stale_by[0] != '\0' && strcmp(n->x->stale_by, n->agent->id) == 0)
        return "town.block.stale";
    return NULL;
}

/* A change that is proposed: one at a time. */
static const char *
why_not_propose(const struct now *n)
{
    if ((n->agent->roles & ROLE_GUICHET) == 0)
        return "reason.role";
    if (n->open && proposal_waits(&n->p))
        return "reason.proposed";
    return n->open || n->busy ? "reason.not_yet" : NULL;
}

static const char *
why_not_reopen(const struct now *n)
{
    return n->at - n->x->state_since < REOPEN_TIME ? why_not_propose(n) : "reason.too_late";
}

static const char *
why_not_approve(const struct now *n, const char *owner)
{
    if (strcmp(owner, n->agent->id) == 0)
        return "reason.own";
    return (n->agent->roles & ROLE_VALIDATION) == 0 ? "reason.role" : NULL;
}

/* As /dossier/{id}/cancel has it. */
static const char *
why_not_cancel(const struct now *n, const char *owner, bool four_eyes)
{
    if (strcmp(owner, n->agent->id) == 0)
        return NULL;
    return (n->agent->roles & (four_eyes ? ROLE_VALIDATION : ROLE_GUICHET)) == 0 ? "reason.role" : NULL;
}

static void
action(struct http_request *req, struct page_data *d, const struct now *n, const char *id, const char *label,
       const char *why_not, bool danger)
{
    struct page_data *item = page_item(d, "actions");

    page_str(item, "id", id);
    page_msg(item, "label", label);
    page_bool(item, "danger", danger);
    if (why_not == NULL)
        page_str(item, "href", dossier_path(req, n->x->id, arena_printf(http_arena(req), "/%s", id)));
    else
        page_msg(item, "reason", why_not);
}

/* A paper without secrets: as often as wanted, by who may print. */
static const char *
why_not_paper(const struct now *n)
{
    return (n->agent->roles & ROLE_GUICHET) == 0 ? "reason.role" : NULL;
}

static bool
was_done(const struct now *n, enum proposal_kind kind)
{
    return n->p.kind == kind && strcmp(n->p.state, "done") == 0;
}

/* Of an open account: the codes that its holder was not given yet, or a new blocking code for a paper that is lost. */
static void
codes_action(struct http_request *req, struct page_data *d, const struct now *n)
{
    if (n->has_sheet)
        action(req, d, n, "print", "action.codes", why_not_print(n), false);
    else
        action(req, d, n, "reissue", "action.block_code", why_not_reissue(n), false);
}

/* What only a card has: it is asked for, handed over, blocked and found again (P-030…P-032, P-062…P-066). */
static void
card_actions(struct http_request *req, struct page_data *d, const struct now *n, bool proposed)
{
    if (is_state(n, "pending") && !proposed)
        action(req, d, n, "handover", "action.handover", why_not_propose(n), false);
    if (is_state(n, "pending") && !n->busy)
        action(req, d, n, "receipt", "action.receipt", why_not_paper(n), false);
    if (is_state(n, "active") && was_done(n, PROPOSAL_HAND_OVER))
        action(req, d, n, "acceptance", "action.acceptance", why_not_paper(n), false);
    if (is_state(n, "active") && was_done(n, PROPOSAL_REACTIVATE))
        action(req, d, n, "reactivated", "action.reactivated", why_not_paper(n), false);
    if (n->reopened == REOPENED_BARE)
        action(req, d, n, "reissue", "action.order", why_not_reissue(n), false);
    else if (is_state(n, "suspended") && !proposed)
        action(req, d, n, "reactivate", "action.reactivate", why_not_propose(n), false);
    if (n->reopened == REOPENED_ORDERED && !n->busy)
        action(req, d, n, "receipt", "action.receipt", why_not_paper(n), false);
    if (is_state(n, "active"))
        codes_action(req, d, n);
}

/* What only the two others have: a sheet, and new codes when it is lost. */
static void
sheet_actions(struct http_request *req, struct page_data *d, const struct now *n)
{
    if (is_state(n, "active")) {
        codes_action(req, d, n);
        return;
    }
    if (is_state(n, "requested") || is_state(n, "pending") || n->has_sheet)
        action(req, d, n, "print", "action.print", why_not_print(n), false);
    /* A sheet that waits is shown, not replaced. */
    if (!n->has_sheet && (!is_state(n, "closed") || n->x->unopened))
        action(req, d, n, "reissue", "action.reissue", why_not_reissue(n), false);
}

static void
actions_fill(struct http_request *req, struct page_data *d, const struct now *n)
{
    const char *creator = n->x->created_by;
    bool proposed = n->open && proposal_waits(&n->p);      /* said above the buttons */

    if (is_state(n, "cancelled") || is_state(n, "erased"))
        return;
    if (is_state(n, "to_validate")) {
        action(req, d, n, "approve", "action.approve", why_not_approve(n, creator), false);
        action(req, d, n, "cancel", "action.cancel", why_not_cancel(n, creator, true), false);
        return;
    }
    if (proposed) {
        action(req, d, n, "approve", "action.decide", why_not_approve(n, n->p.by), false);
        action(req, d, n, "cancel", strcmp(n->p.by, n->agent->id) == 0 ? "action.withdraw" : "action.refuse",
               why_not_cancel(n, n->p.by, true), false);
    }
    if (n->x->type == TYPE_CARD)
        card_actions(req, d, n, proposed);
    else
        sheet_actions(req, d, n);
    if (is_state(n, "active") && !proposed)
        action(req, d, n, "authz", "action.authz", why_not_propose(n), false);
    if (!is_state(n, "closed"))
        action(req, d, n, "block", "action.block", why_not_block(n), true);
    if ((is_state(n, "active") || is_state(n, "suspended")) && !proposed)
        action(req, d, n, "close", "action.close", why_not_propose(n), false);
    if (is_state(n, "closed") && !n->x->unopened && !proposed)
        action(req, d, n, "reopen", "action.reopen", why_not_reopen(n), false);
    if (is_state(n, "requested"))
        action(req, d, n, "cancel", "action.cancel", why_not_cancel(n, creator, false), false);
}

/* The IdP's refusal in words: of a card what is wrong with it; of a code without words the general ones. */
static const char *
refusal_words(struct http_request *req, const struct proposal *p)
{
    const struct mairie *m = http_app(req);
    struct arena *a = http_arena(req);
    bool card = p->kind == PROPOSAL_HAND_OVER || p->kind == PROPOSAL_REACTIVATE;
    char *key = arena_printf(a, "refusal.%s", p->refusal);

    for (char *c = key + strlen("refusal."); *c != '\0'; c++)
        *c = *c == '.' ? '_' : *c;
    return card && page_has_message(m->pages, key) ? key
                                                   : arena_printf(a, "proposal.%s_refused", proposal_kind_name(p->kind));
}

/* What is proposed, or what became of it. */
static void
proposal_fill(struct http_request *req, struct page_data *d, const struct now *n)
{
    const char *kind = proposal_kind_name(n->p.kind), *state = n->p.state;
    struct arena *a = http_arena(req);
    bool just = http_query(req, "changed") != NULL;

    if (n->open && proposal_waits(&n->p))
        page_msg(d, "waits", arena_printf(a, "proposal.%s_waits", kind));
    else if (n->open)
        page_msg(d, "waits", "proposal.sent");
    else if (strcmp(state, "refused") == 0 && (just || n->at - n->p.at < REFUSED_SHOWN))
        page_msg(d, "refused", refusal_words(req, &n->p));
    else if (strcmp(state, "done") == 0 && just)
        page_msg(d, "notice", arena_printf(a, "proposal.%s_done%s", kind,
                                           n->p.kind == PROPOSAL_REOPEN && n->x->type == TYPE_CARD ? "_card" : ""));
    if (n->open) {
        page_str(d, "by", n->p.by_name);
        page_time(d, "at", n->p.at, MAIRIE_ZONE);
    }
}

/* --- what is shown -------------------------------------------------------------------------------------------------------- */

static void
steps_fill(struct page_data *d, const struct now *n)
{
    static const char *const by_sheet[] = { "step.form", "step.sheet", "step.mail", "step.open", NULL };
    static const char *const by_card[] = { "step.form", "step.ordered", "step.handed_over", NULL };
    const char *const *labels = n->x->type == TYPE_CARD ? by_card : by_sheet;
    int at = n->x->bound ? 3 : n->shown ? 2 : 1;

    if (n->x->type == TYPE_CARD)
        at = is_state(n, "pending") && !n->busy ? 2 : 1;
    if (is_state(n, "active"))
        at = 4;

    if (!(is_state(n, "to_validate") || is_state(n, "requested") || is_state(n, "pending") || is_state(n, "active")))
        return;
    for (int i = 0; labels[i] != NULL; i++) {
        struct page_data *item = page_item(d, "steps");

        page_msg(item, "label", labels[i]);
        page_bool(item, "done", i < at);
        page_bool(item, "now", i == at);
    }
}

static enum err
authz_fill(struct http_request *req, struct page_data *d, const char *id, struct why *why)
{
    bool french = strcmp(http_lang(req), "fr") == 0;
    struct authz_given *list;
    size_t n;
    enum err e;

    if ((e = authz_of(http_pg(req), id, http_arena(req), &list, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        struct page_data *item = page_item(d, "authz");

        page_str(item, "label", french ? list[i].label_fr : list[i].label_en);
        if (list[i].until != UTIME_NULL)
            page_date(item, "until", list[i].until, "UTC");
        page_bool(item, "waiting", list[i].sensitive && !list[i].approved);
        page_bool(item, "over", list[i].until != UTIME_NULL && list[i].until <= http_now(req));
    }
    return OK;
}

static enum err
events_fill(struct http_request *req, struct page_data *d, const char *handle, struct why *why)
{
    const struct mairie *m = http_app(req);
    struct trail_row *rows;
    size_t n;
    enum err e;

    if ((e = trail_of_dossier(http_pg(req), handle, http_arena(req), &rows, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        const char *key = arena_printf(http_arena(req), "event.%s", rows[i].what);
        struct page_data *item;

        if (!page_has_message(m->pages, key))
            continue;
        item = page_item(d, "events");
        page_time(item, "at", rows[i].at, MAIRIE_ZONE);
        page_msg(item, "what", key);
        if (rows[i].who[0] != '\0')
            page_str(item, "who", rows[i].who);
        page_bool(item, "bad", rows[i].refused || strcmp(rows[i].what, "blocked") == 0 ||
                                   strcmp(rows[i].what, "contested") == 0 || strcmp(rows[i].what, "closed") == 0);
    }
    return OK;
}

static enum err
page_fill(struct http_request *req, struct page_data *d, struct now *n, struct why *why)
{
    struct sheet sheet;
    enum err e;

    if ((e = outbox_busy(http_pg(req), n->x->id, &n->busy, why)) != OK)
        return e;
    e = sheet_find(http_pg(req), n->x->id, http_arena(req), &sheet, why);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    n->shown = e == OK && sheet.shown_at != UTIME_NULL;
    n->has_sheet = e == OK && !n->shown;
    actions_fill(req, d, n);
    proposal_fill(req, d, n);
    steps_fill(d, n);
    if ((e = authz_fill(req, d, n->x->id, why)) != OK)
        return e;
    return events_fill(req, d, n->x->handle, why);
}

void
get_dossier(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLES_OFFICE);
    struct page_data *d;
    struct dossier x;
    struct now n = { .x = &x, .agent = agent, .at = http_now(req) };
    struct why why = WHY_INIT;
    utime ignored;
    enum err e;

    if (agent == NULL || !counter_dossier(req, &x) || !counter_proposal(req, &x, &n.p, &n.open) ||
        !counter_reopened(req, &x, &n.reopened, &ignored))
        return;
    d = mairie_page(req);
    page_str(d, "id", x.id);
    page_str(d, "name", person_shown(&x.names, http_arena(req)));
    page_msg(d, "type", arena_printf(http_arena(req), "type.%s", dossier_type_name(x.type)));
    page_bool(d, "named", x.named);
    number_fill(d, &x);
    dossier_state_fill(d, &x, http_arena(req));
    page_bool(d, "contested", x.contested);
    if (http_query(req, "blocked") != NULL && (strcmp(x.state, "suspended") == 0 || strcmp(x.state, "closed") == 0))
        page_msg(d, "notice", "town.block.done");
    if ((e = page_fill(req, d, &n, &why)) == OK)
        e = counter_audit(http_pg(req), agent->id, "guichet", "counter.viewed", x.handle, "ok", http_now(req), &why);
    if (e != OK)
        mairie_fail(req, "dossier", e, &why);
    else
        mairie_reply_page(req, 200, "town/dossier.html", d);
}
