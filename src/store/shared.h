/* store/shared.h - the store that a fleet shares, in PostgreSQL: its statements. */
#ifndef WRIT_STORE_SHARED_H
#define WRIT_STORE_SHARED_H

#include "backend.h"
#include "db/pg.h"
#include "row.h"

enum {
    SHARED_SCHEMA = 1,
    SHARED_LOG_KEPT = 1000000, /* who is further behind loads anew */
    SHARED_LOG_SLACK = 65536,
    SHARED_PAGE = 2000,
    WRITER_SIZE = 16,
};

/* What shared_token takes, from column 0. */
#define SHARED_TOKEN_COLUMNS                                                                       \
    "t.body, t.expires_at, l.revoked_at, l.last_used, l.uses, t.issued_at, t.id"
#define SHARED_TOKEN_LINE " LEFT JOIN lines l ON l.line = t.line"

/* name, the letters of its parameters, SQL that CockroachDB and YugabyteDB take, too.
 *
 * HEAD_MOVE is the lock of all writers and their order: one row. When it is not where this
 * node believes, the division by zero fails the whole transaction in its one round trip. */
#define SHARED_STATEMENT_MAP(X)                                                                    \
    X(HEAD_MOVE, "ii",                                                                             \
      "WITH moved AS (UPDATE head SET seq = $2 WHERE seq = $1 RETURNING 1)"                        \
      " SELECT 1 / count(*) FROM moved")                                                           \
    X(HEAD, "", "SELECT seq FROM head")                                                            \
    X(LOG_ADD, "iibb", "INSERT INTO changes (seq, at, writer, body) VALUES ($1, $2, $3, $4)")      \
    X(LOG_WRITER, "i", "SELECT writer FROM changes WHERE seq = $1")                                \
    X(LOG_AFTER, "ii", "SELECT seq, body FROM changes WHERE seq > $1 ORDER BY seq LIMIT $2")       \
    X(LOG_TRIM, "i", "DELETE FROM changes WHERE seq <= $1")                                        \
    X(TOKEN_ADD, "bbbiitb",                                                                        \
      "INSERT INTO tokens (id, line, parent_line, issued_at, expires_at, subject, body)"           \
      " VALUES ($1, $2, $3, $4, $5, $6, $7)")                                                      \
    X(TOKEN_ROLE_ADD, "tib",                                                                       \
      "INSERT INTO token_roles (role, issued_at, token) VALUES ($1, $2, $3)"                       \
      " ON CONFLICT DO NOTHING")                                                                   \
    X(TOKEN_END, "bi", "UPDATE tokens SET expires_at = $2 WHERE id = $1 AND expires_at > $2")      \
    X(TOKEN_GET, "b",                                                                              \
      "SELECT " SHARED_TOKEN_COLUMNS " FROM tokens t" SHARED_TOKEN_LINE " WHERE t.id = $1")        \
    X(TOKEN_LINE_DROP, "b",                                                                        \
      "DELETE FROM lines WHERE line = (SELECT line FROM tokens WHERE id = $1) AND NOT EXISTS"      \
      " (SELECT 1 FROM tokens o WHERE o.line = lines.line AND o.id <> $1)")                        \
    X(TOKEN_ROLES_DROP, "b", "DELETE FROM token_roles WHERE token = $1")                           \
    X(TOKEN_DROP, "b", "DELETE FROM tokens WHERE id = $1")                                         \
    X(TOKENS_LOAD, "", "SELECT body, expires_at FROM tokens")                                      \
    X(LINE_REVOKE, "bi",                                                                           \
      "INSERT INTO lines (line, revoked_at, last_used, uses) VALUES ($1, $2, 0, 0)"                \
      " ON CONFLICT (line) DO UPDATE SET revoked_at = excluded.revoked_at"                         \
      " WHERE excluded.revoked_at < lines.revoked_at")                                             \
    X(LINE_USE, "biii",                                                                            \
      "INSERT INTO lines (line, revoked_at, last_used, uses) SELECT $1, $2, $3, $4"                \
      " WHERE EXISTS (SELECT 1 FROM tokens WHERE line = $1)"                                       \
      " ON CONFLICT (line) DO UPDATE SET last_used = greatest(lines.last_used,"                    \
      " excluded.last_used), uses = greatest(lines.uses, excluded.uses)")                          \
    X(LINES_LOAD, "", "SELECT line, revoked_at, last_used, uses FROM lines")                       \
    X(HOP_SET, "bbib",                                                                             \
      "INSERT INTO hops (token, hop, expires_at, body) VALUES ($1, $2, $3, $4)"                    \
      " ON CONFLICT (token, hop) DO UPDATE SET expires_at = excluded.expires_at,"                  \
      " body = excluded.body WHERE excluded.expires_at > hops.expires_at")                         \
    X(HOPS_DROP, "b", "DELETE FROM hops WHERE token = $1")                                         \
    X(HOPS_FORGET, "i", "DELETE FROM hops WHERE expires_at < $1")                                  \
    X(HOPS_LOAD, "", "SELECT body FROM hops")                                                      \
    X(OBJECT_SET, "ibb",                                                                           \
      "INSERT INTO objects (kind, name, body) VALUES ($1, $2, $3)"                                 \
      " ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body")                              \
    X(OBJECT_DROP, "ib", "DELETE FROM objects WHERE kind = $1 AND name = $2")                      \
    X(OBJECT_GET, "ib", "SELECT body FROM objects WHERE kind = $1 AND name = $2")                  \
    X(NODE_BEAT, "btii",                                                                           \
      "INSERT INTO nodes (id, name, seq, beats, fenced, at) VALUES ($1, $2, $3, $4, 0, now())"     \
      " ON CONFLICT (id) DO UPDATE SET beats = greatest(nodes.beats, excluded.beats),"             \
      " fenced = 0, at = now(), seq = greatest(nodes.seq, excluded.seq)")                          \
    X(NODE_CONFIRM, "bi", "UPDATE nodes SET seq = greatest(seq, $2) WHERE id = $1")                \
    X(NODES, "", "SELECT id, name, seq, beats, fenced FROM nodes ORDER BY name, id")               \
    X(NODE_FENCE, "bi", "UPDATE nodes SET fenced = 1 WHERE id = $1 AND beats = $2")                \
    X(NODE_LEAVE, "b", "DELETE FROM nodes WHERE id = $1")                                          \
    X(NODES_FORGET, "", "DELETE FROM nodes WHERE fenced = 1 AND at < now() - interval '1 day'")    \
    X(OBJECTS_PAGE, "ibi",                                                                         \
      "SELECT body FROM objects WHERE kind = $1 AND name > $2 ORDER BY name LIMIT $3")

enum shared_statement {
#define SHARED_STATEMENT_ENUM(name, parameters, sql) SHARED_##name,
    SHARED_STATEMENT_MAP(SHARED_STATEMENT_ENUM)
#undef SHARED_STATEMENT_ENUM
        SHARED_STATEMENTS
};

struct shared {
    struct store store;
    struct pg *pg;
    uint64_t seq;  /* of the last change that this node has seen */
    bool notifies; /* the server tells of changes */
    bool stirred;  /* it told of one that was not followed yet */
    struct buffer row;
};

static inline struct shared *
shared_of(struct store *handle)
{
    return (struct shared *)handle; /* its first member */
}

/* Connected again when the connection was lost. */
enum status shared_ready(struct shared *store, struct fault *fault) WRIT_MUST_USE;

/* shared_schema.c */
enum status shared_schema_bring(struct pg *pg, struct fault *fault) WRIT_MUST_USE;

/* shared_apply.c: adds the statements that one change takes to the transaction. */
enum status shared_apply(struct shared *store, const struct change *change,
                         struct fault *fault) WRIT_MUST_USE;

/* shared_nodes.c: who shares it. */
enum status shared_beat(struct store *handle, const struct store_node *node,
                        struct fault *fault) WRIT_MUST_USE;
enum status shared_confirm(struct store *handle, const struct store_node *node,
                           struct fault *fault) WRIT_MUST_USE;
enum status shared_nodes(struct store *handle, store_node_visitor each, void *context,
                         struct fault *fault) WRIT_MUST_USE;
enum status shared_fence(struct store *handle, const struct store_node *node,
                         struct fault *fault) WRIT_MUST_USE;
enum status shared_leave(struct store *handle, const struct store_node *node,
                         struct fault *fault) WRIT_MUST_USE;

/* shared_read.c: this store's part of the interface. */
enum status shared_load(struct store *handle, store_visitor each, void *context,
                        struct fault *fault) WRIT_MUST_USE;
enum status shared_follow(struct store *handle, store_batch_visitor each, void *context,
                          struct fault *fault) WRIT_MUST_USE;
enum status shared_objects(struct store *handle, enum change_kind put_kind, struct slice after,
                           size_t limit, store_visitor each, void *context) WRIT_MUST_USE;
enum status shared_object_get(struct store *handle, enum change_kind put_kind, struct slice name,
                              store_visitor each, void *context) WRIT_MUST_USE;
enum status shared_tokens(struct store *handle, const struct store_token_query *query,
                          store_token_visitor each, void *context,
                          struct buffer *next) WRIT_MUST_USE;
enum status shared_token_get(struct store *handle, const struct token_id *id,
                             store_token_visitor each, void *context) WRIT_MUST_USE;

#endif
