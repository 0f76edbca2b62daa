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

enum { ROWS_LEAST = 200, LIST_MAX = 8 };

/* What a section says of the session before its table. */
struct session {
    struct slice schemas[LIST_MAX], temporary[LIST_MAX];
    size_t schema_count, temporary_count;
    char line[256];
};

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

static size_t
read_list(struct slice list, struct slice *out)
{
    size_t count = 0;
    struct slice part;

    while (count < LIST_MAX && slice_next(&list, ',', &part)) {
        part = slice_trim(part);
        if (part.size > 0)
            out[count++] = part;
    }
    return count;
}

/* "With the search_path `a, b` and the temporary tables `c, d`:" */
static void
read_session(struct session *session, struct slice line)
{
    struct slice kept = slice_of(session->line, line.size), lists[2] = { 0 }, part;

    assert_true(line.size < sizeof(session->line));
    memcpy(session->line, line.at, line.size);
    for (unsigned i = 0; slice_next(&kept, '`', &part) && i < 4; i++) {
        if (i % 2 == 1)
            lists[i / 2] = part;
    }
    session->schema_count = read_list(lists[0], session->schemas);
    session->temporary_count = read_list(lists[1], session->temporary);
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
check(const struct session *session, struct slice text, struct slice needs, unsigned number)
{
    const struct sql_names names = { .schemas = session->schemas,
                                     .schema_count = session->schema_count,
                                     .temporary = session->temporary,
                                     .temporary_count = session->temporary_count,
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
    struct session session = { 0 };
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
        if (slice_starts(rest, SLICE_LITERAL("With the search_path `")))
            read_session(&session, rest);
        if (!inside || !read_statement(&rest, &statement))
            continue;
        assert_true(slice_ends(rest, SLICE_LITERAL(" |\n")));
        check(&session, buffer_slice(&statement), slice_first(rest, rest.size - 3), number);
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
