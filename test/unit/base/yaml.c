/* YAML: the safe subset, the types of scalars, and places for faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/yaml.h"

static struct yaml *
read_text(const char *text)
{
    struct fault fault = { 0 };
    struct yaml *yaml = NULL;

    if (yaml_read(slice_text(text), &yaml, &fault) != STATUS_OK)
        fail_msg("%u:%u %s", fault.line, fault.column, fault.text);
    return yaml;
}

static void
check(const char *text, const char *json)
{
    struct yaml *yaml = read_text(text);
    struct buffer out = { 0 };

    put_json(&out, yaml_root(yaml));
    put_u8(&out, '\0');
    assert_string_equal(out.bytes, json);
    buffer_free(&out);
    yaml_free(yaml);
}

static void
reads_trees(void **state)
{
    check("", "{}");
    check("# nothing\n", "{}");
    check("---\n", "{}");
    check("x", "\"x\"");
    check("a: {b: [1, two], c: }\nd:\n  - e: f\n",
          "{\"a\":{\"b\":[1,\"two\"],\"c\":null},\"d\":[{\"e\":\"f\"}]}");
    check("%YAML 1.1\n---\na: 1\n...\n", "{\"a\":1}");
    check("7: a\ntrue: b\n~: c\n\"q r\": d\n",
          "{\"7\":\"a\",\"true\":\"b\",\"~\":\"c\",\"q r\":\"d\"}");
    check("- right: orders:GET|HEAD:/v1/orders/**\n",
          "[{\"right\":\"orders:GET|HEAD:/v1/orders/**\"}]");
    check("a: |\n  two\n  lines\nb: >-\n  one\n  line\n",
          "{\"a\":\"two\\nlines\\n\",\"b\":\"one line\"}");
    check("\xef\xbb\xbf"
          "a: 1",
          "{\"a\":1}");
}

static void
types_scalars(void **state)
{
    check("[true, false, null, ~, 0, 7, -7, 9223372036854775807]",
          "[true,false,null,null,0,7,-7,9223372036854775807]");
    check("[yes, no, on, off, True, NULL, 007, +1, -0, 1_000, 0x1f, 0o7, 1.5, 1e3, .inf, 12:30,"
          " 9223372036854775808, -9223372036854775808, 2026-11-24, -]",
          "[\"yes\",\"no\",\"on\",\"off\",\"True\",\"NULL\",\"007\",\"+1\",\"-0\",\"1_000\","
          "\"0x1f\",\"0o7\",\"1.5\",\"1e3\",\".inf\",\"12:30\",\"9223372036854775808\","
          "\"-9223372036854775808\",\"2026-11-24\",\"-\"]");
    check("['true', \"7\", '', \"null\", '~']", "[\"true\",\"7\",\"\",\"null\",\"~\"]");
}

static void
refuses(void **state)
{
    static const struct {
        const char *text;
        unsigned line, column;
        const char *pointer;
    } wrong[] = {
        { "a: &x 1\n", 1, 4, "/a" },
        { "a: 1\nb: *x\n", 2, 4, "/b" },
        { "*x : 1\n", 1, 1, "" },
        { "a: !!str 1\n", 1, 4, "/a" },
        { "a: ! 1\n", 1, 4, "/a" },
        { "a: &x {b: 1}\n", 1, 4, "/a" },
        { "a: !x [b]\n", 1, 4, "/a" },
        { "&x a: 1\n", 1, 1, "" },
        { "a: 1\nb:\n  c: 1\n  c: 2\n", 4, 3, "/b/c" },
        { "7: 1\n'7': 2\n", 2, 1, "/7" },
        { "[a]: 1\n", 1, 1, "" },
        { "? {a: b}\n: 1\n", 1, 3, "" },
        { "a: 1\n---\nb: 2\n", 2, 1, "" },
        { "a: [1, 2\n", 2, 1, NULL },
        { "a: b: c\n", 1, 5, NULL },
        { "a:\n\t- b\n", 2, 1, NULL },
        { "a: \"\\0\"\n", 1, 4, "/a" },
        { "\"x\\0y\": 1\n", 1, 1, "" },
        { "%TAG ! tag:x,2026:\n---\na: 1\n", 0, 0, NULL },
        { "a: \xff\n", 0, 0, NULL },
        { "a: \"\\ud800\"\n", 0, 0, NULL },
        { "a: 1\n b: 2\n", 0, 0, NULL },
        { "@a", 0, 0, NULL },
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct fault fault = { 0 };
        struct yaml *yaml = NULL;
        enum status status = yaml_read(slice_text(wrong[i].text), &yaml, &fault);

        if (status != STATUS_INVALID || yaml != NULL || fault.text[0] == '\0')
            fail_msg("not refused: %s", wrong[i].text);
        if (wrong[i].line != 0) {
            assert_int_equal(fault.line, wrong[i].line);
            assert_int_equal(fault.column, wrong[i].column);
        }
        if (wrong[i].pointer != NULL)
            assert_string_equal(fault.pointer, wrong[i].pointer);
    }
}

static void
limits_depth(void **state)
{
    char text[JSON_DEPTH_MAX + 1 + 1] = "";
    struct fault fault = { 0 };
    struct yaml *yaml = NULL;

    memset(text, '[', JSON_DEPTH_MAX + 1);
    assert_int_equal(yaml_read(slice_text(text), &yaml, &fault), STATUS_TOO_LARGE);
    assert_null(yaml);
    assert_int_equal(fault.column, JSON_DEPTH_MAX + 1);
}

static void
place(const struct yaml *yaml, const char *pointer, unsigned line, unsigned column)
{
    struct fault fault;

    (void)fault_at(&fault, STATUS_INVALID, pointer, "x");
    yaml_locate(yaml, &fault);
    assert_int_equal(fault.line, line);
    assert_int_equal(fault.column, column);
}

static void
locates(void **state)
{
    struct yaml *yaml = read_text("# policy\n"
                                  "roles:\n"
                                  "  support:\n"
                                  "    allow:\n"
                                  "      - orders:GET:/a\n"
                                  "      - right: x\n"
                                  "  a/b~c: {deny: [y, z]}\n");

    place(yaml, "", 2, 1);
    place(yaml, "/roles", 2, 1);
    place(yaml, "/roles/support/allow/0", 5, 9);
    place(yaml, "/roles/support/allow/1/right", 6, 9);
    place(yaml, "/roles/a~1b~0c/deny/1", 7, 21);
    /* What is not there is where its parent is; a longer name is another name. */
    place(yaml, "/roles/support/inherits", 3, 3);
    place(yaml, "/roles/supporters", 2, 1);
    place(yaml, "/roles/support/allow/10", 4, 5);
    place(yaml, "/nothing/at/all", 2, 1);
    yaml_free(yaml);
    yaml = read_text("");
    place(yaml, "/a", 0, 0);
    yaml_free(yaml);
    yaml_free(NULL);
}

static void
reads_files(void **state)
{
    char path[] = "/tmp/writ-yaml-XXXXXX";
    struct fault fault = { 0 };
    struct yaml *yaml = NULL;
    int file = mkstemp(path);

    assert_int_equal(write(file, "a: [1]\n", 7), 7);
    close(file);
    assert_int_equal(yaml_read_file(path, &yaml, &fault), STATUS_OK);
    assert_int_equal(json_array_size(json_object_get(yaml_root(yaml), "a")), 1);
    yaml_free(yaml);
    yaml = NULL;
    unlink(path);
    assert_int_equal(yaml_read_file(path, &yaml, &fault), STATUS_NOT_FOUND);
    assert_non_null(strstr(fault.text, path));
    assert_int_equal(yaml_read_file("/tmp", &yaml, &fault), STATUS_IO);
    assert_null(yaml);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_trees), cmocka_unit_test(types_scalars),
        cmocka_unit_test(refuses),     cmocka_unit_test(limits_depth),
        cmocka_unit_test(locates),     cmocka_unit_test(reads_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
