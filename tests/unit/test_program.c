/* program and command: the first word, options, what is said and the exit status. */
#include "tests/unit/support.h"

#include <errno.h>
#include <stdlib.h>

#include "base/program/command.h"
#include "base/program/process.h"
#include "base/program/program.h"

/* --- a program of one's own ---------------------------------------------------------------------------------------- */

static struct {
    const char *config, *name;
    bool flag;
    const char *words[2];
    size_t nwords;
} seen;

static int
take(int argc, char **argv)
{
    const struct command_option options[] = {
        { "--config", &seen.config, NULL }, { "--name", &seen.name, NULL }, { "--flag", NULL, &seen.flag },
    };

    if (!command_options(argc, argv, options, ARRAY_LEN(options), seen.words, ARRAY_LEN(seen.words), &seen.nwords))
        return command_usage("take [WORD [WORD]] [--config FILE] [--name TEXT] [--flag]");
    return 0;
}

static int
refuse(int argc, char **argv)
{
    struct why why = WHY_INIT;
    enum err e = argc > 0 ? why_set(&why, ERR_DENIED, "because") : ERR_CONFLICT;

    (void)argv;
    return command_fail("fail", e, &why);
}

static int
begin(int argc, char **argv)
{
    struct process p;
    int status = process_begin(argc, argv, "begin", "web", true, &p);

    if (status == 0) {
        seen.config = p.config;
        seen.name = p.database;
    }
    return status;
}

static enum environment environment;

static enum err
load(const char *config, unsigned need, struct program_site *ret, struct why *why)
{
    if (strcmp(config, "good.conf") != 0)
        return why_set(why, ERR_NOT_FOUND, "no such file");
    assert_int_equal(need & ~(unsigned)(PROGRAM_NEED_PAGES | PROGRAM_NEED_AUDIT_KEY), 0);
    *ret = (struct program_site){ .environment = environment };
    return OK;
}

static const struct command commands[] = {
    { "take", take, "words and options" },
    { "fail", refuse, "says why" },
    { "begin", begin, "a process" },
    { "routes", program_routes, "print the route table" },
    { "clock", program_clock, "show or move the clock" },
    { "--check-config", program_check_config, "read a configuration" },
};
static const struct http_route routes[] = {
    { HTTP_GET, "/a", NULL, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "a", true, false },
    { HTTP_DELETE, "/b/{id}", NULL, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "b", false,
      false },
};
static const struct http_routes table = HTTP_ROUTES(routes);
static const struct http_routes *const tables[] = { &table, NULL };
static const struct program_door doors[] = { { "front", tables }, { "back", tables } };
static const struct program program = {
    .name = "beffroi-test", .version = "1.2.3", .commands = commands, .ncommands = ARRAY_LEN(commands), .doors = doors,
    .ndoors = ARRAY_LEN(doors), .load = load,
};

/* --- what it says --------------------------------------------------------------------------------------------------- */

struct said {
    FILE *file[2];         /* in place of standard output and standard error */
    int kept[2];
    char text[2][4096];
};

static int
setup(void **state)
{
    struct said *s = mem_alloc(sizeof(*s));

    memset(&seen, 0, sizeof(seen));
    environment = ENVIRONMENT_TEST;
    for (int i = 0; i < 2; i++) {
        s->file[i] = tmpfile();
        s->kept[i] = dup(i + 1);
    }
    *state = s;
    return s->file[0] == NULL || s->file[1] == NULL;
}

static int
teardown(void **state)
{
    struct said *s = *state;

    for (int i = 0; i < 2; i++) {
        fclose(s->file[i]);
        close(s->kept[i]);
    }
    free(s);
    return 0;
}

/* Runs the program with the words of line; what it said is in s->text. */
static int
run(struct said *s, const char *line)
{
    static char copy[256];
    char *argv[16] = { copy }, *rest = NULL;
    int argc = 0, status;

    snprintf(copy, sizeof(copy), "beffroi-test %s", line);
    for (char *w = strtok_r(copy, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest))
        argv[argc++] = w;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ftruncate(fileno(s->file[i]), 0), 0);
        rewind(s->file[i]);
    }
    fflush(stdout);
    dup2(fileno(s->file[0]), 1);
    dup2(fileno(s->file[1]), 2);
    status = program_main(&program, argc, argv);
    fflush(stdout);
    dup2(s->kept[0], 1);
    dup2(s->kept[1], 2);
    for (int i = 0; i < 2; i++) {
        ssize_t n = pread(fileno(s->file[i]), s->text[i], sizeof(s->text[i]) - 1, 0);

        s->text[i][n < 0 ? 0 : n] = '\0';
    }
    return status;
}

#define HELP                                                          \
    "usage: beffroi-test COMMAND [ACTION] [--config FILE] …\n\n"      \
    "  take            words and options\n"                           \
    "  fail            says why\n"                                    \
    "  begin           a process\n"                                   \
    "  routes          print the route table\n"                       \
    "  clock           show or move the clock\n"                      \
    "  --check-config  read a configuration\n"                        \
    "  --version       print the version\n"
#define TAKE_USAGE "usage: beffroi-test take [WORD [WORD]] [--config FILE] [--name TEXT] [--flag]\n"
#define BEGIN_USAGE "usage: beffroi-test begin --config FILE [--database CONNINFO]\n"
#define ROUTES(door) door " GET /a a html\n" door " DELETE /b/{id} b -\n"

static void
test_said(void **state)
{
    static const struct {
        const char *line;
        int status;
        const char *out, *err;
    } rows[] = {
        { "", 2, "", HELP },
        { "--help", 0, HELP, "" },
        { "help", 0, HELP, "" },
        { "--version", 0, "beffroi-test 1.2.3\n", "" },
        { "Take", 2, "", "beffroi-test: no command Take\n\n" HELP },
        { "take", 0, "", "" },
        { "take --name", 2, "", "beffroi-test: --name needs a value\n" TAKE_USAGE },
        { "take --nam x", 2, "", "beffroi-test: unknown option --nam\n" TAKE_USAGE },
        { "take --name=x", 2, "", "beffroi-test: unknown option --name=x\n" TAKE_USAGE },
        { "take a b c", 2, "", "beffroi-test: one word too many: c\n" TAKE_USAGE },
        { "fail", 1, "", "beffroi-test: fail: conflict\n" },
        { "fail x", 1, "", "beffroi-test: fail: because\n" },
        { "begin", 2, "", BEGIN_USAGE },
        { "begin word", 2, "", "beffroi-test: one word too many: word\n" BEGIN_USAGE },
        { "routes", 0, ROUTES("front") ROUTES("back"), "" },
        { "routes x", 2, "", "usage: beffroi-test routes\n" },
        { "--check-config good.conf", 0, "good.conf: good\n", "" },
        { "--check-config bad.conf", 1, "", "beffroi-test: bad.conf: no such file\n" },
        { "--check-config", 2, "", "usage: beffroi-test --check-config FILE [--production]\n" },
        { "--check-config good.conf --production", 1, "", "beffroi-test: good.conf: environment is not production\n" },
        { "clock --config good.conf --advance x", 2, "", "usage: beffroi-test clock --config FILE --advance 24h\n" },
    };
    struct said *s = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int status = run(s, rows[i].line);

        assert_row_string(rows[i].line, s->text[0], rows[i].out);
        assert_row_string(rows[i].line, s->text[1], rows[i].err);
        assert_row(rows[i].line, status == rows[i].status);
    }
    environment = ENVIRONMENT_PRODUCTION;
    assert_int_equal(run(s, "--check-config good.conf --production"), 0);
    assert_string_equal(program_running()->name, "beffroi-test");
}

static void
test_options(void **state)
{
    struct said *s = *state;

    assert_int_equal(run(s, "take add --flag --config a.conf one --name --flag"), 0);
    assert_string_equal(seen.config, "a.conf");
    assert_string_equal(seen.name, "--flag");      /* a value may look like an option */
    assert_true(seen.flag);
    assert_int_equal(seen.nwords, 2);
    assert_true(command_word_is(seen.words, seen.nwords, 0, "add"));
    assert_true(command_word_is(seen.words, seen.nwords, 1, "one"));
    assert_false(command_word_is(seen.words, seen.nwords, 1, "add"));
    assert_false(command_word_is(seen.words, seen.nwords, 2, "one"));
    assert_int_equal(run(s, "take --name a --name b"), 0);
    assert_string_equal(seen.name, "b");
    assert_int_equal(seen.nwords, 0);
}

static void
test_begin(void **state)
{
    struct said *s = *state;

    assert_int_equal(run(s, "begin --config a.conf"), 0);
    assert_string_equal(seen.config, "a.conf");
    assert_null(seen.name);
    assert_int_equal(run(s, "begin --database dbname=x --config b.conf"), 0);
    assert_string_equal(seen.config, "b.conf");
    assert_string_equal(seen.name, "dbname=x");
}

/* --- waiting ---------------------------------------------------------------------------------------------------------- */

static int reloads;

static enum err
reload(void *arg, struct why *why)
{
    (void)arg;
    reloads++;
    kill(getpid(), reloads == 1 ? SIGHUP : SIGTERM);
    return reloads == 1 ? why_set(why, ERR_INPUT, "a failure changes nothing") : OK;
}

static void
test_wait(void **state)
{
    struct process p = { .config = NULL };
    sigset_t old;

    (void)state;
    sigemptyset(&p.signals);
    sigaddset(&p.signals, SIGTERM);
    sigaddset(&p.signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &p.signals, &old);
    kill(getpid(), SIGHUP);
    process_wait(&p, reload, NULL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    assert_int_equal(reloads, 2);
}

static void
test_nothing_to_listen_at(void **state)
{
    const struct conf_list none = { NULL, 0 };
    char one[] = "127.0.0.1:1", other[] = "127.0.0.1:2", *addresses[] = { one, other, NULL };
    const struct conf_list two = { addresses, 2 };
    const struct http_server_config conf = { .nlisteners = 0 };
    const struct process p = { .config = NULL };
    struct http_listener list[3];
    struct why why = WHY_INIT;
    size_t n;

    (void)state;
    n = process_listeners(list, 0, &none, NULL, tables, "http://a");
    assert_int_equal(n, 0);
    n = process_listeners(list, 1, &two, NULL, tables, "http://a");
    assert_int_equal(n, 3);
    assert_string_equal(list[1].address, "127.0.0.1:1");
    assert_string_equal(list[2].address, "127.0.0.1:2");
    assert_int_equal(process_serve(&p, &conf, "http://a", &why), ERR_INPUT);
    assert_string_equal(why.text, "listen is empty");
}

/* --- what reading a configuration ends with ---------------------------------------------------------------------------- */

static void
test_settings(void **state)
{
    static const struct {
        const char *url, *want;
    } urls[] = {
        { "https://a.example", "https://a.example" }, { "https://a.example/", "https://a.example" },
        { "https://a.example/b//", "https://a.example/b" }, { "", "" }, { "/", "" },
    };
    struct why why = WHY_INIT;
    char url[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        snprintf(url, sizeof(url), "%s", urls[i].url);
        program_url_trim(url);
        assert_row_string(urls[i].url, url, urls[i].want);
    }
    assert_int_equal(program_tls_check("", "", &why), OK);
    assert_int_equal(program_tls_check("cert", "key", &why), OK);
    assert_int_equal(program_tls_check("cert", "", &why), ERR_INPUT);
    assert_int_equal(program_tls_check("", "key", &why), ERR_INPUT);
    assert_int_equal(program_clock_use(ENVIRONMENT_PRODUCTION, "", &why), OK);
    assert_int_equal(program_clock_use(ENVIRONMENT_PRODUCTION, "clock", &why), ERR_INPUT);
    assert_string_equal(why.text, "clock.file: the clock cannot be moved in production");
    assert_false(clock_is_test());
    assert_string_equal(command_conninfo("web", ""), "web");
    assert_string_equal(command_conninfo("web", "owner"), "owner");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_begin, setup, teardown),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_nothing_to_listen_at),
        cmocka_unit_test(test_settings),
    };

    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
