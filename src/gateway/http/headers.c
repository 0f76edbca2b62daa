/* gateway/http/headers.c - header hygiene (RFC 9110 §7.6): the upstream sees who
 * the gateway says it is, and nothing that a client made up. */
#include "headers.h"

#include <endian.h>

/* Never passed on as the client sent them: credentials, what the gateway makes
 * itself, what only a trusted proxy may say, and what holds for one hop. */
enum { DROP = 1, UNTRUSTED = 2, KEY = 4 };

enum { MADE_FIELDS_MAX = 384 }; /* of what the gateway writes itself, without the values */

static const uint8_t request_rules[HTTP_FIELD_IDS] = {
    [HTTP_FIELD_HOST] = DROP,
    [HTTP_FIELD_CONTENT_LENGTH] = DROP,
    [HTTP_FIELD_TRANSFER_ENCODING] = DROP,
    [HTTP_FIELD_CONNECTION] = DROP,
    [HTTP_FIELD_KEEP_ALIVE] = DROP,
    [HTTP_FIELD_PROXY_CONNECTION] = DROP,
    [HTTP_FIELD_UPGRADE] = DROP,
    [HTTP_FIELD_TE] = DROP,
    [HTTP_FIELD_EXPECT] = DROP,
    [HTTP_FIELD_HTTP2_SETTINGS] = DROP,
    [HTTP_FIELD_AUTHORIZATION] = DROP,
    [HTTP_FIELD_PROXY_AUTHORIZATION] = DROP,
    [HTTP_FIELD_DPOP] = DROP,
    [HTTP_FIELD_CLIENT_CERT] = DROP,
    [HTTP_FIELD_CLIENT_CERT_CHAIN] = DROP,
    [HTTP_FIELD_TRACEPARENT] = DROP,
    [HTTP_FIELD_TRACESTATE] = DROP,
    [HTTP_FIELD_X_WRIT] = DROP,
    [HTTP_FIELD_X_FORWARDED_FOR] = DROP, /* joined with what is known here */
    [HTTP_FIELD_X_FORWARDED_HOST] = UNTRUSTED,
    [HTTP_FIELD_X_FORWARDED_PROTO] = UNTRUSTED,
    [HTTP_FIELD_X_FORWARDED_PORT] = UNTRUSTED,
    [HTTP_FIELD_X_FORWARDED_METHOD] = UNTRUSTED,
    [HTTP_FIELD_X_FORWARDED_URI] = UNTRUSTED,
    [HTTP_FIELD_X_ORIGINAL_METHOD] = UNTRUSTED,
    [HTTP_FIELD_X_ORIGINAL_URI] = UNTRUSTED,
    [HTTP_FIELD_X_FORWARDED_PREFIX] = UNTRUSTED,
    [HTTP_FIELD_X_REAL_IP] = UNTRUSTED,
    [HTTP_FIELD_FORWARDED] = UNTRUSTED,
    [HTTP_FIELD_X_API_KEY] = KEY,
};

static bool
request_field_passes(const struct request_fields *fields, const struct http_field *field)
{
    uint8_t rule = request_rules[field->id];

    if (field->flags != 0 || (rule & DROP) != 0)
        return false;
    if ((rule & UNTRUSTED) != 0)
        return fields->client->trusted;
    return (rule & KEY) == 0 || !(fields->api_key || fields->upstream->plan.api_key);
}

/* Another X-Forwarded-* than those with a name of their own. */
static bool
is_forwarded_family(const struct http_head *head, const struct http_field *field)
{
    return field->id == HTTP_FIELD_OTHER && field->name.size > 12 &&
           slice_equal_nocase(slice_first(http_field_name(head, field), 12),
                              SLICE_LITERAL("X-Forwarded-"));
}

/* What the gateway writes itself goes into room that is asked for once. */
static char *
write_text(char *to, struct slice text)
{
    return text.size == 0 ? to : mempcpy(to, text.at, text.size);
}

static char *
write_decimal(char *to, uint8_t value)
{
    if (value >= 100)
        *to++ = (char)('0' + value / 100);
    if (value >= 10)
        *to++ = (char)('0' + value / 10 % 10);
    *to++ = (char)('0' + value % 10);
    return to;
}

static char *
write_ip(char *to, const struct ip *ip)
{
    char text[IP_TEXT_MAX];

    if (ip->family != IP_V4)
        return write_text(to, slice_text(ip_format(ip, text)));
    for (size_t i = 0; i < 4; i++) {
        to = write_decimal(to, ip->bytes[i]);
        *to++ = '.';
    }
    return to - 1;
}

static char *
write_hex(char *to, uint64_t value)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    for (int half = 0; half < 2; half++, value <<= 32) {
        /* The four bytes' eight halves, each in a byte of its own, the highest first. */
        uint64_t digits = value >> 32, above;

        digits = (digits | digits << 16) & UINT64_C(0x0000ffff0000ffff);
        digits = (digits | digits << 8) & UINT64_C(0x00ff00ff00ff00ff);
        digits = (digits | digits << 4) & (ones * 0x0f);
        above = (digits + ones * 6) >> 4 & ones; /* 1 where a letter stands */
        digits = htobe64(digits + ones * '0' + above * ('a' - '0' - 10));
        to = mempcpy(to, &digits, sizeof digits);
    }
    return to;
}

/* The peer behind what a trusted proxy says stands before it. */
static char *
write_forwarded_for(char *to, const struct request_fields *fields, struct slice before)
{
    if (before.size == 0 && fields->peer.family == IP_NONE)
        return to;
    to = write_text(to, SLICE_LITERAL("X-Forwarded-For: "));
    to = write_text(to, before);
    if (before.size > 0 && fields->peer.family != IP_NONE)
        to = write_text(to, SLICE_LITERAL(", "));
    if (fields->peer.family != IP_NONE)
        to = write_ip(to, &fields->peer);
    return write_text(to, SLICE_LITERAL("\r\n"));
}

/* W3C Trace Context §3.2: version, 16 bytes trace id, 8 bytes parent id, sampled.
 * An id of zeroes alone is invalid. */
static char *
write_traceparent(char *to, const uint64_t random[3])
{
    to = write_text(to, SLICE_LITERAL("traceparent: 00-"));
    to = write_hex(to, random[0] | 1);
    to = write_hex(to, random[1]);
    *to++ = '-';
    to = write_hex(to, random[2] | 1);
    return write_text(to, SLICE_LITERAL("-01\r\n"));
}

static char *
write_forwarded(char *to, const struct request_fields *fields, struct slice before)
{
    const struct http_head *head = fields->head;
    bool trusted = fields->client->trusted;

    to = write_forwarded_for(to, fields, before);
    if (!trusted || http_head_field(head, HTTP_FIELD_X_FORWARDED_HOST) == NULL) {
        to = write_text(to, SLICE_LITERAL("X-Forwarded-Host: "));
        to = write_text(to, http_head_host(head));
        to = write_text(to, SLICE_LITERAL("\r\n"));
    }
    if (!trusted || http_head_field(head, HTTP_FIELD_X_FORWARDED_PROTO) == NULL)
        to = write_text(to, fields->tls ? SLICE_LITERAL("X-Forwarded-Proto: https\r\n")
                                        : SLICE_LITERAL("X-Forwarded-Proto: http\r\n"));
    return to;
}

/* All values are checked where they come from: the definition of the upstream, the
 * parser of heads, the names of subjects, ids. */
static void
put_made_fields(struct buffer *out, const struct request_fields *fields)
{
    const struct http_head *head = fields->head;
    struct slice before = { 0 };

    if (fields->client->trusted)
        before = http_head_value(head, HTTP_FIELD_X_FORWARDED_FOR);
    char *room =
        buffer_room(out, MADE_FIELDS_MAX + fields->upstream->authority.size + before.size +
                             head->host.size + fields->subject.size + fields->token_id.size);
    if (room == NULL)
        return;
    char *at = write_text(room, SLICE_LITERAL("Host: "));
    at = write_text(at, fields->upstream->authority);
    at = write_text(at, SLICE_LITERAL("\r\n"));
    at = write_forwarded(at, fields, before);
    at = write_text(at, SLICE_LITERAL("Via: 1.1 writ\r\nX-Writ-Subject: "));
    at = write_text(at, fields->subject);
    at = write_text(at, SLICE_LITERAL("\r\nX-Writ-Token-Id: "));
    at = write_text(at, fields->token_id);
    at = write_text(at, SLICE_LITERAL("\r\n"));
    at = write_traceparent(at, fields->trace);
    buffer_added(out, (size_t)(at - room));
}

static void
put_authorization(struct buffer *out, struct slice authorization)
{
    if (authorization.size > 0)
        http_put_header(out, SLICE_LITERAL("Authorization"), authorization);
}

/* An answer that is to be read must not be compressed. */
static bool
dialect_passes(const struct http_passage *http, struct slice name)
{
    const struct dialect *dialect = http->talk->dialect;

    if (dialect->filter != NULL && slice_equal_nocase(name, SLICE_LITERAL("Accept-Encoding")))
        return false;
    return dialect->withholds == NULL || !dialect->withholds(http, name);
}

void
headers_of_gateway(struct buffer *out, const struct upstream *upstream, struct slice authorization)
{
    http_put_header(out, SLICE_LITERAL("Host"), upstream->authority);
    http_put_header(out, SLICE_LITERAL("Accept"), SLICE_LITERAL("application/json"));
    http_put_header(out, SLICE_LITERAL("User-Agent"), SLICE_LITERAL("writ"));
    put_authorization(out, authorization);
}

void
headers_to_upstream(struct buffer *out, const struct request_fields *fields)
{
    const struct http_head *head = fields->head;

    put_made_fields(out, fields);
    put_authorization(out, fields->authorization);
    for (unsigned i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        if (request_field_passes(fields, field) &&
            (fields->client->trusted || !is_forwarded_family(head, field)) &&
            (fields->talks == NULL || dialect_passes(fields->talks, http_field_name(head, field))))
            http_put_field(out, head, field);
    }
    if (fields->talks != NULL && fields->talks->talk->dialect->add_fields != NULL)
        fields->talks->talk->dialect->add_fields(fields->talks, out);
    if (fields->upgrade)
        http_put_header(out, SLICE_LITERAL("Upgrade"), http_head_value(head, HTTP_FIELD_UPGRADE));
    if (head->expect_continue && (fields->talks == NULL || !fields->talks->talk->gathered))
        put_slice(out, SLICE_LITERAL("Expect: 100-continue\r\n"));
}

/* --- answers -------------------------------------------------------------- */

static const uint8_t answer_rules[HTTP_FIELD_IDS] = {
    [HTTP_FIELD_CONTENT_LENGTH] = DROP,   [HTTP_FIELD_TRANSFER_ENCODING] = DROP,
    [HTTP_FIELD_CONNECTION] = DROP,       [HTTP_FIELD_KEEP_ALIVE] = DROP,
    [HTTP_FIELD_PROXY_CONNECTION] = DROP, [HTTP_FIELD_PROXY_AUTHENTICATE] = DROP,
    [HTTP_FIELD_UPGRADE] = DROP,          [HTTP_FIELD_TE] = DROP,
    [HTTP_FIELD_X_WRIT] = DROP, /* the gateway's own word */
    [HTTP_FIELD_DPOP_NONCE] = DROP,
};

/* The rest of a url of the upstream behind its scheme and authority; false when it
 * leads elsewhere. */
static bool
own_url(struct slice value, const struct upstream *upstream, struct slice *rest)
{
    size_t scheme = slice_find(value, ':');

    if (value.size > 1 && value.at[0] == '/' && value.at[1] == '/') {
        *rest = slice_from(value, 2);
    } else if (value.size > 0 && value.at[0] == '/') {
        *rest = value;
        return true;
    } else {
        struct slice name = slice_first(value, scheme);
        if (!slice_equal_nocase(name, SLICE_LITERAL("http")) &&
            !slice_equal_nocase(name, SLICE_LITERAL("https")))
            return false;
        *rest = slice_from(value, scheme);
        if (!slice_starts(*rest, SLICE_LITERAL("://")))
            return false;
        *rest = slice_from(*rest, 3);
    }
    struct slice authority = *rest;
    for (size_t i = 0; i < rest->size; i++) {
        if (rest->at[i] == '/' || rest->at[i] == '?' || rest->at[i] == '#') {
            authority = slice_first(*rest, i);
            break;
        }
    }
    *rest = slice_from(*rest, authority.size);
    return slice_equal_nocase(authority, upstream->authority);
}

/* Takes the prefix off a path, which must lie in it as whole segments. */
static bool
within_prefix(struct slice path, struct slice prefix, struct slice *rest)
{
    if (!slice_starts(path, prefix))
        return false;
    *rest = slice_from(path, prefix.size);
    return rest->size == 0 || memchr("/?#", rest->at[0], 3) != NULL;
}

void
put_location(struct buffer *out, struct slice value, const struct answer_fields *fields)
{
    const struct upstream *upstream = fields->upstream;
    struct slice rest;

    if (!own_url(value, upstream, &rest)) {
        put_slice(out, value);
        return;
    }
    if (rest.size == 0 || rest.at[0] != '/') {
        /* "http://up" and "http://up?q" name the root. */
        if (upstream->prefix.size > 0) {
            put_slice(out, value);
            return;
        }
    } else if (!within_prefix(rest, upstream->prefix, &rest)) {
        put_slice(out, value);
        return;
    }
    /* "http://up//elsewhere/" is a path of the upstream; "//elsewhere/" alone would
     * be another host. */
    if (fields->by_host && slice_starts(rest, SLICE_LITERAL("//"))) {
        put_slice(out, value);
        return;
    }
    if (!fields->by_host) {
        put_u8(out, '/');
        put_slice(out, upstream->name);
    }
    if (rest.size == 0 || rest.at[0] != '/')
        put_u8(out, '/');
    put_slice(out, rest);
}

static void
put_cookie_path(struct buffer *out, struct slice path, const struct answer_fields *fields)
{
    struct slice rest;

    if (path.size == 0 || path.at[0] != '/') { /* RFC 6265 §5.2.4: the default path */
        put_slice(out, path);
        return;
    }
    put_u8(out, '/');
    put_slice(out, fields->upstream->name);
    if (within_prefix(path, fields->upstream->prefix, &rest) && !slice_is(rest, "/"))
        put_slice(out, rest);
}

void
put_cookie(struct buffer *out, struct slice value, const struct answer_fields *fields)
{
    struct slice part;
    bool first = true;

    while (slice_next(&value, ';', &part)) {
        /* RFC 6265 §5.2: blanks around the name and the value do not count. */
        size_t equals = slice_find(part, '=');
        bool path = equals < part.size && slice_equal_nocase(slice_trim(slice_first(part, equals)),
                                                             SLICE_LITERAL("path"));
        if (!first)
            put_u8(out, ';');
        if (!first && path && !fields->by_host) {
            put_slice(out, SLICE_LITERAL(" Path="));
            put_cookie_path(out, slice_trim(slice_from(part, equals + 1)), fields);
        } else {
            put_slice(out, part);
        }
        first = false;
    }
}

static void
put_answer_field(struct buffer *out, const struct answer_fields *fields,
                 const struct http_field *field)
{
    struct slice value = http_field_value(fields->head, field);

    switch (field->id) {
    case HTTP_FIELD_LOCATION:
    case HTTP_FIELD_CONTENT_LOCATION:
        put_slice(out, http_field_id_name(field->id));
        put_slice(out, SLICE_LITERAL(": "));
        put_location(out, value, fields);
        put_slice(out, SLICE_LITERAL("\r\n"));
        break;
    case HTTP_FIELD_SET_COOKIE:
        put_slice(out, SLICE_LITERAL("Set-Cookie: "));
        put_cookie(out, value, fields);
        put_slice(out, SLICE_LITERAL("\r\n"));
        break;
    default:
        http_put_field(out, fields->head, field);
        break;
    }
}

void
headers_to_client(struct buffer *out, const struct answer_fields *fields)
{
    const struct http_head *head = fields->head;
    const struct dialect *dialect = fields->talks != NULL ? fields->talks->talk->dialect : NULL;

    for (unsigned i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        if ((field->flags & HTTP_FIELD_HOP) == 0 && (answer_rules[field->id] & DROP) == 0 &&
            (dialect == NULL || dialect->withholds_answer == NULL ||
             !dialect->withholds_answer(http_field_name(head, field))))
            put_answer_field(out, fields, field);
    }
    if (dialect != NULL && dialect->add_answer_fields != NULL)
        dialect->add_answer_fields(fields->talks, head, out);
    put_slice(out, SLICE_LITERAL("Via: 1.1 writ\r\n"));
    if (fields->upgrade)
        http_put_header(out, SLICE_LITERAL("Upgrade"), http_head_value(head, HTTP_FIELD_UPGRADE));
}

bool
upgrade_passes(const struct http_head *head)
{
    struct slice list = http_head_value(head, HTTP_FIELD_UPGRADE), protocol;
    unsigned count = 0;

    if (!head->upgrade || http_head_field_count(head, HTTP_FIELD_UPGRADE) != 1)
        return false;
    while (http_list_next(&list, &protocol)) {
        struct slice name = slice_first(protocol, slice_find(protocol, '/'));
        if (slice_equal_nocase(name, SLICE_LITERAL("h2c")) ||
            slice_equal_nocase(name, SLICE_LITERAL("http")) ||
            slice_equal_nocase(name, SLICE_LITERAL("tls")))
            return false;
        count++;
    }
    return count > 0;
}
