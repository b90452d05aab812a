/* lmtp_listen: the listening socket of lmtp, opened and removed. */
#ifndef BASE_MAIL_LMTP_LISTEN_H
#define BASE_MAIL_LMTP_LISTEN_H

#include <sys/types.h>

#include "base/core/buf.h"

struct lmtp_listener {
    int fd;                       /* -1: closed */
    int port;                     /* TCP; 0 for Unix */
    char *path;                   /* Unix; else NULL */
    dev_t dev;                    /* of path, so that only our own file is removed */
    ino_t ino;
};
/* See lmtp_start for the form of listen_at and the results. */
MUST_USE enum err lmtp_listener_open(const char *listen_at, mode_t unix_mode, struct lmtp_listener *ret,
                                     struct why *why);
void lmtp_listener_close(struct lmtp_listener *l);
void lmtp_fd_close(int *fd);      /* for AUTO; -1 is allowed */

#endif
