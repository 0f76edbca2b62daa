/* test/unit/net/listener.c - listeners: addresses, sharing, the cap, missing files;
 * and the small neighbours, look-ups and watches. */
#include "help.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/resolve.h"
#include "net/watch.h"

static void
never_accepted(struct listener *listener, struct stream *stream, void *context)
{
    fail();
}

static enum status
try_open(struct lane *lane, const char *address, enum listener_share share, struct listener **out,
         struct fault *fault)
{
    struct listener_options options = { .address = address,
                                        .share = share,
                                        .accepted = never_accepted };

    return listener_open(lane, &options, out, fault);
}

static void
addresses(void **state)
{
    static const char *const bad[] = { "",    "nonsense", "127.0.0.1",   "127.0.0.1:99999",
                                       ":80", "unix:",    "127.0.0.1:8x" };
    static const char *const good[] = { "127.0.0.1:0", "[::1]:0", "localhost:0", "0.0.0.0:0" };
    struct lane *lane = help_lane();
    struct listener *listener;
    struct fault fault;
    char longest[200] = "unix:/";

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(try_open(lane, bad[i], LISTENER_ALONE, &listener, &fault), STATUS_INVALID);
        assert_true(fault.text[0] != '\0');
    }
    memset(longest + 6, 'a', 150);
    assert_int_equal(try_open(lane, longest, LISTENER_ALONE, &listener, &fault), STATUS_INVALID);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        enum status status = try_open(lane, good[i], LISTENER_ALONE, &listener, &fault);

        if (status != STATUS_OK && i == 1) /* a machine without IPv6 */
            continue;
        assert_int_equal(status, STATUS_OK);
        assert_int_not_equal(listener_port(listener), 0);
        assert_true(listener_is_loopback(listener) == (i != 3));
        listener_close(listener);
    }
    help_free(lane);
    alarm(0);
}

static void
an_address_in_use_is_a_conflict(void **state)
{
    struct lane *lane = help_lane();
    struct listener *alone, *first, *further, *refused;
    struct fault fault = { 0 };
    char text[64];

    assert_int_equal(try_open(lane, "127.0.0.1:0", LISTENER_ALONE, &alone, &fault), STATUS_OK);
    snprintf(text, sizeof text, "127.0.0.1:%u", listener_port(alone));
    assert_int_equal(try_open(lane, text, LISTENER_ALONE, &refused, &fault), STATUS_CONFLICT);
    assert_non_null(strstr(fault.text, text));
    assert_int_equal(try_open(lane, text, LISTENER_SHARED_FIRST, &refused, &fault),
                     STATUS_CONFLICT);
    listener_close(alone);

    assert_int_equal(try_open(lane, text, LISTENER_SHARED_FIRST, &first, &fault), STATUS_OK);
    assert_int_equal(try_open(lane, text, LISTENER_SHARED, &further, &fault), STATUS_OK);
    /* Another program that also shares is noticed all the same. */
    assert_int_equal(try_open(lane, text, LISTENER_SHARED_FIRST, &refused, &fault),
                     STATUS_CONFLICT);
    listener_close(first);
    listener_close(further);
    help_free(lane);
    alarm(0);
}

static void
left_socket_files_are_replaced(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct lane *lane = help_lane();
    struct listener *listener, *second;
    struct fault fault = { 0 };
    char path[256], text[300];
    int left = socket(AF_UNIX, SOCK_STREAM, 0), file;

    help_path("left.sock", path);
    snprintf(text, sizeof text, "unix:%s", path);
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(bind(left, (struct sockaddr *)&address, sizeof address), 0);
    close(left);
    assert_int_equal(try_open(lane, text, LISTENER_ALONE, &listener, &fault), STATUS_OK);
    assert_int_equal(try_open(lane, text, LISTENER_ALONE, &second, &fault), STATUS_CONFLICT);
    assert_int_equal(access(path, F_OK), 0); /* the first one's is still there */
    listener_close(listener);
    assert_int_not_equal(access(path, F_OK), 0);

    /* A file that is no socket is never touched. */
    file = open(path, O_CREAT | O_WRONLY, 0600);
    close(file);
    assert_int_equal(try_open(lane, text, LISTENER_ALONE, &second, &fault), STATUS_CONFLICT);
    assert_int_equal(access(path, F_OK), 0);
    help_free(lane);
    alarm(0);
}

/* Over the cap connections wait, and are taken when one goes. */
enum { CROWD = 5, CAP = 2 };

static struct echo crowd;
static struct stream *crowd_streams[CROWD];
static struct timer crowd_timer;
static unsigned crowd_most;

static void
crowd_accept(struct echo *echo, struct stream *stream)
{
    struct listener_stats stats;

    listener_stats(echo->listener, &stats);
    if (stats.open > crowd_most)
        crowd_most = stats.open;
    crowd_streams[echo->opened - 1] = stream;
}

static void
crowd_step(struct timer *timer)
{
    if (crowd.closed == CROWD) {
        listener_close(crowd.listener);
        help_end(lane_current());
        return;
    }
    assert_true(crowd.opened <= crowd.closed + CAP);
    if (crowd_streams[crowd.closed] != NULL)
        stream_close(crowd_streams[crowd.closed], echo_closed, &crowd);
    timer_arm(lane_current(), timer, 0);
}

static void
the_cap_holds(void **state)
{
    struct lane *lane = help_lane();
    int descriptors[CROWD];

    crowd = (struct echo){ .on_accept = crowd_accept, .manual = true };
    echo_open(&crowd, lane, (struct listener_options){ .connections = CAP });
    for (size_t i = 0; i < CROWD; i++)
        descriptors[i] = raw_connect(listener_port(crowd.listener));
    crowd_timer.fire = crowd_step;
    timer_arm(lane, &crowd_timer, 0);
    help_run(lane);
    assert_int_equal(crowd.opened, CROWD);
    assert_int_equal(crowd_most, CAP);
    for (size_t i = 0; i < CROWD; i++)
        close(descriptors[i]);
    help_free(lane);
}

/* Out of files: waiting connections are neither dropped nor spun on. */
static struct rlimit files;
static struct echo starved;
static uint64_t turns;

static void
count_turn(struct lane *lane, void *context)
{
    turns++;
}

static void
files_again(struct timer *timer)
{
    assert_int_equal(starved.opened, 0);
    assert_true(turns < 100);
    setrlimit(RLIMIT_NOFILE, &files);
}

static void
starved_accept(struct echo *echo, struct stream *stream)
{
    stream_close(stream, echo_closed, echo);
    help_end(stream_lane(stream));
}

static void
out_of_files_waits(void **state)
{
    struct lane_options options = { .name = "starved", .hooks.turn = count_turn };
    struct timer timer = { .fire = files_again };
    struct rlimit few;
    struct lane *lane;
    int descriptor;

    alarm(20);
    assert_int_equal(lane_new(&options, &lane), STATUS_OK);
    starved = (struct echo){ .on_accept = starved_accept, .manual = true, .stop_after = true };
    echo_open(&starved, lane, (struct listener_options){ 0 });
    descriptor = raw_connect(listener_port(starved.listener));
    getrlimit(RLIMIT_NOFILE, &files);
    few = (struct rlimit){ .rlim_cur = (rlim_t)descriptor + 1, .rlim_max = files.rlim_max };
    setrlimit(RLIMIT_NOFILE, &few);
    timer_arm(lane, &timer, 500);
    lane_run(lane);
    assert_int_equal(starved.opened, 1);
    close(descriptor);
    lane_free(lane);
    alarm(0);
}

/* Look-ups. */
struct answers {
    unsigned count;
    enum status literal, absent, local;
    struct ip ip;
};

static void
answered(struct answers *answers)
{
    if (++answers->count == 3)
        help_end(lane_current());
}

static void
on_literal(enum status status, const struct ip *ips, size_t count, void *context)
{
    struct answers *answers = context;

    answers->literal = status;
    assert_int_equal(count, 1);
    answers->ip = ips[0];
    answered(answers);
}

static void
on_absent(enum status status, const struct ip *ips, size_t count, void *context)
{
    ((struct answers *)context)->absent = status;
    answered(context);
}

static void
on_local(enum status status, const struct ip *ips, size_t count, void *context)
{
    ((struct answers *)context)->local = status;
    for (size_t i = 0; i < count; i++)
        assert_true(ip_is_loopback(&ips[i]));
    answered(context);
}

static void
names_are_resolved(void **state)
{
    struct lane *lane = help_lane();
    struct answers answers = { .literal = STATUS_INTERNAL };
    char longest[300];

    memset(longest, 'a', sizeof longest);
    assert_int_equal(resolve_name(lane, slice_of(longest, 254), on_absent, NULL), STATUS_INVALID);
    assert_int_equal(resolve_name(lane, slice_of("", 0), on_absent, NULL), STATUS_INVALID);
    assert_int_equal(resolve_name(lane, slice_of("a\0b", 3), on_absent, NULL), STATUS_INVALID);
    assert_int_equal(resolve_name(lane, SLICE_LITERAL("10.1.2.3"), on_literal, &answers),
                     STATUS_OK);
    assert_int_equal(answers.literal, STATUS_INTERNAL);
    assert_int_equal(resolve_name(lane, SLICE_LITERAL("localhost"), on_local, &answers), STATUS_OK);
    assert_int_equal(resolve_name(lane, SLICE_LITERAL("no such host"), on_absent, &answers),
                     STATUS_OK);
    help_run(lane);
    assert_int_equal(answers.literal, STATUS_OK);
    assert_string_equal(ip_format(&answers.ip, (char[IP_TEXT_MAX]){ 0 }), "10.1.2.3");
    assert_int_equal(answers.local, STATUS_OK);
    assert_int_not_equal(answers.absent, STATUS_OK);
    help_free(lane);
}

/* Watches. */
static unsigned readable;

static void
on_ready(struct watch *watch, int events, void *context)
{
    int *pair = context;
    char byte;

    if (events == WATCH_WRITE) {
        assert_int_equal(watch_set(watch, WATCH_READ), STATUS_OK);
        assert_int_equal(write(pair[1], "x", 1), 1);
        return;
    }
    assert_int_equal(events, WATCH_READ);
    assert_int_equal(read(pair[0], &byte, 1), 1);
    readable++;
    watch_free(watch);
    help_end(lane_current());
}

static void
descriptors_are_watched(void **state)
{
    struct lane *lane = help_lane();
    struct watch *watch;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(watch_new(lane, pair[0], on_ready, pair, &watch), STATUS_OK);
    assert_int_equal(watch_set(watch, WATCH_WRITE), STATUS_OK);
    help_run(lane);
    assert_int_equal(readable, 1);
    close(pair[0]);
    close(pair[1]);
    help_free(lane);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(an_address_in_use_is_a_conflict),
        cmocka_unit_test(left_socket_files_are_replaced),
        cmocka_unit_test(the_cap_holds),
        cmocka_unit_test(out_of_files_waits),
        cmocka_unit_test(names_are_resolved),
        cmocka_unit_test(descriptors_are_watched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
