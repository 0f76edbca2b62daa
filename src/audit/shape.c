/* audit/shape.c - which parts of an object are ids. */
#include "shape.h"

#include <ctype.h>

char
shape_separator(struct slice object)
{
    static const char separators[] = { '/', ':', '.' };

    for (unsigned i = 0; i < sizeof separators; i++)
        if (slice_find(object, separators[i]) < object.size)
            return separators[i];
    return '\0';
}

struct makeup {
    size_t digits, letters, hexes, dashes, others;
};

static struct makeup
makeup_of(struct slice part)
{
    struct makeup makeup = { 0 };

    for (size_t i = 0; i < part.size; i++) {
        unsigned char byte = (unsigned char)part.at[i];

        makeup.digits += byte >= '0' && byte <= '9';
        makeup.letters += (byte | 32) >= 'a' && (byte | 32) <= 'z';
        makeup.hexes += isxdigit(byte) != 0;
        makeup.dashes += byte == '-';
        makeup.others += !isalnum(byte) && byte != '-';
    }
    return makeup;
}

/* Digits at the places of 'd', any hexadecimal digit at 'x', the rest as it is. */
static bool
has_form(struct slice part, const char *form)
{
    if (part.size != strlen(form))
        return false;
    for (size_t i = 0; i < part.size; i++) {
        unsigned char byte = (unsigned char)part.at[i];

        if (form[i] == 'd' ? !isdigit(byte) : form[i] == 'x' ? !isxdigit(byte) : byte != form[i])
            return false;
    }
    return true;
}

bool
shape_is_id(struct slice part)
{
    struct makeup makeup = makeup_of(part);
    size_t prefix = slice_find(part, '_');

    if (part.size == 0)
        return false;
    if (makeup.digits == part.size)
        return true;
    if (has_form(part, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") || has_form(part, "dddd-dd-dd"))
        return true;
    /* A time: 2026-11-24T17:40:00Z */
    if (part.size > 10 && has_form(slice_first(part, 10), "dddd-dd-dd") && part.at[10] == 'T')
        return true;
    if (makeup.hexes == part.size && part.size >= 12 && makeup.digits > 0)
        return true;
    /* "cus_9s6XKzkNRiZ8i3": a short name before a random word. */
    if (prefix > 0 && prefix <= 8 && part.size - prefix > 12) {
        part = slice_from(part, prefix + 1);
        makeup = makeup_of(part);
    }
    return part.size >= 12 && makeup.others == 0 && makeup.dashes == 0 && makeup.digits >= 2 &&
           makeup.letters > 0;
}

struct slice
shape_of(struct slice object, char out[AUDIT_TEXT_MAX])
{
    char separator = shape_separator(object);
    struct slice rest = object;
    size_t size = 0;

    if (object.size > AUDIT_TEXT_MAX)
        object = rest = slice_first(object, AUDIT_TEXT_MAX);
    for (bool last = false; !last;) {
        size_t length = separator == '\0' ? rest.size : slice_find(rest, separator);
        struct slice part = slice_first(rest, length);

        last = length == rest.size;
        if (shape_is_id(part)) {
            out[size++] = '*';
        } else if (length > 0) {
            memcpy(out + size, part.at, length);
            size += length;
        }
        if (!last)
            out[size++] = separator;
        rest = slice_from(rest, length + 1);
    }
    return slice_of(out, size);
}
