/* The decision over a lineage: what an attacker, a parent, a caveat or a condition
 * can and can't change. Single verdicts are in test/tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy/decide.h"

/* One picture for all tests. */
static const char definitions[] =
    "{\"roles\": {"
    "  \"support\": {\"allow\": [\"orders:GET|HEAD:/v1/orders/**\"]},"
    "  \"lead\": {\"inherits\": [\"support\"], \"allow\": ["
    "     {\"right\": \"orders:DELETE:/v1/orders/*\", \"when\": {\"proof\": \"required\"}},"
    "     {\"right\": \"orders:PUT:/v1/orders/*\", \"when\": {\"network\": [\"10.0.0.0/8\"]}},"
    "     {\"right\": \"orders:PATCH:/v1/**\", \"when\": {\"max_rate\": \"10/s\"}}]},"
    "  \"fast\": {\"allow\": [\"orders:PATCH:/v1/free\"]},"
    "  \"metered\": {\"allow\": [{\"right\": \"tools:GET:/a/**\","
    "     \"when\": {\"max_rate\": \"1/s\", \"max_bytes\": \"1KiB/1d\"}}]},"
    "  \"narrow\": {\"allow\": [{\"right\": \"tools:GET:/**\", \"when\": {\"max_concurrent\": 3}},"
    "     \"tools:GET:/c\"]},"
    "  \"twice\": {\"allow\": ["
    "     {\"right\": \"tools:GET:/**\", \"when\": {\"max_rate\": \"100/s\"}},"
    "     {\"right\": \"tools:GET:/**\", \"when\": {\"max_rate\": \"2/h\", \"max_concurrent\": 4}},"
    "     {\"right\": \"tools:GET:/**\", \"when\": {\"max_concurrent\": 1}}]},"
    "  \"many\": {\"allow\": ["
    "     {\"right\": \"tools:GET:/*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/1*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/12*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/123*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/1234*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/12345*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/123456*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/1234567*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/12345678*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/123456789*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/1234567890*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/12345678901*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/123456789012*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/1234567890123*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/12345678901234*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/123456789012345*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/1234567890123456*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/12345678901234567*\", \"when\": {\"max_concurrent\": 1}},"
    "     {\"right\": \"tools:GET:/123456789012345678*\", \"when\": {\"max_concurrent\": 1}}]},"
    "  \"barred\": {\"deny\": [\"orders:*:/v1/orders/7/**\"]},"
    "  \"wide\": {\"allow\": [\"*:*:**\"]},"
    "  \"lists\": {\"allow\": [\"k8s:list:shop/**\", {\"right\": \"k8s:watch:shop/**\","
    "     \"when\": {\"network\": [\"10.0.0.0/8\"]}}], \"deny\": [\"k8s:list:shop/secrets/*\"]}},"
    " \"subjects\": {"
    "  \"amara\": {\"type\": \"user\", \"roles\": [\"lead\", \"fast\"]},"
    "  \"copilot\": {\"type\": \"agent\", \"roles\": [\"wide\"]},"
    "  \"meg\": {\"type\": \"agent\", \"roles\": [\"metered\", \"narrow\", \"many\", \"twice\"]},"
    "  \"barry\": {\"type\": \"user\", \"roles\": [\"wide\", \"barred\"]},"
    "  \"lila\": {\"type\": \"user\", \"roles\": [\"lists\"]},"
    "  \"gone\": {\"type\": \"user\", \"roles\": [\"wide\"], \"disabled\": true},"
    "  \"none\": {\"type\": \"user\"}}}";

static struct names *names;
static struct policy *policy;
static struct arena arena;

static int
setup(void **unused)
{
    struct policy *empty;
    struct policy_edit *edit = NULL;
    struct fault fault = { 0 };
    json_t *json = NULL, *value;
    const char *name;

    names = names_new();
    empty = policy_new(names);
    if (json_read(slice_text(definitions), &json, &fault) != STATUS_OK ||
        policy_edit_begin(empty, &edit) != STATUS_OK)
        return 1;
    json_object_foreach(json_object_get(json, "roles"), name, value)
    {
        if (policy_edit_role(edit, slice_text(name), value, &fault) != STATUS_OK)
            return 1;
    }
    json_object_foreach(json_object_get(json, "subjects"), name, value)
    {
        if (policy_edit_subject(edit, slice_text(name), value, &fault) != STATUS_OK)
            return 1;
    }
    if (policy_edit_finish(edit, &policy, &fault) != STATUS_OK)
        return 1;
    policy_edit_free(edit);
    policy_free(empty);
    json_decref(json);
    arena_init(&arena, 1 << 20);
    return 0;
}

static int
teardown(void **unused)
{
    arena_free(&arena);
    policy_free(policy);
    names_free(names);
    return 0;
}

static name_id
id(const char *name)
{
    name_id found = names_find(names, slice_text(name));

    assert_int_not_equal(found, NAME_NONE);
    return found;
}

static struct request
asking(const char *right)
{
    struct request request;

    assert_int_equal(request_from_right(slice_text(right), OBJECT_PATH, &request, NULL), STATUS_OK);
    assert_int_equal(ip_parse(slice_text("10.1.1.1"), &request.peer), STATUS_OK);
    return request;
}

static struct lineage_link
link_of(const char *subject, const name_id *role)
{
    return (struct lineage_link){
        .token = SLICE_LITERAL("tok1"), .subject = id(subject), .roles = role, .role_count = 1
    };
}

static const struct decision *
decide(const struct lineage_link *links, size_t count, const struct request *request)
{
    const struct lineage lineage = { .links = links, .count = count };

    arena_reset(&arena);
    return policy_decide(policy, &lineage, request, 0, &arena);
}

static void
expect(const struct decision *decision, enum refusal_kind kind, const char *right,
       const char *reason)
{
    struct slice text = decision_reason(decision);

    if (decision_refusal(decision) != kind || !slice_is(decision_right(decision), right) ||
        memmem(text.at, text.size, reason, strlen(reason)) == NULL)
        fail_msg("kind %d, right %.*s, reason %.*s", decision_refusal(decision),
                 SLICE_PRINT(decision_right(decision)), SLICE_PRINT(text));
    assert_int_equal(decision_allows(decision), kind == REFUSAL_NONE);
}

static void
test_roles_count_while_held(void **unused)
{
    name_id support = id("support"), wide = id("wide"), lead = id("lead");
    struct request request = asking("orders:GET:/v1/orders/1");
    struct lineage_link link = link_of("amara", &support);

    /* Inherited is held; chosen is not: the token's role alone counts. */
    expect(decide(&link, 1, &request), REFUSAL_NONE, "orders:GET|HEAD:/v1/orders/**", "");
    assert_true(slice_is(decision_role(decide(&link, 1, &request)), "support"));
    request = asking("orders:PATCH:/v1/x");
    expect(decide(&link, 1, &request), REFUSAL_MISSING, "orders:PATCH:/v1/x", "no right");
    assert_true(
        slice_is(decision_hint(decide(&link, 1, &request)), "issue the token with role lead"));
    /* A role that the subject does not hold gives nothing. */
    link = link_of("amara", &wide);
    expect(decide(&link, 1, &request), REFUSAL_MISSING, "orders:PATCH:/v1/x", "no right");
    link = link_of("none", &lead);
    expect(decide(&link, 1, &request), REFUSAL_MISSING, "orders:PATCH:/v1/x", "no right");
    link.role_count = 0;
    expect(decide(&link, 1, &request), REFUSAL_MISSING, "orders:PATCH:/v1/x", "no right");
    request = asking("orders:TRACE:/v1/x");
    link = link_of("amara", &support);
    assert_true(slice_is(decision_hint(decide(&link, 1, &request)),
                         "grant orders:TRACE:/v1/x to role support"));
}

static void
test_subjects(void **unused)
{
    name_id wide = id("wide");
    struct request request = asking("orders:GET:/v1/orders/1");
    struct lineage_link links[2] = { link_of("gone", &wide), link_of("copilot", &wide) };

    expect(decide(links, 1, &request), REFUSAL_DENY, "", "gone is disabled");
    links[0].subject = NAME_NONE;
    expect(decide(links, 1, &request), REFUSAL_DENY, "", "no subject");
    links[0] = link_of("copilot", &wide);
    links[1] = link_of("gone", &wide);
    expect(decide(links, 2, &request), REFUSAL_DENY, "", "gone is disabled");
}

static void
test_deny_from_roles_not_chosen(void **unused)
{
    name_id wide = id("wide");
    struct request request = asking("orders:GET:/v1/orders/7/x");
    struct lineage_link links[2] = { link_of("barry", &wide), link_of("copilot", &wide) };

    expect(decide(links, 1, &request), REFUSAL_DENY, "orders:*:/v1/orders/7/**", "barred");
    /* Of an ancestor's subject as well. */
    links[1] = links[0];
    links[0] = link_of("copilot", &wide);
    expect(decide(links, 2, &request), REFUSAL_DENY, "orders:*:/v1/orders/7/**",
           "the ancestor tok1 of barry");
    expect(decide(links, 1, &request), REFUSAL_NONE, "*:*:**", "");
}

static void
test_ancestors_narrow(void **unused)
{
    name_id wide = id("wide"), support = id("support");
    struct request request = asking("orders:GET:/v1/orders/1");
    struct lineage_link links[LINEAGE_MAX + 1];
    struct scope *scope = NULL;
    struct cidr network;
    struct slice caveat = SLICE_LITERAL("other:GET:/x orders:GET:/v1/orders/2");

    links[0] = link_of("copilot", &wide);
    links[1] = link_of("amara", &support);
    links[1].token = slice_text("parent");
    expect(decide(links, 2, &request), REFUSAL_NONE, "*:*:**", "");
    request = asking("orders:POST:/v1/orders");
    expect(decide(links, 1, &request), REFUSAL_NONE, "*:*:**", "");
    expect(decide(links, 2, &request), REFUSAL_ANCESTOR, "orders:POST:/v1/orders",
           "the ancestor parent of amara");
    /* An ancestor's scope, caveats and networks bind its children. */
    request = asking("orders:GET:/v1/orders/1");
    assert_int_equal(scope_new(slice_text("orders:GET:/v1/orders/2"), &scope, NULL), STATUS_OK);
    links[1].scope = scope;
    expect(decide(links, 2, &request), REFUSAL_ANCESTOR, "orders:GET:/v1/orders/1", "scope");
    links[1].scope = NULL;
    links[1].narrowings = &caveat;
    links[1].narrowing_count = 1;
    expect(decide(links, 2, &request), REFUSAL_ANCESTOR, "orders:GET:/v1/orders/1", "caveat");
    links[1].narrowing_count = 0;
    assert_int_equal(cidr_parse(slice_text("192.0.2.0/24"), &network), STATUS_OK);
    links[1].networks = &network;
    links[1].network_count = 1;
    expect(decide(links, 2, &request), REFUSAL_NETWORK, "", "10.1.1.1");
    scope_free(scope);
    /* No lineage, or one that is too long, is refused. */
    for (size_t i = 0; i < LINEAGE_MAX + 1; i++)
        links[i] = link_of("copilot", &wide);
    expect(decide(links, LINEAGE_MAX, &request), REFUSAL_NONE, "*:*:**", "");
    expect(decide(links, LINEAGE_MAX + 1, &request), REFUSAL_LIMIT, "", "ancestors");
    expect(decide(links, 0, &request), REFUSAL_LIMIT, "", "none");
}

static void
test_caveats(void **unused)
{
    static const struct {
        const char *first, *second;
        enum refusal_kind kind;
    } cases[] = {
        { "orders:GET:/v1/**", "orders:*:/v1/orders/*", REFUSAL_NONE },
        { "orders:GET:/v1/**", "orders:*:/v1/other/*", REFUSAL_MISSING },
        { "x:GET:/y orders:GET:/v1/**", "orders:GET:/v1/**", REFUSAL_NONE },
        { "", "orders:GET:/v1/**", REFUSAL_MISSING },
        { " ", "orders:GET:/v1/**", REFUSAL_MISSING },
        /* One malformed right spoils the whole caveat. */
        { "orders:GET:/v1/** junk", "orders:GET:/v1/**", REFUSAL_MISSING },
        { "orders:GET:/v1/**", "orders:GET:/v1/\x01", REFUSAL_MISSING },
        /* A caveat can't give what the roles do not. */
        { "*:*:**", "*:*:**", REFUSAL_NONE },
    };
    name_id support = id("support");
    struct request request = asking("orders:GET:/v1/orders/1");

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lineage_link link = link_of("amara", &support);
        const struct slice narrowings[] = { slice_text(cases[i].first),
                                            slice_text(cases[i].second) };

        link.narrowings = narrowings;
        link.narrowing_count = 2;
        if (decision_refusal(decide(&link, 1, &request)) != cases[i].kind)
            fail_msg("\"%s\" and \"%s\"", cases[i].first, cases[i].second);
    }
}

static void
test_caveat_networks(void **unused)
{
    static const struct {
        const char *networks;
        bool inside;
    } cases[] = {
        { "10.0.0.0/8", true },       { "192.0.2.1 10.1.1.1", true },
        { "192.0.2.1", false },       { "", false },
        { "10.0.0.0/8 junk", false }, { "10.0.0.1/8", false },
        { "::ffff:10.1.1.1", true },
    };
    name_id support = id("support");
    struct request request = asking("orders:GET:/v1/orders/1");

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lineage_link link = link_of("amara", &support);
        const struct slice networks = slice_text(cases[i].networks);

        link.caveat_networks = &networks;
        link.caveat_network_count = 1;
        if (decision_allows(decide(&link, 1, &request)) != cases[i].inside)
            fail_msg("\"%s\"", cases[i].networks);
    }
    /* A Unix socket is in no network. */
    request.peer = (struct ip){ .family = IP_NONE };
    for (size_t i = 0; i < 1; i++) {
        struct lineage_link link = link_of("amara", &support);
        const struct slice networks = slice_text("0.0.0.0/0 ::/0");

        link.caveat_networks = &networks;
        link.caveat_network_count = 1;
        expect(decide(&link, 1, &request), REFUSAL_NETWORK, "", "unix");
    }
}

/* 401 for proof only when proof is all that is missing. */
static void
test_proof(void **unused)
{
    name_id lead = id("lead"), wide = id("wide");
    struct request request = asking("orders:DELETE:/v1/orders/1");
    struct lineage_link links[2] = { link_of("amara", &lead), link_of("copilot", &wide) };
    struct slice caveat = SLICE_LITERAL("orders:GET:/**");

    expect(decide(links, 1, &request), REFUSAL_PROOF, "orders:DELETE:/v1/orders/*", "proof");
    expect(decide(links, 2, &request), REFUSAL_PROOF, "orders:DELETE:/v1/orders/*", "proof");
    links[0].narrowings = &caveat;
    links[0].narrowing_count = 1;
    expect(decide(links, 1, &request), REFUSAL_MISSING, "orders:DELETE:/v1/orders/1", "caveat");
    links[0].narrowing_count = 0;
    links[1] = links[0];
    links[0] = link_of("copilot", &wide);
    expect(decide(links, 2, &request), REFUSAL_PROOF, "orders:DELETE:/v1/orders/*", "ancestor");
    request.proof = PROOF_CERTIFICATE;
    expect(decide(links, 2, &request), REFUSAL_NONE, "*:*:**", "");
}

static void
test_condition_of_ancestor(void **unused)
{
    name_id lead = id("lead"), wide = id("wide");
    struct request request = asking("orders:PUT:/v1/orders/1");
    struct lineage_link links[2] = { link_of("copilot", &wide), link_of("amara", &lead) };

    expect(decide(links, 2, &request), REFUSAL_NONE, "*:*:**", "");
    assert_int_equal(ip_parse(slice_text("192.0.2.1"), &request.peer), STATUS_OK);
    expect(decide(links, 2, &request), REFUSAL_ANCESTOR, "orders:PUT:/v1/orders/1",
           "condition network does not hold for 192.0.2.1");
    expect(decide(&links[1], 1, &request), REFUSAL_CONDITION, "orders:PUT:/v1/orders/*",
           "condition network");
}

static void
test_rates(void **unused)
{
    name_id lead = id("lead"), both[2] = { id("lead"), id("fast") };
    struct request request = asking("orders:PATCH:/v1/busy");
    struct lineage_link links[2] = { link_of("amara", &lead), link_of("amara", &lead) };
    const struct rate_obligation *rates;
    const struct decision *decision = decide(links, 1, &request);
    uint64_t key;

    expect(decision, REFUSAL_NONE, "orders:PATCH:/v1/**", "");
    assert_int_equal(decision_rates(decision, &rates), 1);
    assert_int_equal(rates[0].most, 10);
    assert_int_equal(rates[0].period_ms, 1000);
    key = rates[0].key;
    request = asking("orders:PATCH:/v1/other");
    decision = decide(links, 1, &request);
    assert_int_equal(decision_rates(decision, &rates), 1);
    assert_true(rates[0].key == key);
    /* Another token of the line has no limits of its own. */
    links[0].token = slice_text("tok2");
    decision = decide(links, 1, &request);
    assert_int_equal(decision_rates(decision, &rates), 1);
    assert_true(rates[0].key == key);
    links[1].line = slice_text("line2");
    decision = decide(links, 2, &request);
    assert_int_equal(decision_rates(decision, &rates), 2);
    assert_true(rates[0].key == key && rates[1].key != key);
    /* Lines of one subject have the same upper bits. */
    assert_true(rates[0].key >> 48 == rates[1].key >> 48);
    /* A right without a limit that allows the same frees from it. */
    request = asking("orders:PATCH:/v1/free");
    links[0].roles = both;
    links[0].role_count = 2;
    decision = decide(links, 1, &request);
    expect(decision, REFUSAL_NONE, "orders:PATCH:/v1/free", "");
    assert_int_equal(decision_rates(decision, &rates), 0);
}

/* Several rights with limits: no one of them is a way around the others. */
static void
test_limits_of_several(void **unused)
{
    name_id metered[2] = { id("metered"), id("narrow") };
    struct request request = asking("tools:GET:/a/b");
    struct lineage_link link = link_of("meg", metered);
    const struct budget_obligation *budgets;
    const struct rate_obligation *rates;
    const struct decision *decision;

    for (size_t i = 0; i < 2; i++) {
        name_id turned[2] = { metered[i], metered[1 - i] };

        link.roles = turned;
        link.role_count = 2;
        decision = decide(&link, 1, &request);
        assert_true(decision_allows(decision));
        assert_int_equal(decision_rates(decision, &rates), 1);
        assert_int_equal(decision_budgets(decision, &budgets), 2);
        assert_true(budgets[i].limits.most_open == 0 && budgets[1 - i].limits.most_open == 3);
        assert_true(budgets[i].limits.most_bytes == 1024 && budgets[i].key == rates[0].key);
        assert_true(budgets[1 - i].key != rates[0].key);
    }
    link.role_count = 1;
    link.roles = &metered[1];
    request = asking("tools:GET:/c");
    assert_int_equal(decision_budgets(decide(&link, 1, &request), &budgets), 0);
    /* One right, written three times: each has its own cell. */
    name_id twice = id("twice");
    link.roles = &twice;
    decision = decide(&link, 1, &request);
    assert_int_equal(decision_rates(decision, &rates), 2);
    assert_true(rates[0].key != rates[1].key);
    assert_int_equal(decision_budgets(decision, &budgets), 2);
    assert_true(budgets[0].key != budgets[1].key);
    /* More than can be held are refused; a list is not. */
    name_id many = id("many");
    link.roles = &many;
    request = asking("tools:GET:/1234567890123456789");
    expect(decide(&link, 1, &request), REFUSAL_LIMIT, "", "");
    request.listing = true;
    assert_true(decision_allows(decide(&link, 1, &request)));
    request = asking("tools:GET:/123456789012345");
    assert_int_equal(decision_budgets(decide(&link, 1, &request), &budgets), 16);
}

static void
test_listing(void **unused)
{
    name_id lists = id("lists");
    struct request request = asking("k8s:list:-");
    struct lineage_link link = link_of("lila", &lists);
    struct scope *scope = NULL;

    expect(decide(&link, 1, &request), REFUSAL_MISSING, "k8s:list:-", "no right");
    request.listing = true;
    expect(decide(&link, 1, &request), REFUSAL_NONE, "k8s:list:shop/**", "");
    /* A deny holds for a list of just what it denies. */
    request = asking("k8s:list:shop/secrets/x");
    request.listing = true;
    expect(decide(&link, 1, &request), REFUSAL_DENY, "k8s:list:shop/secrets/*", "denies");
    /* Conditions and the scope count for lists too. */
    request = asking("k8s:watch:-");
    request.listing = true;
    expect(decide(&link, 1, &request), REFUSAL_NONE, "k8s:watch:shop/**", "");
    request.peer = (struct ip){ .family = IP_NONE };
    expect(decide(&link, 1, &request), REFUSAL_CONDITION, "k8s:watch:shop/**", "network");
    request = asking("k8s:list:-");
    request.listing = true;
    assert_int_equal(scope_new(slice_text("k8s:get:shop/**"), &scope, NULL), STATUS_OK);
    link.scope = scope;
    expect(decide(&link, 1, &request), REFUSAL_MISSING, "k8s:list:-", "scope");
    scope_free(scope);
    assert_int_equal(scope_new(slice_text("k8s:list:shop/pods/*"), &scope, NULL), STATUS_OK);
    link.scope = scope;
    expect(decide(&link, 1, &request), REFUSAL_NONE, "k8s:list:shop/**", "");
    scope_free(scope);
}

/* Short scopes are looked at one by one, long ones are compiled: the same answers. */
static void
test_scope_sizes(void **unused)
{
    name_id wide = id("wide");
    struct buffer text = { 0 };

    for (unsigned count = 1; count <= 40; count++) {
        struct lineage_link link = link_of("copilot", &wide);
        struct scope *scope = NULL;

        put_format(&text, "%sa:GET:/x%u/*/y", count > 1 ? " " : "", count);
        assert_int_equal(scope_new(buffer_slice(&text), &scope, NULL), STATUS_OK);
        link.scope = scope;
        for (unsigned i = 1; i <= 41; i++) {
            char right[64];
            struct request request;

            snprintf(right, sizeof(right), "a:GET:/x%u/z/y", i);
            request = asking(right);
            assert_int_equal(decision_allows(decide(&link, 1, &request)), i <= count);
        }
        scope_free(scope);
    }
    buffer_free(&text);
}

/* What is not in canonical form is never matched: it would dodge a deny. */
static void
test_malformed_requests(void **unused)
{
    static const struct {
        const char *resource, *action, *object;
    } bad[] = {
        { "", "GET", "/" },
        { "orders", "", "/" },
        { "Orders", "GET", "/" },
        { "or:ders", "GET", "/" },
        { "orders", "G T", "/" },
        { "orders", "*", "/" },
        { "*", "GET", "/" },
        { "orders", "GET|PUT", "/" },
        { "orders", "GET", "/*" },
        { "orders", "GET", "/a b" },
        { "orders", "GET", "/%" },
        { "orders", "GET", "/%4" },
        { "orders", "GET", "/%41" },
        { "orders", "GET", "/%2a" },
        { "orders", "GET", "/\xc3\xa9" },
        { "orders", "GET", "/a\x01" },
        { "orders", "GET", "/a(b)" },
    };
    name_id wide = id("wide");
    struct lineage_link link = link_of("copilot", &wide);
    static char object[REQUEST_OBJECT_MAX + 1];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct request request = { .resource = slice_text(bad[i].resource),
                                   .action = slice_text(bad[i].action),
                                   .object = slice_text(bad[i].object) };

        expect(decide(&link, 1, &request), REFUSAL_LIMIT, "", "canonical");
    }
    memset(object, 'a', sizeof(object));
    for (size_t over = 0; over < 2; over++) {
        struct request request = { .resource = slice_text("orders"),
                                   .action = slice_text("GET"),
                                   .object = slice_of(object, REQUEST_OBJECT_MAX + over) };

        assert_int_equal(decision_refusal(decide(&link, 1, &request)),
                         over == 0 ? REFUSAL_NONE : REFUSAL_LIMIT);
    }
}

static void
test_refuse_only(void **unused)
{
    name_id support = id("support");
    struct request request = asking("orders:GET:/v1/orders/1");
    struct lineage_link link = link_of("amara", &support);
    const struct decision *allowed = decide(&link, 1, &request), *refused;

    refused = decision_refuse(allowed, slice_text("the door says no"), &arena);
    expect(refused, REFUSAL_DENY, "orders:GET|HEAD:/v1/orders/**", "the door says no");
    assert_true(decision_allows(allowed));
    request = asking("orders:POST:/v1/orders");
    refused = decision_refuse(decide(&link, 1, &request), slice_text("again"), &arena);
    expect(refused, REFUSAL_MISSING, "orders:POST:/v1/orders", "again");
}

static void
test_no_memory_refuses(void **unused)
{
    name_id wide = id("wide");
    struct request request = asking("orders:GET:/v1/orders/1");
    struct lineage_link link = link_of("copilot", &wide);
    const struct lineage lineage = { .links = &link, .count = 1 };
    struct arena small;

    arena_init(&small, 16);
    assert_false(decision_allows(policy_decide(policy, &lineage, &request, 0, &small)));
    request = asking("writ:GET:/");
    assert_false(decision_allows(policy_decide(policy, &lineage, &request, 0, &small)));
    arena_free(&small);
    for (size_t limit = 0; limit < 1024; limit += 16) {
        arena_init(&small, limit);
        assert_false(decision_allows(policy_decide(policy, &lineage, &request, 0, &small)));
        arena_free(&small);
    }
}

static const struct decision *
admit(const struct lineage_link *links, size_t count, const char *resource)
{
    const struct lineage lineage = { .links = links, .count = count };
    struct request request = { .resource = slice_text(resource),
                               .action = SLICE_LITERAL("login"),
                               .object = SLICE_LITERAL("-"),
                               .syntax = OBJECT_SQL };

    return policy_admit(policy, &lineage, &request, 0, &arena);
}

static void
test_admission(void **unused)
{
    name_id support = id("support");
    struct lineage_link link = link_of("amara", &support);
    struct slice away[] = { SLICE_LITERAL("elsewhere:GET:/ elsewhere:HEAD:/") };

    assert_true(decision_allows(admit(&link, 1, "orders")));
    expect(admit(&link, 1, "warehouse"), REFUSAL_MISSING, "warehouse:login:-", "no right");
    expect(admit(&link, 0, "orders"), REFUSAL_LIMIT, "", "ancestors");
    link.narrowings = away;
    link.narrowing_count = 1;
    assert_false(decision_allows(admit(&link, 1, "orders")));
    name_id lead = id("lead");
    struct lineage_link links[] = { link_of("amara", &support), link_of("copilot", &lead) };
    assert_true(decision_allows(admit(links, 1, "orders")));
    assert_false(decision_allows(admit(links, 2, "orders")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles_count_while_held),
        cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_deny_from_roles_not_chosen),
        cmocka_unit_test(test_ancestors_narrow),
        cmocka_unit_test(test_caveats),
        cmocka_unit_test(test_caveat_networks),
        cmocka_unit_test(test_proof),
        cmocka_unit_test(test_condition_of_ancestor),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_limits_of_several),
        cmocka_unit_test(test_listing),
        cmocka_unit_test(test_scope_sizes),
        cmocka_unit_test(test_malformed_requests),
        cmocka_unit_test(test_refuse_only),
        cmocka_unit_test(test_no_memory_refuses),
        cmocka_unit_test(test_admission),
    };

    return cmocka_run_group_tests_name("policy/decide", tests, setup, teardown);
}
