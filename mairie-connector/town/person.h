/* person: names folded, found and compared; used by the stores of this room only. */
#ifndef MAIRIE_TOWN_PERSON_H
#define MAIRIE_TOWN_PERSON_H

#include "mairie-connector/town/dossier.h"

#define PERSON_TOKENS_MAX 512
struct person_tokens {
    int64_t list[PERSON_TOKENS_MAX];
    size_t n;
};

/* Words in capitals without accents, separated by one space: how names are compared. */
const char *person_fold(const char *name, struct arena *a);
bool person_tokens_of(const struct mairie *m, const char *folded, struct person_tokens *t);
/* Columns col … col+3: id, birth_name, usual_name, given_names. */
MUST_USE enum err person_open(const struct mairie *m, const struct pg_result *r, int row, int col, struct arena *a,
                              struct person_names *ret, struct why *why);
/* May be the same person: one surname in common, and the first given name. */
bool person_alike(const struct person_names *x, const struct person_names *y, struct arena *a);
/* Every word of the query begins a word of the names. */
bool person_has_words(const struct person_names *n, const char *folded_query, struct arena *a);

#endif
