/* policy/subject.c - reads a subject's definition. */
#include <stdio.h>
#include <stdlib.h>

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
read_roles(struct names *names, const json_t *list, struct subject *out, struct fault *fault)
{
    size_t count = json_array_size(list);

    if (list != NULL && !json_is_null(list) && !json_is_array(list))
        return fault_at(fault, STATUS_INVALID, "/roles", "roles is a list of names");
    if (count > SUBJECT_ROLES_MAX)
        return fault_at(fault, STATUS_INVALID, "/roles", "a subject holds at most %d roles",
                        SUBJECT_ROLES_MAX);
    out->roles = calloc(count + 1, sizeof(name_id));
    if (out->roles == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        char pointer[FAULT_POINTER_MAX];
        name_id id;

        snprintf(pointer, sizeof(pointer), "/roles/%zu", i);
        if (!name_valid(slice_text(text)))
            return fault_at(fault, STATUS_INVALID, pointer, "\"%.64s\" is no role's name",
                            text == NULL ? "" : text);
        id = names_intern(names, slice_text(text));
        if (id == NAME_NONE)
            return fault_set(fault, STATUS_MEMORY, "out of memory");
        out->roles[out->role_count++] = id;
    }
    return STATUS_OK;
}

static enum status
read_members(struct names *names, const json_t *json, struct subject *out, struct fault *fault)
{
    static const char *const known[] = { "type", "roles", "disabled", "client", NULL };
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
        status = read_roles(names, json_object_get(json, "roles"), out, fault);
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
