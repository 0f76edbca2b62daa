/* world/uses - uses are counted all or none, never twice, and come out for the store. */
#include <pthread.h>
#include <stdatomic.h>

#include "fixture.h"

static struct credential
credential_of(struct fixture *f, unsigned number)
{
    struct credential credential;
    char text[TOKEN_TEXT_SIZE + 1];

    text_of(f, number, text);
    assert_int_equal(present(f, slice_text(text), NOW, &credential), CREDENTIAL_OK);
    return credential;
}

static uint32_t
uses_of(struct fixture *f, unsigned number)
{
    struct world_token_info info;
    struct token_id id = id_of(number);

    assert_true(world_token(f->world, &id, NOW, &info));
    return info.life.uses;
}

static void
counted(struct fixture *f, unsigned parent_most, unsigned child_most)
{
    struct change change = issued(1);

    change.token.max_uses = parent_most;
    apply(f, change);
    change = child_of(1, 2);
    change.token.max_uses = child_most;
    apply(f, change);
}

static void
all_or_none(void **state)
{
    struct fixture f = fixture_new();

    counted(&f, 2, 5);
    struct credential credential = credential_of(&f, 2);
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_TAKEN);
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_TAKEN);
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_EXHAUSTED);
    assert_int_equal(uses_of(&f, 1), 2);
    assert_int_equal(uses_of(&f, 2), 2);
    assert_int_equal(verdict(&f, 2), CREDENTIAL_EXHAUSTED);
    fixture_free(&f);
}

static void
not_after_its_end(void **state)
{
    struct fixture f = fixture_new();
    struct token_id lines[TOKEN_DEPTH_MAX], id = id_of(2);
    size_t count;

    counted(&f, 5, 5);
    struct credential credential = credential_of(&f, 2);
    apply(&f, about(CHANGE_LINE_REVOKED, 1, NOW));
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_EXHAUSTED);
    assert_int_equal(world_claim(f.world, &id, NOW, lines, &count), USE_EXHAUSTED);
    id = id_of(77);
    assert_int_equal(world_claim(f.world, &id, NOW, lines, &count), USE_EXHAUSTED);
    assert_int_equal(uses_of(&f, 2), 0);
    fixture_free(&f);
}

static void
one_time(void **state)
{
    struct fixture f = fixture_new();
    struct token_id lines[TOKEN_DEPTH_MAX], id = id_of(2);
    size_t count = 0;

    counted(&f, 5, 1);
    struct credential credential = credential_of(&f, 2);
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_CLAIM);
    assert_int_equal(uses_of(&f, 1), 0);
    assert_int_equal(world_claim(f.world, &id, NOW, lines, &count), USE_TAKEN);
    assert_int_equal(count, 1);
    assert_true(token_id_equal(&lines[0], &id));
    assert_int_equal(uses_of(&f, 1), 1);
    assert_int_equal(world_claim(f.world, &id, NOW, lines, &count), USE_EXHAUSTED);
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_EXHAUSTED);
    assert_int_equal(uses_of(&f, 1), 1);
    /* An ancestor may be the one-time token. */
    struct change change = issued(11);
    change.token.max_uses = 1;
    apply(&f, change);
    apply(&f, child_of(11, 12));
    credential = credential_of(&f, 12);
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_CLAIM);
    id = id_of(12);
    assert_int_equal(world_claim(f.world, &id, NOW, lines, &count), USE_TAKEN);
    id = id_of(11);
    assert_int_equal(count, 1);
    assert_true(token_id_equal(&lines[0], &id));
    fixture_free(&f);
}

struct drained {
    unsigned lines;
    uint32_t uses[8];
    int64_t last[8];
};

static void
note_drained(void *context, const struct token_id *line, uint32_t uses, int64_t last_used)
{
    struct drained *drained = context;

    drained->lines++;
    drained->uses[line->bytes[3]] = uses;
    drained->last[line->bytes[3]] = last_used;
}

static void
drain(struct fixture *f, size_t most, struct drained *out)
{
    *out = (struct drained){ 0 };
    for (unsigned kind = 0; kind < WORLD_USED_KINDS; kind++)
        world_drain_used(f->world, kind, most, note_drained, out);
}

static void
drains(void **state)
{
    struct fixture f = fixture_new();
    struct drained drained = { 0 };

    counted(&f, USES_UNLIMITED, 9);
    apply(&f, issued(3));
    struct credential credential = credential_of(&f, 2);
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_TAKEN);
    assert_int_equal(world_use(f.reader, &credential, NOW + 10), USE_TAKEN);
    drain(&f, SIZE_MAX, &drained);
    assert_int_equal(drained.lines, 2);
    assert_int_equal(drained.uses[1], 2);
    assert_int_equal(drained.uses[2], 2);
    assert_int_equal(drained.last[2], NOW); /* the same second is written once */
    drain(&f, SIZE_MAX, &drained);
    assert_int_equal(drained.lines, 0);
    assert_int_equal(world_use(f.reader, &credential, NOW + 2000), USE_TAKEN);
    drain(&f, SIZE_MAX, &drained);
    assert_int_equal(drained.uses[2], 3);
    assert_int_equal(drained.last[2], NOW + 2000);
    fixture_free(&f);
}

/* Limited lines apart from free ones, a few at a time; none is met twice or lost. */
static void
drains_in_parts(void **state)
{
    struct fixture f = fixture_new();
    struct change idle = issued(4), limited = issued(5);
    struct drained drained = { 0 };
    struct credential credential;

    idle.token.idle_ms = MS_HOUR;
    limited.token.max_uses = 9;
    apply(&f, idle);
    apply(&f, limited);
    for (unsigned i = 1; i <= 3; i++)
        apply(&f, issued(i));
    for (unsigned i = 1; i <= 5; i++) {
        credential = credential_of(&f, i);
        assert_int_equal(world_use(f.reader, &credential, NOW), USE_TAKEN);
    }
    world_drain_used(f.world, WORLD_USED_LIMITED, SIZE_MAX, note_drained, &drained);
    assert_int_equal(drained.lines, 2);
    assert_int_equal(drained.uses[4] + drained.uses[5], 2);
    drained = (struct drained){ 0 };
    world_drain_used(f.world, WORLD_USED_FREE, 2, note_drained, &drained);
    assert_int_equal(drained.lines, 2);
    /* Those that wait are met once, with what was used meanwhile. */
    for (unsigned i = 1; i <= 3; i++) {
        credential = credential_of(&f, i);
        assert_int_equal(world_use(f.reader, &credential, NOW), USE_TAKEN);
    }
    drained = (struct drained){ 0 };
    world_drain_used(f.world, WORLD_USED_FREE, 2, note_drained, &drained);
    assert_int_equal(drained.lines, 1);
    assert_int_equal(drained.uses[1] + drained.uses[2] + drained.uses[3], 2);
    world_drain_used(f.world, WORLD_USED_FREE, 2, note_drained, &drained);
    assert_int_equal(drained.lines, 3);
    assert_int_equal(drained.uses[1] + drained.uses[2] + drained.uses[3], 6);
    drain(&f, SIZE_MAX, &drained);
    assert_int_equal(drained.lines, 0);
    fixture_free(&f);
}

/* What the store or another node says never takes a count back. */
static void
never_backwards(void **state)
{
    struct fixture f = fixture_new();
    struct world_token_info info;
    struct token_id id = id_of(1);
    struct change change = about(CHANGE_LINE_USED, 1, NOW + 500);

    apply(&f, issued(1));
    change.uses = 7;
    apply(&f, change);
    change.uses = 3;
    change.at = NOW;
    apply(&f, change);
    assert_true(world_token(f.world, &id, NOW, &info));
    assert_int_equal(info.life.uses, 7);
    assert_int_equal(info.life.last_used, NOW + 500);
    fixture_free(&f);
}

/* A line that was used and is forgotten before the drain. */
static void
forgotten_undrained(void **state)
{
    struct fixture f = fixture_new();
    struct drained drained = { 0 };

    apply(&f, issued(1));
    struct credential credential = credential_of(&f, 1);
    assert_int_equal(world_use(f.reader, &credential, NOW), USE_TAKEN);
    apply(&f, about(CHANGE_TOKEN_FORGOTTEN, 1, NOW));
    world_quiescent(f.reader);
    world_reclaim(f.world);
    drain(&f, SIZE_MAX, &drained);
    assert_int_equal(drained.lines, 0);
    world_reclaim(f.world);
    fixture_free(&f);
}

enum { THREADS = 4, EACH = 500, MOST = 1000 };

struct contest {
    struct fixture *fixture;
    _Atomic unsigned taken;
};

static void *
use_many(void *context)
{
    struct contest *contest = context;
    struct world_reader *reader;
    struct arena arena;
    struct credential credential;
    char text[TOKEN_TEXT_SIZE + 1];
    struct token_id id = id_of(2);
    struct keyring_state *ring;

    if (world_reader_new(contest->fixture->world, &reader) != STATUS_OK ||
        keyring_state_new(&ring) != STATUS_OK ||
        keyring_state_follow(ring, world_keyring(contest->fixture->world)) != STATUS_OK ||
        token_write(&id, KID, ring, text) != STATUS_OK)
        abort();
    arena_init(&arena, 1 << 16);
    for (int i = 0; i < EACH; i++) {
        arena_reset(&arena);
        if (world_authenticate(reader, slice_text(text), NOW, &arena, &credential) ==
                CREDENTIAL_OK &&
            world_use(reader, &credential, NOW + i) == USE_TAKEN)
            atomic_fetch_add(&contest->taken, 1);
        world_quiescent(reader);
    }
    arena_free(&arena);
    keyring_state_free(ring);
    world_reader_free(reader);
    return NULL;
}

static void
contended(void **state)
{
    struct fixture f = fixture_new();
    struct contest contest = { .fixture = &f };
    pthread_t threads[THREADS];

    counted(&f, MOST, USES_UNLIMITED);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_many, &contest), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(contest.taken, MOST);
    assert_int_equal(uses_of(&f, 1), MOST);
    assert_int_equal(uses_of(&f, 2), MOST);
    fixture_free(&f);
}

/* Lanes use one child while the authority claims one-time children: the parent's uses
 * are spent exactly. */
static void
contended_claims(void **state)
{
    enum { CLAIMS = 300 };
    struct fixture f = fixture_new();
    struct contest contest = { .fixture = &f };
    struct token_id lines[TOKEN_DEPTH_MAX], id;
    pthread_t threads[THREADS];
    unsigned claimed = 0;
    size_t count;

    counted(&f, MOST, USES_UNLIMITED);
    for (unsigned i = 0; i < CLAIMS; i++) {
        struct change change = child_of(1, 10 + i);
        change.token.max_uses = 1;
        apply(&f, change);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_many, &contest), 0);
    for (unsigned i = 0; i < 2 * CLAIMS; i++) {
        id = id_of(10 + i % CLAIMS);
        claimed += world_claim(f.world, &id, NOW, lines, &count) == USE_TAKEN;
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(claimed <= CLAIMS);
    assert_int_equal(contest.taken + claimed, MOST);
    assert_int_equal(uses_of(&f, 1), MOST);
    fixture_free(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_or_none),         cmocka_unit_test(not_after_its_end),
        cmocka_unit_test(one_time),            cmocka_unit_test(drains),
        cmocka_unit_test(drains_in_parts),
        cmocka_unit_test(never_backwards),     cmocka_unit_test(forgotten_undrained),
        cmocka_unit_test(contended),           cmocka_unit_test(contended_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
