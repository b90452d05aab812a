/*
 * pkcs11-internal: a private key inside a PKCS#11 token, for key_*.c and hpke.c; and what pkcs11.c (sessions, signing),
 * pkcs11_load.c (module, uri, public half) and pkcs11_make.c (new keys, PINs) share.
 */
#ifndef BASE_CRYPTO_PKCS11_INTERNAL_H
#define BASE_CRYPTO_PKCS11_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include "base/core/secret.h"
#include "base/crypto/key.h"

#define TOKEN_SESSIONS_KEPT 16     /* idle sessions per key; more may be open while more threads sign */

struct token_module;               /* a loaded module, shared by its keys */

struct token_key {
    struct token_module *module;
    CK_FUNCTION_LIST *f;           /* of module */
    P11KitUri *uri;                /* names token and key */
    struct secret pin;
    pid_t pid;                     /* PKCS#11 does not survive fork() */
    enum key_alg alg;
    int bits;

    pthread_mutex_t lock;          /* for all below */
    bool pin_refused;              /* never tried again: three times lock many a token */
    unsigned epoch;                /* counts reconnections */
    CK_SLOT_ID slot;
    CK_OBJECT_HANDLE object;       /* the private key; CK_INVALID_HANDLE before it was found */
    CK_SESSION_HANDLE idle[TOKEN_SESSIONS_KEPT];
    size_t n_idle;
};

/* uri: see key_load(). */
MUST_USE enum err token_key_load(const char *uri, enum key_purpose purpose, struct key **ret, struct why *why);
void token_key_free(struct token_key *t);        /* NULL is allowed */
DEFINE_FREEP(struct token_key, token_key_free)
/* Signs a digest; ECDSA comes back as R || S. *sig_len: room in sig, then the length.
 * ERR_UNAVAILABLE: the token is away; ERR_DENIED: it refuses. */
MUST_USE enum err token_key_sign(struct token_key *t, enum sig_alg alg, struct str digest, unsigned char *sig,
                                 size_t *sig_len, struct why *why);
/* ECDH on P-256 (SP 800-56A §5.7.1.2): the X coordinate. peer: uncompressed point, already checked. */
MUST_USE enum err token_key_ecdh(struct token_key *t, struct str peer, unsigned char shared[32], struct why *why);

/* --- between the files --------------------------------------------------------------------------- */
/* Runs op in a session that is logged in and knows the key; once more when the session or the token was lost. */
MUST_USE enum err token_run(struct token_key *t, CK_RV (*op)(struct token_key *t, CK_SESSION_HANDLE s, void *arg),
                            void *arg, const char *what, struct why *why);
/* The only object of that class that has the given attributes; CKR_OK with CK_INVALID_HANDLE: none, or several. */
CK_RV token_find(struct token_key *t, CK_SESSION_HANDLE s, CK_ATTRIBUTE *attributes, CK_ULONG n,
                 CK_OBJECT_HANDLE *ret, CK_ULONG *ret_count);
enum err token_err(CK_RV rv) MUST_USE;
/* Module and uri, without a connection yet; with_key: the uri must name a key. */
MUST_USE enum err token_open_with_pin(const char *uri, struct str pin, bool with_key, struct token_key **ret,
                                      struct why *why);
/* The slot of the one token that fits the uri, into t->slot. */
MUST_USE enum err token_slot_find(struct token_key *t, struct why *why);
void token_module_release(struct token_module *m);

#endif
