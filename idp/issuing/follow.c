/*
 * follow: what the authority tells of its certificates becomes the state of ours, whoever changed it there.
 *
 * A worker asks every few seconds; which one is settled by a row. While the authority does not answer, what it told last counts for
 * pki.state_life (idp/credential/certificate.c looks at known_until), so that people go on signing in, and not for ever.
 */
#include "idp/issuing/issuing-internal.h"

#include <stdio.h>

#include "base/core/log.h"
#include "idp/account/contact.h"

#define ARENA (32 << 20)
#define PERIOD (3 * USEC_PER_SEC)
#define BUSY (60 * USEC_PER_SEC)             /* another worker leaves it alone */
#define LEFT_LIFE (24 * USEC_PER_HOUR)

/* --- states -------------------------------------------------------------------------------------------------------------- */

struct set {
    const char *id, *state;
    utime now;
};

static enum err
set_body(struct pg *pg, void *arg, struct why *why)
{
    const struct set *s = arg;
    char account_id[37] = "", key[80];
    bool left;
    enum err e;

    if ((e = certificate_store_set_state(pg, s->id, s->state, s->now, account_id, &left, why)) != OK || !left)
        return e;
    /* The schema has ended the sessions; the services they had answered are told by the worker. */
    snprintf(key, sizeof(key), "certificate:%s:%s", s->id, s->state);
    return job_add(pg, ACCOUNT_LEFT_JOB, key, str_of(account_id), s->now, s->now, LEFT_LIFE, why);
}

enum err
certificate_state_set(struct pg *pg, const char *certificate_id, const char *state, utime now, struct why *why)
{
    struct set s = { certificate_id, state, now };

    return pg_tx(pg, set_body, &s, why);
}

/* NULL: it says nothing to us. issued and active: whether it was delivered is ours to know, and only a hold comes back. */
static const char *
state_of(const char *told)
{
    if (strcmp(told, "held") == 0 || strcmp(told, "revoked") == 0)
        return told;
    return strcmp(told, "active") == 0 || strcmp(told, "issued") == 0 ? "active" : NULL;
}

/* Not asked for by us: a card, or what the operator linked. Its authority's name for itself stands nowhere here, so the certificate is
 * looked at. Most that is told is of nobody here; what comes to life matters only where something of ours is on hold. */
static enum err
apply_linked(struct idp *idp, struct pg *pg, const char *ca, const char *serial, const char *state, utime now, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    struct authority_certificate whole;
    struct own_certificate own;
    bool any = true;
    enum err e;

    if (strcmp(state, "active") == 0 && ((e = certificate_store_linked_held(pg, &any, why)) != OK || !any))
        return e;
    e = authority_certificate(idp->authority, ca, serial, a, &whole, why);
    if (e == OK && (e = x509_read(whole.der, &cert, why)) == OK)
        e = certificate_store_linked(pg, &cert, &own, why);
    if (e == ERR_NOT_FOUND)
        return OK;
    return e != OK || !own_certificate_is(&own, &cert) ? e : certificate_state_set(pg, own.id, state, now, why);
}

static enum err
apply(struct idp *idp, struct pg *pg, const char *ca, const char *serial, const char *told, utime now, struct why *why)
{
    const char *state = state_of(told);
    char id[37];
    enum err e;

    if (state == NULL)
        return OK;
    e = certificate_store_by_serial(pg, ca, serial, id, why);
    if (e == ERR_NOT_FOUND)
        return apply_linked(idp, pg, ca, serial, state, now, why);
    return e != OK ? e : certificate_state_set(pg, id, state, now, why);
}

static enum err
look_at_linked(struct idp *idp, struct pg *pg, struct arena *a, utime now, struct why *why)
{
    struct own_certificate *list;
    size_t n;
    enum err e = certificate_store_linked_live(pg, a, &list, &n, why);

    for (size_t i = 0; e == OK && i < n; i++) {
        AUTO(arena_freep) struct arena *own = arena_new(1 << 20);
        AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
        struct authority_certificate c;

        e = authority_certificate(idp->authority, NULL, list[i].serial, own, &c, why);
        if (e == ERR_NOT_FOUND)              /* another authority's */
            e = OK;
        else if (e == OK && (e = x509_read(c.der, &cert, why)) == OK && own_certificate_is(&list[i], &cert) &&
                 state_of(c.state) != NULL)
            e = certificate_state_set(pg, list[i].id, state_of(c.state), now, why);
    }
    return e;
}

/* The cursor is older than what the authority keeps: each of ours is asked for by itself. */
static enum err
look_at_each(struct idp *idp, struct pg *pg, struct arena *a, utime now, struct why *why)
{
    struct enrolment *list;
    size_t n;
    enum err e = certificate_store_live(pg, a, &list, &n, why);

    for (size_t i = 0; e == OK && i < n; i++) {
        AUTO(arena_freep) struct arena *own = arena_new(1 << 20);
        struct authority_certificate c;

        e = authority_certificate(idp->authority, list[i].ca, list[i].serial, own, &c, why);
        if (e == ERR_NOT_FOUND) {
            LOG_ERROR_EV("certificate.lost", LF_STR("ca", list[i].ca), LF_STR("serial", list[i].serial));
            e = OK;
        } else if (e == OK) {
            e = apply(idp, pg, list[i].ca, list[i].serial, c.state, now, why);
        }
    }
    return e != OK ? e : look_at_linked(idp, pg, a, now, why);
}

static enum err
take_page(struct idp *idp, struct pg *pg, const char *cursor, struct arena *a, utime now, const char **ret_next, bool *ret_more,
          struct why *why)
{
    struct authority_change *list;
    size_t n;
    enum err e = authority_changes(idp->authority, cursor, a, &list, &n, ret_next, ret_more, why);

    if (e == ERR_NOT_FOUND && strcmp(why->code, "changes.gone") == 0) {
        *ret_next = "";
        *ret_more = true;
        return look_at_each(idp, pg, a, now, why);
    }
    for (size_t i = 0; e == OK && i < n; i++)
        e = apply(idp, pg, list[i].ca, list[i].serial, list[i].state, now, why);
    return e;
}

enum err
issuing_follow(struct idp *idp, struct pg *pg, utime now, bool *ret_done, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA);
    struct why reason = WHY_INIT;
    const char *cursor, *next;
    bool more = false;
    enum err e;

    *ret_done = false;
    if (idp->authority == NULL)
        return OK;
    e = authority_state_take(pg, now, now + BUSY, a, &cursor, why);
    if (e == ERR_NOT_FOUND)
        return OK;
    if (e != OK)
        return e;
    if ((e = take_page(idp, pg, cursor, a, now, &next, &more, &reason)) == OK) {
        *ret_done = more;
        return authority_state_seen(pg, next, now, more ? now : now + PERIOD, now + idp->conf.pki_state_life, why);
    }
    LOG_WARN_EV("authority.changes", LF_ERR(e), LF_WHY(&reason));
    return authority_state_problem(pg, reason.text[0] != '\0' ? reason.text : err_name(e), why);
}

/* --- the house ---------------------------------------------------------------------------------------------------------------- */

struct drop {
    const char *account_id;
    utime now;
};

static enum err
drop_body(struct pg *pg, void *arg, struct why *why)
{
    const struct drop *d = arg;
    char payload[80];
    int64_t n;
    enum err e;

    if ((e = account_lock(pg, d->account_id, why)) != OK ||
        (e = enrolment_store_drop_others(pg, d->account_id, NULL, d->now, &n, why)) != OK || n == 0)
        return e;
    snprintf(payload, sizeof(payload), "%s %lld", d->account_id, (long long)d->now);
    return job_add(pg, ISSUING_TIDY_JOB, payload, str_of(payload), d->now, d->now, 7 * USEC_PER_DAY, why);
}

/* 30 and 7 days before the end, once each; the key of the job says which. */
static enum err
ending_tell(struct idp *idp, struct pg *pg, const struct ending *x, struct arena *a, utime now, struct why *why)
{
    const int days = x->not_after - now <= 7 * USEC_PER_DAY ? 7 : 30;
    const char *mail;
    enum err e = contact_find(pg, idp->field, x->account_id, a, &mail, why);

    if (e != OK)
        return e == ERR_NOT_FOUND ? OK : e;
    return mail_job_add(idp, pg, arena_printf(a, "ending.%s.%d", x->certificate_id, days),
                        &(struct mail_out){ .template_name = "mail/ending.txt", .subject_key = "mail.ending.subject", .to = mail,
                                            .link = arena_printf(a, "%s/ma-page/certificat", idp->conf.base_url),
                                            .lang = x->lang, .at = x->not_after },
                        now, why);
}

enum err
issuing_keep_house(struct idp *idp, struct pg *pg, utime now, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA);
    struct ending *ends;
    char **ids;
    size_t n;
    enum err e;

    if ((e = enrolment_store_stale(pg, now - 2 * ISSUING_REDO_TIME, a, &ids, &n, why)) != OK)
        return e;
    for (size_t i = 0; e == OK && i < n; i++)
        e = pg_tx(pg, drop_body, &(struct drop){ ids[i], now }, why);
    if (e != OK || (e = certificate_store_ending(pg, now, now + 30 * USEC_PER_DAY, a, &ends, &n, why)) != OK)
        return e;
    for (size_t i = 0; e == OK && i < n; i++)
        e = ending_tell(idp, pg, &ends[i], a, now, why);
    return e;
}
