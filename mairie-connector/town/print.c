/*
 * /dossier/{id}/print, /dossier/{id}/pending: the sheet, shown once (P-037…P-039): of a new account, or, of an open one, its new
 * codes (P-065, A-18).
 *
 * A GET shows whether there is a sheet and changes nothing; the POST opens the codes, moves the blocking code into the
 * vault, erases the rest and shows the sheet, in that order: a sheet that was shown is never lost to us, and a reload
 * finds it shown.
 */
#include "mairie-connector/town/counter.h"

#include "mairie-connector/town/codes.h"
#include "mairie-connector/town/outbox.h"

#define LETTER_MAX (256 * 1024)

/* --- while there is none --------------------------------------------------------------------------------------------- */

void
pending_page(struct http_request *req, const struct dossier *x)
{
    struct page_data *d = mairie_page(req);

    page_str(d, "id", x->id);
    page_str(d, "name", person_shown(&x->names, http_arena(req)));
    page_bool(d, "card", x->type == TYPE_CARD);
    http_header_add(req, "Refresh", "5");      /* without script; the answer may have come */
    mairie_reply_page(req, 200, "town/pending.html", d);
}

static void
ready_page(struct http_request *req, const struct dossier *x)
{
    struct page_data *d = mairie_page(req);

    page_str(d, "id", x->id);
    page_str(d, "name", person_shown(&x->names, http_arena(req)));
    page_bool(d, "codes", strcmp(x->state, "active") == 0);
    mairie_reply_page(req, 200, "town/sheet.html", d);
}

/* The sheet, or a reply. */
static bool
sheet_or_reply(struct http_request *req, const struct dossier *x, struct sheet *ret)
{
    struct why why = WHY_INIT;
    bool busy = false;
    enum err e;

    if (x->type == TYPE_CARD && strcmp(x->state, "active") != 0) {      /* its codes are in its letter */
        mairie_go(req, dossier_path(req, x->id, "/receipt"));
        return false;
    }
    if ((e = outbox_busy(http_pg(req), x->id, &busy, &why)) == OK)
        e = sheet_find(http_pg(req), x->id, http_arena(req), ret, &why);
    if (e == ERR_NOT_FOUND && !busy && strcmp(x->state, "requested") != 0)
        mairie_go(req, dossier_path(req, x->id, ""));
    else if (e == ERR_NOT_FOUND || (e == OK && busy && ret->shown_at != UTIME_NULL))
        pending_page(req, x);
    else if (e != OK)
        mairie_fail(req, "print", e, &why);
    else
        return true;
    return false;
}

void
get_pending(struct http_request *req)
{
    struct dossier x;

    if (agent_with(req, ROLE_GUICHET) != NULL && counter_dossier(req, &x))
        mairie_go(req, dossier_path(req, x.id, "/print"));
}

void
get_print(struct http_request *req)
{
    struct dossier x;
    struct sheet s;

    if (agent_with(req, ROLE_GUICHET) == NULL || !counter_dossier(req, &x) || !sheet_or_reply(req, &x, &s))
        return;
    if (s.shown_at == UTIME_NULL)
        ready_page(req, &x);
    else
        reissue_page(req, &x);
}

/* --- the letter ---------------------------------------------------------------------------------------------------------- */

static void
code_fill(struct page_data *d, const char *name, const char *spelled_name, enum code_kind kind, const char *folded,
          const char *lang)
{
    AUTO(buf_free) struct buf spelled = BUF_SECRET(1024);
    char shown[CODE_SHOWN_MAX];

    code_shown(kind, folded, shown);
    page_code(d, name, shown);
    code_spelling(folded, lang, &spelled);
    page_str(d, spelled_name, buf_cstr(&spelled));
    mem_wipe(shown, sizeof(shown));
}

static enum err
qr_fill(struct page_data *d, const char *address, const char *folded, struct arena *a, struct why *why)
{
    AUTO(buf_free) struct buf svg = BUF_SECRET(64 * 1024);
    char shown[CODE_SHOWN_MAX];
    enum err e;

    code_shown(CODE_CREATION, folded, shown);
    if ((e = page_qr(arena_printf(a, "mailto:%s?subject=%s", address, shown), "mailto", &svg, why)) == OK)
        page_html(d, "qr", (struct str){ arena_dup(a, svg.data, svg.len), svg.len });
    return e;
}

/* What every sheet says. */
static struct page_data *
letter_data(struct http_request *req, const struct dossier *x, const struct codes *c)
{
    const struct mairie *m = http_app(req);
    struct page_data *d = page_data_new(http_arena(req));

    page_str(d, "town", m->conf.town);
    page_str(d, "theme", m->conf.theme);
    page_str(d, "block_url", m->conf.block_url);
    code_fill(d, "revocation", "revocation_spelled", CODE_REVOCATION, c->revocation, x->lang);
    if (m->conf.phone[0] != '\0')
        page_str(d, "phone", m->conf.phone);
    page_bool(d, "large", x->large);
    return d;
}

/* Of an account that is open: the codes of the paper before are dead. The reactivation code of a card is on none (K1). */
static enum err
codes_render(struct http_request *req, const struct dossier *x, const struct codes *c, struct buf *out, struct why *why)
{
    const struct mairie *m = http_app(req);
    struct page_data *d = letter_data(req, x, c);
    char shown[CODE_SHOWN_MAX];

    page_bool(d, "card", x->type == TYPE_CARD);
    if (c->reactivation_pin[0] != '\0') {
        code_shown(CODE_REACTIVATION, c->reactivation_pin, shown);
        page_code(d, "pin", shown);
        mem_wipe(shown, sizeof(shown));
    }
    return page_render(m->pages, "town/letter_codes.html", x->lang, d, out, why);
}

static enum err
letter_render(struct http_request *req, const struct dossier *x, const struct codes *c, struct buf *out,
              struct why *why)
{
    const struct mairie *m = http_app(req);
    struct page_data *d = letter_data(req, x, c);
    struct arena *a = http_arena(req);
    enum err e;

    page_str(d, "mail_address", m->conf.mail_address);
    code_fill(d, "creation", "creation_spelled", CODE_CREATION, c->creation, x->lang);
    page_date(d, "expires", c->creation_until, MAIRIE_ZONE);
    if ((e = qr_fill(d, m->conf.mail_address, c->creation, a, why)) != OK)
        return e;
    if (c->sheet[0] != '\0')
        page_str(d, "sheet", c->sheet);
    page_bool(d, "certificate", x->type == TYPE_SOFT);
    return page_render(m->pages, "town/letter.html", x->lang, d, out, why);
}

struct show_arg {
    const struct mairie *m;
    const struct dossier *x;
    const struct sheet *s;
    const struct codes *c;
    const char *agent_id;
    utime now;
};

static enum err
show_body(struct pg *pg, void *arg, struct why *why)
{
    const struct show_arg *w = arg;
    enum err e;

    if ((e = sheet_shown(pg, w->x->id, w->s->key, w->agent_id, w->now, why)) != OK ||
        (e = codes_keep(w->m, pg, w->x->id, ESCROW_REVOCATION, w->c->revocation, w->now, why)) != OK)
        return e;
    return counter_audit(pg, w->agent_id, "guichet", "dossier.printed", w->x->handle, "ok", w->now, why);
}

static enum err
show(struct http_request *req, const struct agent *agent, const struct dossier *x, const struct sheet *s,
     struct buf *letter, struct why *why)
{
    struct codes c;
    struct show_arg w = { http_app(req), x, s, &c, agent->id, http_now(req) };
    enum err e;

    if ((e = codes_open(http_app(req), s, &c, why)) != OK)
        return e;
    e = c.creation[0] == '\0' ? codes_render(req, x, &c, letter, why) : letter_render(req, x, &c, letter, why);
    if (e == OK)
        e = pg_tx(http_pg(req), show_body, &w, why);
    codes_wipe(&c);
    return e;
}

void
post_print(struct http_request *req)
{
    AUTO(buf_free) struct buf letter = BUF_SECRET(LETTER_MAX);
    const struct agent *agent = agent_with(req, ROLE_GUICHET);
    const char *act = http_form(req, "do");
    struct why why = WHY_INIT;
    struct page_data *d;
    struct dossier x;
    struct sheet s;
    enum err e;

    if (agent == NULL || !counter_dossier(req, &x) || !sheet_or_reply(req, &x, &s))
        return;
    if (act != NULL && strcmp(act, "reissue") == 0) {
        reissue_run(req, agent, &x);
        return;
    }
    e = s.shown_at != UTIME_NULL ? ERR_CONFLICT : show(req, agent, &x, &s, &letter, &why);
    if (e == ERR_CONFLICT) {
        mairie_go(req, dossier_path(req, x.id, "/print"));
        return;
    }
    if (e != OK) {
        mairie_fail(req, "print", e, &why);
        return;
    }
    d = mairie_page(req);
    page_str(d, "id", x.id);
    page_str(d, "name", person_shown(&x.names, http_arena(req)));
    page_html(d, "letter", buf_view(&letter));
    mairie_reply_page(req, 200, "town/print.html", d);
}
