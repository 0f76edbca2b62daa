/* gateway/duplex.h - the two streams of a session, client and server: each is read only while
 * the other takes what comes of it, and both end together. */
#ifndef WRIT_GATEWAY_DUPLEX_H
#define WRIT_GATEWAY_DUPLEX_H

#include "base/buffer.h"
#include "net/stream.h"

struct duplex;

/* None comes after duplex_end but closed. */
struct duplex_calls {
    void (*client_read)(struct duplex *duplex, struct slice bytes);
    void (*server_read)(struct duplex *duplex, struct slice bytes);
    void (*client_gone)(struct duplex *duplex);
    void (*server_gone)(struct duplex *duplex, enum status status); /* CLOSED: in order */
    void (*server_drained)(struct duplex *duplex); /* it has taken most of what waited for it */
    void (*client_drained)(struct duplex *duplex); /* the same; may be NULL */
    void (*closed)(struct duplex *duplex);         /* the last call: the memory may go */
};

struct duplex {
    const struct duplex_calls *calls;
    struct stream *client, *server; /* server NULL: not connected yet */
    bool client_held, server_held;  /* not read */
    bool ended;
    unsigned closing; /* streams whose end is awaited */
    unsigned sending; /* writes to the server whose end is awaited */
};

/* More than this waits for one side: the other is not read. */
enum { DUPLEX_MARK = 256 << 10, DUPLEX_LOW = DUPLEX_MARK / 2 };

void duplex_read_client(struct duplex *duplex);
void duplex_hold_client(struct duplex *duplex);
void duplex_read_server(struct duplex *duplex);

/* Sends both buffers and empties them, whatever happens. False: the client is gone (its call
 * was made, and the session has ended). A server that broke is heard of when it is read: its
 * last words may be there. */
bool duplex_send(struct duplex *duplex, struct buffer *to_client, struct buffer *to_server);

/* A session may change its server. One that it parts with lives on, and is the caller's; only
 * when nothing that was sent to it is still on its way. */
bool duplex_may_part(const struct duplex *duplex);
struct stream *duplex_part(struct duplex *duplex);
void duplex_join(struct duplex *duplex, struct stream *server);
/* Closes the server alone, at once. */
void duplex_shed(struct duplex *duplex);

enum duplex_ending {
    DUPLEX_DELIVER, /* what was sent goes out first */
    DUPLEX_AT_ONCE,
};
void duplex_end(struct duplex *duplex, enum duplex_ending how);

#endif
