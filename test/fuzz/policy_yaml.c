/* fuzz/policy_yaml.c - any bytes as a policy file: it is refused with a reason, or its
 * roles compile, its subjects can be judged, and its upstreams are ones a door can serve. */
#include <stdlib.h>

#include "internal.h"

#include "base/yaml.h"
#include "gateway/gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static enum status
check_upstream(void *app, const json_t *definition, struct fault *fault)
{
    return gateway_check_upstream(definition, fault);
}

static bool
rule_is_a_right(void *context, const struct rule_view *rule)
{
    struct right right;

    check(right_parse(rule->right.text, &right, NULL) == STATUS_OK);
    ++*(size_t *)context;
    return true;
}

struct judging {
    const struct policy *policy;
    struct arena arena;
};

static bool
judge(void *context, name_id subject)
{
    static const struct request requests[] = {
        { .resource = { "orders", 6 }, .action = { "GET", 3 }, .object = { "/v1/orders/42", 13 } },
        { .resource = { "a", 1 },
          .action = { "b", 1 },
          .object = { "-", 1 },
          .syntax = OBJECT_FLAT },
    };
    struct judging *judging = context;

    for (size_t i = 0; i < 2; i++) {
        const struct decision *decision =
            policy_decide_subject(judging->policy, subject, &requests[i], 1000000, &judging->arena);

        check(decision_allows(decision) == (decision_refusal(decision) == REFUSAL_NONE));
        check(decision_allows(decision) || decision_reason(decision).size > 0);
    }
    arena_reset(&judging->arena);
    return true;
}

static bool
see_role(void *context, name_id role)
{
    size_t rules = 0;

    policy_role_rules(((struct judging *)context)->policy, role, rule_is_a_right, &rules);
    return true;
}

static void
refused(enum status status, const struct fault *fault)
{
    if (status == STATUS_OK)
        return;
    check(fault->code == status && fault->text[0] != '\0');
    check(fault->pointer[0] == '\0' || fault->pointer[0] == '/');
}

static void
compile(const json_t *root, struct names *names)
{
    struct judging judging = { 0 };
    struct policy *empty = policy_new(names), *policy = NULL;
    struct policy_edit *edit;
    struct fault fault = { 0 };
    const char *name;
    json_t *definition;
    enum status status = policy_edit_begin(empty, &edit);

    check(status == STATUS_OK);
    json_object_foreach(json_object_get(root, "roles"), name, definition)
        refused(policy_edit_role(edit, slice_text(name), definition, &fault), &fault);
    json_object_foreach(json_object_get(root, "subjects"), name, definition)
        refused(policy_edit_subject(edit, slice_text(name), definition, &fault), &fault);
    status = policy_edit_finish(edit, &policy, &fault);
    refused(status, &fault);
    if (status == STATUS_OK) {
        judging.policy = policy;
        arena_init(&judging.arena, 1 << 20);
        policy_each_role(policy, see_role, &judging);
        policy_each_subject(policy, judge, &judging);
        arena_free(&judging.arena);
    }
    policy_edit_free(edit);
    policy_free(policy);
    policy_free(empty);
}

static void
upstreams(const json_t *root)
{
    static char socket[] = "/nowhere/writ.sock";
    static const char *const own[] = { "127.0.0.1:7800" };
    static const struct authority_ports ports = { .check_upstream = check_upstream };
    static struct authority authority = {
        .options = { .own_addresses = own, .own_address_count = 1, .ports = &ports },
        .socket_path = socket
    };
    struct fault fault = { 0 };
    const char *name;
    json_t *definition;

    json_object_foreach(json_object_get(root, "upstreams"), name, definition)
    {
        enum status local = upstream_check(&authority, slice_text(name), definition, true, &fault);
        enum status remote;

        refused(local, &fault);
        remote = upstream_check(&authority, slice_text(name), definition, false, &fault);
        refused(remote, &fault);
        /* Who is elsewhere may write no more than who is here. */
        check(remote != STATUS_OK || local == STATUS_OK);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault = { 0 };
    struct yaml *yaml = NULL;
    struct names *names;

    if (yaml_read(slice_of(data, size), &yaml, &fault) != STATUS_OK)
        return 0;
    names = names_new();
    check(names != NULL);
    compile(yaml_root(yaml), names);
    upstreams(yaml_root(yaml));
    names_free(names);
    yaml_free(yaml);
    return 0;
}
