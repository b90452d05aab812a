/*
 * throttle: buckets that slow and never lock out (DOMAIN 2.4, T-15, T-16). Kept in PostgreSQL, so that they are right
 * across nodes. Keys are stored as keyed hashes: the table names nobody.
 */
#ifndef IDP_SIGNON_THROTTLE_H
#define IDP_SIGNON_THROTTLE_H

#include "base/crypto/seal.h"
#include "base/pg/pg.h"

extern const struct pg_stmts throttle_stmts;

struct throttle_rule {
    const char *name;       /* separates the rules' keys */
    double burst;           /* so many at once without waiting */
    double leak;            /* forgiven per second */
    double delay_first;     /* seconds: the wait after the burst; it doubles with each attempt … */
    double delay_max;       /* … up to this */
};

/* Takes one attempt. *ret_wait = 0: go on. Otherwise: not counted, try again after so many microseconds. */
MUST_USE enum err throttle_take(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule,
                                const char *key, utime now, int64_t *ret_wait, struct why *why);
struct throttle_try {
    const struct throttle_rule *rule;
    const char *key;
};
/* Takes one attempt of each in turn, up to the first that makes wait: those after it do not count it. */
MUST_USE enum err throttle_take_3(struct pg *pg, const struct keyring *pepper, const struct throttle_try tries[3],
                                  utime now, int64_t *ret_wait, struct why *why);
/* Only looks: how long the next attempt would wait. */
MUST_USE enum err throttle_waiting(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule,
                                   const char *key, utime now, int64_t *ret_wait, struct why *why);
/* The attempt was good: forget the bucket. */
MUST_USE enum err throttle_forgive(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule,
                                   const char *key, struct why *why);
/* The attempt was good: it is not counted, what was counted before stays. */
MUST_USE enum err throttle_give_back(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule,
                                     const char *key, struct why *why);
/* "192.0.2.0/24" or "2001:db8:1200::/56": the network an address is counted in (DOMAIN 2.4). */
#define IP_PREFIX_MAX 64
void ip_prefix(const char *ip, char out[IP_PREFIX_MAX]);

#endif
