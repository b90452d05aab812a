/*
 * citizen: the citizen's own pages: front page, my page, and the public blocking page (P-055…P-058).
 *
 * The blocking page takes one code, needs no session, no script and no CAPTCHA, and works while everything but the
 * web process and its database is away.
 */
#ifndef IDP_CITIZEN_CITIZEN_H
#define IDP_CITIZEN_CITIZEN_H

#include "idp/idp.h"

extern const struct pg_stmts citizen_stmts;
extern const struct http_routes citizen_routes;

#endif
