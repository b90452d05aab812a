/* verify_signatures: what persons signed: approvals by themselves, and what needs two of them. */
#include "pki/operator/verify-internal.h"

#include <stdio.h>

#include "pki/authority/request.h"
#include "pki/authority/station.h"

#define NIL "00000000-0000-0000-0000-000000000000"
#define ARENA_MAX ((size_t)16 << 20)

/* --- each approval ------------------------------------------------------------------------------------------------------------ */

static void
approval_look(struct verify *v, const struct pg_result *r, int i)
{
    const struct approval a = { .public_key = pg_str(r, i, 4), .signature = pg_str(r, i, 5), .at = pg_time(r, i, 6) };
    const struct str subject = pg_str(r, i, 0);
    enum approval_act act;
    char object[128];

    v->approvals++;
    snprintf(object, sizeof(object), "approval:%.30s/%s", pg_text(r, i, 3), pg_text(r, i, 2));
    if (approval_act_parse(pg_str(r, i, 3), &act) != OK)
        verify_say(v, "approval.act", object, "an act that this program does not know");
    else if (approval_verify(&a, act, (const unsigned char *)subject.p, NULL) != OK)
        verify_say(v, "approval.signature", object, "the signature is not theirs, or over something else");
}

static enum err
approvals_verify(struct verify *v, struct why *why)
{
    char person[37] = NIL, after[SHA256_LEN];
    struct str last = { after, 0 };
    int rows;

    do {
        AUTO(pg_result_freep) struct pg_result *r = NULL;
        const enum err e = verify_page_approvals(v->pg, last, person, &r, why);

        if (e != OK)
            return e;
        rows = pg_rows(r);
        for (int i = 0; i < rows; i++)
            approval_look(v, r, i);
        if (rows > 0) {
            memcpy(after, pg_str(r, rows - 1, 0).p, SHA256_LEN);
            last.n = SHA256_LEN;
            pg_uuid(r, rows - 1, 1, person);
        }
    } while (rows == VERIFY_PAGE);
    return OK;
}

/* --- what needs two ------------------------------------------------------------------------------------------------------------ */

/* How many persons' good signatures are there for that subject? Whether they had the roles was asked when it counted. */
static enum err
signed_by(struct verify *v, enum approval_act act, const unsigned char subject[SHA256_LEN], const char *not_by, const char *also_by,
          struct arena *a, size_t *ret, bool *ret_also, struct why *why)
{
    struct approval *list = NULL;
    size_t n = 0, good = 0;
    enum err e;

    if ((e = approval_load(v->pg, act, subject, v->now, a, &list, &n, why)) != OK)
        return e;
    *ret_also = also_by == NULL;
    for (size_t i = 0; i < n; i++) {
        if ((not_by != NULL && strcmp(list[i].person, not_by) == 0) || approval_verify(&list[i], act, subject, NULL) != OK)
            continue;
        good++;
        *ret_also = *ret_also || strcmp(list[i].person, also_by) == 0;
    }
    *ret = good;
    return OK;
}

static enum err
grants_verify(struct verify *v, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(4 * ARENA_MAX);
    struct grant *list;
    size_t n;
    enum err e;

    if ((e = grant_list(v->pg, NULL, a, &list, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        const char *object = arena_printf(a, "grant:%s", list[i].id);
        unsigned char subject[SHA256_LEN];
        size_t good;
        bool proposer;

        v->grants++;
        if (list[i].proposer[0] == '\0')
            continue;                   /* declared in a ceremony: its record is signed */
        grant_subject(&list[i], subject);
        if ((e = signed_by(v, APPROVE_ROLE_GRANT, subject, list[i].person, list[i].proposer, a, &good, &proposer, why)) != OK)
            return e;
        if (!proposer || (list[i].approved && good < 2))
            verify_say(v, "grant.signature", object, "what the row grants is not what was signed");
    }
    return OK;
}

static enum err
stations_verify(struct verify *v, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(4 * ARENA_MAX);
    struct station *list;
    size_t n;
    enum err e;

    if ((e = station_list(v->pg, a, &list, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        const bool was_active = list[i].state == STATION_ACTIVE || list[i].state == STATION_SUSPENDED;
        unsigned char subject[SHA256_LEN];
        struct station proposed = list[i];
        size_t good;
        bool all;

        v->stations++;
        proposed.state = STATION_PROPOSED;
        station_subject(&proposed, subject);
        if ((e = signed_by(v, APPROVE_STATION, subject, NULL, NULL, a, &good, &all, why)) != OK)
            return e;
        if (good < (was_active ? 2 : 1))
            verify_say(v, "station.signature", arena_printf(a, "station:%s", list[i].name), "what the row lets it do is not what was signed");
    }
    return OK;
}

static enum err
request_look(struct verify *v, const char *id, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    AUTO(buf_free) struct buf names = BUF_SECRET(REGISTRATION_SUBJECT_MAX);
    const struct profile *p;
    unsigned char subject[SHA256_LEN];
    struct registration r;
    struct request q;
    struct subject s;
    size_t good;
    bool all;
    enum err e;

    if ((e = request_find(v->pg, id, a, &q, why)) != OK || (e = registration_find(v->pg, q.registration, a, &r, why)) != OK)
        return e;
    v->requests++;
    p = profile_set_find(&v->pki->profiles, str_of(r.profile));
    if (p == NULL || p->approvals == 0)
        return OK;
    /* identified anew since: the registration that two approved is not there any more */
    if (r.subject.p == NULL || (r.proof_at != UTIME_NULL && r.proof_at > q.received_at)) {
        v->unproven++;
        return OK;
    }
    if (registration_open(v->pki->field, &r, a, &s, NULL) != OK) {
        verify_say(v, "registration.names", arena_printf(a, "registration:%s", r.id), "its names cannot be opened");
        return OK;
    }
    registration_subject_text(&s, &names);
    request_subject(&q, &r, buf_view(&names), subject);
    if ((e = signed_by(v, APPROVE_REQUEST, subject, NULL, NULL, a, &good, &all, why)) != OK)
        return e;
    if (good < 2)
        verify_say(v, "request.signature", arena_printf(a, "request:%s", id), "what was asked for is not what two approved");
    return OK;
}

static enum err
requests_verify(struct verify *v, struct why *why)
{
    char last[37] = NIL;
    int rows;

    do {
        AUTO(pg_result_freep) struct pg_result *r = NULL;
        enum err e;

        if ((e = verify_page_requests(v->pg, last, &r, why)) != OK)
            return e;
        rows = pg_rows(r);
        for (int i = 0; i < rows; i++) {
            pg_uuid(r, i, 0, last);
            if ((e = request_look(v, last, why)) != OK)
                return e;
        }
    } while (rows == VERIFY_PAGE);
    return OK;
}

enum err
verify_signatures(struct verify *v, struct why *why)
{
    enum err e;

    if ((e = approvals_verify(v, why)) != OK || (e = grants_verify(v, why)) != OK || (e = stations_verify(v, why)) != OK)
        return e;
    return requests_verify(v, why);
}
