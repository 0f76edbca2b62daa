/* Prints what statements touch, one line each: for people, and for tests that compare it with
 * what a server does. touches [search_path [temporary tables]], each a list with commas. Texts
 * stand on the standard input, with a NUL between them; each answer ends with an empty line
 * where there are several. */
#include <stdio.h>
#include <stdlib.h>

#include "sql/sql.h"

enum { INPUT_MAX = 16 << 20, LIST_MAX = 16 };

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

static void
answer(struct slice text, const struct sql_names *names, struct arena *arena)
{
    struct sql_script script;
    struct sql_fault fault;

    arena_reset(arena);
    if (sql_read(text, names, arena, &script, &fault) != SQL_OK) {
        printf("refused %s: %.*s\n", fault.sqlstate, SLICE_PRINT(fault.message));
        return;
    }
    for (size_t i = 0; i < script.count; i++)
        print(&script.statements[i]);
}

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
    struct slice schemas[LIST_MAX], temporary[LIST_MAX], text;
    struct sql_names names = { .schemas = schemas,
                               .schema_count = split(argc > 1 ? argv[1] : "public", schemas),
                               .temporary = temporary,
                               .temporary_count = split(argc > 2 ? argv[2] : "", temporary),
                               .user = SLICE_LITERAL("writ"),
                               .database = SLICE_LITERAL("shop") };
    char *input = malloc(INPUT_MAX);
    struct slice rest = slice_of(input, input == NULL ? 0 : fread(input, 1, INPUT_MAX, stdin));
    bool several = slice_find(rest, '\0') < rest.size;
    struct arena arena;

    arena_init(&arena, 4 << 20);
    while (slice_next(&rest, '\0', &text)) {
        answer(text, &names, &arena);
        if (several)
            printf("\n");
    }
    arena_free(&arena);
    free(input);
    return 0;
}
