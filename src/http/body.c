/* http/body.c - reading one message's body, however its end is known. */
#include "body.h"

void
body_begin(struct body *body, enum http_body kind, uint64_t length)
{
    body_free(body);
    body->kind = (uint8_t)kind;
    body->left = length;
    body->open = kind != HTTP_BODY_NONE;
}

enum http_chunk
body_next(struct body *body, struct slice *in, struct slice *data)
{
    enum http_chunk got = HTTP_CHUNK_END;

    if (!body->open)
        return HTTP_CHUNK_END;
    switch ((enum http_body)body->kind) {
    case HTTP_BODY_NONE:
        break;
    case HTTP_BODY_LENGTH:
        if (body->left == 0)
            break;
        *data = slice_first(*in, body->left < in->size ? (size_t)body->left : in->size);
        *in = slice_from(*in, data->size);
        body->left -= data->size;
        got = data->size > 0 ? HTTP_CHUNK_DATA : HTTP_CHUNK_MORE;
        break;
    case HTTP_BODY_CHUNKED:
        got = http_chunked_next(&body->chunked, in, data);
        break;
    case HTTP_BODY_CLOSE:
        *data = *in;
        *in = slice_from(*in, in->size);
        got = data->size > 0 ? HTTP_CHUNK_DATA : HTTP_CHUNK_MORE;
        break;
    }
    if (got == HTTP_CHUNK_END)
        body->open = false;
    return got;
}

struct slice
body_trailers(const struct body *body)
{
    return http_chunked_trailers(&body->chunked);
}

void
body_free(struct body *body)
{
    if (body->chunked.trailers.bytes != NULL)
        http_chunked_free(&body->chunked);
    *body = (struct body){ 0 };
}
