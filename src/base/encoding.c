/* base/encoding.c - bytes as text and back.
 *
 * Tokens and keys pass through here, so digits are computed without tables or
 * branches that depend on them: neither the cache nor the clock tells. */
#include "base/encoding.h"

#include <endian.h>
#include <zlib.h>

/* All ones when lo <= c <= hi, else zero. */
static inline int
between(int c, int lo, int hi)
{
    return ~((c - lo) | (hi - c)) >> 31;
}

static inline char
hex_digit(int value)
{
    return (char)(value + '0' + (between(value, 10, 15) & ('a' - '0' - 10)));
}

static inline int
hex_value(char digit)
{
    int c = (unsigned char)digit;

    return -1 + (between(c, '0', '9') & (c - '0' + 1)) + (between(c, 'a', 'f') & (c - 'a' + 11));
}

void
put_hex(struct buffer *out, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    char *room = size > SIZE_MAX / 2 ? NULL : buffer_room(out, size * 2);

    if (room == NULL)
        return;
    for (size_t i = 0; i < size; i++) {
        room[2 * i] = hex_digit(from[i] >> 4);
        room[2 * i + 1] = hex_digit(from[i] & 15);
    }
    buffer_added(out, size * 2);
}

bool
hex_decode(struct slice text, uint8_t *out, size_t size)
{
    int wrong = 0;

    if (text.size / 2 != size || text.size % 2 != 0)
        return false;
    for (size_t i = 0; i < text.size; i++)
        wrong |= hex_value(text.at[i]);
    if (wrong < 0)
        return false;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(hex_value(text.at[2 * i]) << 4 | hex_value(text.at[2 * i + 1]));
    return true;
}

/* A-Z a-z 0-9 - _ (RFC 4648 §5) */
static inline char
base64_digit(unsigned bits)
{
    int value = (int)(bits & 63);

    return (char)('A' + value + (between(value, 26, 63) & ('a' - 'A' - 26)) -
                  (between(value, 52, 63) & ('a' + 26 - '0')) +
                  (between(value, 62, 62) & ('-' - '0' - 10)) +
                  (between(value, 63, 63) & ('_' - '0' - 11)));
}

static inline int
base64_value(char digit)
{
    int c = (unsigned char)digit;

    return -1 + (between(c, 'A', 'Z') & (c - 'A' + 1)) + (between(c, 'a', 'z') & (c - 'a' + 27)) +
           (between(c, '0', '9') & (c - '0' + 53)) + (between(c, '-', '-') & 63) +
           (between(c, '_', '_') & 64);
}

void
put_base64url(struct buffer *out, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    char *room, *to;
    unsigned bits;

    room = to = size > SIZE_MAX / 2 ? NULL : buffer_room(out, size / 3 * 4 + 4);
    if (room == NULL)
        return;
    for (; size >= 3; size -= 3, from += 3) {
        bits = (unsigned)from[0] << 16 | (unsigned)from[1] << 8 | from[2];
        *to++ = base64_digit(bits >> 18);
        *to++ = base64_digit(bits >> 12);
        *to++ = base64_digit(bits >> 6);
        *to++ = base64_digit(bits);
    }
    if (size > 0) {
        bits = (unsigned)from[0] << 16 | (size == 2 ? (unsigned)from[1] << 8 : 0);
        *to++ = base64_digit(bits >> 18);
        *to++ = base64_digit(bits >> 12);
        if (size == 2)
            *to++ = base64_digit(bits >> 6);
    }
    buffer_added(out, (size_t)(to - room));
}

enum { BASE64_BLOCK = 16 };

/* The values of a block at once, without a branch or a table, so that the compiler makes
 * vectors of it. A byte that is no digit has 0x80 in *wrong. */
static inline void
base64_block(const char *text, uint8_t values[BASE64_BLOCK], uint8_t *wrong)
{
    uint8_t bad = 0;

    for (int i = 0; i < BASE64_BLOCK; i++) {
        uint8_t c = (uint8_t)text[i];
        uint8_t upper = (uint8_t) - ((uint8_t)(c - 'A') < 26),
                lower = (uint8_t) - ((uint8_t)(c - 'a') < 26);
        uint8_t digit = (uint8_t) - ((uint8_t)(c - '0') < 10), dash = (uint8_t) - (c == '-');
        uint8_t line = (uint8_t) - (c == '_');

        values[i] = (uint8_t)((upper & (c - 'A')) | (lower & (c - 'a' + 26)) |
                              (digit & (c - '0' + 52)) | (dash & 62) | (line & 63));
        bad |= (uint8_t) ~(upper | lower | digit | dash | line);
    }
    *wrong |= bad & 0x80;
}

static inline void
base64_join(const uint8_t values[4], uint8_t out[3])
{
    out[0] = (uint8_t)(values[0] << 2 | values[1] >> 4);
    out[1] = (uint8_t)(values[1] << 4 | values[2] >> 2);
    out[2] = (uint8_t)(values[2] << 6 | values[3]);
}

bool
base64url_decode(struct slice text, uint8_t *out, size_t capacity, size_t *size)
{
    size_t left = text.size % 4, decoded = text.size / 4 * 3 + (left == 0 ? 0 : left - 1);
    const char *at = text.at;
    size_t groups = text.size / 4;
    uint8_t block[BASE64_BLOCK], strange = 0;
    int wrong = 0, value[4] = { 0 };

    if (left == 1 || decoded > capacity)
        return false;
    for (; groups >= 4; groups -= 4, at += BASE64_BLOCK, out += 12) {
        base64_block(at, block, &strange);
        for (int i = 0; i < 4; i++)
            base64_join(&block[4 * i], &out[3 * i]);
    }
    for (; groups > 0; groups--, at += 4, out += 3) {
        uint32_t bits = 0;

        for (int i = 0; i < 4; i++) {
            value[i] = base64_value(at[i]);
            wrong |= value[i];
            bits = bits << 6 | (uint32_t)value[i];
        }
        out[0] = (uint8_t)(bits >> 16);
        out[1] = (uint8_t)(bits >> 8);
        out[2] = (uint8_t)bits;
    }
    for (size_t i = 0; i < left; i++) {
        value[i] = base64_value(at[i]);
        wrong |= value[i];
    }
    /* RFC 4648 §3.5: the bits that no byte takes are zero. */
    if (strange != 0 || wrong < 0 || (left == 2 && (value[1] & 15) != 0) ||
        (left == 3 && (value[2] & 3) != 0))
        return false;
    if (left >= 2)
        out[0] = (uint8_t)(value[0] << 2 | value[1] >> 4);
    if (left == 3)
        out[1] = (uint8_t)(value[1] << 4 | value[2] >> 2);
    *size = decoded;
    return true;
}

static inline char
base62_digit(int value)
{
    return (char)(value + '0' + (between(value, 10, 61) & ('A' - '0' - 10)) +
                  (between(value, 36, 61) & ('a' - 'A' - 26)));
}

/* Of a character that is known to be a digit. */
static inline uint64_t
base62_value(char digit)
{
    int c = (unsigned char)digit;

    return (uint64_t)(c - '0' - ((('9' - c) >> 31) & ('A' - '0' - 10)) -
                      ((('Z' - c) >> 31) & ('a' - 'A' - 26)));
}

/* Characters of a group of 0..8 bytes, and back (0 where there is no such group). */
static const uint8_t group_chars[] = { 0, 2, 3, 5, 6, 7, 9, 10, 11 };
static const uint8_t group_bytes[] = { 0, 0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8 };

size_t
base62_encoded_size(size_t bytes)
{
    return bytes / 8 * 11 + group_chars[bytes % 8];
}

void
base62_encode(const uint8_t *bytes, size_t size, char *out)
{
    while (size > 0) {
        size_t group = size < 8 ? size : 8, chars = group_chars[group];
        uint64_t value = 0;

        for (size_t i = 0; i < group; i++)
            value = value << 8 | bytes[i];
        for (size_t i = chars; i > 0; i--) {
            out[i - 1] = base62_digit((int)(value % 62));
            value /= 62;
        }
        bytes += group;
        size -= group;
        out += chars;
    }
}

static bool
base62_digits_only(struct slice text)
{
    unsigned wrong = 0;

    for (size_t i = 0; i < text.size; i++) {
        unsigned c = (unsigned char)text.at[i];
        wrong |= (c - '0' > 9) & ((c | 0x20) - 'a' > 25);
    }
    return wrong == 0;
}

/* In two chains, which the processor multiplies side by side. */
static inline uint64_t
group_value(const char *at, size_t chars)
{
    uint64_t high = 0, low = 0;

    if (chars != 11) {
        for (size_t i = 0; i < chars; i++)
            low = low * 62 + base62_value(at[i]);
        return low;
    }
    for (size_t i = 0; i < 6; i++)
        high = high * 62 + base62_value(at[i]);
    for (size_t i = 6; i < 11; i++)
        low = low * 62 + base62_value(at[i]);
    return high * 916132832 + low; /* 62^5 */
}

/* The digits stand in the order of their values, so texts of one length compare
 * as the numbers do: no group may be over the one that is all ones. */
static bool
group_fits(const char *at, size_t chars)
{
    if (chars == 11)
        return memcmp(at, "LygHa16AHYF", 11) <= 0;
    return group_value(at, chars) >> (8 * group_bytes[chars]) == 0;
}

bool
base62_decode(struct slice text, uint8_t *out, size_t capacity, size_t *size)
{
    size_t tail = text.size % 11, bytes = text.size / 11 * 8 + group_bytes[tail];

    if ((tail != 0 && group_bytes[tail] == 0) || bytes > capacity || !base62_digits_only(text))
        return false;
    /* Checked as a whole first: a refusal leaves out as it was. */
    for (size_t at = 0; at < text.size; at += 11) {
        if (!group_fits(text.at + at, text.size - at < 11 ? tail : 11))
            return false;
    }
    for (size_t at = 0; at < text.size; at += 11) {
        size_t chars = text.size - at < 11 ? tail : 11, group = group_bytes[chars];
        uint64_t value = htobe64(group_value(text.at + at, chars) << (64 - 8 * group));
        memcpy(out, &value, group);
        out += group;
    }
    *size = bytes;
    return true;
}

uint32_t
crc32_of(struct slice s)
{
    return (uint32_t)crc32_z(0, s.size == 0 ? Z_NULL : (const Bytef *)s.at, s.size);
}
