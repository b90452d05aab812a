/* client: see client.h. */
#include "pki/client/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/core/enc.h"

#define ANSWER_MAX (64 * 1024)

struct signer_client {
    char *path;
    int64_t patience;
    int fd;
};

struct signer_client *
signer_client_new(const char *path, int64_t patience)
{
    struct signer_client *c = mem_alloc(sizeof(*c));

    c->path = mem_strdup(path);
    c->patience = patience;
    c->fd = -1;
    return c;
}

static void
hang_up(struct signer_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void
signer_client_free(struct signer_client *c)
{
    if (c == NULL)
        return;
    hang_up(c);
    free(c->path);
    free(c);
}

static enum err
away(struct signer_client *c, struct why *why)
{
    const int error = errno;

    hang_up(c);
    errno = error;
    return why_code(why, ERR_UNAVAILABLE, "signer.away", "%s: the signer does not answer: %m", c->path);
}

static enum err
ready(struct signer_client *c, struct why *why)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    if (c->fd >= 0)
        return OK;
    if (c->path[0] == '\0' || strlen(c->path) >= sizeof(at.sun_path))
        return why_set(why, ERR_INPUT, "signer.socket is empty or too long");
    memcpy(at.sun_path, c->path, strlen(c->path) + 1);
    if ((c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
        connect(c->fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
        return away(c, why);
    return OK;
}

/* Did the answer end: is its last whole line no line of status or of lists? */
static bool
answer_ended(const struct buf *answer)
{
    struct str all = buf_view(answer), rest, line;

    if (all.n == 0 || all.p[all.n - 1] != '\n')
        return false;
    do {
        line = str_split(all, '\n', &rest);
        all = rest;
    } while (rest.n > 0);
    return !str_starts(line, "set ") && !str_starts(line, "ca ") && !str_starts(line, "crl ");
}

static enum err
answer_read(struct signer_client *c, struct buf *answer, struct why *why)
{
    const utime until = clock_monotonic() + c->patience;
    char block[4096];

    while (!answer_ended(answer)) {
        struct pollfd fd = { c->fd, POLLIN, 0 };
        const int64_t left = until - clock_monotonic();
        ssize_t n;

        if (left <= 0 || poll(&fd, 1, (int)(left / 1000) + 1) == 0) {
            errno = ETIMEDOUT;
            return away(c, why);
        }
        if ((n = recv(c->fd, block, sizeof(block), 0)) < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ECONNRESET;
        if (n <= 0)
            return away(c, why);
        buf_add(answer, block, (size_t)n);
        if (!buf_ok(answer))
            return why_set(why, ERR_INTERNAL, "the signer's answer is too long");
    }
    return OK;
}

/* Who is put out at the door is told why before the connection ends: what cannot be sent may have an answer all the same. */
static enum err
exchange(struct signer_client *c, struct str line, struct buf *answer, struct why *why)
{
    if (send(c->fd, line.p, line.n, MSG_NOSIGNAL) != (ssize_t)line.n && errno != EPIPE && errno != ECONNRESET)
        return away(c, why);
    return answer_read(c, answer, why);
}

/* One command and its answer. A connection that the signer closed while it rested is opened again once. */
static enum err
ask(struct signer_client *c, struct str line, struct buf *answer, struct why *why)
{
    const bool rested = c->fd >= 0;
    enum err e;

    if ((e = ready(c, why)) != OK)
        return e;
    e = exchange(c, line, answer, why);
    if (e != ERR_UNAVAILABLE || !rested || answer->len > 0 || errno == ETIMEDOUT)
        return e;
    /* every command may be said twice */
    if ((e = ready(c, why)) != OK)
        return e;
    return exchange(c, line, answer, why);
}

/* What stands behind "ok" in the last line, or the failure. */
static enum err
judge(const struct buf *answer, struct str *ret_rest, struct why *why)
{
    static const struct { const char *word; enum err e; } words[] = {
        { "refused", ERR_DENIED }, { "later", ERR_UNAVAILABLE }, { "unknown", ERR_NOT_FOUND },
    };
    struct str all = buf_view(answer), rest, line, word;
    char code[48];

    do {
        line = str_split(all, '\n', &rest);
        all = rest;
    } while (rest.n > 0);
    word = str_split(line, ' ', ret_rest);
    if (str_eqs(word, "ok"))
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_eqs(word, words[i].word) || ret_rest->n == 0 || ret_rest->n >= sizeof(code))
            continue;
        memcpy(code, ret_rest->p, ret_rest->n);
        code[ret_rest->n] = '\0';
        return why_code(why, words[i].e, code, "the signer says: %s %s", words[i].word, code);
    }
    return why_set(why, ERR_INTERNAL, "the signer's answer is not understood");
}

enum err
signer_issue(struct signer_client *c, const char *request_id, char ret_certificate[37], struct why *why)
{
    AUTO(buf_free) struct buf line = BUF_BOUNDED(SIGNER_LINE_MAX), answer = BUF_BOUNDED(ANSWER_MAX);
    struct str rest;
    enum err e;

    buf_addf(&line, "issue %s\n", request_id);
    if ((e = ask(c, buf_view(&line), &answer, why)) != OK || (e = judge(&answer, &rest, why)) != OK)
        return e;
    if (rest.n != 36)
        return why_set(why, ERR_INTERNAL, "the signer's answer is not understood");
    memcpy(ret_certificate, rest.p, 36);
    ret_certificate[36] = '\0';
    return OK;
}

enum err
signer_share(struct signer_client *c, const struct share *share, int *ret_missing, struct why *why)
{
    AUTO(buf_free) struct buf line = BUF_SECRET(SIGNER_LINE_MAX), answer = BUF_BOUNDED(ANSWER_MAX);
    const struct share_info *i = &share->info;
    struct str rest, number;
    int64_t missing;
    enum err e;

    buf_addf(&line, "share %s %d %d %d %s ", i->set, i->number, i->threshold, i->total, i->person);
    hex_encode(&line, share->value.data, share->value.len);
    buf_addc(&line, '\n');
    if ((e = ask(c, buf_view(&line), &answer, why)) != OK || (e = judge(&answer, &rest, why)) != OK)
        return e;
    if (str_eqs(rest, "open")) {
        *ret_missing = 0;
        return OK;
    }
    if (!str_eqs(str_split(rest, ' ', &number), "missing") || str_to_i64(number, 1, SHAMIR_TOTAL_MAX, &missing) != OK)
        return why_set(why, ERR_INTERNAL, "the signer's answer is not understood");
    *ret_missing = (int)missing;
    return OK;
}

enum err
signer_lock(struct signer_client *c, struct why *why)
{
    AUTO(buf_free) struct buf answer = BUF_BOUNDED(ANSWER_MAX);
    struct str rest;
    enum err e;

    if ((e = ask(c, STR_LIT("lock\n"), &answer, why)) != OK)
        return e;
    return judge(&answer, &rest, why);
}

enum err
signer_status(struct signer_client *c, struct buf *ret, struct why *why)
{
    AUTO(buf_free) struct buf answer = BUF_BOUNDED(ANSWER_MAX);
    struct str rest;
    enum err e;

    if ((e = ask(c, STR_LIT("status\n"), &answer, why)) != OK || (e = judge(&answer, &rest, why)) != OK)
        return e;
    buf_add(ret, answer.data, answer.len - (sizeof("ok\n") - 1));
    return buf_ok(ret) ? OK : why_set(why, ERR_INTERNAL, "no room");
}

enum err
signer_crl(struct signer_client *c, const char *label, int shard, struct buf *ret, struct why *why)
{
    AUTO(buf_free) struct buf line = BUF_BOUNDED(SIGNER_LINE_MAX), answer = BUF_BOUNDED(ANSWER_MAX);
    struct str rest;
    enum err e;

    buf_addf(&line, "crl %s", label);
    if (shard >= 0)
        buf_addf(&line, " %d", shard);
    buf_addc(&line, '\n');
    if (!buf_ok(&line))
        return why_code(why, ERR_INPUT, "ca.unknown", "no authority has such a long name");
    if ((e = ask(c, buf_view(&line), &answer, why)) != OK || (e = judge(&answer, &rest, why)) != OK)
        return e;
    buf_add(ret, answer.data, answer.len - (sizeof("ok\n") - 1));
    return buf_ok(ret) ? OK : why_set(why, ERR_INTERNAL, "no room");
}
