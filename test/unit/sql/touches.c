/* Prints what the statements of the standard input touch, one line each: for people, and for
 * tests that compare it with what a server does. --names a,b sets the search_path. */
#include <stdio.h>
#include <stdlib.h>

#include "sql/sql.h"

static char text[SQL_TEXT_MAX + 4096];

static void
print(const struct sql_statement *statement)
{
    struct slice verb = sql_kind_name(statement->kind);

    printf("%.*s:", SLICE_PRINT(verb));
    for (size_t i = 0; i < statement->touch_count; i++) {
        const struct sql_touch *touch = &statement->touches[i];
        bool columns = touch->columns.size > 0;
        printf(" %.*s:%.*s%s%.*s%s", SLICE_PRINT(touch->action), SLICE_PRINT(touch->object),
               columns ? "(" : "", SLICE_PRINT(touch->columns), columns ? ")" : "");
    }
    printf("\n");
}

int
main(int argc, char **argv)
{
    struct slice schemas[16], rest = slice_text(argc > 1 ? argv[1] : "public"), part;
    struct sql_names names = { .schemas = schemas,
                               .user = SLICE_LITERAL("writ"),
                               .database = SLICE_LITERAL("shop") };
    struct sql_script script;
    struct sql_fault fault;
    struct arena arena;
    size_t size = fread(text, 1, sizeof(text), stdin);

    while (names.schema_count < 16 && slice_next(&rest, ',', &part))
        schemas[names.schema_count++] = part;
    arena_init(&arena, 4 << 20);
    if (sql_read(slice_of(text, size), &names, &arena, &script, &fault) != SQL_OK) {
        printf("refused %s: %.*s\n", fault.sqlstate, SLICE_PRINT(fault.message));
    } else {
        for (size_t i = 0; i < script.count; i++)
            print(&script.statements[i]);
    }
    arena_free(&arena);
    return 0;
}
