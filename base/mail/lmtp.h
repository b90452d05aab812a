/*
 * lmtp: the door through which the operator's MTA delivers (RFC 2033), on a Unix socket or loopback TCP.
 * The MTA keeps what we do not take: when we are away or answer 4xx the message waits in its queue.
 *
 * A delivery may come twice (we said 250, the MTA did not hear it): handlers must be idempotent.
 */
#ifndef BASE_MAIL_LMTP_H
#define BASE_MAIL_LMTP_H

#include <sys/types.h>

#include "base/core/buf.h"

struct lmtp_server;

struct lmtp_delivery {
    const char *return_path;      /* "" for null */
    const char *recipient;
    struct str raw;               /* the message as received, LF or CRLF */
};
/* OK → 250; ERR_UNAVAILABLE and ERR_INTERNAL → 451, the MTA tries again (a fault of ours never loses mail);
 * ERR_NOT_FOUND → 550 (no such recipient); anything else → 250 and logged: a message that we understood and refuse
 * is not bounced (no backscatter). Called on a worker thread, once per recipient. */
typedef enum err (*lmtp_handler)(const struct lmtp_delivery *d, void *arg, struct why *why);

/* --- ceilings ---------------------------------------------------------------------------------------- */
#define LMTP_CONNECTIONS_MAX 200       /* more → 421 */
#define LMTP_RECIPIENTS_MAX  100       /* per message; more → 452 */
#define LMTP_LINE_MAX        2048      /* bytes of a command line with CRLF (RFC 5321 §4.5.3.1.4 asks 512) */
#define LMTP_BAD_MAX         20        /* refused commands per connection, then 421 */
#define LMTP_HELD_MAX        16        /* full-size messages in memory at a time; more → 452 at DATA */

struct lmtp_config {
    const char *listen;           /* "unix:PATH" or "127.0.0.1:PORT" or "[::1]:PORT"; port 0: any. Loopback only */
    size_t message_max;           /* bytes; larger → 552 */
    int threads;                  /* workers that run handlers, 1..64 */
    lmtp_handler handler;
    /* RCPT check before DATA; NULL: all accepted. Called on the server's own thread: must not block. */
    bool (*recipient_known)(const char *recipient, void *arg);
    void *arg;
    int64_t timeout;              /* microseconds without a byte from the peer; 0: five minutes (RFC 5321 §4.5.3.2.7) */
    mode_t unix_mode;             /* of the Unix socket; 0: 0660 */
};
/* Listens and serves on threads of its own. ERR_INPUT: listen is malformed or not loopback. ERR_CONFLICT: somebody
 * else serves there (a socket file left by a dead server is replaced). ERR_UNAVAILABLE: the system refused. */
MUST_USE enum err lmtp_start(const struct lmtp_config *conf, struct lmtp_server **ret, struct why *why);
/* Stops accepting, ends every conversation with 421 after the delivery it is in (a handler that runs is waited for and
 * its reply sent), removes the Unix socket, releases s. NULL is allowed. */
void lmtp_stop(struct lmtp_server *s);
int lmtp_port(const struct lmtp_server *s);    /* TCP port in use, 0 for a Unix socket */

#endif
