/* gateway/redis/wire.c - reads commands whole, and skims replies. */
#include "wire.h"

#include <stdlib.h>

/* --- commands ------------------------------------------------------------------------ */

enum { LENGTH_MAX = 10 }; /* digits */

/* "*3\r\n", "$12\r\n": plain decimal, as every client writes it. */
static enum resp
read_length(struct slice bytes, size_t *at, char type, uint64_t *out)
{
    size_t from = *at, end = 0;

    if (from == bytes.size)
        return RESP_MORE;
    if (bytes.at[from] != type)
        return RESP_MALFORMED;
    struct slice rest = slice_from(bytes, from + 1);
    while (end < rest.size && end <= LENGTH_MAX && rest.at[end] >= '0' && rest.at[end] <= '9')
        end++;
    if (end == rest.size && end <= LENGTH_MAX)
        return RESP_MORE;
    if (end > LENGTH_MAX || end == rest.size || rest.at[end] != '\r' || end == 0 ||
        (end > 1 && rest.at[0] == '0') || !slice_u64(slice_first(rest, end), out))
        return RESP_MALFORMED;
    if (end + 1 == rest.size)
        return RESP_MORE;
    if (rest.at[end + 1] != '\n')
        return RESP_MALFORMED;
    *at = from + 1 + end + 2;
    return RESP_OK;
}

static bool
has_room(struct resp_reader *reader)
{
    if (reader->count < reader->capacity)
        return true;
    uint32_t capacity = reader->capacity == 0 ? 8 : reader->capacity * 2;
    struct resp_part *parts = realloc(reader->parts, capacity * sizeof(*parts));
    if (parts == NULL)
        return false;
    reader->parts = parts;
    reader->capacity = capacity;
    return true;
}

static enum resp
read_argument(struct resp_reader *reader, struct slice bytes, const char **why)
{
    size_t at = reader->at;
    uint64_t size;
    enum resp read = read_length(bytes, &at, '$', &size);

    *why = "Protocol error: a command is an array of bulk strings";
    if (read != RESP_OK)
        return read;
    size_t most = reader->narrow ? RESP_NARROW_MAX : RESP_COMMAND_MAX;
    if (size > most || at + size + 2 > most) {
        *why = reader->narrow ? "Protocol error: unauthenticated bulk length"
                              : "Protocol error: the command is too long";
        return RESP_MALFORMED;
    }
    if (bytes.size < at + size + 2)
        return RESP_MORE;
    if (bytes.at[at + size] != '\r' || bytes.at[at + size + 1] != '\n')
        return RESP_MALFORMED;
    if (!has_room(reader)) {
        *why = "out of memory";
        return RESP_MALFORMED;
    }
    reader->parts[reader->count++] =
        (struct resp_part){ .offset = (uint32_t)at, .size = (uint32_t)size };
    reader->at = at + size + 2;
    return RESP_OK;
}

enum resp
resp_command_read(struct resp_reader *reader, struct slice bytes, size_t *used, const char **why)
{
    uint64_t count;

    if (reader->at == 0) {
        enum resp read = read_length(bytes, &reader->at, '*', &count);
        *why = "Protocol error: a command is an array of bulk strings";
        if (read != RESP_OK)
            return read;
        if (count == 0 || count > RESP_ARGUMENTS_MAX) {
            *why = "Protocol error: the command has no arguments, or too many";
            return RESP_MALFORMED;
        }
        if (reader->narrow && count > RESP_NARROW_ARGUMENTS_MAX) {
            *why = "Protocol error: unauthenticated multibulk length";
            return RESP_MALFORMED;
        }
        reader->expected = (uint32_t)count;
    }
    while (reader->count < reader->expected) {
        enum resp read = read_argument(reader, bytes, why);
        if (read != RESP_OK)
            return read;
    }
    *used = reader->at;
    return RESP_OK;
}

void
resp_reader_clear(struct resp_reader *reader)
{
    reader->at = 0;
    reader->count = reader->expected = 0;
    /* A session at rest keeps little. */
    if (reader->capacity > 64)
        resp_reader_free(reader);
}

void
resp_reader_free(struct resp_reader *reader)
{
    free(reader->parts);
    *reader = (struct resp_reader){ 0 };
}

/* --- replies --------------------------------------------------------------------------- */

/* An element is whole: so may be what it was the last of. */
static void
end_element(struct resp_skimmer *skimmer)
{
    while (skimmer->depth > 0 && --skimmer->left[skimmer->depth - 1] == 0)
        skimmer->depth--;
}

/* Elements of an aggregate to come; none ends it at once. */
static bool
begin_aggregate(struct resp_skimmer *skimmer, uint64_t count)
{
    if (count == 0) {
        end_element(skimmer);
        return true;
    }
    if (skimmer->depth == RESP_DEPTH_MAX || count > UINT32_MAX)
        return false;
    skimmer->left[skimmer->depth++] = count;
    return true;
}

/* What is published while a transaction runs comes within EXEC's answer: an element more than
 * the array has. */
static bool
begin_push(struct resp_skimmer *skimmer, uint64_t count)
{
    if (skimmer->depth > 0)
        skimmer->left[skimmer->depth - 1]++;
    return begin_aggregate(skimmer, count);
}

/* An attribute stands before the reply that it is of: one element more at the same place. */
static bool
begin_attribute(struct resp_skimmer *skimmer, uint64_t count)
{
    if (skimmer->depth > 0)
        skimmer->left[skimmer->depth - 1]++;
    else
        skimmer->attribute = true;
    return begin_aggregate(skimmer, count);
}

/* False for what is no number; *null for -1. */
static bool
line_number(const struct resp_skimmer *skimmer, uint64_t *out, bool *null)
{
    struct slice text = slice_of(skimmer->line + 1, skimmer->line_size - 1);

    *null = slice_is(text, "-1");
    *out = 0;
    return *null || slice_u64(text, out);
}

static void
note_integer(struct resp_skimmer *skimmer)
{
    struct slice text = slice_of(skimmer->line + 1, skimmer->line_size - 1);
    bool negative = text.size > 0 && text.at[0] == '-';
    uint64_t value;

    if (slice_u64(slice_from(text, negative), &value) && value <= INT64_MAX)
        skimmer->number = negative ? -(int64_t)value : (int64_t)value;
}

static bool
end_line(struct resp_skimmer *skimmer)
{
    uint64_t count;
    bool null, good;

    switch (skimmer->line[0]) {
    case '+':
    case '-':
    case '_':
    case '#':
    case ',':
    case '(':
        end_element(skimmer);
        return true;
    case ':':
        note_integer(skimmer);
        end_element(skimmer);
        return true;
    case '$':
    case '=':
    case '!':
        if (skimmer->line_size == sizeof(skimmer->line) || !line_number(skimmer, &count, &null) ||
            count > (UINT64_C(1) << 40))
            return false;
        if (null) {
            end_element(skimmer);
            return true;
        }
        skimmer->bulk = count + 2;
        skimmer->word_open = skimmer->word_size == 0;
        return true;
    case '*':
    case '~':
    case '>':
    case '%':
    case '|':
        good = skimmer->line_size < sizeof(skimmer->line) && line_number(skimmer, &count, &null);
        if (!good || count > UINT32_MAX)
            return false;
        if (skimmer->line[0] == '%' || skimmer->line[0] == '|')
            count *= 2;
        if (skimmer->line[0] == '|')
            return begin_attribute(skimmer, count);
        return skimmer->line[0] == '>' ? begin_push(skimmer, count)
                                       : begin_aggregate(skimmer, count);
    default: /* streamed aggregates among them: no Redis sends them */
        return false;
    }
}

static void
take_bulk(struct resp_skimmer *skimmer, struct slice bytes, size_t *at)
{
    size_t left = bytes.size - *at;
    size_t here = left < skimmer->bulk ? left : (size_t)skimmer->bulk;

    for (size_t i = 0; skimmer->word_open && i < here; i++) {
        bool payload = skimmer->bulk - i > 2;
        if (payload && skimmer->word_size < sizeof(skimmer->word))
            skimmer->word[skimmer->word_size++] = bytes.at[*at + i];
        skimmer->word_open = payload && skimmer->word_size < sizeof(skimmer->word);
    }
    *at += here;
    skimmer->bulk -= here;
    if (skimmer->bulk == 0) {
        skimmer->word_open = false;
        if (skimmer->word_size == 0)
            skimmer->word[skimmer->word_size++] = '\0'; /* the first string was empty */
        end_element(skimmer);
    }
}

static bool
is_first_line(const struct resp_skimmer *skimmer)
{
    return !skimmer->begun || (skimmer->attribute && skimmer->depth == 0);
}

static bool
take_line(struct resp_skimmer *skimmer, struct slice bytes, size_t *at)
{
    const char *from = bytes.at + *at;
    const char *end = memchr(from, '\n', bytes.size - *at);
    size_t size = end == NULL ? bytes.size - *at : (size_t)(end - from) + 1;

    /* What it is must be known before the line is whole: pieces of it are passed on. */
    if (!skimmer->in_line && is_first_line(skimmer))
        skimmer->type = from[0];
    for (size_t i = 0; i < size && skimmer->line_size < sizeof(skimmer->line); i++) {
        if (from[i] != '\r' && from[i] != '\n')
            skimmer->line[skimmer->line_size++] = from[i];
    }
    skimmer->in_line = end == NULL;
    *at += size;
    if (end == NULL)
        return true;
    if (skimmer->line_size == 0)
        return false;
    if (is_first_line(skimmer)) {
        skimmer->type = skimmer->line[0];
        skimmer->begun = true;
        skimmer->attribute = false;
    }
    bool good = end_line(skimmer);
    skimmer->deep = !good && skimmer->depth == RESP_DEPTH_MAX;
    skimmer->line_size = 0;
    return good;
}

bool
resp_skim_at_rest(const struct resp_skimmer *skimmer)
{
    return !skimmer->begun && !skimmer->in_line && skimmer->line_size == 0;
}

static bool
is_whole(const struct resp_skimmer *skimmer)
{
    return skimmer->begun && skimmer->depth == 0 && skimmer->bulk == 0 && !skimmer->in_line &&
           !skimmer->attribute;
}

enum skim
resp_skim(struct resp_skimmer *skimmer, struct slice bytes, size_t *used)
{
    size_t at = 0;

    if (resp_skim_at_rest(skimmer)) {
        skimmer->type = 0;
        skimmer->word_size = 0;
        skimmer->number = 0;
    }
    while (at < bytes.size) {
        if (skimmer->bulk > 0)
            take_bulk(skimmer, bytes, &at);
        else if (!take_line(skimmer, bytes, &at))
            return SKIM_MALFORMED;
        if (is_whole(skimmer)) {
            skimmer->begun = false;
            *used = at;
            return SKIM_REPLY;
        }
    }
    *used = at;
    return SKIM_MORE;
}

/* --- writing ----------------------------------------------------------------------------- */

/* One line: what would break it is left out. */
void
resp_put_error(struct buffer *out, const char *code, struct slice message)
{
    put_u8(out, '-');
    put_text(out, code);
    put_u8(out, ' ');
    for (size_t i = 0; i < message.size; i++)
        put_u8(out, (uint8_t)message.at[i] < 0x20 ? ' ' : (uint8_t)message.at[i]);
    put_text(out, "\r\n");
}

void
resp_put_simple(struct buffer *out, const char *text)
{
    put_u8(out, '+');
    put_text(out, text);
    put_text(out, "\r\n");
}

void
resp_put_array(struct buffer *out, size_t count)
{
    put_u8(out, '*');
    put_decimal(out, count);
    put_text(out, "\r\n");
}

void
resp_put_bulk(struct buffer *out, struct slice bytes)
{
    put_u8(out, '$');
    put_decimal(out, bytes.size);
    put_text(out, "\r\n");
    put_slice(out, bytes);
    put_text(out, "\r\n");
}
