/* fuzz_conf: a configuration file with anything in it. What loads keeps to the table's ranges. */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/conf.h"

struct settings {
    int environment;
    char *name, *pages, *key, *url;
    int64_t port, life;
    bool loud;
    struct conf_list listen;
};

#define ITEM(name, type, member, fallback, range) \
    { name, type, offsetof(struct settings, member), fallback, range, "Help." }

static const struct conf_item items[] = {
    ITEM("environment", CONF_CHOICE, environment, "production", "production|demo|test"),
    ITEM("name", CONF_TEXT, name, "", NULL),
    ITEM("pages", CONF_PATH, pages, "pages", NULL),
    ITEM("key", CONF_SECRET_PATH, key, "", NULL),
    ITEM("url", CONF_URL, url, "https://example.org", NULL),
    ITEM("port", CONF_INT, port, "443", "1..65535"),
    ITEM("life", CONF_DURATION, life, "15d", "7d..30d"),
    ITEM("loud", CONF_BOOL, loud, "no", NULL),
    ITEM("listen", CONF_LIST, listen, "127.0.0.1", NULL),
};

/* "include" would read files of this machine: such lines are left to the unit tests. */
static bool
includes_something(const uint8_t *data, size_t size)
{
    return memmem(data, size, "include", 7) != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings s;
    struct why why = WHY_INIT;
    char path[64];
    int fd;

    if (includes_something(data, size))
        return 0;
    fd = memfd_create("conf", MFD_CLOEXEC);
    CHECK(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    memset(&s, 0, sizeof(s));
    if (conf_load(path, items, ARRAY_LEN(items), &s, &why) == OK) {
        CHECK(s.environment >= 0 && s.environment <= 2);
        CHECK(s.port >= 1 && s.port <= 65535);
        CHECK(s.life >= 7 * USEC_PER_DAY && s.life <= 30 * USEC_PER_DAY);
        CHECK(s.name != NULL && s.pages != NULL && s.key != NULL && s.pages[0] == '/');
        CHECK(strncmp(s.url, "http", 4) == 0 && strpbrk(s.url, " \"<>#") == NULL);
        for (size_t i = 0; i < s.listen.n; i++)
            CHECK(s.listen.items[i][0] != '\0');
        conf_free(items, ARRAY_LEN(items), &s);
    } else {
        CHECK(why.text[0] != '\0');
        CHECK(s.name == NULL && s.url == NULL && s.listen.items == NULL);
    }
    close(fd);
    return 0;
}
