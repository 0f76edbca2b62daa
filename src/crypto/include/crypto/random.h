/* crypto/random.h - unpredictable bytes. */
#ifndef WRIT_CRYPTO_RANDOM_H
#define WRIT_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum status random_bytes(void *out, size_t size) WRIT_MUST_USE;

#endif
