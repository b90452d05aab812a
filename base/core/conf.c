/*
 * conf: from a file to a program's struct, by its table.
 *
 * Two passes. The first reads lines and remembers for each setting its text and
 * where it stood; the second converts them in the order of the table. So a
 * complaint names file and line even when it is about two settings together, and
 * nothing of the target is touched when anything is wrong.
 *
 * The file is the operator's, but its mistakes must not be guessed away: unknown,
 * repeated, empty where something must stand, out of range, all stop the start.
 * A file that everybody may write to is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/conf.h"
#include "base/core/conf-internal.h"
#include "base/core/text.h"

#define FILE_MOST    ((size_t)256 * 1024)
#define INCLUDE_MOST 8            /* depth */
#define VALUES_MOST  4096         /* of one list */

static void
conf_input_done(struct conf_input *in)
{
    for (size_t i = 0; i < in->n; i++) {
        for (size_t k = 0; k < in->settings[i].n; k++)
            free(in->settings[i].values[k].text);
        free(in->settings[i].values);
    }
    free(in->settings);
    for (size_t i = 0; i < in->nfiles; i++)
        free(in->files[i]);
    free(in->files);
}

enum err
conf_wrong(struct why *why, const struct conf_place *at, const char *fmt, ...)
{
    char text[WHY_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (at->line == 0)
        return why_set(why, ERR_INPUT, "%s: %s", at->file, text);
    return why_set(why, ERR_INPUT, "%s:%d: %s", at->file, at->line, text);
}

static void
fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

enum err
conf_read(const char *path, struct buf *out, struct why *why)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    char part[4096];
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) != 0)
        return why_set(why,
                       errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND
                       : errno == EACCES                   ? ERR_DENIED
                                                           : ERR_UNAVAILABLE,
                       "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return why_set(why, ERR_INPUT, "%s: not a regular file", path);
    if ((st.st_mode & S_IWOTH) != 0)
        return why_set(why, ERR_DENIED, "%s: everybody may write to it", path);
    while ((n = read(fd, part, sizeof(part))) > 0)
        buf_add(out, part, (size_t)n);
    if (n < 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if (!buf_ok(out))
        return why_set(why, ERR_INPUT, "%s: longer than %zu bytes", path, out->max);
    return OK;
}

/* path seen from the folder of file; the caller frees it. */
char *
conf_path_from(const char *file, struct str path)
{
    const char *slash = strrchr(file, '/');
    size_t folder = path.n > 0 && path.p[0] == '/' ? 0 : slash == NULL ? 0 : (size_t)(slash - file) + 1;
    char *joined = mem_alloc(folder + path.n + 1);

    memcpy(joined, file, folder);
    if (path.n > 0)
        memcpy(joined + folder, path.p, path.n);
    return joined;
}

static unsigned
distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t n = strlen(b);

    if (n >= ARRAY_LEN(row))
        return 99;
    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned)j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        unsigned corner = row[0];

        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < n; j++) {
            unsigned replaced = corner + (a[i] != b[j]);
            unsigned shorter = row[j + 1] + 1 < row[j] + 1 ? row[j + 1] + 1 : row[j] + 1;

            corner = row[j + 1];
            row[j + 1] = replaced < shorter ? replaced : shorter;
        }
    }
    return row[n];
}

static enum err
unknown_setting(struct conf_input *in, const struct conf_place *at, const char *name, struct why *why)
{
    const char *near = NULL;
    unsigned least = 4;      /* further away is not a slip of the finger */

    for (size_t i = 0; i < in->n; i++) {
        unsigned d = distance(name, in->items[i].name);

        if (d < least) {
            least = d;
            near = in->items[i].name;
        }
    }
    if (near != NULL)
        return conf_wrong(why, at, "unknown setting \"%s\", did you mean \"%s\"?", name, near);
    return conf_wrong(why, at, "unknown setting \"%s\"", name);
}

static enum err
setting_add(struct conf_input *in, const struct conf_place *at, const char *name, struct str value, struct why *why)
{
    struct conf_setting *s = NULL;

    for (size_t i = 0; i < in->n && s == NULL; i++)
        if (strcmp(in->items[i].name, name) == 0)
            s = &in->settings[i];
    if (s == NULL)
        return unknown_setting(in, at, name, why);
    if (s->n > 0 && in->items[s - in->settings].type != CONF_LIST)
        return conf_wrong(why, at, "\"%s\" is already set at %s:%d", name, s->values[0].at.file,
                          s->values[0].at.line);
    if (s->n == VALUES_MOST)
        return conf_wrong(why, at, "\"%s\" has more than %d values", name, VALUES_MOST);
    s->values = mem_realloc_array(s->values, s->n + 1, sizeof(*s->values));
    s->values[s->n++] = (struct conf_value){ mem_strndup(value.n == 0 ? "" : value.p, value.n), *at };
    return OK;
}

static enum err file_parse(struct conf_input *in, const char *path, int depth, struct why *why);

static enum err
include(struct conf_input *in, const struct conf_place *at, struct str path, int depth, struct why *why)
{
    AUTO(mem_freep) char *file = NULL;
    enum err e;

    if (path.n == 0)
        return conf_wrong(why, at, "include needs a file name");
    if (in->text_only)
        return conf_wrong(why, at, "include is not possible in this file");
    if (depth == INCLUDE_MOST)
        return conf_wrong(why, at, "files include each other more than %d deep", INCLUDE_MOST);
    file = conf_path_from(at->file, path);
    if ((e = file_parse(in, file, depth + 1, why)) != OK && e != ERR_INPUT)
        why_prepend(why, "%s:%d", at->file, at->line);      /* the file itself; a fault inside has its own place */
    return e;
}

static enum err
line_parse(struct conf_input *in, const struct conf_place *at, struct str line, int depth, struct why *why)
{
    AUTO(mem_freep) char *name = NULL;
    struct str value, left;

    if (!text_is_clean(line, true))
        return conf_wrong(why, at, "not UTF-8, or a control character");
    line = str_trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return OK;
    if (str_starts(line, "include") && line.n > 7 && (line.p[7] == ' ' || line.p[7] == '\t'))
        return include(in, at, str_trim((struct str){ line.p + 7, line.n - 7 }), depth, why);
    left = str_trim(str_split(line, '=', &value));
    if (value.p == NULL || left.n == 0)
        return conf_wrong(why, at, "not of the form name = value");
    name = mem_strndup(left.p, left.n);
    return setting_add(in, at, name, str_trim(value), why);
}

static enum err
text_parse(struct conf_input *in, struct str text, const char *path, int depth, struct why *why)
{
    struct conf_place at;
    struct str rest = text;
    enum err e;

    in->files = mem_realloc_array(in->files, in->nfiles + 1, sizeof(*in->files));
    in->files[in->nfiles] = mem_strdup(path);
    at = (struct conf_place){ in->files[in->nfiles++], 0 };
    while (rest.p != NULL) {
        struct str line = str_split(rest, '\n', &rest);

        at.line++;
        if ((e = line_parse(in, &at, line, depth, why)) != OK)
            return e;
    }
    return OK;
}

static enum err
file_parse(struct conf_input *in, const char *path, int depth, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(FILE_MOST);
    enum err e;

    if ((e = conf_read(path, &text, why)) != OK)
        return e;
    return text_parse(in, buf_view(&text), path, depth, why);
}

void *
conf_field(void *target, const struct conf_item *item)
{
    return (char *)target + item->offset;
}

static void
field_free(const struct conf_item *item, void *target)
{
    void *field = conf_field(target, item);
    struct conf_list *list;

    switch (item->type) {
    case CONF_TEXT:
    case CONF_PATH:
    case CONF_SECRET_PATH:
    case CONF_URL:
        mem_freep(field);
        return;
    case CONF_LIST:
        list = field;
        for (size_t i = 0; i < list->n; i++)
            free(list->items[i]);
        free(list->items);
        *list = (struct conf_list){ NULL, 0 };
        return;
    case CONF_INT:
    case CONF_BOOL:
    case CONF_DURATION:
    case CONF_CHOICE:
        return;
    }
}

void
conf_free(const struct conf_item *items, size_t n, void *target)
{
    for (size_t i = 0; i < n; i++)
        field_free(&items[i], target);
}

static enum err
settings_convert(struct conf_input *in, const char *path, void *target, struct why *why)
{
    enum err e;

    for (size_t i = 0; i < in->n; i++) {
        if ((e = conf_convert(in, path, i, target, why)) != OK) {
            conf_free(in->items, i, target);
            return e;
        }
    }
    return OK;
}

enum err
conf_load(const char *path, const struct conf_item *items, size_t n, void *target, struct why *why)
{
    AUTO(conf_input_done) struct conf_input in = { .items = items, .n = n };
    enum err e;

    in.settings = mem_alloc_array(n, sizeof(*in.settings));
    if ((e = file_parse(&in, path, 0, why)) != OK)
        return e;
    return settings_convert(&in, path, target, why);
}

enum err
conf_parse(struct str text, const char *path, const struct conf_item *items, size_t n, void *target, int *ret_lines,
           struct why *why)
{
    AUTO(conf_input_done) struct conf_input in = { .items = items, .n = n, .text_only = true };
    enum err e;

    in.settings = mem_alloc_array(n, sizeof(*in.settings));
    if (text.n > FILE_MOST)
        return why_set(why, ERR_INPUT, "%s: longer than %zu bytes", path, FILE_MOST);
    if ((e = text_parse(&in, text, path, 0, why)) != OK || (e = settings_convert(&in, path, target, why)) != OK)
        return e;
    for (size_t i = 0; i < n && ret_lines != NULL; i++)
        ret_lines[i] = in.settings[i].n > 0 ? in.settings[i].values[0].at.line : 0;
    return OK;
}
