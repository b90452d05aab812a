/*
 * fuzz_http_multipart: a form with files as it comes: the first line is the Content-Type, the rest the body. What was understood,
 * written again, is understood in the same way.
 */
#include "tests/fuzz/fuzz.h"

#include "base/core/text.h"
#include "base/http/http-internal.h"

static bool
inside(struct str part, struct str whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void
part_add(struct buf *out, struct str boundary, const char *name, bool file, struct str content)
{
    buf_addf(out, "--%.*s\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n", (int)boundary.n, boundary.p, name,
             file ? "; filename=\"x\"" : "");
    buf_add_str(out, content);
    buf_add_lit(out, "\r\n");
}

static void
check_again(struct arena *arena, struct str boundary, const struct http_upload *u)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    struct http_upload again;
    struct why why = WHY_INIT;

    for (size_t i = 0; i < u->fields.n; i++)
        part_add(&out, boundary, u->fields.list[i].name, false, str_of(u->fields.list[i].value));
    for (size_t i = 0; i < u->nfiles; i++)
        part_add(&out, boundary, u->files[i].name, true, u->files[i].content);
    buf_addf(&out, "--%.*s--\r\n", (int)boundary.n, boundary.p);
    CHECK(buf_ok(&out));
    if (multipart_parse(arena, boundary, buf_view(&out), &again, &why) != OK) {
        CHECK(strcmp(why.code, "body_too_large") == 0);      /* the arena holds the first already */
        return;
    }
    CHECK(again.fields.n == u->fields.n && again.nfiles == u->nfiles);
    for (size_t i = 0; i < u->fields.n; i++)
        CHECK(strcmp(again.fields.list[i].value, u->fields.list[i].value) == 0);
    for (size_t i = 0; i < u->nfiles; i++)
        CHECK(str_eq(again.files[i].content, u->files[i].content));
}

static void
try_body(struct arena *arena, struct str boundary, struct str body)
{
    struct http_upload u;
    struct why why = WHY_INIT;

    if (multipart_parse(arena, boundary, body, &u, &why) != OK) {
        CHECK(why.code[0] != '\0');
        return;
    }
    CHECK(u.fields.n <= HTTP_PARAMS_MAX && u.nfiles <= HTTP_FILES_MAX);
    for (size_t i = 0; i < u.fields.n; i++)
        CHECK(text_is_utf8(str_of(u.fields.list[i].name)) && text_is_utf8(str_of(u.fields.list[i].value)));
    for (size_t i = 0; i < u.nfiles; i++) {
        CHECK(inside(u.files[i].content, body));
        CHECK(http_files_find(&u, u.files[i].name) == &u.files[i]);
        CHECK(http_params_get(&u.fields, u.files[i].name) == NULL);
    }
    check_again(arena, boundary, &u);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body, boundary, line = str_split((struct str){ (const char *)data, size }, '\n', &body);
    struct arena *arena;

    if (size < 1 || size > 128 * 1024 || body.p == NULL)
        return 0;
    arena = arena_new(1 << 20);
    if (multipart_boundary(arena_str(arena, line), &boundary))
        try_body(arena, boundary, body);
    arena_free(arena);
    return 0;
}
