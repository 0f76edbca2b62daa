/* gateway/redis/door.c - the Redis door's row in the table of doors. */
#include "door.h"

#include <stdlib.h>

#include "../listen.h"
#include "session.h"

enum { SCRATCH_MAX = 32 << 20 }; /* of one command, its keys in percent-encoding among it */

static void
on_lull_over(struct lull *lull)
{
    struct redis_lane *door = LANE_OWNER(lull, struct redis_lane, lull);
    struct redis_session *next;

    for (struct redis_session *at = door->sessions; at != NULL; at = next) {
        next = at->next;
        redis_front_resume(at);
    }
}

static void
on_accepted(struct listener *listener, struct stream *stream, void *context)
{
    struct redis_lane *door = context;

    counter_add(&door->gate->counters.connections, 1);
    counter_add(&door->gate->counters.open, 1);
    redis_session_new(door, stream);
}

static void
door_free(void *state)
{
    struct redis_lane *door = state;

    arena_free(&door->scratch);
    buffer_free(&door->to_client);
    buffer_free(&door->to_server);
    free(door);
}

static enum status
door_attach(struct gate *gate, void **state, struct fault *fault)
{
    struct redis_lane *door;

    if (gate->gateway->places[DOOR_REDIS].address == NULL)
        return STATUS_OK;
    door = calloc(1, sizeof(*door));
    if (door == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    door->gate = gate;
    arena_init(&door->scratch, SCRATCH_MAX);
    lull_init(&door->lull, gate, on_lull_over);
    enum status status = door_listen(
        gate, &(struct door_accept){ .kind = DOOR_REDIS, .accepted = on_accepted, .context = door },
        &door->listener, fault);
    if (status != STATUS_OK) {
        door_free(door);
        return status;
    }
    *state = door;
    return STATUS_OK;
}

static size_t
door_connections(const void *state)
{
    return ((const struct redis_lane *)state)->count;
}

static void
door_stop(void *state)
{
    struct redis_lane *door = state;
    struct redis_session *next;

    lull_end(&door->lull);
    if (door->listener != NULL)
        listener_close(door->listener);
    door->listener = NULL;
    for (struct redis_session *at = door->sessions; at != NULL; at = next) {
        next = at->next;
        if (at->state != SESSION_OPEN || at->owed.count == 0)
            redis_session_fail(at, "ERR", SLICE_LITERAL("the gateway is being stopped"), 503);
    }
}

static void
door_cut(struct passage *passage, const struct refusal *why)
{
    redis_session_fail(passage->wire, redis_code_of(why->kind),
                       redis_words_of(why, &passage->gate->scratch), refusal_status(why->kind));
}

static bool
door_holds(struct passage *passage, struct refusal *why)
{
    return redis_standing_holds(passage->wire, why);
}

static uint64_t
door_traffic(const struct passage *passage)
{
    return ((const struct redis_session *)passage->wire)->traffic;
}

const struct door redis_door = {
    .name = "redis",
    .carries = true,
    .attach = door_attach,
    .connections = door_connections,
    .stop = door_stop,
    .free = door_free,
    .refuse = redis_start_refuse,
    .open = redis_start_open,
    .cut = door_cut,
    .holds = door_holds,
    .traffic = door_traffic,
    .show = redis_start_show,
};
