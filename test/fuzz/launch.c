/* fuzz/launch.c - any bytes as a packet to or from the launcher: what is taken is whole and within
 * its bounds, and is the same when it is put and taken again. */
#include <stdlib.h>

#include "launch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static bool
lists_equal(const struct slice *a, const struct slice *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal(a[i], b[i]))
            return false;
    }
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice packet = slice_of((const char *)data, size);
    static struct launch launch, again;
    struct buffer out = { 0 };

    if (!launch_take(packet, &launch))
        return 0;
    check(launch.name.size > 0 && launch.name.size <= LAUNCH_NAME_MAX);
    check(launch.word_count <= LAUNCH_WORDS_MAX && launch.env_count <= LAUNCH_WORDS_MAX);
    check(launch.kind != LAUNCH_START || launch.words[0].size > 0);
    launch_put(&out, &launch);
    if (buffer_status(&out) == STATUS_OK) {
        check(slice_equal(buffer_slice(&out), packet));
        check(launch_take(buffer_slice(&out), &again));
        check(lists_equal(launch.words, again.words, launch.word_count) &&
              lists_equal(launch.env, again.env, launch.env_count));
    }
    buffer_free(&out);
    return 0;
}
