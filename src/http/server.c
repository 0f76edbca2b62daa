/* http/server.c - bytes into requests, in order, bounded in memory. */
#include "connection.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/serial.h"

enum {
    IN_MARK = 32768 + 4096, /* bytes waiting: a whole head fits; then reading stops */
    IN_KEPT = 4096,         /* memory that an idle connection may keep */
    SPARES_MAX = 256
};

static void process(struct connection *connection);
static void wake_run(struct lane_message *message);
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
void
http_call_give(struct http_server *server, struct http_call *call)
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

void
http_server_release(struct http_server *server)
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

/* --- requests --- */

static void
begin_call(struct connection *connection, struct http_call *call, size_t waiting)
{
    const struct http_server_options *options = &connection->server->options;
    struct http_head *head = &call->head;
    struct slice kept = arena_copy(&call->arena, slice_of(head->bytes, head->size));

    if (kept.at == NULL) {
        http_call_give(connection->server, call);
        connection_refuse_head(connection, &(struct http_refusal){ 503, "out of memory" });
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
        http_call_give(server, call);
        if (connection->wait != WAIT_HEAD)
            connection_wait(connection, WAIT_HEAD);
        return false;
    case HTTP_MALFORMED:
        http_call_give(server, call);
        connection_refuse_head(connection, &why);
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
        connection_fail(connection, STATUS_INVALID, connection->call == NULL ? 0 : 400,
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
        connection_fail(connection, STATUS_IO, 0, NULL);
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
        connection_fail(connection, status, 0, NULL);
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
            connection_fail(connection, STATUS_MEMORY, 0, NULL);
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
        connection_fail(connection, STATUS_MEMORY, 0, NULL);
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

    http_call_give(server, connection->call);
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
    struct connection *connection = server->draining ? NULL : calloc(1, sizeof *connection);

    if (connection == NULL) {
        stream_close(stream, NULL, NULL);
        return;
    }
    connection->server = server;
    connection->stream = stream;
    connection->session = serial_next();
    connection->timer.fire = connection_timer_fire;
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
        connection_call_gone(c, STATUS_CLOSED);
        connection_close(c);
    }
    http_server_release(server);
}

size_t
http_server_connections(const struct http_server *server)
{
    return server->count;
}
