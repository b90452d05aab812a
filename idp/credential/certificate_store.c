/* certificate_store: the tables credential_certificate and certificate_ticket. */
#include "idp/credential/certificate-internal.h"

#include <stdio.h>

#include "base/core/enc.h"

enum { S_LOOK, S_REDEEM, S_INSERT, S_END, S_END_ALL, S_LIST, S_OWN, S_TAKE, S_BY_HOLDER, S_TICKET, S_SPARE };
static const struct pg_stmt stmts[] = {
    /* Certificate, account and what is trusted, as they are in one instant. */
    [S_LOOK] = { "certificate.look",
        "SELECT v.version, c.id, c.account_id, c.state, a.state, c.spki_sha256, "
        "EXISTS (SELECT FROM enrolment e WHERE e.certificate_id = c.id), s.known_until FROM trust_version v "
        "CROSS JOIN authority_state s LEFT JOIN credential_certificate c ON c.issuer = $1 AND c.serial = $2 "
        "LEFT JOIN account a ON a.id = c.account_id", 2 },
    /* The row is locked, so that an end of the same instant either sees the session that is being made or prevents it. */
    [S_REDEEM] = { "certificate.redeem",
        "WITH good AS (SELECT FROM credential_certificate WHERE id = $2 AND state = 'active' FOR SHARE) "
        "INSERT INTO certificate_ticket (id, expires_at) SELECT $1, $3 FROM good ON CONFLICT DO NOTHING", 3 },
    [S_INSERT] = { "certificate.insert",
        "INSERT INTO credential_certificate (id, account_id, issuer, serial, spki_sha256, state, state_since, not_after, "
        "linked_at, by_holder) VALUES ($1, $2, $3, $4, $5, $8, $7, $6, $7, $9) ON CONFLICT (issuer, serial) DO UPDATE SET "
        "id = excluded.id, account_id = excluded.account_id, spki_sha256 = excluded.spki_sha256, state = excluded.state, "
        "state_since = excluded.state_since, linked_at = excluded.linked_at, by_holder = excluded.by_holder "
        "WHERE credential_certificate.state = 'ended'", 9 },
    [S_END] = { "certificate.end",
        "UPDATE credential_certificate SET state = 'ended', state_since = $3 WHERE account_id = $1 AND id = $2 "
        "AND state = 'active'", 3 },
    [S_END_ALL] = { "certificate.end_all",
        "UPDATE credential_certificate SET state = 'ended', state_since = $2 WHERE account_id = $1 "
        "AND state IN ('issued', 'active', 'held')", 2 },
    [S_OWN] = { "certificate.own",
        "SELECT id, state, linked_at, spki_sha256, not_after FROM credential_certificate WHERE account_id = $1 "
        "AND ($2::bytea IS NULL OR (issuer = $2 AND serial = $3)) AND state <> 'ended' AND NOT by_holder "
        "ORDER BY (state IN ('issued', 'active', 'held') AND not_after > $4) DESC, linked_at DESC LIMIT 1 FOR UPDATE", 4 },
    [S_TAKE] = { "certificate.take",
        "UPDATE credential_certificate SET state = CASE WHEN id = $2 THEN 'active' ELSE 'ended' END, state_since = $3 "
        "WHERE account_id = $1 AND ((id = $2 AND state = 'issued') OR (id <> $2 AND state IN ('issued', 'active', 'held')))", 3 },
    [S_LIST] = { "certificate.list",
        "SELECT id, issuer, regexp_replace(encode(serial, 'hex'), '^00', ''), state, linked_at, not_after, by_holder "
        "FROM credential_certificate WHERE account_id = $1 ORDER BY linked_at, id", 1 },
    [S_BY_HOLDER] = { "certificate.by_holder",
        "SELECT count(*), EXISTS (SELECT FROM trust WHERE name = $2 AND link_from_session) FROM credential_certificate "
        "WHERE account_id = $1 AND by_holder AND state <> 'ended'", 2 },
    [S_TICKET] = { "certificate.ticket_use",
        "INSERT INTO certificate_ticket (id, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", 2 },
    [S_SPARE] = { "certificate.spare",
        "SELECT EXISTS (SELECT FROM login l WHERE l.account_id = $1) OR EXISTS (SELECT FROM credential_certificate o "
        "WHERE o.account_id = $1 AND o.id <> $2 AND o.state = 'active' AND o.not_after > $3) FROM credential_certificate c "
        "WHERE c.account_id = $1 AND c.id = $2 AND c.by_holder AND c.state = 'active'", 3 },
};
const struct pg_stmts credential_stmts = PG_STMTS(stmts);

static enum account_state
account_state_of(const char *name)
{
    for (int s = ACCOUNT_PENDING; s <= ACCOUNT_ERASED; s++)
        if (strcmp(name, account_state_name((enum account_state)s)) == 0)
            return (enum account_state)s;
    panic("account state %s is not in the schema", name);
}

enum err
credential_store_look(struct pg *pg, struct str issuer, struct str serial, struct credential_look *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct credential_look look = { .known_until = UTIME_NULL };
    struct str spki;
    enum err e;

    pg_arg_bytes(&args, issuer.p, issuer.n);
    pg_arg_bytes(&args, serial.p, serial.n);
    if ((e = pg_exec(pg, &stmts[S_LOOK], &args, &r, why)) != OK)
        return e;
    CHECK(pg_rows(r) == 1);
    look.trust_version = pg_i64(r, 0, 0);
    if (!pg_is_null(r, 0, 1)) {
        pg_uuid(r, 0, 1, look.id);
        pg_uuid(r, 0, 2, look.account_id);
        snprintf(look.state, sizeof(look.state), "%s", pg_text(r, 0, 3));
        look.account = account_state_of(pg_text(r, 0, 4));
        spki = pg_str(r, 0, 5);
        CHECK(spki.n == sizeof(look.spki_sha256));
        memcpy(look.spki_sha256, spki.p, spki.n);
        look.asked = pg_bool(r, 0, 6);
        look.known_until = pg_time(r, 0, 7);
    }
    *ret = look;
    return OK;
}

enum err
credential_redeem(struct pg *pg, const char *ticket_id, const char *certificate_id, utime expires, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, ticket_id);
    pg_arg_uuid(&args, certificate_id);
    pg_arg_time(&args, expires);
    if ((e = pg_exec(pg, &stmts[S_REDEEM], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_DENIED, "certificate.ticket",
                                               "the ticket was used, or its certificate has ended");
}

enum err
credential_store_insert(struct pg *pg, const struct credential_new *in, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, in->id);
    pg_arg_uuid(&args, in->account_id);
    pg_arg_bytes(&args, in->issuer.p, in->issuer.n);
    pg_arg_bytes(&args, in->serial.p, in->serial.n);
    pg_arg_bytes(&args, in->spki_sha256, sizeof(in->spki_sha256));
    pg_arg_time(&args, in->not_after);
    pg_arg_time(&args, now);
    pg_arg_text(&args, in->state);
    pg_arg_bool(&args, in->by_holder);
    if ((e = pg_exec(pg, &stmts[S_INSERT], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "certificate.linked",
                                               "the certificate belongs to an account already");
}

enum err
credential_store_by_holder(struct pg *pg, const char *account_id, const char *trust, int64_t *ret_linked, bool *ret_may,
                           struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_text(&args, trust);
    if ((e = pg_exec(pg, &stmts[S_BY_HOLDER], &args, &r, why)) != OK)
        return e;
    *ret_linked = pg_i64(r, 0, 0);
    *ret_may = pg_bool(r, 0, 1);
    return OK;
}

enum err
credential_store_ticket_use(struct pg *pg, const char *ticket_id, utime expires, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_text(&args, ticket_id);
    pg_arg_time(&args, expires);
    if ((e = pg_exec(pg, &stmts[S_TICKET], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_DENIED, "certificate.ticket", "the ticket was used");
}

enum err
credential_store_spare(struct pg *pg, const char *account_id, const char *id, utime now, bool *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_uuid(&args, id);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_SPARE], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "certificate.unknown", "no certificate %s that the holder of this account linked", id);
    *ret = pg_bool(r, 0, 0);
    return OK;
}

enum err
credential_store_own(struct pg *pg, const char *account_id, const struct x509_cert *cert, utime now,
                     struct credential_own *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct str spki;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if (cert != NULL) {
        pg_arg_bytes(&args, cert->issuer_der.p, cert->issuer_der.n);
        pg_arg_bytes(&args, cert->serial_octets.p, cert->serial_octets.n);
    } else {
        pg_arg_null(&args);
        pg_arg_null(&args);
    }
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_OWN], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "certificate.unknown", "no such certificate of this account");
    pg_uuid(r, 0, 0, ret->card.id);
    snprintf(ret->card.state, sizeof(ret->card.state), "%s", pg_text(r, 0, 1));
    ret->card.linked_at = pg_time(r, 0, 2);
    spki = pg_str(r, 0, 3);
    CHECK(spki.n == sizeof(ret->spki_sha256));
    memcpy(ret->spki_sha256, spki.p, spki.n);
    ret->not_after = pg_time(r, 0, 4);
    return OK;
}

enum err
credential_card_take(struct pg *pg, const char *account_id, const char *id, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    pg_arg_uuid(&args, id);
    pg_arg_time(&args, now);
    return pg_post(pg, &stmts[S_TAKE], &args, why);
}

enum err
credential_store_end(struct pg *pg, const char *account_id, const char *id, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    enum err e;

    pg_arg_uuid(&args, account_id);
    pg_arg_uuid(&args, id);
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_END], &args, &r, why)) == ERR_INPUT || (e == OK && pg_affected(r) != 1))
        return why_code(why, ERR_NOT_FOUND, "certificate.unknown", "no active certificate %s of this account", id);
    return e;
}

enum err
credential_end_all(struct pg *pg, const char *account_id, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_uuid(&args, account_id);
    pg_arg_time(&args, now);
    return pg_exec(pg, &stmts[S_END_ALL], &args, NULL, why);
}

enum err
credential_list(struct pg *pg, const char *account_id, struct arena *a, struct credential_row **ret, size_t *ret_n,
                 struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct credential_row *list;
    size_t n;
    enum err e;

    pg_arg_uuid(&args, account_id);
    if ((e = pg_exec(pg, &stmts[S_LIST], &args, &r, why)) != OK)
        return e;
    n = (size_t)pg_rows(r);
    list = arena_alloc(a, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        AUTO(buf_free) struct buf issuer = BUF_BOUNDED(X509_NAME_MAX);
        int row = (int)i;

        pg_uuid(r, row, 0, list[i].id);
        list[i].issuer = x509_name_text(pg_str(r, row, 1), &issuer) == OK ? arena_strdup(a, buf_cstr(&issuer)) : "";
        list[i].serial = arena_strdup(a, pg_text(r, row, 2));
        list[i].state = arena_strdup(a, pg_text(r, row, 3));
        list[i].linked_at = pg_time(r, row, 4);
        list[i].not_after = pg_time(r, row, 5);
        list[i].by_holder = pg_bool(r, row, 6);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}
