/* approval_store: the table approval. */
#include "pki/authority/person.h"

enum { S_ADD, S_LOAD };
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "approval.add",
        "INSERT INTO approval (subject, person_id, act, signature, at) VALUES ($1, $2, $3, $4, $5)", 5 },
    [S_LOAD] = { "approval.load",
        "SELECT a.person_id, p.public_key, p.state = 'active', a.signature, a.at, ARRAY(SELECT DISTINCT l.role "
        "FROM role_live l JOIN role_live n ON n.person_id = l.person_id AND n.role = l.role "
        "WHERE l.person_id = a.person_id AND l.since <= a.at AND l.until > a.at AND n.since <= $3 AND n.until > $3) "
        "FROM approval a JOIN person p ON p.id = a.person_id WHERE a.subject = $1 AND a.act = $2 ORDER BY a.at, p.name", 3 },
};
const struct pg_stmts approval_stmts = PG_STMTS(stmts);

enum err
approval_add(struct pg *pg, enum approval_act act, const unsigned char subject[SHA256_LEN], const struct signed_yes *yes,
             struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_bytes(&args, subject, SHA256_LEN);
    pg_arg_uuid(&args, yes->person);
    pg_arg_text(&args, approval_act_name(act));
    pg_arg_bytes(&args, yes->signature.p, yes->signature.n);
    pg_arg_time(&args, yes->at);
    e = pg_exec(pg, &stmts[S_ADD], &args, NULL, why);
    return e == ERR_CONFLICT ? why_code(why, e, "approval.twice", "this person has said so already, or is not known") : e;
}

enum err
approval_load(struct pg *pg, enum approval_act act, const unsigned char subject[SHA256_LEN], utime now, struct arena *a,
              struct approval **ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct approval *list;
    enum err e;

    pg_arg_bytes(&args, subject, SHA256_LEN);
    pg_arg_text(&args, approval_act_name(act));
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_LOAD], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++) {
        const struct str key = pg_str(r, i, 1), signature = pg_str(r, i, 3);

        pg_uuid(r, i, 0, list[i].person);
        list[i].public_key = (struct str){ arena_dup(a, key.p, key.n), key.n };
        list[i].active = pg_bool(r, i, 2);
        list[i].signature = (struct str){ arena_dup(a, signature.p, signature.n), signature.n };
        list[i].at = pg_time(r, i, 4);
        if ((e = roles_of_column(r, i, 5, &list[i].roles, why)) != OK)
            return e;
    }
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}

enum err
approval_check(struct pg *pg, enum approval_act act, const unsigned char subject[SHA256_LEN], const char *beneficiary,
               utime now, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct approval *list = NULL;
    size_t n = 0;
    enum err e;

    if ((e = approval_load(pg, act, subject, now, a, &list, &n, why)) != OK)
        return e;
    return approval_verify_two(list, n, act, subject, beneficiary, now, why);
}

enum err
approval_say(struct pg *pg, enum approval_act act, const unsigned char subject[SHA256_LEN], const char *beneficiary,
             const struct signed_yes *yes, utime now, bool *ret_enough, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    const struct approval *own = NULL;
    struct approval *list = NULL;
    size_t n = 0;
    enum err e;

    if ((e = approval_add(pg, act, subject, yes, why)) != OK ||
        (e = approval_load(pg, act, subject, now, a, &list, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].person, yes->person) == 0)
            own = &list[i];
    CHECK(own != NULL);
    if ((e = approval_verify_one(own, act, subject, beneficiary, now, why)) != OK)
        return e;
    *ret_enough = approval_verify_two(list, n, act, subject, beneficiary, now, NULL) == OK;
    return OK;
}
