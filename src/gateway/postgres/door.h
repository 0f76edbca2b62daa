/* gateway/postgres/door.h - the PostgreSQL door: clients in, sessions through the gate. */
#ifndef WRIT_GATEWAY_POSTGRES_DOOR_H
#define WRIT_GATEWAY_POSTGRES_DOOR_H

#include "../doors.h"
#include "../lull.h"
#include "analysis.h"
#include "cancel.h"

extern const struct door postgres_door;

struct pg_session;

/* One lane's part of the door. */
struct pg_door {
    struct gate *gate;
    struct listener *listener;
    struct pg_session *sessions; /* all, linked */
    size_t count;
    struct pg_session **slots; /* by the number in a cancel key; NULL: free */
    uint32_t slot_count, next_slot;
    struct analyses *analyses[RECORD_FULL + 1]; /* by how they are recorded */
    struct verifiers *verifiers; /* of log-ins by SCRAM */
    struct pg_pool *pools;       /* of upstreams whose connections are shared, linked */
    struct arena scratch;        /* for one statement's decision */
    /* What one callback has made for either side, sent at its end: sessions at rest have
     * no buffers for it. */
    struct buffer to_client, to_server;
    struct lull lull;
    bool stopping;
};

/* A client asks to cancel what the session in this slot runs. */
void postgres_cancel(struct gate *gate, uint32_t slot, const struct cancel_key *key);

#endif
