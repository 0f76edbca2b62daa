/* base/json.c - JSON documents in, out, and their typed members. */
#include "base/json.h"

#include "base/nearest.h"

enum { SIZE_MOST = 64 << 20, NAME_SHOWN = 64 };

/* jansson's own limit is 2048. Brackets within strings don't count. */
static bool
is_too_deep(struct slice text)
{
    unsigned depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_DEPTH_MAX)
                return true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

/* Our own words: jansson's quote the text, which may hold a secret. */
static const char *
error_text(enum json_error_code code)
{
    switch (code) {
    case json_error_premature_end_of_input:
        return "the JSON ends too early";
    case json_error_end_of_input_expected:
        return "there is something behind the JSON value";
    case json_error_invalid_utf8:
        return "the JSON is not valid UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "the JSON holds a NUL character";
    case json_error_duplicate_key:
        return "a member stands twice in one object";
    case json_error_numeric_overflow:
        return "a number is out of range";
    default:
        return "not valid JSON";
    }
}

static enum status
read_failed(const json_error_t *error, struct fault *fault)
{
    enum json_error_code code = json_error_code(error);

    if (code == json_error_out_of_memory)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    (void)fault_set(fault, STATUS_INVALID, "%s", error_text(code));
    if (fault != NULL && error->line > 0) {
        fault->line = (unsigned)error->line;
        fault->column = error->column > 0 ? (unsigned)error->column : 0;
    }
    return STATUS_INVALID;
}

enum status
json_read(struct slice text, json_t **out, struct fault *fault)
{
    json_error_t error;
    json_t *value;

    if (text.size > SIZE_MOST)
        return fault_set(fault, STATUS_TOO_LARGE, "the JSON is longer than %d bytes", SIZE_MOST);
    if (is_too_deep(text))
        return fault_set(fault, STATUS_TOO_LARGE, "the JSON nests deeper than %d", JSON_DEPTH_MAX);
    /* jansson takes it for the end of the text, and reads no further. */
    if (text.size > 0 && memchr(text.at, '\0', text.size) != NULL)
        return fault_set(fault, STATUS_INVALID, "a zero byte stands in the JSON");
    value = json_loadb(text.size == 0 ? "" : text.at, text.size,
                       JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL)
        return read_failed(&error, fault);
    *out = value;
    return STATUS_OK;
}

static int
dump_chunk(const char *bytes, size_t size, void *out)
{
    put_bytes(out, bytes, size);
    return buffer_status(out) == STATUS_OK ? 0 : -1;
}

void
put_json(struct buffer *out, const json_t *value)
{
    if (buffer_status(out) != STATUS_OK)
        return;
    if (json_dump_callback(value, dump_chunk, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0 &&
        out->status == STATUS_OK)
        out->status = STATUS_INTERNAL;
}

void
put_json_sorted(struct buffer *out, const json_t *value)
{
    if (buffer_status(out) == STATUS_OK &&
        json_dump_callback(value, dump_chunk, out,
                           JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) != 0 &&
        out->status == STATUS_OK)
        out->status = STATUS_INTERNAL;
}

/* The size of the well-formed UTF-8 character at the front (RFC 3629 §4), 0 if none. */
static size_t
character_size(const unsigned char *at, size_t left)
{
    unsigned char lead = at[0], low = 0x80, high = 0xbf;
    size_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    if (size == 0 || lead > 0xf4 || size > left)
        return 0;
    if (lead == 0xe0)
        low = 0xa0; /* shorter forms exist */
    else if (lead == 0xed)
        high = 0x9f; /* surrogates */
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f; /* past U+10FFFF */
    if (size > 1 && (at[1] < low || at[1] > high))
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

static void
put_escape(struct buffer *out, unsigned code)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = { '\\', 'u', '0', '0', digits[code >> 4 & 15], digits[code & 15] };

    switch (code) {
    case '"':
    case '\\':
        text[1] = (char)code;
        put_bytes(out, text, 2);
        return;
    case '\n':
        put_text(out, "\\n");
        return;
    case '\t':
        put_text(out, "\\t");
        return;
    default:
        put_bytes(out, text, sizeof text);
    }
}

/* DEL and the C1 controls need no escape in JSON, but a terminal may obey them. */
void
put_json_string(struct buffer *out, struct slice text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    size_t plain = 0, i = 0; /* plain: the first byte not yet written */

    put_u8(out, '"');
    while (i < text.size) {
        unsigned char c = at[i];
        size_t size = c < 0x80 ? 1 : character_size(at + i, text.size - i);
        bool c1 = size == 2 && c == 0xc2 && at[i + 1] < 0xa0;

        if (size > 0 && !c1 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += size;
            continue;
        }
        if (i > plain)
            put_bytes(out, at + plain, i - plain);
        if (size == 0) /* not UTF-8: the replacement character stands for the byte */
            put_text(out, "\xef\xbf\xbd");
        else
            put_escape(out, c1 ? at[i + 1] : c);
        i += size == 0 ? 1 : size;
        plain = i;
    }
    if (i > plain)
        put_bytes(out, at + plain, i - plain);
    put_u8(out, '"');
}

/* RFC 6901 §3 */
static void
pointer_to(const char *name, char out[FAULT_POINTER_MAX])
{
    size_t at = 0;

    out[at++] = '/';
    for (; *name != '\0' && at + 3 < FAULT_POINTER_MAX; name++) {
        if (*name == '~' || *name == '/') {
            out[at++] = '~';
            out[at++] = *name == '~' ? '0' : '1';
        } else {
            out[at++] = *name;
        }
    }
    out[at] = '\0';
}

static enum status
wrong(struct fault *fault, const char *name, const char *what)
{
    char pointer[FAULT_POINTER_MAX];

    pointer_to(name, pointer);
    return fault_at(fault, STATUS_INVALID, pointer, "\"%s\" must be %s", name, what);
}

/* *member is NULL when it is absent or null. */
static enum status
member_of(const json_t *object, const char *name, const json_t **member, struct fault *fault)
{
    *member = NULL;
    if (object == NULL)
        return STATUS_OK;
    if (!json_is_object(object))
        return fault_set(fault, STATUS_INVALID, "must be an object");
    *member = json_object_get(object, name);
    if (json_is_null(*member))
        *member = NULL;
    return STATUS_OK;
}

enum status
json_take_string(const json_t *object, const char *name, struct slice *out, struct fault *fault)
{
    const json_t *member;
    enum status status = member_of(object, name, &member, fault);

    if (status != STATUS_OK || member == NULL)
        return status;
    if (!json_is_string(member))
        return wrong(fault, name, "a string");
    *out = slice_of(json_string_value(member), json_string_length(member));
    return STATUS_OK;
}

enum status
json_take_bool(const json_t *object, const char *name, bool *out, struct fault *fault)
{
    const json_t *member;
    enum status status = member_of(object, name, &member, fault);

    if (status != STATUS_OK || member == NULL)
        return status;
    if (!json_is_boolean(member))
        return wrong(fault, name, "true or false");
    *out = json_is_true(member);
    return STATUS_OK;
}

enum status
json_take_u64(const json_t *object, const char *name, uint64_t most, uint64_t *out,
              struct fault *fault)
{
    const json_t *member;
    enum status status = member_of(object, name, &member, fault);
    char pointer[FAULT_POINTER_MAX];

    if (status != STATUS_OK || member == NULL)
        return status;
    if (!json_is_integer(member) || json_integer_value(member) < 0)
        return wrong(fault, name, "a whole number");
    if ((uint64_t)json_integer_value(member) > most) {
        pointer_to(name, pointer);
        return fault_at(fault, STATUS_INVALID, pointer, "\"%s\" must be at most %llu", name,
                        (unsigned long long)most);
    }
    *out = (uint64_t)json_integer_value(member);
    return STATUS_OK;
}

static enum status
unknown(const char *name, const char *const *known, struct fault *fault)
{
    struct buffer shown = BUFFER_LIMITED(8 * NAME_SHOWN);
    char pointer[FAULT_POINTER_MAX];
    struct nearest nearest = nearest_to(slice_text(name));

    for (; *known != NULL; known++)
        nearest_see(&nearest, slice_text(*known));
    pointer_to(name, pointer);
    put_json_string(&shown, slice_first(slice_text(name), NAME_SHOWN));
    put_u8(&shown, '\0');
    if (nearest_found(&nearest))
        (void)fault_at(fault, STATUS_INVALID, pointer, "unknown member %s; did you mean \"%.*s\"?",
                       shown.bytes, SLICE_PRINT(nearest.best));
    else
        (void)fault_at(fault, STATUS_INVALID, pointer, "unknown member %s", shown.bytes);
    buffer_free(&shown);
    return STATUS_INVALID;
}

enum status
json_only(const json_t *object, const char *const *known, struct fault *fault)
{
    if (object == NULL)
        return STATUS_OK;
    if (!json_is_object(object))
        return fault_set(fault, STATUS_INVALID, "must be an object");
    for (void *at = json_object_iter((json_t *)(uintptr_t)object); at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        const char *name = json_object_iter_key(at);
        const char *const *row = known;

        while (*row != NULL && strcmp(*row, name) != 0)
            row++;
        if (*row == NULL)
            return unknown(name, known, fault);
    }
    return STATUS_OK;
}

json_t *
json_slice(struct slice s)
{
    return s.at == NULL ? NULL : json_stringn(s.at, s.size);
}
