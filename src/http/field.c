/* http/field.c - field lines (RFC 9110 §5, RFC 9112 §5): a name, a colon, a value. */
#include <endian.h>

#include "lex.h"

/* The bytes of a token (RFC 9110 §5.6.2). */
static bool in_name[256];

/* Known names by a hash of four of their traits; 0 is empty. A name that hashes like
 * a known one is compared whole, so that nothing hangs on the hash but time. */
enum { PLACES = 512 };
static uint8_t places[PLACES];

static const uint8_t hop_flags[HTTP_FIELD_IDS] = {
    [HTTP_FIELD_CONTENT_LENGTH] = HTTP_FIELD_HOP,
    [HTTP_FIELD_TRANSFER_ENCODING] = HTTP_FIELD_HOP,
    [HTTP_FIELD_CONNECTION] = HTTP_FIELD_HOP,
    [HTTP_FIELD_KEEP_ALIVE] = HTTP_FIELD_HOP,
    [HTTP_FIELD_PROXY_CONNECTION] = HTTP_FIELD_HOP,
    [HTTP_FIELD_PROXY_AUTHORIZATION] = HTTP_FIELD_HOP,
    [HTTP_FIELD_PROXY_AUTHENTICATE] = HTTP_FIELD_HOP,
    [HTTP_FIELD_UPGRADE] = HTTP_FIELD_HOP,
    [HTTP_FIELD_TE] = HTTP_FIELD_HOP,
    [HTTP_FIELD_TRAILER] = HTTP_FIELD_HOP,
    [HTTP_FIELD_EXPECT] = HTTP_FIELD_HOP,
    [HTTP_FIELD_HTTP2_SETTINGS] = HTTP_FIELD_HOP,
};

static const struct slice names[HTTP_FIELD_IDS] = {
#define FIELD_NAME(id, name) [HTTP_FIELD_##id] = { .at = name, .size = sizeof(name) - 1 },
    HTTP_FIELD_MAP(FIELD_NAME)
#undef FIELD_NAME
};

struct slice
http_field_id_name(enum http_field_id id)
{
    return names[id];
}

static inline unsigned
place_of(const char *name, size_t size)
{
    unsigned first = (unsigned char)name[0] | 0x20;
    unsigned middle = (unsigned char)name[size / 2] | 0x20;
    unsigned last = (unsigned char)name[size - 1] | 0x20;

    return (first * 5 + middle * 61 + last * 11 + (unsigned)size * 37) % PLACES;
}

__attribute__((constructor)) static void
tables_fill(void)
{
    for (const char *mark = "!#$%&'*+-.^_`|~"; *mark != '\0'; mark++)
        in_name[(unsigned char)*mark] = true;
    for (unsigned c = '0'; c <= '9'; c++)
        in_name[c] = true;
    for (unsigned c = 'a'; c <= 'z'; c++)
        in_name[c] = in_name[c - 'a' + 'A'] = true;
    for (unsigned id = 1; id < HTTP_FIELD_IDS; id++) {
        unsigned place = place_of(names[id].at, names[id].size);

        while (places[place] != 0)
            place = (place + 1) % PLACES;
        places[place] = (uint8_t)id;
    }
}

bool
http_is_token(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!in_name[(unsigned char)text.at[i]])
            return false;
    return text.size > 0;
}

static inline uint64_t
word64(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint32_t
word32(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* Of two tokens, one of which is of letters, digits and '-' alone: bytes that differ
 * in 0x20 only are then the same letter. The last words overlap those before. */
static bool
same_name(const char *a, const char *b, size_t size)
{
    const uint64_t letters = ~UINT64_C(0x2020202020202020);
    size_t at = 0;

    for (; size - at >= 8; at += 8)
        if (((word64(a + at) ^ word64(b + at)) & letters) != 0)
            return false;
    if (size >= 8)
        return ((word64(a + size - 8) ^ word64(b + size - 8)) & letters) == 0;
    if (size >= 4)
        return (((word32(a) ^ word32(b)) | (word32(a + size - 4) ^ word32(b + size - 4))) &
                (uint32_t)letters) == 0;
    for (; at < size; at++)
        if (((a[at] ^ b[at]) & 0xdf) != 0)
            return false;
    return true;
}

/* X-Writ-*, Impersonate-*, Sec-WebSocket-*, also with '_' where servers read '-'. */
static enum http_field_id
family_of(struct slice name)
{
    static const uint8_t families[] = { HTTP_FIELD_X_WRIT, HTTP_FIELD_IMPERSONATE,
                                        HTTP_FIELD_SEC_WEBSOCKET };

    for (unsigned i = 0; i < sizeof families; i++) {
        struct slice prefix = names[families[i]];
        size_t at = 0;

        while (at < prefix.size && at < name.size &&
               (((name.at[at] ^ prefix.at[at]) & 0xdf) == 0 ||
                (prefix.at[at] == '-' && name.at[at] == '_')))
            at++;
        if (at == prefix.size)
            return (enum http_field_id)families[i];
    }
    return HTTP_FIELD_OTHER;
}

static enum http_field_id
id_of(struct slice name)
{
    unsigned place = place_of(name.at, name.size), id;
    char first = name.at[0] | 0x20;

    for (; (id = places[place]) != 0; place = (place + 1) % PLACES)
        if (names[id].size == name.size && same_name(name.at, names[id].at, name.size))
            return (enum http_field_id)id;
    return first == 'x' || first == 'i' || first == 's' ? family_of(name) : HTTP_FIELD_OTHER;
}

/* To the first byte below 0x20 or 0x7f. */
static inline const char *
skip_text(const char *at, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;

    for (; end - at >= 8; at += 8) {
        uint64_t word = le64toh(word64(at)), del = word ^ (ones * 0x7f), found;

        /* Of the marks that this leaves the lowest is right, whatever was borrowed. */
        found = (((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & highs;
        if (found != 0)
            return at + __builtin_ctzll(found) / 8;
    }
    while (at < end && (unsigned char)*at >= 0x20 && *at != 0x7f)
        at++;
    return at;
}

/* To the first byte that is none of a field value's. */
static inline const char *
skip_value(const char *at, const char *end)
{
    at = skip_text(at, end);
    while (at < end && *at == '\t')
        at = skip_text(at + 1, end);
    return at;
}

static const char *
refuse(struct http_refusal *why, unsigned status, const char *reason)
{
    *why = (struct http_refusal){ .status = (uint16_t)status, .reason = reason };
    return NULL;
}

/* No known name has one, only those of families and others. */
static bool
has_underscore(enum http_field_id id, struct slice name)
{
    switch (id) {
    case HTTP_FIELD_OTHER:
    case HTTP_FIELD_X_WRIT:
    case HTTP_FIELD_IMPERSONATE:
    case HTTP_FIELD_SEC_WEBSOCKET:
        return memchr(name.at, '_', name.size) != NULL;
    default:
        return false;
    }
}

/* What stands at `at` where a colon should, after a name that began at start. */
static const char *
refuse_line(const char *start, const char *at, struct http_refusal *why)
{
    const char *blank = at;

    while (*blank == ' ' || *blank == '\t')
        blank++;
    if (at == start)
        return refuse(why, 400,
                      blank > at   ? "a folded field line"
                      : *at == ':' ? "a field without a name"
                                   : "a field name is not a token");
    return refuse(why, 400,
                  blank > at && *blank == ':' ? "a blank stands before a field's colon"
                                              : "a field name is not a token");
}

static struct http_span
span_of(const struct http_head *head, const char *from, const char *to)
{
    return (struct http_span){ .at = (uint16_t)(from - head->bytes),
                               .size = (uint16_t)(to - from) };
}

/* The value that starts at `at` becomes the field's; returns the next line. */
static const char *
lex_value(const char *at, const char *end, struct http_head *head, struct http_field *field,
          struct http_refusal *why)
{
    const char *stop, *last;

    while (*at == ' ' || *at == '\t')
        at++;
    last = stop = skip_value(at, end);
    if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n')
        return refuse(why, 400, "a field value has a control byte");
    while (last > at && (last[-1] == ' ' || last[-1] == '\t'))
        last--;
    field->value = span_of(head, at, last);
    return stop + 2;
}

const char *
lex_fields(const char *at, const char *end, struct http_head *head, struct http_refusal *why)
{
    for (;;) {
        const char *start = at;
        struct http_field *field;
        enum http_field_id id;
        struct slice name;

        while (in_name[(unsigned char)*at])
            at++;
        if (at == start && at[0] == '\r' && at[1] == '\n')
            return at + 2;
        if (at == start || *at != ':')
            return refuse_line(start, at, why);
        if (head->count == HTTP_FIELDS_MAX)
            return refuse(why, 431, "too many fields");
        name = slice_of(start, (size_t)(at - start));
        id = id_of(name);
        field = &head->fields[head->count];
        field->id = (uint8_t)id;
        field->flags = hop_flags[id] | (has_underscore(id, name) ? HTTP_FIELD_UNDERSCORE : 0);
        field->name = span_of(head, start, at);
        at = lex_value(at + 1, end, head, field, why);
        if (at == NULL)
            return NULL;
        head->count++;
        if (id != HTTP_FIELD_OTHER && head->first[id] == 0)
            head->first[id] = (uint8_t)head->count;
    }
}
