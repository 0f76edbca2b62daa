/* sql/reader.h - one text while it is read. Private to the room: it sees PostgreSQL's tree. */
#ifndef WRIT_SQL_READER_H
#define WRIT_SQL_READER_H

/* PostgreSQL's own comes first: it defines what the others build on. */
#include "postgres.h"

#include "catalog/pg_class_d.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
/* It has this name for itself. */
#undef STATUS_OK

#include "names.h"
#include "sql/sql.h"

/* Columns that are known to be touched; all: more than is known. */
struct column {
    const char *name;
    struct column *next;
};
struct columns {
    bool all;
    struct column *first;
};

/* A relation, for one action. What it is called, not what it resolves to. */
struct source {
    struct source *next;
    const char *schema; /* NULL: by the search_path */
    const char *name;
    const char *action;
    struct columns columns;
    bool touched;   /* it counts as soon as it is */
    bool temporary; /* made as a temporary one */
};

/* Where a name in an expression may lead. */
struct range {
    struct range *next;
    const char *alias;
    struct source *source; /* NULL: a query or a function, whose columns were read within it */
    const RangeFunction *function; /* the functions that it is */
};

/* A query's own names, within those of the queries around it. */
struct scope {
    struct scope *outer;
    struct range *ranges;
    const struct common *commons;
};
/* The name of a common table expression. */
struct common {
    const struct common *next;
    const char *name;
};

struct reading {
    struct arena *arena;
    const struct sql_names *names;
    struct sql_fault *fault;
    unsigned depth;
    struct source *sources, **last_source; /* of the statement that is read */
    struct sql_touch *touches;
    size_t touch_count;
    struct slice *temporary;
    size_t temporary_count;
    struct sql_statement *statement;
    bool plain_select; /* the statement itself is a SELECT, run as it is */
    bool out_of_room;  /* the arena is full */
    bool unfiltered;   /* an UPDATE or DELETE without WHERE was seen */
    bool changes_rows; /* one of either was */
    bool dropped;      /* what it makes is dropped with the transaction */
};

/* Each false has its fault set. */
bool sql_refuse(struct reading *reading, const char *sqlstate, const char *format, ...)
    WRIT_PRINTF(3, 4);
/* For what can't be let through at all. */
bool sql_refuse_unknown(struct reading *reading, const char *what);
bool sql_out_of_room(struct reading *reading);
void *sql_take(struct reading *reading, size_t size); /* zeroed; NULL: the fault is set */
bool sql_enter(struct reading *reading);              /* one level deeper */
void sql_leave(struct reading *reading);

/* touch.c: names and what they resolve to. */
struct source *source_add(struct reading *reading, const RangeVar *relation, const char *action);
bool columns_add(struct reading *reading, struct columns *columns, const char *name);
bool touch_plain(struct reading *reading, const char *action, const char *object);
/* schema NULL: by the search_path. */
bool touch_name(struct reading *reading, const char *action, const char *schema, const char *name);
/* A name as lists of String: [database.][schema.]name. */
bool touch_list(struct reading *reading, const char *action, const List *names);
bool touch_function(struct reading *reading, const List *names);
/* (x).name and alias.name call a function of one argument where x has no such column. */
bool touch_attribute(struct reading *reading, const char *name);
/* Of pg_catalog, whatever the search_path is; NULL: perhaps not. */
const char *catalog_function(const struct reading *reading, const List *names);
bool temporary_add(struct reading *reading, const RangeVar *relation);
bool is_temporary(const RangeVar *relation);
/* Turns the statement's sources into touches. */
bool sources_resolve(struct reading *reading);

/* expression.c */
bool read_expression(struct reading *reading, Node *node, struct scope *scope);
bool attribute_all(struct reading *reading, struct scope *scope);
/* setting.c: also what set_config does. */
bool read_set(struct reading *reading, const VariableSetStmt *statement);
bool read_set_config(struct reading *reading, const FuncCall *call);

/* query.c: SELECT, INSERT, UPDATE, DELETE, MERGE. */
bool is_query(const Node *node);
bool read_query(struct reading *reading, Node *node, struct scope *outer);
bool read_from(struct reading *reading, Node *item, struct scope *scope);

/* utility.c, ddl.c */
bool read_utility(struct reading *reading, Node *node);
bool read_ddl(struct reading *reading, Node *node);
bool read_into(struct reading *reading, const IntoClause *into);

/* lasting.c: what stays in the session beyond the transaction. */
void lasts(struct reading *reading, const struct sql_lasting *lasting);
void lasts_setting(struct reading *reading, bool local, const char *name);
bool keep_setting(struct reading *reading, const char *name, const List *values);
void lasts_call(struct reading *reading, const char *schema, const char *function);
/* After all else of the statement is read. */
void trace_statement(struct reading *reading, const Node *node);

/* normal.c: appends the text without its values. */
struct slice sql_normalize(struct slice text, struct arena *arena);

#endif
