/* claims: what tokens say, and the words for it. */
#include "idp/oidc/oidc-internal.h"

#include "idp/services/consent.h"

const char *
oidc_acr(unsigned methods, const struct levels *levels, const struct acr_asked *asked)
{
    const enum level level = asked->level ? level_of(levels, methods) : LEVEL_NONE;

    if (level != LEVEL_NONE)
        return level_name(level, asked->words);
    if (asked->mfa && (methods & METHOD_MULTI) != 0)
        return ACR_MFA;
    if ((methods & METHOD_CARD) != 0)
        return ACR_CARD;
    return (methods & METHOD_SOFT_CERT) != 0 ? ACR_SOFT_CERT : ACR_PASSWORD;
}

unsigned
oidc_acr_methods(const char *acr_values, const struct levels *levels)
{
    unsigned methods = 0;
    struct str rest = str_of(acr_values);

    while (rest.p != NULL) {
        const struct str word = str_split(rest, ' ', &rest);
        enum level_words words;
        const enum level level = level_parse(word, &words);

        if (level != LEVEL_NONE)
            methods |= levels->at[level];
        else if (str_eqs(word, ACR_PASSWORD))
            methods |= METHOD_PASSWORD;
        else if (str_eqs(word, ACR_SOFT_CERT))
            methods |= METHOD_SOFT_CERT;
        else if (str_eqs(word, ACR_CARD))
            methods |= METHOD_CARD;
        else if (str_eqs(word, ACR_MFA))
            methods |= METHOD_MULTI;
    }
    return methods;
}

void
oidc_acr_asked(const char *acr_values, struct acr_asked *ret)
{
    struct str rest = acr_values != NULL ? str_of(acr_values) : STR_NULL;

    *ret = (struct acr_asked){ .level = false };
    while (rest.p != NULL) {
        const struct str word = str_split(rest, ' ', &rest);
        enum level_words words;

        ret->mfa |= str_eqs(word, ACR_MFA);
        if (!ret->level && level_parse(word, &words) != LEVEL_NONE) {
            ret->level = true;
            ret->words = words;
        }
    }
}

bool
oidc_scope_has(const char *scope, const char *wanted)
{
    struct str rest = str_of(scope);

    while (rest.p != NULL) {
        if (str_eqs(str_split(rest, ' ', &rest), wanted))
            return true;
    }
    return false;
}

const char *
oidc_scope_granted(const char *scope, const struct service *sv, struct arena *a)
{
    bool authz = sv->release.authz_all || sv->release.nauthz > 0;

    return arena_printf(a, SCOPE_OPENID "%s%s", authz && oidc_scope_has(scope, SCOPE_AUTHZ) ? " " SCOPE_AUTHZ : "",
                        sv->release.town && oidc_scope_has(scope, SCOPE_TOWN) ? " " SCOPE_TOWN : "");
}

enum err
oidc_agreed(struct http_request *req, const struct service *sv, const char *account_id, const char **ret,
            struct why *why)
{
    enum err e;

    *ret = NULL;
    if (sv->release.consent == SERVICE_CONSENT_NONE)
        return OK;
    e = consent_find(http_pg(req), account_id, sv->id, http_arena(req), ret, why);
    if (e == ERR_NOT_FOUND)
        *ret = "";
    return e == ERR_NOT_FOUND ? OK : e;
}

enum err
oidc_jwt(const struct idp *idp, const struct oidc_client *c, const char *typ, const char *claims_json, struct buf *out,
         struct why *why)
{
    bool ec = c->id_token_alg == SIG_ES256;

    return jws_sign(ec ? idp->oidc_ec : idp->oidc_rsa, KEY_OIDC_SIGN, c->id_token_alg,
                    ec ? idp->oidc_ec_kid : idp->oidc_rsa_kid, typ, claims_json, out, why);
}
