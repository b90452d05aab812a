/*
 * certificate: sign-in by client certificate: the steps of two hosts, and the ticket between them.
 *
 * Why two hosts. A browser is asked for a certificate in the handshake, before it says what it wants; on the main host
 * everybody would be asked. So the certificate door has host names of its own (settings cert.*), where the handshake
 * asks, and nothing but this step is served.
 *
 * Cards may have a name of their own (cert.card.url) at the same door, where the handshake asks for nothing else; ?door=card leads
 * there, and the ticket brings the word back for another try. Whatever name was used, the certificate's authority decides
 * what it is.
 *
 * The protocol.
 *   1. main:  GET /signon/{flow}/certificate     The browser gets the cookie "__Host-certificate", 32 random bytes (or
 *             keeps the one it has), and is sent to the door with k = SHA-256 of it in the address.
 *   2. door:  GET /certificate/{flow}?k=…        A handshake of its own, never resumed, on a connection that ends with
 *             this answer. The certificate is judged (idp/credential/certificate.h). Whatever comes out, also "none was
 *             sent", goes back to the main host as a ticket: this host shows no page, so that a remembered choice is
 *             always followed by a way out.
 *   3. main:  GET /signon/{flow}/certificate/{ticket}     A good one makes the session and goes on to the service; others
 *             show what happened and what to do.
 *
 * The ticket is sealed under the field key (AES-256-GCM, its id as its place): flow, k, what came out, certificate, account,
 * instant. It counts for its flow, in the browser whose cookie has the digest k, for cert.ticket_life, and once: its id
 * is written in the session's transaction. So a ticket that was stolen, replayed, kept or brought to another flow opens
 * nothing, and a link that somebody else made signs nobody in. A GET may use it up because it is no good to whoever does not
 * hold the cookie: nothing that looks at links for a person (DOMAIN T-20) does.
 *
 * Shown for something else. A flow of a dialect that has `shown` (signon.h) signs nobody in: its person has a session, and shows a
 * certificate that is to become theirs. Steps 1 and 2 are the same; the ticket also holds what names the certificate, and step 3 hands it
 * to the dialect, which asks the person and takes it back from their form with signon_shown_open(). The ticket is used up there, with
 * what it leads to. The dialect binds the flow to the session that began it.
 *
 * What it does not stop: whoever began a flow in a browser of their own, lures the holder of a card into visiting the door with
 * that k, and reads the ticket from the holder's address bar within its life.
 */
#ifndef IDP_SIGNON_CERTIFICATE_H
#define IDP_SIGNON_CERTIFICATE_H

#include "idp/credential/certificate.h"
#include "idp/signon/signon-internal.h"

/* How the proxy in front of the door hands certificates over (setting cert.proxy). */
enum certificate_proxy { CERTIFICATE_PROXY_NONE, CERTIFICATE_PROXY_RFC9440, CERTIFICATE_PROXY_NGINX, CERTIFICATE_PROXY_HAPROXY };
#define CERTIFICATE_CHAIN_MAX 6

/*
 * The certificates in a proxy's headers, leaf first, in the arena. leaf, others: header values, NULL when absent.
 *   RFC 9440:  Client-Cert (sf-binary), Client-Cert-Chain (list of them)
 *   nginx:     X-SSL-Client-Cert ($ssl_client_escaped_cert: PEM, percent-encoded)
 *   HAProxy:   X-SSL-Client-Cert (ssl_c_der,base64), X-SSL-Client-Chain (ssl_c_chain_der,base64)
 * *ret_n 0: the client sent none. ERR_INPUT: not of that form, or more than is taken.
 */
MUST_USE enum err certificate_proxy_parse(enum certificate_proxy style, const char *leaf, const char *others,
                                          struct arena *a, struct str ret[CERTIFICATE_CHAIN_MAX], size_t *ret_n);
/* What the handshake or, behind a proxy, its headers brought. ERR_DENIED: not from a proxy that is trusted; ERR_INPUT:
 * as above, or a header twice (then one is not the proxy's). */
MUST_USE enum err certificate_chain_get(struct http_request *req, struct str ret[CERTIFICATE_CHAIN_MAX], size_t *ret_n,
                                        struct why *why);

struct certificate_ticket {
    const char *id;                         /* FLOW_ID_LEN characters */
    const char *flow_id, *binder;           /* binder: k */
    enum credential_outcome outcome;
    enum trust_use use;
    bool card_door;                         /* came by the door of cards */
    const char *certificate_id, *account_id;
    bool own, linkable;                     /* of its authority (credential_check) */
    struct credential_shown shown;          /* issuer.p NULL: none */
    utime at;
};
#define CARD_DOOR "card"                    /* value of "door" in addresses */
#define BINDER_LEN 43                       /* SHA-256 in base64url */
MUST_USE enum err certificate_ticket_seal(const struct idp *idp, const struct certificate_ticket *t, struct arena *a,
                                          const char **ret_token, struct why *why);
/* ERR_NOT_FOUND: not one of ours. Flow, binder and age are the caller's to compare. */
MUST_USE enum err certificate_ticket_open(const struct idp *idp, const char *token, struct arena *a,
                                          struct certificate_ticket *ret, struct why *why);

/* For signon_flow_url(): to the door, to the one of cards when card is true and it has a name of its own. */
const char *certificate_tail(const struct idp *idp, bool card);
/* Does the request's address say so? */
bool certificate_at_card_door(const struct http_request *req);
void get_signon_flow_certificate(struct http_request *req);
void get_signon_flow_certificate_ticket(struct http_request *req);

#endif
