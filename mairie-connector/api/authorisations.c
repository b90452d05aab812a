/* PUT /v1/authorisations: what the town calls its authorisations, for the citizen's own page. The whole list, at once. */
#include "mairie-connector/api/door-internal.h"

#include "base/pg/audit.h"
#include "idp/account/authz_label.h"

struct labels_arg {
    struct door *d;
    const struct authz_label *list;
    size_t n;
};

static enum err
labels_body(struct pg *pg, void *arg, struct why *why)
{
    const struct labels_arg *l = arg;
    const struct door *d = l->d;
    bool changed;
    enum err e;

    e = authz_labels_put(pg, d->town.id, l->list, l->n, http_now(d->req), &changed, why);
    if (e != OK || !changed)
        return e;
    return audit_add(pg,
                     &(struct audit_entry){ .at = http_now(d->req), .actor = d->who.actor, .role = d->who.role,
                                            .verb = "town.authorisations",
                                            .object = arena_printf(http_arena(d->req), "town:%s", d->town.name),
                                            .result = "ok", .detail = "{}" },
                     why);
}

void
put_authorisations(struct http_request *req)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(2 * WIRE_LABELS_BODY_MAX);
    struct labels_arg l;
    struct wire_labels in;
    struct authz_label *list;
    struct why why = WHY_INIT;
    struct door d;
    enum err e;

    if (!door_open(req, &d))
        return;
    if ((e = wire_read_labels(http_body(req), http_arena(req), &in, &why)) != OK) {
        door_refuse(&d, e, &why, "town.authorisations", "");
        return;
    }
    list = arena_alloc(http_arena(req), (in.n + 1) * sizeof(*list));
    for (size_t i = 0; i < in.n; i++)
        list[i] = (struct authz_label){ in.items[i].code, in.items[i].label_fr, in.items[i].label_en };
    l = (struct labels_arg){ &d, list, in.n };
    if ((e = pg_tx(http_pg(req), labels_body, &l, &why)) != OK) {
        door_refuse(&d, e, &why, "town.authorisations", "");
        return;
    }
    wire_write_labels(&out, &in);
    CHECK(buf_ok(&out));
    http_reply_json(req, 200, buf_cstr(&out));
}
