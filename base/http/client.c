/*
 * client: libcurl behind its fence.
 *
 * Each call takes an easy handle from the client's small store (its connection is reused) or makes one, so calls run in
 * parallel. The address is checked when the socket is made, after the name was resolved: a name that answers with a
 * private address the second time gets no further. No redirect, no proxy from the environment, no netrc, no cookies,
 * no credentials in the URL; plain http only where private addresses are allowed.
 */
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/http/client.h"
#include "base/http/http-internal.h"

#define KEPT_HANDLES 8
#define ANSWER_MAX_DEFAULT (1 << 20)
#define CONNECT_TIMEOUT_DEFAULT (5 * USEC_PER_SEC)
#define TIMEOUT_DEFAULT (30 * USEC_PER_SEC)

struct http_client {
    char *ca_file, *cert_file, *key_file;
    bool allow_private;
    int64_t connect_timeout, timeout;
    size_t answer_max;
    pthread_mutex_t lock;
    CURL *kept[KEPT_HANDLES];
    size_t nkept;
};

struct call {
    const struct http_client *client;
    struct http_answer answer;
    bool denied, overflow;
    char error[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_started;

static void
curl_start(void)
{
    curl_started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void
slist_free(struct curl_slist **l)
{
    curl_slist_free_all(*l);
}

enum err
http_client_new(const struct http_client_config *conf, struct http_client **ret, struct why *why)
{
    struct http_client *c;
    const char *const files[] = { conf->ca_file, conf->cert_file, conf->key_file };

    pthread_once(&curl_once, curl_start);
    if (curl_started != CURLE_OK)
        return why_set(why, ERR_INTERNAL, "libcurl: %s", curl_easy_strerror(curl_started));
    if ((conf->cert_file == NULL) != (conf->key_file == NULL))
        return why_set(why, ERR_INPUT, "client certificate and key go together");
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (files[i] != NULL && access(files[i], R_OK) != 0)
            return why_set(why, ERR_NOT_FOUND, "%s cannot be read", files[i]);
    c = mem_alloc(sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    c->ca_file = conf->ca_file == NULL ? NULL : mem_strdup(conf->ca_file);
    c->cert_file = conf->cert_file == NULL ? NULL : mem_strdup(conf->cert_file);
    c->key_file = conf->key_file == NULL ? NULL : mem_strdup(conf->key_file);
    c->allow_private = conf->allow_private;
    c->connect_timeout = conf->connect_timeout > 0 ? conf->connect_timeout : CONNECT_TIMEOUT_DEFAULT;
    c->timeout = conf->timeout > 0 ? conf->timeout : TIMEOUT_DEFAULT;
    c->answer_max = conf->answer_max > 0 ? conf->answer_max : ANSWER_MAX_DEFAULT;
    *ret = c;
    return OK;
}

void
http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    while (c->nkept > 0)
        curl_easy_cleanup(c->kept[--c->nkept]);
    pthread_mutex_destroy(&c->lock);
    free(c->ca_file);
    free(c->cert_file);
    free(c->key_file);
    free(c);
}

static CURL *
handle_take(struct http_client *c)
{
    CURL *h = NULL;

    pthread_mutex_lock(&c->lock);
    if (c->nkept > 0)
        h = c->kept[--c->nkept];
    pthread_mutex_unlock(&c->lock);
    if (h == NULL && (h = curl_easy_init()) == NULL)
        panic("http: no memory for a curl handle");
    return h;
}

static void
handle_give(struct http_client *c, CURL *h)
{
    curl_easy_reset(h);                   /* keeps the connections, forgets the options */
    pthread_mutex_lock(&c->lock);
    if (c->nkept < KEPT_HANDLES)
        c->kept[c->nkept++] = TAKE(h);
    pthread_mutex_unlock(&c->lock);
    curl_easy_cleanup(h);
}

static curl_socket_t
on_socket(void *cls, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct call *call = cls;
    struct address a = address_of(&to->addr);

    (void)purpose;
    if (!call->client->allow_private && address_is_private(&a)) {
        call->denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static size_t
on_body(char *data, size_t size, size_t n, void *cls)
{
    struct call *call = cls;

    buf_add(&call->answer.body, data, size * n);
    if (!buf_ok(&call->answer.body)) {
        call->overflow = true;
        return 0;
    }
    return size * n;
}

static void
keep_header(struct str value, char *out, size_t size)
{
    value = str_trim(value);
    if (value.n >= size)
        value.n = 0;                      /* a cut value would be a wrong one */
    memcpy(out, value.p, value.n);
    out[value.n] = '\0';
}

static size_t
on_header(char *data, size_t size, size_t n, void *cls)
{
    struct call *call = cls;
    struct str value, line = { data, size * n }, name;

    if (str_starts(line, "HTTP/")) {      /* an interim answer came before */
        call->answer.content_type[0] = call->answer.etag[0] = '\0';
        return size * n;
    }
    name = str_split(line, ':', &value);
    if (value.p != NULL && str_ieqs(name, "Content-Type"))
        keep_header(value, call->answer.content_type, sizeof(call->answer.content_type));
    else if (value.p != NULL && str_ieqs(name, "ETag"))
        keep_header(value, call->answer.etag, sizeof(call->answer.etag));
    return size * n;
}

static enum err
headers_make(const char *const *lines, bool have_body, struct curl_slist **ret, struct why *why)
{
    bool typed = false;

    for (; lines != NULL && *lines != NULL; lines++) {
        if (strpbrk(*lines, "\r\n") != NULL || strchr(*lines, ':') == NULL)
            return why_set(why, ERR_INPUT, "header line is malformed");
        typed = typed || str_ieqs((struct str){ *lines, strcspn(*lines, ":") }, "Content-Type");
        if ((*ret = curl_slist_append(*ret, *lines)) == NULL)
            panic("http: no memory for a header");
    }
    *ret = curl_slist_append(*ret, "Expect:");
    if (have_body && !typed)
        *ret = curl_slist_append(*ret, "Content-Type: application/octet-stream");
    return OK;
}

static void
set_method(CURL *h, const char *method, struct str body)
{
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
        return;
    }
    if (body.n > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, body.n == 0 ? "" : body.p);
    }
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
}

static long
ms_of(int64_t usec)
{
    return usec < 1000 ? 1 : (long)(usec / 1000);
}

static void
set_all(CURL *h, struct call *call, const char *method, const char *url, struct curl_slist *headers, struct str body)
{
    const struct http_client *c = call->client;

    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, c->allow_private ? "http,https" : "https");
    curl_easy_setopt(h, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(h, CURLOPT_PROXY, "");
    curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, ms_of(c->connect_timeout));
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, ms_of(c->timeout));
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, call);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
    if (c->ca_file != NULL) {
        curl_easy_setopt(h, CURLOPT_CAINFO, c->ca_file);
        curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
    }
    if (c->cert_file != NULL) {
        curl_easy_setopt(h, CURLOPT_SSLCERT, c->cert_file);
        curl_easy_setopt(h, CURLOPT_SSLKEY, c->key_file);
    }
    set_method(h, method, body);
}

static enum err
verdict(const struct call *call, CURLcode rc, const char *full_url, struct why *why)
{
    const char *text = call->error[0] != '\0' ? call->error : curl_easy_strerror(rc);
    char url[256];                        /* without the query, which may hold a token */

    if (rc == CURLE_OK)
        return OK;
    snprintf(url, sizeof(url), "%.*s", (int)strcspn(full_url, "?#"), full_url);
    if (call->overflow)
        return why_set(why, ERR_INPUT, "%s: answer larger than %zu bytes", url, call->client->answer_max);
    if (call->denied)
        return why_set(why, ERR_DENIED, "%s: private address", url);
    if (rc == CURLE_UNSUPPORTED_PROTOCOL || rc == CURLE_LOGIN_DENIED)
        return why_set(why, ERR_DENIED, "%s: %s", url, text);
    if (rc == CURLE_URL_MALFORMAT)
        return why_set(why, ERR_INPUT, "%s: %s", url, text);
    return why_set(why, ERR_UNAVAILABLE, "%s: %s", url, text);
}

enum err
http_call(struct http_client *c, const char *method, const char *url, const char *const *headers, struct str body,
          struct http_answer *ret, struct why *why)
{
    AUTO(slist_free) struct curl_slist *list = NULL;
    struct call call = { .client = c, .answer = { .body = BUF_BOUNDED(c->answer_max) } };
    long status = 0;
    CURL *h;
    enum err e;

    if ((e = headers_make(headers, body.n > 0, &list, why)) != OK)
        return e;
    h = handle_take(c);
    set_all(h, &call, method, url, list, body);
    e = verdict(&call, curl_easy_perform(h), url, why);
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    handle_give(c, h);
    if (e != OK) {
        buf_free(&call.answer.body);
        return e;
    }
    call.answer.status = (int)status;
    *ret = call.answer;
    return OK;
}

void
http_answer_done(struct http_answer *a)
{
    buf_free(&a->body);
}
