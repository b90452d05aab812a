/* enc: hexadecimal, base64 (RFC 4648 §4) and base64url (§5), percent-encoding. Decoders are strict and whole. */
#ifndef BASE_CORE_ENC_H
#define BASE_CORE_ENC_H

#include "base/core/buf.h"

void hex_encode(struct buf *out, const void *p, size_t n);            /* lower case */
MUST_USE enum err hex_decode(struct str in, struct buf *out);
void base64_encode(struct buf *out, const void *p, size_t n);         /* padded, one line */
/* Accepts line breaks and spaces between groups when lax (SAML peers send them); ERR_INPUT on anything else. */
MUST_USE enum err base64_decode(struct str in, bool lax, struct buf *out);
void base64url_encode(struct buf *out, const void *p, size_t n);      /* unpadded */
MUST_USE enum err base64url_decode(struct str in, struct buf *out);   /* unpadded, canonical */
void url_encode(struct buf *out, struct str in);                      /* RFC 3986 unreserved kept */
MUST_USE enum err url_decode(struct str in, bool plus_is_space, struct buf *out); /* ERR_INPUT: bad escape, NUL */

/* The first "-----BEGIN label-----" block of a text (RFC 7468) as octets; *text goes on behind it. Text around it is
 * allowed. ERR_NOT_FOUND: no such block; ERR_INPUT: without an end, or its base64 is damaged. */
MUST_USE enum err pem_next(struct str *text, const char *label, struct buf *out);

#endif
