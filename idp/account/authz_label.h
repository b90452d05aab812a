/*
 * authz_label: what a town calls its authorisations, as its server tells us (PUT /v1/authorisations of the town door).
 *
 * Accounts and services know codes only ("peut_emprunter"); labels are for a person to read. A page reads all of its
 * town at once, then looks each code up:
 *
 *     struct authz_labels labels;
 *     e = authz_labels_of(pg, account.town_id, arena, &labels, why);
 *     page_str(item, "label", authz_label(&labels, authz.code, http_lang(req)));
 */
#ifndef IDP_ACCOUNT_AUTHZ_LABEL_H
#define IDP_ACCOUNT_AUTHZ_LABEL_H

#include "base/core/arena.h"
#include "base/pg/pg.h"

extern const struct pg_stmts authz_label_stmts;

struct authz_label {
    const char *code;
    const char *label_fr, *label_en;
};
struct authz_labels {
    struct authz_label *list;
    size_t n;
};
/* All labels of a town, into the arena; none when the town has told us nothing yet. Text from outside, of one line: to be
 * escaped where it is written, as any other. */
MUST_USE enum err authz_labels_of(struct pg *pg, const char *town_id, struct arena *a, struct authz_labels *ret,
                                  struct why *why);
/* The label of the code id in lang ("en"; anything else is French); id itself when the town has told none. Never NULL, lives
 * as long as labels and id. */
const char *authz_label(const struct authz_labels *labels, const char *id, const char *lang);
/* The whole list of a town, codes distinct; what is not in it is forgotten. Idempotent: *ret_changed tells whether
 * anything did. In the caller's transaction. */
MUST_USE enum err authz_labels_put(struct pg *pg, const char *town_id, const struct authz_label *list, size_t n,
                                   utime now, bool *ret_changed, struct why *why);

#endif
