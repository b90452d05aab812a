/* status-internal: what the files of the status process share. */
#ifndef PKI_STATUS_STATUS_INTERNAL_H
#define PKI_STATUS_STATUS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/crypto/x509_path.h"
#include "base/http/server.h"
#include "pki/authority/crl.h"
#include "pki/status/answer_cache.h"
#include "pki/status/folder.h"
#include "pki/status/journal.h"
#include "pki/status/ocsp_answer.h"
#include "pki/status/status.h"

#define HTTP_DATE_SIZE 30            /* "Sun, 06 Nov 1994 08:49:37 GMT" */
void http_date(utime t, char out[HTTP_DATE_SIZE]);
/* Strong entity tag (RFC 9110 §8.8.3) of SHA-256 of the body, with its quotes. */
void etag_make(struct str body, char out[ETAG_SIZE]);

/* --- what is offered (document.c) -------------------------------------------------------------------------------------- */

/* A list or a certificate with what its answer says of it. Made once, shared, never edited. */
struct document {
    atomic_int refs;
    char name[FOLDER_NAME_MAX];
    struct str body;
    bool mapped;                     /* by folder_map(); else of malloc */
    char etag[ETAG_SIZE];
    char modified[HTTP_DATE_SIZE];
    utime until;                     /* nextUpdate; UTIME_NULL: does not end */
};
/* Takes over body. */
struct document *document_new(const char *name, struct str body, bool mapped, utime modified, utime until) MUST_USE;
struct document *document_ref(struct document *d);
void document_drop(void *document);      /* NULL is allowed */

/* A responder's key with its certificate. */
struct responder {
    atomic_int refs;
    struct key *key;
    unsigned char key_hash[SHA1_LEN];
    char id[17];                     /* how its files are called: of the SHA-256 of its public key */
    struct buf certificate;          /* empty: none yet */
    utime from, until;
};
void responder_drop(struct responder *r);    /* NULL is allowed */

/* All that event threads look at; made anew when something changes, never edited. */
struct view {
    atomic_int refs;
    struct document **lists, **certificates;     /* by name */
    size_t nlists, ncertificates;
    struct ocsp_authority *authorities;
    struct responder **responders;   /* of each; NULL: none */
    size_t nauthorities;
};

/* --- the process --------------------------------------------------------------------------------------------------------- */

/* One list of one shard: what is in the folder. */
struct list_slot {
    char name[FOLDER_NAME_MAX];      /* "cards-g1-3-delta.crl" */
    int shard;
    bool delta;
    struct document *document;       /* NULL: none yet */
    int64_t number;                  /* 0: none */
    utime this_update, next_update;
    bool recorded;                   /* crl_published has it */
    int64_t refused;                 /* newest number that was refused; said once */
    int warned;                      /* level of what was said of its end */
};

struct authority {
    struct arena *a;                 /* what ca points to */
    struct ca ca;
    char label[CA_LABEL_SIZE];
    struct x509_trust *trust;        /* its certificate alone */
    struct ocsp_issuer issuer;
    struct document *certificate;
    struct list_slot *slots;
    size_t nslots;
    struct responder *responder;     /* the one that signs; NULL: none */
    struct responder *next;          /* key without certificate; NULL: none */
    char request[37];                /* that next waits for; "": none */
    utime asked_at;                  /* monotonic: not again before */
    bool asked_said;                 /* that no registration is there */
};

/* A look of the follower that somebody waits for (glance.c). */
struct glance {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int fd;                          /* eventfd: wakes the follower */
    uint64_t begun, seen;            /* looks that began; the newest that ended */
    utime next_at;                   /* monotonic: none that was wanted begins before */
    int waiting;
    bool good;                       /* the last one learnt all that there was */
};

#define STATUS_AUTHORITIES_MAX STATUS_CA_MAX
#define SNAPSHOT_MAX 65536           /* text of a pg_snapshot: 21 octets for each transaction that runs */
struct status_process {
    struct pki *pki;
    const struct pg_config *pg;
    char node[80];
    struct folder folder;
    struct ocsp_policy policy;
    struct status_table *table;
    struct answer_cache *cache;
    struct glance glance;
    _Atomic utime known_at;          /* when the table last had all that the database had; 0: never */

    pthread_mutex_t view_lock;
    struct view *view;

    /* of the follower alone */
    struct authority *authorities[STATUS_AUTHORITIES_MAX];
    size_t n;
    bool changed;                    /* the view is to be made anew */
    bool unsaved, unsaved_said;      /* the file of authorities is to be written; that failed, and was said */
    int refused[STATUS_AUTHORITIES_MAX];     /* ids of authorities that cannot be used */
    size_t n_refused;
    struct journal *journal;
    char snapshot[SNAPSHOT_MAX], next_snapshot[SNAPSHOT_MAX];    /* up to which changes were read; "": all are to be read */
    utime beat_at, write_again;     /* monotonic: of the states and their journal */
    utime said_at;                   /* monotonic: node */
    char said[160];
    atomic_bool stop;
    atomic_bool late;                /* some list is past its nextUpdate */
};

struct view *status_view(struct status_process *s) MUST_USE;     /* never NULL */
void status_view_drop(struct view *v);
/* Makes the view from what the follower has. */
void status_view_renew(struct status_process *s);

/* --- authorities (authority.c) ------------------------------------------------------------------------------------------- */

/* Those of the folder; a file that cannot be read is said and left alone. */
void authorities_load(struct status_process *s);
/* Those of the database. ERR_CONFLICT: the folder belongs to another database. */
MUST_USE enum err authorities_follow(struct status_process *s, struct pg *pg, struct why *why);
void authorities_done(struct status_process *s);
struct authority *authority_by_id(struct status_process *s, int id);

/* --- lists (list.c) -------------------------------------------------------------------------------------------------------- */

void lists_load(struct status_process *s, struct authority *a);
/* Takes what is newer, and says to the database what is offered. A list that is not taken is said, and no error. */
MUST_USE enum err lists_follow(struct status_process *s, struct pg *pg, struct why *why);
/* Says which lists are late; appends the worst to out, "" when none is. */
void lists_watch(struct status_process *s, utime now, char *out, size_t size);

/* --- states of certificates (state.c) ------------------------------------------------------------------------------------- */

void states_load(struct status_process *s);
MUST_USE enum err states_follow(struct status_process *s, struct pg *pg, utime now, struct why *why);
/* All are to be read again: the database was away, and may be another, or an older copy, when it is back. */
void states_forget(struct status_process *s);
/* What is not on the disk yet, at the end. */
void states_end(struct status_process *s);

/* --- keys of responders (responder.c) --------------------------------------------------------------------------------------- */

void responders_load(struct status_process *s, struct authority *a);
MUST_USE enum err responders_follow(struct status_process *s, struct pg *pg, utime now, struct why *why);

/* --- a look that is waited for (glance.c) ------------------------------------------------------------------------------------ */

void glance_init(struct glance *g);
void glance_done(struct glance *g);
/* By the follower: a look begins, and takes what woke it; it ended, and learnt all or did not. How long to leave, microseconds,
 * before a look that is only wanted. */
void glance_look_begins(struct glance *g);
void glance_look_ends(struct glance *g, bool good);
int64_t glance_apart(struct glance *g);
/* By who answers: until a look has ended that began after this call, for half a second at most; at once when the database is away
 * or enough others wait. */
void glance_wait(struct glance *g);

/* --- the follower (follow.c) ------------------------------------------------------------------------------------------------- */

void *follow_run(void *status_process);

/* --- SQL (status_store.c) ---------------------------------------------------------------------------------------------------- */

struct state_row {
    int ca_id;
    struct str serial;
    utime revoked_at;                /* UTIME_NULL: not revoked, not held */
    int reason;                      /* 0: none */
    const char *profile;
};
/* Certificates that were issued, after the given one, in the order of authority and serial number; STATE_PAGE at most. */
#define STATE_PAGE 10000
MUST_USE enum err state_store_page(struct pg *pg, int after_ca, struct str after_serial, struct pg_result **ret, struct why *why);
/* Those that changed in transactions that were not over at the snapshot. ret_snapshot: the one of this answer; *ret_back: the
 * database is another, or older. */
MUST_USE enum err state_store_changes(struct pg *pg, const char *snapshot, struct pg_result **ret, char *ret_snapshot, size_t size,
                                      bool *ret_back, struct why *why);
/* Of a page or of changes. false: no certificate in this row. */
bool state_store_row(const struct pg_result *r, int row, struct state_row *ret);
MUST_USE enum err state_store_snapshot(struct pg *pg, char *ret, size_t size, struct why *why);

struct newest_row {
    int ca_id, shard;
    bool delta;
    int64_t number;
};
/* Of each of n parts, full and delta; number 0: none. */
MUST_USE enum err list_store_newest(struct pg *pg, const int64_t *cas, const int64_t *shards, size_t n, struct pg_result **ret,
                                    struct why *why);
void list_store_row(const struct pg_result *r, int row, struct newest_row *ret);
MUST_USE enum err list_store_published(struct pg *pg, int ca_id, int shard, bool delta, int64_t number, const char *node, utime now,
                                       struct why *why);

/* The open registration of this machine's responder, of that profile; ERR_NOT_FOUND. */
MUST_USE enum err responder_store_registration(struct pg *pg, const char *profile, const char *holder, char ret[37], struct why *why);
MUST_USE enum err responder_store_ask(struct pg *pg, const char *registration, int ca_id, const char *node, struct str csr,
                                      const unsigned char spki_sha256[SHA256_LEN], utime now, char ret_request[37], struct why *why);
/* What became of the request for that key. ERR_NOT_FOUND: none. ERR_DENIED: refused, why->code. OK: der is appended to, when it
 * is issued; else out stays as it is. */
MUST_USE enum err responder_store_find(struct pg *pg, const unsigned char spki_sha256[SHA256_LEN], char ret_request[37],
                                       struct buf *out, struct why *why);

#endif
