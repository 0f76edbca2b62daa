/* store/store.c - the interface, handed on to the kind of store that was opened. */
#include "backend.h"

enum status
store_open(const struct store_options *options, struct store **out, struct fault *fault)
{
    return options->url != NULL ? shared_open(options, out, fault)
                                : embedded_open(options, out, fault);
}

void
store_close(struct store *store)
{
    if (store != NULL)
        store->backend->close(store);
}

enum status
store_load(struct store *store, store_visitor each, void *context, struct fault *fault)
{
    return store->backend->load(store, each, context, fault);
}

enum status
store_append(struct store *store, const struct change *changes, size_t count, uint64_t *seq,
             struct fault *fault)
{
    return store->backend->append(store, changes, count, seq, fault);
}

uint64_t
store_seq(const struct store *store)
{
    return store->backend->seq(store);
}

enum status
store_follow(struct store *store, store_batch_visitor each, void *context, struct fault *fault)
{
    return store->backend->follow(store, each, context, fault);
}

bool
store_is_shared(const struct store *store)
{
    return store->backend->descriptor != NULL;
}

int
store_descriptor(const struct store *store)
{
    return store_is_shared(store) ? store->backend->descriptor(store) : -1;
}

bool
store_woken(struct store *store)
{
    return store_is_shared(store) && store->backend->woken(store);
}

/* One process alone needs no telling. */
enum status
store_beat(struct store *store, const struct store_node *node, struct fault *fault)
{
    return store_is_shared(store) ? store->backend->beat(store, node, fault) : STATUS_OK;
}

enum status
store_confirm(struct store *store, const struct store_node *node, struct fault *fault)
{
    return store_is_shared(store) ? store->backend->confirm(store, node, fault) : STATUS_OK;
}

enum status
store_nodes(struct store *store, store_node_visitor each, void *context, struct fault *fault)
{
    return store_is_shared(store) ? store->backend->nodes(store, each, context, fault) : STATUS_OK;
}

enum status
store_fence(struct store *store, const struct store_node *node, struct fault *fault)
{
    return store_is_shared(store) ? store->backend->fence(store, node, fault) : STATUS_OK;
}

enum status
store_leave(struct store *store, const struct store_node *node, struct fault *fault)
{
    return store_is_shared(store) ? store->backend->leave(store, node, fault) : STATUS_OK;
}

enum status
store_tokens(struct store *store, const struct store_token_query *query, store_token_visitor each,
             void *context, struct buffer *next)
{
    return store->backend->tokens(store, query, each, context, next);
}

enum status
store_token_get(struct store *store, const struct token_id *id, store_token_visitor each,
                void *context)
{
    return store->backend->token_get(store, id, each, context);
}

enum status
store_object_get(struct store *store, enum change_kind put_kind, struct slice name,
                 store_visitor each, void *context)
{
    return store->backend->object_get(store, put_kind, name, each, context);
}

enum status
store_objects(struct store *store, enum change_kind put_kind, struct slice after, size_t limit,
              store_visitor each, void *context)
{
    return store->backend->objects(store, put_kind, after, limit, each, context);
}

enum status
store_backup(struct store *store, const char *path, struct fault *fault)
{
    return store->backend->backup(store, path, fault);
}
