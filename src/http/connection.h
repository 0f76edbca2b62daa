/* http/connection.h - the server's side of one connection, within the room. */
#ifndef WRIT_HTTP_CONNECTION_H
#define WRIT_HTTP_CONNECTION_H

#include "body.h"
#include "http/server.h"
#include "net/timer.h"

/* What the peer is waited for, each with its limit in time. */
enum wait {
    WAIT_NONE, /* for the handler, which has its own limits */
    WAIT_HEAD,
    WAIT_IDLE,
    WAIT_BODY,
    WAIT_WRITE
};

struct connection {
    struct connection *next, *prev;
    struct http_server *server;
    struct stream *stream; /* NULL after an upgrade */
    struct http_call *call;
    struct buffer in;      /* came and not read yet */
    struct slice *current; /* what is being read; NULL outside of it */
    struct body body;      /* of the request; outlives its call while it is discarded */
    struct timer timer;
    struct lane_message wake;
    uint64_t session;
    uint64_t since_us, due_us; /* when the wait began; when the timer fires */
    uint64_t discard;          /* how much more of an unwanted body is read */
    size_t progress;           /* of the body in, or what was queued out, since then */
    uint8_t wait;              /* enum wait */
    bool reading;
    bool woken;   /* wake is posted */
    bool closing; /* the stream is on its way out: nothing is read or written */
    bool broken;  /* a write failed; told by the wake */
    bool ended;   /* the peer ended its side */
    bool gone;    /* freed by the wake */
};

enum answer {
    ANSWER_NONE,
    ANSWER_BEGUN, /* fields are being put */
    ANSWER_BODY   /* the head is closed */
};

struct http_call {
    struct http_call *next; /* in the server's spare ones */
    struct connection *connection;
    void *data;
    struct buffer *collected; /* api.c's */
    uint64_t bytes_in, bytes_out, answer_left;
    struct buffer out;
    struct arena arena;
    uint8_t answer;      /* enum answer */
    uint8_t answer_body; /* enum http_body, as it goes out */
    uint16_t status;
    bool resumed, told_end;
    bool no_body;   /* nothing may follow this answer's head */
    bool keep;      /* the connection goes on after this answer */
    bool blocked;   /* the handler waits for writable */
    bool continued; /* 100 went, or nobody waits for it */
    struct http_head head;
};

struct http_server {
    struct lane *lane;
    struct http_server_options options;
    struct connection *connections;
    size_t count;
    struct http_call *spare;
    unsigned spares;
    bool draining, freed;
};

/* To the peer at once; what it does not take is queued. */
enum http_flow connection_write(struct connection *connection, const struct slice *slices,
                                size_t count);
void connection_wait(struct connection *connection, enum wait wait);
/* Something is to be done soon, outside of the current callback. */
void connection_wake(struct connection *connection);
/* Sends what is queued, lets the peer read it, closes. */
void connection_finish(struct connection *connection);
void connection_close(struct connection *connection);
/* The answer is complete: the call is given back, the connection goes on or ends. */
void connection_call_done(struct connection *connection, bool keep);
void connection_read_on(struct connection *connection);
void connection_free(struct connection *connection);
void connection_timer_fire(struct timer *timer);
/* Ends the call, if there is one, without its handler. */
void connection_call_gone(struct connection *connection, enum status status);
/* Tells the handler that what came is no request, answers, and closes. */
void connection_refuse_head(struct connection *connection, const struct http_refusal *why);
/* Answers what no handler answers, and closes. */
void connection_refuse(struct connection *connection, unsigned status, const char *reason);
/* The request can't be completed: tells the handler, and the peer if it can; answer 0:
 * the peer is told nothing. */
void connection_fail(struct connection *connection, enum status status, unsigned answer,
                     const char *reason);
/* Back among the spare ones; its memory stays readable until the next request. */
void http_call_give(struct http_server *server, struct http_call *call);
/* Frees a server that is freed and has no connection any more. */
void http_server_release(struct http_server *server);
/* What came and is not read. */
struct slice connection_pending(const struct connection *connection);
/* The stream is somebody else's from here on. */
void connection_release(struct connection *connection);

#endif
