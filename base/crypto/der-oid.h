/*
 * der-oid: object identifiers as the content octets of their DER, for der_add_oid() and for str_eq() with what der_expect()
 * found. Names as in the standards.
 */
#ifndef BASE_CRYPTO_DER_OID_H
#define BASE_CRYPTO_DER_OID_H

#include "base/core/buf.h"

/* Attribute types of names (X.520, RFC 4519; RFC 5280 appendix A.1; organizationIdentifier: EN 319 412-1). */
#define OID_AT_COMMON_NAME STR_LIT("\x55\x04\x03")
#define OID_AT_SURNAME STR_LIT("\x55\x04\x04")
#define OID_AT_SERIAL_NUMBER STR_LIT("\x55\x04\x05")
#define OID_AT_COUNTRY STR_LIT("\x55\x04\x06")
#define OID_AT_LOCALITY STR_LIT("\x55\x04\x07")
#define OID_AT_STATE STR_LIT("\x55\x04\x08")
#define OID_AT_ORGANIZATION STR_LIT("\x55\x04\x0a")
#define OID_AT_ORGANIZATIONAL_UNIT STR_LIT("\x55\x04\x0b")
#define OID_AT_TITLE STR_LIT("\x55\x04\x0c")
#define OID_AT_GIVEN_NAME STR_LIT("\x55\x04\x2a")
#define OID_AT_PSEUDONYM STR_LIT("\x55\x04\x41")
#define OID_AT_ORGANIZATION_IDENTIFIER STR_LIT("\x55\x04\x61")
#define OID_AT_EMAIL STR_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01")
#define OID_AT_DOMAIN_COMPONENT STR_LIT("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19")

/* Extensions of certificates, CRLs and CRL entries (RFC 5280 §4.2, §5.2, §5.3). */
#define OID_CE_SUBJECT_KEY_IDENTIFIER STR_LIT("\x55\x1d\x0e")
#define OID_CE_KEY_USAGE STR_LIT("\x55\x1d\x0f")
#define OID_CE_SUBJECT_ALT_NAME STR_LIT("\x55\x1d\x11")
#define OID_CE_ISSUER_ALT_NAME STR_LIT("\x55\x1d\x12")
#define OID_CE_BASIC_CONSTRAINTS STR_LIT("\x55\x1d\x13")
#define OID_CE_CRL_NUMBER STR_LIT("\x55\x1d\x14")
#define OID_CE_REASON_CODE STR_LIT("\x55\x1d\x15")
#define OID_CE_INVALIDITY_DATE STR_LIT("\x55\x1d\x18")
#define OID_CE_DELTA_CRL_INDICATOR STR_LIT("\x55\x1d\x1b")
#define OID_CE_ISSUING_DISTRIBUTION_POINT STR_LIT("\x55\x1d\x1c")
#define OID_CE_CERTIFICATE_ISSUER STR_LIT("\x55\x1d\x1d")
#define OID_CE_NAME_CONSTRAINTS STR_LIT("\x55\x1d\x1e")
#define OID_CE_CRL_DISTRIBUTION_POINTS STR_LIT("\x55\x1d\x1f")
#define OID_CE_CERTIFICATE_POLICIES STR_LIT("\x55\x1d\x20")
#define OID_CE_POLICY_MAPPINGS STR_LIT("\x55\x1d\x21")
#define OID_CE_AUTHORITY_KEY_IDENTIFIER STR_LIT("\x55\x1d\x23")
#define OID_CE_POLICY_CONSTRAINTS STR_LIT("\x55\x1d\x24")
#define OID_CE_EXT_KEY_USAGE STR_LIT("\x55\x1d\x25")
#define OID_CE_FRESHEST_CRL STR_LIT("\x55\x1d\x2e")
#define OID_CE_INHIBIT_ANY_POLICY STR_LIT("\x55\x1d\x36")
#define OID_PE_AUTHORITY_INFO_ACCESS STR_LIT("\x2b\x06\x01\x05\x05\x07\x01\x01")
#define OID_PE_QC_STATEMENTS STR_LIT("\x2b\x06\x01\x05\x05\x07\x01\x03")

#define OID_ANY_POLICY STR_LIT("\x55\x1d\x20\x00")
#define OID_QT_CPS STR_LIT("\x2b\x06\x01\x05\x05\x07\x02\x01")

/* Extended key usages (RFC 5280 §4.2.1.12). */
#define OID_KP_ANY STR_LIT("\x55\x1d\x25\x00")
#define OID_KP_SERVER_AUTH STR_LIT("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define OID_KP_CLIENT_AUTH STR_LIT("\x2b\x06\x01\x05\x05\x07\x03\x02")
#define OID_KP_CODE_SIGNING STR_LIT("\x2b\x06\x01\x05\x05\x07\x03\x03")
#define OID_KP_EMAIL_PROTECTION STR_LIT("\x2b\x06\x01\x05\x05\x07\x03\x04")
#define OID_KP_TIME_STAMPING STR_LIT("\x2b\x06\x01\x05\x05\x07\x03\x08")
#define OID_KP_OCSP_SIGNING STR_LIT("\x2b\x06\x01\x05\x05\x07\x03\x09")
#define OID_KP_SMARTCARD_LOGON STR_LIT("\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x02")

/* Access methods, OCSP (RFC 5280 §4.2.2.1, RFC 6960 §4). */
#define OID_AD_OCSP STR_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01")
#define OID_AD_CA_ISSUERS STR_LIT("\x2b\x06\x01\x05\x05\x07\x30\x02")
#define OID_OCSP_BASIC STR_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01\x01")
#define OID_OCSP_NONCE STR_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01\x02")
#define OID_OCSP_NO_CHECK STR_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01\x05")
#define OID_OCSP_ARCHIVE_CUTOFF STR_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01\x06")
#define OID_OCSP_EXTENDED_REVOKE STR_LIT("\x2b\x06\x01\x05\x05\x07\x30\x01\x09")

/* Keys and signatures (RFC 3279, 4055, 5480, 5758, 8410), digests. */
#define OID_RSA_ENCRYPTION STR_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
#define OID_RSASSA_PSS STR_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")
#define OID_SHA256_WITH_RSA STR_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")
#define OID_SHA384_WITH_RSA STR_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c")
#define OID_SHA512_WITH_RSA STR_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d")
#define OID_EC_PUBLIC_KEY STR_LIT("\x2a\x86\x48\xce\x3d\x02\x01")
#define OID_P256 STR_LIT("\x2a\x86\x48\xce\x3d\x03\x01\x07")
#define OID_P384 STR_LIT("\x2b\x81\x04\x00\x22")
#define OID_ECDSA_WITH_SHA256 STR_LIT("\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define OID_ECDSA_WITH_SHA384 STR_LIT("\x2a\x86\x48\xce\x3d\x04\x03\x03")
#define OID_ECDSA_WITH_SHA512 STR_LIT("\x2a\x86\x48\xce\x3d\x04\x03\x04")
#define OID_ED25519 STR_LIT("\x2b\x65\x70")
#define OID_SHA1 STR_LIT("\x2b\x0e\x03\x02\x1a")
#define OID_SHA256 STR_LIT("\x60\x86\x48\x01\x65\x03\x04\x02\x01")

/* PKCS#7 and PKCS#9 (certs-only answers of EST, requests). */
#define OID_PKCS7_DATA STR_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")
#define OID_PKCS7_SIGNED_DATA STR_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")
#define OID_PKCS9_CHALLENGE_PASSWORD STR_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07")
#define OID_PKCS9_EXTENSION_REQUEST STR_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")

#endif
