/* Prints what the statements of the standard input touch, one line each: for people, and for
 * tests that compare it with what a server does. touches [search_path [temporary tables]], each
 * a list with commas. */
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

enum { LIST_MAX = 16 };

static size_t
split(const char *list, struct slice *out)
{
    struct slice rest = slice_text(list), part;
    size_t count = 0;

    while (count < LIST_MAX && slice_next(&rest, ',', &part))
        out[count++] = part;
    return count;
}

int
main(int argc, char **argv)
{
    struct slice schemas[LIST_MAX], temporary[LIST_MAX];
    struct sql_names names = { .schemas = schemas,
                               .schema_count = split(argc > 1 ? argv[1] : "public", schemas),
                               .temporary = temporary,
                               .temporary_count = split(argc > 2 ? argv[2] : "", temporary),
                               .user = SLICE_LITERAL("writ"),
                               .database = SLICE_LITERAL("shop") };
    struct sql_script script;
    struct sql_fault fault;
    struct arena arena;
    size_t size = fread(text, 1, sizeof(text), stdin);

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
