/* base/secret.c - wiping and comparing key material. */
#include "base/secret.h"

#include <string.h>

void
secret_wipe(void *bytes, size_t size)
{
    if (size > 0)
        explicit_bzero(bytes, size);
}

bool
secret_equal(const void *a, const void *b, size_t size)
{
    const uint8_t *left = a, *right = b;
    uint64_t difference = 0, one, other;
    size_t at = 0;

    /* The compiler may not reason about the value, so it can't stop early. */
    for (; size - at >= sizeof one; at += sizeof one) {
        memcpy(&one, left + at, sizeof one);
        memcpy(&other, right + at, sizeof other);
        difference |= one ^ other;
        __asm__ volatile("" : "+r"(difference));
    }
    for (; at < size; at++) {
        difference |= left[at] ^ right[at];
        __asm__ volatile("" : "+r"(difference));
    }
    return difference == 0;
}
