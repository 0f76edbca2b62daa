/* cli/screen.h - what another terminal showed, made fit to be shown on this one: it moves the
 * cursor and sets colours, but asks the terminal nothing (its answer would be typed into the
 * shell), and sets no clipboard, title or link. Pure. */
#ifndef WRIT_CLI_SCREEN_H
#define WRIT_CLI_SCREEN_H

#include "base/buffer.h"

enum { SCREEN_SEQUENCE_MAX = 64 }; /* a longer one is left out */

struct screen {
    enum screen_state {
        SCREEN_TEXT,
        SCREEN_ESCAPE,    /* ESC came */
        SCREEN_CONTROL,   /* ESC [ came: until a final byte */
        SCREEN_DESIGNATE, /* ESC ( and the like: one byte more */
        SCREEN_STRING,    /* OSC, DCS …: until BEL or ESC \ */
        SCREEN_C1,        /* the first byte of a C1 control in UTF-8 came */
    } state;
    char sequence[SCREEN_SEQUENCE_MAX];
    size_t size;
    bool over; /* it was longer */
};

/* Text may be cut anywhere. */
void screen_show(struct screen *screen, struct slice text, struct buffer *out);
/* Puts the terminal back as it is expected. */
void screen_end(struct buffer *out);

#endif
