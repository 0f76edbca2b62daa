/* store/state.h - what the files of the embedded store share: the statements, and rows
 * as sealed bytes. */
#ifndef WRIT_STORE_STATE_H
#define WRIT_STORE_STATE_H

#include "backend.h"
#include "base/buffer.h"
#include "db/db.h"
#include "row.h"

enum { STORE_SCHEMA = 1, STORE_LOG_KEPT = 65536, STORE_LOG_SLACK = 4096 };

/* What token_row_read and line_read take, from column 0 and 3. */
#define STORE_TOKEN_COLUMNS                                                                        \
    "t.no, t.issued_at, t.body, l.revoked_at, l.last_used, l.uses, l.line, l.sum"
#define STORE_TOKEN_LINE " LEFT JOIN lines l ON l.line = coalesce(t.line, t.id)"

/* name, SQL. Prepared when the store opens, each used by one function. */
#define STORE_STATEMENT_MAP(X)                                                                     \
    X(LOG_ADD, "INSERT INTO changes (seq, at, kind, body) VALUES (?1, ?2, ?3, ?4)")                \
    X(LOG_TRIM, "DELETE FROM changes WHERE seq <= ?1")                                             \
    X(LOG_LAST, "SELECT seq, body FROM changes ORDER BY seq DESC LIMIT 1")                         \
    X(TOKEN_ADD, "INSERT INTO tokens (no, id, line, parent_line, issued_at, expires_at,"           \
                 " subject, body) VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7)")                      \
    X(TOKEN_ROLE_ADD, "INSERT OR IGNORE INTO token_roles (role, issued_at, no)"                    \
                      " VALUES (?1, ?2, last_insert_rowid())")                                     \
    X(TOKEN_GET,                                                                                   \
      "SELECT " STORE_TOKEN_COLUMNS " FROM tokens t" STORE_TOKEN_LINE " WHERE t.id = ?1")          \
    X(TOKEN_END, "UPDATE tokens SET expires_at = ?2, body = ?3 WHERE id = ?1")                     \
    X(TOKEN_DROP, "DELETE FROM tokens WHERE id = ?1")                                              \
    X(TOKEN_ROLES_DROP, "DELETE FROM token_roles WHERE role = ?1 AND issued_at = ?2"               \
                        " AND no = ?3")                                                            \
    X(TOKENS_LOAD, "SELECT no, body FROM tokens ORDER BY no")                                      \
    X(LINE_KNOWN, "SELECT 1 FROM tokens WHERE id = ?1 AND line IS NULL"                            \
                  " UNION ALL SELECT 1 FROM tokens WHERE line = ?1 LIMIT 1")                       \
    X(LINE_GET, "SELECT revoked_at, last_used, uses, line, sum FROM lines WHERE line = ?1")        \
    X(LINE_SET, "INSERT OR REPLACE INTO lines (revoked_at, last_used, uses, line, sum)"            \
                " VALUES (?1, ?2, ?3, ?4, ?5)")                                                    \
    X(LINE_DROP, "DELETE FROM lines WHERE line = ?1")                                              \
    X(LINES_LOAD, "SELECT revoked_at, last_used, uses, line, sum FROM lines")                      \
    X(HOP_SET, "INSERT INTO hops (token, hop, expires_at, body) VALUES (?1, ?2, ?3, ?4)"           \
               " ON CONFLICT (token, hop) DO UPDATE SET expires_at = excluded.expires_at,"         \
               " body = excluded.body WHERE excluded.expires_at > hops.expires_at")                \
    X(HOPS_DROP, "DELETE FROM hops WHERE token = ?1")                                              \
    X(HOPS_FORGET, "DELETE FROM hops WHERE expires_at < ?1")                                       \
    X(HOPS_LOAD, "SELECT body FROM hops ORDER BY token, hop")                                      \
    X(OBJECT_SET, "INSERT OR REPLACE INTO objects (kind, name, body) VALUES (?1, ?2, ?3)")         \
    X(OBJECT_DROP, "DELETE FROM objects WHERE kind = ?1 AND name = ?2")                            \
    X(OBJECT_GET, "SELECT body FROM objects WHERE kind = ?1 AND name = ?2")                        \
    X(OBJECTS_PAGE, "SELECT body FROM objects WHERE kind = ?1 AND name > ?2"                       \
                    " ORDER BY name LIMIT ?3")

enum store_statement {
#define STORE_STATEMENT_ENUM(name, sql) SQL_##name,
    STORE_STATEMENT_MAP(STORE_STATEMENT_ENUM)
#undef STORE_STATEMENT_ENUM
        SQL_STATEMENTS
};

struct embedded {
    struct store store;
    struct db *db;
    char *path;
    int lock;     /* the descriptor that holds the file lock */
    uint64_t seq; /* of the last durable change */
    struct buffer row;
    struct db_statement *sql[SQL_STATEMENTS];
};

static inline struct embedded *
embedded_of(struct store *handle)
{
    return (struct embedded *)handle; /* its first member */
}

/* load.c, query.c: the embedded store's part of the interface. */
enum status embedded_load(struct store *handle, store_visitor each, void *context,
                          struct fault *fault) WRIT_MUST_USE;
enum status embedded_objects(struct store *handle, enum change_kind put_kind, struct slice after,
                             size_t limit, store_visitor each, void *context) WRIT_MUST_USE;
enum status embedded_object_get(struct store *handle, enum change_kind put_kind, struct slice name,
                                store_visitor each, void *context) WRIT_MUST_USE;
enum status embedded_tokens(struct store *handle, const struct store_token_query *query,
                            store_token_visitor each, void *context,
                            struct buffer *next) WRIT_MUST_USE;
enum status embedded_token_get(struct store *handle, const struct token_id *id,
                               store_token_visitor each, void *context) WRIT_MUST_USE;

/* lock.c - one process owns a store. *out is the descriptor to close. */
enum status lock_take(const char *path, int *out, struct fault *fault) WRIT_MUST_USE;

/* schema.c */
extern const char *const schema_steps[];
/* Brings the file from the version it has to `version`, by the steps in between,
 * all in one transaction. */
enum status schema_bring(struct db *db, const char *const *steps, int64_t version,
                         struct fault *fault) WRIT_MUST_USE;

struct line_row {
    struct token_id line;
    int64_t revoked_at, last_used;
    uint32_t uses;
};
enum status line_write(struct embedded *store, const struct line_row *row) WRIT_MUST_USE;
/* From five columns in the order of LINE_GET, of which the first is `column`;
 * an untouched line where they are NULL. */
enum status line_read(struct db_statement *statement, int column,
                      struct line_row *out) WRIT_MUST_USE;
/* From STORE_TOKEN_COLUMNS; *row keeps what *out borrows. */
enum status token_row_read(struct db_statement *statement, struct row *row,
                           struct store_token *out) WRIT_MUST_USE;

/* apply.c - one change onto the state tables. */
enum status state_apply(struct embedded *store, const struct change *change,
                        struct fault *fault) WRIT_MUST_USE;

#endif
