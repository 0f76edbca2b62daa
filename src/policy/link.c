/* policy/link.c - follows inheritance, compiles the roles that changed, and
 * checks that whatever is named is there. */
#include <stdio.h>
#include <stdlib.h>

#include "base/nearest.h"
#include "picture.h"

/* All that one role inherits, gathered depth first. */
struct closure {
    const struct policy *policy;
    struct role_definition *all[ROLE_INHERITS_MAX];
    size_t count;
    const struct role_definition *path[ROLE_DEPTH_MAX];
    size_t depth;
    bool dropped;
    struct fault *fault;
};

static bool
see_role(void *context, name_id id, struct shared *item)
{
    nearest_see(context, ((const struct role *)item)->definition->name);
    return true;
}

/* Who names a role that is not there: "role support inherits", "subject amara holds". */
struct missing {
    const char *kind;
    struct slice name;
    const char *does;
    bool dropped; /* roles were taken away: it is a conflict, not a mistake */
};

static enum status
refuse_missing(const struct policy *policy, const struct missing *missing, name_id role,
               struct fault *fault)
{
    struct slice text = names_text(policy->names, role);
    struct nearest nearest = nearest_to(text);
    char place[FAULT_POINTER_MAX];

    /* In the policy as a whole: /roles/NAME, /subjects/NAME. */
    snprintf(place, sizeof place, "/%ss/%.*s", missing->kind, SLICE_PRINT(missing->name));
    if (missing->dropped)
        return fault_at(fault, STATUS_CONFLICT, place, "%s %.*s still %s role %.*s", missing->kind,
                        SLICE_PRINT(missing->name), missing->does, SLICE_PRINT(text));
    table_each(&policy->roles, see_role, &nearest);
    if (nearest_found(&nearest))
        return fault_at(fault, STATUS_INVALID, place,
                        "%s %.*s %s role %.*s, which there is not: did you mean %.*s?",
                        missing->kind, SLICE_PRINT(missing->name), missing->does, SLICE_PRINT(text),
                        SLICE_PRINT(nearest.best));
    return fault_at(fault, STATUS_INVALID, place, "%s %.*s %s role %.*s, which there is not",
                    missing->kind, SLICE_PRINT(missing->name), missing->does, SLICE_PRINT(text));
}

static enum status
refuse_cycle(const struct closure *closure, const struct role_definition *again)
{
    struct buffer text = BUFFER_LIMITED(FAULT_TEXT_MAX);
    char place[FAULT_POINTER_MAX];
    enum status status;
    size_t from = 0;

    while (closure->path[from] != again)
        from++;
    for (size_t i = from; i < closure->depth; i++) {
        put_slice(&text, closure->path[i]->name);
        put_text(&text, " → ");
    }
    put_slice(&text, again->name);
    snprintf(place, sizeof place, "/roles/%.*s", SLICE_PRINT(again->name));
    status =
        fault_at(closure->fault, STATUS_INVALID, place,
                 "roles inherit each other in a circle: %.*s", SLICE_PRINT(buffer_slice(&text)));
    buffer_free(&text);
    return status;
}

static enum status
gather(struct closure *closure, struct role_definition *definition)
{
    for (size_t i = 0; i < closure->depth; i++) {
        if (closure->path[i] == definition)
            return refuse_cycle(closure, definition);
    }
    for (size_t i = 0; i < closure->count; i++) {
        if (closure->all[i] == definition)
            return STATUS_OK;
    }
    if (closure->depth == ROLE_DEPTH_MAX || closure->count == ROLE_INHERITS_MAX)
        return fault_set(closure->fault, STATUS_INVALID,
                         "role %.*s inherits too much: at most %d roles, %d deep",
                         SLICE_PRINT(closure->path[0]->name), ROLE_INHERITS_MAX, ROLE_DEPTH_MAX);
    closure->all[closure->count++] = definition;
    closure->path[closure->depth++] = definition;
    for (size_t i = 0; i < definition->inherit_count; i++) {
        const struct role *role = policy_find_role(closure->policy, definition->inherits[i]);
        enum status status;

        if (role == NULL) {
            const struct missing missing = { "role", definition->name, "inherits",
                                             closure->dropped };

            return refuse_missing(closure->policy, &missing, definition->inherits[i],
                                  closure->fault);
        }
        status = gather(closure, role->definition);
        if (status != STATUS_OK)
            return status;
    }
    closure->depth--;
    return STATUS_OK;
}

/* Was the role compiled from exactly these definitions? */
static bool
up_to_date(const struct role *role, const struct closure *closure)
{
    if (!role->compiled || role->inherited_count != closure->count)
        return false;
    return memcmp(role->inherited, closure->all, closure->count * sizeof(closure->all[0])) == 0;
}

struct linking {
    struct policy *policy;
    name_id *stale; /* roles to compile */
    size_t stale_count;
    bool dropped;
    struct fault *fault;
    enum status status;
};

static bool
find_stale(void *context, name_id id, struct shared *item)
{
    struct linking *linking = context;
    const struct role *role = (const struct role *)item;
    struct closure closure = { .policy = linking->policy,
                               .dropped = linking->dropped,
                               .fault = linking->fault };

    linking->status = gather(&closure, role->definition);
    if (linking->status != STATUS_OK)
        return false;
    if (!up_to_date(role, &closure))
        linking->stale[linking->stale_count++] = id;
    return true;
}

static enum status
compile(struct policy *policy, name_id id, struct fault *fault)
{
    const struct role *old = policy_find_role(policy, id);
    struct closure closure = { .policy = policy, .fault = fault };
    enum status status = gather(&closure, old->definition);
    struct role *role;

    if (status != STATUS_OK)
        return status;
    shared_take(&old->definition->shared);
    role = role_new(old->definition);
    if (role == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    status = role_compile(role, closure.all, closure.count, fault);
    if (status != STATUS_OK) {
        shared_drop(&role->shared);
        return status;
    }
    if (!table_set(&policy->roles, id, &role->shared))
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    return STATUS_OK;
}

enum status
policy_link_roles(struct policy *policy, bool dropped, struct fault *fault)
{
    struct linking linking = { .policy = policy, .dropped = dropped, .fault = fault };
    enum status status;

    linking.stale = calloc(policy->roles.item_count + 1, sizeof(name_id));
    if (linking.stale == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    table_each(&policy->roles, find_stale, &linking);
    status = linking.status;
    for (size_t i = 0; i < linking.stale_count && status == STATUS_OK; i++)
        status = compile(policy, linking.stale[i], fault);
    free(linking.stale);
    return status;
}

enum status
policy_check_subject(const struct policy *policy, const struct subject *subject, bool dropped,
                     struct fault *fault)
{
    const struct missing missing = { "subject", subject->name, "holds", dropped };

    for (size_t i = 0; i < subject->role_count; i++) {
        if (policy_find_role(policy, subject->roles[i]) == NULL)
            return refuse_missing(policy, &missing, subject->roles[i], fault);
    }
    return STATUS_OK;
}

static bool
check_one(void *context, name_id id, struct shared *item)
{
    struct linking *linking = context;

    linking->status = policy_check_subject(linking->policy, (const struct subject *)item,
                                           linking->dropped, linking->fault);
    return linking->status == STATUS_OK;
}

enum status
policy_check_all_subjects(struct policy *policy, bool dropped, struct fault *fault)
{
    struct linking linking = { .policy = policy, .dropped = dropped, .fault = fault };

    table_each(&policy->subjects, check_one, &linking);
    return linking.status;
}
