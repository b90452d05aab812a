/* signon_store: the table signon. What a sign-on decides and records is one statement (HTTP-SQL §0). */
#include "idp/signon/signon-internal.h"

enum { S_DECIDE, S_EXPLAIN };
static const struct pg_stmt stmts[] = {
    /* $1 service, $2 request key, $3 now, $4 transient id or NULL, $5 session index, $6 flow, $7 extra, $8 family,
     * $9 session digest, $10 fresh after, $11 accepted methods */
    [S_DECIDE] = { "signon.decide",
        "INSERT INTO signon (service_id, request_key, session_digest, account_id, at, name_id, session_index, method, "
        "auth_time, authz, session_idle, flow_id, extra, town) "
        "SELECT $1::int4, $2, s.token_digest, s.account_id, $3, coalesce($4, p.value), $5, s.method, s.auth_time, "
        "s.authz, s.idle_until, $6, $7, s.town FROM session s JOIN pairwise p ON p.account_id = s.account_id AND p.family = $8 "
        "WHERE s.token_digest = $9 AND s.live AND s.idle_until > $3 AND s.abs_until > $3 AND s.authz_until > $3 "
        "AND s.auth_time >= $10 AND ($11::int4 = 0 OR (s.method & $11::int4) <> 0) "
        "ON CONFLICT DO NOTHING "
        "RETURNING account_id, name_id, session_index, method, auth_time, session_idle, authz, town", 11 },
    [S_EXPLAIN] = { "signon.explain",
        "SELECT d.account_id, d.name_id, d.session_index, d.method, d.auth_time, d.session_idle, d.authz, d.town, "
        "coalesce(d.flow_id = $6 AND d.session_digest = $4 AND s.live, false), "
        "s.account_id, s.method, s.auth_time, coalesce(s.authz_until <= $3, false), "
        "EXISTS (SELECT FROM pairwise p WHERE p.account_id = s.account_id AND p.family = $5) "
        "FROM (SELECT 1) one "
        "LEFT JOIN signon d ON d.service_id = $1::int4 AND d.request_key = $2 "
        "LEFT JOIN session s ON s.token_digest = $4 AND s.live AND s.idle_until > $3 AND s.abs_until > $3", 6 },
};
const struct pg_stmts signon_stmts = PG_STMTS(stmts);

static void
row_read(const struct pg_result *r, struct arena *a, struct signon_row *ret)
{
    size_t n = pg_texts_count(r, 0, 6);

    pg_uuid(r, 0, 0, ret->account_id);
    ret->name_id = arena_strdup(a, pg_text(r, 0, 1));
    ret->session_index = arena_strdup(a, pg_text(r, 0, 2));
    ret->method = (unsigned)pg_i64(r, 0, 3);
    ret->auth_time = pg_time(r, 0, 4);
    ret->session_idle = pg_time(r, 0, 5);
    ret->town = arena_strdup(a, pg_text(r, 0, 7));
    ret->nauthz = n;
    ret->authz = arena_alloc(a, (n + 1) * sizeof(*ret->authz));
    for (size_t i = 0; i < n; i++) {
        struct str item = pg_texts_item(r, 0, 6, i);

        ret->authz[i] = (struct str){ arena_str(a, item), item.n };
    }
}

enum err
signon_store_decide(struct pg *pg, const struct signon_ask_row *in, struct arena *a, struct signon_row *ret,
                    struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i32(&args, in->rq->service->id);
    pg_arg_bytes(&args, in->rq->request_key.p, in->rq->request_key.n);
    pg_arg_time(&args, in->now);
    pg_arg_text(&args, in->rq->transient_id);
    pg_arg_text(&args, in->session_index);
    pg_arg_text(&args, in->rq->flow_id);
    if (in->rq->extra.p == NULL)
        pg_arg_null(&args);
    else
        pg_arg_bytes(&args, in->rq->extra.p, in->rq->extra.n);
    pg_arg_text(&args, in->rq->service->family);
    pg_arg_bytes(&args, in->session_digest, 32);
    pg_arg_time(&args, in->fresh_after);
    pg_arg_i32(&args, (int32_t)in->rq->accept);
    if ((e = pg_exec(pg, &stmts[S_DECIDE], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    row_read(r, a, ret);
    return OK;
}

enum err
signon_store_explain(struct pg *pg, const struct signon_ask_row *in, struct arena *a, struct signon_reason *ret,
                     struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i32(&args, in->rq->service->id);
    pg_arg_bytes(&args, in->rq->request_key.p, in->rq->request_key.n);
    pg_arg_time(&args, in->now);
    pg_arg_bytes(&args, in->session_digest, 32);
    pg_arg_text(&args, in->rq->service->family);
    pg_arg_text(&args, in->rq->flow_id);
    if ((e = pg_exec(pg, &stmts[S_EXPLAIN], &args, &r, why)) != OK)
        return e;
    memset(ret, 0, sizeof(*ret));
    ret->answered = !pg_is_null(r, 0, 0);
    ret->ours = pg_bool(r, 0, 8);
    if (ret->ours)
        row_read(r, a, &ret->row);
    ret->session = !pg_is_null(r, 0, 9);
    if (!ret->session)
        return OK;
    pg_uuid(r, 0, 9, ret->account_id);
    ret->method = (unsigned)pg_i64(r, 0, 10);
    ret->auth_time = pg_time(r, 0, 11);
    ret->authz_stale = pg_bool(r, 0, 12);
    ret->pairwise = pg_bool(r, 0, 13);
    return OK;
}
