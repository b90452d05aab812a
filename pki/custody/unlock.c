/* unlock: see unlock.h. */
#include "pki/custody/unlock.h"

struct unlock {
    struct unlock_config conf;
    enum unlock_state state;
    struct share shares[SHAMIR_TOTAL_MAX];   /* collected, values wiped once open */
    role_set roles[SHAMIR_TOTAL_MAX];
    size_t n;
    struct secret s;                         /* while open */
    utime since;                             /* collecting: first share; open: last use */
};

struct unlock *
unlock_new(const struct unlock_config *conf)
{
    struct unlock *u = mem_alloc(sizeof(*u));

    CHECK(conf->threshold >= 2 && conf->threshold <= conf->total && conf->total <= SHAMIR_TOTAL_MAX);
    u->conf = *conf;
    return u;
}

static void
shares_wipe(struct unlock *u)
{
    for (size_t i = 0; i < u->n; i++)
        share_done(&u->shares[i]);
    u->n = 0;
}

void
unlock_lock(struct unlock *u)
{
    shares_wipe(u);
    secret_done(&u->s);
    u->state = UNLOCK_LOCKED;
}

void
unlock_free(struct unlock *u)
{
    if (u == NULL)
        return;
    unlock_lock(u);
    mem_freep(&u);
}

/* --- a share ------------------------------------------------------------------------------------------------ */

static enum err
share_check(const struct unlock *u, const struct share_info *info, struct why *why)
{
    if (strcmp(info->set, u->conf.set) != 0 || info->threshold != u->conf.threshold || info->total != u->conf.total)
        return why_code(why, ERR_INPUT, "unlock.set", "a share of another set");
    for (size_t i = 0; i < u->n; i++)
        if (strcmp(u->shares[i].info.person, info->person) == 0 || u->shares[i].info.number == info->number)
            return why_code(why, ERR_CONFLICT, "unlock.twice", "%s, or share %d, was here already", info->person,
                            info->number);
    return OK;
}

static enum err
roles_check(const struct unlock *u, role_set roles, struct why *why)
{
    enum role a, b;
    bool only_systems = (roles & ROLE_BIT(ROLE_SYSTEMS)) != 0;

    if ((roles & ROLE_BIT(ROLE_CUSTODIAN)) == 0)
        return why_code(why, ERR_DENIED, "unlock.role", "not a custodian now");
    if (role_set_conflict(roles, &a, &b))
        return why_code(why, ERR_DENIED, "unlock.role", "one person cannot be %s and %s", role_name(a), role_name(b));
    for (size_t i = 0; i < u->n; i++)
        only_systems = only_systems && (u->roles[i] & ROLE_BIT(ROLE_SYSTEMS)) != 0;
    if (u->n + 1 == (size_t)u->conf.threshold && only_systems)
        return why_code(why, ERR_DENIED, "unlock.role", "systems engineers do not open a key among themselves");
    return OK;
}

static enum err
open_now(struct unlock *u, utime now, struct why *why)
{
    enum err e = share_combine(u->shares, u->n, &u->s, why);

    if (e != OK) {
        unlock_lock(u);
        return e;
    }
    shares_wipe(u);
    u->state = UNLOCK_OPEN;
    u->since = now;
    return OK;
}

enum err
unlock_add(struct unlock *u, struct share *s, role_set roles, utime now, struct why *why)
{
    AUTO(share_done) struct share mine = *s;
    enum err e;

    s->value = (struct secret)SECRET_INIT;
    (void)unlock_tick(u, now);
    if (u->state == UNLOCK_OPEN)
        return why_code(why, ERR_CONFLICT, "unlock.open", "open already");
    if ((e = share_check(u, &mine.info, why)) != OK || (e = roles_check(u, roles, why)) != OK)
        return e;
    if (u->state == UNLOCK_LOCKED) {
        u->state = UNLOCK_COLLECTING;
        u->since = now;
    }
    u->roles[u->n] = roles;
    u->shares[u->n++] = mine;
    mine.value = (struct secret)SECRET_INIT;
    return u->n < (size_t)u->conf.threshold ? OK : open_now(u, now, why);
}

/* --- what others ask ---------------------------------------------------------------------------------------- */

enum unlock_state
unlock_state(const struct unlock *u)
{
    return u->state;
}

int
unlock_missing(const struct unlock *u)
{
    return u->state == UNLOCK_OPEN ? 0 : u->conf.threshold - (int)u->n;
}

const struct secret *
unlock_secret(const struct unlock *u)
{
    return u->state == UNLOCK_OPEN ? &u->s : NULL;
}

void
unlock_use(struct unlock *u, utime now)
{
    if (u->state == UNLOCK_OPEN)
        u->since = now;
}

bool
unlock_tick(struct unlock *u, utime now)
{
    const int64_t max = u->state == UNLOCK_COLLECTING ? u->conf.collect_max : u->conf.idle_max;

    if (u->state == UNLOCK_LOCKED || max == 0 || now - u->since < max)
        return false;
    unlock_lock(u);
    return true;
}
