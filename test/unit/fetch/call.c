/* fetch/call - one call to a server that answers in a set way: what is sent, and the bounds on
 * what comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "fetch/fetch.h"

/* Answers each connection with the same text, once what was sent holds `awaited`. */
struct server {
    int listener;
    uint16_t port;
    pthread_t thread;
    const char *answer;  /* NULL: says nothing */
    const char *awaited; /* NULL: the end of the head */
    bool endless;        /* the answer's body goes on until the client leaves */
    atomic_int calls;
    char seen[4096];
};

static void
pour(int peer)
{
    char block[4096];

    memset(block, 'x', sizeof block);
    while (send(peer, block, sizeof block, MSG_NOSIGNAL) > 0)
        ;
}

static void
serve_one(struct server *server, int peer)
{
    const char *awaited = server->awaited == NULL ? "\r\n\r\n" : server->awaited;
    size_t size = 0;

    atomic_fetch_add(&server->calls, 1);
    server->seen[0] = '\0';
    while (size < sizeof server->seen - 1 && strstr(server->seen, awaited) == NULL) {
        ssize_t got = recv(peer, server->seen + size, sizeof server->seen - 1 - size, 0);

        if (got <= 0)
            return;
        size += (size_t)got;
        server->seen[size] = '\0';
    }
    if (server->answer != NULL)
        (void)!send(peer, server->answer, strlen(server->answer), MSG_NOSIGNAL);
    else
        (void)recv(peer, &(char){ 0 }, 1, 0); /* until the client has enough */
    if (server->endless)
        pour(peer);
}

static void *
serve(void *context)
{
    struct server *server = context;
    int peer;

    while ((peer = accept(server->listener, NULL, NULL)) >= 0) {
        serve_one(server, peer);
        close(peer);
    }
    return NULL;
}

static void
server_start(struct server *server)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof at;

    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&at, &size), 0);
    server->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void
server_stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
}

static struct own nobody;

static struct fetcher *
fetcher_of(const struct own *own)
{
    struct fault fault = { 0 };
    struct fetcher *fetcher = NULL;

    assert_int_equal(
        fetcher_new(&(struct fetch_options){ .own = own, .whole_ms = 500 }, &fetcher, &fault),
        STATUS_OK);
    return fetcher;
}

static const char *
url_of(const struct server *server)
{
    static char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%u/hook?a=b", server->port);
    return url;
}

static enum status
call(const struct server *server, struct slice body, struct buffer *into, unsigned *code)
{
    static const char *const fields[] = { "Content-Type: application/json", "webhook-id: 1" };
    struct fetcher *fetcher = fetcher_of(&nobody);
    struct fault fault = { 0 };
    enum status status = fetch_call(
        fetcher, &(struct fetch_request){ url_of(server), fields, 2, body, into }, code, &fault);

    if (status != STATUS_OK && strstr(fault.text, "hook") != NULL)
        fail_msg("the fault names the URL: %s", fault.text);
    if ((status == STATUS_OK) != (fault.text[0] == '\0'))
        fail_msg("%s: %s", status_name(status), fault.text);
    fetcher_free(fetcher);
    return status;
}

static void
posts(void **state)
{
    struct server server = { .answer = "HTTP/1.1 204 No Content\r\n\r\n", .awaited = "{\"a\":1}" };
    unsigned code = 0;

    server_start(&server);
    assert_int_equal(call(&server, SLICE_LITERAL("{\"a\":1}"), NULL, &code), STATUS_OK);
    server_stop(&server);
    assert_int_equal(code, 204);
    assert_non_null(strstr(server.seen, "POST /hook?a=b HTTP/1.1\r\n"));
    assert_non_null(strstr(server.seen, "Content-Type: application/json\r\nwebhook-id: 1\r\n"));
    assert_non_null(strstr(server.seen, "Content-Length: 7\r\n"));
}

static void
gets(void **state)
{
    struct server server = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" };
    struct buffer body = BUFFER_LIMITED(5), small = BUFFER_LIMITED(4);
    unsigned code = 0;

    server_start(&server);
    assert_int_equal(call(&server, slice_of(NULL, 0), &body, &code), STATUS_OK);
    assert_int_equal(code, 200);
    assert_true(slice_is(buffer_slice(&body), "hello"));
    assert_int_equal(call(&server, slice_of(NULL, 0), &small, &code), STATUS_TOO_LARGE);
    server_stop(&server);
    assert_non_null(strstr(server.seen, "GET /hook?a=b HTTP/1.1\r\n"));
    buffer_free(&body);
    buffer_free(&small);
}

static void
follows_nothing(void **state)
{
    struct server other = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
    struct server server = { 0 };
    unsigned code = 0;
    char answer[160];

    server_start(&other);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:%u/\r\n"
             "Content-Length: 0\r\n\r\n",
             other.port);
    server.answer = answer;
    server_start(&server);
    assert_int_equal(call(&server, SLICE_LITERAL("{}"), NULL, &code), STATUS_OK);
    assert_int_equal(code, 307);
    server_stop(&server);
    server_stop(&other);
    assert_int_equal(atomic_load(&other.calls), 0);
}

static void
asks_no_proxy(void **state)
{
    struct server server = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
    struct server proxy = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
    unsigned code = 0;
    char url[64];

    server_start(&server);
    server_start(&proxy);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", proxy.port);
    setenv("http_proxy", url, 1);
    setenv("all_proxy", url, 1);
    assert_int_equal(call(&server, SLICE_LITERAL("{}"), NULL, &code), STATUS_OK);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    server_stop(&server);
    server_stop(&proxy);
    assert_int_equal(atomic_load(&server.calls), 1);
    assert_int_equal(atomic_load(&proxy.calls), 0);
}

static void
waits_no_longer(void **state)
{
    struct server server = { 0 };
    uint64_t before = clock_mono_us();
    unsigned code = 0;

    server_start(&server);
    assert_int_equal(call(&server, SLICE_LITERAL("{}"), NULL, &code), STATUS_TIMEOUT);
    server_stop(&server);
    assert_true(clock_mono_us() - before < 5000000);
}

static void
ignores_what_goes_on(void **state)
{
    struct server server = { .answer = "HTTP/1.1 200 OK\r\n\r\n", .endless = true };
    unsigned code = 0;

    server_start(&server);
    assert_int_equal(call(&server, SLICE_LITERAL("{}"), NULL, &code), STATUS_OK);
    server_stop(&server);
    assert_int_equal(code, 200);
}

static void
never_to_itself(void **state)
{
    struct server server = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
    struct own own = { 0 };
    struct fault fault = { 0 };
    struct fetcher *fetcher;
    unsigned code = 0;
    char text[32], url[64];

    server_start(&server);
    snprintf(text, sizeof text, "127.0.0.1:%u", server.port);
    snprintf(url, sizeof url, "http://localhost:%u/", server.port);
    assert_int_equal(own_add(&own, slice_text(text)), STATUS_OK);
    fetcher = fetcher_of(&own);
    assert_int_equal(fetch_call(fetcher, &(struct fetch_request){ .url = url }, &code, &fault),
                     STATUS_DENIED);
    assert_non_null(strstr(fault.text, "this process itself listens on"));
    fetcher_free(fetcher);
    server_stop(&server);
    own_free(&own);
    assert_int_equal(atomic_load(&server.calls), 0);
}

static void
never_to_metadata(void **state)
{
    struct fault fault = { 0 };
    struct fetcher *fetcher;
    unsigned code = 0;

    assert_int_equal(
        fetcher_new(&(struct fetch_options){ .own = &nobody, .insecure = true }, &fetcher, &fault),
        STATUS_OK);
    assert_int_equal(fetch_call(fetcher,
                                &(struct fetch_request){ .url = "http://0xa9fea9fe/latest" }, &code,
                                &fault),
                     STATUS_DENIED);
    assert_non_null(strstr(fault.text, "169.254.169.254 port 80 is link-local"));
    fetcher_free(fetcher);
}

static void *
stop_soon(void *fetcher)
{
    usleep(50000);
    fetcher_stop(fetcher);
    return NULL;
}

static void
stops_at_once(void **state)
{
    struct server server = { 0 };
    struct fault fault = { 0 };
    struct fetcher *fetcher;
    uint64_t before = clock_mono_us();
    unsigned code = 0;
    pthread_t thread;

    server_start(&server);
    assert_int_equal(fetcher_new(&(struct fetch_options){ .own = &nobody }, &fetcher, &fault),
                     STATUS_OK);
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, fetcher), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            fetch_call(fetcher, &(struct fetch_request){ .url = url_of(&server) }, &code, &fault),
            STATUS_CLOSED);
    assert_true(clock_mono_us() - before < 2000000);
    pthread_join(thread, NULL);
    fetcher_free(fetcher);
    server_stop(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts),           cmocka_unit_test(gets),
        cmocka_unit_test(follows_nothing), cmocka_unit_test(asks_no_proxy),
        cmocka_unit_test(waits_no_longer), cmocka_unit_test(ignores_what_goes_on),
        cmocka_unit_test(never_to_itself), cmocka_unit_test(never_to_metadata),
        cmocka_unit_test(stops_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
