/* fuzz/json.c - any bytes as a JSON document and as a text to quote: what is
 * accepted reads back as itself, and a quoted text is always JSON. */
#include <stdlib.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static void
check_document(struct slice text)
{
    static const char *const known[] = { "name", "number", NULL };
    json_t *value = NULL, *again = NULL;
    struct buffer out = { 0 };
    struct fault fault = { 0 };
    struct slice name = { 0 };
    uint64_t number = 0;

    if (json_read(text, &value, &fault) != STATUS_OK) {
        check(value == NULL && fault.code != STATUS_OK);
        return;
    }
    put_json(&out, value);
    check(json_read(buffer_slice(&out), &again, &fault) == STATUS_OK);
    check(json_equal(value, again) == 1);
    if (json_only(value, known, &fault) == STATUS_OK)
        check(json_object_size(value) <= 2);
    if (json_take_u64(value, "number", 9, &number, &fault) == STATUS_OK)
        check(number <= 9);
    check(json_take_string(value, "name", &name, &fault) == STATUS_OK || name.at == NULL);
    json_decref(value);
    json_decref(again);
    buffer_free(&out);
}

static void
check_quoting(struct slice text)
{
    struct buffer out = { 0 };
    json_t *value = NULL, *plain = json_slice(text);

    put_json_string(&out, text);
    if (slice_find(text, '\0') == text.size) { /* which jansson doesn't read back */
        check(json_read(buffer_slice(&out), &value, NULL) == STATUS_OK);
        check(json_is_string(value));
        check(plain == NULL || json_equal(plain, value) == 1);
    }
    json_decref(value);
    json_decref(plain);
    buffer_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_document(slice_of(data, size));
    check_quoting(slice_of(data, size));
    return 0;
}
