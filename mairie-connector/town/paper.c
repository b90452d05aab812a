/*
 * /dossier/{id}/receipt, /acceptance, /reactivated: papers of a card, in the citizen's language. None has a code on it, so
 * that each can be shown as often as wanted (P-016, P-017, P-032, P-065).
 */
#include "mairie-connector/town/counter.h"

#include "base/core/code.h"
#include "mairie-connector/town/outbox.h"

#define LETTER_MAX (64 * 1024)

void
number_fill(struct page_data *d, const struct dossier *x)
{
    char shown[CODE_SHOWN_MAX];

    if (x->number == NULL)
        return;
    code_shown(CODE_NUMBER, x->number, shown);
    page_code(d, "number", shown);
}

/* What every paper says. */
static struct page_data *
letter_data(struct http_request *req, const struct dossier *x)
{
    const struct mairie *m = http_app(req);
    struct page_data *d = page_data_new(http_arena(req));
    bool english = strcmp(x->lang, "en") == 0 && m->conf.hours_en[0] != '\0';
    const char *hours = english ? m->conf.hours_en : m->conf.hours_fr;

    page_str(d, "town", m->conf.town);
    page_str(d, "theme", m->conf.theme);
    page_str(d, "name", person_shown(&x->names, http_arena(req)));
    number_fill(d, x);
    if (m->conf.phone[0] != '\0')
        page_str(d, "phone", m->conf.phone);
    if (hours[0] != '\0')
        page_str(d, "hours", hours);
    page_bool(d, "large", x->large);
    return d;
}

/* done: what the clerk is told above the paper; codes: a sheet of codes waits beside it. */
static void
paper_page(struct http_request *req, const struct dossier *x, const char *template_name, struct page_data *letter,
           const char *done, bool codes)
{
    AUTO(buf_free) struct buf out = BUF_SECRET(LETTER_MAX);
    const struct mairie *m = http_app(req);
    struct page_data *d = mairie_page(req);
    struct why why = WHY_INIT;
    enum err e;

    if ((e = page_render(m->pages, template_name, x->lang, letter, &out, &why)) != OK) {
        mairie_fail(req, "paper", e, &why);
        return;
    }
    page_str(d, "id", x->id);
    page_str(d, "name", person_shown(&x->names, http_arena(req)));
    page_msg(d, "done", done);
    page_bool(d, "codes", codes);
    page_html(d, "letter", buf_view(&out));
    mairie_reply_page(req, 200, "town/paper.html", d);
}

/* --- the receipt of a card that was asked for ------------------------------------------------------------------------------ */

/* P-016: all is well when the codes are kept here and acknowledged there, not before. */
static bool
receipt_ready(struct http_request *req, const struct dossier *x, enum reopened reopened, bool *ret)
{
    struct why why = WHY_INIT;
    bool busy;
    enum err e = outbox_busy(http_pg(req), x->id, &busy, &why);

    if (e != OK)
        mairie_fail(req, "receipt", e, &why);
    *ret = (strcmp(x->state, "pending") == 0 || reopened == REOPENED_ORDERED) && !busy;
    return e == OK;
}

void
get_receipt(struct http_request *req)
{
    const struct mairie *m = http_app(req);
    enum reopened reopened;
    struct page_data *d;
    struct dossier x;
    utime at;
    bool ready;

    if (agent_with(req, ROLE_GUICHET) == NULL || !counter_dossier(req, &x) || !counter_reopened(req, &x, &reopened, &at) ||
        !receipt_ready(req, &x, reopened, &ready))
        return;
    if (x.type == TYPE_CARD && (ready || reopened != REOPENED_NOT || strcmp(x.state, "requested") == 0 ||
                                strcmp(x.state, "pending") == 0)) {
        if (!ready) {
            pending_page(req, &x);
            return;
        }
        d = letter_data(req, &x);
        at = reopened == REOPENED_NOT ? x.created_at : at;
        page_date(d, "at", at, MAIRIE_ZONE);
        page_date(d, "expected", at + m->conf.card_delay, MAIRIE_ZONE);
        paper_page(req, &x, "town/letter_receipt.html", d, "town.receipt.done", false);
        return;
    }
    mairie_go(req, dossier_path(req, x.id, ""));
}

/* --- what was done with the card in front of the clerk ---------------------------------------------------------------------- */

static void
record_paper(struct http_request *req, enum proposal_kind kind, const char *template_name, const char *done)
{
    struct why why = WHY_INIT;
    struct proposal_record r;
    struct page_data *d;
    struct dossier x;
    struct sheet s;
    bool codes;
    enum err e;

    if (agent_with(req, ROLE_GUICHET) == NULL || !counter_dossier(req, &x))
        return;
    e = proposal_record_find(http_pg(req), x.id, kind, http_arena(req), &r, &why);
    if (e == ERR_NOT_FOUND || (e == OK && strcmp(x.state, "active") != 0)) {
        mairie_go(req, dossier_path(req, x.id, "?changed=1"));
        return;
    }
    if (e == OK && (e = sheet_find(http_pg(req), x.id, http_arena(req), &s, &why)) == ERR_NOT_FOUND) {
        s.shown_at = http_now(req);
        e = OK;
    }
    if (e != OK) {
        mairie_fail(req, "paper", e, &why);
        return;
    }
    codes = kind == PROPOSAL_REACTIVATE && s.shown_at == UTIME_NULL;
    d = letter_data(req, &x);
    page_int(d, "reference", r.id);
    page_time(d, "at", r.at, MAIRIE_ZONE);
    page_msg(d, "doc_type", arena_printf(http_arena(req), "doc.%s", r.doc_type));
    page_str(d, "by", r.by);
    if (r.second[0] != '\0')
        page_str(d, "second", r.second);
    if (r.override[0] != '\0')
        page_msg(d, "override", arena_printf(http_arena(req), "card.%s", r.override));
    paper_page(req, &x, template_name, d, done, codes);
}

void
get_acceptance(struct http_request *req)
{
    record_paper(req, PROPOSAL_HAND_OVER, "town/letter_acceptance.html", "town.handover.done");
}

void
get_reactivated(struct http_request *req)
{
    record_paper(req, PROPOSAL_REACTIVATE, "town/letter_reactivated.html", "town.reactivate.done");
}
