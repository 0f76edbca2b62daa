/* base/encoding.h - hex, base64url, base62, CRC-32. Decoders are strict:
 * non-canonical text is refused (RFC 4648 §3.5). */
#ifndef WRIT_BASE_ENCODING_H
#define WRIT_BASE_ENCODING_H

#include "base/buffer.h"

void put_hex(struct buffer *out, const void *bytes, size_t size); /* lower case */
bool hex_decode(struct slice text, uint8_t *out, size_t size);    /* exactly size bytes */

/* What one digit is worth, of either case; -1 for every other byte. In percent-encoding and
 * the like, not where a secret is: it branches. */
static inline int
hex_digit_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

void put_base64url(struct buffer *out, const void *bytes, size_t size); /* no padding */
/* The exact decoded size; false on padding, junk or non-zero spare bits, and what then
 * stands in out means nothing. */
bool base64url_decode(struct slice text, uint8_t *out, size_t capacity, size_t *size);

/* The same of base64 with its padding (RFC 4648 §4). */
void put_base64(struct buffer *out, const void *bytes, size_t size);
bool base64_decode(struct slice text, uint8_t *out, size_t capacity, size_t *size);

/* Base62 in groups: every 8 bytes, big-endian, become 11 characters of
 * 0-9A-Za-z; a last group of 1..7 bytes becomes 2,3,5,6,7,9,10. So the text's
 * length tells the byte count, and encoding never needs a long division. */
size_t base62_encoded_size(size_t bytes);
void base62_encode(const uint8_t *bytes, size_t size, char *out);
/* False when a group's value does not fit, on junk, or on an impossible length. */
bool base62_decode(struct slice text, uint8_t *out, size_t capacity, size_t *size);

/* CRC-32 as zlib computes it (IEEE 802.3). */
uint32_t crc32_of(struct slice s);

#endif
