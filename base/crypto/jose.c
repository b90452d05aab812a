/*
 * jose: see jose.h. For idp/oidc; knows nothing of claims.
 */
#include <jansson.h>

#include "base/core/enc.h"
#include "base/crypto/jose.h"
#include "base/crypto/key-internal.h"

#define HEADER_MAX 4096

const char *
sig_alg_name(enum sig_alg alg)
{
    return sig_alg_rows[alg].name;
}

enum err
sig_alg_parse(const char *name, enum sig_alg *ret)
{
    /* Registered (IANA JOSE, 2024) and not ours: understood, not allowed. */
    static const char *const refused[] = { "none",  "HS256", "HS384",  "HS512", "ES512",
                                           "ES256K", "PS384", "PS512", "Ed448" };

    for (size_t i = 0; i < SIG_ALG_COUNT; i++) {
        if (strcmp(name, sig_alg_rows[i].name) == 0) {
            *ret = (enum sig_alg)i;
            return OK;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (strcasecmp(name, refused[i]) == 0)
            return ERR_DENIED;
    return ERR_INPUT;
}

/* --- writing ---------------------------------------------------------------------------------------- */

/* Needs no escape in JSON; RFC 7515 leaves the form of kid to us. */
static bool
is_plain(const char *s)
{
    for (; *s != '\0'; s++)
        if (*s < 0x21 || *s > 0x7e || *s == '"' || *s == '\\')
            return false;
    return true;
}

enum err
jws_sign(struct key *k, enum key_purpose purpose, enum sig_alg alg, const char *kid, const char *typ,
         const char *claims_json, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf header = BUF_BOUNDED(HEADER_MAX), compact = BUF_BOUNDED(JWS_MAX),
                              sig = BUF_BOUNDED(KEY_SIG_MAX);
    enum err e;

    if ((kid != NULL && !is_plain(kid)) || (typ != NULL && !is_plain(typ)))
        return why_set(why, ERR_INPUT, "kid or typ is not plain text");
    buf_addf(&header, "{\"alg\":\"%s\"", sig_alg_name(alg));
    if (kid != NULL)
        buf_addf(&header, ",\"kid\":\"%s\"", kid);
    if (typ != NULL)
        buf_addf(&header, ",\"typ\":\"%s\"", typ);
    buf_addc(&header, '}');
    base64url_encode(&compact, header.data, header.len);
    buf_addc(&compact, '.');
    base64url_encode(&compact, claims_json, strlen(claims_json));
    if (!buf_ok(&header) || !buf_ok(&compact))
        return why_set(why, ERR_INPUT, "JWS longer than %d bytes", JWS_MAX);
    if ((e = key_sign(k, purpose, alg, buf_view(&compact), true, &sig, why)) != OK)
        return e;
    buf_addc(&compact, '.');
    base64url_encode(&compact, sig.data, sig.len);
    if (!buf_ok(&compact))
        return why_set(why, ERR_INPUT, "JWS longer than %d bytes", JWS_MAX);
    buf_add_str(out, buf_view(&compact));
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the JWS");
}

/* --- reading ---------------------------------------------------------------------------------------- */

/* An optional text member copied to out; ERR_INPUT when it is not plain text or does not fit. */
static enum err
header_text(const json_t *header, const char *name, char *out, size_t size, struct why *why)
{
    const json_t *value = json_object_get(header, name);

    if (value == NULL)
        return OK;
    if (!json_is_string(value) || json_string_length(value) >= size || !is_plain(json_string_value(value)))
        return why_set(why, ERR_INPUT, "JWS header member %s is not plain text or too long", name);
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return OK;
}

static enum err
header_check(const json_t *header, struct jws *jws, struct why *why)
{
    const char *alg = json_string_value(json_object_get(header, "alg"));
    enum err e;

    /* RFC 7515 §4.1.11: what is in crit must be understood, and we understand nothing of the kind. */
    if (json_object_get(header, "crit") != NULL || json_object_get(header, "b64") != NULL)
        return why_set(why, ERR_DENIED, "JWS header with crit or b64");
    if (json_object_get(header, "enc") != NULL || json_object_get(header, "zip") != NULL)
        return why_set(why, ERR_INPUT, "this is a JWE");
    if (alg == NULL)
        return why_set(why, ERR_INPUT, "JWS header without alg");
    if ((e = sig_alg_parse(alg, &jws->alg)) != OK)
        return why_set(why, e, "JWS algorithm not in the allow-list");
    if ((e = header_text(header, "kid", jws->kid, sizeof(jws->kid), why)) != OK)
        return e;
    return header_text(header, "typ", jws->typ, sizeof(jws->typ), why);
}

static enum err
header_parse(struct str b64, struct jws *jws, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(HEADER_MAX);
    json_t *header;
    enum err e;

    if (base64url_decode(b64, &text) != OK || !buf_ok(&text) || text.len == 0)
        return why_set(why, ERR_INPUT, "JWS header is not base64url or too long");
    /* RFC 7515 §4: member names are unique; jansson reads nothing after the object. */
    if ((header = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL)) == NULL)
        return why_set(why, ERR_INPUT, "JWS header is not JSON");
    e = json_is_object(header) ? header_check(header, jws, why) : why_set(why, ERR_INPUT, "JWS header is no object");
    json_decref(header);
    return e;
}

enum err
jws_parse(struct str compact, struct jws *ret, struct why *why)
{
    AUTO(jws_done) struct jws jws = { .payload = BUF_BOUNDED(JWS_MAX) };
    struct str header, payload, signature, rest;
    enum err e;

    if (compact.n == 0 || compact.n > JWS_MAX)
        return why_set(why, ERR_INPUT, "JWS is empty or longer than %d bytes", JWS_MAX);
    header = str_split(compact, '.', &rest);
    if (rest.p == NULL)
        return why_set(why, ERR_INPUT, "JWS without three parts");
    payload = str_split(rest, '.', &signature);
    if (signature.p == NULL || memchr(signature.p, '.', signature.n) != NULL)
        return why_set(why, ERR_INPUT, "JWS without three parts");
    if ((e = header_parse(header, &jws, why)) != OK)
        return e;
    if (base64url_decode(payload, &jws.payload) != OK || !buf_ok(&jws.payload))
        return why_set(why, ERR_INPUT, "JWS payload is not base64url");
    jws.signing_input = (struct str){ compact.p, header.n + 1 + payload.n };
    jws.signature_b64 = signature;
    *ret = jws;
    jws.payload.data = NULL;           /* moved */
    return OK;
}

enum err
jws_verify(const struct jws *jws, const struct key *k, enum sig_alg expected, struct why *why)
{
    AUTO(buf_free) struct buf sig = BUF_BOUNDED(KEY_SIG_MAX);

    if (jws->alg != expected)
        return why_set(why, ERR_DENIED, "JWS says %s where %s is agreed", sig_alg_name(jws->alg),
                       sig_alg_name(expected));
    if (base64url_decode(jws->signature_b64, &sig) != OK || !buf_ok(&sig) || sig.len == 0)
        return why_set(why, ERR_DENIED, "JWS signature is not base64url");
    return key_verify(k, expected, jws->signing_input, buf_view(&sig), true, why);
}

void
jws_done(struct jws *jws)
{
    buf_free(&jws->payload);
}
