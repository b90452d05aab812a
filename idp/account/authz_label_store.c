/* authz_label_store: the table authz_label. */
#include "idp/account/authz_label.h"

#include "base/core/secret.h"

enum { S_LIST, S_PUT, S_FORGET };
static const struct pg_stmt stmts[] = {
    [S_LIST] = { "authz_label.list", "SELECT code, label_fr, label_en FROM authz_label WHERE town_id = $1 ORDER BY code", 1 },
    [S_PUT] = { "authz_label.put",
        "INSERT INTO authz_label (town_id, code, label_fr, label_en, set_at) "
        "SELECT $1::uuid, n.code, n.fr, n.en, $5::timestamptz FROM unnest($2::text[], $3::text[], $4::text[]) AS n (code, fr, en) "
        "ON CONFLICT (town_id, code) DO UPDATE SET label_fr = excluded.label_fr, label_en = excluded.label_en, "
        "set_at = excluded.set_at WHERE (authz_label.label_fr, authz_label.label_en) <> (excluded.label_fr, "
        "excluded.label_en)", 5 },
    [S_FORGET] = { "authz_label.forget", "DELETE FROM authz_label WHERE town_id = $1 AND code <> ALL ($2::text[])", 2 },
};
const struct pg_stmts authz_label_stmts = PG_STMTS(stmts);

enum err
authz_labels_of(struct pg *pg, const char *town_id, struct arena *a, struct authz_labels *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, town_id);
    if ((e = pg_exec(pg, &stmts[S_LIST], &args, &r, why)) != OK)
        return e;
    ret->n = (size_t)pg_rows(r);
    ret->list = arena_alloc(a, (ret->n + 1) * sizeof(*ret->list));
    for (int i = 0; i < pg_rows(r); i++)
        ret->list[i] = (struct authz_label){ arena_strdup(a, pg_text(r, i, 0)), arena_strdup(a, pg_text(r, i, 1)),
                                             arena_strdup(a, pg_text(r, i, 2)) };
    return OK;
}

const char *
authz_label(const struct authz_labels *labels, const char *id, const char *lang)
{
    for (size_t i = 0; i < labels->n; i++) {
        const char *name = labels->list[i].code;

        if (strcmp(name, id) == 0)
            return strcmp(lang, "en") == 0 ? labels->list[i].label_en : labels->list[i].label_fr;
    }
    return id;
}

enum err
authz_labels_put(struct pg *pg, const char *town_id, const struct authz_label *list, size_t n, utime now,
                 bool *ret_changed, struct why *why)
{
    AUTO(mem_freep) const char **codes = mem_alloc_array(n + 1, sizeof(*codes));
    AUTO(mem_freep) const char **fr = mem_alloc_array(n + 1, sizeof(*fr));
    AUTO(mem_freep) const char **en = mem_alloc_array(n + 1, sizeof(*en));
    AUTO(pg_result_freep) struct pg_result *put = NULL;
    AUTO(pg_result_freep) struct pg_result *gone = NULL;
    struct pg_args args = PG_ARGS_INIT, args2 = PG_ARGS_INIT;
    enum err e;

    for (size_t i = 0; i < n; i++) {
        codes[i] = list[i].code;
        fr[i] = list[i].label_fr;
        en[i] = list[i].label_en;
    }
    pg_arg_uuid(&args, town_id);
    pg_arg_texts(&args, codes, n);
    pg_arg_texts(&args, fr, n);
    pg_arg_texts(&args, en, n);
    pg_arg_time(&args, now);
    pg_arg_uuid(&args2, town_id);
    pg_arg_texts(&args2, codes, n);
    if ((e = pg_exec(pg, &stmts[S_PUT], &args, &put, why)) != OK ||
        (e = pg_exec(pg, &stmts[S_FORGET], &args2, &gone, why)) != OK)
        return e;
    *ret_changed = pg_affected(put) > 0 || pg_affected(gone) > 0;
    return OK;
}
