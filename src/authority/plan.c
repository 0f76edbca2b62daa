/* authority/plan.c - policy files become changes: entry by entry against the store,
 * then the whole policy as it would be. */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "role_grants.h"

enum { PLAN_ARENA_MAX = 256 << 20 };

/* The fault is about this file: its place becomes line and column. */
static enum status
fault_in_file(struct plan *plan, const struct policy_file *file, const char *pointer,
              enum status status)
{
    char whole[2 * FAULT_POINTER_MAX], text[FAULT_TEXT_MAX];
    struct fault *fault = plan->fault;

    snprintf(whole, sizeof whole, "%s%s", pointer, fault->pointer);
    snprintf(fault->pointer, sizeof fault->pointer, "%.*s", FAULT_POINTER_MAX - 1, whole);
    fault->line = fault->column = 0;
    yaml_locate(file->yaml, fault);
    snprintf(text, sizeof text, "%s", fault->text);
    snprintf(fault->text, sizeof fault->text, "%.*s:%u:%u: %.*s", SLICE_PRINT(file->name),
             fault->line, fault->column, (int)(sizeof text / 2), text);
    fault->code = status;
    return status;
}

static enum status
add_change(struct plan *plan, const struct change *change)
{
    if (plan->count == plan->capacity) {
        size_t capacity = plan->capacity == 0 ? 64 : plan->capacity * 2;
        struct change *changes = reallocarray(plan->changes, capacity, sizeof *changes);
        if (changes == NULL)
            return STATUS_MEMORY;
        plan->changes = changes;
        plan->capacity = capacity;
    }
    plan->changes[plan->count++] = *change;
    return STATUS_OK;
}

static void
note(json_t *list, const struct object_kind *kind, struct slice name)
{
    json_array_append_new(list, json_sprintf("%s/%.*s", kind->plural, SLICE_PRINT(name)));
}

/* --- one entry of one file ------------------------------------------------------------ */

struct present {
    struct plan *plan;
    bool exists;
    struct slice body, owner;
};

static enum status
take_present(void *context, const struct change *object)
{
    struct present *present = context;

    present->exists = true;
    present->body = arena_copy(&present->plan->arena, object->body);
    present->owner = arena_copy(&present->plan->arena, object->owner);
    return present->body.at == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* The file of the plan that holds the entry, other than one; NULL: none. */
static const struct policy_file *
other_holder(const struct plan *plan, const struct object_kind *kind, const char *name,
             const struct policy_file *file)
{
    for (size_t i = 0; i < plan->file_count; i++) {
        if (&plan->files[i] != file &&
            json_object_get(json_object_get(yaml_root(plan->files[i].yaml), kind->plural), name) !=
                NULL)
            return &plan->files[i];
    }
    return NULL;
}

/* Whether a role is left after the plan. */
struct staying {
    struct plan *plan;
    bool stays;
};

/* An entry may move from one file to another when both are applied together. */
static bool
owned_elsewhere(const struct plan *plan, const struct present *present,
                const struct policy_file *file)
{
    if (!present->exists || present->owner.size == 0 || slice_equal(present->owner, file->name))
        return false;
    for (size_t i = 0; i < plan->file_count; i++) {
        if (slice_equal(plan->files[i].name, present->owner))
            return false;
    }
    return true;
}

static enum status
check_entry(struct plan *plan, const struct object_kind *kind, struct slice name,
            const json_t *definition)
{
    struct grant grant;
    enum status status;

    if (builtin_name(kind->put, name))
        return fault_set(plan->fault, STATUS_INVALID, "%.*s is built in", SLICE_PRINT(name));
    if (kind->put == CHANGE_UPSTREAM_PUT)
        return upstream_check(plan->authority, name, definition, plan->local, plan->fault);
    if (kind->put == CHANGE_ROLE_PUT ? !name_valid(name) : !subject_name_valid(name))
        return fault_set(plan->fault, STATUS_INVALID,
                         "'%.*s' is no valid name: [a-z0-9][a-z0-9_-]*, at most 63",
                         SLICE_PRINT(slice_first(name, 80)));
    if (kind->put == CHANGE_SUBJECT_PUT) {
        status = client_check(name, definition, plan->local, plan->fault);
        if (status != STATUS_OK)
            return status;
    }
    if (plan->request == NULL)
        return STATUS_OK;
    status = grant_of(plan->authority, kind->put, name, definition, &grant);
    if (status == STATUS_OK) {
        status = api_may_grant(plan->authority, plan->request, &grant, plan->fault);
        grant_free(&grant);
    }
    return status;
}

/* Relative paths are relative to the file that names them. */
static enum status
anchor_paths(struct plan *plan, const struct policy_file *file, json_t *level)
{
    size_t end = file->name.size;
    const char *name;
    json_t *value;
    size_t i;

    while (end > 0 && file->name.at[end - 1] != '/')
        end--;
    json_array_foreach(level, i, value)
    {
        if (anchor_paths(plan, file, value) != STATUS_OK)
            return STATUS_MEMORY;
    }
    json_object_foreach(level, name, value)
    {
        struct slice path = slice_text(json_string_value(value));

        /* The names in an environment are not ours: none of them makes its value a path. */
        if (json_is_object(value) && strcmp(name, "env") == 0)
            continue;
        if (!json_is_string(value)) {
            if (anchor_paths(plan, file, value) != STATUS_OK)
                return STATUS_MEMORY;
        } else if (names_file(slice_text(name)) && path.size > 0 && path.at[0] != '/') {
            struct slice whole =
                arena_format(&plan->arena, "%.*s%.*s", SLICE_PRINT(slice_first(file->name, end)),
                             SLICE_PRINT(path));
            if (whole.at == NULL || json_string_setn(value, whole.at, whole.size) != 0)
                return STATUS_MEMORY;
        }
    }
    return STATUS_OK;
}

static enum status
take_owner_of(void *context, const struct change *object)
{
    const struct policy_file *file;
    struct plan *plan = ((struct staying *)context)->plan;

    ((struct staying *)context)->stays = true;
    for (size_t i = 0; i < plan->file_count; i++) {
        file = &plan->files[i];
        if (slice_equal(file->name, object->owner))
            ((struct staying *)context)->stays = false;
    }
    return STATUS_OK;
}

/* A role that one of the files holds, or that is none of theirs to take away. */
static bool
stays_planned(void *context, struct slice role)
{
    struct plan *plan = context;
    struct staying staying = { .plan = plan };
    const struct object_kind *kinds;
    char name[64];
    size_t count;

    kinds = object_kinds(&count);
    snprintf(name, sizeof name, "%.*s", SLICE_PRINT(slice_first(role, 63)));
    for (size_t i = 0; i < count; i++) {
        if (kinds[i].put == CHANGE_ROLE_PUT && other_holder(plan, &kinds[i], name, NULL) != NULL)
            return true;
    }
    return store_object_get(plan->authority->store, CHANGE_ROLE_PUT, role, take_owner_of,
                            &staying) == STATUS_OK &&
           staying.stays;
}

static enum status
plan_entry(struct plan *plan, const struct policy_file *file, const struct object_kind *kind,
           struct slice name, json_t *definition)
{
    struct present present = { .plan = plan };
    struct buffer text = { 0 };
    struct slice body;
    enum status status = STATUS_OK;

    if (plan->local && file->name.at[0] == '/')
        status = anchor_paths(plan, file, definition);
    if (status == STATUS_OK)
        status = check_entry(plan, kind, name, definition);
    if (status != STATUS_OK)
        return status;
    status = store_object_get(plan->authority->store, kind->put, name, take_present, &present);
    if (status == STATUS_OK && kind->put == CHANGE_SUBJECT_PUT)
        status = role_grants_carry(definition, present.body, stays_planned, plan);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    put_json(&text, definition);
    body = arena_copy(&plan->arena, buffer_slice(&text));
    buffer_free(&text);
    if (body.at == NULL)
        return fault_set(plan->fault, STATUS_TOO_LARGE, "the files are too large together");
    if (owned_elsewhere(plan, &present, file))
        return fault_set(plan->fault, STATUS_CONFLICT, "%.*s belongs to another file: %.*s",
                         SLICE_PRINT(name), SLICE_PRINT(present.owner));
    if (present.exists && slice_equal(present.body, body) &&
        slice_equal(present.owner, file->name)) {
        plan->unchanged++;
        return STATUS_OK;
    }
    note(present.exists ? plan->changed : plan->created, kind, name);
    return add_change(plan, &(struct change){ .kind = kind->put,
                                              .name = arena_copy(&plan->arena, name),
                                              .body = body,
                                              .owner = file->name });
}

static enum status
plan_kind(struct plan *plan, const struct policy_file *file, const struct object_kind *kind)
{
    const json_t *entries = json_object_get(yaml_root(file->yaml), kind->plural);
    char pointer[FAULT_POINTER_MAX];
    const char *name;
    json_t *definition;

    if (entries == NULL || json_is_null(entries))
        return STATUS_OK;
    snprintf(pointer, sizeof pointer, "/%s", kind->plural);
    if (!json_is_object(entries)) {
        (void)fault_set(plan->fault, STATUS_INVALID, "%s holds names and their definitions",
                        kind->plural);
        return fault_in_file(plan, file, pointer, STATUS_INVALID);
    }
    json_object_foreach((json_t *)(uintptr_t)entries, name, definition)
    {
        const struct policy_file *other = other_holder(plan, kind, name, file);
        enum status status;

        plan->fault->pointer[0] = '\0';
        if (other != NULL)
            status = fault_set(plan->fault, STATUS_INVALID, "%s stands in %.*s as well", name,
                               SLICE_PRINT(other->name));
        else
            status = plan_entry(plan, file, kind, slice_text(name), definition);
        if (status != STATUS_OK) {
            snprintf(pointer, sizeof pointer, "/%s/%s", kind->plural, name);
            return fault_in_file(plan, file, pointer, status);
        }
    }
    return STATUS_OK;
}

/* --- what the file made before and holds no more ----------------------------------------- */

struct removal {
    struct plan *plan;
    const struct policy_file *file;
    const struct object_kind *kind;
    struct slice last;
    size_t seen;
};

static enum status
consider_removal(void *context, const struct change *object)
{
    struct removal *removal = context;
    struct plan *plan = removal->plan;
    struct slice name = arena_copy(&plan->arena, object->name);

    removal->seen++;
    removal->last = name;
    if (name.at == NULL)
        return STATUS_MEMORY;
    if (!slice_equal(object->owner, removal->file->name) ||
        other_holder(plan, removal->kind, name.at, NULL) != NULL)
        return STATUS_OK;
    note(plan->removed, removal->kind, name);
    return add_change(plan, &(struct change){ .kind = removal->kind->drop, .name = name });
}

static enum status
plan_removals(struct plan *plan, const struct policy_file *file, const struct object_kind *kind)
{
    struct removal removal = { .plan = plan, .file = file, .kind = kind };
    enum status status;

    do {
        removal.seen = 0;
        status = store_objects(plan->authority->store, kind->put, removal.last, 1000,
                               consider_removal, &removal);
    } while (status == STATUS_OK && removal.seen == 1000);
    return status;
}

/* --- checked whole, with places -------------------------------------------------------------- */

static enum status
edit_entries(struct plan *plan, const struct policy_file *file, struct policy_edit *edit,
             bool roles)
{
    const char *section = roles ? "roles" : "subjects", *name;
    const json_t *entries = json_object_get(yaml_root(file->yaml), section);
    char pointer[FAULT_POINTER_MAX];
    json_t *definition;

    json_object_foreach((json_t *)(uintptr_t)entries, name, definition)
    {
        enum status status;

        plan->fault->pointer[0] = '\0';
        status = roles ? policy_edit_role(edit, slice_text(name), definition, plan->fault)
                       : policy_edit_subject(edit, slice_text(name), definition, plan->fault);
        if (status != STATUS_OK) {
            snprintf(pointer, sizeof pointer, "/%s/%s", section, name);
            return fault_in_file(plan, file, pointer, status);
        }
    }
    return STATUS_OK;
}

static enum status
drop_entries(struct plan *plan, struct policy_edit *edit)
{
    for (size_t i = 0; i < plan->count; i++) {
        enum status status = STATUS_OK;
        if (plan->changes[i].kind == CHANGE_ROLE_DROPPED)
            status = policy_edit_drop_role(edit, plan->changes[i].name);
        else if (plan->changes[i].kind == CHANGE_SUBJECT_DROPPED)
            status = policy_edit_drop_subject(edit, plan->changes[i].name);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

/* The file that holds what a pointer such as /roles/support/… leads to. */
static const struct policy_file *
file_of(const struct plan *plan, const char *pointer)
{
    char section[32], name[FAULT_POINTER_MAX];

    if (sscanf(pointer, "/%31[^/]/%191[^/]", section, name) != 2)
        return &plan->files[0];
    for (size_t i = 0; i < plan->file_count; i++) {
        const json_t *entries = json_object_get(yaml_root(plan->files[i].yaml), section);
        if (json_object_get(entries, name) != NULL)
            return &plan->files[i];
    }
    return &plan->files[0];
}

/* The policy as it would be, compiled and thrown away: its faults have a place. */
static enum status
check_policy(struct plan *plan)
{
    struct policy_edit *edit;
    struct policy *policy = NULL;
    enum status status = policy_edit_begin(world_policy_of(plan->authority->world), &edit);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; status == STATUS_OK && i < plan->file_count; i++)
        status = edit_entries(plan, &plan->files[i], edit, true);
    for (size_t i = 0; status == STATUS_OK && i < plan->file_count; i++)
        status = edit_entries(plan, &plan->files[i], edit, false);
    if (status == STATUS_OK)
        status = drop_entries(plan, edit);
    if (status == STATUS_OK) {
        plan->fault->pointer[0] = '\0';
        status = policy_edit_finish(edit, &policy, plan->fault);
        if (status != STATUS_OK && plan->file_count > 0)
            (void)fault_in_file(plan, file_of(plan, plan->fault->pointer), "", status);
    }
    policy_free(policy);
    policy_edit_free(edit);
    return status;
}

/* --- the files ----------------------------------------------------------------------------------
 */

static enum status
check_sections(struct plan *plan, const struct policy_file *file)
{
    static const char *const known[] = { "upstreams", "roles", "subjects", NULL };
    enum status status;

    if (!json_is_object(yaml_root(file->yaml))) {
        (void)fault_set(plan->fault, STATUS_INVALID,
                        "a policy file holds upstreams, roles and subjects");
        return fault_in_file(plan, file, "", STATUS_INVALID);
    }
    status = json_only(yaml_root(file->yaml), known, plan->fault);
    return status == STATUS_OK ? status : fault_in_file(plan, file, "", status);
}

static enum status
read_file(struct plan *plan, struct policy_file *file)
{
    char text[FAULT_TEXT_MAX];
    enum status status = yaml_read(file->text, &file->yaml, plan->fault);

    if (status == STATUS_OK)
        return check_sections(plan, file);
    snprintf(text, sizeof text, "%s", plan->fault->text);
    snprintf(plan->fault->text, sizeof plan->fault->text, "%.*s:%u:%u: %.*s",
             SLICE_PRINT(file->name), plan->fault->line, plan->fault->column,
             (int)(sizeof text / 2), text);
    return status;
}

enum status
file_digest(const struct policy_file *file, char out[2 * HASH_SIZE + 1])
{
    struct buffer text = { 0 };
    uint8_t hash[HASH_SIZE];
    enum status status = hash_sha256(&file->text, 1, hash);

    if (status != STATUS_OK)
        return status;
    put_hex(&text, hash, sizeof hash);
    memcpy(out, text.bytes, text.size);
    out[text.size] = '\0';
    buffer_free(&text);
    return STATUS_OK;
}

enum status
plan_make(struct plan *plan)
{
    size_t kind_count;
    const struct object_kind *kinds = object_kinds(&kind_count);
    enum status status = STATUS_OK;

    arena_init(&plan->arena, PLAN_ARENA_MAX);
    plan->created = json_array();
    plan->changed = json_array();
    plan->removed = json_array();
    for (size_t i = 0; status == STATUS_OK && i < plan->file_count; i++)
        status = read_file(plan, &plan->files[i]);
    for (size_t k = 0; status == STATUS_OK && k < kind_count; k++) {
        for (size_t i = 0; status == STATUS_OK && i < plan->file_count; i++)
            status = plan_kind(plan, &plan->files[i], &kinds[k]);
    }
    /* Subjects go before the roles that they hold: kinds backwards. */
    for (size_t k = kind_count; status == STATUS_OK && k > 0; k--) {
        for (size_t i = 0; status == STATUS_OK && i < plan->file_count; i++)
            status = plan_removals(plan, &plan->files[i], &kinds[k - 1]);
    }
    if (status == STATUS_OK)
        status = check_policy(plan);
    return status == STATUS_OK
               ? upstream_hosts_check(plan->authority, plan->changes, plan->count, plan->fault)
               : status;
}

enum status
plan_commit(struct plan *plan, uint64_t *generation)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < plan->file_count; i++) {
        char digest[2 * HASH_SIZE + 1];

        status = file_digest(&plan->files[i], digest);
        if (status == STATUS_OK)
            status = add_change(
                plan, &(struct change){ .kind = CHANGE_POLICY_APPLIED,
                                        .at = clock_wall_ms(),
                                        .name = arena_copy(&plan->arena, slice_text(digest)) });
    }
    if (status == STATUS_OK)
        status =
            authority_commit(plan->authority, plan->changes, plan->count, generation, plan->fault);
    if (status == STATUS_OK)
        plan->authority->counters.applied++;
    return status;
}

void
plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->file_count; i++)
        yaml_free(plan->files[i].yaml);
    arena_free(&plan->arena);
    json_decref(plan->created);
    json_decref(plan->changed);
    json_decref(plan->removed);
    free(plan->changes);
}
