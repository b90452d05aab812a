/* ocsp_answer: see ocsp_answer.h. */
#include "pki/status/ocsp_answer.h"

#include "pki/encode/crl.h"

static utime
whole_second(utime t)
{
    return t - t % USEC_PER_SEC;
}

const struct ocsp_authority *
ocsp_authority_find(const struct ocsp_responder *r, const struct ocsp_cert_id *id)
{
    for (size_t i = 0; i < r->n; i++)
        if (ocsp_issuer_is(&r->authorities[i].issuer, id->sha256, id->name_hash, id->key_hash))
            return &r->authorities[i];
    return NULL;
}

/* Who signs: the authority of the first certificate that is one of ours. */
static const struct ocsp_authority *
authority_choose(const struct ocsp_responder *r, const struct ocsp_request *request)
{
    for (size_t i = 0; i < request->n; i++) {
        const struct ocsp_authority *a = ocsp_authority_find(r, &request->ids[i]);

        if (a != NULL)
            return a;
    }
    return NULL;
}

static void
says_error(enum ocsp_response_status status, struct buf *out, struct ocsp_reply *ret)
{
    ocsp_error_encode(status, out);
    *ret = (struct ocsp_reply){ .status = status };
}

/* Since we last knew, until the policy, or the responder's certificate, ends it. */
bool
ocsp_times(const struct ocsp_responder *r, const struct ocsp_authority *a, utime now, struct ocsp_reply *ret)
{
    const utime known = r->known_at < now ? r->known_at : now;
    utime latest;

    if (r->known_at == 0 || now - known > r->policy->stale_max || a->key == NULL)
        return false;
    ret->this_update = whole_second(known);
    ret->next_update = ret->this_update + r->policy->life;
    /* The database is away: what we know is still the newest there is. */
    latest = now + r->policy->life < known + r->policy->stale_max ? now + r->policy->life : known + r->policy->stale_max;
    if (ret->next_update < latest)
        ret->next_update = whole_second(latest);
    if (ret->next_update > a->signs_until)
        ret->next_update = whole_second(a->signs_until);
    return now >= a->signs_from && ret->next_update > now;
}

static void
never_issued(const struct ocsp_policy *policy, struct ocsp_single *single, bool *ret_extended)
{
    if (policy->never_issued != OCSP_NEVER_REVOKED)
        return;
    single->status = OCSP_REVOKED;
    single->revoked_at = 0;
    single->reason = CRL_HOLD;
    *ret_extended = true;
}

/* *ret_known: it is one of ours, that we issued. */
static void
single_set(const struct ocsp_responder *r, const struct ocsp_authority *a, const struct ocsp_cert_id *id, utime now,
           const struct ocsp_reply *times, struct ocsp_single *ret, bool *ret_known, bool *ret_extended)
{
    const utime cutoff = whole_second(now - r->policy->retention);
    struct status status;

    *ret = (struct ocsp_single){ .cert_id = id->raw, .status = OCSP_UNKNOWN, .reason = CRL_REASON_NONE,
                                 .this_update = times->this_update, .next_update = times->next_update };
    *ret_known = false;
    if (!ocsp_issuer_is(&a->issuer, id->sha256, id->name_hash, id->key_hash))
        return;
    if (!status_table_find(r->table, a->ca, id->serial, &status)) {
        never_issued(r->policy, ret, ret_extended);
        return;
    }
    *ret_known = true;
    if (r->policy->retention > 0)
        ret->archive_cutoff = cutoff > a->not_before ? cutoff : a->not_before;
    if (status.kind == STATUS_GOOD) {
        ret->status = OCSP_GOOD;
        return;
    }
    ret->status = OCSP_REVOKED;
    ret->revoked_at = status.revoked_at;
    if (status.kind == STATUS_HELD)
        ret->reason = CRL_HOLD;
    else if (status.reason != 0)
        ret->reason = status.reason;
}

static enum err
answer_sign(const struct ocsp_authority *a, const struct ocsp_data *data, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(OCSP_RESPONSE_MAX), sig = BUF_BOUNDED(1024);
    const enum sig_alg alg = key_default_alg(a->key);
    enum err e;

    if ((e = ocsp_data_encode(data, &text, why)) != OK ||
        (e = key_sign(a->key, KEY_OCSP_SIGN, alg, buf_view(&text), false, &sig, why)) != OK)
        return e;
    return ocsp_response_assemble(buf_view(&text), alg, buf_view(&sig), a->certificate, out, why);
}

enum err
ocsp_answer(const struct ocsp_responder *r, const struct ocsp_request *request, utime now, struct buf *out, struct ocsp_reply *ret,
            struct why *why)
{
    const struct ocsp_authority *a = authority_choose(r, request);
    struct ocsp_single singles[OCSP_REQUESTS_MAX];
    struct ocsp_data data = { .produced_at = now, .singles = singles, .n = request->n, .nonce = request->nonce };
    const size_t before = out->len;
    bool known = false;
    enum err e;

    *ret = (struct ocsp_reply){ .status = OCSP_SUCCESSFUL };
    if (a == NULL) {
        says_error(OCSP_UNAUTHORIZED, out, ret);
        return OK;
    }
    if (!ocsp_times(r, a, now, ret)) {
        says_error(OCSP_TRY_LATER, out, ret);
        return OK;
    }
    for (size_t i = 0; i < request->n; i++)
        single_set(r, a, &request->ids[i], now, ret, &singles[i], &known, &data.extended_revoke);
    if (request->n == 1 && !known && r->policy->never_issued == OCSP_NEVER_UNAUTHORIZED) {
        says_error(OCSP_UNAUTHORIZED, out, ret);
        return OK;
    }
    ret->cacheable = known && request->nonce.n == 0;
    data.responder_key_hash = (struct str){ (const char *)a->key_hash, SHA1_LEN };
    if ((e = answer_sign(a, &data, out, why)) != OK) {
        buf_truncate(out, before);
        says_error(OCSP_INTERNAL_ERROR, out, ret);
    }
    return e;
}
