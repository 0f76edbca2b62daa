/* What a right lets be open at once, and move in a time, through a whole gate: it is held, and
 * given back whatever ends the call. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit.h"

enum { OUT_SIZE = 65536, CALLS = 2 };

static struct kit kit;
static char token[TOKEN_TEXT_SIZE + 1], other[TOKEN_TEXT_SIZE + 1];
static char out[OUT_SIZE];

#define AUTHORIZED "Host: gw\r\nConnection: close\r\nAuthorization: Bearer $\r\n"

/* At orders two at once of streams, one of others; at keyed 5 MiB an hour, at dead one at once, at
 * limited half a KiB an hour. What two rights cover is held by both. */
static const char *const role =
    "{\"allow\":["
    "{\"right\":\"orders:GET|POST:/stream/**\",\"when\":{\"max_concurrent\":2}},"
    "{\"right\":\"orders:GET:/stream/tight\",\"when\":{\"max_concurrent\":1}},"
    "{\"right\":\"orders:GET:/silent\",\"when\":{\"max_concurrent\":1}},"
    "{\"right\":\"orders:GET:/upgrade\",\"when\":{\"max_concurrent\":1}},"
    "{\"right\":\"orders:GET:/short\",\"when\":{\"max_concurrent\":1}},"
    "{\"right\":\"dead:GET:/**\",\"when\":{\"max_concurrent\":1}},"
    "{\"right\":\"keyed:GET:/**\",\"when\":{\"max_bytes\":\"5MiB/1h\"}},"
    "{\"right\":\"limited:GET:/**\",\"when\":{\"max_bytes\":\"512B/h\"}}]}";

static void
put_role(const char *text)
{
    kit_change(&kit, object(CHANGE_ROLE_PUT, "support", text));
}

static void
expect(const char *what)
{
    if (strstr(out, what) == NULL)
        fail_msg("\"%s\" is not in:\n%s", what, out);
}

static void
ask(const char *text, unsigned status)
{
    char start[16];

    kit_ask(&kit, token, text, out, sizeof out);
    snprintf(start, sizeof start, "HTTP/1.1 %u ", status);
    if (strncmp(out, start, strlen(start)) != 0)
        fail_msg("not %u: %s\n%s", status, text, out);
}

/* Opens a call that stays. */
static int
stay(const char *path, const char *whose)
{
    int fd = kit_connect(&kit);

    kit_send(fd, "GET %s HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer %s\r\n\r\n", path, whose);
    return fd;
}

static int
stay_streaming(const char *path, const char *whose)
{
    int fd = stay(path, whose);

    assert_true(kit_read_until(fd, "tick", out, sizeof out));
    return fd;
}

/* A reset, so that the gateway learns of it at once. */
static void
leave(int fd)
{
    struct linger hard = { 1, 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    usleep(100000);
}

static void
calls_at_once_are_counted(void **state)
{
    int calls[CALLS];

    for (int i = 0; i < CALLS; i++)
        calls[i] = stay_streaming("/orders/stream/a", token);
    ask("GET /orders/stream/b HTTP/1.1\r\n" AUTHORIZED "\r\n", 429);
    expect("Retry-After: 1\r\n");
    expect("max_concurrent");
    json_t *line = kit_line(&kit, "/stream/b");
    assert_string_equal(json_string_value(json_object_get(line, "decision")), "deny");
    assert_int_equal(json_integer_value(json_object_get(line, "status")), 429);
    json_decref(line);
    /* Another token has its own. */
    int theirs = stay_streaming("/orders/stream/a", other);
    leave(theirs);
    /* The client of one leaves. */
    leave(calls[0]);
    calls[0] = stay_streaming("/orders/stream/a", token);
    ask("GET /orders/stream/b HTTP/1.1\r\n" AUTHORIZED "\r\n", 429);
    for (int i = 0; i < CALLS; i++)
        leave(calls[i]);
}

/* Neither right frees from the other's limit. */
static void
the_limits_of_all_rights_hold(void **state)
{
    int tight = stay_streaming("/orders/stream/tight", token);

    ask("GET /orders/stream/tight HTTP/1.1\r\n" AUTHORIZED "\r\n", 429);
    int wide = stay_streaming("/orders/stream/a", token);
    ask("GET /orders/stream/b HTTP/1.1\r\n" AUTHORIZED "\r\n", 429);
    leave(tight);
    ask("GET /orders/stream/tight HTTP/1.1\r\nX: $\r\n" AUTHORIZED "\r\n", 400);
    tight = stay_streaming("/orders/stream/tight", token);
    leave(tight);
    leave(wide);
}

static void
each_end_gives_back(void **state)
{
    for (int i = 0; i < 3; i++) {
        ask("GET /dead/x HTTP/1.1\r\n" AUTHORIZED "\r\n", 502);
        ask("GET /orders/short HTTP/1.1\r\n" AUTHORIZED "\r\n", 200); /* broken off */
        leave(stay("/orders/silent", token));                         /* before an answer */
    }
    /* A cut: the right goes, and comes again. */
    int calls[CALLS];
    for (int i = 0; i < CALLS; i++)
        calls[i] = stay_streaming("/orders/stream/a", token);
    put_role("{}");
    for (int i = 0; i < CALLS; i++) {
        kit_read_all(calls[i], out, sizeof out);
        close(calls[i]);
    }
    put_role(role);
    for (int i = 0; i < CALLS; i++)
        calls[i] = stay_streaming("/orders/stream/a", token);
    for (int i = 0; i < CALLS; i++)
        leave(calls[i]);
}

static void
an_upgraded_call_is_open_until_it_ends(void **state)
{
    static const char upgrade[] = "GET /orders/upgrade HTTP/1.1\r\nHost: gw\r\n"
                                  "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                  "Authorization: Bearer %s\r\n\r\n";
    int fd = kit_connect(&kit);

    kit_send(fd, upgrade, token);
    assert_true(kit_read_until(fd, "hello", out, sizeof out));
    ask("GET /orders/upgrade HTTP/1.1\r\n" AUTHORIZED "\r\n", 429);
    leave(fd);
    fd = kit_connect(&kit);
    kit_send(fd, upgrade, token);
    assert_true(kit_read_until(fd, "hello", out, sizeof out));
    leave(fd);
}

static void
read_to_the_end(int fd)
{
    static char much[9 << 20];

    kit_read_all(fd, much, sizeof much);
    close(fd);
}

/* 8 MiB of 5: what is under way ends, what comes next is refused. */
static void
bytes_are_counted(void **state)
{
    int fd = kit_connect(&kit);

    ask("GET /keyed/echo HTTP/1.1\r\n" AUTHORIZED "\r\n", 200);
    kit_send(fd,
             "GET /keyed/big HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
             "Authorization: Bearer %s\r\n\r\n",
             token);
    read_to_the_end(fd);
    ask("GET /keyed/echo HTTP/1.1\r\n" AUTHORIZED "\r\n", 429);
    expect("Retry-After: ");
    expect("max_bytes");
    json_t *line = kit_line(&kit, "/big");
    assert_true(json_integer_value(json_object_get(line, "bytes_out")) >= 8 << 20);
    json_decref(line);
}

static void
what_takes_by_far_too_much_is_cut(void **state)
{
    int fd = stay_streaming("/limited/stream", token);
    size_t size = kit_read_all(fd, out, sizeof out);

    close(fd);
    assert_true(size > 512 && size < 10000 * 6);
    ask("GET /limited/echo HTTP/1.1\r\n" AUTHORIZED "\r\n", 429);
}

/* Where the bytes go another way nothing can be counted. */
static void
a_proxy_is_not_told_yes(void **state)
{
    int fd = kit_connect_from(&kit, "127.0.0.2");

    kit_send(fd,
             "GET /check?upstream=orders HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n"
             "Authorization: Bearer %s\r\nX-Original-Method: GET\r\n"
             "X-Original-URI: /stream/x\r\n\r\n",
             token);
    kit_read_all(fd, out, sizeof out);
    close(fd);
    assert_memory_equal(out, "HTTP/1.1 403 ", 13);
    expect("max_concurrent");
}

static int
open_kit(void **state)
{
    kit_open(&kit);
    put_role(role);
    kit_issue(&kit, 1, 0, "", token);
    kit_issue(&kit, 2, 0, "", other);
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
        cmocka_unit_test(calls_at_once_are_counted),
        cmocka_unit_test(the_limits_of_all_rights_hold),
        cmocka_unit_test(each_end_gives_back),
        cmocka_unit_test(an_upgraded_call_is_open_until_it_ends),
        cmocka_unit_test(bytes_are_counted),
        cmocka_unit_test(what_takes_by_far_too_much_is_cut),
        cmocka_unit_test(a_proxy_is_not_told_yes),
    };
    return cmocka_run_group_tests(tests, open_kit, close_kit);
}
