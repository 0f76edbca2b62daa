/* gateway/postgres/names.h - what unqualified names stand for in a session, as far as it is
 * certain: the schemas of the search_path that may be in force, and every temporary table
 * that was ever made. */
#ifndef WRIT_GATEWAY_POSTGRES_NAMES_H
#define WRIT_GATEWAY_POSTGRES_NAMES_H

#include "base/buffer.h"
#include "sql/sql.h"

enum { NAMES_SCHEMAS_MOST = 64, NAMES_TEMPORARY_MOST = 256 };

struct name_list {
    char **items;
    size_t count;
};

/* Owns its texts. A zeroed one is empty. */
struct pg_names {
    struct name_list schemas, temporary;
    struct name_list initial; /* the path that the session began with */
    bool initial_known;
    struct slice user; /* borrowed: whom the gateway is at the server */
    struct slice database;
    uint64_t version; /* changes with every change: the key of what was read with it */
};

/* From what the server says of search_path: identifiers, quoted where they must be, between
 * commas. */
enum status pg_names_read_path(struct pg_names *names, struct slice path) WRIT_MUST_USE;
/* The same for a session that begins anew: nothing that was known before holds. */
enum status pg_names_begin(struct pg_names *names, struct slice path) WRIT_MUST_USE;
/* Back to the beginning, or not: as pg_names_add_schemas of the initial path. */
enum status pg_names_add_initial(struct pg_names *names) WRIT_MUST_USE;
/* Certainly back to the beginning. */
enum status pg_names_set_initial(struct pg_names *names) WRIT_MUST_USE;
/* Appends the initial path as a value for SET. */
void pg_names_put_path(const struct pg_names *names, struct buffer *out);
/* The path is one of those that were in force, or this one: a name must be allowed in all. */
enum status pg_names_add_schemas(struct pg_names *names, const struct slice *schemas,
                                 size_t count) WRIT_MUST_USE;
/* The path is certainly this one. */
enum status pg_names_set_schemas(struct pg_names *names, const struct slice *schemas,
                                 size_t count) WRIT_MUST_USE;
enum status pg_names_add_temporary(struct pg_names *names, struct slice name) WRIT_MUST_USE;
void pg_names_free(struct pg_names *names);

/* As the reader of statements wants it; slices from the arena, texts borrowed. */
enum status pg_names_view(const struct pg_names *names, struct arena *arena,
                          struct sql_names *out) WRIT_MUST_USE;
/* Appends all of it as bytes: two that are the same give the same reading. */
void pg_names_put_key(const struct pg_names *names, struct buffer *out);

#endif
