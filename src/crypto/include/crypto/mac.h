/* crypto/mac.h - HMAC-SHA-256 (RFC 2104) with the key prepared once.
 *
 * A mac_key is immutable and may be shared by threads; a mac_state is one
 * thread's working copy. Neither allocates after it is made. */
#ifndef WRIT_CRYPTO_MAC_H
#define WRIT_CRYPTO_MAC_H

#include "base/secret.h"
#include "base/slice.h"
#include "base/status.h"

enum { MAC_SIZE = 32 };

struct mac_state; /* one thread's prepared context for one key */

enum status mac_state_new(const void *key, size_t size, struct mac_state **out) WRIT_MUST_USE;
void mac_state_free(struct mac_state *state);
/* Re-keys nothing: computes over the parts in turn with the prepared key. */
enum status mac_compute(struct mac_state *state, const struct slice *parts, size_t count,
                        uint8_t out[MAC_SIZE]) WRIT_MUST_USE;

/* For a key that is used once (a macaroon's chain); uses a per-thread context. */
enum status mac_once(const void *key, size_t size, const struct slice *parts, size_t count,
                     uint8_t out[MAC_SIZE]) WRIT_MUST_USE;

#endif
