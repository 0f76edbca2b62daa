/* base/slice.c - looking at borrowed bytes, reading them, hashing them. */
#include "base/slice.h"

#include <stdlib.h>
#include <unistd.h>

bool
slice_starts(struct slice s, struct slice prefix)
{
    return prefix.size <= s.size && slice_equal(slice_first(s, prefix.size), prefix);
}

bool
slice_ends(struct slice s, struct slice suffix)
{
    return suffix.size <= s.size && slice_equal(slice_from(s, s.size - suffix.size), suffix);
}

static unsigned char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : (unsigned char)c;
}

bool
slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        if (a.at[i] != b.at[i] && lower(a.at[i]) != lower(b.at[i]))
            return false;
    }
    return true;
}

bool
slice_contains_nocase(struct slice s, struct slice word)
{
    for (size_t at = 0; at + word.size <= s.size; at++) {
        if (slice_equal_nocase(slice_of(s.at + at, word.size), word))
            return true;
    }
    return false;
}

size_t
slice_find(struct slice s, char byte)
{
    const char *found = s.size == 0 ? NULL : memchr(s.at, byte, s.size);

    return found == NULL ? s.size : (size_t)(found - s.at);
}

struct slice
slice_trim(struct slice s)
{
    while (s.size > 0 && (s.at[0] == ' ' || s.at[0] == '\t'))
        s = slice_from(s, 1);
    while (s.size > 0 && (s.at[s.size - 1] == ' ' || s.at[s.size - 1] == '\t'))
        s.size--;
    return s;
}

bool
slice_next(struct slice *rest, char separator, struct slice *part)
{
    size_t size;

    if (rest->size == 0)
        return false;
    size = slice_find(*rest, separator);
    *part = slice_first(*rest, size);
    *rest = slice_from(*rest, size < rest->size ? size + 1 : size);
    return true;
}

bool
slice_u64(struct slice s, uint64_t *out)
{
    uint64_t value = 0;

    if (s.size == 0)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.at[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

char *
slice_strdup(struct slice s)
{
    char *copy = s.size == SIZE_MAX ? NULL : malloc(s.size + 1);

    if (copy == NULL)
        return NULL;
    if (s.size > 0)
        memcpy(copy, s.at, s.size);
    copy[s.size] = '\0';
    return copy;
}

/* The hash: 16 bytes a step, folded by a 64x64->128 bit multiplication with
 * secret words on both sides, so that without them no collision can be aimed. */
__extension__ typedef unsigned __int128 u128;

static uint64_t hash_key[4];

__attribute__((constructor)) static void
hash_key_draw(void)
{
    if (getentropy(hash_key, sizeof hash_key) != 0)
        abort();
}

static inline uint64_t
fold(uint64_t a, uint64_t b)
{
    u128 product = (u128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t
word64(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint64_t
word32(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

uint64_t
slice_hash(struct slice s)
{
    uint64_t state = hash_key[0] ^ s.size, a = 0, b = 0;
    const char *at = s.at;
    size_t left = s.size;

    for (; left > 16; left -= 16, at += 16)
        state = fold(word64(at) ^ hash_key[1], word64(at + 8) ^ state);
    /* The last 0..16 bytes; two overlapping reads where they are not whole words.
     * The size is in the state, so overlaps can't be confused. */
    if (left >= 8) {
        a = word64(at);
        b = word64(at + left - 8);
    } else if (left >= 4) {
        a = word32(at);
        b = word32(at + left - 4);
    } else if (left > 0) {
        a = (uint64_t)(unsigned char)at[0] << 16 | (uint64_t)(unsigned char)at[left / 2] << 8 |
            (unsigned char)at[left - 1];
    }
    state = fold(a ^ hash_key[2], b ^ state);
    return fold(state ^ hash_key[3], hash_key[1] ^ s.size);
}

bool
take_bytes(struct cursor *in, size_t size, struct slice *out)
{
    if (cursor_left(in) < size)
        return false;
    *out = slice_of(in->at, size);
    if (size > 0)
        in->at += size;
    return true;
}

bool
take_u8(struct cursor *in, uint8_t *out)
{
    if (cursor_left(in) < 1)
        return false;
    *out = *in->at++;
    return true;
}

bool
take_be16(struct cursor *in, uint16_t *out)
{
    if (cursor_left(in) < 2)
        return false;
    *out = (uint16_t)(in->at[0] << 8 | in->at[1]);
    in->at += 2;
    return true;
}

bool
take_be32(struct cursor *in, uint32_t *out)
{
    if (cursor_left(in) < 4)
        return false;
    *out = (uint32_t)in->at[0] << 24 | (uint32_t)in->at[1] << 16 | (uint32_t)in->at[2] << 8 |
           in->at[3];
    in->at += 4;
    return true;
}

bool
take_be64(struct cursor *in, uint64_t *out)
{
    uint32_t high = 0, low = 0;

    if (cursor_left(in) < 8)
        return false;
    (void)(take_be32(in, &high) && take_be32(in, &low));
    *out = (uint64_t)high << 32 | low;
    return true;
}

bool
take_slice16(struct cursor *in, struct slice *out)
{
    struct cursor at = *in;
    uint16_t size;

    if (!take_be16(&at, &size) || !take_bytes(&at, size, out))
        return false;
    *in = at;
    return true;
}

bool
take_slice32(struct cursor *in, struct slice *out)
{
    struct cursor at = *in;
    uint32_t size;

    if (!take_be32(&at, &size) || !take_bytes(&at, size, out))
        return false;
    *in = at;
    return true;
}
