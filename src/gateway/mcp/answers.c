/* gateway/mcp/answers.c - one message, or an event stream of them. */
#include "answers.h"

#include <stdlib.h>

#include "../errand.h"
#include "decline.h"
#include "events.h"
#include "methods.h"
#include "pins.h"

enum { SCRATCH_MAX = 1 << 20 };

struct mcp_filter {
    struct body_filter filter;
    struct passage *passage;
    struct buffer held; /* the message so far */
    struct mcp_events events;
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
    struct buffer definition = BUFFER_LIMITED(MCP_MESSAGE_MAX);

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
    /* Whatever was asked: a client may take any answer of the session for that to initialize. */
    bool pinned = filter->passage->asked.upstream->plan.pinned;
    struct mcp_sight sight = { .sees = sees,
                               .approves = pinned ? approves : NULL,
                               .instructs = pinned ? instructs : NULL,
                               .context = filter };
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

static enum status
judge_event(void *context, struct slice text, struct buffer *out, bool *passes)
{
    return judge(context, text, out, passes);
}

static enum status
events_feed(struct body_filter *base, struct slice in, struct buffer *out)
{
    return mcp_events_feed(&((struct mcp_filter *)base)->events, in, out);
}

/* An event that is not whole is none. */
static enum status
events_end(struct body_filter *base, struct buffer *out)
{
    return STATUS_OK;
}

/* --- what holds no message ------------------------------------------------------------------ */

static enum status
nothing_feed(struct body_filter *base, struct slice in, struct buffer *out)
{
    return in.size == 0 ? STATUS_OK : STATUS_INVALID;
}

static enum status
dropped_feed(struct body_filter *base, struct slice in, struct buffer *out)
{
    return STATUS_OK;
}

static enum status
nothing_end(struct body_filter *base, struct buffer *out)
{
    return STATUS_OK;
}

static void
filter_free(struct body_filter *base)
{
    struct mcp_filter *filter = (struct mcp_filter *)base;

    buffer_free(&filter->held);
    mcp_events_free(&filter->events);
    arena_free(&filter->scratch);
    free(filter);
}

struct body_filter *
mcp_filter_new(struct passage *passage, enum mcp_framing framing)
{
    static const struct body_filter filters[] = {
        [MCP_JSON] = { json_feed, json_end, filter_free },
        [MCP_EVENTS] = { events_feed, events_end, filter_free },
        [MCP_NOTHING_COMES] = { nothing_feed, nothing_end, filter_free },
        [MCP_DROPPED] = { dropped_feed, nothing_end, filter_free },
    };
    struct mcp_filter *filter = calloc(1, sizeof *filter);

    if (filter == NULL)
        return NULL;
    filter->filter = filters[framing];
    filter->passage = passage;
    filter->held.limit = MCP_MESSAGE_MAX;
    mcp_events_init(&filter->events, judge_event, filter);
    arena_init(&filter->scratch, SCRATCH_MAX);
    return &filter->filter;
}
