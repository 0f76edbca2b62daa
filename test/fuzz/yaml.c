/* fuzz/yaml.c - any bytes as a YAML file: what is accepted is writable as JSON,
 * reads back as the same tree, and each of its places lies within the text. */
#include <stdlib.h>

#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static void
check_same(const json_t *root, struct slice json)
{
    struct fault fault = { 0 };
    struct yaml *again = NULL;
    json_t *value = NULL;

    check(json_read(json, &value, &fault) == STATUS_OK);
    check(json_equal(value, root) == 1);
    json_decref(value);
    /* JSON is YAML, but for the simple keys of libyaml, which end at 1,024 bytes. */
    if (json.size < 1024) {
        check(yaml_read(json, &again, &fault) == STATUS_OK);
        check(json_equal(yaml_root(again), root) == 1 || json_is_null(root));
        yaml_free(again);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault = { 0 };
    struct yaml *yaml = NULL;
    struct buffer out = { 0 };

    if (yaml_read(slice_of(data, size), &yaml, &fault) != STATUS_OK) {
        check(yaml == NULL && fault.code != STATUS_OK && fault.text[0] != '\0');
        return 0;
    }
    put_json(&out, yaml_root(yaml));
    check(buffer_status(&out) == STATUS_OK);
    check_same(yaml_root(yaml), buffer_slice(&out));
    (void)fault_at(&fault, STATUS_INVALID, "/a/0/b", "x");
    yaml_locate(yaml, &fault);
    check(fault.line <= size + 1 && fault.column <= size + 1);
    buffer_free(&out);
    yaml_free(yaml);
    return 0;
}
