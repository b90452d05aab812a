/* profile-internal: what the files of this room share: the words of choices, and where a setting stands in the table. */
#ifndef PKI_PROFILE_PROFILE_INTERNAL_H
#define PKI_PROFILE_PROFILE_INTERNAL_H

#include "pki/profile/profile.h"

/* In the order of their enums. */
#define HOLDER_WORDS "person|agent|company|server|program|ca|responder"
#define USE_WORDS "authentication|signature|both|confidentiality|server-tls|client-tls|ocsp-signing|ca"
#define LEVEL_WORDS "local|1|2|3"

/* Row of the table; panics when there is none of that name. */
size_t profile_setting_index(const char *name);

#endif
