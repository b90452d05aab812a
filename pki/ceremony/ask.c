/*
 * ask: see ask.h.
 *
 * What bites: while echo is off, the terminal does nothing by itself: ^C is read as a character and ends the question, so
 * that the terminal is never left silent, and erasing is done here.
 */
#include <errno.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "base/core/mem.h"
#include "base/core/text.h"
#include "pki/ceremony/ask.h"

#define ANSWERS_MAX 262144
#define LINE_MAX_LEN 1024
#define INTERRUPT 0x03
#define BACKSPACE 0x08
#define ERASE 0x7f

struct ask {
    int tty;                      /* -1: prepared */
    FILE *out;                    /* prepared: may be NULL */
    struct secret answers;
    size_t at;
    int line;                     /* of the file, for complaints */
};

/* --- opening -------------------------------------------------------------------------------------------------- */

enum err
ask_open_terminal(const char *path, struct ask **ret, struct why *why)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct ask *a;

    if (fd < 0 || !isatty(fd)) {
        if (fd >= 0)
            (void)close(fd);
        return why_set(why, ERR_UNAVAILABLE, "a ceremony asks people: no terminal (%s)", path);
    }
    a = mem_alloc(sizeof(*a));
    a->tty = fd;
    *ret = a;
    return OK;
}

static enum err
descriptor_read(const char *number, struct secret *ret, struct why *why)
{
    AUTO(buf_free) struct buf all = BUF_SECRET(ANSWERS_MAX);
    int64_t fd;
    char part[512];
    ssize_t n;

    if (str_to_i64(str_of(number), 0, 1023, &fd) != OK)
        return why_set(why, ERR_INPUT, "fd:N wants the number of an open descriptor");
    while ((n = read((int)fd, part, sizeof(part))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return why_set(why, ERR_UNAVAILABLE, "descriptor %d: %s", (int)fd, strerror(errno));
        buf_add(&all, part, (size_t)n);
    }
    mem_wipe(part, sizeof(part));
    if (!buf_ok(&all) || all.len == 0)
        return why_set(why, ERR_INPUT, "no answers on descriptor %d, or too many", (int)fd);
    secret_set(ret, all.data, all.len);
    return OK;
}

enum err
ask_open_answers(const char *path, FILE *out, struct ask **ret, struct why *why)
{
    AUTO(secret_done) struct secret answers = SECRET_INIT;
    struct ask *a;
    enum err e;

    e = strncmp(path, "fd:", 3) == 0 ? descriptor_read(path + 3, &answers, why)
                                     : secret_read_file(path, ANSWERS_MAX, &answers, why);
    if (e != OK)
        return e;
    a = mem_alloc(sizeof(*a));
    a->tty = -1;
    a->out = out;
    a->answers = answers;
    answers = (struct secret)SECRET_INIT;
    *ret = a;
    return OK;
}

void
ask_free(struct ask *a)
{
    if (a == NULL)
        return;
    if (a->tty >= 0)
        (void)close(a->tty);
    secret_done(&a->answers);
    mem_freep(&a);
}

bool
ask_is_prepared(const struct ask *a)
{
    return a->tty < 0;
}

/* --- talking ---------------------------------------------------------------------------------------------------- */

static void
tty_write(int fd, const char *p, size_t n)
{
    while (n > 0) {
        const ssize_t done = write(fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;               /* nobody is there to be told */
        p += done;
        n -= (size_t)done;
    }
}

void
ask_tell(struct ask *a, const char *text)
{
    if (a->tty >= 0)
        tty_write(a->tty, text, strlen(text));
    else if (a->out != NULL)
        (void)fputs(text, a->out);
}

static void
prompt_tell(struct ask *a, const char *name, const char *prompt, const char *fallback)
{
    AUTO(buf_free) struct buf line = BUF_BOUNDED(2048);

    buf_addf(&line, "  [%s] %s", name, prompt);
    if (fallback != NULL && fallback[0] != '\0')
        buf_addf(&line, " (%s)", fallback);
    buf_adds(&line, ": ");
    ask_tell(a, buf_cstr(&line));
}

/* The last character, all its octets. */
static void
last_drop(struct buf *line)
{
    while (line->len > 0) {
        const bool first = (line->data[line->len - 1] & 0xc0) != 0x80;

        buf_truncate(line, line->len - 1);
        if (first)
            return;
    }
}

/* Prompts and reads one line of the terminal, without its end. Echo is off before the prompt shows: who types at once is not
 * shown either, and nothing typed after the prompt is thrown away. */
static enum err
tty_line(struct ask *a, bool echo, const char *name, const char *prompt, const char *fallback, struct buf *ret,
         struct why *why)
{
    struct termios was, quiet;
    enum err e = OK;
    bool changed = false;
    char c;

    if (!echo && tcgetattr(a->tty, &was) == 0) {
        quiet = was;
        quiet.c_lflag &= (tcflag_t)~(ECHO | ECHONL | ISIG | ICANON);
        quiet.c_cc[VMIN] = 1;
        quiet.c_cc[VTIME] = 0;
        changed = tcsetattr(a->tty, TCSAFLUSH, &quiet) == 0;
    }
    if (!echo && !changed)
        return why_set(why, ERR_UNAVAILABLE, "the terminal's echo cannot be switched off");
    prompt_tell(a, name, prompt, fallback);
    for (;;) {
        const ssize_t n = read(a->tty, &c, 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || c == INTERRUPT) {
            e = why_code(why, ERR_DENIED, "ask.interrupted", "interrupted");
            break;
        }
        if (c == '\n' || c == '\r')
            break;
        if (changed && (c == ERASE || c == BACKSPACE))      /* the terminal edits visible lines itself */
            last_drop(ret);
        else
            buf_addc(ret, c);
    }
    if (changed) {
        (void)tcsetattr(a->tty, TCSADRAIN, &was);
        tty_write(a->tty, "\n", 1);
    }
    mem_wipe(&c, 1);
    return e;
}

/* The next line of the prepared answers, which must be for name. */
static enum err
prepared_line(struct ask *a, const char *name, struct buf *ret, struct why *why)
{
    while (a->at < a->answers.len) {
        const char *start = (const char *)a->answers.data + a->at;
        struct str rest, line = str_split((struct str){ start, a->answers.len - a->at }, '\n', &rest), key, value;

        a->at += line.n + (rest.p != NULL);
        a->line++;
        line = str_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        key = str_trim(str_split(line, '=', &value));
        if (value.p == NULL)
            return why_set(why, ERR_INPUT, "prepared answers, line %d: no '='", a->line);
        if (!str_eqs(key, name))
            return why_code(why, ERR_CONFLICT, "ask.order", "the script asks %s, the prepared answers have %.*s (line %d)", name,
                            key.n > 64 ? 64 : (int)key.n, key.p, a->line);
        buf_add_str(ret, str_trim(value));
        return OK;
    }
    return why_code(why, ERR_CONFLICT, "ask.order", "the script asks %s, the prepared answers end", name);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

enum err
ask_line(struct ask *a, const char *name, const char *prompt, const char *fallback, struct buf *ret, struct why *why)
{
    AUTO(buf_free) struct buf line = BUF_BOUNDED(LINE_MAX_LEN);
    struct str text;
    enum err e;

    for (;;) {
        buf_reset(&line);
        if (a->tty < 0)
            prompt_tell(a, name, prompt, fallback);
        e = a->tty >= 0 ? tty_line(a, true, name, prompt, fallback, &line, why) : prepared_line(a, name, &line, why);
        if (e != OK)
            return e;
        if (a->tty < 0) {
            ask_tell(a, buf_cstr(&line));
            ask_tell(a, "\n");
        }
        text = str_trim(buf_view(&line));
        if (text.n == 0 && fallback != NULL)
            text = str_of(fallback);
        if (buf_ok(&line) && text_is_clean(text, false) && (text.n > 0 || fallback != NULL))
            break;
        if (a->tty < 0)
            return why_set(why, ERR_INPUT, "%s: empty, too long, or not a line of text", name);
    }
    buf_reset(ret);
    buf_add_str(ret, text);
    return buf_ok(ret) ? OK : why_set(why, ERR_INPUT, "%s: too long", name);
}

static enum err
phrase_once(struct ask *a, const char *name, const char *prompt, struct secret *ret, struct why *why)
{
    AUTO(buf_free) struct buf line = BUF_SECRET(LINE_MAX_LEN);
    enum err e;

    if (a->tty >= 0) {
        e = tty_line(a, false, name, prompt, NULL, &line, why);
    } else {
        prompt_tell(a, name, prompt, NULL);
        e = prepared_line(a, name, &line, why);
        ask_tell(a, "********\n");
    }
    if (e != OK)
        return e;
    if (!buf_ok(&line) || line.len == 0)
        return why_set(why, ERR_INPUT, "%s: empty, or too long", name);
    secret_set(ret, line.data, line.len);
    return OK;
}

enum err
ask_phrase(struct ask *a, const char *name, const char *prompt, const char *again, struct secret *ret, struct why *why)
{
    AUTO(secret_done) struct secret second = SECRET_INIT;
    enum err e;

    if ((e = phrase_once(a, name, prompt, ret, why)) != OK || again == NULL || a->tty < 0)
        return e;
    if ((e = phrase_once(a, name, again, &second, why)) != OK)
        return e;
    if (mem_equal_ct(ret->data, ret->len, second.data, second.len))
        return OK;
    return why_code(why, ERR_INPUT, "ask.differ", "%s: the two are not the same", name);
}

enum err
ask_yes(struct ask *a, const char *name, const char *prompt, bool *ret, struct why *why)
{
    AUTO(buf_free) struct buf line = BUF_BOUNDED(LINE_MAX_LEN);
    enum err e;

    for (;;) {
        struct str word;

        if ((e = ask_line(a, name, prompt, NULL, &line, why)) != OK)
            return e;
        word = buf_view(&line);
        if (str_ieqs(word, "oui") || str_ieqs(word, "yes")) {
            *ret = true;
            return OK;
        }
        if (str_ieqs(word, "non") || str_ieqs(word, "no")) {
            *ret = false;
            return OK;
        }
        if (a->tty < 0)
            return why_set(why, ERR_INPUT, "%s: oui (yes) or non (no)", name);
    }
}

enum err
ask_end(struct ask *a, struct why *why)
{
    AUTO(buf_free) struct buf line = BUF_SECRET(LINE_MAX_LEN);
    struct why left = WHY_INIT;

    if (a->tty >= 0)
        return OK;
    err_ignore(prepared_line(a, "", &line, &left));      /* what it finds, or not, is the answer */
    if (a->at >= a->answers.len && strstr(left.text, "answers end") != NULL)
        return OK;
    return why_code(why, ERR_CONFLICT, "ask.order", "prepared answers are left over (line %d)", a->line);
}
