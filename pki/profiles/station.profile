# A program or a machine that asks for certificates of others: the IdP, card operations, a personalisation station.
# The policy stands in the arc for examples (2.999): the operator's own belongs here.
title = Program or station
holder = program
use = client-tls
level = 1
ca = servers
subject = program
policy = 2.999.1.10.1
life = 1y
key_usage = digitalSignature
extended_key_usage = clientAuth
support = software
proof = none
renewals = 1000
suspend = immediate
