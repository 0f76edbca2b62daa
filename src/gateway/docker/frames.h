/* gateway/docker/frames.h - the stream of an exec or attach without a terminal: frames of 8
 * bytes and a payload, cut anywhere. Pure. */
#ifndef WRIT_GATEWAY_DOCKER_FRAMES_H
#define WRIT_GATEWAY_DOCKER_FRAMES_H

#include "base/slice.h"

/* | stream 1 | 0 0 0 | size of the payload, be32 | */
enum { DOCKER_FRAME_HEAD = 8 };
/* The fourth is what the daemon itself has to say. */
enum docker_stream { DOCKER_STDIN, DOCKER_STDOUT, DOCKER_STDERR, DOCKER_SYSTEM };

struct docker_frames {
    uint8_t head[DOCKER_FRAME_HEAD];
    unsigned have; /* of the head */
    uint32_t left; /* of the payload */
    bool wrong;    /* once is for ever */
};

enum docker_frame {
    DOCKER_FRAME_MORE,      /* nothing is left of *in */
    DOCKER_FRAME_RUN,       /* *run: some or all of a payload, taken off *in */
    DOCKER_FRAME_MALFORMED, /* no such stream, or bytes that must be zero */
};

enum docker_frame docker_frames_next(struct docker_frames *frames, struct slice *in,
                                     enum docker_stream *stream, struct slice *run);

#endif
