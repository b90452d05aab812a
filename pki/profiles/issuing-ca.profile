# An authority that signs certificates of holders, below the root.
title = Issuing authority
holder = ca
use = ca
level = local
ca = root
subject = ca
policy = 2.5.29.32.0
life = 8y
path_length = 0
key.curves = p256, p384
key_usage = keyCertSign, cRLSign
crl.freshest = no
aia.ocsp = no
support = software
proof = none
suspend = immediate
