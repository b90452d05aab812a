/* /search: finds a citizen by name, or a dossier by its handle or the number of the account (P-030). The audit row says that
 * there was a search, not for whom. */
#include "mairie-connector/town/counter.h"

#include "base/core/code.h"
#include "mairie-connector/wire/wire.h"

#define RESULTS_MAX 20

static void
results_fill(struct page_data *d, const struct dossier *list, size_t n, struct arena *a)
{
    for (size_t i = 0; i < n; i++) {
        struct page_data *item = page_item(d, "results");

        page_str(item, "id", list[i].id);
        page_str(item, "name", person_shown(&list[i].names, a));
        page_msg(item, "type", arena_printf(a, "type.%s", dossier_type_name(list[i].type)));
        dossier_state_fill(item, &list[i], a);
        page_date(item, "at", list[i].created_at, MAIRIE_ZONE);
    }
}

/* What identifies one dossier: a handle, or a number as it is printed. ERR_NOT_FOUND: neither, or nobody's. */
static enum err
one_find(struct http_request *req, struct str typed, struct dossier *ret, struct why *why)
{
    const struct mairie *m = http_app(req);
    char number[CODE_FOLDED_MAX];

    if (code_read(CODE_NUMBER, typed, number, NULL) == CODE_GOOD)
        return dossier_by_number(http_pg(req), m, number, http_arena(req), ret, why);
    if (!wire_is_handle(typed))
        return ERR_NOT_FOUND;
    return dossier_by_handle(http_pg(req), m, arena_str(http_arena(req), typed), http_arena(req), ret, why);
}

void
get_search(struct http_request *req)
{
    const struct mairie *m = http_app(req);
    const struct agent *agent = agent_with(req, ROLES_OFFICE);
    const char *q = http_query(req, "q");
    struct page_data *d;
    struct dossier *list = NULL, one;
    struct why why = WHY_INIT;
    bool more = false;
    size_t n = 0;
    enum err e = OK;

    if (agent == NULL)
        return;
    d = mairie_page(req);
    if (q != NULL && q[0] != '\0') {
        e = one_find(req, str_trim(str_of(q)), &one, &why);
        if (e == OK) {
            list = &one;
            n = 1;
        } else if (e == ERR_NOT_FOUND) {
            e = dossier_search(http_pg(req), m, q, RESULTS_MAX, http_arena(req), &list, &n, &more, &why);
        }
        if (e == OK)
            e = counter_audit(http_pg(req), agent->id, "guichet", "counter.searched", "", "ok", http_now(req), &why);
    }
    if (e != OK) {
        mairie_fail(req, "search", e, &why);
        return;
    }
    page_str(d, "q", q != NULL ? q : "");
    page_bool(d, "searched", q != NULL && q[0] != '\0');
    page_bool(d, "more", more);
    results_fill(d, list, n, http_arena(req));
    mairie_reply_page(req, 200, "town/search.html", d);
}
