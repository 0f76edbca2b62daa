/* policy/bytes.h - which bytes may stand where in a right and in a request. */
#ifndef WRIT_POLICY_BYTES_H
#define WRIT_POLICY_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    BYTE_OBJECT = 1, /* stands for itself in an object */
    BYTE_NAME = 2,   /* resource, role and subject names */
    BYTE_ACTION = 4,
    BYTE_CUT = 8, /* ends a piece of the matcher's tree: ':' '/' '.' '-' '_' */
};

extern const uint8_t byte_classes[256];

static inline bool
byte_is(char byte, unsigned classes)
{
    return (byte_classes[(unsigned char)byte] & classes) != 0;
}

/* At "%XX": capitals, and a byte that can't stand for itself. */
bool escape_valid(struct slice from);

#endif
