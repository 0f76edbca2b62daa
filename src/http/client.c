/* http/client.c - exchanges: a request out, its answer in, and nothing that is in
 * doubt goes back among the kept connections. */
#include "upstream.h"

#include <stdlib.h>

enum {
    GATHER_MAX = 16384,      /* body bytes that are copied behind the head: one write */
    HELD_MAX = 65536,        /* bytes held while connecting: HTTP_FLOW_FULL */
    QUEUE_MARK = 262144,     /* bytes queued to the upstream: HTTP_FLOW_FULL */
    OUT_KEPT = 65536,
    INFORMATIONAL_MAX = 16,
    IN_MARK = 65536 /* bytes that wait while the caller pauses */
};

static const struct slice crlf = { .at = "\r\n", .size = 2 };

static void message_run(struct lane_message *message);

/* --- life --- */

static void
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
static void
post(struct http_exchange *exchange, enum status status, const char *why)
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
exchange_fail_later(struct http_exchange *exchange, enum status status, const char *why)
{
    post(exchange, status, why);
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
 * request goes out again if doing it twice is doing it once, and only once more. */
static bool
retry(struct http_exchange *exchange)
{
    struct link *link = exchange->link;

    if (link == NULL || !link->reused || exchange->answered || exchange->retried ||
        exchange->body != HTTP_BODY_NONE || exchange->method == HTTP_METHOD_POST ||
        exchange->method == HTTP_METHOD_PATCH || exchange->method == HTTP_METHOD_OTHER)
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

static void
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
        exchange_fail_later(exchange, STATUS_MEMORY, "out of memory");
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
        post(exchange, STATUS_CLOSED, NULL);
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
    if (flush(exchange, NULL, 0) == HTTP_FLOW_GO && blocked &&
        exchange->handler->writable != NULL)
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
        bytes = slice_first(bytes, exchange->left < bytes.size ? (size_t)exchange->left
                                                               : bytes.size);
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
        exchange_fail_later(exchange, STATUS_INVALID, "the request is shorter than its length");
        return;
    }
    exchange->complete = true;
    if (exchange->body == HTTP_BODY_CHUNKED)
        http_put_last_chunk(&exchange->out, trailers);
    flush(exchange, NULL, 0);
}

/* --- receiving --- */

/* The answer is whole: the link is kept if nothing about it is in doubt. */
static void
finish(struct link *link, struct slice left)
{
    struct http_exchange *exchange = link->exchange;
    bool keep = exchange->keep && exchange->complete && left.size == 0 && !link->ended &&
                exchange->status == STATUS_OK && stream_queued(link->stream) == 0;
    struct slice trailers = body_trailers(&link->body);
    struct buffer kept = { 0 };

    if (trailers.size > 0) { /* they go with the link */
        put_slice(&kept, trailers);
        trailers = buffer_slice(&kept);
    }
    exchange->link = NULL;
    link->exchange = NULL;
    if (keep)
        upstream_keep(link);
    else
        link_close(link);
    if (exchange->handler->end != NULL)
        exchange->handler->end(exchange, trailers, exchange->context);
    buffer_free(&kept);
    exchange_give(exchange);
}

static void
hand_over(struct link *link, const struct http_head *head, struct slice pending)
{
    struct http_exchange *exchange = link->exchange;
    struct stream *stream = link->stream;

    if (exchange->handler->upgraded == NULL || !exchange->upgrade || !head->upgrade ||
        !exchange->complete || stream_queued(stream) > 0) {
        exchange_fail(exchange, STATUS_INVALID, "the upstream switched protocols unasked");
        return;
    }
    stream_read_stop(stream);
    timer_disarm(&link->timer);
    exchange->link = NULL;
    link->exchange = NULL;
    link->stream = NULL;
    exchange->handler->upgraded(exchange, head, stream, pending, exchange->context);
    exchange_give(exchange);
}

/* Whether the exchange of before the callback is still the link's. */
static bool
same(const struct link *link, const struct http_exchange *exchange)
{
    return !link->closing && link->exchange == exchange;
}

static void
read_body(struct link *link, struct slice *in, struct slice piece, enum http_chunk got)
{
    struct http_exchange *exchange = link->exchange;
    struct slice next;

    if (got == HTTP_CHUNK_DATA)
        while ((got = body_next(&link->body, in, &next)) == HTTP_CHUNK_DATA) {
            exchange->handler->body(exchange, piece, true, exchange->context);
            if (!same(link, exchange))
                return;
            piece = next;
            if (exchange->paused)
                break;
        }
    if (piece.size > 0) {
        exchange->handler->body(exchange, piece, got == HTTP_CHUNK_END, exchange->context);
        if (!same(link, exchange))
            return;
    }
    if (got == HTTP_CHUNK_END)
        finish(link, *in);
    else if (got == HTTP_CHUNK_MALFORMED)
        exchange_fail(exchange, STATUS_INVALID, "the answer's chunks are not well formed");
}

static void
take_head(struct link *link, const struct http_head *head, struct slice *in)
{
    struct http_exchange *exchange = link->exchange;
    struct slice piece = { 0 };
    enum http_chunk got;

    if (head->status == 101) {
        hand_over(link, head, *in);
        return;
    }
    if (head->status < 200) {
        if (++exchange->informational > INFORMATIONAL_MAX)
            exchange_fail(exchange, STATUS_INVALID, "too many informational answers");
        else if (exchange->handler->informational != NULL)
            exchange->handler->informational(exchange, head, exchange->context);
        return;
    }
    exchange->told_head = true;
    exchange->keep = head->keep_alive;
    link_wait(link, link->upstream->options.idle_ms);
    body_begin(&link->body, (enum http_body)head->body, head->length);
    got = body_next(&link->body, in, &piece); /* so that more is the truth */
    exchange->handler->head(exchange, head, got == HTTP_CHUNK_DATA || got == HTTP_CHUNK_END,
                            exchange->context);
    if (same(link, exchange))
        read_body(link, in, piece, got);
}

static void
read_head(struct link *link, struct slice *in, bool *more)
{
    struct http_exchange *exchange = link->exchange;
    struct http_head head;
    struct http_refusal why;

    *more = false;
    switch (http_response_parse(*in, (enum http_method)exchange->method, &head, &why)) {
    case HTTP_PARSED:
        *in = slice_from(*in, head.size);
        *more = true;
        take_head(link, &head, in);
        break;
    case HTTP_NEED_MORE:
        break;
    case HTTP_MALFORMED:
        exchange_fail(exchange, STATUS_INVALID, why.reason);
        break;
    }
}

static void
advance(struct link *link, struct slice *in)
{
    struct http_exchange *exchange = link->exchange;
    bool more = true;

    while (more && same(link, exchange) && exchange != NULL && !exchange->paused &&
           link->stream != NULL) {
        if (!exchange->told_head) {
            read_head(link, in, &more);
        } else if (in->size > 0 || !body_wants(&link->body)) {
            struct slice piece = { 0 };
            enum http_chunk got = body_next(&link->body, in, &piece);

            read_body(link, in, piece, got);
        } else {
            more = false;
        }
    }
}

/* The upstream ended its side, and all that came before has been read. */
static void
link_ended(struct link *link)
{
    struct http_exchange *exchange = link->exchange;

    if (exchange != NULL && exchange->told_head && link->body.kind == HTTP_BODY_CLOSE)
        finish(link, (struct slice){ 0 });
    else
        link_broken(link, STATUS_CLOSED);
}

/* Reads on with what waits and what came; false when the exchange left the link. */
static bool
read_on(struct link *link, struct slice bytes)
{
    struct http_exchange *exchange = link->exchange;
    bool held = link->in.size > 0;
    struct slice in = bytes;
    size_t before;

    if (held) {
        put_slice(&link->in, bytes);
        in = buffer_slice(&link->in);
    }
    if (buffer_status(&link->in) != STATUS_OK) {
        exchange_fail(exchange, STATUS_MEMORY, "out of memory");
        return false;
    }
    before = in.size;
    advance(link, &in);
    if (link->stream == NULL) { /* handed over */
        link_close(link);
        return false;
    }
    if (!same(link, exchange))
        return false;
    if (held)
        buffer_consume(&link->in, before - in.size);
    else
        put_slice(&link->in, in);
    if (buffer_status(&link->in) != STATUS_OK) {
        exchange_fail(exchange, STATUS_MEMORY, "out of memory");
        return false;
    }
    return true;
}

void
link_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct link *link = context;
    struct http_exchange *exchange = link->exchange;

    if (link->closing)
        return;
    if (status == STATUS_CLOSED && exchange != NULL && exchange->paused &&
        !lane_stopping(link->upstream->lane)) {
        link->ended = true; /* what waits is read first */
        return;
    }
    if (status == STATUS_CLOSED) {
        link_ended(link);
        return;
    }
    if (status != STATUS_OK || exchange == NULL) {
        link_broken(link, status);
        return;
    }
    if (bytes.size > 0) {
        if (!exchange->asked) { /* it can't be the answer */
            exchange_fail(exchange, STATUS_INVALID, "the upstream spoke before it was asked");
            return;
        }
        exchange->answered = true;
        if (exchange->told_head && link->limit_ms > 0)
            link->since_us = lane_mono_us(link->upstream->lane);
    }
    if (!read_on(link, bytes))
        return;
    if (link->ended && !exchange->paused) {
        link_ended(link);
    } else if (link->in.size >= IN_MARK && link->reading) {
        link->reading = false;
        stream_read_stop(stream);
    } else if (link->in.size < IN_MARK && !link->reading && !link->ended) {
        link->reading = true;
        stream_read_start(stream, link_read, link);
    }
}

void
http_exchange_pause(struct http_exchange *exchange)
{
    exchange->paused = true;
}

void
http_exchange_resume(struct http_exchange *exchange)
{
    struct link *link = exchange->link;

    if (!exchange->paused)
        return;
    exchange->paused = false;
    if (link == NULL || !link->ready)
        return;
    link_wait(link, exchange->told_head ? exchange->upstream->options.idle_ms
                                        : exchange->upstream->options.header_ms);
    if (link->in.size > 0 || !link->reading || link->ended ||
        (exchange->told_head && !body_wants(&link->body)))
        post(exchange, STATUS_OK, NULL);
}
