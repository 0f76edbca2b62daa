/* gateway/postgres/queue.c - a ring that grows with what a client sends ahead. */
#include "queue.h"

#include <stdlib.h>

enum { RING_FIRST = 8 };

static bool
grow(struct pg_owed_queue *queue)
{
    size_t capacity = queue->capacity == 0 ? RING_FIRST : queue->capacity * 2;
    struct pg_owed *ring = calloc(capacity, sizeof(*ring));

    if (ring == NULL)
        return false;
    for (size_t i = 0; i < queue->count; i++)
        ring[i] = *pg_owed_at(queue, i);
    free(queue->ring);
    queue->ring = ring;
    queue->capacity = capacity;
    queue->head = 0;
    return true;
}

struct pg_owed *
pg_owed_at(struct pg_owed_queue *queue, size_t index)
{
    return &queue->ring[(queue->head + index) & (queue->capacity - 1)];
}

struct pg_owed *
pg_owed_add(struct pg_owed_queue *queue, enum owed_kind kind)
{
    if (queue->count == queue->capacity && !grow(queue))
        return NULL;
    struct pg_owed *owed = pg_owed_at(queue, queue->count++);
    *owed = (struct pg_owed){ .kind = kind };
    return owed;
}

struct pg_owed *
pg_owed_first(struct pg_owed_queue *queue)
{
    return queue->count == 0 ? NULL : pg_owed_at(queue, 0);
}

struct pg_owed *
pg_owed_last(struct pg_owed_queue *queue)
{
    return queue->count == 0 ? NULL : pg_owed_at(queue, queue->count - 1);
}

bool
pg_owed_name_set(struct pg_owed *owed, struct slice name)
{
    owed->name = malloc(name.size + 1);
    if (owed->name == NULL)
        return false;
    if (name.size > 0)
        memcpy(owed->name, name.at, name.size);
    owed->name_size = name.size;
    return true;
}

static void
clear(struct pg_owed *owed)
{
    buffer_free(&owed->refused);
    analysis_release(owed->analysis);
    meaning_release(&owed->previous);
    kept_release(owed->kept);
    free(owed->errands);
    free(owed->name);
    *owed = (struct pg_owed){ 0 };
}

void
pg_owed_drop_first(struct pg_owed_queue *queue)
{
    clear(pg_owed_at(queue, 0));
    queue->head = (queue->head + 1) & (queue->capacity - 1);
    queue->count--;
}

void
pg_owed_drop_last(struct pg_owed_queue *queue)
{
    clear(pg_owed_at(queue, queue->count - 1));
    queue->count--;
}

void
pg_owed_free(struct pg_owed_queue *queue)
{
    while (queue->count > 0)
        pg_owed_drop_first(queue);
    free(queue->ring);
    *queue = (struct pg_owed_queue){ 0 };
}
