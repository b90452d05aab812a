/* custodian_store: the table custodian. The shares themselves are on their custodians' media, never here. */
#include "pki/authority/ca.h"

enum { S_ADD, S_LIST, S_END };
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "custodian.add",
        "INSERT INTO custodian (set_id, number, person_id, threshold, total, sha256, made_at) "
        "VALUES ($1, $2::int4, $3, $4::int4, $5::int4, $6, $7) ON CONFLICT (set_id, number) DO NOTHING", 7 },
    [S_LIST] = { "custodian.list",
        "SELECT c.set_id, c.number, c.threshold, c.total, c.person_id, p.name, c.sha256 FROM custodian c "
        "JOIN person p ON p.id = c.person_id WHERE c.set_id = $1 AND c.ended_at IS NULL ORDER BY c.number", 1 },
    [S_END] = { "custodian.end", "UPDATE custodian SET ended_at = $2 WHERE set_id = $1 AND ended_at IS NULL", 2 },
};
const struct pg_stmts custodian_stmts = PG_STMTS(stmts);

enum err
custodian_add(struct pg *pg, const struct custodian *c, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, c->set_id);
    pg_arg_i32(&args, c->number);
    pg_arg_uuid(&args, c->person);
    pg_arg_i32(&args, c->threshold);
    pg_arg_i32(&args, c->total);
    pg_arg_bytes(&args, c->sha256, sizeof(c->sha256));
    pg_arg_time(&args, now);
    e = pg_exec(pg, &stmts[S_ADD], &args, NULL, why);
    return e == ERR_CONFLICT ? why_code(why, e, "custodian.exists", "a share of this person is there already, or the person is not "
                                            "known") : e;
}

enum err
custodian_list(struct pg *pg, const char *set_id, struct arena *a, struct custodian **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct custodian *list;
    enum err e;

    pg_arg_uuid(&args, set_id);
    if ((e = pg_exec(pg, &stmts[S_LIST], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++) {
        pg_uuid(r, i, 0, list[i].set_id);
        list[i].number = (int)pg_i64(r, i, 1);
        list[i].threshold = (int)pg_i64(r, i, 2);
        list[i].total = (int)pg_i64(r, i, 3);
        pg_uuid(r, i, 4, list[i].person);
        list[i].name = arena_strdup(a, pg_text(r, i, 5));
        CHECK(pg_str(r, i, 6).n == SHA256_LEN);
        memcpy(list[i].sha256, pg_str(r, i, 6).p, SHA256_LEN);
    }
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
custodian_end(struct pg *pg, const char *set_id, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, set_id);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_END], &args, NULL, why);
}
