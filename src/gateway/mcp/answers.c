/* gateway/mcp/answers.c - one message, or an event stream of them (HTML §9.2). */
#include "answers.h"

#include <stdlib.h>

#include "../errand.h"
#include "decline.h"
#include "methods.h"
#include "pins.h"

enum { MESSAGE_MAX = 16 << 20, SCRATCH_MAX = 1 << 20 };

struct mcp_filter {
    struct body_filter filter;
    struct passage *passage;
    struct buffer held;  /* a line that is not whole, or the message so far */
    struct buffer event; /* the lines of the event that comes, but for its data */
    struct buffer data;
    bool has_data;
    struct mcp_looks looks;
    struct arena scratch;
};

/* --- what may be seen ------------------------------------------------------------------ */

static bool
sees(void *context, const char *action, struct slice item, bool uri)
{
    struct mcp_filter *filter = context;
    struct request request = { .resource = filter->passage->asked.request.resource,
                               .action = slice_text(action) };
    bool may = mcp_object_set(item, uri, &filter->scratch, &request) &&
               pipeline_could(filter->passage, &request, &filter->scratch);

    arena_reset(&filter->scratch);
    return may;
}

/* Of a server whose tools are pinned. */
static bool
approves(void *context, struct slice definition)
{
    struct mcp_filter *filter = context;
    bool approved = mcp_pin_see(filter->passage, definition, &filter->looks, &filter->scratch);

    arena_reset(&filter->scratch);
    return approved;
}

/* What a server tells models beside its tools is looked at as if it were one. */
static bool
instructs(void *context, struct slice instructions)
{
    struct buffer definition = BUFFER_LIMITED(MESSAGE_MAX);

    put_text(&definition, "{\"name\":\"" MCP_INSTRUCTIONS "\",\"description\":");
    put_slice(&definition, instructions);
    put_text(&definition, "}");
    bool approved =
        buffer_status(&definition) == STATUS_OK && approves(context, buffer_slice(&definition));
    buffer_free(&definition);
    return approved;
}

/* A request of the server's, which is asked of the client: it has its own right and line. */
static bool
may_ask(struct mcp_filter *filter, const struct mcp_message *message)
{
    const struct mcp_method *method = mcp_method_find(message->method, true);
    struct errand_touch touch = { .action = SLICE_LITERAL("session.ask"),
                                  .object = SLICE_LITERAL("-") };
    struct errand_ask ask = { .touches = &touch, .count = 1 };
    struct refusal refusal = { 0 };
    struct errand errand;

    if (method != NULL && (method->flags & MCP_FREE) != 0)
        return true;
    if (method != NULL)
        touch.action = slice_text(method->action);
    if (!passage_keep(filter->passage) ||
        !errand_begin(filter->passage, &ask, &filter->scratch, &errand, &refusal))
        return false;
    errand_end(filter->passage, &errand, &(struct errand_outcome){ .status = 200 });
    return method != NULL;
}

/* *passes: the client gets it, as *out says. Not OK: it can't be read, so nothing more is
 * passed. */
static enum status
judge(struct mcp_filter *filter, struct slice text, struct buffer *out, bool *passes)
{
    struct mcp_message message;
    const char *why;
    int code;
    bool read = mcp_message_read(text, &filter->scratch, &message, &why, &code);
    enum mcp_kind kind = message.kind;

    *passes = read && (kind != MCP_REQUEST || may_ask(filter, &message));
    if (read && !*passes)
        mcp_decline(filter->passage, message.id);
    arena_reset(&filter->scratch);
    if (!read)
        return STATUS_INVALID;
    if (!*passes)
        return STATUS_OK;
    if (kind != MCP_RESPONSE) {
        put_slice(out, text);
        return buffer_status(out);
    }
    struct mcp_sight sight = { .sees = sees, .context = filter };
    if (filter->passage->asked.upstream->plan.pinned)
        sight.approves = approves;
    if (sight.approves != NULL && slice_is(filter->passage->asked.request.action, "session.open"))
        sight.instructs = instructs;
    if (!mcp_prune(text, &sight, out))
        return STATUS_INVALID;
    return filter->looks.unlined ? STATUS_FULL : STATUS_OK;
}

/* --- a message by itself ------------------------------------------------------------------ */

static enum status
json_feed(struct body_filter *base, struct slice in, struct buffer *out)
{
    struct mcp_filter *filter = (struct mcp_filter *)base;

    put_slice(&filter->held, in);
    return buffer_status(&filter->held);
}

static enum status
json_end(struct body_filter *base, struct buffer *out)
{
    struct mcp_filter *filter = (struct mcp_filter *)base;
    struct slice text = slice_trim(buffer_slice(&filter->held));
    bool passes;

    return text.size == 0 ? STATUS_OK : judge(filter, text, out, &passes);
}

/* --- events -------------------------------------------------------------------------------- */

/* A message may have been parted into lines; it goes on as one. */
static void
put_data(struct buffer *out, const struct buffer *message)
{
    put_text(out, "data: ");
    for (size_t i = 0; i < message->size; i++)
        put_u8(out, message->bytes[i] == '\n' ? ' ' : (uint8_t)message->bytes[i]);
    put_text(out, "\n");
}

static enum status
event_end(struct mcp_filter *filter, struct buffer *out)
{
    struct buffer message = BUFFER_LIMITED(MESSAGE_MAX);
    struct slice text = slice_trim(buffer_slice(&filter->data));
    enum status status = STATUS_OK;
    bool passes = true;

    if (text.size > 0)
        status = judge(filter, text, &message, &passes);
    /* The id of what is withheld still counts for a resumption. */
    if (status == STATUS_OK) {
        put_slice(out, buffer_slice(&filter->event));
        if (passes && text.size > 0)
            put_data(out, &message);
        else if (filter->has_data)
            put_text(out, "data: \n");
        put_text(out, "\n");
    }
    buffer_free(&message);
    buffer_clear(&filter->event);
    buffer_clear(&filter->data);
    filter->has_data = false;
    return status == STATUS_OK ? buffer_status(out) : status;
}

static enum status
event_line(struct mcp_filter *filter, struct slice line, struct buffer *out)
{
    struct slice value;

    if (line.size > 0 && line.at[line.size - 1] == '\r')
        line.size--;
    if (slice_find(line, '\r') < line.size)
        return STATUS_INVALID; /* a line end to some readers */
    if (line.size == 0)
        return filter->event.size > 0 || filter->has_data ? event_end(filter, out) : STATUS_OK;
    if (line.at[0] == ':') { /* a comment, which keeps the connection alive */
        put_slice(out, line);
        put_text(out, "\n");
        return buffer_status(out);
    }
    if (slice_is(slice_first(line, slice_find(line, ':')), "data")) {
        value = slice_from(line, 5);
        if (slice_starts(value, SLICE_LITERAL(" ")))
            value = slice_from(value, 1);
        put_text(&filter->data, filter->has_data ? "\n" : "");
        put_slice(&filter->data, value);
        filter->has_data = true;
        return buffer_status(&filter->data);
    }
    put_slice(&filter->event, line);
    put_text(&filter->event, "\n");
    return buffer_status(&filter->event);
}

static enum status
events_feed(struct body_filter *base, struct slice in, struct buffer *out)
{
    struct mcp_filter *filter = (struct mcp_filter *)base;
    enum status status = STATUS_OK;
    size_t used = 0;

    put_slice(&filter->held, in);
    while (status == STATUS_OK) {
        struct slice rest = slice_from(buffer_slice(&filter->held), used);
        size_t end = slice_find(rest, '\n');

        if (end == rest.size)
            break;
        status = event_line(filter, slice_first(rest, end), out);
        used += end + 1;
    }
    buffer_consume(&filter->held, used);
    return status == STATUS_OK ? buffer_status(&filter->held) : status;
}

/* An event that is not whole is none. */
static enum status
events_end(struct body_filter *base, struct buffer *out)
{
    return STATUS_OK;
}

static void
filter_free(struct body_filter *base)
{
    struct mcp_filter *filter = (struct mcp_filter *)base;

    buffer_free(&filter->held);
    buffer_free(&filter->event);
    buffer_free(&filter->data);
    arena_free(&filter->scratch);
    free(filter);
}

struct body_filter *
mcp_filter_new(struct passage *passage, enum mcp_framing framing)
{
    struct mcp_filter *filter = calloc(1, sizeof *filter);

    if (filter == NULL)
        return NULL;
    filter->filter = framing == MCP_EVENTS
                         ? (struct body_filter){ events_feed, events_end, filter_free }
                         : (struct body_filter){ json_feed, json_end, filter_free };
    filter->passage = passage;
    filter->held.limit = filter->event.limit = filter->data.limit = MESSAGE_MAX;
    arena_init(&filter->scratch, SCRATCH_MAX);
    return &filter->filter;
}
