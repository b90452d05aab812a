/*
 * log: one line of JSON per event on stderr (or the journal), for operators.
 *
 * Levels say who must act: info nobody, warning the operator when free, error the
 * operator now, panic us. Text from outside is sanitised and cut. Secrets have no
 * log form: there is no macro that takes one. The request id of the running
 * handler is added to each line of its thread.
 */
#ifndef BASE_CORE_LOG_H
#define BASE_CORE_LOG_H

#include "base/core/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

struct log_field {
    const char *name;
    enum { LOG_F_TEXT, LOG_F_INT, LOG_F_BOOL } kind;
    const char *text;     /* may come from outside */
    int64_t number;
};
#define LF_STR(n, s)  ((struct log_field){ (n), LOG_F_TEXT, (s), 0 })
#define LF_INT(n, i)  ((struct log_field){ (n), LOG_F_INT, NULL, (int64_t)(i) })
#define LF_BOOL(n, b) ((struct log_field){ (n), LOG_F_BOOL, NULL, (b) ? 1 : 0 })
#define LF_WHY(w)     LF_STR("why", (w)->text), LF_STR("code", (w)->code)
#define LF_ERR(e)     LF_STR("err", err_name(e))

void log_start(const char *program, enum log_level least);
void log_to(int fd);                             /* another descriptor than stderr; the caller keeps it open */
void log_request(const char *request_id);        /* this thread's request, NULL when it ends */
void log_fields(enum log_level level, const char *event, const struct log_field *fields, size_t n);

/* LOG_INFO_EV("mail.answered", LF_STR("to_mac", mac), LF_INT("tries", 2)); at least one field. */
#define LOG_AT(level, event, ...)                                                              \
    log_fields((level), (event), (const struct log_field[]){ __VA_ARGS__ },                     \
               sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))
#define LOG_DEBUG_EV(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define LOG_INFO_EV(event, ...)  LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_WARN_EV(event, ...)  LOG_AT(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define LOG_ERROR_EV(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

#endif
