/* test/unit/gateway/docker.c - what a request to the Docker Engine is, before anybody is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "docker/body.h"
#include "docker/endpoints.h"
#include "docker/reference.h"
#include "http/query.h"

static struct arena arena;

static int
set_up(void **state)
{
    arena_init(&arena, 1 << 20);
    return 0;
}

static int
tear_down(void **state)
{
    arena_free(&arena);
    return 0;
}

static void
images_have_one_name(void **state)
{
    static const struct {
        const char *text, *name; /* NULL: it is none */
    } rows[] = {
        { "nginx", "docker.io/library/nginx:latest" },
        { "nginx:1.2", "docker.io/library/nginx:1.2" },
        { "library/nginx", "docker.io/library/nginx:latest" },
        { "docker.io/nginx", "docker.io/library/nginx:latest" },
        { "index.docker.io/library/nginx:1", "docker.io/library/nginx:1" },
        { "acme/app", "docker.io/acme/app:latest" },
        { "registry:5000/app", "registry:5000/app:latest" },
        { "localhost/app:x", "localhost/app:x" },
        { "ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1" },
        { "nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
          "docker.io/library/"
          "nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
        { "nginx:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
          "docker.io/library/"
          "nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
        { "cafe", "sha256:cafe" }, /* may be the beginning of an id */
        { "sha256:cafe", "sha256:cafe" },
        { "", NULL },
        { "Nginx", NULL },
        { "nginx:", NULL },
        { "nginx:.x", NULL },
        { "nginx@sha256:12", NULL },
        { "a//b", NULL },
        { "-a", NULL },
        { "a/../b", NULL },
        { "nginx:1:2", NULL },
        { "a b", NULL },
        { "nginx*", NULL },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice name, again;
        bool found = docker_reference(slice_text(rows[i].text), &arena, &name);

        if (found != (rows[i].name != NULL) || (found && !slice_is(name, rows[i].name)))
            fail_msg("%s: %.*s", rows[i].text, found ? (int)name.size : 4,
                     found ? name.at : "none");
        if (found)
            assert_true(docker_reference(name, &arena, &again) && slice_equal(name, again));
    }
}

static void
host_paths_are_clean(void **state)
{
    static const char *const rows[][2] = {
        { "/", "/" },
        { "/srv", "/srv" },
        { "//srv//a/", "/srv/a" },
        { "/srv/../etc", "/etc" },
        { "/srv/./a", "/srv/a" },
        { "/../../etc", "/etc" },
        { "/a/b/../../..", "/" },
        { "srv", NULL },
        { "", NULL },
        { "../etc", NULL },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice path;
        bool found = body_host_path(slice_text(rows[i][0]), &arena, &path);

        if (found != (rows[i][1] != NULL) || (found && !slice_is(path, rows[i][1])))
            fail_msg("%s", rows[i][0]);
    }
}

static void
parameters_have_one_value(void **state)
{
    static const struct {
        const char *query;
        enum query_found found;
        const char *value;
    } rows[] = {
        { "", QUERY_ABSENT, "" },
        { "name=a", QUERY_FOUND, "a" },
        { "x=1&name=a%2Db&y", QUERY_FOUND, "a-b" },
        { "n%61me=a", QUERY_FOUND, "a" },
        { "name", QUERY_FOUND, "" },
        { "name=a+b", QUERY_FOUND, "a b" },
        { "name=a&name=b", QUERY_AMBIGUOUS, "" },
        { "name=a&n%61me=b", QUERY_AMBIGUOUS, "" },
        { "name=%zz", QUERY_AMBIGUOUS, "" },
        { "name=%0", QUERY_AMBIGUOUS, "" },
        { "name=%00", QUERY_AMBIGUOUS, "" },
        { "Name=a", QUERY_ABSENT, "" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice value = { 0 };

        if (query_find(slice_text(rows[i].query), "name", &arena, &value) != rows[i].found ||
            (rows[i].found == QUERY_FOUND && !slice_is(value, rows[i].value)))
            fail_msg("%s", rows[i].query);
    }
    assert_true(slice_is(query_replace(SLICE_LITERAL("a=1&container=x&b=2"), "container",
                                       SLICE_LITERAL("id"), &arena),
                         "container=id&a=1&b=2"));
    assert_false(query_is_clear(SLICE_LITERAL("a=1;b=2")));
}

static void
endpoints_are_known(void **state)
{
    static const struct {
        const char *method, *path, *action, *name; /* action NULL: none */
    } rows[] = {
        { "GET", "/v1.41/containers/json", "containers.list", "" },
        { "GET", "/containers/json/json", "containers.inspect", "json" },
        { "POST", "/v1.47/containers/web/exec", "containers.exec", "web" },
        { "GET", "/images/docker.io/library/nginx:1/json", "images.inspect",
          "docker.io/library/nginx:1" },
        { "GET", "/images/json", "images.list", "" },
        { "DELETE", "/images/a/b", "images.remove", "a/b" },
        { "GET", "/containers/a/b/json", NULL, "" },
        { "PATCH", "/containers/json", NULL, "" },
        { "GET", "/containers", NULL, "" },
        { "GET", "/v1.23/containers/json", NULL, "" },
        { "GET", "/v1/containers/json", NULL, "" },
        { "GET", "/v2.41/containers/json", NULL, "" },
        { "GET", "/V1.41/containers/json", NULL, "" },
        { "POST", "/containers//exec", NULL, "" },
        { "GET", "/", NULL, "" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct docker_path path;
        const char *why = "";
        bool found =
            docker_path_find(slice_text(rows[i].method), slice_text(rows[i].path), &path, &why);

        if (found != (rows[i].action != NULL))
            fail_msg("%s %s: %s", rows[i].method, rows[i].path, why);
        if (found) {
            assert_string_equal(path.endpoint->action, rows[i].action);
            assert_true(slice_is(path.name, rows[i].name));
        } else {
            assert_true(why[0] != '\0');
        }
    }
}

static void
queries_hold_nothing_else(void **state)
{
    static const struct {
        const char *method, *path, *query;
        const char *unknown; /* NULL: it is known; "": it can't be read */
    } rows[] = {
        { "GET", "/containers/json", "", NULL },
        { "GET", "/containers/json", "all=1&filters=%7B%7D", NULL },
        { "GET", "/containers/json", "&all=1&", NULL },
        { "GET", "/containers/json", "All=1", "All" },
        { "GET", "/containers/json", "al=1", "al" },
        { "GET", "/containers/json", "all filters=1", "all filters" },
        { "GET", "/containers/json", "all=1&%6e=1", "n" },
        { "GET", "/containers/json", "all=%zz", "" },
        { "GET", "/events", "filters=x/LibPod/", "/libpod" },
        { "GET", "/info", "x=1", "x" },
        { "POST", "/build", "t=a&dockerfile=D", NULL },
        { "POST", "/build", "t=a&secrets=x", "secrets" },
        { "POST", "/images/create", "fromImage=a&tag=1&changes=A&changes=B", NULL },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct docker_path path;
        struct slice unknown;
        const char *why;

        assert_true(
            docker_path_find(slice_text(rows[i].method), slice_text(rows[i].path), &path, &why));
        bool known =
            docker_query_is_known(path.endpoint, slice_text(rows[i].query), &arena, &unknown);
        if (known != (rows[i].unknown == NULL) || (!known && !slice_is(unknown, rows[i].unknown)))
            fail_msg("%s?%s", rows[i].path, rows[i].query);
    }
}

/* The facts as "name=text" with a blank between and a "!" before each that is guarded; "wrong". */
static const char *
facts_of(enum docker_body what, const char *text)
{
    static char line[1024];
    struct body_facts facts = { .arena = &arena };
    struct slice name;
    json_t *json;
    size_t size = 0;

    assert_int_equal(json_read(slice_text(text), &json, NULL), STATUS_OK);
    line[0] = '\0';
    if (!docker_body_read(what, json, &facts, &name))
        size = (size_t)snprintf(line, sizeof line, "wrong");
    for (size_t i = 0; facts.wrong == NULL && i < facts.count; i++)
        size +=
            (size_t)snprintf(line + size, sizeof line - size, "%s%s%.*s=%.*s", size > 0 ? " " : "",
                             facts.facts[i].guarded ? "!" : "", SLICE_PRINT(facts.facts[i].name),
                             SLICE_PRINT(facts.facts[i].text));
    json_decref(json);
    return line;
}

static void
bodies_say_what_they_ask_for(void **state)
{
    static const struct {
        enum docker_body what;
        const char *body, *facts;
    } rows[] = {
        { DOCKER_BODY_UPDATE, "{\"Binds\":[\"v:/a:ro,z\",\"/b\"]}", "" },
        { DOCKER_BODY_UPDATE, "{\"Binds\":[\"/a:/a\"]}", "!mount=/a:rw" },
        { DOCKER_BODY_UPDATE, "{\"Binds\":[\"/a:/a:rslave,ro\"]}", "!mount=/a:ro" },
        { DOCKER_BODY_UPDATE, "{\"Binds\":[\"..:/a\"]}", "wrong" },
        { DOCKER_BODY_UPDATE, "{\"Binds\":[\"v:/a:O\"]}", "wrong" },
        { DOCKER_BODY_UPDATE, "{\"Binds\":[\"v:\"]}", "wrong" },
        { DOCKER_BODY_UPDATE, "{\"Binds\":[\"b\"]}", "wrong" },
        { DOCKER_BODY_UPDATE,
          "{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true,"
          "\"BindOptions\":{\"ReadOnlyNonRecursive\":true}}]}",
          "!mount=/a:rw" },
        { DOCKER_BODY_UPDATE, "{\"Devices\":[{\"PathOnHost\":\"/dev/null\"}]}",
          "!device=/dev/null" },
        { DOCKER_BODY_UPDATE, "{\"Devices\":[{\"PathOnHost\":\"/dev/mem:/../null\"}]}", "wrong" },
        { DOCKER_BODY_UPDATE, "{\"DeviceRequests\":[{\"DeviceIDs\":[\"0\"]}]}", "!device=request" },
        { DOCKER_BODY_UPDATE, "{\"DeviceRequests\":[{\"DeviceIDs\":[\"/dev/mem\"]}]}", "wrong" },
        { DOCKER_BODY_UPDATE, "{\"Tmpfs\":{\"/t\":\"size=1m,rw\"}}", "" },
        { DOCKER_BODY_UPDATE, "{\"Tmpfs\":{\"/t\":\"rbind\"}}", "wrong" },
        { DOCKER_BODY_UPDATE, "{\"StorageOpt\":{\"size\":\"1G\",\"x\":\"y\"}}",
          "!option=StorageOpt=x" },
        { DOCKER_BODY_UPDATE, "{\"LogConfig\":{\"Config\":{\"max-size\":\"1\",\"path\":\"/x\"}}}",
          "!option=LogConfig=path" },
        { DOCKER_BODY_EXEC, "{\"Cmd\":[\"env\"],\"Env\":[\"A=b\",\"H\"]}",
          "command=env !option=Env=H" },
        { DOCKER_BODY_NETWORK, "{\"Name\":\"n\",\"Options\":{},\"IPAM\":{\"Driver\":\"default\"}}",
          "" },
        { DOCKER_BODY_NETWORK, "{\"Name\":\"n\",\"Options\":{\"parent\":\"eth0\"}}",
          "!option=Options=parent" },
        { DOCKER_BODY_CONNECT, "{\"Container\":\"c\",\"EndpointConfig\":{\"NetworkID\":\"\"}}",
          "" },
        { DOCKER_BODY_CONNECT, "{\"Container\":\"c\",\"EndpointConfig\":{\"NetworkID\":\"x\"}}",
          "!network=x" },
        { DOCKER_BODY_CONNECT, "{\"Container\":\"c\",\"EndpointConfig\":{\"networkid\":\"x\"}}",
          "wrong" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *facts = facts_of(rows[i].what, rows[i].body);

        if (strcmp(facts, rows[i].facts) != 0)
            fail_msg("%s: %s", rows[i].body, facts);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(images_have_one_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(host_paths_are_clean, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parameters_have_one_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(endpoints_are_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queries_hold_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bodies_say_what_they_ask_for, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
