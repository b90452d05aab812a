# An OCSP responder of one authority; short-lived, nobody asks for its own status (RFC 6960 4.2.2.2.1).
# Each authority signs its own: "issuer" stands for the one that it answers for.
title = OCSP responder
holder = responder
use = ocsp-signing
level = local
ca = issuer
subject = responder
life = 7d
key.rsa_min = 0
key_usage = digitalSignature
extended_key_usage = OCSPSigning
crl = no
crl.freshest = no
aia.ocsp = no
support = software
proof = none
renewals = 1000
approvals = 0
suspend = immediate
