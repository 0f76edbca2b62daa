/* gateway/http/path.c - percent-decodes a path once, resolves its dot segments,
 * and writes the one spelling that is both decided and forwarded. */
#include "path.h"

#include "base/encoding.h"

/* What a byte may be. PLAIN stands for itself in an object (docs/rights.md) and
 * WIRE on the wire (RFC 3986 §3.3 pchar). Bytes from 0x80 on are neither. */
enum {
    PLAIN = 1,
    WIRE = 2,
};

/* clang-format off */
static const uint8_t kinds[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* control */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* control */
    0, 3, 0, 1, 3, 0, 3, 3, 2, 2, 2, 3, 2, 3, 3, 3, /* !"#$%&'()*+,-./ */
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 0, 3, 0, 0, /* 0123456789:;<=>? */
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, /* @ABCDEFGHIJKLMNO */
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 3, /* PQRSTUVWXYZ[\]^_ */
    0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, /* `abcdefghijklmno */
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 3, 0, /* pqrstuvwxyz{|}~DEL */
};
/* clang-format on */

const char *
path_verdict_name(enum path_verdict verdict)
{
    static const char *const names[] = {
#define PATH_NAME(code, name, text) name,
        PATH_MAP(PATH_NAME)
#undef PATH_NAME
    };
    return names[verdict];
}

const char *
path_verdict_text(enum path_verdict verdict)
{
    static const char *const texts[] = {
#define PATH_TEXT(code, name, text) text,
        PATH_MAP(PATH_TEXT)
#undef PATH_TEXT
    };
    return texts[verdict];
}

/* Most paths are canonical as they come: plain bytes, no empty segment, no
 * segment that begins with a dot. They cost one look at each byte and no copy. */
static bool
is_canonical(struct slice raw)
{
    uint8_t before = 0;

    for (size_t i = 0; i < raw.size; i++) {
        uint8_t byte = (uint8_t)raw.at[i];
        if ((kinds[byte] & (PLAIN | WIRE)) != (PLAIN | WIRE))
            return false;
        if (before == '/' && (byte == '/' || byte == '.'))
            return false;
        before = byte;
    }
    return true;
}

static struct slice
without_trailing_slash(struct slice path)
{
    return path.size > 1 && path.at[path.size - 1] == '/' ? slice_first(path, path.size - 1) : path;
}

/* A path taken apart: decoded bytes, and which ";" came encoded (an encoded one
 * is a letter of the name, a bare one begins a parameter). The separators that
 * the client wrote are the only ones: an encoded one was refused. */
struct decoded {
    uint8_t *bytes;
    bool *escaped;
    size_t size;
    bool dots;
};

static enum path_verdict
decode_byte(struct slice raw, size_t *at, uint8_t *out, bool *escaped)
{
    uint8_t byte = (uint8_t)raw.at[*at];

    *escaped = byte == '%';
    if (!*escaped) {
        /* RFC 3986 §2: a URI is ASCII; anything else comes encoded. */
        if (byte >= 0x80)
            return PATH_BYTE;
        if (byte == '#')
            return PATH_FRAGMENT;
        *out = byte;
        *at += 1;
        return PATH_OK;
    }
    if (raw.size - *at < 3)
        return PATH_ESCAPE;
    int high = hex_digit_value(raw.at[*at + 1]);
    int low = hex_digit_value(raw.at[*at + 2]);
    if (high < 0 || low < 0)
        return PATH_ESCAPE;
    *out = (uint8_t)(high << 4 | low);
    *at += 3;
    return PATH_OK;
}

static enum path_verdict
judge_byte(uint8_t byte, bool escaped, enum path_params params)
{
    if (byte < 0x20 || byte == 0x7f)
        return PATH_CONTROL;
    if (byte == ' ' && !escaped)
        return PATH_BYTE;
    if (byte == '\\' || (byte == '/' && escaped))
        return PATH_SEPARATOR;
    if (byte == ';' && params == PATH_PARAMS_REFUSE)
        return PATH_PARAMETER;
    return PATH_OK;
}

static enum path_verdict
decode(struct slice raw, enum path_params params, struct decoded *out)
{
    for (size_t at = 0; at < raw.size;) {
        uint8_t byte = 0;
        bool escaped = false;
        enum path_verdict verdict = decode_byte(raw, &at, &byte, &escaped);
        if (verdict == PATH_OK)
            verdict = judge_byte(byte, escaped, params);
        if (verdict != PATH_OK)
            return verdict;
        if (byte == '/' && out->size > 0 && out->bytes[out->size - 1] == '/')
            return PATH_EMPTY;
        out->bytes[out->size] = byte;
        out->escaped[out->size++] = escaped;
    }
    return PATH_OK;
}

/* RFC 3629 §4, and no C1 control (U+0080..U+009F). Returns the length of the
 * character at the front, 0 when there is none. */
static size_t
utf8_length(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    uint8_t least = 0x80, most = 0xbf;
    size_t length;

    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        length = 2;
    else if (lead >= 0xe0 && lead <= 0xef)
        length = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        length = 4;
    else
        return 0;
    if (lead == 0xc2)
        least = 0xa0;
    else if (lead == 0xe0)
        least = 0xa0;
    else if (lead == 0xed)
        most = 0x9f;
    else if (lead == 0xf0)
        least = 0x90;
    else if (lead == 0xf4)
        most = 0x8f;
    if (left < length || at[1] < least || at[1] > most)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

static enum path_verdict
judge_utf8(const struct decoded *path)
{
    for (size_t at = 0; at < path->size;) {
        size_t length = utf8_length(path->bytes + at, path->size - at);
        if (length == 0)
            return path->bytes[at] == 0xc2 && at + 1 < path->size && path->bytes[at + 1] >= 0x80 &&
                           path->bytes[at + 1] < 0xa0
                       ? PATH_CONTROL
                       : PATH_UTF8;
        at += length;
    }
    return PATH_OK;
}

/* 1 for ".", 2 for "..", 0 for a name. Servers with path parameters take them
 * off first, so that "..;a" is ".." to them. */
static int
dots_of(const struct decoded *path, size_t from, size_t to)
{
    size_t end = from;

    while (end < to && path->bytes[end] != ';')
        end++;
    if (end - from == 1 && path->bytes[from] == '.')
        return 1;
    return end - from == 2 && path->bytes[from] == '.' && path->bytes[from + 1] == '.' ? 2 : 0;
}

/* RFC 3986 §5.2.4 in place, but a climb above the root is refused, and so is a
 * dot segment with parameters. */
static enum path_verdict
resolve_dots(struct decoded *path)
{
    size_t kept = 0; /* bytes[0..kept) is resolved and ends before a "/" */

    for (size_t from = 0; from < path->size;) {
        size_t to = from + 1; /* bytes[from] is the "/" before the segment */
        while (to < path->size && path->bytes[to] != '/')
            to++;
        int dots = dots_of(path, from + 1, to);
        if (dots != 0 && to - from - 1 != (size_t)dots)
            return PATH_CLIMBS;
        path->dots = path->dots || dots != 0;
        if (dots == 2) {
            if (kept == 0)
                return PATH_CLIMBS;
            while (path->bytes[--kept] != '/')
                ;
        }
        if (dots == 0) {
            memmove(path->bytes + kept, path->bytes + from, to - from);
            memmove(path->escaped + kept, path->escaped + from, to - from);
            kept += to - from;
        } else if (to == path->size) {
            path->bytes[kept] = '/'; /* "/a/." and "/a/b/.." name the folder */
            path->escaped[kept++] = false;
        }
        from = to;
    }
    path->size = kept;
    return PATH_OK;
}

static char *
write_byte(char *to, uint8_t byte, bool bare)
{
    static const char digits[] = "0123456789ABCDEF";

    if (bare) {
        *to++ = (char)byte;
        return to;
    }
    *to++ = '%';
    *to++ = digits[byte >> 4];
    *to++ = digits[byte & 15];
    return to;
}

static enum path_verdict
encode(const struct decoded *path, struct arena *arena, struct path *out)
{
    char *object = arena_take(arena, 3 * path->size);
    char *forward = arena_take(arena, 3 * path->size);
    char *object_end = object, *forward_end = forward;
    bool parameter = false;

    if (object == NULL || forward == NULL)
        return PATH_MEMORY;
    for (size_t i = 0; i < path->size; i++) {
        uint8_t byte = path->bytes[i];
        bool wire = (kinds[byte] & WIRE) != 0 && !(byte == ';' && path->escaped[i]);
        /* A parameter is no part of the object, as the query is none: else "/a;x"
         * would slip past a deny of "/a". */
        parameter = byte != '/' && (parameter || (byte == ';' && !path->escaped[i]));
        if (byte == '/' && object_end > object && object_end[-1] == '/')
            return PATH_EMPTY;
        if (!parameter)
            object_end = write_byte(object_end, byte, (kinds[byte] & PLAIN) != 0);
        forward_end = write_byte(forward_end, byte, wire);
    }
    out->object = without_trailing_slash(slice_of(object, (size_t)(object_end - object)));
    out->forward = slice_of(forward, (size_t)(forward_end - forward));
    out->dots = path->dots;
    return PATH_OK;
}

enum path_verdict
path_canonical(struct slice raw, enum path_params params, struct arena *arena, struct path *out)
{
    if (raw.size == 0 || raw.at[0] != '/')
        return PATH_RELATIVE;
    if (is_canonical(raw)) {
        *out = (struct path){ .object = without_trailing_slash(raw), .forward = raw };
        return PATH_OK;
    }

    struct decoded path = {
        .bytes = arena_take(arena, raw.size),
        .escaped = arena_take(arena, raw.size * sizeof(bool)),
    };
    if (path.bytes == NULL || path.escaped == NULL)
        return PATH_MEMORY;
    enum path_verdict verdict = decode(raw, params, &path);
    if (verdict == PATH_OK)
        verdict = judge_utf8(&path);
    if (verdict == PATH_OK)
        verdict = resolve_dots(&path);
    return verdict == PATH_OK ? encode(&path, arena, out) : verdict;
}

bool
path_query_valid(struct slice query)
{
    for (size_t i = 0; i < query.size; i++) {
        uint8_t byte = (uint8_t)query.at[i];
        if (byte <= 0x20 || byte >= 0x7f || byte == '#')
            return false;
    }
    return true;
}

struct slice
path_query_decoded(struct slice query, struct arena *arena)
{
    size_t size = 0;
    char *bytes =
        slice_find(query, '%') == query.size ? NULL : (char *)arena_take(arena, query.size);

    for (size_t i = 0; bytes != NULL && i < query.size; i++) {
        int high = -1, low = -1;
        if (query.at[i] == '%' && query.size - i > 2) {
            high = hex_digit_value(query.at[i + 1]);
            low = hex_digit_value(query.at[i + 2]);
        }
        bool escaped = high >= 0 && low >= 0;
        bytes[size++] = escaped ? (char)(high << 4 | low) : query.at[i];
        i += escaped ? 2 : 0;
    }
    return slice_of(bytes, size);
}
