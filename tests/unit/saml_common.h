/* saml_common: what the SAML unit tests share: a good message, and the same message with one thing changed. */
#ifndef TESTS_UNIT_SAML_COMMON_H
#define TESTS_UNIT_SAML_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "base/core/clock.h"

#define SP_ID "https://sp.example/metadata"
#define IDP_ID "https://idp.example/saml/metadata"
#define SSO_URL "https://idp.example/saml/sso"
#define SLO_URL "https://idp.example/saml/slo"
#define ACS_URL "https://sp.example/acs"

/* One change to a good message. find NULL: the whole message is replaced. */
struct change {
    const char *label;
    const char *find, *replace;
    const char *code; /* why.code of the refusal; NULL: still good */
};

/* in with the first find replaced; find must be there. The caller frees. */
static inline char *
changed(const char *in, const char *find, const char *replace)
{
    const char *at;
    char *out;
    size_t n;

    if (find == NULL)
        return mem_strdup(replace);
    at = strstr(in, find);
    if (at == NULL) {
        fprintf(stderr, "the good message does not hold: %s\n", find);
        fail();
    }
    n = strlen(in) + strlen(replace) + 1;
    out = mem_alloc(n);
    snprintf(out, n, "%.*s%s%s", (int)(at - in), in, replace, at + strlen(find));
    return out;
}

/* good passes, each change is refused with its code, good passes again. check gets the message and tells. */
typedef enum err (*change_check)(struct str message, void *arg, struct why *why);

static inline void
check_changes(const char *good, const struct change *rows, size_t n, change_check check, void *arg)
{
    size_t i;

    for (i = 0; i < n; i++) {
        struct why why = WHY_INIT, w1 = WHY_INIT, w2 = WHY_INIT;
        char *bad = changed(good, rows[i].find, rows[i].replace);
        enum err before = check(str_of(good), arg, &w1), e = check(str_of(bad), arg, &why),
                 after = check(str_of(good), arg, &w2);

        if (before != OK || after != OK || (rows[i].code == NULL) != (e == OK) ||
            (rows[i].code != NULL && strcmp(why.code, rows[i].code) != 0)) {
            fprintf(stderr, "%s: good %s (%s), changed %s (%s: %s), good again %s (%s)\n", rows[i].label,
                    err_name(before), w1.text, err_name(e), why.code, why.text, err_name(after), w2.text);
            mem_freep(&bad);
            fail();
        }
        mem_freep(&bad);
    }
}

#define REQUEST_TIME "2026-11-21T22:00:00Z"

#define GOOD_AUTHN_REQUEST                                                                                          \
    "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" "                                      \
    "AssertionConsumerServiceURL=\"" ACS_URL "\" Destination=\"" SSO_URL "\" ForceAuthn=\"false\" ID=\"_a1\" "       \
    "IsPassive=\"false\" IssueInstant=\"" REQUEST_TIME "\" "                                                         \
    "ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Version=\"2.0\">"                            \
    "<saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">" SP_ID "</saml:Issuer>"                      \
    "<samlp:NameIDPolicy AllowCreate=\"true\" "                                                                      \
    "Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\"></samlp:NameIDPolicy>"                          \
    "<samlp:RequestedAuthnContext Comparison=\"exact\">"                                                             \
    "<saml:AuthnContextClassRef xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">"                               \
    "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>"                  \
    "</samlp:RequestedAuthnContext></samlp:AuthnRequest>"

#define GOOD_LOGOUT_REQUEST                                                                                         \
    "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" Destination=\"" SLO_URL "\" "         \
    "ID=\"_l1\" IssueInstant=\"" REQUEST_TIME "\" NotOnOrAfter=\"2026-11-21T22:05:00Z\" Version=\"2.0\">"            \
    "<saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">" SP_ID "</saml:Issuer>"                      \
    "<saml:NameID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" "                                             \
    "Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">abcdefgh</saml:NameID>"                         \
    "<samlp:SessionIndex>s1</samlp:SessionIndex></samlp:LogoutRequest>"

#endif
