/*
 * trust: the authorities whose certificates sign citizens in, and their lists of revoked certificates (DOMAIN T-22).
 *
 * Each authority is an anchor of its own, with its own lists: what it says never counts for another's certificates. Its
 * use says how the keys below it are kept, and so what services are told. Of an authority of our own the state of
 * certificates stands in our own table (certificate.h); of any other a list must be there and in time. Lists are
 * fetched by a worker, from where the operator said, and kept verified in the database: no address inside a certificate is
 * ever followed, and a sign-in fetches nothing.
 *
 * A process that judges holds all of it parsed, as a snapshot with the version it was read at. Whoever judges compares
 * the version within the look-up of the account (certificate_verify()), so that an authority that was removed, or a
 * newer list, counts with the next sign-in on every node.
 */
#ifndef IDP_CREDENTIAL_TRUST_H
#define IDP_CREDENTIAL_TRUST_H

#include "base/core/arena.h"
#include "base/crypto/x509_path.h"
#include "base/pg/pg.h"

extern const struct pg_stmts trust_stmts;

enum trust_use { TRUST_SOFTWARE, TRUST_CARD };
/* "software", "card". */
const char *trust_use_name(enum trust_use use);
MUST_USE enum err trust_use_read(const char *word, enum trust_use *ret);

/* --- to judge ----------------------------------------------------------------------------------------------------- */
struct trust;
/* Loads, and looks each second whether something changed. conf outlives it. crl_grace: microseconds that a list counts
 * past its next update. */
MUST_USE enum err trust_open(const struct pg_config *conf, int64_t crl_grace, struct trust **ret, struct why *why);
void trust_close(struct trust *t);      /* NULL is allowed */
/* Loads again. ERR_UNAVAILABLE: the database does not say; what is held stays. */
MUST_USE enum err trust_load(struct trust *t, struct pg *pg, struct why *why);
/* Which uses have an authority: bits 1u << enum trust_use. NULL: none. */
unsigned trust_uses(struct trust *t);
/* The same of those whose certificates their holders may link (trust_new.link_from_session). */
unsigned trust_links(struct trust *t);
/* For http_tls.client_names: the certificates of the authorities of these uses (bits as above) as PEM when the version is
 * not `have`; returns it. */
uint64_t trust_names(struct trust *t, unsigned uses, uint64_t have, struct buf *pem);

struct trust_judged {
    enum x509_verdict verdict;
    enum trust_use use;                 /* of the authority at which the path ended; means nothing without one */
    char name[64];                      /* its name; "" when no path ended anywhere */
    bool own, has_crl, link_from_session;      /* of the same */
    int64_t version;                    /* of what was asked */
};
/* A certificate for signing in: leaf read from chain[0], others as they came along. Results as x509_path_verify(). */
MUST_USE enum err trust_judge(struct trust *t, const struct x509_cert *leaf, const struct str *chain, size_t n, utime now,
                              struct trust_judged *ret, struct why *why);

/* --- the operator's side ------------------------------------------------------------------------------------------ */
struct trust_new {
    const char *name;
    enum trust_use use;
    bool own;                           /* our own authority: a list is not needed */
    bool link_from_session;             /* who shows one of its certificates in a fresh session may link it; not with own */
    struct str pem;                     /* its certificate first; others help to find the way */
    const char *crl;                    /* "http(s)://…", "file:///…", NULL: none */
};
/* How lists are fetched. */
struct trust_fetch {
    const char *ca_file;                /* PEM for https; NULL: the system's */
    bool allow_private;                 /* private and loopback addresses may be asked */
    int64_t refresh;                    /* microseconds from one fetch to the next */
};
/*
 * Adds an authority, after its list was fetched and verified; audit row. ERR_INPUT: name, certificate or list malformed, or own and
 * link_from_session together; ERR_DENIED: no certificate of an authority, out of its time, no list though it is not our own, or a list that it did
 * not sign or that is past its time; ERR_CONFLICT: name or certificate is there already; ERR_UNAVAILABLE: the list cannot
 * be got.
 */
MUST_USE enum err trust_add(struct pg *pg, const struct trust_new *in, const struct trust_fetch *fetch, const char *actor,
                            utime now, struct why *why);
/* One more list of an authority: of a helper, or of another scope. Results as trust_add(); ERR_NOT_FOUND: no such name. */
MUST_USE enum err trust_add_crl(struct pg *pg, const char *name, const char *crl, const struct trust_fetch *fetch,
                                const char *actor, utime now, struct why *why);
/* Its certificates sign in no more, at once. ERR_NOT_FOUND: no such name. Audit row. */
MUST_USE enum err trust_remove(struct pg *pg, const char *name, const char *actor, utime now, struct why *why);

/* One line per list; an authority without one has one line. */
struct trust_row {
    const char *name, *subject;         /* subject: RFC 2253 */
    enum trust_use use;
    bool own, link_from_session;
    utime not_after;
    const char *source;                 /* "": no list */
    const char *number;                 /* hexadecimal without leading zeros; "": none got yet */
    utime next_update, fetched_at;      /* UTIME_NULL: none got yet */
    const char *problem;                /* "": none */
};
/* What is wrong with a line: "authority expired", "no list yet", "list overdue", or its problem; NULL: nothing. bad: nobody
 * signs in with its certificates. */
const char *trust_row_wrong(const struct trust_row *row, utime now, bool *ret_bad);
MUST_USE enum err trust_list(struct pg *pg, struct arena *a, struct trust_row **ret, size_t *ret_n, struct why *why);

/*
 * The worker's turn: fetches one list that is due, if there is one (*ret_done); another worker takes another. A list that
 * cannot be got, is not signed by its authority, or is older than the one kept is told in the log and in trust_list(), and
 * changes nothing else. What is past its next update is a warning each time.
 */
MUST_USE enum err trust_crl_turn(struct pg *pg, const struct trust_fetch *fetch, utime now, bool *ret_done,
                                 struct why *why);

#endif
