/*
 * x509_path: the first two judges of x509_path.h: our own checks, and OpenSSL's path validation.
 *
 * What bites: X509_V_FLAG_PARTIAL_CHAIN, which lets an operator trust an issuing CA without its root, also takes a leaf
 * that is among the anchors as good without a look; a path of one certificate is refused here.
 */
#include <openssl/x509v3.h>

#include "base/crypto/x509-internal.h"

#define SENT_MAX 8
#define DEPTH_DEFAULT 4
#define BYTES_DEFAULT 32768
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define SERIAL_OCTETS_MAX 20       /* RFC 5280 §4.1.2.2 */

DEFINE_FREEP(X509_STORE_CTX, X509_STORE_CTX_free)
DEFINE_FREEP(STACK_OF(X509), sk_X509_free)

static void
objects_free(STACK_OF(ASN1_OBJECT) *s)
{
    sk_ASN1_OBJECT_pop_free(s, ASN1_OBJECT_free);
}
DEFINE_FREEP(STACK_OF(ASN1_OBJECT), objects_free)

const char *
x509_verdict_name(enum x509_verdict v)
{
    switch (v) {
    case CERT_GOOD:
        return "good";
    case CERT_MALFORMED:
        return "malformed";
    case CERT_NOT_YET_VALID:
        return "not_yet_valid";
    case CERT_EXPIRED:
        return "expired";
    case CERT_REVOKED:
        return "revoked";
    case CERT_ON_HOLD:
        return "on_hold";
    case CERT_ISSUER_UNKNOWN:
        return "issuer_unknown";
    case CERT_ISSUER_EXPIRED:
        return "issuer_expired";
    case CERT_ISSUER_REVOKED:
        return "issuer_revoked";
    case CERT_ISSUER_REFUSED:
        return "issuer_refused";
    case CERT_STATUS_UNKNOWN:
        return "status_unknown";
    case CERT_STATUS_STALE:
        return "status_stale";
    case CERT_WRONG_USE:
        return "wrong_use";
    case CERT_WRONG_POLICY:
        return "wrong_policy";
    case CERT_BAD_SIGNATURE:
        return "bad_signature";
    case CERT_WEAK_KEY:
        return "weak_key";
    case CERT_VERDICTS:
        break;
    }
    panic("verdict %d", (int)v);
}

static enum x509_verdict
refuse(struct why *why, enum x509_verdict v, const char *text)
{
    err_ignore(why_set(why, ERR_DENIED, "%s", text));      /* the verdict is what travels */
    return v;
}

/* --- what OpenSSL lets through ----------------------------------------------------------------------------------- */

/* What holds for every certificate below the anchor. */
static enum x509_verdict
fields_check(const struct x509_cert *c, struct why *why)
{
    const struct str serial = c->serial_octets;

    if (c->version != 3)
        return refuse(why, CERT_MALFORMED, "certificate is not of version 3");
    if ((serial.p[0] & 0x80) != 0 || (serial.n == 1 && serial.p[0] == '\0') || serial.n > SERIAL_OCTETS_MAX)
        return refuse(why, CERT_MALFORMED, "serial number is zero, negative or longer than 20 octets");
    if (c->ext_key_usage.p != NULL && c->ext_key_usage.n == 0)
        return refuse(why, CERT_MALFORMED, "empty extended key usage");
    if (c->has_name_constraints && !c->is_ca)
        return refuse(why, CERT_MALFORMED, "name constraints in a certificate that is no CA");
    if (c->wrong_criticality != NULL) {
        err_ignore(why_set(why, ERR_DENIED, "extension %s must be critical, or must not be, and is the other", c->wrong_criticality));
        return CERT_MALFORMED;
    }
    if (x509_sig_alg_find(c->signature_algorithm) == NULL)
        return refuse(why, CERT_WEAK_KEY, "signature algorithm is not in the allow-list");
    if (!c->key_known)
        return refuse(why, CERT_WEAK_KEY, "key type is not in the allow-list");
    if (c->key_alg == KEY_RSA && (c->key_bits < RSA_BITS_MIN || c->key_bits > RSA_BITS_MAX || c->key_bits % 8 != 0))
        return refuse(why, CERT_WEAK_KEY, "RSA modulus shorter than 2048 bits, longer than 8192, or no multiple of 8");
    return CERT_GOOD;
}

static enum x509_verdict
leaf_key_check(const struct x509_profile *p, const struct x509_cert *c, struct why *why)
{
    if (p->key_algs != 0 && (p->key_algs & (1u << c->key_alg)) == 0)
        return refuse(why, CERT_WEAK_KEY, "key type is not in the profile");
    if (c->key_alg == KEY_RSA && c->key_bits < p->rsa_bits_min)
        return refuse(why, CERT_WEAK_KEY, "RSA modulus shorter than the profile wants");
    return CERT_GOOD;
}

static bool
names_policy(const struct x509_profile *p, const struct x509_cert *c)
{
    for (size_t i = 0; i < p->n_policies; i++)
        if (str_eq(p->policies[i], OID_ANY_POLICY) ? c->policies.p != NULL : x509_has_policy(c, p->policies[i]))
            return true;
    return p->n_policies == 0;
}

static enum x509_verdict
leaf_use_check(const struct x509_profile *p, const struct x509_cert *c, struct why *why)
{
    switch (p->purpose) {
    case X509_FOR_ANYTHING:
        return CERT_GOOD;
    case X509_FOR_SIGN_IN:
        break;
    }
    if (c->is_ca || (c->has_key_usage && (c->key_usage & (X509_KEY_CERT_SIGN | X509_CRL_SIGN)) != 0))
        return refuse(why, CERT_WRONG_USE, "certificate of a certification authority");
    if (!c->has_key_usage || (c->key_usage & X509_DIGITAL_SIGNATURE) == 0)
        return refuse(why, CERT_WRONG_USE, "key usage without digitalSignature");
    if (x509_has_ext_key_usage(c, OID_KP_ANY))
        return refuse(why, CERT_WRONG_USE, "extended key usage anyExtendedKeyUsage");
    if (!x509_has_ext_key_usage(c, OID_KP_CLIENT_AUTH))
        return refuse(why, CERT_WRONG_USE, "extended key usage without clientAuth");
    if (!names_policy(p, c))
        return refuse(why, CERT_WRONG_POLICY, "names none of the policies that are asked for");
    return CERT_GOOD;
}

static enum x509_verdict
ca_check(const struct x509_cert *c, struct why *why)
{
    const enum x509_verdict v = fields_check(c, why);

    if (v != CERT_GOOD)
        why_prepend(why, "CA certificate");
    return v == CERT_MALFORMED ? CERT_ISSUER_REFUSED : v;
}

/* --- OpenSSL's path validation ----------------------------------------------------------------------------------- */

static enum x509_verdict
verdict_of(int error, int depth)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return depth == 0 ? CERT_EXPIRED : CERT_ISSUER_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return depth == 0 ? CERT_NOT_YET_VALID : CERT_ISSUER_EXPIRED;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return CERT_BAD_SIGNATURE;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_REJECTED:
        return CERT_ISSUER_UNKNOWN;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
        return depth == 0 ? CERT_WRONG_USE : CERT_ISSUER_REFUSED;
    case X509_V_ERR_NO_EXPLICIT_POLICY:
    case X509_V_ERR_INVALID_POLICY_EXTENSION:
        return CERT_WRONG_POLICY;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
    case X509_V_ERR_UNSUPPORTED_SIGNATURE_ALGORITHM:
        return CERT_WEAK_KEY;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX:
        return CERT_ISSUER_REFUSED;
    default:
        return depth == 0 ? CERT_MALFORMED : CERT_ISSUER_REFUSED;
    }
}

/* user-initial-policy-set (RFC 5280 §6.1.1 (c)). None is any-policy: OpenSSL takes an empty set by its word, and refuses
 * where a CA requires a policy. */
static enum err
policies_set(X509_VERIFY_PARAM *param, const struct str *policies, size_t n)
{
    AUTO(objects_freep) STACK_OF(ASN1_OBJECT) *list = sk_ASN1_OBJECT_new_null();
    AUTO(buf_free) struct buf der = BUF_BOUNDED(256);

    for (size_t i = 0; i < n; i++) {
        const unsigned char *at;
        ASN1_OBJECT *oid;

        buf_reset(&der);
        der_add_oid(&der, policies[i]);
        at = str_bytes(buf_view(&der));
        if ((oid = d2i_ASN1_OBJECT(NULL, &at, (long)der.len)) == NULL || sk_ASN1_OBJECT_push(list, oid) <= 0) {
            ASN1_OBJECT_free(oid);
            return ERR_INTERNAL;
        }
    }
    return X509_VERIFY_PARAM_set1_policies(param, list) == 1 ? OK : ERR_INTERNAL;
}

static enum err
param_set(X509_STORE_CTX *ctx, const struct x509_run *run, int purpose)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    const struct x509_profile *p = run->profile;
    unsigned long flags = X509_V_FLAG_X509_STRICT | X509_V_FLAG_POLICY_CHECK | X509_V_FLAG_PARTIAL_CHAIN;

    if (p->n_policies > 0)
        flags |= X509_V_FLAG_EXPLICIT_POLICY;
    if (p->inhibit_policy_mapping)
        flags |= X509_V_FLAG_INHIBIT_MAP;
    if (p->inhibit_any_policy)
        flags |= X509_V_FLAG_INHIBIT_ANY;
    if (X509_STORE_CTX_set_purpose(ctx, purpose) != 1 || X509_VERIFY_PARAM_set_flags(param, flags) != 1)
        return ERR_INTERNAL;
    X509_VERIFY_PARAM_set_time(param, (time_t)utime_seconds(run->now));
    X509_VERIFY_PARAM_set_depth(param, (int)(p->depth_max > 0 ? p->depth_max : DEPTH_DEFAULT));
    X509_VERIFY_PARAM_set_auth_level(param, 2);
    return p->n_policies > 0 ? policies_set(param, p->policies, p->n_policies) : policies_set(param, &OID_ANY_POLICY, 1);
}

static const struct x509_node *
node_find(const struct x509_node *nodes, size_t n, const X509 *x)
{
    for (size_t i = 0; i < n; i++)
        if (nodes[i].x == x)
            return &nodes[i];
    return NULL;
}

/* The certificates that OpenSSL put in a row, as ours. */
static enum err
path_take(const struct x509_run *run, const struct x509_node *target, STACK_OF(X509) *chain, struct x509_path *ret)
{
    struct x509_path path = { .n = 0 };

    for (int i = 0; i < sk_X509_num(chain); i++) {
        const X509 *x = sk_X509_value(chain, i);
        const struct x509_node *node = i == 0 ? target : node_find(run->trust->anchors, run->trust->n_anchors, x);

        if (node == NULL)
            node = node_find(run->trust->intermediates, run->trust->n_intermediates, x);
        if (node == NULL)
            node = node_find(run->sent, run->n_sent, x);
        if (node == NULL || path.n == X509_PATH_MAX)
            return ERR_INTERNAL;
        path.nodes[path.n++] = node;
    }
    *ret = path;
    return OK;
}

static STACK_OF(X509) *
helpers(const struct x509_run *run)
{
    STACK_OF(X509) *all = sk_X509_dup(run->trust->intermediate_stack);

    CHECK(all != NULL);
    for (size_t i = 0; i < run->n_sent; i++)
        CHECK(sk_X509_push(all, run->sent[i].x) > 0);
    return all;
}

enum x509_verdict
x509_path_build(const struct x509_run *run, const struct x509_node *target, int purpose, struct x509_path *ret, struct why *why)
{
    AUTO(sk_X509_freep) STACK_OF(X509) *untrusted = helpers(run);
    AUTO(X509_STORE_CTX_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    struct x509_path path;
    enum x509_verdict v;

    if (ctx == NULL || X509_STORE_CTX_init(ctx, NULL, target->x, untrusted) != 1)
        return refuse(why, CERT_MALFORMED, "path validation did not start");
    X509_STORE_CTX_set0_trusted_stack(ctx, run->trust->anchor_stack);
    if (param_set(ctx, run, purpose) != OK)
        return refuse(why, CERT_MALFORMED, "path validation did not start");
    if (X509_verify_cert(ctx) != 1) {
        const int error = X509_STORE_CTX_get_error(ctx), depth = X509_STORE_CTX_get_error_depth(ctx);

        err_ignore(why_set(why, ERR_DENIED, "%s, at depth %d", X509_verify_cert_error_string(error), depth));
        ossl_queue_clear();
        return error == X509_V_OK ? CERT_MALFORMED : verdict_of(error, depth);
    }
    ossl_queue_clear();
    if (path_take(run, target, X509_STORE_CTX_get0_chain(ctx), &path) != OK)
        return refuse(why, CERT_MALFORMED, "path of certificates that are not ours");
    if (path.n < 2)
        return refuse(why, CERT_WRONG_USE, "the certificate is an anchor itself");
    for (size_t i = 1; i + 1 < path.n; i++)
        if ((v = ca_check(&path.nodes[i]->cert, why)) != CERT_GOOD)
            return v;
    *ret = path;
    return CERT_GOOD;
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

struct sent {
    struct x509_node nodes[SENT_MAX];
    size_t n;
};

static void
sent_done(struct sent *s)
{
    for (size_t i = 0; i < s->n; i++)
        x509_node_done(&s->nodes[i]);
}

static enum err
sent_read(const struct x509_profile *p, const struct x509_cert *leaf, const struct str *ders, size_t n, struct sent *ret,
          struct why *why)
{
    size_t bytes = leaf->der.len;
    enum err e;

    if (n > SENT_MAX)
        return why_set(why, ERR_INPUT, "more than %d certificates came along", SENT_MAX);
    for (size_t i = 0; i < n; i++)
        bytes += ders[i].n;
    if (bytes > (p->bytes_max > 0 ? p->bytes_max : BYTES_DEFAULT))
        return why_set(why, ERR_INPUT, "%zu bytes of certificates", bytes);
    for (; ret->n < n; ret->n++)
        if ((e = x509_node_read(ders[ret->n], &ret->nodes[ret->n], why)) != OK) {
            why_prepend(why, "certificate %zu that came along", ret->n + 1);
            return e;
        }
    return OK;
}

static enum x509_verdict
verify(const struct x509_run *run, struct why *why)
{
    const struct x509_cert *leaf = &run->leaf->cert;
    struct x509_path path;
    enum x509_verdict v;
    int purpose = X509_PURPOSE_SSL_CLIENT;

    switch (run->profile->purpose) {
    case X509_FOR_SIGN_IN:
        break;
    case X509_FOR_ANYTHING:
        purpose = X509_PURPOSE_ANY;
    }
    if ((v = fields_check(leaf, why)) != CERT_GOOD || (v = leaf_key_check(run->profile, leaf, why)) != CERT_GOOD ||
        (v = leaf_use_check(run->profile, leaf, why)) != CERT_GOOD ||
        (v = x509_path_build(run, run->leaf, purpose, &path, why)) != CERT_GOOD)
        return v;
    return run->profile->status_known_elsewhere ? CERT_GOOD : x509_path_status(run, &path, 0, why);
}

static enum err
err_of(enum x509_verdict v)
{
    switch (v) {
    case CERT_GOOD:
        return OK;
    case CERT_MALFORMED:
        return ERR_INPUT;
    case CERT_STATUS_UNKNOWN:
    case CERT_STATUS_STALE:
        return ERR_UNAVAILABLE;
    case CERT_NOT_YET_VALID:
    case CERT_EXPIRED:
    case CERT_REVOKED:
    case CERT_ON_HOLD:
    case CERT_ISSUER_UNKNOWN:
    case CERT_ISSUER_EXPIRED:
    case CERT_ISSUER_REVOKED:
    case CERT_ISSUER_REFUSED:
    case CERT_WRONG_USE:
    case CERT_WRONG_POLICY:
    case CERT_BAD_SIGNATURE:
    case CERT_WEAK_KEY:
    case CERT_VERDICTS:
        break;
    }
    return ERR_DENIED;
}

static enum x509_verdict
read_and_verify(struct x509_run *run, const struct x509_cert *leaf, const struct str *sent_ders, size_t n_sent, struct why *why)
{
    AUTO(sent_done) struct sent sent = { .n = 0 };
    AUTO(X509_freep) X509 *x = NULL;
    struct x509_node node;
    enum x509_verdict v;

    if (sent_read(run->profile, leaf, sent_ders, n_sent, &sent, why) != OK || x509_to_openssl(leaf, &x, why) != OK)
        return CERT_MALFORMED;
    node = (struct x509_node){ .cert = *leaf, .x = x };      /* a view: the caller owns the one, x the other */
    run->leaf = &node;
    run->sent = sent.nodes;
    run->n_sent = sent.n;
    v = verify(run, why);
    run->leaf = NULL;
    run->sent = NULL;
    run->n_sent = 0;
    return v;
}

enum err
x509_path_verify(const struct x509_trust *t, const struct x509_profile *profile, const struct x509_cert *leaf,
                 const struct str *sent, size_t n_sent, utime now, enum x509_verdict *ret_verdict, struct why *why)
{
    struct x509_run run = { .trust = t, .profile = profile, .now = now };

    *ret_verdict = read_and_verify(&run, leaf, sent, n_sent, why);
    if (*ret_verdict != CERT_GOOD && why != NULL)
        (void)snprintf(why->code, sizeof(why->code), "x509.%s", x509_verdict_name(*ret_verdict));
    return err_of(*ret_verdict);
}
