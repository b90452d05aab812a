/* doctor: what `beffroi-idp doctor` asks the database (doctor_store.c). */
#ifndef IDP_OPERATOR_DOCTOR_H
#define IDP_OPERATOR_DOCTOR_H

#include "base/core/clock.h"
#include "base/pg/pg.h"

extern const struct pg_stmts doctor_stmts;

struct doctor_state {
    utime clock;                      /* the database's own */
    int64_t web, notifier;            /* processes seen lately */
    int64_t dead;                     /* jobs given up */
    int64_t overdue;                  /* jobs due for long that nobody took */
    char overdue_kind[65];            /* of the oldest of them, "": none */
    int64_t unsealed;                 /* audit rows that should be sealed by now */
};
/* seen_since, due_before, sealed_before: on the programs' clock. */
MUST_USE enum err doctor_store_look(struct pg *pg, utime seen_since, utime due_before, utime sealed_before,
                                    struct doctor_state *ret, struct why *why);

#endif
