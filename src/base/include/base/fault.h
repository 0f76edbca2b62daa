/* base/fault.h - why something failed, told to a person. */
#ifndef WRIT_BASE_FAULT_H
#define WRIT_BASE_FAULT_H

#include "base/status.h"

enum { FAULT_TEXT_MAX = 512, FAULT_POINTER_MAX = 192 };

/* A fault is a plain value that the caller owns, usually on its stack. It never
 * holds a secret. line and column are 1-based, 0 when unknown. pointer is an
 * RFC 6901 JSON pointer into the document at fault, "" when there is none. */
struct fault {
    enum status code;
    unsigned line, column;
    char pointer[FAULT_POINTER_MAX];
    char text[FAULT_TEXT_MAX];
};

/* Fills *fault (may be NULL) and returns code, so that a function can say
 * `return fault_set(fault, STATUS_INVALID, "...")`. Longer texts are cut. */
enum status fault_set(struct fault *fault, enum status code, const char *format, ...)
    WRIT_PRINTF(3, 4);

/* The same, with the JSON pointer of the member at fault. */
enum status fault_at(struct fault *fault, enum status code, const char *pointer, const char *format,
                     ...) WRIT_PRINTF(4, 5);

/* Puts "prefix: " before the text, for a caller that knows more of the context. */
void fault_prefix(struct fault *fault, const char *format, ...) WRIT_PRINTF(2, 3);

#endif
