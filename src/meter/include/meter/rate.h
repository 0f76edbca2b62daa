/* meter/rate.h - rate limits shared by lanes: a bounded table of GCRA cells
 * (generic cell rate algorithm), one atomic word each. */
#ifndef WRIT_METER_RATE_H
#define WRIT_METER_RATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct rate_table;

/* Room for about this many keys that are in use at a time; 16 bytes each. Keys with the same upper
 * 16 bits are one owner's, and have a 32nd of a large table: the others keep theirs. */
enum status rate_table_new(size_t cells, struct rate_table **out) WRIT_MUST_USE;
void rate_table_free(struct rate_table *table);

/* May one more event of this key pass, at most `most` in each period_ms (bursts up to
 * `most`)? OK; LIMIT with *retry_ms; FULL when the table has no room for a new
 * key: then the caller refuses (fail closed). most 0 lets nothing pass. A key has
 * always the same most and period. now_ms is monotonic. Lock-free. */
enum status rate_take(struct rate_table *table, uint64_t key, uint32_t most, uint32_t period_ms,
                      uint64_t now_ms, uint64_t *retry_ms) WRIT_MUST_USE;

#endif
