/* fuzz/mcp_message.c - any bytes as a message of the Model Context Protocol: what is read is of
 * one kind, and what is pruned is no longer than it was and hides what is not seen. */
#include <stdlib.h>

#include "base/json.h"
#include "mcp/answers.h"
#include "mcp/message.h"
#include "mcp/methods.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static bool
sees_every_second(void *context, const char *action, struct slice item, bool uri)
{
    unsigned *count = context;

    return (*count)++ % 2 == 0;
}

static bool
sees_nothing(void *context, const char *action, struct slice item, bool uri)
{
    return false;
}

static bool
is_withheld(void *context, struct slice instructions)
{
    return false;
}

static void
check_pruned(struct slice text)
{
    static const char *const lists[] = { "tools", "resources", "resourceTemplates", "prompts" };
    struct buffer out = { 0 };
    unsigned count = 0;
    const struct mcp_sight every_second = { sees_every_second, NULL, NULL, &count };
    const struct mcp_sight nothing = { sees_nothing, NULL, is_withheld, NULL };
    json_t *tree;

    if (mcp_prune(text, &every_second, &out))
        check(out.size <= text.size);
    buffer_clear(&out);
    if (mcp_prune(text, &nothing, &out) &&
        json_read(buffer_slice(&out), &tree, NULL) == STATUS_OK) {
        const json_t *result = json_object_get(tree, "result");
        for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
            check(json_array_size(json_object_get(result, lists[i])) == 0);
        check(json_object_get(result, "instructions") == NULL ||
              json_string_length(json_object_get(result, "instructions")) == 0);
        json_decref(tree);
    }
    buffer_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct mcp_message message;
    const struct mcp_method *method;
    struct request request = { 0 };
    struct arena arena;
    const char *why;
    int code;

    arena_init(&arena, 1 << 20);
    if (mcp_message_read(text, &arena, &message, &why, &code)) {
        check((message.kind == MCP_RESPONSE) == (message.method.size == 0));
        check((message.kind == MCP_NOTIFICATION) ==
              (message.id.size == 0 && message.method.size > 0));
        method = mcp_method_find(message.method, false);
        if (method != NULL && mcp_object_of(method, &message, &arena, &request))
            check(request.object.size > 0);
    } else {
        check(why[0] != '\0' && code < 0);
    }
    check_pruned(text);
    arena_free(&arena);
    return 0;
}
