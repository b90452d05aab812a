/*
 * log: one event, one line, one write(2).
 *
 * Never fails, never blocks on anything but the descriptor itself, may be called
 * from every thread. A line is at most LINE_MOST bytes: a value is cut at
 * VALUE_MOST, and fields that no longer fit are left out and counted in "dropped".
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/core/clock.h"
#include "base/core/text.h"

#define LINE_MOST  8192
#define VALUE_MOST ((size_t)640)      /* the whole text of a struct why, and some escapes */

static char program_name[32] = "beffroi";
static _Atomic int least_level = LOG_LEVEL_INFO;
static _Atomic int log_fd = 2;
static _Thread_local char request[64];

void
log_start(const char *program, enum log_level least)
{
    snprintf(program_name, sizeof(program_name), "%s", program);
    atomic_store(&least_level, (int)least);
}

void
log_to(int fd)
{
    atomic_store(&log_fd, fd);
}

void
log_request(const char *request_id)
{
    snprintf(request, sizeof(request), "%s", request_id == NULL ? "" : request_id);
}

static const char *
level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG:
        return "debug";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_ERROR:
        return "error";
    }
    return "error";
}

/* Text that is a JSON string as it stands, as nearly all that is logged. */
static bool
is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e || s.p[i] == '"' || s.p[i] == '\\')
            return false;
    return s.n <= VALUE_MOST;
}

/* A JSON string. Sanitised text has neither controls nor bare backslashes: what is left to escape is \ and ". */
static void
add_text(struct buf *line, const char *text)
{
    AUTO(buf_free) struct buf clean = BUF_BOUNDED(4 * VALUE_MOST);
    const struct str whole = str_of(text);

    buf_addc(line, '"');
    if (is_plain(whole)) {
        buf_add_str(line, whole);
        buf_addc(line, '"');
        return;
    }
    text_sanitized(whole, VALUE_MOST, &clean);
    for (size_t i = 0; i < clean.len; i++) {
        if (clean.data[i] == '"' || clean.data[i] == '\\')
            buf_addc(line, '\\');
        buf_addc(line, clean.data[i]);
    }
    buf_addc(line, '"');
}

static void
add_name(struct buf *line, const char *name)
{
    buf_addc(line, ',');
    add_text(line, name);
    buf_addc(line, ':');
}

static void
add_field(struct buf *line, const struct log_field *f)
{
    add_name(line, f->name);
    switch (f->kind) {
    case LOG_F_TEXT:
        if (f->text == NULL)
            buf_add_lit(line, "null");
        else
            add_text(line, f->text);
        return;
    case LOG_F_INT:
        buf_addf(line, "%lld", (long long)f->number);
        return;
    case LOG_F_BOOL:
        buf_adds(line, f->number != 0 ? "true" : "false");
        return;
    }
}

static void
add_head(struct buf *line, enum log_level level, const char *event)
{
    char when[UTIME_RFC3339_LEN + 1];
    utime now = clock_now();

    utime_rfc3339(now, when);
    when[UTIME_RFC3339_LEN - 1] = '\0';      /* the Z goes behind the milliseconds */
    buf_addf(line, "{\"ts\":\"%s.%03dZ\",\"level\":\"%s\"", when,
             (int)((now - utime_seconds(now) * USEC_PER_SEC) / 1000), level_name(level));
    add_name(line, "program");
    add_text(line, program_name);
    buf_addf(line, ",\"pid\":%ld", (long)getpid());
    add_name(line, "event");
    add_text(line, event);
    if (request[0] != '\0') {
        add_name(line, "request");
        add_text(line, request);
    }
}

static void
write_line(const struct buf *line)
{
    size_t done = 0;

    while (done < line->len) {
        ssize_t n = write(atomic_load(&log_fd), line->data + done, line->len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;      /* nobody listens: there is no other place to say so */
        done += (size_t)n;
    }
}

void
log_fields(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
    AUTO(buf_free) struct buf line = BUF_BOUNDED(LINE_MOST), field = BUF_BOUNDED(LINE_MOST);
    size_t dropped = 0;
    int saved = errno;

    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    add_head(&line, level, event);
    for (size_t i = 0; i < n; i++) {
        buf_reset(&field);
        add_field(&field, &fields[i]);
        if (!buf_ok(&field) || field.len > LINE_MOST - 40 - line.len) {
            dropped++;
            continue;
        }
        buf_add(&line, field.data, field.len);
    }
    if (dropped > 0)
        buf_addf(&line, ",\"dropped\":%zu", dropped);
    buf_add_lit(&line, "}\n");
    write_line(&line);
    errno = saved;
}
