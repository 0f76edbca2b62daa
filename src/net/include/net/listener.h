/* net/listener.h - accepting connections, TCP or Unix, plain or TLS. A silent
 * client holds up nobody: handshakes run beside each other and are limited in time. */
#ifndef WRIT_NET_LISTENER_H
#define WRIT_NET_LISTENER_H

#include "base/fault.h"
#include "net/stream.h"

struct listener;

enum listener_share {
    LISTENER_ALONE,        /* the only socket on this address */
    LISTENER_SHARED_FIRST, /* the first of several lanes: refuses when another program listens */
    LISTENER_SHARED        /* a further lane on the same address (SO_REUSEPORT) */
};

struct listener_options {
    /* "127.0.0.1:7880", "[::1]:7880", "localhost:7880" or "unix:/path". Port 0:
     * any free one. A name is resolved in the call (at start only). A Unix
     * address can't be shared: one lane listens on it. */
    const char *address;
    /* Not 0: a Unix socket that listens already, handed over by another process, in place of an
     * address. It is the listener's from OK on; its file is not removed. */
    int descriptor;
    enum listener_share share;
    /* Unix: the file's mode, 0 for 0600. A socket file that nobody listens on is
     * replaced; the file is removed on close. */
    unsigned unix_mode;
    struct tls_server *tls; /* NULL: plain; outlives the listener */
    int64_t handshake_ms;   /* TLS handshake; 0: 10 s */
    /* Most connections at a time, handshakes included; 0: 65536. Further ones
     * wait in the kernel's backlog. */
    unsigned connections;
    /* A connection that is ready: the callee owns it and must close it. */
    void (*accepted)(struct listener *listener, struct stream *stream, void *context);
    void *context;
};

/* CONFLICT: the address is in use. DENIED: not permitted. INVALID: not an address. */
enum status listener_open(struct lane *lane, const struct listener_options *options,
                          struct listener **out, struct fault *fault) WRIT_MUST_USE;
/* Stops accepting; handshakes under way are dropped, accepted streams live on.
 * The listener must not be used after the call. */
void listener_close(struct listener *listener);
uint16_t listener_port(const struct listener *listener); /* 0 for Unix */
/* Whether the address, resolved or not, is on the loopback (Unix counts). */
bool listener_is_loopback(const struct listener *listener);

struct listener_stats {
    unsigned open;     /* connections now, handshakes included */
    uint64_t accepted; /* handed over */
    uint64_t failed;   /* handshakes that did not come to an end */
    uint64_t paused;   /* times that files ran out or the cap was reached */
};
void listener_stats(const struct listener *listener, struct listener_stats *out);

#endif
