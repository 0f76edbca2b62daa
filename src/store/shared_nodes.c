/* store/shared_nodes.c - the nodes that share the store. */
#include "shared.h"

static enum status
no_row(void *context, const struct pg_row *row)
{
    return STATUS_OK;
}

/* A statement of its own, so that its effect is seen by whoever looks from then on. */
static enum status
run(struct store *handle, enum shared_statement statement, const struct pg_value *values,
    struct fault *fault)
{
    struct shared *store = shared_of(handle);
    enum status status = shared_ready(store, fault);

    return status == STATUS_OK ? pg_query(store->pg, statement, values, no_row, NULL, fault)
                               : status;
}

static struct slice
id_of(const struct store_node *node)
{
    return slice_of(node->id, STORE_NODE_ID);
}

enum status
shared_beat(struct store *handle, const struct store_node *node, struct fault *fault)
{
    return run(handle, SHARED_NODE_BEAT,
               (struct pg_value[]){ pg_bytes(id_of(node)), pg_text(node->name),
                                    pg_int((int64_t)node->seq), pg_int((int64_t)node->beats) },
               fault);
}

enum status
shared_confirm(struct store *handle, const struct store_node *node, struct fault *fault)
{
    return run(handle, SHARED_NODE_CONFIRM,
               (struct pg_value[]){ pg_bytes(id_of(node)), pg_int((int64_t)node->seq) }, fault);
}

enum status
shared_fence(struct store *handle, const struct store_node *node, struct fault *fault)
{
    enum status status =
        run(handle, SHARED_NODE_FENCE,
            (struct pg_value[]){ pg_bytes(id_of(node)), pg_int((int64_t)node->beats) }, fault);

    return status == STATUS_OK ? run(handle, SHARED_NODES_FORGET, NULL, fault) : status;
}

enum status
shared_leave(struct store *handle, const struct store_node *node, struct fault *fault)
{
    return run(handle, SHARED_NODE_LEAVE, (struct pg_value[]){ pg_bytes(id_of(node)) }, fault);
}

struct seeing {
    store_node_visitor each;
    void *context;
};

static enum status
see_node(void *context, const struct pg_row *row)
{
    const struct seeing *seeing = context;
    struct store_node node = { .name = pg_row_bytes(row, 1),
                               .seq = (uint64_t)pg_row_int(row, 2),
                               .beats = (uint64_t)pg_row_int(row, 3),
                               .fenced = pg_row_int(row, 4) != 0 };
    struct slice id = pg_row_bytes(row, 0);

    if (id.size != STORE_NODE_ID)
        return STATUS_CORRUPT;
    memcpy(node.id, id.at, STORE_NODE_ID);
    return seeing->each(seeing->context, &node);
}

enum status
shared_nodes(struct store *handle, store_node_visitor each, void *context, struct fault *fault)
{
    struct shared *store = shared_of(handle);
    struct seeing seeing = { each, context };
    enum status status = shared_ready(store, fault);

    return status == STATUS_OK ? pg_query(store->pg, SHARED_NODES, NULL, see_node, &seeing, fault)
                               : status;
}
