/* http/client.c - exchanges: their life, their end, and the request out. */
#include "upstream.h"

#include <stdlib.h>

enum {
    GATHER_MAX = 16384,  /* body bytes that are copied behind the head: one write */
    HELD_MAX = 65536,    /* bytes held while connecting: HTTP_FLOW_FULL */
    QUEUE_MARK = 262144, /* bytes queued to the upstream: HTTP_FLOW_FULL */
    OUT_KEPT = 65536
};

static const struct slice crlf = { .at = "\r\n", .size = 2 };

static void message_run(struct lane_message *message);

/* --- life --- */

void
exchange_give(struct http_exchange *exchange)
{
    struct http_upstream *upstream = exchange->upstream;

    if (exchange->posted) { /* the message gives it back */
        exchange->aborted = true;
        return;
    }
    if (exchange->out.capacity > OUT_KEPT)
        buffer_free(&exchange->out);
    exchange->next = upstream->spare;
    upstream->spare = exchange;
    upstream_let_go(upstream);
}

struct http_exchange *
http_exchange_begin(struct http_upstream *upstream, struct slice method, struct slice target,
                    const struct http_exchange_handler *handler, void *context)
{
    static const struct {
        const char *text;
        enum http_method method;
    } methods[] = {
#define METHOD(name) { #name, HTTP_METHOD_##name },
        HTTP_METHOD_MAP(METHOD)
#undef METHOD
    };
    struct http_exchange *exchange = upstream->spare;
    struct buffer out = { 0 };

    if (exchange != NULL) {
        upstream->spare = exchange->next;
        out = exchange->out;
    } else {
        exchange = malloc(sizeof *exchange);
        if (exchange == NULL)
            return NULL;
    }
    *exchange = (struct http_exchange){
        .upstream = upstream, .handler = handler, .context = context, .out = out
    };
    buffer_clear(&exchange->out);
    http_put_request_line(&exchange->out, method, target);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (slice_is(method, methods[i].text)) {
            exchange->method = (uint8_t)methods[i].method;
            break;
        }
    upstream_hold(upstream);
    return exchange;
}

struct buffer *
http_exchange_out(struct http_exchange *exchange)
{
    return &exchange->out;
}

void
http_exchange_data_set(struct http_exchange *exchange, void *data)
{
    exchange->data = data;
}

void *
http_exchange_data(const struct http_exchange *exchange)
{
    return exchange->data;
}

/* --- failure --- */

static void
leave_waiting(struct http_exchange *exchange)
{
    struct http_exchange **at;

    if (exchange->waits_for == NULL)
        return;
    for (at = &exchange->waits_for->waiting; *at != NULL; at = &(*at)->next)
        if (*at == exchange) {
            *at = exchange->next;
            break;
        }
    exchange->waits_for = NULL;
}

void
exchange_fail(struct http_exchange *exchange, enum status status, const char *why)
{
    struct link *link = exchange->link;

    exchange->upstream->stats.failed++;
    exchange->link = NULL;
    if (link != NULL)
        link_close(link);
    leave_waiting(exchange);
    if (exchange->handler->failed != NULL)
        exchange->handler->failed(exchange, status, why, exchange->context);
    exchange_give(exchange);
}

/* What is to be done soon: a failure to tell, CLOSED for a link that broke in a
 * write, OK to read on. The first failure stands. */
void
exchange_post(struct http_exchange *exchange, enum status status, const char *why)
{
    if (exchange->status == STATUS_OK) {
        exchange->status = (uint8_t)status;
        exchange->why = why;
    }
    if (exchange->posted)
        return;
    exchange->message.run = message_run;
    exchange->posted = lane_post(exchange->upstream->lane, &exchange->message);
}

void
http_exchange_abort(struct http_exchange *exchange)
{
    struct link *link = exchange->link;

    exchange->link = NULL;
    if (link != NULL)
        link_close(link);
    leave_waiting(exchange);
    exchange_give(exchange);
}

/* A kept connection that the other side had closed meanwhile (RFC 9112 §9.3.1): the
 * request goes out again, once, if its method is safe (§9.2.1 of RFC 9110): a DELETE
 * that was done may meet another thing of the same name. */
static bool
retry(struct http_exchange *exchange)
{
    struct link *link = exchange->link;

    if (link == NULL || !link->reused || exchange->answered || exchange->retried ||
        exchange->body != HTTP_BODY_NONE ||
        (exchange->method != HTTP_METHOD_GET && exchange->method != HTTP_METHOD_HEAD &&
         exchange->method != HTTP_METHOD_OPTIONS))
        return false;
    exchange->retried = true;
    exchange->asked = false;
    exchange->sent = 0;
    exchange->link = NULL;
    link_close(link);
    exchange->upstream->stats.retried++;
    upstream_assign(exchange, true);
    return true;
}

void
link_broken(struct link *link, enum status status)
{
    struct http_exchange *exchange = link->exchange;

    if (exchange == NULL)
        link_close(link);
    else if (!retry(exchange))
        exchange_fail(exchange, status,
                      exchange->answered ? "the upstream broke off its answer"
                                         : "the upstream closed the connection");
}

static void
message_run(struct lane_message *message)
{
    struct http_exchange *exchange = LANE_OWNER(message, struct http_exchange, message);
    struct link *link = exchange->link;

    exchange->posted = false;
    if (exchange->aborted)
        exchange_give(exchange);
    else if (exchange->status != STATUS_OK && exchange->status != STATUS_CLOSED)
        exchange_fail(exchange, (enum status)exchange->status, exchange->why);
    else if (exchange->status == STATUS_CLOSED) {
        exchange->status = STATUS_OK;
        if (link != NULL)
            link_broken(link, STATUS_IO);
    } else if (link != NULL && link->ready)
        link_read(link->stream, STATUS_OK, (struct slice){ 0 }, link);
}

/* --- sending --- */

static void
on_written(struct stream *stream, enum status status, void *context)
{
    struct link *link = context;
    struct http_exchange *exchange = link->exchange;

    if (link->closing || exchange == NULL)
        return;
    if (status != STATUS_OK) {
        link_broken(link, STATUS_IO);
        return;
    }
    if (exchange->blocked && stream_queued(stream) <= QUEUE_MARK / 2) {
        exchange->blocked = false;
        if (exchange->handler->writable != NULL)
            exchange->handler->writable(exchange, exchange->context);
    }
}

static enum http_flow
hold(struct http_exchange *exchange, const struct slice *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_slice(&exchange->out, parts[i]);
    if (buffer_status(&exchange->out) != STATUS_OK) {
        exchange_post(exchange, STATUS_MEMORY, "out of memory");
        return HTTP_FLOW_GONE;
    }
    exchange->blocked = exchange->out.size > HELD_MAX;
    return exchange->blocked ? HTTP_FLOW_FULL : HTTP_FLOW_GO;
}

static enum http_flow
flush(struct http_exchange *exchange, const struct slice *parts, size_t count)
{
    struct link *link = exchange->link;
    struct slice slices[4];
    size_t n = 0;

    if (exchange->status != STATUS_OK)
        return HTTP_FLOW_GONE;
    if (link == NULL || !link->ready)
        return hold(exchange, parts, count);
    if (exchange->out.size > exchange->sent)
        slices[n++] = slice_from(buffer_slice(&exchange->out), exchange->sent);
    for (size_t i = 0; i < count; i++)
        slices[n++] = parts[i];
    if (!exchange->told_head)
        link_wait(link, exchange->upstream->options.header_ms);
    if (n == 0)
        return HTTP_FLOW_GO;
    switch (stream_write(link->stream, slices, n, on_written, link)) {
    case STREAM_WRITTEN:
        break;
    case STREAM_QUEUED:
        exchange->blocked = stream_queued(link->stream) > QUEUE_MARK;
        break;
    case STREAM_BROKEN:
        exchange_post(exchange, STATUS_CLOSED, NULL);
        return HTTP_FLOW_GONE;
    }
    exchange->asked = true;
    exchange->sent = exchange->out.size;
    if (exchange->body != HTTP_BODY_NONE) { /* never sent again */
        buffer_clear(&exchange->out);
        exchange->sent = 0;
    }
    return exchange->blocked ? HTTP_FLOW_FULL : HTTP_FLOW_GO;
}

enum status
http_exchange_send(struct http_exchange *exchange, enum http_body body, uint64_t length,
                   unsigned flags)
{
    struct buffer *out = &exchange->out;
    enum http_method method = (enum http_method)exchange->method;

    exchange->body = (uint8_t)body;
    exchange->left = length;
    exchange->complete = body == HTTP_BODY_NONE;
    exchange->upgrade = (flags & HTTP_SEND_UPGRADE) != 0;
    if (body == HTTP_BODY_LENGTH)
        http_put_header_number(out, SLICE_LITERAL("Content-Length"), length);
    else if (body == HTTP_BODY_CHUNKED)
        put_slice(out, SLICE_LITERAL("Transfer-Encoding: chunked\r\n"));
    else if (method == HTTP_METHOD_POST || method == HTTP_METHOD_PUT ||
             method == HTTP_METHOD_PATCH) /* RFC 9110 §8.6 */
        put_slice(out, SLICE_LITERAL("Content-Length: 0\r\n"));
    if (exchange->upgrade)
        put_slice(out, SLICE_LITERAL("Connection: Upgrade\r\n"));
    put_slice(out, crlf);
    if (buffer_status(out) != STATUS_OK)
        return buffer_status(out);
    exchange->closed_head = (flags & HTTP_SEND_MORE) == 0;
    upstream_assign(exchange, false);
    return STATUS_OK;
}

void
link_begin(struct link *link)
{
    struct http_exchange *exchange = link->exchange;
    bool blocked = exchange->blocked;

    /* With HTTP_SEND_MORE the body's first bytes bring the head along; on a link
     * that came later they are held already. */
    if (!exchange->closed_head && link->reused)
        return;
    exchange->blocked = false;
    if (flush(exchange, NULL, 0) == HTTP_FLOW_GO && blocked && exchange->handler->writable != NULL)
        exchange->handler->writable(exchange, exchange->context);
}

enum http_flow
http_exchange_body(struct http_exchange *exchange, struct slice bytes, bool more)
{
    char line[HTTP_CHUNK_LINE_MAX];
    struct slice parts[3];
    size_t count = 0;
    bool chunked = exchange->body == HTTP_BODY_CHUNKED;

    if (exchange->complete)
        return HTTP_FLOW_GO;
    if (exchange->body == HTTP_BODY_LENGTH) {
        bytes =
            slice_first(bytes, exchange->left < bytes.size ? (size_t)exchange->left : bytes.size);
        exchange->left -= bytes.size;
    }
    exchange->closed_head = true;
    if (bytes.size == 0)
        return more ? HTTP_FLOW_GO : flush(exchange, NULL, 0);
    if (chunked)
        parts[count++] = http_chunk_line(bytes.size, line);
    parts[count++] = bytes;
    if (chunked)
        parts[count++] = crlf;
    if (more && exchange->out.size + bytes.size <= GATHER_MAX)
        return hold(exchange, parts, count);
    return flush(exchange, parts, count);
}

void
http_exchange_body_end(struct http_exchange *exchange, struct slice trailers)
{
    if (exchange->complete)
        return;
    exchange->closed_head = true;
    if (exchange->body == HTTP_BODY_LENGTH && exchange->left > 0) {
        /* What is missing would be taken from the next request's head. */
        exchange_post(exchange, STATUS_INVALID, "the request is shorter than its length");
        return;
    }
    exchange->complete = true;
    if (exchange->body == HTTP_BODY_CHUNKED)
        http_put_last_chunk(&exchange->out, trailers);
    flush(exchange, NULL, 0);
}
