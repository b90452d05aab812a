/*
 * /dossier/{id}/reactivate: a blocked card was found again (P-062…P-066). The third identity check, the card itself, and
 * the return code of the citizen's letter; the reactivation code comes from the vault, and no page shows it (P-064). A
 * card that cannot be read, or a letter that is lost, takes a second agent.
 */
#include "mairie-connector/town/card.h"

#include "base/core/code.h"

static void
reactivate_page(struct http_request *req, int status, const struct dossier *x, struct page_data *d, bool pin_lost)
{
    page_str(d, "id", x->id);
    page_str(d, "name", person_shown(&x->names, http_arena(req)));
    number_fill(d, x);
    page_bool(d, "pin_lost", pin_lost);
    mairie_reply_page(req, status, "town/reactivate.html", d);
}

/* Replies and returns false when there is nothing to open again now. A block for good is not judged here: a new card that
 * was linked since may end it, and only the IdP knows. */
static bool
reactivate_may(struct http_request *req, const struct dossier *x)
{
    return !card_was_done(req, x, PROPOSAL_REACTIVATE) && propose_may(req, x, "suspended", "suspended");
}

void
get_reactivate(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    struct page_data *d;
    struct dossier x;

    if (agent == NULL || !card_dossier(req, "town.reactivate.not_card", &x) || !reactivate_may(req, &x))
        return;
    d = mairie_page(req);
    identity_fill(d, "", "");
    card_fill(req, d, "", "");
    reactivate_page(req, 200, &x, d, false);
}

/* What is told at once, before any call: it costs no try (DOMAIN 2.4). */
static const char *
code_problem(enum code_verdict verdict, enum code_kind other, struct arena *a)
{
    switch (verdict) {
    case CODE_GOOD:
        return NULL;
    case CODE_EMPTY:
        return "town.reactivate.pin_empty";
    case CODE_TOO_SHORT:
        return "code.short";
    case CODE_TOO_LONG:
        return "code.long";
    case CODE_BAD_CHAR:
        return "code.digits";
    case CODE_TYPO:
        return "code.typo";
    case CODE_OTHER_KIND:
        return arena_printf(a, "code.is_%s", code_kind_name(other));
    }
    return "code.wrong";
}

static bool
pin_read(struct http_request *req, struct page_data *d, struct proposal *p)
{
    const char *typed = http_form(req, "pin");
    char folded[CODE_FOLDED_MAX];
    enum code_kind other = CODE_REACTIVATION;
    enum code_verdict verdict;
    const char *problem;

    typed = typed == NULL ? "" : typed;
    p->pin_lost = http_form(req, "pin_lost") != NULL;
    if (p->pin_lost && str_trim(str_of(typed)).n == 0)
        return true;
    verdict = code_read(CODE_REACTIVATION, str_of(typed), folded, &other);
    problem = p->pin_lost ? "town.reactivate.pin_both" : code_problem(verdict, other, http_arena(req));
    if (problem != NULL)
        page_field_error(d, "pin", problem);
    else
        p->pin = arena_strdup(http_arena(req), folded);
    mem_wipe(folded, sizeof(folded));
    return problem == NULL;
}

void
post_reactivate(struct http_request *req)
{
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    struct proposal p = { .kind = PROPOSAL_REACTIVATE };
    struct identity identity;
    struct page_data *d;
    struct dossier x;
    bool good;

    if (agent == NULL || !card_dossier(req, "town.reactivate.not_card", &x) || !reactivate_may(req, &x))
        return;
    d = mairie_page(req);
    good = identity_read(req, d, &identity);
    good = card_read(req, d, &p) && good;
    good = pin_read(req, d, &p) && good;
    if (good)
        propose_run(req, agent, &x, &p, &identity);
    else
        reactivate_page(req, 422, &x, d, p.pin_lost);
}
