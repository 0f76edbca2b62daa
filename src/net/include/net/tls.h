/* net/tls.h - TLS contexts (1.2 and 1.3), and what a TLS stream knows of its peer. */
#ifndef WRIT_NET_TLS_H
#define WRIT_NET_TLS_H

#include "base/fault.h"
#include "net/stream.h"

enum { TLS_ALPN_MAX = 8, TLS_THUMBPRINT_SIZE = 32, TLS_END_POINT_MAX = 64 };

enum tls_client_certificate { TLS_CLIENT_NONE, TLS_CLIENT_REQUEST, TLS_CLIENT_REQUIRE };

/* Texts are copied. Paths are PEM files. */
struct tls_server_options {
    const char *cert; /* the chain, leaf first */
    const char *key;
    /* What certificates are trusted by. Where they are required they must lead to one of
     * these; where they are only requested, or without it, any that is valid in time is
     * taken as proof of its key and nothing else: the caller compares it with a binding,
     * or asks tls_stream_peer_trusted. */
    const char *client_ca;
    enum tls_client_certificate client_certificate;
    /* In order of our preference; a client that offers others only is refused. */
    const char *const *alpn;
    size_t alpn_count;
};

/* Shared by lanes. Outlives all listeners and lanes that use it. */
struct tls_server;
enum status tls_server_new(const struct tls_server_options *options, struct tls_server **out,
                           struct fault *fault) WRIT_MUST_USE;
/* Reads the files again and swaps them in for new handshakes; on an error the old
 * ones stay. One thread at a time, any thread. Tickets given before hold on for
 * as long as their key (a day): a session with a client certificate is never
 * resumed, so that every connection proves its key itself. */
enum status tls_server_reload(struct tls_server *server, struct fault *fault) WRIT_MUST_USE;
void tls_server_free(struct tls_server *server); /* accepts NULL */

struct tls_client_options {
    const char *ca;          /* PEM file; NULL: the system's */
    const char *server_name; /* DNS name or IP that the certificate must bear; also SNI */
    const char *cert, *key;  /* our certificate, or NULL */
    /* Instead of files: a certificate as PEM, its key as PKCS #8 DER; borrowed. */
    struct slice own_cert, own_key;
    const char *const *alpn;
    size_t alpn_count;
};

/* For one server; shared by lanes. The peer is always verified: chain, time, name. */
struct tls_client;
enum status tls_client_new(const struct tls_client_options *options, struct tls_client **out,
                           struct fault *fault) WRIT_MUST_USE;
void tls_client_free(struct tls_client *client); /* streams that use it live on; accepts NULL */

/* Of a stream whose handshake is done; on a plain stream empty or false. Slices
 * live as long as the stream. */
struct slice tls_stream_alpn(const struct stream *stream);
struct slice tls_stream_server_name(const struct stream *stream); /* SNI that the client sent */
const char *tls_stream_version(const struct stream *stream);      /* "TLSv1.3" or "" */
bool tls_stream_resumed(const struct stream *stream);
/* The peer's certificate: its DER, and SHA-256 of it (x5t#S256, RFC 8705). The
 * handshake has proven the key. False when it has none. */
bool tls_stream_peer_der(const struct stream *stream, struct slice *der);
bool tls_stream_peer_thumbprint(const struct stream *stream, uint8_t out[TLS_THUMBPRINT_SIZE]);
/* The channel binding tls-server-end-point (RFC 5929 §4): a hash of the server's certificate,
 * whichever side we are. False: there is none. */
bool tls_stream_end_point(const struct stream *stream, uint8_t out[TLS_END_POINT_MAX],
                          size_t *size);
/* Whether that certificate leads to a CA we were told to trust. */
bool tls_stream_peer_trusted(const struct stream *stream);

#endif
