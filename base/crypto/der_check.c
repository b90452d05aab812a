/*
 * der_check: is a whole value strict DER? See der.h.
 *
 * Three ceilings bound the work: the bytes, which the caller gives, the depth, and that each byte is looked at once for
 * each level it is in.
 *
 * What bites: BIT STRING and OCTET STRING may hold another encoding (a key, an extension); that is for the caller to
 * know and to check in turn.
 */
#include "base/core/civil.h"
#include "base/crypto/der-internal.h"

/* What is wrong, and where; NULL: nothing. */
struct fault {
    const char *rule;
    const char *at;
};

static const char *
integer_fault(struct str s)
{
    if (s.n == 0)
        return "INTEGER without content";
    /* X.690 §8.3.2: the first nine bits are not all the same */
    if (s.n > 1 && ((s.p[0] == '\0' && (s.p[1] & 0x80) == 0) || (s.p[0] == '\xff' && (s.p[1] & 0x80) != 0)))
        return "INTEGER not in its fewest octets";
    return NULL;
}

static const char *
bit_string_fault(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;

    if (s.n == 0 || p[0] > 7 || (s.n == 1 && p[0] != 0))
        return "BIT STRING without a right count of unused bits";
    if ((p[s.n - 1] & ((1u << p[0]) - 1)) != 0 && s.n > 1)
        return "BIT STRING with unused bits that are not zero";       /* §11.2.1 */
    return NULL;
}

bool
der_is_oid(struct str s)
{
    bool starts = true;

    if (s.n == 0 || (s.p[s.n - 1] & 0x80) != 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (starts && s.p[i] == '\x80')
            return false;           /* §8.19.2 */
        starts = (s.p[i] & 0x80) == 0;
    }
    return true;
}

/* GeneralizedTime as §11.7 has it: UTC, seconds, a fraction without zeros at its end; UTCTime: §11.8. */
static const char *
time_fault(unsigned tag, struct str s)
{
    const size_t year = tag == DER_UTC_TIME ? 2 : 4, whole = year + 10;
    int v[5];

    if (s.n < whole + 1 || s.p[s.n - 1] != 'Z')
        return "time that is not in UTC with seconds";
    for (size_t i = 0; i < whole; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return "time with a wrong character";
    if (s.n > whole + 1) {
        if (tag == DER_UTC_TIME || s.p[whole] != '.' || s.n < whole + 3 || s.p[s.n - 2] == '0')
            return "time with a wrong fraction";
        for (size_t i = whole + 1; i < s.n - 1; i++)
            if (s.p[i] < '0' || s.p[i] > '9')
                return "time with a wrong fraction";
    }
    for (size_t i = 0; i < 5; i++)
        v[i] = 10 * (s.p[year + 2 * i] - '0') + (s.p[year + 2 * i + 1] - '0');
    if (v[0] < 1 || v[0] > 12 || v[1] < 1 || v[1] > 31 || v[2] > 23 || v[3] > 59 || v[4] > 59)
        return "time that does not exist";
    return NULL;
}

static bool
all_between(struct str s, unsigned char low, unsigned char high)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < low || (unsigned char)s.p[i] > high)
            return false;
    return true;
}

static bool
is_numeric(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && (s.p[i] < '0' || s.p[i] > '9'))
            return false;
    return true;
}

/* UCS-2: no surrogates. */
static bool
is_bmp(struct str s)
{
    for (size_t i = 0; i < s.n; i += 2)
        if (s.n - i < 2 || ((unsigned char)s.p[i] & 0xf8) == 0xd8)
            return false;
    return true;
}

static bool
is_universal(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;

    for (size_t i = 0; i < s.n; i += 4)
        if (s.n - i < 4 || p[i] != 0 || p[i + 1] > 0x10 || (p[i + 1] == 0 && (p[i + 2] & 0xf8) == 0xd8))
            return false;
    return true;
}

/* A primitive of the universal class. */
static const char *
primitive_fault(unsigned tag, struct str s)
{
    switch (tag) {
    case DER_BOOLEAN:
        return s.n == 1 && (s.p[0] == '\0' || s.p[0] == '\xff') ? NULL : "BOOLEAN that is neither 00 nor FF";
    case DER_INTEGER:
    case DER_ENUMERATED:
        return integer_fault(s);
    case DER_BIT_STRING:
        return bit_string_fault(s);
    case DER_OCTET_STRING:
    case DER_TELETEX_STRING:        /* T.61: shifts and escapes, nothing cheap to say */
        return NULL;
    case DER_NULL:
        return s.n == 0 ? NULL : "NULL with content";
    case DER_OID:
        return der_is_oid(s) ? NULL : "OBJECT IDENTIFIER that is not well formed";
    case DER_UTF8_STRING:
        return der_is_utf8(s) ? NULL : "UTF8String that is not UTF-8";
    case DER_NUMERIC_STRING:
        return is_numeric(s) ? NULL : "NumericString with other characters";
    case DER_PRINTABLE_STRING:
        return der_is_printable(s) ? NULL : "PrintableString with other characters";
    case DER_IA5_STRING:
        return all_between(s, 0x00, 0x7f) ? NULL : "IA5String with other characters";
    case DER_VISIBLE_STRING:
        return all_between(s, 0x20, 0x7e) ? NULL : "VisibleString with other characters";
    case DER_BMP_STRING:
        return is_bmp(s) ? NULL : "BMPString with other characters";
    case DER_UNIVERSAL_STRING:
        return is_universal(s) ? NULL : "UniversalString with other characters";
    case DER_UTC_TIME:
    case DER_GENERALIZED_TIME:
        return time_fault(tag, s);
    default:
        return "type that has no place here, or a SEQUENCE or SET without content inside";
    }
}

static bool
in_order(struct str previous, struct str element)
{
    const int order = memcmp(previous.p, element.p, previous.n < element.n ? previous.n : element.n);

    return order < 0 || (order == 0 && previous.n <= element.n);
}

/* The elements inside one constructed value (tag), or the one value itself (tag 0). */
static struct fault
walk(struct str in, unsigned parent, int depth)
{
    struct str previous = STR_NULL;

    while (in.n > 0) {
        const char *at = in.p;
        struct str content, element;
        unsigned tag;

        if (der_next(&in, &tag, &content) != OK)
            return (struct fault){ "tag or length", at };
        if ((tag & 0x20) == 0) {
            const char *rule = (tag & 0xc0) == 0 ? primitive_fault(tag, content) : NULL;

            if (rule != NULL)
                return (struct fault){ rule, at };
        } else {
            struct fault f;

            if ((tag & 0xc0) == 0 && tag != DER_SEQUENCE && tag != DER_SET)
                return (struct fault){ "constructed form of a type that is primitive", at };       /* §10.2 */
            if (depth >= DER_DEPTH_MAX)
                return (struct fault){ "too many levels", at };
            if ((f = walk(content, tag, depth + 1)).rule != NULL)
                return f;
        }
        element = (struct str){ at, (size_t)(content.p + content.n - at) };
        if (parent == DER_SET && previous.p != NULL && !in_order(previous, element))
            return (struct fault){ "SET OF not in order", at };       /* §11.6, and §10.3: tags ascend */
        previous = element;
    }
    return (struct fault){ NULL, NULL };
}

enum err
der_check(struct str der, size_t max, struct why *why)
{
    struct str in = der, content;
    struct fault f;
    unsigned tag;

    if (der.n > max)
        return why_set(why, ERR_INPUT, "%zu bytes, of which %zu are allowed", der.n, max);
    if (der_next(&in, &tag, &content) != OK || in.n != 0)
        return why_set(why, ERR_INPUT, "not one DER element");
    f = walk(der, 0, 0);
    if (f.rule != NULL)
        return why_set(why, ERR_INPUT, "not DER at offset %zu: %s", (size_t)(f.at - der.p), f.rule);
    return OK;
}
