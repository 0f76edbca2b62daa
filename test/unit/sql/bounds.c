/* Where the reader stops, that it keeps nothing, and that lanes don't meet in it. */
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "sql/sql.h"

struct fixture {
    struct arena arena;
    struct slice schemas[1];
    struct sql_names names;
    struct sql_script script;
    struct sql_fault fault;
};

static void
fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){ .schemas = { SLICE_LITERAL("public") } };
    fixture->names = (struct sql_names){ .schemas = fixture->schemas,
                                         .schema_count = 1,
                                         .user = SLICE_LITERAL("writ"),
                                         .database = SLICE_LITERAL("shop") };
    arena_init(&fixture->arena, 4 << 20);
}

static int
setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));

    if (fixture == NULL)
        return -1;
    fixture_init(fixture);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *fixture = *state;

    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

static enum sql_result
read_slice(struct fixture *fixture, struct slice text)
{
    arena_reset(&fixture->arena);
    return sql_read(text, &fixture->names, &fixture->arena, &fixture->script, &fixture->fault);
}

static void
assert_refused(struct fixture *fixture, struct slice text, const char *sqlstate)
{
    assert_int_equal(read_slice(fixture, text), SQL_REFUSED);
    assert_string_equal(fixture->fault.sqlstate, sqlstate);
    assert_true(fixture->fault.message.size > 0);
}

static void
repeat(struct buffer *out, const char *text, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        put_text(out, text);
}

static void
nesting_is_bounded(void **state)
{
    static const struct {
        const char *before, *again, *middle, *close;
    } shapes[] = {
        { "SELECT 1", "+1", "", "" },
        { "SELECT ", "NOT ", "true", "" },
        { "", "SELECT(", "SELECT 1", ")" },
        { "SELECT ", "(SELECT ", "1", ")" },
        { "SELECT 1", " UNION SELECT 1", "", "" },
        { "SELECT ", "lower(", "'x'", ")" },
        { "SELECT * FROM ", "(", "a JOIN a b ON true", " JOIN c ON true)" },
        { "SELECT ", "ARRAY[", "1", "]" },
        { "", "EXPLAIN ", "SELECT 1", "" },
        { "SELECT ", "-", " a", "" },
        { "SELECT a", "::int", "", "" },
        { "SELECT (a)", ".b", "", "" },
        { "SELECT ", "CASE WHEN true THEN ", "1", " END" },
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        for (unsigned times = 4; times < 6000; times *= 3) {
            struct buffer text = { 0 };

            put_text(&text, shapes[i].before);
            repeat(&text, shapes[i].again, times);
            put_text(&text, shapes[i].middle);
            repeat(&text, shapes[i].close, times);
            enum sql_result result = read_slice(fixture, buffer_slice(&text));
            /* What it says does not matter, but that it says so. */
            if (result == SQL_OK)
                assert_true(fixture->script.count == 1);
            else
                assert_true(fixture->fault.message.size > 0);
            buffer_free(&text);
        }
    }
}

static void
sizes_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct buffer text = { 0 };

    repeat(&text, "SELECT 1;", SQL_STATEMENTS_MAX);
    assert_int_equal(read_slice(fixture, buffer_slice(&text)), SQL_OK);
    put_text(&text, "SELECT 1");
    assert_refused(fixture, buffer_slice(&text), "54000");
    buffer_clear(&text);
    put_text(&text, "SELECT '");
    repeat(&text, "x", SQL_TEXT_MAX - 9);
    put_text(&text, "'");
    assert_int_equal(read_slice(fixture, buffer_slice(&text)), SQL_OK);
    put_text(&text, " ");
    assert_refused(fixture, buffer_slice(&text), "54000");
    buffer_clear(&text);
    put_text(&text, "SELECT 1 FROM t0");
    for (unsigned i = 1; i < SQL_TOUCHES_MAX; i++)
        put_format(&text, ", t%u", i);
    assert_int_equal(read_slice(fixture, buffer_slice(&text)), SQL_OK);
    put_text(&text, ", more");
    assert_refused(fixture, buffer_slice(&text), "54001");
    buffer_free(&text);
}

/* A full arena is told apart from a refusal. */
static void
a_full_arena_is_a_limit(void **state)
{
    struct fixture *fixture = *state;
    bool good = false;

    for (size_t limit = 64; limit < (64 << 10) && !good; limit *= 2) {
        struct arena arena;

        arena_init(&arena, limit);
        enum sql_result result =
            sql_read(SLICE_LITERAL("SELECT a, b FROM t JOIN s USING (c) WHERE d = 'x'"),
                     &fixture->names, &arena, &fixture->script, &fixture->fault);
        good = result == SQL_OK;
        assert_true(good || result == SQL_LIMIT);
        arena_free(&arena);
    }
    assert_true(good);
}

static void
read_many(unsigned rounds)
{
    static const char *const texts[] = {
        "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer WHERE o.id = 5",
        "SELECT FROM WHERE",
        "WITH x AS (DELETE FROM t RETURNING *) INSERT INTO s SELECT * FROM x",
        "SET standard_conforming_strings = off",
        "SELECT $1::int; SELECT 'a'; SELECT nextval('s')",
    };
    struct fixture fixture;

    fixture_init(&fixture);
    for (unsigned i = 0; i < rounds; i++) {
        enum sql_result result =
            read_slice(&fixture, slice_text(texts[i % (sizeof(texts) / sizeof(texts[0]))]));
        assert_true((result == SQL_OK) == (i % 5 != 1 && i % 5 != 3));
    }
    arena_free(&fixture.arena);
}

static void
memory_does_not_grow(void **state)
{
    (void)state;
    read_many(500);
    size_t before = mallinfo2().uordblks;
    read_many(20000);
    size_t after = mallinfo2().uordblks;
    assert_true(after < before + (64 << 10));
}

static void *
lane(void *context)
{
    (void)context;
    read_many(5000);
    return NULL;
}

static void
lanes_do_not_meet(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, lane, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nesting_is_bounded),      cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(a_full_arena_is_a_limit), cmocka_unit_test(memory_does_not_grow),
        cmocka_unit_test(lanes_do_not_meet),
    };

    return cmocka_run_group_tests_name("sql/bounds", tests, setup, teardown);
}
