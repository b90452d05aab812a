/*
 * session: signed-in browsers.
 *
 * The cookie is 256 random bits; the table keeps its SHA-256. A proof always makes a new session: an older one of the
 * same person in the same browser hands its services over and ends. Ending a session is one pass for both dialects:
 * its tokens are looked at together with it, and every service it answered gets a notice job.
 */
#include "idp/signon/signon-internal.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/core/secret.h"
#include "base/crypto/digest.h"
#include "base/pg/audit.h"
#include "base/pg/job.h"
#include "idp/account/account.h"

#define NOTICE_LIFE (24 * USEC_PER_HOUR)
#define ANSWERS_AT_ONCE 1000            /* closed in one transaction: what a request or a job can hold */

bool
session_cookie_digest(const struct http_request *req, unsigned char ret[32])
{
    const char *token = http_cookie(req, SESSION_COOKIE);

    if (token == NULL || strlen(token) != (TOKEN_BYTES * 8 + 5) / 6)
        return false;
    token_digest(token, ret);
    return true;
}

enum err
session_load(struct http_request *req, struct why *why)
{
    struct idp *idp = http_app(req);
    struct session *s = arena_alloc(http_arena(req), sizeof(*s));
    utime now = http_now(req), idle;
    enum err e;

    if (!session_cookie_digest(req, s->digest))
        return ERR_DENIED;
    e = session_store_find(http_pg(req), s->digest, now, s, &idle, why);
    if (e == ERR_NOT_FOUND)
        return ERR_DENIED;
    if (e != OK)
        return e;
    if (idle < now + idp->conf.session_idle - SESSION_TOUCH &&
        (e = session_store_touch(http_pg(req), s->digest, now + idp->conf.session_idle, why)) != OK)
        return e;
    http_session_set(req, s);
    return OK;
}

/* --- start ------------------------------------------------------------------------------------------------------- */

struct start_arg {
    struct session session;
    const unsigned char *old;          /* digest of this browser's former session, NULL: none */
    const struct session *carries;     /* whose proof this one carries on; NULL: the proof is new */
    struct arena *arena;
    utime now, idle_until, abs_until;
    pg_tx_body also;                   /* NULL: none */
    void *also_arg;
};

static enum err digest_notices(struct pg *pg, const struct session *s, int32_t by, utime now, struct arena *a,
                               struct session_participant **ret, size_t *ret_n, struct why *why);

static enum err
start_body(struct pg *pg, void *arg, struct why *why)
{
    struct start_arg *s = arg;
    struct session former;
    struct session_participant *told;
    size_t ntold;
    utime idle;
    bool was_live;
    enum err e;

    if ((e = session_store_insert(pg, &s->session, s->now, s->idle_until, s->abs_until, why)) != OK ||
        (s->carries != NULL && (e = session_still(pg, s->carries, s->now, why)) != OK) ||
        (s->also != NULL && (e = s->also(pg, s->also_arg, why)) != OK))
        return e;
    if (s->old == NULL)
        return OK;
    e = session_store_find(pg, s->old, s->now, &former, &idle, why);
    if (e == ERR_NOT_FOUND)
        return OK;
    if (e != OK)
        return e;
    if (strcmp(former.account_id, s->session.account_id) == 0)
        e = session_store_move(pg, s->old, s->session.digest, why);
    else
        e = digest_notices(pg, &former, 0, s->now, s->arena, &told, &ntold, why);
    if (e != OK)
        return e;
    return session_store_end(pg, s->old, "replaced", s->now, &was_live, why);
}

static enum err
start(struct http_request *req, const struct session *as, const struct session *carries, pg_tx_body also, void *arg, struct why *why)
{
    struct idp *idp = http_app(req);
    unsigned char old[32];
    char token[TOKEN_BYTES * 2];
    struct start_arg s = { .session = *as, .carries = carries, .now = http_now(req), .arena = http_arena(req), .also = also, .also_arg = arg };
    enum err e;

    rand_token(TOKEN_BYTES, token, sizeof(token));
    token_digest(token, s.session.digest);
    s.idle_until = s.now + idp->conf.session_idle;
    s.abs_until = s.session.auth_time + idp->conf.session_max;
    s.old = session_cookie_digest(req, old) ? old : NULL;
    if ((e = pg_tx(http_pg(req), start_body, &s, why)) == OK)
        http_cookie_set(req, SESSION_COOKIE, token, -1, "Lax");
    mem_wipe(token, sizeof(token));
    return e;
}

enum err
session_start(struct http_request *req, const char *account_id, unsigned method, pg_tx_body also, void *arg,
              struct why *why)
{
    struct session s = { .method = method, .auth_time = http_now(req) };

    snprintf(s.account_id, sizeof(s.account_id), "%s", account_id);
    return start(req, &s, NULL, also, arg, why);
}

enum err
session_strengthen(struct http_request *req, unsigned methods, struct why *why)
{
    const struct session *now = http_session(req);
    struct session s = *now;

    s.method |= methods;
    return start(req, &s, now, NULL, NULL, why);
}

/* --- end ------------------------------------------------------------------------------------------------------------ */

/* One job per answer; the worker turns it into a logout message of the service's dialect where there is one. The
 * payload is "<service id> <name id> <session index>". */
static enum err
notices_add(struct pg *pg, const struct session_participant *list, size_t n, int32_t by, utime now, struct arena *a,
            struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        const struct session_participant *p = &list[i];
        const char *payload;
        enum err e;

        if (p->service_id == by)
            continue;
        payload = arena_printf(a, "%d %s %s", (int)p->service_id, p->name_id, p->session_index);
        if ((e = job_add(pg, SIGNON_NOTICE_JOB, p->session_index, str_of(payload), now, now, NOTICE_LIFE, why)) != OK)
            return e;
    }
    return OK;
}

/* More answers than one piece holds: the worker closes the others, of sessions that are no longer live. */
static enum err
rest_later(struct pg *pg, const char *account_id, size_t n, utime now, struct arena *a, struct why *why)
{
    const char *key;

    if (n < ANSWERS_AT_ONCE)
        return OK;
    key = arena_printf(a, "%s:%lld", account_id, (long long)now);
    return job_add(pg, ACCOUNT_LEFT_JOB, key, str_of(account_id), now, now, NOTICE_LIFE, why);
}

static enum err
digest_notices(struct pg *pg, const struct session *s, int32_t by, utime now, struct arena *a, struct session_participant **ret,
               size_t *ret_n, struct why *why)
{
    enum err e;

    if ((e = session_store_participants(pg, s->digest, ANSWERS_AT_ONCE, now, a, ret, ret_n, why)) != OK ||
        (e = notices_add(pg, *ret, *ret_n, by, now, a, why)) != OK)
        return e;
    return rest_later(pg, s->account_id, *ret_n, now, a, why);
}

enum err
session_end_others(struct pg *pg, const struct session *keep, const char *reason, utime now, struct arena *a,
                   int64_t *ret_n, struct why *why)
{
    struct session_participant *list;
    size_t n;
    enum err e;

    /* Whoever makes a session meanwhile has the account's row shared: it is made before this, and seen, or not made (start_body(),
     * login_stands()). And of two who end each other's one is first. */
    if ((e = account_lock(pg, keep->account_id, why)) != OK || (e = session_still(pg, keep, now, why)) != OK ||
        (e = session_store_end_others(pg, keep, reason, now, ret_n, why)) != OK ||
        (e = session_store_participants_of_account(pg, keep->account_id, ANSWERS_AT_ONCE, now, a, &list, &n, why)) != OK ||
        (e = notices_add(pg, list, n, 0, now, a, why)) != OK)
        return e;
    return rest_later(pg, keep->account_id, n, now, a, why);
}

enum err
session_still(struct pg *pg, const struct session *s, utime now, struct why *why)
{
    bool still = false;
    enum err e = session_store_still(pg, s->digest, now, &still, why);

    return e != OK || still ? e : why_code(why, ERR_DENIED, "session.ended", "the session was ended meanwhile");
}

struct left_arg {
    const char *account_id;
    utime now;
    size_t n;
};

static enum err
left_body(struct pg *pg, void *arg, struct why *why)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1024 * 1024);
    struct left_arg *x = arg;
    struct session_participant *list;
    enum err e;

    e = session_store_participants_of_account(pg, x->account_id, ANSWERS_AT_ONCE, x->now, arena, &list, &x->n, why);
    return e != OK ? e : notices_add(pg, list, x->n, 0, x->now, arena, why);
}

enum err
session_account_left_job(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64 * 1024);
    struct left_arg x = { .account_id = arena_str(arena, job->payload), .now = clock_now() };
    enum err e;

    (void)arg;
    /* However many answers there are, each turn is a bounded piece; what is done stays done. */
    do
        e = pg_tx(pg, left_body, &x, why);
    while (e == OK && x.n == ANSWERS_AT_ONCE);
    return e;
}

struct end_arg {
    const unsigned char *digest;
    const char *account_id;
    const char *reason;
    int32_t by;
    utime now;
    struct arena *arena;
    struct session_participant *told;
    size_t ntold;
};

static enum err
end_body(struct pg *pg, void *arg, struct why *why)
{
    struct end_arg *x = arg;
    struct session s;
    utime idle;
    bool was_live;
    char object[64];
    enum err e;

    x->told = NULL;
    x->ntold = 0;
    e = session_store_find(pg, x->digest, x->now, &s, &idle, why);
    if (e == ERR_NOT_FOUND)
        return OK;
    if (e != OK)
        return e;
    if ((e = session_store_end(pg, x->digest, x->reason, x->now, &was_live, why)) != OK || !was_live)
        return e;
    if ((e = digest_notices(pg, &s, x->by, x->now, x->arena, &x->told, &x->ntold, why)) != OK)
        return e;
    snprintf(object, sizeof(object), "account:%s", s.account_id);
    return audit_add(pg, &(struct audit_entry){ .at = x->now, .actor = "citizen", .role = "", .verb = "session.end",
                                                .object = object, .result = "ok", .detail = "{}" }, why);
}

static enum err
end_digest(struct http_request *req, const unsigned char digest[32], int32_t by, struct session_participant **ret,
           size_t *ret_n, struct why *why)
{
    struct end_arg x = { .digest = digest, .reason = by == 0 ? "logout" : "service logout", .by = by,
                         .now = http_now(req), .arena = http_arena(req) };
    enum err e = pg_tx(http_pg(req), end_body, &x, why);

    if (e == OK) {
        *ret = x.told;
        *ret_n = x.ntold;
    }
    return e;
}

enum err
session_end(struct http_request *req, int32_t by, struct session_participant **ret, size_t *ret_n, struct why *why)
{
    unsigned char digest[32];
    enum err e;

    *ret = NULL;
    *ret_n = 0;
    if (!session_cookie_digest(req, digest))
        return OK;
    if ((e = end_digest(req, digest, by, ret, ret_n, why)) == OK)
        http_cookie_clear(req, SESSION_COOKIE);
    return e;
}

/* The session index of ours is "<base64url of the request key>.<random>": its first half is the row's key. */
static enum err
end_by_index(struct http_request *req, int32_t service_id, const char *name_id, const char *session_index,
             struct session_participant **ret, size_t *ret_n, struct why *why)
{
    AUTO(buf_free) struct buf key = BUF_BOUNDED(64);
    unsigned char digest[32];
    struct str rest, head = str_split(str_of(session_index), '.', &rest);
    enum err e;

    if (rest.p == NULL || base64url_decode(head, &key) != OK)
        return why_code(why, ERR_NOT_FOUND, "session.unknown", "the session index is not one of ours");
    if ((e = session_store_by_index(http_pg(req), service_id, buf_view(&key), name_id, session_index, digest, why)) !=
        OK)
        return e;
    return end_digest(req, digest, service_id, ret, ret_n, why);
}

enum err
session_end_by_index(struct http_request *req, int32_t service_id, const char *name_id, const char *session_index,
                     struct session_participant **ret, size_t *ret_n, struct why *why)
{
    struct idp *idp = http_app(req);
    unsigned char(*digests)[32];
    size_t n;
    enum err e;

    *ret = NULL;
    *ret_n = 0;
    if (session_index != NULL)
        return end_by_index(req, service_id, name_id, session_index, ret, ret_n, why);
    /* saml-core 3.7.1: without an index every session of this subject with this service ends. */
    e = session_store_by_name(http_pg(req), service_id, name_id, http_now(req) - idp->conf.session_max,
                              http_arena(req), &digests, &n, why);
    if (e != OK)
        return e;
    if (n == 0)
        return why_code(why, ERR_NOT_FOUND, "session.unknown", "no such session of this service");
    for (size_t i = 0; i < n; i++) {
        if ((e = end_digest(req, digests[i], service_id, ret, ret_n, why)) != OK)
            return e;
    }
    return OK;
}
