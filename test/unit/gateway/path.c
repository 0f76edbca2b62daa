/* The verdict table of paths, and that a forwarded path is canonical itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/path.h"

enum { COLUMNS_MAX = 5 };

static size_t
split(struct slice line, struct slice columns[COLUMNS_MAX])
{
    size_t count = 0;
    struct slice part;

    while (slice_next(&line, ' ', &part)) {
        if (part.size > 0 && count < COLUMNS_MAX)
            columns[count++] = part;
    }
    return count;
}

static void
check_row(unsigned number, struct slice columns[], size_t count, struct arena *arena)
{
    enum path_params params = PATH_PARAMS_REFUSE;
    struct path got = { .object = SLICE_LITERAL("unset") }, again;

    if (slice_is(columns[count - 1], "+params")) {
        params = PATH_PARAMS_ALLOW;
        count--;
    }
    enum path_verdict verdict = path_canonical(columns[0], params, arena, &got);
    if (!slice_is(columns[1], path_verdict_name(verdict)))
        fail_msg("line %u: %.*s is %s", number, SLICE_PRINT(columns[0]),
                 path_verdict_name(verdict));
    if (verdict != PATH_OK) {
        assert_true(slice_is(got.object, "unset"));
        assert_true(path_verdict_text(verdict)[0] != '\0');
        return;
    }
    struct slice forward = slice_is(columns[3], "-") ? columns[2] : columns[3];
    if (count != 4 || !slice_equal(got.object, columns[2]) || !slice_equal(got.forward, forward))
        fail_msg("line %u: %.*s gives %.*s and forwards %.*s", number, SLICE_PRINT(columns[0]),
                 SLICE_PRINT(got.object), SLICE_PRINT(got.forward));
    assert_int_equal(path_canonical(got.forward, params, arena, &again), PATH_OK);
    assert_true(slice_equal(again.object, got.object));
    assert_true(slice_equal(again.forward, got.forward));
}

static void
table(void **state)
{
    FILE *file = fopen(WRIT_TABLES "/path.table", "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    struct arena arena;

    assert_non_null(file);
    arena_init(&arena, 1 << 16);
    for (unsigned number = 1; (length = getline(&line, &room, file)) >= 0; number++) {
        struct slice columns[COLUMNS_MAX];
        struct slice text = slice_trim(slice_of(line, (size_t)length - 1));
        if (text.size == 0 || text.at[0] == '#')
            continue;
        size_t count = split(text, columns);
        assert_true(count >= 2);
        check_row(number, columns, count, &arena);
        arena_reset(&arena);
    }
    arena_free(&arena);
    free(line);
    fclose(file);
}

static void
canonical_paths_are_not_copied(void **state)
{
    struct slice raw = SLICE_LITERAL("/v1/orders/42/");
    struct arena arena;
    struct path got;

    arena_init(&arena, 0);
    assert_int_equal(path_canonical(raw, PATH_PARAMS_REFUSE, &arena, &got), PATH_OK);
    assert_ptr_equal(got.forward.at, raw.at);
    assert_ptr_equal(got.object.at, raw.at);
    assert_int_equal(path_canonical(SLICE_LITERAL("/a%20b"), PATH_PARAMS_REFUSE, &arena, &got),
                     PATH_MEMORY);
    arena_free(&arena);
}

static void
each_byte(void **state)
{
    struct arena arena;

    arena_init(&arena, 1 << 16);
    for (int byte = 0; byte < 256; byte++) {
        char raw[] = { '/', 'a', (char)byte, 'b' };
        char escaped[8];
        struct path got;

        snprintf(escaped, sizeof(escaped), "/a%%%02xb", byte);
        bool visible = byte > 0x20 && byte < 0x7f;
        if (path_canonical(slice_of(raw, 4), PATH_PARAMS_REFUSE, &arena, &got) == PATH_OK)
            assert_true(visible && strchr("#%;\\", byte) == NULL);
        if (path_canonical(slice_text(escaped), PATH_PARAMS_REFUSE, &arena, &got) == PATH_OK)
            assert_true(byte >= 0x20 && byte < 0x7f && strchr("/;\\", byte) == NULL);
        arena_reset(&arena);
    }
    arena_free(&arena);
}

static void
queries(void **state)
{
    assert_true(path_query_valid(SLICE_LITERAL("")));
    assert_true(path_query_valid(SLICE_LITERAL("a=%2F..//&b=*;c?d")));
    assert_false(path_query_valid(SLICE_LITERAL("a=b c")));
    assert_false(path_query_valid(SLICE_LITERAL("a=b#c")));
    assert_false(path_query_valid(SLICE_LITERAL("a=\x01")));
    assert_false(path_query_valid(SLICE_LITERAL("a=\xc3\xa9")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(canonical_paths_are_not_copied),
        cmocka_unit_test(each_byte),
        cmocka_unit_test(queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
