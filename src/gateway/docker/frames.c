/* gateway/docker/frames.c - takes the daemon's frames apart. Nothing is gathered but a head: a
 * payload passes in the pieces in which it comes, however large it says it is. */
#include "docker/frames.h"

static bool
head_is_fine(const uint8_t *head)
{
    return head[0] <= DOCKER_SYSTEM && head[1] == 0 && head[2] == 0 && head[3] == 0;
}

/* False: it is not complete. */
static bool
take_head(struct docker_frames *frames, struct slice *in)
{
    while (frames->have < DOCKER_FRAME_HEAD && in->size > 0) {
        frames->head[frames->have++] = (uint8_t)in->at[0];
        *in = slice_from(*in, 1);
    }
    if (frames->have < DOCKER_FRAME_HEAD)
        return false;
    frames->left = (uint32_t)frames->head[4] << 24 | (uint32_t)frames->head[5] << 16 |
                   (uint32_t)frames->head[6] << 8 | frames->head[7];
    return true;
}

enum docker_frame
docker_frames_next(struct docker_frames *frames, struct slice *in, enum docker_stream *stream,
                   struct slice *run)
{
    if (frames->wrong)
        return DOCKER_FRAME_MALFORMED;
    /* A frame may be empty: the next one follows at once. */
    while (frames->left == 0) {
        if (!take_head(frames, in))
            return DOCKER_FRAME_MORE;
        if (!head_is_fine(frames->head)) {
            frames->wrong = true;
            return DOCKER_FRAME_MALFORMED;
        }
        if (frames->left == 0)
            frames->have = 0;
    }
    if (in->size == 0)
        return DOCKER_FRAME_MORE;
    *stream = (enum docker_stream)frames->head[0];
    *run = slice_first(*in, frames->left);
    *in = slice_from(*in, run->size);
    frames->left -= (uint32_t)run->size;
    if (frames->left == 0)
        frames->have = 0;
    return DOCKER_FRAME_RUN;
}
