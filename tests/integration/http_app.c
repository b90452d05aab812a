/*
 * http_app: a program made of base/http alone, for tests/integration/test_http to knock at.
 *
 *   http_app key=value…   tls_cert, tls_key, client_ca, per_address, slowest_peer, max_connections, threads, slow_threads,
 *                         slow_queue, first, header, body, idle, send, stop (milliseconds), proxy, log, pg (conninfo)
 *
 * Listeners, in this order on ports of the kernel's choice: plain IPv4, plain IPv6, and with tls_cert: TLS, TLS that
 * asks for a certificate, TLS that requires one. Prints {"ports":[…]} and then obeys lines on stdin: "reload",
 * "metrics" (answers with the text and an empty line), "stop"; the end of stdin means stop.
 *
 *   http_app call=URL [method=] [body=] [header=] [ca=] [cert=] [key=] [private=1] [max=] [timeout=] [times=]
 *
 * One call by base/http/client: prints the err, the status, content type, ETag and body.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/http/client.h"
#include "base/http/server.h"

static struct buf big_page = BUF_BOUNDED(1 << 20);

static void
on_text(struct http_request *req)
{
    http_reply(req, 200, "text/plain", STR_LIT("hello"));
}

/* The shape of an auto-post page: 6.8 KB, one more form-action. */
static void
on_page(struct http_request *req)
{
    const char *acs = http_query(req, "acs");

    if (acs != NULL)
        http_csp_form_action(req, acs);
    http_reply_html(req, 200, &big_page);
}

static void
on_form_get(struct http_request *req)
{
    AUTO(buf_free) struct buf page = BUF_BOUNDED(4096);

    buf_addf(&page, "<form method=post><input type=hidden name=csrf value=\"%s\"></form>", http_csrf_token(req));
    http_reply_html(req, 200, &page);
}

/* A form with a file. */
static void
on_upload(struct http_request *req)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(8192);
    const char *a = http_form(req, "a");
    struct str file = STR_LIT("none");
    bool is = http_form_file(req, "f", &file);

    buf_addf(&out, "a=%s file=%d ", a != NULL ? a : "-", is);
    buf_add_str(&out, file);
    http_reply(req, 200, "application/octet-stream", buf_view(&out));
}

static void
add(struct buf *out, const char *name, const char *value)
{
    AUTO(buf_free) struct buf enc = BUF_BOUNDED(1 << 20);

    if (value == NULL)
        return;
    url_encode(&enc, str_of(value));
    buf_addf(out, "%s=%s\n", name, buf_cstr(&enc));
}

/* Everything the accessors tell, one per line, percent-encoded. */
static void
on_echo(struct http_request *req)
{
    static const char *const names[] = { "a", "b", "c", "lang" };
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(64 << 10);
    char line[64];

    add(&out, "id", http_request_id(req));
    add(&out, "path", http_path(req));
    add(&out, "peer", http_peer(req));
    add(&out, "http_lang", http_lang(req));
    add(&out, "item", http_path_param(req, "item"));
    add(&out, "cookie", http_cookie(req, "c"));
    add(&out, "raw_query", arena_str(http_arena(req), http_raw_query(req)));
    add(&out, "header", http_header(req, "X-Test"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(line, sizeof(line), "query.%s", names[i]);
        add(&out, line, http_query(req, names[i]));
        snprintf(line, sizeof(line), "form.%s", names[i]);
        add(&out, line, http_form(req, names[i]));
        snprintf(line, sizeof(line), "param.%s", names[i]);
        add(&out, line, http_param(req, names[i]));
    }
    for (size_t i = 0; i < http_form_count(req, "l[]"); i++)
        add(&out, "form.l[]", http_form_nth(req, "l[]", i));
    snprintf(line, sizeof(line), "%zu", http_body(req).n);
    add(&out, "body", line);
    hex_encode(&hex, http_client_cert(req).p, http_client_cert(req).n);
    add(&out, "cert", buf_cstr(&hex));
    snprintf(line, sizeof(line), "%d", (int)http_client_cert_state(req));
    add(&out, "cert_state", line);
    http_reply(req, 200, "text/plain", buf_view(&out));
}

static void
lent_release(void *arg)
{
    free(arg);                           /* not, or twice: the sanitizer sees it */
}

/* A body that others share; after a reply that was made before, when asked. */
static void
on_lent(struct http_request *req)
{
    char *body = mem_strdup("lent");

    if (http_query(req, "second") != NULL)
        http_reply_empty(req, 204);
    if (http_query(req, "bad") != NULL)
        http_header_add(req, "X-Bad", "a\nb");
    http_reply_lent(req, 200, "text/plain", (struct str){ body, 4 }, lent_release, body);
}

static atomic_int arrived, lost;

static void
watched_done(void *app, struct pg *pg, void *arg, bool whole)
{
    (void)app, (void)pg;
    free(arg);                           /* not, or twice: the sanitizer sees it */
    atomic_fetch_add(whole ? &arrived : &lost, 1);
}

/* A reply of 8 KB of which it is asked whether it arrived; how many did, and did not. */
static void
on_watched(struct http_request *req)
{
    char body[8192];

    memset(body, 'x', sizeof(body));
    http_reply_watched(req, 200, "text/plain", (struct str){ body, sizeof(body) }, watched_done, mem_strdup("watched"));
}

static void
on_arrived(struct http_request *req)
{
    http_reply(req, 200, "text/plain", str_of(arena_printf(http_arena(req), "%d %d", atomic_load(&arrived), atomic_load(&lost))));
}

static void
on_cookies(struct http_request *req)
{
    http_cookie_set(req, "__Host-a", "1", -1, "Lax");
    http_cookie_set(req, "b", "2", 60, "Strict");
    http_cookie_clear(req, "gone");
    http_reply_empty(req, 204);
}

static void
on_redirect(struct http_request *req)
{
    http_reply_redirect(req, http_query(req, "a"));
}

static void
on_header(struct http_request *req)
{
    http_header_add(req, "X-Back", http_query(req, "a"));
    http_reply(req, 200, "text/plain", STR_LIT("ok"));
}

static void
on_asset(struct http_request *req)
{
    http_reply_asset(req, "text/css", STR_LIT("body{}"), "v1");
}

static void
on_problem(struct http_request *req)
{
    http_reply_problem(req, ERR_CONFLICT, "test.conflict", "said \"so\"\n");
}

static void
on_silent(struct http_request *req)
{
    (void)req;
}

static void
on_twice(struct http_request *req)
{
    http_reply(req, 200, "text/plain", STR_LIT("first"));
    http_reply(req, 500, "text/plain", STR_LIT("second"));
}

/* Burns CPU as a password hash does. */
static void
burn(int64_t usec)
{
    int64_t until = clock_monotonic() + usec;
    volatile unsigned x = 1;

    while (clock_monotonic() < until)
        for (int i = 0; i < 1000; i++)
            x = x * 1664525u + 1013904223u;
}

static void
on_slow(struct http_request *req)
{
    const char *ms = http_query(req, "a");

    burn((ms == NULL ? 20 : atoi(ms)) * 1000);
    http_reply(req, 200, "text/plain", STR_LIT("slow"));
}

static void
on_sleep(struct http_request *req)
{
    struct timespec t = { 0, 300 * 1000 * 1000 };

    nanosleep(&t, NULL);
    http_reply(req, 200, "text/plain", STR_LIT("slept"));
}

/* Which event thread serves this connection. */
static void
on_thread(struct http_request *req)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(64);

    buf_addf(&out, "%d", (int)gettid());
    http_reply(req, 200, "text/plain", buf_view(&out));
}

static void
on_session_page(struct http_request *req)
{
    http_reply(req, 200, "text/plain", str_of(http_session(req) == NULL ? "nobody" : (char *)http_session(req)));
}

static void
on_large(struct http_request *req)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(16 << 20);

    for (int i = 0; i < 8 << 20; i += 64)
        buf_add_lit(&out, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    http_reply(req, 200, "application/octet-stream", buf_view(&out));
}

static const struct pg_stmt pid_stmt = { "http_app.pid", "select pg_backend_pid()::int8", 0 };
static const struct pg_stmts stmts = { &pid_stmt, 1 };

/* The backend that serves this thread. */
static void
on_database(struct http_request *req)
{
    struct pg_args args = PG_ARGS_INIT;
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    AUTO(buf_free) struct buf out = BUF_BOUNDED(64);
    struct why why = WHY_INIT;
    enum err e = pg_exec(http_pg(req), &pid_stmt, &args, &r, &why);

    if (e != OK) {
        http_reply_problem(req, e, "database", NULL);
        return;
    }
    buf_addf(&out, "%lld", (long long)pg_i64(r, 0, 0));
    http_reply(req, 200, "text/plain", buf_view(&out));
}

static enum err
load_session(struct http_request *req, struct why *why)
{
    const char *c = http_cookie(req, "session");

    if (c == NULL)
        return why_set(why, ERR_DENIED, "no cookie");
    if (strcmp(c, "down") == 0)
        return why_set(why, ERR_UNAVAILABLE, "store is away");
    if (strcmp(c, "good") != 0)
        return why_set(why, ERR_DENIED, "unknown");
    http_session_set(req, arena_strdup(http_arena(req), "marie"));
    return OK;
}

/* Pages are refused with a page, the rest by the server's own problem+json. */
static void
refuse(struct http_request *req, int status, const char *code)
{
    AUTO(buf_free) struct buf page = BUF_BOUNDED(4096);

    if (http_route(req) == NULL || !http_route(req)->html)
        return;
    buf_addf(&page, "<p>refused %d %s</p>", status, code);
    http_reply_html(req, status, &page);
}

static const struct http_route list[] = {
    { HTTP_GET, "/", on_text, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "root", false, true },
    { HTTP_GET, "/text", on_text, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "text", false, true },
    { HTTP_GET, "/page", on_page, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "page", true, true },
    { HTTP_GET, "/echo", on_echo, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "echo", false, true },
    { HTTP_GET, "/echo/{item}", on_echo, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "echo.item", false, true },
    { HTTP_GET, "/echo/literal", on_text, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "echo.literal", false, true },
    { HTTP_POST, "/echo", on_echo, HTTP_BODY_FORM, 65536, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, "echo.post", false, true },
    { HTTP_PUT, "/json", on_echo, HTTP_BODY_JSON, 1024, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, "json", false, true },
    { HTTP_POST, "/soap", on_echo, HTTP_BODY_SOAP, 1024, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, "soap", false, true },
    { HTTP_POST, "/raw", on_echo, HTTP_BODY_RAW, 1 << 20, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, "raw", false, true },
    { HTTP_DELETE, "/thing", on_text, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, "thing", false, true },
    { HTTP_GET, "/form", on_form_get, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "form", true, true },
    { HTTP_POST, "/form", on_text, HTTP_BODY_FORM, 4096, HTTP_SESSION_NONE, HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "form.post", true, true },
    { HTTP_POST, "/upload", on_upload, HTTP_BODY_UPLOAD, 4096, HTTP_SESSION_NONE, HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "upload", true, true },
    { HTTP_POST, "/machine", on_text, HTTP_BODY_JSON, 4096, HTTP_SESSION_NONE, HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "machine", false, true },
    { HTTP_GET, "/cookies", on_cookies, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "cookies", false, true },
    { HTTP_GET, "/lent", on_lent, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "lent", false, true },
    { HTTP_GET, "/watched", on_watched, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "watched", false, true },
    { HTTP_GET, "/arrived", on_arrived, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "arrived", false, true },
    { HTTP_GET, "/redirect", on_redirect, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "redirect", false, true },
    { HTTP_GET, "/header", on_header, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "header", false, true },
    { HTTP_GET, "/asset.css", on_asset, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "asset", false, true },
    { HTTP_GET, "/problem", on_problem, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "problem", false, true },
    { HTTP_GET, "/silent", on_silent, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "silent", false, true },
    { HTTP_GET, "/twice", on_twice, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "twice", false, true },
    { HTTP_GET, "/slow", on_slow, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_SLOW, "slow", true, true },
    { HTTP_GET, "/sleep", on_sleep, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "sleep", false, true },
    { HTTP_GET, "/thread", on_thread, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "thread", false, true },
    { HTTP_GET, "/large", on_large, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "large", false, true },
    { HTTP_GET, "/db", on_database, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "db", false, false },
    { HTTP_GET, "/db/slow", on_database, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_SLOW, "db.slow", false, false },
    { HTTP_GET, "/db/needed", on_text, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "db.needed", false, false },
    { HTTP_GET, "/mine", on_session_page, HTTP_BODY_NONE, 0, HTTP_SESSION_REQUIRED, HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "mine", true, true },
    { HTTP_GET, "/maybe", on_session_page, HTTP_BODY_NONE, 0, HTTP_SESSION_OPTIONAL, HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "maybe", true, true },
};
static const struct http_routes routes = HTTP_ROUTES(list);

/* A second table, on the IPv6 listener only: listeners have their own. */
static const struct http_route other_list[] = {
    { HTTP_GET, "/other", on_text, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT, "other", false, true },
};
static const struct http_routes other_routes = HTTP_ROUTES(other_list);

static const char *
arg(int argc, char **argv, const char *name)
{
    size_t n = strlen(name);

    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
            return argv[i] + n + 1;
    return NULL;
}

static int
number(int argc, char **argv, const char *name)
{
    const char *v = arg(argc, argv, name);

    return v == NULL ? 0 : atoi(v);
}

static void
obey(struct http_server *s)
{
    char line[64];

    while (fgets(line, sizeof(line), stdin) != NULL && strcmp(line, "stop\n") != 0) {
        if (strcmp(line, "reload\n") == 0) {
            struct why why = WHY_INIT;
            enum err e = http_server_reload(s, &why);
            printf("%s %s\n", err_name(e), why.text);
        } else if (strcmp(line, "metrics\n") == 0) {
            AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
            http_server_metrics(s, &out);
            printf("%s\n", buf_cstr(&out));
        }
        fflush(stdout);
    }
}

static int
call(int argc, char **argv)
{
    const struct http_client_config conf = {
        .ca_file = arg(argc, argv, "ca"),
        .cert_file = arg(argc, argv, "cert"),
        .key_file = arg(argc, argv, "key"),
        .allow_private = number(argc, argv, "private") != 0,
        .answer_max = (size_t)number(argc, argv, "max"),
        .timeout = number(argc, argv, "timeout") * INT64_C(1000),
    };
    const char *method = arg(argc, argv, "method"), *headers[] = { arg(argc, argv, "header"), NULL };
    AUTO(http_client_freep) struct http_client *c = NULL;
    struct why why = WHY_INIT;

    if (http_client_new(&conf, &c, &why) != OK) {
        printf("%s\n", why.text);
        return 1;
    }
    for (int i = 0; i < (number(argc, argv, "times") > 0 ? number(argc, argv, "times") : 1); i++) {
        struct http_answer a = { 0 };
        enum err e = http_call(c, method == NULL ? "GET" : method, arg(argc, argv, "call"), headers,
                               str_of(arg(argc, argv, "body")), &a, &why);

        if (e == OK)
            printf("ok %d [%s] [%s] %s\n", a.status, a.content_type, a.etag, buf_cstr(&a.body));
        else
            printf("%s %s\n", err_name(e), why.text);
        http_answer_done(&a);
    }
    return 0;
}

int
main(int argc, char **argv)
{
    static const unsigned char key[32] = "a key of the tests, thirty-two b";
    static const struct http_routes *const tables[] = { &routes, NULL };
    static const struct http_routes *const other_tables[] = { &other_routes, NULL };
    static const struct http_hooks hooks = { load_session, refuse };
    const char *cert = arg(argc, argv, "tls_cert"), *tls_key = arg(argc, argv, "tls_key");
    const char *ca = arg(argc, argv, "client_ca");
    const char *base = "https://idp.example", *proxies[] = { arg(argc, argv, "proxy"), NULL };
    struct http_tls tls[3] = {
        { .cert_file = cert, .key_file = tls_key }, { .cert_file = cert, .key_file = tls_key, .client_ca_file = ca },
        { .cert_file = cert, .key_file = tls_key, .client_ca_file = ca, .client_required = true },
    };
    struct http_listener listeners[5] = {
        { .address = "127.0.0.1:0", .routes = tables, .base_url = base },
        { .address = "[::1]:0", .routes = other_tables },
        { .address = "127.0.0.1:0", .tls = &tls[0], .routes = tables, .base_url = base },
        { .address = "127.0.0.1:0", .tls = &tls[1], .routes = tables, .base_url = base },
        { .address = "127.0.0.1:0", .tls = &tls[2], .routes = tables, .base_url = base },
    };
    struct http_limits limits = {
        .first_time = number(argc, argv, "first") * INT64_C(1000), .header_time = number(argc, argv, "header") * INT64_C(1000),
        .body_time = number(argc, argv, "body") * INT64_C(1000),   .idle_time = number(argc, argv, "idle") * INT64_C(1000),
        .send_time = number(argc, argv, "send") * INT64_C(1000),   .stop_time = number(argc, argv, "stop") * INT64_C(1000),
        .per_address = number(argc, argv, "per_address"),
        .slowest_peer = number(argc, argv, "slowest_peer"),
    };
    const struct pg_stmts *const statements[] = { &stmts, NULL };
    const struct pg_config pg = { .conninfo = arg(argc, argv, "pg"), .stmts = statements };
    struct http_server_config conf = {
        .listeners = listeners,
        .nlisteners = cert == NULL ? 2 : 5,
        .hooks = &hooks,
        .threads = number(argc, argv, "threads"),
        .slow_threads = number(argc, argv, "slow_threads"),
        .slow_queue = number(argc, argv, "slow_queue"),
        .max_connections = number(argc, argv, "max_connections"),
        .csrf_key = key,
        .pg = pg.conninfo == NULL ? NULL : &pg,
        .trusted_proxies = proxies[0] == NULL ? NULL : proxies,
        .limits = &limits,
    };
    struct http_server *s = NULL;
    struct why why = WHY_INIT;

    if (arg(argc, argv, "call") != NULL)
        return call(argc, argv);
    log_start("http_app", arg(argc, argv, "log") != NULL ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING);
    for (int i = 0; i < 6800; i += 10)
        buf_add_lit(&big_page, "<p>0123456");
    if (http_server_start(&conf, &s, &why) != OK) {
        fprintf(stderr, "http_app: %s\n", why.text);
        return 1;
    }
    printf("{\"ports\":[");
    for (size_t i = 0; i < conf.nlisteners; i++)
        printf("%s%d", i > 0 ? "," : "", http_server_port(s, i));
    printf("]}\n");
    fflush(stdout);
    obey(s);
    http_server_stop(s);
    buf_free(&big_page);
    return 0;
}
