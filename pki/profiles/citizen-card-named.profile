# A citizen's card, with names: signs in.
# The policy stands in the arc for examples (2.999): the operator's own belongs here.
title = Citizen, card, with names
holder = person
use = authentication
level = 2
ca = cards
subject = named
policy = 2.999.1.4.2
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
