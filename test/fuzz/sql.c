/* Statements: what is read touches only things whose names are canonical, and what has the
 * same shape touches the same. */
#include <stdlib.h>

#include "sql/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
    if (!holds)
        abort();
}

static void
check_name(struct slice name)
{
    must(name.size > 0);
    for (size_t i = 0; i < name.size; i++) {
        uint8_t byte = (uint8_t)name.at[i];
        must(byte > 0x20 && byte < 0x7f && byte != '*' && byte != '"' && byte != '(' &&
             byte != ')' && byte != '|');
    }
}

static void
check_statement(const struct sql_statement *statement)
{
    must(statement->touch_count <= SQL_TOUCHES_MAX);
    must(statement->normal.size <= SQL_NORMAL_MAX);
    for (size_t i = 0; i < statement->touch_count; i++) {
        check_name(statement->touches[i].action);
        check_name(statement->touches[i].object);
    }
}

static bool
same_touches(const struct sql_statement *a, const struct sql_statement *b)
{
    bool same = a->touch_count == b->touch_count && a->has_where == b->has_where;

    for (size_t i = 0; same && i < a->touch_count; i++)
        same = slice_equal(a->touches[i].action, b->touches[i].action) &&
               slice_equal(a->touches[i].object, b->touches[i].object) &&
               slice_equal(a->touches[i].columns, b->touches[i].columns);
    return same;
}

/* By the parser's own tokens: ours must tell values apart as it does. */
static void
check_shape(struct slice text, const struct sql_names *names, const struct sql_script *script)
{
    struct buffer shape = { 0 };
    struct sql_script again;
    struct sql_fault fault;
    struct arena arena;

    arena_init(&arena, 4 << 20);
    if (script->count == 1 && !script->statements[0].by_value && sql_shape(text, &shape) &&
        sql_read(buffer_slice(&shape), names, &arena, &again, &fault) == SQL_OK)
        must(again.count == 1 && same_touches(&again.statements[0], &script->statements[0]));
    buffer_free(&shape);
    arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice schemas[] = { SLICE_LITERAL("app"), SLICE_LITERAL("public") };
    const struct sql_names names = { .schemas = schemas,
                                     .schema_count = 2,
                                     .user = SLICE_LITERAL("writ"),
                                     .database = SLICE_LITERAL("shop") };
    struct sql_script script;
    struct sql_fault fault = { 0 };
    struct arena arena;

    arena_init(&arena, 4 << 20);
    if (sql_read(slice_of(data, size), &names, &arena, &script, &fault) == SQL_OK) {
        for (size_t i = 0; i < script.count; i++)
            check_statement(&script.statements[i]);
        check_shape(slice_of(data, size), &names, &script);
    } else {
        must(fault.sqlstate != NULL && fault.message.size > 0);
    }
    arena_free(&arena);
    return 0;
}
