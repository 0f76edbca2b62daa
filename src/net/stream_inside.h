/* net/stream_inside.h - what a stream is made of, for net's own files. */
#ifndef WRIT_NET_STREAM_INSIDE_H
#define WRIT_NET_STREAM_INSIDE_H

#include <uv.h>

#include "lane_inside.h"
#include "net/stream.h"
#include "uring.h"

struct tls_engine;
struct listener;

enum stream_state {
    STREAM_CONNECTING, /* the kernel's part */
    STREAM_SECURING,   /* the TLS handshake's part */
    STREAM_OPEN,
    STREAM_FAILED,    /* never got open, or broke before; waits to be closed */
    STREAM_FINISHING, /* stream_finish: sends the rest, drops what comes */
    STREAM_CLOSING    /* waits for libuv */
};

struct stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct lane *lane;
    struct stream *next, *prev; /* on the lane's list */
    enum stream_state state;

    stream_read_callback on_read;
    void *read_context;
    bool wanted;     /* the owner wants bytes */
    bool uv_reading; /* libuv, or the ring, has been told to read */
    bool ended;      /* nothing more will come; end is told once */
    bool end_told;
    enum status end;

    bool broken; /* nothing can be written any more */
    bool shut;   /* our side has ended, or will after what is queued */
    bool shut_done;
    const char *error; /* static text */

    /* Work that must not run inside the call that asked for it. */
    struct lane_message later;
    bool later_posted, handle_closed;
    enum status later_status; /* of a connect that failed at once */

    struct timer deadline; /* of connect and handshake; of lingering */
    stream_connected_callback on_open;
    void *open_context;
    stream_closed_callback on_closed;
    void *closed_context;
    union {
        uv_connect_t connect;
        uv_shutdown_t shutdown;
    } request;

    struct uring_end ring;
    struct tls_engine *tls;    /* NULL: plain */
    struct listener *listener; /* that accepted it; counts it */
    struct ip peer;
    uint16_t peer_port;
    bool has_uid;
    uid_t uid;
    void *data;
};

/* A new stream in state CONNECTING on the lane's list; unix or TCP. */
struct stream *stream_new(struct lane *lane, bool unix_socket);
/* Puts an accepted descriptor into a fresh stream; on failure the descriptor is
 * still the caller's. */
enum status stream_adopt(struct stream *stream, int descriptor);
/* The stream is open, or failed to get there: tells on_open. */
void stream_opened(struct stream *stream);
void stream_open_failed(struct stream *stream, enum status status, const char *error);
/* Begins the handshake of a stream whose engine is attached. */
void stream_handshake(struct stream *stream);
void stream_limit(struct stream *stream, int64_t timeout_ms);
/* For the lane's end of draining. */
void stream_cut(struct stream *stream);
/* Nothing more will come: tells the reader now, or when it starts again. */
void stream_ended(struct stream *stream, enum status status, const char *error);
void stream_deliver(struct stream *stream, struct slice bytes);
void stream_post_later(struct stream *stream);
void stream_uv_read_start(struct stream *stream);
void stream_uv_read_stop(struct stream *stream);
/* Bytes as they are on the wire; size above 0. */
enum stream_wrote stream_transport_write(struct stream *stream, const uv_buf_t *parts,
                                         unsigned count, stream_done_callback done, void *context);

/* For who moves the bytes: they came; none will any more (libuv's code); nothing can
 * be written any more; our side has ended, or could not (libuv's code). */
void stream_came(struct stream *stream, struct slice bytes);
void stream_transport_ended(struct stream *stream, int code);
enum stream_wrote stream_break_writing(struct stream *stream, const char *error);
void stream_shut_done(struct stream *stream, int code);
/* The last of it: frees the stream once libuv has let go. */
void stream_handle_close(struct stream *stream);

/* A stream that a listener counted has gone. */
void listener_forget(struct listener *listener);

#endif
