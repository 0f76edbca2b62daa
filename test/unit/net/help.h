/* test/unit/net/help.h - a lane under test, an echo server, certificates. */
#ifndef WRIT_TEST_NET_HELP_H
#define WRIT_TEST_NET_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/listener.h"
#include "net/timer.h"
#include "net/tls.h"

/* A lane that runs in the test's own thread until help_end; a test that hangs is
 * ended after 20 s. */
struct lane *help_lane(void);
void help_run(struct lane *lane);
void help_end(struct lane *lane); /* on the lane: stops it without cutting anything */
void help_free(struct lane *lane);

/* A listener on 127.0.0.1 that sends back what comes, and ends when the peer does. */
struct echo {
    struct listener *listener;
    struct stream *last; /* the newest connection, until it is closed */
    unsigned opened, closed;
    uint64_t bytes;
    enum status end; /* of the last connection */
    bool stop_after; /* stops listening after the first connection */
    bool manual;     /* only keeps the stream in last */
    void (*on_accept)(struct echo *echo, struct stream *stream);
    void *context;
};
void echo_open(struct echo *echo, struct lane *lane, struct listener_options options);
void echo_read(struct stream *stream, enum status status, struct slice bytes, void *context);
void echo_closed(struct stream *stream, void *context);

/* A blocking TCP connection to the loopback. */
int raw_connect(uint16_t port);
/* A folder that is removed with its files at the end of the process. */
const char *help_folder(void);
const char *help_path(const char *name, char out[256]);

/* NAME.pem and NAME.key in the folder, P-256. issuer NULL: self-signed. san like
 * "DNS:localhost,IP:127.0.0.1". days below 0: run out. */
void make_certificate(const char *name, const char *issuer, const char *san, int days);

/* A blocking OpenSSL client in its own thread; talks and ends. */
struct raw_tls {
    uint16_t port;
    int version;      /* TLS1_2_VERSION, or 0 for any */
    const char *cert; /* a name given to make_certificate, or NULL */
    const char *alpn; /* with its length byte, or NULL */
    const char *send; /* expected back */
    bool abrupt;      /* leaves without close_notify */
    bool ok;          /* handshake and echo worked */
    char answer[256];
    size_t size;
};
void raw_tls_start(struct raw_tls *client);
void raw_tls_join(struct raw_tls *client);

#endif
