/* http/api.h - the short way for APIs: a request with its whole body at once,
 * answered now or later on the same lane. */
#ifndef WRIT_HTTP_API_H
#define WRIT_HTTP_API_H

#include "http/server.h"

struct http_api {
    size_t body_max; /* 0: 1 MiB; a longer body is answered with 413 */
    /* Asked when the head is there. False: the body is not collected, and request is
     * called at once with an empty one. May be NULL: always. */
    bool (*wants_body)(struct http_call *call, void *context);
    /* body lives as long as the call (in its arena or behind it). Ends in one of the
     * http_respond… functions, now or later. */
    void (*request)(struct http_call *call, struct slice body, void *context);
    /* The call ended without its answer; the callee drops its pointer. May be NULL. */
    void (*gone)(struct http_call *call, enum status status, void *context);
    /* What came never became a request: its head was refused, or its body is too long.
     * It is answered here. For the audit; may be NULL. */
    void (*refused)(struct stream *stream, const struct http_refusal *why, void *context);
    void *context;
};

/* The handler for http_server_options; their context is the struct http_api. */
extern const struct http_handler http_api_handler;

#endif
