/*
 * params: the octets of a query, a form, a Cookie header and a path, to names and values.
 *
 * Pure functions of their input (fuzzed as such). What comes out is valid UTF-8 without NUL, in the request's arena;
 * what the peer sizes is taken by arena_try_alloc, so that a full arena is a refusal and not our end.
 */
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/text.h"
#include "base/http/http-internal.h"

bool
http_is_token(struct str s)
{
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
            return false;
    }
    return true;
}

char *
http_try_str(struct arena *arena, struct str s)
{
    char *out = arena_try_alloc(arena, s.n + 1);

    if (out != NULL && s.n > 0)
        memcpy(out, s.p, s.n);
    return out;
}

/* One decoded piece. scratch is kept between calls to save allocations. */
static enum err
decode(struct arena *arena, struct str in, bool plus_is_space, struct buf *scratch, const char **ret, struct why *why)
{
    struct str plain = in;

    if (memchr(in.p, '%', in.n) != NULL || (plus_is_space && memchr(in.p, '+', in.n) != NULL)) {
        buf_reset(scratch);
        if (url_decode(in, plus_is_space, scratch) != OK || !buf_ok(scratch))
            return why_code(why, ERR_INPUT, "parameter_malformed", "bad percent-encoding");
        plain = buf_view(scratch);
    }
    if (plain.n > 0 && (memchr(plain.p, '\0', plain.n) != NULL || !text_is_utf8(plain)))
        return why_code(why, ERR_INPUT, "parameter_malformed", "not UTF-8, or NUL");
    *ret = http_try_str(arena, plain);
    if (*ret == NULL)
        return why_code(why, ERR_INPUT, "body_too_large", "request memory is full");
    return OK;
}

bool
http_may_repeat(const char *name)
{
    size_t n = strlen(name);

    return n > 2 && name[n - 2] == '[' && name[n - 1] == ']';
}

enum err
http_params_parse(struct arena *arena, struct str in, struct http_params *ret, struct why *why)
{
    AUTO(buf_free) struct buf scratch = { NULL, 0, 0, in.n, false, true };
    struct http_params out = { NULL, 0 };
    size_t pieces = 1;
    struct str rest = in;
    enum err e;

    if (in.n == 0) {
        *ret = out;
        return OK;
    }
    for (size_t i = 0; i < in.n; i++)
        pieces += in.p[i] == '&';
    if (pieces > HTTP_PARAMS_MAX)
        return why_code(why, ERR_INPUT, "parameters_too_many", "%zu parameters", pieces);
    out.list = arena_try_alloc(arena, pieces * sizeof(*out.list));
    if (out.list == NULL)
        return why_code(why, ERR_INPUT, "body_too_large", "request memory is full");

    while (rest.p != NULL) {
        struct str value, piece = str_split(rest, '&', &rest), name = str_split(piece, '=', &value);
        struct http_param *p = &out.list[out.n];

        if (piece.n == 0)
            continue;
        if (value.p == NULL)
            value = (struct str){ "", 0 };
        if ((e = decode(arena, name, true, &scratch, &p->name, why)) != OK ||
            (e = decode(arena, value, true, &scratch, &p->value, why)) != OK)
            return e;
        if (strlen(p->name) > HTTP_PARAM_NAME_MAX)
            return why_code(why, ERR_INPUT, "parameter_malformed", "parameter name of %zu bytes", strlen(p->name));
        /* RFC 6749 §3.1: "Request and response parameters MUST NOT be included more than once." */
        if (!http_may_repeat(p->name) && http_params_get(&out, p->name) != NULL)
            return why_code(why, ERR_INPUT, "parameter_repeated", "parameter repeated");
        out.n++;
    }
    *ret = out;
    return OK;
}

const char *
http_params_get(const struct http_params *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->list[i].name, name) == 0)
            return p->list[i].value;
    return NULL;
}

static bool
is_cookie_value(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\')
            return false;
    }
    return true;
}

/* The place for one more cookie. A host beside ours may set as many as it likes for the domain above both, and they may
 * come first; of those with the prefix it can set none (RFC 6265bis §4.1.3.2), so they are never without a place. */
static struct http_param *
cookie_place(struct http_params *cookies, const char *name)
{
    bool host = strncmp(name, "__Host-", 7) == 0;

    if (cookies->n < HTTP_COOKIES_MAX)
        return &cookies->list[cookies->n++];
    for (size_t i = cookies->n; host && i-- > 0;)
        if (strncmp(cookies->list[i].name, "__Host-", 7) != 0)
            return &cookies->list[i];
    return NULL;
}

void
http_cookies_parse(struct arena *arena, struct str header, struct http_params *cookies)
{
    struct str rest = header;

    if (cookies->list == NULL)
        cookies->list = arena_alloc(arena, HTTP_COOKIES_MAX * sizeof(*cookies->list));
    while (rest.p != NULL) {
        struct str value, pair = str_trim(str_split(rest, ';', &rest)), name = str_split(pair, '=', &value);
        struct http_param *p;
        char *n, *v;

        if (value.p == NULL)
            continue;
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = (struct str){ value.p + 1, value.n - 2 };
        if (!http_is_token(name) || name.n > HTTP_PARAM_NAME_MAX || !is_cookie_value(value))
            continue;
        n = http_try_str(arena, name);
        v = http_try_str(arena, value);
        if (n == NULL || v == NULL)
            return;
        if (http_params_get(cookies, n) != NULL || (p = cookie_place(cookies, n)) == NULL)
            continue;
        p->name = n;
        p->value = v;
    }
}

enum err
http_path_parse(struct arena *arena, struct str path, struct http_path *ret)
{
    AUTO(buf_free) struct buf scratch = BUF_BOUNDED(path.n);
    struct http_path out = { 0, { STR_NULL } };
    struct str rest;

    if (path.n == 0 || path.p[0] != '/')
        return ERR_INPUT;
    rest = (struct str){ path.p + 1, path.n - 1 };
    while (rest.p != NULL) {
        struct str seg = str_split(rest, '/', &rest);
        const char *text;

        if (out.n == HTTP_SEGMENTS_MAX)
            return ERR_NOT_FOUND;
        if (decode(arena, seg, false, &scratch, &text, NULL) != OK)
            return ERR_INPUT;
        out.seg[out.n++] = str_of(text);
    }
    *ret = out;
    return OK;
}

/* "0.8" in thousandths; RFC 9110 §12.4.2. Anything else counts as 0. */
static int
quality(struct str q)
{
    int value = 0, unit = 100;

    q = str_trim(q);
    if (q.n == 0 || q.n > 5 || (q.p[0] != '0' && q.p[0] != '1') || (q.n > 1 && q.p[1] != '.'))
        return 0;
    value = (q.p[0] - '0') * 1000;
    for (size_t i = 2; i < q.n; i++, unit /= 10) {
        if (q.p[i] < '0' || q.p[i] > '9')
            return 0;
        value += (q.p[i] - '0') * unit;
    }
    return value > 1000 ? 1000 : value;
}

const char *
http_accept_language(struct str header)
{
    int best = 0;
    const char *lang = "fr";
    struct str rest = header;

    for (int n = 0; rest.p != NULL && n < 32; n++) {
        struct str params, item = str_trim(str_split(rest, ',', &rest)), tag = str_trim(str_split(item, ';', &params));
        int q = 1000;

        if (params.p != NULL) {
            params = str_trim(params);
            q = params.n > 2 && (params.p[0] == 'q' || params.p[0] == 'Q') && params.p[1] == '='
                    ? quality((struct str){ params.p + 2, params.n - 2 })
                    : 0;
        }
        if (tag.n < 2 || (tag.n > 2 && tag.p[2] != '-') || q <= best)
            continue;
        tag.n = 2;
        if (str_ieqs(tag, "fr"))
            lang = "fr";
        else if (str_ieqs(tag, "en"))
            lang = "en";
        else
            continue;
        best = q;
    }
    return lang;
}
