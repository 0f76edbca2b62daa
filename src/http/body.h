/* http/body.h - reading one message's body, however its end is known. */
#ifndef WRIT_HTTP_BODY_H
#define WRIT_HTTP_BODY_H

#include "http/chunked.h"

/* Start from a zeroed one: no body, done. */
struct body {
    uint64_t left; /* LENGTH */
    struct http_chunked chunked;
    uint8_t kind; /* enum http_body */
    bool open;    /* its end has not been read */
};

void body_begin(struct body *body, enum http_body kind, uint64_t length);
/* As http_chunked_next; after END the body is not open. */
enum http_chunk body_next(struct body *body, struct slice *in, struct slice *data);
/* Whether its end can't be told without more bytes. */
static inline bool
body_wants(const struct body *body)
{
    return body->kind != HTTP_BODY_LENGTH || body->left > 0;
}
struct slice body_trailers(const struct body *body);
void body_free(struct body *body);

#endif
