/* JSON: what is refused, how members are taken, how text is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"

static json_t *
read_text(const char *text)
{
    struct fault fault = { 0 };
    json_t *value = NULL;

    assert_int_equal(json_read(slice_text(text), &value, &fault), STATUS_OK);
    return value;
}

static void
round_trips(void **state)
{
    static const char *const texts[] = {
        "{\"b\":1,\"a\":[true,false,null,-5,1.5],\"c\":{\"\":\"\\\"\\\\\"}}",
        "[]",
        "\"x\"",
        "9223372036854775807",
        "null",
        "{\"a\":\"\\u0001\"}",
    };
    struct buffer out = { 0 };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *value = read_text(texts[i]);
        buffer_clear(&out);
        put_json(&out, value);
        assert_int_equal(buffer_status(&out), STATUS_OK);
        assert_true(slice_is(buffer_slice(&out), texts[i]));
        json_decref(value);
    }
    buffer_clear(&out);
    put_json(&out, NULL);
    assert_int_equal(buffer_status(&out), STATUS_INTERNAL);
    buffer_free(&out);
}

static void
refuses(void **state)
{
    static const char *const wrong[] = {
        "",
        " ",
        "{",
        "[1,]",
        "{} x",
        "{}{}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "nul",
        "01",
        "1e400",
        "9223372036854775808",
        "\"\xff\"",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "\"a\nb\"",
        "'a'",
        "\xef\xbb\xbf{}",
        "NaN",
        "+1",
        "{a:1}",
        "/**/1",
        "\"\xed\xa0\x80\"",
    };
    struct fault fault;
    json_t *value = NULL;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fault = (struct fault){ 0 };
        assert_int_equal(json_read(slice_text(wrong[i]), &value, &fault), STATUS_INVALID);
        assert_int_equal(fault.code, STATUS_INVALID);
        assert_int_not_equal(fault.text[0], '\0');
    }
    assert_int_equal(json_read((struct slice){ 0 }, &value, NULL), STATUS_INVALID);
    assert_int_equal(json_read(SLICE_LITERAL("\"a\0b\""), &value, NULL), STATUS_INVALID);
    assert_null(value);
    assert_int_equal(json_read(slice_of("{}\0{}", 5), &value, &fault), STATUS_INVALID);
    assert_int_equal(json_read(slice_of("0\0", 2), &value, &fault), STATUS_INVALID);
}

/* A fault may be logged, so it doesn't repeat what it could not read. */
static void
names_the_place_only(void **state)
{
    struct fault fault = { 0 };
    json_t *value = NULL;

    assert_int_equal(json_read(SLICE_LITERAL("{\n  \"k\": hunter2 }"), &value, &fault),
                     STATUS_INVALID);
    assert_int_equal(fault.line, 2);
    assert_int_not_equal(fault.column, 0);
    assert_null(strstr(fault.text, "hunter2"));
}

static void
limits_depth(void **state)
{
    char text[2 * (JSON_DEPTH_MAX + 1)];
    struct fault fault = { 0 };
    json_t *value = NULL;

    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_int_equal(json_read(slice_of(text, 2 * JSON_DEPTH_MAX), &value, &fault), STATUS_OK);
    json_decref(value);
    value = NULL;
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(json_read(slice_of(text, sizeof text), &value, &fault), STATUS_TOO_LARGE);
    assert_null(value);
    /* Brackets in a string are no depth, behind an escaped quote neither. */
    char string[3 + 2 * JSON_DEPTH_MAX + 1] = "\"\\\"";
    memset(string + 3, '[', 2 * JSON_DEPTH_MAX);
    string[sizeof string - 1] = '"';
    assert_int_equal(json_read(slice_of(string, sizeof string), &value, &fault), STATUS_OK);
    json_decref(value);
}

static void
takes_members(void **state)
{
    json_t *object = read_text("{\"s\":\"text\",\"b\":true,\"n\":7,\"z\":null,\"m\":-1,\"f\":1.0,"
                               "\"a/b~\":1}");
    struct slice s = SLICE_LITERAL("before");
    struct fault fault = { 0 };
    uint64_t number = 5;
    bool flag = false;

    assert_int_equal(json_take_string(object, "absent", &s, &fault), STATUS_OK);
    assert_int_equal(json_take_string(object, "z", &s, &fault), STATUS_OK);
    assert_int_equal(json_take_string(NULL, "s", &s, &fault), STATUS_OK);
    assert_true(slice_is(s, "before"));
    assert_int_equal(json_take_string(object, "s", &s, &fault), STATUS_OK);
    assert_true(slice_is(s, "text"));
    assert_int_equal(json_take_string(object, "a/b~", &s, &fault), STATUS_INVALID);
    assert_string_equal(fault.pointer, "/a~1b~0");
    assert_true(slice_is(s, "text"));

    assert_int_equal(json_take_bool(object, "b", &flag, &fault), STATUS_OK);
    assert_true(flag);
    assert_int_equal(json_take_bool(object, "n", &flag, &fault), STATUS_INVALID);
    assert_int_equal(json_take_bool(object, "n", &flag, NULL), STATUS_INVALID);

    assert_int_equal(json_take_u64(object, "m", 9, &number, &fault), STATUS_INVALID);
    assert_int_equal(json_take_u64(object, "f", 9, &number, &fault), STATUS_INVALID);
    assert_int_equal(json_take_u64(object, "s", 9, &number, &fault), STATUS_INVALID);
    assert_int_equal(json_take_u64(object, "n", 6, &number, &fault), STATUS_INVALID);
    assert_string_equal(fault.text, "\"n\" must be at most 6");
    assert_int_equal(number, 5);
    assert_int_equal(json_take_u64(object, "n", 7, &number, &fault), STATUS_OK);
    assert_int_equal(number, 7);
    json_decref(object);

    object = read_text("[]");
    assert_int_equal(json_take_string(object, "s", &s, &fault), STATUS_INVALID);
    json_decref(object);
}

static void
knows_its_members(void **state)
{
    static const char *const known[] = { "subject", "roles", "scope", NULL };
    json_t *object = read_text("{\"roles\":[],\"subjet\":\"x\"}");
    struct fault fault = { 0 };

    assert_int_equal(json_only(object, known, &fault), STATUS_INVALID);
    assert_string_equal(fault.pointer, "/subjet");
    assert_string_equal(fault.text, "unknown member \"subjet\"; did you mean \"subject\"?");
    json_object_del(object, "subjet");
    assert_int_equal(json_only(object, known, &fault), STATUS_OK);
    json_object_set_new(object, "\x1b[2Jxxxxxxxx", json_null());
    assert_int_equal(json_only(object, known, &fault), STATUS_INVALID);
    assert_string_equal(fault.text, "unknown member \"\\u001b[2Jxxxxxxxx\"");
    assert_int_equal(json_only(NULL, known, &fault), STATUS_OK);
    json_decref(object);
}

static void
writes_strings(void **state)
{
    static const struct {
        struct slice text;
        const char *json;
    } same[] = {
        { { NULL, 0 }, "\"\"" },
        { { "a\"b\\c\n\t\r\0", 9 }, "\"a\\\"b\\\\c\\n\\t\\u000d\\u0000\"" },
        { { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9 },
          "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { { "\x7f\xc2\x9b", 3 }, "\"\\u007f\\u009b\"" },
        { { "a\xff"
            "b",
            3 },
          "\"a\xef\xbf\xbd"
          "b\"" },
        { { "\xc0\x80", 2 }, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { { "\xe2\x82", 2 }, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { { "\xed\xa0\x80", 3 }, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { { "\xf4\x90\x80\x80", 4 }, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
    };
    struct buffer out = { 0 };

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        json_t *value;
        buffer_clear(&out);
        put_json_string(&out, same[i].text);
        assert_true(slice_is(buffer_slice(&out), same[i].json));
        if (i != 1) { /* that one holds a NUL */
            assert_int_equal(json_read(buffer_slice(&out), &value, NULL), STATUS_OK);
            json_decref(value);
        }
    }
    buffer_free(&out);
}

static void
makes_strings(void **state)
{
    json_t *value = json_slice(slice_first(SLICE_LITERAL("abc"), 2));

    assert_string_equal(json_string_value(value), "ab");
    json_decref(value);
    assert_null(json_slice((struct slice){ 0 }));
    assert_null(json_slice(SLICE_LITERAL("\xff")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),       cmocka_unit_test(refuses),
        cmocka_unit_test(limits_depth),      cmocka_unit_test(names_the_place_only),
        cmocka_unit_test(takes_members),     cmocka_unit_test(writes_strings),
        cmocka_unit_test(knows_its_members), cmocka_unit_test(makes_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
