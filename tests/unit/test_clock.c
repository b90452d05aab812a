/* clock: the calendar, RFC 3339, durations, civil time, and a clock moved by several processes. */
#include "tests/unit/support.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/core/clock.h"

static void
test_rfc3339_prints(void **state)
{
    static const struct {
        utime t;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00Z" },
        { -1, "1969-12-31T23:59:59Z" },
        { INT64_C(951782400) * USEC_PER_SEC, "2000-02-29T00:00:00Z" },
        { INT64_C(1795298645) * USEC_PER_SEC + 999999, "2026-11-21T22:04:05Z" },
        { INT64_C(4107542400) * USEC_PER_SEC, "2100-03-01T00:00:00Z" },
        { INT64_C(253402300799) * USEC_PER_SEC, "9999-12-31T23:59:59Z" },
        { INT64_MAX, "9999-12-31T23:59:59Z" },
        { INT64_MIN, "0000-01-01T00:00:00Z" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[UTIME_RFC3339_LEN + 1];

        utime_rfc3339(rows[i].t, text);
        assert_row_string(rows[i].text, text, rows[i].text);
    }
}

static void
test_rfc3339_parses(void **state)
{
    static const struct {
        const char *text;
        utime want;
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01T00:00:00.5Z", 500000 },
        { "1970-01-01T00:00:00.0000019Z", 1 },
        { "1970-01-01T01:00:00+01:00", 0 },
        { "1969-12-31T19:30:00-04:30", 0 },
        { "2000-02-29T00:00:00Z", INT64_C(951782400) * USEC_PER_SEC },
        { "0000-01-01T00:00:00Z", INT64_C(-62167219200) * USEC_PER_SEC },
        { "9999-12-31T23:59:59.999999Z", INT64_C(253402300799) * USEC_PER_SEC + 999999 },
    };
    static const char *const bad[] = {
        "", "1970", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z", "1970-01-01t00:00:00Z",
        "1970-01-01T00:00:00z", "1970-13-01T00:00:00Z", "1970-00-01T00:00:00Z", "1970-01-32T00:00:00Z",
        "1970-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "1970-01-00T00:00:00Z", "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z", "1970-01-01T00:00:60Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00ZZ",
        "1970-01-01T00:00:00Z ", " 1970-01-01T00:00:00Z", "1970-01-01T00:00:00+1:00",
        "1970-01-01T00:00:00+0100", "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+00:60",
        "1970-1-01T00:00:00Z", "-970-01-01T00:00:00Z", "19700-01-01T00:00:00Z", "1970-01-01T00:00:00,5Z",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        utime t = 1;

        assert_row(rows[i].text, utime_parse(rows[i].text, &t) == OK);
        assert_row(rows[i].text, t == rows[i].want);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        utime t = 1;

        assert_row(bad[i], utime_parse(bad[i], &t) == ERR_INPUT && t == 1);
    }
}

static void
test_round_trip_over_centuries(void **state)
{
    (void)state;
    for (int64_t s = INT64_C(-62167219200); s < INT64_C(253402300799); s += INT64_C(86400) * 97 + 12345) {
        char text[UTIME_RFC3339_LEN + 1];
        utime back;

        utime_rfc3339(s * USEC_PER_SEC, text);
        assert_int_equal(utime_parse(text, &back), OK);
        assert_true(back == s * USEC_PER_SEC);
    }
}

static void
test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t want;      /* -1: refused */
    } rows[] = {
        { "15d", 15 * USEC_PER_DAY }, { "24h", USEC_PER_DAY },      { "10min", 10 * USEC_PER_MIN },
        { "30s", 30 * USEC_PER_SEC }, { "500ms", USEC_PER_SEC / 2 }, { "0s", 0 },
        { "", -1 },                   { "15", -1 },                 { "d", -1 },
        { "-1d", -1 },                { "1 d", -1 },                { " 1d", -1 },
        { "1d ", -1 },                { "1m", -1 },                 { "1D", -1 },
        { "1h30min", -1 },            { "1.5h", -1 },               { "106751991d", INT64_C(106751991) * USEC_PER_DAY },
        { "106751992d", -1 },         { "99999999999999999999s", -1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t usec = -1;
        enum err e = duration_parse(rows[i].text, &usec);

        assert_row(rows[i].text, e == (rows[i].want < 0 ? ERR_INPUT : OK));
        assert_row(rows[i].text, usec == rows[i].want);
    }
}

static void
test_civil(void **state)
{
    static const struct {
        const char *utc, *zone, *want;
    } rows[] = {
        { "2026-11-21T22:04:05Z", "UTC", "2026-11-21 22:04:05 6" },
        { "2026-11-21T22:04:05Z", "Europe/Paris", "2026-11-21 23:04:05 6" },
        { "2026-11-21T23:30:00Z", "Europe/Paris", "2026-11-22 00:30:00 0" },
        { "2026-07-14T10:00:00Z", "Europe/Paris", "2026-07-14 12:00:00 2" },
        { "2026-03-29T00:59:59Z", "Europe/Paris", "2026-03-29 01:59:59 0" },
        { "2026-03-29T01:00:00Z", "Europe/Paris", "2026-03-29 03:00:00 0" },
        { "2026-10-25T00:59:59Z", "Europe/Paris", "2026-10-25 02:59:59 0" },
        { "2026-10-25T01:00:00Z", "Europe/Paris", "2026-10-25 02:00:00 0" },
        { "2060-03-28T00:59:59Z", "Europe/Paris", "2060-03-28 01:59:59 0" },      /* behind the table */
        { "2060-03-28T01:00:00Z", "Europe/Paris", "2060-03-28 03:00:00 0" },
        { "2060-10-31T01:00:00Z", "Europe/Paris", "2060-10-31 02:00:00 0" },
        { "1944-08-25T12:00:00Z", "Europe/Paris", "1944-08-25 14:00:00 5" },
        { "2026-01-01T00:00:00Z", "America/Martinique", "2025-12-31 20:00:00 3" },
        { "2026-01-01T00:00:00Z", "Indian/Reunion", "2026-01-01 04:00:00 4" },
        { "2026-01-01T00:00:00Z", "Pacific/Noumea", "2026-01-01 11:00:00 4" },
        { "2026-01-01T00:00:00Z", "America/Miquelon", "2025-12-31 21:00:00 3" },
        { "2060-01-01T00:00:00Z", "Australia/Sydney", "2060-01-01 11:00:00 4" },
        { "2060-07-01T00:00:00Z", "Australia/Sydney", "2060-07-01 10:00:00 4" },
        { "2026-01-01T00:00:00Z", "Asia/Kathmandu", "2026-01-01 05:45:00 4" },
        { "2026-01-01T00:00:00Z", "No/Such", "2026-01-01 00:00:00 4" },
        { "2026-01-01T00:00:00Z", "../../../etc/localtime", "2026-01-01 00:00:00 4" },
    };
    struct why why = WHY_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[64];
        struct civil c;
        utime t = 0;

        assert_row(rows[i].utc, utime_parse(rows[i].utc, &t) == OK);
        utime_civil(t, rows[i].zone, &c);
        snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d:%02d %d", c.year, c.month, c.day, c.hour,
                 c.minute, c.second, c.weekday);
        assert_row_string(rows[i].zone, text, rows[i].want);
    }
    assert_int_equal(clock_zone_check("Europe/Paris", &why), OK);
    assert_int_equal(clock_zone_check("Europe/Lutetia", &why), ERR_NOT_FOUND);
    assert_int_equal(clock_zone_check("/etc/passwd", &why), ERR_NOT_FOUND);
    assert_int_equal(clock_zone_check("", &why), ERR_NOT_FOUND);
    assert_int_equal(clock_zone_check("tzdata.zi", &why), ERR_NOT_FOUND);      /* a file, but not a zone */
}

static void
test_seconds_round_down(void **state)
{
    (void)state;
    assert_true(utime_seconds(1999999) == 1);
    assert_true(utime_seconds(-1) == -1);
    assert_true(utime_seconds(-1000000) == -1);
    assert_true(utime_seconds(0) == 0);
}

static void
test_frozen(void **state)
{
    (void)state;
    clock_set_test(42);
    assert_true(clock_now() == 42);
    assert_true(clock_is_test());
    clock_set_test(0);
    assert_false(clock_is_test());
    assert_true(clock_now() > INT64_C(1700000000) * USEC_PER_SEC);
    assert_true(clock_monotonic() <= clock_monotonic());
}

static int
make_folder(void **state)
{
    static char folder[] = "/tmp/beffroi-clock-XXXXXX";

    *state = mkdtemp(folder);
    return *state == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/offset", (char *)*state);
    unlink(path);
    snprintf(path, sizeof(path), "%s/bad", (char *)*state);
    unlink(path);
    return rmdir(*state);
}

static void
test_moved_by_another_process(void **state)
{
    char path[128], bad[128];
    struct why why = WHY_INIT;
    utime before;
    pid_t child;
    int status, fd;

    assert_int_equal(clock_advance(1, &why), ERR_DENIED);
    snprintf(bad, sizeof(bad), "%s/bad", (char *)*state);
    fd = open(bad, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "abc", 3), 3);
    close(fd);
    assert_int_equal(clock_use_offset_file(bad, &why), ERR_INPUT);
    assert_int_equal(clock_use_offset_file("/nonexistent/offset", &why), ERR_UNAVAILABLE);
    assert_false(clock_is_test());

    snprintf(path, sizeof(path), "%s/offset", (char *)*state);
    assert_int_equal(clock_use_offset_file(path, &why), OK);
    assert_true(clock_is_test());
    before = clock_now();
    child = fork();
    if (child == 0)
        _exit(clock_use_offset_file(path, &why) == OK && clock_advance(3 * USEC_PER_DAY, &why) == OK ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(clock_now() - before >= 3 * USEC_PER_DAY);
    assert_true(clock_now() - before < 3 * USEC_PER_DAY + USEC_PER_MIN);
    assert_int_equal(clock_advance(-3 * USEC_PER_DAY, &why), OK);
    assert_true(clock_now() - before < USEC_PER_MIN);
    assert_int_equal(clock_advance(INT64_MAX, &why), ERR_INPUT);
    assert_int_equal(clock_advance(INT64_MIN, &why), ERR_INPUT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3339_prints),
        cmocka_unit_test(test_rfc3339_parses),
        cmocka_unit_test(test_round_trip_over_centuries),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_civil),
        cmocka_unit_test(test_seconds_round_down),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test_setup_teardown(test_moved_by_another_process, make_folder, remove_folder),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
