/*
 * fuzz_http_form: what a peer sends besides the framing: query and form, cookies, path, languages, addresses, origins.
 * The first byte chooses the parser.
 */
#include "tests/fuzz/fuzz.h"

#include "base/core/enc.h"
#include "base/core/text.h"
#include "base/http/http-internal.h"

static void
check_text(const char *s)
{
    CHECK(s != NULL && text_is_utf8(str_of(s)));
}

/* What was understood, written again, is understood in the same way. */
static void
check_params_again(struct arena *arena, const struct http_params *p)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(4 << 20);
    struct http_params again;
    struct why why = WHY_INIT;

    for (size_t i = 0; i < p->n; i++) {
        check_text(p->list[i].name);
        check_text(p->list[i].value);
        buf_adds(&out, i > 0 ? "&" : "");
        url_encode(&out, str_of(p->list[i].name));
        buf_addc(&out, '=');
        url_encode(&out, str_of(p->list[i].value));
    }
    CHECK(buf_ok(&out));
    if (http_params_parse(arena, buf_view(&out), &again, &why) != OK) {
        CHECK(strcmp(why.code, "body_too_large") == 0);      /* the arena holds the first already */
        return;
    }
    CHECK(again.n == p->n);
    for (size_t i = 0; i < p->n; i++) {
        CHECK(strcmp(again.list[i].name, p->list[i].name) == 0);
        CHECK(strcmp(again.list[i].value, p->list[i].value) == 0);
    }
}

static void
try_params(struct arena *arena, struct str in)
{
    struct http_params p;
    struct why why = WHY_INIT;

    if (http_params_parse(arena, in, &p, &why) != OK) {
        CHECK(why.code[0] != '\0');
        return;
    }
    CHECK(p.n <= HTTP_PARAMS_MAX);
    check_params_again(arena, &p);
}

static void
try_cookies(struct arena *arena, struct str in)
{
    struct http_params p = { NULL, 0 };

    http_cookies_parse(arena, in, &p);
    http_cookies_parse(arena, in, &p);           /* a second line */
    CHECK(p.n <= HTTP_COOKIES_MAX);
    for (size_t i = 0; i < p.n; i++) {
        CHECK(http_is_token(str_of(p.list[i].name)));
        for (const char *v = p.list[i].value; *v != '\0'; v++)
            CHECK(*v > ' ' && *v < 0x7f && *v != ';' && *v != ',');
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(p.list[i].name, p.list[k].name) != 0);
    }
}

static void
try_path(struct arena *arena, struct str in)
{
    struct http_path p;

    if (http_path_parse(arena, in, &p) != OK)
        return;
    CHECK(p.n >= 1 && p.n <= HTTP_SEGMENTS_MAX);
    for (size_t i = 0; i < p.n; i++)
        CHECK(text_is_utf8(p.seg[i]) && memchr(p.seg[i].p, '\0', p.seg[i].n) == NULL);
}

static void
try_origin(struct arena *arena, struct str in)
{
    char first[280], again[280];

    if (memchr(in.p, '\0', in.n) != NULL || !origin_of(arena_str(arena, in), first, sizeof(first)))
        return;
    CHECK(strpbrk(first, " ;,'\"*@?#\\\t\r\n") == NULL);
    CHECK(origin_of(first, again, sizeof(again)) && strcmp(first, again) == 0);
}

static void
try_address(struct arena *arena, struct str in)
{
    char text[ADDRESS_TEXT];
    struct address a, b;
    struct sockaddr_storage ss;
    socklen_t len;
    struct cidr c;

    if (address_parse(in, &a)) {
        address_text(&a, text);
        CHECK(address_parse(str_of(text), &b) && memcmp(&a, &b, sizeof(a)) == 0);
        (void)address_is_private(&a);
    }
    if (memchr(in.p, '\0', in.n) != NULL)
        return;
    if (cidr_parse(arena_str(arena, in), &c, NULL) == OK)
        CHECK(cidr_has(&c, 1, &c.net));
    err_ignore(listen_parse(arena_str(arena, in), &ss, &len, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena;
    struct str in;

    if (size < 1 || size > 128 * 1024)
        return 0;
    arena = arena_new(1 << 20);
    in = (struct str){ (const char *)data + 1, size - 1 };
    switch (data[0] % 6) {
    case 0:
        try_params(arena, in);
        break;
    case 1:
        try_cookies(arena, in);
        break;
    case 2:
        try_path(arena, in);
        break;
    case 3: {
        const char *lang = http_accept_language(in);
        CHECK(strcmp(lang, "fr") == 0 || strcmp(lang, "en") == 0);
        break;
    }
    case 4:
        try_origin(arena, in);
        break;
    default:
        try_address(arena, in);
        break;
    }
    arena_free(arena);
    return 0;
}
