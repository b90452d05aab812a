/*
 * id_token_hint: an ID token of ours that a client gives back (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2:
 * an expired one "SHOULD" be accepted). Signature by a key of ours, by the algorithm of that key; our issuer.
 */
#include "idp/oidc/oidc-internal.h"

#include <jansson.h>

bool
oidc_hint_read(struct http_request *req, const char *compact, struct oidc_hint *ret)
{
    const struct idp *idp = http_app(req);
    AUTO(jws_done) struct jws jws = { .kid = "" };
    AUTO(json_decrefp) json_t *claims = NULL;
    struct arena *a = http_arena(req);
    struct why why = WHY_INIT;
    const char *iss, *aud, *sub, *sid;
    const struct key *key;

    if (jws_parse(str_of(compact), &jws, &why) != OK)
        return false;
    key = jws.alg == SIG_RS256 ? idp->oidc_rsa : jws.alg == SIG_ES256 ? idp->oidc_ec : NULL;
    if (key == NULL || jws_verify(&jws, key, jws.alg, &why) != OK)
        return false;
    claims = json_loadb(jws.payload.data, jws.payload.len, JSON_REJECT_DUPLICATES, NULL);
    iss = json_string_value(json_object_get(claims, "iss"));
    aud = json_string_value(json_object_get(claims, "aud"));
    sub = json_string_value(json_object_get(claims, "sub"));
    sid = json_string_value(json_object_get(claims, "sid"));
    if (iss == NULL || aud == NULL || sub == NULL || sid == NULL || strcmp(iss, idp->conf.issuer) != 0)
        return false;
    *ret = (struct oidc_hint){ arena_strdup(a, aud), arena_strdup(a, sub), arena_strdup(a, sid) };
    return true;
}
