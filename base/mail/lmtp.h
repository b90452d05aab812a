/*
 * lmtp: the door through which the operator's MTA delivers (RFC 2033), on a Unix socket or loopback TCP.
 * The MTA keeps what we do not take: when we are away or answer 4xx the message waits in its queue.
 */
#ifndef BASE_MAIL_LMTP_H
#define BASE_MAIL_LMTP_H

#include "base/core/buf.h"

struct lmtp_server;

struct lmtp_delivery {
    const char *return_path;      /* "" for null */
    const char *recipient;
    struct str raw;               /* the message as received, LF or CRLF */
};
/* OK → 250, ERR_UNAVAILABLE → 451, ERR_NOT_FOUND → 550 (no such recipient), anything else → 250 and logged: a message
 * that we understood and refuse is not bounced (no backscatter). Called on a worker thread. */
typedef enum err (*lmtp_handler)(const struct lmtp_delivery *d, void *arg, struct why *why);

struct lmtp_config {
    const char *listen;           /* "unix:PATH" or "127.0.0.1:PORT" */
    size_t message_max;           /* bytes; larger → 552 */
    int threads;
    lmtp_handler handler;
    /* RCPT check before DATA; NULL: all accepted. */
    bool (*recipient_known)(const char *recipient, void *arg);
    void *arg;
};
MUST_USE enum err lmtp_start(const struct lmtp_config *conf, struct lmtp_server **ret, struct why *why);
void lmtp_stop(struct lmtp_server *s);

#endif
