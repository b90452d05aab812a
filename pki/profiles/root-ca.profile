# The root: signs authorities and their list, offline (P-138: ten years at most).
title = Root authority
holder = ca
use = ca
level = local
ca = self
subject = ca
life = 10y
path_length = 1
key.curves = p256, p384
key_usage = keyCertSign, cRLSign
crl = no
crl.freshest = no
aia.ocsp = no
aia.ca_issuers = no
support = software
proof = none
suspend = immediate
