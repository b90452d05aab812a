/*
 * pg_notify: LISTEN and waiting for NOTIFY. A channel belongs to one connection: when that is replaced, what was sent
 * meanwhile is gone, and the waiter is told.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/pg/pg-internal.h"

static bool
is_channel(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz_");

    return n > 0 && n <= PG_CHANNEL_MAX && s[n] == '\0';
}

enum err
pg_listen(struct pg *pg, const char *channel, struct why *why)
{
    char text[PG_CHANNEL_MAX + 16];
    enum err e;

    CHECK(is_channel(channel) && pg->tx == TX_NONE);
    if ((e = pg_ready(pg, why)) != OK)
        return e;
    /* The one text that is put together: LISTEN takes no parameter. The name is ours and is_channel() saw it. */
    (void)snprintf(text, sizeof(text), "LISTEN \"%s\"", channel);
    e = pg_command(pg, text, why);
    if (pg->doomed)
        pg_drop(pg);
    if (e == OK)
        pg->listening = true;
    return e;
}

static void
copy_payload(const char *payload, char *out, size_t size)
{
    size_t n = strlen(payload);

    if (out == NULL || size == 0)
        return;
    if (n >= size)
        n = size - 1;
    memcpy(out, payload, n);
    out[n] = '\0';
}

/* Waits until one of the two is readable or the deadline has passed: 1 the first, 2 the second, 0 neither, -1 failed. */
static int
wait_two(int first, int second, utime deadline)
{
    struct pollfd fds[2] = { { .fd = first, .events = POLLIN }, { .fd = second, .events = POLLIN } };

    for (;;) {
        int64_t left = deadline - clock_monotonic();
        int n = poll(fds, 2, left <= 0 ? 0 : (int)(left / 1000) + 1);

        if (n > 0)
            return fds[1].revents != 0 ? 2 : 1;
        if (n == 0 && left <= 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -1;
    }
}

void
pg_pause(int64_t timeout, int wake_fd)
{
    (void)wait_two(-1, wake_fd, clock_monotonic() + timeout);
}

enum err
pg_wait_notify_or(struct pg *pg, int64_t timeout, int wake_fd, char *ret_payload, size_t payload_size,
                  struct why *why)
{
    utime deadline = clock_monotonic() + timeout;

    for (;;) {
        PGnotify *note = NULL;

        if (pg->conn != NULL && !pg->doomed && pg->listening)
            note = PQnotifies(pg->conn);       /* also parses what was read: a FATAL dooms the connection */
        if (note != NULL) {
            copy_payload(note->extra, ret_payload, payload_size);
            PQfreemem(note);
            return OK;
        }
        if (pg->conn == NULL || pg->doomed || !pg->listening || PQstatus(pg->conn) != CONNECTION_OK) {
            if (pg->doomed)
                pg_drop(pg);
            return why_code(why, ERR_UNAVAILABLE, "pg.listen", "the listening connection was lost");
        }
        switch (wait_two(PQsocket(pg->conn), wake_fd, deadline)) {
        case 1:
            if (PQconsumeInput(pg->conn) == 0)
                pg->doomed = true;
            break;
        case 0:
        case 2:
            return why_set(why, ERR_NOT_FOUND, "no notification");
        default:
            pg->doomed = true;
            break;
        }
    }
}

enum err
pg_wait_notify(struct pg *pg, int64_t timeout, char *ret_payload, size_t payload_size, struct why *why)
{
    return pg_wait_notify_or(pg, timeout, -1, ret_payload, payload_size, why);
}
