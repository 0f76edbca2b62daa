/* net/timer.c - the wheel of coarse timers, and precise alarms on libuv's heap. */
#include "net/timer.h"

#include <stdlib.h>

#include "lane_inside.h"

static uint64_t
tick_now(struct lane *lane)
{
    return uv_now(&lane->loop) / TIMER_GRAIN_MS;
}

static void
list_init(struct timer *head)
{
    head->next = head->prev = head;
}

static void
link_into(struct timer *head, struct timer *timer)
{
    timer->prev = head->prev;
    timer->next = head;
    head->prev->next = timer;
    head->prev = timer;
}

static void
unlink_from(struct timer *timer)
{
    timer->prev->next = timer->next;
    timer->next->prev = timer->prev;
    timer->next = timer->prev = NULL;
}

static struct timer *
slot_of(struct wheel *wheel, uint64_t tick)
{
    return &wheel->slots[tick % WHEEL_SLOTS];
}

/* A slot's timers are taken off as a list of its own, from which firing ones may
 * disarm each other; what is due on a later turn goes back. */
static void
slot_fire(struct lane *lane, uint64_t tick)
{
    struct timer *slot = slot_of(&lane->wheel, tick);
    struct timer due;

    if (slot->next == slot)
        return;
    due.next = slot->next;
    due.prev = slot->prev;
    due.next->prev = due.prev->next = &due;
    list_init(slot);
    while (due.next != &due) {
        struct timer *timer = due.next;

        unlink_from(timer);
        if (timer->due > tick) {
            link_into(slot_of(&lane->wheel, timer->due), timer);
            continue;
        }
        timer->lane = NULL;
        lane->wheel.armed--;
        timer->fire(timer);
    }
}

static void on_clock(uv_timer_t *clock);

/* To the next edge of a tick; not a repeating timer, whose phase would drift. */
static void
clock_start(struct lane *lane)
{
    uint64_t into = uv_now(&lane->loop) % TIMER_GRAIN_MS;

    uv_timer_start(&lane->wheel.clock, on_clock, TIMER_GRAIN_MS - into, 0);
}

static void
on_clock(uv_timer_t *clock)
{
    struct lane *lane = clock->data;
    uint64_t now = tick_now(lane);

    /* After a long stop one look at each slot is enough: each compares with now. */
    if (now > lane->wheel.tick && now - lane->wheel.tick > WHEEL_SLOTS)
        lane->wheel.tick = now - WHEEL_SLOTS;
    while (lane->wheel.tick <= now)
        slot_fire(lane, lane->wheel.tick++);
    if (lane->wheel.armed != 0)
        clock_start(lane);
}

void
wheel_init(struct lane *lane)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        list_init(&lane->wheel.slots[i]);
    uv_timer_init(&lane->loop, &lane->wheel.clock);
    lane->wheel.clock.data = lane;
    lane->wheel.tick = tick_now(lane);
}

void
wheel_end(struct lane *lane)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++) {
        struct timer *slot = &lane->wheel.slots[i];

        while (slot->next != slot)
            timer_disarm(slot->next);
    }
    uv_close((uv_handle_t *)&lane->wheel.clock, NULL);
}

void
timer_arm(struct lane *lane, struct timer *timer, int64_t after_ms)
{
    struct wheel *wheel = &lane->wheel;
    uint64_t due;

    if (atomic_load_explicit(&lane->state, memory_order_relaxed) == LANE_NEW)
        uv_update_time(&lane->loop); /* no turn has done it */
    if (after_ms < 0)
        after_ms = 0;
    if (after_ms > TIMER_LONGEST_MS)
        after_ms = TIMER_LONGEST_MS;
    /* The next edge after it: not too early, and never in the tick that is firing,
     * where a timer that arms itself again would go round for ever. */
    due = (uv_now(&lane->loop) + (uint64_t)after_ms) / TIMER_GRAIN_MS + 1;
    if (timer->lane != NULL) {
        /* Moved further away, it is met in its old slot and goes on from there. */
        if (due >= timer->due) {
            timer->due = due;
            return;
        }
        timer_disarm(timer);
    }
    if (lane->ending)
        return;
    if (wheel->armed++ == 0) {
        if (wheel->tick < tick_now(lane))
            wheel->tick = tick_now(lane);
        clock_start(lane);
    }
    timer->lane = lane;
    timer->due = due;
    link_into(slot_of(wheel, due), timer);
}

void
timer_disarm(struct timer *timer)
{
    if (timer->lane == NULL)
        return;
    timer->lane->wheel.armed--;
    timer->lane = NULL;
    unlink_from(timer);
}

struct alarm {
    uv_timer_t handle;
    void (*fire)(struct alarm *alarm, void *context);
    void *context;
};

static void
on_alarm(uv_timer_t *handle)
{
    struct alarm *alarm = LANE_OWNER(handle, struct alarm, handle);

    alarm->fire(alarm, alarm->context);
}

enum status
alarm_new(struct lane *lane, void (*fire)(struct alarm *alarm, void *context), void *context,
          struct alarm **out)
{
    struct alarm *alarm;

    lane_assert(lane);
    if (lane->ending)
        return STATUS_CLOSED;
    alarm = calloc(1, sizeof *alarm);
    if (alarm == NULL)
        return STATUS_MEMORY;
    uv_timer_init(&lane->loop, &alarm->handle);
    uv_unref((uv_handle_t *)&alarm->handle);
    alarm->fire = fire;
    alarm->context = context;
    *out = alarm;
    return STATUS_OK;
}

void
alarm_set(struct alarm *alarm, int64_t after_ms)
{
    /* libuv counts from its own cached time, which may be a long callback old. */
    uv_update_time(alarm->handle.loop);
    uv_timer_start(&alarm->handle, on_alarm, after_ms < 0 ? 0 : (uint64_t)after_ms, 0);
}

void
alarm_clear(struct alarm *alarm)
{
    uv_timer_stop(&alarm->handle);
}

static void
on_alarm_closed(uv_handle_t *handle)
{
    free(LANE_OWNER(handle, struct alarm, handle));
}

void
alarm_free(struct alarm *alarm)
{
    if (alarm != NULL)
        uv_close((uv_handle_t *)&alarm->handle, on_alarm_closed);
}
