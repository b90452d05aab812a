/*
 * multipart: a form with files (multipart/form-data, RFC 7578) to fields and files.
 *
 * A pure function of the whole body, which its route has bounded before a byte of it was kept (fuzzed as such). What browsers send is
 * taken (HTML, "multipart/form-data encoding algorithm") and nothing that two readers could read otherwise: the body begins with
 * the boundary and ends behind the last one; lines end with CRLF; each part has one Content-Disposition, whose name is first and
 * plain; no transfer encoding (RFC 7578 §4.7), no nested multipart (§4.3), no filename* (§4.2). Other headers of a part are ignored
 * (§4.8), a file's name and type too: whoever sends it chooses them.
 *
 * libmicrohttpd's MHD_PostProcessor does not serve here: it wants a live connection (so it cannot be fuzzed alone), lets a preamble,
 * encodings and nested parts through, and does not tell a body that ends early from one that is whole.
 */
#include "base/core/text.h"
#include "base/http/http-internal.h"

#define BOUNDARY_MAX 70                      /* RFC 2046 §5.1.1 */
#define PART_HEADERS_MAX 2048
#define PART_LINES_MAX 8

static enum err
malformed(struct why *why, const char *what)
{
    return why_code(why, ERR_INPUT, "parameter_malformed", "multipart: %s", what);
}

static bool
is_boundary(struct str s)
{
    if (s.n == 0 || s.n > BOUNDARY_MAX || s.p[s.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= 'a' && s.p[i] <= 'z') ||
              (s.p[i] != '\0' && strchr("'()+_,-./:=? ", s.p[i]) != NULL)))
            return false;
    return true;
}

bool
multipart_boundary(const char *content_type, struct str *ret)
{
    struct str params, value, name, type = str_trim(str_split(str_of(content_type), ';', &params));

    if (!str_ieqs(type, "multipart/form-data") || params.p == NULL)
        return false;
    name = str_trim(str_split(params, '=', &value));
    if (!str_ieqs(name, "boundary") || value.p == NULL)
        return false;
    value = str_trim(value);
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
        value = (struct str){ value.p + 1, value.n - 2 };
    if (!is_boundary(value))
        return false;
    *ret = value;
    return true;
}

/* What stands before the next mark; *rest is behind it. false: there is none. */
static bool
until(struct str *rest, struct str mark, struct str *ret)
{
    const char *at = rest->n == 0 ? NULL : memmem(rest->p, rest->n, mark.p, mark.n);

    if (at == NULL)
        return false;
    *ret = (struct str){ rest->p, (size_t)(at - rest->p) };
    *rest = (struct str){ at + mark.n, rest->n - ret->n - mark.n };
    return true;
}

static bool
take(struct str *rest, const char *word)
{
    size_t n = strlen(word);

    if (rest->n < n || memcmp(rest->p, word, n) != 0)
        return false;
    *rest = (struct str){ rest->p + n, rest->n - n };
    return true;
}

struct part {
    struct str name;
    bool disposed, is_file, typed;
};

/* form-data; name="a" [; filename="…"]. The file's name is thrown away: whatever is in it, quotes too, ends with the line. */
static enum err
disposition_read(struct str value, struct part *p, struct why *why)
{
    struct str kind = str_trim(str_split(value, ';', &value)), name;

    if (p->disposed || !str_ieqs(kind, "form-data") || value.p == NULL)
        return malformed(why, "a part is no form-data, or two");
    value = str_trim(value);
    if (!take(&value, "name=\"") || !until(&value, STR_LIT("\""), &name) || name.n == 0 || name.n > HTTP_PARAM_NAME_MAX ||
        memchr(name.p, '\\', name.n) != NULL || memchr(name.p, '\0', name.n) != NULL || !text_is_utf8(name))
        return malformed(why, "a part without a plain name");
    p->name = name;
    p->disposed = true;
    if (value.n == 0)
        return OK;
    if (!take(&value, ";"))
        return malformed(why, "a name goes on behind its end");
    value = str_trim(value);
    if (!take(&value, "filename=\"") || value.n == 0 || value.p[value.n - 1] != '"')
        return malformed(why, "a part has another parameter than name and filename");
    p->is_file = true;
    return OK;
}

static enum err
header_read(struct str line, struct part *p, struct why *why)
{
    struct str value, name = str_split(line, ':', &value);

    if (!http_is_token(name) || value.p == NULL || memchr(line.p, '\0', line.n) != NULL || memchr(line.p, '\r', line.n) != NULL ||
        memchr(line.p, '\n', line.n) != NULL)
        return malformed(why, "a header of a part");
    value = str_trim(value);
    if (str_ieqs(name, "Content-Disposition"))
        return disposition_read(value, p, why);
    if (str_ieqs(name, "Content-Transfer-Encoding"))
        return malformed(why, "a part is encoded");
    if (str_ieqs(name, "Content-Type")) {
        if (p->typed || (value.n >= 10 && str_ieqs((struct str){ value.p, 10 }, "multipart/")))
            return malformed(why, "a part has two types, or parts");
        p->typed = true;
    }
    return OK;
}

/* The headers of a part; *rest begins at its content. */
static enum err
headers_read(struct str *rest, struct part *p, struct why *why)
{
    const char *start = rest->p;
    struct str line;
    enum err e;

    *p = (struct part){ .name = STR_NULL };
    for (size_t n = 0; n <= PART_LINES_MAX; n++) {
        if (!until(rest, STR_LIT("\r\n"), &line) || (size_t)(rest->p - start) > PART_HEADERS_MAX)
            return malformed(why, "headers of a part that are cut, or long");
        if (line.n == 0)
            return p->disposed ? OK : malformed(why, "a part without Content-Disposition");
        if ((e = header_read(line, p, why)) != OK)
            return e;
    }
    return malformed(why, "a part with many headers");
}

static enum err
part_add(struct arena *arena, const struct part *p, struct str content, struct http_upload *u, struct why *why)
{
    const char *name = http_try_str(arena, p->name), *value;
    bool field;

    if (name == NULL)
        return why_code(why, ERR_INPUT, "body_too_large", "request memory is full");
    /* A name is a field or a file: who asks for one never gets the other. */
    field = http_params_get(&u->fields, name) != NULL;
    if (http_files_find(u, name) != NULL || (field && (p->is_file || !http_may_repeat(name))))
        return why_code(why, ERR_INPUT, "parameter_repeated", "parameter repeated");
    if (p->is_file) {
        u->files[u->nfiles++] = (struct http_file){ name, content };
        return OK;
    }
    if ((content.n > 0 && memchr(content.p, '\0', content.n) != NULL) || !text_is_utf8(content))
        return malformed(why, "a field is not UTF-8, or has NUL");
    if ((value = http_try_str(arena, content)) == NULL)
        return why_code(why, ERR_INPUT, "body_too_large", "request memory is full");
    u->fields.list[u->fields.n++] = (struct http_param){ name, value };
    return OK;
}

const struct http_file *
http_files_find(const struct http_upload *u, const char *name)
{
    for (size_t i = 0; i < u->nfiles; i++)
        if (strcmp(u->files[i].name, name) == 0)
            return &u->files[i];
    return NULL;
}

enum err
multipart_parse(struct arena *arena, struct str boundary, struct str body, struct http_upload *ret, struct why *why)
{
    char text[BOUNDARY_MAX + 5];
    struct str mark = { text, boundary.n + 4 }, rest = body, content;
    struct http_upload out = { .nfiles = 0 };
    struct part p;
    enum err e;

    CHECK(is_boundary(boundary));
    memcpy(text, "\r\n--", 4);
    memcpy(text + 4, boundary.p, boundary.n);
    text[mark.n] = '\0';
    out.fields.list = arena_try_alloc(arena, HTTP_PARAMS_MAX * sizeof(*out.fields.list));
    out.files = arena_try_alloc(arena, HTTP_FILES_MAX * sizeof(*out.files));
    if (out.fields.list == NULL || out.files == NULL)
        return why_code(why, ERR_INPUT, "body_too_large", "request memory is full");
    /* The first boundary has no line before it: a form without fields is its end alone. */
    if (!take(&rest, text + 2))
        return malformed(why, "it does not begin with the boundary");
    while (!take(&rest, "--")) {
        if (!take(&rest, "\r\n"))
            return malformed(why, "a boundary goes on behind its end");
        if (out.fields.n == HTTP_PARAMS_MAX || out.nfiles == HTTP_FILES_MAX)
            return why_code(why, ERR_INPUT, "parameters_too_many", "many parts");
        if ((e = headers_read(&rest, &p, why)) != OK)
            return e;
        if (!until(&rest, mark, &content))
            return malformed(why, "a part without an end");
        if ((e = part_add(arena, &p, content, &out, why)) != OK)
            return e;
    }
    (void)take(&rest, "\r\n");
    if (rest.n > 0)
        return malformed(why, "something follows the last boundary");
    *ret = out;
    return OK;
}
