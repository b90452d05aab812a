/*
 * enrol: a certificate is asked for, bound to its account, and delivered. See issuing.h for the states.
 *
 * The authority is asked between two transactions: the first writes down which key is asked for, so that whatever it signs is
 * known to be ours; the second binds the certificate, if the account is as it was. Who asks again drops what was issued before:
 * a file that was cut, a choice that was wrong. It is revoked as superseded by a job.
 *
 * Names of a person are opened for the call that tells them to the authority, and erased once a certificate that has them was
 * delivered: not before, because a cut download needs them again.
 */
#include "idp/issuing/issuing-internal.h"

#include <jansson.h>
#include <stdio.h>

#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/core/secret.h"
#include "base/pg/audit.h"
#include "idp/account/x509.h"
#include "idp/credential/certificate.h"

#define JOB_LIFE (7 * USEC_PER_DAY)

static const struct account_actor citizen = { "citizen", "" };

static enum err
audit(struct pg *pg, const char *verb, const char *account_id, const char *certificate_id, utime now, struct why *why)
{
    char object[64], detail[80];

    snprintf(object, sizeof(object), "account:%s", account_id);
    snprintf(detail, sizeof(detail), "{\"certificate\": \"%s\"}", certificate_id);
    return audit_add(pg, &(struct audit_entry){ .at = now, .actor = citizen.actor, .role = citizen.role, .verb = verb,
                                                .object = object, .result = "ok", .detail = detail }, why);
}

/* May the account have a certificate from here, now? Locks it. */
static enum err
account_check(struct pg *pg, const char *account_id, bool renewal, struct account *ret, struct why *why)
{
    enum err e;

    if ((e = account_lock(pg, account_id, why)) != OK || (e = account_by_id(pg, account_id, ret, why)) != OK)
        return e;
    if (ret->type != ACCOUNT_X509_SOFT || ret->state != (renewal ? ACCOUNT_ACTIVE : ACCOUNT_PENDING))
        return why_code(why, ERR_CONFLICT, "issuing.state", "the account is %s", account_state_name(ret->state));
    return OK;
}

/* What the authority signed, and nobody will have, is revoked there. */
static enum err
tidy_later(struct pg *pg, const char *account_id, utime now, struct why *why)
{
    char payload[80];

    snprintf(payload, sizeof(payload), "%s %lld", account_id, (long long)now);
    return job_add(pg, ISSUING_TIDY_JOB, payload, str_of(payload), now, now, JOB_LIFE, why);
}

static enum err
drop_others(struct pg *pg, const char *account_id, const char *but, utime now, struct why *why)
{
    int64_t n;
    enum err e = enrolment_store_drop_others(pg, account_id, but, now, &n, why);

    return e != OK || n == 0 ? e : tidy_later(pg, account_id, now, why);
}

/* --- asked ------------------------------------------------------------------------------------------------------------------- */

struct begin {
    const struct enrol_wish *w;
    unsigned char spki[SHA256_LEN];
    utime now;
    struct enrolment out;
};

static enum err
begin_body(struct pg *pg, void *arg, struct why *why)
{
    struct begin *b = arg;
    const char *account_id = b->w->place->account.id;
    struct enrolment_counts counts;
    struct account account;
    enum err e;

    if ((e = account_check(pg, account_id, b->w->place->renewal, &account, why)) != OK)
        return e;
    e = enrolment_store_by_key(pg, account_id, b->spki, &b->out, why);
    if (e == OK && strcmp(b->out.state, "dropped") == 0)
        return why_code(why, ERR_CONFLICT, "issuing.key", "the key was asked for before, and given up");
    if (e != ERR_NOT_FOUND)
        return e;
    if ((e = enrolment_store_counts(pg, account_id, b->now - ISSUING_REDO_TIME, b->now, &counts, why)) != OK)
        return e;
    if (counts.under_way > 0)
        return why_code(why, ERR_CONFLICT, "issuing.busy", "a file of this account is on its way");
    if (counts.tries >= ISSUING_MANY)
        return why_code(why, ERR_DENIED, "issuing.many", "%d keys in a day", ISSUING_MANY);
    rand_uuid(b->out.id);
    if ((e = drop_others(pg, account_id, NULL, b->now, why)) != OK)
        return e;
    return enrolment_store_add(pg, b->out.id, b->w, b->spki, b->now, why);
}

/* --- the authority ------------------------------------------------------------------------------------------------------------ */

/* The names of the certificate. JSON of wire_write_names(). */
static enum err
names_open(struct idp *idp, struct pg *pg, const char *account_id, struct arena *a, struct authority_holder *h, struct why *why)
{
    struct account_x509 x;
    json_t *root;
    const char *given, *surname;
    enum err e;

    if ((e = account_x509_find(pg, idp->field, account_id, a, &x, why)) != OK)
        return e;
    h->profile = x.named ? idp->conf.pki_profile_soft_named : idp->conf.pki_profile_soft;
    if (!x.named)
        return OK;
    root = x.names.p == NULL ? NULL : json_loadb(x.names.p, x.names.n, 0, NULL);
    given = json_string_value(json_object_get(root, "given_name"));
    surname = json_string_value(json_object_get(root, "surname"));
    h->given_name = given == NULL ? NULL : arena_strdup(a, given);
    h->surname = surname == NULL ? NULL : arena_strdup(a, surname);
    json_decref(root);
    return surname != NULL && given != NULL
               ? OK : why_code(why, ERR_CONFLICT, "issuing.names", "the names of the certificate were erased, or are half a name");
}

static enum err
register_holder(struct idp *idp, struct pg *pg, const struct place *p, struct arena *a, struct why *why)
{
    struct authority_holder h = { .registration = p->account.id, .holder = p->account.number, .town = p->account.town,
                                  .proof_ref = p->account.handle };
    enum err e;

    if ((e = names_open(idp, pg, p->account.id, a, &h, why)) != OK ||
        (e = enrolment_store_identified(pg, p->account.id, &h.proof_at, why)) != OK)
        return e;
    h.number = h.surname == NULL ? p->account.number : NULL;
    h.serial_number = h.surname == NULL ? NULL : p->account.number;
    return authority_register(idp->authority, &h, why);
}

struct answer {
    struct str der;
    struct x509_cert cert;
    struct authority_certificate row;
};

static void
answer_done(struct answer *x)
{
    x509_done(&x->cert);
}

/* What the authority signed is what was asked for, and it has a name there. */
static enum err
authority_ask(struct idp *idp, struct pg *pg, const struct enrol_wish *w, struct arena *a, struct answer *ret, struct why *why)
{
    const struct place *p = w->place;
    enum err e;

    if (!p->renewal && (e = register_holder(idp, pg, p, a, why)) != OK)
        return e;
    if ((e = authority_enrol(idp->authority, p->account.id, p->renewal ? AUTHORITY_REENROL : AUTHORITY_ENROL, w->csr, a,
                             &ret->der, why)) != OK)
        return e;
    if (x509_read(ret->der, &ret->cert, why) != OK || !str_eq(buf_view(&ret->cert.spki), w->spki))
        return why_code(why, ERR_UNAVAILABLE, "authority.answer", "the certificate is not of the key that was asked for");
    return authority_certificate(idp->authority, NULL, buf_cstr(&ret->cert.serial), a, &ret->row, why);
}

/* --- issued ------------------------------------------------------------------------------------------------------------------- */

struct bind {
    const struct enrol_wish *w;
    const struct answer *answer;
    const char *enrolment_id;
    char certificate_id[37];
    utime now;
};

static enum err
bind_body(struct pg *pg, void *arg, struct why *why)
{
    struct bind *b = arg;
    const char *account_id = b->w->place->account.id;
    struct account account;
    struct enrolment x;
    enum err e;

    if ((e = account_check(pg, account_id, b->w->place->renewal, &account, why)) != OK ||
        (e = enrolment_store_find(pg, b->enrolment_id, &x, why)) != OK)
        return e;
    /* The same request again, or at the same instant: it was bound before. */
    if (strcmp(x.state, "issued") == 0 || strcmp(x.state, "delivered") == 0)
        return OK;
    if ((e = credential_issued(pg, b->certificate_id, account_id, &b->answer->cert, b->now, why)) != OK ||
        (e = enrolment_store_issued(pg, b->enrolment_id, b->certificate_id, b->answer->row.ca, b->answer->row.serial, b->now,
                                    why)) != OK)
        return e;
    return audit(pg, "certificate.issue", account_id, b->certificate_id, b->now, why);
}

/* The account was blocked, or another key asked for, while the authority signed: this one is dropped, and if it was already, there was
 * nothing to revoke by then. The other key is somebody else's errand. */
static enum err
give_up_body(struct pg *pg, void *arg, struct why *why)
{
    const struct bind *b = arg;
    const char *account_id = b->w->place->account.id;
    enum err e;

    if ((e = account_lock(pg, account_id, why)) != OK || (e = enrolment_store_drop(pg, b->enrolment_id, b->now, why)) != OK)
        return e;
    return tidy_later(pg, account_id, b->now, why);
}

enum err
enrol(struct idp *idp, struct pg *pg, const struct enrol_wish *w, struct arena *a, utime now, struct enrolled *ret,
      struct why *why)
{
    AUTO(answer_done) struct answer answer = { .der = { NULL, 0 } };
    struct begin begin = { .w = w, .now = now };
    struct bind bind = { .w = w, .answer = &answer, .enrolment_id = begin.out.id, .now = now };
    struct why ignored = WHY_INIT;
    enum err e;

    if (idp->authority == NULL)
        return why_code(why, ERR_UNAVAILABLE, "authority.none", "pki.url is not set");
    sha256(w->spki, begin.spki);
    if ((e = pg_tx(pg, begin_body, &begin, why)) != OK)
        return e;
    if ((e = authority_ask(idp, pg, w, a, &answer, why)) != OK) {
        err_ignore(enrolment_store_not_sent(pg, begin.out.id, &ignored));      /* else the next try waits a minute */
        return e;
    }
    rand_uuid(bind.certificate_id);
    e = pg_tx(pg, bind_body, &bind, why);
    if (e == ERR_CONFLICT)
        err_ignore(pg_tx(pg, give_up_body, &bind, &ignored));      /* else the worker finds it in a day */
    if (e != OK)
        return e;
    memcpy(ret->id, begin.out.id, sizeof(ret->id));
    ret->certificate = answer.der;
    return OK;
}

/* --- delivered ---------------------------------------------------------------------------------------------------------------- */

struct deliver {
    struct idp *idp;
    const char *id;
    utime now;
};

/* P-054: the account opens. Certificates of an earlier time of it, before it was blocked, end. */
static enum err
account_open(struct pg *pg, const struct deliver *d, const struct enrolment *x, struct why *why)
{
    enum err e;

    if (!x->has_link)
        return why_code(why, ERR_CONFLICT, "issuing.state", "its link is gone");
    if ((e = enrolment_store_end_earlier(pg, x->account_id, x->id, d->now, why)) != OK ||
        (e = activation_finish(d->idp, pg, x->link_digest, x->account_id, x->keep_mail, x->lang, d->now, why)) != OK)
        return e;
    return account_x509_forget_names(pg, x->account_id, why);
}

static enum err
deliver_body(struct pg *pg, void *arg, struct why *why)
{
    const struct deliver *d = arg;
    struct account account;
    struct enrolment x;
    char payload[192];
    enum err e;

    if ((e = enrolment_store_find(pg, d->id, &x, why)) != OK || (e = account_lock(pg, x.account_id, why)) != OK ||
        (e = enrolment_store_find(pg, d->id, &x, why)) != OK)
        return e;
    if (strcmp(x.state, "delivered") == 0)
        return OK;
    if ((e = account_check(pg, x.account_id, x.renewal, &account, why)) != OK ||
        (e = enrolment_store_delivered(pg, x.id, d->now, why)) != OK)
        return e;
    if (!x.renewal && (e = account_open(pg, d, &x, why)) != OK)
        return e;
    snprintf(payload, sizeof(payload), "%s %s %s", x.ca, x.serial, account.handle);
    if ((e = drop_others(pg, x.account_id, x.id, d->now, why)) != OK ||
        (e = job_add(pg, ISSUING_ACCEPT_JOB, payload, str_of(payload), d->now, d->now, JOB_LIFE, why)) != OK)
        return e;
    return audit(pg, "certificate.deliver", x.account_id, x.certificate_id, d->now, why);
}

enum err
enrol_deliver(struct idp *idp, struct pg *pg, const char *enrolment_id, utime now, struct why *why)
{
    struct deliver d = { .idp = idp, .id = enrolment_id, .now = now };

    return pg_tx(pg, deliver_body, &d, why);
}

enum err
enrol_current(struct idp *idp, struct pg *pg, const char *account_id, struct arena *a, struct authority_certificate *ret,
              struct why *why)
{
    struct enrolment x;
    enum err e;

    if (idp->authority == NULL)
        return why_code(why, ERR_UNAVAILABLE, "authority.none", "pki.url is not set");
    if ((e = enrolment_store_current(pg, account_id, &x, NULL, why)) != OK)
        return e;
    return authority_certificate(idp->authority, x.ca, x.serial, a, ret, why);
}
