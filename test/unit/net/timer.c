/* test/unit/net/timer.c - coarse timers and alarms. */
#include "help.h"

#include "base/clock.h"

/* What a busy machine may add. */
enum { BUSY_MS = 3000 };

struct probe {
    struct timer timer;
    struct lane *lane;
    uint64_t armed_at;
    int64_t after_ms, late_ms;
    unsigned fired;
    void (*then)(struct probe *probe);
};

static void
probe_fire(struct timer *timer)
{
    struct probe *probe = LANE_OWNER(timer, struct probe, timer);

    assert_false(timer_armed(timer));
    probe->fired++;
    probe->late_ms = (int64_t)((clock_mono_us() - probe->armed_at) / 1000) - probe->after_ms;
    if (probe->then != NULL)
        probe->then(probe);
}

static void
probe_arm(struct probe *probe, struct lane *lane, int64_t after_ms)
{
    probe->timer.fire = probe_fire;
    probe->lane = lane;
    probe->after_ms = after_ms;
    probe->armed_at = clock_mono_us();
    timer_arm(lane, &probe->timer, after_ms);
}

static void
end(struct probe *probe)
{
    help_end(probe->lane);
}

static void
not_early_and_not_much_later(void **state)
{
    static const int64_t afters[] = { 0, 1, 50, 99, 100, 101, 250, 399 };
    enum { COUNT = sizeof afters / sizeof *afters };
    struct probe probes[COUNT] = { 0 }, last = { .then = end };
    struct lane *lane = help_lane();

    for (size_t i = 0; i < COUNT; i++)
        probe_arm(&probes[i], lane, afters[i]);
    probe_arm(&last, lane, 600);
    help_run(lane);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(probes[i].fired, 1);
        /* libuv's clock is in whole milliseconds; the machine may be busy. */
        assert_in_range(probes[i].late_ms + 2, 0, 2 + TIMER_GRAIN_MS + BUSY_MS);
    }
    help_free(lane);
}

/* One fires and disarms its neighbour of the same tick, arms itself again, moves a third. */
static struct probe first, neighbour, third;

static void
meddle(struct probe *probe)
{
    timer_disarm(&neighbour.timer);
    if (probe->fired == 1) {
        probe_arm(probe, probe->lane, 0);
        probe_arm(&third, probe->lane, 10);
    } else {
        end(probe);
    }
}

static void
firing_timers_change_others(void **state)
{
    struct lane *lane = help_lane();

    first.then = meddle;
    probe_arm(&first, lane, 10);
    probe_arm(&neighbour, lane, 10);
    probe_arm(&third, lane, 100000000);
    help_run(lane);
    assert_int_equal(first.fired, 2);
    assert_int_equal(neighbour.fired, 0);
    assert_int_equal(third.fired, 1);
    help_free(lane);
}

/* Moved on before it fires, as an idle time-out is by each request. */
static struct probe moved, ticker;

static void
move_on(struct probe *probe)
{
    if (probe->fired < 4) {
        probe_arm(&moved, probe->lane, 300);
        probe_arm(probe, probe->lane, 100);
        return;
    }
    assert_int_equal(moved.fired, 0);
}

static void
moved_timers_wait(void **state)
{
    struct lane *lane = help_lane();

    moved.then = end;
    ticker.then = move_on;
    probe_arm(&moved, lane, 300);
    probe_arm(&ticker, lane, 100);
    help_run(lane);
    assert_int_equal(moved.fired, 1);
    assert_in_range(moved.late_ms + 2, 0, 2 + TIMER_GRAIN_MS + BUSY_MS);
    help_free(lane);
}

/* One that arms itself again at once comes once a tick, and lets others run. */
static void
again(struct probe *probe)
{
    if (probe->fired < 5)
        probe_arm(probe, probe->lane, 0);
    else
        end(probe);
}

static void
endless_timers_do_not_spin(void **state)
{
    struct probe endless = { .then = again };
    struct lane *lane = help_lane();
    uint64_t from = clock_mono_us();

    probe_arm(&endless, lane, 0);
    help_run(lane);
    assert_true(clock_mono_us() - from > 390000);
    help_free(lane);
}

/* Longer than a turn of the wheel, and never: neither fires nor holds the lane up. */
static void
far_timers_stay(void **state)
{
    struct probe far = { 0 }, never = { 0 }, last = { .then = end };
    struct lane *lane = help_lane();

    probe_arm(&far, lane, 1024 * TIMER_GRAIN_MS);
    probe_arm(&never, lane, INT64_MAX);
    probe_arm(&last, lane, 250);
    help_run(lane);
    assert_int_equal(far.fired + never.fired, 0);
    assert_false(timer_armed(&far.timer));
    help_free(lane);
}

struct ring {
    struct alarm *alarm;
    struct lane *lane;
    unsigned rings;
    uint64_t set_at;
};

static void
on_ring(struct alarm *alarm, void *context)
{
    struct ring *ring = context;

    assert_true(clock_mono_us() - ring->set_at >= 19000);
    if (++ring->rings < 3) {
        ring->set_at = clock_mono_us();
        alarm_set(alarm, 20);
        return;
    }
    alarm_free(alarm);
    help_end(ring->lane);
}

static void
alarms_ring_once(void **state)
{
    struct ring ring = { .lane = help_lane(), .set_at = clock_mono_us() };
    struct alarm *cleared;

    assert_int_equal(alarm_new(ring.lane, on_ring, &ring, &ring.alarm), STATUS_OK);
    assert_int_equal(alarm_new(ring.lane, on_ring, NULL, &cleared), STATUS_OK);
    alarm_set(ring.alarm, 20);
    alarm_set(cleared, 5);
    alarm_clear(cleared);
    alarm_free(cleared);
    help_run(ring.lane);
    assert_int_equal(ring.rings, 3);
    help_free(ring.lane);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_early_and_not_much_later),
        cmocka_unit_test(firing_timers_change_others),
        cmocka_unit_test(moved_timers_wait),
        cmocka_unit_test(endless_timers_do_not_spin),
        cmocka_unit_test(far_timers_stay),
        cmocka_unit_test(alarms_ring_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
