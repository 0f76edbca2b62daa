/* policy/policy.c - pictures of roles and subjects, and the edits between them. */
#include <stdlib.h>

#include "base/clock.h"
#include "picture.h"
#include "restrict.h"

struct policy_edit {
    struct policy *next;
    name_id *subjects; /* those that were touched */
    size_t subject_count, subject_room;
    bool roles_touched, roles_dropped;
};

struct policy *
policy_new(struct names *names)
{
    struct policy *policy = calloc(1, sizeof(*policy));

    if (policy != NULL)
        policy->names = names;
    return policy;
}

void
policy_free(struct policy *policy)
{
    if (policy == NULL)
        return;
    table_free(&policy->roles);
    table_free(&policy->subjects);
    free(policy);
}

enum status
policy_edit_begin(const struct policy *from, struct policy_edit **out)
{
    struct policy_edit *edit = calloc(1, sizeof(*edit));

    if (edit == NULL)
        return STATUS_MEMORY;
    edit->next = policy_new(from->names);
    if (edit->next == NULL || !table_copy(&edit->next->roles, &from->roles) ||
        !table_copy(&edit->next->subjects, &from->subjects)) {
        policy_edit_free(edit);
        return STATUS_MEMORY;
    }
    *out = edit;
    return STATUS_OK;
}

void
policy_edit_free(struct policy_edit *edit)
{
    if (edit == NULL)
        return;
    policy_free(edit->next);
    free(edit->subjects);
    free(edit);
}

enum status
policy_edit_role(struct policy_edit *edit, struct slice name, const json_t *definition,
                 struct fault *fault)
{
    struct role_definition *read = NULL;
    enum status status = role_read(edit->next->names, name, definition, &read, fault);
    struct role *role;

    if (status != STATUS_OK)
        return status;
    role = role_new(read);
    if (role == NULL || !table_set(&edit->next->roles, role->definition->id, &role->shared))
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    edit->roles_touched = true;
    return STATUS_OK;
}

static bool
touch_subject(struct policy_edit *edit, name_id id)
{
    if (edit->subject_count == edit->subject_room) {
        size_t room = edit->subject_room == 0 ? 16 : edit->subject_room * 2;
        name_id *grown = reallocarray(edit->subjects, room, sizeof(name_id));

        if (grown == NULL)
            return false;
        edit->subjects = grown;
        edit->subject_room = room;
    }
    edit->subjects[edit->subject_count++] = id;
    return true;
}

enum status
policy_edit_subject(struct policy_edit *edit, struct slice name, const json_t *definition,
                    struct fault *fault)
{
    struct subject *subject = NULL;
    enum status status = subject_read(edit->next->names, name, definition, &subject, fault);
    name_id id;

    if (status != STATUS_OK)
        return status;
    id = names_find(edit->next->names, name);
    if (!touch_subject(edit, id)) {
        shared_drop(&subject->shared);
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    }
    if (!table_set(&edit->next->subjects, id, &subject->shared))
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    return STATUS_OK;
}

static enum status
drop(struct policy_edit *edit, struct table *table, struct slice name)
{
    name_id id = names_find(edit->next->names, name);

    if (id == NAME_NONE || table_get(table, id) == NULL)
        return STATUS_NOT_FOUND;
    return table_set(table, id, NULL) ? STATUS_OK : STATUS_MEMORY;
}

enum status
policy_edit_drop_role(struct policy_edit *edit, struct slice name)
{
    enum status status = drop(edit, &edit->next->roles, name);

    if (status == STATUS_OK)
        edit->roles_touched = edit->roles_dropped = true;
    return status;
}

enum status
policy_edit_drop_subject(struct policy_edit *edit, struct slice name)
{
    return drop(edit, &edit->next->subjects, name);
}

enum status
policy_edit_finish(struct policy_edit *edit, struct policy **out, struct fault *fault)
{
    enum status status = STATUS_OK;

    if (edit->roles_touched)
        status = policy_link_roles(edit->next, edit->roles_dropped, fault);
    if (status == STATUS_OK && edit->roles_dropped)
        status = policy_check_all_subjects(edit->next, true, fault);
    for (size_t i = 0; i < edit->subject_count && status == STATUS_OK; i++) {
        const struct subject *subject = policy_find_subject(edit->next, edit->subjects[i]);

        if (subject != NULL)
            status = policy_check_subject(edit->next, subject, false, fault);
    }
    if (status != STATUS_OK)
        return status;
    *out = edit->next;
    edit->next = NULL;
    return STATUS_OK;
}

bool
policy_subject(const struct policy *policy, name_id id, struct subject_view *out)
{
    const struct subject *subject = policy_find_subject(policy, id);

    if (subject == NULL)
        return false;
    *out = (struct subject_view){ .name = subject->name,
                                  .type = subject->type,
                                  .disabled = subject->disabled,
                                  .roles = subject->roles,
                                  .until = subject->until,
                                  .role_count = subject->role_count };
    return true;
}

const struct approval *
policy_role_grantable(const struct policy *policy, name_id id)
{
    const struct role *role = policy_find_role(policy, id);

    return role != NULL && role->definition->grantable.by.size > 0 ? &role->definition->grantable
                                                                   : NULL;
}

bool
policy_has_role(const struct policy *policy, name_id role)
{
    return policy_find_role(policy, role) != NULL;
}

bool
policy_subject_holds(const struct policy *policy, name_id id, name_id role, int64_t now)
{
    const struct subject *subject = policy_find_subject(policy, id);

    return subject != NULL && subject_holds(policy, subject, role, now);
}

static bool
visit_rules(const struct role_rules *rules, rule_visitor each, void *context)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = rules->rules[i];
        const struct rule_view view = {
            .right = rule->right, .role = rule->role_id, .deny = rule->deny, .when = rule->when_json
        };

        if (!each(context, &view))
            return false;
    }
    return true;
}

void
policy_role_rules(const struct policy *policy, name_id id, rule_visitor each, void *context)
{
    const struct role *role = policy_find_role(policy, id);

    if (role != NULL && visit_rules(&role->allow, each, context))
        visit_rules(&role->deny, each, context);
}

/* The ids of a table in the order of their names. */
struct listing {
    const struct names *names;
    name_id *ids;
    size_t count;
};

static bool
list_id(void *context, name_id id, struct shared *item)
{
    struct listing *listing = context;

    listing->ids[listing->count++] = id;
    return true;
}

static int
by_name(const void *a, const void *b, void *context)
{
    struct slice left = names_text(context, *(const name_id *)a);
    struct slice right = names_text(context, *(const name_id *)b);
    int order = memcmp(left.at, right.at, left.size < right.size ? left.size : right.size);

    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

static void
each_by_name(const struct policy *policy, const struct table *table, name_visitor each,
             void *context)
{
    struct listing listing = { .ids = calloc(table->item_count + 1, sizeof(name_id)) };

    if (listing.ids == NULL)
        return;
    table_each(table, list_id, &listing);
    qsort_r(listing.ids, listing.count, sizeof(name_id), by_name, policy->names);
    for (size_t i = 0; i < listing.count && each(context, listing.ids[i]); i++)
        continue;
    free(listing.ids);
}

void
policy_each_role(const struct policy *policy, name_visitor each, void *context)
{
    each_by_name(policy, &policy->roles, each, context);
}

struct granted {
    name_visitor each;
    void *context;
};

static bool
see_granted(void *context, name_id id, struct shared *item)
{
    struct granted *granted = context;
    const struct subject *subject = (const struct subject *)item;
    bool has = false;

    for (size_t i = 0; i < subject->role_count; i++)
        has = has || subject->until[i] != TIME_NEVER;
    return !has || granted->each(granted->context, id);
}

void
policy_each_granted(const struct policy *policy, name_visitor each, void *context)
{
    struct granted granted = { .each = each, .context = context };

    table_each(&policy->subjects, see_granted, &granted);
}

void
policy_each_subject(const struct policy *policy, name_visitor each, void *context)
{
    each_by_name(policy, &policy->subjects, each, context);
}
