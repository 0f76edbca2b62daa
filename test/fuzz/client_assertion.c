/* fuzz/client_assertion.c - any text as a client's assertion, where no client is known:
 * whatever it says and whoever signed it, it holds for nobody. */
#include <stdlib.h>

#include "oauth/oauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct authority *
nobody_known(void)
{
    struct authority *authority = calloc(1, sizeof *authority);

    if (authority == NULL || world_new(&authority->world) != STATUS_OK)
        abort();
    authority->options.issuer = SLICE_LITERAL("http://127.0.0.1:7800");
    return authority;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct authority *authority;
    struct arena arena;
    struct api_request request = { .path = SLICE_LITERAL("/oauth/token"),
                                   .now = INT64_C(1800000000000),
                                   .arena = &arena };
    struct oauth_call *call;

    if (size > OAUTH_BODY_MAX)
        return 0;
    if (authority == NULL)
        authority = nobody_known();
    arena_init(&arena, 4 << 20);
    call = arena_zeroed(&arena, sizeof *call);
    if (call != NULL) {
        call->authority = authority;
        call->request = &request;
        if (assertion_holds(call, slice_of(data, size)))
            abort();
        client_free(&call->client);
    }
    arena_free(&arena);
    return 0;
}
