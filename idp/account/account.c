/*
 * account: the rules of an account's life (DOMAIN 2.1).
 *
 * The state machine is one table. Every change goes through account_transition(): lock the row, ask the table, update,
 * leave a row for the town and one for the auditor, all in one transaction. What an account that leaves `active` must
 * lose (sessions, tokens) is taken by a trigger of the schema, so that no path forgets it.
 */
#include "idp/account/account-internal.h"

#include <stdio.h>

#include "base/core/rand.h"
#include "base/core/secret.h"
#include "base/pg/audit.h"
#include "base/pg/job.h"

static const char *const type_names[] = { "password", "x509_card", "x509_soft" };
static const char *const state_names[] = { "pending", "active", "suspended", "closed", "erased" };
static const char *const event_names[] = { "ack",    "activate",   "reissue", "revoke", "revoke_final", "set_authz",
                                           "reactivate", "timeout", "close",  "reopen", "expire",      "purge" };

const char *
account_type_name(enum account_type t)
{
    return type_names[t];
}

enum err
account_type_read(const char *name, enum account_type *ret)
{
    for (int t = ACCOUNT_PASSWORD; t <= ACCOUNT_X509_SOFT; t++) {
        if (strcmp(name, type_names[t]) == 0) {
            *ret = (enum account_type)t;
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}

const char *
account_state_name(enum account_state s)
{
    return state_names[s];
}

const char *
account_event_name(enum account_event e)
{
    return event_names[e];
}

enum { T_PASSWORD = 1 << ACCOUNT_PASSWORD, T_CARD = 1 << ACCOUNT_X509_CARD, T_SOFT = 1 << ACCOUNT_X509_SOFT,
       T_NO_CARD = T_PASSWORD | T_SOFT, T_ALL = T_NO_CARD | T_CARD };

/* One row per arrow of the drawing in DOMAIN 2.1; what is not here is refused. */
static const struct {
    enum account_state from;
    enum account_event event;
    unsigned types;
    enum account_state to;
} arrows[] = {
    { ACCOUNT_PENDING,   ACCOUNT_EV_ACK,          T_ALL,     ACCOUNT_PENDING },
    { ACCOUNT_PENDING,   ACCOUNT_EV_ACTIVATE,     T_ALL,     ACCOUNT_ACTIVE },
    { ACCOUNT_PENDING,   ACCOUNT_EV_REISSUE,      T_ALL,     ACCOUNT_PENDING },
    { ACCOUNT_PENDING,   ACCOUNT_EV_REVOKE,       T_NO_CARD, ACCOUNT_CLOSED },
    { ACCOUNT_PENDING,   ACCOUNT_EV_REVOKE_FINAL, T_NO_CARD, ACCOUNT_CLOSED },
    { ACCOUNT_PENDING,   ACCOUNT_EV_REVOKE,       T_CARD,    ACCOUNT_SUSPENDED },
    { ACCOUNT_PENDING,   ACCOUNT_EV_REVOKE_FINAL, T_CARD,    ACCOUNT_SUSPENDED },
    { ACCOUNT_PENDING,   ACCOUNT_EV_EXPIRE,       T_ALL,     ACCOUNT_ERASED },
    { ACCOUNT_ACTIVE,    ACCOUNT_EV_REVOKE,       T_ALL,     ACCOUNT_SUSPENDED },
    { ACCOUNT_ACTIVE,    ACCOUNT_EV_REVOKE_FINAL, T_ALL,     ACCOUNT_SUSPENDED },
    { ACCOUNT_ACTIVE,    ACCOUNT_EV_SET_AUTHZ,    T_ALL,     ACCOUNT_ACTIVE },
    { ACCOUNT_ACTIVE,    ACCOUNT_EV_CLOSE,        T_ALL,     ACCOUNT_CLOSED },
    { ACCOUNT_SUSPENDED, ACCOUNT_EV_REACTIVATE,   T_CARD,    ACCOUNT_ACTIVE },
    { ACCOUNT_SUSPENDED, ACCOUNT_EV_REISSUE,      T_NO_CARD, ACCOUNT_PENDING },
    { ACCOUNT_SUSPENDED, ACCOUNT_EV_TIMEOUT,      T_ALL,     ACCOUNT_CLOSED },
    { ACCOUNT_SUSPENDED, ACCOUNT_EV_CLOSE,        T_ALL,     ACCOUNT_CLOSED },
    { ACCOUNT_CLOSED,    ACCOUNT_EV_REOPEN,       T_ALL,     ACCOUNT_SUSPENDED },
    { ACCOUNT_CLOSED,    ACCOUNT_EV_PURGE,        T_ALL,     ACCOUNT_ERASED },
};

enum err
account_next(enum account_type type, enum account_state from, enum account_event event, enum account_state *ret_to)
{
    for (size_t i = 0; i < ARRAY_LEN(arrows); i++) {
        if (arrows[i].from == from && arrows[i].event == event && (arrows[i].types & (1u << type)) != 0) {
            *ret_to = arrows[i].to;
            return OK;
        }
    }
    return ERR_CONFLICT;
}

void
account_codes_done(struct account_codes *c)
{
    mem_wipe(c, sizeof(*c));
}

enum err
account_audit(struct pg *pg, const char *account_id, const char *verb, const char *result, const char *detail,
              const struct account_actor *who, utime now, struct why *why)
{
    char object[64];
    struct audit_entry entry = { .at = now, .actor = who->actor, .role = who->role, .verb = verb, .object = object,
                                 .result = result, .detail = detail };

    snprintf(object, sizeof(object), "account:%s", account_id);
    return audit_add(pg, &entry, why);
}

/* With the row locked and read. */
static enum err
transition(struct pg *pg, const struct account *a, enum account_event event, const char *reason, const char *more,
           const struct account_actor *who, utime now, enum account_state *ret_to, struct why *why)
{
    enum account_state to;
    char verb[32], detail[512];
    enum err e;

    if ((e = account_next(a->type, a->state, event, &to)) != OK) {
        char code[48];

        snprintf(code, sizeof(code), "account.state.%s", account_state_name(a->state));
        return why_code(why, e, code, "%s is not possible for a %s account that is %s", account_event_name(event),
                        account_type_name(a->type), account_state_name(a->state));
    }
    if (to != a->state || event == ACCOUNT_EV_REISSUE || event == ACCOUNT_EV_REVOKE_FINAL) {
        /* New codes wash a block and a contest away: the person stood before the clerk again. */
        bool washed = event == ACCOUNT_EV_REISSUE || event == ACCOUNT_EV_REACTIVATE;
        bool final = event == ACCOUNT_EV_REVOKE_FINAL || (a->final && !washed);

        e = account_store_set_state(pg, a, to, final, reason,
                                    event == ACCOUNT_EV_REISSUE || event == ACCOUNT_EV_ACTIVATE, now, why);
        if (e != OK)
            return e;
    }
    snprintf(verb, sizeof(verb), "account.%s", account_event_name(event));
    snprintf(detail, sizeof(detail), "{\"from\":\"%s\",\"to\":\"%s\"%s}", account_state_name(a->state),
             account_state_name(to), more);
    if ((e = account_store_change(pg, a->id, account_event_name(event), now, why)) != OK ||
        (e = account_audit(pg, a->id, verb, "ok", detail, who, now, why)) != OK)
        return e;
    *ret_to = to;
    return OK;
}

/* A refused event leaves no audit row here: the transaction that would hold it is rolled back. The door that answers
 * records the refusal (mairie-connector/api, idp/citizen). */
enum err
account_transition(struct pg *pg, const char *id, enum account_event event, const char *reason,
                   const struct account_actor *who, utime now, struct account *ret_before, enum account_state *ret_to,
                   struct why *why)
{
    struct account a;
    enum account_state to;
    enum err e;

    if ((e = account_store_lock(pg, id, &a, why)) != OK ||
        (e = transition(pg, &a, event, reason, "", who, now, &to, why)) != OK)
        return e;
    if (ret_before != NULL)
        *ret_before = a;
    if (ret_to != NULL)
        *ret_to = to;
    return OK;
}

enum err
account_transition_more(struct pg *pg, const struct account *a, enum account_event event, const char *reason,
                        const char *more, const struct account_actor *who, utime now, struct why *why)
{
    enum account_state ignored;

    return transition(pg, a, event, reason, more, who, now, &ignored, why);
}

enum err
account_lock(struct pg *pg, const char *id, struct why *why)
{
    struct account ignored;

    return account_store_lock(pg, id, &ignored, why);
}

#define OTP_BYTES 16        /* 128 bits (DOMAIN 2.4) */

/* --- creation --------------------------------------------------------------------------------------------------- */

enum err
account_card_codes(struct pg *pg, const struct keyring *pepper, const char *id, utime now, struct account_codes *codes,
                   struct why *why)
{
    enum err e;

    *codes = (struct account_codes){ .creation_expires = UTIME_NULL };
    code_draw(CODE_REVOCATION, codes->revocation);
    rand_token(OTP_BYTES, codes->reactivation_otp, sizeof(codes->reactivation_otp));
    code_draw(CODE_REACTIVATION, codes->reactivation_pin);
    if ((e = secret_store_insert(pg, pepper, id, "revocation", codes->revocation, now, UTIME_NULL, why)) != OK ||
        (e = secret_store_insert(pg, pepper, id, "reactivation_otp", codes->reactivation_otp, now, UTIME_NULL, why)) != OK)
        return e;
    return secret_store_insert(pg, pepper, id, "reactivation_pin", codes->reactivation_pin, now, UTIME_NULL, why);
}

static enum err
codes_issue(struct pg *pg, const struct keyring *pepper, const char *id, enum account_type type, bool sheet,
            int64_t creation_life, utime now, struct account_codes *codes, struct why *why)
{
    enum err e;

    *codes = (struct account_codes){ .creation_expires = now + creation_life };
    if (type == ACCOUNT_X509_CARD)
        return account_card_codes(pg, pepper, id, now, codes, why);
    code_draw(CODE_CREATION, codes->creation);
    code_draw(CODE_REVOCATION, codes->revocation);
    if ((e = secret_store_insert(pg, pepper, id, "creation", codes->creation, now, codes->creation_expires, why)) !=
            OK ||
        (e = secret_store_insert(pg, pepper, id, "revocation", codes->revocation, now, UTIME_NULL, why)) != OK)
        return e;
    if (!sheet)
        return OK;
    code_draw(CODE_SHEET, codes->sheet);
    return secret_store_insert(pg, pepper, id, "sheet", codes->sheet, now, codes->creation_expires, why);
}

enum err
account_create(struct pg *pg, const struct keyring *pepper, const struct account_new *in,
               const struct account_actor *who, utime now, char ret_id[37], struct account_codes *ret_codes,
               struct why *why)
{
    AUTO(account_codes_done) struct account_codes codes = { .creation_expires = 0 };
    char number[CODE_FOLDED_MAX] = "";
    char id[37];
    enum err e;

    rand_uuid(id);
    if (in->type != ACCOUNT_PASSWORD)
        code_draw(CODE_NUMBER, number);
    if ((e = account_store_insert(pg, id, in, number[0] == '\0' ? NULL : number, now, why)) != OK)
        return e;
    for (size_t i = 0; i < in->nauthz; i++) {
        if ((e = account_store_authz_add(pg, id, &in->authz[i], now, why)) != OK)
            return e;
    }
    if ((e = codes_issue(pg, pepper, id, in->type, in->sheet, in->creation_life, now, &codes, why)) != OK ||
        (e = account_store_change(pg, id, "create", now, why)) != OK ||
        (e = account_audit(pg, id, "account.create", "ok", "{}", who, now, why)) != OK)
        return e;
    memcpy(ret_id, id, sizeof(id));
    *ret_codes = codes;
    return OK;
}

enum err
account_ack(struct pg *pg, const char *account_id, const struct account_actor *who, utime now, struct why *why)
{
    enum account_state to;
    struct account a;
    enum err e;

    if ((e = account_store_lock(pg, account_id, &a, why)) != OK)
        return e;
    if (a.acked)
        return OK;
    if ((e = transition(pg, &a, ACCOUNT_EV_ACK, NULL, "", who, now, &to, why)) != OK)
        return e;
    return account_store_set_acked(pg, account_id, why);
}

enum err
account_set_authz(struct pg *pg, const char *account_id, const struct account_authz *authz, size_t n,
                  const struct account_actor *who, utime now, struct why *why)
{
    AUTO(mem_freep) const char **codes = mem_alloc_array(n + 1, sizeof(*codes));
    enum err e;

    if ((e = account_transition(pg, account_id, ACCOUNT_EV_SET_AUTHZ, NULL, who, now, NULL, NULL, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++)
        codes[i] = authz[i].code;
    if ((e = account_store_authz_end(pg, account_id, codes, n, now, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        if ((e = account_store_authz_add(pg, account_id, &authz[i], now, why)) != OK)
            return e;
    }
    return OK;
}

/* --- codes again -------------------------------------------------------------------------------------------------- */

static const char *const creation_kinds[] = { "creation", "activation", "sheet", NULL };
static const char *const revocation_kinds[] = { "revocation", NULL };
static const char *const all_kinds[] = { "creation",          "activation",       "revocation", "sheet",
                                         "reactivation_otp",  "reactivation_pin", NULL };

enum err
account_card_reopened(struct pg *pg, const struct account *a, bool *ret, struct why *why)
{
    char reason[32];
    enum err e = account_store_reason(pg, a->id, reason, sizeof(reason), why);

    if (e == OK)
        *ret = a->type == ACCOUNT_X509_CARD && a->state == ACCOUNT_SUSPENDED && strcmp(reason, ACCOUNT_REOPENED) == 0;
    return e;
}

/* Its codes went with the closing. It waits for another card, with which it comes back like any blocked one. */
static enum err
reissue_reopened(struct pg *pg, const struct keyring *pepper, const struct account *a, const struct account_actor *who,
                 utime now, struct account_codes *codes, struct why *why)
{
    enum err e;

    if ((e = account_store_change(pg, a->id, "reissue", now, why)) != OK ||
        (e = account_audit(pg, a->id, "account.reissue", "ok", "{\"from\":\"suspended\",\"to\":\"suspended\"}", who, now,
                           why)) != OK ||
        (e = secret_store_end(pg, a->id, all_kinds, "superseded", now, why)) != OK)
        return e;
    return account_card_codes(pg, pepper, a->id, now, codes, why);
}

enum err
account_reissue(struct pg *pg, const struct keyring *pepper, const char *account_id, bool sheet, int64_t creation_life,
                const struct account_actor *who, utime now, struct account_codes *ret_codes, struct why *why)
{
    AUTO(account_codes_done) struct account_codes codes = { .creation_expires = 0 };
    char reason[32];
    struct account a;
    bool reopened;
    enum err e;

    if ((e = account_store_lock(pg, account_id, &a, why)) != OK ||
        (e = account_store_reason(pg, account_id, reason, sizeof(reason), why)) != OK ||
        (e = account_card_reopened(pg, &a, &reopened, why)) != OK)
        return e;
    if (reopened) {
        if ((e = reissue_reopened(pg, pepper, &a, who, now, &codes, why)) == OK)
            *ret_codes = codes;
        return e;
    }
    /* Blocked by its paper before it was ever active: the clerk reopens it with new codes (DOMAIN 2.1, pending/revoke). */
    if (a.state == ACCOUNT_CLOSED && strcmp(reason, ACCOUNT_BLOCKED_PENDING) == 0 &&
        now - a.state_since < ACCOUNT_REOPEN_TIME &&
        (e = account_transition(pg, account_id, ACCOUNT_EV_REOPEN, "", who, now, NULL, NULL, why)) != OK)
        return e;
    /* New codes make a new software certificate: the one that was blocked or never came to its holder ends with them. A card
     * stays what it is: its codes alone are new. */
    if ((e = account_transition(pg, account_id, ACCOUNT_EV_REISSUE, "", who, now, NULL, NULL, why)) != OK ||
        (e = secret_store_end(pg, account_id, all_kinds, "superseded", now, why)) != OK ||
        (a.type == ACCOUNT_X509_SOFT && (e = account_certificates_job(pg, account_id, "end", now, why)) != OK) ||
        (e = codes_issue(pg, pepper, account_id, a.type, sheet, creation_life, now, &codes, why)) != OK)
        return e;
    *ret_codes = codes;
    return OK;
}

enum err
account_reissue_revocation(struct pg *pg, const struct keyring *pepper, const char *account_id,
                           const struct account_actor *who, utime now, char ret_code[CODE_FOLDED_MAX],
                           struct why *why)
{
    char code[CODE_FOLDED_MAX];
    struct account a;
    enum err e;

    if ((e = account_store_lock(pg, account_id, &a, why)) != OK)
        return e;
    if (a.state != ACCOUNT_ACTIVE)
        return why_code(why, ERR_CONFLICT, "account.state", "a blocking code alone is for active accounts, this is %s",
                        account_state_name(a.state));
    code_draw(CODE_REVOCATION, code);
    if ((e = secret_store_end(pg, account_id, revocation_kinds, "superseded", now, why)) != OK ||
        (e = secret_store_insert(pg, pepper, account_id, "revocation", code, now, UTIME_NULL, why)) != OK ||
        (e = account_store_change(pg, account_id, "reissue_revocation", now, why)) != OK ||
        (e = account_audit(pg, account_id, "account.reissue_revocation", "ok", "{}", who, now, why)) != OK)
        return e;
    memcpy(ret_code, code, sizeof(code));
    mem_wipe(code, sizeof(code));
    return OK;
}

enum err
account_contest(struct pg *pg, const char *account_id, utime now, bool *ret_first, struct why *why)
{
    static const struct account_actor who = { "system", "" };
    enum err e;

    if ((e = account_store_contest(pg, account_id, ret_first, why)) != OK || !*ret_first)
        return e;
    if ((e = account_store_change(pg, account_id, "contested", now, why)) != OK)
        return e;
    return account_audit(pg, account_id, "account.contested", "ok", "{}", &who, now, why);
}

/* --- activation, end ------------------------------------------------------------------------------------------------ */

enum err
account_activate(struct pg *pg, const char *account_id, const struct account_actor *who, utime now, struct why *why)
{
    enum err e;

    if ((e = account_transition(pg, account_id, ACCOUNT_EV_ACTIVATE, "", who, now, NULL, NULL, why)) != OK)
        return e;
    return secret_store_end(pg, account_id, creation_kinds, "used", now, why);
}

/* By somebody, or because its time is over. */
static enum err
end(struct pg *pg, const char *account_id, enum account_event event, const char *reason, const struct account_actor *who,
    utime now, struct why *why)
{
    struct account a;
    enum err e;

    if ((e = account_transition(pg, account_id, event, reason, who, now, &a, NULL, why)) != OK ||
        (e = secret_store_end(pg, account_id, all_kinds, "superseded", now, why)) != OK ||
        (e = account_store_reserve_login(pg, account_id, now + 365 * USEC_PER_DAY, why)) != OK ||
        (e = account_store_forget_contact(pg, account_id, why)) != OK ||
        (a.type != ACCOUNT_PASSWORD && (e = account_certificates_job(pg, account_id, "end", now, why)) != OK))
        return e;
    return account_left_job(pg, account_id, now, why);
}

enum err
account_close(struct pg *pg, const char *account_id, const char *reason, const struct account_actor *who, utime now,
              struct why *why)
{
    return end(pg, account_id, ACCOUNT_EV_CLOSE, reason, who, now, why);
}

enum err
account_reopen(struct pg *pg, const char *account_id, const struct account_actor *who, utime now, struct why *why)
{
    struct account a;
    enum err e;

    if ((e = account_store_lock(pg, account_id, &a, why)) != OK)
        return e;
    if (a.state == ACCOUNT_CLOSED && now - a.state_since >= ACCOUNT_REOPEN_TIME)
        return why_code(why, ERR_CONFLICT, "account.reopen.late", "closed too long ago to be opened again");
    return account_transition(pg, account_id, ACCOUNT_EV_REOPEN, ACCOUNT_REOPENED, who, now, NULL, NULL, why);
}

struct due_arg {
    const char *id;
    utime now;
};
static const struct account_actor timer = { "system", "timer" };

static enum err
expire_one(struct pg *pg, void *arg, struct why *why)
{
    const struct due_arg *x = arg;
    enum err e;

    if ((e = account_transition(pg, x->id, ACCOUNT_EV_EXPIRE, "", &timer, x->now, NULL, NULL, why)) != OK ||
        (e = secret_store_end(pg, x->id, all_kinds, "expired", x->now, why)) != OK)
        return e;
    return account_store_erase(pg, x->id, x->now, why);
}

static enum err
timeout_one(struct pg *pg, void *arg, struct why *why)
{
    const struct due_arg *x = arg;

    return end(pg, x->id, ACCOUNT_EV_TIMEOUT, "timeout", &timer, x->now, why);
}

typedef enum err (*due_find)(struct pg *pg, utime now, int max, struct arena *a, char ***ret_ids, size_t *ret_n, struct why *why);

/* Each of those that find gives, 100 at most, in a transaction of its own. */
static enum err
all_due(struct pg *pg, due_find find, pg_tx_body one, utime now, int *ret_n, struct why *why)
{
    AUTO(arena_freep) struct arena *arena = arena_new(64 * 1024);
    int done = 0;
    char **ids;
    size_t n;
    enum err e;

    if ((e = find(pg, now, 100, arena, &ids, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        struct due_arg x = { ids[i], now };

        e = pg_tx(pg, one, &x, why);
        if (e == OK)
            done++;
        else if (e != ERR_CONFLICT)      /* lost to an activation of the same second: that one stands */
            return e;
    }
    *ret_n = done;
    return OK;
}

enum err
account_expire_due(struct pg *pg, utime now, int *ret_n, struct why *why)
{
    return all_due(pg, account_store_expired, expire_one, now, ret_n, why);
}

enum err
account_timeout_due(struct pg *pg, utime now, int *ret_n, struct why *why)
{
    return all_due(pg, account_store_held, timeout_one, now, ret_n, why);
}
