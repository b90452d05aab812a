/*
 * pkcs11_make: what a key ceremony does to a token: makes and destroys key pairs, tells the token's serial number, changes
 * its PIN.
 *
 * Each call opens a read/write session of its own and closes it; nothing is retried. A new key is sensitive, cannot be
 * extracted and signs, nothing else. What bites: C_Login is the process's, not the session's: where the process is
 * logged in already, the token answers "already" and the PIN that was given is not looked at.
 */
#include <string.h>

#include <p11-kit/p11-kit.h>

#include "base/crypto/key-internal.h"
#include "base/crypto/pkcs11-internal.h"

#define PIN_MIN 4

struct rw_session {
    struct token_key *t;
    CK_SESSION_HANDLE s;
    bool open, logged_in;
};

static void
rw_close(struct rw_session *r)
{
    if (r->logged_in)
        (void)r->t->f->C_Logout(r->s);
    if (r->open)
        (void)r->t->f->C_CloseSession(r->s);
}

static enum err
rw_open(struct token_key *t, struct rw_session *r, struct why *why)
{
    CK_RV rv;
    enum err e;

    r->t = t;
    if ((e = token_slot_find(t, why)) != OK)
        return e;
    if ((rv = t->f->C_OpenSession(t->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &r->s)) != CKR_OK)
        return why_set(why, token_err(rv), "session with the token: %s", p11_kit_strerror(rv));
    r->open = true;
    return OK;
}

static enum err
rw_login(struct rw_session *r, struct why *why)
{
    const CK_RV rv = r->t->f->C_Login(r->s, CKU_USER, r->t->pin.data, r->t->pin.len);

    if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
        return why_set(why, token_err(rv), "log-in to the token: %s", p11_kit_strerror(rv));
    r->logged_in = rv == CKR_OK;
    return OK;
}

/* --- names ---------------------------------------------------------------------------------------------- */

/* The uri's object and id into attributes behind the n that are there; returns how many there are then. */
static CK_ULONG
names_add(const struct token_key *t, CK_ATTRIBUTE *attributes, CK_ULONG n)
{
    static const CK_ATTRIBUTE_TYPE named[] = { CKA_LABEL, CKA_ID };

    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        const CK_ATTRIBUTE *a = p11_kit_uri_get_attribute(t->uri, named[i]);

        if (a != NULL)
            attributes[n++] = *a;
    }
    return n;
}

static enum err
pair_find(const struct rw_session *r, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *ret, CK_ULONG *ret_count, struct why *why)
{
    CK_ATTRIBUTE attributes[3] = { { CKA_CLASS, &class, sizeof(class) } };
    const CK_ULONG n = names_add(r->t, attributes, 1);
    const CK_RV rv = token_find(r->t, r->s, attributes, n, ret, ret_count);

    return rv == CKR_OK ? OK : why_set(why, token_err(rv), "search in the token: %s", p11_kit_strerror(rv));
}

/* --- generation ------------------------------------------------------------------------------------------- */

struct pair_kind {
    CK_MECHANISM mechanism;
    CK_ATTRIBUTE params[2];
    CK_ULONG n;
    CK_ULONG bits;
    unsigned char exponent[3], curve[10];
};

static enum err
pair_kind_set(enum key_alg alg, int rsa_bits, struct pair_kind *k, struct why *why)
{
    static const unsigned char p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    static const unsigned char p384[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };

    k->mechanism = (CK_MECHANISM){ CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    k->params[0] = (CK_ATTRIBUTE){ CKA_EC_PARAMS, k->curve, sizeof(p256) };
    k->n = 1;
    switch (alg) {
    case KEY_P256:
        memcpy(k->curve, p256, sizeof(p256));
        return OK;
    case KEY_P384:
        memcpy(k->curve, p384, sizeof(p384));
        k->params[0].ulValueLen = sizeof(p384);
        return OK;
    case KEY_RSA:
        if (rsa_bits < 2048 || rsa_bits > 8192)
            return why_set(why, ERR_DENIED, "RSA key of %d bits", rsa_bits);
        k->bits = (CK_ULONG)rsa_bits;
        memcpy(k->exponent, "\x01\x00\x01", 3);
        k->mechanism.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN;
        k->params[0] = (CK_ATTRIBUTE){ CKA_MODULUS_BITS, &k->bits, sizeof(k->bits) };
        k->params[1] = (CK_ATTRIBUTE){ CKA_PUBLIC_EXPONENT, k->exponent, sizeof(k->exponent) };
        k->n = 2;
        return OK;
    case KEY_ED25519:
        break;
    }
    return why_set(why, ERR_DENIED, "keys in tokens are RSA, P-256 or P-384");
}

static enum err
pair_generate(const struct rw_session *r, struct pair_kind *k, struct why *why)
{
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE public[6] = { { CKA_TOKEN, &yes, 1 }, { CKA_VERIFY, &yes, 1 } };
    CK_ATTRIBUTE private[8] = { { CKA_TOKEN, &yes, 1 },       { CKA_PRIVATE, &yes, 1 }, { CKA_SENSITIVE, &yes, 1 },
                                { CKA_EXTRACTABLE, &no, 1 }, { CKA_SIGN, &yes, 1 } };
    CK_OBJECT_HANDLE pub, priv;
    CK_ULONG n = 2;
    CK_RV rv;

    for (CK_ULONG i = 0; i < k->n; i++)
        public[n++] = k->params[i];
    rv = r->t->f->C_GenerateKeyPair(r->s, &k->mechanism, public, names_add(r->t, public, n), private,
                                    names_add(r->t, private, 5), &pub, &priv);
    return rv == CKR_OK ? OK : why_set(why, token_err(rv), "key pair in the token: %s", p11_kit_strerror(rv));
}

static enum err
pair_make(struct token_key *t, struct pair_kind *kind, struct why *why)
{
    AUTO(rw_close) struct rw_session r = { NULL, 0, false, false };
    CK_OBJECT_HANDLE found;
    CK_ULONG count = 0;
    enum err e;

    if ((e = rw_open(t, &r, why)) != OK || (e = rw_login(&r, why)) != OK ||
        (e = pair_find(&r, CKO_PRIVATE_KEY, &found, &count, why)) != OK)
        return e;
    if (count > 0)
        return why_set(why, ERR_CONFLICT, "the token has a key of that name already");
    return pair_generate(&r, kind, why);
}

enum err
key_generate_token(const char *uri, struct str pin, enum key_alg alg, int rsa_bits, enum key_purpose purpose,
                   struct key **ret, struct why *why)
{
    AUTO(token_key_freep) struct token_key *t = NULL;
    struct pair_kind kind = { .n = 0 };
    enum err e;

    if ((e = pair_kind_set(alg, rsa_bits, &kind, why)) != OK || (e = token_open_with_pin(uri, pin, true, &t, why)) != OK ||
        (e = pair_make(t, &kind, why)) != OK)
        return e;
    return key_load_token(uri, pin, purpose, ret, why);
}

enum err
key_destroy_token(const char *uri, struct str pin, struct why *why)
{
    static const CK_OBJECT_CLASS classes[] = { CKO_PRIVATE_KEY, CKO_PUBLIC_KEY };
    AUTO(token_key_freep) struct token_key *t = NULL;
    AUTO(rw_close) struct rw_session r = { NULL, 0, false, false };
    enum err e;

    if ((e = token_open_with_pin(uri, pin, true, &t, why)) != OK || (e = rw_open(t, &r, why)) != OK ||
        (e = rw_login(&r, why)) != OK)
        return e;
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
        CK_ULONG count = 0;
        CK_RV rv;

        if ((e = pair_find(&r, classes[i], &object, &count, why)) != OK)
            return e;
        if (count > 1)
            return why_set(why, ERR_INPUT, "several keys in the token fit the uri");
        if (count == 0 && i == 0)
            return why_set(why, ERR_NOT_FOUND, "no private key in the token fits the uri");
        if (count == 1 && (rv = t->f->C_DestroyObject(r.s, object)) != CKR_OK)
            return why_set(why, token_err(rv), "destruction in the token: %s", p11_kit_strerror(rv));
    }
    return OK;
}

/* --- the token ------------------------------------------------------------------------------------------------ */

enum err
token_serial(const char *uri, char ret_serial[TOKEN_SERIAL_SIZE], struct why *why)
{
    AUTO(token_key_freep) struct token_key *t = NULL;
    CK_TOKEN_INFO info;
    size_t n = sizeof(info.serialNumber);
    CK_RV rv;
    enum err e;

    if ((e = token_open_with_pin(uri, STR_NULL, false, &t, why)) != OK || (e = token_slot_find(t, why)) != OK)
        return e;
    if ((rv = t->f->C_GetTokenInfo(t->slot, &info)) != CKR_OK)
        return why_set(why, token_err(rv), "the token does not tell its serial number: %s", p11_kit_strerror(rv));
    while (n > 0 && (info.serialNumber[n - 1] == ' ' || info.serialNumber[n - 1] == '\0'))
        n--;
    if (n == 0)
        return why_set(why, ERR_INPUT, "the token has no serial number");
    memcpy(ret_serial, info.serialNumber, n);
    ret_serial[n] = '\0';
    return OK;
}

enum err
token_pin_change(const char *uri, struct str old_pin, struct str new_pin, struct why *why)
{
    AUTO(token_key_freep) struct token_key *t = NULL;
    AUTO(rw_close) struct rw_session r = { NULL, 0, false, false };
    AUTO(secret_done) struct secret fresh = SECRET_INIT;
    CK_RV rv;
    enum err e;

    if (new_pin.n < PIN_MIN)
        return why_set(why, ERR_INPUT, "a PIN of %d characters or more is wanted", PIN_MIN);
    if ((e = token_open_with_pin(uri, old_pin, false, &t, why)) != OK || (e = rw_open(t, &r, why)) != OK ||
        (e = rw_login(&r, why)) != OK)
        return e;
    secret_set(&fresh, new_pin.p, new_pin.n);
    if ((rv = t->f->C_SetPIN(r.s, t->pin.data, t->pin.len, fresh.data, fresh.len)) != CKR_OK)
        return why_set(why, token_err(rv), "PIN of the token: %s", p11_kit_strerror(rv));
    return OK;
}
