/*
 * /signon/{flow}/certificate: the main host's two steps of a sign-in by certificate: to the door, and back with a ticket.
 * The protocol is in certificate.h.
 *
 * A browser remembers which certificate it was told to send to a host, and cannot be asked to forget. Where cert.fresh_names
 * is on, each attempt goes to a name that was never used, below the one of cert.url, and the browser asks again; else the
 * pages say what to do.
 */
#include "idp/signon/certificate.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/core/secret.h"
#include "base/crypto/digest.h"

#define BINDER_COOKIE "__Host-certificate"
#define BINDER_LIFE_S 3600
#define FRESH_LABEL 13                      /* characters: 64 random bits */

static bool
cookie_ok(const char *token)
{
    return token != NULL && strlen(token) == BINDER_LEN;
}

static const char *
binder_of(struct http_request *req, const char *token)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(64);
    unsigned char digest[32];

    token_digest(token, digest);
    base64url_encode(&text, digest, sizeof(digest));
    return arena_strdup(http_arena(req), buf_cstr(&text));
}

const char *
certificate_tail(const struct idp *idp, bool card)
{
    return card && idp->conf.cert_card_url[0] != '\0' ? "/certificate?door=" CARD_DOOR : "/certificate";
}

bool
certificate_at_card_door(const struct http_request *req)
{
    const char *door = http_query(req, "door");

    return door != NULL && strcmp(door, CARD_DOOR) == 0;
}

/* The door's address for one attempt: "https://certificat.example", or a name of its own below it. */
static const char *
door_url(struct http_request *req, bool card)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    const struct idp *idp = http_app(req);
    const char *url = card && idp->conf.cert_card_url[0] != '\0' ? idp->conf.cert_card_url : idp->conf.cert_url;
    const char *host = strstr(url, "://");
    char label[FRESH_LABEL + 1];
    unsigned char random[FRESH_LABEL];

    if (!idp->conf.cert_fresh_names || host == NULL)
        return url;
    rand_bytes(random, sizeof(random));
    for (size_t i = 0; i < FRESH_LABEL; i++)
        label[i] = letters[random[i] & 31];
    label[FRESH_LABEL] = '\0';
    return arena_printf(http_arena(req), "%.*s://%s.%s", (int)(host - url), url, label,
                        host + 3);
}

/* Is it a flow that signs nobody in? */
static bool
for_show(const struct idp *idp, const struct flow *f)
{
    const struct signon_dialect *dialect = signon_dialect_find(idp, f->dialect);

    return dialect != NULL && dialect->shown != NULL;
}

void
get_signon_flow_certificate(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const char *cookie = http_cookie(req, BINDER_COOKIE);
    bool card = certificate_at_card_door(req);
    char fresh[64];
    struct flow f;

    if (!signon_flow_load(req, &f))
        return;
    if ((signon_methods_offered(idp) & (METHOD_SOFT_CERT | METHOD_CARD)) == 0 ||
        (signon_session_good_for(http_session(req), &f) && !for_show(idp, &f))) {
        http_reply_redirect(req, signon_flow_url(req, &f, ""));
        return;
    }
    if (!cookie_ok(cookie)) {
        rand_token(TOKEN_BYTES, fresh, sizeof(fresh));
        cookie = fresh;
        http_cookie_set(req, BINDER_COOKIE, fresh, BINDER_LIFE_S, "Lax");
    }
    http_reply_redirect(req, arena_printf(http_arena(req), "%s/certificate/%s?k=%s%s", door_url(req, card), f.token,
                                          binder_of(req, cookie), card ? "&door=" CARD_DOOR : ""));
}

/* --- pages ------------------------------------------------------------------------------------------------------------ */

/* What happened, and what to do next. again: another try may do better. */
static const struct {
    const char *message, *advice;
    bool again, choice;                     /* choice: the browser may have remembered which one to send */
} words[] = {
    [CERTIFICATE_GOOD] = { "signon.certificate.stale", "signon.certificate.stale_do", true, false },
    [CERTIFICATE_NONE] = { "signon.certificate.none", "signon.certificate.none_do", true, true },
    [CERTIFICATE_UNREADABLE] = { "signon.certificate.unreadable", "signon.certificate.other_do", true, true },
    [CERTIFICATE_FUTURE] = { "signon.certificate.future", "signon.certificate.future_do", true, false },
    [CERTIFICATE_EXPIRED] = { "signon.certificate.expired", "signon.certificate.expired_do", true, true },
    [CERTIFICATE_FOREIGN] = { "signon.certificate.foreign", "signon.certificate.other_do", true, true },
    [CERTIFICATE_AUTHORITY] = { "signon.certificate.authority", "signon.certificate.authority_do", false, false },
    [CERTIFICATE_REVOKED] = { "signon.certificate.revoked", "signon.certificate.revoked_do", true, true },
    [CERTIFICATE_HELD] = { "signon.certificate.held", "signon.certificate.held_do", true, true },
    [CERTIFICATE_STATUS] = { "signon.certificate.status", "signon.certificate.status_do", true, false },
    [CERTIFICATE_UNFIT] = { "signon.certificate.unfit", "signon.certificate.other_do", true, true },
    [CERTIFICATE_UNKNOWN] = { "signon.certificate.unknown", "signon.certificate.unknown_do", true, true },
    [CERTIFICATE_PENDING] = { "signon.certificate.pending", "signon.certificate.pending_do", false, false },
    [CERTIFICATE_BLOCKED] = { "signon.certificate.blocked", "signon.certificate.blocked_do", false, false },
    [CERTIFICATE_CLOSED] = { "signon.certificate.closed", "signon.certificate.closed_do", false, false },
    [CERTIFICATE_WEAK] = { "signon.certificate.weak", "signon.certificate.weak_do", true, true },
};
_Static_assert(ARRAY_LEN(words) == CERTIFICATE_OUTCOMES, "each outcome has its words");

static int
status_of(enum credential_outcome o)
{
    return o == CERTIFICATE_STATUS ? 503 : o == CERTIFICATE_GOOD ? 410 : 403;
}

static void
outcome_page(struct http_request *req, const struct flow *f, enum credential_outcome o, bool card)
{
    const struct idp *idp = http_app(req);
    struct page_data *d = idp_page(req);

    page_msg(d, "message", words[o].message);
    page_msg(d, "advice", words[o].advice);
    if (words[o].again)
        page_str(d, "again_url", signon_flow_url(req, f, certificate_tail(idp, card)));
    page_bool(d, "remembered", words[o].choice && !idp->conf.cert_fresh_names);
    page_str(d, "other_url", signon_flow_url(req, f, ""));
    if (f->service_id != 0)
        page_str(d, "cancel_url", signon_flow_url(req, f, "/cancel"));
    idp_reply_page(req, status_of(o), "signon/certificate.html", d);
}

/* --- the way back ------------------------------------------------------------------------------------------------------ */

/* Of this flow, of this browser, and not older than `most`? Why not, for the log; NULL: it is. */
static const char *
ticket_problem(struct http_request *req, const struct certificate_ticket *t, const struct flow *f, int64_t most)
{
    const struct idp *idp = http_app(req);
    const char *cookie = http_cookie(req, BINDER_COOKIE), *k;
    int64_t age = http_now(req) - t->at;

    if (strcmp(t->flow_id, f->id) != 0)
        return "of another flow";
    if (!cookie_ok(cookie))
        return "in a browser without its cookie";
    k = binder_of(req, cookie);
    if (!mem_equal_ct(k, strlen(k), t->binder, strlen(t->binder)))
        return "of another browser";
    return age < -idp->conf.cert_ticket_life || age > most ? "out of its time" : NULL;
}

/* --- shown for something else than a sign-in ------------------------------------------------------------------------------ */

static struct signon_shown
shown_of(struct http_request *req, const struct certificate_ticket *t, const struct flow *f, const char *ticket)
{
    return (struct signon_shown){ .token = arena_printf(http_arena(req), "%s/%s", f->token, ticket), .ticket_id = t->id,
                                  .at = t->at, .outcome = t->outcome, .account_id = t->account_id, .own = t->own,
                                  .linkable = t->linkable, .card_door = t->card_door, .certificate = t->shown };
}

enum err
signon_shown_open(struct http_request *req, const char *dialect, const char *token, int64_t most, struct str *ret_state,
                  struct signon_shown *ret, struct why *why)
{
    struct str rest, first = str_split(str_of(token), '/', &rest);
    const char *ticket = arena_str(http_arena(req), rest.p != NULL ? rest : STR_LIT("")), *problem;
    struct certificate_ticket t;
    struct flow f;

    if (flow_open(http_app(req), arena_str(http_arena(req), first), http_arena(req), &f, why) != OK ||
        strcmp(f.dialect, dialect) != 0 || certificate_ticket_open(http_app(req), ticket, http_arena(req), &t, why) != OK)
        return why_code(why, ERR_DENIED, "certificate.ticket", "the form has no ticket of ours");
    if ((problem = ticket_problem(req, &t, &f, most)) != NULL)
        return why_code(why, ERR_DENIED, "certificate.ticket", "the ticket is %s", problem);
    *ret_state = f.state;
    *ret = shown_of(req, &t, &f, ticket);
    return OK;
}

struct visit {
    struct http_request *req;
    const struct certificate_ticket *ticket;
    enum signon_method method;
    int32_t service_id;
};

static enum err
visit_body(struct pg *pg, void *arg, struct why *why)
{
    const struct visit *v = arg;
    const struct idp *idp = http_app(v->req);
    enum err e;

    /* The mark outlives the ticket, however far apart the clocks of two nodes may be. */
    e = credential_redeem(pg, v->ticket->id, v->ticket->certificate_id, v->ticket->at + 4 * idp->conf.cert_ticket_life, why);
    if (e != OK)
        return e;
    return authn_event_add(pg, v->ticket->account_id, "ok", v->method, v->service_id, http_peer(v->req),
                           http_now(v->req), why);
}

static void
sign_in(struct http_request *req, const struct flow *f, const struct certificate_ticket *t)
{
    enum signon_method method = t->use == TRUST_CARD ? METHOD_CARD : METHOD_SOFT_CERT;
    struct visit visit = { req, t, method, f->service_id };
    struct why why = WHY_INIT;
    enum err e;

    if (f->accept != METHOD_ANY && (f->accept & method) == 0) {
        outcome_page(req, f, CERTIFICATE_WEAK, (f->accept & METHOD_CARD) != 0);
        return;
    }
    e = session_start(req, t->account_id, method, visit_body, &visit, &why);
    if (e == OK) {
        http_reply_redirect(req, signon_flow_url(req, f, "/go"));
        return;
    }
    LOG_WARN_EV("signon.certificate", LF_ERR(e), LF_WHY(&why));
    if (e != ERR_DENIED)
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
    else
        outcome_page(req, f, strcmp(why.code, "certificate.ticket") == 0 ? CERTIFICATE_GOOD : CERTIFICATE_BLOCKED,
                     t->card_door);
}

static void
shown(struct http_request *req, const struct flow *f, const struct certificate_ticket *t, const char *ticket, const char *problem)
{
    const struct signon_dialect *dialect = signon_dialect_find(http_app(req), f->dialect);
    struct signon_shown s;

    if (problem != NULL) {
        LOG_WARN_EV("signon.ticket", LF_STR("problem", problem));
        dialect->shown(req, f->state, NULL);
        return;
    }
    s = shown_of(req, t, f, ticket);
    dialect->shown(req, f->state, &s);
}

/* A flow that is there to try a certificate (idp/issuing) makes it and its account active: its holder has the key. */
static bool
tried(struct http_request *req, const struct flow *f, const struct certificate_ticket *t)
{
    const struct signon_dialect *dialect = signon_dialect_find(http_app(req), f->dialect);
    struct why why = WHY_INIT;
    enum err e;

    if (t->outcome != CERTIFICATE_PENDING || dialect == NULL || dialect->certificate == NULL)
        return false;
    if ((e = dialect->certificate(req, f->state, t->account_id, t->certificate_id, &why)) != OK)
        LOG_WARN_EV("signon.certificate", LF_ERR(e), LF_WHY(&why));
    return e == OK;
}

void
get_signon_flow_certificate_ticket(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const char *ticket = http_path_param(req, "ticket"), *problem;
    struct certificate_ticket t;
    struct why why = WHY_INIT;
    struct flow f;
    enum err e;

    if (!signon_flow_load(req, &f))
        return;
    e = certificate_ticket_open(idp, ticket, http_arena(req), &t, &why);
    problem = e == OK ? ticket_problem(req, &t, &f, idp->conf.cert_ticket_life) : "not one of ours";
    if (for_show(idp, &f)) {
        shown(req, &f, e == OK ? &t : NULL, ticket, problem);
        return;
    }
    /* Back or reload after a good one: the session it made goes on. */
    if ((problem != NULL || t.outcome == CERTIFICATE_GOOD) && signon_session_good_for(http_session(req), &f)) {
        http_reply_redirect(req, signon_flow_url(req, &f, "/go"));
        return;
    }
    if (problem != NULL) {
        LOG_WARN_EV("signon.ticket", LF_STR("problem", problem));
        outcome_page(req, &f, CERTIFICATE_GOOD, e == OK && t.card_door);
        return;
    }
    if (t.outcome == CERTIFICATE_GOOD || tried(req, &f, &t))
        sign_in(req, &f, &t);
    else
        outcome_page(req, &f, t.outcome, t.card_door);
}
