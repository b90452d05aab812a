/* town: the town halls an identity provider serves (DOMAIN 2.6, D-11). */
#ifndef IDP_ACCOUNT_TOWN_H
#define IDP_ACCOUNT_TOWN_H

#include "base/core/arena.h"
#include "base/pg/pg.h"
#include "idp/account/account.h"

extern const struct pg_stmts town_stmts;

enum town_sheet { TOWN_SHEET_NEVER, TOWN_SHEET_SENSITIVE, TOWN_SHEET_ALWAYS };

struct town {
    char id[37];
    char name[64];               /* "rivemont": audit rows, themes, logs */
    const char *label_fr, *label_en, *phone, *theme;
    struct str seal_key;         /* SubjectPublicKeyInfo, P-256 */
    bool active;
    int64_t creation_life;       /* microseconds */
    enum town_sheet sheet_number;
    unsigned types;              /* bit 1 << enum account_type: what it may create */
    int64_t hold_max;            /* microseconds: a blocked account may come back so long (P-066) */
};

/* The town whose server holds this certificate (SHA-256 of its DER). ERR_NOT_FOUND: none, or withdrawn;
 * ERR_DENIED: the town is suspended (T-07). Strings are in the arena. */
MUST_USE enum err town_by_certificate(struct pg *pg, const unsigned char sha256[32], utime now, struct arena *a,
                                      struct town *ret, struct why *why);
MUST_USE enum err town_by_id(struct pg *pg, const char *id, struct arena *a, struct town *ret, struct why *why);

struct town_new {
    const char *name, *label_fr, *label_en, *phone, *theme;
    struct str seal_key;
    const char *sheet_number;    /* "never", "sensitive", "always" */
    int64_t creation_life;
    unsigned char cert_sha256[32];
    utime cert_not_after;
};
/* Adds a town, or (it exists) adds the certificate and replaces labels, seal key and policy. Audit row. */
MUST_USE enum err town_put(struct pg *pg, const struct town_new *in, const char *actor, utime now, struct why *why);
struct town_policy {
    const char *const *types;    /* names of account types; NULL: as they are */
    size_t ntypes;
    int64_t hold_max;            /* 0: as it is */
};
/* ERR_NOT_FOUND; ERR_INPUT: no such type, none at all, or hold_max outside 1 to 366 days. Audit row. */
MUST_USE enum err town_set_policy(struct pg *pg, const char *name, const struct town_policy *p, const char *actor, utime now,
                                  struct why *why);
/* "active" or "suspended": in force with the next call of the town. */
MUST_USE enum err town_set_state(struct pg *pg, const char *name, const char *state, const char *actor, utime now,
                                 struct why *why);

#endif
