/* http/server.c - connections: bytes into requests, in order, bounded in memory
 * and in time. */
#include "connection.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum {
    LINGER_MS = 2000,
    IN_MARK = 32768 + 4096, /* bytes waiting: a whole head fits; then reading stops */
    IN_KEPT = 4096,         /* memory that an idle connection may keep */
    SPARES_MAX = 256
};

static void process(struct connection *connection);
static void wake_run(struct lane_message *message);
static void timer_fire(struct timer *timer);
static void on_read(struct stream *stream, enum status status, struct slice bytes, void *context);

/* --- calls, reused last in, first out: the warm one first --- */

static struct http_call *
call_take(struct http_server *server)
{
    struct http_call *call = server->spare;

    if (call != NULL) {
        server->spare = call->next;
        server->spares--;
        buffer_clear(&call->out);
        arena_reset(&call->arena);
    } else {
        call = calloc(1, sizeof *call);
        if (call == NULL)
            return NULL;
        arena_init(&call->arena, server->options.arena_max);
    }
    return call;
}

static void
call_free(struct http_call *call)
{
    buffer_free(&call->out);
    arena_free(&call->arena);
    free(call);
}

/* Its memory stays readable until the next request takes it. */
static void
call_give(struct http_server *server, struct http_call *call)
{
    enum { OUT_KEPT = 65536 };

    if (call->out.capacity > OUT_KEPT)
        buffer_free(&call->out);
    if (call->collected != NULL)
        buffer_free(call->collected);
    call->collected = NULL;
    call->connection = NULL;
    call->next = server->spare;
    server->spare = call;
    server->spares++;
    /* The newest stays: its owner may still look at it. */
    if (server->spares > SPARES_MAX && call->next != NULL) {
        struct http_call *old = call->next;

        call->next = old->next;
        server->spares--;
        call_free(old);
    }
}

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

static void
server_release(struct http_server *server)
{
    if (!server->freed || server->count > 0)
        return;
    while (server->spare != NULL) {
        struct http_call *call = server->spare;

        server->spare = call->next;
        call_free(call);
    }
    free(server);
}

static void
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
    server_release(server);
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
    stream_finish(connection->stream, LINGER_MS, on_closed, connection);
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
    call_give(connection->server, connection->call);
    connection->call = NULL;
    connection->stream = NULL;
    connection->closing = connection->gone = true;
    connection_wake(connection);
}

static void
call_gone(struct connection *connection, enum status status)
{
    struct http_call *call = connection->call;
    const struct http_server_options *options = &connection->server->options;

    connection->call = NULL;
    if (call == NULL)
        return;
    if (options->handler->gone != NULL)
        options->handler->gone(call, status, options->context);
    call_give(connection->server, call);
}

/* Answers what no handler answers, and closes. */
static void
refuse(struct connection *connection, unsigned status, const char *reason)
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

/* The request can't be completed: tells the handler, and the peer if it can. */
static void
fail_call(struct connection *connection, enum status status, unsigned answer, const char *reason)
{
    bool silent = connection->call != NULL && connection->call->answer == ANSWER_BODY;

    call_gone(connection, status);
    if (silent || answer == 0)
        connection_close(connection);
    else
        refuse(connection, answer, reason);
}

static void
timer_fire(struct timer *timer)
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
            refuse(connection, 408, "the head took too long");
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
            fail_call(connection, STATUS_TIMEOUT, 408, "the body took too long");
        break;
    case WAIT_WRITE: {
        size_t queued = stream_queued(connection->stream);

        if (queued == 0)
            connection_wait(connection, WAIT_NONE);
        else if (queued != connection->progress)
            connection_wait(connection, WAIT_WRITE);
        else
            fail_call(connection, STATUS_TIMEOUT, 0, NULL);
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
        fail_call(connection, STATUS_IO, 0, NULL);
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

/* --- requests --- */

static void
begin_call(struct connection *connection, struct http_call *call, size_t waiting)
{
    const struct http_server_options *options = &connection->server->options;
    struct http_head *head = &call->head;
    struct slice kept = arena_copy(&call->arena, slice_of(head->bytes, head->size));

    if (kept.at == NULL) {
        call_give(connection->server, call);
        refuse(connection, 503, "out of memory");
        return;
    }
    head->bytes = kept.at;
    call->connection = connection;
    call->data = NULL;
    call->collected = NULL;
    call->bytes_in = call->bytes_out = 0;
    call->answer = ANSWER_NONE;
    call->resumed = call->told_end = call->blocked = false;
    call->continued = !head->expect_continue;
    connection->call = call;
    body_begin(&connection->body, (enum http_body)head->body, head->length);
    connection_wait(connection, WAIT_NONE);
    options->handler->request(call, head->body == HTTP_BODY_LENGTH && waiting > 0,
                              options->context);
}

/* Returns whether something was read. */
static bool
read_head(struct connection *connection, struct slice *in)
{
    struct http_server *server = connection->server;
    struct http_call *call;
    struct http_refusal why;

    if (in->size == 0)
        return false;
    call = call_take(server);
    if (call == NULL) {
        connection_close(connection);
        return false;
    }
    switch (http_request_parse(*in, &call->head, &why)) {
    case HTTP_PARSED:
        *in = slice_from(*in, call->head.size);
        begin_call(connection, call, in->size);
        return true;
    case HTTP_NEED_MORE:
        call_give(server, call);
        if (connection->wait != WAIT_HEAD)
            connection_wait(connection, WAIT_HEAD);
        return false;
    case HTTP_MALFORMED:
        call_give(server, call);
        if (server->options.handler->refused != NULL)
            server->options.handler->refused(connection->stream, &why, server->options.context);
        refuse(connection, why.status, why.reason);
        break;
    }
    return false;
}

static void
deliver(struct connection *connection, struct slice piece, bool more)
{
    struct http_call *call = connection->call;
    const struct http_server_options *options = &connection->server->options;

    connection->progress += piece.size;
    if (call == NULL) {
        connection->discard -= piece.size < connection->discard ? piece.size : connection->discard;
        return;
    }
    call->bytes_in += piece.size;
    if (options->handler->body != NULL)
        options->handler->body(call, piece, more, options->context);
}

static void
tell_end(struct connection *connection)
{
    struct http_call *call = connection->call;
    const struct http_server_options *options = &connection->server->options;

    if (connection->wait == WAIT_BODY)
        connection_wait(connection, call == NULL ? WAIT_IDLE : WAIT_NONE);
    if (call == NULL || call->told_end)
        return;
    call->told_end = true;
    if (options->handler->body_end != NULL)
        options->handler->body_end(call, body_trailers(&connection->body), options->context);
}

/* A piece is held until it is known whether another callback follows it. */
static void
read_body(struct connection *connection, struct slice *in)
{
    struct slice piece = { 0 }, next;
    enum http_chunk got;

    while ((got = body_next(&connection->body, in, &next)) == HTTP_CHUNK_DATA) {
        if (piece.size > 0)
            deliver(connection, piece, true);
        piece = next;
        if (connection->closing || (connection->call != NULL && !connection->call->resumed))
            break;
    }
    if (piece.size > 0 && !connection->closing)
        deliver(connection, piece, got == HTTP_CHUNK_END);
    if (connection->closing)
        return;
    if (got == HTTP_CHUNK_END)
        tell_end(connection);
    else if (got == HTTP_CHUNK_MALFORMED)
        fail_call(connection, STATUS_INVALID, connection->call == NULL ? 0 : 400,
                  "the body's chunks are not well formed");
    else if (connection->call == NULL && connection->discard == 0)
        connection_finish(connection);
}

/* Reads as far as the state allows; what is left stays in *in. */
static void
advance(struct connection *connection, struct slice *in)
{
    while (!connection->closing && !connection->broken) {
        struct http_call *call = connection->call;

        if (call == NULL && !connection->body.open) {
            if (!read_head(connection, in))
                return;
        } else if (call != NULL && !call->resumed) {
            return;
        } else if (connection->body.open) {
            if (in->size == 0 && body_wants(&connection->body))
                return;
            read_body(connection, in);
        } else {
            if (call->told_end)
                return;
            tell_end(connection);
        }
    }
}

/* After a callback: what the peer may do next. */
static void
settle(struct connection *connection)
{
    if (connection->closing)
        return;
    if (connection->broken) {
        fail_call(connection, STATUS_IO, 0, NULL);
        return;
    }
    if (connection->ended && connection->call == NULL) {
        connection_finish(connection);
        return;
    }
    if (connection->in.size == 0 && connection->in.capacity > IN_KEPT)
        buffer_free(&connection->in);
    if (connection->in.size >= IN_MARK && connection->reading) {
        connection->reading = false;
        stream_read_stop(connection->stream);
    } else if (connection->in.size < IN_MARK && !connection->reading && !connection->ended) {
        connection->reading = true;
        stream_read_start(connection->stream, on_read, connection);
    }
}

static void
process(struct connection *connection)
{
    struct slice in = buffer_slice(&connection->in);
    size_t before = in.size;

    connection->current = &in;
    advance(connection, &in);
    connection->current = NULL;
    buffer_consume(&connection->in, before - in.size);
    settle(connection);
}

static void
peer_ended(struct connection *connection, enum status status)
{
    struct http_call *call = connection->call;

    connection->ended = true;
    if (connection->woken && call == NULL && status == STATUS_CLOSED)
        return; /* requests wait that came before the end */
    if (status == STATUS_CLOSED && connection->server->options.half_close && call != NULL &&
        !connection->body.open && !lane_stopping(connection->server->lane))
        return;
    if (call == NULL && status == STATUS_CLOSED && !connection->body.open)
        connection_finish(connection);
    else
        fail_call(connection, status, 0, NULL);
}

static void
on_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct connection *connection = context;
    struct slice in = bytes;

    if (connection->closing)
        return;
    if (status != STATUS_OK) {
        peer_ended(connection, status);
        return;
    }
    if (connection->in.size > 0) {
        bool line = slice_find(bytes, '\n') < bytes.size;

        put_bytes(&connection->in, bytes.at, bytes.size);
        if (buffer_status(&connection->in) != STATUS_OK)
            fail_call(connection, STATUS_MEMORY, 0, NULL);
        /* A head in drops is parsed once a line, not once a drop. */
        else if (line || connection->in.size > HTTP_TARGET_MAX || connection->body.open)
            process(connection);
        return;
    }
    connection->current = &in;
    advance(connection, &in);
    connection->current = NULL;
    if (in.size > 0 && !connection->closing)
        put_bytes(&connection->in, in.at, in.size);
    if (buffer_status(&connection->in) != STATUS_OK)
        fail_call(connection, STATUS_MEMORY, 0, NULL);
    settle(connection);
}

static void
wake_run(struct lane_message *message)
{
    struct connection *connection = LANE_OWNER(message, struct connection, wake);

    connection->woken = false;
    if (connection->gone)
        connection_free(connection);
    else if (!connection->closing)
        process(connection);
}

void
connection_wake(struct connection *connection)
{
    if (connection->woken || (connection->current != NULL && !connection->gone))
        return;
    connection->wake.run = wake_run;
    connection->woken = lane_post(connection->server->lane, &connection->wake);
}

void
connection_read_on(struct connection *connection)
{
    if (connection->body.open)
        connection_wait(connection, WAIT_BODY);
    connection_wake(connection);
}

void
connection_call_done(struct connection *connection, bool keep)
{
    struct http_server *server = connection->server;

    call_give(server, connection->call);
    connection->call = NULL;
    if (connection->closing)
        return;
    if (!keep || connection->broken || server->draining) {
        connection_finish(connection);
        return;
    }
    connection->discard = server->options.discard_max;
    connection_wait(connection, connection->body.open ? WAIT_BODY : WAIT_IDLE);
    if (connection->in.size > 0 || connection->ended || !connection->reading)
        connection_wake(connection);
}

/* --- the server --- */

enum status
http_server_new(struct lane *lane, const struct http_server_options *options,
                struct http_server **out)
{
    struct http_server *server = calloc(1, sizeof *server);
    struct http_server_options *o;

    if (server == NULL)
        return STATUS_MEMORY;
    server->lane = lane;
    server->options = *options;
    o = &server->options;
    o->head_ms = o->head_ms != 0 ? o->head_ms : 10 * MS_SECOND;
    o->idle_ms = o->idle_ms != 0 ? o->idle_ms : MS_MINUTE;
    o->body_ms = o->body_ms != 0 ? o->body_ms : 30 * MS_SECOND;
    o->body_progress = o->body_progress != 0 ? o->body_progress : 1024;
    o->write_ms = o->write_ms != 0 ? o->write_ms : MS_MINUTE;
    o->discard_max = o->discard_max != 0 ? o->discard_max : 65536;
    o->queue_mark = o->queue_mark != 0 ? o->queue_mark : 262144;
    o->arena_max = o->arena_max != 0 ? o->arena_max : 262144;
    *out = server;
    return STATUS_OK;
}

void
http_server_accept(struct http_server *server, struct stream *stream)
{
    static atomic_uint_fast64_t sessions;
    struct connection *connection = server->draining ? NULL : calloc(1, sizeof *connection);

    if (connection == NULL) {
        stream_close(stream, NULL, NULL);
        return;
    }
    connection->server = server;
    connection->stream = stream;
    connection->session = atomic_fetch_add_explicit(&sessions, 1, memory_order_relaxed) + 1;
    connection->timer.fire = timer_fire;
    connection->next = server->connections;
    if (connection->next != NULL)
        connection->next->prev = connection;
    server->connections = connection;
    server->count++;
    connection->reading = true;
    connection_wait(connection, WAIT_HEAD);
    stream_read_start(stream, on_read, connection);
}

void
http_server_drain(struct http_server *server)
{
    server->draining = true;
    for (struct connection *c = server->connections; c != NULL; c = c->next)
        if (c->call == NULL)
            connection_finish(c);
}

void
http_server_free(struct http_server *server)
{
    struct connection *next;

    if (server == NULL)
        return;
    server->draining = server->freed = true;
    for (struct connection *c = server->connections; c != NULL; c = next) {
        next = c->next;
        call_gone(c, STATUS_CLOSED);
        connection_close(c);
    }
    server_release(server);
}

size_t
http_server_connections(const struct http_server *server)
{
    return server->count;
}
