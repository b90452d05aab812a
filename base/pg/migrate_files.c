/*
 * migrate_files: reading a folder of migrations. Everything is read and checked before the first statement, so that a
 * broken installation is refused whole.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pg/migrate-internal.h"

#define INCLUDE_MARK "-- include "

static void
closedirp(DIR **d)
{
    if (*d != NULL)
        (void)closedir(*d);      /* read only: nothing can be lost */
}

static void
fclosep(FILE **f)
{
    if (*f != NULL)
        (void)fclose(*f);        /* read only: nothing can be lost */
}

void
migrations_done(struct migrations *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->list[i].file);
        buf_free(&m->list[i].text);
    }
    free(m->list);
    *m = (struct migrations){ NULL, 0 };
}

/* NNNN-name.sql with name in [a-z0-9-]; 0 when it is not that. */
static int
file_number(const char *file)
{
    size_t n = strlen(file);
    int64_t number;

    if (n < sizeof("0001-x.sql") - 1 || file[4] != '-' || strcmp(file + n - 4, ".sql") != 0)
        return 0;
    if (strspn(file + 5, "abcdefghijklmnopqrstuvwxyz0123456789-") != n - 9 || strspn(file, "0123456789") != 4)
        return 0;
    if (str_to_i64((struct str){ file, 4 }, 1, MIGRATIONS_MAX, &number) != OK)
        return 0;
    return (int)number;
}

static enum err
read_text(const char *path, struct buf *out, struct why *why)
{
    AUTO(fclosep) FILE *f = fopen(path, "re");
    size_t start = out->len;

    if (f == NULL)
        return why_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    for (;;) {
        char piece[8192];
        size_t n = fread(piece, 1, sizeof(piece), f);

        buf_add(out, piece, n);
        if (n < sizeof(piece))
            break;
    }
    if (ferror(f))
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if (!buf_ok(out))
        return why_set(why, ERR_INPUT, "%s: more than %d bytes", path, MIGRATION_FILE_MAX);
    if (out->len > start && memchr(out->data + start, '\0', out->len - start) != NULL)
        return why_set(why, ERR_INPUT, "%s: holds a NUL byte", path);
    return OK;
}

/* "other.sql" or "../neighbour/other.sql". */
static bool
is_include_path(struct str path)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    char copy[128];
    const char *p = copy;
    size_t n;

    if (path.n >= sizeof(copy) || path.n == 0)
        return false;
    memcpy(copy, path.p, path.n);
    copy[path.n] = '\0';
    if (strncmp(p, "../", 3) == 0) {
        p += 3;
        n = strspn(p, word);
        if (n == 0 || p[n] != '/')
            return false;
        p += n + 1;
    }
    n = strspn(p, word);
    return n > 0 && strcmp(p + n, ".sql") == 0;
}

/* The transaction is ours, and psql does not read these files. */
static bool
is_forbidden(struct str line)
{
    static const char *const words[] = { "begin;", "commit;", "rollback;", "start transaction;" };
    struct str bare = str_trim(line);

    if (bare.n > 0 && bare.p[0] == '\\')
        return true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_ieqs(bare, words[i]))
            return true;
    return false;
}

static enum err
add_lines(const char *folder, const char *file, struct str text, bool included, struct buf *out, struct why *why);

static enum err
add_include(const char *folder, struct str path, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(MIGRATION_FILE_MAX);
    AUTO(buf_free) struct buf full = BUF_BOUNDED(4096);
    enum err e;

    if (!is_include_path(path))
        return why_set(why, ERR_INPUT, "include %.*s: only name.sql or ../folder/name.sql", (int)path.n, path.p);
    buf_addf(&full, "%s/%.*s", folder, (int)path.n, path.p);
    if ((e = read_text(buf_cstr(&full), &text, why)) != OK)
        return e == ERR_NOT_FOUND ? ERR_INPUT : e;
    return add_lines(folder, buf_cstr(&full), buf_view(&text), true, out, why);
}

static enum err
add_lines(const char *folder, const char *file, struct str text, bool included, struct buf *out, struct why *why)
{
    struct str rest = text;
    enum err e;

    for (int number = 1; rest.p != NULL && rest.n > 0; number++) {
        struct str line = str_split(rest, '\n', &rest);

        if (is_forbidden(line))
            return why_set(why, ERR_INPUT, "%s:%d: no transaction command and no psql command here", file, number);
        if (str_starts(line, INCLUDE_MARK)) {
            struct str path = { line.p + sizeof(INCLUDE_MARK) - 1, line.n - (sizeof(INCLUDE_MARK) - 1) };

            if (included)
                return why_set(why, ERR_INPUT, "%s:%d: an included file includes nothing", file, number);
            if ((e = add_include(folder, str_trim(path), out, why)) != OK) {
                why_prepend(why, "%s:%d", file, number);
                return e;
            }
            continue;
        }
        buf_add_str(out, line);
        buf_addc(out, '\n');
    }
    return OK;
}

static enum err
read_migration(const char *folder, struct migration *m, struct why *why)
{
    AUTO(buf_free) struct buf path = BUF_BOUNDED(4096);
    AUTO(buf_free) struct buf raw = BUF_BOUNDED(MIGRATION_FILE_MAX);
    enum err e;

    buf_addf(&path, "%s/%s", folder, m->file);
    if ((e = read_text(buf_cstr(&path), &raw, why)) != OK ||
        (e = add_lines(folder, m->file, buf_view(&raw), false, &m->text, why)) != OK)
        return e;
    if (!buf_ok(&m->text))
        return why_set(why, ERR_INPUT, "%s: more than %d bytes with its includes", m->file, MIGRATION_FILE_MAX);
    sha256(buf_view(&m->text), m->digest);
    return OK;
}

static int
by_number(const void *a, const void *b)
{
    const struct migration *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

static enum err
list_folder(const char *folder, struct migrations *m, struct why *why)
{
    AUTO(closedirp) DIR *dir = opendir(folder);
    struct dirent *entry;

    if (dir == NULL)
        return why_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s: %s", folder, strerror(errno));
    while ((entry = readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name);
        int number = file_number(entry->d_name);

        if (n < 4 || entry->d_name[0] == '.' || strcmp(entry->d_name + n - 4, ".sql") != 0)
            continue;                   /* README, editors' copies */
        if (number == 0)
            return why_set(why, ERR_INPUT, "%s/%s: not named NNNN-name.sql", folder, entry->d_name);
        m->list = mem_realloc_array(m->list, m->n + 1, sizeof(*m->list));
        m->list[m->n++] = (struct migration){ .number = number, .file = mem_strdup(entry->d_name),
                                              .text = BUF_BOUNDED(MIGRATION_FILE_MAX) };
    }
    return OK;
}

enum err
migrations_read(const char *folder, struct migrations *ret, struct why *why)
{
    AUTO(migrations_done) struct migrations m = { NULL, 0 };
    enum err e;

    if ((e = list_folder(folder, &m, why)) != OK)
        return e;
    if (m.n == 0)
        return why_set(why, ERR_INPUT, "%s: no migration in it", folder);
    qsort(m.list, m.n, sizeof(*m.list), by_number);
    for (size_t i = 0; i < m.n; i++) {
        if (m.list[i].number != (int)i + 1)
            return why_set(why, ERR_INPUT, "%s/%s: number %04zu is missing or twice there", folder, m.list[i].file,
                           i + 1);
        if ((e = read_migration(folder, &m.list[i], why)) != OK)
            return e;
    }
    *ret = m;
    m = (struct migrations){ NULL, 0 };
    return OK;
}
