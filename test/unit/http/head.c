/* Heads: each row of the bad tables fails for its own reason, in a head that is
 * good but for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/head.h"

#define H "Host: a\r\n"

struct bad {
    const char *bytes;
    unsigned status;
    const char *reason; /* a part of it */
};

static const struct bad bad_requests[] = {
    { "GET / HTTP/1.1\n" H "\r\n", 400, "without CR" },
    { "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "without CR" },
    { "GET / HTTP/1.1\r\n" H "\n", 400, "without CR" },
    { "GET / HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", 400, "control" },
    { "GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", 400, "control" },
    { "GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", 400, "control" },
    { "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 400, "folded" },
    { "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", 400, "folded" },
    { "GET / HTTP/1.1\r\n X: a\r\n" H "\r\n", 400, "folded" },
    { "GET / HTTP/1.1\r\n" H "X : a\r\n\r\n", 400, "blank stands before" },
    { "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "blank stands before" },
    { "GET / HTTP/1.1\r\n" H ": a\r\n\r\n", 400, "without a name" },
    { "GET / HTTP/1.1\r\n" H "X(: a\r\n\r\n", 400, "not a token" },
    { "GET / HTTP/1.1\r\n" H "X\xc3: a\r\n\r\n", 400, "not a token" },
    { "GET / HTTP/1.1\r\n" H "X\r\n\r\n", 400, "not a token" },
    { "GET / HTTP/1.1\r\n" H "\rX: 1\r\n\r\n", 400, "not a token" },
    /* Bytes that differ in the bit of small letters alone. */
    { "GET / HTTP/1.1\r\n" H "Content\rLength: 5\r\n\r\n", 400, "not a token" },
    { "GET / HTTP/1.1\r\n" H "http\x12-settings: 5\r\n\r\n", 400, "not a token" },
    { "GET / HTTP/1.1\r\n" H "X-Writ\r: 5\r\n\r\n", 400, "not a token" },
    { "GET / HTTP/1.2\r\n" H "\r\n", 505, "not HTTP" },
    { "GET / HTTP/2.0\r\n" H "\r\n", 505, "not HTTP" },
    { "PRI * HTTP/2.0\r\n\r\n", 400, "OPTIONS alone" },
    { "GET / HTTP/1.10\r\n" H "\r\n", 400, "request line" },
    { "GET / HTTP/11\r\n" H "\r\n", 400, "request line" },
    { "GET / http/1.1\r\n" H "\r\n", 400, "request line" },
    { "GET / HTTP/1.1 \r\n" H "\r\n", 400, "request line" },
    { "GET /\r\n" H "\r\n", 400, "forbidden byte" },
    { "GET  / HTTP/1.1\r\n" H "\r\n", 400, "not a path" },
    { "GET /  HTTP/1.1\r\n" H "\r\n", 400, "request line" },
    { "GET\t/ HTTP/1.1\r\n" H "\r\n", 400, "method" },
    { " GET / HTTP/1.1\r\n" H "\r\n", 400, "not an HTTP request" },
    { "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 400, "not an HTTP request" },
    { "\nGET / HTTP/1.1\r\n" H "\r\n", 400, "not an HTTP request" },
    { "\x16\x03\x01", 400, "not an HTTP request" },
    { "G@T / HTTP/1.1\r\n" H "\r\n", 400, "method" },
    { "GETGETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1\r\n" H "\r\n", 501, "not known" },
    { "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501, "CONNECT" },
    { "GET a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400, "not a path" },
    { "GET * HTTP/1.1\r\n" H "\r\n", 400, "OPTIONS alone" },
    { "OPTIONS *x HTTP/1.1\r\n" H "\r\n", 400, "not a path" },
    { "GET /a#b HTTP/1.1\r\n" H "\r\n", 400, "forbidden byte" },
    { "GET /?a#b HTTP/1.1\r\n" H "\r\n", 400, "forbidden byte" },
    { "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400, "forbidden byte" },
    { "GET /a\x01 HTTP/1.1\r\n" H "\r\n", 400, "forbidden byte" },
    { "GET /a\tb HTTP/1.1\r\n" H "\r\n", 400, "forbidden byte" },
    { "GET http://b/ HTTP/1.1\r\n" H "\r\n", 400, "another authority" },
    { "GET http://a:80/ HTTP/1.1\r\n" H "\r\n", 400, "another authority" },
    { "GET http://u@a/ HTTP/1.1\r\n" H "\r\n", 400, "authority is not" },
    { "GET http:///x HTTP/1.1\r\n" H "\r\n", 400, "authority is not" },
    { "GET http://a/ HTTP/1.0\r\n\r\n", 400, "without Host" },
    { "GET ftp://a/ HTTP/1.1\r\n" H "\r\n", 400, "not a path" },
    { "GET / HTTP/1.1\r\nX: a\r\n\r\n", 400, "no Host" },
    { "GET / HTTP/1.1\r\n\r\n", 400, "no Host" },
    { "GET / HTTP/1.1\r\n" H H "\r\n", 400, "several Host" },
    { "GET / HTTP/1.0\r\n" H H "\r\n", 400, "several Host" },
    { "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "Host is not" },
    { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host is not" },
    { "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400, "Host is not" },
    { "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "Host is not" },
    { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host is not" },
    { "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 400, "Host is not" },
    { "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", 400, "Host is not" },
    { "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", 400, "Host is not" },
    { "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "Host is not" },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
      "both" },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400,
      "both" },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400,
      "several Content" },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400,
      "several Content" },
    { "POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n", 400, "not a number" },
    { "POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\n", 400, "not a number" },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n", 400, "not a number" },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n", 400, "not a number" },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 5 5\r\n\r\n", 400, "not a number" },
    { "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400, "not a number" },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551616\r\n\r\n", 400, "not a number" },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 9223372036854775808\r\n\r\n", 400, "not a number" },
    { "POST / HTTP/1.1\r\n" H "Content_Length : 5\r\n\r\n", 400, "blank stands before" },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n", 501, "other than" },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "other than" },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 501, "other than" },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 501, "other than" },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n", 501, "other than" },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;q=1\r\n\r\n", 501, "other than" },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", 501, "other than" },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
      "chunked\r\n\r\n",
      400, "control" },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      400, "several Transfer" },
    { "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400,
      "several Transfer" },
    { "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400, "in HTTP/1.0" },
    { "GET / HTTP/1.1\r\n" H "Connection: close, Host\r\n\r\n", 400, "end-to-end" },
    { "GET / HTTP/1.1\r\n" H "Authorization: x\r\nConnection: authorization\r\n\r\n", 400,
      "end-to-end" },
    { "GET / HTTP/1.1\r\n" H "Connection: a b\r\n\r\n", 400, "Connection is not" },
    { "GET / HTTP/1.1\r\n" H "Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n\r\n", 400,
      "Connection is not" },
    { "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: 200-ok\r\n\r\n", 417, "expectation" },
};

static const struct bad bad_responses[] = {
    { "HTTP/1.1 200 OK\n\r\n", 400, "without CR" },
    { "http/1.1 200 OK\r\n\r\n", 502, "not an HTTP" },
    { "HTTP/2.0 200 OK\r\n\r\n", 502, "status line" },
    { "HTTP/1.1 20 OK\r\n\r\n", 502, "status line" },
    { "HTTP/1.1 2000 OK\r\n\r\n", 502, "status line" },
    { "HTTP/1.1 099 OK\r\n\r\n", 502, "status line" },
    { "HTTP/1.1 600 OK\r\n\r\n", 502, "status line" },
    { "HTTP/1.1  200 OK\r\n\r\n", 502, "status line" },
    { "HTTP/1.1 200 O\x01K\r\n\r\n", 502, "status line" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400, "several Content" },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "both" },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "other than" },
    { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "in HTTP/1.0" },
    { "HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 502, "without body" },
    { "HTTP/1.1 100 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 502, "without body" },
    { "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", 400, "folded" },
};

/* A copy of exactly this size, so that a sanitizer sees a byte too far. */
static enum http_parsed
parse(struct slice bytes, bool response, struct http_head *head, struct http_refusal *why)
{
    char *exact = malloc(bytes.size + (bytes.size == 0));
    enum http_parsed parsed;

    memcpy(exact, bytes.at, bytes.size);
    bytes.at = exact;
    parsed = response ? http_response_parse(bytes, HTTP_METHOD_GET, head, why)
                      : http_request_parse(bytes, head, why);
    free(exact);
    head->bytes = NULL;
    return parsed;
}

static void
check_bad(const struct bad *rows, size_t count, bool response)
{
    static struct http_head head;

    for (size_t i = 0; i < count; i++) {
        struct http_refusal why = { 0 };
        enum http_parsed parsed = parse(slice_text(rows[i].bytes), response, &head, &why);

        if (parsed != HTTP_MALFORMED || why.status != rows[i].status ||
            strstr(why.reason, rows[i].reason) == NULL)
            fail_msg("row %zu: %s: %d %u %s", i, rows[i].bytes, (int)parsed, (unsigned)why.status,
                     why.reason == NULL ? "" : why.reason);
    }
}

static void
refuses_bad_requests(void **state)
{
    check_bad(bad_requests, sizeof bad_requests / sizeof *bad_requests, false);
}

static void
refuses_bad_responses(void **state)
{
    check_bad(bad_responses, sizeof bad_responses / sizeof *bad_responses, true);
}

static void
refuses_nul(void **state)
{
    static struct http_head head;
    static const char in_value[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    static const char in_name[] = "GET / HTTP/1.1\r\nHost: a\r\nX\0: ab\r\n\r\n";
    static const char in_target[] = "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n";
    struct http_refusal why;

    assert_int_equal(parse(slice_of(in_value, sizeof in_value - 1), false, &head, &why),
                     HTTP_MALFORMED);
    assert_int_equal(parse(slice_of(in_name, sizeof in_name - 1), false, &head, &why),
                     HTTP_MALFORMED);
    assert_int_equal(parse(slice_of(in_target, sizeof in_target - 1), false, &head, &why),
                     HTTP_MALFORMED);
}

static void
reads_a_request(void **state)
{
    static const char text[] =
        "\r\nPOST /v1/orders?x=1 HTTP/1.1\r\nhOST: gw.example:7880\r\nAuthorization:Bearer x\r\n"
        "X-Thing: \t a b\t \r\nX_Writ_Subject: root\r\nx.writ-token-id: 1\r\nFoo.Bar: 1\r\n"
        "Drop-Me: 1\r\nConnection: keep-alive, drop-me\r\nEmpty:\r\nUtf: \xc3\xa4\r\n"
        "Content-Length: 12\r\nExpect: 100-Continue\r\nAccept: a\r\nAccept: b\r\n\r\nbody";
    static struct http_head head;
    struct http_refusal why;
    const struct http_field *field;

    assert_int_equal(http_request_parse(slice_text(text), &head, &why), HTTP_PARSED);
    assert_int_equal(head.size, sizeof text - 1 - 4);
    assert_int_equal(head.method, HTTP_METHOD_POST);
    assert_true(slice_is(http_head_method(&head), "POST"));
    assert_true(slice_is(http_head_path(&head), "/v1/orders"));
    assert_true(slice_is(http_head_query(&head), "x=1"));
    assert_true(slice_is(http_span_slice(&head, head.target), "/v1/orders?x=1"));
    assert_true(http_head_has_query(&head));
    assert_true(slice_is(http_head_host(&head), "gw.example:7880"));
    assert_true(slice_is(http_head_value(&head, HTTP_FIELD_AUTHORIZATION), "Bearer x"));
    assert_true(slice_is(http_head_value_named(&head, SLICE_LITERAL("x-thing")), "a b"));
    assert_true(slice_is(http_head_value_named(&head, SLICE_LITERAL("empty")), ""));
    assert_int_equal(http_head_field_count(&head, HTTP_FIELD_X_WRIT), 2);
    assert_int_equal(http_head_field_count(&head, HTTP_FIELD_ACCEPT), 2);
    assert_int_equal(http_head_field_count(&head, HTTP_FIELD_COOKIE), 0);
    assert_int_equal(head.body, HTTP_BODY_LENGTH);
    assert_int_equal(head.length, 12);
    assert_true(head.keep_alive);
    assert_true(head.expect_continue);
    assert_false(head.upgrade);
    assert_int_equal(head.fields[3].flags, HTTP_FIELD_ODD);
    assert_int_equal(head.fields[4].flags, HTTP_FIELD_ODD);
    assert_int_equal(head.fields[5].flags, HTTP_FIELD_ODD);
    assert_int_equal(head.fields[6].flags, HTTP_FIELD_HOP);
    field = http_head_field(&head, HTTP_FIELD_CONNECTION);
    assert_int_equal(field->flags, HTTP_FIELD_HOP);
}

static void
reads_targets_and_versions(void **state)
{
    static struct http_head head;
    struct http_refusal why;
    struct {
        const char *text, *path;
        bool keep_alive, upgrade;
    } rows[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "/", true, false },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "/", false, false },
        { "GET / HTTP/1.0\r\n\r\n", "/", false, false },
        { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "/", true, false },
        { "GET http://A:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "/", true, false },
        { "GET https://a?q HTTP/1.1\r\nHost: a\r\n\r\n", "/", true, false },
        { "GET HTTP://a/b?q HTTP/1.1\r\nHost: a\r\n\r\n", "/b", true, false },
        { "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "*", true, false },
        { "PROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n", "/x", true, false },
        { "GET /w HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "/w",
          true, true },
        { "GET /w HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "/w", true, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (http_request_parse(slice_text(rows[i].text), &head, &why) != HTTP_PARSED)
            fail_msg("%s: %s", rows[i].text, why.reason);
        assert_true(slice_is(http_head_path(&head), rows[i].path));
        assert_int_equal(head.keep_alive, rows[i].keep_alive);
        assert_int_equal(head.upgrade, rows[i].upgrade);
        assert_int_equal(head.body, HTTP_BODY_NONE);
    }
}

static void
knows_every_field_id(void **state)
{
    static struct http_head head;
    struct http_refusal why;
    char line[128];

    for (int id = 1; id < HTTP_FIELD_IDS; id++) {
        struct slice name = http_field_id_name(id);

        snprintf(line, sizeof line, "%.*s: 1\r\n%.*sx: 1\r\n\r\n", SLICE_PRINT(name),
                 SLICE_PRINT(name));
        assert_int_equal(http_fields_parse(slice_text(line), &head, &why), HTTP_PARSED);
        assert_int_equal(head.fields[0].id, id);
        if (name.at[name.size - 1] != '-')
            assert_int_equal(head.fields[1].id, HTTP_FIELD_OTHER);
    }
}

static void
every_prefix_needs_more(void **state)
{
    static const char text[] = "PUT /a?b HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\n"
                               "Content-Length: 3\r\n\r\n";
    static struct http_head head;
    struct http_refusal why;

    for (size_t size = 0; size < sizeof text - 1; size++)
        assert_int_equal(parse(slice_of(text, size), false, &head, &why), HTTP_NEED_MORE);
    assert_int_equal(parse(slice_of(text, sizeof text - 1), false, &head, &why), HTTP_PARSED);
}

static void
keeps_its_limits(void **state)
{
    static struct http_head head;
    static char text[HTTP_HEAD_MAX + 4096];
    struct http_refusal why;
    size_t size;

    /* the target, complete and still open */
    size = (size_t)snprintf(text, sizeof text, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n",
                            HTTP_TARGET_MAX - 1, 0);
    assert_int_equal(http_request_parse(slice_of(text, size), &head, &why), HTTP_PARSED);
    size = (size_t)snprintf(text, sizeof text, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n",
                            HTTP_TARGET_MAX, 0);
    assert_int_equal(http_request_parse(slice_of(text, size), &head, &why), HTTP_MALFORMED);
    assert_int_equal(why.status, 414);
    size = (size_t)snprintf(text, sizeof text, "GET /%0*d", HTTP_TARGET_MAX + 100, 0);
    assert_int_equal(http_request_parse(slice_of(text, size), &head, &why), HTTP_MALFORMED);
    assert_int_equal(why.status, 414);
    /* the head, complete and still open */
    size = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n",
                            HTTP_HEAD_MAX, 0);
    assert_int_equal(http_request_parse(slice_of(text, size), &head, &why), HTTP_MALFORMED);
    assert_int_equal(why.status, 431);
    assert_int_equal(http_request_parse(slice_of(text, HTTP_HEAD_MAX), &head, &why),
                     HTTP_NEED_MORE);
    assert_int_equal(http_request_parse(slice_of(text, HTTP_HEAD_MAX + 1), &head, &why),
                     HTTP_MALFORMED);
    assert_int_equal(why.status, 431);
    /* the number of fields */
    for (unsigned fields = HTTP_FIELDS_MAX; fields <= HTTP_FIELDS_MAX + 1; fields++) {
        size = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (unsigned i = 1; i < fields; i++)
            size += (size_t)snprintf(text + size, sizeof text - size, "X: 1\r\n");
        size += (size_t)snprintf(text + size, sizeof text - size, "\r\n");
        assert_int_equal(http_request_parse(slice_of(text, size), &head, &why),
                         fields == HTTP_FIELDS_MAX ? HTTP_PARSED : HTTP_MALFORMED);
    }
    assert_int_equal(why.status, 431);
}

static void
frames_responses(void **state)
{
    static struct http_head head;
    struct http_refusal why;
    struct {
        const char *text;
        enum http_method asked;
        enum http_body body;
        bool keep_alive;
    } rows[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_GET, HTTP_BODY_LENGTH, true },
        { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HTTP_METHOD_GET, HTTP_BODY_NONE, true },
        { "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_HEAD, HTTP_BODY_NONE, true },
        { "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_METHOD_GET, HTTP_BODY_CHUNKED,
          true },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_METHOD_HEAD, HTTP_BODY_NONE,
          true },
        { "HTTP/1.1 200 OK\r\n\r\n", HTTP_METHOD_GET, HTTP_BODY_CLOSE, false },
        { "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_GET, HTTP_BODY_LENGTH,
          false },
        { "HTTP/1.1 204 No\r\n\r\n", HTTP_METHOD_GET, HTTP_BODY_NONE, true },
        { "HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", HTTP_METHOD_GET, HTTP_BODY_NONE, true },
        { "HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", HTTP_METHOD_GET,
          HTTP_BODY_NONE, true },
        { "HTTP/1.1 500 \xc3\xa4\r\nContent-Length: 1\r\nConnection: close\r\n\r\n",
          HTTP_METHOD_GET, HTTP_BODY_LENGTH, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (http_response_parse(slice_text(rows[i].text), rows[i].asked, &head, &why) !=
            HTTP_PARSED)
            fail_msg("%s: %s", rows[i].text, why.reason);
        assert_int_equal(head.body, rows[i].body);
        assert_int_equal(head.keep_alive, rows[i].keep_alive);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_requests),
        cmocka_unit_test(refuses_bad_responses),
        cmocka_unit_test(refuses_nul),
        cmocka_unit_test(reads_a_request),
        cmocka_unit_test(reads_targets_and_versions),
        cmocka_unit_test(knows_every_field_id),
        cmocka_unit_test(every_prefix_needs_more),
        cmocka_unit_test(keeps_its_limits),
        cmocka_unit_test(frames_responses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
