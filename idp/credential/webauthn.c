/*
 * webauthn: see webauthn.h. libfido2 decodes authenticator data and keys and verifies signatures; who signed for whom (type,
 * challenge, origin, RP ID, presence, counter) is compared here, rule by rule, so that each refusal has its own name.
 */
#include "idp/credential/webauthn.h"

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#include <jansson.h>

#include "base/core/enc.h"
#include "base/core/secret.h"
#include "base/crypto/digest.h"

#define RP_HASH_AT 0
#define FLAGS_AT 32
#define COUNT_AT 33
#define AUTH_DATA_MIN 37                 /* §6.1: rpIdHash, flags, signCount */
#define FLAG_PRESENT 0x01
#define FLAG_VERIFIED 0x04
#define FLAG_ATTESTED 0x40
#define DEPTH_MAX 8

static void
json_freep(json_t **j)
{
    json_decref(*j);
}

static enum err
malformed(struct why *why, const char *what)
{
    return why_code(why, ERR_INPUT, "webauthn.malformed", "%s", what);
}

void
webauthn_rp_of(const char *base_url, struct arena *a, struct webauthn_rp *ret)
{
    const char *host = strstr(base_url, "://"), *own = strncmp(base_url, "http:", 5) == 0 ? ":80" : ":443";
    size_t scheme, n, host_n;
    char *origin, *id;

    CHECK(host != NULL);
    host += 3;
    scheme = (size_t)(host - base_url);
    n = strcspn(host, "/");
    host_n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    if (n - host_n == strlen(own) && strncmp(host + host_n, own, strlen(own)) == 0)
        n = host_n;
    origin = arena_str(a, (struct str){ base_url, scheme + n });
    for (char *p = origin; *p != '\0'; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 'a' - 'A') : *p;
    id = arena_str(a, (struct str){ origin + scheme, host_n });
    *ret = (struct webauthn_rp){ id, origin };
}

/* --- clientDataJSON (§5.8.1) ---------------------------------------------------------------------------------------- */

static bool
member_is(const json_t *root, const char *name, const char *value)
{
    const json_t *m = json_object_get(root, name);

    return json_is_string(m) && json_string_length(m) == strlen(value) && strcmp(json_string_value(m), value) == 0;
}

static bool
challenge_is(const json_t *root, struct str challenge)
{
    AUTO(buf_free) struct buf expected = BUF_BOUNDED(128);
    const json_t *m = json_object_get(root, "challenge");

    base64url_encode(&expected, challenge.p, challenge.n);
    return json_is_string(m) &&
           mem_equal_ct(json_string_value(m), json_string_length(m), expected.data, expected.len);
}

static enum err
client_data_check(const struct webauthn_rp *rp, const char *type, struct str challenge, struct str text, struct why *why)
{
    AUTO(json_freep) json_t *root = NULL;
    const json_t *cross;

    if (text.n == 0 || text.n > WEBAUTHN_CLIENT_DATA_MAX)
        return malformed(why, "the client data are empty or too long");
    root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root))
        return malformed(why, "the client data are no JSON object");
    if (!member_is(root, "type", type))                                             /* §7.1 step 7, §7.2 step 11 */
        return why_code(why, ERR_DENIED, "webauthn.type", "the client data are of another ceremony");
    if (challenge.n != WEBAUTHN_CHALLENGE_LEN || !challenge_is(root, challenge))    /* step 8, step 12 */
        return why_code(why, ERR_DENIED, "webauthn.challenge", "the client data answer another challenge");
    if (!member_is(root, "origin", rp->origin))                                     /* step 9, step 13 */
        return why_code(why, ERR_DENIED, "webauthn.origin", "the client data come from another origin");
    /* In a frame of somebody else's page the person does not see whom they talk to; we never ask there. */
    cross = json_object_get(root, "crossOrigin");
    if ((cross != NULL && !json_is_false(cross)) || json_object_get(root, "topOrigin") != NULL)
        return why_code(why, ERR_DENIED, "webauthn.origin", "the client data come from a frame of another origin");
    return OK;
}

/* --- authenticator data (§6.1) ---------------------------------------------------------------------------------------- */

static enum err
auth_data_check(const struct webauthn_rp *rp, struct str data, struct why *why)
{
    unsigned char hash[SHA256_LEN];

    if (data.n < AUTH_DATA_MIN || data.n > WEBAUTHN_AUTH_DATA_MAX)
        return malformed(why, "the authenticator data are too short or too long");
    sha256(str_of(rp->id), hash);
    if (!mem_equal_ct(data.p + RP_HASH_AT, sizeof(hash), hash, sizeof(hash)))       /* §7.1 step 13, §7.2 step 15 */
        return why_code(why, ERR_DENIED, "webauthn.rp", "the authenticator answered another site");
    if (((unsigned char)data.p[FLAGS_AT] & FLAG_PRESENT) == 0)                      /* step 14, step 16 */
        return why_code(why, ERR_DENIED, "webauthn.presence", "nobody touched the authenticator");
    return OK;
}

/* --- attestation object (§6.5): a map of three, in CBOR (RFC 8949) of definite lengths ------------------------------- */

struct cbor {
    const unsigned char *p;
    size_t n;
};

/* The initial octets of an item: its major type and argument. */
static bool
cbor_head(struct cbor *c, unsigned *ret_major, uint64_t *ret_value)
{
    unsigned info;
    size_t more;
    uint64_t v = 0;

    if (c->n == 0)
        return false;
    *ret_major = c->p[0] >> 5;
    info = c->p[0] & 31;
    if (info > 27)                       /* reserved, or of indefinite length: CTAP2 canonical form has neither */
        return false;
    more = info < 24 ? 0 : (size_t)1 << (info - 24);
    if (c->n < 1 + more)
        return false;
    for (size_t i = 0; i < more; i++)
        v = v << 8 | c->p[1 + i];
    *ret_value = more == 0 ? info : v;
    c->p += 1 + more;
    c->n -= 1 + more;
    return true;
}

static bool
cbor_bytes(struct cbor *c, unsigned major, struct str *ret)
{
    unsigned m;
    uint64_t n;

    if (!cbor_head(c, &m, &n) || m != major || n > c->n)
        return false;
    *ret = (struct str){ (const char *)c->p, (size_t)n };
    c->p += n;
    c->n -= (size_t)n;
    return true;
}

/* Walks over one item, whatever it is. */
static bool
cbor_skip(struct cbor *c, int depth)
{
    unsigned major;
    uint64_t n;

    if (depth > DEPTH_MAX || !cbor_head(c, &major, &n))
        return false;
    switch (major) {
    case 2:
    case 3:
        if (n > c->n)
            return false;
        c->p += n;
        c->n -= (size_t)n;
        return true;
    case 4:
    case 5:
        if (n > c->n)                    /* each element takes an octet at least */
            return false;
        for (uint64_t i = 0; i < (major == 5 ? 2 * n : n); i++) {
            if (!cbor_skip(c, depth + 1))
                return false;
        }
        return true;
    default:
        return major != 6 || cbor_skip(c, depth + 1);
    }
}

struct attestation {
    struct str format, statement, auth_data;     /* statement: the CBOR map, whole */
};

static bool
attestation_read(struct str in, struct attestation *ret)
{
    struct cbor c = { (const unsigned char *)in.p, in.n };
    struct attestation a = { STR_NULL, STR_NULL, STR_NULL };
    unsigned major;
    uint64_t n;

    if (!cbor_head(&c, &major, &n) || major != 5 || n != 3)
        return false;
    for (int i = 0; i < 3; i++) {
        struct str key;

        if (!cbor_bytes(&c, 3, &key))
            return false;
        if (str_eqs(key, "fmt") && a.format.p == NULL) {
            if (!cbor_bytes(&c, 3, &a.format))
                return false;
        } else if (str_eqs(key, "authData") && a.auth_data.p == NULL) {
            if (!cbor_bytes(&c, 2, &a.auth_data))
                return false;
        } else if (str_eqs(key, "attStmt") && a.statement.p == NULL) {
            const unsigned char *from = c.p;

            if (c.n == 0 || c.p[0] >> 5 != 5 || !cbor_skip(&c, 1))
                return false;
            a.statement = (struct str){ (const char *)from, (size_t)(c.p - from) };
        } else
            return false;
    }
    *ret = a;
    return c.n == 0;
}

/* --- keys ------------------------------------------------------------------------------------------------------------------ */

static void
es256_freep(es256_pk_t **pk)
{
    es256_pk_free(pk);
}

static void
eddsa_freep(eddsa_pk_t **pk)
{
    eddsa_pk_free(pk);
}

static void
rs256_freep(rs256_pk_t **pk)
{
    rs256_pk_free(pk);
}

struct public_key {
    es256_pk_t *es256;
    eddsa_pk_t *eddsa;
    rs256_pk_t *rs256;
};

static void
public_key_done(struct public_key *k)
{
    es256_freep(&k->es256);
    eddsa_freep(&k->eddsa);
    rs256_freep(&k->rs256);
}

/* The key as libfido2 takes it, NULL: it is none, as a point that is not on its curve. */
static const void *
public_key_read(const struct webauthn_credential *c, struct public_key *k)
{
    CHECK((k->es256 = es256_pk_new()) != NULL && (k->eddsa = eddsa_pk_new()) != NULL && (k->rs256 = rs256_pk_new()) != NULL);
    if (c->alg == WEBAUTHN_ES256 && es256_pk_from_ptr(k->es256, c->key, c->key_len) == FIDO_OK)
        return k->es256;
    if (c->alg == WEBAUTHN_EDDSA && eddsa_pk_from_ptr(k->eddsa, c->key, c->key_len) == FIDO_OK)
        return k->eddsa;
    if (c->alg == WEBAUTHN_RS256 && rs256_pk_from_ptr(k->rs256, c->key, c->key_len) == FIDO_OK)
        return k->rs256;
    return NULL;
}

/* --- registration (§7.1) ------------------------------------------------------------------------------------------------ */

static void
cred_freep(fido_cred_t **c)
{
    fido_cred_free(c);
}

static enum err
cred_fill(fido_cred_t *cred, int alg, const struct webauthn_rp *rp, struct str client_data, struct str auth_data)
{
    unsigned char hash[SHA256_LEN];

    sha256(client_data, hash);
    CHECK(fido_cred_set_type(cred, alg) == FIDO_OK && fido_cred_set_rp(cred, rp->id, NULL) == FIDO_OK &&
          fido_cred_set_clientdata_hash(cred, hash, sizeof(hash)) == FIDO_OK);
    return fido_cred_set_authdata_raw(cred, (const unsigned char *)auth_data.p, auth_data.n) == FIDO_OK ? OK : ERR_INPUT;
}

static enum err
statement_check(fido_cred_t *cred, const struct attestation *a, struct why *why)
{
    if (str_eqs(a->format, "none")) {
        if (a->statement.n == 1)                                                    /* §8.7: an empty map */
            return OK;
    } else if (str_eqs(a->format, "packed")) {
        if (fido_cred_set_fmt(cred, "packed") == FIDO_OK &&
            fido_cred_set_attstmt(cred, (const unsigned char *)a->statement.p, a->statement.n) == FIDO_OK &&
            (fido_cred_x5c_len(cred) > 0 ? fido_cred_verify(cred) : fido_cred_verify_self(cred)) == FIDO_OK)
            return OK;
    }
    return why_code(why, ERR_DENIED, "webauthn.attestation", "an attestation that was not asked for, or that is wrong");
}

static enum err
credential_read(const fido_cred_t *cred, int alg, struct webauthn_credential *ret, struct why *why)
{
    AUTO(public_key_done) struct public_key key = { NULL, NULL, NULL };
    size_t id_len = fido_cred_id_len(cred), key_len = fido_cred_pubkey_len(cred);

    if (id_len == 0 || id_len > sizeof(ret->id) || key_len == 0 || key_len > sizeof(ret->key))
        return malformed(why, "the credential's identifier or key is empty or too long");
    memset(ret, 0, sizeof(*ret));
    ret->alg = alg;
    memcpy(ret->id, fido_cred_id_ptr(cred), id_len);
    ret->id_len = id_len;
    memcpy(ret->key, fido_cred_pubkey_ptr(cred), key_len);
    ret->key_len = key_len;
    ret->sign_count = fido_cred_sigcount(cred);
    ret->user_verified = (fido_cred_flags(cred) & FLAG_VERIFIED) != 0;
    if (public_key_read(ret, &key) == NULL)
        return why_code(why, ERR_DENIED, "webauthn.algorithm", "the credential's key is none");
    return OK;
}

enum err
webauthn_register(const struct webauthn_rp *rp, struct str challenge, struct str client_data, struct str attestation,
                  struct webauthn_credential *ret, struct why *why)
{
    static const int algs[] = { WEBAUTHN_ES256, WEBAUTHN_EDDSA, WEBAUTHN_RS256 };
    struct attestation a;
    enum err e;

    if ((e = client_data_check(rp, "webauthn.create", challenge, client_data, why)) != OK)
        return e;
    if (attestation.n > WEBAUTHN_ATTESTATION_MAX || !attestation_read(attestation, &a))
        return malformed(why, "the attestation object is not of its form, or too long");
    if ((e = auth_data_check(rp, a.auth_data, why)) != OK)
        return e;
    if (((unsigned char)a.auth_data.p[FLAGS_AT] & FLAG_ATTESTED) == 0)
        return malformed(why, "the authenticator data hold no credential");
    /* libfido2 decodes a key of the algorithm it was told; another one is not decoded. */
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        AUTO(cred_freep) fido_cred_t *cred = fido_cred_new();

        CHECK(cred != NULL);
        if (cred_fill(cred, algs[i], rp, client_data, a.auth_data) != OK)
            continue;
        if ((e = statement_check(cred, &a, why)) != OK)
            return e;
        return credential_read(cred, algs[i], ret, why);
    }
    return why_code(why, ERR_DENIED, "webauthn.algorithm", "the credential is damaged, or its algorithm is not taken");
}

/* --- assertion (§7.2) --------------------------------------------------------------------------------------------------- */

static void
assert_freep(fido_assert_t **a)
{
    fido_assert_free(a);
}

static enum err
verify(const fido_assert_t *assertion, const struct webauthn_credential *cred, struct why *why)
{
    AUTO(public_key_done) struct public_key key = { NULL, NULL, NULL };
    const void *pk = public_key_read(cred, &key);

    if (pk == NULL)
        return why_set(why, ERR_INTERNAL, "a kept key that cannot be read");
    if (fido_assert_verify(assertion, 0, cred->alg, pk) != FIDO_OK)
        return why_code(why, ERR_DENIED, "webauthn.signature", "the signature does not fit");
    return OK;
}

enum err
webauthn_assert(const struct webauthn_rp *rp, struct str challenge, const struct webauthn_credential *cred,
                struct str client_data, struct str auth_data, struct str signature, uint32_t *ret_count,
                bool *ret_verified, struct why *why)
{
    AUTO(assert_freep) fido_assert_t *assertion = NULL;
    unsigned char hash[SHA256_LEN];
    uint32_t count;
    enum err e;

    if ((e = client_data_check(rp, "webauthn.get", challenge, client_data, why)) != OK ||
        (e = auth_data_check(rp, auth_data, why)) != OK)
        return e;
    if (signature.n == 0 || signature.n > WEBAUTHN_SIGNATURE_MAX)
        return malformed(why, "the signature is empty or too long");
    CHECK((assertion = fido_assert_new()) != NULL);
    sha256(client_data, hash);
    CHECK(fido_assert_set_clientdata_hash(assertion, hash, sizeof(hash)) == FIDO_OK &&
          fido_assert_set_rp(assertion, rp->id) == FIDO_OK && fido_assert_set_count(assertion, 1) == FIDO_OK &&
          fido_assert_set_up(assertion, FIDO_OPT_TRUE) == FIDO_OK);
    if (fido_assert_set_authdata_raw(assertion, 0, (const unsigned char *)auth_data.p, auth_data.n) != FIDO_OK ||
        fido_assert_set_sig(assertion, 0, (const unsigned char *)signature.p, signature.n) != FIDO_OK)
        return malformed(why, "the authenticator data cannot be read");
    if ((e = verify(assertion, cred, why)) != OK)
        return e;
    count = fido_assert_sigcount(assertion, 0);
    if ((count != 0 || cred->sign_count != 0) && count <= cred->sign_count)
        return why_code(why, ERR_DENIED, "webauthn.counter", "the counter of the authenticator went back");
    *ret_count = count;
    *ret_verified = (fido_assert_flags(assertion, 0) & FLAG_VERIFIED) != 0;
    return OK;
}
