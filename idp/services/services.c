/*
 * services: the registry in memory.
 *
 * One thread per process watches the table (NOTIFY, and a look every second), builds the next snapshot beside the
 * current one and swaps them; parsed services that did not change are shared between snapshots by reference. The same
 * thread writes the process's row in table node, so a command can wait until every running node has its change. When
 * the database is away the last snapshot stays in use: what a sign-on decides is asked of the database anyway.
 */
#include "idp/services/services-internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/pg/audit.h"

#define NODE_SEEN (5 * USEC_PER_SEC)       /* a node silent for longer is not waited for */
#define WATCH_PERIOD USEC_PER_SEC
#define REDIAL_PERIOD USEC_PER_SEC

struct entry {
    struct service service;
    const struct service_parser *parser;
    atomic_int refs;
};

struct services_view {
    struct entry **list;        /* ordered by kind, then name */
    size_t n;
    int64_t version;
    atomic_int refs;
};

struct services {
    const struct pg_config *conf;
    const struct service_parser *const *parsers;
    char node_id[37];
    const char *process;
    struct services_view *view;
    pthread_rwlock_t lock;      /* of the pointer above */
    pthread_t watcher;
    atomic_bool stop;
    struct pg *pg;              /* the watcher's */
};

static void
entry_unref(struct entry *x)
{
    if (atomic_fetch_sub(&x->refs, 1) != 1)
        return;
    if (x->service.dialect != NULL)
        x->parser->free(x->service.dialect);
    service_release_done(&x->service.release);
    free(x->service.name);
    free(x->service.family);
    free(x->service.label_fr);
    free(x->service.label_en);
    free(x->service.policy);
    free(x);
}

static void
view_unref(struct services_view *v)
{
    if (v == NULL || atomic_fetch_sub(&v->refs, 1) != 1)
        return;
    for (size_t i = 0; i < v->n; i++)
        entry_unref(v->list[i]);
    free(v->list);
    free(v);
}

const struct services_view *
services_hold(struct services *s)
{
    struct services_view *v;

    pthread_rwlock_rdlock(&s->lock);
    v = s->view;
    atomic_fetch_add(&v->refs, 1);
    pthread_rwlock_unlock(&s->lock);
    return v;
}

void
services_release(const struct services_view *v)
{
    view_unref((struct services_view *)(uintptr_t)v);      /* NOLINT(performance-no-int-to-ptr): const goes away */
}

static int
entry_order(enum service_kind kind, const char *name, const struct entry *x)
{
    if (kind != x->service.kind)
        return kind < x->service.kind ? -1 : 1;
    return strcmp(name, x->service.name);
}

static int
entry_compare(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;

    return entry_order((*x)->service.kind, (*x)->service.name, *y);
}

static struct entry *
view_find(const struct services_view *v, enum service_kind kind, const char *name)
{
    size_t low = 0, high = v->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = entry_order(kind, name, v->list[mid]);

        if (order == 0)
            return v->list[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

const struct service *
services_find(const struct services_view *v, enum service_kind kind, const char *name)
{
    const struct entry *x = view_find(v, kind, name);

    return x != NULL && x->service.active ? &x->service : NULL;
}

const struct service *
services_by_id(const struct services_view *v, int32_t id)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->list[i]->service.id == id)
            return &v->list[i]->service;
    }
    return NULL;
}

size_t
services_count(const struct services_view *v)
{
    return v->n;
}

const struct service *
services_nth(const struct services_view *v, size_t i)
{
    return &v->list[i]->service;
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

struct loading {
    const struct services *s;
    const struct services_view *old;
    struct services_view *next;
};

static const struct service_parser *
parser_of(const struct services *s, enum service_kind kind)
{
    for (size_t i = 0; s->parsers[i] != NULL; i++) {
        if (s->parsers[i]->kind == kind)
            return s->parsers[i];
    }
    return NULL;
}

static void
load_row(const struct service_row *row, void *arg)
{
    struct loading *l = arg;
    const struct service_parser *parser = parser_of(l->s, row->kind);
    struct entry *x = l->old == NULL ? NULL : view_find(l->old, row->kind, row->name);
    struct why why = WHY_INIT;
    enum err e;

    if (row->version > l->next->version)
        l->next->version = row->version;
    if (parser == NULL)
        return;
    l->next->list = mem_realloc_array(l->next->list, l->next->n + 1, sizeof(*l->next->list));
    if (x != NULL && x->service.version == row->version) {
        atomic_fetch_add(&x->refs, 1);
        l->next->list[l->next->n++] = x;
        return;
    }
    x = mem_alloc(sizeof(*x));
    atomic_init(&x->refs, 1);
    x->parser = parser;
    x->service = (struct service){
        .id = row->id, .kind = row->kind, .name = mem_strdup(row->name), .family = mem_strdup(row->family),
        .label_fr = mem_strdup(row->label_fr), .label_en = mem_strdup(row->label_en), .active = row->active,
        .version = row->version, .policy = mem_strdup(row->policy),
    };
    if ((e = service_release_parse(row->policy, &x->service.release, &why)) != OK ||
        (e = parser->parse(row->document, row->policy, &x->service.dialect, &why)) != OK) {
        LOG_ERROR_EV("service.unreadable", LF_STR("service", row->name), LF_ERR(e), LF_WHY(&why));
        entry_unref(x);
        return;
    }
    l->next->list[l->next->n++] = x;
}

static enum err
reload(struct services *s, struct why *why)
{
    struct services_view *old = s->view;
    struct services_view *next = mem_alloc(sizeof(*next));
    struct loading l = { s, old, next };
    enum err e;

    atomic_init(&next->refs, 1);
    if ((e = services_store_all(s->pg, load_row, &l, why)) != OK) {
        view_unref(next);
        return e;
    }
    if (next->n > 1)
        qsort(next->list, next->n, sizeof(*next->list), entry_compare);
    pthread_rwlock_wrlock(&s->lock);
    s->view = next;
    pthread_rwlock_unlock(&s->lock);
    view_unref(old);
    return OK;
}

/* One look: reload when the table moved on, then tell which version this node has. */
static enum err
look(struct services *s, struct why *why)
{
    int64_t version;
    enum err e;

    if ((e = services_store_version(s->pg, &version, why)) != OK)
        return e;
    if ((s->view == NULL || version != s->view->version) && (e = reload(s, why)) != OK)
        return e;
    return services_store_node(s->pg, s->node_id, s->process, s->view->version, clock_now(), why);
}

static enum err
dial(struct services *s, struct why *why)
{
    enum err e;

    pg_close(TAKE(s->pg));
    if ((e = pg_open(s->conf, &s->pg, why)) != OK ||
        (e = pg_listen(s->pg, SERVICES_CHANNEL, why)) != OK)
        return e;
    return look(s, why);
}

static void
nap(int64_t usec)
{
    struct timespec t = { usec / USEC_PER_SEC, (usec % USEC_PER_SEC) * 1000 };

    nanosleep(&t, NULL);
}

static void *
watch(void *arg)
{
    struct services *s = arg;
    bool down = false;

    while (!atomic_load(&s->stop)) {
        struct why why = WHY_INIT;
        char payload[32];
        enum err e;

        if (down) {
            nap(REDIAL_PERIOD / 4);
            e = dial(s, &why);
        } else {
            e = pg_wait_notify(s->pg, WATCH_PERIOD / 4, payload, sizeof(payload), &why);
            if (e == OK || e == ERR_NOT_FOUND)
                e = look(s, &why);
        }
        if (e != OK && !down)
            LOG_WARN_EV("services.watch", LF_ERR(e), LF_WHY(&why));
        down = e != OK;
    }
    return NULL;
}

enum err
services_open(const struct pg_config *conf, const char *process, const struct service_parser *const *parsers,
              struct services **ret, struct why *why)
{
    struct services *s = mem_alloc(sizeof(*s));
    enum err e;

    s->conf = conf;
    s->process = process;
    s->parsers = parsers;
    rand_uuid(s->node_id);
    pthread_rwlock_init(&s->lock, NULL);
    atomic_init(&s->stop, false);
    if ((e = dial(s, why)) != OK) {
        pg_close(s->pg);
        view_unref(s->view);
        pthread_rwlock_destroy(&s->lock);
        free(s);
        return e;
    }
    CHECK(pthread_create(&s->watcher, NULL, watch, s) == 0);
    *ret = s;
    return OK;
}

void
services_close(struct services *s)
{
    struct why why = WHY_INIT;

    if (s == NULL)
        return;
    atomic_store(&s->stop, true);
    pthread_join(s->watcher, NULL);
    if (s->pg != NULL)
        err_ignore(services_store_node_gone(s->pg, s->node_id, &why));   /* else its silence says so */
    pg_close(s->pg);
    view_unref(s->view);
    pthread_rwlock_destroy(&s->lock);
    free(s);
}

/* --- changing ------------------------------------------------------------------------------------------------------ */

struct put_arg {
    const struct service_draft *draft;
    const char *state;          /* NULL: the draft is put */
    enum service_kind kind;
    const char *name;
    bool replace;
    const char *actor;
    utime now;
    int32_t id;
    int64_t version;
};

static enum err
put_body(struct pg *pg, void *arg, struct why *why)
{
    struct put_arg *p = arg;
    const char *verb = "service.put";
    enum err e;

    if (p->state != NULL) {
        verb = strcmp(p->state, "active") == 0 ? "service.resume" : "service.suspend";
        e = services_store_state(pg, p->kind, p->name, p->state, p->now, &p->version, why);
    } else if (p->replace) {
        e = services_store_update(pg, p->draft, p->now, &p->id, &p->version, why);
        if (e == ERR_NOT_FOUND)
            e = services_store_insert(pg, p->draft, p->now, &p->id, &p->version, why);
    } else {
        e = services_store_insert(pg, p->draft, p->now, &p->id, &p->version, why);
        if (e == ERR_CONFLICT)
            return why_code(why, e, "service.exists", "%s exists already; --replace puts this one in its place",
                            p->name);
    }
    if (e != OK)
        return e;
    return audit_add(pg, &(struct audit_entry){ .at = p->now, .actor = p->actor, .role = "systeme", .verb = verb,
                                                .object = p->name, .result = "ok", .detail = "{}" }, why);
}

static enum err
wait_nodes(struct pg *pg, int64_t version, int64_t timeout, struct why *why)
{
    utime give_up = clock_monotonic() + timeout;

    for (;;) {
        char id[37];
        enum err e = services_store_laggard(pg, version, clock_now() - NODE_SEEN, id, why);

        if (e == ERR_NOT_FOUND)
            return OK;
        if (e != OK)
            return e;
        if (clock_monotonic() > give_up)
            return why_code(why, ERR_UNAVAILABLE, "service.node", "stored, but node %s has not taken it yet", id);
        nap(20 * 1000);
    }
}

enum err
services_put(struct pg *pg, const struct service_draft *draft, bool replace, const char *actor, utime now,
             int64_t timeout, int32_t *ret_id, struct why *why)
{
    AUTO(service_release_done) struct service_release release = { .authz_all = false };
    struct put_arg p = { .draft = draft, .name = draft->name, .replace = replace, .actor = actor, .now = now };
    enum err e;

    if ((e = service_release_parse(draft->policy, &release, why)) != OK || (e = pg_tx(pg, put_body, &p, why)) != OK)
        return e;
    if (ret_id != NULL)
        *ret_id = p.id;
    return wait_nodes(pg, p.version, timeout, why);
}

enum err
services_set_state(struct pg *pg, enum service_kind kind, const char *name, const char *state, const char *actor,
                   utime now, int64_t timeout, struct why *why)
{
    struct put_arg p = { .state = state, .kind = kind, .name = name, .actor = actor, .now = now };
    enum err e;

    if ((e = pg_tx(pg, put_body, &p, why)) != OK)
        return e;
    return wait_nodes(pg, p.version, timeout, why);
}

enum err
services_list(struct pg *pg, void (*each)(const struct service_row *row, void *arg), void *arg, struct why *why)
{
    return services_store_all(pg, each, arg, why);
}
