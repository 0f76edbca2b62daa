/* authority/oauth_grants - client credentials, token exchange and refresh: what is given,
 * what is refused beside it, and what an attacker would try. */
#include "oauth_help.h"

#include <stdio.h>
#include <string.h>

#include "base/encoding.h"
#include "token/text.h"

#define EXCHANGE                                                                                   \
    "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token_type="               \
    "urn:ietf:params:oauth:token-type:access_token&subject_token=%s"
#define ACTOR "&actor_token_type=urn:ietf:params:oauth:token-type:access_token&actor_token=%s"

static const struct caller nightly = { .name = "nightly" };
static const struct caller copilot = { .name = "copilot" };

#define expect_refused(error_, part_, call_)                                                       \
    do {                                                                                           \
        assert_true((call_) >= 400);                                                               \
        refused(f, error_, part_);                                                                 \
    } while (0)

static json_int_t
number(const struct fixture *f, const char *member)
{
    return json_integer_value(json_object_get(f->body, member));
}

/* --- client credentials ------------------------------------------------------------ */

static void
for_itself(void **state)
{
    struct fixture *f = oauth_fixture();
    char token[TOKEN_TEXT_MAX + 1];

    expect(200, post(f, &nightly, oauth_token, "grant_type=client_credentials"));
    keep(f, "access_token", token);
    assert_string_equal(text(f, "token_type"), "Bearer");
    assert_string_equal(text(f, "scope"), "orders:GET:/v1/**");
    assert_int_equal(number(f, "expires_in"), 86400);
    assert_null(json_object_get(f->body, "refresh_token"));
    assert_null(json_object_get(f->body, "issued_token_type"));
    assert_true(allowed(f, token, "orders:GET:/v1/orders/1"));
    assert_false(allowed(f, token, "orders:POST:/v1/orders"));
    fixture_free(f);
}

static void
scopes(void **state)
{
    struct fixture *f = oauth_fixture();
    char token[TOKEN_TEXT_MAX + 1];

    expect(200, post(f, &nightly, oauth_token,
                     "grant_type=client_credentials&scope=orders:GET:/v1/orders/**"));
    keep(f, "access_token", token);
    assert_string_equal(text(f, "scope"), "orders:GET:/v1/orders/**");
    assert_true(allowed(f, token, "orders:GET:/v1/orders/1"));
    assert_false(allowed(f, token, "orders:GET:/v1/customers/1"));
    /* Never silently more, nor silently less. */
    expect_refused("invalid_scope", "orders:POST:/v1/orders",
                   post(f, &nightly, oauth_token,
                        "grant_type=client_credentials"
                        "&scope=orders:GET:/v1/orders/**+orders:POST:/v1/orders"));
    expect_refused("invalid_scope", "",
                   post(f, &nightly, oauth_token, "grant_type=client_credentials&scope=all"));
    expect_refused("invalid_scope", "writ:",
                   post(f, &nightly, oauth_token, "grant_type=client_credentials&scope=writ:*:**"));
    fixture_free(f);
}

static void
grant_types(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller without = {
        .name = "nightly", .no_credentials = true, .no_exchange = true, .no_refresh = true
    };

    expect_refused("invalid_request", "grant_type", post(f, &nightly, oauth_token, "scope=x"));
    expect_refused("invalid_request", "grant_type", post(f, &nightly, oauth_token, "grant_type="));
    expect_refused("unsupported_grant_type", "",
                   post(f, &nightly, oauth_token, "grant_type=password&username=a&password=b"));
    expect_refused("unsupported_grant_type", "",
                   post(f, &nightly, oauth_token, "grant_type=Client_Credentials"));
    expect_refused("unauthorized_client", "",
                   post(f, &without, oauth_token, "grant_type=client_credentials"));
    expect_refused("unauthorized_client", "", post(f, &without, oauth_token, EXCHANGE, "x"));
    expect_refused("unauthorized_client", "",
                   post(f, &without, oauth_token, "grant_type=refresh_token&refresh_token=x"));
    fixture_free(f);
}

static void
client_settings(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller short_lived = { .name = "nightly", .ttl = 5 * MS_MINUTE };
    const struct caller too_long = { .name = "nightly", .ttl = 30 * MS_DAY };
    const struct caller keyed = { .name = "nightly", .proven = key_of('k') };
    struct caller certified = keyed;

    certified.proven.kind = BINDING_X5T;
    expect(200, post(f, &short_lived, oauth_token, "grant_type=client_credentials"));
    assert_int_equal(number(f, "expires_in"), 300);
    expect(200, post(f, &too_long, oauth_token, "grant_type=client_credentials"));
    assert_int_equal(number(f, "expires_in"), 7 * 86400);
    /* Bound to the key that this call proved (RFC 9449 §5, RFC 8705 §3). */
    expect(200, post(f, &keyed, oauth_token, "grant_type=client_credentials"));
    assert_string_equal(text(f, "token_type"), "DPoP");
    expect(200, post(f, &certified, oauth_token, "grant_type=client_credentials"));
    assert_string_equal(text(f, "token_type"), "Bearer");
    fixture_free(f);
}

/* --- resources ----------------------------------------------------------------------- */

static void
resources(void **state)
{
    static const struct {
        const char *form, *audience;
    } named[] = {
        { "resource=http://gw.example:7880/orders", "orders" },
        { "resource=http://gw.example:7880/orders/", "orders" },
        { "resource=http://GW.Example:7880/orders/v1/x", "orders" },
        { "resource=HTTP://gw.example:7880/tools/mcp", "tools" },
        { "resource=http://gw.example:7880/other/../orders", "orders" },
        { "resource=https://mcp.example/mcp", "tools" },
        { "resource=https://mcp.example:443", "tools" },
        { "resource=http://127.0.0.1:7800", "writ" },
        { "resource=http://127.0.0.1:7800/v1/tokens", "writ" },
        { "resource=http://gw.example:7880/orders&resource=http://gw.example:7880/tools",
          "orders tools" },
        { "resource=http://gw.example:7880/orders&audience=orders", "orders" },
        { "audience=tools", "tools" },
        { "audience=http://gw.example:7880/tools", "tools" },
        { "resource=&audience=", "" },
    };
    struct fixture *f = oauth_fixture();

    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        char token[TOKEN_TEXT_MAX + 1];
        struct credential credential;

        expect(200,
               post(f, &nightly, oauth_token, "grant_type=client_credentials&%s", named[i].form));
        keep(f, "access_token", token);
        arena_reset(&f->arena);
        assert_int_equal(world_authenticate(f->authority->reader, slice_text(token), f->now,
                                            &f->arena, &credential),
                         CREDENTIAL_OK);
        if (!slice_is(credential.audience, named[i].audience))
            fail_msg("%s: %.*s", named[i].form, SLICE_PRINT(credential.audience));
    }
    fixture_free(f);
}

static void
no_such_resources(void **state)
{
    static const char *const wrong[] = {
        "resource=http://gw.example:7880/orders%23part",
        "resource=http://gw.example:7880/orders?x=1",
        "resource=/orders",
        "resource=orders",
        "resource=http://evil.example/orders",
        "resource=http://gw.example:7881/orders",
        "resource=https://gw.example:7880/orders",
        "resource=http://gw.example.evil:7880/orders",
        "resource=http://user@gw.example:7880/orders",
        "resource=http://gw.example:7880",
        "resource=http://gw.example:7880/nothing",
        "resource=http://gw.example:7880/orders%252fx",
        "resource=http://gw.example:7880/writ",
        "resource=http://127.0.0.1:7800/admin",
        "resource=urn:example:orders",
        "audience=nothing",
        "audience=orders+tools",
        "resource=http://gw.example:7880/orders&resource=http://evil.example/",
    };
    struct fixture *f = oauth_fixture();
    char many[2048] = "grant_type=client_credentials";

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        post(f, &nightly, oauth_token, "grant_type=client_credentials&%s", wrong[i]);
        if (f->status != 400 || strcmp(text(f, "error"), "invalid_target") != 0)
            fail_msg("%s: %u %s", wrong[i], f->status, text(f, "error"));
    }
    for (int i = 0; i <= RESOURCES_MAX; i++)
        strcat(many, "&audience=orders");
    expect_refused("invalid_target", "at most", post(f, &nightly, oauth_token, "%s", many));
    fixture_free(f);
}

/* Where the door has no public name, it is met on this machine alone. */
static void
resources_on_loopback(void **state)
{
    struct fixture *f = oauth_fixture();

    f->authority->options.gateway_url = SLICE_LITERAL("http://0.0.0.0:7880");
    expect(200, post(f, &nightly, oauth_token,
                     "grant_type=client_credentials&resource=http://localhost:7880/orders"));
    expect(400, post(f, &nightly, oauth_token,
                     "grant_type=client_credentials&resource=http://gw.example:7880/orders"));
    f->authority->options.gateway_url = (struct slice){ 0 };
    expect(200, post(f, &nightly, oauth_token,
                     "grant_type=client_credentials&resource=http://127.0.0.1:1/orders"));
    expect(400, post(f, &nightly, oauth_token,
                     "grant_type=client_credentials&resource=http://gw.example:7880/orders"));
    fixture_free(f);
}

/* The rights that are told are those at the resource, a wildcard narrowed to it. */
static void
scope_at_the_resource(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller wide = { .name = "wide" };

    (void)with_rights(f, "wide", "['orders:GET:/v1/**', '*:HEAD:/v1/**', 'writ:check:*']");
    expect(200, post(f, &wide, oauth_token, "grant_type=client_credentials&audience=tools"));
    assert_string_equal(text(f, "scope"), "tools:HEAD:/v1/**");
    expect(200, post(f, &wide, oauth_token, "grant_type=client_credentials&audience=writ"));
    assert_string_equal(text(f, "scope"), "writ:check:*");
    fixture_free(f);
}

/* --- JWT -------------------------------------------------------------------------------- */

static json_t *
part_of(const char *jwt, int part)
{
    struct slice rest = slice_text(jwt), piece;
    uint8_t bytes[TOKEN_TEXT_MAX];
    size_t size;
    json_t *out;

    for (int i = 0; i <= part; i++)
        assert_true(slice_next(&rest, '.', &piece));
    assert_true(base64url_decode(piece, bytes, sizeof bytes, &size));
    assert_int_equal(json_read(slice_of(bytes, size), &out, NULL), STATUS_OK);
    return out;
}

static const char *
claim(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value == NULL ? "" : value;
}

static void
as_jwt(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller jwt = { .name = "nightly", .form = TOKEN_FORM_JWT, .proven = key_of('k') };
    char token[TOKEN_TEXT_MAX + 1];
    json_t *header, *payload;

    expect(200, post(f, &jwt, oauth_token, "grant_type=client_credentials&audience=orders"));
    keep(f, "access_token", token);
    header = part_of(token, 0);
    payload = part_of(token, 1);
    assert_string_equal(claim(header, "typ"), "at+jwt");
    assert_string_equal(claim(header, "alg"), "ES256");
    assert_string_equal(claim(header, "kid"), jwt_key_active(&f->authority->keys)->kid);
    assert_string_equal(claim(payload, "iss"), "http://127.0.0.1:7800");
    assert_string_equal(claim(payload, "sub"), "nightly");
    assert_string_equal(claim(payload, "client_id"), "nightly");
    assert_string_equal(claim(payload, "aud"), "http://gw.example:7880/orders");
    assert_string_equal(claim(payload, "scope"), "orders:GET:/v1/**");
    assert_int_equal(strlen(claim(payload, "jti")), TOKEN_ID_TEXT);
    assert_int_equal(json_integer_value(json_object_get(payload, "exp")) -
                         json_integer_value(json_object_get(payload, "iat")),
                     86400);
    assert_int_equal(strlen(claim(json_object_get(payload, "cnf"), "jkt")), 43);
    assert_null(json_object_get(payload, "act"));
    /* The text is worth what the record is worth. */
    assert_int_equal(verdict(f, token), CREDENTIAL_OK);
    assert_true(allowed(f, token, "orders:GET:/v1/x"));
    end_token(f, claim(payload, "jti"));
    assert_int_equal(verdict(f, token), CREDENTIAL_REVOKED);
    json_decref(header);
    json_decref(payload);
    fixture_free(f);
}

/* A text that nobody would read is not given. */
static void
a_jwt_has_an_end(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller jwt = { .name = "nightly", .form = TOKEN_FORM_JWT };
    char scope[8192] = "orders:GET:/v1/0";

    for (int i = 1; i < 250; i++)
        sprintf(scope + strlen(scope), "+orders:GET:/v1/%d", i);
    expect_refused("invalid_scope", "too long",
                   post(f, &jwt, oauth_token, "grant_type=client_credentials&scope=%s", scope));
    expect(200, post(f, &nightly, oauth_token, "grant_type=client_credentials&scope=%s", scope));
    fixture_free(f);
}

/* --- token exchange ------------------------------------------------------------------------ */

static void
on_behalf(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued amara = issue(f, "amara", "");
    char child[TOKEN_TEXT_MAX + 1];

    expect(200, post(f, &copilot, oauth_token, EXCHANGE, amara.token));
    keep(f, "access_token", child);
    assert_string_equal(text(f, "issued_token_type"), TOKEN_TYPE_ACCESS);
    assert_string_equal(text(f, "token_type"), "Bearer");
    /* What both may: copilot's clerk may POST, amara may not. */
    assert_string_equal(text(f, "scope"), "orders:GET:/v1/**");
    assert_true(allowed(f, child, "orders:GET:/v1/orders/1"));
    assert_false(allowed(f, child, "orders:POST:/v1/orders"));
    assert_false(allowed(f, child, "orders:GET:/v1/payments/1")); /* copilot's deny */
    end_token(f, amara.id);
    assert_int_equal(verdict(f, child), CREDENTIAL_REVOKED);
    fixture_free(f);
}

static void
only_narrower(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued amara = issue(f, "amara", ", 'scope': 'orders:GET:/v1/orders/**', 'ttl': '10m'");
    struct issued at_tools = issue(f, "amara", ", 'audience': ['tools']");
    char child[TOKEN_TEXT_MAX + 1];

    expect(200,
           post(f, &copilot, oauth_token, EXCHANGE "&scope=orders:GET:/v1/orders/1", amara.token));
    keep(f, "access_token", child);
    assert_string_equal(text(f, "scope"), "orders:GET:/v1/orders/1");
    assert_true(number(f, "expires_in") <= 600);
    /* Within the actor's roles, but not within the token: refused, not cut. */
    expect_refused(
        "invalid_scope", "orders:GET:/v1/**",
        post(f, &copilot, oauth_token, EXCHANGE "&scope=orders:GET:/v1/**", amara.token));
    expect_refused(
        "invalid_scope", "orders:POST",
        post(f, &copilot, oauth_token, EXCHANGE "&scope=orders:POST:/v1/orders", amara.token));
    /* A child of the child is no wider than the child. */
    expect_refused(
        "invalid_scope", "",
        post(f, &nightly, oauth_token, EXCHANGE "&scope=orders:GET:/v1/orders/**", child));
    expect(200, post(f, &copilot, oauth_token, EXCHANGE, at_tools.token));
    keep(f, "access_token", child);
    expect_refused("invalid_target", "",
                   post(f, &copilot, oauth_token, EXCHANGE "&audience=orders", child));
    expect_refused(
        "invalid_target", "",
        post(f, &copilot, oauth_token, EXCHANGE "&audience=tools&audience=orders", at_tools.token));
    expect(200, post(f, &copilot, oauth_token, EXCHANGE "&audience=tools", child));
    fixture_free(f);
}

static void
worthless_subject_tokens(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued gone = issue(f, "amara", ""), brief = issue(f, "amara", ", 'ttl': '1s'");
    struct issued amara = issue(f, "amara", "");
    struct buffer narrowed = { 0 };
    struct hop_id hop;

    end_token(f, gone.id);
    expect_refused("invalid_request", "revoked",
                   post(f, &copilot, oauth_token, EXCHANGE, gone.token));
    f->now += 2 * MS_SECOND;
    expect_refused("invalid_request", "expired",
                   post(f, &copilot, oauth_token, EXCHANGE, brief.token));
    expect_refused("invalid_request", "no token",
                   post(f, &copilot, oauth_token, EXCHANGE, "writ_x"));
    assert_int_equal(token_attenuate(slice_text(amara.token),
                                     &(struct attenuation){ .label = SLICE_LITERAL("mine") },
                                     &narrowed, &hop, NULL),
                     STATUS_OK);
    put_u8(&narrowed, 0);
    expect_refused("invalid_request", "caveats",
                   post(f, &copilot, oauth_token, EXCHANGE, narrowed.bytes));
    buffer_wipe_free(&narrowed);
    fixture_free(f);
}

static void
exchange_parameters(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued amara = issue(f, "amara", "");
    const struct caller gives = { .name = "copilot", .gives_refresh = true };

    expect_refused("invalid_request", "subject_token",
                   post(f, &copilot, oauth_exchange, "subject_token=%s", amara.token));
    expect_refused("invalid_request", "subject_token",
                   post(f, &copilot, oauth_exchange, "subject_token_type=" TOKEN_TYPE_ACCESS));
    expect_refused("invalid_request", "subject_token_type",
                   post(f, &copilot, oauth_exchange,
                        "subject_token=%s&subject_token_type=" TOKEN_TYPE_REFRESH, amara.token));
    expect_refused(
        "invalid_request", "actor_token",
        post(f, &copilot, oauth_token, EXCHANGE "&actor_token=%s", amara.token, amara.token));
    expect_refused("invalid_request", "actor_token",
                   post(f, &copilot, oauth_token, EXCHANGE "&actor_token_type=" TOKEN_TYPE_ACCESS,
                        amara.token));
    expect_refused("invalid_request", "requested_token_type",
                   post(f, &copilot, oauth_token,
                        EXCHANGE "&requested_token_type=urn:ietf:params:oauth:token-type:saml2",
                        amara.token));
    expect_refused("invalid_request", "requested_token_type",
                   post(f, &copilot, oauth_token,
                        EXCHANGE "&requested_token_type=" TOKEN_TYPE_REFRESH, amara.token));
    expect(200, post(f, &copilot, oauth_token, EXCHANGE "&requested_token_type=" TOKEN_TYPE_JWT,
                     amara.token));
    assert_string_equal(text(f, "issued_token_type"), TOKEN_TYPE_JWT);
    assert_int_equal(strncmp(text(f, "access_token"), "ey", 2), 0);
    expect(200, post(f, &gives, oauth_token, EXCHANGE "&requested_token_type=" TOKEN_TYPE_REFRESH,
                     amara.token));
    assert_string_equal(text(f, "issued_token_type"), TOKEN_TYPE_REFRESH);
    assert_string_equal(text(f, "token_type"), "N_A");
    assert_null(json_object_get(f->body, "refresh_token"));
    fixture_free(f);
}

/* A copy of a bound token's text is worth nothing to who lacks its key. */
static void
bound_subject_tokens(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller owner = { .name = "copilot", .proven = key_of('k') };
    const struct caller thief = { .name = "copilot", .proven = key_of('t') };
    struct caller other_kind = owner;
    char token[TOKEN_TEXT_MAX + 1];

    other_kind.proven.kind = BINDING_X5T;
    expect(200, post(f, &(struct caller){ .name = "nightly", .proven = key_of('k') }, oauth_token,
                     "grant_type=client_credentials"));
    keep(f, "access_token", token);
    expect_refused("invalid_request", "prove", post(f, &copilot, oauth_token, EXCHANGE, token));
    expect_refused("invalid_request", "prove", post(f, &thief, oauth_token, EXCHANGE, token));
    expect_refused("invalid_request", "prove", post(f, &other_kind, oauth_token, EXCHANGE, token));
    expect(200, post(f, &owner, oauth_token, EXCHANGE, token));
    assert_string_equal(text(f, "token_type"), "DPoP");
    fixture_free(f);
}

/* sub stays who it all began with; act is the way, the newest outermost. */
static void
chain_of_actors(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued amara = issue(f, "amara", "");
    const struct caller jwt = { .name = "copilot", .form = TOKEN_FORM_JWT };
    char token[TOKEN_TEXT_MAX + 1];
    json_t *payload, *act;

    expect(200, post(f, &nightly, oauth_token, EXCHANGE, amara.token));
    keep(f, "access_token", token);
    expect(200, post(f, &nightly, oauth_token, EXCHANGE, token)); /* to itself: no new actor */
    keep(f, "access_token", token);
    expect(200, post(f, &jwt, oauth_token, EXCHANGE, token));
    payload = part_of(text(f, "access_token"), 1);
    assert_string_equal(claim(payload, "sub"), "amara");
    act = json_object_get(payload, "act");
    assert_string_equal(claim(act, "sub"), "copilot");
    act = json_object_get(act, "act");
    assert_string_equal(claim(act, "sub"), "nightly");
    assert_null(json_object_get(act, "act"));
    json_decref(payload);
    fixture_free(f);
}

static void
chains_have_an_end(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued amara = issue(f, "amara", "");
    char token[TOKEN_TEXT_MAX + 1];
    int depth = 1;

    strcpy(token, amara.token);
    while (post(f, depth % 2 == 0 ? &nightly : &copilot, oauth_token, EXCHANGE, token) == 200) {
        keep(f, "access_token", token);
        assert_true(++depth <= TOKEN_DEPTH_MAX);
    }
    refused(f, "invalid_request", "lineage");
    assert_true(depth >= TOKEN_DEPTH_MAX - 1);
    fixture_free(f);
}

/* Each of these makes the lineage longer by two: none is half made. */
static void
chains_with_refresh_tokens_end(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller giving = { .name = "nightly", .gives_refresh = true };
    char token[TOKEN_TEXT_MAX + 1];
    int rounds = 0;

    strcpy(token, issue(f, "nightly", "").token);
    while (post(f, &giving, oauth_token, EXCHANGE, token) == 200) {
        keep(f, "access_token", token);
        assert_true(allowed(f, token, "orders:GET:/v1/orders/1"));
        assert_true(++rounds <= TOKEN_DEPTH_MAX / 2);
    }
    refused(f, "invalid_request", "at most");
    fixture_free(f);
}

/* Who acts is said by a token of its own, and what that token may not, the child may not. */
static void
actor_tokens(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued amara = issue(f, "amara", ""), ben = issue(f, "ben", "");
    struct issued narrow = issue(f, "ben", ", 'scope': 'orders:GET:/v1/orders/**', 'ttl': '5m'");
    struct issued fenced = issue(f, "ben", ", 'networks': ['10.0.0.0/8']");
    char child[TOKEN_TEXT_MAX + 1];

    expect(200, post(f, &nightly, oauth_token, EXCHANGE ACTOR, amara.token, ben.token));
    keep(f, "access_token", child);
    assert_true(allowed(f, child, "orders:GET:/v1/customers/1"));
    assert_false(allowed(f, child, "orders:GET:/v1/payments/1"));
    expect(200, post(f, &nightly, oauth_token, EXCHANGE ACTOR, amara.token, narrow.token));
    keep(f, "access_token", child);
    assert_true(number(f, "expires_in") <= 300);
    assert_string_equal(text(f, "scope"), "orders:GET:/v1/orders/**");
    assert_false(allowed(f, child, "orders:GET:/v1/customers/1"));
    expect_refused("invalid_scope", "",
                   post(f, &nightly, oauth_token, EXCHANGE ACTOR "&scope=orders:GET:/v1/**",
                        amara.token, narrow.token));
    expect_refused("invalid_request", "networks",
                   post(f, &nightly, oauth_token, EXCHANGE ACTOR, amara.token, fenced.token));
    expect_refused("invalid_request", "actor_token",
                   post(f, &nightly, oauth_token, EXCHANGE ACTOR, amara.token, "writ_x"));
    /* A child's ancestors would be lost. */
    expect_refused("invalid_request", "parent",
                   post(f, &nightly, oauth_token, EXCHANGE ACTOR, amara.token, child));
    fixture_free(f);
}

/* --- refresh ------------------------------------------------------------------------------- */

static const struct caller refresher = { .name = "copilot", .gives_refresh = true };

struct family {
    struct issued root;
    char access[TOKEN_TEXT_MAX + 1], refresh[TOKEN_TEXT_MAX + 1];
};

static void
found(struct fixture *f, const struct caller *client, const char *more, struct family *out)
{
    out->root = issue(f, "amara", "");
    expect(200, post(f, client, oauth_token, EXCHANGE "%s", out->root.token, more));
    keep(f, "access_token", out->access);
    keep(f, "refresh_token", out->refresh);
}

static unsigned
renew(struct fixture *f, const struct caller *client, const char *refresh, const char *more)
{
    return post(f, client, oauth_token, "grant_type=refresh_token&refresh_token=%s%s", refresh,
                more);
}

static void
renewed(void **state)
{
    struct fixture *f = oauth_fixture();
    struct family family;
    char second[TOKEN_TEXT_MAX + 1], again[TOKEN_TEXT_MAX + 1], access[TOKEN_TEXT_MAX + 1];

    found(f, &refresher, "", &family);
    assert_int_equal(verdict(f, family.refresh), CREDENTIAL_PURPOSE); /* no access with it */
    expect(200, renew(f, &refresher, family.refresh, ""));
    keep(f, "refresh_token", second);
    keep(f, "access_token", access);
    assert_string_not_equal(second, family.refresh);
    assert_string_not_equal(access, family.access);
    assert_true(allowed(f, access, "orders:GET:/v1/orders/1"));
    assert_true(allowed(f, family.access, "orders:GET:/v1/orders/1"));
    /* An answer that was lost: the same successor, a moment later. */
    f->now += 5 * MS_SECOND;
    expect(200, renew(f, &refresher, family.refresh, ""));
    assert_string_equal(keep(f, "refresh_token", again), second);
    assert_int_equal(verdict(f, access), CREDENTIAL_OK);
    fixture_free(f);
}

static void
reuse_ends_the_family(void **state)
{
    struct fixture *f = oauth_fixture();
    struct family family;
    char second[TOKEN_TEXT_MAX + 1], access[TOKEN_TEXT_MAX + 1];

    found(f, &refresher, "", &family);
    expect(200, renew(f, &refresher, family.refresh, ""));
    keep(f, "refresh_token", second);
    keep(f, "access_token", access);
    f->now += 11 * MS_SECOND;
    expect_refused("invalid_grant", "used before", renew(f, &refresher, family.refresh, ""));
    assert_true(f->answer.wait_generation > 0);
    assert_int_equal(verdict(f, access), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(f, family.access), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(f, family.root.token), CREDENTIAL_OK); /* amara's own lives */
    expect_refused("invalid_grant", "revoked", renew(f, &refresher, second, ""));
    expect_refused("invalid_grant", "revoked", renew(f, &refresher, family.refresh, ""));
    fixture_free(f);
}

/* The successor was used: whoever comes with the first now is another. */
static void
reuse_of_the_grandparent(void **state)
{
    struct fixture *f = oauth_fixture();
    struct family family;
    char second[TOKEN_TEXT_MAX + 1], third[TOKEN_TEXT_MAX + 1];

    found(f, &refresher, "", &family);
    expect(200, renew(f, &refresher, family.refresh, ""));
    keep(f, "refresh_token", second);
    expect(200, renew(f, &refresher, second, ""));
    keep(f, "refresh_token", third);
    expect_refused("invalid_grant", "used before", renew(f, &refresher, family.refresh, ""));
    expect_refused("invalid_grant", "revoked", renew(f, &refresher, third, ""));
    fixture_free(f);
}

static void
refresh_of_others(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller foreign = { .name = "nightly", .gives_refresh = true };
    struct family family;

    found(f, &refresher, "", &family);
    expect_refused("invalid_grant", "of this client", renew(f, &foreign, family.refresh, ""));
    expect_refused("invalid_grant", "of this client", renew(f, &refresher, family.access, ""));
    expect_refused("invalid_grant", "of this client", renew(f, &refresher, "writ_x", ""));
    expect_refused("invalid_request", "refresh_token",
                   post(f, &refresher, oauth_token, "grant_type=refresh_token"));
    /* A stranger's try, even with a used one, ends nothing. */
    expect(200, renew(f, &refresher, family.refresh, ""));
    f->now += 11 * MS_SECOND;
    expect_refused("invalid_grant", "of this client", renew(f, &foreign, family.refresh, ""));
    assert_int_equal(verdict(f, family.access), CREDENTIAL_OK);
    fixture_free(f);
}

static void
scope_may_shrink(void **state)
{
    struct fixture *f = oauth_fixture();
    struct family family;
    char next[TOKEN_TEXT_MAX + 1];

    found(f, &refresher, "&scope=orders:GET:/v1/orders/**&audience=orders", &family);
    expect(200, renew(f, &refresher, family.refresh, "&scope=orders:GET:/v1/orders/1"));
    assert_string_equal(text(f, "scope"), "orders:GET:/v1/orders/1");
    keep(f, "refresh_token", next);
    /* It did not shrink for good. */
    expect(200, renew(f, &refresher, next, ""));
    assert_string_equal(text(f, "scope"), "orders:GET:/v1/orders/**");
    keep(f, "refresh_token", next);
    expect_refused("invalid_scope", "orders:GET:/v1/**",
                   renew(f, &refresher, next, "&scope=orders:GET:/v1/**"));
    expect_refused("invalid_target", "", renew(f, &refresher, next, "&audience=tools"));
    /* What was refused did not use it up. */
    expect(200, renew(f, &refresher, next, "&audience=orders"));
    fixture_free(f);
}

static void
bound_refresh_tokens(void **state)
{
    struct fixture *f = oauth_fixture();
    struct caller owner = refresher, thief = refresher;
    struct family family;

    owner.proven = key_of('k');
    thief.proven = key_of('t');
    found(f, &owner, "", &family);
    expect_refused("invalid_dpop_proof", "proof", renew(f, &refresher, family.refresh, ""));
    expect_refused("invalid_grant", "another key", renew(f, &thief, family.refresh, ""));
    expect(200, renew(f, &owner, family.refresh, ""));
    assert_string_equal(text(f, "token_type"), "DPoP");
    /* Who has no key does not end the family by showing a used text. */
    f->now += 11 * MS_SECOND;
    expect_refused("invalid_grant", "another key", renew(f, &thief, family.refresh, ""));
    assert_int_equal(verdict(f, family.access), CREDENTIAL_OK);
    fixture_free(f);
}

static void
families_end(void **state)
{
    struct fixture *f = oauth_fixture();
    struct family family, other;

    found(f, &refresher, "", &family);
    found(f, &refresher, "", &other);
    end_token(f, family.root.id);
    expect_refused("invalid_grant", "revoked", renew(f, &refresher, family.refresh, ""));
    /* No longer than the token it came from, and than limits.max_line. */
    f->authority->options.settings.max_line_ms = MS_HOUR;
    f->now += 2 * MS_HOUR;
    expect_refused("invalid_grant", "max_line", renew(f, &refresher, other.refresh, ""));
    f->authority->options.settings.max_line_ms = 90 * MS_DAY;
    expect(200, renew(f, &refresher, other.refresh, ""));
    f->now += MS_DAY;
    expect_refused("invalid_grant", "expired",
                   renew(f, &refresher, keep(f, "refresh_token", other.refresh), ""));
    fixture_free(f);
}

static void
refresh_tokens_are_no_parents(void **state)
{
    struct fixture *f = oauth_fixture();
    struct family family;
    char id[TOKEN_ID_TEXT + 1], path[64];
    struct token_view view;

    found(f, &refresher, "", &family);
    assert_int_equal(token_parse(slice_text(family.refresh), &view), STATUS_OK);
    strcpy(id, view.id_text);
    expect(409, callf(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara', 'parent': '%s'}", id));
    snprintf(path, sizeof path, "/v1/tokens/%s/rotate", id);
    expect(409, call(f, NULL, "POST", path, ""));
    expect_refused("invalid_request", "something else",
                   post(f, &refresher, oauth_token, EXCHANGE, family.refresh));
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_itself),
        cmocka_unit_test(scopes),
        cmocka_unit_test(grant_types),
        cmocka_unit_test(client_settings),
        cmocka_unit_test(resources),
        cmocka_unit_test(no_such_resources),
        cmocka_unit_test(resources_on_loopback),
        cmocka_unit_test(scope_at_the_resource),
        cmocka_unit_test(as_jwt),
        cmocka_unit_test(a_jwt_has_an_end),
        cmocka_unit_test(on_behalf),
        cmocka_unit_test(only_narrower),
        cmocka_unit_test(worthless_subject_tokens),
        cmocka_unit_test(exchange_parameters),
        cmocka_unit_test(bound_subject_tokens),
        cmocka_unit_test(chain_of_actors),
        cmocka_unit_test(chains_have_an_end),
        cmocka_unit_test(chains_with_refresh_tokens_end),
        cmocka_unit_test(actor_tokens),
        cmocka_unit_test(renewed),
        cmocka_unit_test(reuse_ends_the_family),
        cmocka_unit_test(reuse_of_the_grandparent),
        cmocka_unit_test(refresh_of_others),
        cmocka_unit_test(scope_may_shrink),
        cmocka_unit_test(bound_refresh_tokens),
        cmocka_unit_test(families_end),
        cmocka_unit_test(refresh_tokens_are_no_parents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
