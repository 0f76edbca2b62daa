/* app/launch.c - the packets between the server and its launcher, as bytes. */
#include "launch.h"

static void
put_list(struct buffer *out, const struct slice *items, size_t count)
{
    put_u8(out, (uint8_t)count);
    for (size_t i = 0; i < count; i++)
        put_slice16(out, items[i]);
}

void
launch_put(struct buffer *out, const struct launch *launch)
{
    put_u8(out, (uint8_t)launch->kind);
    put_slice16(out, launch->name);
    put_slice16(out, launch->user);
    put_slice16(out, launch->why);
    put_be32(out, launch->idle_s);
    put_list(out, launch->words, launch->word_count);
    put_list(out, launch->env, launch->env_count);
    if (out->size > LAUNCH_PACKET_MAX && out->status == STATUS_OK)
        out->status = STATUS_TOO_LARGE;
}

static bool
take_text(struct cursor *in, struct slice *out)
{
    return take_slice16(in, out) && slice_find(*out, '\0') == out->size;
}

static bool
take_list(struct cursor *in, struct slice items[LAUNCH_WORDS_MAX], size_t *count)
{
    uint8_t size;

    if (!take_u8(in, &size) || size > LAUNCH_WORDS_MAX)
        return false;
    for (*count = 0; *count < size; (*count)++) {
        if (!take_text(in, &items[*count]))
            return false;
    }
    return true;
}

bool
launch_take(struct slice packet, struct launch *out)
{
    struct cursor in = cursor_over(packet);
    uint8_t kind;

    *out = (struct launch){ 0 };
    if (!take_u8(&in, &kind) || kind < LAUNCH_START || kind > LAUNCH_ENDED ||
        !take_text(&in, &out->name) || !take_text(&in, &out->user) || !take_text(&in, &out->why) ||
        !take_be32(&in, &out->idle_s) || !take_list(&in, out->words, &out->word_count) ||
        !take_list(&in, out->env, &out->env_count) || cursor_left(&in) > 0)
        return false;
    out->kind = (enum launch_kind)kind;
    return out->name.size > 0 && out->name.size <= LAUNCH_NAME_MAX &&
           (kind != LAUNCH_START || (out->word_count > 0 && out->words[0].size > 0));
}
