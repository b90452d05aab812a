/* doctor: what `beffroi-pki doctor` asks the database (doctor_store.c). */
#ifndef PKI_OPERATOR_DOCTOR_H
#define PKI_OPERATOR_DOCTOR_H

#include "base/pg/pg.h"

struct doctor_state {
    utime clock;                      /* the database's own */
    int64_t dead;                     /* jobs given up */
    int64_t overdue;                  /* jobs due for long that nobody took */
    char overdue_kind[65];            /* of the oldest of them, "": none */
    int64_t unsealed;                 /* audit rows that should be sealed by now */
};
/* due_before, sealed_before: on the programs' clock. */
MUST_USE enum err doctor_store_look(struct pg *pg, utime due_before, utime sealed_before, struct doctor_state *ret, struct why *why);
/* Rows: name, process, state, seen_at. */
MUST_USE enum err doctor_store_nodes(struct pg *pg, struct pg_result **ret, struct why *why);
/* Of each authority that issues, a row: label, the newest end of a good certificate of that profile, or NULL. */
MUST_USE enum err doctor_store_responders(struct pg *pg, const char *profile, struct pg_result **ret, struct why *why);
/* Of each active station, a row: name, the newest end of a good client certificate, or NULL. */
MUST_USE enum err doctor_store_stations(struct pg *pg, struct pg_result **ret, struct why *why);

/* The role of this connection: its name, and whether it may do anything (superuser, or the schema's owner). */
extern const struct pg_stmts doctor_role_stmts;
MUST_USE enum err doctor_store_role(struct pg *pg, struct pg_result **ret, struct why *why);

#endif
