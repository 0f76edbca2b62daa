/* Times and durations as text, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static void
check_time(const char *text, int64_t at)
{
    char out[TIME_TEXT_MAX];
    int64_t parsed = -1;

    assert_string_equal(time_format(at, out), text);
    assert_int_equal(time_parse(slice_text(text), &parsed), STATUS_OK);
    assert_true(parsed == at);
}

static void
formats_and_parses(void **state)
{
    char out[TIME_TEXT_MAX];

    check_time("1970-01-01T00:00:00Z", 0);
    check_time("2026-11-24T17:40:00Z", INT64_C(1795542000000));
    check_time("2026-11-24T17:40:00.123Z", INT64_C(1795542000123));
    check_time("1969-12-31T23:59:59.999Z", -1);
    check_time("2000-02-29T12:00:00Z", INT64_C(951825600000));
    check_time("1900-03-01T00:00:00Z", INT64_C(-2203891200000));
    check_time("0000-01-01T00:00:00Z", INT64_C(-62167219200000));
    check_time("9999-12-31T23:59:59.999Z", INT64_C(253402300799999));
    assert_string_equal(time_format(TIME_NEVER, out), "never");
    assert_true(strlen(time_format(INT64_MIN, out)) < TIME_TEXT_MAX);
    assert_true(strlen(time_format(TIME_NEVER - 1, out)) < TIME_TEXT_MAX);
}

/* Each day of four centuries comes back as itself, one after the other. */
static void
counts_days(void **state)
{
    char out[TIME_TEXT_MAX], last[TIME_TEXT_MAX] = "";
    int64_t back;

    for (int64_t day = -146097; day <= 146097; day++) {
        time_format(day * MS_DAY, out);
        assert_true(strcmp(last, out) < 0);
        assert_int_equal(time_parse(slice_first(slice_text(out), 10), &back), STATUS_OK);
        assert_true(back == day * MS_DAY);
        strcpy(last, out);
    }
}

static void
parses_offsets(void **state)
{
    static const char *const same[] = {
        "2026-11-24T17:40:00Z",      "2026-11-24t17:40:00z",      "2026-11-24T18:40:00+01:00",
        "2026-11-24T12:10:00-05:30", "2026-11-25T00:10:00+06:30", "2026-11-24T17:40:00.0009Z",
        "2026-11-24T17:40:00-00:00",
    };
    int64_t at = 0;

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(time_parse(slice_text(same[i]), &at), STATUS_OK);
        assert_true(at == INT64_C(1795542000000));
    }
    /* RFC 3339 §5.8: the leap second of 1990, written in two places. */
    assert_int_equal(time_parse(SLICE_LITERAL("1990-12-31T23:59:60Z"), &at), STATUS_OK);
    assert_true(at == INT64_C(662688000000));
    assert_int_equal(time_parse(SLICE_LITERAL("1990-12-31T15:59:60-08:00"), &at), STATUS_OK);
    assert_true(at == INT64_C(662688000000));
}

static void
refuses_times(void **state)
{
    static const char *const wrong[] = {
        "",
        "2026",
        "2026-11",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "2026-11-31",
        "2026-11-00",
        "1900-02-29",
        "2026-11-24T",
        "2026-11-24T17:40Z",
        "2026-11-24T17:40:00",
        "2026-11-24 17:40:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T17:60:00Z",
        "2026-11-24T17:40:60Z",
        "2026-11-24T17:40:00.Z",
        "2026-11-24T17:40:00Zx",
        "2026-11-24T17:40:00+1:00",
        "2026-11-24T17:40:00+24:00",
        "2026-11-24T17:40:00+01:60",
        "2026-11-24T17:40:00+0100",
        "+026-11-24",
        "2026-1-24",
        "never",
        "26-11-24",
    };
    int64_t at = 5;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(time_parse(slice_text(wrong[i]), &at), STATUS_INVALID);
    assert_true(at == 5);
}

static void
durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } same[] = { { "30s", 30000 },     { "10m", 600000 }, { "1h", MS_HOUR },
                 { "7d", 7 * MS_DAY }, { "500ms", 500 },  { "90m", 5400000 },
                 { "0s", 0 },          { "1s", 1000 },    { "36500d", 36500 * MS_DAY } };
    static const char *const wrong[] = { "",    "5",   "h",     "ms", "-5s", "+5s",  " 5s",
                                         "5 s", "5s ", "1h30m", "5S", "5w",  "1.5h", "s5" };
    char out[TIME_TEXT_MAX];
    int64_t ms = 3;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(duration_parse(slice_text(wrong[i]), &ms), STATUS_INVALID);
    assert_int_equal(duration_parse(SLICE_LITERAL("36501d"), &ms), STATUS_TOO_LARGE);
    assert_int_equal(duration_parse(SLICE_LITERAL("99999999999999999999s"), &ms), STATUS_TOO_LARGE);
    assert_true(ms == 3);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(duration_parse(slice_text(same[i].text), &ms), STATUS_OK);
        assert_true(ms == same[i].ms);
        assert_string_equal(duration_format(ms, out), same[i].text);
    }
    assert_string_equal(duration_format(120 * MS_MINUTE, out), "2h");
    assert_string_equal(duration_format(-1500, out), "-1500ms");
    assert_string_equal(duration_format(TIME_NEVER, out), "never");
    assert_true(strlen(duration_format(INT64_MIN, out)) < TIME_TEXT_MAX);
}

static void
since(void **state)
{
    int64_t at = 0;

    assert_int_equal(time_parse_since(SLICE_LITERAL("1h"), 10 * MS_HOUR, &at), STATUS_OK);
    assert_true(at == 9 * MS_HOUR);
    assert_int_equal(time_parse_since(SLICE_LITERAL("1970-01-02"), 0, &at), STATUS_OK);
    assert_true(at == MS_DAY);
    assert_int_equal(time_parse_since(SLICE_LITERAL("yesterday"), 0, &at), STATUS_INVALID);
    assert_true(at == MS_DAY);
}

static void
relative(void **state)
{
    char out[TIME_TEXT_MAX];

    assert_string_equal(time_relative(3 * MS_HOUR + 59 * MS_MINUTE, 0, out), "in 4 hours");
    assert_string_equal(time_relative(0, 2 * MS_DAY, out), "2 days ago");
    assert_string_equal(time_relative(MS_DAY, 0, out), "in 1 day");
    assert_string_equal(time_relative(1, 0, out), "now");
    assert_string_equal(time_relative(0, 1000, out), "1 second ago");
    assert_string_equal(time_relative(TIME_NEVER, 0, out), "never");
    assert_true(strlen(time_relative(INT64_MIN, TIME_NEVER, out)) < TIME_TEXT_MAX);
}

static void
clocks(void **state)
{
    uint64_t before = clock_mono_us();

    assert_true(clock_wall_ms() > INT64_C(1700000000000));
    assert_true(clock_mono_us() >= before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_and_parses), cmocka_unit_test(counts_days),
        cmocka_unit_test(parses_offsets),     cmocka_unit_test(refuses_times),
        cmocka_unit_test(durations),          cmocka_unit_test(since),
        cmocka_unit_test(relative),           cmocka_unit_test(clocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
