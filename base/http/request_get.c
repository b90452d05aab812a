/* request_get: what a handler reads of its request, and the access line. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/core/log.h"
#include "base/core/text.h"
#include "base/http/request-internal.h"

const char *
http_request_id(const struct http_request *req)
{
    return req->id;
}

struct arena *
http_arena(struct http_request *req)
{
    return req->arena;
}

utime
http_now(const struct http_request *req)
{
    return req->now;
}

void *
http_app(const struct http_request *req)
{
    return req->server->conf->app;
}

enum http_method
http_method(const struct http_request *req)
{
    return (enum http_method)req->method;
}

const char *
http_path(const struct http_request *req)
{
    return req->path == NULL ? "" : req->path;
}

struct str
http_raw_query(const struct http_request *req)
{
    return req->raw_query;
}

const char *
http_base_url(const struct http_request *req)
{
    return req->listener->conf.base_url;
}

const char *
http_peer(const struct http_request *req)
{
    return req->client_text;
}

const struct http_route *
http_route(const struct http_request *req)
{
    return req->match.route;
}

const char *
http_path_param(const struct http_request *req, const char *name)
{
    return http_params_get(&req->match.params, name);
}

const char *
http_query(const struct http_request *req, const char *name)
{
    return http_params_get(&req->query, name);
}

const char *
http_form(const struct http_request *req, const char *name)
{
    return http_params_get(&req->form, name);
}

const char *
http_param(const struct http_request *req, const char *name)
{
    return http_params_get(req->method == HTTP_GET ? &req->query : &req->form, name);
}

size_t
http_form_count(const struct http_request *req, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < req->form.n; i++)
        n += strcmp(req->form.list[i].name, name) == 0;
    return n;
}

const char *
http_form_nth(const struct http_request *req, const char *name, size_t i)
{
    for (size_t k = 0; k < req->form.n; k++)
        if (strcmp(req->form.list[k].name, name) == 0 && i-- == 0)
            return req->form.list[k].value;
    return NULL;
}

bool
http_form_file(const struct http_request *req, const char *name, struct str *ret)
{
    const struct http_file *f = http_files_find(&req->upload, name);

    if (f == NULL || f->content.n == 0)
        return false;
    *ret = f->content;
    return true;
}

struct str
http_body(const struct http_request *req)
{
    return req->body.len == 0 ? STR_LIT("") : buf_view(&req->body);
}

const char *
http_header(const struct http_request *req, const char *name)
{
    const char *value = MHD_lookup_connection_value(req->mhd, MHD_HEADER_KIND, name);

    return value == NULL || !text_is_utf8(str_of(value)) ? NULL : value;
}

const char *
http_cookie(const struct http_request *req, const char *name)
{
    return http_params_get(&req->cookies, name);
}

const char *
http_lang(const struct http_request *req)
{
    const char *asked[2] = { http_query(req, "lang"), http_cookie(req, "__Host-lang") };
    const char *accepted;

    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        if (asked[i] != NULL && strcmp(asked[i], "fr") == 0)
            return "fr";
        if (asked[i] != NULL && strcmp(asked[i], "en") == 0)
            return "en";
    }
    accepted = http_header(req, "Accept-Language");
    return accepted == NULL ? "fr" : http_accept_language(str_of(accepted));
}

enum http_cert
http_client_cert_state(const struct http_request *req)
{
    return tls_conn_cert(req->conn, (int64_t)time(NULL));      /* lint: clock: certificates are not of movable time */
}

struct str
http_client_cert(const struct http_request *req)
{
    if (http_client_cert_state(req) != HTTP_CERT_GOOD)
        return STR_NULL;
    return (struct str){ (const char *)req->conn->cert, req->conn->cert_len };
}

size_t
http_client_chain(const struct http_request *req, struct str *ret, size_t max)
{
    const struct http_conn *conn = req->conn;

    for (size_t i = 0; conn->nchain != HTTP_CHAIN_TOO_MUCH && i < conn->nchain && i < max; i++)
        ret[i] = conn->chain[i];
    return conn->nchain;
}

bool
http_from_proxy(const struct http_request *req)
{
    return req->conn->trusted_proxy;
}

struct counting {
    const char *name;
    size_t n;
};

static enum MHD_Result
count_header(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct counting *c = cls;

    (void)kind, (void)value;
    c->n += str_ieqs(str_of(key), c->name);
    return MHD_YES;
}

size_t
http_header_count(const struct http_request *req, const char *name)
{
    struct counting c = { name, 0 };

    (void)MHD_get_connection_values(req->mhd, MHD_HEADER_KIND, count_header, &c);
    return c.n;
}

void
http_session_set(struct http_request *req, void *session)
{
    req->session = session;
}

void *
http_session(const struct http_request *req)
{
    return req->session;
}

struct pg *
http_pg(struct http_request *req)
{
    struct http_server *s = req->server;
    struct pg *pg = pthread_getspecific(s->pg_key);
    struct why why = WHY_INIT;

    if (pg != NULL || s->conf->pg == NULL)
        return pg;
    pthread_mutex_lock(&s->spare_lock);
    pg = TAKE(s->spare_pg);
    pthread_mutex_unlock(&s->spare_lock);
    if (pg == NULL && pg_open(s->conf->pg, &pg, &why) != OK) {
        LOG_ERROR_EV("http.database", LF_WHY(&why));
        return NULL;
    }
    if (pthread_setspecific(s->pg_key, pg) != 0)
        panic("http: no memory for a thread's database connection");
    return pg;
}

void
request_log(struct http_request *req, int64_t usec, bool complete)
{
    struct address net;
    char net_text[ADDRESS_TEXT];

    log_request(req->id);
    address_masked(&req->client, HTTP_NETWORK_V4, HTTP_NETWORK_V6, &net);
    address_text(&net, net_text);
    LOG_INFO_EV("http.request", LF_STR("method", req->method_text == NULL ? "-" : req->method_text),
                LF_STR("route", req->match.count->name), LF_INT("status", req->status), LF_INT("usec", usec),
                LF_INT("trips", req->trips), LF_STR("net", net_text), LF_BOOL("complete", complete));
    LOG_DEBUG_EV("http.peer", LF_STR("peer", req->client_text));
    log_request(NULL);
}
