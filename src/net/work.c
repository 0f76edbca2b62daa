/* net/work.c - work on libuv's threads, its end on the lane. */
#include "net/work.h"

#include <stdlib.h>

#include "lane_inside.h"

struct task {
    uv_work_t request;
    struct lane *lane;
    struct work *work;
};

static void
on_run(uv_work_t *request)
{
    struct task *task = LANE_OWNER(request, struct task, request);

    task->work->run(task->work);
}

static void
on_done(uv_work_t *request, int code)
{
    struct task *task = LANE_OWNER(request, struct task, request);
    struct lane *lane = task->lane;
    struct work *work = task->work;

    free(task);
    lane->works--;
    work->done(work, lane->ending);
    lane_release(lane);
}

enum status
work_start(struct lane *lane, struct work *work)
{
    struct task *task;
    int code;

    lane_assert(lane);
    if (lane->ending)
        return STATUS_CLOSED;
    if (lane->works >= WORK_MAX)
        return STATUS_LIMIT;
    task = calloc(1, sizeof(*task));
    if (task == NULL)
        return STATUS_MEMORY;
    *task = (struct task){ .lane = lane, .work = work };
    code = uv_queue_work(&lane->loop, &task->request, on_run, on_done);
    if (code != 0) {
        free(task);
        return status_of_uv(code);
    }
    lane->works++;
    lane_hold(lane);
    return STATUS_OK;
}
