/*
 * station: programs and machines that may ask for certificates of others, and revoke them (table station): the IdP, card
 * operations, a personalisation station.
 *
 *     proposed -> active <-> suspended
 *         \-----------\---------\--> ended
 *
 * What leads to `active` is signed by two persons with APPROVE_STATION (DOMAIN 3.2: one proposes a change, another approves
 * it): the proposal, which fixes what the station may do, and each return from a suspension. What takes rights away takes one
 * person and works at the next call. Rights are never edited: a station that shall do something else is another station.
 *
 * A station is known by the client certificate that we issued to it: one of a profile for programs (profile.h, USE_CLIENT_TLS)
 * whose registration has the station's name as holder (certificate.station_id). It is asked for like any other: `request add`,
 * two persons, and later by the station itself over EST.
 */
#ifndef PKI_AUTHORITY_STATION_H
#define PKI_AUTHORITY_STATION_H

#include "pki/authority/person.h"

extern const struct pg_stmts station_stmts;

enum station_state { STATION_PROPOSED, STATION_ACTIVE, STATION_SUSPENDED, STATION_ENDED };
#define STATION_NAME_MAX 63
#define STATION_LIST_MAX 1000        /* profiles or towns of one station */

struct station {
    char id[37];
    const char *name;              /* [a-z][a-z0-9-]{0,62} */
    const char *const *profiles;   /* for which it may register holders; at least one */
    size_t nprofiles;
    bool all_towns;
    const char *const *towns;      /* whose holders it may touch; none when all_towns */
    size_t ntowns;
    bool may_revoke;
    enum station_state state;
    utime added_at, suspended_at, ended_at;      /* UTIME_NULL: never */
};

const char *station_state_name(enum station_state state);
bool station_name_ok(struct str name);
bool station_has_profile(const struct station *s, const char *profile);
/* town "": of no town, which all stations may touch. */
bool station_has_town(const struct station *s, const char *town);

/* What two sign with APPROVE_STATION: who the station is, what it may do, and the state and moment from which it becomes
 * active, so that a yes is for this time alone. */
void station_text(const struct station *s, struct buf *out);
void station_subject(const struct station *s, unsigned char ret[SHA256_LEN]);

/* Proposes it: s->id is drawn by the caller, state and times are not read, added_at is `now` in whole seconds. yes: the first
 * person's, over that. ERR_INPUT: name or rights; ERR_CONFLICT, code "station.exists"; ERR_DENIED as approval_say(). */
MUST_USE enum err station_add(struct pg *pg, const struct station *s, const struct signed_yes *yes, const char *actor,
                              utime now, struct why *why);
/* One person's yes to a station that is proposed or suspended: *ret_active, two have said so and it is active.
 * ERR_NOT_FOUND, code "station.unknown"; ERR_CONFLICT, code "station.state" (active already, or ended) or
 * "approval.twice"; ERR_DENIED as approval_say(). */
MUST_USE enum err station_approve(struct pg *pg, const char *name, const struct signed_yes *yes, const char *actor, utime now,
                                  bool *ret_active, struct why *why);
/* From active. person: id of who says so; that they may is the caller's to ask. ERR_NOT_FOUND, code "station.unknown";
 * ERR_CONFLICT, code "station.state". */
MUST_USE enum err station_suspend(struct pg *pg, const char *name, const char *person, const char *actor, utime now,
                                  struct why *why);
/* For good, from every state but ended. Its certificates are not touched: revoke them. */
MUST_USE enum err station_end(struct pg *pg, const char *name, const char *person, const char *actor, utime now,
                              struct why *why);
/* One of these roles is enough. Whoever revokes by phone at night may suspend. */
#define STATION_MAY_SUSPEND                                                                                               \
    (ROLE_BIT(ROLE_SYSTEMS) | ROLE_BIT(ROLE_SERVICE_DESK) | ROLE_BIT(ROLE_SECURITY) | ROLE_BIT(ROLE_REVOCATION))
#define STATION_MAY_END (ROLE_BIT(ROLE_SYSTEMS) | ROLE_BIT(ROLE_SERVICE_DESK) | ROLE_BIT(ROLE_SECURITY))

/* ERR_NOT_FOUND, code "station.unknown". What *ret points to lives in a, as below. */
MUST_USE enum err station_find(struct pg *pg, const char *name, struct arena *a, struct station *ret, struct why *why);
/* All, by name. */
MUST_USE enum err station_list(struct pg *pg, struct arena *a, struct station **ret, size_t *ret_n, struct why *why);

/*
 * Whose client certificate is this? der: the whole certificate as TLS verified it; it is compared octet by octet with the one
 * that we issued. ERR_DENIED with code "station.unknown" (not a certificate that we issued to a station),
 * "station.certificate" (held, revoked, or its time has ended), "station.state" (the station is not active: *ret is filled
 * nevertheless, for the log); ERR_UNAVAILABLE: not known, which is a no. ret_certificate (may be NULL): its id.
 */
MUST_USE enum err station_of_certificate(struct pg *pg, struct str der, utime now, struct arena *a, struct station *ret,
                                         char ret_certificate[37], struct why *why);

#endif
