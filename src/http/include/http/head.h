/* http/head.h - the head of an HTTP/1.1 message: one strict reading of it, or none.
 *
 * The parser (RFC 9110, RFC 9112) guesses nothing: what two programs could read
 * in two ways is refused. A head is offsets into the bytes that it was parsed
 * from, so that moving the bytes is setting head->bytes. */
#ifndef WRIT_HTTP_HEAD_H
#define WRIT_HTTP_HEAD_H

#include "base/slice.h"
#include "base/status.h"

enum {
    HTTP_HEAD_MAX = 32768, /* bytes of a whole head: 431 */
    HTTP_FIELDS_MAX = 100, /* 431 */
    HTTP_TARGET_MAX = 8192 /* 414 */
};

/* Methods are case-sensitive; any other token is HTTP_METHOD_OTHER. */
#define HTTP_METHOD_MAP(X) X(GET) X(HEAD) X(POST) X(PUT) X(DELETE) X(PATCH) X(OPTIONS) X(TRACE)

enum http_method {
    HTTP_METHOD_OTHER,
#define HTTP_METHOD_ENUM(name) HTTP_METHOD_##name,
    HTTP_METHOD_MAP(HTTP_METHOD_ENUM)
#undef HTTP_METHOD_ENUM
};

/* Fields that Writ's code asks for, recognised while lexing. Three stand for
 * families: X_WRIT for X-Writ-*, IMPERSONATE for Impersonate-*, SEC_WEBSOCKET. */
#define HTTP_FIELD_MAP(X)                                                                          \
    X(HOST, "Host")                                                                                \
    X(CONTENT_LENGTH, "Content-Length")                                                            \
    X(TRANSFER_ENCODING, "Transfer-Encoding")                                                      \
    X(CONNECTION, "Connection")                                                                    \
    X(KEEP_ALIVE, "Keep-Alive")                                                                    \
    X(PROXY_CONNECTION, "Proxy-Connection")                                                        \
    X(UPGRADE, "Upgrade")                                                                          \
    X(TE, "TE")                                                                                    \
    X(TRAILER, "Trailer")                                                                          \
    X(EXPECT, "Expect")                                                                            \
    X(HTTP2_SETTINGS, "HTTP2-Settings")                                                            \
    X(AUTHORIZATION, "Authorization")                                                              \
    X(PROXY_AUTHORIZATION, "Proxy-Authorization")                                                  \
    X(PROXY_AUTHENTICATE, "Proxy-Authenticate")                                                    \
    X(WWW_AUTHENTICATE, "WWW-Authenticate")                                                        \
    X(DPOP, "DPoP")                                                                                \
    X(DPOP_NONCE, "DPoP-Nonce")                                                                    \
    X(X_API_KEY, "X-Api-Key")                                                                      \
    X(X_REGISTRY_AUTH, "X-Registry-Auth")                                                          \
    X(COOKIE, "Cookie")                                                                            \
    X(SET_COOKIE, "Set-Cookie")                                                                    \
    X(LOCATION, "Location")                                                                        \
    X(CONTENT_LOCATION, "Content-Location")                                                        \
    X(REFRESH, "Refresh")                                                                          \
    X(USER_AGENT, "User-Agent")                                                                    \
    X(SERVER, "Server")                                                                            \
    X(DATE, "Date")                                                                                \
    X(CONTENT_TYPE, "Content-Type")                                                                \
    X(CONTENT_ENCODING, "Content-Encoding")                                                        \
    X(ACCEPT, "Accept")                                                                            \
    X(ACCEPT_ENCODING, "Accept-Encoding")                                                          \
    X(ACCEPT_LANGUAGE, "Accept-Language")                                                          \
    X(CACHE_CONTROL, "Cache-Control")                                                              \
    X(ETAG, "ETag")                                                                                \
    X(IF_MATCH, "If-Match")                                                                        \
    X(IF_NONE_MATCH, "If-None-Match")                                                              \
    X(IDEMPOTENCY_KEY, "Idempotency-Key")                                                          \
    X(LAST_EVENT_ID, "Last-Event-ID")                                                              \
    X(ORIGIN, "Origin")                                                                            \
    X(REFERER, "Referer")                                                                          \
    X(RETRY_AFTER, "Retry-After")                                                                  \
    X(ACCESS_CONTROL_REQUEST_METHOD, "Access-Control-Request-Method")                              \
    X(VIA, "Via")                                                                                  \
    X(FORWARDED, "Forwarded")                                                                      \
    X(X_FORWARDED_FOR, "X-Forwarded-For")                                                          \
    X(X_FORWARDED_HOST, "X-Forwarded-Host")                                                        \
    X(X_FORWARDED_PROTO, "X-Forwarded-Proto")                                                      \
    X(X_FORWARDED_PORT, "X-Forwarded-Port")                                                        \
    X(X_FORWARDED_METHOD, "X-Forwarded-Method")                                                    \
    X(X_FORWARDED_URI, "X-Forwarded-Uri")                                                          \
    X(X_ORIGINAL_METHOD, "X-Original-Method")                                                      \
    X(X_ORIGINAL_URI, "X-Original-URI")                                                            \
    X(X_HTTP_METHOD_OVERRIDE, "X-HTTP-Method-Override")                                            \
    X(X_FORWARDED_PREFIX, "X-Forwarded-Prefix")                                                    \
    X(X_REAL_IP, "X-Real-IP")                                                                      \
    X(CLIENT_CERT, "Client-Cert")                                                                  \
    X(CLIENT_CERT_CHAIN, "Client-Cert-Chain")                                                      \
    X(TRACEPARENT, "traceparent")                                                                  \
    X(TRACESTATE, "tracestate")                                                                    \
    X(MCP_SESSION_ID, "Mcp-Session-Id")                                                            \
    X(MCP_PROTOCOL_VERSION, "MCP-Protocol-Version")                                                \
    X(MCP_METHOD, "Mcp-Method")                                                                    \
    X(MCP_NAME, "Mcp-Name")                                                                        \
    X(X_WRIT, "X-Writ-")                                                                           \
    X(IMPERSONATE, "Impersonate-")                                                                 \
    X(SEC_WEBSOCKET, "Sec-WebSocket-")

enum http_field_id {
    HTTP_FIELD_OTHER,
#define HTTP_FIELD_ENUM(id, name) HTTP_FIELD_##id,
    HTTP_FIELD_MAP(HTTP_FIELD_ENUM)
#undef HTTP_FIELD_ENUM
        HTTP_FIELD_IDS
};

enum {
    /* For this connection alone: Connection itself, what it names, and the fields
     * of RFC 9110 §7.6.1 and of the framing. Never forwarded as they are. */
    HTTP_FIELD_HOP = 1,
    /* The name holds '_', '.' or another mark. CGI-like servers read each as '-', so that
     * X_Writ.Subject would pass as X-Writ-Subject: never forwarded. */
    HTTP_FIELD_ODD = 2
};

struct http_span {
    uint16_t at, size;
};

struct http_field {
    struct http_span name, value; /* the value without blanks around it */
    uint8_t id;                   /* enum http_field_id */
    uint8_t flags;
};

/* How the body's end is known. */
enum http_body {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNKED,
    HTTP_BODY_CLOSE /* responses only */
};

enum http_target {
    HTTP_TARGET_ORIGIN,   /* "/path?query" */
    HTTP_TARGET_ABSOLUTE, /* "http://host/path?query" */
    HTTP_TARGET_ASTERISK  /* "*", of OPTIONS */
};

struct http_head {
    const char *bytes; /* what the spans are offsets into */
    uint64_t length;   /* of Content-Length, when has_length */
    uint32_t size;     /* bytes of the head, its empty line included */
    uint16_t count;    /* fields */
    uint16_t status;   /* responses; 0 in requests */
    uint8_t minor;     /* HTTP/1.minor */
    uint8_t method;    /* enum http_method */
    uint8_t target_form;
    uint8_t body;         /* enum http_body */
    bool has_length;      /* also on a HEAD answer or 304, where no body follows */
    bool keep_alive;      /* this side would keep the connection */
    bool upgrade;         /* Connection: upgrade and an Upgrade field, HTTP/1.1 */
    bool expect_continue; /* Expect: 100-continue, HTTP/1.1, a body follows */
    struct http_span method_text, target, path, query; /* query without '?' */
    struct http_span host;         /* the authority: Host's value; empty in HTTP/1.0 without */
    struct http_span reason;       /* responses */
    uint8_t first[HTTP_FIELD_IDS]; /* index of the first field with this id, plus 1 */
    struct http_field fields[HTTP_FIELDS_MAX];
};

enum http_parsed {
    HTTP_PARSED, /* *out is filled, out->size bytes were used */
    HTTP_NEED_MORE,
    HTTP_MALFORMED /* *why is filled; nothing on this connection can be trusted */
};

struct http_refusal {
    uint16_t status;    /* to answer: 400 414 417 431 501 505 */
    const char *reason; /* static text for a person, no bytes of the peer */
};

/* *out is scratch until HTTP_PARSED: its outputs count only then. bytes starts at
 * a message's first byte; one empty line before a request is skipped and counted
 * (RFC 9112 §2.2). */
enum http_parsed http_request_parse(struct slice bytes, struct http_head *out,
                                    struct http_refusal *why) WRIT_MUST_USE;
/* asked is the method of the request, since no body follows an answer to HEAD.
 * Informational heads (1xx) are parsed one at a time like any other. */
enum http_parsed http_response_parse(struct slice bytes, enum http_method asked,
                                     struct http_head *out, struct http_refusal *why) WRIT_MUST_USE;

static inline struct slice
http_span_slice(const struct http_head *head, struct http_span span)
{
    return slice_of(head->bytes + span.at, span.size);
}

static inline struct slice
http_field_name(const struct http_head *head, const struct http_field *field)
{
    return http_span_slice(head, field->name);
}

static inline struct slice
http_field_value(const struct http_head *head, const struct http_field *field)
{
    return http_span_slice(head, field->value);
}

/* The first field with this id, or NULL; and the next one after it with the same. */
static inline const struct http_field *
http_head_field(const struct http_head *head, enum http_field_id id)
{
    return head->first[id] == 0 ? NULL : &head->fields[head->first[id] - 1];
}
const struct http_field *http_head_field_next(const struct http_head *head,
                                              const struct http_field *field);
unsigned http_head_field_count(const struct http_head *head, enum http_field_id id);
/* The value of the first field with this id; .at is NULL when there is none. */
struct slice http_head_value(const struct http_head *head, enum http_field_id id);
/* The same for a name that has no id. */
struct slice http_head_value_named(const struct http_head *head, struct slice name);

static inline struct slice
http_head_method(const struct http_head *head)
{
    return http_span_slice(head, head->method_text);
}

/* As sent, not decoded; "/" when an absolute-form target has no path, "*" in
 * asterisk-form. */
static inline struct slice
http_head_path(const struct http_head *head)
{
    return head->path.size == 0 ? SLICE_LITERAL("/") : http_span_slice(head, head->path);
}

static inline struct slice
http_head_query(const struct http_head *head)
{
    return http_span_slice(head, head->query);
}

/* Whether a '?' stands in the target ("/a?" has an empty query). */
bool http_head_has_query(const struct http_head *head);

static inline struct slice
http_head_host(const struct http_head *head)
{
    return http_span_slice(head, head->host);
}

/* The canonical spelling of a known field's name; the family's prefix for X_WRIT … */
struct slice http_field_id_name(enum http_field_id id);

/* Parsing field lines alone (trailers): "name: value\r\n" any number of times, then
 * the empty line. Fields, size and count are filled; framing is not looked at. */
enum http_parsed http_fields_parse(struct slice bytes, struct http_head *out,
                                   struct http_refusal *why) WRIT_MUST_USE;

/* One element of a comma-separated value off *rest, trimmed; empty ones are skipped. */
bool http_list_next(struct slice *rest, struct slice *element);
bool http_is_token(struct slice text); /* RFC 9110 §5.6.2, not empty */

#endif
