/* keys: the town's key folder, row by row. */
#include "mairie-connector/town/mairie.h"

#define FILE_(name_, kind_, need_, member, ...)                                                               \
    { .name = name_, .kind = kind_, .need = need_, .offset = offsetof(struct mairie, member), __VA_ARGS__ }

const struct keyfile mairie_key_files[] = {
    FILE_("seal.pem", KEYFILE_PRIVATE, MAIRIE_NEED_KEYS, seal_key, .alg = KEY_P256, .purpose = KEY_SEAL),
    { .name = "seal-public.pem", .kind = KEYFILE_PUBLIC, .of = "seal.pem" },     /* what the IdP's operator registers */
    FILE_("audit.pem", KEYFILE_PRIVATE, MAIRIE_NEED_KEYS, audit_key, .alg = KEY_ED25519, .purpose = KEY_AUDIT_SIGN),
    FILE_("csrf.key", KEYFILE_SECRET, MAIRIE_NEED_KEYS, csrf_key),
    FILE_("pepper", KEYFILE_RING, MAIRIE_NEED_KEYS, pepper),
    FILE_("field", KEYFILE_RING, MAIRIE_NEED_KEYS, field),
};
const size_t mairie_key_nfiles = ARRAY_LEN(mairie_key_files);
