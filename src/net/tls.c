/* net/tls.c - TLS contexts: what files, names and authorities a handshake rests on. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "tls_inside.h"

enum {
    ALPN_WIRE_MAX = 256,
    TICKET_KEYS_SIZE = 80, /* OpenSSL's: name, MAC key, cipher key */
    TICKET_LIFE_S = 2 * 3600,
    SESSIONS_KEPT = 8
};
#define TICKET_KEYS_LIFE_US (UINT64_C(24) * 3600 * 1000000)

/* Names each behind its length, as the extension has them (RFC 7301 section 3.1). */
struct alpn {
    unsigned char wire[ALPN_WIRE_MAX];
    unsigned size;
};

struct tls_server {
    _Atomic(SSL_CTX *) context;
    atomic_uint entering; /* handshakes that are just taking the context */
    uint64_t ticket_keys_at;
    char *cert, *key, *client_ca;
    enum tls_client_certificate client_certificate;
    struct alpn alpn;
};

struct tls_client {
    atomic_uint references; /* its maker's, and one a stream: tickets come late */
    SSL_CTX *context;
    char *server_name;
    bool is_address;
    _Atomic(SSL_SESSION *) sessions[SESSIONS_KEPT];
};

/* Tells OpenSSL's newest reason after our own words. */
static enum status
openssl_fault(struct fault *fault, const char *what, const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    fault_set(fault, STATUS_CRYPTO, "%s%s%s: %s", what, file == NULL ? "" : " ",
              file == NULL ? "" : file, reason == NULL ? "refused" : reason);
    ERR_clear_error();
    return STATUS_CRYPTO;
}

static bool
copy_text(const char *text, char **out)
{
    if (text == NULL)
        return true;
    *out = strdup(text);
    return *out != NULL;
}

static enum status
alpn_build(const char *const *names, size_t count, struct alpn *out)
{
    struct alpn alpn = { .size = 0 };

    if (count > TLS_ALPN_MAX)
        return STATUS_INVALID;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(names[i]);

        if (size == 0 || size + 1 > ALPN_WIRE_MAX / TLS_ALPN_MAX)
            return STATUS_INVALID;
        alpn.wire[alpn.size++] = (unsigned char)size;
        memcpy(alpn.wire + alpn.size, names[i], size);
        alpn.size += (unsigned)size;
    }
    *out = alpn;
    return STATUS_OK;
}

/* What both sides have in common. */
static SSL_CTX *
context_new(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);

    if (context == NULL)
        return NULL;
    if (!SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20")) {
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    /* An idle connection holds no record buffers: 34 KB each would be most of its memory. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return context;
}

/* A passphrase is never asked for: a server that waits at a terminal is down. */
static int
no_passphrase(char *out, int size, int writing, void *context)
{
    return 0;
}

static enum status
load_pair(SSL_CTX *context, const char *cert, const char *key, struct fault *fault)
{
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
        return openssl_fault(fault, "can't use the certificate", cert);
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return openssl_fault(fault, "can't use the key", key);
    if (SSL_CTX_check_private_key(context) != 1)
        return openssl_fault(fault, "the key does not belong to the certificate", cert);
    return STATUS_OK;
}

/* What a file lists is trusted, be it a root, an intermediate or the peer's very certificate. */
static bool
trust_file(SSL_CTX *context, const char *file)
{
    return SSL_CTX_load_verify_file(context, file) == 1 &&
           X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

/* Server side. */
static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in,
            unsigned in_size, void *argument)
{
    const struct tls_server *server = argument;
    unsigned char *chosen;

    if (SSL_select_next_proto(&chosen, out_size, server->alpn.wire, server->alpn.size, in,
                              in_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2 */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Without a CA of ours a certificate is proof of its key alone: that it leads
 * nowhere is no fault, that it is out of its time or damaged is. */
static int
accept_unknown_issuer(int good, X509_STORE_CTX *store)
{
    if (good)
        return 1;
    switch (X509_STORE_CTX_get_error(store)) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        return 1;
    default:
        return 0;
    }
}

/* A ticket with a certificate inside is not honoured: each connection proves its
 * key itself (RFC 8705), and a certificate that has run out is seen. */
static SSL_TICKET_RETURN
ticket_taken(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_size,
             SSL_TICKET_STATUS status, void *context)
{
    switch (status) {
    case SSL_TICKET_SUCCESS:
        return SSL_SESSION_get0_peer(session) == NULL ? SSL_TICKET_RETURN_USE
                                                      : SSL_TICKET_RETURN_IGNORE_RENEW;
    case SSL_TICKET_SUCCESS_RENEW:
        return SSL_SESSION_get0_peer(session) == NULL ? SSL_TICKET_RETURN_USE_RENEW
                                                      : SSL_TICKET_RETURN_IGNORE_RENEW;
    default:
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
}

static int
ticket_given(SSL *ssl, void *context)
{
    return 1;
}

static enum status
ask_for_certificates(const struct tls_server *server, SSL_CTX *context, struct fault *fault)
{
    STACK_OF(X509_NAME) * names;
    int mode = SSL_VERIFY_PEER;

    if (server->client_certificate == TLS_CLIENT_NONE)
        return STATUS_OK;
    if (server->client_certificate == TLS_CLIENT_REQUIRE)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    if (server->client_ca == NULL) {
        SSL_CTX_set_verify(context, mode, accept_unknown_issuer);
        return STATUS_OK;
    }
    /* Where certificates are welcome but not demanded, one without a chain is still proof of
     * its key; no list of names goes out that would keep a client from showing it. */
    if (server->client_certificate == TLS_CLIENT_REQUEST) {
        SSL_CTX_set_verify(context, mode, accept_unknown_issuer);
        return trust_file(context, server->client_ca)
                   ? STATUS_OK
                   : openssl_fault(fault, "can't use the client CA", server->client_ca);
    }
    SSL_CTX_set_verify(context, mode, NULL);
    names = SSL_load_client_CA_file(server->client_ca);
    if (names == NULL || !trust_file(context, server->client_ca)) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return openssl_fault(fault, "can't use the client CA", server->client_ca);
    }
    SSL_CTX_set_client_CA_list(context, names);
    return STATUS_OK;
}

static enum status
server_context(struct tls_server *server, SSL_CTX **out, struct fault *fault)
{
    SSL_CTX *context = context_new(TLS_server_method());
    enum status status;

    if (context == NULL)
        return openssl_fault(fault, "can't make a TLS context", NULL);
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Tickets only: there is no cache to share or to fill up. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, TICKET_LIFE_S);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"writ", 4);
    SSL_CTX_set_session_ticket_cb(context, ticket_given, ticket_taken, NULL);
    if (server->alpn.size > 0)
        SSL_CTX_set_alpn_select_cb(context, choose_alpn, server);
    status = load_pair(context, server->cert, server->key, fault);
    if (status == STATUS_OK)
        status = ask_for_certificates(server, context, fault);
    if (status != STATUS_OK) {
        SSL_CTX_free(context);
        return status;
    }
    *out = context;
    return STATUS_OK;
}

enum status
tls_server_new(const struct tls_server_options *options, struct tls_server **out,
               struct fault *fault)
{
    struct tls_server *server = calloc(1, sizeof *server);
    SSL_CTX *context;
    enum status status;

    if (server == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    server->client_certificate = options->client_certificate;
    if (!copy_text(options->cert, &server->cert) || !copy_text(options->key, &server->key) ||
        !copy_text(options->client_ca, &server->client_ca))
        status = fault_set(fault, STATUS_MEMORY, "out of memory");
    else if (options->cert == NULL || options->key == NULL)
        status = fault_set(fault, STATUS_INVALID, "tls needs both cert and key");
    else if (alpn_build(options->alpn, options->alpn_count, &server->alpn) != STATUS_OK)
        status = fault_set(fault, STATUS_INVALID, "too many or too long protocol names");
    else
        status = server_context(server, &context, fault);
    if (status != STATUS_OK) {
        tls_server_free(server);
        return status;
    }
    server->ticket_keys_at = clock_mono_us();
    atomic_store(&server->context, context);
    *out = server;
    return STATUS_OK;
}

/* Young ticket keys go on, so that a reload does not make everyone shake hands anew. */
static void
carry_ticket_keys(struct tls_server *server, SSL_CTX *from, SSL_CTX *to)
{
    unsigned char keys[TICKET_KEYS_SIZE];
    uint64_t now = clock_mono_us();

    if (now - server->ticket_keys_at > TICKET_KEYS_LIFE_US ||
        SSL_CTX_get_tlsext_ticket_keys(from, keys, sizeof keys) != 1 ||
        SSL_CTX_set_tlsext_ticket_keys(to, keys, sizeof keys) != 1)
        server->ticket_keys_at = now;
    secret_wipe(keys, sizeof keys);
}

/* A lane never waits: it counts itself in before it takes the context and out
 * after it holds a reference of its own. Once the count has been seen at zero
 * after the swap, nobody can still be about to take the old one. */
enum status
tls_server_reload(struct tls_server *server, struct fault *fault)
{
    SSL_CTX *fresh, *old;
    enum status status = server_context(server, &fresh, fault);

    if (status != STATUS_OK)
        return status;
    carry_ticket_keys(server, atomic_load(&server->context), fresh);
    old = atomic_exchange(&server->context, fresh);
    while (atomic_load(&server->entering) != 0)
        sched_yield();
    SSL_CTX_free(old);
    return STATUS_OK;
}

void
tls_server_free(struct tls_server *server)
{
    if (server == NULL)
        return;
    SSL_CTX_free(atomic_load(&server->context));
    free(server->cert);
    free(server->key);
    free(server->client_ca);
    free(server);
}

SSL *
tls_server_ssl(struct tls_server *server)
{
    SSL *ssl;

    atomic_fetch_add(&server->entering, 1);
    ssl = SSL_new(atomic_load(&server->context));
    atomic_fetch_sub(&server->entering, 1);
    if (ssl != NULL)
        SSL_set_accept_state(ssl);
    return ssl;
}

/* Client side. Sessions are swapped in and out of a few places, each taken by one
 * connection: a ticket used twice would link the two (RFC 8446 section C.4). */
static int client_index = -1;
static pthread_once_t client_once = PTHREAD_ONCE_INIT;

static void
client_index_new(void)
{
    client_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int
session_came(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client *client = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), client_index);
    SSL_SESSION *none = NULL;

    for (size_t i = 1; i < SESSIONS_KEPT; i++) {
        none = NULL;
        if (atomic_compare_exchange_strong(&client->sessions[i], &none, session))
            return 1;
    }
    /* All full: the newest displaces one. */
    SSL_SESSION_free(atomic_exchange(&client->sessions[0], session));
    return 1;
}

static SSL_SESSION *
session_take(struct tls_client *client)
{
    for (size_t i = 0; i < SESSIONS_KEPT; i++) {
        SSL_SESSION *session = atomic_exchange(&client->sessions[i], NULL);

        if (session != NULL && SSL_SESSION_is_resumable(session))
            return session;
        SSL_SESSION_free(session);
    }
    return NULL;
}

/* The same from memory: the certificate as PEM, the key as PKCS #8. */
static enum status
use_pair(SSL_CTX *context, struct slice cert, struct slice key, struct fault *fault)
{
    const unsigned char *at = (const unsigned char *)key.at;
    BIO *pem = BIO_new_mem_buf(cert.at, (int)cert.size);
    X509 *x509 = pem == NULL ? NULL : PEM_read_bio_X509(pem, NULL, no_passphrase, NULL);
    EVP_PKEY *pair = d2i_AutoPrivateKey(NULL, &at, (long)key.size);
    bool good = x509 != NULL && pair != NULL && SSL_CTX_use_certificate(context, x509) == 1 &&
                SSL_CTX_use_PrivateKey(context, pair) == 1;

    EVP_PKEY_free(pair);
    X509_free(x509);
    BIO_free(pem);
    return good ? STATUS_OK : openssl_fault(fault, "can't use the key's own certificate", NULL);
}

static enum status
client_context(struct tls_client *client, const struct tls_client_options *options,
               struct fault *fault)
{
    SSL_CTX *context = context_new(TLS_client_method());
    struct alpn alpn;

    if (context == NULL)
        return openssl_fault(fault, "can't make a TLS context", NULL);
    client->context = context;
    pthread_once(&client_once, client_index_new);
    if (client_index < 0 || SSL_CTX_set_ex_data(context, client_index, client) != 1)
        return openssl_fault(fault, "can't make a TLS context", NULL);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, session_came);
    if (options->ca == NULL ? SSL_CTX_set_default_verify_paths(context) != 1
                            : !trust_file(context, options->ca))
        return openssl_fault(fault, "can't use the CA", options->ca);
    if (alpn_build(options->alpn, options->alpn_count, &alpn) != STATUS_OK)
        return fault_set(fault, STATUS_INVALID, "too many or too long protocol names");
    if (alpn.size > 0 && SSL_CTX_set_alpn_protos(context, alpn.wire, alpn.size) != 0)
        return openssl_fault(fault, "can't offer the protocols", NULL);
    if (options->own_cert.size > 0)
        return use_pair(context, options->own_cert, options->own_key, fault);
    if (options->cert == NULL && options->key == NULL)
        return STATUS_OK;
    if (options->cert == NULL || options->key == NULL)
        return fault_set(fault, STATUS_INVALID, "a client certificate needs both cert and key");
    return load_pair(context, options->cert, options->key, fault);
}

enum status
tls_client_new(const struct tls_client_options *options, struct tls_client **out,
               struct fault *fault)
{
    struct tls_client *client;
    enum status status;
    struct ip ip;

    if (options->server_name == NULL || options->server_name[0] == '\0')
        return fault_set(fault, STATUS_INVALID, "tls needs the name of the server");
    client = calloc(1, sizeof *client);
    if (client == NULL || !copy_text(options->server_name, &client->server_name)) {
        free(client);
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    }
    atomic_init(&client->references, 1);
    client->is_address = ip_parse(slice_text(options->server_name), &ip) == STATUS_OK;
    status = client_context(client, options, fault);
    if (status != STATUS_OK) {
        tls_client_free(client);
        return status;
    }
    *out = client;
    return STATUS_OK;
}

void
tls_client_free(struct tls_client *client)
{
    if (client == NULL || atomic_fetch_sub(&client->references, 1) > 1)
        return;
    for (size_t i = 0; i < SESSIONS_KEPT; i++)
        SSL_SESSION_free(atomic_load(&client->sessions[i]));
    SSL_CTX_free(client->context);
    free(client->server_name);
    free(client);
}

/* The name is part of the verification (RFC 9525); an address is no SNI (RFC 6066 section 3). */
static bool
expect_name(SSL *ssl, const struct tls_client *client)
{
    if (client->is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), client->server_name) == 1;
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set1_host(ssl, client->server_name) == 1 &&
           SSL_set_tlsext_host_name(ssl, client->server_name) == 1;
}

SSL *
tls_client_ssl(struct tls_client *client)
{
    SSL *ssl = SSL_new(client->context);
    SSL_SESSION *session;

    if (ssl == NULL)
        return NULL;
    if (!expect_name(ssl, client)) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    atomic_fetch_add(&client->references, 1);
    session = session_take(client);
    if (session != NULL) {
        SSL_set_session(ssl, session);
        SSL_SESSION_free(session);
    }
    return ssl;
}

bool
tls_stream_peer_trusted(const struct stream *stream)
{
    SSL *ssl;

    if (stream->tls == NULL)
        return false;
    ssl = stream->tls->ssl;
    return SSL_get0_peer_certificate(ssl) != NULL && SSL_get_verify_result(ssl) == X509_V_OK;
}
