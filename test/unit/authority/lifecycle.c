/* authority/lifecycle - rotation, revocation, idempotency: each with its attack. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/encoding.h"
#include "token/text.h"

static unsigned
rotate(struct fixture *f, const char *caller, const char *id, const char *body)
{
    char path[96];

    snprintf(path, sizeof path, "/v1/tokens/%s/rotate", id);
    return call(f, caller, "POST", path, body);
}

static struct issued
successor(const struct fixture *f)
{
    struct issued out;

    snprintf(out.id, sizeof out.id, "%s", text(f, "id"));
    snprintf(out.token, sizeof out.token, "%s", text(f, "token"));
    return out;
}

static unsigned
revoke(struct fixture *f, const char *caller, const char *id)
{
    char path[96];

    snprintf(path, sizeof path, "/v1/tokens/%s", id);
    return call(f, caller, "DELETE", path, NULL);
}

static int64_t
member_time(const json_t *object, const char *member)
{
    int64_t at = 0;

    assert_int_equal(
        time_parse(slice_text(json_string_value(json_object_get(object, member))), &at), STATUS_OK);
    return at;
}

/* --- rotation ------------------------------------------------------------------------ */

static void
grace(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old =
        issue(f, "amara", ", 'scope': 'orders:GET:/v1/orders/*', 'ttl': '2h', 'name': 'n'");
    struct issued next;
    const json_t *predecessor;

    expect(201, rotate(f, NULL, old.id, "{'grace': '5m'}"));
    next = successor(f);
    predecessor = json_object_get(f->body, "predecessor");
    assert_string_equal(json_string_value(json_object_get(predecessor, "id")), old.id);
    assert_int_equal(member_time(predecessor, "expires_at"), f->now + 5 * MS_MINUTE);
    assert_int_equal(member_time(f->body, "expires_at"), f->now + 2 * MS_HOUR);
    assert_string_equal(text(f, "scope"), "orders:GET:/v1/orders/*");
    assert_string_equal(text(f, "name"), "n");
    assert_string_equal(text(f, "line"), old.id);
    assert_string_equal(text(f, "rotated_from"), old.id);
    assert_string_not_equal(next.token, old.token);
    assert_int_equal(verdict(f, old.token), CREDENTIAL_OK);
    assert_int_equal(verdict(f, next.token), CREDENTIAL_OK);
    f->now += 5 * MS_MINUTE;
    assert_int_equal(verdict(f, old.token), CREDENTIAL_EXPIRED);
    assert_int_equal(verdict(f, next.token), CREDENTIAL_OK);
    fixture_free(f);
}

static void
grace_never_prolongs(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old = issue(f, "amara", ", 'ttl': '1m'");

    expect(201, rotate(f, NULL, old.id, "{'grace': '1h'}"));
    assert_int_equal(member_time(json_object_get(f->body, "predecessor"), "expires_at"),
                     f->now + MS_MINUTE);
    expect(400, rotate(f, NULL, text(f, "id"), "{'grace': 5}"));
    fixture_free(f);
}

static void
grace_of_nothing(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old = issue(f, "amara", "");

    expect(201, rotate(f, NULL, old.id, "{'grace': '0s'}"));
    assert_int_equal(verdict(f, old.token), CREDENTIAL_EXPIRED);
    fixture_free(f);
}

static void
only_the_newest_rotates(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old = issue(f, "amara", ""), next;

    expect(201, rotate(f, NULL, old.id, ""));
    next = successor(f);
    expect(409, rotate(f, NULL, old.id, ""));
    assert_true(says(f, next.id));
    expect(200, revoke(f, NULL, next.id));
    expect(409, rotate(f, NULL, next.id, ""));
    assert_true(says(f, "revoked"));
    expect(404, rotate(f, NULL, "0000000000000000000001", ""));
    expect(404, rotate(f, NULL, "nonsense", ""));
    fixture_free(f);
}

static void
a_line_shares_its_uses(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old = issue(f, "amara", ", 'max_uses': 3"), next;
    struct credential credential;

    for (int i = 0; i < 2; i++) {
        arena_reset(&f->arena);
        assert_int_equal(world_authenticate(f->authority->reader, slice_text(old.token), f->now,
                                            &f->arena, &credential),
                         CREDENTIAL_OK);
        assert_int_equal(world_use(f->authority->reader, &credential, f->now), USE_TAKEN);
    }
    expect(201, rotate(f, NULL, old.id, ""));
    next = successor(f);
    assert_int_equal(json_integer_value(json_object_get(f->body, "uses")), 2);
    arena_reset(&f->arena);
    assert_int_equal(world_authenticate(f->authority->reader, slice_text(next.token), f->now,
                                        &f->arena, &credential),
                     CREDENTIAL_OK);
    assert_int_equal(world_use(f->authority->reader, &credential, f->now), USE_TAKEN);
    assert_int_equal(verdict(f, next.token), CREDENTIAL_EXHAUSTED);
    assert_int_equal(verdict(f, old.token), CREDENTIAL_EXHAUSTED);
    fixture_free(f);
}

static struct issued
self_rotating(struct fixture *f, const char *more)
{
    with_rights(f, "turner", "['writ:tokens.rotate:self', 'orders:GET:/v1/**']");
    return issue(f, "turner", more);
}

static void
itself(void **state)
{
    struct fixture *f = fixture_new();
    struct issued own = self_rotating(f, ", 'ttl': '1d'"), other = issue(f, "turner", ""), next;

    expect(403, rotate(f, own.token, other.id, ""));
    assert_string_equal(text(f, "right"), "writ:tokens.rotate:turner");
    expect(201, rotate(f, own.token, own.id, ""));
    next = successor(f);
    /* The predecessor in its grace rotates nothing any more. */
    expect(409, rotate(f, own.token, own.id, ""));
    expect(403, rotate(f, own.token, next.id, ""));
    expect(201, rotate(f, next.token, next.id, ""));
    expect(403, rotate(f, issue(f, "amara", "").token, own.id, ""));
    fixture_free(f);
}

static void
a_narrowed_token_does_not_rotate_itself(void **state)
{
    struct fixture *f = fixture_new();
    struct issued own = self_rotating(f, "");
    struct buffer narrowed = { 0 };
    struct hop_id hop;

    assert_int_equal(
        token_attenuate(slice_text(own.token),
                        &(struct attenuation){ .rights = SLICE_LITERAL("writ:tokens.rotate:self") },
                        &narrowed, &hop, NULL),
        STATUS_OK);
    put_u8(&narrowed, '\0');
    expect(403, rotate(f, narrowed.bytes, own.id, ""));
    assert_true(says(f, "caveats"));
    buffer_free(&narrowed);
    fixture_free(f);
}

/* Rotating itself, a token lives for limits.max_line and no longer; the operator may
 * carry it on. */
static void
max_line(void **state)
{
    struct fixture *f = fixture_new();
    struct issued own = self_rotating(f, ", 'ttl': '7d'");
    int64_t started = f->now;
    unsigned turns = 0;

    for (; f->now - started < 90 * MS_DAY; turns++) {
        if (rotate(f, own.token, own.id, "{'grace': '0s'}") != 201)
            fail_msg("after %u turns: %s", turns, text(f, "detail"));
        own = successor(f);
        assert_true(member_time(f->body, "expires_at") <= started + 90 * MS_DAY);
        f->now += 6 * MS_DAY;
        if (f->now - started >= 90 * MS_DAY)
            break;
    }
    /* Its last successor ended with the line. */
    assert_int_equal(verdict(f, own.token), CREDENTIAL_EXPIRED);
    assert_true(turns >= 13);
    fixture_free(f);
}

static void
a_child_ends_with_its_parent_when_rotated(void **state)
{
    struct fixture *f = fixture_new();
    struct issued parent = issue(f, "amara", ", 'ttl': '1h'"), child;
    char more[64];

    snprintf(more, sizeof more, ", 'parent': '%s'", parent.id);
    child = issue(f, "ben", more);
    f->now += 30 * MS_MINUTE;
    expect(201, rotate(f, NULL, child.id, ""));
    assert_int_equal(member_time(f->body, "expires_at"), f->now + 30 * MS_MINUTE);
    assert_string_equal(text(f, "parent"), parent.id);
    /* The parent's line goes on: so may the child. */
    expect(201, rotate(f, NULL, parent.id, ""));
    snprintf(more, sizeof more, ", 'parent': '%s', 'ttl': '2h'", parent.id);
    child = issue(f, "ben", more);
    assert_int_equal(member_time(f->body, "expires_at"), f->now + MS_HOUR);
    f->now += 20 * MS_MINUTE;
    assert_true(allowed(f, child.token, "orders:GET:/v1/orders/1"));
    fixture_free(f);
}

/* --- revocation ------------------------------------------------------------------------ */

static void
once_and_again(void **state)
{
    struct fixture *f = fixture_new();
    struct issued token = issue(f, "amara", "");
    unsigned announcements = f->announcements;
    char effective_at[TIME_TEXT_MAX];

    expect(200, revoke(f, NULL, token.id));
    assert_int_equal(json_integer_value(json_object_get(f->body, "revoked")), 1);
    assert_true(f->answer.confirms);
    assert_int_equal(f->answer.wait_generation, f->announced);
    assert_int_equal(f->announcements, announcements + 1);
    snprintf(effective_at, sizeof effective_at, "%s", text(f, "effective_at"));
    assert_int_equal(verdict(f, token.token), CREDENTIAL_REVOKED);
    /* Something that lanes are not told of comes between; the second waits for nothing. */
    issue(f, "amara", "");
    f->now += MS_MINUTE;
    expect(200, revoke(f, NULL, token.id));
    assert_int_equal(json_integer_value(json_object_get(f->body, "revoked")), 0);
    assert_string_equal(text(f, "effective_at"), effective_at);
    assert_true(f->answer.confirms);
    assert_int_equal(f->announcements, announcements + 1);
    expect(404, revoke(f, NULL, "0000000000000000000001"));
    expect(404, revoke(f, NULL, "nonsense"));
    fixture_free(f);
}

static void
any_member_ends_the_line(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old = issue(f, "amara", ""), next, child;
    char more[64];

    expect(201, rotate(f, NULL, old.id, ""));
    next = successor(f);
    snprintf(more, sizeof more, ", 'parent': '%s'", next.id);
    child = issue(f, "ben", more);
    expect(200, revoke(f, NULL, old.id));
    assert_int_equal(verdict(f, old.token), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(f, next.token), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(f, child.token), CREDENTIAL_REVOKED);
    fixture_reopen(f);
    assert_int_equal(verdict(f, next.token), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(f, child.token), CREDENTIAL_REVOKED);
    fixture_free(f);
}

static void
one_hop(void **state)
{
    struct fixture *f = fixture_new();
    struct issued token = issue(f, "amara", "");
    struct buffer one = { 0 }, two = { 0 };
    struct hop_id first, second;
    char text_[HOP_ID_TEXT + 1], name[64];

    assert_int_equal(token_attenuate(slice_text(token.token),
                                     &(struct attenuation){ .label = SLICE_LITERAL("a") }, &one,
                                     &first, NULL),
                     STATUS_OK);
    assert_int_equal(token_attenuate(slice_text(token.token),
                                     &(struct attenuation){ .label = SLICE_LITERAL("b") }, &two,
                                     &second, NULL),
                     STATUS_OK);
    put_u8(&one, '\0');
    put_u8(&two, '\0');
    snprintf(name, sizeof name, "%s/%s", token.id, hop_id_format(&first, text_));
    expect(200, revoke(f, NULL, name));
    assert_int_equal(verdict(f, one.bytes), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(f, two.bytes), CREDENTIAL_OK);
    assert_int_equal(verdict(f, token.token), CREDENTIAL_OK);
    snprintf(name, sizeof name, "%s/nonsense", token.id);
    expect(404, revoke(f, NULL, name));
    buffer_free(&one);
    buffer_free(&two);
    fixture_free(f);
}

static json_int_t
revoked(const struct fixture *f)
{
    return json_integer_value(json_object_get(f->body, "revoked"));
}

static void
many(void **state)
{
    struct fixture *f = fixture_new();
    struct issued a = issue(f, "amara", ""), b = issue(f, "ben", ""), c = issue(f, "ben", "");
    char at[TIME_TEXT_MAX];

    expect(400, call(f, NULL, "POST", "/v1/revocations", "{}"));
    expect(400, call(f, NULL, "POST", "/v1/revocations", "{'subject': ''}"));
    expect(400, call(f, NULL, "POST", "/v1/revocations", "{'role': 5}"));
    expect(400, call(f, NULL, "POST", "/v1/revocations", "{'issued_before': 'never'}"));
    expect(400, call(f, NULL, "POST", "/v1/revocations", "{'subjects': 'amara'}"));
    expect(200, call(f, NULL, "POST", "/v1/revocations", "{'subject': 'nobody'}"));
    assert_int_equal(revoked(f), 0);
    assert_true(f->answer.confirms);
    expect(200, call(f, NULL, "POST", "/v1/revocations", "{'subject': 'amara', 'role': 'clerk'}"));
    assert_int_equal(revoked(f), 0);
    expect(200, call(f, NULL, "POST", "/v1/revocations", "{'subject': 'amara'}"));
    assert_int_equal(revoked(f), 1);
    assert_int_equal(verdict(f, a.token), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(f, b.token), CREDENTIAL_OK);
    expect(200, callf(f, NULL, "POST", "/v1/revocations", "{'issued_before': '%s'}",
                      time_format(f->now - MS_HOUR, at)));
    assert_int_equal(revoked(f), 0);
    expect(200, call(f, NULL, "POST", "/v1/revocations", "{'role': 'clerk'}"));
    assert_int_equal(revoked(f), 2);
    assert_int_equal(verdict(f, c.token), CREDENTIAL_REVOKED);
    fixture_free(f);
}

/* More than one page, and lines of several members: each line once. */
static void
very_many(void **state)
{
    struct fixture *f = fixture_new();
    struct issued last = { 0 };

    for (int i = 0; i < 1203; i++) {
        last = issue(f, "ben", "");
        if (i % 100 == 0)
            expect(201, rotate(f, NULL, last.id, ""));
    }
    expect(200, call(f, NULL, "POST", "/v1/revocations", "{'issued_before': '2199-01-01'}"));
    assert_true(revoked(f) >= 1203);
    assert_int_equal(verdict(f, last.token), CREDENTIAL_REVOKED);
    expect(200, call(f, NULL, "GET", "/v1/tokens?live=true", NULL));
    assert_int_equal(json_array_size(json_object_get(f->body, "items")), 0);
    fixture_free(f);
}

static void
revoking_needs_its_right(void **state)
{
    struct fixture *f = fixture_new();
    struct issued guard = with_rights(f, "guard", "['writ:tokens.revoke:amara']");
    struct issued a = issue(f, "amara", ""), b = issue(f, "ben", "");

    expect(403, revoke(f, guard.token, b.id));
    expect(403, call(f, guard.token, "POST", "/v1/revocations", "{'role': 'clerk'}"));
    expect(403, call(f, guard.token, "POST", "/v1/revocations", "{'subject': 'ben'}"));
    expect(403, call(f, guard.token, "POST", "/v1/revocations", "{'issued_before': '0s'}"));
    assert_int_equal(verdict(f, b.token), CREDENTIAL_OK);
    expect(200, call(f, guard.token, "POST", "/v1/revocations", "{'subject': 'amara'}"));
    expect(200, revoke(f, guard.token, a.id));
    fixture_free(f);
}

/* --- idempotency ------------------------------------------------------------------------- */

static void
the_same_answer(void **state)
{
    struct fixture *f = fixture_new();
    struct issued first, again;
    size_t count;

    f->key = "k-1";
    first = issue(f, "amara", ", 'name': 'a'");
    count = world_token_count(f->world);
    again = issue(f, "amara", ", 'name': 'a'");
    assert_string_equal(again.token, first.token);
    assert_int_equal(world_token_count(f->world), count);
    expect(409, call(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara', 'name': 'b'}"));
    fixture_reopen(f);
    assert_string_equal(issue(f, "amara", ", 'name': 'a'").token, first.token);
    f->now += 10 * MS_MINUTE;
    assert_string_not_equal(issue(f, "amara", ", 'name': 'a'").token, first.token);
    f->key = NULL;
    assert_string_not_equal(issue(f, "amara", ", 'name': 'a'").token, first.token);
    fixture_free(f);
}

/* A key is its caller's own. */
static void
nobody_elses_answer(void **state)
{
    struct fixture *f = fixture_new();
    struct issued one = with_rights(f, "one", "['writ:tokens.issue:amara']");
    struct issued two = with_rights(f, "two", "['writ:tokens.issue:amara']"), made;

    f->key = "k-1";
    expect(201, call(f, one.token, "POST", "/v1/tokens", "{'subject': 'amara'}"));
    made = successor(f);
    expect(201, call(f, two.token, "POST", "/v1/tokens", "{'subject': 'amara'}"));
    assert_string_not_equal(text(f, "token"), made.token);
    expect(201, call(f, one.token, "POST", "/v1/tokens", "{'subject': 'amara'}"));
    assert_string_equal(text(f, "token"), made.token);
    fixture_free(f);
}

static void
a_rotation_once(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old = issue(f, "amara", ""), next;

    f->key = "turn";
    expect(201, rotate(f, NULL, old.id, "{'grace': '5m'}"));
    next = successor(f);
    expect(201, rotate(f, NULL, old.id, "{'grace': '5m'}"));
    assert_string_equal(text(f, "token"), next.token);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(f->body, "predecessor"), "id")), old.id);
    expect(409, rotate(f, NULL, old.id, "{'grace': '6m'}"));
    fixture_free(f);
}

static enum status
count_answer(void *context, const struct change *answer)
{
    ++*(unsigned *)context;
    return STATUS_OK;
}

static unsigned
kept_answers(const struct fixture *f)
{
    unsigned count = 0;

    assert_int_equal(store_objects(f->authority->store, CHANGE_ANSWER_KEPT, SLICE_LITERAL(""),
                                   100000, count_answer, &count),
                     STATUS_OK);
    return count;
}

static void
answers_do_not_pile_up(void **state)
{
    struct fixture *f = fixture_new();
    char key[16];

    for (int i = 0; i < 600; i++) {
        snprintf(key, sizeof key, "k-%d", i);
        f->key = key;
        issue(f, "amara", "");
        if (i == 299)
            f->now += 5 * MS_MINUTE;
    }
    assert_int_equal(kept_answers(f), 1200);
    while (!housekeeping_answers(f->authority, f->now))
        continue;
    assert_int_equal(kept_answers(f), 1200);
    f->now += 5 * MS_MINUTE;
    while (!housekeeping_answers(f->authority, f->now))
        continue;
    assert_int_equal(kept_answers(f), 600);
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grace),
        cmocka_unit_test(grace_never_prolongs),
        cmocka_unit_test(grace_of_nothing),
        cmocka_unit_test(only_the_newest_rotates),
        cmocka_unit_test(a_line_shares_its_uses),
        cmocka_unit_test(itself),
        cmocka_unit_test(a_narrowed_token_does_not_rotate_itself),
        cmocka_unit_test(max_line),
        cmocka_unit_test(a_child_ends_with_its_parent_when_rotated),
        cmocka_unit_test(once_and_again),
        cmocka_unit_test(any_member_ends_the_line),
        cmocka_unit_test(one_hop),
        cmocka_unit_test(many),
        cmocka_unit_test(very_many),
        cmocka_unit_test(revoking_needs_its_right),
        cmocka_unit_test(the_same_answer),
        cmocka_unit_test(nobody_elses_answer),
        cmocka_unit_test(a_rotation_once),
        cmocka_unit_test(answers_do_not_pile_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
