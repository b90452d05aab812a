/* keys: the key folder, row by row. */
#include "idp/keys.h"

#define SAML_CERT_LIFE (10 * 365 * USEC_PER_DAY)
#define FILE_(name_, kind_, need_, member, ...)                                                               \
    { .name = name_, .kind = kind_, .need = need_, .offset = offsetof(struct idp, member), __VA_ARGS__ }

const struct keyfile idp_key_files[] = {
    FILE_("saml.pem", KEYFILE_PRIVATE, IDP_NEED_KEYS, saml_key, .alg = KEY_RSA, .bits = 2048, .purpose = KEY_SAML_SIGN),
    FILE_("saml-cert.der", KEYFILE_CERTIFICATE, IDP_NEED_KEYS, saml_cert, .of = "saml.pem",
          .common_name = "Beffroi SAML", .life = SAML_CERT_LIFE),
    FILE_("oidc-rs256.pem", KEYFILE_PRIVATE, IDP_NEED_KEYS, oidc_rsa, .alg = KEY_RSA, .bits = 2048,
          .purpose = KEY_OIDC_SIGN),
    FILE_("oidc-es256.pem", KEYFILE_PRIVATE, IDP_NEED_KEYS, oidc_ec, .alg = KEY_P256, .purpose = KEY_OIDC_SIGN),
    FILE_("audit.pem", KEYFILE_PRIVATE, IDP_NEED_KEYS, audit_key, .alg = KEY_ED25519, .purpose = KEY_AUDIT_SIGN),
    FILE_("csrf.key", KEYFILE_SECRET, IDP_NEED_KEYS, csrf_key),
    FILE_("pepper", KEYFILE_RING, IDP_NEED_KEYS, pepper),
    FILE_("field", KEYFILE_RING, IDP_NEED_KEYS, field),
    FILE_("pair", KEYFILE_RING, IDP_NEED_KEYS, pair),
};
const size_t idp_key_nfiles = ARRAY_LEN(idp_key_files);

enum err
idp_keys_load(struct idp *idp, unsigned need, struct why *why)
{
    enum err e = keyfolder_load(idp->conf.keys, idp_key_files, idp_key_nfiles, need, idp, why);

    if (e != OK)
        return e;
    if (idp->oidc_rsa != NULL)
        key_thumbprint(idp->oidc_rsa, idp->oidc_rsa_kid);
    if (idp->oidc_ec != NULL)
        key_thumbprint(idp->oidc_ec, idp->oidc_ec_kid);
    return OK;
}

void
idp_keys_done(struct idp *idp)
{
    keyfolder_done(idp_key_files, idp_key_nfiles, idp);
}
