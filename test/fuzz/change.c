/* fuzz/change.c - any bytes as a change: what is accepted has exactly one form. */
#include <stdlib.h>

#include "change/change.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cidr networks[TOKEN_NETWORKS_MAX];
    struct change change;
    struct buffer again = { 0 };

    if (change_decode(slice_of(data, size), networks, &change) != STATUS_OK)
        return 0;
    if (change_encode(&change, &again) != STATUS_OK)
        abort();
    /* An older form becomes the one of today, whose meaning is the same. */
    if (data[0] == (uint8_t)again.bytes[0] &&
        !slice_equal(buffer_slice(&again), slice_of(data, size)))
        abort();
    if (change_decode(buffer_slice(&again), networks, &change) != STATUS_OK)
        abort();
    buffer_free(&again);
    return 0;
}
