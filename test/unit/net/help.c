/* test/unit/net/help.c - what the tests of net share. */
#include "help.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HANG_S = 20, ECHO_MARK = 256 * 1024 };

struct lane *
help_lane(void)
{
    struct lane_options options = { .name = "test" };
    struct lane *lane;

    alarm(HANG_S);
    assert_int_equal(lane_new(&options, &lane), STATUS_OK);
    return lane;
}

void
help_run(struct lane *lane)
{
    lane_run(lane);
    alarm(0);
}

void
help_end(struct lane *lane)
{
    lane_stop(lane, 10000);
}

void
help_free(struct lane *lane)
{
    lane_free(lane);
}

/* The echo. */
void
echo_closed(struct stream *stream, void *context)
{
    struct echo *echo = context;

    echo->closed++;
    if (echo->last == stream)
        echo->last = NULL;
}

static void
echo_went(struct stream *stream, enum status status, void *context)
{
    if (status == STATUS_OK && stream_queued(stream) < ECHO_MARK)
        stream_read_start(stream, echo_read, context);
}

void
echo_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct echo *echo = context;

    if (status != STATUS_OK) {
        echo->end = status;
        if (status == STATUS_CLOSED)
            stream_finish(stream, 2000, echo_closed, echo);
        else
            stream_close(stream, echo_closed, echo);
        return;
    }
    echo->bytes += bytes.size;
    switch (stream_write(stream, &bytes, 1, echo_went, echo)) {
    case STREAM_WRITTEN:
        break;
    case STREAM_QUEUED:
        if (stream_queued(stream) >= ECHO_MARK)
            stream_read_stop(stream);
        break;
    case STREAM_BROKEN:
        stream_close(stream, echo_closed, echo);
        break;
    }
}

static void
echo_accepted(struct listener *listener, struct stream *stream, void *context)
{
    struct echo *echo = context;

    echo->opened++;
    echo->last = stream;
    if (echo->on_accept != NULL)
        echo->on_accept(echo, stream);
    if (echo->stop_after) {
        listener_close(listener);
        echo->listener = NULL;
    }
    if (!echo->manual)
        stream_read_start(stream, echo_read, echo);
}

void
echo_open(struct echo *echo, struct lane *lane, struct listener_options options)
{
    struct fault fault = { 0 };

    if (options.address == NULL)
        options.address = "127.0.0.1:0";
    options.accepted = echo_accepted;
    options.context = echo;
    if (listener_open(lane, &options, &echo->listener, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
}

int
raw_connect(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

/* Files. */
static char folder[64];

static void
folder_remove(void)
{
    DIR *dir = opendir(folder);
    char path[320];

    if (dir == NULL)
        return;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    rmdir(folder);
}

const char *
help_folder(void)
{
    if (folder[0] == '\0') {
        strcpy(folder, "/tmp/writ-net-XXXXXX");
        assert_non_null(mkdtemp(folder));
        atexit(folder_remove);
    }
    return folder;
}

const char *
help_path(const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", help_folder(), name);
    return out;
}

static void *
pem_read(const char *name, const char *suffix)
{
    char file[128], path[256];
    void *found;
    BIO *bio;

    snprintf(file, sizeof file, "%s.%s", name, suffix);
    bio = BIO_new_file(help_path(file, path), "r");
    assert_non_null(bio);
    found = strcmp(suffix, "key") == 0 ? (void *)PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)
                                       : (void *)PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(found);
    return found;
}

static void
pem_write(const char *name, X509 *certificate, EVP_PKEY *key)
{
    char file[128], path[256];
    BIO *bio;

    snprintf(file, sizeof file, "%s.pem", name);
    bio = BIO_new_file(help_path(file, path), "w");
    assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    BIO_free(bio);
    snprintf(file, sizeof file, "%s.key", name);
    bio = BIO_new_file(help_path(file, path), "w");
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    BIO_free(bio);
}

static void
add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

void
make_certificate(const char *name, const char *issuer, const char *san, int days)
{
    static long serial = 1;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509 *parent = issuer == NULL ? NULL : pem_read(issuer, "pem");
    EVP_PKEY *signing = issuer == NULL ? key : pem_read(issuer, "key");

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -2L * 86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86400L);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(parent == NULL ? certificate : parent));
    if (san == NULL)
        add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    else
        add_extension(certificate, NID_subject_alt_name, san);
    assert_true(X509_sign(certificate, signing, EVP_sha256()) > 0);
    pem_write(name, certificate, key);
    if (parent != NULL) {
        X509_free(parent);
        EVP_PKEY_free(signing);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* The foreign client. */
static pthread_t raw_thread;

static bool
raw_talk(struct raw_tls *client, SSL *ssl)
{
    size_t want = strlen(client->send);

    if (SSL_connect(ssl) != 1 || SSL_write(ssl, client->send, (int)want) <= 0)
        return false;
    while (client->size < want) {
        int got = SSL_read(ssl, client->answer + client->size,
                           (int)(sizeof client->answer - client->size));

        if (got <= 0)
            return false;
        client->size += (size_t)got;
    }
    if (!client->abrupt)
        SSL_shutdown(ssl);
    return memcmp(client->answer, client->send, want) == 0;
}

static void *
raw_tls_main(void *argument)
{
    struct raw_tls *client = argument;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    char file[128], path[256];
    int descriptor = raw_connect(client->port);
    SSL *ssl;

    if (client->version != 0)
        SSL_CTX_set_max_proto_version(context, client->version);
    if (client->alpn != NULL)
        SSL_CTX_set_alpn_protos(context, (const unsigned char *)client->alpn,
                                (unsigned)strlen(client->alpn));
    if (client->cert != NULL) {
        snprintf(file, sizeof file, "%s.pem", client->cert);
        SSL_CTX_use_certificate_file(context, help_path(file, path), SSL_FILETYPE_PEM);
        snprintf(file, sizeof file, "%s.key", client->cert);
        SSL_CTX_use_PrivateKey_file(context, help_path(file, path), SSL_FILETYPE_PEM);
    }
    ssl = SSL_new(context);
    SSL_set_fd(ssl, descriptor);
    client->ok = raw_talk(client, ssl);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(descriptor);
    return NULL;
}

void
raw_tls_start(struct raw_tls *client)
{
    client->ok = false;
    client->size = 0;
    help_folder();
    assert_int_equal(pthread_create(&raw_thread, NULL, raw_tls_main, client), 0);
}

void
raw_tls_join(struct raw_tls *client)
{
    pthread_join(raw_thread, NULL);
}
