/* The server over real sockets: each row is what a client sends and what must stand
 * in the answer; then slow clients, big answers, upgrades, clients that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "http/api.h"
#include "net/listener.h"
#include "net/timer.h"

enum { BIG = 24 * 1024 * 1024 };

static struct lane *lane;
static struct http_server *server, *api_server;
static struct listener *listener, *api_listener;
static uint16_t port, api_port;
static atomic_uint gone, ended, requests, refused;
static atomic_int gone_status;
static size_t big_left;

struct later {
    struct lane_message message;
    struct http_call *call;
};

static void
answer_later(struct lane_message *message)
{
    struct later *later = LANE_OWNER(message, struct later, message);

    http_respond(later->call, 200, NULL, 0, SLICE_LITERAL("later"));
}

static void
send_big(struct http_call *call)
{
    static char block[65536];

    while (big_left > 0) {
        size_t size = big_left < sizeof block ? big_left : sizeof block;
        enum http_flow flow;

        memset(block, 'x', sizeof block);
        flow = http_answer_body(call, slice_of(block, size), false);
        if (flow == HTTP_FLOW_GONE)
            return;
        big_left -= size;
        if (flow == HTTP_FLOW_FULL)
            return;
    }
    http_answer_end(call, (struct slice){ 0 });
}

static void
upgraded_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    if (status != STATUS_OK || stream_write(stream, &bytes, 1, NULL, NULL) == STREAM_BROKEN)
        stream_close(stream, NULL, NULL);
}

static void
upgrade(struct http_call *call)
{
    struct slice pending;
    struct stream *stream;

    http_put_header(http_answer_begin(call, 101), SLICE_LITERAL("Upgrade"), SLICE_LITERAL("echo"));
    stream = http_call_upgrade(call, &pending);
    if (stream == NULL)
        return;
    stream_read_start(stream, upgraded_read, NULL);
    if (pending.size > 0)
        upgraded_read(stream, STATUS_OK, pending, NULL);
}

static void
on_request(struct http_call *call, bool more, void *context)
{
    const struct http_head *head = http_call_head(call);
    struct slice path = http_head_path(head);

    atomic_fetch_add(&requests, 1);
    if (slice_is(path, "/hello")) {
        http_respond(call, 200, NULL, 0, SLICE_LITERAL("hello"));
    } else if (slice_is(path, "/empty")) {
        http_respond(call, 204, NULL, 0, (struct slice){ 0 });
    } else if (slice_is(path, "/echo")) {
        http_answer_begin(call, 200);
        assert_int_equal(http_answer_head(call, HTTP_BODY_CHUNKED, 0, true), STATUS_OK);
        http_call_resume(call);
    } else if (slice_is(path, "/later")) {
        struct later *later = arena_zeroed(http_call_arena(call), sizeof *later);

        later->call = call;
        later->message.run = answer_later;
        assert_true(lane_post(lane, &later->message));
    } else if (slice_is(path, "/bad")) {
        const struct http_header bad = { SLICE_LITERAL("X"), SLICE_LITERAL("a\r\nY: 1") };

        http_respond(call, 200, &bad, 1, SLICE_LITERAL("hello"));
    } else if (slice_is(path, "/big")) {
        big_left = BIG;
        http_answer_begin(call, 200);
        assert_int_equal(http_answer_head(call, HTTP_BODY_LENGTH, BIG, true), STATUS_OK);
        send_big(call);
    } else if (slice_is(path, "/short")) {
        http_answer_begin(call, 200);
        assert_int_equal(http_answer_head(call, HTTP_BODY_LENGTH, 10, true), STATUS_OK);
        http_answer_body(call, SLICE_LITERAL("12345"), true);
        http_answer_end(call, (struct slice){ 0 });
    } else if (slice_is(path, "/problem")) {
        http_respond_problem(
            call, &(struct http_problem){ .status = 403, .detail = SLICE_LITERAL("why") });
    } else if (slice_is(path, "/upgrade")) {
        upgrade(call);
    } else if (slice_is(path, "/abort")) {
        http_call_abort(call);
    } else if (slice_is(path, "/hang")) {
        http_call_resume(call);
    } else {
        http_respond(call, 404, NULL, 0, (struct slice){ 0 });
    }
}

static void
on_body(struct http_call *call, struct slice bytes, bool more, void *context)
{
    if (slice_is(http_head_path(http_call_head(call)), "/echo"))
        http_answer_body(call, bytes, more);
}

static void
on_body_end(struct http_call *call, struct slice trailers, void *context)
{
    atomic_fetch_add(&ended, 1);
    if (slice_is(http_head_path(http_call_head(call)), "/echo"))
        http_answer_end(call, trailers);
}

static void
on_writable(struct http_call *call, void *context)
{
    send_big(call);
}

static void
on_gone(struct http_call *call, enum status status, void *context)
{
    atomic_store(&gone_status, (int)status);
    atomic_fetch_add(&gone, 1);
}

static void
on_refused(struct stream *stream, const struct http_refusal *why, void *context)
{
    atomic_fetch_add(&refused, 1);
}

static const struct http_handler handler = {
    .request = on_request,
    .body = on_body,
    .body_end = on_body_end,
    .writable = on_writable,
    .gone = on_gone,
    .refused = on_refused,
};

static void
api_request(struct http_call *call, struct slice body, void *context)
{
    http_respond_json(call, 200, json_pack("{s:I}", "size", (json_int_t)body.size));
}

static bool
api_wants_body(struct http_call *call, void *context)
{
    return !slice_is(http_head_path(http_call_head(call)), "/stranger");
}

static struct http_api api = { .body_max = 100,
                               .wants_body = api_wants_body,
                               .request = api_request };

static void
accepted(struct listener *from, struct stream *stream, void *context)
{
    http_server_accept(context, stream);
}

static uint16_t
listen_for(struct http_server *of, struct listener **out)
{
    struct listener_options options = { .address = "127.0.0.1:0",
                                        .accepted = accepted,
                                        .context = of };
    struct fault fault;

    assert_int_equal(listener_open(lane, &options, out, &fault), STATUS_OK);
    return listener_port(*out);
}

static void
on_stop(struct lane *of, void *context)
{
    listener_close(listener);
    listener_close(api_listener);
    http_server_free(server);
    http_server_free(api_server);
}

static int
set_up(void **state)
{
    const struct lane_options options = { .name = "test", .hooks.stop = on_stop };
    const struct http_server_options http = {
        .handler = &handler, .head_ms = 300, .idle_ms = 600, .body_ms = 300, .discard_max = 1000
    };
    const struct http_server_options for_api = { .handler = &http_api_handler,
                                                 .context = &api,
                                                 .half_close = true };

    assert_int_equal(lane_new(&options, &lane), STATUS_OK);
    assert_int_equal(http_server_new(lane, &http, &server), STATUS_OK);
    assert_int_equal(http_server_new(lane, &for_api, &api_server), STATUS_OK);
    port = listen_for(server, &listener);
    api_port = listen_for(api_server, &api_listener);
    return lane_start(lane) == STATUS_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
    lane_stop(lane, 1000);
    lane_join(lane);
    lane_free(lane);
    return 0;
}

static int
dial(uint16_t to)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(to),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void
say(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Reads until `until` stands in it, the end, or silence; true at the end. */
static bool
hear(int fd, char *out, size_t capacity, const char *until, int silence_ms)
{
    size_t size = 0;

    for (;;) {
        struct pollfd one = { .fd = fd, .events = POLLIN };
        ssize_t got;

        out[size] = '\0';
        if (until != NULL && strstr(out, until) != NULL)
            return false;
        if (poll(&one, 1, silence_ms) <= 0)
            return false;
        got = read(fd, out + size, capacity - size - 1);
        if (got <= 0)
            return true;
        size += (size_t)got;
    }
}

#define H   "Host: a\r\n"
#define BYE "GET /hello HTTP/1.1\r\n" H "Connection: close\r\n\r\n"

struct row {
    const char *send;
    const char *want[4]; /* in this order */
    const char *never;
    uint16_t *to;
};

static const struct row rows[] = {
    { BYE,
      { "HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n", "Connection: close\r\n\r\nhello" },
      NULL,
      &port },
    { "GET /hello HTTP/1.0\r\n\r\n",
      { "200 OK", "Connection: close", "\r\n\r\nhello" },
      NULL,
      &port },
    { "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" BYE,
      { "Connection: keep-alive", "hello", "200 OK", "close" },
      NULL,
      &port },
    { "HEAD /hello HTTP/1.1\r\n" H "\r\n" BYE,
      { "Content-Length: 5\r\n\r\nHTTP/1.1 200" },
      NULL,
      &port },
    { "GET /empty HTTP/1.1\r\n" H "\r\n" BYE,
      { "204", "\r\n\r\nHTTP/1.1 200" },
      "Length: 0",
      &port },
    /* pipelined, with one that is answered later */
    { "GET /hello HTTP/1.1\r\n" H "\r\nGET /later HTTP/1.1\r\n" H "\r\n\r\nGET /x HTTP/1.1\r\n" H
      "\r\n" BYE,
      { "hello", "later", "404", "hello" },
      NULL,
      &port },
    { "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc" BYE,
      { "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 200" },
      NULL,
      &port },
    { "POST /echo HTTP/1.1\r\n" H
      "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\nT: 1"
      "\r\n\r\n" BYE,
      { "\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\nHTTP/1.1 200" },
      NULL,
      &port },
    { "POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
      { "Connection: close\r\n\r\nabc" },
      "chunked",
      &port },
    { "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n",
      { "100 Continue\r\n\r\n" },
      NULL,
      &port },
    { "POST /hello HTTP/1.1\r\n" H "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n",
      { "200 OK", "Connection: close" },
      "100 Continue",
      &port },
    /* a body nobody wants: read over, or too long for it */
    { "POST /hello HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc" BYE,
      { "200 OK", "hello", "200 OK" },
      NULL,
      &port },
    { "POST /hello HTTP/1.1\r\n" H "Content-Length: 3000\r\n\r\nabc",
      { "Connection: close" },
      NULL,
      &port },
    { "GET /short HTTP/1.1\r\n" H "\r\n" BYE, { "Content-Length: 10", "12345" }, "hello", &port },
    { "GET /bad HTTP/1.1\r\n" H "\r\n" BYE, { "500", "200 OK" }, "Y: 1", &port },
    { "GET /problem HTTP/1.1\r\n" H "\r\n" BYE,
      { "403", "application/problem+json", "nosniff", "\"detail\":\"why\"" },
      NULL,
      &port },
    { "GET /abort HTTP/1.1\r\n" H "\r\n", { "" }, "HTTP", &port },
    { "GET /upgrade HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: echo\r\n\r\nhi there",
      { "101 Switching Protocols\r\n", "Connection: Upgrade\r\n\r\nhi there" },
      NULL,
      &port },
    /* refused */
    { "GET / HTTP/1.1\r\nHost : a\r\n\r\n" BYE,
      { "400", "problem+json", "Connection: close" },
      "hello",
      &port },
    { "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" BYE,
      { "400" },
      "hello",
      &port },
    { "POST /hang HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nxyz", { "400" }, NULL, &port },
    { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", { "400" }, NULL, &port },
    /* the API */
    { "POST /x HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc",
      { "200 OK", "no-store", "{\"size\":3}" },
      NULL,
      &api_port },
    { "POST /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
      { "{\"size\":5}" },
      NULL,
      &api_port },
    { "GET /x HTTP/1.1\r\n" H "\r\n", { "{\"size\":0}" }, NULL, &api_port },
    /* Answered before its body comes. */
    { "POST /stranger HTTP/1.1\r\n" H "Content-Length: 101\r\n\r\n", { "{\"size\":0}" }, NULL,
      &api_port },
    { "POST /x HTTP/1.1\r\n" H "Content-Length: 101\r\n\r\n", { "413" }, NULL, &api_port },
    { "POST /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n65\r\n"
      "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
      "23456"
      "7890\r\n0\r\n\r\n",
      { "413" },
      NULL,
      &api_port },
};

static void
check(const struct row *row, size_t index, const char *answer)
{
    const char *at = answer;

    for (size_t i = 0; i < 4 && row->want[i] != NULL; i++) {
        const char *found = strstr(at, row->want[i]);

        if (found == NULL)
            fail_msg("row %zu: no \"%s\" in\n%s", index, row->want[i], answer);
        at = found + strlen(row->want[i]);
    }
    if (row->never != NULL && strstr(answer, row->never) != NULL)
        fail_msg("row %zu: \"%s\" in\n%s", index, row->never, answer);
}

static void
answers_each_row(void **state)
{
    static char answer[65536];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = dial(*rows[i].to);

        say(fd, rows[i].send);
        hear(fd, answer, sizeof answer, NULL, 60);
        check(&rows[i], i, answer);
        close(fd);
    }
}

static void
answers_alike_byte_by_byte(void **state)
{
    static const char text[] = "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
                               "2\r\nab\r\n0\r\n\r\n" BYE;
    char answer[4096];
    int fd = dial(port);

    for (size_t i = 0; i < sizeof text - 1; i++) {
        assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        usleep(200);
    }
    assert_true(hear(fd, answer, sizeof answer, NULL, 500));
    assert_non_null(strstr(answer, "1\r\na\r\n1\r\nb\r\n0\r\n\r\nHTTP/1.1 200 OK"));
    assert_non_null(strstr(answer, "hello"));
    close(fd);
}

static void
limits_slow_clients(void **state)
{
    char answer[4096];
    int silent = dial(port), head = dial(port), body = dial(port), idle = dial(port);
    unsigned told = atomic_load(&refused);

    say(head, "GET / HTTP/1.1\r\n");
    say(body, "POST /hang HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nabc");
    say(idle, "GET /hello HTTP/1.1\r\n" H "\r\n");
    assert_true(hear(silent, answer, sizeof answer, NULL, 1500));
    assert_string_equal(answer, "");
    assert_true(hear(head, answer, sizeof answer, NULL, 1500));
    assert_non_null(strstr(answer, " 408 "));
    assert_int_equal(atomic_load(&refused), told + 1);
    assert_true(hear(body, answer, sizeof answer, NULL, 1500));
    assert_non_null(strstr(answer, " 408 "));
    assert_int_equal(atomic_load(&gone_status), STATUS_TIMEOUT);
    assert_true(hear(idle, answer, sizeof answer, NULL, 1500));
    assert_non_null(strstr(answer, "hello"));
    close(silent);
    close(head);
    close(body);
    close(idle);
}

static void
holds_back_a_big_answer(void **state)
{
    static char bytes[65536];
    size_t total = 0;
    int fd = dial(port);
    ssize_t got;

    say(fd, "GET /big HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
    usleep(50000); /* it fills and waits */
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        total += (size_t)got;
    assert_true(total > BIG && total < BIG + 1000);
    close(fd);
}

static void
tells_who_left(void **state)
{
    const char *texts[] = {
        "GET /hang HTTP/1.1\r\n" H "\r\n",
        "POST /hang HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nab",
        "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n2\r\na",
        "GET /big HTTP/1.1\r\n" H "\r\n",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        unsigned before = atomic_load(&gone);
        int fd = dial(port);

        say(fd, texts[i]);
        usleep(30000);
        close(fd);
        for (unsigned turns = 0; turns < 100 && atomic_load(&gone) == before; turns++)
            usleep(10000);
        if (atomic_load(&gone) != before + 1)
            fail_msg("%s: gone was called %u times", texts[i], atomic_load(&gone) - before);
    }
}

static void
bounds_what_waits(void **state)
{
    static char flood[1 << 20];
    int fd = dial(port), small = 4096;
    struct pollfd one = { .fd = fd, .events = POLLOUT };
    size_t total = 0;

    memset(flood, 'x', sizeof flood);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    say(fd, "GET /hang HTTP/1.1\r\n" H "\r\n");
    while (poll(&one, 1, 100) > 0 && total < 64u << 20) {
        ssize_t sent = send(fd, flood, sizeof flood, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent <= 0)
            break;
        total += (size_t)sent;
    }
    assert_true(total < 16u << 20); /* the window closed: only the kernel holds more */
    close(fd);
}

static void
answers_a_half_closed_client(void **state)
{
    char answer[4096];
    int fd = dial(api_port);

    say(fd, "POST /x HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc");
    shutdown(fd, SHUT_WR);
    assert_true(hear(fd, answer, sizeof answer, NULL, 500));
    assert_non_null(strstr(answer, "{\"size\":3}"));
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_each_row),
        cmocka_unit_test(answers_alike_byte_by_byte),
        cmocka_unit_test(limits_slow_clients),
        cmocka_unit_test(holds_back_a_big_answer),
        cmocka_unit_test(tells_who_left),
        cmocka_unit_test(bounds_what_waits),
        cmocka_unit_test(answers_a_half_closed_client),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
