/*
 * conf: one table per program; parser, --check-config, sample file and the
 * reference in docs/ all come from it, and a test compares them.
 *
 * File: `name = value` lines, '#' comments, `include FILE`. Unknown, repeated or
 * contradictory settings stop the start with file and line. Relative paths are
 * relative to the file's folder. Secrets are never values, only file names.
 * A value runs to the end of its line; there is no quoting.
 *
 * Texts and paths are never NULL: a setting whose default is "" and that is not
 * set is "". Whether http:// is allowed on loopback is read from the setting
 * "environment" of the same table (demo or test), when it has one.
 */
#ifndef BASE_CORE_CONF_H
#define BASE_CORE_CONF_H

#include "base/core/buf.h"

/* The setting "environment" of each program: a CONF_CHOICE of production|demo|test, in this order. */
enum environment { ENVIRONMENT_PRODUCTION, ENVIRONMENT_DEMO, ENVIRONMENT_TEST };

enum conf_type {
    CONF_TEXT,        /* char * */
    CONF_PATH,        /* char *, made absolute */
    CONF_SECRET_PATH, /* char *, file's owner and mode are checked */
    CONF_URL,         /* char *, absolute https:// (http:// only on loopback in demo and test) */
    CONF_INT,         /* int64_t, range checked */
    CONF_BOOL,        /* bool: yes | no */
    CONF_DURATION,    /* int64_t microseconds: 15d, 24h, 10min, 30s, 500ms; range checked */
    CONF_CHOICE,      /* int: index into choices ("a|b|c") */
    CONF_LIST         /* struct conf_list: repeated setting or comma-separated */
};

struct conf_list {
    char **items;           /* ended by NULL; NULL itself when the list is empty */
    size_t n;
};

struct conf_item {
    const char *name;       /* "mail.in.listen" */
    enum conf_type type;
    size_t offset;          /* in the program's struct */
    const char *fallback;   /* default as it would be written; NULL: compulsory; "": empty allowed */
    const char *range;      /* "min..max" for INT and DURATION, "a|b|c" for CHOICE, else NULL */
    const char *help;       /* one or two sentences */
};

/* Reads path into target (zeroed by the caller). why says file:line and what: ERR_INPUT for what is written there,
 * ERR_NOT_FOUND, ERR_DENIED or ERR_UNAVAILABLE for the file itself. On failure nothing is owned by target. */
MUST_USE enum err conf_load(const char *path, const struct conf_item *items, size_t n, void *target,
                            struct why *why);
/* Appends a whole file of settings to out, whose ceiling is the file's. ERR_NOT_FOUND, ERR_DENIED (that too when everybody
 * may write to it), ERR_UNAVAILABLE; ERR_INPUT: no regular file, or longer than the ceiling. */
MUST_USE enum err conf_read(const char *path, struct buf *out, struct why *why);
/* conf_load() from the text of a file that the caller has read; path stands for it in complaints and for what is relative.
 * "include" is refused: the caller knows one text. ret_lines (may be NULL) gets n line numbers, of each setting's first
 * value, 0 where the default stands: for complaints about several settings together. */
MUST_USE enum err conf_parse(struct str text, const char *path, const struct conf_item *items, size_t n, void *target,
                             int *ret_lines, struct why *why);
void conf_free(const struct conf_item *items, size_t n, void *target);
/* Every setting as a comment with its default; compulsory ones without a value. */
void conf_print_sample(const struct conf_item *items, size_t n, struct buf *out);
void conf_print_reference(const struct conf_item *items, size_t n, struct buf *out);   /* Markdown table */

#endif
