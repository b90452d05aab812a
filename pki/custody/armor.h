/*
 * armor: octets as numbered lines of base32 (RFC 4648 §6) that a person can print, keep in an envelope and type in again.
 *
 *     01 PBSWY 3DPEB LW64T MMQQH I2DF  7Q
 *
 * Each line ends with two check symbols over its number and its symbols, so that a typing mistake is told with its line;
 * four octets of SHA-256 at the end cover the whole. Lines that begin with '#' are for the reader. Case, spaces and dashes
 * do not matter; no symbol stands silently for another (0, 1, 8 and 9 are not in the alphabet).
 */
#ifndef PKI_CUSTODY_ARMOR_H
#define PKI_CUSTODY_ARMOR_H

#include "base/core/buf.h"

#define ARMOR_OCTETS_MAX 1024
#define ARMOR_TEXT_MAX 8192

void armor_encode(struct str octets, struct buf *out);
/* ERR_INPUT: why names the first line that is wrong, missing or out of order. Appends to out. */
MUST_USE enum err armor_decode(struct str text, struct buf *out, struct why *why);

#endif
