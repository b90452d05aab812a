/*
 * throttle_store: what may not be done as often as one likes, counted by keyed hash of who does it. After a burst each
 * waits, longer each time up to a ceiling: it slows, it does not lock out.
 */
#include "mairie-connector/town/agent.h"

#include <stdio.h>

/* Five at once, one forgiven every ten minutes; 2 s doubling to 15 minutes. */
const struct throttle_rule throttle_login = { "login", 5, 1.0 / 600, 2, 900 };
const struct throttle_rule throttle_address = { "address", 5, 1.0 / 600, 2, 900 };
/* A quick clerk makes an account in 90 seconds: 60 in an hour is more than a day at the counter asks for. */
const struct throttle_rule throttle_create = { "create", 60, 60.0 / 3600, 10, 120 };

/* $1 bucket, $2 now, $3 burst, $4 leak/s, $5 longest delay in s, $6 first delay in s. A bucket that still waits is left
 * as it is. */
#define DELAY(level) "least($5::text::float8, $6::text::float8 * power(2, least(" level " - $3::text::float8, 30)))"
#define WAITS "(throttle.level >= $3::text::float8 AND throttle.at + make_interval(secs => " DELAY("throttle.level") ") > $2)"
enum { S_TAKE, S_FORGIVE };
static const struct pg_stmt stmts[] = {
    [S_TAKE] = { "throttle.take",
        "INSERT INTO throttle (bucket, level, at) VALUES ($1, 1, $2) ON CONFLICT (bucket) DO UPDATE SET "
        "level = CASE WHEN " WAITS " THEN throttle.level ELSE greatest(0, throttle.level - $4::text::float8 * "
        "greatest(0, extract(epoch FROM $2 - throttle.at)::float8)) + 1 END, "
        "at = CASE WHEN " WAITS " THEN throttle.at ELSE $2 END "
        "RETURNING at, (" DELAY("level") " * 1000000)::int8", 6 },
    [S_FORGIVE] = { "throttle.forgive", "DELETE FROM throttle WHERE bucket = $1", 1 },
};
const struct pg_stmts throttle_stmts = PG_STMTS(stmts);

static enum err
bucket_mac(const struct keyring *pepper, const struct throttle_rule *rule, const char *key, unsigned char out[MAC_LEN],
           struct why *why)
{
    char label[64];
    enum err e;

    snprintf(label, sizeof(label), "throttle.%s", rule->name);
    if ((e = mac_compute(pepper, keyring_current(pepper), label, str_of(key), out)) != OK)
        return why_set(why, e, "no pepper");
    return OK;
}

enum err
throttle_take(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule, const char *key, utime now,
              int64_t *ret_wait, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    char burst[32], leak[32], longest[32], first[32];
    unsigned char mac[MAC_LEN];
    utime at;
    enum err e;

    if ((e = bucket_mac(pepper, rule, key, mac, why)) != OK)
        return e;
    pg_arg_bytes(&args, mac, sizeof(mac));
    pg_arg_time(&args, now);
    snprintf(burst, sizeof(burst), "%.3f", rule->burst);
    snprintf(leak, sizeof(leak), "%.9f", rule->leak);
    snprintf(longest, sizeof(longest), "%.3f", rule->delay_max);
    snprintf(first, sizeof(first), "%.3f", rule->delay_first);
    pg_arg_text(&args, burst);
    pg_arg_text(&args, leak);
    pg_arg_text(&args, longest);
    pg_arg_text(&args, first);
    if ((e = pg_exec(pg, &stmts[S_TAKE], &args, &r, why)) != OK)
        return e;
    at = pg_time(r, 0, 0);
    *ret_wait = at == now ? 0 : at + pg_i64(r, 0, 1) - now;
    if (*ret_wait < 0)
        *ret_wait = 0;
    return OK;
}

enum err
throttle_forgive(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule, const char *key, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    unsigned char mac[MAC_LEN];
    enum err e;

    if ((e = bucket_mac(pepper, rule, key, mac, why)) != OK)
        return e;
    pg_arg_bytes(&args, mac, sizeof(mac));
    return pg_exec(pg, &stmts[S_FORGIVE], &args, NULL, why);
}
