/* codes: opens what the IdP sealed to us (HPKE), and keeps the blocking code sealed by the town's own key. */
#include "mairie-connector/town/codes.h"

#include <stdio.h>

#include "mairie-connector/wire/wire.h"

void
codes_wipe(struct codes *c)
{
    mem_wipe(c, sizeof(*c));
}

static bool
take(const char *from, char to[CODE_FOLDED_MAX])
{
    if (from == NULL) {
        to[0] = '\0';
        return true;
    }
    return (size_t)snprintf(to, CODE_FOLDED_MAX, "%s", from) < CODE_FOLDED_MAX;
}

enum err
codes_open(const struct mairie *m, const struct sheet *s, struct codes *ret, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(64 * 1024);
    AUTO(buf_free) struct buf plain = BUF_SECRET(16 * 1024);
    struct wire_codes in;
    enum err e;

    if ((e = seal_open(m->seal_key, STR_LIT(WIRE_SEAL_INFO), str_of(s->key), s->sealed, &plain, why)) != OK)
        return e;
    if ((e = wire_read_codes(buf_view(&plain), a, &in, why)) != OK)
        return e;
    if (!take(in.creation, ret->creation) || !take(in.revocation, ret->revocation) || !take(in.sheet, ret->sheet))
        return why_set(why, ERR_INTERNAL, "a code is too long");
    ret->creation_until = in.creation_until;
    return OK;
}

static enum err
from_escrow(const struct mairie *m, const char *dossier_id, struct str sealed, struct secret *ret, struct why *why)
{
    AUTO(buf_free) struct buf plain = BUF_SECRET(64);
    enum err e;

    if ((e = column_open(m->field, "secret_escrow.sealed", dossier_id, sealed, &plain, why)) != OK)
        return why_set(why, ERR_INTERNAL, "the kept blocking code cannot be opened");
    buf_addc(&plain, '\0');
    secret_set(ret, plain.data, plain.len);
    return OK;
}

enum err
codes_revocation(const struct mairie *m, struct pg *pg, const char *dossier_id, struct arena *a, struct secret *ret,
                 struct why *why)
{
    struct codes codes;
    struct sheet sheet;
    struct str sealed;
    enum err e;

    if ((e = escrow_find(pg, dossier_id, a, &sealed, why)) == OK)
        return from_escrow(m, dossier_id, sealed, ret, why);
    if (e != ERR_NOT_FOUND || (e = sheet_find(pg, dossier_id, a, &sheet, why)) != OK)
        return e;
    if (sheet.sealed.p == NULL)
        return why_code(why, ERR_NOT_FOUND, "escrow.none", "no blocking code is kept");
    if ((e = codes_open(m, &sheet, &codes, why)) != OK)
        return e;
    secret_set(ret, codes.revocation, strlen(codes.revocation) + 1);
    codes_wipe(&codes);
    return OK;
}

enum err
codes_keep_revocation(const struct mairie *m, struct pg *pg, const char *dossier_id, const char *folded, utime now,
                      struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(256);
    enum err e;

    if ((e = column_seal(m->field, "secret_escrow.sealed", dossier_id, str_of(folded), &sealed)) != OK)
        return why_set(why, e, "the blocking code cannot be sealed");
    return escrow_put(pg, dossier_id, buf_view(&sealed), now, why);
}
