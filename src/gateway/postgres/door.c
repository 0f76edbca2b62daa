/* gateway/postgres/door.c - the PostgreSQL door's row in the table of doors. */
#include "door.h"

#include <stdlib.h>

#include "../listen.h"
#include "base/secret.h"
#include "session.h"
#include "verifiers.h"

enum { SCRATCH_MAX = 1 << 20 };

static void
on_lull_over(struct lull *lull)
{
    struct pg_door *door = LANE_OWNER(lull, struct pg_door, lull);
    struct pg_session *next;

    for (struct pg_session *at = door->sessions; at != NULL; at = next) {
        next = at->next;
        pg_front_resume(at);
    }
}

static void
on_accepted(struct listener *listener, struct stream *stream, void *context)
{
    struct pg_door *door = context;

    counter_add(&door->gate->counters.connections, 1);
    counter_add(&door->gate->counters.open, 1);
    pg_session_new(door, stream);
}

static void
door_free(void *state)
{
    struct pg_door *door = state;

    pools_free(door);
    analyses_free(door->analyses[RECORD_SHAPE]);
    analyses_free(door->analyses[RECORD_FULL]);
    verifiers_free(door->verifiers);
    arena_free(&door->scratch);
    buffer_free(&door->to_client);
    buffer_free(&door->to_server);
    free(door->slots);
    free(door);
}

static enum status
door_attach(struct gate *gate, void **state, struct fault *fault)
{
    struct pg_door *door;

    if (gate->gateway->places[DOOR_POSTGRES].address == NULL)
        return STATUS_OK;
    door = calloc(1, sizeof(*door));
    if (door == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    door->gate = gate;
    arena_init(&door->scratch, SCRATCH_MAX);
    lull_init(&door->lull, gate, on_lull_over);
    enum status status = analyses_new(RECORD_SHAPE, &door->analyses[RECORD_SHAPE]);
    if (status == STATUS_OK)
        status = analyses_new(RECORD_FULL, &door->analyses[RECORD_FULL]);
    if (status == STATUS_OK)
        status = verifiers_new(gate->lane, gate->gateway->options.rates, &door->verifiers);
    if (status == STATUS_OK)
        status = door_listen(gate,
                             &(struct door_accept){ .kind = DOOR_POSTGRES,
                                                    .secures_itself = true,
                                                    .accepted = on_accepted,
                                                    .context = door },
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
    return ((const struct pg_door *)state)->count;
}

/* A session at rest has nothing to finish. */
static void
door_stop(void *state)
{
    struct pg_door *door = state;
    struct pg_session *next;

    door->stopping = true;
    lull_end(&door->lull);
    if (door->listener != NULL)
        listener_close(door->listener);
    door->listener = NULL;
    for (struct pg_session *at = door->sessions; at != NULL; at = next) {
        next = at->next;
        if (at->state != SESSION_OPEN || (at->owed.count == 0 && at->transaction == 'I'))
            pg_session_fail(
                at, &(struct ending){ .sqlstate = "57P01",
                                      .message = SLICE_LITERAL("the gateway is being stopped"),
                                      .status = 503 });
    }
    pools_stop(door);
}

static void
door_cut(struct passage *passage, const struct refusal *why)
{
    struct pg_session *session = passage->wire;
    bool token = refusal_status(why->kind) != 503;

    pg_session_fail(session, &(struct ending){ .sqlstate = token ? "28000" : "57P01",
                                               .message = why->reason,
                                               .status = refusal_status(why->kind) });
}

static uint64_t
door_traffic(const struct passage *passage)
{
    const struct pg_session *session = passage->wire;

    return session->traffic;
}

void
postgres_cancel(struct gate *gate, uint32_t slot, const struct cancel_key *key)
{
    struct pg_door *door = NULL;

    for (size_t i = 0; i < door_count; i++) {
        if (doors[i] == &postgres_door)
            door = gate->doors[i];
    }
    if (door == NULL || slot >= door->slot_count || door->slots[slot] == NULL)
        return;
    struct pg_session *session = door->slots[slot];
    if (session->state != SESSION_OPEN || session->owed.count == 0 ||
        !secret_equal(&session->key, key, sizeof(*key)))
        return;
    cancel_at(session->passage->asked.upstream, gate->lane, &session->server_key);
    /* It may come late: nobody else gets the server, to be met by it. */
    pool_trace(session, SQL_TRACE_ANY);
}

const struct door postgres_door = {
    .name = "postgres",
    .carries = true,
    .attach = door_attach,
    .connections = door_connections,
    .stop = door_stop,
    .free = door_free,
    .refuse = pg_start_refuse,
    .open = pg_start_open,
    .cut = door_cut,
    .traffic = door_traffic,
    .show = pg_start_show,
};
