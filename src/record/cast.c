/* record/cast.c - events of a terminal as lines of asciicast v2. */
#include "record/cast.h"

#include <stdio.h>

#include "base/json.h"

enum { WIDTH = 80, HEIGHT = 24 };

static const char *const codes[CAST_STREAMS] = {
    [CAST_INPUT] = "i", [CAST_OUTPUT] = "o", [CAST_ERRORS] = "o", /* a terminal shows both */
};

void
cast_head(const struct cast_about *about, struct buffer *out)
{
    put_format(out, "{\"version\":2,\"width\":%u,\"height\":%u,\"timestamp\":%lld",
               about->width == 0 ? WIDTH : about->width,
               about->height == 0 ? HEIGHT : about->height, (long long)(about->started_at / 1000));
    if (about->title.size > 0) {
        put_text(out, ",\"title\":");
        put_json_string(out, about->title);
    }
    if (about->command.size > 0) {
        put_text(out, ",\"command\":");
        put_json_string(out, about->command);
    }
    put_text(out, "}\n");
}

static void
put_event(struct cast *cast, uint64_t at_us, const char *code, struct slice text,
          struct buffer *out)
{
    if (at_us > cast->last_us)
        cast->last_us = at_us;
    put_format(out, "[%llu.%06llu,\"%s\",", (unsigned long long)(cast->last_us / 1000000),
               (unsigned long long)(cast->last_us % 1000000), code);
    put_json_string(out, text);
    put_text(out, "]\n");
}

/* How many bytes a character has by its first; 0: none begins so (RFC 3629 §4). */
static uint8_t
size_by(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* May this byte follow? The second one rules out long spellings and surrogates. */
static bool
follows(const struct cast_part *part, uint8_t byte)
{
    uint8_t least = 0x80, most = 0xbf;

    if (part->have == 1) {
        least = part->bytes[0] == 0xe0 ? 0xa0 : part->bytes[0] == 0xf0 ? 0x90 : 0x80;
        most = part->bytes[0] == 0xed ? 0x9f : part->bytes[0] == 0xf4 ? 0x8f : 0xbf;
    }
    return byte >= least && byte <= most;
}

static void
put_unknown(struct cast_part *part, struct buffer *text)
{
    part->have = 0;
    put_text(text, "\xef\xbf\xbd");
}

static void
take_byte(struct cast_part *part, uint8_t byte, struct buffer *text)
{
    if (part->have > 0 && !follows(part, byte))
        put_unknown(part, text);
    if (part->have == 0) {
        part->need = size_by(byte);
        if (part->need == 0) {
            put_unknown(part, text);
            return;
        }
    }
    part->bytes[part->have++] = byte;
    if (part->have == part->need) {
        put_bytes(text, part->bytes, part->have);
        part->have = 0;
    }
}

static size_t
ascii_run(struct slice bytes)
{
    size_t size = 0;

    while (size < bytes.size && (uint8_t)bytes.at[size] < 0x80)
        size++;
    return size;
}

/* A text that could not be made whole is the error of what it was made for. */
static void
put_text_event(struct cast *cast, uint64_t at_us, enum cast_stream stream, struct buffer *text,
               struct buffer *out)
{
    if (buffer_status(text) != STATUS_OK)
        out->status = buffer_status(text);
    else if (text->size > 0)
        put_event(cast, at_us, codes[stream], buffer_slice(text), out);
    buffer_wipe_free(text);
}

void
cast_bytes(struct cast *cast, uint64_t at_us, enum cast_stream stream, struct slice bytes,
           struct buffer *out)
{
    struct buffer text = { 0 };

    for (size_t i = 0; i < bytes.size;) {
        size_t plain = cast->parts[stream].have == 0 ? ascii_run(slice_from(bytes, i)) : 0;

        put_bytes(&text, bytes.at + i, plain);
        i += plain;
        if (i < bytes.size)
            take_byte(&cast->parts[stream], (uint8_t)bytes.at[i++], &text);
    }
    put_text_event(cast, at_us, stream, &text, out);
}

void
cast_resize(struct cast *cast, uint64_t at_us, unsigned width, unsigned height, struct buffer *out)
{
    char size[32];
    int length = snprintf(size, sizeof size, "%ux%u", width, height);

    put_event(cast, at_us, "r", slice_of(size, (size_t)length), out);
}

void
cast_end(struct cast *cast, uint64_t at_us, struct buffer *out)
{
    for (unsigned i = 0; i < CAST_STREAMS; i++) {
        struct buffer text = { 0 };

        if (cast->parts[i].have > 0)
            put_unknown(&cast->parts[i], &text);
        put_text_event(cast, at_us, (enum cast_stream)i, &text, out);
    }
}
