/* unit/audit/advise.c - shapes of objects, and rights that cover what was used: no
 * use is left out, nothing is wider than it must be. */
#include "rig.h"

#include "shape.h"

static void
test_ids(void **state)
{
    static const char *const ids[] = { "0",
                                       "42",
                                       "20261124",
                                       "2026-11-24",
                                       "2026-11-24T17:40:00Z",
                                       "550e8400-e29b-41d4-a716-446655440000",
                                       "5f2b8c9d1e3a",
                                       "cus_9s6XKzkNRiZ8i3",
                                       "0123456789abcdef0123456789abcdef",
                                       "V1StGXR8Z5jdHi6B" };
    static const char *const names[] = { "",       "v1",     "orders",           "search",
                                         "a",      "web-1",  "deadbeef",         "list_items",
                                         "README", "2fa",    "production-eu-1",  "cafe",
                                         "x86_64", "sha256", "internationalized" };

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (!shape_is_id(slice_text(ids[i])))
            fail_msg("%s is an id", ids[i]);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (shape_is_id(slice_text(names[i])))
            fail_msg("%s is a name", names[i]);
}

static void
test_shapes(void **state)
{
    static const char *const cases[][2] = {
        { "/v1/orders/42/items/7", "/v1/orders/*/items/*" },
        { "/", "/" },
        { "/v1", "/v1" },
        { "session:42", "session:*" },
        { "public.orders", "public.orders" },
        { "-", "-" },
        { "shop/pods/web-1", "shop/pods/web-1" },
        { "", "" },
    };
    char out[AUDIT_TEXT_MAX];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(slice_is(shape_of(slice_text(cases[i][0]), out), cases[i][1]));
}

/* The patterns' rules as the rights have them, for objects with '/'. */
static bool
covered(const char *pattern, const char *object)
{
    if (strcmp(pattern, "/**") == 0)
        return *object == '\0' || *object == '/';
    if (pattern[0] == '*' && pattern[1] == '*')
        return true;
    if (*pattern == '*') {
        for (const char *at = object + 1; *object != '\0' && at[-1] != '/'; at++) {
            if (covered(pattern + 1, at))
                return true;
            if (*at == '\0')
                break;
        }
        return false;
    }
    if (*pattern == '\0' || *object == '\0')
        return *pattern == *object;
    return *pattern == *object && covered(pattern + 1, object + 1);
}

static void
use(struct audit *audit, const char *action, const char *object)
{
    char text[128];
    struct audit_event event = rig_event(text, 1, 1);

    event.action = slice_text(action);
    event.object = slice_text(object);
    OK(audit_line(audit_journal_of(audit, 0), &event, &(struct audit_outcome){ .status = 200 }));
}

static json_t *
advise(const struct rig *rig, const char *held)
{
    const struct audit_advice_query query = { .subject = SLICE_LITERAL("subject-1"),
                                              .held = slice_text(held) };
    json_t *advice;
    struct fault fault = { 0 };

    if (audit_advise(rig->dir, &query, &advice, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    return advice;
}

static void
says(const json_t *advice, const char *list, const char *const *expected)
{
    const json_t *found = json_object_get(advice, list);
    size_t i = 0;

    for (; expected[i] != NULL; i++) {
        const char *text = json_string_value(json_array_get(found, i));

        if (text == NULL || strcmp(text, expected[i]) != 0)
            fail_msg("%s[%zu] is %s, not %s", list, i, text == NULL ? "absent" : text, expected[i]);
    }
    assert_int_equal(json_array_size(found), i);
}

static void
test_merged(void **state)
{
    struct rig rig;

    rig_open(&rig);
    struct audit *audit = rig_audit(&rig);
    for (unsigned i = 0; i < 30; i++) {
        char object[64];

        snprintf(object, sizeof object, "/v1/orders/%u", i);
        use(audit, "GET", object);
        use(audit, "HEAD", object);
        snprintf(object, sizeof object, "/v1/orders/%u/items", i);
        use(audit, "GET", object);
    }
    use(audit, "GET", "/v1/orders/search");
    use(audit, "POST", "/v1/orders");
    audit_close(audit);
    json_t *advice = advise(&rig, "orders:GET|HEAD:/v1/orders/** orders:DELETE:/v1/orders/*");
    says(advice, "rights",
         (const char *const[]){ "orders:POST:/v1/orders", "orders:GET|HEAD:/v1/orders/*",
                                "orders:GET:/v1/orders/*/items", NULL });
    says(advice, "unused", (const char *const[]){ "orders:DELETE:/v1/orders/*", NULL });
    assert_int_equal(json_integer_value(json_object_get(advice, "events")), 92);
    json_decref(advice);
    rig_close(&rig);
}

/* Many names at one place become a star; a few stay as they are. */
static void
test_fan(void **state)
{
    struct rig rig;
    char object[64];

    rig_open(&rig);
    struct audit *audit = rig_audit(&rig);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(object, sizeof object, "/users/name%c%c/mail", 'a' + i / 26, 'a' + i % 26);
        use(audit, "GET", object);
    }
    for (unsigned i = 0; i < 5; i++) {
        snprintf(object, sizeof object, "/reports/kind%c", 'a' + i);
        use(audit, "GET", object);
    }
    audit_close(audit);
    json_t *advice = advise(&rig, "");
    says(advice, "rights",
         (const char *const[]){ "orders:GET:/reports/kinda", "orders:GET:/reports/kindb",
                                "orders:GET:/reports/kindc", "orders:GET:/reports/kindd",
                                "orders:GET:/reports/kinde", "orders:GET:/users/*/mail", NULL });
    json_decref(advice);
    rig_close(&rig);
}

static unsigned
stars(const char *text)
{
    unsigned count = 0;

    for (; *text != '\0'; text++)
        count += *text == '*';
    return count;
}

/* Paths as a random walk makes them, long ones and deep ones: every use is covered,
 * every right is one that the policy accepts. */
static void
test_covers_all(void **state)
{
    static char objects[600][AUDIT_TEXT_MAX + 200];
    struct rig rig;
    unsigned seed = 1;

    rig_open(&rig);
    rig.options.segment_lines = 100;
    struct audit *audit = rig_audit(&rig);
    for (unsigned i = 0; i < 600; i++) {
        size_t size = 0;
        unsigned parts = 1 + (unsigned)rand_r(&seed) % (i % 50 == 0 ? 60 : 6);

        for (unsigned j = 0; j < parts; j++) {
            switch (rand_r(&seed) % 4) {
            case 0:
                size += (size_t)sprintf(objects[i] + size, "/%d", rand_r(&seed) % 1000);
                break;
            case 1:
                size += (size_t)sprintf(objects[i] + size, "/name-%c", 'a' + rand_r(&seed) % 26);
                break;
            default:
                size += (size_t)sprintf(objects[i] + size, "/%c", 'a' + rand_r(&seed) % 40 % 26);
            }
        }
        if (i % 100 == 7)
            memset(objects[i] + size, 'x', 1100 - size);
        use(audit, "GET", objects[i]);
        if (i == 300)
            audit_flush(audit);
    }
    audit_close(audit);
    json_t *advice = advise(&rig, "");
    const json_t *rights = json_object_get(advice, "rights");
    for (unsigned i = 0; i < 600; i++) {
        bool found = false;

        for (size_t j = 0; j < json_array_size(rights) && !found; j++) {
            const char *right = json_string_value(json_array_get(rights, j));

            assert_true(strlen(right) <= 512);
            assert_true(stars(right) <= 8);
            found = covered(right + strlen("orders:GET:"), objects[i]);
        }
        if (!found)
            fail_msg("%s is not covered", objects[i]);
    }
    assert_true(json_array_size(rights) < 200);
    json_decref(advice);
    rig_close(&rig);
}

static void
test_one_of_three(void **state)
{
    struct rig rig;
    json_t *advice;
    struct fault fault;

    rig_open(&rig);
    assert_int_equal(audit_advise(rig.dir, &(struct audit_advice_query){ 0 }, &advice, &fault),
                     STATUS_INVALID);
    rig_close(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_merged),     cmocka_unit_test(test_fan),
        cmocka_unit_test(test_covers_all), cmocka_unit_test(test_one_of_three),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
