/* print: see print-internal.h. */
#include "pki/operator/print-internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/pg/pg.h"

void
print_object(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    printf("%s\n", text != NULL ? text : "{}");
    free(text);
    json_decref(object);
}

void
print_time(json_t *object, const char *name, utime t)
{
    char text[UTIME_RFC3339_LEN + 1];

    if (t == UTIME_NULL)
        return;
    utime_rfc3339(t, text);
    json_object_set_new(object, name, json_string(text));
}

json_t *
print_texts(const char *const *list, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, json_string(list[i]));
    return array;
}
