/* store/backend.h - what a store is made of: one table of functions for each kind. */
#ifndef WRIT_STORE_BACKEND_H
#define WRIT_STORE_BACKEND_H

#include "store/store.h"

struct backend {
    void (*close)(struct store *store);
    enum status (*load)(struct store *store, store_visitor each, void *context,
                        struct fault *fault);
    enum status (*append)(struct store *store, const struct change *changes, size_t count,
                          uint64_t *seq, struct fault *fault);
    uint64_t (*seq)(const struct store *store);
    enum status (*follow)(struct store *store, store_batch_visitor each, void *context,
                          struct fault *fault);
    /* From here to leave: NULL where nobody else writes it. */
    int (*descriptor)(const struct store *store);
    bool (*woken)(struct store *store);
    enum status (*beat)(struct store *store, const struct store_node *node, struct fault *fault);
    enum status (*confirm)(struct store *store, const struct store_node *node, struct fault *fault);
    enum status (*nodes)(struct store *store, store_node_visitor each, void *context,
                         struct fault *fault);
    enum status (*fence)(struct store *store, const struct store_node *node, struct fault *fault);
    enum status (*leave)(struct store *store, const struct store_node *node, struct fault *fault);
    enum status (*tokens)(struct store *store, const struct store_token_query *query,
                          store_token_visitor each, void *context, struct buffer *next);
    enum status (*token_get)(struct store *store, const struct token_id *id,
                             store_token_visitor each, void *context);
    enum status (*object_get)(struct store *store, enum change_kind put_kind, struct slice name,
                              store_visitor each, void *context);
    enum status (*objects)(struct store *store, enum change_kind put_kind, struct slice after,
                           size_t limit, store_visitor each, void *context);
    enum status (*backup)(struct store *store, const char *path, struct fault *fault);
};

struct store {
    const struct backend *backend;
};

enum status embedded_open(const struct store_options *options, struct store **out,
                          struct fault *fault) WRIT_MUST_USE;
enum status shared_open(const struct store_options *options, struct store **out,
                        struct fault *fault) WRIT_MUST_USE;

#endif
