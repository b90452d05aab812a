/*
 * clock_zone: civil time in a named zone, from the system's zone files (RFC 8536).
 *
 * localtime() would do it through TZ, which belongs to the whole process; a
 * letter for Nouméa and a page for Paris may be written at the same moment by
 * two threads. Each file is read once and kept; the rule in its last line
 * answers for the years behind the table. A zone that cannot be read counts as
 * UTC, so that a letter is never refused for it: clock_zone_check() at start
 * finds the mistake.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/civil.h"
#include "base/core/buf.h"

#define ZONE_DIR      "/usr/share/zoneinfo"
#define ZONE_FILE_MAX 65536
#define ZONES_MOST    64

struct change {
    int month, week, day;    /* POSIX Mm.w.d */
    int64_t second;          /* of that day, local time; may be negative or above a day */
};

struct zone {
    struct zone *next;
    char *name;
    bool known;
    size_t n;                /* transitions */
    int64_t *at;             /* UTC seconds, rising */
    int32_t *offset;         /* in force from at[i] on */
    int32_t first_offset;    /* before at[0] */
    bool has_rule;           /* the last line was understood: in force after at[n-1] */
    int32_t std, dst;        /* seconds east of UTC */
    bool has_dst;
    struct change to_dst, to_std;
};

static pthread_mutex_t zones_lock = PTHREAD_MUTEX_INITIALIZER;
static struct zone *zones;      /* only grows; a zone never changes once it is in the list */
static size_t zones_n;

static int64_t
big_endian(const char *p, int n)
{
    uint64_t v = 0;

    for (int i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return n == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

/* --- the last line: "CET-1CEST,M3.5.0,M10.5.0/3", "<-03>3" (RFC 8536 §3.3) ------------------------------- */

static bool
rule_name(const char **s)
{
    const char *start = *s;

    if (**s == '<') {
        while (**s != '\0' && **s != '>')
            (*s)++;
        return *(*s)++ == '>';
    }
    while ((**s >= 'A' && **s <= 'Z') || (**s >= 'a' && **s <= 'z'))
        (*s)++;
    return *s - start >= 3;
}

static bool
rule_number(const char **s, int max, int64_t *ret)
{
    int64_t value = 0;
    const char *start = *s;

    while (**s >= '0' && **s <= '9' && *s - start < 4)
        value = value * 10 + (*(*s)++ - '0');
    *ret = value;
    return *s > start && value <= max;
}

/* Takes the character when it stands there. */
static bool
follows(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

/* [+-]hh[:mm[:ss]] in seconds */
static bool
rule_time(const char **s, int64_t *ret)
{
    int64_t sign = 1, h, m = 0, sec = 0;

    if (**s == '-' || **s == '+')
        sign = *(*s)++ == '-' ? -1 : 1;
    if (!rule_number(s, 167, &h))
        return false;
    if (follows(s, ':') && !rule_number(s, 59, &m))
        return false;
    if (follows(s, ':') && !rule_number(s, 59, &sec))
        return false;
    *ret = sign * (h * 3600 + m * 60 + sec);
    return true;
}

static bool
rule_change(const char **s, struct change *ret)
{
    int64_t month, week, day, second = 7200;

    if (*(*s)++ != ',' || *(*s)++ != 'M' || !rule_number(s, 12, &month) || *(*s)++ != '.' ||
        !rule_number(s, 5, &week) || *(*s)++ != '.' || !rule_number(s, 6, &day) || month < 1 || week < 1)
        return false;
    if (follows(s, '/') && !rule_time(s, &second))
        return false;
    *ret = (struct change){ (int)month, (int)week, (int)day, second };
    return true;
}

static bool
rule_parse(const char *s, struct zone *z)
{
    int64_t west;

    if (!rule_name(&s) || !rule_time(&s, &west))
        return false;
    z->std = (int32_t)-west;
    if (*s == '\0')
        return true;
    z->has_dst = true;
    z->dst = z->std + 3600;
    if (!rule_name(&s))
        return false;
    if (*s != ',') {
        if (!rule_time(&s, &west))
            return false;
        z->dst = (int32_t)-west;
    }
    return rule_change(&s, &z->to_dst) && rule_change(&s, &z->to_std) && *s == '\0';
}

/* Local seconds since 1970 at which the change happens in that year. */
static int64_t
change_instant(const struct change *c, int64_t year)
{
    int64_t first = civil_to_days(year, c->month, 1);
    int weekday = (int)(((first + 4) % 7 + 7) % 7);
    int day = 1 + (c->day - weekday + 7) % 7 + (c->week - 1) * 7;

    while (day > civil_month_days(year, c->month))
        day -= 7;
    return (first + day - 1) * 86400 + c->second;
}

static int32_t
rule_offset(const struct zone *z, int64_t seconds)
{
    struct civil c;
    int64_t on, off;

    if (!z->has_dst)
        return z->std;
    civil_from_seconds(seconds + z->std, &c);
    on = change_instant(&z->to_dst, c.year) - z->std;
    off = change_instant(&z->to_std, c.year) - z->dst;
    if (on < off)
        return seconds >= on && seconds < off ? z->dst : z->std;
    return seconds >= off && seconds < on ? z->std : z->dst;      /* southern half of the world */
}

/* --- the table ---------------------------------------------------------------------------------------- */

struct counts {
    size_t isut, isstd, leap, time, type, chars;
};

static bool
header_read(struct str file, size_t at, struct counts *ret)
{
    const char *p = file.p + at;

    if (file.n < at + 44 || memcmp(p, "TZif", 4) != 0)
        return false;
    *ret = (struct counts){ (uint32_t)big_endian(p + 20, 4), (uint32_t)big_endian(p + 24, 4),
                            (uint32_t)big_endian(p + 28, 4), (uint32_t)big_endian(p + 32, 4),
                            (uint32_t)big_endian(p + 36, 4), (uint32_t)big_endian(p + 40, 4) };
    return ret->isut <= ZONE_FILE_MAX && ret->isstd <= ZONE_FILE_MAX && ret->leap <= ZONE_FILE_MAX &&
           ret->time <= ZONE_FILE_MAX && ret->type >= 1 && ret->type <= 256 && ret->chars <= ZONE_FILE_MAX;
}

static size_t
block_size(const struct counts *c, size_t time_size)
{
    return c->time * (time_size + 1) + c->type * 6 + c->chars + c->leap * (time_size + 4) + c->isstd + c->isut;
}

static bool
zone_parse(struct str file, struct zone *z)
{
    struct counts c;
    size_t at = 44;
    const char *times, *index, *types;
    char rule[128];
    size_t rule_len;

    if (!header_read(file, 0, &c) || file.p[4] < '2')
        return false;
    at += block_size(&c, 4);      /* the 32-bit block is for old readers */
    if (!header_read(file, at, &c))
        return false;
    at += 44;
    if (file.n < at + block_size(&c, 8) + 2)
        return false;
    times = file.p + at;
    index = times + c.time * 8;
    types = index + c.time;
    z->n = c.time;
    z->at = mem_alloc_array(c.time, sizeof(*z->at));
    z->offset = mem_alloc_array(c.time, sizeof(*z->offset));
    z->first_offset = (int32_t)big_endian(types, 4);
    for (size_t i = 0; i < c.time; i++) {
        if ((unsigned char)index[i] >= c.type)
            return false;
        z->at[i] = big_endian(times + i * 8, 8);
        z->offset[i] = (int32_t)big_endian(types + (size_t)(unsigned char)index[i] * 6, 4);
    }
    at += block_size(&c, 8);
    rule_len = file.n - at - 2;
    if (file.p[at] != '\n' || file.p[file.n - 1] != '\n' || rule_len >= sizeof(rule))
        return false;
    memcpy(rule, file.p + at + 1, rule_len);
    rule[rule_len] = '\0';
    z->has_rule = rule_len > 0 && rule_parse(rule, z);
    return rule_len == 0 || z->has_rule;
}

static bool
name_is_safe(const char *name)
{
    if (name[0] == '\0' || name[0] == '/' || strlen(name) > 64 || strstr(name, "..") != NULL)
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == strlen(name);
}

static bool
zone_file_read(const char *name, struct buf *out)
{
    char path[128];
    char part[4096];
    ssize_t n = -1;
    int fd;

    if (!name_is_safe(name))
        return false;
    snprintf(path, sizeof(path), ZONE_DIR "/%s", name);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0)
        return false;
    while ((n = read(fd, part, sizeof(part))) > 0)
        buf_add(out, part, (size_t)n);
    close(fd);
    return n == 0 && buf_ok(out);
}

static struct zone *
zone_load(const char *name)
{
    AUTO(buf_free) struct buf file = BUF_BOUNDED(ZONE_FILE_MAX);
    struct zone *z = mem_alloc(sizeof(*z));

    z->name = mem_strdup(name);
    z->known = zone_file_read(name, &file) && zone_parse(buf_view(&file), z);
    return z;
}

static const struct zone *
zone_find(const char *name)
{
    struct zone *z;

    pthread_mutex_lock(&zones_lock);
    for (z = zones; z != NULL && strcmp(z->name, name) != 0; z = z->next)
        ;
    if (z == NULL && zones_n < ZONES_MOST) {
        z = zone_load(name);
        z->next = zones;
        zones = z;
        zones_n++;
    }
    pthread_mutex_unlock(&zones_lock);
    return z != NULL && z->known ? z : NULL;
}

static int32_t
zone_offset(const struct zone *z, int64_t seconds)
{
    size_t low = 0, high = z->n;      /* how many transitions are not after seconds */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (z->at[middle] <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == z->n && z->has_rule)
        return rule_offset(z, seconds);
    return low == 0 ? z->first_offset : z->offset[low - 1];
}

void
utime_civil(utime t, const char *zone, struct civil *ret)
{
    const struct zone *z = zone_find(zone);
    int64_t seconds = utime_seconds(t);

    civil_from_seconds(seconds + (z == NULL ? 0 : zone_offset(z, seconds)), ret);
}

enum err
clock_zone_check(const char *zone, struct why *why)
{
    if (zone_find(zone) == NULL)
        return why_set(why, ERR_NOT_FOUND, "time zone %s is not in " ZONE_DIR " (package tzdata)", zone);
    return OK;
}
