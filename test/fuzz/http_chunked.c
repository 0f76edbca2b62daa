/* fuzz/http_chunked.c - chunked bodies: whole and in pieces they give the same data
 * and the same end. The first byte is the size of the pieces. */
#include <stdint.h>
#include <stdlib.h>

#include "http/chunked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_chunk
decode(struct slice in, size_t step, struct buffer *out, size_t *used)
{
    struct http_chunked chunked = { 0 };
    enum http_chunk got = HTTP_CHUNK_MORE;
    size_t given = 0;

    while (given < in.size && got == HTTP_CHUNK_MORE) {
        struct slice part = slice_first(slice_from(in, given), step), piece;
        size_t size = part.size;

        while ((got = http_chunked_next(&chunked, &part, &piece)) == HTTP_CHUNK_DATA)
            put_slice(out, piece);
        given += size - part.size;
    }
    *used = given;
    put_slice(out, http_chunked_trailers(&chunked));
    http_chunked_free(&chunked);
    return got;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole = { 0 }, pieces = { 0 };
    size_t whole_used, pieces_used;
    enum http_chunk a, b;
    struct slice in;

    if (size < 2)
        return 0;
    in = slice_of(data + 1, size - 1);
    a = decode(in, in.size, &whole, &whole_used);
    b = decode(in, data[0] % 16u + 1u, &pieces, &pieces_used);
    if (a != b ||
        (a == HTTP_CHUNK_END &&
         (whole_used != pieces_used || !slice_equal(buffer_slice(&whole), buffer_slice(&pieces)))))
        abort();
    buffer_free(&whole);
    buffer_free(&pieces);
    return 0;
}
