/* policy/condition_budget.c - how much of a right is open at a time, and moves in a time. */
#include "condition_budget.h"

#include "base/clock.h"

enum { CONCURRENT_MOST = 10000 };
#define BYTES_MOST  (UINT64_C(1) << 50)
#define PERIOD_MOST (31 * MS_DAY)

enum status
max_concurrent_read(const json_t *value, const char *pointer, struct budget_limits *out,
                    struct fault *fault)
{
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > CONCURRENT_MOST)
        return fault_at(fault, STATUS_INVALID, pointer,
                        "max_concurrent is a number of calls that are open at once, 1 to %d",
                        CONCURRENT_MOST);
    out->most_open = (uint32_t)json_integer_value(value);
    return STATUS_OK;
}

/* "100MiB", "64KiB", "500B". */
static bool
size_read(struct slice text, uint64_t *out)
{
    static const struct {
        const char *unit;
        unsigned shift;
    } units[] = { { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 }, { "TiB", 40 }, { "B", 0 } };
    uint64_t number;

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        struct slice unit = slice_text(units[i].unit);

        if (!slice_ends(text, unit))
            continue;
        if (!slice_u64(slice_first(text, text.size - unit.size), &number) || number == 0 ||
            number > BYTES_MOST >> units[i].shift)
            return false;
        *out = number << units[i].shift;
        return true;
    }
    return false;
}

/* "1d", "12h"; the number 1 may be left out, as in max_rate. */
static bool
period_read(struct slice text, uint32_t *out)
{
    int64_t ms = 0;
    char with_one[8] = { '1' };

    if (text.size == 1) {
        with_one[1] = text.at[0];
        text = slice_of(with_one, 2);
    }
    if (duration_parse(text, &ms) != STATUS_OK || ms < MS_SECOND || ms > PERIOD_MOST)
        return false;
    *out = (uint32_t)ms;
    return true;
}

enum status
max_bytes_read(const json_t *value, const char *pointer, struct budget_limits *out,
               struct fault *fault)
{
    struct slice text = json_is_string(value)
                            ? slice_of(json_string_value(value), json_string_length(value))
                            : (struct slice){ 0 };
    size_t slash = slice_find(text, '/');

    if (size_read(slice_first(text, slash), &out->most_bytes) &&
        period_read(slice_from(text, slash + 1), &out->period_ms))
        return STATUS_OK;
    return fault_at(fault, STATUS_INVALID, pointer,
                    "max_bytes is a size for each time up to 31d, such as \"100MiB/1d\": B, KiB, "
                    "MiB, GiB, TiB; s, m, h, d");
}
