/* sql/normal.c - a statement for the audit: its words without its values. The text has been
 * parsed already, so that only tokens must be told apart, as scan.l does (strings as
 * standard_conforming_strings has them). */
#include "sql/sql.h"

struct slice sql_normalize(struct slice text, struct arena *arena);

/* What a value becomes. */
enum values {
    VALUES_HIDDEN, /* "?", for people */
    VALUES_ZERO,   /* a value of its own kind that is always the same */
};

struct scan {
    struct slice text;
    size_t at;
    char *out;
    size_t size, most;
    enum values values;
    bool blank; /* a blank stands before the next token */
    bool whole; /* nothing was cut off, and all of it is certain */
    /* The last token was a string: another one behind it goes on with it, in its manner
     * ("quotecontinue" in scan.l). */
    bool after_string, escapes;
};

static char
peek(const struct scan *scan, size_t ahead)
{
    return scan->at + ahead < scan->text.size ? scan->text.at[scan->at + ahead] : '\0';
}

static bool
is_word(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
           (byte >= '0' && byte <= '9') || (byte & 0x80) != 0;
}

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool
is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static void
put(struct scan *scan, struct slice token)
{
    size_t wanted = token.size + (scan->blank && scan->size > 0);

    if (scan->size + wanted <= scan->most) {
        if (wanted > token.size)
            scan->out[scan->size++] = ' ';
        if (token.size > 0)
            memcpy(scan->out + scan->size, token.at, token.size);
        scan->size += token.size;
    } else {
        scan->at = scan->text.size;
        scan->whole = false;
    }
    scan->blank = false;
}

/* Behind the end of a quoted run whose opening quote is at `at`. */
static size_t
quoted_end(const struct scan *scan, size_t at, char quote, bool escapes)
{
    const struct slice text = scan->text;

    for (at++; at < text.size; at++) {
        if (escapes && text.at[at] == '\\')
            at++;
        else if (text.at[at] == quote && (at + 1 == text.size || text.at[at + 1] != quote))
            return at + 1;
        else if (text.at[at] == quote)
            at++;
    }
    return text.size;
}

/* Comments nest. */
static void
skip_comment(struct scan *scan)
{
    unsigned depth = 0;

    do {
        if (peek(scan, 0) == '/' && peek(scan, 1) == '*') {
            depth++;
            scan->at += 2;
        } else if (peek(scan, 0) == '*' && peek(scan, 1) == '/') {
            depth--;
            scan->at += 2;
        } else {
            scan->at++;
        }
    } while (depth > 0 && scan->at < scan->text.size);
}

static void
value_until(struct scan *scan, size_t end, struct slice zero)
{
    scan->at = end;
    put(scan, scan->values == VALUES_HIDDEN ? SLICE_LITERAL("?") : zero);
}

/* $1 is a parameter, $tag$ … $tag$ a string. */
static void
dollar(struct scan *scan)
{
    size_t end = scan->at + 1;
    const struct slice text = scan->text;

    if (is_digit(peek(scan, 1))) {
        while (end < text.size && is_digit(text.at[end]))
            end++;
        struct slice token = slice_of(text.at + scan->at, end - scan->at);
        scan->at = end;
        put(scan, token);
        return;
    }
    while (end < text.size && is_word(text.at[end]))
        end++;
    if (end == text.size || text.at[end] != '$') {
        scan->whole = false; /* a "$" that begins nothing */
        end = end < text.size ? end : text.size - 1;
    }
    struct slice tag = slice_of(text.at + scan->at, end + 1 - scan->at);
    for (end++; end < text.size; end++) {
        if (slice_starts(slice_from(text, end), tag)) {
            value_until(scan, end + tag.size, SLICE_LITERAL("''"));
            return;
        }
    }
    value_until(scan, text.size, SLICE_LITERAL("''"));
}

/* A letter before a quote: E'', B'', X'', N'', U&''. */
static size_t
prefix_size(const struct scan *scan)
{
    if (peek(scan, 0) != '\0' && strchr("eEbBxXnN", peek(scan, 0)) != NULL && peek(scan, 1) == '\'')
        return 1;
    if ((peek(scan, 0) == 'u' || peek(scan, 0) == 'U') && peek(scan, 1) == '&' &&
        peek(scan, 2) == '\'')
        return 2;
    return 0;
}

/* Of the same kind: a bit string is no text. */
static struct slice
zero_string(char first)
{
    switch (first | 0x20) {
    case 'b':
        return SLICE_LITERAL("B''");
    case 'x':
        return SLICE_LITERAL("X''");
    default:
        return SLICE_LITERAL("''");
    }
}

static size_t
digits_end(struct slice text, size_t at)
{
    while (at < text.size && is_digit(text.at[at]))
        at++;
    return at;
}

/* 12 1.5 .5 1e-3; anything else that is joined to it is junk, which not every version of
 * PostgreSQL reads alike. */
static void
number(struct scan *scan)
{
    const struct slice text = scan->text;
    size_t end = digits_end(text, scan->at);

    if (end < text.size && text.at[end] == '.')
        end = digits_end(text, end + 1);
    if (end < text.size && (text.at[end] | 0x20) == 'e') {
        bool sign = end + 1 < text.size && (text.at[end + 1] == '+' || text.at[end + 1] == '-');
        size_t exponent = digits_end(text, end + 1 + sign);
        if (exponent > end + 1 + sign)
            end = exponent;
    }
    while (end < text.size &&
           (is_word(text.at[end]) || text.at[end] == '.' || text.at[end] == '$')) {
        scan->whole = false;
        end++;
    }
    value_until(scan, end, SLICE_LITERAL("0"));
}

static void
word(struct scan *scan)
{
    size_t end = scan->at;

    while (end < scan->text.size && (is_word(scan->text.at[end]) || scan->text.at[end] == '$'))
        end++;
    struct slice token = slice_of(scan->text.at + scan->at, end - scan->at);
    scan->at = end;
    put(scan, token);
}

static void
string(struct scan *scan, size_t prefix)
{
    char first = peek(scan, 0);
    bool goes_on = scan->after_string && prefix == 0;

    if (goes_on)
        scan->whole = false;
    else
        scan->escapes = prefix == 1 && (first | 0x20) == 'e';
    value_until(scan, quoted_end(scan, scan->at + prefix, '\'', scan->escapes), zero_string(first));
    scan->after_string = true;
}

static void
token(struct scan *scan)
{
    char byte = peek(scan, 0);
    size_t prefix = prefix_size(scan);

    if (byte == '\'' || prefix > 0) {
        string(scan, prefix);
        return;
    }
    scan->after_string = false;
    if (byte == '"') {
        size_t end = quoted_end(scan, scan->at, '"', false);
        struct slice name = slice_of(scan->text.at + scan->at, end - scan->at);
        scan->at = end;
        put(scan, name);
    } else if (byte == '$') {
        dollar(scan);
    } else if (is_digit(byte) || (byte == '.' && is_digit(peek(scan, 1)))) {
        number(scan);
    } else if (is_word(byte)) {
        word(scan);
    } else {
        struct slice sign = slice_of(scan->text.at + scan->at, 1);
        scan->at++;
        put(scan, sign);
    }
}

static void
step(struct scan *scan)
{
    char byte = peek(scan, 0), next = peek(scan, 1);

    if (is_blank(byte)) {
        scan->blank = true;
        scan->at++;
    } else if (byte == '-' && next == '-') {
        scan->blank = true;
        while (scan->at < scan->text.size && peek(scan, 0) != '\n' && peek(scan, 0) != '\r')
            scan->at++;
    } else if (byte == '/' && next == '*') {
        scan->blank = true;
        skip_comment(scan);
    } else {
        token(scan);
    }
}

struct slice
sql_normalize(struct slice text, struct arena *arena)
{
    size_t room = 2 * text.size + 1; /* a "?" with its blank for each byte is the longest */
    size_t most = room < SQL_NORMAL_MAX ? room : SQL_NORMAL_MAX;
    struct scan scan = {
        .text = text, .out = arena_take(arena, most), .most = most, .whole = true
    };

    if (scan.out == NULL)
        return (struct slice){ 0 };
    while (scan.at < text.size)
        step(&scan);
    return slice_of(scan.out, scan.size);
}

bool
sql_shape(struct slice text, struct buffer *out)
{
    size_t room = 4 * text.size + 1; /* "1" with its blank becomes four bytes at most */
    struct scan scan = { .text = text,
                         .out = buffer_room(out, room),
                         .most = room,
                         .values = VALUES_ZERO,
                         .whole = true };

    /* With UESCAPE an escape character of one's own choice says what a name is. */
    if (scan.out == NULL || slice_contains_nocase(text, SLICE_LITERAL("uescape")))
        return false;
    while (scan.at < text.size)
        step(&scan);
    buffer_added(out, scan.size);
    return scan.whole;
}
