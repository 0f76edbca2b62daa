/* Commands of a Redis client: the same whether they come at once or byte by byte, and their
 * triples are canonical. */
#include <stdlib.h>

#include "redis/classify.h"
#include "redis/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
    if (!holds)
        abort();
}

static void
check_touches(const struct redis_ask *ask)
{
    for (size_t i = 0; i < ask->errand.count; i++) {
        struct slice object = ask->errand.touches[i].object;
        must(object.size > 0);
        for (size_t at = 0; at < object.size; at++)
            must(object.at[at] > 0x20 && object.at[at] < 0x7f && object.at[at] != '*');
    }
}

static void
classify(const struct resp_reader *reader, struct slice bytes)
{
    struct arena arena;
    struct redis_ask ask;
    struct slice *arguments, why = { 0 };

    arena_init(&arena, 4 << 20);
    arguments = arena_take(&arena, reader->count * sizeof(*arguments));
    for (uint32_t i = 0; arguments != NULL && i < reader->count; i++) {
        must(reader->parts[i].offset + (size_t)reader->parts[i].size <= bytes.size);
        arguments[i] = slice_of(bytes.at + reader->parts[i].offset, reader->parts[i].size);
    }
    if (arguments != NULL) {
        if (redis_classify(arguments, reader->count, &arena, &ask, &why))
            check_touches(&ask);
        else
            must(why.size > 0);
    }
    arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_of(data, size);
    struct resp_reader whole = { 0 }, pieces = { 0 };
    const char *why;
    size_t used = 0, used_pieces = 0;
    enum resp read = resp_command_read(&whole, bytes, &used, &why), last = RESP_MORE;

    for (size_t i = 0; i <= size && i < 4096 && last == RESP_MORE; i++)
        last = resp_command_read(&pieces, slice_first(bytes, i), &used_pieces, &why);
    if (size < 4096)
        must(last == read && (read != RESP_OK || used == used_pieces));
    if (read == RESP_OK)
        classify(&whole, bytes);
    resp_reader_free(&whole);
    resp_reader_free(&pieces);
    return 0;
}
