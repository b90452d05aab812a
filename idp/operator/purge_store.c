/* purge_store: removes what its time has passed (DOMAIN 4.5). A rule is two statements: count (dry run) and delete. */
#include "idp/operator/purge.h"

#define RULE(name, table, condition)                                                                          \
    { "purge.count." name, "SELECT count(*) FROM " table " WHERE " condition, 1 },                              \
    { "purge.delete." name, "DELETE FROM " table " WHERE " condition, 1 }
static const struct pg_stmt stmts[] = {
    RULE("secrets", "secret", "state <> 'live' AND ended_at < $1"),
    RULE("replies", "idempotency", "expires_at < $1"),
    RULE("sessions", "session", "abs_until < $1"),
    RULE("signons", "signon", "at < $1"),
    RULE("visits", "authn_event", "at < $1"),
    RULE("mail", "mail_in", "at < $1"),
    RULE("throttle", "throttle", "at < $1"),
    RULE("nodes", "node", "seen_at < $1"),
    RULE("reserved", "login_reserved", "until < $1"),
    RULE("tickets", "certificate_ticket", "expires_at < $1"),
    RULE("challenges", "factor_challenge", "expires_at < $1"),
    RULE("links", "activation_link", "expires_at < $1"),
};
const struct pg_stmts purge_stmts = PG_STMTS(stmts);

/* In the order of the statements: how long what the rule names is kept. */
static const struct {
    const char *name;
    int64_t keep;
} rules[] = {
    { "secrets", 30 * USEC_PER_DAY }, { "replies", 0 },
    { "sessions", USEC_PER_DAY },
    { "signons", 184 * USEC_PER_DAY }, { "visits", 184 * USEC_PER_DAY },
    { "mail", 30 * USEC_PER_DAY },    { "throttle", USEC_PER_DAY },
    { "nodes", USEC_PER_DAY },        { "reserved", 0 },
    { "tickets", 0 },
    { "challenges", 0 },
    { "links", 30 * USEC_PER_DAY },
};
_Static_assert(ARRAY_LEN(stmts) == 2 * ARRAY_LEN(rules), "each rule has a count and a delete");

enum err
purge_run(struct pg *pg, utime now, bool dry, struct buf *report, struct why *why)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        AUTO(pg_result_freep) struct pg_result *r = NULL;
        struct pg_args args = PG_ARGS_INIT;
        enum err e;

        pg_arg_time(&args, now - rules[i].keep);
        if ((e = pg_exec(pg, &stmts[2 * i + (dry ? 0 : 1)], &args, &r, why)) != OK)
            return e;
        if (report != NULL)
            buf_addf(report, "purge-%s %lld\n", rules[i].name, (long long)(dry ? pg_i64(r, 0, 0) : pg_affected(r)));
    }
    return OK;
}
