/* http/field.c - field lines (RFC 9110 §5, RFC 9112 §5): a name, a colon, a value. */
#include "lex.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

/* The bits in which a name's bytes differ from a known one's, which are letters, digits
 * and '-': of letters, which alone have 0x40, the case is left out. */
static inline uint64_t
difference(uint64_t name, uint64_t known)
{
    return (name ^ known) & ~((known & UINT64_C(0x4040404040404040)) >> 1);
}

/* The last words overlap those before. */
static bool
same_name(const char *name, const char *known, size_t size)
{
    size_t at = 0;

    for (; size - at >= 8; at += 8)
        if (difference(word64(name + at), word64(known + at)) != 0)
            return false;
    if (size >= 8)
        return difference(word64(name + size - 8), word64(known + size - 8)) == 0;
    if (size >= 4)
        return difference(word32(name), word32(known)) == 0 &&
               difference(word32(name + size - 4), word32(known + size - 4)) == 0;
    for (; at < size; at++)
        if (difference((unsigned char)name[at], (unsigned char)known[at]) != 0)
            return false;
    return true;
}

static bool
is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* X-Writ-*, Impersonate-*, Sec-WebSocket-*, also with a mark that servers read as '-'. */
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
                (prefix.at[at] == '-' && !is_alphanumeric(name.at[at]))))
            at++;
        if (at == prefix.size)
            return (enum http_field_id)families[i];
    }
    return HTTP_FIELD_OTHER;
}

static enum http_field_id
known_id(struct slice name)
{
    unsigned place = place_of(name.at, name.size), id;

    for (; (id = places[place]) != 0; place = (place + 1) % PLACES)
        if (names[id].size == name.size && same_name(name.at, names[id].at, name.size))
            return (enum http_field_id)id;
    return HTTP_FIELD_OTHER;
}

/* To the first byte below 0x20 or 0x7f. */
static inline const char *
skip_text(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i highest = _mm_set1_epi8(0x1f), del = _mm_set1_epi8(0x7f);

    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, highest), bytes);
        int found = _mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(bytes, del)));

        if (found != 0)
            return at + __builtin_ctz((unsigned)found);
    }
#endif
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

static const char *
skip_name(const char *at)
{
    while (in_name[(unsigned char)*at])
        at++;
    return at;
}

/* Other bytes than letters, digits and '-'? */
static bool
is_odd(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (!is_alphanumeric(name.at[i]) && name.at[i] != '-')
            return true;
    }
    return false;
}

/* What is not a known name letter by letter is looked at byte by byte. */
static bool
read_name(struct slice name, struct http_field *field)
{
    enum http_field_id id = known_id(name);

    field->flags = hop_flags[id];
    if (id == HTTP_FIELD_OTHER) {
        id = family_of(name);
        if (is_odd(name))
            field->flags = HTTP_FIELD_ODD;
        if (skip_name(name.at) != name.at + name.size)
            return false;
    }
    field->id = (uint8_t)id;
    return true;
}

const char *
lex_fields(const char *at, const char *end, struct http_head *head, struct http_refusal *why)
{
    while (at[0] != '\r' || at[1] != '\n') {
        const char *start = at, *colon = memchr(at, ':', (size_t)(end - at));
        struct http_field *field;

        if (head->count == HTTP_FIELDS_MAX)
            return refuse(why, 431, "too many fields");
        field = &head->fields[head->count];
        if (colon == NULL || colon == at ||
            !read_name(slice_of(start, (size_t)(colon - start)), field))
            return refuse_line(start, skip_name(start), why);
        field->name = span_of(head, start, colon);
        at = lex_value(colon + 1, end, head, field, why);
        if (at == NULL)
            return NULL;
        head->count++;
        if (field->id != HTTP_FIELD_OTHER && head->first[field->id] == 0)
            head->first[field->id] = (uint8_t)head->count;
    }
    return at + 2;
}
