/* smtp: hands a built message to the operator's MTA (libcurl). */
#ifndef BASE_MAIL_SMTP_H
#define BASE_MAIL_SMTP_H

#include "base/core/buf.h"

struct smtp_config {
    const char *url;              /* "smtp://127.0.0.1:10025" or "smtps://…" */
    const char *ca_file;          /* NULL: the system's */
    bool starttls;                /* required when set */
    int64_t timeout;              /* microseconds, for the whole conversation; 0: one minute */
};
/* OK: 250 after the data. ERR_UNAVAILABLE: no connection, 4xx, or a refusal of the session itself (greeting, EHLO,
 * STARTTLS, certificate), which is about us and not about this message. ERR_INPUT: 5xx to MAIL, RCPT, DATA or the
 * message, or an address or message that cannot be sent; never retried. why holds the reply code.
 * After ERR_UNAVAILABLE the message may have been taken all the same (the answer was lost): send it again with the
 * same Message-ID. envelope_from "": the null return path. Bare LF become CRLF, a bare CR is ERR_INPUT.
 * Blocks up to the timeout; thread-safe. */
MUST_USE enum err smtp_send(const struct smtp_config *conf, const char *envelope_from, const char *to,
                            struct str message, struct why *why);

#endif
