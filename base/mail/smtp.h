/* smtp: hands a built message to the operator's MTA (libcurl). */
#ifndef BASE_MAIL_SMTP_H
#define BASE_MAIL_SMTP_H

#include "base/core/buf.h"

struct smtp_config {
    const char *url;              /* "smtp://127.0.0.1:10025" or "smtps://…" */
    const char *ca_file;          /* NULL: the system's */
    bool starttls;                /* required when set */
    int64_t timeout;              /* microseconds */
};
/* OK: 250 after the data. ERR_UNAVAILABLE: no connection or 4xx. ERR_INPUT: 5xx, never retried. */
MUST_USE enum err smtp_send(const struct smtp_config *conf, const char *envelope_from, const char *to,
                            struct str message, struct why *why);

#endif
