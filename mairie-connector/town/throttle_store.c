/*
 * throttle_store: failed sign-ins, counted by keyed hash of what they tried. Five at once, one forgiven every ten minutes;
 * past that each waits, 2 s doubling to 15 minutes, never longer: it slows, it does not lock out.
 */
#include "mairie-connector/town/agent.h"

#include <stdio.h>

/* $1 bucket, $2 now. A bucket that still waits is left as it is. */
#define WAITS "(throttle.level >= 5 AND throttle.at + make_interval(secs => least(900, 2 * power(2, least(throttle.level - 5, 20)))) > $2)"
enum { S_TAKE, S_FORGIVE };
static const struct pg_stmt stmts[] = {
    [S_TAKE] = { "throttle.take",
        "INSERT INTO throttle (bucket, level, at) VALUES ($1, 1, $2) ON CONFLICT (bucket) DO UPDATE SET "
        "level = CASE WHEN " WAITS " THEN throttle.level ELSE greatest(0, throttle.level - "
        "greatest(0, extract(epoch FROM $2 - throttle.at)::float8) / 600) + 1 END, "
        "at = CASE WHEN " WAITS " THEN throttle.at ELSE $2 END "
        "RETURNING at, (least(900, 2 * power(2, least(level - 5, 20))) * 1000000)::int8", 2 },
    [S_FORGIVE] = { "throttle.forgive", "DELETE FROM throttle WHERE bucket = $1", 1 },
};
const struct pg_stmts throttle_stmts = PG_STMTS(stmts);

static enum err
bucket_mac(const struct keyring *pepper, const char *rule, const char *key, unsigned char out[MAC_LEN],
           struct why *why)
{
    char label[64];
    enum err e;

    snprintf(label, sizeof(label), "throttle.%s", rule);
    if ((e = mac_compute(pepper, keyring_current(pepper), label, str_of(key), out)) != OK)
        return why_set(why, e, "no pepper");
    return OK;
}

enum err
throttle_take(struct pg *pg, const struct keyring *pepper, const char *rule, const char *key, utime now,
              int64_t *ret_wait, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char mac[MAC_LEN];
    utime at;
    enum err e;

    if ((e = bucket_mac(pepper, rule, key, mac, why)) != OK)
        return e;
    pg_arg_bytes(&args, mac, sizeof(mac));
    pg_arg_time(&args, now);
    if ((e = pg_exec(pg, &stmts[S_TAKE], &args, &r, why)) != OK)
        return e;
    at = pg_time(r, 0, 0);
    *ret_wait = at == now ? 0 : at + pg_i64(r, 0, 1) - now;
    if (*ret_wait < 0)
        *ret_wait = 0;
    return OK;
}

enum err
throttle_forgive(struct pg *pg, const struct keyring *pepper, const char *rule, const char *key, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    unsigned char mac[MAC_LEN];
    enum err e;

    if ((e = bucket_mac(pepper, rule, key, mac, why)) != OK)
        return e;
    pg_arg_bytes(&args, mac, sizeof(mac));
    return pg_exec(pg, &stmts[S_FORGIVE], &args, NULL, why);
}
