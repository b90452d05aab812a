/* GET /v1/changes?after=CURSOR&limit=N: what happened to the town's accounts. A change shown once is never followed by
 * an older one: rows of running transactions wait. */
#include "mairie-connector/api/door-internal.h"

void
get_changes(struct http_request *req)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(256 * 1024);
    const char *after = http_query(req, "after"), *limit = http_query(req, "limit");
    struct wire_changes m = { .next = after != NULL ? after : "" };
    struct account_change *list;
    int64_t max = 100;
    struct why why = WHY_INIT;
    struct door d;
    size_t n;
    enum err e;

    if (!door_open(req, &d))
        return;
    if (limit != NULL && str_to_i64(str_of(limit), 1, WIRE_CHANGES_MAX, &max) != OK) {
        http_reply_problem(req, ERR_INPUT, "changes.limit", "limit: 1 to 200.");
        return;
    }
    e = account_changes(http_pg(req), d.town.id, m.next, (size_t)max, http_arena(req), &list, &n, &why);
    if (e != OK) {
        door_refuse(&d, e, &why, "account.changes", "");
        return;
    }
    m.items = arena_alloc(http_arena(req), (n + 1) * sizeof(*m.items));
    m.n = n;
    for (size_t i = 0; i < n; i++)
        m.items[i] = (struct wire_change){ list[i].cursor, list[i].handle, list[i].what,
                                           account_state_name(list[i].state), list[i].at };
    if (n > 0)
        m.next = list[n - 1].cursor;
    wire_write_changes(&out, &m);
    CHECK(buf_ok(&out));
    http_reply_json(req, 200, buf_cstr(&out));
}

void
get_health(struct http_request *req)
{
    struct door d;

    if (door_open(req, &d))
        http_reply_json(req, 200, "{\"status\":\"ok\"}");
}
