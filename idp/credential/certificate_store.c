/* certificate_store: the tables credential_certificate and certificate_ticket. */
#include "idp/credential/certificate-internal.h"

#include <stdio.h>

#include "base/core/enc.h"

enum { S_LOOK, S_REDEEM, S_INSERT, S_END, S_LIST, S_OWN, S_TAKE };
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
        "linked_at) VALUES ($1, $2, $3, $4, $5, $8, $7, $6, $7) ON CONFLICT (issuer, serial) DO UPDATE SET "
        "id = excluded.id, account_id = excluded.account_id, spki_sha256 = excluded.spki_sha256, state = excluded.state, "
        "state_since = excluded.state_since, linked_at = excluded.linked_at "
        "WHERE credential_certificate.state = 'ended'", 8 },
    [S_END] = { "certificate.end",
        "UPDATE credential_certificate SET state = 'ended', state_since = $3 WHERE account_id = $1 AND id = $2 "
        "AND state = 'active'", 3 },
    [S_OWN] = { "certificate.own",
        "SELECT id, state, linked_at, spki_sha256, not_after FROM credential_certificate WHERE account_id = $1 "
        "AND ($2::bytea IS NULL OR (issuer = $2 AND serial = $3)) AND state <> 'ended' "
        "ORDER BY (state IN ('issued', 'active', 'held') AND not_after > $4) DESC, linked_at DESC LIMIT 1 FOR UPDATE", 4 },
    [S_TAKE] = { "certificate.take",
        "UPDATE credential_certificate SET state = CASE WHEN id = $2 THEN 'active' ELSE 'ended' END, state_since = $3 "
        "WHERE account_id = $1 AND ((id = $2 AND state = 'issued') OR (id <> $2 AND state IN ('issued', 'active', 'held')))", 3 },
    [S_LIST] = { "certificate.list",
        "SELECT id, issuer, regexp_replace(encode(serial, 'hex'), '^00', ''), state, linked_at, not_after FROM credential_certificate "
        "WHERE account_id = $1 ORDER BY linked_at, id", 1 },
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
credential_store_look(struct pg *pg, const struct x509_cert *cert, struct credential_look *ret, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct credential_look look = { .known_until = UTIME_NULL };
    struct str spki;
    enum err e;

    if (cert != NULL) {
        pg_arg_bytes(&args, cert->issuer_der.p, cert->issuer_der.n);
        pg_arg_bytes(&args, cert->serial_octets.p, cert->serial_octets.n);
    } else {
        pg_arg_null(&args);
        pg_arg_null(&args);
    }
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
credential_store_insert(struct pg *pg, const char *id, const char *account_id, const struct x509_cert *cert,
                         const char *state, utime now, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char spki[SHA256_LEN];
    enum err e;

    sha256(buf_view(&cert->spki), spki);
    pg_arg_uuid(&args, id);
    pg_arg_uuid(&args, account_id);
    pg_arg_bytes(&args, cert->issuer_der.p, cert->issuer_der.n);
    pg_arg_bytes(&args, cert->serial_octets.p, cert->serial_octets.n);
    pg_arg_bytes(&args, spki, sizeof(spki));
    pg_arg_time(&args, cert->not_after);
    pg_arg_time(&args, now);
    pg_arg_text(&args, state);
    if ((e = pg_exec(pg, &stmts[S_INSERT], &args, &r, why)) != OK)
        return e;
    return pg_affected(r) == 1 ? OK : why_code(why, ERR_CONFLICT, "certificate.linked",
                                               "the certificate belongs to an account already");
}

enum err
credential_issued(struct pg *pg, const char *id, const char *account_id, const struct x509_cert *cert, utime now,
                   struct why *why)
{
    return credential_store_insert(pg, id, account_id, cert, "issued", now, why);
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
    }
    *ret = list;
    *ret_n = n;
    return OK;
}
