/* policy/role.c - reads a role's definition and compiles its rules. */
#include "role.h"

#include "condition_approval.h"

#include <stdio.h>
#include <stdlib.h>

static void
definition_destroy(struct shared *shared)
{
    struct role_definition *definition = (struct role_definition *)shared;

    for (size_t i = 0; definition->rules != NULL && i < definition->rule_count; i++)
        condition_free(definition->rules[i].when);
    free(definition->rules);
    approval_free(&definition->grantable);
    free(definition->inherits);
    free(definition->texts);
    json_decref(definition->json);
    free(definition);
}

static struct slice
json_text(const json_t *value)
{
    return json_is_string(value) ? slice_of(json_string_value(value), json_string_length(value))
                                 : (struct slice){ 0 };
}

/* The text of an entry of allow or deny; empty when it has none. */
static struct slice
rule_text(const json_t *entry)
{
    return json_text(json_is_object(entry) ? json_object_get(entry, "right") : entry);
}

static size_t
texts_size(const json_t *list)
{
    size_t size = 0;

    for (size_t i = 0; i < json_array_size(list); i++)
        size += rule_text(json_array_get(list, i)).size;
    return size;
}

/* The authority's own API passes no door that could count. */
static enum status
check_budget(const struct rule *rule, const char *pointer, struct fault *fault)
{
    char below[FAULT_POINTER_MAX];
    const char *name;

    if (!slice_is(rule->right.resource, "writ") || !budget_limits_bind(&rule->when->budget))
        return STATUS_OK;
    name = rule->when->budget.most_open > 0 ? "max_concurrent" : "max_bytes";
    snprintf(below, sizeof(below), "%.160s/%s", pointer, name);
    return fault_at(fault, STATUS_INVALID, below,
                    "%s can't be held where a right is of writ itself: it counts what passes a "
                    "door",
                    name);
}

/* One entry; at is where its text is copied to. */
static enum status
read_rule(struct rule *rule, const json_t *entry, const char *pointer, char *at,
          struct fault *fault)
{
    static const char *const known[] = { "right", "when", NULL };
    struct slice text = rule_text(entry);
    const json_t *when = json_is_object(entry) ? json_object_get(entry, "when") : NULL;
    char below[FAULT_POINTER_MAX];
    enum status status;

    if (json_is_object(entry)) {
        status = json_only(entry, known, fault);
        if (status != STATUS_OK) {
            if (fault != NULL) {
                memcpy(below, fault->pointer, sizeof(below));
                snprintf(fault->pointer, sizeof(fault->pointer), "%.80s%.100s", pointer, below);
            }
            return status;
        }
    }
    snprintf(below, sizeof(below), "%.180s%s", pointer, json_is_object(entry) ? "/right" : "");
    if (text.at == NULL)
        return fault_at(fault, STATUS_INVALID, below,
                        "an entry is a right, or {\"right\": …, \"when\": {…}}");
    if (text.size > 0)
        memcpy(at, text.at, text.size);
    status = right_parse(slice_of(at, text.size), &rule->right, fault);
    if (status != STATUS_OK) {
        if (fault != NULL)
            snprintf(fault->pointer, sizeof(fault->pointer), "%s", below);
        return status;
    }
    if (when == NULL || json_is_null(when))
        return STATUS_OK;
    snprintf(below, sizeof(below), "%.180s/when", pointer);
    rule->when_json = when;
    status = condition_read(when, below, rule->deny, &rule->when, fault);
    return status == STATUS_OK ? check_budget(rule, below, fault) : status;
}

static enum status
read_list(struct role_definition *definition, const char *member, size_t first, char **at,
          struct fault *fault)
{
    const json_t *list = json_object_get(definition->json, member);

    for (size_t i = 0; i < json_array_size(list); i++) {
        struct rule *rule = &definition->rules[first + i];
        char pointer[FAULT_POINTER_MAX];
        enum status status;

        rule->deny = strcmp(member, "deny") == 0;
        rule->role = definition->name;
        rule->role_id = definition->id;
        snprintf(pointer, sizeof(pointer), "/%s/%zu", member, i);
        status = read_rule(rule, json_array_get(list, i), pointer, *at, fault);
        if (status != STATUS_OK)
            return status;
        *at += rule->right.text.size;
    }
    return STATUS_OK;
}

static enum status
read_inherits(struct role_definition *definition, struct names *names, struct fault *fault)
{
    const json_t *list = json_object_get(definition->json, "inherits");
    size_t count = json_array_size(list);

    if (count > ROLE_INHERITS_MAX)
        return fault_at(fault, STATUS_INVALID, "/inherits", "a role inherits at most %d roles",
                        ROLE_INHERITS_MAX);
    definition->inherits = calloc(count + 1, sizeof(name_id));
    if (definition->inherits == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct slice name = json_text(json_array_get(list, i));
        char pointer[FAULT_POINTER_MAX];

        snprintf(pointer, sizeof(pointer), "/inherits/%zu", i);
        if (!name_valid(name))
            return fault_at(fault, STATUS_INVALID, pointer, "\"%.*s\" is no role's name",
                            SLICE_PRINT(slice_first(name, 64)));
        definition->inherits[i] = names_intern(names, name);
        if (definition->inherits[i] == NAME_NONE)
            return fault_set(fault, STATUS_MEMORY, "out of memory");
        definition->inherit_count++;
    }
    return STATUS_OK;
}

static enum status
check_members(const json_t *json, struct fault *fault)
{
    static const char *const known[] = { "inherits", "allow", "deny", "grantable", NULL };
    static const char *const lists[] = { "inherits", "allow", "deny", NULL };
    enum status status;

    if (!json_is_object(json))
        return fault_at(fault, STATUS_INVALID, "", "a role is an object: inherits, allow, deny");
    status = json_only(json, known, fault);
    for (size_t i = 0; lists[i] != NULL && status == STATUS_OK; i++) {
        const json_t *list = json_object_get(json, lists[i]);
        char pointer[FAULT_POINTER_MAX];

        if (list == NULL || json_is_null(list) || json_is_array(list))
            continue;
        snprintf(pointer, sizeof(pointer), "/%s", lists[i]);
        status = fault_at(fault, STATUS_INVALID, pointer, "%s is a list", lists[i]);
    }
    return status;
}

static enum status
read_definition(struct role_definition *definition, struct names *names, struct fault *fault)
{
    const json_t *allow = json_object_get(definition->json, "allow");
    const json_t *deny = json_object_get(definition->json, "deny");
    const json_t *grantable = json_object_get(definition->json, "grantable");
    enum status status = read_inherits(definition, names, fault);
    size_t count = json_array_size(allow) + json_array_size(deny);
    char *at;

    if (status == STATUS_OK && grantable != NULL && !json_is_null(grantable))
        status = grantable_read(grantable, "/grantable", &definition->grantable, fault);
    if (status != STATUS_OK)
        return status;
    if (count > ROLE_RIGHTS_MAX)
        return fault_set(fault, STATUS_TOO_LARGE, "a role holds at most %d rights",
                         ROLE_RIGHTS_MAX);
    definition->rules = calloc(count + 1, sizeof(struct rule));
    definition->texts = malloc(texts_size(allow) + texts_size(deny) + 1);
    if (definition->rules == NULL || definition->texts == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    definition->allow_count = json_array_size(allow);
    definition->rule_count = count;
    at = definition->texts;
    status = read_list(definition, "allow", 0, &at, fault);
    if (status == STATUS_OK)
        status = read_list(definition, "deny", definition->allow_count, &at, fault);
    return status;
}

enum status
role_read(struct names *names, struct slice name, const json_t *json, struct role_definition **out,
          struct fault *fault)
{
    struct role_definition *definition;
    enum status status;

    if (!name_valid(name))
        return fault_set(fault, STATUS_INVALID,
                         "\"%.*s\" is no role's name: it holds a-z 0-9 _ -, at most 63 bytes",
                         SLICE_PRINT(slice_first(name, 64)));
    status = check_members(json, fault);
    if (status != STATUS_OK)
        return status;
    definition = calloc(1, sizeof(*definition));
    if (definition == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    shared_init(&definition->shared, definition_destroy);
    definition->id = names_intern(names, name);
    definition->json = json_deep_copy(json);
    if (definition->id == NAME_NONE || definition->json == NULL) {
        status = fault_set(fault, STATUS_MEMORY, "out of memory");
    } else {
        definition->name = names_text(names, definition->id);
        status = read_definition(definition, names, fault);
    }
    if (status != STATUS_OK)
        shared_drop(&definition->shared);
    else
        *out = definition;
    return status;
}

static void
role_destroy(struct shared *shared)
{
    struct role *role = (struct role *)shared;

    for (size_t i = 0; i < role->inherited_count; i++)
        shared_drop(&role->inherited[i]->shared);
    free(role->inherited);
    free(role->inherited_ids);
    matcher_free(role->allow.matcher);
    matcher_free(role->deny.matcher);
    free(role->allow.rules);
    free(role->deny.rules);
    shared_drop(&role->definition->shared);
    free(role);
}

struct role *
role_new(struct role_definition *definition)
{
    struct role *role = calloc(1, sizeof(*role));

    if (role == NULL) {
        shared_drop(&definition->shared);
        return NULL;
    }
    shared_init(&role->shared, role_destroy);
    role->definition = definition;
    return role;
}

static enum status
compile_rules(struct role_rules *rules, bool listing)
{
    struct matcher_build *build;
    enum status status = STATUS_OK;

    if (rules->count == 0)
        return STATUS_OK;
    build = matcher_build_new(listing);
    if (build == NULL)
        return STATUS_MEMORY;
    for (size_t i = 0; i < rules->count && status == STATUS_OK; i++) {
        const struct rule *rule = rules->rules[i];

        status = matcher_add(build, &rule->right, (uint32_t)i,
                             rule->when == NULL && rule->right.columns.size == 0);
    }
    if (status == STATUS_OK)
        status = matcher_build_finish(build, &rules->matcher);
    matcher_build_free(build);
    return status;
}

static bool
gather(struct role *role, struct role_definition *const *all, size_t count)
{
    size_t allows = 0, denies = 0;

    for (size_t i = 0; i < count; i++) {
        allows += all[i]->allow_count;
        denies += all[i]->rule_count - all[i]->allow_count;
    }
    role->allow.rules = calloc(allows + 1, sizeof(struct rule *));
    role->deny.rules = calloc(denies + 1, sizeof(struct rule *));
    role->inherited = calloc(count + 1, sizeof(struct role_definition *));
    role->inherited_ids = calloc(count + 1, sizeof(name_id));
    if (role->allow.rules == NULL || role->deny.rules == NULL || role->inherited == NULL ||
        role->inherited_ids == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        shared_take(&all[i]->shared);
        role->inherited[role->inherited_count] = all[i];
        role->inherited_ids[role->inherited_count++] = all[i]->id;
        for (size_t j = 0; j < all[i]->rule_count; j++) {
            const struct rule *rule = &all[i]->rules[j];

            if (rule->deny)
                role->deny.rules[role->deny.count++] = rule;
            else
                role->allow.rules[role->allow.count++] = rule;
        }
    }
    return true;
}

enum status
role_compile(struct role *role, struct role_definition *const *all, size_t count,
             struct fault *fault)
{
    enum status status = STATUS_MEMORY;

    if (gather(role, all, count)) {
        status = compile_rules(&role->allow, true);
        if (status == STATUS_OK)
            status = compile_rules(&role->deny, false);
    }
    if (status == STATUS_TOO_LARGE)
        return fault_set(fault, STATUS_TOO_LARGE,
                         "role %.*s is too large: its rights, with all alternatives of their "
                         "actions, don't fit in a table",
                         SLICE_PRINT(role->definition->name));
    if (status != STATUS_OK)
        return fault_set(fault, status, "out of memory");
    role->compiled = true;
    return STATUS_OK;
}
