/* Slices and the cursor: what they find, split, read and hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/slice.h"

static void
compares(void **state)
{
    struct slice s = SLICE_LITERAL("Writ token"), none = { 0 };

    assert_true(slice_is(s, "Writ token"));
    assert_true(slice_equal(none, SLICE_LITERAL("")));
    assert_true(slice_starts(s, SLICE_LITERAL("Writ")));
    assert_true(slice_starts(none, none));
    assert_false(slice_starts(SLICE_LITERAL("Wri"), SLICE_LITERAL("Writ")));
    assert_true(slice_ends(s, SLICE_LITERAL("token")));
    assert_true(slice_ends(s, none));
    assert_false(slice_ends(SLICE_LITERAL("ken"), SLICE_LITERAL("token")));
    assert_true(slice_equal_nocase(s, SLICE_LITERAL("wRIT TOKEN")));
    /* '@' and '`', '[' and '{' differ by the bit that makes letters small. */
    assert_false(slice_equal_nocase(SLICE_LITERAL("@["), SLICE_LITERAL("`{")));
    assert_false(slice_equal_nocase(SLICE_LITERAL("\xc4"), SLICE_LITERAL("\xe4")));
}

static void
cuts(void **state)
{
    struct slice s = SLICE_LITERAL("abc"), none = { 0 };

    assert_true(slice_is(slice_from(s, 1), "bc"));
    assert_int_equal(slice_from(s, 4).size, 0);
    assert_int_equal(slice_from(none, 4).size, 0);
    assert_true(slice_is(slice_first(s, 9), "abc"));
    assert_int_equal(slice_find(s, 'c'), 2);
    assert_int_equal(slice_find(s, 'x'), 3);
    assert_int_equal(slice_find(none, 'x'), 0);
    assert_true(slice_is(slice_trim(SLICE_LITERAL(" \ta b\t ")), "a b"));
    assert_int_equal(slice_trim(SLICE_LITERAL(" \t ")).size, 0);
    assert_true(slice_is(slice_trim(SLICE_LITERAL("\na")), "\na"));
}

static void
splits(void **state)
{
    struct slice rest = SLICE_LITERAL("a,,b,"), part = { 0 };

    assert_true(slice_next(&rest, ',', &part));
    assert_true(slice_is(part, "a"));
    assert_true(slice_next(&rest, ',', &part));
    assert_true(slice_is(part, ""));
    assert_true(slice_next(&rest, ',', &part));
    assert_true(slice_is(part, "b"));
    assert_false(slice_next(&rest, ',', &part));
    assert_true(slice_is(part, "b"));
}

static void
reads_numbers(void **state)
{
    static const char *const wrong[] = {
        "", "-1", "+1", " 1", "1 ", "0x1", "1a", "18446744073709551616", "99999999999999999999999"
    };
    uint64_t value = 7;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(slice_u64(slice_text(wrong[i]), &value));
    assert_int_equal(value, 7);
    assert_true(slice_u64(SLICE_LITERAL("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(slice_u64(SLICE_LITERAL("007"), &value));
    assert_int_equal(value, 7);
}

static void
copies(void **state)
{
    char *copy = slice_strdup(slice_first(SLICE_LITERAL("abc"), 2));

    assert_string_equal(copy, "ab");
    free(copy);
    copy = slice_strdup((struct slice){ 0 });
    assert_string_equal(copy, "");
    free(copy);
}

/* Every size and every byte counts, and the buckets of a table fill evenly. */
static void
hashes(void **state)
{
    char text[64] = { 0 };
    unsigned buckets[256] = { 0 };
    uint64_t last;

    for (size_t size = 0; size < sizeof text; size++) {
        last = slice_hash(slice_of(text, size));
        assert_true(last == slice_hash(slice_of(text, size)));
        assert_true(last != slice_hash(slice_of(text, size + 1 > 63 ? 0 : size + 1)));
        for (size_t at = 0; at < size; at++) {
            text[at] = 1;
            assert_true(last != slice_hash(slice_of(text, size)));
            text[at] = 0;
        }
    }
    for (uint32_t i = 0; i < 256 * 256; i++) {
        memcpy(text, &i, sizeof i);
        buckets[slice_hash(slice_of(text, 40)) & 255]++;
    }
    for (size_t i = 0; i < 256; i++) /* 256 expected, standard deviation 16 */
        assert_in_range(buckets[i], 256 - 112, 256 + 112);
}

static void
takes(void **state)
{
    const char bytes[] = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f";
    struct cursor in = cursor_over(slice_of(bytes, 15)), before;
    uint64_t wide = 0;
    uint32_t word = 0;
    uint16_t half = 0;
    uint8_t byte = 0;
    struct slice rest;

    assert_true(take_u8(&in, &byte) && byte == 1);
    assert_true(take_be16(&in, &half) && half == 0x0203);
    assert_true(take_be32(&in, &word) && word == 0x04050607);
    assert_true(take_be64(&in, &wide) && wide == 0x08090a0b0c0d0e0f);
    before = in;
    assert_false(take_u8(&in, &byte) || take_be16(&in, &half) || take_be32(&in, &word));
    assert_false(take_be64(&in, &wide) || take_bytes(&in, 1, &rest));
    assert_true(in.at == before.at && byte == 1);
    assert_true(take_bytes(&in, 0, &rest));
    in = cursor_over((struct slice){ 0 });
    assert_int_equal(cursor_left(&in), 0);
    assert_true(take_bytes(&in, 0, &rest));
}

static void
takes_behind_a_length(void **state)
{
    struct cursor in = cursor_over(SLICE_LITERAL("\x00\x02"
                                                 "ab"
                                                 "\x00\x00\x00\x01"
                                                 "c"
                                                 "\x00\x02x"));
    struct slice s;
    size_t left;

    assert_true(take_slice16(&in, &s) && slice_is(s, "ab"));
    assert_true(take_slice32(&in, &s) && slice_is(s, "c"));
    left = cursor_left(&in);
    assert_false(take_slice16(&in, &s)); /* it says two and has one */
    assert_int_equal(cursor_left(&in), left);
    assert_true(slice_is(s, "c"));
    in = cursor_over(SLICE_LITERAL("\xff\xff\xff\xff!"));
    assert_false(take_slice32(&in, &s));
    assert_int_equal(cursor_left(&in), 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares), cmocka_unit_test(cuts),
        cmocka_unit_test(splits),   cmocka_unit_test(copies),
        cmocka_unit_test(hashes),   cmocka_unit_test(reads_numbers),
        cmocka_unit_test(takes),    cmocka_unit_test(takes_behind_a_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
