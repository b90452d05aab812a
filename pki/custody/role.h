/*
 * role: the roles of the authority, and those that one person never holds together (DOMAIN 3.3, P-124, PKI §1.3 **).
 *
 * The same matrix stands in the schema (table role_conflict) and is enforced there too, whoever writes.
 */
#ifndef PKI_CUSTODY_ROLE_H
#define PKI_CUSTODY_ROLE_H

#include "base/core/buf.h"

enum role {
    ROLE_CUSTODIAN,        /* porteur de secret: keeps a share */
    ROLE_SYSTEMS,          /* ingénieur système */
    ROLE_SECURITY,         /* responsable de sécurité */
    ROLE_AUDITOR,          /* contrôleur */
    ROLE_SERVICE_DESK,     /* opérateur service desk */
    ROLE_REVOCATION,       /* opérateur de révocation */
    ROLE_REGISTRATION,     /* opérateur de saisie */
    ROLE_VALIDATION,       /* opérateur de validation */
    ROLE_PERSO,            /* opérateur de personnalisation */
    ROLE_PINMAILER,        /* opérateur de code d'activation */
    ROLE_COUNT
};

typedef unsigned role_set;                    /* one bit per role */
#define ROLE_BIT(role) (1U << (role))

const char *role_name(enum role r);           /* as in the column role_grant.role: "custodian" */
/* ERR_INPUT: no such role. */
MUST_USE enum err role_parse(struct str name, enum role *ret);

bool role_conflict(enum role a, enum role b);
/* Is there a forbidden pair in the set? ret_a and ret_b (may be NULL) say which. */
bool role_set_conflict(role_set set, enum role *ret_a, enum role *ret_b);

#endif
