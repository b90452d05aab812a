/* /audit: who did what. Agents see their own acts, the controller everything; no name of a citizen is in it. */
#include "mairie-connector/town/counter.h"

#define ROWS 50

void
get_audit(struct http_request *req)
{
    const struct mairie *m = http_app(req);
    const struct agent *agent = http_session(req);
    const char *before = http_query(req, "before");
    bool all = (agent->roles & ROLE_CONTROLEUR) != 0;
    int64_t seq = INT64_MAX;
    struct trail_row *rows;
    struct page_data *d;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if (before != NULL && str_to_i64(str_of(before), 1, INT64_MAX, &seq) != OK) {
        mairie_reply_error(req, 400, "error.form", "/audit");
        return;
    }
    e = trail_of_counter(http_pg(req), all ? NULL : agent->id, seq, ROWS, http_arena(req), &rows, &n, &why);
    if (e != OK) {
        mairie_fail(req, "audit", e, &why);
        return;
    }
    d = mairie_page(req);
    for (size_t i = 0; i < n; i++) {
        const char *what = rows[i].what;
        const char *key = arena_printf(http_arena(req), "event.%s%s", what,
                                       strcmp(what, "login") == 0 && rows[i].refused ? "_refused" : "");
        struct page_data *item;

        if (!page_has_message(m->pages, key))
            continue;
        item = page_item(d, "rows");
        page_time(item, "at", rows[i].at, MAIRIE_ZONE);
        page_str(item, "who", rows[i].who[0] != '\0' ? rows[i].who : "–");
        page_msg(item, "what", key);
        if (rows[i].handle[0] != '\0')
            page_str(item, "subject", rows[i].handle);
        if (rows[i].dossier[0] != '\0' && !all)
            page_str(item, "dossier", rows[i].dossier);
        page_bool(item, "refused", rows[i].refused);
    }
    if (n == ROWS)
        page_str(d, "next_href", arena_printf(http_arena(req), "/audit?before=%lld", (long long)rows[n - 1].seq));
    mairie_reply_page(req, 200, "town/audit.html", d);
}
