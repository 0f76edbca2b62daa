/* gateway/http/query.c - query parameters, strictly. */
#include "query.h"

#include <string.h>

static int
hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool
decode(struct slice text, struct arena *arena, struct slice *out)
{
    char *to = arena_take(arena, text.size + 1);
    size_t size = 0;

    if (to == NULL)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.at[i];

        if (byte == '%') {
            int high = i + 2 < text.size ? hex_value(text.at[i + 1]) : -1;
            int low = i + 2 < text.size ? hex_value(text.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            byte = (char)(high << 4 | low);
            i += 2;
        } else if (byte == '+') {
            byte = ' ';
        }
        if (byte == '\0')
            return false;
        to[size++] = byte;
    }
    *out = slice_of(to, size);
    return true;
}

bool
query_is_clear(struct slice query)
{
    return slice_find(query, ';') == query.size;
}

static bool
is_named(struct slice pair, const char *name, struct arena *arena, bool *clear)
{
    struct slice key;

    *clear = decode(slice_first(pair, slice_find(pair, '=')), arena, &key);
    return *clear && slice_is(key, name);
}

enum query_found
query_find(struct slice query, const char *name, struct arena *arena, struct slice *out)
{
    enum query_found found = QUERY_ABSENT;
    struct slice pair;
    bool clear;

    while (slice_next(&query, '&', &pair)) {
        bool named = is_named(pair, name, arena, &clear);

        if (!clear || (named && found == QUERY_FOUND))
            return QUERY_AMBIGUOUS;
        if (!named)
            continue;
        if (!decode(slice_from(pair, slice_find(pair, '=') + 1), arena, out))
            return QUERY_AMBIGUOUS;
        found = QUERY_FOUND;
    }
    return found;
}

bool
query_next(struct slice *query, struct arena *arena, struct slice *name, struct slice *value,
           bool *clear)
{
    struct slice pair;

    *clear = true;
    if (!slice_next(query, '&', &pair))
        return false;
    size_t equals = slice_find(pair, '=');
    *clear = decode(slice_first(pair, equals), arena, name) &&
             decode(slice_from(pair, equals + 1), arena, value);
    return *clear;
}

struct slice
query_replace(struct slice query, const char *name, struct slice value, struct arena *arena)
{
    struct slice pair, out = arena_format(arena, "%s=%.*s", name, SLICE_PRINT(value));
    bool clear;

    while (out.at != NULL && slice_next(&query, '&', &pair)) {
        if (pair.size > 0 && !is_named(pair, name, arena, &clear))
            out = arena_format(arena, "%.*s&%.*s", SLICE_PRINT(out), SLICE_PRINT(pair));
    }
    return out;
}
