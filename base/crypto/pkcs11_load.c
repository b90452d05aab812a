/*
 * pkcs11_load: finds a private key by its RFC 7512 uri: module, token, PIN, key, and the public half that belongs to it.
 *
 *     pkcs11:token=beffroi;object=saml-2026?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/beffroi/pin
 *
 * A key is tried once before it is handed out: a public object that belongs to another key, or a key that may not
 * sign, stops the start and not the first citizen.
 */
#include <dlfcn.h>
#include <unistd.h>

#include <p11-kit/p11-kit.h>

#include "base/crypto/der.h"
#include "base/crypto/key-internal.h"
#include "base/crypto/pkcs11-internal.h"
#include "base/crypto/seal.h"

#define PIN_MAX 256
#define NUMBER_MAX 1024            /* bytes of an RSA modulus */

struct token_module {
    struct token_module *next;
    char *path;
    void *handle;
    CK_FUNCTION_LIST *f;
    int refs;
    pid_t pid;
};

static struct token_module *modules;                     /* C_Initialize may be called once per process and module */
static pthread_mutex_t modules_lock = PTHREAD_MUTEX_INITIALIZER;

/* --- the module --------------------------------------------------------------------------------------------- */

static enum err
module_open(const char *path, struct token_module **ret, struct why *why)
{
    CK_RV (*get_list)(CK_FUNCTION_LIST **) = NULL;
    CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
    CK_FUNCTION_LIST *f = NULL;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    struct token_module *m;
    CK_RV rv;

    if (handle == NULL)
        return why_set(why, ERR_NOT_FOUND, "PKCS#11 module: %s", dlerror());
    *(void **)&get_list = dlsym(handle, "C_GetFunctionList");
    if (get_list == NULL || get_list(&f) != CKR_OK || f == NULL) {
        (void)dlclose(handle);
        return why_set(why, ERR_INPUT, "%s is not a PKCS#11 module", path);
    }
    rv = f->C_Initialize(&args);
    if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        (void)dlclose(handle);
        return why_set(why, ERR_UNAVAILABLE, "%s does not start: %s", path, p11_kit_strerror(rv));
    }
    m = mem_alloc(sizeof(*m));
    m->path = mem_strdup(path);
    m->handle = handle;
    m->f = f;
    m->pid = getpid();
    *ret = m;
    return OK;
}

static enum err
module_get(const char *path, struct token_module **ret, struct why *why)
{
    struct token_module *m;
    enum err e = OK;

    CHECK(pthread_mutex_lock(&modules_lock) == 0);
    for (m = modules; m != NULL; m = m->next)
        if (strcmp(m->path, path) == 0 && m->pid == getpid())
            break;
    if (m == NULL && (e = module_open(path, &m, why)) == OK && m != NULL) {
        m->next = modules;
        modules = m;
    }
    if (m != NULL) {
        m->refs++;
        *ret = m;
    }
    CHECK(pthread_mutex_unlock(&modules_lock) == 0);
    return e;
}

void
token_module_release(struct token_module *m)
{
    struct token_module **p;

    if (m == NULL)
        return;
    CHECK(pthread_mutex_lock(&modules_lock) == 0);
    if (--m->refs == 0) {
        for (p = &modules; *p != m; p = &(*p)->next)
            ;
        *p = m->next;
        (void)m->f->C_Finalize(NULL);
        (void)dlclose(m->handle);
        mem_freep(&m->path);
        mem_freep(&m);
    }
    CHECK(pthread_mutex_unlock(&modules_lock) == 0);
}

/* --- the uri ------------------------------------------------------------------------------------------------ */

DEFINE_FREEP(P11KitUri, p11_kit_uri_free)

/* with_pin: the PIN's file is named too. with_key: so is a private key. */
static enum err
uri_parse(const char *text, bool with_pin, bool with_key, P11KitUri **ret, struct why *why)
{
    AUTO(p11_kit_uri_freep) P11KitUri *uri = p11_kit_uri_new();
    static const CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
    const CK_ATTRIBUTE *class;
    int rc;

    if (uri == NULL)
        return why_set(why, ERR_INTERNAL, "PKCS#11 uri");
    if ((rc = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri)) != P11_KIT_URI_OK)
        return why_set(why, ERR_INPUT, "PKCS#11 uri: %s", p11_kit_uri_message(rc));
    if (p11_kit_uri_any_unrecognized(uri))
        return why_set(why, ERR_INPUT, "PKCS#11 uri with an unknown attribute");
    if (p11_kit_uri_get_pin_value(uri) != NULL)
        return why_set(why, ERR_INPUT, "PKCS#11 uri with pin-value: put the PIN in a file, pin-source=file:PATH");
    if (p11_kit_uri_get_module_path(uri) == NULL || (with_pin && p11_kit_uri_get_pin_source(uri) == NULL))
        return why_set(why, ERR_INPUT, "PKCS#11 uri without module-path%s", with_pin ? " or pin-source" : "");
    if (!with_pin && p11_kit_uri_get_pin_source(uri) != NULL)
        return why_set(why, ERR_INPUT, "PKCS#11 uri with pin-source: the PIN of this key is in no file");
    class = p11_kit_uri_get_attribute(uri, CKA_CLASS);
    if (class != NULL && (class->ulValueLen != sizeof(private_key) ||
                          memcmp(class->pValue, &private_key, sizeof(private_key)) != 0))
        return why_set(why, ERR_INPUT, "PKCS#11 uri of something else than a private key");
    if (with_key && p11_kit_uri_get_attribute(uri, CKA_ID) == NULL && p11_kit_uri_get_attribute(uri, CKA_LABEL) == NULL)
        return why_set(why, ERR_INPUT, "PKCS#11 uri without object or id");
    *ret = TAKE(uri);
    return OK;
}

static enum err
pin_read(const char *source, struct secret *ret, struct why *why)
{
    enum err e;

    if (strncmp(source, "file:", 5) == 0)
        source += 5;
    if (source[0] != '/')
        return why_set(why, ERR_INPUT, "pin-source must be file: and an absolute path");
    if ((e = secret_read_file(source, PIN_MAX, ret, why)) != OK)
        return e;
    secret_chomp(ret);
    return ret->len > 0 ? OK : why_set(why, ERR_INPUT, "%s: empty PIN", source);
}

/* --- the public half ---------------------------------------------------------------------------------------- */

struct public_half {
    CK_KEY_TYPE type;
    CK_BBOOL always_authenticate;
    unsigned char modulus[NUMBER_MAX], exponent[8], curve[16], point[256];
    CK_ULONG modulus_len, exponent_len, curve_len, point_len;
};

/* The attribute's value into out; *len is its room, then its length. */
static CK_RV
attribute_get(struct token_key *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, void *out,
              CK_ULONG *len)
{
    CK_ATTRIBUTE a = { type, out, *len };
    const CK_RV rv = t->f->C_GetAttributeValue(s, object, &a, 1);

    if (rv == CKR_OK)
        *len = a.ulValueLen;
    return rv;
}

static CK_RV
public_object_find(struct token_key *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *ret)
{
    static const CK_ATTRIBUTE_TYPE names[] = { CKA_ID, CKA_LABEL };
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_RV rv = CKR_OK;

    *ret = CK_INVALID_HANDLE;
    for (size_t i = 0; i < ARRAY_LEN(names) && rv == CKR_OK && *ret == CK_INVALID_HANDLE; i++) {
        unsigned char value[256];
        CK_ULONG len = sizeof(value), count;
        CK_ATTRIBUTE attributes[2] = { { CKA_CLASS, &class, sizeof(class) }, { names[i], value, 0 } };

        if (attribute_get(t, s, t->object, names[i], value, &len) != CKR_OK || len == 0)
            continue;
        attributes[1].ulValueLen = len;
        rv = token_find(t, s, attributes, ARRAY_LEN(attributes), ret, &count);
    }
    return rv;
}

static CK_RV
public_half_op(struct token_key *t, CK_SESSION_HANDLE s, void *arg)
{
    struct public_half *p = arg;
    CK_OBJECT_HANDLE object;
    CK_ULONG len = sizeof(p->type);
    CK_RV rv;

    if ((rv = attribute_get(t, s, t->object, CKA_KEY_TYPE, &p->type, &len)) != CKR_OK)
        return rv;
    len = sizeof(p->always_authenticate);
    if (attribute_get(t, s, t->object, CKA_ALWAYS_AUTHENTICATE, &p->always_authenticate, &len) != CKR_OK)
        p->always_authenticate = CK_FALSE;              /* tokens before 2.20 do not know it */
    if ((rv = public_object_find(t, s, &object)) != CKR_OK)
        return rv;
    if (p->type == CKK_RSA) {
        p->modulus_len = sizeof(p->modulus);
        p->exponent_len = sizeof(p->exponent);
        if (object == CK_INVALID_HANDLE)
            object = t->object;                         /* PKCS#11 §2.1.3: most private keys know both */
        if ((rv = attribute_get(t, s, object, CKA_MODULUS, p->modulus, &p->modulus_len)) != CKR_OK)
            return rv;
        return attribute_get(t, s, object, CKA_PUBLIC_EXPONENT, p->exponent, &p->exponent_len);
    }
    if (p->type != CKK_EC || object == CK_INVALID_HANDLE)
        return CKR_OK;                                  /* told apart by public_half_build() */
    p->curve_len = sizeof(p->curve);
    p->point_len = sizeof(p->point);
    if ((rv = attribute_get(t, s, object, CKA_EC_PARAMS, p->curve, &p->curve_len)) != CKR_OK)
        return rv;
    return attribute_get(t, s, object, CKA_EC_POINT, p->point, &p->point_len);
}

static enum err
public_half_build(const struct public_half *p, EVP_PKEY **ret, struct why *why)
{
    static const struct {
        struct str oid;
        enum key_alg alg;
    } curves[] = { { STR_LIT("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), KEY_P256 },
                   { STR_LIT("\x06\x05\x2b\x81\x04\x00\x22"), KEY_P384 } };
    struct str point = str_from(p->point, p->point_len), inner;

    if (p->always_authenticate)
        return why_set(why, ERR_DENIED, "the token asks for the PIN at each use of this key");
    if (p->type == CKK_RSA)
        return evp_from_rsa(str_from(p->modulus, p->modulus_len), str_from(p->exponent, p->exponent_len), ret, why);
    if (p->type != CKK_EC)
        return why_set(why, ERR_DENIED, "keys in tokens must be RSA, P-256 or P-384");
    if (p->point_len == 0)
        return why_set(why, ERR_NOT_FOUND, "no public key in the token goes with the private key");
    /* CKA_EC_POINT is an OCTET STRING around the point; some tokens leave the wrapping out. */
    if (der_expect(&point, DER_OCTET_STRING, &inner) == OK && point.n == 0)
        point = inner;
    else
        point = str_from(p->point, p->point_len);
    for (size_t i = 0; i < ARRAY_LEN(curves); i++)
        if (str_eq(str_from(p->curve, p->curve_len), curves[i].oid))
            return evp_from_ec(curves[i].alg, point, ret, why);
    return why_set(why, ERR_DENIED, "EC key in the token is not on P-256 or P-384");
}

/* Private and public half belong together, and the token lets us use the key for its purpose. */
static enum err
key_self_test(struct key *k, struct why *why)
{
    const struct str message = STR_LIT("beffroi key self-test");
    AUTO(buf_free) struct buf out = BUF_BOUNDED(4096), back = BUF_BOUNDED(4096);
    enum err e;

    if (k->purpose == KEY_SEAL) {
        if ((e = seal_to(k, message, message, message, &out, why)) != OK ||
            (e = seal_open(k, message, message, buf_view(&out), &back, why)) != OK)
            return e;
        return OK;
    }
    if ((e = key_sign_any(k, key_default_alg(k), message, false, &out, why)) != OK)
        return e;
    return key_verify(k, key_default_alg(k), message, buf_view(&out), false, why);
}

/* --- loading ------------------------------------------------------------------------------------------------ */

/* pin: NULL: the uri names its file. */
static enum err
token_open(const char *uri, const struct str *pin, bool with_key, struct token_key **ret, struct why *why)
{
    AUTO(token_key_freep) struct token_key *t = mem_alloc(sizeof(*t));
    enum err e;

    CHECK(pthread_mutex_init(&t->lock, NULL) == 0);
    t->pid = getpid();
    t->object = CK_INVALID_HANDLE;
    if ((e = uri_parse(uri, pin == NULL, with_key, &t->uri, why)) != OK)
        return e;
    if (pin == NULL && (e = pin_read(p11_kit_uri_get_pin_source(t->uri), &t->pin, why)) != OK)
        return e;
    if (pin != NULL)
        secret_set(&t->pin, pin->p, pin->n);
    if ((e = module_get(p11_kit_uri_get_module_path(t->uri), &t->module, why)) != OK)
        return e;
    t->f = t->module->f;
    *ret = TAKE(t);
    return OK;
}

enum err
token_open_with_pin(const char *uri, struct str pin, bool with_key, struct token_key **ret, struct why *why)
{
    return token_open(uri, &pin, with_key, ret, why);
}

static enum err
key_of_token(const char *uri, const struct str *pin, enum key_purpose purpose, struct key **ret, struct why *why)
{
    AUTO(token_key_freep) struct token_key *t = NULL;
    AUTO(key_freep) struct key *k = NULL;
    struct public_half half = { .type = 0 };
    EVP_PKEY *pkey = NULL;
    enum err e;

    if ((e = token_open(uri, pin, true, &t, why)) != OK ||
        (e = token_run(t, public_half_op, &half, "public half of the key", why)) != OK ||
        (e = public_half_build(&half, &pkey, why)) != OK ||
        (e = key_from_evp(pkey, true, purpose, &k, why)) != OK)
        return e;
    t->alg = k->alg;
    t->bits = k->bits;
    k->token = TAKE(t);
    if ((e = key_self_test(k, why)) != OK) {
        why_prepend(why, "the key in the token failed its self-test");
        return e;
    }
    *ret = TAKE(k);
    return OK;
}

enum err
token_key_load(const char *uri, enum key_purpose purpose, struct key **ret, struct why *why)
{
    return key_of_token(uri, NULL, purpose, ret, why);
}

enum err
key_load_token(const char *uri, struct str pin, enum key_purpose purpose, struct key **ret, struct why *why)
{
    return key_of_token(uri, &pin, purpose, ret, why);
}
