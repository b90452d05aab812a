/* keys: the key folder, row by row. */
#include "idp/keys.h"

#define SAML_CERT_LIFE (10 * 365 * USEC_PER_DAY)
/* Who speaks to services in our name: the web process, and the one that tells them that a session ended. */
#define SIGNERS (IDP_NEED_WEB | IDP_NEED_NOTIFIER)
#define FILE_(name_, kind_, need_, member, ...)                                                               \
    { .name = name_, .kind = kind_, .need = need_, .offset = offsetof(struct idp, member), __VA_ARGS__ }

const struct keyfile idp_key_files[] = {
    FILE_("saml.pem", KEYFILE_PRIVATE, SIGNERS, saml_key, .alg = KEY_RSA, .bits = 2048, .purpose = KEY_SAML_SIGN),
    FILE_("saml-cert.der", KEYFILE_CERTIFICATE, SIGNERS, saml_cert, .of = "saml.pem",
          .common_name = "Beffroi SAML", .life = SAML_CERT_LIFE),
    FILE_("oidc-rs256.pem", KEYFILE_PRIVATE, SIGNERS, oidc_rsa, .alg = KEY_RSA, .bits = 2048,
          .purpose = KEY_OIDC_SIGN),
    FILE_("oidc-es256.pem", KEYFILE_PRIVATE, SIGNERS, oidc_ec, .alg = KEY_P256, .purpose = KEY_OIDC_SIGN),
    FILE_("audit.pem", KEYFILE_PRIVATE, IDP_NEED_WORKER | IDP_NEED_AUDIT, audit_key, .alg = KEY_ED25519, .purpose = KEY_AUDIT_SIGN),
    FILE_("csrf.key", KEYFILE_SECRET, IDP_NEED_WEB, csrf_key),
    FILE_("pepper", KEYFILE_RING, IDP_NEED_WEB | IDP_NEED_WORKER | IDP_NEED_PEPPER, pepper),
    FILE_("field", KEYFILE_RING, IDP_NEED_WEB | IDP_NEED_WORKER, field),
    FILE_("pair", KEYFILE_RING, IDP_NEED_WEB, pair),
};
const size_t idp_key_nfiles = ARRAY_LEN(idp_key_files);

const struct program_process idp_processes[] = {
    { "web", IDP_NEED_WEB }, { "worker", IDP_NEED_WORKER }, { "notifier", IDP_NEED_NOTIFIER },
};
const size_t idp_nprocesses = ARRAY_LEN(idp_processes);

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
