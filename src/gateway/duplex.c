/* gateway/duplex.c - reads, holds back and closes two streams for one session. */
#include "duplex.h"

enum {
    LINGER_MS = 2000,
    DELIVER_MS = 60000, /* for what still waits for a slow client */
};

static void
on_client(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct duplex *duplex = context;

    if (duplex->ended)
        return;
    if (status == STATUS_OK)
        duplex->calls->client_read(duplex, bytes);
    else
        duplex->calls->client_gone(duplex);
}

static void
on_server(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct duplex *duplex = context;

    if (duplex->ended)
        return;
    if (status == STATUS_OK)
        duplex->calls->server_read(duplex, bytes);
    else
        duplex->calls->server_gone(duplex, status);
}

void
duplex_read_client(struct duplex *duplex)
{
    duplex->client_held = false;
    stream_read_start(duplex->client, on_client, duplex);
}

void
duplex_hold_client(struct duplex *duplex)
{
    if (!duplex->client_held)
        stream_read_stop(duplex->client);
    duplex->client_held = true;
}

void
duplex_read_server(struct duplex *duplex)
{
    duplex->server_held = false;
    stream_read_start(duplex->server, on_server, duplex);
}

static void
hold_server(struct duplex *duplex)
{
    if (!duplex->server_held)
        stream_read_stop(duplex->server);
    duplex->server_held = true;
}

static void
on_client_written(struct stream *stream, enum status status, void *context)
{
    struct duplex *duplex = context;

    if (duplex->ended)
        return;
    if (status != STATUS_OK) {
        duplex->calls->client_gone(duplex);
        return;
    }
    if (stream_queued(stream) > DUPLEX_LOW)
        return;
    if (duplex->server_held && duplex->server != NULL)
        duplex_read_server(duplex);
    if (duplex->calls->client_drained != NULL)
        duplex->calls->client_drained(duplex);
}

static void
on_server_written(struct stream *stream, enum status status, void *context)
{
    struct duplex *duplex = context;

    if (stream != duplex->server) /* shed */
        return;
    duplex->sending--;
    if (!duplex->ended && status == STATUS_OK && stream_queued(stream) <= DUPLEX_LOW)
        duplex->calls->server_drained(duplex);
}

static enum stream_wrote
write_out(struct duplex *duplex, struct stream *stream, struct buffer *buffer,
          stream_done_callback done)
{
    struct slice bytes = buffer_slice(buffer);
    enum stream_wrote wrote = STREAM_BROKEN;

    if (buffer_status(buffer) == STATUS_OK && bytes.size == 0)
        wrote = STREAM_WRITTEN;
    else if (buffer_status(buffer) == STATUS_OK && stream != NULL)
        wrote = stream_write(stream, &bytes, 1, done, duplex);
    buffer_clear(buffer);
    return wrote;
}

bool
duplex_send(struct duplex *duplex, struct buffer *to_client, struct buffer *to_server)
{
    /* Both, so that neither is left for another session. */
    if (write_out(duplex, duplex->server, to_server, on_server_written) == STREAM_QUEUED)
        duplex->sending++;
    bool sent = write_out(duplex, duplex->client, to_client, on_client_written) != STREAM_BROKEN;

    if (duplex->ended)
        return false;
    if (!sent) {
        duplex->calls->client_gone(duplex);
        return false;
    }
    if (duplex->server != NULL && stream_queued(duplex->server) > DUPLEX_MARK)
        duplex_hold_client(duplex);
    if (duplex->server != NULL && stream_queued(duplex->client) > DUPLEX_MARK)
        hold_server(duplex);
    return true;
}

bool
duplex_may_part(const struct duplex *duplex)
{
    return duplex->sending == 0;
}

struct stream *
duplex_part(struct duplex *duplex)
{
    struct stream *server = duplex->server;

    duplex->server = NULL;
    duplex->server_held = false;
    return server;
}

void
duplex_join(struct duplex *duplex, struct stream *server)
{
    duplex->server = server;
    duplex_read_server(duplex);
}

static void
on_closed(struct stream *stream, void *context)
{
    struct duplex *duplex = context;

    if (--duplex->closing == 0 && duplex->ended)
        duplex->calls->closed(duplex);
}

void
duplex_shed(struct duplex *duplex)
{
    struct stream *server = duplex_part(duplex);

    duplex->sending = 0;
    duplex->closing++;
    stream_close(server, on_closed, duplex);
}

static void
close_one(struct duplex *duplex, struct stream *stream, enum duplex_ending how)
{
    if (how == DUPLEX_DELIVER)
        stream_finish(stream, stream_queued(stream) > 0 ? DELIVER_MS : LINGER_MS, on_closed,
                      duplex);
    else
        stream_close(stream, on_closed, duplex);
}

void
duplex_end(struct duplex *duplex, enum duplex_ending how)
{
    if (duplex->ended)
        return;
    duplex->ended = true;
    duplex->closing += 1 + (duplex->server != NULL);
    if (duplex->server != NULL)
        close_one(duplex, duplex->server, how);
    close_one(duplex, duplex->client, how);
}
