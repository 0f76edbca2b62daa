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

    while (size > 0) {
        size_t step = size < sizeof one ? 1 : sizeof one;

        one = other = 0;
        memcpy(&one, left, step);
        memcpy(&other, right, step);
        difference |= one ^ other;
        /* The compiler may not reason about the value, so it can't stop early. */
        __asm__ volatile("" : "+r"(difference));
        left += step;
        right += step;
        size -= step;
    }
    return difference == 0;
}
