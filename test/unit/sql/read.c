/* Statements: limits, names that are uncertain, what a session must know of them, and what of
 * a text is left for the audit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "sql/sql.h"

static struct arena arena;
static struct sql_script script;
static struct sql_fault fault;
static struct sql_names names;

static int
setup(void **state)
{
    static const struct slice schemas[] = { { "app", 3 }, { "public", 6 } };

    arena_init(&arena, 8 << 20);
    names = (struct sql_names){ .schemas = schemas,
                                .schema_count = 2,
                                .user = SLICE_LITERAL("writ"),
                                .database = SLICE_LITERAL("shop") };
    return 0;
}

static int
teardown(void **state)
{
    arena_free(&arena);
    return 0;
}

static enum sql_result
reading(const char *text)
{
    arena_reset(&arena);
    fault = (struct sql_fault){ 0 };
    return sql_read(slice_text(text), &names, &arena, &script, &fault);
}

static const struct sql_statement *
one(const char *text)
{
    if (reading(text) != SQL_OK)
        fail_msg("%s: %.*s", text, SLICE_PRINT(fault.message));
    assert_int_equal(script.count, 1);
    return &script.statements[0];
}

static void
expect_refused(const char *text, const char *sqlstate)
{
    assert_int_not_equal(reading(text), SQL_OK);
    assert_string_equal(fault.sqlstate, sqlstate);
    assert_true(fault.message.size > 0);
}

static void
expect_touches(const char *text, const char *wanted)
{
    const struct sql_statement *statement = one(text);
    struct buffer found = { 0 };

    for (size_t i = 0; i < statement->touch_count; i++)
        put_format(&found, "%s%.*s:%.*s", i > 0 ? " " : "",
                   SLICE_PRINT(statement->touches[i].action),
                   SLICE_PRINT(statement->touches[i].object));
    if (!slice_is(buffer_slice(&found), wanted))
        fail_msg("%s: %.*s", text, SLICE_PRINT(buffer_slice(&found)));
    buffer_free(&found);
}

static void
a_bare_name_is_all_that_it_may_be(void **state)
{
    static const struct slice temporary[] = { { "orders", 6 } };

    expect_touches("SELECT 1 FROM orders", "select:app.orders select:public.orders");
    expect_touches("SELECT mine()", "call:app.mine call:public.mine");
    names.temporary = temporary;
    names.temporary_count = 1;
    expect_touches("SELECT 1 FROM orders",
                   "select:pg_temp.orders select:app.orders select:public.orders");
    expect_touches("SELECT 1 FROM pg_temp_3.orders", "select:pg_temp.orders");
    names.temporary_count = 0;
    names.schema_count = 0;
    expect_refused("SELECT 1 FROM orders", "3F000");
    expect_touches("SELECT 1 FROM app.orders", "select:app.orders");
    expect_touches("SELECT lower('x') FROM pg_class", "");
}

static void
limits_hold_before_anything_recurses(void **state)
{
    static char text[SQL_TEXT_MAX + 64];
    size_t size = (size_t)snprintf(text, sizeof(text), "SELECT 1");

    while (size + 3 < 10000)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "+1");
    expect_refused(text, "54001");
    size = (size_t)snprintf(text, sizeof(text), "SELECT ");
    while (size + 5 < 10000)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "NOT ");
    snprintf(text + size, sizeof(text) - size, "true");
    expect_refused(text, "54001");
    memset(text, '(', 20000);
    text[20000] = '\0';
    expect_refused(text, "42601");
    size = (size_t)snprintf(text, sizeof(text), "SELECT 1");
    while (size + 20 < 30000)
        size += (size_t)snprintf(text + size, sizeof(text) - size, " UNION SELECT 1");
    expect_refused(text, "54001");
    memset(text, ' ', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    expect_refused(text, "54000");
    size = 0;
    for (int i = 0; i < SQL_STATEMENTS_MAX + 1; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "SELECT 1;");
    expect_refused(text, "54000");
}

static void
bytes_that_are_no_text(void **state)
{
    static const char *const bad[] = { "SELECT '\xc3'", "SELECT '\xc0\xaf'",
                                       "SELECT '\xed\xa0\x80'", "SELECT '\xf5\x80\x80\x80'",
                                       "SELECT '\xff'" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_refused(bad[i], "22021");
    assert_int_equal(reading("SELECT 'h\xc3\xa9 \xf0\x9f\x98\x80'"), SQL_OK);
    assert_int_not_equal(sql_read(slice_of("SELECT 1\0", 9), &names, &arena, &script, &fault),
                         SQL_OK);
    assert_int_equal(reading(""), SQL_OK);
    assert_int_equal(script.count, 0);
    assert_int_equal(reading(";; /* nothing */"), SQL_OK);
    assert_int_equal(script.count, 0);
}

static void
what_a_session_must_know(void **state)
{
    const struct sql_statement *statement = one("PREPARE p AS SELECT 1");

    assert_int_equal(statement->kind, SQL_PREPARE);
    assert_true(slice_is(statement->name, "p"));
    assert_int_equal(one("EXECUTE p")->kind, SQL_EXECUTE);
    assert_int_equal(one("EXPLAIN ANALYZE EXECUTE p")->kind, SQL_EXECUTE);
    assert_int_equal(one("DEALLOCATE ALL")->kind, SQL_DEALLOCATE_ALL);
    assert_int_equal(one("COPY a.t FROM STDIN")->kind, SQL_COPY_IN);
    assert_int_equal(one("COPY a.t FROM PROGRAM 'x'")->kind, SQL_COPY_FILE);
    assert_int_equal(one("RESET ALL")->kind, SQL_RESET_PATH);
    statement = one("SET search_path = a, \"$user\", \"B\"");
    assert_int_equal(statement->kind, SQL_SET_PATH);
    assert_int_equal(statement->path_count, 3);
    assert_true(slice_is(statement->path[1], "writ"));
    assert_true(slice_is(statement->path[2], "B"));
    assert_false(statement->local);
    assert_true(one("SET LOCAL search_path = a")->local);
    statement = one("SELECT set_config('search_path', 'a, \"b c\"', false)");
    assert_int_equal(statement->path_count, 2);
    assert_true(slice_is(statement->path[1], "b c") && statement->local);
    statement = one("CREATE TEMP TABLE x (a int)");
    assert_int_equal(statement->temporary_count, 1);
    assert_true(slice_is(statement->temporary[0], "x"));
    assert_true(one("SELECT 1 INTO TEMP x")->temporary_count == 1);
    assert_true(one("UPDATE a.t SET x = 1 WHERE y = 2")->has_where);
    assert_false(one("UPDATE a.t SET x = 1")->has_where);
    assert_false(one("WITH a AS (DELETE FROM a.t WHERE x = 1) DELETE FROM a.t")->has_where);
}

static void
expect_normal(const char *text, const char *wanted)
{
    const struct sql_statement *statement = one(text);

    if (!slice_is(statement->normal, wanted))
        fail_msg("%s:\n%.*s", text, SLICE_PRINT(statement->normal));
}

static void
the_audit_has_no_values(void **state)
{
    expect_normal("SELECT  'secret' ,\n 1.5e+3, $1, B'01', E'a\\'secret', U&'x', $q$secret$q$",
                  "SELECT ? , ?, $1, ?, ?, ?, ?");
    expect_normal("SELECT 1 /* secret /* more */ */ -- secret\n FROM a.\"T b\"",
                  "SELECT ? FROM a.\"T b\"");
    expect_normal("CREATE ROLE x PASSWORD 'secret'", "CREATE ROLE x PASSWORD ?");
    expect_normal("DO $x$ secret $x$", "DO ?");
    expect_normal("SELECT a1, .5, 'it''s secret'", "SELECT a1, ?, ?");
}

static bool
shape_is(const char *text, const char *wanted)
{
    struct buffer shape = { 0 };
    bool same = sql_shape(slice_text(text), &shape) && slice_is(buffer_slice(&shape), wanted);

    buffer_free(&shape);
    return same;
}

static bool
has_shape(const char *text)
{
    struct buffer shape = { 0 };
    bool has = sql_shape(slice_text(text), &shape);

    buffer_free(&shape);
    return has;
}

static void
shapes_are_certain_or_none(void **state)
{
    assert_true(shape_is("SELECT a FROM t WHERE id = 42 -- x", "SELECT a FROM t WHERE id = 0"));
    assert_true(shape_is("SELECT  'x', E'\\'', $1, $q$ x $q$, B'1', 1.5e-3, U&'x'",
                         "SELECT '', '', $1, '', B'', 0, ''"));
    assert_true(shape_is("SELECT a$b$c, \"1\" FROM t1", "SELECT a$b$c, \"1\" FROM t1"));
    /* Not every PostgreSQL reads a number that is joined to a word as one. */
    assert_false(has_shape("SELECT 1FROM secrets"));
    assert_false(has_shape("SELECT 1$a$ x $a$"));
    assert_false(has_shape("SELECT 1.e FROM t"));
    /* An E string goes on as one: what looks like its end is none. */
    assert_false(has_shape("SELECT E'a'\n'b\\' || ', v FROM secrets x --'"));
    assert_false(has_shape("SELECT 'a'\n'b'"));
    assert_false(has_shape("SELECT U&\"d!0061\" UESCAPE '!' FROM t"));
    assert_false(has_shape("SELECT $abc def"));
    assert_true(one("SELECT set_config('role', 'x', false)")->by_value);
    assert_true(one("SET search_path = a")->by_value);
    assert_true(one("COPY a.t TO '/x'")->by_value);
    assert_false(one("SELECT 1 FROM a.t")->by_value);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_bare_name_is_all_that_it_may_be, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_hold_before_anything_recurses, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_text, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_session_must_know, setup, teardown),
        cmocka_unit_test_setup_teardown(the_audit_has_no_values, setup, teardown),
        cmocka_unit_test_setup_teardown(shapes_are_certain_or_none, setup, teardown),
    };

    return cmocka_run_group_tests_name("sql/read", tests, NULL, NULL);
}
