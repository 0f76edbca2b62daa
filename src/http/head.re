/* http/head.re - the lexer of HTTP/1.1 first lines (RFC 9112 §3, §4). */
#include "lex.h"

/*!re2c
    re2c:define:YYCTYPE = "unsigned char";
    re2c:define:YYCURSOR = at;
    re2c:define:YYMARKER = mark;
    re2c:yyfill:enable = 0;

    token = [-!#$%&'*+._^`|~0-9A-Za-z];
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
