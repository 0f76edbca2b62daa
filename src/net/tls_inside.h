/* net/tls_inside.h - the TLS engine of one stream, for net's own files. */
#ifndef WRIT_NET_TLS_INSIDE_H
#define WRIT_NET_TLS_INSIDE_H

#include <openssl/ssl.h>

#include "net/tls.h"
#include "stream_inside.h"

struct tls_engine {
    SSL *ssl;
    struct tls_client *client; /* NULL: we are the server */
    struct slice in;           /* ciphertext that was not taken yet */
    char *stash;               /* holds it between reads */
    size_t stash_size;
    uint8_t *peer_der; /* made when first asked for */
    size_t peer_der_size;
    bool peer_known; /* its thumbprint is made: each request of a connection asks for it */
    uint8_t peer_thumbprint[TLS_THUMBPRINT_SIZE];
};

/* Makes the engine of a stream; the handshake begins with tls_step. */
enum status tls_attach_server(struct stream *stream, struct tls_server *server);
enum status tls_attach_client(struct stream *stream, struct tls_client *client);
void tls_detach(struct stream *stream);

enum tls_step { TLS_STEP_MORE, TLS_STEP_DONE, TLS_STEP_FAILED, TLS_STEP_REFUSED };
/* Takes the handshake as far as the bytes that came allow. REFUSED: the peer's
 * certificate. *error is static text. */
enum tls_step tls_step(struct stream *stream, const char **error);

/* Ciphertext came. It is borrowed: tls_keep copies what was not taken. */
void tls_feed(struct stream *stream, struct slice bytes);
void tls_keep(struct stream *stream);
/* Decrypts and delivers while the reader wants. */
void tls_pump(struct stream *stream);
bool tls_has_input(const struct stream *stream);

enum stream_wrote tls_write(struct stream *stream, const struct slice *slices, size_t count,
                            stream_done_callback done, void *context);
/* Writes close_notify. */
void tls_shutdown(struct stream *stream);

/* Of contexts, in tls.c. NULL when memory is out. With a client's comes a
 * reference to it, given back by tls_client_free. */
SSL *tls_server_ssl(struct tls_server *server);
SSL *tls_client_ssl(struct tls_client *client);

#endif
