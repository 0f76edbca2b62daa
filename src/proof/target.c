/* proof/target.c - a URL in its normal form: what is no URL of ours is refused. */
#include "proof/target.h"

#include "base/encoding.h"

enum { TARGET_MAX = 8192 };

/* Writes into room that is as long as the input and more. */
struct writer {
    char *at;
    size_t size;
};

static void
put(struct writer *out, char byte)
{
    out->at[out->size++] = byte;
}

static char
small(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* RFC 3986 §2.3. */
static bool
is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* The bytes of a path (§3.3) that stand for themselves. */
static bool
is_path_byte(char c)
{
    return is_unreserved(c) || (c != '\0' && strchr("/!$&'()*+,;=:@", c) != NULL);
}

static bool
put_escape(struct writer *out, struct slice path, size_t at)
{
    static const char digits[] = "0123456789ABCDEF";
    int high = at + 2 < path.size ? hex_digit_value(path.at[at + 1]) : -1;
    int low = at + 2 < path.size ? hex_digit_value(path.at[at + 2]) : -1;

    if (high < 0 || low < 0)
        return false;
    char byte = (char)(high << 4 | low);
    if (is_unreserved(byte)) {
        put(out, byte);
    } else {
        put(out, '%');
        put(out, digits[high]);
        put(out, digits[low]);
    }
    return true;
}

/* Escapes first, so that a dot that was escaped is a dot (§6.2.2.2, §6.2.2.3). */
static bool
unescape(struct slice path, struct writer *out)
{
    for (size_t i = 0; i < path.size; i++) {
        if (path.at[i] == '%') {
            if (!put_escape(out, path, i))
                return false;
            i += 2;
        } else if (is_path_byte(path.at[i])) {
            put(out, path.at[i]);
        } else {
            return false;
        }
    }
    return true;
}

/* Takes the last segment off, with the slash before it, but never more than the path. */
static void
drop_segment(struct writer *out, size_t start)
{
    while (out->size > start && out->at[--out->size] != '/')
        ;
}

/* §5.2.4 on a path that begins with a slash. */
static void
put_without_dots(struct slice path, struct writer *out)
{
    size_t start = out->size;

    while (path.size > 0) {
        size_t end = 1 + slice_find(slice_from(path, 1), '/');
        struct slice segment = slice_first(path, end);
        bool last = end == path.size;

        if (slice_is(segment, "/..")) {
            drop_segment(out, start);
            if (last)
                put(out, '/');
        } else if (!slice_is(segment, "/.")) {
            memcpy(out->at + out->size, segment.at, segment.size);
            out->size += segment.size;
        } else if (last) {
            put(out, '/');
        }
        path = slice_from(path, end);
    }
    if (out->size == start)
        put(out, '/');
}

/* §3.2.2 without user info: a name, an IPv4 address, or an IPv6 one in brackets. */
static bool
put_host(struct slice host, struct writer *out)
{
    bool bracketed = host.size > 2 && host.at[0] == '[' && host.at[host.size - 1] == ']';

    if (host.size == 0)
        return false;
    for (size_t i = 0; i < host.size; i++) {
        char c = host.at[i];
        bool fine = bracketed
                        ? hex_digit_value(c) >= 0 || c == ':' || c == '.' || c == '[' || c == ']'
                        : is_unreserved(c);
        if (!fine)
            return false;
        put(out, small(c));
    }
    return true;
}

/* "host:port", "[v6]:port"; the scheme's own port and an empty one are left out. */
static bool
put_authority(struct slice authority, bool tls, struct writer *out)
{
    size_t closing = slice_find(authority, ']');
    size_t from = closing == authority.size ? 0 : closing + 1;
    size_t colon = from + slice_find(slice_from(authority, from), ':');
    struct slice port = slice_from(authority, colon + 1);
    uint64_t number = 0;

    if (from > authority.size || !put_host(slice_first(authority, colon), out))
        return false;
    if (port.size == 0)
        return true;
    if (!slice_u64(port, &number) || number == 0 || number > UINT16_MAX)
        return false;
    if (number == (tls ? 443 : 80))
        return true;
    put(out, ':');
    while (port.size > 1 && port.at[0] == '0')
        port = slice_from(port, 1);
    memcpy(out->at + out->size, port.at, port.size);
    out->size += port.size;
    return true;
}

static bool
take_scheme(struct slice *url, bool *tls)
{
    if (slice_equal_nocase(slice_first(*url, 8), SLICE_LITERAL("https://"))) {
        *tls = true;
        *url = slice_from(*url, 8);
        return true;
    }
    *tls = false;
    if (!slice_equal_nocase(slice_first(*url, 7), SLICE_LITERAL("http://")))
        return false;
    *url = slice_from(*url, 7);
    return true;
}

enum status
target_normal(struct slice url, struct arena *arena, struct slice *out)
{
    struct writer whole = { 0 }, path = { 0 };
    struct slice rest = url, authority;
    size_t end;
    bool tls;

    if (url.size > TARGET_MAX)
        return STATUS_TOO_LARGE;
    if (!take_scheme(&rest, &tls))
        return STATUS_INVALID;
    rest = slice_first(rest, slice_find(rest, '#'));
    rest = slice_first(rest, slice_find(rest, '?'));
    end = slice_find(rest, '/');
    authority = slice_first(rest, end);
    whole.at = arena_take(arena, url.size + 2);
    path.at = arena_take(arena, url.size + 2);
    if (whole.at == NULL || path.at == NULL)
        return STATUS_MEMORY;
    memcpy(whole.at, tls ? "https://" : "http://", whole.size = tls ? 8 : 7);
    if (!put_authority(authority, tls, &whole) || !unescape(slice_from(rest, end), &path))
        return STATUS_INVALID;
    put_without_dots(slice_of(path.at, path.size), &whole);
    *out = slice_of(whole.at, whole.size);
    return STATUS_OK;
}
