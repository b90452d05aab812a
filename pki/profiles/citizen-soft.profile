# A citizen's certificate in software, under a pseudonym (A-03): the default.
# The policy stands in the arc for examples (2.999): the operator's own belongs here.
title = Citizen, software
holder = person
use = authentication
level = 1
ca = soft
subject = pseudonym
policy = 2.999.1.1.1
life = 3y
key_usage = digitalSignature
extended_key_usage = clientAuth
support = software
proof = face_to_face, signed_file, none
renewals = 3
suspend = defer
