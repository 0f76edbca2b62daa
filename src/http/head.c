/* http/head.c - what the fields of a head mean for the connection: where the body
 * ends, whether it stays open, which fields are this hop's. */
#include "http/head.h"

#include "lex.h"

/* More elements in Connection than any client sends; bounds the work per head. */
enum { CONNECTION_ELEMENTS_MAX = 16 };

static bool
refuse(struct http_refusal *why, unsigned status, const char *reason)
{
    *why = (struct http_refusal){ .status = (uint16_t)status, .reason = reason };
    return false;
}

/* The head's size once its empty line is there. Until then what can't become a
 * head is refused early: a peer that is told late waits for nothing. */
static enum http_parsed
find_end(struct slice bytes, size_t from, size_t *size, struct http_refusal *why)
{
    const char *end = bytes.at + bytes.size, *line = bytes.at + from;
    const char *lf;

    while (line < end && (lf = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        if (lf == bytes.at || lf[-1] != '\r') {
            refuse(why, 400, "a line ends without CR");
            return HTTP_MALFORMED;
        }
        if (lf == line + 1 && lf - 1 >= bytes.at + from) {
            *size = (size_t)(lf + 1 - bytes.at);
            if (*size <= HTTP_HEAD_MAX)
                return HTTP_PARSED;
            break;
        }
        line = lf + 1;
    }
    /* The first line is still open: only an endless target makes it this long. */
    if (line == bytes.at + from && bytes.size - from > HTTP_TARGET_MAX + 64)
        refuse(why, 414, "the target is too long");
    else if (bytes.size > HTTP_HEAD_MAX)
        refuse(why, 431, "the head is too long");
    else
        return HTTP_NEED_MORE;
    return HTTP_MALFORMED;
}

static bool
known(const struct http_head *head, enum http_field_id id)
{
    return head->first[id] != 0;
}

bool
http_list_next(struct slice *rest, struct slice *element)
{
    while (slice_next(rest, ',', element)) {
        *element = slice_trim(*element);
        if (element->size > 0)
            return true;
    }
    return false;
}

/* RFC 9110 §7.6.1: what Connection names is this hop's. Fields that every
 * recipient depends on can't be made to vanish that way. */
static bool
nominate(struct http_head *head, struct slice name, struct http_refusal *why)
{
    for (unsigned i = 0; i < head->count; i++) {
        struct http_field *field = &head->fields[i];

        if (!slice_equal_nocase(http_field_name(head, field), name))
            continue;
        switch (field->id) {
        case HTTP_FIELD_HOST:
        case HTTP_FIELD_CONTENT_LENGTH:
        case HTTP_FIELD_TRANSFER_ENCODING:
        case HTTP_FIELD_AUTHORIZATION:
        case HTTP_FIELD_DPOP:
        case HTTP_FIELD_X_API_KEY:
        case HTTP_FIELD_COOKIE:
        case HTTP_FIELD_CONTENT_TYPE:
            return refuse(why, 400, "Connection names an end-to-end field");
        default:
            field->flags |= HTTP_FIELD_HOP;
        }
    }
    return true;
}

static bool
read_connection(struct http_head *head, struct http_refusal *why)
{
    bool closes = false, keeps = false, upgrades = false;
    unsigned elements = 0;

    for (const struct http_field *field = http_head_field(head, HTTP_FIELD_CONNECTION);
         field != NULL; field = http_head_field_next(head, field)) {
        struct slice rest = http_field_value(head, field), element;

        while (http_list_next(&rest, &element)) {
            if (++elements > CONNECTION_ELEMENTS_MAX || !http_is_token(element))
                return refuse(why, 400, "Connection is not well formed");
            if (slice_equal_nocase(element, SLICE_LITERAL("keep-alive")))
                keeps = true;
            else if (slice_equal_nocase(element, SLICE_LITERAL("close")))
                closes = true;
            else if (slice_equal_nocase(element, SLICE_LITERAL("upgrade")))
                upgrades = true;
            else if (!nominate(head, element, why))
                return false;
        }
    }
    head->keep_alive = !closes && (head->minor >= 1 || keeps);
    head->upgrade = upgrades && head->minor >= 1 && known(head, HTTP_FIELD_UPGRADE);
    return true;
}

/* RFC 9112 §6: one length or exactly chunked, never both, never twice. */
static bool
read_framing(struct http_head *head, struct http_refusal *why)
{
    const struct http_field *length = http_head_field(head, HTTP_FIELD_CONTENT_LENGTH);
    const struct http_field *coding = http_head_field(head, HTTP_FIELD_TRANSFER_ENCODING);

    if (coding != NULL) {
        if (length != NULL)
            return refuse(why, 400, "both Content-Length and Transfer-Encoding");
        if (head->minor == 0)
            return refuse(why, 400, "Transfer-Encoding in HTTP/1.0");
        if (http_head_field_next(head, coding) != NULL)
            return refuse(why, 400, "several Transfer-Encoding fields");
        if (!slice_equal_nocase(http_field_value(head, coding), SLICE_LITERAL("chunked")))
            return refuse(why, 501, "a transfer coding other than chunked");
        head->body = HTTP_BODY_CHUNKED;
    } else if (length != NULL) {
        if (http_head_field_next(head, length) != NULL)
            return refuse(why, 400, "several Content-Length fields");
        /* Above this a counter of a peer with signed numbers may turn over. */
        if (!slice_u64(http_field_value(head, length), &head->length) || head->length > INT64_MAX)
            return refuse(why, 400, "Content-Length is not a number");
        head->has_length = true;
        head->body = head->length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    }
    return true;
}

/* RFC 9112 §3.2: exactly one Host in HTTP/1.1, and no second opinion in the target. */
static bool
read_host(struct http_head *head, struct http_refusal *why)
{
    const struct http_field *field = http_head_field(head, HTTP_FIELD_HOST);
    struct slice host;

    if (field == NULL) {
        if (head->minor >= 1)
            return refuse(why, 400, "no Host");
        if (head->target_form == HTTP_TARGET_ABSOLUTE)
            return refuse(why, 400, "an absolute target without Host");
        return true;
    }
    if (http_head_field_next(head, field) != NULL)
        return refuse(why, 400, "several Host fields");
    host = http_field_value(head, field);
    if (!lex_authority(host))
        return refuse(why, 400, "Host is not well formed");
    if (head->target_form == HTTP_TARGET_ABSOLUTE &&
        !slice_equal_nocase(host, http_head_host(head)))
        return refuse(why, 400, "the target names another authority than Host");
    head->host = field->value;
    return true;
}

static bool
read_expect(struct http_head *head, struct http_refusal *why)
{
    const struct http_field *field = http_head_field(head, HTTP_FIELD_EXPECT);

    if (field == NULL || head->minor == 0)
        return true; /* RFC 9110 §10.1.1: ignored in HTTP/1.0 */
    if (http_head_field_next(head, field) != NULL ||
        !slice_equal_nocase(http_field_value(head, field), SLICE_LITERAL("100-continue")))
        return refuse(why, 417, "an expectation other than 100-continue");
    head->expect_continue = head->body != HTTP_BODY_NONE;
    return true;
}

static bool
is_token_byte(char byte)
{
    return http_is_token(slice_of(&byte, 1));
}

static void
head_clear(struct http_head *head, const char *bytes)
{
    memset(head, 0, offsetof(struct http_head, fields));
    head->bytes = bytes;
}

enum http_parsed
http_request_parse(struct slice bytes, struct http_head *out, struct http_refusal *why)
{
    size_t skip = 0, size;
    const char *at;
    enum http_parsed found;

    if (bytes.size > 0 && bytes.at[0] == '\r') {
        if (bytes.size == 1)
            return HTTP_NEED_MORE;
        if (bytes.at[1] == '\n')
            skip = 2;
    }
    if (bytes.size == skip)
        return HTTP_NEED_MORE;
    if (!is_token_byte(bytes.at[skip])) {
        refuse(why, 400, "not an HTTP request");
        return HTTP_MALFORMED;
    }
    found = find_end(bytes, skip, &size, why);
    if (found != HTTP_PARSED)
        return found;
    head_clear(out, bytes.at);
    at = lex_request_line(bytes.at + skip, out, why);
    if (at == NULL || lex_fields(at, bytes.at + size, out, why) == NULL || !read_host(out, why) ||
        !read_framing(out, why) || !read_connection(out, why) || !read_expect(out, why))
        return HTTP_MALFORMED;
    out->size = (uint32_t)size;
    return HTTP_PARSED;
}

/* RFC 9112 §6.3, in its order. */
static void
response_body(struct http_head *head, enum http_method asked)
{
    if (asked == HTTP_METHOD_HEAD || head->status < 200 || head->status == 204 ||
        head->status == 304) {
        head->body = HTTP_BODY_NONE;
    } else if (head->body == HTTP_BODY_NONE && !head->has_length) {
        head->body = HTTP_BODY_CLOSE;
        head->keep_alive = false;
    }
}

enum http_parsed
http_response_parse(struct slice bytes, enum http_method asked, struct http_head *out,
                    struct http_refusal *why)
{
    size_t size;
    const char *at;
    enum http_parsed found;

    if (bytes.size == 0)
        return HTTP_NEED_MORE;
    if (bytes.at[0] != 'H') {
        refuse(why, 502, "not an HTTP answer");
        return HTTP_MALFORMED;
    }
    found = find_end(bytes, 0, &size, why);
    if (found != HTTP_PARSED)
        return found;
    head_clear(out, bytes.at);
    at = lex_status_line(bytes.at, out, why);
    if (at == NULL || lex_fields(at, bytes.at + size, out, why) == NULL ||
        !read_framing(out, why) || !read_connection(out, why))
        return HTTP_MALFORMED;
    /* RFC 9112 §6.1: no transfer coding where no body can be. */
    if ((out->status < 200 || out->status == 204) && out->body == HTTP_BODY_CHUNKED) {
        refuse(why, 502, "Transfer-Encoding in an answer without body");
        return HTTP_MALFORMED;
    }
    response_body(out, asked);
    out->size = (uint32_t)size;
    return HTTP_PARSED;
}

enum http_parsed
http_fields_parse(struct slice bytes, struct http_head *out, struct http_refusal *why)
{
    size_t size;
    enum http_parsed found = find_end(bytes, 0, &size, why);

    if (found != HTTP_PARSED)
        return found;
    head_clear(out, bytes.at);
    if (lex_fields(bytes.at, bytes.at + size, out, why) == NULL)
        return HTTP_MALFORMED;
    out->size = (uint32_t)size;
    return HTTP_PARSED;
}

const struct http_field *
http_head_field_next(const struct http_head *head, const struct http_field *field)
{
    for (const struct http_field *next = field + 1; next < head->fields + head->count; next++)
        if (next->id == field->id)
            return next;
    return NULL;
}

unsigned
http_head_field_count(const struct http_head *head, enum http_field_id id)
{
    const struct http_field *field = http_head_field(head, id);
    unsigned count = 0;

    for (; field != NULL; field = http_head_field_next(head, field))
        count++;
    return count;
}

struct slice
http_head_value(const struct http_head *head, enum http_field_id id)
{
    const struct http_field *field = http_head_field(head, id);

    return field == NULL ? (struct slice){ 0 } : http_field_value(head, field);
}

struct slice
http_head_value_named(const struct http_head *head, struct slice name)
{
    for (unsigned i = 0; i < head->count; i++)
        if (slice_equal_nocase(http_field_name(head, &head->fields[i]), name))
            return http_field_value(head, &head->fields[i]);
    return (struct slice){ 0 };
}

bool
http_head_has_query(const struct http_head *head)
{
    return head->query.at != 0;
}
