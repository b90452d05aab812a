/* throttle_store: the table throttle; one statement decides and counts. */
#include "idp/signon/throttle.h"

#include <arpa/inet.h>
#include <stdio.h>

/* $1 bucket, $2 now, $3 burst, $4 leak/s, $5 longest delay in s, $6 first delay in s. A bucket still waiting is left as it is.
 * One of more than five minutes from now was touched before a clock was set back: it waits for nothing. Less is the
 * difference between two nodes. */
#define WAITING                                                                                              \
    "(throttle.level >= $3::text::float8 AND throttle.at <= $2 + interval '5 minutes' AND "                     \
    "throttle.at + make_interval(secs => "                                                                      \
    "least($5::text::float8, $6::text::float8 * power(2, least(throttle.level - $3::text::float8, 30)))) > $2)"
#define SKEW_MAX (5 * USEC_PER_MIN)
enum { S_TAKE, S_LOOK, S_FORGIVE, S_GIVE_BACK };
static const struct pg_stmt stmts[] = {
    [S_TAKE] = { "throttle.take",
        "INSERT INTO throttle (bucket, level, at) VALUES ($1, 1, $2) "
        "ON CONFLICT (bucket) DO UPDATE SET "
        "level = CASE WHEN " WAITING " THEN throttle.level ELSE greatest(0, throttle.level - $4::text::float8 * "
        "greatest(0, extract(epoch FROM $2 - throttle.at))) + 1 END, "
        "at = CASE WHEN " WAITING " THEN throttle.at ELSE $2 END "
        "RETURNING at, (least($5::text::float8, $6::text::float8 * power(2, least(level - $3::text::float8, 30))) * 1000000)::int8", 6 },
    [S_LOOK] = { "throttle.look",
        "SELECT at, (least($3::text::float8, $4::text::float8 * power(2, least(level - $2::text::float8, 30))) * 1000000)::int8 "
        "FROM throttle WHERE bucket = $1 AND level >= $2::text::float8", 4 },
    [S_FORGIVE] = { "throttle.forgive", "DELETE FROM throttle WHERE bucket = $1", 1 },
    [S_GIVE_BACK] = { "throttle.give_back",
        "UPDATE throttle SET level = greatest(0, level - 1) WHERE bucket = $1", 1 },
};
const struct pg_stmts throttle_stmts = PG_STMTS(stmts);

static enum err
bucket_mac(const struct keyring *pepper, const struct throttle_rule *rule, const char *key, unsigned char out[MAC_LEN])
{
    char label[64];

    snprintf(label, sizeof(label), "throttle.%s", rule->name);
    return mac_compute(pepper, keyring_current(pepper), label, str_of(key), out);
}

enum err
throttle_take(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule, const char *key, utime now,
              int64_t *ret_wait, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char mac[MAC_LEN];
    char burst[32], leak[32], longest[32], first[32];
    utime at;
    enum err e;

    if ((e = bucket_mac(pepper, rule, key, mac)) != OK)
        return why_set(why, e, "no pepper");
    snprintf(burst, sizeof(burst), "%.3f", rule->burst);
    snprintf(leak, sizeof(leak), "%.9f", rule->leak);
    snprintf(longest, sizeof(longest), "%.3f", rule->delay_max);
    snprintf(first, sizeof(first), "%.3f", rule->delay_first);
    pg_arg_bytes(&args, mac, sizeof(mac));
    pg_arg_time(&args, now);
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
throttle_waiting(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule, const char *key,
                 utime now, int64_t *ret_wait, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    unsigned char mac[MAC_LEN];
    char burst[32], longest[32], first[32];
    enum err e;

    if ((e = bucket_mac(pepper, rule, key, mac)) != OK)
        return why_set(why, e, "no pepper");
    snprintf(burst, sizeof(burst), "%.3f", rule->burst);
    snprintf(longest, sizeof(longest), "%.3f", rule->delay_max);
    snprintf(first, sizeof(first), "%.3f", rule->delay_first);
    pg_arg_bytes(&args, mac, sizeof(mac));
    pg_arg_text(&args, burst);
    pg_arg_text(&args, longest);
    pg_arg_text(&args, first);
    if ((e = pg_exec(pg, &stmts[S_LOOK], &args, &r, why)) != OK)
        return e;
    *ret_wait = pg_rows(r) == 0 || pg_time(r, 0, 0) > now + SKEW_MAX ? 0 : pg_time(r, 0, 0) + pg_i64(r, 0, 1) - now;
    if (*ret_wait < 0)
        *ret_wait = 0;
    return OK;
}

static enum err
change_bucket(struct pg *pg, const struct pg_stmt *stmt, const struct keyring *pepper, const struct throttle_rule *rule,
              const char *key, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;
    unsigned char mac[MAC_LEN];
    enum err e;

    if ((e = bucket_mac(pepper, rule, key, mac)) != OK)
        return why_set(why, e, "no pepper");
    pg_arg_bytes(&args, mac, sizeof(mac));
    return pg_exec(pg, stmt, &args, NULL, why);
}

enum err
throttle_forgive(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule, const char *key,
                 struct why *why)
{
    return change_bucket(pg, &stmts[S_FORGIVE], pepper, rule, key, why);
}

enum err
throttle_give_back(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule, const char *key,
                   struct why *why)
{
    return change_bucket(pg, &stmts[S_GIVE_BACK], pepper, rule, key, why);
}

void
ip_prefix(const char *ip, char out[IP_PREFIX_MAX])
{
    unsigned char a[16];
    char text[INET6_ADDRSTRLEN];

    if (inet_pton(AF_INET, ip, a) == 1) {
        snprintf(out, IP_PREFIX_MAX, "%u.%u.%u.0/24", a[0], a[1], a[2]);
    } else if (inet_pton(AF_INET6, ip, a) == 1) {
        memset(a + 7, 0, sizeof(a) - 7);
        snprintf(out, IP_PREFIX_MAX, "%s/56", inet_ntop(AF_INET6, a, text, sizeof(text)));
    } else {
        snprintf(out, IP_PREFIX_MAX, "unknown");
    }
}
