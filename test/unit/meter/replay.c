/* meter/replay - an id passes once, whoever asks at the same time; none is forgotten
 * before its time, and a set that is full refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "meter/replay.h"

#define NOW INT64_C(1800000000000)

/* An id is a digest: its bits are spread. */
static void
id_of(uint64_t number, uint8_t out[REPLAY_ID_SIZE])
{
    for (int half = 0; half < 2; half++) {
        uint64_t x = (number + 1) * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)half;

        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        x ^= x >> 31;
        memcpy(out + 8 * half, &x, 8);
    }
}

static enum status
take(struct replay_table *table, uint64_t number, int64_t now, int64_t until)
{
    uint8_t id[REPLAY_ID_SIZE];

    id_of(number, id);
    return replay_take(table, id, now, until);
}

static void
once(void **state)
{
    struct replay_table *table;

    assert_int_equal(replay_table_new(1024, &table), STATUS_OK);
    assert_int_equal(take(table, 1, NOW, NOW + 60000), STATUS_OK);
    assert_int_equal(take(table, 1, NOW, NOW + 60000), STATUS_CONFLICT);
    assert_int_equal(take(table, 2, NOW, NOW + 60000), STATUS_OK);
    assert_int_equal(take(table, 1, NOW + 60000, NOW + 60000), STATUS_CONFLICT);
    assert_int_equal(take(table, 1, NOW + 61001, NOW + 120000), STATUS_OK);
    assert_int_equal(take(table, 1, NOW + 61001, NOW + 120000), STATUS_CONFLICT);
    replay_table_free(table);
}

static void
full(void **state)
{
    struct replay_table *table;
    uint64_t taken = 0, refused = 0;
    bool kept[4096] = { false };

    assert_int_equal(replay_table_new(1024, &table), STATUS_OK);
    for (uint64_t i = 0; i < 4096; i++) {
        enum status status = take(table, i, NOW, NOW + 60000);

        assert_true(status == STATUS_OK || status == STATUS_FULL);
        kept[i] = status == STATUS_OK;
        taken += status == STATUS_OK;
        refused += status == STATUS_FULL;
    }
    assert_in_range(taken, 512, 2048);
    assert_true(refused > 0);
    for (uint64_t i = 0; i < 4096; i++) {
        if (kept[i])
            assert_int_equal(take(table, i, NOW + 59000, NOW + 60000), STATUS_CONFLICT);
    }
    /* When their time is over there is room again. */
    for (uint64_t i = 5000; i < 5400; i++)
        assert_int_equal(take(table, i, NOW + 62000, NOW + 120000), STATUS_OK);
    replay_table_free(table);
}

/* --- many at once --------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 4000 };

struct crowd {
    struct replay_table *table;
    pthread_barrier_t barrier;
    atomic_uint won[ROUNDS];
};

static void *
press(void *context)
{
    struct crowd *crowd = context;

    for (unsigned round = 0; round < ROUNDS; round++) {
        /* Times run, so that places are free, over and taken at once. */
        int64_t now = NOW + (int64_t)round * 100;

        if (round % 16 == 0)
            pthread_barrier_wait(&crowd->barrier);
        if (take(crowd->table, round, now, now + 3000) == STATUS_OK)
            atomic_fetch_add(&crowd->won[round], 1);
    }
    return NULL;
}

static void
crowd(void **state)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    pthread_t threads[THREADS];

    assert_int_equal(replay_table_new(64, &crowd->table), STATUS_OK);
    assert_int_equal(pthread_barrier_init(&crowd->barrier, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, press, crowd), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        /* None where the set was full, never two. */
        assert_true(atomic_load(&crowd->won[round]) <= 1);
    }
    pthread_barrier_destroy(&crowd->barrier);
    replay_table_free(crowd->table);
    free(crowd);
}

/* With room enough exactly one wins, each time. */
static void *
press_with_room(void *context)
{
    struct crowd *crowd = context;

    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round % 4 == 0)
            pthread_barrier_wait(&crowd->barrier);
        if (take(crowd->table, round, NOW, NOW + 60000) == STATUS_OK)
            atomic_fetch_add(&crowd->won[round], 1);
    }
    return NULL;
}

static void
exactly_one(void **state)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    pthread_t threads[THREADS];

    assert_int_equal(replay_table_new(1 << 16, &crowd->table), STATUS_OK);
    assert_int_equal(pthread_barrier_init(&crowd->barrier, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, press_with_room, crowd), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned round = 0; round < ROUNDS; round++)
        assert_int_equal(atomic_load(&crowd->won[round]), 1);
    pthread_barrier_destroy(&crowd->barrier);
    replay_table_free(crowd->table);
    free(crowd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once),
        cmocka_unit_test(full),
        cmocka_unit_test(crowd),
        cmocka_unit_test(exactly_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
