# The second key of a citizen's card: signs documents, never signs in (P-155).
# The policy stands in the arc for examples (2.999): the operator's own belongs here.
title = Citizen, card, signature
holder = person
use = signature
level = 2
ca = cards
subject = named
policy = 2.999.1.5.2
life = 3y
key_usage = nonRepudiation
extended_key_usage = emailProtection
support = card
key.rsa_min = 2048
key.curves = p256, p384
proof = face_to_face, signed_file
renewals = 1
suspend = defer
acceptance = confirmed
