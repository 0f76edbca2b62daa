/* authority/oauth_form - forms read strictly, refusals in their alphabet. */
#include "oauth_help.h"

#include <string.h>

static enum status
read_form(struct fixture *f, const char *body, struct form *out)
{
    arena_reset(&f->arena);
    return form_read(slice_text(body), &f->arena, out, NULL);
}

static void
values(void **state)
{
    struct fixture *f = fixture_bare(NULL);
    struct slice all[4];
    struct form form;

    assert_int_equal(read_form(f,
                               "grant_type=client_credentials&scope=a:b:%2F**+c:d:%C3%a9&empty=&"
                               "resource=x&resource=&resource=y&&flag",
                               &form),
                     STATUS_OK);
    assert_true(slice_is(form_value(&form, "grant_type"), "client_credentials"));
    assert_true(slice_is(form_value(&form, "scope"), "a:b:/** c:d:\xc3\xa9"));
    assert_int_equal(form_value(&form, "empty").size, 0);
    assert_int_equal(form_value(&form, "flag").size, 0);
    assert_int_equal(form_value(&form, "Grant_Type").size, 0);
    assert_int_equal(form_values(&form, "resource", all, 4), 2);
    assert_true(slice_is(all[0], "x") && slice_is(all[1], "y"));
    assert_int_equal(read_form(f, "", &form), STATUS_OK);
    assert_int_equal(form.count, 0);
    fixture_free(f);
}

static void
no_forms(void **state)
{
    static const char *const wrong[] = {
        "a=1&a=2",   /* RFC 6749 §3.2 */
        "a=1&%61=2", /* the same, disguised */
        "a=&a=1",    /* empty is no excuse */
        "a=%",
        "a=%4",
        "a=%zz",
        "%=1",
        "a=%00",          /* NUL */
        "a=%ff",          /* no UTF-8 */
        "a=%c0%80",       /* overlong */
        "a=%ed%a0%80",    /* a surrogate */
        "a=%f4%90%80%80", /* past the last code point */
        "a=%e2%82",       /* cut */
        "%ff=1",
    };
    struct fixture *f = fixture_bare(NULL);
    struct form form;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (read_form(f, wrong[i], &form) != STATUS_INVALID)
            fail_msg("%s", wrong[i]);
    }
    fixture_free(f);
}

static void
too_many_fields(void **state)
{
    struct fixture *f = fixture_bare(NULL);
    struct buffer body = { 0 };
    struct form form;

    for (int i = 0; i < FORM_FIELDS_MAX; i++)
        put_text(&body, "audience=a&");
    assert_int_equal(form_read(buffer_slice(&body), &f->arena, &form, NULL), STATUS_OK);
    put_text(&body, "b=c");
    assert_int_equal(form_read(buffer_slice(&body), &f->arena, &form, NULL), STATUS_INVALID);
    buffer_free(&body);
    fixture_free(f);
}

/* --- refusals (RFC 6749 §5.2) -------------------------------------------------------- */

static bool
refuse_text(struct oauth_call *call)
{
    struct slice text = form_value(&call->form, "text");

    return oauth_refuse(call, OAUTH_INVALID_SCOPE, "%.*s", SLICE_PRINT(text));
}

static bool
refuse_client(struct oauth_call *call)
{
    return oauth_refuse(call, OAUTH_INVALID_CLIENT, "no such client");
}

static bool
refuse_busy(struct oauth_call *call)
{
    return oauth_refuse(call, OAUTH_TEMPORARILY_UNAVAILABLE, "the store is full");
}

static void
alphabet(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller nightly = { .name = "nightly" };

    assert_int_equal(post(f, &nightly, refuse_text, "text=a%%22b%%5Cc%%0Ad%%E2%%80%%A6~+%%21"),
                     400);
    assert_string_equal(text(f, "error"), "invalid_scope");
    assert_string_equal(text(f, "error_description"), "a'b/c d?~ !");
    assert_int_equal(post(f, &nightly, refuse_client, "%s", ""), 401);
    assert_string_equal(text(f, "error"), "invalid_client");
    assert_null(f->outcome.challenge); /* nobody tried Basic */
    assert_int_equal(post(f, &nightly, refuse_busy, "%s", ""), 503);
    assert_true(f->answer.retry_after > 0);
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(no_forms),
        cmocka_unit_test(too_many_fields),
        cmocka_unit_test(alphabet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
