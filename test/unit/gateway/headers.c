/* Header hygiene in both directions, definitions of upstreams, and our own
 * addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/gateway.h"
#include "http/headers.h"

static struct upstream
upstream_of(const char *authority, const char *prefix)
{
    return (struct upstream){ .name = SLICE_LITERAL("orders"),
                              .authority = slice_text(authority),
                              .prefix = slice_text(prefix) };
}

static void
parse(const char *text, struct http_head *head)
{
    struct http_refusal why;

    assert_int_equal(http_request_parse(slice_text(text), head, &why), HTTP_PARSED);
}

static bool
holds(const struct buffer *out, const char *text)
{
    return memmem(out->bytes, out->size, text, strlen(text)) != NULL;
}

static const char *const hostile =
    "GET /orders/x HTTP/1.1\r\nHost: gw:7880\r\nAuthorization: Bearer abc\r\n"
    "X-Writ-Subject: root\r\nX_Writ_Subject: root\r\nx-writ-token-id: 1\r\n"
    "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Prefix: /evil\r\n"
    "Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nClient-Cert: :abc:\r\n"
    "traceparent: 00-evil\r\nDPoP: proof\r\nConnection: X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\n"
    "Proxy-Authorization: Basic x\r\nKeep-Alive: 1\r\nX-Original-URI: /y\r\nX-Api-Key: own\r\n"
    "Accept: */*\r\nCookie: a=b\r\n\r\n";

static struct request_fields
fields_of(const struct http_head *head, const struct upstream *upstream,
          const struct client_view *client)
{
    return (struct request_fields){
        .head = head,
        .upstream = upstream,
        .client = client,
        .peer = { IP_V4, { 10, 0, 0, 7 } },
        .subject = SLICE_LITERAL("nightly"),
        .token_id = SLICE_LITERAL("0123"),
        .trace = { 1, UINT64_C(0x0123456789abcdef), UINT64_C(0xf0a9e8d7c6b5f493) },
    };
}

static void
a_client_makes_nothing_up(void **state)
{
    static const char *const gone[] = {
        "Bearer",         "root", "X_Writ",      "x-writ-token-id: 1",
        "6.6.6.6",        "evil", "Client-Cert", "proof",
        "X-Hop",          "TE:",  "Proxy-Auth",  "Keep-Al",
        "X-Original-URI",
    };
    static const char *const there[] = {
        "Host: 127.0.0.1:9000\r\n",
        "Accept: */*\r\n",
        "Cookie: a=b\r\n",
        "X-Api-Key: own\r\n",
        "X-Writ-Subject: nightly\r\n",
        "X-Writ-Token-Id: 0123\r\n",
        "Via: 1.1 writ\r\n",
        "X-Forwarded-For: 10.0.0.7\r\n",
        "X-Forwarded-Host: gw:7880\r\n",
        "X-Forwarded-Proto: http\r\n",
        "traceparent: 00-00000000000000010123456789abcdef-f0a9e8d7c6b5f493-01\r\n",
    };
    struct upstream upstream = upstream_of("127.0.0.1:9000", "");
    struct client_view client = { 0 };
    struct http_head head;
    struct buffer out = { 0 };

    parse(hostile, &head);
    struct request_fields fields = fields_of(&head, &upstream, &client);
    headers_to_upstream(&out, &fields);
    assert_int_equal(buffer_status(&out), STATUS_OK);
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        if (holds(&out, gone[i]))
            fail_msg("%s passed", gone[i]);
    }
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++) {
        if (!holds(&out, there[i]))
            fail_msg("%s is missing", there[i]);
    }
    buffer_free(&out);
}

static void
a_trusted_proxy_is_believed(void **state)
{
    struct upstream upstream = upstream_of("127.0.0.1:9000", "");
    struct client_view client = { .trusted = true };
    struct http_head head;
    struct buffer out = { 0 };

    parse(hostile, &head);
    upstream.plan.api_key = true;
    struct request_fields fields = fields_of(&head, &upstream, &client);
    headers_to_upstream(&out, &fields);
    assert_true(holds(&out, "X-Forwarded-For: 6.6.6.6, 10.0.0.7\r\n"));
    assert_true(holds(&out, "X-Forwarded-Host: evil\r\n"));
    assert_false(holds(&out, "X-Forwarded-Host: gw"));
    assert_false(holds(&out, "root"));
    assert_false(holds(&out, "X-Api-Key"));
    buffer_free(&out);
}

static void
locations(void **state)
{
    static const struct {
        const char *prefix;
        bool by_host;
        const char *from, *to;
    } rows[] = {
        { "", false, "/v1/x?a=b", "/orders/v1/x?a=b" },
        { "", false, "http://up:9000/v1/x#f", "/orders/v1/x#f" },
        { "", false, "http://UP:9000", "/orders/" },
        { "", false, "//up:9000/x", "/orders/x" },
        { "", false, "http://elsewhere/x", "http://elsewhere/x" },
        { "", false, "x/y", "x/y" },
        { "", false, "../x", "../x" },
        { "", false, "urn:a:b", "urn:a:b" },
        { "/api", false, "/api/v1", "/orders/v1" },
        { "/api", false, "/api", "/orders/" },
        { "/api", false, "/api?x", "/orders/?x" },
        { "/api", false, "/apix", "/apix" },
        { "/api", false, "/login", "/login" },
        { "", true, "/v1", "/v1" },
        { "", true, "http://up:9000/v1", "/v1" },
        /* What is left of it would be another host. */
        { "", true, "http://up:9000//evil/x", "http://up:9000//evil/x" },
        { "/api", true, "/api//evil/x", "/api//evil/x" },
        { "", false, "http://up:9000//evil/x", "/orders//evil/x" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upstream upstream = upstream_of("up:9000", rows[i].prefix);
        struct answer_fields fields = { .upstream = &upstream, .by_host = rows[i].by_host };
        struct buffer out = { 0 };

        put_location(&out, slice_text(rows[i].from), &fields);
        if (!slice_is(buffer_slice(&out), rows[i].to))
            fail_msg("%s became %.*s", rows[i].from, SLICE_PRINT(buffer_slice(&out)));
        buffer_free(&out);
    }
}

static void
cookies(void **state)
{
    static const struct {
        const char *prefix;
        bool by_host;
        const char *from, *to;
    } rows[] = {
        { "", false, "a=b; Path=/; HttpOnly", "a=b; Path=/orders; HttpOnly" },
        { "", false, "a=b; path=/v1", "a=b; Path=/orders/v1" },
        { "", false, "a=b;Path=/v1;Secure", "a=b; Path=/orders/v1;Secure" },
        { "", false, "a=b; Path = /v1 ; Secure", "a=b; Path=/orders/v1; Secure" },
        { "", false, "a=b", "a=b" },
        { "", false, "path=/x; a", "path=/x; a" },
        { "/api", false, "a=b; Path=/api/v1", "a=b; Path=/orders/v1" },
        { "/api", false, "a=b; Path=/", "a=b; Path=/orders" },
        { "", true, "a=b; Path=/v1", "a=b; Path=/v1" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upstream upstream = upstream_of("up:9000", rows[i].prefix);
        struct answer_fields fields = { .upstream = &upstream, .by_host = rows[i].by_host };
        struct buffer out = { 0 };

        put_cookie(&out, slice_text(rows[i].from), &fields);
        if (!slice_is(buffer_slice(&out), rows[i].to))
            fail_msg("%s became %.*s", rows[i].from, SLICE_PRINT(buffer_slice(&out)));
        buffer_free(&out);
    }
}

static void
answers(void **state)
{
    const char *text = "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Writ-Subject: x\r\n"
                       "Content-Length: 2\r\nServer: up\r\nLocation: /x\r\nKeep-Alive: 3\r\n\r\n";
    struct upstream upstream = upstream_of("up:9000", "");
    struct http_head head;
    struct http_refusal why;
    struct buffer out = { 0 };

    assert_int_equal(http_response_parse(slice_text(text), HTTP_METHOD_GET, &head, &why),
                     HTTP_PARSED);
    struct answer_fields fields = { .head = &head, .upstream = &upstream };
    headers_to_client(&out, &fields);
    assert_true(
        slice_is(buffer_slice(&out), "Server: up\r\nLocation: /orders/x\r\nVia: 1.1 writ\r\n"));
    buffer_free(&out);
}

static void
upgrades(void **state)
{
    static const struct {
        const char *fields;
        bool passes;
    } rows[] = {
        { "Connection: Upgrade\r\nUpgrade: websocket\r\n", true },
        { "Connection: upgrade\r\nUpgrade: tcp\r\n", true },
        { "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n", false },
        { "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n", false },
        { "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n", false },
        { "Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n", false },
        { "Upgrade: websocket\r\n", false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_head head;
        char text[256];

        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: gw\r\n%s\r\n", rows[i].fields);
        parse(text, &head);
        if (upgrade_passes(&head) != rows[i].passes)
            fail_msg("%s", rows[i].fields);
    }
}

static void
definitions(void **state)
{
    static const struct {
        const char *text, *fault;
    } rows[] = {
        { "{\"type\":\"http\",\"url\":\"http://127.0.0.1:9000\"}", NULL },
        { "{\"type\":\"http\",\"url\":\"http://[::1]:9000/a/b\"}", NULL },
        { "{\"type\":\"http\",\"url\":\"unix:///run/x.sock\"}", NULL },
        { "{\"type\":\"http\",\"url\":\"https://a.example\",\"tls\":{\"ca\":\"x.pem\"},"
          "\"timeouts\":{\"connect\":\"1s\",\"header\":\"5s\",\"idle\":\"1m\"},"
          "\"addresses\":[\"10.0.0.1:443\",\"unix:/x\"],\"host\":\"a.example\",\"api_key\":true}",
          NULL },
        { "{\"type\":\"redis\",\"address\":\"127.0.0.1:6379\"}", NULL },
        { "{\"type\":\"docker\",\"url\":\"unix:///run/docker.sock\"}", NULL },
        { "{\"type\":\"http\",\"url\":\"http://a\",\"login\":{\"bearer_file\":\"f\"}}", NULL },
        { "{\"type\":\"mcp\",\"url\":\"http://a/mcp\","
          "\"login\":{\"user\":\"u\",\"password_file\":\"f\"}}",
          NULL },
        { "{\"type\":\"http\",\"url\":\"http://a\",\"login\":{}}", "/login" },
        { "{\"type\":\"http\",\"url\":\"http://a\",\"login\":{\"user\":\"u\"}}", "/login" },
        { "{\"type\":\"http\",\"url\":\"http://a\","
          "\"login\":{\"user\":\"u\",\"password_file\":\"f\",\"bearer_file\":\"f\"}}",
          "/login" },
        { "{\"type\":\"docker\"}", "/url" },
        { "{\"type\":\"http\"}", "/url" },
        { "{\"type\":\"http\",\"url\":\"ftp://a\"}", "/url" },
        { "{\"type\":\"http\",\"url\":\"http://u:p@a\"}", "/url" },
        { "{\"type\":\"http\",\"url\":\"http://a/x?y\"}", "/url" },
        { "{\"type\":\"http\",\"url\":\"http://a/../b\"}", "/url" },
        { "{\"type\":\"http\",\"url\":\"http://a/b//c\"}", "/url" },
        { "{\"type\":\"http\",\"url\":\"http://a b/\"}", "/url" },
        { "{\"type\":\"http\",\"url\":\"http://a:0/\"}", "/url" },
        { "{\"type\":\"http\",\"url\":\"http://\"}", "/url" },
        { "{\"type\":\"http\",\"url\":\"http://[::1/\"}", "/url" },
        { "{\"type\":\"http\",\"url\":\"http://a\",\"tls\":{}}", "/tls" },
        { "{\"type\":\"http\",\"url\":\"http://a\",\"timeouts\":{\"idle\":\"x\"}}",
          "/timeouts/idle" },
        { "{\"type\":\"http\",\"url\":\"http://a\",\"addresses\":[]}", "/addresses" },
        { "{\"type\":\"http\",\"url\":\"http://a\",\"addresses\":[\"b\"]}", "/addresses/0" },
        { "{\"type\":\"http\",\"url\":\"http://a\",\"path_params\":\"x\"}", "/path_params" },
        { "{\"type\":\"http\",\"url\":\"http://a\",\"hosts\":\"x\"}", "/hosts" },
        { "{\"type\":\"http\",\"url\":\"http://a\",\"host\":\"x y\"}", "/host" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fault fault = { 0 };
        json_t *definition;

        assert_int_equal(json_read(slice_text(rows[i].text), &definition, &fault), STATUS_OK);
        enum status status = gateway_check_upstream(definition, &fault);
        if ((status == STATUS_OK) != (rows[i].fault == NULL))
            fail_msg("%s: %s", rows[i].text, status == STATUS_OK ? "accepted" : fault.text);
        if (rows[i].fault != NULL && strcmp(fault.pointer, rows[i].fault) != 0)
            fail_msg("%s: at %s", rows[i].text, fault.pointer);
        json_decref(definition);
    }
}

static bool
ours(const struct own *own, const char *text, uint16_t port)
{
    struct ip ip;

    assert_int_equal(ip_parse(slice_text(text), &ip), STATUS_OK);
    return own_has(own, &ip, port);
}

static void
own_addresses(void **state)
{
    struct own own = { 0 };

    assert_int_equal(own_add(&own, SLICE_LITERAL("127.0.0.1:7800")), STATUS_OK);
    assert_int_equal(own_add(&own, SLICE_LITERAL("0.0.0.0:7880")), STATUS_OK);
    assert_int_equal(own_add(&own, SLICE_LITERAL("unix:/dev/null")), STATUS_OK);
    assert_true(ours(&own, "127.0.0.1", 7800));
    assert_true(ours(&own, "::ffff:127.0.0.1", 7800));
    assert_true(ours(&own, "0.0.0.0", 7800));
    assert_false(ours(&own, "127.0.0.2", 7800));
    assert_false(ours(&own, "127.0.0.1", 7801));
    assert_true(ours(&own, "127.0.0.9", 7880));
    assert_true(ours(&own, "::1", 7880));
    assert_false(ours(&own, "192.0.2.1", 7880));
    assert_true(own_has_socket(&own, "/dev/null"));
    assert_true(own_has_socket(&own, "/dev/../dev/null"));
    assert_false(own_has_socket(&own, "/dev/zero"));
    own_free(&own);
}

static void
clients_behind_proxies(void **state)
{
    static const struct {
        const char *fields;
        const char *client; /* NULL: refused */
    } rows[] = {
        { "", "10.0.0.1" },
        { "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7" },
        { "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n", "192.0.2.7" },
        { "X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.0.0.2\r\n", "192.0.2.7" },
        { "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3" },
        { "X-Forwarded-For: [2001:db8::1]:80\r\n", "2001:db8::1" },
        { "X-Forwarded-For: unknown\r\n", NULL },
        { "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n", NULL },
        { "Forwarded: for=192.0.2.9;proto=http, for=\"[2001:db8::2]\"\r\n", "2001:db8::2" },
        { "Forwarded: proto=http\r\n", NULL },
        { "Forwarded: for=1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n", NULL },
        { "Forwarded: for=1.1.1.1\r\nX-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1" },
    };
    struct cidr network;
    const struct trusted_proxies trusted = { &network, 1 };
    struct ip proxy = { IP_V4, { 10, 0, 0, 1 } }, stranger = { IP_V4, { 192, 0, 2, 1 } };

    assert_int_equal(cidr_parse(SLICE_LITERAL("10.0.0.0/8"), &network), STATUS_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client_view client;
        struct http_head head;
        char text[256], got[IP_TEXT_MAX];

        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: gw\r\n%s\r\n", rows[i].fields);
        parse(text, &head);
        if (client_find(&trusted, &head, &proxy, &client) != (rows[i].client != NULL))
            fail_msg("%s", rows[i].fields);
        if (rows[i].client != NULL)
            assert_string_equal(ip_format(&client.ip, got), rows[i].client);
        assert_true(client_find(&trusted, &head, &stranger, &client));
        assert_false(client.trusted);
        assert_true(ip_equal(&client.ip, &stranger));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_makes_nothing_up),
        cmocka_unit_test(a_trusted_proxy_is_believed),
        cmocka_unit_test(locations),
        cmocka_unit_test(cookies),
        cmocka_unit_test(answers),
        cmocka_unit_test(upgrades),
        cmocka_unit_test(definitions),
        cmocka_unit_test(own_addresses),
        cmocka_unit_test(clients_behind_proxies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
