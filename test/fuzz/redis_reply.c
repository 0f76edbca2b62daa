/* Replies of a Redis server: their ends are the same in one piece and byte by byte. */
#include <stdlib.h>

#include "redis/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum skim
skim_one(struct slice bytes, size_t step, size_t *end)
{
    struct resp_skimmer skimmer = { 0 };
    size_t at = 0;

    while (at < bytes.size) {
        size_t used = 0;
        enum skim skim = resp_skim(&skimmer, slice_first(slice_from(bytes, at), step), &used);
        if (skim == SKIM_MALFORMED)
            return skim;
        if (used == 0)
            abort();
        at += used;
        if (skim == SKIM_REPLY) {
            *end = at;
            return skim;
        }
    }
    return SKIM_MORE;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t whole = 0, pieces = 0;
    enum skim at_once = skim_one(slice_of(data, size), size == 0 ? 1 : size, &whole);
    enum skim bytewise = skim_one(slice_of(data, size), 1, &pieces);

    if (at_once != bytewise || whole != pieces)
        abort();
    return 0;
}
