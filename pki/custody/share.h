/*
 * share: one custodian's part of an activation secret, sealed under the custodian's own pass phrase (P-126, L27).
 *
 * The activation secret S is ACTIVATION_LEN random octets; what it opens is vault.h. Paper alone opens nothing: each
 * share asks its custodian's pass phrase. This is control over activation, not threshold signing: while a process has S
 * in memory, that process can sign.
 */
#ifndef PKI_CUSTODY_SHARE_H
#define PKI_CUSTODY_SHARE_H

#include "pki/custody/phrase.h"
#include "pki/custody/shamir.h"

#define ACTIVATION_LEN 32
#define PERSON_NAME_MAX 63         /* table person, column name */
#define SHARE_SET_LEN 36           /* uuid */

/* What anybody may read on a share. */
struct share_info {
    char set[SHARE_SET_LEN + 1];   /* uuid of the activation secret */
    int number;                    /* 1 to total */
    int threshold, total;
    char person[PERSON_NAME_MAX + 1];
};

struct share {
    struct share_info info;
    struct secret value;           /* ACTIVATION_LEN octets */
};
#define SHARE_INIT { .value = SECRET_INIT }
void share_done(struct share *s);

/* Is this a person's short name: a-z, then a-z 0-9 . -, 2 to PERSON_NAME_MAX characters? */
bool person_name_ok(struct str name);

/* Splits S into one share per person (shares[i].info.person is set by the caller). set: uuid. ERR_INPUT: threshold or
 * total out of range, a person twice or with no good name. */
MUST_USE enum err share_split(const struct secret *s, const char *set, int threshold, int total, struct share *shares,
                              struct why *why);
/* S from exactly info.threshold shares. ERR_INPUT: too few, two of one person or number, or of different sets;
 * ERR_DENIED: they do not fit together. */
MUST_USE enum err share_combine(const struct share *shares, size_t n, struct secret *ret_s, struct why *why);

/* The text of the share's file or sheet of paper. ret_sha256: of the sealed octets (column custodian.sha256). */
MUST_USE enum err share_seal(const struct share *s, struct str phrase, const struct password_cost *cost,
                             struct buf *ret_text, unsigned char ret_sha256[SHA256_LEN], struct why *why);
/* ERR_INPUT: damaged, why names the line. */
MUST_USE enum err share_read(struct str text, struct share_info *ret, unsigned char ret_sha256[SHA256_LEN],
                             struct why *why);
/* ERR_INPUT: damaged; ERR_DENIED (code "phrase.wrong"): another pass phrase. */
MUST_USE enum err share_open(struct str text, struct str phrase, struct share *ret, struct why *why);

#endif
