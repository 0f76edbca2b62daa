/* gateway/postgres/cancel.h - cancellation: keys of the gateway's own, and the request to the
 * server behind a session. */
#ifndef WRIT_GATEWAY_POSTGRES_CANCEL_H
#define WRIT_GATEWAY_POSTGRES_CANCEL_H

#include "../gate.h"

/* What BackendKeyData tells: at a client the gateway's own, at a server the server's. */
struct cancel_key {
    uint32_t process, secret;
};

/* The number under which a lane keeps a session, as a process id that leads to it. */
enum { CANCEL_SLOT_BITS = 20, CANCEL_SLOTS = 1 << CANCEL_SLOT_BITS };
uint32_t cancel_process(unsigned lane_index, uint32_t slot);

/* A client asks, on any lane: the lane of the session that the key names is told, and looks
 * whether the secret is right. Nobody is answered, as PostgreSQL does not. */
void cancel_ask(struct gate *gate, const struct cancel_key *key);

/* Sends CancelRequest to the server, on a connection of its own that then closes. */
void cancel_at(struct upstream *upstream, struct lane *lane, const struct cancel_key *key);

#endif
