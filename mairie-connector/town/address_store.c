/* address_store: the table address. The lines are sealed as one text: not even their number can be read. */
#include "mairie-connector/town/dossier.h"

enum { S_ADD, S_FIND, S_PURGE };
static const struct pg_stmt stmts[] = {
    [S_ADD] = { "address.add", "INSERT INTO address (person_id, lines) VALUES ($1, $2)", 2 },
    [S_FIND] = { "address.find", "SELECT lines FROM address WHERE person_id = $1", 1 },
    [S_PURGE] = { "address.purge", "DELETE FROM address WHERE until < $1", 1 },
};
const struct pg_stmts address_stmts = PG_STMTS(stmts);

#define PLACE "address.lines"
#define TEXT_MAX 4096

enum err
address_add(struct pg *pg, const struct mairie *m, const char *person_id, const struct address *in, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_SECRET(TEXT_MAX);
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(TEXT_MAX + COLUMN_OVERHEAD);
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    for (int i = 0; i < ADDRESS_LINES; i++) {
        if (i > 0)
            buf_addc(&text, '\n');
        buf_adds(&text, in->lines[i]);
    }
    if (!buf_ok(&text) || (e = column_seal(m->field, PLACE, person_id, buf_view(&text), &sealed)) != OK)
        return why_set(why, ERR_INTERNAL, "the address cannot be sealed");
    pg_arg_uuid(&args, person_id);
    pg_arg_buf(&args, &sealed);
    return pg_exec(pg, &stmts[S_ADD], &args, NULL, why);
}

enum err
address_find(struct pg *pg, const struct mairie *m, const char *person_id, struct arena *a, struct address *ret,
             struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    AUTO(buf_free) struct buf text = BUF_SECRET(TEXT_MAX);
    struct pg_args args = PG_ARGS_INIT;
    struct str rest;
    enum err e;

    pg_arg_uuid(&args, person_id);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "address.none", "no address is kept");
    if ((e = column_open(m->field, PLACE, person_id, pg_str(r, 0, 0), &text, why)) != OK)
        return why_set(why, ERR_INTERNAL, "the address cannot be opened");
    rest = buf_view(&text);
    for (int i = 0; i < ADDRESS_LINES; i++) {
        struct str line = rest.p != NULL ? str_split(rest, '\n', &rest) : STR_NULL;

        ret->lines[i] = line.p != NULL ? arena_str(a, line) : "";
    }
    return OK;
}

enum err
address_purge(struct pg *pg, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_PURGE], &args, NULL, why);
}
