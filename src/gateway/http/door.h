/* gateway/http/door.h - the HTTP door: connections in, calls through the pipeline. */
#ifndef WRIT_GATEWAY_HTTP_DOOR_H
#define WRIT_GATEWAY_HTTP_DOOR_H

#include "../doors.h"
#include "classify.h"
#include "http/server.h"

struct http_talk;

extern const struct door http_door;
/* The same wire, but a passage through it asks for a verdict alone. */
extern const struct door http_check;

/* The door's part of a passage, in the call's arena: what classify found, and the
 * two sides of the relay. */
struct http_passage {
    struct passage *passage;
    struct http_call *call;
    struct http_target_read target;
    struct client_view client;
    bool original; /* of a /check: the request that is asked about went elsewhere, … */
    struct slice original_uri;      /* … to this */
    struct http_exchange *exchange; /* NULL: not begun, or over */
    struct timer expect;            /* a client waits for 100, the upstream does not say it */
    unsigned status;                /* of the answer's head; 0: not sent */
    bool more;                      /* body bytes are at hand: one write with the head */
    struct http_talk *talk;         /* of a dialect; NULL: plain HTTP */
};

/* answer.c */
void answer_refusal(struct passage *passage, const struct refusal *refusal);
/* A refusal as a sentence, with the right that is needed. */
void answer_detail(struct buffer *out, const struct refusal *refusal);
void answer_problem(struct http_call *call, const struct refusal *refusal);
/* A new nonce for a client whose last one ends soon (RFC 9449 §8.2). */
void answer_nonce(const struct http_passage *http, struct buffer *out);

/* The door's `ended`. */
void http_passage_ended(struct passage *passage);

/* A passage for the call, with what is known of the peer; NULL: out of memory, and
 * the call is answered. */
struct http_passage *http_passage_new(struct gate *gate, const struct door *door,
                                      struct http_call *call);

/* check.c */
void check_request(struct gate *gate, struct http_call *call);

/* tunnel.c: after 101 the two streams are joined; the passage is the tunnel's. */
void tunnel_open(struct http_passage *http, const struct http_head *head, struct stream *upstream,
                 struct slice pending);
#endif
