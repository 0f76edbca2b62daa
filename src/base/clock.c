/* base/clock.c - reading the clocks; times and durations as text. */
#include "base/clock.h"

#include <time.h>

#define MS_DURATION_MOST (36500 * MS_DAY)

int64_t
clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * MS_SECOND + now.tv_nsec / 1000000;
}

uint64_t
clock_mono_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t
clock_boot_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

struct date {
    int64_t year;
    unsigned month, day; /* 1-based */
};

/* Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted
 * from March, so that the leap day is the last of its year. */
static int64_t
days_of(struct date date)
{
    int64_t year = date.month <= 2 ? date.year - 1 : date.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400; /* 0..399 */
    int64_t from_march = (date.month + 9) % 12;
    int64_t day = (153 * from_march + 2) / 5 + date.day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719468;
}

static struct date
date_of(int64_t days)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day = shifted - era * 146097; /* 0..146096 */
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    unsigned from_march = (unsigned)((5 * of_year + 2) / 153);
    unsigned month = from_march < 10 ? from_march + 3 : from_march - 9;

    return (struct date){
        .year = year + era * 400 + (month <= 2),
        .month = month,
        .day = (unsigned)(of_year - (153 * from_march + 2) / 5 + 1),
    };
}

/* At least `width` digits. */
static char *
write_number(char *at, uint64_t value, int width)
{
    char digits[20];
    int count = 0;

    while (value != 0 || count < width) {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    }
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

const char *
time_format(int64_t at, char out[TIME_TEXT_MAX])
{
    int64_t days = at / MS_DAY, rest = at % MS_DAY;
    struct date date;
    char *to = out;

    if (at == TIME_NEVER)
        return strcpy(out, "never");
    if (rest < 0) {
        days--;
        rest += MS_DAY;
    }
    date = date_of(days);
    if (date.year < 0)
        *to++ = '-';
    to = write_number(to, (uint64_t)(date.year < 0 ? -date.year : date.year), 4);
    *to++ = '-';
    to = write_number(to, date.month, 2);
    *to++ = '-';
    to = write_number(to, date.day, 2);
    *to++ = 'T';
    to = write_number(to, (uint64_t)(rest / MS_HOUR), 2);
    *to++ = ':';
    to = write_number(to, (uint64_t)(rest / MS_MINUTE % 60), 2);
    *to++ = ':';
    to = write_number(to, (uint64_t)(rest / MS_SECOND % 60), 2);
    if (rest % MS_SECOND != 0) {
        *to++ = '.';
        to = write_number(to, (uint64_t)(rest % MS_SECOND), 3);
    }
    *to++ = 'Z';
    *to = '\0';
    return out;
}

static bool
take_char(struct slice *in, char c)
{
    if (in->size == 0 || in->at[0] != c)
        return false;
    *in = slice_from(*in, 1);
    return true;
}

static bool
take_number(struct slice *in, size_t digits, unsigned most, unsigned *out)
{
    uint64_t value;

    if (in->size < digits || !slice_u64(slice_first(*in, digits), &value) || value > most)
        return false;
    *out = (unsigned)value;
    *in = slice_from(*in, digits);
    return true;
}

static unsigned
days_in(struct date date)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);

    return days[date.month - 1] + (date.month == 2 && leap);
}

static bool
take_date(struct slice *in, int64_t *days)
{
    struct date date;
    unsigned year;

    if (!take_number(in, 4, 9999, &year) || !take_char(in, '-') ||
        !take_number(in, 2, 12, &date.month) || !take_char(in, '-') ||
        !take_number(in, 2, 31, &date.day))
        return false;
    date.year = year;
    if (date.month == 0 || date.day == 0 || date.day > days_in(date))
        return false;
    *days = days_of(date);
    return true;
}

/* ".123456": what is finer than a millisecond is dropped. */
static bool
take_fraction(struct slice *in, unsigned *ms)
{
    unsigned digits = 0, value = 0;

    *ms = 0;
    if (!take_char(in, '.'))
        return true;
    for (; in->size > 0 && in->at[0] >= '0' && in->at[0] <= '9'; *in = slice_from(*in, 1)) {
        if (digits++ < 3)
            value = value * 10 + (unsigned)(in->at[0] - '0');
    }
    if (digits == 0)
        return false;
    for (; digits < 3; digits++)
        value *= 10;
    *ms = value;
    return true;
}

/* "Z" or "+hh:mm", as minutes east of UTC. */
static bool
take_offset(struct slice *in, int *minutes)
{
    unsigned hour, minute;
    int sign;

    *minutes = 0;
    if (take_char(in, 'Z') || take_char(in, 'z'))
        return true;
    sign = take_char(in, '+') ? 1 : take_char(in, '-') ? -1 : 0;
    if (sign == 0 || !take_number(in, 2, 23, &hour) || !take_char(in, ':') ||
        !take_number(in, 2, 59, &minute))
        return false;
    *minutes = sign * (int)(hour * 60 + minute);
    return true;
}

enum status
time_parse(struct slice text, int64_t *out)
{
    unsigned hour, minute, second, ms;
    int64_t days, in_day;
    int east;

    if (!take_date(&text, &days))
        return STATUS_INVALID;
    if (text.size == 0) {
        *out = days * MS_DAY;
        return STATUS_OK;
    }
    if ((!take_char(&text, 'T') && !take_char(&text, 't')) || !take_number(&text, 2, 23, &hour) ||
        !take_char(&text, ':') || !take_number(&text, 2, 59, &minute) || !take_char(&text, ':') ||
        !take_number(&text, 2, 60, &second) || !take_fraction(&text, &ms) ||
        !take_offset(&text, &east) || text.size > 0)
        return STATUS_INVALID;
    in_day = hour * MS_HOUR + minute * MS_MINUTE - east * MS_MINUTE;
    /* RFC 3339 §5.7: a leap second stands at the end of a UTC day only. The
     * POSIX clock has none: it is the first second of the next day. */
    if (second == 60 && (in_day + MS_DAY) % MS_DAY != 23 * MS_HOUR + 59 * MS_MINUTE)
        return STATUS_INVALID;
    *out = days * MS_DAY + in_day + second * MS_SECOND + ms;
    return STATUS_OK;
}

static const struct unit {
    const char *text;
    int64_t ms;
    const char *word;
} units[] = {
    { "d", MS_DAY, "day" },       { "h", MS_HOUR, "hour" }, { "m", MS_MINUTE, "minute" },
    { "s", MS_SECOND, "second" }, { "ms", 1, NULL },
};

enum { UNITS = sizeof units / sizeof units[0] };

enum status
duration_parse(struct slice text, int64_t *ms)
{
    uint64_t count;
    size_t digits = 0;

    while (digits < text.size && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    for (size_t i = 0; i < UNITS; i++) {
        if (!slice_is(slice_from(text, digits), units[i].text))
            continue;
        if (digits == 0)
            return STATUS_INVALID;
        if (!slice_u64(slice_first(text, digits), &count) ||
            count > (uint64_t)(MS_DURATION_MOST / units[i].ms))
            return STATUS_TOO_LARGE;
        *ms = (int64_t)count * units[i].ms;
        return STATUS_OK;
    }
    return STATUS_INVALID;
}

const char *
duration_format(int64_t ms, char out[TIME_TEXT_MAX])
{
    uint64_t size = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    char *to = out;
    size_t unit = 0;

    if (ms == TIME_NEVER)
        return strcpy(out, "never");
    if (ms == 0)
        return strcpy(out, "0s");
    while (size % (uint64_t)units[unit].ms != 0)
        unit++;
    if (ms < 0)
        *to++ = '-';
    to = write_number(to, size / (uint64_t)units[unit].ms, 1);
    strcpy(to, units[unit].text);
    return out;
}

enum status
time_parse_since(struct slice text, int64_t now, int64_t *out)
{
    int64_t ago;

    if (time_parse(text, out) == STATUS_OK)
        return STATUS_OK;
    if (duration_parse(text, &ago) != STATUS_OK)
        return STATUS_INVALID;
    *out = now - ago;
    return STATUS_OK;
}

const char *
time_relative(int64_t at, int64_t now, char out[TIME_TEXT_MAX])
{
    uint64_t distance = at > now ? (uint64_t)at - (uint64_t)now : (uint64_t)now - (uint64_t)at;
    char *to = out;
    size_t unit = 0;
    uint64_t count;

    if (at == TIME_NEVER)
        return strcpy(out, "never");
    if (distance < (uint64_t)MS_SECOND)
        return strcpy(out, "now");
    while (distance < (uint64_t)units[unit].ms)
        unit++;
    /* What lies ahead is rounded, so that a fresh hour reads as one; ages are whole. */
    if (at > now)
        distance += (uint64_t)units[unit].ms / 2;
    count = distance / (uint64_t)units[unit].ms;
    if (at > now)
        to = stpcpy(to, "in ");
    to = write_number(to, count, 1);
    *to++ = ' ';
    to = stpcpy(to, units[unit].word);
    if (count != 1)
        *to++ = 's';
    strcpy(to, at > now ? "" : " ago");
    return out;
}
