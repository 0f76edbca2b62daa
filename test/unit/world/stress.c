/* world/stress - readers at work while a writer issues, rotates, revokes, forgets and
 * grows: made for ThreadSanitizer and AddressSanitizer. */
#include <pthread.h>
#include <stdatomic.h>

#include "fixture.h"

enum { READERS = 3, ROUNDS = 1000, BATCH = 8 };

struct stress {
    struct fixture fixture;
    _Atomic unsigned issued;   /* tokens 1 … issued exist or existed */
    _Atomic unsigned revoking; /* beyond it nothing is dead */
    _Atomic unsigned revoked;  /* tokens 1 … revoked are dead */
    _Atomic bool done;
    _Atomic unsigned wrong, passed;
};

struct seat {
    struct stress *stress;
    struct world_reader *reader;
    struct keyring_state *ring;
    unsigned seed;
};

/* One token, somewhere in what was issued so far. What was revoked before the look
 * must be refused; what is issued and young must pass. */
static void
look(struct seat *seat, struct arena *arena)
{
    struct stress *stress = seat->stress;
    struct credential credential;
    struct request request = { .resource = SLICE_LITERAL("orders"), .action = SLICE_LITERAL("GET"),
                               .object = SLICE_LITERAL("/v1/orders/1") };
    char text[TOKEN_TEXT_SIZE + 1];
    unsigned dead = atomic_load(&stress->revoked), alive = atomic_load(&stress->issued);
    struct token_id id;
    enum credential_verdict verdict;
    size_t count;
    uint64_t generation;

    if (alive == 0)
        return;
    seat->seed = seat->seed * 1103515245u + 12345u;
    unsigned among = alive < 6 * BATCH ? alive : 6 * BATCH;
    unsigned number = alive - (seat->seed >> 8) % among;
    id = id_of(number);
    if (token_write(&id, KID, seat->ring, text) != STATUS_OK)
        abort();
    arena_reset(arena);
    verdict = world_authenticate(seat->reader, slice_text(text), NOW, arena, &credential);
    if (verdict == CREDENTIAL_OK) {
        if (number <= dead ||
            !decision_allows(policy_decide(world_policy(seat->reader), &credential.lineage,
                                           &request, NOW, arena)))
            atomic_fetch_add(&stress->wrong, 1);
        /* May be refused: a revocation comes at any moment. */
        if (world_use(seat->reader, &credential, NOW + number * 100) == USE_TAKEN)
            atomic_fetch_add(&stress->passed, 1);
    } else if (number > atomic_load(&stress->revoking)) {
        atomic_fetch_add(&stress->wrong, 1);
    }
    (void)world_upstreams(seat->reader, &count, &generation);
}

static void *
read_on(void *context)
{
    struct seat *seat = context;
    struct arena arena;

    arena_init(&arena, 1 << 16);
    while (!atomic_load(&seat->stress->done)) {
        look(seat, &arena);
        world_quiescent(seat->reader);
    }
    arena_free(&arena);
    return NULL;
}

static void
ignore_used(void *context, const struct token_id *line, uint32_t uses, int64_t last_used)
{
}

/* Each round issues a batch, the second half of it children of the first. Of the batch
 * before last all is revoked; of the one before that all is forgotten. */
static void
write_round(struct stress *stress, unsigned round)
{
    struct fixture *f = &stress->fixture;
    struct change changes[BATCH];
    unsigned base = round * BATCH;

    for (unsigned i = 0; i < BATCH; i++) {
        changes[i] = i < BATCH / 2 ? issued(base + i + 1)
                                   : child_of(base + i + 1 - BATCH / 2, base + i + 1);
        changes[i].token.scope = round % 2 == 0 ? SLICE_LITERAL("orders:GET:/v1/**")
                                                : SLICE_LITERAL("orders:GET:/v1/orders/*");
    }
    assert_int_equal(try_changes(f, changes, BATCH), STATUS_OK);
    atomic_store(&stress->issued, base + BATCH);
    if (round >= 2) {
        unsigned old = base - 2 * BATCH;
        for (unsigned i = 0; i < BATCH / 2; i++)
            changes[i] = about(CHANGE_LINE_REVOKED, old + i + 1, NOW);
        atomic_store(&stress->revoking, old + BATCH);
        assert_int_equal(try_changes(f, changes, BATCH / 2), STATUS_OK);
        atomic_store(&stress->revoked, old + BATCH);
    }
    if (round >= 4) {
        unsigned old = base - 4 * BATCH;
        for (unsigned i = 0; i < BATCH; i++)
            changes[i] = about(CHANGE_TOKEN_FORGOTTEN, old + i + 1, NOW);
        assert_int_equal(try_changes(f, changes, BATCH), STATUS_OK);
    }
}

static void
write_policy(struct stress *stress, unsigned round)
{
    struct fixture *f = &stress->fixture;
    char body[128];

    snprintf(body, sizeof body, "{\"allow\":[\"orders:GET|HEAD:/v1/orders/**\",\"x:GET:/%u\"]}",
             round);
    apply(f, object(CHANGE_ROLE_PUT, "support", body));
    apply(f, object(CHANGE_UPSTREAM_PUT, round % 3 == 0 ? "orders" : "other",
                    "{\"type\":\"http\"}"));
    world_set_keyring(f->world, ring_of(KID));
    struct change hop = about(CHANGE_HOP_REVOKED, round, NOW);
    hop.expires_at = NOW + 1;
    apply(f, hop);
}

static void
readers_and_writer(void **state)
{
    struct stress stress = { .fixture = fixture_new() };
    struct fixture *f = &stress.fixture;
    struct seat seats[READERS];
    pthread_t threads[READERS];

    for (unsigned i = 0; i < READERS; i++) {
        seats[i] = (struct seat){ .stress = &stress, .seed = i };
        assert_int_equal(world_reader_new(f->world, &seats[i].reader), STATUS_OK);
        assert_int_equal(keyring_state_new(&seats[i].ring), STATUS_OK);
        assert_int_equal(keyring_state_follow(seats[i].ring, world_keyring(f->world)), STATUS_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &seats[i]), 0);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        write_round(&stress, round);
        if (round % 8 == 0)
            write_policy(&stress, round);
        if (round % 4 == 0)
            world_drain_used(f->world, round % 8 == 0 ? WORLD_USED_FREE : WORLD_USED_LIMITED, 3,
                             ignore_used, NULL);
        world_quiescent(f->reader);
        world_reclaim(f->world);
    }
    while (atomic_load(&stress.passed) < 100)
        ;
    atomic_store(&stress.done, true);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        world_reader_free(seats[i].reader);
        keyring_state_free(seats[i].ring);
    }
    assert_int_equal(stress.wrong, 0);
    assert_int_equal(world_token_count(f->world), 4 * BATCH);
    fixture_free(f);
}

/* Members of one line rotate while it is used: the uses go on with the line. */
static void
rotates_under_use(void **state)
{
    struct stress stress = { .fixture = fixture_new() };
    struct fixture *f = &stress.fixture;
    struct seat seat = { .stress = &stress };
    pthread_t thread;

    apply(f, issued(1));
    atomic_store(&stress.issued, 1);
    assert_int_equal(world_reader_new(f->world, &seat.reader), STATUS_OK);
    assert_int_equal(keyring_state_new(&seat.ring), STATUS_OK);
    assert_int_equal(keyring_state_follow(seat.ring, world_keyring(f->world)), STATUS_OK);
    assert_int_equal(pthread_create(&thread, NULL, read_on, &seat), 0);
    for (unsigned i = 2; i < 300; i++) {
        apply(f, rotated(1, i - 1, i, MS_HOUR));
        atomic_store(&stress.issued, i);
        world_quiescent(f->reader);
        world_reclaim(f->world);
    }
    while (atomic_load(&stress.passed) < 100)
        ;
    atomic_store(&stress.done, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    struct world_token_info info;
    struct token_id id = id_of(299);
    assert_true(world_token(f->world, &id, NOW, &info));
    assert_int_equal(info.life.uses, stress.passed);
    assert_int_equal(stress.wrong, 0);
    world_reader_free(seat.reader);
    keyring_state_free(seat.ring);
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_and_writer),
        cmocka_unit_test(rotates_under_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
