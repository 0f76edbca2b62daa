/* authority/issue - POST /v1/tokens: each member and each refusal; children. */
#include "fixture.h"

#include <string.h>

#include "token/text.h"

static void
defaults(void **state)
{
    struct fixture *f = fixture_new();
    struct issued token = issue(f, "amara", "");
    char location[64];
    int64_t issued_at, expires_at;

    assert_string_equal(text(f, "subject"), "amara");
    assert_string_equal(text(f, "scope"), "");
    assert_true(json_is_string(json_object_get(f->body, "scope")));
    assert_true(json_is_null(json_object_get(f->body, "cnf")));
    assert_true(json_is_null(json_object_get(f->body, "parent")));
    assert_true(json_is_null(json_object_get(f->body, "max_uses")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(f->body, "roles"), 0)),
                        "reader");
    assert_int_equal(time_parse(slice_text(text(f, "issued_at")), &issued_at), STATUS_OK);
    assert_int_equal(time_parse(slice_text(text(f, "expires_at")), &expires_at), STATUS_OK);
    assert_int_equal(issued_at, f->now);
    assert_int_equal(expires_at, f->now + MS_DAY);
    snprintf(location, sizeof location, "/v1/tokens/%s", token.id);
    assert_true(slice_is(f->answer.location, location));
    assert_int_equal(verdict(f, token.token), CREDENTIAL_OK);
    assert_true(allowed(f, token.token, "orders:GET:/v1/orders/1"));
    assert_false(allowed(f, token.token, "orders:POST:/v1/orders"));
    /* Shown this one time. */
    expect(200, call(f, NULL, "GET", location, NULL));
    assert_null(json_object_get(f->body, "token"));
    assert_string_equal(text(f, "state"), "live");
    fixture_free(f);
}

static void
all_members(void **state)
{
    struct fixture *f = fixture_new();
    struct issued token =
        issue(f, "ben",
              ", 'roles': ['reader'], 'scope': 'orders:GET:/v1/orders/*', 'ttl': '2h',"
              " 'idle': '15m', 'max_uses': 3, 'networks': ['10.0.0.0/8', '::1'],"
              " 'name': 'cron', 'cnf': {'jkt': '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'}");

    assert_string_equal(text(f, "scope"), "orders:GET:/v1/orders/*");
    assert_string_equal(text(f, "idle"), "15m");
    assert_string_equal(text(f, "name"), "cron");
    assert_string_equal(json_string_value(json_object_get(json_object_get(f->body, "cnf"), "jkt")),
                        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    assert_int_equal(json_integer_value(json_object_get(f->body, "max_uses")), 3);
    assert_int_equal(json_array_size(json_object_get(f->body, "networks")), 2);
    assert_int_equal(verdict(f, token.token), CREDENTIAL_OK);
    f->peer = (struct ip){ .family = IP_V4, .bytes = { 10, 1, 2, 3 } };
    assert_true(allowed(f, token.token, "orders:GET:/v1/orders/1"));
    assert_false(allowed(f, token.token, "orders:GET:/v1/orders"));
    assert_false(allowed(f, token.token, "orders:POST:/v1/orders"));
    f->peer = (struct ip){ .family = IP_V4, .bytes = { 11, 1, 2, 3 } };
    assert_false(allowed(f, token.token, "orders:GET:/v1/orders/1"));
    f->now += 15 * MS_MINUTE;
    assert_int_equal(verdict(f, token.token), CREDENTIAL_IDLE);
    fixture_free(f);
}

/* Every wrong member is refused with its name, and nothing is made. */
static void
refusals(void **state)
{
    static const struct {
        unsigned status;
        const char *body, *detail, *pointer;
    } rows[] = {
        { 400, "", "subject is missing", "/subject" },
        { 400, "[]", "must be a JSON object", "" },
        { 400, "{'subject'", "", "" },
        { 400, "{'subject': 'amara', 'subject': 'ben'}", "", "" },
        { 400, "{'subject': 5}", "string", "/subject" },
        { 400, "{'subject': 'amara', 'ttll': '1h'}", "did you mean \"ttl\"", "/ttll" },
        { 404, "{'subject': 'nobody'}", "no subject nobody", "/subject" },
        { 400, "{'subject': 'local:0'}", "operator", "/subject" },
        { 400, "{'subject': 'amara', 'roles': ['clerk']}", "does not hold the role clerk",
          "/roles" },
        { 400, "{'subject': 'amara', 'roles': ['ghost']}", "ghost", "/roles" },
        { 400, "{'subject': 'amara', 'roles': 'reader'}", "list", "/roles" },
        { 400, "{'subject': 'amara', 'roles': [1]}", "text", "/roles" },
        { 400, "{'subject': 'amara', 'scope': 'orders:DELETE:/v1/orders/*'}", "invalid_scope",
          "/scope" },
        { 400, "{'subject': 'amara', 'scope': 'orders:GET:/v1/** orders:GET:/v2/**'}", "/v2/**",
          "/scope" },
        { 400, "{'subject': 'amara', 'scope': 'nonsense'}", "invalid_scope", "/scope" },
        { 400, "{'subject': 'amara', 'scope': '*:*:**'}", "invalid_scope", "/scope" },
        { 400, "{'subject': 'amara', 'scope': []}", "scope", "/scope" },
        { 400, "{'subject': 'amara', 'ttl': '8d'}", "limits.max_ttl", "/ttl" },
        { 400, "{'subject': 'amara', 'ttl': '0s'}", "duration", "/ttl" },
        { 400, "{'subject': 'amara', 'ttl': '-1h'}", "duration", "/ttl" },
        { 400, "{'subject': 'amara', 'ttl': 3600}", "ttl", "/ttl" },
        { 400, "{'subject': 'amara', 'idle': 'soon'}", "duration", "/idle" },
        { 400, "{'subject': 'amara', 'max_uses': 0}", "at least 1", "/max_uses" },
        { 400, "{'subject': 'amara', 'max_uses': -1}", "max_uses", "/max_uses" },
        { 400, "{'subject': 'amara', 'max_uses': 4294967295}", "at most", "/max_uses" },
        { 400, "{'subject': 'amara', 'max_uses': '1'}", "max_uses", "/max_uses" },
        { 400, "{'subject': 'amara', 'networks': '10.0.0.0/8'}", "list", "/networks" },
        { 400, "{'subject': 'amara', 'networks': ['10.0.0.1/8']}", "entry 1", "/networks" },
        { 400, "{'subject': 'amara', 'networks': ['10.0.0.0/8', 5]}", "entry 2", "/networks" },
        { 400, "{'subject': 'amara', 'cnf': 'x'}", "cnf must be", "/cnf" },
        { 400, "{'subject': 'amara', 'cnf': {}}", "one key", "/cnf" },
        { 400, "{'subject': 'amara', 'cnf': {'jkt': 'short'}}", "43 characters", "/cnf" },
        { 400, "{'subject': 'amara', 'cnf': {'jkt': 5}}", "jkt", "/cnf/jkt" },
        { 400, "{'subject': 'amara', 'cnf': {'kid': 'x'}}", "kid", "/cnf/kid" },
        { 400, "{'subject': 'amara', 'not_before': 'later'}", "time such as", "/not_before" },
        { 400, "{'subject': 'amara', 'not_before': '2199-01-01T00:00:00Z'}", "too far",
          "/not_before" },
        { 400, "{'subject': 'amara', 'parent': 'x'}", "parent must be", "/parent" },
        { 404, "{'subject': 'amara', 'parent': '0000000000000000000001'}", "no token", "/parent" },
        { 400, "{'subject': 'amara', 'name': 5}", "name", "/name" },
    };
    struct fixture *f = fixture_new();
    size_t before = world_token_count(f->world);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (call(f, NULL, "POST", "/v1/tokens", rows[i].body) != rows[i].status)
            fail_msg("%s: got %u %s", rows[i].body, f->status, text(f, "detail"));
        if (!says(f, rows[i].detail))
            fail_msg("%s", rows[i].body);
        if (strcmp(text(f, "pointer"), rows[i].pointer) != 0)
            fail_msg("%s: pointer %s", rows[i].body, text(f, "pointer"));
    }
    assert_int_equal(world_token_count(f->world), before);
    fixture_free(f);
}

static void
invalid_scope_has_its_type(void **state)
{
    struct fixture *f = fixture_new();

    expect(400,
           call(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara', 'scope': 'orders:PUT:/x'}"));
    assert_string_equal(text(f, "type"), "urn:writ:problem:invalid_scope");
    fixture_free(f);
}

static void
disabled_subject(void **state)
{
    struct fixture *f = fixture_new();
    struct issued token = issue(f, "amara", "");

    expect(200, call(f, NULL, "PUT", "/v1/subjects/amara",
                     "{'type': 'user', 'roles': ['reader'], 'disabled': true}"));
    assert_int_equal(verdict(f, token.token), CREDENTIAL_SUBJECT);
    expect(409, call(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara'}"));
    fixture_free(f);
}

static void
not_before(void **state)
{
    struct fixture *f = fixture_new();
    char at[TIME_TEXT_MAX], more[96];
    struct issued token;

    snprintf(more, sizeof more, ", 'not_before': '%s', 'ttl': '1h'",
             time_format(f->now + MS_HOUR, at));
    token = issue(f, "amara", more);
    assert_int_equal(verdict(f, token.token), CREDENTIAL_NOT_YET);
    f->now += MS_HOUR;
    assert_int_equal(verdict(f, token.token), CREDENTIAL_OK);
    f->now += MS_HOUR;
    assert_int_equal(verdict(f, token.token), CREDENTIAL_EXPIRED);
    fixture_free(f);
}

/* --- children ------------------------------------------------------------------------ */

static struct issued
child_of(struct fixture *f, const char *subject, const struct issued *parent, const char *more)
{
    char members[256];

    snprintf(members, sizeof members, ", 'parent': '%s'%s", parent->id, more);
    return issue(f, subject, members);
}

static void
child_never_exceeds(void **state)
{
    struct fixture *f = fixture_new();
    struct issued parent = issue(f, "amara", ", 'ttl': '1h'");
    struct issued child = child_of(f, "ben", &parent, ", 'ttl': '6h'");
    int64_t expires_at;

    assert_int_equal(time_parse(slice_text(text(f, "expires_at")), &expires_at), STATUS_OK);
    assert_int_equal(expires_at, f->now + MS_HOUR);
    assert_string_equal(text(f, "parent"), parent.id);
    assert_true(allowed(f, child.token, "orders:GET:/v1/orders/1"));
    /* ben may, amara may not. */
    assert_false(allowed(f, child.token, "orders:POST:/v1/orders"));
    /* A deny of the child's own subject holds as well. */
    assert_true(allowed(f, parent.token, "orders:GET:/v1/payments/1"));
    assert_false(allowed(f, child.token, "orders:GET:/v1/payments/1"));

    expect(200, call(f, NULL, "PUT", "/v1/subjects/amara", "{'type': 'user', 'roles': []}"));
    assert_false(allowed(f, child.token, "orders:GET:/v1/orders/1"));
    expect(200,
           call(f, NULL, "PUT", "/v1/subjects/amara", "{'type': 'user', 'roles': ['reader']}"));
    assert_true(allowed(f, child.token, "orders:GET:/v1/orders/1"));
    expect(204, call(f, NULL, "DELETE", "/v1/subjects/amara", NULL));
    assert_int_equal(verdict(f, child.token), CREDENTIAL_SUBJECT);
    fixture_free(f);
}

static void
child_of_a_dead_parent(void **state)
{
    struct fixture *f = fixture_new();
    struct issued parent = issue(f, "amara", ", 'ttl': '1h'"), other = issue(f, "amara", "");
    char path[64], at[TIME_TEXT_MAX];

    expect(400, callf(f, NULL, "POST", "/v1/tokens",
                      "{'subject': 'amara', 'parent': '%s', 'not_before': '%s'}", parent.id,
                      time_format(f->now + 2 * MS_HOUR, at)));
    assert_true(says(f, "ended by then"));
    f->now += MS_HOUR;
    expect(409,
           callf(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara', 'parent': '%s'}", parent.id));
    assert_true(says(f, "expired"));
    snprintf(path, sizeof path, "/v1/tokens/%s", other.id);
    expect(200, call(f, NULL, "DELETE", path, NULL));
    expect(409,
           callf(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara', 'parent': '%s'}", other.id));
    assert_true(says(f, "revoked"));
    fixture_free(f);
}

static void
lineage_has_an_end(void **state)
{
    struct fixture *f = fixture_new();
    struct issued token = issue(f, "amara", "");
    unsigned depth = 1;

    while (callf(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara', 'parent': '%s'}", token.id) ==
           201) {
        snprintf(token.id, sizeof token.id, "%s", text(f, "id"));
        snprintf(token.token, sizeof token.token, "%s", text(f, "token"));
        depth++;
    }
    assert_int_equal(f->status, 400);
    assert_int_equal(depth, TOKEN_DEPTH_MAX);
    assert_true(allowed(f, token.token, "orders:GET:/v1/orders/1"));
    fixture_free(f);
}

/* Uses of a child count on its parent: a stranger may not spend them. */
static void
children_need_the_parents_consent(void **state)
{
    struct fixture *f = fixture_new();
    struct issued portal =
        with_rights(f, "portal", "['writ:tokens.issue:ben', 'orders:GET:/v1/**']");
    struct issued victim = issue(f, "amara", ", 'max_uses': 2");

    expect(403, callf(f, portal.token, "POST", "/v1/tokens", "{'subject': 'ben', 'parent': '%s'}",
                      victim.id));
    assert_true(says(f, "writ:tokens.issue:amara"));
    /* Below its own it may. */
    expect(201, callf(f, portal.token, "POST", "/v1/tokens", "{'subject': 'ben', 'parent': '%s'}",
                      portal.id));
    assert_true(allowed(f, text(f, "token"), "orders:GET:/v1/orders/1"));
    expect(403, callf(f, portal.token, "POST", "/v1/tokens", "{'subject': 'amara'}"));
    fixture_free(f);
}

static void
callers(void **state)
{
    struct fixture *f = fixture_new();
    struct issued plain = issue(f, "amara", ""), bound, once;

    expect(403, call(f, plain.token, "POST", "/v1/tokens", "{'subject': 'amara'}"));
    assert_string_equal(text(f, "right"), "writ:tokens.issue:amara");
    assert_string_equal(f->outcome.challenge,
                        "Bearer realm=\"writ\", error=\"insufficient_scope\"");
    expect(401, call(f, "", "POST", "/v1/tokens", "{'subject': 'amara'}"));
    assert_string_equal(f->outcome.challenge, "Bearer realm=\"writ\"");
    expect(401, call(f, "writ_nonsense", "POST", "/v1/tokens", "{'subject': 'amara'}"));
    assert_non_null(strstr(f->outcome.challenge, "invalid_token"));

    with_rights(f, "issuer", "['writ:tokens.issue:*']");
    bound = issue(f, "issuer", ", 'cnf': {'jkt': '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'}");
    expect(401, call(f, bound.token, "POST", "/v1/tokens", "{'subject': 'amara'}"));
    assert_true(says(f, "bound to a key"));
    once = issue(f, "issuer", ", 'max_uses': 1");
    expect(201, call(f, once.token, "POST", "/v1/tokens", "{'subject': 'amara'}"));
    expect(401, call(f, once.token, "POST", "/v1/tokens", "{'subject': 'amara'}"));
    /* Not even the widest right issues a token of the operator at the socket. */
    once = issue(f, "issuer", "");
    expect(400, call(f, once.token, "POST", "/v1/tokens", "{'subject': 'local:0'}"));
    fixture_free(f);
}

/* Where it is good is told, and a child is good nowhere else. */
static void
audiences(void **state)
{
    struct fixture *f = fixture_new();
    struct credential credential;
    struct issued narrow, child;

    assert_true(issue(f, "amara", "").token[0] != '\0');
    assert_true(json_is_null(json_object_get(f->body, "audience")));
    assert_string_equal(text(f, "purpose"), "access");
    narrow = issue(f, "amara", ", 'audience': ['orders', 'writ', 'orders']");
    assert_int_equal(json_array_size(json_object_get(f->body, "audience")), 2);
    fixture_reopen(f);
    arena_reset(&f->arena);
    assert_int_equal(world_authenticate(f->authority->reader, slice_text(narrow.token), f->now,
                                        &f->arena, &credential),
                     CREDENTIAL_OK);
    assert_true(credential_reaches(&credential, SLICE_LITERAL("orders")));
    assert_false(credential_reaches(&credential, SLICE_LITERAL("order")));
    assert_false(credential_reaches(&credential, SLICE_LITERAL("orders writ")));

    expect(201, callf(f, NULL, "POST", "/v1/tokens",
                      "{'subject': 'ben', 'parent': '%s', 'audience': ['orders']}", narrow.id));
    snprintf(child.id, sizeof child.id, "%s", text(f, "id"));
    expect(400, callf(f, NULL, "POST", "/v1/tokens",
                      "{'subject': 'ben', 'parent': '%s', 'audience': ['writ']}", child.id));
    assert_true(says(f, "good at orders alone"));
    expect(201,
           callf(f, NULL, "POST", "/v1/tokens", "{'subject': 'ben', 'parent': '%s'}", child.id));
    assert_int_equal(json_array_size(json_object_get(f->body, "audience")), 1);

    expect(400, call(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara', 'audience': ['other']}"));
    assert_string_equal(text(f, "pointer"), "/audience");
    expect(400, call(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara', 'audience': []}"));
    expect(400, call(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara', 'audience': 'orders'}"));
    expect(400, call(f, NULL, "POST", "/v1/tokens",
                     "{'subject': 'amara', 'audience': ['orders writ']}"));
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(all_members),
        cmocka_unit_test(refusals),
        cmocka_unit_test(invalid_scope_has_its_type),
        cmocka_unit_test(disabled_subject),
        cmocka_unit_test(not_before),
        cmocka_unit_test(child_never_exceeds),
        cmocka_unit_test(child_of_a_dead_parent),
        cmocka_unit_test(lineage_has_an_end),
        cmocka_unit_test(children_need_the_parents_consent),
        cmocka_unit_test(callers),
        cmocka_unit_test(audiences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
