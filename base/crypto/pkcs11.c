/*
 * pkcs11: sessions with a token, and what the key in it computes. For key_*.c and hpke.c only.
 *
 * The token holds one private key of ours per struct token_key. Sessions are kept open in a small pool, because opening
 * one is a round trip on a network HSM; C_Login is repeated for each new session and answered "already" by a token
 * that is logged in. When a session, the token or the key handle is lost (reset, removal), everything is looked up
 * again once; a second failure is ERR_UNAVAILABLE. A PIN that was refused is never sent again.
 *
 * RSA signs with CKM_RSA_PKCS over a DigestInfo of our own, ECDSA with CKM_ECDSA over the digest: the two mechanisms
 * every token has. Ed25519 keys in tokens are not supported.
 *
 * What bites: modules do not survive fork(); a call in a child is refused here before the module sees it.
 */
#include <stdio.h>
#include <unistd.h>

#include <p11-kit/p11-kit.h>

#include "base/crypto/key-internal.h"
#include "base/crypto/pkcs11-internal.h"

#define FIND_MAX 2                 /* enough to tell one from several */

enum err
token_err(CK_RV rv)
{
    switch (rv) {
    case CKR_OK:
        return OK;
    case CKR_PIN_INCORRECT:
    case CKR_PIN_LOCKED:
    case CKR_PIN_EXPIRED:
    case CKR_USER_PIN_NOT_INITIALIZED:
    case CKR_KEY_FUNCTION_NOT_PERMITTED:
    case CKR_KEY_TYPE_INCONSISTENT:
    case CKR_MECHANISM_INVALID:
    case CKR_MECHANISM_PARAM_INVALID:
        return ERR_DENIED;
    default:                       /* an open set, not an enum of ours */
        return ERR_UNAVAILABLE;
    }
}

static bool
is_lost(CK_RV rv)
{
    switch (rv) {
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_OBJECT_HANDLE_INVALID:
    case CKR_KEY_HANDLE_INVALID:
    case CKR_DEVICE_REMOVED:
    case CKR_DEVICE_ERROR:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_SLOT_ID_INVALID:
        return true;
    default:
        return false;
    }
}

CK_RV
token_find(struct token_key *t, CK_SESSION_HANDLE s, CK_ATTRIBUTE *attributes, CK_ULONG n, CK_OBJECT_HANDLE *ret,
           CK_ULONG *ret_count)
{
    CK_OBJECT_HANDLE found[FIND_MAX];
    CK_ULONG count = 0;
    CK_RV rv = t->f->C_FindObjectsInit(s, attributes, n), end;

    if (rv != CKR_OK)
        return rv;
    rv = t->f->C_FindObjects(s, found, FIND_MAX, &count);
    end = t->f->C_FindObjectsFinal(s);
    if (rv == CKR_OK)
        rv = end;
    if (rv == CKR_OK) {
        *ret = count == 1 ? found[0] : CK_INVALID_HANDLE;
        *ret_count = count;
    }
    return rv;
}

/* --- connecting; t->lock is held ------------------------------------------------------------------------ */

enum err
token_slot_find(struct token_key *t, struct why *why)
{
    CK_SLOT_ID slots[64];
    CK_ULONG n = ARRAY_LEN(slots);
    CK_TOKEN_INFO info;
    int found = 0;
    CK_RV rv = t->f->C_GetSlotList(CK_TRUE, slots, &n);

    if (rv != CKR_OK)
        return why_set(why, ERR_UNAVAILABLE, "slots of the PKCS#11 module: %s", p11_kit_strerror(rv));
    for (CK_ULONG i = 0; i < n; i++) {
        if (t->f->C_GetTokenInfo(slots[i], &info) != CKR_OK || !p11_kit_uri_match_token_info(t->uri, &info))
            continue;
        t->slot = slots[i];
        found++;
    }
    if (found == 0)
        return why_set(why, ERR_UNAVAILABLE, "no token that fits the uri is present");
    if (found > 1)
        return why_set(why, ERR_INPUT, "several tokens fit the uri: name it by serial or token");
    return OK;
}

static enum err
login(struct token_key *t, CK_SESSION_HANDLE s, struct why *why)
{
    CK_RV rv;

    if (t->pin_refused)
        return why_set(why, ERR_DENIED, "the token refused the PIN before; not tried again");
    rv = t->f->C_Login(s, CKU_USER, t->pin.data, t->pin.len);
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
        return OK;
    t->pin_refused = token_err(rv) == ERR_DENIED;
    return why_set(why, token_err(rv), "log-in to the token: %s", p11_kit_strerror(rv));
}

static enum err
private_key_find(struct token_key *t, CK_SESSION_HANDLE s, struct why *why)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE attributes[4] = { { CKA_CLASS, &class, sizeof(class) } };
    static const CK_ATTRIBUTE_TYPE named[] = { CKA_ID, CKA_LABEL };
    CK_ULONG n = 1, count = 0;
    CK_RV rv;

    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        const CK_ATTRIBUTE *a = p11_kit_uri_get_attribute(t->uri, named[i]);

        if (a != NULL)
            attributes[n++] = *a;
    }
    if ((rv = token_find(t, s, attributes, n, &t->object, &count)) != CKR_OK)
        return why_set(why, token_err(rv), "search for the private key: %s", p11_kit_strerror(rv));
    if (count == 0)
        return why_set(why, ERR_NOT_FOUND, "no private key in the token fits the uri");
    if (count > 1)
        return why_set(why, ERR_INPUT, "several private keys fit the uri: name it by id or object");
    return OK;
}

static enum err
session_open(struct token_key *t, CK_SESSION_HANDLE *ret, struct why *why)
{
    CK_SESSION_HANDLE s;
    CK_RV rv;
    enum err e;

    if (t->object == CK_INVALID_HANDLE && (e = token_slot_find(t, why)) != OK)
        return e;
    if ((rv = t->f->C_OpenSession(t->slot, CKF_SERIAL_SESSION, NULL, NULL, &s)) != CKR_OK)
        return why_set(why, token_err(rv), "session with the token: %s", p11_kit_strerror(rv));
    if ((e = login(t, s, why)) != OK ||
        (t->object == CK_INVALID_HANDLE && (e = private_key_find(t, s, why)) != OK)) {
        (void)t->f->C_CloseSession(s);
        return e;
    }
    *ret = s;
    return OK;
}

/* --- the pool -------------------------------------------------------------------------------------------- */

static enum err
session_take(struct token_key *t, CK_SESSION_HANDLE *ret, unsigned *ret_epoch, struct why *why)
{
    enum err e = OK;

    CHECK(pthread_mutex_lock(&t->lock) == 0);
    if (t->n_idle > 0)
        *ret = t->idle[--t->n_idle];
    else
        e = session_open(t, ret, why);
    *ret_epoch = t->epoch;
    CHECK(pthread_mutex_unlock(&t->lock) == 0);
    return e;
}

static void
session_give_back(struct token_key *t, CK_SESSION_HANDLE s, unsigned epoch)
{
    bool kept = false;

    CHECK(pthread_mutex_lock(&t->lock) == 0);
    if (epoch == t->epoch && t->n_idle < ARRAY_LEN(t->idle)) {
        t->idle[t->n_idle++] = s;
        kept = true;
    }
    CHECK(pthread_mutex_unlock(&t->lock) == 0);
    if (!kept)
        (void)t->f->C_CloseSession(s);
}

/* Forgets what the token may have forgotten, unless another thread did it meanwhile. */
static void
connection_reset(struct token_key *t, unsigned epoch)
{
    CHECK(pthread_mutex_lock(&t->lock) == 0);
    if (epoch == t->epoch) {
        t->epoch++;
        t->object = CK_INVALID_HANDLE;
        while (t->n_idle > 0)
            (void)t->f->C_CloseSession(t->idle[--t->n_idle]);
    }
    CHECK(pthread_mutex_unlock(&t->lock) == 0);
}

enum err
token_run(struct token_key *t, CK_RV (*op)(struct token_key *t, CK_SESSION_HANDLE s, void *arg), void *arg,
          const char *what, struct why *why)
{
    CK_RV rv = CKR_GENERAL_ERROR;
    enum err e;

    if (t->pid != getpid())
        return why_set(why, ERR_INTERNAL, "a PKCS#11 key is used after fork()");
    for (int attempt = 0; attempt < 2; attempt++) {
        CK_SESSION_HANDLE s = CK_INVALID_HANDLE;
        unsigned epoch = 0;

        if ((e = session_take(t, &s, &epoch, why)) != OK) {
            if (e == ERR_UNAVAILABLE && why != NULL)
                snprintf(why->code, sizeof(why->code), "%s", KEY_TOKEN_AWAY);
            return e;
        }
        if ((rv = op(t, s, arg)) == CKR_OK) {
            session_give_back(t, s, epoch);
            return OK;
        }
        (void)t->f->C_CloseSession(s);      /* an operation may be half open in it */
        if (!is_lost(rv))
            break;
        connection_reset(t, epoch);
    }
    return why_code(why, token_err(rv), token_err(rv) == ERR_UNAVAILABLE ? KEY_TOKEN_AWAY : "", "%s: %s", what,
                    p11_kit_strerror(rv));
}

void
token_key_free(struct token_key *t)
{
    if (t == NULL)
        return;
    if (t->pid == getpid()) {
        while (t->n_idle > 0)
            (void)t->f->C_CloseSession(t->idle[--t->n_idle]);
        token_module_release(t->module);
    }
    p11_kit_uri_free(t->uri);
    secret_done(&t->pin);
    CHECK(pthread_mutex_destroy(&t->lock) == 0);
    mem_freep(&t);
}

/* --- signing ------------------------------------------------------------------------------------------------ */

struct sign_request {
    enum sig_alg alg;
    struct str digest;
    unsigned char *sig;
    CK_ULONG sig_len;
};

/* RFC 8017 §9.2, notes: DER of DigestInfo up to the digest. */
static struct str
digest_info_prefix(enum ossl_md_id md)
{
    switch (md) {
    case OSSL_MD_SHA256:
        return STR_LIT("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20");
    case OSSL_MD_SHA384:
        return STR_LIT("\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30");
    case OSSL_MD_SHA512:
        return STR_LIT("\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40");
    case OSSL_MD_SHA1:
        break;
    }
    panic("no signature uses digest %d", (int)md);
}

static CK_RV
sign_op(struct token_key *t, CK_SESSION_HANDLE s, void *arg)
{
    struct sign_request *r = arg;
    const struct sig_alg_row *row = &sig_alg_rows[r->alg];
    CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 32 };      /* PS256, the only one in the list */
    CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
    unsigned char input[19 + EVP_MAX_MD_SIZE];
    struct str prefix = STR_NULL;
    CK_RV rv;

    if (row->half > 0)
        mechanism.mechanism = CKM_ECDSA;
    else if (row->pss)
        mechanism = (CK_MECHANISM){ CKM_RSA_PKCS_PSS, &pss, sizeof(pss) };
    else
        prefix = digest_info_prefix(row->md);
    if (prefix.n > 0)
        memcpy(input, prefix.p, prefix.n);
    memcpy(input + prefix.n, r->digest.p, r->digest.n);
    if ((rv = t->f->C_SignInit(s, &mechanism, t->object)) != CKR_OK)
        return rv;
    r->sig_len = KEY_SIG_MAX;
    return t->f->C_Sign(s, input, prefix.n + r->digest.n, r->sig, &r->sig_len);
}

enum err
token_key_sign(struct token_key *t, enum sig_alg alg, struct str digest, unsigned char *sig, size_t *sig_len,
               struct why *why)
{
    const size_t half = sig_alg_rows[alg].half;
    struct sign_request r = { alg, digest, sig, 0 };
    enum err e;

    CHECK(*sig_len >= KEY_SIG_MAX && digest.n <= EVP_MAX_MD_SIZE);
    if ((e = token_run(t, sign_op, &r, "signature by the token", why)) != OK)
        return e;
    if (r.sig_len != (half > 0 ? 2 * half : (size_t)(t->bits + 7) / 8))
        return why_set(why, ERR_UNAVAILABLE, "the token returned a signature of a wrong length");
    *sig_len = r.sig_len;
    return OK;
}

/* --- ECDH --------------------------------------------------------------------------------------------------- */

struct ecdh_request {
    struct str peer;
    unsigned char *shared;
};

static CK_RV
ecdh_op(struct token_key *t, CK_SESSION_HANDLE s, void *arg)
{
    const struct ecdh_request *r = arg;
    unsigned char peer[1 + 2 * 48];
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof(class) },  { CKA_KEY_TYPE, &type, sizeof(type) },
                                { CKA_TOKEN, &no, sizeof(no) },        { CKA_SENSITIVE, &no, sizeof(no) },
                                { CKA_EXTRACTABLE, &yes, sizeof(yes) }, { CKA_VALUE_LEN, &len, sizeof(len) } };
    CK_ECDH1_DERIVE_PARAMS params = { CKD_NULL, 0, NULL, r->peer.n, peer };
    CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &params, sizeof(params) };
    CK_ATTRIBUTE value = { CKA_VALUE, r->shared, 32 };
    CK_OBJECT_HANDLE derived;
    CK_RV rv, end;

    CHECK(r->peer.n <= sizeof(peer));
    memcpy(peer, r->peer.p, r->peer.n);
    if ((rv = t->f->C_DeriveKey(s, &mechanism, t->object, template, ARRAY_LEN(template), &derived)) != CKR_OK)
        return rv;
    rv = t->f->C_GetAttributeValue(s, derived, &value, 1);
    end = t->f->C_DestroyObject(s, derived);
    if (rv == CKR_OK && value.ulValueLen != 32)
        rv = CKR_FUNCTION_FAILED;
    return rv != CKR_OK ? rv : end;
}

enum err
token_key_ecdh(struct token_key *t, struct str peer, unsigned char shared[32], struct why *why)
{
    struct ecdh_request r = { peer, shared };

    return token_run(t, ecdh_op, &r, "ECDH by the token", why);
}
