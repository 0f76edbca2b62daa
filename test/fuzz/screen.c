/* What another terminal showed: cut anywhere it is shown the same, and nothing is shown that this
 * one would answer or keep. */
#include <stdlib.h>
#include <string.h>

#include "screen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Strings (OSC, DCS …) and ENQ: the first of what a terminal acts on. */
static bool
acts(struct slice shown)
{
    for (size_t i = 0; i < shown.size; i++) {
        if (shown.at[i] == '\x05')
            return true;
        if (shown.at[i] == '\x1b' && i + 1 < shown.size &&
            strchr("]PX^_Zn", shown.at[i + 1]) != NULL && shown.at[i + 1] != '\0')
            return true;
    }
    return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct screen whole = { 0 }, cut = { 0 };
    struct buffer one = { 0 }, other = { 0 };

    screen_show(&whole, slice_of(data, size), &one);
    for (size_t i = 0; i < size; i++)
        screen_show(&cut, slice_of(data + i, 1), &other);
    if (!slice_equal(buffer_slice(&one), buffer_slice(&other)) || acts(buffer_slice(&one)))
        abort();
    buffer_free(&one);
    buffer_free(&other);
    return 0;
}
