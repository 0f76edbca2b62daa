/* authority/handover - the last days of a rotated token: who shows it is told, and it
 * ends early when nobody does. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

/* A token that may read roles, rotated with ten minutes of grace. */
static void
rotated(struct fixture *f, struct issued *old, struct issued *next)
{
    char path[64];

    *old = with_rights(f, "reader2", "['writ:roles.read:*']");
    snprintf(path, sizeof path, "/v1/tokens/%s/rotate", old->id);
    expect(201, call(f, NULL, "POST", path, "{'grace': '10m'}"));
    snprintf(next->id, sizeof next->id, "%s", text(f, "id"));
    snprintf(next->token, sizeof next->token, "%s", text(f, "token"));
}

static void
use(struct fixture *f, const struct issued *token)
{
    expect(200, call(f, token->token, "GET", "/v1/roles", NULL));
}

static const json_t *
show(struct fixture *f, const struct issued *token)
{
    char path[64];

    snprintf(path, sizeof path, "/v1/tokens/%s", token->id);
    expect(200, call(f, NULL, "GET", path, NULL));
    return json_object_get(f->body, "predecessor");
}

static const char *
member(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value == NULL ? "" : value;
}

static void
holders_are_told(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old, next, other = issue(f, "amara", "");
    const json_t *holders;

    rotated(f, &old, &next);
    assert_string_equal(member(show(f, &next), "id"), old.id);
    assert_true(
        json_is_null(json_object_get(json_object_get(f->body, "predecessor"), "last_used")));
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(f->body, "predecessor"), "holders")), 0);
    f->now += MS_SECOND;
    use(f, &next);
    use(f, &old);
    use(f, &old);
    f->peer.bytes[3] = 7;
    use(f, &old);
    holders = json_object_get(show(f, &next), "holders");
    assert_int_equal(json_array_size(holders), 2);
    assert_string_equal(member(json_array_get(holders, 0), "peer"), "127.0.0.7");
    assert_string_equal(member(json_array_get(holders, 1), "peer"), "127.0.0.1");
    assert_true(member(json_object_get(f->body, "predecessor"), "last_used")[0] != '\0');
    assert_true(member(json_array_get(holders, 0), "last_used")[0] != '\0');
    /* The other way, and of what was never rotated nothing. */
    assert_null(show(f, &old));
    assert_string_equal(text(f, "successor"), next.id);
    assert_null(show(f, &other));
    assert_null(json_object_get(f->body, "successor"));
    /* What is over has no holders. */
    f->now += 11 * MS_MINUTE;
    assert_null(show(f, &next));
    fixture_free(f);
}

static void
ends_when_nobody_shows_it(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old, next;

    rotated(f, &old, &next);
    f->now += 100 * MS_SECOND;
    use(f, &next);
    f->now += 49 * MS_SECOND;
    handover_tick(f->authority, f->now);
    assert_int_equal(verdict(f, old.token), CREDENTIAL_OK);
    f->now += 2 * MS_SECOND; /* a quarter of the grace */
    handover_tick(f->authority, f->now);
    assert_int_equal(verdict(f, old.token), CREDENTIAL_EXPIRED);
    assert_int_equal(verdict(f, next.token), CREDENTIAL_OK);
    assert_true(f->announcements > 0);
    fixture_reopen(f);
    assert_int_equal(verdict(f, old.token), CREDENTIAL_EXPIRED);
    assert_int_equal(verdict(f, next.token), CREDENTIAL_OK);
    fixture_free(f);
}

static void
lives_while_somebody_shows_it(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old, next;

    rotated(f, &old, &next);
    f->now += 100 * MS_SECOND;
    use(f, &next);
    use(f, &old);
    f->now += 100 * MS_SECOND;
    use(f, &next);
    handover_tick(f->authority, f->now);
    assert_int_equal(verdict(f, old.token), CREDENTIAL_OK);
    f->now += 60 * MS_SECOND;
    handover_tick(f->authority, f->now);
    assert_int_equal(verdict(f, old.token), CREDENTIAL_EXPIRED);
    fixture_free(f);
}

/* The successor may have been lost: its predecessor is all that there is. */
static void
lives_while_the_successor_is_unused(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old, next;

    rotated(f, &old, &next);
    f->now += 30 * MS_SECOND;
    use(f, &old);
    f->now += 9 * MS_MINUTE;
    handover_tick(f->authority, f->now);
    assert_int_equal(verdict(f, old.token), CREDENTIAL_OK);
    f->now += MS_MINUTE;
    assert_int_equal(verdict(f, old.token), CREDENTIAL_EXPIRED); /* the grace is over */
    fixture_free(f);
}

/* A process that has just begun has not seen who shows it. */
static void
a_restart_judges_nobody(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old, next;

    rotated(f, &old, &next);
    f->authority->options.started_at = f->now + 2 * MS_MINUTE;
    f->now += 3 * MS_MINUTE;
    use(f, &next);
    handover_tick(f->authority, f->now);
    assert_int_equal(verdict(f, old.token), CREDENTIAL_OK);
    f->now += 2 * MS_MINUTE;
    handover_tick(f->authority, f->now);
    assert_int_equal(verdict(f, old.token), CREDENTIAL_EXPIRED);
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holders_are_told),
        cmocka_unit_test(ends_when_nobody_shows_it),
        cmocka_unit_test(lives_while_somebody_shows_it),
        cmocka_unit_test(lives_while_the_successor_is_unused),
        cmocka_unit_test(a_restart_judges_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
