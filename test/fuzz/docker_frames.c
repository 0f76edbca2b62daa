/* Frames of the Docker daemon: the same runs in one piece and byte by byte. */
#include <stdlib.h>

#include "base/buffer.h"
#include "docker/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each byte with its stream before it. */
static bool
take_apart(struct slice bytes, size_t step, struct buffer *out)
{
    struct docker_frames frames = { 0 };

    for (size_t at = 0; at < bytes.size; at += step) {
        struct slice in = slice_first(slice_from(bytes, at), step), run;
        enum docker_frame frame;
        enum docker_stream stream;

        while ((frame = docker_frames_next(&frames, &in, &stream, &run)) == DOCKER_FRAME_RUN) {
            if (run.size == 0)
                abort();
            for (size_t i = 0; i < run.size; i++) {
                put_u8(out, (uint8_t)stream);
                put_u8(out, (uint8_t)run.at[i]);
            }
        }
        if (frame == DOCKER_FRAME_MALFORMED)
            return false;
        if (in.size != 0)
            abort();
    }
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole = { 0 }, pieces = { 0 };

    if (take_apart(slice_of(data, size), size == 0 ? 1 : size, &whole) !=
            take_apart(slice_of(data, size), 1, &pieces) ||
        !slice_equal(buffer_slice(&whole), buffer_slice(&pieces)))
        abort();
    buffer_free(&whole);
    buffer_free(&pieces);
    return 0;
}
