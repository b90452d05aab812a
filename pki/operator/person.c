/* person: persons of the authority, their keys, and their roles, granted by two. */
#include "pki/operator/operator.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "pki/custody/person_key.h"
#include "pki/operator/print-internal.h"

/* What one person does to a thing of that name: opens, acts, says what it is now. */
static int
one_act(const char *context, const char *config, const char *name, const char *done,
        enum err (*act)(struct pg *pg, const char *name, const char *actor, utime now, struct why *why))
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = operator_begin(config, 0, &pki, &pg, &why)) != OK || (e = act(pg, name, command_actor(), clock_now(), &why)) != OK)
        return command_fail(context, e, &why);
    printf("%s: %s\n", name, done);
    return 0;
}

static json_t *
roles_json(role_set roles)
{
    json_t *list = json_array();

    for (int r = 0; r < ROLE_COUNT; r++)
        if ((roles & ROLE_BIT(r)) != 0)
            json_array_append_new(list, json_string(role_name((enum role)r)));
    return list;
}

/* --- persons ------------------------------------------------------------------------------------------------------------- */

struct person_options {
    const char *config, *label, *public_key, *out, *answers;
};

static int
person_key_make(const struct person_options *o, const char *name)
{
    AUTO(secret_done) struct secret phrase = SECRET_INIT;
    AUTO(buf_free) struct buf text = BUF_BOUNDED(16384), spki = BUF_BOUNDED(256), shown = BUF_BOUNDED(512);
    AUTO(key_freep) struct key *key = NULL;
    const struct password_cost cost = PHRASE_COST;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = operator_phrase(o->answers, "A new pass phrase for your key", true, &phrase, &why)) != OK ||
        (e = person_key_new(name, (struct str){ (const char *)phrase.data, phrase.len }, &cost, &text, &key, &why)) != OK ||
        (e = operator_write(o->out, 0400, buf_view(&text), &why)) != OK)
        return command_fail("person key", e, &why);
    key_spki(key, &spki);
    base64_encode(&shown, spki.data, spki.len);
    printf("%s\n", buf_cstr(&shown));
    return 0;
}

static int
person_add(const struct person_options *o, const char *name)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(256);
    AUTO(key_freep) struct key *key = NULL;
    struct why why = WHY_INIT;
    char id[37];
    enum err e;

    if (base64_decode(str_of(o->public_key), true, &spki) != OK || key_public(buf_view(&spki), &key, &why) != OK ||
        key_algorithm(key) != KEY_ED25519)
        return fprintf(stderr, "beffroi-pki: person add: --public-key is what `person key` printed\n"), 1;
    rand_uuid(id);
    if ((e = operator_begin(o->config, 0, &pki, &pg, &why)) != OK ||
        (e = pki_person_add(pg, id, name, o->label, buf_view(&spki), command_actor(), clock_now(), &why)) != OK)
        return command_fail("person add", e, &why);
    printf("person %s: added, without a role\n", name);
    return 0;
}

static int
person_list(const char *config)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(16 << 20);
    struct pki_person *list;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if ((e = operator_begin(config, 0, &pki, &pg, &why)) != OK ||
        (e = pki_person_list(pg, clock_now(), a, &list, &n, &why)) != OK)
        return command_fail("person list", e, &why);
    for (size_t i = 0; i < n; i++)
        print_object(json_pack("{s:s,s:s,s:b,s:o}", "name", list[i].name, "label", list[i].label, "active", list[i].active, "roles",
                        roles_json(list[i].roles)));
    return 0;
}

int
operator_person(int argc, char **argv)
{
    static const char line[] = "person key NAME --out FILE [--answers FILE]\n"
                               "       beffroi-pki person add NAME --config FILE --label TEXT --public-key BASE64\n"
                               "       beffroi-pki person list --config FILE\n"
                               "       beffroi-pki person end NAME --config FILE";
    struct person_options o = { .config = NULL };
    const char *words[2] = { NULL, NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL }, { "--label", &o.label, NULL },     { "--public-key", &o.public_key, NULL },
        { "--out", &o.out, NULL },       { "--answers", &o.answers, NULL },
    };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 2, &n) || n == 0)
        return command_usage(line);
    if (command_word_is(words, n, 0, "key") && n == 2 && o.out != NULL)
        return person_key_make(&o, words[1]);
    if (o.config == NULL)
        return command_usage(line);
    if (command_word_is(words, n, 0, "add") && n == 2 && o.label != NULL && o.public_key != NULL)
        return person_add(&o, words[1]);
    if (command_word_is(words, n, 0, "list") && n == 1)
        return person_list(o.config);
    if (command_word_is(words, n, 0, "end") && n == 2)
        return one_act("person end", o.config, words[1], "ended", pki_person_end);
    return command_usage(line);
}

/* --- roles -------------------------------------------------------------------------------------------------------------------- */

struct role_options {
    const char *config, *key, *answers, *from, *until;
};

static enum err
grant_read(struct pg *pg, const struct role_options *o, const char *name, const char *role, struct arena *a, struct grant *ret,
           struct why *why)
{
    struct grant g = { .from = operator_second() };
    struct pki_person holder;
    enum err e;

    if (role_parse(str_of(role), &g.role) != OK)
        return why_set(why, ERR_INPUT, "no role %s", role);
    if ((o->from != NULL && utime_parse(o->from, &g.from) != OK) || utime_parse(o->until, &g.until) != OK)
        return why_set(why, ERR_INPUT, "--from and --until are like 2026-11-21T22:04:05Z");
    if ((e = pki_person_find(pg, name, clock_now(), a, &holder, why)) != OK)
        return e;
    rand_uuid(g.id);
    memcpy(g.person, holder.id, sizeof(g.person));
    g.name = holder.name;
    g.public_key = holder.public_key;
    *ret = g;
    return OK;
}

/* Signs g, proposing it or approving it. */
static enum err
grant_say(struct pg *pg, const struct role_options *o, const struct grant *g, bool propose, struct why *why)
{
    AUTO(signatory_done) struct signatory s = { .key = NULL };
    AUTO(buf_free) struct buf signature = BUF_BOUNDED(APPROVAL_SIGNATURE_MAX);
    const utime now = operator_second();
    unsigned char subject[SHA256_LEN];
    struct signed_yes yes;
    enum err e;

    grant_subject(g, subject);
    if ((e = signatory_come(pg, o->key, o->answers, now, &s, why)) != OK ||
        (e = approval_sign(s.key, APPROVE_ROLE_GRANT, now, subject, &signature, why)) != OK)
        return e;
    yes = (struct signed_yes){ s.person.id, buf_view(&signature), now };
    return propose ? grant_propose(pg, g, &yes, command_actor(), now, why)
                   : grant_approve(pg, g->id, &yes, command_actor(), now, why);
}

static int
role_propose(const struct role_options *o, const char *name, const char *role)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct why why = WHY_INIT;
    struct grant g;
    enum err e;

    if ((e = operator_begin(o->config, 0, &pki, &pg, &why)) != OK || (e = grant_read(pg, o, name, role, a, &g, &why)) != OK ||
        (e = grant_say(pg, o, &g, true, &why)) != OK)
        return command_fail("role propose", e, &why);
    printf("%s\n", g.id);
    return 0;
}

static int
role_approve(const struct role_options *o, const char *id)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    struct why why = WHY_INIT;
    struct grant g;
    enum err e;

    if ((e = operator_begin(o->config, 0, &pki, &pg, &why)) != OK || (e = grant_find(pg, id, a, &g, &why)) != OK ||
        (e = grant_say(pg, o, &g, false, &why)) != OK)
        return command_fail("role approve", e, &why);
    printf("%s is %s\n", g.name, role_name(g.role));
    return 0;
}

static int
role_list(const char *config)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(16 << 20);
    char from[UTIME_RFC3339_LEN + 1], until[UTIME_RFC3339_LEN + 1];
    struct why why = WHY_INIT;
    struct grant *list;
    size_t n;
    enum err e;

    if ((e = operator_begin(config, 0, &pki, &pg, &why)) != OK || (e = grant_list(pg, NULL, a, &list, &n, &why)) != OK)
        return command_fail("role list", e, &why);
    for (size_t i = 0; i < n; i++) {
        utime_rfc3339(list[i].from, from);
        utime_rfc3339(list[i].until, until);
        print_object(json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:b}", "id", list[i].id, "person", list[i].name, "role",
                        role_name(list[i].role), "from", from, "until", until, "approved", list[i].approved, "withdrawn",
                        list[i].withdrawn));
    }
    return 0;
}

int
operator_role(int argc, char **argv)
{
    static const char line[] =
        "role propose PERSON ROLE --config FILE --until TIME [--from TIME] --key FILE [--answers FILE]\n"
        "       beffroi-pki role approve ID --config FILE --key FILE [--answers FILE]\n"
        "       beffroi-pki role withdraw ID --config FILE\n"
        "       beffroi-pki role list --config FILE";
    struct role_options o = { .config = NULL };
    const char *words[3] = { NULL, NULL, NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL }, { "--key", &o.key, NULL }, { "--answers", &o.answers, NULL }, { "--from", &o.from, NULL },
        { "--until", &o.until, NULL },
    };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 3, &n) || o.config == NULL)
        return command_usage(line);
    if (command_word_is(words, n, 0, "propose") && n == 3 && o.key != NULL && o.until != NULL)
        return role_propose(&o, words[1], words[2]);
    if (command_word_is(words, n, 0, "approve") && n == 2 && o.key != NULL)
        return role_approve(&o, words[1]);
    if (command_word_is(words, n, 0, "withdraw") && n == 2)
        return one_act("role withdraw", o.config, words[1], "withdrawn", grant_withdraw);
    if (command_word_is(words, n, 0, "list") && n == 1)
        return role_list(o.config);
    return command_usage(line);
}
