/* test/unit/net/chaos.c - many connections whose owners do anything in any callback:
 * nothing is used after its end, and every stream is closed once. */
#include "help.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { CONNECTIONS = 300, AT_ONCE = 20, MOST = 50000 };

struct side {
    struct stream *stream;
    struct timer timer;
    bool closed;
};

struct chaos {
    struct lane *lane;
    struct listener *listener;
    struct tls_server *server;
    struct tls_client *client;
    struct side sides[2 * CONNECTIONS + 1];
    unsigned used, started, open_clients, closed;
    unsigned seed;
};

static struct chaos chaos;

/* Deterministic, so that a failure comes again. */
static unsigned
dice(unsigned sides)
{
    chaos.seed = chaos.seed * 1103515245 + 12345;
    return (chaos.seed >> 16) % sides;
}

static void start_some(void);
static void side_read(struct stream *stream, enum status status, struct slice bytes, void *context);

static void
side_closed(struct stream *stream, void *context)
{
    struct side *side = context;

    assert_false(side->closed);
    assert_ptr_equal(side->stream, stream);
    side->closed = true;
    timer_disarm(&side->timer);
    chaos.closed++;
}

static void
client_closed(struct stream *stream, void *context)
{
    side_closed(stream, context);
    chaos.open_clients--;
    start_some();
}

static stream_closed_callback
closed_of(struct side *side)
{
    return side->timer.fire == NULL ? side_closed : client_closed;
}

static void
side_done(struct stream *stream, enum status status, void *context)
{
    struct side *side = context;

    assert_false(side->closed);
    if (dice(8) == 0)
        stream_close(stream, closed_of(side), side);
}

static void
side_write(struct side *side)
{
    static char bytes[MOST];
    struct slice parts[2] = { slice_of(bytes, dice(MOST)), slice_of(bytes, dice(100)) };

    if (stream_write(side->stream, parts, 2, side_done, side) == STREAM_BROKEN && dice(2) == 0)
        stream_close(side->stream, closed_of(side), side);
}

static void
side_act(struct side *side)
{
    switch (dice(9)) {
    case 0:
        stream_close(side->stream, closed_of(side), side);
        break;
    case 1:
        stream_finish(side->stream, 200, closed_of(side), side);
        break;
    case 2:
        stream_shutdown(side->stream);
        break;
    case 3:
        stream_read_stop(side->stream);
        stream_read_start(side->stream, side_read, side);
        break;
    case 4:
        side_write(side);
        stream_close(side->stream, closed_of(side), side);
        break;
    default:
        side_write(side);
        break;
    }
}

static void
side_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct side *side = context;

    assert_false(side->closed);
    if (status == STATUS_CLOSED && dice(2) == 0)
        stream_finish(stream, 200, closed_of(side), side);
    else if (status != STATUS_OK)
        stream_close(stream, closed_of(side), side);
    else
        side_act(side);
}

/* Nobody waits for ever. */
static void
side_timer(struct timer *timer)
{
    struct side *side = LANE_OWNER(timer, struct side, timer);

    stream_close(side->stream, closed_of(side), side);
}

static struct side *
side_new(struct stream *stream)
{
    struct side *side = &chaos.sides[chaos.used++];

    side->stream = stream;
    return side;
}

static void
accepted(struct listener *listener, struct stream *stream, void *context)
{
    struct side *side = side_new(stream);

    stream_read_start(stream, side_read, side);
    if (dice(4) == 0)
        side_act(side);
}

static void
connected(struct stream *stream, enum status status, void *context)
{
    struct side *side = context;

    assert_false(side->closed);
    if (status != STATUS_OK) {
        stream_close(stream, client_closed, side);
        return;
    }
    stream_read_start(stream, side_read, side);
    side_write(side);
}

static void
start_some(void)
{
    struct stream_target target = { .port = listener_port(chaos.listener), .tls = chaos.client };

    assert_int_equal(ip_parse(SLICE_LITERAL("127.0.0.1"), &target.ip), STATUS_OK);
    while (chaos.started < CONNECTIONS && chaos.open_clients < AT_ONCE) {
        struct side *side = side_new(NULL);

        chaos.started++;
        chaos.open_clients++;
        side->timer.fire = side_timer;
        timer_arm(chaos.lane, &side->timer, 100);
        assert_int_equal(stream_connect(chaos.lane, &target, connected, side, &side->stream),
                         STATUS_OK);
        if (dice(20) == 0)
            stream_close(side->stream, client_closed, side);
    }
    if (chaos.open_clients == 0 && !lane_stopping(chaos.lane))
        lane_stop(chaos.lane, 2000);
}

static void
on_stop(struct lane *lane, void *context)
{
    listener_close(chaos.listener);
}

static void
chaos_run(void)
{
    struct lane_options options = { .name = "chaos", .hooks.stop = on_stop };
    struct listener_options listening = { .address = "127.0.0.1:0",
                                          .tls = chaos.server,
                                          .connections = AT_ONCE / 2,
                                          .accepted = accepted };

    alarm(60);
    assert_int_equal(lane_new(&options, &chaos.lane), STATUS_OK);
    assert_int_equal(listener_open(chaos.lane, &listening, &chaos.listener, NULL), STATUS_OK);
    start_some();
    lane_run(chaos.lane);
    assert_int_equal(chaos.closed, chaos.used);
    assert_int_equal(lane_open_count(chaos.lane), 0);
    lane_free(chaos.lane);
    alarm(0);
}

static void
plain(void **state)
{
    for (unsigned seed = 1; seed <= 2; seed++) {
        chaos = (struct chaos){ .seed = seed };
        chaos_run();
    }
}

/* While it goes on, another thread swaps the certificate. */
static atomic_bool over;

static void *
reload_main(void *argument)
{
    while (!atomic_load(&over)) {
        assert_int_equal(tls_server_reload(argument, NULL), STATUS_OK);
        usleep(5000);
    }
    return NULL;
}

static void
tls_with_reloads(void **state)
{
    char ca[256], cert[256], key[256];
    struct tls_server_options server = { .cert = help_path("server.pem", cert),
                                         .key = help_path("server.key", key) };
    struct tls_client_options client = { .server_name = "localhost",
                                         .ca = help_path("ca.pem", ca) };
    pthread_t thread;

    make_certificate("ca", NULL, NULL, 10);
    make_certificate("server", "ca", "DNS:localhost", 10);
    chaos = (struct chaos){ .seed = 3 };
    assert_int_equal(tls_server_new(&server, &chaos.server, NULL), STATUS_OK);
    assert_int_equal(tls_client_new(&client, &chaos.client, NULL), STATUS_OK);
    pthread_create(&thread, NULL, reload_main, chaos.server);
    chaos_run();
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    tls_client_free(chaos.client);
    tls_server_free(chaos.server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(tls_with_reloads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
