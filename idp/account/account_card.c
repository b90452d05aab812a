/*
 * account_card: what only cards do: they are handed over, and come back after a block (P-031, P-032, P-062…P-066).
 *
 * Coming back takes three things at the counter: the card itself (idp/credential), the OTP that the town's server kept, and the
 * PIN of the citizen's letter (K1, A-01). What did it is used up, what blocked it is dead, and a new set is there at once.
 */
#include "idp/account/account-internal.h"

#include <stdio.h>

static enum err
is_card(const struct account *a, struct why *why)
{
    return a->type == ACCOUNT_X509_CARD ? OK : why_code(why, ERR_CONFLICT, "account.type", "a %s account is no card",
                                                        account_type_name(a->type));
}

enum err
account_hand_over(struct pg *pg, const struct account *a, const char *more, const struct account_actor *who, utime now,
                  struct why *why)
{
    enum err e;

    if ((e = is_card(a, why)) != OK)
        return e;
    return account_transition_more(pg, a, ACCOUNT_EV_ACTIVATE, "", more, who, now, why);
}

enum err
account_reactivate_check(const struct account *a, int64_t hold_max, utime card_since, utime now, struct why *why)
{
    enum account_state to;
    enum err e;

    if ((e = is_card(a, why)) != OK)
        return e;
    if (account_next(a->type, a->state, ACCOUNT_EV_REACTIVATE, &to) != OK) {
        char code[48];

        snprintf(code, sizeof(code), "account.state.%s", account_state_name(a->state));
        return why_code(why, ERR_CONFLICT, code, "only a blocked account comes back, this one is %s",
                        account_state_name(a->state));
    }
    if (now - a->state_since >= hold_max)
        return why_code(why, ERR_CONFLICT, "account.reactivate.late", "blocked too long ago to come back");
    if (a->final && card_since <= a->state_since)
        return why_code(why, ERR_CONFLICT, "account.final", "blocked for good: stolen, or somebody knows its PIN");
    return OK;
}

enum err
account_reactivate(struct pg *pg, const struct keyring *pepper, const struct account *a, const char *more,
                   const struct account_actor *who, utime now, struct account_codes *ret_codes, struct why *why)
{
    static const char *const used[] = { "reactivation_otp", "reactivation_pin", NULL };
    static const char *const dead[] = { "revocation", NULL };
    AUTO(account_codes_done) struct account_codes codes = { .creation_expires = UTIME_NULL };
    enum err e;

    if ((e = account_transition_more(pg, a, ACCOUNT_EV_REACTIVATE, "", more, who, now, why)) != OK ||
        (e = account_store_count_reactivation(pg, a->id, why)) != OK ||
        (e = secret_store_end(pg, a->id, used, "used", now, why)) != OK ||
        (e = secret_store_end(pg, a->id, dead, "superseded", now, why)) != OK ||
        (e = account_card_codes(pg, pepper, a->id, now, &codes, why)) != OK ||
        (e = account_certificates_job(pg, a->id, "resume", now, why)) != OK)
        return e;
    *ret_codes = codes;
    return OK;
}
