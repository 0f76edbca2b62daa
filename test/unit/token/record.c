/* token/record - the rules of a token's life, at their edges. */
#include "fixture.h"

static struct token_record
record(void)
{
    return (struct token_record){ .issued_at = 1000, .not_before = 1000, .expires_at = 9000,
                                  .idle_ms = TIME_NEVER, .max_uses = USES_UNLIMITED };
}

static struct token_life
life(void)
{
    return (struct token_life){ .revoked_at = TIME_NEVER, .expires_at = 9000 };
}

static void
times(void **state)
{
    struct token_record r = record();
    struct token_life l = life();

    assert_int_equal(token_state_at(&r, &l, 999), TOKEN_NOT_YET);
    assert_int_equal(token_state_at(&r, &l, 1000), TOKEN_LIVE);
    assert_int_equal(token_state_at(&r, &l, 8999), TOKEN_LIVE);
    assert_int_equal(token_state_at(&r, &l, 9000), TOKEN_EXPIRED);
    l.expires_at = 5000; /* rotated away: the member's own end counts, not the record's */
    assert_int_equal(token_state_at(&r, &l, 5000), TOKEN_EXPIRED);
}

static void
revoked_beats_all(void **state)
{
    struct token_record r = record();
    struct token_life l = life();

    l.revoked_at = 2000;
    assert_int_equal(token_state_at(&r, &l, 1500), TOKEN_REVOKED);
    assert_int_equal(token_state_at(&r, &l, 0), TOKEN_REVOKED);
    assert_int_equal(token_state_at(&r, &l, 99999), TOKEN_REVOKED);
}

static void
idle(void **state)
{
    struct token_record r = record();
    struct token_life l = life();

    r.idle_ms = 500;
    assert_int_equal(token_state_at(&r, &l, 1499), TOKEN_LIVE);
    assert_int_equal(token_state_at(&r, &l, 1500), TOKEN_IDLE);
    l.last_used = 1400;
    assert_int_equal(token_state_at(&r, &l, 1899), TOKEN_LIVE);
    assert_int_equal(token_state_at(&r, &l, 1900), TOKEN_IDLE);
    l.last_used = 500; /* of a predecessor, before this member was issued */
    assert_int_equal(token_state_at(&r, &l, 1499), TOKEN_LIVE);
    l.last_used = INT64_MAX; /* a clock that went back */
    assert_int_equal(token_state_at(&r, &l, 1499), TOKEN_LIVE);
}

static void
exhausted(void **state)
{
    struct token_record r = record();
    struct token_life l = life();

    r.max_uses = 2;
    l.uses = 1;
    assert_int_equal(token_state_at(&r, &l, 2000), TOKEN_LIVE);
    l.uses = 2;
    assert_int_equal(token_state_at(&r, &l, 2000), TOKEN_EXHAUSTED);
    l.uses = 3;
    assert_int_equal(token_state_at(&r, &l, 2000), TOKEN_EXHAUSTED);
    assert_int_equal(token_state_at(&r, &l, 9000), TOKEN_EXPIRED);
    r.max_uses = 0;
    l.uses = 0;
    assert_int_equal(token_state_at(&r, &l, 2000), TOKEN_EXHAUSTED);
    r.max_uses = USES_UNLIMITED;
    l.uses = USES_UNLIMITED;
    assert_int_equal(token_state_at(&r, &l, 2000), TOKEN_LIVE);
}

static void
names(void **state)
{
    assert_string_equal(token_state_name(TOKEN_LIVE), "live");
    assert_string_equal(token_state_name(TOKEN_NOT_YET), "not_yet_valid");
    assert_string_equal(token_state_name(TOKEN_REVOKED), "revoked");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),     cmocka_unit_test(revoked_beats_all), cmocka_unit_test(idle),
        cmocka_unit_test(exhausted), cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
