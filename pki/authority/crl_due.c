/* crl_due: see crl_due.h. */
#include "pki/authority/crl_due.h"

void
crl_due(const struct crl_shard *s, utime now, bool *ret_full, bool *ret_delta)
{
    const bool at_once = !s->deltas || s->entries <= CRL_SMALL;
    bool full;

    *ret_full = *ret_delta = false;
    if (s->root)
        return;
    full = !s->has_full || s->went_back || now >= s->made_at + s->period ||
           (s->full_behind && (at_once || now >= s->made_at + CRL_FULL_AFTER));
    *ret_full = full;
    /* A delta begins at a full list that is good and of this database. */
    *ret_delta = s->deltas && s->has_full && !s->went_back && s->next_update > now && (full || !s->has_delta || s->behind);
}
