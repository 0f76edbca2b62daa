/* gateway/postgres/reach.c - dials, asks for TLS (SSLRequest), and secures the stream. */
#include "reach.h"

#include <stdlib.h>

#include "base/clock.h"
#include "net/timer.h"

enum { ANSWER_MS = 10 * MS_SECOND };

/* Length 8, and the code 80877103 (protocol, "SSL Session Encryption"). */
static const char ssl_request[] = { 0, 0, 0, 8, 4, (char)0xd2, 0x16, 0x2f };

struct reach {
    struct upstream *upstream;
    struct lane *lane;
    struct dial *dial; /* NULL: done with it */
    struct stream *stream;
    struct timer answer; /* the server is slow to answer the request */
    dial_done done;      /* NULL: called off */
    void *context;
};

static void
finish(struct reach *reach, enum status status, const char *why)
{
    struct stream *stream = reach->stream;

    timer_disarm(&reach->answer);
    if (stream != NULL && (status != STATUS_OK || reach->done == NULL)) {
        stream_close(stream, NULL, NULL);
        stream = NULL;
    }
    if (reach->done != NULL)
        reach->done(status, stream, why, reach->context);
    free(reach);
}

static void
on_secured(struct stream *stream, enum status status, void *context)
{
    finish(context, status,
           status == STATUS_DENIED ? "the upstream's certificate is not right"
                                   : "TLS with the upstream failed");
}

/* One byte: 'S' or 'N'. What came with it was sent in the clear by nobody knows whom. */
static void
on_answer(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct reach *reach = context;
    struct stream_tls how = { .client = upstream_tls(reach->upstream) };

    timer_disarm(&reach->answer);
    stream_read_stop(stream);
    if (status != STATUS_OK)
        finish(reach, STATUS_IO, "the upstream left while TLS was asked for");
    else if (bytes.size != 1 || bytes.at[0] != 'S')
        finish(reach, STATUS_DENIED, "the upstream has no TLS, and its definition demands it");
    else if (how.client == NULL || stream_secure(stream, &how, on_secured, reach) != STATUS_OK)
        finish(reach, STATUS_CRYPTO, "TLS to the upstream can't be set up");
}

static void
on_slow(struct timer *timer)
{
    finish(LANE_OWNER(timer, struct reach, answer), STATUS_TIMEOUT,
           "the upstream did not answer in time");
}

static void
on_dialled(enum status status, struct stream *stream, const char *why, void *context)
{
    struct reach *reach = context;
    const struct slice request = slice_of(ssl_request, sizeof(ssl_request));

    reach->dial = NULL;
    reach->stream = stream;
    if (status != STATUS_OK || !reach->upstream->plan.tls) {
        finish(reach, status, why);
        return;
    }
    if (stream_write(stream, &request, 1, NULL, NULL) == STREAM_BROKEN) {
        finish(reach, STATUS_IO, "the upstream left while TLS was asked for");
        return;
    }
    timer_arm(reach->lane, &reach->answer, ANSWER_MS);
    stream_read_start(stream, on_answer, reach);
}

enum status
reach_start(struct upstream *upstream, struct lane *lane, dial_done done, void *context,
            struct reach **out)
{
    struct reach *reach = calloc(1, sizeof(*reach));

    if (reach == NULL)
        return STATUS_MEMORY;
    reach->upstream = upstream;
    reach->lane = lane;
    reach->done = done;
    reach->context = context;
    reach->answer.fire = on_slow;
    enum status status = dial_start(upstream, lane, on_dialled, reach, &reach->dial);
    if (status != STATUS_OK) {
        free(reach);
        return status;
    }
    *out = reach;
    return STATUS_OK;
}

void
reach_cancel(struct reach *reach)
{
    reach->done = NULL;
    if (reach->dial != NULL)
        dial_cancel(reach->dial);
    finish(reach, STATUS_CLOSED, "");
}
