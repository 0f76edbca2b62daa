/* net/stream.h - a connection as completions: bytes came, bytes went, it ended.
 * TCP or Unix, plain or TLS, behind one interface.
 *
 * A stream belongs to the lane on which it was made. It lives from the callback
 * or call that gave it until the callback of stream_close; no other callback
 * comes after that one. */
#ifndef WRIT_NET_STREAM_H
#define WRIT_NET_STREAM_H

#include <sys/types.h>

#include "base/address.h"
#include "base/slice.h"
#include "net/lane.h"

struct stream;
struct tls_server;
struct tls_client;

enum {
    STREAM_READ_SIZE = 65536,            /* most bytes of one read callback */
    STREAM_QUEUE_MAX = 16 * 1024 * 1024, /* more waiting than this breaks a further write */
    STREAM_WRITE_MAX = 64 * 1024 * 1024, /* bytes of one write */
    STREAM_SLICES_MAX = 64               /* of one write */
};

/* Reading. bytes live in the lane's shared buffer until the callback returns:
 * copy what is kept. status is OK with at least one byte; CLOSED when the peer
 * ended its side in order (TLS: close_notify); IO when it broke, TLS cut short
 * included (a peer that leaves without close_notify is IO). After CLOSED or IO
 * nothing more is read. The callback may close the stream or stop reading. */
typedef void (*stream_read_callback)(struct stream *stream, enum status status, struct slice bytes,
                                     void *context);
/* Also sets a new callback while reading. */
void stream_read_start(struct stream *stream, stream_read_callback callback, void *context);
/* No callback comes until the next start; the peer is held back by its window. */
void stream_read_stop(struct stream *stream);

/* Writing. All slices go out as one write (TLS: one record where they fit). What
 * the kernel does not take at once is copied and queued. */
enum stream_wrote {
    STREAM_WRITTEN, /* all of it, done is not called */
    STREAM_QUEUED,  /* done is called when it went or failed */
    STREAM_BROKEN   /* nothing can be written any more; done is not called */
};
/* status is OK, IO, or CLOSED when the stream was closed before it went. May be NULL. */
typedef void (*stream_done_callback)(struct stream *stream, enum status status, void *context);
enum stream_wrote stream_write(struct stream *stream, const struct slice *slices, size_t count,
                               stream_done_callback done, void *context) WRIT_MUST_USE;
/* Bytes that wait for the peer: a relay over its mark stops reading the other side. */
size_t stream_queued(const struct stream *stream);

/* Ends our side after what is queued (TLS: close_notify, then FIN); reading goes on. */
void stream_shutdown(struct stream *stream);

/* Closes at once; what is queued is dropped (done gets CLOSED). A second call is
 * ignored. callback may be NULL. */
typedef void (*stream_closed_callback)(struct stream *stream, void *context);
void stream_close(struct stream *stream, stream_closed_callback callback, void *context);
/* Closes gently, after a last answer: sends what is queued, ends our side, drops
 * what still comes until the peer ends too (so that the kernel does not reset the
 * answer away), at most linger_ms. No read callback comes any more. */
void stream_finish(struct stream *stream, int64_t linger_ms, stream_closed_callback callback,
                   void *context);

/* Connecting, within timeout_ms, the TLS handshake included. */
struct stream_target {
    struct ip ip;
    uint16_t port;
    const char *unix_path;  /* instead of ip and port; borrowed during the call */
    struct tls_client *tls; /* NULL: plain; borrowed during the call */
    int64_t timeout_ms;     /* 0: 10 s */
};
/* status: OK; TIMEOUT; DENIED when the peer's certificate is not what it must be;
 * IO for the rest. On failure the stream is still the caller's to close;
 * stream_error tells why. */
typedef void (*stream_connected_callback)(struct stream *stream, enum status status, void *context);
enum status stream_connect(struct lane *lane, const struct stream_target *target,
                           stream_connected_callback callback, void *context,
                           struct stream **out) WRIT_MUST_USE;

/* TLS on a plain, open stream (PostgreSQL's SSLRequest and the like), as server
 * or as client: exactly one is set. The stream must not be reading or have bytes
 * queued; the caller has made sure that nothing came after the request for it, or hands
 * over what came where the handshake is the request.
 * The callback gets a status as of stream_connect. */
struct stream_tls {
    struct tls_server *server;
    struct tls_client *client;
    struct slice received; /* what was read already of the peer's handshake; copied */
    int64_t timeout_ms;    /* 0: 10 s */
};
enum status stream_secure(struct stream *stream, const struct stream_tls *how,
                          stream_connected_callback callback, void *context) WRIT_MUST_USE;

/* A connected Unix socket that was made elsewhere (socketpair), as an open stream. On OK the
 * descriptor is the stream's. */
enum status stream_take(struct lane *lane, int descriptor, struct stream **out) WRIT_MUST_USE;

struct lane *stream_lane(const struct stream *stream);
const struct ip *stream_peer(const struct stream *stream); /* IP_NONE: Unix */
uint16_t stream_peer_port(const struct stream *stream);
/* The peer's user (SO_PEERCRED); false on TCP. */
bool stream_peer_uid(const struct stream *stream, uid_t *out);
bool stream_is_tls(const struct stream *stream);
/* Why the stream failed, for people; "" when it did not. */
const char *stream_error(const struct stream *stream);
/* The owner's pointer, for those who meet the stream elsewhere. */
void stream_data_set(struct stream *stream, void *data);
void *stream_data(const struct stream *stream);

#endif
