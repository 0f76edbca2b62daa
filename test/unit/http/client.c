/* The client against an upstream that says exactly what each row says; and pauses,
 * retries, fail-over, uploads. What the handler saw is a line of text. */
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
#include <semaphore.h>
#include <sys/socket.h>

#include "http/client.h"

static struct lane *lane;
static struct http_upstream *upstream;
static char seen[65536];
static sem_t over, did;

/* One exchange, started on the lane. */
struct job {
    struct lane_message message;
    const char *method, *body;
    bool chunked, upgrade, pause, abort_on_head, split;
    struct http_exchange *exchange;
};

static void WRIT_PRINTF(1, 2)
note(const char *format, ...)
{
    size_t size = strlen(seen);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(seen + size, sizeof seen - size, format, arguments);
    va_end(arguments);
}

static void
on_informational(struct http_exchange *exchange, const struct http_head *head, void *context)
{
    note("i%u ", (unsigned)head->status);
}

static void
on_head(struct http_exchange *exchange, const struct http_head *head, bool more, void *context)
{
    struct job *job = context;

    note("h%u%s ", (unsigned)head->status, more ? "+" : "");
    if (job->abort_on_head) {
        http_exchange_abort(exchange);
        sem_post(&over);
    } else if (job->pause) {
        http_exchange_pause(exchange);
    }
}

static void
on_body(struct http_exchange *exchange, struct slice bytes, bool more, void *context)
{
    note("%.*s%s ", SLICE_PRINT(bytes), more ? "+" : "");
}

static void
on_end(struct http_exchange *exchange, struct slice trailers, void *context)
{
    note("end%s%.*s", trailers.size > 0 ? " " : "", SLICE_PRINT(trailers));
    sem_post(&over);
}

static void
on_upgraded(struct http_exchange *exchange, const struct http_head *head, struct stream *stream,
            struct slice pending, void *context)
{
    note("up %.*s", SLICE_PRINT(pending));
    stream_close(stream, NULL, NULL);
    sem_post(&over);
}

static void
on_failed(struct http_exchange *exchange, enum status status, const char *why, void *context)
{
    note("failed %s", status_name(status));
    sem_post(&over);
}

static const struct http_exchange_handler handler = {
    .informational = on_informational,
    .head = on_head,
    .body = on_body,
    .end = on_end,
    .upgraded = on_upgraded,
    .failed = on_failed,
};

static void
run_job(struct lane_message *message)
{
    struct job *job = LANE_OWNER(message, struct job, message);
    struct slice body = slice_text(job->body);
    enum http_body kind = job->body == NULL ? HTTP_BODY_NONE
                          : job->chunked    ? HTTP_BODY_CHUNKED
                                            : HTTP_BODY_LENGTH;

    job->exchange = http_exchange_begin(upstream, slice_text(job->method), SLICE_LITERAL("/p?q"),
                                        &handler, job);
    http_put_header(http_exchange_out(job->exchange), SLICE_LITERAL("Host"), SLICE_LITERAL("u"));
    assert_int_equal(http_exchange_send(job->exchange, kind, body.size,
                                        (job->body != NULL ? HTTP_SEND_MORE : 0u) |
                                            (job->upgrade ? HTTP_SEND_UPGRADE : 0u)),
                     STATUS_OK);
    if (job->body != NULL) {
        http_exchange_body(job->exchange, body, true);
        http_exchange_body_end(job->exchange, (struct slice){ 0 });
    }
}

static void
run_resume(struct lane_message *message)
{
    http_exchange_resume(LANE_OWNER(message, struct job, message)->exchange);
    sem_post(&did);
}

static void
run_abort(struct lane_message *message)
{
    http_exchange_abort(LANE_OWNER(message, struct job, message)->exchange);
    sem_post(&did);
}

static void
run_free(struct lane_message *message)
{
    http_upstream_free(upstream);
    sem_post(&did);
}

static struct http_upstream_options options_now;
static enum status new_status;

static void
run_new(struct lane_message *message)
{
    struct fault fault;

    new_status = http_upstream_new(lane, &options_now, &upstream, &fault);
    sem_post(&did);
}

static void
run(struct job *job, void (*what)(struct lane_message *))
{
    job->message.run = what;
    assert_true(lane_post(lane, &job->message));
    if (what != run_job)
        sem_wait(&did);
}

static void
start(struct job *job)
{
    seen[0] = '\0';
    run(job, run_job);
}

static int listening;
static char address[64];

static int
listen_on(char *text)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof to;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &size), 0);
    snprintf(text, 64, "127.0.0.1:%u", ntohs(to.sin_port));
    return fd;
}

/* A connection of the client, or -1 when none comes within this time. */
static int
take(int ms)
{
    struct pollfd one = { .fd = listening, .events = POLLIN };

    return poll(&one, 1, ms) > 0 ? accept(listening, NULL, NULL) : -1;
}

/* Reads until `until` stands in it; false when the client closed before. */
static bool
hear(int fd, const char *until, char *out, size_t capacity)
{
    size_t size = 0;

    for (;;) {
        ssize_t got;

        out[size] = '\0';
        if (until != NULL && strstr(out, until) != NULL)
            return true;
        got = read(fd, out + size, capacity - size - 1);
        if (got <= 0)
            return false;
        size += (size_t)got;
    }
}

static bool
closes(int fd)
{
    struct pollfd one = { .fd = fd, .events = POLLIN };
    char byte;

    return poll(&one, 1, 1000) > 0 && read(fd, &byte, 1) <= 0;
}

static void
say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void
open_upstream(const char *const *addresses, size_t count)
{
    struct job job = { 0 };

    options_now = (struct http_upstream_options){
        .addresses = addresses, .address_count = count, .header_ms = 400, .idle_ms = 400
    };
    run(&job, run_new);
    assert_int_equal(new_status, STATUS_OK);
}

static int
set_up(void **state)
{
    const struct lane_options options = { .name = "test" };
    const char *addresses[] = { address };

    listening = listen_on(address);
    sem_init(&over, 0, 0);
    sem_init(&did, 0, 0);
    assert_int_equal(lane_new(&options, &lane), STATUS_OK);
    assert_int_equal(lane_start(lane), STATUS_OK);
    open_upstream(addresses, 1);
    return 0;
}

static int
tear_down(void **state)
{
    struct job job = { 0 };

    run(&job, run_free);
    lane_stop(lane, 1000);
    lane_join(lane);
    lane_free(lane);
    close(listening);
    return 0;
}

struct row {
    struct job job;
    const char *want_request; /* a part of it */
    const char *says;
    const char *seen;
    bool ends; /* the upstream closes after it */
    bool kept; /* the connection must serve another request */
};

#define GET .job = { .method = "GET" }
#define OK  "HTTP/1.1 200 OK\r\n"

static const struct row rows[] = {
    { GET, "GET /p?q HTTP/1.1\r\nHost: u\r\n\r\n", OK "Content-Length: 3\r\n\r\nabc",
      "h200+ abc+ end", .kept = true },
    { GET, "", OK "Content-Length: 0\r\n\r\n", "h200+ end", .kept = true },
    { GET, "", OK "Content-Length: 3\r\nConnection: close\r\n\r\nabc", "h200+ abc+ end" },
    { GET, "", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nT: 1\r\n\r\n",
      "h200+ abc+ d+ end T: 1\r\n", .kept = true },
    { GET, "", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nab", "h200+ ab failed closed",
      .ends = true },
    { GET, "", OK "\r\nabc", "h200+ abc end", .ends = true },
    { GET, "", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", "h200+ abc+ end" },
    { GET, "", "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 204 N\r\n\r\n", "i103 h204+ end", .kept = true },
    { .job = { .method = "HEAD" },
      "HEAD ",
      OK "Content-Length: 3\r\n\r\n",
      "h200+ end",
      .kept = true },
    { .job = { .method = "POST", .body = "xyz" },
      "Content-Length: 3\r\n\r\nxyz",
      OK "Content-Length: 1\r\n\r\na",
      "h200+ a+ end",
      .kept = true },
    { .job = { .method = "POST" },
      "Content-Length: 0\r\n\r\n",
      OK "Content-Length: 1\r\n\r\na",
      "h200+ a+ end",
      .kept = true },
    { .job = { .method = "PUT", .body = "xyz", .chunked = true },
      "Transfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n",
      OK "Content-Length: 1\r\n\r\na",
      "h200+ a+ end",
      .kept = true },
    { .job = { .method = "GET", .upgrade = true },
      "Connection: Upgrade\r\n\r\n",
      "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi",
      "up hi" },
    { .job = { .method = "GET", .abort_on_head = true },
      "",
      OK "Content-Length: 3\r\n\r\n",
      "h200 " },
    /* in doubt, so never kept */
    { GET, "", OK "Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n", "h200+ abc+ end" },
    { GET, "", OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "failed invalid" },
    { GET, "", OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", "failed invalid" },
    { GET, "", OK "X : 3\r\n\r\nabc", "failed invalid" },
    { GET, "", "HTTP/1.1 204 N\r\n\r\nabc", "h204+ end" },
    { GET, "", "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "failed invalid" },
    { GET, "", OK "Transfer-Encoding: chunked\r\n\r\nxx", "h200 failed invalid" },
    { GET, "", "SSH-2.0-x\r\n", "failed invalid" },
    { GET, "", "", "failed closed", .ends = true },
    { GET, "", "HTTP/1.1 200 OK\r\nCont", "failed closed", .ends = true },
    { GET, "", OK "Content-Length: 3\r\n\r\nab", "h200+ ab failed closed", .ends = true },
    { GET, "", "", "failed timeout" },
    { GET, "", OK "Content-Length: 3\r\n\r\na", "h200+ a failed timeout" },
};

static void
exchanges_each_row(void **state)
{
    char request[4096];
    int fd = -1;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct job job = row->job;

        start(&job);
        if (fd < 0)
            fd = take(1000);
        assert_true(fd >= 0);
        if (!hear(fd, row->want_request[0] != '\0' ? row->want_request : "\r\n\r\n", request,
                  sizeof request))
            fail_msg("row %zu: the request was\n%s", i, request);
        say(fd, row->says);
        if (row->ends)
            shutdown(fd, SHUT_WR);
        sem_wait(&over);
        if (strcmp(seen, row->seen) != 0)
            fail_msg("row %zu: seen \"%s\" instead of \"%s\"", i, seen, row->seen);
        if (!row->kept) {
            if (!closes(fd))
                fail_msg("row %zu: the connection was kept", i);
            close(fd);
            fd = -1;
        }
    }
}

/* Byte by byte the same answer, but for what came together. */
static void
reads_alike_byte_by_byte(void **state)
{
    static const char text[] = "HTTP/1.1 100 C\r\n\r\n" OK "Transfer-Encoding: chunked\r\n\r\n"
                               "2\r\nab\r\n0\r\n\r\n";
    struct job job = { .method = "GET" };
    char request[1024];
    int fd;

    start(&job);
    fd = take(1000);
    assert_true(hear(fd, "\r\n\r\n", request, sizeof request));
    for (size_t i = 0; i < sizeof text - 1; i++) {
        assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        usleep(200);
    }
    sem_wait(&over);
    assert_string_equal(seen, "i100 h200 a b end");
    close(fd);
}

static void
retries_a_stale_connection_once(void **state)
{
    struct job first = { .method = "GET" }, again = { .method = "GET" },
               drop = { .method = "DELETE" };
    char request[1024];
    int fd, second;

    usleep(20000);
    start(&first);
    fd = take(1000);
    assert_true(hear(fd, "\r\n\r\n", request, sizeof request));
    say(fd, OK "Content-Length: 0\r\n\r\n");
    sem_wait(&over);
    /* it takes the request over the kept one and closes without a word */
    start(&again);
    assert_true(hear(fd, "\r\n\r\n", request, sizeof request));
    close(fd);
    second = take(1000);
    assert_true(second >= 0);
    assert_true(hear(second, "\r\n\r\n", request, sizeof request));
    say(second, OK "Content-Length: 0\r\n\r\n");
    sem_wait(&over);
    assert_string_equal(seen, "h200+ end");
    /* what changes something is never sent twice, idempotent or not */
    start(&drop);
    assert_true(hear(second, "\r\n\r\n", request, sizeof request));
    close(second);
    sem_wait(&over);
    assert_non_null(strstr(seen, "failed"));
    assert_int_equal(take(50), -1);
}

static void
pauses_and_goes_on(void **state)
{
    struct job job = { .method = "GET", .pause = true };
    char request[1024];
    int fd;

    start(&job);
    fd = take(1000);
    assert_true(hear(fd, "\r\n\r\n", request, sizeof request));
    say(fd, OK "\r\nab");
    usleep(20000);
    say(fd, "cd");
    shutdown(fd, SHUT_WR);
    usleep(20000);
    run(&job, run_resume);
    sem_wait(&over);
    assert_string_equal(seen, "h200+ ab cd end");
    close(fd);
}

static void
aborts_in_every_state(void **state)
{
    const char *says[] = { "", "HTTP/1.1 2", OK "Content-Length: 5\r\n\r\n",
                           OK "Content-Length: 5\r\n\r\nab" };

    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        struct job job = { .method = "GET" };
        char request[1024];
        int fd;

        start(&job);
        fd = take(1000);
        assert_true(hear(fd, "\r\n\r\n", request, sizeof request));
        say(fd, says[i]);
        usleep(10000);
        run(&job, run_abort);
        assert_true(closes(fd));
        close(fd);
    }
}

static void
goes_to_the_next_address(void **state)
{
    struct job job = { .method = "GET" }, nothing = { 0 };
    char closed[64], request[1024];
    const char *both[] = { closed, address };
    int fd = listen_on(closed);

    close(fd); /* nobody listens there any more */
    run(&nothing, run_free);
    open_upstream(both, 2);
    start(&job);
    fd = take(1000);
    assert_true(fd >= 0);
    assert_true(hear(fd, "\r\n\r\n", request, sizeof request));
    say(fd, OK "Content-Length: 0\r\n\r\n");
    sem_wait(&over);
    assert_string_equal(seen, "h200+ end");
    close(fd);
    run(&nothing, run_free);
    open_upstream(both, 1);
    start(&job);
    sem_wait(&over);
    assert_string_equal(seen, "failed io");
    run(&nothing, run_free);
    open_upstream(both + 1, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchanges_each_row),
        cmocka_unit_test(reads_alike_byte_by_byte),
        cmocka_unit_test(retries_a_stale_connection_once),
        cmocka_unit_test(pauses_and_goes_on),
        cmocka_unit_test(aborts_in_every_state),
        cmocka_unit_test(goes_to_the_next_address),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
