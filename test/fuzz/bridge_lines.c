/* fuzz/bridge_lines.c - any bytes as what a server says on its output: the lines are the same
 * however the bytes arrive, each within its bound, and a message is of one kind. */
#include <stdlib.h>

#include "lines.h"
#include "message.h"

enum { MOST = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static void
check_message(struct slice line)
{
    struct bridge_message message;
    const char *why = NULL;

    if (!bridge_message_read(line, &message, &why)) {
        check(why != NULL && why[0] != '\0');
        return;
    }
    check((message.kind == BRIDGE_NOTIFICATION) == (message.id.size == 0));
    check(message.kind == BRIDGE_REQUEST || !message.initialize || message.id.size == 0);
    check(message.kind == BRIDGE_RESPONSE || !message.failed);
    check(message.id.size <= BRIDGE_ID_MAX);
    check(message.id.size == 0 ||
          (message.id.at >= line.at && message.id.at + message.id.size <= line.at + line.size));
}

/* Pieces of so many bytes; the lines, and whether one was too long, into out. */
static void
read_pieces(struct slice text, size_t step, struct buffer *out)
{
    struct lines lines = { .most = MOST };
    enum lines_found found = LINES_ONE;
    struct slice line;

    while (text.size > 0 && found != LINES_TOO_LONG) {
        struct slice piece = slice_first(text, step);

        text = slice_from(text, piece.size);
        do {
            found = lines_next(&lines, &piece, &line);
            if (found != LINES_ONE)
                continue;
            check(line.size <= MOST && slice_find(line, '\n') == line.size);
            put_slice32(out, line);
        } while (found == LINES_ONE);
        check(found == LINES_TOO_LONG || piece.size == 0);
    }
    put_u8(out, found == LINES_TOO_LONG);
    lines_free(&lines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size), whole;
    struct buffer at_once = { 0 }, byte_wise = { 0 };
    struct cursor in;

    read_pieces(text, size > 0 ? size : 1, &at_once);
    read_pieces(text, 1, &byte_wise);
    check(slice_equal(buffer_slice(&at_once), buffer_slice(&byte_wise)));
    in = cursor_over(buffer_slice(&at_once));
    while (cursor_left(&in) > 1 && take_slice32(&in, &whole))
        check_message(whole);
    buffer_free(&at_once);
    buffer_free(&byte_wise);
    return 0;
}
