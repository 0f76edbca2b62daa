/* test/unit/store/shared.c - a store with several writers: their order, what each sees of the
 * others, and a server that goes away. */
#include "fixture.h"

#include <poll.h>

#include "db/pg.h"

static enum status
count_batch(void *context, const struct change *changes, size_t count)
{
    *(size_t *)context += count;
    for (size_t i = 0; i < count; i++)
        assert_true(changes[i].kind == CHANGE_TOKEN_ISSUED ||
                    changes[i].kind == CHANGE_LINE_REVOKED);
    return STATUS_OK;
}

static size_t
follow(struct store *store)
{
    struct fault fault = { 0 };
    size_t count = 0;

    if (store_follow(store, count_batch, &count, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    return count;
}

static void
who_has_not_seen_all_writes_nothing(void **state)
{
    struct store *one = opened(), *two = opened();
    struct change first = issued(1), second = issued(2);
    struct fault fault = { 0 };
    uint64_t seq = 42;

    assert_true(store_is_shared(one));
    append(one, &first, 1);
    assert_int_equal(store_append(two, &second, 1, &seq, &fault), STATUS_BEHIND);
    assert_int_equal(seq, 42);
    assert_int_equal(load_count(one), 1);
    store_close(two);
    two = opened();
    assert_int_equal(load_count(two), 1); /* load takes the place in the log along */
    append(two, &second, 1);
    assert_int_equal(store_seq(two), 2);
    assert_int_equal(follow(one), 1);
    assert_int_equal(follow(one), 0);
    assert_int_equal(store_seq(one), 2);
    store_close(one);
    store_close(two);
}

static void
the_others_are_told(void **state)
{
    struct store *one = opened(), *two = opened();
    struct change change = issued(1);
    struct pollfd wait;

    assert_int_equal(load_count(two), 0);
    (void)store_woken(two); /* of what came before it listened */
    assert_false(store_woken(two));
    append(one, &change, 1);
    wait = (struct pollfd){ .fd = store_descriptor(two), .events = POLLIN };
    assert_int_equal(poll(&wait, 1, 5000), 1);
    assert_true(store_woken(two));
    assert_int_equal(follow(two), 1);
    assert_false(store_woken(two));
    store_close(one);
    store_close(two);
}

/* Ends every connection but its own, as a fail-over does. */
static void
cut_connections(void)
{
    struct fault fault = { 0 };
    struct pg *pg;

    assert_int_equal(pg_open(&(struct pg_options){ .url = store_url() }, &pg, &fault), STATUS_OK);
    assert_int_equal(pg_run(pg,
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            " WHERE pid <> pg_backend_pid() AND application_name = 'writ';"
                            "SELECT pg_sleep(0.3)", /* until they are gone */
                            &fault),
                     STATUS_OK);
    pg_close(pg);
}

static void
a_lost_connection_is_made_again(void **state)
{
    struct store *store = opened();
    struct change first = issued(1), second = issued(2), revoked = line_revoked(1, 7);

    append(store, &first, 1);
    cut_connections();
    append(store, &second, 1);
    assert_int_equal(store_seq(store), 2);
    cut_connections();
    assert_int_equal(load_count(store), 2);
    append(store, &revoked, 1);
    assert_int_equal(load_count(store), 3);
    store_close(store);
}

/* A batch is whole or not there, and one that fails leaves the connection good. */
static void
a_batch_that_fails_changes_nothing(void **state)
{
    struct store *store = opened();
    struct change good[] = { issued(1), issued(2) }, bad[] = { issued(3), issued(1) };
    struct change nameless = named(CHANGE_ROLE_PUT, "", "x");
    struct fault fault = { 0 };
    uint64_t seq = 0;

    append(store, good, 2);
    assert_int_equal(store_append(store, bad, 2, &seq, &fault), STATUS_CONFLICT);
    assert_int_equal(store_append(store, &nameless, 1, &seq, &fault), STATUS_INVALID);
    assert_int_equal(load_count(store), 2);
    bad[1] = issued(4);
    append(store, bad, 2);
    assert_int_equal(store_seq(store), 4);
    assert_int_equal(load_count(store), 4);
    store_close(store);
}

static void
a_node_that_is_too_old_does_not_start(void **state)
{
    struct store *store = opened();
    struct fault fault = { 0 };
    struct pg *pg;

    store_close(store);
    assert_int_equal(pg_open(&(struct pg_options){ .url = store_url() }, &pg, &fault), STATUS_OK);
    assert_int_equal(pg_run(pg, "UPDATE meta SET value = 99 WHERE name = 'schema'", &fault),
                     STATUS_OK);
    pg_close(pg);
    assert_int_equal(store_open(&(struct store_options){ .url = store_url() }, &store, &fault),
                     STATUS_NEWER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_has_not_seen_all_writes_nothing, place_make,
                                        place_clear),
        cmocka_unit_test_setup_teardown(the_others_are_told, place_make, place_clear),
        cmocka_unit_test_setup_teardown(a_lost_connection_is_made_again, place_make, place_clear),
        cmocka_unit_test_setup_teardown(a_batch_that_fails_changes_nothing, place_make,
                                        place_clear),
        cmocka_unit_test_setup_teardown(a_node_that_is_too_old_does_not_start, place_make,
                                        place_clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
