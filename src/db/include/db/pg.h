/* db/pg.h - PostgreSQL, and what speaks its protocol, behind a thin wrapper: one connection,
 * statements prepared once, a transaction in one round trip, libpq's errors turned into ours.
 *
 * A handle belongs to one thread. Calls block, with a limit in time; a connection that is
 * lost stays lost (pg_is_lost) until pg_reconnect. */
#ifndef WRIT_DB_PG_H
#define WRIT_DB_PG_H

#include "base/fault.h"
#include "base/slice.h"

struct pg;

/* What a connection prepares when it is made. */
struct pg_statement {
    const char *name, *sql;
    const char *parameters; /* a letter for each: 'i' int8, 't' text, 'b' bytea */
};

struct pg_options {
    const char *url; /* postgresql://…, several hosts allowed; a standby is never taken */
    const struct pg_statement *statements;
    size_t statement_count;
    unsigned connect_ms; /* 0: 5 seconds for each host */
    unsigned answer_ms;  /* 0: 10 seconds */
};

/* Connects; the statements are prepared by pg_prepare, once their tables are there. */
enum status pg_open(const struct pg_options *options, struct pg **out,
                    struct fault *fault) WRIT_MUST_USE;
void pg_close(struct pg *pg); /* accepts NULL */
bool pg_is_lost(const struct pg *pg);
/* Anew after a loss, statements included when they were prepared before. */
enum status pg_reconnect(struct pg *pg, struct fault *fault) WRIT_MUST_USE;
enum status pg_prepare(struct pg *pg, struct fault *fault) WRIT_MUST_USE;
/* Readable when something may have come; -1 when the connection is lost. */
int pg_descriptor(const struct pg *pg);
/* Takes in what came, without waiting; true when a notification was among it. */
bool pg_notified(struct pg *pg);

/* One or more statements without parameters, in a transaction of their own; rows are
 * dropped. */
enum status pg_run(struct pg *pg, const char *sql, struct fault *fault) WRIT_MUST_USE;

struct pg_value {
    char kind; /* as in parameters */
    bool null;
    int64_t number;
    struct slice bytes;
};
static inline struct pg_value
pg_int(int64_t number)
{
    return (struct pg_value){ .kind = 'i', .number = number };
}
static inline struct pg_value
pg_text(struct slice text)
{
    return (struct pg_value){ .kind = 't', .bytes = text };
}
static inline struct pg_value
pg_bytes(struct slice bytes)
{
    return (struct pg_value){ .kind = 'b', .bytes = bytes };
}
enum { PG_VALUES_MAX = 12 };

/* A transaction: begin, then add (nothing waits), then commit, which waits for all answers.
 * All or nothing. The values are copied. */
void pg_begin(struct pg *pg);
void pg_add(struct pg *pg, unsigned statement, const struct pg_value *values);
/* The same for a text without parameters. */
void pg_add_plain(struct pg *pg, const char *sql);
/* Nothing of what was added happens. */
void pg_abandon(struct pg *pg);
/* CONFLICT: a key is there already. IO with pg_is_lost: whether it happened is not known.
 * On any other failure nothing happened, and pg_state is the SQLSTATE of the first. */
enum status pg_commit(struct pg *pg, struct fault *fault) WRIT_MUST_USE;
const char *pg_state(const struct pg *pg);

/* Rows one by one as they come; the row lives during the call, and no other call may be made
 * from it. A status other than OK stops. */
struct pg_row;
typedef enum status (*pg_visitor)(void *context, const struct pg_row *row);
enum status pg_query(struct pg *pg, unsigned statement, const struct pg_value *values,
                     pg_visitor each, void *context, struct fault *fault) WRIT_MUST_USE;
/* The same for SQL that is put together for this one time, never out of foreign text. */
enum status pg_query_once(struct pg *pg, const struct pg_statement *statement,
                          const struct pg_value *values, pg_visitor each, void *context,
                          struct fault *fault) WRIT_MUST_USE;
int64_t pg_row_int(const struct pg_row *row, int column);        /* 0 for NULL */
struct slice pg_row_bytes(const struct pg_row *row, int column); /* NULL: .at is NULL */

#endif
