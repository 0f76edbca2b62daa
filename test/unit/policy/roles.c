/* Names, definitions and edits: what is refused, what is shared, what is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/decide.h"

static struct names *names;

static json_t *
json(const char *text)
{
    json_t *out = NULL;
    struct fault fault = { 0 };

    if (json_read(slice_text(text), &out, &fault) != STATUS_OK)
        fail_msg("%s: %s", text, fault.text);
    return out;
}

/* "+r NAME" a role, "+s NAME" a subject with the definition; "-r", "-s" drops. */
struct step {
    const char *what, *name, *definition;
};

static enum status
apply(struct policy_edit *edit, const struct step *step, struct fault *fault)
{
    struct slice name = slice_text(step->name);
    json_t *definition = step->definition == NULL ? NULL : json(step->definition);
    enum status status;

    if (strcmp(step->what, "+r") == 0)
        status = policy_edit_role(edit, name, definition, fault);
    else if (strcmp(step->what, "+s") == 0)
        status = policy_edit_subject(edit, name, definition, fault);
    else if (strcmp(step->what, "-r") == 0)
        status = policy_edit_drop_role(edit, name);
    else
        status = policy_edit_drop_subject(edit, name);
    json_decref(definition);
    return status;
}

/* The picture after the steps, or NULL with the first failure in *fault. */
static struct policy *
edited(const struct policy *from, const struct step *steps, size_t count, struct fault *fault)
{
    struct policy *empty = from == NULL ? policy_new(names) : NULL, *out = NULL;
    struct policy_edit *edit = NULL;
    enum status status = STATUS_OK;

    *fault = (struct fault){ 0 };
    assert_int_equal(policy_edit_begin(from == NULL ? empty : from, &edit), STATUS_OK);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = apply(edit, &steps[i], fault);
    if (status == STATUS_OK)
        status = policy_edit_finish(edit, &out, fault);
    if (status != STATUS_OK) {
        assert_null(out);
        fault->code = status;
    }
    policy_edit_free(edit);
    policy_free(empty);
    return out;
}

#define EDITED(from, fault, ...)                                                                   \
    edited(from, (const struct step[]){ __VA_ARGS__ },                                             \
           sizeof((const struct step[]){ __VA_ARGS__ }) / sizeof(struct step), fault)

static bool
allowed_at(const struct policy *policy, const char *subject, const char *right, int64_t now)
{
    struct request request;
    struct arena arena;
    bool allows;

    assert_int_equal(request_from_right(slice_text(right), OBJECT_PATH, &request, NULL), STATUS_OK);
    arena_init(&arena, 1 << 16);
    allows = decision_allows(policy_decide_subject(policy, names_find(names, slice_text(subject)),
                                                   &request, now, &arena));
    arena_free(&arena);
    return allows;
}

static bool
allowed(const struct policy *policy, const char *subject, const char *right)
{
    return allowed_at(policy, subject, right, 0);
}

static int
setup(void **unused)
{
    names = names_new();
    return names == NULL;
}

static int
teardown(void **unused)
{
    names_free(names);
    return 0;
}

static void
test_names(void **unused)
{
    char text[32];

    for (unsigned i = 0; i < 5000; i++) {
        snprintf(text, sizeof(text), "name-%u", i);
        assert_int_equal(names_intern(names, slice_text(text)), i);
    }
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(text, sizeof(text), "name-%u", i);
        assert_int_equal(names_find(names, slice_text(text)), i);
        assert_int_equal(names_intern(names, slice_text(text)), i);
        assert_true(slice_is(names_text(names, i), text));
        assert_string_equal(names_text(names, i).at, text);
    }
    assert_int_equal(names_find(names, slice_text("other")), NAME_NONE);
    assert_int_equal(names_text(names, 5000).size, 0);
    assert_int_equal(names_text(names, NAME_NONE).size, 0);
}

static void
test_bad_definitions(void **unused)
{
    static const struct {
        const char *what, *name, *definition, *pointer, *why;
    } bad[] = {
        { "+r", "Bad", "{}", "", "no role's name" },
        { "+r", "a", "[]", "", "is an object" },
        { "+r", "a", "{\"alow\": []}", "/alow", "allow" },
        { "+r", "a", "{\"allow\": {}}", "/allow", "is a list" },
        { "+r", "a", "{\"allow\": [1]}", "/allow/0", "an entry is a right" },
        { "+r", "a", "{\"allow\": [\"a:b:c\", \"a:b\"]}", "/allow/1", "three parts" },
        { "+r", "a", "{\"deny\": [{\"right\": \"a:b\"}]}", "/deny/0/right", "three parts" },
        { "+r", "a", "{\"deny\": [{\"when\": {}}]}", "/deny/0/right", "an entry is a right" },
        { "+r", "a", "{\"allow\": [{\"right\": \"a:b:c\", \"wen\": {}}]}", "/allow/0/wen", "when" },
        { "+r", "a", "{\"allow\": [{\"right\": \"a:b:c\", \"when\": {}}]}", "/allow/0/when",
          "object of conditions" },
        { "+r", "a", "{\"allow\": [{\"right\": \"a:b:c\", \"when\": {\"netwrk\": []}}]}",
          "/allow/0/when/netwrk", "did you mean \"network\"" },
        { "+r", "a",
          "{\"allow\": [{\"right\": \"writ:audit.read:*\", \"when\": {\"max_concurrent\": 1}}]}",
          "/allow/0/when/max_concurrent", "writ itself" },
        { "+r", "a",
          "{\"allow\": [{\"right\": \"writ:audit.read:*\", \"when\": {\"max_bytes\": \"1B/s\"}}]}",
          "/allow/0/when/max_bytes", "writ itself" },
        { "+r", "a", "{\"inherits\": [\"B\"]}", "/inherits/0", "no role's name" },
        { "+r", "a", "{\"inherits\": [\"a\"]}", "/roles/a", "a → a" },
        { "+r", "a", "{\"inherits\": [\"suport\"]}", "/roles/a", "did you mean support" },
        { "+r", "a", "{\"inherits\": [\"zzzzzzzz\"]}", "/roles/a", "which there is not" },
        { "+s", "B d", "{\"type\": \"user\"}", "", "no subject's name" },
        { "+s", "b", "{}", "/type", "user, service or agent" },
        { "+s", "b", "{\"type\": \"robot\"}", "/type", "user, service or agent" },
        { "+s", "b", "{\"type\": \"user\", \"roles\": \"x\"}", "/roles", "list" },
        { "+s", "b", "{\"type\": \"user\", \"roles\": [7]}", "/roles/0", "no role's name" },
        { "+s", "b", "{\"type\": \"user\", \"roles\": [\"suport\"]}", "/subjects/b",
          "did you mean support" },
        { "+s", "b", "{\"type\": \"user\", \"disabled\": 1}", "/disabled", "" },
        { "+s", "b", "{\"type\": \"user\", \"rols\": []}", "/rols", "roles" },
    };
    struct fault fault;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct policy *policy = EDITED(NULL, &fault, { "+r", "support", "{}" },
                                       { bad[i].what, bad[i].name, bad[i].definition });

        assert_null(policy);
        if (fault.code != STATUS_INVALID || strcmp(fault.pointer, bad[i].pointer) != 0 ||
            strstr(fault.text, bad[i].why) == NULL)
            fail_msg("%s: %s at \"%s\"", bad[i].definition, fault.text, fault.pointer);
    }
}

static void
test_cycle_is_named(void **unused)
{
    struct fault fault;

    assert_null(EDITED(NULL, &fault, { "+r", "a", "{\"inherits\": [\"b\"]}" },
                       { "+r", "b", "{\"inherits\": [\"x\", \"c\"]}" }, { "+r", "x", "{}" },
                       { "+r", "c", "{\"inherits\": [\"b\"]}" }));
    assert_int_equal(fault.code, STATUS_INVALID);
    assert_non_null(strstr(fault.text, "b → c → b"));
}

static void
test_depth_is_limited(void **unused)
{
    struct policy *empty = policy_new(names), *out = NULL;
    struct policy_edit *edit = NULL;
    struct fault fault = { 0 };

    assert_int_equal(policy_edit_begin(empty, &edit), STATUS_OK);
    for (unsigned i = 0; i < 40; i++) {
        char name[16], text[64];
        json_t *definition;

        snprintf(name, sizeof(name), "r%u", i);
        snprintf(text, sizeof(text), i == 39 ? "{}" : "{\"inherits\": [\"r%u\"]}", i + 1);
        definition = json(text);
        assert_int_equal(policy_edit_role(edit, slice_text(name), definition, &fault), STATUS_OK);
        json_decref(definition);
    }
    assert_int_equal(policy_edit_finish(edit, &out, &fault), STATUS_INVALID);
    assert_non_null(strstr(fault.text, "inherits too much"));
    policy_edit_free(edit);
    policy_free(empty);
}

/* Old pictures stay as they were; heirs of a changed role change with it. */
static void
test_edits(void **unused)
{
    struct fault fault;
    struct policy *one =
        EDITED(NULL, &fault, { "+r", "base", "{\"allow\": [\"a:GET:/x\"]}" },
               { "+r", "heir", "{\"inherits\": [\"base\"], \"allow\": [\"a:GET:/y\"]}" },
               { "+r", "apart", "{\"allow\": [\"a:GET:/z\"]}" },
               { "+s", "amara", "{\"type\": \"user\", \"roles\": [\"heir\", \"apart\"]}" });
    struct policy *two, *three;

    assert_non_null(one);
    two = EDITED(one, &fault,
                 { "+r", "base", "{\"allow\": [\"a:GET:/new\"], \"deny\": [\"a:*:/z\"]}" });
    assert_non_null(two);
    assert_true(allowed(one, "amara", "a:GET:/x"));
    assert_false(allowed(one, "amara", "a:GET:/new"));
    assert_true(allowed(one, "amara", "a:GET:/z"));
    assert_false(allowed(two, "amara", "a:GET:/x"));
    assert_true(allowed(two, "amara", "a:GET:/new"));
    assert_true(allowed(two, "amara", "a:GET:/y"));
    assert_false(allowed(two, "amara", "a:GET:/z"));
    policy_free(one);
    three = EDITED(two, &fault, { "-s", "amara", NULL });
    assert_non_null(three);
    assert_true(allowed(two, "amara", "a:GET:/y"));
    assert_false(allowed(three, "amara", "a:GET:/y"));
    policy_free(two);
    policy_free(three);
}

static void
test_drops(void **unused)
{
    struct fault fault;
    struct policy *one =
        EDITED(NULL, &fault, { "+r", "base", "{}" }, { "+r", "heir", "{\"inherits\": [\"base\"]}" },
               { "+s", "amara", "{\"type\": \"agent\", \"roles\": [\"heir\"]}" });
    struct policy *two;

    assert_non_null(one);
    assert_null(EDITED(one, &fault, { "-r", "base", NULL }));
    assert_int_equal(fault.code, STATUS_CONFLICT);
    assert_non_null(strstr(fault.text, "role heir still inherits role base"));
    assert_null(EDITED(one, &fault, { "-r", "heir", NULL }));
    assert_int_equal(fault.code, STATUS_CONFLICT);
    assert_non_null(strstr(fault.text, "subject amara still holds role heir"));
    assert_null(EDITED(one, &fault, { "-r", "none", NULL }));
    assert_int_equal(fault.code, STATUS_NOT_FOUND);
    assert_null(EDITED(one, &fault, { "-s", "base", NULL }));
    assert_int_equal(fault.code, STATUS_NOT_FOUND);
    two = EDITED(one, &fault, { "-s", "amara", NULL }, { "-r", "heir", NULL },
                 { "-r", "base", NULL });
    assert_non_null(two);
    assert_false(policy_has_role(two, names_find(names, slice_text("base"))));
    policy_free(one);
    policy_free(two);
}

static void
test_diamond(void **unused)
{
    struct fault fault;
    struct policy *policy =
        EDITED(NULL, &fault, { "+r", "top", "{\"inherits\": [\"left\", \"right\"]}" },
               { "+r", "left", "{\"inherits\": [\"base\"]}" },
               { "+r", "right", "{\"inherits\": [\"base\"]}" },
               { "+r", "base", "{\"allow\": [\"a:GET:/x\"]}" },
               { "+s", "sam", "{\"type\": \"service\", \"roles\": [\"top\"]}" });
    name_id sam, base;

    assert_non_null(policy);
    sam = names_find(names, slice_text("sam"));
    base = names_find(names, slice_text("base"));
    assert_true(allowed(policy, "sam", "a:GET:/x"));
    assert_true(policy_subject_holds(policy, sam, base, 0));
    assert_false(policy_subject_holds(policy, sam, sam, 0));
    assert_false(policy_subject_holds(policy, base, base, 0));
    policy_free(policy);
}

static void
test_grants(void **unused)
{
    static const char *const wrong[] = {
        "{\"type\": \"user\", \"grants\": \"top\"}",
        "{\"type\": \"user\", \"grants\": [\"top\"]}",
        "{\"type\": \"user\", \"grants\": [{\"role\": \"top\"}]}",
        "{\"type\": \"user\", \"grants\": [{\"role\": \"top\", \"until\": \"never\"}]}",
        "{\"type\": \"user\", \"grants\": [{\"role\": \"top\", \"until\": \"soon\"}]}",
        "{\"type\": \"user\", \"grants\": [{\"until\": \"1970-01-01T00:00:10Z\"}]}",
        "{\"type\": \"user\", \"grants\": [{\"role\": \"top\", \"until\": 10}]}",
        "{\"grants\": [{\"role\": \"top\", \"until\": \"1970-01-02\", \"for\": \"1h\"}]}",
    };
    struct fault fault;
    struct policy *policy =
        EDITED(NULL, &fault, { "+r", "base", "{\"allow\": [\"a:GET:/x\"]}" },
               { "+r", "top", "{\"inherits\": [\"base\"], \"grantable\": {\"by\": [\"base\"]}}" },
               { "+s", "sam",
                 "{\"type\": \"user\", \"grants\": [{\"role\": \"top\", \"until\": "
                 "\"1970-01-01T00:00:10Z\", \"by\": \"lead\", \"reason\": \"night\"}]}" });
    name_id sam, top;

    assert_non_null(policy);
    sam = names_find(names, slice_text("sam"));
    top = names_find(names, slice_text("top"));
    assert_true(policy_subject_holds(policy, sam, top, 9999));
    assert_false(policy_subject_holds(policy, sam, top, 10000));
    assert_true(allowed_at(policy, "sam", "a:GET:/x", 9999));
    assert_false(allowed_at(policy, "sam", "a:GET:/x", 10000));
    assert_non_null(policy_role_grantable(policy, top));
    assert_null(policy_role_grantable(policy, names_find(names, slice_text("base"))));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (EDITED(policy, &fault, { "+s", "sam", wrong[i] }) != NULL)
            fail_msg("%s", wrong[i]);
    assert_null(EDITED(policy, &fault, { "+r", "top", "{\"grantable\": {\"by\": []}}" }));
    assert_null(EDITED(policy, &fault,
                       { "+r", "top", "{\"grantable\": {\"by\": [\"base\"], \"for\": \"8d\"}}" }));
    assert_null(EDITED(policy, &fault, { "+r", "top", "{\"grantable\": true}" }));
    policy_free(policy);
}

struct seen {
    unsigned allows, denies, whens, names;
    char order[64];
};

static bool
see_rule(void *context, const struct rule_view *rule)
{
    struct seen *seen = context;

    seen->denies += rule->deny;
    seen->allows += !rule->deny;
    seen->whens += rule->when != NULL;
    return true;
}

static bool
see_name(void *context, name_id id)
{
    struct seen *seen = context;

    strncat(seen->order, names_text(names, id).at, 10);
    strcat(seen->order, " ");
    return ++seen->names < 3;
}

static void
test_views(void **unused)
{
    struct fault fault;
    struct subject_view view;
    struct seen seen = { 0 };
    struct policy *policy = EDITED(
        NULL, &fault, { "+r", "zeta", "{\"inherits\": [\"alpha\"], \"deny\": [\"a:b:c\"]}" },
        { "+r", "alpha",
          "{\"allow\": [\"a:b:c\", {\"right\": \"a:b:d\", \"when\": {\"proof\": "
          "\"required\"}}]}" },
        { "+r", "alphabet", "{}" }, { "+r", "beta", "{}" },
        { "+s", "sam", "{\"type\": \"service\", \"roles\": [\"zeta\"], \"disabled\": true}" });

    assert_non_null(policy);
    policy_role_rules(policy, names_find(names, slice_text("zeta")), see_rule, &seen);
    assert_int_equal(seen.allows, 2);
    assert_int_equal(seen.denies, 1);
    assert_int_equal(seen.whens, 1);
    policy_each_role(policy, see_name, &seen);
    assert_string_equal(seen.order, "alpha alphabet beta ");
    seen = (struct seen){ 0 };
    policy_each_subject(policy, see_name, &seen);
    assert_string_equal(seen.order, "sam ");
    assert_true(policy_subject(policy, names_find(names, slice_text("sam")), &view));
    assert_true(view.disabled);
    assert_string_equal(subject_type_name(view.type), "service");
    assert_int_equal(view.role_count, 1);
    assert_false(policy_subject(policy, NAME_NONE, &view));
    assert_false(allowed(policy, "sam", "a:b:c"));
    policy_free(policy);
}

static void
test_scopes(void **unused)
{
    struct fault fault;
    struct scope *scope = NULL;
    char text[RIGHT_SIZE_MAX];
    struct buffer many = { 0 };
    name_id role;
    struct policy *policy =
        EDITED(NULL, &fault,
               { "+r", "support", "{\"allow\": [\"o:GET|HEAD:/v1/**\", \"f:GET:/files/*\"]}" });

    assert_non_null(policy);
    role = names_find(names, slice_text("support"));
    assert_int_equal(policy_scope_fits(policy, &role, 1,
                                       slice_text("o:GET:/v1/orders f:GET:/files/report.pdf"),
                                       &fault),
                     STATUS_OK);
    assert_int_equal(
        policy_scope_fits(policy, &role, 1, slice_text("o:GET:/v1/a o:PUT:/v1/b"), &fault),
        STATUS_INVALID);
    assert_non_null(strstr(fault.text, "o:PUT:/v1/b"));
    assert_int_equal(policy_scope_fits(policy, &role, 0, slice_text("o:GET:/v1/a"), &fault),
                     STATUS_INVALID);
    assert_int_equal(policy_scope_fits(policy, &role, 1, slice_text("o:GET"), &fault),
                     STATUS_INVALID);
    policy_free(policy);

    assert_int_equal(scope_new(slice_text(""), &scope, &fault), STATUS_INVALID);
    assert_int_equal(scope_new(slice_text("  "), &scope, &fault), STATUS_INVALID);
    assert_int_equal(scope_new(slice_text("a:b:c a:b"), &scope, &fault), STATUS_INVALID);
    assert_non_null(strstr(fault.text, "\"a:b\""));
    for (unsigned i = 0; i <= SCOPE_RIGHTS_MAX; i++)
        put_format(&many, "a:GET:/%u ", i);
    assert_int_equal(scope_new(buffer_slice(&many), &scope, &fault), STATUS_TOO_LARGE);
    many.size -= strlen("a:GET:/1024 ");
    assert_int_equal(scope_new(buffer_slice(&many), &scope, &fault), STATUS_OK);
    assert_int_equal(scope_text(scope).size, many.size);
    scope_free(scope);
    memset(text, 'x', sizeof(text));
    while (many.size <= SCOPE_SIZE_MAX)
        put_bytes(&many, text, sizeof(text));
    assert_int_equal(scope_new(buffer_slice(&many), &scope, &fault), STATUS_TOO_LARGE);
    buffer_free(&many);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names),          TEST(test_bad_definitions),
        TEST(test_cycle_is_named), TEST(test_depth_is_limited),
        TEST(test_edits),          TEST(test_drops),
        TEST(test_grants),         TEST(test_diamond),
        TEST(test_views),          TEST(test_scopes),
    };

    return cmocka_run_group_tests_name("policy/roles", tests, NULL, NULL);
}
