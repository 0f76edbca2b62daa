/* meter/replay.h - what was used once is not used again: a bounded set of ids, each
 * remembered until its time, shared by lanes without locks. It never forgets early: a
 * set that is full refuses. */
#ifndef WRIT_METER_REPLAY_H
#define WRIT_METER_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct replay_table;

enum { REPLAY_ID_SIZE = 16 };

/* Room for about this many ids at a time; 8 bytes each, touched as they are used. */
enum status replay_table_new(size_t entries, struct replay_table **out) WRIT_MUST_USE;
void replay_table_free(struct replay_table *table);

/* OK for exactly one of all callers with the same id, until `until_ms`; CONFLICT for
 * the others; FULL when there is no room for it. The id is already a digest under
 * nobody's control but its maker's; two ids are taken for one with a chance below
 * 2^-40. Times are wall ms, kept by the second. */
enum status replay_take(struct replay_table *table, const uint8_t id[REPLAY_ID_SIZE],
                        int64_t now_ms, int64_t until_ms) WRIT_MUST_USE;

#endif
