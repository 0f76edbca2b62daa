/* authority/tree.c - who acts for whom: a token, those it was made from, and all that was
 * made from it. */
#include <stdlib.h>

#include "internal.h"

enum { TREE_MAX = 10000 };

/* The children of every line, sorted by their parent's. */
struct child {
    struct token_id parent_line, id, line;
};

struct tree {
    struct authority *authority;
    const struct api_request *request;
    struct child *children;
    size_t count, room;
    size_t shown;
    bool failed; /* memory is out */
};

static bool
gather(void *context, const struct token_id *id)
{
    struct tree *tree = context;
    struct world_token_info info;

    if (!world_token(tree->authority->world, id, tree->request->now, &info) ||
        token_id_is_none(&info.record.parent_line))
        return true;
    if (tree->count == tree->room) {
        size_t room = tree->room == 0 ? 64 : 2 * tree->room;
        struct child *more = reallocarray(tree->children, room, sizeof *more);

        tree->failed = more == NULL;
        if (tree->failed)
            return false;
        tree->children = more;
        tree->room = room;
    }
    tree->children[tree->count++] = (struct child){ .parent_line = info.record.parent_line,
                                                    .id = info.record.id,
                                                    .line = info.record.line };
    return true;
}

static int
by_parent(const void *a, const void *b)
{
    const struct child *left = a, *right = b;

    return memcmp(&left->parent_line, &right->parent_line, sizeof left->parent_line);
}

static const struct child *
first_child(const struct tree *tree, const struct token_id *line)
{
    size_t low = 0, high = tree->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(&tree->children[middle].parent_line, line, sizeof *line) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return tree->children + low;
}

/* What the caller may not read one by one stands there by its state alone. */
static json_t *
node_json(struct tree *tree, const struct world_token_info *info)
{
    const struct token_record *record = &info->record;
    json_t *node;

    if (api_may(tree->authority, tree->request, SLICE_LITERAL("tokens.read"), record->subject))
        node = token_json(record, &info->life, tree->request->now);
    else
        node = json_object();
    json_object_set_new(node, "state", json_string(token_state_name(info->state)));
    return node;
}

static json_t *node_of(struct tree *tree, const struct token_id *id);

static json_t *
children_of(struct tree *tree, const struct token_id *line)
{
    const struct child *end = tree->children + tree->count;
    json_t *list = json_array();

    for (const struct child *at = first_child(tree, line);
         at < end && token_id_equal(&at->parent_line, line) && tree->shown < TREE_MAX; at++)
        json_array_append_new(list, node_of(tree, &at->id));
    return list;
}

/* Of a line that was rotated, the newest member bears what hangs below it. */
static json_t *
node_of(struct tree *tree, const struct token_id *id)
{
    struct world_token_info info;

    tree->shown++;
    if (!world_token(tree->authority->world, id, tree->request->now, &info))
        return json_object();
    json_t *node = node_json(tree, &info);
    bool newest = token_id_equal(&info.newest, &info.record.id);
    json_object_set_new(node, "children",
                        newest ? children_of(tree, &info.record.line) : json_array());
    return node;
}

/* The newest member of the line at the top. */
static struct token_id
top_of(struct tree *tree, struct world_token_info info)
{
    struct world_token_info above;

    while (
        !token_id_is_none(&info.record.parent_line) &&
        world_token(tree->authority->world, &info.record.parent_line, tree->request->now, &above))
        info = above;
    return info.newest;
}

enum status
api_token_tree(struct authority *authority, const struct api_request *request,
               struct api_answer *answer, struct fault *fault)
{
    struct tree tree = { .authority = authority, .request = request };
    struct world_token_info info;
    struct token_id id;
    struct hop_id hop;
    bool has_hop;

    if (token_id_parse(request->params[0], &id, &hop, &has_hop) != STATUS_OK || has_hop ||
        !world_token(authority->world, &id, request->now, &info))
        return fault_set(fault, STATUS_NOT_FOUND, "there is no token with this id");
    world_each_token(authority->world, gather, &tree);
    if (!tree.failed) {
        struct token_id top = top_of(&tree, info);

        if (tree.count > 0)
            qsort(tree.children, tree.count, sizeof *tree.children, by_parent);
        answer->body = node_of(&tree, &top);
    }
    free(tree.children);
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}
