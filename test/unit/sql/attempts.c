/* Runs test/tables/sql_attempts.table: no statement of it passes with the rights that its head
 * names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sql/sql.h"

static const char *folder;

enum { ATTEMPTS_LEAST = 150 };

/* Are all columns among these two? */
static bool
only_columns(struct slice columns, const char *first, const char *second)
{
    struct slice part;

    if (columns.size == 0)
        return false;
    while (slice_next(&columns, ',', &part)) {
        if (!slice_is(part, first) && !slice_is(part, second))
            return false;
    }
    return true;
}

static bool
is_allowed(const struct sql_touch *touch)
{
    struct slice action = touch->action;

    if (slice_is(touch->object, "public.orders"))
        return slice_is(action, "select") || slice_is(action, "insert") ||
               slice_is(action, "update") || slice_is(action, "delete");
    if (slice_is(touch->object, "public.customers"))
        return slice_is(action, "select") && only_columns(touch->columns, "id", "name");
    if (slice_starts(touch->object, SLICE_LITERAL("pg_temp.")))
        return slice_is(action, "ddl");
    return slice_is(action, "listen") && slice_is(touch->object, "news");
}

static bool
passes(struct slice text, struct arena *arena, bool *well_formed)
{
    const struct slice path = SLICE_LITERAL("public");
    const struct sql_names names = { .schemas = &path,
                                     .schema_count = 1,
                                     .user = SLICE_LITERAL("writ"),
                                     .database = SLICE_LITERAL("shop") };
    struct sql_script script;
    struct sql_fault fault;

    *well_formed = true;
    if (sql_read(text, &names, arena, &script, &fault) != SQL_OK) {
        *well_formed = strcmp(fault.sqlstate, "42601") != 0;
        return false;
    }
    for (size_t i = 0; i < script.count; i++) {
        for (size_t n = 0; n < script.statements[i].touch_count; n++) {
            if (!is_allowed(&script.statements[i].touches[n]))
                return false;
        }
    }
    return true;
}

/* "⏎" stands for a line break. */
static struct slice
unfold(struct slice line, char *out)
{
    size_t size = 0;

    for (size_t i = 0; i < line.size; i++) {
        if (slice_starts(slice_from(line, i), SLICE_LITERAL("⏎"))) {
            out[size++] = '\n';
            i += strlen("⏎") - 1;
        } else {
            out[size++] = line.at[i];
        }
    }
    return slice_of(out, size);
}

static char *
read_file(void)
{
    enum { FILE_MAX = 1 << 18 };
    char path[4096];
    char *text = calloc(1, FILE_MAX);
    FILE *file;

    snprintf(path, sizeof(path), "%s/sql_attempts.table", folder);
    file = fopen(path, "rb");
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, FILE_MAX - 1, file) > 0);
    fclose(file);
    return text;
}

static void
no_attempt_passes(void **state)
{
    char *text = read_file(), unfolded[1024];
    struct slice rest = slice_text(text), line;
    unsigned number = 0, attempts = 0, malformed = 0;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    while (slice_next(&rest, '\n', &line)) {
        bool well_formed;

        number++;
        if (line.size == 0 || line.at[0] == '#')
            continue;
        assert_true(line.size < sizeof(unfolded));
        if (passes(unfold(line, unfolded), &arena, &well_formed))
            fail_msg("sql_attempts.table:%u passes", number);
        if (!well_formed)
            print_message("sql_attempts.table:%u is no SQL\n", number);
        malformed += !well_formed;
        attempts++;
        arena_reset(&arena);
    }
    /* What is no SQL tries nothing. */
    assert_true(attempts - malformed >= ATTEMPTS_LEAST);
    assert_true(malformed <= 5);
    arena_free(&arena);
    free(text);
}

/* The same statements in the hands of those who may: that the table above refuses all is no
 * merit otherwise. */
static void
what_is_allowed_passes(void **state)
{
    static const char *const statements[] = {
        "SELECT * FROM orders o WHERE o.id = $1 FOR UPDATE",
        "SELECT c.id, c.name FROM customers c ORDER BY c.name",
        "SELECT o.item, c.name FROM orders o JOIN customers c ON c.id = o.id WHERE o.item <> 'x'",
        "WITH c AS (SELECT id FROM customers) DELETE FROM orders WHERE id IN (SELECT id FROM c)",
        "INSERT INTO orders SELECT id, name FROM customers ON CONFLICT (id) DO NOTHING RETURNING *",
        "CREATE TEMP TABLE mine AS SELECT id, name FROM customers",
        "COPY customers(id, name) TO STDOUT",
        "COPY orders FROM STDIN",
        "LISTEN news",
        "BEGIN; SELECT lower(name) FROM customers; COMMIT",
        "SET search_path = public",
        "EXPLAIN ANALYZE SELECT id FROM customers",
        "SELECT e.key FROM orders o, json_each(o.item::json) e",
        "SELECT relname FROM pg_class WHERE pg_table_is_visible(oid)",
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        bool well_formed;

        if (!passes(slice_text(statements[i]), &arena, &well_formed))
            fail_msg("refused: %s", statements[i]);
        arena_reset(&arena);
    }
    arena_free(&arena);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_attempt_passes),
        cmocka_unit_test(what_is_allowed_passes),
    };

    folder = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
