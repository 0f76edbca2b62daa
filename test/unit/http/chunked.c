/* The chunked coding: tables of good and bad bodies, whole and byte by byte; and
 * heads as they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/chunked.h"
#include "http/write.h"

struct row {
    const char *in, *data, *trailers, *rest;
    enum http_chunk end;
};

static const struct row rows[] = {
    { "0\r\n\r\n", "", "", "", HTTP_CHUNK_END },
    { "5\r\nhello\r\n0\r\n\r\n", "hello", "", "", HTTP_CHUNK_END },
    { "5\r\nhello\r\n00000000000000000A\r\n", "hello", "", "", HTTP_CHUNK_MALFORMED },
    { "000A\r\n0123456789\r\n1;a=b\r\nx\r\n000\r\n\r\nGET", "0123456789x", "", "GET",
      HTTP_CHUNK_END },
    { "3;x=\"y z\"\r\nabc\r\n0;z\r\nT: 1\r\nU: 2\r\n\r\nrest", "abc", "T: 1\r\nU: 2\r\n", "rest",
      HTTP_CHUNK_END },
    { "5\r\nhel", "hel", "", "", HTTP_CHUNK_MORE },
    { "\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "g\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "-1\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "+1\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "0x1\r\na\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { " 1\r\na\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "1 \r\na\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "1 ;a\r\na\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "1\na\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "1\r\na\n0\r\n\r\n", "a", "", "", HTTP_CHUNK_MALFORMED },
    { "1\r\nab\r\n0\r\n\r\n", "a", "", "", HTTP_CHUNK_MALFORMED },
    { "1\r\na\r0\r\n\r\n", "a", "", "", HTTP_CHUNK_MALFORMED },
    { "1;a\nb\r\na\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "1;a\rb\r\na\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "8000000000000000\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "11111111111111111\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "0\r\nContent-Length: 5\r\n\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "0\r\nTransfer-Encoding: chunked\r\n\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "0\r\nHost: b\r\n\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "0\r\nAuthorization: b\r\n\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "0\r\nX-Writ-Subject: b\r\n\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "0\r\nX_Foo: b\r\n\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "0\r\nT : b\r\n\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "0\r\nT: b\n\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "0\r\nT: b\r\n c\r\n\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
    { "0\r\nGET / HTTP/1.1\r\n\r\n", "", "", "", HTTP_CHUNK_MALFORMED },
};

/* Feeds the bytes in steps of this size; *out gets the data. */
static enum http_chunk
feed(struct http_chunked *chunked, struct slice in, size_t step, struct buffer *out,
     struct slice *rest)
{
    enum http_chunk got = HTTP_CHUNK_MORE;

    *rest = (struct slice){ 0 };
    while (in.size > 0 && got == HTTP_CHUNK_MORE) {
        struct slice part = slice_first(in, step), data;
        size_t given = part.size;

        while ((got = http_chunked_next(chunked, &part, &data)) == HTTP_CHUNK_DATA)
            put_slice(out, data);
        if (got == HTTP_CHUNK_END)
            *rest = slice_from(in, given - part.size);
        in = slice_from(in, given);
    }
    return got;
}

static void
decodes_alike_in_all_pieces(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step <= 64; step = step < 4 ? step + 1 : step * 4) {
            struct http_chunked chunked = { 0 };
            struct buffer out = { 0 };
            struct slice rest;
            enum http_chunk got = feed(&chunked, slice_text(rows[i].in), step, &out, &rest);

            if (got != rows[i].end || !slice_is(buffer_slice(&out), rows[i].data))
                fail_msg("row %zu step %zu: %s: %d %.*s", i, step, rows[i].in, (int)got,
                         SLICE_PRINT(buffer_slice(&out)));
            if (got == HTTP_CHUNK_END) {
                assert_true(slice_is(rest, rows[i].rest));
                assert_true(slice_is(http_chunked_trailers(&chunked), rows[i].trailers));
            }
            if (got == HTTP_CHUNK_MALFORMED) {
                struct slice more = SLICE_LITERAL("0\r\n\r\n"), data;

                assert_int_equal(http_chunked_next(&chunked, &more, &data), HTTP_CHUNK_MALFORMED);
            }
            buffer_free(&out);
            http_chunked_free(&chunked);
        }
    }
}

static void
bounds_extensions_and_trailers(void **state)
{
    struct http_chunked chunked = { 0 };
    struct buffer in = { 0 }, out = { 0 };
    struct slice rest;

    for (unsigned i = 0; i < HTTP_CHUNK_EXTENSIONS_MAX / 4; i++)
        put_text(&in, "1;aaa\r\nx\r\n");
    assert_int_equal(feed(&chunked, buffer_slice(&in), 1000, &out, &rest), HTTP_CHUNK_MORE);
    assert_int_equal(feed(&chunked, SLICE_LITERAL("1;a\r\n"), 10, &out, &rest),
                     HTTP_CHUNK_MALFORMED);
    http_chunked_free(&chunked);
    buffer_clear(&in);
    put_text(&in, "0\r\n");
    for (unsigned i = 0; i < HTTP_TRAILERS_MAX / 64; i++)
        put_text(&in, "Tttttttttttttttttttttttttttttttttttttttttttttt: 123456789012345678901\r\n");
    assert_int_equal(feed(&chunked, buffer_slice(&in), 1000, &out, &rest), HTTP_CHUNK_MALFORMED);
    http_chunked_free(&chunked);
    buffer_free(&in);
    buffer_free(&out);
}

static void
encodes(void **state)
{
    char line[HTTP_CHUNK_LINE_MAX];
    struct buffer out = { 0 };

    assert_true(slice_is(http_chunk_line(1, line), "1\r\n"));
    assert_true(slice_is(http_chunk_line(65536, line), "10000\r\n"));
    assert_true(slice_is(http_chunk_line(SIZE_MAX, line), "ffffffffffffffff\r\n"));
    http_put_last_chunk(&out, SLICE_LITERAL("T: 1\r\n"));
    assert_true(slice_is(buffer_slice(&out), "0\r\nT: 1\r\n\r\n"));
    buffer_free(&out);
}

static void
writes_heads(void **state)
{
    struct buffer out = { 0 };
    const char *bad_values[] = { "a\r\nX: 1", "a\nb", "a\rb", "\x01", "\x7f" };
    const char *bad_names[] = { "", "a b", "a:", "a\r\n", "\xc3\xa4" };
    char date[HTTP_DATE_SIZE + 1];

    http_put_request_line(&out, SLICE_LITERAL("GET"), SLICE_LITERAL("/a?b"));
    http_put_header(&out, SLICE_LITERAL("Host"), SLICE_LITERAL("a\tb \xc3\xa4"));
    http_put_header_number(&out, SLICE_LITERAL("N"), UINT64_MAX);
    assert_int_equal(buffer_status(&out), STATUS_OK);
    assert_true(slice_is(buffer_slice(&out), "GET /a?b HTTP/1.1\r\nHost: a\tb \xc3\xa4\r\n"
                                             "N: 18446744073709551615\r\n"));
    buffer_clear(&out);
    http_put_status_line(&out, 404);
    http_put_status_line(&out, 299);
    http_put_date(&out, 1764007200123);
    assert_true(slice_is(buffer_slice(&out), "HTTP/1.1 404 Not Found\r\nHTTP/1.1 299 \r\n"
                                             "Date: Mon, 24 Nov 2025 18:00:00 GMT\r\n"));
    http_date_format(784111777000, date);
    assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    for (size_t i = 0; i < 5; i++) {
        buffer_clear(&out);
        http_put_header(&out, SLICE_LITERAL("X"), slice_text(bad_values[i]));
        assert_int_equal(buffer_status(&out), STATUS_INVALID);
        assert_int_equal(out.size, 0);
        buffer_clear(&out);
        http_put_header(&out, slice_text(bad_names[i]), SLICE_LITERAL("1"));
        assert_int_equal(buffer_status(&out), STATUS_INVALID);
    }
    buffer_clear(&out);
    http_put_request_line(&out, SLICE_LITERAL("GET"), SLICE_LITERAL("/a b"));
    assert_int_equal(buffer_status(&out), STATUS_INVALID);
    buffer_clear(&out);
    http_put_request_line(&out, SLICE_LITERAL("G T"), SLICE_LITERAL("/a"));
    assert_int_equal(buffer_status(&out), STATUS_INVALID);
    buffer_clear(&out);
    http_put_status_line(&out, 1000);
    assert_int_equal(buffer_status(&out), STATUS_INVALID);
    buffer_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_alike_in_all_pieces),
        cmocka_unit_test(bounds_extensions_and_trailers),
        cmocka_unit_test(encodes),
        cmocka_unit_test(writes_heads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
