/* bridge/lines.c - the end of a line is looked for once, in the piece that brings it. */
#include "lines.h"

static struct slice
without_return(struct slice line)
{
    return line.size > 0 && line.at[line.size - 1] == '\r' ? slice_first(line, line.size - 1)
                                                           : line;
}

enum lines_found
lines_next(struct lines *lines, struct slice *piece, struct slice *line)
{
    size_t size = slice_find(*piece, '\n');
    struct slice part = slice_first(*piece, size);
    bool whole = size < piece->size;

    if (lines->spent)
        buffer_clear(&lines->kept);
    lines->spent = false;
    if (lines->kept.size + part.size > lines->most)
        return LINES_TOO_LONG;
    *piece = slice_from(*piece, size + whole);
    if (whole && lines->kept.size == 0) {
        *line = without_return(part);
        return LINES_ONE;
    }
    put_slice(&lines->kept, part);
    if (buffer_status(&lines->kept) != STATUS_OK)
        return LINES_TOO_LONG;
    if (!whole)
        return LINES_MORE;
    lines->spent = true;
    *line = without_return(buffer_slice(&lines->kept));
    return LINES_ONE;
}

void
lines_free(struct lines *lines)
{
    buffer_free(&lines->kept);
}
