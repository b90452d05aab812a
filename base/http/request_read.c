/*
 * request_read: headers and body of a request to typed fields; every rule that holds before a handler runs.
 *
 * Framing is checked again here (RFC 9112 §6.3, §11.2), because MHD 0.9.75 takes the first of several Content-Length,
 * silently prefers Transfer-Encoding, keeps names with trailing spaces ("Content-Length : 5"), glues a folded line to
 * the header before it, ends lines at a lone LF, and ends lines and header sections at a NUL. A front
 * that reads such a section otherwise would see another request than we do. MHD parses in place, so names and values
 * lie in its buffer where they came: between two of them there must be CRLF and nothing else. Its stricter mode is not used: the refusals it adds (no Host, spaces
 * in the target) leave with the header section sent twice, so they are made here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/core/text.h"
#include "base/http/request-internal.h"

/* Of these one is all a request may have. */
static const char *const singles[] = {
    "Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Authorization", "Origin", "Sec-Fetch-Site",
};
enum { SINGLE_HOST, SINGLE_LENGTH, SINGLE_CODING };

struct head {
    struct http_request *req;
    size_t lines, bytes;
    const char *next;                     /* where the next name must begin, in MHD's buffer */
    int seen[ARRAY_LEN(singles)];
    struct str coding, length;
    struct buf *forwarded;                /* X-Forwarded-For lines joined: HAProxy adds a line, others append */
    bool bad;
};

/* RFC 9110 §5.5: no control characters but the tab; a lone CR is among what another reader could take for a line's end. */
static bool
is_field_value(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
            return false;
    return true;
}

/* Between a name and its value: the colon, which MHD has overwritten, then blanks. */
static bool
is_colon(const char *p, const char *value)
{
    if ((uintptr_t)p >= (uintptr_t)value)
        return false;
    for (p++; p < value; p++)
        if (*p != ' ' && *p != '\t')
            return false;
    return true;
}

static enum MHD_Result
on_header(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_size, const char *value, size_t value_size)
{
    struct head *h = cls;
    struct str name = { key, key_size }, val = { value, value == NULL ? 0 : value_size };

    (void)kind;
    h->lines++;
    h->bytes += name.n + val.n + 3;
    if (key != h->next || val.p == NULL || !is_colon(key + name.n, val.p))
        h->bad = true;
    h->next = val.p == NULL ? NULL : val.p + val.n + 2;
    if (!http_is_token(name) || !is_field_value(val)) {
        h->bad = true;
        return MHD_YES;
    }
    for (size_t i = 0; i < ARRAY_LEN(singles); i++)
        if (str_ieqs(name, singles[i]) && ++h->seen[i] > 1)
            h->bad = true;
    if (str_ieqs(name, singles[SINGLE_LENGTH]))
        h->length = val;
    else if (str_ieqs(name, singles[SINGLE_CODING]))
        h->coding = val;
    else if (str_ieqs(name, "Cookie"))
        http_cookies_parse(h->req->arena, val, &h->req->cookies);
    else if (h->req->conn->trusted_proxy && str_ieqs(name, "X-Forwarded-For")) {
        buf_add_str(h->forwarded, val);
        buf_addc(h->forwarded, ',');
    }
    return MHD_YES;
}

/* Does the section end where we think it does: behind the empty line after the last value? */
static bool
ends_elsewhere(const struct http_request *req, const struct head *h, const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    return info == NULL || h->next == NULL || (size_t)(h->next + 2 - method) != info->header_size;
}

static void
read_framing(struct http_request *req, struct head *h, const char *method, const char *version)
{
    bool coded = h->seen[SINGLE_CODING] > 0, sized = h->seen[SINGLE_LENGTH] > 0;
    int64_t length = 0;

    if (h->bytes > HTTP_HEADERS_MAX || h->lines > HTTP_HEADER_LINES_MAX)
        refuse_later(req, 431, "headers_too_large");
    if ((coded && sized) || (coded && (!str_ieqs(h->coding, "chunked") || strcmp(version, "HTTP/1.1") != 0)) ||
        (sized && str_to_i64(h->length, 0, INT64_MAX, &length) != OK))
        refuse_later(req, 400, "framing");
    if (h->bad || ends_elsewhere(req, h, method))
        refuse_later(req, 400, "malformed");
    req->has_body = coded || length > 0;
    req->must_close = req->refuse_status != 0;
    if (req->refuse_status == 0 && h->seen[SINGLE_HOST] == 0 && strcmp(version, "HTTP/1.1") == 0)
        refuse_later(req, 400, "malformed");
    req->body_told = length;
}

/* target = absolute path [ "?" query ], or the same behind scheme and authority (RFC 9112 §3.2.2). */
static void
read_target(struct http_request *req, struct http_path *ret)
{
    struct str query, target = { req->target, req->target_len }, path;
    enum err e;

    if (str_starts(target, "http://") || str_starts(target, "https://")) {
        const char *slash = strchr(strstr(req->target, "://") + 3, '/');
        target = slash == NULL ? STR_LIT("/") : str_of(slash);
    }
    if (memchr(target.p, ' ', target.n) != NULL)
        refuse_later(req, 400, "malformed");
    path = str_split(target, '?', &query);
    req->path = arena_str(req->arena, path);
    req->raw_query = query.p == NULL ? STR_LIT("") : query;
    e = http_path_parse(req->arena, path, ret);
    if (e == ERR_NOT_FOUND)
        refuse_later(req, 404, "not_found");
    else if (e != OK)
        refuse_later(req, 400, "malformed");
}

static unsigned
method_of(const char *name)
{
    static const struct {
        const char *name;
        unsigned method;
    } known[] = { { "GET", HTTP_GET },       { "HEAD", HTTP_GET },     { "POST", HTTP_POST },  { "PUT", HTTP_PUT },
                  { "DELETE", HTTP_DELETE }, { "PATCH", HTTP_PATCH },
                  { "OPTIONS", HTTP_OPTIONS } };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].method;
    return 0;
}

static bool
is_utf8_name(struct str charset)
{
    if (charset.n >= 2 && charset.p[0] == '"' && charset.p[charset.n - 1] == '"')
        charset = (struct str){ charset.p + 1, charset.n - 2 };
    return str_ieqs(charset, "utf-8") || str_ieqs(charset, "utf8");
}

static bool
type_fits(enum http_body body, const char *content_type)
{
    struct str params, type;

    if (body == HTTP_BODY_RAW)
        return true;
    if (content_type == NULL)
        return false;
    type = str_trim(str_split(str_of(content_type), ';', &params));
    while (params.p != NULL) {
        struct str value, name = str_trim(str_split(str_split(params, ';', &params), '=', &value));
        if (str_ieqs(name, "charset") && (value.p == NULL || !is_utf8_name(str_trim(value))))
            return false;
    }
    switch (body) {
    case HTTP_BODY_UPLOAD:
        if (multipart_boundary(content_type, &params))
            return true;
        return str_ieqs(type, "application/x-www-form-urlencoded");
    case HTTP_BODY_FORM:
        return str_ieqs(type, "application/x-www-form-urlencoded");
    case HTTP_BODY_JSON:
        return str_ieqs(type, "application/json") ||
               (type.n > 5 && str_ieqs((struct str){ type.p + type.n - 5, 5 }, "+json"));
    case HTTP_BODY_SOAP:
        return str_ieqs(type, "text/xml") || str_ieqs(type, "application/soap+xml") ||
               str_ieqs(type, "application/vnd.paos+xml");
    case HTTP_BODY_NONE:
    case HTTP_BODY_RAW:
        break;
    }
    return body == HTTP_BODY_RAW;
}

static void
read_route(struct http_request *req, const struct http_path *path)
{
    route_find(&req->listener->routes, path, req->method, req->arena, &req->match);
    if (req->match.count == NULL)
        req->match.count = &req->server->counts.list[0];
    if (req->match.node == NULL)
        refuse_later(req, 404, "not_found");
    else if (req->match.route == NULL)
        refuse_later(req, 405, "method");
}

static void
read_body_rules(struct http_request *req)
{
    const struct http_route *route = req->match.route;

    req->body.max = route->body_max;
    if (!req->has_body)
        return;
    if (req->body_told > (int64_t)route->body_max || route->body == HTTP_BODY_NONE)
        refuse_later(req, 413, "body_too_large");
    else if (!type_fits(route->body, http_header(req, "Content-Type")))
        refuse_later(req, 415, "content_type");
}

static void
refuse_params(struct http_request *req, const struct why *why)
{
    static const char *const codes[] = { "parameter_repeated", "parameters_too_many", "parameter_malformed" };

    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (strcmp(why->code, codes[i]) == 0) {
            refuse_later(req, 400, codes[i]);
            return;
        }
    refuse_later(req, 413, "body_too_large");
}

static void
read_query(struct http_request *req)
{
    struct why why = WHY_INIT;

    if (http_params_parse(req->arena, req->raw_query, &req->query, &why) != OK)
        refuse_params(req, &why);
}

/* The last address in X-Forwarded-For that is not a trusted proxy's, when the connection comes from one. */
static void
read_peer(struct http_request *req, struct head *h)
{
    struct http_server *s = req->server;
    struct str left = buf_view(h->forwarded);

    req->client = req->conn->address;
    while (left.n > 0) {
        struct address a;
        size_t start;

        left.n--;                         /* the comma */
        for (start = left.n; start > 0 && left.p[start - 1] != ','; start--)
            ;
        if (!address_parse(str_trim((struct str){ left.p + start, left.n - start }), &a))
            break;
        req->client = a;
        if (!cidr_has(s->proxies, s->nproxies, &a))
            break;
        left.n = start;
    }
    address_text(&req->client, req->client_text);
}

/* The handshake refused all others; a certificate can expire under a running connection. */
static void
read_certificate(struct http_request *req)
{
    const struct http_tls *tls = req->listener->conf.tls;

    if (tls == NULL || !tls->client_required || http_client_cert_state(req) == HTTP_CERT_GOOD)
        return;
    refuse_later(req, 403, "client_certificate");
    req->must_close = true;
}

void
request_read_head(struct http_request *req, const char *method, const char *version)
{
    AUTO(buf_free) struct buf forwarded = BUF_BOUNDED(HTTP_HEADERS_MAX);
    struct head h = { .req = req, .forwarded = &forwarded };
    struct http_path path = { 0, { STR_NULL } };

    h.next = method + strlen(method) + 1 + req->target_len + 1 + strlen(version) + 2;
    (void)MHD_get_connection_values_n(req->mhd, MHD_HEADER_KIND, on_header, &h);
    req->method = method_of(method);
    req->head = strcmp(method, "HEAD") == 0;
    req->method_text = req->method == 0 ? "other" : req->head ? "HEAD" : arena_strdup(req->arena, method);
    read_peer(req, &h);
    read_framing(req, &h, method, version);
    read_certificate(req);
    if (req->path == NULL)
        read_target(req, &path);
    if (req->refuse_status != 0)
        return;
    read_route(req, &path);
    if (req->match.route != NULL)
        read_body_rules(req);
    if (req->refuse_status == 0)
        read_query(req);
}

void
request_read_body(struct http_request *req)
{
    enum http_body kind = req->match.route->body;
    struct str boundary;
    struct why why = WHY_INIT;
    enum err e;

    if ((kind != HTTP_BODY_FORM && kind != HTTP_BODY_UPLOAD) || req->body.len == 0)
        return;
    if (kind == HTTP_BODY_UPLOAD && multipart_boundary(http_header(req, "Content-Type"), &boundary)) {
        e = multipart_parse(req->arena, boundary, buf_view(&req->body), &req->upload, &why);
        req->form = req->upload.fields;
    } else {
        e = http_params_parse(req->arena, buf_view(&req->body), &req->form, &why);
    }
    if (e != OK)
        refuse_params(req, &why);
}
