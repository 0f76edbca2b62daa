/* gateway/mcp/pins.c - is a tool what somebody approved? A server may say today another thing of a
 * tool than it said when a person looked: what its description tells a model to do is part of it.
 */
#include "pins.h"

#include <stdlib.h>

#include "../errand.h"
#include "base/clock.h"
#include "base/json.h"
#include "crypto/hash.h"
#include "methods.h"

enum {
    TELLING_MAX = 256, /* on their way to people */
    TOOLS_MAX = 4096,  /* of one answer; what follows is held back unread */
    LINES_MAX = 32,    /* of one answer in the audit */
};

/* --- reading ------------------------------------------------------------------------- */

bool
mcp_tool_read(struct slice definition, struct mcp_tool *out)
{
    *out = (struct mcp_tool){ .text = BUFFER_LIMITED(MCP_DEFINITION_MAX) };
    if (definition.size > MCP_DEFINITION_MAX ||
        json_read(definition, &out->tree, NULL) != STATUS_OK || !json_is_object(out->tree) ||
        json_take_string(out->tree, "name", &out->name, NULL) != STATUS_OK || out->name.size == 0)
        return false;
    put_json_sorted(&out->text, out->tree);
    struct slice text = buffer_slice(&out->text);
    return buffer_status(&out->text) == STATUS_OK &&
           hash_sha256(&text, 1, out->digest) == STATUS_OK;
}

void
mcp_tool_free(struct mcp_tool *tool)
{
    json_decref(tool->tree);
    buffer_free(&tool->text);
    *tool = (struct mcp_tool){ 0 };
}

/* --- telling --------------------------------------------------------------------------- */

/* What is news of a tool. A cell that two tools share makes them be told more often than they
 * need, never less. */
struct news {
    bool changed; /* it is another thing than was told before */
    bool due;     /* people are told: then, and each minute, since they may have forgotten */
    struct told_tool *cell;
};

_Static_assert(sizeof((struct told_tool *)NULL)->said == PIN_DIGEST_SIZE,
               "all of a digest is told");

static struct news
news_of(struct gate *gate, struct slice upstream, const struct mcp_tool *tool)
{
    uint64_t key = slice_hash(upstream) * UINT64_C(0x9e3779b97f4a7c15) ^ slice_hash(tool->name);
    uint64_t minute = (uint64_t)(lane_now_ms(gate->lane) / MS_MINUTE), said;
    struct told_tool *cell = &gate->gateway->told_tools[(key ^ key >> 32) % TOLD_TOOLS];
    struct news news = { .cell = cell };

    for (size_t i = 0; i < sizeof cell->said / sizeof cell->said[0]; i++) {
        memcpy(&said, tool->digest + i * sizeof said, sizeof said);
        said ^= key;
        news.changed |= atomic_exchange(&cell->said[i], said) != said;
    }
    news.due = (atomic_exchange(&cell->minute, minute) != minute) | news.changed;
    return news;
}

struct sight {
    struct tool_sight sight;
    struct gateway *gateway;
    char texts[];
};

static void
sight_done(struct tool_sight *told)
{
    struct sight *sight = LANE_OWNER(told, struct sight, sight);

    atomic_fetch_sub(&sight->gateway->telling_tools, 1);
    free(sight);
}

static char *
keep(struct slice from, char *at, struct slice *out)
{
    *out = slice_of(at, from.size);
    return mempcpy(at, from.at, from.size);
}

static bool
tell(struct gateway *gateway, struct slice upstream, const struct mcp_tool *tool)
{
    const struct gateway_ports *ports = gateway->options.ports;
    struct slice text = buffer_slice(&tool->text);
    struct sight *sight = malloc(sizeof *sight + upstream.size + tool->name.size + text.size);

    if (sight == NULL || atomic_fetch_add(&gateway->telling_tools, 1) >= TELLING_MAX) {
        if (sight != NULL)
            atomic_fetch_sub(&gateway->telling_tools, 1);
        free(sight);
        return false;
    }
    *sight = (struct sight){ .sight = { .done = sight_done }, .gateway = gateway };
    char *at = keep(upstream, sight->texts, &sight->sight.upstream);
    at = keep(tool->name, at, &sight->sight.tool);
    keep(text, at, &sight->sight.definition);
    memcpy(sight->sight.digest, tool->digest, sizeof tool->digest);
    ports->see_tool(ports->app, &sight->sight);
    return true;
}

/* --- the audit ---------------------------------------------------------------------------- */

static const char *
why_held(enum pin_state state)
{
    return state == PIN_CHANGED
               ? "held back: the tool's definition has changed since it was approved"
               : "held back: the tool was never approved";
}

/* The list passes without it. False: the line can't be written. */
static bool
hold_back(struct passage *passage, struct slice name, const char *why, struct arena *arena)
{
    struct request named = { 0 };
    struct refusal refusal = { .kind = GATE_HELD, .reason = slice_text(why) };

    if (!passage_keep(passage) || name.size == 0 || !mcp_object_set(name, false, arena, &named))
        named.object = SLICE_LITERAL("-");
    struct errand_touch touch = { .action = SLICE_LITERAL("tools.list"), .object = named.object };
    errand_refuse(passage, &(struct errand_ask){ .touches = &touch, .count = 1 }, arena, &refusal);
    return refusal.kind == GATE_HELD;
}

/* The last line of an answer stands for all that would follow. */
static void
note_held(struct passage *passage, struct slice name, const char *why, struct mcp_looks *looks,
          struct arena *arena)
{
    if (looks->lines > LINES_MAX)
        return;
    if (looks->lines++ == LINES_MAX) {
        name = slice_of(NULL, 0);
        why = "held back: more tools of the same answer";
    }
    if (!hold_back(passage, name, why, arena))
        looks->unlined = true;
}

/* --- a list passes -------------------------------------------------------------------------- */

static enum pin_state
look(struct passage *passage, const struct mcp_tool *tool, struct mcp_looks *looks,
     struct arena *arena)
{
    struct slice upstream = passage->asked.upstream->name;
    enum pin_state state = world_pin_see(passage->gate->reader, upstream, tool->name, tool->digest);
    struct news news = news_of(passage->gate, upstream, tool);

    if (news.changed && state != PIN_APPROVED)
        note_held(passage, tool->name, why_held(state), looks, arena);
    if (looks->unlined || (news.due && !tell(passage->gate->gateway, upstream, tool)))
        atomic_store(&news.cell->said[0], 0); /* the next list tells it */
    return state;
}

bool
mcp_pin_see(struct passage *passage, struct slice definition, struct mcp_looks *looks,
            struct arena *arena)
{
    enum pin_state state = PIN_NEW;
    struct mcp_tool tool;

    if (looks->tools++ >= TOOLS_MAX)
        return false;
    if (mcp_tool_read(definition, &tool))
        state = look(passage, &tool, looks, arena);
    else
        note_held(passage, tool.name,
                  "held back: the tool's definition can't be read, or is too large", looks, arena);
    mcp_tool_free(&tool);
    return state == PIN_APPROVED;
}
