/*
 * bench_requests: a SAML service for the bench: its metadata and as many AuthnRequests as asked, each with an ID of its
 * own (a request is answered once), signed or not, one path and query on a line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/core/clock.h"
#include "base/core/enc.h"
#include "base/crypto/key.h"
#include "idp/saml/redirect.h"

#define ACS "https://sp.bench.example/acs"

static void
metadata_write(const char *path, const char *entity_id, struct key *k, bool is_signed)
{
    AUTO(buf_free) struct buf cert = BUF_BOUNDED(8192);
    AUTO(buf_free) struct buf b64 = BUF_BOUNDED(16384);
    FILE *f = fopen(path, "we");

    CHECK(f != NULL);
    CHECK(key_self_certificate(k, "bench", 0, INT64_C(4000000000) * USEC_PER_SEC, &cert, NULL) == OK);
    base64_encode(&b64, cert.data, cert.len);
    fprintf(f,
            "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"%s\"><SPSSODescriptor "
            "AuthnRequestsSigned=\"%s\" protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">"
            "<KeyDescriptor use=\"signing\"><KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data>"
            "<X509Certificate>%s</X509Certificate></X509Data></KeyInfo></KeyDescriptor><AssertionConsumerService "
            "Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"" ACS "\" index=\"0\"/>"
            "</SPSSODescriptor></EntityDescriptor>\n",
            entity_id, is_signed ? "true" : "false", buf_cstr(&b64));
    CHECK(fclose(f) == 0);
}

static void
queries_write(const char *path, const char *base_url, const char *entity_id, struct key *signer, bool is_signed, long n)
{
    FILE *f = fopen(path, "we");
    char now[40];
    time_t seconds = (time_t)(clock_now() / USEC_PER_SEC);
    struct tm tm;

    CHECK(f != NULL && gmtime_r(&seconds, &tm) != NULL && strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
    for (long i = 0; i < n; i++) {
        AUTO(buf_free) struct buf xml = BUF_BOUNDED(8192);
        AUTO(buf_free) struct buf url = BUF_BOUNDED(16384);

        buf_addf(&xml,
                 "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" "
                 "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_bench%" PRId64 "x%08lx\" Version=\"2.0\" "
                 "IssueInstant=\"%s\" Destination=\"%s/saml/sso\" AssertionConsumerServiceURL=\"" ACS "\" "
                 "ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\"><saml:Issuer>%s</saml:Issuer>"
                 "</samlp:AuthnRequest>",
                 clock_now(), i, now, base_url, entity_id);
        CHECK(saml_redirect_write("/saml/sso", false, buf_view(&xml), STR_LIT("ici"), signer, &url, NULL) == OK);
        fprintf(f, "%.*s\n", is_signed ? (int)url.len : (int)(strstr(buf_cstr(&url), "&SigAlg=") - buf_cstr(&url)),
                buf_cstr(&url));
    }
    CHECK(fclose(f) == 0);
}

int
main(int argc, char **argv)
{
    bool is_signed = argc == 7 && strcmp(argv[1], "signed") == 0;
    struct key *k;

    if (argc != 7) {
        fputs("usage: bench_requests signed|unsigned COUNT IDP_BASE_URL ENTITY_ID METADATA QUERIES\n", stderr);
        return 2;
    }
    CHECK(key_generate(KEY_RSA, 2048, KEY_SAML_SIGN, &k) == OK);
    metadata_write(argv[5], argv[4], k, is_signed);
    queries_write(argv[6], argv[3], argv[4], k, is_signed, strtol(argv[2], NULL, 10));
    key_free(k);
    return 0;
}
