# The server of a town hall, as the client that it is at the IdP's town door.
# The policy stands in the arc for examples (2.999): the operator's own belongs here.
title = Town server
holder = server
use = client-tls
level = 1
ca = servers
subject = program
policy = 2.999.1.9.1
life = 1y
key_usage = digitalSignature
extended_key_usage = clientAuth
support = software
proof = none
renewals = 1000
suspend = immediate
