/* world/picture.c - the published picture, and the one that is made to follow it. */
#include "picture.h"

#include <stdlib.h>

enum status
world_picture_new(struct names *names, struct picture **out)
{
    struct picture *picture = calloc(1, sizeof *picture);

    if (picture == NULL)
        return STATUS_MEMORY;
    picture->policy = policy_new(names);
    picture->upstreams = calloc(1, sizeof *picture->upstreams);
    picture->hops = calloc(1, sizeof *picture->hops);
    picture->pins = calloc(1, sizeof *picture->pins);
    if (picture->policy == NULL || picture->upstreams == NULL || picture->hops == NULL ||
        picture->pins == NULL) {
        world_picture_free(picture);
        return STATUS_MEMORY;
    }
    *out = picture;
    return STATUS_OK;
}

void
world_picture_parts_free(struct picture *picture)
{
    policy_free(picture->policy);
    world_upstreams_free(picture->upstreams);
    world_hops_free(picture->hops);
    world_pins_free(picture->pins);
}

void
world_picture_free(struct picture *picture)
{
    if (picture == NULL)
        return;
    world_picture_parts_free(picture);
    free(picture);
}

static enum status
named(struct fault *fault, enum status status, const char *what, struct slice name)
{
    fault_prefix(fault, "%s %.*s", what, SLICE_PRINT(name));
    return status;
}

/* A definition's text as an object. */
static enum status
read_definition(struct slice body, json_t **out, struct fault *fault)
{
    enum status status = json_read(body, out, fault);

    if (status == STATUS_OK && !json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return fault_set(fault, STATUS_INVALID, "a definition is an object");
    }
    return status;
}

static enum status
edit_policy(struct picture_edit *edit, const struct change *change, struct fault *fault)
{
    bool role = change->kind == CHANGE_ROLE_PUT;
    json_t *definition;
    enum status status = STATUS_OK;

    if (change->kind == CHANGE_ROLE_DROPPED || change->kind == CHANGE_SUBJECT_DROPPED) {
        status = change->kind == CHANGE_ROLE_DROPPED
                     ? policy_edit_drop_role(edit->policy, change->name)
                     : policy_edit_drop_subject(edit->policy, change->name);
        if (status != STATUS_OK)
            fault_set(fault, status, "%s", status_text(status));
        return status;
    }
    status = read_definition(change->body, &definition, fault);
    if (status != STATUS_OK)
        return status;
    status = role ? policy_edit_role(edit->policy, change->name, definition, fault)
                  : policy_edit_subject(edit->policy, change->name, definition, fault);
    json_decref(definition);
    return status;
}

static enum status
apply_policy(struct picture_edit *edit, const struct change *change, struct fault *fault)
{
    bool role = change->kind == CHANGE_ROLE_PUT || change->kind == CHANGE_ROLE_DROPPED;
    enum status status = STATUS_OK;

    if (edit->policy == NULL)
        status = policy_edit_begin(edit->from->policy, &edit->policy);
    if (status != STATUS_OK)
        return fault_set(fault, status, "%s", status_text(status));
    status = edit_policy(edit, change, fault);
    return status == STATUS_OK ? status
                               : named(fault, status, role ? "role" : "subject", change->name);
}

enum status
world_edit_apply(struct picture_edit *edit, const struct change *change, uint64_t version,
                 struct fault *fault)
{
    enum status status;

    switch (change->kind) {
    case CHANGE_ROLE_PUT:
    case CHANGE_ROLE_DROPPED:
    case CHANGE_SUBJECT_PUT:
    case CHANGE_SUBJECT_DROPPED:
        return apply_policy(edit, change, fault);
    case CHANGE_UPSTREAM_PUT:
    case CHANGE_UPSTREAM_DROPPED:
        status = world_edit_upstream(edit, change, version, fault);
        return status == STATUS_OK ? status : named(fault, status, "upstream", change->name);
    case CHANGE_HOP_REVOKED:
        status = world_edit_hop(edit, change);
        return status == STATUS_OK ? status : fault_set(fault, status, "%s", status_text(status));
    case CHANGE_TOOL_APPROVED:
    case CHANGE_TOOL_WITHDRAWN:
        status = world_edit_pin(edit, change, fault);
        return status == STATUS_OK ? status : named(fault, status, "tool", change->name);
    default:
        return fault_set(fault, STATUS_INTERNAL, "%s is no change of the picture",
                         change_kind_name(change->kind));
    }
}

enum status
world_edit_finish(struct picture_edit *edit, struct fault *fault)
{
    enum status status = STATUS_OK;

    if (edit->policy == NULL && edit->upstreams == NULL && edit->hops == NULL && edit->pins == NULL)
        return STATUS_OK;
    if (edit->policy != NULL)
        status = policy_edit_finish(edit->policy, &edit->next_policy, fault);
    if (status != STATUS_OK)
        return status;
    edit->next = calloc(1, sizeof *edit->next);
    if (edit->next == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    if (edit->hops != NULL)
        world_hops_sort(edit->hops);
    return STATUS_OK;
}

struct picture *
world_edit_take(struct picture_edit *edit, struct picture *old)
{
    struct picture *next = edit->next;

    *next = *edit->from;
    *old = (struct picture){ 0 };
    if (edit->next_policy != NULL) {
        old->policy = next->policy;
        next->policy = edit->next_policy;
    }
    if (edit->upstreams != NULL) {
        old->upstreams = next->upstreams;
        next->upstreams = edit->upstreams;
    }
    if (edit->hops != NULL) {
        old->hops = next->hops;
        next->hops = edit->hops;
    }
    if (edit->pins != NULL) {
        old->pins = next->pins;
        next->pins = edit->pins;
    }
    if (edit->policy != NULL)
        policy_edit_free(edit->policy);
    *edit = (struct picture_edit){ 0 };
    return next;
}

void
world_edit_drop(struct picture_edit *edit)
{
    policy_free(edit->next_policy);
    if (edit->policy != NULL)
        policy_edit_free(edit->policy);
    world_upstreams_free(edit->upstreams);
    world_hops_free(edit->hops);
    world_pins_free(edit->pins);
    free(edit->next);
    *edit = (struct picture_edit){ 0 };
}
