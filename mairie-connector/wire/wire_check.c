/* wire_check: the forms of names that cross the door. */
#include "mairie-connector/wire/wire.h"

#include "base/core/text.h"

static bool
all_of(struct str s, size_t min, size_t max, const char *set)
{
    if (s.p == NULL || s.n < min || s.n > max)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\0' || strchr(set, s.p[i]) == NULL)
            return false;
    }
    return true;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define URL_SAFE LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

bool
wire_is_handle(struct str s)
{
    return all_of(s, WIRE_HANDLE_MIN, WIRE_HANDLE_MAX, URL_SAFE);
}

bool
wire_is_key(struct str s)
{
    return all_of(s, WIRE_KEY_MIN, WIRE_KEY_MAX, URL_SAFE);
}

bool
wire_is_authz_code(struct str s)
{
    return all_of(s, 1, WIRE_AUTHZ_CODE_MAX, LOWER "0123456789_") && s.p[0] >= 'a' && s.p[0] <= 'z';
}

bool
wire_is_label(struct str s)
{
    return s.p != NULL && s.n > 0 && s.n <= 4 * WIRE_LABEL_MAX && text_is_clean(s, false) &&
           text_length(s) <= WIRE_LABEL_MAX && str_trim(s).n == s.n;
}
