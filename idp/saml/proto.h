/* proto: the words of SAML 2.0, XML Signature and XML Encryption, as the specifications write them. */
#ifndef IDP_SAML_PROTO_H
#define IDP_SAML_PROTO_H

#define NS_SAML "urn:oasis:names:tc:SAML:2.0:assertion"
#define NS_SAMLP "urn:oasis:names:tc:SAML:2.0:protocol"
#define NS_MD "urn:oasis:names:tc:SAML:2.0:metadata"
#define NS_MDUI "urn:oasis:names:tc:SAML:metadata:ui"
#define NS_ALG "urn:oasis:names:tc:SAML:metadata:algsupport"
#define NS_SHIBMD "urn:mace:shibboleth:metadata:1.0"
#define NS_DS "http://www.w3.org/2000/09/xmldsig#"
#define NS_XENC "http://www.w3.org/2001/04/xmlenc#"
#define NS_EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define NS_SOAP "http://schemas.xmlsoap.org/soap/envelope/"
#define NS_XML "http://www.w3.org/XML/1998/namespace"

/* saml-bindings-2.0 */
#define BINDING_REDIRECT "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
#define BINDING_POST "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
#define BINDING_ARTIFACT "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"
#define BINDING_SOAP "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"
#define BINDING_PAOS "urn:oasis:names:tc:SAML:2.0:bindings:PAOS"
#define ENCODING_DEFLATE "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"

/* saml-core-2.0 §3.2.2.2 */
#define STATUS_PREFIX "urn:oasis:names:tc:SAML:2.0:status:"
#define STATUS_SUCCESS STATUS_PREFIX "Success"
#define STATUS_REQUESTER STATUS_PREFIX "Requester"
#define STATUS_RESPONDER STATUS_PREFIX "Responder"
#define STATUS_VERSION_MISMATCH STATUS_PREFIX "VersionMismatch"
#define STATUS_AUTHN_FAILED STATUS_PREFIX "AuthnFailed"
#define STATUS_INVALID_NAMEID_POLICY STATUS_PREFIX "InvalidNameIDPolicy"
#define STATUS_NO_AUTHN_CONTEXT STATUS_PREFIX "NoAuthnContext"
#define STATUS_NO_PASSIVE STATUS_PREFIX "NoPassive"
#define STATUS_NO_SUPPORTED_IDP STATUS_PREFIX "NoSupportedIDP"
#define STATUS_PARTIAL_LOGOUT STATUS_PREFIX "PartialLogout"
#define STATUS_REQUEST_DENIED STATUS_PREFIX "RequestDenied"
#define STATUS_REQUEST_UNSUPPORTED STATUS_PREFIX "RequestUnsupported"
#define STATUS_VERSION_TOO_HIGH STATUS_PREFIX "RequestVersionTooHigh"
#define STATUS_VERSION_TOO_LOW STATUS_PREFIX "RequestVersionTooLow"
#define STATUS_UNKNOWN_PRINCIPAL STATUS_PREFIX "UnknownPrincipal"
#define STATUS_UNSUPPORTED_BINDING STATUS_PREFIX "UnsupportedBinding"

/* saml-core-2.0 §8.3 */
#define NAMEID_UNSPECIFIED "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
#define NAMEID_ENTITY "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
#define NAMEID_PERSISTENT "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
#define NAMEID_TRANSIENT "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"

/* saml-authn-context-2.0 §3.4 */
#define CONTEXT_PASSWORD "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
#define CONTEXT_PASSWORD_PROTECTED "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
#define CONTEXT_SOFTWARE_PKI "urn:oasis:names:tc:SAML:2.0:ac:classes:SoftwarePKI"
#define CONTEXT_SMARTCARD_PKI "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI"
#define CONTEXT_REFEDS_MFA "https://refeds.org/profile/mfa" /* REFEDS MFA Profile v1.2 */
#define CONTEXT_UNSPECIFIED "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"

#define CONFIRMATION_BEARER "urn:oasis:names:tc:SAML:2.0:cm:bearer"
#define ATTRNAME_URI "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
#define ATTRIBUTE_AUTHORISATIONS "urn:beffroi:attribute:authorisations"
#define ATTRIBUTE_TOWN "urn:beffroi:attribute:town"
#define ATTRIBUTE_PAIRWISE_ID "urn:oasis:names:tc:SAML:attribute:pairwise-id"

/* Algorithms: our allow-list (RFC 6931, xmldsig-core1, xmlenc-core1). SHA-1 signatures, DSA, HMAC, 3DES and
 * PKCS#1 v1.5 key transport have no name here, so that nothing can ask for them. */
#define ALG_C14N "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
#define ALG_EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define ALG_EXC_C14N_COMMENTS "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"
#define ALG_ENVELOPED "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
#define ALG_RSA_SHA256 "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
#define ALG_RSA_SHA384 "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
#define ALG_RSA_SHA512 "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
#define ALG_ECDSA_SHA256 "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
#define ALG_ECDSA_SHA384 "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
#define ALG_SHA256 "http://www.w3.org/2001/04/xmlenc#sha256"
#define ALG_SHA384 "http://www.w3.org/2001/04/xmldsig-more#sha384"
#define ALG_SHA512 "http://www.w3.org/2001/04/xmlenc#sha512"
#define ALG_DIGEST_SHA1 "http://www.w3.org/2000/09/xmldsig#sha1" /* inside RSA-OAEP only */
#define ALG_AES128_CBC "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
#define ALG_AES256_CBC "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
#define ALG_AES128_GCM "http://www.w3.org/2009/xmlenc11#aes128-gcm"
#define ALG_AES256_GCM "http://www.w3.org/2009/xmlenc11#aes256-gcm"
#define ALG_RSA_OAEP_MGF1P "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
#define ALG_RSA_OAEP_11 "http://www.w3.org/2009/xmlenc11#rsa-oaep"

#endif
