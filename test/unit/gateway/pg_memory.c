/* What a PostgreSQL session remembers: texts that were read, what names stand for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "postgres/named.h"

static void
texts_are_read_once_for_the_same_names(void **state)
{
    struct analyses *analyses;
    struct pg_names names = { 0 };
    struct sql_fault fault;
    struct slice text = SLICE_LITERAL("SELECT * FROM orders");

    assert_int_equal(analyses_new(&analyses), STATUS_OK);
    assert_int_equal(pg_names_read_path(&names, SLICE_LITERAL("public")), STATUS_OK);
    struct analysis *first = analysis_read(analyses, text, &names, &fault);
    struct analysis *again = analysis_read(analyses, text, &names, &fault);
    assert_non_null(first);
    assert_ptr_equal(first, again);
    assert_true(slice_is(first->asks[0].touches[0].object, "public.orders"));
    const struct slice app = SLICE_LITERAL("app");
    assert_int_equal(pg_names_set_schemas(&names, &app, 1), STATUS_OK);
    struct analysis *other = analysis_read(analyses, text, &names, &fault);
    assert_true(slice_is(other->asks[0].touches[0].object, "app.orders"));
    assert_null(analysis_read(analyses, SLICE_LITERAL("SELECT FROM WHERE"), &names, &fault));
    assert_string_equal(fault.sqlstate, "42601");
    /* The oldest go; what is held lives on. */
    for (int i = 0; i < 3000; i++) {
        char number[64];
        snprintf(number, sizeof(number), "SELECT %d FROM t", i);
        analysis_release(analysis_read(analyses, slice_text(number), &names, &fault));
    }
    assert_true(slice_is(first->asks[0].touches[0].object, "public.orders"));
    analysis_release(first);
    analysis_release(again);
    analyses_free(analyses);
    assert_true(slice_is(other->asks[0].touches[0].object, "app.orders"));
    analysis_release(other);
    pg_names_free(&names);
}

static void
a_path_as_the_server_quotes_it(void **state)
{
    struct pg_names names = { 0 };
    struct buffer text = { 0 };

    assert_int_equal(pg_names_read_path(&names, SLICE_LITERAL("public, \"a, \"\"b\", app")),
                     STATUS_OK);
    assert_int_equal(names.schemas.count, 3);
    assert_string_equal(names.schemas.items[1], "a, \"b");
    pg_names_put_path(&names, &text);
    assert_true(slice_is(buffer_slice(&text), "\"public\", \"a, \"\"b\", \"app\""));
    assert_int_equal(pg_names_read_path(&names, SLICE_LITERAL("\"open")), STATUS_INVALID);
    assert_int_equal(pg_names_read_path(&names, SLICE_LITERAL("")), STATUS_OK);
    assert_int_equal(names.schemas.count, 0);
    buffer_free(&text);
    pg_names_free(&names);
}

static void
names_come_and_go(void **state)
{
    struct analyses *analyses;
    struct pg_names names = { 0 };
    struct named named = { 0 };
    struct meaning previous;
    struct sql_fault fault;
    char name[16];

    assert_int_equal(analyses_new(&analyses), STATUS_OK);
    struct analysis *one = analysis_read(analyses, SLICE_LITERAL("SELECT 1"), &names, &fault);
    struct analysis *two = analysis_read(analyses, SLICE_LITERAL("SELECT 2, 3"), &names, &fault);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        assert_int_equal(named_set(&named, slice_text(name), (struct meaning){ .analysis = i % 2 ? one : two }, &previous),
                         STATUS_OK);
        assert_null(previous.analysis);
    }
    assert_ptr_equal(named_find(&named, SLICE_LITERAL("s7")), one);
    assert_ptr_equal(named_find(&named, SLICE_LITERAL("s8")), two);
    assert_null(named_find(&named, SLICE_LITERAL("")));
    assert_int_equal(named_set(&named, SLICE_LITERAL("s7"), (struct meaning){ .analysis = two }, &previous), STATUS_OK);
    assert_ptr_equal(previous.analysis, one);
    meaning_release(&previous);
    assert_int_equal(named_set(&named, SLICE_LITERAL("s7"), (struct meaning){ 0 }, &previous), STATUS_OK);
    meaning_release(&previous);
    assert_null(named_find(&named, SLICE_LITERAL("s7")));
    named_clear(&named);
    analysis_release(one);
    analysis_release(two);
    analyses_free(analyses);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_once_for_the_same_names),
        cmocka_unit_test(a_path_as_the_server_quotes_it),
        cmocka_unit_test(names_come_and_go),
    };

    return cmocka_run_group_tests_name("gateway/pg_memory", tests, NULL, NULL);
}
