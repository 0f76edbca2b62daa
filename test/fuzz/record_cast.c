/* What a terminal showed, as asciicast: every line is JSON, and the text is the same in one
 * piece and byte by byte. */
#include <stdlib.h>

#include "base/json.h"
#include "record/cast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds)
        abort();
}

/* The texts of all events, joined. */
static void
take_texts(struct slice lines, struct buffer *out)
{
    struct slice line;

    while (slice_next(&lines, '\n', &line)) {
        const json_t *text;
        json_t *event;

        if (line.size == 0)
            continue;
        require(json_read(line, &event, NULL) == STATUS_OK && json_array_size(event) == 3);
        text = json_array_get(event, 2);
        put_bytes(out, json_string_value(text), json_string_length(text));
        json_decref(event);
    }
}

static void
show(struct slice bytes, size_t step, struct buffer *out)
{
    struct buffer lines = { 0 };
    struct cast cast = { 0 };

    for (size_t at = 0; at < bytes.size; at += step)
        cast_bytes(&cast, at, CAST_OUTPUT, slice_first(slice_from(bytes, at), step), &lines);
    cast_end(&cast, bytes.size, &lines);
    require(buffer_status(&lines) == STATUS_OK);
    take_texts(buffer_slice(&lines), out);
    buffer_free(&lines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole = { 0 }, pieces = { 0 };

    /* json_read does not take a zero byte in a string. */
    if (size == 0 || memchr(data, 0, size) != NULL)
        return 0;
    show(slice_of(data, size), size, &whole);
    show(slice_of(data, size), 1, &pieces);
    require(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
    buffer_free(&whole);
    buffer_free(&pieces);
    return 0;
}
