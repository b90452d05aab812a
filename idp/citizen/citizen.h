/*
 * citizen: the citizen's own pages: front page, my page with what signs them in, and the public blocking page (P-055…P-058).
 *
 * The blocking page takes one code, needs no session, no script and no CAPTCHA, and works while everything but the
 * web process and its database is away.
 */
#ifndef IDP_CITIZEN_CITIZEN_H
#define IDP_CITIZEN_CITIZEN_H

#include "idp/idp.h"
#include "idp/signon/signon.h"

extern const struct pg_stmts citizen_stmts;
extern const struct http_routes citizen_routes;
/* Of flows that show a certificate which is to be linked to the account of who is signed in. */
extern const struct signon_dialect citizen_link_dialect;

#endif
