/* http/server.h - the server's side of HTTP connections: the gateway's doors and
 * the authority's API stand on it.
 *
 * A *call* is one request and its answer. The handler gets it when the head is
 * complete, and owns it until it has ended the answer (http_respond…,
 * http_answer_end, http_call_upgrade, http_call_abort) or its `gone` was called:
 * from then on the call must not be touched, except that its head and arena stay
 * readable until the current callback returns. No handler callback runs inside a
 * function of this header. All on one lane. */
#ifndef WRIT_HTTP_SERVER_H
#define WRIT_HTTP_SERVER_H

#include "base/arena.h"
#include "base/json.h"
#include "http/head.h"
#include "http/write.h"
#include "net/stream.h"

struct http_server;
struct http_call;

/* What a body function says about the way the bytes go. */
enum http_flow {
    HTTP_FLOW_GO,
    HTTP_FLOW_FULL, /* taken, but wait for `writable` before more */
    HTTP_FLOW_GONE  /* not taken: the other side is lost; `gone` or `failed` comes */
};

/* more: further callbacks follow out of the same read; pass it on to the answer
 * so that what belongs together goes out in one write. */
struct http_handler {
    void (*request)(struct http_call *call, bool more, void *context);
    /* Only after http_call_resume. The bytes live until the callback returns. */
    void (*body)(struct http_call *call, struct slice bytes, bool more, void *context);
    /* The body is complete (at once when there is none). trailers: checked lines
     * with CRLF, usually empty. Comes only when reading is resumed. */
    void (*body_end)(struct http_call *call, struct slice trailers, void *context);
    void (*writable)(struct http_call *call, void *context);
    /* The call ended without the handler: CLOSED or IO (the peer left), TIMEOUT (too
     * slow), INVALID (malformed body). The server has answered if it could. */
    void (*gone)(struct http_call *call, enum status status, void *context);
    /* A head was refused, or did not come in time, before it became a call; the server
     * answers. For the audit. */
    void (*refused)(struct stream *stream, const struct http_refusal *why, void *context);
};

/* Zero takes the default that stands behind it. */
struct http_server_options {
    const struct http_handler *handler; /* unused members may be NULL */
    void *context;
    int64_t head_ms;        /* 10 s: a whole head, from the first byte or the accept */
    int64_t idle_ms;        /* 60 s: between requests */
    int64_t body_ms;        /* 30 s: in each such time a wanted body must bring … */
    uint32_t body_progress; /* … 1024 bytes */
    int64_t write_ms;       /* 60 s: without any byte taken by the peer */
    uint64_t discard_max;   /* 64 KiB: of a body nobody wants, to keep the connection */
    size_t queue_mark;      /* 256 KiB queued: HTTP_FLOW_FULL */
    size_t arena_max;       /* 256 KiB: memory of one call */
    /* A peer that ended its side after its request still gets the answer; else it
     * counts as gone. */
    bool half_close;
};

enum status http_server_new(struct lane *lane, const struct http_server_options *options,
                            struct http_server **out) WRIT_MUST_USE;
/* Takes the stream over; fits listener_options.accepted. */
void http_server_accept(struct http_server *server, struct stream *stream);
/* Idle connections close now, the others after their answer ("Connection: close"). */
void http_server_drain(struct http_server *server);
/* Aborts what is open (`gone` is called) and frees the server when the last
 * connection is closed. */
void http_server_free(struct http_server *server);
size_t http_server_connections(const struct http_server *server);

const struct http_head *http_call_head(const struct http_call *call);
struct arena *http_call_arena(struct http_call *call);
struct stream *http_call_stream(const struct http_call *call); /* peer, TLS */
struct lane *http_call_lane(const struct http_call *call);
void *http_call_context(const struct http_call *call); /* of the server's options */
/* The handler's own pointer; NULL when the call begins. */
void http_call_data_set(struct http_call *call, void *data);
void *http_call_data(const struct http_call *call);
/* Of its connection; base/serial.h. */
uint64_t http_call_session(const struct http_call *call);
/* Body bytes that came, and answer bytes of the body that went. */
uint64_t http_call_bytes_in(const struct http_call *call);
uint64_t http_call_bytes_out(const struct http_call *call);

/* A call begins paused: nothing of the body is read before resume, which also
 * sends "100 Continue" to a client that waits for it. */
void http_call_resume(struct http_call *call);
void http_call_pause(struct http_call *call);

/* The whole answer in one write. Content-Length, Date and Connection are added; no
 * body follows on HEAD, 204, 304. FALSE: a header was not writable; 500 went. */
bool http_respond(struct http_call *call, unsigned status, const struct http_header *headers,
                  size_t count, struct slice body);
/* A JSON body (stolen reference, may be NULL: 500); Cache-Control: no-store. */
void http_respond_json(struct http_call *call, unsigned status, json_t *body);
/* RFC 9457, with nosniff and no-store. */
struct http_problem {
    unsigned status;
    const char *type;   /* NULL: about:blank */
    const char *title;  /* NULL: the status's text */
    struct slice detail; /* may be empty */
    json_t *more;       /* borrowed: an object of extension members, or NULL */
    const struct http_header *headers; /* WWW-Authenticate, Retry-After … */
    size_t header_count;
};
void http_respond_problem(struct http_call *call, const struct http_problem *problem);

/* The answer in pieces. begin gives the buffer with the status line written, into
 * which the handler puts its own fields (no Content-Length, Transfer-Encoding,
 * Connection; put a Date); head adds the framing and closes the head. */
struct buffer *http_answer_begin(struct http_call *call, unsigned status);
/* body: NONE, LENGTH or CHUNKED (an HTTP/1.0 client gets it until close). INVALID
 * or MEMORY when the head can't be written: begin again. */
enum status http_answer_head(struct http_call *call, enum http_body body, uint64_t length,
                             bool more) WRIT_MUST_USE;
/* The same with the framing of an upstream's answer. */
enum status http_answer_head_of(struct http_call *call, const struct http_head *upstream,
                                bool more) WRIT_MUST_USE;
enum http_flow http_answer_body(struct http_call *call, struct slice bytes, bool more);
/* Ends the answer and the call. trailers go out on a chunked one. An answer that is
 * shorter than its length closes the connection, so that the client sees it. */
void http_answer_end(struct http_call *call, struct slice trailers);
bool http_answer_begun(const struct http_call *call); /* a head has gone or waits */
/* An informational answer (103, 100 of an upstream); fields are checked lines, may
 * be empty. Ignored for HTTP/1.0 clients and after the head. */
void http_call_informational(struct http_call *call, unsigned status,
                             const struct http_header *headers, size_t count);
/* Ends the call by closing the connection. */
void http_call_abort(struct http_call *call);

/* Takes the connection over: writes the answer begun with http_answer_begin (101)
 * with "Connection: Upgrade" and hands out the stream, which is the caller's to
 * read and close. *pending is what the client sent already: copy it before the
 * current callback returns. The call has ended. NULL: the head was not writable;
 * the connection is closed. */
struct stream *http_call_upgrade(struct http_call *call, struct slice *pending);

#endif
