/* proposal_store: the tables proposal and proposal_authz, and authorisation when a change has come about. */
#include "mairie-connector/town/proposal.h"

#include "mairie-connector/town/request.h"

enum { S_FIND, S_ITEMS, S_ADD, S_ADD_ITEM, S_FOUR_EYES, S_GIVEN, S_SEND, S_DROP, S_ANSWERED, S_END, S_GIVE,
       S_RECORD, S_REOPENED, S_LOCKED };
static const struct pg_stmt stmts[] = {
    [S_FIND] = { "proposal.find",
        "SELECT p.id, p.proposed_by, p.kind, p.reason, g.name, p.proposed_at, p.four_eyes, p.state, p.refusal, "
        "p.identity_id, p.override, p.pin_lost "
        "FROM proposal p JOIN agent g ON g.id = p.proposed_by WHERE p.dossier_id = $1 "
        "ORDER BY p.state IN ('waiting', 'sent') DESC, p.proposed_at DESC LIMIT 1", 1 },
    [S_ITEMS] = { "proposal.items",
        "SELECT i.code, d.label_fr, d.label_en, i.gives, i.valid_until FROM proposal_authz i "
        "JOIN authorisation_def d ON d.code = i.code WHERE i.proposal_id = $1 ORDER BY d.label_fr", 1 },
    [S_ADD] = { "proposal.add",
        "INSERT INTO proposal (id, dossier_id, kind, reason, proposed_by, proposed_at, identity_id, override, pin_lost, "
        "certificate, pin) VALUES ($1, $2, $3, $4, $5, $6, nullif($7::int8, 0), $8, $9::bool, $10, $11)", 11 },
    [S_ADD_ITEM] = { "proposal.add_item",
        "INSERT INTO proposal_authz (proposal_id, code, gives, valid_until) VALUES ($1, $2, $3::bool, $4)", 4 },
    [S_FOUR_EYES] = { "proposal.four_eyes", "SELECT four_eyes FROM proposal WHERE id = $1", 1 },
    [S_GIVEN] = { "proposal.given", "SELECT certificate, pin FROM proposal WHERE id = $1", 1 },
    [S_SEND] = { "proposal.send",
        "UPDATE proposal SET state = 'sent', certificate = NULL, pin = NULL, key = $2, decided_by = $3, decided_at = CASE WHEN $3::uuid IS NULL THEN NULL "
        "ELSE $4::timestamptz END WHERE id = $1 AND state = 'waiting'", 4 },
    [S_DROP] = { "proposal.drop",
        "UPDATE proposal SET state = 'dropped', certificate = NULL, pin = NULL, decided_by = $2, decided_at = $3 WHERE id = $1 AND state = 'waiting'", 3 },
    [S_ANSWERED] = { "proposal.answered",
        "UPDATE proposal SET state = CASE WHEN $2::text IS NULL THEN 'done' ELSE 'refused' END, "
        "refusal = coalesce($2, '') WHERE key = $1 AND state = 'sent'", 2 },
    [S_END] = { "proposal.end_authz",
        "UPDATE authorisation a SET ended_at = $2, ended_by = p.proposed_by FROM proposal p JOIN proposal_authz i "
        "ON i.proposal_id = p.id WHERE p.key = $1 AND a.dossier_id = p.dossier_id AND a.code = i.code "
        "AND a.ended_at IS NULL", 2 },
    [S_GIVE] = { "proposal.give_authz",
        "INSERT INTO authorisation (dossier_id, code, sensitive, valid_until, granted_by, granted_at, approved_by, "
        "approved_at) SELECT p.dossier_id, i.code, false, i.valid_until, p.proposed_by, p.proposed_at, p.decided_by, "
        "p.decided_at FROM proposal p JOIN proposal_authz i ON i.proposal_id = p.id WHERE p.key = $1 AND i.gives", 1 },
    [S_RECORD] = { "proposal.record",
        "SELECT i.id, i.at, i.doc_type, g.name, coalesce(s.name, ''), coalesce(p.override, ''), p.pin_lost FROM proposal p "
        "JOIN identity_check i ON i.id = p.identity_id JOIN agent g ON g.id = p.proposed_by "
        "LEFT JOIN agent s ON s.id = p.decided_by WHERE p.dossier_id = $1 AND p.kind = $2 AND p.state = 'done' "
        "ORDER BY p.proposed_at DESC LIMIT 1", 2 },
    [S_REOPENED] = { "proposal.reopened",
        "SELECT kind = 'reopen' FROM proposal WHERE dossier_id = $1 AND state = 'done' AND kind IN ('reopen', 'reactivate') "
        "ORDER BY proposed_at DESC LIMIT 1", 1 },
    [S_LOCKED] = { "proposal.locked",
        "SELECT p.dossier_id FROM proposal p WHERE p.proposed_at > $1 AND p.refusal = 'secret.locked' AND NOT EXISTS "
        "(SELECT FROM proposal l WHERE l.dossier_id = p.dossier_id AND l.proposed_at > p.proposed_at) "
        "ORDER BY p.proposed_at DESC LIMIT 20", 1 },
};
const struct pg_stmts proposal_stmts = PG_STMTS(stmts);

static const char *const kind_names[] = { "authz", "close", "reopen", "hand_over", "reactivate" };

const char *
proposal_kind_name(enum proposal_kind kind)
{
    return kind_names[kind];
}

static enum proposal_kind
kind_read(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_names); i++) {
        if (strcmp(kind_names[i], name) == 0)
            return (enum proposal_kind)i;
    }
    panic("proposal kind %s is not in the schema", name);
}

bool
proposal_waits(const struct proposal *p)
{
    return strcmp(p->state, "waiting") == 0;
}

static enum err
items_find(struct pg *pg, struct proposal *p, struct arena *a, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, p->id);
    if ((e = pg_exec(pg, &stmts[S_ITEMS], &args, &r, why)) != OK)
        return e;
    p->nitems = (size_t)pg_rows(r);
    p->items = arena_alloc(a, (p->nitems + 1) * sizeof(*p->items));
    for (int i = 0; i < pg_rows(r); i++)
        p->items[i] = (struct proposal_item){ arena_strdup(a, pg_text(r, i, 0)), arena_strdup(a, pg_text(r, i, 1)),
                                              arena_strdup(a, pg_text(r, i, 2)), pg_bool(r, i, 3), pg_time(r, i, 4) };
    return OK;
}

enum err
proposal_find(struct pg *pg, const char *dossier_id, struct arena *a, struct proposal *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "proposal.none", "nothing is proposed");
    pg_uuid(r, 0, 0, ret->id);
    pg_uuid(r, 0, 1, ret->by);
    ret->kind = kind_read(pg_text(r, 0, 2));
    ret->reason = pg_is_null(r, 0, 3) ? NULL : arena_strdup(a, pg_text(r, 0, 3));
    ret->by_name = arena_strdup(a, pg_text(r, 0, 4));
    ret->at = pg_time(r, 0, 5);
    ret->four_eyes = pg_bool(r, 0, 6);
    ret->state = arena_strdup(a, pg_text(r, 0, 7));
    ret->refusal = arena_strdup(a, pg_text(r, 0, 8));
    ret->identity_id = pg_is_null(r, 0, 9) ? 0 : pg_i64(r, 0, 9);
    ret->override = pg_is_null(r, 0, 10) ? NULL : arena_strdup(a, pg_text(r, 0, 10));
    ret->pin_lost = pg_bool(r, 0, 11);
    return items_find(pg, ret, a, why);
}

/* --- what was read and typed at the counter, sealed until it is sent ----------------------------------------------------- */

#define CERTIFICATE_PLACE "proposal.certificate"
#define PIN_PLACE "proposal.pin"
#define CERTIFICATE_MAX (16 * 1024)

static enum err
given_seal(const struct mairie *m, const struct proposal *in, struct buf *certificate, struct buf *pin, struct why *why)
{
    if ((in->certificate.p != NULL && column_seal(m->field, CERTIFICATE_PLACE, in->id, in->certificate, certificate) != OK) ||
        (in->pin != NULL && column_seal(m->field, PIN_PLACE, in->id, str_of(in->pin), pin) != OK))
        return why_set(why, ERR_INTERNAL, "what was given cannot be sealed");
    return OK;
}

static void
arg_sealed(struct pg_args *args, const struct buf *b)
{
    if (b->len == 0)
        pg_arg_null(args);
    else
        pg_arg_buf(args, b);
}

static enum err
open_one(const struct mairie *m, const char *place, const char *id, struct str sealed, struct buf *out, struct why *why)
{
    if (sealed.n == 0)
        return OK;
    return column_open(m->field, place, id, sealed, out, why) == OK
               ? OK : why_set(why, ERR_INTERNAL, "what was given cannot be opened");
}

static enum err
given_open(struct pg *pg, const struct mairie *m, const char *id, struct buf *certificate, struct buf *pin,
           struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, id);
    if ((e = pg_exec(pg, &stmts[S_GIVEN], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_CONFLICT, "proposal.state", "somebody else decided meanwhile");
    if ((e = open_one(m, CERTIFICATE_PLACE, id, pg_str(r, 0, 0), certificate, why)) != OK)
        return e;
    return open_one(m, PIN_PLACE, id, pg_str(r, 0, 1), pin, why);
}

enum err
proposal_add(struct pg *pg, const struct mairie *m, const struct proposal *in, const char *dossier_id, utime now,
             bool *ret_four_eyes, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    AUTO(buf_free) struct buf certificate = BUF_BOUNDED(CERTIFICATE_MAX);
    AUTO(buf_free) struct buf pin = BUF_BOUNDED(256);
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    if ((e = given_seal(m, in, &certificate, &pin, why)) != OK)
        return e;
    pg_arg_uuid(&args, in->id);
    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, kind_names[in->kind]);
    pg_arg_text(&args, in->reason);
    pg_arg_uuid(&args, in->by);
    pg_arg_time(&args, now);
    pg_arg_i64(&args, in->identity_id);
    pg_arg_text(&args, in->override);
    pg_arg_bool(&args, in->pin_lost);
    arg_sealed(&args, &certificate);
    arg_sealed(&args, &pin);
    if ((e = pg_exec(pg, &stmts[S_ADD], &args, NULL, why)) != OK)
        return e;
    for (size_t i = 0; i < in->nitems; i++) {
        pg_arg_uuid(&args, in->id);
        pg_arg_text(&args, in->items[i].code);
        pg_arg_bool(&args, in->items[i].gives);
        pg_arg_time(&args, in->items[i].until);
        if ((e = pg_exec(pg, &stmts[S_ADD_ITEM], &args, NULL, why)) != OK)
            return e;
    }
    pg_arg_uuid(&args, in->id);
    if ((e = pg_exec(pg, &stmts[S_FOUR_EYES], &args, &r, why)) != OK)
        return e;
    *ret_four_eyes = pg_bool(r, 0, 0);
    return OK;
}

static enum err
change_one(struct pg *pg, const struct pg_stmt *stmt, struct pg_args *args, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    enum err e;

    if ((e = pg_exec(pg, stmt, args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "proposal.state", "somebody else decided meanwhile");
}

enum err
proposal_send(struct pg *pg, const struct mairie *m, const struct proposal *p, const char *dossier_id, const char *key,
              const char *second, utime now, struct arena *a, struct why *why)
{
    AUTO(buf_free) struct buf certificate = BUF_SECRET(CERTIFICATE_MAX);
    AUTO(buf_free) struct buf pin = BUF_SECRET(64);
    struct pg_args args = PG_ARGS_INIT;
    struct request_card card = { .second = second };
    enum err e;

    if ((e = given_open(pg, m, p->id, &certificate, &pin, why)) != OK)
        return e;
    pg_arg_uuid(&args, p->id);
    pg_arg_text(&args, key);
    pg_arg_uuid(&args, second);
    pg_arg_time(&args, now);
    if ((e = change_one(pg, &stmts[S_SEND], &args, why)) != OK)
        return e;
    switch (p->kind) {
    case PROPOSAL_AUTHZ:
        return request_authz(pg, m, key, dossier_id, p, now, a, why);
    case PROPOSAL_CLOSE:
        return request_close(pg, m, key, dossier_id, p, now, why);
    case PROPOSAL_REOPEN:
        return outbox_add(pg, m, key, dossier_id, OUTBOX_REOPEN, STR_LIT(""), p->by, now, why);
    case PROPOSAL_HAND_OVER:
    case PROPOSAL_REACTIVATE:
        card.certificate = buf_view(&certificate);
        card.pin = pin.len > 0 ? buf_cstr(&pin) : NULL;
        return request_card(pg, m, key, dossier_id, p, &card, now, a, why);
    }
    return ERR_INTERNAL;
}

enum err
proposal_drop(struct pg *pg, const char *id, const char *agent_id, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, agent_id);
    pg_arg_time(&args, now);
    return change_one(pg, &stmts[S_DROP], &args, why);
}

enum err
proposal_answered(struct pg *pg, const char *key, const char *refusal, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, key);
    pg_arg_text(&args, refusal);
    if ((e = change_one(pg, &stmts[S_ANSWERED], &args, why)) != OK || refusal != NULL)
        return e;
    pg_arg_text(&args, key);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_END], &args, NULL, why)) != OK)
        return e;
    pg_arg_text(&args, key);
    return pg_exec(pg, &stmts[S_GIVE], &args, NULL, why);
}

enum err
proposal_record_find(struct pg *pg, const char *dossier_id, enum proposal_kind kind, struct arena *a,
                     struct proposal_record *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    pg_arg_text(&args, kind_names[kind]);
    if ((e = pg_exec(pg, &stmts[S_RECORD], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "proposal.none", "it was not done");
    *ret = (struct proposal_record){
        .id = pg_i64(r, 0, 0), .at = pg_time(r, 0, 1), .doc_type = arena_strdup(a, pg_text(r, 0, 2)),
        .by = arena_strdup(a, pg_text(r, 0, 3)), .second = arena_strdup(a, pg_text(r, 0, 4)),
        .override = arena_strdup(a, pg_text(r, 0, 5)), .pin_lost = pg_bool(r, 0, 6),
    };
    return OK;
}

enum err
proposal_reopened(struct pg *pg, const char *dossier_id, bool *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, dossier_id);
    if ((e = pg_exec(pg, &stmts[S_REOPENED], &args, &r, why)) == OK)
        *ret = pg_rows(r) == 1 && pg_bool(r, 0, 0);
    return e;
}

enum err
proposal_locked(struct pg *pg, utime since, struct arena *a, const char ***ret, size_t *ret_n, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    const char **list;
    enum err e;

    pg_arg_time(&args, since);
    if ((e = pg_exec(pg, &stmts[S_LOCKED], &args, &r, why)) != OK)
        return e;
    list = arena_alloc(a, ((size_t)pg_rows(r) + 1) * sizeof(*list));
    for (int i = 0; i < pg_rows(r); i++) {
        char id[37];

        pg_uuid(r, i, 0, id);
        list[i] = arena_strdup(a, id);
    }
    *ret = list;
    *ret_n = (size_t)pg_rows(r);
    return OK;
}
