/* app/config - writ.yaml: what is understood, and every fault with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

#include "base/clock.h"

static char dir[64], path[128];
static struct buffer faults;

static int
set_up(void **state)
{
    strcpy(dir, "/tmp/writ-config-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/writ.yaml", dir);
    return 0;
}

static int
tear_down(void **state)
{
    buffer_free(&faults);
    unlink(path);
    return rmdir(dir);
}

static enum status
read_text(const char *text, struct config *out)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    buffer_clear(&faults);
    return config_read(path, out, &faults);
}

/* The faults as one text that ends with a NUL. */
static const char *
told(void)
{
    put_u8(&faults, '\0');
    return faults.bytes;
}

static void
reads(const char *text, struct config *out)
{
    if (read_text(text, out) != STATUS_OK)
        fail_msg("%s", told());
}

static void
smallest(void **state)
{
    struct config config;
    char data[128];

    reads("", &config);
    snprintf(data, sizeof data, "%s/data", dir);
    assert_string_equal(config.data, data);
    assert_int_equal(config.lanes, 0);
    assert_null(config.authority.listen);
    assert_null(config.http.listen);
    assert_int_equal(config.default_ttl, MS_DAY);
    assert_int_equal(config.max_ttl, 7 * MS_DAY);
    assert_int_equal(config.max_line, 90 * MS_DAY);
    assert_string_equal(config.audit_mode, "strict");
    assert_true(config.node[0] != '\0');
    config_free(&config);
}

static void
the_contracts_own(void **state)
{
    struct config config;
    char policy[128];

    reads("data: ./data\n"
          "lanes: auto\n"
          "authority:\n"
          "  listen: 127.0.0.1:7800\n"
          "  issuer: http://127.0.0.1:7800\n"
          "gateway:\n"
          "  http:     {listen: 127.0.0.1:7880}\n"
          "  postgres: {listen: 127.0.0.1:7432}\n"
          "  redis:    {listen: 127.0.0.1:7379}\n"
          "store: {type: sqlite}\n"
          "policy: [policy.yaml, /etc/writ/more.yaml]\n"
          "limits: {default_ttl: 12h, max_ttl: 3d, max_line: 30d}\n"
          "trusted_proxies: [10.0.0.0/8, \"::1\"]\n"
          "dpop: {nonce: optional}\n"
          "audit: {mode: lossy, retention: 30d}\n"
          "fleet: {staleness: 5s}\n",
          &config);
    assert_string_equal(config.authority.listen, "127.0.0.1:7800");
    assert_string_equal(config.http.listen, "127.0.0.1:7880");
    assert_string_equal(config.issuer, "http://127.0.0.1:7800");
    assert_int_equal(config.policy.count, 2);
    snprintf(policy, sizeof policy, "%s/policy.yaml", dir);
    assert_string_equal(config.policy.items[0], policy);
    assert_string_equal(config.policy.items[1], "/etc/writ/more.yaml");
    assert_int_equal(config.default_ttl, 12 * MS_HOUR);
    assert_int_equal(config.trusted_proxies.count, 2);
    assert_int_equal(config.trusted_proxies.items[0].bits, 8);
    assert_string_equal(config.audit_mode, "lossy");
    config_free(&config);
}

static void
tls_and_insecure(void **state)
{
    struct config config;

    reads("gateway:\n  http: {listen: \"0.0.0.0:443\", tls: {cert: c.pem, key: /k.pem, "
          "client_cert: request}}\n"
          "authority: {listen: \"10.0.0.1:7800\", insecure: true}\n",
          &config);
    assert_true(strncmp(config.http.cert, dir, strlen(dir)) == 0);
    assert_string_equal(config.http.key, "/k.pem");
    assert_string_equal(config.http.client_cert, "request");
    assert_true(config.authority.insecure);
    assert_string_equal(config.issuer, "http://10.0.0.1:7800");
    config_free(&config);
    reads("authority: {listen: \"10.0.0.1:7800\", tls: {cert: c, key: k}}\n", &config);
    assert_string_equal(config.issuer, "https://10.0.0.1:7800");
    config_free(&config);
    reads("authority: {listen: \"[::1]:7800\"}\ngateway: {http: {listen: \"localhost:7880\"}}\n",
          &config);
    config_free(&config);
}

/* One text, one fault: its place and what it says. */
static void
faults_one_by_one(void **state)
{
    static const struct {
        const char *text, *place, *says;
    } rows[] = {
        { "lanes: many\n", ":1:", "not a number" },
        { "lanes: 0\n", ":1:", "from 1" },
        { "lanes: 100000\n", ":1:", "at most 256" },
        { "data: ''\n", ":1:", "is empty" },
        { "data: [a]\n", ":1:", "single value" },
        { "policy: policy.yaml\n", ":1:", "must be a list" },
        { "policy:\n  - 5\n", ":2:", "entry 1 is not text" },
        { "trusted_proxies: [10.0.0.1/8]\n", ":1:", "entry 1" },
        { "limits:\n  max_ttl: soon\n", ":2:", "duration" },
        { "limits:\n  max_ttl: 0s\n", ":2:", "duration" },
        { "limits:\n  default_ttl: 8d\n", ":2:", "longer than limits.max_ttl" },
        { "audit:\n  mode: relaxed\n", ":2:", "strict|lossy" },
        { "audit: strict\n", ":1:", "further settings" },
        { "storre: {}\n", ":1:", "nearest known is store" },
        { "gateway:\n  htttp: {listen: \"127.0.0.1:1\"}\n",
          ":2:", "nearest known is gateway.http" },
        { "gateway:\n  http: {lissten: \"127.0.0.1:1\"}\n",
          ":2:", "nearest known is gateway.http.listen" },
        { "gateway:\n  http: {listen: nowhere}\n", ":2:", "host:port" },
        { "gateway:\n  http: {listen: \"0.0.0.0:80\"}\n", ":2:", "insecure: true" },
        { "gateway:\n  http: {listen: \"[::]:80\"}\n", ":2:", "insecure: true" },
        { "gateway:\n  http: {listen: \"gw.example:80\"}\n", ":2:", "insecure: true" },
        { "gateway:\n  http: {listen: \"10.0.0.1:80\", insecure: maybe}\n",
          ":2:", "true or false" },
        { "gateway:\n  http: {listen: \"127.0.0.1:80\", tls: {cert: c}}\n",
          ":2:", "both cert and key" },
        { "gateway:\n  http: {listen: \"127.0.0.1:80\", tls: {client_cert: require}}\n",
          ":2:", "needs tls" },
        { "store: {type: postgres}\n", ":1:", "needs one" },
        { "store: {url: \"postgresql:///x\"}\n", ":1:", "belongs to store.type postgres" },
        { "fleet: {staleness: 100ms}\n", ":1:", "from 1s to 1m" },
        { "a: 1\na: 2\n", ":2:", "" },
        { "- a\n", ":1:", "must hold settings" },
        { "data: &x y\n", ":1:", "" },
        { "data: [\n", ":", "" },
    };
    struct config config;
    char place[160];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_not_equal(read_text(rows[i].text, &config), STATUS_OK);
        snprintf(place, sizeof place, "%s%s", path, rows[i].place);
        if (strstr(told(), place) == NULL || strstr(told(), rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].text, told());
    }
}

static void
all_faults_at_once(void **state)
{
    struct config config = { 0 };
    const char *text =
        "data: ./data\nlanes: many\ngateway:\n  http: {listen: 0.0.0.0:80}\nstorre: {}\n"
        "limits: {max_ttl: x, default_ttl: y}\n";
    size_t lines = 0;

    assert_int_equal(read_text(text, &config), STATUS_INVALID);
    for (size_t i = 0; i < faults.size; i++)
        lines += faults.bytes[i] == '\n';
    if (lines != 5)
        fail_msg("%s", told());
    /* Outputs change only on success. */
    assert_null(config.data);
}

static void
no_file(void **state)
{
    struct config config;

    buffer_clear(&faults);
    assert_int_not_equal(config_read("/nowhere/writ.yaml", &config, &faults), STATUS_OK);
    assert_non_null(strstr(told(), "/nowhere/writ.yaml"));
}

/* What is shown can be read again, and says the same. */
static void
shown(void **state)
{
    struct buffer first = { 0 }, second = { 0 };
    struct config config;

    reads(
        "authority: {listen: \"127.0.0.1:7800\"}\nlimits: {max_ttl: 2d}\npolicy: [a.yaml, b.yaml]\n"
        "trusted_proxies: [10.0.0.0/8]\n",
        &config);
    config_show(&config, &first);
    config_free(&config);
    put_u8(&first, '\0');
    reads(first.bytes, &config);
    config_show(&config, &second);
    config_free(&config);
    put_u8(&second, '\0');
    assert_string_equal(first.bytes, second.bytes);
    assert_non_null(strstr(first.bytes, "max_ttl: 2d"));
    buffer_free(&first);
    buffer_free(&second);
}

static void
what_a_reload_takes_over(void **state)
{
    struct config config, next;
    struct buffer waits = { 0 };

    reads("policy: [a.yaml]\n", &config);
    reads(
        "policy: [b.yaml]\nlimits: {max_ttl: 3d}\nlanes: 3\nauthority: {listen: \"127.0.0.1:1\"}\n",
        &next);
    config_restart(&config, &next, &waits);
    put_u8(&waits, '\0');
    assert_string_equal(waits.bytes, "lanes, authority.listen, authority.issuer");
    config_adopt(&config, &next);
    assert_non_null(strstr(config.policy.items[0], "b.yaml"));
    assert_int_equal(config.max_ttl, 3 * MS_DAY);
    assert_null(config.authority.listen);
    config_free(&config);
    config_free(&next);
    buffer_free(&waits);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smallest),
        cmocka_unit_test(the_contracts_own),
        cmocka_unit_test(tls_and_insecure),
        cmocka_unit_test(faults_one_by_one),
        cmocka_unit_test(all_faults_at_once),
        cmocka_unit_test(no_file),
        cmocka_unit_test(shown),
        cmocka_unit_test(what_a_reload_takes_over),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
