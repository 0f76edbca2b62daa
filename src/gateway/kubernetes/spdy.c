/* gateway/kubernetes/spdy.c - | C, version 15, type 16 | flags 8, size 24 | for control frames,
 * | 0, stream 31 | flags 8, size 24 | for data. */
#include "spdy.h"

enum { VERSION = 3 };

static bool
take_head(struct spdy_frames *frames, struct slice *in)
{
    while (frames->have < SPDY_HEAD && in->size > 0) {
        frames->head[frames->have++] = (uint8_t)in->at[0];
        *in = slice_from(*in, 1);
    }
    return frames->have == SPDY_HEAD;
}

static bool
begin_frame(struct spdy_frames *frames)
{
    const uint8_t *head = frames->head;

    frames->left = (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
    frames->data = (head[0] & 0x80) == 0;
    return frames->data || ((head[0] & 0x7f) == 0 && head[1] == VERSION);
}

static uint32_t
stream_of(const uint8_t *head)
{
    return (uint32_t)(head[0] & 0x7f) << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 |
           head[3];
}

enum spdy_frame
spdy_next(struct spdy_frames *frames, struct slice *in, uint32_t *stream, struct slice *run)
{
    while (!frames->wrong) {
        if (frames->left == 0) {
            if (frames->have == SPDY_HEAD)
                frames->have = 0;
            if (!take_head(frames, in))
                return SPDY_MORE;
            frames->wrong = !begin_frame(frames);
            continue;
        }
        if (in->size == 0)
            return SPDY_MORE;
        *run = slice_first(*in, frames->left);
        *in = slice_from(*in, run->size);
        frames->left -= (uint32_t)run->size;
        if (!frames->data)
            continue;
        *stream = stream_of(frames->head);
        return SPDY_DATA;
    }
    return SPDY_MALFORMED;
}
