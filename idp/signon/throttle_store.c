/* throttle_store: the table throttle; one statement decides and counts, for up to three buckets in turn. */
#include "idp/signon/throttle.h"

#include <arpa/inet.h>
#include <stdio.h>

/* $1 now; of each bucket: its key, burst, leak/s, longest delay in s, first delay in s. A bucket still waiting is left
 * as it is: its instant is not now. One of more than five minutes from now was touched before a clock was set back: it
 * waits for nothing. Less is the difference between two nodes. */
#define SECONDS(level, burst, longest, first)                                                                         \
    "least(" longest "::text::float8, " first "::text::float8 * power(2, least(" level " - " burst "::text::float8, 30)))"
#define WAITING(burst, longest, first)                                                                                \
    "(throttle.level >= " burst "::text::float8 AND throttle.at <= $1::timestamptz + interval '5 minutes' AND "       \
    "throttle.at + make_interval(secs => " SECONDS("throttle.level", burst, longest, first) ") > $1::timestamptz)"
#define SKEW_MAX (5 * USEC_PER_MIN)
#define COUNT_IN(bucket, burst, leak, longest, first, from)                                                           \
    "INSERT INTO throttle (bucket, level, at) SELECT " bucket "::bytea, 1, $1::timestamptz " from " ON CONFLICT (bucket) DO UPDATE SET " \
    "level = CASE WHEN " WAITING(burst, longest, first) " THEN throttle.level ELSE greatest(0, throttle.level - "     \
    leak "::text::float8 * greatest(0, extract(epoch FROM $1::timestamptz - throttle.at))) + 1 END, "                 \
    "at = CASE WHEN " WAITING(burst, longest, first) " THEN throttle.at ELSE $1::timestamptz END "                    \
    "RETURNING at, (" SECONDS("level", burst, longest, first) " * 1000000)::int8 AS usec"
enum { S_TAKE, S_TAKE_3, S_LOOK, S_FORGIVE, S_GIVE_BACK };
static const struct pg_stmt stmts[] = {
    [S_TAKE] = { "throttle.take", COUNT_IN("$2", "$3", "$4", "$5", "$6", ""), 6 },
    /* The next is asked only when the one before let pass. */
    [S_TAKE_3] = { "throttle.take_3",
        "WITH a AS (" COUNT_IN("$2", "$3", "$4", "$5", "$6", "") "), "
        "b AS (" COUNT_IN("$7", "$8", "$9", "$10", "$11", "FROM a WHERE a.at = $1::timestamptz") "), "
        "c AS (" COUNT_IN("$12", "$13", "$14", "$15", "$16", "FROM b WHERE b.at = $1::timestamptz") ") "
        "SELECT at, usec FROM a UNION ALL SELECT at, usec FROM b UNION ALL SELECT at, usec FROM c", 16 },
    [S_LOOK] = { "throttle.look",
        "SELECT at, (least($3::text::float8, $4::text::float8 * power(2, least(level - $2::text::float8, 30))) * 1000000)::int8 "
        "FROM throttle WHERE bucket = $1 AND level >= $2::text::float8", 4 },
    [S_FORGIVE] = { "throttle.forgive", "DELETE FROM throttle WHERE bucket = $1", 1 },
    [S_GIVE_BACK] = { "throttle.give_back",
        "UPDATE throttle SET level = greatest(0, level - 1) WHERE bucket = $1", 1 },
};
const struct pg_stmts throttle_stmts = PG_STMTS(stmts);

struct bucket_room {
    unsigned char mac[MAC_LEN];
    char burst[32], leak[32], longest[32], first[32];
};

static enum err
bucket_mac(const struct keyring *pepper, const struct throttle_rule *rule, const char *key, unsigned char out[MAC_LEN])
{
    char label[64];

    snprintf(label, sizeof(label), "throttle.%s", rule->name);
    return mac_compute(pepper, keyring_current(pepper), label, str_of(key), out);
}

/* Five parameters of one bucket, in the order of COUNT_IN; text lives in room. */
static enum err
bucket_args(struct pg_args *args, const struct keyring *pepper, const struct throttle_try *t, struct bucket_room *room,
            struct why *why)
{
    enum err e;

    if ((e = bucket_mac(pepper, t->rule, t->key, room->mac)) != OK)
        return why_set(why, e, "no pepper");
    snprintf(room->burst, sizeof(room->burst), "%.3f", t->rule->burst);
    snprintf(room->leak, sizeof(room->leak), "%.9f", t->rule->leak);
    snprintf(room->longest, sizeof(room->longest), "%.3f", t->rule->delay_max);
    snprintf(room->first, sizeof(room->first), "%.3f", t->rule->delay_first);
    pg_arg_bytes(args, room->mac, sizeof(room->mac));
    pg_arg_text(args, room->burst);
    pg_arg_text(args, room->leak);
    pg_arg_text(args, room->longest);
    pg_arg_text(args, room->first);
    return OK;
}

static enum err
take(struct pg *pg, const struct pg_stmt *stmt, const struct keyring *pepper, const struct throttle_try *tries,
     size_t n, utime now, int64_t *ret_wait, struct why *why)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct pg_args args = PG_ARGS_INIT;
    struct bucket_room room[3];
    enum err e;

    pg_arg_time(&args, now);
    for (size_t i = 0; i < n; i++)
        if ((e = bucket_args(&args, pepper, &tries[i], &room[i], why)) != OK)
            return e;
    if ((e = pg_exec(pg, stmt, &args, &r, why)) != OK)
        return e;
    *ret_wait = 0;
    for (int i = 0; i < pg_rows(r); i++) {
        utime at = pg_time(r, i, 0), until = at + pg_i64(r, i, 1);

        if (at != now && until > now)
            *ret_wait = until - now;
    }
    return OK;
}

enum err
throttle_take(struct pg *pg, const struct keyring *pepper, const struct throttle_rule *rule, const char *key, utime now,
              int64_t *ret_wait, struct why *why)
{
    return take(pg, &stmts[S_TAKE], pepper, &(struct throttle_try){ rule, key }, 1, now, ret_wait, why);
}

enum err
throttle_take_3(struct pg *pg, const struct keyring *pepper, const struct throttle_try tries[3], utime now,
                int64_t *ret_wait, struct why *why)
{
    return take(pg, &stmts[S_TAKE_3], pepper, tries, 3, now, ret_wait, why);
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
    return pg_post(pg, stmt, &args, why);
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
