/* fuzz/mcp_tool.c - any bytes as the definition of a tool: what is read has one text, which reads
 * as the same tool again, and another name or text has another digest. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "mcp/pins.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

/* With one more member it is another definition. */
static void
check_other(const struct mcp_tool *tool)
{
    struct mcp_tool other;
    struct buffer text = { 0 };

    json_object_set_new(tool->tree, "\x01 added", json_true());
    put_json(&text, tool->tree);
    if (mcp_tool_read(buffer_slice(&text), &other))
        check(memcmp(tool->digest, other.digest, sizeof tool->digest) != 0);
    mcp_tool_free(&other);
    buffer_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mcp_tool tool, again;

    if (mcp_tool_read(slice_of(data, size), &tool)) {
        check(tool.name.size > 0);
        check(mcp_tool_read(buffer_slice(&tool.text), &again));
        check(slice_equal(buffer_slice(&tool.text), buffer_slice(&again.text)));
        check(memcmp(tool.digest, again.digest, sizeof tool.digest) == 0);
        mcp_tool_free(&again);
        check_other(&tool);
    }
    mcp_tool_free(&tool);
    return 0;
}
