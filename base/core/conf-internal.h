/* conf-internal: shared by the files of the conf module only. */
#ifndef BASE_CORE_CONF_INTERNAL_H
#define BASE_CORE_CONF_INTERNAL_H

#include "base/core/conf.h"

struct conf_place {
    const char *file;             /* owned by conf_input */
    int line;                     /* 0: the file as a whole */
};

struct conf_value {
    char *text;
    struct conf_place at;
};

struct conf_setting {
    struct conf_value *values;    /* one, but for lists */
    size_t n;                     /* 0: not set */
};

struct conf_input {
    const struct conf_item *items;
    size_t n;
    struct conf_setting *settings;   /* parallel to items */
    char **files;                    /* names of all files read */
    size_t nfiles;
    bool text_only;                  /* no other file is read */
};

enum err conf_wrong(struct why *why, const struct conf_place *at, const char *fmt, ...) MUST_USE PRINTF_LIKE(3, 4);
char *conf_path_from(const char *file, struct str path) MUST_USE;
void *conf_field(void *target, const struct conf_item *item);
/* Converts setting i, or its default, into the target. On failure nothing of that field is left behind. */
MUST_USE enum err conf_convert(const struct conf_input *in, const char *path, size_t i, void *target, struct why *why);

#endif
