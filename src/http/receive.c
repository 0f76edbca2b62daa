/* http/receive.c - the answer in; nothing that is in doubt goes back among the kept
 * connections. */
#include "upstream.h"

enum {
    INFORMATIONAL_MAX = 16,
    IN_MARK = 65536 /* bytes that wait while the caller pauses */
};

/* The answer is whole: the link is kept if nothing about it is in doubt. */
static void
finish(struct link *link, struct slice left)
{
    struct http_exchange *exchange = link->exchange;
    /* While reading was held back, what the upstream sent too much would not be seen. */
    bool keep = exchange->keep && exchange->complete && left.size == 0 && !link->ended &&
                link->reading && exchange->status == STATUS_OK && stream_queued(link->stream) == 0;
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
        exchange_post(exchange, STATUS_OK, NULL);
}
