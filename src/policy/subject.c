/* policy/subject.c - reads a subject's definition. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "picture.h"

static const char *const type_names[] = {
    [SUBJECT_USER] = "user",
    [SUBJECT_SERVICE] = "service",
    [SUBJECT_AGENT] = "agent",
};
enum { TYPE_COUNT = sizeof(type_names) / sizeof(type_names[0]) };

const char *
subject_type_name(enum subject_type type)
{
    return type_names[type];
}

static void
subject_destroy(struct shared *shared)
{
    struct subject *subject = (struct subject *)shared;

    free(subject->roles);
    free(subject->until);
    free(subject);
}

static enum status
read_type(const json_t *json, enum subject_type *out, struct fault *fault)
{
    struct slice text = { 0 };
    enum status status = json_take_string(json, "type", &text, fault);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (slice_is(text, type_names[i])) {
            *out = (enum subject_type)i;
            return STATUS_OK;
        }
    }
    return fault_at(fault, STATUS_INVALID, "/type", "type is user, service or agent");
}

static enum status
add_role(struct names *names, const json_t *name, int64_t until, struct subject *out,
         const char *pointer, struct fault *fault)
{
    const char *text = json_string_value(name);
    name_id id;

    if (!name_valid(slice_text(text)))
        return fault_at(fault, STATUS_INVALID, pointer, "\"%.64s\" is no role's name",
                        text == NULL ? "" : text);
    id = names_intern(names, slice_text(text));
    if (id == NAME_NONE)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    out->roles[out->role_count] = id;
    out->until[out->role_count++] = until;
    return STATUS_OK;
}

/* A role for a time, with who gave it and why. */
static enum status
read_grant(struct names *names, const json_t *grant, struct subject *out, const char *pointer,
           struct fault *fault)
{
    static const char *const known[] = { "role", "until", "by", "reason", NULL };
    struct slice until = { 0 }, by = { 0 }, reason = { 0 };
    int64_t end;

    if (!json_is_object(grant) || json_only(grant, known, NULL) != STATUS_OK ||
        json_take_string(grant, "until", &until, NULL) != STATUS_OK ||
        json_take_string(grant, "by", &by, NULL) != STATUS_OK ||
        json_take_string(grant, "reason", &reason, NULL) != STATUS_OK || until.size == 0 ||
        time_parse(until, &end) != STATUS_OK)
        return fault_at(fault, STATUS_INVALID, pointer,
                        "a grant is {role, until: \"2026-12-01T18:00:00Z\", by, reason}");
    return add_role(names, json_object_get(grant, "role"), end, out, pointer, fault);
}

static bool
is_list(const json_t *list)
{
    return list == NULL || json_is_null(list) || json_is_array(list);
}

static enum status
read_roles(struct names *names, const json_t *json, struct subject *out, struct fault *fault)
{
    const json_t *roles = json_object_get(json, "roles"), *grants = json_object_get(json, "grants");
    size_t count = json_array_size(roles) + json_array_size(grants);
    char pointer[FAULT_POINTER_MAX];
    enum status status = STATUS_OK;

    if (!is_list(roles) || !is_list(grants))
        return fault_at(fault, STATUS_INVALID, is_list(roles) ? "/grants" : "/roles",
                        "roles is a list of names, grants of {role, until}");
    if (count > SUBJECT_ROLES_MAX)
        return fault_at(fault, STATUS_INVALID, "/roles", "a subject holds at most %d roles",
                        SUBJECT_ROLES_MAX);
    out->roles = calloc(count + 1, sizeof *out->roles);
    out->until = calloc(count + 1, sizeof *out->until);
    if (out->roles == NULL || out->until == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    for (size_t i = 0; status == STATUS_OK && i < json_array_size(roles); i++) {
        snprintf(pointer, sizeof(pointer), "/roles/%zu", i);
        status = add_role(names, json_array_get(roles, i), TIME_NEVER, out, pointer, fault);
    }
    for (size_t i = 0; status == STATUS_OK && i < json_array_size(grants); i++) {
        snprintf(pointer, sizeof(pointer), "/grants/%zu", i);
        status = read_grant(names, json_array_get(grants, i), out, pointer, fault);
    }
    return status;
}

static enum status
read_members(struct names *names, const json_t *json, struct subject *out, struct fault *fault)
{
    static const char *const known[] = { "type", "roles", "grants", "disabled", "client", NULL };
    enum status status;

    if (!json_is_object(json))
        return fault_at(fault, STATUS_INVALID, "", "a subject is an object: type, roles");
    status = json_only(json, known, fault);
    if (status == STATUS_OK)
        status = read_type(json, &out->type, fault);
    if (status == STATUS_OK)
        status = json_take_bool(json, "disabled", &out->disabled, fault);
    /* How it comes for tokens itself is the authority's business. */
    if (status == STATUS_OK && json_object_get(json, "client") != NULL &&
        !json_is_object(json_object_get(json, "client")))
        status = fault_at(fault, STATUS_INVALID, "/client", "client is an object: {auth: …}");
    if (status == STATUS_OK)
        status = read_roles(names, json, out, fault);
    return status;
}

enum status
subject_read(struct names *names, struct slice name, const json_t *json, struct subject **out,
             struct fault *fault)
{
    struct subject *subject;
    enum status status;
    name_id id;

    if (!subject_name_valid(name))
        return fault_set(fault, STATUS_INVALID,
                         "\"%.*s\" is no subject's name: it holds a-z 0-9 _ - . @, "
                         "at most 63 bytes",
                         SLICE_PRINT(slice_first(name, 64)));
    id = names_intern(names, name);
    subject = calloc(1, sizeof(*subject));
    if (subject == NULL || id == NAME_NONE) {
        free(subject);
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    }
    shared_init(&subject->shared, subject_destroy);
    subject->name = names_text(names, id);
    status = read_members(names, json, subject, fault);
    if (status != STATUS_OK)
        shared_drop(&subject->shared);
    else
        *out = subject;
    return status;
}
