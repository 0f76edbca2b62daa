/* policy/condition_approval.c - the condition that somebody else says yes. */
#include "condition_approval.h"

#include <stdlib.h>

#include "base/clock.h"

enum { APPROVERS_MAX = 8 };
#define WITHIN_USUAL (10 * MS_MINUTE)
#define WITHIN_MOST  MS_HOUR
#define FOR_MOST     (7 * MS_DAY)
/* Of a role that is asked for: nobody holds a connection meanwhile. */
#define GRANT_WITHIN MS_DAY
#define GRANT_USUAL  MS_HOUR

static struct slice
text_of(const json_t *value)
{
    return json_is_string(value) ? slice_of(json_string_value(value), json_string_length(value))
                                 : (struct slice){ 0 };
}

static bool
put_roles(struct buffer *out, const json_t *roles)
{
    size_t count = json_array_size(roles);

    for (size_t i = 0; i < count; i++) {
        struct slice role = text_of(json_array_get(roles, i));

        if (!name_valid(role))
            return false;
        if (i > 0)
            put_u8(out, ' ');
        put_slice(out, role);
    }
    return count > 0 && count <= APPROVERS_MAX;
}

static bool
take_duration(const json_t *value, int64_t most, int64_t *out)
{
    return value == NULL ||
           (duration_parse(text_of(value), out) == STATUS_OK && *out > 0 && *out <= most);
}

enum status
approval_read(const json_t *value, const char *pointer, struct approval *out, struct fault *fault)
{
    static const char *const known[] = { "by", "within", "for", NULL };
    const json_t *lasts = json_object_get(value, "for");
    struct buffer by = { 0 };

    *out = (struct approval){ .within_ms = WITHIN_USUAL };
    if (!json_is_object(value) || json_only(value, known, NULL) != STATUS_OK)
        return fault_at(fault, STATUS_INVALID, pointer,
                        "approval is {by: [role], within: \"10m\", for: \"once\"}");
    if (!take_duration(json_object_get(value, "within"), WITHIN_MOST, &out->within_ms))
        return fault_at(fault, STATUS_INVALID, pointer,
                        "approval.within is a duration up to 1h, such as \"10m\"");
    if (!slice_is(text_of(lasts), "once") && !take_duration(lasts, FOR_MOST, &out->for_ms))
        return fault_at(fault, STATUS_INVALID, pointer,
                        "approval.for is \"once\", or a duration up to 7d, such as \"1h\"");
    if (put_roles(&by, json_object_get(value, "by")))
        out->by = slice_of(slice_strdup(buffer_slice(&by)), by.size);
    buffer_free(&by);
    return out->by.at != NULL
               ? STATUS_OK
               : fault_at(fault, STATUS_INVALID, pointer,
                          "approval.by is a list of one to %d roles, such as [\"lead\"]",
                          APPROVERS_MAX);
}

enum status
grantable_read(const json_t *value, const char *pointer, struct approval *out, struct fault *fault)
{
    static const char *const known[] = { "by", "for", NULL };
    struct buffer by = { 0 };

    *out = (struct approval){ .within_ms = GRANT_WITHIN, .for_ms = GRANT_USUAL };
    if (json_is_object(value) && json_only(value, known, NULL) == STATUS_OK &&
        take_duration(json_object_get(value, "for"), FOR_MOST, &out->for_ms) &&
        put_roles(&by, json_object_get(value, "by")))
        out->by = slice_of(slice_strdup(buffer_slice(&by)), by.size);
    buffer_free(&by);
    return out->by.at != NULL
               ? STATUS_OK
               : fault_at(fault, STATUS_INVALID, pointer,
                          "grantable is {by: [role], for: \"8h\"}: one to %d roles, up to 7d",
                          APPROVERS_MAX);
}

void
approval_free(struct approval *approval)
{
    free((char *)(uintptr_t)approval->by.at);
    *approval = (struct approval){ 0 };
}

bool
approval_holds(const struct approval *approval, const struct request *request)
{
    for (size_t i = 0; i < request->approved_count; i++) {
        if (slice_equal(request->approved[i], approval->by))
            return true;
    }
    return approval->by.size == 0;
}
