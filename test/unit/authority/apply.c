/* authority/apply - policy files: the difference, all or nothing, who owns what, faults
 * with their place, and what was applied before. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

static const char base_policy[] =
    "upstreams:\n"
    "  orders: {type: http, url: \"http://127.0.0.1:9000\"}\n"
    "roles:\n"
    "  reader: {allow: [\"orders:GET:/v1/**\"]}\n"
    "  clerk: {inherits: [reader], allow: [\"orders:POST:/v1/orders\"]}\n"
    "subjects:\n"
    "  amara: {type: user, roles: [reader]}\n";

static json_t *
file_json(const char *name, const char *text_)
{
    return json_pack("{s:s, s:s}", "name", name, "text", text_);
}

static unsigned
apply_list(struct fixture *f, const char *token, json_t *files, bool dry_run)
{
    json_t *body = json_pack("{s:o, s:b}", "files", files, "dry_run", dry_run);
    char *written = json_dumps(body, JSON_COMPACT);
    unsigned status;

    /* No quote of YAML may be taken for one of JSON. */
    assert_null(strchr(written, '\''));
    status = call(f, token, "POST", "/v1/apply", written);
    free(written);
    json_decref(body);
    return status;
}

static unsigned
apply(struct fixture *f, const char *token, const char *text_)
{
    return apply_list(f, token, json_pack("[o]", file_json("/etc/writ/policy.yaml", text_)), false);
}

static size_t
count(const struct fixture *f, const char *member)
{
    return json_array_size(json_object_get(f->body, member));
}

static bool
lists(const struct fixture *f, const char *member, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(f->body, member), i, item)
    {
        if (strcmp(json_string_value(item), name) == 0)
            return true;
    }
    return false;
}

static void
difference(void **state)
{
    struct fixture *f = fixture_bare(NULL);

    expect(200, apply_list(f, NULL, json_pack("[o]", file_json("/p", base_policy)), true));
    assert_int_equal(count(f, "created"), 4);
    assert_true(json_is_true(json_object_get(f->body, "dry_run")));
    expect(404, call(f, NULL, "GET", "/v1/roles/reader", NULL));

    expect(200, apply_list(f, NULL, json_pack("[o]", file_json("/p", base_policy)), false));
    assert_int_equal(count(f, "created"), 4);
    assert_true(lists(f, "created", "roles/clerk"));
    expect(200, call(f, NULL, "GET", "/v1/roles/reader", NULL));
    assert_string_equal(text(f, "owner"), "/p");

    /* The same again changes nothing, and nobody waits. */
    expect(200, apply_list(f, NULL, json_pack("[o]", file_json("/p", base_policy)), false));
    assert_int_equal(json_integer_value(json_object_get(f->body, "unchanged")), 4);
    assert_int_equal(count(f, "created") + count(f, "changed") + count(f, "removed"), 0);

    expect(200,
           apply_list(
               f, NULL,
               json_pack("[o]",
                         file_json("/p", "roles:\n  reader: {allow: [\"orders:GET:/v2/**\"]}\n")),
               false));
    assert_true(lists(f, "changed", "roles/reader"));
    assert_true(lists(f, "removed", "roles/clerk"));
    assert_true(lists(f, "removed", "subjects/amara"));
    assert_true(lists(f, "removed", "upstreams/orders"));
    expect(404, call(f, NULL, "GET", "/v1/subjects/amara", NULL));
    fixture_free(f);
}

static void
only_its_own(void **state)
{
    struct fixture *f = fixture_bare(NULL);

    expect(201, call(f, NULL, "PUT", "/v1/roles/loose", "{'allow': ['orders:GET:/x']}"));
    expect(200, apply(f, NULL, base_policy));
    expect(200,
           apply_list(f, NULL, json_pack("[o]", file_json("/other", "roles:\n  b: {}\n")), false));
    /* A second file has its own; it can't take what another owns. */
    expect(409, apply_list(f, NULL, json_pack("[o]", file_json("/other", "roles:\n  reader: {}\n")),
                           false));
    assert_true(says(f, "/etc/writ/policy.yaml"));
    expect(200, apply(f, NULL, "{}"));
    assert_int_equal(count(f, "removed"), 4);
    expect(200, call(f, NULL, "GET", "/v1/roles/loose", NULL));
    expect(200, call(f, NULL, "GET", "/v1/roles/b", NULL));
    /* What the API made, a file may take over. */
    expect(200, apply(f, NULL, "roles:\n  loose: {}\n"));
    expect(409, call(f, NULL, "PUT", "/v1/roles/loose", "{}"));
    expect(409, call(f, NULL, "DELETE", "/v1/roles/loose", NULL));
    assert_true(says(f, "/etc/writ/policy.yaml"));
    fixture_free(f);
}

static void
several_files(void **state)
{
    static const char with[] = "roles:\n  r: {allow: [\"orders:GET:/x\"]}\n",
                      without[] = "roles: {}\n";
    struct fixture *f = fixture_bare(NULL);

    expect(200,
           apply_list(f, NULL, json_pack("[oo]", file_json("/a", with), file_json("/b", without)),
                      false));
    /* An entry moves from one file to the other. */
    expect(200,
           apply_list(f, NULL, json_pack("[oo]", file_json("/a", without), file_json("/b", with)),
                      false));
    assert_int_equal(count(f, "removed"), 0);
    expect(200, call(f, NULL, "GET", "/v1/roles/r", NULL));
    assert_string_equal(text(f, "owner"), "/b");
    expect(400, apply_list(f, NULL, json_pack("[oo]", file_json("/a", with), file_json("/b", with)),
                           false));
    assert_true(says(f, "stands in"));
    expect(400,
           apply_list(f, NULL, json_pack("[oo]", file_json("/a", with), file_json("/a", without)),
                      false));
    fixture_free(f);
}

/* Nothing of a wrong file is made, and the fault says where it is. */
static void
all_or_nothing(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *detail;
    } rows[] = {
        { "roles:\n  a: {}\n  bad: {allow: [\"orders GET\"]}\n", 3, "" },
        { "roles:\n  a: {}\nsubjects:\n  eve: {type: user, roles: [ghost]}\n", 4, "ghost" },
        { "roles:\n  a: {}\n  b: {inherits: [ghost]}\n", 3, "ghost" },
        { "roles:\n  a: {inherits: [b]}\n  b: {inherits: [a]}\n", 0, "circle" },
        { "roles:\n  a: {alow: []}\n", 2, "allow" },
        { "rolls: {}\n", 1, "roles" },
        { "roles:\n  a: {}\n  a: {}\n", 3, "" },
        { "roles: [a]\n", 1, "names and their definitions" },
        { "upstreams:\n  writ: {type: http, url: \"http://h\"}\n", 2, "reserved" },
        { "upstreams:\n  o: {type: http, url: \"http://127.0.0.1:7800\"}\n", 2, "Writ itself" },
        { "upstreams:\n  o:\n    type: http\n    url: nonsense\n", 4, "url" },
        { "subjects:\n  Eve: {type: user}\n", 2, "name" },
        { "subjects:\n  local:0: {type: user}\n", 2, "built in" },
        { "roles:\n  admin: {}\n", 2, "built in" },
        { "roles:\n  a: &x {}\n  b: *x\n", 2, "" },
        { "roles: [\n", 0, "" },
        { "just text\n", 0, "" },
    };
    struct fixture *f = fixture_bare(NULL);
    uint64_t seq = store_seq(f->authority->store);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned status = apply(f, NULL, rows[i].text);
        json_int_t line = json_integer_value(json_object_get(f->body, "line"));
        char place[64];

        if (status < 400 || status > 409)
            fail_msg("%s: %u", rows[i].text, status);
        snprintf(place, sizeof place, "/etc/writ/policy.yaml:%u:", rows[i].line);
        if ((rows[i].line != 0 && (line != rows[i].line || !says(f, place))) ||
            !says(f, rows[i].detail))
            fail_msg("%s: line %lld: %s", rows[i].text, (long long)line, text(f, "detail"));
        assert_int_equal(store_seq(f->authority->store), seq);
    }
    fixture_free(f);
}

static void
wrong_calls(void **state)
{
    struct fixture *f = fixture_bare(NULL);

    expect(400, call(f, NULL, "POST", "/v1/apply", ""));
    expect(400, call(f, NULL, "POST", "/v1/apply", "{'files': []}"));
    expect(400, call(f, NULL, "POST", "/v1/apply", "{'files': [5]}"));
    expect(400, call(f, NULL, "POST", "/v1/apply", "{'files': [{'name': 'x'}]}"));
    assert_string_equal(text(f, "pointer"), "/files/0");
    expect(400, call(f, NULL, "POST", "/v1/apply", "{'files': [{'name': 'x', 'text': 5}]}"));
    assert_string_equal(text(f, "pointer"), "/files/0/text");
    expect(400, call(f, NULL, "POST", "/v1/apply",
                     "{'files': [{'name': 'x', 'text': ''}], 'dry_run': 1}"));
    assert_string_equal(text(f, "pointer"), "/dry_run");
    fixture_free(f);
}

/* --- over HTTP -------------------------------------------------------------------------- */

static void
a_stranger_takes_over_no_file(void **state)
{
    struct fixture *f = fixture_bare(NULL);
    struct issued remote;

    expect(200, apply(f, NULL, base_policy));
    remote = with_rights(f, "remote", "['writ:*:**', 'orders:*:/**']");
    /* The very name of the local file owns nothing when it comes from elsewhere. */
    expect(409, apply(f, remote.token, "roles:\n  reader: {allow: [\"orders:*:/**\"]}\n"));
    expect(200, apply(f, remote.token, "{}"));
    assert_int_equal(count(f, "removed"), 0);
    expect(200, apply(f, remote.token, "roles:\n  mine: {}\n"));
    expect(200, call(f, NULL, "GET", "/v1/roles/mine", NULL));
    assert_string_equal(text(f, "owner"), "api:/etc/writ/policy.yaml");
    fixture_free(f);
}

static void
no_escalation_by_file(void **state)
{
    struct fixture *f = fixture_bare(NULL);
    struct issued applier =
        with_rights(f, "applier", "['writ:policy.apply:*', 'orders:GET:/v1/**']");

    expect(201, call(f, NULL, "PUT", "/v1/roles/strict", "{'deny': ['orders:*:/v1/payments/**']}"));
    expect(200, apply(f, applier.token, "roles:\n  low: {allow: [\"orders:GET:/v1/x\"]}\n"));
    expect(403, apply(f, applier.token, "roles:\n  high: {allow: [\"orders:DELETE:/v1/x\"]}\n"));
    assert_int_equal(json_integer_value(json_object_get(f->body, "line")), 2);
    expect(403, apply(f, applier.token, "subjects:\n  applier: {type: service, roles: [admin]}\n"));
    expect(403, apply(f, applier.token, "roles:\n  strict: {}\n"));
    expect(403, apply(f, applier.token,
                      "roles:\n  a: {inherits: [b]}\n  b: {allow: [\"writ:tokens.issue:*\"]}\n"));
    fixture_free(f);
}

/* --- at start and on reload ------------------------------------------------------------------ */

static void
at_start(void **state)
{
    static const char *const files[] = { "policy.yaml", NULL };
    struct fixture *f = fixture_bare(files);
    struct authority_settings settings;
    struct fault fault = { 0 };
    struct issued token;

    fixture_write(f, "policy.yaml", base_policy);
    fixture_reopen(f);
    token = issue(f, "amara", "");
    assert_true(allowed(f, token.token, "orders:GET:/v1/orders/1"));

    /* The operator applies a narrower text under the file's name; the file itself stays
     * as it was. A restart does not undo the narrowing: its digest was applied before. */
    char path[256];
    expect(200,
           apply_list(
               f, NULL,
               json_pack("[o]", file_json(fixture_path(f, "policy.yaml", path),
                                          "upstreams:\n"
                                          "  orders: {type: http, url: \"http://127.0.0.1:9000\"}\n"
                                          "roles:\n"
                                          "  reader: {allow: [\"orders:GET:/v1/orders/1\"]}\n"
                                          "subjects:\n"
                                          "  amara: {type: user, roles: [reader]}\n")),
               false));
    assert_false(allowed(f, token.token, "orders:GET:/v1/orders/2"));
    fixture_reopen(f);
    assert_false(allowed(f, token.token, "orders:GET:/v1/orders/2"));
    assert_true(allowed(f, token.token, "orders:GET:/v1/orders/1"));

    /* Asked to, it reads the file again. */
    settings = f->authority->options.settings;
    assert_int_equal(authority_reload(f->authority, &settings, &fault), STATUS_OK);
    assert_true(allowed(f, token.token, "orders:GET:/v1/orders/2"));

    /* A wrong file changes nothing. */
    fixture_write(f, "policy.yaml", "roles:\n  reader: {allow: 5}\n");
    assert_int_equal(authority_reload(f->authority, &settings, &fault), STATUS_INVALID);
    assert_non_null(strstr(fault.text, "policy.yaml:2:"));
    assert_true(allowed(f, token.token, "orders:GET:/v1/orders/2"));
    fixture_free(f);
}

static void
settings_come_into_force(void **state)
{
    struct fixture *f = fixture_new();
    struct authority_settings settings = f->authority->options.settings;
    struct fault fault = { 0 };

    settings.max_ttl_ms = settings.default_ttl_ms = MS_HOUR;
    expect(201, call(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara', 'ttl': '2h'}"));
    assert_int_equal(authority_reload(f->authority, &settings, &fault), STATUS_OK);
    expect(400, call(f, NULL, "POST", "/v1/tokens", "{'subject': 'amara', 'ttl': '2h'}"));
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(difference),
        cmocka_unit_test(only_its_own),
        cmocka_unit_test(several_files),
        cmocka_unit_test(all_or_nothing),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(a_stranger_takes_over_no_file),
        cmocka_unit_test(no_escalation_by_file),
        cmocka_unit_test(at_start),
        cmocka_unit_test(settings_come_into_force),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
