# A citizen's card, under a pseudonym (A-03): signs in.
# The policy stands in the arc for examples (2.999): the operator's own belongs here.
title = Citizen, card
holder = person
use = authentication
level = 2
ca = cards
subject = pseudonym
policy = 2.999.1.3.2
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
