/* Paths at the HTTP door: what is forwarded is canonical (it gives the same
 * object and forwards itself), holds no dot segment and no byte that a server
 * could read differently. The first byte chooses the upstream's path_params. */
#include <stdlib.h>

#include "http/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
    if (!holds)
        abort();
}

static bool
has_dot_segment(struct slice path)
{
    struct slice segment;

    while (slice_next(&path, '/', &segment)) {
        struct slice name = slice_first(segment, slice_find(segment, ';'));
        if (slice_is(name, ".") || slice_is(name, ".."))
            return true;
    }
    return false;
}

static void
check_forward(struct slice forward)
{
    must(forward.size > 0 && forward.at[0] == '/');
    for (size_t i = 0; i < forward.size; i++) {
        uint8_t byte = (uint8_t)forward.at[i];
        must(byte > 0x20 && byte < 0x7f && byte != '\\' && byte != '#' && byte != '?');
        must(byte != '/' || i == 0 || forward.at[i - 1] != '/');
    }
    must(!has_dot_segment(forward));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct path first, second;

    if (size == 0)
        return 0;
    enum path_params params = data[0] == ';' ? PATH_PARAMS_ALLOW : PATH_PARAMS_REFUSE;
    struct slice raw = slice_of(data + 1, size - 1);
    arena_init(&arena, 1 << 20);
    if (path_canonical(raw, params, &arena, &first) == PATH_OK) {
        check_forward(first.forward);
        must(path_canonical(first.forward, params, &arena, &second) == PATH_OK);
        must(slice_equal(first.object, second.object));
        must(slice_equal(first.forward, second.forward));
    }
    arena_free(&arena);
    return 0;
}
