# A citizen's certificate in software, with names.
# The policy stands in the arc for examples (2.999): the operator's own belongs here.
title = Citizen, software, with names
holder = person
use = authentication
level = 1
ca = soft
subject = named
policy = 2.999.1.2.1
life = 3y
key_usage = digitalSignature
extended_key_usage = clientAuth
support = software
proof = face_to_face, signed_file, none
renewals = 3
suspend = defer
