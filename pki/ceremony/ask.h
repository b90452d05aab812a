/*
 * ask: what a ceremony asks people, on a terminal or from prepared answers.
 *
 * Each question has a name. On a terminal the name stands before the prompt, and a pass phrase is typed without echo. A
 * file of prepared answers (tests, rehearsals, the demo) has one line "name = value" per question in the order of the
 * script: another name than the one asked for stops the ceremony, so that nothing is answered out of order. Lines that
 * begin with '#' and empty lines are skipped. What was typed is kept in memory that is wiped.
 */
#ifndef PKI_CEREMONY_ASK_H
#define PKI_CEREMONY_ASK_H

#include <stdio.h>

#include "base/core/secret.h"

struct ask;

/* path: "/dev/tty". ERR_UNAVAILABLE: no terminal. */
MUST_USE enum err ask_open_terminal(const char *path, struct ask **ret, struct why *why);
/* path: a file that only its owner may read, or "fd:N", read to its end. out: where the talk goes (not closed), or NULL. */
MUST_USE enum err ask_open_answers(const char *path, FILE *out, struct ask **ret, struct why *why);
void ask_free(struct ask *a);
DEFINE_FREEP(struct ask, ask_free)
bool ask_is_prepared(const struct ask *a);

/* Says text, as it is. */
void ask_tell(struct ask *a, const char *text);
/* One line without white space around it; fallback (may be NULL) for an empty one, else ERR_INPUT: on a terminal it is asked
 * again. ERR_CONFLICT (code "ask.order"): the prepared answers have another name here, or end. ERR_DENIED: interrupted. */
MUST_USE enum err ask_line(struct ask *a, const char *name, const char *prompt, const char *fallback, struct buf *ret,
                           struct why *why);
/* A pass phrase. again (may be NULL): with these words a terminal asks a second time, and compares: ERR_INPUT, code "ask.differ". */
MUST_USE enum err ask_phrase(struct ask *a, const char *name, const char *prompt, const char *again, struct secret *ret,
                             struct why *why);
/* "oui"/"yes" or "non"/"no". */
MUST_USE enum err ask_yes(struct ask *a, const char *name, const char *prompt, bool *ret, struct why *why);
/* Nothing of the prepared answers is left over: ERR_CONFLICT. */
MUST_USE enum err ask_end(struct ask *a, struct why *why);

#endif
