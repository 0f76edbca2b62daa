/* base/fault.c - filling the explanation of a failure. */
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* snprintf cuts at a byte; a person should not see half a character. */
static void
trim_cut_character(char *text, size_t capacity)
{
    size_t size = strlen(text), at = size;

    if (size + 1 < capacity)
        return;
    while (at > 0 && size - at < 4 && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
        at--;
    if (at == 0 || (unsigned char)text[at - 1] < 0xc0)
        return;
    unsigned char lead = (unsigned char)text[at - 1];
    size_t wants = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (size - (at - 1) < wants)
        text[at - 1] = '\0';
}

static void WRIT_PRINTF(3, 0)
    fill(struct fault *fault, enum status code, const char *format, va_list args)
{
    char text[sizeof fault->text];

    /* The fault's own text may be among the arguments. */
    vsnprintf(text, sizeof text, format, args);
    trim_cut_character(text, sizeof text);
    fault->code = code;
    fault->line = fault->column = 0;
    fault->pointer[0] = '\0';
    memcpy(fault->text, text, sizeof text);
}

enum status
fault_set(struct fault *fault, enum status code, const char *format, ...)
{
    va_list args;

    if (fault == NULL)
        return code;
    va_start(args, format);
    fill(fault, code, format, args);
    va_end(args);
    return code;
}

enum status
fault_at(struct fault *fault, enum status code, const char *pointer, const char *format, ...)
{
    va_list args;

    if (fault == NULL)
        return code;
    va_start(args, format);
    fill(fault, code, format, args);
    va_end(args);
    snprintf(fault->pointer, sizeof fault->pointer, "%s", pointer);
    trim_cut_character(fault->pointer, sizeof fault->pointer);
    return code;
}

void
fault_prefix(struct fault *fault, const char *format, ...)
{
    char old[FAULT_TEXT_MAX];
    size_t used, room;
    va_list args;

    if (fault == NULL)
        return;
    memcpy(old, fault->text, sizeof old);
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    used = strlen(fault->text);
    if (used + 3 < sizeof fault->text) {
        memcpy(fault->text + used, ": ", 2);
        used += 2;
        room = strnlen(old, sizeof fault->text - 1 - used);
        memcpy(fault->text + used, old, room);
        fault->text[used + room] = '\0';
    }
    trim_cut_character(fault->text, sizeof fault->text);
}
