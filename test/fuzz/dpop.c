/* fuzz/dpop.c - any text as a DPoP proof, as a URL, and as a nonce. None that was not made
 * with a key holds, and a normal form is its own. */
#include <stdlib.h>

#include "proof/dpop.h"
#include "proof/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_target(struct slice text, struct arena *arena)
{
    struct slice once, twice;

    if (target_normal(text, arena, &once) == STATUS_OK &&
        (target_normal(once, arena, &twice) != STATUS_OK || !slice_equal(once, twice)))
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dpop_verifier *verifier;
    static struct nonce_source *nonces;
    struct slice text = slice_of(data, size);
    struct dpop_expected expected = { .method = SLICE_LITERAL("GET"),
                                      .target = SLICE_LITERAL("https://gw.example/a"),
                                      .token = SLICE_LITERAL("writ_token"),
                                      .now = INT64_C(1800000000000),
                                      .place = NONCE_GATEWAY };
    struct dpop_proof proof;
    struct arena arena;

    if (verifier == NULL && (dpop_verifier_new(&verifier) != STATUS_OK ||
                             nonce_source_new(SLICE_LITERAL("n"), &nonces) != STATUS_OK))
        return 0;
    expected.nonces = nonces;
    arena_init(&arena, 1 << 17);
    if (dpop_check(verifier, text, &expected, &arena, &proof) == DPOP_OK)
        abort(); /* the key of the corpus has signed nothing of this time */
    check_target(text, &arena);
    if (nonce_check(nonces, NONCE_GATEWAY, text, expected.now) == NONCE_FRESH)
        abort();
    arena_free(&arena);
    return 0;
}
