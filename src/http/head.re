/* http/head.re - the lexer of HTTP/1.1 heads (RFC 9112 §3, §4, §5; RFC 9110 §5). */
#include "lex.h"

/*!re2c
    re2c:define:YYCTYPE = "unsigned char";
    re2c:define:YYCURSOR = at;
    re2c:define:YYMARKER = mark;
    re2c:yyfill:enable = 0;

    plain = [-!#$%&'*+.^`|~0-9A-Za-z];
    token = plain | "_";
    crlf  = "\r\n";
    visible = [\x21-\x7e];
    pathed  = visible \ [?#];
    queried = visible \ [#];
    text    = [\t\x20-\x7e\x80-\xff];
*/

static const char *
refuse(struct http_refusal *why, unsigned status, const char *reason)
{
    *why = (struct http_refusal){ .status = (uint16_t)status, .reason = reason };
    return NULL;
}

static struct http_span
span_of(const struct http_head *head, const char *from, const char *to)
{
    return (struct http_span){ .at = (uint16_t)(from - head->bytes),
                               .size = (uint16_t)(to - from) };
}

static const char *
lex_method(const char *at, struct http_head *head, struct http_refusal *why)
{
    enum { METHOD_MAX = 32 };
    const char *start = at, *mark;
    enum http_method method;

    /*!re2c
        "GET "     { method = HTTP_METHOD_GET; goto done; }
        "HEAD "    { method = HTTP_METHOD_HEAD; goto done; }
        "POST "    { method = HTTP_METHOD_POST; goto done; }
        "PUT "     { method = HTTP_METHOD_PUT; goto done; }
        "DELETE "  { method = HTTP_METHOD_DELETE; goto done; }
        "PATCH "   { method = HTTP_METHOD_PATCH; goto done; }
        "OPTIONS " { method = HTTP_METHOD_OPTIONS; goto done; }
        "TRACE "   { method = HTTP_METHOD_TRACE; goto done; }
        "CONNECT " { return refuse(why, 501, "CONNECT is not served"); }
        token+ " " { method = HTTP_METHOD_OTHER; goto done; }
        *          { return refuse(why, 400, "the method is not a token"); }
    */
done:
    if (at - start > METHOD_MAX + 1)
        return refuse(why, 501, "the method is not known");
    head->method = (uint8_t)method;
    head->method_text = span_of(head, start, at - 1);
    return at;
}

/* "http://authority" of absolute-form; stops before the path, the query or SP. */
static const char *
lex_absolute(const char *at, struct http_head *head, struct http_refusal *why)
{
    const char *start = at;

    /*!re2c
        [-._~0-9A-Za-z:[\]]+ { goto done; }
        * { return refuse(why, 400, "the target's authority is not well formed"); }
    */
done:
    if (*at != '/' && *at != '?' && *at != ' ')
        return refuse(why, 400, "the target's authority is not well formed");
    if (!lex_authority(slice_of(start, (size_t)(at - start))))
        return refuse(why, 400, "the target's authority is not well formed");
    head->host = span_of(head, start, at);
    return at;
}

/* Path and query, each may be empty here; up to the SP before the version. */
static const char *
lex_path_query(const char *at, struct http_head *head, struct http_refusal *why)
{
    const char *start = at, *mark;

    /*!re2c
        "/" pathed* { head->path = span_of(head, start, at); goto query; }
        *           { at = start; goto query; }
    */
query:
    start = at;
    /*!re2c
        "?" queried* " " { head->query = span_of(head, start + 1, at - 1); return at; }
        " "              { return at; }
        *                { return refuse(why, 400, "the target has a forbidden byte"); }
    */
}

static const char *
lex_target(const char *at, struct http_head *head, struct http_refusal *why)
{
    const char *start = at, *mark;

    /*!re2c
        "/"       { head->target_form = HTTP_TARGET_ORIGIN; at = start; goto path; }
        "* "      { head->target_form = HTTP_TARGET_ASTERISK; goto asterisk; }
        'http' 's'? "://" { head->target_form = HTTP_TARGET_ABSOLUTE; goto absolute; }
        *         { return refuse(why, 400, "the target is not a path"); }
    */
asterisk:
    if (head->method != HTTP_METHOD_OPTIONS)
        return refuse(why, 400, "the target * is for OPTIONS alone");
    head->path = head->target = span_of(head, start, at - 1);
    return at;
absolute:
    at = lex_absolute(at, head, why);
    if (at == NULL)
        return NULL;
path:
    at = lex_path_query(at, head, why);
    if (at == NULL)
        return NULL;
    if (at - 1 - start > HTTP_TARGET_MAX)
        return refuse(why, 414, "the target is too long");
    head->target = span_of(head, start, at - 1);
    return at;
}

const char *
lex_request_line(const char *at, struct http_head *head, struct http_refusal *why)
{
    const char *mark;

    at = lex_method(at, head, why);
    if (at != NULL)
        at = lex_target(at, head, why);
    if (at == NULL)
        return NULL;
    /*!re2c
        "HTTP/1.1" crlf { head->minor = 1; return at; }
        "HTTP/1.0" crlf { head->minor = 0; return at; }
        "HTTP/" [0-9] "." [0-9] crlf { return refuse(why, 505, "not HTTP/1.1 or HTTP/1.0"); }
        *               { return refuse(why, 400, "the request line is not well formed"); }
    */
}

const char *
lex_status_line(const char *at, struct http_head *head, struct http_refusal *why)
{
    const char *start = at, *mark;

    /*!re2c
        "HTTP/1." [01] " " [1-5] [0-9] [0-9] { goto reason; }
        * { return refuse(why, 502, "the status line is not well formed"); }
    */
reason:
    head->minor = start[7] == '1';
    head->status = (uint16_t)((start[9] - '0') * 100 + (start[10] - '0') * 10 + (start[11] - '0'));
    start = at;
    /*!re2c
        crlf           { head->reason = span_of(head, start, start); return at; }
        " " text* crlf { head->reason = span_of(head, start + 1, at - 2); return at; }
        *              { return refuse(why, 502, "the status line is not well formed"); }
    */
}

static inline bool
in_value(char byte)
{
    return ((unsigned char)byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

/* To the first byte that is none of a field value's: eight bytes at a time while
 * none is below 0x20 or 0x7f. */
static const char *
skip_value(const char *at, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;

    for (;;) {
        while (end - at >= 8) {
            uint64_t word, del;

            memcpy(&word, at, 8);
            del = word ^ (ones * 0x7f);
            if ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & highs)
                break;
            at += 8;
        }
        if (at == end || !in_value(*at))
            return at;
        at++;
    }
}

static uint8_t
hop_flag(enum http_field_id id)
{
    switch (id) {
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_TRANSFER_ENCODING:
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_KEEP_ALIVE:
    case HTTP_FIELD_PROXY_CONNECTION:
    case HTTP_FIELD_PROXY_AUTHORIZATION:
    case HTTP_FIELD_PROXY_AUTHENTICATE:
    case HTTP_FIELD_UPGRADE:
    case HTTP_FIELD_TE:
    case HTTP_FIELD_TRAILER:
    case HTTP_FIELD_EXPECT:
    case HTTP_FIELD_HTTP2_SETTINGS:
        return HTTP_FIELD_HOP;
    default:
        return 0;
    }
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
    const char *start, *mark;
    enum http_field_id id;
    struct http_field *field;
    uint8_t flags;

next:
    start = at;
    flags = 0;
    /*!re2c
        crlf { return at; }
        'host:'                      { id = HTTP_FIELD_HOST; goto value; }
        'content-length:'            { id = HTTP_FIELD_CONTENT_LENGTH; goto value; }
        'transfer-encoding:'         { id = HTTP_FIELD_TRANSFER_ENCODING; goto value; }
        'connection:'                { id = HTTP_FIELD_CONNECTION; goto value; }
        'keep-alive:'                { id = HTTP_FIELD_KEEP_ALIVE; goto value; }
        'proxy-connection:'          { id = HTTP_FIELD_PROXY_CONNECTION; goto value; }
        'upgrade:'                   { id = HTTP_FIELD_UPGRADE; goto value; }
        'te:'                        { id = HTTP_FIELD_TE; goto value; }
        'trailer:'                   { id = HTTP_FIELD_TRAILER; goto value; }
        'expect:'                    { id = HTTP_FIELD_EXPECT; goto value; }
        'http2-settings:'            { id = HTTP_FIELD_HTTP2_SETTINGS; goto value; }
        'authorization:'             { id = HTTP_FIELD_AUTHORIZATION; goto value; }
        'proxy-authorization:'       { id = HTTP_FIELD_PROXY_AUTHORIZATION; goto value; }
        'proxy-authenticate:'        { id = HTTP_FIELD_PROXY_AUTHENTICATE; goto value; }
        'www-authenticate:'          { id = HTTP_FIELD_WWW_AUTHENTICATE; goto value; }
        'dpop:'                      { id = HTTP_FIELD_DPOP; goto value; }
        'dpop-nonce:'                { id = HTTP_FIELD_DPOP_NONCE; goto value; }
        'x-api-key:'                 { id = HTTP_FIELD_X_API_KEY; goto value; }
        'x-registry-auth:'           { id = HTTP_FIELD_X_REGISTRY_AUTH; goto value; }
        'cookie:'                    { id = HTTP_FIELD_COOKIE; goto value; }
        'set-cookie:'                { id = HTTP_FIELD_SET_COOKIE; goto value; }
        'location:'                  { id = HTTP_FIELD_LOCATION; goto value; }
        'content-location:'          { id = HTTP_FIELD_CONTENT_LOCATION; goto value; }
        'refresh:'                   { id = HTTP_FIELD_REFRESH; goto value; }
        'user-agent:'                { id = HTTP_FIELD_USER_AGENT; goto value; }
        'server:'                    { id = HTTP_FIELD_SERVER; goto value; }
        'date:'                      { id = HTTP_FIELD_DATE; goto value; }
        'content-type:'              { id = HTTP_FIELD_CONTENT_TYPE; goto value; }
        'content-encoding:'          { id = HTTP_FIELD_CONTENT_ENCODING; goto value; }
        'accept:'                    { id = HTTP_FIELD_ACCEPT; goto value; }
        'accept-encoding:'           { id = HTTP_FIELD_ACCEPT_ENCODING; goto value; }
        'accept-language:'           { id = HTTP_FIELD_ACCEPT_LANGUAGE; goto value; }
        'cache-control:'             { id = HTTP_FIELD_CACHE_CONTROL; goto value; }
        'etag:'                      { id = HTTP_FIELD_ETAG; goto value; }
        'if-match:'                  { id = HTTP_FIELD_IF_MATCH; goto value; }
        'if-none-match:'             { id = HTTP_FIELD_IF_NONE_MATCH; goto value; }
        'idempotency-key:'           { id = HTTP_FIELD_IDEMPOTENCY_KEY; goto value; }
        'last-event-id:'             { id = HTTP_FIELD_LAST_EVENT_ID; goto value; }
        'origin:'                    { id = HTTP_FIELD_ORIGIN; goto value; }
        'referer:'                   { id = HTTP_FIELD_REFERER; goto value; }
        'retry-after:'               { id = HTTP_FIELD_RETRY_AFTER; goto value; }
        'access-control-request-method:'
                                     { id = HTTP_FIELD_ACCESS_CONTROL_REQUEST_METHOD; goto value; }
        'via:'                       { id = HTTP_FIELD_VIA; goto value; }
        'forwarded:'                 { id = HTTP_FIELD_FORWARDED; goto value; }
        'x-forwarded-for:'           { id = HTTP_FIELD_X_FORWARDED_FOR; goto value; }
        'x-forwarded-host:'          { id = HTTP_FIELD_X_FORWARDED_HOST; goto value; }
        'x-forwarded-proto:'         { id = HTTP_FIELD_X_FORWARDED_PROTO; goto value; }
        'x-forwarded-port:'          { id = HTTP_FIELD_X_FORWARDED_PORT; goto value; }
        'x-forwarded-method:'        { id = HTTP_FIELD_X_FORWARDED_METHOD; goto value; }
        'x-forwarded-uri:'           { id = HTTP_FIELD_X_FORWARDED_URI; goto value; }
        'x-original-method:'         { id = HTTP_FIELD_X_ORIGINAL_METHOD; goto value; }
        'x-original-uri:'            { id = HTTP_FIELD_X_ORIGINAL_URI; goto value; }
        'x-http-method-override:'    { id = HTTP_FIELD_X_HTTP_METHOD_OVERRIDE; goto value; }
        'x-real-ip:'                 { id = HTTP_FIELD_X_REAL_IP; goto value; }
        'client-cert:'               { id = HTTP_FIELD_CLIENT_CERT; goto value; }
        'client-cert-chain:'         { id = HTTP_FIELD_CLIENT_CERT_CHAIN; goto value; }
        'traceparent:'               { id = HTTP_FIELD_TRACEPARENT; goto value; }
        'tracestate:'                { id = HTTP_FIELD_TRACESTATE; goto value; }
        'mcp-session-id:'            { id = HTTP_FIELD_MCP_SESSION_ID; goto value; }
        'mcp-protocol-version:'      { id = HTTP_FIELD_MCP_PROTOCOL_VERSION; goto value; }
        'mcp-method:'                { id = HTTP_FIELD_MCP_METHOD; goto value; }
        'mcp-name:'                  { id = HTTP_FIELD_MCP_NAME; goto value; }
        'x' [-_] 'writ' [-_] token* ":" { id = HTTP_FIELD_X_WRIT; goto value; }
        'impersonate' [-_] token* ":" { id = HTTP_FIELD_IMPERSONATE; goto value; }
        'sec' [-_] 'websocket' [-_] token* ":" { id = HTTP_FIELD_SEC_WEBSOCKET; goto value; }
        plain+ ":"         { id = HTTP_FIELD_OTHER; goto value; }
        token+ ":"         { id = HTTP_FIELD_OTHER; flags = HTTP_FIELD_UNDERSCORE; goto value; }
        token+ [ \t]+ ":"  { return refuse(why, 400, "a blank stands before a field's colon"); }
        [ \t]              { return refuse(why, 400, "a folded field line"); }
        ":"                { return refuse(why, 400, "a field without a name"); }
        *                  { return refuse(why, 400, "a field name is not a token"); }
    */
value:
    if (head->count == HTTP_FIELDS_MAX)
        return refuse(why, 431, "too many fields");
    field = &head->fields[head->count];
    field->id = (uint8_t)id;
    field->flags = flags | hop_flag(id);
    field->name = span_of(head, start, at - 1);
    at = lex_value(at, end, head, field, why);
    if (at == NULL)
        return NULL;
    head->count++;
    if (id != HTTP_FIELD_OTHER && head->first[id] == 0)
        head->first[id] = (uint8_t)head->count;
    goto next;
}

bool
lex_authority(struct slice text)
{
    const char *at = text.at, *mark;

    /*!re2c
        digits = [0-9]{1,5};
        name   = [-._~0-9A-Za-z]+;
        six    = "[" [0-9A-Fa-f:.]+ "]";

        (name | six) (":" digits)? { return at == text.at + text.size; }
        *                          { return false; }
    */
}
