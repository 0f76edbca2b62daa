/* Budgets: what is open at once, what moves in a time, and that no other key or thread gets
 * more by it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "meter/budget.h"

static struct budget_table *
table_of(size_t cells)
{
    struct budget_table *table = NULL;

    assert_int_equal(budget_table_new(cells, &table), STATUS_OK);
    return table;
}

static void
counts_what_is_open(void **state)
{
    struct budget_table *table = table_of(16);
    struct budget two = { .key = 7, .most_open = 2 }, other = { .key = 8, .most_open = 1 };
    uint32_t a, b, c;
    uint64_t retry;

    assert_int_equal(budget_enter(table, &two, 1, &a, &retry), STATUS_OK);
    assert_int_equal(budget_enter(table, &two, 1, &b, &retry), STATUS_OK);
    assert_int_equal(budget_enter(table, &two, 1, &c, &retry), STATUS_LIMIT);
    assert_int_equal(retry, 0);
    assert_int_equal(budget_enter(table, &other, 1, &c, &retry), STATUS_OK);
    /* Time alone gives nothing back. */
    assert_int_equal(budget_enter(table, &two, 1u << 30, &c, &retry), STATUS_LIMIT);
    budget_leave(table, a, 2);
    assert_int_equal(budget_enter(table, &two, 2, &c, &retry), STATUS_OK);
    assert_int_equal(budget_enter(table, &two, 2, &a, &retry), STATUS_LIMIT);
    budget_table_free(table);
}

static void
spends_bytes(void **state)
{
    struct budget_table *table = table_of(16);
    struct budget budget = { .key = 7, .most_bytes = 1000, .period_ms = 10000 };
    uint32_t place, second;
    uint64_t retry = 0;

    assert_int_equal(budget_enter(table, &budget, 5, &place, &retry), STATUS_OK);
    budget_spend(table, place, &budget, 999, 5);
    assert_int_equal(budget_enter(table, &budget, 5, &second, &retry), STATUS_OK);
    budget_spend(table, place, &budget, 501, 5);
    /* What is open goes on; nothing new. */
    assert_int_equal(budget_ask(table, place, &budget, 2, 5, &retry), STATUS_OK);
    assert_int_equal(budget_enter(table, &budget, 5, &place, &retry), STATUS_LIMIT);
    assert_int_equal(retry, 5001);
    budget_spend(table, second, &budget, 500, 5);
    assert_int_equal(budget_ask(table, second, &budget, 2, 5, &retry), STATUS_LIMIT);
    budget_leave(table, place, 5);
    budget_leave(table, second, 5);
    /* Whoever leaves takes no debt along. */
    assert_int_equal(budget_enter(table, &budget, 6, &place, &retry), STATUS_LIMIT);
    assert_int_equal(budget_enter(table, &budget, 5 + retry - 2, &place, &retry), STATUS_LIMIT);
    assert_int_equal(budget_enter(table, &budget, 5 + 10001, &place, &retry), STATUS_OK);
    /* A number that no counter holds is owed for long, and wraps nowhere. */
    budget_spend(table, place, &budget, UINT64_MAX, 20000);
    budget_spend(table, place, &budget, UINT64_MAX, 20000);
    assert_int_equal(budget_enter(table, &budget, 20000, &second, &retry), STATUS_LIMIT);
    assert_true(retry > UINT64_C(86400000) * 365);
    budget_table_free(table);
}

static void
full_then_reused(void **state)
{
    struct budget_table *table = table_of(16);
    struct budget budget = { .most_bytes = 10, .period_ms = 1000 };
    uint32_t places[17];
    uint64_t retry;

    for (budget.key = 1; budget.key <= 16; budget.key++)
        assert_int_equal(budget_enter(table, &budget, 1, &places[budget.key], &retry), STATUS_OK);
    budget.key = 99;
    assert_int_equal(budget_enter(table, &budget, 1, &places[0], &retry), STATUS_FULL);
    budget.key = 3;
    budget_spend(table, places[3], &budget, 10, 1);
    budget_leave(table, places[3], 1);
    budget.key = 99; /* a debt holds its place */
    assert_int_equal(budget_enter(table, &budget, 1, &places[0], &retry), STATUS_FULL);
    budget_leave(table, places[4], 1);
    assert_int_equal(budget_enter(table, &budget, 1, &places[0], &retry), STATUS_OK);
    assert_int_equal(places[0], places[4]);
    budget.key = 3;
    assert_int_equal(budget_enter(table, &budget, 1, &places[4], &retry), STATUS_LIMIT);
    budget_table_free(table);
}

/* However many keys one owner has, another finds room. */
static void
one_owner_fills_a_share(void **state)
{
    struct budget_table *table = table_of(1 << 16);
    struct budget budget = { .most_open = 1 }, other = { .key = UINT64_C(2) << 48, .most_open = 1 };
    size_t entered = 0;
    uint32_t place;
    uint64_t retry;

    for (uint64_t i = 0; i < 1 << 16; i++) {
        budget.key = UINT64_C(1) << 48 | i;
        entered += budget_enter(table, &budget, 1, &place, &retry) == STATUS_OK;
    }
    assert_in_range(entered, 1500, 2048 + 32);
    for (uint64_t i = 0; i < 1000; i++) {
        other.key++;
        assert_int_equal(budget_enter(table, &other, 1, &place, &retry), STATUS_OK);
    }
    budget_table_free(table);
}

enum { THREADS = 4, EACH = 20000, KEYS = 24, MOST = 2 };

struct shared {
    struct budget_table *table;
    _Atomic int open[KEYS];
    _Atomic unsigned passed, over;
};

/* More keys than there are cells, so that cells change hands all the time. */
static void *
come_and_go(void *context)
{
    struct shared *shared = context;
    uint64_t retry;
    uint32_t place;

    for (unsigned i = 0; i < EACH; i++) {
        unsigned key = (i * 7 + (unsigned)(uintptr_t)&place / 64) % KEYS;
        struct budget budget = { .key = 1000 + key, .most_open = MOST };

        if (budget_enter(shared->table, &budget, 1, &place, &retry) != STATUS_OK)
            continue;
        if (atomic_fetch_add(&shared->open[key], 1) >= MOST)
            atomic_fetch_add(&shared->over, 1);
        atomic_fetch_add(&shared->passed, 1);
        atomic_fetch_sub(&shared->open[key], 1);
        budget_leave(shared->table, place, 1);
    }
    return NULL;
}

static void
never_more_under_threads(void **state)
{
    struct shared shared = { .table = table_of(16) };
    pthread_t threads[THREADS];
    uint32_t places[MOST];
    uint64_t retry;

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &shared), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(shared.over, 0);
    assert_true(shared.passed > EACH / 2);
    /* All was given back. */
    for (unsigned key = 0; key < 8; key++) {
        struct budget budget = { .key = 1000 + key, .most_open = MOST };
        for (int i = 0; i < MOST; i++)
            assert_int_equal(budget_enter(shared.table, &budget, 1, &places[i], &retry), STATUS_OK);
    }
    budget_table_free(shared.table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_is_open),      cmocka_unit_test(spends_bytes),
        cmocka_unit_test(full_then_reused),         cmocka_unit_test(one_owner_fills_a_share),
        cmocka_unit_test(never_more_under_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
