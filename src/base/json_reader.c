/* base/json_reader.c - a strict reader of JSON that keeps no tree. */
#include "base/json_reader.h"

#include <stdlib.h>
#include <string.h>

/* What may come next. */
enum {
    WANTS_VALUE,       /* at the front, behind a name's colon, behind a comma in an array */
    WANTS_FIRST_VALUE, /* behind [: a value, or its end */
    WANTS_FIRST_NAME,  /* behind {: a name, or its end */
    WANTS_NAME,        /* behind a comma in an object */
    WANTS_MORE,        /* behind a value: a comma, or the end of what is open */
    WANTS_NOTHING,
};

void
json_reader_init(struct json_reader *reader, struct slice bytes)
{
    *reader = (struct json_reader){
        .start = bytes.at, .at = bytes.at, .end = bytes.at + bytes.size, .wants = WANTS_VALUE
    };
}

void
json_reader_free(struct json_reader *reader)
{
    buffer_wipe_free(&reader->text);
    free(reader->names);
    reader->names = NULL;
}

static enum json_token
wrong(struct json_reader *reader, const char *why)
{
    if (reader->why == NULL)
        reader->why = why;
    reader->wants = WANTS_NOTHING;
    return JSON_TOKEN_WRONG;
}

static void
skip_blanks(struct json_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' ||
                                        *reader->at == '\n' || *reader->at == '\r'))
        reader->at++;
}

/* --- strings ------------------------------------------------------------------------ */

/* The size of the well-formed UTF-8 character at the front (RFC 3629 §4), 0 if none. */
static size_t
character_size(const char *at, const char *end)
{
    const uint8_t *byte = (const uint8_t *)at;
    size_t left = (size_t)(end - at), size;

    if (byte[0] < 0x80)
        return 1;
    size = byte[0] < 0xc2 ? 0 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : byte[0] < 0xf5 ? 4 : 0;
    if (size == 0 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xed && byte[1] > 0x9f) ||
        (byte[0] == 0xf0 && byte[1] < 0x90) || (byte[0] == 0xf4 && byte[1] > 0x8f))
        return 0;
    return size;
}

static bool
take_hex4(struct json_reader *reader, unsigned *out)
{
    unsigned value = 0;

    if (reader->end - reader->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char digit = *reader->at++;
        unsigned low = digit >= '0' && digit <= '9'   ? (unsigned)(digit - '0')
                       : digit >= 'a' && digit <= 'f' ? (unsigned)(digit - 'a' + 10)
                       : digit >= 'A' && digit <= 'F' ? (unsigned)(digit - 'A' + 10)
                                                      : 16;
        if (low > 15)
            return false;
        value = value << 4 | low;
    }
    *out = value;
    return true;
}

static void
put_character(struct buffer *out, unsigned code)
{
    if (code < 0x80) {
        put_u8(out, (uint8_t)code);
    } else if (code < 0x800) {
        put_u8(out, (uint8_t)(0xc0 | code >> 6));
        put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        put_u8(out, (uint8_t)(0xe0 | code >> 12));
        put_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
        put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
    } else {
        put_u8(out, (uint8_t)(0xf0 | code >> 18));
        put_u8(out, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
        put_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
        put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
    }
}

/* Behind \u: a character, which may take a second escape. A surrogate stands in a pair, and a
 * zero byte nowhere: texts go to readers that end there. */
static bool
take_unicode(struct json_reader *reader)
{
    unsigned code, low;

    if (!take_hex4(reader, &code) || code == 0 || (code >= 0xdc00 && code <= 0xdfff))
        return false;
    if (code >= 0xd800 && code <= 0xdbff) {
        if (reader->end - reader->at < 6 || reader->at[0] != '\\' || reader->at[1] != 'u')
            return false;
        reader->at += 2;
        if (!take_hex4(reader, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    put_character(&reader->text, code);
    return true;
}

static bool
take_escape(struct json_reader *reader)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found;

    if (reader->at == reader->end)
        return false;
    if (*reader->at == 'u') {
        reader->at++;
        return take_unicode(reader);
    }
    found = memchr(from, *reader->at, sizeof from - 1);
    if (found == NULL)
        return false;
    put_u8(&reader->text, (uint8_t)to[found - from]);
    reader->at++;
    return true;
}

/* The plain bytes up to a quote, an escape, or what may not stand there. */
static bool
pass_plain(struct json_reader *reader)
{
    while (reader->at < reader->end && *reader->at != '"' && *reader->at != '\\') {
        size_t size = (uint8_t)*reader->at < 0x20 ? 0 : character_size(reader->at, reader->end);

        if (size == 0)
            return false;
        reader->at += size;
    }
    return reader->at < reader->end;
}

/* Behind the opening quote. A text without escapes is borrowed from the bytes. */
static bool
take_string(struct json_reader *reader, struct slice *text)
{
    const char *from = reader->at;
    bool escaped = false;

    buffer_clear(&reader->text);
    for (;;) {
        if (!pass_plain(reader))
            return false;
        if (*reader->at == '"')
            break;
        put_bytes(&reader->text, from, (size_t)(reader->at - from));
        reader->at++;
        escaped = true;
        if (!take_escape(reader))
            return false;
        from = reader->at;
    }
    *text = slice_of(from, (size_t)(reader->at - from));
    reader->at++;
    if (!escaped)
        return true;
    put_slice(&reader->text, *text);
    *text = buffer_slice(&reader->text);
    return buffer_status(&reader->text) == STATUS_OK;
}

/* --- numbers and words --------------------------------------------------------------- */

static bool
take_digits(struct json_reader *reader)
{
    const char *from = reader->at;

    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return reader->at > from;
}

static bool
take_number(struct json_reader *reader)
{
    const char *from;

    if (*reader->at == '-')
        reader->at++;
    from = reader->at;
    if (!take_digits(reader) || (*from == '0' && reader->at - from > 1))
        return false;
    if (reader->at < reader->end && *reader->at == '.') {
        reader->at++;
        if (!take_digits(reader))
            return false;
    }
    if (reader->at < reader->end && (*reader->at | 0x20) == 'e') {
        reader->at++;
        if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-'))
            reader->at++;
        return take_digits(reader);
    }
    return true;
}

static bool
take_word(struct json_reader *reader, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, word, size) != 0)
        return false;
    reader->at += size;
    return true;
}

/* --- levels -------------------------------------------------------------------------- */

static bool
in_array(const struct json_reader *reader)
{
    return (reader->arrays >> (reader->depth - 1) & 1) != 0;
}

static enum json_token
open_level(struct json_reader *reader, bool array)
{
    if (reader->depth == JSON_READER_DEPTH)
        return wrong(reader, "the JSON is too deep");
    if (array)
        reader->arrays |= UINT64_C(1) << reader->depth;
    else
        reader->arrays &= ~(UINT64_C(1) << reader->depth);
    reader->level_names[reader->depth++] = reader->name_count;
    reader->at++;
    reader->wants = array ? WANTS_FIRST_VALUE : WANTS_FIRST_NAME;
    return array ? JSON_TOKEN_ARRAY : JSON_TOKEN_OBJECT;
}

static enum json_token
close_level(struct json_reader *reader)
{
    reader->at++;
    reader->name_count = reader->level_names[--reader->depth];
    reader->wants = reader->depth == 0 ? WANTS_NOTHING : WANTS_MORE;
    return JSON_TOKEN_END;
}

/* False: the object has it already, or has too many. */
static bool
note_name(struct json_reader *reader, struct slice name)
{
    uint64_t hash = slice_hash(name);
    size_t from = reader->level_names[reader->depth - 1];

    for (size_t i = from; i < reader->name_count; i++) {
        if (reader->names[i] == hash) {
            reader->why = "a member stands twice in an object of the JSON";
            return false;
        }
    }
    if (reader->name_count == reader->name_room) {
        size_t room = reader->name_room == 0 ? 32 : 2 * reader->name_room;
        uint64_t *more =
            room > JSON_READER_MEMBERS ? NULL : reallocarray(reader->names, room, sizeof *more);
        if (more == NULL) {
            reader->why = "the JSON has too many members";
            return false;
        }
        reader->names = more;
        reader->name_room = room;
    }
    reader->names[reader->name_count++] = hash;
    return true;
}

/* --- the tokens ---------------------------------------------------------------------- */

static enum json_token
scalar(struct json_reader *reader, struct json_piece *out)
{
    switch (*reader->at) {
    case '"':
        reader->at++;
        return take_string(reader, &out->text) ? JSON_TOKEN_STRING
                                               : wrong(reader, "a text in the JSON is malformed");
    case 't':
        return take_word(reader, "true") ? JSON_TOKEN_TRUE : wrong(reader, "the JSON is malformed");
    case 'f':
        return take_word(reader, "false") ? JSON_TOKEN_FALSE
                                          : wrong(reader, "the JSON is malformed");
    case 'n':
        return take_word(reader, "null") ? JSON_TOKEN_NULL : wrong(reader, "the JSON is malformed");
    default:
        if (*reader->at != '-' && (*reader->at < '0' || *reader->at > '9'))
            return wrong(reader, "the JSON is malformed");
        return take_number(reader) ? JSON_TOKEN_NUMBER
                                   : wrong(reader, "a number in the JSON is malformed");
    }
}

static enum json_token
value(struct json_reader *reader, struct json_piece *out)
{
    enum json_token token;

    if (*reader->at == '{' || *reader->at == '[')
        return open_level(reader, *reader->at == '[');
    token = scalar(reader, out);
    if (token != JSON_TOKEN_WRONG)
        reader->wants = reader->depth == 0 ? WANTS_NOTHING : WANTS_MORE;
    return token;
}

static enum json_token
name(struct json_reader *reader, struct json_piece *out)
{
    if (*reader->at != '"')
        return wrong(reader, "the JSON is malformed");
    reader->at++;
    if (!take_string(reader, &out->text))
        return wrong(reader, "a name in the JSON is malformed");
    out->raw = slice_of(out->raw.at, (size_t)(reader->at - out->raw.at));
    if (!note_name(reader, out->text))
        return wrong(reader, "the JSON has too many members");
    skip_blanks(reader);
    if (reader->at == reader->end || *reader->at != ':')
        return wrong(reader, "the JSON is malformed");
    reader->at++;
    reader->wants = WANTS_VALUE;
    return JSON_TOKEN_NAME;
}

/* Behind a comma something must follow. */
static enum json_token
more(struct json_reader *reader, struct json_piece *out)
{
    if (*reader->at == (in_array(reader) ? ']' : '}'))
        return close_level(reader);
    if (*reader->at != ',')
        return wrong(reader, "the JSON is malformed");
    reader->at++;
    reader->wants = in_array(reader) ? WANTS_VALUE : WANTS_NAME;
    skip_blanks(reader);
    if (reader->at == reader->end)
        return wrong(reader, "the JSON ends too early");
    out->raw.at = reader->at;
    return in_array(reader) ? value(reader, out) : name(reader, out);
}

static enum json_token
take(struct json_reader *reader, struct json_piece *out)
{
    switch (reader->wants) {
    case WANTS_FIRST_VALUE:
        return *reader->at == ']' ? close_level(reader) : value(reader, out);
    case WANTS_FIRST_NAME:
        return *reader->at == '}' ? close_level(reader) : name(reader, out);
    case WANTS_NAME:
        return name(reader, out);
    case WANTS_MORE:
        return more(reader, out);
    case WANTS_VALUE:
        return value(reader, out);
    default:
        return wrong(reader, "something stands behind the JSON");
    }
}

enum json_token
json_next(struct json_reader *reader, struct json_piece *out)
{
    *out = (struct json_piece){ .token = JSON_TOKEN_WRONG };
    if (reader->why != NULL)
        return JSON_TOKEN_WRONG;
    skip_blanks(reader);
    if (reader->at == reader->end) {
        out->token = reader->wants == WANTS_NOTHING && reader->depth == 0
                         ? JSON_TOKEN_DONE
                         : wrong(reader, "the JSON ends too early");
        return out->token;
    }
    out->raw = slice_of(reader->at, 0);
    out->token = take(reader, out);
    if (out->token != JSON_TOKEN_NAME)
        out->raw.size = (size_t)(reader->at - out->raw.at);
    return out->token;
}

bool
json_skip(struct json_reader *reader, const struct json_piece *first, struct slice *whole)
{
    unsigned depth = reader->depth;
    struct json_piece piece;

    *whole = first->raw;
    if (first->token != JSON_TOKEN_OBJECT && first->token != JSON_TOKEN_ARRAY)
        return true;
    while (reader->depth >= depth) {
        if (json_next(reader, &piece) == JSON_TOKEN_WRONG)
            return false;
    }
    whole->size = (size_t)(reader->at - whole->at);
    return true;
}
