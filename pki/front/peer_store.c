/* peer_store: the station behind a client certificate, asked anew at each request. */
#include "base/crypto/x509.h"
#include "pki/front/front-internal.h"

enum { S_FIND };
static const struct pg_stmt stmts[] = {
    [S_FIND] = { "peer.find",
        "SELECT s.id, s.name, s.profiles, s.towns, s.may_revoke, s.state, c.id, c.registration_id, c.state, c.not_after "
        "FROM certificate c JOIN certificate_der d ON d.certificate_id = c.id JOIN station s ON s.id = c.station_id "
        "WHERE c.spki_sha256 = $1 AND d.der = $2", 2 },
};
const struct pg_stmts peer_stmts = PG_STMTS(stmts);

static const char **
texts(const struct pg_result *r, int col, struct arena *a, size_t *ret_n)
{
    const size_t n = pg_texts_count(r, 0, col);
    const char **list = arena_alloc(a, (n + 1) * sizeof(*list));

    for (size_t i = 0; i < n; i++)
        list[i] = arena_str(a, pg_texts_item(r, 0, col, i));
    *ret_n = n;
    return list;
}

static enum err
row_judge(const struct pg_result *r, utime now, struct why *why)
{
    const struct str state = pg_str(r, 0, 8);

    if (!str_eqs(pg_str(r, 0, 5), "active"))
        return why_code(why, ERR_DENIED, "station.suspended", "station %s is suspended", pg_text(r, 0, 1));
    if ((!str_eqs(state, "issued") && !str_eqs(state, "active")) || pg_time(r, 0, 9) < now)
        return why_code(why, ERR_DENIED, "station.certificate", "the certificate of station %s is not good any more: %s",
                        pg_text(r, 0, 1), pg_text(r, 0, 8));
    return OK;
}

enum err
peer_find(struct pg *pg, struct str certificate, utime now, struct arena *a, struct peer *ret, struct why *why)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char digest[SHA256_LEN];
    enum err e;

    if ((e = x509_read(certificate, &cert, why)) != OK)
        return why_code(why, ERR_NOT_FOUND, "station.unknown", "a client certificate that cannot be read");
    sha256(buf_view(&cert.spki), digest);
    pg_arg_bytes(&args, digest, sizeof(digest));
    pg_arg_bytes(&args, certificate.p, certificate.n);
    if ((e = pg_exec(pg, &stmts[S_FIND], &args, &r, why)) != OK)
        return e;
    if (pg_rows(r) == 0)
        return why_code(why, ERR_NOT_FOUND, "station.unknown", "no station has this certificate");
    *ret = (struct peer){ .name = arena_strdup(a, pg_text(r, 0, 1)), .every_town = pg_is_null(r, 0, 3),
                          .may_revoke = pg_bool(r, 0, 4) };
    pg_uuid(r, 0, 0, ret->id);
    pg_uuid(r, 0, 6, ret->certificate);
    pg_uuid(r, 0, 7, ret->registration);
    ret->profiles = texts(r, 2, a, &ret->nprofiles);
    if (!ret->every_town)
        ret->towns = texts(r, 3, a, &ret->ntowns);
    return row_judge(r, now, why);
}
