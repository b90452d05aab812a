/* card: what the hand-over and the reactivation of a card have in common. */
#ifndef MAIRIE_TOWN_CARD_H
#define MAIRIE_TOWN_CARD_H

#include "mairie-connector/town/counter.h"

/* The dossier of the path, a card's, that agent may act on; replies and returns false otherwise: not_card is the
 * sentence for other kinds of account, which say what to do instead. */
bool card_dossier(struct http_request *req, const char *not_card, struct dossier *ret);
/* Fills the data of partials/card.html: what was typed before, "" the first time. */
void card_fill(struct http_request *req, struct page_data *d, const char *certificate, const char *override);
/* Reads and checks its fields into p; what is wrong goes into d. */
bool card_read(struct http_request *req, struct page_data *d, struct proposal *p);
/* The reference of the last such act, when the account is open because of it: the second click, the Back button. Shows
 * its paper and returns true. */
bool card_was_done(struct http_request *req, const struct dossier *x, enum proposal_kind kind);

#endif
