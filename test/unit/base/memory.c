/* Buffers, the arena and secrets: growth, limits, sticky errors, wiping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/secret.h"

static void
buffer_writes(void **state)
{
    struct buffer buffer = { 0 };

    put_u8(&buffer, 1);
    put_be16(&buffer, 0x0203);
    put_be32(&buffer, 0x04050607);
    put_be64(&buffer, 0x08090a0b0c0d0e0f);
    put_slice16(&buffer, SLICE_LITERAL("ab"));
    put_slice32(&buffer, (struct slice){ 0 });
    assert_int_equal(buffer.size, 15 + 4 + 4);
    assert_memory_equal(buffer.bytes,
                        "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                        "\x00\x02"
                        "ab"
                        "\x00\x00\x00\x00",
                        buffer.size);
    buffer_clear(&buffer);
    put_decimal(&buffer, 0);
    put_decimal(&buffer, UINT64_MAX);
    put_text(&buffer, "!");
    put_format(&buffer, "%s-%d", "x", 5);
    assert_true(slice_is(buffer_slice(&buffer), "018446744073709551615!x-5"));
    buffer_consume(&buffer, 22);
    assert_true(slice_is(buffer_slice(&buffer), "x-5"));
    buffer_free(&buffer);
    assert_null(buffer.bytes);
    buffer_free(&buffer);
}

static void
buffer_formats_long_texts(void **state)
{
    char text[1000];
    struct buffer buffer = BUFFER_LIMITED(sizeof text - 1);

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    put_format(&buffer, "%s", text);
    assert_int_equal(buffer_status(&buffer), STATUS_OK);
    assert_true(slice_is(buffer_slice(&buffer), text));
    put_format(&buffer, "%s", "y");
    assert_int_equal(buffer_status(&buffer), STATUS_TOO_LARGE);
    buffer_wipe_free(&buffer);
}

static void
buffer_errors_stick(void **state)
{
    struct buffer buffer = BUFFER_LIMITED(4);
    static char big[UINT16_MAX + 1];

    put_text(&buffer, "abc");
    put_text(&buffer, "de");
    put_text(&buffer, "f");
    assert_null(buffer_room(&buffer, 1));
    assert_int_equal(buffer_status(&buffer), STATUS_TOO_LARGE);
    assert_true(slice_is(buffer_slice(&buffer), "abc"));
    buffer_clear(&buffer);
    put_text(&buffer, "abcd");
    assert_int_equal(buffer_status(&buffer), STATUS_OK);
    assert_null(buffer_room(&buffer, SIZE_MAX)); /* the sum overflows */
    buffer_free(&buffer);

    buffer = (struct buffer){ 0 };
    put_slice16(&buffer, slice_of(big, sizeof big));
    assert_int_equal(buffer_status(&buffer), STATUS_TOO_LARGE);
    assert_int_equal(buffer.size, 0);
    buffer_clear(&buffer);
    put_slice16(&buffer, slice_of(big, sizeof big - 1));
    assert_int_equal(buffer.size, 2 + UINT16_MAX);
    buffer_free(&buffer);
}

static void
arena_hands_out(void **state)
{
    struct arena arena;
    char *pieces[200];
    struct slice copy;

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = arena_zeroed(&arena, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t at = 0; at < i; at++)
            assert_int_equal((unsigned char)pieces[i][at], i);
    }
    copy = arena_copy(&arena, SLICE_LITERAL("abc"));
    assert_string_equal(copy.at, "abc");
    assert_int_equal(copy.size, 3);
    assert_string_equal(arena_copy(&arena, (struct slice){ 0 }).at, "");
    assert_string_equal(arena_format(&arena, "%d of %s", 7, "x").at, "7 of x");
    arena_free(&arena);
    arena_free(&arena);
}

static void
arena_has_a_limit(void **state)
{
    struct arena arena;

    arena_init(&arena, 1000);
    assert_null(arena_take(&arena, 1001));
    assert_null(arena_take(&arena, SIZE_MAX));
    assert_non_null(arena_take(&arena, 999));
    assert_null(arena_take(&arena, 2));
    assert_null(arena_copy(&arena, SLICE_LITERAL("x")).at);
    assert_null(arena_format(&arena, "x").at);
    arena_reset(&arena);
    assert_non_null(arena_take(&arena, 1000));
    arena_free(&arena);
}

/* Warm, it hands out the same memory again: nothing is allocated. */
static void
arena_keeps_blocks(void **state)
{
    struct arena arena;
    void *first[30], *big;

    arena_init(&arena, 1 << 20);
    big = arena_take(&arena, 200 << 10);
    assert_non_null(big);
    arena_reset(&arena);
    for (size_t i = 0; i < 30; i++)
        assert_non_null(first[i] = arena_take(&arena, 1000));
    for (int round = 0; round < 3; round++) {
        arena_reset(&arena);
        assert_int_equal(arena.used, 0);
        for (size_t i = 0; i < 30; i++)
            assert_ptr_equal(arena_take(&arena, 1000), first[i]);
    }
    arena_free(&arena);
}

static void
secrets(void **state)
{
    uint8_t a[] = { 1, 2, 3 }, b[] = { 1, 2, 4 };

    assert_false(secret_equal(a, b, 3));
    assert_true(secret_equal(a, b, 2));
    assert_true(secret_equal(a, b, 0));
    /* Each bit counts, in whole words and behind them. */
    for (size_t size = 1; size <= 27; size++) {
        uint8_t one[27] = { 0 }, other[27] = { 0 };

        for (size_t bit = 0; bit < 8 * sizeof other; bit++) {
            other[bit / 8] = (uint8_t)(1 << bit % 8);
            assert_int_equal(secret_equal(one, other, size), bit / 8 >= size);
            other[bit / 8] = 0;
        }
    }
    secret_wipe(a, 2);
    assert_memory_equal(a, "\0\0\3", 3);
    secret_wipe(NULL, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_writes),
        cmocka_unit_test(buffer_formats_long_texts),
        cmocka_unit_test(buffer_errors_stick),
        cmocka_unit_test(arena_hands_out),
        cmocka_unit_test(arena_has_a_limit),
        cmocka_unit_test(arena_keeps_blocks),
        cmocka_unit_test(secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
