/*
 * subject: what a certificate says of its holder. It comes from a registration, never from a request (P-106, PKI L10).
 *
 * Which attributes there are follows from the profile's `subject`, in this order:
 *
 *   pseudonym   C, CN = "PSEUDO:" + number                                                      
 *   named       C, SN, GN, serialNumber
 *   agent       C, O, organizationIdentifier, OU, SN, GN, serialNumber if given                  (RGS A4; EN 319 412-1)
 *   company     the same
 *   server      C, O if given, organizationIdentifier and OU if given, CN = first DNS name; subjectAltName has all
 *   program     C, O …, CN
 *   responder   C, O …, CN
 *   ca          C, O …, CN = common name + " G" + generation
 *
 * organizationIdentifier is "NTRFR-" + SIREN or SIRET, OU is "0002 " + the same. A profile with `test` puts "TEST " before
 * CN, GN and SN (RGS A4 II.4).
 */
#ifndef PKI_PROFILE_SUBJECT_H
#define PKI_PROFILE_SUBJECT_H

#include "pki/profile/profile.h"

#define SUBJECT_TEXT_MAX 64          /* characters of an attribute, "TEST " included (RFC 5280 appendix A.1) */
#define SUBJECT_DNS_MAX 32           /* names of one server */
#define SUBJECT_PSEUDONYM_PREFIX "PSEUDO:"
#define SUBJECT_TEST_PREFIX "TEST "

struct subject {
    struct str number;               /* of a pseudonym */
    struct str given_name, surname;
    struct str serial_number;        /* tells homonyms apart: random, never a number of the person's (L31) */
    struct str organization;         /* full official name */
    struct str identifier;           /* SIREN (9 digits) or SIRET (14) */
    struct str common_name;
    int generation;                  /* of a CA; from 1 */
    const struct str *dns;           /* of a server */
    size_t dns_n;
};

/* Everything that the profile shows is there, nothing else is, and each text is fit for a certificate. ERR_INPUT, code
 * pki.subject.missing, .unwanted, .text, .identifier, .dns, .generation; the reason names the member, not its value. */
MUST_USE enum err subject_check(const struct profile *p, const struct subject *s, struct why *why);

/* Is text fit to stand in a name: UTF-8 in NFC, no control character, no space at either end or twice, 1 to max characters?
 * NULL, or what is wrong. */
const char *subject_text_fault(struct str text, size_t max);
/* SIREN or SIRET by its length, with its check digit (Luhn; the establishments of La Poste have a rule of their own). */
bool subject_identifier_is_valid(struct str digits);
/* A DNS name as certificates have it: lower-case labels of letters, digits and hyphens, at most 253 characters, no dot at the
 * end; "*" may be the first label of at least three. One label alone is not a name but "localhost". */
bool subject_dns_is_valid(struct str name);

#endif
