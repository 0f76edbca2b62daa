/* The table of docs/databases.md: each statement needs exactly what stands beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "sql/sql.h"

enum { ROWS_LEAST = 200 };

static const char *document;

/* A cell's text between backquotes, in which Markdown has "|" as "\|". */
static bool
read_statement(struct slice *line, struct buffer *out)
{
    struct slice prefix = SLICE_LITERAL("| `");

    buffer_clear(out);
    if (!slice_starts(*line, prefix))
        return false;
    *line = slice_from(*line, prefix.size);
    while (!slice_starts(*line, SLICE_LITERAL("` | "))) {
        if (line->size == 0)
            return false;
        if (slice_starts(*line, SLICE_LITERAL("\\|")))
            *line = slice_from(*line, 1);
        put_u8(out, (uint8_t)line->at[0]);
        *line = slice_from(*line, 1);
    }
    *line = slice_from(*line, 4);
    return true;
}

static void
put_touches(struct buffer *out, const struct sql_script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        const struct sql_statement *statement = &script->statements[i];
        for (size_t n = 0; n < statement->touch_count; n++) {
            const struct sql_touch *touch = &statement->touches[n];
            put_format(out, "%s`%.*s:%.*s", out->size > 0 ? " " : "", SLICE_PRINT(touch->action),
                       SLICE_PRINT(touch->object));
            if (touch->columns.size > 0)
                put_format(out, "(%.*s)", SLICE_PRINT(touch->columns));
            put_text(out, "`");
        }
    }
    if (out->size == 0)
        put_text(out, "free");
}

static void
check(struct slice text, struct slice needs, unsigned number)
{
    const struct slice schemas[] = { SLICE_LITERAL("public") };
    const struct sql_names names = { .schemas = schemas,
                                     .schema_count = 1,
                                     .user = SLICE_LITERAL("writ"),
                                     .database = SLICE_LITERAL("shop") };
    struct sql_script script;
    struct sql_fault fault;
    struct buffer found = { 0 };
    struct arena arena;

    arena_init(&arena, 1 << 20);
    if (sql_read(text, &names, &arena, &script, &fault) == SQL_OK)
        put_touches(&found, &script);
    else
        put_format(&found, "refused %s", fault.sqlstate);
    if (!slice_equal(buffer_slice(&found), needs))
        fail_msg("%s:%u: %.*s\n  needs %.*s\n  not   %.*s", document, number, SLICE_PRINT(text),
                 SLICE_PRINT(buffer_slice(&found)), SLICE_PRINT(needs));
    buffer_free(&found);
    arena_free(&arena);
}

static void
each_row_holds(void **state)
{
    FILE *file = fopen(document, "re");
    struct buffer statement = { 0 };
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    unsigned number = 0, rows = 0;
    bool inside = false;

    assert_non_null(file);
    while ((size = getline(&line, &capacity, file)) > 0) {
        struct slice rest = slice_of(line, (size_t)size);
        number++;
        if (slice_starts(rest, SLICE_LITERAL("#")) && !slice_starts(rest, SLICE_LITERAL("###")))
            inside = slice_starts(rest, SLICE_LITERAL("## Statements and what they need"));
        if (!inside || !read_statement(&rest, &statement))
            continue;
        assert_true(slice_ends(rest, SLICE_LITERAL(" |\n")));
        check(buffer_slice(&statement), slice_first(rest, rest.size - 3), number);
        rows++;
    }
    assert_true(rows >= ROWS_LEAST);
    buffer_free(&statement);
    free(line);
    fclose(file);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_row_holds) };

    document = argv[1];
    return argc == 2 ? cmocka_run_group_tests_name("sql/table", tests, NULL, NULL) : 2;
}
