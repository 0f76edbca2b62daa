/* authority/tools_api.c - pinned tools through the API: what servers say of them, what was
 * approved, and the approval of what was seen. */
#include "base/clock.h"
#include "base/encoding.h"
#include "internal.h"

enum { APPROVE_MAX = 64 };

_Static_assert((int)TOOL_DIGEST_SIZE == (int)CHANGE_TOOL_DIGEST, "what is seen can be approved");

void
authority_see_tool(struct authority *authority, const struct tool_said *said)
{
    tools_see(&authority->tools, said, clock_wall_ms());
}

/* --- looking ------------------------------------------------------------------------- */

static json_t *
hex_json(const void *digest)
{
    struct buffer hex = { 0 };
    json_t *out;

    put_hex(&hex, digest, TOOL_DIGEST_SIZE);
    out = json_slice(buffer_slice(&hex));
    buffer_free(&hex);
    return out;
}

static json_t *
time_json(int64_t at)
{
    char text[TIME_TEXT_MAX];

    return json_string(time_format(at, text));
}

/* {"digest", "description", "definition"?} */
static json_t *
definition_json(const void *digest, struct slice definition, bool whole)
{
    json_t *out = json_pack("{s:o}", "digest", hex_json(digest)), *tree = NULL, *said;

    if (json_read(definition, &tree, NULL) != STATUS_OK)
        tree = NULL;
    said = json_object_get(tree, "description");
    json_object_set(out, "description", json_is_string(said) ? said : json_null());
    if (whole)
        json_object_set(out, "definition", tree == NULL ? json_null() : tree);
    json_decref(tree);
    return out;
}

static json_t *
seen_json(const struct tool_entry *entry, bool whole)
{
    json_t *out;

    if (entry == NULL)
        return json_null();
    out = definition_json(entry->body.at, tool_definition(entry), whole);
    json_object_set_new(out, "at", time_json(entry->seen_at));
    return out;
}

static json_t *
approved_json(const struct change *change, bool whole)
{
    json_t *out =
        definition_json(change->body.at, slice_from(change->body, CHANGE_TOOL_DIGEST), whole);

    json_object_set_new(out, "at", time_json(change->at));
    json_object_set_new(out, "by", json_slice(change->owner));
    return out;
}

/* A list in the making: first what was approved, then what else was seen. */
struct tool_list {
    const struct authority *authority;
    struct slice upstream, prefix;
    struct slice tool; /* this one alone, whole; empty: all */
    struct arena *arena;
    json_t *items;
    struct slice last;
    size_t seen;
    bool over;
};

/* What was seen may have been forgotten here; the lanes know. */
static bool
is_as_approved(const struct tool_list *list, struct slice tool, const struct tool_entry *entry,
               const struct change *approved)
{
    if (entry == NULL)
        return world_pin(list->authority->reader, list->upstream, tool) == PIN_APPROVED;
    return memcmp(entry->body.at, approved->body.at, TOOL_DIGEST_SIZE) == 0;
}

static void
add_item(struct tool_list *list, struct slice tool, const struct change *approved)
{
    const struct tool_entry *entry = tools_find(&list->authority->tools, list->upstream, tool);
    bool whole = list->tool.size > 0;
    const char *state = approved == NULL ? "new" : "changed";

    if (whole && !slice_equal(list->tool, tool))
        return;
    if (approved != NULL && is_as_approved(list, tool, entry, approved))
        state = "approved";
    json_array_append_new(
        list->items, json_pack("{s:o, s:s, s:o, s:o}", "name", json_slice(tool), "state", state,
                               "seen", seen_json(entry, whole), "approved",
                               approved == NULL ? json_null() : approved_json(approved, whole)));
}

static enum status
add_approved(void *context, const struct change *change)
{
    struct tool_list *list = context;

    if (!slice_starts(change->name, list->prefix)) {
        list->over = true;
        return STATUS_OK;
    }
    if (list->over || change->body.size <= CHANGE_TOOL_DIGEST)
        return STATUS_OK;
    list->seen++;
    list->last = arena_copy(list->arena, change->name);
    if (list->last.at == NULL)
        return STATUS_MEMORY;
    add_item(list, slice_from(change->name, list->prefix.size), change);
    return STATUS_OK;
}

static bool
is_listed(const json_t *items, struct slice tool)
{
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        if (slice_is(tool, json_string_value(json_object_get(item, "name"))))
            return true;
    }
    return false;
}

static enum status
fill_list(struct tool_list *list)
{
    enum status status = STATUS_OK;
    struct slice after = list->prefix;

    do {
        list->seen = 0;
        status = store_objects(list->authority->store, CHANGE_TOOL_APPROVED, after, 1000,
                               add_approved, list);
        after = list->last;
    } while (status == STATUS_OK && list->seen == 1000 && !list->over);
    for (const struct tool_entry *entry = list->authority->tools.first;
         status == STATUS_OK && entry != NULL; entry = entry->next) {
        if (slice_equal(entry->upstream, list->upstream) && !is_listed(list->items, entry->tool))
            add_item(list, entry->tool, NULL);
    }
    return status;
}

/* *pinned: its tools are held to what was approved. */
static enum status
find_upstream(const struct authority *authority, struct slice name, bool *pinned,
              struct fault *fault)
{
    struct slice tools = { 0 };
    size_t count;
    uint64_t generation;
    const struct upstream_view *views = world_upstreams(authority->reader, &count, &generation);

    for (size_t i = 0; i < count; i++) {
        if (!slice_equal(views[i].name, name) || !slice_is(views[i].type, "mcp"))
            continue;
        *pinned = json_take_string(views[i].definition, "tools", &tools, NULL) == STATUS_OK &&
                  slice_is(tools, "pinned");
        return STATUS_OK;
    }
    return fault_set(fault, STATUS_NOT_FOUND, "there is no upstream of the type mcp named %.*s",
                     SLICE_PRINT(slice_first(name, 64)));
}

static enum status
prefix_of(const struct api_request *request, struct slice *out)
{
    *out = arena_format(request->arena, "%.*s/", SLICE_PRINT(request->params[0]));
    return out->at == NULL ? STATUS_MEMORY : STATUS_OK;
}

enum status
api_tool_list(struct authority *authority, const struct api_request *request,
              struct api_answer *answer, struct fault *fault)
{
    struct tool_list list = { .authority = authority,
                              .upstream = request->params[0],
                              .tool = api_query(request, "tool"),
                              .arena = request->arena };
    bool pinned = false;
    enum status status = find_upstream(authority, list.upstream, &pinned, fault);

    if (status == STATUS_OK)
        status = prefix_of(request, &list.prefix);
    if (status != STATUS_OK)
        return status;
    list.items = json_array();
    status = fill_list(&list);
    if (status != STATUS_OK) {
        json_decref(list.items);
        return status;
    }
    answer->body = json_pack("{s:b, s:o, s:n}", "pinned", pinned, "items", list.items, "next");
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* --- answering ------------------------------------------------------------------------- */

/* All of a call, or nothing. */
struct tool_batch {
    struct authority *authority;
    const struct api_request *request;
    struct slice prefix;
    struct change changes[APPROVE_MAX];
    struct slice noted[APPROVE_MAX]; /* what the audit says of each: "UPSTREAM/TOOL@DIGEST" */
    size_t count;
};

static enum status
take_approved(struct tool_batch *batch, const json_t *item, struct fault *fault)
{
    static const char *const known[] = { "name", "digest", NULL };
    struct slice name = { 0 }, digest = { 0 };
    uint8_t wanted[TOOL_DIGEST_SIZE];
    const struct tool_entry *entry;
    enum status status = json_is_object(item) ? json_only(item, known, fault) : STATUS_INVALID;

    if (status == STATUS_OK)
        status = json_take_string(item, "name", &name, fault);
    if (status == STATUS_OK)
        status = json_take_string(item, "digest", &digest, fault);
    if (status != STATUS_OK || !hex_decode(digest, wanted, sizeof wanted))
        return fault_at(fault, STATUS_INVALID, "/tools",
                        "each tool is {\"name\", \"digest\"}: the digest that was shown, whole");
    entry = tools_find(&batch->authority->tools, batch->request->params[0], name);
    if (entry == NULL)
        return fault_set(fault, STATUS_NOT_FOUND,
                         "this node has seen no tool %.*s there: let a client list the tools first",
                         SLICE_PRINT(slice_first(name, 64)));
    if (memcmp(entry->body.at, wanted, sizeof wanted) != 0)
        return fault_set(fault, STATUS_CONFLICT,
                         "the server says something else of %.*s by now: look at it again",
                         SLICE_PRINT(slice_first(name, 64)));
    batch->noted[batch->count] =
        arena_format(batch->request->arena, "%.*s%.*s@%.*s", SLICE_PRINT(batch->prefix),
                     SLICE_PRINT(name), SLICE_PRINT(digest));
    batch->changes[batch->count++] = (struct change){
        .kind = CHANGE_TOOL_APPROVED,
        .at = batch->request->now,
        .name = arena_format(batch->request->arena, "%.*s%.*s", SLICE_PRINT(batch->prefix),
                             SLICE_PRINT(name)),
        .body = entry->body,
        .owner = batch->request->caller.subject,
    };
    return STATUS_OK;
}

static enum status
take_withdrawn(struct tool_batch *batch, const json_t *item, struct fault *fault)
{
    struct slice name = slice_text(json_string_value(item)), whole;
    enum status status;

    if (name.size == 0)
        return fault_at(fault, STATUS_INVALID, "/tools", "tools is a list of names");
    whole = arena_format(batch->request->arena, "%.*s%.*s", SLICE_PRINT(batch->prefix),
                         SLICE_PRINT(name));
    status = world_pin(batch->authority->reader, batch->request->params[0], name) == PIN_NEW
                 ? STATUS_NOT_FOUND
                 : STATUS_OK;
    if (status != STATUS_OK)
        return fault_set(fault, status, "%.*s is not approved", SLICE_PRINT(slice_first(name, 64)));
    batch->noted[batch->count] = whole;
    batch->changes[batch->count++] =
        (struct change){ .kind = CHANGE_TOOL_WITHDRAWN, .at = batch->request->now, .name = whole };
    return STATUS_OK;
}

typedef enum status (*take_tool)(struct tool_batch *batch, const json_t *item, struct fault *fault);

static enum status
take_batch(struct tool_batch *batch, take_tool take, struct fault *fault)
{
    static const char *const known[] = { "tools", NULL };
    const json_t *tools = json_object_get(batch->request->body, "tools"), *item;
    enum status status =
        batch->request->body == NULL ? STATUS_OK : json_only(batch->request->body, known, fault);
    size_t i;

    if (status != STATUS_OK)
        return status;
    if (!json_is_array(tools) || json_array_size(tools) == 0 ||
        json_array_size(tools) > APPROVE_MAX)
        return fault_at(fault, STATUS_INVALID, "/tools", "tools is a list of 1 to %d", APPROVE_MAX);
    json_array_foreach(tools, i, item)
    {
        status = take(batch, item, fault);
        if (status == STATUS_OK && (batch->changes[batch->count - 1].name.at == NULL ||
                                    batch->noted[batch->count - 1].at == NULL))
            status = STATUS_MEMORY;
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* A line for each tool, beside the call's own; before anything happens. */
static enum status
note_batch(const struct tool_batch *batch, const char *action, struct fault *fault)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (api_note(batch->authority, batch->request, slice_text(action), batch->noted[i]) !=
            STATUS_OK)
            return fault_set(fault, STATUS_FULL,
                             "the audit can't be written, so nothing was approved");
    }
    return STATUS_OK;
}

static enum status
answer_batch(struct authority *authority, const struct api_request *request, take_tool take,
             struct api_answer *answer, struct fault *fault)
{
    struct tool_batch *batch = arena_zeroed(request->arena, sizeof *batch);
    bool approves = take == take_approved;
    json_t *names = NULL;
    bool pinned;
    enum status status = batch == NULL ? STATUS_MEMORY : STATUS_OK;

    /* Of an upstream that is gone approvals are still withdrawn. */
    if (status == STATUS_OK && approves)
        status = find_upstream(authority, request->params[0], &pinned, fault);
    if (status != STATUS_OK)
        return status;
    batch->authority = authority;
    batch->request = request;
    status = prefix_of(request, &batch->prefix);
    if (status == STATUS_OK)
        status = take_batch(batch, take, fault);
    if (status == STATUS_OK)
        status = note_batch(batch, approves ? "mcp.approve" : "mcp.withdraw", fault);
    if (status == STATUS_OK)
        status = authority_commit(authority, batch->changes, batch->count, &answer->wait_generation,
                                  fault);
    if (status != STATUS_OK)
        return status;
    names = json_array();
    for (size_t i = 0; i < batch->count; i++)
        json_array_append_new(names,
                              json_slice(slice_from(batch->changes[i].name, batch->prefix.size)));
    answer->body = json_pack("{s:o}", approves ? "approved" : "withdrawn", names);
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

enum status
api_tool_approve(struct authority *authority, const struct api_request *request,
                 struct api_answer *answer, struct fault *fault)
{
    return answer_batch(authority, request, take_approved, answer, fault);
}

enum status
api_tool_withdraw(struct authority *authority, const struct api_request *request,
                  struct api_answer *answer, struct fault *fault)
{
    return answer_batch(authority, request, take_withdrawn, answer, fault);
}
