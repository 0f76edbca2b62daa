/* world/load - a start from the store gives the same world in any order of its changes. */
#include "fixture.h"

enum { CHANGES = 9 };

static void
fill(struct change changes[CHANGES])
{
    changes[0] = object(CHANGE_ROLE_PUT, "support", "{\"allow\":[\"orders:GET:/**\"]}");
    changes[1] = object(CHANGE_SUBJECT_PUT, "nightly",
                        "{\"type\":\"service\",\"roles\":[\"support\"]}");
    changes[2] = issued(1);
    changes[3] = rotated(1, 1, 2, MS_MINUTE);
    changes[4] = rotated(1, 2, 3, MS_MINUTE);
    changes[4].token.issued_at = NOW + 2;
    changes[5] = child_of(1, 4);
    changes[6] = about(CHANGE_LINE_USED, 1, NOW + 30);
    changes[6].uses = 12;
    changes[7] = issued(5);
    changes[8] = about(CHANGE_LINE_REVOKED, 5, NOW - 1);
}

static void
check(struct fixture *f)
{
    struct world_token_info info;
    struct token_id id = id_of(1), newest = id_of(3);

    assert_int_equal(world_token_count(f->world), 5);
    assert_int_equal(verdict_at(f, 1, NOW + MS_SECOND), CREDENTIAL_OK);
    assert_int_equal(verdict_at(f, 1, NOW + MS_MINUTE), CREDENTIAL_EXPIRED);
    assert_int_equal(verdict_at(f, 2, NOW + MS_MINUTE), CREDENTIAL_EXPIRED);
    assert_int_equal(verdict_at(f, 3, NOW + MS_MINUTE), CREDENTIAL_OK);
    assert_int_equal(verdict_at(f, 4, NOW + MS_MINUTE), CREDENTIAL_OK);
    assert_int_equal(verdict(f, 5), CREDENTIAL_REVOKED);
    assert_true(world_token(f->world, &id, NOW, &info));
    assert_true(token_id_equal(&info.newest, &newest));
    assert_int_equal(info.life.uses, 12);
    assert_int_equal(info.life.last_used, NOW + 30);
    assert_true(slice_is(info.record.subject, "nightly"));
    assert_true(slice_is(info.record.roles, "support"));
    assert_true(slice_is(info.record.issued_by, "local:0"));
    assert_int_equal(info.record.issued_at, NOW);
}

static void
any_order(void **state)
{
    struct change changes[CHANGES];

    fill(changes);
    for (unsigned seed = 0; seed < 60; seed++) {
        struct fixture f = fixture_empty();
        unsigned order = seed;

        for (int i = CHANGES - 1; i > 0; i--) {
            struct change swapped = changes[i];
            int with;
            order = order * 1103515245u + 12345u;
            with = (int)(order >> 16) % (i + 1);
            changes[i] = changes[with];
            changes[with] = swapped;
        }
        for (int i = 0; i < CHANGES; i++)
            assert_int_equal(world_load(f.world, &changes[i]), STATUS_OK);
        fixture_loaded(&f);
        check(&f);
        fixture_free(&f);
    }
}

/* What was forgotten leaves members and children behind in the store. */
static void
shells(void **state)
{
    struct fixture f = fixture_empty();
    struct change changes[] = {
        object(CHANGE_SUBJECT_PUT, "nightly", "{\"type\":\"service\"}"),
        rotated(1, 1, 2, MS_MINUTE),
        child_of(1, 3),
        child_of(8, 4),
        about(CHANGE_LINE_REVOKED, 9, NOW),
    };

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        assert_int_equal(world_load(f.world, &changes[i]), STATUS_OK);
    fixture_loaded(&f);
    assert_int_equal(world_token_count(f.world), 3);
    assert_int_equal(verdict(&f, 1), CREDENTIAL_UNKNOWN);
    assert_int_equal(verdict_at(&f, 2, NOW + 1), CREDENTIAL_OK);
    assert_int_equal(verdict_at(&f, 3, NOW + 1), CREDENTIAL_OK);
    assert_int_equal(verdict(&f, 4), CREDENTIAL_REVOKED);
    apply(&f, about(CHANGE_LINE_REVOKED, 1, NOW));
    assert_int_equal(verdict_at(&f, 3, NOW + 1), CREDENTIAL_REVOKED);
    assert_int_equal(try_change(&f, about(CHANGE_LINE_REVOKED, 9, NOW)), STATUS_NOT_FOUND);
    apply(&f, issued(9));
    fixture_free(&f);
}

static void
damaged(void **state)
{
    struct change twice = issued(1);
    struct change of_member = about(CHANGE_LINE_REVOKED, 3, NOW), member = rotated(1, 1, 3, 0);
    struct fixture f = fixture_empty();

    assert_int_equal(world_load(f.world, &twice), STATUS_OK);
    assert_int_equal(world_load(f.world, &twice), STATUS_CORRUPT);
    assert_int_equal(world_load(f.world, &member), STATUS_OK);
    assert_int_equal(world_load(f.world, &of_member), STATUS_CORRUPT);
    fixture_free(&f);

    f = fixture_empty();
    struct change role = object(CHANGE_SUBJECT_PUT, "ann",
                                "{\"type\":\"user\",\"roles\":[\"missing\"]}");
    assert_int_equal(world_load(f.world, &role), STATUS_OK);
    assert_int_not_equal(world_loaded(f.world, &f.fault), STATUS_OK);
    fixture_free(&f);
}

static bool
count_one(void *context, const struct token_id *id)
{
    size_t *count = context;

    (*count)++;
    return true;
}

static bool
stop_at_once(void *context, const struct token_id *id)
{
    size_t *count = context;

    (*count)++;
    return false;
}

/* Growth, forgetting and reuse of a few thousand, all found at every step. */
static void
grows_and_forgets(void **state)
{
    enum { MANY = 6000 };
    struct fixture f = fixture_new();
    struct token_id id;
    struct world_token_info info;
    size_t seen = 0;

    for (unsigned i = 1; i <= MANY; i++)
        apply(&f, issued(i));
    assert_int_equal(world_token_count(f.world), MANY);
    for (unsigned i = 1; i <= MANY; i++) {
        id = id_of(i);
        assert_true(world_token(f.world, &id, NOW, &info));
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 1; i <= MANY; i += 2)
            apply(&f, about(CHANGE_TOKEN_FORGOTTEN, i, NOW));
        world_quiescent(f.reader);
        world_reclaim(f.world);
        for (unsigned i = 1; i <= MANY; i++) {
            id = id_of(i);
            assert_int_equal(world_token(f.world, &id, NOW, &info), i % 2 == 0);
        }
        for (unsigned i = 1; i <= MANY; i += 2)
            apply(&f, issued(i));
    }
    world_each_token(f.world, count_one, &seen);
    assert_int_equal(seen, MANY);
    seen = 0;
    world_each_token(f.world, stop_at_once, &seen);
    assert_int_equal(seen, 1);
    fixture_free(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),
        cmocka_unit_test(shells),
        cmocka_unit_test(damaged),
        cmocka_unit_test(grows_and_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
