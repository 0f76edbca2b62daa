/* Hex, base64url, base62 and CRC-32: round trips, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/encoding.h"

static void
hex(void **state)
{
    static const char *const wrong[] = { "",   "0",  "000", "0g", "0G",    "0:",
                                         "0`", "0/", "0@",  "FF", "0\xb0", " 0" };
    struct buffer out = { 0 };
    uint8_t all[256], back[256];

    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    put_hex(&out, all, sizeof all);
    assert_int_equal(out.size, 512);
    assert_memory_equal(out.bytes, "000102", 6);
    assert_true(hex_decode(buffer_slice(&out), back, sizeof back));
    assert_memory_equal(all, back, sizeof all);
    assert_false(hex_decode(buffer_slice(&out), back, sizeof back - 1));
    back[0] = 77;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(hex_decode(slice_text(wrong[i]), back, 1));
    assert_int_equal(back[0], 77);
    assert_true(hex_decode((struct slice){ 0 }, back, 0));
    buffer_free(&out);
}

/* RFC 4648 §10, without the padding */
static void
base64_vectors(void **state)
{
    static const char *const texts[] = { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy" };
    struct buffer out = { 0 };
    uint8_t back[8];
    size_t size;

    for (size_t i = 0; i <= 6; i++) {
        buffer_clear(&out);
        put_base64url(&out, "foobar", i);
        assert_true(slice_is(buffer_slice(&out), texts[i]));
        assert_true(base64url_decode(slice_text(texts[i]), back, i, &size));
        assert_int_equal(size, i);
        assert_memory_equal(back, "foobar", i);
        if (i > 0)
            assert_false(base64url_decode(slice_text(texts[i]), back, i - 1, &size));
    }
    buffer_clear(&out);
    put_base64(&out, "\xfb\xff\xbf\x01", 4);
    assert_true(slice_is(buffer_slice(&out), "+/+/AQ=="));
    buffer_clear(&out);
    put_base64url(&out, "\xfb\xff\xbf", 3);
    assert_true(slice_is(buffer_slice(&out), "-_-_"));
    buffer_free(&out);
}

static void
base64_is_strict(void **state)
{
    static const char *const wrong[] = { "A",    "AAAAA", "Zg==", "Zh",     "Zm9",  "Zm8=",
                                         "+_AA", "AA/A",  "A A",  "AA\nAA", "AA.A", "\xc1-AA" };
    uint8_t back[8];
    size_t size = 77;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(base64url_decode(slice_text(wrong[i]), back, sizeof back, &size));
    assert_int_equal(size, 77);
}

static void
base64_with_padding(void **state)
{
    static const char *const wrong[] = { "",     "A",    "Zg",       "Zg=",  "Zh==", "Zm9=", "====",
                                         "-_AA", "A-AA", "Zg==Zg==", "A===", "Z=g=", "AA\nA" };
    static const struct {
        const char *text, *bytes;
    } same[] = { { "Zg==", "f" }, { "Zm8=", "fo" }, { "Zm9v", "foo" }, { "Zm9vYmE=", "fooba" } };
    uint8_t back[8];
    size_t size = 77;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(base64_decode(slice_text(wrong[i]), back, sizeof back, &size));
    assert_int_equal(size, 77);
    assert_false(base64_decode(SLICE_LITERAL("Zm9vYmFyZm9v"), back, sizeof back, &size));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_true(base64_decode(slice_text(same[i].text), back, sizeof back, &size));
        assert_int_equal(size, strlen(same[i].bytes));
        assert_memory_equal(back, same[i].bytes, size);
    }
    assert_true(base64_decode(SLICE_LITERAL("+/+/"), back, 3, &size));
    assert_memory_equal(back, "\xfb\xff\xbf", 3);
}

static void
base62_round_trips(void **state)
{
    uint8_t bytes[40], back[40];
    char text[64];
    size_t size;

    srand(1);
    for (int round = 0; round < 2000; round++) {
        size_t count = (size_t)round % sizeof bytes;
        for (size_t i = 0; i < count; i++)
            bytes[i] = round % 3 == 0 ? 0xff : round % 3 == 1 ? 0 : (uint8_t)rand();
        base62_encode(bytes, count, text);
        assert_true(base62_decode(slice_of(text, base62_encoded_size(count)), back, count, &size));
        assert_int_equal(size, count);
        assert_memory_equal(bytes, back, count);
    }
}

static void
base62_vectors(void **state)
{
    static const struct {
        const char *bytes, *text;
    } same[] = {
        { "ff", "47" },
        { "ffff", "H31" },
        { "ffffff", "18OWF" },
        { "ffffffff", "4gfFC3" },
        { "ffffffffff", "JMAIjoV" },
        { "ffffffffffff", "1HvWXNAa7" },
        { "ffffffffffffff", "5K1WLnfhB1" },
        { "ffffffffffffffff", "LygHa16AHYF" },
        { "000000000000003d", "0000000000z" },
        { "00000000000000240a", "0000000000a0A" },
    };
    uint8_t bytes[16];
    char text[32] = { 0 };

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        size_t count = strlen(same[i].bytes) / 2;
        assert_true(hex_decode(slice_text(same[i].bytes), bytes, count));
        assert_int_equal(base62_encoded_size(count), strlen(same[i].text));
        base62_encode(bytes, count, text);
        assert_memory_equal(text, same[i].text, strlen(same[i].text));
    }
}

static void
base62_is_strict(void **state)
{
    /* One more than fits, characters that are no digits, lengths that no group has. */
    static const char *const wrong[] = {
        "48",
        "H32",
        "18OWG",
        "4gfFC4",
        "JMAIjoW",
        "1HvWXNAa8",
        "5K1WLnfhB2",
        "LygHa16AHYG",
        "zzzzzzzzzzz",
        "zz",
        "0000000000048",
        "0",
        "0000",
        "00000000",
        "000000000000",
        "0-",
        "0:",
        "0@",
        "0[",
        "0`",
        "0{",
        "0/",
        "0\xb0",
        " 0",
        "LygHa16AHY\xff",
        "-ygHa16AHYF",
    };
    uint8_t back[16] = { 9 };
    size_t size = 77;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(base62_decode(slice_text(wrong[i]), back, sizeof back, &size));
    assert_false(base62_decode(SLICE_LITERAL("00000000000"), back, 7, &size));
    assert_int_equal(size, 77);
    assert_int_equal(back[0], 9);
    assert_true(base62_decode((struct slice){ 0 }, back, 0, &size));
    assert_int_equal(size, 0);
}

__extension__ typedef unsigned __int128 wide;

/* Digit by digit, as docs/tokens.md says it; false when the group does not stand for bytes. */
static bool
group_by_hand(const char *text, size_t chars, size_t bytes, wide *value)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    *value = 0;
    for (size_t i = 0; i < chars; i++) {
        const char *digit = memchr(digits, text[i], 62);
        if (digit == NULL)
            return false;
        *value = *value * 62 + (unsigned)(digit - digits);
    }
    return *value >> (8 * bytes) == 0;
}

/* Every byte at every place of every group, beside digits that make it fit or not. */
static void
base62_by_hand(void **state)
{
    static const size_t chars[] = { 2, 3, 5, 6, 7, 9, 10, 11 };
    static const char around[] = "0Lyz4";
    char text[22];
    uint8_t back[16];
    wide value;
    size_t size;

    for (size_t bytes = 1; bytes <= 8; bytes++) {
        size_t count = chars[bytes - 1];
        for (size_t round = 0; round < count * 256 * (sizeof around - 1); round++) {
            memset(text, around[round / 256 / count], sizeof text);
            text[round / 256 % count] = (char)(round % 256);
            bool fits = group_by_hand(text, count, bytes, &value);
            assert_int_equal(base62_decode(slice_of(text, count), back, sizeof back, &size), fits);
            if (!fits)
                continue;
            assert_int_equal(size, bytes);
            for (size_t i = 0; i < bytes; i++)
                assert_int_equal(back[i], (uint8_t)(value >> 8 * (bytes - 1 - i)));
        }
    }
}

/* IEEE 802.3, bit by bit. */
static uint32_t
crc_by_hand(struct slice s)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < s.size; i++) {
        crc ^= (uint8_t)s.at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1) * 0xedb88320;
    }
    return ~crc;
}

static void
crc(void **state)
{
    char bytes[5000];

    srand(2);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)rand();
    for (size_t size = 0; size < 300; size++) {
        struct slice s = slice_of(bytes + size % 17, size);
        assert_true(crc32_of(s) == crc_by_hand(s));
    }
    assert_true(crc32_of(slice_of(bytes, sizeof bytes)) ==
                crc_by_hand(slice_of(bytes, sizeof bytes)));
    assert_true(crc32_of(SLICE_LITERAL("123456789")) == 0xcbf43926);
    assert_true(crc32_of((struct slice){ 0 }) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex),
        cmocka_unit_test(base64_vectors),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(base64_with_padding),
        cmocka_unit_test(base62_round_trips),
        cmocka_unit_test(base62_vectors),
        cmocka_unit_test(base62_is_strict),
        cmocka_unit_test(base62_by_hand),
        cmocka_unit_test(crc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
