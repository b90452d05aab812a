/* counter: the pages of the town's server. One endpoint, one file; what several share is here. */
#ifndef MAIRIE_TOWN_COUNTER_H
#define MAIRIE_TOWN_COUNTER_H

#include "mairie-connector/town/agent.h"
#include "mairie-connector/town/dossier.h"
#include "mairie-connector/town/proposal.h"

extern const struct http_routes counter_routes;

void get_login(struct http_request *req);
void post_login(struct http_request *req);
void post_logout(struct http_request *req);
void get_today(struct http_request *req);
void get_new(struct http_request *req);
void get_form(struct http_request *req);
void post_form(struct http_request *req);
void get_homonym(struct http_request *req);
void post_homonym(struct http_request *req);
void get_preview(struct http_request *req);
void post_preview(struct http_request *req);
void get_search(struct http_request *req);
void get_dossier(struct http_request *req);
void get_pending(struct http_request *req);
void get_print(struct http_request *req);
void post_print(struct http_request *req);
void get_reissue(struct http_request *req);
void post_reissue(struct http_request *req);
void get_block(struct http_request *req);
void post_block(struct http_request *req);
void get_authz(struct http_request *req);
void post_authz(struct http_request *req);
void get_close(struct http_request *req);
void post_close(struct http_request *req);
void get_reopen(struct http_request *req);
void post_reopen(struct http_request *req);
void get_cancel(struct http_request *req);
void post_cancel(struct http_request *req);
void get_approve(struct http_request *req);
void post_approve(struct http_request *req);
void get_handover(struct http_request *req);
void post_handover(struct http_request *req);
void get_reactivate(struct http_request *req);
void post_reactivate(struct http_request *req);
void get_receipt(struct http_request *req);
void get_acceptance(struct http_request *req);
void get_reactivated(struct http_request *req);
void get_audit(struct http_request *req);

/* Which procedures this agent may begin: "card_on", "password_on", "certificate_on" of partials/procedures.html. */
void procedures_fill(struct http_request *req, struct page_data *d);
/* The dossier of the path; replies and returns false when there is none. */
bool counter_dossier(struct http_request *req, struct dossier *ret);
/* The same, at a POST: with the identity fields read. false: it replied. */
struct identity {
    const char *doc_type, *doc_expiry;
};
/* Fills the data of partials/identity.html. */
void identity_fill(struct page_data *d, const char *doc_type, const char *doc_expiry);
/* Reads and checks the fields; what is wrong goes into d. */
bool identity_read(struct http_request *req, struct page_data *d, struct identity *ret);
bool identity_check(const char *doc_type, const char *doc_expiry, utime now, struct page_data *d);
/* Sends what was just put into the outbox, so that the clerk need not wait; what fails waits there. */
void counter_send_now(struct http_request *req, const char *key);
/* "/dossier/<id><rest>" */
const char *dossier_path(struct http_request *req, const char *id, const char *rest);
/* The number of the account in groups: the list "number", none before the IdP has answered. */
void number_fill(struct page_data *d, const struct dossier *x);
/* "It is kept here and on its way": asks again by itself (print.c). */
void pending_page(struct http_request *req, const struct dossier *x);
/* The paper that the citizen takes home: "/print", or of a card "/receipt". */
const char *paper_of(const struct dossier *x);
/* State in words, for lists and pages: name "state" and "state_name". */
void dossier_state_fill(struct page_data *d, const struct dossier *x, struct arena *a);
/* The latest proposal of a dossier; *ret_open: it waits or is on its way. With none, p->state is "". Replies and returns
 * false when it cannot be read. */
bool counter_proposal(struct http_request *req, const struct dossier *x, struct proposal *ret, bool *ret_open);
/* Whether something may be proposed: the dossier is in one of two states, nothing is proposed or on its way. Replies and
 * returns false otherwise. */
bool propose_may(struct http_request *req, const struct dossier *x, const char *state, const char *or_state);
#define REOPEN_TIME (30 * USEC_PER_DAY)     /* as the IdP's ACCOUNT_REOPEN_TIME */
/* Proposes p (kind, reason, items) and, where one agent is enough, sends it; replies. identity: what was seen, or NULL. */
void propose_run(struct http_request *req, const struct agent *agent, const struct dossier *x, struct proposal *p,
                 const struct identity *identity);
/* A card whose account was closed by error and is blocked now: the closing took its codes and its certificate, so that another
 * card is ordered, with which it comes back. */
enum reopened {
    REOPENED_NOT,                  /* another kind of account, another state, or only blocked */
    REOPENED_BARE,                 /* no card is ordered yet */
    REOPENED_ORDERED,              /* its new codes are here */
};
/* *ret_at: when it was ordered, if it was. Replies and returns false when it cannot be read. */
bool counter_reopened(struct http_request *req, const struct dossier *x, enum reopened *ret, utime *ret_at);
/* Dates of the form: "2026-12-31" of the last moment of a day, "" for UTIME_NULL. */
const char *date_of(utime t, struct arena *a);
/* Starts new codes (reissue.c); replies. */
void reissue_run(struct http_request *req, const struct agent *agent, const struct dossier *x);
/* What may be done over, and what is told where nothing may. */
void reissue_page(struct http_request *req, const struct dossier *x);

#endif
