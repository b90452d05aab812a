/* test_http: the pure parts of base/http: parameters, cookies, paths, languages, routes, addresses, origins. */
#include "tests/unit/support.h"

#include "base/http/http-internal.h"

static int
arena_setup(void **state)
{
    *state = arena_new(1 << 20);
    return 0;
}

static int
arena_teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static void
params(void **state)
{
    static const struct {
        const char *in, *code;             /* code NULL: good */
        size_t n;
        const char *name, *value;
    } rows[] = {
        { "", NULL, 0, "a", NULL },
        { "a=1", NULL, 1, "a", "1" },
        { "a", NULL, 1, "a", "" },
        { "a=", NULL, 1, "a", "" },
        { "a=b=c", NULL, 1, "a", "b=c" },
        { "a=1+%2B%26%3d", NULL, 1, "a", "1 +&=" },
        { "&&a=1&", NULL, 1, "a", "1" },
        { "%61=1", NULL, 1, "a", "1" },
        { "a+b=1", NULL, 1, "a b", "1" },
        { "a=1;b=2", NULL, 1, "a", "1;b=2" },
        { "x[]=1&x[]=2", NULL, 2, "x[]", "1" },
        { "a=1&A=2", NULL, 2, "A", "2" },
        { "a=1&a=1", "parameter_repeated", 0, NULL, NULL },
        { "[]=1&[]=2", "parameter_repeated", 0, NULL, NULL },
        { "a=%", "parameter_malformed", 0, NULL, NULL },
        { "a=%g0", "parameter_malformed", 0, NULL, NULL },
        { "a=%00", "parameter_malformed", 0, NULL, NULL },
        { "%00=a", "parameter_malformed", 0, NULL, NULL },
        { "a=\xff", "parameter_malformed", 0, NULL, NULL },
        { "a=%f4%90%80%80", "parameter_malformed", 0, NULL, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_params p = { NULL, 77 };
        struct why why = WHY_INIT;
        enum err e = http_params_parse(*state, str_of(rows[i].in), &p, &why);

        print_message("%s\n", rows[i].in);
        if (rows[i].code != NULL) {
            assert_int_equal(e, ERR_INPUT);
            assert_string_equal(why.code, rows[i].code);
            assert_int_equal(p.n, 77);
            continue;
        }
        assert_int_equal(e, OK);
        assert_int_equal(p.n, rows[i].n);
        if (rows[i].value == NULL)
            assert_null(http_params_get(&p, rows[i].name));
        else
            assert_string_equal(http_params_get(&p, rows[i].name), rows[i].value);
    }
}

static void
params_beyond_the_arena(void **state)
{
    AUTO(buf_free) struct buf in = BUF_BOUNDED(1 << 20);
    struct arena *small = arena_new(16 * 1024);
    struct http_params p;
    struct why why = WHY_INIT;

    (void)state;
    buf_add_lit(&in, "a=");
    for (int i = 0; i < 60000; i++)
        buf_addc(&in, 'x');
    assert_int_equal(http_params_parse(small, buf_view(&in), &p, &why), ERR_INPUT);
    assert_string_equal(why.code, "body_too_large");
    arena_free(small);
}

static void
paths(void **state)
{
    static const struct {
        const char *in;
        enum err e;
        size_t n;
        const char *last;
    } rows[] = {
        { "/", OK, 1, "" },       { "/a", OK, 1, "a" },          { "/a/", OK, 2, "" },
        { "/a/b%2fc", OK, 2, "b/c" }, { "/a+b", OK, 1, "a+b" },  { "//", OK, 2, "" },
        { "", ERR_INPUT, 0, NULL },   { "a", ERR_INPUT, 0, NULL }, { "*", ERR_INPUT, 0, NULL },
        { "/%00", ERR_INPUT, 0, NULL }, { "/%", ERR_INPUT, 0, NULL }, { "/%ff", ERR_INPUT, 0, NULL },
        { "/1/2/3/4/5/6/7/8/9/10/1/2/3/4/5/6/7/8/9/20/1/2/3/4/5/6/7/8/9/30/1/32", OK, 32, "32" },
        { "/1/2/3/4/5/6/7/8/9/10/1/2/3/4/5/6/7/8/9/20/1/2/3/4/5/6/7/8/9/30/1/32/33", ERR_NOT_FOUND, 0, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_path p = { 0, { STR_NULL } };

        print_message("%s\n", rows[i].in);
        assert_int_equal(http_path_parse(*state, str_of(rows[i].in), &p), rows[i].e);
        assert_int_equal(p.n, rows[i].n);
        if (rows[i].e == OK)
            assert_true(str_eqs(p.seg[p.n - 1], rows[i].last));
    }
}

static void
languages(void **state)
{
    static const char *const rows[][2] = {
        { "", "fr" }, { "en", "en" }, { "EN-us", "en" }, { "fr,en", "fr" }, { "en;q=0.9,fr;q=0.8", "en" },
        { "en;q=0.8,fr;q=0.9", "fr" }, { "en;q=0", "fr" }, { "en;q=x", "fr" }, { "eng", "fr" }, { "*", "fr" },
        { "de, en ; q=0.1", "en" }, { "en;q=1.0000", "fr" }, { ";;,,", "fr" }, { "en;q=0.001,fr;q=0", "en" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("%s\n", rows[i][0]);
        assert_string_equal(http_accept_language(str_of(rows[i][0])), rows[i][1]);
    }
}

/* --- routes ----------------------------------------------------------------------------------------------- */

static void
nothing(struct http_request *req)
{
    (void)req;
}

#define GET_ROUTE(p, n) { .method = HTTP_GET, .path = (p), .handler = nothing, .name = (n) }

static const struct http_route good_list[] = {
    GET_ROUTE("/", "root"),
    GET_ROUTE("/a/{x}", "a.x"),
    GET_ROUTE("/a/new", "a.new"),
    GET_ROUTE("/{y}/new", "y.new"),
    GET_ROUTE("/{y}/{z}", "y.z"),
    GET_ROUTE("/files/{rest*}", "files"),
    GET_ROUTE("/files/of/{rest*}", "files.of"),
    GET_ROUTE("/files/of/{y}/page", "files.page"),
    { .method = HTTP_POST, .path = "/a/{x}", .handler = nothing, .body = HTTP_BODY_FORM, .body_max = 10,
      .csrf = HTTP_CSRF_PROTOCOL, .name = "a.x.post" },
};
static const struct http_routes good = HTTP_ROUTES(good_list);

static void
routes_match(void **state)
{
    static const struct http_routes *const tables[] = { &good, NULL };
    static const struct {
        unsigned method;
        const char *path, *route, *param, *value, *allow;
    } rows[] = {
        { HTTP_GET, "/", "root", "x", NULL, "GET, HEAD" },
        { HTTP_GET, "/a/new", "a.new", "x", NULL, "GET, HEAD" },
        { HTTP_GET, "/a/1", "a.x", "x", "1", "GET, HEAD, POST" },
        { HTTP_POST, "/a/1", "a.x.post", "x", "1", "GET, HEAD, POST" },
        { HTTP_GET, "/b/new", "y.new", "y", "b", "GET, HEAD" },
        { HTTP_GET, "/b/c", "y.z", "z", "c", "GET, HEAD" },
        { HTTP_POST, "/a/new", NULL, NULL, NULL, "GET, HEAD" },      /* does not fall through to a.x.post */
        { HTTP_GET, "/a/", NULL, NULL, NULL, NULL },                 /* a parameter is never empty */
        { HTTP_GET, "/a", NULL, NULL, NULL, NULL },
        { HTTP_GET, "/a/1/2", NULL, NULL, NULL, NULL },
        { 0, "/a/1", NULL, NULL, NULL, "GET, HEAD, POST" },
        { HTTP_GET, "/files/a", "y.z", "z", "a", "GET, HEAD" },      /* the rest gives way to every other path */
        { HTTP_GET, "/files/a/b%2fc//d=", "files", "rest", "a/b/c//d=", "GET, HEAD" },
        { HTTP_GET, "/files/a/", "files", "rest", "a/", "GET, HEAD" },
        { HTTP_GET, "/files/of/a/b", "files.of", "rest", "a/b", "GET, HEAD" },
        { HTTP_GET, "/files/of/a/page", "files.page", "y", "a", "GET, HEAD" },
        { HTTP_GET, "/files", NULL, NULL, NULL, NULL },
    };
    struct route_count list[11] = { { .name = "-" } };
    struct route_counts counts = { list, 1 };
    struct route_table t;
    struct why why = WHY_INIT;

    assert_int_equal(route_table_init(&t, tables, &counts, true, &why), OK);
    assert_int_equal(counts.n, 10);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_path path;
        struct route_match m;

        print_message("%s\n", rows[i].path);
        assert_int_equal(http_path_parse(*state, str_of(rows[i].path), &path), OK);
        route_find(&t, &path, rows[i].method, *state, &m);
        if (rows[i].route == NULL) {
            assert_null(m.route);
        } else {
            assert_string_equal(m.route->name, rows[i].route);
            assert_string_equal(m.count->name, rows[i].route);
            if (rows[i].value == NULL)
                assert_null(http_params_get(&m.params, rows[i].param));
            else
                assert_string_equal(http_params_get(&m.params, rows[i].param), rows[i].value);
        }
        if (rows[i].allow == NULL)
            assert_null(m.node);
        else
            assert_string_equal(m.node->allow, rows[i].allow);
    }
    route_table_done(&t);
}

static void
routes_refused(void **state)
{
    static const struct {
        const char *label;
        struct http_route r[2];
        bool base_url;
    } rows[] = {
        { "same path and method", { GET_ROUTE("/a", "1"), GET_ROUTE("/a", "2") }, true },
        { "same shape", { GET_ROUTE("/{a}", "1"), GET_ROUTE("/{b}", "2") }, true },
        { "something behind the rest", { GET_ROUTE("/{a*}/b", "1"), GET_ROUTE("/b", "2") }, true },
        { "a rest without a name", { GET_ROUTE("/a/{*}", "1"), GET_ROUTE("/b", "2") }, true },
        { "no slash", { GET_ROUTE("a", "1"), GET_ROUTE("/b", "2") }, true },
        { "no name", { GET_ROUTE("/a", NULL), GET_ROUTE("/b", "2") }, true },
        { "name", { GET_ROUTE("/a", "a\"b"), GET_ROUTE("/b", "2") }, true },
        { "query in path", { GET_ROUTE("/a?b", "1"), GET_ROUTE("/b", "2") }, true },
        { "half a parameter", { GET_ROUTE("/a{b}", "1"), GET_ROUTE("/b", "2") }, true },
        { "no handler", { { .method = HTTP_GET, .path = "/a", .name = "1" }, GET_ROUTE("/b", "2") }, true },
        { "no method", { { .path = "/a", .handler = nothing, .name = "1" }, GET_ROUTE("/b", "2") }, true },
        { "GET with body", { { .method = HTTP_GET, .path = "/a", .handler = nothing, .body = HTTP_BODY_FORM,
                               .body_max = 1, .name = "1" }, GET_ROUTE("/b", "2") }, true },
        { "body without ceiling", { { .method = HTTP_POST, .path = "/a", .handler = nothing, .body = HTTP_BODY_FORM,
                                      .csrf = HTTP_CSRF_PROTOCOL, .name = "1" }, GET_ROUTE("/b", "2") }, true },
        { "ceiling too high", { { .method = HTTP_POST, .path = "/a", .handler = nothing, .body = HTTP_BODY_RAW,
                                  .body_max = HTTP_BODY_CEILING + 1, .csrf = HTTP_CSRF_PROTOCOL, .name = "1" },
                                GET_ROUTE("/b", "2") }, true },
        { "session without CSRF check", { { .method = HTTP_POST, .path = "/a", .handler = nothing,
                                            .body = HTTP_BODY_FORM, .body_max = 1, .csrf = HTTP_CSRF_NONE,
                                            .session = HTTP_SESSION_REQUIRED, .name = "1" },
                                          GET_ROUTE("/b", "2") }, true },
        { "CSRF without base_url", { { .method = HTTP_POST, .path = "/a", .handler = nothing, .body = HTTP_BODY_FORM,
                                       .body_max = 1, .name = "1" }, GET_ROUTE("/b", "2") }, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_routes table = { rows[i].r, 2 };
        const struct http_routes *tables[] = { &table, NULL };
        struct route_count list[3];
        struct route_counts counts = { list, 0 };
        struct route_table t;
        struct why why = WHY_INIT;

        print_message("%s\n", rows[i].label);
        assert_int_equal(route_table_init(&t, tables, &counts, rows[i].base_url, &why), ERR_INPUT);
        assert_true(why.text[0] != '\0');
        route_table_done(&t);
    }
}

/* --- addresses and origins ------------------------------------------------------------------------------------ */

static void
private_addresses(void **state)
{
    static const struct {
        const char *text;
        bool private;
    } rows[] = {
        { "127.0.0.1", true },       { "127.255.255.255", true }, { "128.0.0.1", false },  { "10.1.2.3", true },
        { "172.15.0.1", false },     { "172.16.0.1", true },      { "172.31.255.1", true }, { "172.32.0.1", false },
        { "192.168.1.1", true },     { "169.254.169.254", true }, { "100.64.0.1", true },   { "100.128.0.1", false },
        { "0.0.0.0", true },         { "224.0.0.1", true },       { "255.255.255.255", true }, { "8.8.8.8", false },
        { "::1", true },             { "::", true },              { "fe80::1", true },      { "fd00::1", true },
        { "ff02::1", true },         { "::ffff:10.0.0.1", true }, { "::ffff:8.8.8.8", false },
        { "2a01:e0a::1", false },    { "2002:7f00:1::", true },   { "2001:0:1::1", true },  { "64:ff9b::a00:1", true },
        { "2001:db8::1", true },     { "2001:4860::8888", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address a;

        print_message("%s\n", rows[i].text);
        assert_true(address_parse(str_of(rows[i].text), &a));
        assert_int_equal(address_is_private(&a), rows[i].private);
    }
}

static void
address_forms(void **state)
{
    static const char *const bad[] = { "", "1.2.3", "1.2.3.4.5", "1.2.3.4 ", "01.2.3.4x", "[::1]", "::1%lo", "g::" };
    static const char *const bad_cidr[] = { "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/24", "1.2.3.4/", "x", "::/129", "::1/64" };
    static const char *const bad_listen[] = { "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "localhost:80", ":80" };
    struct address a;
    struct cidr c;
    struct sockaddr_storage ss;
    socklen_t len;
    char text[ADDRESS_TEXT];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(address_parse(str_of(bad[i]), &a));
    for (size_t i = 0; i < ARRAY_LEN(bad_cidr); i++)
        assert_int_equal(cidr_parse(bad_cidr[i], &c, NULL), ERR_INPUT);
    for (size_t i = 0; i < ARRAY_LEN(bad_listen); i++)
        assert_int_equal(listen_parse(bad_listen[i], &ss, &len, NULL), ERR_INPUT);
    assert_int_equal(listen_parse("[::1]:443", &ss, &len, NULL), OK);
    assert_int_equal(ss.ss_family, AF_INET6);

    assert_int_equal(cidr_parse("2001:db8::/33", &c, NULL), OK);
    assert_true(address_parse(STR_LIT("2001:db8:7fff::1"), &a));
    assert_true(cidr_has(&c, 1, &a));
    assert_true(address_parse(STR_LIT("2001:db8:8000::1"), &a));
    assert_false(cidr_has(&c, 1, &a));
    assert_true(address_parse(STR_LIT("32.1.13.184"), &a));
    assert_false(cidr_has(&c, 1, &a));

    assert_true(address_parse(STR_LIT("2001:db8:1:2345:6::7"), &a));
    address_masked(&a, 24, 56, &a);
    address_text(&a, text);
    assert_string_equal(text, "2001:db8:1:2300::");
}

static void
census_counts(void **state)
{
    struct census *c = mem_alloc(sizeof(*c));
    struct address a, b, other;

    (void)state;
    assert_true(address_parse(STR_LIT("2001:db8::1"), &a));
    assert_true(address_parse(STR_LIT("2001:db8::ffff:1"), &b));       /* the same /64 */
    assert_true(address_parse(STR_LIT("2001:db8:0:1::1"), &other));
    census_add(c, &a);
    census_add(c, &b);
    census_add(c, &other);
    assert_int_equal(census_count(c, &a), 2);
    assert_int_equal(census_count(c, &other), 1);
    census_remove(c, &a);
    census_remove(c, &b);
    assert_int_equal(census_count(c, &a), 0);
    assert_int_equal(census_count(c, &other), 1);
    census_done(c);
    mem_freep(&c);
}

static void
origins(void **state)
{
    static const char *const rows[][2] = {
        { "https://a.example", "https://a.example" },       { "HTTPS://A.Example/x?y#z", "https://a.example" },
        { "https://a.example:443/", "https://a.example" },  { "http://a.example:80", "http://a.example" },
        { "https://a.example:80", "https://a.example:80" }, { "https://[::1]:8443/x", "https://[::1]:8443" },
        { "https://a.example?x", "https://a.example" },     { "ftp://a.example", NULL },
        { "https://", NULL },                               { "https:///x", NULL },
        { "https://u@a.example", NULL },                    { "https://a;b", NULL },
        { "https://a b", NULL },                            { "https://a\\b", NULL },
        { "https://*.example", NULL },                      { "//a.example", NULL },
        { "https://'self'", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[64] = "untouched";
        bool ok = origin_of(rows[i][0], out, sizeof(out));

        print_message("%s\n", rows[i][0]);
        assert_int_equal(ok, rows[i][1] != NULL);
        if (ok)
            assert_string_equal(out, rows[i][1]);
    }
}

/* What stands between "--B\r\n" and the end, by rows; "^" in `in` is CRLF. */
#define NAMED(rest) "Content-Disposition: form-data; name=\"a\"" rest "^"
static void
multipart(void **state)
{
    static const struct {
        const char *label, *in, *code;     /* code NULL: good */
        const char *field, *file;          /* value of a; octets of the file f; NULL: none */
    } rows[] = {
        { "no parts", "--B--^", NULL, NULL, NULL },
        { "without the last line's end", "--B--", NULL, NULL, NULL },
        { "a field", "--B^" NAMED("") "^1^--B--^", NULL, "1", NULL },
        { "an empty one", "--B^" NAMED("") "^^--B--^", NULL, "", NULL },
        { "lines in it", "--B^" NAMED("") "^1^^--b^2^--B--^", NULL, "1\r\n\r\n--b\r\n2", NULL },
        { "with its type", "--B^Content-Type: text/plain;charset=UTF-8^" NAMED("") "^1^--B--^", NULL, "1", NULL },
        { "a file", "--B^" NAMED("") "^1^--B^content-disposition:form-data; name=\"f\"; filename=\"a.csr\"^Content-Type: x/y^^0^1^--B--^", NULL, "1", "0\r\n1" },
        { "quotes in the file's name", "--B^Content-Disposition: form-data; name=\"f\"; filename=\"a\\\"; name=\"a\"^^0^--B--^", NULL, NULL, "0" },
        { "no file chosen", "--B^Content-Disposition: form-data; name=\"f\"; filename=\"\"^Content-Type: application/octet-stream^^^--B--^", NULL, NULL, NULL },
        { "a header of nobody's", "--B^" NAMED("") "X-Odd: 1^^1^--B--^", NULL, "1", NULL },
        { "nothing", "", "parameter_malformed", NULL, NULL },
        { "text before", "x^--B--^", "parameter_malformed", NULL, NULL },
        { "a line before", "^--B--^", "parameter_malformed", NULL, NULL },
        { "text behind", "--B--^x", "parameter_malformed", NULL, NULL },
        { "a line behind", "--B--^^", "parameter_malformed", NULL, NULL },
        { "a boundary that goes on", "--Bx^" NAMED("") "^1^--B--^", "parameter_malformed", NULL, NULL },
        { "in it too", "--B^" NAMED("") "^1^--Bx^--B--^", "parameter_malformed", NULL, NULL },
        { "no end", "--B^" NAMED("") "^1", "parameter_malformed", NULL, NULL },
        { "no last end", "--B^" NAMED("") "^1^--B^", "parameter_malformed", NULL, NULL },
        { "no headers", "--B^^1^--B--^", "parameter_malformed", NULL, NULL },
        { "cut headers", "--B^" NAMED(""), "parameter_malformed", NULL, NULL },
        { "lone line feeds", "--B\nContent-Disposition: form-data; name=\"a\"\n\n1\n--B--\n", "parameter_malformed", NULL, NULL },
        { "a line feed in a header", "--B^X: 1\nContent-Type: x^" NAMED("") "^1^--B--^", "parameter_malformed", NULL, NULL },
        { "folded", "--B^" NAMED("") " x^^1^--B--^", "parameter_malformed", NULL, NULL },
        { "two dispositions", "--B^" NAMED("") NAMED("") "^1^--B--^", "parameter_malformed", NULL, NULL },
        { "an attachment", "--B^Content-Disposition: attachment; name=\"a\"^^1^--B--^", "parameter_malformed", NULL, NULL },
        { "a name without quotes", "--B^Content-Disposition: form-data; name=a^^1^--B--^", "parameter_malformed", NULL, NULL },
        { "no name", "--B^Content-Disposition: form-data; name=\"\"^^1^--B--^", "parameter_malformed", NULL, NULL },
        { "a name with an escape", "--B^Content-Disposition: form-data; name=\"a\\b\"^^1^--B--^", "parameter_malformed", NULL, NULL },
        { "a file's name first", "--B^Content-Disposition: form-data; filename=\"x\"; name=\"a\"^^1^--B--^", "parameter_malformed", NULL, NULL },
        { "filename*", "--B^" NAMED("; filename*=UTF-8''x") "^1^--B--^", "parameter_malformed", NULL, NULL },
        { "another parameter", "--B^" NAMED("; size=1") "^1^--B--^", "parameter_malformed", NULL, NULL },
        { "an encoding", "--B^" NAMED("") "Content-Transfer-Encoding: base64^^MQ==^--B--^", "parameter_malformed", NULL, NULL },
        { "parts in a part", "--B^" NAMED("") "Content-Type: Multipart/mixed; boundary=C^^--C--^--B--^", "parameter_malformed", NULL, NULL },
        { "two types", "--B^" NAMED("") "Content-Type: a/b^Content-Type: a/b^^1^--B--^", "parameter_malformed", NULL, NULL },
        { "not UTF-8", "--B^" NAMED("") "^\xff^--B--^", "parameter_malformed", NULL, NULL },
        { "twice", "--B^" NAMED("") "^1^--B^" NAMED("") "^1^--B--^", "parameter_repeated", NULL, NULL },
        { "a field and a file", "--B^" NAMED("") "^1^--B^" NAMED("; filename=\"x\"") "^1^--B--^", "parameter_repeated", NULL, NULL },
        { "a file and a field", "--B^" NAMED("; filename=\"x\"") "^1^--B^" NAMED("") "^1^--B--^", "parameter_repeated", NULL, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf body = BUF_BOUNDED(4096);
        struct http_upload u = { .nfiles = 77 };
        const struct http_file *f;
        struct why why = WHY_INIT;
        enum err e;

        print_message("%s\n", rows[i].label);
        for (const char *p = rows[i].in; *p != '\0'; p++)
            buf_add(&body, *p == '^' ? "\r\n" : p, *p == '^' ? 2 : 1);
        e = multipart_parse(*state, STR_LIT("B"), body.len == 0 ? STR_LIT("") : buf_view(&body), &u, &why);
        if (rows[i].code != NULL) {
            assert_int_equal(e, ERR_INPUT);
            assert_string_equal(why.code, rows[i].code);
            assert_int_equal(u.nfiles, 77);
            continue;
        }
        assert_int_equal(e, OK);
        if (rows[i].field == NULL)
            assert_null(http_params_get(&u.fields, "a"));
        else
            assert_string_equal(http_params_get(&u.fields, "a"), rows[i].field);
        f = http_files_find(&u, "f");
        assert_true(f == NULL || f->content.n == 0 ? rows[i].file == NULL : str_eqs(f->content, rows[i].file));
    }
}

/* Counts and memory: parts, files, a small arena. */
static void
multipart_limits(void **state)
{
    static const struct {
        const char *label;
        size_t fields, files;
        const char *code;
    } rows[] = {
        { "as many fields as may be", HTTP_PARAMS_MAX, 0, NULL },
        { "one more", HTTP_PARAMS_MAX + 1, 0, "parameters_too_many" },
        { "as many files", 1, HTTP_FILES_MAX, NULL },
        { "one more file", 1, HTTP_FILES_MAX + 1, "parameters_too_many" },
    };
    AUTO(arena_freep) struct arena *small = arena_new(4096);
    struct http_upload u;
    struct why full = WHY_INIT;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf body = BUF_BOUNDED(1 << 20);
        struct why why = WHY_INIT;

        print_message("%s\n", rows[i].label);
        for (size_t n = 0; n < rows[i].fields + rows[i].files; n++)
            buf_addf(&body, "--B\r\nContent-Disposition: form-data; name=\"n%zu\"%s\r\n\r\n1\r\n", n,
                     n < rows[i].fields ? "" : "; filename=\"x\"");
        buf_adds(&body, "--B--\r\n");
        assert_int_equal(multipart_parse(*state, STR_LIT("B"), buf_view(&body), &u, &why), rows[i].code == NULL ? OK : ERR_INPUT);
        if (rows[i].code != NULL)
            assert_string_equal(why.code, rows[i].code);
        else
            assert_true(u.fields.n == rows[i].fields && u.nfiles == rows[i].files);
    }
    assert_int_equal(multipart_parse(small, STR_LIT("B"), STR_LIT("--B--"), &u, &full), ERR_INPUT);
    assert_string_equal(full.code, "body_too_large");
}

static void
multipart_boundaries(void **state)
{
    static const struct {
        const char *in, *want;             /* want NULL: refused */
    } rows[] = {
        { "multipart/form-data; boundary=B", "B" },
        { "Multipart/Form-Data;boundary=\"B, x\"", "B, x" },
        { "multipart/form-data ; Boundary = ----WebKitFormBoundary7MA4", "----WebKitFormBoundary7MA4" },
        { "multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789", "0123456789012345678901234567890123456789012345678901234567890123456789" },
        { "multipart/form-data; boundary=01234567890123456789012345678901234567890123456789012345678901234567890", NULL },
        { "multipart/form-data", NULL },
        { "multipart/form-data; boundary", NULL },
        { "multipart/form-data; boundary=", NULL },
        { "multipart/form-data; boundary=\"\"", NULL },
        { "multipart/form-data; boundary=\"a \"", NULL },
        { "multipart/form-data; boundary=a\"b", NULL },
        { "multipart/form-data; boundary=a; charset=utf-8", NULL },
        { "multipart/form-data; charset=utf-8; boundary=a", NULL },
        { "multipart/form-data; boundary=a; boundary=b", NULL },
        { "multipart/mixed; boundary=a", NULL },
        { "application/x-www-form-urlencoded", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str got = STR_LIT("untouched");

        print_message("%s\n", rows[i].in);
        assert_int_equal(multipart_boundary(rows[i].in, &got), rows[i].want != NULL);
        assert_true(str_eqs(got, rows[i].want != NULL ? rows[i].want : "untouched"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(params, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(multipart, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(multipart_limits, arena_setup, arena_teardown),
        cmocka_unit_test(multipart_boundaries),
        cmocka_unit_test(params_beyond_the_arena),
        cmocka_unit_test_setup_teardown(paths, arena_setup, arena_teardown),
        cmocka_unit_test(languages),
        cmocka_unit_test_setup_teardown(routes_match, arena_setup, arena_teardown),
        cmocka_unit_test(routes_refused),
        cmocka_unit_test(private_addresses),
        cmocka_unit_test(address_forms),
        cmocka_unit_test(census_counts),
        cmocka_unit_test(origins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
