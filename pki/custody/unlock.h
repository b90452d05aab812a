/*
 * unlock: how an activation secret comes to life in a process: share by share, from different persons, until the
 * threshold; and how it dies (P-127, L27). A pure state machine: the caller has the socket, the roles and the clock.
 *
 *     locked -- first share --> collecting -- threshold --> open
 *       ^                           |                        |
 *       +--- lock, collect_max, ----+---- lock, idle_max ----+
 *            shares that do not fit
 *
 * After a start the state is locked: nothing on a disk opens it. Times are of clock_monotonic(). One thread at a time.
 */
#ifndef PKI_CUSTODY_UNLOCK_H
#define PKI_CUSTODY_UNLOCK_H

#include "base/core/clock.h"
#include "pki/custody/role.h"
#include "pki/custody/share.h"

enum unlock_state { UNLOCK_LOCKED, UNLOCK_COLLECTING, UNLOCK_OPEN };

struct unlock_config {
    char set[SHARE_SET_LEN + 1];     /* the set that is waited for */
    int threshold, total;            /* as the authority recorded them: a share that says otherwise is refused */
    int64_t collect_max;             /* microseconds from the first share; then what was collected is wiped */
    int64_t idle_max;                /* microseconds without unlock_use(); 0: never */
};

struct unlock;
struct unlock *unlock_new(const struct unlock_config *conf) MUST_USE;
void unlock_free(struct unlock *u);              /* wipes */
DEFINE_FREEP(struct unlock, unlock_free)

/*
 * One custodian's share; its value is moved out of s, also on refusal. roles: what the person holds now.
 * ERR_INPUT: of another set, or not of this layout (code "unlock.set"). ERR_CONFLICT: open already ("unlock.open"), or
 * this person or number has given one ("unlock.twice"). ERR_DENIED: not a custodian, or with two roles that do not go
 * together, or the systems engineers would be among themselves (DOMAIN 3.2) ("unlock.role"); or at the threshold the
 * shares do not fit: all of them are wiped ("shares.wrong").
 */
MUST_USE enum err unlock_add(struct unlock *u, struct share *s, role_set roles, utime now, struct why *why);

enum unlock_state unlock_state(const struct unlock *u);
int unlock_missing(const struct unlock *u);                 /* shares still wanted; 0 when open */
/* NULL unless open. Valid until the next call that may lock. */
const struct secret *unlock_secret(const struct unlock *u);
void unlock_use(struct unlock *u, utime now);               /* the key did something: the idle time begins anew */
void unlock_lock(struct unlock *u);                         /* wipes everything */
/* Locks when a time has passed; true: it did just now. */
bool unlock_tick(struct unlock *u, utime now);

#endif
