# The card of an agent of a town hall: names the town hall by its SIREN or SIRET.
# The policy stands in the arc for examples (2.999): the operator's own belongs here.
title = Agent, card
holder = agent
use = authentication
level = 2
ca = cards
subject = agent
policy = 2.999.1.7.2
life = 3y
key_usage = digitalSignature
extended_key_usage = clientAuth
support = card
key.rsa_min = 2048
key.curves = p256, p384
proof = face_to_face, signed_file
renewals = 1
suspend = defer
acceptance = confirmed
