/*
 * lmtp_session: the rules of RFC 2033 and RFC 5321, one small function each.
 *
 * Against message smuggling: a command line ends with CRLF and nothing else, a bare CR or LF or a NUL in one ends the
 * conversation; the message ends with CRLF "." CRLF and nothing else, bare CR and LF in it are bytes like others. What
 * the MTA took for one message is therefore one message here.
 */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/mail/lmtp-internal.h"

static void
reply(struct lmtp_session *s, const char *text)
{
    buf_adds(&s->out, text);
    buf_add_lit(&s->out, "\r\n");
    if (!buf_ok(&s->out))
        s->state = LMTP_STATE_END;
}

static void
refuse(struct lmtp_session *s, const char *text)
{
    if (++s->bad > LMTP_BAD_MAX) {
        lmtp_session_dismiss(s, "4.7.0 too many refused commands");
        return;
    }
    reply(s, text);
}

static void
envelope_clear(struct lmtp_session *s)
{
    for (size_t i = 0; i < s->recipient_n; i++)
        mem_freep(&s->recipients[i]);
    s->recipient_n = 0;
    s->return_path[0] = '\0';
    buf_free(&s->data);
    s->data_large = false;
    s->at = DATA_LINE_START;
}

void
lmtp_session_init(struct lmtp_session *s, const struct lmtp_config *conf)
{
    memset(s, 0, sizeof(*s));
    s->conf = conf;
    s->data = (struct buf)BUF_BOUNDED(conf->message_max);
    s->out = (struct buf)BUF_BOUNDED(LMTP_OUT_MAX);
    reply(s, "220 beffroi LMTP ready");
}

void
lmtp_session_done(struct lmtp_session *s)
{
    envelope_clear(s);
    buf_free(&s->out);
}

void
lmtp_session_dismiss(struct lmtp_session *s, const char *text)
{
    char line[128];

    (void)snprintf(line, sizeof(line), "421 %s", text);
    reply(s, line);
    s->state = LMTP_STATE_END;
}

/* --- paths (RFC 5321 §4.1.2) ------------------------------------------------------------------------- */

/* From *p (at '<') takes the address and leaves *p behind '>'. A source route is cut off (§4.1.1.3). */
static bool
path_take(const char **p, char out[LMTP_PATH_MAX + 1])
{
    const char *q = *p;
    bool quoted = false;
    size_t n = 0;

    if (*q++ != '<')
        return false;
    if (*q == '@') {
        if ((q = strchr(q, ':')) == NULL)
            return false;
        q++;
    }
    for (; *q != '\0' && (quoted || *q != '>'); q++) {
        unsigned char c = (unsigned char)*q;

        if (c < 0x20 || c == 0x7f || (!quoted && (c == ' ' || c == '<')) || n + 2 > LMTP_PATH_MAX)
            return false;
        if (c == '"')
            quoted = !quoted;
        if (c == '\\' && quoted && q[1] != '\0')
            out[n++] = *q++;
        out[n++] = *q;
    }
    if (*q != '>')
        return false;
    out[n] = '\0';
    *p = q + 1;
    return true;
}

static bool
parameter_next(const char **p, struct str *ret)
{
    while (**p == ' ')
        (*p)++;
    ret->p = *p;
    while (**p != '\0' && **p != ' ')
        (*p)++;
    ret->n = (size_t)(*p - ret->p);
    return ret->n > 0;
}

/* SIZE= and BODY= are what we announced (RFC 1870, RFC 6152). NULL: good, otherwise the reply. */
static const char *
mail_parameters_check(struct lmtp_session *s, const char *p)
{
    struct str one;

    while (parameter_next(&p, &one)) {
        struct str value = STR_NULL, name = str_split(one, '=', &value);
        int64_t size;

        if (str_ieqs(name, "SIZE")) {
            if (str_to_i64(value, 0, INT64_MAX, &size) != OK)
                return "501 5.5.4 SIZE is a number";
            if ((uint64_t)size > s->conf->message_max)
                return "552 5.3.4 message too large";
        } else if (!str_ieqs(name, "BODY") || !(str_ieqs(value, "7BIT") || str_ieqs(value, "8BITMIME"))) {
            return "555 5.5.4 unknown parameter";
        }
    }
    return NULL;
}

/* --- commands ---------------------------------------------------------------------------------------- */

static void
command_lhlo(struct lmtp_session *s, const char *arg)
{
    char size[40];

    if (*arg == '\0') {
        refuse(s, "501 5.5.4 LHLO needs a name");
        return;
    }
    envelope_clear(s);
    s->state = LMTP_STATE_IDLE;
    (void)snprintf(size, sizeof(size), "250-SIZE %zu", s->conf->message_max);
    reply(s, "250-beffroi");
    reply(s, "250-PIPELINING");
    reply(s, size);
    reply(s, "250-8BITMIME");
    reply(s, "250 ENHANCEDSTATUSCODES");
}

/* After "FROM:" or "TO:"; NULL when the word is not there. Spaces before the path are an old habit of peers. */
static const char *
argument_after(const char *arg, const char *word)
{
    size_t n = strlen(word);

    if (strncasecmp(arg, word, n) != 0)
        return NULL;
    for (arg += n; *arg == ' '; arg++)
        ;
    return arg;
}

static void
command_mail(struct lmtp_session *s, const char *arg)
{
    const char *p = argument_after(arg, "FROM:"), *problem;
    char path[LMTP_PATH_MAX + 1];

    if (s->state == LMTP_STATE_MAIL) {
        refuse(s, "503 5.5.1 MAIL was given already");
        return;
    }
    if (p == NULL || !path_take(&p, path) || (*p != '\0' && *p != ' ')) {
        refuse(s, "501 5.1.7 MAIL FROM:<address>");
        return;
    }
    if ((problem = mail_parameters_check(s, p)) != NULL) {
        refuse(s, problem);
        return;
    }
    memcpy(s->return_path, path, sizeof(path));
    s->state = LMTP_STATE_MAIL;
    reply(s, "250 2.1.0 ok");
}

static void
command_rcpt(struct lmtp_session *s, const char *arg)
{
    const char *p = argument_after(arg, "TO:");
    char path[LMTP_PATH_MAX + 1];

    if (s->state != LMTP_STATE_MAIL) {
        refuse(s, "503 5.5.1 MAIL first");
        return;
    }
    if (p == NULL || !path_take(&p, path) || path[0] == '\0') {
        refuse(s, "501 5.1.3 RCPT TO:<address>");
        return;
    }
    if (*p != '\0') {
        refuse(s, "555 5.5.4 unknown parameter");
        return;
    }
    if (s->recipient_n == LMTP_RECIPIENTS_MAX) {
        reply(s, "452 4.5.3 too many recipients");
        return;
    }
    if (s->conf->recipient_known != NULL && !s->conf->recipient_known(path, s->conf->arg)) {
        reply(s, "550 5.1.1 no such recipient");
        return;
    }
    s->recipients[s->recipient_n++] = mem_strdup(path);
    reply(s, "250 2.1.5 ok");
}

static void
command_data(struct lmtp_session *s, const char *arg)
{
    if (*arg != '\0') {
        refuse(s, "501 5.5.4 DATA takes nothing");
        return;
    }
    /* RFC 2033 §4.2: with no valid recipient DATA must fail with 503. */
    if (s->state != LMTP_STATE_MAIL || s->recipient_n == 0) {
        refuse(s, "503 5.5.1 no valid recipient");
        return;
    }
    if (s->room != NULL && !s->room(s->room_arg)) {
        reply(s, "452 4.3.1 busy, try again");
        return;
    }
    s->state = LMTP_STATE_DATA;
    s->at = DATA_LINE_START;
    reply(s, "354 end with a dot");
}

static void
command_rset(struct lmtp_session *s, const char *arg)
{
    (void)arg;
    envelope_clear(s);
    if (s->state == LMTP_STATE_MAIL)
        s->state = LMTP_STATE_IDLE;
    reply(s, "250 2.0.0 ok");
}

static void
command_noop(struct lmtp_session *s, const char *arg)
{
    (void)arg;
    reply(s, "250 2.0.0 ok");
}

static void
command_vrfy(struct lmtp_session *s, const char *arg)
{
    (void)arg;
    refuse(s, "252 2.5.1 cannot tell, send and see");
}

static void
command_quit(struct lmtp_session *s, const char *arg)
{
    (void)arg;
    reply(s, "221 2.0.0 bye");
    s->state = LMTP_STATE_END;
}

static const struct {
    const char *verb;
    bool needs_lhlo;
    void (*run)(struct lmtp_session *s, const char *arg);
} commands[] = {
    { "LHLO", false, command_lhlo }, { "MAIL", true, command_mail },  { "RCPT", true, command_rcpt },
    { "DATA", true, command_data },  { "RSET", false, command_rset }, { "NOOP", false, command_noop },
    { "VRFY", true, command_vrfy },  { "QUIT", false, command_quit },
};

/* s->line holds one line without its CRLF, NUL-terminated, without NUL, CR or LF inside. */
static void
command_run(struct lmtp_session *s)
{
    const char *arg;
    size_t verb = strcspn(s->line, " ");

    for (arg = s->line + verb; *arg == ' '; arg++)
        ;
    for (size_t n = strlen(s->line); n > verb && s->line[n - 1] == ' '; n--)
        s->line[n - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strlen(commands[i].verb) != verb || strncasecmp(s->line, commands[i].verb, verb) != 0)
            continue;
        if (commands[i].needs_lhlo && s->state == LMTP_STATE_NEW)
            refuse(s, "503 5.5.1 LHLO first");
        else
            commands[i].run(s, arg);
        return;
    }
    /* HELO and EHLO too: RFC 2033 §4.1 forbids to take them. */
    refuse(s, "500 5.5.1 unknown command");
}

static void
line_end(struct lmtp_session *s)
{
    bool too_long = s->line_long;
    size_t n = s->line_len;

    s->line_len = 0;
    s->line_long = false;
    if (too_long) {
        refuse(s, "500 5.5.6 line too long");
        return;
    }
    s->line[n - 1] = '\0';                 /* over the CR */
    if (memchr(s->line, '\0', n - 1) != NULL || memchr(s->line, '\r', n - 1) != NULL)
        lmtp_session_dismiss(s, "5.5.2 bare CR or NUL in a command");
    else
        command_run(s);
}

static void
line_byte(struct lmtp_session *s, char c)
{
    bool after_cr = s->line_len > 0 && s->line[s->line_len - 1] == '\r';

    if (c == '\n') {
        if (after_cr)
            line_end(s);
        else
            lmtp_session_dismiss(s, "5.5.2 bare LF in a command");
        return;
    }
    if (s->line_len == sizeof(s->line)) {
        s->line_long = true;
        s->line_len--;                     /* only the last byte still matters: is it CR? */
    }
    s->line[s->line_len++] = c;
}

/* --- the message ------------------------------------------------------------------------------------- */

static void
data_add(struct lmtp_session *s, const char *p, size_t n)
{
    if (s->data_large)
        return;
    buf_add(&s->data, p, n);
    if (!buf_ok(&s->data)) {
        s->data_large = true;
        buf_free(&s->data);
    }
}

static void
data_end(struct lmtp_session *s)
{
    if (!s->data_large) {
        s->state = LMTP_STATE_DELIVERING;
        return;
    }
    for (size_t i = 0; i < s->recipient_n; i++)
        reply(s, "552 5.3.4 message too large");
    envelope_clear(s);
    s->state = s->state == LMTP_STATE_END ? LMTP_STATE_END : LMTP_STATE_IDLE;
}

/* RFC 5321 §4.5.2: the first dot of a line goes, CRLF "." CRLF ends. */
static void
data_byte(struct lmtp_session *s, char c)
{
    switch (s->at) {
    case DATA_LINE_START:
        if (c == '.') {
            s->at = DATA_DOT;
            return;
        }
        break;
    case DATA_DOT:
        if (c == '\r') {
            s->at = DATA_DOT_CR;
            return;
        }
        break;                             /* dot-stuffed: the dot is gone, c is the first byte of the line */
    case DATA_DOT_CR:
        if (c == '\n') {
            data_end(s);
            return;
        }
        data_add(s, "\r", 1);              /* "." CR and no LF: the dot was stuffing, the CR is a byte of the line */
        break;
    case DATA_CR:
        if (c == '\n') {
            data_add(s, &c, 1);
            s->at = DATA_LINE_START;
            return;
        }
        break;
    case DATA_IN_LINE:
        break;
    }
    data_add(s, &c, 1);
    s->at = c == '\r' ? DATA_CR : DATA_IN_LINE;
}

/* Most bytes stand in the middle of a line: take the run up to the next CR at once. */
static size_t
data_run(struct lmtp_session *s, const char *p, size_t n)
{
    const char *cr;
    size_t run;

    if (s->at != DATA_IN_LINE) {
        data_byte(s, *p);
        return 1;
    }
    cr = memchr(p, '\r', n);
    run = cr == NULL ? n : (size_t)(cr - p);
    if (run > 0)
        data_add(s, p, run);
    else
        data_byte(s, *p);
    return run > 0 ? run : 1;
}

enum lmtp_need
lmtp_session_feed(struct lmtp_session *s, const char *p, size_t n, size_t *ret_eaten)
{
    size_t i = 0;

    while (i < n && s->state != LMTP_STATE_DELIVERING && s->state != LMTP_STATE_END &&
           s->out.len < LMTP_OUT_MAX / 2) {
        if (s->state == LMTP_STATE_DATA)
            i += data_run(s, p + i, n - i);
        else
            line_byte(s, p[i++]);
    }
    *ret_eaten = i;
    if (s->state == LMTP_STATE_END)
        return LMTP_CLOSE;
    return s->state == LMTP_STATE_DELIVERING ? LMTP_DELIVER : LMTP_MORE;
}

/* ERR_* of a handler as the peer hears it: see lmtp_handler. */
static const char *
delivered_reply(enum err e)
{
    switch (e) {
    case OK:
    case ERR_INPUT:
    case ERR_DENIED:
    case ERR_CONFLICT:
        return "250 2.0.0 taken";
    case ERR_NOT_FOUND:
        return "550 5.1.1 no such recipient";
    case ERR_UNAVAILABLE:
    case ERR_INTERNAL:
        return "451 4.3.0 not now, try again";
    }
    panic("lmtp: unknown result %d", (int)e);
}

void
lmtp_session_delivered(struct lmtp_session *s, const enum err *results)
{
    CHECK(s->state == LMTP_STATE_DELIVERING);
    for (size_t i = 0; i < s->recipient_n; i++)
        reply(s, delivered_reply(results[i]));
    envelope_clear(s);
    if (s->state != LMTP_STATE_END)
        s->state = LMTP_STATE_IDLE;
}
