/* test/unit/net/lane.c - lanes: messages, turns, clocks, signals, draining. */
#include "help.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { SENDERS = 4, SENT_EACH = 2000 };

struct note {
    struct lane_message message;
    struct post *post;
    unsigned sender, number;
};

struct post {
    struct lane *lane;
    unsigned next[SENDERS];
    unsigned total;
    bool disorder;
};

static void
note_run(struct lane_message *message)
{
    struct note *note = LANE_OWNER(message, struct note, message);
    struct post *post = note->post;

    if (lane_current() != post->lane || post->next[note->sender]++ != note->number)
        post->disorder = true;
    free(note);
    if (++post->total == SENDERS * SENT_EACH)
        help_end(post->lane);
}

struct sender {
    struct post *post;
    unsigned number;
};

static void *
sender_main(void *argument)
{
    struct sender *sender = argument;

    for (unsigned i = 0; i < SENT_EACH; i++) {
        struct note *note = calloc(1, sizeof *note);

        note->message.run = note_run;
        note->post = sender->post;
        note->sender = sender->number;
        note->number = i;
        if (!lane_post(sender->post->lane, &note->message))
            abort();
        if (i % 100 == 0)
            sched_yield();
    }
    return NULL;
}

static void
messages_arrive_in_order(void **state)
{
    struct post post = { .lane = help_lane() };
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];

    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ .post = &post, .number = i };
        pthread_create(&threads[i], NULL, sender_main, &senders[i]);
    }
    help_run(post.lane);
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_false(post.disorder);
    assert_int_equal(post.total, SENDERS * SENT_EACH);
    help_free(post.lane);
}

/* Two lanes throw one message back and forth. */
struct ball {
    struct lane_message message;
    struct lane *lanes[2];
    unsigned throws;
};

static void
ball_run(struct lane_message *message)
{
    struct ball *ball = LANE_OWNER(message, struct ball, message);

    if (++ball->throws == 1000) {
        lane_stop(ball->lanes[0], 0);
        lane_stop(ball->lanes[1], 0);
        return;
    }
    assert_true(lane_post(ball->lanes[ball->throws % 2], message));
}

static void
two_lanes_talk(void **state)
{
    struct ball ball = { .message.run = ball_run };

    ball.lanes[0] = help_lane();
    ball.lanes[1] = help_lane();
    assert_true(lane_post(ball.lanes[0], &ball.message));
    assert_int_equal(lane_start(ball.lanes[0]), STATUS_OK);
    assert_int_equal(lane_start(ball.lanes[1]), STATUS_OK);
    lane_join(ball.lanes[0]);
    lane_join(ball.lanes[1]);
    assert_int_equal(ball.throws, 1000);
    assert_false(lane_post(ball.lanes[0], &ball.message));
    help_free(ball.lanes[0]);
    help_free(ball.lanes[1]);
}

/* The reader's side of an epoch scheme: an updater wakes the lane and waits for a turn. */
static atomic_uint turns;

static void
count_turn(struct lane *lane, void *context)
{
    atomic_fetch_add(&turns, 1);
}

static void
a_woken_lane_makes_a_turn(void **state)
{
    struct lane_options options = { .name = "turn", .hooks.turn = count_turn };
    struct lane *lane;

    assert_int_equal(lane_new(&options, &lane), STATUS_OK);
    assert_int_equal(lane_start(lane), STATUS_OK);
    for (int i = 0; i < 50; i++) {
        unsigned before = atomic_load(&turns);

        lane_wake(lane);
        for (int wait = 0; atomic_load(&turns) == before && wait < 5000; wait++)
            usleep(1000);
        assert_int_not_equal(atomic_load(&turns), before);
    }
    lane_stop(lane, 0);
    lane_stop(lane, 0);
    lane_join(lane);
    lane_free(lane);
}

/* Hooks come in order, own messages later than the call, clocks hold within a turn. */
static char trace[32];

static void
put_trace(char letter)
{
    size_t size = strlen(trace);

    if (size + 1 < sizeof trace)
        trace[size] = letter;
}

static void
on_begin(struct lane *lane, void *context)
{
    put_trace('b');
}

static void
on_stop(struct lane *lane, void *context)
{
    assert_true(lane_stopping(lane));
    put_trace('s');
}

static void
on_end(struct lane *lane, void *context)
{
    put_trace('e');
}

static void
second_run(struct lane_message *message)
{
    put_trace('2');
    help_end(lane_current());
}

static void
first_run(struct lane_message *message)
{
    static struct lane_message second = { .run = second_run };
    struct lane *lane = lane_current();
    uint64_t mono = lane_mono_us(lane);
    int64_t wall = lane_now_ms(lane);

    lane_post(lane, &second);
    put_trace('1');
    usleep(3000);
    assert_int_equal(lane_mono_us(lane), mono);
    assert_true(lane_now_ms(lane) == wall);
    assert_ptr_equal(lane_slot_get(lane, LANE_SLOT_APP), trace);
}

static void
hooks_come_in_order(void **state)
{
    struct lane_options options = {
        .name = "hooks",
        .index = 7,
        .hooks = { .begin = on_begin, .stop = on_stop, .end = on_end },
    };
    struct lane_message first = { .run = first_run };
    struct lane *lane;

    assert_int_equal(lane_new(&options, &lane), STATUS_OK);
    lane_slot_set(lane, LANE_SLOT_APP, trace);
    assert_int_equal(lane_index(lane), 7);
    assert_true(lane_post(lane, &first));
    lane_run(lane);
    assert_string_equal(trace, "b12se");
    lane_free(lane);
}

static void
on_hup(struct lane *lane, int number, void *context)
{
    *(int *)context = number;
    help_end(lane);
}

static void
raise_hup(struct lane_message *message)
{
    kill(getpid(), SIGHUP);
}

static void
signals_are_watched(void **state)
{
    struct lane_message message = { .run = raise_hup };
    struct lane *lane = help_lane();
    int seen = 0;

    assert_int_equal(lane_on_signal(lane, SIGHUP, on_hup, &seen), STATUS_OK);
    assert_true(lane_post(lane, &message));
    help_run(lane);
    assert_int_equal(seen, SIGHUP);
    help_free(lane);
}

static void
a_lane_that_never_ran_is_freed(void **state)
{
    help_free(help_lane());
    alarm(0);
    lane_free(NULL);
    assert_true(lane_auto_count() >= 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_in_order),
        cmocka_unit_test(two_lanes_talk),
        cmocka_unit_test(a_woken_lane_makes_a_turn),
        cmocka_unit_test(hooks_come_in_order),
        cmocka_unit_test(signals_are_watched),
        cmocka_unit_test(a_lane_that_never_ran_is_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
