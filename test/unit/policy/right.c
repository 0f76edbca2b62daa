/* The grammar of a right: what it takes, what it refuses, and each limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/decide.h"

static void
accepts(const char *text)
{
    struct right right;
    struct fault fault = { 0 };

    if (right_parse(slice_text(text), &right, &fault) != STATUS_OK)
        fail_msg("%s: %s", text, fault.text);
}

static void
refuses(const char *text, const char *why)
{
    struct right right = { .text = SLICE_LITERAL("untouched") };
    struct fault fault = { 0 };

    if (right_parse(slice_text(text), &right, &fault) != STATUS_INVALID)
        fail_msg("%s is taken", text);
    if (strstr(fault.text, why) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", text, fault.text, why);
    assert_true(slice_is(right.text, "untouched"));
    assert_int_equal(right_parse(slice_text(text), &right, NULL), STATUS_INVALID);
}

static void
test_parts(void **unused)
{
    struct right right;

    assert_int_equal(right_parse(slice_text("orders:GET|HEAD:/v1/a:b/**"), &right, NULL),
                     STATUS_OK);
    assert_true(slice_is(right.text, "orders:GET|HEAD:/v1/a:b/**"));
    assert_true(slice_is(right.resource, "orders"));
    assert_true(slice_is(right.actions, "GET|HEAD"));
    assert_true(slice_is(right.object, "/v1/a:b/**"));
    assert_int_equal(right.columns.size, 0);
    assert_int_equal(right_parse(slice_text("w:select:public.users(id,na%20me)"), &right, NULL),
                     STATUS_OK);
    assert_true(slice_is(right.object, "public.users"));
    assert_true(slice_is(right.columns, "id,na%20me"));
}

static void
test_grammar(void **unused)
{
    static const char *const good[] = {
        "a:b:c",
        "0_-:x.y-z_1:-",
        "*:*:**",
        "*:*:*",
        "a*b:c*d:e*f",
        "a:GET:/**/x/**",
        "a:GET:~/:@!$&'+=#",
        "a:GET:/%2A%20%C3%A9",
        "a:GET::",
        "a:tokens.*:session:",
        "writ:*:*",
        "a:GET:/x**",
    };
    static const struct {
        const char *text, *why;
    } bad[] = {
        { "", "three parts" },
        { "orders", "three parts" },
        { "orders:GET", "three parts" },
        { "orders:GET:", "object is empty" },
        { ":GET:/", "resource is empty" },
        { "orders::/", "action is empty" },
        { "orders:GET|:/", "action is empty" },
        { "orders:|GET:/", "action is empty" },
        { "orders:GET||PUT:/", "action is empty" },
        { "Orders:GET:/", "'O' can't stand in a resource" },
        { "or ders:GET:/", "0x20" },
        { "or|ders:GET:/", "'|' can't stand" },
        { "-orders:GET:/", "begins with" },
        { "_orders:GET:/", "begins with" },
        { "or.ders:GET:/", "'.' can't stand in a resource" },
        { "**:GET:/", "any run in a resource" },
        { "a:**:/", "any run in an action" },
        { "a:G/T:/", "'/' can't stand in an action" },
        { "a:GET:/a b", "0x20" },
        { "a:GET:/a\"b", "'\"' can't stand" },
        { "a:GET:/a\\b", "'\\' can't stand" },
        { "a:GET:/a\nb", "0x0a" },
        { "a:GET:/\xc3\xa9", "0xc3" },
        { "a:GET:/a?b", "'?' can't stand" },
        { "a:GET:/a;b", "';' can't stand" },
        { "a:GET:/a|b", "'|' can't stand" },
        { "a:GET:/%", "'%' can't stand" },
        { "a:GET:/%2", "'%' can't stand" },
        { "a:GET:/%2a", "'%' can't stand" },
        { "a:GET:/%g0", "'%' can't stand" },
        { "a:GET:/%41", "can't stand for itself" },
        { "a:GET:/%2F", "can't stand for itself" },
        { "a:GET:/***", "means nothing" },
        { "a:GET:/****", "means nothing" },
        { "a:GET:/**/**", "any number of segments" },
        { "a:GET:**.**", "any number of segments" },
        { "a:GET:/**/a/**/b/**", "two '**'" },
        { "a*:b*:c*d*e*f*g*h*i*", "eight '*'" },
        { "w:select:t(", "end with ')'" },
        { "w:select:t()", "name is empty" },
        { "w:select:t(a,)", "name is empty" },
        { "w:select:t(,a)", "name is empty" },
        { "w:select:t(a)b", "nothing may follow" },
        { "w:select:t(a)(b)", "nothing may follow" },
        { "w:select:t(*)", "'*' can't stand in a column" },
        { "w:select:(a)", "object is empty" },
        { "w:select:t)", "')' can't stand" },
        { "w:select:a,b", "',' can't stand" },
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        accepts(good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refuses(bad[i].text, bad[i].why);
}

/* A text of count times piece behind start. */
static const char *
repeated(char *out, const char *start, const char *piece, size_t count)
{
    strcpy(out, start);
    for (size_t i = 0; i < count; i++)
        strcat(out, piece);
    return out;
}

static void
test_limits(void **unused)
{
    char text[2048];
    struct right right;

    accepts(repeated(text, "a:GET:", "x", RIGHT_SIZE_MAX - 6));
    refuses(repeated(text, "a:GET:", "x", RIGHT_SIZE_MAX - 5), "512 bytes");
    accepts(repeated(text, "a:GET:", "/x", RIGHT_SEGMENTS_MAX));
    refuses(repeated(text, "a:GET:", "/x", RIGHT_SEGMENTS_MAX + 1), "32 segments");
    accepts(repeated(text, "a:GET:", "/*", RIGHT_STARS_MAX));
    refuses(repeated(text, "a:GET:", "/*", RIGHT_STARS_MAX + 1), "eight '*'");
    accepts(repeated(text, "a:GET:", "/**x", RIGHT_DOUBLE_STARS_MAX));
    refuses(repeated(text, "a:GET:", "/**x", RIGHT_DOUBLE_STARS_MAX + 1), "two '**'");
    repeated(text, "", "n", REQUEST_NAME_MAX);
    accepts(strcat(text, ":GET:/"));
    repeated(text, "", "n", REQUEST_NAME_MAX + 1);
    refuses(strcat(text, ":GET:/"), "63 bytes");
    repeated(text, "a:", "n", REQUEST_ACTION_MAX);
    accepts(strcat(text, ":/"));
    repeated(text, "a:", "n", REQUEST_ACTION_MAX + 1);
    refuses(strcat(text, ":/"), "64 bytes");
    repeated(text, "a:b", "|b", RIGHT_ACTIONS_MAX - 1);
    accepts(strcat(text, ":/"));
    repeated(text, "a:b", "|b", RIGHT_ACTIONS_MAX);
    refuses(strcat(text, ":/"), "64 actions");
    assert_int_equal(right_parse(slice_of("a:GET:/\0x", 9), &right, NULL), STATUS_INVALID);
    assert_int_equal(right_parse(slice_of(NULL, 0), &right, NULL), STATUS_INVALID);
}

static void
test_fault_column(void **unused)
{
    struct right right;
    struct fault fault = { 0 };

    assert_int_equal(right_parse(slice_text("orders:GET:/a b"), &right, &fault), STATUS_INVALID);
    assert_int_equal(fault.column, 14);
}

static void
test_names(void **unused)
{
    assert_true(name_valid(slice_text("a")));
    assert_true(name_valid(slice_text("0-a_b")));
    assert_false(name_valid(slice_text("")));
    assert_false(name_valid(slice_text("-a")));
    assert_false(name_valid(slice_text("_a")));
    assert_false(name_valid(slice_text("A")));
    assert_false(name_valid(slice_text("a.b")));
    assert_false(name_valid(slice_of("a\0", 2)));
    assert_true(subject_name_valid(slice_text("amara@example.org")));
    assert_true(subject_name_valid(slice_text("local:0")));
    assert_true(subject_name_valid(slice_text("local:4294967295")));
    assert_false(subject_name_valid(slice_text("local:4294967296")));
    assert_false(subject_name_valid(slice_text("local:01")));
    assert_false(subject_name_valid(slice_text("local:")));
    assert_false(subject_name_valid(slice_text("other:1")));
    assert_false(subject_name_valid(slice_text(".a")));
}

static void
test_requests(void **unused)
{
    struct request request;
    struct buffer out = { 0 };

    put_object(&out, slice_of("/a b*%\xc3\xa9(;)", 11));
    assert_true(slice_is(buffer_slice(&out), "/a%20b%2A%25%C3%A9%28%3B%29"));
    buffer_clear(&out);
    assert_int_equal(
        request_from_right(slice_text("w:select:t.u(a,b)"), OBJECT_SQL, &request, NULL), STATUS_OK);
    assert_true(slice_is(request.columns, "a,b"));
    put_request_right(&out, &request);
    assert_true(slice_is(buffer_slice(&out), "w:select:t.u(a,b)"));
    buffer_clear(&out);
    request.columns = request.object = slice_of(NULL, 0);
    put_request_right(&out, &request);
    assert_true(slice_is(buffer_slice(&out), "w:select:-"));
    buffer_free(&out);
    assert_int_equal(request_from_right(slice_text("w:select:t(a)"), OBJECT_PATH, &request, NULL),
                     STATUS_INVALID);
    assert_int_equal(request_from_right(slice_text("w:a|b:t"), OBJECT_PATH, &request, NULL),
                     STATUS_INVALID);
    assert_int_equal(request_from_right(slice_text("w:a:t*"), OBJECT_PATH, &request, NULL),
                     STATUS_INVALID);
    assert_int_equal(request_from_right(slice_text("*:a:t"), OBJECT_PATH, &request, NULL),
                     STATUS_INVALID);
    assert_int_equal(request_from_right(slice_text("w:a:t%2A"), OBJECT_PATH, &request, NULL),
                     STATUS_OK);
}

static void
test_within(void **unused)
{
    static const struct {
        const char *narrow, *wide;
        bool all, path;
    } pairs[] = {
        { "o:GET:/v1/orders/42", "o:GET:/v1/orders/**", true, true },
        { "o:GET:/v1/orders", "o:GET:/v1/orders/**", true, true },
        { "o:GET:/v1/orders/**", "o:GET:/v1/orders/**", true, true },
        { "o:GET:/v1/orders/**", "o:GET:/v1/orders/*", false, false },
        { "o:GET:/v1/orders/*", "o:GET:/v1/orders/**", true, true },
        { "o:GET:/v1/o*s/x", "o:GET:/v1/*/x", true, true },
        { "o:GET:/f/report.pdf", "o:GET:/f/*", false, true },
        { "o:GET:/f/a/b", "o:GET:/f/*", false, false },
        { "o:GET:/f", "o:GET:/f/*", false, false },
        { "o:GET|PUT:/x", "o:GET:/x", false, false },
        { "o:GET:/x", "o:GET|PUT:/x", true, true },
        { "o:*:/x", "o:GET|PUT:/x", false, false },
        { "o:G*:/x", "o:*:/x", true, true },
        { "o:GET:/x", "*:GET:/x", true, true },
        { "*:GET:/x", "o:GET:/x", false, false },
        { "writ:a:b", "*:*:**", false, false },
        { "writ:a:b", "writ:*:**", true, true },
        { "w*t:a:b", "*:*:**", true, true },
        { "o:select:t(a)", "o:select:t", true, true },
        { "o:select:t", "o:select:t(a)", false, false },
        { "o:select:t(a)", "o:select:t(b,a)", true, true },
        { "o:select:t(a,c)", "o:select:t(b,a)", false, false },
        { "o:GET:/**", "o:GET:**", true, true },
        { "o:GET:**", "o:GET:/**", false, false },
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct right narrow, wide;

        assert_int_equal(right_parse(slice_text(pairs[i].narrow), &narrow, NULL), STATUS_OK);
        assert_int_equal(right_parse(slice_text(pairs[i].wide), &wide, NULL), STATUS_OK);
        if (right_within(&narrow, &wide) != pairs[i].all ||
            right_within_as(&narrow, &wide, OBJECT_PATH) != pairs[i].path)
            fail_msg("%s within %s", pairs[i].narrow, pairs[i].wide);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),  cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_fault_column),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_requests),
        cmocka_unit_test(test_within),
    };

    return cmocka_run_group_tests_name("policy/right", tests, NULL, NULL);
}
