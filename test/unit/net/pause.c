/* test/unit/net/pause.c - what came while nobody read, and what was written right before a close.
 */
#include "help.h"

#include <pthread.h>
#include <unistd.h>

enum { BULK = 4 * 1024 * 1024, PARTS = 40 };

static char
pattern(size_t at)
{
    return (char)(at * 31 + (at >> 9));
}

/* A peer that sends all it has as fast as it may, and ends. */
static void *
sender_main(void *argument)
{
    int descriptor = raw_connect(*(uint16_t *)argument);
    char bytes[8192];

    for (size_t sent = 0; sent < BULK;) {
        size_t size = 0;

        while (size < sizeof bytes && sent < BULK)
            bytes[size++] = pattern(sent++);
        if (write(descriptor, bytes, size) != (ssize_t)size)
            break;
    }
    close(descriptor);
    return NULL;
}

/* Reads a part, rests for a tick of the clock, reads on. */
static struct rester {
    struct timer timer;
    struct stream *stream;
    size_t received, part;
    bool wrong, resting, early;
    enum status end;
} rester;

static void
rester_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    rester.early = rester.early || rester.resting;
    if (status != STATUS_OK) {
        rester.end = status;
        stream_close(stream, echo_closed, context);
        help_end(stream_lane(stream));
        return;
    }
    for (size_t i = 0; i < bytes.size; i++)
        rester.wrong = rester.wrong || bytes.at[i] != pattern(rester.received + i);
    rester.received += bytes.size;
    rester.part += bytes.size;
    if (rester.part < BULK / PARTS)
        return;
    rester.part = 0;
    rester.resting = true;
    stream_read_stop(stream);
    timer_arm(stream_lane(stream), &rester.timer, 1);
}

static void
rester_wakes(struct timer *timer)
{
    rester.resting = false;
    stream_read_start(rester.stream, rester_read, stream_data(rester.stream));
}

static void
rester_accept(struct echo *echo, struct stream *stream)
{
    rester.stream = stream;
    rester.timer.fire = rester_wakes;
    stream_data_set(stream, echo);
    stream_read_start(stream, rester_read, echo);
}

static void
a_reader_that_rests_gets_all(void **state)
{
    struct echo echo = { .on_accept = rester_accept, .manual = true, .stop_after = true };
    struct lane *lane = help_lane();
    pthread_t thread;
    uint16_t port;

    rester = (struct rester){ 0 };
    echo_open(&echo, lane, (struct listener_options){ 0 });
    port = listener_port(echo.listener);
    pthread_create(&thread, NULL, sender_main, &port);
    help_run(lane);
    pthread_join(thread, NULL);
    assert_int_equal(rester.received, BULK);
    assert_int_equal(rester.end, STATUS_CLOSED);
    assert_false(rester.wrong);
    assert_false(rester.early);
    help_free(lane);
}

/* What was reported as written has left us, even when the close comes in the same turn. */
static void
hasty_accept(struct echo *echo, struct stream *stream)
{
    struct slice words[] = { SLICE_LITERAL("the last "), SLICE_LITERAL("word") };

    assert_int_equal(stream_write(stream, &words[0], 1, NULL, NULL), STREAM_WRITTEN);
    assert_int_equal(stream_write(stream, &words[1], 1, NULL, NULL), STREAM_WRITTEN);
    assert_int_equal(stream_queued(stream), 0);
    stream_close(stream, echo_closed, echo);
    help_end(stream_lane(stream));
}

struct listener_of_words {
    uint16_t port;
    char text[64];
    size_t size;
};

static void *
words_main(void *argument)
{
    struct listener_of_words *words = argument;
    int descriptor = raw_connect(words->port);
    ssize_t size;

    while ((size = read(descriptor, words->text + words->size,
                        sizeof words->text - 1 - words->size)) > 0)
        words->size += (size_t)size;
    close(descriptor);
    return NULL;
}

static void
written_then_closed_arrives(void **state)
{
    struct echo echo = { .on_accept = hasty_accept, .manual = true, .stop_after = true };
    struct lane *lane = help_lane();
    struct listener_of_words words = { 0 };
    pthread_t thread;

    echo_open(&echo, lane, (struct listener_options){ 0 });
    words.port = listener_port(echo.listener);
    pthread_create(&thread, NULL, words_main, &words);
    help_run(lane);
    pthread_join(thread, NULL);
    assert_string_equal(words.text, "the last word");
    help_free(lane);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_that_rests_gets_all),
        cmocka_unit_test(written_then_closed_arrives),
    };

    return cmocka_run_group_tests_name("net/pause", tests, NULL, NULL);
}
