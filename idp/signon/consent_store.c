/* consent_store: who is asked, what the town granted them and what they agreed to, in one look. */
#include "idp/signon/signon-internal.h"

enum { S_LOOK };
static const struct pg_stmt stmts[] = {
    [S_LOOK] = { "signon.consent",
        "SELECT s.account_id, ARRAY (SELECT z.code FROM account_authz z WHERE z.account_id = s.account_id "
        "AND z.ended_at IS NULL AND (z.valid_until IS NULL OR z.valid_until > $2) ORDER BY z.code), c.items "
        "FROM session s LEFT JOIN consent c ON c.account_id = s.account_id AND c.service_id = $3::int4 "
        "WHERE s.token_digest = $1 AND s.live AND s.idle_until > $2 AND s.abs_until > $2 AND s.auth_time >= $4 "
        "AND ($5::int4 = 0 OR (s.method & $5::int4) <> 0)", 5 },
};
const struct pg_stmts signon_consent_stmts = PG_STMTS(stmts);

enum err
consent_store_look(struct pg *pg, const struct signon_ask_row *in, struct arena *a, struct consent_look *ret,
                   struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    size_t n;
    enum err e;

    pg_arg_bytes(&args, in->session_digest, 32);
    pg_arg_time(&args, in->now);
    pg_arg_i32(&args, in->rq->service->id);
    pg_arg_time(&args, in->fresh_after);
    pg_arg_i32(&args, (int32_t)in->rq->accept);
    if ((e = pg_exec(pg, &stmts[S_LOOK], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "session.unknown", "no session that is good enough");
    pg_uuid(r, 0, 0, ret->account_id);
    n = pg_texts_count(r, 0, 1);
    ret->nauthz = n;
    ret->authz = arena_alloc(a, (n + 1) * sizeof(*ret->authz));
    for (size_t i = 0; i < n; i++) {
        struct str item = pg_texts_item(r, 0, 1, i);

        ret->authz[i] = (struct str){ arena_str(a, item), item.n };
    }
    ret->agreed = pg_is_null(r, 0, 2) ? NULL : arena_strdup(a, pg_text(r, 0, 2));
    return OK;
}
