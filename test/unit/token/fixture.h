/* token/fixture.h - a ring with one known key, for tests of the token room. */
#ifndef WRIT_TEST_TOKEN_FIXTURE_H
#define WRIT_TEST_TOKEN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "token/record.h"
#include "token/text.h"

/* The key is 00 01 … 1f under kid 7, the id is 00 01 … 0f: docs/tokens.md's vectors. */
static inline struct keyring_state *
fixture_ring(uint8_t kid)
{
    struct ring_key key = { .kid = kid };
    struct keyring *ring;
    struct keyring_state *state;

    for (size_t i = 0; i < sizeof key.key.bytes; i++)
        key.key.bytes[i] = (uint8_t)i;
    assert_int_equal(keyring_new(&key, 1, &ring), STATUS_OK);
    assert_int_equal(keyring_state_new(&state), STATUS_OK);
    assert_int_equal(keyring_state_follow(state, ring), STATUS_OK);
    keyring_free(ring);
    return state;
}

static inline struct token_id
fixture_id(void)
{
    struct token_id id;

    for (size_t i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (uint8_t)i;
    return id;
}

/* The text with a checksum that is right again after a change before it. */
static inline void
fixture_checksum(char *text, size_t size)
{
    uint32_t crc = crc32_of(slice_of(text, size - 6));
    uint8_t bytes[4] = { (uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                         (uint8_t)crc };

    base62_encode(bytes, sizeof bytes, text + size - 6);
}

/* An attenuated token's text of these bytes (version … mac), checksum right. */
static inline size_t
fixture_text(const uint8_t *bytes, size_t size, char *out)
{
    size_t text = 6 + base62_encoded_size(size) + 6;

    memcpy(out, "writa_", 6);
    base62_encode(bytes, size, out + 6);
    fixture_checksum(out, text);
    return text;
}

#endif
