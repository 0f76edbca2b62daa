/* meter/rate - limits hold at their edges, when the table is full, and under threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "meter/rate.h"

static struct rate_table *
table_of(size_t cells)
{
    struct rate_table *table;

    assert_int_equal(rate_table_new(cells, &table), STATUS_OK);
    return table;
}

static void
burst_then_rate(void **state)
{
    struct rate_table *table = table_of(16);
    uint64_t retry = 0;

    for (int i = 0; i < 10; i++)
        assert_int_equal(rate_take(table, 7, 10, 1000, 5000, &retry), STATUS_OK);
    assert_int_equal(rate_take(table, 7, 10, 1000, 5000, &retry), STATUS_LIMIT);
    assert_int_equal(retry, 100);
    assert_int_equal(rate_take(table, 7, 10, 1000, 5099, &retry), STATUS_LIMIT);
    assert_int_equal(retry, 1);
    assert_int_equal(rate_take(table, 7, 10, 1000, 5100, &retry), STATUS_OK);
    assert_int_equal(rate_take(table, 7, 10, 1000, 5100, &retry), STATUS_LIMIT);
    assert_int_equal(rate_take(table, 8, 10, 1000, 5100, &retry), STATUS_OK); /* another key */
    for (int i = 0; i < 10; i++) /* long idle gives one burst, no more */
        assert_int_equal(rate_take(table, 7, 10, 1000, 900000, &retry), STATUS_OK);
    assert_int_equal(rate_take(table, 7, 10, 1000, 900000, &retry), STATUS_LIMIT);
    rate_table_free(table);
}

static void
edges(void **state)
{
    struct rate_table *table = table_of(1);
    uint64_t retry = 0;

    assert_int_equal(rate_take(table, 1, 0, 1000, 1, &retry), STATUS_LIMIT);
    assert_int_equal(rate_take(table, 0, 1, 1000, 1, &retry), STATUS_OK);
    assert_int_equal(rate_take(table, 0, 1, 1000, 1, &retry), STATUS_LIMIT);
    assert_int_equal(retry, 1000);
    assert_int_equal(rate_take(table, 2, UINT32_MAX, UINT32_MAX, 1, &retry), STATUS_OK);
    /* 3 a second does not divide evenly: rounded to the stricter side. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(rate_take(table, 3, 3, 1000, 0, &retry), STATUS_OK);
    assert_int_equal(rate_take(table, 3, 3, 1000, 333, &retry), STATUS_LIMIT);
    assert_int_equal(rate_take(table, 3, 3, 1000, 334, &retry), STATUS_OK);
    rate_table_free(table);
}

static void
full_then_reused(void **state)
{
    struct rate_table *table = table_of(16);
    uint64_t retry = 0;

    for (uint64_t key = 1; key <= 16; key++)
        assert_int_equal(rate_take(table, key, 1, 1000, 10, &retry), STATUS_OK);
    assert_int_equal(rate_take(table, 99, 1, 1000, 10, &retry), STATUS_FULL);
    assert_int_equal(rate_take(table, 5, 1, 1000, 10, &retry), STATUS_LIMIT);
    assert_int_equal(rate_take(table, 99, 1, 1000, 1009, &retry), STATUS_FULL);
    for (uint64_t key = 101; key <= 116; key++)
        assert_int_equal(rate_take(table, key, 1, 1000, 1010, &retry), STATUS_OK);
    assert_int_equal(rate_take(table, 5, 1, 1000, 1010, &retry), STATUS_FULL);
    rate_table_free(table);
}

enum { THREADS = 4, EACH = 5000, MOST = 1000 };

struct shared {
    struct rate_table *table;
    _Atomic unsigned passed;
    _Atomic unsigned per_key[8];
};

static void *
take_one_key(void *context)
{
    struct shared *shared = context;
    uint64_t retry;

    for (int i = 0; i < EACH; i++) {
        if (rate_take(shared->table, 42, MOST, 3600000, 1000, &retry) == STATUS_OK)
            atomic_fetch_add(&shared->passed, 1);
    }
    return NULL;
}

static void *
take_many_keys(void *context)
{
    struct shared *shared = context;
    uint64_t retry;

    for (unsigned i = 0; i < EACH; i++) {
        if (rate_take(shared->table, 100 + i % 8, 100, 3600000, 1000, &retry) == STATUS_OK)
            atomic_fetch_add(&shared->per_key[i % 8], 1);
    }
    return NULL;
}

static void
run_threads(void *(*body)(void *), struct shared *shared)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, shared), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void
exact_under_threads(void **state)
{
    struct shared shared = { .table = table_of(16) };

    run_threads(take_one_key, &shared);
    assert_int_equal(shared.passed, MOST);
    run_threads(take_many_keys, &shared);
    for (int i = 0; i < 8; i++)
        assert_int_equal(shared.per_key[i], 100);
    rate_table_free(shared.table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burst_then_rate),
        cmocka_unit_test(edges),
        cmocka_unit_test(full_then_reused),
        cmocka_unit_test(exact_under_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
