/*
 * registration: who may have certificates of which profile, and under which names (table registration). What a
 * certificate says of its holder comes from here, never from a request (PKI L10).
 *
 *     draft -> open -> closed
 *
 * The names are sealed under the field key with the row as place. Those of persons are erased once the certificate is
 * issued (DOMAIN 1.1); a renewal then takes them from the certificate that it follows.
 */
#ifndef PKI_AUTHORITY_REGISTRATION_H
#define PKI_AUTHORITY_REGISTRATION_H

#include "base/core/arena.h"
#include "base/crypto/seal.h"
#include "base/pg/pg.h"
#include "pki/profile/subject.h"

extern const struct pg_stmts registration_stmts;

enum registration_state { REGISTRATION_DRAFT, REGISTRATION_OPEN, REGISTRATION_CLOSED };
#define REGISTRATION_SUBJECT_MAX 16384

struct registration {
    char id[37];
    char station[37];              /* "": an operator's */
    const char *profile, *town, *holder;
    struct str subject;            /* sealed; p is NULL once erased */
    enum profile_support support;
    enum profile_proof proof;
    const char *proof_ref;         /* number of the record of identification; no name */
    utime proof_at;                /* UTIME_NULL: PROOF_NONE */
    int64_t renewals;              /* since the proof */
    enum registration_state state;
};

const char *registration_support_name(enum profile_support support);     /* as in the columns */
const char *registration_proof_name(enum profile_proof proof);
MUST_USE enum err registration_support_parse(struct str name, enum profile_support *ret);
MUST_USE enum err registration_proof_parse(struct str name, enum profile_proof *ret);

/* --- names (registration.c) ----------------------------------------------------------------------------------------- */

/* The canonical text of names: a line "member value" for each that is given, in a fixed order. */
void registration_subject_text(const struct subject *s, struct buf *out);
/* And back; what *ret points to lives in a. ERR_INPUT. */
MUST_USE enum err registration_subject_parse(struct str text, struct arena *a, struct subject *ret, struct why *why);
/* Seals names for the row of that id. ERR_INPUT: too long, or with a line end. */
MUST_USE enum err registration_seal(const struct keyring *field, const char *id, const struct subject *s, struct buf *out,
                                    struct why *why);
/* ERR_NOT_FOUND: erased. ERR_DENIED: altered, or of another row. */
MUST_USE enum err registration_open(const struct keyring *field, const struct registration *r, struct arena *a,
                                    struct subject *ret, struct why *why);
/* Profile, town, holder and reference: of bounded length, without control characters: they stand in texts that persons approve.
 * ERR_INPUT, code "registration.text". */
MUST_USE enum err registration_texts_check(const struct registration *r, struct why *why);
/* Are the names those of a person, to be erased once they stand in a certificate? */
bool registration_names_person(const struct profile *p);

/* --- rows (registration_store.c) ------------------------------------------------------------------------------------- */

/* Twice with the same id and content is once; ret_new, NULL allowed: it was not there. ERR_INPUT, code "registration.text";
 * ERR_CONFLICT, code "registration.exists": the id is there with another content, or this holder has one for the profile that is
 * not closed; code "pki.proof.used": a closed one of this holder had a certificate on that proof, so that closing and coming
 * again would count renewals from none (P-117). Inside a transaction or not. */
MUST_USE enum err registration_add(struct pg *pg, const struct registration *r, const char *actor, utime now, bool *ret_new,
                                   struct why *why);
/* ERR_NOT_FOUND, code "registration.unknown". What *ret points to lives in a. */
MUST_USE enum err registration_find(struct pg *pg, const char *id, struct arena *a, struct registration *ret,
                                    struct why *why);
/* The same by station ("": operator), profile and holder: the one that is not closed, or the newest. */
MUST_USE enum err registration_find_holder(struct pg *pg, const char *station, const char *profile, const char *holder,
                                           struct arena *a, struct registration *ret, struct why *why);
/* The holder was identified anew (P-117): renewals begin at none, the names are these (sealed; p NULL: as they are).
 * ERR_NOT_FOUND: no open one. */
MUST_USE enum err registration_identify(struct pg *pg, const char *id, enum profile_proof proof, const char *proof_ref,
                                        utime proof_at, struct str subject, const char *actor, utime now, struct why *why);
/* No certificate will be issued for it again. ERR_NOT_FOUND: none, or closed already. */
MUST_USE enum err registration_close(struct pg *pg, const char *id, const char *actor, utime now, struct why *why);

#endif
