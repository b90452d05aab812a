/*
 * webauthn: the two checks of a relying party, W3C Web Authentication Level 2 §7.1 (registration) and §7.2 (assertion);
 * libfido2 behind this fence.
 *
 * Only the check: no database, no page. The caller draws the challenge (32 random bytes), sees to it that it is used once and
 * by the person it was made for, that the credential is that person's, and keeps the counter.
 *
 * Taken: ES256, EdDSA (Ed25519), RS256 of 2048 bits. Attestation is neither asked for nor believed: format "none", or "packed"
 * whose signature fits (a browser may leave the self attestation of an authenticator without a model number). The user's presence
 * is required, the user's verification is reported.
 */
#ifndef IDP_CREDENTIAL_WEBAUTHN_H
#define IDP_CREDENTIAL_WEBAUTHN_H

#include "base/core/arena.h"
#include "base/core/buf.h"

/* Registered COSE algorithms (RFC 9053), the ones we take. */
#define WEBAUTHN_ES256 (-7)
#define WEBAUTHN_EDDSA (-8)
#define WEBAUTHN_RS256 (-257)

/* What is looked at at all, in bytes. */
#define WEBAUTHN_CLIENT_DATA_MAX 4096
#define WEBAUTHN_AUTH_DATA_MAX 4096
#define WEBAUTHN_ATTESTATION_MAX 8192
#define WEBAUTHN_SIGNATURE_MAX 1024
#define WEBAUTHN_ID_MAX 1023             /* §4, credential ID */
#define WEBAUTHN_KEY_MAX 512
#define WEBAUTHN_CHALLENGE_LEN 32

/* Whom the credential is for. */
struct webauthn_rp {
    const char *id;                      /* a host name, without port */
    const char *origin;                  /* "https://idp.example" or "https://idp.example:8443": exactly this */
};

/* Of our own address, "https://idp.example:8443" (no end slash): in lower case and without the scheme's own port, as browsers
 * write origins (RFC 6454 §6.1). */
void webauthn_rp_of(const char *base_url, struct arena *a, struct webauthn_rp *ret);

struct webauthn_credential {
    int alg;                             /* WEBAUTHN_* */
    unsigned char id[WEBAUTHN_ID_MAX];
    size_t id_len;
    unsigned char key[WEBAUTHN_KEY_MAX]; /* as libfido2 keeps it: X || Y, or 32 bytes, or n || e */
    size_t key_len;
    uint32_t sign_count;                 /* 0: the authenticator does not count */
    bool user_verified;
};

/*
 * client_data: the octets of clientDataJSON; attestation: those of attestationObject (CBOR).
 * ERR_INPUT "webauthn.malformed": not of the form, or larger than is taken; ERR_DENIED with the code of the rule that it breaks:
 * "webauthn.type", "webauthn.challenge", "webauthn.origin", "webauthn.rp", "webauthn.presence", "webauthn.algorithm",
 * "webauthn.attestation".
 */
MUST_USE enum err webauthn_register(const struct webauthn_rp *rp, struct str challenge, struct str client_data,
                                    struct str attestation, struct webauthn_credential *ret, struct why *why);

/*
 * Of cred, alg, key and sign_count (the last one seen) are looked at. ERR_DENIED as above, and "webauthn.signature", and
 * "webauthn.counter": the signature is right but the counter did not go up, so the authenticator may have been copied (§7.2
 * step 21). *ret_count, *ret_verified on OK.
 */
MUST_USE enum err webauthn_assert(const struct webauthn_rp *rp, struct str challenge,
                                  const struct webauthn_credential *cred, struct str client_data, struct str auth_data,
                                  struct str signature, uint32_t *ret_count, bool *ret_verified, struct why *why);

#endif
