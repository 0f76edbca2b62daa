/* http/connection.c - the life of a connection on the server's side: its time, its end,
 * and the bytes that go out. */
#include "connection.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINGER_MS = 2000 };

/* --- time --- */

static int64_t
wait_limit(const struct connection *connection, enum wait wait)
{
    const struct http_server_options *options = &connection->server->options;

    switch (wait) {
    case WAIT_HEAD:
        return options->head_ms;
    case WAIT_IDLE:
        return options->idle_ms;
    case WAIT_BODY:
        return options->body_ms;
    case WAIT_WRITE:
        return options->write_ms;
    case WAIT_NONE:
        break;
    }
    return 0;
}

/* The timer is left armed while waits come and go; when it fires too early for the
 * wait of then, it is armed anew. So a request costs no timer. */
void
connection_wait(struct connection *connection, enum wait wait)
{
    struct lane *lane = connection->server->lane;
    uint64_t due;
    int64_t limit;

    connection->wait = (uint8_t)wait;
    connection->progress = wait == WAIT_WRITE ? stream_queued(connection->stream) : 0;
    if (wait == WAIT_NONE)
        return;
    limit = wait_limit(connection, wait);
    connection->since_us = lane_mono_us(lane);
    due = connection->since_us + (uint64_t)limit * 1000;
    if (timer_armed(&connection->timer) && connection->due_us <= due)
        return;
    connection->due_us = due;
    timer_arm(lane, &connection->timer, limit);
}

/* --- the end of a connection --- */

void
connection_free(struct connection *connection)
{
    struct http_server *server = connection->server;

    timer_disarm(&connection->timer);
    if (connection->prev != NULL)
        connection->prev->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL)
        connection->next->prev = connection->prev;
    server->count--;
    buffer_free(&connection->in);
    body_free(&connection->body);
    free(connection);
    http_server_release(server);
}

static void
on_closed(struct stream *stream, void *context)
{
    struct connection *connection = context;

    connection->gone = true;
    if (!connection->woken)
        connection_free(connection);
}

void
connection_close(struct connection *connection)
{
    if (connection->closing)
        return;
    connection->closing = true;
    timer_disarm(&connection->timer);
    stream_close(connection->stream, on_closed, connection);
}

void
connection_finish(struct connection *connection)
{
    if (connection->closing)
        return;
    connection->closing = true;
    timer_disarm(&connection->timer);
    /* A slow reader gets the end of its answer too: what waits for it has the time
     * that every write has. */
    stream_finish(connection->stream,
                  stream_queued(connection->stream) > 0 ? connection->server->options.write_ms
                                                        : LINGER_MS,
                  on_closed, connection);
}

struct slice
connection_pending(const struct connection *connection)
{
    return connection->current != NULL ? *connection->current : buffer_slice(&connection->in);
}

void
connection_release(struct connection *connection)
{
    stream_read_stop(connection->stream);
    timer_disarm(&connection->timer);
    http_call_give(connection->server, connection->call);
    connection->call = NULL;
    connection->stream = NULL;
    connection->closing = connection->gone = true;
    connection_wake(connection);
}

void
connection_call_gone(struct connection *connection, enum status status)
{
    struct http_call *call = connection->call;
    const struct http_server_options *options = &connection->server->options;

    connection->call = NULL;
    if (call == NULL)
        return;
    if (options->handler->gone != NULL)
        options->handler->gone(call, status, options->context);
    http_call_give(connection->server, call);
}

void
connection_refuse(struct connection *connection, unsigned status, const char *reason)
{
    struct buffer out = { 0 };
    const char *title = http_status_text(status);
    char body[256];
    int size = snprintf(body, sizeof body,
                        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,"
                        "\"detail\":\"%s\"}\n",
                        title, status, reason);
    struct slice slice;

    http_put_status_line(&out, status);
    put_text(&out, "Content-Type: application/problem+json\r\nCache-Control: no-store\r\n"
                   "X-Content-Type-Options: nosniff\r\nConnection: close\r\n");
    http_put_header_number(&out, SLICE_LITERAL("Content-Length"), (uint64_t)size);
    http_put_date(&out, lane_now_ms(connection->server->lane));
    put_format(&out, "\r\n%s", body);
    slice = buffer_slice(&out);
    if (buffer_status(&out) == STATUS_OK &&
        connection_write(connection, &slice, 1) != HTTP_FLOW_GONE)
        connection_finish(connection);
    else
        connection_close(connection);
    buffer_free(&out);
}

void
connection_refuse_head(struct connection *connection, const struct http_refusal *why)
{
    const struct http_server_options *options = &connection->server->options;

    if (options->handler->refused != NULL)
        options->handler->refused(connection->stream, why, options->context);
    connection_refuse(connection, why->status, why->reason);
}

void
connection_fail(struct connection *connection, enum status status, unsigned answer,
                const char *reason)
{
    bool silent = connection->call != NULL && connection->call->answer == ANSWER_BODY;

    connection_call_gone(connection, status);
    if (silent || answer == 0)
        connection_close(connection);
    else
        connection_refuse(connection, answer, reason);
}

void
connection_timer_fire(struct timer *timer)
{
    struct connection *connection = LANE_OWNER(timer, struct connection, timer);
    uint64_t now = lane_mono_us(connection->server->lane);
    int64_t limit = wait_limit(connection, (enum wait)connection->wait);
    uint64_t end = connection->since_us + (uint64_t)limit * 1000;

    if (connection->closing || connection->wait == WAIT_NONE)
        return;
    if (now < end) {
        connection->due_us = end;
        timer_arm(connection->server->lane, timer, (int64_t)((end - now) / 1000) + 1);
        return;
    }
    switch ((enum wait)connection->wait) {
    case WAIT_HEAD:
        if (connection->in.size > 0)
            connection_refuse_head(connection,
                                   &(struct http_refusal){ 408, "the head took too long" });
        else
            connection_close(connection);
        break;
    case WAIT_IDLE:
        connection_finish(connection);
        break;
    case WAIT_BODY:
        /* Who holds the bytes back is not the peer's fault. */
        if (connection->progress >= connection->server->options.body_progress ||
            (connection->call != NULL && !connection->call->resumed))
            connection_wait(connection, WAIT_BODY);
        else
            connection_fail(connection, STATUS_TIMEOUT, 408, "the body took too long");
        break;
    case WAIT_WRITE: {
        size_t queued = stream_queued(connection->stream);

        if (queued == 0)
            connection_wait(connection, WAIT_NONE);
        else if (queued != connection->progress)
            connection_wait(connection, WAIT_WRITE);
        else
            connection_fail(connection, STATUS_TIMEOUT, 0, NULL);
        break;
    }
    case WAIT_NONE:
        break;
    }
}

/* --- writing --- */

static void
on_written(struct stream *stream, enum status status, void *context)
{
    struct connection *connection = context;
    struct http_call *call = connection->call;
    const struct http_server_options *options = &connection->server->options;

    if (connection->closing || call == NULL)
        return;
    if (status != STATUS_OK) {
        connection_fail(connection, STATUS_IO, 0, NULL);
        return;
    }
    if (call->blocked && stream_queued(stream) <= options->queue_mark / 2) {
        call->blocked = false;
        if (options->handler->writable != NULL)
            options->handler->writable(call, options->context);
    }
}

enum http_flow
connection_write(struct connection *connection, const struct slice *slices, size_t count)
{
    if (connection->closing || connection->broken)
        return HTTP_FLOW_GONE;
    switch (stream_write(connection->stream, slices, count, on_written, connection)) {
    case STREAM_WRITTEN:
        return HTTP_FLOW_GO;
    case STREAM_QUEUED:
        if (connection->wait != WAIT_BODY)
            connection_wait(connection, WAIT_WRITE);
        return stream_queued(connection->stream) > connection->server->options.queue_mark
                   ? HTTP_FLOW_FULL
                   : HTTP_FLOW_GO;
    case STREAM_BROKEN:
        break;
    }
    connection->broken = true;
    connection_wake(connection);
    return HTTP_FLOW_GONE;
}
