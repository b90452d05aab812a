/*
 * key_quality: is a public key fit to be certified (PKI L9)? Questions to the key alone; what a profile asks of its size is
 * profile_key_check()'s, whether it was seen before the store's. Pure, but for loading the list of known weak keys.
 */
#ifndef PKI_REQUEST_KEY_QUALITY_H
#define PKI_REQUEST_KEY_QUALITY_H

#include "base/crypto/key.h"

/* Keys that everybody knows: those that Debian's OpenSSL made in 2006 to 2008 (CVE-2008-0166) and whatever else is listed. The
 * file has the format of package openssl-blacklist: one line per key, the last 20 hexadecimal digits of SHA-1 over
 * "Modulus=" HEX "\n"; '#' begins a comment line. Debian 12 has no such package: the operator brings the files. */
struct key_blocklist;

/* Reads a file, or all files of a folder whose names begin with "blacklist.". ERR_INPUT: a line that is not of the format, with
 * file and line; ERR_NOT_FOUND, ERR_DENIED, ERR_UNAVAILABLE. */
MUST_USE enum err key_blocklist_load(const char *path, struct key_blocklist **ret, struct why *why);
/* The same from a text; name stands for it in complaints. */
MUST_USE enum err key_blocklist_parse(struct str text, const char *name, struct key_blocklist **ret, struct why *why);
size_t key_blocklist_count(const struct key_blocklist *list);
bool key_blocklist_has(const struct key_blocklist *list, struct str modulus);
void key_blocklist_free(struct key_blocklist *list);
DEFINE_FREEP(struct key_blocklist, key_blocklist_free)

struct key_facts {
    enum key_alg alg;
    int bits;                        /* RSA: of the modulus; else of the curve */
};

/* spki: SubjectPublicKeyInfo, strict DER. list may be NULL: none known. ret (may be NULL): what it is. ERR_DENIED (ERR_INPUT: malformed) with a code:
 *   pki.key.even           the modulus is even
 *   pki.key.exponent       the exponent is not 65537 (RGS B1, RègleFact-4: above 65536; one for all, so
 *                          that a modulus is in one certificate)
 *   pki.key.small_factor   a prime below 752 divides the modulus
 *   pki.key.roca           made by Infineon's RSALib (CVE-2017-15361)
 *   pki.key.close_primes   Fermat's method factors it within 100 rounds
 *   pki.key.known_weak     on the list
 *   pki.key.key_curve, pki.key.key_explicit, pki.key.key_point, pki.key.key_algorithm, pki.key.key_pss, pki.key.key_number,
 *   pki.key.key_size, pki.key.structure: as csr_read()'s; points are checked to be on their curve */
MUST_USE enum err key_quality_check(struct str spki, const struct key_blocklist *list, struct key_facts *ret, struct why *why);

#endif
