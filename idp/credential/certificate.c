/* certificate: whether a certificate signs its holder in, and how it comes to an account. See certificate.h. */
#include "idp/credential/certificate-internal.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/core/secret.h"
#include "base/pg/audit.h"
#include "base/pg/job.h"
#include "idp/credential/factor.h"

#define TRIES 3                    /* what is trusted changes between two looks */
#define LEFT_LIFE (24 * USEC_PER_HOUR)

static const char *const names[] = {
    [CERTIFICATE_GOOD] = "good",         [CERTIFICATE_NONE] = "none",         [CERTIFICATE_UNREADABLE] = "unreadable",
    [CERTIFICATE_FUTURE] = "future",     [CERTIFICATE_EXPIRED] = "expired",   [CERTIFICATE_FOREIGN] = "foreign",
    [CERTIFICATE_AUTHORITY] = "authority", [CERTIFICATE_REVOKED] = "revoked", [CERTIFICATE_HELD] = "held",
    [CERTIFICATE_STATUS] = "status",     [CERTIFICATE_UNFIT] = "unfit",       [CERTIFICATE_UNKNOWN] = "unknown",
    [CERTIFICATE_PENDING] = "pending",   [CERTIFICATE_BLOCKED] = "blocked",   [CERTIFICATE_CLOSED] = "closed",
    [CERTIFICATE_WEAK] = "weak",
};
_Static_assert(ARRAY_LEN(names) == CERTIFICATE_OUTCOMES, "each outcome has a name");

const char *
credential_outcome_name(enum credential_outcome o)
{
    CHECK(o < CERTIFICATE_OUTCOMES);
    return names[o];
}

enum err
credential_outcome_read(const char *name, enum credential_outcome *ret)
{
    for (unsigned i = 0; i < CERTIFICATE_OUTCOMES; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret = (enum credential_outcome)i;
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}

static enum credential_outcome
outcome_of(enum x509_verdict v)
{
    switch (v) {
    case CERT_GOOD:
        return CERTIFICATE_GOOD;
    case CERT_MALFORMED:
        return CERTIFICATE_UNREADABLE;
    case CERT_NOT_YET_VALID:
        return CERTIFICATE_FUTURE;
    case CERT_EXPIRED:
        return CERTIFICATE_EXPIRED;
    case CERT_REVOKED:
        return CERTIFICATE_REVOKED;
    case CERT_ON_HOLD:
        return CERTIFICATE_HELD;
    case CERT_ISSUER_UNKNOWN:
    case CERT_BAD_SIGNATURE:
        return CERTIFICATE_FOREIGN;
    case CERT_ISSUER_EXPIRED:
    case CERT_ISSUER_REVOKED:
    case CERT_ISSUER_REFUSED:
        return CERTIFICATE_AUTHORITY;
    case CERT_STATUS_UNKNOWN:
    case CERT_STATUS_STALE:
        return CERTIFICATE_STATUS;
    case CERT_WRONG_USE:
    case CERT_WRONG_POLICY:
    case CERT_WEAK_KEY:
    case CERT_VERDICTS:
        break;
    }
    return CERTIFICATE_UNFIT;
}

/* Its authority signed it, whatever became of it since: then it tells whose visit this is. */
static bool
is_genuine(enum credential_outcome o)
{
    return o == CERTIFICATE_GOOD || o == CERTIFICATE_EXPIRED || o == CERTIFICATE_REVOKED || o == CERTIFICATE_HELD ||
           o == CERTIFICATE_STATUS;
}

/* Known and genuine: what our own state says. The certificate first: its holder is told of it whatever the account. */
static enum credential_outcome
state_outcome(const struct credential_look *l)
{
    if (strcmp(l->state, "held") == 0)
        return CERTIFICATE_HELD;
    if (strcmp(l->state, "revoked") == 0)
        return CERTIFICATE_REVOKED;
    switch (l->account) {
    case ACCOUNT_PENDING:
        return CERTIFICATE_PENDING;
    case ACCOUNT_SUSPENDED:
        return CERTIFICATE_BLOCKED;
    case ACCOUNT_CLOSED:
    case ACCOUNT_ERASED:
        return CERTIFICATE_CLOSED;
    case ACCOUNT_ACTIVE:
        break;
    }
    return strcmp(l->state, "active") == 0 ? CERTIFICATE_GOOD : CERTIFICATE_PENDING;
}

static bool
same_digest(const unsigned char spki[SHA256_LEN], const struct credential_look *l)
{
    return mem_equal_ct(spki, SHA256_LEN, l->spki_sha256, sizeof(l->spki_sha256));
}

static bool
same_key(const struct x509_cert *cert, const struct credential_look *l)
{
    unsigned char spki[SHA256_LEN];

    sha256(buf_view(&cert->spki), spki);
    return same_digest(spki, l);
}

static void
conclude(const struct x509_cert *cert, const struct trust_judged *judged, const struct credential_look *l, utime now,
         struct credential_check *ret, struct why *why)
{
    *ret = (struct credential_check){ .outcome = outcome_of(judged->verdict), .use = judged->use };
    memcpy(ret->trust, judged->name, sizeof(ret->trust));
    ret->own = judged->own;
    ret->link_from_session = judged->link_from_session;
    if (!is_genuine(ret->outcome))
        return;
    if (l->id[0] == '\0' || strcmp(l->state, "ended") == 0 || !same_key(cert, l)) {
        if (ret->outcome == CERTIFICATE_GOOD) {
            ret->outcome = CERTIFICATE_UNKNOWN;
            err_ignore(why_code(why, ERR_DENIED, "certificate.unknown", "%s", l->id[0] == '\0' || same_key(cert, l)
                                    ? "belongs to no account" : "another key than the linked one"));
        }
        return;
    }
    memcpy(ret->id, l->id, sizeof(ret->id));
    memcpy(ret->account_id, l->account_id, sizeof(ret->account_id));
    if (ret->outcome != CERTIFICATE_GOOD)
        return;
    ret->outcome = state_outcome(l);
    if (ret->outcome != CERTIFICATE_GOOD)
        err_ignore(why_code(why, ERR_DENIED, "certificate.state", "certificate %s, account %s", l->state,
                            account_state_name(l->account)));
    /* What the authority told us counts so long, where no list of it is here. */
    if (ret->outcome == CERTIFICATE_GOOD && (l->asked || (judged->own && !judged->has_crl)) && l->known_until != UTIME_NULL &&
        l->known_until < now) {
        ret->outcome = CERTIFICATE_STATUS;
        err_ignore(why_code(why, ERR_DENIED, "authority.silent", "our authority has not answered for too long (pki.state_life)"));
    }
}

static enum err
check_read(struct trust *t, struct pg *pg, const struct x509_cert *cert, const struct str *chain, size_t n, utime now,
           struct credential_check *ret, struct why *why)
{
    for (int i = 0; i < TRIES; i++) {
        struct trust_judged judged;
        struct credential_look look;
        struct why reason = WHY_INIT;
        enum err e;

        err_ignore(trust_judge(t, cert, chain, n, now, &judged, &reason));      /* the verdict says it all */
        if ((e = credential_store_look(pg, cert->issuer_der, cert->serial_octets, &look, why)) != OK)
            return e;
        if (look.trust_version == judged.version) {
            *why = reason;
            conclude(cert, &judged, &look, now, ret, why);
            return OK;
        }
        if ((e = trust_load(t, pg, why)) != OK)
            return e;
    }
    return why_code(why, ERR_UNAVAILABLE, "trust.changing", "what is trusted changes under the sign-in");
}

enum err
credential_check(struct trust *t, struct pg *pg, const struct str *chain, size_t n, utime now,
                  struct credential_check *ret, struct why *why)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };

    if (n == 0) {
        *ret = (struct credential_check){ .outcome = CERTIFICATE_NONE };
        err_ignore(why_code(why, ERR_NOT_FOUND, "certificate.none", "no certificate came"));
        return OK;
    }
    if (x509_read(chain[0], &cert, why) != OK) {
        *ret = (struct credential_check){ .outcome = CERTIFICATE_UNREADABLE };
        return OK;
    }
    return check_read(t, pg, &cert, chain, n, now, ret, why);
}

/* --- cards at the counter ----------------------------------------------------------------------------------------------- */

enum err
credential_card_find(struct pg *pg, const char *account_id, struct str der, utime now, struct credential_card *ret,
                     struct why *why)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    bool read = der.p != NULL;
    unsigned char spki[SHA256_LEN];
    struct credential_own own;
    enum err e;

    if (read && x509_read(der, &cert, why) != OK)
        return why_code(why, ERR_INPUT, "certificate.malformed", "certificate: what the reader gave is none");
    e = credential_store_own(pg, account_id, read ? &cert : NULL, now, &own, why);
    if (e == ERR_NOT_FOUND)
        return read ? why_code(why, ERR_DENIED, "certificate.other", "the card in the reader is not this account's")
                    : why_code(why, ERR_CONFLICT, "certificate.none", "the account has no card yet");
    if (e != OK)
        return e;
    if (read) {
        sha256(buf_view(&cert.spki), spki);
        if (!mem_equal_ct(spki, sizeof(spki), own.spki_sha256, sizeof(own.spki_sha256)))
            return why_code(why, ERR_DENIED, "certificate.other", "another key under the card's number");
    }
    if (own.not_after <= now)
        return why_code(why, ERR_CONFLICT, "certificate.expired", "the card's certificate has expired");
    if (strcmp(own.card.state, "revoked") == 0)
        return why_code(why, ERR_CONFLICT, "certificate.rekey", "the card's certificate was revoked");
    *ret = own.card;
    return OK;
}

/* --- changes ------------------------------------------------------------------------------------------------------------ */

static struct credential_new
new_of(const struct x509_cert *cert, const char *id, const char *account_id, const char *state)
{
    struct credential_new n = { .id = id, .account_id = account_id, .issuer = cert->issuer_der, .serial = cert->serial_octets,
                                .not_after = cert->not_after, .state = state };

    sha256(buf_view(&cert->spki), n.spki_sha256);
    return n;
}

enum err
credential_issued(struct pg *pg, const char *id, const char *account_id, const struct x509_cert *cert, utime now,
                  struct why *why)
{
    const struct credential_new n = new_of(cert, id, account_id, "issued");

    return credential_store_insert(pg, &n, now, why);
}

static enum err
certificate_audit(struct pg *pg, const char *verb, const char *account_id, const char *id, const struct account_actor *who,
                  utime now, struct why *why)
{
    char object[64], detail[80];

    snprintf(object, sizeof(object), "account:%s", account_id);
    snprintf(detail, sizeof(detail), "{\"certificate\": \"%s\"}", id);
    return audit_add(pg, &(struct audit_entry){ .at = now, .actor = who->actor, .role = who->role, .verb = verb,
                                                .object = object, .result = "ok", .detail = detail }, why);
}

struct change {
    const char *account_id, *id;
    const struct x509_cert *cert;
    const struct account_actor *who;
    utime now;
};

static enum err
link_body(struct pg *pg, void *arg, struct why *why)
{
    const struct change *c = arg;
    struct credential_new n = new_of(c->cert, c->id, c->account_id, "active");
    struct account account;
    enum err e;

    if ((e = account_lock(pg, c->account_id, why)) != OK || (e = account_by_id(pg, c->account_id, &account, why)) != OK)
        return e;
    if (account.state == ACCOUNT_CLOSED || account.state == ACCOUNT_ERASED)
        return why_code(why, ERR_DENIED, "account.state", "the account is %s", account_state_name(account.state));
    /* A card that was not handed over, or is new after a block, waits for the counter (T-03). */
    if (account.type == ACCOUNT_X509_CARD && account.state != ACCOUNT_ACTIVE)
        n.state = "issued";
    if ((e = credential_store_insert(pg, &n, c->now, why)) != OK)
        return e;
    return certificate_audit(pg, "certificate.link", c->account_id, c->id, c->who, c->now, why);
}

/* The certificate of the file, and what stands beside it. */
#define CHAIN_MAX 6
struct pem_chain {
    struct buf der[CHAIN_MAX];
    struct str view[CHAIN_MAX];
    size_t n;
};

static void
pem_chain_done(struct pem_chain *c)
{
    for (size_t i = 0; i < CHAIN_MAX; i++)
        buf_free(&c->der[i]);
}

static enum err
pem_chain_read(struct str pem, struct pem_chain *ret, struct why *why)
{
    enum err e = OK;

    for (ret->n = 0; ret->n < CHAIN_MAX; ret->n++) {
        struct buf *der = &ret->der[ret->n];

        *der = (struct buf)BUF_BOUNDED(X509_DER_MAX);
        if ((e = pem_next(&pem, "CERTIFICATE", der)) != OK)
            break;
        ret->view[ret->n] = buf_view(der);
    }
    if (ret->n == 0 || (e != OK && e != ERR_NOT_FOUND))
        return why_set(why, ERR_INPUT, "no PEM certificate in the file, or the text is damaged");
    return OK;
}

enum err
credential_link(struct trust *t, struct pg *pg, const char *account_id, struct str pem, const struct account_actor *who,
                 utime now, char ret_id[37], struct why *why)
{
    AUTO(pem_chain_done) struct pem_chain chain = { .n = 0 };
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    struct credential_check check;
    struct change c = { .account_id = account_id, .id = ret_id, .cert = &cert, .who = who, .now = now };
    enum err e;

    if ((e = pem_chain_read(pem, &chain, why)) != OK || (e = x509_read(chain.view[0], &cert, why)) != OK ||
        (e = credential_check(t, pg, chain.view, chain.n, now, &check, why)) != OK)
        return e;
    if (check.id[0] != '\0')
        return why_code(why, ERR_CONFLICT, "certificate.linked", "the certificate belongs to an account already");
    if (check.outcome != CERTIFICATE_UNKNOWN) {
        why_prepend(why, "the certificate is refused (%s)", credential_outcome_name(check.outcome));
        return ERR_DENIED;
    }
    rand_uuid(ret_id);
    return pg_tx(pg, link_body, &c, why);
}

/* The account is locked. */
static enum err
link_end(struct pg *pg, const struct change *c, struct why *why)
{
    char key[128];
    enum err e;

    if ((e = credential_store_end(pg, c->account_id, c->id, c->now, why)) != OK)
        return e;
    /* The schema has ended the sessions; the services they had answered are told by the worker. */
    snprintf(key, sizeof(key), "certificate:%s", c->id);
    if ((e = job_add(pg, ACCOUNT_LEFT_JOB, key, str_of(c->account_id), c->now, c->now, LEFT_LIFE, why)) != OK)
        return e;
    return certificate_audit(pg, "certificate.unlink", c->account_id, c->id, c->who, c->now, why);
}

static enum err
unlink_body(struct pg *pg, void *arg, struct why *why)
{
    const struct change *c = arg;
    enum err e = account_lock(pg, c->account_id, why);

    return e != OK ? e : link_end(pg, c, why);
}

enum err
credential_unlink(struct pg *pg, const char *account_id, const char *id, const struct account_actor *who, utime now,
                   struct why *why)
{
    struct change c = { .account_id = account_id, .id = id, .who = who, .now = now };

    return pg_tx(pg, unlink_body, &c, why);
}

/* --- linked by its holder, from a session ---------------------------------------------------------------------------------- */

static const struct account_actor holder = { "citizen", "session" };

static enum err
holder_lock(struct pg *pg, const struct credential_holder *who, struct why *why)
{
    enum err e = account_lock(pg, who->account_id, why);

    return e != OK ? e : who->still(pg, who->arg, why);
}

static struct str
kept(struct arena *a, struct str s)
{
    return (struct str){ arena_dup(a, s.p, s.n), s.n };
}

enum err
credential_shown_read(struct str der, const struct credential_check *check, struct arena *a, struct credential_shown *ret,
                      struct why *why)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    enum err e;

    CHECK(check->outcome == CERTIFICATE_UNKNOWN && check->link_from_session);
    if ((e = x509_read(der, &cert, why)) != OK)
        return e;
    if (cert.issuer_der.n + cert.subject_der.n > CREDENTIAL_SHOWN_NAMES)
        return why_code(why, ERR_INPUT, "certificate.long", "its names have more than %d octets", CREDENTIAL_SHOWN_NAMES);
    *ret = (struct credential_shown){ .issuer = kept(a, cert.issuer_der), .serial = kept(a, cert.serial_octets),
                                      .subject = kept(a, cert.subject_der), .not_after = cert.not_after };
    memcpy(ret->trust, check->trust, sizeof(ret->trust));
    sha256(buf_view(&cert.spki), ret->spki_sha256);
    return OK;
}

struct shown_change {
    const struct credential_holder *who;
    const struct credential_shown *shown;
    const char *ticket_id;
    utime ticket_expires;
};

static enum err
link_shown_body(struct pg *pg, void *arg, struct why *why)
{
    const struct shown_change *c = arg;
    const char *account_id = c->who->account_id;
    const utime now = c->who->now;
    char id[37];
    struct credential_new n = { .id = id, .account_id = account_id, .issuer = c->shown->issuer, .serial = c->shown->serial,
                                .not_after = c->shown->not_after, .state = "active", .by_holder = true };
    struct credential_look look;
    struct account account;
    int64_t linked;
    bool may;
    enum err e;

    if ((e = holder_lock(pg, c->who, why)) != OK || (e = account_by_id(pg, account_id, &account, why)) != OK)
        return e;
    if (account.state != ACCOUNT_ACTIVE)
        return why_code(why, ERR_DENIED, "account.state", "the account is %s", account_state_name(account.state));
    if ((e = credential_store_look(pg, c->shown->issuer, c->shown->serial, &look, why)) != OK)
        return e;
    if (look.id[0] != '\0' && strcmp(look.account_id, account_id) == 0 && strcmp(look.state, "active") == 0 &&
        same_digest(c->shown->spki_sha256, &look))
        return OK;
    if ((e = credential_store_by_holder(pg, account_id, c->shown->trust, &linked, &may, why)) != OK)
        return e;
    /* Whether it is good is judged at each sign-in: lists that came meanwhile need no second look here. */
    if (!may || c->shown->not_after < now)
        return why_code(why, ERR_CONFLICT, "certificate.changed", "its authority lets nobody link, or its end has come");
    if (linked >= CREDENTIAL_LINKED_MAX)
        return why_code(why, ERR_CONFLICT, "certificate.full", "%d certificates are linked already", CREDENTIAL_LINKED_MAX);
    rand_uuid(id);
    memcpy(n.spki_sha256, c->shown->spki_sha256, sizeof(n.spki_sha256));
    if ((e = credential_store_ticket_use(pg, c->ticket_id, c->ticket_expires, why)) != OK ||
        (e = credential_store_insert(pg, &n, now, why)) != OK ||
        (e = factor_notice_add(pg, account_id, FACTOR_CERTIFICATE_ADDED, NULL, now, why)) != OK)
        return e;
    return certificate_audit(pg, "certificate.link", account_id, id, &holder, now, why);
}

enum err
credential_link_shown(struct pg *pg, const struct credential_holder *who, const struct credential_shown *shown,
                      const char *ticket_id, utime ticket_expires, struct why *why)
{
    struct shown_change c = { who, shown, ticket_id, ticket_expires };

    return pg_tx(pg, link_shown_body, &c, why);
}

struct own_change {
    const struct credential_holder *who;
    struct change change;
};

static enum err
unlink_own_body(struct pg *pg, void *arg, struct why *why)
{
    const struct own_change *own = arg;
    const struct change *c = &own->change;
    bool spare;
    enum err e;

    if ((e = holder_lock(pg, own->who, why)) != OK ||
        (e = credential_store_spare(pg, c->account_id, c->id, c->now, &spare, why)) != OK)
        return e;
    if (!spare)
        return why_code(why, ERR_CONFLICT, "certificate.last", "nothing else would sign the holder in");
    if ((e = link_end(pg, c, why)) != OK)
        return e;
    return factor_notice_add(pg, c->account_id, FACTOR_CERTIFICATE_REMOVED, NULL, c->now, why);
}

enum err
credential_unlink_own(struct pg *pg, const struct credential_holder *who, const char *id, struct why *why)
{
    struct own_change c = { who, { .account_id = who->account_id, .id = id, .who = &holder, .now = who->now } };

    return pg_tx(pg, unlink_own_body, &c, why);
}
