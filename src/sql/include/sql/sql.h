/* sql/sql.h - what statements of PostgreSQL's language touch, read by PostgreSQL's own parser.
 * Pure: text in, value out. What is not known is refused.
 *
 * The meaning of each statement is the table of docs/databases.md. */
#ifndef WRIT_SQL_SQL_H
#define WRIT_SQL_SQL_H

#include "base/arena.h"
#include "base/buffer.h"

enum {
    SQL_TEXT_MAX = 64 << 10,
    SQL_DEPTH_MAX = 400, /* of an expression, and of queries in queries */
    SQL_STATEMENTS_MAX = 64,
    SQL_TOUCHES_MAX = 256,
    SQL_NORMAL_MAX = 2048, /* bytes of a statement for the audit; a longer one is cut */
};

/* What unqualified names stand for. */
struct sql_names {
    const struct slice *schemas; /* that the search_path may hold, pg_catalog only if named */
    size_t schema_count;
    const struct slice *temporary; /* tables that were ever made in this session */
    size_t temporary_count;
    struct slice user;     /* the session's role: what "$user" is in a search_path */
    struct slice database; /* the current one */
};

/* Names as they stand in rights: the object is schema.name, in percent-encoding. */
struct sql_touch {
    struct slice action, object;
    struct slice columns; /* "a,b", sorted; empty: all, or not known */
};

/* code, verb for the audit when nothing is touched */
#define SQL_KIND_MAP(X)                                                                            \
    X(SELECT, "select")                                                                            \
    X(INSERT, "insert")                                                                            \
    X(UPDATE, "update")                                                                            \
    X(DELETE, "delete")                                                                            \
    X(MERGE, "merge")                                                                              \
    X(COPY_IN, "copy")                                                                             \
    X(COPY_OUT, "copy")                                                                            \
    X(COPY_FILE, "copy")                                                                           \
    X(TRANSACTION, "transaction")                                                                  \
    X(SET, "set")                                                                                  \
    X(SET_PATH, "set")                                                                             \
    X(RESET_PATH, "set")                                                                           \
    X(SHOW, "show")                                                                                \
    X(DISCARD_ALL, "discard")                                                                      \
    X(DISCARD, "discard")                                                                          \
    X(PREPARE, "prepare")                                                                          \
    X(EXECUTE, "execute")                                                                          \
    X(DEALLOCATE, "deallocate")                                                                    \
    X(DEALLOCATE_ALL, "deallocate")                                                                \
    X(DECLARE, "declare")                                                                          \
    X(FETCH, "fetch")                                                                              \
    X(CLOSE, "close")                                                                              \
    X(EXPLAIN, "explain")                                                                          \
    X(TRUNCATE, "truncate")                                                                        \
    X(LOCK, "lock")                                                                                \
    X(LISTEN, "listen")                                                                            \
    X(NOTIFY, "notify")                                                                            \
    X(CALL, "call")                                                                                \
    X(DO, "do")                                                                                    \
    X(DDL, "ddl")

enum sql_kind {
#define SQL_KIND_ENUM(code, verb) SQL_##code,
    SQL_KIND_MAP(SQL_KIND_ENUM)
#undef SQL_KIND_ENUM
};
struct slice sql_kind_name(enum sql_kind kind);

/* What a statement may leave behind in its session when its transaction is over. */
enum sql_trace {
    SQL_TRACE_NONE,
    SQL_TRACE_ROWS,    /* rows change, and triggers run with them */
    SQL_TRACE_SESSION, /* code runs that is not PostgreSQL's own: what DISCARD ALL takes away */
    SQL_TRACE_ANY,     /* more than that */
};
/* What it is meant to leave behind. Static. */
struct sql_lasting {
    const char *what;    /* "LISTEN" */
    const char *instead; /* a hint; NULL: there is nothing in its place */
};

struct sql_statement {
    enum sql_kind kind;
    const struct sql_touch *touches; /* all must be allowed */
    size_t touch_count;
    bool has_where;           /* UPDATE and DELETE, each of them within it */
    struct slice name;        /* of a prepared statement or a cursor */
    bool local;               /* SET LOCAL */
    const struct slice *path; /* SET_PATH: the schemas */
    size_t path_count;
    const struct slice *temporary; /* tables it makes that hide others */
    size_t temporary_count;
    bool by_value;       /* what it touches hangs on a literal in it */
    enum sql_trace trace;
    const struct sql_lasting *lasting; /* NULL: nothing is meant to last */
    /* SET and RESET of one setting: its name in small letters, and the value as a log-in would
     * give it; without one (at NULL) it is no literal, or is reset. */
    struct slice setting, value;
    struct slice normal; /* the statement without its values */
    struct slice text;   /* and with them, as it stands in what was read */
};

struct sql_script {
    const struct sql_statement *statements;
    size_t count;
};

struct sql_fault {
    const char *sqlstate;
    struct slice message; /* in the arena, or static */
};

enum sql_result {
    SQL_OK,
    SQL_REFUSED, /* *fault tells: no SQL, too complex, or a statement that is never let through */
    SQL_LIMIT,   /* the arena is full; *fault tells */
};
/* All slices live in the arena, or in names. */
enum sql_result sql_read(struct slice text, const struct sql_names *names, struct arena *arena,
                         struct sql_script *out, struct sql_fault *fault) WRIT_MUST_USE;

/* Appends the text with each value in it replaced by one that is always the same, comments
 * and blanks folded. Texts of one shape touch the same things, unless a statement is by_value.
 * False: it is not certain what is a value; out may hold anything. */
bool sql_shape(struct slice text, struct buffer *out) WRIT_MUST_USE;

#endif
