/*
 * smtp: one message, one recipient, one conversation (RFC 5321), libcurl behind this fence.
 *
 * Who is refused decides whether a repeat can help: a 5xx to the message or its addresses is final, anything about the
 * session (greeting, EHLO, TLS, no answer) is the operator's to mend and the message waits. libcurl tells the two
 * apart only by where it stopped, so the reading of the message body is noted.
 */
#include <pthread.h>
#include <stdio.h>

#include <curl/curl.h>

#include "base/core/clock.h"
#include "base/core/text.h"

#include "base/mail/smtp.h"

#define SMTP_MESSAGE_MAX ((size_t)32 << 20)
#define SMTP_TIMEOUT     (60 * USEC_PER_SEC)

static void
easy_cleanup(CURL **c)
{
    if (*c != NULL)
        curl_easy_cleanup(*c);
    *c = NULL;
}

static void
slist_free(struct curl_slist **l)
{
    curl_slist_free_all(*l);
    *l = NULL;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode started;

static void
curl_start(void)
{
    started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct body {
    struct str left;              /* not yet handed over */
    bool begun;                   /* the peer has answered 354 */
};

static size_t
body_read(char *out, size_t size, size_t n, void *arg)
{
    struct body *b = arg;
    size_t room = size * n, part = b->left.n < room ? b->left.n : room;

    b->begun = true;
    if (part > 0)
        memcpy(out, b->left.p, part);
    b->left = (struct str){ b->left.p + part, b->left.n - part };
    return part;
}

/* CRLF everywhere: what a relay makes of a bare CR or LF decides where a message ends. */
static enum err
lines_normalise(struct str message, struct buf *out, struct why *why)
{
    size_t from = 0;

    for (size_t i = 0; i < message.n; i++) {
        if (message.p[i] == '\0' || (message.p[i] == '\r' && (i + 1 == message.n || message.p[i + 1] != '\n')))
            return why_code(why, ERR_INPUT, "smtp.message", "a bare CR or a NUL in the message");
        if (message.p[i] == '\n' && (i == 0 || message.p[i - 1] != '\r')) {
            buf_add(out, message.p + from, i - from);
            buf_add_lit(out, "\r\n");
            from = i + 1;
        }
    }
    buf_add(out, message.p + from, message.n - from);
    if (!buf_ok(out) || out->len == 0)
        return why_code(why, ERR_INPUT, "smtp.message", "the message is empty or too large");
    return OK;
}

static CURLcode
options_set(CURL *c, const struct smtp_config *conf, const char *from, struct curl_slist *to, struct body *body,
            char error[CURL_ERROR_SIZE])
{
    int64_t timeout = conf->timeout > 0 ? conf->timeout : SMTP_TIMEOUT;
    long ms = (long)((timeout + 999) / 1000);
    CURLcode rc;

    if ((rc = curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error)) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_URL, conf->url)) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps")) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_PROXY, "")) != CURLE_OK ||   /* none from the environment either */
        (rc = curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L)) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ms)) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_SERVER_RESPONSE_TIMEOUT, (ms + 999) / 1000)) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_USE_SSL, (long)(conf->starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE))) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_MAIL_FROM, from)) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_MAIL_RCPT, to)) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_UPLOAD, 1L)) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body->left.n)) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_READFUNCTION, body_read)) != CURLE_OK ||
        (rc = curl_easy_setopt(c, CURLOPT_READDATA, body)) != CURLE_OK)
        return rc;
    return conf->ca_file == NULL ? CURLE_OK : curl_easy_setopt(c, CURLOPT_CAINFO, conf->ca_file);
}

/* What rc and the last reply mean for the message. */
static enum err
outcome(CURL *c, CURLcode rc, const struct body *body, const char *error, struct why *why)
{
    long reply = 0;

    if (rc == CURLE_OK)
        return OK;
    if (curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &reply) != CURLE_OK)
        reply = 0;
    /* CURLE_SEND_ERROR: MAIL, RCPT or DATA refused. After 354 libcurl has one code for all. */
    if (reply >= 500 && reply <= 599 && (rc == CURLE_SEND_ERROR || body->begun))
        return why_code(why, ERR_INPUT, "smtp.refused", "the MTA refused with %ld: %s", reply,
                        error[0] != '\0' ? error : curl_easy_strerror(rc));
    return why_code(why, ERR_UNAVAILABLE, "smtp.unavailable", "the MTA did not take it (reply %ld): %s", reply,
                    error[0] != '\0' ? error : curl_easy_strerror(rc));
}

enum err
smtp_send(const struct smtp_config *conf, const char *envelope_from, const char *to, struct str message,
          struct why *why)
{
    AUTO(buf_free) struct buf lines = BUF_BOUNDED(SMTP_MESSAGE_MAX);
    AUTO(slist_free) struct curl_slist *rcpt = NULL;
    AUTO(easy_cleanup) CURL *c = NULL;
    char error[CURL_ERROR_SIZE] = "";
    struct body body = { STR_NULL, false };
    CURLcode rc;
    enum err e;

    CHECK(pthread_once(&once, curl_start) == 0);
    if (!text_is_email(str_of(to)) || (envelope_from[0] != '\0' && !text_is_email(str_of(envelope_from))))
        return why_code(why, ERR_INPUT, "smtp.address", "sender or recipient is not an address");
    if ((e = lines_normalise(message, &lines, why)) != OK)
        return e;
    body.left = buf_view(&lines);
    if (started != CURLE_OK || (c = curl_easy_init()) == NULL || (rcpt = curl_slist_append(NULL, to)) == NULL)
        return why_set(why, ERR_INTERNAL, "libcurl does not start");
    if ((rc = options_set(c, conf, envelope_from, rcpt, &body, error)) != CURLE_OK)
        return why_set(why, ERR_INTERNAL, "smtp configuration: %s", curl_easy_strerror(rc));
    rc = curl_easy_perform(c);
    return outcome(c, rc, &body, error, why);
}
