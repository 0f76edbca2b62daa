/* bridge/lines.h - lines out of pieces of any size, each of a bounded length. */
#ifndef WRIT_BRIDGE_LINES_H
#define WRIT_BRIDGE_LINES_H

#include "base/buffer.h"

struct lines {
    size_t most;        /* bytes of a line, without its end */
    struct buffer kept; /* the beginning of a line whose end has not come */
    bool spent;         /* kept was handed out as a line */
};

enum lines_found {
    LINES_ONE,      /* *line, which lives until the next call or until the piece goes */
    LINES_MORE,     /* all of the piece is taken, and a line's end is to come */
    LINES_TOO_LONG, /* nothing can be read after it */
};
/* Takes from the front of the piece. The line comes without "\n" and a "\r" before it. */
enum lines_found lines_next(struct lines *lines, struct slice *piece, struct slice *line);
void lines_free(struct lines *lines);

#endif
