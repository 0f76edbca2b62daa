/* http/answer.c - the answer of a call: its framing is set here and nowhere else. */
#include "connection.h"

/* Body bytes up to here are copied behind the head, so that both are one write. */
enum { GATHER_MAX = 16384 };

static const struct slice crlf = { .at = "\r\n", .size = 2 };

/* What waits in the call's buffer, then the parts. */
static enum http_flow
flush(struct http_call *call, const struct slice *parts, size_t count)
{
    struct slice slices[4];
    enum http_flow flow;
    size_t n = 0;

    if (call->out.size > 0)
        slices[n++] = buffer_slice(&call->out);
    for (size_t i = 0; i < count; i++)
        slices[n++] = parts[i];
    if (n == 0)
        return HTTP_FLOW_GO;
    flow = connection_write(call->connection, slices, n);
    buffer_clear(&call->out);
    call->blocked = flow == HTTP_FLOW_FULL;
    return flow;
}

struct buffer *
http_answer_begin(struct http_call *call, unsigned status)
{
    buffer_clear(&call->out);
    http_put_status_line(&call->out, status);
    call->status = (uint16_t)status;
    call->answer = ANSWER_BEGUN;
    return &call->out;
}

bool
http_answer_begun(const struct http_call *call)
{
    return call->answer == ANSWER_BODY;
}

/* Whether the connection can go on after this answer: both sides want it, and what
 * is left of the request is not worth a new connection. */
static bool
keeps(const struct http_call *call)
{
    const struct connection *connection = call->connection;
    const struct body *body = &connection->body;

    return call->head.keep_alive && !connection->server->draining && !connection->ended &&
           call->continued &&
           !(body->open && body->kind == HTTP_BODY_LENGTH &&
             body->left > connection->server->options.discard_max);
}

static void
put_framing(struct http_call *call, enum http_body body, uint64_t length)
{
    struct buffer *out = &call->out;
    bool asked_head = call->head.method == HTTP_METHOD_HEAD;

    call->no_body = asked_head || call->status == 204 || call->status == 304;
    call->answer_body = (uint8_t)body;
    call->answer_left = length;
    /* RFC 9110 §8.6: none on 204; RFC 9112 §6.1: no coding on 204 and 304. */
    if (body == HTTP_BODY_LENGTH && call->status != 204)
        http_put_header_number(out, SLICE_LITERAL("Content-Length"), length);
    else if (body == HTTP_BODY_NONE && !call->no_body)
        put_slice(out, SLICE_LITERAL("Content-Length: 0\r\n"));
    else if (body == HTTP_BODY_CHUNKED && call->head.minor >= 1 && call->status != 204 &&
             call->status != 304)
        put_slice(out, SLICE_LITERAL("Transfer-Encoding: chunked\r\n"));
    if ((body == HTTP_BODY_CHUNKED && call->head.minor == 0) || body == HTTP_BODY_CLOSE) {
        call->answer_body = HTTP_BODY_CLOSE;
        call->keep = call->keep && call->no_body;
    }
    if (!call->keep)
        put_slice(out, SLICE_LITERAL("Connection: close\r\n"));
    else if (call->head.minor == 0)
        put_slice(out, SLICE_LITERAL("Connection: keep-alive\r\n"));
    put_slice(out, crlf);
}

enum status
http_answer_head(struct http_call *call, enum http_body body, uint64_t length, bool more)
{
    enum status status;

    call->keep = keeps(call);
    put_framing(call, body, length);
    status = buffer_status(&call->out);
    if (status != STATUS_OK || call->answer != ANSWER_BEGUN || call->status < 200) {
        buffer_clear(&call->out);
        call->answer = ANSWER_NONE;
        return status != STATUS_OK ? status : STATUS_INVALID;
    }
    call->answer = ANSWER_BODY;
    if (!more)
        flush(call, NULL, 0);
    return STATUS_OK;
}

enum status
http_answer_head_of(struct http_call *call, const struct http_head *upstream, bool more)
{
    enum http_body body = (enum http_body)upstream->body;

    if (upstream->has_length)
        return http_answer_head(call, HTTP_BODY_LENGTH, upstream->length, more);
    if (body == HTTP_BODY_CLOSE)
        body = HTTP_BODY_CHUNKED; /* so that the client sees a whole end from a cut one */
    return http_answer_head(call, body, 0, more);
}

enum http_flow
http_answer_body(struct http_call *call, struct slice bytes, bool more)
{
    char line[HTTP_CHUNK_LINE_MAX];
    struct slice parts[3];
    size_t count = 0;
    bool chunked = call->answer_body == HTTP_BODY_CHUNKED;

    if (call->no_body || call->answer != ANSWER_BODY)
        return HTTP_FLOW_GO;
    if (call->answer_body == HTTP_BODY_NONE)
        bytes.size = 0;
    if (call->answer_body == HTTP_BODY_LENGTH) {
        bytes = slice_first(bytes, call->answer_left < bytes.size ? (size_t)call->answer_left
                                                                  : bytes.size);
        call->answer_left -= bytes.size;
    }
    if (bytes.size == 0)
        return more ? HTTP_FLOW_GO : flush(call, NULL, 0);
    call->bytes_out += bytes.size;
    if (chunked)
        parts[count++] = http_chunk_line(bytes.size, line);
    parts[count++] = bytes;
    if (chunked)
        parts[count++] = crlf;
    if (!more || call->out.size + bytes.size > GATHER_MAX)
        return flush(call, parts, count);
    for (size_t i = 0; i < count; i++)
        put_slice(&call->out, parts[i]);
    return HTTP_FLOW_GO;
}

void
http_answer_end(struct http_call *call, struct slice trailers)
{
    struct connection *connection = call->connection;
    bool whole = call->answer == ANSWER_BODY &&
                 (call->no_body || call->answer_body != HTTP_BODY_LENGTH || call->answer_left == 0);

    if (call->answer == ANSWER_BODY && !call->no_body && call->answer_body == HTTP_BODY_CHUNKED)
        http_put_last_chunk(&call->out, trailers);
    if (buffer_status(&call->out) != STATUS_OK)
        whole = false;
    else if (call->answer == ANSWER_BODY)
        flush(call, NULL, 0);
    connection_call_done(connection, whole && call->keep);
}

void
http_call_informational(struct http_call *call, unsigned status, const struct http_header *headers,
                        size_t count)
{
    struct buffer out = { 0 };
    struct slice slice;

    if (call->head.minor == 0 || call->answer == ANSWER_BODY || status < 100 || status == 101 ||
        status > 199)
        return;
    http_put_status_line(&out, status);
    http_put_headers(&out, headers, count);
    put_slice(&out, crlf);
    slice = buffer_slice(&out);
    if (buffer_status(&out) == STATUS_OK)
        connection_write(call->connection, &slice, 1);
    buffer_free(&out);
    if (status == 100)
        call->continued = true;
}

void
http_call_resume(struct http_call *call)
{
    static const struct slice go_on = { .at = "HTTP/1.1 100 Continue\r\n\r\n", .size = 25 };
    struct connection *connection = call->connection;

    if (call->resumed)
        return;
    call->resumed = true;
    if (!call->continued) {
        call->continued = true;
        /* RFC 9110 §10.1.1: not when the body is already coming, or the answer went. */
        if (connection->in.size == 0 && (call->answer != ANSWER_BODY || call->out.size > 0))
            connection_write(connection, &go_on, 1);
    }
    connection_read_on(connection);
}

void
http_call_pause(struct http_call *call)
{
    call->resumed = false;
}

void
http_call_abort(struct http_call *call)
{
    struct connection *connection = call->connection;

    connection_close(connection);
    connection_call_done(connection, false);
}

struct stream *
http_call_upgrade(struct http_call *call, struct slice *pending)
{
    struct connection *connection = call->connection;
    struct stream *stream = connection->stream;
    struct slice head;

    put_slice(&call->out, SLICE_LITERAL("Connection: Upgrade\r\n\r\n"));
    head = buffer_slice(&call->out);
    /* Nothing of this connection may come back to it once the stream is another's. */
    if (buffer_status(&call->out) != STATUS_OK || call->answer != ANSWER_BEGUN ||
        connection->closing || connection->broken || connection->body.open ||
        stream_queued(stream) > 0 || stream_write(stream, &head, 1, NULL, NULL) == STREAM_BROKEN) {
        http_call_abort(call);
        return NULL;
    }
    *pending = connection_pending(connection);
    connection_release(connection);
    return stream;
}

const struct http_head *
http_call_head(const struct http_call *call)
{
    return &call->head;
}

struct arena *
http_call_arena(struct http_call *call)
{
    return &call->arena;
}

struct stream *
http_call_stream(const struct http_call *call)
{
    return call->connection->stream;
}

struct lane *
http_call_lane(const struct http_call *call)
{
    return call->connection->server->lane;
}

void *
http_call_context(const struct http_call *call)
{
    return call->connection->server->options.context;
}

void
http_call_data_set(struct http_call *call, void *data)
{
    call->data = data;
}

void *
http_call_data(const struct http_call *call)
{
    return call->data;
}

uint64_t
http_call_session(const struct http_call *call)
{
    return call->connection->session;
}

uint64_t
http_call_bytes_in(const struct http_call *call)
{
    return call->bytes_in;
}

uint64_t
http_call_bytes_out(const struct http_call *call)
{
    return call->bytes_out;
}
