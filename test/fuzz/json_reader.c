/* fuzz/json_reader.c - what the reader without a tree takes, the one with a tree takes too, and
 * the other way round but for the reader's stricter limits. */
#include <stdlib.h>

#include "base/json.h"
#include "base/json_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
reads(struct slice text, const char **why, bool *numbers)
{
    struct json_reader reader;
    struct json_piece piece;
    unsigned open = 0;

    *numbers = false;
    json_reader_init(&reader, text);
    do {
        json_next(&reader, &piece);
        *numbers |= piece.token == JSON_TOKEN_NUMBER;
        open += piece.token == JSON_TOKEN_OBJECT || piece.token == JSON_TOKEN_ARRAY;
        open -= piece.token == JSON_TOKEN_END;
        if (piece.raw.size > 0 &&
            (piece.raw.at < text.at || piece.raw.at + piece.raw.size > text.at + text.size))
            abort();
    } while (piece.token != JSON_TOKEN_DONE && piece.token != JSON_TOKEN_WRONG);
    *why = reader.why;
    json_reader_free(&reader);
    if (piece.token == JSON_TOKEN_DONE && open != 0)
        abort();
    return piece.token == JSON_TOKEN_DONE;
}

static bool
has_zero_escape(struct slice text)
{
    return memmem(text.at, text.size, "\\u0000", 6) != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    json_t *tree = NULL;
    const char *why;
    bool numbers, whole = reads(text, &why, &numbers);
    bool parsed = json_read(text, &tree, NULL) == STATUS_OK;

    /* The tree can't hold every number that is well formed. */
    if (whole && !parsed && !numbers)
        abort();
    if (!whole && parsed && why != NULL && strstr(why, "too") == NULL && !has_zero_escape(text))
        abort();
    json_decref(tree);
    return 0;
}
