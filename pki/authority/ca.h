/*
 * ca: the certification authorities of this operator (tables ca, ca_cross, custodian).
 *
 * A renewed CA is a new generation with a key and a name of its own; lists and addresses are per generation (PKI trap 7).
 *
 *     ceremony -> active -> retiring -> ended
 *                    \----------\--> compromised
 */
#ifndef PKI_AUTHORITY_CA_H
#define PKI_AUTHORITY_CA_H

#include "base/core/arena.h"
#include "base/pg/pg.h"
#include "pki/custody/share.h"

extern const struct pg_stmts ca_stmts;

enum ca_state { CA_CEREMONY, CA_ACTIVE, CA_RETIRING, CA_ENDED, CA_COMPROMISED };
#define CA_NAME_MAX 31
#define CA_LIFE_YEARS_MAX 10       /* P-138 */
#define CA_KEY_ID_LEN 20

struct ca {
    int id;                        /* 0: not stored yet */
    const char *name;              /* "root", "cards" */
    int generation;                /* from 1 */
    bool root;
    int issuer_id;                 /* 0: of a root */
    enum ca_state state;
    struct str subject;            /* Name, DER */
    struct str serial;             /* of its certificate */
    struct str spki;
    struct str key_id;             /* CA_KEY_ID_LEN octets: its certificate's subjectKeyIdentifier */
    struct str certificate;        /* DER */
    const char *key_uri;           /* vault.h; "offline" for a root whose medium is in a safe */
    char set_id[37];               /* activation secret: custodians of it */
    utime not_before, not_after;   /* both included */
    int shards;
    int64_t crl_period, crl_life;  /* microseconds */
    bool delta;
};

const char *ca_state_name(enum ca_state state);            /* as in the column */
bool ca_name_ok(struct str name);
/* "cards-g1": what its files and addresses are called: /ca/cards-g1.cer, /crl/cards-g1.crl, /crl/cards-g1-3.crl. */
#define CA_LABEL_SIZE 48
void ca_label(const char *name, int generation, char out[CA_LABEL_SIZE]);

/* Inserts it (ca->id is not read); ret_id is the new one. ERR_CONFLICT (code "ca.exists"): name and generation, or the key,
 * are there. Inside a transaction or not. */
MUST_USE enum err ca_add(struct pg *pg, const struct ca *ca, utime now, int *ret_id, struct why *why);
/* generation 0: the newest. ERR_NOT_FOUND. What *ret points to lives in a, as below. */
MUST_USE enum err ca_find(struct pg *pg, const char *name, int generation, struct arena *a, struct ca *ret, struct why *why);
MUST_USE enum err ca_by_id(struct pg *pg, int id, struct arena *a, struct ca *ret, struct why *why);
/* All, roots first, then by name and generation. */
MUST_USE enum err ca_list(struct pg *pg, struct arena *a, struct ca **ret, size_t *ret_n, struct why *why);
/* Along the arrows above only. ERR_CONFLICT: it is not in a state that leads there. */
MUST_USE enum err ca_state_change(struct pg *pg, int id, enum ca_state to, utime now, struct why *why);

struct ca_cross {
    int ca_id, issuer_id;
    struct str certificate;
    utime not_after;
};
/* One that is there already stays. */
MUST_USE enum err ca_cross_add(struct pg *pg, const struct ca_cross *cross, struct why *why);
MUST_USE enum err ca_cross_list(struct pg *pg, struct arena *a, struct ca_cross **ret, size_t *ret_n, struct why *why);

/* A list that an offline root signed in a ceremony; a number that is there already stays as it is. */
struct ca_root_list {
    int ca_id;
    int64_t number;
    utime this_update, next_update;
    int entries;
    struct str der;
};
MUST_USE enum err ca_root_list_put(struct pg *pg, const struct ca_root_list *list, utime now, struct why *why);

/* --- who keeps which share (custodian_store.c) ----------------------------------------------------------------- */
extern const struct pg_stmts custodian_stmts;
struct custodian {
    char set_id[37];
    int number, threshold, total;
    char person[37];               /* id */
    const char *name;              /* of the person */
    unsigned char sha256[SHA256_LEN];    /* share_seal() */
};
/* A share of that number that is there already, ended or not, stays as it is. ERR_CONFLICT (code "custodian.exists"):
 * another share of this person. */
MUST_USE enum err custodian_add(struct pg *pg, const struct custodian *c, utime now, struct why *why);
/* The custodians of a set who have not ended, by number. */
MUST_USE enum err custodian_list(struct pg *pg, const char *set_id, struct arena *a, struct custodian **ret, size_t *ret_n,
                                 struct why *why);
/* All shares of the set are void: the secret was destroyed or split anew. */
MUST_USE enum err custodian_end(struct pg *pg, const char *set_id, utime now, struct why *why);

/* --- records (ceremony_store.c) --------------------------------------------------------------------------------- */
extern const struct pg_stmts ceremony_stmts;
struct ceremony_row {
    char id[37];
    const char *kind, *ca_name;
    struct str record;             /* text */
    utime at;
};
struct ceremony_sign {
    const char *name;
    struct str public_key, signature;
};
/* Inside a transaction or not; the second time with the same id and record is OK and changes nothing. */
MUST_USE enum err ceremony_add(struct pg *pg, const struct ceremony_row *row, const struct ceremony_sign *signs, size_t n,
                               struct why *why);
MUST_USE enum err ceremony_find(struct pg *pg, const char *id, struct arena *a, struct ceremony_row *ret,
                                struct ceremony_sign **ret_signs, size_t *ret_n, struct why *why);

#endif
