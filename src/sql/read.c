/* sql/read.c - a text, parsed by PostgreSQL's own parser and read statement by statement. */
#include "reader.h"

#include <stdarg.h>
#include <stdio.h>

#include "pg_query.h"
#include "pg_query_internal.h"

/* --- faults ------------------------------------------------------------------------------ */

bool
sql_refuse(struct reading *reading, const char *sqlstate, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    *reading->fault = (struct sql_fault){
        .sqlstate = sqlstate,
        .message = arena_copy(reading->arena, slice_text(text)),
    };
    if (reading->fault->message.at == NULL)
        reading->fault->message = SLICE_LITERAL("the statement is not let through");
    return false;
}

bool
sql_refuse_unknown(struct reading *reading, const char *what)
{
    return sql_refuse(reading, "0A000",
                      "%s is not let through: the gateway can't tell what it touches", what);
}

bool
sql_out_of_room(struct reading *reading)
{
    reading->out_of_room = true;
    *reading->fault =
        (struct sql_fault){ .sqlstate = "54001",
                            .message = SLICE_LITERAL("the statement is too complex") };
    return false;
}

void *
sql_take(struct reading *reading, size_t size)
{
    void *memory = arena_zeroed(reading->arena, size);

    if (memory == NULL)
        (void)sql_out_of_room(reading);
    return memory;
}

bool
sql_enter(struct reading *reading)
{
    if (reading->depth == SQL_DEPTH_MAX)
        return sql_refuse(reading, "54001", "the statement is nested more than %d deep",
                          SQL_DEPTH_MAX);
    reading->depth++;
    return true;
}

void
sql_leave(struct reading *reading)
{
    reading->depth--;
}

struct slice
sql_kind_name(enum sql_kind kind)
{
    static const char *const verbs[] = {
#define SQL_KIND_VERB(code, verb) verb,
        SQL_KIND_MAP(SQL_KIND_VERB)
#undef SQL_KIND_VERB
    };

    return slice_text(verbs[kind]);
}

/* --- a statement ---------------------------------------------------------------------------- */

static enum sql_kind
kind_of_query(const Node *node)
{
    switch (nodeTag(node)) {
    case T_InsertStmt:
        return SQL_INSERT;
    case T_UpdateStmt:
        return SQL_UPDATE;
    case T_DeleteStmt:
        return SQL_DELETE;
    case T_MergeStmt:
        return SQL_MERGE;
    default:
        return SQL_SELECT;
    }
}

static bool
read_one(struct reading *reading, Node *node)
{
    if (is_query(node)) {
        reading->statement->kind = kind_of_query(node);
        reading->plain_select = reading->statement->kind == SQL_SELECT;
        if (!read_query(reading, node, NULL))
            return false;
    } else if (!read_utility(reading, node)) {
        return false;
    }
    if (!sources_resolve(reading))
        return false;
    trace_statement(reading, node);
    return true;
}

static bool
begin_statement(struct reading *reading, struct sql_statement *statement)
{
    reading->statement = statement;
    reading->sources = NULL;
    reading->last_source = &reading->sources;
    reading->touch_count = 0;
    reading->temporary = NULL;
    reading->temporary_count = 0;
    reading->plain_select = reading->unfiltered = reading->changes_rows = false;
    reading->dropped = false;
    return true;
}

static bool
is_by_shape(enum sql_kind kind)
{
    switch (kind) {
    case SQL_SELECT:
    case SQL_INSERT:
    case SQL_UPDATE:
    case SQL_DELETE:
    case SQL_MERGE:
        return true;
    default:
        return false;
    }
}

/* The touches move from the reading's own table into one of their number. */
static bool
end_statement(struct reading *reading, struct sql_statement *statement)
{
    size_t size = reading->touch_count * sizeof(*reading->touches);
    struct sql_touch *touches = sql_take(reading, size + 1);

    if (touches == NULL)
        return false;
    memcpy(touches, reading->touches, size);
    statement->touches = touches;
    statement->touch_count = reading->touch_count;
    statement->temporary = reading->temporary;
    statement->temporary_count = reading->temporary_count;
    /* Of SET, COPY and their kin values may be names; of a query they are values. */
    statement->by_value |= !is_by_shape(statement->kind);
    statement->has_where = reading->changes_rows && !reading->unfiltered;
    return true;
}

static struct slice
text_of(const RawStmt *raw, struct slice text)
{
    struct slice rest = slice_from(text, raw->stmt_location > 0 ? (size_t)raw->stmt_location : 0);

    return raw->stmt_len > 0 ? slice_first(rest, (size_t)raw->stmt_len) : rest;
}

static bool
read_statements(struct reading *reading, struct slice text, const List *tree,
                struct sql_script *out)
{
    size_t count = (size_t)list_length(tree);
    struct sql_statement *statements = sql_take(reading, count * sizeof(*statements) + 1);

    reading->touches = sql_take(reading, SQL_TOUCHES_MAX * sizeof(*reading->touches));
    if (statements == NULL || reading->touches == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const RawStmt *raw = list_nth(tree, (int)i);

        if (!begin_statement(reading, &statements[i]) || !read_one(reading, raw->stmt) ||
            !end_statement(reading, &statements[i]))
            return false;
        statements[i].text = text_of(raw, text);
        statements[i].normal = sql_normalize(statements[i].text, reading->arena);
        if (statements[i].normal.at == NULL)
            return sql_out_of_room(reading);
    }
    *out = (struct sql_script){ .statements = statements, .count = count };
    return true;
}

/* --- the text ----------------------------------------------------------------------------------
 */

/* RFC 3629: no overlong form, no surrogate, nothing beyond U+10FFFF. */
static bool
is_utf8(struct slice text)
{
    const uint8_t *at = (const uint8_t *)text.at, *end = at + text.size;

    while (at < end) {
        unsigned more = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;

        if ((*at >= 0x80 && *at < 0xc2) || *at > 0xf4 || (size_t)(end - at) <= more)
            return false;
        if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
            (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
            return false;
        for (at++; more > 0; more--, at++) {
            if ((*at & 0xc0) != 0x80)
                return false;
        }
    }
    return true;
}

static bool
is_readable(struct reading *reading, struct slice text)
{
    if (text.size > SQL_TEXT_MAX)
        return sql_refuse(reading, "54000",
                          "a statement is read up to %d bytes: send values as "
                          "parameters, or COPY",
                          SQL_TEXT_MAX);
    if (slice_find(text, '\0') < text.size || (text.size > 0 && !is_utf8(text)))
        return sql_refuse(reading, "22021", "the statement is not UTF-8");
    return true;
}

static bool
read_tree(struct reading *reading, struct slice text, const char *copy, struct sql_script *out)
{
    PgQueryInternalParsetreeAndError parsed = pg_query_raw_parse(copy);
    bool good;

    if (parsed.error != NULL)
        good = sql_refuse(reading, "42601", "%s", parsed.error->message);
    else if (list_length(parsed.tree) > SQL_STATEMENTS_MAX)
        good = sql_refuse(reading, "54000", "a message holds more than %d statements",
                          SQL_STATEMENTS_MAX);
    else
        good = read_statements(reading, text, parsed.tree, out);
    if (parsed.error != NULL)
        pg_query_free_error(parsed.error);
    free(parsed.stderr_buffer);
    return good;
}

/* Slices of the tree's own texts never leave: what stays is copied into the arena before the
 * parser's memory goes. */
enum sql_result
sql_read(struct slice text, const struct sql_names *names, struct arena *arena,
         struct sql_script *out, struct sql_fault *fault)
{
    struct reading reading = { .arena = arena, .names = names, .fault = fault };
    bool good = false;

    if (is_readable(&reading, text)) {
        struct slice copy = arena_copy(arena, text);
        if (copy.at == NULL) {
            (void)sql_out_of_room(&reading);
        } else {
            MemoryContext memory = pg_query_enter_memory_context();
            good = read_tree(&reading, text, copy.at, out);
            pg_query_exit_memory_context(memory);
        }
    }
    if (good)
        return SQL_OK;
    return reading.out_of_room ? SQL_LIMIT : SQL_REFUSED;
}
