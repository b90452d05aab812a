/*
 * /blocage: one code, at once (P-055…P-058, S2:42). The code blocks before anything is asked; the reason decides only
 * whether the block is final. A code that is good always works, whatever the limits say; only unknown ones are slowed.
 */
#include "idp/citizen/citizen-internal.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/secret.h"
#include "idp/signon/throttle.h"

#define REF_LIFE USEC_PER_HOUR

/* Unknown codes: 10 an hour from one network, 10 a second in all (DOMAIN 2.4). */
static const struct throttle_rule by_net = { "block.net", 10, 10.0 / 3600, 1, 360 };
static const struct throttle_rule by_all = { "block.all", 100, 10, 1, 1 };
/* "Lost" said again changes nothing: a page that is sent without end leaves no trail without end. "Stolen" always counts. */
static const struct throttle_rule by_reason = { "block.reason", 5, 5.0 / 3600, 60, 3600 };
static const struct account_actor citizen = { "citizen", "" };

static void
form_page(struct http_request *req, int status, const char *typed, const char *problem)
{
    struct page_data *d = idp_page(req);

    page_str(d, "code", typed);
    if (problem != NULL)
        page_field_error(d, "code", problem);
    idp_reply_page(req, status, "block/form.html", d);
}

void
get_block(struct http_request *req)
{
    form_page(req, 200, "", NULL);
}

/* --- what names a block between the two pages: "<account>.<instant>.<mac>", ours to read for an hour ---------------------- */

static enum err
ref_mac(const struct idp *idp, const char *head, struct buf *out)
{
    unsigned char mac[MAC_LEN];
    enum err e = mac_compute(idp->pepper, keyring_current(idp->pepper), "block.ref", str_of(head), mac);

    if (e == OK)
        base64url_encode(out, mac, 16);
    return e;
}

static const char *
ref_make(struct http_request *req, const struct account_blocked *b)
{
    AUTO(buf_free) struct buf mac = BUF_BOUNDED(64);
    const char *head = arena_printf(http_arena(req), "%s.%lld", b->account_id, (long long)b->at);

    CHECK(ref_mac(http_app(req), head, &mac) == OK);
    return arena_printf(http_arena(req), "%s.%s", head, buf_cstr(&mac));
}

static bool
ref_read(struct http_request *req, const char *ref, struct account_blocked *ret)
{
    AUTO(buf_free) struct buf mac = BUF_BOUNDED(64);
    const char *dot = strrchr(ref, '.');
    struct str rest, id;
    char *head;

    if (dot == NULL || dot - ref > 80)
        return false;
    head = arena_str(http_arena(req), (struct str){ ref, (size_t)(dot - ref) });
    if (ref_mac(http_app(req), head, &mac) != OK || !mem_equal_ct(mac.data, mac.len, dot + 1, strlen(dot + 1)))
        return false;
    id = str_split(str_of(head), '.', &rest);
    if (id.n != 36 || rest.p == NULL || str_to_i64(rest, 0, INT64_MAX, &ret->at) != OK)
        return false;
    snprintf(ret->account_id, sizeof(ret->account_id), "%.*s", (int)id.n, id.p);
    return http_now(req) - ret->at < REF_LIFE;
}

/* --- pages -------------------------------------------------------------------------------------------------------------- */

void
block_reason_page(struct http_request *req, const struct account_blocked *b)
{
    struct page_data *d = idp_page(req);

    page_time(d, "at", b->at, CITIZEN_ZONE);
    page_str(d, "ref", ref_make(req, b));
    idp_reply_page(req, 200, "block/reason.html", d);
}

void
block_done_page(struct http_request *req, const struct account_blocked *b, bool final)
{
    struct page_data *d = idp_page(req);

    page_time(d, "at", b->at, CITIZEN_ZONE);
    page_str(d, "receipt", b->receipt);
    page_bool(d, "final", final);
    idp_reply_page(req, 200, "block/done.html", d);
}

static void
already_page(struct http_request *req, const struct account_blocked *b)
{
    struct page_data *d = idp_page(req);

    page_time(d, "at", b->at, CITIZEN_ZONE);
    page_str(d, "receipt", b->receipt);
    idp_reply_page(req, 200, "block/already.html", d);
}

static void
unknown_page(struct http_request *req, int status, const char *message_key)
{
    struct page_data *d = idp_page(req);

    page_msg(d, "message", message_key);
    page_str(d, "again_url", "/blocage");
    idp_reply_page(req, status, "block/unknown.html", d);
}

static void
failed(struct http_request *req, enum err e, const struct why *why)
{
    LOG_ERROR_EV("block", LF_ERR(e), LF_WHY(why));
    idp_reply_error(req, http_status_of(e), "error.unavailable", "/blocage");
}

/* --- POST ---------------------------------------------------------------------------------------------------------------- */

static void
reason_given(struct http_request *req, const char *ref, const char *reason)
{
    struct idp *idp = http_app(req);
    struct account_blocked b, now;
    struct why why = WHY_INIT;
    int64_t wait = 0;
    enum err e;

    if (!ref_read(req, ref, &b)) {
        /* Too late to say why; the block stands. */
        form_page(req, 422, "", "error.csrf");
        return;
    }
    if (strcmp(reason, "stolen") != 0 &&
        (e = throttle_take(http_pg(req), idp->pepper, &by_reason, b.account_id, http_now(req), &wait, &why)) != OK) {
        failed(req, e, &why);
        return;
    }
    if (wait > 0) {
        http_header_add(req, "Retry-After", arena_printf(http_arena(req), "%lld", (long long)wait / USEC_PER_SEC + 1));
        form_page(req, 429, "", "signon.error.slow");
        return;
    }
    if ((e = account_block_reason(http_pg(req), b.account_id, reason, &citizen, http_now(req), &why)) != OK ||
        (e = account_block(http_pg(req), idp->pepper, b.account_id, reason, &citizen, http_now(req), &now, &why)) !=
            OK) {
        if (e == ERR_CONFLICT || e == ERR_INPUT)
            unknown_page(req, 409, "block.unknown.superseded");
        else
            failed(req, e, &why);
        return;
    }
    block_done_page(req, &now, strcmp(reason, "stolen") == 0);
}

static void
unknown_code(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    char net[IP_PREFIX_MAX];
    struct why why = WHY_INIT;
    int64_t wait, wait_all;
    enum err e;

    ip_prefix(http_peer(req), net);
    if ((e = throttle_take(http_pg(req), idp->pepper, &by_net, net, http_now(req), &wait, &why)) != OK ||
        (e = throttle_take(http_pg(req), idp->pepper, &by_all, "", http_now(req), &wait_all, &why)) != OK) {
        failed(req, e, &why);
        return;
    }
    if (wait_all > wait)
        wait = wait_all;
    if (wait > 0)
        http_header_add(req, "Retry-After", arena_printf(http_arena(req), "%lld",
                                                         (long long)((wait + USEC_PER_SEC - 1) / USEC_PER_SEC)));
    unknown_page(req, wait > 0 ? 429 : 404, "block.unknown.text");
}

void
post_block(struct http_request *req)
{
    const char *typed = http_form(req, "code"), *ref = http_form(req, "ref"), *reason = http_form(req, "reason");
    struct idp *idp = http_app(req);
    char folded[CODE_FOLDED_MAX];
    struct account_blocked b;
    struct why why = WHY_INIT;
    const char *problem;
    enum err e;

    if (ref != NULL && reason != NULL) {
        reason_given(req, ref, reason);
        return;
    }
    if ((problem = idp_code_problem(CODE_REVOCATION, typed != NULL ? typed : "", folded)) != NULL) {
        form_page(req, 422, typed != NULL ? typed : "", problem);
        return;
    }
    e = account_block_by_code(http_pg(req), idp->pepper, folded, &citizen, http_now(req), &b, &why);
    mem_wipe(folded, sizeof(folded));
    if (e == OK && b.already)
        already_page(req, &b);
    else if (e == OK)
        block_reason_page(req, &b);
    else if (e == ERR_NOT_FOUND)
        unknown_code(req);
    else if (e == ERR_DENIED)
        unknown_page(req, 410, "block.unknown.superseded");
    else
        failed(req, e, &why);
}
