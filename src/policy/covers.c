/* policy/covers.c - what one right covers: requests, narrower rights, columns. */
#include "covers.h"

#include "bytes.h"
#include "glob.h"
#include "policy/decide.h"

static bool
lists(struct slice list, char separator, struct slice item)
{
    struct slice part;

    while (slice_next(&list, separator, &part)) {
        if (slice_equal(part, item))
            return true;
    }
    return false;
}

static bool
lists_all(struct slice list, struct slice items)
{
    struct slice item;

    while (slice_next(&items, ',', &item)) {
        if (!lists(list, ',', item))
            return false;
    }
    return true;
}

static bool
lists_any(struct slice list, struct slice items)
{
    struct slice item;

    while (slice_next(&items, ',', &item)) {
        if (lists(list, ',', item))
            return true;
    }
    return false;
}

bool
columns_allow(const struct right *right, const struct request *request)
{
    if (right->columns.size == 0)
        return true;
    return request->syntax == OBJECT_SQL && request->columns.size > 0 &&
           lists_all(right->columns, request->columns);
}

bool
columns_deny(const struct right *right, const struct request *request)
{
    if (right->columns.size == 0 || request->syntax != OBJECT_SQL || request->columns.size == 0)
        return true;
    return lists_any(right->columns, request->columns);
}

static bool
has_star(struct slice pattern)
{
    return slice_find(pattern, '*') < pattern.size;
}

static bool
resource_covers(struct slice pattern, struct slice resource)
{
    if (has_star(pattern) && slice_is(resource, "writ"))
        return false;
    return glob_match(pattern, resource, OBJECT_FLAT);
}

static bool
actions_cover(struct slice actions, struct slice action)
{
    struct slice alternative;

    while (slice_next(&actions, '|', &alternative)) {
        if (glob_match(alternative, action, OBJECT_FLAT))
            return true;
    }
    return false;
}

bool
right_covers(const struct right *right, const struct request *request)
{
    struct slice object = request->object.size > 0 ? request->object : SLICE_LITERAL("-");

    if (!resource_covers(right->resource, request->resource) ||
        !actions_cover(right->actions, request->action))
        return false;
    if (request->listing)
        return true;
    return columns_allow(right, request) && glob_match(right->object, object, request->syntax);
}

static bool
action_within(struct slice narrow, struct slice actions)
{
    struct slice alternative;

    while (slice_next(&actions, '|', &alternative)) {
        if (glob_within(narrow, alternative, OBJECT_FLAT))
            return true;
    }
    return false;
}

static bool
names_within(const struct right *narrow, const struct right *wide)
{
    struct slice actions = narrow->actions, action;

    if (slice_is(narrow->resource, "writ") && has_star(wide->resource))
        return false;
    if (!glob_within(narrow->resource, wide->resource, OBJECT_FLAT))
        return false;
    while (slice_next(&actions, '|', &action)) {
        if (!action_within(action, wide->actions))
            return false;
    }
    return wide->columns.size == 0 ||
           (narrow->columns.size > 0 && lists_all(wide->columns, narrow->columns));
}

bool
right_within_as(const struct right *narrow, const struct right *wide, enum object_syntax syntax)
{
    return names_within(narrow, wide) && glob_within(narrow->object, wide->object, syntax);
}

bool
right_within(const struct right *narrow, const struct right *wide)
{
    return names_within(narrow, wide) && glob_within(narrow->object, wide->object, OBJECT_PATH) &&
           glob_within(narrow->object, wide->object, OBJECT_SQL) &&
           glob_within(narrow->object, wide->object, OBJECT_FLAT);
}

void
put_object(struct buffer *out, struct slice bytes)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < bytes.size; i++) {
        unsigned char byte = (unsigned char)bytes.at[i];

        if (byte_is(bytes.at[i], BYTE_OBJECT)) {
            put_u8(out, byte);
        } else {
            const char escape[3] = { '%', digits[byte >> 4], digits[byte & 15] };

            put_bytes(out, escape, sizeof(escape));
        }
    }
}

void
put_request_right(struct buffer *out, const struct request *request)
{
    put_slice(out, request->resource);
    put_u8(out, ':');
    put_slice(out, request->action);
    put_u8(out, ':');
    if (request->object.size == 0)
        put_u8(out, '-');
    else
        put_slice(out, request->object);
    if (request->columns.size > 0) {
        put_u8(out, '(');
        put_slice(out, request->columns);
        put_u8(out, ')');
    }
}

enum status
request_from_right(struct slice text, enum object_syntax syntax, struct request *out,
                   struct fault *fault)
{
    struct right right;
    enum status status = right_parse(text, &right, fault);

    if (status != STATUS_OK)
        return status;
    if (has_star(text))
        return fault_set(
            fault, STATUS_INVALID,
            "a request names one thing: '*' can't stand in it (a literal star is %%2A)");
    if (slice_find(right.actions, '|') < right.actions.size)
        return fault_set(fault, STATUS_INVALID, "a request has one action, not several");
    if (right.columns.size > 0 && syntax != OBJECT_SQL)
        return fault_set(fault, STATUS_INVALID, "only an SQL upstream has columns");
    *out = (struct request){ .resource = right.resource,
                             .action = right.actions,
                             .object = right.object,
                             .columns = right.columns,
                             .syntax = syntax };
    return STATUS_OK;
}

static bool
name_bytes(struct slice name, const char *more)
{
    for (size_t i = 0; i < name.size; i++) {
        if (!byte_is(name.at[i], BYTE_NAME) &&
            (name.at[i] == '\0' || strchr(more, name.at[i]) == NULL))
            return false;
    }
    return name.size > 0 && name.size <= REQUEST_NAME_MAX && name.at[0] != '-' &&
           name.at[0] != '_' && byte_is(name.at[0], BYTE_NAME);
}

bool
name_valid(struct slice name)
{
    return name_bytes(name, "");
}

bool
subject_name_valid(struct slice name)
{
    const struct slice local = SLICE_LITERAL("local:");
    uint64_t uid;

    if (slice_starts(name, local)) {
        struct slice digits = slice_from(name, local.size);

        return slice_u64(digits, &uid) && uid <= UINT32_MAX &&
               (digits.size == 1 || digits.at[0] != '0');
    }
    return name_bytes(name, ".@");
}
