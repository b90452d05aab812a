/*
 * operator: the commands of beffroi-pki. Each is `beffroi-pki NAME [ACTION] --config FILE …`; main.c has the table.
 * A command returns the exit status: 0 done, 1 failed (said on stderr), 2 wrong usage. Lists are one JSON object a line.
 */
#ifndef PKI_OPERATOR_OPERATOR_H
#define PKI_OPERATOR_OPERATOR_H

#include "base/program/command.h"
#include "base/program/program.h"
#include "pki/authority/person.h"
#include "pki/ceremony/ask.h"
#include "pki/pki.h"

int operator_signer(int argc, char **argv);
int operator_front(int argc, char **argv);
int operator_unlock(int argc, char **argv);
int operator_lock(int argc, char **argv);
int operator_signer_status(int argc, char **argv);
int operator_status(int argc, char **argv);
int operator_person(int argc, char **argv);
int operator_role(int argc, char **argv);
int operator_station(int argc, char **argv);
int operator_responder(int argc, char **argv);
int operator_request(int argc, char **argv);
int operator_certificate(int argc, char **argv);
int operator_crl(int argc, char **argv);
int operator_suspend(int argc, char **argv);
int operator_revoke(int argc, char **argv);
int operator_resume(int argc, char **argv);
int operator_verify(int argc, char **argv);
int operator_doctor(int argc, char **argv);
int operator_alarm(int argc, char **argv);
int operator_lint(int argc, char **argv);
int operator_certificate_lint(const char *config, const char *file, const char *profile);
struct export_options {
    const char *config, *name, *key, *answers, *out;
};
int operator_certificate_export(const struct export_options *o);
/* config NULL: the key is the one that the archive brings; it is printed, to be compared. */
int operator_certificate_verify_export(const char *config, const char *file);

/* --- what commands share (common.c) --------------------------------------------------------------------------- */

/* Statements of the commands. */
extern const struct pg_stmts *const pki_command_stmts[];
extern const struct pg_stmts verify_stmts, doctor_stmts, export_stmts;
/* What base/program reads a configuration with. */
MUST_USE enum err operator_load(const char *config, unsigned need, struct program_site *ret, struct why *why);
/* Configuration and database of a command, as the schema's owner (database.owner) or, without one, as this process. */
MUST_USE enum err operator_begin(const char *config, unsigned need, struct pki **ret, struct pg **ret_pg, struct why *why);

/* A person who is here: their key, opened with their pass phrase, and their row. */
struct signatory {
    struct key *key;
    struct arena *a;
    struct pki_person person;
};
void signatory_done(struct signatory *s);
/* key_file: of the person; answers: file of prepared answers, with a line "phrase = …", or NULL: the terminal.
 * ERR_NOT_FOUND: no such person; ERR_DENIED: wrong pass phrase, or another key than the row has. */
MUST_USE enum err signatory_come(struct pg *pg, const char *key_file, const char *answers, utime now, struct signatory *ret,
                                 struct why *why);
/* Has the person one of these roles now? ERR_DENIED, code "approval.roles". */
MUST_USE enum err signatory_may(const struct signatory *s, role_set roles, struct why *why);
/* Their yes to this text, shown before; said before, it stays. Whether it is enough is the caller's to ask. */
MUST_USE enum err signatory_say(struct pg *pg, const struct signatory *s, enum approval_act act, struct str text, utime now,
                                struct why *why);
/* What an act answered: a refusal of a person's rights (ERR_DENIED) goes to the audit trail first (D-13), with the person
 * when they are known. Returns e, or why the row could not be written. */
MUST_USE enum err operator_denied(struct pg *pg, const struct signatory *s, const char *verb, const char *object, utime now,
                                  enum err e, struct why *why);
/* What approvals sign with: whole seconds. */
utime operator_second(void);

/* Asks for one pass phrase, under the name "phrase". */
MUST_USE enum err operator_phrase(const char *answers, const char *prompt, bool twice, struct secret *ret, struct why *why);
/* Writes a new file; ERR_CONFLICT: it is there. */
MUST_USE enum err operator_write(const char *path, unsigned mode, struct str content, struct why *why);
void operator_pem(const char *label, struct str der, struct buf *out);

#endif
