/* fuzz/token_public.c - any text as a token's public part, with its own checksum and with a
 * right one: what the ring makes of it is a token that verifies, and whose public part it is. */
#include <stdlib.h>

#include "base/encoding.h"
#include "token/public.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct keyring_state *state;

static void
prepare(void)
{
    const struct ring_key key = { .kid = 1 };
    struct keyring *ring;

    if (keyring_new(&key, 1, &ring) != STATUS_OK || keyring_state_new(&state) != STATUS_OK ||
        keyring_state_follow(state, ring) != STATUS_OK)
        abort();
    keyring_free(ring);
}

static void
check(struct slice text)
{
    struct token_secret secret;
    struct token_view view;
    struct buffer again = { 0 };

    if (token_secret_of(text, state, &secret) != STATUS_OK)
        return;
    struct slice token = slice_of(secret.text, secret.size);
    if (token_parse(token, &view) != STATUS_OK ||
        (token_verify(&view, state) == STATUS_OK) != (view.kid == 1) ||
        token_public_write(token, &again) != STATUS_OK || !slice_equal(buffer_slice(&again), text))
        abort();
    token_view_wipe(&view);
    token_secret_wipe(&secret);
    buffer_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    uint8_t bytes[4];
    uint32_t crc;

    if (state == NULL)
        prepare();
    check(slice_of(data, size));
    if (size > sizeof text - 6)
        return 0;
    memcpy(text, data, size);
    crc = crc32_of(slice_of(data, size));
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(crc >> (24 - 8 * i));
    base62_encode(bytes, sizeof bytes, text + size);
    check(slice_of(text, size + 6));
    return 0;
}
