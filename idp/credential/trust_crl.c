/*
 * trust_crl: lists of revoked certificates: fetched from where the operator said, verified, kept.
 *
 * An authority may be away, serve an old file or somebody else's: then what is kept stays, as long as it lasts. A list
 * never goes back to a lower number (an attacker who replays yesterday's list would revive a stolen card). The address
 * is the operator's; of what a certificate names none is ever asked (T-22).
 */
#include "idp/credential/trust-internal.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/http/client.h"

#define FETCH_TIME (60 * USEC_PER_SEC)
#define BUSY (5 * USEC_PER_MIN)              /* another worker leaves it alone */
#define AGAIN (5 * USEC_PER_MIN)             /* after a failure */
#define SKEW (5 * USEC_PER_MIN)              /* an authority's clock may be ahead */
#define FILE_SCHEME "file://"

void
trust_crl_got_done(struct trust_crl_got *g)
{
    buf_free(&g->der);
}

static enum err
file_fetch(const char *path, struct buf *out, struct why *why)
{
    FILE *f = fopen(path, "re");
    char block[16384];
    size_t n;
    bool bad;

    if (f == NULL)
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", path);
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        buf_add(out, block, n);
    bad = ferror(f) != 0;
    fclose(f);
    return bad ? why_set(why, ERR_UNAVAILABLE, "%s: cannot be read", path) : OK;
}

static enum err
url_fetch(const char *url, const struct trust_fetch *fetch, struct buf *out, struct why *why)
{
    const struct http_client_config conf = { .ca_file = fetch->ca_file, .allow_private = fetch->allow_private,
                                             .timeout = FETCH_TIME, .answer_max = TRUST_CRL_MAX };
    AUTO(http_client_freep) struct http_client *client = NULL;
    AUTO(http_answer_done) struct http_answer answer = { .status = 0 };
    enum err e;

    if ((e = http_client_new(&conf, &client, why)) != OK ||
        (e = http_call(client, "GET", url, NULL, STR_LIT(""), &answer, why)) != OK)
        return e;
    if (answer.status != 200)
        return why_set(why, ERR_UNAVAILABLE, "%s: status %d", url, answer.status);
    buf_add_str(out, buf_view(&answer.body));
    return OK;
}

/* As octets of DER: authorities publish either form (RFC 5280 §4.2.1.13 asks for DER). */
static enum err
as_der(struct buf *got, struct buf *der, struct why *why)
{
    struct str text = buf_view(got);
    enum err e;

    if (!buf_ok(got))
        return why_set(why, ERR_INPUT, "larger than %zu octets", got->max);
    if (text.n > 0 && text.p[0] == 0x30) {
        buf_add_str(der, text);
        return OK;
    }
    if ((e = pem_next(&text, "X509 CRL", der)) != OK)
        return why_set(why, ERR_INPUT, "neither a DER nor a PEM list of revoked certificates");
    return OK;
}

enum err
trust_crl_get(const char *source, struct x509_trust *t, const struct trust_fetch *fetch, utime now,
              struct trust_crl_got *ret, struct why *why)
{
    AUTO(buf_free) struct buf got = BUF_BOUNDED(TRUST_CRL_MAX);
    AUTO(x509_crl_freep) struct x509_crl *crl = NULL;
    bool file = str_starts(str_of(source), FILE_SCHEME);
    enum err e;

    buf_reset(&ret->der);
    e = file ? file_fetch(source + sizeof(FILE_SCHEME) - 1, &got, why) : url_fetch(source, fetch, &got, why);
    if (e != OK || (e = as_der(&got, &ret->der, why)) != OK || (e = x509_crl_read(buf_view(&ret->der), &crl, why)) != OK ||
        (e = x509_trust_add_crl(t, crl, why)) != OK)
        return e;
    if (x509_crl_this_update(crl) > now + SKEW)
        return why_code(why, ERR_DENIED, "trust.crl_future", "the list is of a time to come");
    sha256(buf_view(&ret->der), ret->digest);
    memcpy(ret->number, x509_crl_number(crl), sizeof(ret->number));
    ret->this_update = x509_crl_this_update(crl);
    ret->next_update = x509_crl_next_update(crl);
    return OK;
}

/* The next look: as often as the operator said, and soon after the list ends. */
static utime
due_after(const struct trust_fetch *fetch, utime next_update, utime now)
{
    utime due = now + fetch->refresh;

    if (next_update > now && next_update + USEC_PER_SEC < due)
        due = next_update + USEC_PER_SEC;
    return due;
}

static enum err
fetch_one(struct pg *pg, const struct trust_crl_stored *c, const struct trust_stored *authority,
          const struct trust_fetch *fetch, utime now, utime *ret_next_update, struct why *why)
{
    AUTO(trust_crl_got_done) struct trust_crl_got got = TRUST_CRL_GOT_INIT;
    AUTO(x509_trust_freep) struct x509_trust *t = NULL;
    utime due;
    enum err e;

    if ((e = trust_make(authority->der, authority->helpers, &t, why)) != OK ||
        (e = trust_crl_get(c->source, t, fetch, now, &got, why)) != OK)
        return e;
    if (memcmp(got.number, c->number, sizeof(got.number)) < 0)
        return why_code(why, ERR_CONFLICT, "trust.crl_older", "older than the list that is kept");
    due = due_after(fetch, got.next_update, now);
    *ret_next_update = got.next_update;
    if (str_eq((struct str){ (const char *)got.digest, sizeof(got.digest) }, c->digest))     /* lint: secret-compare: of a public list */
        return trust_store_crl_same(pg, c->id, now, due, why);
    if ((e = trust_store_crl_put(pg, c->id, &got, now, due, why)) == OK)
        LOG_INFO_EV("trust.crl", LF_STR("trust", authority->name), LF_STR("source", c->source));
    return e;
}

enum err
trust_crl_turn(struct pg *pg, const struct trust_fetch *fetch, utime now, bool *ret_done, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(4 << 20);
    struct trust_crl_stored c;
    struct trust_stored authority;
    struct why reason = WHY_INIT;
    utime next_update;
    enum err e;

    *ret_done = false;
    e = trust_store_crl_take(pg, now, now + BUSY, a, &c, why);
    if (e != OK)
        return e == ERR_NOT_FOUND ? OK : e;
    *ret_done = true;
    if ((e = trust_store_by_id(pg, c.trust_id, a, &authority, why)) != OK)
        return e == ERR_NOT_FOUND ? OK : e;      /* removed this very moment */
    next_update = c.next_update;
    e = fetch_one(pg, &c, &authority, fetch, now, &next_update, &reason);
    if (e != OK) {
        LOG_WARN_EV("trust.crl_refused", LF_STR("trust", authority.name), LF_STR("source", c.source), LF_ERR(e),
                    LF_WHY(&reason));
        if ((e = trust_store_crl_problem(pg, c.id, reason.text, now + (fetch->refresh < AGAIN ? fetch->refresh : AGAIN),
                                         why)) != OK)
            return e;
    }
    if (next_update == UTIME_NULL || next_update < now)
        LOG_WARN_EV("trust.crl_overdue", LF_STR("trust", authority.name), LF_STR("source", c.source));
    return OK;
}
