/* base/serial.c - numbers that are given once. */
#include "base/serial.h"

#include <stdatomic.h>

#include "base/clock.h"

/* 2^12 numbers for each millisecond since 1970: below 2^53 until 2039, and ahead of what a process
 * that started earlier can have given, at less than four million a second. */
enum { FOR_EACH_MS = 1 << 12 };

uint64_t
serial_next(void)
{
    static atomic_uint_least64_t last;
    uint64_t none = 0;

    if (atomic_load_explicit(&last, memory_order_relaxed) == 0)
        (void)atomic_compare_exchange_strong(&last, &none, (uint64_t)clock_wall_ms() * FOR_EACH_MS);
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}
