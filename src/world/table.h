/* world/table.h - inside the room: tokens by id, changed by one thread and read by any
 * without locks.
 *
 * Open addressing over atomic pointers, in shards that grow one by one: a grown shard
 * is filled unseen and published by one store, so that no reader waits and the writer
 * copies a few thousand pointers at a time, never a million. */
#ifndef WRIT_WORLD_TABLE_H
#define WRIT_WORLD_TABLE_H

#include "model.h"

enum { TABLE_SHARDS = 256 };

/* A slot is a member's address with four more bits of its hash in the low bits, which
 * alignment leaves free: a neighbour in the search costs no cache miss. */
struct table {
    size_t mask;
    size_t live, used; /* used: with the places of removed members; the writer's */
    _Atomic uintptr_t slots[];
};

struct table_shards {
    _Atomic(struct table *) tables[TABLE_SHARDS];
};

enum status world_table_init(struct table_shards *shards) WRIT_MUST_USE;
void world_table_free(struct table_shards *shards);
/* Spreads ids over all bits. */
uint64_t world_id_hash(const struct token_id *id);
unsigned world_table_shard(const struct token_id *id);
/* Also finds shells. */
struct member *world_table_find(const struct table_shards *shards, const struct token_id *id);
/* Ask the memory for what world_table_find will read, and go on meanwhile: first for the
 * place, and when that had time to come, for the member. */
void world_table_expect(const struct table_shards *shards, const struct token_id *id);
void world_table_expect_member(const struct table_shards *shards, const struct token_id *id);
/* Room for count more in a shard: *grown is NULL when there is room already, else a
 * filled larger table to be put in the shard's place. */
enum status world_table_room(const struct table_shards *shards, unsigned shard, size_t count,
                             struct table **grown) WRIT_MUST_USE;
/* Needs the room. */
void world_table_put(struct table_shards *shards, struct member *member);
void world_table_remove(struct table_shards *shards, const struct member *member);
/* False stops. */
void world_table_each(const struct table_shards *shards,
                      bool (*each)(void *context, struct member *member), void *context);

#endif
