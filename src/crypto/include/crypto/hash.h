/* crypto/hash.h - SHA-256 with a per-thread prefetched digest; MD5 where an old protocol
 * still wants it. */
#ifndef WRIT_CRYPTO_HASH_H
#define WRIT_CRYPTO_HASH_H

#include "base/buffer.h"

enum { HASH_SIZE = 32 };

enum status hash_sha256(const struct slice *parts, size_t count,
                        uint8_t out[HASH_SIZE]) WRIT_MUST_USE;

/* Appends the digest in small hexadecimal digits. For PostgreSQL's md5 log-in alone. */
enum status hash_md5_hex(const struct slice *parts, size_t count, struct buffer *out) WRIT_MUST_USE;

#endif
