/* test/unit/net/stream.c - plain streams on real sockets: echo, back-pressure, ends. */
#include "help.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BULK = 8 * 1024 * 1024 };

/* A client that sends size bytes of a pattern and expects them back. */
struct client {
    struct lane *lane;
    struct echo *echo;
    struct stream *stream;
    struct stream_target target;
    size_t size, sent, received;
    bool wrong, half_close, queued;
    size_t most_queued;
    enum status connected, end;
    const char *error;
};

static char
pattern(size_t at)
{
    return (char)(at * 31 + (at >> 9));
}

static void
stop_all(struct client *client)
{
    if (client->echo != NULL && client->echo->listener != NULL)
        listener_close(client->echo->listener);
    help_end(client->lane);
}

static void
client_closed(struct stream *stream, void *context)
{
    stop_all(context);
}

static void client_send(struct client *client);

static void
client_went(struct stream *stream, enum status status, void *context)
{
    struct client *client = context;

    client->queued = false;
    if (status == STATUS_OK)
        client_send(client);
}

static void
client_send(struct client *client)
{
    char bytes[32768];

    while (client->sent < client->size && !client->queued) {
        size_t size = client->size - client->sent;
        struct slice parts[3];

        size = size < sizeof bytes ? size : sizeof bytes;
        for (size_t i = 0; i < size; i++)
            bytes[i] = pattern(client->sent + i);
        parts[0] = slice_of(bytes, size / 3);
        parts[1] = slice_of(bytes, 0);
        parts[2] = slice_of(bytes + size / 3, size - size / 3);
        client->sent += size;
        switch (stream_write(client->stream, parts, 3, client_went, client)) {
        case STREAM_WRITTEN:
            break;
        case STREAM_QUEUED:
            client->queued = true;
            break;
        case STREAM_BROKEN:
            client->wrong = true;
            return;
        }
        if (stream_queued(client->stream) > client->most_queued)
            client->most_queued = stream_queued(client->stream);
    }
    if (client->sent == client->size && client->half_close)
        stream_shutdown(client->stream);
}

static void
client_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct client *client = context;

    if (status != STATUS_OK) {
        client->end = status;
        stream_close(stream, client_closed, client);
        return;
    }
    assert_true(bytes.size > 0 && bytes.size <= STREAM_READ_SIZE);
    for (size_t i = 0; i < bytes.size; i++)
        client->wrong = client->wrong || bytes.at[i] != pattern(client->received + i);
    client->received += bytes.size;
    if (client->received == client->size && !client->half_close)
        stream_close(stream, client_closed, client);
}

static void
client_connected(struct stream *stream, enum status status, void *context)
{
    struct client *client = context;

    client->connected = status;
    client->error = stream_error(stream);
    if (status != STATUS_OK) {
        stream_close(stream, client_closed, client);
        return;
    }
    stream_read_start(stream, client_read, client);
    client_send(client);
}

static void
client_start(struct client *client, uint16_t port)
{
    if (client->target.unix_path == NULL) {
        assert_int_equal(ip_parse(SLICE_LITERAL("127.0.0.1"), &client->target.ip), STATUS_OK);
        client->target.port = port;
    }
    client->connected = STATUS_INTERNAL;
    assert_int_equal(
        stream_connect(client->lane, &client->target, client_connected, client, &client->stream),
        STATUS_OK);
    assert_int_equal(client->connected, STATUS_INTERNAL); /* not inside the call */
}

static void
echo_over_tcp(void **state)
{
    struct echo echo = { 0 };
    struct client client = { .lane = help_lane(), .echo = &echo, .size = BULK, .half_close = true };

    echo_open(&echo, client.lane, (struct listener_options){ 0 });
    client_start(&client, listener_port(echo.listener));
    assert_string_equal(ip_format(stream_peer(client.stream), (char[IP_TEXT_MAX]){ 0 }),
                        "127.0.0.1");
    help_run(client.lane);
    assert_int_equal(client.connected, STATUS_OK);
    assert_int_equal(client.received, BULK);
    assert_int_equal(client.end, STATUS_CLOSED);
    assert_false(client.wrong);
    assert_int_equal(echo.bytes, BULK);
    assert_int_equal(echo.closed, 1);
    assert_int_equal(lane_open_count(client.lane), 0);
    help_free(client.lane);
}

static void
check_uid(struct echo *echo, struct stream *stream)
{
    uid_t uid = 12345;

    assert_true(stream_peer_uid(stream, &uid));
    assert_int_equal(uid, getuid());
    assert_int_equal(stream_peer(stream)->family, IP_NONE);
}

static void
echo_over_unix(void **state)
{
    struct echo echo = { .on_accept = check_uid };
    struct client client = { .lane = help_lane(), .echo = &echo, .size = 100000 };
    char path[256], address[300];
    struct stat found;

    snprintf(address, sizeof address, "unix:%s", help_path("echo.sock", path));
    echo_open(&echo, client.lane, (struct listener_options){ .address = address });
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    client.target.unix_path = path;
    client_start(&client, 0);
    help_run(client.lane);
    assert_int_equal(client.received, 100000);
    assert_false(client.wrong);
    assert_int_not_equal(stat(path, &found), 0); /* removed with the listener */
    help_free(client.lane);
}

static void
refused_and_absent(void **state)
{
    struct client tcp = { .lane = help_lane() };
    struct client absent = { .lane = help_lane(), .target.unix_path = "/nonexistent/writ.sock" };
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    int bound = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(bound, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&address, &size), 0);
    client_start(&tcp, ntohs(address.sin_port));
    help_run(tcp.lane);
    assert_int_equal(tcp.connected, STATUS_IO);
    assert_string_equal(tcp.error, "connection refused");
    close(bound);
    help_free(tcp.lane);

    client_start(&absent, 0);
    help_run(absent.lane);
    assert_int_equal(absent.connected, STATUS_IO);
    help_free(absent.lane);
}

/* A backlog that is full drops further connections without an answer. */
static void
connect_takes_too_long(void **state)
{
    struct client client = { .lane = help_lane(), .target.timeout_ms = 300 };
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    int full = socket(AF_INET, SOCK_STREAM, 0), fillers[8];

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(full, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(full, 0), 0);
    assert_int_equal(getsockname(full, (struct sockaddr *)&address, &size), 0);
    for (size_t i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    client_start(&client, ntohs(address.sin_port));
    help_run(client.lane);
    assert_int_equal(client.connected, STATUS_TIMEOUT);
    for (size_t i = 0; i < 8; i++)
        close(fillers[i]);
    close(full);
    help_free(client.lane);
}

/* Closing while connecting: the callback of connect never comes. */
static void
closed_while_connecting(void **state)
{
    struct echo echo = { 0 };
    struct client client = { .lane = help_lane(), .echo = &echo };

    echo_open(&echo, client.lane, (struct listener_options){ 0 });
    client_start(&client, listener_port(echo.listener));
    stream_close(client.stream, client_closed, &client);
    help_run(client.lane);
    assert_int_equal(client.connected, STATUS_INTERNAL);
    help_free(client.lane);
}

/* A reader that sleeps: the writer sees its queue, and goes on when it drains. */
struct slow {
    uint16_t port;
    size_t received;
    bool wrong;
};

static void *
slow_main(void *argument)
{
    struct slow *slow = argument;
    int descriptor = raw_connect(slow->port);
    char bytes[65536];
    ssize_t size;

    usleep(200000);
    while ((size = read(descriptor, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < size; i++)
            slow->wrong = slow->wrong || bytes[i] != pattern(slow->received + (size_t)i);
        slow->received += (size_t)size;
    }
    close(descriptor);
    return NULL;
}

static struct client flood;

static void
flood_finished(struct stream *stream, void *context)
{
    help_end(flood.lane);
}

static void
flood_went(struct stream *stream, enum status status, void *context)
{
    assert_int_equal(status, STATUS_OK);
    flood.queued = false;
    if (stream_queued(stream) == 0)
        stream_finish(stream, 2000, flood_finished, NULL);
}

static void
flood_accept(struct echo *echo, struct stream *stream)
{
    char bytes[65536];
    struct slice part = slice_of(bytes, sizeof bytes);

    for (flood.sent = 0; flood.sent < BULK; flood.sent += sizeof bytes) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = pattern(flood.sent + i);
        if (stream_write(stream, &part, 1, flood_went, NULL) == STREAM_QUEUED)
            flood.queued = true;
    }
    flood.most_queued = stream_queued(stream);
}

static void
slow_reader(void **state)
{
    struct echo echo = { .on_accept = flood_accept, .manual = true, .stop_after = true };
    struct slow slow = { 0 };
    pthread_t thread;

    flood = (struct client){ .lane = help_lane() };
    echo_open(&echo, flood.lane, (struct listener_options){ 0 });
    slow.port = listener_port(echo.listener);
    pthread_create(&thread, NULL, slow_main, &slow);
    help_run(flood.lane);
    pthread_join(thread, NULL);
    assert_true(flood.most_queued > 0 && flood.most_queued < BULK);
    assert_int_equal(slow.received, BULK);
    assert_false(slow.wrong);
    help_free(flood.lane);
}

/* A reader that never reads: the queue has an end, closing drops it. */
static enum status dropped;
static unsigned drops;

static void
drop_done(struct stream *stream, enum status status, void *context)
{
    dropped = status;
    drops++;
}

static void
overfill_accept(struct echo *echo, struct stream *stream)
{
    static char bytes[1024 * 1024];
    struct slice part = slice_of(bytes, sizeof bytes);
    struct slice many[STREAM_SLICES_MAX + 1] = { 0 };
    unsigned queued = 0;
    enum stream_wrote wrote;

    assert_int_equal(stream_write(stream, many, STREAM_SLICES_MAX, drop_done, NULL),
                     STREAM_WRITTEN);
    do {
        wrote = stream_write(stream, &part, 1, drop_done, NULL);
        queued += wrote == STREAM_QUEUED;
    } while (wrote != STREAM_BROKEN);
    assert_true(stream_queued(stream) >= STREAM_QUEUE_MAX);
    assert_true(stream_queued(stream) < STREAM_QUEUE_MAX + 2 * sizeof bytes);
    assert_true(queued > 1 && drops == 0);
    assert_int_equal(stream_write(stream, many, STREAM_SLICES_MAX + 1, NULL, NULL), STREAM_BROKEN);
    assert_true(stream_error(stream)[0] != '\0');
    stream_close(stream, echo_closed, echo);
    stream_close(stream, echo_closed, echo);
    help_end(stream_lane(stream));
}

static void
a_queue_has_an_end(void **state)
{
    struct echo echo = { .on_accept = overfill_accept, .manual = true, .stop_after = true };
    struct lane *lane = help_lane();
    int descriptor;

    echo_open(&echo, lane, (struct listener_options){ 0 });
    descriptor = raw_connect(listener_port(echo.listener));
    help_run(lane);
    assert_int_equal(dropped, STATUS_CLOSED);
    assert_true(drops > 1);
    assert_int_equal(echo.closed, 1);
    close(descriptor);
    help_free(lane);
}

/* A reset is an error, in the reading and in the writing. */
static void
reset_accept(struct echo *echo, struct stream *stream)
{
    struct linger now = { .l_onoff = 1 };
    int descriptor = *(int *)echo->context;

    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(descriptor);
    help_end(stream_lane(stream));
}

static void
a_reset_is_an_error(void **state)
{
    int descriptor;
    struct echo echo = { .on_accept = reset_accept, .stop_after = true, .context = &descriptor };
    struct lane *lane = help_lane();

    echo_open(&echo, lane, (struct listener_options){ 0 });
    descriptor = raw_connect(listener_port(echo.listener));
    help_run(lane);
    assert_int_equal(echo.end, STATUS_IO);
    assert_int_equal(echo.closed, 1);
    help_free(lane);
}

/* Reading stops in its own callback; nothing comes until it starts again. */
static struct timer pause_over;
static struct stream *paused;
static size_t paused_bytes;
static bool is_paused;

static void
paused_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    assert_false(is_paused);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_CLOSED);
        stream_close(stream, NULL, NULL);
        help_end(stream_lane(stream));
        return;
    }
    paused_bytes += bytes.size;
    is_paused = true;
    paused = stream;
    stream_read_stop(stream);
    timer_arm(stream_lane(stream), &pause_over, 0);
}

static void
pause_ends(struct timer *timer)
{
    is_paused = false;
    stream_read_start(paused, paused_read, NULL);
}

static void
paused_accept(struct echo *echo, struct stream *stream)
{
    pause_over.fire = pause_ends;
    stream_read_start(stream, paused_read, NULL);
}

static void
a_stopped_reader_is_left_alone(void **state)
{
    struct echo echo = { .on_accept = paused_accept, .manual = true, .stop_after = true };
    struct lane *lane = help_lane();
    static char bytes[100000];
    int descriptor;

    echo_open(&echo, lane, (struct listener_options){ 0 });
    descriptor = raw_connect(listener_port(echo.listener));
    assert_int_equal(send(descriptor, bytes, sizeof bytes, 0), sizeof bytes);
    close(descriptor);
    help_run(lane);
    assert_int_equal(paused_bytes, sizeof bytes);
    help_free(lane);
}

/* An answer before the request was read in full arrives, then the stream ends in
 * spite of a client that goes on sending. */
static void
finish_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct slice answer = SLICE_LITERAL("enough");

    assert_int_equal(status, STATUS_OK);
    assert_int_equal(stream_write(stream, &answer, 1, NULL, NULL), STREAM_WRITTEN);
    stream_finish(stream, 300, echo_closed, context);
    assert_int_equal(stream_write(stream, &answer, 1, NULL, NULL), STREAM_BROKEN);
    help_end(stream_lane(stream));
}

static void
finish_accept(struct echo *echo, struct stream *stream)
{
    stream_read_start(stream, finish_read, echo);
}

static void *
talkative_main(void *argument)
{
    static char bytes[500000];
    int descriptor = raw_connect(*(uint16_t *)argument);
    char answer[16] = "";
    ssize_t size;

    send(descriptor, bytes, sizeof bytes, MSG_NOSIGNAL);
    size = recv(descriptor, answer, sizeof answer, MSG_WAITALL);
    assert_int_equal(size, 6);
    assert_string_equal(answer, "enough");
    usleep(800000); /* never closes: the other side has to */
    close(descriptor);
    return NULL;
}

static void
finishing_delivers(void **state)
{
    struct echo echo = { .on_accept = finish_accept, .manual = true, .stop_after = true };
    struct lane *lane = help_lane();
    pthread_t thread;
    uint16_t port;

    echo_open(&echo, lane, (struct listener_options){ 0 });
    port = listener_port(echo.listener);
    pthread_create(&thread, NULL, talkative_main, &port);
    help_run(lane);
    pthread_join(thread, NULL);
    assert_int_equal(echo.closed, 1);
    help_free(lane);
}

/* At the end of draining, open streams are told, stopped ones too. */
static unsigned cut;

static void
cut_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    assert_int_equal(status, STATUS_CLOSED);
    cut++;
    stream_close(stream, echo_closed, context);
}

static void
cut_accept(struct echo *echo, struct stream *stream)
{
    stream_read_start(stream, cut_read, echo);
    stream_read_stop(stream);
    lane_stop(stream_lane(stream), 100);
}

static void
draining_ends(void **state)
{
    struct echo echo = { .on_accept = cut_accept, .manual = true, .stop_after = true };
    struct lane *lane = help_lane();
    int descriptor;

    echo_open(&echo, lane, (struct listener_options){ 0 });
    descriptor = raw_connect(listener_port(echo.listener));
    help_run(lane);
    assert_int_equal(cut, 1);
    assert_int_equal(echo.closed, 1);
    close(descriptor);
    help_free(lane);
}

/* An owner that never closes does not hold the program up, nor leak. */
static void
leave_open(struct echo *echo, struct stream *stream)
{
    lane_stop(stream_lane(stream), 0);
}

static void
forgotten_streams_are_closed(void **state)
{
    struct echo echo = { .on_accept = leave_open, .manual = true, .stop_after = true };
    struct lane *lane = help_lane();
    int descriptor;

    echo_open(&echo, lane, (struct listener_options){ 0 });
    descriptor = raw_connect(listener_port(echo.listener));
    help_run(lane);
    assert_int_equal(lane_open_count(lane), 0);
    close(descriptor);
    help_free(lane);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_over_tcp),
        cmocka_unit_test(echo_over_unix),
        cmocka_unit_test(refused_and_absent),
        cmocka_unit_test(connect_takes_too_long),
        cmocka_unit_test(closed_while_connecting),
        cmocka_unit_test(slow_reader),
        cmocka_unit_test(a_queue_has_an_end),
        cmocka_unit_test(a_reset_is_an_error),
        cmocka_unit_test(a_stopped_reader_is_left_alone),
        cmocka_unit_test(finishing_delivers),
        cmocka_unit_test(draining_ends),
        cmocka_unit_test(forgotten_streams_are_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
