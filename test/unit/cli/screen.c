/* A recording's bytes on a terminal: what only shows passes, what asks or sets does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "screen.h"

static const struct {
    const char *in, *out;
} cases[] = {
    { "plain\r\n\ttext\b", "plain\r\n\ttext\b" },
    { "\033[1;31mred\033[0m", "\033[1;31mred\033[0m" },
    { "\033[2J\033[10;5H\033[?25l", "\033[2J\033[10;5H\033[?25l" },
    { "\033(B\0337\0338\033M", "\033(B\0337\0338\033M" },
    { "h\xc3\xbc \xe2\x9c\x93 \xc2\xa9", "h\xc3\xbc \xe2\x9c\x93 \xc2\xa9" },
    /* What the terminal would answer. */
    { "a\033[cb", "ab" },
    { "a\033[6nb", "ab" },
    { "a\033[>qb", "ab" },
    { "a\033[?1$pb", "ab" },
    { "a\033[?ub", "ab" },
    { "a\033[21tb", "ab" },
    { "a\005b", "ab" },
    { "a\033Zb", "ab" },
    /* What it would do beside showing. */
    { "a\033]52;c;ZXZpbA==\ab", "ab" },
    { "a\033]0;title\033\\b", "ab" },
    { "a\033]8;;http://evil\033\\link", "alink" },
    { "a\033P$qm\033\\b", "ab" },
    { "a\033_Gi=1\033\\b", "ab" },
    { "a\033^x\033\\b", "ab" },
    { "a\033Xx\033\\b", "ab" },
    { "a\xc2\x9d"
      "52;c;x\ab",
      "a52;c;x\ab" },
    { "a\xc2\x9b"
      "6nb",
      "a6nb" },
    { "a\033[?1;1;0Sb", "ab" },
    { "a\033[?4mb", "ab" },
    { "a\033[?2048hb", "ab" },
    { "a\033[?1000hb", "ab" },
    { "a\033[2hb", "ab" },
    { "a\033[20hb", "ab" },
    { "a\033[?1;1000hb", "ab" },
    { "a\033[?2004hb", "a\033[?2004hb" },
    /* What ends a sequence on every terminal ends it here: nothing hides behind one. */
    { "a\033X\030b", "ab" },
    { "a\033]0;t\032b", "ab" },
    { "a\033[1\030b", "ab" },
    { "a\033Xx\xc2\x9c"
      "b",
      "ab" },
    /* Cut and broken. */
    { "a\033[", "a" },
    { "a\033", "a" },
    { "a\033[1\033[32mb", "a\033[32mb" },
    { "a\033\033[1mb", "a\033[1mb" },
    { "a\033]never ends", "a" },
    { "\x7f", "" },
};

static void
shows_only(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice in = slice_text(cases[i].in);
        struct screen whole = { 0 }, cut = { 0 };
        struct buffer one = { 0 }, other = { 0 };

        screen_show(&whole, in, &one);
        for (size_t at = 0; at < in.size; at++)
            screen_show(&cut, slice_of(in.at + at, 1), &other);
        if (!slice_is(buffer_slice(&one), cases[i].out) ||
            !slice_is(buffer_slice(&other), cases[i].out))
            fail_msg("case %zu: %.*s", i, (int)one.size, one.bytes);
        buffer_free(&one);
        buffer_free(&other);
    }
}

static void
leaves_out_what_is_too_long(void **state)
{
    struct screen screen = { 0 };
    struct buffer in = { 0 }, out = { 0 };

    put_text(&in, "\033[");
    for (int i = 0; i < 200; i++)
        put_text(&in, "1;");
    put_text(&in, "mend\033X");
    for (int i = 0; i < 500; i++)
        put_text(&in, "0123456789");
    screen_show(&screen, buffer_slice(&in), &out);
    assert_true(slice_starts(buffer_slice(&out), SLICE_LITERAL("end")));
    assert_true(out.size > 500 && out.size < 1000);
    buffer_free(&in);
    buffer_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_only),
        cmocka_unit_test(leaves_out_what_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
