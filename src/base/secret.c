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
    uint8_t difference = 0;

    for (size_t i = 0; i < size; i++) {
        difference |= left[i] ^ right[i];
        /* The compiler may not reason about the value, so it can't stop early. */
        __asm__ volatile("" : "+r"(difference));
    }
    return difference == 0;
}
