/* Frames of WebSockets and SPDY, as a recording reads them: whole or byte by byte the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buffer.h"
#include "http/websocket.h"
#include "kubernetes/spdy.h"

/* "|" before each message, "!" when it is malformed. */
static void
read_socket(struct slice in, size_t step, struct buffer *out)
{
    struct websocket_frames frames = { 0 };
    struct websocket_run run;

    while (in.size > 0) {
        struct slice part = slice_first(in, step);
        enum websocket_frame read;

        in = slice_from(in, part.size);
        while ((read = websocket_next(&frames, &part, &run)) == WEBSOCKET_RUN_READ) {
            put_text(out, run.first ? "|" : "");
            put_bytes(out, run.bytes, run.size);
        }
        if (read == WEBSOCKET_MALFORMED) {
            put_text(out, "!");
            return;
        }
    }
}

#define CASE(in, out)                                                                              \
    {                                                                                              \
        in, sizeof(in) - 1, out                                                                    \
    }

static void
reads_sockets(void **state)
{
    static const struct {
        const char *in;
        size_t size;
        const char *out;
    } cases[] = {
        CASE("\x82\x05hello", "|hello"),
        CASE("\x81\x85\x01\x02\x03\x04\x69\x67\x6f\x68\x6e", "|hello"), /* masked */
        CASE("\x02\x03one\x00\x03two\x80\x05three", "|onetwothree"),
        CASE("\x02\x03one\x89\x02hi\x80\x03two", "|onetwo"), /* a ping between */
        CASE("\x82\x03one\x82\x03two", "|one|two"),
        CASE("\x82\x00\x82\x01x", "|x"), /* an empty message */
        CASE("\x02\x00\x80\x01x", "|x"), /* an empty beginning */
        CASE("\x82\x7e\x00\x05hello", "|hello"),
        CASE("\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x05hello", "|hello"),
        CASE("\x88\x02\x03\xe8", ""), /* a close */
        CASE("\xc2\x05hello", "!"),   /* an extension's bit */
        CASE("\x80\x05hello", "!"),   /* goes on with nothing */
        CASE("\x02\x03one\x82\x03two", "|one!"),
        CASE("\x83\x01x", "!"),
        CASE("\x09\x02hi", "!"), /* a control frame in pieces */
        CASE("\x89\x7e\x00\x80", "!"),
        CASE("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", "!"),
        CASE("\x82", ""),
        CASE("\x82\x05he", "|he"),
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer whole = { 0 }, bytes = { 0 };

        read_socket(slice_of(cases[i].in, cases[i].size), 1000, &whole);
        read_socket(slice_of(cases[i].in, cases[i].size), 1, &bytes);
        if (!slice_is(buffer_slice(&whole), cases[i].out) ||
            !slice_equal(buffer_slice(&whole), buffer_slice(&bytes)))
            fail_msg("case %zu: %.*s, %.*s", i, (int)whole.size, whole.bytes, (int)bytes.size,
                     bytes.bytes);
        buffer_free(&whole);
        buffer_free(&bytes);
    }
}

static void
read_spdy(struct slice in, size_t step, struct buffer *out)
{
    struct spdy_frames frames = { 0 };
    struct slice run;
    uint32_t stream;

    while (in.size > 0) {
        struct slice part = slice_first(in, step);
        enum spdy_frame read;

        in = slice_from(in, part.size);
        while ((read = spdy_next(&frames, &part, &stream, &run)) == SPDY_DATA)
            for (size_t i = 0; i < run.size; i++)
                put_format(out, "%u%c", stream, run.at[i]);
        if (read == SPDY_MALFORMED) {
            put_text(out, "!");
            return;
        }
    }
}

static void
reads_spdy(void **state)
{
    static const struct {
        const char *in;
        size_t size;
        const char *out;
    } cases[] = {
        CASE("\x00\x00\x00\x05\x00\x00\x00\x03"
             "abc",
             "5a5b5c"),
        CASE("\x80\x03\x00\x01\x00\x00\x00\x02zz\x00\x00\x00\x01\x01\x00\x00\x01x", "1x"),
        CASE("\x00\x00\x00\x03\x01\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x01y", "5y"),
        CASE("\x80\x02\x00\x01\x00\x00\x00\x00", "!"),
        CASE("GET / HTTP", ""),
        CASE("\x00\x00", ""),
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer whole = { 0 }, bytes = { 0 };

        read_spdy(slice_of(cases[i].in, cases[i].size), 1000, &whole);
        read_spdy(slice_of(cases[i].in, cases[i].size), 1, &bytes);
        if (i != 4 && !slice_is(buffer_slice(&whole), cases[i].out))
            fail_msg("case %zu: %.*s", i, (int)whole.size, whole.bytes);
        assert_true(slice_equal(buffer_slice(&whole), buffer_slice(&bytes)));
        buffer_free(&whole);
        buffer_free(&bytes);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_sockets),
        cmocka_unit_test(reads_spdy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
