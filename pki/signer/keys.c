/*
 * keys: activation secrets and the keys that they open. After a start everything is locked; a key is loaded when its secret
 * opens, and let go with it. Threads that sign hold a view; locking waits for them.
 */
#include "pki/signer/signer-internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "pki/authority/person.h"
#include "pki/custody/vault.h"

#define VIEW_MAX ((size_t)8 << 20)
#define TOKEN_LOOK USEC_PER_MIN

/* --- views --------------------------------------------------------------------------------------------------------------- */

static void
view_free(struct view *v)
{
    for (size_t i = 0; i < v->n; i++) {
        key_free(v->cas[i].key);
        key_free(v->cas[i].public_key);
    }
    arena_free(v->a);
    free(v);
}

struct view *
view_take(struct signer *s)
{
    struct view *v;

    pthread_mutex_lock(&s->view_lock);
    v = s->view;
    atomic_fetch_add(&v->refs, 1);
    pthread_mutex_unlock(&s->view_lock);
    return v;
}

void
view_drop(struct signer *s, struct view *v)
{
    if (atomic_fetch_sub(&v->refs, 1) > 1)
        return;
    view_free(v);
    pthread_mutex_lock(&s->view_lock);
    s->views--;
    pthread_cond_broadcast(&s->view_free);
    pthread_mutex_unlock(&s->view_lock);
}

/* Takes over v, whose one reference becomes that of being in force. */
static void
view_put(struct signer *s, struct view *v)
{
    struct view *old;

    pthread_mutex_lock(&s->view_lock);
    old = s->view;
    s->view = v;
    s->views++;
    pthread_mutex_unlock(&s->view_lock);
    if (old != NULL)
        view_drop(s, old);
}

bool
view_has_key(const struct view *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->cas[i].key != NULL)
            return true;
    return false;
}

/* --- sets ------------------------------------------------------------------------------------------------------------------ */

static struct keyset *
set_find(struct signer *s, const char *set)
{
    for (size_t i = 0; i < s->nsets; i++)
        if (strcmp(s->sets[i].set, set) == 0)
            return &s->sets[i];
    return NULL;
}

static bool
ca_is_ours(const struct ca *ca)
{
    return strcmp(ca->key_uri, "offline") != 0 && (ca->state == CA_ACTIVE || ca->state == CA_RETIRING);
}

/* A secret that an authority names for the first time. */
static enum err
set_learn(struct signer *s, struct pg *pg, const char *set, struct arena *a, struct why *why)
{
    struct custodian *list;
    struct keyset *k;
    size_t n;
    enum err e;

    if (set_find(s, set) != NULL)
        return OK;
    if ((e = custodian_list(pg, set, a, &list, &n, why)) != OK || n == 0)
        return e;                       /* no custodian: it cannot be opened, and stays locked */
    if (s->nsets == SIGNER_SETS_MAX)
        return why_set(why, ERR_INTERNAL, "more than %d activation secrets", SIGNER_SETS_MAX);
    k = &s->sets[s->nsets++];
    memcpy(k->set, set, sizeof(k->set));
    k->threshold = list[0].threshold;
    k->total = list[0].total;
    {
        struct unlock_config conf = { .threshold = k->threshold, .total = k->total,
                                      .collect_max = s->pki->conf.unlock_collect, .idle_max = s->pki->conf.unlock_idle };

        memcpy(conf.set, set, sizeof(conf.set));
        k->unlock = unlock_new(&conf);
    }
    return OK;
}

/* The key behind an authority, when its secret is open; the one of the view before, when it is there. That of a token that does
 * not answer is let go, and loaded anew at the next look: a module may know a token that came back only when it is started
 * again, which it is once nobody has a key of it. */
static enum err
key_open(struct signer *s, struct token_ca *t, const struct issue_ca *before, const struct ca *ca, struct key **ret, struct why *why)
{
    const struct keyset *set = set_find(s, ca->set_id);
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(4096);
    AUTO(key_freep) struct key *key = NULL;
    enum err e;

    *ret = NULL;
    if (!ca_is_ours(ca) || set == NULL || unlock_state(set->unlock) != UNLOCK_OPEN)
        return OK;
    if (before != NULL && before->key != NULL && t != NULL && t->reload) {
        t->reload = false;
        return OK;
    }
    if (before != NULL && before->key != NULL) {
        *ret = key_ref(before->key);
        return OK;
    }
    if ((e = vault_key(unlock_secret(set->unlock), ca->key_uri, KEY_CA_SIGN, &key, why)) != OK)
        return e;
    key_spki(key, &spki);
    if (!str_eq(buf_view(&spki), ca->spki))
        return why_set(why, ERR_DENIED, "%s holds another key than that of the certificate", ca->key_uri);
    *ret = TAKE(key);
    return OK;
}

/* With sets_lock. NULL: its key is in no token. */
static struct token_ca *
token_of(struct signer *s, const struct ca *ca)
{
    struct token_ca *t;

    if (strncmp(ca->key_uri, "pkcs11:", 7) != 0)
        return NULL;
    for (t = s->tokens; t != NULL && t->ca_id != ca->id; t = t->next)
        ;
    if (t == NULL) {
        t = mem_alloc(sizeof(*t));
        t->ca_id = ca->id;
        atomic_init(&t->away, false);
        t->next = s->tokens;
        s->tokens = t;
        atomic_store(&s->has_tokens, true);
    }
    return t;
}

/* With sets_lock: the token answers or not. Said once, when it changes. */
static void
token_note(struct token_ca *t, const struct ca *ca, bool answers, const struct why *why)
{
    const bool was = atomic_exchange(&t->away, !answers) || t->told;

    t->told = !answers;
    if (!answers && !was)
        LOG_ERROR_EV("signer.token", LF_STR("ca", ca->name), LF_INT("generation", ca->generation), LF_WHY(why));
    else if (answers && was)
        LOG_INFO_EV("signer.token", LF_STR("ca", ca->name), LF_INT("generation", ca->generation), LF_BOOL("answers", true));
}

/* A key that does not load leaves its authority locked; the others work. A token that refused the PIN is not asked again before
 * custodians come again: three times lock many a token. */
static void
key_failed(struct token_ca *t, const struct ca *ca, enum err e, const struct why *why)
{
    if (t == NULL) {
        LOG_ERROR_EV("signer.key", LF_STR("ca", ca->name), LF_ERR(e), LF_WHY(why));
        return;
    }
    t->refused = e == ERR_DENIED;
    token_note(t, ca, false, why);
}

static void
ca_fill(struct signer *s, const struct view *old, struct issue_ca *one)
{
    struct token_ca *t = token_of(s, &one->ca);
    const struct issue_ca *before = NULL;
    struct why why = WHY_INIT;
    enum err e;

    one->away = t == NULL ? NULL : &t->away;
    for (size_t i = 0; old != NULL && i < old->n; i++)
        if (old->cas[i].ca.id == one->ca.id)
            before = &old->cas[i];
    if (before != NULL && before->public_key != NULL)
        one->public_key = key_ref(before->public_key);
    else if ((e = key_public(one->ca.spki, &one->public_key, &why)) != OK)
        LOG_ERROR_EV("signer.key", LF_STR("ca", one->ca.name), LF_ERR(e), LF_WHY(&why));
    if (one->public_key == NULL || (t != NULL && t->refused))
        return;
    if ((e = key_open(s, t, before, &one->ca, &one->key, &why)) != OK) {
        key_failed(t, &one->ca, e, &why);
    } else if (one->key != NULL && (before == NULL || before->key == NULL)) {
        if (t != NULL)
            token_note(t, &one->ca, true, NULL);
        LOG_INFO_EV("signer.open", LF_STR("ca", one->ca.name), LF_INT("generation", one->ca.generation));
    }
}

/* With sets_lock. */
static enum err
view_make(struct signer *s, struct pg *pg, struct why *why)
{
    struct view *v = mem_alloc(sizeof(*v)), *old = s->view == NULL ? NULL : view_take(s);
    struct ca *list = NULL;
    size_t n = 0;
    enum err e;

    atomic_init(&v->refs, 1);
    v->a = arena_new(VIEW_MAX);
    e = ca_list(pg, v->a, &list, &n, why);
    for (size_t i = 0; i < n && e == OK; i++)
        if (ca_is_ours(&list[i]))
            e = set_learn(s, pg, list[i].set_id, v->a, why);
    if (e == OK) {
        v->cas = arena_alloc(v->a, (n + 1) * sizeof(*v->cas));
        v->n = n;
        for (size_t i = 0; i < n; i++) {
            v->cas[i].ca = list[i];
            ca_fill(s, old, &v->cas[i]);
        }
        view_put(s, v);
    } else {
        view_free(v);
    }
    if (old != NULL)
        view_drop(s, old);
    return e;
}

enum err
keys_refresh(struct signer *s, struct pg *pg, struct why *why)
{
    enum err e;

    pthread_mutex_lock(&s->sets_lock);
    for (size_t i = 0; i < s->nsets; i++)
        if (unlock_tick(s->sets[i].unlock, clock_monotonic()))
            LOG_WARN_EV("signer.locked", LF_STR("set", s->sets[i].set), LF_STR("reason", "time"));
    e = view_make(s, pg, why);
    pthread_mutex_unlock(&s->sets_lock);
    return e;
}

/* --- shares ------------------------------------------------------------------------------------------------------------------ */

/* The table says who keeps which number: a share of somebody else's number is none. */
static enum err
custodian_check(struct pg *pg, const struct share *share, utime now, role_set *ret_roles, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct pki_person person;
    struct custodian *list;
    size_t n;
    enum err e;

    if ((e = custodian_list(pg, share->info.set, a, &list, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        if (list[i].number != share->info.number || strcmp(list[i].name, share->info.person) != 0)
            continue;
        if ((e = pki_person_find(pg, list[i].name, now, a, &person, why)) != OK)
            return e;
        *ret_roles = person.active ? person.roles : 0;
        return OK;
    }
    return why_code(why, ERR_DENIED, "unlock.role", "%s is not the custodian of share %d", share->info.person,
                    share->info.number);
}

enum err
keys_share(struct signer *s, struct pg *pg, struct share *share, utime now, int *ret_missing, struct why *why)
{
    struct keyset *set;
    role_set roles = 0;
    enum err e;

    if ((e = custodian_check(pg, share, now, &roles, why)) != OK)
        return e;
    pthread_mutex_lock(&s->sets_lock);
    set = set_find(s, share->info.set);
    if (set == NULL)
        e = why_code(why, ERR_INPUT, "unlock.set", "no authority at work has this set");
    else if ((e = unlock_add(set->unlock, share, roles, clock_monotonic(), why)) == OK) {
        *ret_missing = unlock_missing(set->unlock);
        LOG_INFO_EV("signer.share", LF_STR("set", set->set), LF_STR("person", share->info.person),
                    LF_INT("missing", *ret_missing));
        if (*ret_missing == 0)
            e = view_make(s, pg, why);
    }
    pthread_mutex_unlock(&s->sets_lock);
    return e;
}

void
keys_used(struct signer *s, const char *set)
{
    struct keyset *k;

    pthread_mutex_lock(&s->sets_lock);
    if ((k = set_find(s, set)) != NULL)
        unlock_use(k->unlock, clock_monotonic());
    pthread_mutex_unlock(&s->sets_lock);
}

/* No authority at all, until the next refresh: no database is needed to lock. The judge looks for itself (issue.c). */
static struct view *
view_empty(void)
{
    struct view *v = mem_alloc(sizeof(*v));

    atomic_init(&v->refs, 1);
    v->a = arena_new(VIEW_MAX);
    v->cas = arena_alloc(v->a, sizeof(*v->cas));
    return v;
}

void
keys_lock(struct signer *s)
{
    pthread_mutex_lock(&s->sets_lock);
    for (size_t i = 0; i < s->nsets; i++)
        unlock_lock(s->sets[i].unlock);
    for (struct token_ca *t = s->tokens; t != NULL; t = t->next) {
        t->refused = t->told = false;   /* who comes to unlock may have put it right */
        atomic_store(&t->away, false);
    }
    view_put(s, view_empty());
    pthread_mutex_lock(&s->view_lock);
    while (s->views > 1)
        pthread_cond_wait(&s->view_free, &s->view_lock);
    pthread_mutex_unlock(&s->view_lock);
    pthread_mutex_unlock(&s->sets_lock);
    LOG_WARN_EV("signer.locked", LF_STR("reason", "ordered"));
}

/* --- tokens ----------------------------------------------------------------------------------------------------------------------- */

/* A signature over a text that is no certificate and no list. */
static bool
token_answers(const struct issue_ca *one, struct why *why)
{
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(1024);
    const enum sig_alg alg = key_default_alg(one->key);

    return key_sign(one->key, KEY_CA_SIGN, alg, STR_LIT("beffroi-pki signer: token test"), false, &sig, why) == OK &&
           key_verify(one->public_key, alg, STR_LIT("beffroi-pki signer: token test"), buf_view(&sig), false, why) == OK;
}

/* A token may take its time: sets_lock is not held meanwhile, and the view is let go before it is taken, as who locks waits for
 * views with it. */
static void
token_probe(struct signer *s, struct token_ca *t)
{
    struct view *v;
    struct why why = WHY_INIT;
    char name[CA_NAME_MAX + 1] = "";
    struct ca ca = { .name = name };
    bool answers = false;

    if (!atomic_load(&t->away) && clock_monotonic() < t->looked + TOKEN_LOOK)
        return;
    v = view_take(s);
    for (size_t i = 0; i < v->n; i++) {
        const struct issue_ca *one = &v->cas[i];

        if (one->ca.id != t->ca_id || one->key == NULL)
            continue;
        snprintf(name, sizeof(name), "%s", one->ca.name);
        ca.generation = one->ca.generation;
        answers = token_answers(one, &why);
    }
    view_drop(s, v);
    if (name[0] == '\0')
        return;                         /* locked, or on its way to be loaded */
    t->looked = clock_monotonic();
    pthread_mutex_lock(&s->sets_lock);
    token_note(t, &ca, answers, &why);
    t->reload = !answers;
    pthread_mutex_unlock(&s->sets_lock);
}

void
keys_probe(struct signer *s)
{
    struct token_ca *first;

    pthread_mutex_lock(&s->sets_lock);
    first = s->tokens;                  /* they are added before it, never moved */
    pthread_mutex_unlock(&s->sets_lock);
    for (struct token_ca *t = first; t != NULL; t = t->next)
        token_probe(s, t);
}

/* --- how things are --------------------------------------------------------------------------------------------------------------- */

static const char *
unlock_word(enum unlock_state state)
{
    return state == UNLOCK_OPEN ? "open" : state == UNLOCK_COLLECTING ? "collecting" : "locked";
}

void
keys_status(struct signer *s, struct buf *out)
{
    struct view *v;
    char label[CA_LABEL_SIZE];

    pthread_mutex_lock(&s->sets_lock);
    for (size_t i = 0; i < s->nsets; i++) {
        const struct keyset *k = &s->sets[i];

        buf_addf(out, "set %s %s %d %d %d\n", k->set, unlock_word(unlock_state(k->unlock)), unlock_missing(k->unlock),
                 k->threshold, k->total);
    }
    pthread_mutex_unlock(&s->sets_lock);
    v = view_take(s);
    for (size_t i = 0; i < v->n; i++) {
        const struct issue_ca *one = &v->cas[i];

        if (!ca_is_ours(&one->ca))
            continue;
        ca_label(one->ca.name, one->ca.generation, label);
        buf_addf(out, "ca %s %s %s %s\n", label, ca_state_name(one->ca.state), one->ca.set_id,
                 one->away != NULL && atomic_load(one->away) ? "away" : one->key == NULL ? "locked" : "open");
    }
    view_drop(s, v);
}

void
keys_done(struct signer *s)
{
    if (s->view == NULL)
        return;
    keys_lock(s);
    view_drop(s, s->view);
    s->view = NULL;
    for (size_t i = 0; i < s->nsets; i++)
        unlock_free(s->sets[i].unlock);
    s->nsets = 0;
    while (s->tokens != NULL) {
        struct token_ca *t = s->tokens;

        s->tokens = t->next;
        free(t);
    }
}
