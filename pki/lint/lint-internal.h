/* lint-internal: what the files of this room share: collecting findings, taking extensions apart. */
#ifndef PKI_LINT_LINT_INTERNAL_H
#define PKI_LINT_LINT_INTERNAL_H

#include "base/crypto/der.h"
#include "pki/lint/lint.h"

#define LINT_EXTENSIONS_MAX 24

struct lint_extension {
    struct str oid, value;
    bool critical, seen;             /* seen: a rule has looked at it */
};
struct lint_extensions {
    struct lint_extension items[LINT_EXTENSIONS_MAX];
    size_t n;
};

void lint_add(struct lint_report *r, const char *rule, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* content of the SEQUENCE OF Extension. ERR_INPUT: not one, empty, or too many. Duplicates are kept. */
MUST_USE enum err lint_extensions_read(struct str content, struct lint_extensions *ret);
/* The first of that kind, marked as seen; NULL: none. */
struct lint_extension *lint_extension_find(struct lint_extensions *list, struct str oid);
bool lint_extensions_have_duplicates(const struct lint_extensions *list);
/* An extension that must be there (wanted), and critical or not, or must not be. Adds missing and criticality under their rules;
 * NULL when there is nothing more to look at. */
struct lint_extension *lint_extension_want(struct lint_report *r, struct lint_extensions *list, struct str oid, bool wanted,
                                           bool critical, const char *rule, const char *criticality_rule);
/* Is this AlgorithmIdentifier, whole, that of alg, parameters included? */
bool lint_sig_alg_is(struct str algorithm, enum sig_alg alg);
/* Next Time: UTCTime through 2049, GeneralizedTime from 2050? *ret_form_good is false for the other form. */
MUST_USE enum err lint_time(struct str *in, utime *ret, bool *ret_form_good);
/* Is value an AuthorityKeyIdentifier with that key identifier and nothing else? */
bool lint_is_authority_key_id(struct str value, struct str key_id);
/* Is in, whole, a DistributionPointName under [0] with this one URI? */
bool lint_is_point_name(struct str in, struct str url);
/* Is value a list of one distribution point with this one URI? */
bool lint_is_distribution_points(struct str value, struct str url);

#endif
