/* world/picture - policy, upstreams and batches: checked before, visible after, or not at all. */
#include "fixture.h"

static void
wrong_policy(void **state)
{
    struct fixture f = fixture_new();
    const struct policy *before = world_policy(f.reader);
    uint64_t generation = world_generation(f.world);

    assert_int_not_equal(try_change(&f, object(CHANGE_ROLE_PUT, "bad", "{\"allow\":[\"x\"]}")),
                         STATUS_OK);
    assert_non_null(strstr(f.fault.text, "role bad"));
    assert_int_equal(try_change(&f, object(CHANGE_ROLE_PUT, "bad", "{")), STATUS_INVALID);
    assert_int_equal(try_change(&f, object(CHANGE_ROLE_PUT, "bad", "[]")), STATUS_INVALID);
    assert_int_not_equal(try_change(&f, object(CHANGE_SUBJECT_PUT, "ann",
                                               "{\"type\":\"user\",\"roles\":[\"nobody\"]}")),
                         STATUS_OK);
    assert_int_equal(try_change(&f, object(CHANGE_ROLE_DROPPED, "nobody", "")), STATUS_NOT_FOUND);
    assert_int_equal(try_change(&f, object(CHANGE_SUBJECT_DROPPED, "nobody", "")),
                     STATUS_NOT_FOUND);
    assert_ptr_equal(world_policy(f.reader), before);
    assert_int_equal(world_generation(f.world), generation);
    fixture_free(&f);
}

/* A batch with one wrong change leaves nothing behind. */
static void
all_or_nothing(void **state)
{
    struct fixture f = fixture_new();
    struct change changes[] = {
        issued(1),
        child_of(1, 2),
        rotated(1, 1, 3, MS_MINUTE),
        object(CHANGE_ROLE_PUT, "more", "{\"allow\":[\"orders:GET:/x\"]}"),
        object(CHANGE_UPSTREAM_PUT, "orders", "{\"type\":\"http\"}"),
        about(CHANGE_LINE_REVOKED, 77, NOW),
    };
    struct upstream_view const *views;
    uint64_t generation;
    size_t count;

    assert_int_equal(try_changes(&f, changes, 6), STATUS_NOT_FOUND);
    assert_int_equal(world_token_count(f.world), 0);
    assert_int_equal(verdict(&f, 1), CREDENTIAL_UNKNOWN);
    views = world_upstreams(f.reader, &count, &generation);
    assert_int_equal(count, 0);
    assert_int_equal(try_changes(&f, changes, 5), STATUS_OK);
    assert_int_equal(world_token_count(f.world), 3);
    assert_int_equal(verdict(&f, 2), CREDENTIAL_OK);
    assert_int_equal(verdict(&f, 3), CREDENTIAL_OK);
    views = world_upstreams(f.reader, &count, &generation);
    assert_int_equal(count, 1);
    assert_true(slice_is(views[0].name, "orders"));
    fixture_free(&f);
}

static void
abandoned(void **state)
{
    struct fixture f = fixture_new();
    struct change changes[] = { issued(1), child_of(1, 2), rotated(1, 1, 3, 0),
                                about(CHANGE_TOKEN_FORGOTTEN, 2, NOW),
                                object(CHANGE_ROLE_PUT, "more", "{\"allow\":[]}") };
    struct world_next *next, *second;

    assert_int_equal(world_prepare(f.world, changes, 5, &next, &f.fault), STATUS_OK);
    assert_int_equal(verdict(&f, 1), CREDENTIAL_UNKNOWN); /* unseen */
    assert_int_equal(world_prepare(f.world, changes, 5, &second, &f.fault), STATUS_INTERNAL);
    world_abandon(next);
    assert_int_equal(world_token_count(f.world), 0);
    assert_int_equal(try_changes(&f, changes, 5), STATUS_OK);
    assert_int_equal(verdict(&f, 2), CREDENTIAL_UNKNOWN);
    assert_int_equal(world_token_count(f.world), 2);
    fixture_free(&f);
}

static void
refused_tokens(void **state)
{
    struct fixture f = fixture_new();
    struct change twice[] = { issued(5), issued(5) };
    struct change change;

    apply(&f, issued(1));
    assert_int_equal(try_change(&f, issued(1)), STATUS_CONFLICT);
    assert_int_equal(try_changes(&f, twice, 2), STATUS_CONFLICT);
    assert_int_equal(try_change(&f, child_of(9, 2)), STATUS_NOT_FOUND);
    assert_int_equal(try_change(&f, rotated(1, 9, 2, 0)), STATUS_NOT_FOUND);
    assert_int_equal(try_change(&f, rotated(9, 1, 2, 0)), STATUS_NOT_FOUND);
    assert_int_equal(try_change(&f, rotated(1, 1, 1, 0)), STATUS_CONFLICT);
    assert_int_equal(try_change(&f, about(CHANGE_LINE_REVOKED, 9, NOW)), STATUS_NOT_FOUND);
    assert_int_equal(try_change(&f, about(CHANGE_LINE_USED, 9, NOW)), STATUS_NOT_FOUND);
    change = issued(2);
    change.token.line = id_of(1);
    assert_int_equal(try_change(&f, change), STATUS_INVALID);
    change = issued(2);
    change.token.subject = SLICE_LITERAL("");
    assert_int_equal(try_change(&f, change), STATUS_INVALID);
    change = issued(2);
    change.token.roles = SLICE_LITERAL("a  b");
    assert_int_equal(try_change(&f, change), STATUS_INVALID);
    change = issued(2);
    change.token.scope = SLICE_LITERAL("no right");
    assert_int_not_equal(try_change(&f, change), STATUS_OK);
    apply(&f, rotated(1, 1, 3, 0));
    assert_int_equal(try_change(&f, about(CHANGE_LINE_REVOKED, 3, NOW)), STATUS_NOT_FOUND);
    assert_int_equal(world_token_count(f.world), 2);
    fixture_free(&f);
}

static void
upstreams(void **state)
{
    struct fixture f = fixture_new();
    struct upstream_view const *views;
    uint64_t generation, later;
    size_t count;

    apply(&f, object(CHANGE_UPSTREAM_PUT, "b", "{\"type\":\"http\"}"));
    apply(&f, object(CHANGE_UPSTREAM_PUT, "a", "{\"type\":\"redis\",\"address\":\"x\"}"));
    apply(&f, object(CHANGE_UPSTREAM_PUT, "c", "{\"type\":\"mcp\"}"));
    views = world_upstreams(f.reader, &count, &generation);
    assert_int_equal(count, 3);
    assert_true(slice_is(views[0].name, "a"));
    assert_true(slice_is(views[0].type, "redis"));
    assert_true(slice_is(views[2].name, "c"));
    uint64_t a = views[0].version, b = views[1].version;
    apply(&f, object(CHANGE_UPSTREAM_PUT, "b", "{\"type\":\"postgres\"}"));
    views = world_upstreams(f.reader, &count, &later);
    assert_int_not_equal(later, generation);
    assert_int_equal(views[0].version, a);
    assert_int_not_equal(views[1].version, b);
    assert_true(slice_is(views[1].type, "postgres"));
    apply(&f, object(CHANGE_UPSTREAM_DROPPED, "a", ""));
    views = world_upstreams(f.reader, &count, &later);
    assert_int_equal(count, 2);
    assert_true(slice_is(views[0].name, "b"));
    static const char *const bad[][2] = {
        { "writ", "{\"type\":\"http\"}" },
        { "check", "{\"type\":\"http\"}" },
        { "Upper", "{\"type\":\"http\"}" },
        { "d", "{}" },
        { "d", "{\"type\":3}" },
        { "d", "{\"type\":\"\"}" },
        { "d", "[]" },
        { "d", "" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(try_change(&f, object(CHANGE_UPSTREAM_PUT, bad[i][0], bad[i][1])),
                         STATUS_INVALID);
    assert_int_equal(try_change(&f, object(CHANGE_UPSTREAM_DROPPED, "a", "")), STATUS_NOT_FOUND);
    fixture_free(&f);
}

#define ONE   "11111111111111111111111111111111"
#define OTHER "22222222222222222222222222222222"

static enum pin_state
see(struct fixture *f, const char *tool, const char *digest)
{
    return world_pin_see(f->reader, SLICE_LITERAL("srv"), slice_text(tool),
                         (const uint8_t *)digest);
}

static enum pin_state
pin(struct fixture *f, const char *tool)
{
    return world_pin(f->reader, SLICE_LITERAL("srv"), slice_text(tool));
}

static void
pinned_tools(void **state)
{
    struct fixture f = fixture_new();
    char long_name[PIN_NAME_MAX + 2] = "srv/";

    assert_int_equal(pin(&f, "add"), PIN_NEW);
    assert_int_equal(see(&f, "add", ONE), PIN_NEW);
    apply(&f, object(CHANGE_TOOL_APPROVED, "srv/add", ONE "{}"));
    apply(&f, object(CHANGE_TOOL_APPROVED, "srv/ns/add", ONE "{}"));
    apply(&f, object(CHANGE_TOOL_APPROVED, "other/add", OTHER "{}"));
    assert_int_equal(pin(&f, "add"), PIN_APPROVED);
    assert_int_equal(pin(&f, "ns/add"), PIN_APPROVED);
    assert_int_equal(pin(&f, "ad"), PIN_NEW);
    assert_int_equal(pin(&f, "addx"), PIN_NEW);
    assert_int_equal(pin(&f, ""), PIN_NEW);
    /* What one reader hears holds for all, and through changes of other tools. */
    assert_int_equal(see(&f, "add", OTHER), PIN_CHANGED);
    assert_int_equal(pin(&f, "add"), PIN_CHANGED);
    apply(&f, object(CHANGE_TOOL_APPROVED, "srv/more", ONE "{}"));
    assert_int_equal(pin(&f, "add"), PIN_CHANGED);
    assert_int_equal(pin(&f, "ns/add"), PIN_APPROVED);
    assert_int_equal(see(&f, "add", ONE), PIN_APPROVED);
    assert_int_equal(see(&f, "add", OTHER), PIN_CHANGED);
    apply(&f, object(CHANGE_TOOL_APPROVED, "srv/add", OTHER "{}"));
    assert_int_equal(pin(&f, "add"), PIN_APPROVED);
    assert_int_equal(see(&f, "add", ONE), PIN_CHANGED);
    apply(&f, object(CHANGE_TOOL_WITHDRAWN, "srv/add", ""));
    apply(&f, object(CHANGE_TOOL_WITHDRAWN, "srv/add", ""));
    assert_int_equal(pin(&f, "add"), PIN_NEW);
    assert_int_equal(pin(&f, "ns/add"), PIN_APPROVED);

    static const char *const bad[] = { "add", "/add", "srv/", "Srv/add", "" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(try_change(&f, object(CHANGE_TOOL_APPROVED, bad[i], ONE "{}")),
                         STATUS_INVALID);
    memset(long_name + 4, 'x', PIN_NAME_MAX - 3);
    assert_int_equal(try_change(&f, object(CHANGE_TOOL_APPROVED, long_name, ONE "{}")),
                     STATUS_INVALID);
    assert_int_equal(pin(&f, long_name + 4), PIN_NEW);
    assert_int_equal(try_change(&f, object(CHANGE_TOOL_APPROVED, "srv/short", ONE)),
                     STATUS_INVALID);
    fixture_free(&f);
}

static void
ignored(void **state)
{
    static const enum change_kind kinds[] = { CHANGE_KEY_PUT,        CHANGE_KEY_DROPPED,
                                              CHANGE_POLICY_APPLIED, CHANGE_AUDIT_HEAD,
                                              CHANGE_ANSWER_KEPT,    CHANGE_ANSWER_FORGOTTEN };
    struct fixture f = fixture_new();

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        apply(&f, object(kinds[i], "x", "y"));
    fixture_free(&f);
}

static void
generations(void **state)
{
    struct fixture f = fixture_new();
    struct change change = issued(1);
    struct world_next *next;

    world_quiescent(f.reader);
    assert_int_equal(world_prepare(f.world, &change, 1, &next, &f.fault), STATUS_OK);
    uint64_t generation = world_publish(next);
    assert_int_equal(world_generation(f.world), generation);
    assert_false(world_caught_up(f.world, generation));
    assert_true(world_caught_up(f.world, generation - 1));
    world_quiescent(f.reader);
    assert_int_equal(world_seen(f.reader), generation);
    assert_true(world_caught_up(f.world, generation));
    world_reader_free(f.reader);
    assert_true(world_caught_up(f.world, generation + 5));
    f.reader = NULL;
    fixture_free(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_policy), cmocka_unit_test(all_or_nothing),
        cmocka_unit_test(abandoned),    cmocka_unit_test(refused_tokens),
        cmocka_unit_test(upstreams),    cmocka_unit_test(ignored),
        cmocka_unit_test(generations),  cmocka_unit_test(pinned_tools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
