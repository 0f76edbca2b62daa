/* base/status.c - names, texts and classes of the status codes, from their one list. */
#include "base/status.h"

#include <stddef.h>

static const struct {
    const char *name, *text;
    enum status_class class;
} rows[] = {
#define ROW(code, name, text, class) { name, text, STATUS_CLASS_##class },
    STATUS_MAP(ROW)
#undef ROW
};

/* A number that is no code is an error of ours, and reads as one. */
static size_t
row_of(enum status status)
{
    size_t row = (size_t)status;

    return row < sizeof rows / sizeof rows[0] ? row : STATUS_INTERNAL;
}

const char *
status_name(enum status status)
{
    return rows[row_of(status)].name;
}

const char *
status_text(enum status status)
{
    return rows[row_of(status)].text;
}

enum status_class
status_class_of(enum status status)
{
    return rows[row_of(status)].class;
}
