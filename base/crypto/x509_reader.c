/*
 * x509_reader: certificates as OpenSSL's objects, in a library context of their own.
 *
 * d2i_X509() decodes the subject's key at once. OpenSSL 3.0 remembers nothing from one time to the next: it goes through all
 * key managers and, twice, through all decoders of the context, some seventy of them, to find the one that takes a
 * SubjectPublicKeyInfo; that is 100 microseconds and half of what judging a certificate costs. Here it has three to go through:
 * a context (OSSL_LIB_CTX(3)) whose only provider hands on what the default provider offers (OSSL_PROVIDER_query_operation(3)),
 * but of decoders and key managers only those of the keys in our allow-list. They are OpenSSL's own, under its own checks.
 *
 * What is not wholly in the allow-list is read in the default context, and so is a certificate whose key did not decode here, and
 * every certificate where this context could not be made: then reading is slow, and says the same.
 *
 * What bites: configuration files (openssl.cnf) do not reach this context, and it knows the default provider alone.
 */
#include <pthread.h>

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>

#include "base/crypto/x509-internal.h"

#define PROVIDER "beffroi-x509"
#define TABLE_MAX 8
#define STRUCTURE "structure=SubjectPublicKeyInfo"

DEFINE_FREEP(OSSL_LIB_CTX, OSSL_LIB_CTX_free)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *all, *few;          /* few: NULL where it could not be made. Both live as long as the process */
static OSSL_PROVIDER *standard;          /* in all */
static OSSL_ALGORITHM decoders[TABLE_MAX], managers[TABLE_MAX];      /* the last is all NULL */

/* --- the provider ------------------------------------------------------------------------------------------------ */

static const OSSL_ALGORITHM *
query(void *provctx, int operation, int *ret_no_cache)
{
    (void)provctx;
    *ret_no_cache = 0;
    switch (operation) {
    case OSSL_OP_DECODER:
        return decoders;
    case OSSL_OP_KEYMGMT:
        return managers;
    case OSSL_OP_DIGEST:
    case OSSL_OP_SIGNATURE:
        return OSSL_PROVIDER_query_operation(standard, operation, ret_no_cache);
    default:
        return NULL;
    }
}

/* The algorithms are the default provider's, and so is what they are given as provider context. */
static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **ret_provctx)
{
    static const OSSL_DISPATCH functions[] = { { OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query }, { 0, NULL } };

    (void)handle;
    (void)in;
    *out = functions;
    *ret_provctx = OSSL_PROVIDER_get0_provider_ctx(standard);
    return 1;
}

/* --- what it offers ---------------------------------------------------------------------------------------------- */

/* names: "EC:id-ecPublicKey:1.2.840.10045.2.1". Is the first one of ours? */
static bool
is_of_ours(const char *names)
{
    static const char *const ours[] = { "RSA", "EC", "ED25519" };
    struct str rest;
    const struct str first = str_split(str_of(names), ':', &rest);

    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (str_eqs(first, ours[i]))
            return true;
    return false;
}

/* structure: part of the properties; NULL: any. */
static bool
table_fill(OSSL_ALGORITHM table[TABLE_MAX], int operation, const char *structure)
{
    int no_cache = 0;
    size_t n = 0;

    for (const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(standard, operation, &no_cache);
         a != NULL && a->algorithm_names != NULL; a++) {
        if (!is_of_ours(a->algorithm_names) || (structure != NULL && strstr(a->property_definition, structure) == NULL))
            continue;
        if (n == TABLE_MAX - 1)
            return false;
        table[n++] = *a;
    }
    return n > 0;
}

static void
contexts_make(void)
{
    AUTO(OSSL_LIB_CTX_freep) OSSL_LIB_CTX *made = NULL;

    if ((all = OSSL_LIB_CTX_new()) != NULL && (standard = OSSL_PROVIDER_load(all, "default")) != NULL &&
        table_fill(decoders, OSSL_OP_DECODER, STRUCTURE) && table_fill(managers, OSSL_OP_KEYMGMT, NULL) &&
        (made = OSSL_LIB_CTX_new()) != NULL && OSSL_PROVIDER_add_builtin(made, PROVIDER, provider_init) == 1 &&
        OSSL_PROVIDER_load(made, PROVIDER) != NULL)
        few = TAKE(made);
    ossl_queue_clear();
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

OSSL_LIB_CTX *
x509_reader_context(void)
{
    CHECK(pthread_once(&once, contexts_make) == 0);
    return few;
}

/* libctx: NULL for the default one. */
static X509 *
decode(OSSL_LIB_CTX *libctx, struct str der)
{
    AUTO(X509_freep) X509 *x = X509_new_ex(libctx, NULL);
    const unsigned char *p = str_bytes(der);

    if (x == NULL || d2i_X509(&x, &p, (long)der.n) == NULL || p != str_bytes(der) + der.n)
        return NULL;
    return TAKE(x);
}

/* Is all that this context is asked for in the allow-list? The key, and the issuer's, by the algorithm of its signature. */
static bool
is_for_few(const struct x509_cert *cert)
{
    return cert->key_known && x509_sig_alg_find(cert->signature_algorithm) != NULL && x509_reader_context() != NULL;
}

enum err
x509_to_openssl(const struct x509_cert *cert, X509 **ret, struct why *why)
{
    const struct str der = buf_view(&cert->der);
    AUTO(X509_freep) X509 *x = NULL;

    /* allows nothing, and OpenSSL 3.0 loses memory over it at each validation (policy_cache_new) */
    if (cert->has_policy_constraints && cert->policies.p == NULL)
        return why_set(why, ERR_INPUT, "policyConstraints without certificatePolicies");
    if (is_for_few(cert) && (x = decode(few, der)) != NULL && X509_get0_pubkey(x) == NULL)
        X509_freep(&x);
    if (x == NULL)
        x = decode(NULL, der);
    if (x == NULL)
        return ossl_why(why, ERR_INPUT, "not a certificate");
    ossl_queue_clear();
    *ret = TAKE(x);
    return OK;
}
