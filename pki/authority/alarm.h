/* alarm: what a person must look at (table alarm), and what processes say of themselves (table node). */
#ifndef PKI_AUTHORITY_ALARM_H
#define PKI_AUTHORITY_ALARM_H

#include "base/core/arena.h"
#include "base/pg/pg.h"

extern const struct pg_stmts alarm_stmts;

enum alarm_level { ALARM_WARNING, ALARM_RED };
struct alarm {
    const char *kind, *object, *text;
    enum alarm_level level;
    utime raised_at;
};
/* Once: an alarm of this kind, object and level that has not ended stays as it is. ret_new (may be NULL): it is new. */
MUST_USE enum err alarm_raise(struct pg *pg, const struct alarm *alarm, utime now, bool *ret_new, struct why *why);
/* Ends those of this kind and object; object NULL: of all objects. */
MUST_USE enum err alarm_end(struct pg *pg, const char *kind, const char *object, utime now, struct why *why);
/* Those that have not ended, oldest first. */
MUST_USE enum err alarm_list(struct pg *pg, struct arena *a, struct alarm **ret, size_t *ret_n, struct why *why);

/* name: unique, "pki/signer"; state: "locked", "unlocked 2 of 3". */
MUST_USE enum err node_say(struct pg *pg, const char *name, const char *process, const char *state, utime now,
                           struct why *why);

#endif
