/* base/clock.h - the two clocks, durations, RFC 3339.
 *
 * Wall time is int64_t milliseconds since 1970-01-01T00:00:00Z. "Never" is the
 * largest time, so that the earlier of two expiries is always their minimum. */
#ifndef WRIT_BASE_CLOCK_H
#define WRIT_BASE_CLOCK_H

#include "base/buffer.h"
#include "base/fault.h"

#define TIME_NEVER INT64_MAX
#define MS_SECOND  INT64_C(1000)
#define MS_MINUTE  (60 * MS_SECOND)
#define MS_HOUR    (60 * MS_MINUTE)
#define MS_DAY     (24 * MS_HOUR)

int64_t clock_wall_ms(void);
uint64_t clock_mono_us(void);
/* The same, but it goes on while the machine sleeps: for leases. */
uint64_t clock_boot_us(void);

/* "2026-11-24T17:40:00Z" or with ".123" when the milliseconds are not zero.
 * TIME_NEVER writes "never". out holds 32 bytes. */
enum { TIME_TEXT_MAX = 32 };
const char *time_format(int64_t at, char out[TIME_TEXT_MAX]);
/* RFC 3339, with any offset; or a date alone (its first moment, UTC). */
enum status time_parse(struct slice text, int64_t *out) WRIT_MUST_USE;

/* "30s" "10m" "1h" "7d" "500ms"; one unit, no sign, no blank. More than 36,500
 * days is TOO_LARGE, so that now plus a duration never overflows. */
enum status duration_parse(struct slice text, int64_t *ms) WRIT_MUST_USE;
/* The largest unit that divides it: "90m", "2h". out holds 32 bytes. */
const char *duration_format(int64_t ms, char out[TIME_TEXT_MAX]);
/* A time, or a duration ago, as --since takes it. */
enum status time_parse_since(struct slice text, int64_t now, int64_t *out) WRIT_MUST_USE;
/* For people: "in 3 hours", "2 days ago", "never". */
const char *time_relative(int64_t at, int64_t now, char out[TIME_TEXT_MAX]);

#endif
