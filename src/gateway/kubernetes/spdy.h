/* gateway/kubernetes/spdy.h - the frames of one direction of SPDY/3.1
 * (draft-mbelshe-httpbis-spdy-00 §2.2), read as they pass: the data of streams in the pieces in
 * which it comes. What else is said is passed over, headers too, which are compressed: which stream
 * is which is not known. Pure. */
#ifndef WRIT_GATEWAY_KUBERNETES_SPDY_H
#define WRIT_GATEWAY_KUBERNETES_SPDY_H

#include "base/slice.h"

enum { SPDY_HEAD = 8 };

struct spdy_frames {
    uint8_t head[SPDY_HEAD];
    unsigned have; /* of the head */
    uint32_t left; /* of the payload */
    bool data;
    bool wrong; /* once is for ever */
};

enum spdy_frame {
    SPDY_MORE,      /* nothing is left of *in */
    SPDY_DATA,      /* *run: some of the data of *stream, taken off *in */
    SPDY_MALFORMED, /* a control frame of another version */
};

enum spdy_frame spdy_next(struct spdy_frames *frames, struct slice *in, uint32_t *stream,
                          struct slice *run);

#endif
