/* gateway/listen.h - where each door listens: the same place on every lane. */
#ifndef WRIT_GATEWAY_LISTEN_H
#define WRIT_GATEWAY_LISTEN_H

#include "gate.h"

/* Reads the door's certificates. The place of a door that does not open stays empty. */
enum status place_open(struct gateway *gateway, enum door_kind kind,
                       struct fault *fault) WRIT_MUST_USE;
void place_close(struct door_place *place);

/* How a door wants its connections. */
struct door_accept {
    enum door_kind kind;
    /* The protocol has a clear beginning of its own, after which the door secures the
     * stream with the place's tls itself. */
    bool secures_itself;
    void (*accepted)(struct listener *listener, struct stream *stream, void *context);
    void *context;
};

/* Opens the door's listener on this lane. With port 0 the first lane finds a free one and
 * the others join it there. INVALID for a clear listener that others than this host reach. */
enum status door_listen(struct gate *gate, const struct door_accept *how, struct listener **out,
                        struct fault *fault) WRIT_MUST_USE;

#endif
