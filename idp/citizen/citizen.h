/*
 * citizen: the citizen's own pages: front page, my page, and the public blocking page (P-055…P-058).
 *
 * The blocking page takes one code, needs no session, no script and no CAPTCHA, and works while everything but the
 * web process and its database is away.
 */
#ifndef IDP_CITIZEN_CITIZEN_H
#define IDP_CITIZEN_CITIZEN_H

#include "base/pg/job.h"
#include "idp/idp.h"

extern const struct pg_stmts citizen_stmts;
extern const struct http_routes citizen_routes;

/* Job kind ACCOUNT_LEFT_JOB: tells the services whose sessions ended and the citizen who kept an address. arg: idp. */
MUST_USE enum err citizen_left_job(struct pg *pg, const struct job *job, void *arg, struct why *why);

#endif
