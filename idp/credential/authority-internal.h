/* authority-internal: what the files of authority share: JSON from and to structs is in authority_json.c, calls in authority.c. */
#ifndef IDP_CREDENTIAL_AUTHORITY_INTERNAL_H
#define IDP_CREDENTIAL_AUTHORITY_INTERNAL_H

#include "idp/credential/authority.h"

/* Bodies, appended; out is a BUF_SECRET where names are in it. */
void authority_write_registration(const struct authority_holder *h, struct buf *out);
void authority_write_identification(const struct authority_holder *h, struct buf *out);
void authority_write_acceptance(const char *proof_ref, struct buf *out);
void authority_write_act(const struct authority_act *act, struct buf *out);

/* Answers. ERR_UNAVAILABLE: not what the API says: something else answers there. */
struct authority_registration_answer {
    bool names;                    /* the authority has them still */
    struct authority_certificate *list;
    size_t n;
};
MUST_USE enum err authority_read_registration(struct str json, struct arena *a, struct authority_registration_answer *ret,
                                              struct why *why);
MUST_USE enum err authority_read_certificate(struct str json, struct arena *a, struct authority_certificate *ret,
                                             struct why *why);
struct authority_page {
    const char *next;
    bool more;
};
MUST_USE enum err authority_read_certificates(struct str json, struct arena *a, struct authority_certificate **ret,
                                              size_t *ret_n, struct authority_page *ret_page, struct why *why);
MUST_USE enum err authority_read_changes(struct str json, struct arena *a, struct authority_change **ret, size_t *ret_n,
                                         struct authority_page *ret_page, struct why *why);
/* Of the one certificate that was meant. */
MUST_USE enum err authority_read_result(struct str json, struct arena *a, const char **ret_outcome, bool *ret_refused,
                                        struct why *why);
/* Code and words of a problem+json; false: it is none. */
bool authority_read_problem(struct str json, struct why *ret);

#endif
