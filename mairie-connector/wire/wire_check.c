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

static bool
is_line(struct str s, size_t max)
{
    return s.p != NULL && s.n > 0 && s.n <= 4 * max && text_is_clean(s, false) && text_length(s) <= max &&
           str_trim(s).n == s.n;
}

bool
wire_is_label(struct str s)
{
    return is_line(s, WIRE_LABEL_MAX);
}

bool
wire_is_name(struct str s)
{
    return is_line(s, WIRE_NAME_MAX);
}

bool
wire_is_cert_name(struct str s)
{
    return is_line(s, WIRE_CERT_NAME_MAX);
}

bool
wire_is_address_line(struct str s)
{
    return is_line(s, WIRE_ADDRESS_MAX);
}

bool
wire_is_clerk(struct str s)
{
    return all_of(s, 1, WIRE_CLERK_MAX, URL_SAFE);
}

bool
wire_is_word(struct str s)
{
    return all_of(s, 1, WIRE_WORD_MAX, LOWER "0123456789_") && s.p[0] >= 'a' && s.p[0] <= 'z';
}

bool
wire_is_record(struct str s)
{
    return all_of(s, 1, WIRE_WORD_MAX, URL_SAFE);
}
