/*
 * keys: the key folder of the authority, row by row.
 *
 *                                                                                signer  front  status
 *   audit.pem    Ed25519, signs checkpoints of the audit trail                      x
 *   field/       key ring (base/crypto/seal.h) of sealed columns                    x      x
 *   csrf.key     32 bytes, hexadecimal                                                     x       x
 *
 * Keys of CAs are no part of it: they are sealed under an activation secret and opened by custodians (pki/custody/vault.h).
 */
#include "pki/pki.h"

#define FILE_(name_, kind_, need_, member, ...)                                                               \
    { .name = name_, .kind = kind_, .need = need_, .offset = offsetof(struct pki, member), __VA_ARGS__ }

const struct keyfile pki_key_files[] = {
    FILE_("audit.pem", KEYFILE_PRIVATE, PKI_NEED_AUDIT, audit_key, .alg = KEY_ED25519, .purpose = KEY_AUDIT_SIGN),
    FILE_("field", KEYFILE_RING, PKI_NEED_FIELD, field, .bits = 0),
    FILE_("csrf.key", KEYFILE_SECRET, PKI_NEED_HTTP, csrf_key, .bits = 0),
};
const size_t pki_key_nfiles = ARRAY_LEN(pki_key_files);

const struct program_process pki_processes[] = {
    { "signer", PKI_NEED_SIGNER }, { "front", PKI_NEED_FRONT }, { "status", PKI_NEED_STATUS },
};
const size_t pki_nprocesses = ARRAY_LEN(pki_processes);
