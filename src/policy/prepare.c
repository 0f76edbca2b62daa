/* policy/prepare.c - a request as one text: checks its form, finds its cuts. */
#include "bytes.h"
#include "matcher.h"

static bool
all_bytes(struct slice s, unsigned classes)
{
    for (size_t i = 0; i < s.size; i++) {
        if (!byte_is(s.at[i], classes))
            return false;
    }
    return s.size > 0;
}

/* The object's bytes, or the first escape or stray byte. Marks the cuts. */
static bool
object_valid(struct prepared *out)
{
    for (uint32_t at = out->action_end + 1; at < out->size; at++) {
        unsigned classes = byte_classes[(unsigned char)out->text[at]];

        if ((classes & BYTE_OBJECT) == 0) {
            if (!escape_valid(slice_of(out->text + at, out->size - at)))
                return false;
            at += 2;
            continue;
        }
        out->cuts[at / 64] |= (uint64_t)((classes & BYTE_CUT) != 0) << at % 64;
        if (out->text[at] == out->separator)
            out->last_separator = at;
    }
    return true;
}

static void
mark_names(struct prepared *out)
{
    for (uint32_t at = 0; at <= out->action_end; at++)
        out->cuts[at / 64] |= (uint64_t)byte_is(out->text[at], BYTE_CUT) << at % 64;
}

static char *
append(char *at, struct slice part)
{
    memcpy(at, part.at, part.size);
    return at + part.size;
}

enum prepared_as
request_prepare(const struct request *request, struct prepared *out)
{
    struct slice object = request->object.size > 0 ? request->object : SLICE_LITERAL("-");
    char *at = out->text;

    if (request->resource.size > REQUEST_NAME_MAX || request->action.size > REQUEST_ACTION_MAX ||
        object.size > REQUEST_OBJECT_MAX)
        return PREPARED_TOO_LONG;
    if (!all_bytes(request->resource, BYTE_NAME) || !all_bytes(request->action, BYTE_ACTION))
        return PREPARED_MALFORMED;
    at = append(at, request->resource);
    out->resource_end = (uint32_t)(at - out->text);
    *at++ = ':';
    at = append(at, request->action);
    out->action_end = (uint32_t)(at - out->text);
    *at++ = ':';
    at = append(at, object);
    out->size = (uint32_t)(at - out->text);
    memset(at, 0, PREPARED_PADDING);
    memset(out->cuts, 0, ((out->size + PREPARED_PADDING) / 64 + 2) * sizeof(out->cuts[0]));
    out->sql = request->syntax == OBJECT_SQL;
    out->separator = out->sql ? '.' : request->syntax == OBJECT_PATH ? '/' : '\0';
    out->writ = slice_is(request->resource, "writ");
    out->last_separator = 0;
    mark_names(out);
    return object_valid(out) ? PREPARED : PREPARED_MALFORMED;
}
