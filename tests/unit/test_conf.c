/* conf: each refusal is one changed line in a file that is otherwise good; the good file loads before and after. */
#include "tests/unit/support.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/core/clock.h"
#include "base/core/conf.h"

struct settings {
    int environment;
    char *name, *motto, *pages, *key, *url, *help;
    int64_t port, life;
    bool loud;
    struct conf_list listen;
};

#define ITEM(name, type, member, fallback, range, help)                                                     \
    { name, type, offsetof(struct settings, member), fallback, range, help }

static const struct conf_item items[] = {
    ITEM("environment", CONF_CHOICE, environment, "production", "production|demo|test", "Where it runs."),
    ITEM("name", CONF_TEXT, name, NULL, NULL, "What it is called."),
    ITEM("motto", CONF_TEXT, motto, "", NULL,
         "A long sentence that says at great length what this setting is for, so that it must be broken in two."),
    ITEM("pages", CONF_PATH, pages, "pages", NULL, "Folder."),
    ITEM("key", CONF_SECRET_PATH, key, "", NULL, "Private key."),
    ITEM("url", CONF_URL, url, "https://example.org", NULL, "Address | of the service."),
    ITEM("help.url", CONF_URL, help, "", NULL, "Where to find help."),
    ITEM("port", CONF_INT, port, "443", "1..65535", "Port."),
    ITEM("life", CONF_DURATION, life, "15d", "7d..30d", "Life of a code."),
    ITEM("loud", CONF_BOOL, loud, "no", NULL, "Says more."),
    ITEM("listen", CONF_LIST, listen, "127.0.0.1, ::1", NULL, "Addresses."),
};
static const size_t nitems = ARRAY_LEN(items);

static char folder[] = "/tmp/beffroi-conf-XXXXXX";

static const char *
in_folder(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void
file_write(const char *name, const char *text, mode_t mode)
{
    const char *path = in_folder(name);
    int fd;

    unlink(path);
    fd = open(path, O_CREAT | O_WRONLY | O_EXCL, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    fchmod(fd, mode);
    close(fd);
}

static int
make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
    static const char *const names[] = { "c", "d", "key", "open-key", "sub/e", "sub/key" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlink(in_folder(names[i]));
    rmdir(in_folder("sub"));
    return rmdir(folder);
}

static enum err
load(const char *text, struct settings *s, struct why *why)
{
    memset(s, 0, sizeof(*s));
    file_write("c", text, 0600);
    return conf_load(in_folder("c"), items, nitems, s, why);
}

static void
test_defaults(void **state)
{
    struct settings s;
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(load("name = x\n", &s, &why), OK);
    assert_int_equal(s.environment, 0);
    assert_string_equal(s.name, "x");
    assert_string_equal(s.motto, "");
    assert_string_equal(s.pages, in_folder("pages"));
    assert_string_equal(s.key, "");
    assert_string_equal(s.url, "https://example.org");
    assert_int_equal(s.port, 443);
    assert_true(s.life == 15 * USEC_PER_DAY);
    assert_false(s.loud);
    assert_int_equal(s.listen.n, 2);
    assert_string_equal(s.listen.items[1], "::1");
    assert_null(s.listen.items[2]);
    conf_free(items, nitems, &s);
    assert_null(s.name);
    assert_int_equal(s.listen.n, 0);
    conf_free(items, nitems, &s);
}

static void
test_everything_set(void **state)
{
    struct settings s;
    struct why why = WHY_INIT;

    (void)state;
    file_write("key", "k", 0600);
    assert_int_equal(load("\n# a comment\n  # another\r\n"
                          "environment=demo\n"
                          "name =  Ville d'\xc3\x89pinal # not a comment \r\n"
                          "\tmotto = a = b\n"
                          "pages = /usr/share/x\n"
                          "key = key\n"
                          "url = http://localhost:8080/a?b=c\n"
                          "help.url =\n"
                          "port = 65535\n"
                          "life = 720h\n"
                          "loud = yes\n"
                          "listen = a, b ,c\n"
                          "listen = d",
                          &s, &why),
                     OK);
    assert_int_equal(s.environment, 1);
    assert_string_equal(s.name, "Ville d'\xc3\x89pinal # not a comment");
    assert_string_equal(s.motto, "a = b");
    assert_string_equal(s.pages, "/usr/share/x");
    assert_string_equal(s.key, in_folder("key"));
    assert_string_equal(s.url, "http://localhost:8080/a?b=c");
    assert_string_equal(s.help, "");
    assert_int_equal(s.port, 65535);
    assert_true(s.life == 30 * USEC_PER_DAY);
    assert_true(s.loud);
    assert_int_equal(s.listen.n, 4);
    assert_string_equal(s.listen.items[1], "b");
    assert_string_equal(s.listen.items[3], "d");
    conf_free(items, nitems, &s);
}

static void
test_one_wrong_line(void **state)
{
    static const struct {
        const char *line, *place, *what;
    } rows[] = {
        { "colour = red", ":2: ", "unknown setting \"colour\"" },
        { "prot = 80", ":2: ", "did you mean \"port\"" },
        { "Port = 80", ":2: ", "did you mean \"port\"" },
        { "name = again", ":2: ", "already set at" },
        { "port = 80\nport = 80", ":3: ", "already set at" },
        { "port", ":2: ", "name = value" },
        { "= 3", ":2: ", "name = value" },
        { "port =", ":2: ", "has no value" },
        { "port = 0", ":2: ", "must be within 1..65535" },
        { "port = 65536", ":2: ", "must be within 1..65535" },
        { "port = 80 # web", ":2: ", "not a whole number" },
        { "port = 99999999999999999999", ":2: ", "not a whole number" },
        { "life = 6d", ":2: ", "must be within 7d..30d" },
        { "life = 31d", ":2: ", "must be within 7d..30d" },
        { "life = 15", ":2: ", "not a duration" },
        { "life = two weeks", ":2: ", "not a duration" },
        { "loud = true", ":2: ", "yes or no" },
        { "environment = prod", ":2: ", "must be one of production|demo|test" },
        { "environment = production|demo", ":2: ", "must be one of" },
        { "listen = a,,b", ":2: ", "empty entry" },
        { "listen = a,", ":2: ", "empty entry" },
        { "listen =", ":2: ", "has no value" },
        { "motto = \xff", ":2: ", "not UTF-8" },
        { "motto = a\x01", ":2: ", "control character" },
        { "motto = a\xe2\x80\xae", ":2: ", "control character" },
        { "url = example.org", ":2: ", "must begin with https://" },
        { "url = ftp://example.org", ":2: ", "must begin with https://" },
        { "url = http://example.org", ":2: ", "must begin with https://" },
        { "url = http://localhost", ":2: ", "only on loopback" },
        { "environment = demo\nurl = http://example.org", ":3: ", "only on loopback" },
        { "environment = demo\nurl = http://127.0.0.1.example.org", ":3: ", "only on loopback" },
        { "environment = demo\nurl = http://128.0.0.1", ":3: ", "only on loopback" },
        { "environment = demo\nurl = http://localhost.example.org", ":3: ", "only on loopback" },
        { "url = https://", ":2: ", "no valid host" },
        { "url = https:///a", ":2: ", "no valid host" },
        { "url = https://a b", ":2: ", "does not belong in a URL" },
        { "url = https://a@b", ":2: ", "user name" },
        { "url = https://a:b@c", ":2: ", "user name" },
        { "url = https://a:0", ":2: ", "no valid port" },
        { "url = https://a:65536", ":2: ", "no valid port" },
        { "url = https://a:", ":2: ", "no valid port" },
        { "url = https://a:80:90", ":2: ", "no valid port" },
        { "url = https://a/#b", ":2: ", "fragment" },
        { "url = https://caf\xc3\xa9.fr", ":2: ", "does not belong in a URL" },
        { "url = https://a_b", ":2: ", "no valid host" },
        { "url = https://[::1", ":2: ", "no valid host" },
        { "url = https://[::1]x", ":2: ", "no valid host" },
        { "key = nowhere", ":2: ", "No such file" },
        { "key = open-key", ":2: ", "lets others in" },
        { "key = .", ":2: ", "not a regular file" },
        { "include", ":2: ", "name = value" },
        { "include nowhere", ":2: ", "No such file" },
        { "include c", ":1: ", "already set" },
    };
    struct settings s;
    struct why why = WHY_INIT;

    (void)state;
    file_write("open-key", "k", 0640);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];

        assert_int_equal(load("name = x\n", &s, &why), OK);
        conf_free(items, nitems, &s);
        snprintf(text, sizeof(text), "name = x\n%s\n", rows[i].line);
        assert_row(rows[i].line, load(text, &s, &why) != OK);
        if (strstr(why.text, rows[i].what) == NULL || strstr(why.text, rows[i].place) == NULL ||
            strstr(why.text, in_folder("c")) == NULL)
            fail_msg("row \"%s\": %s", rows[i].line, why.text);
        assert_row(rows[i].line, s.name == NULL && s.url == NULL && s.listen.items == NULL);
    }
}

static void
test_good_urls(void **state)
{
    static const char *const good[] = {
        "https://a", "https://a.example:8443/x/y?z=1", "https://[::1]:443", "http://127.0.0.1:80", "http://127.9.8.7",
        "http://[::1]/", "http://localhost:1", "http://ville.localhost:8080", "https://xn--pinal-9ra.fr/",
    };
    struct settings s;
    struct why why = WHY_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char text[256];

        snprintf(text, sizeof(text), "url = %s\nname = x\nenvironment = test\n", good[i]);
        assert_row(good[i], load(text, &s, &why) == OK);
        assert_row_string(good[i], s.url, good[i]);
        conf_free(items, nitems, &s);
    }
}

static void
test_compulsory(void **state)
{
    struct settings s;
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(load("port = 80\n", &s, &why), ERR_INPUT);
    assert_non_null(strstr(why.text, "\"name\" is compulsory"));
    assert_non_null(strstr(why.text, in_folder("c")));
    assert_int_equal(load("", &s, &why), ERR_INPUT);
}

static void
test_include(void **state)
{
    struct settings s;
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(mkdir(in_folder("sub"), 0700), 0);
    file_write("sub/key", "k", 0400);
    file_write("sub/e", "key = key\npages = p\n", 0600);
    file_write("d", "include sub/e\nport = 80\n", 0600);
    assert_int_equal(load("name = x\ninclude d\nlife = 8d\n", &s, &why), OK);
    assert_string_equal(s.key, in_folder("sub/key"));      /* seen from the file that says it */
    assert_string_equal(s.pages, in_folder("sub/p"));
    assert_int_equal(s.port, 80);
    conf_free(items, nitems, &s);

    assert_int_equal(load("# round and round\ninclude c\nname = x\n", &s, &why), ERR_INPUT);
    assert_non_null(strstr(why.text, "/c:2: files include each other"));

    file_write("sub/e", "\n\ncolour = red\n", 0600);
    assert_int_equal(load("name = x\ninclude d\n", &s, &why), ERR_INPUT);
    assert_non_null(strstr(why.text, "/sub/e:3: unknown"));

    file_write("sub/e", "port = 81\n", 0600);
    assert_int_equal(load("name = x\ninclude d\n", &s, &why), ERR_INPUT);
    assert_non_null(strstr(why.text, "/d:2: "));
    assert_non_null(strstr(why.text, "/sub/e:1"));
}

/* The same table over a text that is already in memory: lines are told, other files are out of reach. */
static void
test_text(void **state)
{
    struct settings s;
    struct why why = WHY_INIT;
    int lines[ARRAY_LEN(items)] = { 0 };

    (void)state;
    memset(&s, 0, sizeof(s));
    assert_int_equal(conf_parse(STR_LIT("# first\nname = one\n\nport = 8443\nlisten = a\nlisten = b\n"), "a.conf", items, nitems, &s,
                                lines, &why), OK);
    assert_string_equal(s.name, "one");
    assert_int_equal(s.port, 8443);
    assert_int_equal(s.listen.n, 2);
    assert_int_equal(lines[1], 2);
    assert_int_equal(lines[7], 4);
    assert_int_equal(lines[10], 5);
    assert_int_equal(lines[8], 0);
    conf_free(items, nitems, &s);

    assert_int_equal(conf_parse(STR_LIT("name = one\nport = no\n"), "a.conf", items, nitems, &s, lines, &why), ERR_INPUT);
    assert_non_null(strstr(why.text, "a.conf:2: "));
    assert_int_equal(lines[7], 4);
    assert_int_equal(conf_parse(STR_LIT("name = one\ninclude other.conf\n"), "a.conf", items, nitems, &s, NULL, &why), ERR_INPUT);
    assert_non_null(strstr(why.text, "a.conf:2: include"));
}

static void
test_the_file_itself(void **state)
{
    struct settings s;
    struct why why = WHY_INIT;
    char *big = malloc(300 * 1024);

    (void)state;
    memset(&s, 0, sizeof(s));
    assert_int_equal(conf_load(in_folder("nowhere"), items, nitems, &s, &why), ERR_NOT_FOUND);
    assert_int_equal(conf_load(folder, items, nitems, &s, &why), ERR_INPUT);
    file_write("c", "name = x\n", 0606);
    assert_int_equal(conf_load(in_folder("c"), items, nitems, &s, &why), ERR_DENIED);
    memset(big, '#', 300 * 1024);
    big[300 * 1024 - 1] = '\0';
    assert_int_equal(load(big, &s, &why), ERR_INPUT);
    assert_non_null(strstr(why.text, "longer than"));
    free(big);
}

static void
bad_default(void *arg)
{
    static const struct conf_item bad[] = { ITEM("port", CONF_INT, port, "none", NULL, "") };
    struct settings s;

    (void)arg;
    memset(&s, 0, sizeof(s));
    err_ignore(conf_load(in_folder("c"), bad, 1, &s, NULL));
}

static void
test_a_bad_default_is_our_bug(void **state)
{
    (void)state;
    file_write("c", "", 0600);
    assert_aborts(bad_default, NULL);
}

/* The sample is what the parser knows: uncommented it loads, and gives the defaults. */
static void
test_sample(void **state)
{
    struct buf sample = BUF_BOUNDED(100000), plain = BUF_BOUNDED(100000);
    struct settings s, defaults;
    struct why why = WHY_INIT;
    struct str rest;

    (void)state;
    conf_print_sample(items, nitems, &sample);
    assert_true(buf_ok(&sample));
    assert_int_equal(load(buf_cstr(&sample), &s, &why), ERR_INPUT);      /* all is comment: only name is missing */
    assert_non_null(strstr(why.text, "\"name\" is compulsory"));
    assert_non_null(strstr(buf_cstr(&sample), "# (duration: 7d..30d)\n#life = 15d\n"));
    assert_non_null(strstr(buf_cstr(&sample), "# (choice: production, demo, test)\n#environment = production\n"));
    assert_non_null(strstr(buf_cstr(&sample), "# (text; compulsory)\n#name =\n"));
    rest = buf_view(&sample);
    while (rest.p != NULL) {
        struct str line = str_split(rest, '\n', &rest);

        assert_true(line.n <= 100);
        if (str_eqs(line, "#name ="))
            buf_adds(&plain, "name = x\n");
        else if (line.n > 1 && line.p[0] == '#' && line.p[1] != ' ')
            buf_addf(&plain, "%.*s\n", (int)line.n - 1, line.p + 1);
    }
    if (load(buf_cstr(&plain), &s, &why) != OK)
        fail_msg("%s", why.text);
    assert_int_equal(load("name = x\n", &defaults, &why), OK);
    assert_string_equal(s.url, defaults.url);
    assert_string_equal(s.pages, defaults.pages);
    assert_true(s.life == defaults.life && s.port == defaults.port && s.listen.n == defaults.listen.n);
    conf_free(items, nitems, &s);
    conf_free(items, nitems, &defaults);
    buf_free(&sample);
    buf_free(&plain);
}

static void
test_reference(void **state)
{
    struct buf out = BUF_BOUNDED(100000);
    struct str rest;
    size_t rows = 0;

    (void)state;
    conf_print_reference(items, nitems, &out);
    rest = buf_view(&out);
    while (rest.p != NULL) {
        struct str line = str_split(rest, '\n', &rest);
        size_t bars = 0;

        if (line.n == 0)
            continue;
        for (size_t i = 0; i < line.n; i++)
            bars += line.p[i] == '|' && (i == 0 || line.p[i - 1] != '\\');
        assert_int_equal(bars, 6);
        rows++;
    }
    assert_int_equal(rows, nitems + 2);
    assert_non_null(strstr(buf_cstr(&out), "| `life` | duration | `15d` | 7d..30d | Life of a code. |\n"));
    assert_non_null(strstr(buf_cstr(&out), "| `name` | text | *compulsory* |  | What it is called. |\n"));
    assert_non_null(strstr(buf_cstr(&out), "| `key` | secret file | *none* |"));
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_everything_set),
        cmocka_unit_test(test_one_wrong_line), cmocka_unit_test(test_good_urls),
        cmocka_unit_test(test_compulsory),    cmocka_unit_test(test_include),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_the_file_itself), cmocka_unit_test(test_a_bad_default_is_our_bug),
        cmocka_unit_test(test_sample),        cmocka_unit_test(test_reference),
    };

    return cmocka_run_group_tests_name("conf", tests, make_folder, remove_folder);
}
