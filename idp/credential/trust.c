/* trust: the snapshot that judges, and what the operator changes. See trust.h. */
#include "idp/credential/trust-internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/crypto/der.h"
#include "base/pg/audit.h"

#define WATCH_PERIOD (USEC_PER_SEC)
#define LOAD_MAX (16 << 20)                  /* certificates of all authorities */

struct anchor {
    char name[TRUST_NAME_MAX + 1];
    enum trust_use use;
    bool own, link_from_session, has_crl;
    struct x509_cert cert;                   /* for its name */
    struct x509_trust *trust;
};
/* One state of the tables; counted. */
struct view {
    _Atomic int refs;
    int64_t version;
    struct anchor *anchors;
    size_t n;
    struct buf names[TRUST_CARD + 1];        /* PEM, by use */
};
/* A list that was read and verified before is shared with the next view. */
struct kept_crl {
    unsigned char digest[SHA256_LEN];
    struct x509_crl *crl;
};
struct trust {
    const struct pg_config *conf;
    int64_t crl_grace;
    pthread_mutex_t lock;                    /* view */
    struct view *view;
    pthread_mutex_t loading;                 /* kept */
    struct kept_crl *kept;
    size_t nkept;
    pthread_t watcher;
    atomic_bool stop;
};

const char *
trust_use_name(enum trust_use use)
{
    switch (use) {
    case TRUST_SOFTWARE:
        return "software";
    case TRUST_CARD:
        return "card";
    }
    panic("use %d", (int)use);
}

enum err
trust_use_read(const char *word, enum trust_use *ret)
{
    for (int u = TRUST_SOFTWARE; u <= TRUST_CARD; u++) {
        if (strcmp(word, trust_use_name((enum trust_use)u)) == 0) {
            *ret = (enum trust_use)u;
            return OK;
        }
    }
    return ERR_INPUT;
}

bool
trust_name_ok(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return n > 0 && n <= TRUST_NAME_MAX && name[n] == '\0' && name[0] != '-';
}

/* --- certificates of a row -------------------------------------------------------------------------------------------- */

enum err
trust_make(struct str der, struct str helpers, struct x509_trust **ret, struct why *why)
{
    AUTO(x509_trust_freep) struct x509_trust *t = x509_trust_new();
    enum err e;

    if ((e = x509_trust_add_anchor(t, der, why)) != OK)
        return e;
    while (helpers.n > 0) {
        struct str one;
        unsigned tag;

        if (der_element(&helpers, &tag, &one) != OK)
            return why_set(why, ERR_INPUT, "a certificate beside the first is malformed");
        if ((e = x509_trust_add_intermediate(t, one, why)) != OK)
            return e;
    }
    *ret = TAKE(t);
    return OK;
}

/* --- views ------------------------------------------------------------------------------------------------------------ */

static void
view_unref(struct view *v)
{
    if (v == NULL || atomic_fetch_sub(&v->refs, 1) > 1)
        return;
    for (size_t i = 0; i < v->n; i++) {
        x509_trust_free(v->anchors[i].trust);
        x509_done(&v->anchors[i].cert);
    }
    free(v->anchors);
    for (size_t i = 0; i < ARRAY_LEN(v->names); i++)
        buf_free(&v->names[i]);
    free(v);
}
DEFINE_FREEP(struct view, view_unref)

static struct view *
view_hold(struct trust *t)
{
    struct view *v;

    pthread_mutex_lock(&t->lock);
    v = t->view;
    atomic_fetch_add(&v->refs, 1);
    pthread_mutex_unlock(&t->lock);
    return v;
}

static void
names_add(struct buf *names, struct str der)
{
    buf_adds(names, "-----BEGIN CERTIFICATE-----\n");
    base64_encode(names, der.p, der.n);
    buf_adds(names, "\n-----END CERTIFICATE-----\n");
}

/* One that cannot be used is told and left out: its certificates are refused. */
static void
anchor_add(struct view *v, const struct trust_stored *row)
{
    struct anchor x = { .use = row->use, .own = row->own, .link_from_session = row->link_from_session };
    struct why why = WHY_INIT;
    enum err e;

    CHECK(strlen(row->name) < sizeof(x.name));
    memcpy(x.name, row->name, strlen(row->name) + 1);
    if ((e = x509_read(row->der, &x.cert, &why)) != OK || (e = trust_make(row->der, row->helpers, &x.trust, &why)) != OK) {
        LOG_ERROR_EV("trust.unreadable", LF_STR("trust", row->name), LF_ERR(e), LF_WHY(&why));
        x509_done(&x.cert);
        return;
    }
    v->anchors = mem_realloc_array(v->anchors, v->n + 1, sizeof(*v->anchors));
    v->anchors[v->n++] = x;
    names_add(&v->names[row->use], row->der);
}

static struct x509_crl *
kept_find(const struct trust *t, struct str digest)
{
    for (size_t i = 0; i < t->nkept; i++)
        if (str_eq(digest, (struct str){ (const char *)t->kept[i].digest, SHA256_LEN }))     /* lint: secret-compare: of a public list */
            return x509_crl_ref(t->kept[i].crl);
    return NULL;
}

static enum err
crl_load(struct trust *t, struct pg *pg, const struct trust_crl_stored *row, struct x509_crl **ret, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(TRUST_CRL_MAX);
    enum err e;

    if ((*ret = kept_find(t, row->digest)) != NULL)
        return OK;
    if ((e = trust_store_crl_der(pg, row->id, &der, why)) != OK)
        return e;
    return x509_crl_read(buf_view(&der), ret, why);
}

static void
crls_keep(struct trust *t, struct kept_crl *next, size_t n)
{
    for (size_t i = 0; i < t->nkept; i++)
        x509_crl_free(t->kept[i].crl);
    free(t->kept);
    t->kept = next;
    t->nkept = n;
}

/* The lists of one view; those of an authority that is not in it are passed over. */
static enum err
crls_add(struct trust *t, struct pg *pg, struct view *v, const struct trust_stored *rows, size_t n, struct arena *a,
         struct why *why)
{
    struct kept_crl *next;
    struct trust_crl_stored *list;
    size_t ncrls, nnext = 0;
    enum err e;

    if ((e = trust_store_crls(pg, a, &list, &ncrls, why)) != OK)
        return e;
    next = mem_alloc_array(ncrls + 1, sizeof(*next));
    for (size_t i = 0; i < ncrls; i++) {
        AUTO(x509_crl_freep) struct x509_crl *crl = NULL;
        struct anchor *x = NULL;
        struct why one = WHY_INIT;

        for (size_t k = 0; k < n; k++)
            for (size_t m = 0; rows[k].id == list[i].trust_id && m < v->n; m++)
                if (strcmp(v->anchors[m].name, rows[k].name) == 0)
                    x = &v->anchors[m];
        if (x == NULL)
            continue;
        x->has_crl = true;
        if (list[i].digest.p == NULL)
            continue;
        if ((e = crl_load(t, pg, &list[i], &crl, &one)) == ERR_UNAVAILABLE) {
            crls_keep(t, next, nnext);
            return why_set(why, e, "%s", one.text);
        }
        if (e != OK || (e = x509_trust_add_crl(x->trust, crl, &one)) != OK) {
            LOG_ERROR_EV("trust.crl_unreadable", LF_STR("trust", x->name), LF_ERR(e), LF_WHY(&one));
            continue;
        }
        memcpy(next[nnext].digest, list[i].digest.p, SHA256_LEN);
        next[nnext++].crl = TAKE(crl);
    }
    crls_keep(t, next, nnext);
    return OK;
}

/* The version is read first: what is newer than it is read again the next time. */
static enum err
view_read(struct trust *t, struct pg *pg, struct view **ret, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(LOAD_MAX);
    AUTO(view_unrefp) struct view *v = mem_alloc(sizeof(*v));
    struct trust_stored *rows;
    size_t n;
    enum err e;

    atomic_init(&v->refs, 1);
    for (size_t i = 0; i < ARRAY_LEN(v->names); i++)
        v->names[i] = (struct buf)BUF_BOUNDED(LOAD_MAX);
    if ((e = trust_store_version(pg, &v->version, why)) != OK || (e = trust_store_all(pg, a, &rows, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++)
        anchor_add(v, &rows[i]);
    if ((e = crls_add(t, pg, v, rows, n, a, why)) != OK)
        return e;
    *ret = TAKE(v);
    return OK;
}

enum err
trust_load(struct trust *t, struct pg *pg, struct why *why)
{
    struct view *next = NULL, *old;
    enum err e;

    pthread_mutex_lock(&t->loading);
    if ((e = view_read(t, pg, &next, why)) == OK) {
        pthread_mutex_lock(&t->lock);
        old = t->view;
        t->view = next;
        pthread_mutex_unlock(&t->lock);
        view_unref(old);
    }
    pthread_mutex_unlock(&t->loading);
    return e;
}

/* --- the watcher: names in handshakes and doors on pages follow within a second ----------------------------------------- */

static enum err
look(struct trust *t, struct pg *pg, struct why *why)
{
    struct view *v = view_hold(t);
    int64_t held = v->version, version;
    enum err e;

    view_unref(v);
    if ((e = trust_store_version(pg, &version, why)) != OK)
        return e;
    return version == held ? OK : trust_load(t, pg, why);
}

static void *
watch(void *arg)
{
    struct trust *t = arg;
    AUTO(pg_closep) struct pg *pg = NULL;
    bool down = false;

    for (unsigned tick = 0; !atomic_load(&t->stop); tick++) {
        struct timespec nap = { 0, WATCH_PERIOD / 4 * 1000 };
        struct why why = WHY_INIT;
        enum err e = OK;

        nanosleep(&nap, NULL);
        if (tick % 4 != 0)
            continue;
        if (pg == NULL)
            e = pg_open(t->conf, &pg, &why);
        if (e == OK)
            e = look(t, pg, &why);
        if (e != OK && !down)
            LOG_WARN_EV("trust.watch", LF_ERR(e), LF_WHY(&why));
        down = e != OK;
    }
    return NULL;
}

static void
trust_free(struct trust *t)
{
    view_unref(t->view);
    crls_keep(t, NULL, 0);
    pthread_mutex_destroy(&t->lock);
    pthread_mutex_destroy(&t->loading);
    free(t);
}
DEFINE_FREEP(struct trust, trust_free)

enum err
trust_open(const struct pg_config *conf, int64_t crl_grace, struct trust **ret, struct why *why)
{
    AUTO(trust_freep) struct trust *t = mem_alloc(sizeof(*t));
    AUTO(pg_closep) struct pg *pg = NULL;
    enum err e;

    t->conf = conf;
    t->crl_grace = crl_grace;
    pthread_mutex_init(&t->lock, NULL);
    pthread_mutex_init(&t->loading, NULL);
    atomic_init(&t->stop, false);
    if ((e = pg_open(conf, &pg, why)) != OK || (e = trust_load(t, pg, why)) != OK)
        return e;
    CHECK(pthread_create(&t->watcher, NULL, watch, t) == 0);
    *ret = TAKE(t);
    return OK;
}

void
trust_close(struct trust *t)
{
    if (t == NULL)
        return;
    atomic_store(&t->stop, true);
    pthread_join(t->watcher, NULL);
    trust_free(t);
}

/* --- judging ---------------------------------------------------------------------------------------------------------- */

static unsigned
uses_of(struct trust *t, bool links)
{
    unsigned uses = 0;
    struct view *v;

    if (t == NULL)
        return 0;
    v = view_hold(t);
    for (size_t i = 0; i < v->n; i++)
        if (!links || v->anchors[i].link_from_session)
            uses |= 1u << v->anchors[i].use;
    view_unref(v);
    return uses;
}

unsigned
trust_uses(struct trust *t)
{
    return uses_of(t, false);
}

unsigned
trust_links(struct trust *t)
{
    return uses_of(t, true);
}

uint64_t
trust_names(struct trust *t, unsigned uses, uint64_t have, struct buf *pem)
{
    struct view *v = view_hold(t);
    uint64_t version = (uint64_t)v->version;

    for (unsigned u = 0; version != have && u < ARRAY_LEN(v->names); u++)
        if ((uses & (1u << u)) != 0)
            buf_add_str(pem, buf_view(&v->names[u]));
    view_unref(v);
    return version;
}

/* A level of security that services rely on rests on it, so the profile is narrow: signing in and nothing else. */
static enum err
ask(const struct trust *t, const struct anchor *x, const struct x509_cert *leaf, const struct str *chain, size_t n,
    utime now, enum x509_verdict *ret, struct why *why)
{
    const struct x509_profile profile = { .purpose = X509_FOR_SIGN_IN, .crl_grace = t->crl_grace,
                                          .status_known_elsewhere = x->own && !x->has_crl };

    return x509_path_verify(x->trust, &profile, leaf, chain + 1, n - 1, now, ret, why);
}

/* The authority that signed it is asked first: a card's authority may stand below a root that is trusted for less. */
static bool
signed_by(const struct anchor *x, const struct x509_cert *leaf)
{
    return str_eq(x->cert.subject_der, leaf->issuer_der);
}

enum err
trust_judge(struct trust *t, const struct x509_cert *leaf, const struct str *chain, size_t n, utime now,
            struct trust_judged *ret, struct why *why)
{
    AUTO(view_unrefp) struct view *v = view_hold(t);
    enum err e = why_code(why, ERR_DENIED, "x509.issuer_unknown", "no authority that is trusted here");

    *ret = (struct trust_judged){ .verdict = CERT_ISSUER_UNKNOWN, .version = v->version };
    for (int direct = 1; direct >= 0; direct--) {
        for (size_t i = 0; i < v->n; i++) {
            const struct anchor *x = &v->anchors[i];
            enum x509_verdict verdict;
            struct why one = WHY_INIT;
            enum err got;

            if (signed_by(x, leaf) != (direct == 1))
                continue;
            got = ask(t, x, leaf, chain, n, now, &verdict, &one);
            /* A bad signature under an authority's name is no path to it either: another of the same name may have signed. */
            if (verdict == CERT_ISSUER_UNKNOWN || (verdict == CERT_BAD_SIGNATURE && ret->verdict != CERT_ISSUER_UNKNOWN))
                continue;
            e = got;
            *why = one;
            ret->verdict = verdict;
            if (verdict == CERT_BAD_SIGNATURE)
                continue;
            ret->use = x->use;
            ret->own = x->own;
            ret->has_crl = x->has_crl;
            ret->link_from_session = x->link_from_session;
            memcpy(ret->name, x->name, sizeof(ret->name));
            return e;
        }
    }
    return e;
}

/* --- the operator's side ---------------------------------------------------------------------------------------------- */

static enum err
pem_read(struct str pem, struct buf *der, struct buf *helpers, struct why *why)
{
    size_t n = 0;
    enum err e = pem_next(&pem, "CERTIFICATE", der);

    if (e != OK)
        return why_set(why, ERR_INPUT, e == ERR_NOT_FOUND ? "no PEM certificate in the file" : "the PEM text is damaged");
    while ((e = pem_next(&pem, "CERTIFICATE", helpers)) == OK)
        if (++n > TRUST_HELPERS_MAX)
            return why_set(why, ERR_INPUT, "more than %d certificates beside the first", TRUST_HELPERS_MAX);
    return e == ERR_NOT_FOUND && buf_ok(helpers) ? OK : why_set(why, ERR_INPUT, "the PEM text is damaged");
}

static bool
source_ok(const char *source)
{
    struct str s = str_of(source);

    return s.n < 1000 && (str_starts(s, "https://") || str_starts(s, "http://") || str_starts(s, "file:///"));
}

/* A list of the authority that is in time now. */
static enum err
crl_first(const char *source, struct x509_trust *t, const struct trust_fetch *fetch, utime now, struct trust_crl_got *got,
          struct why *why)
{
    enum err e;

    if (!source_ok(source))
        return why_set(why, ERR_INPUT, "%s: a list comes from https://, http:// or a file", source);
    if ((e = trust_crl_get(source, t, fetch, now, got, why)) != OK) {
        why_prepend(why, "list of revoked certificates");
        return e;
    }
    if (got->next_update < now)
        return why_code(why, ERR_DENIED, "trust.crl_stale", "the list of revoked certificates is past its next update");
    return OK;
}

static enum err
trust_audit(struct pg *pg, const char *verb, const char *name, const char *actor, utime now, struct why *why)
{
    char object[TRUST_NAME_MAX + 8] = "trust:";

    memcpy(object + 6, name, strlen(name) + 1);
    return audit_add(pg, &(struct audit_entry){ .at = now, .actor = actor, .role = "systeme", .verb = verb,
                                                .object = object, .result = "ok", .detail = "{}" }, why);
}

const char *
trust_row_wrong(const struct trust_row *row, utime now, bool *ret_bad)
{
    bool list = row->source[0] != '\0';

    *ret_bad = true;
    if (row->not_after < now)
        return "authority expired";
    if (list && row->next_update == UTIME_NULL)
        return "no list yet";
    if (list && row->next_update < now)
        return "list overdue";
    *ret_bad = false;
    return row->problem[0] != '\0' ? row->problem : NULL;
}

struct change {
    const struct trust_new *in;              /* NULL: one more list */
    struct str der, helpers;
    utime not_after;
    int32_t id;
    const char *name, *crl, *actor;
    const struct trust_crl_got *got;
    utime now, due;
};

static enum err
add_body(struct pg *pg, void *arg, struct why *why)
{
    struct change *c = arg;
    enum err e;

    if (c->in != NULL &&
        (e = trust_store_insert(pg, c->in, c->der, c->helpers, c->not_after, c->now, &c->id, why)) != OK)
        return e;
    if (c->crl != NULL && (e = trust_store_crl_insert(pg, c->id, c->crl, c->got, c->now, c->due, why)) != OK)
        return e;
    return trust_audit(pg, c->in != NULL ? "trust.add" : "trust.crl", c->name, c->actor, c->now, why);
}

enum err
trust_add(struct pg *pg, const struct trust_new *in, const struct trust_fetch *fetch, const char *actor, utime now,
          struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX);
    AUTO(buf_free) struct buf helpers = BUF_BOUNDED(TRUST_FILE_MAX);
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    AUTO(x509_trust_freep) struct x509_trust *t = NULL;
    AUTO(trust_crl_got_done) struct trust_crl_got got = TRUST_CRL_GOT_INIT;
    struct change c = { .in = in, .name = in->name, .crl = in->crl, .actor = actor, .got = &got, .now = now,
                        .due = now + fetch->refresh };
    enum err e;

    if (!trust_name_ok(in->name))
        return why_set(why, ERR_INPUT, "a name is 1 to %d of a-z, 0-9 and '-'", TRUST_NAME_MAX);
    if (in->own && in->link_from_session)
        return why_code(why, ERR_INPUT, "trust.own_link", "whose our own authority's certificates are, the counter says: not with "
                        "link-from-session");
    if (in->crl == NULL && !in->own)
        return why_code(why, ERR_DENIED, "trust.no_crl", "without a list nobody can tell what was revoked");
    if ((e = pem_read(in->pem, &der, &helpers, why)) != OK || (e = x509_read(buf_view(&der), &cert, why)) != OK ||
        (e = x509_check_dates(&cert, now, why)) != OK ||
        (e = trust_make(buf_view(&der), buf_view(&helpers), &t, why)) != OK ||
        (in->crl != NULL && (e = crl_first(in->crl, t, fetch, now, &got, why)) != OK))
        return e;
    c.der = buf_view(&der);
    c.helpers = buf_view(&helpers);
    c.not_after = cert.not_after;
    return pg_tx(pg, add_body, &c, why);
}

enum err
trust_add_crl(struct pg *pg, const char *name, const char *crl, const struct trust_fetch *fetch, const char *actor,
              utime now, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(LOAD_MAX);
    AUTO(x509_trust_freep) struct x509_trust *t = NULL;
    AUTO(trust_crl_got_done) struct trust_crl_got got = TRUST_CRL_GOT_INIT;
    struct change c = { .name = name, .crl = crl, .actor = actor, .got = &got, .now = now, .due = now + fetch->refresh };
    struct trust_stored row;
    enum err e;

    if ((e = trust_store_by_name(pg, name, a, &row, why)) != OK || (e = trust_make(row.der, row.helpers, &t, why)) != OK ||
        (e = crl_first(crl, t, fetch, now, &got, why)) != OK)
        return e;
    c.id = row.id;
    return pg_tx(pg, add_body, &c, why);
}

static enum err
remove_body(struct pg *pg, void *arg, struct why *why)
{
    const struct change *c = arg;
    enum err e = trust_store_delete(pg, c->name, why);

    return e != OK ? e : trust_audit(pg, "trust.remove", c->name, c->actor, c->now, why);
}

enum err
trust_remove(struct pg *pg, const char *name, const char *actor, utime now, struct why *why)
{
    struct change c = { .name = name, .actor = actor, .now = now };

    return trust_name_ok(name) ? pg_tx(pg, remove_body, &c, why)
                               : why_code(why, ERR_NOT_FOUND, "trust.unknown", "no such authority");
}
