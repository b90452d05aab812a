/*
 * lmtp_session: the conversation of RFC 2033 without sockets and threads, so that a fuzzer can hold it.
 *
 * Bytes in by lmtp_session_feed(), replies out in s->out. When a message is whole the session stops (LMTP_DELIVER):
 * the server runs the handlers and reports by lmtp_session_delivered(); bytes that the peer pipelined behind the
 * message wait meanwhile in the server.
 */
#ifndef BASE_MAIL_LMTP_INTERNAL_H
#define BASE_MAIL_LMTP_INTERNAL_H

#include "base/mail/lmtp.h"

#define LMTP_PATH_MAX 320                  /* bytes of an address: 64 + 1 + 255 (RFC 5321 §4.5.3.1) */
#define LMTP_OUT_MAX  ((size_t)64 << 10)   /* replies that wait for the peer to read them */

enum lmtp_state {
    LMTP_STATE_NEW,               /* greeted, no LHLO yet */
    LMTP_STATE_IDLE,
    LMTP_STATE_MAIL,              /* MAIL accepted, perhaps RCPT too */
    LMTP_STATE_DATA,              /* after 354 */
    LMTP_STATE_DELIVERING,        /* message whole, handlers run */
    LMTP_STATE_END                /* write s->out, then close */
};
enum lmtp_need { LMTP_MORE, LMTP_DELIVER, LMTP_CLOSE };

/* Where the last byte of DATA stands; only CRLF "." CRLF ends the message. */
enum lmtp_data_at { DATA_LINE_START, DATA_IN_LINE, DATA_CR, DATA_DOT, DATA_DOT_CR };

struct lmtp_session {
    const struct lmtp_config *conf;
    bool (*room)(void *arg);      /* may another message be held? NULL: always. Asked at DATA */
    void *room_arg;

    enum lmtp_state state;
    char line[LMTP_LINE_MAX - 1]; /* command line so far, with its CR, without its LF */
    size_t line_len;
    bool line_long;               /* too long: swallowed up to its CRLF */
    int bad;                      /* refused commands */

    char return_path[LMTP_PATH_MAX + 1];
    char *recipients[LMTP_RECIPIENTS_MAX];
    size_t recipient_n;
    struct buf data;              /* dots undone */
    enum lmtp_data_at at;
    bool data_large;              /* above message_max: swallowed, 552 at its end */

    struct buf out;
};

void lmtp_session_init(struct lmtp_session *s, const struct lmtp_config *conf);    /* greets */
void lmtp_session_done(struct lmtp_session *s);
/* Eats up to n bytes, *ret_eaten of them; stops early at LMTP_DELIVER, at LMTP_CLOSE and while s->out is full. */
enum lmtp_need lmtp_session_feed(struct lmtp_session *s, const char *p, size_t n, size_t *ret_eaten);
/* results[i] is what the handler said for recipients[i]. One reply each (RFC 2033 §4.2). */
void lmtp_session_delivered(struct lmtp_session *s, const enum err *results);
/* 421 and the end, for a reason of ours: stop, too many connections, silence. */
void lmtp_session_dismiss(struct lmtp_session *s, const char *text);

#endif
