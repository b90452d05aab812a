/*
 * doctor: what `doctor` of each program is written with: verdicts, and the looks that are the same everywhere. A doctor changes
 * nothing; its exit status is 0 unless something failed (warnings do not count).
 */
#ifndef BASE_PROGRAM_DOCTOR_H
#define BASE_PROGRAM_DOCTOR_H

#include "base/program/program.h"

enum doctor_verdict { DOCTOR_GOOD, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor;
/* as_json: one object at the end, with all checks; else a line of text for each. */
struct doctor *doctor_new(bool as_json) MUST_USE;
void doctor_free(struct doctor *d);
DEFINE_FREEP(struct doctor, doctor_free)
void doctor_say(struct doctor *d, const char *check, enum doctor_verdict v, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Prints the object, and returns the exit status. */
int doctor_end(struct doctor *d);

/* The configuration that was read from that file; e: what reading it answered. */
void doctor_configuration(struct doctor *d, const char *file, enum environment environment, enum err e, const struct why *why);
/* The key folder of the running program: mode, place, files that this process loads and no others. need: of one process, or
 * all (alone: false). scratch: what the files are loaded into and released from, zeroed. */
void doctor_keys(struct doctor *d, const char *folder, unsigned need, bool alone, void *scratch);
/* The dates of a certificate file; path "": none is configured. */
void doctor_certificate_file(struct doctor *d, const char *path, bool pem);
void doctor_certificate(struct doctor *d, const char *name, struct str der);
/* The database's clock, asked for between both times of this machine's. */
utime doctor_host_clock(void);
void doctor_clock(struct doctor *d, utime database, utime before, utime after);
/* Rows of the audit trail that should be sealed by now. */
#define DOCTOR_UNSEALED USEC_PER_MIN             /* sealed within a second when all is well */
void doctor_audit(struct doctor *d, int64_t unsealed);
/* Jobs: overdue ones, the kind of the oldest of them, and those given up. */
#define DOCTOR_OVERDUE (5 * USEC_PER_MIN)
void doctor_jobs(struct doctor *d, int64_t overdue, const char *kind, int64_t dead);
/* Does a mail server greet there? listen: "host:port" or "unix:PATH"; url: smtp://host:port. "" : not configured. */
void doctor_mail_in(struct doctor *d, const char *listen);
void doctor_mail_out(struct doctor *d, const char *url, const char *without);    /* without: what it means that there is none */
/* The room of the file system in which this folder lies. */
void doctor_room(struct doctor *d, const char *what, const char *folder);

#endif
