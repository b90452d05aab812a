/* services_store: the tables service, node and pairwise. */
#include "idp/services/services-internal.h"

#include <stdio.h>

enum { S_VERSION, S_ALL, S_NODE, S_NODE_GONE, S_LAGGARD, S_INSERT, S_UPDATE, S_STATE, S_PAIR_FIND, S_PAIR_ADD };
static const struct pg_stmt stmts[] = {
    [S_VERSION] = { "service.version", "SELECT coalesce(max(version), 0) FROM service", 0 },
    [S_ALL] = { "service.all",
        "SELECT id, kind, name, family, label_fr, label_en, state, document, policy::text, version FROM service "
        "ORDER BY id", 0 },
    [S_NODE] = { "node.seen",
        "INSERT INTO node (id, process, service_version, seen_at) VALUES ($1, $2, $3::int8, $4) "
        "ON CONFLICT (id) DO UPDATE SET service_version = excluded.service_version, seen_at = excluded.seen_at", 4 },
    [S_NODE_GONE] = { "node.gone", "DELETE FROM node WHERE id = $1", 1 },
    [S_LAGGARD] = { "node.laggard",
        "SELECT id FROM node WHERE service_version < $1::int8 AND seen_at > $2 LIMIT 1", 2 },
    [S_INSERT] = { "service.insert",
        "WITH s AS (INSERT INTO service (kind, name, family, label_fr, label_en, state, document, policy, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, 'active', $6, $7::text::jsonb, $8) RETURNING id, version) "
        "SELECT id, version, pg_notify('" SERVICES_CHANNEL "', version::text) FROM s", 8 },
    [S_UPDATE] = { "service.update",
        "WITH s AS (UPDATE service SET family = $3, label_fr = $4, label_en = $5, state = 'active', document = $6, "
        "policy = $7::text::jsonb, updated_at = $8, version = nextval('service_version') "
        "WHERE kind = $1 AND name = $2 RETURNING id, version) "
        "SELECT id, version, pg_notify('" SERVICES_CHANNEL "', version::text) FROM s", 8 },
    [S_STATE] = { "service.state",
        "WITH s AS (UPDATE service SET state = $3, updated_at = $4, version = nextval('service_version') "
        "WHERE kind = $1 AND name = $2 RETURNING version) "
        "SELECT version, pg_notify('" SERVICES_CHANNEL "', version::text) FROM s", 4 },
    [S_PAIR_FIND] = { "pairwise.find", "SELECT value FROM pairwise WHERE account_id = $1 AND family = $2", 2 },
    [S_PAIR_ADD] = { "pairwise.add",
        "INSERT INTO pairwise (account_id, family, value, key_version, made_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (account_id, family) DO NOTHING", 5 },
};
const struct pg_stmts services_stmts = PG_STMTS(stmts);

static const char *const kind_names[] = { "saml", "oidc" };

const char *
service_kind_name(enum service_kind kind)
{
    return kind_names[kind];
}

enum err
services_store_version(struct pg *pg, int64_t *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_VERSION], &args, &r, why)) != OK)
        return e;
    *ret = pg_i64(r, 0, 0);
    return OK;
}

enum err
services_store_all(struct pg *pg, void (*each)(const struct service_row *row, void *arg), void *arg, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    if ((e = pg_exec(pg, &stmts[S_ALL], &args, &r, why)) != OK)
        return e;
    for (int i = 0; i < pg_rows(r); i++) {
        struct service_row row = {
            .id = (int32_t)pg_i64(r, i, 0),
            .kind = strcmp(pg_text(r, i, 1), "saml") == 0 ? SERVICE_SAML : SERVICE_OIDC,
            .name = pg_text(r, i, 2), .family = pg_text(r, i, 3), .label_fr = pg_text(r, i, 4),
            .label_en = pg_text(r, i, 5), .state = pg_text(r, i, 6), .active = strcmp(pg_text(r, i, 6), "active") == 0,
            .document = pg_str(r, i, 7), .policy = pg_text(r, i, 8), .version = pg_i64(r, i, 9),
        };
        each(&row, arg);
    }
    return OK;
}

enum err
services_store_node(struct pg *pg, const char *node_id, const char *process, int64_t version, utime now,
                    struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, node_id);
    pg_arg_text(&args, process);
    pg_arg_i64(&args, version);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_NODE], &args, NULL, why);
}

enum err
services_store_node_gone(struct pg *pg, const char *node_id, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, node_id);
    return pg_exec(pg, &stmts[S_NODE_GONE], &args, NULL, why);
}

enum err
services_store_laggard(struct pg *pg, int64_t version, utime since, char ret_id[37], struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_i64(&args, version);
    pg_arg_time(&args, since);
    if ((e = pg_exec(pg, &stmts[S_LAGGARD], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    pg_uuid(r, 0, 0, ret_id);
    return OK;
}

static enum err
put(struct pg *pg, const struct pg_stmt *stmt, const struct service_draft *d, utime now, int32_t *ret_id,
    int64_t *ret_version, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, service_kind_name(d->kind));
    pg_arg_text(&args, d->name);
    pg_arg_text(&args, d->family);
    pg_arg_text(&args, d->label_fr);
    pg_arg_text(&args, d->label_en);
    pg_arg_bytes(&args, d->document.p, d->document.n);
    pg_arg_text(&args, d->policy);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, stmt, &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "service.unknown", "no such service");
    *ret_id = (int32_t)pg_i64(r, 0, 0);
    *ret_version = pg_i64(r, 0, 1);
    return OK;
}

enum err
services_store_insert(struct pg *pg, const struct service_draft *d, utime now, int32_t *ret_id, int64_t *ret_version,
                      struct why *why)
{
    return put(pg, &stmts[S_INSERT], d, now, ret_id, ret_version, why);
}

enum err
services_store_update(struct pg *pg, const struct service_draft *d, utime now, int32_t *ret_id, int64_t *ret_version,
                      struct why *why)
{
    return put(pg, &stmts[S_UPDATE], d, now, ret_id, ret_version, why);
}

enum err
services_store_state(struct pg *pg, enum service_kind kind, const char *name, const char *state, utime now,
                     int64_t *ret_version, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, service_kind_name(kind));
    pg_arg_text(&args, name);
    pg_arg_text(&args, state);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_STATE], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "service.unknown", "no service %s", name);
    *ret_version = pg_i64(r, 0, 0);
    return OK;
}

static enum err
pairwise_find(struct pg *pg, const char *account_id, const char *family, char ret[PAIRWISE_LEN + 1], struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_text(&args, family);
    if ((e = pg_exec(pg, &stmts[S_PAIR_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return ERR_NOT_FOUND;
    snprintf(ret, PAIRWISE_LEN + 1, "%s", pg_text(r, 0, 0));
    return OK;
}

/* RFC 4648 §6 alphabet in lower case: 20 bytes are exactly 32 symbols. */
static void
base32_20(const unsigned char in[20], char out[PAIRWISE_LEN + 1])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned bits = 0, held = 0;
    size_t o = 0;

    for (size_t i = 0; i < 20; i++) {
        bits = (bits << 8) | in[i];
        for (held += 8; held >= 5; held -= 5)
            out[o++] = alphabet[(bits >> (held - 5)) & 31u];
    }
    out[o] = '\0';
}

enum err
pairwise_ensure(struct pg *pg, const struct keyring *pair, const char *account_id, const char *family, utime now,
                char ret[PAIRWISE_LEN + 1], struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    int version = keyring_current(pair);
    unsigned char mac[MAC_LEN];
    char value[PAIRWISE_LEN + 1], bound[160];
    enum err e;

    if ((e = pairwise_find(pg, account_id, family, ret, why)) != ERR_NOT_FOUND)
        return e;
    snprintf(bound, sizeof(bound), "%s %s", family, account_id);
    if ((e = mac_compute(pair, version, "pairwise", str_of(bound), mac)) != OK)
        return why_set(why, e, "no pairwise key of version %d", version);
    base32_20(mac, value);
    pg_arg_uuid(&args, account_id);
    pg_arg_text(&args, family);
    pg_arg_text(&args, value);
    pg_arg_i32(&args, version);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_PAIR_ADD], &args, NULL, why)) != OK)
        return e;
    return pairwise_find(pg, account_id, family, ret, why);      /* ours, or that of who was first */
}
