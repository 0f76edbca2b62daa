/* Status names, faults, and the lines of the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"

static void
names_every_status(void **state)
{
    for (int i = STATUS_OK; i <= STATUS_INTERNAL; i++) {
        assert_int_not_equal(status_name((enum status)i)[0], '\0');
        assert_int_not_equal(status_text((enum status)i)[0], '\0');
        assert_int_equal(status_class_of((enum status)i) == STATUS_CLASS_FINE, i == STATUS_OK);
    }
    assert_string_equal(status_name(STATUS_NOT_FOUND), "not_found");
    assert_int_equal(status_class_of(STATUS_DENIED), STATUS_CLASS_REFUSED);
    assert_string_equal(status_name((enum status)999), "internal");
    assert_string_equal(status_name((enum status) - 1), "internal");
}

static void
fills_faults(void **state)
{
    struct fault fault = { .line = 3, .pointer = "/old" };

    assert_int_equal(fault_set(&fault, STATUS_DENIED, "no %s", "way"), STATUS_DENIED);
    assert_int_equal(fault.code, STATUS_DENIED);
    assert_string_equal(fault.text, "no way");
    assert_string_equal(fault.pointer, "");
    assert_int_equal(fault.line, 0);
    assert_int_equal(fault_at(&fault, STATUS_INVALID, "/a/0", "bad"), STATUS_INVALID);
    assert_string_equal(fault.pointer, "/a/0");
    fault_prefix(&fault, "role %s", "x");
    assert_string_equal(fault.text, "role x: bad");
    assert_string_equal(fault.pointer, "/a/0");
    assert_int_equal(fault_set(NULL, STATUS_IO, "x"), STATUS_IO);
    assert_int_equal(fault_at(NULL, STATUS_IO, "/x", "x"), STATUS_IO);
    fault_prefix(NULL, "x");
    /* A fault that is told again in other words. */
    (void)!fault_set(&fault, STATUS_INVALID, "nobody gives it");
    (void)!fault_at(&fault, STATUS_INVALID, "/scope", "invalid_scope: %s", fault.text);
    assert_string_equal(fault.text, "invalid_scope: nobody gives it");
    (void)!fault_set(&fault, STATUS_INVALID, "%s, %s", fault.text, fault.text);
    assert_string_equal(fault.text,
                        "invalid_scope: nobody gives it, invalid_scope: nobody gives it");
}

static void
cuts_long_faults(void **state)
{
    char text[2 * FAULT_TEXT_MAX];
    struct fault fault;

    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t at = shift; at + 3 < sizeof text; at += 3)
            memcpy(text + at, "\xe2\x82\xac", 4);
        (void)fault_at(&fault, STATUS_INVALID, text, "%s", text);
        /* No character is cut in half. */
        assert_int_equal((strlen(fault.text) - shift) % 3, 0);
        assert_in_range(strlen(fault.text), FAULT_TEXT_MAX - 3, FAULT_TEXT_MAX - 1);
        assert_int_equal((strlen(fault.pointer) - shift) % 3, 0);
        fault_prefix(&fault, "%s", "p");
        assert_in_range(strlen(fault.text), FAULT_TEXT_MAX - 3, FAULT_TEXT_MAX - 1);
        fault_prefix(&fault, "%s", text);
        assert_in_range(strlen(fault.text), FAULT_TEXT_MAX - 3, FAULT_TEXT_MAX - 1);
    }
}

/* What one call of log_write leaves on standard error, parsed. */
static json_t *
logged(void (*call)(void))
{
    char text[32 << 10];
    int ends[2], saved = dup(STDERR_FILENO);
    json_t *line = NULL;
    ssize_t size;

    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    call();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    size = read(ends[0], text, sizeof text);
    close(ends[0]);
    if (size <= 0)
        return NULL;
    assert_int_equal(text[size - 1], '\n');
    assert_int_equal(json_read(slice_of(text, (size_t)size), &line, NULL), STATUS_OK);
    return line;
}

static void
log_one(void)
{
    log_write(LOG_WARN, "store", "slow", "path", "a\"b\n", "reason", (const char *)NULL, NULL);
}

static void
log_debug(void)
{
    log_write(LOG_DEBUG, "store", "noise", NULL);
}

static void
log_too_much(void)
{
    static char text[20 << 10];

    memset(text, 'x', sizeof text - 1);
    log_write(LOG_ERROR, "store", "broken", "text", text, NULL);
}

static void
logs_lines(void **state)
{
    json_t *line = logged(log_one);

    assert_string_equal(json_string_value(json_object_get(line, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(line, "room")), "store");
    assert_string_equal(json_string_value(json_object_get(line, "message")), "slow");
    assert_string_equal(json_string_value(json_object_get(line, "path")), "a\"b\n");
    assert_true(json_is_null(json_object_get(line, "reason")));
    json_decref(line);
    assert_null(logged(log_debug));
    log_set_level(LOG_DEBUG);
    line = logged(log_debug);
    assert_non_null(line);
    json_decref(line);
    log_set_level(LOG_ERROR);
    assert_null(logged(log_one));
    line = logged(log_too_much);
    assert_true(json_is_true(json_object_get(line, "cut")));
    json_decref(line);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_every_status),
        cmocka_unit_test(fills_faults),
        cmocka_unit_test(cuts_long_faults),
        cmocka_unit_test(logs_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
