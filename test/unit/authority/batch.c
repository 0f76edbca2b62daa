/* authority/batch - tokens that are asked for together become durable together; nothing
 * overtakes them, and one that fails takes none with it. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "token/text.h"

enum { CALLS = 3 };

/* Calls that are asked for in one turn of the lane. */
struct turn {
    struct arena arena;
    struct api_answer answers[CALLS];
    struct api_outcome outcomes[CALLS];
};

static void
ask(struct fixture *f, struct turn *turn, int i, const char *subject)
{
    struct api_request request = { .method = SLICE_LITERAL("POST"),
                                   .path = SLICE_LITERAL("/v1/tokens"),
                                   .now = f->now,
                                   .arena = &turn->arena };

    request.text = arena_format(&turn->arena, "{\"subject\":\"%s\"}", subject);
    caller_of_socket(f->authority, geteuid(), &turn->arena, &request.caller);
    api_handle(f->authority, &request, &turn->answers[i], &turn->outcomes[i]);
    json_decref(request.body);
    assert_non_null(turn->answers[i].job);
}

static struct turn *
ask_all(struct fixture *f, const char *const subjects[CALLS])
{
    struct turn *turn = calloc(1, sizeof *turn);

    assert_non_null(turn);
    arena_init(&turn->arena, 1 << 16);
    for (int i = 0; i < CALLS; i++)
        ask(f, turn, i, subjects[i]);
    return turn;
}

/* One step of each, as the lane would do it; how many are done. */
static int
step(struct fixture *f, struct turn *turn, enum status statuses[CALLS])
{
    int count = 0;

    for (int i = 0; i < CALLS; i++) {
        struct fault fault = { 0 };
        bool done = false;

        statuses[i] = turn->answers[i].job->step(f->authority, turn->answers[i].job, &done, &fault);
        count += done;
    }
    return count;
}

static void
end(struct fixture *f, struct turn *turn)
{
    for (int i = 0; i < CALLS; i++) {
        if (turn->answers[i].job != NULL)
            turn->answers[i].job->free(turn->answers[i].job);
        json_decref(turn->answers[i].body);
        audit_end(f->authority->journal, turn->outcomes[i].ticket,
                  &(struct audit_outcome){ .status = 201 });
    }
    arena_free(&turn->arena);
    free(turn);
}

static const char *
token_of(const struct turn *turn, int i)
{
    return json_string_value(json_object_get(turn->answers[i].body, "token"));
}

static const char *const three[CALLS] = { "amara", "ben", "amara" };

static void
together(void **state)
{
    struct fixture *f = fixture_new();
    uint64_t before = f->authority->counters.commits;
    enum status statuses[CALLS];
    struct turn *turn = ask_all(f, three);

    assert_int_equal(step(f, turn, statuses), 0);
    assert_int_equal(f->authority->counters.commits, before);
    assert_int_equal(step(f, turn, statuses), CALLS);
    assert_int_equal(f->authority->counters.commits, before + 1);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(statuses[i], STATUS_OK);
        assert_int_equal(turn->answers[i].status, 201);
        assert_true(slice_starts(turn->answers[i].location, SLICE_LITERAL("/v1/tokens/")));
        assert_int_equal(verdict(f, token_of(turn, i)), CREDENTIAL_OK);
    }
    fixture_reopen(f);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(verdict(f, token_of(turn, i)), CREDENTIAL_OK);
    end(f, turn);
    fixture_free(f);
}

/* A change that is asked for after them comes after them in the log. */
static void
not_overtaken(void **state)
{
    struct fixture *f = fixture_new();
    enum status statuses[CALLS];
    struct turn *turn = ask_all(f, three);

    /* It takes the subject away whose token waits: that was judged while there was one. */
    expect(200, call(f, NULL, "POST", "/v1/revocations", "{'subject': 'amara'}"));
    expect(204, call(f, NULL, "DELETE", "/v1/subjects/amara", NULL));
    assert_int_equal(step(f, turn, statuses), 0);
    assert_int_equal(step(f, turn, statuses), CALLS);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(statuses[i], STATUS_OK);
    assert_int_equal(verdict(f, token_of(turn, 0)), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(f, token_of(turn, 1)), CREDENTIAL_OK);
    assert_int_equal(verdict(f, token_of(turn, 2)), CREDENTIAL_REVOKED);
    end(f, turn);
    fixture_free(f);
}

/* The same id a second time is refused by the world, whoever asks for it. */
static void
one_that_fails(void **state)
{
    struct fixture *f = fixture_new();
    enum status statuses[CALLS];
    struct turn *turn = ask_all(f, three);
    struct world_token_info known;
    struct issued first = issue(f, "amara", "");
    struct token_id id;
    struct hop_id hop;
    bool has_hop, done = false;
    struct fault fault = { 0 };
    struct api_answer answer = { 0 };

    end(f, turn);
    turn = ask_all(f, three);
    assert_int_equal(token_id_parse(slice_text(first.id), &id, &hop, &has_hop), STATUS_OK);
    assert_true(world_token(f->world, &id, f->now, &known));
    struct change again = { .kind = CHANGE_TOKEN_ISSUED, .at = f->now, .token = known.record };
    assert_int_equal(batch_issue(f->authority, &again, &answer), STATUS_OK);
    assert_int_equal(answer.job->step(f->authority, answer.job, &done, &fault), STATUS_OK);
    assert_int_equal(step(f, turn, statuses), 0);
    assert_int_not_equal(answer.job->step(f->authority, answer.job, &done, &fault), STATUS_OK);
    assert_true(done);
    assert_null(answer.body);
    answer.job->free(answer.job);
    assert_int_equal(step(f, turn, statuses), CALLS);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(verdict(f, token_of(turn, i)), CREDENTIAL_OK);
    end(f, turn);
    fixture_free(f);
}

/* The node stops before they were tried: none of them is made. */
static void
given_up(void **state)
{
    struct fixture *f = fixture_new();
    size_t before = world_token_count(f->world);
    enum status statuses[CALLS];
    struct turn *turn = ask_all(f, three);

    assert_int_equal(step(f, turn, statuses), 0);
    end(f, turn);
    batch_commit(f->authority);
    assert_int_equal(world_token_count(f->world), before);
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(together),
        cmocka_unit_test(not_overtaken),
        cmocka_unit_test(one_that_fails),
        cmocka_unit_test(given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
