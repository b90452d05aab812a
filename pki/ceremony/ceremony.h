/*
 * ceremony: scripted acts on the keys of certification authorities, before witnesses, with a record (P-125, L26-L28).
 *
 * The root lives offline: all of it is in a folder on a medium of its own (register.h), and no database is needed. A
 * ceremony has a printed script; it asks who is there, has every custodian's share opened again before it ends, and leaves
 * a record: every step with its time, who was there in which role, the SHA-256 of each thing made. Participants sign the
 * record with their keys, witnesses sign it on paper. When a ceremony fails, what it made is removed and the register is as
 * it was.
 *
 *   root        a root: persons and their keys, shares, key, certificate, first list
 *   issuing     an issuing CA: its key where the signer will use it, certificate by the root
 *   renew       the next generation of a CA; of a root with cross-certificates both ways (RFC 4210 §4.4)
 *   list        the root's list of revoked authorities, anew
 *   compromise  an issuing CA's certificate is revoked and the list signed
 *   destroy     a CA's key is destroyed
 *
 * beffroi-pki ceremony script KIND prints the script; ceremony run KIND … runs it; ceremony import writes what a medium
 * knows into the database; ceremony verify checks a record and its signatures.
 */
#ifndef PKI_CEREMONY_CEREMONY_H
#define PKI_CEREMONY_CEREMONY_H

#include "base/crypto/password.h"
#include "base/pg/pg.h"
#include "pki/ceremony/ask.h"

enum ceremony_kind {
    CEREMONY_ROOT, CEREMONY_ISSUING, CEREMONY_RENEW, CEREMONY_LIST, CEREMONY_COMPROMISE, CEREMONY_DESTROY, CEREMONY_KINDS
};
const char *ceremony_kind_name(enum ceremony_kind kind);
MUST_USE enum err ceremony_kind_parse(struct str name, enum ceremony_kind *ret);

struct ceremony_config {
    enum ceremony_kind kind;
    const char *dir;                /* the root's medium */
    const char *ca;                 /* short name: "root", "cards" */
    int generation;                 /* destroy, compromise: of the CA; 0: the newest */
    const char *profiles;           /* folder of profiles */
    const char *profile;            /* of an issuing CA: "issuing-ca" */
    const char *key_uri;            /* issuing, renew: "sealed:FILE" or "pkcs11:…" without a PIN */
    const char *alg;                /* "p256", "p384", "rsa3072", "rsa4096" */
    const char *lang;               /* "fr" or "en" */
    int level;                      /* RGS stars, 1 to 3: who must be there */
    struct password_cost cost;      /* of pass phrases */
    int64_t list_life;              /* microseconds that a list of the root is good for */
    struct pg *pg;                  /* NULL: no database; ceremony_stmts_all must be prepared */
    struct ask *ask;
    utime (*clock)(void);           /* NULL: clock_now */
};
#define CEREMONY_LEVEL_DEFAULT 2
#define CEREMONY_LIST_LIFE (400 * USEC_PER_DAY)

/* Statement tables that conf->pg needs. NULL at the end. */
extern const struct pg_stmts *const ceremony_stmts_all[];

/* The printed script, with what each step asks. */
void ceremony_script(enum ceremony_kind kind, const char *ca, const char *lang, struct buf *out);

/* Runs it to its end. ERR_CONFLICT: out of order (code "ceremony.order", "ask.order"), or there is what it would make;
 * ERR_DENIED: somebody is missing, a pass phrase is wrong, shares do not fit; others as they come. */
MUST_USE enum err ceremony_run(const struct ceremony_config *conf, struct why *why);

/* Writes into the database what the medium knows and the database does not: records, first persons and their roles,
 * authorities and their states, custodians, lists. Twice is once. */
MUST_USE enum err ceremony_import(struct pg *pg, const char *dir, utime now, struct why *why);

/* A record's text against its signatures (the .sig beside it). ret_signers: how many signed. ERR_DENIED: the record was
 * altered, or a signature is wrong; ERR_INPUT: not a record. */
MUST_USE enum err ceremony_verify(const char *record_path, size_t *ret_signers, struct why *why);

/* One signature over a record's text, by one whom the record names with this key. ERR_DENIED, ERR_INPUT. */
MUST_USE enum err ceremony_signature_verify(struct str record, struct str name, struct str public_key, struct str signature,
                                            struct why *why);

/* `beffroi-pki ceremony …`: the words after "ceremony". Returns the exit status: 0, 1 failed, 2 wrong usage. */
int ceremony_command(int argc, char **argv);

#endif
