/* store/store.h - the change log, durable: one interface for the embedded store
 * (SQLite, owned by one process) and the fleet's (PostgreSQL, shared by its nodes).
 *
 * Used by the authority thread alone; commits block it, never a lane. */
#ifndef WRIT_STORE_STORE_H
#define WRIT_STORE_STORE_H

#include "base/fault.h"
#include "change/change.h"

struct store;

struct store_options {
    const char *path; /* of the SQLite file */
    const char *url;  /* of the fleet's database; NULL: the embedded store */
};

/* Makes the schema or migrates it. NEWER with a clear text when a later Writ
 * wrote it; CORRUPT, IO, FULL likewise. CONFLICT, naming the process, when
 * another one has the store open. */
enum status store_open(const struct store_options *options, struct store **out,
                       struct fault *fault) WRIT_MUST_USE;
void store_close(struct store *store);

/* The present state as the changes that make it, in an order that can be
 * applied (keys, upstreams, roles, subjects, tokens with their lines' life, hops,
 * the rest). The change is borrowed during the call; a status other than OK stops. */
typedef enum status (*store_visitor)(void *context, const struct change *change);
enum status store_load(struct store *store, store_visitor each, void *context,
                       struct fault *fault) WRIT_MUST_USE;

/* All or nothing, durable when it returns OK. *seq is the last change's number.
 * On FULL or IO nothing happened and the store stays usable. CONFLICT: a token's
 * id is there already; NOT_FOUND: a revocation or a rotation names what is not.
 * Uses never go back, a revocation keeps its first time, and forgetting or
 * dropping what is absent is done already. */
enum status store_append(struct store *store, const struct change *changes, size_t count,
                         uint64_t *seq, struct fault *fault) WRIT_MUST_USE;
uint64_t store_seq(const struct store *store);

/* --- a store that others write, too -------------------------------------------- */

/* store_append answers BEHIND, and nothing happened, when others have made changes since
 * store_seq: those are to be followed first, and the change judged again. */

/* What others made since store_seq, in its order, each batch once; store_seq moves with
 * what the visitor took. Borrowed during the call. EXPIRED: so much has happened that the
 * log does not go back so far: load anew. */
typedef enum status (*store_batch_visitor)(void *context, const struct change *changes,
                                           size_t count);
enum status store_follow(struct store *store, store_batch_visitor each, void *context,
                         struct fault *fault) WRIT_MUST_USE;
bool store_is_shared(const struct store *store);
/* Readable when others may have changed something; -1: ask now and then. store_woken takes
 * what made it so: true when there is something to follow. */
int store_descriptor(const struct store *store);
bool store_woken(struct store *store);

/* --- the nodes that share it ---------------------------------------------------- */

enum { STORE_NODE_ID = 16 };
struct store_node {
    uint8_t id[STORE_NODE_ID]; /* of the process: new at each start */
    struct slice name;
    uint64_t seq;   /* all changes up to here are enforced there, open sessions included */
    uint64_t beats; /* its own count, which only grows: moves as long as it may act */
    bool fenced;    /* somebody found that it can't act any more */
};
/* The node is there, and takes part: before it looks for changes, so that whoever makes one
 * afterwards finds it in the list. */
enum status store_beat(struct store *store, const struct store_node *node,
                       struct fault *fault) WRIT_MUST_USE;
/* Its seq alone, which never goes back. */
enum status store_confirm(struct store *store, const struct store_node *node,
                          struct fault *fault) WRIT_MUST_USE;
typedef enum status (*store_node_visitor)(void *context, const struct store_node *node);
enum status store_nodes(struct store *store, store_node_visitor each, void *context,
                        struct fault *fault) WRIT_MUST_USE;
/* It did not beat for longer than it may act: fenced, unless it has beaten since. */
enum status store_fence(struct store *store, const struct store_node *node,
                        struct fault *fault) WRIT_MUST_USE;
enum status store_leave(struct store *store, const struct store_node *node,
                        struct fault *fault) WRIT_MUST_USE;

/* Tokens by page, newest first. Empty filters mean any. cursor: "" for the
 * first page, else what the last page gave. */
struct store_token_query {
    struct slice subject, role;
    struct token_id line; /* none: any */
    struct token_id parent_line;
    int64_t issued_before; /* 0: any */
    bool live_only;        /* neither revoked nor expired at now */
    int64_t now;
    struct slice cursor;
    size_t limit;
};
struct store_token {
    struct token_record record;
    struct token_life life;
};
typedef enum status (*store_token_visitor)(void *context, const struct store_token *token);
/* *next is empty when there is no more; cleared first. */
enum status store_tokens(struct store *store, const struct store_token_query *query,
                         store_token_visitor each, void *context,
                         struct buffer *next) WRIT_MUST_USE;
enum status store_token_get(struct store *store, const struct token_id *id,
                            store_token_visitor each, void *context) WRIT_MUST_USE; /* NOT_FOUND */
/* Roles, subjects, upstreams, one or by page in name order: change->name, body, owner. */
enum status store_object_get(struct store *store, enum change_kind put_kind, struct slice name,
                             store_visitor each, void *context) WRIT_MUST_USE;
enum status store_objects(struct store *store, enum change_kind put_kind, struct slice after,
                          size_t limit, store_visitor each, void *context) WRIT_MUST_USE;
/* Was this digest ever applied (POLICY_APPLIED)? */
enum status store_policy_applied(struct store *store, struct slice digest, bool *out) WRIT_MUST_USE;
/* ANSWER_KEPT by its digest; NOT_FOUND. */
enum status store_answer(struct store *store, struct slice digest, struct token_id *id,
                         int64_t *at) WRIT_MUST_USE;
/* The audit's head of a node as it was last kept; NOT_FOUND. */
enum status store_audit_head(struct store *store, struct slice node, uint64_t *seq,
                             uint8_t hash[32]) WRIT_MUST_USE;

/* A consistent copy while running: a new file, mode 0600, CONFLICT when the path
 * exists. Any thread may call it while the store's own goes on. */
enum status store_backup(struct store *store, const char *path, struct fault *fault) WRIT_MUST_USE;

#endif
