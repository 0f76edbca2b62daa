/* fuzz/mcp_events.c - any bytes as an event stream: in one piece and byte by byte they are the
 * same, and what goes on has only lines that all readers split and name alike. */
#include <stdlib.h>

#include "base/json_reader.h"
#include "mcp/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

/* What is JSON passes as it is, but for a number. */
static enum status
judge(void *context, struct slice text, struct buffer *out, bool *passes)
{
    struct json_reader reader;
    struct json_piece piece;
    struct slice whole;

    json_reader_init(&reader, text);
    *passes = json_next(&reader, &piece) != JSON_TOKEN_NUMBER;
    bool read = piece.token != JSON_TOKEN_WRONG && json_skip(&reader, &piece, &whole) &&
                json_next(&reader, &piece) == JSON_TOKEN_DONE;
    json_reader_free(&reader);
    put_slice(out, text);
    return read ? STATUS_OK : STATUS_INVALID;
}

static enum status
feed(struct slice bytes, size_t step, struct buffer *out)
{
    struct mcp_events events;
    enum status status = STATUS_OK;

    mcp_events_init(&events, judge, NULL);
    for (size_t at = 0; at < bytes.size && status == STATUS_OK; at += step)
        status = mcp_events_feed(&events, slice_first(slice_from(bytes, at), step), out);
    mcp_events_free(&events);
    return status;
}

static void
check_line(struct slice line)
{
    static const char *const starts[] = { "data: ", "id: ", "event: ", "retry: " };
    bool known = line.size == 0 || slice_is(line, ":");

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        known = known || slice_starts(line, slice_text(starts[i]));
    check(known);
}

/* Not a line end of anybody's but the one that was written. */
static void
check_written(struct slice out)
{
    struct slice line;

    for (size_t i = 0; i < out.size; i++) {
        struct slice at = slice_from(out, i);

        check((uint8_t)at.at[0] >= 0x20 || at.at[0] == '\n' || at.at[0] == '\t');
        check(!slice_starts(at, slice_text("\xc2\x85")) &&
              !slice_starts(at, slice_text("\xe2\x80\xa8")) &&
              !slice_starts(at, slice_text("\xe2\x80\xa9")));
    }
    while (slice_next(&out, '\n', &line))
        check_line(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole = { 0 }, pieces = { 0 }, again = { 0 };
    struct slice bytes = slice_of(data, size);

    check(feed(bytes, size == 0 ? 1 : size, &whole) == feed(bytes, 1, &pieces));
    check(slice_equal(buffer_slice(&whole), buffer_slice(&pieces)));
    check_written(buffer_slice(&whole));
    /* Written anew it stays as it is. */
    if (whole.size > 0)
        check(feed(buffer_slice(&whole), whole.size, &again) == STATUS_OK &&
              slice_equal(buffer_slice(&whole), buffer_slice(&again)));
    buffer_free(&whole);
    buffer_free(&pieces);
    buffer_free(&again);
    return 0;
}
