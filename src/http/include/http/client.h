/* http/client.h - connections to upstreams: kept alive, failed over, watched.
 *
 * An *exchange* is one request sent and its answer received. It is the caller's
 * until `end`, `upgraded` or `failed` was called, or the caller aborts it; then it
 * must not be touched. No callback runs inside a function of this header. All on
 * one lane. */
#ifndef WRIT_HTTP_CLIENT_H
#define WRIT_HTTP_CLIENT_H

#include "base/fault.h"
#include "http/head.h"
#include "http/server.h" /* enum http_flow */
#include "http/write.h"
#include "net/stream.h"

struct http_upstream; /* a named system as one lane sees it */
struct http_exchange;

struct http_exchange_handler {
    /* 1xx but 101; may be NULL. */
    void (*informational)(struct http_exchange *exchange, const struct http_head *head,
                          void *context);
    /* The head and its bytes live until the callback returns. */
    void (*head)(struct http_exchange *exchange, const struct http_head *head, bool more,
                 void *context);
    void (*body)(struct http_exchange *exchange, struct slice bytes, bool more, void *context);
    /* The answer is complete; the exchange is over. */
    void (*end)(struct http_exchange *exchange, struct slice trailers, void *context);
    void (*writable)(struct http_exchange *exchange, void *context); /* may be NULL */
    /* 101: the stream is the callee's; pending came behind the head. NULL: a 101 is
     * malformed. */
    void (*upgraded)(struct http_exchange *exchange, const struct http_head *head,
                     struct stream *stream, struct slice pending, void *context);
    /* The exchange is over without a complete answer. IO, CLOSED: not reachable or
     * broken; TIMEOUT; INVALID: a malformed answer; DENIED: its certificate or address
     * is not allowed; NOT_FOUND: its name; LIMIT: too many connections. why is
     * for the log. Before `head`: 502, or 504 for TIMEOUT. */
    void (*failed)(struct http_exchange *exchange, enum status status, const char *why,
                   void *context);
};

/* Zero takes the default that stands behind it. Texts are copied. */
struct http_upstream_options {
    const char *const *addresses; /* "host:port", "[v6]:port", "unix:/path"; 1 … 16 */
    size_t address_count;
    struct tls_client *tls; /* NULL: plain; outlives the upstream's connections */
    /* Asked before each connect to a resolved address; NULL: all are allowed. */
    bool (*allowed)(const struct ip *ip, uint16_t port, void *context);
    void *context;
    int64_t connect_ms; /* 10 s, TLS included */
    int64_t header_ms;  /* 60 s: from the request's end to the answer's head */
    int64_t idle_ms;    /* 60 s: between bytes of an answer; below 0: none */
    int64_t keep_ms;    /* 30 s: an idle connection */
    unsigned keep_max;  /* 64 idle connections */
    unsigned connections; /* 4096 at a time */
};

enum status http_upstream_new(struct lane *lane, const struct http_upstream_options *options,
                              struct http_upstream **out, struct fault *fault) WRIT_MUST_USE;
/* Idle connections close; exchanges under way end first. Accepts NULL. */
void http_upstream_free(struct http_upstream *upstream);
struct http_upstream_stats {
    unsigned open, idle;
    uint64_t connected, reused, retried, failed;
};
void http_upstream_stats(const struct http_upstream *upstream, struct http_upstream_stats *out);

/* Begins an exchange; the buffer of http_exchange_out has the request line. The
 * caller puts its fields there (Host too; no Content-Length, Transfer-Encoding,
 * Connection). NULL: out of memory. */
struct http_exchange *http_exchange_begin(struct http_upstream *upstream, struct slice method,
                                          struct slice target,
                                          const struct http_exchange_handler *handler,
                                          void *context);
struct buffer *http_exchange_out(struct http_exchange *exchange);
enum {
    HTTP_SEND_MORE = 1,   /* body bytes follow at once: one write */
    HTTP_SEND_UPGRADE = 2 /* adds "Connection: Upgrade"; the caller put Upgrade */
};
/* Adds the framing (NONE, LENGTH or CHUNKED), closes the head and sends it over a
 * connection kept or new. INVALID, MEMORY: the head is not writable; abort it. */
enum status http_exchange_send(struct http_exchange *exchange, enum http_body body,
                               uint64_t length, unsigned flags) WRIT_MUST_USE;
enum http_flow http_exchange_body(struct http_exchange *exchange, struct slice bytes, bool more);
/* The request's body is complete (LENGTH, CHUNKED); trailers go out on a chunked one. */
void http_exchange_body_end(struct http_exchange *exchange, struct slice trailers);
/* Back-pressure on the answer. */
void http_exchange_pause(struct http_exchange *exchange);
void http_exchange_resume(struct http_exchange *exchange);
/* Gives up; the connection closes unless it was never touched. No callback comes. */
void http_exchange_abort(struct http_exchange *exchange);
void http_exchange_data_set(struct http_exchange *exchange, void *data);
void *http_exchange_data(const struct http_exchange *exchange);

#endif
