/* request: the bodies of our calls. */
#include "mairie-connector/town/request.h"

#include "mairie-connector/wire/wire.h"

static enum err
authz_list(struct pg *pg, const char *dossier_id, struct arena *a, struct wire_authz_list *ret, bool *ret_sensitive,
           struct why *why)
{
    struct authz_given *given;
    size_t n;
    enum err e;

    if ((e = authz_of(pg, dossier_id, a, &given, &n, why)) != OK)
        return e;
    ret->items = arena_alloc(a, (n + 1) * sizeof(*ret->items));
    ret->n = n;
    *ret_sensitive = false;
    for (size_t i = 0; i < n; i++) {
        ret->items[i] = (struct wire_authz){ given[i].code, given[i].until == UTIME_NULL ? WIRE_UTIME_NONE : given[i].until };
        *ret_sensitive = *ret_sensitive || given[i].sensitive;
    }
    return OK;
}

enum err
request_create(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const char *handle,
               const char *lang, const char *agent_id, utime now, struct arena *a, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(WIRE_BODY_MAX);
    struct wire_create in = { .type = "password", .handle = handle, .lang = lang };
    enum err e;

    if ((e = authz_list(pg, dossier_id, a, &in.authz, &in.sensitive, why)) != OK)
        return e;
    wire_write_create(&body, &in);
    if (!buf_ok(&body))
        return why_set(why, ERR_INPUT, "too many authorisations for one request");
    return outbox_add(pg, m, key, dossier_id, OUTBOX_CREATE, buf_view(&body), agent_id, now, why);
}

enum err
request_reissue(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const char *agent_id,
                utime now, struct arena *a, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(WIRE_BODY_MAX);
    struct wire_reissue in = { .what = "all" };
    struct wire_authz_list unused;
    enum err e;

    if ((e = authz_list(pg, dossier_id, a, &unused, &in.sensitive, why)) != OK)
        return e;
    wire_write_reissue(&body, &in);
    return outbox_add(pg, m, key, dossier_id, OUTBOX_REISSUE, buf_view(&body), agent_id, now, why);
}

enum err
request_block(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const char *reason,
              bool second, const char *agent_id, utime now, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(WIRE_BODY_MAX);
    struct wire_reason in = { .reason = reason };

    wire_write_reason(&body, &in);
    return outbox_add(pg, m, key, dossier_id, second ? OUTBOX_BLOCK_SECOND : OUTBOX_BLOCK, buf_view(&body), agent_id,
                      now, why);
}
