/* The commands about persons at the counter: agent add, list, end; role grant, end (T-24). */
#include "mairie-connector/town/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/core/rand.h"
#include "base/crypto/password.h"
#include "base/crypto/totp.h"
#include "mairie-connector/town/agent.h"

#define PASSWORD_MIN 12

/* --- agents ----------------------------------------------------------------------------------------------------------- */

struct agent_options {
    const char *config, *login, *name, *roles, *password_file, *totp_file;
};

static enum err
agent_password(const struct mairie *m, const char *path, char phc[PASSWORD_HASH_SIZE], struct why *why)
{
    struct password_cost cost = { (uint32_t)m->conf.argon2_memory_kib, (uint32_t)m->conf.argon2_passes };
    AUTO(secret_done) struct secret password = SECRET_INIT;
    enum err e;

    if ((e = secret_read_file(path, PASSWORD_MAX, &password, why)) != OK)
        return e;
    secret_chomp(&password);
    if (password.len < PASSWORD_MIN)
        return why_set(why, ERR_INPUT, "%s: a password of %d characters or more is wanted", path, PASSWORD_MIN);
    return password_hash((struct str){ (const char *)password.data, password.len }, &cost, phc, why);
}

/* The new key is written for the agent before it is put in force; an existing file is never touched. */
static enum err
totp_make(const char *path, struct secret *ret, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_SECRET(128);
    int fd;
    bool good;

    totp_key_new(ret);
    base32_encode(&text, ret->data, ret->len);
    buf_addc(&text, '\n');
    if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400)) < 0)
        return why_set(why, errno == EEXIST ? ERR_CONFLICT : ERR_UNAVAILABLE, "%s: %m", path);
    good = write(fd, text.data, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    return good ? OK : why_set(why, ERR_UNAVAILABLE, "%s: cannot be written", path);
}

static enum err
agent_put(const struct mairie *m, const struct agent_options *o, unsigned roles, struct why *why)
{
    AUTO(secret_done) struct secret key = SECRET_INIT;
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(256);
    AUTO(pg_closep) struct pg *pg = NULL;
    char phc[PASSWORD_HASH_SIZE];
    struct agent_new in = { .login = o->login, .name = o->name, .password_phc = phc, .totp = &sealed, .roles = roles };
    enum err e;

    rand_uuid(in.id);
    if ((e = agent_password(m, o->password_file, phc, why)) != OK || (e = mairie_database(m, &pg, why)) != OK ||
        (e = totp_make(o->totp_file, &key, why)) != OK)
        return e;
    e = column_seal(m->field, "agent.totp", in.id, (struct str){ (const char *)key.data, key.len }, &sealed);
    if (e != OK)
        e = why_set(why, e, "the one-time key cannot be sealed");
    else
        e = agent_add(pg, &in, command_actor(), clock_now(), why);
    if (e != OK)
        unlink(o->totp_file);
    return e;
}

static int
agent_add_run(const struct agent_options *o, const char *line)
{
    AUTO(mairie_freep) struct mairie *m = NULL;
    struct why why = WHY_INIT;
    unsigned roles;
    enum err e;

    if (o->login == NULL || o->name == NULL || o->roles == NULL || o->password_file == NULL || o->totp_file == NULL)
        return command_usage(line);
    if (agent_roles_parse(o->roles, &roles) != OK) {
        fprintf(stderr, "beffroi-mairie: roles are guichet, validation, controleur\n");
        return 2;
    }
    if ((e = mairie_load(o->config, MAIRIE_NEED_KEYS, &m, &why)) != OK || (e = agent_put(m, o, roles, &why)) != OK)
        return command_fail("agent add", e, &why);
    printf("agent %s: in force\n", o->login);
    return 0;
}

static const char *
day(utime t, const char *open, char out[UTIME_RFC3339_LEN + 1])
{
    if (t == UTIME_NULL)
        return open;
    utime_rfc3339(t, out);
    return out;
}

static int
agent_list_run(const char *config)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1024 * 1024);
    AUTO(mairie_freep) struct mairie *m = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct agent_line *list;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if ((e = mairie_load(config, 0, &m, &why)) != OK || (e = mairie_database(m, &pg, &why)) != OK ||
        (e = agent_list(pg, clock_now(), arena, &list, &n, &why)) != OK)
        return command_fail("agent list", e, &why);
    for (size_t i = 0; i < n; i++) {
        char from[UTIME_RFC3339_LEN + 1], until[UTIME_RFC3339_LEN + 1];

        if (list[i].ended_at != UTIME_NULL)
            printf("%-20s %-30s ended %s\n", list[i].login, list[i].name, day(list[i].ended_at, "", until));
        else if (list[i].role[0] == '\0')
            printf("%-20s %-30s no role\n", list[i].login, list[i].name);
        else
            printf("%-20s %-30s %-11s from %s until %s\n", list[i].login, list[i].name, list[i].role,
                   day(list[i].from, "ever", from), day(list[i].until, "further notice", until));
    }
    return 0;
}

static int
agent_end_run(const char *config, const char *login)
{
    AUTO(mairie_freep) struct mairie *m = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = mairie_load(config, 0, &m, &why)) != OK || (e = mairie_database(m, &pg, &why)) != OK ||
        (e = agent_end(pg, login, command_actor(), clock_now(), &why)) != OK)
        return command_fail("agent end", e, &why);
    printf("agent %s: ended, signed out\n", login);
    return 0;
}

int
mairie_agent(int argc, char **argv)
{
    static const char line[] = "agent add LOGIN --config FILE --name TEXT --roles guichet,validation\n"
                               "           --password-file FILE --totp-file FILE   (the new one-time key is written there)\n"
                               "       beffroi-mairie agent list --config FILE\n"
                               "       beffroi-mairie agent end LOGIN --config FILE";
    struct agent_options o = { .config = NULL };
    const char *words[2] = { NULL, NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL }, { "--name", &o.name, NULL }, { "--roles", &o.roles, NULL },
        { "--password-file", &o.password_file, NULL }, { "--totp-file", &o.totp_file, NULL },
    };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 2, &n) || o.config == NULL)
        return command_usage(line);
    o.login = words[1];
    if (command_word_is(words, n, 0, "add") && n == 2)
        return agent_add_run(&o, line);
    if (o.name != NULL || o.roles != NULL || o.password_file != NULL || o.totp_file != NULL)
        return command_usage(line);
    if (command_word_is(words, n, 0, "list") && n == 1)
        return agent_list_run(o.config);
    if (command_word_is(words, n, 0, "end") && n == 2)
        return agent_end_run(o.config, o.login);
    return command_usage(line);
}

/* --- roles ------------------------------------------------------------------------------------------------------------ */

struct role_options {
    const char *config, *from, *until, *at;
    bool all;
};

/* "2027-03-21": its first moment, or (last) the one after its last, in UTC. NULL leaves *ret as it is. */
static bool
day_read(const char *name, const char *text, bool last, utime *ret)
{
    char moment[32];
    utime t;

    if (text == NULL)
        return true;
    snprintf(moment, sizeof(moment), "%.10sT00:00:00Z", text);
    if (strlen(text) != 10 || utime_parse(moment, &t) != OK) {
        fprintf(stderr, "beffroi-mairie: %s: a day is written 2027-03-21\n", name);
        return false;
    }
    *ret = last ? t + USEC_PER_DAY : t;
    return true;
}

static int
role_grant_run(struct pg *pg, struct role_change *in, const char *role)
{
    struct why why = WHY_INIT;
    utime now = clock_now();
    enum err e;

    if (in->from == UTIME_NULL)
        in->from = now;
    if (in->until != UTIME_NULL && in->until <= (in->from > now ? in->from : now)) {
        fprintf(stderr, "beffroi-mairie: role grant: it would end before it begins, or in the past\n");
        return 2;
    }
    if ((e = role_grant(pg, in, command_actor(), now, &why)) != OK)
        return command_fail("role grant", e, &why);
    printf("role %s of %s: granted\n", role, in->login);
    return 0;
}

static int
role_end_run(struct pg *pg, struct role_change *in)
{
    struct why why = WHY_INIT;
    utime now = clock_now();
    int64_t n;
    enum err e;

    if (in->until == UTIME_NULL)
        in->until = now;
    if (in->until < now) {
        fprintf(stderr, "beffroi-mairie: role end: a day of the past; what was done under the role stays done\n");
        return 2;
    }
    if ((e = role_end(pg, in, command_actor(), now, &n, &why)) != OK)
        return command_fail("role end", e, &why);
    printf("%lld %s\n", (long long)n, n == 1 ? "role ends" : "roles end");
    return 0;
}

static int
role_run(const struct role_options *o, bool grant, const char *login, const char *role)
{
    AUTO(mairie_freep) struct mairie *m = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct role_change in = { .login = login, .from = UTIME_NULL, .until = UTIME_NULL };
    struct why why = WHY_INIT;
    enum err e;

    if (role != NULL && (strchr(role, ',') != NULL || agent_roles_parse(role, &in.role) != OK)) {
        fprintf(stderr, "beffroi-mairie: roles are guichet, validation, controleur\n");
        return 2;
    }
    if (!day_read("--from", o->from, false, &in.from) || !day_read("--until", o->until, true, &in.until) ||
        !day_read("--at", o->at, true, &in.until))
        return 2;
    if ((e = mairie_load(o->config, 0, &m, &why)) != OK || (e = mairie_database(m, &pg, &why)) != OK)
        return command_fail("role", e, &why);
    return grant ? role_grant_run(pg, &in, role) : role_end_run(pg, &in);
}

int
mairie_role(int argc, char **argv)
{
    static const char line[] = "role grant LOGIN ROLE --config FILE [--from DAY] [--until DAY]\n"
                               "       beffroi-mairie role end LOGIN ROLE --config FILE [--at DAY]\n"
                               "       beffroi-mairie role end --all --config FILE [--at DAY]\n"
                               "A DAY is 2027-03-21; --until and --at name the last day, in UTC; without --at: now.";
    struct role_options o = { .config = NULL };
    const char *words[3] = { NULL, NULL, NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL }, { "--from", &o.from, NULL }, { "--until", &o.until, NULL },
        { "--at", &o.at, NULL }, { "--all", NULL, &o.all },
    };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 3, &n) || o.config == NULL)
        return command_usage(line);
    if (command_word_is(words, n, 0, "grant") && n == 3 && o.at == NULL && !o.all)
        return role_run(&o, true, words[1], words[2]);
    if (command_word_is(words, n, 0, "end") && n == (o.all ? 1 : 3) && o.from == NULL && o.until == NULL)
        return role_run(&o, false, words[1], words[2]);
    return command_usage(line);
}
