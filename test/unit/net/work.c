/* test/unit/net/work.c - work off the lane: done elsewhere, told on the lane, bounded. */
#include "help.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/work.h"

struct job {
    struct work work;
    struct lane *lane;
    pthread_t ran_on;
    unsigned *left;
    bool slow, inside, done, late;
};

static void
job_run(struct work *work)
{
    struct job *job = LANE_OWNER(work, struct job, work);

    job->ran_on = pthread_self();
    if (job->slow)
        usleep(50000);
}

static void
job_done(struct work *work, bool late)
{
    struct job *job = LANE_OWNER(work, struct job, work);

    if (late || job->inside || lane_current() != job->lane)
        abort();
    job->done = true;
    if (--*job->left == 0)
        help_end(job->lane);
}

struct begun {
    struct lane_message message;
    struct lane *lane;
    struct job jobs[WORK_MAX + 1];
    unsigned left;
    enum status last;
};

static void
begin(struct lane_message *message)
{
    struct begun *begun = LANE_OWNER(message, struct begun, message);

    for (unsigned i = 0; i <= WORK_MAX; i++) {
        struct job *job = &begun->jobs[i];

        *job = (struct job){ .work = { .run = job_run, .done = job_done },
                             .lane = begun->lane,
                             .left = &begun->left,
                             .inside = true };
        begun->last = work_start(begun->lane, &job->work);
        begun->left += begun->last == STATUS_OK;
        job->inside = false;
    }
}

static void
many(void **state)
{
    struct begun begun = { .lane = help_lane(), .message.run = begin };

    (void)state;
    assert_true(lane_post(begun.lane, &begun.message));
    help_run(begun.lane);
    assert_int_equal(begun.last, STATUS_LIMIT);
    for (unsigned i = 0; i < WORK_MAX; i++) {
        assert_true(begun.jobs[i].done);
        assert_false(pthread_equal(begun.jobs[i].ran_on, pthread_self()));
    }
    assert_false(begun.jobs[WORK_MAX].done);
    help_free(begun.lane);
}

static void
late_done(struct work *work, bool late)
{
    struct job *job = LANE_OWNER(work, struct job, work);

    job->done = true;
    job->late = late;
}

struct cut {
    struct lane_message message;
    struct lane *lane;
    struct job job;
};

static void
begin_and_stop(struct lane_message *message)
{
    struct cut *cut = LANE_OWNER(message, struct cut, message);

    cut->job = (struct job){ .work = { .run = job_run, .done = late_done }, .slow = true };
    if (work_start(cut->lane, &cut->job.work) != STATUS_OK)
        abort();
    lane_stop(cut->lane, 0);
}

/* A lane that drains waits for it a while; in any case its end is told before the lane is gone. */
static void
lane_stops_meanwhile(void **state)
{
    struct cut cut = { .lane = help_lane(), .message.run = begin_and_stop };

    (void)state;
    assert_true(lane_post(cut.lane, &cut.message));
    help_run(cut.lane);
    assert_true(cut.job.done);
    assert_int_equal(lane_open_count(cut.lane), 0);
    help_free(cut.lane);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many),
        cmocka_unit_test(lane_stops_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
