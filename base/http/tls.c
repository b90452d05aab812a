/*
 * tls: GnuTLS under libmicrohttpd: certificates per listener, client certificates, tickets, reload.
 *
 * libmicrohttpd knows one set of credentials per daemon and verifies nothing: with MHD_OPTION_HTTPS_MEM_TRUST a
 * certificate of any CA reaches the handler. Here each session gets its listener's own credentials in the STARTED
 * notice, before the first handshake byte, so one daemon serves listeners with different certificates and different
 * demands, and the client's chain is checked inside the handshake by verify_client().
 *
 * Credentials are counted: a reload swaps the listener's, running sessions keep theirs to their end.
 *
 * Tickets: MHD never enables them. A ticket taken with a client certificate would bring the certificate back without
 * its key being used, so listeners that ask for certificates give none; each of the others has a key of its own.
 */
#include <gnutls/gnutls.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/core/log.h"
#include "base/core/secret.h"
#include "base/http/http-internal.h"

/*
 * ANSSI SDE-NT-35: TLS 1.2 and 1.3, ephemeral elliptic curves, AEAD. The strength of client chains (112 bits) is said
 * here and not by gnutls_certificate_set_verify_flags: GnuTLS 3.7.9 ORs the two profile numbers, and MEDIUM | LOW is
 * ULTRA, which refuses P-256.
 */
const char tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
                              ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA"
                              ":-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305"
                              ":-MAC-ALL:+AEAD"
                              ":-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1"
                              ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
                              ":%SERVER_PRECEDENCE:%PROFILE_MEDIUM";

/*
 * Where the handler judges: GnuTLS would break the handshake off over a key usage without digitalSignature, which is what
 * the second certificate of many cards has. %COMPAT lets that through; what else it loosens is RSA key exchange and record
 * sizes, and the former is not in the list.
 */
static const char any_priorities_more[] = ":%COMPAT";

#define PEM_MAX (256 * 1024)

struct tls_cred {
    _Atomic int refs;
    gnutls_certificate_credentials_t x509;
    gnutls_datum_t ticket_key;            /* empty when certificates are asked */
    bool ask, require, any;
    gnutls_priority_t priorities;         /* of its own; NULL: the daemon's */
    uint64_t names;                       /* version of the names that are sent */
};

static void
gnutls_datum_done(gnutls_datum_t *d)
{
    if (d->data != NULL)
        mem_wipe(d->data, d->size);
    gnutls_free(d->data);
    d->data = NULL;
}

static struct tls_cred *
tls_cred_ref(struct tls_cred *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

static void
tls_cred_unref(struct tls_cred *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    gnutls_certificate_free_credentials(c->x509);
    if (c->priorities != NULL)
        gnutls_priority_deinit(c->priorities);
    gnutls_datum_done(&c->ticket_key);
    free(c);
}
DEFINE_FREEP(struct tls_cred, tls_cred_unref)

static int verify_client(gnutls_session_t session);

static enum err
load_key_pair(struct tls_cred *c, const struct http_tls *conf, struct why *why)
{
    AUTO(secret_done) struct secret key = SECRET_INIT;
    AUTO(gnutls_datum_done) gnutls_datum_t cert = { NULL, 0 };
    gnutls_datum_t key_view;
    enum err e;
    int rc;

    if ((e = secret_read_file(conf->key_file, PEM_MAX, &key, why)) != OK)
        return e;
    if ((rc = gnutls_load_file(conf->cert_file, &cert)) < 0)
        return why_set(why, ERR_NOT_FOUND, "%s: %s", conf->cert_file, gnutls_strerror(rc));
    key_view = (gnutls_datum_t){ key.data, (unsigned)key.len };
    rc = gnutls_certificate_set_x509_key_mem(c->x509, &cert, &key_view, GNUTLS_X509_FMT_PEM);
    if (rc < 0)
        return why_set(why, ERR_INPUT, "%s with %s: %s", conf->cert_file, conf->key_file, gnutls_strerror(rc));
    return OK;
}

static enum err
load_any_priorities(struct tls_cred *c, struct why *why)
{
    AUTO(buf_free) struct buf words = BUF_BOUNDED(1024);
    int rc;

    buf_adds(&words, tls_priorities);
    buf_adds(&words, any_priorities_more);
    if ((rc = gnutls_priority_init(&c->priorities, buf_cstr(&words), NULL)) < 0)
        return why_set(why, ERR_INTERNAL, "gnutls priorities: %s", gnutls_strerror(rc));
    return OK;
}

/* The authorities' names stand in the request for a certificate; verify_client() does not ask this trust. */
static enum err
load_names(struct tls_cred *c, const struct http_tls *conf, unsigned host, void *app, struct why *why)
{
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(PEM_MAX);
    gnutls_datum_t view;
    int rc;

    if (conf->client_names == NULL)
        return OK;
    c->names = conf->client_names(app, host, 0, &pem);
    if (!buf_ok(&pem))
        return why_set(why, ERR_INPUT, "more names of authorities than a handshake should carry");
    view = (gnutls_datum_t){ (unsigned char *)pem.data, (unsigned)pem.len };
    if (pem.len > 0 && (rc = gnutls_certificate_set_x509_trust_mem(c->x509, &view, GNUTLS_X509_FMT_PEM)) < 0)
        return why_set(why, ERR_INPUT, "names of authorities: %s", gnutls_strerror(rc));
    return OK;
}

static enum err
tls_cred_load(const struct http_tls *conf, unsigned host, void *app, struct tls_cred **ret, struct why *why)
{
    AUTO(tls_cred_unrefp) struct tls_cred *c = mem_alloc(sizeof(*c));
    enum err e;
    int rc;

    atomic_store(&c->refs, 1);
    if (gnutls_certificate_allocate_credentials(&c->x509) < 0)
        panic("gnutls: out of memory");
    if (conf->cert_file == NULL || conf->key_file == NULL)
        return why_set(why, ERR_INPUT, "TLS without certificate or key file");
    if ((e = load_key_pair(c, conf, why)) != OK)
        return e;
    if (conf->client_any) {
        if (conf->client_ca_file != NULL)
            return why_set(why, ERR_INPUT, "client_any and client_ca_file exclude each other");
        gnutls_certificate_set_verify_function(c->x509, verify_client);
        c->ask = c->any = true;
        if ((e = load_any_priorities(c, why)) != OK || (e = load_names(c, conf, host, app, why)) != OK)
            return e;
        *ret = TAKE(c);
        return OK;
    }
    if (conf->client_ca_file == NULL) {
        if (conf->client_required)
            return why_set(why, ERR_INPUT, "client certificates required without client_ca_file");
        if (gnutls_session_ticket_key_generate(&c->ticket_key) < 0)
            return why_set(why, ERR_INTERNAL, "gnutls: no ticket key");
        *ret = TAKE(c);
        return OK;
    }
    rc = gnutls_certificate_set_x509_trust_file(c->x509, conf->client_ca_file, GNUTLS_X509_FMT_PEM);
    if (rc <= 0)
        return why_set(why, ERR_INPUT, "%s: %s", conf->client_ca_file,
                       rc == 0 ? "no certificate in it" : gnutls_strerror(rc));
    gnutls_certificate_set_verify_limits(c->x509, HTTP_CERT_BITS_MAX, HTTP_CERT_CHAIN_MAX);
    gnutls_certificate_set_verify_function(c->x509, verify_client);
    c->ask = true;
    c->require = conf->client_required;
    *ret = TAKE(c);
    return OK;
}

void
tls_creds_done(struct tls_creds *c)
{
    for (size_t i = 0; i < ARRAY_LEN(c->of); i++)
        tls_cred_unref(c->of[i]);
    *c = (struct tls_creds){ .of = { NULL } };
}

enum err
tls_creds_load(const struct http_tls *conf, void *app, struct tls_creds *ret, struct why *why)
{
    AUTO(tls_creds_done) struct tls_creds c = { .of = { NULL } };
    enum err e;

    for (unsigned host = 0; host < ARRAY_LEN(c.of); host++)
        if ((host == 0 || conf->client_hosts[host - 1] != NULL) && (e = tls_cred_load(conf, host, app, &c.of[host], why)) != OK)
            return e;
    *ret = c;
    c = (struct tls_creds){ .of = { NULL } };
    return OK;
}

/* MHD insists on a certificate of its own or a callback; its credentials are replaced before they are used. */
static int
never(gnutls_session_t session, const gnutls_datum_t *req_ca_dn, int nreqs, const gnutls_pk_algorithm_t *pk_algos,
      int pk_algos_length, gnutls_pcert_st **pcert, unsigned int *pcert_length, gnutls_privkey_t *privkey)
{
    (void)session, (void)req_ca_dn, (void)nreqs, (void)pk_algos, (void)pk_algos_length;
    (void)pcert, (void)pcert_length, (void)privkey;
    return -1;
}

void *
tls_never_callback(void)
{
    gnutls_certificate_retrieve_function2 *fn = never;
    void *p;

    /* POSIX lets a function pointer travel as void *, C has no cast for it. */
    memcpy(&p, &fn, sizeof(p));
    return p;
}

static struct http_conn *
conn_of(gnutls_session_t session)
{
    struct MHD_Connection *mhd = gnutls_session_get_ptr(session);
    const union MHD_ConnectionInfo *info =
        mhd == NULL ? NULL : MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info == NULL ? NULL : info->socket_context;
}

/* The names of authorities have changed: the host gets new credentials, or keeps the old when they cannot be made. */
static void
names_refresh(struct listener *l, unsigned host, void *app)
{
    struct tls_cred **cred = &l->creds.of[host];
    AUTO(buf_free) struct buf pem = BUF_BOUNDED(PEM_MAX);
    struct tls_cred *fresh = NULL, *old;
    struct why why = WHY_INIT;
    enum err e;

    if (l->tls.client_names(app, host, (*cred)->names, &pem) == (*cred)->names)
        return;
    if ((e = tls_cred_load(&l->tls, host, app, &fresh, &why)) != OK) {
        LOG_ERROR_EV("http.client_names", LF_ERR(e), LF_WHY(&why));
        return;
    }
    old = *cred;
    *cred = fresh;
    tls_cred_unref(old);
}

/* The connection goes on under the credentials of one host of its listener. */
static bool
conn_take(struct http_conn *conn, gnutls_session_t session, unsigned host)
{
    struct listener *l = &conn->server->listeners[conn->listener->index];
    struct tls_cred *fresh;

    pthread_mutex_lock(&l->cred_lock);
    if (l->tls.client_names != NULL)
        names_refresh(l, host, conn->server->conf->app);
    fresh = tls_cred_ref(l->creds.of[host]);
    pthread_mutex_unlock(&l->cred_lock);
    if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, fresh->x509) < 0) {
        tls_cred_unref(fresh);
        return false;
    }
    tls_cred_unref(conn->cred);
    conn->cred = fresh;
    return true;
}

/* Is name host, or below it? Host names do not know case (RFC 6066 §3). */
static bool
is_below(struct str name, const char *host)
{
    struct str h = str_of(host);

    if (name.n < h.n || (name.n > h.n && name.p[name.n - h.n - 1] != '.'))
        return false;
    return strncasecmp(name.p + name.n - h.n, h.p, h.n) == 0;
}

/* The ClientHello was read: whose names does the request for a certificate carry? */
static int
host_choose(gnutls_session_t session)
{
    struct http_conn *conn = conn_of(session);
    const char *const *hosts;
    char name[256];
    size_t n = sizeof(name);
    unsigned type, host = 0;

    if (conn == NULL)
        return GNUTLS_E_INTERNAL_ERROR;
    hosts = conn->server->listeners[conn->listener->index].tls.client_hosts;
    if (gnutls_server_name_get(session, name, &n, &type, 0) < 0 || type != GNUTLS_NAME_DNS)
        return 0;                         /* none, or longer than a host name: the listener's own */
    for (unsigned i = 0; host == 0 && i < HTTP_TLS_HOSTS_MAX && hosts[i] != NULL; i++)
        if (is_below(str_of(name), hosts[i]))
            host = i + 1;
    return host == 0 || conn_take(conn, session, host) ? 0 : GNUTLS_E_INTERNAL_ERROR;
}

bool
tls_conn_start(struct http_conn *conn, void *gnutls_session)
{
    gnutls_session_t session = gnutls_session;
    struct listener *l = &conn->server->listeners[conn->listener->index];

    if (session == NULL)
        return false;
    if (!conn_take(conn, session, 0) || (conn->cred->priorities != NULL && gnutls_priority_set(session, conn->cred->priorities) < 0))
        return false;
    if (l->tls.client_hosts[0] != NULL)
        gnutls_handshake_set_post_client_hello_function(session, host_choose);
    if (conn->cred->ask)
        gnutls_certificate_server_set_request(session, conn->cred->require ? GNUTLS_CERT_REQUIRE
                                                                            : GNUTLS_CERT_REQUEST);
    else if (gnutls_session_ticket_enable_server(session, &conn->cred->ticket_key) < 0)
        return false;
    return true;
}

void
tls_conn_done(struct http_conn *conn)
{
    tls_cred_unref(conn->cred);
    conn->cred = NULL;
    free(conn->cert);
    conn->cert = NULL;
    for (size_t i = 0; i < ARRAY_LEN(conn->chain); i++) {
        union { const char *in; void *out; } p = { conn->chain[i].p };

        free(p.out);
        conn->chain[i] = STR_NULL;
    }
    conn->nchain = 0;
}

/* Unix time at which the first certificate of the chain expires; -1: unreadable. */
static int64_t
chain_expiry(const gnutls_datum_t *chain, unsigned n)
{
    int64_t first = INT64_MAX;

    for (unsigned i = 0; i < n; i++) {
        gnutls_x509_crt_t crt;
        time_t t = -1;

        if (gnutls_x509_crt_init(&crt) < 0)
            return -1;
        if (gnutls_x509_crt_import(crt, &chain[i], GNUTLS_X509_FMT_DER) >= 0)
            t = gnutls_x509_crt_get_expiration_time(crt);
        gnutls_x509_crt_deinit(crt);
        if (t == (time_t)-1)
            return -1;
        if ((int64_t)t < first)
            first = t;
    }
    return first;
}

/* Where any certificate is let through: kept for the handler, which judges it. */
static void
chain_keep(struct http_conn *conn, const gnutls_datum_t *chain, unsigned n)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < n; i++)
        bytes += chain[i].size;
    if (n > HTTP_CERT_CHAIN_MAX || bytes > HTTP_CHAIN_BYTES) {
        conn->nchain = HTTP_CHAIN_TOO_MUCH;
        return;
    }
    for (unsigned i = 0; i < n; i++)
        conn->chain[i] = (struct str){ mem_dup(chain[i].data, chain[i].size), chain[i].size };
    conn->nchain = n;
}

/*
 * Runs in the handshake when the client sent a chain; possession of the key is proved by the handshake itself. Where
 * certificates are required a bad one ends the handshake (result -1), elsewhere the page can explain (result 0, no
 * certificate shown to handlers).
 */
static int
verify_client(gnutls_session_t session)
{
    char purpose_oid[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st data = { GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)purpose_oid, 0 };
    struct http_conn *conn = conn_of(session);
    const gnutls_datum_t *chain;
    unsigned n = 0, status = ~0u;
    int rc;

    if (conn == NULL || conn->cred == NULL)
        return -1;
    chain = gnutls_certificate_get_peers(session, &n);
    if (chain == NULL || n == 0)          /* asked and not given; where required, GnuTLS ends the handshake itself */
        return conn->cred->require ? -1 : 0;
    conn->cert_state = HTTP_CERT_UNTRUSTED;
    if (conn->cred->any) {
        /* No tickets are given here, so nothing can be resumed: the key was used. */
        if (gnutls_session_is_resumed(session))
            return -1;
        chain_keep(conn, chain, n);
        return 0;
    }
    rc = n > HTTP_CERT_CHAIN_MAX || gnutls_session_is_resumed(session)
             ? GNUTLS_E_CERTIFICATE_ERROR
             : gnutls_certificate_verify_peers(session, &data, 1, &status);
    if (rc == GNUTLS_E_SUCCESS && status == 0) {
        conn->cert_not_after = chain_expiry(chain, n);
        conn->cert = mem_dup(chain[0].data, chain[0].size);
        conn->cert_len = chain[0].size;
        conn->cert_state = HTTP_CERT_GOOD;
        return 0;
    }
    if (rc == GNUTLS_E_SUCCESS && (status & ~(unsigned)GNUTLS_CERT_INVALID) == (unsigned)GNUTLS_CERT_EXPIRED)
        conn->cert_state = HTTP_CERT_EXPIRED;
    LOG_WARN_EV("http.client_certificate_refused", LF_INT("status", rc == GNUTLS_E_SUCCESS ? (int64_t)status : rc),
                LF_BOOL("required", conn->cred->require));
    atomic_fetch_add(&conn->server->certs_bad, 1);
    return conn->cred->require ? -1 : 0;
}

enum http_cert
tls_conn_cert(struct http_conn *conn, int64_t unix_now)
{
    if (conn->cert_state == HTTP_CERT_GOOD && conn->cert_not_after < unix_now)
        return HTTP_CERT_EXPIRED;
    return conn->cert_state;
}
