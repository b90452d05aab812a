/*
 * jobs: what the authority hears of accounts and certificates: blocks (K2), acceptance (P-121), what was dropped. All are
 * idempotent: the key of a call to POST /revocations follows from the job's payload and the certificate, so that a repeated job
 * is answered as the first.
 *
 * A job may run late, after another one of the same account: what it is about is taken from the account as it is now. A
 * suspension that was undone suspends nothing any more; a resumption of an account that is blocked again resumes nothing.
 *
 * A certificate of the account may be another authority's, with a serial number that is one of ours too: it is ours when the
 * authority gives a certificate of that number with the very key.
 */
#include "idp/issuing/issuing-internal.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/secret.h"

#define ARENA (8 << 20)

/* --- what becomes of an account ------------------------------------------------------------------------------------------ */

static const struct act {
    const char *word, *act, *reason;
    bool on_active, on_blocked;    /* is it still wanted, as the account is now? */
} acts[] = {
    { "suspend", "suspend", NULL, false, true },
    { "compromise", "revoke", "key_compromise", true, true },       /* back with another card: the one before it is meant */
    { "end", "revoke", "cessation_of_operation", true, true },      /* new codes may have opened the account since */
    { "resume", "resume", NULL, true, false },
};

struct order {
    const struct act *act;
    char account_id[37];
    utime at;
};

static enum err
order_read(struct str payload, struct order *ret, struct why *why)
{
    struct str rest, at, id = str_split(payload, ' ', &rest), word = str_split(rest, ' ', &at);
    struct order o = { .act = NULL };

    for (size_t i = 0; rest.p != NULL && i < ARRAY_LEN(acts); i++)
        if (str_eqs(word, acts[i].word))
            o.act = &acts[i];
    if (id.n != 36 || o.act == NULL || at.p == NULL || str_to_i64(at, 0, INT64_MAX, &o.at) != OK)
        return why_set(why, ERR_INTERNAL, "the payload is not one of ours");
    memcpy(o.account_id, id.p, id.n);
    *ret = o;
    return OK;
}

/* Idempotency-Key: 43 characters of its alphabet. */
static const char *
call_key(struct arena *a, struct str payload, const char *serial)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(64);
    const char *value = arena_printf(a, "%.*s %s", (int)payload.n, payload.p, serial);
    unsigned char digest[SHA256_LEN];

    sha256(str_of(value), digest);
    base64url_encode(&text, digest, sizeof(digest));
    return arena_strdup(a, buf_cstr(&text));
}

bool
own_certificate_is(const struct own_certificate *c, const struct x509_cert *cert)
{
    unsigned char digest[SHA256_LEN];

    sha256(buf_view(&cert->spki), digest);
    return mem_equal_ct(digest, sizeof(digest), c->spki_sha256, SHA256_LEN);
}

static bool
is_ours(struct str der, const struct own_certificate *c)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    struct why ignored = WHY_INIT;

    return der.p != NULL && x509_read(der, &cert, &ignored) == OK && own_certificate_is(c, &cert);
}

/* The state of our row when the authority did that; NULL: as it is. */
static const char *
state_after(const char *outcome)
{
    if (strcmp(outcome, "held") == 0)
        return "held";
    if (strcmp(outcome, "revoked") == 0 || strcmp(outcome, "revocation.final") == 0)
        return "revoked";
    return strcmp(outcome, "released") == 0 ? "active" : NULL;
}

/* Suspended twice, resumed twice, revoked already: what is wanted is so. */
static bool
is_calm(const char *outcome)
{
    return strcmp(outcome, "revocation.already") == 0 || strcmp(outcome, "revocation.nothing") == 0 ||
           strcmp(outcome, "revocation.final") == 0 || strcmp(outcome, "revocation.state") == 0;
}

static enum err
act_on(struct idp *idp, struct pg *pg, const struct account *account, const struct order *o, const struct own_certificate *c,
       struct str payload, struct arena *a, struct why *why)
{
    struct authority_certificate there = { .ca = NULL };
    struct authority_act act = { .act = o->act->act, .reason = o->act->reason, .requester = "holder",
                                 .requester_ref = account->handle, .key = call_key(a, payload, c->serial) };
    const char *outcome, *state;
    bool refused;
    enum err e = authority_certificate(idp->authority, NULL, c->serial, a, &there, why);

    if (e == ERR_NOT_FOUND || (e == OK && !is_ours(there.der, c)))
        return OK;                 /* another authority's: we have no say */
    if (e != OK)
        return e;
    act.ca = there.ca;
    act.serial = there.serial;
    if ((e = authority_act(idp->authority, &act, a, &outcome, &refused, why)) != OK)
        return e == ERR_DENIED && str_starts(str_of(why->code), "approval.") ? ERR_UNAVAILABLE : e;
    if (refused && !is_calm(outcome))
        LOG_WARN_EV("certificate.refused", LF_STR("act", o->act->word), LF_STR("outcome", outcome), LF_STR("serial", c->serial));
    else
        LOG_INFO_EV("certificate.told", LF_STR("act", o->act->word), LF_STR("outcome", outcome), LF_STR("serial", c->serial));
    state = state_after(outcome);
    return state == NULL ? OK : certificate_state_set(pg, c->id, state, clock_now(), why);
}

enum err
issuing_account_job(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA);
    struct idp *idp = arg;
    struct own_certificate *list;
    struct account account;
    struct order o;
    size_t n;
    bool active;
    enum err e;

    if ((e = order_read(job->payload, &o, why)) != OK || (e = account_by_id(pg, o.account_id, &account, why)) != OK)
        return e;
    active = account.state == ACCOUNT_ACTIVE;
    if (!(active ? o.act->on_active : o.act->on_blocked))
        return OK;
    if ((e = certificate_store_of_account(pg, o.account_id, o.at, a, &list, &n, why)) != OK || n == 0)
        return e;
    if (idp->authority == NULL)
        return why_code(why, ERR_UNAVAILABLE, "authority.none", "pki.url is not set, and the account has certificates");
    for (size_t i = 0; i < n; i++)
        if ((e = act_on(idp, pg, &account, &o, &list[i], job->payload, a, why)) != OK)
            return e;
    return OK;
}

/* --- acceptance ------------------------------------------------------------------------------------------------------------- */

enum err
issuing_accept_job(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(64 * 1024);
    struct idp *idp = arg;
    struct str rest, handle, ca = str_split(job->payload, ' ', &rest), serial = str_split(rest, ' ', &handle);
    enum err e;

    (void)pg;
    if (handle.p == NULL)
        return why_set(why, ERR_INTERNAL, "the payload is not one of ours");
    if (idp->authority == NULL)
        return why_code(why, ERR_UNAVAILABLE, "authority.none", "pki.url is not set");
    e = authority_accept(idp->authority, arena_str(a, ca), arena_str(a, serial), arena_str(a, handle), why);
    return e == ERR_CONFLICT ? OK : e;       /* revoked meanwhile: nothing to accept */
}

/* --- what was dropped ------------------------------------------------------------------------------------------------------- */

/* Nobody has it, and nobody will: not one that is ours, nor one that is being bound this moment. */
static enum err
is_orphan(struct idp *idp, struct pg *pg, const char *account_id, const struct authority_certificate *c, struct arena *a,
          bool *ret, struct why *why)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    struct authority_certificate whole;
    unsigned char spki[SHA256_LEN];
    struct enrolment x;
    enum err e;

    *ret = false;
    if (strcmp(c->state, "issued") != 0)     /* what is active was accepted by its holder */
        return OK;
    if ((e = authority_certificate(idp->authority, c->ca, c->serial, a, &whole, why)) != OK ||
        (e = x509_read(whole.der, &cert, why)) != OK)
        return e;
    sha256(buf_view(&cert.spki), spki);
    e = enrolment_store_by_key(pg, account_id, spki, &x, why);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    *ret = e == ERR_NOT_FOUND || strcmp(x.state, "dropped") == 0;
    return OK;
}

static enum err
supersede(struct idp *idp, const struct account *account, const struct authority_certificate *c, struct arena *a,
          struct why *why)
{
    struct authority_act act = { .act = "revoke", .reason = "superseded", .ca = c->ca, .serial = c->serial,
                                 .requester = "station", .requester_ref = account->handle };
    const char *outcome;
    bool refused;
    enum err e;

    act.key = call_key(a, STR_LIT("superseded"), c->serial);
    if ((e = authority_act(idp->authority, &act, a, &outcome, &refused, why)) != OK)
        return e;
    LOG_INFO_EV("certificate.dropped", LF_STR("outcome", outcome), LF_STR("serial", c->serial));
    return OK;
}

enum err
issuing_tidy_job(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA);
    struct idp *idp = arg;
    struct str rest, id = str_split(job->payload, ' ', &rest);
    struct authority_certificate *list;
    struct account account;
    size_t n;
    enum err e;

    if (id.n != 36)
        return why_set(why, ERR_INTERNAL, "the payload is not one of ours");
    if (idp->authority == NULL)
        return why_code(why, ERR_UNAVAILABLE, "authority.none", "pki.url is not set");
    if ((e = account_by_id(pg, arena_str(a, id), &account, why)) != OK)
        return e;
    e = authority_registration(idp->authority, account.id, a, &list, &n, why);
    if (e == ERR_NOT_FOUND)                  /* it never heard of the account */
        return OK;
    for (size_t i = 0; e == OK && i < n; i++) {
        bool orphan = false;

        if ((e = is_orphan(idp, pg, account.id, &list[i], a, &orphan, why)) == OK && orphan)
            e = supersede(idp, &account, &list[i], a, why);
    }
    return e;
}
