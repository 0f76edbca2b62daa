/* Frames of a WebSocket and of SPDY: the same in one piece and byte by byte. */
#include <stdlib.h>

#include "base/buffer.h"
#include "http/websocket.h"
#include "kubernetes/spdy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
read_socket(struct slice bytes, size_t step, struct buffer *out)
{
    struct websocket_frames frames = { 0 };
    struct websocket_run run;

    for (size_t at = 0; at < bytes.size; at += step) {
        struct slice in = slice_first(slice_from(bytes, at), step);
        enum websocket_frame frame;

        while ((frame = websocket_next(&frames, &in, &run)) == WEBSOCKET_RUN_READ) {
            if (run.size == 0 || run.size > WEBSOCKET_RUN)
                abort();
            for (size_t i = 0; i < run.size; i++) {
                put_u8(out, run.first && i == 0);
                put_u8(out, run.bytes[i]);
            }
        }
        if (frame == WEBSOCKET_MALFORMED)
            return false;
        if (in.size != 0)
            abort();
    }
    return true;
}

static bool
read_spdy(struct slice bytes, size_t step, struct buffer *out)
{
    struct spdy_frames frames = { 0 };

    for (size_t at = 0; at < bytes.size; at += step) {
        struct slice in = slice_first(slice_from(bytes, at), step), run;
        enum spdy_frame frame;
        uint32_t stream;

        while ((frame = spdy_next(&frames, &in, &stream, &run)) == SPDY_DATA) {
            if (run.size == 0)
                abort();
            for (size_t i = 0; i < run.size; i++) {
                put_be32(out, stream);
                put_u8(out, (uint8_t)run.at[i]);
            }
        }
        if (frame == SPDY_MALFORMED)
            return false;
        if (in.size != 0)
            abort();
    }
    return true;
}

typedef bool (*reader)(struct slice bytes, size_t step, struct buffer *out);

static void
compare(reader read, struct slice bytes)
{
    struct buffer whole = { 0 }, pieces = { 0 };

    if (read(bytes, bytes.size == 0 ? 1 : bytes.size, &whole) != read(bytes, 1, &pieces) ||
        !slice_equal(buffer_slice(&whole), buffer_slice(&pieces)))
        abort();
    buffer_free(&whole);
    buffer_free(&pieces);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    compare(read_socket, slice_of(data, size));
    compare(read_spdy, slice_of(data, size));
    return 0;
}
