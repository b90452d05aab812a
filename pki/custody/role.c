/* role: see role.h. */
#include "pki/custody/role.h"

static const char *const names[ROLE_COUNT] = {
    [ROLE_CUSTODIAN] = "custodian",       [ROLE_SYSTEMS] = "systems",           [ROLE_SECURITY] = "security",
    [ROLE_AUDITOR] = "auditor",           [ROLE_SERVICE_DESK] = "service_desk", [ROLE_REVOCATION] = "revocation",
    [ROLE_REGISTRATION] = "registration", [ROLE_VALIDATION] = "validation",     [ROLE_PERSO] = "perso",
    [ROLE_PINMAILER] = "pinmailer",
};

/* What does not go with an operator's role: those who watch over operators and machines. */
#define WATCH (ROLE_BIT(ROLE_SECURITY) | ROLE_BIT(ROLE_SYSTEMS) | ROLE_BIT(ROLE_AUDITOR))
#define CARD_SECRETS (ROLE_BIT(ROLE_PERSO) | ROLE_BIT(ROLE_PINMAILER))

/* Row by row of DOMAIN 3.3; role_conflict() reads it both ways. Entry and validation of one request are told apart by the
 * request, not here. */
static const role_set conflicts[ROLE_COUNT] = {
    [ROLE_REGISTRATION] = WATCH | CARD_SECRETS | ROLE_BIT(ROLE_SERVICE_DESK),
    [ROLE_VALIDATION] = WATCH | CARD_SECRETS | ROLE_BIT(ROLE_SERVICE_DESK),
    [ROLE_PERSO] = WATCH | ROLE_BIT(ROLE_PINMAILER),
    [ROLE_PINMAILER] = WATCH,
    [ROLE_REVOCATION] = WATCH,
    [ROLE_SERVICE_DESK] = WATCH,
    [ROLE_SECURITY] = ROLE_BIT(ROLE_SYSTEMS) | ROLE_BIT(ROLE_AUDITOR),
    [ROLE_SYSTEMS] = ROLE_BIT(ROLE_AUDITOR),
    [ROLE_CUSTODIAN] = ROLE_BIT(ROLE_AUDITOR),
};

const char *
role_name(enum role r)
{
    CHECK((unsigned)r < ROLE_COUNT);
    return names[r];
}

enum err
role_parse(struct str name, enum role *ret)
{
    for (unsigned i = 0; i < ROLE_COUNT; i++) {
        if (str_eqs(name, names[i])) {
            *ret = (enum role)i;
            return OK;
        }
    }
    return ERR_INPUT;
}

bool
role_conflict(enum role a, enum role b)
{
    return (conflicts[a] & ROLE_BIT(b)) != 0 || (conflicts[b] & ROLE_BIT(a)) != 0;
}

bool
role_set_conflict(role_set set, enum role *ret_a, enum role *ret_b)
{
    for (unsigned a = 0; a < ROLE_COUNT; a++) {
        for (unsigned b = a + 1; b < ROLE_COUNT; b++) {
            if ((set & ROLE_BIT(a)) == 0 || (set & ROLE_BIT(b)) == 0 || !role_conflict((enum role)a, (enum role)b))
                continue;
            if (ret_a != NULL)
                *ret_a = (enum role)a;
            if (ret_b != NULL)
                *ret_b = (enum role)b;
            return true;
        }
    }
    return false;
}
