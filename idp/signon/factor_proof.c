/* factor_proof: that user name and password were right, sealed into the address of the second page. See factor.h. */
#include "idp/signon/factor.h"

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/core/secret.h"
#include "base/crypto/digest.h"

#define PLACE "factor.proof"
#define COOKIE "__Host-factor"
#define COOKIE_LIFE_S 7200
#define BINDER_LEN 43                       /* SHA-256, or 32 random bytes, in base64url */
#define PLAIN_MAX 1024
#define TOKEN_MAX 2048

enum { P_FLOW, P_BINDER, P_ACCOUNT, P_NAME, P_AT, FIELDS };

static const char *
binder_of(struct http_request *req, const char *cookie)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(64);
    unsigned char digest[SHA256_LEN];

    token_digest(cookie, digest);
    base64url_encode(&text, digest, sizeof(digest));
    return arena_strdup(http_arena(req), buf_cstr(&text));
}

static enum err
proof_seal(struct http_request *req, const struct factor_proof *p, const char **ret_token, struct why *why)
{
    const struct idp *idp = http_app(req);
    AUTO(buf_free) struct buf plain = BUF_SECRET(PLAIN_MAX);
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(PLAIN_MAX + COLUMN_OVERHEAD);
    AUTO(buf_free) struct buf token = BUF_BOUNDED(TOKEN_MAX);
    char id[FLOW_ID_SIZE];

    flow_id_new(id);
    buf_addf(&plain, "%s\n%s\n%s\n%s\n%lld", p->flow_id, p->binder, p->account_id, p->name, (long long)p->at);
    if (!buf_ok(&plain) || column_seal(idp->field, PLACE, id, buf_view(&plain), &sealed) != OK)
        return why_set(why, ERR_INTERNAL, "the proof cannot be sealed");
    buf_addf(&token, "%s.", id);
    base64url_encode(&token, sealed.data, sealed.len);
    CHECK(buf_ok(&token));
    *ret_token = arena_strdup(http_arena(req), buf_cstr(&token));
    return OK;
}

void
factor_ask(struct http_request *req, const struct flow *f, const char *account_id, const char *name)
{
    const char *cookie = http_cookie(req, COOKIE), *token = NULL;
    struct factor_proof p = { .flow_id = f->id, .account_id = account_id, .name = name, .at = http_now(req) };
    struct why why = WHY_INIT;
    char fresh[64];
    enum err e;

    if (cookie == NULL || strlen(cookie) != BINDER_LEN) {
        rand_token(TOKEN_BYTES, fresh, sizeof(fresh));
        cookie = fresh;
    }
    http_cookie_set(req, COOKIE, cookie, COOKIE_LIFE_S, "Lax");
    p.binder = binder_of(req, cookie);
    if ((e = proof_seal(req, &p, &token, &why)) != OK) {
        LOG_ERROR_EV("signon.factor", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return;
    }
    http_reply_redirect(req, signon_flow_url(req, f, arena_printf(http_arena(req), "/factor/%s", token)));
}

/* Ours, once it has opened: another shape is another version of this program. */
static enum err
fields_read(struct str text, struct arena *a, struct factor_proof *ret)
{
    const char *field[FIELDS];
    struct str rest = text;

    for (size_t i = 0; i < FIELDS; i++) {
        if (rest.p == NULL)
            return ERR_NOT_FOUND;
        field[i] = arena_str(a, str_split(rest, '\n', &rest));
    }
    if (rest.p != NULL || str_to_i64(str_of(field[P_AT]), 0, INT64_MAX, &ret->at) != OK)
        return ERR_NOT_FOUND;
    ret->flow_id = field[P_FLOW];
    ret->binder = field[P_BINDER];
    ret->account_id = field[P_ACCOUNT];
    ret->name = field[P_NAME];
    return OK;
}

enum err
factor_proof_open(const struct idp *idp, const char *token, struct arena *a, struct factor_proof *ret, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(TOKEN_MAX);
    AUTO(buf_free) struct buf plain = BUF_SECRET(PLAIN_MAX);
    struct str rest, id = str_split(str_of(token), '.', &rest);
    struct factor_proof p = { .at = 0 };

    if (id.n != FLOW_ID_LEN || rest.p == NULL || base64url_decode(rest, &sealed) != OK ||
        column_open(idp->field, PLACE, arena_str(a, id), buf_view(&sealed), &plain, why) != OK ||
        fields_read(buf_view(&plain), a, &p) != OK)
        return why_code(why, ERR_NOT_FOUND, "factor.proof", "no proof of ours");
    *ret = p;
    return OK;
}

bool
factor_proof_is_here(struct http_request *req, const struct factor_proof *p)
{
    const char *cookie = http_cookie(req, COOKIE), *k;

    if (cookie == NULL || strlen(cookie) != BINDER_LEN)
        return false;
    k = binder_of(req, cookie);
    return mem_equal_ct(k, strlen(k), p->binder, strlen(p->binder));
}
