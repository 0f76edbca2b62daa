/* authority/grant.c - whoever writes roles or subjects can give only what it
 * holds itself. */
#include "internal.h"

#include "base/clock.h"

struct holding {
    struct right wanted;
    bool held;
};

static bool
holds_right(void *context, const struct rule_view *rule)
{
    struct holding *holding = context;

    if (!rule->deny && rule->when == NULL && right_within(&holding->wanted, &rule->right))
        holding->held = true;
    return !holding->held;
}

/* A narrowed token gives nothing beyond what it names itself. */
static bool
within_scope(const struct lineage_link *link, const struct right *wanted)
{
    struct slice rest, one;

    if (link->narrowing_count > 0)
        return false;
    if (link->scope == NULL)
        return true;
    rest = scope_text(link->scope);
    while (slice_next(&rest, ' ', &one)) {
        struct right right;
        if (right_parse(one, &right, NULL) == STATUS_OK && right_within(wanted, &right))
            return true;
    }
    return false;
}

/* Each link must hold it: a child can't give what its parent could not. What is held for a time
 * is not there to be given: it would outlive its time. */
static bool
lineage_holds(struct authority *authority, const struct lineage *lineage,
              const struct right *wanted)
{
    const struct policy *policy = world_policy_of(authority->world);

    for (size_t i = 0; i < lineage->count; i++) {
        const struct lineage_link *link = &lineage->links[i];
        struct holding holding = { .wanted = *wanted };

        for (size_t k = 0; k < link->role_count && !holding.held; k++) {
            if (policy_subject_holds(policy, link->subject, link->roles[k], TIME_NEVER - 1))
                policy_role_rules(policy, link->roles[k], holds_right, &holding);
        }
        if (!holding.held || !within_scope(link, wanted))
            return false;
    }
    return lineage->count > 0;
}

/* --- denies that bind the giver ---------------------------------------------------- */

struct binding_denies {
    const struct grant *grant;
    struct right wanted;
    struct slice missing; /* the deny that the grant leaves out */
};

/* A carried deny counts when it holds whenever the other does: without a condition,
 * or under the very same. */
static bool
carries_deny(const struct grant *grant, const struct rule_view *deny)
{
    json_t *item;
    size_t i;

    json_array_foreach(grant->deny, i, item)
    {
        const json_t *right = json_object_get(item, "right"), *when = json_object_get(item, "when");
        struct right carried;

        if (right_parse(slice_text(json_string_value(right)), &carried, NULL) == STATUS_OK &&
            right_within(&deny->right, &carried) &&
            (when == NULL || (deny->when != NULL && json_equal(when, deny->when))))
            return true;
    }
    return false;
}

/* Could both resources name the same upstream? Two wildcards are taken to. */
static bool
resources_meet(struct slice a, struct slice b)
{
    return slice_equal(a, b) || slice_find(a, '*') < a.size || slice_find(b, '*') < b.size;
}

static bool
find_missing_deny(void *context, const struct rule_view *rule)
{
    struct binding_denies *denies = context;

    if (rule->deny && resources_meet(rule->right.resource, denies->wanted.resource) &&
        !carries_deny(denies->grant, rule))
        denies->missing = rule->right.text;
    return denies->missing.at == NULL;
}

static struct slice
missing_deny(struct authority *authority, const struct lineage *lineage, const struct grant *grant,
             const struct right *wanted)
{
    const struct policy *policy = world_policy_of(authority->world);
    struct binding_denies denies = { .grant = grant, .wanted = *wanted };

    for (size_t i = 0; i < lineage->count; i++) {
        struct subject_view view;

        if (!policy_subject(policy, lineage->links[i].subject, &view))
            continue;
        for (size_t k = 0; k < view.role_count; k++)
            policy_role_rules(policy, view.roles[k], find_missing_deny, &denies);
    }
    return denies.missing;
}

/* To lift a deny is to give what it denied to whoever holds the role. */
static enum status
may_lift(struct authority *authority, const struct api_request *request, const struct grant *grant,
         struct fault *fault)
{
    json_t *item;
    size_t i;

    json_array_foreach(grant->lifted, i, item)
    {
        struct right right;
        struct slice binds;

        if (right_parse(slice_text(json_string_value(item)), &right, fault) != STATUS_OK)
            return STATUS_INVALID;
        binds = missing_deny(authority, &request->caller.lineage, grant, &right);
        if (binds.at != NULL || !lineage_holds(authority, &request->caller.lineage, &right))
            return fault_set(fault, STATUS_DENIED,
                             "you can't take the deny %s away, for you don't hold that right "
                             "yourself; writ:roles.escalate:* would allow it",
                             json_string_value(item));
    }
    return STATUS_OK;
}

enum status
api_may_grant(struct authority *authority, const struct api_request *request,
              const struct grant *grant, struct fault *fault)
{
    json_t *item;
    size_t i;

    if (api_may(authority, request, SLICE_LITERAL("roles.escalate"), SLICE_LITERAL("-")))
        return STATUS_OK;
    json_array_foreach(grant->allow, i, item)
    {
        struct right right;
        struct slice left_out;

        if (right_parse(slice_text(json_string_value(item)), &right, fault) != STATUS_OK)
            return STATUS_INVALID;
        if (!lineage_holds(authority, &request->caller.lineage, &right))
            return fault_set(fault, STATUS_DENIED,
                             "you can't give %s, for you don't hold it yourself; "
                             "writ:roles.escalate:* would allow it",
                             json_string_value(item));
        left_out = missing_deny(authority, &request->caller.lineage, grant, &right);
        if (left_out.at != NULL)
            return fault_set(fault, STATUS_DENIED,
                             "you can't give %s without the deny %.*s that binds you yourself",
                             json_string_value(item), SLICE_PRINT(left_out));
    }
    return may_lift(authority, request, grant, fault);
}

/* --- what a definition gives --------------------------------------------------------- */

static void
add_deny(struct grant *grant, json_t *right, const json_t *when)
{
    json_t *deny = json_pack("{s:o}", "right", right);

    if (when != NULL && !json_is_null(when))
        json_object_set_new(deny, "when", json_deep_copy(when));
    json_array_append_new(grant->deny, deny);
}

static bool
add_rule(void *context, const struct rule_view *rule)
{
    struct grant *grant = context;

    if (rule->deny)
        add_deny(grant, json_slice(rule->right.text), rule->when);
    else
        json_array_append_new(grant->allow, json_slice(rule->right.text));
    return true;
}

/* Entries that are no right are refused when the definition is compiled. */
static void
add_entries(struct grant *grant, const json_t *list, bool deny)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        json_t *text = json_is_object(item) ? json_object_get(item, "right") : item;

        if (!json_is_string(text))
            continue;
        if (deny)
            add_deny(grant, json_incref(text), json_object_get(item, "when"));
        else
            json_array_append(grant->allow, text);
    }
}

static bool
add_lifted(void *context, const struct rule_view *rule)
{
    struct grant *grant = context;

    if (rule->deny && !carries_deny(grant, rule))
        json_array_append_new(grant->lifted, json_slice(rule->right.text));
    return true;
}

static void
add_role(const struct policy *policy, const struct names *names, const json_t *name,
         struct grant *out)
{
    name_id role =
        json_is_string(name) ? names_find(names, slice_text(json_string_value(name))) : NAME_NONE;

    if (role != NAME_NONE)
        policy_role_rules(policy, role, add_rule, out);
}

enum status
grant_of(struct authority *authority, enum change_kind put_kind, struct slice name,
         const json_t *definition, struct grant *out)
{
    const struct policy *policy = world_policy_of(authority->world);
    const struct names *names = world_names(authority->world);
    const json_t *roles =
        json_object_get(definition, put_kind == CHANGE_ROLE_PUT ? "inherits" : "roles");
    json_t *item;
    size_t i;

    *out = (struct grant){ .allow = json_array(), .deny = json_array(), .lifted = json_array() };
    if (out->allow == NULL || out->deny == NULL || out->lifted == NULL) {
        grant_free(out);
        return STATUS_MEMORY;
    }
    if (put_kind == CHANGE_ROLE_PUT) {
        add_entries(out, json_object_get(definition, "allow"), false);
        add_entries(out, json_object_get(definition, "deny"), true);
    }
    json_array_foreach(roles, i, item) add_role(policy, names, item, out);
    if (put_kind == CHANGE_SUBJECT_PUT)
        json_array_foreach(json_object_get(definition, "grants"), i, item)
            add_role(policy, names, json_object_get(item, "role"), out);
    if (put_kind == CHANGE_ROLE_PUT && names_find(names, name) != NAME_NONE)
        policy_role_rules(policy, names_find(names, name), add_lifted, out);
    return STATUS_OK;
}

void
grant_free(struct grant *grant)
{
    json_decref(grant->allow);
    json_decref(grant->deny);
    json_decref(grant->lifted);
    *grant = (struct grant){ 0 };
}
