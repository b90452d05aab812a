# A card outside the RGS, that may be held while it is lost and released when it is found (K2).
# The policy stands in the arc for examples (2.999): the operator's own belongs here.
title = Citizen, local card
holder = person
use = authentication
level = local
ca = cards
subject = pseudonym
policy = 2.999.1.6.0
life = 3y
key_usage = digitalSignature
extended_key_usage = clientAuth
support = card
key.rsa_min = 2048
key.curves = p256, p384
proof = face_to_face, signed_file, none
renewals = 1
suspend = hold
acceptance = tacit
suspendable = yes
hold.max = 90d
hold.count = 3
