/* page: the set of templates, catalogues and assets; reading them from their folder. */
#include "base/page/page-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define POOL_MAX (16u << 20)

struct file_list {
    struct page_file *files;
    size_t n, cap;
};

static bool
ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

static bool
starts_with(const char *s, const char *start)
{
    return strncmp(s, start, strlen(start)) == 0;
}

/* --- assets ------------------------------------------------------------------------------------------------- */
static const char *
content_type_of(const char *path)
{
    static const struct { const char *end, *type; } types[] = {
        { ".css", "text/css; charset=utf-8" },  { ".js", "text/javascript; charset=utf-8" },
        { ".svg", "image/svg+xml" },            { ".png", "image/png" },
        { ".ico", "image/x-icon" },             { ".woff2", "font/woff2" },
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (ends_with(path, types[i].end))
            return types[i].type;
    return NULL;
}

/* URL path of a file of the folder: "assets/x" is "x", "themes/t/x" keeps its name. NULL: not an asset. */
static const char *
asset_path(const char *name)
{
    if (content_type_of(name) == NULL)
        return NULL;
    if (starts_with(name, "assets/"))
        return name + strlen("assets/");
    return starts_with(name, "themes/") ? name : NULL;
}

static uint64_t
hash64(uint64_t h, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
    return h;
}

#define HASH64_INIT UINT64_C(14695981039346656037)

static int
asset_compare(const void *a, const void *b)
{
    return strcmp(((const struct page_asset *)a)->path, ((const struct page_asset *)b)->path);
}

/* Copies the assets; their common version changes when any of them does. */
static void
assets_collect(struct page_set *s, const struct page_file *files, size_t n)
{
    uint64_t version = HASH64_INIT;

    s->assets = mem_alloc_array(n == 0 ? 1 : n, sizeof(*s->assets));
    for (size_t i = 0; i < n; i++) {
        struct page_asset *a = &s->assets[s->nassets];
        const char *path = asset_path(files[i].name);

        if (path == NULL)
            continue;
        a->path = mem_strdup(path);
        a->content_type = content_type_of(path);
        a->body = (struct str){ mem_dup(files[i].text.p, files[i].text.n), files[i].text.n };
        (void)snprintf(a->etag, sizeof(a->etag), "\"%016llx\"", (unsigned long long)hash64(HASH64_INIT, a->body));
        s->nassets++;
    }
    qsort(s->assets, s->nassets, sizeof(*s->assets), asset_compare);
    for (size_t i = 0; i < s->nassets; i++)
        version = hash64(hash64(version, str_of(s->assets[i].path)), s->assets[i].body);
    (void)snprintf(s->assets_base, sizeof(s->assets_base), "/assets/%012llx",
                   (unsigned long long)(version & UINT64_C(0xffffffffffff)));
}

/* Every theme on the style sheet it is made for; a set without one (in tests) has nothing to check. */
static enum err
themes_check(const struct page_set *s, struct why *why)
{
    const struct page_asset *base;
    bool versioned;

    if ((base = page_asset_find(s, "beffroi.css", &versioned)) == NULL)
        return OK;
    for (size_t i = 0; i < s->nassets; i++) {
        enum err e;

        if (starts_with(s->assets[i].path, "themes/") && ends_with(s->assets[i].path, "/theme.css") &&
            (e = theme_check(base, &s->assets[i], why)) != OK)
            return e;
    }
    return OK;
}

#define VERSION_LEN 12

const struct page_asset *
page_asset_find(const struct page_set *s, const char *path, bool *ret_versioned)
{
    const char *version = s->assets_base + strlen("/assets/");
    size_t low = 0, high = s->nassets;
    bool versioned = false;

    if (strspn(path, "0123456789abcdef") == VERSION_LEN && path[VERSION_LEN] == '/') {
        versioned = starts_with(path, version);
        path += VERSION_LEN + 1;
    }
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(s->assets[mid].path, path);

        if (order == 0) {
            *ret_versioned = versioned;
            return &s->assets[mid];
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const char *
page_assets_base(const struct page_set *s)
{
    return s->assets_base;
}

/* --- the set ------------------------------------------------------------------------------------------------ */
/* Files of partials/ live only inside others. */
static bool
is_template(const char *name)
{
    return (ends_with(name, ".html") || ends_with(name, ".txt")) && !starts_with(name, "partials/") &&
           !starts_with(name, "assets/") && !starts_with(name, "themes/");
}

static int
template_compare(const void *a, const void *b)
{
    return strcmp(((const struct template *)a)->name, ((const struct template *)b)->name);
}

static enum err
catalogues_collect(struct page_set *s, const struct page_file *files, size_t n, struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        bool fr = strcmp(files[i].name, "messages.fr") == 0, en = strcmp(files[i].name, "messages.en") == 0;
        enum err e;

        if ((fr || en) && (e = catalogue_read(&s->catalogue, fr ? LANG_FR : LANG_EN, files[i].name, files[i].text,
                                              why)) != OK)
            return e;
    }
    return catalogue_check(&s->catalogue, why);
}

static enum err
templates_collect(struct page_set *s, const struct page_file *files, size_t n, struct why *why)
{
    struct compile_env env = { files, n, s };

    s->templates = mem_alloc_array(n == 0 ? 1 : n, sizeof(*s->templates));
    for (size_t i = 0; i < n; i++) {
        struct template *t = &s->templates[s->ntemplates];
        enum err e;

        if (!is_template(files[i].name))
            continue;
        t->name = mem_strdup(files[i].name);
        t->html = ends_with(t->name, ".html");
        s->ntemplates++;
        for (int lang = 0; lang < LANG_COUNT; lang++)
            if ((e = program_compile(&env, &files[i], (enum lang)lang, &t->in[lang], why)) != OK)
                return e;
    }
    qsort(s->templates, s->ntemplates, sizeof(*s->templates), template_compare);
    return OK;
}

enum err
page_set_compile(const struct page_file *files, size_t n, bool strict, struct page_set **ret, struct why *why)
{
    AUTO(page_set_freep) struct page_set *s = mem_alloc(sizeof(*s));
    enum err e;

    s->strict = strict;
    s->pool = arena_new(POOL_MAX);
    assets_collect(s, files, n);
    if ((e = themes_check(s, why)) != OK || (e = catalogues_collect(s, files, n, why)) != OK ||
        (e = templates_collect(s, files, n, why)) != OK)
        return e;
    *ret = TAKE(s);
    return OK;
}

void
page_set_free(struct page_set *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->ntemplates; i++) {
        for (int lang = 0; lang < LANG_COUNT; lang++)
            program_done(&s->templates[i].in[lang]);
        mem_freep(&s->templates[i].name);
    }
    for (size_t i = 0; i < s->nassets; i++) {
        mem_freep(&s->assets[i].body.p);
        mem_freep(&s->assets[i].path);
    }
    mem_freep(&s->templates);
    mem_freep(&s->assets);
    catalogue_done(&s->catalogue);
    arena_free(s->pool);
    mem_freep(&s);
}

/* --- the folder --------------------------------------------------------------------------------------------- */
static void
file_list_done(struct file_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        mem_freep(&l->files[i].name);
        mem_freep(&l->files[i].text.p);
    }
    mem_freep(&l->files);
    l->n = l->cap = 0;
}

static void
fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void
dir_close(DIR **d)
{
    if (*d != NULL)
        (void)closedir(*d);
    *d = NULL;
}

static bool
is_wanted(const char *name)
{
    return is_template(name) || asset_path(name) != NULL || strcmp(name, "messages.fr") == 0 ||
           strcmp(name, "messages.en") == 0 || (starts_with(name, "partials/") && !ends_with(name, "~"));
}

static enum err
file_read_at(int dir, const char *base, const char *name, struct file_list *l, struct why *why)
{
    AUTO(fd_close) int fd = openat(dir, base, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(PAGE_FILE_MAX);
    char chunk[16384];
    ssize_t n;

    if (fd < 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", name, strerror(errno));
    while ((n = read(fd, chunk, sizeof(chunk))) > 0)
        buf_add(&text, chunk, (size_t)n);
    if (n < 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", name, strerror(errno));
    if (!buf_ok(&text) || l->n == PAGE_FILES_MAX)
        return why_set(why, ERR_INPUT, "%s: larger than %u bytes, or more than %d files", name, PAGE_FILE_MAX,
                       PAGE_FILES_MAX);
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 64 : l->cap * 2;
        l->files = mem_realloc_array(l->files, l->cap, sizeof(*l->files));
    }
    l->files[l->n].name = mem_strdup(name);
    l->files[l->n].text = (struct str){ mem_dup(text.data == NULL ? "" : text.data, text.len + 1), text.len };
    l->n++;
    return OK;
}

/* Reads what is wanted below the folder dir (which is closed); prefix is its name with '/', or "". */
static enum err
folder_read(int dir_fd, const char *prefix, int depth, struct file_list *l, struct why *why)
{
    AUTO(dir_close) DIR *d = fdopendir(dir_fd);
    struct dirent *entry;
    enum err e;

    if (d == NULL) {
        (void)close(dir_fd);
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", prefix, strerror(errno));
    }
    while ((entry = readdir(d)) != NULL) {
        char name[512];
        struct stat st;

        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(name, sizeof(name), "%s%s", prefix, entry->d_name) >= (int)sizeof(name) - 1)
            return why_set(why, ERR_INPUT, "%s: name too long", name);
        if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            return why_set(why, ERR_UNAVAILABLE, "%s: %s", name, strerror(errno));
        if (S_ISDIR(st.st_mode) && depth < 4) {
            int fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

            if (fd < 0)
                return why_set(why, ERR_UNAVAILABLE, "%s: %s", name, strerror(errno));
            (void)memcpy(name + strlen(name), "/", 2);
            if ((e = folder_read(fd, name, depth + 1, l, why)) != OK)
                return e;
        } else if (S_ISREG(st.st_mode) && is_wanted(name)) {
            if ((e = file_read_at(dirfd(d), entry->d_name, name, l, why)) != OK)
                return e;
        }
    }
    return OK;
}

static int
file_compare(const void *a, const void *b)
{
    return strcmp(((const struct page_file *)a)->name, ((const struct page_file *)b)->name);
}

enum err
page_set_load(const char *folder, bool strict, struct page_set **ret, struct why *why)
{
    AUTO(file_list_done) struct file_list l = { NULL, 0, 0 };
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err e;

    if (fd < 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", folder, strerror(errno));
    if ((e = folder_read(fd, "", 0, &l, why)) != OK) {
        why_prepend(why, "%s", folder);
        return e;
    }
    if (l.n > 0)
        qsort(l.files, l.n, sizeof(*l.files), file_compare);
    if ((e = page_set_compile(l.files, l.n, strict, ret, why)) != OK)
        why_prepend(why, "%s", folder);
    return e;
}
