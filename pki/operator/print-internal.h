/* print-internal: JSON that commands print, one object a line. */
#ifndef PKI_OPERATOR_PRINT_INTERNAL_H
#define PKI_OPERATOR_PRINT_INTERNAL_H

#include <jansson.h>

#include "base/core/clock.h"

/* Prints it and takes it. */
void print_object(json_t *object);
/* Adds a member in RFC 3339; none for UTIME_NULL. */
void print_time(json_t *object, const char *name, utime t);
/* A JSON array of these texts. */
json_t *print_texts(const char *const *list, size_t n);

#endif
