/* net/watch.c - readiness of descriptors that foreign libraries own. */
#include "net/watch.h"

#include <stdlib.h>

#include "lane_inside.h"

struct watch {
    uv_poll_t poll;
    struct lane *lane;
    void (*ready)(struct watch *watch, int events, void *context);
    void *context;
    int wanted;
};

static void
on_poll(uv_poll_t *poll, int code, int events)
{
    struct watch *watch = LANE_OWNER(poll, struct watch, poll);
    int ready = ((events & UV_READABLE) != 0 ? WATCH_READ : 0) |
                ((events & UV_WRITABLE) != 0 ? WATCH_WRITE : 0);

    /* The library meets the error itself when it reads or writes. */
    watch->ready(watch, code != 0 ? watch->wanted : ready, watch->context);
}

enum status
watch_new(struct lane *lane, int descriptor,
          void (*ready)(struct watch *watch, int events, void *context), void *context,
          struct watch **out)
{
    struct watch *watch;
    int code;

    lane_assert(lane);
    if (lane->ending)
        return STATUS_CLOSED;
    watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return STATUS_MEMORY;
    code = uv_poll_init(&lane->loop, &watch->poll, descriptor);
    if (code != 0) {
        free(watch);
        return status_of_uv(code);
    }
    watch->lane = lane;
    watch->ready = ready;
    watch->context = context;
    lane_hold(lane);
    *out = watch;
    return STATUS_OK;
}

enum status
watch_set(struct watch *watch, int events)
{
    lane_assert(watch->lane);
    watch->wanted = events;
    if (events == 0)
        return status_of_uv(uv_poll_stop(&watch->poll));
    return status_of_uv(uv_poll_start(&watch->poll,
                                      ((events & WATCH_READ) != 0 ? UV_READABLE : 0) |
                                          ((events & WATCH_WRITE) != 0 ? UV_WRITABLE : 0),
                                      on_poll));
}

static void
on_closed(uv_handle_t *handle)
{
    struct watch *watch = LANE_OWNER(handle, struct watch, poll);
    struct lane *lane = watch->lane;

    free(watch);
    lane_release(lane);
}

void
watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    lane_assert(watch->lane);
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}
