/* pki/authority/crl_due: which list is due when, from the same shard in which one thing is another. */
#include "tests/unit/support.h"

#include "pki/authority/crl_due.h"

#define NOW (INT64_C(1795000000) * USEC_PER_SEC)
#define HOUR USEC_PER_HOUR

/* A good one, an hour old, that shows all there is. */
static const struct crl_shard good = { .period = 24 * HOUR, .life = 72 * HOUR, .deltas = true, .has_full = true, .has_delta = true,
                                       .number = 7, .entries = 5, .made_at = NOW - HOUR, .next_update = NOW + 71 * HOUR };

struct row {
    const char *label;
    void (*change)(struct crl_shard *s);
    bool full, delta;
};

static void none(struct crl_shard *s) { (void)s; }
static void root(struct crl_shard *s) { s->root = true; s->has_full = false; }
static void first(struct crl_shard *s) { s->has_full = s->has_delta = false; s->made_at = s->next_update = INT64_MIN; }
static void first_delta(struct crl_shard *s) { s->has_delta = false; }
static void no_deltas(struct crl_shard *s) { s->deltas = s->has_delta = false; }
static void period_before(struct crl_shard *s) { s->made_at = NOW - s->period + 1; }
static void period(struct crl_shard *s) { s->made_at = NOW - s->period; }
static void past(struct crl_shard *s) { s->made_at = NOW - s->life - HOUR; s->next_update = NOW - HOUR; }
static void change(struct crl_shard *s) { s->full_behind = s->behind = true; }
static void shown_by_delta(struct crl_shard *s) { s->full_behind = true; }
static void small(struct crl_shard *s) { change(s); s->entries = CRL_SMALL; }
static void large(struct crl_shard *s) { change(s); s->entries = CRL_SMALL + 1; s->made_at = NOW - CRL_FULL_AFTER + 1; }
static void large_shown(struct crl_shard *s) { large(s); s->behind = false; }
static void large_later(struct crl_shard *s) { large(s); s->behind = false; s->made_at = NOW - CRL_FULL_AFTER; }
static void large_alone(struct crl_shard *s) { large(s); no_deltas(s); }
static void restored(struct crl_shard *s) { s->went_back = true; }

static void
what_is_due(void **state)
{
    static const struct row rows[] = {
        { "nothing", none, false, false },
        { "a root's are made in ceremonies", root, false, false },
        { "the first has no base for a delta", first, true, false },
        { "a delta follows the first", first_delta, false, true },
        { "an authority without deltas", no_deltas, false, false },
        { "a moment before the period ends", period_before, false, false },
        { "the period is past", period, true, true },
        { "no delta begins at a list that is past", past, true, false },
        { "a change", change, true, true },
        { "a change that a delta shows, small", shown_by_delta, true, true },
        { "as large as small ones are", small, true, true },
        { "large: the delta at once", large, false, true },
        { "large, shown by a delta: nothing", large_shown, false, false },
        { "large: the full list follows", large_later, true, true },
        { "large without deltas: at once", large_alone, true, false },
        { "after a restore, full ones first", restored, true, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct crl_shard s = good;
        bool full = !rows[i].full, delta = !rows[i].delta;

        rows[i].change(&s);
        crl_due(&s, NOW, &full, &delta);
        if (full != rows[i].full || delta != rows[i].delta)
            fail_msg("%s: full %d, delta %d", rows[i].label, full, delta);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_due) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
