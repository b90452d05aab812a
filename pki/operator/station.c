/* station: programs and machines that may ask, and the two persons who let them. */
#include "pki/authority/station.h"

#include <stdio.h>

#include "base/core/rand.h"
#include "pki/operator/operator.h"
#include "pki/operator/print-internal.h"

#define ARENA_MAX ((size_t)4 << 20)

struct station_options {
    const char *config, *key, *answers, *profiles, *towns;
    bool all_towns, may_revoke;
};

/* --- list, show ------------------------------------------------------------------------------------------------------------- */

static void
station_print(const struct station *s)
{
    json_t *o = json_pack("{s:s,s:s,s:s,s:o,s:b}", "id", s->id, "name", s->name, "state", station_state_name(s->state), "profiles",
                          print_texts(s->profiles, s->nprofiles), "may_revoke", s->may_revoke);

    if (!s->all_towns)
        json_object_set_new(o, "towns", print_texts(s->towns, s->ntowns));
    print_time(o, "added_at", s->added_at);
    print_time(o, "suspended_at", s->suspended_at);
    print_time(o, "ended_at", s->ended_at);
    print_object(o);
}

static int
list(const struct station_options *o)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(16 * ARENA_MAX);
    struct why why = WHY_INIT;
    struct station *stations;
    size_t n;
    enum err e;

    if ((e = operator_begin(o->config, 0, &pki, &pg, &why)) != OK || (e = station_list(pg, a, &stations, &n, &why)) != OK)
        return command_fail("station list", e, &why);
    for (size_t i = 0; i < n; i++)
        station_print(&stations[i]);
    return 0;
}

static int
show(const struct station_options *o, const char *name)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    struct why why = WHY_INIT;
    struct station s;
    enum err e;

    if ((e = operator_begin(o->config, 0, &pki, &pg, &why)) != OK || (e = station_find(pg, name, a, &s, &why)) != OK)
        return command_fail("station show", e, &why);
    station_print(&s);
    return 0;
}

/* --- add -------------------------------------------------------------------------------------------------------------------- */

static const char *const *
words_split(const char *text, struct arena *a, size_t *ret_n)
{
    struct str rest = str_of(text);
    const char **list = arena_alloc(a, (rest.n / 2 + 2) * sizeof(*list));
    size_t n = 0;

    while (rest.p != NULL && rest.n > 0)
        list[n++] = arena_str(a, str_trim(str_split(rest, ',', &rest)));
    *ret_n = n;
    return list;
}

/* Profiles that a station may ask for: not those of ceremonies, and no responder's. */
static enum err
profiles_check(const struct pki *pki, const struct station *s, struct why *why)
{
    for (size_t i = 0; i < s->nprofiles; i++) {
        const struct profile *p = profile_set_find(&pki->profiles, str_of(s->profiles[i]));

        if (p == NULL || p->use == USE_CA || p->use == USE_OCSP_SIGNING)
            return why_set(why, ERR_INPUT, "no profile %s that a station may ask for", s->profiles[i]);
    }
    return OK;
}

/* Shows what is signed, and signs it. */
static enum err
say_yes(struct signatory *who, const struct station *s, utime now, struct buf *signature, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(APPROVAL_TEXT_MAX);
    unsigned char subject[SHA256_LEN];

    station_text(s, &text);
    fprintf(stderr, "%s", buf_cstr(&text));
    station_subject(s, subject);
    return approval_sign(who->key, APPROVE_STATION, now, subject, signature, why);
}

static enum err
propose(struct pg *pg, const struct station_options *o, const struct station *s, utime now, struct signatory *who, struct why *why)
{
    AUTO(buf_free) struct buf signature = BUF_BOUNDED(APPROVAL_SIGNATURE_MAX);
    enum err e;

    if ((e = signatory_come(pg, o->key, o->answers, now, who, why)) != OK || (e = say_yes(who, s, now, &signature, why)) != OK)
        return e;
    return station_add(pg, s, &(struct signed_yes){ who->person.id, buf_view(&signature), now }, command_actor(), now, why);
}

static int
add(const struct station_options *o, const char *name)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    AUTO(signatory_done) struct signatory who = { .key = NULL };
    const utime now = operator_second();
    struct station s = { .name = name, .all_towns = o->all_towns, .may_revoke = o->may_revoke, .state = STATION_PROPOSED,
                         .added_at = now, .suspended_at = UTIME_NULL, .ended_at = UTIME_NULL };
    struct why why = WHY_INIT;
    enum err e;

    rand_uuid(s.id);
    s.profiles = words_split(o->profiles, a, &s.nprofiles);
    if (!o->all_towns)
        s.towns = words_split(o->towns, a, &s.ntowns);
    if ((e = operator_begin(o->config, PKI_NEED_PROFILES, &pki, &pg, &why)) == OK && (e = profiles_check(pki, &s, &why)) == OK)
        e = operator_denied(pg, &who, "station.propose", arena_printf(a, "station:%s", s.id), now,
                            propose(pg, o, &s, now, &who, &why), &why);
    if (e != OK)
        return command_fail("station add", e, &why);
    printf("one more person\n");
    return 0;
}

/* --- approve, resume, suspend, end --------------------------------------------------------------------------------------------- */

struct act {
    const char *word, *done;
    enum station_state from;         /* of a yes: what it is about */
    role_set roles;                  /* of what one person does */
    enum err (*one)(struct pg *pg, const char *name, const char *person, const char *actor, utime now, struct why *why);
};
static const struct act acts[] = {
    { "approve", "active", STATION_PROPOSED, 0, NULL },
    { "resume", "active", STATION_SUSPENDED, 0, NULL },
    { "suspend", "suspended", STATION_ACTIVE, STATION_MAY_SUSPEND, station_suspend },
    { "end", "ended", STATION_ACTIVE, STATION_MAY_END, station_end },
};

static enum err
one_person(struct pg *pg, const struct act *act, const struct station *s, const struct signatory *who, utime now, struct why *why)
{
    const enum err e = signatory_may(who, act->roles, why);

    return e != OK ? e : act->one(pg, s->name, who->person.id, command_actor(), now, why);
}

static enum err
two_persons(struct pg *pg, const struct act *act, const struct station *s, struct signatory *who, utime now, bool *ret_done,
            struct why *why)
{
    AUTO(buf_free) struct buf signature = BUF_BOUNDED(APPROVAL_SIGNATURE_MAX);
    enum err e;

    if (s->state != act->from)
        return why_code(why, ERR_CONFLICT, "station.state", "the station is %s", station_state_name(s->state));
    if ((e = say_yes(who, s, now, &signature, why)) != OK)
        return e;
    return station_approve(pg, s->name, &(struct signed_yes){ who->person.id, buf_view(&signature), now }, command_actor(), now,
                           ret_done, why);
}

static enum err
act_do(struct pg *pg, const struct station_options *o, const struct act *act, const struct station *s, utime now,
       struct signatory *who, bool *ret_done, struct why *why)
{
    const enum err e = signatory_come(pg, o->key, o->answers, now, who, why);

    if (e != OK)
        return e;
    return act->one != NULL ? one_person(pg, act, s, who, now, why) : two_persons(pg, act, s, who, now, ret_done, why);
}

static int
act_run(const struct station_options *o, const struct act *act, const char *name)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    AUTO(signatory_done) struct signatory who = { .key = NULL };
    const char *context = arena_printf(a, "station %s", act->word), *verb = arena_printf(a, "station.%s", act->word);
    const utime now = operator_second();
    struct why why = WHY_INIT;
    struct station s;
    bool done = true;
    enum err e;

    if ((e = operator_begin(o->config, 0, &pki, &pg, &why)) == OK && (e = station_find(pg, name, a, &s, &why)) == OK)
        e = operator_denied(pg, &who, verb, arena_printf(a, "station:%s", s.id), now,
                            act_do(pg, o, act, &s, now, &who, &done, &why), &why);
    if (e != OK)
        return command_fail(context, e, &why);
    if (done)
        printf("station %s: %s\n", name, act->done);
    else
        printf("one more person\n");
    return 0;
}

int
operator_station(int argc, char **argv)
{
    static const char line[] =
        "station add NAME --config FILE --profile NAME,NAME --town NAME,NAME|--all-towns [--may-revoke]\n"
        "           --key FILE [--answers FILE]\n"
        "       beffroi-pki station approve|suspend|resume|end NAME --config FILE --key FILE [--answers FILE]\n"
        "       beffroi-pki station list --config FILE\n"
        "       beffroi-pki station show NAME --config FILE";
    struct station_options o = { .config = NULL };
    const char *words[2] = { NULL, NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL },     { "--key", &o.key, NULL },     { "--answers", &o.answers, NULL },
        { "--profile", &o.profiles, NULL },  { "--town", &o.towns, NULL },  { "--all-towns", NULL, &o.all_towns },
        { "--may-revoke", NULL, &o.may_revoke },
    };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 2, &n) || o.config == NULL)
        return command_usage(line);
    if (command_word_is(words, n, 0, "list") && n == 1)
        return list(&o);
    if (command_word_is(words, n, 0, "show") && n == 2)
        return show(&o, words[1]);
    if (n != 2 || o.key == NULL)
        return command_usage(line);
    if (command_word_is(words, n, 0, "add") && o.profiles != NULL && (o.towns != NULL) != o.all_towns)
        return add(&o, words[1]);
    for (size_t i = 0; i < ARRAY_LEN(acts); i++)
        if (command_word_is(words, n, 0, acts[i].word))
            return act_run(&o, &acts[i], words[1]);
    return command_usage(line);
}
