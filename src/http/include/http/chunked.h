/* http/chunked.h - the chunked transfer coding (RFC 9112 §7.1), both ways. */
#ifndef WRIT_HTTP_CHUNKED_H
#define WRIT_HTTP_CHUNKED_H

#include "base/buffer.h"
#include "http/head.h"

enum {
    HTTP_CHUNK_DIGITS_MAX = 16,
    HTTP_CHUNK_EXTENSIONS_MAX = 4096, /* bytes of extensions of one message; dropped */
    HTTP_TRAILERS_MAX = 8192
};

/* Start from a zeroed one. Trailers are the only bytes that it keeps. */
struct http_chunked {
    uint64_t left;
    struct buffer trailers;
    uint32_t extensions;
    uint8_t state, digits;
};

enum http_chunk {
    HTTP_CHUNK_MORE,     /* *in is used up */
    HTTP_CHUNK_DATA,     /* *data lies within *in, which has moved past it; call again */
    HTTP_CHUNK_END,      /* *in starts after the message */
    HTTP_CHUNK_MALFORMED /* and so for ever */
};

enum http_chunk http_chunked_next(struct http_chunked *chunked, struct slice *in,
                                  struct slice *data) WRIT_MUST_USE;
/* After END: the trailer fields as they came, checked, each line with its CRLF;
 * usually empty. None of them is one that Writ's code or the framing looks at. */
struct slice http_chunked_trailers(const struct http_chunked *chunked);
void http_chunked_free(struct http_chunked *chunked); /* leaves it zeroed */

/* Encoding: the line before data of this size (not 0), to be followed by the data
 * and CRLF. */
enum { HTTP_CHUNK_LINE_MAX = 20 };
struct slice http_chunk_line(size_t size, char out[HTTP_CHUNK_LINE_MAX]);
void http_put_last_chunk(struct buffer *out, struct slice trailers);

#endif
