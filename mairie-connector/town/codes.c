/* codes: opens what the IdP sealed to us (HPKE), and keeps codes sealed by the town's own key. */
#include "mairie-connector/town/codes.h"

#include <stdio.h>

#include "mairie-connector/wire/wire.h"

void
codes_wipe(struct codes *c)
{
    mem_wipe(c, sizeof(*c));
}

static bool
take(const char *from, char *to, size_t size)
{
    int n = snprintf(to, size, "%s", from == NULL ? "" : from);

    return n >= 0 && (size_t)n < size;
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
    if (!take(in.creation, ret->creation, sizeof(ret->creation)) ||
        !take(in.revocation, ret->revocation, sizeof(ret->revocation)) ||
        !take(in.sheet, ret->sheet, sizeof(ret->sheet)) ||
        !take(in.reactivation_otp, ret->reactivation_otp, sizeof(ret->reactivation_otp)) ||
        !take(in.reactivation_pin, ret->reactivation_pin, sizeof(ret->reactivation_pin)))
        return why_set(why, ERR_INTERNAL, "a code is too long");
    ret->creation_until = in.creation_until;
    return OK;
}

/* --- the vault --------------------------------------------------------------------------------------------------------- */

/* Where a kept code is bound to; the blocking code was there before the others. */
static const char *
place_of(enum escrow kind)
{
    static const char *const places[ESCROW_KINDS] = {
        [ESCROW_REVOCATION] = "secret_escrow.sealed",
        [ESCROW_REACTIVATION_OTP] = "secret_escrow.reactivation_otp",
        [ESCROW_REACTIVATION_PIN] = "secret_escrow.reactivation_pin",
    };

    return places[kind];
}

enum err
codes_kept(const struct mairie *m, struct pg *pg, const char *dossier_id, enum escrow kind, struct arena *a,
           struct secret *ret, struct why *why)
{
    AUTO(buf_free) struct buf plain = BUF_SECRET(64);
    struct str sealed;
    enum err e;

    if ((e = escrow_find(pg, dossier_id, kind, a, &sealed, why)) != OK)
        return e;
    if ((e = column_open(m->field, place_of(kind), dossier_id, sealed, &plain, why)) != OK)
        return why_set(why, ERR_INTERNAL, "a kept code cannot be opened");
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
    enum err e;

    if ((e = codes_kept(m, pg, dossier_id, ESCROW_REVOCATION, a, ret, why)) != ERR_NOT_FOUND)
        return e;
    if ((e = sheet_find(pg, dossier_id, a, &sheet, why)) != OK)
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
codes_keep(const struct mairie *m, struct pg *pg, const char *dossier_id, enum escrow kind, const char *folded, utime now,
           struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(256);
    enum err e;

    if ((e = column_seal(m->field, place_of(kind), dossier_id, str_of(folded), &sealed)) != OK)
        return why_set(why, e, "a code cannot be sealed");
    return escrow_put(pg, dossier_id, kind, buf_view(&sealed), now, why);
}

static enum err
keep_all(const struct mairie *m, struct pg *pg, const char *dossier_id, const struct codes *c, utime now, struct why *why)
{
    enum err e;

    if (c->revocation[0] == '\0' || (c->reactivation_otp[0] == '\0') != (c->reactivation_pin[0] == '\0'))
        return why_code(why, ERR_UNAVAILABLE, "door.answer", "a card came without its codes");
    if ((e = codes_keep(m, pg, dossier_id, ESCROW_REVOCATION, c->revocation, now, why)) != OK ||
        c->reactivation_otp[0] == '\0' ||
        (e = codes_keep(m, pg, dossier_id, ESCROW_REACTIVATION_OTP, c->reactivation_otp, now, why)) != OK)
        return e;
    return codes_keep(m, pg, dossier_id, ESCROW_REACTIVATION_PIN, c->reactivation_pin, now, why);
}

enum err
codes_keep_card(const struct mairie *m, struct pg *pg, const char *dossier_id, const char *key, struct str sealed,
                utime now, struct why *why)
{
    const struct sheet as_it_came = { .key = key, .sealed = sealed, .shown_at = UTIME_NULL };
    struct codes codes = { .creation = "" };
    enum err e;

    if ((e = codes_open(m, &as_it_came, &codes, why)) == OK)
        e = keep_all(m, pg, dossier_id, &codes, now, why);
    codes_wipe(&codes);
    return e;
}
