/* base/encoding.c - bytes as text and back.
 *
 * Tokens and keys pass through here, so digits are computed without tables or
 * branches that depend on them: neither the cache nor the clock tells. */
#include "base/encoding.h"

#include <endian.h>

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
lower_hex_value(char digit)
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
        wrong |= lower_hex_value(text.at[i]);
    if (wrong < 0)
        return false;
    for (size_t i = 0; i < size; i++)
        out[i] =
            (uint8_t)(lower_hex_value(text.at[2 * i]) << 4 | lower_hex_value(text.at[2 * i + 1]));
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

void
put_base64(struct buffer *out, const void *bytes, size_t size)
{
    size_t before = out->size;

    put_base64url(out, bytes, size);
    for (size_t i = before; i < out->size; i++) {
        if (out->bytes[i] == '-')
            out->bytes[i] = '+';
        else if (out->bytes[i] == '_')
            out->bytes[i] = '/';
    }
    for (; (out->size - before) % 4 != 0 && buffer_status(out) == STATUS_OK;)
        put_u8(out, '=');
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

/* '+' and '/' as the other alphabet has them, and its own as no digit. */
static inline char
as_base64url(char digit)
{
    int c = (unsigned char)digit;

    return (char)((c | between(c, '-', '-') | between(c, '_', '_')) +
                  (between(c, '+', '+') & ('-' - '+')) + (between(c, '/', '/') & ('_' - '/')));
}

/* A group at a time: the last one alone may be padded. */
bool
base64_decode(struct slice text, uint8_t *out, size_t capacity, size_t *size)
{
    size_t padding = 0, done = 0;

    if (text.size == 0 || text.size % 4 != 0)
        return false;
    while (padding < 2 && text.at[text.size - 1 - padding] == '=')
        padding++;
    for (size_t at = 0; at < text.size; at += 4) {
        char group[4];
        size_t count = at + 4 == text.size ? 4 - padding : 4, got;

        for (size_t i = 0; i < count; i++)
            group[i] = as_base64url(text.at[at + i]);
        if (!base64url_decode(slice_of(group, count), out + done, capacity - done, &got))
            return false;
        done += got;
    }
    *size = done;
    return true;
}

/* Eight characters in one register, the first lowest: digits are read and written side by
 * side, one in each byte. */
#define EACH UINT64_C(0x0101010101010101)

static inline uint64_t
load_eight(const char *at)
{
    uint64_t eight;

    memcpy(&eight, at, sizeof eight);
    return le64toh(eight);
}

/* The highest bit of each byte below 128 that is at least `least`. */
static inline uint64_t
at_least(uint64_t bytes, uint64_t least)
{
    return bytes + (128 - least) * EACH;
}

/* Zero when each byte is a digit. */
static inline uint64_t
base62_wrong(uint64_t chars)
{
    uint64_t plain = chars & 0x7f * EACH, folded = plain | 0x20 * EACH;
    uint64_t number = at_least(plain, '0') & ~at_least(plain, '9' + 1);
    uint64_t letter = at_least(folded, 'a') & ~at_least(folded, 'z' + 1);

    return (chars | ~(number | letter)) & 0x80 * EACH;
}

/* Of characters that are known to be digits. */
static inline uint64_t
base62_values(uint64_t chars)
{
    uint64_t letter = chars >> 6 & EACH, small = chars >> 5 & letter;

    return chars - '0' * EACH - letter * ('A' - '0' - 10) - small * ('a' - 'A' - 26);
}

static inline uint64_t
base62_digits(uint64_t values)
{
    uint64_t letter = at_least(values, 10) >> 7 & EACH, small = at_least(values, 36) >> 7 & EACH;

    return values + '0' * EACH + letter * ('A' - '0' - 10) + small * ('a' - 'A' - 26);
}

/* The number of eight digits: pairs, pairs of pairs, and those two. */
static inline uint64_t
base62_join(uint64_t values)
{
    const uint64_t bytes = UINT64_C(0x00ff00ff00ff00ff), words = UINT64_C(0x0000ffff0000ffff);

    values = (values & bytes) * 62 + (values >> 8 & bytes);
    values = (values & words) * (62 * 62) + (values >> 16 & words);
    return (values & UINT32_MAX) * (62 * 62 * 62 * 62) + (values >> 32);
}

static inline uint64_t
split_pair(uint32_t number)
{
    return number / 62 | (uint64_t)(number % 62) << 8;
}

static inline uint64_t
split_four(uint32_t number)
{
    return split_pair(number / (62 * 62)) | split_pair(number % (62 * 62)) << 16;
}

/* The eight digits of a number below 62^8. */
static inline uint64_t
base62_split(uint64_t number)
{
    enum { FOUR = 62 * 62 * 62 * 62 };

    return split_four((uint32_t)(number / FOUR)) | split_four((uint32_t)(number % FOUR)) << 32;
}

/* Characters of a group of 0..8 bytes, and back (0 where there is no such group). */
static const uint8_t group_chars[] = { 0, 2, 3, 5, 6, 7, 9, 10, 11 };
static const uint8_t group_bytes[] = { 0, 0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8 };

size_t
base62_encoded_size(size_t bytes)
{
    return bytes / 8 * 11 + group_chars[bytes % 8];
}

/* A group of any size as one of 8 bytes, whose first digits are then zero. */
static void
group_encode(uint64_t value, char out[11])
{
    const uint64_t eight = UINT64_C(218340105584896); /* 62^8 */
    uint64_t high = htole64(base62_digits(base62_split(value / eight)));
    uint64_t low = htole64(base62_digits(base62_split(value % eight)));

    memcpy(out, (const char *)&high + 5, 3);
    memcpy(out + 3, &low, 8);
}

void
base62_encode(const uint8_t *bytes, size_t size, char *out)
{
    for (; size >= 8; bytes += 8, size -= 8, out += 11) {
        uint64_t value;
        memcpy(&value, bytes, sizeof value);
        group_encode(be64toh(value), out);
    }
    if (size > 0) {
        uint64_t value = 0;
        char group[11];
        for (size_t i = 0; i < size; i++)
            value = value << 8 | bytes[i];
        group_encode(value, group);
        memcpy(out, group + 11 - group_chars[size], group_chars[size]);
    }
}

/* The number of eleven digits; wraps when they are too many for it. */
static inline uint64_t
group_value(const char group[11])
{
    uint64_t last = base62_values(load_eight(group + 3)) & ~(UINT64_MAX >> 24);

    return base62_join(base62_values(load_eight(group))) * (62 * 62 * 62) + base62_join(last);
}

/* The digits stand in the order of their values, so texts of one length compare
 * as the numbers do: no group may be over the one that is all ones. */
static inline bool
group_fits(const char group[11])
{
    uint64_t first = __builtin_bswap64(load_eight(group));
    uint64_t last = __builtin_bswap64(load_eight(group + 3));
    const uint64_t most_first = UINT64_C(0x4c79674861313641); /* LygHa16A */
    const uint64_t most_last = UINT64_C(0x4861313641485946);  /* Ha16AHYF */

    return first < most_first || (first == most_first && last <= most_last);
}

static inline bool
group_right(const char group[11])
{
    return (base62_wrong(load_eight(group)) | base62_wrong(load_eight(group + 3))) == 0 &&
           group_fits(group);
}

bool
base62_decode(struct slice text, uint8_t *out, size_t capacity, size_t *size)
{
    size_t chars = text.size % 11, whole = text.size - chars, tail = group_bytes[chars];
    size_t bytes = whole / 11 * 8 + tail;
    char last[] = "00000000000";
    uint64_t value;

    if ((chars != 0 && tail == 0) || bytes > capacity)
        return false;
    if (chars > 0)
        memcpy(last + 11 - chars, text.at + whole, chars);
    /* Checked as a whole first: a refusal leaves out as it was. */
    for (size_t at = 0; at < whole; at += 11) {
        if (!group_right(text.at + at))
            return false;
    }
    if (!group_right(last) || group_value(last) >> (8 * tail) != 0)
        return false;
    for (size_t at = 0; at < whole; at += 11, out += 8) {
        value = htobe64(group_value(text.at + at));
        memcpy(out, &value, sizeof value);
    }
    value = htobe64(group_value(last));
    if (tail > 0)
        memcpy(out, (const char *)&value + sizeof value - tail, tail);
    *size = bytes;
    return true;
}
