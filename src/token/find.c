/* token/find.c - a token's text among other bytes, where it would be logged. */
#include "token/text.h"

static bool
is_alphanumeric(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

/* at points to an underscore within bytes. */
static bool
token_around(struct slice bytes, const char *at, struct slice belongs)
{
    size_t before = (size_t)(at - bytes.at), prefix = 0;
    const char *end = at + 1, *last = bytes.at + bytes.size;

    if (before >= 4 && memcmp(at - 4, "writ", 4) == 0)
        prefix = 4;
    else if (before >= 5 && memcmp(at - 5, "writa", 5) == 0)
        prefix = 5;
    if (prefix == 0 || at - prefix == belongs.at)
        return false;
    while (end < last && is_alphanumeric(*end))
        end++;
    struct slice run = slice_of(at - prefix, (size_t)(end - at) + prefix);
    if (prefix == 4)
        run = slice_first(run, TOKEN_TEXT_SIZE);
    return token_text_valid(run);
}

bool
token_text_stands_in(struct slice bytes, struct slice belongs)
{
    const char *at = bytes.at, *end = bytes.at + bytes.size;

    while (at != NULL && at < end) {
        at = memchr(at, '_', (size_t)(end - at));
        if (at == NULL)
            break;
        if (token_around(bytes, at, belongs))
            return true;
        at++;
    }
    return false;
}
