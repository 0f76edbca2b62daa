/* fuzz/jwt.c - any text as a JWT of this authority, and any payload behind a header of its
 * own: none that its key did not sign is a token. */
#include <stdlib.h>
#include <string.h>

#include "base/encoding.h"
#include "crypto/private_key.h"
#include "token/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct keyring_state *state;

static void
prepare(void)
{
    const struct ring_key mac = { .kid = 1 };
    struct private_key *pair;
    struct keyring *ring;

    if (keyring_new(&mac, 1, &ring) != STATUS_OK ||
        private_key_generate(ALG_ES256, &pair) != STATUS_OK ||
        keyring_set_issuer(ring, SLICE_LITERAL("https://writ.example")) != STATUS_OK ||
        keyring_add_signer(ring, SLICE_LITERAL("k1"), private_key_public(pair)) != STATUS_OK ||
        keyring_state_new(&state) != STATUS_OK || keyring_state_follow(state, ring) != STATUS_OK)
        abort();
    private_key_free(pair);
}

static void
check(struct slice text)
{
    struct token_view view;

    if (token_recognize(text, state, NULL, &view) == STATUS_OK)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer text = { 0 };

    if (state == NULL)
        prepare();
    check(slice_of(data, size));
    put_text(&text, "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.");
    put_base64url(&text, data, size);
    put_text(&text, ".");
    for (int i = 0; i < 86; i++)
        put_u8(&text, 'A');
    check(buffer_slice(&text));
    buffer_free(&text);
    return 0;
}
