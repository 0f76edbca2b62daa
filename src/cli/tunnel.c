/* cli/tunnel.c - bytes from one connection to another, held back where the reader is slow. */
#include "tunnel.h"

#include <stdlib.h>

enum {
    QUEUE_MARK = 256 * 1024,
    LINGER_MS = 2000,
    DELIVER_MS = 60000, /* for what still waits for a slow reader */
};

struct side {
    struct tunnel *tunnel;
    struct side *other;
    struct stream *stream; /* NULL: closed */
    bool held;             /* not read from, as the other end is behind */
};

struct tunnel {
    struct side sides[2]; /* the client's, the gateway's */
    bool ending;
};

static void
on_closed(struct stream *stream, void *context)
{
    struct side *side = context;
    struct tunnel *tunnel = side->tunnel;

    side->stream = NULL;
    if (side->other->stream == NULL)
        free(tunnel);
}

/* What waits is still sent, so that the last words arrive. */
static void
end(struct tunnel *tunnel)
{
    if (tunnel->ending)
        return;
    tunnel->ending = true;
    for (int i = 0; i < 2; i++) {
        struct stream *stream = tunnel->sides[i].stream;

        stream_finish(stream, stream_queued(stream) > 0 ? DELIVER_MS : LINGER_MS, on_closed,
                      &tunnel->sides[i]);
    }
}

static void on_read(struct stream *stream, enum status status, struct slice bytes, void *context);

static void
on_sent(struct stream *stream, enum status status, void *context)
{
    struct side *side = context;

    if (side->tunnel->ending)
        return;
    if (status != STATUS_OK)
        end(side->tunnel);
    else if (side->held && stream_queued(stream) < QUEUE_MARK / 2) {
        side->held = false;
        stream_read_start(side->stream, on_read, side);
    }
}

static bool
pass_on(struct side *side, struct slice bytes)
{
    struct stream *to = side->other->stream;

    if (bytes.size == 0)
        return true;
    switch (stream_write(to, &bytes, 1, on_sent, side)) {
    case STREAM_BROKEN:
        return false;
    case STREAM_QUEUED:
        if (stream_queued(to) > QUEUE_MARK && !side->held) {
            side->held = true;
            stream_read_stop(side->stream);
        }
        return true;
    case STREAM_WRITTEN:
        break;
    }
    return true;
}

static void
on_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct side *side = context;

    if (side->tunnel->ending)
        return;
    if (status == STATUS_CLOSED && side == &side->tunnel->sides[0])
        stream_shutdown(
            side->other->stream); /* `docker exec -i … < file` waits for what comes of it */
    else if (status != STATUS_OK || !pass_on(side, bytes))
        end(side->tunnel);
}

void
tunnel_join(const struct tunnel_end *client, const struct tunnel_end *gateway)
{
    struct tunnel *tunnel = calloc(1, sizeof *tunnel);
    const struct tunnel_end *const ends[] = { client, gateway };
    bool fine = tunnel != NULL;

    if (!fine) {
        stream_close(client->stream, NULL, NULL);
        stream_close(gateway->stream, NULL, NULL);
        return;
    }
    for (int i = 0; i < 2; i++)
        tunnel->sides[i] = (struct side){ .tunnel = tunnel,
                                          .other = &tunnel->sides[1 - i],
                                          .stream = ends[i]->stream };
    for (int i = 0; i < 2; i++)
        stream_read_start(tunnel->sides[i].stream, on_read, &tunnel->sides[i]);
    for (int i = 0; i < 2; i++)
        fine = pass_on(&tunnel->sides[i], ends[i]->pending) && fine;
    if (!fine)
        end(tunnel);
}
