/* test/unit/base/json_reader.c - tokens, limits, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/json_reader.h"

/* One letter for each token; texts behind it. */
static void
tell(const char *json, struct buffer *out)
{
    static const char letters[] = "{[)nsdtf0.!";
    struct json_reader reader;
    struct json_piece piece;

    buffer_clear(out);
    json_reader_init(&reader, slice_text(json));
    do {
        json_next(&reader, &piece);
        put_u8(out, (uint8_t)letters[piece.token]);
        if (piece.token == JSON_TOKEN_NAME || piece.token == JSON_TOKEN_STRING)
            put_slice(out, piece.text);
        else if (piece.token == JSON_TOKEN_NUMBER)
            put_slice(out, piece.raw);
    } while (piece.token != JSON_TOKEN_DONE && piece.token != JSON_TOKEN_WRONG);
    assert_true((piece.token == JSON_TOKEN_WRONG) == (reader.why != NULL));
    put_u8(out, 0);
    json_reader_free(&reader);
}

static void
tokens(void **state)
{
    static const char *const rows[][2] = {
        { "{}", "{)." },
        { " [ ] ", "[)." },
        { "\"a\"", "sa." },
        { "-0.5e+3", "d-0.5e+3." },
        { "[1,\"b\",true,false,null]", "[d1sbtf0)." },
        { "{\"a\":{\"a\":1},\"b\":[{}]}", "{na{nad1)nb[{)))." },
        { "\"\\u0041\\n\\ud83d\\ude00\\\"\"", "sA\n\xf0\x9f\x98\x80\"." },
        { "{\"a\":1,\"\\u0061\":2}", "{nad1!" },
        { "{\"a\":1,\"b\":{\"a\":2}}", "{nad1nb{nad2))." },
        { "[{\"a\":1},{\"a\":2}]", "[{nad1){nad2))." },
        { "", "!" },
        { "{", "{!" },
        { "[1,]", "[d1!" },
        { "[,1]", "[!" },
        { "{\"a\":1,}", "{nad1!" },
        { "{a:1}", "{!" },
        { "{\"a\" 1}", "{!" },
        { "{\"a\":}", "{na!" },
        { "[1 2]", "[d1!" },
        { "1 2", "d1!" },
        { "{} {}", "{)!" },
        { "01", "!" },
        { "1.", "!" },
        { ".5", "!" },
        { "+1", "!" },
        { "1e", "!" },
        { "nul", "!" },
        { "NaN", "!" },
        { "\"\t\"", "!" },
        { "\"\\x\"", "!" },
        { "\"\\u12\"", "!" },
        { "\"\\ud800\"", "!" },
        { "\"\\ude00\"", "!" },
        { "\"\\ud800\\u0041\"", "!" },
        { "\"\\u0000\"", "!" },
        { "\"\xff\"", "!" },
        { "\"\xc0\xaf\"", "!" },
        { "\"\xed\xa0\x80\"", "!" },
        { "\"a", "!" },
        { "\xef\xbb\xbf{}", "!" },
        { "'a'", "!" },
        { "[1}", "[d1!" },
        { "{\"a\":1]", "{nad1!" },
    };
    struct buffer out = { 0 };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tell(rows[i][0], &out);
        if (strcmp(out.bytes, rows[i][1]) != 0)
            fail_msg("%s: %s, not %s", rows[i][0], out.bytes, rows[i][1]);
    }
    buffer_free(&out);
}

static void
depth_and_members_are_limited(void **state)
{
    struct buffer json = { 0 }, out = { 0 };

    for (unsigned depth = JSON_READER_DEPTH; depth <= JSON_READER_DEPTH + 1; depth++) {
        buffer_clear(&json);
        for (unsigned i = 0; i < depth; i++)
            put_text(&json, "[");
        for (unsigned i = 0; i < depth; i++)
            put_text(&json, "]");
        put_u8(&json, 0);
        tell(json.bytes, &out);
        assert_int_equal(out.bytes[out.size - 2], depth == JSON_READER_DEPTH ? '.' : '!');
    }
    for (unsigned most = JSON_READER_MEMBERS; most <= JSON_READER_MEMBERS + 1; most++) {
        buffer_clear(&json);
        for (unsigned i = 0; i < most; i++)
            put_format(&json, "%s\"%u\":0", i == 0 ? "{" : ",", i);
        put_text(&json, "}");
        put_u8(&json, 0);
        tell(json.bytes, &out);
        assert_int_equal(out.bytes[out.size - 2], most == JSON_READER_MEMBERS ? '.' : '!');
    }
    buffer_free(&json);
    buffer_free(&out);
}

static void
values_are_skipped_whole(void **state)
{
    struct json_reader reader;
    struct json_piece piece;
    struct slice whole;

    json_reader_init(&reader, SLICE_LITERAL("{\"a\": {\"b\":[1,2]} ,\"c\":3}"));
    assert_int_equal(json_next(&reader, &piece), JSON_TOKEN_OBJECT);
    assert_int_equal(json_next(&reader, &piece), JSON_TOKEN_NAME);
    assert_int_equal(json_next(&reader, &piece), JSON_TOKEN_OBJECT);
    assert_true(json_skip(&reader, &piece, &whole));
    assert_true(slice_is(whole, "{\"b\":[1,2]}"));
    assert_int_equal(json_next(&reader, &piece), JSON_TOKEN_NAME);
    assert_true(slice_is(piece.text, "c"));
    assert_int_equal(json_next(&reader, &piece), JSON_TOKEN_NUMBER);
    assert_true(json_skip(&reader, &piece, &whole));
    assert_true(slice_is(whole, "3"));
    json_reader_free(&reader);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens),
        cmocka_unit_test(depth_and_members_are_limited),
        cmocka_unit_test(values_are_skipped_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
