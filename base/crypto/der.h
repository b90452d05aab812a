/*
 * der: strict DER (X.690 §10 and §11), read, checked and written by hand: definite lengths in their shortest form, low
 * tag numbers. Pure functions. der.c reads, der_check.c judges a whole value, der_write.c writes, der-oid.h names
 * object identifiers.
 *
 * What comes from outside passes der_check() before anything else looks at it: OpenSSL's d2i functions take BER, and
 * encoding again does not show it (they keep the bytes they were given).
 */
#ifndef BASE_CRYPTO_DER_H
#define BASE_CRYPTO_DER_H

#include "base/core/buf.h"
#include "base/core/clock.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8_STRING = 0x0c,
    DER_NUMERIC_STRING = 0x12,
    DER_PRINTABLE_STRING = 0x13,
    DER_TELETEX_STRING = 0x14,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_VISIBLE_STRING = 0x1a,
    DER_UNIVERSAL_STRING = 0x1c,
    DER_BMP_STRING = 0x1e,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0 = 0xa0,
    DER_CONTEXT_3 = 0xa3
};
/* Context-specific tags 0 to 30: constructed, for EXPLICIT and for IMPLICIT of a SEQUENCE, SET or CHOICE; primitive, for
 * IMPLICIT of anything else. */
#define DER_CONTEXT(n) (0xa0u | (n))
#define DER_CONTEXT_PRIMITIVE(n) (0x80u | (n))

/* --- reading ----------------------------------------------------------------------------------------------------- */
/* All: ERR_INPUT when the next element of *in is not what was asked for in strict DER; then *in and the outputs are as
 * they were. On success *in begins after the element. */

/* Takes the next element off *in. */
MUST_USE enum err der_next(struct str *in, unsigned *ret_tag, struct str *ret_content);
/* The same, and the tag must be this one. */
MUST_USE enum err der_expect(struct str *in, unsigned tag, struct str *ret_content);
/* The same when it is there; false, *in and *ret_content untouched, when *in is empty or begins with another tag. A bad
 * element behind the right tag is false too: what follows in *in then fails as unexpected. */
bool der_optional(struct str *in, unsigned tag, struct str *ret_content);
/* The next element whole, with its tag and length. */
MUST_USE enum err der_element(struct str *in, unsigned *ret_tag, struct str *ret_whole);
/* Next INTEGER, not negative, at most n bytes, written big-endian and zero-padded to n bytes. */
MUST_USE enum err der_unsigned(struct str *in, size_t n, unsigned char *ret_bytes);
/* Content of an INTEGER or ENUMERATED (or IMPLICIT of one) between 0 and max. */
MUST_USE enum err der_number(struct str content, uint32_t max, uint32_t *ret);
/* Content of a BOOLEAN: 00 or FF. */
MUST_USE enum err der_truth(struct str content, bool *ret);
/* Content of a BIT STRING as a list of named bits (X.690 §11.2.2): bit 0 is the lowest of *ret. More than 32 are refused. */
MUST_USE enum err der_named_bits(struct str content, uint32_t *ret);
/* Next UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 writes them: UTC, to the second, no fraction. Which of the two is
 * not judged: applications must take either (§4.1.2.5). */
MUST_USE enum err der_time(struct str *in, utime *ret);

/* --- checking ---------------------------------------------------------------------------------------------------- */
#define DER_DEPTH_MAX 24
/* Is der one element, nothing after it, at most max bytes and strict in all its depth: lengths, INTEGER, BOOLEAN, BIT
 * STRING, OBJECT IDENTIFIER, times and strings by their own rules, the order of a SET OF, constructed only where the
 * type is? What a context-specific primitive holds cannot be known here; neither can DEFAULT values that should be left
 * out (x509.h knows those of certificates and CRLs). ERR_INPUT with offset and rule. */
MUST_USE enum err der_check(struct str der, size_t max, struct why *why);

/* --- writing ----------------------------------------------------------------------------------------------------- */
/* Everything is appended to out; ask buf_ok(out) at the end. A structure is opened, filled, closed:
 *     const size_t begun = der_begin(&out, DER_SEQUENCE);
 *     …
 *     der_end(&out, begun);
 * The content is written in place; closing moves it by one to four bytes when it is 128 bytes or longer. */
MUST_USE size_t der_begin(struct buf *out, unsigned tag);
void der_end(struct buf *out, size_t begun);
/* Closes a SET OF: its elements are put into the order of X.690 §11.6. They must be whole. */
void der_end_set_of(struct buf *out, size_t begun);

/* Appends tag, length and content. */
void der_add(struct buf *out, unsigned tag, struct str content);
/* Appends an INTEGER from big-endian bytes taken as unsigned; leading zeros do not matter. */
void der_add_unsigned(struct buf *out, const unsigned char *bytes, size_t n);
/* tag: DER_INTEGER, DER_ENUMERATED, or IMPLICIT of one. */
void der_add_number(struct buf *out, unsigned tag, uint64_t value);
/* TRUE. FALSE is a DEFAULT in all we write and left out. */
void der_add_true(struct buf *out, unsigned tag);
void der_add_null(struct buf *out);
/* BIT STRING of whole octets: keys, signatures. */
void der_add_bit_string(struct buf *out, struct str octets);
/* BIT STRING of named bits, bit 0 the lowest of bits: keyUsage digitalSignature is 1 << 0. Trailing zeros are left out. */
void der_add_named_bits(struct buf *out, unsigned tag, uint32_t bits);
/* RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050; whole seconds, what is below is cut. ERR_INPUT:
 * before 1950 or after 9999. */
MUST_USE enum err der_add_time(struct buf *out, utime t);
/* GeneralizedTime whatever the year (OCSP, invalidityDate), under its own tag or an IMPLICIT one. ERR_INPUT: before year 0 or
 * after 9999. */
MUST_USE enum err der_add_generalized_time(struct buf *out, unsigned tag, utime t);
/* ERR_INPUT: characters that the type does not have, and then nothing is appended. */
MUST_USE enum err der_add_printable(struct buf *out, struct str text);
MUST_USE enum err der_add_utf8(struct buf *out, struct str text);

/* --- object identifiers ------------------------------------------------------------------------------------------ */
#define DER_OID_MAX 63             /* content octets */
#define DER_OID_TEXT_MAX 255       /* characters of the dotted form */
/* content: one of der-oid.h, or what der_oid_parse() made. */
void der_add_oid(struct buf *out, struct str content);
/* "1.2.250.1.999" to content octets, appended. ERR_INPUT: not the dotted form of an identifier (leading zeros, arcs
 * out of range), or an arc of more than 64 bits. */
MUST_USE enum err der_oid_parse(struct str dotted, struct buf *ret_content);
/* And back. ERR_INPUT: not the content of an identifier, or an arc of more than 64 bits. */
MUST_USE enum err der_oid_text(struct str content, struct buf *ret_dotted);
/* X.690 §8.19: not empty, each arc in its fewest octets, the last one ended. */
bool der_is_oid(struct str content);

#endif
