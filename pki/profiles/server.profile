# A TLS server: common name and alternative names from its registration.
# The policy stands in the arc for examples (2.999): the operator's own belongs here.
title = TLS server
holder = server
use = server-tls
level = 1
ca = servers
subject = server
policy = 2.999.1.8.1
life = 1y
key.rsa_min = 2048
key.curves = p256, p384
key_usage = digitalSignature
extended_key_usage = serverAuth
support = software
proof = none
renewals = 1000
suspend = immediate
