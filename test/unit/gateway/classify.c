/* From heads to triples and credentials: what is clear, what is refused, and where
 * a token may stand. */
#include "http/classify.h"
#include "../world/fixture.h"
#include "http/headers.h"

struct scene {
    struct fixture world;
    struct own own;
    struct routes *routes;
    struct arena arena;
    char token[TOKEN_TEXT_SIZE + 1];
};

static struct scene
scene_new(void)
{
    struct scene scene = { .world = fixture_new() };

    apply(&scene.world, issued(1));
    text_of(&scene.world, 1, scene.token);
    apply(&scene.world, object(CHANGE_UPSTREAM_PUT, "orders",
                               "{\"type\":\"http\",\"url\":\"http://127.0.0.1:9000\"}"));
    apply(&scene.world, object(CHANGE_UPSTREAM_PUT, "keyed",
                               "{\"type\":\"http\",\"url\":\"http://127.0.0.1:9001/api/\","
                               "\"api_key\":true,\"path_params\":\"allow\"}"));
    apply(&scene.world, object(CHANGE_UPSTREAM_PUT, "shop",
                               "{\"type\":\"http\",\"url\":\"http://127.0.0.1:9002\","
                               "\"host\":\"Shop.Example\"}"));
    assert_int_equal(routes_new(&scene.own, NULL, &scene.routes), STATUS_OK);
    world_quiescent(scene.world.reader);
    routes_follow(scene.routes, scene.world.reader);
    arena_init(&scene.arena, 1 << 16);
    return scene;
}

static void
scene_free(struct scene *scene)
{
    routes_free(scene->routes);
    arena_free(&scene->arena);
    fixture_free(&scene->world);
}

/* "$" in the text is a token. */
static struct slice
with_token(struct scene *scene, const char *text)
{
    struct buffer out = { 0 };

    for (; *text != '\0'; text++) {
        if (*text == '$')
            put_text(&out, scene->token);
        else
            put_u8(&out, (uint8_t)*text);
    }
    struct slice copy = arena_copy(&scene->arena, buffer_slice(&out));
    buffer_free(&out);
    return copy;
}

static void
parse(struct scene *scene, const char *text, struct http_head *head)
{
    struct http_refusal why;

    enum http_parsed parsed = http_request_parse(with_token(scene, text), head, &why);
    if (parsed != HTTP_PARSED)
        fail_msg("%s is no head: %s", text, parsed == HTTP_MALFORMED ? why.reason : "more");
}

struct row {
    const char *head;
    enum gate_refusal fault;
    const char *resource, *action, *object;
};

static void
triples(void **state)
{
    static const struct row rows[] = {
        { "GET /orders/v1/orders/42?a=b HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_NOTHING, "orders",
          "GET", "/v1/orders/42" },
        { "DELETE /orders/a/%2e%2e/b/ HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_NOTHING, "orders",
          "DELETE", "/b" },
        { "GET /orders HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_NOTHING, "orders", "GET", "/" },
        { "GET /orders/ HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_NOTHING, "orders", "GET", "/" },
        { "PROPFIND /orders/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_NOTHING, "orders", "PROPFIND",
          "/x" },
        { "GET http://gw/orders/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_NOTHING, "orders", "GET",
          "/x" },
        { "GET /orders/x HTTP/1.1\r\nHost: shop.example\r\n\r\n", GATE_NOTHING, "shop", "GET",
          "/orders/x" },
        { "GET /x HTTP/1.1\r\nHost: SHOP.example:7880\r\n\r\n", GATE_NOTHING, "shop", "GET", "/x" },
        /* A parameter does not slip past a deny of what it belongs to. */
        { "GET /keyed/a;b=c HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_NOTHING, "keyed", "GET", "/a" },
        /* An unknown name is a clear request for nothing; odd names are not repeated. */
        { "GET /nowhere/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_NOTHING, "nowhere", "GET", "/x" },
        { "GET /Orders/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_NOTHING, "-", "GET", "/x" },
        { "GET /%6frders/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_NOTHING, "-", "GET", "/x" },

        { "GET /orders/a%2fb HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_MALFORMED, "orders", "GET", "-" },
        { "GET /orders/../keyed/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_MALFORMED, "orders", "GET",
          "-" },
        { "GET /orders//x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_MALFORMED, "orders", "GET", "-" },
        { "GET /orders/a;b HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_MALFORMED, "orders", "GET", "-" },
        { "OPTIONS * HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_MALFORMED, "-", "OPTIONS", "-" },
        { "TRACE /orders/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_METHOD, "orders", "TRACE", "/x" },
        { "G*T /orders/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_MALFORMED, "orders", "-", "/x" },
        { "GET|PUT /orders/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_MALFORMED, "orders", "-", "/x" },
        /* Raised to capitals behind, it would slip past a deny of DELETE. */
        { "delete /orders/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_MALFORMED, "orders", "delete",
          "/x" },
        { "Get /orders/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_MALFORMED, "orders", "Get", "/x" },
        { "POST /orders/x HTTP/1.1\r\nHost: gw\r\nX-HTTP-Method-Override: DELETE\r\n\r\n",
          GATE_MALFORMED, "orders", "POST", "/x" },
        { "POST /orders/x HTTP/1.1\r\nHost: gw\r\nx-method-override: DELETE\r\n\r\n",
          GATE_MALFORMED, "orders", "POST", "/x" },
        { "GET /orders/x HTTP/1.1\r\nHost: gw\r\nX-Rewrite-URL: /y\r\n\r\n", GATE_MALFORMED,
          "orders", "GET", "/x" },

        { "GET /orders/x HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer $\r\n\r\n", GATE_NOTHING,
          "orders", "GET", "/x" },
        { "GET /orders/x HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer $\r\nAuthorization: Bearer "
          "$\r\n\r\n",
          GATE_MALFORMED, "orders", "GET", "-" },
        { "GET /keyed/x HTTP/1.1\r\nHost: gw\r\nX-Api-Key: $\r\n\r\n", GATE_NOTHING, "keyed", "GET",
          "/x" },
        { "GET /keyed/x HTTP/1.1\r\nHost: gw\r\nX-Api-Key: a\r\nAuthorization: Bearer $\r\n\r\n",
          GATE_MALFORMED, "keyed", "GET", "-" },

        /* A token where none belongs: neither it nor its neighbourhood is repeated. */
        { "GET /orders/x HTTP/1.1\r\nHost: gw\r\nX-Api-Key: $\r\n\r\n", GATE_MISPLACED, "orders",
          "GET", "-" },
        { "GET /orders/x?access_token=$ HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_MISPLACED, "orders",
          "GET", "-" },
        { "GET /orders/$/x HTTP/1.1\r\nHost: gw\r\n\r\n", GATE_MISPLACED, "orders", "GET", "-" },
        { "GET /orders/x HTTP/1.1\r\nHost: gw\r\nCookie: a=$; b=c\r\n\r\n", GATE_MISPLACED,
          "orders", "GET", "-" },
        { "GET /orders/x HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer $\r\nReferer: http://gw/?t="
          "$\r\n\r\n",
          GATE_MISPLACED, "orders", "GET", "-" },
        { "GET /orders/x HTTP/1.1\r\nHost: gw\r\nAuthorization: Basic $\r\n\r\n", GATE_MISPLACED,
          "orders", "GET", "-" },
    };
    struct scene scene = scene_new();

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct asked asked = { 0 };
        struct http_target_read target = { 0 };
        struct http_head head;

        arena_reset(&scene.arena);
        parse(&scene, row->head, &head);
        classify(scene.routes, &head, &scene.arena, &asked, &target);
        if (asked.fault.kind != row->fault || !slice_is(asked.request.resource, row->resource) ||
            !slice_is(asked.request.action, row->action) ||
            !slice_is(asked.request.object, row->object))
            fail_msg("%s is %s: %.*s:%.*s:%.*s", row->head, refusal_name(asked.fault.kind),
                     SLICE_PRINT(asked.request.resource), SLICE_PRINT(asked.request.action),
                     SLICE_PRINT(asked.request.object));
        assert_true(asked.fault.kind == GATE_NOTHING || asked.fault.reason.size > 0);
    }
    scene_free(&scene);
}

/* The token may stand percent-encoded in a path; what is decided is decoded. */
static void
an_encoded_token_is_seen(void **state)
{
    struct scene scene = scene_new();
    static const char *const before[] = { "/orders/%77", "/orders/x?a=%&t=%77" };

    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        struct asked asked = { 0 };
        struct http_target_read target = { 0 };
        struct http_head head;
        char text[256];

        snprintf(text, sizeof text, "GET %s%s HTTP/1.1\r\nHost: gw\r\n\r\n", before[i],
                 scene.token + 1);
        parse(&scene, text, &head);
        classify(scene.routes, &head, &scene.arena, &asked, &target);
        assert_int_equal(asked.fault.kind, GATE_MISPLACED);
    }
    scene_free(&scene);
}

static void
schemes(void **state)
{
    static const struct {
        const char *value;
        enum token_scheme scheme;
        const char *token;
    } rows[] = {
        { "Bearer abc", SCHEME_BEARER, "abc" }, { "bEARER   abc", SCHEME_BEARER, "abc" },
        { "dpop abc", SCHEME_DPOP, "abc" },     { "Basic abc", SCHEME_NONE, "" },
        { "Bearer", SCHEME_BEARER, "" },        { "abc", SCHEME_NONE, "" },
        { "Bearer a b", SCHEME_BEARER, "a b" },
    };
    struct scene scene = scene_new();

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct asked asked = { 0 };
        struct http_head head;
        char text[128];

        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: gw\r\nAuthorization: %s\r\n\r\n",
                 rows[i].value);
        parse(&scene, text, &head);
        credential_find(&head, false, &asked);
        assert_int_equal(asked.scheme, rows[i].scheme);
        assert_true(slice_is(asked.token, rows[i].token));
    }
    scene_free(&scene);
}

static void
a_near_token_is_no_token(void **state)
{
    struct scene scene = scene_new();
    struct slice none = { 0 };

    assert_true(token_text_stands_in(with_token(&scene, "x=$"), none));
    assert_true(token_text_stands_in(with_token(&scene, "$$"), none));
    assert_true(token_text_stands_in(with_token(&scene, "_writ_$_"), none));
    assert_false(
        token_text_stands_in(slice_first(slice_text(scene.token), TOKEN_TEXT_SIZE - 1), none));
    assert_false(token_text_stands_in(SLICE_LITERAL("writ_ writa_ _ writ_x"), none));
    scene.token[20] ^= 1;
    assert_false(token_text_stands_in(slice_text(scene.token), none));
    scene_free(&scene);
}

static void
routes_follow_changes(void **state)
{
    struct scene scene = scene_new();
    struct upstream *orders = routes_by_name(scene.routes, DOOR_HTTP, SLICE_LITERAL("orders"));
    struct upstream *shop = routes_by_name(scene.routes, DOOR_HTTP, SLICE_LITERAL("shop"));

    assert_non_null(orders);
    assert_ptr_equal(routes_by_host(scene.routes, SLICE_LITERAL("shop.example")), shop);
    assert_null(routes_by_name(scene.routes, DOOR_HTTP, SLICE_LITERAL("order")));
    assert_null(routes_by_name(scene.routes, DOOR_HTTP, SLICE_LITERAL("")));
    upstream_use(orders);
    apply(&scene.world, object(CHANGE_UPSTREAM_PUT, "orders",
                               "{\"type\":\"http\",\"url\":\"http://127.0.0.1:9009\"}"));
    apply(&scene.world, object(CHANGE_UPSTREAM_DROPPED, "keyed", NULL));
    world_quiescent(scene.world.reader);
    routes_follow(scene.routes, scene.world.reader);
    struct upstream *changed = routes_by_name(scene.routes, DOOR_HTTP, SLICE_LITERAL("orders"));
    assert_ptr_not_equal(changed, orders);
    assert_string_equal(changed->plan.addresses[0], "127.0.0.1:9009");
    assert_ptr_equal(routes_by_name(scene.routes, DOOR_HTTP, SLICE_LITERAL("shop")), shop);
    assert_null(routes_by_name(scene.routes, DOOR_HTTP, SLICE_LITERAL("keyed")));
    for (int i = 0; i < 100; i++)
        routes_sweep(scene.routes);
    assert_string_equal(orders->plan.addresses[0], "127.0.0.1:9000"); /* still in use */
    upstream_release(orders);
    scene_free(&scene);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(triples),
        cmocka_unit_test(an_encoded_token_is_seen),
        cmocka_unit_test(schemes),
        cmocka_unit_test(a_near_token_is_no_token),
        cmocka_unit_test(routes_follow_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
