/* base/secret.h - key material: wiped when freed, compared in constant time,
 * never printable. */
#ifndef WRIT_BASE_SECRET_H
#define WRIT_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECRET_SIZE = 32 };

struct secret {
    uint8_t bytes[SECRET_SIZE];
};

/* Not optimised away. */
void secret_wipe(void *bytes, size_t size);
/* Time depends on size alone. */
bool secret_equal(const void *a, const void *b, size_t size);

#endif
