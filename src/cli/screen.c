/* cli/screen.c - ECMA-48, as far as it only shows. */
#include "screen.h"

#include <string.h>

enum { BEL = 0x07, CAN = 0x18, SUB = 0x1a, ESC = 0x1b, STRING_MOST = 4096 };

static void
begin(struct screen *screen, enum screen_state state)
{
    screen->state = state;
    screen->size = 0;
    screen->over = false;
}

static void
gather(struct screen *screen, char byte)
{
    if (screen->size == sizeof screen->sequence)
        screen->over = true;
    else
        screen->sequence[screen->size++] = byte;
}

/* Parameters are digits, ';', ':' and perhaps a '?' before; what has other marks asks for more than
 * to show. */
static bool
is_plain(const struct screen *screen)
{
    for (size_t i = 0; i + 1 < screen->size; i++) {
        char byte = screen->sequence[i];

        if (!(byte >= '0' && byte <= '9') && byte != ';' && byte != ':' && !(byte == '?' && i == 0))
            return false;
    }
    return true;
}

/* Keys as they were, the other screen, the cursor, reverse video, pasting: what screen_end puts
 * back. */
static bool
is_harmless_mode(const struct screen *screen)
{
    static const char *const modes[] = { "?1",  "?5",    "?6",    "?7",    "?12",  "?25",
                                         "?47", "?1047", "?1048", "?1049", "?2004" };
    struct slice mode = slice_of(screen->sequence, screen->size - 1);

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (slice_is(mode, modes[i]))
            return true;
    return false;
}

/* Cursor, erasing, scrolling, colours, modes. Not: reports (c, n), the window (t), keys (u). */
static bool
may_control(const struct screen *screen)
{
    static const char finals[] = "ABCDEFGHIJKLMPSTXZ@`abdefgmrs";
    char final = screen->sequence[screen->size - 1];
    bool asked = screen->sequence[0] == '?';

    if (screen->over || !is_plain(screen))
        return false;
    if (final == 'h' || final == 'l')
        return is_harmless_mode(screen);
    return memchr(finals, final, sizeof finals - 1) != NULL &&
           (!asked || final == 'J' || final == 'K');
}

static void
put_sequence(const struct screen *screen, const char *before, struct buffer *out)
{
    put_u8(out, ESC);
    put_text(out, before);
    put_bytes(out, screen->sequence, screen->size);
}

static void
on_text(struct screen *screen, uint8_t byte, struct buffer *out)
{
    if (byte == ESC)
        begin(screen, SCREEN_ESCAPE);
    else if (byte == 0xc2)
        begin(screen, SCREEN_C1);
    else if (byte >= 0x20 ? byte != 0x7f : memchr("\a\b\t\n\v\f\r\x0e\x0f", byte, 9) != NULL)
        put_u8(out, byte);
}

static void
on_escape(struct screen *screen, uint8_t byte, struct buffer *out)
{
    if (byte == '[') {
        begin(screen, SCREEN_CONTROL);
    } else if (memchr("]PX^_", byte, 5) != NULL) {
        begin(screen, SCREEN_STRING);
    } else if (memchr("()*+-./", byte, 7) != NULL) {
        begin(screen, SCREEN_DESIGNATE);
        gather(screen, (char)byte);
    } else if (byte == ESC) {
        begin(screen, SCREEN_ESCAPE);
    } else {
        if (memchr("78DEHMc=>", byte, 9) != NULL) {
            put_u8(out, ESC);
            put_u8(out, byte);
        }
        begin(screen, SCREEN_TEXT);
    }
}

static void
on_control(struct screen *screen, uint8_t byte, struct buffer *out)
{
    if (byte == ESC) {
        begin(screen, SCREEN_ESCAPE);
        return;
    }
    gather(screen, (char)byte);
    if (byte < 0x40 || byte > 0x7e)
        return;
    if (may_control(screen))
        put_sequence(screen, "[", out);
    begin(screen, SCREEN_TEXT);
}

static void
on_designate(struct screen *screen, uint8_t byte, struct buffer *out)
{
    gather(screen, (char)byte);
    if ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z'))
        put_sequence(screen, "", out);
    begin(screen, byte == ESC ? SCREEN_ESCAPE : SCREEN_TEXT);
}

/* One that does not end would hide all that comes: terminals bound it too. */
static void
on_string(struct screen *screen, uint8_t byte)
{
    bool ends = byte == BEL || (byte == 0x9c && screen->size > 0 && screen->sequence[0] == '\xc2');

    screen->sequence[0] = (char)byte;
    screen->size++;
    if (byte == ESC)
        begin(screen, SCREEN_ESCAPE);
    else if (ends || screen->size > STRING_MOST)
        begin(screen, SCREEN_TEXT);
}

/* U+0080 to U+009F are controls of the same power as ESC and a letter: none passes. */
static void
on_c1(struct screen *screen, uint8_t byte, struct buffer *out)
{
    begin(screen, SCREEN_TEXT);
    if (byte >= 0x80 && byte <= 0x9f)
        return;
    put_u8(out, 0xc2);
    on_text(screen, byte, out);
}

void
screen_show(struct screen *screen, struct slice text, struct buffer *out)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = (uint8_t)text.at[i];

        /* These end whatever was begun, on every terminal. */
        if (byte == CAN || byte == SUB) {
            begin(screen, SCREEN_TEXT);
            continue;
        }
        switch (screen->state) {
        case SCREEN_TEXT:
            on_text(screen, byte, out);
            break;
        case SCREEN_ESCAPE:
            on_escape(screen, byte, out);
            break;
        case SCREEN_CONTROL:
            on_control(screen, byte, out);
            break;
        case SCREEN_DESIGNATE:
            on_designate(screen, byte, out);
            break;
        case SCREEN_STRING:
            on_string(screen, byte);
            break;
        case SCREEN_C1:
            on_c1(screen, byte, out);
            break;
        }
    }
}

/* The character set, colours, margins, modes, the cursor. */
void
screen_end(struct buffer *out)
{
    put_text(out, "\x0f\033(B\033[0m\033[r\033>\033[?1l\033[?5l\033[?6l\033[?7h\033[?47l\033[?1047l"
                  "\033[?1049l\033[?25h\033[?2004l\r");
}
