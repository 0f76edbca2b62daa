/* test/unit/net/tls.c - TLS on real sockets: both versions, names, certificates,
 * resumption, reload, and upgrades of plain streams. */
#include "help.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/hash.h"

static const char *const http[] = { "http/1.1" };

/* What a connection was, as the server and our own client saw it. */
struct seen {
    char alpn[16], sni[64], version[16];
    bool resumed, trusted, has_thumbprint;
    uint8_t thumbprint[TLS_THUMBPRINT_SIZE];
    uint8_t end_point[TLS_END_POINT_MAX];
    size_t end_point_size; /* 0: none */
};

static void
look(struct seen *seen, const struct stream *stream)
{
    struct slice alpn = tls_stream_alpn(stream), sni = tls_stream_server_name(stream);

    snprintf(seen->alpn, sizeof seen->alpn, "%.*s", SLICE_PRINT(alpn));
    snprintf(seen->sni, sizeof seen->sni, "%.*s", SLICE_PRINT(sni));
    snprintf(seen->version, sizeof seen->version, "%s", tls_stream_version(stream));
    seen->resumed = tls_stream_resumed(stream);
    seen->trusted = tls_stream_peer_trusted(stream);
    seen->has_thumbprint = tls_stream_peer_thumbprint(stream, seen->thumbprint);
    if (!tls_stream_end_point(stream, seen->end_point, &seen->end_point_size))
        seen->end_point_size = 0;
}

static void
look_accept(struct echo *echo, struct stream *stream)
{
    look(echo->context, stream);
}

static struct tls_server *
server_new(const char *name, struct tls_server_options options)
{
    char cert[256], key[256], file[64];
    struct tls_server *server;
    struct fault fault = { 0 };

    snprintf(file, sizeof file, "%s.pem", name);
    options.cert = help_path(file, cert);
    snprintf(file, sizeof file, "%s.key", name);
    options.key = help_path(file, key);
    options.alpn = http;
    options.alpn_count = 1;
    if (tls_server_new(&options, &server, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    return server;
}

static struct tls_client *
client_new(const char *name, const char *ca)
{
    char path[256];
    struct tls_client_options options = { .server_name = name, .alpn = http, .alpn_count = 1 };
    struct tls_client *client;
    struct fault fault = { 0 };

    options.ca = ca == NULL ? NULL : help_path(ca, path);
    if (tls_client_new(&options, &client, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    return client;
}

/* A foreign client that talks to our server: one connection. */
struct foreign {
    struct raw_tls client;
    struct seen seen;
    struct echo echo;
    struct timer look;
};

static void
foreign_accept(struct echo *echo, struct stream *stream)
{
    look(&((struct foreign *)echo->context)->seen, stream);
    help_end(stream_lane(stream));
}

/* Looks until the handshake has failed. */
static void
foreign_failed(struct timer *timer)
{
    struct foreign *foreign = LANE_OWNER(timer, struct foreign, look);
    struct listener_stats stats;

    listener_stats(foreign->echo.listener, &stats);
    if (stats.failed == 0) {
        timer_arm(lane_current(), timer, 0);
        return;
    }
    listener_close(foreign->echo.listener);
    help_end(lane_current());
}

enum expected { SHALL_WORK, SHALL_FAIL };

static void
foreign_talk(struct foreign *foreign, struct tls_server *server, enum expected expected)
{
    struct lane *lane = help_lane();

    foreign->echo =
        (struct echo){ .on_accept = foreign_accept, .context = foreign, .stop_after = true };
    foreign->client.send = "hello over there";
    echo_open(&foreign->echo, lane, (struct listener_options){ .tls = server });
    foreign->client.port = listener_port(foreign->echo.listener);
    foreign->look.fire = foreign_failed;
    if (expected == SHALL_FAIL)
        timer_arm(lane, &foreign->look, 0);
    raw_tls_start(&foreign->client);
    help_run(lane);
    raw_tls_join(&foreign->client);
    assert_int_equal(foreign->echo.opened, expected == SHALL_WORK);
    assert_true(foreign->client.ok == (expected == SHALL_WORK));
    help_free(lane);
}

static void
both_versions(void **state)
{
    struct foreign v13 = { .client.alpn = "\x08http/1.1" };
    struct foreign v12 = { .client.version = TLS1_2_VERSION };
    struct foreign v11 = { .client.version = TLS1_1_VERSION };
    struct tls_server *server = server_new("server", (struct tls_server_options){ 0 });

    foreign_talk(&v13, server, SHALL_WORK);
    assert_string_equal(v13.seen.version, "TLSv1.3");
    assert_string_equal(v13.seen.alpn, "http/1.1");
    assert_int_equal(v13.echo.end, STATUS_CLOSED);
    assert_false(v13.seen.has_thumbprint);

    foreign_talk(&v12, server, SHALL_WORK);
    assert_string_equal(v12.seen.version, "TLSv1.2");
    assert_string_equal(v12.seen.alpn, "");
    assert_int_equal(v12.echo.end, STATUS_CLOSED);

    foreign_talk(&v11, server, SHALL_FAIL);
    tls_server_free(server);
}

static void
foreign_protocols_are_refused(void **state)
{
    struct foreign other = { .client.alpn = "\x03xyz" };
    struct tls_server *server = server_new("server", (struct tls_server_options){ 0 });

    foreign_talk(&other, server, SHALL_FAIL);
    tls_server_free(server);
}

static void
leaving_without_a_word_is_an_error(void **state)
{
    struct foreign abrupt = { .client.abrupt = true };
    struct tls_server *server = server_new("server", (struct tls_server_options){ 0 });

    foreign_talk(&abrupt, server, SHALL_WORK);
    assert_int_equal(abrupt.echo.end, STATUS_IO);
    tls_server_free(server);
}

/* Client certificates. */
static void
thumbprint_of(const char *name, uint8_t out[TLS_THUMBPRINT_SIZE])
{
    char file[64], path[256];
    struct slice der;
    uint8_t *bytes = NULL;
    X509 *certificate;
    BIO *bio;
    int size;

    snprintf(file, sizeof file, "%s.pem", name);
    bio = BIO_new_file(help_path(file, path), "r");
    certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    size = i2d_X509(certificate, &bytes);
    der = slice_of(bytes, (size_t)size);
    assert_int_equal(hash_sha256(&der, 1, out), STATUS_OK);
    OPENSSL_free(bytes);
    X509_free(certificate);
}

static void
client_certificates(void **state)
{
    char ca[256];
    struct tls_server *pinned = server_new(
        "server", (struct tls_server_options){ .client_certificate = TLS_CLIENT_REQUEST });
    struct tls_server *chained =
        server_new("server", (struct tls_server_options){ .client_certificate = TLS_CLIENT_REQUIRE,
                                                          .client_ca = help_path("ca.pem", ca) });
    uint8_t expected[TLS_THUMBPRINT_SIZE];

    for (int version = 0; version <= TLS1_2_VERSION; version += TLS1_2_VERSION) {
        struct raw_tls with = { .version = version, .cert = "client" };
        struct raw_tls alone = { .version = version, .cert = "alone" };
        struct raw_tls old = { .version = version, .cert = "old" };
        struct raw_tls none = { .version = version };
        struct foreign f;

        /* No CA of ours: the certificate proves its own key, no more. */
        f = (struct foreign){ .client = alone };
        foreign_talk(&f, pinned, SHALL_WORK);
        assert_true(f.seen.has_thumbprint && !f.seen.trusted);
        thumbprint_of("alone", expected);
        assert_memory_equal(f.seen.thumbprint, expected, sizeof expected);
        f = (struct foreign){ .client = with };
        foreign_talk(&f, pinned, SHALL_WORK);
        assert_true(f.seen.has_thumbprint && !f.seen.trusted);
        f = (struct foreign){ .client = none };
        foreign_talk(&f, pinned, SHALL_WORK);
        assert_true(!f.seen.has_thumbprint && !f.seen.trusted);
        f = (struct foreign){ .client = old };
        foreign_talk(&f, pinned, SHALL_FAIL);

        /* Ours: it must lead there. */
        f = (struct foreign){ .client = with };
        foreign_talk(&f, chained, SHALL_WORK);
        assert_true(f.seen.trusted);
        thumbprint_of("client", expected);
        assert_memory_equal(f.seen.thumbprint, expected, sizeof expected);
        f = (struct foreign){ .client = alone };
        foreign_talk(&f, chained, SHALL_FAIL);
        f = (struct foreign){ .client = none };
        foreign_talk(&f, chained, SHALL_FAIL);
    }
    tls_server_free(pinned);
    tls_server_free(chained);
}

/* Our client against our server. */
struct call {
    struct lane *lane;
    struct echo echo;
    struct seen server_saw, client_saw;
    enum status connected, end;
    char error[128];
    size_t size, received;
    unsigned rounds; /* connections to make, one after the other */
    unsigned resumed;
    bool stuttering; /* stops and starts reading */
    struct timer again;
    struct stream *stream;
    struct tls_client *client;
};

static void call_start(struct call *call);

static void
call_closed(struct stream *stream, void *context)
{
    struct call *call = context;

    if (--call->rounds > 0) {
        call_start(call);
        return;
    }
    listener_close(call->echo.listener);
    help_end(call->lane);
}

static void call_read(struct stream *stream, enum status status, struct slice bytes, void *context);

static void
call_again(struct timer *timer)
{
    struct call *call = LANE_OWNER(timer, struct call, again);

    stream_read_start(call->stream, call_read, call);
}

static void
call_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct call *call = context;

    if (status != STATUS_OK) {
        call->end = status;
        stream_close(stream, call_closed, call);
        return;
    }
    for (size_t i = 0; i < bytes.size; i++)
        assert_int_equal((uint8_t)bytes.at[i], (uint8_t)((call->received + i) * 7));
    call->received += bytes.size;
    if (call->received == call->size) {
        stream_shutdown(stream);
    } else if (call->stuttering && call->received % 5 == 0) {
        stream_read_stop(stream);
        call->again.fire = call_again;
        timer_arm(call->lane, &call->again, 0);
    } else if (call->stuttering) {
        stream_read_stop(stream);
        stream_read_start(stream, call_read, call);
    }
}

static void
call_connected(struct stream *stream, enum status status, void *context)
{
    struct call *call = context;
    struct slice parts[2];
    uint8_t *bytes;

    call->connected = status;
    snprintf(call->error, sizeof call->error, "%s", stream_error(stream));
    if (status != STATUS_OK) {
        stream_close(stream, call_closed, call);
        return;
    }
    look(&call->client_saw, stream);
    call->resumed += call->client_saw.resumed;
    bytes = malloc(call->size);
    for (size_t i = 0; i < call->size; i++)
        bytes[i] = (uint8_t)(i * 7);
    parts[0] = slice_of(bytes, call->size / 2);
    parts[1] = slice_of(bytes + call->size / 2, call->size - call->size / 2);
    call->received = 0;
    stream_read_start(stream, call_read, call);
    assert_int_not_equal(stream_write(stream, parts, 2, NULL, NULL), STREAM_BROKEN);
    free(bytes);
}

static void
call_start(struct call *call)
{
    struct stream_target target = { .tls = call->client, .timeout_ms = 5000 };

    assert_int_equal(ip_parse(SLICE_LITERAL("127.0.0.1"), &target.ip), STATUS_OK);
    target.port = listener_port(call->echo.listener);
    assert_int_equal(stream_connect(call->lane, &target, call_connected, call, &call->stream),
                     STATUS_OK);
}

static void
call_make(struct call *call, struct tls_server *server, struct tls_client *client)
{
    call->lane = help_lane();
    call->client = client;
    if (call->size == 0)
        call->size = 1000;
    if (call->rounds == 0)
        call->rounds = 1;
    call->connected = STATUS_INTERNAL;
    call->echo = (struct echo){ .on_accept = look_accept, .context = &call->server_saw };
    echo_open(&call->echo, call->lane, (struct listener_options){ .tls = server });
    call_start(call);
    help_run(call->lane);
    help_free(call->lane);
}

static void
names_and_chains_are_verified(void **state)
{
    static const struct {
        const char *name, *ca, *error;
    } refused[] = {
        { "elsewhere.test", "ca.pem", "hostname mismatch" },
        { "127.0.0.2", "ca.pem", "IP address mismatch" },
        { "localhost", "other.pem", "unable to get local issuer certificate" },
        { "localhost", NULL, "unable to get local issuer certificate" },
    };
    struct tls_server *server = server_new("server", (struct tls_server_options){ 0 });
    struct tls_server *old = server_new("old", (struct tls_server_options){ 0 });
    static const char *const good[] = { "localhost", "127.0.0.1", "a.wild.test" };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct tls_client *client = client_new(good[i], "ca.pem");
        struct call call = { .size = 1000 };

        call_make(&call, server, client);
        assert_int_equal(call.connected, STATUS_OK);
        assert_int_equal(call.received, 1000);
        assert_int_equal(call.end, STATUS_CLOSED);
        assert_true(call.client_saw.trusted);
        assert_string_equal(call.client_saw.alpn, "http/1.1");
        assert_string_equal(call.server_saw.sni, i == 1 ? "" : good[i]);
        tls_client_free(client);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct tls_client *client = client_new(refused[i].name, refused[i].ca);
        struct call call = { 0 };

        call_make(&call, server, client);
        assert_int_equal(call.connected, STATUS_DENIED);
        assert_string_equal(call.error, refused[i].error);
        tls_client_free(client);
    }
    struct tls_client *client = client_new("localhost", "ca.pem");
    struct call call = { 0 };

    call_make(&call, old, client);
    assert_int_equal(call.connected, STATUS_DENIED);
    assert_string_equal(call.error, "certificate has expired");
    tls_client_free(client);
    tls_server_free(server);
    tls_server_free(old);
}

static void
large_and_stuttering(void **state)
{
    struct tls_server *server = server_new("server", (struct tls_server_options){ 0 });
    struct tls_client *client = client_new("localhost", "ca.pem");
    struct call large = { .size = 3 * 1024 * 1024 };
    struct call stuttering = { .size = 1024 * 1024 + 3, .stuttering = true };

    call_make(&large, server, client);
    assert_int_equal(large.received, large.size);
    assert_int_equal(large.end, STATUS_CLOSED);
    call_make(&stuttering, server, client);
    assert_int_equal(stuttering.received, stuttering.size);
    assert_int_equal(stuttering.end, STATUS_CLOSED);
    tls_client_free(client);
    tls_server_free(server);
}

static void
sessions_are_resumed(void **state)
{
    struct tls_server *server = server_new("server", (struct tls_server_options){ 0 });
    struct tls_client *client = client_new("localhost", "ca.pem");
    struct call call = { .rounds = 3 };
    struct call after = { .rounds = 1 };
    struct fault fault = { 0 };

    call_make(&call, server, client);
    assert_int_equal(call.resumed, 2);
    assert_true(call.client_saw.trusted);
    /* A reload keeps the keys of tickets. */
    assert_int_equal(tls_server_reload(server, &fault), STATUS_OK);
    call_make(&after, server, client);
    assert_int_equal(after.resumed, 1);
    tls_client_free(client);
    tls_server_free(server);
}

/* With a certificate every connection proves its key itself. */
/* RFC 5929 §4: the server's certificate, as it sent it and as the client got it; also where the
 * handshake was short and none was sent. Signed with SHA-256, it is the thumbprint. */
static void
both_ends_name_one_end_point(void **state)
{
    struct tls_server *server = server_new("server", (struct tls_server_options){ 0 });
    struct tls_client *client = client_new("localhost", "ca.pem");
    uint8_t expected[TLS_THUMBPRINT_SIZE];

    thumbprint_of("server", expected);
    for (unsigned rounds = 1; rounds <= 2; rounds++) {
        struct call call = { .rounds = rounds };

        call_make(&call, server, client);
        assert_int_equal(call.client_saw.end_point_size, sizeof(expected));
        assert_memory_equal(call.client_saw.end_point, expected, sizeof(expected));
        assert_int_equal(call.server_saw.end_point_size, sizeof(expected));
        assert_memory_equal(call.server_saw.end_point, expected, sizeof(expected));
    }
    tls_client_free(client);
    tls_server_free(server);
}

static void
certificates_are_proven_anew(void **state)
{
    struct tls_server *server = server_new(
        "server", (struct tls_server_options){ .client_certificate = TLS_CLIENT_REQUEST });
    char ca[256], cert[256], key[256];
    struct tls_client_options options = { .server_name = "localhost",
                                          .ca = help_path("ca.pem", ca),
                                          .cert = help_path("alone.pem", cert),
                                          .key = help_path("alone.key", key) };
    struct tls_client *client;
    struct call call = { .rounds = 3 };

    assert_int_equal(tls_client_new(&options, &client, NULL), STATUS_OK);
    call_make(&call, server, client);
    assert_int_equal(call.end, STATUS_CLOSED);
    assert_int_equal(call.resumed, 0);
    assert_true(call.server_saw.has_thumbprint);
    tls_client_free(client);
    tls_server_free(server);
}

static void
copy_file(const char *from, const char *to)
{
    char a[256], b[256], bytes[8192];
    FILE *in = fopen(help_path(from, a), "r"), *out = fopen(help_path(to, b), "w");
    size_t size = fread(bytes, 1, sizeof bytes, in);

    fwrite(bytes, 1, size, out);
    fclose(in);
    fclose(out);
}

static void
reload_swaps_or_keeps(void **state)
{
    struct tls_server *server;
    struct tls_client *client = client_new("localhost", "ca.pem");
    struct tls_client *renamed = client_new("renamed.test", "ca.pem");
    struct fault fault = { 0 };
    struct call before = { 0 }, kept = { 0 }, swapped = { 0 };

    copy_file("server.pem", "live.pem");
    copy_file("server.key", "live.key");
    server = server_new("live", (struct tls_server_options){ 0 });
    call_make(&before, server, client);
    assert_int_equal(before.connected, STATUS_OK);

    copy_file("renamed.pem", "live.pem"); /* whose key is not there yet */
    assert_int_equal(tls_server_reload(server, &fault), STATUS_CRYPTO);
    assert_non_null(strstr(fault.text, "live."));
    call_make(&kept, server, client);
    assert_int_equal(kept.connected, STATUS_OK);

    copy_file("renamed.key", "live.key");
    assert_int_equal(tls_server_reload(server, &fault), STATUS_OK);
    call_make(&swapped, server, renamed);
    assert_int_equal(swapped.connected, STATUS_OK);
    tls_client_free(client);
    tls_client_free(renamed);
    tls_server_free(server);
}

static void
bad_files_are_named(void **state)
{
    char cert[256], key[256];
    struct tls_server_options options = { .cert = help_path("missing.pem", cert),
                                          .key = help_path("server.key", key) };
    struct tls_client_options client = { .server_name = "x", .ca = "/nonexistent/ca.pem" };
    struct tls_server *server = NULL;
    struct tls_client *made = NULL;
    struct fault fault = { 0 };

    assert_int_equal(tls_server_new(&options, &server, &fault), STATUS_CRYPTO);
    assert_non_null(strstr(fault.text, "missing.pem"));
    assert_int_equal(tls_client_new(&client, &made, &fault), STATUS_CRYPTO);
    assert_non_null(strstr(fault.text, "/nonexistent/ca.pem"));
    client = (struct tls_client_options){ 0 };
    assert_int_equal(tls_client_new(&client, &made, &fault), STATUS_INVALID);
    assert_null(server);
    assert_null(made);
}

/* A silent client and one that talks nonsense: dropped in time, nobody else waits. */
static struct echo silent_echo;
static struct timer silent_over;

static void
silent_end(struct timer *timer)
{
    struct listener_stats stats;

    listener_stats(silent_echo.listener, &stats);
    if (stats.failed < 2) {
        timer_arm(lane_current(), timer, 0);
        return;
    }
    listener_close(silent_echo.listener);
    help_end(lane_current());
}

static void
handshakes_are_limited(void **state)
{
    struct tls_server *server = server_new("server", (struct tls_server_options){ 0 });
    struct lane *lane = help_lane();
    int silent, nonsense;
    char byte;

    silent_echo = (struct echo){ 0 };
    echo_open(&silent_echo, lane, (struct listener_options){ .tls = server, .handshake_ms = 200 });
    silent = raw_connect(listener_port(silent_echo.listener));
    nonsense = raw_connect(listener_port(silent_echo.listener));
    assert_int_equal(send(nonsense, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    silent_over.fire = silent_end;
    timer_arm(lane, &silent_over, 0);
    help_run(lane);
    assert_int_equal(silent_echo.opened, 0);
    assert_int_equal(recv(silent, &byte, 1, 0), 0);
    close(silent);
    close(nonsense);
    help_free(lane);
    tls_server_free(server);
}

static void
nothing_said(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    if (status != STATUS_OK)
        stream_close(stream, NULL, NULL);
}

static void
say_nothing(struct echo *echo, struct stream *stream)
{
    stream_read_start(stream, nothing_said, NULL);
}

static void
a_client_waits_only_so_long(void **state)
{
    struct tls_client *client = client_new("localhost", "ca.pem");
    struct stream_target target = { .tls = client, .timeout_ms = 200 };
    struct call call = { .lane = help_lane(), .rounds = 1 };

    call.echo = (struct echo){ .on_accept = say_nothing, .manual = true };
    echo_open(&call.echo, call.lane, (struct listener_options){ 0 });
    assert_int_equal(ip_parse(SLICE_LITERAL("127.0.0.1"), &target.ip), STATUS_OK);
    target.port = listener_port(call.echo.listener);
    assert_int_equal(stream_connect(call.lane, &target, call_connected, &call, &call.stream),
                     STATUS_OK);
    help_run(call.lane);
    assert_int_equal(call.connected, STATUS_TIMEOUT);
    tls_client_free(client);
    help_free(call.lane);
}

/* A plain stream that asks for TLS, as PostgreSQL does. */
struct upgrade {
    struct call call;
    struct tls_server *server;
    enum status secured;
};

static void
upgrade_secured(struct stream *stream, enum status status, void *context)
{
    struct upgrade *upgrade = context;

    upgrade->secured = status;
    stream_read_start(stream, echo_read, &upgrade->call.echo);
}

static void
upgrade_asked(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct upgrade *upgrade = context;
    struct stream_tls how = { .server = upgrade->server };
    struct slice yes = SLICE_LITERAL("S");

    assert_true(slice_is(bytes, "tls?"));
    stream_read_stop(stream);
    assert_int_equal(stream_write(stream, &yes, 1, NULL, NULL), STREAM_WRITTEN);
    assert_int_equal(stream_secure(stream, &how, upgrade_secured, upgrade), STATUS_OK);
}

static void
upgrade_accept(struct echo *echo, struct stream *stream)
{
    stream_read_start(stream, upgrade_asked, echo->context);
}

static void
upgrade_answered(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct upgrade *upgrade = context;
    struct stream_tls how = { .client = upgrade->call.client };

    assert_true(slice_is(bytes, "S"));
    assert_int_equal(stream_secure(stream, &how, call_connected, &upgrade->call), STATUS_INVALID);
    stream_read_stop(stream);
    assert_int_equal(stream_secure(stream, &how, call_connected, &upgrade->call), STATUS_OK);
}

static void
upgrade_connected(struct stream *stream, enum status status, void *context)
{
    struct slice ask = SLICE_LITERAL("tls?");

    assert_int_equal(status, STATUS_OK);
    assert_int_equal(stream_write(stream, &ask, 1, NULL, NULL), STREAM_WRITTEN);
    stream_read_start(stream, upgrade_answered, context);
}

static void
plain_streams_become_tls(void **state)
{
    struct upgrade upgrade = { .server = server_new("server", (struct tls_server_options){ 0 }),
                               .call = { .size = 50000, .rounds = 1 } };
    struct stream_target target = { 0 };

    upgrade.call.lane = help_lane();
    upgrade.call.client = client_new("localhost", "ca.pem");
    upgrade.call.echo =
        (struct echo){ .on_accept = upgrade_accept, .context = &upgrade, .manual = true };
    echo_open(&upgrade.call.echo, upgrade.call.lane, (struct listener_options){ 0 });
    assert_int_equal(ip_parse(SLICE_LITERAL("127.0.0.1"), &target.ip), STATUS_OK);
    target.port = listener_port(upgrade.call.echo.listener);
    assert_int_equal(stream_connect(upgrade.call.lane, &target, upgrade_connected, &upgrade,
                                    &upgrade.call.stream),
                     STATUS_OK);
    help_run(upgrade.call.lane);
    assert_int_equal(upgrade.secured, STATUS_OK);
    assert_int_equal(upgrade.call.received, 50000);
    assert_int_equal(upgrade.call.end, STATUS_CLOSED);
    tls_client_free(upgrade.call.client);
    tls_server_free(upgrade.server);
    help_free(upgrade.call.lane);
}

static int
make_all(void **state)
{
    make_certificate("ca", NULL, NULL, 10);
    make_certificate("other", NULL, NULL, 10);
    make_certificate("server", "ca", "DNS:localhost,DNS:*.wild.test,IP:127.0.0.1", 10);
    make_certificate("renamed", "ca", "DNS:renamed.test", 10);
    make_certificate("old", "ca", "DNS:localhost", -1);
    make_certificate("client", "ca", "DNS:client.test", 10);
    make_certificate("alone", NULL, "DNS:alone.test", 10);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions),
        cmocka_unit_test(foreign_protocols_are_refused),
        cmocka_unit_test(leaving_without_a_word_is_an_error),
        cmocka_unit_test(client_certificates),
        cmocka_unit_test(names_and_chains_are_verified),
        cmocka_unit_test(large_and_stuttering),
        cmocka_unit_test(sessions_are_resumed),
        cmocka_unit_test(both_ends_name_one_end_point),
        cmocka_unit_test(certificates_are_proven_anew),
        cmocka_unit_test(reload_swaps_or_keeps),
        cmocka_unit_test(bad_files_are_named),
        cmocka_unit_test(handshakes_are_limited),
        cmocka_unit_test(a_client_waits_only_so_long),
        cmocka_unit_test(plain_streams_become_tls),
    };

    return cmocka_run_group_tests(tests, make_all, NULL);
}
