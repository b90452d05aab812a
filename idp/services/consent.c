/* consent: lists of items, as text. */
#include "idp/services/consent.h"

#define ITEMS_MAX (64 * 1024)
#define AUTHZ "authz:"

static void
item_add(struct buf *out, const char *prefix, struct str word)
{
    if (out->len > 0)
        buf_addc(out, ' ');
    buf_adds(out, prefix);
    buf_add(out, word.p, word.n);
}

static const char *
items_take(const struct buf *items, struct arena *a)
{
    CHECK(buf_ok(items));
    return arena_strdup(a, buf_cstr(items));
}

const char *
consent_items(const struct service *sv, const struct str *authz_list, size_t n, bool authz, bool town, struct arena *a)
{
    AUTO(buf_free) struct buf items = BUF_BOUNDED(ITEMS_MAX);
    struct str *kept = arena_alloc(a, (n + 1) * sizeof(*kept));
    size_t nkept = authz ? service_release_authz(sv, authz_list, n, kept) : 0;

    if (town && sv->release.town)
        item_add(&items, "", STR_LIT("town"));
    for (size_t i = 0; i < nkept; i++)
        item_add(&items, AUTHZ, kept[i]);
    return items_take(&items, a);
}

static bool
has(const char *list, struct str item)
{
    struct str rest = str_of(list);

    while (rest.p != NULL && rest.n > 0) {
        if (str_eq(str_split(rest, ' ', &rest), item))
            return true;
    }
    return false;
}

bool
consent_has(const char *agreed, const char *item)
{
    return has(agreed, str_of(item));
}

bool
consent_covers(const char *agreed, const char *items)
{
    struct str rest = str_of(items);

    if (agreed == NULL)
        return false;
    while (rest.p != NULL && rest.n > 0) {
        if (!has(agreed, str_split(rest, ' ', &rest)))
            return false;
    }
    return true;
}

const char *
consent_both(const char *items, const char *shown, struct arena *a)
{
    AUTO(buf_free) struct buf both = BUF_BOUNDED(ITEMS_MAX);
    struct str rest = str_of(items);

    while (rest.p != NULL && rest.n > 0) {
        struct str item = str_split(rest, ' ', &rest);

        if (has(shown, item))
            item_add(&both, "", item);
    }
    return items_take(&both, a);
}

size_t
consent_filter(const char *agreed, struct str *authz, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        AUTO(buf_free) struct buf item = BUF_BOUNDED(256);

        item_add(&item, AUTHZ, authz[i]);
        if (has(agreed, buf_view(&item)))
            authz[kept++] = authz[i];
    }
    return kept;
}
