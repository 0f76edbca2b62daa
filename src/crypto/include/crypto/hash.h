/* crypto/hash.h - SHA-256 with a per-thread prefetched digest. */
#ifndef WRIT_CRYPTO_HASH_H
#define WRIT_CRYPTO_HASH_H

#include "base/slice.h"
#include "base/status.h"

enum { HASH_SIZE = 32 };

enum status hash_sha256(const struct slice *parts, size_t count,
                        uint8_t out[HASH_SIZE]) WRIT_MUST_USE;

#endif
