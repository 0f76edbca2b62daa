/* sql/normal.c - a statement for the audit: its words without its values. The text has been
 * parsed already, so that only tokens must be told apart, as scan.l does (strings as
 * standard_conforming_strings has them). */
#include "sql/sql.h"

struct slice sql_normalize(struct slice text, struct arena *arena);

struct scan {
    struct slice text;
    size_t at;
    char *out;
    size_t size;
    bool blank; /* a blank stands before the next token */
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

    if (scan->size + wanted <= SQL_NORMAL_MAX) {
        if (wanted > token.size)
            scan->out[scan->size++] = ' ';
        if (token.size > 0)
            memcpy(scan->out + scan->size, token.at, token.size);
        scan->size += token.size;
    } else {
        scan->at = scan->text.size; /* cut off */
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
value_until(struct scan *scan, size_t end)
{
    scan->at = end;
    put(scan, SLICE_LITERAL("?"));
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
    struct slice tag = slice_of(text.at + scan->at, end + 1 - scan->at);
    for (end++; end < text.size; end++) {
        if (slice_starts(slice_from(text, end), tag)) {
            value_until(scan, end + tag.size);
            return;
        }
    }
    value_until(scan, text.size);
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

static void
number(struct scan *scan)
{
    size_t end = scan->at;
    const struct slice text = scan->text;

    /* Letters of exponents and junk belong to it, and a sign behind an exponent. */
    while (end < text.size && (is_word(text.at[end]) || text.at[end] == '.' ||
                               ((text.at[end] == '+' || text.at[end] == '-') &&
                                (text.at[end - 1] == 'e' || text.at[end - 1] == 'E'))))
        end++;
    value_until(scan, end);
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
step(struct scan *scan)
{
    char byte = peek(scan, 0), next = peek(scan, 1);
    size_t prefix = prefix_size(scan);

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
    } else if (byte == '\'' || prefix > 0) {
        bool escapes = prefix == 1 && (byte == 'e' || byte == 'E');
        value_until(scan, quoted_end(scan, scan->at + prefix, '\'', escapes));
    } else if (byte == '"') {
        size_t end = quoted_end(scan, scan->at, '"', false);
        struct slice token = slice_of(scan->text.at + scan->at, end - scan->at);
        scan->at = end;
        put(scan, token);
    } else if (byte == '$') {
        dollar(scan);
    } else if (is_digit(byte) || (byte == '.' && is_digit(next))) {
        number(scan);
    } else if (is_word(byte)) {
        word(scan);
    } else {
        struct slice token = slice_of(scan->text.at + scan->at, 1);
        scan->at++;
        put(scan, token);
    }
}

struct slice
sql_normalize(struct slice text, struct arena *arena)
{
    size_t room = 2 * text.size + 1; /* a "?" with its blank for each byte is the longest */
    struct scan scan = { .text = text,
                         .out = arena_take(arena, room < SQL_NORMAL_MAX ? room : SQL_NORMAL_MAX) };

    if (scan.out == NULL)
        return (struct slice){ 0 };
    while (scan.at < text.size)
        step(&scan);
    return slice_of(scan.out, scan.size);
}
