/* gateway/http/websocket.c - RFC 6455 §5.2. */
#include "websocket.h"

#include <string.h>

enum {
    FIN = 0x80,
    RESERVED = 0x70, /* of extensions */
    CONTROL = 0x08,
    MASKED = 0x80,
    SIZE_16 = 126,
    SIZE_64 = 127,
    OPCODE_TEXT = 1,
    OPCODE_BINARY = 2,
    OPCODE_PONG = 10,
    CONTROL_MOST = 125,
};

static unsigned
size_bytes(uint8_t second)
{
    uint8_t size = second & 0x7f;

    return size == SIZE_16 ? 2 : size == SIZE_64 ? 8 : 0;
}

static unsigned
head_size(const uint8_t *head)
{
    return 2 + size_bytes(head[1]) + ((head[1] & MASKED) != 0 ? 4 : 0);
}

static bool
take_head(struct websocket_frames *frames, struct slice *in)
{
    while (frames->have < 2 || frames->have < head_size(frames->head)) {
        if (in->size == 0)
            return false;
        frames->head[frames->have++] = (uint8_t)in->at[0];
        *in = slice_from(*in, 1);
    }
    return true;
}

static uint64_t
payload_size(const uint8_t *head)
{
    unsigned bytes = size_bytes(head[1]);
    uint64_t size = 0;

    if (bytes == 0)
        return head[1] & 0x7f;
    for (unsigned i = 0; i < bytes; i++)
        size = size << 8 | head[2 + i];
    return size;
}

/* §5.4, §5.5: control frames are short and whole, and may stand within a message. */
static bool
begin_frame(struct websocket_frames *frames)
{
    const uint8_t *head = frames->head;
    uint8_t opcode = head[0] & 0x0f;
    bool fin = (head[0] & FIN) != 0;

    frames->left = payload_size(head);
    frames->at = 0;
    memset(frames->mask, 0, sizeof frames->mask);
    if ((head[1] & MASKED) != 0)
        memcpy(frames->mask, head + head_size(head) - 4, 4);
    frames->data = (opcode & CONTROL) == 0;
    if ((head[0] & RESERVED) != 0 || frames->left >> 63 != 0)
        return false;
    if (!frames->data)
        return fin && frames->left <= CONTROL_MOST && opcode <= OPCODE_PONG;
    if (opcode > OPCODE_BINARY || frames->inside != (opcode == 0))
        return false;
    if (opcode != 0) {
        frames->text = opcode == OPCODE_TEXT;
        frames->first = true;
    }
    frames->inside = !fin;
    return true;
}

static void
take_run(struct websocket_frames *frames, struct slice *in, struct websocket_run *run)
{
    size_t size = in->size < frames->left ? in->size : (size_t)frames->left;

    run->size = size < WEBSOCKET_RUN ? size : WEBSOCKET_RUN;
    run->first = frames->first;
    run->text = frames->text;
    for (size_t i = 0; i < run->size; i++)
        run->bytes[i] = (uint8_t)in->at[i] ^ frames->mask[(frames->at + i) % 4];
    *in = slice_from(*in, run->size);
    frames->at += run->size;
    frames->left -= run->size;
}

enum websocket_frame
websocket_next(struct websocket_frames *frames, struct slice *in, struct websocket_run *run)
{
    while (!frames->wrong) {
        if (frames->left == 0) {
            frames->have =
                frames->have == 0 || frames->have < head_size(frames->head) ? frames->have : 0;
            if (!take_head(frames, in))
                return WEBSOCKET_MORE;
            frames->wrong = !begin_frame(frames);
            continue;
        }
        if (in->size == 0)
            return WEBSOCKET_MORE;
        take_run(frames, in, run);
        if (!frames->data)
            continue;
        frames->first = false;
        return WEBSOCKET_RUN_READ;
    }
    return WEBSOCKET_MALFORMED;
}
