/* Addresses, networks and host:port texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/address.h"

static struct ip
ip_of(const char *text)
{
    struct ip ip;

    if (ip_parse(slice_text(text), &ip) != STATUS_OK)
        fail_msg("%s", text);
    return ip;
}

static struct cidr
cidr_of(const char *text)
{
    struct cidr cidr;

    if (cidr_parse(slice_text(text), &cidr) != STATUS_OK)
        fail_msg("%s", text);
    return cidr;
}

static void
parses_addresses(void **state)
{
    static const char *const wrong[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "0x1.2.3.4",
        "1.2.3.-4",
        ":",
        ":::",
        "1::2::3",
        "12345::",
        "fe80::1%eth0",
        "[::1]",
        "::ffff:1.2.3",
        "1:2:3:4:5:6:7:8:9",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
    };
    static const char *const same[][2] = {
        { "10.1.2.3", "10.1.2.3" },         { "::1", "::1" },
        { "::FFFF:10.1.2.3", "10.1.2.3" },  { "::ffff:a01:203", "10.1.2.3" },
        { "2001:DB8:0::1", "2001:db8::1" }, { "0.0.0.0", "0.0.0.0" },
    };
    struct ip ip = { .family = IP_NONE };
    char text[IP_TEXT_MAX];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(ip_parse(slice_text(wrong[i]), &ip), STATUS_INVALID);
    assert_int_equal(ip_parse(SLICE_LITERAL("1.2.3.4\0"), &ip), STATUS_INVALID);
    assert_string_equal(ip_format(&ip, text), "unix");
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        ip = ip_of(same[i][0]);
        assert_string_equal(ip_format(&ip, text), same[i][1]);
    }
    ip = ip_of("127.9.9.9");
    assert_true(ip_is_loopback(&ip));
    ip = ip_of("::ffff:127.0.0.1");
    assert_true(ip_is_loopback(&ip));
    ip = ip_of("::1");
    assert_true(ip_is_loopback(&ip));
    ip = ip_of("::2");
    assert_false(ip_is_loopback(&ip));
    ip = ip_of("128.0.0.1");
    assert_false(ip_is_loopback(&ip));
    assert_false(ip_is_loopback(&(struct ip){ 0 }));
}

static void
reads_sockaddrs(void **state)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a010203) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct ip wanted = ip_of("10.1.2.3"), ip = ip_of_sockaddr((struct sockaddr *)&v4);

    assert_true(ip_equal(&ip, &wanted));
    assert_int_equal(inet_pton(AF_INET6, "::ffff:10.1.2.3", &v6.sin6_addr), 1);
    ip = ip_of_sockaddr((struct sockaddr *)&v6);
    assert_true(ip_equal(&ip, &wanted));
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr), 1);
    ip = ip_of_sockaddr((struct sockaddr *)&v6);
    wanted = ip_of("2001:db8::1");
    assert_true(ip_equal(&ip, &wanted));
    ip = ip_of_sockaddr((struct sockaddr *)&un);
    assert_int_equal(ip.family, IP_NONE);
}

static void
parses_networks(void **state)
{
    static const char *const wrong[] = {
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/08",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.0.0.1/8",
        "10.0.0.0/1",
        "2001:db8::1/32",
        "::/129",
        "::ffff:10.0.0.0/95",
        "::ffff:10.0.0.0/8",
        "10/8",
        "10.0.0.0/ 8",
        "10.0.0.0/8 ",
        "128.0.0.0/0",
        "10.0.0.0/0256",
    };
    static const char *const same[][2] = {
        { "10.0.0.0/8", "10.0.0.0/8" },
        { "10.1.2.3", "10.1.2.3/32" },
        { "::1", "::1/128" },
        { "0.0.0.0/0", "0.0.0.0/0" },
        { "::/0", "::/0" },
        { "::ffff:10.0.0.0/104", "10.0.0.0/8" },
        { "::ffff:1.2.3.4", "1.2.3.4/32" },
        { "172.16.0.0/12", "172.16.0.0/12" },
        { "2001:db8:8000::/33", "2001:db8:8000::/33" },
    };
    struct cidr cidr = { 0 };
    char text[CIDR_TEXT_MAX];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (cidr_parse(slice_text(wrong[i]), &cidr) != STATUS_INVALID)
            fail_msg("not refused: %s", wrong[i]);
    }
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        cidr = cidr_of(same[i][0]);
        assert_string_equal(cidr_format(&cidr, text), same[i][1]);
    }
}

static void
contains(void **state)
{
    static const struct {
        const char *network, *address;
        bool inside;
    } rows[] = {
        { "10.0.0.0/8", "10.255.0.1", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "10.0.0.0/8", "::ffff:10.0.0.1", true },
        { "172.16.0.0/12", "172.31.255.255", true },
        { "172.16.0.0/12", "172.32.0.0", false },
        { "0.0.0.0/0", "1.2.3.4", true },
        { "0.0.0.0/0", "::1", false },
        { "::/0", "::1", true },
        { "::/0", "1.2.3.4", false },
        { "1.2.3.4", "1.2.3.4", true },
        { "1.2.3.4", "1.2.3.5", false },
        { "2001:db8:8000::/33", "2001:db8:7fff::", false },
        { "2001:db8:8000::/33", "2001:db8:ffff::", true },
    };
    struct cidr wide = cidr_of("10.0.0.0/8"), narrow = cidr_of("10.1.0.0/16");
    struct cidr other = cidr_of("11.0.0.0/16"), none = { 0 };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cidr network = cidr_of(rows[i].network);
        struct ip address = ip_of(rows[i].address);
        assert_int_equal(cidr_contains(&network, &address), rows[i].inside);
    }
    assert_true(cidr_within(&narrow, &wide));
    assert_true(cidr_within(&wide, &wide));
    assert_false(cidr_within(&wide, &narrow));
    assert_false(cidr_within(&other, &wide));
    assert_false(cidr_contains(&none, &none.ip)); /* a Unix socket is in no network */
}

static void
parses_host_and_port(void **state)
{
    static const char *const wrong[] = {
        "",
        ":",
        "a",
        "a:",
        ":80",
        "a:b",
        "a:65536",
        "a:000080",
        "a:-1",
        "a: 80",
        "a:80 ",
        "::1:80",
        "[::1]",
        "[::1]:",
        "[::1]80",
        "[::1:80",
        "[1.2.3.4]:80",
        "[]:80",
        "[x]:80",
        "a b:80",
        "a/b:80",
        "a@b:80",
        "a:80:90",
        "[::1]:80x",
        "a:99999999999999999999",
    };
    static const struct {
        const char *text, *host;
        uint16_t port;
    } same[] = { { "127.0.0.1:7800", "127.0.0.1", 7800 },
                 { "[::1]:80", "::1", 80 },
                 { "db-1.example_x.com:65535", "db-1.example_x.com", 65535 },
                 { "localhost:0", "localhost", 0 } };
    struct slice host = SLICE_LITERAL("before");
    uint16_t port = 1;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (host_port_parse(slice_text(wrong[i]), &host, &port) != STATUS_INVALID)
            fail_msg("not refused: %s", wrong[i]);
    }
    assert_true(slice_is(host, "before") && port == 1);
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(host_port_parse(slice_text(same[i].text), &host, &port), STATUS_OK);
        assert_true(slice_is(host, same[i].host));
        assert_int_equal(port, same[i].port);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_addresses),     cmocka_unit_test(reads_sockaddrs),
        cmocka_unit_test(parses_networks),      cmocka_unit_test(contains),
        cmocka_unit_test(parses_host_and_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
