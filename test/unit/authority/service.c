/* authority/service - the node about itself, its keys, and what stays when it is
 * opened again. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- the description ------------------------------------------------------------------- */

static void
openapi_is_the_table(void **state)
{
    struct fixture *f = fixture_new();
    size_t rows, operations = 0;
    const struct route *table = routes(&rows);
    const json_t *paths, *path, *operation;
    const char *name, *method;

    expect(200, call(f, "", "GET", "/openapi.json", NULL));
    assert_string_equal(text(f, "openapi"), "3.1.0");
    paths = json_object_get(f->body, "paths");
    for (size_t i = 0; i < rows; i++) {
        char small[8] = { 0 };
        const char *parameter = strchr(table[i].pattern, '{');
        size_t parameters = 0;

        for (size_t k = 0; table[i].method[k] != '\0'; k++)
            small[k] = (char)(table[i].method[k] | 0x20);
        operation = json_object_get(json_object_get(paths, table[i].pattern), small);
        if (operation == NULL)
            fail_msg("%s %s is not described", table[i].method, table[i].pattern);
        assert_string_equal(json_string_value(json_object_get(operation, "summary")),
                            table[i].summary);
        assert_int_equal(json_object_get(operation, "security") != NULL, table[i].action != NULL);
        if (table[i].action != NULL)
            assert_string_equal(json_string_value(json_object_get(operation, "x-writ-action")),
                                table[i].action);
        for (; parameter != NULL; parameter = strchr(parameter + 1, '{'))
            parameters++;
        assert_int_equal(json_array_size(json_object_get(operation, "parameters")), parameters);
    }
    json_object_foreach((json_t *)(uintptr_t)paths, name, path)
        json_object_foreach((json_t *)(uintptr_t)path, method, operation) operations++;
    assert_int_equal(operations, rows);
    fixture_free(f);
}

/* "/v1/roles/x" of "/v1/roles/{name}". */
static void
fill_path(const char *pattern, char path[128])
{
    for (; *pattern != '\0'; pattern++) {
        *path++ = *pattern == '{' ? 'x' : *pattern;
        if (*pattern == '{')
            pattern = strchr(pattern, '}');
    }
    *path = '\0';
}

static void
every_route_has_its_guard(void **state)
{
    static const char *const open[] = { "/healthz", "/readyz", "/openapi.json" };
    struct fixture *f = fixture_new();
    struct issued nobody;
    size_t rows;
    const struct route *table = routes(&rows);

    expect(201, call(f, NULL, "PUT", "/v1/subjects/nobody", "{'type': 'user', 'roles': []}"));
    nobody = issue(f, "nobody", "");
    for (size_t i = 0; i < rows; i++) {
        bool is_open = false;
        char path[128];

        for (size_t k = 0; k < sizeof open / sizeof open[0]; k++)
            is_open = is_open || strcmp(table[i].pattern, open[k]) == 0;
        fill_path(table[i].pattern, path);
        assert_int_equal(call(f, "", table[i].method, path, "") == 200, is_open);
        if (is_open)
            continue;
        assert_int_equal(f->status, 401);
        if (call(f, nobody.token, table[i].method, path, "") != 403)
            fail_msg("%s %s: %u without any right", table[i].method, path, f->status);
    }
    fixture_free(f);
}

static void
unknown_paths(void **state)
{
    struct fixture *f = fixture_new();

    expect(404, call(f, NULL, "GET", "/", NULL));
    expect(404, call(f, NULL, "GET", "/v1/tokens/", NULL));
    expect(404, call(f, NULL, "GET", "/v1/tokens/a/b/c", NULL));
    expect(404, call(f, NULL, "GET", "/V1/tokens", NULL));
    expect(405, call(f, NULL, "PATCH", "/v1/tokens", NULL));
    assert_true(slice_is(f->outcome.allow, "POST, GET"));
    fixture_free(f);
}

static void
health_and_metrics(void **state)
{
    struct fixture *f = fixture_new();

    expect(200, call(f, "", "GET", "/healthz", NULL));
    expect(200, call(f, "", "GET", "/readyz", NULL));
    issue(f, "amara", "");
    expect(200, call(f, NULL, "GET", "/metrics", NULL));
    /* The arena's copies end with a NUL. */
    assert_non_null(strstr(f->answer.text.at, "\nwrit_tokens 1\n"));
    assert_non_null(strstr(f->answer.text.at, "writ_of_the_app 1"));
    expect(401, call(f, "", "GET", "/metrics", NULL));
    fixture_free(f);
}

/* --- keys ---------------------------------------------------------------------------------- */

static void
sweep(struct fixture *f)
{
    do
        housekeeping_sweep(f->authority, f->now);
    while (f->authority->sweep != NULL);
}

static void
keys_turn(void **state)
{
    struct fixture *f = fixture_new();
    struct issued old = issue(f, "amara", ", 'ttl': '1h'"), next;

    expect(200, call(f, NULL, "POST", "/v1/keys/rotate", "{}"));
    next = issue(f, "amara", ", 'ttl': '3h'");
    assert_int_equal(verdict(f, old.token), CREDENTIAL_OK);
    assert_int_equal(verdict(f, next.token), CREDENTIAL_OK);
    sweep(f);
    assert_int_equal(f->authority->keys.ring_count, 2);
    fixture_reopen(f);
    assert_int_equal(f->authority->keys.ring_count, 2);
    assert_int_equal(verdict(f, old.token), CREDENTIAL_OK);
    assert_int_equal(verdict(f, next.token), CREDENTIAL_OK);
    /* The old key goes with its last token, the newest stays without one. */
    f->now += 2 * MS_HOUR;
    sweep(f);
    assert_int_equal(f->authority->keys.ring_count, 1);
    assert_int_equal(verdict(f, next.token), CREDENTIAL_OK);
    f->now += 2 * MS_HOUR;
    sweep(f);
    fixture_reopen(f);
    assert_int_equal(f->authority->keys.ring_count, 1);
    assert_int_equal(verdict(f, issue(f, "amara", "").token), CREDENTIAL_OK);
    fixture_free(f);
}

static void
the_ring_has_an_end(void **state)
{
    struct fixture *f = fixture_new();
    unsigned turns = 0;

    do
        issue(f, "amara", "");
    while (call(f, NULL, "POST", "/v1/keys/rotate", "{}") == 200 && ++turns < 100);
    assert_int_equal(f->status, 429);
    assert_int_equal(turns, KEYRING_MAX - 1);
    fixture_free(f);
}

static enum status
open_again(struct fixture *f, struct fault *fault)
{
    struct authority_options options = f->authority->options;
    struct authority *second = NULL;
    struct world *world;
    enum status status;

    assert_int_equal(world_new(&world), STATUS_OK);
    options.world = world;
    status = authority_open(&options, &second, fault);
    if (status == STATUS_OK)
        authority_close(second);
    world_free(world);
    return status;
}

static void
one_process_owns_the_data(void **state)
{
    struct fixture *f = fixture_new();
    struct fault fault = { 0 };

    assert_int_equal(open_again(f, &fault), STATUS_CONFLICT);
    assert_true(fault.text[0] != '\0');
    fixture_free(f);
}

/* A lost key is said; none is made in its place, which would open nothing. */
static void
a_lost_key(void **state)
{
    struct fixture *f = fixture_new();
    struct authority_options options = f->authority->options;
    struct authority *second = NULL;
    struct fault fault = { 0 };
    char key[256], away[256];

    fixture_path(f, "data/key", key);
    fixture_path(f, "away", away);
    authority_settle(f->authority);
    audit_close(f->audit);
    authority_close(f->authority);
    lane_free(f->lane);
    world_free(f->world);
    f->authority = NULL;
    assert_int_equal(rename(key, away), 0);
    assert_int_equal(world_new(&f->world), STATUS_OK);
    options.world = f->world;
    assert_int_not_equal(authority_open(&options, &second, &fault), STATUS_OK);
    assert_non_null(strstr(fault.text, "key"));
    assert_int_not_equal(access(key, F_OK), 0);
    world_free(f->world);
    assert_int_equal(rename(away, key), 0);
    fixture_reopen(f);
    expect(200, call(f, NULL, "GET", "/v1/roles/reader", NULL));
    fixture_free(f);
}

/* --- opened again ----------------------------------------------------------------------------- */

static void
everything_is_there(void **state)
{
    struct fixture *f = fixture_new();
    struct issued kept = issue(f, "ben", ", 'scope': 'orders:GET:/v1/orders/*', 'name': 'kept'");
    struct issued gone = issue(f, "amara", "");
    char path[64];
    char *before, *after;

    snprintf(path, sizeof path, "/v1/tokens/%s", gone.id);
    expect(200, call(f, NULL, "DELETE", path, NULL));
    snprintf(path, sizeof path, "/v1/tokens/%s", kept.id);
    expect(200, call(f, NULL, "GET", path, NULL));
    before = json_dumps(f->body, JSON_SORT_KEYS);
    fixture_reopen(f);
    expect(200, call(f, NULL, "GET", path, NULL));
    after = json_dumps(f->body, JSON_SORT_KEYS);
    assert_string_equal(before, after);
    assert_int_equal(verdict(f, kept.token), CREDENTIAL_OK);
    assert_int_equal(verdict(f, gone.token), CREDENTIAL_REVOKED);
    assert_true(allowed(f, kept.token, "orders:GET:/v1/orders/1"));
    assert_false(allowed(f, kept.token, "orders:GET:/v1/payments/1"));
    expect(200, call(f, NULL, "GET", "/v1/upstreams/orders", NULL));
    expect(200, call(f, NULL, "GET", "/v1/audit?action=tokens.revoke", NULL));
    assert_int_equal(json_array_size(json_object_get(f->body, "items")), 1);
    free(before);
    free(after);
    fixture_free(f);
}

static void
a_claimed_use_is_durable(void **state)
{
    struct fixture *f = fixture_new();
    struct issued once = issue(f, "amara", ", 'max_uses': 1");
    struct token_id id;
    struct hop_id hop;
    bool has_hop;
    enum use_verdict use;

    assert_int_equal(token_id_parse(slice_text(once.id), &id, &hop, &has_hop), STATUS_OK);
    assert_int_equal(authority_claim(f->authority, &id, &use), STATUS_OK);
    assert_int_equal(use, USE_TAKEN);
    assert_int_equal(authority_claim(f->authority, &id, &use), STATUS_OK);
    assert_int_equal(use, USE_EXHAUSTED);
    fixture_reopen(f);
    assert_int_equal(verdict(f, once.token), CREDENTIAL_EXHAUSTED);
    assert_int_equal(authority_claim(f->authority, &id, &use), STATUS_OK);
    assert_int_equal(use, USE_EXHAUSTED);
    fixture_free(f);
}

/* Dead tokens are remembered for a while, then forgotten; the first of a line not
 * before its last. */
static void
the_long_dead_are_forgotten(void **state)
{
    struct fixture *f = fixture_new();
    struct issued dead = issue(f, "amara", ", 'ttl': '1h'"),
                  line = issue(f, "ben", ", 'ttl': '7d'"), first = line;
    char path[96];

    for (int i = 0; i < 6; i++) {
        f->now += 6 * MS_DAY;
        snprintf(path, sizeof path, "/v1/tokens/%s/rotate", line.id);
        expect(201, call(f, NULL, "POST", path, "{'grace': '0s'}"));
        snprintf(line.id, sizeof line.id, "%s", text(f, "id"));
        snprintf(line.token, sizeof line.token, "%s", text(f, "token"));
    }
    sweep(f);
    snprintf(path, sizeof path, "/v1/tokens/%s", dead.id);
    expect(404, call(f, NULL, "GET", path, NULL));
    snprintf(path, sizeof path, "/v1/tokens/%s", first.id);
    expect(200, call(f, NULL, "GET", path, NULL));
    assert_int_equal(verdict(f, line.token), CREDENTIAL_OK);
    f->now += 38 * MS_DAY;
    sweep(f);
    expect(404, call(f, NULL, "GET", path, NULL));
    assert_int_equal(world_token_count(f->world), 0);
    fixture_reopen(f);
    assert_int_equal(world_token_count(f->world), 0);
    fixture_free(f);
}

static void
backup(void **state)
{
    struct fixture *f = fixture_new();
    char path[256];

    expect(400, call(f, NULL, "POST", "/v1/backup", "{}"));
    expect(400, call(f, NULL, "POST", "/v1/backup", "{'path': 'copy.db'}"));
    expect(200, callf(f, NULL, "POST", "/v1/backup", "{'path': '%s'}",
                      fixture_path(f, "copy.db", path)));
    assert_int_equal(access(path, R_OK), 0);
    expect(409, callf(f, NULL, "POST", "/v1/backup", "{'path': '%s'}", path));
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openapi_is_the_table),
        cmocka_unit_test(every_route_has_its_guard),
        cmocka_unit_test(unknown_paths),
        cmocka_unit_test(health_and_metrics),
        cmocka_unit_test(keys_turn),
        cmocka_unit_test(the_ring_has_an_end),
        cmocka_unit_test(one_process_owns_the_data),
        cmocka_unit_test(a_lost_key),
        cmocka_unit_test(everything_is_there),
        cmocka_unit_test(a_claimed_use_is_durable),
        cmocka_unit_test(the_long_dead_are_forgotten),
        cmocka_unit_test(backup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
