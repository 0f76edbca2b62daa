/* authority/objects - roles, subjects and upstreams through the API: who may write
 * what, and the deputies that could be confused. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
round_trip(void **state)
{
    struct fixture *f = fixture_new();
    char *body;

    expect(200, call(f, NULL, "GET", "/v1/roles/clerk", NULL));
    assert_string_equal(text(f, "name"), "clerk");
    assert_true(json_is_null(json_object_get(f->body, "owner")));
    body = json_dumps(f->body, JSON_COMPACT);
    /* What a GET gave may come back as it is. */
    expect(200, call(f, NULL, "PUT", "/v1/roles/clerk", body));
    expect(400, call(f, NULL, "PUT", "/v1/roles/reader", body));
    assert_true(says(f, "name"));
    free(body);
    expect(404, call(f, NULL, "GET", "/v1/roles/ghost", NULL));
    assert_true(says(f, "no role named ghost"));
    expect(404, call(f, NULL, "DELETE", "/v1/subjects/ghost", NULL));
    expect(204, call(f, NULL, "DELETE", "/v1/subjects/ben", NULL));
    expect(404, call(f, NULL, "GET", "/v1/subjects/ben", NULL));
    /* In use. */
    expect(409, call(f, NULL, "DELETE", "/v1/roles/reader", NULL));
    assert_true(says(f, "reader"));
    expect(204, call(f, NULL, "DELETE", "/v1/roles/clerk", NULL));
    expect(204, call(f, NULL, "DELETE", "/v1/upstreams/orders", NULL));
    fixture_free(f);
}

static void
lists_by_page(void **state)
{
    struct fixture *f = fixture_new();

    expect(200, call(f, NULL, "GET", "/v1/roles?limit=1", NULL));
    assert_int_equal(json_array_size(json_object_get(f->body, "items")), 1);
    assert_string_equal(text(f, "next"), "clerk");
    expect(200, call(f, NULL, "GET", "/v1/roles?limit=1&cursor=clerk", NULL));
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(f->body, "items"), 0), "name")),
                        "reader");
    expect(200, call(f, NULL, "GET", "/v1/roles", NULL));
    assert_true(json_is_null(json_object_get(f->body, "next")));
    expect(400, call(f, NULL, "GET", "/v1/roles?limit=0", NULL));
    expect(400, call(f, NULL, "GET", "/v1/roles?limit=x", NULL));
    fixture_free(f);
}

static void
wrong_definitions(void **state)
{
    static const struct {
        const char *path, *body, *detail;
    } rows[] = {
        { "/v1/roles/bad", "{'alow': []}", "did you mean \"allow\"" },
        { "/v1/roles/bad", "{'allow': 'orders:GET:/x'}", "list" },
        { "/v1/roles/bad", "{'allow': ['orders GET']}", "" },
        { "/v1/roles/bad", "{'allow': [{'right': 'orders:GET:/x', 'when': {'moon': 'full'}}]}",
          "moon" },
        { "/v1/roles/bad", "{'inherits': ['ghost']}", "ghost" },
        { "/v1/roles/reader", "{'inherits': ['clerk']}", "circle" },
        { "/v1/roles/Bad", "{}", "role's name" },
        { "/v1/roles/%2e%2e", "{}", "role's name" },
        { "/v1/subjects/eve", "{'type': 'robot'}", "" },
        { "/v1/subjects/eve", "{'type': 'user', 'roles': ['ghost']}", "ghost" },
        { "/v1/subjects/eve", "{'type': 'user', 'roles': 'reader'}", "list" },
        { "/v1/subjects/Eve", "{'type': 'user'}", "subject's name" },
        { "/v1/roles/bad", "", "body must be" },
        { "/v1/roles/bad", "[]", "JSON object" },
    };
    struct fixture *f = fixture_new();

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (call(f, NULL, "PUT", rows[i].path, rows[i].body) != 400 || !says(f, rows[i].detail))
            fail_msg("%s %s: %u %s", rows[i].path, rows[i].body, f->status, text(f, "detail"));
    }
    expect(404, call(f, NULL, "PUT", "/v1/roles/%zz", "{}"));
    expect(404, call(f, NULL, "PUT", "/v1/roles/a%00b", "{}"));
    fixture_free(f);
}

static void
built_in(void **state)
{
    struct fixture *f = fixture_new();
    struct issued all = with_rights(f, "all", "['writ:*:**']");

    expect(200, call(f, NULL, "GET", "/v1/roles/admin", NULL));
    for (int local = 0; local < 2; local++) {
        const char *token = local ? NULL : all.token;

        expect(409, call(f, token, "PUT", "/v1/roles/admin", "{'allow': []}"));
        expect(409, call(f, token, "DELETE", "/v1/roles/admin", NULL));
        expect(409, call(f, token, "PUT", "/v1/subjects/local:0", "{'type': 'user', 'roles': []}"));
        expect(409,
               call(f, token, "PUT", "/v1/subjects/local%3A0", "{'type': 'user', 'roles': []}"));
        expect(409, call(f, token, "DELETE", "/v1/subjects/local:0", NULL));
    }
    /* A subject of the policy may hold the role. */
    expect(201, call(f, NULL, "PUT", "/v1/subjects/root", "{'type': 'user', 'roles': ['admin']}"));
    expect(200, call(f, issue(f, "root", "").token, "GET", "/v1/roles", NULL));
    fixture_free(f);
}

static void
only_the_owner_of_the_socket(void **state)
{
    struct fixture *f = fixture_new();
    struct api_caller caller = { .local = true };

    caller_of_socket(f->authority, 4711, &f->arena, &caller);
    assert_int_equal(caller.lineage.count, 0);
    assert_true(caller.refusal.size > 0);
    caller = (struct api_caller){ .local = true };
    caller_of_socket(f->authority, 0, &f->arena, &caller);
    assert_int_equal(caller.lineage.count, 1);
    assert_true(slice_is(caller.subject, "local:0"));
    fixture_free(f);
}

/* --- escalation ---------------------------------------------------------------------- */

#define WRITER "'writ:roles.write:*', 'writ:subjects.write:*', 'orders:GET:/v1/orders/**'"

static void
gives_what_it_holds(void **state)
{
    struct fixture *f = fixture_new();
    struct issued writer = with_rights(f, "writer", "[" WRITER "]");

    expect(201,
           call(f, writer.token, "PUT", "/v1/roles/low", "{'allow': ['orders:GET:/v1/orders/1']}"));
    expect(201,
           call(f, writer.token, "PUT", "/v1/subjects/kim", "{'type': 'user', 'roles': ['low']}"));
    expect(403, call(f, writer.token, "PUT", "/v1/roles/high",
                     "{'allow': ['orders:DELETE:/v1/orders/1']}"));
    assert_true(says(f, "don't hold it yourself"));
    expect(403, call(f, writer.token, "PUT", "/v1/roles/high", "{'allow': ['orders:GET:/v1/**']}"));
    expect(403, call(f, writer.token, "PUT", "/v1/roles/high", "{'allow': ['*:*:**']}"));
    expect(403,
           call(f, writer.token, "PUT", "/v1/roles/high", "{'allow': ['writ:tokens.issue:*']}"));
    expect(
        403,
        call(
            f, writer.token, "PUT", "/v1/roles/high",
            "{'allow': [{'right': 'orders:DELETE:/v1/orders/1', 'when': {'proof': 'required'}}]}"));
    /* Nor by inheriting, nor by making itself somebody. */
    expect(403, call(f, writer.token, "PUT", "/v1/roles/high", "{'inherits': ['clerk']}"));
    expect(403, call(f, writer.token, "PUT", "/v1/subjects/writer",
                     "{'type': 'user', 'roles': ['writer', 'clerk']}"));
    expect(403, call(f, writer.token, "PUT", "/v1/subjects/kim",
                     "{'type': 'user', 'roles': ['admin']}"));
    expect(404, call(f, NULL, "GET", "/v1/roles/high", NULL));

    expect(200, call(f, NULL, "PUT", "/v1/roles/writer",
                     "{'allow': [" WRITER ", 'writ:roles.escalate:*']}"));
    expect(201, call(f, writer.token, "PUT", "/v1/roles/high",
                     "{'allow': ['orders:DELETE:/v1/orders/1']}"));
    fixture_free(f);
}

static void
a_condition_is_no_holding(void **state)
{
    struct fixture *f = fixture_new();
    struct issued writer =
        with_rights(f, "writer",
                    "['writ:roles.write:*', {'right': 'orders:GET:/v1/orders/**',"
                    " 'when': {'network': ['10.0.0.0/8']}}]");

    expect(403,
           call(f, writer.token, "PUT", "/v1/roles/low", "{'allow': ['orders:GET:/v1/orders/1']}"));
    fixture_free(f);
}

/* A narrowed token gives nothing beyond its scope; a child nothing that its parent
 * does not hold. */
static void
a_token_is_less_than_its_subject(void **state)
{
    struct fixture *f = fixture_new();
    struct issued narrow, parent, child;
    char more[96];

    with_rights(f, "writer", "[" WRITER "]");
    narrow = issue(f, "writer", ", 'scope': 'writ:roles.write:* orders:GET:/v1/orders/7'");
    expect(201,
           call(f, narrow.token, "PUT", "/v1/roles/low", "{'allow': ['orders:GET:/v1/orders/7']}"));
    expect(403,
           call(f, narrow.token, "PUT", "/v1/roles/low", "{'allow': ['orders:GET:/v1/orders/8']}"));
    parent = with_rights(f, "lesser", "['writ:roles.write:*']");
    snprintf(more, sizeof more, ", 'parent': '%s'", parent.id);
    child = issue(f, "writer", more);
    expect(403,
           call(f, child.token, "PUT", "/v1/roles/low", "{'allow': ['orders:GET:/v1/orders/7']}"));
    fixture_free(f);
}

static struct issued
denied_writer(struct fixture *f)
{
    with_rights(f, "writer", "[" WRITER "]");
    expect(200, call(f, NULL, "PUT", "/v1/roles/writer",
                     "{'allow': [" WRITER "], 'deny': ['orders:*:/v1/orders/secret/**']}"));
    return issue(f, "writer", "");
}

static void
denies_go_along(void **state)
{
    struct fixture *f = fixture_new();
    struct issued writer = denied_writer(f);

    expect(403, call(f, writer.token, "PUT", "/v1/roles/low",
                     "{'allow': ['orders:GET:/v1/orders/**']}"));
    assert_true(says(f, "without the deny"));
    expect(
        201,
        call(f, writer.token, "PUT", "/v1/roles/low",
             "{'allow': ['orders:GET:/v1/orders/**'], 'deny': ['orders:*:/v1/orders/secret/**']}"));
    expect(200,
           call(f, writer.token, "PUT", "/v1/roles/low",
                "{'allow': ['orders:GET:/v1/orders/**'], 'deny': ['orders:*:/v1/orders/**']}"));
    /* A deny that holds only sometimes is none. */
    expect(403,
           call(f, writer.token, "PUT", "/v1/roles/low",
                "{'allow': ['orders:GET:/v1/orders/**'], 'deny': [{'right':"
                " 'orders:*:/v1/orders/secret/**', 'when': {'time': {'until': '2000-01-01'}}}]}"));
    expect(403, call(f, writer.token, "PUT", "/v1/roles/low",
                     "{'allow': ['orders:GET:/v1/orders/**'], 'deny': "
                     "['orders:GET:/v1/orders/secret/**']}"));
    expect(201, call(f, writer.token, "PUT", "/v1/roles/mine", "{'inherits': ['writer']}"));
    fixture_free(f);
}

/* Who is denied something by a role does not write the deny away. */
static void
denies_are_not_lifted(void **state)
{
    struct fixture *f = fixture_new();
    struct issued writer = with_rights(f, "writer", "[" WRITER "]");

    expect(201,
           call(f, NULL, "PUT", "/v1/roles/restricted", "{'deny': ['orders:*:/v1/payments/**']}"));
    expect(200, call(f, NULL, "PUT", "/v1/subjects/amara",
                     "{'type': 'user', 'roles': ['reader', 'restricted']}"));
    expect(403, call(f, writer.token, "PUT", "/v1/roles/restricted", "{}"));
    assert_true(says(f, "can't take the deny"));
    expect(403, call(f, writer.token, "PUT", "/v1/roles/restricted",
                     "{'deny': [{'right': 'orders:*:/v1/payments/**', 'when': {'network': "
                     "['10.0.0.0/8']}}]}"));
    expect(403, call(f, writer.token, "PUT", "/v1/roles/restricted",
                     "{'deny': ['orders:GET:/v1/payments/**']}"));
    expect(403, call(f, writer.token, "PUT", "/v1/subjects/amara",
                     "{'type': 'user', 'roles': ['reader']}"));
    /* Further denies are anybody's, and what it holds it may give back. */
    expect(200, call(f, writer.token, "PUT", "/v1/roles/restricted",
                     "{'deny': ['orders:*:/v1/payments/**', 'orders:GET:/v1/orders/9']}"));
    expect(200, call(f, writer.token, "PUT", "/v1/roles/restricted",
                     "{'deny': ['orders:*:/v1/payments/**']}"));
    expect(200, call(f, NULL, "PUT", "/v1/roles/restricted", "{}"));
    fixture_free(f);
}

/* --- upstreams -------------------------------------------------------------------------- */

static void
own_addresses(void **state)
{
    static const char *const urls[] = {
        "http://127.0.0.1:7800", "http://localhost:7800/v1", "http://[::ffff:127.0.0.1]:7800",
        "http://0.0.0.0:7800",   "http://127.0.0.1:7880",    "http://127.9.9.9:7880",
        "http://[::1]:7880",     "https://127.0.0.1:7800",
    };
    struct fixture *f = fixture_new();
    char socket[256];

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (callf(f, NULL, "PUT", "/v1/upstreams/self", "{'type': 'http', 'url': '%s'}", urls[i]) !=
            403)
            fail_msg("%s: %u", urls[i], f->status);
        if (callf(f, NULL, "PUT", "/v1/upstreams/self",
                  "{'type': 'http', 'url': 'http://10.0.0.1', 'addresses': ['10.0.0.2:80', '%s']}",
                  strstr(urls[i], "//") + 2) == 201)
            fail_msg("address %s", urls[i]);
    }
    /* The socket is not there yet: its name is known all the same. */
    for (size_t i = 0; i < 3; i++) {
        static const char *const ways[] = { "data/writ.sock", "data/../data/writ.sock",
                                            "data/./writ.sock" };

        expect(403,
               callf(f, NULL, "PUT", "/v1/upstreams/self", "{'type': 'docker', 'url': 'unix://%s'}",
                     fixture_path(f, ways[i], socket)));
        assert_true(says(f, "own socket"));
    }
    expect(201, call(f, NULL, "PUT", "/v1/upstreams/other",
                     "{'type': 'http', 'url': 'http://127.0.0.1:7801'}"));
    fixture_free(f);
}

static void
files_are_local(void **state)
{
    static const char *const bodies[] = {
        "{'type': 'docker', 'url': 'unix:///run/docker.sock'}",
        "{'type': 'redis', 'address': '/run/redis.sock'}",
        "{'type': 'http', 'url': 'https://h', 'tls': {'ca': '/etc/ssl/ca.pem'}}",
        "{'type': 'http', 'url': 'https://h', 'tls': {'cert': 'c', 'key': 'k'}}",
        "{'type': 'postgres', 'address': 'h:5432', 'login': {'password_file': '/etc/s'}}",
        "{'type': 'postgres', 'address': 'h:5432', 'login': [{'password_file': '/etc/shadow'}]}",
        "{'type': 'postgres', 'address': 'h:5432', 'login': {'command': 'id'}}",
    };
    struct fixture *f = fixture_new();
    struct issued remote = with_rights(f, "remote", "['writ:*:**']");

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        if (call(f, remote.token, "PUT", "/v1/upstreams/it", bodies[i]) != 403)
            fail_msg("%s: %u %s", bodies[i], f->status, text(f, "detail"));
        expect(403, callf(f, remote.token, "POST", "/v1/apply",
                          "{'files': [{'name': 'p', 'text': 'upstreams: {it: %s}'}]}",
                          "{type: docker, url: \\\"unix:///run/docker.sock\\\"}"));
    }
    expect(201, call(f, NULL, "PUT", "/v1/upstreams/it", bodies[0]));
    expect(403, call(f, remote.token, "POST", "/v1/backup", "{'path': '/tmp/copy.db'}"));
    expect(403, call(f, remote.token, "POST", "/v1/reload", ""));
    fixture_free(f);
}

static void
wrong_upstreams(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "{'type': 'http'}",
        "{'type': 'gopher', 'url': 'http://h'}",
        "{'type': 'http', 'url': 5}",
        "{'type': 'http', 'url': 'nonsense'}",
        "{'type': 'http', 'url': 'http://user@h'}",
        "{'type': 'http', 'url': 'http://h?x'}",
        "{'type': 'http', 'url': 'http://h:99999'}",
        "{'type': 'http', 'url': 'http://h', 'address': 'h:1'}",
        "{'type': 'http', 'address': 'h:1'}",
        "{'type': 'http', 'url': 'http://h', 'addresses': []}",
        "{'type': 'http', 'url': 'http://h', 'addresses': ['a:b:c']}",
        "{'type': 'http', 'url': 'http://h', 'timeouts': {'connect': 5}}",
        "{'type': 'http', 'url': 'http://h', 'timeouts': {'conect': '5s'}}",
        "{'type': 'http', 'url': 'http://h', 'api_key': 'yes'}",
        "{'type': 'http', 'url': 'http://h', 'path_params': 'maybe'}",
        "{'type': 'http', 'url': 'http://h', 'tls': {'verify': false}}",
        "{'type': 'http', 'url': 'http://h', 'plugin': 'x'}",
    };
    static const char *const names[] = { "writ",    "check",  "healthz", "readyz",
                                         "metrics", "Orders", "a.b",     "-x" };
    struct fixture *f = fixture_new();
    char path[64];

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        if (call(f, NULL, "PUT", "/v1/upstreams/it", bodies[i]) != 400)
            fail_msg("%s: %u %s", bodies[i], f->status, text(f, "detail"));
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "/v1/upstreams/%s", names[i]);
        if (call(f, NULL, "PUT", path, "{'type': 'http', 'url': 'http://h'}") != 400)
            fail_msg("%s: %u", names[i], f->status);
    }
    fixture_free(f);
}

static void
one_host_one_upstream(void **state)
{
    struct fixture *f = fixture_new();

    expect(201, call(f, NULL, "PUT", "/v1/upstreams/shop",
                     "{'type': 'http', 'url': 'http://h', 'host': 'shop.example'}"));
    expect(409, call(f, NULL, "PUT", "/v1/upstreams/aaa",
                     "{'type': 'http', 'url': 'http://evil', 'host': 'Shop.Example'}"));
    assert_true(says(f, "belongs to the upstream shop"));
    expect(200, call(f, NULL, "PUT", "/v1/upstreams/shop",
                     "{'type': 'http', 'url': 'http://h2', 'host': 'shop.example'}"));
    expect(204, call(f, NULL, "DELETE", "/v1/upstreams/shop", NULL));
    expect(201, call(f, NULL, "PUT", "/v1/upstreams/aaa",
                     "{'type': 'http', 'url': 'http://h', 'host': 'shop.example'}"));
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(lists_by_page),
        cmocka_unit_test(wrong_definitions),
        cmocka_unit_test(built_in),
        cmocka_unit_test(only_the_owner_of_the_socket),
        cmocka_unit_test(gives_what_it_holds),
        cmocka_unit_test(a_condition_is_no_holding),
        cmocka_unit_test(a_token_is_less_than_its_subject),
        cmocka_unit_test(denies_go_along),
        cmocka_unit_test(denies_are_not_lifted),
        cmocka_unit_test(own_addresses),
        cmocka_unit_test(files_are_local),
        cmocka_unit_test(wrong_upstreams),
        cmocka_unit_test(one_host_one_upstream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
