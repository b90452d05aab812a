/* notice_store: which mails are due: each is a job, inserted in the statement that finds it. */
#include "base/pg/job.h"
#include "pki/front/notice.h"

enum { S_ALARMS, S_EXPIRY };
static const struct pg_stmt stmts[] = {
    /* One that ended before anybody was told is told for a day. */
    [S_ALARMS] = { "notice.alarms",
        "WITH a AS (UPDATE alarm SET told_at = $1::timestamptz WHERE told_at IS NULL AND (ended_at IS NULL OR raised_at > $1::timestamptz - interval '1 day') "
        "RETURNING id, kind, object, level, text, raised_at) "
        "SELECT count(job_add('mail.alarm', a.id || ':' || n, convert_to(jsonb_build_object('to', n, 'id', a.id, 'kind', a.kind, "
        "'object', a.object, 'level', a.level, 'text', a.text, 'at', (extract(epoch FROM a.raised_at) * 1000000)::int8)::text, "
        "'UTF8'), $1::timestamptz, $1::timestamptz, $1::timestamptz + interval '3 days')) FROM a, generate_series(0, $2::int4 - 1) n", 2 },
    /* Whose end is so near, counted from each of two moments, for a week: as long as the job's key is kept at least. */
    [S_EXPIRY] = { "notice.expiry",
        "SELECT count(job_add('mail.expiry', c.id || ':' || w.word || ':' || n, convert_to(jsonb_build_object('to', n, 'ca', "
        "a.name || '-g' || a.generation, 'serial', encode(c.serial, 'hex'), 'profile', c.profile, 'holder', r.holder, "
        "'at', (extract(epoch FROM c.not_after) * 1000000)::int8)::text, 'UTF8'), $1::timestamptz, $1::timestamptz, $1::timestamptz + interval '7 days')) "
        "FROM certificate c JOIN ca a ON a.id = c.ca_id JOIN registration r ON r.id = c.registration_id, "
        "(VALUES ('first', $3::timestamptz), ('last', $4::timestamptz)) w (word, until), generate_series(0, $5::int4 - 1) n "
        "WHERE c.live AND c.state IN ('issued', 'active') AND c.profile = ANY ($2::text[]) AND c.not_after > $1::timestamptz AND c.not_after <= w.until "
        "AND c.not_after > w.until - interval '7 days' AND NOT EXISTS (SELECT FROM certificate y WHERE "
        "y.registration_id = c.registration_id AND y.state IN ('issued', 'active') AND (y.not_after, y.id) > (c.not_after, c.id))", 5 },
};
const struct pg_stmts notice_stmts = PG_STMTS(stmts);

enum err
notice_alarms_queue(struct pg *pg, size_t addresses, utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_time(&args, now);
    pg_arg_i32(&args, (int32_t)addresses);
    return pg_exec(pg, &stmts[S_ALARMS], &args, NULL, why);
}

enum err
notice_expiry_queue(struct pg *pg, const char *const *profiles, size_t nprofiles, utime first, utime last, size_t addresses,
                    utime now, struct why *why)
{
    struct pg_args args = PG_ARGS_INIT;

    pg_arg_time(&args, now);
    pg_arg_texts(&args, profiles, nprofiles);
    pg_arg_time(&args, first);
    pg_arg_time(&args, last);
    pg_arg_i32(&args, (int32_t)addresses);
    return pg_exec(pg, &stmts[S_EXPIRY], &args, NULL, why);
}
