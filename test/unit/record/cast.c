/* Asciicast: lines that a player reads, whatever the bytes were and wherever they were cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "record/cast.h"

static void
expect(struct buffer *out, const char *text)
{
    assert_int_equal(buffer_status(out), STATUS_OK);
    put_u8(out, '\0');
    assert_string_equal(out->bytes, text);
    buffer_clear(out);
}

static void
describes_itself(void **state)
{
    struct buffer out = { 0 };
    struct cast_about about = { .started_at = 1700000000123, .command = SLICE_LITERAL("a \"b\"") };

    cast_head(&about, &out);
    expect(&out, "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1700000000,"
                 "\"command\":\"a \\\"b\\\"\"}\n");
    about = (struct cast_about){ .width = 120, .height = 40, .title = SLICE_LITERAL("web-1") };
    cast_head(&about, &out);
    expect(&out, "{\"version\":2,\"width\":120,\"height\":40,\"timestamp\":0,"
                 "\"title\":\"web-1\"}\n");
    buffer_free(&out);
}

static void
tells_events(void **state)
{
    struct buffer out = { 0 };
    struct cast cast = { 0 };

    cast_bytes(&cast, 1500001, CAST_OUTPUT, SLICE_LITERAL("a\x1b[0m\r\n"), &out);
    expect(&out, "[1.500001,\"o\",\"a\\u001b[0m\\u000d\\n\"]\n");
    cast_bytes(&cast, 1600000, CAST_INPUT, SLICE_LITERAL("x"), &out);
    expect(&out, "[1.600000,\"i\",\"x\"]\n");
    /* A clock that goes back does not turn the events round. */
    cast_bytes(&cast, 1, CAST_ERRORS, SLICE_LITERAL("e"), &out);
    expect(&out, "[1.600000,\"o\",\"e\"]\n");
    cast_resize(&cast, 2000000, 100, 50, &out);
    expect(&out, "[2.000000,\"r\",\"100x50\"]\n");
    cast_bytes(&cast, 3000000, CAST_OUTPUT, slice_of(NULL, 0), &out);
    expect(&out, "");
    buffer_free(&out);
}

static void
waits_for_a_character(void **state)
{
    struct buffer out = { 0 };
    struct cast cast = { 0 };

    cast_bytes(&cast, 1, CAST_OUTPUT, SLICE_LITERAL("\xe2\x82"), &out);
    expect(&out, "");
    /* Another stream stands in a character of its own. */
    cast_bytes(&cast, 2, CAST_ERRORS, SLICE_LITERAL("x"), &out);
    expect(&out, "[0.000002,\"o\",\"x\"]\n");
    cast_bytes(&cast, 3, CAST_OUTPUT, SLICE_LITERAL("\xac!"), &out);
    expect(&out, "[0.000003,\"o\",\"\xe2\x82\xac!\"]\n");
    cast_bytes(&cast, 4, CAST_OUTPUT, SLICE_LITERAL("\xf0\x9f"), &out);
    cast_end(&cast, 5, &out);
    expect(&out, "[0.000005,\"o\",\"\xef\xbf\xbd\"]\n");
    buffer_free(&out);
}

static void
replaces_what_is_no_text(void **state)
{
    struct buffer out = { 0 };
    struct cast cast = { 0 };

    cast_bytes(&cast, 0, CAST_OUTPUT, SLICE_LITERAL("\xff\xc0\xe2(\xed\xa0z"), &out);
    expect(&out,
           "[0.000000,\"o\",\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbdz\"]\n");
    buffer_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describes_itself),
        cmocka_unit_test(tells_events),
        cmocka_unit_test(waits_for_a_character),
        cmocka_unit_test(replaces_what_is_no_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
