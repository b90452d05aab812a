/* login: checking a typed pair, and proposing names. The time of a check does not tell whether the name exists. */
#include "idp/credential/login-internal.h"

#include <stdio.h>

#include "base/core/log.h"
#include "base/core/rand.h"

enum err
login_hash(const char *password, const struct password_cost *cost, char ret[PASSWORD_HASH_SIZE], struct why *why)
{
    return password_hash(str_of(password), cost, ret, why);
}

/* The next hash is made while the typed password is at hand; not being able to is no reason to refuse. */
static void
raise_cost(struct pg *pg, struct login_row *row, const char *password, const struct password_cost *cost, utime now)
{
    char hash[PASSWORD_HASH_SIZE];
    struct why why = WHY_INIT;
    bool raised = false;
    enum err e;

    if ((e = password_hash(str_of(password), cost, hash, &why)) != OK ||
        (e = login_store_raise(pg, row->account_id, row->password, hash, now, &raised, &why)) != OK)
        LOG_WARN_EV("login.raise_cost", LF_ERR(e), LF_WHY(&why));
    else if (raised)
        row->changed_at = now;
}

enum err
login_verify(struct pg *pg, const char *login, const char *password, const struct password_cost *cost, utime now,
             struct login_check *ret, struct why *why)
{
    struct why unused = WHY_INIT;
    char folded[LOGIN_FOLDED_MAX];
    struct login_row row;
    bool needs_rehash;
    enum err e;

    memset(ret, 0, sizeof(*ret));
    e = login_fold(login, folded) == OK ? login_store_find(pg, folded, &row, why) : ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND) {
        err_ignore(password_verify_nobody(str_of(password), cost, &unused));   /* only its time matters */
        return OK;
    }
    if (e != OK)
        return e;
    memcpy(ret->subject, row.account_id, sizeof(ret->subject));
    e = password_verify(str_of(password), row.password, cost, &needs_rehash, why);
    if (e == ERR_DENIED || e == ERR_INPUT)
        return OK;
    if (e != OK)
        return e;
    if (needs_rehash)
        raise_cost(pg, &row, password, cost, now);
    memcpy(ret->account_id, row.account_id, sizeof(ret->account_id));
    snprintf(ret->state, sizeof(ret->state), "%s", row.state);
    ret->active = strcmp(row.state, "active") == 0;
    ret->factors = row.factors;
    ret->changed_at = row.changed_at;
    return OK;
}

enum err
login_suggest(struct pg *pg, const char *login, utime now, struct arena *a, const char *ret[3], size_t *ret_n,
              struct why *why)
{
    size_t n = 0;

    for (int tries = 0; n < 3 && tries < 12; tries++) {
        const char *candidate = arena_printf(a, "%s%s%u", login, tries % 2 == 0 ? "" : "-", 2 + rand_below(98));
        char folded[LOGIN_FOLDED_MAX];
        bool is_free, twice = false;
        enum err e;

        if (login_name_problem(candidate) != NULL || login_fold(candidate, folded) != OK)
            continue;
        if ((e = login_is_free(pg, folded, now, &is_free, why)) != OK)
            return e;
        for (size_t i = 0; i < n; i++)
            twice = twice || strcmp(ret[i], candidate) == 0;
        if (is_free && !twice)
            ret[n++] = candidate;
    }
    *ret_n = n;
    return OK;
}
