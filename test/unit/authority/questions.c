/* authority/questions - what may be asked: lists, check, who-can, the audit of the
 * calls themselves. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "token/text.h"

static size_t
count(const struct fixture *f, const char *member)
{
    return json_array_size(json_object_get(f->body, member));
}

/* The value of a member of the nth item of a list. */
static const char *
nth(const struct fixture *f, const char *list, size_t n, const char *member)
{
    const char *value = json_string_value(
        json_object_get(json_array_get(json_object_get(f->body, list), n), member));

    return value == NULL ? "" : value;
}

/* --- lists ----------------------------------------------------------------------------- */

static void
newest_first_by_page(void **state)
{
    struct fixture *f = fixture_new();
    char ids[7][TOKEN_ID_TEXT + 1], path[128];
    size_t seen = 0;

    for (int i = 6; i >= 0; i--) {
        strcpy(ids[i], issue(f, i % 2 ? "ben" : "amara", "").id);
        f->now++;
    }
    strcpy(path, "/v1/tokens?limit=3");
    while (path[0] != '\0') {
        expect(200, call(f, NULL, "GET", path, NULL));
        for (size_t i = 0; i < count(f, "items"); i++, seen++)
            assert_string_equal(nth(f, "items", i, "id"), ids[seen]);
        if (text(f, "next")[0] == '\0')
            break;
        snprintf(path, sizeof path, "/v1/tokens?limit=3&cursor=%s", text(f, "next"));
    }
    assert_int_equal(seen, 7);
    expect(200, call(f, NULL, "GET", "/v1/tokens?subject=ben", NULL));
    assert_int_equal(count(f, "items"), 3);
    expect(200, call(f, NULL, "GET", "/v1/tokens?role=clerk", NULL));
    assert_int_equal(count(f, "items"), 3);
    snprintf(path, sizeof path, "/v1/tokens/%s", ids[0]);
    expect(200, call(f, NULL, "DELETE", path, NULL));
    expect(200, call(f, NULL, "GET", "/v1/tokens?live=true&subject=amara", NULL));
    assert_int_equal(count(f, "items"), 3);
    expect(400, call(f, NULL, "GET", "/v1/tokens?cursor=nonsense", NULL));
    expect(400, call(f, NULL, "GET", "/v1/tokens?limit=1001", NULL));
    fixture_free(f);
}

/* A list holds what its reader may read one by one, and no more. */
static void
filtered(void **state)
{
    struct fixture *f = fixture_new();
    struct issued reader =
        with_rights(f, "auditor", "['writ:tokens.read:amara', 'writ:roles.read:reader']");
    struct issued blind = issue(f, "amara", "");

    issue(f, "ben", "");
    expect(200, call(f, reader.token, "GET", "/v1/tokens", NULL));
    assert_int_equal(count(f, "items"), 1);
    assert_string_equal(nth(f, "items", 0, "subject"), "amara");
    expect(200, call(f, reader.token, "GET", "/v1/roles", NULL));
    assert_int_equal(count(f, "items"), 1);
    expect(403, call(f, reader.token, "GET", "/v1/subjects", NULL));
    expect(403, call(f, blind.token, "GET", "/v1/tokens", NULL));
    fixture_free(f);
}

/* --- check --------------------------------------------------------------------------------- */

static void
check(void **state)
{
    struct fixture *f = fixture_new();
    struct issued token = issue(f, "ben", "");

    expect(200, callf(f, NULL, "POST", "/v1/check",
                      "{'token_id': '%s', 'right': 'orders:GET:/v1/orders/1'}", token.id));
    assert_string_equal(text(f, "decision"), "allow");
    assert_string_equal(text(f, "right"), "orders:GET:/v1/**");
    assert_string_equal(text(f, "role"), "reader");
    expect(200, callf(f, NULL, "POST", "/v1/check",
                      "{'token': '%s', 'right': 'orders:PUT:/v1/orders/1'}", token.token));
    assert_string_equal(text(f, "decision"), "deny");
    assert_string_equal(text(f, "right"), "orders:PUT:/v1/orders/1");
    assert_true(text(f, "reason")[0] != '\0');
    assert_true(text(f, "hint")[0] != '\0');
    expect(200, callf(f, NULL, "POST", "/v1/check",
                      "{'token_id': '%s', 'right': 'orders:GET:/v1/payments/1'}", token.id));
    assert_string_equal(text(f, "decision"), "deny");
    assert_string_equal(text(f, "right"), "orders:*:/v1/payments/**");
    expect(200, call(f, NULL, "POST", "/v1/check",
                     "{'subject': 'ben', 'right': 'orders:POST:/v1/orders'}"));
    assert_string_equal(text(f, "decision"), "allow");
    expect(200, call(f, NULL, "POST", "/v1/check",
                     "{'token': 'writ_typo', 'right': 'orders:POST:/v1/orders'}"));
    assert_string_equal(text(f, "decision"), "deny");
    fixture_free(f);
}

static void
check_from_elsewhere(void **state)
{
    struct fixture *f = fixture_new();
    struct issued token = issue(f, "amara", ", 'networks': ['10.0.0.0/8']");

    expect(200, callf(f, NULL, "POST", "/v1/check",
                      "{'token_id': '%s', 'right': 'orders:GET:/v1/1', 'network': '10.1.1.1'}",
                      token.id));
    assert_string_equal(text(f, "decision"), "allow");
    expect(200, callf(f, NULL, "POST", "/v1/check",
                      "{'token_id': '%s', 'right': 'orders:GET:/v1/1', 'network': '11.1.1.1'}",
                      token.id));
    assert_string_equal(text(f, "decision"), "deny");
    expect(400,
           callf(f, NULL, "POST", "/v1/check",
                 "{'token_id': '%s', 'right': 'orders:GET:/v1/1', 'network': 'home'}", token.id));
    fixture_free(f);
}

static void
check_wrongly(void **state)
{
    struct fixture *f = fixture_new();
    struct issued token = issue(f, "amara", "");

    expect(400, call(f, NULL, "POST", "/v1/check", "{'right': 'orders:GET:/x'}"));
    expect(400, callf(f, NULL, "POST", "/v1/check", "{'token_id': '%s'}", token.id));
    assert_string_equal(text(f, "pointer"), "/right");
    expect(400, callf(f, NULL, "POST", "/v1/check", "{'token_id': '%s', 'right': 'orders:GET:/*'}",
                      token.id));
    expect(400, callf(f, NULL, "POST", "/v1/check",
                      "{'token_id': '%s', 'subject': 'ben', 'right': 'orders:GET:/x'}", token.id));
    expect(404, call(f, NULL, "POST", "/v1/check",
                     "{'token_id': '0000000000000000000001', 'right': 'orders:GET:/x'}"));
    expect(404,
           call(f, NULL, "POST", "/v1/check", "{'subject': 'nobody', 'right': 'orders:GET:/x'}"));
    expect(403, callf(f, token.token, "POST", "/v1/check",
                      "{'subject': 'ben', 'right': 'orders:GET:/x'}"));
    assert_string_equal(text(f, "right"), "writ:check:-");
    fixture_free(f);
}

static void
who_can(void **state)
{
    struct fixture *f = fixture_new();
    struct issued amara = issue(f, "amara", ""), ben = issue(f, "ben", ""), last = { 0 };
    struct issued narrow = issue(f, "ben", ", 'scope': 'orders:POST:/v1/orders'");
    char path[160], at[TIME_TEXT_MAX];

    expect(200, call(f, NULL, "GET", "/v1/who-can?right=orders:POST:/v1/orders", NULL));
    assert_int_equal(count(f, "subjects"), 1);
    assert_string_equal(nth(f, "subjects", 0, "subject"), "ben");
    assert_int_equal(count(f, "roles"), 1);
    assert_int_equal(count(f, "tokens"), 2);
    expect(200, call(f, NULL, "GET", "/v1/who-can?right=orders%3AGET%3A/v1/orders/1", NULL));
    assert_int_equal(count(f, "subjects"), 2);
    assert_int_equal(count(f, "roles"), 2);
    assert_int_equal(count(f, "tokens"), 2);
    snprintf(path, sizeof path, "/v1/tokens/%s", amara.id);
    expect(200, call(f, NULL, "DELETE", path, NULL));
    expect(200, call(f, NULL, "GET", "/v1/who-can?right=orders:GET:/v1/orders/1", NULL));
    assert_int_equal(count(f, "tokens"), 1);
    assert_string_equal(nth(f, "tokens", 0, "token"), ben.id);
    snprintf(path, sizeof path, "/v1/who-can?right=orders:GET:/v1/orders/1&at=%s",
             time_format(f->now + 2 * MS_DAY, at));
    expect(200, call(f, NULL, "GET", path, NULL));
    assert_int_equal(count(f, "tokens"), 0);
    assert_int_equal(count(f, "subjects"), 2);
    expect(400, call(f, NULL, "GET", "/v1/who-can", NULL));
    expect(400, call(f, NULL, "GET", "/v1/who-can?right=orders:GET:/x&at=soon", NULL));

    /* More than a page; more than the answer holds. */
    for (int i = 0; i < 1100; i++)
        last = issue(f, "ben", "");
    expect(200, call(f, NULL, "GET", "/v1/who-can?right=orders:GET:/v1/orders/1", NULL));
    assert_int_equal(count(f, "tokens"), 1000);
    assert_true(json_is_true(json_object_get(f->body, "cut")));
    assert_string_equal(nth(f, "tokens", 0, "token"), last.id);
    assert_int_equal(verdict(f, narrow.token), CREDENTIAL_OK);
    fixture_free(f);
}

/* Asked by its id, a bound token may what its holder may; its text alone may nothing. */
static void
bound_tokens(void **state)
{
    struct fixture *f = fixture_new();
    struct issued bound =
        issue(f, "amara", ", 'cnf': {'jkt': '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'}");

    expect(200, callf(f, NULL, "POST", "/v1/check",
                      "{'token_id': '%s', 'right': 'orders:GET:/v1/orders/1'}", bound.id));
    assert_string_equal(text(f, "decision"), "allow");
    expect(200, callf(f, NULL, "POST", "/v1/check",
                      "{'token_id': '%s', 'right': 'orders:PUT:/v1/orders/1'}", bound.id));
    assert_string_equal(text(f, "decision"), "deny");
    expect(200, callf(f, NULL, "POST", "/v1/check",
                      "{'token': '%s', 'right': 'orders:GET:/v1/orders/1'}", bound.token));
    assert_string_equal(text(f, "decision"), "deny");
    fixture_free(f);
}

/* --- the audit of calls ------------------------------------------------------------------ */

static void
calls_leave_lines(void **state)
{
    struct fixture *f = fixture_new();
    struct issued amara = issue(f, "amara", ""), portal;
    char path[64];

    portal = with_rights(f, "portal", "['writ:tokens.issue:ben']");
    expect(201, call(f, portal.token, "POST", "/v1/tokens", "{'subject': 'ben'}"));
    expect(403, call(f, amara.token, "GET", "/v1/audit", NULL));
    snprintf(path, sizeof path, "/v1/tokens/%s", amara.id);
    expect(200, call(f, NULL, "DELETE", path, NULL));

    expect(200, call(f, NULL, "GET", "/v1/audit?subject=portal&resource=writ", NULL));
    assert_int_equal(count(f, "items"), 1);
    assert_string_equal(nth(f, "items", 0, "action"), "tokens.issue");
    assert_string_equal(nth(f, "items", 0, "object"), "ben");
    assert_string_equal(nth(f, "items", 0, "token"), portal.id);
    assert_string_equal(nth(f, "items", 0, "right"), "writ:tokens.issue:ben");
    assert_string_equal(nth(f, "items", 0, "decision"), "allow");
    assert_int_equal(json_integer_value(json_object_get(
                         json_array_get(json_object_get(f->body, "items"), 0), "status")),
                     201);
    expect(200, call(f, NULL, "GET", "/v1/audit?subject=amara&decision=deny", NULL));
    assert_int_equal(count(f, "items"), 1);
    assert_string_equal(nth(f, "items", 0, "action"), "audit.read");
    expect(200, call(f, NULL, "GET", "/v1/audit?action=tokens.revoke", NULL));
    assert_int_equal(count(f, "items"), 1);
    assert_int_equal(strncmp(nth(f, "items", 0, "subject"), "local:", 6), 0);

    expect(200, call(f, NULL, "GET", "/v1/audit/verify", NULL));
    assert_true(json_is_true(json_object_get(f->body, "holds")));
    expect(200, call(f, NULL, "GET", "/v1/audit/map?since=1h", NULL));
    assert_true(count(f, "items") > 0);
    expect(200, call(f, NULL, "GET", "/v1/advice?subject=portal", NULL));
    assert_int_equal(count(f, "rights"), 1);
    fixture_free(f);
}

/* Its text would stand in the audit and in the answer. */
static void
a_token_is_no_name(void **state)
{
    struct fixture *f = fixture_new();
    struct issued amara = issue(f, "amara", "");
    const char *callers[] = { NULL, "", amara.token };
    char path[200];

    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/v1/tokens/%s", amara.token);
        expect(400, call(f, callers[i], "GET", path, NULL));
        assert_true(f->outcome.unlined);
        snprintf(path, sizeof path, "/v1/audit?token=%s", amara.token);
        expect(400, call(f, callers[i], "GET", path, NULL));
        assert_true(f->outcome.unlined);
    }
    expect(404, call(f, NULL, "GET", "/v1/nowhere", NULL));
    assert_true(f->outcome.unlined);
    expect(200, call(f, NULL, "GET", "/healthz", NULL));
    assert_false(f->outcome.unlined);
    fixture_free(f);
}

static void
wrong_questions(void **state)
{
    static const char *const paths[] = {
        "/v1/audit?since=yesterday",   "/v1/audit?limit=many",  "/v1/audit?cursor=x",
        "/v1/audit?decision=maybe",    "/v1/audit/map?since=x", "/v1/advice",
        "/v1/advice?subject=a&role=b",
    };
    struct fixture *f = fixture_new();

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (call(f, NULL, "GET", paths[i], NULL) != 400)
            fail_msg("%s: %u", paths[i], f->status);
    }
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newest_first_by_page),
        cmocka_unit_test(filtered),
        cmocka_unit_test(check),
        cmocka_unit_test(check_from_elsewhere),
        cmocka_unit_test(check_wrongly),
        cmocka_unit_test(who_can),
        cmocka_unit_test(bound_tokens),
        cmocka_unit_test(calls_leave_lines),
        cmocka_unit_test(wrong_questions),
        cmocka_unit_test(a_token_is_no_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
