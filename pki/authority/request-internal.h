/* request-internal: statements of the table request that its rules need. */
#ifndef PKI_AUTHORITY_REQUEST_INTERNAL_H
#define PKI_AUTHORITY_REQUEST_INTERNAL_H

#include "pki/authority/request.h"

/* Locks the row of an operator's request that waits. ERR_CONFLICT: it does not. */
MUST_USE enum err request_lock(struct pg *pg, const char *id, struct why *why);
/* received -> approved; the row is locked. */
MUST_USE enum err request_approved(struct pg *pg, const char *id, struct why *why);

#endif
