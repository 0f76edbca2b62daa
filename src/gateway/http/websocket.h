/* gateway/http/websocket.h - the frames of one direction of a WebSocket (RFC 6455 §5.2), read as
 * they pass: payloads in the pieces in which they come, unmasked, with no message gathered. Pure.
 */
#ifndef WRIT_GATEWAY_HTTP_WEBSOCKET_H
#define WRIT_GATEWAY_HTTP_WEBSOCKET_H

#include "base/slice.h"

enum { WEBSOCKET_HEAD_MAX = 14, WEBSOCKET_RUN = 4096 };

struct websocket_frames {
    uint8_t head[WEBSOCKET_HEAD_MAX];
    unsigned have;   /* of the head */
    uint64_t left;   /* of the payload */
    uint64_t at;     /* in the payload, for the mask */
    uint8_t mask[4]; /* zeros: none */
    bool data;       /* the frame is of a message, and not a control frame */
    bool text;       /* the message is one of text */
    bool first;      /* the next byte is the message's first */
    bool inside;     /* a message goes on in the next frame */
    bool wrong;      /* once is for ever */
};

enum websocket_frame {
    WEBSOCKET_MORE,      /* nothing is left of *in */
    WEBSOCKET_RUN_READ,  /* *run: some of a message */
    WEBSOCKET_MALFORMED, /* no frame, or one of an extension: none was agreed on */
};

struct websocket_run {
    bool first; /* it begins a message */
    bool text;
    size_t size;
    uint8_t bytes[WEBSOCKET_RUN];
};

/* Takes what it reads off *in. Frames of control, and empty ones, are passed over. */
enum websocket_frame websocket_next(struct websocket_frames *frames, struct slice *in,
                                    struct websocket_run *run);

#endif
