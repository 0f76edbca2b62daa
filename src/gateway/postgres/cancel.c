/* gateway/postgres/cancel.c - finds the session that a cancel key names, and asks its
 * server (protocol, "Canceling Requests in Progress"). */
#include "cancel.h"

#include <stdlib.h>

#include "door.h"
#include "reach.h"
#include "wire.h"

uint32_t
cancel_process(unsigned lane_index, uint32_t slot)
{
    return (lane_index + 1) << CANCEL_SLOT_BITS | slot;
}

struct asked_cancel {
    struct lane_message message;
    struct gate *gate;
    struct cancel_key key;
};

static void
on_asked(struct lane_message *message)
{
    struct asked_cancel *asked = LANE_OWNER(message, struct asked_cancel, message);

    postgres_cancel(asked->gate, asked->key.process & (CANCEL_SLOTS - 1), &asked->key);
    free(asked);
}

void
cancel_ask(struct gate *gate, const struct cancel_key *key)
{
    struct gateway *gateway = gate->gateway;
    unsigned index = (key->process >> CANCEL_SLOT_BITS) - 1;

    if (index >= gateway->options.lanes || gateway->gates[index].lane == NULL)
        return;
    struct asked_cancel *asked = calloc(1, sizeof(*asked));
    if (asked == NULL)
        return;
    asked->message.run = on_asked;
    asked->gate = &gateway->gates[index];
    asked->key = *key;
    if (!lane_post(asked->gate->lane, &asked->message))
        free(asked);
}

/* --- at the server --------------------------------------------------------- */

struct server_cancel {
    struct upstream *upstream;
    struct cancel_key key;
};

static void
on_reached(enum status status, struct stream *stream, const char *why, void *context)
{
    struct server_cancel *cancel = context;
    struct buffer request = { 0 };

    if (status == STATUS_OK) {
        pg_put_cancel_request(&request, cancel->key.process, cancel->key.secret);
        struct slice bytes = buffer_slice(&request);
        if (buffer_status(&request) == STATUS_OK &&
            stream_write(stream, &bytes, 1, NULL, NULL) != STREAM_BROKEN)
            stream_finish(stream, 5000, NULL, NULL);
        else
            stream_close(stream, NULL, NULL);
    }
    buffer_free(&request);
    upstream_release(cancel->upstream);
    free(cancel);
}

void
cancel_at(struct upstream *upstream, struct lane *lane, const struct cancel_key *key)
{
    struct server_cancel *cancel = calloc(1, sizeof(*cancel));
    struct reach *reach;

    if (cancel == NULL)
        return;
    cancel->upstream = upstream;
    cancel->key = *key;
    upstream_use(upstream);
    if (reach_start(upstream, lane, on_reached, cancel, &reach) != STATUS_OK) {
        upstream_release(upstream);
        free(cancel);
    }
}
