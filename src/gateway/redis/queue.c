/* gateway/redis/queue.c - a ring that grows with what a client sends ahead. */
#include "session.h"

#include <stdlib.h>

enum { RING_FIRST = 4 };

struct redis_owed *
redis_owed_at(struct redis_owed_queue *queue, size_t index)
{
    return &queue->ring[(queue->head + index) & (queue->capacity - 1)];
}

static bool
grow(struct redis_owed_queue *queue)
{
    size_t capacity = queue->capacity == 0 ? RING_FIRST : queue->capacity * 2;
    struct redis_owed *ring = calloc(capacity, sizeof(*ring));

    if (ring == NULL)
        return false;
    for (size_t i = 0; i < queue->count; i++)
        ring[i] = *redis_owed_at(queue, i);
    free(queue->ring);
    queue->ring = ring;
    queue->capacity = capacity;
    queue->head = 0;
    return true;
}

bool
redis_owed_room(struct redis_owed_queue *queue)
{
    return queue->count < queue->capacity || grow(queue);
}

struct redis_owed *
redis_owed_add(struct redis_owed_queue *queue, enum owed_kind kind)
{
    if (!redis_owed_room(queue))
        return NULL;
    struct redis_owed *owed = redis_owed_at(queue, queue->count++);
    *owed = (struct redis_owed){ .kind = kind };
    return owed;
}

struct redis_owed *
redis_owed_first(struct redis_owed_queue *queue)
{
    return queue->count == 0 ? NULL : redis_owed_at(queue, 0);
}

void
redis_owed_drop_first(struct redis_owed_queue *queue)
{
    struct redis_owed *owed = redis_owed_at(queue, 0);

    buffer_free(&owed->words);
    free(owed->kept);
    *owed = (struct redis_owed){ 0 };
    queue->head = (queue->head + 1) & (queue->capacity - 1);
    queue->count--;
}

void
redis_owed_free(struct redis_owed_queue *queue)
{
    while (queue->count > 0)
        redis_owed_drop_first(queue);
    free(queue->ring);
    *queue = (struct redis_owed_queue){ 0 };
}
