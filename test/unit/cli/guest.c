/* cli/guest - which requests a local port with a token takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guest.h"

static bool
taken(const char *fields)
{
    struct http_head head;
    struct http_refusal why;
    char bytes[512];

    snprintf(bytes, sizeof bytes, "POST /v1/orders HTTP/1.1\r\n%s\r\n", fields);
    assert_int_equal(http_request_parse(slice_text(bytes), &head, &why), HTTP_PARSED);
    return guest_is_local(&head);
}

static void
programs(void **state)
{
    assert_true(taken("Host: localhost\r\n"));
    assert_true(taken("Host: LocalHost:9000\r\n"));
    assert_true(taken("Host: 127.0.0.1:9000\r\n"));
    assert_true(taken("Host: [::1]:9000\r\n"));
    assert_false(taken("Host: evil.example:9000\r\n"));
    assert_false(taken("Host: localhost.evil.example\r\n"));
    assert_false(taken("Host: 127.0.0.1.evil.example:9000\r\n"));
}

static void
pages(void **state)
{
    assert_true(taken("Host: localhost:9000\r\nOrigin: http://localhost:3000\r\n"
                      "Sec-Fetch-Site: same-site\r\n"));
    assert_true(taken("Host: localhost:9000\r\nOrigin: http://127.0.0.1:3000\r\n"
                      "Sec-Fetch-Site: cross-site\r\n"));
    assert_true(taken("Host: localhost:9000\r\nSec-Fetch-Site: none\r\n"));
    assert_true(taken("Host: localhost:9000\r\nSec-Fetch-Site: same-origin\r\n"));
    assert_false(taken("Host: localhost:9000\r\nOrigin: https://evil.example\r\n"));
    assert_false(taken("Host: localhost:9000\r\nOrigin: http://localhost.evil.example\r\n"));
    assert_false(taken("Host: localhost:9000\r\nOrigin: null\r\n"));
    assert_false(taken("Host: localhost:9000\r\nOrigin: localhost\r\n"));
    assert_false(taken("Host: localhost:9000\r\nOrigin: \r\n"));
    assert_false(taken("Host: localhost:9000\r\nSec-Fetch-Site: cross-site\r\n"));
    assert_false(taken("Host: localhost:9000\r\nOrigin: http://localhost\r\n"
                       "Origin: https://evil.example\r\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs),
        cmocka_unit_test(pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
