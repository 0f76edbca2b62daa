/* net/tls_stream.c - the TLS engine of one stream: OpenSSL between two memory ends.
 *
 * OpenSSL reads ciphertext out of the slice that libuv just filled, and writes it
 * into the lane's buffer, which is sent before anything else happens: neither
 * costs a connection memory of its own. Only what a reader that stopped has left
 * over is copied (the stash). */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "tls_inside.h"

enum { RECORD_MAX = 16384, CIPHER_KEEP = 256 * 1024 };

/* The two ends, as one BIO whose data is the stream. */
static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static int
bio_read(BIO *bio, char *out, int size)
{
    struct tls_engine *engine = ((struct stream *)BIO_get_data(bio))->tls;
    struct slice part = slice_first(engine->in, size < 0 ? 0 : (size_t)size);

    BIO_clear_retry_flags(bio);
    if (part.size == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, part.at, part.size);
    engine->in = slice_from(engine->in, part.size);
    return (int)part.size;
}

static int
bio_write(BIO *bio, const char *bytes, int size)
{
    struct stream *stream = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    put_bytes(&stream->lane->cipher_out, bytes, (size_t)size);
    return buffer_status(&stream->lane->cipher_out) == STATUS_OK ? size : -1;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static int
bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static void
bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "writ lane");

    if (method == NULL || !BIO_meth_set_read(method, bio_read) ||
        !BIO_meth_set_write(method, bio_write) || !BIO_meth_set_ctrl(method, bio_control) ||
        !BIO_meth_set_create(method, bio_create)) {
        BIO_meth_free(method);
        return;
    }
    bio_method = method;
}

static enum status
attach(struct stream *stream, SSL *ssl, struct tls_client *client)
{
    struct tls_engine *engine = calloc(1, sizeof *engine);
    BIO *bio;

    pthread_once(&bio_once, bio_method_new);
    bio = bio_method == NULL ? NULL : BIO_new(bio_method);
    if (engine == NULL || ssl == NULL || bio == NULL) {
        free(engine);
        SSL_free(ssl);
        BIO_free(bio);
        if (ssl != NULL)
            tls_client_free(client);
        return STATUS_MEMORY;
    }
    BIO_set_data(bio, stream);
    SSL_set_bio(ssl, bio, bio);
    engine->ssl = ssl;
    engine->client = client;
    stream->tls = engine;
    return STATUS_OK;
}

enum status
tls_attach_server(struct stream *stream, struct tls_server *server)
{
    return attach(stream, tls_server_ssl(server), NULL);
}

enum status
tls_attach_client(struct stream *stream, struct tls_client *client)
{
    return attach(stream, tls_client_ssl(client), client);
}

void
tls_detach(struct stream *stream)
{
    struct tls_engine *engine = stream->tls;

    if (engine == NULL)
        return;
    SSL_free(engine->ssl);
    tls_client_free(engine->client);
    free(engine->stash);
    OPENSSL_free(engine->peer_der);
    free(engine);
    stream->tls = NULL;
}

/* Sends what OpenSSL has written. No callback may run before it: the buffer
 * belongs to the lane, and the next stream writes into it. */
static enum stream_wrote
flush(struct stream *stream, stream_done_callback done, void *context)
{
    struct buffer *out = &stream->lane->cipher_out;
    enum stream_wrote wrote = STREAM_WRITTEN;
    uv_buf_t part;

    if (buffer_status(out) != STATUS_OK) {
        stream->broken = true;
        stream->error = "out of memory";
        wrote = STREAM_BROKEN;
    } else if (stream_queued(stream) > STREAM_QUEUE_MAX) {
        /* A peer that asks for new keys over and over and reads none of the answers. */
        stream->broken = true;
        stream->error = "more is waiting than the peer takes";
        wrote = STREAM_BROKEN;
    } else if (out->size > 0) {
        part = uv_buf_init(out->bytes, (unsigned)out->size);
        wrote = stream->broken ? STREAM_BROKEN
                               : stream_transport_write(stream, &part, 1, done, context);
    }
    if (out->capacity > CIPHER_KEEP || buffer_status(out) != STATUS_OK)
        buffer_free(out);
    else
        buffer_clear(out);
    return wrote;
}

/* SSL_get_error looks at the thread's queue, which must be empty before a call.
 * Clearing costs more than looking. */
static void
errors_forget(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static const char *
reason_text(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text == NULL ? "the TLS handshake failed" : text;
}

enum tls_step
tls_step(struct stream *stream, const char **error)
{
    SSL *ssl = stream->tls->ssl;
    long verified;
    int result, code;

    errors_forget();
    result = SSL_do_handshake(ssl);
    code = SSL_get_error(ssl, result);
    *error = reason_text();
    /* An alert that tells the peer why goes out too. */
    flush(stream, NULL, NULL);
    if (result == 1)
        return TLS_STEP_DONE;
    if (code == SSL_ERROR_WANT_READ)
        return TLS_STEP_MORE;
    verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK && stream->tls->client != NULL) {
        *error = X509_verify_cert_error_string(verified);
        return TLS_STEP_REFUSED;
    }
    return TLS_STEP_FAILED;
}

void
tls_feed(struct stream *stream, struct slice bytes)
{
    struct tls_engine *engine = stream->tls;
    char *larger;

    if (engine->in.size == 0) {
        engine->in = bytes;
        return;
    }
    /* Rare: more came before what was left over has been taken. */
    tls_keep(stream);
    larger = realloc(engine->stash, engine->stash_size + bytes.size);
    if (larger == NULL) {
        stream->broken = true;
        stream_ended(stream, STATUS_MEMORY, "out of memory");
        return;
    }
    memcpy(larger + engine->in.size, bytes.at, bytes.size);
    engine->stash = larger;
    engine->stash_size += bytes.size;
    engine->in = slice_of(larger, engine->in.size + bytes.size);
}

/* The stash holds exactly what is left, or is not there. */
void
tls_keep(struct stream *stream)
{
    struct tls_engine *engine = stream->tls;
    char *copy = NULL;

    if (engine->in.size > 0) {
        copy = malloc(engine->in.size);
        if (copy == NULL) {
            engine->in.size = 0;
            stream->broken = true;
            stream_ended(stream, STATUS_MEMORY, "out of memory");
        } else {
            memcpy(copy, engine->in.at, engine->in.size);
        }
    }
    free(engine->stash);
    engine->stash = copy;
    engine->stash_size = engine->in.size;
    engine->in = slice_of(copy, engine->in.size);
}

bool
tls_has_input(const struct stream *stream)
{
    return stream->tls->in.size > 0 || SSL_has_pending(stream->tls->ssl);
}

/* What stopped SSL_read: more to come, or the end. */
static void
pump_stopped(struct stream *stream, int code)
{
    switch (code) {
    case SSL_ERROR_WANT_READ:
        break;
    case SSL_ERROR_ZERO_RETURN:
        stream_ended(stream, STATUS_CLOSED, "");
        break;
    default:
        stream->broken = true;
        stream_ended(stream, STATUS_IO, reason_text());
        break;
    }
}

/* Records are gathered into one delivery. The first failure of SSL_read is
 * remembered over the delivery of what was read before it. */
void
tls_pump(struct stream *stream)
{
    struct tls_engine *engine = stream->tls;
    char *plain = stream->lane->plain_buffer;

    while (stream->wanted && !stream->ended && stream->state == STREAM_OPEN) {
        size_t size = 0;
        int result, code = SSL_ERROR_NONE;

        errors_forget();
        while (size < STREAM_READ_SIZE) {
            result = SSL_read(engine->ssl, plain + size, (int)(STREAM_READ_SIZE - size));
            if (result <= 0) {
                code = SSL_get_error(engine->ssl, result);
                break;
            }
            size += (size_t)result;
        }
        /* A change of keys is answered, an alert sent. */
        if (flush(stream, NULL, NULL) == STREAM_BROKEN) {
            stream_ended(stream, STATUS_IO, stream->error);
            break;
        }
        if (size > 0)
            stream_deliver(stream, slice_of(plain, size));
        if (code != SSL_ERROR_NONE) {
            if (stream->state == STREAM_OPEN)
                pump_stopped(stream, code);
            break;
        }
    }
    if (stream->state == STREAM_OPEN && engine->stash != NULL && engine->in.size == 0)
        tls_keep(stream);
}

/* Writes the slices as full records, gathering small ones. */
static bool
encrypt(struct stream *stream, const struct slice *slices, size_t count)
{
    char *record = stream->lane->record_buffer;
    SSL *ssl = stream->tls->ssl;
    size_t filled = 0;

    for (size_t i = 0; i < count; i++) {
        struct slice rest = slices[i];

        while (rest.size > 0) {
            struct slice part = slice_first(rest, RECORD_MAX - filled);

            rest = slice_from(rest, part.size);
            /* A full record straight from the caller's bytes. */
            if (part.size == RECORD_MAX) {
                if (SSL_write(ssl, part.at, (int)part.size) <= 0)
                    return false;
                continue;
            }
            memcpy(record + filled, part.at, part.size);
            filled += part.size;
            if (filled == RECORD_MAX) {
                if (SSL_write(ssl, record, (int)filled) <= 0)
                    return false;
                filled = 0;
            }
        }
    }
    return filled == 0 || SSL_write(ssl, record, (int)filled) > 0;
}

enum stream_wrote
tls_write(struct stream *stream, const struct slice *slices, size_t count,
          stream_done_callback done, void *context)
{
    errors_forget();
    if (!encrypt(stream, slices, count)) {
        const char *error = reason_text();

        flush(stream, NULL, NULL);
        stream->broken = true;
        stream->error = error;
        return STREAM_BROKEN;
    }
    return flush(stream, done, context);
}

void
tls_shutdown(struct stream *stream)
{
    errors_forget();
    (void)SSL_shutdown(stream->tls->ssl);
    flush(stream, NULL, NULL);
}

/* What is known of the peer. */
struct slice
tls_stream_alpn(const struct stream *stream)
{
    const unsigned char *name = NULL;
    unsigned size = 0;

    if (stream->tls != NULL)
        SSL_get0_alpn_selected(stream->tls->ssl, &name, &size);
    return slice_of(name, size);
}

struct slice
tls_stream_server_name(const struct stream *stream)
{
    if (stream->tls == NULL)
        return (struct slice){ 0 };
    return slice_text(SSL_get_servername(stream->tls->ssl, TLSEXT_NAMETYPE_host_name));
}

const char *
tls_stream_version(const struct stream *stream)
{
    return stream->tls == NULL ? "" : SSL_get_version(stream->tls->ssl);
}

bool
tls_stream_resumed(const struct stream *stream)
{
    return stream->tls != NULL && SSL_session_reused(stream->tls->ssl);
}

bool
tls_stream_peer_der(const struct stream *stream, struct slice *der)
{
    struct tls_engine *engine = stream->tls;
    X509 *certificate;
    int size;

    if (engine == NULL)
        return false;
    certificate = SSL_get0_peer_certificate(engine->ssl);
    if (certificate == NULL)
        return false;
    if (engine->peer_der == NULL) {
        size = i2d_X509(certificate, &engine->peer_der);
        if (size <= 0)
            return false;
        engine->peer_der_size = (size_t)size;
    }
    *der = slice_of(engine->peer_der, engine->peer_der_size);
    return true;
}

bool
tls_stream_peer_thumbprint(const struct stream *stream, uint8_t out[TLS_THUMBPRINT_SIZE])
{
    struct tls_engine *engine = stream->tls;
    struct slice der;

    if (engine == NULL)
        return false;
    if (!engine->peer_known)
        engine->peer_known = tls_stream_peer_der(stream, &der) &&
                             hash_sha256(&der, 1, engine->peer_thumbprint) == STATUS_OK;
    if (engine->peer_known)
        memcpy(out, engine->peer_thumbprint, TLS_THUMBPRINT_SIZE);
    return engine->peer_known;
}

/* RFC 5929 §4.1: the hash of the certificate's own signature, SHA-256 for those that are
 * too weak for it. */
static const EVP_MD *
end_point_hash(const X509 *certificate)
{
    int digest = NID_undef;

    if (X509_get_signature_info((X509 *)(uintptr_t)certificate, &digest, NULL, NULL, NULL) != 1 ||
        digest == NID_undef || digest == NID_md5 || digest == NID_sha1)
        return EVP_sha256();
    return EVP_get_digestbynid(digest);
}

bool
tls_stream_end_point(const struct stream *stream, uint8_t out[TLS_END_POINT_MAX], size_t *size)
{
    const struct tls_engine *engine = stream->tls;
    const X509 *certificate;
    unsigned written;

    if (engine == NULL)
        return false;
    certificate = engine->client != NULL ? SSL_get0_peer_certificate(engine->ssl)
                                         : SSL_get_certificate(engine->ssl);
    const EVP_MD *hash = certificate == NULL ? NULL : end_point_hash(certificate);
    if (hash == NULL || X509_digest(certificate, hash, out, &written) != 1)
        return false;
    *size = written;
    return true;
}
