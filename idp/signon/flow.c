/*
 * flow: a sign-on that waits for a person is kept in its own address: /signon/{id}.{sealed}.
 *
 * Sealed under K_field, with the id as its place: nobody but our nodes reads or makes one. So a tab, the Back button, a
 * restart and another node all end at the service, and what a stranger asks leaves nothing behind in the database
 * (docs/decisions.md). What stands in it is lines, each ended by a line feed, and the dialect's own words after the last.
 */
#include "idp/signon/signon-internal.h"

#include "base/core/enc.h"
#include "base/core/rand.h"

#define PLACE "flow.url"
#define FIELDS 10
#define PLAIN_MAX (16 * 1024)

enum {
    F_DIALECT, F_SERVICE, F_ACCEPT, F_FRESH_AFTER, F_CREATED_AT, F_LANG, F_HINT, F_WITHOUT, F_CONSENT_ACCOUNT,
    F_CONSENT_ITEMS
};

static const char *
or_empty(const char *s)
{
    return s != NULL ? s : "";
}

void
flow_id_new(char ret[FLOW_ID_SIZE])
{
    rand_token(FLOW_ID_BYTES, ret, FLOW_ID_SIZE);
}

enum err
flow_seal(const struct idp *idp, const struct flow *f, struct arena *a, const char **ret_token, struct why *why)
{
    AUTO(buf_free) struct buf plain = BUF_SECRET(PLAIN_MAX);
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(PLAIN_MAX + COLUMN_OVERHEAD);
    AUTO(buf_free) struct buf token = BUF_BOUNDED(FLOW_TOKEN_MAX);
    enum err e;

    CHECK(strchr(or_empty(f->login_hint), '\n') == NULL);      /* a user name: login_name_problem() */
    buf_addf(&plain, "%s\n%d\n%u\n%lld\n%lld\n%s\n%s\n%u\n%s\n%s\n", f->dialect, (int)f->service_id, f->accept,
             (long long)f->fresh_after, (long long)f->created_at, f->lang, or_empty(f->login_hint),
             f->without, or_empty(f->consent_account), or_empty(f->consent_items));
    buf_add(&plain, f->state.p, f->state.n);
    if (!buf_ok(&plain))
        return why_code(why, ERR_INPUT, "flow.long", "the request is too long to be kept");
    if ((e = column_seal(idp->field, PLACE, f->id, buf_view(&plain), &sealed)) != OK)
        return why_set(why, e, "the flow cannot be sealed");
    buf_addf(&token, "%s.", f->id);
    base64url_encode(&token, sealed.data, sealed.len);
    if (!buf_ok(&token))
        return why_code(why, ERR_INPUT, "flow.long", "the request is too long to be kept");
    *ret_token = arena_strdup(a, buf_cstr(&token));
    return OK;
}

/* Ours, once it has opened: another shape is another version of this program. */
static enum err
fields_read(struct str text, struct arena *a, struct flow *ret)
{
    const char *field[FIELDS];
    struct str rest = text;
    int64_t service, accept, without;
    struct flow f = *ret;

    for (size_t i = 0; i < FIELDS; i++) {
        if (rest.p == NULL)
            return ERR_NOT_FOUND;
        field[i] = arena_str(a, str_split(rest, '\n', &rest));
    }
    if (rest.p == NULL || str_to_i64(str_of(field[F_SERVICE]), 0, INT32_MAX, &service) != OK ||
        str_to_i64(str_of(field[F_ACCEPT]), 0, INT32_MAX, &accept) != OK ||
        str_to_i64(str_of(field[F_WITHOUT]), 0, INT32_MAX, &without) != OK ||
        str_to_i64(str_of(field[F_FRESH_AFTER]), INT64_MIN, INT64_MAX, &f.fresh_after) != OK ||
        str_to_i64(str_of(field[F_CREATED_AT]), INT64_MIN, INT64_MAX, &f.created_at) != OK)
        return ERR_NOT_FOUND;
    f.dialect = field[F_DIALECT];
    f.service_id = (int32_t)service;
    f.accept = (unsigned)accept;
    f.lang = field[F_LANG];
    f.login_hint = field[F_HINT][0] != '\0' ? field[F_HINT] : NULL;
    f.without = (unsigned)without;
    f.consent_account = field[F_CONSENT_ACCOUNT][0] != '\0' ? field[F_CONSENT_ACCOUNT] : NULL;
    f.consent_items = field[F_CONSENT_ITEMS];
    f.state = (struct str){ arena_str(a, rest), rest.n };
    *ret = f;
    return OK;
}

enum err
flow_open(const struct idp *idp, const char *token, struct arena *a, struct flow *ret, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(FLOW_TOKEN_MAX);
    AUTO(buf_free) struct buf plain = BUF_SECRET(PLAIN_MAX);
    struct str rest, id = str_split(str_of(token), '.', &rest);
    struct flow f = { .token = token };

    f.id = arena_str(a, id);
    if (id.n != FLOW_ID_LEN || rest.p == NULL || base64url_decode(rest, &sealed) != OK ||
        column_open(idp->field, PLACE, f.id, buf_view(&sealed), &plain, why) != OK ||
        fields_read(buf_view(&plain), a, &f) != OK)
        return why_code(why, ERR_NOT_FOUND, "flow.unknown", "no flow of ours");
    f.expires_at = f.created_at + idp->conf.flow_life;
    *ret = f;
    return OK;
}
