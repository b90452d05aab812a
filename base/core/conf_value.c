/*
 * conf_value: one setting from text to its type, with its range.
 *
 * Defaults go through the same checks as what the operator writes. A default that
 * does not pass is our mistake: it stops the program at once, and the test that
 * loads an empty file finds it. A secret file named by default is not looked at
 * here: it need not exist on a machine that does not use it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/core/conf-internal.h"
#include "base/core/secret.h"

static void
fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static enum err
secret_file_check(const char *file, const struct conf_place *at, struct why *why)
{
    AUTO(fd_close) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return conf_wrong(why, at, "%s: %s", file, strerror(errno));
    if (secret_check_file(fd, file, why) != OK) {
        why_prepend(why, "%s:%d", at->file, at->line);
        return ERR_INPUT;
    }
    return OK;
}

static bool
is_loopback(struct str host)
{
    struct str rest = host;
    int64_t byte;
    size_t parts = 0;

    if (str_ieqs(host, "localhost") || str_eqs(host, "[::1]"))
        return true;
    if (host.n > 10 && str_ieqs((struct str){ host.p + host.n - 10, 10 }, ".localhost"))
        return true;      /* RFC 6761 §6.3 */
    while (rest.p != NULL) {
        struct str part = str_split(rest, '.', &rest);

        if (str_to_i64(part, 0, 255, &byte) != OK || (parts == 0 && byte != 127))
            return false;
        parts++;
    }
    return parts == 4;
}

/* Is the program running for show or for tests? By the setting of that name, if the table has one. */
static bool
is_demo(const struct conf_input *in)
{
    for (size_t i = 0; i < in->n; i++)
        if (strcmp(in->items[i].name, "environment") == 0) {
            const char *text = in->settings[i].n > 0 ? in->settings[i].values[0].text : in->items[i].fallback;

            return text != NULL && (strcmp(text, "demo") == 0 || strcmp(text, "test") == 0);
        }
    return false;
}

static bool
host_is_good(struct str host)
{
    if (host.n == 0)
        return false;
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
              (host.p[0] == '[' && (c == ':' || c == '[' || c == ']'))))
            return false;
    }
    return host.p[0] != '[' || host.p[host.n - 1] == ']';
}

static const char *
url_fault(const struct conf_input *in, const char *url)
{
    struct str rest = str_of(url), host, port = STR_NULL;
    bool plain = str_starts(rest, "http://");
    size_t scheme = plain ? 7 : 8, end;
    int64_t number;

    if (!plain && !str_starts(rest, "https://"))
        return "must begin with https://";
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || strchr("\"<>\\^`{|}", rest.p[i]) != NULL)
            return "has a character that does not belong in a URL";
    rest.p += scheme;
    rest.n -= scheme;
    end = strcspn(rest.p, "/?#");
    host = (struct str){ rest.p, end };
    if (memchr(host.p, '@', host.n) != NULL)
        return "must not carry a user name";
    if (host.n > 0 && host.p[0] == '[') {
        const char *close = memchr(host.p, ']', host.n);

        if (close == NULL)
            return "has no valid host";
        if (close + 1 < host.p + host.n) {
            if (close[1] != ':')
                return "has no valid host";
            port = (struct str){ close + 2, (size_t)(host.p + host.n - close) - 2 };
        }
        host.n = (size_t)(close - host.p) + 1;
    } else {
        host = str_split(host, ':', &port);
    }
    if (!host_is_good(host))
        return "has no valid host";
    if (port.p != NULL && str_to_i64(port, 1, 65535, &number) != OK)
        return "has no valid port";
    if (rest.p[end] == '#' || strchr(rest.p, '#') != NULL)
        return "must not have a fragment";
    if (plain && !(is_loopback(host) && is_demo(in)))
        return "must begin with https:// (http:// only on loopback, where environment is demo or test)";
    return NULL;
}

typedef enum err (*number_reader)(const char *text, int64_t *ret);

static enum err
number_read(const char *text, int64_t *ret)
{
    return str_to_i64(str_of(text), INT64_MIN, INT64_MAX, ret);
}

/* "min..max", either end may be left out. A range that cannot be read is our mistake. */
static bool
is_in_range(const struct conf_item *item, number_reader read, int64_t value)
{
    AUTO(mem_freep) char *range = item->range == NULL ? NULL : mem_strdup(item->range);
    char *max;
    int64_t bound;

    if (range == NULL)
        return true;
    max = strstr(range, "..");
    CHECK(max != NULL);
    *max = '\0';
    max += 2;
    if (range[0] != '\0') {
        CHECK(read(range, &bound) == OK);
        if (value < bound)
            return false;
    }
    if (max[0] != '\0') {
        CHECK(read(max, &bound) == OK);
        if (value > bound)
            return false;
    }
    return true;
}

static enum err
convert_number(const struct conf_item *item, number_reader read, const char *what, const struct conf_value *v,
               void *field, struct why *why)
{
    int64_t value;

    if (read(v->text, &value) != OK)
        return conf_wrong(why, &v->at, "%s = %s: %s", item->name, v->text, what);
    if (!is_in_range(item, read, value))
        return conf_wrong(why, &v->at, "%s = %s: must be within %s", item->name, v->text, item->range);
    memcpy(field, &value, sizeof(value));
    return OK;
}

static enum err
convert_choice(const struct conf_item *item, const struct conf_value *v, void *field, struct why *why)
{
    struct str rest = str_of(item->range);

    CHECK(item->range != NULL);
    for (int index = 0; rest.p != NULL; index++) {
        if (str_eqs(str_split(rest, '|', &rest), v->text)) {
            memcpy(field, &index, sizeof(index));
            return OK;
        }
    }
    return conf_wrong(why, &v->at, "%s = %s: must be one of %s", item->name, v->text, item->range);
}

static enum err
convert_list(const struct conf_item *item, const struct conf_setting *s, void *field, struct why *why)
{
    struct conf_list list = { NULL, 0 };

    for (size_t i = 0; i < s->n; i++) {
        struct str rest = str_of(s->values[i].text);

        while (rest.p != NULL && s->values[i].text[0] != '\0') {
            struct str part = str_trim(str_split(rest, ',', &rest));

            if (part.n == 0) {
                for (size_t k = 0; k < list.n; k++)
                    free(list.items[k]);
                free(list.items);
                return conf_wrong(why, &s->values[i].at, "%s: an empty entry", item->name);
            }
            list.items = mem_realloc_array(list.items, list.n + 2, sizeof(*list.items));
            list.items[list.n++] = mem_strndup(part.p, part.n);
            list.items[list.n] = NULL;
        }
    }
    memcpy(field, &list, sizeof(list));
    return OK;
}

static void
field_set_text(void *field, char *text)
{
    memcpy(field, &text, sizeof(text));
}

static enum err
convert_path(const struct conf_item *item, const struct conf_value *v, bool is_set, void *field, struct why *why)
{
    AUTO(mem_freep) char *path = NULL;
    enum err e;

    path = v->text[0] == '\0' ? mem_strdup("") : conf_path_from(v->at.file, str_of(v->text));
    if (item->type == CONF_SECRET_PATH && is_set && path[0] != '\0' &&
        (e = secret_file_check(path, &v->at, why)) != OK) {
        why_prepend(why, "%s", item->name);
        return e;
    }
    field_set_text(field, TAKE(path));
    return OK;
}

static enum err
convert_one(const struct conf_input *in, const struct conf_item *item, const struct conf_setting *s, bool is_set,
            void *field, struct why *why)
{
    const struct conf_value *v = &s->values[0];
    const char *fault;
    bool yes;

    switch (item->type) {
    case CONF_TEXT:
        field_set_text(field, mem_strdup(v->text));
        return OK;
    case CONF_PATH:
    case CONF_SECRET_PATH:
        return convert_path(item, v, is_set, field, why);
    case CONF_URL:
        if (v->text[0] != '\0' && (fault = url_fault(in, v->text)) != NULL)
            return conf_wrong(why, &v->at, "%s = %s: %s", item->name, v->text, fault);
        field_set_text(field, mem_strdup(v->text));
        return OK;
    case CONF_INT:
        return convert_number(item, number_read, "not a whole number", v, field, why);
    case CONF_DURATION:
        return convert_number(item, duration_parse, "not a duration such as 15d, 24h, 10min, 30s, 500ms", v, field,
                              why);
    case CONF_BOOL:
        yes = strcmp(v->text, "yes") == 0;
        if (!yes && strcmp(v->text, "no") != 0)
            return conf_wrong(why, &v->at, "%s = %s: must be yes or no", item->name, v->text);
        memcpy(field, &yes, sizeof(yes));
        return OK;
    case CONF_CHOICE:
        return convert_choice(item, v, field, why);
    case CONF_LIST:
        return convert_list(item, s, field, why);
    }
    return ERR_INTERNAL;
}

/* May the operator write nothing behind the equals sign? Only where the default is nothing, too. */
static bool
may_be_empty(const struct conf_item *item)
{
    return item->fallback != NULL && item->fallback[0] == '\0';
}

static enum err
convert_fallback(const struct conf_input *in, const char *path, const struct conf_item *item, void *field,
                 struct why *why)
{
    AUTO(mem_freep) char *text = mem_strdup(item->fallback);
    struct conf_value value = { text, { path, 0 } };
    struct conf_setting setting = { &value, 1 };
    struct why fault = WHY_INIT;
    enum err e = convert_one(in, item, &setting, false, field, &fault);

    if (e != OK && item->type == CONF_URL)      /* depends on another setting: the operator's to solve */
        return why_set(why, e, "%s (default)", fault.text);
    if (e != OK)
        panic("default of %s: %s", item->name, fault.text);
    return OK;
}

enum err
conf_convert(const struct conf_input *in, const char *path, size_t i, void *target, struct why *why)
{
    const struct conf_item *item = &in->items[i];
    const struct conf_setting *s = &in->settings[i];
    void *field = conf_field(target, item);

    if (s->n == 0 && item->fallback == NULL)
        return conf_wrong(why, &(struct conf_place){ path, 0 }, "\"%s\" is compulsory and not set", item->name);
    if (s->n == 0)
        return convert_fallback(in, path, item, field, why);
    for (size_t k = 0; k < s->n; k++)
        if (s->values[k].text[0] == '\0' && !may_be_empty(item))
            return conf_wrong(why, &s->values[k].at, "\"%s\" has no value", item->name);
    return convert_one(in, item, s, true, field, why);
}
