/* request: the bodies of our calls. */
#include "mairie-connector/town/request.h"

#include "mairie-connector/wire/wire.h"

static utime
until_of(utime until)
{
    return until == UTIME_NULL ? WIRE_UTIME_NONE : until;
}

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
        ret->items[i] = (struct wire_authz){ given[i].code, until_of(given[i].until) };
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

static bool
is_changed(const struct proposal *p, const char *id)
{
    for (size_t i = 0; i < p->nitems; i++) {
        const char *changed = p->items[i].code;

        if (strcmp(changed, id) == 0)
            return true;
    }
    return false;
}

enum err
request_authz(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const struct proposal *p,
              utime now, struct arena *a, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(WIRE_BODY_MAX);
    struct wire_authz_list all = { NULL, 0 };
    struct authz_given *given;
    size_t n;
    enum err e;

    if ((e = authz_of(pg, dossier_id, a, &given, &n, why)) != OK)
        return e;
    all.items = arena_alloc(a, (n + p->nitems + 1) * sizeof(*all.items));
    for (size_t i = 0; i < n; i++) {
        if (!is_changed(p, given[i].code) && (given[i].until == UTIME_NULL || given[i].until > now))
            all.items[all.n++] = (struct wire_authz){ given[i].code, until_of(given[i].until) };
    }
    for (size_t i = 0; i < p->nitems; i++) {
        if (p->items[i].gives)
            all.items[all.n++] = (struct wire_authz){ p->items[i].code, until_of(p->items[i].until) };
    }
    wire_write_authz(&body, &all);
    if (!buf_ok(&body) || all.n > WIRE_AUTHZ_MAX)
        return why_set(why, ERR_INPUT, "too many authorisations for one request");
    return outbox_add(pg, m, key, dossier_id, OUTBOX_AUTHZ, buf_view(&body), p->by, now, why);
}

enum err
request_close(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const struct proposal *p,
              utime now, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(WIRE_BODY_MAX);
    struct wire_reason in = { .reason = p->reason };

    wire_write_reason(&body, &in);
    return outbox_add(pg, m, key, dossier_id, OUTBOX_CLOSE, buf_view(&body), p->by, now, why);
}
