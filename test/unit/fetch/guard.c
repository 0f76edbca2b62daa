/* fetch/guard - the addresses that no call may lead to, and those beside them that may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/fetch.h"
#include "fetch/guard.h"

static void
addresses(void **state)
{
    static const struct {
        const char *ip;
        uint16_t port;
        bool allowed, allowed_clear;
    } rows[] = {
        { "192.0.2.1", 443, true, false },
        { "10.0.0.1", 443, true, false },
        { "fd00::1", 443, true, false },
        { "2001:db8::1", 443, true, false },
        { "127.0.0.1", 9000, true, true },
        { "::1", 9000, true, true },
        { "::ffff:127.0.0.1", 9000, true, true },
        { "169.253.255.255", 80, true, false },
        { "169.254.0.0", 80, false, false },
        { "169.254.169.254", 80, false, false },
        { "169.254.255.255", 80, false, false },
        { "::ffff:169.254.169.254", 80, false, false },
        { "64:ff9b::a9fe:a9fe", 80, false, false },
        { "169.255.0.0", 80, true, false },
        { "100.100.100.200", 80, false, false },
        { "100.100.100.201", 80, true, false },
        { "fd00:ec2::254", 80, false, false },
        { "fe7f::1", 80, true, false },
        { "fe80::1", 80, false, false },
        { "febf::1", 80, false, false },
        { "fec0::1", 80, true, false },
        { "0.0.0.0", 80, false, false },
        { "0.1.2.3", 80, false, false },
        { "::", 80, false, false },
        { "223.255.255.255", 80, true, false },
        { "224.0.0.1", 80, false, false },
        { "239.255.255.255", 80, false, false },
        { "240.0.0.1", 80, false, false },
        { "255.255.255.255", 80, false, false },
        { "ff02::1", 80, false, false },
        /* what this process listens on */
        { "127.0.0.1", 7800, false, false },
        { "::ffff:127.0.0.1", 7800, false, false },
        { "127.0.0.2", 7800, true, true },
        { "127.0.0.1", 7801, true, true },
        { "127.0.0.3", 7880, false, false },
        { "::1", 7880, false, false },
        { "192.0.2.1", 7880, true, false },
    };
    struct own own = { 0 };

    assert_int_equal(own_add(&own, SLICE_LITERAL("127.0.0.1:7800")), STATUS_OK);
    assert_int_equal(own_add(&own, SLICE_LITERAL("0.0.0.0:7880")), STATUS_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct guard tls = { .own = &own }, clear = { .own = &own, .loopback_only = true };
        struct ip ip;

        assert_int_equal(ip_parse(slice_text(rows[i].ip), &ip), STATUS_OK);
        if ((guard_bars(&tls, &ip, rows[i].port) == NULL) != rows[i].allowed ||
            (guard_bars(&clear, &ip, rows[i].port) == NULL) != rows[i].allowed_clear)
            fail_msg("%s port %u", rows[i].ip, rows[i].port);
    }
    assert_non_null(guard_bars(&(struct guard){ .own = &own }, &(struct ip){ 0 }, 80));
    own_free(&own);
}

static void
urls(void **state)
{
    static const struct {
        const char *url;
        bool allowed, allowed_insecure;
    } rows[] = {
        { "https://hooks.example/a?b=c", true, true },
        { "HTTPS://hooks.example", true, true },
        { "https://10.0.0.1:8443/", true, true },
        { "http://127.0.0.1:9000/", true, true },
        { "http://localhost/", true, true },
        { "http://[::1]:9000/", true, true },
        { "http://hooks.example/", false, true },
        { "http://127.0.0.1.example/", false, true },
        { "http://localhost.example/", false, true },
        { "http://127.0.0.1@hooks.example/", false, false },
        { "https://user:word@hooks.example/", false, false },
        { "https://hooks.example/#part", false, false },
        { "file:///etc/passwd", false, false },
        { "gopher://127.0.0.1/", false, false },
        { "ftp://127.0.0.1/", false, false },
        { "unix:///run/x", false, false },
        { "hooks.example/a", false, false },
        { "127.0.0.1:9000", false, false },
        { "https://", false, false },
        { "https://a b/", false, false },
        { "https://hooks.example/\r\nX: y", false, false },
        { "", false, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fault fault = { 0 };

        if ((fetch_check_url(rows[i].url, false, &fault) == STATUS_OK) != rows[i].allowed ||
            (fetch_check_url(rows[i].url, true, &fault) == STATUS_OK) != rows[i].allowed_insecure)
            fail_msg("%s: %s", rows[i].url, fault.text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
