/* meter/budget.h - how much of something is open at a time, and how many bytes of it move in a
 * time: a bounded table of cells, shared by lanes without locks. */
#ifndef WRIT_METER_BUDGET_H
#define WRIT_METER_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct budget_table;

enum { BUDGET_OPEN_MAX = 65535 };

struct budget {
    uint64_t key;        /* has always the same limits */
    uint32_t most_open;  /* at a time; 0: any number up to BUDGET_OPEN_MAX */
    uint64_t most_bytes; /* in each period_ms, at most as many at once; 0: any number */
    uint32_t period_ms;
};

/* Room for about this many keys that are in use at a time; 16 bytes each. Keys with the same upper
 * 16 bits are one owner's, and have a 32nd of a large table: the others keep theirs. */
enum status budget_table_new(size_t cells, struct budget_table **out) WRIT_MUST_USE;
void budget_table_free(struct budget_table *table); /* accepts NULL */

/* May one more be open? OK: it is, at *place, until budget_leave. LIMIT: as many are open as
 * may be (*retry_ms is 0), or the bytes are spent (*retry_ms, 1 or more, tells until when).
 * FULL: the table has no room for a new key; the caller refuses (fail closed). now_ms is
 * monotonic, here and below. */
enum status budget_enter(struct budget_table *table, const struct budget *budget, uint64_t now_ms,
                         uint32_t *place, uint64_t *retry_ms) WRIT_MUST_USE;
void budget_leave(struct budget_table *table, uint32_t place, uint64_t now_ms);

/* Of what is open at place: bytes that have moved, whether or not they were to be had. */
void budget_spend(struct budget_table *table, uint32_t place, const struct budget *budget,
                  uint64_t bytes, uint64_t now_ms);
/* LIMIT with *retry_ms when `times` the bytes of a period are spent. */
enum status budget_ask(const struct budget_table *table, uint32_t place,
                       const struct budget *budget, unsigned times, uint64_t now_ms,
                       uint64_t *retry_ms) WRIT_MUST_USE;

#endif
