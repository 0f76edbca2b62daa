/* gateway/mcp/events.c - lines become fields, fields become events. Only what is known goes on:
 * a field or a mark that one reader skips may be another one's message. */
#include "events.h"

#include <string.h>

void
mcp_events_init(struct mcp_events *events, mcp_judge *judge, void *context)
{
    *events = (struct mcp_events){ .judge = judge, .context = context };
    events->held.limit = events->event.limit = events->data.limit = MCP_MESSAGE_MAX;
}

void
mcp_events_free(struct mcp_events *events)
{
    buffer_free(&events->held);
    buffer_free(&events->event);
    buffer_free(&events->data);
}

/* --- writing ------------------------------------------------------------------------------ */

/* Line ends to some readers (NEL, U+2028, U+2029), which in JSON stand in texts only: there they
 * are escaped. Returns how many bytes of the text it took; 0: there is none. */
static size_t
put_line_end(struct buffer *out, struct slice text)
{
    static const struct {
        const char *bytes, *escaped;
    } ends[] = {
        { "\xc2\x85", "\\u0085" },
        { "\xe2\x80\xa8", "\\u2028" },
        { "\xe2\x80\xa9", "\\u2029" },
    };

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct slice bytes = slice_text(ends[i].bytes);

        if (!slice_starts(text, bytes))
            continue;
        put_text(out, ends[i].escaped);
        return bytes.size;
    }
    return 0;
}

/* A message may have been parted into lines; it goes on as one. */
static void
put_data(struct buffer *out, struct slice message)
{
    put_text(out, "data: ");
    while (message.size > 0) {
        char byte = message.at[0];
        size_t taken = byte == '\xc2' || byte == '\xe2' ? put_line_end(out, message) : 0;

        if (taken == 0) {
            put_u8(out, byte == '\n' ? ' ' : (uint8_t)byte);
            taken = 1;
        }
        message = slice_from(message, taken);
    }
    put_text(out, "\n");
}

/* --- events ------------------------------------------------------------------------------- */

/* Without the white space of JSON around it, of which lines that were empty leave some. */
static struct slice
trimmed(struct slice text)
{
    static const char white[] = " \t\n";

    while (text.size > 0 && memchr(white, text.at[0], sizeof white - 1) != NULL)
        text = slice_from(text, 1);
    while (text.size > 0 && memchr(white, text.at[text.size - 1], sizeof white - 1) != NULL)
        text.size--;
    return text;
}

static enum status
event_end(struct mcp_events *events, struct buffer *out)
{
    struct buffer message = BUFFER_LIMITED(MCP_MESSAGE_MAX);
    struct slice text = trimmed(buffer_slice(&events->data));
    enum status status = STATUS_OK;
    bool passes = true;

    if (text.size > 0)
        status = events->judge(events->context, text, &message, &passes);
    /* The id of what is withheld still counts for a resumption. */
    if (status == STATUS_OK) {
        put_slice(out, buffer_slice(&events->event));
        if (passes && text.size > 0)
            put_data(out, buffer_slice(&message));
        else if (events->has_data)
            put_text(out, "data: \n");
        put_text(out, "\n");
    }
    buffer_free(&message);
    buffer_clear(&events->event);
    buffer_clear(&events->data);
    events->has_data = false;
    return status == STATUS_OK ? buffer_status(out) : status;
}

static enum status
add_data(struct mcp_events *events, struct slice value)
{
    put_text(&events->data, events->has_data ? "\n" : "");
    put_slice(&events->data, value);
    events->has_data = true;
    return buffer_status(&events->data);
}

static bool
is_plain(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] < 0x20 || text.at[i] > 0x7e)
            return false;
    }
    return true;
}

static enum status
add_field(struct mcp_events *events, struct slice name, struct slice value)
{
    if (!slice_is(name, "id") && !slice_is(name, "event") && !slice_is(name, "retry"))
        return STATUS_OK;
    if (!is_plain(value))
        return STATUS_INVALID;
    put_slice(&events->event, name);
    put_text(&events->event, ": ");
    put_slice(&events->event, value);
    put_text(&events->event, "\n");
    return buffer_status(&events->event);
}

static enum status
take_line(struct mcp_events *events, struct slice line, struct buffer *out)
{
    if (!events->begun && slice_starts(line, SLICE_LITERAL("\xef\xbb\xbf")))
        line = slice_from(line, 3); /* a byte order mark */
    events->begun = true;
    if (line.size > 0 && line.at[line.size - 1] == '\r')
        line.size--;
    if (slice_find(line, '\r') < line.size)
        return STATUS_INVALID; /* a line end to some readers */
    if (line.size == 0)
        return events->event.size > 0 || events->has_data ? event_end(events, out) : STATUS_OK;
    if (line.at[0] == ':') { /* a comment: that one came keeps the connection alive */
        put_text(out, ":\n");
        return buffer_status(out);
    }
    size_t colon = slice_find(line, ':');
    struct slice name = slice_first(line, colon), value = slice_from(line, colon + 1);
    if (slice_starts(value, SLICE_LITERAL(" ")))
        value = slice_from(value, 1);
    return slice_is(name, "data") ? add_data(events, value) : add_field(events, name, value);
}

enum status
mcp_events_feed(struct mcp_events *events, struct slice in, struct buffer *out)
{
    enum status status = STATUS_OK;
    size_t used = 0;

    put_slice(&events->held, in);
    while (status == STATUS_OK) {
        struct slice rest = slice_from(buffer_slice(&events->held), used);
        size_t end = slice_find(rest, '\n');

        if (end == rest.size)
            break;
        status = take_line(events, slice_first(rest, end), out);
        used += end + 1;
    }
    buffer_consume(&events->held, used);
    return status == STATUS_OK ? buffer_status(&events->held) : status;
}
