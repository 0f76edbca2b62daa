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

    assert_int_equal(analyses_new(RECORD_SHAPE, &analyses), STATUS_OK);
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

    assert_int_equal(analyses_new(RECORD_SHAPE, &analyses), STATUS_OK);
    struct analysis *one = analysis_read(analyses, SLICE_LITERAL("SELECT 1"), &names, &fault);
    struct analysis *two = analysis_read(analyses, SLICE_LITERAL("SELECT 2, 3"), &names, &fault);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        assert_int_equal(named_set(&named, slice_text(name),
                                   (struct meaning){ .analysis = i % 2 ? one : two }, &previous),
                         STATUS_OK);
        assert_null(previous.analysis);
    }
    assert_ptr_equal(named_find(&named, SLICE_LITERAL("s7")), one);
    assert_ptr_equal(named_find(&named, SLICE_LITERAL("s8")), two);
    assert_null(named_find(&named, SLICE_LITERAL("")));
    assert_int_equal(
        named_set(&named, SLICE_LITERAL("s7"), (struct meaning){ .analysis = two }, &previous),
        STATUS_OK);
    assert_ptr_equal(previous.analysis, one);
    meaning_release(&previous);
    assert_int_equal(named_set(&named, SLICE_LITERAL("s7"), (struct meaning){ 0 }, &previous),
                     STATUS_OK);
    meaning_release(&previous);
    assert_null(named_find(&named, SLICE_LITERAL("s7")));
    named_clear(&named);
    analysis_release(one);
    analysis_release(two);
    analyses_free(analyses);
}

static void
statements_are_kept_by_their_text(void **state)
{
    struct kepts kepts = { 0 };
    char one_name[KEPT_NAME_SIZE], two_name[KEPT_NAME_SIZE], again_name[KEPT_NAME_SIZE];
    struct pg_kept *one = kept_named(&kepts, SLICE_LITERAL("SELECT 1\0\0"));
    struct pg_kept *same = kept_named(&kepts, SLICE_LITERAL("SELECT 1\0\0"));
    struct pg_kept *two = kept_named(&kepts, SLICE_LITERAL("SELECT 2\0\0"));
    struct pg_kept *none = kept_unnamed(SLICE_LITERAL("SELECT 1\0\0"));

    assert_ptr_equal(one, same);
    assert_ptr_not_equal(one, two);
    assert_ptr_not_equal(one, none);
    assert_false(slice_equal(kept_name(one, one_name), kept_name(two, two_name)));
    assert_int_equal(kept_name(none, again_name).size, 0);
    kept_release(one);
    kept_release(same);
    /* A name is never given to another text, nor twice. */
    struct pg_kept *again = kept_named(&kepts, SLICE_LITERAL("SELECT 1\0\0"));
    assert_string_not_equal(kept_name(again, again_name).at, one_name);
    kept_release(again);
    kept_release(two);
    kept_release(none);
}

static void
what_a_server_has_is_certain_or_not(void **state)
{
    struct kepts kepts = { 0 };
    struct prepared prepared = { 0 };
    struct pg_kept *kept[100];
    char text[16];

    prepared_next_batch(&prepared);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "SELECT %d", i);
        kept[i] = kept_named(&kepts, slice_text(text));
        assert_int_equal(prepared_state(&prepared, kept[i]), PREPARED_NOT);
        uint64_t ticket = prepared_sent(&prepared, kept[i]);
        assert_int_equal(prepared_state(&prepared, kept[i]), PREPARED_SENT);
        if (i % 2 == 0)
            prepared_done(&prepared, kept[i], ticket);
    }
    /* In the next batch what was sent may have failed. */
    prepared_next_batch(&prepared);
    assert_int_equal(prepared_state(&prepared, kept[8]), PREPARED_YES);
    assert_int_equal(prepared_state(&prepared, kept[9]), PREPARED_DOUBT);
    /* The answer to an older Parse says nothing of the latest. */
    uint64_t old = prepared_sent(&prepared, kept[9]), latest = prepared_sent(&prepared, kept[9]);
    prepared_next_batch(&prepared);
    prepared_done(&prepared, kept[9], old);
    assert_int_equal(prepared_state(&prepared, kept[9]), PREPARED_DOUBT);
    prepared_done(&prepared, kept[9], latest);
    assert_int_equal(prepared_state(&prepared, kept[9]), PREPARED_YES);
    prepared_failed(&prepared, kept[9], latest);
    assert_int_equal(prepared_state(&prepared, kept[9]), PREPARED_DOUBT);
    prepared_doubt_all(&prepared);
    assert_int_equal(prepared_state(&prepared, kept[8]), PREPARED_DOUBT);
    prepared_clear(&prepared);
    assert_int_equal(prepared_state(&prepared, kept[8]), PREPARED_NOT);
    for (int i = 0; i < 100; i++)
        kept_release(kept[i]);
}

/* There is one at a server: another text takes its place, and a simple query takes it away. */
static void
the_unnamed_statement_is_one(void **state)
{
    struct prepared prepared = { 0 };
    struct pg_kept *mine = kept_unnamed(SLICE_LITERAL("SELECT 1"));
    struct pg_kept *other = kept_unnamed(SLICE_LITERAL("SELECT 1"));

    prepared_next_batch(&prepared);
    prepared_done(&prepared, mine, prepared_sent(&prepared, mine));
    prepared_next_batch(&prepared);
    assert_int_equal(prepared_state(&prepared, mine), PREPARED_YES);
    assert_int_equal(prepared_state(&prepared, other), PREPARED_NOT);
    uint64_t ticket = prepared_sent(&prepared, other);
    assert_int_equal(prepared_state(&prepared, mine), PREPARED_NOT);
    prepared_done(&prepared, other, ticket);
    prepared_drop_unnamed(&prepared);
    assert_int_equal(prepared_state(&prepared, other), PREPARED_NOT);
    kept_release(mine);
    kept_release(other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_once_for_the_same_names),
        cmocka_unit_test(a_path_as_the_server_quotes_it),
        cmocka_unit_test(names_come_and_go),
        cmocka_unit_test(statements_are_kept_by_their_text),
        cmocka_unit_test(what_a_server_has_is_certain_or_not),
        cmocka_unit_test(the_unnamed_statement_is_one),
    };

    return cmocka_run_group_tests_name("gateway/pg_memory", tests, NULL, NULL);
}
