/* Requests through a whole gate with real sockets: what passes, what is refused
 * and how, what is cut, and what the audit says of it. */
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit.h"

enum { OUT_SIZE = 65536 };

static struct kit kit;
static char token[TOKEN_TEXT_SIZE + 1];
static char out[OUT_SIZE];

#define AUTHORIZED "Host: gw\r\nConnection: close\r\nAuthorization: Bearer $\r\n"

static void
expect(const char *what)
{
    if (strstr(out, what) == NULL)
        fail_msg("\"%s\" is not in:\n%s", what, out);
}

static void
expect_none(const char *what)
{
    if (strstr(out, what) != NULL)
        fail_msg("\"%s\" is in:\n%s", what, out);
}

static void
expect_status(unsigned status)
{
    char text[16];

    snprintf(text, sizeof text, "HTTP/1.1 %u ", status);
    if (strncmp(out, text, strlen(text)) != 0)
        fail_msg("not %u:\n%s", status, out);
}

static void
ask(const char *text)
{
    kit_ask(&kit, token, text, out, sizeof out);
}

static void
expect_line(const char *object, const char *decision, int status)
{
    json_t *line = kit_line(&kit, object);

    if (line == NULL)
        fail_msg("no line for %s", object);
    assert_string_equal(json_string_value(json_object_get(line, "decision")), decision);
    assert_int_equal(json_integer_value(json_object_get(line, "status")), status);
    json_decref(line);
}

static void
a_request_passes(void **state)
{
    ask("GET /orders/v1/./a/../pass?q=%2f HTTP/1.1\r\n" AUTHORIZED "X-Writ-Subject: root\r\n\r\n");
    expect_status(200);
    expect("\r\nVia: 1.1 writ\r\n");
    expect("GET /v1/pass?q=%2f HTTP/1.1\r\n");
    expect("X-Writ-Subject: nightly\r\n");
    expect("X-Forwarded-For: 127.0.0.1\r\n");
    expect_none("root");
    expect_none("Bearer");
    expect_none(token);
    expect_line("/v1/pass", "allow", 200);
}

static void
what_is_no_request_leaves_a_line(void **state)
{
    ask("GET /orders/x HTTP/1.1\r\n" AUTHORIZED "Content-Length: 1\r\nContent-Length: 2\r\n\r\n");
    expect_status(400);
    expect_line("-", "deny", 400);
}

static void
a_connection_is_kept(void **state)
{
    int fd = kit_connect(&kit);
    unsigned before = stub_connections();

    for (int i = 0; i < 3; i++) {
        kit_send(fd, "GET /orders/keep HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer %s\r\n\r\n",
                 token);
        assert_true(kit_read_until(fd, "traceparent", out, sizeof out));
        expect_status(200);
    }
    assert_true(stub_connections() - before <= 1);
    close(fd);
}

static void
pipelined_requests_are_answered_in_order(void **state)
{
    int fd = kit_connect(&kit);
    static const char *const format =
        "GET /orders/one HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer %s\r\n\r\n"
        "GET /orders/two HTTP/1.1\r\nHost: gw\r\n\r\n"
        "GET /orders/three HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
        "Authorization: Bearer %s\r\n\r\n";
    char text[1024];

    snprintf(text, sizeof text, format, token, token);
    kit_send(fd, "%s", text);
    kit_read_all(fd, out, sizeof out);
    close(fd);
    const char *one = strstr(out, "GET /one"), *refused = strstr(out, "HTTP/1.1 401");
    const char *three = strstr(out, "GET /three");
    assert_true(one != NULL && refused != NULL && three != NULL && one < refused &&
                refused < three);
}

static void
refusals(void **state)
{
    static const struct {
        const char *text;
        unsigned status;
        const char *holds;
    } rows[] = {
        { "GET /orders/x HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n", 401,
          "WWW-Authenticate: Bearer realm=\"writ\"\r\n" },
        { "GET /orders/x HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
          "Authorization: Bearer writ_nonsense\r\n\r\n",
          401, "error=\"invalid_token\"" },
        { "GET /orders/x HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
          "Authorization: Basic YTpi\r\n\r\n",
          401, "token-required" },
        { "GET /orders/x HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
          "Authorization: DPoP $\r\n\r\n",
          401, "WWW-Authenticate: DPoP realm" },
        { "GET /nowhere/x HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n", 401, "Bearer" },
        { "GET /nowhere/x HTTP/1.1\r\n" AUTHORIZED "\r\n", 404, "unknown-upstream" },
        { "DELETE /orders/v1/42 HTTP/1.1\r\n" AUTHORIZED "\r\n", 403,
          "scope=\"orders:DELETE:/v1/42\"" },
        { "DELETE /orders/v1/42 HTTP/1.1\r\n" AUTHORIZED "\r\n", 403,
          "\"right\":\"orders:DELETE:/v1/42\"" },
        { "GET /orders/secret/x HTTP/1.1\r\n" AUTHORIZED "\r\n", 403, "orders:*:/secret/**" },
        { "GET /orders/a/..%2fsecret HTTP/1.1\r\n" AUTHORIZED "\r\n", 400, "malformed-request" },
        { "GET /orders/x?t=$ HTTP/1.1\r\n" AUTHORIZED "\r\n", 400, "misplaced-token" },
        { "GET /orders/x HTTP/1.1\r\n" AUTHORIZED "Authorization: Bearer $\r\n\r\n", 400,
          "several credentials" },
        { "TRACE /orders/x HTTP/1.1\r\n" AUTHORIZED "\r\n", 405, "Allow: " },
        { "GET /keyed/x HTTP/1.1\r\nHost: gw\r\nConnection: close\r\nX-Api-Key: $\r\n\r\n", 200,
          "GET /x" },
        { "GET /keyed/x HTTP/1.1\r\n" AUTHORIZED "X-Api-Key: $\r\n\r\n", 400, "two credentials" },
        { "GET /dead/x HTTP/1.1\r\n" AUTHORIZED "\r\n", 502, "upstream-failed" },
        { "GET /self/x HTTP/1.1\r\n" AUTHORIZED "\r\n", 502, "not one to speak to" },
        { "GET /orders/bad HTTP/1.1\r\n" AUTHORIZED "\r\n", 502, "malformed" },
        { "GET /check?upstream=orders HTTP/1.1\r\n" AUTHORIZED "\r\n", 403, "trusted_proxies" },
        { "GET /healthz HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n", 200, "ok" },
        { "GET /metrics HTTP/1.1\r\n" AUTHORIZED "\r\n", 404, "unknown-upstream" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ask(rows[i].text);

        expect_status(rows[i].status);
        expect(rows[i].holds);
        expect_none(token);
    }
    expect_line("/v1/42", "deny", 403);
    expect_line("/secret/x", "deny", 403);
}

static void
answers_are_rewritten(void **state)
{
    ask("GET /orders/moved HTTP/1.1\r\n" AUTHORIZED "\r\n");
    expect_status(302);
    expect("Location: /orders/there?a\r\n");
    expect("Set-Cookie: a=b; Path=/orders\r\n");
    ask("GET /orders/hints HTTP/1.1\r\n" AUTHORIZED "\r\n");
    expect_status(103);
    expect("Link: </a>");
    expect("HTTP/1.1 200 OK");
    ask("HEAD /orders/head HTTP/1.1\r\n" AUTHORIZED "\r\n");
    expect_status(200);
    expect("Content-Length: 42\r\n");
    ask("GET /orders/short HTTP/1.1\r\n" AUTHORIZED "\r\n");
    expect("Content-Length: 100\r\n"); /* and the connection ended before they came */
    expect_line("/short", "allow", 200);
}

static void
bodies_pass(void **state)
{
    int fd = kit_connect(&kit);
    static char block[65536];

    kit_send(fd,
             "POST /orders/sink HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
             "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n",
             token, 64 * sizeof block);
    for (int i = 0; i < 64; i++) {
        for (size_t sent = 0; sent < sizeof block;) {
            ssize_t went = send(fd, block + sent, sizeof block - sent, MSG_NOSIGNAL);
            assert_true(went > 0);
            sent += (size_t)went;
        }
    }
    kit_read_all(fd, out, sizeof out);
    close(fd);
    expect_status(200);
    expect("\r\n\r\n4194304");

    ask("POST /orders/chunked HTTP/1.1\r\n" AUTHORIZED
        "Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\n\r\n");
    expect_status(200);
    expect("Transfer-Encoding: chunked\r\n");
    ask("POST /orders/early HTTP/1.1\r\n" AUTHORIZED "Content-Length: 100000\r\n\r\nab");
    expect_status(413);
    expect("big");
}

static void
a_big_answer_is_held_back(void **state)
{
    int fd = kit_connect(&kit);
    size_t total = 0;
    ssize_t got;

    kit_send(fd,
             "GET /orders/big HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
             "Authorization: Bearer %s\r\n\r\n",
             token);
    usleep(200000); /* the client is slow: the gate must wait with it */
    while ((got = recv(fd, out, sizeof out, 0)) > 0)
        total += (size_t)got;
    close(fd);
    assert_true(total > 8 << 20);
}

static void
the_body_is_asked_for_after_the_decision(void **state)
{
    int fd = kit_connect(&kit);

    kit_send(fd,
             "POST /orders/sink HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
             "Authorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
             token);
    assert_true(kit_read_until(fd, "\r\n\r\n", out, sizeof out));
    expect_status(100);
    kit_send(fd, "abc");
    kit_read_all(fd, out, sizeof out);
    expect_status(200);
    close(fd);

    fd = kit_connect(&kit);
    kit_send(fd,
             "DELETE /orders/x HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
             "Authorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
             token);
    kit_read_all(fd, out, sizeof out);
    expect_status(403);
    close(fd);
}

/* Sends the request, waits for the text, revokes the token, and measures in ms. */
static int
time_to_end(const char *request, const char *until, unsigned number)
{
    char mine[TOKEN_TEXT_SIZE + 1];
    struct timespec from, to;
    int fd = kit_connect(&kit);

    kit_issue(&kit, number, 0, "", mine);
    kit_send(fd, "%sAuthorization: Bearer %s\r\n\r\n", request, mine);
    assert_true(kit_read_until(fd, until, out, sizeof out));
    kit_change(&kit, about(CHANGE_LINE_REVOKED, number, clock_wall_ms()));
    clock_gettime(CLOCK_MONOTONIC, &from);
    kit_read_all(fd, out, sizeof out);
    clock_gettime(CLOCK_MONOTONIC, &to);
    close(fd);
    return (int)((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000);
}

static void
revocation_cuts_what_is_open(void **state)
{
    int stream = time_to_end("GET /orders/stream HTTP/1.1\r\nHost: gw\r\n", "tick", 100);
    int tunnel = time_to_end("GET /orders/upgrade HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\n"
                             "Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n",
                             "hello", 101);
    assert_true(stream < 100 && tunnel < 100);
    int silent = time_to_end("POST /orders/sink HTTP/1.1\r\nHost: gw\r\nContent-Length: 10\r\n"
                             "Expect: 100-continue\r\n",
                             "100 Continue", 102);
    assert_true(silent < 100);
    expect_line("/stream", "allow", 200);
    expect_line("/upgrade", "allow", 101);
}

static void
a_role_that_loses_a_right_cuts_too(void **state)
{
    int fd = kit_connect(&kit);

    kit_send(fd, "GET /orders/stream HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer %s\r\n\r\n",
             token);
    assert_true(kit_read_until(fd, "tick", out, sizeof out));
    kit_change(&kit, object(CHANGE_SUBJECT_PUT, "nightly", "{\"type\":\"service\",\"roles\":[]}"));
    kit_read_all(fd, out, sizeof out);
    close(fd);
    ask("GET /orders/x HTTP/1.1\r\n" AUTHORIZED "\r\n");
    expect_status(403);
    kit_change(&kit, object(CHANGE_SUBJECT_PUT, "nightly",
                            "{\"type\":\"service\",\"roles\":[\"support\"]}"));
    ask("GET /orders/x HTTP/1.1\r\n" AUTHORIZED "\r\n");
    expect_status(200);
}

static void
an_upstream_that_is_dropped_cuts_too(void **state)
{
    int fd = kit_connect(&kit);

    kit_send(fd, "GET /keyed/stream HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer %s\r\n\r\n",
             token);
    assert_true(kit_read_until(fd, "tick", out, sizeof out));
    kit_change(&kit, object(CHANGE_UPSTREAM_DROPPED, "keyed", NULL));
    kit_read_all(fd, out, sizeof out);
    close(fd);
    ask("GET /keyed/x HTTP/1.1\r\n" AUTHORIZED "\r\n");
    expect_status(404);
}

static void
an_upgrade_is_a_tunnel(void **state)
{
    int fd = kit_connect(&kit);

    kit_send(fd,
             "GET /orders/upgrade HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\n"
             "Upgrade: websocket\r\nAuthorization: Bearer %s\r\n\r\nearly",
             token);
    assert_true(kit_read_until(fd, "helloearly", out, sizeof out));
    expect_status(101);
    expect("Upgrade: websocket\r\n");
    kit_send(fd, "later");
    assert_true(kit_read_until(fd, "later", out, sizeof out));
    shutdown(fd, SHUT_WR);
    assert_int_equal(kit_read_all(fd, out, sizeof out), 0);
    close(fd);
    ask("GET /orders/upgraded/not HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade, close\r\n"
        "Upgrade: h2c\r\nAuthorization: Bearer $\r\n\r\n");
    expect_none("Upgrade: h2c");
}

static void
uses_run_out(void **state)
{
    char mine[TOKEN_TEXT_SIZE + 1];
    static const char *const text = "GET /orders/uses HTTP/1.1\r\n" AUTHORIZED "\r\n";

    kit_issue(&kit, 110, 2, "", mine);
    for (int i = 0; i < 3; i++) {
        kit_ask(&kit, mine, text, out, sizeof out);
        expect_status(i < 2 ? 200 : 401);
    }
    kit_issue(&kit, 111, 1, "", mine);
    for (int i = 0; i < 2; i++) {
        kit_ask(&kit, mine, text, out, sizeof out);
        expect_status(i < 1 ? 200 : 401);
    }
    assert_int_equal(atomic_load(&kit.claims), 1);
    /* A refused request takes no use. */
    kit_issue(&kit, 112, 1, "", mine);
    kit_ask(&kit, mine, "DELETE /orders/x HTTP/1.1\r\n" AUTHORIZED "\r\n", out, sizeof out);
    expect_status(403);
    kit_ask(&kit, mine, text, out, sizeof out);
    expect_status(200);
}

/* The stream took the last use, and goes on when something else changes. */
static void
a_last_use_may_go_on(void **state)
{
    char mine[TOKEN_TEXT_SIZE + 1];
    int fd = kit_connect(&kit);

    kit_issue(&kit, 120, 1, "", mine);
    kit_send(fd, "GET /orders/stream HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer %s\r\n\r\n",
             mine);
    assert_true(kit_read_until(fd, "tick", out, sizeof out));
    kit_change(&kit, object(CHANGE_ROLE_PUT, "other", "{}"));
    assert_true(kit_read_until(fd, "tick", out, sizeof out));
    kit_change(&kit, about(CHANGE_LINE_REVOKED, 120, clock_wall_ms()));
    kit_read_all(fd, out, sizeof out);
    close(fd);
}

static void
rates_are_held(void **state)
{
    ask("GET /limited/x HTTP/1.1\r\n" AUTHORIZED "\r\n");
    expect_status(200);
    ask("GET /limited/x HTTP/1.1\r\n" AUTHORIZED "\r\n");
    expect_status(429);
    expect("Retry-After: ");
}

static void
check_from(const char *address, const char *fields)
{
    int fd = kit_connect_from(&kit, address);

    kit_send(fd,
             "GET /check?upstream=orders HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
             "Authorization: Bearer %s\r\n%s\r\n",
             token, fields);
    kit_read_all(fd, out, sizeof out);
    close(fd);
}

static void
a_trusted_proxy_may_check(void **state)
{
    check_from("127.0.0.2", "X-Original-Method: GET\r\nX-Original-URI: /v1/checked?a\r\n");
    expect_status(200);
    expect("X-Writ-Subject: nightly\r\n");
    expect("X-Writ-Role: support\r\n");
    expect("X-Writ-Right: orders:GET|HEAD|POST|PUT:/**\r\n");
    expect_line("/v1/checked", "allow", 200);
    check_from("127.0.0.2", "X-Forwarded-Method: DELETE\r\nX-Forwarded-Uri: /v1/x\r\n");
    expect_status(403);
    expect("scope=\"orders:DELETE:/v1/x\"");
    check_from("127.0.0.2", "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /a%2fb\r\n");
    expect_status(403);
    check_from("127.0.0.2", "X-Original-Method: GET\r\nX-Original-URI: /v1/x\r\n"
                            "X-Forwarded-Uri: /secret/x\r\n");
    expect_status(403);
    check_from("127.0.0.2", "X-Original-Method: GET\r\n");
    expect_status(400);
    check_from("127.0.0.1", "X-Original-Method: GET\r\nX-Original-URI: /v1/x\r\n");
    expect_status(403);
}

static void
a_client_that_leaves_ends_the_exchange(void **state)
{
    int fd = kit_connect(&kit);

    kit_send(fd, "GET /orders/silent/gone HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer %s\r\n\r\n",
             token);
    usleep(50000);
    struct linger hard = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    usleep(100000);
    expect_line("/silent/gone", "allow", 499);
}

static void
numbers_are_true(void **state)
{
    struct gateway_stats stats;
    uint64_t counted = 0;

    gateway_stats(kit.gateway, &stats);
    for (size_t i = 0; i < 16; i++)
        counted += stats.latency_us_buckets[i];
    assert_true(stats.allowed > 0 && counted <= stats.allowed);
    assert_true(stats.unauthenticated > 0 && stats.malformed > 0 && stats.refused > 0);
    assert_true(stats.limited == 1 && stats.sessions_cut >= 4);
    assert_true(stats.bytes_out > 8 << 20 && stats.connections_total > 20);
}

/* The last one: nothing is accepted after it. */
static void
draining_lets_finish_and_then_cuts(void **state)
{
    int stream = kit_connect(&kit), quick = kit_connect(&kit);
    struct timespec from, to;

    kit_send(stream, "GET /orders/stream HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer %s\r\n\r\n",
             token);
    assert_true(kit_read_until(stream, "tick", out, sizeof out));
    kit_send(quick,
             "POST /orders/sink HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer %s\r\n"
             "Content-Length: 3\r\n\r\n",
             token);
    usleep(50000);
    clock_gettime(CLOCK_MONOTONIC, &from);
    gateway_drain(kit.gateway, 300);
    usleep(50000);
    kit_send(quick, "abc");
    kit_read_all(quick, out, sizeof out);
    expect_status(200);
    expect("Connection: close\r\n");
    kit_read_all(stream, out, sizeof out);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec < 3);
    for (int i = 0; i < 3000 && !gateway_drained(kit.gateway); i++)
        usleep(1000);
    assert_true(gateway_drained(kit.gateway));
    close(stream);
    close(quick);
}

static int
open_kit(void **state)
{
    alarm(60);
    kit_open(&kit);
    kit_issue(&kit, 1, 0, "", token);
    return 0;
}

static int
close_kit(void **state)
{
    kit_close(&kit);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_passes),
        cmocka_unit_test(what_is_no_request_leaves_a_line),
        cmocka_unit_test(a_connection_is_kept),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(refusals),
        cmocka_unit_test(answers_are_rewritten),
        cmocka_unit_test(bodies_pass),
        cmocka_unit_test(a_big_answer_is_held_back),
        cmocka_unit_test(the_body_is_asked_for_after_the_decision),
        cmocka_unit_test(revocation_cuts_what_is_open),
        cmocka_unit_test(a_role_that_loses_a_right_cuts_too),
        cmocka_unit_test(an_upstream_that_is_dropped_cuts_too),
        cmocka_unit_test(an_upgrade_is_a_tunnel),
        cmocka_unit_test(uses_run_out),
        cmocka_unit_test(a_last_use_may_go_on),
        cmocka_unit_test(rates_are_held),
        cmocka_unit_test(a_trusted_proxy_may_check),
        cmocka_unit_test(a_client_that_leaves_ends_the_exchange),
        cmocka_unit_test(numbers_are_true),
        cmocka_unit_test(draining_lets_finish_and_then_cuts),
    };
    return cmocka_run_group_tests(tests, open_kit, close_kit);
}
