/* request: words of the columns, and the approval of an operator's request; the rows are in request_store.c. */
#include <stdio.h>

#include "base/core/enc.h"
#include "base/pg/audit.h"
#include "pki/authority/request-internal.h"

static const char *const kinds[] = { "enroll", "renew", "rekey" };
static const char *const origins[] = { "est", "operator", "status" };
static const char *const states[] = { "received", "approved", "issued", "refused" };

const char *
request_kind_name(enum request_kind kind)
{
    return kinds[kind];
}

const char *
request_origin_name(enum request_origin origin)
{
    return origins[origin];
}

const char *
request_state_name(enum request_state state)
{
    return states[state];
}

enum err
request_kind_parse(struct str name, enum request_kind *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_eqs(name, kinds[i])) {
            *ret = (enum request_kind)i;
            return OK;
        }
    }
    return ERR_INPUT;
}

/* --- approval ------------------------------------------------------------------------------------------------------------ */

void
request_approval_text(const struct request *q, const struct registration *r, struct str names, struct buf *out)
{
    AUTO(buf_free) struct buf key = BUF_BOUNDED(2 * SHA256_LEN);
    char proof_at[UTIME_RFC3339_LEN + 1] = "";

    hex_encode(&key, q->spki_sha256, SHA256_LEN);
    if (r->proof_at != UTIME_NULL)
        utime_rfc3339(r->proof_at, proof_at);
    approval_line(out, "request", q->id);
    approval_line(out, "kind", request_kind_name(q->kind));
    approval_line(out, "asked_by", q->asked_by);
    approval_line(out, "replaces", q->replaces);
    approval_line(out, "registration", r->id);
    approval_line(out, "profile", r->profile);
    approval_line(out, "town", r->town);
    approval_line(out, "holder", r->holder);
    approval_line(out, "support", registration_support_name(r->support));
    approval_line(out, "proof", registration_proof_name(r->proof));
    approval_line(out, "proof_ref", r->proof_ref);
    approval_line(out, "proof_at", proof_at);
    approval_line(out, "key", buf_cstr(&key));
    buf_add_str(out, names);
}

void
request_subject(const struct request *q, const struct registration *r, struct str names, unsigned char ret[SHA256_LEN])
{
    AUTO(buf_free) struct buf text = BUF_SECRET(APPROVAL_TEXT_MAX);

    request_approval_text(q, r, names, &text);
    CHECK(buf_ok(&text));
    sha256(buf_view(&text), ret);
}

struct approve_arg {
    const char *id, *actor;
    const struct signed_yes *yes;
    const unsigned char *subject;
    utime now;
    bool enough;
};

static enum err
approve_body(struct pg *pg, void *arg, struct why *why)
{
    struct approve_arg *x = arg;
    char object[64];
    enum err e;

    x->enough = false;
    if ((e = request_lock(pg, x->id, why)) != OK ||
        (e = approval_say(pg, APPROVE_REQUEST, x->subject, NULL, x->yes, x->now, &x->enough, why)) != OK ||
        (x->enough && (e = request_approved(pg, x->id, why)) != OK))
        return e;
    snprintf(object, sizeof(object), "request:%s", x->id);
    return audit_add(pg, &(struct audit_entry){ .at = x->now, .actor = x->actor, .role = "", .verb = "request.approve",
                                                .object = object, .result = "ok",
                                                .detail = x->enough ? "{\"enough\":true}" : "{\"enough\":false}" }, why);
}

enum err
request_approve(struct pg *pg, const struct keyring *field, const char *id, const struct signed_yes *yes, const char *actor,
                utime now, bool *ret_enough, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    AUTO(buf_free) struct buf names = BUF_SECRET(REGISTRATION_SUBJECT_MAX);
    unsigned char subject[SHA256_LEN];
    struct approve_arg x = { id, actor, yes, subject, now, false };
    struct registration r;
    struct subject s;
    struct request q;
    enum err e;

    if ((e = request_find(pg, id, a, &q, why)) != OK || (e = registration_find(pg, q.registration, a, &r, why)) != OK)
        return e;
    if (q.origin != REQUEST_OPERATOR || q.state != REQUEST_RECEIVED)
        return why_code(why, ERR_CONFLICT, "request.state", "not an operator's request that waits for approval");
    if (r.subject.p != NULL) {
        if ((e = registration_open(field, &r, a, &s, why)) != OK)
            return e;
        registration_subject_text(&s, &names);
    }
    request_subject(&q, &r, buf_view(&names), subject);
    if ((e = pg_tx(pg, approve_body, &x, why)) != OK)
        return e;
    *ret_enough = x.enough;
    return OK;
}
