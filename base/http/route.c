/*
 * route: the tables of a listener, checked and compiled at start, and the search in them.
 *
 * One node per path, ordered so that a literal segment comes before a {parameter} at the same place; the first node
 * whose segments fit is the path, and only its methods count: "/users/new" never falls through to "/users/{id}".
 * A table that contradicts itself stops the start, so that handlers need not think about it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/http/http-internal.h"

static const struct {
    unsigned method;
    const char *name;
} methods[HTTP_METHODS] = {
    { HTTP_GET, "GET, HEAD" }, { HTTP_POST, "POST" }, { HTTP_PUT, "PUT" }, { HTTP_DELETE, "DELETE" },
    { HTTP_PATCH, "PATCH" }, { HTTP_OPTIONS, "OPTIONS" },
};

int
http_method_index(unsigned method)
{
    for (int i = 0; i < HTTP_METHODS; i++)
        if (methods[i].method == method)
            return i;
    return -1;
}

size_t
route_tables_size(const struct http_routes *const *tables)
{
    size_t n = 0;

    for (; tables != NULL && *tables != NULL; tables++)
        n += (*tables)->n;
    return n;
}

static enum err
node_init(struct route_node *node, const char *path, struct why *why)
{
    struct str rest = { path + 1, strlen(path) - 1 };

    while (rest.p != NULL) {
        struct str seg = str_split(rest, '/', &rest);
        bool param = seg.n > 2 && seg.p[0] == '{' && seg.p[seg.n - 1] == '}';

        if (node->tail)
            return why_set(why, ERR_INPUT, "route %s: a segment behind that which takes the rest", path);
        node->tail = param && seg.p[seg.n - 2] == '*';
        if (node->tail && seg.n == 3)
            return why_set(why, ERR_INPUT, "route %s: the rest has no name", path);

        if (node->nsegs == HTTP_SEGMENTS_MAX)
            return why_set(why, ERR_INPUT, "route %s: too deep", path);
        if (param) {
            seg = (struct str){ seg.p + 1, seg.n - (node->tail ? 3 : 2) };
            if (++node->nparams > HTTP_PATH_PARAMS_MAX)
                return why_set(why, ERR_INPUT, "route %s: too many parameters", path);
        }
        for (size_t i = 0; i < seg.n; i++)
            if (strchr("{}%?#& ", seg.p[i]) != NULL)
                return why_set(why, ERR_INPUT, "route %s: character '%c' in a segment", path, seg.p[i]);
        node->seg[node->nsegs].text = seg;
        node->seg[node->nsegs++].param = param;
    }
    return OK;
}

/* The same path, whatever its parameters are called? */
static bool
same_shape(const struct route_node *a, const struct route_node *b)
{
    if (a->nsegs != b->nsegs || a->tail != b->tail)
        return false;
    for (size_t i = 0; i < a->nsegs; i++)
        if (a->seg[i].param != b->seg[i].param ||
            (!a->seg[i].param && !str_eq(a->seg[i].text, b->seg[i].text)))
            return false;
    return true;
}

static int
by_literalness(const void *pa, const void *pb)
{
    const struct route_node *a = pa, *b = pb;

    if (a->tail != b->tail)
        return a->tail ? 1 : -1;
    if (a->nsegs != b->nsegs)
        return (a->nsegs < b->nsegs) != a->tail ? -1 : 1;      /* of those with a rest, the longer is the more literal */
    for (size_t i = 0; i < a->nsegs; i++)
        if (a->seg[i].param != b->seg[i].param)
            return a->seg[i].param ? 1 : -1;
    return 0;
}

static enum err
route_check(const struct http_route *r, bool have_base_url, struct why *why)
{
    bool reads = (r->method & ~(unsigned)(HTTP_GET | HTTP_OPTIONS)) == 0;

    if (r->path == NULL || r->path[0] != '/' || r->name == NULL || r->name[0] == '\0' || r->handler == NULL)
        return why_set(why, ERR_INPUT, "route %s: path, name or handler is missing", r->name ? r->name : "?");
    for (const char *p = r->name; *p != '\0'; p++)
        if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '\\')
            return why_set(why, ERR_INPUT, "route %s: name", r->path);
    if (r->method == 0 || ((unsigned)r->method & ~63u) != 0)
        return why_set(why, ERR_INPUT, "route %s: method", r->name);
    if (reads && r->body != HTTP_BODY_NONE)
        return why_set(why, ERR_INPUT, "route %s: a GET or OPTIONS has no body", r->name);
    if ((r->body == HTTP_BODY_NONE) != (r->body_max == 0))
        return why_set(why, ERR_INPUT, "route %s: body and body_max contradict each other", r->name);
    if (r->body_max > HTTP_BODY_CEILING)
        return why_set(why, ERR_INPUT, "route %s: body_max above HTTP_BODY_CEILING", r->name);
    if (!reads && r->csrf == HTTP_CSRF_CHECKED && !have_base_url)
        return why_set(why, ERR_INPUT, "route %s: CSRF is checked, but the listener has no base_url", r->name);
    if (!reads && r->csrf == HTTP_CSRF_NONE && r->session != HTTP_SESSION_NONE)
        return why_set(why, ERR_INPUT, "route %s: a session acts without CSRF check", r->name);
    return OK;
}

static struct route_count *
count_named(struct route_counts *counts, const char *name)
{
    for (size_t i = 0; i < counts->n; i++)
        if (strcmp(counts->list[i].name, name) == 0)
            return &counts->list[i];
    counts->list[counts->n].name = name;
    return &counts->list[counts->n++];
}

static enum err
node_add(struct route_node *node, const struct http_route *r, struct route_counts *counts, struct why *why)
{
    for (int m = 0; m < HTTP_METHODS; m++) {
        if (((unsigned)r->method & methods[m].method) == 0)
            continue;
        if (node->by_method[m] != NULL)
            return why_set(why, ERR_INPUT, "route %s: path and method are those of %s", r->name,
                           node->by_method[m]->name);
        node->by_method[m] = r;
        node->count[m] = count_named(counts, r->name);
    }
    return OK;
}

static void
node_allow(struct route_node *node)
{
    size_t n = 0;

    for (int m = 0; m < HTTP_METHODS; m++)
        if (node->by_method[m] != NULL)
            n += (size_t)snprintf(node->allow + n, sizeof(node->allow) - n, "%s%s", n > 0 ? ", " : "",
                                  methods[m].name);
}

enum err
route_table_init(struct route_table *t, const struct http_routes *const *tables, struct route_counts *counts,
                 bool have_base_url, struct why *why)
{
    enum err e;

    t->nodes = mem_alloc_array(route_tables_size(tables) + 1, sizeof(*t->nodes));
    t->n = 0;
    for (; tables != NULL && *tables != NULL; tables++) {
        for (size_t i = 0; i < (*tables)->n; i++) {
            const struct http_route *r = &(*tables)->list[i];
            struct route_node *node = &t->nodes[t->n];
            size_t j;

            if ((e = route_check(r, have_base_url, why)) != OK || (e = node_init(node, r->path, why)) != OK)
                return e;
            for (j = 0; j < t->n && !same_shape(&t->nodes[j], node); j++)
                ;
            if (j < t->n) {
                for (size_t k = 0; k < node->nsegs; k++)
                    if (!str_eq(t->nodes[j].seg[k].text, node->seg[k].text))
                        return why_set(why, ERR_INPUT, "route %s: parameters are called differently elsewhere",
                                       r->name);
                memset(node, 0, sizeof(*node));
                node = &t->nodes[j];
            } else {
                t->n++;
            }
            if ((e = node_add(node, r, counts, why)) != OK)
                return e;
        }
    }
    for (size_t i = 0; i < t->n; i++)
        node_allow(&t->nodes[i]);
    qsort(t->nodes, t->n, sizeof(*t->nodes), by_literalness);
    return OK;
}

void
route_table_done(struct route_table *t)
{
    free(t->nodes);
    t->nodes = NULL;
    t->n = 0;
}

static bool
fits(const struct route_node *node, const struct http_path *path)
{
    if (node->tail ? path->n < node->nsegs : path->n != node->nsegs)
        return false;
    for (size_t i = 0; i < node->nsegs - node->tail; i++)
        if (node->seg[i].param ? path->seg[i].n == 0 : !str_eq(node->seg[i].text, path->seg[i]))
            return false;
    return true;
}

/* The segments from the i-th on, as they were between slashes. */
static const char *
rest_of(const struct http_path *path, size_t i, struct arena *arena)
{
    AUTO(buf_free) struct buf rest = BUF_BOUNDED(HTTP_URI_MAX);

    for (; i < path->n; i++) {
        buf_add_str(&rest, path->seg[i]);
        if (i + 1 < path->n)
            buf_addc(&rest, '/');
    }
    return arena_str(arena, buf_view(&rest));
}

void
route_find(const struct route_table *t, const struct http_path *path, unsigned method, struct arena *arena,
           struct route_match *ret)
{
    struct route_match m = { NULL, NULL, NULL, { NULL, 0 } };
    int index = http_method_index(method);

    for (size_t i = 0; i < t->n && m.node == NULL; i++)
        if (fits(&t->nodes[i], path))
            m.node = &t->nodes[i];
    if (m.node != NULL && index >= 0) {
        m.route = m.node->by_method[index];
        m.count = m.node->count[index];
    }
    if (m.route != NULL && m.node->nparams > 0) {
        m.params.list = arena_alloc(arena, m.node->nparams * sizeof(*m.params.list));
        for (size_t i = 0; i < m.node->nsegs; i++)
            if (m.node->seg[i].param)
                m.params.list[m.params.n++] = (struct http_param){
                    arena_str(arena, m.node->seg[i].text),
                    m.node->tail && i + 1 == m.node->nsegs ? rest_of(path, i, arena) : path->seg[i].p };
    }
    *ret = m;
}
