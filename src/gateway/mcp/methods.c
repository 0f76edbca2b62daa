/* gateway/mcp/methods.c - the table of methods. */
#include "methods.h"

#include "base/buffer.h"
#include "policy/right.h"

static const struct mcp_method methods[] = {
    { "initialize", "session.open", MCP_NOTHING, MCP_FREE, 0, 0, 0 },
    { "server/discover", "session.open", MCP_NOTHING, MCP_FREE, 0, 0, 0 },
    { "ping", "session.ping", MCP_NOTHING, MCP_FREE, 0, 0, 0 },
    { "notifications/initialized", "session.notify", MCP_NOTHING, MCP_FREE, 0, 0, 0 },
    { "notifications/cancelled", "session.notify", MCP_NOTHING, MCP_FREE, 0, 0, 0 },
    { "notifications/progress", "session.notify", MCP_NOTHING, MCP_FREE, 0, 0, 0 },
    { "notifications/roots/list_changed", "session.notify", MCP_NOTHING, MCP_FREE, 0, 0, 0 },
    { "notifications/tasks/status", "session.notify", MCP_NOTHING, MCP_FREE, 0, 0, 0 },
    { "tools/list", "tools.list", MCP_NOTHING, MCP_LISTS, "tools", "name", "tools.call" },
    { "tools/call", "tools.call", MCP_NAME, MCP_ARGUMENTS, 0, 0, 0 },
    { "resources/list", "resources.list", MCP_NOTHING, MCP_LISTS, "resources", "uri",
      "resources.read" },
    { "resources/templates/list", "resources.list", MCP_NOTHING, MCP_LISTS, "resourceTemplates",
      "uriTemplate", "resources.read" },
    { "resources/read", "resources.read", MCP_URI, 0, 0, 0, 0 },
    { "resources/subscribe", "resources.subscribe", MCP_URI, 0, 0, 0, 0 },
    { "resources/unsubscribe", "resources.subscribe", MCP_URI, 0, 0, 0, 0 },
    { "subscriptions/listen", "subscriptions.listen", MCP_NOTHING, 0, 0, 0, 0 },
    { "prompts/list", "prompts.list", MCP_NOTHING, MCP_LISTS, "prompts", "name", "prompts.get" },
    { "prompts/get", "prompts.get", MCP_NAME, MCP_ARGUMENTS, 0, 0, 0 },
    { "completion/complete", "completion.complete", MCP_NAME_OR_URI, 0, 0, 0, 0 },
    { "logging/setLevel", "logging.set", MCP_NOTHING, 0, 0, 0, 0 },
    { "tasks/list", "tasks.list", MCP_NOTHING, 0, 0, 0, 0 },
    { "tasks/get", "tasks.get", MCP_TASK, 0, 0, 0, 0 },
    { "tasks/result", "tasks.result", MCP_TASK, 0, 0, 0, 0 },
    { "tasks/update", "tasks.update", MCP_TASK, 0, 0, 0, 0 },
    { "tasks/cancel", "tasks.cancel", MCP_TASK, 0, 0, 0, 0 },
    { "sampling/createMessage", "sampling.create", MCP_NOTHING, MCP_SERVER, 0, 0, 0 },
    { "elicitation/create", "elicitation.create", MCP_NOTHING, MCP_SERVER, 0, 0, 0 },
    { "roots/list", "roots.list", MCP_NOTHING, MCP_SERVER, 0, 0, 0 },
    { "ping", "session.ping", MCP_NOTHING, MCP_SERVER | MCP_FREE, 0, 0, 0 },
};

const struct mcp_method *
mcp_method_find(struct slice method, bool from_server)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (slice_is(method, methods[i].method) &&
            ((methods[i].flags & MCP_SERVER) != 0) == from_server)
            return &methods[i];
    }
    return NULL;
}

bool
mcp_object_set(struct slice text, bool uri, struct arena *arena, struct request *request)
{
    struct buffer object = BUFFER_LIMITED(REQUEST_OBJECT_MAX);
    bool whole;

    put_object(&object, text);
    request->syntax = uri ? OBJECT_PATH : OBJECT_FLAT;
    request->object = arena_copy(arena, buffer_slice(&object));
    whole = text.size > 0 && buffer_status(&object) == STATUS_OK && request->object.at != NULL;
    buffer_free(&object);
    return whole;
}

bool
mcp_object_of(const struct mcp_method *method, const struct mcp_message *message,
              struct arena *arena, struct request *request)
{
    switch (method->object) {
    case MCP_NAME:
        return mcp_object_set(message->name, false, arena, request);
    case MCP_URI:
        return mcp_object_set(message->uri, true, arena, request);
    case MCP_NAME_OR_URI:
        return mcp_object_set(message->uri.size > 0 ? message->uri : message->name,
                              message->uri.size > 0, arena, request);
    case MCP_TASK:
        return mcp_object_set(message->task, false, arena, request);
    case MCP_NOTHING:
        break;
    }
    request->syntax = OBJECT_FLAT;
    request->object = SLICE_LITERAL("-");
    return true;
}
