/*
 * pki_command: the operator's desk: a folder with a configuration, keys and persons' key files, and `beffroi-pki` run at it,
 * the real program. Beside pki_support.h, whose world it belongs to.
 */
#ifndef TESTS_INTEGRATION_PKI_COMMAND_H
#define TESTS_INTEGRATION_PKI_COMMAND_H

#include "tests/integration/pki_support.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/program/keyfolder.h"
#include "pki/custody/person_key.h"
#include "pki/pki.h"

struct pki_desk {
    struct pki_world *w;
    char folder[64];
};

static inline void
desk_file(const struct pki_desk *d, const char *name, struct str text)
{
    const char *path = arena_printf(d->w->a, "%s/%s", d->folder, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
    close(fd);
}

/* What a program says on both outputs, with its exit status in front: "0 done\n". */
static inline const char *
desk_exec(const struct pki_desk *d, const char *program, const char *const *argv)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(4 << 20);
    char block[4096];
    int ends[2], status;
    ssize_t got;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    if ((child = fork()) == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        execvp(program, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(ends[1]);
    while ((got = read(ends[0], block, sizeof(block))) > 0)
        buf_add(&out, block, (size_t)got);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return arena_printf(d->w->a, "%d %s", WIFEXITED(status) ? WEXITSTATUS(status) : -1, buf_cstr(&out));
}

/* `beffroi-pki WORDS --config …`, with the key of that person (NULL: nobody's). Words are separated by one space. */
static inline const char *
desk_run(const struct pki_desk *d, const char *person, const char *words)
{
    const char *argv[48] = { "beffroi-pki" };
    char *text = arena_strdup(d->w->a, words), *rest = NULL;
    size_t n = 1;

    for (char *word = strtok_r(text, " ", &rest); word != NULL && n < 40; word = strtok_r(NULL, " ", &rest))
        argv[n++] = word;
    argv[n++] = "--config";
    argv[n++] = arena_printf(d->w->a, "%s/conf", d->folder);
    if (person != NULL) {
        argv[n++] = "--key";
        argv[n++] = arena_printf(d->w->a, "%s/%s", d->folder, person);
        argv[n++] = "--answers";
        argv[n++] = arena_printf(d->w->a, "%s/%s.answers", d->folder, person);
    }
    return desk_exec(d, PKI_BIN, argv);
}

/* The configuration, with more lines. */
static inline void
desk_conf(const struct pki_desk *d, const char *more)
{
    desk_file(d, "conf", str_of(arena_printf(d->w->a, "environment = test\nbase_url = http://pki.example\nname = test\n"
              "migrations = %s/migrations/pki\nprofiles = %s/pki/profiles\nkeys = %s/keys\ndatabase = %s\n%s", SOURCE_DIR,
              SOURCE_DIR, d->folder, d->w->conninfo, more)));
}

static inline void
desk_begin(struct pki_desk *d, struct pki_world *w)
{
    d->w = w;
    snprintf(d->folder, sizeof(d->folder), "/tmp/beffroi-desk.XXXXXX");
    assert_non_null(mkdtemp(d->folder));
    assert_ok(keyfolder_init(arena_printf(w->a, "%s/keys", d->folder), pki_key_files, pki_key_nfiles, w->now, &w->why), &w->why);
    desk_conf(d, "");
}

static inline void
desk_end(struct pki_desk *d)
{
    (void)desk_exec(d, "rm", (const char *const[]){ "rm", "-rf", "--", d->folder, NULL });
}

/* A person with a key file FOLDER/NAME and its pass phrase, in that role now. */
static inline void
desk_person(const struct pki_desk *d, const char *name, enum role role, char ret_id[37])
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(16384), spki = BUF_BOUNDED(128);
    AUTO(key_freep) struct key *k = NULL;
    const struct password_cost cost = { 64, 1 };
    const utime now = utime_seconds(clock_now()) * USEC_PER_SEC;
    struct grant g = { .role = role, .from = now - DAY, .until = now + YEAR, .name = name };
    struct pki_world *w = d->w;
    const char *phrase = arena_printf(w->a, "%s knows a long phrase", name);

    assert_ok(person_key_new(name, str_of(phrase), &cost, &text, &k, &w->why), &w->why);
    desk_file(d, name, buf_view(&text));
    desk_file(d, arena_printf(w->a, "%s.answers", name), str_of(arena_printf(w->a, "phrase = %s\n", phrase)));
    key_spki(k, &spki);
    rand_uuid(ret_id);
    assert_ok(pki_person_add(w->pg, ret_id, name, "Somebody", buf_view(&spki), "operator:test", now, &w->why), &w->why);
    rand_uuid(g.id);
    memcpy(g.person, ret_id, sizeof(g.person));
    g.public_key = buf_view(&spki);
    assert_ok(grant_by_ceremony(w->pg, &g, w->ceremony, "ceremony", now, &w->why), &w->why);
}

#define assert_says(text, part)                                                                     \
    do {                                                                                            \
        const char *said_ = (text);                                                                 \
        if (strstr(said_, part) == NULL)                                                            \
            fail_msg("%s: not \"%s\"", said_, part);                                                \
    } while (0)

#endif
