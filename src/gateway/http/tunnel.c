/* gateway/http/tunnel.c - after an upgrade: two streams joined, each held back by
 * the other, until both have ended, one breaks, or the token no longer holds. */
#include <stdlib.h>

#include "prelude.h"
#include "relay.h"

enum {
    QUEUE_MARK = 256 << 10, /* more than this waits for one side: the other is not read */
    LINGER_MS = 5000,
    DELIVER_MS = 60000, /* for what still waits for a slow side */
    SILENT_MS = 5 * 60000,
};

struct tunnel;

struct side {
    struct tunnel *tunnel;
    struct stream *stream;
    struct side *other;
    uint64_t bytes; /* read from this side */
    bool ended;     /* it sends nothing more */
    bool held;      /* not read while the other is behind */
};

struct tunnel {
    struct passage *passage; /* NULL: left; the streams are closing */
    struct side client, upstream;
    struct stream_tap *tap; /* NULL: nobody looks */
    struct timer catch_up;  /* the tap is behind, and so often it was since: */
    unsigned behind;
    /* One side has ended: a peer that is gone altogether looks no different, and nothing tells of
     * it while nothing is written to it. So it ends when nothing moves for so long. */
    struct timer silent;
    int64_t silent_ms;
    uint64_t moved; /* bytes, when it was armed */
    unsigned closed;
};

static void tunnel_cut(struct passage *passage, const struct refusal *why);
static uint64_t tunnel_traffic(const struct passage *passage);

/* A tunnel is opened by 101 alone, so that it has nothing to refuse or open. */
static const struct door tunnel_door = {
    .name = "http-upgrade",
    .cut = tunnel_cut,
    .traffic = tunnel_traffic,
};

static void
tunnel_free(struct tunnel *tunnel)
{
    if (tunnel == NULL)
        return;
    if (tunnel->tap != NULL)
        tunnel->tap->free(tunnel->tap);
    free(tunnel);
}

static void
on_closed(struct stream *stream, void *context)
{
    struct side *side = context;
    struct tunnel *tunnel = side->tunnel;

    if (++tunnel->closed == 2)
        tunnel_free(tunnel);
}

enum ending { ENDING_ORDERLY, ENDING_CUT };

static void
finish(struct side *side)
{
    stream_finish(side->stream, stream_queued(side->stream) > 0 ? DELIVER_MS : LINGER_MS, on_closed,
                  side);
}

static void
end(struct tunnel *tunnel, enum ending ending)
{
    struct passage *passage = tunnel->passage;

    if (passage == NULL)
        return;
    tunnel->passage = NULL;
    timer_disarm(&tunnel->catch_up);
    timer_disarm(&tunnel->silent);
    pipeline_leave(passage, 101, tunnel->client.bytes, tunnel->upstream.bytes);
    if (ending == ENDING_ORDERLY) {
        finish(&tunnel->client);
        finish(&tunnel->upstream);
    } else {
        stream_close(tunnel->client.stream, on_closed, &tunnel->client);
        stream_close(tunnel->upstream.stream, on_closed, &tunnel->upstream);
    }
}

static void on_read(struct stream *stream, enum status status, struct slice bytes, void *context);

static bool
is_behind(const struct tunnel *tunnel)
{
    return tunnel->tap != NULL && tunnel->tap->behind(tunnel->tap);
}

static void
hold(struct side *side)
{
    if (side->held || side->ended)
        return;
    side->held = true;
    stream_read_stop(side->stream);
}

/* While the other side takes what comes of it, and the tap does. */
static void
go_on(struct side *side)
{
    if (!side->held || stream_queued(side->other->stream) > QUEUE_MARK / 2 ||
        is_behind(side->tunnel))
        return;
    side->held = false;
    stream_read_start(side->stream, on_read, side);
}

static void
on_catch_up(struct timer *timer)
{
    struct tunnel *tunnel = LANE_OWNER(timer, struct tunnel, catch_up);

    if (is_behind(tunnel) && ++tunnel->behind == BEHIND_MOST) {
        end(tunnel, ENDING_CUT);
    } else if (is_behind(tunnel)) {
        timer_arm(tunnel->passage->gate->lane, &tunnel->catch_up, BEHIND_AGAIN_MS);
    } else {
        tunnel->behind = 0;
        go_on(&tunnel->client);
        if (tunnel->passage != NULL)
            go_on(&tunnel->upstream);
    }
}

/* Both sides wait for a tap that is behind. */
static void
wait_for_tap(struct tunnel *tunnel)
{
    if (tunnel->passage == NULL || !is_behind(tunnel))
        return;
    hold(&tunnel->client);
    hold(&tunnel->upstream);
    if (tunnel->behind > 0)
        return;
    tunnel->behind = 1;
    timer_arm(tunnel->passage->gate->lane, &tunnel->catch_up, BEHIND_AGAIN_MS);
}

/* side->stream took what was read from the other side. */
static void
on_written(struct stream *stream, enum status status, void *context)
{
    struct side *side = context;
    struct side *source = side->other;

    if (side->tunnel->passage == NULL)
        return;
    if (status != STATUS_OK) {
        end(side->tunnel, ENDING_CUT);
        return;
    }
    go_on(source);
}

static void
pass_on(struct side *from, struct slice bytes)
{
    struct tunnel *tunnel = from->tunnel;
    struct side *to = from->other;

    if (!gate_acts(tunnel->passage->gate)) {
        end(tunnel, ENDING_CUT);
        return;
    }
    from->bytes += bytes.size;
    if (tunnel->tap != NULL &&
        tunnel->tap->bytes(tunnel->tap, from == &tunnel->client ? TAP_CLIENT : TAP_UPSTREAM,
                           bytes) != STATUS_OK) {
        end(tunnel, ENDING_CUT);
        return;
    }
    switch (stream_write(to->stream, &bytes, 1, on_written, to)) {
    case STREAM_WRITTEN:
        break;
    case STREAM_QUEUED:
        if (stream_queued(to->stream) > QUEUE_MARK)
            hold(from);
        break;
    case STREAM_BROKEN:
        end(from->tunnel, ENDING_CUT);
        break;
    }
    wait_for_tap(tunnel);
}

static uint64_t
tunnel_traffic(const struct passage *passage)
{
    const struct tunnel *tunnel = passage->relay;

    return tunnel->client.bytes + tunnel->upstream.bytes;
}

static void
watch_silence(struct tunnel *tunnel)
{
    tunnel->moved = tunnel_traffic(tunnel->passage);
    timer_arm(tunnel->passage->gate->lane, &tunnel->silent, tunnel->silent_ms);
}

static void
on_silent(struct timer *timer)
{
    struct tunnel *tunnel = LANE_OWNER(timer, struct tunnel, silent);

    if (tunnel_traffic(tunnel->passage) == tunnel->moved)
        end(tunnel, ENDING_CUT);
    else
        watch_silence(tunnel);
}

static void
on_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct side *side = context;
    struct tunnel *tunnel = side->tunnel;

    if (tunnel->passage == NULL)
        return;
    if (status == STATUS_OK) {
        pass_on(side, bytes);
        return;
    }
    side->ended = true;
    side->held = false;
    if (status != STATUS_CLOSED)
        end(tunnel, ENDING_CUT);
    else if (side->other->ended)
        end(tunnel, ENDING_ORDERLY);
    else {
        stream_shutdown(side->other->stream);
        watch_silence(tunnel);
    }
}

static void
tunnel_cut(struct passage *passage, const struct refusal *why)
{
    end(passage->relay, ENDING_CUT);
}

static void
join(struct tunnel *tunnel, struct stream *client, struct stream *upstream)
{
    tunnel->client =
        (struct side){ .tunnel = tunnel, .stream = client, .other = &tunnel->upstream };
    tunnel->upstream =
        (struct side){ .tunnel = tunnel, .stream = upstream, .other = &tunnel->client };
}

/* The call ends here in any case: it becomes a stream or is closed. */
static struct stream *
take_client(struct http_passage *http, const struct http_head *head, struct slice *pending)
{
    struct answer_fields fields = {
        .head = head,
        .upstream = http->passage->asked.upstream,
        .by_host = http->target.by_host,
        .upgrade = true,
    };
    struct buffer *out = http_answer_begin(http->call, 101);

    headers_to_client(out, &fields);
    return http_call_upgrade(http->call, pending);
}

/* False: who must look can't. */
static bool
tap_begin(struct http_passage *http, const struct http_head *head, struct tunnel *tunnel)
{
    if (http->talk == NULL || http->talk->dialect->tap == NULL)
        return true;
    return http->talk->dialect->tap(http, head, &tunnel->tap) == STATUS_OK;
}

/* As long as an answer may be silent, where that is said. */
static int64_t
silence_of(const struct upstream *upstream)
{
    return upstream != NULL && upstream->plan.idle_ms > 0 ? upstream->plan.idle_ms : SILENT_MS;
}

void
tunnel_open(struct http_passage *http, const struct http_head *head, struct stream *upstream,
            struct slice pending)
{
    struct passage *passage = http->passage;
    struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
    uint64_t bytes_in = http_call_bytes_in(http->call);
    struct slice early = { 0 };
    struct stream *client = NULL;

    if (tunnel != NULL && passage_keep(passage) && tap_begin(http, head, tunnel))
        client = take_client(http, head, &early);
    else
        http_call_abort(http->call);
    if (client == NULL) {
        stream_close(upstream, NULL, NULL);
        tunnel_free(tunnel);
        pipeline_leave(passage, 502, bytes_in, 0);
        return;
    }
    talk_free(passage->gate, http->talk);
    http->talk = NULL;
    passage->door = &tunnel_door;
    passage->relay = tunnel;
    tunnel->passage = passage;
    tunnel->catch_up.fire = on_catch_up;
    tunnel->silent.fire = on_silent;
    tunnel->silent_ms = silence_of(passage->asked.upstream);
    join(tunnel, client, upstream);
    if (early.size > 0)
        pass_on(&tunnel->client, early);
    if (tunnel->passage != NULL && pending.size > 0)
        pass_on(&tunnel->upstream, pending);
    if (tunnel->passage == NULL)
        return;
    if (!tunnel->client.held)
        stream_read_start(client, on_read, &tunnel->client);
    if (!tunnel->upstream.held)
        stream_read_start(upstream, on_read, &tunnel->upstream);
}
