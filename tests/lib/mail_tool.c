/*
 * mail_tool: both ends of our mail for tests of a real MTA, made of nothing but base/mail.
 *
 *   mail_tool sink LISTEN DIR [AUTHSERV_ID]   takes mail over LMTP until SIGTERM; each delivery becomes DIR/N.raw and
 *                                             DIR/N.seen (what mail_parse says, one "name value" per line, .seen last).
 *                                             While DIR/away exists it answers as if the database were away, while
 *                                             DIR/gone exists as if there were no such recipient.
 *   mail_tool send URL FROM TO MESSAGE-ID     builds a message (text on standard input) and sends it;
 *                                             exit status 0: taken, 1: later, 2: refused
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/core/clock.h"
#include "base/mail/lmtp.h"
#include "base/mail/message.h"
#include "base/mail/smtp.h"

struct sink {
    const char *dir, *authserv_id;
    pthread_mutex_t mutex;
    int n;
};

static FILE *
create(const struct sink *s, int n, const char *suffix)
{
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%d.%s", s->dir, n, suffix);
    if ((f = fopen(path, "wx")) == NULL)
        panic("cannot write %s", path);
    return f;
}

static bool
told(const struct sink *s, const char *word)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", s->dir, word);
    return access(path, F_OK) == 0;
}

static enum err
take(const struct lmtp_delivery *d, void *arg, struct why *why)
{
    struct sink *s = arg;
    AUTO(arena_freep) struct arena *a = arena_new(64 << 10);
    struct mail_message m;
    FILE *f;
    enum err e;
    int n;

    if (told(s, "away") || told(s, "gone"))
        return why_set(why, told(s, "away") ? ERR_UNAVAILABLE : ERR_NOT_FOUND, "as the test said");
    if ((e = mail_parse(d->raw, d->return_path, s->authserv_id, a, &m, why)) != OK)
        return e;
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    n = ++s->n;
    f = create(s, n, "raw");
    CHECK(fwrite(d->raw.p, 1, d->raw.n, f) == d->raw.n && fclose(f) == 0);
    f = create(s, n, "seen");
    CHECK(fprintf(f, "return_path %s\nrecipient %s\nfrom %s\nsubject %s\nmessage_id %s\nautomatic %d %s\ntoo_large %d\n"
                     "dmarc %d\ntext %s\n",
                  d->return_path, d->recipient, m.from == NULL ? "-" : m.from, m.subject, m.message_id, m.automatic,
                  m.automatic ? m.automatic_why : "", m.too_large, (int)m.dmarc, m.text) > 0);
    CHECK(fclose(f) == 0 && pthread_mutex_unlock(&s->mutex) == 0);
    return OK;
}

static int
sink_run(const char *at, const char *dir, const char *authserv_id)
{
    struct sink s = { .dir = dir, .authserv_id = authserv_id, .mutex = PTHREAD_MUTEX_INITIALIZER };
    const struct lmtp_config conf = { .listen = at, .message_max = (size_t)4 << 20, .threads = 2, .handler = take,
                                      .arg = &s, .unix_mode = 0666 };
    struct lmtp_server *server = NULL;
    struct why why = WHY_INIT;
    sigset_t ends;
    int signal_seen;

    CHECK(sigemptyset(&ends) == 0 && sigaddset(&ends, SIGTERM) == 0 && sigaddset(&ends, SIGINT) == 0 &&
          pthread_sigmask(SIG_BLOCK, &ends, NULL) == 0);
    if (lmtp_start(&conf, &server, &why) != OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    CHECK(sigwait(&ends, &signal_seen) == 0);
    lmtp_stop(server);
    return 0;
}

static int
send_run(const char *url, const char *from, const char *to, const char *message_id)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(64 << 10);
    AUTO(buf_free) struct buf message = BUF_BOUNDED(1 << 20);
    const struct smtp_config conf = { .url = url, .timeout = 20 * USEC_PER_SEC };
    struct mail_draft d = { .from = from, .from_name = "Ville de Valbourg", .to = to, .subject = "Dernière étape",
                            .message_id = message_id, .lang = "fr", .date = clock_now() };
    struct why why = WHY_INIT;
    enum err e;
    int c;

    while ((c = getchar()) != EOF)
        buf_addc(&text, (char)c);
    d.text = buf_cstr(&text);
    if ((e = mail_build(&d, &message, &why)) == OK)
        e = smtp_send(&conf, from, to, buf_view(&message), &why);
    if (e != OK)
        (void)fprintf(stderr, "%s\n", why.text);
    return e == OK ? 0 : e == ERR_UNAVAILABLE ? 1 : 2;
}

int
main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "sink") == 0)
        return sink_run(argv[2], argv[3], argc > 4 ? argv[4] : NULL);
    if (argc == 6 && strcmp(argv[1], "send") == 0)
        return send_run(argv[2], argv[3], argv[4], argv[5]);
    (void)fputs("mail_tool sink LISTEN DIR [AUTHSERV_ID] | mail_tool send URL FROM TO MESSAGE-ID\n", stderr);
    return 64;
}
